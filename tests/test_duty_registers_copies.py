"""Duty rooms in backups, restores, exports, erasures and upgrades, on both databases."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from duty_cases import roster_folder
from registers_cases import (  # noqa: F401
    cheap_hashes,
    new_database,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.duty.room import answer_call, check_in, duty_now, escalate, hand_over, open_call, receive
from changtong.errors import NotFoundError
from changtong.privacy.key_file import new_keys
from changtong.rights.scope import Scope
from changtong.storage.backup import make_backup, restore
from changtong.storage.erasure import check_erasure, erase, try_erasure
from changtong.storage.erasure_rules import read_erasure_rules
from changtong.storage.export import export_all
from changtong.storage.personal_search import find_in_registers
from changtong.storage.rows import now
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store, open_store, upgrade_store
from changtong.storage.table_rows import rows_of
from changtong.workforce_records.room_register import (
    list_rosters,
    make_room,
    open_register_room,
    put_roster,
)

CITY = Scope(region="440300")
BEGIN = datetime(2026, 3, 2, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
KINDS = ("duty_room", "duty_roster", "duty_entry")


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


@pytest.fixture
def hall(small: tuple[Store, Desk], tmp_path: Path) -> tuple[Store, Desk, Desk, Desk]:  # noqa: F811
    """A room with two rosters, a check-in, a note received, a call answered and one that is not."""
    store, admin = small
    li, wu = (person(store, admin, name, "spb-sz", ("duty_officer", CITY)) for name in ("li", "wu"))
    make_room(li, "防汛值班室", room_id="hall")
    put_roster(li, "hall", roster_folder(tmp_path / "roster"), reason="March")
    put_roster(li, "hall", roster_folder(tmp_path / "later", ("wu", "li", "wu")), since=date(2026, 3, 4))
    with open_register_room(li, "hall", writes=True) as one:
        check_in(one.rosters, one.log, "li", at(3), one.by)
        hand_over(one.log, "n1", one.by, at(600), ["泵未修"], ["水位"])
        open_call(one.rosters, one.log, "17", "water", "flood", one.by, at(700))
        open_call(one.rosters, one.log, "18", "more water", "flood", one.by, at(800))
    with open_register_room(wu, "hall", writes=True) as one:
        receive(one.log, "n1", one.by, at(610))
        answer_call(one.log, "17", one.by, at(707))
    return store, admin, li, wu


def seen(desk: Desk) -> list[Any]:
    """Return all that a room shows: who is on each day, who is due, its entries, its rosters."""
    with open_register_room(desk, "hall", writes=False) as one:
        entries = one.log.entries()
        days = [duty_now(one.rosters, entries, at(1440 * k + 60)) for k in range(3)]
        return [days, escalate(one.rosters, entries, at(900)), entries, list_rosters(desk, "hall")]


def rows(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.engine.connect() as connection:
        return {kind: list(rows_of(connection, registers[kind])) for kind in KINDS}


@pytest.mark.parametrize("other", [False, True], ids=["same database", "other database"])
def test_a_restored_room_shows_what_it_showed_and_goes_on(
    hall: tuple[Store, Desk, Desk, Desk], tmp_path: Path, other: bool, request: pytest.FixtureRequest
) -> None:
    store, admin, li, _ = hall
    before, shown = rows(store), seen(li)
    assert [len(before[kind]) for kind in KINDS] == [1, 2, 6]
    make_backup(store, admin, tmp_path / "copy")
    if (store.engine.dialect.name == "sqlite") != other:
        again = str(tmp_path / "again.sqlite")
    else:
        again = new_database(request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}")
    _, check = restore(tmp_path / "copy", again, files=tmp_path / "again.files")
    assert check.whole
    with open_store(again, files=tmp_path / "again.files") as opened:
        assert rows(opened) == before
        same = opened.desk(li._token)
        assert seen(same) == shown
        with open_register_room(same, "hall", writes=True) as one:
            # the call that was answered is answered still, the other one is free
            assert answer_call(one.log, "17", one.by, at(900)).by == "wu"
            assert answer_call(one.log, "18", one.by, at(900)).mine
        put = put_roster(same, "hall", roster_folder(tmp_path / "third", ("he",)), since=date(2026, 3, 2))
        assert put["roster"] == 3
        assert opened.desk(admin._token).verify_audit(with_records=True).whole
    assert seen(li) == shown


def test_an_export_has_the_room_without_the_people_of_its_rosters(
    hall: tuple[Store, Desk, Desk, Desk], tmp_path: Path
) -> None:
    store, admin, _, _ = hall
    counts = export_all(store, admin, tmp_path / "open", reason="a copy", format="jsonl")
    assert [counts[name] for name in ("duty_rooms", "duty_rosters", "duty_entries")] == [1, 2, 6]
    text = "".join(file.read_text("utf-8") for file in (tmp_path / "open").iterdir())
    assert "泵未修" in text
    assert "王li" not in text
    lines = (tmp_path / "open" / "duty_rosters.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["since_day"] for line in lines] == [None, "2026-03-04"]
    export_all(store, admin, tmp_path / "all", reason="a court asks", format="jsonl", personal=True)
    assert "王li" in (tmp_path / "all" / "duty_rosters.jsonl").read_text("utf-8")
    found = find_in_registers(store, admin)
    declared = {(one["table"], one["column"]): one["values"] for one in found.declared.to_dicts()}
    assert declared["duty_rosters", "content"] == 2
    assert not [one for one in found.finds["table"].to_list() if one.startswith("duty_")]


def rules(tmp_path: Path, since: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    text = "".join(
        f'[{kind}]\nname_zh = "x"\nbasis = "made up"\nprovenance = "synthetic"\nsource = "made up"\n'
        f'since = "{column}"\ndelete_after_days = {days}\n'
        for kind, (column, days) in since.items()
    )
    (tmp_path / "rules.toml").write_text(text, "utf-8")
    return read_erasure_rules(tmp_path / "rules.toml")


ALL = {"duty_room": ("opened_at", 0), "duty_roster": ("in_force_at", 0), "duty_entry": ("at", 0)}


def test_a_room_is_erased_whole_and_leaves_nothing_in_the_tables(
    hall: tuple[Store, Desk, Desk, Desk], tmp_path: Path
) -> None:
    store, admin, li, _ = hall
    second = person(store, admin, "bo", "spb", ("administrator", Scope()))
    keys, known = new_keys(tmp_path / "keys"), rules(tmp_path, ALL)
    tried = try_erasure(store, admin, known, now())
    assert {one["register"]: (one["erased"], one["left"]) for one in tried.registers} == {
        "duty_room": (1, 0), "duty_roster": (2, 0), "duty_entry": (6, 0),
    }  # fmt: skip
    made = erase(store, admin, second, known, now(), keys)
    check_erasure(made, keys)
    assert {one["register"]: one["erased"] for one in made.registers} == {
        "duty_room": 1, "duty_roster": 2, "duty_entry": 6,
    }  # fmt: skip
    assert [len(found) for found in rows(store).values()] == [0, 0, 0]
    with pytest.raises(NotFoundError):
        seen(li)
    if store.engine.dialect.name == "sqlite":
        raw = Path(str(store.engine.url.database).removeprefix("file://").partition("?")[0])
        for word in ("王li", "泵未修", "more water"):
            assert word.encode() not in raw.read_bytes()
    assert admin.verify_audit(with_records=True).whole
    # the id may be used again, and the audit knows both
    make_room(li, "防汛值班室", room_id="hall")
    assert put_roster(li, "hall", tmp_path / "roster")["roster"] == 1
    assert admin.verify_audit(with_records=True).whole


def test_what_is_old_goes_by_retention_and_the_room_works_on(
    hall: tuple[Store, Desk, Desk, Desk], tmp_path: Path
) -> None:
    store, admin, li, wu = hall
    second = person(store, admin, "bo", "spb", ("administrator", Scope()))
    keys = new_keys(tmp_path / "keys")
    # what was entered before the answer at 707 minutes; the first roster, older than the second
    with store.engine.connect() as connection:
        table = registers["duty_roster"]
        put = connection.execute(sa.select(table.c.in_force_at).order_by(table.c.number)).scalars().all()
    known = rules(tmp_path, {"duty_entry": ("at", 30)})
    made = erase(store, admin, second, known, at(705) + timedelta(days=30), keys)
    assert made.registers[0]["erased"] == 4
    left = [one.key for one in seen(li)[2]]
    assert left == ["call/18", "answer/17"]
    held = try_erasure(store, admin, rules(tmp_path, {"duty_room": ("opened_at", 0)}), now())
    assert held.registers[0]["held"] == {"referred_to": 1}
    known = rules(tmp_path, {"duty_roster": ("in_force_at", 0)})
    made = erase(store, admin, second, known, put[1], keys)
    assert made.registers[0]["erased"] == 1
    assert [one["roster"] for one in list_rosters(li, "hall")] == [2]
    with open_register_room(wu, "hall", writes=True) as one:
        # the days of the roster that is erased have none any more; a call goes by what there is
        assert duty_now(one.rosters, (), at(60)) == ()
        assert [row.assignment.person_id for row in duty_now(one.rosters, (), at(2940))] == ["wu"]
        assert [due.call_id for due in escalate(one.rosters, one.log.entries(), at(900))] == ["18"]
        hand_over(one.log, "n2", one.by, at(2000), ["x"], [])
        # the key of an entry that was erased is free again
        hand_over(one.log, "n1", one.by, at(2010), ["y"], [])
    assert {row["n"]: row["key"] for row in rows(store)["duty_entry"]} == {
        4: "call/18", 6: "answer/17", 7: "hand_over/n2", 8: "hand_over/n1",
    }  # fmt: skip
    assert put_roster(li, "hall", tmp_path / "roster", since=date(2026, 3, 2))["roster"] == 3
    assert admin.verify_audit(with_records=True).whole


def test_a_hold_on_an_entry_holds_its_room_and_what_else_there_is_goes(
    hall: tuple[Store, Desk, Desk, Desk], tmp_path: Path
) -> None:
    store, admin, li, _ = hall
    second = person(store, admin, "bo", "spb", ("administrator", Scope()))
    call = next(one for one in rows(store)["duty_entry"] if one["key"] == "call/17")
    held = li.hold("duty_entry", call["id"], "an inquiry")
    keys, known = new_keys(tmp_path / "keys"), rules(tmp_path, ALL)
    made = erase(store, admin, second, known, now(), keys)
    told = {one["register"]: (one["erased"], one["held"]) for one in made.registers}
    assert told == {
        "duty_room": (0, {"hold": 1}), "duty_roster": (2, {}), "duty_entry": (5, {"hold": 1}),
    }  # fmt: skip
    assert [row["key"] for row in rows(store)["duty_entry"]] == ["call/17"]
    admin.lift(held, "ended")
    erase(store, admin, second, known, now(), keys)
    assert [len(found) for found in rows(store).values()] == [0, 0, 0]
    assert admin.verify_audit(with_records=True).whole


def test_rooms_of_version_0007_come_forward_with_their_rosters(
    hall: tuple[Store, Desk, Desk, Desk],
    place: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    store, admin, li, _ = hall
    # a roster put by 0007 had no first day of its own: it was in force from its first one
    second = person(store, admin, "bo", "spb", ("administrator", Scope()))
    known = rules(tmp_path, {"duty_roster": ("in_force_at", 0)})
    erase(store, admin, second, known, now(), new_keys(tmp_path / "keys"))
    put_roster(li, "hall", tmp_path / "roster")
    shown = seen(li)
    with store.engine.begin() as connection:
        for later in ("data_requests", "issued_entries", "issued_orders", "issued_plans"):  # of 0009, 0010
            connection.execute(sa.text(f"DROP TABLE {later}"))
        connection.execute(sa.text("ALTER TABLE duty_rosters DROP COLUMN since_day"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0007'"))
    upgrade_store(place)
    with open_store(place, files=tmp_path / "files") as again:
        assert again.desk(admin._token).verify_audit(with_records=True).whole
        assert seen(again.desk(li._token)) == shown
        assert [row["since_day"] for row in rows(again)["duty_roster"]] == [None]
