"""The answer on a large network: one solve with penalties, checked class by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver, Progress, Termination
from changtong.flows.problem import same_network
from changtong.planning.answer import Answer, penalties
from changtong.planning.assemble import Question
from changtong.planning.bounds import least_unserved
from changtong.planning.inorder import Clock, solve_in_order
from changtong.planning.lightest import highest_share, lighten
from changtong.planning.punctual import hurry_late
from changtong.planning.result import PlanSettings

Floats = NDArray[np.float64]

FLOW_BY, LATE_BY = 0.22, 0.35
"""Shares of the time for the whole plan by which the flow and the moves of late pieces end."""


def price_unserved(question: Question, solver: FlowSolver) -> Question:
    """Set the penalties from the network: above the dearest of all cheapest ways."""
    if not len(question.problem.pair_from):
        return question
    solver.problem = replace(question.problem, class_penalty=penalties(question, solver))
    return replace(question, problem=solver.problem)


def _begin(
    question: Question, settings: PlanSettings, kept: FlowSolver | None
) -> tuple[Question, FlowSolver]:
    """Return the question with its penalties, and a solver: the one kept where the network is the same.

    A kept solver keeps its penalties too: its prices are worth something only beside them. Where legs cost
    something else now, penalties rise to what the new costs ask for.
    """
    options = FlowSettings(gap_share=settings.gap_share, seconds=settings.seconds, threads=settings.threads)
    if kept is not None and same_network(kept.problem, question.problem):
        kept.settings = options
        kept.curtailed = len(kept.problem.class_penalty) - 1
        other_costs = not np.array_equal(kept.problem.leg_cost, question.problem.leg_cost)
        problem = replace(question.problem, class_penalty=kept.problem.class_penalty)
        kept.change(problem)
        if other_costs:
            least = penalties(replace(question, problem=problem), kept)
            problem = replace(problem, class_penalty=np.maximum(problem.class_penalty, least))
            kept.pool.drop[0] = problem.class_penalty[-1]  # ways that leave pieces behind cost that
            kept.change(problem)
        return replace(question, problem=problem), kept
    solver = FlowSolver(question.problem, options)
    return (price_unserved(question, solver) if settings.unserved_cny is None else question), solver


@dataclass(frozen=True)
class Unproved:
    """An answer that nothing is proved of yet: that may be done beside other work.

    Attributes
    ----------
    answer : Answer
        Its proved least numbers are all 0.
    first : FlowResult
        Its flow before late pieces were moved.
    price : array, (rows,)
        Of the solve at the capacities that count.
    promise_h : array, (classes,)
    prove_s : callable
        Says how many seconds a solve for a better bound may take; 0 for none.
    """

    answer: Answer
    first: FlowResult
    price: Floats
    promise_h: Floats
    prove_s: Callable[[], float]

    def prove(self, solver: FlowSolver) -> Answer:
        """Return the answer with what is proved of it; ``solver`` prices its trees for that, and keeps it."""
        question, threads = self.answer.question, solver.settings.threads
        least = least_unserved(solver, self.first, self.price, self.prove_s, threads)
        late = solver.least_late(question.leg_h, question.site_h, self.promise_h)
        lost = question.problem.lost_by_class(self.answer.result.unserved)
        return replace(
            self.answer,
            solver=solver,
            unserved_least=least.by_class,
            unserved_total_least=least.total,
            late_least=np.maximum(0.0, late - lost),
        )


def answer_large(
    question: Question,
    objectives: tuple[str, ...],
    settings: PlanSettings,
    progress: Progress | None,
    kept: FlowSolver | None = None,
    whole: Clock | None = None,
    begun: Callable[[FlowSolver], None] = lambda _: None,
) -> Unproved:
    """Solve for all classes at once, penalties by rank; strictness is checked after (decision 0003).

    All solves together take at most ``settings.seconds``. ``kept`` is the solver of an answer
    before: on the same network its prices, paths and volumes are where this one begins. Of the time for the
    ``whole`` plan it takes shares. ``begun`` is told the solver before it solves.
    """
    whole = whole or Clock(np.inf)
    clock = Clock(min(settings.seconds, whole.left(FLOW_BY)))
    settings = replace(settings, seconds=clock.seconds)
    question, solver = _begin(question, settings, kept)
    problem = question.problem
    begun(solver)
    result = solve_in_order(problem, solver, clock, progress)
    price, max_load_least = result.row_price, None
    light = _before_cost("max_load", objectives, question)
    if light:
        lightest = lighten(problem, solver, result, clock, progress)
        result, max_load_least = lightest.result, lightest.least
    assert result.cut is not None  # this way always has one
    promise = question.classes["promise_h"].fill_null(np.inf).to_numpy().astype(np.float64)
    first = result
    late = solver.lateness(result.cut, question.leg_h, question.site_h, promise)
    asked = "late" in objectives and "late" in question.known
    if asked and result.termination is not Termination.INTERRUPTED:
        hurried = hurry_late(
            question,
            solver,
            result,
            promise,
            late,
            late_cny=settings.late_cny if _before_cost("late", objectives, question) else 0.0,
            load_share=highest_share(problem, result.leg_flow) if light else np.inf,
            open_legs=_may_open_legs(question, objectives, settings),
            goes_on=lambda: whole.left(LATE_BY) > 0.0,
        )
        result, late = hurried.result, hurried.late
    answer = Answer(
        question=question,
        solver=solver,
        result=result,
        exact=False,
        unserved_least=np.zeros(len(promise)),
        late=late,
        late_least=np.zeros(len(promise)),
        late_total_least=0.0,
        stages=(),
        pursued=_pursued(question, objectives),
        leg_worth=result.leg_price / float(problem.class_penalty[-1]),
        site_worth=result.site_price / float(problem.class_penalty[-1]),
        max_load_least=max_load_least,
    )
    return Unproved(answer, first, price, promise, lambda: clock.left() if settings.prove_unserved else 0.0)


def _before_cost(name: str, objectives: tuple[str, ...], question: Question) -> bool:
    """Return whether an objective stands before cost and carbon, and applies."""
    if name not in objectives or name not in question.known:
        return False
    money = [objectives.index(other) for other in ("cost", "carbon") if other in objectives]
    return objectives.index(name) < min(money, default=len(objectives))


def _may_open_legs(question: Question, objectives: tuple[str, ...], settings: PlanSettings) -> bool:
    """Return whether late pieces may open legs the flow leaves empty: where a price is set for them."""
    if "changed_legs" not in question.known or "changed_legs" not in objectives:
        return True
    return settings.late_cny is not None and objectives.index("late") < objectives.index("changed_legs")


def _pursued(question: Question, objectives: tuple[str, ...]) -> tuple[str, ...]:
    """Return the objectives a large solve weighs: the service, maybe the load, a leg's price."""
    light = _before_cost("max_load", objectives, question)
    return tuple(name for name in objectives if name in question.known and (light or name != "max_load"))
