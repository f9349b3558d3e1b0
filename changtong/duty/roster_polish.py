"""Better rosters from a good one: some people, or some days, are planned anew exactly, the others stay."""

from __future__ import annotations

import time
from collections.abc import Callable

import highspy
import numpy as np
from numpy.typing import NDArray

from changtong.duty.question import Question
from changtong.duty.roster_program import Program
from changtong.programs.staged import highs_model, quiet_highs

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

FREE = 2200
"""Assignments that are planned anew at a time, about."""

TRY_S = 6.0
"""Seconds for one try."""


def polish(
    question: Question,
    program: Program,
    taken: Flags,
    cost_of: Callable[[Flags], float],
    people: Callable[[Flags], list[int]],
    *,
    enough: float,
    deadline: float,
    seed: int,
) -> Flags:
    """Return a roster that is as good or better.

    Parameters
    ----------
    question : Question
    program : Program
    taken : array, (people, slots)
    cost_of : callable
        Cost of a roster.
    people : callable
        Whose duties cost something that may be avoidable, the worst first.
    enough : float
        Cost at which to stop.
    deadline : float
        Of ``perf_counter``.
    seed : int
    """
    random = np.random.default_rng(seed)
    best, tries = cost_of(taken), 0
    while time.perf_counter() < deadline - 1.0 and best > enough:
        free = (
            _some_days(question, random) if tries % 3 == 2 else _some_people(question, people(taken), random)
        )
        tries += 1
        left = min(TRY_S, deadline - time.perf_counter())
        found = _anew(program, taken, free, left)
        if found is None:
            continue
        cost = cost_of(found)
        if cost < best - 1e-9:
            taken, best = found, cost
    return taken


def _some_people(question: Question, worst: list[int], random: np.random.Generator) -> Flags:
    n_people, n_slots = question.may.shape
    order = [worst[int(random.integers(len(worst)))]] if worst else []
    # who can stand in for the first ones, then anybody
    seen = question.may[order].any(axis=0) if order else np.ones(n_slots, bool)
    near = [int(p) for p in random.permutation(n_people) if question.may[p, seen].any()]
    chosen, size = np.zeros((n_people, n_slots), bool), 0
    for person in dict.fromkeys([*order, *near]):
        if size > FREE:
            break
        chosen[person] = question.may[person]
        size += int(question.may[person].sum())
    return chosen


def _some_days(question: Question, random: np.random.Generator) -> Flags:
    by_day = np.bincount(question.slots.day, weights=question.may.sum(axis=0))
    first, last = int(random.integers(len(by_day))), 0
    size = 0.0
    for last in range(first, len(by_day)):
        size += by_day[last]
        if size > FREE:
            break
    return np.asarray(question.may & (question.slots.day >= first) & (question.slots.day <= last))


def _anew(program: Program, taken: Flags, free: Flags, seconds: float) -> Flags | None:
    """Solve the program with all other assignments as they are."""
    whole = program.n_whole
    who, where = np.nonzero(program.column >= 0)
    columns = program.column[who, where]
    now, is_free = np.zeros(len(program.cost)), np.ones(len(program.cost), bool)
    now[columns] = taken[who, where]
    is_free[columns] = free[who, where]
    some = np.flatnonzero(is_free)
    left = program.matrix[:, some].tocsr()
    rows = np.flatnonzero(np.diff(left.indptr))
    used = (program.matrix @ np.where(is_free, 0.0, now))[rows]
    highs = quiet_highs(time_limit=seconds, mip_rel_gap=1e-5)
    model = highs_model(
        left[rows].tocsc(), (program.lower[rows] - used, program.upper[rows] - used),
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
