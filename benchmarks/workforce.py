"""Rosters for all centres of a folder and 30 days, beside CP-SAT on the same staffing, in one run.

``python benchmarks/workforce.py FOLDER/ [--seconds 120] [--due 0] [--every 1]`` reads hourly volumes (site,
date, hour, pieces), repeats days of the same weekdays until there are 30, makes checked rosters with names,
then gives OR-Tools CP-SAT (a development extra, two workers) the same time for the same staffing: it makes no
rosters of people. Both values are person-days; ``outside`` counts centres in which one's value lies below the
other's proved bound: 0, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from ortools.sat.python import cp_model

from changtong.workforce.roster import _question, make_roster
from changtong.workforce.staffing_model import staffing_model
from changtong.workforce.staffing_question import CentreQuestion
from changtong.workforce.workforce_folder import Workforce, read_workforce

DAYS = 30


def thirty_days(workforce: Workforce, every: int) -> Workforce:
    """Return volumes of 30 days: those after the last are those of a week or more before."""
    sites = sorted(workforce.hourly["site"].unique())[::every]
    known = workforce.hourly.filter(pl.col("site").is_in(sites))
    first = known["date"].min()
    there = (known["date"].max() - first).days + 1
    parts = [known.filter(pl.col("date") < first + timedelta(days=DAYS))]
    for day in range(there, DAYS):
        back = 7 * -(-(day - there + 1) // 7)
        copied = known.filter(pl.col("date") == first + timedelta(days=day - back))
        parts.append(copied.with_columns(pl.lit(first + timedelta(days=day)).alias("date")))
    return replace(workforce, hourly=pl.concat(parts), daily=workforce.daily.clear())


def solve_cp_sat(question: CentreQuestion, seconds: float) -> tuple[float, float, str]:
    """Return person-days, bound and status of CP-SAT on one centre's staffing."""
    model = staffing_model(question, hours_per_day=max(duty.hours for duty in question.duties))
    rows, columns = model.matrix.shape
    cp, scale = cp_model.CpModel(), 1
    high = np.minimum(model.column_high, question.arriving.sum() + 1)
    x = [cp.new_int_var(int(np.ceil(lo)), int(np.floor(up)), f"x{j}")
         for j, (lo, up) in enumerate(zip(model.column_low, high, strict=True))]  # fmt: skip
    matrix = model.matrix
    for r in range(rows):
        entries = range(matrix.indptr[r], matrix.indptr[r + 1])
        total = sum(int(round(matrix.data[e] * scale)) * x[matrix.indices[e]] for e in entries)
        if np.isfinite(model.low[r]):
            cp.add(total >= int(np.ceil(model.low[r])))
        if np.isfinite(model.high[r]):
            cp.add(total <= int(np.floor(model.high[r])))
    cp.minimize(sum(x[: model.people]))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds, solver.parameters.num_workers = seconds, 2
    status = solver.solve(cp)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return (
        (solver.objective_value if found else float("inf")),
        solver.best_objective_bound,
        solver.status_name(status),
    )


def main() -> None:
    """Run both and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--due", type=int, default=0)
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    known = read_workforce(asked.folder, needs=("hourly",))
    workforce = thirty_days(replace(known, rules=replace(known.rules, due_h=asked.due)), asked.every)
    begin = time.perf_counter()
    made = make_roster(workforce, seconds=asked.seconds)
    ours_s = time.perf_counter() - begin
    centres = made.centres.to_dicts()
    begin, peer, outside = time.perf_counter(), [], 0
    for row in centres:
        question = _question(workforce, workforce.hourly, row["site"], made.begin, made.end)
        value, bound, status = solve_cp_sat(question, asked.seconds / len(centres))
        outside += int(bound > row["objective"] + 0.5 or value < row["bound"] - 0.5)
        peer.append((value, bound, status))
    found = [k for k, (value, _, _) in enumerate(peer) if np.isfinite(value)]
    answer: dict[str, Any] = {
        "centres": len(centres), "days": DAYS, "due_h": asked.due, "people": made.summary()["people"],
        "ours_s": round(ours_s, 1), "cp_sat_s": round(time.perf_counter() - begin, 1),
        "ours": made.summary()["objective"], "ours_bound": made.summary()["bound"],
        "ours_gap": made.summary()["gap"], "ours_worst_gap": made.summary()["worst_gap"],
        "cp_sat_without_answer": len(peer) - len(found),
        "ours_where_both": sum(centres[k]["objective"] for k in found),
        "cp_sat_where_both": sum(peer[k][0] for k in found),
        "cp_sat_bound": sum(max(0.0, bound) for _, bound, _ in peer),
        "cp_sat_optimal": sum(status == "OPTIMAL" for _, _, status in peer),
        "outside": outside,
    }  # fmt: skip
    print(json.dumps(answer, indent=1))
    raise SystemExit(int(outside > 0))


if __name__ == "__main__":
    main()
