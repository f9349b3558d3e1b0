"""Exact flows of small networks: strict priority, one linear program after another.

First the unserved pieces of the highest class are made fewest; with that total kept, those
of the next class; and so on; last the legs' cost. Which pairs are served, and by which
ways, stays free until the end. HiGHS solves each stage from the basis of the one before
(Huangfu and Hall 2018).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import Enum

import highspy
import numpy as np
from numpy.typing import NDArray

from changtong.errors import InternalError
from changtong.planning.arcflow import ArcFlow, arc_flow, dual_bound
from changtong.planning.problem import FlowProblem

Floats = NDArray[np.float64]

SLACK = 1e-9
"""A stage's total may be missed later by this share of the class's demand: rounding, reported."""

WIDER = 30.0
"""Factor on the slacks when rounding makes a later stage look infeasible, at most twice."""


IMPOSSIBLE = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnbounded,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)


class LpStatus(Enum):
    """What the flow is."""

    OPTIMAL = "optimal"  # every stage proved
    FEASIBLE = "feasible"  # keeps every capacity; a stage was not finished


class LpTermination(Enum):
    """Why the work ended."""

    PROVED = "proved"
    TIME_LIMIT = "time_limit"
    ITERATION_LIMIT = "iteration_limit"
    NUMERICAL_TROUBLE = "numerical_trouble"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True)
class RowPrices:
    """What one more piece of capacity is worth, by leg, site and limit; 0 where unlimited.

    In pieces served for a stage that counts unserved pieces, in CNY for one that counts cost.
    """

    leg: Floats
    site: Floats
    limit: Floats


@dataclass(frozen=True)
class Stage:
    """One linear program of the sequence.

    Attributes
    ----------
    name : str
        ``unserved:0`` … for the classes, ``cost``, or ``weighed``.
    objective, lower_bound : float
        Pieces a day, or CNY a day. The bound follows from the duals alone.
    slack : float
        Pieces a day by which later stages may miss this total; 0 for the last.
    seconds : float
    iterations : int
    prices : RowPrices
    """

    name: str
    objective: float
    lower_bound: float
    slack: float
    seconds: float
    iterations: int
    prices: RowPrices


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
        The flows above zero: destination site, leg, pieces a day.
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
    cost: float
    seconds: float

    @property
    def unserved_by_class(self) -> Floats:
        """Pieces a day of each class left behind."""
        return np.asarray(self.unserved.sum(axis=0))

    def prices(self, name: str = "cost") -> RowPrices:
        """Return the prices of a stage by its name.

        Raises
        ------
        KeyError
            When that stage was not finished.
        """
        return {stage.name: stage.prices for stage in self.stages}[name]


def solve_exact(
    problem: FlowProblem, *, strict: bool = True, seconds: float = 60.0, solver: str = "choose"
) -> ExactResult:
    """Solve a small flow problem to optimality.

    Parameters
    ----------
    problem : FlowProblem
        Up to about 100 sites: columns grow with destinations times legs.
    strict : bool
        Classes strictly by rank; otherwise one program of cost and ``class_penalty``.
    seconds : float
        Limit for all stages together; the best flow so far is returned.
    solver : str
        HiGHS's ``choose``, ``simplex`` or ``ipm``.

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
    program = arc_flow(problem)
    run = _Run(program, problem, begin + seconds, solver)
    n_classes = program.pieces.shape[1]
    if strict:
        plan = [(f"unserved:{k}", program.count_of_class(k), k) for k in range(n_classes)]
        plan.append(("cost", program.cost_of_legs(problem), -1))
    else:
        plan = [("weighed", program.weighed(problem), -1)]
    for name, cost, k in plan:
        termination = run.stage(name, cost, k)
        if termination is not LpTermination.PROVED:
            break
    return run.result(termination, begin)


def _nothing(problem: FlowProblem, termination: LpTermination, begin: float) -> ExactResult:
    none, empty = np.empty(0, np.int64), np.empty(0)
    shape = (len(problem.pair_from), len(problem.class_penalty))
    done = time.perf_counter() - begin
    flow = np.zeros(len(problem.leg_tail))
    return ExactResult(LpStatus.OPTIMAL, termination, (), flow, none, none, empty, np.zeros(shape), 0.0, done)


def _round_scale(values: Floats) -> float:
    """Return the power of two nearest the mean of what is positive: scaling by it is exact."""
    positive = values[(values > 0.0) & np.isfinite(values)]
    return float(2.0 ** np.round(np.log2(positive.mean()))) if len(positive) else 1.0


