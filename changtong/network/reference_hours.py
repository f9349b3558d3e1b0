"""Hours: site handling fitted to the published stage times, and the hours of every pair.

Published (facts: first quarter of 2022, inter-city items): 64.57 h from end to end; the
split by stage is that of 2018, of which transport between the first and the last city
centre is 56.6 %. Two numbers are fitted: the handling hours of hubs (to the transport
stage) and of county units (to the rest: collecting, delivering). Those of city centres
are assumed. Handling hours include the wait for the next departure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.network.reference_demand import PairDemand
from changtong.network.reference_flow import CoreWays, along_ways, choose_exit, ends_of, enter
from changtong.network.reference_legs import Links
from changtong.network.reference_places import Floats, Places, published, read_table

BLOCK_COLUMNS = 256


def handling_hours(places: Places, demand: PairDemand, links: Links, ways: CoreWays) -> Floats:
    """Return handling hours of each site for each visit.

    Parameters
    ----------
    places : Places
    demand : PairDemand
    links : Links
    ways : CoreWays
        By the cost of ``links``.
    """
    kind = places.frame["kind"].to_numpy()
    known = dict(zip(*read_table("site_kinds")[["kind", "handling_h"]], strict=True))
    hours = np.array([known[name] if known[name] is not None else 0.0 for name in kind], float)
    core_leg = (ways.number[links.tail] >= 0) & (ways.number[links.head] >= 0)
    parts = {
        "travel": np.where(core_leg, links.hours, 0.0),
        "local": np.where(core_leg, 0.0, links.hours),
        "hubs": (kind == "transfer")[links.head].astype(float),
        "centres": (kind == "sorting")[links.head].astype(float),
    }
    mean = mean_between_cities(demand, links, ways, parts)
    end_to_end = published("end_to_end_h")
    transport = end_to_end * published("transport_share")
    if kind[demand.origin[0]] == "sorting":  # a city centre stands for its county units too
        mean["centres"] += 1  # the first site is no leg's head
        centre = (end_to_end - transport) / 2
        hours[kind == "sorting"] = centre
    else:
        centre = float(known["sorting"] or 0.0)
        hours[kind == "county"] = (end_to_end - transport - mean["local"] - 2 * centre) / 2
    between = transport - mean["travel"] - (mean["centres"] - 2) * centre
    hours[kind == "transfer"] = between / mean["hubs"]
    return hours


def mean_between_cities(
    demand: PairDemand, links: Links, ways: CoreWays, parts: dict[str, Floats]
) -> dict[str, float]:
    """Mean of leg values summed along the ways of inter-city pieces.

    Parameters
    ----------
    demand : PairDemand
    links : Links
    ways : CoreWays
    parts : dict of str to array of float, (legs,)
    """
    sums = dict.fromkeys(parts, 0.0)
    pieces = 0.0
    tables = {name: PairSums(demand, links, ways, value) for name, value in parts.items()}
    any_table = next(iter(tables.values()))
    n = len(demand.origin)
    for first in range(0, n, BLOCK_COLUMNS):
        block = slice(first, min(first + BLOCK_COLUMNS, n))
        volume = demand.pieces[:, block].astype(float)
        volume[demand.city[:n, None] == demand.city[None, block]] = 0.0
        best, _ = choose_exit(any_table.to_core, any_table.exits, block)
        pieces += float(volume.sum())
        for name, table in tables.items():
            sums[name] += float((volume * table.values(best, block)).sum())
    return {name: value / pieces for name, value in sums.items()}


class PairSums:
    """A leg value summed along the cheapest way of every pair.

    Parameters
    ----------
    demand : PairDemand
    links : Links
    ways : CoreWays
    value : array of float, (legs,)
    """

    def __init__(self, demand: PairDemand, links: Links, ways: CoreWays, value: Floats) -> None:
        entry = ends_of(demand.origin, links.tail, links.head, links.cost, ways)
        self.exits = ends_of(demand.destination, links.head, links.tail, links.cost, ways)
        self.to_core, slot = enter(entry, ways)
        padded = np.append(value, 0.0)
        row = np.arange(len(demand.origin))[:, None]
        core = np.arange(len(ways.site))[None, :]
        between = along_ways(value, ways)
        self.before = padded[entry.leg[row, slot]] + between[entry.core[row, slot], core]
        self.after = padded[self.exits.leg]

    def values(self, best: NDArray[np.int8], block: slice) -> Floats:
        """Return the sums for chosen exit slots of a block of destinations."""
        columns = np.arange(block.start, block.stop)[None, :]
        core = self.exits.core[columns, best]
        sums: Floats = np.take_along_axis(self.before, core, axis=1) + self.after[columns, best]
        return sums
