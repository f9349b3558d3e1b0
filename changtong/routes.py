"""Routes: the leg a piece takes next at each site, for every destination.

A sort plan in numbers, free of any one method's layout: the plan in force, or one a plan made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.flows.layout import lay_out
from changtong.flows.pairs import best_exit, cheapest_entry
from changtong.flows.pricing import Pricing
from changtong.flows.problem import FlowProblem
from changtong.flows.trees import FLAT
from changtong.network.model import Network
from changtong.structure import class_table, column, pairs_by_class, pass_through

Ints = NDArray[np.int32]
Rows = NDArray[np.int64]

NO_LEG = -1

ROWS = 1_000_000
"""Rows of a sort plan, or pairs, looked at together: bounds the memory."""


@dataclass(frozen=True)
class Routes:
    """Next legs of a network's pieces.

    Attributes
    ----------
    next_leg : array of int32, (streams, destinations, sites)
        Row of ``network.legs``, -1 where none leads on; legs behind the last row are take-over
        ways. One stream for all classes, or one for each, by rank.
    dest_site : array of int32, (destinations,)
        Sites pieces are bound for, ascending.
    extra_tail, extra_head : array of int32
        Sites the take-over ways join.
    part : array of int64, (parts,)
        Pairs of which a part waits at its origin, ascending; numbers in :func:`pairs_of`.
    moving : array of float32, (parts, classes)
        Share of each class that is sent.
    """

    next_leg: Ints
    dest_site: Ints
    extra_tail: Ints
    extra_head: Ints
    part: NDArray[np.int64]
    moving: NDArray[np.float32]

    def share_sent(self, pair: NDArray[np.int64], rank: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the share of a class of a pair that is sent."""
        out = np.ones(len(pair), np.float32)
        if len(self.part):
            at = np.minimum(np.searchsorted(self.part, pair), len(self.part) - 1)
            hit = self.part[at] == pair
            out[hit] = self.moving[at[hit], rank[hit]]
        return out


def whole_routes(next_leg: Ints, dest_site: Ints, n_classes: int) -> Routes:
    """Return routes on which everything is sent, without take-over ways."""
    none = np.empty(0, np.int32)
    nothing = np.empty((0, n_classes), np.float32)
    return Routes(next_leg, dest_site, none, none, np.empty(0, np.int64), nothing)


def same_routes(one: Routes, other: Routes) -> bool:
    """Tell whether two routes send every piece the same way."""
    return one is other or all(
        np.array_equal(getattr(one, part.name), getattr(other, part.name)) for part in fields(Routes)
    )


@dataclass(frozen=True)
class Pairs:
    """Pieces a day between different sites, by from, then to.

    Attributes
    ----------
    from_site, to_site : array of int32, (pairs,)
    pieces : array, (pairs, classes), or (pairs, 1)
    class_share : array, (classes,)
        Split of the pieces where they have one column.
    local : array, (sites,)
        Pieces a day that begin and end at the same site.
    """

    from_site: Ints
    to_site: Ints
    pieces: NDArray[np.floating]
    class_share: NDArray[np.float64]
    local: NDArray[np.float64]


