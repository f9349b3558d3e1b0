"""Search for good rosters: a greedy start, then simulated annealing, the same for the same seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.duty.crews import CrewRules
from changtong.duty.fair_shares import FairShares
from changtong.duty.question import Question
from changtong.duty.roster_program import in_period, wished_slots
from changtong.duty.search_steps import (
    AVOID,
    HARD,
    LOCKED,
    NEVER,
    NEWCOMER,
    QUALIFIED,
    TOGETHER,
    WISHED,
    Data,
    State,
    anneal,
    change,
    fits,
    sit,
    use,
)
from changtong.duty.staff import KINDS

PENALTY = 2000.0
"""Cost of a missing head or a broken rule of crews: no fairness is worth one."""

SOFT, FIRM = 0.002, 0.2
"""Part of the penalty that a broken rule of crews costs once a whole roster is known, at the start and at the
end of the long cooling: walls that a search cannot cross keep it from better ones. Where much is carried over
a step saves more than the start asks, and a search that never asked more ended with rules broken."""

KEEP = 200.0
"""Cost of an assignment of the roster in force that is given up."""

STEPS = 1_000_000
STEPS_A_SEAT = 2500
"""Small rosters need fewer steps."""

LONG_A_SEAT = 12_000
"""Steps a seat from which on cooling more slowly was seen to gain less than cooling once more."""

PART = 50_000
"""Steps between two looks at the clock."""

NEAR_WARM, NEAR_STEPS = 0.1, 3_000_000
"""Around a roster planned anew in parts: warmer was seen to lose it, 0.1 to find 0.1 % in three seconds."""

HOT, WARM, COLD = 3.0, 1.0, 0.01
"""Warmth at the start, at the start of the long cooling, and at the end; times the least weight."""

Flags = NDArray[np.bool_]
Seats = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """The best roster met.

    Attributes
    ----------
    taken : array, (people, slots)
    whole : bool
        Whether every head is there and every rule kept.
    """

    taken: Flags
    whole: bool


def search_roster(
    question: Question,
    shares: FairShares,
    crews: CrewRules,
    *,
    seed: int = 0,
    steps: int = STEPS,
    seconds: float = 0.0,
    is_enough: Callable[[float], bool] = lambda cost: False,
) -> Found:
    """Search for a roster: a short cooling that keeps rules of crews, then a long one that may break them.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    seed : int
    steps : int
        Of the short cooling, at most.
    seconds : float
        For the long cooling; 0: none. It is as slow as the time lets it be.
    is_enough : callable
        Whether the long cooling may end at a roster of such a cost.
    """
    data = _data(question, shares, crews)
    state, seats, cost = _empty(question, data, seed)
    cost = _fill(question, data, state, cost)
    scale, seat = _scale(question), state.seat.copy()
    steps = min(steps, STEPS_A_SEAT * len(seats))
    warmth = HOT * scale, COLD * scale
    met = anneal(data, state, seats, steps, *warmth, cost, cost, seat, float(state.broken[0]))
    if seconds > 0.0 and met[2] < 0.5:
        _cool_slowly(data, state, seats, seconds, scale, met, seat, is_enough)
        # rules of crews are not broken in what was kept, whatever the search broke on its way
    return _found(question, seats, seat, met[2])


def search_near(
    question: Question,
    shares: FairShares,
    crews: CrewRules,
    taken: Flags,
    *,
    seed: int,
    steps: int = NEAR_STEPS,
) -> Found:
    """Search around a roster that keeps every rule, hardly warmed.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    taken : array, (people, slots)
    seed : int
    steps : int
    """
    data = _data(question, shares, crews)
    state, seats, cost = _empty(question, data, seed)
    for j in np.flatnonzero(taken.any(axis=0)):
        for h, p in enumerate(np.flatnonzero(taken[:, j])):
            cost += _seat(data, state, int(p), int(j), h)
    _make_soft(state, seats, (SOFT * FIRM) ** 0.5)  # that of the long cooling when it is as warm
    scale, seat = _scale(question), state.seat.copy()
    warmth = NEAR_WARM * scale, COLD * scale
    steps = min(steps, LONG_A_SEAT * len(seats))
    met = anneal(data, state, seats, steps, *warmth, cost, cost, seat, float(state.broken[0]))
    found = _found(question, seats, seat, met[2])
    return found if found.whole else Found(taken, False)


def _scale(question: Question) -> float:
    """Return the least weight of fairness: what warmth is measured in."""
    weights = [question.folder.weights.of(kind) for kind in KINDS]
    return min((one for one in weights if one > 0.0), default=1.0)


def _found(question: Question, seats: Seats, seat: Seats, broken: float) -> Found:
    taken = np.zeros(question.may.shape, bool)
    for j, h in seats:
        if seat[j, h] >= 0:
            taken[seat[j, h], j] = True
    return Found(taken, bool(broken < 0.5 and (taken.sum(axis=0) == question.slots.heads).all()))


def _cool_slowly(
    data: Data, state: State, seats: Seats, seconds: float, scale: float,
    met: tuple[float, float, float], seat: Seats, is_enough: Callable[[float], bool],
) -> None:  # fmt: skip
    """Cool once from hot to cold in a time; ``seat`` becomes the best roster met that breaks no rule."""
    cost, best, least = met
    most, done, begun = LONG_A_SEAT * len(seats), 0, time.perf_counter()
    at = 0.0
    while at < 1.0 and not (least < 0.5 and is_enough(best)):
        spent = time.perf_counter() - begun
        a_step = max(spent / seconds / done, 1.0 / most) if done else 1.0 / most
        after = at + PART * a_step
        cost += _make_soft(state, seats, SOFT * (FIRM / SOFT) ** min(1.0, at))
        hot, cold = (WARM * scale * (COLD / WARM) ** min(1.0, part) for part in (at, after))
        cost, best, least = anneal(data, state, seats, PART, hot, cold, cost, best, seat, least)
        done += PART
        at = max(done / most, (time.perf_counter() - begun) / seconds)


def _make_soft(state: State, seats: Seats, soft: float) -> float:
    """Let broken rules cost another part of the penalty; return what the cost changes by."""
    empty = PENALTY * int((state.seat[seats[:, 0], seats[:, 1]] < 0).sum())
    more = (soft - state.soft[0]) * (state.broken[0] - empty)
    state.soft[0] = soft
    return float(more)


def _empty(question: Question, data: Data, seed: int) -> tuple[State, Seats, float]:
    """Return a roster without anybody, its seats, and what it costs."""
    heads, n_groups = question.slots.heads, len(data.group_kind)
    seats = np.array([(j, h) for j, count in enumerate(heads) for h in range(count)], np.int64)
    state = State(
        np.full((len(heads), int(heads.max())), -1, np.int64),
        np.full((len(question.may), int(question.slots.day.max()) + 1), -1, np.int64),
        question.caps.most.astype(np.int32, order="C"),  # a copy
        np.zeros((len(question.may), len(KINDS)), np.int64),
        np.zeros(n_groups, np.int64),
        np.zeros(n_groups, np.int64),
        np.zeros(n_groups),
        np.zeros(1), np.ones(1), np.array([seed], np.uint64),
    )  # fmt: skip
    cost = float(sum(data.tables[p, k, 0] for p in range(len(question.may)) for k in range(len(KINDS))))
    for g, kind in enumerate(data.group_kind):
        lacking = data.group_least[g] if kind == QUALIFIED else kind in (WISHED, LOCKED)
        missed = float(data.group_weight[g] * lacking)
        cost += missed
        state.now[g] = missed
        state.broken[0] += missed * (kind in HARD)
    state.broken[0] += PENALTY * len(seats)
    return state, seats, cost + PENALTY * len(seats)


def _fill(question: Question, data: Data, state: State, cost: float) -> float:
    """Fill seats one by one, those with the fewest people first; return the cost."""
    scarce = np.argsort(question.may.sum(axis=0) / question.slots.heads, kind="stable")
    for j in scarce:
        for h in range(int(question.slots.heads[j])):
            load = state.count[:, 0] - data_target(data)
            for p in np.argsort(load, kind="stable"):
                if fits(data, state, p, j) and p not in state.seat[j]:
                    cost += _seat(data, state, p, j, h)
                    break
    return cost


def _seat(data: Data, state: State, p: int, j: int, h: int) -> float:
    """Give an empty seat to somebody who fits; return what the cost changes by."""
    state.broken[0] -= PENALTY
    use(data, state, p, j, 1)
    sit(data, state, p, j, h)
    return float(change(data, state, p, j, 1)) - PENALTY


def data_target(data: Data) -> NDArray[np.float64]:
    """Return the load that costs each person least."""
    return np.asarray(data.tables[:, 0, :].argmin(axis=1), float)


def _data(question: Question, shares: FairShares, crews: CrewRules) -> Data:
    may, caps, slots = question.may, question.caps, question.slots
    n_people, n_slots = may.shape
    slot, row = np.nonzero(caps.uses.T) if len(caps.rule) else (np.empty(0, np.int64),) * 2
    longest = max(len(one) for costs in shares.cost for one in costs)
    room = longest + int(slots.counts.max())
    tables = np.full((n_people, len(KINDS), room), 1e12)
    for p, costs in enumerate(shares.cost):
        for k, one in enumerate(costs):
            tables[p, k, : len(one)] = one
    line = np.zeros(may.shape)
    groups = _groups(question, crews, line)
    members: list[tuple[int, int, int]] = sorted(
        (p * n_slots + j, g, side) for g, group in enumerate(groups) for p, j, side in group[3] if may[p, j]
    )
    # who would help each group that may lack somebody: the second of a pair, the experienced, the qualified
    helps: list[list[tuple[int, int]]] = [
        [(p, j) for p, j, side in group[3] if side == (group[0] in (NEWCOMER, TOGETHER)) and may[p, j]]
        if group[0] in (QUALIFIED, NEWCOMER, TOGETHER, WISHED, LOCKED)
        else []
        for group in groups
    ]
    lacks = [g for g, some in enumerate(helps) if some]
    help_who, help_slot = np.array([one for g in lacks for one in helps[g]], np.int64).reshape(-1, 2).T.copy()
    at = np.zeros(n_people * n_slots + 1, np.int64)
    np.add.at(at, np.array([one[0] + 1 for one in members], np.int64), 1)
    able = np.ascontiguousarray(np.nonzero(may.T)[1])  # one compiled form: a column of one row is so anyway
    return Data(
        may=may, able=able,
        able_at=np.append(0, np.cumsum(may.sum(axis=0))), day=question.slots.day, line=line,
        uses_at=np.searchsorted(slot, np.arange(n_slots + 1)).astype(np.int64),
        uses_row=row.astype(np.int32),
        uses_by=caps.uses[row, slot].astype(np.int32),
        counts=np.ascontiguousarray(slots.counts),
        sort=np.unique(slots.counts, axis=1, return_inverse=True)[1].ravel().astype(np.int64), tables=tables,
        group_at=np.cumsum(at),
        group_of=np.array([one[1] for one in members], np.int64),
        group_side=np.array([one[2] for one in members], np.int64),
        group_kind=np.array([one[0] for one in groups], np.int64),
        group_least=np.array([one[1] for one in groups], np.int64),
        group_weight=np.array([one[2] for one in groups], float),
        penalty=PENALTY, lacks=np.array(lacks, np.int64),
        help_at=np.cumsum([0, *(len(helps[g]) for g in lacks)]), help_who=help_who, help_slot=help_slot,
    )  # fmt: skip


Group = tuple[int, int, float, list[tuple[int, int, int]]]


def _groups(question: Question, crews: CrewRules, line: NDArray[np.float64]) -> list[Group]:
    """Return the groups: kind, least count, weight, members (person, slot, side); off-wishes in ``line``."""
    weights, made = question.folder.weights, []
    for slot, people, least in crews.qualified:
        made.append((QUALIFIED, least, PENALTY, [(int(p), slot, 0) for p in people]))
    for slots in crews.crews if len(crews.newcomers) else ():
        new = [(int(p), int(j), 0) for p in crews.newcomers for j in slots]
        old = [(int(p), int(j), 1) for p in crews.experienced for j in slots]
        made.append((NEWCOMER, 0, PENALTY, new + old))
    for first, second, slots in crews.never:
        made.append((NEVER, 0, PENALTY, [(p, int(j), 0) for p in (first, second) for j in slots]))
    for kind, weight, pairs in (
        (AVOID, weights.avoid, crews.avoid),
        (TOGETHER, weights.together, crews.together),
    ):
        for first, second, slots in pairs:
            both = [(p, int(j), side) for side, p in enumerate((first, second)) for j in slots]
            made.append((kind, 0, weight, both))
    for person, slots in question.locks:
        made.append((LOCKED, 0, PENALTY, [(person, int(j), 0) for j in slots]))
    for person, slot in question.kept:
        line[person, slot] -= KEEP
    for which, wish in enumerate(question.folder.wishes):
        if not in_period(question, which):
            continue
        person, slots = wished_slots(question, which)
        if wish.wants == "off":
            line[person, slots] += weights.wish * wish.weight
        else:
            made.append((WISHED, 0, weights.wish * wish.weight, [(person, int(j), 0) for j in slots]))
    return made
