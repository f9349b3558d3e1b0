"""Assessments over the API: those one may see with what is due, one of them item by item, its notices."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.encoders import jsonable_encoder
from pydantic import Field

from changtong.api.answers import (
    DOCX,
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
    tag_of,
    version_of,
)
from changtong.api.people import Asks, Serves
from changtong.api.records import file_response
from changtong.assessment.assess import assess
from changtong.assessment.scorecard import CardHead
from changtong.scorecards.card_records import ZONE
from changtong.scorecards.notices import issue_result, notice_document
from changtong.scorecards.one_assessment import (
    compare_regions,
    count_rectifications,
    due_of,
    read_assessment,
)
from changtong.scorecards.statements import read_card
from changtong.storage.pages import MOST_ROWS
from changtong.storage.pages import Query as PageQuery
from changtong.storage.records import Record
from changtong.storage.scorecard_notices import notices_of, receive_notice
from changtong.storage.seen_assessments import seen_assessments

router = APIRouter(prefix="/api/v1/scorecards", tags=["scorecards"])

DIGITS = {"province": 2, "city": 4, "county": 6}
"""Of the code of GB/T 2260 that make a region of a size."""

State = Literal["open", "self_report", "review", "appeal", "final"]


class NoticeAsked(Asked):
    """A notice of the result, which is kept as it was told."""

    note: Words = Field(default="", description="No names of persons.")
    reason: Words = ""


class ReceivedAsked(Asked):
    """The notice is received."""

    words: Words = Field(default="", description="What is answered; no names of persons. No appeal.")


def _today() -> date:
    return datetime.now(ZONE).date()


@router.get("/assessments")
def list_assessments(
    asks: Asks,
    card: Id | None = None,
    state: State | None = None,
    after: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> dict[str, Any]:
    """List the assessments that one may see: stage, what is due, rectifications, the last notice."""
    where = {name: value for name, value in (("scorecard", card), ("state", state)) if value}
    found = seen_assessments(asks.desk, PageQuery(where or None, limit=limit, after=after))
    today = _today()
    rows = []
    for one in found.assessments:
        head = CardHead(**found.cards[one["scorecard"]]["card"]["head"])
        begin = f"{one['scorecard']}/{one['subject_id']}/"
        notices = notices_of(one)
        rows.append(
            {"card": one["scorecard"], "title_zh": head.name_zh, "title_en": head.name_en, "year": head.year,
             "card_version": head.version, "provenance": head.provenance, "subject_id": one["subject_id"],
             "name": one["data"]["subject"].get("name"), "level": one["data"]["subject"].get("level"),
             "organisation": one.organisation, "admin_code": one.admin_code, "state": one["state"],
             "version": one.version, "record": one.id, "due": due_of(head, one["state"], today),
             "rectifications": count_rectifications(found.rectifications, begin, today),
             "notice": notices[-1] if notices else None}
        )  # fmt: skip
    return {"assessments": rows, "next": found.next or None}


@router.get("/{record_id}/assessments/{subject}", response_model=None)
def read_one(
    asks: Asks,
    response: Response,
    record_id: RecordId,
    subject: Word,
    on: Annotated[date | None, Query(description="Day of it; today without it.")] = None,
) -> dict[str, Any]:
    """Read one assessment: items with what each stage said, points, findings, gaps, rectifications, notices.

    `whole` is false for those who do not see all that scores are made of: then nothing that was taken over
    from below counts, nor marks, and there is no rank. `may` says what the caller may do in this state.
    """
    found = read_assessment(asks.desk, record_id, subject)
    response.headers["ETag"] = tag_of(found.seen.one.version)
    told: dict[str, Any] = jsonable_encoder(found.to_json(on or _today()))
    return told


@router.post("/{record_id}/assessments/{subject}/notices", status_code=201)
def add_notice(
    asks: Asks,
    serves: Serves,
    record_id: RecordId,
    subject: Word,
    asked: NoticeAsked,
    if_match: IfMatch = "",
    idempotency_key: Key = "",
) -> Response:
    """Issue a notice of the result once it is reviewed or decided; If-Match names the version."""
    version = version_of(if_match)
    once = Once(asks, serves, idempotency_key, "notice", record_id, subject, asked, if_match)

    def issue() -> Record:
        return issue_result(
            asks.desk, record_id, subject, note=asked.note, version=version, reason=asked.reason
        )

    return once.answer(lambda: facts_of(changed_with(issue)), 201, _tag)


@router.post("/{record_id}/assessments/{subject}/notices/receive")
def receive(
    asks: Asks,
    serves: Serves,
    record_id: RecordId,
    subject: Word,
    asked: ReceivedAsked,
    if_match: IfMatch = "",
    idempotency_key: Key = "",
) -> Response:
    """Say that the newest notice has been received, for one's own organisation; an appeal is a stage."""
    version = version_of(if_match)
    once = Once(asks, serves, idempotency_key, "received", record_id, subject, asked, if_match)

    def take() -> Record:
        return receive_notice(asks.desk, record_id, subject, words=asked.words, version=version)

    return once.answer(lambda: facts_of(changed_with(take)), 200, _tag)


def _tag(made: dict[str, Any]) -> dict[str, str]:
    return {"ETag": tag_of(made["version"])}


@router.get("/{record_id}/assessments/{subject}/notice.docx")
def read_notice(
    asks: Asks, record_id: RecordId, subject: Word, language: Literal["zh", "en"] = "zh"
) -> Response:
    """Read the notice as a document, with its reasons, for those who see all that are assessed."""
    content = notice_document(asks.desk, record_id, subject, language)
    return file_response(content, DOCX, "notice.docx")


@router.get("/{record_id}/comparison")
def read_comparison(
    asks: Asks, record_id: RecordId, by: Literal["province", "city", "county"] = "county"
) -> dict[str, Any]:
    """Compare regions among equals, one level and group of peers at a time, for those who see everybody."""
    result = assess(read_card(asks.desk, record_id))
    told: dict[str, Any] = jsonable_encoder(
        {"regions": compare_regions(result, DIGITS[by]), "complete": result.complete}
    )
    return told
