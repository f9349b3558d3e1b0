"""The answer on a small network: every objective exactly, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver, Progress, Termination
from changtong.flows.problem import FlowProblem
from changtong.planning.answer import Answer, penalties
from changtong.planning.assemble import Question
from changtong.planning.baseline import tolerance
from changtong.planning.result import PlanSettings
from changtong.programs.arcflow import class_pieces
from changtong.programs.exact import ExactResult, LpTermination, solve_exact
from changtong.programs.fewest import Today
from changtong.programs.promises import Hours, Lateness, lateness_of_ways, least_late, read_ways
from changtong.programs.stages import Aim
from changtong.programs.timed import Promises

Floats = NDArray[np.float64]

ENDS = {
    LpTermination.PROVED: Termination.GAP_REACHED,
    LpTermination.TIME_LIMIT: Termination.TIME_LIMIT,
    LpTermination.INTERRUPTED: Termination.INTERRUPTED,
    LpTermination.ITERATION_LIMIT: Termination.ROUND_LIMIT,
    LpTermination.NUMERICAL_TROUBLE: Termination.ROUND_LIMIT,
    LpTermination.NOTHING_TO_DO: Termination.NOTHING_TO_DO,
}


LATE_PIECES = 1e-3
"""Late pieces a day of a pair and class below which nobody looks for a faster way."""

LATE_SHARE = 0.4
"""Share of the time after which no further hours are followed: the plan then counts late pieces, bounded."""


def _aims(question: Question, objectives: tuple[str, ...]) -> tuple[Aim, ...]:
    """Return the objectives that can be pursued, then what decides between equals."""
    leg = {"cost": question.leg_cny, "carbon": question.leg_kgco2e}
    aims = [Aim(name, leg.get(name)) for name in objectives if name in question.known]
    aims = [aim for aim in aims if aim.name != "unserved"]
    if "changed_legs" in objectives and "changed_legs" in question.known and not question.known & {*leg}:
        aims.append(Aim("moved_pieces"))
    return (*aims, Aim("legs", np.ones(len(question.problem.leg_tail))))


def answer_small(
    question: Question, objectives: tuple[str, ...], settings: PlanSettings, baseline: Floats,
    progress: Progress | None = None,
) -> Answer:  # fmt: skip
    """Answer exactly, one linear program after another.

    Parameters
    ----------
    question : Question
    objectives : tuple of str
        In order; ``unserved`` first.
    settings : PlanSettings
    baseline : array, (legs of the network,)
        Today's pieces.
    progress : callable, optional
        Told of every stage that begins.
    """
    problem = question.problem
    promise = question.classes["promise_h"].fill_null(np.inf).to_numpy().astype(np.float64)
    hours = Hours.of(problem, question.leg_h, question.site_h)
    search = _Punctual(question, objectives, Promises.of(problem, hours, promise), baseline)
    found, lateness, least = search.run(settings.seconds, progress)
    cut_off = ~np.isfinite(search.promises.fastest_h)
    solver = _reading_solver(question, settings)
    question = replace(question, problem=solver.problem)
    solver.cut_off[:] = cut_off
    stages = [found.stage(f"unserved:{k}") for k in range(len(promise))]
    done = [stage for stage in stages if stage is not None]
    return Answer(
        question=question,
        solver=solver,
        result=_as_flow_result(question, solver, found, cut_off),
        exact=True,
        unserved_least=np.array([max(0.0, stage.lower_bound) if stage else 0.0 for stage in stages]),
        late=lateness.by_class,
        late_least=least_late(problem, search.promises.fastest_h, promise, found.unserved_by_class),
        late_total_least=least,
        stages=found.stages,
        pursued=tuple(name for name in objectives if name in question.known),
        leg_worth=_highest([stage.prices.leg for stage in done], len(problem.leg_tail)),
        site_worth=_highest([stage.prices.site for stage in done], problem.n_sites),
    )


class _Punctual:
    """Solve, look who is late, follow the hours of those, and solve again until nobody is late unseen.

    Most networks never need the second solve: the flow that is best otherwise keeps the promise.
    """

    def __init__(
        self, question: Question, objectives: tuple[str, ...], promises: Promises, baseline: Floats
    ) -> None:
        problem = question.problem
        self.problem, self.promises = problem, promises
        self.aims = _aims(question, objectives)
        flow = np.append(baseline, np.zeros(len(problem.leg_tail) - len(baseline)))
        self.today = Today(flow, tolerance(flow), np.arange(len(flow)) < len(baseline))
        self.circles_stay = question.demand_inferred
        self.ask = any(aim.name == "late" for aim in self.aims)

    def run(self, seconds: float, progress: Progress | None) -> tuple[ExactResult, Lateness, float]:
        """Return flow, lateness, and the proved least number of late pieces."""
        begin, count, least = time.perf_counter(), 0, 0.0

        def tell(_: str) -> None:
            nonlocal count
            count += 1
            if progress is not None:
                progress(count, 0.0, 0.0, time.perf_counter() - begin)

        best: tuple[float, ExactResult, Lateness] | None = None
        while True:
            left = seconds - (time.perf_counter() - begin)
            found = self._solve(left, tell)
            lateness = self._read(found)
            late = float(lateness.by_class[:, 2].sum())
            stage = found.stage("late")
            if stage is not None and found.late_is_bound:
                least = max(least, stage.lower_bound)
            if best is None or late < best[0] or found.termination is LpTermination.PROVED:
                best = late, found, lateness
            more = self._unseen(lateness)
            spent = time.perf_counter() - begin
            if not self.ask or not more or found.termination is not LpTermination.PROVED:
                break
            if spent > LATE_SHARE * seconds:
                break
            self.promises = replace(self.promises, followed=self.promises.followed | more)
        return best[1], best[2], least

    def _solve(self, seconds: float, tell: Callable[[str], None]) -> ExactResult:
        return solve_exact(
            self.problem,
            self.aims,
            today=self.today,
            promises=self.promises,
            circles_stay=self.circles_stay,
            seconds=seconds,
            progress=tell,
        )

    def _read(self, found: ExactResult) -> Lateness:
        """Read hours and late pieces: of plain flows from their ways, of others from the program."""
        hours = self.promises.hours
        plain = np.maximum(0.0, class_pieces(self.problem) - found.unserved - found.on_time)
        flow = (found.flow_dest, found.flow_leg, found.flow_pieces)
        ways = read_ways(self.problem, flow, plain.sum(axis=1), hours)
        read = lateness_of_ways(ways, plain, self.promises.promise_h)
        timed = found.on_time.sum(axis=0)
        if timed.any():
            begin_h = hours.origin[self.problem.pair_from] @ found.on_time
            way_h = float(found.on_time_leg @ hours.leg)
            read.by_class[:, 0] += timed
            read.by_class[:, 1] += begin_h + way_h * timed / timed.sum()
        return read

    def _unseen(self, lateness: Lateness) -> frozenset[tuple[int, int]]:
        """Return the (class, destination) with late pieces that might have been on time."""
        late = np.where(self.promises.hopeless, 0.0, lateness.late)
        pair, k = np.nonzero(late > LATE_PIECES)
        found = zip(k.tolist(), self.problem.pair_to[pair].tolist(), strict=True)
        return frozenset(found) - self.promises.followed


def _highest(parts: list[Floats], size: int) -> Floats:
    return np.asarray(np.max(parts, axis=0)) if parts else np.zeros(size)


def _reading_solver(question: Question, settings: PlanSettings) -> FlowSolver:
    """Return a solver that only reads: layout, trees, penalties of the question's weights."""
    solver = FlowSolver(question.problem, FlowSettings(threads=settings.threads))
    if len(question.problem.pair_from) and settings.unserved_cny is None:
        solver.problem = replace(question.problem, class_penalty=penalties(question, solver))
    return solver


