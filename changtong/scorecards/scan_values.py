"""What the scan log counts over a period: indicators of each day by site, added up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from changtong.assessment.value_sources import value_sources
from changtong.events.log import EventLog, log_digest
from changtong.events.period_counts import Watch, count_period
from changtong.scorecards.counted import Counted


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
    found = count_period(log, days, list(wanted), watch=watch)
    span = (end - begin).days + 1
    note = "" if len(days) == span else f"{len(days)} of {span} days have scans"
    digest = log_digest(log)
    return {
        source: Counted(_items(found, name), "site", False, log.path.name, digest, note)
        for name, source in wanted.items()
    }


def _items(found: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return one item a site."""
    return found.filter(pl.col("indicator") == name).select(
        key="site_id",
        item_id="site_id",
        what=pl.lit(None, pl.String),
        numerator="numerator",
        denominator="denominator",
    )
