"""One answer, whichever way it was found: exactly on small networks, to a proved gap on large ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSolver
from changtong.flows.problem import FlowProblem
from changtong.planning.assemble import Question
from changtong.programs.promises import open_legs
from changtong.programs.stages import Stage

Floats = NDArray[np.float64]

EXACT_COLUMNS = 50_000
"""Columns of the arc-flow program up to which a network is solved exactly (docs/planner.md)."""


@dataclass(frozen=True)
class Answer:
    """A flow and what is proved of it.

    Attributes
    ----------
    question : Question
    solver : FlowSolver
        Holds the layout, for sort plan and reading.
    result : FlowResult
        The flow; objective and bound in CNY, penalties included.
    exact : bool
    unserved_least : array, (classes,)
        Proved least pieces a day of each class left behind.
    late : array, (classes, 3)
        Pieces served, piece-hours, late pieces.
    late_least : array, (classes,)
        Proved least late pieces of each class, given what is served.
    late_total_least : float
        Proved least late pieces of all classes together.
    stages : tuple of Stage
        Of the exact way, in order.
    pursued : tuple of str
        Objectives that were optimised, in order.
    leg_worth, site_worth : array
        Pieces served for one more piece of capacity.
    unserved_total_least : float
        Proved least pieces a day of all classes together left behind.
    max_load_least : float or None
        Proved least highest load of a large plan in which it was pursued.
    """

    question: Question
    solver: FlowSolver
    result: FlowResult
    exact: bool
    unserved_least: Floats
    late: Floats
    late_least: Floats
    late_total_least: float
    stages: tuple[Stage, ...]
    pursued: tuple[str, ...]
    leg_worth: Floats
    site_worth: Floats
    unserved_total_least: float = 0.0
    max_load_least: float | None = None

    def stage(self, name: str) -> Stage | None:
        """Return a finished stage of the exact way."""
        return next((stage for stage in self.stages if stage.name == name), None)


def is_small(problem: FlowProblem) -> bool:
    """Return whether the arc-flow program is small enough to solve exactly."""
    dests = len(np.unique(problem.pair_to)) if len(problem.pair_to) <= EXACT_COLUMNS else EXACT_COLUMNS
    legs = int(open_legs(problem).sum())
    unserved = len(problem.pair_to) * len(problem.class_penalty)
    return dests * legs + unserved <= EXACT_COLUMNS


def penalties(question: Question, solver: FlowSolver) -> Floats:
    """Return penalties above the dearest of all cheapest ways, ten times more for each class above."""
    mean, most = solver.cost_range()
    base = max(10.0 * mean, 1.25 * most, 1e-6)
    n = question.classes.height
    return np.asarray(base * 10.0 ** np.arange(n - 1, -1, -1), np.float64)
