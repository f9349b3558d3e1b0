"""The solver of two-echelon routing: cycles of annealing, satellites shut in turn, routes mixed anew.

A search is a number of cycles. Each cools down once. The first ones begin hot, so that they forget the plan
before; the later ones begin warm at the best plan. Plans that use other satellites are often far away: so
sets of satellites are tried in short cycles first. Hot cycles go by turns with all satellites, with those of
the best sets, and without one of the best plan's; every other warm one has one of these shut at first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from changtong.errors import InternalError, Problem, UsageError
from changtong.executors.cores import usable_cores
from changtong.rural.route_mix import mix_routes
from changtong.rural.route_steps import ABSENT, BEST, PENALTY, TOTAL
from changtong.rural.two_echelon import (
    Customer,
    Fleet,
    Place,
    Satellite,
    TwoEchelonInstance,
    TwoEchelonResult,
)
from changtong.rural.two_echelon_arrays import Arrays, searched_part
from changtong.rural.two_echelon_check import check_two_echelon
from changtong.rural.two_echelon_limits import beyond_solver, extent, impossible_demands
from changtong.rural.two_echelon_plan import read_plan
from changtong.rural.two_echelon_steps import restart, search

HOT, WARM, COLD = 4.0, 0.7, 0.02
"""Temperatures, in typical distances between neighbours."""

STEPS_A_CUSTOMER = 5000
"""Steps of a cycle, for each customer."""

MOST_CYCLES = 16
MIX_SHARE = 0.08
"""Share of the time for mixing routes."""

POOL_SHARE = 0.06
CHUNK_STEPS = 1000
"""Steps between two looks at a count of iterations."""

CHUNK_S = 0.02
"""Seconds between two looks at the clock."""

SCOUT_SHARE, SCOUT_STEPS = 0.15, 400
"""Share of the work to try sets of open satellites with, and steps of a try for each customer."""

MOST_SETS, BEST_SETS, MOST_LISTED = 64, 3, 6
"""Most sets that are tried, those hot cycles go with, and satellites up to which all sets are listed."""

MOST_SEARCHES = 4
"""Most searches side by side, one a core, where the clock is the only limit."""

NONE_YET = 1e16

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class _Budget:
    """What may be used of time or steps, and what was."""

    seconds: float | None
    iterations: int | None
    begin: float
    done: int = 0
    chunk: int = 200
    stopped: bool = False

    def share(self) -> float:
        """Share that is used up."""
        if self.stopped:
            return 1.0
        by_time = 0.0 if self.seconds is None else (time.perf_counter() - self.begin) / self.seconds
        by_steps = 0.0 if self.iterations is None else self.done / self.iterations
        return max(by_time, by_steps)

    def next_steps(self) -> int:
        """Steps until the next look."""
        if self.iterations is None:
            return self.chunk
        return max(1, min(CHUNK_STEPS, self.iterations - self.done))

    def note(self, steps: int, seconds: float) -> None:
        """Count steps, and keep looks at the clock about equally far apart."""
        self.done += steps
        if seconds < CHUNK_S / 2:
            self.chunk = self.chunk * 3 // 2
        elif seconds > CHUNK_S * 2:
            self.chunk = max(10, self.chunk // 2)


def solve_two_echelon(
    instance: TwoEchelonInstance,
    *,
    seconds: float | None = None,
    seed: int = 1,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> TwoEchelonResult:
    """Search for the cheapest plan of a two-echelon instance.

    Parameters
    ----------
    instance : TwoEchelonInstance
    seconds : float, optional
        Most time, by the clock; 10 where ``iterations`` is not given either. By the clock alone several
        searches run side by side, one a core and four at most, and the best plan is taken.
    seed : int
        What the random numbers begin with: of the first search, and of the seeds of the others.
    iterations : int, optional
        Most steps, of one search. With a seed and a number of steps, and no end by the clock, the plan is
        always the same.
    progress : callable, optional
        Gets what the first search is at, and the share that is done.

    Returns
    -------
    TwoEchelonResult
        With a plan that passed the checker, or with the reasons why there is none.

    Raises
    ------
    UsageError
        Seconds or iterations that are not above 0, a negative seed.
    InternalError
        The plan failed the checker.
    """
    begin = time.perf_counter()
    if seconds is None and iterations is None:
        seconds = 10.0
    _check_call(seconds, seed, iterations)
    part = searched_part(instance)
    reasons = impossible_demands(instance) or beyond_solver(part)
    if reasons:
        return TwoEchelonResult(instance, None, None, reasons, time.perf_counter() - begin, 0, seed)
    seeds = _seeds(seed, 1 if iterations is not None else min(MOST_SEARCHES, usable_cores()))
    budgets = [_Budget(seconds, iterations, begin) for _ in seeds]
    searches = [
        _Search(Arrays(instance, one), budget, np.random.default_rng(one), None if number else progress)
        for number, (one, budget) in enumerate(zip(seeds, budgets, strict=True))
    ]
    _run_together(searches)
    arrays = min((one.arrays for one in searches), key=lambda one: float(one.state.figure[BEST]))
    done = sum(budget.done for budget in budgets)
    if arrays.state.figure[BEST] > NONE_YET:
        reason = Problem(
            "no-feasible-plan",
            f"the search found no plan that keeps all limits in {done:,} iterations.",
            hint="There may be none, or it needs more time."
            if part is instance
            else f"There may be none, or it needs more time, or more than the {extent(part)} searched.",
        )
        return TwoEchelonResult(instance, None, None, (reason,), time.perf_counter() - begin, done, seed)
    plan = read_plan(arrays)
    checked = check_two_echelon(instance, plan)
    if checked.cost is None:
        raise InternalError(f"the plan failed its check: {checked.faults[0]}")
    spent = time.perf_counter() - begin
    return TwoEchelonResult(instance, plan, checked.cost, (), spent, done, seed)


def _seeds(seed: int, count: int) -> list[int]:
    """Return a seed for each search; the first is the one given."""
    return [seed, *np.random.SeedSequence(seed).generate_state(count - 1).tolist()]


def _run_together(searches: list[_Search]) -> None:
    """Run searches side by side, the first in this thread; where it is broken off, all end."""
    first, *others = searches
    with ThreadPoolExecutor(max(1, len(others))) as crew:
        running = [crew.submit(one.run) for one in others]
        try:
            first.run()
        except BaseException:
            for one in others:
                one.budget.stopped = True
            raise
        for each in running:
            each.result()


def load_kernels() -> None:
    """Load the compiled kernels, or compile them, by a tiny search: before a clock runs."""
    place = [Place(float(x), float(y)) for x, y in ((0, 0), (4, 0), (0, 4), (5, 1), (1, 5), (4, 2), (2, 4))]
    instance = TwoEchelonInstance(
        "four customers",
        Fleet(3, 3.0),
        Fleet(4, 2.0),
        2,
        place[0],
        (Satellite(place[1]), Satellite(place[2])),
        tuple(Customer(p, 1.0) for p in place[3:]),
    )
    arrays = Arrays(instance, 1)
    tried = _Search(arrays, _Budget(None, 200, time.perf_counter()), np.random.default_rng(1), None)
    tried.run()
    tried.start_from_best()
    read_plan(arrays)


def _check_call(seconds: float | None, seed: int, iterations: int | None) -> None:
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"seconds is {seconds}; expected a number above 0.")
    if iterations is not None and iterations < 1:
        raise UsageError(f"iterations is {iterations}; expected 1 or more.")
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more.")


class _Search:
    """One search: its arrays, what it may use, and its own random choices."""

    def __init__(
        self, arrays: Arrays, budget: _Budget, rng: np.random.Generator, progress: Progress | None
    ) -> None:
        self.arrays, self.budget, self.rng, self.progress = arrays, budget, rng, progress
        self.shut_sets: list[list[int]] = []

    def run(self) -> None:
        """Run all cycles, and mix routes half way and at the end."""
        arrays, budget = self.arrays, self.budget
        steps = self._expected_steps()
        cycles = self._cycles(steps)
        self._try_sets(steps)
        begin = budget.share()
        for cycle in range(cycles):
            end = begin + (1.0 - MIX_SHARE / 2 - begin) / (cycles - cycle)
            found = arrays.state.figure[BEST] < NONE_YET
            warm = found and cycle >= max(1, (cycles + 1) // 2)
            self._cool(begin, end, WARM if warm else HOT, self._shut(cycle, warm=warm), warm=warm)
            if cycle in (cycles // 2, cycles - 1):
                self._mix()
            begin = budget.share()
            if begin >= 1.0:
                break
        last = self.budget.share()
        if last < 0.995:
            self.start_from_best()
            self._cool(last, 1.0, WARM / 3, [], warm=True)

    def _expected_steps(self) -> int:
        """Return how many steps the budget holds; the clock's by a first look at the speed."""
        if self.budget.iterations is not None:
            return self.budget.iterations
        for _ in range(3):
            spent = self._steps(HOT)
        return int(self.budget.chunk / max(spent, 1e-6) * (self.budget.seconds or 0.0))

    def _cycles(self, steps: int) -> int:
        """Return how many cycles so many steps are parted into."""
        per_cycle = STEPS_A_CUSTOMER * len(self.arrays.data.demand)
        return int(np.clip(round(0.8 * steps / per_cycle), 1, MOST_CYCLES))

    def _try_sets(self, steps: int) -> None:
        """Try sets of open satellites for a short time each; keep what is shut in the best ones."""
        figure, begin = self.arrays.state.figure, self.budget.share()
        sets = self._sets_to_try(int(SCOUT_SHARE * steps / (SCOUT_STEPS * len(self.arrays.data.demand))))
        found = []
        for number, shut in enumerate(sets):
            penalty, end = figure[PENALTY], begin + SCOUT_SHARE * (number + 1) / len(sets)
            self._cool(self.budget.share(), end, HOT / 2, shut, warm=False)
            if figure[ABSENT] == 0.0:
                found.append((float(figure[TOTAL]), shut))
            figure[PENALTY] = penalty
        self.shut_sets = [shut for _, shut in sorted(found)[:BEST_SETS]]

    def _sets_to_try(self, most: int) -> list[list[int]]:
        """Return, for drawn sets of satellites that can pass everything, those that are shut."""
        data, limits = self.arrays.data, self.arrays.limits
        count = len(limits)
        room = np.minimum(limits * float(self.arrays.instance.freighters.capacity), data.satellite_capacity)
        masks = list(range(1, 2**count - 1))
        if count > MOST_LISTED:
            orders = [self.rng.permutation(count) for _ in range(MOST_SETS)]
            masks = [sum(1 << int(k) for k in order[: self.rng.integers(1, count)]) for order in orders]
        opened = [np.array([mask >> k & 1 for k in range(count)], np.bool_) for mask in sorted(set(masks))]
        fit = [np.flatnonzero(~used).tolist() for used in opened if room[used].sum() >= data.demand.sum()]
        return [fit[k] for k in self.rng.permutation(len(fit))[: min(most, MOST_SETS)]]

    def _steps(self, temperature: float) -> float:
        """Run some steps; return the seconds they took."""
        arrays, budget = self.arrays, self.budget
        steps = budget.next_steps()
        at = time.perf_counter()
        search(arrays.data, arrays.state, arrays.work, steps, temperature * arrays.edge, POOL_SHARE)
        spent = time.perf_counter() - at
        budget.note(steps, spent)
        return spent

    def _shut(self, cycle: int, *, warm: bool) -> list[int]:
        """Return the satellites to shut in a cycle: none, those of a good set, or one of the best plan's."""
        used = self.arrays.used_satellites()
        if self.arrays.state.figure[BEST] > NONE_YET:
            return []
        turn, kind = divmod(cycle, 2 if warm else 3)
        if not warm and kind == 1 and self.shut_sets:
            return self.shut_sets[turn % len(self.shut_sets)]
        if kind == 0 or len(used) < 2:
            return []
        return [int(self.rng.choice(used)) if warm else used[turn % len(used)]]

    def _cool(self, begin: float, end: float, top: float, shut: list[int], *, warm: bool) -> None:
        """Cool down once, between two shares of the budget."""
        arrays, figure = self.arrays, self.arrays.state.figure
        limits = arrays.data.satellite_limit
        limits[shut] = 0
        if warm or shut:
            self.start_from_best()
        found, raised = False, 0
        while True:
            share = self.budget.share()
            done = (share - begin) / max(end - begin, 1e-12)
            if done >= 1.0 or share >= 1.0:
                break
            if warm and shut and done > 0.5:
                limits[:] = arrays.limits
            self._steps(top * (COLD / top) ** max(done, 0.0))
            found = found or figure[ABSENT] == 0.0
            if not found and done > 0.3 + 0.1 * raised:
                # nobody may be left out in the end: make it dearer while no such plan was met
                raised += 1
                figure[TOTAL] += figure[PENALTY] * figure[ABSENT]
                figure[PENALTY] *= 2.0
            self._tell()
        limits[:] = arrays.limits

    def start_from_best(self) -> None:
        """Make the best plan the current one."""
        arrays = self.arrays
        restart(arrays.data, arrays.state, arrays.work, *arrays.best_routes())

    def _mix(self) -> None:
        """Put routes met together anew; a better plan becomes the best."""
        arrays, budget = self.arrays, self.budget
        left = 1.0 - budget.share()
        if arrays.state.figure[BEST] > NONE_YET or left <= 0.0:
            return
        seconds = None
        if budget.seconds is not None:
            seconds = min(MIX_SHARE / 2, left) * budget.seconds
        made = mix_routes(arrays, seconds, POOL_SHARE)
        if made is not None:
            restart(arrays.data, arrays.state, arrays.work, *made)

    def _tell(self) -> None:
        if self.progress is not None:
            best = self.arrays.state.figure[BEST]
            stage = f"best cost {best:,.2f}" if best < NONE_YET else "no plan yet"
            self.progress(stage, min(1.0, self.budget.share()))
