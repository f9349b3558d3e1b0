"""The national network with a hub closed: seconds to the proved gap, sort plan, next outages, memory.

``python benchmarks/national.py --level county --close H3307`` prints one JSON object. The
network is built and the kernels are compiled before the first clock starts. The next
outages (``--next N``) close N core sites one after another, each from the prices, paths and
volumes of the plan without outages: the busiest, and N-1 spread over the others by rank.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver
from changtong.network.model import Network
from changtong.network.reference import busiest_hub, reference_network
from changtong.outages import apply_outages, close_sites
from changtong.planning import sortplan
from changtong.planning.assemble import OBJECTIVES, Question, assemble
from changtong.planning.baseline import baseline_flow
from changtong.planning.large import price_unserved
from changtong.planning.result import PlanSettings

STEPS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0001)
NEXT_GAP = 0.005


def ask(network: Network, site: str | None) -> Question:
    """Return the flow problem with a site closed, weighed as ``plan()`` weighs it by default."""
    effect = apply_outages(network, close_sites(network, [site]) if site else ())
    hour = PlanSettings().hour_cny
    return assemble(network, effect, objectives=OBJECTIVES, hour_cny=hour, unserved_cny=None)


def solve(
    network: Network, site: str | None, settings: FlowSettings, progress: Any = None
) -> tuple[Question, FlowSolver, FlowResult]:
    """Solve one flow cold."""
    question = ask(network, site)
    solver = FlowSolver(question.problem, settings)
    question = price_unserved(question, solver)
    return question, solver, solver.solve(progress)


def next_outages(network: Network, n: int) -> dict[str, Any]:
    """Close core sites one after another, warm."""
    _, solver, result = solve(network, None, FlowSettings(gap_share=1e-3, seconds=60.0))
    base = solver.problem
    handled = np.bincount(base.leg_head, result.leg_flow, minlength=base.n_sites)
    core = solver.lay.core_site[np.argsort(-handled[solver.lay.core_site], kind="stable")]
    picked = [0, *np.linspace(len(core) // n, len(core) - 1, n - 1).astype(int)]
    solver.settings = replace(solver.settings, gap_share=NEXT_GAP)
    rows = []
    for rank in picked:
        capacity = base.site_capacity.copy()
        capacity[core[rank]] = 0.0
        begin = time.perf_counter()
        solver.change(replace(base, site_capacity=capacity))
        result = solver.solve()
        rows.append((network.site_ids[core[rank]], time.perf_counter() - begin, result.gap_share))
    return {
        "next_outage_gap_asked": NEXT_GAP,
        "next_outage_busiest_s": rows[0][1],
        "next_outage_median_s": statistics.median(seconds for _, seconds, _ in rows[1:]),
        "next_outages": {site: f"{seconds:.2f} s, gap {gap:.3%}" for site, seconds, gap in rows},
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--level", choices=["county", "city"], default="county")
    parser.add_argument("--close", help="site; the busiest hub by default")
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--next", type=int, default=0, help="sites to close one after another, warm")
    options = parser.parse_args()
    city = reference_network(level="city")
    _, solver, result = solve(city, busiest_hub(city), FlowSettings(seconds=2.0))  # compiles the kernels
    del solver, result
    begin = time.perf_counter()
    network = reference_network(level=options.level)
    loaded = time.perf_counter() - begin
    site = options.close or busiest_hub(network)
    reached: dict[str, float] = {}

    def watch(done: int, lower: float, upper: float, seconds: float) -> None:
        for step in STEPS:
            if done > 1 and upper - lower <= step * upper:
                reached.setdefault(f"{step:.2%}", round(seconds, 2))

    begin = time.perf_counter()
    settings = FlowSettings(gap_share=options.gap, seconds=options.seconds)
    question, solver, result = solve(network, site, settings, watch)
    flow_s = time.perf_counter() - begin
    flow_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.perf_counter()
    trees = sortplan.make_sort_plan(
        network, question, solver, result, baseline_flow(network), stability_cny=0.0
    )
    sort_s = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "level": options.level,
        "closed": site,
        "sites": network.sites.height,
        "legs": network.legs.height,
        "pairs": len(question.problem.pair_from),
        "build_s": loaded,
        "flow_s": flow_s,
        "rounds": result.rounds,
        "termination": result.termination.value,
        "gap_share": result.gap_share,
        "unserved_pieces": float(result.unserved.sum(dtype=float)),
        "flow_peak_mib": flow_peak,
        "sort_plan_s": sort_s,
        "sort_plan_gap_share": trees.gap_share,
        "sort_plan_held_pieces": float(trees.held.sum(dtype=float)),
        "peak_mib": peak,
    }
    del question, solver, result, trees
    if options.next > 1:
        facts |= next_outages(network, options.next)
    print(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
