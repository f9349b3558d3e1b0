"""Kernel of the search for rosters: simulated annealing over who sits in which seat.

What one person takes at most is kept at every step; heads that are missing and rules of crews that are
broken cost a penalty, so that a start need not keep them.
"""

from __future__ import annotations

from collections import namedtuple

import numba
import numpy as np
from numba import njit

from changtong.flows.kernel_cache import kernel_folder

numba.config.CACHE_DIR = str(kernel_folder())  # type: ignore[attr-defined]  # read when a kernel is declared

QUALIFIED, NEWCOMER, NEVER, AVOID, TOGETHER, WISHED, LOCKED = range(7)
"""Kinds of groups: what the two counts of a group mean for the cost."""

GIVEN = 0.4
"""Part of the steps that give a seat to somebody else; the others swap two."""

HARD = (QUALIFIED, NEWCOMER, NEVER, LOCKED)
"""Rules: broken, they cost a penalty times ``soft``; the best roster breaks none if it can."""

Data = namedtuple(
    "Data",
    "may line uses_at uses_row uses_by counts sort tables group_at group_of group_side group_kind"
    " group_least group_weight penalty",
)
"""What is given: who may sit where and what it costs; rows of limits by slot; counts of duties by slot, and
a number for each sort of counts; cost tables by person, kind and count; groups by person times slots plus
slot."""

State = namedtuple("State", "seat left count side_a side_b now broken soft rng")
"""Who sits where (-1: nobody), what is left of each limit, counts of duties and of groups, what each group
costs now."""


@njit(cache=True, nogil=True, error_model="numpy")
def draw(rng):
    """Return a random number, 0 to 1: splitmix64 (Steele, Lea and Flood 2014)."""
    rng[0] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True, error_model="numpy")
def group_cost(data, g, a, b):
    """Return what a group costs with these counts."""
    kind, weight = data.group_kind[g], data.group_weight[g]
    if kind == QUALIFIED:
        return weight * max(0, data.group_least[g] - a)
    if kind == NEWCOMER:
        return weight * a if b == 0 else 0.0
    if kind == NEVER:
        return weight * max(0, a - 1)
    if kind == AVOID:
        return weight if a > 0 and b > 0 else 0.0
    if kind == TOGETHER:
        return weight if a > 0 and b == 0 else 0.0
    return weight if a == 0 else 0.0  # a wish for a duty, or a lock


@njit(cache=True, nogil=True, error_model="numpy")
def change(data, state, p, j, sign):
    """Count a slot for a person (1) or no longer (-1); return what the cost changes by."""
    delta = sign * data.line[p, j]
    for k in range(data.counts.shape[0]):
        step = sign * data.counts[k, j]
        if step != 0:
            now = state.count[p, k]
            delta += data.tables[p, k, now + step] - data.tables[p, k, now]
            state.count[p, k] = now + step
    at = p * data.line.shape[1] + j
    for i in range(data.group_at[at], data.group_at[at + 1]):
        g = data.group_of[i]
        if data.group_side[i] == 0:
            state.side_a[g] += sign
        else:
            state.side_b[g] += sign
        after = group_cost(data, g, state.side_a[g], state.side_b[g])
        step_cost = after - state.now[g]
        state.now[g] = after
        if data.group_kind[g] in HARD:
            state.broken[0] += step_cost
            step_cost *= state.soft[0]
        delta += step_cost
    return delta


@njit(cache=True, nogil=True, error_model="numpy")
def shares_change(data, state, p, j, k):
    """Return what fairness and wishes for days off change by where a person goes from one slot to another.

    Either slot may be -1: none.
    """
    delta = 0.0
    if j >= 0:
        delta -= data.line[p, j]
    if k >= 0:
        delta += data.line[p, k]
    if j >= 0 and k >= 0 and data.sort[j] == data.sort[k]:
        return delta
    for kind in range(data.counts.shape[0]):
        step = 0
        if j >= 0:
            step -= data.counts[kind, j]
        if k >= 0:
            step += data.counts[kind, k]
        if step != 0:
            now = state.count[p, kind]
            delta += data.tables[p, kind, now + step] - data.tables[p, kind, now]
    return delta


@njit(cache=True, nogil=True, error_model="numpy")
def at_stake(data, state, p, j):
    """Return what the groups of a person and a slot cost now: no step there saves more of it."""
    total = 0.0
    at = p * data.line.shape[1] + j
    for i in range(data.group_at[at], data.group_at[at + 1]):
        g = data.group_of[i]
        if state.now[g] > 0.0:
            total += state.now[g] * (state.soft[0] if data.group_kind[g] in HARD else 1.0)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def use(data, state, p, j, sign):
    """Let a slot use a person's limits (1) or no longer (-1)."""
    for i in range(data.uses_at[j], data.uses_at[j + 1]):
        state.left[p, data.uses_row[i]] -= sign * data.uses_by[i]


