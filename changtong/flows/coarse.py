"""A coarser flow problem: leaf sites with the same nearest core sites taken as one.

Prices that have far to rise (a full cut of the core, up to the penalty of a piece) rise on
the coarse problem at a fraction of the work; the fine one starts from them (multilevel
start: Southwell 1946, Brandt 1977). Coarse prices are prices, so every bound stays valid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.layout import core_sites
from changtong.flows.problem import FlowProblem

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

ALONE = 0.6
"""A leaf whose pieces would fill more than this share of its open legs stays by itself."""

MOST_PAIRS = 4_000_000
"""Coarse pairs beyond which coarsening is not worth it."""


@dataclass(frozen=True)
class Coarse:
    """A coarse problem, and where its parts come from.

    Attributes
    ----------
    problem : FlowProblem
        One class-wise total for each pair of groups.
    group : array of int, (sites,)
        Coarse site of each site.
    leg : array of int, (legs,)
        Coarse leg of each leg, -1 where it is shut or within a group.
    """

    problem: FlowProblem
    group: Longs
    leg: Longs


def coarsen(problem: FlowProblem) -> Coarse | None:
    """Return the problem with its leaf sites grouped, None where that saves nothing.

    Core sites, shut sites, and leaves that may fill their own legs stay by themselves;
    others join those with the same cheapest core site out and in. Costs of a group's legs
    are means weighed by capacity, capacities are sums.
    """
    core = core_sites(problem)
    if problem.n_sites < 3 * core.sum():
        return None
    group = _groups(problem, core)
    m = int(group.max()) + 1
    if m * m > MOST_PAIRS:
        return None
    use = _open_legs(problem)
    start, end = group[problem.leg_tail], group[problem.leg_head]
    use &= start != end
    keys, which = np.unique(start[use] * m + end[use], return_inverse=True)
    weight = np.minimum(problem.leg_capacity[use], 1e12)
    capacity = np.bincount(which, weight)
    leg = np.full(len(use), -1, np.int64)
    leg[use] = which
    finite = np.isfinite(problem.site_capacity)
    known = np.where(finite, problem.site_capacity, 0.0)
    site_capacity = np.bincount(group, known, minlength=m).astype(np.float64)
    site_capacity[np.bincount(group, ~finite, minlength=m) > 0] = np.inf
    moved = np.bincount(
        group[problem.pair_from] * m + group[problem.pair_to], problem.totals(), minlength=m * m
    )
    pair = np.flatnonzero(moved > 0.0)
    pair = pair[pair // m != pair % m]
    coarse = replace(
        problem,
        n_sites=m,
        leg_tail=(keys // m).astype(np.int32),
        leg_head=(keys % m).astype(np.int32),
        leg_cost=np.bincount(which, weight * problem.leg_cost[use]) / capacity,
        leg_capacity=np.where(capacity >= 1e12, np.inf, capacity),
        site_capacity=site_capacity,
        transit=np.bincount(group, ~problem.transit, minlength=m) == 0,
        pair_from=(pair // m).astype(np.int32),
        pair_to=(pair % m).astype(np.int32),
        pair_pieces=moved[pair][:, None],
        class_share=_shares(problem),
        limits=(),  # their prices begin at 0
    )
    return Coarse(coarse, group, leg)


def _shares(problem: FlowProblem) -> Floats:
    if problem.pair_pieces.shape[1] == 1:
        return np.ones(1) if problem.class_share is None else problem.class_share
    total = problem.pair_pieces.sum(axis=0, dtype=np.float64)
    return np.asarray(total / max(float(total.sum()), 1e-30), np.float64)


def _open_legs(problem: FlowProblem) -> NDArray[np.bool_]:
    shut = problem.site_capacity <= 0.0
    return np.asarray(~(shut[problem.leg_tail] | shut[problem.leg_head]) & (problem.leg_capacity > 0.0), bool)


def _groups(problem: FlowProblem, core: NDArray[np.bool_]) -> Longs:
    n, tail, head = problem.n_sites, problem.leg_tail, problem.leg_head
    use, total = _open_legs(problem), problem.totals()
    alone = core | (problem.site_capacity <= 0.0)
    nearest = []
    for end, other, pair_end in ((tail, head, problem.pair_from), (head, tail, problem.pair_to)):
        pieces = np.bincount(pair_end, total, minlength=n)
        room = np.bincount(end[use], problem.leg_capacity[use], minlength=n)
        alone |= pieces > ALONE * room
        legs = np.flatnonzero(use & core[other] & ~core[end])
        legs = legs[np.lexsort((problem.leg_cost[legs], end[legs]))]
        sites, first = np.unique(end[legs], return_index=True)
        near = np.full(n, n, np.int64)
        near[sites] = other[legs[first]]
        nearest.append(near)
    key = np.where(alone, (n + 1) ** 2 + np.arange(n), nearest[0] * (n + 1) + nearest[1])
    return np.asarray(np.unique(key, return_inverse=True)[1], np.int64)
