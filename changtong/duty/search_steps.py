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

Data = namedtuple(
    "Data",
    "may line uses_at uses_row uses_by most counts tables group_at group_of group_side group_kind group_least"
    " group_weight penalty",
)
"""What is given: who may sit where and what it costs; rows of limits by slot; counts of duties by slot; cost
tables by person, kind and count; groups by person times slots plus slot."""

State = namedtuple("State", "seat used count side_a side_b rng")
"""Who sits where (-1: nobody), what is used of each limit, counts of duties and of groups."""


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
    """Put a person into a slot (1) or take them out (-1); return what the cost changes by."""
    delta = sign * data.line[p, j]
    for i in range(data.uses_at[j], data.uses_at[j + 1]):
        state.used[p, data.uses_row[i]] += sign * data.uses_by[i]
    for k in range(data.counts.shape[0]):
        step = sign * data.counts[k, j]
        if step != 0:
            now = state.count[p, k]
            delta += data.tables[p, k, now + step] - data.tables[p, k, now]
            state.count[p, k] = now + step
    at = p * data.line.shape[1] + j
    for i in range(data.group_at[at], data.group_at[at + 1]):
        g = data.group_of[i]
        before = group_cost(data, g, state.side_a[g], state.side_b[g])
        if data.group_side[i] == 0:
            state.side_a[g] += sign
        else:
            state.side_b[g] += sign
        delta += group_cost(data, g, state.side_a[g], state.side_b[g]) - before
    return delta


@njit(cache=True, nogil=True, error_model="numpy")
def fits(data, state, p, j):
    """Tell whether a person may take a slot and keeps every limit with it."""
    if not data.may[p, j]:
        return False
    for i in range(data.uses_at[j], data.uses_at[j + 1]):
        row = data.uses_row[i]
        if state.used[p, row] + data.uses_by[i] > data.most[p, row]:
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def sits(state, p, j):
    """Tell whether a person has a seat of a slot."""
    found = False
    for h in range(state.seat.shape[1]):
        found = found or state.seat[j, h] == p
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def anneal(data, state, seats, steps, hot, cold, cost, best_cost, best_seat, enough):
    """Take steps from hot to cold; return the cost at the end and the best one met.

    A step gives a seat to somebody else, or lets two seats change their people.
    """
    n_people, n_seats = data.may.shape[0], seats.shape[0]
    cooling = (cold / hot) ** (1.0 / steps)
    warmth = hot
    for _step in range(steps):
        warmth *= cooling
        one = int(draw(state.rng) * n_seats)
        j, h = seats[one, 0], seats[one, 1]
        p = state.seat[j, h]
        if draw(state.rng) < 0.5 or p < 0:
            q = int(draw(state.rng) * n_people)
            if q == p or not data.may[q, j] or sits(state, q, j):
                continue
            delta = 0.0 if p < 0 else change(data, state, p, j, -1) + data.penalty
            if not fits(data, state, q, j):
                if p >= 0:
                    change(data, state, p, j, 1)
                continue
            delta += change(data, state, q, j, 1) - data.penalty
            if delta <= 0.0 or draw(state.rng) < np.exp(-delta / warmth):
                state.seat[j, h] = q
                cost += delta
            else:
                change(data, state, q, j, -1)
                if p >= 0:
                    change(data, state, p, j, 1)
                continue
        else:
            other = int(draw(state.rng) * n_seats)
            k, i = seats[other, 0], seats[other, 1]
            q = state.seat[k, i]
            if k == j or q == p or q < 0 or not data.may[p, k] or not data.may[q, j]:
                continue
            if sits(state, p, k) or sits(state, q, j):
                continue
            delta = change(data, state, p, j, -1) + change(data, state, q, k, -1)
            done = False
            if fits(data, state, p, k):
                delta += change(data, state, p, k, 1)
                if fits(data, state, q, j):
                    delta += change(data, state, q, j, 1)
                    if delta <= 0.0 or draw(state.rng) < np.exp(-delta / warmth):
                        done = True
                    else:
                        change(data, state, q, j, -1)
                if not done:
                    change(data, state, p, k, -1)
            if not done:
                change(data, state, p, j, 1)
                change(data, state, q, k, 1)
                continue
            state.seat[j, h], state.seat[k, i] = q, p
            cost += delta
        if cost < best_cost - 1e-9:
            best_cost = cost
            best_seat[:] = state.seat
            if best_cost <= enough:
                break
    return cost, best_cost
