"""The stages of an exact solve: one linear program, each total kept while the next is optimised."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from changtong.errors import InternalError
from changtong.flows.problem import FlowProblem
from changtong.programs.arcflow import ArcFlow, arc_flow
from changtong.programs.circles import find_circles
from changtong.programs.fewest import FewestLegs, Then, Today
from changtong.programs.staged import LpTermination, Minimum, Staged, round_scale
from changtong.programs.timed import Followed, Promises, follow

Floats = NDArray[np.float64]

SLACK = 1e-9
"""A stage's total may be missed later by this share of the class's demand: rounding, reported."""

LEG_SLACK = 1e-7
"""The same for totals over legs (cost, carbon, loads), as a share of the total."""

WIDER = 30.0
"""Factor on the slacks when rounding makes a later stage look infeasible, at most twice."""

CHANGES_SHARE = 0.08
"""Share of the time allowed that finding the fewest changed legs may take: 2.4 s of 30."""

PATIENCE_SHARE = 0.25
"""Share of the time allowed that a first flow with few changes may take; without it, none is sought."""

TIE_SHARE = 0.02
"""Share of the time allowed that each stage may take which only decides between equals."""

STRAIGHTEN_ROUNDS = 60
STRAIGHTEN_SHARE = 0.03
"""Rounds, and share of the time allowed, that taking circles out may cost."""

TIES = ("max_load_changed", "max_load_sites", "moved_pieces", "legs")
"""Stages that only decide between plans equal in every objective; one unfinished harms no proof."""


@dataclass(frozen=True)
class Aim:
    """One objective after the unserved pieces.

    Attributes
    ----------
    name : str
        ``changed_legs``, ``moved_pieces`` and ``max_load`` are of their own kind; any other
        name adds up ``leg`` over the pieces.
    leg : array, (legs,), optional
        What a piece weighs on each leg: CNY, kg CO2e, 1 for a leg.
    """

    name: str
    leg: Floats | None = None


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
    """One program of the sequence.

    Attributes
    ----------
    name : str
        ``unserved:0`` … for the classes, the aims' names, or ``weighed``.
    objective, lower_bound : float
        Pieces a day, or what the aim counts. The bound follows from duals alone, that of
        ``changed_legs`` from a relaxed integer program.
    slack : float
        By how much later stages may miss this total; 0 for the last.
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


def _scaled(program: ArcFlow, size: float) -> ArcFlow:
    return replace(
        program,
        row_lower=program.row_lower / size,
        row_upper=program.row_upper / size,
        column_upper=program.column_upper / size,
        pieces=program.pieces / size,
    )


@dataclass
class _Kept:
    """A total that later stages keep."""

    row: int
    slack: float
    weight: Floats | None = None  # by leg; None for a class
    most: float = np.inf


