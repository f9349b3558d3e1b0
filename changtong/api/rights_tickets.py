"""Rights tickets over the API: opened, assigned, moved, answered with evidence, their clocks."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from changtong.api.answers import Asked, Id, Key, Once, Reasoned, RecordId, Word, Words, digest_of
from changtong.api.people import Asks, Caller, Serves
from changtong.api.records import file_response
from changtong.api.uploads import Uploaded, form_described
from changtong.errors import InputError, NotFoundError, Problem
from changtong.storage.attachments import media_type
from changtong.storage.rows import now
from changtong.studies import run_study
from changtong.workforce.rights_ticket_folder import ticket_facts
from changtong.workforce.rights_ticket_rules import read_ticket_rules
from changtong.workforce.rights_tickets import (
    FIRM_ACTIONS,
    RightsTicket,
    clock_facts,
    due_clocks,
    running_clocks,
)
from changtong.workforce_records.ticket_register import (
    RegisterTicket,
    assign_register_ticket,
    counted_register_tickets,
    move_register_ticket,
    open_register_ticket,
    read_register_tickets,
    ticket_evidence,
)

router = APIRouter(prefix="/api/v1/rights-tickets", tags=["rights tickets"])

AsOf = Annotated[AwareDatetime | None, Query(description="As of this instant; now without it.")]


class NewTicket(Asked):
    """A ticket to be opened."""

    kind: Word = Field(min_length=1, description="pay, hours, injury, fines, … (docs/rights-tickets.md)")
    firm: Id = Field(description="Id of the organisation it is about.")
    id: Id | None = None
    region: Annotated[str, Field(pattern=r"^(\d{6,12})?$")] = ""
    harmed_on: date | None = None
    ended_on: date | None = None
    name: Word = Field(default="", description="Of the courier: shown masked.")
    phone: Word = ""
    text: Words = ""
    courier: Word = Field(default="", description="Name of the courier's user, who sees the ticket.")
    organisation: Id | None = Field(default=None, description="The office; one's own by default.")
    received_at: AwareDatetime | None = None


class TicketMove(Asked):
    """Something done with a ticket by the office."""

    action: Word = Field(
        min_length=1, description="accept, transfer, mediate, settle, close, reject, reopen."
    )
    reason: Words = ""
    to: Word = ""
    at: AwareDatetime | None = None


class Assign(Asked):
    """Who sees a ticket beside the office; an empty name takes somebody out."""

    handler: Word | None = None
    courier: Word | None = None
    reason: Words = ""


def _shown(one: RegisterTicket, at: datetime) -> dict[str, Any]:
    clocks = [clock_facts(clock) for clock in running_clocks(one.ticket, read_ticket_rules(), at)]
    return ticket_facts(one.ticket) | one.facts() | {"clocks": clocks}


@router.get("")
def list_tickets(asks: Asks, at: AsOf = None) -> dict[str, Any]:
    """List the tickets that one may see, the oldest first, personal data masked, with their clocks."""
    return {"tickets": [_shown(one, at or now()) for one in read_register_tickets(asks.desk)]}


@router.post("", status_code=201)
def add_ticket(asks: Asks, serves: Serves, asked: NewTicket, idempotency_key: Key = "") -> Response:
    """Open a ticket."""
    once = Once(asks, serves, idempotency_key, "ticket", asked)
    name = asked.id or once.id() or ""

    def make() -> dict[str, Any]:
        if once.was_begun and (there := _there(asks, name)) is not None:
            return _shown(there, now())
        ticket = RightsTicket(
            id=name, kind=asked.kind, firm_id=asked.firm, received_at=asked.received_at or now(), by="",
            region=asked.region, harmed_on=asked.harmed_on, ended_on=asked.ended_on, name=asked.name,
            phone=asked.phone, text=asked.text,
        )  # fmt: skip
        made = open_register_ticket(
            asks.desk, ticket, read_ticket_rules(), courier=asked.courier, organisation=asked.organisation
        )
        return _shown(made, now())

    return once.answer(make)


def _there(asks: Caller, name: str) -> RegisterTicket | None:
    try:
        return read_register_tickets(asks.desk, name)[0]
    except NotFoundError:
        return None


@router.get("/overdue")
def list_overdue(
    asks: Asks,
    at: AsOf = None,
    all_running: Annotated[bool, Query(description="Clocks that are far from their end, too.")] = False,
) -> dict[str, Any]:
    """List clocks that are overdue or soon due, and who must be told."""
    found = [one.ticket for one in read_register_tickets(asks.desk)]
    clocks = due_clocks(found, read_ticket_rules(), at or now(), all_running=all_running)
    facts = [clock_facts(one) for one in clocks]
    return {"overdue": sum(one["stage"] == "overdue" for one in facts), "clocks": facts}


@router.get("/statistics")
def read_statistics(asks: Asks, least: Annotated[int, Query(ge=1, le=1000)] = 5) -> dict[str, Any]:
    """Count tickets by firm and kind; counts below `least` are not told."""
    made = run_study("rights-statistics", counted_register_tickets(asks.desk), least=least).result
    facts: dict[str, Any] = made.to_json()
    return facts


@router.get("/{record_id}")
def read_ticket(asks: Asks, record_id: RecordId, at: AsOf = None) -> dict[str, Any]:
    """Read a ticket, personal data masked, with its clocks."""
    return _shown(read_register_tickets(asks.desk, record_id)[0], at or now())


@router.post("/{record_id}/moves")
def move_ticket(
    asks: Asks, serves: Serves, record_id: RecordId, asked: TicketMove, idempotency_key: Key = ""
) -> Response:
    """Do something with a ticket; of two at once the second is told the state it is in."""
    once = Once(asks, serves, idempotency_key, "ticket-move", record_id, asked)

    def move() -> dict[str, Any]:
        made = move_register_ticket(
            asks.desk, record_id, asked.action, reason=asked.reason, to=asked.to, at=asked.at
        )
        return _shown(made, now())

    return once.answer(move, 200)


@router.post("/{record_id}/assign")
def assign_ticket(asks: Asks, record_id: RecordId, asked: Assign) -> dict[str, Any]:
    """Name the firm's handler, and let the courier in; nobody else of the firm sees the ticket."""
    made = assign_register_ticket(
        asks.desk, record_id, handler=asked.handler, courier=asked.courier, reason=asked.reason
    )
    return _shown(made, now())


