"""Beside the peers: the same flow problems, to the same objective, by general LP solvers.

``python benchmarks/peers.py`` solves nested problems of growing size (``sub_networks.py``)
with this package and with the arc-flow linear program aggregated by destination in HiGHS
(dual simplex; interior point without crossover) and in OR-Tools PDLP. Every solve runs in a
process of its own, so its peak memory is its own; a peer that reaches the limit is not
tried on larger sizes. Seconds of a peer are those of its solve alone, without building the
program; ours are the whole call. Kernels are compiled before the first clock starts.

A ratio is a peer's seconds over ours. ``outside`` is how far a finished peer's objective lies
outside the interval we proved, as a share: 0 for an exact peer, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sub_networks import sub_network

from changtong.flows.flow import FlowSettings, solve_flow
from changtong.flows.problem import FlowProblem
from changtong.programs.arcflow import ArcFlow, arc_flow

SIZES = (50, 100, 200, 400, 800)
OURS = {"ours 0.1 %": 1e-3, "ours 0.01 %": 1e-4}
PEERS = ("highs-simplex", "highs-ipm", "ortools-pdlp")
PDLP_RELATIVE = 1e-4
"""Relative residuals asked of PDLP. Its flows break capacities by about as much, so that its
objective may lie on either side of the optimum; HiGHS keeps its defaults (1e-7)."""
EXACT = 1e-6
"""How far an exact peer's objective may lie outside the interval we proved, relative."""
THREADS = 2


def solve_ours(size: int, gap: float, seconds: float) -> dict[str, Any]:
    """Solve with this package."""
    solve_flow(sub_network(30))
    problem = sub_network(size)
    begin = time.perf_counter()
    result = solve_flow(problem, FlowSettings(gap_share=gap, seconds=seconds, threads=THREADS))
    took = time.perf_counter() - begin
    dead = float(problem.class_penalty[-1] * result.unserved[result.cut_off].sum(dtype=np.float64))
    return {
        "status": result.termination.value,
        "seconds": took,
        "objective": result.objective + dead,
        "lower": result.lower_bound + dead,
        "sites": problem.n_sites,
        "legs": len(problem.leg_tail),
        "pairs": len(problem.pair_from),
        "unserved_share": float(result.unserved.sum(dtype=np.float64) / problem.pair_pieces.sum()),
    }


def pass_program(highs: Any, program: ArcFlow, problem: FlowProblem) -> None:
    """Give HiGHS an arc-flow program with costs and penalties weighed together."""
    import highspy

    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = program.matrix.shape
    lp.col_cost_, lp.col_lower_ = program.weighed(problem), np.zeros(program.matrix.shape[1])
    lp.col_upper_ = _column_upper(program)
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = program.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = program.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = program.matrix.data
    highs.passModel(lp)


def solve_highs(size: int, solver: str, seconds: float) -> dict[str, Any]:
    """Solve the arc-flow program in HiGHS."""
    import highspy

    problem = sub_network(size)
    program = arc_flow(problem)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    if highs.setOptionValue("solver", solver) != highspy.HighsStatus.kOk:
        return {"status": "not in this build"}
    if solver != "simplex":
        highs.setOptionValue("run_crossover", "off")
    highs.setOptionValue("threads", THREADS)
    highs.setOptionValue("time_limit", seconds)
    pass_program(highs, program, problem)
    begin = time.perf_counter()
    highs.run()
    took = time.perf_counter() - begin
    done = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    status = "optimal" if done else highs.modelStatusToString(highs.getModelStatus()).lower()
    return {
        "status": status,
        "seconds": took,
        "objective": float(highs.getInfo().objective_function_value) if done else None,
        "columns": int(program.matrix.shape[1]),
        "rows": int(program.matrix.shape[0]),
    }


def solve_pdlp(size: int, seconds: float) -> dict[str, Any]:
    """Solve the arc-flow program in OR-Tools PDLP."""
    from ortools.pdlp import solve_log_pb2, solvers_pb2
    from ortools.pdlp.python import pdlp

    problem = sub_network(size)
    program = arc_flow(problem)
    lp = pdlp.QuadraticProgram()
    lp.resize_and_initialize(program.matrix.shape[1], program.matrix.shape[0])
    lp.objective_vector = program.weighed(problem)
    lp.constraint_matrix = program.matrix
    lp.constraint_lower_bounds, lp.constraint_upper_bounds = program.row_lower, program.row_upper
    lp.variable_lower_bounds = np.zeros(program.matrix.shape[1])
    lp.variable_upper_bounds = _column_upper(program)
    options = solvers_pb2.PrimalDualHybridGradientParams()
    options.num_threads = THREADS
    criteria = options.termination_criteria
    criteria.simple_optimality_criteria.eps_optimal_relative = PDLP_RELATIVE
    criteria.simple_optimality_criteria.eps_optimal_absolute = 0.0
    criteria.time_sec_limit = seconds
    begin = time.perf_counter()
    result = pdlp.primal_dual_hybrid_gradient(lp, options)
    took = time.perf_counter() - begin
    reason = result.solve_log.termination_reason
    done = reason == solve_log_pb2.TERMINATION_REASON_OPTIMAL
    name = solve_log_pb2.TerminationReason.Name(reason).removeprefix("TERMINATION_REASON_").lower()
    objective = float(lp.objective_vector @ result.primal_solution)
    return {"status": name, "seconds": took, "objective": objective if done else None}


