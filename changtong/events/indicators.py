"""Indicators of a day from the scan log: volumes, backlog, times, closed sites, the three rules.

One SQL text for each indicator lies in ``sql/``; what each means, its unit and its source stand in its first
lines and in docs/indicators.md. The day is compared with the day before and the same date a year before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from changtong.errors import UsageError
from changtong.events.day_sources import read_days, sql_text
from changtong.events.engine import Engine, engine_of
from changtong.events.formats.instants import check_day
from changtong.events.indicator_result import CLOSED_COLUMNS, FLOW_COLUMNS, VALUE_COLUMNS, Indicators
from changtong.events.item_days import DayLimits
from changtong.events.item_scans import Window

LOOK_BACK_DAYS = 30
"""Days before the day asked for in which an item's last scan must lie for it to count as in the network."""

MOST_LOOK_BACK_DAYS = 365
DUE_MS = 259_200_000
"""The 72 hours of ``sql/on_time.sql``."""

VALUES = (
    "accepted", "delivered", "in_transit", "in_transit_age", "backlog", "backlog_age", "dwell", "stage_times",
    "on_time", "closed_share", "three_rules", "data_age", "confidence",
)  # fmt: skip
"""Files of ``sql/`` that return rows of values."""

BY_MINUTE = ("in_transit_age", "backlog_age", "dwell", "stage_times")
"""Those of which ``sql/quantiles.sql`` tells the quantiles."""

COUNTS = (
    "accepted_pieces", "delivered_pieces", "in_transit_pieces", "on_road_pieces", "with_courier_pieces",
    "backlog_pieces", "backlog_over_24h_pieces", "backlog_over_72h_pieces",
)  # fmt: skip
"""Indicators that are 0, not unknown, where the log has scans but none of these."""

_DAY = timedelta(days=1)
_QUALITY = ("data_age_h", "confidence")


@dataclass(frozen=True)
class _Day:
    """A day, or its part until ``end_ms``; ``number`` is 0 for the latest of a window."""

    begin_ms: int
    end_ms: int
    number: int


