"""Rosters, their checker, workload and hours: hand-checked cases, properties, wrong input."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.workforce.absent_patterns import who_works
from changtong.workforce.centre_roster import roster_centre
from changtong.workforce.day_patterns import take_apart
from changtong.workforce.fairness import gini, jain
from changtong.workforce.hours import check_hours
from changtong.workforce.roster import make_roster
from changtong.workforce.roster_check import check_roster
from changtong.workforce.roster_rules import RosterRules, Shift, read_roster_rules
from changtong.workforce.staffing import Status
from changtong.workforce.staffing_question import CentreQuestion, late_pieces, sorted_by
from changtong.workforce.volumes_ahead import hourly_ahead
from changtong.workforce.workforce_folder import Workforce, read_workforce
from changtong.workforce.workload import assess_workload
from tests.pages import Page

EXAMPLE = Path(__file__).parent.parent / "examples" / "workforce"
MONDAY = date(2026, 3, 2)


def rules(**changes: object) -> RosterRules:
    two = (Shift("day", 8.0, 8.0), Shift("late", 16.0, 8.0))
    known = replace(
        read_roster_rules(), shifts=two, staff=4, due_h=0, hours_per_week=168.0, attendance_share=1.0
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def hourly(days: int, pieces: dict[int, float], site: str = "S") -> pl.DataFrame:
    rows = [
        (site, date.fromordinal(MONDAY.toordinal() + d), hour, count)
        for d in range(days)
        for hour, count in pieces.items()
    ]
    return pl.DataFrame(
        rows, {"site": pl.String, "date": pl.Date, "hour": pl.Int64, "pieces": pl.Float64}, orient="row"
    )


def question(days: int, pieces: dict[int, float], people: int, known: RosterRules) -> CentreQuestion:
    by_hour = [pieces.get(t % 24, 0.0) for t in range(24 * days)]
    names = tuple(f"p{k}" for k in range(people))
    return CentreQuestion("S", MONDAY, tuple(by_hour), names, (frozenset(),) * people, known)


def test_a_day_by_hand() -> None:
    # 60 pieces at 8 h: three people at 25 an hour; 30 at 17 h: two more on the late shift
    made = roster_centre(question(1, {8: 60.0, 17: 30.0}, 6, rules()), 2.0)
    assert made.regular.tolist() == [[3, 2]]
    assert (made.objective, made.bound, made.status) == (5.0, 5.0, Status.optimal)


def test_pieces_that_may_wait_need_fewer_people() -> None:
    # 60 pieces due two hours later: one person sorts 75 in three hours
    made = roster_centre(question(1, {8: 60.0}, 6, rules(due_h=2)), 2.0)
    assert made.regular.sum() == 1
    assert made.status == Status.optimal


def test_the_least_is_that_of_trying_everything() -> None:
    known = rules(days_in_a_row=2, temporary_most=3)
    asked = question(3, {9: 70.0, 16: 20.0}, 3, known)
    made = roster_centre(asked, 3.0)
    best = min(
        sum(numbers)
        for numbers in itertools.product(range(4), repeat=4)  # regular and temporary on either shift of a day
        if 25 * numbers[0] + 20 * numbers[2] >= 70 and 25 * numbers[1] + 20 * numbers[3] >= 20
    )
    assert made.bound >= 3 * best - 1e-6
    assert made.objective == 3 * best  # two of three days of three people are enough
    assert made.regular.sum() <= 3 * 2


def test_the_evening_before_is_worked_where_shifts_pass_midnight() -> None:
    night = rules(shifts=(Shift("night", 22.0, 8.0),))
    made = roster_centre(question(1, {2: 20.0, 22: 20.0}, 2, night), 2.0)
    assert made.question.before == 1
    assert made.regular.tolist() == [[1], [1]]


def test_too_few_people_are_told_by_hour() -> None:
    made = make_roster(
        Workforce("few", rules(temporary_most=0, staff=1), hourly=hourly(1, {9: 40.0, 10: 5.0})), seconds=2
    )
    assert not made.complete
    lacking = made.tables["hours"].filter(pl.col("lacking_pieces") > 0)
    assert lacking.select("hour").to_series().to_list() == [9]
    assert lacking["lacking_pieces"][0] == pytest.approx(15.0, abs=1e-3)
    assert made.centres["lacking_bound"][0] == pytest.approx(15.0, abs=1e-3)
    assert check_roster(made.tables, made.rules.to_dict()) == ()


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_a_crowd_within_its_limits_is_taken_apart_exactly(data: st.DataObject) -> None:
    days, people, row = (
        data.draw(st.integers(1, 12)),
        data.draw(st.integers(1, 6)),
        data.draw(st.integers(1, 5)),
    )
    spans = [(d, d + 1, 1) for d in range(days)]
    spans += [(d, d + row + 1, row) for d in range(days - row) if (d, d + row + 1) != (0, days)]
    whole = min(days, data.draw(st.integers(1, days)), row if days == row + 1 else days)
    spans = [span for span in spans if span[:2] != (0, days)] + [(0, days, whole)]
    needed = np.array(data.draw(st.lists(st.integers(0, people), min_size=days, max_size=days)))
    holds = all(needed[a:b].sum() <= people * most for a, b, most in spans)
    made = take_apart(needed, people, spans)
    assert (made is not None) == holds
    if made is not None:
        assert made.sum(axis=0).tolist() == needed.tolist()
        assert all(one[a:b].sum() <= most for one in made for a, b, most in spans)
        assert made.sum(axis=1).max() - made.sum(axis=1).min() <= 1


def test_those_absent_do_not_work_and_the_numbers_are_met() -> None:
    asked = question(5, {}, 4, rules())
    asked = replace(asked, away=(frozenset({0, 1}), frozenset(), frozenset(), frozenset({4})))
    made = who_works(asked, np.array([3, 3, 3, 3, 3]), asked.spans(8.0))
    assert made.sum(axis=0).tolist() == [3, 3, 3, 3, 3]
    assert made[0, :2].tolist() == [0, 0]
    assert made[3, 4] == 0


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=24, max_size=24),
    st.integers(0, 3),
    st.integers(1, 4),
    st.sampled_from(["person_days", "temporary", "cost"]),
)
def test_any_roster_passes_the_checker(pieces: list[int], due: int, row: int, first: str) -> None:
    three = (Shift("a", 0.0, 8.0), Shift("b", 8.5, 8.0), Shift("c", 16.0, 9.0))
    known = rules(
        shifts=three, hours_per_day=9.0, due_h=due, days_in_a_row=row, hours_per_week=40.0, first=first
    )
    made = make_roster(
        Workforce("any", known, hourly=hourly(4, {h: float(p) for h, p in enumerate(pieces)})), seconds=1.0
    )  # raises where it fails its check
    assert (made.centres["bound"] <= made.centres["objective"] + 1e-6).all()


def changed(tables: dict[str, pl.DataFrame], name: str, frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {**tables, name: frame}


def test_the_checker_finds_what_is_wrong() -> None:
    made = make_roster(
        Workforce("w", rules(days_in_a_row=2), hourly=hourly(3, {9: 30.0, 17: 30.0})), seconds=2
    )
    tables, known = dict(made.tables), made.rules.to_dict()
    assert check_roster(tables, known) == ()
    work, shifts = tables["roster"], tables["shifts"]

    def found(name: str, frame: pl.DataFrame, **other: object) -> str:
        return "\n".join(check_roster(changed(tables, name, frame), known | other))

    assert "regular staff asked for" in found("roster", work.head(work.height - 1))
    assert "works twice" in found("roster", pl.concat([work, work.head(1)]))
    assert "overdue" in found("shifts", shifts.with_columns(temporary=pl.lit(0), regular=pl.lit(1)))
    assert "not among the people" in found("roster", work.with_columns(person_id=pl.lit("nobody")))
    assert "days in a row" in found("roster", work, days_in_a_row=0)
    gone = work.select("site", "person_id", "date").head(1)
    assert "is absent" in found("absences", gone)
    assert "rests" in found("roster", work, rest_h=24.0)
    low = tables["centres"].with_columns(bound=pl.col("objective") + 1)
    assert "lies above" in found("centres", low)


def test_late_pieces_by_hand() -> None:
    done, waiting = sorted_by([50.0, 0.0, 0.0], np.array([20.0, 20.0, 20.0]))
    assert (done.tolist(), waiting.tolist()) == ([20.0, 20.0, 10.0], [30.0, 10.0, 0.0])
    assert late_pieces(np.array([50.0, 0.0, 0.0]), waiting, 1).tolist() == [0.0, 10.0, 0.0]


@pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the examples are not here: needs a checkout")
def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "roster"
    asked = [
        "workforce",
        "roster",
        str(EXAMPLE),
        "-o",
        str(out),
        "--centre",
        "EX2",
        "--seconds",
        "3",
        "--json",
    ]
    assert main(asked) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["centres"] == 1
    assert 0 <= said["gap"] < 0.15
    assert main(["workforce", "check", str(out), "--json"]) == 0
    capsys.readouterr()
    page = (out / "report.html").read_text("utf-8")
    assert "EX2-p01" in page
    work = pl.read_csv(out / "roster.csv")
    work.head(work.height - 1).write_csv(out / "roster.csv")
    assert main(["workforce", "check", str(out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["faults"]
    assert main(["workforce", "workload", str(EXAMPLE), "-o", str(tmp_path / "w"), "--json"]) == 0
    load = json.loads(capsys.readouterr().out)
    assert load["by_outlet"][0]["gini_after"] < load["by_outlet"][0]["gini"]
    assert main(["workforce", "hours", str(EXAMPLE), "-o", str(tmp_path / "h"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["people_in_breach"] == 1
    page = (tmp_path / "h" / "report.html").read_text("utf-8")
    assert "劳动法第 41 条" in page
    rows = [row for table in Page(page).tables.values() for row in table]
    often = next(row for row in rows if "overtime of a day" in row[2])  # 3.5 h on 14 days, one row
    assert [cell.split()[-1] for cell in (often[0], *often[3:6])] == ["c02", "14", "3.5", "3"]
    rest = next(row for row in rows if "weekly rest" in row[2])  # the shortest rest is the worst
    assert [cell.split()[-1] for cell in rest[3:6]] == ["2", "11.5", "24"]
    assert "日均件数为中位数的" in (tmp_path / "w" / "report.html").read_text("utf-8")


def test_days_ahead_are_forecast_and_a_higher_quantile_asks_for_more() -> None:
    known = Workforce("w", rules(), hourly=hourly(28, {8: 60.0, 17: 30.0}))
    last = date(2026, 4, 1)  # 28 days are known, to 29 March
    ahead = {q: hourly_ahead(known, ("S",), last, q) for q in (0.1, 0.5, 0.9)}
    days = {}
    for q, (made, notes) in ahead.items():
        later = made.filter(pl.col("date") > date(2026, 3, 29))
        assert later["date"].unique().sort().to_list() == [date(2026, 3, 30), date(2026, 3, 31), last]
        assert made.filter(pl.col("date") <= date(2026, 3, 29)).equals(known.hourly)
        assert f"quantile {q:g}" in notes[0]
        days[q] = later.group_by("date").agg(pl.col("pieces").sum()).sort("date")["pieces"].to_list()
        # hours share a day as they did before: two thirds at 8, one third at 17
        by_hour = later.group_by("hour").agg(pl.col("pieces").sum()).sort("hour")["pieces"]
        assert by_hour[0] == pytest.approx(2 * by_hour[1], rel=1e-3)
    assert all(low < middle < high for low, middle, high in zip(*days.values(), strict=True))
    assert days[0.5] == pytest.approx([90.0] * 3, rel=0.01)  # it never was anything else
    given, notes = hourly_ahead(known, ("S",), date(2026, 3, 10), 0.9)
    assert (given.height, len(notes)) == (56, 1)  # all days are known: the quantile changes nothing
    for wrong in (0.0, 1.0, float("nan")):
        with pytest.raises(UsageError, match="0.01 to 0.99"):
            hourly_ahead(known, ("S",), last, wrong)


def attendance(rows: list[tuple[str, str, str]]) -> Workforce:
    frame = pl.DataFrame(rows, ["person_id", "begin", "end"], orient="row")
    empty = [pl.lit(None, pl.Float64).alias("break_h"), pl.lit(None, pl.String).alias("kind")]
    return Workforce("a", read_roster_rules(), attendance=frame.with_columns(empty))


def test_hours_across_midnight_and_zones() -> None:
    # 22:00 to 06:00 in China, once written in UTC: eight hours each, no overtime; nine hours rest once
    made = check_hours(
        attendance(
            [
                ("n", "2026-03-02T22:00+08:00", "2026-03-03T06:00+08:00"),
                ("n", "2026-03-03T07:00Z", "2026-03-03T15:00Z"),
            ]
        )
    )
    assert made.weeks["hours"].to_list() == [16.0]
    assert made.breaches.select("kind", "hours").rows() == [("rest_between", 9.0)]
    twelve = check_hours(attendance([("t", "2026-02-28T20:00+08:00", "2026-03-01T08:00+08:00")]))
    over = twelve.breaches.filter(pl.col("severity") == "breach")
    assert over.select("kind", "period", "hours", "article").rows() == [
        ("overtime_day", "2026-02-28", 4.0, "41")
    ]


def test_a_week_without_a_day_of_rest() -> None:
    days = [("w", f"2026-03-{d:02d}T08:00+08:00", f"2026-03-{d:02d}T16:00+08:00") for d in range(2, 9)]
    made = check_hours(attendance(days))
    assert made.breaches.filter(pl.col("kind") == "weekly_rest")["hours"].to_list() == [16.0]
    assert (
        check_hours(attendance(days[:5] + days[6:]))
        .breaches.filter(pl.col("kind") == "weekly_rest")
        .is_empty()
    )


def test_overlapping_records_count_once_and_wrong_ones_are_told() -> None:
    twice = [
        ("o", "2026-03-02T08:00+08:00", "2026-03-02T16:00+08:00"),
        ("o", "2026-03-02T12:00+08:00", "2026-03-02T17:00+08:00"),
    ]
    made = check_hours(attendance(twice))
    assert (made.merged, made.weeks["hours"].to_list()) == (1, [9.0])
    with pytest.raises(InputError, match="bad-value"):
        check_hours(attendance([("x", "2026-03-02T08:00+08:00", "2026-03-02T07:00+08:00")]))


def test_fairness_by_hand() -> None:
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert jain(np.array([1.0, 3.0])) == pytest.approx(0.8)


def test_moves_are_the_best_of_all() -> None:
    pieces = {"c1": [("a", 50.0), ("b", 30.0), ("c", 20.0)], "c2": [("d", 40.0)], "c3": [("e", 10.0)]}
    rows = [(MONDAY, c, "O", a, p, None, None) for c, areas in pieces.items() for a, p in areas]
    columns = ["date", "courier", "outlet", "area", "pieces", "hours", "km"]
    frame = pl.DataFrame(rows, columns, orient="row").with_columns(pl.col("hours", "km").cast(pl.Float64))
    made = assess_workload(Workforce("m", read_roster_rules(), deliveries=frame), moves=1)
    areas = [(a, c, p) for c, listed in pieces.items() for a, p in listed]
    best = min(
        sum(abs(sum(p for a, own, p in areas if (to if a == moved else own) == c) - 50.0) for c in pieces)
        for moved in "abcde"
        for to in pieces
    )
    assert made.moves.height == 1
    loads = {c: sum(p for _, p in listed) for c, listed in pieces.items()}
    row = made.moves.row(0, named=True)
    loads[row["from_courier"]] -= row["pieces_per_day"]
    loads[row["to_courier"]] += row["pieces_per_day"]
    assert sum(abs(load - 50.0) for load in loads.values()) == pytest.approx(best)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("site,date,hour,pieces\nS,2026-03-02,24,5\n", "0 to 23"),
        ("site,date,hour,pieces\nS,2026-13-02,4,5\n", "YYYY-MM-DD"),
        ("site,date,hour,pieces\nS,2026-03-02,4,-5\n", "0 or more"),
        ("site,date,hour\nS,2026-03-02,4\n", "missing-column"),
        ("site,date,hour,pieces\nS,2026-03-02,4,5\nS,2026-03-02,4,6\n", "duplicate-row"),
        ("", "empty-file"),
    ],
)
def test_wrong_volumes_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "hourly.csv").write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_workforce(tmp_path, needs=("hourly",))


def test_chinese_files_of_excel_are_read(tmp_path: Path) -> None:
    (tmp_path / "hourly.csv").write_bytes("site,date,hour,pieces\n杭州,2026-03-02,9,20\n".encode("gb18030"))
    known = read_workforce(tmp_path, needs=("hourly",))
    made = make_roster(known, seconds=1)
    assert made.centres["site"].to_list() == ["杭州"]
    with pytest.raises(InputError, match="unknown-site"):
        make_roster(known, sites=("杭洲",))
    with pytest.raises(UsageError, match="is before the first"):
        make_roster(known, begin=date(2026, 3, 2), end=date(2026, 3, 1))


def test_wrong_rules_are_told_all_at_once(tmp_path: Path) -> None:
    shipped = Path(__file__).parent.parent / "changtong" / "workforce" / "roster_rules.toml"
    if not shipped.is_file():
        pytest.skip("needs a checkout")
    text = shipped.read_text("utf-8").replace('"05:00"', '"25:00"').replace('"B"', '"A"')
    (tmp_path / "rules.toml").write_text(
        text.replace("attendance_share = 0.85", "attendance_share = 1.5"), "utf-8"
    )
    with pytest.raises(InputError) as told:
        read_roster_rules(tmp_path / "rules.toml")
    assert len(told.value.problems) == 3
