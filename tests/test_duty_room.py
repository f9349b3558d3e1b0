"""The duty room: who is on, who came, what was handed over, calls that escalate and are answered once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_duty_roster import CHINA, FIRST, tiny

from changtong.duty.room import (
    Entry,
    answer_call,
    check_in,
    duty_now,
    escalate,
    hand_over,
    hand_overs,
    on_duty,
    open_call,
    receive,
)
from changtong.duty.room_log import FILE, FolderLog
from changtong.duty.rosters_in_force import RostersInForce, one_roster
from changtong.duty.staff import Assignment, CallChain, CallStep
from changtong.errors import InputError, NotFoundError

ROSTER = tuple(Assignment(FIRST + timedelta(days=k), "s", "post", f"p{k}") for k in range(3))
BEGIN = datetime(2026, 3, 2, 8, tzinfo=CHINA)
CHAIN = CallChain("c", (CallStep(0, ("post",)), CallStep(5, (), ("p2",)), CallStep(10, ("post",))))


def room() -> RostersInForce:
    return one_roster(replace(tiny(), chains=(CHAIN,)), ROSTER)


def test_who_is_on_changes_at_the_instant_of_relief() -> None:
    rosters = room()
    for at, who in (
        (BEGIN, ["p0"]),
        (BEGIN + timedelta(hours=24), ["p1"]),
        (BEGIN - timedelta(seconds=1), []),
    ):
        assert [row.person_id for row in on_duty(rosters, at)] == who
        assert on_duty(rosters, at.astimezone(UTC)) == on_duty(rosters, at)
    with pytest.raises(InputError, match="bad-instant"):
        on_duty(rosters, datetime(2026, 3, 2, 8))


def test_late_absent_and_twice(tmp_path: Path) -> None:
    rosters, log = room(), FolderLog(tmp_path / "room")

    def states(minutes: float) -> list[tuple[str, int]]:
        now = duty_now(rosters, log.entries(), BEGIN + timedelta(minutes=minutes))
        return [(one.state, one.late_min) for one in now]

    assert states(10) == [("expected", 10)]
    assert states(30) == [("absent", 30)]
    came = BEGIN + timedelta(minutes=12)
    check_in(rosters, log, "p0", came, "p0")
    assert states(5) == [("expected", 5)]  # as it was known then
    assert states(40) == [("late", 12)]
    _, again = check_in(rosters, log, "p0", came + timedelta(hours=1), "p0")
    assert again.at == came
    with pytest.raises(InputError, match="not-on-duty"):
        check_in(rosters, log, "p1", BEGIN, "p1")
    row, _ = check_in(rosters, log, "p1", BEGIN + timedelta(hours=23, minutes=30), "p1")
    assert row == ROSTER[1]


def test_a_note_is_received_once_and_by_somebody_else(tmp_path: Path) -> None:
    log = FolderLog(tmp_path)
    with pytest.raises(InputError, match="empty-note"):
        hand_over(log, "n", "p0", BEGIN, [" "], [])
    hand_over(log, "n", "p0", BEGIN, ["泵未修"], ["水位"])
    with pytest.raises(InputError, match="own-note"):
        receive(log, "n", "p0", BEGIN)
    with pytest.raises(InputError, match="bad-instant"):
        receive(log, "n", "p1", BEGIN - timedelta(seconds=1))
    assert receive(log, "n", "p1", BEGIN).by == "p1"
    assert receive(log, "n", "p2", BEGIN).by == "p1"
    assert hand_overs(log.entries())[0].received_by == "p1"
    with pytest.raises(InputError, match="duplicate-note"):
        hand_over(log, "n", "p1", BEGIN, ["other"], [])


def test_a_call_goes_up_until_it_is_answered(tmp_path: Path) -> None:
    rosters, log = room(), FolderLog(tmp_path)
    at = BEGIN + timedelta(hours=23, minutes=52)  # the last step is due after the relief
    open_call(rosters, log, "k", "水位", "c", "p0", at)

    def due(minutes: float) -> list[tuple[int, str]]:
        found = escalate(rosters, log.entries(), at + timedelta(minutes=minutes))
        return [(one.step, one.person_id) for one in found]

    assert due(-1) == []
    assert due(0) == [(1, "p0")]
    assert due(5) == [(1, "p0"), (2, "p2")]
    assert due(10) == [(1, "p0"), (2, "p2"), (3, "p1")]
    first = answer_call(log, "k", "p2", at + timedelta(minutes=6))
    assert first.mine
    assert due(60) == [(1, "p0"), (2, "p2")]
    second = answer_call(log, "k", "p0", at + timedelta(minutes=6))
    assert not second.mine
    assert second.by == "p2"
    assert "p2 has answered already" in str(second)
    with pytest.raises(NotFoundError):
        open_call(rosters, log, "z", "x", "nope", "p0", at)
    with pytest.raises(NotFoundError):
        answer_call(log, "nope", "p0", at)


ANSWER = """
import sys
from datetime import datetime
from pathlib import Path
from changtong.duty.room import answer_call
from changtong.duty.room_log import FolderLog
sys.stdin.readline()
print(answer_call(FolderLog(Path(sys.argv[1])), "k", sys.argv[2], datetime.fromisoformat(sys.argv[3])).by)
"""


def test_two_officers_answer_one_call_at_once(tmp_path: Path) -> None:
    log = FolderLog(tmp_path)
    open_call(room(), log, "k", "x", "c", "p0", BEGIN)
    works = [
        subprocess.Popen(
            [sys.executable, "-c", ANSWER, str(tmp_path), f"o{k}", BEGIN.isoformat()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for k in range(4)
    ]  # fmt: skip
    for work in works:
        assert work.stdin is not None
        work.stdin.write("go\n")
        work.stdin.flush()
    told = {work.communicate()[0].strip() for work in works}
    answers = [one for one in log.entries() if one.kind == "answer"]
    assert len(answers) == 1
    assert told == {answers[0].by}


def test_a_line_cut_off_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    log = FolderLog(tmp_path)
    hand_over(log, "a", "p0", BEGIN, ["x"], [])
    whole = (tmp_path / FILE).read_bytes()
    hand_over(log, "b", "p0", BEGIN, ["值班"], [])
    both = (tmp_path / FILE).read_bytes()
    for cut in range(len(whole), len(both), 7):
        (tmp_path / FILE).write_bytes(both[:cut])
        assert [one.key for one in log.entries()] == ["hand_over/a"]
    log.put(Entry("hand_over/c", "hand_over", BEGIN, "p1", {"open": ["y"], "watch": []}))
    assert [one.key for one in log.entries()] == ["hand_over/a", "hand_over/c"]
    (tmp_path / FILE).write_bytes(b"nonsense\n")
    with pytest.raises(InputError, match="bad-duty-log"):
        log.entries()
