"""Large multicommodity flows with capacities and unserved penalties, with a proved gap.

Method: augmented Lagrangian over the capacity rows (Hestenes 1969, Powell 1969). Each
round prices every row, finds all shortest in-trees at those prices (any non-negative
prices give a valid lower bound), and improves the volumes by block coordinate descent
(:mod:`changtong.flows.descent`). A plan that keeps every capacity is then cut out of
the volumes; its cost is the upper bound. Numbers and rejected variants: docs/planner.md.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from changtong.flows import pairs, reading, settle
from changtong.flows.coarse import Coarse, coarsen
from changtong.flows.cutting import Cut, Cutter
from changtong.flows.descent import sweep_exits, sweep_paths
from changtong.flows.entries import pack
from changtong.flows.layout import lay_out
from changtong.flows.pricing import CLOSED, Pricing, inner
from changtong.flows.problem import FlowProblem
from changtong.flows.search import FITS, Enough, Search
from changtong.flows.slopes import Slopes
from changtong.flows.volumes import (
    ARENA_USED,
    FULL,
    N_PATHS,
    ROUND,
    SHORT,
    USED,
    Trees,
    copy_pool,
    copy_volumes,
    more_room,
    new_pool,
    new_rows,
    new_volumes,
)

Floats = NDArray[np.float64]


class Termination(Enum):
    """Why a solve ended."""

    GAP_REACHED = "gap_reached"
    TIME_LIMIT = "time_limit"
    ROUND_LIMIT = "round_limit"
    PRICES_CAPPED = "prices_capped"
    INTERRUPTED = "interrupted"
    ENOUGH = "enough"
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
    room : float
        Share of the gap allowed that may be spent on aiming below the capacities.
    tolerance : float
        Least saving for which a pair changes its entry, as a share of the mean cost.
    threads : int
        Threads for pricing; results do not depend on it.
    in_order : bool
        Whether a plan cut short of the optimum is put in order of classes: lower ones give way.
    """

    gap_share: float = 1e-3
    seconds: float = 60.0
    rounds: int = 2000
    slope: float = 0.1
    sweeps: int = 5
    room: float = 0.3
    tolerance: float = 1e-4
    threads: int = 2
    in_order: bool = True


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
    cut: Cut | None = field(repr=False)

    @property
    def gap_share(self) -> float:
        """(objective - lower bound) / objective; 0 where both are 0."""
        if self.objective <= 0.0:
            return 0.0
        return max(0.0, (self.objective - self.lower_bound) / self.objective)


AHEAD = 0.5
"""Prices lie this far between the multipliers (steady) and what the loads add (quick)."""

TOLERANCE = 0.1
"""Least saving for which a pair is shifted, in shares of the gap: more leaves a dead zone."""

PAIR_SWEEPS = 8
"""Sweeps over the paths after which the chosen pairs are shifted once more."""

MEMORY = 0.4
"""Share of the latest prices in the mean prices that are priced: steadier, the bound is better."""

SETTLING = 0.8
"""Multipliers wait while the volumes still bring the cost down to this share of the gap before."""

WAIT = 4
"""Rounds the multipliers wait for the volumes at most."""

EXACT_EVERY = 8
"""Rounds after which loads and value are recomputed from the volumes: rounding adds up."""

MUCH = 0.005
"""Share of all loads above capacity from which an outage starts anew, from coarse prices."""

CUT_BY = 2.0
"""Classes of the last plan are put in order until this many times the time limit; then it must do."""

PATIENCE = 6
"""Rounds without progress after which prices at their cap are taken to be too low."""

ABOVE_TOP = 2.0
"""Most of the greatest price that a quick price may be: far above, the bound is lost in one round."""

NEAR = 2.0
"""The end is near within this many times the gap asked for."""

COARSE = 6.0
"""A coarse solve ends within this many times the gap asked for, when little is above capacity."""

STALLED = 0.02
"""A coarse solve ends when four rounds raise its bound by less than this share of the gap."""

