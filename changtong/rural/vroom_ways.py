"""Kilometres and hours between a county's sites: roads where listed, else great circle times a factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.rural.county import County
from changtong.rural.distances import DETOUR_FACTOR, Floats, SiteWays


def ways_between(
    county: County, sites: Sequence[str], detour_factor: float = DETOUR_FACTOR
) -> tuple[Floats, Floats]:
    """Return kilometres, and hours where a road states them (else NaN), from each site to each.

    Parameters
    ----------
    county : County
    sites : sequence of str
        Ids; one may be there several times.
    detour_factor : float
    """
    some = county.sites.filter(pl.col("site_id").is_in(list(sites)))
    ways = SiteWays(some, county.roads, detour=detour_factor)
    rows = [ways.row[site] for site in sites]
    return ways.km[np.ix_(rows, rows)], ways.hours[np.ix_(rows, rows)]


def seconds_of(km: Floats, hours: Floats, speed_km_per_h: float) -> NDArray[np.int64]:
    """Return whole seconds, rounded up: the road's hours where it states them, else at a speed.

    Parameters
    ----------
    km, hours : array
    speed_km_per_h : float
    """
    taken = np.where(np.isnan(hours), km / speed_km_per_h, hours)
    return np.ceil(taken * 3600.0 - 1e-6).astype(np.int64)
