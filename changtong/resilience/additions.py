"""Things that can be added to a network, each with its size, its cost and how it is built in.

How one is built is data, not a function: it travels to other processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from changtong.network.model import Network, build_network
from changtong.resilience.costs import ASSUMED, Costs
from changtong.structure import column

ROOM = "capacity_pieces_per_day"


@dataclass(frozen=True)
class Remedy:
    """One thing to add.

    Attributes
    ----------
    name, kind : str
        What; capacity, leg or site.
    size : float
        Pieces a day added, of leg and sorting capacity together.
    cost : float
        CNY a day.
    build : callable
        Takes a network and returns it with the remedy in it; can be pickled where remedies are
        tried in other processes.
    place : str
        Site or leg (``A>B``) it is at.
    share : float or None
        Size of a site as a share of the one beside it.
    provenance : str
        Where the cost comes from.
    """

    name: str
    kind: str
    size: float
    cost: float
    build: Callable[[Network], Network] = field(repr=False)
    place: str = ""
    share: float | None = None
    provenance: str = ASSUMED


@dataclass(frozen=True)
class MoreOnLeg:
    """More capacity on a leg, pieces a day."""

    a: str
    b: str
    pieces: float

    def __call__(self, network: Network) -> Network:
        """Return the network with it."""
        ends = (pl.col("from_site").cast(pl.String), pl.col("to_site").cast(pl.String))
        here = (ends[0] == self.a) & (ends[1] == self.b)
        more = pl.when(here).then(pl.col(ROOM) + self.pieces).otherwise(pl.col(ROOM)).alias(ROOM)
        return network.with_tables(legs=network.legs.with_columns(more))


@dataclass(frozen=True)
class MoreSorted:
    """More sorted at a site, pieces a day."""

    site: str
    pieces: float

    def __call__(self, network: Network) -> Network:
        """Return the network with it."""
        hours = column(network.sites, "sort_hours_per_day", 20.0)
        extra = np.where(np.array(network.site_ids) == self.site, self.pieces / hours, 0.0)
        rate = pl.col("sort_pieces_per_h") + pl.Series(extra)
        return network.with_tables(sites=network.sites.with_columns(rate))


@dataclass(frozen=True)
class NewLeg:
    """A leg there was none of, priced and timed like the mean leg; ``pieces`` a day."""

    a: str
    b: str
    pieces: float

    def __call__(self, network: Network) -> Network:
        """Return the network with it."""
        mean = float(column(network.legs, "cost_cny_per_piece", 0.0).mean())
        hours = float(column(network.legs, "travel_h", 0.0).mean())
        row = {"from_site": self.a, "to_site": self.b, "cost_cny_per_piece": mean, "travel_h": hours}
        return _rebuilt(network, legs=[row | {ROOM: self.pieces}])


@dataclass(frozen=True)
class Twin:
    """A second site beside one, with a share of its legs' and sorting capacity; takes its area over."""

    site: str
    share: float

    @property
    def twin(self) -> str:
        """Id of the second site."""
        return f"{self.site}+"

    def __call__(self, network: Network) -> Network:
        """Return the network with it."""
        place = network.sites.with_columns(pl.col("site_id").cast(pl.String))
        at = place.filter(pl.col("site_id") == self.site).row(0, named=True) | {"site_id": self.twin}
        if at.get("sort_pieces_per_h") is not None:
            at["sort_pieces_per_h"] = at["sort_pieces_per_h"] * self.share
        legs = [self._leg(row) for row in _touching(network, self.site).iter_rows(named=True)]
        basis = "given"
        if network.areas is not None:
            own = network.areas.filter(pl.col("site").cast(pl.String) == self.site)
            basis = own["basis"].cast(pl.String)[0] if own.height else "given"
        areas = [{"site": self.site, "stand_in": self.twin, "share": 1.0, "basis": basis}]
        return _rebuilt(network, sites=[at], legs=legs, areas=areas)

    def _leg(self, row: dict[str, Any]) -> dict[str, Any]:
        ends = {end: self.twin if row[end] == self.site else row[end] for end in ("from_site", "to_site")}
        less = {ROOM: None if row.get(ROOM) is None else row[ROOM] * self.share}
        today = {"flow_pieces_per_day": 0.0} if "flow_pieces_per_day" in row else {}
        return row | ends | less | today


