"""Scorecards as pages: those kept, one with its items and versions, what changed, marks of departments."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.answers import RecordId
from changtong.api.people import Asks
from changtong.storage.seen_assessments import see_card
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/scorecards")
def cards_page(request: Request, asks: Asks) -> Response:
    """Show the scorecards that one may see, and where one may, the form to keep another."""
    return page(request, "scorecards.html.j2", area="safety", title="scorecard.title", asks=asks)


@router.get("/scorecards/{record_id}")
def card_page(request: Request, asks: Asks, record_id: RecordId) -> Response:
    """Show one scorecard, to who may see it and to those who are assessed by it."""
    see_card(asks.desk, record_id)
    return page(request, "scorecard.html.j2", area="safety", title="scorecard.one", asks=asks, card=record_id)


@router.get("/scorecards/{record_id}/marks")
def marks_page(request: Request, asks: Asks, record_id: RecordId) -> Response:
    """Show the marks of one's own department, and those of all once every one is in."""
    see_card(asks.desk, record_id)
    return page(
        request, "scorecard_marks.html.j2", area="safety", title="marks.title", asks=asks, card=record_id
    )