def indicators(
    source: Any,
    day: date | str,
    *,
    zone: str = "Asia/Shanghai",
    as_of: datetime | None = None,
    look_back_days: int = LOOK_BACK_DAYS,
    promises: pl.DataFrame | None = None,
    day_before: bool = True,
    year_before: bool = True,
) -> Indicators:
    """Return all indicators of a day, beside those of the day before and of a year before.

    Parameters
    ----------
    source : duckdb.DuckDBPyConnection, pyspark.sql.SparkSession or Engine
        Offers the views ``events`` and ``sites``; ``open_duckdb`` and ``open_spark`` make one.
    day : date or str
        In the zone of the log.
    zone : str
        Name of the time zone of days and hours.
    as_of : datetime, optional
        With a zone: what is scanned later is left out, of the days compared with as well. Default: the
        end of the day, or now where the day is not over.
    look_back_days : int
        An item whose last scan is older counts as lost, not as in transit. 1 to 365.
    promises : polars.DataFrame, optional
        ``service_class`` and ``promise_h``; rows without hours promise nothing.
    day_before, year_before : bool
        Whether to look for the day before and the same date of the year before.

    Returns
    -------
    Indicators

    Raises
    ------
    UsageError
        An option that cannot be meant.
    InputError
        The views lack a column.

    Examples
    --------
    >>> from changtong.events.engine import open_duckdb
    >>> found = indicators(open_duckdb([]), "2022-05-06")
    >>> found.notes[0]
    'The log has no scan on 2022-05-06.'
    """
    begun = time.perf_counter()
    engine = engine_of(source)
    day = _date(day)
    check_day(day)
    clock = clock_of(zone)
    if not 1 <= look_back_days <= MOST_LOOK_BACK_DAYS:
        raise UsageError(f"look_back_days {look_back_days}: must lie between 1 and {MOST_LOOK_BACK_DAYS}.")
    promised = _promises(promises, look_back_days)
    begin_ms, end_ms = day_limits(day, clock)
    cut_ms = min(end_ms, _as_of_ms(as_of, end_ms))
    if cut_ms <= begin_ms:
        if as_of is None:
            raise UsageError(f"{day} has not begun yet: it has no indicators.")
        raise UsageError(f"as_of lies before {day} begins.")
    latest = _Day(begin_ms, cut_ms, 0)
    earlier = _earlier(day - _DAY, clock, latest, 1)
    due_ms = max([DUE_MS, *promised["promise_ms"]])
    notes: list[str] = []
    try:
        engine.frame("promises", promised)
        found = _window(engine, (latest, earlier) if day_before else (latest,), look_back_days, due_ms)
        old = None
        old_date = _a_year_before(day)
        if year_before:
            old_day = _earlier(old_date, clock, latest, 0)
            if _has_scans(engine, old_day):
                old = _window(engine, (old_day,), look_back_days, due_ms)[0]
    finally:
        engine.forget()
    if cut_ms < end_ms:
        notes.append("The day is not over: the days compared with are cut at the same time of day.")
    here, before = found[0], found[1] if day_before else None
    if not here.has_scans:
        notes.insert(0, f"The log has no scan on {day}.")
    if before is not None and not before.has_scans:
        notes.append(f"The log has no scan on the day before, {day - _DAY}: nothing to compare with.")
    if year_before and old is None:
        notes.append(f"The log has no scan a year before, on {old_date}: nothing to compare with.")
    notes += _gaps(here, look_back_days, promised)
    return Indicators(
        day=day,
        zone=zone,
        as_of=datetime.fromtimestamp(cut_ms / 1000, clock),
        has_scans=here.has_scans,
        look_back_days=look_back_days,
        engine=engine.name,
        values=_beside(here, before, old, VALUE_COLUMNS).pipe(_with_quality),
        flows=_beside(here, before, old, FLOW_COLUMNS),
        closed_sites=here.closed_sites,
        notes=tuple(notes),
        runtime_s=time.perf_counter() - begun,
    )


@dataclass(frozen=True)
class _Found:
    """What the queries return for one day."""

    values: pl.DataFrame
    flows: pl.DataFrame
    closed_sites: pl.DataFrame
    has_scans: bool
    first_ms: int | None
    has_regions: bool


def _window(engine: Engine, days: tuple[_Day, ...], look_back_days: int, due_ms: int) -> list[_Found]:
    """Read the scans that days next to each other need, once, and run all queries for each of them."""
    look_back_ms = look_back_days * 86_400_000
    base_ms = days[-1].begin_ms - look_back_ms
    latest = days[0]
    limits = [
        DayLimits(day.begin_ms, day.end_ms, days[-1].end_ms, day.number == 0,
                  day.begin_ms - look_back_ms, day.begin_ms - due_ms)
        for day in days
    ]  # fmt: skip

    def ask(k: int) -> None:
        numbers = {
            "base_ms": base_ms,
            **{name: value for name, value in limits[k]._asdict().items() if name != "is_latest"},
            "latest_end_ms": latest.end_ms,
            "day_no": days[k].number,
            "look_back_days": look_back_days,
        }
        cast = ", ".join(f"CAST({value} AS BIGINT) AS {name}" for name, value in numbers.items())
        engine.view("asked", f"SELECT {cast}")

    ask(0)
    # literal limits, so that both engines skip files and row groups of other days
    engine.view("read_events", f"SELECT * FROM events WHERE at_ms >= {base_ms} AND at_ms < {latest.end_ms}")
    engine.table("voided", sql_text("voided"))
    engine.table("codes", sql_text("codes"))
    window = Window(base_ms, latest.end_ms)
    tables = read_days(engine, window, limits)
    found = []
    for k in range(len(days)):
        ask(k)
        tables(k)
        engine.table("site_states", sql_text("site_states"))
        found.append(_run(engine))
    return found