def more_leg_capacity(network: Network, leg: int, pieces: float, costs: Costs) -> Remedy:
    """Return the remedy of ``pieces`` a day more on a leg."""
    a, b = (str(network.legs[name][leg]) for name in ("from_site", "to_site"))
    return Remedy(
        f"{a}>{b} +{pieces:,.0f}",
        "capacity",
        pieces,
        pieces * costs["leg_piece"],
        MoreOnLeg(a, b, pieces),
        place=f"{a}>{b}",
        provenance=costs.provenance("leg_piece"),
    )


def more_site_capacity(network: Network, site: int, pieces: float, costs: Costs) -> Remedy:
    """Return the remedy of ``pieces`` a day more sorted at a site."""
    name = network.site_ids[site]
    return Remedy(
        f"{name} sorts +{pieces:,.0f}",
        "capacity",
        pieces,
        pieces * costs["site_piece"],
        MoreSorted(name, pieces),
        place=name,
        provenance=costs.provenance("site_piece"),
    )


def new_leg(network: Network, a: str, b: str, pieces: float, costs: Costs) -> Remedy:
    """Return the remedy of a leg from ``a`` to ``b``, priced like the mean leg."""
    return Remedy(
        f"new leg {a}>{b} +{pieces:,.0f}",
        "leg",
        pieces,
        pieces * costs["leg_piece"],
        NewLeg(a, b, pieces),
        place=f"{a}>{b}",
        provenance=costs.provenance("leg_piece"),
    )


def twin_site(network: Network, site: int, share: float, costs: Costs) -> Remedy:
    """Return the remedy of a second site beside one, with a share of its legs' and sorting capacity.

    The twin has legs where the site has some, and takes its area over when it is shut: a backup, or
    half of a split hub.
    """
    name = network.site_ids[site]
    touching = _touching(network, name)
    legs = share * float(column(touching, ROOM, 0.0).sum())
    rate = column(network.sites, "sort_pieces_per_h", 0.0)[site]
    sorting = share * float(rate * column(network.sites, "sort_hours_per_day", 20.0)[site])
    return Remedy(
        f"{name}+ ({share:.0%} of {name})",
        "site",
        legs + sorting,
        costs["site"] + legs * costs["leg_piece"] + sorting * costs["site_piece"],
        Twin(name, share),
        place=name,
        share=share,
        provenance=costs.provenance("site", "leg_piece", "site_piece"),
    )


def _touching(network: Network, site: str) -> pl.DataFrame:
    ends = network.legs.with_columns(pl.col("from_site", "to_site").cast(pl.String))
    return ends.filter((pl.col("from_site") == site) | (pl.col("to_site") == site))


def _rebuilt(network: Network, **rows: list[dict[str, Any]]) -> Network:
    """Return the network with rows added to its tables; ids are text again while it is built."""
    tables = {}
    for name, frame in network.tables().items():
        if name == "sort_plan":  # of the network as it was
            continue
        plain = frame.with_columns(pl.col(pl.Enum).cast(pl.String))
        if rows.get(name):
            more = pl.DataFrame(rows[name], infer_schema_length=None)
            more = more.select(name for name in more.columns if name in plain.columns)
            casts = [pl.col(name).cast(plain.schema[name]) for name in more.columns]
            plain = pl.concat([plain, more.select(casts)], how="diagonal")
        tables[name] = plain
    if rows.get("areas") and "areas" not in tables:
        tables["areas"] = pl.DataFrame(rows["areas"])
    return build_network(tables, network.name)
