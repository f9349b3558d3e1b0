"""Cut a plan that keeps every capacity out of volumes that nearly do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.flows import pairs, settle
from changtong.flows.descent import sweep_exits, sweep_paths
from changtong.flows.layout import Layout
from changtong.flows.pricing import CLOSED, Pricing, inner
from changtong.flows.problem import FlowProblem
from changtong.flows.volumes import ROUND, SHORT, Pool, Rows, Volumes, copy_pool, copy_volumes, more_room

Floats = NDArray[np.float64]

PRESS = 1.5
"""Factor on the slopes each time overloads are pressed out of a plan."""

PRESSES = 2
"""Pricings that press overloads out before a plan is cut."""

INSERTIONS = 12
"""Most tries to put back what did not fit."""

SPARED = 5e-7
"""Share of the capacities a hasty cut leaves free: rounding then seldom asks for a second one."""

SERVINGS = 8
"""Most tries to serve what higher classes lack: each displaces the lowest class, which may hit others."""


@dataclass(frozen=True)
class Cut:
    """A plan within every capacity, with the volumes it was cut from."""

    leg_flow: Floats
    unserved: NDArray[np.float32]
    volumes: Volumes
    pool: Pool


@dataclass
class Cutter:
    """One cut at work: copies of the volumes that change until they fit.

    Parameters
    ----------
    problem : FlowProblem
    pricing : Pricing
    capacity : array, (rows,)
        Pieces a day no row may exceed.
    pool, rows, volumes
        Copies to change at will.
    scratch : two arrays of int32
        Each as long as the rows of the longest way.
    hasty : bool
        Cut at once, from volumes whose loads are exact: overloads are not pressed out before. Several
        times faster; may leave a little more behind, or much.
    goes_on : callable
        Whether there is time to put the plan in order of classes.
    """

    problem: FlowProblem
    pricing: Pricing
    capacity: Floats
    pool: Pool
    rows: Rows
    volumes: Volumes
    scratch: tuple[NDArray[np.int32], NDArray[np.int32]]
    hasty: bool = False
    goes_on: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self.spared = SPARED if self.hasty else 0.0
        self.capacity = self.capacity * (1.0 - self.spared)

    @property
    def _level(self) -> tuple[Layout, Pool, Rows]:
        return self.pricing.lay, self.pool, self.rows

    def cut(self, in_order: bool) -> tuple[float, Cut]:
        """Press, cut, and put back wherever capacity is left; return the cost and the plan.

        ``in_order``: try to serve what higher classes lack at the cost of lower ones.
        """
        pricing, rows = self.pricing, self.rows
        base_price = rows.price.copy()
        leg_flow = np.zeros(len(pricing.trees.leg_cost))
        if not self.hasty:
            self._press()
            self._reconcile(leg_flow)
        self._by_class(0.0)
        unserved = np.zeros(len(self.volumes.pair), np.float32)
        settle.find_unserved(pricing.lay, self.volumes, unserved)
        self._refill(unserved)
        plan = self._finish(leg_flow, unserved)
        owed = self._owed(unserved) if in_order and self.goes_on() else None
        if owed is None:
            return plan
        self.pool, self.volumes = copy_pool(self.pool), copy_volumes(self.volumes)
        leg_flow, unserved = leg_flow.copy(), unserved.copy()
        self._serve_higher(leg_flow, unserved, owed, base_price)
        self._refill(unserved)
        other = self._finish(leg_flow, unserved)
        lost = [self.problem.lost_by_class(found.unserved) for _, found in (other, plan)]
        order = self.problem.compare_losses(*lost)
        return other if order < 0 or order == 0 and other[0] < plan[0] else plan

    def _finish(self, leg_flow: Floats, unserved: NDArray[np.float32]) -> tuple[float, Cut]:
        """Return cost and plan as the volumes stand, exact to the last piece."""
        self._reconcile(leg_flow)
        if not self._fits():
            self._by_class(1e-9)
            self._reconcile(leg_flow)
        lost = settle.find_unserved(self.pricing.lay, self.volumes, unserved)
        cost = inner(leg_flow, self.pricing.trees.leg_cost) + float(lost)
        return cost, Cut(leg_flow, unserved, self.volumes, self.pool)

    def _reconcile(self, leg_flow: Floats) -> None:
        self.pricing.reconcile(self.pool, self.rows, self.volumes, leg_flow)

    def _press(self) -> None:
        """Press overloads out at steeper slopes and fresh prices: better than cutting them."""
        lay, rows, v, tr = self.pricing.lay, self.rows, self.volumes, self.pricing.trees
        for _ in range(PRESSES):
            rows.slope[:] *= PRESS
            price = np.maximum(0.0, rows.price + rows.slope * (rows.load - rows.capacity))
            _, chosen = self.pricing.scan(v, self.pricing.price(price), 0.0)
            self.pool.count[ROUND] += 1
            for _ in range(2):
                sweep_paths(lay, self.pool, rows, tr, *self.scratch)
                if lay.n_split:
                    sweep_exits(lay, self.pool, rows, tr, v, *self.scratch)
                if len(chosen):
                    pairs.shift_pairs(chosen, lay, self.pool, rows, tr, v, *self.scratch)

    def _cut_out(self, tolerance: float, kept: int) -> None:
        while True:
            settle.cut(*self._level, self.capacity, self.volumes, tolerance, kept)
            if not self.volumes.room[SHORT]:
                return
            self.volumes = more_room(self.volumes)

    def _insert(self, lacking: NDArray[np.int64], unserved: NDArray[np.float32], capacity: Floats) -> float:
        """Serve what is unserved within ``capacity`` over the cheapest ways just priced."""
        put = 0.0
        self.pool.count[ROUND] += 1
        while True:
            put += float(
                settle.insert(
                    lacking, *self._level, capacity, self.pricing.trees, self.volumes, unserved, CLOSED,
                    self.scratch[0],
                )
            )  # fmt: skip
            if not self.volumes.room[SHORT]:
                return put
            self.volumes = more_room(self.volumes)

    def _refill(self, unserved: NDArray[np.float32]) -> None:
        """Serve what is unserved wherever capacity is left."""
        lacking = np.flatnonzero(unserved > 1e-6)
        for _ in range(INSERTIONS):
            left = float(unserved[lacking].sum(dtype=np.float64))
            if left <= 0.0:
                return
            full = self.rows.load >= self.capacity * (1.0 - 1e-9)
            self.pricing.price(np.where(full, CLOSED, 0.0))
            if self._insert(lacking, unserved, self.capacity) <= 1e-3 * left:
                return

    def _by_class(self, tolerance: float) -> None:
        """Cut the lowest class first; go to the next only where that was not enough."""
        for kept in range(len(self.volumes.penalty) - 1, -1, -1):
            self._cut_out(tolerance, kept)
            if self._fits():
                break

    def _fits(self) -> bool:
        within = np.all(self.rows.load <= self.capacity * (1.0 + self.spared + 1e-9) + 1e-9)
        return bool(within) and not settle.dropped(self.pool)

    def _owed(self, unserved: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what higher classes lack by pair; None where that is nothing."""
        v = self.volumes
        if len(v.penalty) < 2:
            return None
        short = np.flatnonzero(unserved > 1e-6)
        above = v.steps[short if len(v.steps) > 1 else 0, -2]
        owed = np.maximum(0.0, unserved[short] - v.pair[short] * (1.0 - above))
        if owed[owed > 1e-6].sum(dtype=np.float64) <= 0.1:
            return None
        whole = np.zeros(len(unserved), np.float32)
        whole[short] = owed
        return whole

    def _serve_higher(
        self, leg_flow: Floats, unserved: NDArray[np.float32], owed: NDArray[np.float32], price: Floats
    ) -> None:
        """Send what higher classes lack, and cut the lowest class elsewhere for it.

        A row that stays above capacity without its lowest class holds higher classes only: the
        next try goes round it.
        """
        penalty = self.volumes.penalty
        no_limit = np.full(len(self.capacity), np.inf)
        price = price.copy()
        for _ in range(SERVINGS):
            self.pricing.price(price)
            self._insert(np.flatnonzero(owed > 1e-6), owed, no_limit)
            self._reconcile(leg_flow)
            self._cut_out(0.0, len(penalty) - 1)
            price[self.rows.load > self.capacity * (1.0 + 1e-9) + 1e-9] += penalty[-1]
            self._by_class(0.0)
            self._reconcile(leg_flow)
            settle.find_unserved(self.pricing.lay, self.volumes, unserved)
            still = self._owed(unserved)
            if still is None or not self.goes_on():
                return
            owed = still