@njit(cache=True, nogil=True, error_model="numpy")
def fits(data, state, p, j):
    """Tell whether a person may take a slot and keeps every limit with it."""
    if not data.may[p, j]:
        return False
    for i in range(data.uses_at[j], data.uses_at[j + 1]):
        if data.uses_by[i] > state.left[p, data.uses_row[i]]:
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def moves(data, state, p, j, k):
    """Let a person go from one slot (-1: none) to another, if every limit is kept with it."""
    if j >= 0:
        use(data, state, p, j, -1)
    if fits(data, state, p, k):
        use(data, state, p, k, 1)
        return True
    if j >= 0:
        use(data, state, p, j, 1)
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def sits(state, p, j):
    """Tell whether a person has a seat of a slot."""
    found = False
    for h in range(state.seat.shape[1]):
        found = found or state.seat[j, h] == p
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def give(data, state, j, h, q, limit):
    """Give a seat to somebody if that costs less than a limit; return what it costs, or infinite."""
    p = state.seat[j, h]
    if q == p or not data.may[q, j] or sits(state, q, j):
        return np.inf
    least = shares_change(data, state, q, -1, j) - at_stake(data, state, q, j)
    if p < 0:
        least -= data.penalty
    else:
        least += shares_change(data, state, p, j, -1) - at_stake(data, state, p, j)
    if least > limit or not fits(data, state, q, j):
        return np.inf
    delta = change(data, state, q, j, 1)
    delta += -data.penalty if p < 0 else change(data, state, p, j, -1)
    if delta <= limit:
        use(data, state, q, j, 1)
        if p < 0:
            state.broken[0] -= data.penalty
        else:
            use(data, state, p, j, -1)
        state.seat[j, h] = q
        return delta
    change(data, state, q, j, -1)
    if p >= 0:
        change(data, state, p, j, 1)
    return np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def swap(data, state, j, h, k, i, limit):
    """Let two seats change their people if that costs less than a limit; return the cost, or infinite."""
    p, q = state.seat[j, h], state.seat[k, i]
    if k == j or q == p or q < 0 or not data.may[p, k] or not data.may[q, j]:
        return np.inf
    if sits(state, p, k) or sits(state, q, j):
        return np.inf
    least = shares_change(data, state, p, j, k) + shares_change(data, state, q, k, j)
    if least > limit:
        least -= at_stake(data, state, p, j) + at_stake(data, state, p, k)
        least -= at_stake(data, state, q, j) + at_stake(data, state, q, k)
        if least > limit:
            return np.inf
    delta = change(data, state, p, j, -1) + change(data, state, q, k, -1)
    delta += change(data, state, p, k, 1) + change(data, state, q, j, 1)
    if delta <= limit and moves(data, state, p, j, k):
        if moves(data, state, q, k, j):
            state.seat[j, h], state.seat[k, i] = q, p
            return delta
        use(data, state, p, k, -1)
        use(data, state, p, j, 1)
    change(data, state, p, k, -1)
    change(data, state, q, j, -1)
    change(data, state, p, j, 1)
    change(data, state, q, k, 1)
    return np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def anneal(data, state, seats, steps, hot, cold, cost, best_cost, best_seat, best_broken):
    """Take steps from hot to cold; return the cost at the end, the best one met, and what it breaks.

    A step gives a seat to somebody else, or lets two seats change their people.
    """
    n_people, n_seats = data.may.shape[0], seats.shape[0]
    cooling = (cold / hot) ** (1.0 / steps)
    warmth = hot
    for _step in range(steps):
        warmth *= cooling
        limit = -warmth * np.log(1.0 - draw(state.rng))  # Metropolis, drawn before the cost is known
        one = int(draw(state.rng) * n_seats)
        j, h = seats[one, 0], seats[one, 1]
        if draw(state.rng) < GIVEN or state.seat[j, h] < 0:
            delta = give(data, state, j, h, int(draw(state.rng) * n_people), limit)
        else:
            other = int(draw(state.rng) * n_seats)
            delta = swap(data, state, j, h, seats[other, 0], seats[other, 1], limit)
        if delta == np.inf:
            continue
        cost += delta
        fewer = state.broken[0] - best_broken
        if fewer < -0.5 or (fewer < 0.5 and cost < best_cost - 1e-9):
            best_cost, best_broken = cost, state.broken[0]
            best_seat[:] = state.seat
    return cost, best_cost, best_broken
