"""Commands of the registers about records: listed, loaded, their files, and handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson
from changtong.console import print_result
from changtong.errors import UsageError
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
    as_json: AsJson = False,
) -> None:
    """List a page of a register: what one may see, newest first, personal data masked."""
    from changtong.storage.pages import Query
    from changtong.storage.records import check_kind

    where = {} if state is None else {"status" if kind == "site" else "state": state}
    store, desk = open_desk(place, token)
    with store:
        page = desk.page(check_kind(kind), Query(where=where, limit=limit, after=after))
    rows = [shown_record(record) for record in page.records]
    lines = ["  ".join(str(value) for value in row.values() if value is not None) for row in rows]
    if page.next:
        lines.append(f"more: --after {page.next}")
    print_result({"records": rows, "next": page.next}, "\n".join(lines) or "nothing", as_json=as_json)


@registers.command(short_help="Add the records of a CSV file.")
def load(
    place: Place,
    kind: Kind,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A column for each attribute; UTF-8.")],
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add the records of a file, all or none; every problem of the file is told at once."""
    store, desk = open_desk(place, token)
    with store:
        count = desk.load(kind, file, reason)
    print_result({"added": count}, f"{count:,} records added", as_json=as_json)


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
    as_json: AsJson = False,
) -> None:
    """Hand a record over with what belongs to it, or all records of an organisation."""
    if (all_of is None) == (kind is None) or (kind is None) != (record is None):
        raise UsageError("Name a register and a record, or --all-of an organisation.")
    store, desk = open_desk(place, token)
    with store:
        if all_of is not None:
            made = desk.hand_over_all(all_of, to, reason)
        else:
            made = desk.hand_over(str(kind), str(record), to, reason)
    print_result(made.to_json(), str(made), as_json=as_json)
