"""Carbon of the national plan: seconds, processor seconds and memory, the median of several runs.

``python benchmarks/carbon.py`` builds the county network of China (3,234 sites, 8.0 million pairs), takes the ways
in force (``--plan``: plans with the busiest hub closed instead, aimed at 30 s), and times the estimate by
ISO 14083 of every leg, lane and site. ``--level city`` is the smaller network. Building, planning and compiling
are not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from typing import Any

from peers import machine

from changtong.footprint.estimate import estimate_carbon
from changtong.kernels import prepare_kernels
from changtong.network.model import Network
from changtong.network.reference import reference_network
from changtong.outages import close_sites
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.routes import Routes, pairs_of, routes_in_force


def ways(network: Network, *, planned: bool) -> Routes:
    """Return the routes in force, or of a plan with the busiest hub closed."""
    if not planned:
        return routes_in_force(network, pairs_of(network))
    busiest = network.sites.sort("sort_pieces_per_h", descending=True, nulls_last=True)["site_id"][0]
    shut = close_sites(network, [str(busiest)])
    return plan(network, shut, settings=PlanSettings(seconds=10.0, within_s=30.0)).routes()


def run(level: str, runs: int, *, planned: bool) -> dict[str, Any]:
    """Time the estimate some times on one network."""
    for part in ("planner", "footprint"):
        prepare_kernels(lambda text: print(text, file=sys.stderr), part)()
    network = reference_network(level=level)
    routes = ways(network, planned=planned)
    seconds, processor = [], []
    for _ in range(runs + 1):  # the first is not counted: it brings memory in
        begin, cpu = time.perf_counter(), time.process_time()
        made = estimate_carbon(network, routes=routes)
        processor.append(time.process_time() - cpu)
        seconds.append(time.perf_counter() - begin)
    summary = made.summary()
    return {
        "level": level,
        "sites": network.sites.height,
        "pairs": network.demand.height,
        "runs": runs,
        "seconds": round(statistics.median(seconds[1:]), 2),
        "least_s": round(min(seconds[1:]), 2),
        "most_s": round(max(seconds[1:]), 2),
        "processor_s": round(statistics.median(processor[1:]), 2),
        "kgco2e": summary["kgco2e"],
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "machine": machine(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", choices=("county", "city"), default="county")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--plan", action="store_true")
    given = parser.parse_args()
    print(json.dumps(run(given.level, given.runs, planned=given.plan), indent=1))
