"""Records erased by rule: what is due and what holds it, what is left of it, and a crash at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registers_cases import (  # noqa: F401
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    region,
    site,
    small,
    small_database,
    small_file,
)

from changtong.errors import DeniedError, InputError, NotFoundError, UsageError
from changtong.privacy.deletion import records_digest
from changtong.privacy.key_file import FieldKeys, new_keys
from changtong.rights.scope import Scope
from changtong.storage import erasure
from changtong.storage.definitions import HOLDING_STATES, register_columns, state_column
from changtong.storage.erasure_rules import ErasureRule, read_erasure_rules
from changtong.storage.rows import now
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store, open_store

PNG = b"\x89PNG\r\n\x1a\n" + b"face of somebody" * 20
WHO, NUMBER = "欧阳小明名", "13800139876"
RULE = """
[{register}]
name_zh = "x"
basis = "made up"
provenance = "synthetic"
source = "made up"
delete_after_days = {days}
since = "{since}"
{states}
"""


def rules(tmp_path: Path, **registers_of: tuple[str, int, tuple[str, ...]]) -> dict[str, ErasureRule]:
    text = ""
    for register, (since, days, states) in registers_of.items():
        told = f"states = {json.dumps(list(states))}" if states else ""
        text += RULE.format(register=register, since=since, days=days, states=told)
    (tmp_path / "rules.toml").write_text(text, "utf-8")
    return read_erasure_rules(tmp_path / "rules.toml")


ALL = {
    "site": ("updated_at", 0, ("closed",)),
    "hazard": ("updated_at", 0, ("closed",)),
    "rectification": ("updated_at", 0, ("accepted",)),
    "task": ("updated_at", 0, ("accepted", "cancelled")),
    "find": ("found_at", 30, ()),
}


@pytest.fixture
def keys(tmp_path: Path) -> FieldKeys:
    return new_keys(tmp_path / "keys")


def two(store: Store, admin: Desk) -> Desk:
    return person(store, admin, "bo", "spb", ("administrator", Scope()))


def closed_hazard(li: Desk, **more: object) -> str:
    made = li.add("hazard", hazard(**more))
    li.change("hazard", made.id, 1, {"state": "rectified"})
    return li.change("hazard", made.id, 2, {"state": "closed"}).id


def filled(store: Store, admin: Desk) -> tuple[Desk, dict[str, str]]:
    """A closed site with a closed hazard and a picture: due; another with an open hazard: held."""
    li = region(store, admin)
    ids = {}
    for name in ("gone", "open"):
        made = li.add(
            "site", site(name, contact_name=WHO, contact_phone=NUMBER, status="closed"), organisation="sd-ns"
        )
        ids[name] = made.id
        li.attach("site", made.id, f"{name}.png", PNG + name.encode())
    ids["closed hazard"] = closed_hazard(li, site=ids["gone"], owner_name=WHO)
    ids["old hazard"] = closed_hazard(li, site=ids["open"])
    ids["open hazard"] = li.add("hazard", hazard(site=ids["open"])).id
    return li, ids


def there(store: Store, kind: str) -> set[str]:
    with store.engine.connect() as connection:
        return set(connection.execute(sa.select(registers[kind].c.id)).scalars())


def kept_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


def on_disk(store: Store, words: tuple[str, ...]) -> list[str]:
    """Return which words the database's own files still hold."""
    if store.engine.dialect.name == "sqlite":
        at = Path(str(store.engine.url.database).removeprefix("file://").partition("?")[0])
        raws = [path.read_bytes() for path in at.parent.glob(f"{at.name}*") if path.is_file()]
    else:
        with store.engine.connect() as connection:
            folder = Path(str(store.engine.url.query["host"])) / "data"
            paths = [
                connection.exec_driver_sql(f"SELECT pg_relation_filepath('{name}')").scalar_one()
                for name in ("sites", "hazards", "attachments")
            ]
        raws = [(folder / path).read_bytes() for path in paths]
    return [word for word in words if any(word.encode() in raw for raw in raws)]


