"""Kernels of single routes: what one step of the search does to the routes, and how it is taken back.

A step touches some routes. Each is kept as it was before its first change, so that a step that is not
accepted is undone at the cost of the routes it touched. Nodes are the satellites, 0 … m - 1, then the
customers, m … m + n - 1.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np
from numba import njit

from changtong.rural.first_level import JIT, NEVER

Data = namedtuple(
    "Data",
    "cost handling demand near near_satellite tours least opening satellite_limit satellite_capacity hash"
    " capacity fixed truck_capacity trucks",
)
"""What is given: ``cost[i, j]`` between nodes, ``handling[c, s]``, ``near[c]`` the customers near c, nearest
first, ``tours`` and ``least`` by set of satellites (:mod:`changtong.rural.first_level`), limits, 64 random
bits a node."""

Pool = namedtuple("Pool", "hash cost seen start length satellite stops count")
"""Routes met: hash, cost, the best plan each was met in, and their stops; ``count`` of routes and stops."""

State = namedtuple(
    "State",
    "stops length load cost satellite of_customer count satellite_load touched kept kept_length kept_load"
    " kept_cost kept_satellite removed amount turned open_cost rng best_stops best_length best_satellite pool"
    " figure",
)
"""The plan as it stands, what a step keeps to undo it, the best plan, and figures.

