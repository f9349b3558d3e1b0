"""First level of two-echelon routing: trucks from the depot to satellites, deliveries may be split.

For given loads of the satellites the cheapest truck routes are found by dynamic programming over
sets of satellites. There is always a best plan whose splits form no circle (Dror and Trudeau 1989),
so routes fall into groups that share satellites like the links of a tree. Groups that form a chain,
or a star about one satellite, are searched completely: every truck but the last of a group drives
full, and what it leaves at a satellite is taken by the next one. That is exact up to three trucks,
and for more unless one truck shares three satellites.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.kernel_cache import kernel_folder

numba.config.CACHE_DIR = str(kernel_folder())  # type: ignore[attr-defined]  # read when a kernel is declared

Floats = NDArray[np.float64]

JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

NEVER = 1e18
"""Cost of what cannot be done."""

MOST_EXACT = 9
"""Satellites in use up to which all sets are searched."""

KNOWN = 400
"""Truck plans kept to be tried again for other loads."""

MOST_KNOWN_TRUCKS = 10
"""Trucks up to which plans are kept."""

FirstLevelWork = namedtuple(
    "FirstLevelWork",
    "around order_cost order_from known_sets known_trucks known_cost known room sets used_count used load"
    " tour trucks opened opened_from opened_by chain chain_from total total_by",
)
"""Room for one search; indices are sets of the satellites in use, as bits.

