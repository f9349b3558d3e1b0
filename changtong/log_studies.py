"""The analyses of a scan log behind the doorway: what ``run_study`` runs on a log instead of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.events.alerts.log_state import LogAlerts
from changtong.events.alerts.log_watch import watch_log
from changtong.events.alerts.result import Alerts
from changtong.events.engine import open_duckdb, open_spark
from changtong.events.formats.instants import check_day
from changtong.events.indicator_result import Indicators
from changtong.events.indicators import LOOK_BACK_DAYS, indicators
from changtong.events.ingest import Ingest, ingest
from changtong.events.log import EventLog
from changtong.events.mapping import Mapping
from changtong.events.starting_backlog import StartingBacklog, starting_backlog
from changtong.events.trace_log import trace
from changtong.events.tracing.trace_result import Trace
from changtong.events.vault.resolve import with_ids
from changtong.events.vault.rights import Right
from changtong.events.vault.store import Vault
from changtong.network.model import Network
from changtong.report.daily_report import check_report_file, write_daily_report
from changtong.wording import Language

BACKLOG_FILE = "backlog.csv"


def _indicators(
    log: EventLog,
    folder: Path | None,
    language: Language,
    *,
    day: date,
    look_back_days: int = LOOK_BACK_DAYS,
    engine: str = "duckdb",
    **options: Any,
) -> tuple[Indicators, Path | None]:
    """Compute the indicators of a day from the files of the log that it needs."""
    if engine not in ("duckdb", "spark"):
        raise UsageError(f"There is no engine {engine!r}: duckdb or spark.", "no-engine")
    check_day(day)
    # files after the day may declare scans of it wrong
    files = [
        *log.files(day - timedelta(days=look_back_days + 1)),
        *log.files(day - timedelta(days=366 + look_back_days), day - timedelta(days=365 - look_back_days)),
    ]
    source = (open_duckdb if engine == "duckdb" else open_spark)(sorted(set(files)), log.sites)
    found = indicators(source, day, zone=log.zone, look_back_days=look_back_days, **options)
    return found, None if folder is None else found.save(folder)


def _daily_report(
    log: EventLog,
    folder: Path | None,
    language: Language,
    *,
    file: Path,
    alerts: Alerts | None = None,
    made_at: datetime | None = None,
    **options: Any,
) -> tuple[Indicators, Path | None]:
    """Write the report of a day to ``file``; with a folder, its indicators there."""
    check_report_file(file)
    found, saved = _indicators(log, folder, language, **options)
    write_daily_report(
        found, file, language=language, alerts=alerts, sites=log.sites, batches=log.batches, made_at=made_at
    )
    return found, saved


def _trace(
    log: EventLog,
    folder: Path | None,
    language: Language,
    *,
    vault: Vault | None = None,
    right: Right | None = None,
    reason: str = "",
    **options: Any,
) -> tuple[Trace, Path | None]:
    """Trace what met a source; with a vault, a right and a reason the tables have ids."""
    found = trace(log, **options)
    if vault is not None:
        found = with_ids(found, vault, right, reason)
    return found, None if folder is None else found.save(folder)


def _alerts(
    log: EventLog, folder: Path | None, language: Language, **options: Any
) -> tuple[LogAlerts, Path | None]:
    """Watch the log; options are those of :func:`changtong.events.alerts.log_watch.watch_log`."""
    found = watch_log(log, options.pop("state", None), **options)
    return found, None if folder is None else found.save(folder)


def _ingest(
    log: EventLog,
    folder: Path | None,
    language: Language,
    *,
    files: Iterable[Path],
    mapping: Mapping,
    **options: Any,
) -> tuple[Ingest, None]:
    """Bring files into the log; what they brought stands in the log itself."""
    return ingest(files, log, mapping, **options), None


def _starting_backlog(
    log: EventLog,
    folder: Path | None,
    language: Language,
    *,
    network: Network,
    at: datetime,
    **options: Any,
) -> tuple[StartingBacklog, Path | None]:
    """Find what waits in a network at an instant."""
    found = starting_backlog(log, network, at, **options)
    if folder is not None:
        found.save(folder / BACKLOG_FILE)
    return found, folder


LOG_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "indicators": _indicators,
    "daily-report": _daily_report,
    "trace": _trace,
    "alerts": _alerts,
    "ingest": _ingest,
    "starting-backlog": _starting_backlog,
}
"""Analyses of a log by name; each takes the log, a folder to save in, and a language."""
