"""Which sites reach which, and where a sort plan leads: tested on the whole network at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]
Bits = NDArray[np.uint8]
PAIRS_AT_ONCE = 1 << 20


def reachable_bits(sites: int, tail: Ints, head: Ints, transit: NDArray[np.bool_]) -> Bits:
    """Return which sites each site's pieces can reach.

    Parameters
    ----------
    sites : int
        How many sites there are.
    tail, head : array of int, (legs,)
        Site rows.
    transit : array of bool, (sites,)
        Whether pieces of others may pass through; a way's first and last site need not.

    Returns
    -------
    array of uint8, (sites, ceil(sites / 8))
        Bit ``head & 7`` of byte ``head >> 3`` in row ``tail``. A site reaches itself.
    """
    inner = transit[tail] & transit[head]
    graph = coo_array(
        (np.ones(int(inner.sum()), np.int8), (tail[inner], head[inner])), (sites, sites)
    ).tocsr()
    count, part = connected_components(graph, directed=True, connection="strong")
    part = part.astype(np.int64)
    reach = np.zeros((count, (sites + 7) // 8), np.uint8)
    onward = transit[tail]
    for start, end in ((part, np.arange(sites)), (part[tail[onward]], head[onward])):
        np.bitwise_or.at(reach, (start, end >> 3), np.left_shift(1, end & 7).astype(np.uint8))
    links = np.unique(part[tail[inner]] * count + part[head[inner]])
    before, after = links // count, links % count
    before, after = before[before != after], after[before != after]
    _spread(reach, before, after)
    origins: Bits = reach[part]
    ends = np.flatnonzero(~transit[tail])
    ends = ends[np.argsort(tail[ends], kind="stable")]
    passes = ends[transit[head[ends]]]
    np.bitwise_or.at(
        origins, (tail[ends], head[ends] >> 3), np.left_shift(1, head[ends] & 7).astype(np.uint8)
    )
    if len(passes):
        first = np.flatnonzero(np.diff(tail[passes], prepend=-1))
        origins[tail[passes[first]]] |= np.bitwise_or.reduceat(reach[part[head[passes]]], first, axis=0)
    return origins


def _spread(reach: Bits, before: Ints, after: Ints) -> None:
    """Add what a part's followers reach until nothing changes (as many rounds as the longest chain)."""
    if len(before) == 0:
        return
    first = np.flatnonzero(np.diff(before, prepend=-1))
    while True:
        grown = reach[before[first]] | np.bitwise_or.reduceat(reach[after], first, axis=0)
        if np.array_equal(grown, reach[before[first]]):
            return
        reach[before[first]] = grown


def unreachable_rows(bits: Bits, origin: NDArray[np.integer], destination: NDArray[np.integer]) -> Ints:
    """Return the rows of a demand table whose destination cannot be reached.

    Parameters
    ----------
    bits : array of uint8
        From ``reachable_bits``.
    origin, destination : array of int
        Site rows.
    """
    found: list[Ints] = []
    for start in range(0, len(origin), PAIRS_AT_ONCE):
        one = origin[start : start + PAIRS_AT_ONCE].astype(np.int32)
        other = destination[start : start + PAIRS_AT_ONCE].astype(np.int32)
        hit = (bits[one, other >> 3] >> (other & 7).astype(np.uint8)) & 1
        found.append(np.flatnonzero(hit == 0) + start)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


@dataclass(frozen=True)
class SortPlanFaults:
    """Rows of a sort plan that do not lead to their destination.

    Attributes
    ----------
    stops : array of int
        Rows whose next site has no row for the destination.
    loops : tuple of array of int
        Rows of each loop, in the order the pieces go round.
    """

    stops: Ints
    loops: tuple[Ints, ...]


def trace_sort_plan(sites: int, site: Ints, destination: Ints, next_site: Ints) -> SortPlanFaults:
    """Follow every row of a sort plan to its end.

    Parameters
    ----------
    sites : int
        How many sites there are.
    site, destination, next_site : array of int, (rows,)
        Site rows; one row for each site and destination.
    """
    rows = len(site)
    key = destination * sites + site
    order = np.argsort(key, kind="stable")
    wanted = destination * sites + next_site
    place = np.minimum(np.searchsorted(key[order], wanted), max(rows - 1, 0))
    follower = order[place] if rows else np.zeros(0, np.int64)
    arrives = next_site == destination
    known = key[follower] == wanted
    stops = np.flatnonzero(~arrives & ~known)
    end = rows  # one place where all ways that end stay
    onward = np.append(np.where(~arrives & known, follower, end), end)
    reached = onward.copy()
    for _ in range(max(int(np.ceil(np.log2(max(sites, 2)))), 1) + 1):
        reached = reached[reached]
    return SortPlanFaults(stops, _loops(np.unique(reached[reached < end]), onward))


def _loops(rows: Ints, onward: Ints) -> tuple[Ints, ...]:
    loops: list[Ints] = []
    seen: set[int] = set()
    for row in rows.tolist():
        if row in seen:
            continue
        way = [row]
        while (following := int(onward[way[-1]])) != row:
            way.append(following)
        seen.update(way)
        loops.append(np.array(way))
    return tuple(loops)
