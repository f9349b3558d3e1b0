"""Rights tickets in the registers: opened, assigned, moved and counted by people within their rights.

The state machine and the clocks are those of `changtong.workforce.rights_tickets`. A ticket belongs to the
office that follows it. Beyond the office see it: the courier whose complaint it is, and the firm's handler,
named by the office, who answers for the firm as long as they are of it. Names, numbers and texts are masked;
to see them is a look of its own (`Desk.reveal`), on record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from changtong.errors import InputError, NotFoundError, Problem
from changtong.rights.decide import Target, scopes
from changtong.storage.attachments import lock_erasing, media_type
from changtong.storage.pages import Query, next_query, scope_rules
from changtong.storage.records import add_record, change_record, read_page, rows_to_decide
from changtong.storage.rows import check_id, new_id
from changtong.storage.schema import organisations, registers, to_ms
from changtong.storage.store import Desk
from changtong.storage.user_names import Named, own_name, users_by_id, users_by_name
from changtong.storage.work import Work, check_reason, target_of
from changtong.workforce.rights_ticket_rules import TicketRules
from changtong.workforce.rights_ticket_statistics import CountedTickets
from changtong.workforce.rights_tickets import (
    FIRM_ACTIONS,
    RightsTicket,
    TicketEvent,
    check_ticket,
    move_ticket,
)

KIND = "rights_ticket"
ZONE = ZoneInfo("Asia/Shanghai")
RIGHTS: Mapping[str, str] = dict.fromkeys(("settle", "close", "reject"), "decide") | dict.fromkeys(
    FIRM_ACTIONS, "answer"
)
"""Action -> right to the ticket; every other one needs ``change``."""

MOST_FILES = 10

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class RegisterTicket:
    """A ticket of the registers, and for whom it is beside the office.

    Attributes
    ----------
    ticket : RightsTicket
        People by their names where one may see who they are.
    organisation : str
        The office that follows it.
    handler : str
        Of the firm; empty where none is named.
    has_courier : bool
        Whether the courier has been let in.
    """

    ticket: RightsTicket
    organisation: str
    handler: str
    has_courier: bool

    def facts(self) -> dict[str, Any]:
        """Return what is beside the ticket's own facts."""
        return {
            "organisation": self.organisation, "handler": self.handler, "has_courier": self.has_courier,
        }  # fmt: skip


def open_register_ticket(
    desk: Desk, said: RightsTicket, rules: TicketRules, *, courier: str = "", organisation: str | None = None
) -> RegisterTicket:
    """Open a ticket in the registers.

    Parameters
    ----------
    desk : Desk
        Of who does it: ``by`` of the ticket is not looked at.
    said : RightsTicket
        An empty id: one is made.
    rules : TicketRules
    courier : str
        Name of the courier's user, who sees the ticket.
    organisation : str, optional
        The office; the person's own where not given.

    Raises
    ------
    InputError
        ``bad-ticket``, ``duplicate-record``, with every problem.
    DeniedError
        ``not-allowed``.
    """
    with desk.work(writes=True) as work:
        ticket = replace(said, id=said.id or new_id(to_ms(work.at)), by=own_name(work), events=())
        problems = _problems(ticket, rules)
        problems += _still_to_come(work, ticket.received_at, ticket.id)
        if _firm_path(work, ticket.firm_id) is None:
            text = f"{ticket.firm_id!r} is no organisation that you may see."
            expected = "an organisation's id: see `registers organisations`"
            problems.append(Problem("bad-ticket", text, ticket.id, None, "firm_id", expected))
        who = _user(work, courier, "courier", problems, ticket.id)
        if problems:
            raise InputError(problems)
        values = {
            "received_at": ticket.received_at, "kind": ticket.kind, "firm_id": ticket.firm_id,
            "state": ticket.state, "harmed_on": _day(ticket.harmed_on), "ended_on": _day(ticket.ended_on),
            "by_user": work.person.user_id, "name": ticket.name or None, "phone": ticket.phone or None,
            "text": ticket.text or None, "events": [], "courier": None if who is None else who.id,
        }  # fmt: skip
        made = add_record(
            work, KIND, values, organisation=organisation, admin_code=ticket.region or None,
            record_id=check_id(ticket.id), by_ledger=True,
        )  # fmt: skip
        return RegisterTicket(replace(ticket, region=made.admin_code), made.organisation, "", who is not None)


