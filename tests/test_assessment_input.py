"""Scorecard folders: what is wrong in them is told at once, with file, row, column and what is right."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assessment_cases import SECTION, card, deduct, fact, frames, head, subject

from changtong._tables import ASSESSMENT_SET, tables_markdown
from changtong.assessment.card_folder import build_scorecard, read_scorecard
from changtong.errors import InputError, UsageError

HERE = Path(__file__).parent.parent
CARDS = HERE / "examples" / "assessment"

GOOD: dict[str, list[dict[str, Any]]] = {
    "subjects": [subject("p", "province"), subject("c", "city", "p"), subject("d", "city", "p")],
    "sections": [SECTION],
    "rules": [
        deduct("r", 1.0),
        deduct("q", 2.0, levels="province"),
        deduct("b", 1.0, effect="bonus"),
    ],
    "facts": [fact("1", "c", "r"), fact("2", "p", "q")],
    "indicators": [
        {"indicator_id": "i", "section_id": "s", "name_zh": "i", "max_points": 5.0, "scoring": "linear"}
        | {"zero_at": 0.0, "full_at": 1.0},
        {"indicator_id": "m", "section_id": "s", "name_zh": "m", "max_points": 5.0, "scoring": "marks"}
        | {"levels": "city"},
    ],
    "departments": [
        {"department_id": "x", "name_zh": "x", "weight": 2.0},
        {"department_id": "y", "name_zh": "y", "weight": 0.0},
    ],
    "values": [{"subject_id": "c", "indicator_id": "i", "value": 0.5}],
    "marks": [
        {"department_id": "x", "subject_id": one, "indicator_id": "m", "points": 3.0} for one in ("c", "d")
    ],
    "handed_in": [{"department_id": "x"}],
    "bands": [{"band_id": "A", "name_zh": "优", "from_points": 3.0}],
}


def changed(table: str, row: int, **cells: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the good tables with one row changed."""
    rows = [dict(one) for one in GOOD.get(table, [])]
    rows[row] |= cells
    return GOOD | {table: rows}


