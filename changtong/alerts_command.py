"""The command for alerts: from the scan log, or from leg volumes."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, parse_day
from changtong.console import StageProgress, print_result
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.events.alerts.result import Alerts
    from changtong.events.alerts.thresholds import Thresholds


class LegDays(StrEnum):
    """How given leg-day volumes are used beside scans."""

    fill = "fill"
    scans = "scans"
    given = "given"


def alerts(
    log: Annotated[Path | None, typer.Argument(metavar="[LOG/]", help="A scan log.")] = None,
    volumes: Annotated[
        Path | None,
        typer.Option("--volumes", metavar="FILE", help="Watch date, from_site, to_site, pieces instead."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="The first day that does not count: today, as a rule."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", help="Days to begin with, without a state: 56.")
    ] = None,
    hourly: Annotated[bool, typer.Option("--hourly", help="Watch the sites of a log by hours.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", help="What the last run remembered; written anew. Made where missing."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write the alerts, too.")
    ] = None,
    look_back: Annotated[
        int | None,
        typer.Option("--look-back", metavar="DAYS", help="A piece unseen for so long is lost: 14."),
    ] = None,
    promise_h: Annotated[
        float | None,
        typer.Option(
            "--promise-h", metavar="HOURS", help="A piece that leaves a site later than this is late: 72."
        ),
    ] = None,
    leg_days: Annotated[
        LegDays | None,
        typer.Option(
            "--leg-days", help="Leg-day volumes of a log: fill where no scan is, or one of the two alone."
        ),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            "--thresholds", metavar="FILE", help="CSV of thresholds that differ: rule, name, value."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is stuck, silent or drifting, day by day; go on tomorrow from the state of today."""
    import json

    from changtong.events.alerts.thresholds import read_thresholds

    if (log is None) == (volumes is None):
        raise UsageError("Give a scan log, or --volumes FILE: one of the two.")
    limits = read_thresholds(thresholds)
    last = None if until is None else parse_day(until, "--until")
    if volumes is not None:
        unfit = [
            name
            for name, given in (
                ("--days", days),
                ("--hourly", hourly or None),
                ("--look-back", look_back),
                ("--promise-h", promise_h),
                ("--leg-days", leg_days),
            )  # fmt: skip
            if given is not None
        ]
        if unfit:
            raise UsageError(f"{', '.join(unfit)}: for a scan log, not for --volumes.")
        found = _of_volumes(volumes, state, last, limits)
        if output is not None:
            found.save(output)
    else:
        assert log is not None
        found = _of_log(
            log, output, state, last, days, 1 if hourly else 24, look_back, promise_h, leg_days, limits
        )
    if state is not None:
        found.save_state(state)
    print_result(json.loads(found.to_json()), str(found), as_json=as_json)


def _of_volumes(volumes: Path, state: Path | None, until: date | None, thresholds: Thresholds) -> Alerts:
    from changtong.events.alerts.leg_watch import watch_volumes
    from changtong.events.alerts.state import read_state

    before = read_state(state) if state is not None and state.exists() else None
    return watch_volumes(volumes, before, until, thresholds=thresholds)


def _of_log(
    log: Path,
    output: Path | None,
    state: Path | None,
    until: date | None,
    days: int | None,
    hours: int,
    look_back_days: int | None,
    promise_h: float | None,
    leg_days: LegDays | None,
    thresholds: Thresholds,
) -> Alerts:
    from changtong.events.alerts.log_series import LOOK_BACK_DAYS, PROMISE_H
    from changtong.events.alerts.log_state import read_log_state
    from changtong.events.alerts.log_watch import FIRST_DAYS
    from changtong.events.log import open_log
    from changtong.studies import run_study

    opened = open_log(log)
    if until is None:
        raise UsageError("Give --until DATE: a day that is not whole in the log would look silent.")
    before = read_log_state(state) if state is not None and state.exists() else None
    if look_back_days is None:
        look_back_days = LOOK_BACK_DAYS if before is None else before.look_back_days
    if promise_h is None:
        promise_h = PROMISE_H if before is None else before.promise_h
    use = "fill" if before is None else before.leg_days
    if leg_days is not None:
        use = leg_days.value
    progress = StageProgress("Reading the log")
    try:
        study = run_study(
            "alerts",
            opened,
            folder=output,
            state=before,
            until=until,
            days=FIRST_DAYS if days is None else days,
            hours=hours,
            look_back_days=look_back_days,
            promise_h=promise_h,
            leg_days=use,
            thresholds=thresholds,
        )
    finally:
        progress.close()
    found: Alerts = study.result
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="What is stuck, silent or drifting, by the scan log or leg volumes.")(alerts)
