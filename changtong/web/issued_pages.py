"""Issued plans as pages: the list, and one with its approval, its orders by site and their answers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks
from changtong.response_records.issued_plans import read_plan
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/issued")
def issued_list(request: Request, asks: Asks) -> Response:
    """Show the list."""
    return page(request, "issued.html.j2", area="respond", title="issued.title", asks=asks)


@router.get("/issued/{plan_id}")
def issued_one(request: Request, asks: Asks, plan_id: str) -> Response:
    """Show one plan that the caller may see."""
    read_plan(asks.desk, plan_id)
    return page(request, "issued_one.html.j2", area="respond", title="issued.one", asks=asks, plan_id=plan_id)
