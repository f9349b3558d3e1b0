"""Index and early warning of many outlets: time and memory.

    python benchmarks/outlets.py [--outlets 100000] [--months 36] [--json]

The outlets are made up (`changtong.outlets.made_up`): times are times, the rankings say nothing about real outlets.
Each step runs after the one before in one process; memory is the most it had up to then.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from changtong.outlets.early_warning import warn_outlets
from changtong.outlets.evaluation import evaluate_warning
from changtong.outlets.made_up import made_up_outlets
from changtong.outlets.outlet_months import read_outlet_months
from changtong.outlets.stability import outlet_stability


def timed(rows: list[dict[str, Any]], step: str, work: Callable[[], Any]) -> Any:
    """Do a step and note its time and the memory so far."""
    began = time.perf_counter()
    made = work()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows.append({"step": step, "seconds": round(time.perf_counter() - began, 1), "gb": round(most, 2)})
    return made


def main() -> None:
    """Run all steps."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--outlets", type=int, default=100_000)
    asked.add_argument("--months", type=int, default=36)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    rows: list[dict[str, Any]] = []
    frame = made_up_outlets(given.outlets, given.months)
    months = timed(rows, "months checked and laid out", partial(read_outlet_months, frame))
    height = frame.height
    del frame
    stability = timed(rows, "index of every month", lambda: outlet_stability(months))
    timed(rows, "table of the last month with reasons", stability.table)
    del stability
    timed(rows, "warnings, learned from all months", lambda: warn_outlets(months))
    tested = timed(rows, "evaluation on held-out months", lambda: evaluate_warning(months))
    scores = {name: one["auc"] for name, one in tested.scores.items()}
    if given.json:
        print(json.dumps({"rows": height, "steps": rows, "auc": scores}))
        return
    print(f"{given.outlets:,} outlets, {given.months} months, {height:,} rows\n")
    print("| step | s | GB |\n|---|---:|---:|")
    for row in rows:
        print(f"| {row['step']} | {row['seconds']} | {row['gb']} |")
    print(f"\nAUC on made-up outlets: {', '.join(f'{name} {value:.3f}' for name, value in scores.items())}.")


if __name__ == "__main__":
    main()
