"""Series by site and moves by leg from the scan log, as the alerts take them.

What is said of a day or hour rests on the scans up to its end and on those of the look-back before it, so
that a day read alone and a day read among others are the same to the last digit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.events.day_sources import name_scans, sql_text
from changtong.events.engine import MEMORY_GIB, THREADS, Engine, engine_of, open_duckdb
from changtong.events.formats.instants import check_day
from changtong.events.log import EventLog

LOOK_BACK_DAYS = 14
"""Days after which a piece that is not seen again counts as lost, no longer as waiting."""

MOST_LOOK_BACK_DAYS = 90
MOST_DAYS = 200
"""With twice the look-back, the times of sql/scans.sql still fit into 63 bits."""

PROMISE_H = 72.0
"""Hours from acceptance within which a piece should be delivered: the post regulator's 72-hour rate."""

LEAST_PIECES = 100
"""A median or share of fewer pieces in a day or hour says little: left unknown."""

QUARTER_MS = 900_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
PACKED = 32 * 8_388_608
"""A millisecond in the times of sql/scans.sql."""

SERIES_COLUMNS = {
    "site_id": pl.String, "begin_ms": pl.Int64, "scans": pl.Int64, "handled_pieces": pl.Int64,
    "backlog_pieces": pl.Int64, "dwell_median_h": pl.Float64, "late_share": pl.Float64,
}  # fmt: skip
VOLUME_COLUMNS = {"date": pl.Date, "from_site": pl.String, "to_site": pl.String, "pieces": pl.Int64}
HOURLY_COLUMNS = {"begin_ms": pl.Int64, "from_site": pl.String, "to_site": pl.String, "pieces": pl.Int64}


@dataclass(frozen=True)
class LogSeries:
    """What alerts are made from.

    Attributes
    ----------
    series : polars.DataFrame
        site_id, begin_ms, scans, handled_pieces, backlog_pieces, dwell_median_h, late_share
        (:mod:`changtong.events.alerts.series_reading`); no row for days or hours without any scan at all.
    volumes : polars.DataFrame
        date, from_site, to_site, pieces: moves by the day on which they were first seen at the next site.
    hourly : polars.DataFrame
        begin_ms, from_site, to_site, pieces: the same moves by hour; no row where periods are days.
    unlisted_sites : int or None
        Sites with scans that the log's register of sites does not have; None without a register.
    runtime_s : float
    """

    series: pl.DataFrame
    volumes: pl.DataFrame
    hourly: pl.DataFrame
    unlisted_sites: int | None
    runtime_s: float


def series_of(
    log: EventLog,
    first_day: date,
    last_day: date,
    *,
    hours: int = 24,
    look_back_days: int = LOOK_BACK_DAYS,
    promise_h: float = PROMISE_H,
    least_pieces: int = LEAST_PIECES,
    service_class: str = "",
    memory_gib: float = MEMORY_GIB,
    threads: int = THREADS,
    spill_folder: Path | None = None,
) -> LogSeries:
    """Return series by site and moves by leg of some days of a scan log.

    Parameters
    ----------
    log : EventLog
    first_day, last_day : date
        In the zone of the log, both included.
    hours : int
        Length of a period of the series: 24 (local days) or 1. Moves are by day, and by hour as well with 1.
    look_back_days : int
        A piece that is not seen for so long counts as lost; stays count up to this length. Twice as many
        days before the first are read. 1 to 90.
    promise_h : float
        A piece that leaves a site later than this after its acceptance is late.
    least_pieces : int
        Of which a median or share is told.
    service_class : str
        Only pieces whose last scan with a class has this one; empty: all, with bags and vehicles. Periods are
        those in which anything at all was scanned.
    memory_gib, threads : float, int
        Limits of DuckDB.
    spill_folder : Path, optional
        Where DuckDB puts what does not fit.

    Returns
    -------
    LogSeries

    Raises
    ------
    UsageError
        An option that cannot be meant.
    InputError
        A file of the log cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from changtong.events.log import create_log
    >>> log = create_log(Path(tempfile.mkdtemp()) / "LOG")
    >>> series_of(log, date(2022, 5, 1), date(2022, 5, 7)).series.height
    0
    """
    begun = time.perf_counter()
    _check(first_day, last_day, hours, look_back_days, promise_h, least_pieces)
    files = log.files(first_day - timedelta(days=2 * look_back_days + 1), last_day)
    known = log.sites
    if not files:
        nothing = None if known is None else 0
        return LogSeries(
            _none_of(SERIES_COLUMNS), _none_of(VOLUME_COLUMNS), _none_of(HOURLY_COLUMNS), nothing, 0.0
        )
    engine = open_duckdb(files, known, memory_gib=memory_gib, threads=threads, spill_folder=spill_folder)
    try:
        made = series_on(
            engine, first_day, last_day, zone=log.zone, hours=hours, look_back_days=look_back_days,
            promise_h=promise_h, least_pieces=least_pieces, service_class=service_class,
        )  # fmt: skip
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        message = f"A file of the log cannot be read: {error}"
        raise InputError([Problem("unreadable-file", message, str(log.path))]) from error
    except duckdb.OutOfMemoryException as error:
        raise UsageError(f"{memory_gib:g} GiB are not enough for {len(files)} files: {error}") from error
    finally:
        engine.connection.close()
    unlisted = None if known is None else made.unlisted_sites
    return replace(made, unlisted_sites=unlisted, runtime_s=time.perf_counter() - begun)


