"""Fewest legs whose volume changes: a fixed charge on every leg that leaves its band.

A leg counts as changed when its volume leaves a band around today's. Two integer programs:

1. *Relaxed*: pieces of all pairs on a leg are added up; what goes on and what ends at a site is
   kept in total only. Every real plan is a plan of this one, so its bound is a proved lower
   bound, and with one number a leg it is solved in a second.
2. *Real*: the flow program itself with a penalty on volumes outside the bands, first on those
   legs the relaxed plan keeps. When nothing leaves the bands, the relaxed plan is real, and
   proved fewest. Otherwise slopes follow the volumes (dynamic slope scaling: Kim and Pardalos
   1999), and an integer program over the legs seen so far has the last word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from changtong.flows.problem import FlowProblem
from changtong.programs.arcflow import ArcFlow
from changtong.programs.staged import LpTermination, Staged, highs_model, quiet_highs, run_highs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RELAXED_SHARE = 0.45
"""Share of the time that goes to the relaxed program: its bound is the proof."""

THEN_SHARE = 0.3
"""Share of the time that goes to the next objective, among plans with as few changes."""

SLOPE_ROUNDS = 10
"""Rounds of slope scaling at most; the set of changed legs repeats after a few."""

INSIDE = 1e-3
"""The band aimed at is narrower by this share, so that rounding leaves no leg outside."""

NOTHING_LOST = 1e-5
"""Scaled pieces of a class below which everything counts as served: the slack of earlier stages."""

ZERO = 1e-6
"""Scaled pieces below which a volume counts as inside its band."""


@dataclass(frozen=True)
class Today:
    """Today's volumes, and how far a leg may go before it counts as changed.

    Attributes
    ----------
    flow, tolerance : array, (legs,)
        Pieces a day.
    counted : array of bool, (legs,)
        Legs that exist; take-over ways do not count.
    """

    flow: Floats
    tolerance: Floats
    counted: Flags

    def scaled(self, size: float) -> Today:
        """Return the same in units of ``size`` pieces."""
        return replace(self, flow=self.flow / size, tolerance=self.tolerance / size)

    def changed(self, flow: Floats) -> Flags:
        """Return which legs' volumes have left their band."""
        return np.asarray(self.counted & (np.abs(flow - self.flow) > self.tolerance))


@dataclass(frozen=True)
class Then:
    """The objective after the fewest changes: weights by leg, or (None) the highest load share."""

    weight: Floats | None


@dataclass(frozen=True)
class Fewest:
    """What the search found.

    Attributes
    ----------
    columns : array or None
        Of the flow program; None where time was too short for any.
    changed, bound : int
        Legs changed, and the proved least number.
    programs : int
        Linear and integer programs solved.
    interrupted : bool
    """

    columns: Floats | None
    changed: int
    bound: int
    programs: int
    interrupted: bool


