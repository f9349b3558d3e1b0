"""Registers behind their doorway, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import json
import logging
import multiprocessing
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from registers_cases import (  # noqa: F401
    ADMIN,
    OWN,
    SOON,
    WORDS,
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
    write_some,
)

from changtong.errors import ChangtongError, ConflictError, DeniedError, InputError, NotFoundError, UsageError
from changtong.privacy.mask_rules import KINDS
from changtong.rights.decide import Target, decide
from changtong.rights.scope import Scope
from changtong.storage import engine as engine_module
from changtong.storage.definitions import LEDGER_KEYS, REGISTERS, register_columns, state_changes
from changtong.storage.migrate import newest_version, version_of
from changtong.storage.pages import Query
from changtong.storage.people import NewOrganisation
from changtong.storage.rows import new_id, now
from changtong.storage.schema import metadata, registers
from changtong.storage.store import Desk, Store, create_store, open_store


def test_the_schema_is_the_one_the_program_expects(place: str) -> None:
    create_store(place, "admin", ADMIN, NewOrganisation("国家邮政局", "nation", "000000")).close()
    with open_store(place) as store, store.engine.connect() as connection:
        assert version_of(connection) == newest_version()
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_definitions_are_consistent() -> None:
    for kind in REGISTERS:
        columns = register_columns(kind)
        assert LEDGER_KEYS[kind] in (*columns, "created_at")
        for name, column in columns.items():
            assert column.references in ("", "user", *REGISTERS)
            assert not column.default or not column.choices or column.default in column.choices
            assert column.description, (kind, name)
            assert column.description.endswith("."), (kind, name)
            assert column.mask in ("", *KINDS)
    for kind, old, new in state_changes():
        assert {old, new} <= set(register_columns(kind)["state"].choices)


def test_a_record_is_added_shown_changed_and_on_record(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1, contact_name="王小明", contact_phone="13800000000"), organisation="sd-ns")
    assert (made.version, made.admin_code, made.path) == (1, "440305", "/sd/sd-gd/sd-sz/sd-ns/")
    assert set(made.hidden) == {"contact_name", "contact_phone"}
    assert (made["contact_name"], made["contact_phone"]) == ("王**", "138******00")
    found = li.add("hazard", hazard(site=made.id, grade="major"))
    assert (found.organisation, found.admin_code) == ("sd-ns", "440305")
    after = li.change("hazard", found.id, 1, {"state": "rectifying"}, reason="told by phone")
    assert (after.version, after["state"], after.created_at) == (2, "rectifying", found.created_at)
    assert li.get("hazard", found.id) == after
    shown = li.reveal("site", made.id, "calling about hazard 1")
    assert shown["contact_phone"] == "13800000000"
    entries = admin.audit_entries("site", made.id)
    assert [entry["action"] for entry in entries] == ["add", "reveal"]
    assert entries[1]["reason"] == "calling about hazard 1"
    assert not any("13800000000" in str(entry) or "王小明" in str(entry) for entry in entries)
    changes = json.loads(admin.audit_entries("hazard", found.id)[1]["detail"])
    assert changes["values"]["state"] == ["open", "rectifying"]
    assert admin.verify_audit(with_records=True).whole


def test_a_change_that_changes_nothing_is_none(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1), organisation="sd-ns")
    assert li.change("site", made.id, 1, {"name": "网点 1"}).version == 1


def test_who_read_an_old_version_overwrites_nothing(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li, wu = region(store, admin), region(store, admin, "wu")
    made = li.add("site", site(1), organisation="sd-ns")
    wu.change("site", made.id, 1, {"name": "new name"})
    with pytest.raises(ConflictError) as caught:
        li.change("site", made.id, 1, {"name": "another name"})
    assert caught.value.code == "conflict"
    assert caught.value.wanted == {"name": "another name"}
    assert (caught.value.current.version, caught.value.current["name"]) == (2, "new name")  # type: ignore[attr-defined]
    assert li.get("site", made.id)["name"] == "new name"


def test_every_problem_of_the_values_is_told_at_once_and_none_quoted(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    wrong = {
        "title": 5,
        "deadline": "tomorrow",
        "grade": "huge",
        "escalation": 77,
        "colour": "red",
        "owner_name": "王\0",
    }
    with pytest.raises(InputError) as caught:
        li.add("hazard", wrong)
    told = {(problem.code, problem.column) for problem in caught.value.problems}
    assert told == {
        ("bad-value", "title"),
        ("bad-value", "deadline"),
        ("bad-value", "grade"),
        ("bad-value", "escalation"),
        ("unknown-attribute", "colour"),
        ("bad-value", "owner_name"),
        ("missing-value", "found_at"),
    }
    assert "王" not in str(caught.value)
    assert "huge" not in str(caught.value)
    naive = datetime(2026, 1, 1)
    for bad in (naive, "2026-01-01T00:00", True, 5):
        with pytest.raises(InputError):
            li.add("hazard", hazard(deadline=bad))
    for bad in (float("nan"), 91, "5", True):
        with pytest.raises(InputError):
            li.add("site", site(1, lat=bad))
    with pytest.raises(InputError):
        li.add("site", site(1, details={"x": float("inf")}))


def test_references_lead_to_what_one_may_see(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    bj = person(store, admin, "bei", "spb-bj", ("duty_officer", Scope(region="110000")))
    there = bj.add("site", site("B"), organisation="spb-bj")
    for value in ("nothing", there.id):
        with pytest.raises(InputError, match="unknown-reference"):
            li.add("hazard", hazard(site=value))
    with pytest.raises(InputError, match="unknown-reference"):
        li.add("hazard", hazard(owner="nobody"))
    with pytest.raises(InputError, match="unknown-reference"):
        li.add("hazard", hazard(), organisation="nothing")


def test_ids_made_on_a_phone_come_in_once(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    mine = new_id()
    li.add("hazard", hazard(), record_id=mine)
    with pytest.raises(InputError, match="duplicate-record"):
        li.add("hazard", hazard(), record_id=mine)
    li.add("site", site(1))
    with pytest.raises(InputError, match="duplicate-record"):
        li.add("site", site(1))
    for bad in ("", "a b", "../x", "x" * 65, "é"):
        with pytest.raises(InputError, match="bad-value"):
            li.add("hazard", hazard(), record_id=bad)


def test_states_go_their_ways_only_and_others_decide(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    outlet = person(store, admin, "ns", "sd-ns", ("inspector", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    made = li.add("hazard", hazard(), organisation="sd-ns")
    with pytest.raises(InputError, match="bad-state"):
        outlet.change("hazard", made.id, 1, {"state": "closed"})
    made = outlet.change("hazard", made.id, 1, {"state": "rectified", "evidence": ["photo"]})
    with pytest.raises(InputError, match="bad-state"):
        outlet.change("hazard", made.id, made.version, {"deadline": SOON + timedelta(days=9)})
    with pytest.raises(DeniedError, match="own-organisation"):
        outlet.change("hazard", made.id, made.version, {"state": "closed"})
    with pytest.raises(InputError, match="bad-state"):
        li.change("hazard", made.id, made.version, {"state": "closed", "title": "nothing at all"})
    made = li.change("hazard", made.id, made.version, {"state": "closed", "recheck_result": "guard seen"})
    assert made["state"] == "closed"
    with pytest.raises(InputError, match="bad-state"):
        li.add("hazard", hazard(state="closed"))


def test_what_is_not_allowed_is_refused_and_on_record(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    viewer = person(store, admin, "wei", "sd-ns", ("viewer", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    made = li.add("site", site(1, contact_name="王小明"), organisation="sd-ns")
    assert viewer.get("site", made.id)["name"] == "网点 1"
    with pytest.raises(DeniedError) as caught:
        viewer.change("site", made.id, 1, {"name": "x"})
    assert caught.value.code == "not-allowed"
    with pytest.raises(DeniedError):
        viewer.reveal("site", made.id, "curious")
    with pytest.raises(UsageError, match="why"):
        li.reveal("site", made.id, " ")
    with pytest.raises(DeniedError):
        viewer.page("inspection")
    with pytest.raises(DeniedError):
        admin.add("site", site(2))
    with pytest.raises(DeniedError):
        li.verify_audit()
    assert [entry["action"] for entry in admin.audit_entries("site", made.id)] == [
        "add",
        "refused:change",
        "refused:reveal",
    ]
    with pytest.raises(NotFoundError):
        viewer.get("site", li.add("site", site(3), organisation="fc-ft").id)
    assert admin.verify_audit().whole


def test_a_right_taken_back_ends_at_once(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    li.add("site", site(1))
    for grant in admin.grants("li"):
        admin.take_back(str(grant["id"]), "left")
    with pytest.raises(DeniedError):
        li.add("site", site(2))
    with pytest.raises(DeniedError):
        li.page("site")


def fill(store: Store, admin: Desk, many: int = 60) -> list[str]:
    """Add sites and hazards of every organisation; return the organisations."""
    worker = person(store, admin, "all", "spb", ("duty_officer", Scope()))
    owners = ["spb", "spb-gd", "spb-sz", "spb-bj", "sd", "sd-gd", "sd-sz", "sd-ns", "fc", "fc-ft"]
    chance = random.Random(4)
    for number in range(many):
        owner = owners[number % len(owners)]
        worker.add("site", site(f"{number:03d}"), organisation=owner)
        deadline = SOON + timedelta(days=chance.randrange(8))  # many are equal: the id decides
        worker.add("hazard", hazard(deadline=deadline), organisation=owner)
    return owners


@pytest.mark.parametrize("limit", [4, 500])
def test_pages_hold_each_record_once_in_order_and_what_is_decided_one_by_one(
    small: tuple[Store, Desk], limit: int
) -> None:
    store, admin = small
    fill(store, admin)
    wanted = {
        "everything": ("spb", [Scope()]),
        "province": ("spb-gd", [Scope(region="440000")]),
        "city": ("spb-sz", [Scope(region="440300")]),
        "county": ("spb-sz", [Scope(region="440305")]),
        "firm": ("sd", [Scope("/sd/")]),
        "branch": ("sd-gd", [Scope("/sd/sd-gd/")]),
        "franchise": ("sd-sz", [Scope("/sd/sd-gd/sd-sz/")]),
        "firm in the city": ("sd", [Scope("/sd/", "440300")]),
        "two": ("spb", [Scope(region="440304"), Scope("/sd/sd-gd/")]),
        "three that overlap": ("spb", [Scope(region="440300"), Scope("/sd/sd-gd/"), Scope("/spb/spb-gd/")]),
    }
    sizes = {}
    for number, (name, (organisation, scopes)) in enumerate(wanted.items()):
        desk = person(store, admin, f"v{number}", organisation, *[("viewer", scope) for scope in scopes])
        with store.engine.connect() as connection, desk.work(writes=False) as work:
            who = work.person
            for kind in ("site", "hazard"):
                rows = connection.execute(sa.select(registers[kind])).mappings().all()
                key = LEDGER_KEYS[kind]
                mine = [
                    r
                    for r in rows
                    if decide(who, "view", Target(kind, r["path"], r["admin_code"]), now()).allowed
                ]
                mine.sort(key=lambda r: (r[key], r["id"]), reverse=kind == "hazard")
                seen = desk.every(kind, Query(limit=limit, newest_first=kind == "hazard"))
                assert [record.id for record in seen] == [row["id"] for row in mine], name
                sizes[name] = len(mine)
    assert sizes["everything"] == 60
    assert 0 < sizes["firm in the city"] < sizes["firm"] < 60


def test_pages_are_filtered_by_columns_and_time(small: tuple[Store, Desk]) -> None:
    store, admin = small
    fill(store, admin)
    desk = person(store, admin, "v", "spb", ("viewer", Scope()))
    some = list(desk.every("hazard", Query(where={"organisation": ["sd", "fc"], "state": "open"})))
    assert {record.organisation for record in some} == {"sd", "fc"}
    early = list(desk.every("hazard", Query(until=SOON + timedelta(days=3))))
    late = list(desk.every("hazard", Query(since=SOON + timedelta(days=3))))
    assert len(early) + len(late) == 60
    assert max(r["deadline"] for r in early) < min(r["deadline"] for r in late)
    for bad in (
        Query(limit=0),
        Query(limit=501),
        Query(after="x"),
        Query(after="WzEsIDJd"),
        Query(where={"owner_name": "x"}),
        Query(where={"evidence": "x"}),
        Query(where={"1=1; --": "x"}),
        Query(since=datetime(2026, 1, 1)),
    ):
        with pytest.raises(UsageError):
            desk.page("hazard", bad)
    with pytest.raises(UsageError) as caught:
        desk.page("hazards")
    assert caught.value.code == "unknown-register"
    assert desk.page("site", Query(where={"name": "' OR 1=1 --"})).records == ()


@pytest.mark.slow
def test_writers_at_once_lose_nothing(small: tuple[Store, Desk], place: str) -> None:
    store, admin = small
    li = region(store, admin)
    shared = li.add("site", site(1))
    start = multiprocessing.get_context("spawn")
    done = start.Queue()
    workers, rounds = 4, 12
    many = [
        start.Process(target=write_some, args=(place, li._token, shared.id, rounds, done))
        for _ in range(workers)
    ]
    for worker in many:
        worker.start()
    for worker in many:
        worker.join(120)
        assert worker.exitcode == 0
    assert li.get("site", shared.id)["details"] == {"count": workers * rounds}
    assert li.get("site", shared.id).version == workers * rounds + 1
    assert len(list(li.every("hazard"))) == workers * rounds
    assert admin.verify_audit(with_records=True).whole


WRITER = """
import sys
import threading
from datetime import UTC, datetime
from changtong.storage.store import open_store
place, token = sys.argv[1:]
desk = open_store(place).desk(token)
number = 0
while True:
    made = desk.add("hazard", {"title": "t", "deadline": datetime.now(UTC), "found_at": datetime.now(UTC)})
    desk.change("hazard", made.id, 1, {"state": "rectifying"})
    number += 1
    print(number, made.id, flush=True)