def test_what_is_due_is_gone_with_its_files_and_the_audit_stays_whole(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li, ids = filled(store, admin)
    second = two(store, admin)
    known, at = rules(tmp_path, **ALL), now()
    tried = erasure.try_erasure(store, admin, known, at)
    counts = {one["register"]: one["erased"] for one in tried.registers}
    assert counts == {
        "site": 1, "hazard": 2, "attachment": 1, "rectification": 0, "task": 0, "find": 0,
    }  # fmt: skip
    assert len(there(store, "site")) == 2  # nothing was changed
    made = erasure.erase(store, admin, second, known, at, keys, tmp_path / "certificate.json")
    assert there(store, "site") == {ids["open"]}
    assert there(store, "hazard") == {ids["open hazard"]}
    assert [path.read_bytes()[-4:] for path in kept_files(tmp_path)] == [b"open"]
    told = {one["register"]: one for one in made.registers}
    assert (told["site"]["erased"], told["site"]["held"], told["site"]["left"]) == (1, {"open_record": 1}, 1)
    assert (told["hazard"]["erased"], told["attachment"]["erased"], made.files) == (2, 1, 1)
    assert (made.erased_by, made.agreed_by) == ("admin", "bo")
    assert "backups" in made.limits
    assert admin.verify_audit(with_records=True).whole
    entries = admin.audit_entries("site", ids["gone"])
    assert [entry["action"] for entry in entries] == ["add", "erase"]
    assert json.loads(entries[1]["detail"])["digest"] == json.loads(entries[0]["detail"])["digest"]
    assert not any(word in str(entries) for word in (WHO, NUMBER))
    read = erasure.read_erasure_certificate(tmp_path / "certificate.json")
    assert read == made
    erasure.check_erasure(read, keys)
    with pytest.raises(NotFoundError):
        li.get("site", ids["gone"])


def test_the_bytes_are_gone_from_the_database(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li = region(store, admin)
    second = two(store, admin)
    for number in range(40):
        li.add("site", site(number, contact_name=WHO, contact_phone=NUMBER, status="closed"))
    kept = li.add("site", site("kept", contact_name="留下来的人"))
    with store.engine.begin() as connection:
        if store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")
    known = rules(tmp_path, site=ALL["site"])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("CHECKPOINT")
    assert on_disk(store, (WHO, NUMBER)) == [WHO, NUMBER]
    erasure.erase(store, admin, second, known, now(), keys)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("CHECKPOINT")
    assert on_disk(store, (WHO, NUMBER, "留下来的人")) == ["留下来的人"]
    assert there(store, "site") == {kept.id}


def test_holds_keep_a_record_and_what_belongs_to_it(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li, ids = filled(store, admin)
    second = two(store, admin)
    held = li.hold("hazard", ids["closed hazard"], "an appeal is pending")
    made = erasure.erase(store, admin, second, rules(tmp_path, **ALL), now(), keys)
    told = {one["register"]: one for one in made.registers}
    # the hazard, the site it refers to, and the site's picture
    assert told["hazard"]["held"] == {"hold": 1}
    assert told["site"]["held"] == {"hold": 1, "open_record": 1}
    assert ids["gone"] in there(store, "site")
    assert made.files == 0
    assert [one["id"] for one in li.holds()] == [held]
    with pytest.raises(DeniedError):
        li.lift(held, "done")
    admin.lift(held, "the appeal was decided")
    assert li.holds() == []
    erasure.erase(store, admin, second, rules(tmp_path, **ALL), now(), keys)
    assert there(store, "site") == {ids["open"]}
    with store.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM holds")).scalar_one() == 0
    assert admin.verify_audit(with_records=True).whole


def test_an_administrator_holds_what_they_may_not_view_within_their_scope_only(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li, ids = filled(store, admin)
    picture = next(record for record in li.every("attachment") if record["about"] == ids["gone"])
    gd = person(store, admin, "gd", "spb-gd", ("administrator", Scope(region="440000")))
    bj = person(store, admin, "bj", "spb-bj", ("administrator", Scope(region="110000")))
    viewer = person(store, admin, "wei", "spb-sz", ("viewer", Scope(region="440300")))
    planner = person(store, admin, "pu", "spb-sz", ("planner", Scope(region="440300")))
    # a duty officer may hold what they see, and this is in another province
    duty = person(store, admin, "du", "spb-bj", ("duty_officer", Scope(region="110000")))
    refused = {}
    for name, desk in (("bj", bj), ("viewer", viewer), ("duty", duty)):
        with pytest.raises(NotFoundError) as caught:
            desk.hold("attachment", picture.id, "asked for")
        refused[name] = str(caught.value)
    with pytest.raises(NotFoundError) as caught:
        bj.hold("attachment", "there-is-none", "asked for")
    assert {*refused.values()} == {str(caught.value)}  # nobody learns that there is one
    with pytest.raises(DeniedError):
        planner.hold("attachment", picture.id, "asked for")  # sees it, and has no right to hold
    for hidden in (lambda: gd.get("attachment", picture.id), lambda: gd.content(picture.id, "curious")):
        with pytest.raises((NotFoundError, DeniedError)):
            hidden()
    held = gd.hold("attachment", picture.id, "court case 12")
    entry = gd.audit_entries("hold", held)[0]
    assert json.loads(entry["detail"]) == {"kind": "attachment", "record": picture.id, "unseen": True}
    assert (entry["action"], entry["reason"]) == ("add", "court case 12")
    assert [set(one) for one in gd.holds()] == [{"id", "kind", "record", "reason", "set_at", "set_by"}]
    made = erasure.erase(store, admin, two(store, admin), rules(tmp_path, **ALL), now(), keys)
    told = {one["register"]: one["held"] for one in made.registers}
    assert told["attachment"]["hold"] == 1
    with pytest.raises(NotFoundError):
        bj.lift(held, "not mine")
    gd.lift(held, "decided")
    assert gd.holds() == []
    assert admin.verify_audit(with_records=True).whole


def test_a_hold_on_a_picture_holds_its_record_and_its_other_pictures(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li, ids = filled(store, admin)
    second = two(store, admin)
    li.attach("site", ids["gone"], "another.png", PNG + b"another")
    picture = next(record for record in li.every("attachment") if record["about"] == ids["gone"])
    li.hold("attachment", picture.id, "evidence in court")
    made = erasure.erase(store, admin, second, rules(tmp_path, **ALL), now(), keys)
    told = {one["register"]: one["held"] for one in made.registers}
    # the picture itself; the other one of its site, and that of the site with an open hazard
    assert told["attachment"] == {"hold": 1, "referred_to": 2}
    assert told["site"] == {"hold": 1, "open_record": 1}
    assert ids["gone"] in there(store, "site")
    assert len(kept_files(tmp_path)) == 3


def test_what_stays_keeps_what_it_refers_to(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li = region(store, admin)
    second = two(store, admin)
    soon = "2026-12-01T00:00+08:00"
    parent = li.add("task", {"title": "all", "deadline": soon})
    part = li.add("task", {"title": "part", "deadline": soon, "parent": parent.id})
    leaf = li.add("task", {"title": "leaf", "deadline": soon, "parent": part.id})
    for one in (parent, part):
        li.change("task", one.id, 1, {"state": "cancelled"})
    made = erasure.erase(store, admin, second, rules(tmp_path, task=ALL["task"]), now(), keys)
    assert made.registers[0]["held"] == {"referred_to": 2}
    li.change("task", leaf.id, 1, {"state": "cancelled"})
    erasure.erase(store, admin, second, rules(tmp_path, task=ALL["task"]), now(), keys)
    assert there(store, "task") == set()
    assert admin.verify_audit(with_records=True).whole


@settings(
    max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["open", "closed"]), st.booleans(), st.booleans(), st.booleans()),
        max_size=5,
    )
)
def test_what_stays_is_what_a_second_reading_of_the_rules_says(
    small: tuple[Store, Desk], tmp_path: Path, sites: list[tuple[str, bool, bool, bool]]
) -> None:
    """Sites of two states, each with or without an open hazard, a closed one and a hold on the site."""
    from changtong.storage.due_records import find_due

    store, admin = small
    li = getattr(store, "_li", None) or region(store, admin)
    store._li = li  # type: ignore[attr-defined]
    expected = set()
    for status, has_open, has_closed, is_held in sites:
        made = li.add("site", site(os.urandom(8).hex(), status=status), organisation="sd-ns")
        opened = li.add("hazard", hazard(site=made.id)).id if has_open else None
        closed = closed_hazard(li, site=made.id) if has_closed else None
        if is_held:
            li.hold("site", made.id, "asked for")
        if closed and not is_held:
            expected.add(("hazard", closed))
        if status == "closed" and not is_held and opened is None:
            expected.add(("site", made.id))
    with store.engine.connect() as connection:
        due = find_due(connection, rules(tmp_path, site=ALL["site"], hazard=ALL["hazard"]), now())
    known = getattr(store, "_expected", set()) | expected
    store._expected = known  # type: ignore[attr-defined]
    assert set(due.records) == known


def test_two_different_persons_with_the_right_are_needed(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li, ids = filled(store, admin)
    known = rules(tmp_path, **ALL)
    again = store.desk(admin.make_token("me too", timedelta(days=1)).token)
    gd = person(store, admin, "gd", "spb-gd", ("administrator", Scope(region="440000")))
    for first, second, code in (
        (admin, admin, "second-person-needed"),
        (admin, again, "second-person-needed"),
        (admin, li, "not-allowed"),
        (admin, gd, "not-allowed"),
        (li, admin, "not-allowed"),
        (gd, admin, "not-allowed"),
    ):
        with pytest.raises(DeniedError) as caught:
            erasure.erase(store, first, second, known, now(), keys)
        assert caught.value.code == code
    with pytest.raises(DeniedError):
        erasure.try_erasure(store, li, known, now())
    with pytest.raises(UsageError) as ahead:
        erasure.erase(store, admin, two(store, admin), known, now() + timedelta(days=1), keys)
    assert ahead.value.code == "future-date"
    assert ids["gone"] in there(store, "site")
    refused = [entry["action"] for entry in admin.audit_entries("registers", "")]
    assert refused.count("refused:erase") == 5


def test_only_what_is_old_enough_is_due_and_what_has_no_time_is_told(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li = region(store, admin)
    second = two(store, admin)
    old, young = (
        li.add("find", {"category": "c", "found_at": (now() - timedelta(days=days)).isoformat()}).id
        for days in (31, 29)
    )
    li.add("inspection", {"form_id": "f", "form_version": "1", "planned_at": now(), "state": "finished"})
    known = rules(tmp_path, find=ALL["find"], inspection=("finished_at", 0, ("finished",)))
    made = erasure.erase(store, admin, second, known, now(), keys)
    told = {one["register"]: (one["erased"], one["undated"], one["left"]) for one in made.registers}
    assert told == {"inspection": (0, 1, 1), "find": (1, 0, 1)}
    assert there(store, "find") == {young}
    assert old not in there(store, "find")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no rule"]),
        ("[king]\n", ["no register"]),
        (RULE.format(register="hazard", since="title", days=1, states=""), ["since", "states"]),
        (
            RULE.format(register="hazard", since="deadline", days=-1, states='states = ["shut"]'),
            ["states", "-1"],
        ),
        (RULE.format(register="find", since="found_at", days=1, states='states = ["x"]'), ["no states"]),
        ("[find]\nsince = 'found_at'\n", ["delete_after_days", "basis", "name_zh"]),
        ("[find", ["cannot be read"]),
    ],
)
def test_rules_that_are_none_are_told_all_at_once(tmp_path: Path, text: str, parts: list[str]) -> None:
    (tmp_path / "r.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_erasure_rules(tmp_path / "r.toml")
    assert {problem.code for problem in caught.value.problems} == {"bad-retention"}
    told = " ".join(problem.message for problem in caught.value.problems)
    assert [part for part in parts if part not in told] == []


def test_a_certificate_that_was_changed_is_refused(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    filled(store, admin)
    path = tmp_path / "c.json"
    erasure.erase(store, admin, two(store, admin), rules(tmp_path, **ALL), now(), keys, path)
    facts = json.loads(path.read_text("utf-8"))
    facts["registers"][0]["erased"] += 1
    path.write_text(json.dumps(facts), "utf-8")
    with pytest.raises(InputError, match="bad-certificate"):
        erasure.check_erasure(erasure.read_erasure_certificate(path), keys)
    path.write_text("{}", "utf-8")
    with pytest.raises(InputError, match="bad-certificate"):
        erasure.read_erasure_certificate(path)


def test_a_row_that_comes_back_after_its_erasure_is_named(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    _, ids = filled(store, admin)
    table = registers["site"]
    with store.engine.connect() as connection:
        copy = dict(connection.execute(sa.select(table).where(table.c.id == ids["gone"])).mappings().one())
    erasure.erase(store, admin, two(store, admin), rules(tmp_path, **ALL), now(), keys)
    with store.engine.begin() as connection:
        connection.execute(table.insert(), copy)
    found = admin.verify_audit(with_records=True).findings
    assert [(one.what, one.record) for one in found] == [("record-unknown", f"site {ids['gone']}")]


CHILD = """
import os, signal, sys
from pathlib import Path
import changtong.storage.erasure as erasure
from changtong.privacy.key_file import read_keys
from changtong.storage.erasure_rules import read_erasure_rules
from changtong.storage.rows import now
from changtong.storage.store import open_store
place, files, first, second, keys, rules, output, where = sys.argv[1:]

def die(*args, **more):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "half swept":
    from changtong.storage import attachments
    kept, seen = attachments.overwrite, []
    attachments.overwrite = lambda path: die() if seen else (seen.append(1), kept(path))
else:
    setattr(erasure, where, die)
store = open_store(place, files=files)
erasure.erase(
    store, store.desk(first), store.desk(second), read_erasure_rules(rules), now(), read_keys(keys),
    Path(output),
)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "gone"),
    [
        ("_drop_holds", False), ("sweep_files", True), ("half swept", True), ("clean", True),
        ("_certificate", True), ("write_beside", True),
    ],
)  # fmt: skip
def test_killed_at_any_step_it_is_ended_by_the_next_run(
    small: tuple[Store, Desk], place: str, tmp_path: Path, keys: FieldKeys, where: str, gone: bool
) -> None:
    store, admin = small
    li, ids = filled(store, admin)
    li.attach("site", ids["gone"], "more.png", PNG + b"more")
    second = two(store, admin)
    rules(tmp_path, **ALL)
    first, other = (desk.make_token("t", timedelta(days=1)).token for desk in (admin, second))
    output = tmp_path / "certificate.json"
    arguments = [
        place, str(tmp_path / "files"), first, other, str(tmp_path / "keys"), str(tmp_path / "rules.toml"),
        str(output), where,
    ]  # fmt: skip
    store.engine.dispose()
    ran = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True)
    assert ran.returncode == -9, ran.stderr
    assert not output.exists()
    with open_store(place, files=tmp_path / "files") as again:
        admin, second = again.desk(first), again.desk(other)
        assert admin.verify_audit(with_records=True).whole
        assert (ids["gone"] not in there(again, "site")) is gone
        if not gone:
            assert len(kept_files(tmp_path)) == 3
        known = read_erasure_rules(tmp_path / "rules.toml")
        made = erasure.erase(again, admin, second, known, now(), keys, output)
        assert {one["register"]: one["erased"] for one in made.registers}["site"] == 1
        assert made.files == 2
        assert len(kept_files(tmp_path)) == 1
        assert there(again, "site") == {ids["open"]}
        assert on_disk(again, (f"{ids['gone']}\x00never",)) == []
        erasure.check_erasure(erasure.read_erasure_certificate(output), keys)
        assert admin.verify_audit(with_records=True).whole
        # and the next one finds nothing more
        after = erasure.erase(again, admin, second, known, now(), keys)
        assert sum(one["erased"] for one in after.registers) == 0
        assert after.entry > made.entry


def test_the_digest_of_a_certificate_is_of_the_rows(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("find", {"category": "c", "found_at": datetime(2020, 1, 1, tzinfo=UTC), "description": WHO})
    table = registers["find"]
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(table).where(table.c.id == made.id)).one()
    plain = [
        int(value.timestamp() * 1000 + 0.5) if isinstance(value, datetime)
        else value.hex() if isinstance(value, bytes) else value
        for value in row
    ]  # fmt: skip
    found = erasure.erase(store, admin, two(store, admin), rules(tmp_path, find=ALL["find"]), now(), keys)
    assert found.records_digest == records_digest([("find", *plain)], keys, keys.active.name)


def test_files_and_holds_that_come_in_meanwhile_are_with_their_record_or_refused(
    small: tuple[Store, Desk], tmp_path: Path, keys: FieldKeys
) -> None:
    store, admin = small
    li = region(store, admin)
    second = two(store, admin)
    ids = [li.add("site", site(number, status="closed")).id for number in range(12)]
    begun, held = threading.Event(), set()

    def work() -> None:
        for number, one in enumerate(ids):
            with suppress(NotFoundError):
                li.attach("site", one, "a.png", PNG + str(number).encode())
                if number % 3 == 0:
                    li.hold("site", one, "asked for")
                    held.add(one)
            begun.set()

    writer = threading.Thread(target=work)
    writer.start()
    begun.wait(20)
    known = rules(tmp_path, site=ALL["site"])
    for _ in range(3):
        erasure.erase(store, admin, second, known, now(), keys)
    writer.join()
    left = there(store, "site")
    assert held <= left
    assert {record["about"] for record in li.every("attachment")} <= left
    assert len(kept_files(tmp_path)) == len(list(li.every("attachment")))
    assert admin.verify_audit(with_records=True).whole


@pytest.mark.parametrize("kind", HOLDING_STATES)
def test_states_that_hold_are_states_a_record_can_reach(kind: str) -> None:
    column = register_columns(kind)[state_column(kind)]
    assert set(HOLDING_STATES[kind]) <= set(column.choices)
