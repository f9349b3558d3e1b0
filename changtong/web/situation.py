"""The page the program opens on: the map with headline numbers, filters and time."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks, Serves
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/")
def situation_page(request: Request, asks: Asks, serves: Serves) -> Response:
    """Show the map."""
    networks = serves.places.ids("network", asks.sees_of) if asks.sees() else []
    return page(
        request, "situation.html.j2", area="situation", title="situation.title", asks=asks, networks=networks
    )
