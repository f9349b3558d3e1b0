"""Commands of the scan log."""

from __future__ import annotations

import secrets
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, parse_day
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.events.log import EventLog
    from changtong.events.mapping import Mapping
    from changtong.events.vault.store import Vault


class ScanFormat(StrEnum):
    """Format of a file of scans."""

    csv = "csv"
    parquet = "parquet"
    epcis = "epcis"
    ips = "ips"
    emsevt = "emsevt"
    leg_days = "leg-days"


class MadeFormat(StrEnum):
    """Format of made-up scans."""

    csv = "csv"
    parquet = "parquet"


Log = Annotated[Path, typer.Option("--log", metavar="LOG/", help="The scan log; made where there is none.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="Key of the pseudonyms; by default in the user's settings."),
]


def ingest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Files of scans, or of leg-day volumes.")
    ],
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
    sites: Annotated[
        Path | None,
        typer.Option(
            "--sites",
            metavar="FILE",
            help="The sites: NET/, CSV or Parquet (site_id, name, kind, region, operator).",
        ),
    ] = None,
    key: KeyFile = None,
    vault: Annotated[
        Path | None,
        typer.Option(
            "--vault",
            metavar="FILE",
            help="Keep the ids here, encrypted; made where there is none (docs/vault.md).",
        ),
    ] = None,
    plain_ids: Annotated[
        bool, typer.Option("--plain-ids", help="A new log without secret pseudonyms: ids can be guessed.")
    ] = False,
    replace_figures: Annotated[
        bool, typer.Option("--replace", help="Of leg-days: another figure replaces the log's.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring files of scans or leg-days into the log; each row once, bad rows into its quarantine."""
    from changtong.events.keys import PLAIN_KEY
    from changtong.events.log import open_log
    from changtong.events.site_register import give_sites, read_sites
    from changtong.studies import run_study

    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UsageError(f"There is no file {', '.join(missing[:5])}.", "missing-file")
    if vault is not None and vault.resolve().is_relative_to(log.resolve()):
        raise UsageError("The vault would lie within the log: keep it elsewhere, as the key.", "vault-in-log")
    if vault is not None and plain_ids:
        raise UsageError("A log without a secret key can have no vault.", "vault-needs-key")
    known = _mapping(files[0], scan_format, mapping, time_zone)
    register_of_sites = None if sites is None else read_sites(sites)
    if replace_figures and scan_format is not ScanFormat.leg_days:
        raise UsageError("--replace belongs to --format leg-days.")
    prepare_kernels(say, "scan log")()
    if scan_format is ScanFormat.leg_days and (log / "log.json").exists():
        opened, secret = open_log(log), None  # there is nothing to hide in it: no key is needed
    else:
        opened, secret = _open(log, days_of, key, plain=plain_ids)
    if register_of_sites is not None:
        give_sites(opened, register_of_sites)
    ids = None if vault is None else _vault(vault, secret or PLAIN_KEY)
    progress = StageProgress("Ingesting")
    try:
        study = run_study(
            "ingest", opened, files=files, mapping=known, key=secret or PLAIN_KEY,
            file_format=scan_format.value, replace=replace_figures, vault=ids,
            progress=lambda name, share, rows: progress(f"{name}, {rows:,} rows", share),
        )  # fmt: skip
    finally:
        progress.close()
        if ids is not None:
            ids.close()
    found = study.result
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


def _vault(path: Path, key: bytes) -> Vault:
    """Open a vault, or make it."""
    from changtong.events.vault.store import create_vault, open_vault

    if path.exists():
        return open_vault(path, key)
    made = create_vault(path, key)
    say(f"A vault for the ids was made: {path}. Only with the key and a right does it give them back.")
    return made


def find_key(log: EventLog, key: Path | None) -> bytes:
    """Return the key of a log: the file named, else the one in the user's settings that fits."""
    from changtong.events.keys import fitting_key, read_key

    if key is not None:
        secret = read_key(key)
        log.check_key(secret)
        return secret
    return fitting_key(log.key_check or "", str(log.path))


def _mapping(file: Path, scan_format: ScanFormat, path: Path | None, time_zone: str | None) -> Mapping:
    from changtong.events.foreign_source import FOREIGN
    from changtong.events.mapping import default_mapping, read_mapping
    from changtong.events.sources import CsvSource, parquet_columns

    if scan_format is ScanFormat.leg_days:
        from changtong.events.leg_days import leg_mapping, read_leg_mapping

        return leg_mapping() if path is None else read_leg_mapping(path)
    if path is not None:
        return read_mapping(path, time_zone)
    if scan_format not in (ScanFormat.csv, ScanFormat.parquet):
        return replace(FOREIGN, time_zone=time_zone)
    bare = default_mapping([], time_zone)
    header = CsvSource(file, bare).header() if scan_format is ScanFormat.csv else parquet_columns(file)
    return default_mapping(header, time_zone, file.name)


def scans(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; without scans so far.")
    ],
    net: Annotated[
        Path | None,
        typer.Argument(metavar="[NET/]", help="A network folder; without it the built-in cities."),
    ] = None,
    events: Annotated[int, typer.Option("--events", metavar="N", help="Rows, about.")] = 1_000_000,
    days: Annotated[int, typer.Option("--days", metavar="N", help="Days on which items are accepted.")] = 7,
    first_day: Annotated[str, typer.Option("--first-day", metavar="DATE", help="The first.")] = "2026-07-20",
    outages: Annotated[
        Path | None,
        typer.Option("--outages", metavar="FILE", help="What is shut or slowed (docs/outages.md)."),
    ] = None,
    damaged: Annotated[
        float,
        typer.Option("--damaged", metavar="SHARE", help="Rows doubled, late, out of order, missing: each."),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same log.")] = 0,
    scan_format: Annotated[MadeFormat, typer.Option("--format", help="What is written.")] = MadeFormat.csv,
    as_json: AsJson = False,
) -> None:
    """Write a scan log of a network, to try things out: made up, and labelled as such."""
    import json

    from changtong.events.generator.generate import generate_scans
    from changtong.events.generator.settings import Damage, ScanSettings
    from changtong.network.io import read_network
    from changtong.network.reference import reference_network
    from changtong.outage_files import read_outages

    network = reference_network(level="city") if net is None else read_network(net)
    shut = () if outages is None else read_outages(outages, network)
    begin = parse_day(first_day, "--first-day")
    damage = Damage(duplicates=damaged, late=damaged, disordered=damaged, gaps=damaged)
    settings = ScanSettings(
        events=events, days=days, first_day=begin, seed=seed, format=scan_format.value, damage=damage
    )
    prepare_kernels(say, "made-up scans")()
    say(f"Writing about {events:,} scans …")
    made = generate_scans(network, output, settings=settings, outages=shut)
    print_result(json.loads(made.to_json()), f"{made}\n  → {output}", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of the scan log."""
    app.command(short_help="A made-up scan log of a network.")(scans)
    app.command(short_help="Scans from files into the scan log.")(ingest)
