"""Kilometres and hours between a county's sites: roads where listed, else great circle times a factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.rural.county import County
from changtong.units import EARTH_RADIUS_KM

Floats = NDArray[np.float64]
DETOUR_FACTOR = 1.3
"""Road kilometres per kilometre of great circle where no road is listed: assumed."""


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
    where = {site: (lon, lat) for site, lon, lat in county.sites.select("site_id", "lon", "lat").iter_rows()}
    lon, lat = (np.radians(np.array([where[site][k] for site in sites], np.float64)) for k in (0, 1))
    half = np.sin((lat[:, None] - lat) / 2) ** 2
    half += np.cos(lat)[:, None] * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    km = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))) * detour_factor
    hours = np.full(km.shape, np.nan)
    rows: dict[str, list[int]] = {}
    for k, site in enumerate(sites):
        rows.setdefault(site, []).append(k)
    listed = county.roads.filter(pl.col("from_site").is_in(list(rows)) & pl.col("to_site").is_in(list(rows)))
    columns = ("from_site", "to_site", "distance_km", "travel_h")
    for start, end, length, travel in listed.select(columns).iter_rows():
        if start == end:
            continue
        at = np.ix_(rows[start], rows[end])
        km[at] = length
        hours[at] = np.nan if travel is None else travel
    return km, hours


def seconds_of(km: Floats, hours: Floats, speed_km_per_h: float) -> NDArray[np.int64]:
    """Return whole seconds, rounded up: the road's hours where it states them, else at a speed.

    Parameters
    ----------
    km, hours : array
    speed_km_per_h : float
    """
    taken = np.where(np.isnan(hours), km / speed_km_per_h, hours)
    return np.ceil(taken * 3600.0 - 1e-6).astype(np.int64)


def clock_s(time: str | None, missing: int) -> int:
    """Return a time of the day, HH:MM or HH:MM:SS, in seconds.

    Parameters
    ----------
    time : str or None
    missing : int
        Where there is none.
    """
    if not time:
        return missing
    parts = [int(part) for part in time.split(":")]
    return sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))


def say_time(seconds: int) -> str:
    """Return seconds of the day as HH:MM:SS.

    Parameters
    ----------
    seconds : int
    """
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
