"""Puts routes of many plans together anew: a set covering over the pool of routes, by HiGHS.

The trucks' tours stay those of the best plan, so that the bound of the linear program is close; routes
whose reduced cost exceeds the gap cannot be in a better plan and are left out before integers are asked
for (Amarouche, Guibadj and Moukrim 2018 cover with routes of a search likewise).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import highspy
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from changtong.programs.staged import quiet_highs
from changtong.rural.route_steps import BEST
from changtong.rural.two_echelon_arrays import Arrays, Floats, Ints
from changtong.rural.two_echelon_plan import best_loads, best_truck_sets

MOST_ROUTES = 1500
MOST_NODES = 300
"""Nodes of the branching where no clock ends it."""

Routes = tuple[NDArray[np.int64], Ints, Ints]


@dataclass(slots=True)
class _Rows:
    """Rows of a program as they are written down."""

    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, columns: list[int], values: list[float], low: float, high: float) -> None:
        self.row += [len(self.low)] * len(columns)
        self.column += columns
        self.value += values
        self.low.append(low)
        self.high.append(high)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Routes to choose from: cost, satellite, load as a share of a truck, customers."""

    cost: Floats
    satellite: Ints
    load: Floats
    customers: list[Ints]


def mix_routes(arrays: Arrays, seconds: float | None, share: float = 0.06) -> Routes | None:
    """Return the routes of a better plan made of routes met, or None.

    Parameters
    ----------
    arrays : Arrays
    seconds : float or None
        Most time; None for a number of nodes instead, which always ends alike.
    share : float
        Routes of plans at most so much worse than the best are looked at.

    Returns
    -------
    tuple of arrays, or None
        Stops, lengths and satellites.
    """
    begin = time.perf_counter()
    best = float(arrays.state.figure[BEST])
    sets = best_truck_sets(arrays, best_loads(arrays))
    choice = _choose(arrays, best, share, sets)
    routes = len(choice.cost)
    if not routes or not sets:
        return None
    rows, columns = _program(arrays, choice, sets)
    matrix = scipy.sparse.csc_matrix((rows.value, (rows.row, rows.column)), shape=(len(rows.low), columns))
    cost = np.concatenate([choice.cost, np.zeros(columns - routes)])
    used = {s for members in sets for s in range(len(arrays.kept)) if members >> s & 1}
    fixed = float(sum(arrays.data.tours[members] for members in sets))
    fixed += float(sum(arrays.data.opening[s] for s in used))

    def solve(kept: Ints, *, whole: bool) -> highspy.Highs:
        left = None if seconds is None else seconds - (time.perf_counter() - begin)
        return _solve(matrix[:, kept], cost[kept], rows, (kept < routes) & whole, left)

    relaxed = solve(np.arange(columns), whole=False)
    if relaxed.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    gap = best - fixed - relaxed.getInfo().objective_function_value
    reduced = np.array(relaxed.getSolution().col_dual)
    kept = np.flatnonzero((reduced <= gap + 1e-6) | (np.arange(columns) >= routes))
    solved = solve(kept, whole=True)
    if solved.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    value = np.array(solved.getSolution().col_value)
    chosen = [int(j) for j, x in zip(kept, value, strict=True) if j < routes and x > 0.5]
    return _as_routes(arrays, choice, chosen)


def _choose(arrays: Arrays, best: float, share: float, sets: list[int]) -> _Choice:
    """Return the routes of the pool that were met in the best plans, at satellites the trucks visit."""
    pool, m = arrays.state.pool, len(arrays.kept)
    slots = np.flatnonzero((pool.length > 0) & (pool.seen <= best * (1 + share)))
    visited = 0
    for members in sets:
        visited |= members
    slots = slots[(visited >> pool.satellite[slots].astype(np.int64)) & 1 == 1]
    slots = slots[np.lexsort((pool.hash[slots], pool.seen[slots]))[:MOST_ROUTES]]
    customers = [
        pool.stops[a : a + k].astype(np.int64) - m
        for a, k in zip(pool.start[slots], pool.length[slots], strict=True)
    ]
    load = np.array([arrays.data.demand[c].sum() for c in customers]) / arrays.data.truck_capacity
    return _Choice(pool.cost[slots], pool.satellite[slots].astype(np.int64), load, customers)


def _program(arrays: Arrays, choice: _Choice, sets: list[int]) -> tuple[_Rows, int]:
    """Write the rows down: customers covered, vehicles, trucks that bring what is taken."""
    data, m = arrays.data, len(arrays.kept)
    rows, routes = _Rows(), len(choice.cost)
    covers: list[list[int]] = [[] for _ in data.demand]
    for j, customers in enumerate(choice.customers):
        for c in customers:
            covers[c].append(j)
    for at in covers:
        rows.add(at, [1.0] * len(at), 1.0, highspy.kHighsInf)
    rows.add(list(range(routes)), [1.0] * routes, 0.0, len(arrays.state.length))
    pairs = [(t, s) for t, members in enumerate(sets) for s in range(m) if members >> s & 1]
    for s in range(m):
        at = np.flatnonzero(choice.satellite == s).tolist()
        if not at:
            continue
        rows.add(at, [1.0] * len(at), 0.0, float(arrays.limits[s]))
        brought = [routes + i for i, (_, satellite) in enumerate(pairs) if satellite == s]
        taken = [-float(choice.load[j]) for j in at]
        rows.add(at + brought, taken + [1.0] * len(brought), 0.0, highspy.kHighsInf)
        if data.satellite_capacity[s] < data.demand.sum():
            most = float(data.satellite_capacity[s] / data.truck_capacity)
            rows.add(at, [-load for load in taken], 0.0, most)
    for t in range(len(sets)):
        brought = [routes + i for i, (truck, _) in enumerate(pairs) if truck == t]
        rows.add(brought, [1.0] * len(brought), 0.0, 1.0)
    return rows, routes + len(pairs)


def _solve(
    matrix: scipy.sparse.csc_matrix,
    cost: Floats,
    rows: _Rows,
    whole: NDArray[np.bool_],
    seconds: float | None,
) -> highspy.Highs:
    program = highspy.HighsLp()
    count = len(cost)
    program.num_col_, program.num_row_ = count, len(rows.low)
    program.col_cost_, program.col_lower_ = cost, np.zeros(count)
    program.col_upper_ = np.full(count, highspy.kHighsInf)
    program.row_lower_, program.row_upper_ = np.array(rows.low), np.array(rows.high)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
    program.a_matrix_.value_ = matrix.data
    if whole.any():
        integer, real = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        program.integrality_ = [integer if w else real for w in whole]
    solver = quiet_highs(random_seed=0, mip_rel_gap=1e-7)
    if seconds is None:
        solver.setOptionValue("mip_max_nodes", MOST_NODES)
    else:
        solver.setOptionValue("time_limit", max(0.05, seconds))
    solver.passModel(program)
    solver.run()
    return solver


def _as_routes(arrays: Arrays, choice: _Choice, chosen: list[int]) -> Routes:
    """Return chosen routes as arrays; who is covered twice stays in the first."""
    stops, length, satellite = arrays.best_routes()
    length[:] = 0
    satellite[:] = -1
    seen: set[int] = set()
    at = 0
    for j in chosen:
        own = [int(c) for c in choice.customers[j] if int(c) not in seen]
        seen.update(own)
        if own and at < len(length):
            stops[at, : len(own)] = np.array(own) + len(arrays.kept)
            length[at], satellite[at] = len(own), choice.satellite[j]
            at += 1
    return stops, length, satellite
