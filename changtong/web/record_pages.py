"""The registers as pages: which there are, the records of one, one record; and the duty rooms."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.answers import KindName, RecordId
from changtong.api.people import Asks, Caller
from changtong.errors import NotFoundError
from changtong.rights.decide import actions_anywhere
from changtong.storage.definitions import OWN_WAYS
from changtong.storage.records import check_kind
from changtong.supervision_records.work_handed_over import MOVES
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


def _rights(asks: Caller, kind: str) -> tuple[str, ...]:
    """Return what the caller may do with records of a kind somewhere."""
    return actions_anywhere(asks.person, kind, asks.at)


def _may(asks: Caller, kind: str, action: str) -> str:
    """Return the register, where the caller may do this with records of it somewhere."""
    if action not in actions_anywhere(asks.person, check_kind(kind), asks.at):
        raise NotFoundError("There is no register of this name that you may see.")
    return kind


@router.get("/registers")
def registers_page(request: Request, asks: Asks) -> Response:
    """Show which registers the caller may see."""
    return page(
        request,
        "registers.html.j2",
        area="safety",
        title="registers.title",
        asks=asks,
        groups=GROUPS,
        sees_holds="view" in _rights(asks, "hold"),
        hands_over=any("change" in _rights(asks, kind) for kind in MOVES),
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
        record_id=record_id, holds=_rights(asks, "hold"), sees_audit="view" in _rights(asks, "audit"),
        hands_over=kind not in OWN_WAYS and "hand_over" in _rights(asks, "organisation"),
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


@router.get("/holds")
def holds_page(request: Request, asks: Asks) -> Response:
    """Show the legal holds in force."""
    rights = _rights(asks, "hold")
    if "view" not in rights:
        raise NotFoundError("There are no legal holds that you may see.")
    kinds = [kind for group in GROUPS.values() for kind in group]
    return page(request, "holds.html.j2", area="safety", title="holds.title", asks=asks, rights=rights,
                kinds=kinds)  # fmt: skip


@router.get("/hand-over")
def hand_over_page(request: Request, asks: Asks) -> Response:
    """Show how the open work of one person is handed to another."""
    if not any("change" in _rights(asks, kind) for kind in MOVES):
        raise NotFoundError("There is no work that you may hand over.")
    return page(request, "hand_over.html.j2", area="safety", title="hand_over.title", asks=asks)


@router.get("/duty")
def duty_page(request: Request, asks: Asks) -> Response:
    """Show the duty rooms."""
    return page(request, "duty.html.j2", area="people", title="duty.title", asks=asks)
