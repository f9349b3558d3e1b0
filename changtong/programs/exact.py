"""Exact flows of small networks: strict priority, one linear program after another.

First the unserved pieces of the highest class are made fewest; with that total kept, those
of the next class; and so on; then the user's objectives in the user's order, each kept while
the next is optimised. Which pairs are served, and by which ways, stays free until the end.
Every stage is a linear program with a bound from its duals but one: legs changed are counted
(:mod:`changtong.programs.fewest`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from changtong.flows.problem import FlowProblem
from changtong.programs.circles import without_circles
from changtong.programs.fewest import Today
from changtong.programs.staged import LpTermination
from changtong.programs.stages import SLACK, TIES, WIDER, Aim, RowPrices, Stage, Stages
from changtong.programs.timed import Promises

__all__ = ["Aim", "ExactResult", "LpStatus", "LpTermination", "RowPrices", "Stage", "Today", "solve_exact"]

Floats = NDArray[np.float64]


class LpStatus(Enum):
    """What the flow is."""

    OPTIMAL = "optimal"  # every stage proved
    FEASIBLE = "feasible"  # keeps every capacity; a stage was not finished


@dataclass(frozen=True)
class ExactResult:
    """An exact flow.

    Attributes
    ----------
    status : LpStatus
    termination : LpTermination
    stages : tuple of Stage
        Those that were finished, in order.
    leg_flow : array, (legs,)
        Pieces a day.
    flow_dest, flow_leg, flow_pieces : array, (flows,)
        The flows above zero: destination site, leg, pieces a day; those of pieces that were
        kept on time by their hours are not among them.
    on_time : array, (pairs, classes)
        Pieces a day kept on time by their hours (:mod:`changtong.programs.timed`).
    on_time_leg : array, (legs,)
        Where these travel, pieces a day.
    late_is_bound : bool
        Whether the stage ``late`` proves a bound: clocks were exact.
    unserved : array, (pairs, classes)
        Pieces a day.
    cost : float
        Sum of the legs' costs, CNY a day.
    seconds : float
    """

    status: LpStatus
    termination: LpTermination
    stages: tuple[Stage, ...]
    leg_flow: Floats
    flow_dest: NDArray[np.int64]
    flow_leg: NDArray[np.int64]
    flow_pieces: Floats
    unserved: Floats
    on_time: Floats
    on_time_leg: Floats
    late_is_bound: bool
    cost: float
    seconds: float

    @property
    def unserved_by_class(self) -> Floats:
        """Pieces a day of each class left behind."""
        return np.asarray(self.unserved.sum(axis=0))

    def stage(self, name: str) -> Stage | None:
        """Return a stage by its name, None when it was not finished."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def prices(self, name: str = "cost") -> RowPrices:
        """Return the prices of a stage by its name.

        Raises
        ------
        KeyError
            When that stage was not finished.
        """
        return {stage.name: stage.prices for stage in self.stages}[name]


