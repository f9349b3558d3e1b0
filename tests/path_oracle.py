"""An independent answer by ways: every simple way of every pair is one column.

Shares nothing with the planner but the problem's arrays: ways are listed by walking the
network, loads are counted site by site along each way, and SciPy solves the programs.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from changtong.flows.problem import FlowProblem

SLACK = 1e-6  # pieces; ten times the solver's tolerance, so that rounding cannot pile up to "infeasible"


@dataclass(frozen=True)
class ByWays:
    """Least unserved by class (strictly by rank), least cost at those, least cost plus penalties."""

    unserved: np.ndarray
    cost: float
    weighed: float


def simple_ways(problem: FlowProblem, start: int, end: int) -> list[tuple[int, ...]]:
    """List every way from start to end that visits no site twice, as leg numbers."""
    found: list[tuple[int, ...]] = []

    def walk(site: int, way: tuple[int, ...], seen: frozenset[int]) -> None:
        if site == end:
            found.append(way)
            return
        if site != start and not problem.transit[site]:
            return
        for leg in range(len(problem.leg_tail)):
            head = int(problem.leg_head[leg])
            if problem.leg_tail[leg] == site and head not in seen:
                walk(head, (*way, leg), seen | {head})

    walk(start, (), frozenset({start}))
    return found


def ask_by_ways(problem: FlowProblem) -> ByWays:
    """Solve strictly by class and weighed by the penalties."""
    n_classes = problem.pair_pieces.shape[1]
    columns = []  # (pair, class, way); way None is "not served"
    for pair in range(len(problem.pair_from)):
        ways = simple_ways(problem, int(problem.pair_from[pair]), int(problem.pair_to[pair]))
        for k in range(n_classes):
            columns += [(pair, k, way) for way in ways] + [(pair, k, None)]
    demand = [float(x) for x in problem.pair_pieces.ravel()]
    serve = np.zeros((len(demand), len(columns)))
    cost, penalty = np.zeros(len(columns)), np.zeros(len(columns))
    lost = np.zeros((n_classes, len(columns)))
    legs = np.zeros((len(problem.leg_tail), len(columns)))
    sites = np.zeros((problem.n_sites, len(columns)))
    for c, (pair, k, way) in enumerate(columns):
        serve[pair * n_classes + k, c] = 1.0
        if way is None:
            lost[k, c] = 1.0
            penalty[c] = problem.class_penalty[k]
            continue
        sites[problem.pair_from[pair], c] += 1.0
        for leg in way:
            cost[c] += problem.leg_cost[leg]
            legs[leg, c] += 1.0
            sites[problem.leg_head[leg], c] += 1.0
    rows = list(zip(legs, problem.leg_capacity, strict=True))
    rows += list(zip(sites, problem.site_capacity, strict=True))
    rows += [(legs[list(members)].sum(axis=0), most) for members, most in problem.limits]
    above = [row for row, most in rows if np.isfinite(most)]
    right = [float(most) for _, most in rows if np.isfinite(most)]

    def solve(objective: np.ndarray) -> float:
        a_ub = np.array(above) if above else None
        found = linprog(objective, A_ub=a_ub, b_ub=right or None, A_eq=serve, b_eq=demand, method="highs")
        assert found.status == 0, found.message
        return float(found.fun)

    weighed = solve(cost + penalty)
    unserved = []
    for k in range(n_classes):
        unserved.append(max(0.0, solve(lost[k])))
        above.append(lost[k])
        right.append(unserved[k] + SLACK)
    return ByWays(np.array(unserved), solve(cost), weighed)
