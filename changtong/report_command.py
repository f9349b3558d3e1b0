"""The command of the daily report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage, parse_day
from changtong.console import StageProgress, print_result
from changtong.scan_commands import (
    EngineName,
    EngineOf,
    LogFolder,
    LookBack,
    Promises,
    PromisesOf,
    promises_of,
)


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
    look_back: LookBack = 30,
    engine: EngineOf = EngineName.duckdb,
    promises: Promises = None,
    network: PromisesOf = None,
    as_json: AsJson = False,
) -> None:
    """Write the daily report (运行和安全信息日报) of a scan log."""
    import json

    from changtong.events.alerts.result import read_alerts
    from changtong.events.log import open_log
    from changtong.report.daily_report import check_report_file
    from changtong.studies import run_study

    check_report_file(output)
    opened, at = open_log(log), parse_day(day)
    known = None if alerts is None else read_alerts(alerts)
    progress = StageProgress("Indicators")
    try:
        study = run_study(
            "daily-report", opened, language=language.value, file=output, alerts=known, day=at,
            look_back_days=look_back, engine=engine.value, promises=promises_of(promises, network),
        )  # fmt: skip
    finally:
        progress.close()
    found = study.result
    print_result(
        json.loads(found.to_json()) | {"report": str(output)}, f"{found}\n  → {output}", as_json=as_json
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="The daily report of a scan log: HTML, PDF or DOCX.")(report)
