"""From a scorecard to records of the registers, and from records to the same scorecard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong._tables import ASSESSMENT_SET, CARD_TABLES
from changtong.assessment.card_folder import build_scorecard
from changtong.assessment.scorecard import CardHead, Scorecard
from changtong.errors import InputError, Problem
from changtong.storage.records import Record
from changtong.storage.scorecards import CardRecords, NewSubject

ZONE = ZoneInfo("Asia/Shanghai")
"""Days of stages, marks and deadlines are days here."""

OF_CARD = (*CARD_TABLES, "provenance")
OF_SUBJECT = ("facts", "values", "practices", "rectifications", "computed", "computed_from")
BEGIN_EMPTY = ("marks", "handed_in", "stages")
"""Tables that begin empty in the registers: each department marks for itself there."""

COUNTS = ("self_report", "review", "final")
"""Stages whose values count; what an appeal claims counts once it is decided."""

RECTIFIED = {
    "open": "open",
    "under_way": "open",
    "refused": "open",
    "done": "handed_in",
    "accepted": "closed",
}
"""State in the register of rectifications -> state on a card."""


def rows_of_table(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values, without empty cells.

    Parameters
    ----------
    frame : polars.DataFrame
    """
    plain = frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))
    return [{name: value for name, value in row.items() if value is not None} for row in plain.to_dicts()]


def table_of_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows as a table of a scorecard.

    Parameters
    ----------
    name : str
    rows : iterable of mapping
    """
    return pl.DataFrame(list(rows), schema=ASSESSMENT_SET.tables[name].schema())


def records_of(card: Scorecard) -> tuple[dict[str, Any], tuple[NewSubject, ...]]:
    """Return what the registers keep of a card: values of its record, and who is assessed.

    Parameters
    ----------
    card : Scorecard

    Raises
    ------
    InputError
        ``no-organisation``: subjects and departments without one; ``begins-empty``: marks, stages.
    """
    problems = [
        Problem("begins-empty", f"{name} begin empty in the registers.", f"{name}.csv", expected="no rows",
                hint="Departments mark, and stages are reached, in the registers themselves.")
        for name in BEGIN_EMPTY
        if getattr(card, name).height
    ]  # fmt: skip
    for row, one in enumerate(card.subjects.iter_rows(named=True), 1):
        if one["organisation"] is None:
            problems.append(_without_organisation("subjects", row, str(one["subject_id"])))
    departments: dict[str, Any] = {}
    for row, one in enumerate(card.departments.iter_rows(named=True), 1):
        waited = bool(one["weight"] > 0 and not one["from_facts"])
        if one["organisation"] is None and not one["from_facts"]:
            problems.append(_without_organisation("departments", row, str(one["department_id"])))
        elif not one["from_facts"]:
            departments[str(one["department_id"])] = {"organisation": one["organisation"], "waited": waited}
    if problems:
        raise InputError(problems)
    last = None if card.last_year is None else card.last_year.to_dicts()
    tables = {name: rows_of_table(getattr(card, name)) for name in OF_CARD}
    values = {
        "card_id": card.head.card_id, "card_version": card.head.version, "title": card.head.name_zh,
        "year": card.head.year, "departments": departments,
        "card": {"head": asdict(card.head), "tables": tables, "last_year": last},
    }  # fmt: skip
    return values, _subjects_of(card)


def _without_organisation(table: str, row: int, name: str) -> Problem:
    hint = "Its people report or mark for it there; `registers add-organisation` makes one."
    message = f"{name} has no organisation in the registers."
    return Problem("no-organisation", message, table, row, "organisation", "an id", hint)


def _subjects_of(card: Scorecard) -> tuple[NewSubject, ...]:
    data: dict[str, dict[str, Any]] = {
        row["subject_id"]: {"subject": row} for row in rows_of_table(card.subjects)
    }
    for name in OF_SUBJECT:
        for row in rows_of_table(getattr(card, name)):
            data[row["subject_id"]].setdefault(name, []).append(row)
    return tuple(
        NewSubject(name, one["subject"]["organisation"], one, one["subject"].get("admin_code"))
        for name, one in data.items()
    )


def status_of(records: CardRecords) -> dict[str, Any]:
    """Return how far each that is assessed is, and which departments are waited for, as one JSON object.

    Parameters
    ----------
    records : CardRecords
    """
    done = {one["department"] for one in records.hand_ins}
    waited = {name for name, one in records.scorecard["departments"].items() if one["waited"]}
    assessed = [
        {"subject_id": one["subject_id"], "name": one["data"]["subject"]["name"], "stage": one["state"],
         "version": one.version, "record": one.id}
        for one in records.assessments
    ]  # fmt: skip
    return {
        "card": records.scorecard.id,
        "assessed": assessed,
        "waiting_for": sorted(waited - done),
        "marks_are_blind": records.blind,
    }


def head_of(records: CardRecords) -> CardHead:
    """Return what a card that is kept says of itself.

    Parameters
    ----------
    records : CardRecords
    """
    return CardHead(**records.scorecard["card"]["head"])


def card_of(records: CardRecords) -> Scorecard:
    """Return the scorecard that records hold, checked as that of a folder.

    Marks that are blind are not in it, and it is provisional then.

    Parameters
    ----------
    records : CardRecords

    Raises
    ------
    InputError
    """
    kept = records.scorecard["card"]
    last = kept["last_year"]
    frames = {name: table_of_rows(name, rows) for name, rows in rows_of(records).items()}
    schema = {"subject_id": pl.String, "score": pl.Float64, "rank": pl.Int64}
    return build_scorecard(head_of(records), frames, None if last is None else pl.DataFrame(last, schema))


def rows_of(records: CardRecords) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table of a card that is kept.

    Parameters
    ----------
    records : CardRecords
    """
    rows: dict[str, list[dict[str, Any]]] = {
        name: list(of_table) for name, of_table in records.scorecard["card"]["tables"].items()
    }
    rows["subjects"] = [one["data"]["subject"] for one in records.assessments]
    for name in OF_SUBJECT:
        rows[name] = [dict(row) for one in records.assessments for row in one["data"].get(name, ())]
    subject_of = {one.id: str(one["subject_id"]) for one in records.assessments}
    said = [(subject_of[one["assessment"]], one) for one in records.statements]
    rows["stages"] = [_stage_row(subject, one) for subject, one in said]
    rows["values"] = _with_said(rows["values"], said)
    rows["facts"] = _disputed(rows["facts"], said)
    rows["marks"] = [
        {"department_id": one["department"], "subject_id": subject_of[one["assessment"]],
         "given_at": _day(one["marked_at"]), **point}
        for one in records.marks
        for point in one["marks"]
    ]  # fmt: skip
    rows["handed_in"] = [
        {"department_id": one["department"], "state": one["outcome"], "given_by": one.organisation,
         "given_at": _day(one["handed_in_at"])}
        for one in records.hand_ins
    ]  # fmt: skip
    posts = {str(row["subject_id"]): row.get("owner") for row in rows["subjects"]}
    rows["rectifications"] += [
        _rectification(one, records.scorecard.id, posts) for one in records.rectifications
    ]
    return rows


