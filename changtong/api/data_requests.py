"""Requests of persons about their own data over the API: opened, moved, answered, with their clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from changtong.api.answers import (
    DOCX,
    Asked,
    Id,
    IfMatch,
    Key,
    Once,
    Reasoned,
    RecordId,
    Word,
    Words,
    tag_of,
    version_of,
)
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError
from changtong.api.records import file_response
from changtong.data_requests.answer_document import answer_document
from changtong.data_requests.person_search import find_person
from changtong.data_requests.request_register import (
    KeptRequest,
    listed_requests,
    move_data_request,
    open_data_request,
    read_data_requests,
    request_facts,
)
from changtong.data_requests.requests import CHANNELS, DECISIONS, METHODS, ON_BEHALF, WAYS, DataRequest
from changtong.data_requests.requests import RequestEvent as Event
from changtong.data_requests.rules import Named, request_rules
from changtong.errors import ConflictError, NotFoundError
from changtong.storage.rows import now

router = APIRouter(prefix="/api/v1/data-requests", tags=["data requests"])

AsOf = Annotated[AwareDatetime | None, Query(description="As of this instant; now without it.")]


class NewRequest(Asked):
    """A request to be opened."""

    kind: Word = Field(min_length=1, description="access, copy, correction, deletion, restriction, …")
    name: Word = Field(description="Of the person whose data it is about: shown masked.")
    contact: Word = Field(description="Where the answer goes: shown masked.")
    text: Words = Field(default="", description="What the person asks for: shown masked.")
    channel: Word = "counter"
    on_behalf: Word = Field(default="self", description="Who asks: self, guardian, authorised, relative.")
    organisation: Id | None = Field(default=None, description="Who answers; one's own by default.")
    received_at: AwareDatetime | None = None


class RequestMove(Asked):
    """Something done with a request. Which fields it needs is told at once where they are missing."""

    action: Word = Field(min_length=1, description="ask, identify, step, decide, answer, reopen, withdraw.")
    text: Words = Field(default="", description="Why, or what was done: shown masked.")
    method: Word = Field(default="", description="Of identify: how.")
    decision: Word = Field(default="", description="Of decide: grant, partly, refuse.")
    ground: Word = Field(default="", description="Of what is not granted as a whole.")
    way: Word = Field(default="", description="Of answer: how it went out.")
    at: AwareDatetime | None = None


class DocumentAsked(Reasoned):
    """Why the person's name is needed, and the letter's language."""

    language: Literal["zh", "en"] = "zh"


@router.get("")
def list_requests(
    asks: Asks,
    at: AsOf = None,
    only_open: Annotated[bool, Query(alias="open", description="Only what waits for something.")] = False,
) -> dict[str, Any]:
    """List the requests that one may see, what is due next first, personal data masked."""
    return listed_requests(read_data_requests(asks.desk, only_open=only_open), at or now())


@router.get("/rules")
def read_rules(asks: Asks) -> dict[str, Any]:
    """Tell kinds, clocks and grounds with their sources, and the words that moves take."""
    del asks  # signed in, and that is enough: there is nothing of anybody in it
    rules = request_rules()
    return {
        "id": rules.id, "version": rules.version, "zone": str(rules.zone),
        "kinds": [_named(one) for one in rules.kinds.values()],
        "grounds": [
            _named(one) | {"before_identity": one.before_identity} for one in rules.grounds.values()
        ],
        "clocks": [
            {name: getattr(one, name) for name in (
                "id", "kinds", "channels", "begins", "amount", "unit", "zh", "en", "basis", "basis_en",
                "provenance",
            )}
            for one in rules.clocks
        ],
        "channels": CHANNELS, "on_behalf": ON_BEHALF, "methods": METHODS, "decisions": DECISIONS,
        "ways": WAYS,
    }  # fmt: skip


def _named(one: Named) -> dict[str, Any]:
    return {
        name: getattr(one, name) for name in ("id", "zh", "en", "basis", "basis_en", "provenance")
    }  # fmt: skip


@router.post("", status_code=201)
def add_request(asks: Asks, serves: Serves, asked: NewRequest, idempotency_key: Key = "") -> Response:
    """Open a request; its clocks run from the day it was received."""
    once = Once(asks, serves, idempotency_key, "data-request", asked)
    name = once.id() or ""

    def make() -> dict[str, Any]:
        if once.was_begun and (there := _there(asks, name)) is not None:
            return request_facts(there, now())
        request = DataRequest(
            name, asked.kind, asked.received_at or now(), "", asked.channel, asked.on_behalf, asked.name,
            asked.contact, asked.text,
        )  # fmt: skip
        return request_facts(open_data_request(asks.desk, request, asked.organisation), now())

    def place(made: dict[str, Any]) -> dict[str, str]:
        return {"Location": f"/api/v1/data-requests/{made['request_id']}", "ETag": tag_of(made["version"])}

    return once.answer(make, 201, place)


def _there(asks: Caller, name: str) -> KeptRequest | None:
    try:
        return read_data_requests(asks.desk, name)[0]
    except NotFoundError:
        return None


@router.get("/{record_id}")
def read_request(asks: Asks, response: Response, record_id: RecordId, at: AsOf = None) -> dict[str, Any]:
    """Read a request, personal data masked, with its clocks and what can be done next."""
    found = read_data_requests(asks.desk, record_id)[0]
    response.headers["ETag"] = tag_of(found.version)
    return request_facts(found, at or now())


@router.post("/{record_id}/moves")
def move_request(
    asks: Asks,
    serves: Serves,
    record_id: RecordId,
    asked: RequestMove,
    if_match: IfMatch = "",
    idempotency_key: Key = "",
) -> Response:
    """Do something with a request; with If-Match only where nobody was quicker (412)."""
    version = version_of(if_match) if if_match else None
    once = Once(asks, serves, idempotency_key, "data-request-move", record_id, asked, if_match)

    def move() -> dict[str, Any]:
        when: datetime = asked.at or now()
        event = Event(
            when, asked.action, "", asked.text, asked.method, asked.decision, asked.ground, asked.way
        )
        try:
            return request_facts(move_data_request(asks.desk, record_id, event, version), now())
        except ConflictError as error:
            there = read_data_requests(asks.desk, record_id)[0]
            raise ChangedError(str(error), request_facts(there, now())) from None

    return once.answer(move, 200, lambda made: {"ETag": tag_of(made["version"])})


@router.post("/{record_id}/document")
def read_document(asks: Asks, record_id: RecordId, asked: DocumentAsked) -> Response:
    """Read the answer as a letter (DOCX) with the person's name, for a reason: the look is on record."""
    content = answer_document(asks.desk, record_id, asked.reason, now(), language=asked.language)
    return file_response(content, DOCX, "answer.docx")


@router.post("/{record_id}/find")
def find_records(asks: Asks, record_id: RecordId, asked: Reasoned) -> dict[str, Any]:
    """Find the records that hold this person's name or contact, for a reason; no values are told."""
    return find_person(asks.desk, record_id, asked.reason)
