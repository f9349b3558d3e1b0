"""Commands of the registers about records: listed, shown, loaded, changed, their files, handed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from changtong.command_options import AsJson
from changtong.console import print_result
from changtong.errors import ConflictError, InputError, Problem, UsageError
from changtong.registers_options import (
    Files,
    Kind,
    Place,
    RecordId,
    TokenFile,
    Why,
    open_desk,
    registers,
    shown_record,
)
from changtong.written_files import write_beside

if TYPE_CHECKING:
    from changtong.storage.loading import Loaded
    from changtong.storage.records import Record


@registers.command("list", short_help="A page of a register.")
def list_records(
    place: Place,
    kind: Kind,
    token: TokenFile,
    state: Annotated[str | None, typer.Option("--state", help="Only records in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=500, help="Rows.")] = 50,
    after: Annotated[
        str, typer.Option("--after", metavar="MARK", help="Go on where the page before ended.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="All pages as FILE.csv or FILE.xlsx instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List a page of a register: what one may see, newest first, personal data masked."""
    from changtong.storage.pages import Query
    from changtong.storage.record_tables import whole_table
    from changtong.storage.records import check_kind

    where = {} if state is None else {"status" if kind == "site" else "state": state}
    store, desk = open_desk(place, token)
    with store:
        if output is not None:
            content = whole_table(desk, check_kind(kind), Query(where=where), _ending(output))
            write_beside(output, content)
            print_result({"file": str(output), "bytes": len(content)}, f"{output}", as_json=as_json)
            return
        page = desk.page(check_kind(kind), Query(where=where, limit=limit, after=after))
    rows = [shown_record(record) for record in page.records]
    lines = ["  ".join(str(value) for value in row.values() if value is not None) for row in rows]
    if page.next:
        lines.append(f"more: --after {page.next}")
    print_result({"records": rows, "next": page.next}, "\n".join(lines) or "nothing", as_json=as_json)


@registers.command(short_help="A record, personal data masked.")
def show(place: Place, kind: Kind, record: RecordId, token: TokenFile, as_json: AsJson = False) -> None:
    """Show a record with all its columns, personal data masked, and the version a change must name."""
    from changtong.storage.records import check_kind

    store, desk = open_desk(place, token)
    with store:
        shown = shown_record(desk.get(check_kind(kind), record))
    lines = [f"{name}: {value}" for name, value in shown.items() if value is not None]
    print_result(shown, "\n".join(lines), as_json=as_json)


