"""The flow in force: all pieces on their cheapest way, capacities set aside.

Sites that pass nothing on (county units, exchange offices) are contracted: a way is an
entry leg, a way between two core sites, and an exit leg. So millions of pairs cost one
pass over pairs and legs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from changtong.network.reference_demand import PairDemand
from changtong.network.reference_places import Floats, Ints

BLOCK_COLUMNS = 256


@dataclass(frozen=True)
class CoreWays:
    """Cheapest ways between core sites.

    Attributes
    ----------
    site : array of int, (core,)
        Site rows.
    number : array of int, (sites,)
        Core number of each site, -1 for the others.
    cost : array of float, (core, core)
        CNY a piece from row to column; infinite where there is no way.
    toward : array of int, (core, core)
        ``toward[t, s]`` is the core number after s on the way to t; -1 at s = t and
        where there is no way.
    leg : array of int, (core, core)
        Leg from row to column, -1 where there is none.
    """

    site: Ints
    number: Ints
    cost: Floats
    toward: Ints
    leg: Ints


@dataclass(frozen=True)
class Ends:
    """Where sites enter (or leave) the core, the same number of slots for each.

    Attributes
    ----------
    core : array of int, (sites, slots)
        Core numbers; 0 in unused slots.
    leg : array of int, (sites, slots)
        Leg rows; -1 where the site is itself core and in unused slots.
    cost : array of float, (sites, slots)
        CNY a piece; infinite in unused slots.
    """

    core: Ints
    leg: Ints
    cost: Floats


def core_ways(tail: Ints, head: Ints, cost: Floats, core: NDArray[np.bool_]) -> CoreWays:
    """Find all cheapest ways between core sites.

    Parameters
    ----------
    tail, head : array of int, (legs,)
        Site rows.
    cost : array of float, (legs,)
        Positive; infinite for a leg that may not be used.
    core : array of bool, (sites,)
    """
    site = np.flatnonzero(core)
    number = np.full(len(core), -1)
    number[site] = np.arange(len(site))
    used = np.flatnonzero(core[tail] & core[head] & np.isfinite(cost))
    one, other = number[tail[used]], number[head[used]]
    leg = np.full((len(site), len(site)), -1)
    leg[one, other] = used
    backward = csr_matrix((cost[used], (other, one)), shape=leg.shape)
    away, before = dijkstra(backward, return_predecessors=True)
    return CoreWays(site, number, np.ascontiguousarray(away.T), np.where(before < 0, -1, before), leg)


def ends_of(sites: Ints, near: Ints, far: Ints, cost: Floats, ways: CoreWays) -> Ends:
    """List the entry legs (near = tail, far = head) or exit legs (the reverse) of sites.

    Parameters
    ----------
    sites : array of int
        Site rows, core or not.
    near, far : array of int, (legs,)
        The legs' ends beside the site and beside the core.
    cost : array of float, (legs,)
    ways : CoreWays
    """
    position = np.full(len(ways.number), -1)
    position[sites] = np.arange(len(sites))
    leaf = (position[near] >= 0) & (ways.number[near] < 0) & (ways.number[far] >= 0)
    legs = np.flatnonzero(leaf)
    legs = legs[np.argsort(position[near[legs]], kind="stable")]
    count = np.bincount(position[near[legs]], minlength=len(sites))
    slot = np.arange(len(legs)) - np.repeat(np.cumsum(count) - count, count)
    shape = (len(sites), max(1, int(count.max(initial=0))))
    core, leg, price = np.zeros(shape, np.int64), np.full(shape, -1), np.full(shape, np.inf)
    row = position[near[legs]]
    core[row, slot], leg[row, slot], price[row, slot] = ways.number[far[legs]], legs, cost[legs]
    itself = np.flatnonzero(ways.number[sites] >= 0)
    core[itself, 0], price[itself, 0] = ways.number[sites[itself]], 0.0
    return Ends(core, leg, price)


@dataclass(frozen=True)
class Assignment:
    """Pieces on their cheapest ways.

    Attributes
    ----------
    leg_pieces : array of float, (legs,)
        Pieces a day.
    core_pieces : array of float, (core, core)
        Pieces a day from the core site where they enter to the one where they leave.
    lost : float
        Pieces a day without any way.
    """

    leg_pieces: Floats
    core_pieces: Floats
    lost: float


def assign(demand: PairDemand, ways: CoreWays, entry: Ends, exits: Ends, n_legs: int) -> Assignment:
    """Put every pair on its cheapest way; pieces of a site to itself stay there.

    Parameters
    ----------
    demand : PairDemand
    ways : CoreWays
    entry, exits : Ends
        Of the origins and of the destinations.
    n_legs : int
    """
    n_core = len(ways.site)
    to_core, slot = enter(entry, ways)
    leave = np.zeros((len(demand.origin), n_core))
    row = np.arange(len(demand.origin))[:, None] * n_core
    leg_pieces, lost = np.zeros(n_legs), 0.0
    for first in range(0, len(demand.destination), BLOCK_COLUMNS):
        block = slice(first, first + BLOCK_COLUMNS)
        pieces = demand.pieces[:, block].astype(float)
        pieces[demand.origin[:, None] == demand.destination[None, block]] = 0.0
        best, least = choose_exit(to_core, exits, block)
        lost += float(pieces[~np.isfinite(least)].sum())
        pieces[~np.isfinite(least)] = 0.0
        # each pair leaves by one slot: one pass over the pairs instead of one for each slot
        column = np.arange(first, first + pieces.shape[1])
        leg = exits.leg[column, best].ravel()
        leg_pieces += np.bincount(leg + 1, pieces.ravel(), n_legs + 1)[1:]
        place = (row + exits.core[column, best]).ravel()
        leave += np.bincount(place, pieces.ravel(), leave.size).reshape(leave.shape)
    core_pieces = np.zeros((n_core, n_core))
    for k in range(entry.core.shape[1]):
        part = np.where(slot == k, leave, 0.0)
        np.add.at(core_pieces, entry.core[:, k], part)
        legs = entry.leg[:, k]
        leg_pieces[legs[legs >= 0]] += part.sum(axis=1)[legs >= 0]
    leg_pieces += load_core(core_pieces, ways, n_legs)
    return Assignment(leg_pieces, core_pieces, lost)


def enter(entry: Ends, ways: CoreWays) -> tuple[Floats, Ints]:
    """Cheapest cost from each origin to each core site, and the entry slot it takes."""
    least = entry.cost[:, 0, None] + ways.cost[entry.core[:, 0]]
    slot = np.zeros(least.shape, np.int64)
    for k in range(1, entry.core.shape[1]):
        other = entry.cost[:, k, None] + ways.cost[entry.core[:, k]]
        slot[other < least] = k
        np.minimum(least, other, out=least)
    return least, slot


def choose_exit(to_core: Floats, exits: Ends, block: slice) -> tuple[NDArray[np.int8], Floats]:
    """Return the cheapest exit slot and the cost for each origin and a block of destinations."""
    least = to_core[:, exits.core[block, 0]] + exits.cost[block, 0]
    best: NDArray[np.int8] = np.zeros(least.shape, np.int8)
    for k in range(1, exits.core.shape[1]):
        if np.isinf(exits.cost[block, k]).all():
            break
        other = to_core[:, exits.core[block, k]] + exits.cost[block, k]
        best[other < least] = k
        np.minimum(least, other, out=least)
    return best, least


def load_core(core_pieces: Floats, ways: CoreWays, n_legs: int) -> Floats:
    """Return pieces a day on each leg between core sites."""
    here, target = np.nonzero(core_pieces)
    pieces = core_pieces[here, target]
    flow = np.zeros(n_legs)
    while True:
        moving = here != target
        here, target, pieces = here[moving], target[moving], pieces[moving]
        if not len(here):
            return flow
        after = ways.toward[target, here]
        flow += np.bincount(ways.leg[here, after], pieces, n_legs)
        here = after


def along_ways(value: Floats, ways: CoreWays) -> Floats:
    """Sum a value of legs along every cheapest way, (core, core).

    Parameters
    ----------
    value : array of float, (legs,)
    ways : CoreWays
    """
    n = len(ways.site)
    start, target = (part.reshape(-1) for part in np.indices((n, n)))
    total = np.zeros(n * n)
    place, here = np.arange(n * n), start
    while True:
        after = ways.toward[target, here]
        moving = (here != target) & (after >= 0)
        place, here, target, after = place[moving], here[moving], target[moving], after[moving]
        if not len(place):
            return total.reshape(n, n)
        total[place] += value[ways.leg[here, after]]
        here = after
