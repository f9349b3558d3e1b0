"""A network from scans: who sends what where, by which legs, how fast, under which sort plan.

Scans know more than leg volumes: where each piece began and ended, how long a leg takes, what
a site tells its neighbours to do. What they cannot tell (positions, costs, what a site could do
beyond its best day) is filled as in :mod:`changtong.network.learn`, and said in ``provenance``.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from changtong.errors import InputError, Problem
from changtong.events.leg_days import leg_days
from changtong.events.log import EventLog
from changtong.network.learn import learn_network
from changtong.network.model import Network, build_network

DAYS = 7
"""Days learned from by default: one week, so every weekday counts."""

HOURS_PER_DAY = 20.0

RARE_SHARE = 0.002
"""A leg with less than this share of what leaves its site is a missed scan, not a leg."""

BEFORE_DAYS = 30
"""Days before the first in which an item that arrives may have begun."""

LIMITS = (
    ("legs", "capacity_pieces_per_day", "assumed", "largest day seen: what a leg could carry is not known"),
    ("legs", "travel_h", "derived", "median of last scan at one site to first scan at the next"),
    ("service_classes", "rank", "assumed", "scans do not say which class goes first: the rarest is taken to"),
    ("sites", "sort_pieces_per_h", "assumed", "largest day handled, over 20 hours a day"),
    ("legs", "cost_cny_per_piece", "assumed", "not known, so left out: plans change few legs instead"),
    (
        "demand",
        "pieces_per_day",
        "derived",
        "pieces delivered in these days, from their first to their last site",
    ),
    ("sort_plan", "next_site", "derived", "where most pieces for a destination went on to"),
)

_STEPS = """
CREATE TEMP TABLE steps AS
SELECT item, site_id, at_ms, next_site, next_ms, service_class, delivered_at, first_site
FROM (
  SELECT item, site_id, at_ms, service_class,
    lead(site_id) OVER w AS next_site, lead(at_ms) OVER w AS next_ms,
    first_value(site_id) OVER w AS first_site,
    max(CASE WHEN code = 'deliver' THEN site_id END) OVER (PARTITION BY item) AS delivered_at
  FROM read_parquet($files)
  WHERE item IS NOT NULL AND site_id IS NOT NULL AND code NOT IN ('void', 'note', 'cancel')
    AND at_ms >= $first_ms AND at_ms < $last_ms
    AND (site_id IN (SELECT site_id FROM known) OR NOT EXISTS (SELECT 1 FROM known))
  WINDOW w AS (PARTITION BY item ORDER BY at_ms, row_key)
)
WHERE next_site IS DISTINCT FROM site_id
"""

_LEGS = """
SELECT site_id AS from_site, next_site AS to_site, count(*) AS pieces,
  quantile_cont((next_ms - at_ms) / 3600000.0, 0.5) AS travel_h
FROM steps WHERE next_site IS NOT NULL AND at_ms >= $begin_ms GROUP BY ALL ORDER BY ALL
"""

_LEG_DAYS = """
SELECT site_id AS from_site, next_site AS to_site, (at_ms + $offset_ms) // 86400000 AS day, count(*) AS pieces
FROM steps WHERE next_site IS NOT NULL AND at_ms >= $begin_ms GROUP BY ALL ORDER BY ALL
"""

_DEMAND = """
SELECT first_site AS from_site, site_id AS to_site, service_class, count(*) AS pieces
FROM steps WHERE next_site IS NULL AND delivered_at = site_id AND at_ms >= $begin_ms GROUP BY ALL ORDER BY ALL
"""

_SORT_PLAN = """
SELECT site_id AS site, delivered_at AS destination, next_site, count(*) AS pieces
FROM steps WHERE next_site IS NOT NULL AND delivered_at IS NOT NULL AND site_id <> delivered_at
  AND at_ms >= $begin_ms GROUP BY ALL ORDER BY ALL
