from __future__ import annotations

from collections import namedtuple

import numpy as np
from numba import njit

from changtong.rural.first_level import JIT, NEVER, first_level_cost

Data = namedtuple(
    "Data",
    "cost handling demand near near_satellite tours least opening satellite_limit satellite_capacity zobrist number",
)
# number: [capacity2, fixed2, fleet2, capacity1, trucks]
State = namedtuple(
    "State",
    "stops length load cost satellite of_customer count satellite_load amount kept kept_length kept_load kept_cost"
    " kept_satellite touched rng removed best_stops best_length best_satellite pool_key pool_cost pool_seen pool_at"
    " pool_length pool_satellite pool_stops pool_count scratch stat",
)
SECOND, FIRST, ABSENT, BEST, PENALTY, TOTAL, BEST_ABSENT = 0, 1, 2, 3, 4, 5, 6


@njit(**JIT)
def _random(rng):
    rng[0] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(**JIT)
def _below(rng, n):
    return min(int(_random(rng) * n), n - 1)


@njit(**JIT)
def route_cost(d, m, s, stops, k):
    """Cost of a route without its fixed part or handling."""
    cost = d[s, stops[0]] + d[stops[k - 1], s]
    for i in range(1, k):
        cost += d[stops[i - 1], stops[i]]
    return cost


@njit(**JIT)
def _touch(st, r, touched):
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
def _cut(data, st, r, i, j):
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
def _drop_route(data, st, r, touched, gone):
    touched = _touch(st, r, touched)
    m = data.opening.shape[0]
    for p in range(st.length[r]):
        st.removed[gone] = st.stops[r, p] - m
        gone += 1
    _cut(data, st, r, 0, st.length[r])
    return touched, gone


@njit(**JIT)
def _remove_strings(data, st, seed, strings, longest, touched, gone):
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
        most = min(float(k), longest)
        size = int(1.0 + _random(rng) * most)
        size = min(size, k)
        at = 0
        while st.stops[r, at] != c + m:
            at += 1
        touched = _touch(st, r, touched)
        # split string: leave some inside the string where they are
        spare = 0
        if size > 1 and size < k and _random(rng) < 0.5:
            spare = 1
            while size + spare < k and _random(rng) > 0.01:
                spare += 1
                if spare >= k:
                    break
            spare = min(spare, k - size)
            # published: grows while a draw exceeds beta, so nearly always up; kept small here
            spare = 1 + _below(rng, spare)
        wide = size + spare
        low = max(0, at - wide + 1)
        high = min(at, k - wide)
        first = low + _below(rng, high - low + 1)
        if spare:
            skip = first + _below(rng, size + 1)
            for p in range(first, first + wide):
                if p < skip or p >= skip + spare:
                    st.removed[gone] = st.stops[r, p] - m
                    gone += 1
            if skip + spare < first + wide:
                _cut(data, st, r, skip + spare, first + wide)
            if skip > first:
                _cut(data, st, r, first, skip)
        else:
            for p in range(first, first + wide):
                st.removed[gone] = st.stops[r, p] - m
                gone += 1
            _cut(data, st, r, first, first + wide)
        taken += 1
    return touched, gone


@njit(**JIT)
def _best_turn(data, st, r, t):
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
def _move_route(data, st, r, t, at):
    """Serve a route from another satellite, beginning at the stop ``at``."""
    k = st.length[r]
    row = st.stops[r]
    for i in range(k):
        st.scratch[i] = row[(at + i) % k]
    for i in range(k):
        row[i] = st.scratch[i]
    s = st.satellite[r]
    st.count[s] -= 1
    st.satellite_load[s] -= st.load[r]
    if st.count[s] == 0:
        st.satellite_load[s] = 0.0
    st.satellite[r] = t
    st.count[t] += 1
    st.satellite_load[t] += st.load[r]


