"""What the scan log counts over a period: indicators of each day by site, added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import polars as pl

from changtong.assessment.value_sources import value_sources
from changtong.events.engine import open_duckdb
from changtong.events.indicators import LOOK_BACK_DAYS, indicators
from changtong.events.log import EventLog, log_digest
from changtong.scorecards.counted import Counted

Watch = Callable[[str, float], None]


def count_scans(
    log: EventLog, names: Iterable[str], begin: date, end: date, watch: Watch | None = None
) -> dict[str, Counted]:
    """Return what sources of the scan log count, by site: sums over the days of a period that have scans.

    A share of the period is the items of all its days over the items of all its days, never a mean of
    shares. Each day is counted as docs/indicators.md says, as of its end.

    Parameters
    ----------
    log : EventLog
    names : iterable of str
        Sources, ``scan-log:…``.
    begin, end : date
        Days of the log's zone, both included.
    watch : callable, optional
        Told how far it is.
    """
    wanted = {value_sources()[name].name: name for name in names}
    days = [day for day in log.days if begin <= day <= end]
    frames = []
    for number, day in enumerate(days):
        if watch is not None:
            watch(f"scan log {day}", number / len(days))
        # files after the day may declare scans of it wrong
        source = open_duckdb(log.files(day - timedelta(days=LOOK_BACK_DAYS + 1)), log.sites)
        found = indicators(source, day, zone=log.zone, day_before=False, year_before=False).values
        here = (pl.col("dimension") == "site") & pl.col("hour").is_null()
        kept = found.filter(here & pl.col("indicator").is_in(list(wanted)))
        frames.append(kept.select("indicator", "member", "value", "pieces"))
    span = (end - begin).days + 1
    note = "" if len(days) == span else f"{len(days)} of {span} days have scans"
    both = pl.concat(frames) if frames else None
    digest = log_digest(log)
    return {
        source: Counted(_items(both, name, source), "site", False, log.path.name, digest, note)
        for name, source in wanted.items()
    }


def _items(found: pl.DataFrame | None, name: str, source: str) -> pl.DataFrame:
    """Return one item a site: what its days add up to."""
    ratio = value_sources()[source].counts == "ratio"
    if found is None:
        found = pl.DataFrame(
            schema={"indicator": pl.String, "member": pl.String, "value": pl.Float64, "pieces": pl.Int64}
        )
    # a share times its items is the whole number it was made of
    part = (pl.col("value") * pl.col("pieces") if ratio else pl.col("value")).round().cast(pl.Int64)
    whole = pl.col("pieces") if ratio else pl.lit(None, pl.Int64)
    return (
        found.filter(
            (pl.col("indicator") == name) & pl.col("member").is_not_null() & (pl.col("member") != "")
        )
        .with_columns(part=part, whole=whole)
        .group_by("member")
        .agg(pl.col("part").sum(), pl.col("whole").sum() if ratio else pl.col("whole").first())
        .sort("member")
        .select(
            key="member",
            item_id="member",
            what=pl.lit(None, pl.String),
            numerator="part",
            denominator="whole",
        )
    )
