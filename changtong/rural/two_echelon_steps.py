"""Kernels of the search: simulated annealing that takes customers out of a plan and puts them back.

A step takes strings of neighbouring stops out of neighbouring routes and puts the customers back one by
one where they cost least (slack induction by string removals, Christiaens and Vanden Berghe 2020). What is
added for two levels: routes that change their satellite, satellites that close or open, and the first
level's cost, known exactly before a plan is accepted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.rural.first_level import (
    JIT,
    MOST_KNOWN_TRUCKS,
    NEVER,
    first_level_cost,
    known_cost,
    learn_plan,
)
from changtong.rural.route_steps import (
    ABSENT,
    BEST,
    FIRST,
    PENALTY,
    SECOND,
    TOTAL,
    below,
    best_turn,
    cut,
    draw,
    drop_route,
    insert,
    keep_route,
    move_route,
    price,
    restore,
    touch,
)

LONGEST_STRING = 10.0
MEAN_REMOVED = 10.0
"""Published settings of the string removal."""


@njit(**JIT)
def remove_strings(data, st, seed, strings, longest, touched, gone):
    """Remove strings of stops near a customer, one a route (Christiaens and Vanden Berghe 2020)."""
    m = data.opening.shape[0]
    rng = st.rng
    start = touched
    taken = 0
    for a in range(-1, data.near.shape[1]):
        if taken >= strings:
            break
        c = seed if a < 0 else data.near[seed, a]
        r = st.of_customer[c]
        if r < 0:
            continue
        seen = False
        for i in range(start, touched):
            if st.touched[i] == r:
                seen = True
                break
        if seen:
            continue
        k = st.length[r]
        size = min(k, int(1.0 + draw(rng) * min(float(k), longest)))
        at = 0
        while st.stops[r, at] != c + m:
            at += 1
        touched = touch(st, r, touched)
        spare = 0  # stops inside the string that stay
        if size > 1 and size < k and draw(rng) < 0.5:
            spare = 1
            while size + spare < k and draw(rng) < 0.01:
                spare += 1
        wide = size + spare
        low = max(0, at - wide + 1)
        high = min(at, k - wide)
        first = low + below(rng, high - low + 1)
        skip = first + below(rng, size + 1) if spare else first + wide
        for p in range(first, first + wide):
            if p < skip or p >= skip + spare:
                st.removed[gone] = st.stops[r, p] - m
                gone += 1
        if skip + spare < first + wide:
            cut(data, st, r, skip + spare, first + wide)
        if skip > first:
            cut(data, st, r, first, skip)
        taken += 1
    return touched, gone


@njit(**JIT)
def _shuffle(data, st, gone):
    """Put removed customers in the order they are put back in: at random, large, far or near ones first."""
    rng = st.rng
    key = st.amount
    way = below(rng, 11)
    for i in range(gone):
        c = st.removed[i]
        if way < 4:
            key[i] = draw(rng)
        elif way < 8:
            key[i] = -data.demand[c]
        elif way < 10:
            key[i] = -data.near_satellite[c]
        else:
            key[i] = data.near_satellite[c]
    for i in range(1, gone):
        c, v = st.removed[i], key[i]
        j = i
        while j > 0 and key[j - 1] > v:
            key[j] = key[j - 1]
            st.removed[j] = st.removed[j - 1]
            j -= 1
        key[j] = v
        st.removed[j] = c


@njit(**JIT)
def _best_satellite(data, st, r, barred, noise):
    """Return where a route would better begin: satellite, or -1, and the stop it begins with."""
    m = data.opening.shape[0]
    best, to, at = NEVER, -1, 0
    for t in range(m):
        if t == st.satellite[r] or t == barred or st.count[t] >= data.satellite_limit[t]:
            continue
        if st.satellite_load[t] + st.load[r] > data.satellite_capacity[t]:
            continue
        cost, turn = best_turn(data, st, r, t)
        for p in range(st.length[r]):
            cost += data.handling[st.stops[r, p] - m, t]
        if st.count[t] == 0:
            cost += st.open_cost[t]
        cost *= 1.0 + noise * (draw(st.rng) - 0.5)
        if cost < best:
            best, to, at = cost, t, turn
    return to, at


@njit(**JIT)
def _close(data, st, touched, gone):
    """Close a satellite: its routes begin elsewhere, or their customers are served anew."""
    m = data.opening.shape[0]
    used = 0
    for s in range(m):
        if st.count[s] > 0:
            used += 1
    if used < 2:
        return touched, gone, -1
    which = below(st.rng, used)
    closed = 0
    for s in range(m):
        if st.count[s] > 0:
            if which == 0:
                closed = s
                break
            which -= 1
    whole = draw(st.rng) < 0.5
    for r in range(st.length.shape[0]):
        if st.length[r] > 0 and st.satellite[r] == closed:
            to, at = -1, 0
            if whole:
                to, at = _best_satellite(data, st, r, closed, 0.0)
            if to >= 0:
                touched = touch(st, r, touched)
                move_route(data, st, r, to, at)
            else:
                touched, gone = drop_route(data, st, r, touched, gone)
    return touched, gone, closed


@njit(**JIT)
def _open(data, st, touched):
    """Open a satellite: one to three routes that gain most begin there."""
    to = below(st.rng, data.opening.shape[0])
    if st.count[to] > 0:
        return touched
    st.open_cost[to] = 0.0
    for _ in range(1 + below(st.rng, 3)):
        if st.count[to] >= data.satellite_limit[to]:
            break
        best, chosen, at = NEVER, -1, 0
        for r in range(st.length.shape[0]):
            if st.length[r] == 0 or st.satellite[r] == to:
                continue
            if st.satellite_load[to] + st.load[r] > data.satellite_capacity[to]:
                continue
            cost, turn = best_turn(data, st, r, to)
            if cost - st.cost[r] < best:
                best, chosen, at = cost - st.cost[r], r, turn
        if chosen < 0:
            break
        touched = touch(st, chosen, touched)
        move_route(data, st, chosen, to, at)
    return touched


@njit(**JIT)
def _take_out(data, st, gone, routes):
    """Change the plan and take customers out: routes touched, customers out, satellite that is barred."""
    m, n = data.opening.shape[0], data.demand.shape[0]
    rng = st.rng
    touched, barred = 0, -1
    seed = below(rng, n)
    longest = max(1.0, min(LONGEST_STRING, (n - gone) / max(routes, 1)))
    strings = int(1.0 + draw(rng) * (4.0 * MEAN_REMOVED / (1.0 + longest) - 1.0))
    pick = draw(rng)
    if m > 1 and pick < 0.06:
        r = st.of_customer[seed]
        if r >= 0:
            to, at = _best_satellite(data, st, r, -1, 0.4)
            if to >= 0:
                touched = touch(st, r, touched)
                move_route(data, st, r, to, at)
        if draw(rng) < 0.7:
            touched, gone = remove_strings(data, st, seed, min(strings, 3), longest, touched, gone)
    elif m > 1 and pick < 0.065:
        touched, gone, barred = _close(data, st, touched, gone)
    elif m > 1 and pick < 0.07:
        touched = _open(data, st, touched)
        touched, gone = remove_strings(data, st, seed, 2, longest, touched, gone)
    elif pick < 0.10:
        # whole routes beside one another
        want = 1 + below(rng, 3)
        for a in range(-1, data.near.shape[1]):
            r = st.of_customer[seed if a < 0 else data.near[seed, a]]
            if r >= 0:
                touched, gone = drop_route(data, st, r, touched, gone)
                want -= 1
                if want == 0 or gone > 30:
                    break
    else:
        touched, gone = remove_strings(data, st, seed, strings, longest, touched, gone)
    return touched, gone, barred


@njit(**JIT)
def _first_level(data, st, work, mask, below_cost, record):
    """Return the cost of the first level, or ``NEVER`` where it will hardly be below ``below_cost``.

    With up to four satellites in use it is computed. With more, truck plans met before are tried, and
    it is computed for some plans only, and for those that would be the best (below ``record``).
    """
    used = 0
    opening = 0.0
    for s in range(data.opening.shape[0]):
        if mask >> s & 1:
            opening += data.opening[s]
            used += 1
    cost = NEVER
    ask = used <= 4 or data.trucks > MOST_KNOWN_TRUCKS
    if not ask:
        cost = known_cost(st.satellite_load, mask, data.truck_capacity, below_cost - opening, work)
        ask = draw(st.rng) < 300.0 / 3.0**used or cost + opening < record
    if ask:
        cost = first_level_cost(st.satellite_load, data.tours, data.truck_capacity, data.trucks, work)
        if used > 4:
            learn_plan(cost, data.trucks, work)
    return cost + opening


@njit(**JIT)
def _note_best(st, total):
    st.figure[BEST] = total
    st.best_length[:] = st.length
    st.best_satellite[:] = st.satellite
    for r in range(st.length.shape[0]):
        k = st.length[r]
        st.best_stops[r, :k] = st.stops[r, :k]


@njit(**JIT)
def search(data, st, work, steps, temperature, pool_share):
    """Run so many steps at a temperature; routes of plans within ``pool_share`` of the best are kept."""
    m, n = data.opening.shape[0], data.demand.shape[0]
    rng, fig = st.rng, st.figure
    load_before = np.zeros(m)
    for _ in range(steps):
        gone, mask, routes = 0, 0, 0
        for s in range(m):
            load_before[s] = st.satellite_load[s]
            if st.count[s] > 0:
                mask |= 1 << s
                routes += st.count[s]
        if fig[ABSENT] > 0.0:
            for c in range(n):
                if st.of_customer[c] < 0:
                    st.removed[gone] = c
                    gone += 1
        eager = draw(rng) * 1.2
        for s in range(m):
            st.open_cost[s] = eager * (data.least[mask | 1 << s] - data.least[mask] + data.opening[s])
        touched, gone, barred = _take_out(data, st, gone, routes)
        _shuffle(data, st, gone)
        absent = 0.0
        for i in range(gone):
            touched, placed = insert(data, st, st.removed[i], barred, touched)
            if not placed:
                absent += 0.5 + data.demand[st.removed[i]] / data.capacity
        second = fig[SECOND]
        for i in range(touched):
            r = st.touched[i]
            st.cost[r] = price(data, st, r)
            second += st.cost[r] - st.kept_cost[i]
        limit = fig[TOTAL] - temperature * np.log(1.0 - draw(rng))
        mask, same = 0, True
        for s in range(m):
            if st.count[s] > 0:
                mask |= 1 << s
            if abs(st.satellite_load[s] - load_before[s]) > 1e-7 * data.capacity:
                same = False
        others = second + fig[PENALTY] * absent
        first = fig[FIRST]
        if not same:
            first = NEVER
            if others + data.least[mask] < limit:
                record = fig[BEST] - 1e-7 - second if absent == 0.0 else -NEVER
                first = _first_level(data, st, work, mask, limit - others, record)
        total = others + first
        if total >= limit:
            restore(data, st, touched)
            continue
        fig[SECOND], fig[FIRST], fig[ABSENT], fig[TOTAL] = second, first, absent, total
        if absent == 0.0:
            if total < fig[BEST] - 1e-7:
                _note_best(st, total)
            if total < fig[BEST] * (1.0 + pool_share):
                for i in range(touched):
                    if st.length[st.touched[i]] > 0:
                        keep_route(data, st, st.touched[i], total)


@njit(**JIT)
def restart(data, st, work, stops, length, satellite):
    """Make a plan the current one; routes at satellites that are shut or full are left out."""
    m = data.opening.shape[0]
    fig = st.figure
    st.of_customer[:] = -1
    st.count[:] = 0
    st.satellite_load[:] = 0.0
    st.length[:] = 0
    st.load[:] = 0.0
    st.cost[:] = 0.0
    st.satellite[:] = -1
    second = 0.0
    for r in range(length.shape[0]):
        k, s = length[r], satellite[r]
        if k == 0 or st.count[s] >= data.satellite_limit[s]:
            continue
        st.stops[r, :k] = stops[r, :k]
        st.length[r] = k
        st.satellite[r] = s
        st.count[s] += 1
        for p in range(k):
            c = st.stops[r, p] - m
            st.of_customer[c] = r
            st.load[r] += data.demand[c]
        st.satellite_load[s] += st.load[r]
        st.cost[r] = price(data, st, r)
        second += st.cost[r]
    absent = 0.0
    for c in range(data.demand.shape[0]):
        if st.of_customer[c] < 0:
            absent += 0.5 + data.demand[c] / data.capacity
    first = first_level_cost(st.satellite_load, data.tours, data.truck_capacity, data.trucks, work)
    for s in range(m):
        if st.count[s] > 0:
            first += data.opening[s]
    total = second + first + fig[PENALTY] * absent
    fig[SECOND], fig[FIRST], fig[ABSENT], fig[TOTAL] = second, first, absent, total
    if absent == 0.0 and total < fig[BEST] - 1e-7:
        _note_best(st, total)
