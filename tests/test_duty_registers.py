"""Duty rooms in the registers: as in a folder, under rights, on the audit; a call is answered once."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from duty_cases import roster_folder
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.duty.room import (
    answer_call,
    check_in,
    duty_now,
    escalate,
    hand_over,
    hand_overs,
    open_call,
    receive,
)
from changtong.duty.room_log import OpenRoom, open_folder_room
from changtong.errors import DeniedError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store
from changtong.workforce_records.room_register import (
    entry_id,
    list_rooms,
    make_room,
    open_register_room,
    put_roster,
)

CITY = Scope(region="440300")
CHINA = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2026, 3, 2, 8, tzinfo=CHINA)


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def officers(store: Store, admin: Desk, *names: str) -> dict[str, Desk]:
    return {name: person(store, admin, name, "spb-sz", ("duty_officer", CITY)) for name in names}


@pytest.fixture
def room(small: tuple[Store, Desk], tmp_path: Path) -> tuple[Store, Desk, dict[str, Desk]]:  # noqa: F811
    store, admin = small
    desks = officers(store, admin, "li", "wu")
    make_room(desks["li"], "防汛值班室", room_id="hall")
    put_roster(desks["li"], "hall", roster_folder(tmp_path / "roster"), reason="March")
    return store, admin, desks


def sequence(open_as: Any) -> list[Any]:
    """Do the same things in a room; return every answer, errors with their code."""
    said: list[Any] = []

    def do(who: str, what: Any, *, writes: bool = True) -> None:
        try:
            with open_as(who, writes) as opened:
                said.append(what(opened))
        except (InputError, NotFoundError) as error:
            said.append(str(error))

    def come(minutes: float) -> Any:
        return lambda one: check_in(one.folder, one.rows, one.log, one.person_id, at(minutes), one.by)

    do("li", come(12))
    do("li", come(60))
    do("wu", come(60))
    do("li", lambda one: hand_over(one.log, "n1", one.by, at(600), ["泵未修"], ["水位"]))
    do("wu", lambda one: hand_over(one.log, "n1", one.by, at(610), ["x"], []))
    do("li", lambda one: receive(one.log, "n1", one.by, at(620)))
    do("wu", lambda one: receive(one.log, "n1", one.by, at(620)))
    do("li", lambda one: receive(one.log, "n1", one.by, at(630)))
    do("wu", lambda one: open_call(one.folder, one.log, "17", "water", "flood", one.by, at(700)))
    do("wu", lambda one: open_call(one.folder, one.log, "18", "water", "fire", one.by, at(700)))
    do("wu", lambda one: answer_call(one.log, "99", one.by, at(700)))
    do("wu", lambda one: answer_call(one.log, "17", one.by, at(690)))
    do("li", lambda one: escalate(one.folder, one.rows, one.log.entries(), at(706)), writes=False)
    do("li", lambda one: answer_call(one.log, "17", one.by, at(707)))
    do("wu", lambda one: answer_call(one.log, "17", one.by, at(708)))
    do("wu", lambda one: duty_now(one.folder, one.rows, one.log.entries(), at(710)), writes=False)
    do("wu", lambda one: hand_overs(one.log.entries()), writes=False)
    do("wu", lambda one: one.log.entries(), writes=False)
    return said


def test_a_room_in_the_registers_answers_as_one_in_a_folder(
    room: tuple[Store, Desk, dict[str, Desk]],
    tmp_path: Path,
) -> None:
    _, admin, desks = room
    there = sequence(lambda who, writes: open_register_room(desks[who], "hall", writes=writes))

    class Folder:
        def __init__(self, who: str, _: bool) -> None:
            self.opened = open_folder_room(tmp_path / "room", who, tmp_path / "roster")

        def __enter__(self) -> OpenRoom:
            return self.opened

        def __exit__(self, *_: object) -> None:
            pass

    here = sequence(Folder)
    assert there == here
    assert [type(one) for one in here].count(str) == 7  # the refusals are refusals in both
    assert len(here[-1]) == 5
    assert admin.verify_audit(with_records=True).whole
    assert [one["action"] for one in admin.audit_entries("duty_entry", entry_id("hall", "answer/17"))] == [
        "add"
    ]


def test_who_acts_is_who_is_signed_in_and_may(room: tuple[Store, Desk, dict[str, Desk]]) -> None:
    store, admin, desks = room
    viewer = person(store, admin, "vi", "spb-sz", ("viewer", CITY))
    inspector = person(store, admin, "ins", "spb-sz", ("inspector", CITY))
    elsewhere = person(store, admin, "bei", "spb-bj", ("duty_officer", Scope(region="110000")))
    firm = person(store, admin, "ning", "sd-ns", ("duty_officer", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    with open_register_room(desks["li"], "hall", writes=True) as one:
        open_call(one.folder, one.log, "1", "water", "flood", one.by, BEGIN)
    for desk in (elsewhere, firm):
        with pytest.raises(NotFoundError), open_register_room(desk, "hall", writes=False):
            pass
        assert list_rooms(desk) == []
    assert [one["room"] for one in list_rooms(viewer)] == ["hall"]
    with pytest.raises(DeniedError), open_register_room(viewer, "hall", writes=False):
        pass
    with pytest.raises(DeniedError), open_register_room(inspector, "hall", writes=True):
        pass
    with open_register_room(inspector, "hall", writes=False) as one:
        assert [entry.by for entry in one.log.entries()] == ["li"]
    with pytest.raises(DeniedError):
        make_room(inspector, "mine")
    with pytest.raises(DeniedError), open_register_room(admin, "hall", writes=True):
        pass
    with pytest.raises(UsageError, match="not added as such"):
        desks["li"].add("duty_entry", {"key": "x"})
    record = next(iter(desks["li"].every("duty_entry")))
    with pytest.raises(InputError, match="kept-by-ledger"):
        desks["li"].change("duty_entry", record.id, record.version, {"key": "answer/2"})
    tried = admin.audit_entries("duty_entry", "hall")
    assert {one["action"] for one in tried} == {"refused:view", "refused:add"}


def test_rosters_have_versions_and_hide_who_is_in_them(
    room: tuple[Store, Desk, dict[str, Desk]], tmp_path: Path
) -> None:
    _, admin, desks = room
    li = desks["li"]
    made = put_roster(li, "hall", roster_folder(tmp_path / "again", ("wu", "li")))
    assert (made["roster"], made["duties"]) == (2, 2)
    with open_register_room(li, "hall", writes=False) as one:
        assert [row.person_id for row in one.rows] == ["wu", "li"]
    with open_register_room(li, "hall", writes=False, number=1) as one:
        assert [row.person_id for row in one.rows] == ["li", "wu", "he"]
    with (
        pytest.raises(NotFoundError, match="no roster 3"),
        open_register_room(li, "hall", writes=False, number=3),
    ):
        pass
    shown = [str(dict(one.values)) for one in li.every("duty_roster")]
    assert len(shown) == 2
    assert "王" not in "".join(shown)
    number = li.get("duty_room", "hall")["roster"]
    seen = li.reveal("duty_roster", f"hall.{number:06d}", "names for the board")
    assert "王wu" in seen["content"]["duty/people.csv"]
    assert [one["action"] for one in admin.audit_entries("duty_roster", "hall.000002")] == ["add", "reveal"]


def test_what_is_wrong_is_told_and_writes_nothing(
    room: tuple[Store, Desk, dict[str, Desk]], tmp_path: Path
) -> None:
    _, admin, desks = room
    li = desks["li"]
    soon = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(InputError, match="still to come"), open_register_room(li, "hall", writes=True) as one:
        hand_over(one.log, "n", one.by, soon, ["x"], [])
    with pytest.raises(InputError, match="too long"), open_register_room(li, "hall", writes=True) as one:
        hand_over(one.log, "n", one.by, BEGIN, ["x" * 1001], [])
    with pytest.raises(InputError, match="duplicate-record"):
        make_room(li, "again", room_id="hall")
    with pytest.raises(InputError, match="no id"):
        make_room(li, "again", room_id="值班 室")
    with pytest.raises(InputError) as wrong:
        make_room(li, "  ", room_id="x" * 60)
    assert len(wrong.value.problems) == 2
    with pytest.raises(InputError, match="not-a-roster-folder"):
        put_roster(li, "hall", tmp_path)
    with pytest.raises(NotFoundError):
        put_roster(li, "none", tmp_path / "roster")
    make_room(li, "空", room_id="empty")
    with pytest.raises(NotFoundError, match="no roster yet"), open_register_room(li, "empty", writes=False):
        pass
    assert list(li.every("duty_entry")) == []
    assert admin.verify_audit(with_records=True).whole


ANSWERS = """
import json, sys, time
from datetime import datetime
from changtong.duty.room import answer_call
from changtong.storage.store import open_store
from changtong.workforce_records.room_register import open_register_room
place, token, files, calls, begin = sys.argv[1:]
got = []
with open_store(place, files=files) as store:
    desk = store.desk(token)
    while time.time() < float(begin):
        time.sleep(0.001)
    for call in range(int(calls)):
        with open_register_room(desk, "hall", writes=True, needs_roster=False) as one:
            made = answer_call(one.log, str(call), one.by, datetime.fromisoformat("2026-03-02T09:00+08:00"))
        got.append([made.by, made.mine])
