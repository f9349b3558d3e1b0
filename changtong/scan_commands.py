"""Commands that ask the scan log: indicators of a day, and what shared a place with what."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, parse_day
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.events_command import KeyFile, find_key
from changtong.kernels import prepare_kernels
from changtong.vault_command import Reason, RightFile, VaultFile, open_vault_of, right_of

if TYPE_CHECKING:
    import polars as pl


class EngineName(StrEnum):
    """Where the SQL of the scan log runs."""

    duckdb = "duckdb"
    spark = "spark"


LogFolder = Annotated[Path, typer.Argument(metavar="LOG/", help="A scan log.")]
Promises = Annotated[
    Path | None,
    typer.Option("--promises", metavar="FILE.csv", help="Hours of each class: service_class, promise_h."),
]
PromisesOf = Annotated[
    Path | None,
    typer.Option("--network", metavar="NET/", help="Take the promises of this network's classes."),
]
LookBack = Annotated[
    int, typer.Option("--look-back", metavar="DAYS", help="An item unseen for longer counts as lost.")
]
EngineOf = Annotated[EngineName, typer.Option("--engine", help="Where the queries run.")]
ResultFolder = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write the tables, too.")
]


def indicators(
    log: LogFolder,
    day: Annotated[str, typer.Option("--date", metavar="DATE", help="The day, in the log's zone.")],
    output: ResultFolder = None,
    look_back: LookBack = 30,
    engine: EngineOf = EngineName.duckdb,
    promises: Promises = None,
    network: PromisesOf = None,
    as_json: AsJson = False,
) -> None:
    """Show the indicators of a day beside the day before and the year before."""
    import json

    from changtong.events.log import open_log
    from changtong.studies import run_study

    at, opened = parse_day(day, "--date"), open_log(log)
    progress = StageProgress("Indicators")
    try:
        study = run_study(
            "indicators",
            opened,
            folder=output,
            day=at,
            look_back_days=look_back,
            engine=engine.value,
            promises=promises_of(promises, network),
        )
    finally:
        progress.close()
    found = study.result
    print_result(json.loads(found.to_json()), str(found), as_json=as_json)
    if not found.has_scans:
        raise typer.Exit(1)


def trace(
    log: LogFolder,
    site: Annotated[str | None, typer.Option("--site", help="Begin with what was at this site.")] = None,
    item: Annotated[
        str | None, typer.Option("--item", help="Begin with this item: its id or pseudonym.")
    ] = None,
    receptacle: Annotated[
        str | None, typer.Option("--receptacle", help="Begin with this bag or cage.")
    ] = None,
    vehicle: Annotated[str | None, typer.Option("--vehicle", help="Begin with this vehicle.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Begin of the window, in the log's zone.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the window.")] = None,
    backward: Annotated[
        bool, typer.Option("--backward", help="What may have reached the source, instead of what it reached.")
    ] = False,
    steps: Annotated[int, typer.Option("--steps", help="Most meetings on the way.")] = 2,
    through: Annotated[
        str, typer.Option("--through", help="Where things meet: site, receptacle, vehicle, with commas.")
    ] = "site,receptacle,vehicle",
    linger_h: Annotated[
        float, typer.Option("--linger-h", help="Hours a place stays exposed after an exposed item left.")
    ] = 0.0,
    output: ResultFolder = None,
    vault: VaultFile = None,
    right: RightFile = None,
    reason: Reason = "",
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Find everything that shared a site, a bag or a vehicle with the source, in order of time."""
    import json

    from changtong.events.log import open_log
    from changtong.studies import run_study

    opened = open_log(log)
    if vault is None and (right is not None or reason):
        raise UsageError("--right and --reason belong to --vault.")
    if vault is not None and output is None:
        raise UsageError("--vault puts ids into the tables of -o FOLDER/: name one.")
    ids = None
    if vault is not None:
        from changtong.events.vault.resolve import check_terms

        check_terms(right_of(right), reason)
        ids = open_vault_of(opened, vault, key)  # what is wrong with it is told before the work, not after
    prepare_kernels(say, "scan log")()
    progress = StageProgress("Tracing")
    try:
        study = run_study(
            "trace", opened, folder=output, site=site, item=item, receptacle=receptacle, vehicle=vehicle,
            start=from_, end=to, backward=backward, steps=steps, linger_h=linger_h,
            key=lambda: find_key(opened, key), vault=ids, right=right_of(right), reason=reason,
            through=[part.strip() for part in through.split(",") if part.strip()],
        )  # fmt: skip
    finally:
        progress.close()
        if ids is not None:
            ids.close()
    found = study.result
    print_result(json.loads(found.to_json()), str(found), as_json=as_json)


def promises_of(file: Path | None, network: Path | None) -> pl.DataFrame | None:
    """Read the promises of a file or of a network folder; None where neither is given.

    Raises
    ------
    UsageError
        Both are given.
    InputError
        Every problem of what is read.
    """
    from changtong.events.promises import read_promises

    if file is not None and network is not None:
        raise UsageError("Give --promises or --network: one of the two.")
    if file is not None and file.is_dir():
        raise UsageError("--promises is a CSV file; --network takes a network folder.")
    if network is not None and not network.is_dir():
        raise UsageError("--network is a network folder; --promises takes a CSV file.")
    given = file or network
    return None if given is None else read_promises(given)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="Indicators of a day from the scan log.")(indicators)
    app.command(short_help="What shared a place with a site, item, bag or vehicle.")(trace)