def _run(engine: Engine) -> _Found:
    """Run all queries for the day asked for."""
    told = engine.query(
        "SELECT CAST(SUM(CASE WHEN days_back = asked.day_no THEN 1 ELSE 0 END) AS BIGINT) AS here, "
        "CAST(MAX(days_back) - MIN(asked.day_no) AS BIGINT) AS days FROM site_days CROSS JOIN asked"
    ).row(0, named=True)
    regions = engine.query("SELECT COUNT(*) AS n FROM site_numbers WHERE region <> ''")["n"][0]
    values = pl.concat([_values(engine, name).select(_typed(VALUE_COLUMNS)) for name in VALUES])
    if told["here"]:
        values = _with_zeros(values)
    return _Found(
        values=values,
        flows=engine.query(sql_text("flows")).select(_typed(FLOW_COLUMNS)),
        closed_sites=engine.query(sql_text("closed_sites"))
        .select(_typed(CLOSED_COLUMNS))
        .sort("usual_scans", "site_id", descending=[True, False]),
        has_scans=bool(told["here"]),
        first_ms=told["days"],
        has_regions=bool(regions),
    )


def _values(engine: Engine, name: str) -> pl.DataFrame:
    """Run one indicator's query; of hours it counts by minute, tell the quantiles."""
    if name not in BY_MINUTE:
        return engine.query(sql_text(name))
    engine.view("counted", sql_text(name))
    return engine.query(sql_text("quantiles"))


def _typed(columns: dict[str, Any]) -> list[pl.Expr]:
    """Return the columns with their types, whatever an engine makes of them."""
    return [pl.col(name).cast(dtype) for name, dtype in columns.items()]


def _with_zeros(values: pl.DataFrame) -> pl.DataFrame:
    """Add the total of every count that has no row: nothing of the kind is there, which is known."""
    there = values.filter((pl.col("dimension") == "all") & pl.col("hour").is_null())["indicator"]
    rows = [(name, "all", "", None, 0.0, 0) for name in COUNTS if name not in set(there)]
    return pl.concat([values, pl.DataFrame(rows, schema=VALUE_COLUMNS, orient="row")]) if rows else values


def _beside(here: _Found, before: _Found | None, old: _Found | None, columns: dict[str, Any]) -> pl.DataFrame:
    """Put the values of the other days beside those of the day.

    A count without a row is 0 on a day that has scans; a share or time without a row is not known.
    """
    keys = [name for name in columns if name not in ("value", "pieces")]
    is_flow = columns is FLOW_COLUMNS
    frame = here.flows if is_flow else here.values
    for name, other in (("day_before", before), ("year_before", old)):
        if other is None or not other.has_scans:
            frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name))
            continue
        rows = (other.flows if is_flow else other.values).select(*keys, pl.col("value").alias(name))
        frame = frame.join(rows, on=keys, how="full", coalesce=True, nulls_equal=True)
        counted = pl.lit(True) if is_flow else pl.col("indicator").is_in(COUNTS)
        frame = frame.with_columns(pl.when(counted).then(pl.col(name).fill_null(0.0)).otherwise(pl.col(name)))
    if here.has_scans:
        # rows that only another day has: a count is 0 here
        counted = pl.lit(True) if is_flow else pl.col("indicator").is_in(COUNTS)
        frame = frame.with_columns(
            pl.when(counted).then(pl.col(name).fill_null(0)).otherwise(pl.col(name)).alias(name)
            for name in ("value", "pieces")
            if name in columns
        )
    return frame.sort(keys)


def _with_quality(values: pl.DataFrame) -> pl.DataFrame:
    """Put the age of the data and the confidence beside every value: of its member, else of all."""
    frame = values
    for name in _QUALITY:
        rows = values.filter(pl.col("indicator") == name)
        own = rows.select("dimension", "member", pl.col("value").alias(name))
        total = rows.filter(pl.col("dimension") == "all")["value"]
        default = total[0] if len(total) else None
        frame = frame.join(own, on=["dimension", "member"], how="left").with_columns(
            pl.col(name).fill_null(pl.lit(default, pl.Float64))
        )
    return frame.sort("indicator", "dimension", "member", "hour")


