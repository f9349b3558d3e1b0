"""Keep more promises on a large network: late pieces move to ways that are on time.

A flow of least cost takes no heed of single promises. What is late in it, and need not be, moves
to the cheapest way on time that has room, cheapest first. What that may cost is what the gap asked
for leaves, so the plan stays proved; or a price the user sets for a piece (docs/planner.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows import hurry, reading
from changtong.flows.flow import FlowResult, FlowSolver
from changtong.flows.pricing import CLOSED
from changtong.flows.volumes import Trees
from changtong.planning.assemble import Question
from changtong.planning.blockers import row_loads

Floats = NDArray[np.float64]

WORTHS = (0.0, 0.02, 0.08, 0.3, 2.0)
"""What an hour may be worth in the trees that ways are taken from, in mean costs of a piece."""

PASSES = 4
"""Most times ways are looked for anew, around what has filled up."""

GAIN = 0.05
"""A further pass must move this share of what the first did."""

MOST_FOUND = 4_000_000
"""Pairs and classes one pass may find; the rest come up in the next."""

WAYS = 4096
"""Ways of one pair that are looked at."""

MOST_COST = 0.5
"""Most a piece may cost more for being on time where no price is set, in mean costs of a piece."""

TWICE = 2.0
"""Of what is chosen, about half finds no room: this many times the budget is chosen; no more is spent."""

FULL = 0.5
"""Pieces a day of room below which a row counts as full."""


@dataclass(frozen=True)
class Hurried:
    """A flow with fewer late pieces.

    Attributes
    ----------
    result : FlowResult
    late : array, (classes, 3)
        Pieces served, piece-hours, late pieces.
    pieces : float
        Pieces a day that moved to a way on time.
    cny : float
        What that costs more, CNY a day by the weights of the objectives.
    """

    result: FlowResult
    late: Floats
    pieces: float
    cny: float


def hurry_late(
    question: Question,
    solver: FlowSolver,
    result: FlowResult,
    promise_h: Floats,
    late: Floats,
    *,
    late_cny: float | None,
    load_share: float = np.inf,
    open_legs: bool = True,
    goes_on: Callable[[], bool] = lambda: True,
) -> Hurried:
    """Move late pieces to ways that are on time, within the capacities.

    Parameters
    ----------
    question : Question
    solver : FlowSolver
        At the capacities that count; its trees are priced anew.
    result : FlowResult
        Of that solver, with its cut.
    promise_h : array, (classes,)
    late : array, (classes, 3)
        As :meth:`FlowSolver.lateness` reads it from ``result``.
    late_cny : float or None
        Most a piece may cost more for being on time; None spends what the gap asked for leaves.
    load_share : float
        No leg is loaded above this share of its capacity.
    open_legs : bool
        Whether legs may be used that the flow leaves empty.
    goes_on : callable
        Whether there is time for a further pass.
    """
    work = _Work(question, solver, result, promise_h, late, load_share, open_legs)
    room = solver.settings.gap_share * result.objective - (result.objective - result.lower_bound)
    budget = max(0.0, room * (1.0 - 1e-6)) if late_cny is None else np.inf
    most = MOST_COST * solver.mean_cost if late_cny is None else late_cny
    first = 0.0
    for _ in range(PASSES):
        if not goes_on():
            break
        before = float(work.books.spent[0])
        work.look_and_move(budget, most)
        moved = float(work.books.spent[0]) - before
        first = first or moved
        if moved <= GAIN * first:
            break
    pieces, cny = (float(value) for value in work.books.spent)
    leg_flow = np.maximum(work.books.leg_flow, 0.0)
    moved_result = replace(result, leg_flow=leg_flow, objective=result.objective + cny)
    return Hurried(moved_result, work.books.late, pieces, cny)


class _Work:
    """The arrays of one flow whose late pieces are moved."""

    def __init__(
        self, question: Question, solver: FlowSolver, result: FlowResult, promise_h: Floats, late: Floats,
        load_share: float, open_legs: bool,
    ) -> None:  # fmt: skip
        assert result.cut is not None
        lay, cut, problem = solver.lay, result.cut, solver.problem
        self.solver, self.cut = solver, cut
        leg_h = question.leg_h + question.site_h[problem.leg_head]
        path_h = np.zeros(len(cut.pool.flow))
        reading.path_hours(cut.pool, leg_h, path_h)
        way_h = np.empty((len(lay.core_site), len(lay.dest_site)), np.float32)
        reading.way_hours(lay, cut.pool, cut.volumes, path_h, leg_h, way_h)
        classes = np.min_scalar_type((1 << len(promise_h)) - 1)
        self.promises = hurry.Promises(
            leg_h=leg_h,
            origin_h=question.site_h[lay.origin_site],
            path_h=path_h,
            way_h=way_h,
            promise_h=promise_h,
            done=np.zeros(len(lay.pair_d), classes),
        )
        capacity = np.maximum(solver.capacity, 0.0)
        legs = solver.leg_row >= 0
        capacity[solver.leg_row[legs]] *= min(1.0, load_share)
        self.books = hurry.Books(
            capacity=capacity,
            load=row_loads(solver, result),
            leg_flow=result.leg_flow.copy(),
            late=late.copy(),
            spent=np.zeros(2),
        )
        self.allowed = np.ones(len(leg_h), bool) if open_legs else result.leg_flow > FULL
        self.legs = np.empty(len(lay.core_site) + 4, np.int32)
        self.way, self.share = np.empty((WAYS, 3), np.int32), np.empty(WAYS)

    def look_and_move(self, budget: float, most: float) -> None:
        """Look for ways around what is full; move what is cheap enough, by class and cost."""
        options = self._options()
        found = self._look(options, most)
        order = self._worth_it(found, budget - float(self.books.spent[1]))
        chosen = _some(found, order)
        again = np.zeros(len(self.promises.done), bool)
        again[chosen.pair] = True
        self.promises.done[~again] = (1 << len(self.promises.promise_h)) - 1
        lay, cut = self.solver.lay, self.cut
        origin = np.searchsorted(lay.pair_ptr, chosen.pair, side="right") - 1
        hurry.move(
            chosen, origin, lay, cut.pool, cut.volumes, self.promises, options, self.books, budget,
            self.way, self.share, self.legs,
        )  # fmt: skip

    def _options(self) -> tuple[Trees, ...]:
        """Return in-trees of cost and an hour's worth, for each worth, around full rows."""
        solver, trees = self.solver, self.solver.trees
        cost = trees.leg_cost.copy()
        full = self.books.load >= self.books.capacity - FULL
        open_legs = (cost < CLOSED) & self.allowed
        made = []
        for worth in WORTHS:
            hour = worth * solver.mean_cost * self.promises.leg_h
            trees.leg_cost[:] = np.where(open_legs, cost + hour, CLOSED)
            solver.pricing.price(np.where(full, CLOSED, 0.0))
            made.append(
                Trees(
                    dist=trees.dist.copy(),
                    nxt=trees.nxt.copy(),
                    entry_cost=trees.entry_cost.copy(),
                    exit_cost=trees.exit_cost.copy(),
                    to_go=trees.to_go.copy(),
                    leg_cost=cost,
                )
            )
        trees.leg_cost[:] = cost
        return tuple(made)

    def _look(self, options: tuple[Trees, ...], most: float) -> hurry.Found:
        lay, cut = self.solver.lay, self.cut
        bounds = self.solver.pricing.parts()
        size = min(MOST_FOUND // (len(bounds) - 1), max(1, len(lay.pair_d) * len(self.promises.promise_h)))

        def part(lo: int, hi: int, _: int) -> hurry.Found:
            found = hurry.Found(
                np.empty(size, np.int32), np.empty(size, np.int8), np.empty(size, np.int8),
                np.empty(size, np.float32), np.empty(size, np.float32),
            )  # fmt: skip
            late = np.empty((len(self.promises.promise_h), 2))
            reach = np.empty((len(options), 2))
            m = hurry.look(
                lo, hi, most, lay, cut.pool, cut.volumes, self.promises, options, found, late, reach,
                np.empty_like(self.way), np.empty_like(self.share), np.empty_like(self.legs),
            )  # fmt: skip
            return _some(found, np.arange(m))

        parts = self.solver.pricing.each(part, bounds)
        return hurry.Found(
            pair=np.concatenate([one.pair for one in parts]),
            rank=np.concatenate([one.rank for one in parts]),
            option=np.concatenate([one.option for one in parts]),
            pieces=np.concatenate([one.pieces for one in parts]),
            extra=np.concatenate([one.extra for one in parts]),
        )

    def _worth_it(self, found: hurry.Found, left: float) -> NDArray[np.int64]:
        """Return what may move, the highest class first, then the cheapest.

        With a budget, one price for all classes: that at which the budget would be used up.
        """
        by_cost = np.argsort(found.extra, kind="stable")
        spent = np.cumsum(np.maximum(0.0, found.extra[by_cost].astype(np.float64)) * found.pieces[by_cost])
        chosen = by_cost[spent <= TWICE * left]
        return np.asarray(chosen[np.argsort(found.rank[chosen], kind="stable")], np.int64)


def _some(found: hurry.Found, rows: NDArray[np.int64]) -> hurry.Found:
    return hurry.Found(
        found.pair[rows], found.rank[rows], found.option[rows], found.pieces[rows], found.extra[rows]
    )
