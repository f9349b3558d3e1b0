"""Large multicommodity flows with capacities and unserved penalties, with a proved gap.

Method: augmented Lagrangian over the capacity rows (Hestenes 1969, Powell 1969). Each
round prices every row, finds all shortest in-trees at those prices (any non-negative
prices give a valid lower bound), and improves the volumes by block coordinate descent
(:mod:`changtong.planning.descent`). A plan that keeps every capacity is then cut out of
the volumes; its cost is the upper bound. Numbers and rejected variants: docs/planner.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from changtong.planning import pairs, reading, settle, trees
from changtong.planning.descent import (
    ARENA_USED,
    FULL,
    N_PATHS,
    ROUND,
    Pool,
    Rows,
    Trees,
    Volumes,
    sweep_exits,
    sweep_paths,
)
from changtong.planning.layout import Layout, lay_out
from changtong.planning.problem import FlowProblem
from changtong.planning.slopes import Slopes

CLOSED = 1e12
"""Cost of a leg that may not be used; far above any penalty, far below UNREACHED."""

Floats = NDArray[np.float64]
T = TypeVar("T")


class Termination(Enum):
    """Why a solve ended."""

    GAP_REACHED = "gap_reached"
    TIME_LIMIT = "time_limit"
    ROUND_LIMIT = "round_limit"
    INTERRUPTED = "interrupted"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True)
class FlowSettings:
    """When to stop, and the one rule for the method's parameters.

    Attributes
    ----------
    gap_share : float
        Stop when (upper - lower) / upper is at most this.
    seconds : float
        Stop after this long, with the best plan so far.
    rounds : int
        Stop after this many pricings.
    slope : float
        Price added by a load 100 % over capacity, as a share of the mean cost of a piece.
    sweeps : int
        Sweeps over the paths in each round.
    insertions : int
        Tries to put back what did not fit when a plan is cut.
    room : float
        Share of the gap allowed that may be spent on aiming below the capacities.
    tolerance : float
        Least saving for which a pair changes its entry, as a share of the mean cost.
    threads : int
        Threads for pricing; results do not depend on it.
    """

    gap_share: float = 1e-3
    seconds: float = 60.0
    rounds: int = 2000
    slope: float = 0.1
    sweeps: int = 8
    insertions: int = 12
    room: float = 0.3
    tolerance: float = 1e-4
    threads: int = 2


@dataclass(frozen=True)
class FlowResult:
    """A flow that keeps every capacity, with the bound that says how good it is.

    ``objective`` and ``lower_bound`` leave out pieces no way can serve (``cut_off``).
    """

    termination: Termination
    objective: float
    lower_bound: float
    rounds: int
    seconds: float
    leg_flow: Floats
    unserved: NDArray[np.float32]
    cut_off: NDArray[np.bool_]
    leg_price: Floats
    site_price: Floats
    limit_price: Floats
    row_price: Floats = field(repr=False)
    cut: Cut = field(repr=False)

    @property
    def gap_share(self) -> float:
        """(objective - lower bound) / objective; 0 where both are 0."""
        if self.objective <= 0.0:
            return 0.0
        return max(0.0, (self.objective - self.lower_bound) / self.objective)


PARTS = 8
"""Parts the pairs are scanned in, whatever the number of threads."""

AHEAD = 0.5
"""Prices lie this far between the multipliers (steady) and what the loads add (quick)."""

TOLERANCE = 0.1
"""Least saving for which a pair is shifted, in shares of the gap: more leaves a dead zone."""

PAIR_SWEEPS = 4
"""Sweeps over the paths after which the chosen pairs are shifted once more."""

PRESS = 1.5
"""Factor on the slopes each time overloads are pressed out of a plan."""

PRESSES = 3
"""Pricings that press overloads out before a plan is cut."""

MEMORY = 0.3
"""Share of the latest prices in the mean prices, whose bound is the better one."""

Progress = Callable[[int, float, float, float], None]


@dataclass(frozen=True)
class Cut:
    """A plan within every capacity, with the volumes it was cut from."""

    leg_flow: Floats
    unserved: NDArray[np.float32]
    volumes: Volumes
    pool: Pool


@dataclass
class _Search:
    """What one solve has so far."""

    begin: float
    price: Floats
    mean_price: Floats
    lower: float = -np.inf
    best_price: Floats = field(default_factory=lambda: np.empty(0))
    upper: float = np.inf
    best: Cut | None = None
    gap: float = 0.1
    rounds: int = 0
    next_cut: int = 0

    def bound(self, value: float, price: Floats) -> None:
        if value > self.lower:
            self.lower, self.best_price = value, price.copy()

    def keep(self, cost: float, plan: Cut) -> None:
        if cost < self.upper:
            self.upper, self.best = cost, plan

    def proved(self, gap_share: float) -> bool:
        return self.best is not None and self.upper - self.lower <= gap_share * abs(self.upper)

    def elapsed(self) -> float:
        return time.perf_counter() - self.begin


class FlowSolver:
    """The decomposition's state for one network; outages change it in place, warm.

    Parameters
    ----------
    problem : FlowProblem
        The network, its demand, capacities and penalties.
    settings : FlowSettings
        Stopping rule and method.
    """

    def __init__(self, problem: FlowProblem, settings: FlowSettings | None = None) -> None:
        self.settings = settings or FlowSettings()
        self.problem = problem
        self.lay, self.capacity, self.leg_row, self.site_row = lay_out(problem)
        lay = self.lay
        n, n_exit, n_dest = len(lay.core_site), len(lay.exit_core), len(lay.dest_site)
        self.trees = Trees(
            dist=np.empty((n_exit, n)),
            nxt=np.full((n_exit, n), -1, np.int32),
            entry_cost=np.zeros(len(lay.entry_c)),
            exit_cost=np.zeros(len(lay.exit_t)),
            to_go=np.empty((n, n_dest)),
            leg_cost=np.zeros(len(problem.leg_tail)),
        )
        self.volumes = _volumes(problem, lay)
        self.rows = _rows(self.capacity)
        self.pool = _pool(n * n_exit, 4 * max(1000, min(len(lay.pair_d), n * n_exit)))
        self.leg_flow = np.zeros(len(problem.leg_tail))
        self.unserved = np.zeros(len(lay.pair_d), np.float32)
        self.cut_off = np.zeros(len(lay.pair_d), np.bool_)
        self._leg_of_row = np.repeat(np.arange(len(lay.row_ptr) - 1), np.diff(lay.row_ptr))
        self.warm = False
        self.curtailed = len(problem.class_penalty) - 1
        """Highest class that may have to give way: no price need exceed its penalty."""
        widest = (n + 4) * int(max(4, 1 + np.diff(lay.row_ptr).max(initial=0)))
        self._a, self._b = np.empty(widest, np.int32), np.empty(widest, np.int32)
        self._found = np.empty(len(lay.pair_d), np.int32)
        self._set_costs(problem)

    def _set_costs(self, problem: FlowProblem) -> None:
        """Take over leg costs, capacities and closures; recompute what cannot be served."""
        self.problem = problem
        leg_cost = self.trees.leg_cost
        leg_cost[:] = problem.leg_cost
        shut = problem.site_capacity <= 0.0
        leg_cost[(problem.leg_capacity <= 0.0) | shut[problem.leg_tail] | shut[problem.leg_head]] = CLOSED
        for legs, limit in problem.limits:
            if limit <= 0.0:
                leg_cost[legs] = CLOSED
        settle.recost(self.pool, leg_cost)

    # -- one pricing ---------------------------------------------------------

    def _price(self, price: Floats) -> Floats:
        """Compute in-trees and costs to go at ``price``; return the origins' own prices."""
        lay, tr = self.lay, self.trees
        arc_cost = tr.leg_cost + np.bincount(self._leg_of_row, price[lay.row_of], minlength=len(tr.leg_cost))
        tr.entry_cost[:] = np.where(lay.entry_arc >= 0, arc_cost[lay.entry_arc], 0.0)
        tr.exit_cost[:] = np.where(lay.exit_arc >= 0, arc_cost[lay.exit_arc], 0.0)
        out_cost = arc_cost[lay.out_arc]
        self._threads(
            lambda lo, hi: trees.in_trees(lo, hi, lay, arc_cost, out_cost, tr.dist, tr.nxt, self.warm),
            np.linspace(0, len(lay.exit_core), self.settings.threads + 1).astype(int),
        )
        self.warm = True
        pairs.to_go(lay, tr)
        return np.append(price, 0.0)[lay.origin_row]

    def _threads(self, work: Callable[[int, int], T], bounds: NDArray[np.int64]) -> list[T]:
        spans = [(int(lo), int(hi)) for lo, hi in pairwise(bounds)]
        if self.settings.threads == 1:
            return [work(*span) for span in spans]
        with ThreadPoolExecutor(self.settings.threads) as executor:
            return list(executor.map(lambda span: work(*span), spans))

    def _scan(self, v: Volumes, origin_price: Floats, tolerance: float) -> tuple[float, NDArray[np.int32]]:
        lay = self.lay
        share = np.linspace(0, len(lay.pair_d), PARTS + 1)  # not threads: sums must not depend on it
        bounds = np.searchsorted(lay.pair_ptr, share)
        bounds[0], bounds[-1] = 0, len(lay.origin_site)

        def scan(lo: int, hi: int) -> tuple[float, NDArray[np.int32]]:
            out = self._found[lay.pair_ptr[lo] :]
            value, found = pairs.scan_pairs(lo, hi, lay, self.trees, v, origin_price, tolerance, out)
            return float(value), out[:found]

        parts = self._threads(scan, bounds)
        return sum(value for value, _ in parts), np.concatenate([found for _, found in parts])

    # -- the solve -----------------------------------------------------------

    def solve(self, progress: Progress | None = None) -> FlowResult:
        """Run rounds until the gap is proved or a limit is met; Ctrl-C ends with the best plan."""
        begin = time.perf_counter()
        options = self.settings
        state = self._begin(begin)
        termination = Termination.ROUND_LIMIT
        try:
            for state.rounds in range(1, options.rounds + 1):
                estimate = self._round(state)
                if progress is not None:
                    progress(state.rounds, state.lower, min(state.upper, estimate), state.elapsed())
                close = estimate - state.lower <= options.gap_share * abs(estimate)
                if close and state.rounds >= state.next_cut:
                    state.keep(*self._cut())
                    state.next_cut = state.rounds + 3
                    self._aim_lower(min(state.upper, estimate), state.price)
                if state.proved(options.gap_share):
                    termination = Termination.GAP_REACHED
                    break
                if state.elapsed() > options.seconds:
                    termination = Termination.TIME_LIMIT
                    break
        except KeyboardInterrupt:
            termination = Termination.INTERRUPTED
        if termination is not Termination.GAP_REACHED:
            state.keep(*self._cut())
        return self._result(termination, state)

    def _begin(self, begin: float) -> _Search:
        """Start the volumes at the prices kept, and bound at those prices."""
        price = self.rows.price.copy()
        origin_price = self._price(price)
        self._start(origin_price)
        state = _Search(begin=begin, price=price, mean_price=price.copy())
        value, _ = self._dual(price, origin_price, 0.0)
        state.bound(value, price)
        return state

    def _round(self, state: _Search) -> float:
        """Price, bound, improve the volumes, update the multipliers; return the cost expected."""
        rows = self.rows
        state.price = np.maximum(0.0, rows.price + AHEAD * rows.slope * (rows.load - rows.capacity))
        origin_price = self._price(state.price)
        tolerance = max(self.settings.tolerance, TOLERANCE * state.gap) * self.mean_cost
        value, chosen = self._dual(state.price, origin_price, tolerance)
        state.bound(value, state.price)
        self._improve(chosen)
        self._slopes.update(self.rows, float(self.volumes.penalty[self.curtailed]))
        state.mean_price += MEMORY * (state.price - state.mean_price)
        if state.rounds % 4 == 0:
            value, _ = self._dual(state.mean_price, self._price(state.mean_price), 0.0)
            state.bound(value, state.mean_price)
        estimate = self._estimate(state.price)
        state.gap = min(1.0, max(0.0, estimate - state.lower) / max(estimate, 1e-12))
        return estimate

    def _dual(self, price: Floats, origin_price: Floats, tolerance: float) -> tuple[float, NDArray[np.int32]]:
        """Return the lower bound at ``price`` (just priced), and the pairs worth a shift."""
        value, chosen = self._scan(self.volumes, origin_price, tolerance)
        return value - float(price @ np.maximum(self.capacity, 0.0)), chosen

    def cost_range(self) -> tuple[float, float]:
        """Return the mean and the greatest cost of a piece on its cheapest way."""
        self._price(np.zeros(len(self.capacity)))
        self.volumes.pair[:] = self.problem.totals()
        mean, most = reading.cost_range(self.lay, self.trees, self.volumes, CLOSED)
        return float(mean), float(most)

    def lateness(self, cut: Cut, leg_h: Floats, site_h: Floats, promise_h: Floats) -> Floats:
        """Return pieces served, piece-hours and late pieces by class, (classes, 3)."""
        lay = self.lay
        with_head = leg_h + site_h[self.problem.leg_head]
        hours = np.zeros(len(cut.pool.flow))
        reading.path_hours(cut.pool, with_head, hours)
        out = np.zeros((len(promise_h), 3))
        origin_h = site_h[lay.origin_site]
        reading.lateness(lay, cut.pool, cut.volumes, hours, with_head, origin_h, promise_h, out)
        return out

    def blockers(self, result: FlowResult) -> NDArray[np.int32]:
        """Return the row that keeps each pair from being served in full, -1 where none does."""
        self._price(np.zeros(len(self.capacity)))
        out = np.full(len(self.lay.pair_d), -1, np.int32)
        reading.blockers(self.lay, self.trees, result.row_price, result.unserved, 1e-6, out)
        return out

    def _start(self, origin_price: Floats) -> None:
        lay, rows, v = self.lay, self.rows, self.volumes
        v.pair[:] = self.problem.totals()
        v.penalty[:] = self.problem.class_penalty
        pairs.find_cut_off(lay, self.trees, CLOSED, self.cut_off)
        v.pair[self.cut_off] = 0.0
        self.pool.drop[0] = v.penalty[-1]
        self.pool.drop[1] = 1.0 if v.steps.shape[1] == 1 else 1.0 - float(v.steps[:, -2].max())
        settle.assign_entries(lay, self.trees, v, origin_price)
        self.pool.count[ROUND] += 1
        settle.reconcile(lay, self.pool, rows, self.trees, v, self.leg_flow, self.unserved)
        pieces = float(v.pair.sum(dtype=np.float64))
        self.mean_cost = float(self.leg_flow @ self.trees.leg_cost) / max(pieces, 1e-9)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.settings.slope * self.mean_cost / rows.capacity
        rows.slope[:] = np.where(rows.capacity > 0.0, slope, 0.0)
        self._slopes = Slopes(rows)

    def _improve(self, chosen: NDArray[np.int32]) -> None:
        lay, rows, v = self.lay, self.rows, self.volumes
        self._make_room()
        pool = self.pool
        pool.count[ROUND] += 1
        sweep_paths(lay, pool, rows, self.trees, self._a, self._b)
        if lay.n_split:
            sweep_exits(lay, pool, rows, self.trees, v, self._a, self._b)
        if len(chosen):
            pairs.shift_pairs(chosen, lay, pool, rows, self.trees, v, self._a, self._b)
        for i in range(1, self.settings.sweeps):
            if i % PAIR_SWEEPS == 0 and len(chosen):
                pairs.shift_pairs(chosen, lay, pool, rows, self.trees, v, self._a, self._b)
            sweep_paths(lay, pool, rows, self.trees, self._a, self._b)

    def _aim_lower(self, upper: float, price: Floats) -> None:
        """Aim a little below the capacities, so that what still overshoots fits them.

        The room costs about a third of the gap allowed, by the rows' own prices.
        """
        worth = float(price @ np.maximum(self.capacity, 0.0))
        room = self.settings.room * self.settings.gap_share * abs(upper) / max(worth, 1e-12)
        self.rows.capacity[:] = np.maximum(self.capacity, 0.0) * (1.0 - min(room, 0.01))

    def _estimate(self, price: Floats) -> float:
        settle.reconcile(
            self.lay, self.pool, self.rows, self.trees, self.volumes, self.leg_flow, self.unserved
        )
        over = np.maximum(0.0, self.rows.load - self.rows.capacity)
        lost = settle.dropped(self.pool) * self.pool.drop[0]
        return float(self._cost() + lost + float(over @ price))

    def _cost(self) -> float:
        flow = float(self.leg_flow @ self.trees.leg_cost)
        return float(flow + pairs.penalty_of(self.volumes, self.unserved))

    def _cut(self) -> tuple[float, Cut]:
        """Cut a plan that keeps every capacity out of a copy of the volumes.

        What is cut, and what was unserved, is then put back wherever capacity is left.
        """
        self._make_room()
        v = self.volumes._replace(entry=self.volumes.entry.copy(), exit=self.volumes.exit.copy())
        pool, rows = self._copies()
        leg_flow, unserved = self.leg_flow.copy(), self.unserved.copy()
        level = (self.lay, pool, rows)
        self._press(pool, rows, v)
        settle.reconcile(*level, self.trees, v, leg_flow, unserved)
        self._cut_by_class(level, v, 0.0)
        settle.reconcile(*level, self.trees, v, leg_flow, unserved)
        for _ in range(self.settings.insertions):
            left = float(unserved.sum(dtype=np.float64))
            full = rows.load >= self.capacity * (1.0 - 1e-9)
            self._price(np.where(full, CLOSED, 0.0))
            put = settle.insert(*level, self.capacity, self.trees, v, unserved, CLOSED, self._a)
            if put <= 3e-4 * left:
                break
        settle.reconcile(*level, self.trees, v, leg_flow, unserved)
        self._serve_higher(level, v, leg_flow, unserved)
        self._cut_by_class(level, v, 1e-9)
        settle.reconcile(*level, self.trees, v, leg_flow, unserved)
        cost = float(leg_flow @ self.trees.leg_cost) + pairs.penalty_of(v, unserved)
        return cost, Cut(leg_flow, unserved, v, pool)

    def _serve_higher(
        self, level: tuple[Layout, Pool, Rows], v: Volumes, leg_flow: Floats, unserved: NDArray[np.float32]
    ) -> None:
        """Send what higher classes still lack, and cut the lowest class elsewhere for it."""
        if len(v.penalty) < 2:
            return
        no_limit = np.full(len(self.capacity), np.inf)
        for _ in range(3):
            settle.reconcile(*level, self.trees, v, leg_flow, unserved)
            owed = np.maximum(0.0, unserved - v.pair * (1.0 - v.steps[:, -2])).astype(np.float32)
            if owed.sum(dtype=np.float64) <= 0.1:
                return
            self._price(self.rows.price)
            settle.insert(*level, no_limit, self.trees, v, owed, CLOSED, self._a)
            settle.reconcile(*level, self.trees, v, leg_flow, unserved)
            settle.cut(*level, self.capacity, v, 0.0, len(v.penalty) - 1)

    def _cut_by_class(self, level: tuple[Layout, Pool, Rows], v: Volumes, tolerance: float) -> None:
        """Cut the lowest class first; go to the next only where that was not enough."""
        for kept in range(len(v.penalty) - 1, -1, -1):
            settle.cut(*level, self.capacity, v, tolerance, kept)
            if np.all(level[2].load <= self.capacity * (1.0 + 1e-9) + 1e-9) and not settle.dropped(level[1]):
                break

    def _copies(self) -> tuple[Pool, Rows]:
        """Return copies of pool and rows to change at will; paths in use keep their legs."""
        old = self.pool
        pool = old._replace(
            first=old.first.copy(),
            best=old.best.copy(),
            seen=old.seen.copy(),
            active=old.active.copy(),
            following=old.following.copy(),
            flow=old.flow.copy(),
            count=old.count.copy(),
        )
        return pool, self.rows._replace(table=self.rows.table.copy(), stamp=self.rows.stamp.copy())

    def _press(self, pool: Pool, rows: Rows, v: Volumes) -> None:
        """Press overloads out at steeper slopes and fresh prices: better than cutting them."""
        lay = self.lay
        for _ in range(PRESSES):
            rows.slope[:] *= PRESS
            price = np.maximum(0.0, rows.price + rows.slope * (rows.load - rows.capacity))
            _, chosen = self._scan(v, self._price(price), 0.0)
            pool.count[ROUND] += 1
            for _ in range(2):
                sweep_paths(lay, pool, rows, self.trees, self._a, self._b)
                if lay.n_split:
                    sweep_exits(lay, pool, rows, self.trees, v, self._a, self._b)
                if len(chosen):
                    pairs.shift_pairs(chosen, lay, pool, rows, self.trees, v, self._a, self._b)

    def _make_room(self) -> None:
        """Grow the pool when it is nearly full."""
        count, pool = self.pool.count, self.pool
        if count[FULL] or max(count[ARENA_USED] / len(pool.arena), count[N_PATHS] / len(pool.start)) > 0.7:
            self._grow()

    def _grow(self) -> None:
        """Drop dead paths; double the arena when it is still more than a third full."""
        old = self.pool
        size = len(old.start) * (2 if old.count[N_PATHS] > len(old.start) // 3 else 1)
        cells = len(old.arena) * (2 if old.count[ARENA_USED] > len(old.arena) // 3 else 1)
        new = _pool(len(old.first), size, cells)
        new = new._replace(first=old.first, best=old.best, seen=old.seen, active=old.active, drop=old.drop)
        m, used = settle.compact(
            self.lay, old, new.start, new.n_legs, new.n_rows, new.cost, new.flow, new.following, new.arena
        )
        new.count[:] = old.count
        new.count[N_PATHS], new.count[ARENA_USED], new.count[FULL] = m, used, 0
        self.pool = new

    def _result(self, termination: Termination, state: _Search) -> FlowResult:
        assert state.best is not None
        unserved = state.best.unserved.copy()
        unserved[self.cut_off] = self.problem.totals()[self.cut_off]
        price = np.append(state.best_price, 0.0)
        n_limits = len(self.problem.limits)
        return FlowResult(
            termination=termination,
            objective=state.upper,
            lower_bound=min(state.lower, state.upper),
            rounds=state.rounds,
            seconds=state.elapsed(),
            leg_flow=state.best.leg_flow,
            unserved=unserved,
            cut_off=self.cut_off.copy(),
            leg_price=price[self.leg_row],
            site_price=price[self.site_row],
            limit_price=state.best_price[len(state.best_price) - n_limits :],
            row_price=state.best_price,
            cut=state.best,
        )


def _volumes(problem: FlowProblem, lay: Layout) -> Volumes:
    return Volumes(
        pair=problem.totals().copy(),
        entry=np.zeros(lay.n_options, np.float32),
        exit=np.zeros((len(lay.core_site), lay.n_split), np.float32),
        steps=problem.class_steps(),
        penalty=np.asarray(problem.class_penalty, np.float64).copy(),
    )


def _rows(capacity: Floats) -> Rows:
    n = len(capacity)
    table = np.zeros((n, 4))
    table[:, 0] = np.maximum(capacity, 0.0)
    return Rows(table=table, stamp=np.zeros(n, np.int64))


def _pool(n_ods: int, size: int, cells: int = 0) -> Pool:
    return Pool(
        first=np.full(n_ods, -1, np.int32),
        best=np.full(n_ods, -1, np.int32),
        seen=np.zeros(n_ods, np.int32),
        active=np.empty(n_ods, np.int32),
        following=np.full(size, -1, np.int32),
        start=np.zeros(size, np.int64),
        n_legs=np.zeros(size, np.int32),
        n_rows=np.zeros(size, np.int32),
        cost=np.zeros(size),
        flow=np.zeros(size),
        arena=np.zeros(cells or 24 * size, np.int32),
        count=np.zeros(6, np.int64),
        drop=np.array([np.inf, 1.0]),
    )


def solve_flow(
    problem: FlowProblem, settings: FlowSettings | None = None, *, progress: Progress | None = None
) -> FlowResult:
    """Solve a flow problem to a proved gap.

    Parameters
    ----------
    problem : FlowProblem
        Legs (cost per piece, pieces a day), sites, pairs (pieces a day by class).
    settings : FlowSettings, optional
        Stopping rule; the parameters of the method follow one rule for every network.
    progress : callable, optional
        Called each round with (round, lower bound, upper bound or estimate, seconds).

    Returns
    -------
    FlowResult
    """
    return FlowSolver(problem, settings).solve(progress)
