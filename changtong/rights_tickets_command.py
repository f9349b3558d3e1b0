"""The commands ``rights-tickets``: open, move, status, overdue, statistics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.command_options import AsJson, parse_day, read_instant
from changtong.console import print_result
from changtong.errors import InputError, Problem

tickets = typer.Typer(
    help="Rights tickets of couriers, followed to their end.", no_args_is_help=True, rich_markup_mode=None
)
Place = Annotated[Path, typer.Argument(metavar="TICKETS/", help="The folder of the office.")]
RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE.toml", help="Your own kinds, clocks and escalation.")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="T", help="Instant with its offset, as 2024-03-01T09:00+08:00; now by default."
    ),
]
PERSONAL = ("name", "phone", "text")


def _instant(text: str | None) -> datetime:
    """Return an instant given, or now."""
    return read_instant(text) or datetime.now(UTC)


@tickets.command("open", short_help="Write down a ticket.")
def open_one(
    folder: Place,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="pay, hours, injury, fines, …")],
    firm: Annotated[str, typer.Option("--firm", metavar="FIRM", help="Whom it is about.")],
    by: By,
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
    at: At = None,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """Open a ticket. Names and texts come from a file, since a command line can be seen by others."""
    from changtong.workforce.rights_ticket_folder import open_ticket, ticket_facts
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import RightsTicket

    known, received = read_ticket_rules(rules), _instant(at)
    days = {
        "harmed_on": None if harmed_on is None else parse_day(harmed_on, "--harmed-on"),
        "ended_on": None if ended_on is None else parse_day(ended_on, "--ended-on"),
    }
    said = _person(person)

    def make(next_id: str) -> RightsTicket:
        return RightsTicket(
            id=ticket_id or next_id,
            kind=kind,
            firm_id=firm,
            received_at=received,
            by=by,
            region=region,
            harmed_on=days["harmed_on"],
            ended_on=days["ended_on"],
            name=said.get("name", ""),
            phone=said.get("phone", ""),
            text=said.get("text", ""),
        )

    made = open_ticket(folder, make, known)
    print_result(ticket_facts(made), f"{made.id}: {made.kind}, {made.firm_id}, {made.state}", as_json=as_json)


def _person(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        text = f"it cannot be read ({type(error).__name__})."
        raise InputError([Problem("bad-ticket", text, file.name, expected="a JSON object")]) from error
    fits = isinstance(content, dict) and all(
        key in PERSONAL and isinstance(value, str) for key, value in content.items()
    )
    if not fits:
        expected = "an object of " + ", ".join(PERSONAL) + ", each a text"
        raise InputError([Problem("bad-ticket", "it is not as expected.", file.name, expected=expected)])
    return dict(content)


@tickets.command("move", short_help="Accept, transfer, mediate, settle, close, reject, reopen.")
def move(
    folder: Place,
    ticket_id: Annotated[str, typer.Argument(metavar="TICKET", help="Its id.")],
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="What is done with it.")],
    by: By,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; wanted to reject and to reopen.")
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="WHOM", help="Whom it is transferred to.")] = "",
    at: At = None,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """Do something with a ticket."""
    from changtong.workforce.rights_ticket_folder import move_in_folder, ticket_facts
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import TicketEvent

    event = TicketEvent(_instant(at), action, by, reason, to)
    made = move_in_folder(folder, ticket_id, event, read_ticket_rules(rules))
    print_result(ticket_facts(made), f"{made.id}: {made.state}", as_json=as_json)


@tickets.command("status", short_help="Tickets with their state and clocks, personal data masked.")
def status(
    folder: Place,
    ticket_id: Annotated[str | None, typer.Argument(metavar="[TICKET]", help="One; by default all.")] = None,
    at: At = None,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """Show tickets."""
    from changtong.workforce.rights_ticket_folder import find_ticket, read_tickets, ticket_facts
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import clock_facts, running_clocks

    known, now = read_ticket_rules(rules), _instant(at)
    found = read_tickets(folder, known)
    shown = list(found.values()) if ticket_id is None else [find_ticket(found, ticket_id)]
    facts: list[dict[str, Any]] = []
    lines: list[str] = []
    for one in shown:
        clocks = [clock_facts(clock) for clock in running_clocks(one, known, now)]
        facts.append(ticket_facts(one) | {"clocks": clocks})
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
    folder: Place,
    at: At = None,
    all_running: Annotated[
        bool, typer.Option("--all", help="Clocks that are far from their end, too.")
    ] = False,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """List clocks; exit code 1 where one is overdue."""
    from changtong.workforce.rights_ticket_folder import read_tickets
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_tickets import clock_facts, due_clocks

    known, now = read_ticket_rules(rules), _instant(at)
    found = read_tickets(folder, known)
    facts = [clock_facts(one) for one in due_clocks(found.values(), known, now, all_running=all_running)]
    late = sum(one["stage"] == "overdue" for one in facts)
    text = "\n".join([f"{late} overdue, {len(facts) - late} others", *map(_line, facts)])
    print_result({"at": now.isoformat(), "overdue": late, "clocks": facts}, text, as_json=as_json)
    if late:
        raise typer.Exit(1)


@tickets.command("statistics", short_help="Tickets by firm and kind; small counts are not told.")
def statistics(
    folder: Place,
    least: Annotated[int, typer.Option("--least", metavar="N", min=1, help="Smaller counts are hidden.")] = 5,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """Count tickets by firm and kind."""
    from changtong.workforce.rights_ticket_folder import read_tickets
    from changtong.workforce.rights_ticket_rules import read_ticket_rules
    from changtong.workforce.rights_ticket_statistics import ticket_statistics

    found = read_tickets(folder, read_ticket_rules(rules))
    table = ticket_statistics(found.values(), least=least)
    rows = table.to_dicts()
    lines = [
        f"{one['firm_id']}  {one['kind']}  {'not told' if one['is_hidden'] else one['tickets']}"
        for one in rows
    ]
    print_result({"least": least, "rows": rows}, "\n".join(lines), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(tickets, name="rights-tickets")
