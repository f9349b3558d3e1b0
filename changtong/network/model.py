"""What is: sites, legs, demand, classes and the sort plan in force, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from changtong._tables import NETWORK_TABLES, network_tables
from changtong.errors import InputError, UsageError
from changtong.network.assembly import assemble_tables
from changtong.network.findings import Findings

PROVENANCE_SCHEMA = network_tables()["provenance"].schema()
"""Columns of ``Network.provenance``."""


@dataclass(frozen=True)
class Network:
    """A delivery network: data only; analyses are functions elsewhere.

    Tables follow ``tables/*.csv``. Every id column that names a site (``site_id``,
    ``from_site``, ``to_site``, ``site``, ``destination``, ``next_site``) has the one
    ``polars.Enum`` of this network's site ids in the order of ``sites``; so a
    column's physical values are row numbers of ``sites``. In a built network
    ``service_class`` of ``demand`` and ``sort_plan`` has the Enum ``class_type``.

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
    def site_set(self) -> frozenset[str]:
        """Site ids, to be looked up."""
        return frozenset(self.site_ids)

    @cached_property
    def site_type(self) -> pl.Enum:
        """The Enum every site column of this network has."""
        return pl.Enum(list(self.site_ids))

    @cached_property
    def class_type(self) -> pl.Enum:
        """The Enum ``service_class`` has in ``demand`` and ``sort_plan`` of a built network."""
        return pl.Enum(self.service_classes["service_class"].cast(pl.String).to_list())

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the tables by name, those that are None left out."""
        found = {name: getattr(self, name) for name in NETWORK_TABLES}
        return {name: frame for name, frame in found.items() if frame is not None}

    def with_tables(self, **tables: pl.DataFrame | None) -> Network:
        """Return a copy with some tables replaced (site ids must stay the same)."""
        return replace(self, **tables)  # type: ignore[arg-type]

    def __str__(self) -> str:
        pieces = float(self.demand["pieces_per_day"].cast(pl.Float64).sum()) if self.demand.height else 0.0
        planned = "known" if self.sort_plan is not None else "not known"
        return (
            f"{self.name}\n"
            f"  sites            {self.sites.height:>14,}\n"
            f"  legs             {self.legs.height:>14,}\n"
            f"  demand rows      {self.demand.height:>14,}\n"
            f"  pieces a day     {pieces:>14,.0f}\n"
            f"  service classes  {', '.join(self.service_classes['service_class'].cast(pl.String))}\n"
            f"  sort plan        {planned}"
        )


def build_network(tables: Mapping[str, pl.DataFrame], name: str) -> Network:
    """Build a network from tables of any readable types.

    Ids are trimmed and become the network's Enum, numbers Float64 (Float32 stays in
    ``demand.pieces_per_day``), empty cells get the defaults of ``docs/tables.md``, and each
    default used becomes a row of ``provenance``. Without ``service_classes`` there is one
    class, ``ordinary``. Columns the tables do not know are kept.

    Parameters
    ----------
    tables : mapping
        ``sites`` and ``legs``, and as known ``demand``, ``service_classes``, ``sort_plan``,
        ``areas``, ``provenance``.
    name : str
        Shown in reports.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        With every problem of every table.
    UsageError
        A table that is not a polars frame.
    """
    for table, frame in tables.items():
        if not isinstance(frame, pl.DataFrame):
            raise UsageError(f"table {table!r} is a {type(frame).__name__}; expected a polars.DataFrame.")
    findings = Findings()
    made = assemble_tables(tables, findings)
    if findings.errors:
        raise InputError(findings.errors)
    return Network(name=name, **made.tables)