"""


def learn_from_scans(
    log: EventLog, *, until: date | None = None, days: int = DAYS, name: str = "learned"
) -> Network:
    """Learn a network from the scans of some days.

    Parameters
    ----------
    log : EventLog
    until : date, optional
        Days before this one count; by default all the log has.
    days : int
        How many.
    name : str
        Of the network.

    Returns
    -------
    Network
        With legs, hours, volumes, demand by class, the sort plan in force, and provenance. Where the
        log has a register of its sites, only those count: others are misread.

    Raises
    ------
    InputError
        ``empty-table``: no piece was delivered in these days.
    """
    last = (until or (max(log.days) + timedelta(days=1) if log.days else date(1970, 1, 2))) - timedelta(
        days=1
    )
    first = last - timedelta(days=days - 1)
    zone = ZoneInfo(log.zone)

    def instant(day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)

    files = [str(file) for file in log.files(first - timedelta(days=BEFORE_DAYS), last)]
    if not files:
        raise InputError(
            [Problem("empty-table", f"The log has no scan from {first} to {last}.", str(log.path))]
        )
    begin = instant(first)
    offset = round(datetime(last.year, last.month, last.day, tzinfo=zone).utcoffset().total_seconds() * 1000)  # type: ignore[union-attr]
    with duckdb.connect() as found:
        register = pl.DataFrame(schema={"site_id": pl.String}) if log.sites is None else log.sites
        found.from_arrow(register.select("site_id").to_arrow()).create("known")
        span = {
            "first_ms": instant(first - timedelta(days=BEFORE_DAYS)),
            "last_ms": instant(last + timedelta(days=1)),
        }
        found.execute(_STEPS, {"files": files, **span})
        from_day = {"begin_ms": begin}
        legs = _frame(found, _LEGS, from_day)
        leg_days = _frame(found, _LEG_DAYS, {**from_day, "offset_ms": offset})
        demand = _frame(found, _DEMAND, from_day)
        routes = _frame(found, _SORT_PLAN, from_day)
    if not demand.height:
        raise InputError(
            [Problem("empty-table", f"No piece was delivered from {first} to {last}.", str(log.path))]
        )
    tables = _tables(legs, leg_days, demand, routes, days)
    tables["sites"] = _described(tables["sites"], log.sites)
    source = f"scans of {first} to {last}"
    tables["provenance"] = pl.DataFrame(
        [(table, column, kind, source, note) for table, column, kind, note in LIMITS],
        schema=["table", "column", "kind", "source", "note"],
        orient="row",
    )
    return build_network(tables, name=name)


def learn_from_leg_days(
    log: EventLog, *, until: date | None = None, capacity: float | str = "max", name: str = "learned"
) -> Network:
    """Learn a network from the leg-day volumes that a log was given, as from a file of them.

    Scans of the log are left out: figures of two kinds would make flows that neither of them saw.

    Parameters
    ----------
    log : EventLog
    until : date, optional
        Days before this one count.
    capacity, name : str or float, str
        As in :func:`changtong.network.learn.learn_network`.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        ``empty-table``: the log has no such volumes.
    """
    frame = leg_days(log)
    if not frame.height:
        raise InputError([Problem("empty-table", "The log has no leg-day volumes.", str(log.path))])
    return learn_network(frame, until=until, capacity=capacity, name=name)


def _frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, int]) -> pl.DataFrame:
    found = pl.from_arrow(connection.sql(sql, params=parameters).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _tables(
    legs: pl.DataFrame, leg_days: pl.DataFrame, demand: pl.DataFrame, routes: pl.DataFrame, days: int
) -> dict[str, pl.DataFrame]:
    usual = legs.filter(pl.col("pieces") >= RARE_SHARE * pl.col("pieces").sum().over("from_site"))
    most = leg_days.group_by("from_site", "to_site").agg(pl.col("pieces").max().alias("most"))
    kept = usual.join(most, on=["from_site", "to_site"]).select(
        "from_site",
        "to_site",
        pl.col("travel_h").round(3),
        pl.col("most").cast(pl.Float64).alias("capacity_pieces_per_day"),
        (pl.col("pieces") / days).alias("flow_pieces_per_day"),
    )
    plan = (
        routes.join(
            kept.select("from_site", "to_site"),
            left_on=["site", "next_site"],
            right_on=["from_site", "to_site"],
        )
        .sort(["site", "destination", "pieces", "next_site"], descending=[False, False, True, False])
        .unique(["site", "destination"], keep="first", maintain_order=True)
        .select("site", "destination", "next_site")
    )
    wanted = demand.filter(pl.col("from_site") != pl.col("to_site")).select(
        "from_site",
        "to_site",
        pl.col("service_class").fill_null("standard"),
        (pl.col("pieces") / days).alias("pieces_per_day"),
    )
    classes = (
        wanted.group_by("service_class")
        .agg(pl.col("pieces_per_day").sum().alias("share"))
        .sort("service_class")
    )
    handled = pl.concat(
        [
            leg_days.group_by(pl.col("to_site").alias("site_id"), "day").agg(pl.col("pieces").sum()),
            leg_days.group_by(pl.col("from_site").alias("site_id"), "day").agg(pl.col("pieces").sum()),
        ]
    )
    sites = (
        handled.group_by("site_id")
        .agg((pl.col("pieces").max() / HOURS_PER_DAY).alias("sort_pieces_per_h"))
        .with_columns(pl.lit(HOURS_PER_DAY).alias("sort_hours_per_day"))
    )
    ids = pl.concat([wanted["from_site"], wanted["to_site"], kept["from_site"], kept["to_site"]]).unique()
    sites = pl.DataFrame({"site_id": ids}).join(sites, on="site_id", how="left").sort("site_id")
    total = float(classes["share"].sum())
    ranks = (
        classes.sort("share")
        .with_row_index("rank", 1)
        .select("service_class", pl.col("rank").cast(pl.Int64), (pl.col("share") / total).alias("share"))
    )
    return {"sites": sites, "legs": kept, "demand": wanted, "service_classes": ranks, "sort_plan": plan}


def _described(sites: pl.DataFrame, given: pl.DataFrame | None) -> pl.DataFrame:
    """Add what the log knows of its sites."""
    if given is None:
        return sites.with_columns(pl.lit("sorting").alias("kind"))
    known = [name for name in ("name", "kind", "region") if name in given.columns]
    return sites.join(given.select("site_id", *known), on="site_id", how="left")
