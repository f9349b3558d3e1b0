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

GIVEN, SWAPPED, HELPED = 0.1, 0.4, 0.15
"""Parts of the steps that give a seat to somebody else, that swap two, and that bring somebody to where a
group lacks them; the others exchange days."""

TRIES = 8
"""Draws for a group that lacks somebody, and for a duty that they could leave for it."""

LONGEST = 10
"""Days that two people exchange at most: stretches that keep rest and rows are moved as they are."""

HARD = (QUALIFIED, NEWCOMER, NEVER, LOCKED)
"""Rules: broken, they cost a penalty times ``soft``; the best roster breaks none if it can."""

Data = namedtuple(
    "Data",
    "may able able_at day line uses_at uses_row uses_by counts sort tables group_at group_of group_side"
    " group_kind group_least group_weight penalty lacks help_at help_who help_slot",
)
"""What is given: who may sit where, the same as lists by slot, days of slots, and what it costs; rows of
limits by slot; counts of duties by slot, and a number for each sort of counts; cost tables by person, kind
and count; groups by person times slots plus slot. Groups that may
lack somebody, and for each of these who would help in which slots."""

State = namedtuple("State", "seat place left count side_a side_b now broken soft rng")
"""Who sits where (-1: nobody), the seat of each person on each day (slot times heads plus head; -1: none),
what is left of each limit, counts of duties and of groups, what each group costs now."""


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
def sit(data, state, p, j, h):
    """Let somebody sit in a seat."""
    state.seat[j, h] = p
    state.place[p, data.day[j]] = j * state.seat.shape[1] + h


@njit(cache=True, nogil=True, error_model="numpy")
def give(data, state, j, h, q, limit):
    """Give a seat to somebody if that costs less than a limit; return what it costs, or infinite."""
    p = state.seat[j, h]
    if state.place[q, data.day[j]] >= 0:
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
            state.place[p, data.day[j]] = -1
        sit(data, state, q, j, h)
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
    at, then = data.day[j], data.day[k]
    if at != then and (state.place[p, then] >= 0 or state.place[q, at] >= 0):
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
            state.place[p, at] = state.place[q, then] = -1
            sit(data, state, q, j, h)
            sit(data, state, p, k, i)
            return delta
        use(data, state, p, k, -1)
        use(data, state, p, j, 1)
    change(data, state, p, k, -1)
    change(data, state, q, j, -1)
    change(data, state, p, j, 1)
    change(data, state, q, k, 1)
    return np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def slot_on(state, p, day):
    """Return the slot of a person on a day; -1: none."""
    return state.place[p, day] // state.seat.shape[1] if state.place[p, day] >= 0 else -1


@njit(cache=True, nogil=True, error_model="numpy")
def least_of_exchange(data, state, p, q, first, last):
    """Return what an exchange of days costs at least; infinite where it is none, or somebody may not."""
    least, any_change = 0.0, False
    for day in range(first, last):
        j, k = slot_on(state, p, day), slot_on(state, q, day)
        if j == k:
            continue
        any_change = True
        if j >= 0:
            if not data.may[q, j]:
                return np.inf
            least += data.line[q, j] - data.line[p, j]
            least -= at_stake(data, state, p, j) + at_stake(data, state, q, j)
        if k >= 0:
            if not data.may[p, k]:
                return np.inf
            least += data.line[p, k] - data.line[q, k]
            least -= at_stake(data, state, p, k) + at_stake(data, state, q, k)
    if not any_change:
        return np.inf
    for kind in range(data.counts.shape[0]):
        step = 0
        for day in range(first, last):
            j, k = slot_on(state, p, day), slot_on(state, q, day)
            if j >= 0:
                step -= data.counts[kind, j]
            if k >= 0:
                step += data.counts[kind, k]
        if step != 0:
            one, other = state.count[p, kind], state.count[q, kind]
            least += data.tables[p, kind, one + step] - data.tables[p, kind, one]
            least += data.tables[q, kind, other - step] - data.tables[q, kind, other]
    return least


@njit(cache=True, nogil=True, error_model="numpy")
def change_days(data, state, p, q, first, last, one, other, sign):
    """Count (1) what ``p`` does on some days for ``one``, and ``q`` for ``other``, or no longer (-1)."""
    delta = 0.0
    for day in range(first, last):
        j, k = slot_on(state, p, day), slot_on(state, q, day)
        if j != k:
            if j >= 0:
                delta += change(data, state, one, j, sign)
            if k >= 0:
                delta += change(data, state, other, k, sign)
    return delta


@njit(cache=True, nogil=True, error_model="numpy")
def use_days(data, state, p, q, first, last, one, other, sign):
    """Let ``one`` use limits for what ``p`` does on some days, ``other`` for ``q`` (1), or no longer (-1)."""
    for day in range(first, last):
        j, k = slot_on(state, p, day), slot_on(state, q, day)
        if j != k:
            if j >= 0:
                use(data, state, one, j, sign)
            if k >= 0:
                use(data, state, other, k, sign)


