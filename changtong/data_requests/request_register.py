"""Requests of persons about their own data in the registers: opened, moved and read within rights.

`changtong.data_requests.requests` decides; here a desk keeps. Names, ways to answer and texts are masked; to
see them is a look of its own (`Desk.reveal`), on record. Nothing of them is in the audit, in an id or in a
problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from changtong.data_requests.requests import (
    OPEN,
    DataRequest,
    RequestEvent,
    Running,
    check_request,
    move_request,
    running_clocks,
)
from changtong.data_requests.rules import request_rules
from changtong.errors import ConflictError, InputError, NotFoundError, Problem
from changtong.privacy.masks import mask
from changtong.storage.pages import Query, next_query
from changtong.storage.records import add_record, change_record, read_page, rows_to_decide
from changtong.storage.rows import check_id, new_id
from changtong.storage.schema import to_ms
from changtong.storage.store import Desk
from changtong.storage.user_names import own_name, users_by_id
from changtong.storage.work import Work, check_reason, target_of

KIND = "data_request"
RIGHTS: Mapping[str, str] = {"decide": "decide"}
"""Action -> right to the request; every other one needs ``change``."""

EVENT_WORDS = ("text", "method", "decision", "ground", "way")
PERSONAL = ("name", "contact", "text")

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class KeptRequest:
    """A request of the registers.

    Attributes
    ----------
    request : DataRequest
        People by their names where one may see who they are.
    organisation : str
        Who answers it.
    version : int
    """

    request: DataRequest
    organisation: str
    version: int


def open_data_request(desk: Desk, said: DataRequest, organisation: str | None = None) -> KeptRequest:
    """Open a request in the registers.

    Parameters
    ----------
    desk : Desk
        Of who does it: ``by`` of the request is not looked at.
    said : DataRequest
        An empty id: one is made.
    organisation : str, optional
        Who answers it; the person's own where not given.

    Raises
    ------
    InputError
        ``bad-data-request``, ``duplicate-record``, with every problem.
    DeniedError
        ``not-allowed``.
    """
    with desk.work(writes=True) as work:
        request = replace(said, id=said.id or new_id(to_ms(work.at)), by=own_name(work), events=())
        problems = _still_to_come(work, request.received_at)
        try:
            check_request(request, request_rules())
        except InputError as error:
            problems += error.problems
        if problems:
            raise InputError(problems)
        values: dict[str, Any] = {
            "received_at": request.received_at, "kind": request.kind, "channel": request.channel,
            "on_behalf": request.on_behalf, "state": request.state, "by_user": work.person.user_id,
            "events": [], **{name: getattr(request, name) or None for name in PERSONAL},
        }  # fmt: skip
        made = add_record(
            work, KIND, values, organisation=organisation, record_id=check_id(request.id), by_ledger=True
        )
        return KeptRequest(request, made.organisation, made.version)


def _still_to_come(work: Work, at: datetime) -> list[Problem]:
    if at.tzinfo is None or at <= work.at:
        return []
    text = f"{at.isoformat()} is still to come."
    return [Problem("bad-data-request", text, column="at", expected="an instant that has been")]


def move_data_request(
    desk: Desk, request_id: str, said: RequestEvent, version: int | None = None
) -> KeptRequest:
    """Do something with a request; of two at once the second is told the state it is in.

    Parameters
    ----------
    desk : Desk
    request_id : str
    said : RequestEvent
        ``by`` is not looked at.
    version : int, optional
        The version that was read: where somebody was quicker nothing is done.

    Raises
    ------
    InputError
        ``wrong-state``, ``bad-action``, ``bad-data-request``.
    ConflictError
        It has another version.
    NotFoundError, DeniedError
    """
    with desk.work(writes=True) as work:
        row = _request_row(work, request_id, lock=True)
        right = (RIGHTS.get(said.action, "change"), target_of(KIND, row))
        work.allow(*right, request_id)
        if version is not None and row["version"] != version:
            raise ConflictError(f"The request is at version {row['version']} now: it was moved meanwhile.")
        problems = _still_to_come(work, said.at)
        moved = before = _shown(work, [row])[0].request
        try:
            moved = move_request(before, replace(said, by=own_name(work)), request_rules())
        except InputError as error:
            problems += error.problems
        if problems:
            raise InputError(problems)
        event = {
            "at": said.at.astimezone(UTC).isoformat(timespec="milliseconds"), "action": said.action,
            "by": work.person.user_id, **{name: getattr(said, name) for name in EVENT_WORDS},
        }  # fmt: skip
        values: dict[str, Any] = {"state": moved.state, "events": [*row["events"], event]}
        match said.action:
            case "identify":
                values["identity_method"] = said.method
            case "decide":
                values |= {"decision": said.decision, "ground": said.ground or None}
            case "answer":
                values["answered_at"] = said.at
        made = change_record(work, KIND, request_id, row["version"], values, right=right)
        return _shown(work, [{**row, **values, "version": made.version}])[0]


def _request_row(work: Work, request_id: str, *, lock: bool = False) -> Row:
    rows = rows_to_decide(work, KIND, "id", [request_id], lock=lock)
    if not rows or not work.may_see(KIND, rows[0]):
        raise NotFoundError("There is no request of this id that you may see.")
    return rows[0]


def read_data_requests(
    desk: Desk, request_id: str | None = None, *, only_open: bool = False
) -> tuple[KeptRequest, ...]:
    """Return the requests that one may see, the oldest first, as of one instant.

    Parameters
    ----------
    desk : Desk
    request_id : str, optional
        Only this one.
    only_open : bool
        Those with something still to be done.

    Raises
    ------
    NotFoundError, DeniedError

    Notes
    -----
    Requests have names and texts in them: `request_facts` shows them masked.
    """
    with desk.work(writes=False, snapshot=True) as work:
        if request_id is not None:
            return _shown(work, [_request_row(work, request_id)])
        where = {"state": list(OPEN)} if only_open else {}
        names = [one.id for one in _every(work, Query(where, limit=500, newest_first=False))]
        rows = {row["id"]: row for row in rows_to_decide(work, KIND, "id", names)}
        return _shown(work, [rows[name] for name in names])


def _every(work: Work, query: Query) -> Iterator[Any]:
    while True:
        page = read_page(work, KIND, query)
        yield from page.records
        if not page.next:
            return
        query = next_query(query, page.next)


def reveal_data_request(desk: Desk, request_id: str, reason: str) -> KeptRequest:
    """Return a request for its answer to be written: with its personal data, on record before.

    Parameters
    ----------
    desk : Desk
    request_id, reason : str

    Raises
    ------
    UsageError
        ``reason-missing``.
    NotFoundError, DeniedError
    """
    check_reason(reason, "the personal data are needed")
    with desk.work(writes=True) as work:
        row = _request_row(work, request_id)
        target = target_of(KIND, row)
        work.allow("reveal", target, request_id)
        work.note("reveal", target, request_id, {"columns": [*PERSONAL, "events"]}, reason)
        return _shown(work, [row])[0]


def _shown(work: Work, rows: list[Row]) -> tuple[KeptRequest, ...]:
    """Return stored requests, people by their names where one may see who they are."""
    ids = {one["by"] for row in rows for one in row["events"]} | {row["by_user"] for row in rows}
    names = {one: named.name for one, named in users_by_id(work, ids).items() if named.is_shown}
    return tuple(KeptRequest(_request_of(row, names), row["organisation"], row["version"]) for row in rows)


def _request_of(row: Row, names: Mapping[str, str]) -> DataRequest:
    zone = request_rules().zone
    events = tuple(
        RequestEvent(
            datetime.fromisoformat(one["at"]).astimezone(zone), one["action"],
            names.get(one["by"], one["by"]), **{name: one[name] for name in EVENT_WORDS},
        )
        for one in row["events"]
    )  # fmt: skip
    return DataRequest(
        id=row["id"], kind=row["kind"], received_at=row["received_at"].astimezone(zone),
        by=names.get(row["by_user"], row["by_user"]), channel=row["channel"], on_behalf=row["on_behalf"],
        events=events, **{name: row[name] or "" for name in PERSONAL},
    )  # fmt: skip


def request_facts(kept: KeptRequest, at: datetime) -> dict[str, Any]:
    """Return a request as plain values, personal data masked, with its clocks at an instant.

    Parameters
    ----------
    kept : KeptRequest
    at : datetime
    """
    one, rules = kept.request, request_rules()
    states = one.states()
    decided, identified = one.last("decide"), one.last("identify")
    return {
        "request_id": one.id, "version": kept.version, "organisation": kept.organisation, "kind": one.kind,
        "channel": one.channel, "on_behalf": one.on_behalf, "state": states[-1][0],
        "since": states[-1][1].isoformat(), "received_at": one.received_at.isoformat(), "by": one.by,
        "identity_method": None if identified is None else identified.method,
        "decision": None if decided is None else decided.decision,
        "ground": None if decided is None else decided.ground or None,
        "name": mask("name", one.name), "contact": mask("all", one.contact), "text": _masked(one.text),
        "next": one.next(),
        "clocks": [clock_facts(clock) for clock in running_clocks(one, rules, at)],
        "events": [
            {"at": event.at.isoformat(), "action": event.action, "by": event.by, "text": _masked(event.text),
             "method": event.method, "decision": event.decision, "ground": event.ground, "way": event.way}
            for event in one.events
        ],
    }  # fmt: skip


def listed_requests(found: Iterable[KeptRequest], at: datetime) -> dict[str, Any]:
    """Return requests as plain values, what is due next first, and how many are overdue.

    Parameters
    ----------
    found : iterable of KeptRequest
    at : datetime
    """
    facts = [request_facts(one, at) for one in found]
    facts.sort(key=lambda one: (not one["clocks"], one["clocks"][0]["due"] if one["clocks"] else ""))
    overdue = sum(any(clock["stage"] == "overdue" for clock in one["clocks"]) for one in facts)
    return {"overdue": overdue, "requests": facts}


def _masked(text: str) -> str:
    return mask("all", text) if text else ""


def clock_facts(one: Running) -> dict[str, Any]:
    """Return a running clock as plain values.

    Parameters
    ----------
    one : Running
    """
    clock = one.clock
    return {
        "request_id": one.request_id, "clock": clock.id, "zh": clock.zh, "en": clock.en,
        "last_day": one.last_day.isoformat(), "due": one.due.isoformat(), "stage": one.stage,
        "days_left": one.days_left, "basis": clock.basis, "basis_en": clock.basis_en,
        "provenance": clock.provenance, "is_provisional": one.is_provisional,
    }  # fmt: skip
