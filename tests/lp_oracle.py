"""An independent answer: one linear program over every pair, class and leg, in plain loops.

Nothing here is shared with the planner. Flows of a pair live on legs; a site that passes
nothing on may only be a pair's first or last site.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from changtong.flows.problem import FlowProblem


@dataclass(frozen=True)
class Oracle:
    """Unserved pieces by class under the two readings of priority, and the costs."""

    strict_unserved: np.ndarray  # class by class, in order of rank
    strict_cost: float  # least leg cost with those served amounts
    weighed_objective: float  # least leg cost plus penalties


def ask(problem: FlowProblem) -> Oracle:
    """Solve the problem twice: strictly by class, and weighed by the penalties."""
    n_legs = len(problem.leg_tail)
    n_pairs, n_classes = problem.pair_pieces.shape
    size = n_legs + 1  # one column a leg, one for what is unserved

    def column(pair: int, k: int, leg: int) -> int:
        return (pair * n_classes + k) * size + leg

    n_columns = n_pairs * n_classes * size
    equal, right_equal, above, right_above = [], [], [], []
    upper = np.full(n_columns, np.inf)
    for pair in range(n_pairs):
        start, end = int(problem.pair_from[pair]), int(problem.pair_to[pair])
        for k in range(n_classes):
            pieces = float(problem.pair_pieces[pair, k])
            upper[column(pair, k, n_legs)] = pieces
            for site in range(problem.n_sites):
                row = np.zeros(n_columns)
                for leg in range(n_legs):
                    if problem.leg_tail[leg] == site:
                        row[column(pair, k, leg)] += 1
                    if problem.leg_head[leg] == site:
                        row[column(pair, k, leg)] -= 1
                if site == start:
                    row[column(pair, k, n_legs)] += 1
                    right_equal.append(pieces)
                elif site == end:
                    row[column(pair, k, n_legs)] -= 1
                    right_equal.append(-pieces)
                else:
                    right_equal.append(0.0)
                equal.append(row)
            for leg in range(n_legs):
                tail, head = int(problem.leg_tail[leg]), int(problem.leg_head[leg])
                through_tail = tail != start and not problem.transit[tail]
                through_head = head != end and not problem.transit[head]
                shut = problem.site_capacity[tail] <= 0 or problem.site_capacity[head] <= 0
                if (
                    through_tail
                    or through_head
                    or shut
                    or problem.leg_capacity[leg] <= 0
                    or head == start
                    or tail == end
                ):
                    upper[column(pair, k, leg)] = 0.0

    def limit(coefficients: np.ndarray, most: float) -> None:
        if np.isfinite(most):
            above.append(coefficients)
            right_above.append(most)

    for leg in range(n_legs):
        row = np.zeros(n_columns)
        row[[column(p, k, leg) for p in range(n_pairs) for k in range(n_classes)]] = 1
        limit(row, float(problem.leg_capacity[leg]))
    for site in range(problem.n_sites):
        row, most = np.zeros(n_columns), float(problem.site_capacity[site])
        for pair in range(n_pairs):
            for k in range(n_classes):
                for leg in range(n_legs):
                    if problem.leg_head[leg] == site:
                        row[column(pair, k, leg)] += 1
                if problem.pair_from[pair] == site:
                    row[column(pair, k, n_legs)] -= 1
                    most -= float(problem.pair_pieces[pair, k])
        limit(row, most)
    for legs, most in problem.limits:
        row = np.zeros(n_columns)
        row[[column(p, k, int(leg)) for p in range(n_pairs) for k in range(n_classes) for leg in legs]] = 1
        limit(row, most)

    cost = np.zeros(n_columns)
    weighed = np.zeros(n_columns)
    by_class = np.zeros((n_classes, n_columns))
    for pair in range(n_pairs):
        for k in range(n_classes):
            cost[column(pair, k, 0) : column(pair, k, n_legs)] = problem.leg_cost
            by_class[k, column(pair, k, n_legs)] = 1
            weighed[column(pair, k, n_legs)] = problem.class_penalty[k]
    weighed += cost
    bounds = np.column_stack([np.zeros(n_columns), upper])

    def solve(objective: np.ndarray) -> float:
        found = linprog(
            objective,
            A_ub=np.array(above) if above else None,
            b_ub=right_above or None,
            A_eq=np.array(equal),
            b_eq=right_equal,
            bounds=bounds,
            method="highs",
        )
        assert found.status == 0, found.message
        return float(found.fun)

    total = solve(weighed)
    unserved = []
    for k in range(n_classes):
        unserved.append(max(0.0, solve(by_class[k])))
        above.append(by_class[k])
        right_above.append(unserved[k] + 1e-6)  # the solver keeps rows to 1e-7
    return Oracle(np.array(unserved), solve(cost), total)
