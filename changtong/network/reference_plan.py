"""The sort plan in force of a network: for each site and destination, the next site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.network.reference_flow import CoreWays, core_ways, ends_of
from changtong.network.reference_places import Floats, Ints


@dataclass(frozen=True)
class _Graph:
    tail: Ints
    head: Ints
    cost: Floats
    ways: CoreWays


def sort_plan_in_force(network: Network) -> pl.DataFrame:
    """Return the sort plan that puts every piece on its cheapest way.

    Parameters
    ----------
    network : Network
        Sites without ``transit`` must have legs with transit sites only.

    Returns
    -------
    polars.DataFrame
        site, destination, next_site: for every destination of a demand row, every other
        site from which it can be reached. About 9 million rows at county level.
    """
    transit = network.sites["transit"].to_numpy()
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int64)
    head = network.legs["to_site"].to_physical().to_numpy().astype(np.int64)
    cost = network.legs["cost_cny_per_piece"].to_numpy()
    graph = _Graph(tail, head, cost, core_ways(tail, head, cost, transit))
    targets = np.unique(network.demand["to_site"].to_physical().to_numpy()).astype(np.int64)
    after = _next_sites(graph, targets, len(transit))
    site, column = np.nonzero(after >= 0)
    order = np.lexsort((column, site))
    site, column = site[order], column[order]

    def name(rows: Ints) -> pl.Series:
        return pl.Series(rows.astype(np.uint32)).cat.to(network.site_type)

    return pl.DataFrame(
        {
            "site": name(site),
            "destination": name(targets[column]),
            "next_site": name(after[site, column].astype(np.int64)),
        }
    )


def _next_sites(graph: _Graph, targets: Ints, n_sites: int) -> NDArray[np.int32]:
    """Row of the next site from each site to each target; -1 where none, (sites, targets)."""
    ways, everyone = graph.ways, np.arange(n_sites)
    exits = ends_of(targets, graph.head, graph.tail, graph.cost, ways)
    entry = ends_of(everyone, graph.tail, graph.head, graph.cost, ways)
    leaf = np.flatnonzero(ways.number < 0)
    after: NDArray[np.int32] = np.full((n_sites, len(targets)), -1, np.int32)
    n_core = len(ways.site)
    for column, target in enumerate(targets):
        through = ways.cost[:, exits.core[column]] + exits.cost[column]
        slot = through.argmin(axis=1)
        least = through[np.arange(n_core), slot]
        leave = exits.core[column][slot]
        hop = ways.toward[leave, np.arange(n_core)]
        hop = np.where(leave == np.arange(n_core), target, ways.site[hop])
        after[ways.site, column] = np.where(np.isfinite(least), hop, -1)
        begin = entry.cost[leaf] + least[entry.core[leaf]]
        first = begin.argmin(axis=1)
        reached = np.isfinite(begin[np.arange(len(leaf)), first])
        step = ways.site[entry.core[leaf, first]]
        after[leaf, column] = np.where(reached, step, -1)
        after[target, column] = -1
    return after