Progress = Callable[[int, float, float, float], None]


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
        n_ods = len(lay.core_site) * len(lay.exit_core)
        self.pricing = Pricing(problem, lay, self.settings.threads)
        self.volumes = new_volumes(problem, lay)
        self.rows = new_rows(self.capacity)
        self.pool = new_pool(n_ods, 4 * max(1000, min(len(lay.pair_d), n_ods)))
        self.leg_flow = np.zeros(len(problem.leg_tail))
        self.cut_off = np.zeros(len(lay.pair_d), np.bool_)
        self.curtailed = len(problem.class_penalty) - 1
        """Highest class that may have to give way: no price need exceed its penalty."""
        widest = (len(lay.core_site) + 4) * int(max(4, 1 + np.diff(lay.row_ptr).max(initial=0)))
        self._scratch = (np.empty(widest, np.int32), np.empty(widest, np.int32))
        self._priced = False
        self._cut_loss = 0.0
        """What a cut costs, as a share of the penalty of all that was above capacity: learned."""
        self.pricing.set_costs(problem)

    def change(self, problem: FlowProblem) -> None:
        """Take over other closures and capacities of the same network; prices and paths are kept.

        The next :meth:`solve` starts from them. Legs, pairs, pieces, classes, and which legs
        and sites are limited must be those of the problem before: see :func:`same_network`.
        """
        legs, sites = self.leg_row >= 0, self.site_row >= 0
        self.capacity[self.leg_row[legs]] = problem.leg_capacity[legs]
        self.capacity[self.site_row[sites]] = problem.site_capacity[sites]
        self.rows.capacity[:] = np.maximum(self.capacity, 0.0)
        self.problem = problem
        self.pricing.set_costs(problem)
        self.pricing.recost(self.pool)

    @property
    def _top(self) -> float:
        """Greatest price a row may have, CNY a piece."""
        return float(self.volumes.penalty[self.curtailed])

    def beside(self) -> FlowSolver:
        """Return a solver that reads the same state, with trees of its own to price beside this one's."""
        other = copy.copy(self)
        other.pricing = self.pricing.beside(self.problem)
        return other

    @property
    def trees(self) -> Trees:
        """Distances and next legs at the prices of the last pricing."""
        return self.pricing.trees

    # -- the solve -----------------------------------------------------------

    def solve(self, progress: Progress | None = None, enough: Enough | None = None) -> FlowResult:
        """Run rounds until the gap is proved, a limit is met or a plan is ``enough``.

        Ctrl-C ends with the best plan.
        """
        begin = time.perf_counter()
        state = Search(begin, self.rows.price.copy(), cut_loss=self._cut_loss, enough=enough)
        termination = Termination.ROUND_LIMIT
        started = False
        try:
            if self._priced:
                self._begin(state)
                if self._will_do_at_once(state):
                    return self._result(Termination.ENOUGH, state)
                over = np.maximum(0.0, self.rows.load - self.rows.capacity)
                self._priced = float(over.sum()) <= MUCH * float(self.rows.load.sum())
            if not self._priced:
                self._coarse_prices(progress, begin)
                self._begin(state)
            started = True
            termination = self._rounds(state, progress)
        except KeyboardInterrupt:
            termination = Termination.INTERRUPTED
        if not started:
            self._begin(state)
        if state.best is None or state.cut_at_round != state.rounds:
            state.keep(*self._cut(self.settings.in_order, goes_on=lambda: self._cutting(state)))
        self._priced = True
        return self._result(termination, state)

    def _rounds(self, state: Search, progress: Progress | None) -> Termination:
        options = self.settings
        for state.rounds in range(1, options.rounds + 1):
            self._round(state)
            if progress is not None:
                progress(state.rounds, state.lower, min(state.upper, state.estimate), state.elapsed())
            if state.worth_a_cut(options.gap_share):
                cost, plan = self._cut(options.in_order)
                state.keep(cost, plan)
                state.cut_loss = max(0.0, cost - state.estimate) / max(state.over_cost, 1e-12)
                self._cut_loss, state.cut_at_round = state.cut_loss, state.rounds
                state.cuts += 1
                if self._is_enough(state, cost, plan):
                    return Termination.ENOUGH
            self._aim(state)
            if state.proved(options.gap_share):
                return Termination.GAP_REACHED
            if state.worth_a_try() and self._will_do(state):
                return Termination.ENOUGH
            if state.elapsed() > options.seconds:
                return Termination.TIME_LIMIT
            if self._prices_capped(state):
                return Termination.PRICES_CAPPED
        return Termination.ROUND_LIMIT

    def _will_do_at_once(self, state: Search) -> bool:
        """Return whether the volumes kept, put on ways that are open, give a plan that is enough."""
        if self._will_do(state, hasty=True):
            return True
        return state.worth_care() and self._will_do(state)

    def _will_do(self, state: Search, hasty: bool = False) -> bool:
        """Cut a plan and return whether it is enough; where prices prove that none is, try no more."""
        enough = state.enough
        if enough is None:
            return False
        if self._is_enough(state, *self._cut(enough.in_order, hasty)):
            return True
        if enough.hopeless(state.lower, state.best_price):
            state.enough = None
        return False

    def _is_enough(self, state: Search, cost: float, plan: Cut) -> bool:
        """Return whether a plan just cut is enough: then it is the one kept."""
        enough = state.enough
        if enough is None:
            return False
        figure = enough.figure(cost, self._lacking(plan))
        state.tried_at_round = state.rounds
        state.tries.append((self._over_cost(), figure))
        if figure > enough.most:
            return False
        state.upper, state.best, state.cut_at_round = cost, plan, state.rounds
        return True

    def _over_cost(self) -> float:
        """Return what is above the capacities, at the penalty of the lowest class."""
        over = np.maximum(0.0, self.rows.load - self.rows.capacity)
        return float(over.sum() * self.volumes.penalty[-1])

    def _prices_capped(self, state: Search) -> bool:
        """Return whether rows stay above capacity at the greatest price, and the bound stands still."""
        state.bounds.append(state.lower)
        if self.curtailed == 0 or len(state.bounds) <= PATIENCE:
            return False
        rows = self.rows
        over = np.maximum(0.0, rows.load - rows.capacity)[rows.price >= self._top]
        room = self.settings.gap_share * abs(state.estimate) / float(self.volumes.penalty[-1])
        stalled = state.lower - state.bounds[-PATIENCE] < STALLED * (state.estimate - state.lower)
        return bool(over.sum() > room) and stalled

    def _begin(self, state: Search) -> None:
        """Start the volumes at the prices kept, and bound at those prices."""
        state.price = self.rows.price.copy()
        origin_price = self.pricing.price(state.price)
        self._start(origin_price)
        value, _ = self.pricing.scan(self.volumes, origin_price, 0.0)
        state.bound(value - self._worth(state.price), state.price)

    def _round(self, state: Search) -> None:
        """Price, bound, improve the volumes, update the multipliers when those have settled."""
        rows = self.rows
        now = rows.price + AHEAD * rows.slope * (rows.load - rows.capacity)
        now = np.clip(now, 0.0, ABOVE_TOP * self._top)
        state.price += MEMORY * (now - state.price)
        origin_price = self.pricing.price(state.price)
        tolerance = max(self.settings.tolerance, TOLERANCE * state.gap) * self.mean_cost
        value, chosen = self.pricing.scan(self.volumes, origin_price, tolerance)
        state.bound(value - self._worth(state.price), state.price)
        self._improve(chosen)
        if state.rounds % EXACT_EVERY == 0:
            self._reconcile()
        over = np.maximum(0.0, rows.load - rows.capacity)
        state.over_share = float(over.sum() / max(rows.load.sum(), 1e-12))
        state.over_cost = float(over.sum() * self.volumes.penalty[-1])
        estimate = float(self.pool.value[0]) + inner(over, state.price)
        gap = min(1.0, max(0.0, estimate - state.lower) / max(estimate, 1e-12))
        if gap < SETTLING * state.gap and state.waited < WAIT:
            state.waited += 1
        else:
            state.waited = 0
            self._slopes.update(rows, self._top, float(self.volumes.penalty[-1]))
        state.estimate, state.gap = estimate, gap

    def _worth(self, price: Floats) -> float:
        return inner(price, np.maximum(self.capacity, 0.0))

    def _start(self, origin_price: Floats) -> None:
        """Put every pair on its cheapest way, or after a solve leave it where that is still open."""
        lay, rows, v = self.lay, self.rows, self.volumes
        v.pair[:] = self.problem.totals()
        v.penalty[:] = self.problem.class_penalty
        pairs.find_cut_off(lay, self.trees, CLOSED, self.cut_off)
        v.pair[self.cut_off] = 0.0
        self.pool.drop[0] = v.penalty[-1]
        if self._priced:
            settle.keep_open(lay, self.pool, self.trees, v, CLOSED)
        else:
            settle.assign_entries(lay, self.trees, v, origin_price)
        self.pool.count[ROUND] += 1
        self._reconcile()
        if self._priced:
            return
        pieces = float(v.pair.sum(dtype=np.float64))
        self.mean_cost = inner(self.leg_flow, self.trees.leg_cost) / max(pieces, 1e-9)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.settings.slope * self.mean_cost / rows.capacity
        rows.slope[:] = np.where(rows.capacity > 0.0, slope, 0.0)
        self._slopes = Slopes(rows)

    def _reconcile(self) -> None:
        self.pricing.reconcile(self.pool, self.rows, self.volumes, self.leg_flow)

    def _improve(self, chosen: NDArray[np.int32]) -> None:
        self._make_room()
        lay, pool, rows, v, scratch = self.lay, self.pool, self.rows, self.volumes, self._scratch
        pool.count[ROUND] += 1
        sweep_paths(lay, pool, rows, self.trees, *scratch)
        if lay.n_split:
            sweep_exits(lay, pool, rows, self.trees, v, *scratch)
        for i in range(self.settings.sweeps):
            if i % PAIR_SWEEPS == 0 and len(chosen):
                pairs.shift_pairs(chosen, lay, pool, rows, self.trees, v, *scratch)
            if i:
                sweep_paths(lay, pool, rows, self.trees, *scratch)

    def _aim(self, state: Search) -> None:
        """Aim a little below the capacities near the end, so that what still overshoots fits them.

        The room costs about a third of the gap allowed, by the rows' own prices.
        """
        room = 0.0
        if state.gap < NEAR * self.settings.gap_share:
            worth = self._worth(state.best_price)
            room = self.settings.room * self.settings.gap_share * abs(state.estimate) / max(worth, 1e-12)
        self.rows.capacity[:] = np.maximum(self.capacity, 0.0) * (1.0 - min(room, 0.01))

    def _cutting(self, state: Search) -> bool:
        """Return whether the last plan may still be put in order: for a while after the time is up."""
        return state.elapsed() < CUT_BY * self.settings.seconds

    def _cut(
        self, in_order: bool, hasty: bool = False, goes_on: Callable[[], bool] = lambda: True
    ) -> tuple[float, Cut]:
        """Cut a plan that keeps every capacity out of a copy of the volumes."""
        self._make_room()
        copies = copy_volumes(self.volumes)
        rows = self.rows._replace(table=self.rows.table.copy(), stamp=self.rows.stamp.copy())
        pool = copy_pool(self.pool)
        cutter = Cutter(
            self.problem, self.pricing, self.capacity, pool, rows, copies, self._scratch, hasty, goes_on
        )
        found = cutter.cut(in_order)
        for place in (N_PATHS, ARENA_USED):  # the plan's own paths stay where they are
            self.pool.count[place] = cutter.pool.count[place]
        return found

    # -- prices from a coarser problem ---------------------------------------

    def _coarse_prices(self, progress: Progress | None, begin: float) -> None:
        """Where there are many leaves and no prices yet, take those of the coarser problem."""
        coarse = coarsen(self.problem)
        if coarse is None:
            return
        solver = FlowSolver(coarse.problem, self.settings)
        solver.curtailed = self.curtailed
        state = Search(begin, solver.rows.price.copy())
        solver._begin(state)
        for state.rounds in range(1, self.settings.rounds + 1):
            solver._round(state)
            state.bounds.append(state.lower)
            if progress is not None:
                progress(state.rounds, state.lower, state.estimate, state.elapsed())
            if state.gap <= COARSE * self.settings.gap_share and state.over_share <= FITS / COARSE:
                break
            stalled = STALLED * (state.estimate - state.lower)
            if (
                len(state.bounds) > 8
                and state.bounds[-1] - state.bounds[-5] < stalled
                or state.elapsed() > 0.5 * self.settings.seconds
            ):
                break
        self._take_prices(coarse, solver, state)

    def _take_prices(self, coarse: Coarse, solver: FlowSolver, state: Search) -> None:
        price = np.append(state.best_price, 0.0)
        legs = (coarse.leg >= 0) & (self.leg_row >= 0)
        self.rows.price[self.leg_row[legs]] = price[solver.leg_row[coarse.leg[legs]]]
        sites = np.flatnonzero(self.site_row >= 0)
        self.rows.price[self.site_row[sites]] = price[solver.site_row[coarse.group[sites]]]

    # -- room ----------------------------------------------------------------

    def _make_room(self) -> None:
        """Grow pool and cells when they are nearly full."""
        count, pool = self.pool.count, self.pool
        if count[FULL] or max(count[ARENA_USED] / len(pool.arena), count[N_PATHS] / len(pool.start)) > 0.7:
            self._grow()
        v = self.volumes
        if v.room[SHORT] or v.room[USED] > 0.7 * len(v.mix):
            mix = np.zeros_like(v.mix)
            v.room[USED], v.room[SHORT] = pack(self.lay, v, mix), 0
            self.volumes = v._replace(mix=mix)
            if v.room[USED] > len(mix) // 3:
                self.volumes = more_room(self.volumes)

    def _grow(self) -> None:
        """Drop dead paths; double the arena when it is still more than a third full."""
        old = self.pool
        size = len(old.start) * (2 if old.count[N_PATHS] > len(old.start) // 3 else 1)
        cells = len(old.arena) * (2 if old.count[ARENA_USED] > len(old.arena) // 3 else 1)
        new = new_pool(len(old.first), size, cells)
        new = new._replace(
            first=old.first,
            best=old.best,
            seen=old.seen,
            active=old.active,
            drop=old.drop,
            most=old.most,
            value=old.value,
        )
        m, used = settle.compact(
            self.lay, old, new.start, new.n_legs, new.n_rows, new.cost, new.flow, new.following, new.arena
        )
        new.count[:] = old.count
        new.count[N_PATHS], new.count[ARENA_USED], new.count[FULL] = m, used, 0
        self.pool = new

    # -- what a solution says ------------------------------------------------

    def cost_range(self) -> tuple[float, float]:
        """Return the mean and the greatest cost of a piece on its cheapest way."""
        self.pricing.price(np.zeros(len(self.capacity)))
        self.volumes.pair[:] = self.problem.totals()
        mean, most = reading.cost_range(self.lay, self.trees, self.volumes, CLOSED)
        return float(mean), float(most)

    def lateness(self, cut: Cut, leg_h: Floats, site_h: Floats, promise_h: Floats) -> Floats:
        """Return pieces served, piece-hours and late pieces by class, (classes, 3)."""
        lay = self.lay
        with_head = leg_h + site_h[self.problem.leg_head]
        hours = np.zeros(len(cut.pool.flow))
        reading.path_hours(cut.pool, with_head, hours)
        origin_h = site_h[lay.origin_site]
        way_h = np.empty((len(lay.core_site), len(lay.dest_site)), np.float32)
        reading.way_hours(lay, cut.pool, cut.volumes, hours, with_head, way_h)

        level = (lay, cut.pool, cut.volumes, hours, way_h, with_head, origin_h, promise_h)
        out = np.zeros((2, len(promise_h), 3))  # by halves
        self.pricing.each(
            lambda lo, hi, k: reading.lateness(lo, hi, *level, out[k]), self.pricing.parts(len(out))
        )
        return np.asarray(out.sum(axis=0))

    def least_late(self, leg_h: Floats, site_h: Floats, promise_h: Floats) -> Floats:
        """Return pieces by class that even the fastest open way brings later than promised, (classes,)."""
        out = np.zeros(len(promise_h))
        if np.isfinite(promise_h).any():
            costs = self.trees.leg_cost.copy()
            hours = leg_h + site_h[self.problem.leg_head]
            self.trees.leg_cost[:] = np.where(costs < CLOSED, hours, CLOSED)
            self.pricing.price(np.zeros(len(self.capacity)))
            origin_h = site_h[self.lay.origin_site]
            reading.hopeless(self.lay, self.trees, self.volumes, origin_h, promise_h, CLOSED, out)
            self.trees.leg_cost[:] = costs
        return out

    def _lacking(self, plan: Cut) -> NDArray[np.float32]:
        """Return what each pair lacks in a plan, pairs no way joins included."""
        unserved = plan.unserved.copy()
        unserved[self.cut_off] = self.problem.totals()[self.cut_off]
        return unserved

    def _result(self, termination: Termination, state: Search) -> FlowResult:
        assert state.best is not None
        unserved = self._lacking(state.best)
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