def _day(at: datetime) -> str:
    return at.astimezone(ZONE).date().isoformat()


def _stage_row(subject: str, said: Record) -> dict[str, Any]:
    content = said["content"]
    return {
        "subject_id": subject, "stage": said["stage"], "at": _day(said["said_at"]),
        "given_by": content.get("by"), "note": content.get("note") or None,
    }  # fmt: skip


def _with_said(rows: list[dict[str, Any]], said: list[tuple[str, Record]]) -> list[dict[str, Any]]:
    """Return the values with those that were said at the stages; these take the place of the card's own."""
    made = {(row["subject_id"], row["indicator_id"], row.get("stage", "final")): row for row in rows}
    for subject, one in said:
        if one["stage"] not in COUNTS:
            continue
        given = {"given_by": one["content"].get("by"), "given_at": _day(one["said_at"])}
        for value in one["content"].get("values", ()):
            row = {"subject_id": subject, "stage": one["stage"], **value, **given}
            made[subject, value["indicator_id"], one["stage"]] = row
    return list(made.values())


def _disputed(rows: list[dict[str, Any]], said: list[tuple[str, Record]]) -> list[dict[str, Any]]:
    """Return the findings, appealed from the appeal to its decision, withdrawn where that was decided."""
    by_stage = {(subject, one["stage"]): one["content"] for subject, one in said}
    made = []
    for row in rows:
        subject, fact = row["subject_id"], row["fact_id"]
        final = by_stage.get((subject, "final"))
        if final is not None and fact in final.get("facts", ()):
            row = row | {"state": "withdrawn"}
        elif final is None and fact in by_stage.get((subject, "appeal"), {}).get("facts", ()):
            row = row | ({"state": "appealed"} if row.get("state") != "withdrawn" else {})
        made.append(row)
    return made


def gap_of(text: str, card_id: str) -> tuple[str, str]:
    """Return the subject and the cause of a gap, as the register of rectifications names it.

    Examples
    --------
    >>> gap_of("spb.card.1.2025/P1/fact:H-1", "spb.card.1.2025")
    ('P1', 'fact:H-1')
    """
    found = re.fullmatch(r"(.*?)/((?:fact|indicator):.*)", text.removeprefix(f"{card_id}/"), re.S)
    return ("", "") if found is None else (found[1], found[2])


def _rectification(one: Record, card_id: str, posts: Mapping[str, str | None]) -> dict[str, Any]:
    subject, cause = gap_of(one["gap"], card_id)
    state = RECTIFIED[one["state"]]
    return {
        "rectification_id": one.id, "subject_id": subject, "cause": cause, "owner": posts.get(subject),
        "deadline": _day(one["deadline"]), "state": state,
        "evidence": "; ".join(map(str, one["evidence"])) if isinstance(one["evidence"], list) else None,
        "closed_at": _day(one.updated_at) if state == "closed" else None,
    }  # fmt: skip
