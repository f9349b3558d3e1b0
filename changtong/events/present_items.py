"""What is at the sites and on the road at one instant, by the scan log, and all that says where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.errors import UsageError
from changtong.events.day_sources import name_valid_events, read_days, sql_text
from changtong.events.engine import Engine, engine_of
from changtong.events.item_days import DayLimits
from changtong.events.item_scans import Window

LOOK_BACK_DAYS = 30
"""An item whose last scan is older counts as lost, as in the indicators."""

MOST_LOOK_BACK_DAYS = 365
DAY_MS = 86_400_000
WITH_COURIER = 17

COLUMNS: dict[str, Any] = {
    "on_road": pl.Int64, "site_id": pl.String, "service_class": pl.String, "begins_here": pl.Int64,
    "was_out": pl.Int64, "back_site_id": pl.String, "next_site_id": pl.String, "destination": pl.String,
    "quarters": pl.Int64, "pieces": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class PresentItems:
    """Pieces at one instant.

    Attributes
    ----------
    groups : polars.DataFrame
        ``on_road`` (0: waiting at ``site_id``; 1: departed from it and seen nowhere since), ``site_id``,
        ``service_class``, ``begins_here`` (accepted in this stay), ``was_out`` (for delivery, from here),
        ``back_site_id`` (where it was accepted, on its way back to the sender), ``next_site_id`` and
        ``destination`` as the scans tell them, ``quarters`` of an hour since the departure, ``pieces``.
        Text is empty where nothing is known.
    with_courier : int
        Pieces out for delivery: neither waiting nor on the road.
    has_scans : bool
        Whether there is any scan within the look-back.
    accepted_24h : int
        Pieces accepted in the 24 hours before; those gone again before the day began are not in it.
    """

    groups: pl.DataFrame
    with_courier: int
    has_scans: bool
    accepted_24h: int = 0

    def pieces(self, *, on_road: bool) -> int:
        """Return how many wait, or are on the road."""
        return int(self.groups.filter(pl.col("on_road") == int(on_road))["pieces"].sum())


def day_before(at_ms: int, zone: str) -> date:
    """Return the local day that an instant ends or lies in: midnight ends the day before."""
    return datetime.fromtimestamp((at_ms - 1) / 1000, ZoneInfo(zone)).date()


def present_items(
    source: Any,
    at: datetime,
    *,
    zone: str,
    look_back_days: int = LOOK_BACK_DAYS,
    attribute: str | None = None,
) -> PresentItems:
    """Return what is where at an instant: by the stays of ``sql/stays.sql``, as the indicators count them.

    Parameters
    ----------
    source : duckdb.DuckDBPyConnection, pyspark.sql.SparkSession or Engine
        Offers the views ``events`` and ``sites`` with the days of the look-back.
    at : datetime
        With a zone. Scans at or after it are not known.
    zone : str
        Of the log's days.
    look_back_days : int
        An item whose last scan is older, counted from the day's beginning, is lost. 1 to 365.
    attribute : str, optional
        Attribute of the scans that holds the destination, a site id. DuckDB only.

    Returns
    -------
    PresentItems

    Raises
    ------
    UsageError
        An option that cannot be meant.
    """
    if at.tzinfo is None:
        raise UsageError("at needs a time zone.", "time-without-zone")
    if not 1 <= look_back_days <= MOST_LOOK_BACK_DAYS:
        raise UsageError(f"look_back_days {look_back_days}: must lie between 1 and {MOST_LOOK_BACK_DAYS}.")
    engine = engine_of(source)
    if attribute is not None and engine.name != "duckdb":
        raise UsageError("An attribute that holds the destination is read by DuckDB only.")
    end_ms = round(at.timestamp() * 1000)
    day = day_before(end_ms, zone)
    begin_ms = round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    base_ms = begin_ms - look_back_days * DAY_MS
    try:
        _ask(engine, DayLimits(begin_ms, end_ms, end_ms, True, base_ms, begin_ms), base_ms, look_back_days)
        return _counted(engine, attribute)
    finally:
        engine.forget()


def _ask(engine: Engine, limits: DayLimits, base_ms: int, look_back_days: int) -> None:
    """Name the items and stays that are known at the end of ``limits``."""
    numbers = {
        "base_ms": base_ms,
        **{name: value for name, value in limits._asdict().items() if name != "is_latest"},
        "latest_end_ms": limits.end_ms,
        "day_no": 0,
        "look_back_days": look_back_days,
    }
    cast = ", ".join(f"CAST({value} AS BIGINT) AS {name}" for name, value in numbers.items())
    engine.view("asked", f"SELECT {cast}")
    # literal limits, so that files and row groups of other days are skipped
    engine.view("read_events", f"SELECT * FROM events WHERE at_ms >= {base_ms} AND at_ms < {limits.end_ms}")
    engine.table("voided", sql_text("voided"))
    engine.table("codes", sql_text("codes"))
    read_days(engine, Window(base_ms, limits.end_ms), [limits])(0)
    name_valid_events(engine)


def _counted(engine: Engine, attribute: str | None) -> PresentItems:
    engine.table("present_items", sql_text("present_items"))
    engine.table("next_sites", sql_text("next_sites"))
    engine.table("told_next", sql_text("told_next"))
    if attribute is None:
        engine.frame("told_destination", pl.DataFrame(schema={"item": pl.Int64, "destination": pl.String}))
    else:
        path = '$."' + attribute.replace('"', '\\"') + '"'
        engine.frame("asked_attribute", pl.DataFrame({"path": [path]}))
        engine.table("told_destination", sql_text("told_destination"))
    groups = engine.query(sql_text("present")).select(
        pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()
    )
    courier = engine.query(
        f"SELECT COUNT(*) AS n FROM day_items WHERE ended_ms IS NULL AND last_code_no = {WITH_COURIER}"
    )
    seen = engine.query("SELECT COUNT(*) AS n FROM site_days")
    fresh = engine.query(
        "SELECT COUNT(*) AS n FROM day_items CROSS JOIN asked "
        f"WHERE accepted_ms >= asked.end_ms - {DAY_MS} AND accepted_ms < asked.end_ms"
    )
    return PresentItems(
        groups.sort([name for name in COLUMNS if name != "pieces"]),
        int(courier["n"][0]),
        bool(seen["n"][0]),
        int(fresh["n"][0]),
    )


def first_file_day(at: datetime, zone: str, look_back_days: int) -> date:
    """Return the first day whose files are needed; those after the instant may declare scans wrong."""
    return day_before(round(at.timestamp() * 1000), zone) - timedelta(days=look_back_days + 1)
