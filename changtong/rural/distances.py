"""Ways between places of a county: listed roads, else the great circle times a detour factor."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.reference_places import great_circle_km

DETOUR_FACTOR = 1.3
"""Road distance over great-circle distance where no road is listed: assumed."""

Floats = NDArray[np.float64]


class SiteWays:
    """Kilometres and hours between the sites of a county.

    Parameters
    ----------
    sites, roads : polars.DataFrame
        Of a county, or some of its sites; roads of others are passed over.
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
        self.km = great_circle_km(lon[:, None], lat[:, None], lon[None, :], lat[None, :]) * detour
        self.hours = np.full(self.km.shape, np.nan)
        known = pl.col("from_site").is_in(list(self.row)) & pl.col("to_site").is_in(list(self.row))
        listed = roads.filter(known & (pl.col("from_site") != pl.col("to_site")))
        for one, other, km, hours in listed.select(
            "from_site", "to_site", "distance_km", "travel_h"
        ).iter_rows():
            place = self.row[one], self.row[other]
            self.km[place] = km
            self.hours[place] = np.nan if hours is None else hours

    def travel_h(self, speed_km_per_h: float) -> Floats:
        """Return the hours of all ways at a vehicle's speed, listed hours where there are any."""
        return np.where(np.isnan(self.hours), self.km / speed_km_per_h, self.hours)
