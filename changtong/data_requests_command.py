"""The commands ``data-requests``: requests of persons about their own data, in the registers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from changtong.command_options import AsJson, read_instant, read_person
from changtong.console import print_result
from changtong.errors import InputError, Problem, UsageError
from changtong.registers_options import RegistersStore, TokenFile, Why, desk_of
from changtong.written_files import check_writable, write_beside

if TYPE_CHECKING:
    from changtong.data_requests.request_register import KeptRequest

requests = typer.Typer(
    help="Requests of persons about their own data: access, copy, correction, deletion …",
    no_args_is_help=True,
    rich_markup_mode=None,
)
PERSONAL = ("name", "contact", "text")
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Its id.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="T", help="Instant with its offset, 2026-03-01T09:00+08:00; now without."),
]


def _when(text: str | None) -> datetime:
    """Return an instant given, or now as the registers keep it."""
    from changtong.storage.rows import now

    return read_instant(text) or now()


def _told(kept: KeptRequest, at: datetime, *, as_json: bool) -> None:
    from changtong.data_requests.request_register import request_facts

    facts = request_facts(kept, at)
    lines = [f"{facts['request_id']}: {facts['kind']}, {facts['state']}", *map(_clock, facts["clocks"])]
    lines += [f"{one['at']}  {one['action']}  {one['by']}" for one in facts["events"]]
    print_result(facts, "\n".join(lines), as_json=as_json)


def _clock(one: dict[str, Any]) -> str:
    left = f"{one['days_left']} days left" if one["days_left"] >= 0 else f"{-one['days_left']} days overdue"
    return f"  {one['clock']}: {left}, last day {one['last_day']}"


@requests.command("open", short_help="Write down a request.")
def open_one(
    registers: RegistersStore,
    token: TokenFile,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="access, copy, correction, deletion, …")
    ],
    person: Annotated[
        Path,
        typer.Option("--person", metavar="FILE.json", help="name, contact, text: not for a command line."),
    ],
    channel: Annotated[
        str, typer.Option("--channel", metavar="HOW", help="app, phone, counter, letter, email.")
    ] = "counter",
    on_behalf: Annotated[
        str, typer.Option("--on-behalf", metavar="WHO", help="self, guardian, authorised, relative.")
    ] = "self",
    organisation: Annotated[
        str | None, typer.Option("--organisation", metavar="ID", help="Who answers; one's own by default.")
    ] = None,
    request_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="An id of your own.")] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Open a request; its clocks run from the day it was received."""
    from changtong.data_requests.request_register import open_data_request
    from changtong.data_requests.requests import DataRequest

    received = _when(at)
    said = read_person(person, PERSONAL, "bad-data-request")
    name, contact, text = (said.get(key, "") for key in PERSONAL)
    request = DataRequest(
        request_id or "", kind, received, "", channel, on_behalf, name=name, contact=contact, text=text
    )
    with desk_of(registers, token) as desk:
        kept = open_data_request(desk, request, organisation)
    _told(kept, _when(None), as_json=as_json)


@requests.command("move", short_help="Ask, identify, step, decide, answer, reopen, withdraw.")
def move(
    request_id: RequestId,
    registers: RegistersStore,
    token: TokenFile,
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="What is done with it.")],
    text: Annotated[
        Path | None,
        typer.Option("--text", metavar="FILE.txt", help="Why, or what was done: not for a command line."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="HOW", help="Of identify: in_person, account, phone_back, …")
    ] = "",
    decision: Annotated[
        str, typer.Option("--decision", metavar="WHAT", help="Of decide: grant, partly, refuse.")
    ] = "",
    ground: Annotated[
        str, typer.Option("--ground", metavar="CODE", help="Of what is not granted: identity, must_keep, …")
    ] = "",
    way: Annotated[str, typer.Option("--way", metavar="HOW", help="Of answer: letter, email, …")] = "",
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Do something with a request; all that is wrong with it is told at once."""
    from changtong.data_requests.request_register import move_data_request
    from changtong.data_requests.requests import RequestEvent

    when = _when(at)
    said = "" if text is None else _text(text)
    with desk_of(registers, token) as desk:
        event = RequestEvent(when, action, "", said, method, decision, ground, way)
        kept = move_data_request(desk, request_id, event)
    _told(kept, _when(None), as_json=as_json)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        text = f"it cannot be read ({type(error).__name__})."
        expected = "a text in UTF-8"
        raise InputError([Problem("bad-data-request", text, file.name, expected=expected)]) from error


@requests.command("list", short_help="Requests with their clocks, personal data masked.")
def list_requests(
    registers: RegistersStore,
    token: TokenFile,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that wait for something.")] = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """List the requests that one may see, what is due first. Exit code 1: something is overdue."""
    from changtong.data_requests.request_register import listed_requests, read_data_requests

    when = _when(at)
    with desk_of(registers, token) as desk:
        told = listed_requests(read_data_requests(desk, only_open=only_open), when)
    lines = []
    for one in told["requests"]:
        lines.append(f"{one['request_id']}  {one['kind']}  {one['state']}  {one['name']}")
        lines += map(_clock, one["clocks"])
    print_result(told, "\n".join(lines) or "none", as_json=as_json)
    if told["overdue"]:
        raise typer.Exit(1)


@requests.command("show", short_help="One request, personal data masked.")
def show(
    request_id: RequestId, registers: RegistersStore, token: TokenFile, at: At = None, as_json: AsJson = False
) -> None:
    """Show a request with what was done with it, its clocks and what can be done next."""
    from changtong.data_requests.request_register import read_data_requests

    with desk_of(registers, token) as desk:
        kept = read_data_requests(desk, request_id)[0]
    _told(kept, _when(at), as_json=as_json)


@requests.command("document", short_help="The answer as a letter (DOCX), on record.")
def document(
    request_id: RequestId,
    registers: RegistersStore,
    token: TokenFile,
    reason: Why,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.docx", help="Where to write.")],
    language: Annotated[Literal["zh", "en"], typer.Option("--language", help="Of the letter.")] = "zh",
    as_json: AsJson = False,
) -> None:
    """Write the answer to a request that is decided, with the person's name: a look, on record."""
    from changtong.data_requests.answer_document import answer_document

    if output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    check_writable(output)  # a look is on record, and cannot be taken back
    with desk_of(registers, token) as desk:
        content = answer_document(desk, request_id, reason, _when(None), language=language)
    write_beside(output, content, mode=0o600)
    text = f"{len(content):,} bytes → {output}"
    print_result({"file": str(output), "bytes": len(content)}, text, as_json=as_json)


@requests.command("find", short_help="Records that hold this person's data, on record.")
def find(
    request_id: RequestId, registers: RegistersStore, token: TokenFile, reason: Why, as_json: AsJson = False
) -> None:
    """Find the records whose columns of personal data hold the name or the contact of a request's person."""
    from changtong.data_requests.person_search import find_person

    with desk_of(registers, token) as desk:
        found = find_person(desk, request_id, reason)
    lines = [f"{one['kind']}  {one['record']}  {', '.join(one['columns'])}" for one in found["records"]]
    print_result(found, "\n".join(lines) or "nothing", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line.

    Parameters
    ----------
    app : Typer
    """
    app.add_typer(requests, name="data-requests")