@njit(cache=True, nogil=True, error_model="numpy")
def take_days(data, state, p, q, first, last):
    """Let two people, free on some days, do what the other did; return the first day that breaks a limit."""
    for day in range(first, last):
        j, k = slot_on(state, p, day), slot_on(state, q, day)
        if j == k:
            continue
        if j >= 0:
            if not fits(data, state, q, j):
                return day
            use(data, state, q, j, 1)
        if k >= 0:
            if not fits(data, state, p, k):
                if j >= 0:
                    use(data, state, q, j, -1)
                return day
            use(data, state, p, k, 1)
    return last


@njit(cache=True, nogil=True, error_model="numpy")
def change_seats(state, p, q, first, last):
    """Let two people change their seats of some days."""
    width = state.seat.shape[1]
    for day in range(first, last):
        one, other = state.place[p, day], state.place[q, day]
        state.place[p, day], state.place[q, day] = other, one
        if one >= 0:
            state.seat[one // width, one % width] = q
        if other >= 0:
            state.seat[other // width, other % width] = p


@njit(cache=True, nogil=True, error_model="numpy")
def exchange(data, state, p, q, first, last, limit):
    """Let two people change their duties of some days if that costs less than a limit; as ``swap``."""
    if least_of_exchange(data, state, p, q, first, last) > limit:
        return np.inf
    delta = change_days(data, state, p, q, first, last, p, q, -1)
    delta += change_days(data, state, p, q, first, last, q, p, 1)
    if delta <= limit:
        use_days(data, state, p, q, first, last, p, q, -1)
        end = take_days(data, state, p, q, first, last)
        if end == last:
            change_seats(state, p, q, first, last)
            return delta
        use_days(data, state, p, q, first, end, q, p, -1)
        use_days(data, state, p, q, first, last, p, q, 1)
    change_days(data, state, p, q, first, last, q, p, -1)
    change_days(data, state, p, q, first, last, p, q, 1)
    return np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def help_group(data, state, limit):
    """Bring somebody to where a group lacks them, if that costs less than a limit; as ``swap``."""
    one, found = 0, False
    for _ in range(TRIES):
        one = int(draw(state.rng) * data.lacks.shape[0])
        found = state.now[data.lacks[one]] > 0.0
        if found:
            break
    count = data.help_at[one + 1] - data.help_at[one]
    if not found or count == 0:
        return np.inf
    at = data.help_at[one] + int(draw(state.rng) * count)
    q, j = data.help_who[at], data.help_slot[at]
    heads = 0
    while heads < state.seat.shape[1] and state.seat[j, heads] >= 0:
        heads += 1
    if heads == 0:
        return np.inf
    h, day = int(draw(state.rng) * heads), data.day[j]
    p = state.seat[j, h]
    if p == q or slot_on(state, q, day) == j:
        return np.inf
    how = draw(state.rng)
    if how < 0.2 and state.place[q, day] < 0:
        return give(data, state, j, h, q, limit)
    if how < 0.4:
        first = max(0, day - int(draw(state.rng) * 3))
        last = min(state.place.shape[1], day + 1 + int(draw(state.rng) * 3))
        return exchange(data, state, p, q, first, last, limit)
    # the duty that is left for it: the one of that day, or any
    then = day
    for _ in range(TRIES):
        if state.place[q, then] >= 0:
            break
        then = int(draw(state.rng) * state.place.shape[1])
    left = state.place[q, then]
    if left < 0:
        return np.inf
    width = state.seat.shape[1]
    return swap(data, state, j, h, left // width, left % width, limit)


@njit(cache=True, nogil=True, error_model="numpy")
def anneal(data, state, seats, steps, hot, cold, cost, best_cost, best_seat, best_broken):
    """Take steps from hot to cold; return the cost at the end, the best one met, and what it breaks.

    A step gives a seat to somebody else, lets two seats change their people, or two people their duties of
    some days, or brings somebody to where a group lacks them.
    """
    n_seats, n_days = seats.shape[0], state.place.shape[1]
    cooling = (cold / hot) ** (1.0 / steps)
    warmth = hot
    for _step in range(steps):
        warmth *= cooling
        limit = -warmth * np.log(1.0 - draw(state.rng))  # Metropolis, drawn before the cost is known
        one = int(draw(state.rng) * n_seats)
        j, h = seats[one, 0], seats[one, 1]
        which = draw(state.rng)
        if which >= 1.0 - HELPED and data.lacks.shape[0] > 0:
            delta = help_group(data, state, limit)
        elif GIVEN <= which < GIVEN + SWAPPED and state.seat[j, h] >= 0:
            other = int(draw(state.rng) * n_seats)
            delta = swap(data, state, j, h, seats[other, 0], seats[other, 1], limit)
        else:
            p, able = state.seat[j, h], data.able_at[j + 1] - data.able_at[j]
            q = data.able[data.able_at[j] + int(draw(state.rng) * able)] if able > 0 else p
            if p == q:
                delta = np.inf
            elif which < GIVEN or p < 0:
                delta = give(data, state, j, h, q, limit)
            else:
                last = min(n_days, data.day[j] + 1 + int(draw(state.rng) * LONGEST))
                delta = exchange(data, state, p, q, data.day[j], last, limit)
        if delta == np.inf:
            continue
        cost += delta
        fewer = state.broken[0] - best_broken
        if fewer < -0.5 or (fewer < 0.5 and cost < best_cost - 1e-9):
            best_cost, best_broken = cost, state.broken[0]
            best_seat[:] = state.seat
    return cost, best_cost, best_broken