@dataclass
class Stages:
    """One linear program, its stages and the last flow that keeps every capacity."""

    problem: FlowProblem
    begin: float
    seconds: float
    solver: str
    promises: Promises | None = None
    circles_stay: bool = False
    aims: tuple[Aim, ...] = ()
    beyond: dict[str, float] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    kept: list[_Kept] = field(default_factory=list)
    values: Floats | None = None
    highest: float = 1.0
    moves: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        self.deadline = self.begin + self.seconds
        program = arc_flow(self.problem)
        self.size = round_scale(program.pieces.sum(axis=1))
        program = _scaled(program, self.size)
        promises = self.promises
        if promises is None:
            none, nobody = np.empty(0, np.int64), np.zeros(program.pieces.shape, bool)
            self.followed = Followed(program, none, none, nobody, False)
        else:
            self.followed = follow(program, self.problem, promises, self.size)
        self.program = program = self.followed.program
        ends = program.pieces[self.followed.pair, self.followed.service]
        free = np.full(program.n_flows, np.inf)
        self.lp = Staged(
            matrix=program.matrix.tocsr(),
            lower=program.row_lower,
            upper=program.row_upper.copy(),
            column_upper=np.concatenate([free, program.pieces.ravel(), ends]),
            most=program.column_upper.copy(),
            solver=self.solver,
        )

    # -- the stages ----------------------------------------------------------

    def serve(self, k: int) -> LpTermination:
        """Leave as few pieces of class ``k`` behind as possible, and keep that."""
        found, begin = self._minimise(self.program.count_of_class(k))
        if found.termination is LpTermination.PROVED:
            slack = SLACK * max(1.0, float(self.program.pieces[:, k].sum()))
            row = int(self.program.class_row[k])
            self.lp.bind(row, max(0.0, found.value) + slack)
            self.kept.append(_Kept(row, slack))
            self._note(f"unserved:{k}", found, begin, slack * self.size)
        return found.termination

    def weigh(self) -> LpTermination:
        """Minimise cost and penalties together."""
        found, begin = self._minimise(self.program.weighed(self.problem))
        if found.termination is LpTermination.PROVED:
            self._note("weighed", found, begin, 0.0)
        return found.termination

    def pursue(self, aim: Aim, today: Today | None) -> LpTermination:
        """Optimise one aim and keep what it reached."""
        if aim.name == "changed_legs":
            return self._change_few(today)
        if aim.name == "max_load":
            return self._level()
        if aim.name == "moved_pieces":
            return self._move_little(today)
        if aim.name == "late":
            return self._keep_time()
        if aim.leg is None:
            raise InternalError(f"Aim {aim.name!r} has no weights of legs.")
        found, begin = self._minimise(self.program.weight_of_legs(aim.leg), aim.name)
        if found.termination is LpTermination.PROVED:
            slack = LEG_SLACK * max(1e-3, abs(found.value))
            if found.value > 0.0 or aim.leg.any():
                row = sparse.csr_matrix(self._padded(self.program.weight_of_legs(aim.leg))[None, :])
                most = np.array([max(0.0, found.value) + slack])
                at = self.lp.add_rows(row, np.array([-np.inf]), most)
                self.kept.append(_Kept(int(at[0]), slack, aim.leg, float(most[0])))
            self._note(aim.name, found, begin, slack * self.size)
        return found.termination

    def _keep_time(self) -> LpTermination:
        """Make late pieces fewest, and keep that."""
        cost, most = self.followed.late_cost()
        found, begin = self._minimise(cost)
        if found.termination is LpTermination.PROVED:
            slack = SLACK * max(1.0, most)
            row = sparse.csr_matrix(self._padded(cost)[None, :])
            upper = np.array([max(-most, found.value) + slack])
            at = self.lp.add_rows(row, np.array([-np.inf]), upper)
            self.kept.append(_Kept(int(at[0]), slack))
            self._note("late", found, begin, slack * self.size, constant=most)
        return found.termination

    def _change_few(self, today: Today | None) -> LpTermination:
        if today is None:
            raise InternalError("changed_legs needs today's flow.")
        begin = time.perf_counter()
        budgets = [(kept.weight, kept.most) for kept in self.kept if kept.weight is not None]
        lost = [float(self.lp.upper[self.program.class_row[k]]) for k in range(self.program.pieces.shape[1])]
        scaled = today.scaled(self.size)
        patience = min(self.deadline, begin + PATIENCE_SHARE * self.seconds)
        search = FewestLegs(self.problem, self.program, self.lp, scaled, self.size, patience, self._widen)
        capacity = self.problem.leg_capacity / self.size * self.highest
        deadline = min(self.deadline, begin + CHANGES_SHARE * self.seconds)
        then = next((aim for aim in self.aims_after("changed_legs") if aim.name not in TIES), None)
        known = then is not None and (then.leg is not None or then.name == "max_load")
        next_one = Then(then.leg) if then is not None and known else None
        found = search.run(capacity, np.array(lost), budgets, deadline, next_one)
        changed = found.changed
        if len(search.choice):
            self.beyond = {aim.name: -np.inf for aim in self.aims_after("changed_legs")}
            if then is not None and next_one is not None:
                unit = 1.0 if then.leg is None else self.size
                self.beyond[then.name] = search.then_bound * unit
        if found.columns is not None:
            self.values, self.moves = found.columns, search.moved
        elif self.values is not None:  # none better was found in time: what there is stays
            flow = search.totals @ self.values[: search.totals.shape[1]]
            changed = int(scaled.changed(flow).sum())
        seconds, prices = time.perf_counter() - begin, self._prices(np.zeros(0))
        bound = float(min(changed, found.bound))
        self.stages.append(Stage("changed_legs", float(changed), bound, 0.0, seconds, found.programs, prices))
        return LpTermination.INTERRUPTED if found.interrupted else LpTermination.PROVED

    def _level(self) -> LpTermination:
        """Make the highest load share of a leg lowest, then that of the legs still free, then of sites."""
        legs = np.flatnonzero((self.problem.leg_capacity > 0.0) & np.isfinite(self.problem.leg_capacity))
        totals = self.program.leg_totals(len(self.problem.leg_tail))[legs]
        capacity = self.problem.leg_capacity[legs] / self.size
        termination = self._level_rows("max_load", totals, capacity, np.zeros(len(legs)))
        if termination is not LpTermination.PROVED:
            return termination
        free = self._free_legs()[legs]
        if 0 < free.sum() < len(free):
            name = "max_load_changed"
            found = self._level_rows(name, totals[free], capacity[free], np.zeros(int(free.sum())))
            termination = self.after_tie(found)
        sites = np.flatnonzero((self.problem.site_capacity > 0.0) & np.isfinite(self.problem.site_capacity))
        if termination is LpTermination.PROVED and len(sites):
            n = self.problem.n_sites
            sent = np.bincount(self.problem.pair_from, self.program.pieces.sum(axis=1), minlength=n)
            wanted = sent.astype(np.float64)[sites]
            rows = self.program.site_totals(self.problem)[sites]
            limit = self.problem.site_capacity[sites] / self.size
            termination = self.after_tie(self._level_rows("max_load_sites", rows, limit, wanted))
        return termination

    def _move_little(self, today: Today | None) -> LpTermination:
        """Keep the legs' volumes as near today's as can be, all pieces together."""
        if today is None:
            raise InternalError("moved_pieces needs today's flow.")
        legs = np.flatnonzero(today.counted)
        totals = self._widened(self.program.leg_totals(len(today.flow))[legs])
        away = self.lp.add_columns(2 * len(legs), float(self.program.pieces.sum()))
        one = sparse.eye(len(legs), format="csr")
        flow = today.flow[legs] / self.size
        self.lp.add_rows(sparse.hstack([totals, -one, one], format="csr"), flow, flow)
        cost = np.zeros(self.lp.n_columns)
        cost[away] = 1.0
        found, begin = self._minimise(cost, "moved_pieces")
        if found.termination is LpTermination.PROVED:
            slack = LEG_SLACK * max(1e-3, found.value)
            row = sparse.csr_matrix(cost[None, :])
            self.lp.add_rows(row, np.array([-np.inf]), np.array([max(0.0, found.value) + slack]))
            self._note("moved_pieces", found, begin, slack * self.size)
        return found.termination

    def straighten(self) -> None:
        """Take circles out of the flow as far as every total reached allows it.

        In each round the weakest leg of every circle is closed to that destination. Stops where
        the totals cannot be kept without a circle.
        """
        if self.values is None or self.deadline <= time.perf_counter():
            return
        deadline = min(self.deadline, time.perf_counter() + STRAIGHTEN_SHARE * self.seconds)
        cost = self._padded(self.program.weight_of_legs(np.ones(len(self.problem.leg_tail))))
        best = (np.inf, self.values)
        values: Floats | None = self.values
        for _ in range(STRAIGHTEN_ROUNDS):
            if values is None:
                break
            plain = values[: self.program.n_plain]
            circles = find_circles(self.problem, self.program, plain)
            running = float(sum(plain[circle].min() * len(circle) for circle in circles))
            if running < best[0]:
                best = running, values
            if not circles:
                break
            weakest = np.unique([circle[np.argmin(plain[circle])] for circle in circles])
            self.lp.limit_columns(weakest, np.zeros(len(weakest)))
            found = self.lp.minimise(cost, deadline)
            values = found.columns if found.feasible else None
        self.values = best[1]

    def after_tie(self, termination: LpTermination) -> LpTermination:
        """Return how the work goes on after a stage between equals: only Ctrl-C ends it."""
        if termination is LpTermination.INTERRUPTED or time.perf_counter() >= self.deadline:
            return termination
        return LpTermination.PROVED

    def aims_after(self, name: str) -> tuple[Aim, ...]:
        """Return the aims that follow one."""
        names = [aim.name for aim in self.aims]
        return self.aims[names.index(name) + 1 :]

    def _free_legs(self) -> NDArray[np.bool_]:
        """Return which legs may differ from today in the stages that follow."""
        return np.ones(len(self.problem.leg_tail), bool) if self.moves is None else self.moves

    def _level_rows(
        self, name: str, totals: sparse.csr_matrix, capacity: Floats, wanted: Floats
    ) -> LpTermination:
        """Minimise the highest (total + wanted) / capacity over the rows, and keep it."""
        if not len(capacity):
            return LpTermination.PROVED
        share = self.lp.add_columns(1, 1.0 + 1e-6)
        rows = sparse.hstack([self._widened(totals, 1), sparse.csr_matrix(-capacity[:, None])], format="csr")
        added = self.lp.add_rows(rows, np.full(len(capacity), -np.inf), -wanted)
        cost = np.zeros(self.lp.n_columns)
        cost[share] = 1.0
        found, begin = self._minimise(cost, name)
        if found.termination is LpTermination.PROVED:
            slack = LEG_SLACK
            self.lp.limit_columns(share, np.array([max(0.0, found.value) + slack]))
            if name == "max_load":
                self.highest = min(1.0, max(0.0, found.value) + slack)
            self._note(name, found, begin, slack, unit=1.0)
        else:
            for row in added:
                self.lp.bind(int(row), np.inf)
        return found.termination

    # -- common --------------------------------------------------------------

    def _padded(self, cost: Floats) -> Floats:
        return np.append(cost, np.zeros(self.lp.n_columns - len(cost)))

    def _widened(self, rows: sparse.csr_matrix, leave: int = 0) -> sparse.csr_matrix:
        """Pad rows over the first columns with zeros, up to ``leave`` columns before the last."""
        more = self.lp.n_columns - leave - rows.shape[1]
        return sparse.hstack([rows, sparse.csr_matrix((rows.shape[0], more))], format="csr")

    def _minimise(self, cost: Floats, name: str = "") -> tuple[Minimum, float]:
        begin = time.perf_counter()
        nothing = np.empty(0)
        deadline = min(self.deadline, begin + TIE_SHARE * self.seconds) if name in TIES else self.deadline
        if begin >= self.deadline:
            return Minimum(LpTermination.TIME_LIMIT, np.inf, -np.inf, nothing, nothing, 0), begin
        cost = self._padded(cost)
        found = self.lp.minimise(cost, deadline)
        for _ in range(2):
            if found.termination is LpTermination.NUMERICAL_TROUBLE and self.kept and not found.feasible:
                self._widen()
                found = self.lp.minimise(cost, deadline)
        if found.termination is LpTermination.NUMERICAL_TROUBLE and not self.kept:
            raise InternalError("The flow program was called impossible; serving nothing is always feasible.")
        if found.feasible:
            self.values = found.columns
        return found, begin

    def _widen(self) -> None:
        """Allow earlier totals a little more: what rounding took must not stop a later stage."""
        for kept in self.kept:
            self.lp.bind(kept.row, float(self.lp.upper[kept.row]) + (WIDER - 1.0) * kept.slack)
            kept.slack *= WIDER

    def _note(
        self, name: str, found: Minimum, begin: float, slack: float, *,
        unit: float | None = None, constant: float = 0.0,
    ) -> None:  # fmt: skip
        unit = self.size if unit is None else unit
        self.stages.append(
            Stage(
                name=name,
                objective=max(0.0, (found.value + constant) * unit),
                lower_bound=self.beyond.get(name, (found.bound + constant) * unit),
                slack=slack,
                seconds=time.perf_counter() - begin,
                iterations=found.iterations,
                prices=self._prices(-found.dual),
            )
        )

    def _prices(self, worth: Floats) -> RowPrices:
        program = self.program
        if not len(worth):
            worth = np.zeros(len(program.row_lower))
        padded = np.append(np.maximum(worth[: len(program.row_lower)], 0.0), 0.0)
        return RowPrices(padded[program.leg_row], padded[program.site_row], padded[program.limit_row])
