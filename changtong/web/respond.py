"""The page that leads from an outage to a plan."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks, Serves
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/respond")
def respond_page(request: Request, asks: Asks, serves: Serves) -> Response:
    """Show it."""
    networks = serves.places.ids("network", asks.sees_of) if asks.sees() else []
    return page(
        request, "respond.html.j2", area="respond", title="respond.title", asks=asks, networks=networks
    )