print(json.dumps(got))
"""


def test_of_two_processes_that_answer_at_once_exactly_one_has_each_call(
    room: tuple[Store, Desk, dict[str, Desk]],
    place: str,
    tmp_path: Path,  # noqa: F811
) -> None:
    import time

    store, admin, desks = room
    calls = 12
    with open_register_room(desks["li"], "hall", writes=True) as one:
        for call in range(calls):
            open_call(one.folder, one.log, str(call), "water", "flood", one.by, BEGIN)
    begin = str(time.time() + 4)
    given = [place, str(tmp_path / "files"), str(calls), begin]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ANSWERS, given[0], desk._token, *given[1:]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for desk in desks.values()
    ]  # fmt: skip
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    first, second = (json.loads(out) for out, _ in said)
    for (by, mine), (also_by, also_mine) in zip(first, second, strict=True):
        assert by == also_by  # both are told the same name
        assert mine is not also_mine  # and exactly one has it
        assert (by == "li") is mine
    with open_register_room(desks["li"], "hall", writes=False) as one:
        answers = [entry.by for entry in one.log.entries() if entry.kind == "answer"]
    assert answers == [by for by, _ in first]
    assert admin.verify_audit(with_records=True).whole
    # the database itself holds no second entry with a key
    table = registers["duty_entry"]
    with store.engine.connect() as connection:
        row = dict(connection.execute(sa.select(table)).mappings().first() or {})
    with pytest.raises(sa.exc.IntegrityError), store.engine.begin() as connection:
        connection.execute(table.insert(), row)
