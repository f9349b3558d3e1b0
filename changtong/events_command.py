"""Commands of the scan log."""

from __future__ import annotations

import secrets
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.events.log import EventLog
    from changtong.events.mapping import Mapping


class ScanFormat(StrEnum):
    """Format of a file of scans."""

    csv = "csv"
    parquet = "parquet"
    epcis = "epcis"
    ips = "ips"
    emsevt = "emsevt"


Log = Annotated[Path, typer.Option("--log", metavar="LOG/", help="The scan log; made where there is none.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="Key of the pseudonyms; by default in the user's settings."),
]


def ingest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of scans.")],
    log: Log,
    scan_format: Annotated[ScanFormat, typer.Option("--format", help="What the files are.")] = ScanFormat.csv,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="TOML: what the columns mean (docs/scan-log.md)."),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="Zone of times without one.")
    ] = None,
    days_of: Annotated[
        str, typer.Option("--days-of", metavar="ZONE", help="Zone of the days of a new log.")
    ] = "Asia/Shanghai",
    key: KeyFile = None,
    plain_ids: Annotated[
        bool, typer.Option("--plain-ids", help="A new log without secret pseudonyms: ids can be guessed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring files of scans into the log; each row once, bad rows into its quarantine."""
    from changtong.events.ingest import ingest as bring
    from changtong.events.keys import PLAIN_KEY

    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UsageError(f"There is no file {', '.join(missing[:5])}.", "missing-file")
    known = _mapping(files[0], scan_format, mapping, time_zone)
    opened, secret = _open(log, days_of, key, plain=plain_ids)
    progress = StageProgress("Ingesting")
    try:
        found = bring(
            files, opened, known, key=secret or PLAIN_KEY, file_format=scan_format.value,
            progress=lambda name, share, rows: progress(f"{name}, {rows:,} rows", share),
        )  # fmt: skip
    finally:
        progress.close()
    print_result(found.to_json() | {"log": str(log)}, f"{found}\n  → {log}", as_json=as_json)
    if found.batches and not found.total("rows_added") and found.total("quarantined"):
        raise typer.Exit(1)


def _open(path: Path, zone: str, key: Path | None, *, plain: bool) -> tuple[EventLog, bytes | None]:
    """Open a log, or make it; return it with its key."""
    from changtong.events.keys import key_folder, new_key, read_key
    from changtong.events.log import create_log, open_log

    if (path / "log.json").exists():
        log = open_log(path)
        if not log.keyed:
            return log, None
        return log, find_key(log, key)
    if plain:
        return create_log(path, zone), None
    if key is not None and key.exists():
        return create_log(path, zone, key=read_key(key)), read_key(key)
    place = key or key_folder() / f"{path.resolve().name}-{secrets.token_hex(4)}.key"
    secret = new_key(place)
    say(
        f"A key for the pseudonyms of {path} was made: {place}. "
        "Without it no id can be looked up: keep a copy."
    )
    return create_log(path, zone, key=secret), secret


def find_key(log: EventLog, key: Path | None) -> bytes:
    """Return the key of a log: the file named, else the one in the user's settings that fits."""
    from changtong.events.keys import check_of, key_folder, read_key

    if key is not None:
        secret = read_key(key)
        log.check_key(secret)
        return secret
    for file in sorted(key_folder().glob("*.key")):
        secret = read_key(file)
        if check_of(secret) == log.key_check:
            return secret
    raise UsageError(
        f"The key of {log.path} is not among those in {key_folder()}: give it with --key.", "no-key"
    )


def _mapping(file: Path, scan_format: ScanFormat, path: Path | None, time_zone: str | None) -> Mapping:
    from changtong.events.foreign_source import FOREIGN
    from changtong.events.mapping import default_mapping, read_mapping
    from changtong.events.sources import CsvSource, parquet_columns

    if path is not None:
        return read_mapping(path, time_zone)
    if scan_format not in (ScanFormat.csv, ScanFormat.parquet):
        return replace(FOREIGN, time_zone=time_zone)
    bare = default_mapping([], time_zone)
    header = CsvSource(file, bare).header() if scan_format is ScanFormat.csv else parquet_columns(file)
    return default_mapping(header, time_zone)


def register(app: typer.Typer) -> None:
    """Add the commands of the scan log."""
    app.command(short_help="Scans from files into the scan log.")(ingest)
