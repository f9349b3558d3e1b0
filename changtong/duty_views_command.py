"""Commands of the duty room: its page, and what only registers have, rooms and rosters in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage, parse_day
from changtong.console import print_result
from changtong.duty_options import (
    At,
    Room,
    RosterFolder,
    RosterInForce,
    instant_of,
    opened_room,
)
from changtong.errors import UsageError
from changtong.registers_options import Registers, RegistersStore, Token, TokenFile


def write_room_page(
    room: Room,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="Where to write.")],
    folder: RosterInForce = None,
    at: At = None,
    workbook: Annotated[
        Path | None,
        typer.Option("--workbook", metavar="FILE.xlsx", help="Write the roster as a workbook, too."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", metavar="TEXT", help="With --registers: show names; why, kept in the audit."
        ),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", metavar="N", min=1, help="With --registers: this version of the roster."),
    ] = None,
    registers: Registers = None,
    token: Token = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write who is on duty, open calls, hand-over, the roster's matrix and fairness."""
    from changtong.duty.roster_views import matrix_in_force, write_duty_workbook
    from changtong.report.duty_page import write_duty_page
    from changtong.written_files import write_beside

    instant = instant_of(at)
    wrong = [f"{one} does not end in {end}" for one, end in ((output, ".html"), (workbook, ".xlsx"))
             if one is not None and one.suffix.lower() != end]  # fmt: skip
    if registers is None and reason is not None:
        wrong.append("--reason is for --registers")
    if registers is not None and workbook is not None and reason is None:
        wrong.append("a workbook has names in it: say --reason TEXT")
    if wrong:
        raise UsageError("; ".join(wrong) + ".")
    if registers is not None and reason is not None:
        from changtong.registers_options import desk_of
        from changtong.workforce_records.room_register import reveal_rosters

        with desk_of(registers, token) as desk:
            reveal_rosters(desk, room, instant, reason, number)
    named = registers is None or reason is not None
    with opened_room(room, registers, token, roster=folder, number=number) as opened:
        rosters, entries = opened.rosters, opened.log.entries()

        def write(place: Path) -> None:
            write_duty_page(rosters, entries, instant, place, language=language.value, with_names=named)

        def write_sheets(place: Path) -> None:
            days = rosters.period_at(instant)
            write_duty_workbook(matrix_in_force(rosters, *days), *days, place, language=language.value)

        write_beside(output, write)
        if workbook is not None:
            write_beside(workbook, write_sheets)
    facts = {"file": str(output), "workbook": None if workbook is None else str(workbook)}
    print_result(facts, f"→ {output}", as_json=as_json)


def show_rooms(
    registers: RegistersStore,
    token: TokenFile,
    new: Annotated[str | None, typer.Option("--new", metavar="TITLE", help="Make a room.")] = None,
    room: Annotated[str | None, typer.Option("--room", metavar="ID", help="With --new: its id.")] = None,
    organisation: Annotated[
        str | None, typer.Option("--organisation", metavar="ID", help="With --new: whose room it is.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the duty rooms that one may see, or make one."""
    from changtong.registers_options import desk_of
    from changtong.workforce_records.room_register import list_rooms, make_room

    if new is None and (room or organisation):
        raise UsageError("--room and --organisation are for --new.")
    with desk_of(registers, token) as desk:
        if new is not None:
            made = make_room(desk, new, room_id=room, organisation=organisation)
            print_result(made, f"{made['room']}: {made['title']}", as_json=as_json)
            return
        found = list_rooms(desk)
    lines = [f"{one['room']}  {one['title']}  roster {one['roster'] or '-'}" for one in found]
    print_result({"rooms": found}, "\n".join(lines) or "no duty rooms", as_json=as_json)


def put_in_force(
    folder: RosterFolder,
    registers: RegistersStore,
    token: TokenFile,
    room: Annotated[str, typer.Option("--room", metavar="ID", help="Of the duty room.")],
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="First day taken from it; its own first day by default."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Keep a roster as the room's next version; the former ones stay, and in force on all other days."""
    from changtong.registers_options import desk_of
    from changtong.workforce_records.room_register import put_roster

    day = None if since is None else parse_day(since, "--from")
    with desk_of(registers, token) as desk:
        made = put_roster(desk, room, folder, since=day, reason=reason)
    lines = [f"{room}: roster {made['roster']}, {made['from']} to {made['to']}, {made['duties']} duties"]
    lines += [f"  instead of roster {one['roster']} {one['from']} to {one['to']}" for one in made["replaced"]]
    print_result(made, "\n".join(lines), as_json=as_json)


def show_rosters(
    registers: RegistersStore,
    token: TokenFile,
    room: Annotated[str, typer.Option("--room", metavar="ID", help="Of the duty room.")],
    as_json: AsJson = False,
) -> None:
    """List the versions of a room's roster and the days on which each is in force."""
    from changtong.registers_options import desk_of
    from changtong.workforce_records.room_register import list_rosters

    with desk_of(registers, token) as desk:
        found = list_rosters(desk, room)
    lines = []
    for one in found:
        days = ", ".join(f"{span['from']} to {span['to']}" for span in one["in_force"]) or "on no day"
        lines.append(f"{one['roster']}  {one['first']} to {one['last']}  in force: {days}")
    print_result({"rosters": found}, "\n".join(lines) or "no rosters", as_json=as_json)
