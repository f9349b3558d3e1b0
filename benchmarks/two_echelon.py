"""Two-echelon instances of a folder at so many seconds each, beside a two-stage heuristic on OR-Tools.

The heuristic assigns customers to the nearest satellite of a set, routes each satellite with OR-Tools
(guided local search), and takes the best first level for the loads. It tries all sets of up to four
satellites, of more the k that lie nearest to the demand, and shares the seconds among them.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import os
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from changtong.rural.two_echelon import TwoEchelonInstance
from changtong.rural.two_echelon_arrays import Arrays
from changtong.rural.two_echelon_check import check_two_echelon
from changtong.rural.two_echelon_file import read_two_echelon
from changtong.rural.two_echelon_plan import read_plan
from changtong.rural.two_echelon_search import load_kernels, solve_two_echelon

SCALE = 1000
ALL_SETS = 4


def best_known(folder: Path) -> dict[str, float]:
    """Return the lower of the values in best_known.csv; a value recalled may be rounded to 0.01."""
    found: dict[str, float] = {}
    path = folder / "best_known.csv"
    if path.exists():
        for row in csv.DictReader(path.read_text("utf-8").splitlines()):
            values = [
                float(text) for name, text in row.items() if text and name not in ("instance", "gap_pct")
            ]
            if values:
                found[row["instance"]] = min(values)
    return found


def route_satellite(
    cost: np.ndarray, s: int, customers: list[int], vehicles: int, seconds: float, data
) -> list[list[int]] | None:
    """Route the customers of one satellite with OR-Tools."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    m = len(data.opening)
    nodes = [s, *(c + m for c in customers)]
    manager = pywrapcp.RoutingIndexManager(len(nodes), vehicles, 0)
    model = pywrapcp.RoutingModel(manager)
    matrix = np.rint(cost[np.ix_(nodes, nodes)] * SCALE).astype(np.int64).tolist()
    loads = [0, *(round(float(data.demand[c]) * SCALE) for c in customers)]
    way = model.RegisterTransitMatrix(matrix)
    model.SetArcCostEvaluatorOfAllVehicles(way)
    model.SetFixedCostOfAllVehicles(round(data.fixed * SCALE))
    demand = model.RegisterUnaryTransitVector(loads)
    model.AddDimension(demand, 0, int(data.capacity * SCALE), True, "load")
    options = pywrapcp.DefaultRoutingSearchParameters()
    options.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    options.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    options.time_limit.FromMilliseconds(max(20, int(seconds * 1000)))
    solution = model.SolveWithParameters(options)
    if solution is None:
        return None
    routes = []
    for vehicle in range(vehicles):
        at, route = model.Start(vehicle), []
        while not model.IsEnd(at):
            node = manager.IndexToNode(at)
            if node:
                route.append(customers[node - 1])
            at = solution.Value(model.NextVar(at))
        if route:
            routes.append(route)
    return routes


def two_stage(instance: TwoEchelonInstance, seconds: float, seed: int) -> float | None:
    """Return the cost of the two-stage heuristic's best plan, by the checker."""
    arrays = Arrays(instance, seed)
    data, m = arrays.data, len(arrays.kept)
    away = data.cost[m:, :m] + data.handling
    if m <= ALL_SETS:
        sets = [list(chosen) for k in range(1, m + 1) for chosen in itertools.combinations(range(m), k)]
    else:
        order = np.argsort((away * data.demand[:, None]).sum(axis=0))
        sets = [sorted(order[:k].tolist()) for k in range(1, m + 1)]
    best = None
    for chosen in sets:
        groups = assign(away, chosen, arrays, instance)
        if groups is None:
            continue
        routes: list[tuple[int, list[int]]] | None = []
        spare = len(arrays.state.length) - sum(
            fewest(data.demand[g].sum(), data.capacity) for g in groups.values()
        )
        for s, customers in groups.items():
            need = fewest(data.demand[customers].sum(), data.capacity)
            vehicles = min(int(arrays.limits[s]), need + max(spare, 0))
            made = route_satellite(data.cost, s, customers, vehicles, seconds / len(sets) / len(groups), data)
            if made is None:
                routes = None
                break
            spare -= max(0, len(made) - need)
            routes += [(s, route) for route in made]
        if routes is None or len(routes) > len(arrays.state.length):
            continue
        arrays.state.best_length[:] = 0
        for i, (s, route) in enumerate(routes):
            arrays.state.best_stops[i, : len(route)] = np.array(route) + m
            arrays.state.best_length[i], arrays.state.best_satellite[i] = len(route), s
        checked = check_two_echelon(instance, read_plan(arrays))
        if checked.cost is not None and (best is None or checked.cost.total < best):
            best = checked.cost.total
    return best