def _problems(ticket: RightsTicket, rules: TicketRules) -> list[Problem]:
    try:
        check_ticket(ticket, rules)
    except InputError as error:
        return list(error.problems)
    return []


def _still_to_come(work: Work, at: datetime, ticket_id: str) -> list[Problem]:
    if at.tzinfo is None or at <= work.at:
        return []
    text = f"{at.isoformat()} is still to come."
    return [Problem("bad-ticket", text, ticket_id, None, "at", "an instant that has been")]


def _firm_path(work: Work, firm: str) -> str | None:
    """Return the path of an organisation that the person may see."""
    chosen = sa.select(organisations).where(organisations.c.id == firm)
    row = work.connection.execute(chosen).mappings().first()
    if row is None or not work.may("view", Target("organisation", row["path"], row["admin_code"])):
        return None
    return str(row["path"])


def _user(work: Work, name: str, column: str, problems: list[Problem], ticket_id: str) -> Named | None:
    if not name:
        return None
    found = users_by_name(work, [name]).get(name)
    if found is None or not found.is_shown:
        text = f"there is no user {name!r} that you may see."
        problems.append(Problem("bad-ticket", text, ticket_id, None, column, "the name of a user"))
        return None
    return found


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def assign_register_ticket(
    desk: Desk, ticket_id: str, *, handler: str | None = None, courier: str | None = None, reason: str = ""
) -> RegisterTicket:
    """Name who sees a ticket: the firm's handler, the courier whose it is.

    Parameters
    ----------
    desk : Desk
    ticket_id : str
    handler, courier : str, optional
        Names of users; an empty one takes somebody out; None leaves it as it is.
    reason : str
        Kept in the audit: no names.

    Raises
    ------
    InputError
        ``bad-ticket``: no such user, or a handler that is not of the firm.
    NotFoundError, DeniedError
    """
    with desk.work(writes=True) as work:
        row = _ticket_row(work, ticket_id, lock=True)
        work.allow("change", target_of(KIND, row), ticket_id)
        problems: list[Problem] = []
        if handler is None and courier is None:
            problems.append(Problem("bad-ticket", "nobody is named.", ticket_id, None, "handler"))
        found = {
            name: _user(work, given, name, problems, ticket_id)
            for name, given in (("handler", handler), ("courier", courier))
            if given is not None
        }
        if (one := found.get("handler")) is not None and not _is_of(work, one, row["firm_id"]):
            text = f"{one.name!r} is not of the firm {row['firm_id']}."
            expected = "a user of the firm, or of what is below it"
            problems.append(Problem("bad-ticket", text, ticket_id, None, "handler", expected))
        if problems:
            raise InputError(problems)
        values = {name: None if who is None else who.id for name, who in found.items()}
        change_record(work, KIND, ticket_id, row["version"], values, reason, "change")
        return _shown(work, [{**row, **values}])[0]


def _is_of(work: Work, user: Named, firm: str) -> bool:
    both = organisations.c.id.in_([user.organisation, firm])
    chosen = sa.select(organisations.c.id, organisations.c.path).where(both)
    paths = {row.id: row.path for row in work.connection.execute(chosen)}
    return firm in paths and paths[user.organisation].startswith(paths[firm])


