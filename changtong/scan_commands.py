"""Commands that ask the scan log: indicators of a day, and what shared a place with what."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, parse_day, read_instant
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.events_command import KeyFile, find_key
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.events.log import EventLog


class EngineName(StrEnum):
    """Where the SQL of the scan log runs."""

    duckdb = "duckdb"
    spark = "spark"


LogFolder = Annotated[Path, typer.Argument(metavar="LOG/", help="A scan log.")]
ResultFolder = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write the tables, too.")
]


def indicators(
    log: LogFolder,
    day: Annotated[str, typer.Option("--date", metavar="DATE", help="The day, in the log's zone.")],
    output: ResultFolder = None,
    look_back: Annotated[
        int, typer.Option("--look-back", metavar="DAYS", help="An item unseen for longer counts as lost.")
    ] = 30,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Where the queries run.")
    ] = EngineName.duckdb,
    as_json: AsJson = False,
) -> None:
    """Show the indicators of a day beside the day before and the year before."""
    import json

    from changtong.events.log import open_log
    from changtong.studies import run_study

    opened, at = open_log(log), parse_day(day)
    progress = StageProgress("Indicators")
    try:
        study = run_study(
            "indicators", opened, folder=output, day=at, look_back_days=look_back, engine=engine.value
        )
    finally:
        progress.close()
    found = study.result
    print_result(json.loads(found.to_json()), str(found), as_json=as_json)


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
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Find everything that shared a site, a bag or a vehicle with the source, in order of time."""
    import json

    from changtong.events.log import open_log
    from changtong.events.tracing.trace import Source
    from changtong.studies import run_study

    prepare_kernels(say, "scan log")()
    opened = open_log(log)
    given = {"site": site, "item": item, "receptacle": receptacle, "vehicle": vehicle}
    named = [(kind, value) for kind, value in given.items() if value is not None]
    if len(named) != 1:
        raise UsageError("Give one of --site, --item, --receptacle, --vehicle.")
    kind, value = named[0]
    source = Source(
        kind,
        value if kind == "site" else _key(opened, value, key),
        None if from_ is None else read_instant(from_, opened.zone),
        None if to is None else read_instant(to, opened.zone),
    )
    progress = StageProgress("Opening the log")
    try:
        study = run_study(
            "trace", opened, folder=output, source=source, backward=backward, steps=steps, linger_h=linger_h,
            through=[part.strip() for part in through.split(",") if part.strip()],
        )  # fmt: skip
    finally:
        progress.close()
    found = study.result
    print_result(json.loads(found.to_json()), str(found), as_json=as_json)


def _key(log: EventLog, text: str, key: Path | None) -> int:
    """Return the key of an id: of a pseudonym as it stands, of an id under the log's key."""
    from changtong.events.keys import PLAIN_KEY, from_pseudonym, is_pseudonym, key_of

    if is_pseudonym(text):
        return from_pseudonym(text)
    secret = find_key(log, key) if log.keyed else PLAIN_KEY
    return key_of(secret[:16], text)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="Indicators of a day from the scan log.")(indicators)
    app.command(short_help="What shared a place with a site, item, bag or vehicle.")(trace)
