"""Administration as pages, a part to a page; and what is one's own: sessions, tokens, rights."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from changtong.api.people import Asks
from changtong.web.pages import must_be_offered, page

router = APIRouter(include_in_schema=False)

PARTS = ("users", "organisations", "audit", "retention", "backups")
Part = Literal["users", "organisations", "audit", "retention", "backups"]


@router.get("/administration")
def administration_page(asks: Asks) -> Response:
    """Lead to the first part."""
    must_be_offered(asks, "administration")
    return RedirectResponse(f"/administration/{PARTS[0]}", 303)


@router.get("/administration/{part}")
def part_page(request: Request, asks: Asks, part: Part) -> Response:
    """Show a part."""
    must_be_offered(asks, "administration")
    return page(
        request, "administration.html.j2", area="administration", title=f"administration.{part}", asks=asks,
        parts=PARTS, part=part,
    )  # fmt: skip


@router.get("/account")
def account_page(request: Request, asks: Asks) -> Response:
    """Show one's own sessions, tokens, second factor and rights."""
    return page(request, "account.html.j2", area="", title="account.title", asks=asks)
