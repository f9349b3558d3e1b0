"""Assessments as pages: those one may see, the ranking of a round, one of them, its notice to be printed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from changtong.api.answers import RecordId
from changtong.api.people import Asks
from changtong.storage.scorecards import read_one
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)

Subject = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/assessment")
def assessments_page(request: Request, asks: Asks) -> Response:
    """Show the assessments that one may see."""
    return page(request, "assessment.html.j2", area="safety", title="assessment.title", asks=asks)


@router.get("/assessment/{card}")
def round_page(request: Request, asks: Asks, card: RecordId) -> Response:
    """Show the ranking of a round that one may see."""
    asks.desk.get("scorecard", card)
    return page(
        request, "assessment_round.html.j2", area="safety", title="assessment.round", asks=asks, card=card
    )


@router.get("/assessment/{card}/{subject}")
def assessment_page(request: Request, asks: Asks, card: RecordId, subject: Subject) -> Response:
    """Show one assessment that one may see."""
    read_one(asks.desk, card, subject)
    return page(
        request, "assessment_one.html.j2", area="safety", title="assessment.one", asks=asks, card=card,
        subject=subject,
    )  # fmt: skip


@router.get("/assessment/{card}/{subject}/notice")
def notice_page(request: Request, asks: Asks, card: RecordId, subject: Subject) -> Response:
    """Show the newest notice to one that is assessed, to be printed."""
    read_one(asks.desk, card, subject)
    return page(
        request, "assessment_notice.html.j2", area="safety", title="assessment.notice", asks=asks, card=card,
        subject=subject,
    )  # fmt: skip
