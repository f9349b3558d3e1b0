"""Stress tests: the whole national network, the same cases beside HiGHS, all pairs of a learned network.

``python benchmarks/stress.py national`` closes every site of the county network in turn: seconds
until every case has a certified bound, seconds until the worst 50 are planned, processor seconds and
peak memory of both. ``memory`` does so with 50 and with 500 cases, a tenth of them planned. ``peer`` closes a sample of the
busiest sites of a sub-network (``sub_networks.py``), ours from today's state, HiGHS each from scratch (interior point without crossover, the
faster of its methods here); the peer's objective must lie in the interval we proved. ``pairs FILE``
learns a network from leg volumes and finds the worst sites and pairs, exactly, with and without
stand-ins.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from peers import machine, pass_program
from sub_networks import sub_network

from changtong.executors.local import LocalProcesses
from changtong.kernels import prepare_kernels
from changtong.network.learn import learn_network
from changtong.network.reference import reference_network
from changtong.resilience.cases import Case, Task, make_cases
from changtong.resilience.combinations import worst_sets
from changtong.resilience.flowwork import FlowWork
from changtong.resilience.frozen import freeze
from changtong.resilience.result import StressSettings
from changtong.resilience.run import Watch
from changtong.resilience.stress import stress_test
from changtong.resilience.today import Today, shut

PROCESSES = 2


def _cpu() -> float:
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


class _Stages:
    """Notes when each stage began, on the clock and in processor seconds of this process."""

    def __init__(self) -> None:
        self.begin: dict[str, float] = {}
        self.zero = time.perf_counter()

    def __call__(self, stage: str, share: float) -> None:
        self.begin.setdefault(stage, time.perf_counter() - self.zero)


def national(count: int | None = None, most_plans: int = 500) -> dict[str, Any]:
    """Close every site of the county network, or its last ``count``: hubs and city centres."""
    network = reference_network(level="county")
    cases = make_cases(network)
    if count is not None:
        cases = cases[-count:]
    stages, cpu = _Stages(), _cpu()
    settings = StressSettings(most_plans=most_plans)
    processes, watch = LocalProcesses(PROCESSES), Watch(progress=stages)
    result = stress_test(network, cases, settings=settings, executor=processes, watch=watch)
    planned = result.cases.filter(result.cases["how"] == "flow")
    worst = result.ranking.head(50).join(result.cases, on="case")
    return {
        "cases": len(cases),
        "bounds_s": stages.begin["plans"],
        "plans_s": result.runtime_s - stages.begin["plans"],
        "cpu_s": _cpu() - cpu,
        "planned_to_the_gap": planned.height,
        "quick_plans": result.cases.filter(result.cases["how"] == "quick").height,
        "unproved": result.unproved.height,
        "failed": result.failed.height,
        "largest_gap_of_the_worst": worst["gap_share"].max(),
        "above_the_gap": worst.filter(worst["gap_share"] > 5e-3).select("case", "gap_share").to_dicts(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_mib_of_a_process": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "worst": result.ranking.head(10).select("case", "figure", "least", "most").to_dicts(),
    }


def _apart(count: int, answers: Any) -> None:
    answers.put(national(count, count // 10))


def memory() -> list[dict[str, Any]]:
    """Measure with few and many cases, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    rows = []
    for count in (50, 500):
        answers = context.Queue()
        process = context.Process(target=_apart, args=(count, answers))
        process.start()
        rows.append(answers.get())
        process.join()
    return rows


