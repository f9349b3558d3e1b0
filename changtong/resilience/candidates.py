"""What could be added: read off the plans of the closures that hurt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.network.model import Network
from changtong.outages import PIECES_PER_PASS
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.resilience.additions import (
    ROOM,
    Remedy,
    more_leg_capacity,
    more_site_capacity,
    new_leg,
    twin_site,
)
from changtong.resilience.cases import Case
from changtong.resilience.costs import Costs, read_costs
from changtong.structure import column

FULL = 0.999
"""Load share from which a leg or site holds pieces back."""

KINDS = ("capacity", "legs", "sites")
LOOKED_AT = 5
"""Closures whose plans are read: of more the same places come again."""

PLAN_SECONDS = 20.0
OBJECTIVES = ("unserved", "cost")


@dataclass(frozen=True)
class Search:
    """Which candidates are looked for.

    Attributes
    ----------
    kinds : tuple of {"capacity", "legs", "sites"}
        More on full legs and at full sites, legs there are none of, twins of closed sites.
    sizes : tuple of float
        Of a twin, as shares of the site it stands beside; full legs and sites grow by the first, legs
        in whole vehicles.
    most : int
        Candidates of each kind.
    """

    kinds: tuple[str, ...] = KINDS
    sizes: tuple[float, ...] = (0.25, 0.5)
    most: int = 12

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                near = get_close_matches(kind, KINDS, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise UsageError(f"Unknown kind of remedy {kind!r}; known: {', '.join(KINDS)}.{hint}")
        if not self.kinds or self.most < 1:
            raise UsageError("One kind of remedy is needed at least, and one candidate of each.")
        if not self.sizes or not all(0.0 < size <= 10.0 for size in self.sizes):
            message = f"{list(self.sizes)!r}: sizes are shares of a site."
            raise InputError([Problem("out-of-range", message, expected="0.25 for a quarter; at most 10")])


@dataclass
class _Seen:
    """What the plans of some closures show."""

    held: dict[tuple[str, str, str], float] = field(default_factory=dict)
    lacking: dict[tuple[str, str], float] = field(default_factory=dict)


def candidates(
    network: Network,
    cases: Sequence[Case],
    search: Search | None = None,
    *,
    costs: Costs | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Remedy, ...]:
    """Return remedies that the plans of closures point at.

    Parameters
    ----------
    network : Network
    cases : sequence of Case
        The closures to be ready for, the worst first: the plans of the first five are read, twins
        are for all.
    search : Search, optional
    costs : Costs, optional
    progress : callable, optional
        Called with (stage, share).
    """
    search, costs = search or Search(), costs or read_costs()
    found: list[Remedy | None] = []
    looked_at = cases[:LOOKED_AT]
    if {"capacity", "legs"} & set(search.kinds):
        seen = _look(network, looked_at, progress)
        if "capacity" in search.kinds:
            full = sorted(seen.held, key=lambda key: (-seen.held[key], key))[: search.most]
            found += [_capacity(network, key, search.sizes[0], costs) for key in full]
        if "legs" in search.kinds:
            found += _legs(network, seen.lacking, len(looked_at), search.most, costs)
    if "sites" in search.kinds:
        sites = list(dict.fromkeys(row for case in cases for row in case.sites))[: search.most]
        found += [twin_site(network, site, size, costs) for site in sites for size in search.sizes]
    return tuple(one for one in found if one is not None and one.size > 0.0)


def _look(network: Network, cases: Sequence[Case], progress: Callable[[str, float], None] | None) -> _Seen:
    seen = _Seen()
    for k, case in enumerate(cases):
        if progress is not None:
            progress("candidates", k / len(cases))
        settings = PlanSettings(seconds=PLAN_SECONDS)
        made = plan(network, case.outages(network), objectives=OBJECTIVES, settings=settings)
        for row in made.leg_flows.filter(pl.col("load_share") >= FULL).iter_rows(named=True):
            key = ("leg", str(row["from_site"]), str(row["to_site"]))
            seen.held[key] = seen.held.get(key, 0.0) + (row["shadow_price_cny"] or 0.0) + 1e-6
        for row in made.site_loads.filter(pl.col("load_share") >= FULL).iter_rows(named=True):
            key = ("site", str(row["site_id"]), "")
            seen.held[key] = seen.held.get(key, 0.0) + (row["shadow_price_cny"] or 0.0) + 1e-6
        shut = {network.site_ids[row] for row in case.sites}
        for row in made.unserved.iter_rows(named=True):
            ends = str(row["from_site"]), str(row["to_site"])
            if not shut & set(ends):
                seen.lacking[ends] = seen.lacking.get(ends, 0.0) + row["pieces"]
    return seen


def _legs(
    network: Network, lacking: dict[tuple[str, str], float], count: int, most: int, costs: Costs
) -> Iterable[Remedy]:
    """Return a leg between each two sites whose pieces find no room, of as many vehicles as they fill."""
    there = set(network.legs.select(pl.col("from_site", "to_site").cast(pl.String)).iter_rows())
    wanted = [ends for ends in lacking if ends not in there and lacking[ends] >= 1.0]
    for ends in sorted(wanted, key=lambda ends: (-lacking[ends], ends))[:most]:
        yield new_leg(network, *ends, _lorries(lacking[ends] / count, PIECES_PER_PASS), costs)


def _capacity(network: Network, key: tuple[str, str, str], step: float, costs: Costs) -> Remedy | None:
    kind, a, b = key
    if kind == "site":
        site = network.site_ids.index(a)
        rate = float(column(network.sites, "sort_pieces_per_h", 0.0)[site])
        hours = float(column(network.sites, "sort_hours_per_day", 20.0)[site])
        return more_site_capacity(network, site, step * rate * hours, costs) if rate > 0.0 else None
    ends = network.legs.select(pl.col("from_site", "to_site").cast(pl.String)).rows()
    leg = ends.index((a, b)) if (a, b) in ends else None
    if leg is None:
        return None
    room = float(column(network.legs, ROOM, 0.0)[leg])
    vehicle = float(column(network.legs, "vehicle_pieces", PIECES_PER_PASS)[leg])
    return more_leg_capacity(network, leg, _lorries(step * room, vehicle), costs) if room > 0.0 else None


def _lorries(pieces: float, vehicle: float) -> float:
    """Return what whole vehicles carry, one at least: nobody adds two pieces to a leg."""
    return max(1.0, float(np.ceil(pieces / vehicle))) * vehicle
