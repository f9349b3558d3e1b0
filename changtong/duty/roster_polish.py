"""Better rosters from a good one: some people, or some days, are planned anew exactly, the others stay."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import highspy
import numpy as np
from numpy.typing import NDArray

from changtong.duty.question import Question
from changtong.duty.roster_program import Program
from changtong.programs.staged import highs_model, quiet_highs

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

FREE = {"days": 1500.0, "span": 1200.0, "people": 3000.0}
"""Assignments that are planned anew at a time at first, about; more where that is quick, fewer where not."""

LEAST_FREE, MOST_FREE = 300.0, 6000.0
WIDER, NARROWER = 1.15, 0.8

TRY_S = 3.0
"""Seconds for one try."""

SEARCH_EVERY = 12
"""Every so many tries of a worker is a search around the roster."""

SEARCH_S = 5.0
"""Seconds below which none is begun: it looks at no clock."""

SOFT_RULES = ("fairness", "wish", "avoid", "together", "mix")
"""Rows with columns that are no assignments; a mix of compositions follows from the rules of its crew."""


def polish(
    question: Question,
    program: Program,
    taken: Flags,
    cost_of: Callable[[Flags], float],
    people: Callable[[Flags], list[int]],
    near: Callable[[Flags, int], Flags],
    *,
    enough: float,
    deadline: float,
    seed: int,
    workers: int = 1,
) -> tuple[Flags, bool]:
    """Return a roster that is as good or better, and whether Ctrl-C ended the work.

    Several workers try different parts of the best roster at once; what one finds is put into what the others
    found meanwhile, where that keeps every rule.

    Parameters
    ----------
    question : Question
    program : Program
    taken : array, (people, slots)
    cost_of : callable
        Cost of a roster.
    people : callable
        Whose duties cost something that may be avoidable, the worst first.
    near : callable
        A search around a roster with a seed: the best it meets.
    enough : float
        Cost at which to stop.
    deadline : float
        Of ``perf_counter``.
    seed : int
    workers : int
    """
    work = _Work(question, program, taken, cost_of(taken), enough, deadline)
    interrupted = False
    with ThreadPoolExecutor(workers) as pool:
        tries = [pool.submit(_keep_trying, work, cost_of, people, near, seed + k) for k in range(workers)]
        try:
            for one in tries:
                one.result()
        except KeyboardInterrupt:
            interrupted, work.deadline = True, -np.inf
    return work.taken, interrupted


class _Work:
    """The best roster, shared by those who make it better."""

    def __init__(
        self, question: Question, program: Program, taken: Flags, cost: float, enough: float, deadline: float
    ) -> None:
        self.question, self.program = question, program
        self.taken, self.cost = taken, cost
        self.enough, self.deadline = enough, deadline
        self.lock = Lock()
        self.matrix = program.matrix.tocsr()
        self._meets = self.matrix.astype(bool).astype(np.int64)
        self._own = np.arange(len(program.cost)) >= program.n_whole
        self._without_people = self._meets @ ~self._own == 0
        rules = ~np.isin(np.array(program.rule), SOFT_RULES)
        self._rows = self.matrix[rules]
        self._lower, self._upper = program.lower[rules], program.upper[rules]

    @property
    def is_over(self) -> bool:
        return time.perf_counter() > self.deadline - 1.0 or self.cost <= self.enough

    def part(self, is_free: Flags) -> tuple[Ints, Ints]:
        """Return the rows that free assignments are in, and the columns that matter then.

        Shares of others, and the compositions of crews of which nobody is free, stay as they are. Where some
        posts of a crew are free only, the mix of the others is left out: rules of crews stand by themselves.
        """
        rows = self._meets @ is_free > 0
        columns = is_free | (self._own & (rows @ self._meets > 0))
        rows |= self._without_people & (self._meets @ columns > 0)
        columns |= self._own & (rows @ self._meets > 0)
        return np.flatnonzero(rows), np.flatnonzero(columns)

    def offer(self, found: Flags, free: Flags, base: Flags, cost_of: Callable[[Flags], float]) -> None:
        """Take a roster whose free part was planned anew from ``base``, if it is better."""
        with self.lock:
            whole = self.taken is base
            made = found if whole else np.where(free, found, self.taken)
            if not whole and not self._keeps_rules(made):
                return
            cost = cost_of(made)
            if cost < self.cost - 1e-9:
                self.taken, self.cost = made, cost

    def _keeps_rules(self, taken: Flags) -> bool:
        values = np.zeros(len(self.program.cost))
        who, where = np.nonzero(self.program.column >= 0)
        values[self.program.column[who, where]] = taken[who, where]
        activity = self._rows @ values
        return bool(((activity >= self._lower - 1e-6) & (activity <= self._upper + 1e-6)).all())


def _keep_trying(
    work: _Work,
    cost_of: Callable[[Flags], float],
    people: Callable[[Flags], list[int]],
    near: Callable[[Flags, int], Flags],
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    parts = {
        "days": lambda taken, free: _some_days(work.question, free, random),
        "span": lambda taken, free: _span_of_days(work.question, free, random),
        "people": lambda taken, free: _some_people(work.question, people(taken), free, random),
    }
    sizes = dict(FREE)
    order = [*parts]
    tries = seed
    while not work.is_over:
        part = order[tries % len(order)]
        tries += 1
        base = work.taken
        if tries % SEARCH_EVERY == 0 and work.deadline - time.perf_counter() > SEARCH_S:
            work.offer(near(base, tries), work.question.may, base, cost_of)
            continue
        free = parts[part](base, sizes[part])
        begun = time.perf_counter()
        limit = min(TRY_S, work.deadline - begun)
        if limit <= 0.0 or not free.any():
            continue
        found = _anew(work, base, free, limit)
        spent = time.perf_counter() - begun
        change = WIDER if spent < 0.3 * limit else NARROWER if spent > 0.9 * limit else 1.0
        sizes[part] = min(max(sizes[part] * change, LEAST_FREE), MOST_FREE)
        if found is not None:
            work.offer(found, free, base, cost_of)


def _some_people(question: Question, worst: list[int], free: float, random: np.random.Generator) -> Flags:
    n_people, n_slots = question.may.shape
    order = [worst[int(random.integers(len(worst)))]] if worst else []
    # who can stand in for the first ones, then anybody
    seen = question.may[order].any(axis=0) if order else np.ones(n_slots, bool)
    near = [int(p) for p in random.permutation(n_people) if question.may[p, seen].any()]
    chosen, size = np.zeros((n_people, n_slots), bool), 0
    for person in dict.fromkeys([*order, *near]):
        if size > free:
            break
        chosen[person] = question.may[person]
        size += int(question.may[person].sum())
    return chosen


def _some_days(question: Question, free: float, random: np.random.Generator) -> Flags:
    by_day = np.bincount(question.slots.day, weights=question.may.sum(axis=0))
    order = random.permutation(len(by_day))
    some = order[: 1 + int(np.searchsorted(np.cumsum(by_day[order]), free))]
    return np.asarray(question.may & np.isin(question.slots.day, some))


def _span_of_days(question: Question, free: float, random: np.random.Generator) -> Flags:
    by_day = np.bincount(question.slots.day, weights=question.may.sum(axis=0))
    first = int(random.integers(len(by_day)))
    last = first + int(np.searchsorted(np.cumsum(by_day[first:]), free))
    return np.asarray(question.may & (question.slots.day >= first) & (question.slots.day <= last))


def _anew(work: _Work, taken: Flags, free: Flags, seconds: float) -> Flags | None:
    """Solve the program with all other assignments as they are."""
    program, whole = work.program, work.program.n_whole
    who, where = np.nonzero(program.column >= 0)
    columns = program.column[who, where]
    now, is_free = np.zeros(len(program.cost)), np.zeros(len(program.cost), bool)
    now[columns] = taken[who, where]
    is_free[columns] = free[who, where]
    rows, some = work.part(is_free)
    used = (work.matrix @ np.where(is_free, 0.0, now))[rows]
    highs = quiet_highs(time_limit=seconds, mip_rel_gap=1e-5)
    model = highs_model(
        work.matrix[rows][:, some].tocsc(), (program.lower[rows] - used, program.upper[rows] - used),
        (np.zeros(len(some)), program.most[some]), program.cost[some],
    )  # fmt: skip
    kind = highspy.HighsVarType
    model.integrality_ = [kind.kInteger if column < whole else kind.kContinuous for column in some]
    highs.passModel(model)
    start = np.flatnonzero(some < whole).astype(np.int32)
    highs.setSolution(len(start), start, now[some[start]])
    highs.run()
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    values = now.copy()
    values[some] = np.round(np.array(highs.getSolution().col_value))
    made = np.zeros(taken.shape, bool)
    made[who, where] = values[columns] > 0.5
    return made
