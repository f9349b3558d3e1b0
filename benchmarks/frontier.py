"""The frontier between cost and carbon of the reference network: seconds, and how much is left open.

``python benchmarks/frontier.py`` finds it at city level (402 sites) with nothing shut and with the busiest hub
shut, 10 s a plan at most. Building and compiling are not counted. ``--runs`` is how often, the median is told.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from peers import machine

from changtong.carbon_frontier import Frontier, carbon_frontier
from changtong.kernels import prepare_kernels
from changtong.network.model import Network
from changtong.network.reference import reference_network
from changtong.outages import Outage, close_sites
from changtong.planning.result import PlanSettings


def find(
    network: Network, outages: tuple[Outage, ...], points: int, seconds: float
) -> tuple[Frontier, float]:
    """Find a frontier; return it with the processor seconds it took."""
    begin = time.process_time()
    found = carbon_frontier(network, outages, points=points, settings=PlanSettings(seconds=seconds))
    return found, time.process_time() - begin


def figures(made: list[tuple[Frontier, float]]) -> dict[str, Any]:
    """Return what is told of some runs of one frontier."""
    runs = [found for found, _ in made]
    last = runs[-1]
    ends = [last.points.row(at, named=True) for at in (0, -1)]
    return {
        "seconds": round(statistics.median(one.runtime_s for one in runs), 2),
        "least_s": round(min(one.runtime_s for one in runs), 2),
        "most_s": round(max(one.runtime_s for one in runs), 2),
        "processor_s": round(statistics.median(spent for _, spent in made), 1),
        "solves": last.solves,
        "plans": last.points.height,
        "open_share": round(last.gap_share, 5),
        "cheapest": [round(ends[0]["cost_cny"]), round(ends[0]["kgco2e"])],
        "cleanest": [round(ends[1]["cost_cny"]), round(ends[1]["kgco2e"])],
        "largest_gap": round(max(last.points["gap_share"]), 5),
        "behind": [round(float(value), 1) for value in last.points["unserved_pieces"]],
    }


def run(level: str, runs: int, points: int, seconds: float) -> dict[str, Any]:
    """Find the frontier some times, with nothing shut and with the busiest hub shut."""
    prepare_kernels(lambda text: print(text, file=sys.stderr))()
    network = reference_network(level=level)
    busiest = network.sites.sort("sort_pieces_per_h", descending=True, nulls_last=True)["site_id"][0]
    find(network, (), 2, seconds)  # not counted: it brings memory in
    out: dict[str, Any] = {"level": level, "sites": network.sites.height, "points": points}
    for name, outages in (("open", ()), ("busiest_shut", close_sites(network, [str(busiest)]))):
        out[name] = figures([find(network, outages, points, seconds) for _ in range(runs)])
    return out | {"machine": machine()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", choices=("county", "city"), default="city")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--points", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=10.0, help="of a plan, at most")
    given = parser.parse_args()
    print(json.dumps(run(given.level, given.runs, given.points, given.seconds), indent=1))