def _gaps(here: _Found, look_back_days: int, promises: pl.DataFrame) -> list[str]:
    """Say what the log or the call does not hold."""
    notes = []
    if here.first_ms is not None and here.first_ms < look_back_days:
        notes.append(
            f"The log reaches back {here.first_ms} of the {look_back_days} days that are looked at: what is "
            "in transit from before is missing, and usual sites rest on fewer days."
        )
    if not here.has_regions:
        notes.append("The sites have no regions: no stage times, and one row of flows.")
    if promises.height == 0:
        notes.append("No class has a promise: no share by promise.")
    elif here.has_scans and not (here.values["indicator"] == "on_time_promise_share").any():
        notes.append("No item of a class with a promise was due in the day: no share by promise.")
    return notes


def _has_scans(engine: Engine, day: _Day) -> bool:
    """Tell whether the log has anything in a day."""
    rows = engine.query(
        "SELECT COUNT(*) AS n FROM events "
        f"WHERE at_ms >= {day.begin_ms} AND at_ms < {day.end_ms} AND code <> 'void'"
    )
    return bool(rows["n"][0])


def _promises(promises: pl.DataFrame | None, look_back_days: int) -> pl.DataFrame:
    """Return the promised milliseconds of each class that promises something."""
    schema = {"service_class": pl.String, "promise_ms": pl.Int64}
    if promises is None:
        return pl.DataFrame(schema=schema)
    missing = [name for name in ("service_class", "promise_h") if name not in promises.columns]
    if missing:
        raise UsageError(f"The promises have no {' and no '.join(missing)}.")
    rows = promises.filter(pl.col("promise_h").is_not_null())
    if rows["service_class"].n_unique() != rows.height:
        raise UsageError("A class promises twice.")
    longest = max(rows["promise_h"].cast(pl.Float64), default=0.0)
    if longest > look_back_days * 24:
        raise UsageError(f"A promise of {longest:g} h is longer than look_back_days ({look_back_days}).")
    return rows.select(
        pl.col("service_class").cast(pl.String),
        (pl.col("promise_h").cast(pl.Float64) * 3_600_000).round().cast(pl.Int64).alias("promise_ms"),
    )


def day_limits(day: date, clock: ZoneInfo) -> tuple[int, int]:
    """Return the first millisecond of a day and the one after its last.

    Parameters
    ----------
    day : date
    clock : ZoneInfo
    """
    first, last = (datetime(d.year, d.month, d.day, tzinfo=clock) for d in (day, day + _DAY))
    return round(first.timestamp() * 1000), round(last.timestamp() * 1000)


def _earlier(day: date, clock: ZoneInfo, latest: _Day, number: int) -> _Day:
    """Return an earlier day, cut at the same time after its begin as the latest one, where that is cut."""
    begin_ms, end_ms = day_limits(day, clock)
    cut_ms = begin_ms + latest.end_ms - latest.begin_ms
    return _Day(begin_ms, min(end_ms, cut_ms), number)


def _as_of_ms(as_of: datetime | None, end_ms: int) -> int:
    if as_of is None:
        return min(end_ms, time.time_ns() // 1_000_000)
    if as_of.tzinfo is None:
        raise UsageError("as_of needs a time zone.")
    return round(as_of.timestamp() * 1000)


def _a_year_before(day: date) -> date:
    """Return the same date a year before; 28 February for 29 February."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def _date(day: date | str) -> date:
    if isinstance(day, datetime):
        return day.date()
    if isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise UsageError(f"{day!r} is no date like 2022-05-06.") from error


def clock_of(zone: str) -> ZoneInfo:
    """Return the clock of a zone.

    Parameters
    ----------
    zone : str

    Raises
    ------
    UsageError
        There is no such zone.
    """
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(f"{zone!r} is no time zone like Asia/Shanghai.") from error
