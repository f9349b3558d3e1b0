"""Whose a site is, and what ledgers and collections of files count for a card."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assessment_cases import card, deduct, head
from test_scorecard_fill import linear

from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.assessment.scorecard import Scorecard
from changtong.errors import InputError
from changtong.safety.collect import collect
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.ledger_folder import update_ledger
from changtong.scorecards import counted
from changtong.scorecards.fill import fill_scorecard
from changtong.scorecards.known_counts import Inputs
from changtong.scorecards.subject_sites import SITES, sites_of_log, subject_sites

HERE = Path(__file__).parent.parent
AT = datetime(2027, 1, 6, tzinfo=UTC)

KNOWN = pl.DataFrame(
    [
        {"site_id": "S1", "admin_code": "440305", "path": "/sd/gd/sz/"},
        {"site_id": "S2", "admin_code": "440304", "path": "/fc/ft/"},
        {"site_id": "S3", "admin_code": "110101", "path": "/sd/bj/"},
        {"site_id": "L1", "admin_code": "440300", "operator": "顺达"},
        {"site_id": "L2", "admin_code": None, "operator": "顺达"},
    ],
    SITES,
)
ORGANISATIONS = {
    "sd": {"path": "/sd/", "kind": "headquarters", "admin_code": "310000"},
    "sz": {"path": "/spb/gd/sz/", "kind": "city", "admin_code": "440300"},
}


def subjects(**rows: dict[str, str]) -> Scorecard:
    made = [{"subject_id": key, "name": key, "level": "x", **row} for key, row in rows.items()]
    return card(
        head(), subjects=made, sections=[{"section_id": "s", "name_zh": "s"}], rules=[deduct("r", 1.0)]
    )


@pytest.mark.parametrize(
    ("row", "with_registers", "without"),
    [
        ({"sites": "S2, X9"}, "S2 X9", "S2 X9"),
        ({"admin_code": "440000"}, "S1 S2 L1", "S1 S2 L1"),
        ({"admin_code": "440300"}, "S1 S2 L1", "S1 S2 L1"),
        ({"admin_code": "440305"}, "S1", "S1"),
        ({"organisation": "sd"}, "S1 S3", None),
        ({"organisation": "sd", "admin_code": "440000"}, "S1", None),
        ({"organisation": "sz"}, "S1 S2 L1", None),
        ({"organisation": "顺达"}, "L1 L2", "L1 L2"),
        ({"organisation": "顺达", "admin_code": "440000"}, "L1", "L1"),
        ({"organisation": "nobody"}, None, None),
        ({"admin_code": "510000"}, None, None),
        ({}, None, None),
    ],
)
def test_whose_a_site_is(row: dict[str, str], with_registers: str | None, without: str | None) -> None:
    """An organisation that is not known never widens what is counted to its whole region."""
    for organisation, expected in ((ORGANISATIONS.get, with_registers), (None, without)):
        found = subject_sites(subjects(a=row), KNOWN, organisation)
        assert found.pairs["site_id"].to_list() == ([] if expected is None else expected.split())
        assert ("a" in found.why_none) is (expected is None)


def test_regions_of_a_log_count_where_they_are_codes() -> None:
    log = pl.DataFrame({"site_id": ["A", "B"], "region": ["440300", "east"], "operator": ["X", None]})
    assert sites_of_log(log)["admin_code"].to_list() == ["440300", None]
    assert sites_of_log(None).is_empty()


ACTIONS = """hazard_id,at,action,by,site_id,kind,grade,text,owner,deadline,evidence
H1,2026-02-01T08:00:00+08:00,open,i1,S02,machinery,major,no guard,,,
H1,2026-02-01T09:00:00+08:00,assign,i1,,,,,o1,2026-02-10,
H1,2026-02-09T08:00:00+08:00,done,o1,,,,,,,P1
H1,2026-02-10T23:30:00+08:00,pass,i1,,,,,,,
H2,2026-02-01T08:00:00+08:00,open,i1,S02,fire,major,no exit,,,
H2,2026-02-01T09:00:00+08:00,assign,i1,,,,,o1,2026-02-10,
H2,2026-02-11T08:00:00+08:00,done,o1,,,,,,,P2
H2,2026-02-11T09:00:00+08:00,pass,i1,,,,,,,
H3,2026-02-01T08:00:00+08:00,open,i1,S02,fire,general,wrong,,,
H3,2026-02-02T08:00:00+08:00,withdraw,i2,,,,none after all,,,
H4,2026-12-20T08:00:00+08:00,open,i1,S02,fire,general,late,,,
H4,2026-12-20T09:00:00+08:00,assign,i1,,,,,o1,2027-01-05,
"""


def by_files(tmp_path: Path) -> tuple[Scorecard, Inputs]:
    (tmp_path / "actions.csv").write_text(ACTIONS, "utf-8")
    rules = read_hazard_rules()
    update_ledger(tmp_path / "LEDGER", rules, date(2026, 12, 31), actions=tmp_path / "actions.csv")
    collect([HERE / "examples" / "safety" / "filled.json"], tmp_path / "COLLECTED")
    rows: dict[str, Any] = {
        "subjects": [
            {"subject_id": "a", "name": "a", "level": "x", "sites": "S02"},
            {"subject_id": "b", "name": "b", "level": "x", "sites": "S09, S10"},
        ],
        "sections": [{"section_id": "s", "name_zh": "s"}],
        "indicators": [
            linear("closed", "hazards:closed_in_time_share", 1.0),
            linear("overdue", "hazards:overdue_hazards", 1.0, unit="hazards", full_at=5.0),
            linear("visited", "inspections:visited_sites_share", 1.0),
            linear("visits", "inspections:visits", 1.0, unit="visits", full_at=5.0),
        ],
        "rules": [
            deduct("late", 2.0, source="hazards:major_not_in_time"),
            deduct("red", 5.0, source="inspections:red_line_found"),
        ],
    }
    return card(head(year=2026), **rows), Inputs(
        ledger=tmp_path / "LEDGER", collection=tmp_path / "COLLECTED"
    )


def test_ledgers_and_collections_count_by_hand(tmp_path: Path) -> None:
    """H1 closed on its last day, H2 a day later, H3 was none, H4 is due next year."""
    whole, inputs = by_files(tmp_path)
    made = fill_scorecard(whole, inputs, at=AT).card
    found = {
        (str(row["subject_id"]), str(row["indicator_id"])): (
            row["numerator"],
            row["denominator"],
            row["why_not"],
        )
        for row in made.computed.iter_rows(named=True)
    }
    assert found == {
        ("a", "closed"): (1.0, 2.0, None), ("b", "closed"): (None, None, "no_data"),
        ("a", "overdue"): (0.0, None, None), ("b", "overdue"): (0.0, None, None),
        ("a", "visited"): (1.0, 1.0, None), ("b", "visited"): (1.0, 2.0, None),
        ("a", "visits"): (1.0, None, None), ("b", "visits"): (1.0, None, None),
    }  # fmt: skip
    facts = {
        (str(row["rule_id"]), str(row["subject_id"]), row["date"]) for row in made.facts.iter_rows(named=True)
    }
    assert facts == {("late", "a", "2026-02-10"), ("red", "a", "2026-03-09")}
    late = made.facts.filter(pl.col("rule_id") == "late").row(0, named=True)
    assert late["fact_id"] == "H2"
    assert late["evidence"].startswith("hazard, LEDGER: H2, sha256:")
    assert fill_scorecard(made, inputs, at=AT).card.digest() == made.digest()


def test_what_may_not_be_missing_is_told_when_it_is_scored(tmp_path: Path) -> None:
    whole, inputs = by_files(tmp_path)
    strict = whole.indicators.with_columns(if_missing=pl.lit("refuse"))
    tables = {name: frame for name, frame in whole.tables().items() if frame.height}
    folder = write_scorecard(whole.with_tables(**(tables | {"indicators": strict})), tmp_path / "card")
    with pytest.raises(InputError):
        read_scorecard(folder)
    made = fill_scorecard(read_scorecard(folder, to_fill=True), inputs, at=AT)
    made.save(tmp_path / "filled")
    with pytest.raises(InputError) as caught:
        read_scorecard(tmp_path / "filled")
    assert [problem.message for problem in caught.value.problems] == ["closed of b is missing."]


def test_many_items_are_cut_and_still_add_up(tmp_path: Path) -> None:
    rows = ["task_id,decision_id,subject,deadline,outcome"]
    rows += [f"T{k},D,a,2025-05-01,{'late' if k % 3 else 'on_time'}" for k in range(450)]
    (tmp_path / "counts.csv").write_text("\n".join(rows) + "\n", "utf-8")
    one = card(
        head(),
        subjects=[{"subject_id": "a", "name": "a", "level": "x"}],
        sections=[{"section_id": "s", "name_zh": "s"}],
        indicators=[linear("t", "tasks:on_time_share", 1.0)],
    )
    made = fill_scorecard(one, Inputs(counts=(tmp_path / "counts.csv",)), at=AT).card
    behind = made.computed_from
    assert behind.height == 201
    assert (behind["numerator"].sum(), behind["denominator"].sum()) == (150.0, 450.0)
    assert made.computed["items"].to_list() == [450]
    assert made.values["value"].to_list() == [0.333333]


def test_items_behind_values_are_cut_and_still_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand with two kept: what lacks most first, then by name; the rest is one row."""
    monkeypatch.setattr(counted, "MOST_ITEMS", 2)
    rows = [
        ("a", "x", 1, 4), ("a", "y", 2, 2), ("a", "z", 0, 1), ("a", "w", 0, 1), ("a", "y", 0, 1),
        ("b", "x", 1, 1), ("c", "x", 1, 1),
    ]  # fmt: skip
    names = ["subject_id", "item_id", "numerator", "denominator"]
    found = pl.DataFrame(rows, names, orient="row").with_columns(what=pl.lit("seen"))
    made = counted.kept_items(found, ["c", "a"], "i")
    assert made.columns[:2] == ["subject_id", "indicator_id"]
    assert made.drop("indicator_id").rows() == [
        ("c", "x", "seen", 1.0, 1.0),
        ("a", "x", "seen", 1.0, 4.0), ("a", "w", "seen", 0.0, 1.0), ("a", "rest", "2 more", 2.0, 4.0),
    ]  # fmt: skip
    counts = found.with_columns(denominator=pl.lit(None, pl.Int64))  # of nothing: those that are most last
    assert counted.kept_items(counts, ["a"], "i").select("item_id", "denominator").rows() == [
        ("w", None), ("z", None), ("rest", None),
    ]  # fmt: skip
    assert counted.kept_items(found, [], "i").is_empty()
