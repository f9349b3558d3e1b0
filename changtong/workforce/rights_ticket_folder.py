"""Rights tickets in a folder of an office: one file that its owner alone can read, changed whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from changtong.errors import ConflictError, InputError, NotFoundError, Problem, UsageError
from changtong.file_locks import lock_file
from changtong.network.findings import NearestNames
from changtong.privacy.masks import mask_all, mask_name, mask_phone
from changtong.workforce.rights_ticket_rules import TicketRules
from changtong.workforce.rights_tickets import (
    ACTIONS,
    RightsTicket,
    TicketEvent,
    check_ticket,
    move_ticket,
)
from changtong.written_files import write_beside

FILE = "rights_tickets.json"
LOCK = ".rights_tickets.lock"
KIND = "rights tickets"
Folder = str | os.PathLike[str]


def read_tickets(folder: Folder, rules: TicketRules) -> dict[str, RightsTicket]:
    """Read the tickets of a folder, by id.

    Parameters
    ----------
    folder : path
    rules : TicketRules

    Raises
    ------
    UsageError
        ``not-a-tickets-folder``.
    InputError
        ``bad-ticket``: the file was changed by another hand.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise UsageError(
            f"{folder} is no folder of rights tickets: it has no {FILE}.", "not-a-tickets-folder"
        )
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["changtong"]["kind"] != KIND:
            raise ValueError(KIND)
        made = [_ticket(entry) for entry in content["tickets"]]
        for one in made:
            one.states()  # every event must have been possible
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"the file is not as it was written ({type(error).__name__})."
        raise InputError([Problem("bad-ticket", text, path.name)]) from error
    return {one.id: one for one in made}


def _ticket(entry: dict[str, Any]) -> RightsTicket:
    events = tuple(
        TicketEvent(**(one | {"at": datetime.fromisoformat(one["at"]), "files": tuple(one.get("files", ()))}))
        for one in entry.pop("events")
    )
    for name in ("harmed_on", "ended_on"):
        entry[name] = None if entry[name] is None else date.fromisoformat(entry[name])
    entry["received_at"] = datetime.fromisoformat(entry["received_at"])
    return RightsTicket(**entry, events=events)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = lock_file(folder / LOCK)
    if handle is None:
        raise ConflictError(f"Somebody else is writing into {folder}; nothing was written. Try again.")
    try:
        yield
    finally:
        os.close(handle)


def _write(folder: Path, tickets: dict[str, RightsTicket]) -> None:
    content = {
        "changtong": {"kind": KIND, "version": 1},
        "tickets": [asdict(one) for one in tickets.values()],
    }
    text = json.dumps(
        content, ensure_ascii=False, indent=1, default=lambda value: value.isoformat(), allow_nan=False
    )
    write_beside(folder / FILE, text, mode=0o600)


@contextmanager
def _not_to_come(at: datetime, ticket_id: str, code: str) -> Iterator[None]:
    """Refuse an instant that is still to come, together with what else is wrong.

    A year mistyped ahead would stand in the way of all that is done later, since nothing may be before it.
    """
    problems: list[Problem] = []
    try:
        yield
    except InputError as error:
        problems += error.problems
    if at.tzinfo is not None and at > datetime.now(UTC):
        text = f"{at.isoformat()} is still to come."
        problems.append(Problem(code, text, ticket_id, None, "at", "an instant that has been"))
    if problems:
        raise InputError(problems)


def open_ticket(folder: Folder, make: Callable[[str], RightsTicket], rules: TicketRules) -> RightsTicket:
    """Add a ticket; the folder is made where there is none.

    Parameters
    ----------
    folder : path
    make : callable
        Takes the next id, and returns the ticket, under it or another one.
    rules : TicketRules

    Raises
    ------
    InputError
        ``bad-ticket``, ``duplicate-ticket``.
    UsageError
        ``not-a-tickets-folder``: the folder holds something else.
    ConflictError
    """
    place = Path(folder)
    if place.exists() and not (place / FILE).is_file() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} holds something else than rights tickets.", "not-a-tickets-folder")
    new = make("RT000000")
    with _not_to_come(new.received_at, new.id, "bad-ticket"):
        check_ticket(new, rules)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{place} cannot be written: {error.strerror}.", "cannot-write") from error
    with _locked(place):
        tickets = read_tickets(place, rules) if (place / FILE).is_file() else {}
        number = len(tickets) + 1
        while f"RT{number:06d}" in tickets:
            number += 1
        ticket = make(f"RT{number:06d}")
        if ticket.id in tickets:
            text = f"{ticket.id!r} is there already."
            raise InputError([Problem("duplicate-ticket", text, ticket.id, None, "id", "another id")])
        _write(place, tickets | {ticket.id: ticket})
    return ticket


def move_in_folder(folder: Folder, ticket_id: str, event: TicketEvent, rules: TicketRules) -> RightsTicket:
    """Do something with a ticket.

    Parameters
    ----------
    folder : path
    ticket_id : str
    event : TicketEvent
    rules : TicketRules

    Raises
    ------
    NotFoundError
    InputError
        ``wrong-state``, ``bad-action``.
    ConflictError
    """
    place = Path(folder)
    read_tickets(place, rules)
    with _locked(place):
        tickets = read_tickets(place, rules)
        with _not_to_come(event.at, ticket_id, "bad-action"):
            moved = move_ticket(find_ticket(tickets, ticket_id), event)
        _write(place, tickets | {ticket_id: moved})
    return moved


def find_ticket(tickets: dict[str, RightsTicket], ticket_id: str) -> RightsTicket:
    """Return a ticket by its id.

    Parameters
    ----------
    tickets : dict
    ticket_id : str

    Raises
    ------
    NotFoundError
    """
    if ticket_id not in tickets:
        raise NotFoundError(
            f"There is no ticket {ticket_id!r}. {NearestNames(tickets).hint(ticket_id)}".strip()
        )
    return tickets[ticket_id]


def ticket_facts(ticket: RightsTicket) -> dict[str, Any]:
    """Return a ticket as plain values, personal data masked.

    Parameters
    ----------
    ticket : RightsTicket
    """
    states = ticket.states()
    return {
        "ticket_id": ticket.id, "kind": ticket.kind, "firm_id": ticket.firm_id, "region": ticket.region,
        "state": states[-1][0], "since": states[-1][1].isoformat(),
        "received_at": ticket.received_at.isoformat(),
        "harmed_on": None if ticket.harmed_on is None else ticket.harmed_on.isoformat(),
        "ended_on": None if ticket.ended_on is None else ticket.ended_on.isoformat(),
        "name": mask_name(ticket.name), "phone": mask_phone(ticket.phone), "text": mask_all(ticket.text),
        "next": [name for name, ways in ACTIONS.items() if states[-1][0] in ways],
        "events": [{"at": one.at.isoformat(), "action": one.action, "by": one.by, "to": one.to,
                    "reason": mask_all(one.reason), "files": list(one.files)} for one in ticket.events],
    }  # fmt: skip