def move_register_ticket(
    desk: Desk, ticket_id: str, action: str, *, reason: str = "", to: str = "", at: datetime | None = None,
    files: Sequence[tuple[str, bytes]] = (),
) -> RegisterTicket:  # fmt: skip
    """Do something with a ticket: right, ticket, files and audit in one transaction.

    Parameters
    ----------
    desk : Desk
    ticket_id, action : str
        What the firm does (`FIRM_ACTIONS`), the firm's handler alone does.
    reason, to : str
        Masked as the courier's text, and not on the audit.
    at : datetime, optional
        Now where it is not given, and always for what the firm does.
    files : sequence of (name, content)
        Of evidence: 1 to 10.

    Raises
    ------
    InputError
        ``wrong-state``, ``bad-action``, ``bad-ticket``, ``bad-attachment``.
    NotFoundError, DeniedError
    """
    with desk.work(writes=True) as work:
        lock_erasing(work.connection, alone=False)
        row = _ticket_row(work, ticket_id, lock=True)
        right = (RIGHTS.get(action, "change"), target_of(KIND, row))
        work.allow(*right, ticket_id)
        when = at or work.at
        problems = _still_to_come(work, when, ticket_id) + _file_problems(action, at, files, ticket_id)
        event = TicketEvent(when, action, own_name(work), reason, to)
        try:
            moved = move_ticket(_shown(work, [row])[0].ticket, event)
        except InputError as error:
            problems += error.problems
        if problems:
            raise InputError(problems)
        kept: dict[str, Any] = {
            "at": when.astimezone(UTC).isoformat(timespec="milliseconds"), "action": action,
            "by": work.person.user_id, "reason": reason, "to": to,
        }  # fmt: skip
        if files:
            kept["files"] = [_keep(desk, work, row, *one) for one in files]
        values = {"state": moved.state, "events": [*row["events"], kept]}
        change_record(work, KIND, ticket_id, row["version"], values, right=right)
        return _shown(work, [{**row, **values}])[0]


def _file_problems(
    action: str, at: datetime | None, files: Sequence[tuple[str, bytes]], ticket_id: str
) -> list[Problem]:
    """Return what is wrong with the files and the time of what a firm does."""
    problems = []
    if action in FIRM_ACTIONS and at is not None:
        text = "what a firm says counts from the instant it is said."
        problems.append(Problem("bad-action", text, ticket_id, None, "at", "no time"))
    most = MOST_FILES if action == "evidence" else 0
    if not (action == "evidence") <= len(files) <= most:
        text = f"{action}: {len(files)} files."
        expected = f"1 to {MOST_FILES} files" if most else "files with evidence only"
        problems.append(Problem("bad-action", text, ticket_id, None, "files", expected))
    return problems


def _keep(desk: Desk, work: Work, row: Row, name: str, content: bytes) -> str:
    """Keep a file with a ticket, by the right to answer it; return the attachment's id."""
    values = {
        "about_kind": KIND, "about": row["id"], "name": Path(name).name or "file",
        "media_type": media_type(content), "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    made = add_record(
        work, "attachment", values, organisation=row["organisation"], admin_code=row["admin_code"],
        right=("answer", target_of(KIND, row)),
    )  # fmt: skip
    desk.keep_file(content)
    return made.id


def ticket_evidence(desk: Desk, ticket_id: str, attachment_id: str, reason: str) -> bytes:
    """Return a file of evidence: for those who see the ticket, for a reason, on record.

    Parameters
    ----------
    desk : Desk
    ticket_id, attachment_id : str
    reason : str

    Raises
    ------
    UsageError
        ``reason-missing``.
    NotFoundError
        No such ticket, or none of its files.
    DeniedError
    """
    check_reason(reason, "the file is needed")
    with desk.work(writes=True) as work:
        row = _ticket_row(work, ticket_id)
        target = target_of(KIND, row)
        work.allow("reveal", target, ticket_id)
        found = rows_to_decide(work, "attachment", "id", [attachment_id])
        if not found or (found[0]["about_kind"], found[0]["about"]) != (KIND, ticket_id):
            raise NotFoundError(f"The ticket {ticket_id!r} has no file {attachment_id!r}.")
        work.note("reveal", target, ticket_id, {"columns": ["content"], "attachment": attachment_id}, reason)
    return desk.read_file(found[0]["sha256"])


