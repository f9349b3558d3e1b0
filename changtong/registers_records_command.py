"""Commands of the registers about records: listed and loaded."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.command_options import AsJson
from changtong.console import print_result
from changtong.registers_options import Place, TokenFile, open_desk, registers


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@registers.command("list", short_help="A page of a register.")
def list_records(
    place: Place,
    kind: Annotated[str, typer.Argument(metavar="REGISTER", help="site, inspection, hazard, task …")],
    token: TokenFile,
    state: Annotated[str | None, typer.Option("--state", help="Only records in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=500, help="Rows.")] = 50,
    after: Annotated[
        str, typer.Option("--after", metavar="MARK", help="Go on where the page before ended.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List a page of a register: what one may see, newest first, without personal data."""
    from changtong.storage.pages import Query
    from changtong.storage.records import check_kind

    where = {} if state is None else {"status" if kind == "site" else "state": state}
    store, desk = open_desk(place, token)
    with store:
        page = desk.page(check_kind(kind), Query(where=where, limit=limit, after=after))
    rows = [
        {"id": record.id, "organisation": record.organisation, "admin_code": record.admin_code,
         "version": record.version}
        | {name: _plain(value) for name, value in record.values.items()}
        for record in page.records
    ]  # fmt: skip
    lines = ["  ".join(str(value) for value in row.values() if value is not None) for row in rows]
    if page.next:
        lines.append(f"more: --after {page.next}")
    print_result({"records": rows, "next": page.next}, "\n".join(lines) or "nothing", as_json=as_json)


@registers.command(short_help="Add the records of a CSV file.")
def load(
    place: Place,
    kind: Annotated[str, typer.Argument(metavar="REGISTER", help="site, inspection, hazard, task …")],
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
