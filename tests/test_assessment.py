"""Assessments: cards worked by hand, a slow scorer that shares no code, properties, what-if, sensitivity."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from assessment_cases import SECTION, card, deduct, fact, head, random_tables, subject
from assessment_oracle import SlowScorer
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import changtong
from changtong.assessment.assess import assess, what_if
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.closing import Gap
from changtong.assessment.exact import say_points, times_over, to_units
from changtong.assessment.moved_marks import moved_marks
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import Scorecard
from changtong.assessment.sensitivity import _scores, sensitivity
from changtong.errors import NotFoundError, UsageError

HERE = Path(__file__).parent.parent
CARDS = HERE / "examples" / "assessment"
SEEDS = st.integers(0, 10**6)


def scores(result: Assessment) -> dict[str, float]:
    return dict(result.scores.select("subject_id", "score").iter_rows())


def random_card(seed: int) -> Scorecard:
    about, tables = random_tables(seed)
    return card(about, **tables)


# --- worked by hand ------------------------------------------------------------------------------


def test_the_credit_card_by_hand() -> None:
    """Base 80, 5 ‰ of those below, one finding once, 60 and 30 where one body gives no mark."""
    found = scores(assess(CARDS / "firm-credit"))
    # courier-1: 80 - 4 complaints x 1; courier-2: 80 + 2 praises x 1.5
    assert found["courier-1"] == 76
    assert found["courier-2"] == 83
    # firm-a by findings: 80 - 2 (F1 hits -1 and -2: the larger) - 3 x 0.5 - 5 ‰ x 4 + 5 ‰ x 3
    #      = 80 - 2 - 1.5 - 0.02 + 0.015 = 76.495; with the city's 70: (60 x 76.495 + 30 x 70) / 90
    #      = (4589.7 + 2100) / 90 = 74.33
    assert found["firm-a"] == 74.33
    # firm-b: 80 - min(9 x 0.5, 3) = 77, the praise is withdrawn; (60 x 77 + 30 x 82) / 90 = 7080 / 90 = 78.67
    assert found["firm-b"] == 78.67
    # firm-c: 80 - 2, under appeal; no city marks it, so the postal bureau's counts alone
    assert found["firm-c"] == 78
    # brand-x: 80 - 1 - 5 ‰ x (3.5 + 0.02) - 5 ‰ x 3 + 5 ‰ x 0.015
    #      = 79 - 0.0176 - 0.015 + 0.000075 = 78.967475
    assert found["brand-x"] == 78.97
    assert assess(CARDS / "firm-credit").parts.plain[0] == 78_967_475


def test_the_quarterly_card_by_hand() -> None:
    """-5, -10, -20; a finding that is an order and a talk costs the talk only."""
    found = scores(assess(CARDS / "quarterly-branches"))
    # a: 100 - 2 x 5 - 10; b: 100 - max(5, 10); c: 100 - 20 - 10; d: nothing
    assert found == {"firm-a": 80, "firm-b": 90, "firm-c": 70, "firm-d": 100}


def test_the_synthetic_card_by_hand() -> None:
    """北川市 (P2C1): marks of three departments, weights of four sections, a veto on the band."""
    result = assess(CARDS / "safe-delivery")
    values = {
        row["indicator_id"]: row["value"]
        for row in result.card.values.filter(pl.col("subject_id") == "P2C1").iter_rows(named=True)
    }
    marks = {
        (row["indicator_id"], row["department_id"]): Fraction(str(row["points"]))
        for row in result.card.marks.filter(pl.col("subject_id") == "P2C1").iter_rows(named=True)
    }
    plan = (
        50 * marks["plan", "postal"] + 30 * marks["plan", "police"] + 20 * marks["plan", "transport"]
    ) / 100
    joint = (50 * marks["joint", "postal"] + 30 * marks["joint", "police"]) / 80
    lead = (plan + joint) / 20 * 100
    real, screened = (
        (Fraction(str(values[k])) - Fraction("0.9")) * 10 * 15 for k in ("real-name", "screened")
    )
    opened = {0: 0, 1: 4, 2: 7, 3: 10}[sum(values["opened"] >= at for at in (0.9, 0.95, 1.0))]
    rules = (real + opened + screened) / 40 * 100
    work = (10 - Fraction(str(values["overdue"]))) / 10 * 100
    # its counties: first H-03, 4 x 3 capped at 9 (the hazard of the same finding is smaller), 50 ‰ = 0.45;
    # third B-03, 3 x 2 capped at 4, 50 ‰ = 0.2
    exact = (20 * lead + 40 * rules + 25 * 100 + 15 * work) / 100 - Fraction("0.45") + Fraction("0.2")
    row = result.scores.row(by_predicate=pl.col("subject_id") == "P2C1", named=True)
    assert row["score"] == pytest.approx(float(exact), abs=0.005)
    assert row["vetoed"]
    assert row["band"] == "good"
    vetoed = result.scores.row(by_predicate=pl.col("subject_id") == "P2C2D1", named=True)
    assert (vetoed["score"], vetoed["band"]) == (59.99, "failed")  # a grave accident leaves 59.99 at most


def test_points_never_drift() -> None:
    """A tenth taken ten times is one; in floats it is 0.9999999999999999."""
    made = card(
        head(base=80.0, decimals=6),
        subjects=[subject("a")],
        sections=[SECTION],
        rules=[deduct("r", 0.1)],
        facts=[fact(f"f{k}", "a", "r") for k in range(10)],
    )
    assert scores(assess(made)) == {"a": 79.0}


def test_caps_of_rule_section_and_whole() -> None:
    """Rule r: 3 x 4 = 12 at most 10; section s: 10 + 2 at most 11; whole: 11 + 4 of section t at most 13."""
    made = card(
        head(base=100.0, max_deduction=13.0),
        subjects=[subject("a")],
        sections=[SECTION | {"max_deduction": 11.0}, {"section_id": "t", "name_zh": "t"}],
        rules=[deduct("r", 4.0, max_points=10.0), deduct("q", 2.0), deduct("p", 4.0, section_id="t")],
        facts=[fact("1", "a", "r", count=3), fact("2", "a", "q"), fact("3", "a", "p")],
    )
    result = assess(made)
    assert scores(result) == {"a": 87.0}
    kinds = {line.kind: line.units for line in result.explain("a")}
    assert (kinds["rule_cap"], kinds["section_cap"], kinds["whole_cap"]) == (2_000_000, 1_000_000, 2_000_000)
    # without 1: 2 + 4 = 6, 7 less than 13; without 2: 10 + 4 is still above 13; without 3: 11
    assert dict(result.gaps("a").select("cause", "gain").iter_rows()) == {
        "fact:1": 7.0,
        "fact:2": 0.0,
        "fact:3": 2.0,
    }


def test_pass_through_of_three_levels() -> None:
    """10 at the bottom: 500 ‰ are 5 in the middle; charged passes up 5 ‰ of 5, own nothing."""
    tables = {
        "subjects": [subject("t", "top"), subject("m", "mid", "t"), subject("b", "low", "m")],
        "sections": [SECTION],
        "rules": [deduct("r", 10.0)],
        "facts": [fact("1", "b", "r")],
        "pass_through": [
            {"level": "low", "deductions_permille": 500.0},
            {"level": "mid", "deductions_permille": 5.0},
        ],
    }
    charged = card(head(base=80.0, decimals=3), **tables)
    assert scores(assess(charged)) == {"t": 79.975, "m": 75.0, "b": 70.0}
    own = card(head(base=80.0, decimals=3, pass_through_of="own"), **tables)
    assert scores(assess(own)) == {"t": 80.0, "m": 75.0, "b": 70.0}


def test_ranks_are_shared_and_stand_within_peers() -> None:
    made = card(
        head(base=10.0),
        subjects=[subject(k) for k in "abcd"] + [subject("x") | {"peer_group": "others"}],
        sections=[SECTION],
        rules=[deduct("r", 1.0)],
        facts=[fact("1", "a", "r"), fact("2", "b", "r"), fact("3", "d", "r", count=2)],
    )
    rows = {row["subject_id"]: row for row in assess(made).scores.iter_rows(named=True)}
    assert {k: (row["rank"], row["tied"], row["peers"]) for k, row in rows.items()} == {
        "c": (1, False, 4),
        "a": (2, True, 4),
        "b": (2, True, 4),
        "d": (4, False, 4),
        "x": (1, False, 1),
    }
    assert rows["d"]["gap_to_best"] == 2


# --- beside the slow scorer ----------------------------------------------------------------------


def check_slow_scorer(seed: int) -> None:
    made = random_card(seed)
    result = assess(made)
    expected = SlowScorer(made).scores()
    exact = {
        name: Fraction(int(units), 1_000_000)
        for name, units in zip(made.subjects["subject_id"], result.parts.score, strict=True)
    }
    assert exact == expected


@settings(max_examples=examples(20), deadline=None)
@given(SEEDS)
def test_equal_to_the_slow_scorer(seed: int) -> None:
    check_slow_scorer(seed)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_lines_add_up_to_the_score(seed: int) -> None:
    result = assess(random_card(seed))
    for name, units in zip(result.card.subjects["subject_id"], result.parts.score, strict=True):
        assert sum(line.units for line in result.explain(name) if line.in_score) == units


# --- properties ----------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_a_deduction_never_raises_a_score(seed: int) -> None:
    about, tables = random_tables(seed)
    rules = [rule["rule_id"] for rule in tables["rules"] if rule["effect"] in ("deduct", "veto")]
    if not rules:
        return
    r = random.Random(seed)
    before = scores(assess(card(about, **tables)))
    one = r.choice(tables["subjects"])["subject_id"]
    tables["facts"] = [*tables["facts"], fact("new", one, r.choice(rules), count=r.randint(1, 9))]
    after = scores(assess(card(about, **tables)))
    assert all(after[name] <= before[name] for name in before)


@settings(max_examples=examples(12), deadline=None)
@given(SEEDS)
def test_the_order_of_entry_never_matters(seed: int) -> None:
    about, tables = random_tables(seed)
    before = assess(card(about, **tables))
    r = random.Random(seed + 1)
    for name in ("subjects", "facts", "values", "marks", "handed_in", "departments"):
        tables[name] = r.sample(tables[name], len(tables[name]))
    after = assess(card(about, **tables))
    columns = ["subject_id", "score", "rank", "band", "deducted", "bonus"]
    one, other = (result.scores.select(columns).sort("subject_id") for result in (before, after))
    assert one.equals(other)


@settings(max_examples=examples(12), deadline=None)
@given(SEEDS, st.sampled_from([2, 3, 7, 10]))
def test_scaling_all_weights_changes_nothing(seed: int, factor: int) -> None:
    about, tables = random_tables(seed)
    before = assess(card(about, **tables)).scores
    for name in ("sections", "departments"):
        tables[name] = [
            row | {"weight": None if row["weight"] is None else round(row["weight"] * factor, 3)}
            for row in tables[name]
        ]
    assert assess(card(about, **tables)).scores.equals(before)


def check_gaps(seed: int) -> None:
    """The gain of each gap alone, and of several together, beside a card built without them."""
    about, tables = random_tables(seed)
    result = assess(card(about, **tables))
    before = scores(result)
    for row in result.gaps().sample(fraction=1.0, seed=seed, shuffle=True).head(4).iter_rows(named=True):
        kind, _, key = row["cause"].partition(":")
        gap = Gap(fact_id=key) if kind == "fact" else Gap(subject_id=row["subject_id"], indicator_id=key)
        after = scores(assess(result.card, closing=[gap]))
        gained = to_units(np.array([after[row["subject_id"]] - before[row["subject_id"]]]))[0]
        assert gained == to_units(np.array([row["gain"]]))[0]
    closed = sorted({row["fact_id"] for row in tables["facts"]})[:3]
    rest = tables | {"facts": [row for row in tables["facts"] if row["fact_id"] not in closed]}
    anew = scores(assess(card(about, **rest)))
    told = what_if(result, [f"fact:{one}" for one in closed])
    assert dict(told.select("subject_id", "new_score").iter_rows()).items() <= anew.items()
    unchanged = set(before) - set(told["subject_id"])
    assert all(anew[name] == before[name] for name in unchanged)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_a_gap_brings_what_scoring_anew_gives(seed: int) -> None:
    check_gaps(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_many_random_cards(seed: int) -> None:
    """As the slow scorer says, and each gap as scored anew, on more cards."""
    check_slow_scorer(seed)
    check_gaps(seed)


# --- marks ---------------------------------------------------------------------------------------


def marked(*handed: dict[str, str], **more: object) -> Scorecard:
    departments = [
        {"department_id": "spb", "name_zh": "局", "weight": 60.0},
        {"department_id": "city", "name_zh": "市", "weight": 30.0},
    ]
    indicator = {
        "indicator_id": "i",
        "section_id": "s",
        "name_zh": "i",
        "max_points": 10.0,
        "scoring": "marks",
    }
    points = [("spb", "a", 9.125), ("city", "a", 2.875), ("spb", "b", 5.0), ("city", "b", 5.5)]
    marks = [
        {"department_id": d, "subject_id": s, "indicator_id": "i", "points": p, "evidence": f"{d}-{s}"}
        for d, s, p in points
        if {"department_id": d, "state": "sets_none"} not in handed
    ]
    return card(
        head(disagreement_above=3.0, decimals=3, **more),
        subjects=[subject("a"), subject("b")],
        sections=[SECTION],
        indicators=[indicator],
        departments=departments,
        marks=marks,
        handed_in=list(handed),
    )


def test_marks_are_blind_until_all_have_handed_in(tmp_path: Path) -> None:
    waiting = assess(marked({"department_id": "spb"}))
    assert not waiting.complete
    assert scores(waiting) == {"a": 0.0, "b": 0.0}
    assert waiting.disagreements.height == 0
    folder = changtong.run_study("assessment", waiting.card, folder=tmp_path / "r").folder
    assert folder is not None
    said = "".join(path.read_text("utf-8") for path in folder.iterdir() if path.suffix != ".parquet")
    for secret in ("9.125", "2.875", "spb-a", "city-b"):
        assert secret not in said
    done = assess(marked({"department_id": "spb"}, {"department_id": "city"}))
    # (60 x 9.125 + 30 x 2.875) / 90 = 7.041666…; (60 x 5 + 30 x 5.5) / 90 = 5.166666…
    assert scores(done) == {"a": 7.042, "b": 5.167}
    assert done.disagreements.select("subject_id", "lowest_by", "highest_by", "spread").rows() == [
        ("a", "city", "spb", 6.25)
    ]


def test_who_sets_none_leaves_it_to_the_others() -> None:
    made = assess(marked({"department_id": "spb"}, {"department_id": "city", "state": "sets_none"}))
    assert scores(made) == {"a": 9.125, "b": 5.0}


def test_what_nobody_marks_is_counted_as_missing() -> None:
    """With others_count one mark is enough; with none the 0 points are told."""
    made = marked({"department_id": "spb"}, {"department_id": "city"}, missing_marks="others_count")
    kept = made.marks.filter(pl.col("subject_id").cast(pl.String) == "a").head(1)
    result = assess(made.with_tables(marks=kept))
    assert scores(result) == {"a": 9.125, "b": 0.0}
    assert result.notes == ("missing-values 1",)
    assert result.explain("b")[0].why == "missing"


# --- sensitivity ---------------------------------------------------------------------------------


def weighty(first: float, second: float) -> Scorecard:
    """Two sections: a is better in the first, b in the second."""
    return card(
        head(decimals=6),
        subjects=[subject("a"), subject("b")],
        sections=[
            {"section_id": k, "name_zh": k, "weight": w, "start_points": 10.0, "full_points": 10.0}
            for k, w in (("s", first), ("t", second))
        ],
        rules=[deduct("r", 1.0), deduct("q", 2.0, section_id="t")],
        facts=[fact("1", "b", "r", count=3), fact("2", "a", "q")],
    )


def test_where_neighbours_swap_by_hand() -> None:
    """a: 100 and 80, b: 70 and 100, weights 60 and 40: 92 and 82.

    Equal where 60 x 30 x f = 40 x 20, f = 4/9; or where 60 x 30 = 40 x f x 20, f = 9/4.
    """
    moved = sensitivity(assess(weighty(60.0, 40.0)), within=0.2, draws=200, seed=3)
    assert moved.swaps["factor"].to_list() == pytest.approx([4 / 9, 9 / 4])
    assert not moved.swaps["within"].any()
    assert moved.ranks["holds_share"].to_list() == [1.0, 1.0]
    for factor, better in ((0.4443, "b"), (0.4445, "a")):  # beside the exact value the order does turn
        assert assess(weighty(round(60 * factor, 3), 40.0)).scores["subject_id"][0] == better


def test_draws_are_those_of_the_weights_themselves() -> None:
    """Ranks under drawn weights are those of cards with these weights."""
    made = assess(weighty(60.0, 57.0))  # 60 x 30 > 57 x 20: a first; it turns at f = 0.6333
    moved = sensitivity(made, within=0.5, draws=4000, seed=1)
    assert sensitivity(made, within=0.5, draws=4000, seed=1).ranks.equals(moved.ranks)
    held = moved.ranks["holds_share"][0]
    grid = [(x, y) for x in range(500, 1501, 20) for y in range(500, 1501, 20)]
    expected = sum(60 * x * 30 > 57 * y * 20 for x, y in grid) / len(grid)
    assert held == pytest.approx(expected, abs=0.03)
    assert (moved.ranks["best_rank"].to_list(), moved.ranks["worst_rank"].to_list()) == ([1, 1], [2, 2])
    with pytest.raises(UsageError, match="within"):
        sensitivity(made, within=2.0)


def two_departments(first: float, second: float, **more: Any) -> Scorecard:
    """One indicator and the whole, marked by two departments that see a and b differently."""
    marks = [
        {"department_id": name, "subject_id": one, "indicator_id": "i", "points": points}
        for name, of in (("x", {"a": 9.0, "b": 4.0}), ("y", {"a": 5.0, "b": 8.0}))
        for one, points in of.items()
    ]
    return card(
        head(decimals=6),
        subjects=[subject("a"), subject("b")],
        sections=[{"section_id": "s", "name_zh": "s", "start_points": 10.0, **more}],
        indicators=[
            {"indicator_id": "i", "section_id": "s", "name_zh": "i", "max_points": 10.0, "scoring": "marks"}
        ],
        departments=[
            {"department_id": name, "name_zh": name, "weight": weight}
            for name, weight in (("x", first), ("y", second))
        ],
        marks=marks,
        handed_in=[{"department_id": name} for name in ("x", "y")],
    )


@pytest.mark.parametrize("more", [{}, {"weight": 1.0}])
def test_weights_of_departments_are_moved(more: dict[str, float]) -> None:
    """a leads by 5 x - 3 y: 5 x 40 = 3 x 60 + 20, so that a is ahead as long as f > 0.9 times that of y."""
    made = assess(two_departments(40.0, 60.0, **more))
    assert made.scores["subject_id"][0] == "a"
    moved = sensitivity(made, within=0.5, draws=4000, seed=2)
    assert moved.departments == 2
    grid = [(x, y) for x in range(500, 1501, 20) for y in range(500, 1501, 20)]
    expected = sum(5 * 40 * x > 3 * 60 * y for x, y in grid) / len(grid)
    assert moved.ranks["holds_share"][0] == pytest.approx(expected, abs=0.03)
    assert moved.ranks["worst_rank"].to_list() == [2, 2]
    again = sensitivity(made, within=0.0, draws=3, seed=2)
    assert again.ranks["holds_share"].to_list() == [1.0, 1.0]
    blind = made.card.with_tables(handed_in=made.card.handed_in.head(1))
    assert sensitivity(assess(blind), within=0.5, draws=5).departments == 0


@pytest.mark.parametrize("seed", range(30))
def test_a_draw_is_what_scoring_anew_gives(seed: int) -> None:
    """Scores under moved weights of departments are those of a card with these weights, sections unmoved."""
    about, tables = random_tables(seed)
    tables["handed_in"] = [{"department_id": one["department_id"]} for one in tables["departments"][1:]]
    whole = assess(card(about, **tables))
    rows = np.arange(whole.card.subjects.height)
    marked = moved_marks(whole, rows)
    if marked is None:
        assert not whole.card.marks.height
        return
    factors = np.random.default_rng(seed).integers(5, 16, (1, len(marked.departments))) * 100
    sections = np.full((1, whole.card.sections.height), 1000)
    drawn = _scores(whole, rows, sections, marked, factors)[0]
    for one, factor in zip(tables["departments"], factors[0].tolist(), strict=True):
        one["weight"] = round(one["weight"] * factor / 1000, 3)
    anew = assess(card(about, **tables)).parts.score
    capped = whole.parts.plain != whole.parts.plain.clip(
        whole.numbers.least + 1, whole.numbers.most - 1
    )  # at a limit what lies beyond it is not known to a draw of a card without weights
    assert (np.abs(drawn - anew) <= 10 ** (6 - about.decimals))[~capped].all()


# --- last year, rectifications, practice, gaps ---------------------------------------------------


def test_rectifications_are_kept_and_made() -> None:
    result = assess(CARDS / "safe-delivery")
    found = result.rectifications()
    kept = {row["rectification_id"]: row for row in found.head(3).iter_rows(named=True)}
    assert {key: (row["state"], row["overdue"]) for key, row in kept.items()} == {
        "R-1": ("handed_in", True),
        "R-2": ("open", True),
        "R-3": ("closed", False),
    }
    assert found.select(pl.struct("subject_id", "cause").is_unique().all()).item()
    new = found.filter(~pl.col("rectification_id").is_in(list(kept)))
    assert new["deadline"].unique().to_list() == ["2026-01-30"]
    assert (new["gain"] > 0).all()
    later = assess(result.card, on=changtong.assess(result.card).on.replace(year=2027)).rectifications()
    assert later.filter(pl.col("state") == "closed")["overdue"].to_list() == [False]
    again = card(
        head(base=9.0),
        subjects=[subject("a")],
        sections=[SECTION],
        rules=[deduct("r", 1.0)],
        facts=[fact("1", "a", "r")],
        rectifications=[
            {"rectification_id": "R", "subject_id": "a", "cause": "fact:1", "deadline": "2025-12-31"}
        ],
    )
    assert assess(again).rectifications().select("rectification_id", "overdue").rows() == [("R", False)]


def test_last_year_and_the_latest_stage() -> None:
    result = assess(CARDS / "safe-delivery")
    row = result.scores.row(by_predicate=pl.col("subject_id") == "P1C2", named=True)
    assert row["change"] == pytest.approx(row["score"] - row["last_score"])
    assert row["stage"] == "final"
    line = next(line for line in result.explain("P1C2") if line.ref == "screened")
    assert (line.stage, line.text) == ("appeal", "0.961 share")
    assert line.units == 9_150_000  # (0.961 - 0.9) / 0.1 x 15
    assert "APPEAL-12" in str(line.evidence)


def test_a_larger_deduction_in_a_full_cap_is_told() -> None:
    """f hits -3 in s and -4 in t, where the cap of 1 is full already: it costs nothing, and that is said."""
    made = card(
        head(base=100.0),
        subjects=[subject("a")],
        sections=[SECTION, {"section_id": "t", "name_zh": "t", "max_deduction": 1.0}],
        rules=[deduct("r", 3.0), deduct("q", 4.0, section_id="t")],
        facts=[fact("f", "a", "r"), fact("f", "a", "q"), fact("g", "a", "q")],
    )
    result = assess(made)
    assert scores(result) == {"a": 99.0}
    assert "larger-in-full-cap 1" in result.notes


def test_closing_what_is_not_there_is_refused() -> None:
    result = assess(CARDS / "safe-delivery")
    for gap in (
        "fact:H-99",
        "indicator:P1:nothing",
        "indicator:nobody:plan",
        "indicator:P1C1D1:plan",
        "H-01",
    ):
        with pytest.raises(NotFoundError):
            what_if(result, [gap])
    with pytest.raises(UsageError, match="blind"):
        assess(marked({"department_id": "spb"}), closing=["indicator:a:i"])
    odd = card(
        subjects=[subject("a"), subject("a:b")],
        sections=[SECTION],
        indicators=[
            {"indicator_id": k, "section_id": "s", "name_zh": k, "max_points": 1.0, "scoring": "linear"}
            | {"zero_at": 0.0, "full_at": 1.0}
            for k in ("c", "b:c")
        ],
    )
    with pytest.raises(UsageError, match="several ways"):
        assess(odd, closing=["indicator:a:b:c"])
    assert scores(assess(odd, closing=[Gap(subject_id="a:b", indicator_id="c")]))["a:b"] == 1.0


# --- exact numbers, words ------------------------------------------------------------------------


@given(st.integers(-(10**16), 10**16), st.integers(0, 2**60), st.integers(1, 2**60))
def test_products_are_exact_in_128_bits(amount: int, factor: int, divisor: int) -> None:
    exact = Fraction(amount * factor, divisor)
    if abs(exact) >= 10**15:
        return
    size = (2 * abs(amount) * factor + divisor) // (2 * divisor)
    assert times_over(np.array([amount]), factor, divisor)[0] == (size if amount >= 0 else -size)


def test_points_are_said_without_noise() -> None:
    assert [say_points(u) for u in (0, 1, -500_000, 80_000_000)] == ["0", "0.000001", "-0.5", "80"]
    assert say_points(-4_000, 2) in ("0.00", "-0.00")


def test_a_result_fits_a_screen_and_is_json() -> None:
    for name in ("firm-credit", "quarterly-branches", "safe-delivery"):
        result = assess(CARDS / name)
        assert len(str(result).splitlines()) < 45
        facts = json.loads(result.to_json())
        assert facts["provenance"] in ("example", "synthetic")
        assert facts["subjects"] == result.scores.height
    assert "no official" not in str(result)
    with pytest.raises(NotFoundError, match="Did you mean"):
        result.explain("P1C")


def test_a_study_says_what_it_was_made_of(tmp_path: Path) -> None:
    made = read_scorecard(CARDS / "firm-credit")
    study = changtong.run_study("assessment", made, seed=4, closing=["fact:F1"])
    assert study.input_digest == made.digest()
    assert study.result.sensitivity.seed == 4
    assert study.result.summary()["what_if"][0]["subject_id"] == "firm-a"
    other = replace(made, head=replace(made.head, base=79.0))
    assert other.digest() != made.digest()
    with pytest.raises(UsageError, match="analysis of a scorecard"):
        changtong.run_study("assessment", changtong.reference_county("610524", villages=5, stations=2))
