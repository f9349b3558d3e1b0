"""Commands that ask the scan log: indicators of a day, and what shared a place with what."""

from __future__ import annotations

from datetime import date, timedelta
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
    from changtong.events.indicator_result import Indicators
    from changtong.events.log import EventLog

BEFORE_DAYS = 10
"""Days before the window that are read for a trace: what lay at the site then may have come that long ago."""


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

    found = indicators_of(open_log(log), parse_day(day), look_back, engine)
    if output is not None:
        found.save(output)
    print_result(json.loads(found.to_json()), str(found), as_json=as_json)


def indicators_of(log: EventLog, day: date, look_back_days: int, engine: EngineName) -> Indicators:
    """Compute the indicators of a day from the files of a log that it needs.

    Parameters
    ----------
    log : EventLog
    day : date
    look_back_days : int
    engine : EngineName
    """
    from changtong.events.engine import open_duckdb, open_spark
    from changtong.events.indicators import indicators as compute

    files = [
        *log.files(day - timedelta(days=look_back_days + 1), day),
        *log.files(day - timedelta(days=366 + look_back_days), day - timedelta(days=365)),
    ]
    progress = StageProgress("Indicators")
    try:
        source = (open_duckdb if engine is EngineName.duckdb else open_spark)(sorted(set(files)), log.sites)
        return compute(source, day, zone=log.zone, look_back_days=look_back_days)
    finally:
        progress.close()


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

    from changtong.events.columns import load_columns
    from changtong.events.log import open_log
    from changtong.events.tracing.contacts import index_contacts
    from changtong.events.tracing.trace import Source
    from changtong.events.tracing.trace import trace as compute

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
    first, last = None, None
    if not backward and from_ is not None:
        first = parse_day(from_[:10]) - timedelta(days=BEFORE_DAYS)
    if backward and to is not None:
        last = parse_day(to[:10])
    progress = StageProgress("Opening the log")
    try:
        index = index_contacts(load_columns(opened.files(first, last)), zone=opened.zone)
    finally:
        progress.close()
    found = compute(
        index, source, backward=backward, steps=steps, linger_h=linger_h,
        through=[part.strip() for part in through.split(",") if part.strip()],
    )  # fmt: skip
    if output is not None:
        found.save(output)
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