@njit(**JIT)
def _sort_removed(data, st, gone):
    rng = st.rng
    key = st.amount
    way = _below(rng, 11)
    for i in range(gone):
        c = st.removed[i]
        if way < 4:
            key[i] = _random(rng)
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
def _insert(data, st, c, open_cost, forbidden, touched):
    """Insert a customer where it costs least; positions are passed over at random now and then."""
    m = data.opening.shape[0]
    d = data.cost
    rng = st.rng
    q = data.demand[c]
    node = c + m
    capacity, fixed, fleet = data.number[0], data.number[1], int(data.number[2])
    eps = 1e-9 * capacity
    best = NEVER
    best_route, best_at, best_satellite = -1, 0, -1
    empty = -1
    routes = 0
    blink = int(np.log(1.0 - _random(rng)) * -99.5) + 1
    dc = d[node]
    for r in range(fleet):
        k = st.length[r]
        if k == 0:
            if empty < 0:
                empty = r
            continue
        routes += 1
        if st.load[r] + q > capacity + eps:
            continue
        s = st.satellite[r]
        if s == forbidden or st.satellite_load[s] + q > data.satellite_capacity[s]:
            continue
        extra_handling = data.handling[c, s]
        row = st.stops[r]
        before = s
        for p in range(k + 1):
            after = row[p] if p < k else s
            extra = dc[before] + dc[after] - d[before, after] + extra_handling
            before = after
            blink -= 1
            if blink <= 0:
                blink = int(np.log(1.0 - _random(rng)) * -99.5) + 1
                continue
            if extra < best:
                best = extra
                best_route = r
                best_at = p
    if empty >= 0:
        for s in range(m):
            if s == forbidden or st.count[s] >= data.satellite_limit[s]:
                continue
            if st.satellite_load[s] + q > data.satellite_capacity[s]:
                continue
            extra = 2.0 * dc[s] + fixed + data.handling[c, s]
            if st.count[s] == 0:
                extra += open_cost[s]
            if extra < best:
                best = extra
                best_route = empty
                best_at = 0
                best_satellite = s
    if best_route < 0:
        return touched, False
    r = best_route
    touched = _touch(st, r, touched)
    if best_satellite >= 0:
        st.satellite[r] = best_satellite
        st.count[best_satellite] += 1
    k = st.length[r]
    for p in range(k, best_at, -1):
        st.stops[r, p] = st.stops[r, p - 1]
    st.stops[r, best_at] = node
    st.length[r] = k + 1
    st.load[r] += q
    st.satellite_load[st.satellite[r]] += q
    st.of_customer[c] = r
    return touched, True


@njit(**JIT)
def _restore(data, st, touched):
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
def _pool_add(data, st, r, total):
    m = data.opening.shape[0]
    key = data.zobrist[st.satellite[r]]
    k = st.length[r]
    for p in range(k):
        key ^= data.zobrist[st.stops[r, p]]
    size = st.pool_key.shape[0]
    slot = np.int64(key & np.uint64(size - 1))
    while st.pool_length[slot] > 0 and st.pool_key[slot] != key:
        slot += 1
        if slot == size:
            slot = 0
    if st.pool_length[slot] == 0:
        if st.pool_count[0] * 4 > size * 3 or st.pool_count[1] + k > st.pool_stops.shape[0]:
            return
        st.pool_count[0] += 1
        st.pool_key[slot] = key
        st.pool_length[slot] = k
        st.pool_satellite[slot] = st.satellite[r]
        st.pool_at[slot] = st.pool_count[1]
        st.pool_count[1] += k
        st.pool_cost[slot] = NEVER
        st.pool_seen[slot] = NEVER
    if total < st.pool_seen[slot]:
        st.pool_seen[slot] = total
    if st.cost[r] < st.pool_cost[slot] - 1e-9:
        st.pool_cost[slot] = st.cost[r]
        at = st.pool_at[slot]
        for p in range(k):
            st.pool_stops[at + p] = st.stops[r, p]


