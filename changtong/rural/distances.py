"""Ways between places of a county: listed roads, else the great circle times a detour factor."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.units import EARTH_RADIUS_KM

DETOUR_FACTOR = 1.3
"""Road distance over great-circle distance where no road is listed: assumed."""

Floats = NDArray[np.float64]


def circle_km(lon_1: Floats, lat_1: Floats, lon_2: Floats, lat_2: Floats) -> Floats:
    """Return great-circle distances in km between points in degrees, broadcast together.

    Parameters
    ----------
    lon_1, lat_1, lon_2, lat_2 : array of float

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.array([0.0]), np.array([1.0])
    >>> circle_km(one, one, one, other).round(2).tolist()
    [111.2]
    """
    east_1, north_1, east_2, north_2 = (np.radians(part) for part in (lon_1, lat_1, lon_2, lat_2))
    half = np.sin((north_2 - north_1) / 2) ** 2
    half = half + np.cos(north_1) * np.cos(north_2) * np.sin((east_2 - east_1) / 2) ** 2
    circle: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return circle


class SiteWays:
    """Kilometres and hours between the sites of a county.

    Parameters
    ----------
    sites, roads : polars.DataFrame
        Of a county.
    detour : float
        Road over great circle where no road is listed.

    Attributes
    ----------
    row : dict
        Site id -> its row in ``km``.
    km : array of float, (sites, sites)
    hours : array of float, (sites, sites)
        Hours listed for a road; NaN where the vehicle's speed tells.
    """

    def __init__(self, sites: pl.DataFrame, roads: pl.DataFrame, *, detour: float = DETOUR_FACTOR) -> None:
        lon, lat = sites["lon"].to_numpy(), sites["lat"].to_numpy()
        self.row = {str(site): row for row, site in enumerate(sites["site_id"])}
        self.km = circle_km(lon[:, None], lat[:, None], lon[None, :], lat[None, :]) * detour
        self.hours = np.full(self.km.shape, np.nan)
        for one, other, km, hours in roads.select(
            "from_site", "to_site", "distance_km", "travel_h"
        ).iter_rows():
            place = self.row[one], self.row[other]
            self.km[place] = km
            self.hours[place] = np.nan if hours is None else hours

    def travel_h(self, speed_km_per_h: float) -> Floats:
        """Return the hours of all ways at a vehicle's speed, listed hours where there are any."""
        return np.where(np.isnan(self.hours), self.km / speed_km_per_h, self.hours)
