"""Commands of the duty room: rosters, who is on, check-in, hand-over, calls that escalate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Language, PageLanguage, parse_day
from changtong.console import print_result, say
from changtong.duty_options import (
    At,
    By,
    Room,
    RosterFolder,
    RosterInForce,
    duty,
    instant_of,
    opened_room,
)
from changtong.duty_views_command import put_in_force, show_rooms, show_rosters, write_room_page
from changtong.errors import UsageError
from changtong.registers_options import Registers, Token

if TYPE_CHECKING:
    from changtong.duty.room import Entry


@duty.callback()
def group() -> None:
    """Duty: rosters, check-in, hand-over, calls."""


@duty.command("roster", short_help="A roster for a period, with its proved gap.")
def make(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER/", help="A duty folder (docs/duty.md).")],
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First day on which duties begin.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="ROSTER/", help="Where to write.")],
    replan: Annotated[
        Path | None,
        typer.Option("--replan", metavar="ROSTER/", help="Change this roster as little as possible."),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="Time limit.")] = 60.0,
    gap: Annotated[float, typer.Option("--gap", min=0.0, max=1.0, help="Proved gap at which to stop.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the search.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a roster; exit code 1, and nothing written, where none keeps every rule: why is told."""
    from changtong.duty.read_duty import read_duty
    from changtong.duty.roster import make_roster
    from changtong.duty.roster_files import ROSTER_FOLDER, read_roster, save_roster
    from changtong.network.io import check_replaceable

    days = parse_day(first, "--from"), parse_day(last, "--to")
    check_replaceable(output, **ROSTER_FOLDER)
    read = read_duty(folder)
    kept = None if replan is None else read_roster(replan)
    say("Planning the roster; the first time its search is compiled, some seconds …")
    made = make_roster(read, *days, seconds=seconds, gap=gap, seed=seed, kept=kept)
    where = None
    if made.found:
        where = str(save_roster(made, output, folder, made_at=datetime.now(UTC)))
    text = f"{made}\n  → {output}" if made.found else str(made)
    print_result(made.to_json() | {"folder": where}, text, as_json=as_json)
    if not made.found:
        raise typer.Exit(1)


@duty.command("check", short_help="Every rule that a roster breaks.")
def check(folder: RosterFolder, as_json: AsJson = False) -> None:
    """Check a roster against its rules, also after changes by hand; exit code 1 where one is broken."""
    from changtong.duty.day_kinds import day_kinds
    from changtong.duty.roster_check import check_roster
    from changtong.duty.roster_files import read_roster_folder

    read, rows, first, last = read_roster_folder(folder)
    found = check_roster(read, day_kinds(read, first, last), rows)
    made = [{"day": str(one.day), "rule": one.rule, "text": one.text} for one in found]
    text = "\n".join([*map(str, found), f"{len(rows)} duties, {len(found)} rules broken"])
    print_result({"duties": len(rows), "breaches": made}, text, as_json=as_json)
    if found:
        raise typer.Exit(1)


@duty.command("ics", short_help="A roster as iCalendar, of one person or of all.")
def calendar(
    folder: RosterFolder,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.ics", help="Where to write.")],
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="Of this person only.")] = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write a calendar file that calendar programs take in."""
    from changtong.duty.icalendar import roster_calendar
    from changtong.duty.roster_files import read_roster_folder
    from changtong.errors import NotFoundError
    from changtong.written_files import write_beside

    read, rows, _, _ = read_roster_folder(folder)
    if person is not None and person not in {one.person_id for one in read.people}:
        raise NotFoundError(f"There is no person {person!r} in the roster.")
    text = roster_calendar(read, rows, made_at=datetime.now(UTC), person_id=person, language=language.value)
    write_beside(output, text.encode())
    count = sum(person in (None, row.person_id) for row in rows)
    print_result({"file": str(output), "events": count}, f"{count} events → {output}", as_json=as_json)


@duty.command("now", short_help="Who is on duty, and who has come.")
def now(
    room: Room,
    folder: RosterInForce = None,
    at: At = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List who is on duty at an instant; exit code 1 where somebody is absent."""
    from changtong.duty.room import duty_now, hand_overs

    instant = instant_of(at)
    with opened_room(room, registers, token, roster=folder) as opened:
        entries = opened.log.entries()
        there = duty_now(opened.rosters, entries, instant)
    made = [
        {
            "person_id": one.assignment.person_id, "post_id": one.assignment.post_id,
            "shift_id": one.assignment.shift_id, "begins_at": one.begin.isoformat(),
            "ends_at": one.end.isoformat(), "state": one.state, "late_min": one.late_min,
        }
        for one in there
    ]  # fmt: skip
    waiting = [
        note.note_id for note in hand_overs(entries) if note.received_by is None and note.at <= instant
    ]
    lines = [
        f"{row['post_id']:<12} {row['person_id']:<12} {row['state']} {row['late_min'] or ''}" for row in made
    ]
    if waiting:
        lines.append("hand-over not received: " + ", ".join(waiting))
    facts = {"at": instant.isoformat(), "on_duty": made, "not_received": waiting}
    print_result(facts, "\n".join(lines) or "nobody is on duty", as_json=as_json)
    if any(one.state == "absent" for one in there):
        raise typer.Exit(1)


