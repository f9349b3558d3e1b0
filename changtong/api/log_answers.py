"""What a day of a scan log shows: the map by site and leg, indicators, backlog; where an item was last."""

from __future__ import annotations

import base64
import gzip
import json
import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from changtong.api.log_items import LAST_SEEN_DAYS, day_begin_ms, track, waiting_items
from changtong.errors import NotFoundError
from changtong.events.alerts.log_series import HOUR_MS, series_of
from changtong.events.formats.instants import check_day
from changtong.events.indicator_result import Indicators
from changtong.events.keys import pseudonym
from changtong.events.log import EventLog, open_log
from changtong.studies import run_study

LEAST_PIECES = 20
"""Of which a late share of an hour is told."""

LISTED_SITES = 5_000


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Answer a question about a log.

    Parameters
    ----------
    question : dict
        ``folder``, ``ask`` (map, day, item, track, waiting), and ``day`` (ISO) or ``item`` (its key); of
        map also ``service_class``, of waiting ``site_id`` and ``hour`` as well.

    Returns
    -------
    dict
        Of map and day: parts by name, each JSON packed by gzip, in base64.
    """
    log = open_log(Path(question["folder"]))
    if question["ask"] == "item":
        return last_state(log, int(question["item"]))
    if question["ask"] == "track":
        return track(log, int(question["item"]))
    day = date.fromisoformat(question["day"])
    check_day(day)
    if question["ask"] == "waiting":
        return waiting_items(log, question["site_id"], day, question["hour"], question["service_class"])
    is_map = question["ask"] == "map"
    parts = map_of_day(log, day, question["service_class"]) if is_map else day_parts(log, day)
    return {"batches": len(log.batches), "parts": {name: _packed(part) for name, part in parts.items()}}


def _packed(part: dict[str, Any]) -> str:
    text = json.dumps(part, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 5, mtime=0)).decode()


def map_of_day(log: EventLog, day: date, service_class: str = "") -> dict[str, dict[str, Any]]:
    """Return what the map shows, by hour of a day from ``00`` on; ``day``: as a whole; ``hours``: all.

    Columns are arrays. Legs name their sites by place in ``sites.id``; their pieces are those of the hour or
    of the day, as far as the log knows it. In ``hours`` legs are those of the day, and ``leg_hours`` has for
    each hour the places of its legs among them, and their pieces.
    """
    made = series_of(log, day, day, hours=1, least_pieces=LEAST_PIECES, service_class=service_class)
    moves = made.volumes
    names = pl.concat([made.series["site_id"], moves["from_site"], moves["to_site"]]).unique().sort()
    place = {name: k for k, name in enumerate(names)}
    legs = _legs(moves, place)
    leg_of = {ends: k for k, ends in enumerate(zip(legs["from"], legs["to"], strict=True))}
    leg_hours = []
    hours = made.series["begin_ms"].unique().sort().to_list()
    first = day_begin_ms(log, day)
    told = {}
    for begin_ms in hours:
        rows = made.series.filter(pl.col("begin_ms") == begin_ms)
        here = _legs(made.hourly.filter(pl.col("begin_ms") == begin_ms), place)
        told[f"{(begin_ms - first) // HOUR_MS:02d}"] = _map_part(log, day, begin_ms, names, rows, here)
        of_day = [leg_of[ends] for ends in zip(here["from"], here["to"], strict=True)]
        leg_hours.append({"leg": of_day, "pieces": here["pieces"]})
    last = made.series.filter(pl.col("begin_ms") == hours[-1]) if hours else made.series
    sums = made.series.group_by("site_id").agg(pl.col("scans", "handled_pieces").sum())
    late = made.series.filter(pl.col("late_share").is_not_null()).group_by("site_id")
    shares = late.agg(
        (pl.col("late_share") * pl.col("handled_pieces")).sum().truediv(pl.col("handled_pieces").sum())
    )
    whole = sums.join(last.select("site_id", "backlog_pieces"), on="site_id", how="left")
    whole = whole.join(shares, on="site_id", how="left").with_columns(pl.lit(None).alias("dwell_median_h"))
    told["hours"] = _hours_part([told[name] for name in sorted(told)], log, day, names, legs)
    told["hours"] |= {"leg_hours": leg_hours, "service_class": service_class, "classes": classes_of(log, day)}
    told["day"] = _map_part(log, day, first, names, whole, legs)
    return told


def _legs(moves: pl.DataFrame, place: dict[str, int]) -> dict[str, list[Any]]:
    """Return moves as columns, sites by their places."""
    return {
        "from": [place[name] for name in moves["from_site"]],
        "to": [place[name] for name in moves["to_site"]],
        "pieces": moves["pieces"].to_list(),
    }


def classes_of(log: EventLog, day: date) -> list[str]:
    """Return the classes of service that the scans of a day name."""
    if not (files := log.files(day, day)):
        return []
    rows = pl.scan_parquet(files).select(pl.col("service_class").cast(pl.String).unique()).collect()
    return sorted(rows["service_class"].drop_nulls())


def _hours_part(
    parts: list[dict[str, Any]], log: EventLog, day: date, names: pl.Series, legs: dict[str, list[Any]]
) -> dict[str, Any]:
    """Return all hours in one: who moves a slider asks once a day, not once an hour."""
    measures = ("events", "handled", "backlog", "late_share")
    return {
        "day": day.isoformat(),
        "zone": log.zone,
        "first_ms": day_begin_ms(log, day),
        "begin_ms": [part["begin_ms"] for part in parts],
        "sites": {"id": names.to_list()}
        | {name: [part["sites"][name] for part in parts] for name in measures},
        "legs": legs,
    }


def _map_part(
    log: EventLog, day: date, begin_ms: int, names: pl.Series, rows: pl.DataFrame, legs: dict[str, list[Any]]
) -> dict[str, Any]:
    at = pl.DataFrame({"site_id": names}).join(rows, on="site_id", how="left", maintain_order="left")
    return {
        "day": day.isoformat(),
        "zone": log.zone,
        "begin_ms": begin_ms,
        "sites": {
            "id": names.to_list(),
            "events": at["scans"].fill_null(0).to_list(),
            "handled": at["handled_pieces"].fill_null(0).to_list(),
            "backlog": at["backlog_pieces"].fill_null(0).to_list(),
            "late_share": [_rounded(one) for one in at["late_share"].to_list()],
            "dwell_h": [_rounded(one) for one in at["dwell_median_h"].to_list()],
        },
        "legs": legs,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def day_parts(log: EventLog, day: date) -> dict[str, dict[str, Any]]:
    """Return the indicators of a day, and its backlog by site."""
    found: Indicators = run_study("indicators", log, day=day).result
    backlog = found.by("site", "backlog_pieces").select("member", "value").rename({"member": "site_id"})
    for hours in (24, 72):
        older = found.by("site", f"backlog_over_{hours}h_pieces").select("member", "value")
        named = older.rename({"member": "site_id", "value": f"over_{hours}h"})
        backlog = backlog.join(named, on="site_id", how="left")
    backlog = backlog.sort("value", "site_id", descending=[True, False]).head(LISTED_SITES)
    columns = {name: backlog[name].to_list() for name in ("site_id", "over_24h", "over_72h")}
    table = {"day": day.isoformat(), "as_of": found.as_of.isoformat(), "sites": columns}
    columns["pieces"] = backlog["value"].to_list()
    return {"indicators": json.loads(found.to_json()), "backlog": table}


def last_state(log: EventLog, item: int) -> dict[str, Any]:
    """Return an item's last scan that nobody declared wrong.

    Raises
    ------
    NotFoundError
        The log has none of it in its last 90 days.
    """
    days = log.days
    files = log.files(days[-1] - timedelta(days=LAST_SEEN_DAYS)) if days else []
    kept = ("at_ms", "recorded_ms", "code", "site_id", "next_site_id", "service_class", "event_id")
    found = pl.DataFrame()
    if files:
        scans = pl.scan_parquet(files).filter(pl.col("item") == item).select(kept)
        rows = scans.with_columns(pl.col("code", "site_id", "next_site_id").cast(pl.String)).collect()
        voided = rows.filter(pl.col("code") == "void")["event_id"].drop_nulls()
        found = rows.filter(
            (pl.col("code") != "void") & ~pl.col("event_id").is_in(voided.implode()).fill_null(False)
        )
    if found.is_empty():
        raise NotFoundError(f"The log has no scan of this item in its last {LAST_SEEN_DAYS} days.")
    row = found.sort("at_ms").row(-1, named=True)
    told = {name: row[name] for name in kept if name != "event_id"}
    return {"item": pseudonym(item), "scans": found.height} | told
