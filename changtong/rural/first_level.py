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

import numba
import numpy as np
from numba import njit

from changtong.flows.kernel_cache import kernel_folder

numba.config.CACHE_DIR = str(kernel_folder())  # type: ignore[attr-defined]  # read when a kernel is declared

JIT = {"cache": True, "nogil": True, "error_model": "numpy"}

NEVER = 1e18
"""Cost of what cannot be done."""

MOST_EXACT = 9
"""Satellites in use up to which all sets are searched."""

FirstLevelWork = namedtuple(
    "FirstLevelWork", "used load tour trucks opened opened_from opened_by chain chain_from total total_by"
)
"""Room for one search; indices are sets of the satellites in use, as bits.

``opened[k, S * u + s]`` is the cost of k full trucks that served S, and s in part; ``chain[S]`` that of
a group that serves S; ``total[k, S]`` that of any groups with at most k trucks.
"""


def first_level_work(satellites: int, trucks: int) -> FirstLevelWork:
    """Return room for searches with so many satellites and trucks."""
    most = min(satellites, MOST_EXACT)
    sets = 1 << most
    return FirstLevelWork(
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
    """Return the cost of one truck's best tour of every set of satellites; 0 is the depot in ``dist``."""
    m = dist.shape[0] - 1
    sets = 1 << m
    best = np.full((sets, m), NEVER)
    out = np.zeros(sets)
    for s in range(m):
        best[1 << s, s] = dist[0, s + 1]
    for S in range(1, sets):
        tour = NEVER
        for s in range(m):
            if best[S, s] >= NEVER:
                continue
            tour = min(tour, best[S, s] + dist[s + 1, 0])
            for t in range(m):
                if S >> t & 1 == 0:
                    reach = best[S, s] + dist[s + 1, t + 1]
                    if reach < best[S | 1 << t, t]:
                        best[S | 1 << t, t] = reach
        out[S] = tour * per_distance + fixed
    return out


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
def _along_orders(loads, tours, capacity, most_trucks, work, u):
    return NEVER
