"""Opening hours in plans of visits: by hand, against every order of every set, and seen by the checker."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from visit_cases import MONDAY, RULES, best_by_enumeration, collected, hours_table, recent, supervision

from changtong.cli import main
from changtong.errors import InputError
from changtong.safety import visit_question as question_module
from changtong.safety.opening_hours import read_openings
from changtong.safety.supervision import Supervision, read_supervision
from changtong.safety.visit_check import check_visits
from changtong.safety.visit_plan import VisitPlan, plan_visits
from changtong.safety.visit_question import visit_question
from changtong.studies import run_study

EXAMPLE = Path(__file__).parent.parent / "examples" / "safety"
Hours = list[tuple[str, str, str | None, str | None]]
TUESDAY = date(2026, 3, 10)


def ways(minutes: float, *places: str) -> list[dict[str, Any]]:
    """The same minutes between any two places."""
    return [{"from": a, "to": b, "minutes": minutes} for a in places for b in places if a != b]


def planned(known: Supervision, days: int = 1, **more: Any) -> VisitPlan:
    return plan_visits(known, begin=MONDAY, days=days, iterations=100, **more)


def times(plan: VisitPlan) -> list[tuple[object, ...]]:
    return plan.visits.sort("day", "order").select("site_id", "arrives", "waits_min", "leaves").rows()


# --- the table -----------------------------------------------------------------------------


def test_windows_that_meet_or_overlap_are_one_and_days_without_a_row_are_shut() -> None:
    rows: Hours = [
        ("A", "12", "13:00", "17:30"),
        ("A", "1", "8:30", "12:00"),
        ("A", "3", "00:00", "12:00"),
        ("A", "3", "12:00", "24:00"),
        ("A", "4", "09:00", "11:00"),
        ("A", "4", "10:00:00", "10:30"),
        ("A", "67", None, ""),
    ]
    hour = 3600
    assert read_openings(hours_table(rows))["A"].week == (
        ((int(8.5 * hour), 12 * hour), (13 * hour, int(17.5 * hour))),
        ((13 * hour, int(17.5 * hour)),),
        ((0, 24 * hour),),
        ((9 * hour, 11 * hour),),
        (),
        (),
        (),
    )


def test_every_fault_of_opening_hours_is_told_with_those_of_other_tables(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text("site_id,kind,lon,lat\nA,outlet,110,34\n", "utf-8")
    (tmp_path / "inspectors.csv").write_text("inspector_id,lon,lat\nI,x,34\n", "utf-8")
    table = tmp_path / "opening_hours.csv"
    rows = [
        "A,8,09:00,12:00",
        "A,1,9,12:60",
        "A,1,22:00,06:00",
        "A,2,09:00,12:00",
        "A,2,,",
        "B,1,09:00,",
        "A,,1:00,2:00",
    ]
    table.write_text("site_id,weekdays,opens,closes\n" + "\n".join(rows) + "\n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_supervision(tmp_path)
    hours = "opening_hours.csv"
    told = {(p.code, p.file, p.row, p.column) for p in caught.value.problems}
    assert told == {
        ("wrong-type", "inspectors.csv", 1, "lon"),
        ("bad-value", hours, 7, "weekdays"),
        ("bad-value", hours, 1, "weekdays"),
        ("bad-value", hours, 2, "opens"),
        ("bad-value", hours, 2, "closes"),
        ("bad-value", hours, 3, "closes"),
        ("bad-value", hours, 5, "weekdays"),
        ("unknown-site", hours, 6, "site_id"),
        ("bad-value", hours, 6, "closes"),
    }
    (tmp_path / "inspectors.csv").write_text("inspector_id,lon,lat\nI,110,34\n", "utf-8")
    table.write_text("site_id,weekdays,open,closes\nA,1,09:00,12:00\n", "utf-8")
    with pytest.raises(InputError) as caught:  # a wrong heading shuts no site
        read_supervision(tmp_path)
    assert [(p.code, p.column) for p in caught.value.problems] == [("missing-column", "opens")]


# --- by hand -------------------------------------------------------------------------------


def test_who_comes_too_late_for_the_morning_waits_until_after_lunch() -> None:
    # 09:00 to A in 30 minutes; a visit takes 40 and would end at 10:10
    hours: Hours = [("A", "12345", "09:00", "10:09"), ("A", "12345", "14:00", "15:00")]
    known = supervision([{"site_id": "A"}], travel=ways(30, "I", "A"), hours=hours)
    plan = planned(known)
    assert times(plan) == [("A", "09:30", 270.0, "14:40")]
    assert plan.team_days.select("back", "hours").row(0) == ("15:10", pytest.approx(6 + 1 / 6, abs=1e-3))
    hours[0] = ("A", "12345", "09:00", "10:10")
    assert times(planned(supervision([{"site_id": "A"}], travel=ways(30, "I", "A"), hours=hours))) == [
        ("A", "09:30", 0.0, "10:10")
    ]


def test_hours_say_the_order_and_lunch_is_used_for_who_is_open() -> None:
    # 30 minutes each way: A 09:30–10:10, C 10:40–11:20, B from 12:00 on where it opens, and back by 13:10
    hours: Hours = [("A", "1", "09:00", "10:10"), ("B", "1", "12:00", "12:40"), ("C", "1", "00:00", "24:00")]
    one = [{"inspector_id": "I", "lon": 110.0, "lat": 34.0, "hours_per_day": 4.5}]
    sites = [{"site_id": site} for site in "CBA"]
    known = supervision(sites, one, travel=ways(30, "I", *"ABC"), hours=hours)
    assert times(planned(known)) == [
        ("A", "09:30", 0.0, "10:10"),
        ("C", "10:40", 0.0, "11:20"),
        ("B", "11:50", 10.0, "12:40"),
    ]


def test_weekdays_count() -> None:
    hours: Hours = [("A", "2", "09:00", "17:00"), ("B", "1", "09:00", "12:00"), ("B", "2", "18:00", "20:00")]
    known = supervision(
        [{"site_id": site} for site in "ABC"],
        travel=ways(10, "I", *"ABC"),
        hours=[*hours, ("C", "67", "09:00", "17:00")],
    )
    plan = planned(known, days=2)
    assert dict(plan.visits.select("site_id", "day").iter_rows()) == {"A": TUESDAY, "B": MONDAY}
    assert plan.left.select("site_id", "reason").rows() == [("C", "shut")]


def test_what_opening_hours_make_impossible_is_named() -> None:
    hours: Hours = [
        ("short", "1", "09:30", "10:00"),
        ("short", "1", "14:00", "14:39"),
        ("late", "1", "17:00", "20:00"),
        ("sunday", "7", "00:00", "24:00"),
        ("never", "1234567", None, None),
        ("far", "1", "00:00", "24:00"),
        ("skill", "1234567", None, None),
    ]
    sites: list[dict[str, Any]] = [{"site_id": site} for site in ("short", "late", "sunday", "never", "fine")]
    sites += [{"site_id": "far", "lon": 118.0}, {"site_id": "skill", "needs": "x"}]
    known = supervision(
        sites, visits=recent("short", "never"), hours=[*hours, ("else", "1", "09:00", "10:00")]
    )
    plan = planned(known)
    assert plan.visits["site_id"].to_list() == ["fine"]
    assert dict(plan.left.select("site_id", "reason").iter_rows()) == {
        "short": "open_too_short",
        "late": "open_other_times",
        "sunday": "shut",
        "never": "shut",
        "far": "too_far",
        "skill": "no_skill",
    }
    summary = plan.summary()
    assert summary["left_by_reason"] == {
        "no_skill": 1, "open_other_times": 1, "open_too_short": 1, "shut": 2, "too_far": 1,
    }  # fmt: skip
    assert summary["hours_of_unknown_sites"] == ["else"]
    assert "cannot be visited: short (open_too_short)" in str(plan)
    assert "due and left: late" in str(plan)
    assert "opening hours of unknown sites: else" in str(plan)


def test_what_was_drawn_is_open_to_the_team_that_was_drawn() -> None:
    teams = [
        {"inspector_id": name, "lon": 110.0, "lat": 34.0, "starts_h": starts, "hours_per_day": 4.0}
        for name, starts in (("E", 8.0), ("L", 14.0))
    ]
    hours: Hours = [("A", "1", "15:00", "17:00"), ("B", "1", "18:30", "20:00")]
    known = supervision([{"site_id": "A"}, {"site_id": "B"}], teams, recent("A", "B"), hours=hours)
    for seed in range(4):
        plan = planned(known, random_share=1.0, seed=seed)
        assert plan.visits.select("site_id", "team", "drawn").rows() == [("A", "L", True)]
        assert plan.left.select("site_id", "reason", "drawn").rows() == [("B", "open_other_times", False)]


# --- against all orders --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_small_plans_with_opening_hours_are_as_good_as_any(seed: int) -> None:
    dice = np.random.default_rng(seed)
    sites, hours = [], []
    for k in range(5):
        sites.append(
            {
                "site_id": f"S{k}",
                "lon": 110 + float(dice.normal(0, 0.2)),
                "lat": 34 + float(dice.normal(0, 0.2)),
                "kind": str(dice.choice(["outlet", "sorting", "other"])),
                "pieces_per_day": float(dice.integers(1, 90_000)),
            }
        )
        for day in "12":
            begin = int(dice.integers(8, 15))
            hours.append((f"S{k}", day, f"{begin:02d}:15", f"{begin + int(dice.integers(1, 3)):02d}:30"))
            hours.append((f"S{k}", day, f"{begin + 3:02d}:00", f"{begin + 4:02d}:45"))
    days = 1 + seed % 2
    known = supervision(sites, visits=recent("S0", "S1"), hours=hours[4:])  # S0 is open at any time
    question = visit_question(known, RULES, MONDAY, days)
    plan = plan_visits(known, begin=MONDAY, days=days, seed=seed, iterations=300)
    best = best_by_enumeration(question)
    assert abs(collected(plan, question) - best) <= 4 * days  # hours are rounded
    assert best < best_by_enumeration(replace(question, openings={}, windows={}))  # the hours bind


HOURS = st.lists(
    st.tuples(
        st.sampled_from([f"S{k:02d}" for k in range(1, 25)]),
        st.sampled_from(["1", "23", "12345", "4567"]),
        st.integers(0, 20),
        st.integers(1, 8),
    ),
    max_size=40,
)


@settings(max_examples=examples(12), deadline=None)
@given(HOURS, st.sampled_from([0.0, 0.4]))
def test_any_opening_hours_give_a_plan_that_passes(
    rows: list[tuple[str, str, int, int]], share: float
) -> None:
    # plan_visits drives every plan once more and fails otherwise
    hours = [(site, days, f"{opens:02d}:10", f"{min(opens + h, 24):02d}:00") for site, days, opens, h in rows]
    known = replace(read_supervision(EXAMPLE), opening_hours=hours_table(hours))
    ask: dict[str, Any] = {"begin": MONDAY, "days": 5, "iterations": 30, "random_share": share, "seed": 1}
    plan = plan_visits(known, **ask)
    assert plan.visits.height + plan.left.height == 24
    assert plan.visits.equals(plan_visits(known, **ask).visits)


# --- the checker ---------------------------------------------------------------------------


def test_the_checker_sees_visits_that_are_not_within_the_hours() -> None:
    hours: Hours = [("A", "1", "09:00", "12:00"), ("A", "1", "13:00", "17:00")]
    known = supervision([{"site_id": "A"}], travel=ways(30, "I", "A"), hours=hours)
    plan = planned(known)
    assert times(plan) == [("A", "09:30", 0.0, "10:10")]

    def faults(rows: Hours, visits: pl.DataFrame = plan.visits) -> tuple[str, ...]:
        other = replace(known, opening_hours=hours_table(rows))
        return check_visits(other, RULES, MONDAY, 1, visits, plan.left)

    assert faults(hours) == faults([]) == faults([("A", "1", "09:30", "10:10")]) == ()
    assert faults([("A", "1", "09:00", "09:50"), ("A", "1", "09:50", "11:00")]) == ()
    assert "A is not open for a whole visit after 09:30" in faults([("A", "1", "09:00", "10:09")])
    assert "A is not open for a whole visit after 09:30" in faults([("A", "2", "09:00", "17:00")])
    assert "A is not open for a whole visit after 09:30" in faults([("A", "1", None, "")])
    assert any("waits 0.0 min" in one for one in faults([("A", "1", "09:40", "17:00")]))
    waited = plan.visits.with_columns(waits_min=pl.lit(30.0), leaves=pl.lit("10:40"))
    assert any("waits 30.0 min" in one for one in faults(hours, waited))


# --- how much is looked at, and the command ------------------------------------------------


def test_days_that_differ_out_of_working_hours_are_alike_and_windows_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hours: Hours = [("A", "1", "08:00", "20:00"), ("A", "2", "07:00", "22:00")]
    hours += [(site, "12", *window) for site in "BC" for window in (("09:00", "12:00"), ("13:00", "17:00"))]
    known = supervision([{"site_id": site} for site in "ABC"], hours=hours)
    question = visit_question(known, RULES, MONDAY, 2)
    row = {site: k for k, site in enumerate(question.sites["site_id"])}
    assert dict(question.windows[row["A"]]) == {(9 * 3600, 17 * 3600): frozenset({MONDAY, TUESDAY})}
    assert [len(question.windows[row[site]]) for site in "ABC"] == [1, 2, 2]
    monkeypatch.setattr(question_module, "MOST_WINDOWS", 4)
    less = visit_question(known, RULES, MONDAY, 2)
    assert (less.sites["site_id"].to_list(), less.left_out) == (["A", "B"], 1)
    assert planned(known, days=2).summary()["not_looked_at"] == 1


def test_python_and_command_line_keep_the_same_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["safety", "visits", str(EXAMPLE), "--begin", "2026-03-09", "--days", "5", "--iterations", "100"]
    main([*ask, "-o", str(tmp_path / "V"), "--json"])
    facts = json.loads(capsys.readouterr().out)
    study = run_study("visits", read_supervision(EXAMPLE), begin=MONDAY, days=5, iterations=100)
    assert study.result.to_json() == {k: v for k, v in facts.items() if k != "folder"}
    written = pl.read_csv(tmp_path / "V" / "visits.csv")
    assert written["waits_min"].to_list() == study.result.visits["waits_min"].to_list()
    known = read_supervision(EXAMPLE)
    free = replace(known, opening_hours=known.opening_hours.clear())
    assert not plan_visits(free, begin=MONDAY, days=5, iterations=100).visits.equals(study.result.visits)
    table = EXAMPLE / "opening_hours.csv"
    shutil.copytree(EXAMPLE, tmp_path / "S")
    (tmp_path / "S" / table.name).write_text(table.read_text("utf-8").replace("12345", "8"), "utf-8")
    assert main(["safety", "visits", str(tmp_path / "S"), *ask[3:], "-o", str(tmp_path / "W"), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["problems"]
    assert {(p["code"], p["file"]) for p in told} == {("bad-value", "opening_hours.csv")}
    assert not (tmp_path / "W").exists()