``opened[k, S * u + s]`` is the cost of k full trucks that served S, and s in part; ``chain[S]`` that of
a group that serves S; ``total[k, S]`` that of any groups with at most k trucks.
"""


def first_level_work(around: Floats, trucks: int) -> FirstLevelWork:
    """Return room for searches with satellites at these angles about the depot, and so many trucks."""
    satellites = len(around)
    most = min(satellites, MOST_EXACT)
    sets = 1 << most
    return FirstLevelWork(
        around,
        np.zeros((satellites + 1, trucks + 1)),
        np.zeros((satellites + 1, trucks + 1), np.int64),
        np.zeros((KNOWN, trucks), np.int64),
        np.zeros(KNOWN, np.int64),
        np.zeros(KNOWN),
        np.zeros(1, np.int64),
        np.zeros(1 << min(trucks, MOST_KNOWN_TRUCKS)),
        np.zeros(max(trucks, 2 * satellites) + 1, np.int64),
        np.zeros(2, np.int64),
        np.zeros(satellites, np.int64),
        np.zeros(sets),
        np.zeros(sets),
        np.zeros(sets, np.int64),
        np.zeros((trucks + 1, sets * most)),
        np.zeros((trucks + 1, sets * most), np.int64),
        np.zeros((trucks + 1, sets * most), np.int64),
        np.zeros(sets),
        np.zeros((sets, 4), np.int64),
        np.zeros((trucks + 1, sets)),
        np.zeros((trucks + 1, sets), np.int64),
    )


@njit(**JIT)
def tour_costs(dist, per_distance, fixed):
    """Return the cost of one truck's best tour of every set of satellites, and its last stop.

    0 is the depot in ``dist``. The tour is read backwards, stop by stop (Held and Karp 1962).
    """
    m = dist.shape[0] - 1
    sets = 1 << m
    best = np.full((sets, m), NEVER)
    out = np.zeros(sets)
    before = np.full((sets, m), -1, np.int8)
    last = np.full(sets, -1, np.int8)
    for s in range(m):
        best[1 << s, s] = dist[0, s + 1]
    for S in range(1, sets):
        tour = NEVER
        for s in range(m):
            if best[S, s] >= NEVER:
                continue
            if best[S, s] + dist[s + 1, 0] < tour:
                tour = best[S, s] + dist[s + 1, 0]
                last[S] = s
            for t in range(m):
                if S >> t & 1 == 0:
                    reach = best[S, s] + dist[s + 1, t + 1]
                    if reach < best[S | 1 << t, t]:
                        best[S | 1 << t, t] = reach
                        before[S | 1 << t, t] = s
        out[S] = tour * per_distance + fixed
    return out, last, before


@njit(**JIT)
def least_costs(tours, trucks):
    """Return for every set the least cost of covering it with at least so many tours, whatever the loads."""
    sets = tours.shape[0]
    now = tours.copy()
    for _ in range(1, trucks):
        after = np.zeros(sets)
        for S in range(1, sets):
            nearest = NEVER
            s = 0
            while S >> s:
                if S >> s & 1:
                    nearest = min(nearest, tours[1 << s])
                s += 1
            best = now[S] + nearest
            A = (S - 1) & S
            while A:
                if tours[A] + now[S ^ A] < best:
                    best = tours[A] + now[S ^ A]
                A = (A - 1) & S
            after[S] = best
        now = after
    return now


@njit(**JIT)
def first_level_cost(loads, tours, capacity, most_trucks, work):
    """Return the cost of the first level for loads of the satellites; ``work`` keeps how."""
    eps = 1e-9 * capacity
    u = 0
    mask = 0
    for s in range(loads.shape[0]):
        if loads[s] > eps:
            work.used[u] = s
            u += 1
            mask |= 1 << s
    if u == 0:
        return 0.0
    work.used_count[0] = u
    if u > MOST_EXACT:
        return _along_orders(loads, tours, capacity, most_trucks, work, u)
    sets = 1 << u
    work.load[0] = 0.0
    work.trucks[0] = 0
    for S in range(1, sets):
        low = S & -S
        b = 0
        while low >> b != 1:
            b += 1
        work.load[S] = work.load[S ^ low] + loads[work.used[b]]
        work.trucks[S] = int(np.ceil((work.load[S] - eps) / capacity))
        whole = 0
        for i in range(u):
            if S >> i & 1:
                whole |= 1 << work.used[i]
        work.tour[S] = tours[whole]
        work.chain[S] = NEVER
        if work.trucks[S] <= 1:
            work.chain[S] = work.tour[S]
            work.chain_from[S, 0] = 0
    full = sets - 1
    if work.trucks[full] > most_trucks:
        return NEVER
    if work.trucks[full] > 1:
        _grow_chains(u, capacity, eps, most_trucks, work)
    return _join_groups(u, most_trucks, work)


@njit(**JIT)
def _grow_chains(u, capacity, eps, most_trucks, work):
    """Fill ``chain``: groups of full trucks, each leaving a satellite half served to the next."""
    full = (1 << u) - 1
    load, tour, opened = work.load, work.tour, work.opened
    for k in range(1, most_trucks + 1):
        opened[k, : (full + 1) * u] = NEVER
    for s in range(u):
        rest = full ^ (1 << s)
        A = rest
        while True:
            if load[A] < capacity - eps and load[A | 1 << s] > capacity + eps:
                opened[1, A * u + s] = tour[A | 1 << s]
                work.opened_from[1, A * u + s] = -1
                work.opened_by[1, A * u + s] = A
            if A == 0:
                break
            A = (A - 1) & rest
    for k in range(1, most_trucks):
        before, after = k * capacity, (k + 1) * capacity
        for S in range(full):
            for s in range(u):
                cost = opened[k, S * u + s]
                if cost >= NEVER:
                    continue
                with_s = S | 1 << s
                left = load[with_s] - before
                rest = full ^ with_s
                A = rest
                while True:
                    if load[A] < capacity - eps:
                        reach = cost + tour[A | 1 << s]
                        done = with_s | A
                        if load[done] <= after + eps:
                            if reach < work.chain[done]:
                                work.chain[done] = reach
                                work.chain_from[done, 0] = k
                                work.chain_from[done, 1] = S * u + s
                                work.chain_from[done, 2] = A
                        else:
                            at = (S | A) * u + s
                            if reach < opened[k + 1, at]:
                                opened[k + 1, at] = reach
                                work.opened_from[k + 1, at] = S * u + s
                                work.opened_by[k + 1, at] = A
                        if left + load[A] < capacity - eps:
                            for t in range(u):
                                if done >> t & 1 == 0 and load[done | 1 << t] > after + eps:
                                    at = done * u + t
                                    onward = cost + tour[A | 1 << s | 1 << t]
                                    if onward < opened[k + 1, at]:
                                        opened[k + 1, at] = onward
                                        work.opened_from[k + 1, at] = S * u + s
                                        work.opened_by[k + 1, at] = A
                    if A == 0:
                        break
                    A = (A - 1) & rest


@njit(**JIT)
def _join_groups(u, most_trucks, work):
    """Part the satellites into groups; return the cost of the best parting."""
    full = (1 << u) - 1
    total = work.total
    total[:, 0] = 0.0
    for S in range(1, full + 1):
        low = S & -S
        rest = S ^ low
        for k in range(most_trucks + 1):
            total[k, S] = NEVER
        sub = rest
        while True:
            C = sub | low
            cost = work.chain[C]
            if cost < NEVER:
                for k in range(work.trucks[C], most_trucks + 1):
                    reach = cost + total[k - work.trucks[C], S ^ C]
                    if reach < total[k, S]:
                        total[k, S] = reach
                        work.total_by[k, S] = C
            if sub == 0:
                break
            sub = (sub - 1) & rest
    return total[most_trucks, full]


@njit(**JIT)
def truck_sets(most_trucks, work):
    """Read the trucks of the plan found last into ``work.sets``; return how many there are."""
    u, sets = work.used_count[0], work.sets
    if u > MOST_EXACT:
        return work.used_count[1]
    S = (1 << u) - 1
    k = most_trucks
    trucks = 0
    while S:
        C = work.total_by[k, S]
        if work.trucks[C] <= 1:
            sets[trucks] = C
            trucks += 1
        else:
            level, at, A = work.chain_from[C, 0], work.chain_from[C, 1], work.chain_from[C, 2]
            s = at % u
            sets[trucks] = A | 1 << s
            trucks += 1
            while level >= 1:
                before, by = work.opened_from[level, at], work.opened_by[level, at]
                now = by | 1 << (at % u)
                if before >= 0:
                    now |= 1 << (before % u)
                sets[trucks] = now
                trucks += 1
                at = before
                level -= 1
        k -= work.trucks[C]
        S ^= C
    for i in range(trucks):
        whole = 0
        for b in range(u):
            if sets[i] >> b & 1:
                whole |= 1 << work.used[b]
        sets[i] = whole
    return trucks


@njit(**JIT)
def can_carry(sets, trucks, loads, capacity, room):
    """Return whether trucks that visit these sets of satellites can bring these loads.

    They can when no group of trucks has more to bring alone than it holds (Hall's condition).
    """
    groups = 1 << trucks
    for g in range(groups):
        room[g] = 0.0
    for s in range(loads.shape[0]):
        if loads[s] > 0.0:
            by = 0
            for i in range(trucks):
                if sets[i] >> s & 1:
                    by |= 1 << i
            if by == 0:
                return False
            room[by] += loads[s]
    most = capacity * (1.0 + 1e-9)
    for i in range(trucks):
        for g in range(groups):
            if g >> i & 1:
                room[g] += room[g ^ (1 << i)]
    for g in range(groups):
        size = 0
        for i in range(trucks):
            size += g >> i & 1
        if room[g] > most * size:
            return False
    return True


@njit(**JIT)
def _group(work, loads, u, begin, i, j, tours, capacity, sets, trucks):
    """Return the cost of full trucks along satellites i … j of an order, and the count of trucks then."""
    cost, mask, room = 0.0, 0, capacity
    for a in range(i, j + 1):
        s = work.used[(begin + a) % u]
        left = loads[s]
        while left > 1e-9 * capacity:
            if room <= 1e-9 * capacity:
                if trucks >= sets.shape[0] - 1:
                    return NEVER, trucks
                cost += tours[mask]
                sets[trucks] = mask
                trucks += 1
                mask, room = 0, capacity
            mask |= 1 << s
            part = min(left, room)
            left -= part
            room -= part
    if trucks >= sets.shape[0] - 1:
        return NEVER, trucks
    sets[trucks] = mask
    return cost + tours[mask], trucks + 1


@njit(**JIT)
def _along_orders(loads, tours, capacity, most_trucks, work, u):
    """Part the satellites, in their order about the depot, into groups of full trucks; a heuristic."""
    sets = work.sets
    for i in range(1, u):
        s, j = work.used[i], i
        while j > 0 and work.around[work.used[j - 1]] > work.around[s]:
            work.used[j] = work.used[j - 1]
            j -= 1
        work.used[j] = s
    best, best_begin = NEVER, 0
    f, came = work.order_cost, work.order_from
    for attempt in range(u + 1):
        begin = attempt if attempt < u else best_begin
        f[:, :] = NEVER
        f[0, 0] = 0.0
        for i in range(u):
            for k in range(most_trucks):
                if f[i, k] >= NEVER:
                    continue
                for j in range(i, u):
                    cost, trucks = _group(work, loads, u, begin, i, j, tours, capacity, sets, 0)
                    if k + trucks > most_trucks or cost >= NEVER:
                        break
                    if f[i, k] + cost < f[j + 1, k + trucks]:
                        f[j + 1, k + trucks] = f[i, k] + cost
                        came[j + 1, k + trucks] = i
        least, at = NEVER, 0
        for k in range(most_trucks + 1):
            if f[u, k] < least:
                least, at = f[u, k], k
        if attempt < u:
            if least < best:
                best, best_begin = least, begin
            continue
        if least >= NEVER:
            work.used_count[1] = 0
            return NEVER
        j, trucks = u, 0
        while j > 0:
            i = came[j, at]
            before = trucks
            _, trucks = _group(work, loads, u, begin, i, j - 1, tours, capacity, sets, trucks)
            at -= trucks - before
            j = i
        work.used_count[1] = trucks
    return best


@njit(**JIT)
def known_cost(loads, mask, capacity, below, work):
    """Return the cost of the cheapest truck plan met before that can bring these loads."""
    for i in range(work.known[0]):
        cost = work.known_cost[i]
        if cost >= below:
            return NEVER
        union = 0
        for j in range(work.known_trucks[i]):
            union |= work.known_sets[i, j]
        if union != mask:
            continue
        if can_carry(work.known_sets[i], work.known_trucks[i], loads, capacity, work.room):
            return cost
    return NEVER


@njit(**JIT)
def learn_plan(cost, most_trucks, work):
    """Keep the truck plan found last, in the order of cost."""
    if most_trucks > MOST_KNOWN_TRUCKS or cost >= NEVER:
        return
    trucks = truck_sets(most_trucks, work)
    work.sets[:trucks] = np.sort(work.sets[:trucks])
    count = work.known[0]
    at = count
    for i in range(count):
        if abs(work.known_cost[i] - cost) < 1e-9 and work.known_trucks[i] == trucks:
            same = True
            for j in range(trucks):
                if work.known_sets[i, j] != work.sets[j]:
                    same = False
                    break
            if same:
                return
        if work.known_cost[i] > cost:
            at = i
            break
    if at >= KNOWN:
        return
    last = min(count, KNOWN - 1)
    for i in range(last, at, -1):
        work.known_cost[i] = work.known_cost[i - 1]
        work.known_trucks[i] = work.known_trucks[i - 1]
        work.known_sets[i] = work.known_sets[i - 1]
    work.known_cost[at] = cost
    work.known_trucks[at] = trucks
    work.known_sets[at, :trucks] = work.sets[:trucks]
    work.known[0] = last + 1