def pairs_of(network: Network) -> Pairs:
    """Return a network's pairs; rows without pieces are left out."""
    n, classes = network.sites.height, class_table(network)
    keys, pieces, share = pairs_by_class(network, classes)
    total = pieces.sum(axis=1)
    start, end = (keys // n).astype(np.int32), (keys % n).astype(np.int32)
    stays = start == end
    local = np.bincount(start[stays], total[stays], minlength=n).astype(np.float64)
    moves = ~stays & (total > 0.0)
    if share is None:
        mean = pieces.sum(axis=0) / max(float(total.sum()), 1e-30)
        share = mean if mean.sum() > 0.0 else np.append(np.zeros(classes.height - 1), 1.0)
    return Pairs(start[moves], end[moves], pieces[moves], np.asarray(share, np.float64), local)


def routes_in_force(network: Network, pairs: Pairs | None = None) -> Routes:
    """Return today's routes: the network's sort plan; where it has none, the cheapest ways.

    Without costs the cheapest way is the one of fewest legs. A row of one class comes before the
    row for all classes.
    """
    pairs = pairs or pairs_of(network)
    n = network.sites.height
    dest, n_classes = destinations(pairs), len(pairs.class_share)
    plan = network.sort_plan
    if plan is None:
        return whole_routes(_cheapest(network, pairs, dest), dest, n_classes)
    apart = "service_class" in plan.columns and plan["service_class"].null_count() < plan.height
    names = class_table(network)["service_class"].cast(pl.String).to_list() if apart else [None]
    legs = np.full((len(names), len(dest), n), NO_LEG, np.int32)
    for stream, name in enumerate(names):
        _fill(network, rows_of_class(plan, name) if apart else plan, dest, legs[stream])
    return whole_routes(legs, dest, n_classes)


def destinations(pairs: Pairs) -> Ints:
    """Return the sites pieces are bound for, ascending."""
    ends = np.concatenate([pairs.to_site, np.flatnonzero(pairs.local > 0.0).astype(np.int32)])
    return np.unique(ends).astype(np.int32)


def rows_of_class(plan: pl.DataFrame, service_class: str | None) -> pl.DataFrame:
    """Return the rows of a sort plan that count for a class: those for all, then its own, which prevail."""
    kind = pl.col("service_class").cast(pl.String)
    rows = plan.filter(kind.is_null() | (kind == service_class).fill_null(False))
    return rows.sort(kind.is_not_null(), maintain_order=True)


def entries_of(network: Network, plan: pl.DataFrame) -> Iterator[tuple[Rows, Rows, Rows]]:
    """Yield a sort plan's rows in numbers, a million at a time: site, destination, row of the next leg.

    Of two modes between the same sites the cheaper is meant. The row is -1 where no leg joins them.
    """
    n = network.sites.height
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int64)
    head = network.legs["to_site"].to_physical().to_numpy().astype(np.int64)
    order = np.lexsort((column(network.legs, "cost_cny_per_piece", 0.0), tail * n + head))
    keys, first = np.unique((tail * n + head)[order], return_index=True)
    keys, leg_of = np.append(keys, n * n), np.append(order[first], NO_LEG)
    for start in range(0, plan.height, ROWS):
        rows = plan.slice(start, ROWS)
        site, to, follow = (
            rows[name].to_physical().to_numpy().astype(np.int64)
            for name in ("site", "destination", "next_site")
        )
        at = np.searchsorted(keys, site * n + follow)
        yield site, to, np.where(keys[at] == site * n + follow, leg_of[at], NO_LEG)


def _fill(network: Network, plan: pl.DataFrame, dest: Ints, legs: Ints) -> None:
    """Write a sort plan's rows to ``legs`` (destinations, sites)."""
    number = np.full(network.sites.height, -1, np.int64)
    number[dest] = np.arange(len(dest))
    for site, to, leg in entries_of(network, plan):
        hit = (leg != NO_LEG) & (number[to] >= 0)
        legs[number[to[hit]], site[hit]] = leg[hit]


def _cheapest(network: Network, pairs: Pairs, dest: Ints) -> Ints:
    n, legs = network.sites.height, network.legs
    out = np.full((1, len(dest), n), NO_LEG, np.int32)
    if not legs.height or not len(pairs.from_site):
        return out
    cost = column(legs, "cost_cny_per_piece", 0.0)
    problem = FlowProblem(
        n_sites=n,
        leg_tail=legs["from_site"].to_physical().to_numpy().astype(np.int32),
        leg_head=legs["to_site"].to_physical().to_numpy().astype(np.int32),
        leg_cost=cost if cost.any() else np.ones(legs.height),
        leg_capacity=np.full(legs.height, np.inf),
        site_capacity=np.full(n, np.inf),
        transit=pass_through(network),
        pair_from=pairs.from_site,
        pair_to=pairs.to_site,
        pair_pieces=pairs.pieces.sum(axis=1, keepdims=True),
        class_penalty=np.ones(1),
    )
    lay, capacity, _, _ = lay_out(problem)
    pricing = Pricing(problem, lay, 1)
    pricing.set_costs(problem)
    pricing.price(np.zeros(len(capacity)))
    number = np.searchsorted(dest, lay.dest_site).astype(np.int64)
    _next_legs(lay, pricing.trees, number, out[0])
    return out