def _column_upper(program: ArcFlow) -> np.ndarray:
    upper = np.full(program.matrix.shape[1], np.inf)
    upper[program.n_flows :] = program.pieces.ravel()
    return upper


def solve_one(solver: str, size: int, seconds: float) -> dict[str, Any]:
    """Solve one size by one solver, in this process."""
    if solver in OURS:
        found = solve_ours(size, OURS[solver], seconds)
    elif solver == "ortools-pdlp":
        found = solve_pdlp(size, seconds)
    else:
        found = solve_highs(size, solver.removeprefix("highs-"), seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"solver": solver, "size": size, "peak_mib": peak, **found}


def solve_apart(solver: str, size: int, seconds: float) -> dict[str, Any]:
    """Solve in a process of its own; what does not stop by itself is stopped."""
    command = [sys.executable, __file__, "--one", solver, "--sizes", str(size), "--seconds", str(seconds)]
    nothing = {"solver": solver, "size": size, "seconds": None, "objective": None}
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds * 1.2 + 120, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {**nothing, "status": "stopped: did not keep its time limit"}
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return {
            **nothing,
            "status": f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1][:120]}",
        }
    return {**nothing, **json.loads(lines[-1])}


def compare(sizes: tuple[int, ...], seconds: float) -> list[dict[str, Any]]:
    """Run every solver on every size, peers until they no longer finish."""
    rows: list[dict[str, Any]] = []
    out: set[str] = set()
    for size in sizes:
        ours = {name: solve_apart(name, size, seconds) for name in OURS}
        rows += ours.values()
        for name in OURS:
            _say(ours[name])
        for peer in PEERS:
            if peer in out:
                continue
            row = solve_apart(peer, size, seconds)
            _set_beside(row, ours, exact=peer.startswith("highs"))
            rows.append(row)
            _say(row)
            if row["objective"] is None:
                out.add(peer)
    return rows


def _set_beside(row: dict[str, Any], ours: dict[str, dict[str, Any]], exact: bool) -> None:
    """Add the ratios, and how far the peer's objective lies outside the intervals we proved."""
    for name, own in ours.items():
        if row["seconds"] and own["seconds"]:
            row[f"ratio to {name}"] = row["seconds"] / own["seconds"]
    value = row["objective"]
    proved = [own for own in ours.values() if own["objective"] is not None]
    if value is None or not proved:
        return
    below = max(own["lower"] for own in proved) - value
    above = value - min(own["objective"] for own in proved)
    row["outside_share"] = max(0.0, below, above) / abs(value)
    if exact:
        row["agrees"] = row["outside_share"] <= EXACT


def _say(row: dict[str, Any]) -> None:
    seconds = "-" if row["seconds"] is None else f"{row['seconds']:.2f} s"
    print(
        f"{row['size']:>5} {row['solver']:<14} {row['status']:<22} {seconds:>11}", file=sys.stderr, flush=True
    )


def machine() -> str:
    """Return one line on the machine: what a reader needs to place the seconds."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    busy = f"load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else "load not known"
    return f"{model}, {os.cpu_count()} cores, {busy}, Python {platform.python_version()}"


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table of docs/benchmarks.md."""
    first = next(iter(OURS))
    lines = [
        "| sites | legs | pairs | solver | ends | seconds | objective | outside | peak MiB | ratio |",
        "|---:|---:|---:|---|---|---:|---:|---|---:|---:|",
    ]
    shape: dict[int, dict[str, Any]] = {r["size"]: r for r in rows if "legs" in r}
    for row in rows:
        of = shape.get(row["size"], {})
        ratio = row.get(f"ratio to {first}")
        lower = "" if ratio is None else ("" if row["objective"] is not None else "> ") + f"{ratio:,.1f}"
        cells = [
            row["size"],
            of.get("legs", ""),
            f"{of['pairs']:,}" if of else "",
            row["solver"],
            row["status"],
            "" if row["seconds"] is None else f"{row['seconds']:.2f}",
            "" if row["objective"] is None else f"{row['objective']:,.0f}",
            "" if "outside_share" not in row else f"{row['outside_share']:.4%}",
            f"{row['peak_mib']:.0f}" if "peak_mib" in row else "",
            lower,
        ]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines.append("")
    lines.append(f"Ratio: a peer's seconds over those of {first}; “>” where the peer did not finish.")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=600.0, help="limit for each solve")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(solve_one(options.one, options.sizes[0], options.seconds)))
        return 0
    where = machine()
    rows = compare(tuple(sorted(options.sizes)), options.seconds)
    if options.json:
        print(json.dumps({"machine": where, "seconds_limit": options.seconds, "rows": rows}))
    else:
        print(f"{where}\n\n{as_markdown(rows)}")
    disagree = [row for row in rows if row.get("agrees") is False]
    return 1 if disagree else 0


if __name__ == "__main__":
    sys.exit(main())
