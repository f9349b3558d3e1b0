"""Pieces that begin or end at threatened sites, by day and service class; each counted once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.stranded import pieces_by_class

Floats = NDArray[np.float64]
MOST_DAYS = 14
"""Days from the instant on that are looked at: a warning may last until it is lifted."""

SCHEMA = {"date": pl.Date, "service_class": pl.String, "pieces": pl.Float64, "sites": pl.Int64}


def pieces_at_risk(
    network: Network, sites: pl.DataFrame, at: datetime, zone: str = "Asia/Shanghai"
) -> pl.DataFrame:
    """Return pieces at risk by local day and service class.

    Pieces of a pair count in the share of the day in which its beginning or its end (whichever is longer)
    is threatened; one threatened by several warnings counts once. Pieces that only pass are not counted
    here, since their ways are the plan's: see ``flow_pieces`` of the legs.

    Parameters
    ----------
    network : Network
    sites : polars.DataFrame
        As of an exposure: site_id, begins, ends.
    at : datetime
        What is before it is over.
    zone : str

    Returns
    -------
    polars.DataFrame
        date, service_class, pieces, sites (threatened on that day); the classes by rank.
    """
    site, begins, ends = _merged(network, sites, at)
    if not len(site):
        return pl.DataFrame(schema=SCHEMA)
    tail, head = (network.demand[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    ever = np.zeros(network.sites.height, bool)
    ever[site] = True
    rows = np.flatnonzero(ever[tail] | ever[head])
    tail, head = tail[rows], head[rows]
    pieces = network.demand["pieces_per_day"].gather(rows).cast(pl.Float64).to_numpy()
    classes, share = pieces_by_class(network, rows)
    made = []
    for day, start, end in _days(at, float(ends.max()), ZoneInfo(zone)):
        overlap = np.clip(np.minimum(ends, end) - np.maximum(begins, start), 0.0, None)
        part = np.bincount(site, overlap, network.sites.height) / (end - start)
        hit = pieces * np.maximum(part[tail], part[head])
        total = share(hit)
        count = int((part > 0.0).sum())
        made += [(day, name, float(total[k]), count) for k, name in enumerate(classes)]
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


def _merged(network: Network, sites: pl.DataFrame, at: datetime) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return when each site is threatened, as seconds since 1970, without overlap."""
    rows = sites.select(
        pl.col("site_id").cast(network.site_type).to_physical().cast(pl.Int64).alias("site"),
        *(pl.col(name).dt.timestamp("us").cast(pl.Float64) / 1e6 for name in ("begins", "ends")),
    ).sort("site", "begins")
    now = at.timestamp()
    found: list[list[float]] = []
    for site, begins, ends in rows.iter_rows():
        begins = max(begins, now)
        if ends <= begins:
            continue
        if found and found[-1][0] == site and begins <= found[-1][2]:
            found[-1][2] = max(found[-1][2], ends)
        else:
            found.append([site, begins, ends])
    table = np.array(found).reshape(-1, 3)
    return table[:, 0].astype(np.int64), table[:, 1], table[:, 2]


def _days(at: datetime, until: float, zone: ZoneInfo) -> Iterator[tuple[date, float, float]]:
    """Yield local days with their first and last second."""
    day = at.astimezone(zone).date()
    for _ in range(MOST_DAYS):
        start = datetime.combine(day, clock(), zone).astimezone(UTC).timestamp()
        after = day + timedelta(days=1)
        end = datetime.combine(after, clock(), zone).astimezone(UTC).timestamp()
        if start >= until:
            return
        yield day, start, end
        day = after
