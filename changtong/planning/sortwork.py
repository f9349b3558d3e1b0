"""The search for a sort plan: mend the old, move lumps, part the classes, hold what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from changtong.flows.entries import NOTHING
from changtong.flows.flow import FlowResult, FlowSolver
from changtong.flows.layout import Layout
from changtong.flows.pricing import CLOSED
from changtong.flows.problem import FlowProblem
from changtong.planning import holding, intrees, lumps
from changtong.planning.assemble import Question
from changtong.planning.checker_sortplan import Entries

Floats = NDArray[np.float64]
Each = Callable[[Callable[[int, int, int], None], NDArray[np.int64]], object]
T = TypeVar("T")

STAY = 0.02
"""Least a piece weighs that leaves the plan in force, in shares of the mean cost of a piece."""

TIE = 1e-3
"""Least saving for which a lump or pair moves, in shares of the mean cost of a piece."""

PHASES = ((0.5, 0.0), (1.0, 0.1))
"""Slopes (in mean costs for a load 100 % over capacity), share of the penalty on overloads."""

IN_A_HURRY = ((0.5, 0.3),)
"""The same where there is time for one phase only: overloads cost from the start, so less is held after."""

AMPLE = 0.1
"""Share of a row's capacity left free above which its price is not looked at more closely."""

EXACT, ENOUGH = 4, 1e-3
"""Rounds of moves at the plan's true cost, at most; the share of the plan a round must save to go on."""

EXCHANGES = 6
"""Rounds in which higher classes take the room of lower ones, and those what is left, at most."""

SCORES = (0.25, 0.5, 0.75, 0.9, 1.0, np.inf)
"""What is held first: penalty less cost a piece and full row, in shares of the penalty."""

WORTH = 1e-4
"""Overloads that cost less than this share of the plan are not worth classes of their own."""


@dataclass
class Found:
    """A sort plan within every capacity, in the layout's numbers.

    Attributes
    ----------
    cost : float
        CNY a day, pieces no way can serve left out.
    trees : array of int32, (streams, destinations, core sites)
        Next leg; -1 at the destination and where no way leads on.
    choice : array of uint8, (streams, pairs by destination)
        Entry taken, counted from the origin's first; 255 where none leads on.
    through : array, (streams, destinations, core sites)
        Pieces a day that take the next leg.
    held : array of float32, (pairs,)
    leg_flow : array, (legs,)
    """

    cost: float
    trees: NDArray[np.int32]
    choice: NDArray[np.uint8]
    through: Floats
    held: NDArray[np.float32]
    leg_flow: Floats


@dataclass(frozen=True)
class Ground:
    """What sort plans of one network stand on, whatever flows over it: it may be laid beside the flow.

    Attributes
    ----------
    ptr : array of int64, (destinations + 1,)
        First pair of each destination, pairs listed by destination.
    pair : array of int32, (pairs,)
        Number of each of them in the problem.
    origin : array of int, (pairs,)
    volume : array of float32, (pairs,)
    steps : array of float32, (1 or pairs, classes)
    trees : array of int32, (destinations, core sites)
        Next legs of the cheapest ways with nothing shut.
    choice : array of uint8, (pairs,)
        Entries of these ways, counted from the origin's first.
    """

    ptr: NDArray[np.int64]
    pair: NDArray[np.int32]
    origin: NDArray[np.integer]
    volume: NDArray[np.float32]
    steps: NDArray[np.float32]
    trees: NDArray[np.int32]
    choice: NDArray[np.uint8]


