"""Scorecards over the API: kept, reported on, reviewed, marked, decided, and what comes out."""

from __future__ import annotations

import base64
import io
import tempfile
import zipfile
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from changtong.api.answers import (
    Asked,
    Id,
    IfMatch,
    Key,
    Once,
    RecordId,
    Word,
    Words,
    changed_with,
    facts_of,
    plain_rows,
    tag_of,
    version_of,
)
from changtong.api.people import Asks, Caller, Serves
from changtong.api.records import file_response
from changtong.assessment.assess import assess
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.assessment.value_sources import value_sources
from changtong.errors import InputError, Problem
from changtong.scorecards.card_records import status_of
from changtong.scorecards.card_versions import compare_cards, heading_of, read_kept_card
from changtong.scorecards.rectify import rectify
from changtong.scorecards.statements import (
    MARK_COLUMNS,
    VALUE_COLUMNS,
    hand_in,
    keep_card,
    mark,
    own_marks,
    read_card,
    say,
    shown_marks,
)
from changtong.storage.pages import MOST_ROWS
from changtong.storage.pages import Query as PageQuery
from changtong.storage.records import Record
from changtong.storage.scorecards import read_marking

router = APIRouter(prefix="/api/v1/scorecards", tags=["scorecards"])

Stage = Literal["self-report", "review", "appeal", "final"]
Cell = Word | float | int | None
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}\.(csv|toml|json)$")]
FileText = Annotated[str, StringConstraints(max_length=900_000)]
BookName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}\.xlsx$")]
Book = Annotated[str, StringConstraints(max_length=3_500_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


class NewCard(Asked):
    """A scorecard folder, as files; together 4 MB at most."""

    files: dict[FileName, FileText] = Field(max_length=40, description="Name in the folder -> text.")
    workbooks: dict[BookName, Book] = Field(
        default_factory=dict, max_length=40, description="`subjects.xlsx` … -> its bytes in base64."
    )
    reason: Words = ""


class Value(Asked):
    """One value of an indicator."""

    indicator_id: Word
    value: Cell
    evidence: Word | None = Field(default=None, description="What shows it: an attachment, a document.")
    source: Word | None = None


class Said(Asked):
    """What is said at a stage."""

    values: list[Value] | None = Field(default=None, max_length=2000)
    facts: list[Word] = Field(
        default_factory=list,
        max_length=1000,
        description="Findings disputed, or withdrawn by the final word.",
    )
    note: Words = Field(default="", description="No names of persons.")
    reason: Words = ""


class Mark(Asked):
    """Points for one that is assessed."""

    subject_id: Word
    points: float
    indicator_id: Word | None = Field(default=None, description="The whole where not given.")
    evidence: Word | None = None
    version: int | None = Field(default=None, ge=1, description="Of the mark whose place it takes.")


class Marks(Asked):
    """Marks of one's own department, all or none."""

    marks: list[Mark] = Field(min_length=1, max_length=20_000)


class HandIn(Asked):
    """One's own department is done."""

    sets_none: bool = Field(default=False, description="It gives no marks, and the others' count.")


class Rectify(Asked):
    """Which gaps become rectifications."""

    subjects: list[Word] = Field(default_factory=list, max_length=1000)
    causes: list[Word] = Field(
        default_factory=list, max_length=1000, description="As `indicator:real-name`; all without it."
    )
    on: date | None = None
    days: int = Field(default=30, ge=1, le=3660)
    most: int = Field(default=20, ge=1, le=1000)
    reason: Words = ""


@router.get("")
def list_cards(asks: Asks, after: Annotated[str, Query(max_length=2000)] = "") -> dict[str, Any]:
    """List the cards that one may see."""
    page = asks.desk.page("scorecard", PageQuery(limit=MOST_ROWS, after=after))
    cards = [
        {**heading_of(one), "title": one["title"], "card_version": one["card_version"]}
        for one in page.records
    ]
    return {"cards": cards, "next": page.next or None}


@router.get("/sources")
def list_sources(asks: Asks) -> dict[str, Any]:
    """List where values of indicators and findings may come from."""
    return {"sources": [one.to_dict() for one in value_sources().values()]}


@router.post("", status_code=201)
def add_card(asks: Asks, serves: Serves, asked: NewCard, idempotency_key: Key = "") -> Response:
    """Put a card with all who are assessed into the registers; a changed one is another version."""
    once = Once(asks, serves, idempotency_key, "card", asked)

    def keep() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="changtong-card-") as place:
            for name, text in asked.files.items():
                (Path(place) / name).write_text(text, "utf-8")
            for name, packed in asked.workbooks.items():
                (Path(place) / name).write_bytes(_bytes_of(name, packed))
            made = keep_card(asks.desk, read_scorecard(place), asked.reason)
        return {"card": made.id, "subjects": made["subjects"]}

    return once.answer(keep)


def _bytes_of(name: str, packed: str) -> bytes:
    try:
        return base64.b64decode(packed, validate=True)
    except ValueError:
        expected = "the bytes of the workbook in base64"
        raise InputError([Problem("bad-value", "This is no base64.", name, expected=expected)]) from None


@router.get("/{record_id}")
def read_kept(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """Read a card: items, points, evidence wanted, rules, where it comes from, its versions.

    Who is assessed by it may read it, too. `later`: the version of the same year that was kept last.
    """
    return read_kept_card(asks.desk, record_id).to_json()


@router.get("/{record_id}/changes")
def read_changes(
    asks: Asks, record_id: RecordId, since: Annotated[Id, Query(description="The earlier card.")]
) -> dict[str, Any]:
    """Tell what changed of the card itself since another one: rows added and removed, cells changed."""
    return compare_cards(asks.desk, since, record_id).to_json()


@router.get("/{record_id}/folder.zip")
def export_card(asks: Asks, record_id: RecordId) -> Response:
    """Read a card with everything about it as a scorecard folder, for those who see everybody on it."""
    card = read_card(asks.desk, record_id)
    with tempfile.TemporaryDirectory(prefix="changtong-card-") as place:
        folder = write_scorecard(card, Path(place) / "card")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(one for one in folder.rglob("*") if one.is_file()):
                archive.write(file, f"{record_id}/{file.relative_to(folder).as_posix()}")
    return file_response(packed.getvalue(), "application/zip", f"{record_id}.zip")


@router.get("/{record_id}/status")
def read_status(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """Tell the stage of each that is assessed, with its version, and which departments are waited for."""
    return status_of(read_marking(asks.desk, record_id))


@router.post("/{record_id}/assessments/{subject}/{stage}", status_code=201)
def add_statement(
    asks: Asks,
    serves: Serves,
    record_id: RecordId,
    subject: Word,
    stage: Stage,
    asked: Said,
    if_match: IfMatch = "",
    idempotency_key: Key = "",
) -> Response:
    """Put down a self-report, a review, an appeal or the final word.

    If-Match names the version of the assessment as `status` told it: 412 where somebody was quicker.
    """
    version = version_of(if_match) if if_match else None
    once = Once(asks, serves, idempotency_key, "say", record_id, subject, stage, asked, if_match)

    def put_down() -> dict[str, Any]:
        made = changed_with(lambda: _said(asks, record_id, subject, stage, asked, version))
        return facts_of(made)

    return once.answer(put_down, 201, lambda made: {"ETag": tag_of(made["version"])})


def _said(asks: Caller, card: str, subject: str, stage: str, asked: Said, version: int | None) -> Record:
    values = None if asked.values is None else _frame(asked.values, VALUE_COLUMNS)
    return say(
        asks.desk, card, subject, stage.replace("-", "_"), values=values, facts=asked.facts, note=asked.note,
        version=version, reason=asked.reason,
    )  # fmt: skip


def _frame(rows: list[Any], columns: tuple[str, ...]) -> pl.DataFrame:
    """Return rows as the text of a CSV: what the cells are is checked with the card."""
    cells = [{name: _text(getattr(one, name)) for name in columns} for one in rows]
    frame = pl.DataFrame(cells, dict.fromkeys(columns, pl.String()))
    return frame.select(name for name in columns if frame[name].null_count() < frame.height)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


@router.get("/{record_id}/marks/{department}")
def read_marks(asks: Asks, record_id: RecordId, department: Word) -> dict[str, Any]:
    """Read the marks of one's own department, with the versions that a change has to name."""
    return {"marks": plain_rows(own_marks(asks.desk, record_id, department))}


@router.post("/{record_id}/marks/{department}", status_code=201)
def add_marks(
    asks: Asks, serves: Serves, record_id: RecordId, department: Word, asked: Marks, idempotency_key: Key = ""
) -> Response:
    """Put down marks of one's own department, blind until every department has handed in."""
    once = Once(asks, serves, idempotency_key, "mark", record_id, department, asked)

    def put_down() -> dict[str, Any]:
        frame = _frame(asked.marks, MARK_COLUMNS)
        return {"marked": mark(asks.desk, record_id, department, frame)}

    return once.answer(put_down)


@router.post("/{record_id}/marks/{department}/hand-in")
def add_hand_in(asks: Asks, record_id: RecordId, department: Word, asked: HandIn) -> dict[str, Any]:
    """Say that one's own department is done; with the last one the marks of all are shown."""
    shown = hand_in(asks.desk, record_id, department, sets_none=asked.sets_none)
    return {"department": department, "marks_are_shown": shown}


@router.get("/{record_id}/disagreements")
def read_disagreements(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """Read the marks of all departments and where they disagree; nothing until all have handed in."""
    found = shown_marks(asks.desk, record_id)
    return {
        "waiting_for": list(found.waiting_for),
        "marks": plain_rows(found.marks),
        "disagreements": plain_rows(found.disagreements),
    }


@router.get("/{record_id}/result")
def read_result(
    asks: Asks, record_id: RecordId, on: Annotated[date | None, Query(description="Day of it.")] = None
) -> dict[str, Any]:
    """Score everybody on a card: ranking with reasons, gaps, what is dealt with; blind marks do not count."""
    found = assess(read_card(asks.desk, record_id), on=on)
    return found.summary() | {
        "ranking": plain_rows(found.scores), "gaps": plain_rows(found.gaps()),
        "points": plain_rows(found.point_table()), "findings": plain_rows(found.fact_table()),
        "notes": list(found.notes),
    }  # fmt: skip


@router.post("/{record_id}/rectifications", status_code=201)
def add_rectifications(
    asks: Asks, serves: Serves, record_id: RecordId, asked: Rectify, idempotency_key: Key = ""
) -> Response:
    """Put the gaps that bring most into the register of rectifications, each once, to be followed there."""
    once = Once(asks, serves, idempotency_key, "rectify", record_id, asked)

    def put_down() -> dict[str, Any]:
        made = rectify(
            asks.desk, record_id, subjects=asked.subjects, causes=asked.causes, on=asked.on, days=asked.days,
            most=asked.most, reason=asked.reason,
        )  # fmt: skip
        return {"added": [facts_of(one) for one in made]}

    return once.answer(put_down)
