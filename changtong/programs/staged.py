"""One linear program, several objectives in order: each kept while the next is optimised.

HiGHS solves every stage from the basis of the one before (Huangfu and Hall 2018). Rows and
columns may be added between stages. Bounds follow from the duals alone (:func:`dual_bound`),
so a solver's tolerance cannot spoil them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from changtong.errors import InternalError

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

WAIT_S = 0.05
"""Seconds between two looks whether somebody pressed Ctrl-C while HiGHS works."""

IMPOSSIBLE = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnbounded,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)


class LpTermination(Enum):
    """Why the work ended."""

    PROVED = "proved"
    TIME_LIMIT = "time_limit"
    ITERATION_LIMIT = "iteration_limit"
    INTERRUPTED = "interrupted"
    NUMERICAL_TROUBLE = "numerical_trouble"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True)
class Minimum:
    """One solve: the value found and the bound, both in the program's own units.

    Attributes
    ----------
    termination : LpTermination
    value, bound : float
        ``value`` is infinite where nothing feasible was found; ``bound`` is minus infinite
        where nothing was proved.
    columns, dual : array
        Empty where the solver has none.
    iterations : int
    """

    termination: LpTermination
    value: float
    bound: float
    columns: Floats
    dual: Floats
    iterations: int

    @property
    def feasible(self) -> bool:
        """Whether ``columns`` keep every row."""
        return bool(np.isfinite(self.value))


def run_highs(highs: highspy.Highs) -> bool:
    """Run HiGHS; return whether Ctrl-C stopped it. It keeps the best it has."""
    highs.HandleUserInterrupt = True
    highs.startSolve()
    interrupted = False
    while True:
        try:
            done, _ = highs.wait(WAIT_S)
            if done:
                return interrupted
        except KeyboardInterrupt:
            interrupted = True
            highs.cancelSolve()  # type: ignore[no-untyped-call]


class _Quiet(highspy.Highs):
    """HiGHS that says nothing, not even its name when callbacks are set up: --json owns the output."""

    def enableCallbacks(self) -> None:  # noqa: N802 (the name is HiGHS's)
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def quiet_highs(**options: bool | float | str) -> highspy.Highs:
    """Return a HiGHS without output, on one thread: its answers then repeat exactly."""
    highs = _Quiet()  # type: ignore[no-untyped-call]
    for name, value in ({"threads": 1} | options).items():
        highs.setOptionValue(name, value)
    return highs


def termination_of(status: highspy.HighsModelStatus) -> LpTermination:
    """Return why HiGHS ended; a program called impossible is an error of ours."""
    known = highspy.HighsModelStatus
    if status in (known.kOptimal, known.kModelEmpty):
        return LpTermination.PROVED
    if status == known.kTimeLimit:
        return LpTermination.TIME_LIMIT
    if status == known.kInterrupt:
        return LpTermination.INTERRUPTED
    if status == known.kIterationLimit:
        return LpTermination.ITERATION_LIMIT
    if status in IMPOSSIBLE:
        raise InternalError(f"The flow program was called {status}; serving nothing is always feasible.")
    return LpTermination.NUMERICAL_TROUBLE


def highs_model(
    matrix: sparse.csc_matrix, rows: tuple[Floats, Floats], columns: tuple[Floats, Floats], cost: Floats
) -> highspy.HighsLp:
    """Return a HiGHS model of (lower, upper) of rows and columns."""
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, columns[0], columns[1]
    lp.row_lower_, lp.row_upper_ = rows
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.data
    return lp


def round_scale(values: Floats) -> float:
    """Return the power of two nearest the mean of what is positive: scaling by it is exact."""
    positive = values[(values > 0.0) & np.isfinite(values)]
    return float(2.0 ** np.round(np.log2(positive.mean()))) if len(positive) else 1.0


@dataclass
class Staged:
    """A linear program that grows from stage to stage. Columns are never negative.

    Attributes
    ----------
    matrix : scipy.sparse.csr_matrix, (rows, columns)
    lower, upper : array, (rows,)
    column_upper : array, (columns,)
        Limits in force.
    most : array, (columns,)
        What a column cannot exceed in an optimal solution, for proofs; finite wherever a
        proof is wanted.
    """

    matrix: sparse.csr_matrix
    lower: Floats
    upper: Floats
    column_upper: Floats
    most: Floats
    solver: str = "choose"

    def __post_init__(self) -> None:
        self.highs = quiet_highs(solver=self.solver)
        zero = np.zeros(len(self.most))
        columns = (zero, self.column_upper)
        self.highs.passModel(highs_model(self.matrix.tocsc(), (self.lower, self.upper), columns, zero))

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.most)

    def add_columns(self, count: int, most: float) -> Longs:
        """Add free columns without entries, each at most ``most``; return their numbers."""
        first, none = self.n_columns, np.empty(0, np.int32)
        upper = np.full(count, np.inf)
        self.highs.addCols(
            count, np.zeros(count), np.zeros(count), upper, 0, np.zeros(count, np.int32), none, np.empty(0)
        )
        self.matrix = sparse.hstack([self.matrix, sparse.csr_matrix((len(self.lower), count))], format="csr")
        self.column_upper = np.append(self.column_upper, upper)
        self.most = np.append(self.most, np.full(count, most))
        return np.arange(first, first + count)

    def add_rows(self, rows: sparse.csr_matrix, lower: Floats, upper: Floats) -> Longs:
        """Add rows; return their numbers."""
        first = len(self.lower)
        rows = rows.tocsr()
        rows.sum_duplicates()
        self.highs.addRows(
            len(lower), lower, upper, rows.nnz, rows.indptr[:-1].astype(np.int32),
            rows.indices.astype(np.int32), rows.data,
        )  # fmt: skip
        self.matrix = sparse.vstack([self.matrix, rows], format="csr")
        self.lower, self.upper = np.append(self.lower, lower), np.append(self.upper, upper)
        return np.arange(first, first + len(lower))

    def bind(self, row: int, most: float) -> None:
        """Set the upper limit of a row."""
        self.upper[row] = most
        self.highs.changeRowBounds(row, float(self.lower[row]), most)

    def limit_columns(self, columns: Longs, upper: Floats) -> None:
        """Set upper limits of columns; one that is lowered holds for proofs too."""
        self.column_upper[columns] = upper
        self.most[columns] = np.minimum(self.most[columns], upper)
        where = np.asarray(columns, np.int32)
        self.highs.changeColsBounds(len(where), where, np.zeros(len(where)), np.asarray(upper, np.float64))

    def minimise(self, cost: Floats, deadline: float) -> Minimum:
        """Minimise ``cost`` (one number a column) until ``deadline`` (of ``perf_counter``)."""
        unit = round_scale(np.abs(cost))
        self.highs.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost / unit)
        left = max(0.0, deadline - time.perf_counter())
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + left)
        interrupted = run_highs(self.highs)
        status = self.highs.getModelStatus()
        if status in IMPOSSIBLE:
            nothing = np.empty(0)
            return Minimum(LpTermination.NUMERICAL_TROUBLE, np.inf, -np.inf, nothing, nothing, 0)
        termination = LpTermination.INTERRUPTED if interrupted else termination_of(status)
        info, solution = self.highs.getInfo(), self.highs.getSolution()
        columns, value, bound = np.empty(0), np.inf, -np.inf
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            columns = np.array(solution.col_value)
            value = float(cost @ columns)
        dual = np.array(solution.row_dual) * unit
        if termination is LpTermination.PROVED:
            bound = dual_bound(self.matrix, (self.lower, self.upper), self.most, cost, dual)
        iterations = max(0, info.simplex_iteration_count) + max(0, info.ipm_iteration_count)
        return Minimum(termination, value, bound, columns, dual, iterations)


def dual_bound(
    matrix: sparse.spmatrix, rows: tuple[Floats, Floats], most: Floats, cost: Floats, dual: Floats
) -> float:
    """Return a lower bound on the objective that holds for any duals, however inexact.

    Duals of the wrong sign are cut to 0 and each column adds the least it can at its
    reduced cost (Neumaier and Shcherbina 2004).

    Parameters
    ----------
    rows : (lower, upper) of the rows
    most : array, (columns,)
        Upper limits of the columns, which are not negative.
    cost, dual : array, (columns,), (rows,)
        ``dual``: change of the objective for one more unit on the right.
    """
    lower, upper = rows
    dual = np.where(np.isfinite(lower), dual, np.minimum(dual, 0.0))
    dual = np.where(np.isfinite(upper), dual, np.maximum(dual, 0.0))
    right = np.where(dual > 0.0, lower, upper)
    by_rows = float(np.sum(dual[dual != 0.0] * right[dual != 0.0]))
    reduced = np.minimum(cost - matrix.T @ dual, 0.0)
    return by_rows + float(np.sum(reduced[reduced < 0.0] * most[reduced < 0.0]))
