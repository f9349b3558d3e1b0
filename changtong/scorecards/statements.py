"""What people say on a card in the registers: self-reports, reviews, appeals, decisions, marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.card_folder import build_scorecard
from changtong.assessment.marking import disagreements
from changtong.assessment.scorecard import Scorecard, split_list
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.scorecards.card_records import (
    card_of,
    head_of,
    records_of,
    rows_of,
    rows_of_table,
    table_of_rows,
)
from changtong.storage import scorecard_marks, scorecard_stages
from changtong.storage import scorecards as kept
from changtong.storage.records import Record
from changtong.storage.scorecards import CardRecords
from changtong.storage.store import Desk

VALUE_COLUMNS = ("indicator_id", "value", "evidence", "source")
MARK_COLUMNS = ("subject_id", "indicator_id", "points", "evidence", "version")


def keep_card(desk: Desk, card: Scorecard, reason: str = "") -> Record:
    """Put a card into the registers; what is changed later is kept as another version of it.

    Parameters
    ----------
    desk : Desk
    card : Scorecard
    reason : str

    Raises
    ------
    InputError
        ``no-organisation``, ``begins-empty``, ``duplicate-record``, ``unknown-reference``,
        ``foreign-department``.
    """
    values, subjects = records_of(card)
    return kept.keep_card(desk, values, subjects, reason)


def read_card(desk: Desk, card_id: str) -> Scorecard:
    """Return a card of the registers; blind marks are not in it.

    Parameters
    ----------
    desk : Desk
    card_id : str

    Raises
    ------
    DeniedError
        ``marks-only``: a department that marks, and does not see what is said of those assessed.
    NotFoundError
    """
    return card_of(kept.read_card(desk, card_id))


def say(
    desk: Desk,
    card_id: str,
    subject_id: str,
    stage: str,
    *,
    values: pl.DataFrame | None = None,
    facts: Iterable[str] = (),
    note: str = "",
    version: int | None = None,
    reason: str = "",
) -> Record:
    """Put down a self-report, a review, an appeal or the final word of one that is assessed.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str
    stage : str
        self_report, review, appeal or final.
    values : polars.DataFrame, optional
        ``indicator_id``, ``value``, ``evidence``, ``source``; what an appeal says counts once it is decided.
    facts : iterable of str
        Findings: of an appeal those it disputes, of the final word those that are withdrawn.
    note : str
    version : int, optional
        Of the assessment as it was read.
    reason : str
        For the audit.

    Raises
    ------
    InputError
        ``bad-state``, ``unknown-fact``; of the values as those of a scorecard folder.
    ConflictError, DeniedError, NotFoundError
    """
    found = kept.read_one(desk, card_id, subject_id)
    content: dict[str, Any] = {"note": note}
    problems: list[Problem] = []
    if values is not None:
        try:
            content["values"] = _typed_values(found, values)
        except InputError as error:
            problems += error.problems
    wanted = list(dict.fromkeys(facts))
    if wanted:
        content["facts"] = wanted
        problems += _unknown_facts(found, wanted)
    if problems:
        raise InputError(problems)
    seen = found.assessments[0].version if version is None else version
    return scorecard_stages.say(desk, card_id, subject_id, stage, content, version=seen, reason=reason)


def _typed_values(found: CardRecords, values: pl.DataFrame) -> list[dict[str, Any]]:
    """Return values as a card would read them: alone, so that only what they are is checked."""
    rows = rows_of(found)
    subject = {name: value for name, value in rows["subjects"][0].items() if name != "parent_id"}
    frames = {
        name: table_of_rows(name, rows[name]) for name in ("sections", "indicators", "departments", "bands")
    }
    optional = pl.lit("zero").alias("if_missing")  # what is said may be a part of what is asked
    frames["indicators"] = frames["indicators"].with_columns(optional)
    frames["subjects"] = table_of_rows("subjects", [subject])
    asked = values.select(name for name in VALUE_COLUMNS if name in values.columns)
    frames["values"] = asked.with_columns(subject_id=pl.lit(subject["subject_id"]))
    card = build_scorecard(head_of(found), frames)
    return [
        {name: row[name] for name in VALUE_COLUMNS if row.get(name) is not None}
        for row in rows_of_table(card.values)
    ]


def _unknown_facts(found: CardRecords, wanted: Sequence[str]) -> list[Problem]:
    facts = found.assessments[0]["data"].get("facts", ())
    known = list(
        dict.fromkeys(str(row["fact_id"]) for row in facts)
    )  # in several rows where it hits several rules
    nearest = NearestNames(known)
    return [
        Problem("unknown-fact", f'no finding "{one}" of this subject.', column="facts",
                expected=", ".join(known[:20]) or "it has no findings", hint=nearest.hint(one))
        for one in wanted
        if one not in known
    ]  # fmt: skip


def mark(
    desk: Desk,
    card_id: str,
    department: str,
    marks: pl.DataFrame,
    *,
    versions: Mapping[str, int] | None = None,
) -> int:
    """Put down marks of one's own department, all or none; return how many subjects are marked.

    Parameters
    ----------
    desk : Desk
    card_id, department : str
    marks : polars.DataFrame
        ``subject_id``, ``indicator_id`` (empty: the whole), ``points``, ``evidence``; ``version`` of those
        that take the place of marks already given.
    versions : mapping, optional
        The same by subject.

    Raises
    ------
    InputError
        As the marks of a scorecard folder; ``handed-in``.
    ConflictError, DeniedError, NotFoundError
    """
    named = marks.select(
        (pl.col(name).cast(pl.String) if name in marks.columns else pl.lit(None, pl.String)).alias(name)
        for name in MARK_COLUMNS
    )
    by_subject: dict[str, list[dict[str, Any]]] = {}
    given: dict[str, int] = dict(versions or {})
    problems = []
    for number, row in enumerate(named.to_dicts(), 1):
        subject = (row["subject_id"] or "").strip()
        points = _number(row["points"])
        if not subject or points is None:
            problems.append(
                Problem("bad-value", "A mark has a subject and points.", None, number, "points", "a number")
            )
            continue
        mine = {"indicator_id": row["indicator_id"], "points": points, "evidence": row["evidence"]}
        point = {key: value for key, value in mine.items() if value not in (None, "")}
        by_subject.setdefault(subject, []).append(point)
        if row["version"] is not None and row["version"].isdigit():
            given[subject] = int(row["version"])
    if problems:
        raise InputError(problems)
    return scorecard_marks.mark(desk, card_id, department, by_subject, versions=given, check=_check_marks)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _check_marks(found: CardRecords, wanted: Mapping[str, Any]) -> None:
    """Refuse marks that the card does not ask for, by the checks of a folder."""
    rows = rows_of(found)
    rows["handed_in"] = []
    rows["marks"] = [
        {"department_id": wanted["department"], "subject_id": subject, **point}
        for subject, points in wanted["marks"].items()
        for point in points
    ]
    _built(found, rows)


def _built(found: CardRecords, rows: Mapping[str, list[dict[str, Any]]]) -> Scorecard:
    return build_scorecard(head_of(found), {name: table_of_rows(name, of) for name, of in rows.items()})


def hand_in(desk: Desk, card_id: str, department: str, *, sets_none: bool = False) -> bool:
    """Say that one's own department is done; return whether the marks of all are shown now.

    Parameters
    ----------
    desk : Desk
    card_id, department : str
    sets_none : bool
        It gives no marks, and the others' count.

    Raises
    ------
    InputError
        ``missing-mark``, ``handed-in``, ``mark-not-allowed``.
    DeniedError, NotFoundError
    """
    return scorecard_marks.hand_in(desk, card_id, department, sets_none=sets_none, check=_check_complete)


def _check_complete(found: CardRecords, wanted: Mapping[str, Any]) -> None:
    """Refuse a department that has not marked all that it is asked for, by the checks of a folder."""
    if wanted["sets_none"]:
        return
    department = wanted["department"]
    rows = rows_of(found)
    rows["handed_in"] = [{"department_id": department, "state": "handed_in"}]
    if not found.marks and _is_asked(rows["indicators"], department):
        message = f"{department} has marked nothing."
        hint = "Mark first, or say that it sets none."
        raise InputError([Problem("missing-mark", message, expected="marks", hint=hint)])
    _built(found, rows)


def _is_asked(indicators: Sequence[Mapping[str, Any]], department: str) -> bool:
    return any(
        one["scoring"] == "marks" and department in (split_list(one.get("departments")) or (department,))
        for one in indicators
    )


def own_marks(desk: Desk, card_id: str, department: str) -> pl.DataFrame:
    """Return the marks of one's own department, with the versions a change has to name.

    Parameters
    ----------
    desk : Desk
    card_id, department : str
    """
    found = scorecard_marks.own_marks(desk, card_id, department)
    subject_of = {one.id: one["subject_id"] for one in found.assessments}
    place = {one.id: one["place"] for one in found.assessments}
    rows = [
        {"subject_id": subject_of[one["assessment"]], "indicator_id": point.get("indicator_id"),
         "points": point["points"], "evidence": point.get("evidence"), "version": one.version}
        for one in sorted(found.marks, key=lambda one: place[one["assessment"]])
        for point in one["marks"]
    ]  # fmt: skip
    schema = dict.fromkeys(MARK_COLUMNS, pl.String()) | {"points": pl.Float64(), "version": pl.Int64()}
    return pl.DataFrame(rows, schema)


@dataclass(frozen=True)
class ShownMarks:
    """Marks of all departments, as they are shown once all have handed in.

    Attributes
    ----------
    waiting_for : tuple of str
        Departments with weight that have not handed in; then both tables are empty.
    marks : polars.DataFrame
        ``department_id``, ``subject_id``, ``indicator_id``, ``points``, ``evidence``.
    disagreements : polars.DataFrame
        Marks further apart than the card allows, the widest first; see `assessment.marking`.
    """

    waiting_for: tuple[str, ...]
    marks: pl.DataFrame
    disagreements: pl.DataFrame


def shown_marks(desk: Desk, card_id: str) -> ShownMarks:
    """Return the marks of all departments of a card and where they disagree; nothing while they are blind.

    Parameters
    ----------
    desk : Desk
        Of who marks on the card, or may see all of it.
    card_id : str

    Raises
    ------
    NotFoundError, DeniedError
    """
    card = card_of(kept.read_marking(desk, card_id))
    columns = ("department_id", "subject_id", "indicator_id", "points", "evidence")
    text = pl.col("department_id", "subject_id", "indicator_id").cast(pl.String)
    marks = card.marks.with_columns(text).select(columns)
    return ShownMarks(tuple(card.waiting_for), marks, disagreements(card))


def read_rows(path: Path, columns: Sequence[str], needed: Sequence[str]) -> pl.DataFrame:
    """Read a CSV of values or marks as text; what the cells are is checked with the card.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Those that may be there.
    needed : sequence of str

    Raises
    ------
    InputError
        ``missing-file``, ``unreadable-file``, ``missing-column``, ``unknown-column``.
    """
    if not path.is_file():
        raise InputError([Problem("missing-file", "The file is not there.", path.name)])
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError):
        raise InputError(
            [Problem("unreadable-file", "The file is no CSV in UTF-8.", path.name, expected="a CSV")]
        ) from None
    expected = ", ".join(columns)
    problems = [
        Problem("missing-column", f"There is no column {name}.", path.name, 0, name, expected)
        for name in needed
        if name not in frame.columns
    ]
    problems += [
        Problem("unknown-column", f'"{name}" is unknown.', path.name, 0, name, expected)
        for name in frame.columns
        if name not in columns
    ]
    if problems:
        raise InputError(problems)
    return frame
