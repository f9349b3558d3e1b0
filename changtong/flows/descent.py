"""Block coordinate descent on the augmented Lagrangian: Newton shifts between two ways.

Volumes live on three levels: pair -> entry leg, (core site, destination) -> exit leg,
(core site, exit core) -> path. A shift moves volume from a dearer way to the cheapest
one by a Newton step on the rows in which the two differ, and changes their loads at
once (gradient projection: Bertsekas and Gafni 1983, Jayakrishnan et al. 1994).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.flows.volumes import ARENA_USED, FULL, N_ACTIVE, N_PATHS, ROUND, STAMP, TINY


@njit(**FLAT)
def _slack(rows, r):
    return rows.table[r, 1] + rows.table[r, 2] * (rows.table[r, 3] - rows.table[r, 0])


@njit(**FLAT)
def _path_cost(pool, rows, p):
    c = pool.cost[p]
    s = pool.start[p] + pool.n_legs[p]
    for q in range(s, s + pool.n_rows[p]):
        x = _slack(rows, pool.arena[q])
        if x > 0.0:
            c += x
    return c


@njit(**FLAT)
def refresh(lay, pool, rows, trees, k, c, again):
    """Return the cheapest path from core site ``c`` to exit core ``k``, -1 if none.

    Prices are those of this moment; the tree's path joins the pool when it is cheaper.
    """
    od = k * lay.core_site.shape[0] + c
    best = -1
    best_cost = np.inf
    p = pool.first[od]
    settled = pool.seen[od] == pool.count[ROUND]
    if settled and p >= 0 and (pool.following[p] < 0 or not again):
        return pool.best[od]
    may_drop = pool.most[od] > TINY
    while p >= 0:
        if is_drop(pool, p):
            may_drop = False  # there is one already
            if pool.flow[p] >= pool.most[od] - TINY:
                p = pool.following[p]
                continue
        x = _path_cost(pool, rows, p)
        if x < best_cost:
            best_cost = x
            best = p
        p = pool.following[p]
    if pool.seen[od] != pool.count[ROUND] or best < 0:
        pool.seen[od] = pool.count[ROUND]
        fresh = add_tree_path(lay, pool, rows, trees, k, c, best_cost)
        if fresh >= 0:
            best = fresh
            best_cost = _path_cost(pool, rows, fresh)
        if best >= 0 and may_drop and best_cost > pool.drop[0]:
            fresh = _add_drop(pool, od)
            if fresh >= 0:
                best = fresh
    pool.best[od] = best
    return best


@njit(**FLAT)
def is_drop(pool, p):
    """Return whether a path stands for pieces not sent at all."""
    return pool.n_rows[p] < 0


@njit(**FLAT)
def _add_drop(pool, od):
    p = pool.count[N_PATHS]
    if p >= pool.start.shape[0]:
        pool.count[FULL] = 1
        return -1
    pool.count[N_PATHS] += 1
    pool.start[p] = 0
    pool.n_legs[p] = 0
    pool.n_rows[p] = -1
    pool.cost[p] = pool.drop[0]
    pool.flow[p] = 0.0
    pool.following[p] = pool.first[od]
    pool.first[od] = p
    return p


@njit(**FLAT)
def add_tree_path(lay, pool, rows, trees, k, c, best_cost):
    t = lay.exit_core[k]
    cost = 0.0
    priced = 0.0
    n_legs = 0
    n_rows = 0
    i = c
    while i != t:
        a = trees.nxt[k, i]
        if a < 0:
            return -1
        cost += trees.leg_cost[a]
        n_legs += 1
        for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
            x = _slack(rows, lay.row_of[q])
            if x > 0.0:
                priced += x
            n_rows += 1
        i = lay.arc_core_head[a]
    if cost + priced >= best_cost * (1.0 - 1e-9):
        return -1
    p = pool.count[N_PATHS]
    s = pool.count[ARENA_USED]
    if p >= pool.start.shape[0] or s + n_legs + n_rows > pool.arena.shape[0]:
        pool.count[FULL] = 1
        return -1
    pool.count[N_PATHS] += 1
    pool.count[ARENA_USED] += n_legs + n_rows
    pool.start[p] = s
    pool.n_legs[p] = n_legs
    pool.n_rows[p] = n_rows
    pool.cost[p] = cost
    pool.flow[p] = 0.0
    r = s + n_legs
    i = c
    while i != t:
        a = trees.nxt[k, i]
        pool.arena[s] = a
        s += 1
        for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
            pool.arena[r] = lay.row_of[q]
            r += 1
        i = lay.arc_core_head[a]
    od = k * lay.core_site.shape[0] + c
    if pool.first[od] < 0:
        pool.active[pool.count[N_ACTIVE]] = od
        pool.count[N_ACTIVE] += 1
    pool.following[p] = pool.first[od]
    pool.first[od] = p
    return p


@njit(**FLAT)
def collect(lay, pool, entry_arc, p, exit_arc, origin_row, out):
    """Write the rows of a way (entry leg, path, exit leg) to ``out``; return how many."""
    m = 0
    if origin_row >= 0:
        out[m] = origin_row
        m += 1
    if entry_arc >= 0:
        for q in range(lay.row_ptr[entry_arc], lay.row_ptr[entry_arc + 1]):
            out[m] = lay.row_of[q]
            m += 1
    if p >= 0:
        s = pool.start[p] + pool.n_legs[p]
        for q in range(s, s + pool.n_rows[p]):
            out[m] = pool.arena[q]
            m += 1
    if exit_arc >= 0:
        for q in range(lay.row_ptr[exit_arc], lay.row_ptr[exit_arc + 1]):
            out[m] = lay.row_of[q]
            m += 1
    return m


@njit(**FLAT)
def _shift(rows, pool, base, a, m_a, b, m_b, limit):
    """Move up to ``limit`` from rows ``a`` to rows ``b``; ``base`` is cost a - cost b.

    Return the volume moved; loads and value follow. Nothing moves when b is not cheaper.
    """
    pool.count[STAMP] += 1
    mark = pool.count[STAMP]
    for q in range(m_b):
        rows.stamp[b[q]] = mark
    gain = base
    bend = 0.0
    for q in range(m_a):
        r = a[q]
        if rows.stamp[r] == mark:
            rows.stamp[r] = -mark
            continue
        x = _slack(rows, r)
        if x > 0.0:
            gain += x
            bend += rows.table[r, 2]
    for q in range(m_b):
        r = b[q]
        if rows.stamp[r] == mark:
            x = _slack(rows, r)
            if x > 0.0:
                gain -= x
            if x + rows.table[r, 2] * limit > 0.0:
                bend += rows.table[r, 2]
    if gain <= 0.0:
        return 0.0
    moved = limit
    if bend > 0.0 and gain < bend * limit:
        moved = gain / bend
    if moved > limit * (1.0 - 1e-7):
        moved = limit
    pool.value[0] -= moved * base
    for q in range(m_a):
        if rows.stamp[a[q]] != -mark:
            rows.table[a[q], 3] -= moved
    for q in range(m_b):
        if rows.stamp[b[q]] == mark:
            rows.table[b[q], 3] += moved
    return moved


@njit(**FLAT)
def ask_back(lay, pool, rows, trees, od, p, b):
    """Send what drop path ``p`` holds beyond the lowest classes on the way; return the pieces.

    Pairs that leave take their lowest class with them: what is dropped may then be too much.
    """
    n = lay.core_site.shape[0]
    x = pool.flow[p] - pool.most[od]
    to = -1
    least = np.inf
    q = pool.first[od]
    while q >= 0:
        if not is_drop(pool, q):
            y = _path_cost(pool, rows, q)
            if y < least:
                least = y
                to = q
        q = pool.following[q]
    if to < 0:
        to = add_tree_path(lay, pool, rows, trees, od // n, od % n, np.inf)
        if to < 0:
            return 0.0
    for q in range(collect(lay, pool, -1, to, -1, -1, b)):
        rows.table[b[q], 3] += x
    pool.value[0] += x * (pool.cost[to] - pool.cost[p])
    pool.flow[p] -= x
    pool.flow[to] += x
    return x


@njit(**FLAT)
def sweep_paths(lay, pool, rows, trees, a, b):
    """Shift every (core site, exit core) towards its cheapest path; drop empty paths."""
    n = lay.core_site.shape[0]
    total = 0.0
    for w in range(pool.count[N_ACTIVE]):
        od = pool.active[w]
        p = pool.first[od]
        settled = pool.seen[od] == pool.count[ROUND]
        if settled and pool.following[p] < 0 and not is_drop(pool, p):
            continue
        volume = 0.0
        while p >= 0:
            volume += pool.flow[p]
            if is_drop(pool, p) and pool.flow[p] > pool.most[od] + TINY:
                total += ask_back(lay, pool, rows, trees, od, p, b)
            p = pool.following[p]
        if volume <= 0.0:
            continue
        best = refresh(lay, pool, rows, trees, od // n, od % n, True)
        if best < 0:
            continue
        m_b = collect(lay, pool, -1, best, -1, -1, b)
        previous = -1
        p = pool.first[od]
        while p >= 0:
            after = pool.following[p]
            if p != best and pool.flow[p] <= 0.0:
                if previous < 0:
                    pool.first[od] = after
                else:
                    pool.following[previous] = after
                p = after
                continue
            if p != best:
                m_a = collect(lay, pool, -1, p, -1, -1, a)
                limit = pool.flow[p]
                if is_drop(pool, best):
                    limit = min(limit, pool.most[od] - pool.flow[best])
                if limit <= 0.0:
                    previous = p
                    p = after
                    continue
                moved = _shift(rows, pool, pool.cost[p] - pool.cost[best], a, m_a, b, m_b, limit)
                pool.flow[p] -= moved
                pool.flow[best] += moved
                total += moved
            previous = p
            p = after
    return total


@njit(**FLAT)
def low_share(pool, od):
    """Return the share of lowest classes in what goes from a core site to an exit core."""
    volume = 0.0
    p = pool.first[od]
    while p >= 0:
        volume += pool.flow[p]
        p = pool.following[p]
    return min(1.0, pool.most[od] / volume) if volume > 0.0 else 0.0


@njit(**FLAT)
def worst_path(pool, rows, od):
    """Return the dearest path with flow, -1 when the pair of core sites has none."""
    worst = -1
    worst_cost = -1.0
    p = pool.first[od]
    if p >= 0 and pool.following[p] < 0:
        return p if pool.flow[p] > 0.0 else -1
    while p >= 0:
        if pool.flow[p] > 0.0:
            x = _path_cost(pool, rows, p)
            if x > worst_cost:
                worst_cost = x
                worst = p
        p = pool.following[p]
    return worst


@njit(**FLAT)
def sweep_exits(lay, pool, rows, trees, volumes, a, b):
    """Shift every (core site, destination) towards its cheapest exit leg."""
    n = lay.core_site.shape[0]
    total = 0.0
    for c in range(n):
        for d in range(lay.dest_site.shape[0]):
            s = lay.split[d]
            if s < 0:
                continue
            e0 = lay.exit_ptr[d]
            n_exits = lay.exit_ptr[d + 1] - e0
            best = -1
            best_cost = np.inf
            busy = 0
            for j in range(n_exits):
                x = trees.dist[lay.exit_t[e0 + j], c] + trees.exit_cost[e0 + j]
                if x < best_cost:
                    best_cost = x
                    best = j
                if volumes.exit[c, s + j] > TINY:
                    busy += 1
            if busy == 0 or (busy == 1 and volumes.exit[c, s + best] > TINY):
                continue
            to = refresh(lay, pool, rows, trees, lay.exit_t[e0 + best], c, False)
            if to < 0 or is_drop(pool, to):
                continue
            m_b = collect(lay, pool, -1, to, lay.exit_arc[e0 + best], -1, b)
            cost_b = pool.cost[to] + trees.leg_cost[lay.exit_arc[e0 + best]]
            for j in range(n_exits):
                if j == best or volumes.exit[c, s + j] <= TINY:
                    continue
                od = lay.exit_t[e0 + j] * n + c
                for _ in range(4):
                    p = worst_path(pool, rows, od)
                    if p < 0:
                        break
                    m_a = collect(lay, pool, -1, p, lay.exit_arc[e0 + j], -1, a)
                    limit = min(volumes.exit[c, s + j], pool.flow[p])
                    base = pool.cost[p] + trees.leg_cost[lay.exit_arc[e0 + j]] - cost_b
                    low = low_share(pool, od)
                    moved = _shift(rows, pool, base, a, m_a, b, m_b, limit)
                    if moved <= 0.0:
                        break
                    pool.most[od] -= moved * low
                    pool.most[lay.exit_t[e0 + best] * n + c] += moved * low
                    volumes.exit[c, s + j] -= moved
                    volumes.exit[c, s + best] += moved
                    pool.flow[p] -= moved
                    pool.flow[to] += moved
                    total += moved
                    if moved < limit or volumes.exit[c, s + j] <= TINY:
                        break
    return total
