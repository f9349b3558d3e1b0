"""The answer on a large network: one solve with penalties, checked class by class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from changtong.planning.answer import Answer, penalties
from changtong.planning.assemble import Question
from changtong.planning.flow import FlowResult, FlowSettings, FlowSolver, Progress
from changtong.planning.problem import FlowProblem
from changtong.planning.result import PlanSettings

Floats = NDArray[np.float64]

ROUNDING = 1e-7
"""Share of all pieces that rounding may put into a wrong class: volumes are in single precision."""


def price_unserved(question: Question, solver: FlowSolver) -> Question:
    """Set the penalties from the network: above the dearest of all cheapest ways."""
    if not len(question.problem.pair_from):
        return question
    solver.problem = replace(question.problem, class_penalty=penalties(question, solver))
    return replace(question, problem=solver.problem)


def answer_large(
    question: Question, objectives: tuple[str, ...], settings: PlanSettings, progress: Progress | None
) -> Answer:
    """Solve for all classes at once, penalties by rank; strictness is checked after (decision 0003)."""
    options = FlowSettings(gap_share=settings.gap_share, seconds=settings.seconds, threads=settings.threads)
    solver = FlowSolver(question.problem, options)
    if settings.unserved_cny is None:
        question = price_unserved(question, solver)
    result = solver.solve(progress)
    rounding = ROUNDING * float(question.problem.totals().sum(dtype=np.float64))
    while solver.curtailed > 0 and _higher_lost(question.problem, solver, result) > max(1.0, rounding):
        solver.curtailed -= 1
        result = solver.solve(progress)
    problem = question.problem
    assert result.cut is not None  # this way always has one
    promise = question.classes["promise_h"].fill_null(np.inf).to_numpy().astype(np.float64)
    return Answer(
        question=question,
        solver=solver,
        result=result,
        exact=False,
        unserved_least=_least_unserved(problem, result),
        late=solver.lateness(result.cut, question.leg_h, question.site_h, promise),
        late_least=_least_late(question, solver, result, promise),
        late_total_least=0.0,
        stages=(),
        pursued=_pursued(question, objectives),
        leg_worth=result.leg_price / float(problem.class_penalty[-1]),
        site_worth=result.site_price / float(problem.class_penalty[-1]),
    )


def _pursued(question: Question, objectives: tuple[str, ...]) -> tuple[str, ...]:
    """Return the objectives a large solve weighs: the service, then one price of a leg."""
    return tuple(name for name in objectives if name in question.known and name != "max_load")


def _higher_lost(problem: FlowProblem, solver: FlowSolver, result: FlowResult) -> float:
    """Return pieces lost of classes above the one that gives way, where a way exists."""
    lacking = np.where(result.cut_off, 0.0, result.unserved)
    return float(problem.lost_by_class(lacking)[: solver.curtailed].sum())


def _least_unserved(problem: FlowProblem, result: FlowResult) -> Floats:
    """Return a proved least number of pieces of each class left behind.

    What is cut off stays behind in any plan. A class that has nothing else left behind is
    served as well as can be; below, the weighed bound says nothing about one class alone.
    """
    hopeless = np.where(result.cut_off, result.unserved, 0.0)
    return problem.lost_by_class(hopeless)


def _least_late(question: Question, solver: FlowSolver, result: FlowResult, promise_h: Floats) -> Floats:
    """Return a proved least number of late pieces by class, given how many stay behind, (classes,)."""
    found = solver.least_late(question.leg_h, question.site_h, promise_h)
    return np.maximum(0.0, found - question.problem.lost_by_class(result.unserved))
