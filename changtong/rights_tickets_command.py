"""The commands ``rights-tickets``: open, move, assign, answer, status, overdue, statistics, page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import (
    AsJson,
    Language,
    PageLanguage,
    check_page_file,
    parse_day,
    read_instant,
    read_person,
)
from changtong.console import print_result
from changtong.errors import InputError, Problem, UsageError
from changtong.registers_options import Files, Registers, RegistersStore, Token, TokenFile, Why
from changtong.written_files import write_beside

if TYPE_CHECKING:
    from changtong.workforce.rights_ticket_rules import TicketRules
    from changtong.workforce.rights_tickets import RightsTicket

tickets = typer.Typer(
    help="Rights tickets of couriers, followed to their end.", no_args_is_help=True, rich_markup_mode=None
)
Place = Annotated[
    str | None,
    typer.Argument(metavar="[TICKETS/]", help="The folder of the office; not with --registers."),
]
TicketPlace = Annotated[
    str,
    typer.Argument(metavar="[TICKETS/] TICKET", help="The folder and a ticket; with --registers a ticket."),
]
Second = Annotated[str | None, typer.Argument(metavar="", hidden=True)]
RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE.toml", help="Your own kinds, clocks and escalation.")
]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it; in registers who holds the token.")
]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="T", help="Instant with its offset, as 2024-03-01T09:00+08:00; now by default."
    ),
]
Courier = Annotated[
    str | None,
    typer.Option("--courier", metavar="NAME", help="With --registers: user of whose complaint it is."),
]
PERSONAL = ("name", "phone", "text")


def _instant(text: str | None) -> datetime:
    """Return an instant given, or now."""
    return read_instant(text) or datetime.now(UTC)


def _check_place(folder: str | None, registers: str | None, by: str | None = "", **others: object) -> None:
    """Refuse what the place does not take, all at once; an empty ``by`` was not asked for."""
    wrong = []
    if registers is None:
        if folder is None:
            wrong.append("TICKETS/ is missing: the folder of the office, or --registers STORE")
        if by is None or (by and not by.strip()):
            wrong.append("--by NAME: say who does it")
        wrong += [f"--{name} is for --registers" for name, given in others.items() if given is not None]
    else:
        if folder is not None:
            wrong.append("TICKETS/ cannot be used with --registers")
        if by:
            wrong.append("--by cannot be used with --registers: everybody acts under their own name")
    if wrong:
        raise UsageError("; ".join(wrong) + ".")


def _ticket_named(place: str, second: str | None, registers: str | None) -> tuple[str | None, str]:
    """Return the folder, if there is one, and the ticket's id."""
    if registers is None and second is None:
        raise UsageError("TICKET is missing: give the folder and the ticket, or --registers STORE.")
    if registers is not None and second is not None:
        raise UsageError("TICKETS/ cannot be used with --registers.")
    return (None, place) if second is None else (place, second)


def _read_known(
    folder: str | None, ticket_id: str | None, registers: str | None, token: Path | None, known: TicketRules
) -> list[tuple[RightsTicket, dict[str, Any]]]:
    """Return tickets that one may see, each with what the registers say beside it."""
    from changtong.workforce.rights_ticket_folder import find_ticket, read_tickets

    if registers is not None:
        from changtong.registers_options import desk_of
        from changtong.workforce_records.ticket_register import read_register_tickets

        with desk_of(registers, token) as desk:
            return [(one.ticket, one.facts()) for one in read_register_tickets(desk, ticket_id)]
    found = read_tickets(str(folder), known)
    shown = list(found.values()) if ticket_id is None else [find_ticket(found, ticket_id)]
    return [(one, {}) for one in shown]