def added(table: str, **cells: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the good tables with one row more."""
    return GOOD | {table: [*GOOD.get(table, []), cells]}


def codes(tables: dict[str, list[dict[str, Any]]], **about: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        build_scorecard(head(**about), frames(**tables))
    return [problem.code for problem in caught.value.problems if problem.severity == "error"]


def test_the_good_card_is_good() -> None:
    card(**GOOD)


MARK = {"department_id": "x", "subject_id": "c", "indicator_id": "m", "points": 1.0}
WRONG = [
    ("unknown-subject", changed("facts", 0, subject_id="C")),
    ("unknown-rule", changed("facts", 0, rule_id="rr")),
    ("unknown-indicator", changed("values", 0, indicator_id="j")),
    ("unknown-department", added("handed_in", department_id="z")),
    ("unknown-section", changed("rules", 0, section_id="t")),
    ("unknown-subject", changed("subjects", 2, parent_id="nobody")),
    ("hierarchy-cycle", changed("subjects", 0, parent_id="c")),
    ("hierarchy-cycle", changed("subjects", 2, parent_id="d")),
    ("duplicate-subject", added("subjects", **subject("c", "city"))),
    ("duplicate-fact", added("facts", **fact("1", "c", "r"))),
    ("duplicate-value", added("values", subject_id="c", indicator_id="i", value=0.1)),
    ("duplicate-mark", added("marks", **MARK)),
    ("bad-date", changed("facts", 0, date="2025-02-30")),
    ("date-outside-year", changed("facts", 0, date="2024-12-31")),
    ("not-for-this-level", changed("facts", 0, rule_id="q")),
    ("not-for-this-level", added("marks", **MARK | {"subject_id": "p"})),
    ("fact-both-ways", added("facts", **fact("1", "c", "b"))),
    ("fact-in-line", added("facts", **fact("2", "c", "r"))),
    ("value-for-marks", added("values", subject_id="c", indicator_id="m", value=1.0)),
    ("mark-not-allowed", added("marks", **MARK | {"indicator_id": "i"})),
    ("mark-not-allowed", added("marks", **MARK | {"indicator_id": None})),
    ("out-of-range", changed("marks", 0, points=5.5)),
    ("negative", changed("marks", 0, points=-1.0)),
    ("missing-mark", GOOD | {"marks": GOOD["marks"][:1]}),
    ("mark-not-allowed", changed("handed_in", 0, state="sets_none")),
    ("unknown-value", changed("facts", 0, state="maybe")),
    ("out-of-range", changed("facts", 0, count=0)),
    ("too-fine", changed("rules", 0, points=0.0000001)),
    ("too-fine", changed("departments", 0, weight=0.0001)),
    ("missing-indicator-value", changed("indicators", 0, if_missing="refuse")),
    ("unknown-subject-level", added("pass_through", level="county", deductions_permille=5.0)),
    ("stage-order", GOOD | {"stages": [
        {"subject_id": "c", "stage": "final", "at": "2026-01-02"},
        {"subject_id": "c", "stage": "review", "at": "2026-01-05"},
    ]}),
    ("unknown-cause", GOOD | {"rectifications": [
        {"rectification_id": "R", "subject_id": "c", "cause": "fact:9"}
    ]}),
    ("bad-scorecard", changed("indicators", 0, full_at=None)),
    ("bad-scorecard", changed("indicators", 0, direction="less")),
    ("bad-scorecard", changed("indicators", 0, scoring="steps", steps="0.9:5; 0.95:4")),
    ("bad-scorecard", changed("indicators", 0, scoring="steps", steps="0.9:6")),
    ("bad-scorecard", changed("indicators", 0, scoring="steps", steps="many")),
    ("bad-scorecard", changed("indicators", 1, departments="y")),
    ("bad-scorecard", changed("indicators", 1, departments="x, nobody")),
    ("bad-scorecard", changed("rules", 0, points=None)),
    ("bad-scorecard", changed("rules", 0, effect="veto")),
    ("bad-scorecard", changed("rules", 0, effect="veto", band_at_most="AA")),
    ("bad-scorecard", added("bands", band_id="B", name_zh="良", from_points=3.0)),
    ("bad-scorecard", GOOD | {"sections": [SECTION | {"weight": 3.0}, {"section_id": "t", "name_zh": "t"}]}),
    ("bad-scorecard", {"subjects": GOOD["subjects"]}),
    ("missing-table", {"sections": GOOD["sections"], "rules": GOOD["rules"]}),
]  # fmt: skip


FOLLOW = {"missing-mark", "mark-not-allowed", "unknown-rule"}
"""What may follow from another mistake: rows that cannot be read are left out."""


@pytest.mark.parametrize(("code", "tables"), WRONG, ids=[f"{k}-{code}" for k, (code, _) in enumerate(WRONG)])
def test_what_is_wrong_is_told(code: str, tables: dict[str, list[dict[str, Any]]]) -> None:
    found = codes(tables)
    assert code in found
    assert set(found) <= {code} | FOLLOW


def test_a_fact_at_two_who_are_not_in_line_is_fine() -> None:
    card(**added("facts", **fact("1", "d", "r")))


def test_a_withdrawn_hit_is_in_nobodys_way() -> None:
    card(**added("facts", **fact("2", "c", "r", state="withdrawn")))
    card(**added("facts", **fact("1", "c", "b", state="withdrawn")))


def test_all_problems_come_at_once_with_their_places() -> None:
    tables = changed("facts", 0, subject_id="C", date="2024-01-01") | {"marks": [MARK | {"points": 9.0}]}
    with pytest.raises(InputError) as caught:
        build_scorecard(head(), frames(**tables))
    problems = {problem.code: problem for problem in caught.value.problems}
    assert set(problems) == {"unknown-subject", "out-of-range", "missing-mark"}
    wrong = problems["unknown-subject"]
    assert (wrong.file, wrong.row, wrong.column, wrong.hint) == (
        "facts",
        1,
        "subject_id",
        'Did you mean "c"?',
    )
    assert problems["out-of-range"].expected == "0 … 5 points"


def test_caps_of_the_whole_do_not_go_with_weights() -> None:
    assert codes(GOOD | {"sections": [SECTION | {"weight": 3.0}]}, max_deduction=5.0) == ["bad-scorecard"]


def test_too_many_points_are_refused() -> None:
    many = [fact(str(k), "c", "r", count=1000) for k in range(1200)]
    assert codes(changed("rules", 0, points=1000.0) | {"facts": many}) == ["too-large"]


def test_a_cycle_names_its_members_once() -> None:
    tables = GOOD | {
        "subjects": [subject("p", "province", "d"), subject("c", "city", "p"), subject("d", "city", "c")]
    }
    with pytest.raises(InputError, match="p → d → c → … is a circle") as caught:
        build_scorecard(head(), frames(**tables))
    assert [problem.code for problem in caught.value.problems].count("hierarchy-cycle") == 1


# --- the folder ----------------------------------------------------------------------------------


def copied(folder: Path, old: str = "", new: str = "") -> Path:
    """Return a copy of the credit card, with a text of its TOML exchanged."""
    shutil.copytree(CARDS / "firm-credit", folder)
    path = folder / "scorecard.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return folder


HEADS = [
    ('version = "1"', "", "no version"),
    ("year = 2018", "year = 20.5", "20.5 is not allowed"),
    ("year = 2018", "year = true", "True is not allowed"),
    ("base = 80", 'base = "eighty"', "eighty is not allowed"),
    ("base = 80", "base = 80.0000001", "not allowed"),
    ("base = 80", "basis = 80", 'Did you mean "base"'),
    ('kind = "example"', 'kind = "real"', "one of official, example, synthetic"),
    ("[[bands]]", "[[grades]]", '"grades" is unknown'),
    ("[scorecard]", "[scorecards]", "no section"),
    ("[scorecard]", "[scorecard", "cannot be read"),
    ('pass_through_of = "charged"', 'pass_through_of = "all"', "one of charged, own"),
]


@pytest.mark.parametrize(("old", "new", "said"), HEADS)
def test_what_is_wrong_in_the_card_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_scorecard(copied(tmp_path / "card", old, new))
    assert caught.value.problems[0].code == "bad-scorecard"


def test_cards_are_read_from_tables_too(tmp_path: Path) -> None:
    """Rules as CSV give the same card; in both places they are refused."""
    folder = copied(tmp_path / "card")
    known = read_scorecard(folder)
    known.rules.with_columns(pl.col("section_id").cast(pl.String)).write_csv(folder / "rules.csv")
    with pytest.raises(InputError, match="both hold rules"):
        read_scorecard(folder)
    text = (folder / "scorecard.toml").read_text("utf-8")
    parts = text.split("\n[[")
    kept = [part for part in parts if not part.startswith("rules]]")]
    (folder / "scorecard.toml").write_text("\n[[".join(kept), "utf-8")
    again = read_scorecard(folder)
    for name, table in known.tables().items():
        assert name == "provenance" or table.equals(getattr(again, name)), name


def test_a_row_of_the_card_is_named_by_its_place(tmp_path: Path) -> None:
    folder = copied(tmp_path / "card", 'effect = "deduct"', 'effect = "deducts"')
    with pytest.raises(InputError) as caught:
        read_scorecard(folder)
    problem = caught.value.problems[0]
    assert (problem.file, problem.row, problem.column) == ("scorecard.toml [[rules]]", 1, "effect")
    assert problem.hint == 'Did you mean "deduct"?'


def test_last_year_must_be_scores(tmp_path: Path) -> None:
    folder = copied(tmp_path / "card")
    (folder / "last_year").mkdir()
    with pytest.raises(InputError, match="bad-last-year"):
        read_scorecard(folder)
    (folder / "last_year" / "scores.csv").write_text("subject_id,score,rank\nfirm-a,70.5,2\nfirm-a,71,1\n")
    with pytest.raises(InputError, match="bad-last-year"):
        read_scorecard(folder)
    (folder / "last_year" / "scores.csv").write_text("subject_id,score,rank\nfirm-a,70.5,2\n")
    assert read_scorecard(folder).last_year is not None


def test_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing-folder"):
        read_scorecard(tmp_path / "none")
    with pytest.raises(UsageError, match="polars"):
        build_scorecard(head(), {"subjects": [1]})  # type: ignore[dict-item]


def test_the_page_of_tables_is_current() -> None:
    assert (HERE / "docs" / "assessment-tables.md").read_text("utf-8") == tables_markdown(ASSESSMENT_SET)
