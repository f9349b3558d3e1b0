"""Single items of a scan log: which wait longest at a site, and the way of one; by pseudonym, never by id."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from changtong.errors import NotFoundError
from changtong.events.alerts.log_series import HOUR_MS, LOOK_BACK_DAYS
from changtong.events.columns import CODE_NUMBER, ScanColumns
from changtong.events.day_sources import sql_text
from changtong.events.keys import pseudonym
from changtong.events.log import EventLog
from changtong.events.tracing.visits import stays_of

LAST_SEEN_DAYS = 90
MOST_ITEMS = 100
DAY_MS = 86_400_000
ENDS = ("deliver", "cancel")
_READ = (
    "at_ms", "code", "site_id", "next_site_id", "item", "receptacle", "vehicle", "service_class", "event_id",
)  # fmt: skip
_TEXTS = ("code", "site_id", "next_site_id", "service_class")


@cache
def _codes() -> pl.DataFrame:
    """Return the codes of scans in their order at one time, and whether an item is away after them."""
    with duckdb.connect() as connection:
        rows = connection.execute(sql_text("codes")).fetchall()
    names = ("code", "code_no", "arriving", "leaving", "away")
    return pl.DataFrame(rows, schema=names, orient="row").select("code", "code_no", "away")


def _scans(log: EventLog, first: date, last: date | None) -> pl.LazyFrame | None:
    """Return the rows of some days that nobody declared wrong; None: there are none."""
    files = log.files(first, last)
    if not files:
        return None
    void = _voided(log)
    rows = pl.scan_parquet(files).select(_READ).with_columns(pl.col(_TEXTS).cast(pl.String))
    if not void.is_empty():
        rows = rows.filter(~pl.col("event_id").is_in(void.implode()).fill_null(False))
    return rows


def _voided(log: EventLog) -> pl.Series:
    """Return the ids of events that a later row declares wrong: it may lie on any day."""
    rows = pl.scan_parquet(log.files()).filter(pl.col("code").cast(pl.String) == "void")
    return rows.select("event_id").collect()["event_id"].drop_nulls().unique()


def waiting_items(
    log: EventLog, site_id: str, day: date, hour: int | None = None, service_class: str = ""
) -> dict[str, Any]:
    """Return the items that wait longest at a site after an hour or day.

    Parameters
    ----------
    log : EventLog
    site_id : str
    day : date
        In the log's zone.
    hour : int, optional
        Hours since the day began; without it the end of the day.
    service_class : str
        Only of this one.

    Returns
    -------
    dict
        ``as_of_ms``; ``pieces``, and by class; ``items``: pseudonym, ``since_ms`` (when it came),
        last scan, next site and class.
    """
    begin = day_begin_ms(log, day)
    end = day_begin_ms(log, day + timedelta(days=1)) if hour is None else begin + (hour + 1) * HOUR_MS
    waiting = _waiting(log, site_id, day, end)
    by_class = waiting.group_by("service_class").len().sort("len", descending=True)
    classes = [{"id": name, "pieces": pieces} for name, pieces in by_class.iter_rows() if name is not None]
    if service_class:
        waiting = waiting.filter(pl.col("service_class") == service_class)
    rows = waiting.sort("since_ms", "item").head(MOST_ITEMS).to_dicts()
    told = [row | {"item": pseudonym(row["item"])} for row in rows]
    return {"site_id": site_id, "as_of_ms": end, "pieces": waiting.height, "classes": classes, "items": told}


def _waiting(log: EventLog, site_id: str, day: date, end_ms: int) -> pl.DataFrame:
    lost_ms = LOOK_BACK_DAYS * DAY_MS
    kept = ("item", "since_ms", "at_ms", "code", "next_site_id", "service_class")
    rows = _scans(log, day - timedelta(days=2 * LOOK_BACK_DAYS + 1), day)
    if rows is None:
        return pl.DataFrame(schema=dict.fromkeys(kept, pl.Int64) | dict.fromkeys(kept[3:], pl.String))
    rows = rows.filter(pl.col("item").is_not_null(), pl.col("item") != 0, pl.col("at_ms") < end_ms)
    recent = pl.col("at_ms") > end_ms - lost_ms
    here = rows.filter(pl.col("site_id") == site_id, recent).select("item").unique()
    ways = (
        rows.join(here, on="item", how="semi")
        .join(_codes().lazy(), on="code")
        .sort("item", "at_ms", "code_no", "site_id")
        .collect()
    )
    before = pl.col("site_id", "away", "at_ms").shift(1).over("item").name.prefix("was_")
    ends = pl.when(pl.col("code").is_in(ENDS)).then("at_ms").forward_fill().shift(1).over("item")
    ways = ways.with_columns(before, ends.alias("last_end_ms")).with_columns(
        (
            pl.col("was_away").is_null()
            | (pl.col("was_away") == 1)
            | pl.col("site_id").ne_missing(pl.col("was_site_id"))
            | (pl.col("at_ms") - pl.col("was_at_ms") > lost_ms)
        ).alias("begins")
    )
    since = pl.when("begins").then("at_ms").forward_fill().over("item").alias("since_ms")
    klass = pl.col("service_class").forward_fill().over("item")
    last = ways.with_columns(since, klass).group_by("item", maintain_order=True).last()
    is_stray = (pl.col("at_ms") - pl.col("last_end_ms") <= lost_ms).fill_null(False)
    there = (pl.col("site_id") == site_id) & (pl.col("away") == 0) & recent & ~is_stray
    return last.filter(there).select(kept)


def day_begin_ms(log: EventLog, day: date) -> int:
    """Return the instant at which a day of a log begins."""
    return round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(log.zone)).timestamp() * 1000)


def track(log: EventLog, item: int) -> dict[str, Any]:
    """Return the way of an item: its scans, and its stays at sites, in receptacles and on vehicles.

    Scans of its receptacles and vehicles alone count for it, by the rules of
    :mod:`changtong.events.tracing.visits`.

    Raises
    ------
    NotFoundError
        The log has none of it in its last 90 days.
    """
    days = log.days
    rows = _scans(log, days[-1] - timedelta(days=LAST_SEEN_DAYS), None) if days else None
    mine = pl.DataFrame(schema={"item": pl.Int64})
    if rows is not None:
        mine = rows.filter(pl.col("item") == item, pl.col("code") != "void").sort("at_ms").collect()
    if mine.is_empty() or rows is None:
        raise NotFoundError(f"The log has no scan of this item in its last {LAST_SEEN_DAYS} days.")
    alone = pl.col("item").is_null() | (pl.col("item") == 0)
    held = pl.lit(False)
    for name in ("receptacle", "vehicle"):
        keys = mine[name].drop_nulls().unique()
        held = held | pl.col(name).is_in(keys.filter(keys != 0).implode()).fill_null(False)
    span = pl.col("at_ms") >= mine["at_ms"][0]
    others = rows.filter(alone & held & span & (pl.col("code") != "void")).collect()
    stays = stays_of(_columns(pl.concat([mine, others])), threads=1).frame()
    stays = stays.filter(pl.col("item") == item).sort("from_ms", "kind", nulls_last=True)
    shown = ("at_ms", "code", "site_id", "next_site_id", "service_class", "receptacle", "vehicle")
    return {
        "item": pseudonym(item),
        "scans": [_hidden(row) for row in mine.select(shown).iter_rows(named=True)],
        "stays": [
            {"kind": row["kind"], "site_id": row["site_id"], "from_ms": row["from_ms"], "to_ms": row["to_ms"]}
            | {"container": None if row["container"] is None else pseudonym(row["container"])}
            for row in stays.iter_rows(named=True)
        ],
    }


def _hidden(row: dict[str, Any]) -> dict[str, Any]:
    """Return a scan with pseudonyms: keys as numbers lose their last digits in a browser."""
    for name in ("receptacle", "vehicle"):
        row[name] = pseudonym(row[name]) if row[name] else None
    return row


def _columns(rows: pl.DataFrame) -> ScanColumns:
    ids = tuple(sorted(rows["site_id"].drop_nulls().unique()))
    site = rows["site_id"].replace_strict(dict(zip(ids, range(len(ids)), strict=True)), default=-1)
    code = rows["code"].replace_strict(CODE_NUMBER, return_dtype=pl.Int8)
    keys = [rows[name].fill_null(0).cast(pl.Int64).to_numpy() for name in ("item", "receptacle", "vehicle")]
    item, receptacle, vehicle = keys
    sites, at_ms = site.cast(pl.Int32).to_numpy(), rows["at_ms"].to_numpy()
    return ScanColumns(at_ms, item, receptacle, vehicle, sites, code.to_numpy(), ids)
