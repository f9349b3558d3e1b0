"""Visits: what is due first, then the most risk in the hours; checked by driving every day again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from visit_cases import MONDAY, RULES, best_by_enumeration, collected, recent, supervision

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.safety.site_risk import site_risk
from changtong.safety.supervision import read_supervision
from changtong.safety.visit_check import check_visits
from changtong.safety.visit_plan import plan_visits
from changtong.safety.visit_question import visit_question
from changtong.safety.visit_rules import read_visit_rules
from changtong.studies import run_study

EXAMPLE = Path(__file__).parent.parent / "examples" / "safety"


# --- risk --------------------------------------------------------------------------------


def test_risk_adds_up_and_each_part_is_told() -> None:
    known = supervision(
        [
            {"site_id": "A", "kind": "transfer", "pieces_per_day": 999.0, "campaigns": "x; guns"},
            {"site_id": "B"},
        ],
        visits=[
            {"site_id": "A", "on": date(2025, 12, 9), "findings": 3},
            {"site_id": "A", "on": date(2024, 1, 1), "findings": 50},
            {"site_id": "A", "on": MONDAY, "findings": 9},  # today does not count yet
        ],
        hazards=[
            {"site_id": "A", "grade": "major", "state": "rectifying", "deadline": date(2026, 3, 1)},
            {"site_id": "A", "grade": "general", "state": "open"},
            {"site_id": "A", "grade": "general", "state": "closed"},
        ],
    )
    rows = {row["site_id"]: row for row in site_risk(known, RULES, MONDAY, running=("guns",)).to_dicts()}
    a, b = rows["A"], rows["B"]
    points = {k: v for k, v in a.items() if k.endswith("_points")}
    assert points == pytest.approx(
        {
            "hazard_points": 28,
            "finding_points": 3,
            "unvisited_points": 3,
            "size_points": 6,
            "kind_points": 6,
            "campaign_points": 5,
        }
    )
    assert a["risk"] == pytest.approx(sum(points.values()))
    assert (a["last_visit"], a["due_on"], a["due_reason"]) == (
        date(2025, 12, 9),
        date(2026, 3, 9),
        "frequency",
    )
    assert (b["risk"], b["due_on"], b["due_reason"]) == (12.0, MONDAY, "never_visited")
    assert site_risk(known, RULES, MONDAY)["campaign_points"].sum() == 0


def test_what_is_mended_is_due_to_be_looked_at_and_closed_sites_are_left_out() -> None:
    known = supervision(
        [{"site_id": "A"}, {"site_id": "B", "kind": "other"}, {"site_id": "C", "status": "closed"}],
        visits=recent("A"),
        hazards=[
            {"site_id": s, "grade": "general", "state": "recheck", "deadline": date(2026, 3, 12)}
            for s in "AB"
        ],
    )
    rows = {row["site_id"]: row for row in site_risk(known, RULES, MONDAY).to_dicts()}
    assert set(rows) == {"A", "B"}
    assert {rows[s]["due_reason"] for s in "AB"} == {"recheck"}
    assert rows["B"]["due_on"] == date(2026, 3, 12)  # no frequency for this kind
    none = supervision([{"site_id": "B", "kind": "other"}])
    assert site_risk(none, RULES, MONDAY)["due_on"].to_list() == [None]


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 400))
@settings(max_examples=examples(25), deadline=None)
def test_more_hazards_or_a_longer_time_never_make_a_site_less_risky(
    major: int, general: int, days: int
) -> None:
    def risk(major: int, general: int, days: int) -> float:
        hazards = [{"site_id": "A", "grade": "major", "state": "open"}] * major
        hazards += [{"site_id": "A", "grade": "general", "state": "open"}] * general
        visits = [{"site_id": "A", "on": MONDAY - timedelta(days=days + 1), "findings": 0}]
        return float(
            site_risk(supervision([{"site_id": "A"}], None, visits, hazards), RULES, MONDAY)["risk"][0]
        )

    base = risk(major, general, days)
    assert (
        min(risk(major + 1, general, days), risk(major, general + 1, days), risk(major, general, days + 20))
        >= base
    )


# --- plans -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_small_plans_are_as_good_as_any(seed: int) -> None:
    dice = np.random.default_rng(seed)
    sites = [
        {
            "site_id": f"S{k}",
            "lon": 110 + float(dice.normal(0, 0.25)),
            "lat": 34 + float(dice.normal(0, 0.2)),
            "kind": str(dice.choice(["outlet", "sorting", "other"])),
            "pieces_per_day": float(dice.integers(1, 90_000)),
        }
        for k in range(6)
    ]
    known = supervision(sites, visits=recent("S0", "S1", "S2", "S3"))
    question = visit_question(known, RULES, MONDAY, 1)
    plan = plan_visits(known, begin=MONDAY, days=1, seed=seed, iterations=300)
    assert abs(collected(plan, question) - best_by_enumeration(question)) <= 4  # hours are rounded
    assert plan.visits.height + plan.left.height == 6


def test_what_is_due_comes_before_what_is_riskier() -> None:
    near = {"lon": 110.01}
    sites = [{"site_id": "due", **near}] + [
        {"site_id": f"R{k}", "pieces_per_day": 1e6, **near} for k in range(9)
    ]
    hazards = [{"site_id": f"R{k}", "grade": "major", "state": "open"} for k in range(9)]
    one = [{"inspector_id": "I", "lon": 110.0, "lat": 34.0, "hours_per_day": 1.0}]
    known = supervision(sites, one, recent(*(f"R{k}" for k in range(9))), hazards)
    plan = plan_visits(known, begin=MONDAY, days=1, iterations=50)
    assert plan.visits["site_id"].to_list() == ["due"]
    assert set(plan.left["reason"]) == {"no_time"}


def test_among_many_sites_as_many_due_visits_are_made_as_without_the_others() -> None:
    dice = np.random.default_rng(7)
    sites = [
        {
            "site_id": f"S{k:03d}",
            "lon": 110 + float(dice.normal(0, 0.4)),
            "lat": 34 + float(dice.normal(0, 0.3)),
        }
        for k in range(150)
    ]
    inspectors = [
        {"inspector_id": f"I{k}", "lon": 110.0 + k / 9, "lat": 34.0, "hours_per_day": 6.0} for k in range(2)
    ]
    known = supervision(
        sites, inspectors, recent(*(f"S{k:03d}" for k in range(110)))
    )  # 40 were never visited
    alone = supervision(sites[110:], inspectors)
    ask: dict[str, Any] = {"begin": MONDAY, "days": 3, "iterations": 150}
    all_of_them, only_due = plan_visits(known, **ask).summary(), plan_visits(alone, **ask).summary()
    assert all_of_them["due"] == only_due["due"] == 40
    assert all_of_them["due_visited"] >= only_due["due_visited"] > 15


def test_what_nobody_can_visit_is_told_with_the_reason() -> None:
    sites = [
        {"site_id": "A", "needs": "x; y"},
        {"site_id": "B", "lon": 118.0},
        {"site_id": "C", "needs": "x"},
    ]
    pair = [
        {"inspector_id": "I1", "team": "T", "lon": 110.0, "lat": 34.0, "skills": "x", "weekdays": "12"},
        {"inspector_id": "I2", "team": "T", "lon": 99.0, "lat": 9.0, "away": "2026-03-10"},
    ]
    plan = plan_visits(supervision(sites, pair), begin=MONDAY, days=7, iterations=50)
    assert plan.visits.select("site_id", "inspectors", "day").rows() == [("C", "I1; I2", MONDAY)]
    assert dict(plan.left.select("site_id", "reason").iter_rows()) == {"A": "no_skill", "B": "too_far"}
    assert plan.team_days["day"].to_list() == [MONDAY]
    assert "due and left: A" in str(plan)
    alone = replace(RULES, least_people=3)
    with pytest.raises(UsageError, match="No team of 3"):
        plan_visits(supervision(sites, pair), begin=MONDAY, rules=alone)


def test_known_travel_times_count() -> None:
    sites = [{"site_id": "A", "lon": 110.1}]
    slow = [{"from": "I", "to": "A", "minutes": 500.0}]
    assert plan_visits(supervision(sites), begin=MONDAY, days=1, iterations=20).visits.height == 1
    plan = plan_visits(supervision(sites, travel=slow), begin=MONDAY, days=1, iterations=20)
    assert plan.left["reason"].to_list() == ["too_far"]


def test_the_same_seed_gives_the_same_plan_and_draw(tmp_path: Path) -> None:
    known = read_supervision(EXAMPLE)
    ask: dict[str, Any] = {"begin": MONDAY, "days": 5, "random_share": 0.3, "iterations": 200}
    one, same = plan_visits(known, seed=4, **ask), plan_visits(known, seed=4, **ask)
    assert one.visits.equals(same.visits)
    other = plan_visits(known, seed=5, **ask)
    drawn = [
        set(p.visits.filter("drawn")["site_id"]) | set(p.left.filter("drawn")["site_id"])
        for p in (one, other)
    ]
    assert drawn[0] != drawn[1]
    assert len(drawn[0]) == len(drawn[1]) > 0
    assert not one.visits.filter(pl.col("drawn") & pl.col("due")).height
    assert one.summary()["seed"] == 4
    none = plan_visits(known, **(ask | {"random_share": 0.0}))
    assert not none.visits["drawn"].any()


FAULTS: list[tuple[str, Any]] = [
    ("is visited twice", lambda v: pl.concat([v, v.head(1)])),
    ("cannot be at", lambda v: v.with_columns(arrives=pl.lit("09:00"), leaves=pl.lit("09:40"))),
    ("lacks", lambda v: v.with_columns(team=pl.lit("B"), day=pl.lit(date(2026, 3, 13)))),
    ("does not work", lambda v: v.with_columns(day=pl.lit(date(2026, 3, 14)))),
    ("none of the days", lambda v: v.with_columns(day=pl.lit(date(2026, 3, 23)))),
    ("is no team", lambda v: v.with_columns(team=pl.lit("Z"))),
    ("no site that can", lambda v: v.with_columns(site_id=pl.lit("Z"))),
    ("order is not", lambda v: v.with_columns(order=pl.lit(2, pl.Int64))),
    (
        " works ",
        lambda v: v.with_columns(day=pl.lit(MONDAY), team=pl.lit("A"), order=pl.int_range(1, v.height + 1)),
    ),
]


@pytest.mark.parametrize(("said", "spoil"), FAULTS, ids=[said.strip() for said, _ in FAULTS])
def test_the_checker_sees_every_fault(said: str, spoil: Any) -> None:
    known = read_supervision(EXAMPLE)
    if said == "lacks":
        skills = known.inspectors.with_columns(skills=pl.lit(None, pl.String), weekdays=pl.lit("12345"))
        spoiled = replace(known, inspectors=skills)
    else:
        spoiled = known
    plan = plan_visits(known, begin=MONDAY, days=5, iterations=100)
    assert check_visits(known, RULES, MONDAY, 5, plan.visits, plan.left) == ()
    faults = check_visits(spoiled, RULES, MONDAY, 5, spoil(plan.visits), plan.left)
    assert any(said in fault for fault in faults), faults


def test_the_checker_sees_a_visit_that_was_left() -> None:
    plan = plan_visits(read_supervision(EXAMPLE), begin=MONDAY, days=5, iterations=50)
    left = plan.visits.head(1).select("site_id")
    (fault,) = check_visits(read_supervision(EXAMPLE), RULES, MONDAY, 5, plan.visits, left)
    assert "is visited and left" in fault


def test_python_and_command_line_give_the_same_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = [
        "safety",
        "visits",
        str(EXAMPLE),
        "--begin",
        "2026-03-09",
        "--days",
        "5",
        "--seed",
        "2",
        "--iterations",
        "200",
    ]
    code = main([*ask, "-o", str(tmp_path / "V"), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert code == (1 if facts["due_left"] else 0)
    study = run_study("visits", read_supervision(EXAMPLE), seed=2, begin=MONDAY, days=5, iterations=200)
    assert study.result.to_json() == {k: v for k, v in facts.items() if k != "folder"}
    written = pl.read_csv(tmp_path / "V" / "visits.csv")
    assert written["site_id"].to_list() == study.result.visits["site_id"].to_list()
    features = json.loads((tmp_path / "V" / "visits.geojson").read_text("utf-8"))["features"]
    assert sum(one["geometry"]["type"] == "Point" for one in features) == facts["visits"]
    assert json.loads((tmp_path / "V" / "study.json").read_text("utf-8"))["seed"] == 2
    assert facts["visits"] + facts["left"] == 24
    with pytest.raises(UsageError, match="folder of visits"):
        run_study("visits", read_supervision(EXAMPLE), folder=EXAMPLE, begin=MONDAY)
    with pytest.raises(UsageError, match="analysis of a supervision"):
        run_study("visits", object())  # type: ignore[arg-type]


def test_every_fault_of_the_tables_is_told(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text(
        "site_id,kind,lon,lat\nA,outlet,110,34\nA,outlet,x,34\n,outlet,999,1\n", "utf-8"
    )
    (tmp_path / "inspectors.csv").write_text("inspector_id,lon\nI,110\n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_supervision(tmp_path)
    told = {(p.code, p.file, p.row, p.column) for p in caught.value.problems}
    assert ("wrong-type", "sites.csv", 2, "lon") in told
    assert ("missing-value", "sites.csv", 3, "site_id") in told
    assert ("missing-column", "inspectors.csv", None, "lat") in told
    bad = [
        {"inspector_id": "I", "lon": 1.0, "lat": 1.0, "weekdays": "08", "hours_per_day": 20.0, "away": "soon"}
    ]
    with pytest.raises(InputError) as caught:
        plan_visits(supervision([{"site_id": "A"}], bad), begin=MONDAY)
    assert {p.column for p in caught.value.problems} == {"weekdays", "hours_per_day", "away"}
    for ask in ({"days": 99}, {"random_share": 2.0}, {"iterations": 0}):
        with pytest.raises(UsageError):
            plan_visits(supervision([{"site_id": "A"}]), begin=MONDAY, **ask)  # type: ignore[arg-type]


def test_rules_of_visits_are_data(tmp_path: Path) -> None:
    assert RULES.frequency["exchange"].provenance == "example"
    assert "S44" in RULES.frequency["exchange"].source
    (tmp_path / "r.toml").write_text('id = "x"\n[points]\nmagic = 1\n[travel]\nspeed_km_per_h = 0\n', "utf-8")
    with pytest.raises(InputError) as caught:
        read_visit_rules(tmp_path / "r.toml")
    assert {"version", "points", "travel", "minutes"} <= {p.column for p in caught.value.problems}