@tickets.command("open", short_help="Write down a ticket.")
def open_one(
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="pay, hours, injury, fines, …")],
    firm: Annotated[
        str,
        typer.Option("--firm", metavar="FIRM", help="Whom it is about; in registers an organisation's id."),
    ],
    folder: Place = None,
    by: By = None,
    ticket_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="An id of your own.")] = None,
    region: Annotated[str, typer.Option("--region", metavar="CODE", help="GB/T 2260 code.")] = "",
    harmed_on: Annotated[
        str | None, typer.Option("--harmed-on", metavar="DATE", help="Day of the harm or the accident.")
    ] = None,
    ended_on: Annotated[
        str | None, typer.Option("--ended-on", metavar="DATE", help="Day the employment ended.")
    ] = None,
    person: Annotated[
        Path | None,
        typer.Option("--person", metavar="FILE.json", help="name, phone, text: not for a command line."),
    ] = None,
    courier: Courier = None,
    organisation: Annotated[
        str | None,
        typer.Option(
            "--organisation", metavar="ID", help="With --registers: the office; one's own by default."
        ),
    ] = None,
    at: At = None,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Open a ticket. Names and texts come from a file, since a command line can be seen by others."""
    from changtong.workforce.rights_ticket_folder import open_ticket, ticket_facts
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import RightsTicket

    _check_place(folder, registers, by, token=token, courier=courier, organisation=organisation)
    known, received = read_ticket_rules(rules), _instant(at)
    days = {
        "harmed_on": None if harmed_on is None else parse_day(harmed_on, "--harmed-on"),
        "ended_on": None if ended_on is None else parse_day(ended_on, "--ended-on"),
    }
    said = {} if person is None else read_person(person, PERSONAL, "bad-ticket")

    def make(next_id: str) -> RightsTicket:
        return RightsTicket(
            id=ticket_id or next_id,
            kind=kind,
            firm_id=firm,
            received_at=received,
            by=by or "",
            region=region,
            harmed_on=days["harmed_on"],
            ended_on=days["ended_on"],
            name=said.get("name", ""),
            phone=said.get("phone", ""),
            text=said.get("text", ""),
        )

    more: dict[str, Any] = {}
    if registers is not None:
        from changtong.registers_options import desk_of
        from changtong.workforce_records.ticket_register import open_register_ticket

        with desk_of(registers, token) as desk:
            kept = open_register_ticket(
                desk, make(""), known, courier=courier or "", organisation=organisation
            )
        made, more = kept.ticket, kept.facts()
    else:
        made = open_ticket(str(folder), make, known)
    text = f"{made.id}: {made.kind}, {made.firm_id}, {made.state}"
    print_result(ticket_facts(made) | more, text, as_json=as_json)


@tickets.command("move", short_help="Accept, transfer, mediate, settle, close, reject, reopen.")
def move(
    place: TicketPlace,
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="What is done with it.")],
    second: Second = None,
    by: By = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; wanted to reject and to reopen.")
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="WHOM", help="Whom it is transferred to.")] = "",
    at: At = None,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Do something with a ticket."""
    from changtong.workforce.rights_ticket_folder import move_in_folder, ticket_facts
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import TicketEvent

    folder, ticket_id = _ticket_named(place, second, registers)
    _check_place(folder, registers, by, token=token)
    known, more = read_ticket_rules(rules), dict[str, Any]()
    if registers is not None:
        from changtong.registers_options import desk_of
        from changtong.workforce_records.ticket_register import move_register_ticket

        with desk_of(registers, token) as desk:
            kept = move_register_ticket(desk, ticket_id, action, reason=reason, to=to, at=read_instant(at))
        made, more = kept.ticket, kept.facts()
    else:
        event = TicketEvent(_instant(at), action, by or "", reason, to)
        made = move_in_folder(str(folder), ticket_id, event, known)
    print_result(ticket_facts(made) | more, f"{made.id}: {made.state}", as_json=as_json)