@njit(**FLAT)
def _next_legs(lay, trees, number, out):  # type: ignore[no-untyped-def]
    """Write the first leg of the cheapest way from every core site and origin to every destination."""
    for d in range(lay.dest_site.shape[0]):
        for c in range(lay.core_site.shape[0]):
            x = best_exit(lay, trees, c, d)
            k = lay.exit_t[x]
            if lay.core_site[c] != lay.dest_site[d] and trees.dist[k, c] + trees.exit_cost[x] < 1e11:
                leg = lay.exit_arc[x] if lay.exit_core[k] == c else trees.nxt[k, c]
                out[number[d], lay.core_site[c]] = leg
    for o in range(lay.origin_site.shape[0]):
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            j, cost = cheapest_entry(lay, trees, o, lay.pair_d[p])
            leg = lay.entry_arc[lay.entry_ptr[o] + j]
            if leg >= 0 and cost < 1e11:
                out[number[lay.pair_d[p]], lay.origin_site[o]] = leg


def check_routes(network: Network, routes: Routes, name: str = "routes") -> None:
    """Check that routes belong to a network.

    Raises
    ------
    InputError
        Another number of sites, destinations or classes, or a next leg that does not begin at
        its site: the routes are of another network.
    """
    n, legs, problems = network.sites.height, routes.next_leg, []
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int64)
    tail = np.concatenate([tail, routes.extra_tail])

    def wrong(what: str, expected: str) -> None:
        problems.append(Problem("other-network", what, name, expected=expected))

    if legs.shape[2] != n:
        wrong(f"The routes are of {legs.shape[2]:,} sites.", f"the network's {n:,} sites")
    elif len(routes.dest_site) and routes.dest_site.max() >= n:
        wrong("A destination is no site of the network.", "routes of this network")
    if legs.shape[0] not in (1, class_table(network).height):
        wrong(f"The routes are of {legs.shape[0]} classes.", f"{class_table(network).height} classes, or one")
    if not problems and legs.max(initial=-1) >= len(tail):
        wrong("A next leg is no leg of the network.", f"one of {len(tail):,} legs")
    elif not problems:
        for stream in legs:
            bad = (stream >= 0) & (tail[np.maximum(stream, 0)] != np.arange(n)[None, :])
            if bad.any():
                wrong("A next leg does not begin at its site.", "routes of this network")
                break
    if problems:
        raise InputError(problems)


def save_routes(routes: Routes, path: Path) -> None:
    """Write routes to a ``.npz`` file: plain arrays."""
    streams = routes.next_leg
    first = streams[0]
    apart = {}
    for k in range(1, len(streams)):
        differs = np.flatnonzero(streams[k].ravel() != first.ravel())
        apart[f"at_{k}"] = differs
        apart[f"leg_{k}"] = streams[k].ravel()[differs]
    with path.open("wb") as out:
        np.savez_compressed(
            out,
            streams=np.array(len(streams)),
            next_leg=first,
            dest_site=routes.dest_site,
            extra_tail=routes.extra_tail,
            extra_head=routes.extra_head,
            part=routes.part,
            moving=routes.moving,
            **apart,  # type: ignore[arg-type]
        )


def read_routes(path: Path) -> Routes:
    """Read routes written by :func:`save_routes`.

    Raises
    ------
    InputError
        No such file, or not of this kind.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            first = found["next_leg"]
            streams = np.repeat(first[None], int(found["streams"]), axis=0)
            for k in range(1, len(streams)):
                streams[k].ravel()[found[f"at_{k}"]] = found[f"leg_{k}"]
            rest = (found[name] for name in ("dest_site", "extra_tail", "extra_head", "part", "moving"))
            return Routes(streams, *rest)
    except (OSError, KeyError, ValueError) as error:
        problem = Problem(
            "unreadable-routes",
            f"{path.name} cannot be read: {error}",
            str(path),
            expected="a plan's routes.npz",
        )
        raise InputError([problem]) from error