def solve_exact(
    problem: FlowProblem,
    aims: Sequence[Aim] | None = None,
    *,
    today: Today | None = None,
    promises: Promises | None = None,
    circles_stay: bool = False,
    strict: bool = True,
    seconds: float = 60.0,
    solver: str = "choose",
    progress: Callable[[str], None] | None = None,
) -> ExactResult:
    """Solve a small flow problem to optimality.

    Parameters
    ----------
    problem : FlowProblem
        Up to about 100 sites: columns grow with destinations times legs.
    aims : sequence of Aim, optional
        What to optimise after the unserved pieces, in order; the cost alone by default.
    today : Today, optional
        Today's pieces on each leg; needed for ``changed_legs``.
    promises : Promises, optional
        Hours and what is promised; needed for ``late``.
    circles_stay : bool
        Leave what runs in circles where no stage's total can be kept otherwise. For demand that
        was itself inferred from leg volumes: there today's volumes need some.
    strict : bool
        Classes strictly by rank; otherwise one program of cost and ``class_penalty``.
    seconds : float
        Limit for all stages together; the best flow so far is returned, as after Ctrl-C.
    solver : str
        HiGHS's ``choose``, ``simplex`` or ``ipm``.
    progress : callable, optional
        Called with the name of each stage that begins.

    Returns
    -------
    ExactResult

    Raises
    ------
    InternalError
        When HiGHS calls a problem infeasible or unbounded: serving nothing is always
        feasible, and costs are not negative.
    """
    begin = time.perf_counter()
    if not problem.pair_pieces.size:
        return _nothing(problem, LpTermination.NOTHING_TO_DO, begin)
    run = Stages(problem, begin, seconds, solver, promises, circles_stay)
    aims = run.aims = (Aim("cost", problem.leg_cost),) if aims is None else tuple(aims)
    work: list[tuple[str, Callable[[], LpTermination]]] = []
    if strict:
        classes = range(run.program.pieces.shape[1])
        work += [(f"unserved:{k}", lambda k=k: run.serve(k)) for k in classes]  # type: ignore[misc]
        work += [(aim.name, lambda aim=aim: run.pursue(aim, today)) for aim in aims]  # type: ignore[misc]
    else:
        work.append(("weighed", run.weigh))
    termination = LpTermination.PROVED
    try:
        for name, step in work:
            if progress is not None:
                progress(name)
            termination = step()
            if termination is not LpTermination.PROVED and name in TIES:
                termination = run.after_tie(termination)
            if termination is not LpTermination.PROVED:
                break
        else:
            run.straighten()
    except KeyboardInterrupt:
        termination = LpTermination.INTERRUPTED
    return _result(run, termination, begin)


def _nothing(problem: FlowProblem, termination: LpTermination, begin: float) -> ExactResult:
    none, empty = np.empty(0, np.int64), np.empty(0)
    nobody = np.zeros((len(problem.pair_from), len(problem.class_penalty)))
    done = time.perf_counter() - begin
    flow = np.zeros(len(problem.leg_tail))
    status = LpStatus.OPTIMAL
    return ExactResult(
        status, termination, (), flow, none, none, empty, nobody, nobody, flow, True, 0.0, done
    )


def _result(run: Stages, termination: LpTermination, begin: float) -> ExactResult:
    """Read the flow the stages reached; before the first is done, nothing is served."""
    program, problem = run.program, run.problem
    n_flows, shape = program.n_flows, program.pieces.shape
    n_columns = program.matrix.shape[1]
    values = np.zeros(n_columns) if run.values is None else run.values[:n_columns]
    flow = np.maximum(values[:n_flows], 0.0)
    plain = program.n_plain
    if not run.circles_stay:
        flow[:plain] = without_circles(problem, program, flow[:plain])
    flow *= run.size
    unserved = values[n_flows : n_flows + program.pieces.size].reshape(shape).copy()
    if run.values is None:
        unserved = program.pieces.copy()
    for k in range(shape[1]):  # what is left within the slack is rounding, not a decision
        if unserved[:, k].sum() <= 2.0 * WIDER * SLACK * max(1.0, float(program.pieces[:, k].sum())):
            unserved[:, k] = 0.0
    on_time = np.zeros(shape)
    pair, service = run.followed.pair, run.followed.service
    if len(pair):
        on_time[pair, service] = np.clip(values[-len(pair) :], 0.0, program.pieces[pair, service])
    n_legs = len(problem.leg_tail)
    leg_flow = np.bincount(program.flow_leg, flow, minlength=n_legs).astype(np.float64)
    timed = np.bincount(program.flow_leg[plain:], flow[plain:], minlength=n_legs).astype(np.float64)
    some = np.flatnonzero(flow[:plain] > 0.0)
    return ExactResult(
        status=LpStatus.OPTIMAL if termination is LpTermination.PROVED else LpStatus.FEASIBLE,
        termination=termination,
        stages=tuple(run.stages),
        leg_flow=leg_flow,
        flow_dest=program.flow_dest[some],
        flow_leg=program.flow_leg[some],
        flow_pieces=flow[some],
        unserved=np.clip(unserved, 0.0, program.pieces) * run.size,
        on_time=on_time * run.size,
        on_time_leg=timed,
        late_is_bound=not run.followed.coarse,
        cost=float(leg_flow @ problem.leg_cost),
        seconds=time.perf_counter() - begin,
    )
