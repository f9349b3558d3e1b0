"""What is: sites, legs, demand, classes and the sort plan in force, immutable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl


@dataclass(frozen=True)
class Network:
    """A delivery network: data only; analyses are functions elsewhere.

    Tables follow ``tables/*.csv``. Every id column that names a site (``site_id``,
    ``from_site``, ``to_site``, ``site``, ``destination``, ``next_site``) has the one
    ``polars.Enum`` of this network's site ids in the order of ``sites``; so a
    column's physical values are row numbers of ``sites``.

    Attributes
    ----------
    name : str
        Shown in reports.
    sites, legs, demand, service_classes : polars.DataFrame
        See ``docs/tables.md``. A demand row without a class (null) is split over
        the classes by ``service_classes.share``.
    sort_plan : polars.DataFrame or None
        The sort plan in force (site, destination, next_site), where known.
    provenance : polars.DataFrame
        table, column, kind (official, derived, assumed), source, note.
    areas : polars.DataFrame or None
        Which stand-in sites can take a site's area over (site, stand_in, share,
        basis: given or inferred), where known.
    """

    name: str
    sites: pl.DataFrame
    legs: pl.DataFrame
    demand: pl.DataFrame
    service_classes: pl.DataFrame
    sort_plan: pl.DataFrame | None = None
    provenance: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PROVENANCE_SCHEMA))
    areas: pl.DataFrame | None = None

    @cached_property
    def site_ids(self) -> tuple[str, ...]:
        """Site ids in the order of ``sites``."""
        return tuple(self.sites["site_id"].cast(pl.String))

    @cached_property
    def site_type(self) -> pl.Enum:
        """The Enum every site column of this network has."""
        return pl.Enum(list(self.site_ids))

    def with_tables(self, **tables: pl.DataFrame | None) -> Network:
        """Return a copy with some tables replaced (site ids must stay the same)."""
        return replace(self, **tables)  # type: ignore[arg-type]


PROVENANCE_SCHEMA = {
    "table": pl.String,
    "column": pl.String,
    "kind": pl.String,
    "source": pl.String,
    "note": pl.String,
}