@tickets.command("assign", short_help="In registers: name the firm's handler, let the courier in.")
def assign(
    ticket_id: Annotated[str, typer.Argument(metavar="TICKET", help="Its id.")],
    registers: RegistersStore,
    token: TokenFile,
    handler: Annotated[
        str | None, typer.Option("--handler", metavar="NAME", help="User of the firm; '' takes one out.")
    ] = None,
    courier: Courier = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Name who sees a ticket beside the office; nobody else of the firm does."""
    from changtong.registers_options import desk_of
    from changtong.workforce.rights_ticket_folder import ticket_facts
    from changtong.workforce_records.ticket_register import assign_register_ticket

    with desk_of(registers, token) as desk:
        kept = assign_register_ticket(desk, ticket_id, handler=handler, courier=courier, reason=reason)
    text = f"{ticket_id}: handler {kept.handler or '-'}, courier {'let in' if kept.has_courier else '-'}"
    print_result(ticket_facts(kept.ticket) | kept.facts(), text, as_json=as_json)


@tickets.command("answer", short_help="In registers: the firm's handler replies, shows evidence, proposes.")
def answer(
    ticket_id: Annotated[str, typer.Argument(metavar="TICKET", help="Its id.")],
    registers: RegistersStore,
    token: TokenFile,
    action: Annotated[
        str,
        typer.Option("--action", metavar="ACTION", help="reply, evidence or propose (a settlement)."),
    ],
    text: Annotated[
        Path, typer.Option("--text", metavar="FILE.txt", help="What is said: not for a command line.")
    ],
    evidence: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="With evidence: a file; several.")
    ] = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Answer a ticket for the firm, as its handler whom the office has named; nobody else does."""
    from changtong.registers_options import desk_of
    from changtong.workforce.rights_ticket_folder import ticket_facts
    from changtong.workforce.rights_tickets import FIRM_ACTIONS
    from changtong.workforce_records.ticket_register import move_register_ticket

    if action not in FIRM_ACTIONS:
        raise UsageError(f"--action: one of {', '.join(FIRM_ACTIONS)}.")
    said = _read(text).decode("utf-8-sig", errors="replace").strip()
    shown = [(one.name, _read(one)) for one in evidence or []]
    with desk_of(registers, token, files) as desk:
        kept = move_register_ticket(desk, ticket_id, action, reason=said, files=shown)
    made = ticket_facts(kept.ticket) | kept.facts()
    lines = [f"{ticket_id}: {action}, {kept.ticket.state}", *kept.ticket.events[-1].files]
    print_result(made, "\n  file ".join(lines), as_json=as_json)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        text = f"it cannot be read ({type(error).__name__})."
        raise InputError([Problem("bad-ticket", text, file.name, expected="a file")]) from error


@tickets.command("evidence", short_help="In registers: a file that the firm has shown.")
def write_evidence(
    ticket_id: Annotated[str, typer.Argument(metavar="TICKET", help="Its id.")],
    attachment: Annotated[str, typer.Argument(metavar="FILE_ID", help="As `status` tells it.")],
    registers: RegistersStore,
    token: TokenFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write.")],
    reason: Why,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Write a file of evidence, for those who see the ticket; the look is on record."""
    from changtong.registers_options import desk_of
    from changtong.workforce_records.ticket_register import ticket_evidence

    if output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    with desk_of(registers, token, files) as desk:
        found = ticket_evidence(desk, ticket_id, attachment, reason)
    write_beside(output, found, mode=0o600)
    text = f"{len(found):,} bytes → {output}"
    print_result({"file": str(output), "bytes": len(found)}, text, as_json=as_json)


@tickets.command("status", short_help="Tickets with their state and clocks, personal data masked.")
def status(
    place: Place = None,
    ticket_id: Annotated[str | None, typer.Argument(metavar="[TICKET]", help="One; by default all.")] = None,
    at: At = None,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show tickets; with --registers the one argument is a ticket, and one sees those one may."""
    from changtong.workforce.rights_ticket_folder import ticket_facts
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import clock_facts, running_clocks

    known, now = read_ticket_rules(rules), _instant(at)
    folder = place
    if registers is not None:
        folder, ticket_id = (None, place) if ticket_id is None else (place, ticket_id)
    _check_place(folder, registers, token=token)
    facts: list[dict[str, Any]] = []
    lines: list[str] = []
    for one, more in _read_known(folder, ticket_id, registers, token, known):
        clocks = [clock_facts(clock) for clock in running_clocks(one, known, now)]
        facts.append(ticket_facts(one) | more | {"clocks": clocks})
        lines.append(f"{one.id}  {one.kind}  {one.firm_id}  {one.state}")
        lines += [_line(clock) for clock in clocks]
    print_result({"tickets": facts}, "\n".join(lines), as_json=as_json)


def _line(clock: dict[str, Any]) -> str:
    told = f", tell {', '.join(clock['told_en'])}" if clock["told_en"] else ""
    left = (
        f"{clock['days_left']} days left" if clock["days_left"] >= 0 else f"{-clock['days_left']} days late"
    )
    source = (clock["provenance"], clock["basis"])
    sure = " (provisional)" if clock["is_provisional"] else ""
    return (
        f"  {clock['stage']:8} {clock['ticket_id']} {clock['en']} ({clock['whose']}) by "
        f"{clock['last_day']}{sure}, {left}{told} [{' '.join(filter(None, source))}]"
    )


@tickets.command("overdue", short_help="What is overdue or soon due, and who must be told.")
def overdue(
    folder: Place = None,
    at: At = None,
    all_running: Annotated[
        bool, typer.Option("--all", help="Clocks that are far from their end, too.")
    ] = False,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List clocks; exit code 1 where one is overdue."""
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import clock_facts, due_clocks

    known, now = read_ticket_rules(rules), _instant(at)
    _check_place(folder, registers, token=token)
    found = [one for one, _ in _read_known(folder, None, registers, token, known)]
    facts = [clock_facts(one) for one in due_clocks(found, known, now, all_running=all_running)]
    late = sum(one["stage"] == "overdue" for one in facts)
    text = "\n".join([f"{late} overdue, {len(facts) - late} others", *map(_line, facts)])
    print_result({"at": now.isoformat(), "overdue": late, "clocks": facts}, text, as_json=as_json)
    if late:
        raise typer.Exit(1)


@tickets.command("statistics", short_help="Tickets by firm and kind; small counts are not told.")
def statistics(
    folder: Place = None,
    least: Annotated[int, typer.Option("--least", metavar="N", min=1, help="Smaller counts are hidden.")] = 5,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Count tickets by firm and kind; in registers also who sees no ticket may count them."""
    from changtong.studies import run_study
    from changtong.workforce.rights_ticket_folder import read_tickets
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_ticket_statistics import CountedTickets

    _check_place(folder, registers, token=token)
    if registers is not None:
        from changtong.registers_options import desk_of
        from changtong.workforce_records.ticket_register import counted_register_tickets

        with desk_of(registers, token) as desk:
            counted = counted_register_tickets(desk)
    else:
        found = read_tickets(str(folder), read_ticket_rules(rules))
        counted = CountedTickets.of(found.values())
    made = run_study("rights-statistics", counted, least=least).result
    print_result(made.to_json(), str(made), as_json=as_json)


@tickets.command("page", short_help="Open tickets by time left, counts, times beside limits: a page.")
def page(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="Where to write.")],
    folder: Place = None,
    at: At = None,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write tickets as one page without personal data; only its owner can read the file."""
    from changtong.report.ticket_page import ticket_page
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.written_files import write_beside

    check_page_file(output)
    known, now = read_ticket_rules(rules), _instant(at)
    _check_place(folder, registers, token=token)
    found = [one for one, _ in _read_known(folder, None, registers, token, known)]
    write_beside(output, ticket_page(found, known, now, language=language.value), mode=0o600)
    print_result({"file": str(output)}, f"→ {output}", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(tickets, name="rights-tickets")