``of_customer`` is -1 for a customer no route visits; such a plan costs a penalty for each.
"""

SECOND, FIRST, ABSENT, TOTAL, BEST, PENALTY = range(6)
"""Figures: cost of both levels, how much is absent, all with the penalty, the best plan, the penalty."""

FIGURES = 6


@njit(**JIT)
def draw(rng):
    """Return a random number, 0 to 1: splitmix64 (Steele, Lea and Flood 2014)."""
    rng[0] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(**JIT)
def below(rng, n):
    """Return a random whole number below n."""
    return min(int(draw(rng) * n), n - 1)


@njit(**JIT)
def touch(st, r, touched):
    """Keep a route as it is, before its first change; return how many are kept."""
    for i in range(touched):
        if st.touched[i] == r:
            return touched
    st.touched[touched] = r
    k = st.length[r]
    st.kept_length[touched] = k
    st.kept[touched, :k] = st.stops[r, :k]
    st.kept_load[touched] = st.load[r]
    st.kept_cost[touched] = st.cost[r]
    st.kept_satellite[touched] = st.satellite[r]
    return touched + 1


@njit(**JIT)
def cut(data, st, r, i, j):
    """Take stops i … j - 1 out of a route."""
    m = data.opening.shape[0]
    s = st.satellite[r]
    q = 0.0
    for p in range(i, j):
        c = st.stops[r, p] - m
        st.of_customer[c] = -1
        q += data.demand[c]
    k = st.length[r]
    for p in range(j, k):
        st.stops[r, p - (j - i)] = st.stops[r, p]
    st.length[r] = k - (j - i)
    st.load[r] -= q
    st.satellite_load[s] -= q
    if st.length[r] == 0:
        st.load[r] = 0.0
        st.satellite[r] = -1
        st.count[s] -= 1
        if st.count[s] == 0:
            st.satellite_load[s] = 0.0


@njit(**JIT)
def drop_route(data, st, r, touched, gone):
    """Take all stops out of a route."""
    touched = touch(st, r, touched)
    m = data.opening.shape[0]
    for p in range(st.length[r]):
        st.removed[gone] = st.stops[r, p] - m
        gone += 1
    cut(data, st, r, 0, st.length[r])
    return touched, gone


@njit(**JIT)
def best_turn(data, st, r, t):
    """Cost of serving a route from another satellite, cut open at the best place, and that place."""
    d = data.cost
    k = st.length[r]
    row = st.stops[r]
    circle = d[row[k - 1], row[0]]
    for i in range(1, k):
        circle += d[row[i - 1], row[i]]
    best = NEVER
    at = 0
    for i in range(k):
        before = row[i - 1] if i > 0 else row[k - 1]
        extra = d[t, before] + d[t, row[i]] - d[before, row[i]]
        if extra < best:
            best = extra
            at = i
    return circle + best, at


@njit(**JIT)
def move_route(data, st, r, t, at):
    """Serve a route from another satellite, beginning at the stop ``at``."""
    k = st.length[r]
    row = st.stops[r]
    for i in range(k):
        st.turned[i] = row[(at + i) % k]
    for i in range(k):
        row[i] = st.turned[i]
    s = st.satellite[r]
    st.count[s] -= 1
    st.satellite_load[s] -= st.load[r]
    if st.count[s] == 0:
        st.satellite_load[s] = 0.0
    st.satellite[r] = t
    st.count[t] += 1
    st.satellite_load[t] += st.load[r]


@njit(**JIT)
def _until_blink(rng):
    """Return how many positions are looked at before one is passed over: one in a hundred is."""
    return int(np.log(1.0 - draw(rng)) * -99.5) + 1


@njit(**JIT)
def best_position(data, st, c, barred):
    """Return the cheapest place of a customer in a route: cost, route, position; route -1 for none.

    A position is passed over at random now and then (Christiaens and Vanden Berghe 2020).
    """
    m = data.opening.shape[0]
    d = data.cost
    q = data.demand[c]
    most = data.capacity * (1.0 + 1e-9)
    best, best_route, best_at = NEVER, -1, 0
    blink = _until_blink(st.rng)
    way = d[c + m]
    for r in range(st.length.shape[0]):
        k = st.length[r]
        if k == 0 or st.load[r] + q > most:
            continue
        s = st.satellite[r]
        if s == barred or st.satellite_load[s] + q > data.satellite_capacity[s]:
            continue
        row = st.stops[r]
        before = s
        for p in range(k + 1):
            after = row[p] if p < k else s
            extra = way[before] + way[after] - d[before, after] + data.handling[c, s]
            before = after
            blink -= 1
            if blink <= 0:
                blink = _until_blink(st.rng)
            elif extra < best:
                best, best_route, best_at = extra, r, p
    return best, best_route, best_at


@njit(**JIT)
def best_beginning(data, st, c, barred):
    """Return the satellite where a route of one customer costs least, and that cost."""
    m = data.opening.shape[0]
    q = data.demand[c]
    best, best_satellite = NEVER, -1
    for s in range(m):
        if s == barred or st.count[s] >= data.satellite_limit[s]:
            continue
        if st.satellite_load[s] + q > data.satellite_capacity[s]:
            continue
        extra = 2.0 * data.cost[c + m, s] + data.fixed + data.handling[c, s]
        if st.count[s] == 0:
            extra += st.open_cost[s]
        if extra < best:
            best, best_satellite = extra, s
    return best, best_satellite


@njit(**JIT)
def insert(data, st, c, barred, touched):
    """Insert a customer where it costs least; return the count of touched routes, and whether it could be."""
    m = data.opening.shape[0]
    q = data.demand[c]
    best, r, at = best_position(data, st, c, barred)
    empty = -1
    for i in range(st.length.shape[0]):
        if st.length[i] == 0:
            empty = i
            break
    s = -1
    if empty >= 0 and q <= data.capacity * (1.0 + 1e-9):
        alone, s = best_beginning(data, st, c, barred)
        if alone < best:
            r, at = empty, 0
        else:
            s = -1
    if r < 0:
        return touched, False
    touched = touch(st, r, touched)
    if s >= 0:
        st.satellite[r] = s
        st.count[s] += 1
    k = st.length[r]
    for p in range(k, at, -1):
        st.stops[r, p] = st.stops[r, p - 1]
    st.stops[r, at] = c + m
    st.length[r] = k + 1
    st.load[r] += q
    st.satellite_load[st.satellite[r]] += q
    st.of_customer[c] = r
    return touched, True


@njit(**JIT)
def price(data, st, r):
    """Return the cost of a route, with handling and its vehicle."""
    k = st.length[r]
    if k == 0:
        return 0.0
    m = data.opening.shape[0]
    s = st.satellite[r]
    row = st.stops[r]
    cost = data.fixed + data.cost[s, row[0]] + data.cost[row[k - 1], s] + data.handling[row[0] - m, s]
    for p in range(1, k):
        cost += data.cost[row[p - 1], row[p]] + data.handling[row[p] - m, s]
    return cost


@njit(**JIT)
def restore(data, st, touched):
    """Put the touched routes back as they were."""
    m = data.opening.shape[0]
    for i in range(touched):
        r = st.touched[i]
        s = st.satellite[r]
        if s >= 0:
            st.count[s] -= 1
            st.satellite_load[s] -= st.load[r]
        for p in range(st.length[r]):
            st.of_customer[st.stops[r, p] - m] = -1
    for i in range(touched):
        r = st.touched[i]
        k = st.kept_length[i]
        st.length[r] = k
        st.load[r] = st.kept_load[i]
        st.cost[r] = st.kept_cost[i]
        s = st.kept_satellite[i]
        st.satellite[r] = s
        if s >= 0:
            st.count[s] += 1
            st.satellite_load[s] += st.load[r]
        for p in range(k):
            st.stops[r, p] = st.kept[i, p]
            st.of_customer[st.stops[r, p] - m] = r
    for s in range(m):
        if st.count[s] == 0:
            st.satellite_load[s] = 0.0


@njit(**JIT)
def keep_route(data, st, r, total):
    """Put a route into the pool, with the cost of the plan it is met in."""
    pool = st.pool
    key = data.hash[st.satellite[r]]
    k = st.length[r]
    for p in range(k):
        key ^= data.hash[st.stops[r, p]]
    size = pool.hash.shape[0]
    slot = np.int64(key & np.uint64(size - 1))
    while pool.length[slot] > 0 and pool.hash[slot] != key:
        slot += 1
        if slot == size:
            slot = 0
    if pool.length[slot] == 0:
        if pool.count[0] * 4 > size * 3 or pool.count[1] + k > pool.stops.shape[0]:
            return
        pool.count[0] += 1
        pool.hash[slot] = key
        pool.length[slot] = k
        pool.satellite[slot] = st.satellite[r]
        pool.start[slot] = pool.count[1]
        pool.count[1] += k
        pool.cost[slot] = NEVER
        pool.seen[slot] = NEVER
    if total < pool.seen[slot]:
        pool.seen[slot] = total
    if st.cost[r] < pool.cost[slot] - 1e-9:
        pool.cost[slot] = st.cost[r]
        at = pool.start[slot]
        for p in range(k):
            pool.stops[at + p] = st.stops[r, p]
