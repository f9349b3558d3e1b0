"""Duty rooms in the registers: as in a folder, under rights, on the audit; a call is answered once."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from duty_cases import CALLS, roster_folder
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
    list_rosters,
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
        return lambda one: check_in(one.rosters, one.log, one.person_at(at(minutes)), at(minutes), one.by)

    do("li", come(12))
    do("li", come(60))
    do("wu", come(60))
    do("li", lambda one: hand_over(one.log, "n1", one.by, at(600), ["泵未修"], ["水位"]))
    do("wu", lambda one: hand_over(one.log, "n1", one.by, at(610), ["x"], []))
    do("li", lambda one: receive(one.log, "n1", one.by, at(620)))
    do("wu", lambda one: receive(one.log, "n1", one.by, at(620)))
    do("li", lambda one: receive(one.log, "n1", one.by, at(630)))
    do("wu", lambda one: open_call(one.rosters, one.log, "17", "water", "flood", one.by, at(700)))
    do("wu", lambda one: open_call(one.rosters, one.log, "18", "water", "fire", one.by, at(700)))
    do("wu", lambda one: answer_call(one.log, "99", one.by, at(700)))
    do("wu", lambda one: answer_call(one.log, "17", one.by, at(690)))
    do("li", lambda one: escalate(one.rosters, one.log.entries(), at(706)), writes=False)
    do("li", lambda one: answer_call(one.log, "17", one.by, at(707)))
    do("wu", lambda one: answer_call(one.log, "17", one.by, at(708)))
    do("wu", lambda one: duty_now(one.rosters, one.log.entries(), at(710)), writes=False)
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
        open_call(one.rosters, one.log, "1", "water", "flood", one.by, BEGIN)
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


def serving(desk: Desk, room_id: str = "hall", number: int | None = None) -> list[tuple[int, str]]:
    """Return who serves on which day of March."""
    with open_register_room(desk, room_id, writes=False, number=number) as one:
        parts = one.rosters.parts(date(2026, 1, 1), date(2026, 12, 31))
        return [(row.day.day, row.person_id) for part in parts for row in part.rows]


def test_a_later_roster_takes_days_over_and_leaves_what_was_before_it(
    room: tuple[Store, Desk, dict[str, Desk]], tmp_path: Path
) -> None:
    _, admin, desks = room
    li = desks["li"]
    again = roster_folder(tmp_path / "again", ("wu", "li", "wu"))
    with pytest.raises(InputError, match="past-days"):
        put_roster(li, "hall", again)
    for day in (1, 5):
        with pytest.raises(InputError, match="no day of this roster"):
            put_roster(li, "hall", again, since=date(2026, 3, day))
    assert serving(li) == [(2, "li"), (3, "wu"), (4, "he")]
    made = put_roster(li, "hall", again, since=date(2026, 3, 3))
    assert (made["roster"], made["duties"]) == (2, 2)
    assert made["replaced"] == [{"roster": 1, "from": "2026-03-03", "to": "2026-03-04"}]
    assert serving(li) == [(2, "li"), (3, "li"), (4, "wu")]  # the 2nd is of the first roster still
    assert serving(li, number=1) == [(2, "li"), (3, "wu"), (4, "he")]  # and that is there whole
    assert serving(li, number=2) == [(2, "wu"), (3, "li"), (4, "wu")]
    with pytest.raises(NotFoundError, match="no roster 3"):
        serving(li, number=3)
    short = roster_folder(tmp_path / "short", ("he",))  # one day, within the first roster's
    put_roster(li, "hall", short, since=date(2026, 3, 2))
    assert serving(li) == [(2, "he"), (3, "li"), (4, "wu")]
    days = [
        (one["roster"], [span["from"][-2:] for span in one["in_force"]]) for one in list_rosters(li, "hall")
    ]
    assert days == [(1, []), (2, ["03"]), (3, ["02"])]
    shown = [str(dict(one.values)) for one in li.every("duty_roster")]
    assert len(shown) == 3
    assert "王" not in "".join(shown)
    seen = li.reveal("duty_roster", "hall.000002", "names for the board")
    assert "王wu" in seen["content"]["duty/people.csv"]
    assert [one["action"] for one in admin.audit_entries("duty_roster", "hall.000002")] == ["add", "reveal"]
    assert admin.verify_audit(with_records=True).whole


def test_a_duty_that_began_under_the_former_roster_goes_on_and_calls_keep_their_chain(
    room: tuple[Store, Desk, dict[str, Desk]], tmp_path: Path
) -> None:
    _, _, desks = room
    li = desks["li"]
    again = roster_folder(tmp_path / "again", ("wu", "li", "wu"))
    shifts = "shift_id,name_zh,name_en,start,hours,days\nday,全日,day,12:00,24,all\n"
    (again / "duty" / "shifts.csv").write_text(shifts, "utf-8")
    calls = CALLS.replace("flood", "fire").replace("LAST", "li")
    (again / "duty" / "calls.toml").write_text(calls, "utf-8")
    with open_register_room(li, "hall", writes=True) as one:
        open_call(one.rosters, one.log, "17", "water", "flood", one.by, at(1400))
        open_call(one.rosters, one.log, "19", "water", "flood", one.by, at(1800))
    put_roster(li, "hall", again, since=date(2026, 3, 3))
    with open_register_room(li, "hall", writes=True) as one:
        entries = one.log.entries()

        def on(hours: float) -> list[str]:
            return [two.assignment.person_id for two in duty_now(one.rosters, entries, at(60 * hours))]

        # li from the 2nd at 8 for 24 h under the first roster; then li from the 3rd at 12 under the second
        assert (on(0), on(23.9), on(24), on(28), on(52)) == (["li"], ["li"], [], ["li"], ["wu"])
        due = [(two.call_id, two.person_id) for two in escalate(one.rosters, entries, at(1900))]
        # the second is of a day that another roster has taken over, which has other chains: its own stays
        assert due == [("17", "li"), ("17", "he"), ("19", "li"), ("19", "he")]
        with pytest.raises(NotFoundError, match="known: fire"):
            open_call(one.rosters, one.log, "18", "water", "flood", one.by, at(1700))
        row, _ = check_in(one.rosters, one.log, "li", at(60 * 27.5), one.by)
        assert row.day == date(2026, 3, 3)


def test_province_and_city_have_a_room_and_a_roster_each(
    room: tuple[Store, Desk, dict[str, Desk]], tmp_path: Path
) -> None:
    store, admin, desks = room
    chen = person(store, admin, "chen", "spb-gd", ("duty_officer", Scope(region="440000")))
    make_room(chen, "省局值班室", room_id="gd")
    put_roster(chen, "gd", roster_folder(tmp_path / "gd", ("chen", "zhou")))
    assert serving(chen, "gd") == [(2, "chen"), (3, "zhou")]
    assert serving(chen) == [(2, "li"), (3, "wu"), (4, "he")]  # the city is within the province
    assert serving(desks["li"]) == serving(chen)
    with pytest.raises(NotFoundError):
        serving(desks["li"], "gd")
    with pytest.raises(NotFoundError):
        list_rosters(desks["li"], "gd")
    put_roster(chen, "gd", roster_folder(tmp_path / "gd2", ("zhou", "chen")), since=date(2026, 3, 3))
    assert serving(chen, "gd") == [(2, "chen"), (3, "chen")]
    assert serving(desks["li"]) == [(2, "li"), (3, "wu"), (4, "he")]


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
            open_call(one.rosters, one.log, str(call), "water", "flood", one.by, BEGIN)
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