def _ticket_row(work: Work, ticket_id: str, *, lock: bool = False) -> Row:
    rows = rows_to_decide(work, KIND, "id", [ticket_id], lock=lock)
    if not rows or not work.may_see(KIND, rows[0]):
        raise NotFoundError(f"There is no ticket {ticket_id!r} that you may see.")
    return rows[0]


def read_register_tickets(desk: Desk, ticket_id: str | None = None) -> tuple[RegisterTicket, ...]:
    """Return the tickets that one may see, the oldest first, as of one instant.

    Parameters
    ----------
    desk : Desk
    ticket_id : str, optional
        Only this one.

    Raises
    ------
    NotFoundError, DeniedError

    Notes
    -----
    Tickets have names, numbers and texts in them: `rights_ticket_folder.ticket_facts` shows them masked.
    """
    with desk.work(writes=False, snapshot=True) as work:
        if ticket_id is not None:
            return _shown(work, [_ticket_row(work, ticket_id)])
        names = [one.id for one in _every(work)]
        rows = {row["id"]: row for row in rows_to_decide(work, KIND, "id", names)}
        return _shown(work, [rows[name] for name in names])


def _every(work: Work) -> Iterator[Any]:
    query = Query(limit=500, newest_first=False)
    while True:
        page = read_page(work, KIND, query)
        yield from page.records
        if not page.next:
            return
        query = next_query(query, page.next)


def _shown(work: Work, rows: list[Row]) -> tuple[RegisterTicket, ...]:
    """Return stored tickets, people by their names where one may see who they are."""
    ids = {one["by"] for row in rows for one in row["events"]}
    ids |= {row[name] for row in rows for name in ("by_user", "handler") if row[name]}
    names = {one: named.name for one, named in users_by_id(work, ids).items() if named.is_shown}
    return tuple(
        RegisterTicket(
            _ticket_of(row, names),
            row["organisation"],
            str(names.get(row["handler"], row["handler"]) or ""),
            bool(row["courier"]),
        )
        for row in rows
    )


def _ticket_of(row: Row, names: Mapping[str, str]) -> RightsTicket:
    events = tuple(
        TicketEvent(
            datetime.fromisoformat(one["at"]).astimezone(ZONE), one["action"],
            names.get(one["by"], one["by"]), one["reason"], one["to"], tuple(one.get("files", ())),
        )
        for one in row["events"]
    )  # fmt: skip
    days = {
        name: None if row[name] is None else date.fromisoformat(row[name])
        for name in ("harmed_on", "ended_on")
    }
    return RightsTicket(
        id=row["id"], kind=row["kind"], firm_id=row["firm_id"],
        received_at=row["received_at"].astimezone(ZONE), by=names.get(row["by_user"], row["by_user"]),
        region=row["admin_code"], harmed_on=days["harmed_on"], ended_on=days["ended_on"],
        name=row["name"] or "", phone=row["phone"] or "", text=row["text"] or "", events=events,
    )  # fmt: skip


def counted_register_tickets(desk: Desk) -> CountedTickets:
    """Return firm and kind of the tickets that one may count; nothing else of a ticket is read.

    Parameters
    ----------
    desk : Desk

    Raises
    ------
    DeniedError
    """
    table = registers[KIND]
    with desk.work(writes=False, snapshot=True) as work:
        parts = [scope_rules(table, one) for one in scopes(work.person, "count", KIND, work.at)]
        if not parts:
            work.allow("count", Target(KIND, work.person.path, ""))
        chosen = sa.select(table.c.firm_id, table.c.kind)
        chosen = chosen.where(sa.or_(*(sa.and_(sa.true(), *part) for part in parts)))
        return CountedTickets(tuple((row.firm_id, row.kind) for row in work.connection.execute(chosen)))