def peer(size: int, sample: int, seconds: float) -> list[dict[str, Any]]:
    """Close some sites of a sub-network by HiGHS from scratch, and from today's state."""
    problem = sub_network(size)
    begin = time.perf_counter()
    question = SimpleNamespace(problem=problem)
    penalty = float(problem.class_penalty[-1])
    today = Today(question, unserved_cny=penalty, seconds=60.0, threads=PROCESSES)  # type: ignore[arg-type]
    setup = time.perf_counter() - begin
    nothing = np.zeros(len(problem.leg_tail))
    rng = np.random.default_rng(1)
    busiest = np.argsort(-today.site_load)[: size // 4]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = FlowWork(
            freeze(today.solver, Path(folder) / "today"), today.objective, today.lower, 0.0, nothing, nothing,
            np.zeros(problem.n_sites), np.full(len(problem.class_penalty), np.inf), 5e-3, 60.0, "loss",
        )  # fmt: skip
        for site in sorted(rng.choice(busiest, sample, replace=False).tolist()):
            case = Case(f"site:{site}", "site", str(site), (site,))
            begin = time.perf_counter()
            bounds = today.with_pass(case) if today.needs_pass(case) else today.without_pass(case)
            bound_s = time.perf_counter() - begin
            row = work(Task(case))
            objective, took = _highs(shut(problem, case), seconds)
            found: dict[str, Any] = {
                "case": case.name, "sites": size, "setup_s": setup, "bound_s": bound_s, "plan_s": row["seconds"],
                "gap": row["gap_share"], "highs_s": took, "finished": objective is not None,
                "ratio_to_plan": took / row["seconds"], "ratio_to_bound": took / bound_s, "inside": None,
            }  # fmt: skip
            if objective is not None:
                loss, room = max(0.0, objective - today.objective), 1e-6 * objective
                found["inside"] = all(
                    low - room <= loss <= high + room
                    for low, high in (
                        (row["loss_least_cny"], row["loss_most_cny"]), (bounds.loss_least, bounds.loss_most)
                    )
                )  # fmt: skip
            rows.append(found)
            print(found, file=sys.stderr, flush=True)
    return rows


def _highs(problem: Any, seconds: float) -> tuple[float | None, float]:
    """Return HiGHS's objective with all penalties, and the seconds of its solve alone."""
    import highspy

    from changtong.programs.arcflow import arc_flow

    program = arc_flow(problem)
    highs = highspy.Highs()
    for option, value in {
        "output_flag": False, "solver": "ipm", "run_crossover": "off", "threads": PROCESSES, "time_limit": seconds,
    }.items():  # fmt: skip
        highs.setOptionValue(option, value)
    pass_program(highs, program, problem)
    begin = time.perf_counter()
    highs.run()
    took = time.perf_counter() - begin
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None, took
    return float(highs.getInfo().objective_function_value), took


def pairs(file: Path) -> list[dict[str, Any]]:
    """Find the worst sites and pairs of a learned network, as it is and without stand-ins."""
    rows = []
    for label, options, stand_ins in (
        ("capacities of the largest day", {}, True),
        ("capacities of the largest day, no stand-ins", {}, False),
        ("capacities of 90 % of the days", {"capacity": 0.9}, True),
    ):
        network = learn_network(file, **options)  # type: ignore[arg-type]
        if not stand_ins:
            network = network.with_tables(areas=None)
        for k in (1, 2):
            cpu, begin = _cpu(), time.perf_counter()
            found = worst_sets(network, k, executor=LocalProcesses(PROCESSES))
            rows.append(
                {
                    "network": label,
                    "wall_s": time.perf_counter() - begin,
                    "cpu_s": _cpu() - cpu,
                    **found.summary(),
                }
            )
            print(f"{label}: {found}", file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["national", "memory", "peer", "pairs"])
    parser.add_argument("file", nargs="?", type=Path, help="leg volumes, for pairs")
    parser.add_argument("--size", type=int, default=200, help="sites of peer")
    parser.add_argument("--sample", type=int, default=4, help="cases of peer")
    parser.add_argument("--seconds", type=float, default=900.0, help="limit of one solve of the peer")
    options = parser.parse_args()
    prepare_kernels(lambda text: print(text, file=sys.stderr))()
    load = os.getloadavg()[0]
    if options.what == "pairs":
        if options.file is None:
            parser.error("pairs needs a file of leg volumes")
        found: Any = pairs(options.file)
    elif options.what == "peer":
        found = peer(options.size, options.sample, options.seconds)
    else:
        found = national() if options.what == "national" else memory()
    print(
        json.dumps({"machine": machine(), "load_before": load, "result": found}, ensure_ascii=False, indent=1)
    )
    wrong = options.what == "peer" and any(row["inside"] is False for row in found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
