"""Runs as pages: the list, and one with its progress, numbers and files."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks, Serves
from changtong.api.runs import result_file, seen
from changtong.errors import NotFoundError
from changtong.web.pages import must_be_offered, page

router = APIRouter(include_in_schema=False)

REPORT_POLICY = (
    "sandbox allow-scripts allow-popups allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of a report shown within a page: its own policy, in the page, allows its very scripts only; the sandbox
gives it an origin of its own, so that it can neither read these pages nor ask the API."""


@router.get("/runs")
def runs_page(request: Request, asks: Asks) -> Response:
    """Show the list."""
    must_be_offered(asks, "runs")
    return page(request, "runs.html.j2", area="runs", title="runs.title", asks=asks)


@router.get("/runs/{run_id}")
def run_page(request: Request, asks: Asks, serves: Serves, run_id: str) -> Response:
    """Show one run."""
    run = seen(asks, serves, run_id)
    return page(request, "run.html.j2", area="runs", title="runs.one", asks=asks, run=run)


@router.get("/runs/{run_id}/page/{name:path}")
def report_page(asks: Asks, serves: Serves, run_id: str, name: str) -> Response:
    """Show a page of a result within ours."""
    if not name.endswith(".html"):
        raise NotFoundError("This is no page.")
    content = result_file(asks, serves, run_id, name).read_bytes()
    headers = {"Content-Security-Policy": REPORT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)
