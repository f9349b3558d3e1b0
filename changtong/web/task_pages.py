"""What is due, overdue and mine as a page, from the registers that have deadlines."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/tasks")
def tasks_page(request: Request, asks: Asks) -> Response:
    """Show what is to be done."""
    return page(request, "tasks.html.j2", area="safety", title="tasks.title", asks=asks)
