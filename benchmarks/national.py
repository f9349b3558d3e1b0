"""The national network with a hub closed: seconds to each proved gap, sort plan, memory.

``python benchmarks/national.py --level county --close H3307`` prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time

from changtong.network.reference import busiest_hub, reference_network
from changtong.outages import apply_outages, close_sites
from changtong.planning import sortplan
from changtong.planning.assemble import OBJECTIVES, assemble
from changtong.planning.flow import FlowSettings, FlowSolver
from changtong.planning.plan import baseline_flow, price_unserved

STEPS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0001)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--level", choices=["county", "city"], default="county")
    parser.add_argument("--close", help="site; the busiest hub by default")
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    city = reference_network(level="city")
    _solve(city, busiest_hub(city), FlowSettings(seconds=2.0))  # compiles the kernels
    begin = time.perf_counter()
    network = reference_network(level=options.level)
    loaded = time.perf_counter() - begin
    site = options.close or busiest_hub(network)
    reached: dict[str, float] = {}

    def watch(done: int, lower: float, upper: float, seconds: float) -> None:
        for step in STEPS:
            if upper - lower <= step * upper:
                reached.setdefault(f"{step:.2%}", round(seconds, 2))

    begin = time.perf_counter()
    settings = FlowSettings(gap_share=options.gap, seconds=options.seconds)
    question, solver, result = _solve(network, site, settings, watch)
    flow_s = time.perf_counter() - begin
    flow_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.perf_counter()
    trees = sortplan.make_sort_plan(
        network, question, solver, result, baseline_flow(network), stability_cny=0.0
    )
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
        "expected_gap_reached_s": reached,
        "unserved_pieces": float(result.unserved.sum(dtype=float)),
        "flow_peak_mib": flow_peak,
        "sort_plan_s": time.perf_counter() - begin,
        "sort_plan_gap_share": trees.gap_share,
        "sort_plan_held_pieces": float(trees.held.sum(dtype=float)),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(facts, indent=1))
    return 0


def _solve(network, site, settings, progress=None):  # type: ignore[no-untyped-def]
    effect = apply_outages(network, close_sites(network, [site]))
    question = assemble(network, effect, objectives=OBJECTIVES, hour_cny=0.01, unserved_cny=None)
    solver = FlowSolver(question.problem, settings)
    question = price_unserved(question, solver)
    return question, solver, solver.solve(progress)


if __name__ == "__main__":
    sys.exit(main())
