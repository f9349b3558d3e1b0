"""The commands of the duty room on registers: as an office uses them, what is refused, two at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
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

from changtong.cli import main
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store

CITY = Scope(region="440300")
PEOPLE = {
    "li": ("spb-sz", "duty_officer", CITY),
    "wu": ("spb-sz", "duty_officer", CITY),
    "plan": ("spb-sz", "planner", CITY),
    "vi": ("spb-sz", "viewer", CITY),
    "ins": ("spb-sz", "inspector", CITY),
    "bei": ("spb-bj", "duty_officer", Scope(region="110000")),
}
AT = "2026-03-02T09:00+08:00"


class Office:
    """The registers as commands reach them, and the people's tokens."""

    def __init__(self, store: Store, admin: Desk, place: str, folder: Path) -> None:  # noqa: F811
        self.admin, self.place, self.folder = admin, place, folder
        self.roster = roster_folder(folder / "roster")
        self.desks = {"admin": admin} | {
            name: person(store, admin, name, organisation, (role, scope))
            for name, (organisation, role, scope) in PEOPLE.items()
        }
        for name, desk in self.desks.items():
            (folder / f"{name}.token").write_text(desk._token + "\n", "utf-8")

    def who(self, name: str) -> list[str]:
        return ["--registers", self.place, "--token", str(self.folder / f"{name}.token")]


@pytest.fixture
def office(small: tuple[Store, Desk], place: str, tmp_path: Path) -> Office:  # noqa: F811
    return Office(*small, place, tmp_path)


@pytest.fixture
def hall(office: Office, capsys: pytest.CaptureFixture[str]) -> Office:
    """With a room and its roster of three days in force."""
    ran(capsys, office, "li", "rooms", "--new", "防汛值班室", "--room", "hall")
    ran(capsys, office, "li", "put", str(office.roster), "--room", "hall")
    return office


def ran(
    capsys: pytest.CaptureFixture[str], office: Office, who: str, *arguments: str, code: int = 0
) -> dict[str, Any]:
    """Run a command as somebody; return what it printed, an error with its code."""
    ended = main(["duty", *arguments, *office.who(who), "--json"])
    said = capsys.readouterr()
    assert ended == code, said
    assert "Traceback" not in said.out + said.err
    made: dict[str, Any] = json.loads(said.out)
    return made


