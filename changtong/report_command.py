"""The command of the daily report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage, parse_day
from changtong.console import print_result
from changtong.scan_commands import EngineName, LogFolder, Promises, PromisesOf, indicators_of, promises_of


def report(
    log: LogFolder,
    day: Annotated[str, typer.Option("--date", metavar="DATE", help="The day, in the log's zone.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .html, .pdf or .docx.")
    ],
    language: PageLanguage = Language.zh,
    alerts: Annotated[
        Path | None,
        typer.Option("--alerts", metavar="ALERTS/", help="Saved alerts: open ones are listed."),
    ] = None,
    look_back: Annotated[
        int, typer.Option("--look-back", metavar="DAYS", help="An item unseen for longer counts as lost.")
    ] = 30,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Where the queries run.")
    ] = EngineName.duckdb,
    promises: Promises = None,
    network: PromisesOf = None,
    as_json: AsJson = False,
) -> None:
    """Write the daily report (运行和安全信息日报) of a scan log."""
    import json

    from changtong.events.alerts.result import read_alerts
    from changtong.events.log import open_log
    from changtong.report.daily_report import check_report_file, write_daily_report

    check_report_file(output)
    opened, at = open_log(log), parse_day(day)
    known = None if alerts is None else read_alerts(alerts)
    found = indicators_of(opened, at, look_back, engine, promises_of(promises, network))
    where = write_daily_report(
        found, output, language=language.value, alerts=known, sites=opened.sites, batches=opened.batches
    )
    print_result(
        json.loads(found.to_json()) | {"report": str(where)}, f"{found}\n  → {where}", as_json=as_json
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="The daily report of a scan log: HTML, PDF or DOCX.")(report)
