"""Duty rosters: fair, within every rule, with a proved gap; checked by code apart from the solver."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.duty.crews import crew_rules
from changtong.duty.day_kinds import day_kinds
from changtong.duty.fair_shares import counting_bound, fair_shares
from changtong.duty.icalendar import fold, roster_calendar, zone_lines
from changtong.duty.question import cliques, make_question
from changtong.duty.read_duty import read_duty
from changtong.duty.roster import make_roster
from changtong.duty.roster_check import check_roster
from changtong.duty.roster_solve import Status, roster_cost
from changtong.duty.staff import (
    Assignment,
    DutyFolder,
    Leave,
    Limits,
    Lock,
    Pair,
    Person,
    Post,
    Shift,
    Weights,
    hours_of,
)
from changtong.errors import InputError, UsageError

CHINA = ZoneInfo("Asia/Shanghai")
EXAMPLE = Path(__file__).parent.parent / "examples" / "duty"
FIRST = date(2026, 3, 2)  # a Monday


def person(person_id: str, **more: object) -> Person:
    return Person(**{"person_id": person_id, "name": person_id, "group": "", "roles": frozenset({"r"}),
                     "qualifications": frozenset()} | more)  # type: ignore[arg-type]  # fmt: skip


def tiny(people: int = 3, heads: int = 1, rest_h: float = 24.0, **more: object) -> DutyFolder:
    """One shift of 24 h with one post; people who can stand in for each other."""
    made = DutyFolder(
        "tiny", CHINA, tuple(person(f"p{k}") for k in range(people)),
        (Shift("s", "值班", "Duty", time(8), 24.0, "all", rest_h, True),),
        (Post("post", "岗", "Post", "s", "r", heads),),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def days(count: int) -> date:
    return FIRST + timedelta(days=count - 1)


def brute_force(folder: DutyFolder, last: date) -> float:
    """Return the least cost over every assignment of one head a day that the checker passes."""
    question = make_question(folder, FIRST, last)
    shares, crews = fair_shares(question), crew_rules(question)
    best = float("inf")
    n_people, n_slots = question.may.shape
    import numpy as np

    for choice in itertools.product(range(n_people), repeat=n_slots):
        rows = [question.assignment(p, j) for j, p in enumerate(choice)]
        if check_roster(folder, question.period, rows):
            continue
        taken = np.zeros((n_people, n_slots), bool)
        taken[list(choice), range(n_slots)] = True
        best = min(best, roster_cost(question, shares, crews, taken))
    return best


@settings(max_examples=8, deadline=None)
@given(
    leave=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=2),
    carried=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    rest=st.sampled_from([0.0, 24.0]),
)
def test_no_roster_is_better_than_the_optimal_one(
    leave: list[tuple[int, int]], carried: list[int], rest: float
) -> None:
    folder = tiny(
        rest_h=rest,
        leave=tuple(Leave(f"p{p}", FIRST + timedelta(days=d), FIRST + timedelta(days=d)) for p, d in leave),
        carried=tuple((f"p{k}", (float(c), float(c), 0.0, 0.0)) for k, c in enumerate(carried)),
        limits=Limits(most_in_row=2, most_in_week=4),
    )
    made = make_roster(folder, FIRST, days(7), seconds=4)
    least = brute_force(folder, days(7))
    if least == float("inf"):
        assert made.status is Status.INFEASIBLE
        assert made.why
        assert not made.assignments
    else:
        assert made.status is Status.OPTIMAL
        assert made.value == pytest.approx(least, abs=1e-6)
        assert made.bound <= least + 1e-6


def test_the_bound_from_counting_holds_and_is_met_without_other_rules() -> None:
    folder = tiny(people=4, rest_h=0.0)
    question = make_question(folder, FIRST, days(14))
    made = make_roster(folder, FIRST, days(14), seconds=10)
    assert made.value == pytest.approx(counting_bound(question, fair_shares(question)))


def test_part_time_serves_half() -> None:
    folder = tiny(rest_h=0.0, weights=Weights(weekends=0, holidays=0))
    folder = replace(folder, people=(person("full"), person("half", share=0.5)))
    made = make_roster(folder, FIRST, days(12), seconds=10)
    assert {one.person_id: one.counts[0] for one in made.served} == {"full": 8, "half": 4}


def test_where_there_is_none_it_is_told_why_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tiny(people=2, rest_h=48.0)
    made = make_roster(folder, FIRST, days(4), seconds=10)
    assert made.status is Status.INFEASIBLE
    assert made.assignments == ()
    assert any("heads missing" in line for line in made.why)
    assert any("the rest after a shift" in line for line in made.why)


BREAKS = {
    "heads": lambda rows: rows[1:],
    "role": lambda rows: [replace(rows[0], person_id="other"), *rows[1:]],
    "rest": lambda rows: [rows[0], replace(rows[1], person_id=rows[0].person_id), *rows[2:]],
    "unknown": lambda rows: [replace(rows[0], person_id="nobody"), *rows[1:]],
    "not_manned": lambda rows: [*rows, replace(rows[0], day=FIRST - timedelta(days=1))],
}


@pytest.mark.parametrize("rule", BREAKS)
def test_the_checker_finds_what_is_broken(rule: str) -> None:
    folder = tiny(people=3)
    folder = replace(folder, people=(*folder.people, person("other", roles=frozenset({"x"}))))
    made = make_roster(folder, FIRST, days(6), seconds=10)
    period = day_kinds(folder, FIRST, days(6))
    assert check_roster(folder, period, made.assignments) == ()
    found = check_roster(folder, period, BREAKS[rule](list(made.assignments)))
    assert rule in {one.rule for one in found}


def test_the_checker_knows_every_limit_by_hand() -> None:
    rows = [Assignment(FIRST + timedelta(days=k), "s", "post", "p0") for k in range(4)]
    limits = Limits(most_in_row=3, most_nights_in_row=3, most_in_week=3, most_h_in_week=95, most_in_month=3,
                    most_h_in_month=95)  # fmt: skip
    folder = tiny(rest_h=0.0, limits=limits, leave=(Leave("p0", days(2), days(2)),))
    found = {one.rule for one in check_roster(folder, day_kinds(folder, FIRST, days(4)), rows)}
    assert found == {
        "most_in_row", "most_nights_in_row", "most_in_week", "most_h_in_week", "most_in_month",
        "most_h_in_month", "leave",
    }  # fmt: skip


def test_rules_of_crews_are_kept_and_checked() -> None:
    people = (person("new", level="new"), person("old", level="experienced"), person("mid"),
              person("radio", qualifications=frozenset({"radio"})))  # fmt: skip
    folder = tiny(rest_h=0.0, heads=2, pairs=(Pair("mid", "old", "never"),), new_with_experienced=True,
                  never_alone=frozenset({"s"}))  # fmt: skip
    folder = replace(folder, people=people)
    made = make_roster(folder, FIRST, days(8), seconds=10)
    assert made.found
    crews = [{r.person_id for r in made.assignments if r.day == days(k)} for k in range(1, 9)]
    assert all("old" in crew for crew in crews if "new" in crew)
    assert not any({"mid", "old"} <= crew for crew in crews)
    alone = [Assignment(FIRST, "s", "post", name) for name in ("new", "mid")]
    rules = {one.rule for one in check_roster(folder, day_kinds(folder, FIRST, FIRST), alone)}
    assert rules == {"new_with_experienced"}
    with pytest.raises(InputError, match="duty-alone"):
        make_question(tiny(never_alone=frozenset({"s"})), FIRST, days(2))


def test_replanning_gives_up_as_little_as_it_must() -> None:
    folder = tiny(people=4)
    before = make_roster(folder, FIRST, days(12), seconds=10)
    ill = before.assignments[4]
    after = make_roster(
        replace(folder, leave=(Leave(ill.person_id, ill.day, ill.day),)), FIRST, days(12),
        seconds=10, kept=before.assignments,
    )  # fmt: skip
    kept = set(before.assignments) & set(after.assignments)
    assert after.changes == len(before.assignments) - len(kept)
    assert after.fewest_changes
    # leave on a day rules out the duty of that day and the one that ends on it
    touched = {
        r
        for r in before.assignments
        if r.person_id == ill.person_id and r.day in (ill.day, ill.day - timedelta(1))
    }
    assert after.changes >= len(touched) >= 1


def test_former_duties_count_for_rest_and_limits() -> None:
    former = tuple(Assignment(FIRST - timedelta(days=1), "s", "post", name) for name in ("p0",))
    made = make_roster(tiny(people=2, before=former), FIRST, FIRST, seconds=10)
    assert [row.person_id for row in made.assignments] == ["p1"]


def test_locks_hold_and_impossible_ones_are_told() -> None:
    on = Lock("p2", days(3), "on", "s")
    made = make_roster(tiny(locks=(on, Lock("p0", days(1), "off"))), FIRST, days(5), seconds=10)
    rows = {row.day: row.person_id for row in made.assignments}
    assert rows[days(3)] == "p2"
    assert rows[days(1)] != "p0"
    with pytest.raises(InputError, match="duty-locked"):
        make_roster(tiny(locks=(on,), leave=(Leave("p2", days(3), days(3)),)), FIRST, days(5))


def test_without_the_library_of_holidays_a_roster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(UsageError, match=r"pip install 'changtong\[forecast\]'") as caught:
        make_roster(tiny(), FIRST, FIRST)
    assert caught.value.code == "missing-library"


def test_holidays_and_make_up_workdays() -> None:
    period = day_kinds(tiny(), date(2026, 10, 1), date(2026, 10, 11))
    kinds = "".join(day.kind[0] for day in period.days)
    assert kinds == "hhhhhhh" + "ww" + "w" + "w"  # 8 and 9 work, 10 (Saturday) made up, 11 a weekend day
    assert period.days[9].kind == "work"
    assert period.days[10].kind == "weekend"
    own = tiny(days=((date(2026, 10, 10), "weekend", "ours"),))
    assert day_kinds(own, date(2026, 10, 10), date(2026, 10, 10)).days[0].name == "ours"


def test_shifts_across_leap_days_and_clocks_put_forward() -> None:
    night = Shift("n", "夜", "Night", time(20), 12.0)
    begin, end = hours_of(night, date(2028, 2, 29), CHINA)
    assert (end.month, end.day, end.hour) == (3, 1, 8)
    assert end.timestamp() - begin.timestamp() == 12 * 3600
    begin, end = hours_of(night, date(2026, 3, 28), ZoneInfo("Europe/Berlin"))
    assert end.timestamp() - begin.timestamp() == 11 * 3600


def test_cliques_are_the_largest_sets() -> None:
    import numpy as np

    begin, end = np.array([0, 1, 5, 5]), np.array([3, 6, 7, 5 + 9])
    found = {tuple(np.flatnonzero(one)) for one in cliques(begin, end)}
    assert found == {(0, 1), (1, 2, 3)}


def test_calendars_are_folded_escaped_and_stable() -> None:
    folder = replace(
        tiny(), name="值班; 表", people=(person("p0", name="欧阳" + "长" * 40), person("p1"), person("p2"))
    )
    rows = (Assignment(FIRST, "s", "post", "p0"),)
    text = roster_calendar(folder, rows, made_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert text.endswith("END:VCALENDAR\r\n")
    assert "\n" not in text.replace("\r\n", "")
    lines = text.split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 75
    assert "值班\\; 表" in text
    assert "DTSTART;TZID=Asia/Shanghai:20260302T080000" in lines
    assert "长" * 40 in text.replace("\r\n ", "")
    later = roster_calendar(folder, rows, made_at=datetime(2026, 4, 1, tzinfo=UTC))
    uid = [line for line in lines if line.startswith("UID:")]
    assert uid == [line for line in later.split("\r\n") if line.startswith("UID:")]


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), max_size=200))
def test_folding_can_be_undone(text: str) -> None:
    folded = fold(text)
    assert all(len(line.encode()) <= 75 for line in folded.split("\r\n"))
    assert folded.replace("\r\n ", "")[:-2] == text


def test_zones_with_changing_clocks() -> None:
    lines = zone_lines(ZoneInfo("Europe/Berlin"), date(2026, 3, 20), date(2026, 4, 5))
    assert "DTSTART:20260329T020000" in lines
    assert "TZOFFSETTO:+0200" in lines


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "R"
    given = ["duty", "roster", str(EXAMPLE), "--from", "2026-10-01", "--to", "2026-10-14", "-o", str(out)]
    assert main([*given, "--seconds", "5", "--gap", "0.05", "--json"]) == 0
    assert '"gap": ' in capsys.readouterr().out
    assert main(["duty", "check", str(out)]) == 0
    table = (out / "roster.csv").read_text("utf-8-sig").splitlines()
    (out / "roster.csv").write_text("\n".join(table[:-1]) + "\n", "utf-8")
    assert main(["duty", "check", str(out)]) == 1
    assert "heads" in capsys.readouterr().out
    assert main(["duty", "ics", str(out), "--person", "a01", "-o", str(tmp_path / "a.ics")]) == 0


WRONG = {
    "people.csv": ("person_id,name,roles\np,甲,r\np,乙,r\n", "duplicate-row"),
    "shifts.csv": ("shift_id,name_zh,start,hours\ns,班,25:00,8\n", "wrong-type"),
    "posts.csv": ("post_id,name_zh,shift_id,role,heads\np,岗,nope,r,1\n", "unknown-shift"),
    "leave.csv": ("person_id,first,last\na01,2026-02-30,2026-03-01\n", "wrong-type"),
    "wishes.csv": ("person_id,first,last,wants\na01,2026-03-02,2026-03-01,off\n", "bad-duty"),
    "pairs.csv": ("person_id,other_id,rule\na01,a01,never\n", "bad-duty"),
    "locks.csv": ("person_id,day,wants\nzzz,2026-03-02,on\n", "unknown-person"),
    "carried.csv": ("person_id,points\na01,-3\n", "out-of-range"),
    "days.csv": ("day,kind\n2026-03-02,feast\n", "wrong-type"),
    "duty.toml": ('time_zone = "Mars/Base"\n[limits]\nmost_in_week = 0\n', "bad-duty"),
    "calls.toml": (
        '[[chains]]\nid = "x"\n[[chains.steps]]\nafter_min = 3\nposts = ["nope"]\n',
        "bad-call-chain",
    ),
    "before.csv": ("", "empty-file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_told_with_its_code(name: str, tmp_path: Path) -> None:
    for file in EXAMPLE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text, code = WRONG[name]
    (tmp_path / name).write_bytes(
        text.encode("gb18030" if name == "people.csv" else "utf-8-sig") if text else b""
    )
    with pytest.raises(InputError) as caught:
        read_duty(tmp_path)
    assert code in {problem.code for problem in caught.value.problems}
    assert all(problem.file == name for problem in caught.value.problems if problem.code == code)
