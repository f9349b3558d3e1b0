"""The command that writes the scan log in a format of others."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, parse_day
from changtong.console import StageProgress, print_result
from changtong.errors import UsageError
from changtong.events_command import KeyFile, find_key

if TYPE_CHECKING:
    from changtong.events.log import EventLog


class ExportFormat(StrEnum):
    """Format of what is written."""

    epcis = "epcis"


def export(
    log: Annotated[Path, typer.Argument(metavar="LOG/", help="A scan log.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json", help="Where to write.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day, in the log's zone.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, included.")] = None,
    item: Annotated[
        list[str] | None, typer.Option("--item", help="Only this item: id or pseudonym; may be repeated.")
    ] = None,
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="EPCIS 2.0 as JSON-LD.")
    ] = ExportFormat.epcis,
    most_events: Annotated[
        int, typer.Option("--most-events", metavar="N", help="Events of one document; more make several.")
    ] = 200_000,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write days of the scan log as EPCIS 2.0 documents; ids are pseudonyms, as in the log."""
    from changtong.events.export import export_epcis
    from changtong.events.log import open_log

    opened = open_log(log)
    if output.resolve().is_relative_to(opened.path.resolve()):
        raise UsageError("The document would lie within the log: name another place.")
    first = None if from_ is None else parse_day(from_, "--from")
    last = None if to is None else parse_day(to, "--to")
    items = None if not item else [_key(opened, one, key) for one in item]
    progress = StageProgress("Exporting")
    try:
        made = export_epcis(
            opened, output, first_day=first, last_day=last, items=items, most_events=most_events,
            progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    print_result(made.to_json(), str(made), as_json=as_json)


def _key(log: EventLog, text: str, key: Path | None) -> int:
    from changtong.events.trace_log import key_in_log

    return key_in_log(log, text, lambda: find_key(log, key))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Days of the scan log as EPCIS 2.0.")(export)
