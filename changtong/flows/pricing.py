"""One pricing: all in-trees at given prices, and the pass over the pairs that makes the bound.

Work is cut into fixed parts, so that sums, and with them every result, are the same with
any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from changtong.flows import pairs, settle, trees
from changtong.flows.layout import Layout
from changtong.flows.problem import FlowProblem
from changtong.flows.volumes import Pool, Rows, Trees, Volumes

CLOSED = 1e12
"""Cost of a leg that may not be used; far above any penalty, far below UNREACHED."""

PARTS = 8
"""Parts the pairs are scanned in, whatever the number of threads."""

ENTERING = 2
"""Parts in which what enters the core is added up: each needs sums of its own."""

MOST_CHOSEN = 250_000
"""Pairs one part may name for a shift in one pricing; the rest come up in the next."""

Floats = NDArray[np.float64]
T = TypeVar("T")


def inner(one: Floats, other: Floats) -> float:
    """Return the inner product without BLAS: its threads spin on, and take the time of ours."""
    return float((one * other).sum())


class Pricing:
    """In-trees, costs to go and closures of one network.

    Parameters
    ----------
    problem : FlowProblem
    lay : Layout
        Of that problem.
    threads : int
    """

    def __init__(self, problem: FlowProblem, lay: Layout, threads: int) -> None:
        self.lay, self.threads = lay, threads
        n, n_exit, n_dest = len(lay.core_site), len(lay.exit_core), len(lay.dest_site)
        self.trees = Trees(
            dist=np.empty((n_exit, n)),
            nxt=np.full((n_exit, n), -1, np.int32),
            entry_cost=np.zeros(len(lay.entry_c)),
            exit_cost=np.zeros(len(lay.exit_t)),
            to_go=np.empty((n, n_dest)),
            leg_cost=np.zeros(len(problem.leg_tail)),
        )
        self._executor = ThreadPoolExecutor(threads) if threads > 1 else None
        self._leg_of_row = np.repeat(np.arange(len(lay.row_ptr) - 1), np.diff(lay.row_ptr))
        self._warm = False
        most = min(MOST_CHOSEN, max(1, len(lay.pair_d)))
        self._found = [np.empty(most, np.int32) for _ in range(PARTS)]
        self._entering = np.empty((ENTERING, 2, n, n_dest))
        self._scratch = [(np.empty(n_dest), np.empty(n_dest, np.int64)) for _ in range(PARTS)]

    def run_single(self) -> None:
        """End the threads and go on with one: results stay the same."""
        if self._executor is not None:
            self._executor.shutdown()
        self._executor, self.threads = None, 1

    def beside(self, problem: FlowProblem) -> Pricing:
        """Return a pricing of the same network on one thread; its trees are its own, begun as these."""
        other = Pricing(problem, self.lay, 1)
        for name in Trees._fields:
            getattr(other.trees, name)[:] = getattr(self.trees, name)
        other._warm = self._warm
        return other

    def set_costs(self, problem: FlowProblem) -> None:
        """Take over leg costs; a leg that is shut, or at a site that is, costs CLOSED."""
        leg_cost = self.trees.leg_cost
        leg_cost[:] = problem.leg_cost
        shut = problem.site_capacity <= 0.0
        leg_cost[(problem.leg_capacity <= 0.0) | shut[problem.leg_tail] | shut[problem.leg_head]] = CLOSED
        for legs, limit in problem.limits:
            if limit <= 0.0:
                leg_cost[legs] = CLOSED

    def price(self, price: Floats) -> Floats:
        """Compute in-trees and costs to go at row prices; return the origins' own prices."""
        lay, tr = self.lay, self.trees
        arc_cost = tr.leg_cost + np.bincount(self._leg_of_row, price[lay.row_of], minlength=len(tr.leg_cost))
        with_none = np.append(arc_cost, 0.0)  # a core site is its own entry and exit: leg -1
        tr.entry_cost[:] = with_none[lay.entry_arc]
        tr.exit_cost[:] = with_none[lay.exit_arc]
        out_cost = arc_cost[lay.out_arc]
        self.each(
            lambda lo, hi, _: trees.in_trees(lo, hi, lay, arc_cost, out_cost, tr.dist, tr.nxt, self._warm),
            np.linspace(0, len(lay.exit_core), self.threads + 1).astype(int),
        )
        self._warm = True
        self.each(
            lambda lo, hi, _: pairs.to_go(lo, hi, lay, tr, np.empty(len(lay.exit_core))),
            np.linspace(0, len(lay.core_site), self.threads + 1).astype(int),
        )
        return np.append(price, 0.0)[lay.origin_row]

    def scan(self, v: Volumes, origin_price: Floats, tolerance: float) -> tuple[float, NDArray[np.int32]]:
        """Return the dual value of the pairs (just priced), and the pairs worth a shift."""
        lay = self.lay

        def part(lo: int, hi: int, k: int) -> tuple[float, NDArray[np.int32]]:
            out = self._found[k]
            value, found = pairs.scan_pairs(
                lo, hi, lay, self.trees, v, origin_price, tolerance, out, *self._scratch[k]
            )
            return float(value), out[:found]

        parts = self.each(part, self.parts())
        return sum(value for value, _ in parts), np.concatenate([found for _, found in parts])

    def reconcile(self, pool: Pool, rows: Rows, v: Volumes, leg_flow: Floats) -> None:
        """Recompute exits, path flows, leg flows, row loads and value from where the pairs enter."""
        lay = self.lay
        leg_flow[:] = 0.0
        rows.load[:] = 0.0
        self._entering[:] = 0.0

        def part(lo: int, hi: int, k: int) -> float:
            return float(settle.enter(lo, hi, lay, rows, v, leg_flow, *self._entering[k]))

        lost = sum(self.each(part, self.parts(ENTERING)))
        at_core, low = self._entering[0]
        for others in self._entering[1:]:
            at_core += others[0]
            low += others[1]
        settle.settle_core(lay, pool, rows, self.trees, v, leg_flow, at_core, low, lost)

    def parts(self, number: int = PARTS) -> NDArray[np.int64]:
        """Return bounds of origins that cut the pairs into parts of about the same size."""
        bounds = np.searchsorted(self.lay.pair_ptr, np.linspace(0, len(self.lay.pair_d), number + 1))
        bounds[0], bounds[-1] = 0, len(self.lay.origin_site)
        return np.asarray(bounds, np.int64)

    def each(self, work: Callable[[int, int, int], T], bounds: NDArray[np.int64]) -> list[T]:
        """Run ``work(low, high, number)`` for each span between bounds, on all threads; in their order."""
        spans = [(int(lo), int(hi), k) for k, (lo, hi) in enumerate(pairwise(bounds))]
        if self._executor is None:
            return [work(*span) for span in spans]
        return list(self._executor.map(lambda span: work(*span), spans))

    def recost(self, pool: Pool) -> None:
        """Recompute the cost of every path after the legs' costs changed."""
        settle.recost(pool, self.trees.leg_cost)