def test_an_office_makes_a_room_and_works_in_it(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    made = ran(capsys, office, "plan", "rooms", "--new", "防汛值班室", "--room", "hall")
    assert (made["room"], made["organisation"], made["roster"]) == ("hall", "spb-sz", None)
    put = ran(capsys, office, "plan", "put", str(office.roster), "--room", "hall", "--reason", "March")
    assert (put["roster"], put["from"], put["to"], put["duties"]) == (1, "2026-03-02", "2026-03-04", 3)
    assert [one["roster"] for one in ran(capsys, office, "vi", "rooms")["rooms"]] == [1]
    came = ran(capsys, office, "li", "check-in", "--room", "hall", "--at", "2026-03-02T08:03+08:00")
    assert (came["by"], came["person_id"]) == ("li", "li")
    now = ran(capsys, office, "ins", "now", "--room", "hall", "--at", AT)
    assert [(one["person_id"], one["state"]) for one in now["on_duty"]] == [("li", "on_time")]
    # on the next day nobody has come: exit code 1
    late = ran(capsys, office, "ins", "now", "--room", "hall", "--at", "2026-03-03T09:00+08:00", code=1)
    assert [(one["person_id"], one["state"], one["late_min"]) for one in late["on_duty"]] == [
        ("wu", "absent", 60)
    ]
    note = ["hand-over", "--room", "hall", "--note", "n1"]
    ran(capsys, office, "li", *note, "--open", "泵未修", "--watch", "水位", "--at", "2026-03-02T20:00+08:00")
    waiting = ran(capsys, office, "li", "now", "--room", "hall", "--at", "2026-03-02T21:00+08:00")
    assert waiting["not_received"] == ["n1"]
    got = ran(capsys, office, "wu", *note, "--receive", "--at", "2026-03-03T08:10+08:00")
    assert got["by"] == "wu"
    late = ran(capsys, office, "plan", "now", "--room", "hall", "--at", "2026-03-03T08:20+08:00")
    assert late["not_received"] == []
    call = ["--room", "hall", "--call", "17"]
    ran(capsys, office, "li", "call", *call, "--chain", "flood", "--subject", "water", "--at", AT)
    due = ran(capsys, office, "li", "escalate", "--room", "hall", "--at", "2026-03-02T09:06+08:00")["due"]
    assert [(one["step"], one["person_id"]) for one in due] == [(1, "li"), (2, "he")]
    mine = ran(capsys, office, "wu", "answer", *call, "--at", "2026-03-02T09:07+08:00")
    assert (mine["by"], mine["mine"]) == ("wu", True)
    other = ran(capsys, office, "li", "answer", *call, "--at", "2026-03-02T09:08+08:00", code=1)
    assert (other["by"], other["mine"]) == ("wu", False)
    assert main(["duty", "now", "--room", "hall", "--at", AT, *office.who("ins")]) == 0
    assert "on_time" in capsys.readouterr().out
    assert office.admin.verify_audit(with_records=True).whole


def test_rosters_of_part_of_the_period_by_command(hall: Office, capsys: pytest.CaptureFixture[str]) -> None:
    later = str(roster_folder(hall.folder / "later", ("wu", "li", "wu")))
    told = ran(capsys, hall, "li", "put", later, "--room", "hall", code=2)
    assert [one["code"] for one in told["problems"]] == ["past-days"]
    made = ran(capsys, hall, "li", "put", later, "--room", "hall", "--from", "2026-03-04")
    assert made["replaced"] == [{"roster": 1, "from": "2026-03-04", "to": "2026-03-04"}]
    rosters = ran(capsys, hall, "ins", "rosters", "--room", "hall")["rosters"]
    assert [(one["roster"], one["in_force"]) for one in rosters] == [
        (1, [{"from": "2026-03-02", "to": "2026-03-03"}]), (2, [{"from": "2026-03-04", "to": "2026-03-04"}]),
    ]  # fmt: skip

    def on(day: int) -> list[str]:
        now = ran(capsys, hall, "ins", "now", "--room", "hall", "--at", f"2026-03-0{day}T12:00+08:00", code=1)
        return [one["person_id"] for one in now["on_duty"]]

    assert [on(2), on(3), on(4)] == [["li"], ["wu"], ["wu"]]  # and not he on the 4th
    assert main(["duty", "rosters", "--room", "hall", *hall.who("ins")]) == 0
    assert "2  2026-03-02 to 2026-03-04  in force: 2026-03-04 to 2026-03-04" in capsys.readouterr().out


def test_the_page_has_names_only_for_a_reason_and_former_rosters(
    hall: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    later = str(roster_folder(hall.folder / "later", ("wu", "zhou")))
    ran(capsys, hall, "li", "put", later, "--room", "hall", "--from", "2026-03-03")
    page, sheets = hall.folder / "p.html", hall.folder / "r.xlsx"
    show = ["page", "--room", "hall", "-o", str(page), "--at", AT]
    ran(capsys, hall, "ins", *show)
    text = page.read_text("utf-8")
    assert "王li" not in text
    # three days: of the first roster the 2nd and the 4th, of the second the 3rd
    assert all(one in text for one in ("li", "zhou", "he", "03-04"))
    told = ran(capsys, hall, "ins", *show, "--workbook", str(sheets), code=2)
    assert told["error"] == "bad-usage"
    assert ran(capsys, hall, "plan", *show, "--reason", "curious", code=2)["error"] == "not-allowed"
    ran(capsys, hall, "ins", *show, "--workbook", str(sheets), "--reason", "for the board")
    assert "王li" in page.read_text("utf-8")
    assert "王zhou" in page.read_text("utf-8")
    with zipfile.ZipFile(sheets) as archive:
        assert "王zhou" in archive.read("xl/worksheets/sheet1.xml").decode()
    for number in (1, 2):
        looks = hall.admin.audit_entries("duty_roster", f"hall.{number:06d}")
        assert [(one["action"], one["reason"]) for one in looks][-1] == ("reveal", "for the board")
    ran(capsys, hall, "ins", *show, "--number", "1")
    assert "zhou" not in page.read_text("utf-8")
    told = ran(capsys, hall, "ins", *show, "--number", "3", code=2)
    assert "no roster 3" in told["message"]


CASES = {
    # who and what -> code of the error, part of the message
    "li check-in --room hall --person nobody --at {at}": ("not-on-duty", "nobody has no duty"),
    "wu check-in --room hall --at {at}": ("not-on-duty", "wu has no duty"),
    "li check-in --room none --at {at}": ("not-found", "no duty room 'none'"),
    "bei check-in --room hall --at {at}": ("not-found", "no duty room 'hall'"),
    "bei rosters --room hall": ("not-found", "no duty room 'hall'"),
    "vi check-in --room hall --at {at}": ("not-allowed", "no right to add"),
    "ins check-in --room hall --person li --at {at}": ("not-allowed", "no right to add"),
    "vi now --room hall": ("not-allowed", "no right to view"),
    "vi rosters --room hall": ("not-allowed", "no right to view"),
    "admin answer --room hall --call 1": ("not-allowed", "no right to add"),
    "ins put {roster} --room hall": ("not-allowed", "no right to change"),
    "ins rooms --new x": ("not-allowed", "no right to add"),
    "li rooms --new x --room hall": ("duplicate-record", "with this id already"),
    "li rooms --room hall": ("bad-usage", "--room and --organisation"),
    "li put {folder} --room hall": ("not-a-roster-folder", "no roster folder"),
    "li put {roster} --room none": ("not-found", "no duty room"),
    "li put {roster} --room hall --from 2026-04-01": ("bad-duty", "no day of this roster"),
    "li put {roster} --room hall --from soon": ("bad-usage", "--from"),
    "li check-in --room hall --by wu": ("bad-usage", "own name"),
    "li check-in {roster} --room hall": ("bad-usage", "the one in force"),
    "li call --room hall --call 1 --chain fire --subject x --at {at}": ("not-found", "known: flood"),
    "li call --room hall --call 1 --chain flood --subject x --at soon": ("bad-instant", "soon"),
    "li call --room hall --call 1 --chain flood --subject x --at 2026-03-02T09:00": (
        "bad-instant",
        "its zone",
    ),
    "li call --room hall --call 1 --chain flood --subject x --at {soon}": ("bad-instant", "still to come"),
    "li answer --room hall --call 1": ("not-found", "no call 1"),
    "li hand-over --room hall --note n --at {at}": ("empty-note", "says nothing"),
    "li hand-over --room hall --note n --receive --at {at}": ("not-found", "no hand-over note n"),
    "li hand-over --room hall --note n --receive --open x": ("bad-usage", "takes no --open"),
}


def test_slips_are_explained_and_write_nothing(hall: Office, capsys: pytest.CaptureFixture[str]) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    for command, (code, part) in CASES.items():
        who, *given = command.format(at=AT, soon=soon, roster=hall.roster, folder=hall.folder).split()
        told = ran(capsys, hall, who, *given, code=2)
        codes = [one["code"] for one in told.get("problems", [])] or [told["error"]]
        assert codes == [code], (command, told)
        assert part in json.dumps(told, ensure_ascii=False), (command, told)
    empty = ran(capsys, hall, "li", "rooms", "--new", "空", "--room", "empty")
    assert empty["roster"] is None
    assert "no roster yet" in ran(capsys, hall, "li", "now", "--room", "empty", code=2)["message"]
    assert list(hall.desks["li"].every("duty_entry")) == []
    assert hall.admin.verify_audit(with_records=True).whole


def test_a_call_goes_one_way(hall: Office, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--room", "hall", "--call", "1"]
    ran(capsys, hall, "li", "call", *call, "--chain", "flood", "--subject", "x", "--at", AT)
    again = ran(capsys, hall, "wu", "call", *call, "--chain", "flood", "--subject", "y", "--at", AT, code=2)
    assert again["problems"][0]["code"] == "duplicate-call"
    early = ran(capsys, hall, "wu", "answer", *call, "--at", "2026-03-02T08:59+08:00", code=2)
    assert early["problems"][0]["code"] == "bad-instant"
    note = ["hand-over", "--room", "hall", "--note", "n"]
    ran(capsys, hall, "li", *note, "--open", "x", "--at", AT)
    assert ran(capsys, hall, "wu", *note, "--open", "y", "--at", AT, code=2)["problems"][0]["code"] == (
        "duplicate-note"
    )
    assert ran(capsys, hall, "li", *note, "--receive", "--at", AT, code=2)["problems"][0]["code"] == (
        "own-note"
    )


RUN = """
import sys, time
from pathlib import Path
from changtong.cli import main
import changtong.storage.store, changtong.workforce_records.room_register
ready, go, *arguments = sys.argv[1:]
Path(ready).touch()
while not Path(go).exists():
    time.sleep(0.001)
sys.exit(main(arguments))
"""


@pytest.mark.slow
def test_of_two_officers_who_answer_by_command_at_once_exactly_one_gets_the_call(
    hall: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    for call in ("1", "2", "3"):
        where = ["--room", "hall", "--call", call, "--at", AT]
        ran(capsys, hall, "li", "call", *where, "--chain", "flood", "--subject", "x")
        go, ready = hall.folder / f"go{call}", [hall.folder / f"ready{call}{who}" for who in ("li", "wu")]
        both = [
            subprocess.Popen(
                [sys.executable, "-c", RUN, str(file), str(go), "duty", "answer", *where, *hall.who(who),
                 "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for who, file in zip(("li", "wu"), ready, strict=True)
        ]  # fmt: skip
        until = time.monotonic() + 120
        while not all(file.exists() for file in ready) and time.monotonic() < until:
            time.sleep(0.01)
        go.touch()
        said = [one.communicate(timeout=120) for one in both]
        assert sorted(one.returncode for one in both) == [0, 1], said
        li, wu = (json.loads(out) for out, _ in said)
        assert li["by"] == wu["by"]  # both are told the same name
        assert li["mine"] is not wu["mine"]
        assert (li["by"] == "li") is li["mine"]
        assert [one.returncode for one in both] == [int(not one["mine"]) for one in (li, wu)]
    assert hall.admin.verify_audit(with_records=True).whole