def series_on(
    source: Any,
    first_day: date,
    last_day: date,
    *,
    zone: str = "Asia/Shanghai",
    hours: int = 24,
    look_back_days: int = LOOK_BACK_DAYS,
    promise_h: float = PROMISE_H,
    least_pieces: int = LEAST_PIECES,
    service_class: str = "",
) -> LogSeries:
    """Return the same from a database that has the log: DuckDB, or Spark for a log in a shared store.

    Parameters
    ----------
    source : duckdb.DuckDBPyConnection, pyspark.sql.SparkSession or Engine
        Offers the views ``events`` and ``sites``, with twice the look-back before the first day.
    first_day, last_day : date
        In the zone of the log, both included.
    zone : str
        Of the log's days.
    hours, look_back_days, promise_h, least_pieces, service_class : int, int, float, int, str
        As in :func:`series_of`.

    Returns
    -------
    LogSeries

    Raises
    ------
    UsageError
        An option that cannot be meant.
    """
    begun = time.perf_counter()
    _check(first_day, last_day, hours, look_back_days, promise_h, least_pieces)
    engine = engine_of(source)
    clock = _clock(first_day, last_day, hours, look_back_days, zone)
    try:
        _prepare(engine, clock, look_back_days, promise_h, least_pieces, service_class)
        series = _series(engine, clock.periods, service_class)
        moves = engine.query(sql_text("series_moves"))
        unlisted = _unlisted(engine)
    finally:
        engine.forget()
    days = pl.DataFrame({"date": pl.date_range(first_day, last_day, eager=True)})
    dates = days.with_row_index("day_no").with_columns(pl.col("day_no").cast(pl.Int64))
    volumes = _moves_by(moves, dates, VOLUME_COLUMNS)
    hourly = _moves_by(moves, clock.periods if hours == 1 else clock.periods.clear(), HOURLY_COLUMNS)
    return LogSeries(series, volumes, hourly, unlisted, time.perf_counter() - begun)


def _check(
    first_day: date, last_day: date, hours: int, look_back_days: int, promise_h: float, least_pieces: int
) -> None:
    check_day(first_day)
    check_day(last_day)
    if least_pieces < 1:
        raise UsageError(f"least_pieces {least_pieces}: must be 1 at least.")
    if last_day < first_day:
        raise UsageError(f"The last day, {last_day}, lies before the first, {first_day}.")
    if (last_day - first_day).days >= MOST_DAYS:
        raise UsageError(f"{first_day} to {last_day} are more than {MOST_DAYS} days: take them in parts.")
    if hours not in (1, 24):
        raise UsageError(f"A period has 1 or 24 hours, not {hours}.", "bad-period")
    if not 1 <= look_back_days <= MOST_LOOK_BACK_DAYS:
        raise UsageError(f"look_back_days {look_back_days}: must lie between 1 and {MOST_LOOK_BACK_DAYS}.")
    if not 0.0 < promise_h <= 48.0 * look_back_days:
        raise UsageError(
            f"A promise of {promise_h:g} h: must lie above 0, and not above twice the look-back "
            f"({48 * look_back_days} h)."
        )


@dataclass(frozen=True)
class _Clock:
    """Periods, and the period and day of each quarter of an hour from ``base_ms`` on; -1 is before the first.

    Quarters, because a day of any zone begins at one, with or without summer time.
    """

    base_ms: int
    begin_ms: int
    end_ms: int
    periods: pl.DataFrame
    slots: pl.DataFrame


