"""A county: hub, stations, villages, their pieces, vehicles and buses, immutable.

Tables follow ``changtong/tables/county/*.csv``; :func:`changtong.rural.county_folder.read_county` reads and
checks a folder of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

COUNTY_TABLES = ("sites", "pieces", "vehicles", "buses", "bus_stops", "roads", "provenance")
"""Tables of a county folder, in the order they are read; the last four may be missing."""


@dataclass(frozen=True)
class County:
    """A county's delivery as it is: data only.

    Attributes
    ----------
    name : str
    sites, pieces, vehicles, buses, bus_stops, roads : polars.DataFrame
        Typed, with defaults filled in; see ``docs/county-tables.md``. ``sites`` has exactly one row of kind
        ``county``, the hub.
    provenance : polars.DataFrame
        table, column, kind (official, derived, assumed), source, note: as of a network.

    Examples
    --------
    >>> from changtong.rural.sources import small_county
    >>> small_county().hub
    'HUB'
    """

    name: str
    sites: pl.DataFrame
    pieces: pl.DataFrame
    vehicles: pl.DataFrame
    buses: pl.DataFrame
    bus_stops: pl.DataFrame
    roads: pl.DataFrame
    provenance: pl.DataFrame

    @property
    def hub(self) -> str:
        """The hub's site id."""
        return str(self.sites.filter(pl.col("kind") == "county")["site_id"].item())

    @property
    def firms(self) -> tuple[str, ...]:
        """Firms that have pieces, in order of their names."""
        return tuple(self.pieces["firm"].unique().sort().to_list())
