"""A county: hub, stations, villages, their pieces, vehicles and buses, immutable.

Tables follow ``changtong/tables/county/*.csv``; :func:`changtong.rural.county_folder.read_county` reads and
checks a folder of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from changtong._tables import COUNTY_SET

COUNTY_TABLES = COUNTY_SET.names
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

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the tables by name."""
        return {name: getattr(self, name) for name in COUNTY_TABLES}

    def with_tables(self, *, name: str | None = None, **tables: pl.DataFrame) -> County:
        """Return a copy with some tables, and the name where given, replaced (nothing is checked)."""
        return replace(self, name=self.name if name is None else name, **tables)

    def __str__(self) -> str:
        kinds = dict(self.sites["kind"].value_counts().iter_rows())
        each = self.pieces.select("inbound_pieces_per_day", "outbound_pieces_per_day").sum().row(0)
        return (
            f"{self.name}\n"
            f"  hub              {self.hub:>14}\n"
            f"  stations         {kinds.get('township', 0):>14,}\n"
            f"  villages         {kinds.get('village', 0):>14,}\n"
            f"  firms            {len(self.firms):>14,}\n"
            f"  pieces in a day  {each[0]:>14,.0f}\n"
            f"  pieces out a day {each[1]:>14,.0f}\n"
            f"  vehicle types    {self.vehicles.height:>14,}\n"
            f"  bus runs         {self.buses.height:>14,}"
        )
