"""Classes in order of rank on a large network: solve after solve, within one time limit."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSolver, Progress, Termination
from changtong.flows.problem import FlowProblem
from changtong.flows.search import Enough

Floats = NDArray[np.float64]

FIRST = 2 / 3
"""Share of what is left of the time a solve gets while higher classes might still want another."""

NOTHING = 0.02
"""Share of the time limit below which no further solve begins."""


@dataclass(frozen=True)
class Clock:
    """A time limit that several solves share.

    Attributes
    ----------
    seconds : float
        Of wall time, from ``begin`` on.
    begin : float
        As ``time.perf_counter`` counts.
    """

    seconds: float
    begin: float = field(default_factory=time.perf_counter)

    def left(self, share: float = 1.0) -> float:
        """Return the seconds left of a share of the limit; 0 where they would not do for another solve."""
        rest = share * self.seconds - (time.perf_counter() - self.begin)
        return rest if rest > NOTHING * self.seconds or rest == np.inf else 0.0


def lost_pieces(problem: FlowProblem, result: FlowResult) -> Floats:
    """Return the pieces of each class left behind although a way exists, (classes,)."""
    return problem.lost_by_class(np.where(result.cut_off, 0.0, result.unserved))


def solve_in_order(
    problem: FlowProblem,
    solver: FlowSolver,
    clock: Clock,
    progress: Progress | None = None,
    enough: Enough | None = None,
) -> FlowResult:
    """Solve until no class loses pieces for a lower one, or the time is up.

    Prices are capped at the penalty of ``solver.curtailed``, at first the lowest class. Where a
    higher class still loses pieces, the cap is raised to its penalty and the next solve begins
    from the prices there are. Every solve bounds the same sum of costs and penalties, so the best
    bound holds for the plan that is kept: the one that loses least, class by class. A plan that is
    ``enough`` ends it all, its classes in any order.

    Returns
    -------
    FlowResult
        ``termination`` is ``TIME_LIMIT`` when a further solve was wanted and no time was left.
    """
    room, best, lower = problem.class_rounding(), None, -np.inf
    rounds, begin = 0, time.perf_counter()
    while True:
        left = max(clock.left(), NOTHING * clock.seconds)
        share = FIRST if solver.curtailed > 0 else 1.0
        solver.settings = replace(solver.settings, seconds=share * left)
        result = solver.solve(progress, enough)
        rounds, lower = rounds + result.rounds, max(lower, result.lower_bound)
        losing = np.flatnonzero(lost_pieces(problem, result)[: solver.curtailed] > room)
        if best is None or better(problem, result, best):
            best = result
        termination = result.termination
        if termination is Termination.ENOUGH:
            best = result
        if termination in (Termination.INTERRUPTED, Termination.ENOUGH):
            break
        if len(losing):
            solver.curtailed = int(losing[0])
            termination = Termination.TIME_LIMIT
        elif termination is Termination.PRICES_CAPPED:
            solver.curtailed, termination = solver.curtailed - 1, Termination.TIME_LIMIT
        elif termination is not Termination.TIME_LIMIT:
            break
        if clock.left() <= 0.0:
            break
    if termination is Termination.TIME_LIMIT and not len(losing):
        reached = best.objective - lower <= solver.settings.gap_share * best.objective
        termination = Termination.GAP_REACHED if reached else termination
    return replace(
        best,
        termination=termination,
        lower_bound=min(lower, best.objective),
        rounds=rounds,
        seconds=time.perf_counter() - begin,
    )


def better(problem: FlowProblem, one: FlowResult, other: FlowResult) -> bool:
    """Return whether one plan loses less than another, class by class, or costs less for the same."""
    order = problem.compare_losses(lost_pieces(problem, one), lost_pieces(problem, other))
    return order < 0 or order == 0 and one.objective < other.objective