_ANSWER = form_described(
    "Of evidence: 1 to 10.", action="reply, evidence or propose (a settlement).", text="What is said."
)


@router.post("/{record_id}/answers", status_code=201, openapi_extra=_ANSWER)
def answer_ticket(
    asks: Asks, serves: Serves, record_id: RecordId, upload: Uploaded, idempotency_key: Key = ""
) -> Response:
    """Answer a ticket for the firm, as its handler; evidence has 1 to 10 files."""
    action, text, shown = upload.texts.get("action", ""), upload.texts.get("text", ""), upload.files
    if action not in FIRM_ACTIONS:
        told = f"{action!r} is nothing that a firm answers."
        raise InputError([Problem("bad-action", told, column="action", expected=", ".join(FIRM_ACTIONS))])
    digests = [(name, digest_of(content)) for name, content in shown]
    once = Once(asks, serves, idempotency_key, "ticket-answer", record_id, action, text, digests)

    def answer() -> dict[str, Any]:
        made = move_register_ticket(asks.desk, record_id, action, reason=text, files=shown)
        return _shown(made, now())

    return once.answer(answer)


@router.post("/{record_id}/evidence/{attachment}")
def read_evidence(asks: Asks, record_id: RecordId, attachment: Id, asked: Reasoned) -> Response:
    """Read a file of evidence, for those who see the ticket; the look is on record."""
    content = ticket_evidence(asks.desk, record_id, attachment, asked.reason)
    return file_response(content, media_type(content), attachment)
