"""Emergency cases as pages: the list, the form that opens one, and one with its steps, clocks and log."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from changtong.api.answers import RecordId
from changtong.api.people import Asks, Caller
from changtong.errors import NotFoundError
from changtong.rights.decide import actions_anywhere
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)


def _must(asks: Caller, action: str) -> None:
    if action not in actions_anywhere(asks.person, "case", asks.at):
        raise NotFoundError(f"None of your roles may {action} cases.")


@router.get("/cases")
def cases_page(request: Request, asks: Asks) -> Response:
    """Show the cases that one may see."""
    _must(asks, "view")
    return page(request, "cases.html.j2", area="respond", title="cases.title", asks=asks)


@router.get("/case-new")
def new_case_page(request: Request, asks: Asks) -> Response:
    """Show the form that opens a case."""
    _must(asks, "add")
    return page(request, "case_new.html.j2", area="respond", title="cases.open", asks=asks)


@router.get("/cases/{record_id}")
def case_page(request: Request, asks: Asks, record_id: RecordId) -> Response:
    """Show one case that the caller may see; its log only to who may see that."""
    record = asks.desk.get("case", record_id)
    with asks.desk.work(writes=False) as work:
        sees_log = work.may("view", replace(record.target, kind="case_entry"))
    return page(
        request, "case_one.html.j2", area="respond", title="cases.one", asks=asks, case=record_id,
        sees_log=sees_log,
    )  # fmt: skip