def lay_ground(problem: FlowProblem, lay: Layout, each: Each | None = None) -> Ground:
    """List the pairs by destination and find the cheapest ways, on the threads of ``each``."""
    n, n_dests, n_pairs = len(lay.core_site), len(lay.dest_site), len(lay.pair_d)
    ptr = np.zeros(n_dests + 1, np.int64)
    np.cumsum(np.bincount(lay.pair_d, minlength=n_dests), out=ptr[1:])
    pair = np.empty(n_pairs, np.int32)
    intrees.by_destination(lay.pair_d, ptr, np.empty(n_dests, np.int64), pair)
    small: type[np.integer] = np.uint16 if len(lay.origin_site) < 65536 else np.int32
    origin = np.repeat(np.arange(len(lay.origin_site)).astype(small), np.diff(lay.pair_ptr))[pair]
    volume, steps = problem.totals()[pair], problem.class_steps()
    demand = lumps.Demand(ptr, origin, volume, np.zeros(1, np.float32), np.array([[0.0, 1.0]], np.float32))
    trees, choice = np.empty((n_dests, n), np.int32), np.empty(n_pairs, np.uint8)
    none = np.full_like(trees, -1)

    def part(lo: int, hi: int, _: int) -> None:
        dist, heap, pos = np.empty(n), np.empty(n, np.int32), np.empty(n, np.int32)
        intrees.in_force_trees(lo, hi, lay, problem.leg_cost, none, 0.0, trees, dist, heap, pos)
        intrees.cheapest_entries(lo, hi, lay, demand, trees, problem.leg_cost, dist, pos, choice)

    if each is None:
        part(0, n_dests, 0)
    else:
        each(part, halves(ptr))
    return Ground(ptr, pair, origin, volume, steps[pair] if len(steps) > 1 else steps, trees, choice)


