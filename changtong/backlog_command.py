"""The command ``backlog``: what waits in a network at an instant, from the scan log, as a file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from changtong.command_options import AsJson
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.events.log import EventLog
    from changtong.events.starting_backlog import StartingBacklog
    from changtong.network.model import Network

Attribute = Annotated[
    str | None,
    typer.Option(
        "--destination-attribute", metavar="NAME", help="Attribute of the scans that holds the destination."
    ),
]
LookBack = Annotated[
    int, typer.Option("--look-back", metavar="DAYS", help="An item unseen for longer counts as lost.")
]


def backlog(
    log: Annotated[Path, typer.Argument(metavar="LOG/", help="A scan log.")],
    net: Annotated[Path, typer.Argument(metavar="NET/", help="A network folder.")],
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="The instant, in the log's zone or with its offset.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="CSV for simulate --backlog; counts beside it."),
    ],
    attribute: Attribute = None,
    look_back: LookBack = 30,
    as_json: AsJson = False,
) -> None:
    """Write what waits at each site of a network at an instant, and what is on its way, by the scan log."""
    from changtong.events.log import open_log
    from changtong.network.io import read_network

    if output.suffix != ".csv":
        raise UsageError(f"{output.name}: the file must end in .csv.", "unknown-ending")
    prepare_kernels(say, "scan log")()
    opened = open_log(log)
    moment = instant_of(opened, at)
    found = read_backlog_of(opened, read_network(net), moment, attribute, look_back)
    found.save(output)
    print_result(found.summary() | {"file": str(output)}, f"{found}\n  → {output}", as_json=as_json)


def instant_of(log: EventLog, text: str) -> datetime:
    """Return an instant in the zone of a log."""
    from changtong.events.times import moment_ms

    return datetime.fromtimestamp(moment_ms(text, log.zone) / 1000, ZoneInfo(log.zone))


def read_backlog_of(
    log: EventLog, network: Network, at: datetime, attribute: str | None, look_back_days: int
) -> StartingBacklog:
    """Read the backlog of a log, with a line of progress.

    Parameters
    ----------
    log : EventLog
    network : Network
    at : datetime
    attribute : str or None
    look_back_days : int
    """
    from changtong.studies import run_study

    progress = StageProgress("Reading the log")
    try:
        study = run_study(
            "starting-backlog",
            log,
            network=network,
            at=at,
            attribute=attribute,
            look_back_days=look_back_days,
        )
    finally:
        progress.close()
    found: StartingBacklog = study.result
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="What waits at an instant, by the scan log, for a simulation.")(backlog)
