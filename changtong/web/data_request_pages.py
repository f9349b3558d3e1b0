"""Requests of persons about their own data as pages: the list, a new one, one with its clocks and steps."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.answers import RecordId
from changtong.api.people import Asks, Caller
from changtong.data_requests.request_register import KIND, read_data_requests
from changtong.errors import NotFoundError
from changtong.rights.decide import actions_anywhere
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


def _must(asks: Caller, action: str) -> str:
    """Return which rights the caller has on requests somewhere, this one among them."""
    rights = actions_anywhere(asks.person, KIND, asks.at)
    if action not in rights:
        raise NotFoundError("There are no requests that you may see.")
    return " ".join(rights)


@router.get("/data-requests")
def requests_page(request: Request, asks: Asks) -> Response:
    """Show the requests, what is due next first."""
    rights = _must(asks, "view")
    return page(
        request, "data_requests.html.j2", area="people", title="data_requests.title", asks=asks, rights=rights
    )


@router.get("/data-request-new")
def new_request_page(request: Request, asks: Asks) -> Response:
    """Show the form for a request that has come in."""
    _must(asks, "add")
    return page(request, "data_request.html.j2", area="people", title="data_requests.new", asks=asks,
                request_id="", rights="")  # fmt: skip


@router.get("/data-requests/{record_id}")
def request_page(request: Request, asks: Asks, record_id: RecordId) -> Response:
    """Show one request that the caller may see."""
    rights = _must(asks, "view")
    read_data_requests(asks.desk, record_id)
    return page(request, "data_request.html.j2", area="people", title="data_requests.one", asks=asks,
                request_id=record_id, rights=rights)  # fmt: skip