def _as_flow_result(
    question: Question, solver: FlowSolver, found: ExactResult, cut_off: NDArray[np.bool_]
) -> FlowResult:
    """Return an exact flow in the terms sort plan and checker take."""
    problem = question.problem
    penalty = problem.class_penalty
    money = float(found.leg_flow @ question.leg_cny)
    least_money = found.stage("cost")
    lost = np.where(cut_off[:, None], 0.0, found.unserved)
    wanted = class_pieces(problem)
    hopeless = np.where(cut_off[:, None], wanted, 0.0).sum(axis=0)
    objective = money + float(lost.sum(axis=0) @ penalty)
    bound = least_money.lower_bound if least_money else 0.0
    for k in range(len(penalty)):
        stage = found.stage(f"unserved:{k}")
        bound += penalty[k] * max(0.0, stage.lower_bound - float(hopeless[k])) if stage else 0.0
    leg, site, limit = _prices_in_money(found, problem)
    row = np.zeros(len(solver.capacity) + 1)
    row[solver.leg_row] = leg
    row[solver.site_row] = site
    if len(limit):
        row[len(solver.capacity) - len(limit) : -1] = limit
    solver.mean_cost = max(
        float(found.leg_flow @ problem.leg_cost) / max(float(problem.totals().sum()), 1e-9), 1e-9
    )
    return FlowResult(
        termination=ENDS[found.termination],
        objective=objective,
        lower_bound=min(bound, objective),
        rounds=len(found.stages),
        seconds=found.seconds,
        leg_flow=found.leg_flow,
        unserved=found.unserved.sum(axis=1).astype(np.float32),
        cut_off=cut_off,
        leg_price=leg,
        site_price=site,
        limit_price=limit,
        row_price=row[:-1],
        cut=None,
    )


def _prices_in_money(found: ExactResult, problem: FlowProblem) -> tuple[Floats, Floats, Floats]:
    """Return what one more piece of capacity saves, in CNY: cost, or the penalty of a piece served."""
    names = [stage.name for stage in found.stages]
    leg, site = np.zeros(len(problem.leg_tail)), np.zeros(problem.n_sites)
    limit = np.zeros(len(problem.limits))
    for k in range(len(problem.class_penalty)):
        if f"unserved:{k}" in names:
            prices, worth = found.prices(f"unserved:{k}"), float(problem.class_penalty[k])
            leg = np.maximum(leg, prices.leg * worth)
            site = np.maximum(site, prices.site * worth)
            limit = np.maximum(limit, prices.limit * worth)
    if "cost" in names:
        prices = found.prices("cost")
        leg = np.where(leg > 0.0, leg, prices.leg)
        site = np.where(site > 0.0, site, prices.site)
        limit = np.where(limit > 0.0, limit, prices.limit)
    return leg, site, limit