def halves(ptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return bounds of destinations that cut the pairs in two: one half for each thread."""
    return np.array([0, int(np.searchsorted(ptr, ptr[-1] // 2)), len(ptr) - 1], np.int64)


class SortWork:
    """Arrays of one network under one outage, prepared once for any number of sort plans."""

    def __init__(
        self,
        question: Question,
        solver: FlowSolver,
        result: FlowResult,
        goes_on: Callable[[], bool] = lambda: True,
        phases: tuple[tuple[float, float], ...] = PHASES,
        ground: Ground | None = None,
    ) -> None:
        self.problem, self.lay, self.result = question.problem, solver.lay, result
        self.goes_on, self.phases = goes_on, phases
        """Whether there is time to search on, and how."""
        lay = self.lay
        ground = lay_ground(self.problem, lay, solver.pricing.each) if ground is None else ground
        n, n_dests, n_pairs = len(lay.core_site), len(lay.dest_site), len(lay.pair_d)
        self.pair, self.volume, self.steps = ground.pair, ground.volume, ground.steps
        self.cut_off = self._by_destination(ground.ptr, result.cut_off)
        self._unserved = self._by_destination(ground.ptr, result.unserved)
        self.price = result.row_price
        """Prices of the rows the search begins at, CNY a piece."""
        self.demand = lumps.Demand(
            ground.ptr,
            ground.origin,
            self.volume,
            np.zeros(n_pairs, np.float32),
            np.array([[0.0, 1.0]], np.float32),
        )
        self.capacity = np.maximum(solver.capacity, 0.0)
        self.leg_cost = solver.trees.leg_cost
        self.mean_cost = solver.mean_cost if len(lay.pair_d) else 0.0
        self.penalty = np.asarray(self.problem.class_penalty, np.float64)
        self._leg_of_row = np.repeat(np.arange(len(lay.row_ptr) - 1), np.diff(lay.row_ptr))
        self._row_price, self._each = solver.pricing.price, solver.pricing.each
        self._tree_costs = solver.trees
        nothing = solver.volumes._replace(slot=np.full_like(solver.volumes.slot, NOTHING))
        self._volumes = nothing if result.cut is None else result.cut.volumes
        self.table = np.zeros((len(self.capacity), 4))
        self.leg_flow = np.zeros(len(self.leg_cost))
        self.trees = np.full((1, n_dests, n), -1, np.int32)
        self.through = np.zeros((1, n_dests, n))
        self.choice = np.full((1, n_pairs), lumps.HELD, np.uint8)
        self._order = np.empty(n, np.int32)
        self._dist = np.empty(n)
        self._scratch = (np.empty(len(self.capacity)), self._dist, np.empty(n, np.int64), self._order)
        self._entry_price = np.empty(len(lay.entry_c))
        first = ground.ptr[:-1]
        weight = np.add.reduceat(self.volume, first, dtype=np.float64) if n_pairs else np.zeros(n_dests)
        self.dests = np.argsort(-weight, kind="stable").astype(np.int32)
        self.before, self.before_choice = ground.trees, ground.choice
        self.least = np.empty(self.trees.shape[1:], np.float32)

    def _set_least(self, slack: float) -> None:
        """Bound what a piece costs from each core site: prices fall by at most ``slack`` CNY.

        With the multipliers in the table at zero, or loads that leave less than ``AMPLE`` of
        a row free, this is a true bound; else lumps that could still gain a little stay.
        """
        self._row_price(np.maximum(0.0, self.table[:, 1] - slack))
        self.least[:] = self._tree_costs.to_go.T
        self.least *= 1.0 - 1e-6  # still a bound after rounding to single precision

    # -- where to start ------------------------------------------------------

    def _paths(self) -> tuple[Floats, NDArray[np.int32], NDArray[np.int32]]:
        """Return scratch for the cheapest ways of one destination after another."""
        n = len(self.lay.core_site)
        return np.empty(n), np.empty(n, np.int32), np.empty(n, np.int32)

    def by_halves(self, part: Callable[[int, int, int], T]) -> list[T]:
        """Run ``part(low, high, number)`` for one half of the destinations beside the other."""
        return self._each(part, halves(self.demand.ptr))

    def _by_destination(self, ptr: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
        """Return values of the pairs in order of destination."""
        out = np.empty_like(values)
        intrees.in_destination_order(self.lay.pair_d, ptr[:-1].copy(), values, out)
        return out

    def _by_pair(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return rows of values by destination in the problem's order of pairs."""
        out = np.empty_like(rows)
        intrees.in_pair_order(self.lay.pair_d, self.demand.ptr[:-1].copy(), rows, out)
        return out

    def _begin(self) -> None:
        """One stream for all classes, held as in the flow."""
        held = self.demand.held
        held[:] = self._unserved
        held[self.cut_off] = self.volume[self.cut_off]
        self.demand = self.demand._replace(share=np.array([[0.0, 1.0]], np.float32))
        shape = self.trees.shape[1:]
        self.table = np.zeros((len(self.capacity), 4))
        self.trees = np.full((1, *shape), -1, np.int32)
        self.through = np.zeros((1, *shape))
        self.choice = np.full((1, len(held)), lumps.HELD, np.uint8)
        self.table[:, 0], self.table[:, 1], self.table[:, 2] = self.capacity, self.price, 0.0

    def start(self, stay_cost: float) -> None:
        """Mend the plan in force at the flow's prices; hold what the flow holds."""
        self._begin()
        lay, price = self.lay, self.price
        self._row_price(price)
        tr, entries = self._tree_costs, np.empty_like(self.choice[0])
        half = int(np.searchsorted(lay.pair_ptr, lay.pair_ptr[-1] // 2))

        def enter(lo: int, hi: int, _: int) -> None:
            intrees.main_entries(lo, hi, lay, self._volumes, tr.to_go, tr.entry_cost, entries)

        self._each(enter, np.array([0, half, len(lay.origin_site)], np.int64))
        self.choice[0] = self._by_destination(self.demand.ptr, entries)
        loads = np.bincount(self._leg_of_row, price[lay.row_of], minlength=len(self.leg_cost))
        if self.result.cut is None:  # an exact flow: what it leaves empty is left empty where that can be
            loads = loads + np.where(self.result.leg_flow > 0.0, 0.0, self.mean_cost)
        leg_price, tree, choice = self.leg_cost + loads, self.trees[0], self.choice[0]

        def part(lo: int, hi: int, _: int) -> None:
            intrees.in_force_trees(lo, hi, lay, leg_price, self.before, stay_cost, tree, *self._paths())
            intrees.keep_entries(lo, hi, lay, self.demand, tree, self.before_choice, self.leg_cost, choice)

        self.by_halves(part)
        self.load()

    def take_in_force(self) -> bool:
        """Load the plan in force as it is; return whether every piece gets there by open legs."""
        self._begin()
        self.demand.held[~self.cut_off] = 0.0
        self.trees[0], self.choice[0] = self.before, self.before_choice
        self.load()
        shut = self.leg_cost >= CLOSED
        wanted = float(self.volume.sum(dtype=np.float64) - self.demand.held.sum(dtype=np.float64))
        arrives = intrees.arrivals(self.lay, self.trees[0], self.through[0])
        return not (self.leg_flow[shut] > 0.0).any() and arrives >= wanted * (1.0 - 1e-6)

    def load(self) -> None:
        """Compute every load from nothing, half of the destinations beside the other half."""
        self.table[:, 3:] = 0.0
        self.leg_flow[:] = 0.0
        lay, size = self.lay, len(self.lay.core_site)
        sums = [(self.table, self.leg_flow), (np.zeros_like(self.table), np.zeros_like(self.leg_flow))]

        def part(lo: int, hi: int, k: int) -> None:
            entered, scratch = np.empty((len(lay.entry_c), len(self.trees))), np.empty((2, size), np.int32)
            streams = (self.choice, self.trees, self.through)
            intrees.load_streams(lo, hi, lay, self.demand, *streams, *sums[k], entered, *scratch)

        self.by_halves(part)
        for table, leg_flow in sums[1:]:
            self.table[:, 3:] += table[:, 3:]
            self.leg_flow += leg_flow

    # -- the search ----------------------------------------------------------

    def descend(self, stay_cost: float) -> None:
        """Move lumps and pairs, first at the flow's prices, then at true cost; part the classes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(self.capacity > 0.0, self.mean_cost / self.capacity, 0.0)
        self.table[:, 1] = self.price
        for k, (steepness, share) in enumerate(self.phases):
            self.table[:, 2] = steepness * slope
            self._set_least(AMPLE * steepness * self.mean_cost)
            self._move(stay_cost, share, always=k == 0)
            worth = self.overload() * self.penalty[-1] > WORTH * self.result.lower_bound
            if k == 0 and self.steps.shape[1] > 1 and worth:
                self._part()
        self.table[:, 1:3] = 0.0
        self._set_least(0.0)
        for _ in range(EXACT):
            if self._move(stay_cost, 1.0) <= ENOUGH * self.result.lower_bound:
                break

    def overload(self) -> float:
        """Pieces a day above capacity, over all rows."""
        return float(np.maximum(0.0, self.table[:, 3] - self.capacity).sum())

    def _move(self, stay_cost: float, share: float, always: bool = False) -> float:
        """Move every lump and pair once, stream by stream while there is time; return the saving."""
        lay, tie = self.lay, TIE * self.mean_cost
        above = self.penalty[-len(self.trees) :]
        steep = share * np.append(above[:-1] - above[1:], above[-1])
        saved = 0.0
        for s in range(len(self.trees)):
            if not (always or self.goes_on()):
                break
            level = (self.table, self.leg_cost, self.leg_flow, s, steep, tie)
            tree = (self.trees[s], self.through[s])
            by_lumps, _ = lumps.move_lumps(
                self.dests, lay, *tree, self.least, self.before, stay_cost, *level, *self._scratch
            )
            by_pairs, _ = lumps.move_pairs(
                self.dests, lay, self.demand, self.choice[s], *tree, self.before_choice, stay_cost,
                *level, self._dist, self._order, self._entry_price,
            )  # fmt: skip
            saved += by_lumps + by_pairs
        return float(saved)

    def _part(self) -> None:
        """Give every class its own trees, the same to begin with: smaller lumps."""
        zero = np.zeros((len(self.steps), 1), np.float32)
        n_classes = self.steps.shape[1]
        self.demand = self.demand._replace(share=np.concatenate([zero, self.steps], axis=1))
        self.trees = np.repeat(self.trees, n_classes, axis=0)
        self.choice = np.repeat(self.choice, n_classes, axis=0)
        self.through = np.zeros((n_classes, *self.trees.shape[1:]))
        self.table = np.concatenate([self.table[:, :4], np.zeros((len(self.table), n_classes - 1))], axis=1)
        self.load()

    def settle(self) -> Found:
        """Hold what does not fit, lowest class first; send what fits again."""
        n_streams, penalty = len(self.trees), self.penalty[-len(self.trees) :]
        if n_streams == 1:
            self._part()
            n_streams, penalty = len(self.trees), self.penalty
        for _ in range(EXCHANGES):
            self._hold(penalty)
            sent, some = 0.0, np.flatnonzero(self.demand.held > 0.0)
            for s in range(n_streams):
                for most in (0.5, 0.8, 1.0):
                    sent += holding.release(some, s, *self._level(), most * float(penalty[s]))
            self.load()  # sums in one order: no rounding is carried over
            if sent <= 1.0:
                break
        self._hold(penalty)
        held = self._by_pair(self.demand.held[None])[0]
        return Found(self.cost(), self.trees, self.choice, self.through, held, self.leg_flow.copy())

    def _hold(self, penalty: Floats) -> None:
        """Hold what is above a capacity, lowest class first, in each what costs least to hold."""
        for s in range(len(self.trees) - 1, -1, -1):
            if self.overload() <= 1e-3:
                return
            worst = float(penalty[s])
            pairs, scores = self._meeting(s, worst)
            for score in SCORES:
                if self.overload() <= 1e-3:
                    return
                holding.hold(pairs, scores, score * worst, s, *self._level(), worst)

    def _meeting(self, s: int, penalty: float) -> tuple[NDArray[np.int64], Floats]:
        """Return the pairs whose way in a stream meets a row above capacity, and their scores."""
        lay, ptr = self.lay, self.demand.ptr

        def part(lo: int, hi: int, _: int) -> tuple[NDArray[np.int64], Floats]:
            size = int(ptr[hi] - ptr[lo])
            pairs, scores = np.empty(size, np.int64), np.empty(size)
            bad, entry_bad = np.empty(len(lay.core_site), np.int32), np.empty(len(lay.entry_c))
            found = holding.meeting(
                lo, hi, s, lay, self.demand, self.choice, self.trees, self.table, self.leg_cost, penalty,
                bad, entry_bad, pairs, scores,
            )  # fmt: skip
            return pairs[:found], scores[:found]

        parts = self.by_halves(part)
        return np.concatenate([pairs for pairs, _ in parts]), np.concatenate([scores for _, scores in parts])

    def entries(self, found: Found) -> Entries:
        """Return a plan's next legs and entries, pairs in the problem's order."""
        share = self.demand.share
        if len(share) > 1:
            share = self._by_pair(np.ascontiguousarray(share.T)).T.copy()
        return Entries(found.trees, self._by_pair(found.choice), share)

    def _level(self) -> tuple[object, ...]:
        return (
            self.lay, self.demand, self.choice, self.trees, self.through, self.table, self.leg_cost,
            self.leg_flow,
        )  # fmt: skip

    def cost(self) -> float:
        """Cost of the legs and penalty of what is held, CNY a day."""
        lost = np.zeros(len(self.penalty))
        holding.held_by_class(self.volume, self.demand.held, self.steps, self.cut_off, lost)
        used = self.leg_cost < CLOSED
        return float(self.leg_flow[used] @ self.leg_cost[used]) + float(lost @ self.penalty)
