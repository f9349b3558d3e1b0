"""Public multicommodity flow instances: proved interval and seconds for each.

``python benchmarks/mcf.py FOLDER --json`` reads every file of FOLDER in the format of the
grid and planar networks (number of nodes, arcs, commodities; then arcs as start, end, cost,
capacity; then commodities as origin, destination, demand) and prints name, lower, upper and
seconds. One rule sets all parameters. Kernels are compiled before the first clock starts.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from changtong.flows.flow import FlowSettings, solve_flow
from changtong.flows.problem import FlowProblem

UNSERVED_FACTOR = 1000.0
"""Penalty of a piece left behind, in dearest arcs: every commodity must be carried."""


def read_instance(path: Path) -> FlowProblem | None:
    """Read one instance; None when the file is something else."""
    try:
        values = np.array(path.read_text().split(), float)
    except (ValueError, UnicodeDecodeError):
        return None
    if len(values) < 3:
        return None
    n, m, k = (int(x) for x in values[:3])
    if len(values) != 3 + 4 * m + 3 * k or n < 2:
        return None
    arcs = values[3 : 3 + 4 * m].reshape(m, 4)
    wants = values[3 + 4 * m :].reshape(k, 3)
    key = (wants[:, 0].astype(np.int64) - 1) * n + wants[:, 1].astype(np.int64) - 1
    moves = key // n != key % n
    keys, inverse = np.unique(key[moves], return_inverse=True)
    return FlowProblem(
        n_sites=n,
        leg_tail=(arcs[:, 0] - 1).astype(np.int32),
        leg_head=(arcs[:, 1] - 1).astype(np.int32),
        leg_cost=arcs[:, 2].copy(),
        leg_capacity=arcs[:, 3].copy(),
        site_capacity=np.full(n, np.inf),
        transit=np.ones(n, bool),
        pair_from=(keys // n).astype(np.int32),
        pair_to=(keys % n).astype(np.int32),
        pair_pieces=np.bincount(inverse, wants[moves, 2], len(keys))[:, None],
        class_penalty=np.array([UNSERVED_FACTOR * max(1.0, float(arcs[:, 2].max()))]),
    )


def published(folder: Path) -> dict[str, float]:
    """Read published optima from ``optimal*.csv`` beside the instances."""
    found = {}
    for path in folder.glob("optimal*.csv"):
        with path.open(newline="") as file:
            found.update({row["instance"]: float(row["optimal"]) for row in csv.DictReader(file)})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--seconds", type=float, default=300.0, help="limit for each instance")
    parser.add_argument("--runs", type=int, default=1, help="runs of each; the median is printed")
    options = parser.parse_args()
    if not options.folder.is_dir():
        print(f"{options.folder} is not a folder", file=sys.stderr)
        return 2
    problems = {
        p.name: q for p in sorted(options.folder.iterdir()) if p.is_file() and (q := read_instance(p))
    }
    if not problems:
        print(f"no instance in {options.folder}", file=sys.stderr)
        return 2
    solve_flow(min(problems.values(), key=lambda q: len(q.leg_tail)))  # compiles the kernels
    best = published(options.folder)
    rows = []
    for name, problem in sorted(problems.items(), key=lambda item: len(item[1].pair_from)):
        seconds = []
        for _ in range(options.runs):
            begin = time.perf_counter()
            result = solve_flow(problem, FlowSettings(gap_share=options.gap, seconds=options.seconds))
            seconds.append(time.perf_counter() - begin)
        row = {
            "name": name,
            "sites": problem.n_sites,
            "legs": len(problem.leg_tail),
            "pairs": len(problem.pair_from),
            "lower": result.lower_bound,
            "upper": result.objective,
            "seconds": statistics.median(seconds),
            "gap_share": result.gap_share,
            "unserved": float(result.unserved.sum()),
            "termination": result.termination.value,
        }
        if name in best:
            row["published"] = best[name]
            row["inside"] = result.lower_bound <= best[name] * (1 + 1e-6) and best[
                name
            ] <= result.objective * (1 + 1e-6)
        rows.append(row)
        if not options.json:
            mark = "" if name not in best else "  optimum inside" if row["inside"] else "  OPTIMUM OUTSIDE"
            print(
                f"{name:<12}{row['pairs']:>8} pairs  [{row['lower']:.8g}, {row['upper']:.8g}]"
                f"  gap {row['gap_share']:.4%}{row['seconds']:>8.2f} s{mark}",
                flush=True,
            )
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.json:
        print(json.dumps({"machine": machine, "gap": options.gap, "peak_mib": peak, "instances": rows}))
    else:
        print(f"{machine}; peak {peak:.0f} MiB; medians of {options.runs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
