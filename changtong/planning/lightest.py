"""The smallest highest load on a large network: how far all legs' capacities can shrink together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSolver, Progress, Termination
from changtong.flows.problem import FlowProblem
from changtong.planning.bounds import holding_rows, quick_bound
from changtong.planning.inorder import Clock, lost_pieces
from changtong.programs.promises import open_legs

Floats = NDArray[np.float64]

SPARE = 1e-9
"""Share of all pieces of a class that does not count as left behind: rounding."""

NEAR = 0.005
"""The search ends when value and rejected factor are this close, as a share of the value."""

STEPS = 10
"""Most factors tried."""

FIRST_STEP = 0.9
"""Factor on the load so far that is tried first, and on while it holds: solves far too tight are slow."""


@dataclass(frozen=True)
class Lightest:
    """The plan with the lightest legs found, and what is proved of its highest load."""

    result: FlowResult
    least: float


def highest_share(problem: FlowProblem, flow: Floats) -> float:
    """Return the highest load over capacity of the legs that have one."""
    some = np.isfinite(problem.leg_capacity) & (problem.leg_capacity > 0.0)
    return float((flow[some] / problem.leg_capacity[some]).max(initial=0.0))


def shrunk(problem: FlowProblem, factor: float) -> FlowProblem:
    """Return the problem with every leg's capacity times a factor; what is shut stays shut."""
    return replace(problem, leg_capacity=problem.leg_capacity * factor)


def least_by_sites(problem: FlowProblem, result: FlowResult, lost: float) -> float:
    """Return a highest load no plan goes below that leaves ``lost`` pieces behind at most.

    What begins (ends) at a site and is not left behind must fit the legs that leave (reach) it.
    """
    wanted = np.where(result.cut_off, 0.0, problem.totals().astype(np.float64))
    usable = open_legs(problem)
    least = 0.0
    for ends, at in ((problem.leg_tail, problem.pair_from), (problem.leg_head, problem.pair_to)):
        pieces = np.bincount(at, wanted, minlength=problem.n_sites) - lost
        room = np.bincount(ends[usable], problem.leg_capacity[usable], minlength=problem.n_sites)
        some = np.isfinite(room) & (room > 0.0)
        least = max(least, float((pieces[some] / room[some]).max(initial=0.0)))
    return least


def lighten(
    problem: FlowProblem,
    solver: FlowSolver,
    result: FlowResult,
    clock: Clock,
    progress: Progress | None = None,
) -> Lightest:
    """Find by bisection the smallest factor on all legs' capacities at which no more stays behind.

    Each factor is a warm solve. It holds when no class loses more than in ``result``, within the
    gap asked for. A factor is proved too small when the prices of its solve prove that more must
    stay behind in any plan.

    Returns
    -------
    Lightest
        With the last plan that held; its highest load, and the largest factor proved too small.
    """
    total = float(problem.totals().sum(dtype=np.float64))
    allowed = lost_pieces(problem, result) * (1.0 + solver.settings.gap_share) + max(1e-3, SPARE * total)
    value = highest_share(problem, result.leg_flow)
    proved = min(value, least_by_sites(problem, result, float(allowed.sum())))
    too_small, step = proved, FIRST_STEP
    termination = result.termination
    for tried in range(STEPS):
        if value - too_small <= NEAR * value or termination is not Termination.GAP_REACHED:
            break
        if clock.left() <= 0.0:
            termination = Termination.TIME_LIMIT
            break
        middle = max(step * value, 0.5 * (value + too_small))
        solver.change(shrunk(problem, middle))
        solver.settings = replace(solver.settings, seconds=clock.left() / (STEPS - tried))
        found = solver.solve(progress)
        if found.termination is Termination.INTERRUPTED:
            termination = found.termination
            break
        if (lost_pieces(problem, found) <= allowed).all():
            result, value = found, highest_share(problem, found.leg_flow)
            continue
        too_small, step = middle, 0.0
        if bound_of_all(problem, solver, found) > float(allowed.sum()):
            proved = max(proved, middle)
    solver.change(problem)
    result = replace(result, termination=termination)
    return Lightest(result, min(proved, value))


def bound_of_all(problem: FlowProblem, solver: FlowSolver, result: FlowResult) -> float:
    """Return the proved least number of pieces left behind at the solver's capacities, cut off or not."""
    bound = quick_bound(
        solver, problem, result.row_price, len(problem.class_penalty), holding_rows(solver, result)
    )
    return bound - float(problem.totals()[result.cut_off].sum(dtype=np.float64))