"""


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_the_last_good_state(
    small: tuple[Store, Desk], place: str
) -> None:
    store, admin = small
    li = region(store, admin)
    chance = random.Random(9)
    told: list[str] = []
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, place, li._token],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        told.append(child.stdout.readline().split()[1])
        time.sleep(chance.uniform(0.0, 0.3))
        child.send_signal(signal.SIGKILL)
        told += [line.split()[1] for line in child.stdout.read().splitlines() if len(line.split()) == 2]
        child.wait(30)
        child.stdout.close()
        with open_store(place) as opened:
            desk = opened.desk(li._token)
            kept = {record.id: record for record in desk.every("hazard")}
            # what was told to be written is there, and nothing is there by half
            whole = [record for record in kept.values() if record["state"] == "rectifying"]
            assert {record.id for record in whole} >= {i for i in told if len(i) == 26}
            assert len(kept) - len(whole) <= len(told)
            assert admin.verify_audit(with_records=True).whole


def test_no_secret_is_in_a_repr_an_error_or_a_log(
    small: tuple[Store, Desk], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    store, admin = small
    with caplog.at_level(logging.DEBUG):
        li = region(store, admin)
        session = store.sign_in("admin", ADMIN)
        shown = [
            repr(li),
            repr(store),
            repr(session),
            str(session),
            repr(li.add("site", site(1, contact_name="王小明"))),
        ]
        try:
            store.sign_in("admin", "wrong horse battery wrong")
        except ChangtongError as error:
            shown.append(repr(error) + str(error))
    text = "\n".join([*shown, caplog.text])
    for secret in (session.token, li._token, ADMIN, "wrong horse", "王小明", "$argon2"):
        assert secret not in text
    url = "postgresql://someone:hidden-word@127.0.0.1:1/none"
    with pytest.raises(ChangtongError) as caught:
        open_store(url)
    assert "hidden-word" not in repr(caught.value) + str(caught.value)
    assert caught.value.code == "no-registers"
    assert "hidden-word" not in engine_module.shown_place(url)
    with pytest.raises(UsageError) as bad:
        open_store("postgresql://someone:hidden-word@[/")
    assert "hidden-word" not in str(bad.value)


def test_registers_that_are_there_are_left_as_they_are(small: tuple[Store, Desk], place: str) -> None:
    with pytest.raises(UsageError) as caught:
        create_store(place, "other", ADMIN, NewOrganisation("国家邮政局", "nation", "000000"))
    assert caught.value.code == "registers-exist"


def test_what_is_no_register_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(tmp_path / "nothing.sqlite")
    assert caught.value.code == "no-registers"
    (tmp_path / "text.sqlite").write_text("hello " * 1000)
    with pytest.raises(InputError, match="damaged-registers"):
        open_store(tmp_path / "text.sqlite")
    (tmp_path / "empty.sqlite").write_bytes(b"")
    with pytest.raises(UsageError) as empty:
        open_store(tmp_path / "empty.sqlite")
    assert empty.value.code == "no-registers"


def test_set_up_fails_whole(place: str) -> None:
    def make(organisation: NewOrganisation, password: str = ADMIN) -> None:
        create_store(place, "admin", password, organisation).close()

    cases: list[tuple[Callable[[], None], str]] = [
        (lambda: make(NewOrganisation("x", "nation", "000000"), "short"), "weak-password"),
        (lambda: make(NewOrganisation("x", "outlet", "440305")), "bad-organisation"),
        (lambda: make(NewOrganisation("x", "kingdom", "440305")), "bad-organisation"),
        (lambda: make(NewOrganisation("x", "nation", "44")), "bad-value"),
        (lambda: make(NewOrganisation(" ", "nation", "440000")), "missing-value"),
    ]
    for call, code in cases:
        with pytest.raises(InputError, match=code):
            call()
    make(NewOrganisation("x", "nation", "000000"))


def test_two_who_add_the_same_id_at_once_add_it_once(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    said: list[str] = []
    ready = threading.Barrier(6)

    def add() -> None:
        ready.wait()
        try:
            li.add("hazard", hazard(), record_id="from-a-phone")
            said.append("added")
        except InputError as error:
            said.append(error.problems[0].code)

    many = [threading.Thread(target=add) for _ in range(6)]
    for one in many:
        one.start()
    for one in many:
        one.join()
    assert sorted(said) == ["added"] + ["duplicate-record"] * 5
    assert admin.verify_audit(with_records=True).whole
