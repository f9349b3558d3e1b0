"""The registers as pages: which there are, the records of one, one record; and the duty rooms."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.answers import KindName, RecordId
from changtong.api.people import Asks, Caller
from changtong.errors import NotFoundError
from changtong.rights.decide import actions_anywhere
from changtong.storage.definitions import OWN_WAYS
from changtong.storage.records import check_kind
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)

GROUPS = {
    "safety": ("site", "inspection", "hazard", "task", "campaign", "find", "rectification"),
    "assessment": ("scorecard", "assessment", "statement", "mark", "hand_in"),
    "people": ("duty_room", "duty_roster", "duty_entry", "rights_ticket", "data_request"),
    "epidemic": ("permit", "firm", "staff_permit", "site_state"),
    "emergency": ("case", "case_entry", "issued_plan", "issued_order", "issued_entry"),
}
"""Which registers stand together, in the order people need them."""

AREAS_OF = {"safety": "safety", "assessment": "safety", "people": "people", "epidemic": "prepare"}


def area_of_kind(kind: str) -> str:
    """Return the place in the navigation that a register belongs to."""
    group = next((name for name, kinds in GROUPS.items() if kind in kinds), "emergency")
    return AREAS_OF.get(group, "respond")


def _may(asks: Caller, kind: str, action: str) -> str:
    """Return the register, where the caller may do this with records of it somewhere."""
    if action not in actions_anywhere(asks.person, check_kind(kind), asks.at):
        raise NotFoundError("There is no register of this name that you may see.")
    return kind


@router.get("/registers")
def registers_page(request: Request, asks: Asks) -> Response:
    """Show which registers the caller may see."""
    return page(
        request, "registers.html.j2", area="safety", title="registers.title", asks=asks, groups=GROUPS
    )


@router.get("/registers/{kind}")
def register_page(request: Request, asks: Asks, kind: KindName) -> Response:
    """Show the records of a register."""
    return page(
        request,
        "register.html.j2",
        area=area_of_kind(kind),
        title=f"register.{_may(asks, kind, 'view')}",
        asks=asks,
        kind=kind,
    )


@router.get("/registers/{kind}/{record_id}")
def record_page(request: Request, asks: Asks, kind: KindName, record_id: RecordId) -> Response:
    """Show one record that the caller may see."""
    asks.desk.get(check_kind(kind), record_id)
    return page(
        request, "record.html.j2", area=area_of_kind(kind), title=f"register.{kind}", asks=asks, kind=kind,
        record_id=record_id, sees_audit="view" in actions_anywhere(asks.person, "audit", asks.at),
    )  # fmt: skip


@router.get("/register-new/{kind}")
def new_record_page(request: Request, asks: Asks, kind: KindName) -> Response:
    """Show the form for a new record."""
    return page(
        request, "record.html.j2", area=area_of_kind(kind), title=f"register.{_may(asks, kind, 'add')}",
        asks=asks, kind=kind, record_id="",
    )  # fmt: skip


@router.get("/register-load/{kind}")
def load_page(request: Request, asks: Asks, kind: KindName) -> Response:
    """Show how a file is tried and loaded into a register."""
    rights = actions_anywhere(asks.person, check_kind(kind), asks.at)
    if kind in OWN_WAYS or kind == "attachment" or not {"add", "change"} & set(rights):
        raise NotFoundError("There is no register of this name that you may load files into.")
    return page(
        request, "register_load.html.j2", area=area_of_kind(kind), title=f"register.{kind}", asks=asks,
        kind=kind, may_add="add" in rights,
    )  # fmt: skip


@router.get("/duty")
def duty_page(request: Request, asks: Asks) -> Response:
    """Show the duty rooms."""
    return page(request, "duty.html.j2", area="people", title="duty.title", asks=asks)