def fewest(load: float, capacity: float) -> int:
    return max(1, math.ceil(load / capacity - 1e-9))


def assign(
    away: np.ndarray, chosen: list[int], arrays: Arrays, instance: TwoEchelonInstance
) -> dict[int, list[int]] | None:
    """Assign customers, those with the largest regret first, to the nearest satellite with room."""
    data = arrays.data
    room = {
        s: min(float(arrays.limits[s]) * data.capacity * 0.97, float(data.satellite_capacity[s]))
        for s in chosen
    }
    groups: dict[int, list[int]] = {s: [] for s in chosen}
    ranked = np.sort(away[:, chosen], axis=1)
    regret = ranked[:, 1] - ranked[:, 0] if len(chosen) > 1 else ranked[:, 0]
    for c in np.argsort(-regret, kind="stable"):
        for s in sorted(chosen, key=lambda s: away[c, s]):
            if room[s] >= data.demand[c] or len(chosen) == 1:
                groups[s].append(int(c))
                room[s] -= data.demand[c]
                break
        else:
            return None
    return {s: group for s, group in groups.items() if group}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1, help="Seeds seed, seed + 1, …")
    parser.add_argument("--match", default="", help="Only names with this regular expression.")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--json", type=Path, help="Write the table there.")
    asked = parser.parse_args()
    known = best_known(asked.folder)
    load_kernels()
    rows = []
    state = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    print(f"{state}; {asked.seconds:g} s an instance, seeds {asked.seed} to {asked.seed + asked.runs - 1}")
    for path in sorted(asked.folder.glob("*.dat")):
        if not re.search(asked.match, path.stem):
            continue
        instance = read_two_echelon(path)
        for seed in range(asked.seed, asked.seed + asked.runs):
            begin, used = time.perf_counter(), time.process_time()
            made = solve_two_echelon(instance, seconds=asked.seconds, seed=seed)
            spent, used = time.perf_counter() - begin, time.process_time() - used
            other = None if asked.no_peer else two_stage(instance, asked.seconds, seed)
            row = {
                "instance": path.stem, "seed": seed, "seconds": spent, "processor_s": used, "iterations": made.iterations,
                "cost": made.cost.total if made.cost else None, "best_known": known.get(path.stem), "two_stage": other,
            }  # fmt: skip
            rows.append(row)
            print(
                "  ".join(
                    [
                        f"{path.stem:34s} {seed}",
                        *(shown(row[k]) for k in ("cost", "best_known", "two_stage")),
                        gap(row, "cost"),
                        gap(row, "two_stage"),
                        f"{spent:5.1f} s ({used:.1f})",
                    ]
                ),
                flush=True,
            )
    for name in ("cost", "two_stage"):
        gaps = [100 * (r[name] / r["best_known"] - 1) for r in rows if r[name] and r["best_known"]]
        if gaps:
            print(
                f"{name}: {len(gaps)} of {len(rows)} with a best known value, mean gap {statistics.mean(gaps):.3f} %, worst {max(gaps):.3f} %"
            )
    better = [r["two_stage"] / r["cost"] - 1 for r in rows if r["two_stage"] and r["cost"]]
    if better:
        print(f"two_stage above ours: mean {100 * statistics.mean(better):.2f} % on {len(better)} runs")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": state, "rows": rows}, indent=1), "utf-8")


def shown(value: float | None) -> str:
    return "         –" if value is None else f"{value:10.3f}"


def gap(row: dict, name: str) -> str:
    if not row[name] or not row["best_known"]:
        return "       –"
    return f"{100 * (row[name] / row['best_known'] - 1):7.3f}%"


if __name__ == "__main__":
    main()
