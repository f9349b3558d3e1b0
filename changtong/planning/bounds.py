"""Proved bounds on how many pieces must stay behind on a large network.

For any prices a capacity may have, the pieces of the classes 1 … k that no plan can serve are at
least the sum over the pairs of pieces times min(1, price of the cheapest way), less the prices
times the capacities: Lagrangian relaxation (Geoffrion 1974) of the problem in which ways cost
nothing and a piece left behind costs 1. Bad prices give a weak bound, never a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver
from changtong.flows.pricing import CLOSED
from changtong.flows.problem import FlowProblem
from changtong.planning.blockers import blocking_rows

Floats = NDArray[np.float64]

CHEAPER = 0.1
"""Factor on the cost of ways where losses are counted by a solve of their own: its prices are theirs."""

CLEAR = 0.1
"""Prices below this share of a penalty are taken out: they come from detours, not from losses."""

STRETCH = (1.0, 1.3)
"""Factors tried on the others: a full row's price is the penalty less the cost of the way."""

WORTH = 1e-3
"""Share of what a plan leaves behind by which a bound must fall short before a better one is sought."""


def bound_at(solver: FlowSolver, problem: FlowProblem, price: Floats, upto: int) -> float:
    """Return a proved least number of pieces left behind of the first ``upto`` classes together.

    Parameters
    ----------
    solver : FlowSolver
        Of the network, after a solve; its capacities count. Its trees are priced anew.
    problem : FlowProblem
        Whose pieces count.
    price : array, (rows,)
        What one more piece of each row's capacity is thought to let through, 0 … 1.
    """
    volumes = solver.volumes
    share = problem.class_steps()[:, upto - 1].astype(np.float32)
    pieces = problem.totals() * share
    asked = volumes._replace(
        pair=np.where(solver.cut_off, np.float32(0.0), pieces),
        steps=np.ones((1, 1), np.float32),
        penalty=np.ones(1),
    )
    cost = solver.trees.leg_cost
    kept = cost.copy()
    cost[:] = np.where(kept < CLOSED, 0.0, CLOSED)
    value, _ = solver.pricing.scan(asked, solver.pricing.price(price), np.inf)
    cost[:] = kept
    hopeless = float(pieces[solver.cut_off].sum(dtype=np.float64))
    return max(0.0, value - float(price @ np.maximum(solver.capacity, 0.0))) + hopeless


def quick_bound(
    solver: FlowSolver, problem: FlowProblem, price: Floats, upto: int, full: Floats | None = None
) -> float:
    """Return the best bound that row prices in CNY give: a few pricings, no solve.

    ``full`` is tried as well: 1 for rows known to hold pieces back (:func:`holding_rows`).
    """
    unit = price / problem.class_penalty[upto - 1]
    unit = np.where(unit >= CLEAR, unit, 0.0)
    tried = [np.minimum(factor * unit, 1.0) for factor in STRETCH] if unit.any() else []
    tried += [] if full is None else [full]
    return max((bound_at(solver, problem, one, upto) for one in tried), default=0.0)


def holding_rows(solver: FlowSolver, result: FlowResult) -> Floats:
    """Return 1 for rows that hold pieces back in a plan, by its loads; else 0, (rows,).

    While the gap is loose such rows may have no price yet.
    """
    named = blocking_rows(solver, result, float(solver.problem.class_penalty[-1]))
    named = named[(named >= 0) & ~result.cut_off]
    return np.minimum(1.0, np.bincount(named, minlength=len(solver.capacity))).astype(np.float64)


def solved_bound(
    solver: FlowSolver, problem: FlowProblem, price: Floats, upto: int, options: FlowSettings
) -> float:
    """Return the bound by the prices of a solve of its own, in which ways cost a tenth."""
    penalty = float(problem.class_penalty[upto - 1])
    counting = replace(
        problem,
        leg_cost=problem.leg_cost * CHEAPER,
        pair_pieces=(problem.totals() * problem.class_steps()[:, upto - 1])[:, None],
        class_penalty=np.array([penalty]),
        class_share=None,
    )
    counter = FlowSolver(counting, options)
    counter.rows.price[:] = np.minimum(price, penalty)
    return quick_bound(solver, problem, counter.solve().row_price, upto)


@dataclass(frozen=True)
class Least:
    """Proved least numbers of pieces left behind.

    Attributes
    ----------
    by_class : array, (classes,)
        Of each class in any plan that leaves no more of the classes above than the plan does.
    total : float
        Of all classes together, in any plan.
    """

    by_class: Floats
    total: float


def least_unserved(
    solver: FlowSolver, result: FlowResult, price: Floats, prove: Callable[[], float], threads: int = 2
) -> Least:
    """Return what is proved to stay behind.

    What is cut off stays behind in any plan. Where the plan leaves more than that, row prices in
    CNY bound the loss of the classes 1 … k.

    Parameters
    ----------
    solver : FlowSolver
        At the capacities that count.
    result : FlowResult
        The plan whose losses are judged.
    price : array, (rows,)
        Of a solve at those capacities.
    prove : callable
        Says how many seconds a solve of its own may take to do better; 0 for none.
    threads : int
    """
    problem = solver.problem
    lost = problem.lost_by_class(result.unserved)
    least = problem.lost_by_class(np.where(result.cut_off, result.unserved, 0.0))
    total = float(least.sum())
    worth = np.flatnonzero(lost - least > np.maximum(WORTH * lost, 1.0)).tolist()
    full = holding_rows(solver, result) if worth else None
    for k in worth:
        upto, above = k + 1, float(lost[:k].sum())
        bound = quick_bound(solver, problem, price, upto, full)
        seconds = prove()
        if seconds > 0.0 and lost[:upto].sum() - bound > WORTH * lost[:upto].sum():
            options = FlowSettings(seconds=seconds, threads=threads)
            bound = max(bound, solved_bound(solver, problem, price, upto, options))
        bound = min(bound, float(lost[:upto].sum()))
        least[k] = max(least[k], bound - above)
        total = max(total, bound)
    return Least(least, total)
