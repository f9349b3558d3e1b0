"""Nested flow problems of growing size, cut out of the built-in network of China.

For a size: the busiest hubs and the busiest sites with demand of their own, in the
proportion of the whole network; of each site the busiest legs out and in; the demand among
what was kept. Capacities are what such a network would have been built for: ``ROOM`` times
the load when everything takes its cheapest way, one vehicle and ``SPARE`` at least. Then the busiest
hub is closed. So every size is as tight as the next, and the smaller lies in the larger.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from changtong.flows.problem import FlowProblem
from changtong.network.model import Network
from changtong.network.reference import reference_network

ROOM = 1.5
"""Capacity as a multiple of the load on cheapest ways: assumed."""

SPARE = 1.0
"""Least capacity of a leg as a multiple of the mean load of a leg: assumed, room for detours."""

LEGS_EACH_WAY = 3
"""Busiest legs kept out of and into each site: about 4.5 legs a site, kind to the peers."""

CITY_LIMIT = 400
"""Sizes up to this come from the city level, larger ones from the county level."""

PENALTY_FACTOR = 5.0
"""Penalty of an unserved piece as a multiple of the dearest cheapest way."""


def sub_network(size: int, network: Network | None = None) -> FlowProblem:
    """Cut a problem of about ``size`` sites out of the built-in network, its busiest hub closed."""
    network = network or reference_network(level="city" if size <= CITY_LIMIT else "county")
    tail, head = (network.legs[c].to_physical().to_numpy().astype(np.int64) for c in ("from_site", "to_site"))
    flow = network.legs["flow_pieces_per_day"].fill_null(0.0).to_numpy()
    start, end = (
        network.demand[c].to_physical().to_numpy().astype(np.int64) for c in ("from_site", "to_site")
    )
    pieces = network.demand["pieces_per_day"].cast(pl.Float64).to_numpy()
    kept = _kept_sites(network.sites.height, size, (tail, head, flow), (start, end, pieces))
    number = np.full(network.sites.height, -1)
    number[kept] = np.arange(len(kept))
    legs = _kept_legs(number[tail], number[head], flow)
    pairs = np.flatnonzero((number[start] >= 0) & (number[end] >= 0) & (start != end) & (pieces > 0.0))
    pairs = pairs[np.lexsort((number[end[pairs]], number[start[pairs]]))]
    open_network = FlowProblem(
        n_sites=len(kept),
        leg_tail=number[tail[legs]].astype(np.int32),
        leg_head=number[head[legs]].astype(np.int32),
        leg_cost=network.legs["cost_cny_per_piece"].to_numpy()[legs].astype(np.float64),
        leg_capacity=network.legs["vehicle_pieces"].fill_null(5000.0).to_numpy()[legs].astype(np.float64),
        site_capacity=np.full(len(kept), np.inf),
        transit=np.ones(len(kept), bool),
        pair_from=number[start[pairs]].astype(np.int32),
        pair_to=number[end[pairs]].astype(np.int32),
        pair_pieces=pieces[pairs][:, None],
        class_penalty=np.ones(1),
    )
    return _tight_and_closed(open_network)


def _kept_sites(
    n: int, size: int, legs: tuple[NDArray[np.int64], ...], demand: tuple[NDArray[np.int64], ...]
) -> NDArray[np.int64]:
    """Return the busiest hubs (sites without demand) and the busiest others, in order of number."""
    tail, head, flow = legs
    start, end, pieces = demand
    own = np.bincount(start, pieces, minlength=n) + np.bincount(end, pieces, minlength=n)
    busy = np.bincount(head, flow, minlength=n) + np.bincount(tail, flow, minlength=n)
    hubs, others = np.flatnonzero(own <= 0.0), np.flatnonzero(own > 0.0)
    wanted = round(size * len(hubs) / n)
    hubs = hubs[np.argsort(-busy[hubs], kind="stable")][:wanted]
    others = others[np.argsort(-own[others], kind="stable")][: size - wanted]
    return np.sort(np.concatenate([hubs, others]))


def _kept_legs(
    tail: NDArray[np.int64], head: NDArray[np.int64], flow: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the busiest legs out of and into each kept site."""
    inside = np.flatnonzero((tail >= 0) & (head >= 0) & (tail != head))
    chosen = []
    for ends in (tail[inside], head[inside]):
        order = np.lexsort((-flow[inside], ends))
        first = np.searchsorted(ends[order], ends[order], side="left")
        chosen.append(inside[order[np.arange(len(order)) - first < LEGS_EACH_WAY]])
    return np.unique(np.concatenate(chosen))


def _cheapest_loads(problem: FlowProblem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each leg's load when every pair takes its cheapest way, and the cost of those ways."""
    n = problem.n_sites
    weight = np.maximum(problem.leg_cost, 1e-9)
    graph = sparse.csr_matrix((weight, (problem.leg_tail, problem.leg_head)), shape=(n, n))
    leg_of = np.full((n, n), -1)
    leg_of[problem.leg_tail, problem.leg_head] = np.arange(len(weight))
    cost, before = csgraph.dijkstra(graph, return_predecessors=True)
    load = np.zeros(len(weight))
    wanted = np.zeros((n, n))
    wanted[problem.pair_from, problem.pair_to] = problem.pair_pieces[:, 0]
    for origin in np.unique(problem.pair_from):
        volume = np.where(np.isfinite(cost[origin]), wanted[origin], 0.0)
        for site in np.argsort(-cost[origin], kind="stable"):
            last = before[origin, site]
            if last >= 0 and volume[site] > 0.0:
                volume[last] += volume[site]
                load[leg_of[last, site]] += volume[site]
    return load, cost[problem.pair_from, problem.pair_to]


def _tight_and_closed(problem: FlowProblem) -> FlowProblem:
    """Set capacities by the loads, close the busiest site without demand, drop what is cut off."""
    load, cost = _cheapest_loads(problem)
    n = problem.n_sites
    least = np.maximum(problem.leg_capacity, np.ceil(SPARE * load.mean()))
    capacity = np.maximum(least, np.ceil(ROOM * load))
    through = np.bincount(problem.leg_head, load, minlength=n)
    sent = np.bincount(problem.pair_from, problem.pair_pieces[:, 0], minlength=n)
    hub = int(np.argmax(np.where(sent > 0.0, -1.0, through)))
    legs = np.flatnonzero((problem.leg_tail != hub) & (problem.leg_head != hub))
    site_capacity = np.maximum(np.ceil(ROOM * (through + sent)), float(problem.leg_capacity.max()))
    graph = sparse.csr_matrix(
        (np.ones(len(legs)), (problem.leg_tail[legs], problem.leg_head[legs])), shape=(n, n)
    )
    reach = np.isfinite(csgraph.dijkstra(graph, unweighted=True))
    pairs = np.flatnonzero(reach[problem.pair_from, problem.pair_to])
    return FlowProblem(
        n_sites=n,
        leg_tail=problem.leg_tail[legs],
        leg_head=problem.leg_head[legs],
        leg_cost=problem.leg_cost[legs],
        leg_capacity=capacity[legs],
        site_capacity=site_capacity,
        transit=problem.transit,
        pair_from=problem.pair_from[pairs],
        pair_to=problem.pair_to[pairs],
        pair_pieces=problem.pair_pieces[pairs],
        class_penalty=np.array([PENALTY_FACTOR * float(cost[np.isfinite(cost)].max())]),
    )