@njit(**JIT)
def search(data, st, work, iterations, hot, cold, pool_share):
    """Run so many steps of simulated annealing, from temperature ``hot`` to ``cold``."""
    m = data.opening.shape[0]
    n = data.demand.shape[0]
    d = data.cost
    rng = st.rng
    capacity, fixed, fleet = data.number[0], data.number[1], int(data.number[2])
    val = st.stat
    old_load = np.zeros(m)
    open_cost = np.zeros(m)
    factor = (cold / hot) ** (1.0 / max(iterations, 1))
    temp = hot
    for it in range(iterations):
        temp *= factor
        touched = 0
        gone = 0
        mask = 0
        routes = 0
        for s in range(m):
            old_load[s] = st.satellite_load[s]
            if st.count[s] > 0:
                mask |= 1 << s
                routes += st.count[s]
        for c in range(n):
            if st.of_customer[c] < 0:
                st.removed[gone] = c
                gone += 1
        forbidden = -1
        eager = _random(rng) * 1.2
        for s in range(m):
            open_cost[s] = eager * (data.least[mask | 1 << s] - data.least[mask])
        pick = _random(rng)
        seed = _below(rng, n)
        average = (n - gone) / max(routes, 1)
        longest = min(10.0, average)
        if longest < 1.0:
            longest = 1.0
        many = 40.0 / (1.0 + longest) - 1.0
        strings = int(1.0 + _random(rng) * many)
        if m > 1 and pick < 0.06:
            r = st.of_customer[seed]
            if r >= 0:
                best = NEVER
                to = -1
                at = 0
                for t in range(m):
                    if t == st.satellite[r] or st.count[t] >= data.satellite_limit[t]:
                        continue
                    if st.satellite_load[t] + st.load[r] > data.satellite_capacity[t]:
                        continue
                    price, turn = _best_turn(data, st, r, t)
                    for p in range(st.length[r]):
                        price += data.handling[st.stops[r, p] - m, t]
                    if st.count[t] == 0:
                        price += open_cost[t]
                    price *= 0.8 + 0.4 * _random(rng)
                    if price < best:
                        best, to, at = price, t, turn
                if to >= 0:
                    touched = _touch(st, r, touched)
                    _move_route(data, st, r, to, at)
            if _random(rng) < 0.7:
                strings = min(strings, 3)
                touched, gone = _remove_strings(data, st, seed, strings, longest, touched, gone)
        elif m > 1 and pick < 0.065 and routes > 0:
            # close a satellite: its routes begin elsewhere, or its customers are served anew
            used = 0
            for s in range(m):
                if st.count[s] > 0:
                    used += 1
            if used > 1:
                which = _below(rng, used)
                forbidden = 0
                for s in range(m):
                    if st.count[s] > 0:
                        if which == 0:
                            forbidden = s
                            break
                        which -= 1
                turn_over = _random(rng) < 0.5
                for r in range(fleet):
                    if st.length[r] > 0 and st.satellite[r] == forbidden:
                        to = -1
                        at = 0
                        if turn_over:
                            best = NEVER
                            for t in range(m):
                                if t == forbidden or st.count[t] >= data.satellite_limit[t]:
                                    continue
                                if st.satellite_load[t] + st.load[r] > data.satellite_capacity[t]:
                                    continue
                                price, turn = _best_turn(data, st, r, t)
                                if st.count[t] == 0:
                                    price += open_cost[t]
                                if price < best:
                                    best, to, at = price, t, turn
                        if to >= 0:
                            touched = _touch(st, r, touched)
                            _move_route(data, st, r, to, at)
                        else:
                            touched, gone = _drop_route(data, st, r, touched, gone)
        elif m > 1 and pick < 0.07:
            # open a satellite: the routes that gain most begin there
            to = _below(rng, m)
            if st.count[to] == 0:
                open_cost[to] = 0.0
                want = 1 + _below(rng, 3)
                for _ in range(want):
                    best = NEVER
                    chosen = -1
                    at = 0
                    if st.count[to] >= data.satellite_limit[to]:
                        break
                    for r in range(fleet):
                        if st.length[r] == 0 or st.satellite[r] == to:
                            continue
                        if st.satellite_load[to] + st.load[r] > data.satellite_capacity[to]:
                            continue
                        price, turn = _best_turn(data, st, r, to)
                        price -= st.cost[r]
                        if price < best:
                            best, chosen, at = price, r, turn
                    if chosen < 0:
                        break
                    touched = _touch(st, chosen, touched)
                    _move_route(data, st, chosen, to, at)
                touched, gone = _remove_strings(data, st, seed, 2, longest, touched, gone)
        elif pick < 0.10:
            # whole routes beside one another
            want = 1 + _below(rng, 3)
            for a in range(-1, data.near.shape[1]):
                c = seed if a < 0 else data.near[seed, a]
                r = st.of_customer[c]
                if r >= 0:
                    touched, gone = _drop_route(data, st, r, touched, gone)
                    want -= 1
                    if want == 0 or gone > 30:
                        break
        else:
            touched, gone = _remove_strings(data, st, seed, strings, longest, touched, gone)
        _sort_removed(data, st, gone)
        absent = 0.0
        for i in range(gone):
            c = st.removed[i]
            touched, done = _insert(data, st, c, open_cost, forbidden, touched)
            if not done:
                absent += 0.5 + data.demand[c] / capacity
        second = val[SECOND]
        for i in range(touched):
            r = st.touched[i]
            second -= st.kept_cost[i]
            k = st.length[r]
            if k > 0:
                s = st.satellite[r]
                cost = route_cost(d, m, s, st.stops[r], k) + fixed
                for p in range(k):
                    cost += data.handling[st.stops[r, p] - m, s]
                st.cost[r] = cost
                second += cost
            else:
                st.cost[r] = 0.0
        limit = val[TOTAL] - temp * np.log(1.0 - _random(rng))
        now_mask = 0
        same = True
        for s in range(m):
            if st.count[s] > 0:
                now_mask |= 1 << s
            if abs(st.satellite_load[s] - old_load[s]) > 1e-7 * capacity:
                same = False
        penalty = val[PENALTY] * absent
        if same:
            first = val[FIRST]
        else:
            first = NEVER
            if second + penalty + data.least[now_mask] < limit:
                first = first_level_cost(st.satellite_load, data.tours, data.number[3], int(data.number[4]), work)
                for s in range(m):
                    if now_mask >> s & 1:
                        first += data.opening[s]
                val[8] += 1
        total = second + penalty + first
        if total < limit:
            val[SECOND], val[FIRST], val[ABSENT], val[TOTAL] = second, first, absent, total
            val[9] += 1
            better = False
            if absent == 0.0:
                if total < val[BEST] - 1e-7:
                    val[BEST] = total
                    better = True
                    st.best_length[:] = st.length
                    st.best_satellite[:] = st.satellite
                    for r in range(fleet):
                        k = st.length[r]
                        st.best_stops[r, :k] = st.stops[r, :k]
                if total < val[BEST] * (1.0 + pool_share):
                    for i in range(touched):
                        r = st.touched[i]
                        if st.length[r] > 0:
                            _pool_add(data, st, r, total)
        else:
            _restore(data, st, touched)
    return temp