def _clock(first_day: date, last_day: date, hours: int, look_back_days: int, zone: str) -> _Clock:
    clock = ZoneInfo(zone)
    days = [first_day + timedelta(days=k) for k in range((last_day - first_day).days + 2)]
    edges = [round(datetime(d.year, d.month, d.day, tzinfo=clock).timestamp() * 1000) for d in days]
    base_ms = edges[0] - 2 * look_back_days * DAY_MS
    begins = edges[:-1]
    if hours == 1:
        begins = list(range(-(-edges[0] // HOUR_MS) * HOUR_MS, edges[-1], HOUR_MS))
    at_ms = np.arange(base_ms, edges[-1], QUARTER_MS, dtype=np.int64)
    slots = {"slot_no": np.arange(len(at_ms), dtype=np.int64)}
    for name, of in (("period_no", begins), ("day_no", edges[:-1])):
        slots[name] = np.searchsorted(np.array(of, np.int64), at_ms, side="right") - 1
    periods = {"period_no": np.arange(len(begins), dtype=np.int64), "begin_ms": np.array(begins, np.int64)}
    return _Clock(base_ms, edges[0], edges[-1], pl.DataFrame(periods), pl.DataFrame(slots))


def _prepare(
    engine: Engine, clock: _Clock, look_back_days: int, promise_h: float, least_pieces: int, of_class: str
) -> None:
    """Name what the queries read, and follow the pieces."""
    lost_ms = look_back_days * DAY_MS
    numbers = {
        "base_ms": clock.base_ms,
        "begin_ms": clock.begin_ms,
        "lost_ms": lost_ms,
        "lost_span": lost_ms * PACKED,
        "least_pieces": least_pieces,
        "promise_ms": round(promise_h * HOUR_MS),
    }
    cast = ", ".join(f"CAST({value} AS BIGINT) AS {name}" for name, value in numbers.items())
    engine.view("asked", f"SELECT {cast}")
    engine.frame("slots", clock.slots)
    engine.frame("periods", clock.periods)
    # literal limits, so that files and row groups of other days are skipped
    engine.view(
        "events_of_all", f"SELECT * FROM events WHERE at_ms >= {clock.base_ms} AND at_ms < {clock.end_ms}"
    )
    engine.table("voided", sql_text("voided"))
    engine.frame("asked_class", pl.DataFrame({"service_class": [of_class]}))
    engine.view("read_events", sql_text("events_of_class") if of_class else "SELECT * FROM events_of_all")
    engine.table("codes", sql_text("codes"))
    name_scans(engine)
    engine.table("steps", sql_text("series_steps"))
    engine.table("leavings", sql_text("series_leavings"))


def _series(engine: Engine, periods: pl.DataFrame, service_class: str) -> pl.DataFrame:
    """Put the measures of each site and period side by side."""
    keys = ["site_no", "period_no"]
    scans = engine.query(sql_text("series_scans"))
    seen = (engine.query(sql_text("series_periods")) if service_class else scans)["period_no"].unique()
    sites = engine.query("SELECT site_no, site_id FROM site_numbers")
    frame = scans
    for name in ("series_handled", "series_backlog"):
        frame = frame.join(engine.query(sql_text(name)), on=keys, how="full", coalesce=True)
    counts = pl.col("scans", "handled_pieces", "backlog_pieces").fill_null(0)
    return (
        frame.with_columns(counts)
        .filter(pl.max_horizontal("scans", "handled_pieces", "backlog_pieces") > 0)
        # what waits is known of a period without a scan as well, but whether anybody worked is not
        .filter(pl.col("period_no").is_in(seen.implode()))
        .join(periods, on="period_no")
        .join(sites.filter(pl.col("site_id") != ""), on="site_no")
        .select(pl.col(name).cast(dtype) for name, dtype in SERIES_COLUMNS.items())
        .sort("begin_ms", "site_id")
    )


def _moves_by(
    moves: pl.DataFrame, times: pl.DataFrame, columns: dict[str, type[pl.DataType]]
) -> pl.DataFrame:
    """Add up moves by what ``times`` has for their day or period, as the columns say."""
    number, name = times.columns
    keys = [name, "from_site", "to_site"]
    return (
        moves.join(times, on=number)
        .group_by(keys)
        .agg(pl.col("pieces").sum())
        .select(pl.col(one).cast(dtype) for one, dtype in columns.items())
        .sort(keys)
    )


def _unlisted(engine: Engine) -> int:
    rows = engine.query("SELECT COUNT(*) AS n FROM site_numbers WHERE is_listed = 0 AND site_id <> ''")
    return int(rows["n"][0])


def _none_of(columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame(schema=columns)