@registers.command(short_help="Change a record that nobody changed since.")
def change(
    place: Place,
    kind: Kind,
    record: RecordId,
    token: TokenFile,
    version: Annotated[
        int, typer.Option("--version", metavar="N", min=1, help="The version that was read, as `show` tells.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=VALUE", help="As in a file for `load`; no value: emptied."),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option("--values", metavar="FILE.json", help="Column -> value; personal data go this way."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Change columns of a record; where somebody was quicker nothing is written and what is there is told."""
    from changtong.storage.loading import values_of
    from changtong.storage.records import check_kind

    wanted = ({} if values is None else _values_of_file(values)) | values_of(
        check_kind(kind), _texts(kind, set_ or ())
    )
    if not wanted:
        raise UsageError("Say what changes: --set COLUMN=VALUE, or --values FILE.json.")
    store, desk = open_desk(place, token)
    with store:
        try:
            made = desk.change(kind, record, version, wanted, reason)
        except ConflictError as error:
            raise _told(error, list(wanted)) from None
    shown = shown_record(made)
    changed = ", ".join(f"{name}={shown[name]}" for name in wanted)
    print_result(shown, f"version {made.version}: {changed}", as_json=as_json)


def _texts(kind: str, given: Sequence[str]) -> dict[str, str]:
    """Return column -> text of ``--set``; what may be personal is refused: others see a command line."""
    from changtong.storage.definitions import register_columns

    texts: dict[str, str] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name or name in texts:
            raise UsageError("--set needs COLUMN=VALUE, each column once: --set status=closed.")
        texts[name] = text
    personal = [name for name, column in register_columns(kind).items() if name in texts and column.mask]
    if personal:
        raise UsageError(
            f"{', '.join(personal)} may be personal data, and a command line can be seen by others: "
            "put them into a file for --values."
        )
    return texts


def _values_of_file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"{path} is not there.", "missing-file") from None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        text = 'The file is no JSON object of columns: {"contact_name": "…"}.'
        raise InputError([Problem("unreadable-file", text, path.name)])
    return found


def _told(error: ConflictError, names: Sequence[str]) -> ConflictError:
    """Return the conflict with what is there now, in the columns that were to be changed; masked."""
    now = shown_record(cast("Record", error.current))
    there = ", ".join(f"{name}={now[name]}" for name in names if name in now)
    text = f"{error} There now: {there}. Nothing was written; look at it with `registers show`."
    return ConflictError(text, error.wanted, error.current)


@registers.command(short_help="Add or change the records of a CSV or XLSX file.")
def load(
    place: Place,
    kind: Kind,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV (UTF-8) or XLSX: a column for each attribute.")
    ],
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")] = "",
    changes: Annotated[
        bool, typer.Option("--changes", help="Rows whose id is there change these records.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    seen: Annotated[
        str, typer.Option("--seen", metavar="MARK", help="Of a dry run: change what it saw, or nothing.")
    ] = "",
    problems: Annotated[
        Path | None,
        typer.Option("--problems", metavar="FILE.csv", help="With --dry-run: problems as a table."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add the records of a file, all or none; every problem of the file is told at once."""
    if (seen and not changes) or (problems is not None and not dry_run):
        raise UsageError("--seen goes with --changes, --problems with --dry-run.")
    store, desk = open_desk(place, token)
    with store:
        if dry_run:
            tried = desk.try_table(kind, file, reason, changes=changes)
        else:
            made = desk.load_table(kind, file, reason, changes=changes, seen=seen)
    if not dry_run:
        facts = made.to_json() if changes else {"added": made.new}
        text = str(made) if changes else f"{made.new:,} records added"
        print_result(facts, text, as_json=as_json)
        return
    if problems is not None:
        _write_problems(problems, tried)
    told = [asdict(one) for one in tried.problems]
    lines = [f"{tried}; nothing was written", f"--seen {tried.seen}", *map(str, tried.problems)]
    print_result(
        tried.to_json() | {"dry_run": True, "seen": tried.seen, "problems": told},
        "\n".join(lines),
        as_json=as_json,
    )
    if told:
        raise typer.Exit(1)


def _write_problems(file: Path, tried: Loaded) -> None:
    from changtong.storage.record_tables import csv_of

    columns = ("file", "row", "column", "code", "message", "expected", "hint")
    write_beside(file, csv_of(map(asdict, tried.problems), columns).encode())


@registers.command(short_help="An empty table to be filled in and loaded.")
def template(
    kind: Kind,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="FILE.csv or FILE.xlsx.")],
    as_json: AsJson = False,
) -> None:
    """Write the columns that a file for `load` may have; a workbook says what each holds."""
    from changtong.storage.record_tables import template_of

    write_beside(output, template_of(kind, _ending(output)))
    print_result({"file": str(output)}, f"{output}", as_json=as_json)


def _ending(output: Path) -> str:
    if output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    ending = output.suffix.lower().removeprefix(".")
    if ending not in ("csv", "xlsx"):
        raise UsageError(f"{output.name}: the name ends in .csv or .xlsx.")
    return ending


@registers.command(short_help="Keep a file with a record.")
def attach(
    place: Place,
    kind: Kind,
    record: RecordId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JPEG, PNG, WebP, PDF or plain text.")],
    token: TokenFile,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Keep a file with a record; equal contents are kept once."""
    try:
        content = file.read_bytes()
    except OSError:
        raise UsageError(f"{file} cannot be read.", "missing-file") from None
    store, desk = open_desk(place, token, files)
    with store:
        made = desk.attach(kind, record, file.name, content)
    print_result({"attachment": made.id, "sha256": made["sha256"]}, made.id, as_json=as_json)


@registers.command(short_help="The file of an attachment, on record.")
def content(
    place: Place,
    record: RecordId,
    token: TokenFile,
    reason: Why,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where it is written.")],
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Write the file of an attachment, with the right and a reason: it may show persons."""
    if output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    store, desk = open_desk(place, token, files)
    with store:
        found = desk.content(record, reason)
    write_beside(output, found)
    print_result(
        {"file": str(output), "bytes": len(found)}, f"{len(found):,} bytes → {output}", as_json=as_json
    )


@registers.command("hand-over", short_help="Records to another organisation.")
def hand_over(
    place: Place,
    token: TokenFile,
    to: Annotated[str, typer.Option("--to", metavar="ID", help="The organisation that takes them.")],
    reason: Why,
    kind: Annotated[str | None, typer.Argument(metavar="[REGISTER]", help="Of one record.")] = None,
    record: Annotated[str | None, typer.Argument(metavar="[ID]", help="The record.")] = None,
    all_of: Annotated[
        str | None, typer.Option("--all-of", metavar="ID", help="All records of this organisation instead.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be handed over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand a record over with what belongs to it, or all records of an organisation."""
    if (all_of is None) == (kind is None) or (kind is None) != (record is None):
        raise UsageError("Name a register and a record, or --all-of an organisation.")
    store, desk = open_desk(place, token)
    with store:
        if all_of is not None:
            made = desk.hand_over_all(all_of, to, reason, dry_run=dry_run)
        else:
            made = desk.hand_over(str(kind), str(record), to, reason, dry_run=dry_run)
    print_result(made.to_json(), f"{made}{DRY if dry_run else ''}", as_json=as_json)


DRY = " (a dry run: nothing was written)"


@registers.command("hand-over-work", short_help="The open work of one person to another.")
def hand_over_open_work(
    place: Place,
    token: TokenFile,
    giver: Annotated[str, typer.Option("--from", metavar="NAME", help="Whose work it is.")],
    taker: Annotated[str, typer.Option("--to", metavar="NAME", help="Who takes it.")],
    reason: Why,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be handed over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand over open hazards, tasks, rectifications and planned inspections, each by its right."""
    from changtong.supervision_records.work_handed_over import hand_over_work

    store, desk = open_desk(place, token)
    with store:
        made = hand_over_work(desk, giver, taker, reason, dry_run=dry_run)
    print_result(made.to_json(), f"{made}{DRY if dry_run else ''}", as_json=as_json)