class _Run:
    """One HiGHS model, its stages and the last flow that keeps every capacity."""

    def __init__(self, program: ArcFlow, problem: FlowProblem, deadline: float, solver: str) -> None:
        self.problem, self.deadline = problem, deadline
        self.size = _round_scale(program.pieces.sum(axis=1))
        self.program = replace(
            program,
            row_lower=program.row_lower / self.size,
            row_upper=program.row_upper / self.size,
            column_upper=program.column_upper / self.size,
            pieces=program.pieces / self.size,
        )
        self.row_upper = self.program.row_upper.copy()
        self.stages: list[Stage] = []
        self.slack: list[float] = []
        self.values: Floats | None = None
        self.highs = highspy.Highs()  # type: ignore[no-untyped-call]
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("threads", 1)
        self.highs.setOptionValue("solver", solver)
        self.highs.passModel(_highs_model(self.program))

    def stage(self, name: str, cost: Floats, k: int) -> LpTermination:
        """Minimise ``cost``; where ``k`` is a class, keep its total from here on."""
        begin = time.perf_counter()
        if begin >= self.deadline:
            return LpTermination.TIME_LIMIT
        unit = _round_scale(cost)
        columns = np.arange(len(cost), dtype=np.int32)
        self.highs.changeColsCost(len(cost), columns, cost / unit)
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + self.deadline - begin)
        self.highs.run()
        for _ in range(2):
            if self.slack and self.highs.getModelStatus() in IMPOSSIBLE:
                self._widen()
                self.highs.run()
        termination = _termination(self.highs.getModelStatus())
        info, solution = self.highs.getInfo(), self.highs.getSolution()
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            self.values = np.array(solution.col_value)
        if termination is not LpTermination.PROVED:
            return termination
        dual = np.array(solution.row_dual)
        bound = dual_bound(self.program, cost / unit, self.row_upper, dual) * unit * self.size
        total = float(cost @ np.array(solution.col_value))
        if k >= 0:
            self.slack.append(SLACK * max(1.0, float(self.program.pieces[:, k].sum())))
            self._bind(k, max(0.0, total) + self.slack[k])
        self.stages.append(
            Stage(
                name=name,
                objective=max(0.0, total * self.size),
                lower_bound=bound,
                slack=0.0,
                seconds=time.perf_counter() - begin,
                iterations=max(0, info.simplex_iteration_count) + max(0, info.ipm_iteration_count),
                prices=self._prices(-dual * unit),
            )
        )
        return termination

    def _bind(self, k: int, most: float) -> None:
        row = int(self.program.class_row[k])
        self.row_upper[row] = most
        self.highs.changeRowBounds(row, -np.inf, most)

    def _widen(self) -> None:
        """Allow earlier totals a little more: what rounding took must not stop a later stage."""
        for k, slack in enumerate(self.slack):
            self._bind(k, float(self.row_upper[self.program.class_row[k]]) + (WIDER - 1.0) * slack)
            self.slack[k] = WIDER * slack

    def _prices(self, worth: Floats) -> RowPrices:
        padded = np.append(np.maximum(worth, 0.0), 0.0)
        program = self.program
        return RowPrices(padded[program.leg_row], padded[program.site_row], padded[program.limit_row])

    def result(self, termination: LpTermination, begin: float) -> ExactResult:
        program, problem = self.program, self.problem
        values = self.values
        if values is None:
            values = np.concatenate([np.zeros(program.n_flows), program.pieces.ravel()])
        flow = np.maximum(values[: program.n_flows], 0.0) * self.size
        unserved = values[program.n_flows :].reshape(program.pieces.shape)
        leg_flow = np.bincount(program.flow_leg, flow, minlength=len(problem.leg_tail)).astype(np.float64)
        some = np.flatnonzero(flow > 0.0)
        proved = termination is LpTermination.PROVED
        return ExactResult(
            status=LpStatus.OPTIMAL if proved else LpStatus.FEASIBLE,
            termination=termination,
            stages=tuple(
                replace(stage, slack=self.slack[k] * self.size) if k < len(self.slack) else stage
                for k, stage in enumerate(self.stages)
            ),
            leg_flow=leg_flow,
            flow_dest=program.flow_dest[some],
            flow_leg=program.flow_leg[some],
            flow_pieces=flow[some],
            unserved=np.clip(unserved, 0.0, program.pieces) * self.size,
            cost=float(leg_flow @ problem.leg_cost),
            seconds=time.perf_counter() - begin,
        )


def _highs_model(program: ArcFlow) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    n_rows, n_columns = program.matrix.shape
    upper = np.full(n_columns, np.inf)
    upper[program.n_flows :] = program.pieces.ravel()
    lp.num_row_, lp.num_col_ = n_rows, n_columns
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.zeros(n_columns), np.zeros(n_columns), upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = program.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = program.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = program.matrix.data
    return lp


def _termination(status: highspy.HighsModelStatus) -> LpTermination:
    known = highspy.HighsModelStatus
    if status in (known.kOptimal, known.kModelEmpty):
        return LpTermination.PROVED
    if status == known.kTimeLimit:
        return LpTermination.TIME_LIMIT
    if status == known.kIterationLimit:
        return LpTermination.ITERATION_LIMIT
    if status in IMPOSSIBLE:
        raise InternalError(f"The flow program was called {status}; serving nothing is always feasible.")
    return LpTermination.NUMERICAL_TROUBLE