@duty.command("check-in", short_help="Somebody has come.")
def come(
    room: Room,
    folder: RosterInForce = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="ID", help="Who has come; with --registers by default oneself."),
    ] = None,
    at: At = None,
    by: Annotated[str | None, typer.Option("--by", metavar="PERSON", help="Who enters it.")] = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Check somebody in for their duty; a second time changes nothing."""
    from changtong.duty.room import check_in

    if registers is None and person is None:
        raise UsageError("--person ID: say who has come.")
    who = by if registers is not None else by or person
    with opened_room(room, registers, token, roster=folder, by=who, writes=True) as opened:
        instant = instant_of(at)
        came = person or opened.person_at(instant)
        row, kept = check_in(opened.rosters, opened.log, came, instant, opened.by)
    text = f"{came}: {row.post_id} in {row.shift_id} of {row.day}, checked in at {kept.at.isoformat()}"
    print_result(_facts(kept), text, as_json=as_json)


@duty.command("hand-over", short_help="Write a hand-over note, or receive one.")
def pass_on(
    room: Room,
    note: Annotated[str, typer.Option("--note", metavar="ID", help="Of the note.")],
    open_items: Annotated[
        list[str] | None, typer.Option("--open", metavar="TEXT", help="An open item.")
    ] = None,
    watch: Annotated[list[str] | None, typer.Option("--watch", metavar="TEXT", help="What to watch.")] = None,
    take: Annotated[bool, typer.Option("--receive", help="Receive the note instead.")] = False,
    by: By = None,
    at: At = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write what the next shift must know; the next shift receives it."""
    from changtong.duty.room import hand_over, receive

    if take and (open_items or watch):
        raise UsageError("--receive takes no --open and no --watch.")
    instant = instant_of(at)
    with opened_room(room, registers, token, by=by, writes=True, needs_roster=False) as opened:
        if take:
            kept = receive(opened.log, note, opened.by, instant)
        else:
            kept = hand_over(opened.log, note, opened.by, instant, open_items or [], watch or [])
    if take:
        text = f"{note}: received by {kept.by} at {kept.at.isoformat()}"
    else:
        count = len(kept.values["open"]), len(kept.values["watch"])
        text = f"{note}: {count[0]} open, {count[1]} to watch; not yet received"
    print_result(_facts(kept), text, as_json=as_json)
    if kept.by != opened.by:
        raise typer.Exit(1)


@duty.command("call", short_help="Open a call that goes up its chain.")
def begin_call(
    room: Room,
    call: Annotated[str, typer.Option("--call", metavar="ID", help="Of the call.")],
    chain: Annotated[str, typer.Option("--chain", metavar="ID", help="A chain of calls.toml.")],
    subject: Annotated[str, typer.Option("--subject", metavar="TEXT", help="What it is about.")],
    folder: RosterInForce = None,
    by: By = None,
    at: At = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Open a call; duty escalate tells whom it goes to and when."""
    from changtong.duty.room import open_call

    with opened_room(room, registers, token, roster=folder, by=by, writes=True) as opened:
        kept = open_call(opened.rosters, opened.log, call, subject, chain, opened.by, instant_of(at))
    print_result(_facts(kept), f"{call}: opened at {kept.at.isoformat()}", as_json=as_json)


@duty.command("answer", short_help="Answer a call: the first has it.")
def answer(
    room: Room,
    call: Annotated[str, typer.Option("--call", metavar="ID", help="Of the call.")],
    by: By = None,
    at: At = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Answer a call; exit code 1 where somebody else has it, who is told."""
    from changtong.duty.room import answer_call

    with opened_room(room, registers, token, by=by, writes=True, needs_roster=False) as opened:
        got = answer_call(opened.log, call, opened.by, instant_of(at))
    facts = {"call_id": got.call_id, "by": got.by, "at": got.at.isoformat(), "mine": got.mine}
    print_result(facts, str(got), as_json=as_json)
    if not got.mine:
        raise typer.Exit(1)


@duty.command("escalate", short_help="Who must be told of unanswered calls by now.")
def tell(
    room: Room,
    folder: RosterInForce = None,
    at: At = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Print what is due, a JSON object a line, for a program that sends it; nothing is sent here."""
    from changtong.duty.room import escalate

    with opened_room(room, registers, token, roster=folder) as opened:
        found = escalate(opened.rosters, opened.log.entries(), instant_of(at))
    due = [
        {
            "call_id": one.call_id, "step": one.step, "person_id": one.person_id,
            "due_at": one.due_at.isoformat(), "subject": one.subject,
        }
        for one in found
    ]  # fmt: skip
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in due)
    print_result({"due": due}, lines, as_json=as_json)


def _facts(entry: Entry) -> dict[str, Any]:
    return {"key": entry.key, "kind": entry.kind, "at": entry.at.isoformat(), "by": entry.by, **entry.values}


def register(app: typer.Typer) -> None:
    """Add the commands.

    Parameters
    ----------
    app : typer.Typer
    """
    add = duty.command
    add("page", short_help="A page of the room, and the roster as a workbook.")(write_room_page)
    add("rooms", short_help="Duty rooms of the registers; --new makes one.")(show_rooms)
    add("put", short_help="Put a roster in force in a duty room of the registers.")(put_in_force)
    add("rosters", short_help="Versions of a room's roster, and when each is in force.")(show_rosters)
    app.add_typer(duty, name="duty", short_help="Duty rosters, check-in, hand-over, calls.")
