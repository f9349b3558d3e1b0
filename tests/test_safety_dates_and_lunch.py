"""Opening hours of single dates, and the lunch of a team: what was planned, and what the checker sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visit_cases import MONDAY, RULES, best_by_enumeration, collected, hours_table, recent, supervision

from changtong.errors import InputError
from changtong.safety.opening_hours import read_openings
from changtong.safety.supervision import read_supervision
from changtong.safety.visit_check import check_visits
from changtong.safety.visit_plan import VisitPlan, plan_visits
from changtong.safety.visit_question import visit_question

EXAMPLE = Path(__file__).parent.parent / "examples" / "safety"
TUESDAY = date(2026, 3, 10)
H = 3600


def ways(minutes: float, *places: str) -> list[dict[str, Any]]:
    return [{"from": a, "to": b, "minutes": minutes} for a in places for b in places if a != b]


def inspector(**more: Any) -> list[dict[str, Any]]:
    return [{"inspector_id": "I", "lon": 110.0, "lat": 34.0} | more]


NOON = {"lunch_min": 60.0, "lunch_from": "11:30", "lunch_until": "13:30"}


def planned(known: Any, days: int = 1, **more: Any) -> VisitPlan:
    return plan_visits(known, begin=MONDAY, days=days, iterations=more.pop("iterations", 100), **more)


def shown(plan: VisitPlan) -> list[tuple[object, ...]]:
    return plan.visits.select("site_id", "lunch", "arrives", "waits_min", "leaves").rows()


# --- single dates --------------------------------------------------------------------------


def test_a_date_counts_instead_of_its_weekday() -> None:
    rows = [
        ("A", "12345", "09:00", "17:00"),
        ("A", None, None, None, "2026-03-09"),
        ("B", None, "13:00", "17:00", "2026-03-10;2026-03-12/2026-03-13"),
        ("B", None, "09:00", "10:00", "2026-03-10"),
        ("C", " ", "", "", "2026-05-01 / 2026-05-05; 2026-10-01"),
    ]
    found = read_openings(hours_table(rows))
    assert [found["A"].on(day) for day in (MONDAY, TUESDAY)] == [(), ((9 * H, 17 * H),)]
    assert found["A"].on(date(2026, 3, 14)) == ()  # Saturday
    assert found["B"].on(TUESDAY) == ((9 * H, 10 * H), (13 * H, 17 * H))
    assert [found["B"].on(date(2026, 3, day)) for day in (11, 12, 13, 14)] == [
        ((0, 24 * H),), ((13 * H, 17 * H),), ((13 * H, 17 * H),), ((0, 24 * H),),
    ]  # fmt: skip
    assert [found["C"].on(date(2026, 5, day)) for day in (1, 5)] == [(), ()]
    assert found["C"].on(date(2026, 5, 6)) == ((0, 24 * H),)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (("A", "1", "09:00", "10:00", "2026-03-09"), "weekdays"),
        (("A", None, "09:00", "10:00", None), "weekdays"),
        (("A", None, "09:00", "10:00", "2026-02-30"), "dates"),
        (("A", None, "09:00", "10:00", "9.3.2026"), "dates"),
        (("A", None, "09:00", "10:00", "2026-03-10/2026-03-09"), "dates"),
        (("A", None, "09:00", "10:00", "2026-01-01/2027-06-01"), "dates"),
        (("A", None, "09:00", "10:00", "2026-03-09/"), "dates"),
        (("A", None, "09:00", "10:00", "三月九日"), "dates"),
        (("A", None, "09:00", "10:00", ";"), "dates"),
        (("A", None, "10:00", "09:00", "2026-03-09"), "closes"),
    ],
)
def test_faults_of_dates_are_told(row: tuple[str | None, ...], column: str) -> None:
    with pytest.raises(InputError) as caught:
        read_openings(hours_table([("B", "1", "09:00", "10:00"), row]))
    assert [(p.code, p.row, p.column) for p in caught.value.problems] == [("bad-value", 2, column)]


def test_a_date_that_is_open_and_shut_is_told() -> None:
    rows = [("A", None, "09:00", "10:00", "2026-03-09/2026-03-11"), ("A", None, None, None, "2026-03-10")]
    with pytest.raises(InputError) as caught:
        read_openings(hours_table(rows))
    assert [p.message for p in caught.value.problems] == ["A is open and shut on 2026-03-10."]


def test_plans_keep_dates_and_the_checker_sees_those_that_do_not() -> None:
    rows = [("A", None, None, None, "2026-03-09"), ("B", "1", "09:00", "17:00"), ("C", "7", None, None)]
    known = supervision([{"site_id": site} for site in "ABC"], travel=ways(10, "I", *"ABC"), hours=rows)
    plan = planned(known, days=2)
    assert dict(plan.visits.select("site_id", "day").iter_rows()) == {"A": TUESDAY, "B": MONDAY}
    assert plan.left.select("site_id", "reason").rows() == [("C", "shut")]
    assert planned(known).left.select("site_id", "reason").rows() == [("A", "shut"), ("C", "shut")]

    def faults(*more: tuple[str | None, ...]) -> str:
        other = replace(known, opening_hours=hours_table([*rows, *more]))
        return "; ".join(check_visits(other, RULES, MONDAY, 2, plan.visits, plan.left))

    assert faults() == faults(("A", None, "09:00", "10:00", "2026-03-10")) == ""
    assert "A is not open" in faults(("A", None, None, None, "2026-03-10/2026-03-12"))
    assert "waits 0.0 min at B" in faults(("B", None, "12:00", "17:00", "2026-03-09"))
    assert "at B" not in faults(("B", None, None, None, "2026-03-10"))


# --- lunch, by hand ------------------------------------------------------------------------


def test_lunch_is_taken_where_the_day_ends_earliest() -> None:
    # 30 minutes each way, visits of 40: A 09:30–10:10, B 10:40–11:20, then lunch 11:30 on the way to C
    sites = [{"site_id": site} for site in "ABC"]
    hours = [("A", "1", "09:00", "10:10"), ("B", "1", "10:00", "11:20"), ("C", "1", "12:00", "17:00")]
    known = supervision(sites, inspector(**NOON), travel=ways(30, "I", *"ABC"), hours=hours)
    plan = planned(known)
    assert shown(plan) == [
        ("A", None, "09:30", 0.0, "10:10"),
        ("B", None, "10:40", 0.0, "11:20"),
        ("C", "11:30", "12:50", 0.0, "13:30"),  # 30 minutes on the road around an hour of lunch
    ]
    assert plan.team_days.select("lunch", "back").row(0) == ("11:30", "14:00")
    # C opens late: there by 11:50, lunch there from 11:50 on would be as good; it begins as early as can be
    late = replace(known, opening_hours=hours_table([*hours[:2], ("C", "1", "15:00", "17:00")]))
    assert shown(planned(late))[2] == ("C", "11:30", "12:50", 130.0, "15:40")


def test_who_is_back_early_or_begins_late_has_lunch_out_of_hours() -> None:
    known = supervision([{"site_id": "A"}], inspector(**NOON), travel=ways(30, "I", "A"))
    plan = planned(known)
    assert shown(plan) == [("A", None, "09:30", 0.0, "10:10")]
    assert plan.team_days.select("lunch", "back").row(0) == (None, "10:40")
    after = supervision(
        [{"site_id": "A"}], inspector(**NOON, starts_h=12.5, hours_per_day=2.0), travel=ways(30, "I", "A")
    )
    assert shown(planned(after)) == [("A", None, "13:00", 0.0, "13:40")]
    # back at 12:40 at the earliest: too late for an hour until 13:30, so lunch is on the way
    far = replace(known, travel=supervision([{"site_id": "A"}], travel=ways(90, "I", "A")).travel)
    plan = planned(far)
    assert shown(plan) == [("A", None, "10:30", 0.0, "11:10")]
    assert plan.team_days.select("lunch", "back").row(0) == ("11:30", "13:40")


def test_a_visit_that_takes_all_of_lunch_is_left_and_its_reason_told() -> None:
    hours = [("A", "1", "11:40", "13:20")]
    known = supervision([{"site_id": "A", "kind": "sorting"}], inspector(**NOON), hours=hours)
    assert planned(known).left["reason"].to_list() == ["open_too_short"]
    known = supervision([{"site_id": "A"}], inspector(**NOON), hours=[("A", "1", "12:00", "12:50")])
    plan = planned(known)
    assert plan.left["reason"].to_list() == ["no_lunch"]
    assert "cannot be visited: A (no_lunch)" in str(plan) or "due and left: A" in str(plan)


def test_teams_have_the_longest_lunch_at_times_all_have() -> None:
    both = [
        *inspector(team="T", **NOON),
        {"inspector_id": "J", "team": "T", "lon": 110.0, "lat": 34.0}
        | {"lunch_min": 30.0, "lunch_from": "12:00", "lunch_until": "14:00"},
    ]
    question = visit_question(supervision([{"site_id": "A"}], both), RULES, MONDAY, 1)
    lunch = question.teams[0].lunch
    assert lunch is not None
    assert (lunch.length_s, lunch.from_s, lunch.until_s) == (3600, 12 * H, int(13.5 * H))
    both[1]["lunch_from"] = "12:45"
    with pytest.raises(InputError, match="no time for lunch in common"):
        visit_question(supervision([{"site_id": "A"}], both), RULES, MONDAY, 1)


@pytest.mark.parametrize(
    ("lunch", "columns"),
    [
        ({"lunch_min": 60.0}, ["lunch_from", "lunch_until"]),
        ({"lunch_from": "11:30", "lunch_until": "12:30"}, ["lunch_min"]),
        ({**NOON, "lunch_min": -5.0}, ["lunch_min"]),
        ({**NOON, "lunch_min": 30.5}, ["lunch_min"]),
        ({**NOON, "lunch_min": 300.0}, ["lunch_min"]),
        ({**NOON, "lunch_from": "中午"}, ["lunch_from"]),
        ({**NOON, "lunch_from": "25:00", "lunch_until": "x"}, ["lunch_from", "lunch_until"]),
        ({**NOON, "lunch_until": "12:29"}, ["lunch_until"]),
    ],
)
def test_faults_of_lunch_are_told(lunch: dict[str, Any], columns: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        visit_question(supervision([{"site_id": "A"}], inspector(**lunch)), RULES, MONDAY, 1)
    assert [(p.code, p.column) for p in caught.value.problems] == [("bad-value", name) for name in columns]


# --- against all orders and all minutes ----------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_small_plans_with_lunch_are_as_good_as_any(seed: int) -> None:
    dice = np.random.default_rng(seed)
    sites, hours = [], []
    for k in range(5):
        sites.append(
            {
                "site_id": f"S{k}",
                "lon": 110 + float(dice.normal(0, 0.15)),
                "lat": 34 + float(dice.normal(0, 0.15)),
                "kind": str(dice.choice(["outlet", "other"])),
                "pieces_per_day": float(dice.integers(1, 90_000)),
            }
        )
        begin = int(dice.integers(9, 14))
        hours.append((f"S{k}", "1", f"{begin:02d}:15", f"{begin + int(dice.integers(1, 4)):02d}:30"))
    lunch = {"lunch_min": 45.0, "lunch_from": "11:00", "lunch_until": "13:30", "hours_per_day": 6.0}
    known = supervision(sites, inspector(**lunch), visits=recent("S0", "S1"), hours=hours[2:])
    question = visit_question(known, RULES, MONDAY, 1)
    plan = planned(known, seed=seed, iterations=200)
    assert abs(collected(plan, question) - best_by_enumeration(question)) <= 4


ROWS = st.lists(
    st.tuples(
        st.sampled_from([f"S{k:02d}" for k in range(1, 25)]),
        st.sampled_from(["1", "12345", "2026-03-09", "2026-03-10/2026-03-12"]),
        st.integers(7, 16),
        st.integers(1, 8),
    ),
    max_size=30,
)


@settings(max_examples=10, deadline=None)
@given(ROWS, st.sampled_from([30.0, 60.0, 90.0]), st.sampled_from(["10:30", "11:30", "12:00"]))
def test_any_dates_and_lunches_give_a_plan_that_passes(
    rows: list[tuple[str, str, int, int]], minutes: float, begins: str
) -> None:
    # plan_visits drives every plan once more and fails otherwise
    table = [
        (site, None if "-" in days else days, f"{opens:02d}:10", f"{min(opens + h, 24):02d}:00")
        + ((days,) if "-" in days else ())
        for site, days, opens, h in rows
    ]
    known = read_supervision(EXAMPLE)
    people = known.inspectors.with_columns(
        lunch_min=pl.lit(minutes), lunch_from=pl.lit(begins), lunch_until=pl.lit("13:45")
    )
    known = replace(known, opening_hours=hours_table(table), inspectors=people)
    plan = planned(known, days=4, iterations=20)
    assert plan.visits.height + plan.left.height == 24
    assert plan.visits.equals(planned(known, days=4, iterations=20).visits)


# --- the checker ---------------------------------------------------------------------------


def test_the_checker_sees_lunch_that_is_wrong() -> None:
    sites = [{"site_id": site} for site in "AB"]
    hours = [("A", "1", "10:00", "11:40"), ("B", "1", "12:30", "17:00")]
    known = supervision(sites, inspector(**NOON), travel=ways(30, "I", *"AB"), hours=hours)
    plan = planned(known)
    assert shown(plan) == [("A", None, "09:30", 30.0, "10:40"), ("B", "11:30", "11:10", 0.0, "13:10")]

    def faults(**lunch: Any) -> str:
        people = supervision(sites, inspector(**{**NOON, **lunch})).inspectors
        found = check_visits(replace(known, inspectors=people), RULES, MONDAY, 1, plan.visits, plan.left)
        return "; ".join(found)

    assert faults() == ""
    assert "that nobody asked for" in faults(lunch_min=None)
    assert "out of its time" in faults(lunch_from="11:31")
    assert "out of its time" in faults(lunch_until="12:29")
    assert "cannot leave B" in faults(lunch_min=90.0)
    twice = plan.visits.with_columns(lunch=pl.lit("11:30"))
    assert any("twice" in one for one in check_visits(known, RULES, MONDAY, 1, twice, plan.left))
    early = plan.visits.with_columns(lunch=pl.Series([None, "10:20"]), waits_min=pl.Series([30.0, 0.0]))
    told = "; ".join(check_visits(known, RULES, MONDAY, 1, early, plan.left))
    assert "out of its time" in told
    assert "during a visit" in told
    none = plan.visits.with_columns(lunch=pl.lit(None, pl.String), waits_min=pl.Series([30.0, 80.0]))
    assert any("no lunch" in one for one in check_visits(known, RULES, MONDAY, 1, none, plan.left))