@dataclass
class FewestLegs:
    """One search, in the flow program's scaled pieces.

    Attributes
    ----------
    scale : float
        Pieces of one scaled piece.
    patience : float
        Until when (``perf_counter``) the first real flow may take.
    widen : callable
        Loosens earlier totals when rounding makes the program look impossible.
    """

    problem: FlowProblem
    program: ArcFlow
    lp: Staged
    today: Today
    scale: float
    patience: float
    widen: Callable[[], None]
    moved: Flags = field(init=False)
    interrupted: bool = False
    programs: int = 0
    then_bound: float = -np.inf

    def __post_init__(self) -> None:
        problem = self.problem
        shut = problem.site_capacity <= 0.0
        closed = (problem.leg_capacity <= 0.0) | shut[problem.leg_tail] | shut[problem.leg_head]
        for legs, most in problem.limits:
            if most <= 0.0:
                closed[legs] = True
        self.closed = closed
        self.choice = np.flatnonzero(self.today.counted & ~closed)
        self.forced = int((self.today.changed(np.zeros(len(closed))) & closed).sum())
        self.total = float(self.program.pieces.sum())
        n = len(closed)
        self.low, self.high = self._band(1.0 - INSIDE)
        self.moved = ~self.today.counted
        self.totals = self.program.leg_totals(n)

    def _band(self, share: float) -> tuple[Floats, Floats]:
        """Return the volumes between which each choice leg counts as unchanged."""
        room = self.today.tolerance * share
        low = np.maximum(0.0, self.today.flow - room)[self.choice]
        return low, (self.today.flow + room)[self.choice]

    def run(
        self, capacity: Floats, lost: Floats, budgets: Sequence[tuple[Floats, float]], deadline: float,
        then: Then | None = None,
    ) -> Fewest:  # fmt: skip
        """Search until ``deadline``.

        Parameters
        ----------
        capacity : array, (legs,)
            What each leg may hold, scaled.
        lost : array, (classes,)
            Pieces of each class that may stay behind, scaled.
        budgets : sequence of (weights by leg, most)
            Totals of earlier objectives to keep.
        deadline : float
            Of ``time.perf_counter``.
        then : Then, optional
            The next objective: among plans with as few changes, one good in it is looked for.
        """
        begin = time.perf_counter()
        span = deadline - begin
        if not len(self.choice):
            return Fewest(None, self.forced, self.forced, 0, False)
        self._model = self._relaxed_model(capacity, lost, budgets)
        free, bound = self._relaxed(begin + RELAXED_SHARE * span)
        self._add_bands()
        best = self._slopes(free, begin + (1.0 - THEN_SHARE) * span)
        if best is not None and not self.interrupted and int(best[1].sum()) > bound:
            best = self._last_word(best, bound, begin + (1.0 - THEN_SHARE) * span)
        if best is not None and then is not None and not self.interrupted:
            best = self._then(best, then, time.perf_counter() + THEN_SHARE * span)
        if best is None:
            return Fewest(None, 0, self.forced + bound, self.programs, self.interrupted)
        columns, outside = best
        self.lp.limit_columns(self.over[~outside], np.zeros(int((~outside).sum())))
        self.lp.limit_columns(self.under[~outside], np.zeros(int((~outside).sum())))
        self.moved[self.choice[outside]] = True
        count = self.forced + int(outside.sum())
        return Fewest(columns, count, min(count, self.forced + bound), self.programs, self.interrupted)

    # -- the relaxed program -------------------------------------------------

    def _relaxed(self, deadline: float) -> tuple[Flags, int]:
        """Return which of the choice legs the relaxed plan changes, and the proved least number."""
        matrix, limits, columns = self._model
        q = len(self.choice)
        cost = np.append(np.zeros(len(columns) - q), np.ones(q))
        found, bound = self._integer(matrix, limits, columns, cost, deadline, gap=0.99)
        least = max(0, int(np.ceil(bound - 1e-6))) if np.isfinite(bound) else 0
        return (np.ones(q, bool) if found is None else found[-q:] > 0.5), least

    def _then(self, best: tuple[Floats, Flags], then: Then, deadline: float) -> tuple[Floats, Flags]:
        """Among plans that change no more legs, look for one better in the next objective.

        The relaxed program with so many changes at most gives a bound that holds for any choice
        of the changed legs, and a choice; it is taken when the real program can follow it.
        """
        q, count = len(self.choice), int(best[1].sum())
        matrix, (lower, upper), columns = self._model
        budget = np.append(np.zeros(matrix.shape[1] - q), np.ones(q))
        matrix = sparse.vstack([matrix, sparse.csr_matrix(budget[None, :])], format="csr")
        lower, upper = np.append(lower, -np.inf), np.append(upper, float(count))
        n_legs = len(self.closed)
        if then.weight is not None:
            cost = np.append(then.weight, np.zeros(matrix.shape[1] - n_legs))
        else:
            share = self.problem.leg_capacity / self.scale
            legs = np.flatnonzero(~self.closed & np.isfinite(share) & (share > 0.0))
            one = sparse.csr_matrix(
                (np.ones(len(legs)), (np.arange(len(legs)), legs)), shape=(len(legs), n_legs)
            )
            rows = sparse.hstack([-share[legs][:, None], one], format="csr")
            rest = sparse.csr_matrix((len(legs), matrix.shape[1] - n_legs))
            first = sparse.csr_matrix((matrix.shape[0], 1))
            matrix = sparse.vstack(
                [sparse.hstack([first, matrix]), sparse.hstack([rows, rest])], format="csr"
            )
            lower = np.append(lower, np.full(len(legs), -np.inf))
            upper = np.append(upper, np.zeros(len(legs)))
            columns = np.append(1.0 + 1e-6, columns)
            cost = np.append(1.0, np.zeros(len(columns) - 1))
        found, self.then_bound = self._integer(
            matrix, (lower, upper), columns, cost, deadline, gap=1e-6, nodes=1
        )
        if found is None or self.interrupted:
            return best
        other = self._follow(found[-q:] > 0.5)
        return best if other is None else other

    def _follow(self, free: Flags) -> tuple[Floats, Flags] | None:
        """Return a real flow that changes no leg but the free ones, None where there is none."""
        cost = np.zeros(self.lp.n_columns)
        slope = np.where(free, 0.0, 1.0)
        cost[self.over], cost[self.under] = slope, slope
        found = self.lp.minimise(cost, _soon())
        self.programs += 1
        if not found.feasible:
            return None
        outside = np.maximum(found.columns[self.over], found.columns[self.under]) > ZERO
        return None if (outside & ~free).any() else (found.columns, free)

    def _integer(
        self, matrix: sparse.spmatrix, limits: tuple[Floats, Floats], columns: Floats, cost: Floats,
        deadline: float, *, gap: float, nodes: int = 2**31 - 1,
    ) -> tuple[Floats | None, float]:  # fmt: skip
        """Solve a program whose last columns are 0 or 1; return the columns and the bound."""
        q, left = len(self.choice), deadline - time.perf_counter()
        if left <= 0.0:
            return None, -np.inf
        highs = quiet_highs(time_limit=left, mip_abs_gap=gap, mip_max_nodes=nodes)
        model = highs_model(matrix.tocsc(), limits, (np.zeros(len(columns)), columns), cost)
        kind = highspy.HighsVarType
        model.integrality_ = [kind.kContinuous] * (len(columns) - q) + [kind.kInteger] * q
        highs.passModel(model)
        self.interrupted |= run_highs(highs)
        self.programs += 1
        info = highs.getInfo()
        bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else -np.inf
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None, bound
        return np.array(highs.getSolution().col_value), bound

    def _relaxed_model(
        self, capacity: Floats, lost: Floats, budgets: Sequence[tuple[Floats, float]]
    ) -> tuple[sparse.csr_matrix, tuple[Floats, Floats], Floats]:
        """Return matrix, (lower, upper) of rows and upper limits of columns: legs, unserved, changed."""
        q = len(self.choice)
        rows, lower, upper = self._relaxed_rows(lost, budgets)
        most = np.minimum(capacity, self.total)
        low, high = self._band(1.0 + INSIDE)  # wider, so that rounding cannot spoil the bound
        inner = np.minimum(high, most[self.choice])
        pick = sparse.csr_matrix((np.ones(q), (np.arange(q), self.choice)), shape=(q, rows.shape[1]))
        room = sparse.diags(np.maximum(0.0, most[self.choice] - inner))
        matrix = sparse.vstack(
            [
                sparse.hstack([rows, sparse.csr_matrix((rows.shape[0], q))]),
                sparse.hstack([pick, -room]),
                sparse.hstack([pick, sparse.diags(low)]),
            ],
            format="csr",
        )
        free = np.full(q, np.inf)
        limits = (np.concatenate([lower, -free, low]), np.concatenate([upper, inner, free]))
        left = np.where(lost > NOTHING_LOST, self.program.pieces, 0.0).ravel()
        return matrix, limits, np.concatenate([np.where(self.closed, 0.0, most), left, np.ones(q)])

    def _relaxed_rows(
        self, lost: Floats, budgets: Sequence[tuple[Floats, float]]
    ) -> tuple[sparse.csr_matrix, Floats, Floats]:
        """Return balance, passage, sites, limits, classes and budgets over (legs, unserved)."""
        problem, pieces = self.problem, self.program.pieces
        n, m, n_classes = problem.n_sites, len(problem.leg_tail), pieces.shape[1]
        start = np.repeat(problem.pair_from.astype(np.int64), n_classes)
        end = np.repeat(problem.pair_to.astype(np.int64), n_classes)
        leg, left = np.arange(m), m + np.arange(pieces.size)
        width = m + pieces.size

        def rows(
            parts: list[tuple[NDArray[np.int64], NDArray[np.int64], float]], size: int
        ) -> sparse.csr_matrix:
            values = np.concatenate([np.full(len(c), x) for _, c, x in parts])
            where = (np.concatenate([r for r, _, _ in parts]), np.concatenate([c for _, c, _ in parts]))
            return sparse.csr_matrix((values, where), shape=(size, width))

        tail, head = problem.leg_tail.astype(np.int64), problem.leg_head.astype(np.int64)
        sent = np.bincount(start, pieces.ravel(), minlength=n).astype(np.float64)
        ends = np.bincount(end, pieces.ravel(), minlength=n).astype(np.float64)
        balance = rows([(tail, leg, 1.0), (head, leg, -1.0), (start, left, 1.0), (end, left, -1.0)], n)
        arrive = rows([(head, leg, 1.0), (end, left, 1.0)], n)
        handled = rows([(head, leg, 1.0), (start, left, -1.0)], n)
        blind = np.flatnonzero(~np.asarray(problem.transit, bool))
        limited = np.flatnonzero(np.isfinite(problem.site_capacity))
        scale = self.scale
        classes = rows([(np.tile(np.arange(n_classes), len(pieces)), left, 1.0)], n_classes)
        parts = [balance, arrive[blind], handled[limited], classes]
        lower = [sent - ends, ends[blind], np.full(len(limited), -np.inf), np.full(n_classes, -np.inf)]
        upper = [sent - ends, ends[blind], problem.site_capacity[limited] / scale - sent[limited], lost]
        for legs, most in problem.limits:
            if np.isfinite(most):
                some = np.asarray(legs, np.int64)
                parts.append(rows([(np.zeros(len(some), np.int64), some, 1.0)], 1))
                lower.append(np.array([-np.inf]))
                upper.append(np.array([most / scale]))
        for weight, most in budgets:
            parts.append(sparse.csr_matrix(np.append(weight, np.zeros(pieces.size))[None, :]))
            lower.append(np.array([-np.inf]))
            upper.append(np.array([most]))
        return sparse.vstack(parts).tocsr(), np.concatenate(lower), np.concatenate(upper)

    # -- the real program ----------------------------------------------------

    def _add_bands(self) -> None:
        """Add what each choice leg carries above and below its band as columns."""
        q = len(self.choice)
        self.over = self.lp.add_columns(q, self.total)
        self.under = self.lp.add_columns(q, self.total)
        totals = self.totals[self.choice]
        pad = sparse.csr_matrix((q, self.over[0] - totals.shape[1])) if q else sparse.csr_matrix((0, 0))
        one, none = sparse.eye(q), sparse.csr_matrix((q, q))
        free = np.full(q, np.inf)
        if q:
            above = sparse.hstack([totals, pad, -one, none], format="csr")
            below = sparse.hstack([totals, pad, none, one], format="csr")
            self.lp.add_rows(above, -free, self.high)
            self.lp.add_rows(below, self.low, free)

    def _slopes(self, free: Flags, deadline: float) -> tuple[Floats, Flags] | None:
        """Return the best flow found by slope scaling, and which choice legs it changes."""
        q = len(self.choice)
        slope = np.where(free, 1e-3, 1.0) / max(float(np.mean(self.high)) if q else 1.0, 1e-9)
        best: tuple[Floats, Flags] | None = None
        self.seen = free.copy()
        last = np.zeros(q, bool)
        for _ in range(SLOPE_ROUNDS):
            cost = np.zeros(self.lp.n_columns)
            cost[self.over], cost[self.under] = slope, slope
            found = self.lp.minimise(cost, self.patience if best is None else deadline)
            for _ in range(2 if best is None else 0):
                if not found.feasible and found.termination is LpTermination.NUMERICAL_TROUBLE:
                    self.widen()
                    found = self.lp.minimise(cost, self.patience)
            self.programs += 1
            if not found.feasible:
                self.interrupted |= found.termination is LpTermination.INTERRUPTED
                break
            away = np.maximum(found.columns[self.over], found.columns[self.under])
            outside = away > ZERO
            if best is None or outside.sum() < best[1].sum():
                best = found.columns, outside
            self.seen |= outside
            self.interrupted |= found.termination is LpTermination.INTERRUPTED
            if found.termination is not LpTermination.PROVED or not (outside & ~free).any():
                break
            if np.array_equal(outside, last):
                break
            last = outside
            slope = np.where(outside, 1.0 / np.maximum(away, ZERO), slope)
        return best

    def _last_word(self, best: tuple[Floats, Flags], bound: int, deadline: float) -> tuple[Floats, Flags]:
        """Choose among the legs seen so far by an integer program, from the best flow known."""
        left = deadline - time.perf_counter()
        if left < 0.1:
            return best
        some = np.flatnonzero(self.seen | best[1])
        k, width = len(some), self.lp.n_columns
        upper = self.lp.column_upper.copy()
        kept = np.setdiff1d(np.arange(len(self.choice)), some)
        upper[self.over[kept]] = upper[self.under[kept]] = 0.0
        most = np.maximum(self.total, 1e-9)
        where = (np.tile(np.arange(k), 2), np.concatenate([self.over[some], self.under[some]]))
        link = sparse.csr_matrix((np.ones(2 * k), where), shape=(k, width))
        matrix = sparse.vstack(
            [
                sparse.hstack([self.lp.matrix, sparse.csr_matrix((len(self.lp.lower), k))]),
                sparse.hstack([link, -sparse.diags(self._reach(some, most))]),
            ]
        ).tocsc()
        rows = (np.append(self.lp.lower, np.full(k, -np.inf)), np.append(self.lp.upper, np.zeros(k)))
        columns = (np.zeros(width + k), np.append(upper, np.ones(k)))
        cost = np.append(np.zeros(width), np.ones(k))
        highs = quiet_highs(time_limit=left, mip_abs_gap=0.99, objective_target=bound + 0.5)
        model = highs_model(matrix, rows, columns, cost)
        kind = highspy.HighsVarType
        model.integrality_ = [kind.kContinuous] * width + [kind.kInteger] * k
        highs.passModel(model)
        start = highspy.HighsSolution()
        start.col_value = np.append(best[0], best[1][some].astype(float)).tolist()
        highs.setSolution(start)
        self.interrupted |= run_highs(highs)
        self.programs += 1
        if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return best
        found = np.array(highs.getSolution().col_value)
        outside = np.zeros(len(self.choice), bool)
        outside[some] = found[width:] > 0.5
        return (found[:width], outside) if outside.sum() < best[1].sum() else best

    def _reach(self, some: NDArray[np.int64], most: float) -> Floats:
        """Return how far above or below its band each leg can get at all."""
        capacity = self.problem.leg_capacity[self.choice[some]] / self.scale
        above = np.minimum(capacity, most) - self.high[some]
        return np.asarray(np.maximum(np.maximum(above, self.low[some]), ZERO))


def _soon() -> float:
    return time.perf_counter() + 1.0
