"""Bring the three levels of volumes into exact agreement; cut what does not fit."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.descent import add_tree_path, collect, is_drop, refresh
from changtong.flows.entries import NOTHING, close_slot, entry_volume, lowest_share, open_slot, served
from changtong.flows.pairs import best_exit, cheapest_entry
from changtong.flows.trees import FLAT, JIT
from changtong.flows.volumes import ROUND, TINY, USED

FEW_BAD = 8
"""Flagged destinations are looked up one by one where an origin has this many times as many pairs."""


@njit(**FLAT)
def assign_entries(lay, trees, volumes, origin_price):
    """Put each pair wholly on its cheapest entry, or leave it where the penalty is cheaper."""
    n_classes = volumes.penalty.shape[0]
    volumes.room[USED] = 0
    for o in range(lay.origin_site.shape[0]):
        k = lay.entry_ptr[o + 1] - lay.entry_ptr[o]
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            jb, best = cheapest_entry(lay, trees, o, lay.pair_d[p])
            best += origin_price[o]
            volumes.slot[p] = NOTHING
            s = p if volumes.steps.shape[0] > 1 else 0
            if volumes.pair[p] <= 0.0:
                continue
            if best < volumes.penalty[n_classes - 1]:
                volumes.slot[p] = -1 - jb
                continue
            for q in range(n_classes - 2, -1, -1):
                if best < volumes.penalty[q]:
                    x0 = open_slot(volumes, p, k)
                    if x0 >= 0:
                        volumes.mix[x0 + jb] = volumes.pair[p] * volumes.steps[s, q]
                        close_slot(volumes, p, k)
                    break


@njit(**FLAT)
def keep_open(lay, pool, trees, volumes, closed):
    """Move what took ways that are now shut to the cheapest entries; empty shut exits and paths.

    What still has a way stays where it is. ``trees`` must be priced; ``volumes.pair`` must be
    0 for pairs that no way joins.
    """
    for o in range(lay.origin_site.shape[0]):
        e0 = lay.entry_ptr[o]
        k = lay.entry_ptr[o + 1] - e0
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            d = lay.pair_d[p]
            s = volumes.slot[p]
            if volumes.pair[p] <= 0.0:
                volumes.slot[p] = NOTHING
            elif s == NOTHING:
                volumes.slot[p] = -1 - cheapest_entry(lay, trees, o, d)[0]
            elif s < 0:
                if trees.entry_cost[e0 - 1 - s] + trees.to_go[lay.entry_c[e0 - 1 - s], d] >= closed:
                    volumes.slot[p] = -1 - cheapest_entry(lay, trees, o, d)[0]
            else:
                for j in range(k):
                    if trees.entry_cost[e0 + j] + trees.to_go[lay.entry_c[e0 + j], d] >= closed:
                        jb = cheapest_entry(lay, trees, o, d)[0]
                        volumes.mix[s + jb] += volumes.mix[s + j]
                        volumes.mix[s + j] = 0.0
                close_slot(volumes, p, k)
    for d in range(lay.dest_site.shape[0]):
        if lay.split[d] < 0:
            continue
        for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
            for c in range(lay.core_site.shape[0]):
                if trees.dist[lay.exit_t[e], c] + trees.exit_cost[e] >= closed:
                    volumes.exit[c, lay.split[d] + e - lay.exit_ptr[d]] = 0.0
    for p in range(pool.count[0]):
        if pool.cost[p] >= closed or is_drop(pool, p):
            pool.flow[p] = 0.0


@njit(**FLAT)
def lost_penalty(volumes, p, left):
    """Return the penalty of ``left`` pieces of a pair unserved: the lowest class goes first."""
    total = 0.0
    n_classes = volumes.penalty.shape[0]
    s = p if volumes.steps.shape[0] > 1 else 0
    for q in range(n_classes - 1, -1, -1):
        below = volumes.steps[s, q - 1] if q > 0 else 0.0
        x = min(left, volumes.pair[p] * (volumes.steps[s, q] - below)) if q > 0 else left
        total += x * volumes.penalty[q]
        left -= x
        if left <= 0.0:
            break
    return total


@njit(**FLAT)
def find_unserved(lay, volumes, unserved):
    """Fill what each pair lacks, pieces a day; return the penalty of it."""
    total = 0.0
    for o in range(lay.origin_site.shape[0]):
        k = lay.entry_ptr[o + 1] - lay.entry_ptr[o]
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            unserved[p] = 0.0
            if volumes.slot[p] >= 0 or volumes.slot[p] == NOTHING:
                unserved[p] = max(0.0, volumes.pair[p] - served(volumes, p, k))
                total += lost_penalty(volumes, p, np.float64(unserved[p]))
    return total


@njit(**FLAT)
def usual_lowest(volumes):
    """Return the lowest class's share of a pair wholly served, 0 where pairs differ in their classes."""
    n = volumes.steps.shape[1]
    if volumes.steps.shape[0] > 1:
        return 0.0
    return max(0.0, 1.0 - np.float64(volumes.steps[0, n - 2])) if n > 1 else 1.0


@njit(**FLAT)
def enter(lo, hi, lay, rows, volumes, leg_flow, at_core, low):
    """Add up what origins ``lo`` … ``hi``-1 send into the core, by (core site, destination).

    ``low`` is what of it is of the lowest class beyond the usual share (:func:`usual_lowest`).
    Loads of entry legs and origins follow; these are the origins' own. Return the penalty of
    what is held.
    """
    lost = 0.0
    usual = usual_lowest(volumes)
    alike = volumes.steps.shape[0] == 1
    for o in range(lo, hi):
        e0 = lay.entry_ptr[o]
        k = lay.entry_ptr[o + 1] - e0
        sent = 0.0
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            s = volumes.slot[p]
            d = lay.pair_d[p]
            v = np.float64(volumes.pair[p])
            if s < 0 and s != NOTHING:
                at_core[lay.entry_c[e0 - 1 - s], d] += v
                if not alike:
                    low[lay.entry_c[e0 - 1 - s], d] += v * lowest_share(volumes, p, v)
                if lay.entry_arc[e0 - 1 - s] >= 0:
                    leg_flow[lay.entry_arc[e0 - 1 - s]] += v
                sent += v
                continue
            going = served(volumes, p, k)
            if s >= 0:
                beyond = lowest_share(volumes, p, going) - usual
                for j in range(k):
                    x = np.float64(volumes.mix[s + j])
                    if x > 0.0:
                        at_core[lay.entry_c[e0 + j], d] += x
                        low[lay.entry_c[e0 + j], d] += x * beyond
                        if lay.entry_arc[e0 + j] >= 0:
                            leg_flow[lay.entry_arc[e0 + j]] += x
            lost += lost_penalty(volumes, p, max(0.0, v - going))
            sent += going
        if lay.origin_row[o] >= 0:
            rows.table[lay.origin_row[o], 3] += sent
    return lost


@njit(**FLAT)
def _leave(lay, pool, trees, volumes, leg_flow, at_core, low, wanted):
    """Spread what enters the core over exit legs; add up what each pair of core sites is to carry."""
    n = lay.core_site.shape[0]
    for od in range(pool.most.shape[0]):
        pool.most[od] = 0.0
    usual = usual_lowest(volumes)
    for c in range(n):
        for d in range(lay.dest_site.shape[0]):
            e0 = lay.exit_ptr[d]
            s = lay.split[d]
            v = at_core[c, d]
            lowest = max(0.0, low[c, d] + usual * v)
            if s < 0:
                wanted[lay.exit_t[e0] * n + c] += v
                pool.most[lay.exit_t[e0] * n + c] += lowest
                if lay.exit_arc[e0] >= 0:
                    leg_flow[lay.exit_arc[e0]] += v
                continue
            held = 0.0
            m = lay.exit_ptr[d + 1] - e0
            for j in range(m):
                held += volumes.exit[c, s + j]
            if v <= 0.0:
                for j in range(m):
                    volumes.exit[c, s + j] = 0.0
                continue
            if held <= TINY:
                best = 0
                best_cost = np.inf
                for j in range(m):
                    x = trees.dist[lay.exit_t[e0 + j], c] + trees.exit_cost[e0 + j]
                    volumes.exit[c, s + j] = 0.0
                    if x < best_cost:
                        best_cost = x
                        best = j
                volumes.exit[c, s + best] = v
                held = np.float64(volumes.exit[c, s + best])
            for j in range(m):
                x = volumes.exit[c, s + j] * (v / held)
                volumes.exit[c, s + j] = x
                wanted[lay.exit_t[e0 + j] * n + c] += x
                pool.most[lay.exit_t[e0 + j] * n + c] += x / v * lowest
                leg_flow[lay.exit_arc[e0 + j]] += x


@njit(**FLAT)
def _spread(lay, pool, rows, trees, od, v):
    """Bring the flows of a pair of core sites to ``v`` in all: shares kept, nothing dropped too much."""
    n = lay.core_site.shape[0]
    held = 0.0
    gone = 0.0
    p = pool.first[od]
    while p >= 0:
        if is_drop(pool, p):
            gone = pool.flow[p]
        else:
            held += pool.flow[p]
        p = pool.following[p]
    if held + gone <= 0.0 and v <= 0.0:
        return
    gone = min(gone * v / (held + gone), pool.most[od]) if gone > 0.0 else 0.0
    if v > gone and held <= 0.0:
        p = refresh(lay, pool, rows, trees, od // n, od % n, True)
        if p >= 0 and is_drop(pool, p):
            p = add_tree_path(lay, pool, rows, trees, od // n, od % n, np.inf)
        if p < 0:
            return
        pool.flow[p] = held = v - gone
    p = pool.first[od]
    while p >= 0:
        if is_drop(pool, p):
            pool.flow[p] = gone
        elif held > 0.0:
            pool.flow[p] *= (v - gone) / held
        p = pool.following[p]


@njit(**JIT)
def settle_core(lay, pool, rows, trees, volumes, leg_flow, at_core, low, lost):
    """Recompute exits, path flows, leg flows, row loads and value from what enters the core.

    Shares among exits and among paths are kept; what has none yet takes the cheapest.
    ``lost`` is the penalty of what is held before the core.
    """
    wanted = np.zeros(pool.most.shape[0])
    _leave(lay, pool, trees, volumes, leg_flow, at_core, low, wanted)
    for od in range(wanted.shape[0]):
        _spread(lay, pool, rows, trees, od, wanted[od])
        p = pool.first[od]
        while p >= 0:
            x = pool.flow[p]
            if x > 0.0:
                for q in range(pool.start[p], pool.start[p] + pool.n_legs[p]):
                    leg_flow[pool.arena[q]] += x
            p = pool.following[p]
    for a in range(leg_flow.shape[0]):
        if leg_flow[a] > 0.0:
            lost += leg_flow[a] * trees.leg_cost[a]
            for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
                rows.table[lay.row_of[q], 3] += leg_flow[a]
    pool.value[0] = lost + dropped(pool) * pool.drop[0]


@njit(**FLAT)
def dropped(pool):
    """Return the pieces a day that are dropped between core sites."""
    total = 0.0
    for w in range(pool.count[2]):
        p = pool.first[pool.active[w]]
        while p >= 0:
            if is_drop(pool, p):
                total += pool.flow[p]
            p = pool.following[p]
    return total


@njit(**FLAT)
def _excess(rows, capacity, lay, arc):
    worst = 0.0
    if arc >= 0:
        for q in range(lay.row_ptr[arc], lay.row_ptr[arc + 1]):
            r = lay.row_of[q]
            worst = max(worst, rows.table[r, 3] - capacity[r])
    return worst


@njit(**FLAT)
def _path_excess(pool, rows, capacity, p):
    if is_drop(pool, p):
        return np.inf
    worst = 0.0
    s = pool.start[p] + pool.n_legs[p]
    for q in range(s, s + pool.n_rows[p]):
        worst = max(worst, rows.table[pool.arena[q], 3] - capacity[pool.arena[q]])
    return worst


@njit(**FLAT)
def _relieve(lay, pool, rows, arc, amount):
    if arc >= 0:
        for q in range(lay.row_ptr[arc], lay.row_ptr[arc + 1]):
            rows.table[lay.row_of[q], 3] -= amount


@njit(**FLAT)
def _flag(lay, pool, rows, capacity, paths_bad, at_bad):
    """Mark the pairs of core sites, then the (core site, destination)s, that overload a row."""
    n = lay.core_site.shape[0]
    for w in range(pool.count[2]):
        od = pool.active[w]
        p = pool.first[od]
        while p >= 0:
            if pool.flow[p] > 0.0 and _path_excess(pool, rows, capacity, p) > 0.0:
                paths_bad[od] = True
            p = pool.following[p]
    for d in range(lay.dest_site.shape[0]):
        for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
            bad = _excess(rows, capacity, lay, lay.exit_arc[e]) > 0.0
            for c in range(n):
                at_bad[c, d] = at_bad[c, d] or bad or paths_bad[lay.exit_t[e] * n + c]


@njit(**FLAT)
def _list_bad(at_bad, start, bad):
    """List the destinations flagged at each core site: those of ``c`` lie at start[c] … start[c + 1]."""
    m = 0
    for c in range(at_bad.shape[0]):
        start[c] = m
        for d in range(at_bad.shape[1]):
            if at_bad[c, d]:
                bad[m] = d
                m += 1
    start[at_bad.shape[0]] = m


@njit(**FLAT)
def _pair_of(lay, lo, hi, d):
    """Return the first of the pairs ``lo`` … ``hi``-1 with destination ``d`` or later, else ``hi``."""
    while lo < hi:
        middle = (lo + hi) // 2
        if lay.pair_d[middle] < d:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(**JIT)
def cut(lay, pool, rows, capacity, volumes, tolerance, kept):
    """Take volume out of service, pair by pair, until no row is above its capacity.

    The ``kept`` highest classes of a pair are left alone. Returns what was cut (pieces a
    day). Loads must be exact (``Pricing.reconcile``) before.
    """
    n = lay.core_site.shape[0]
    paths_bad = np.zeros(lay.exit_core.shape[0] * n, np.bool_)
    at_bad = np.zeros((n, lay.dest_site.shape[0]), np.bool_)
    limit = capacity * (1.0 + tolerance)
    _flag(lay, pool, rows, limit, paths_bad, at_bad)
    start = np.empty(n + 1, np.int64)
    bad = np.empty(np.sum(at_bad), np.int32)
    _list_bad(at_bad, start, bad)
    total = 0.0
    for o in range(lay.origin_site.shape[0] - 1, -1, -1):
        e0 = lay.entry_ptr[o]
        first, last = lay.pair_ptr[o], lay.pair_ptr[o + 1]
        own = lay.origin_row[o]
        own_bad = own >= 0 and rows.table[own, 3] > limit[own]
        for j in range(lay.entry_ptr[o + 1] - e0):
            c = lay.entry_c[e0 + j]
            entry_bad = own_bad or _excess(rows, limit, lay, lay.entry_arc[e0 + j]) > 0.0
            if entry_bad or FEW_BAD * (start[c + 1] - start[c]) > last - first:
                for p in range(first, last):
                    if entry_bad or _still_bad(lay, pool, rows, limit, volumes, at_bad, c, lay.pair_d[p]):
                        gone = _cut_pair(lay, pool, rows, limit, volumes, kept, o, j, p)
                        if gone < 0.0:
                            return total
                        total += gone
                continue
            p = first
            for w in range(start[c], start[c + 1]):
                if not at_bad[c, bad[w]]:
                    continue
                p = _pair_of(lay, p, last, bad[w])
                if p == last or lay.pair_d[p] != bad[w]:
                    continue
                if _still_bad(lay, pool, rows, limit, volumes, at_bad, c, bad[w]):
                    gone = _cut_pair(lay, pool, rows, limit, volumes, kept, o, j, p)
                    if gone < 0.0:
                        return total
                    total += gone
    return total


@njit(**FLAT)
def _still_bad(lay, pool, rows, limit, volumes, at_bad, c, d):
    """Return whether ways from core site ``c`` to ``d`` overload a row: loads fall, so once not is never."""
    if not at_bad[c, d]:
        return False
    s = lay.split[d]
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        if s >= 0 and volumes.exit[c, s + e - lay.exit_ptr[d]] <= 0.0:
            continue
        if _excess(rows, limit, lay, lay.exit_arc[e]) > 0.0:
            return True
        p = pool.first[lay.exit_t[e] * lay.core_site.shape[0] + c]
        while p >= 0:
            if pool.flow[p] > 0.0 and _path_excess(pool, rows, limit, p) > 0.0:
                return True
            p = pool.following[p]
    at_bad[c, d] = False
    return False


@njit(**FLAT)
def _cut_pair(lay, pool, rows, limit, volumes, kept, o, j, p):
    """Cut what a pair sends over entry option ``j``; return how much, -1 when there is no room for cells."""
    slot = volumes.slot[p]
    if (slot < 0 and slot != -1 - j) or entry_volume(volumes, p, j) <= 0.0:
        return 0.0
    e = lay.entry_ptr[o] + j
    k = lay.entry_ptr[o + 1] - lay.entry_ptr[o]
    most = np.inf
    if kept > 0:
        s = p if volumes.steps.shape[0] > 1 else 0
        most = served(volumes, p, k) - volumes.pair[p] * volumes.steps[s, kept - 1]
    if most <= 0.0:
        return 0.0
    x0 = open_slot(volumes, p, k)
    if x0 < 0:
        return -1.0
    gone = _cut_way(
        lay, pool, rows, limit, volumes, x0 + j, lay.entry_c[e], lay.pair_d[p], lay.entry_arc[e],
        lay.origin_row[o], most,
    )  # fmt: skip
    close_slot(volumes, p, k)
    return gone


@njit(**FLAT)
def _cut_way(lay, pool, rows, limit, volumes, x0, c, d, arc, own, most):
    n = lay.core_site.shape[0]
    gone = 0.0
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        s = lay.split[d]
        if s >= 0 and volumes.exit[c, s + e - lay.exit_ptr[d]] <= 0.0:
            continue
        p = pool.first[lay.exit_t[e] * n + c]
        while p >= 0:
            if pool.flow[p] > 0.0:
                over = max(
                    _path_excess(pool, rows, limit, p),
                    _excess(rows, limit, lay, arc),
                    _excess(rows, limit, lay, lay.exit_arc[e]),
                )
                if own >= 0:
                    over = max(over, rows.table[own, 3] - limit[own])
                x = min(over, np.float64(volumes.mix[x0]), pool.flow[p], most - gone)
                if s >= 0:
                    x = min(x, np.float64(volumes.exit[c, s + e - lay.exit_ptr[d]]))
                if x > 0.0:
                    volumes.mix[x0] = max(0.0, volumes.mix[x0] - x)
                    if s >= 0:
                        q = s + e - lay.exit_ptr[d]
                        volumes.exit[c, q] = max(0.0, volumes.exit[c, q] - x)
                    pool.flow[p] -= x
                    _relieve(lay, pool, rows, arc, x)
                    _relieve(lay, pool, rows, lay.exit_arc[e], x)
                    if own >= 0:
                        rows.table[own, 3] -= x
                    t = pool.start[p] + pool.n_legs[p]
                    for q in range(t, t + pool.n_rows[p]):
                        rows.table[pool.arena[q], 3] -= x
                    gone += x
            p = pool.following[p]
    return gone


@njit(**FLAT)
def compact(lay, pool, start, n_legs, n_rows, cost, flow, following, arena):
    """Copy the live paths into new arrays; return paths and arena cells in use."""
    m = 0
    used = 0
    for w in range(pool.count[2]):
        od = pool.active[w]
        p = pool.first[od]
        last = -1
        pool.first[od] = -1
        pool.best[od] = -1
        while p >= 0:
            size = max(0, pool.n_legs[p] + pool.n_rows[p])
            start[m] = used
            n_legs[m] = pool.n_legs[p]
            n_rows[m] = pool.n_rows[p]
            cost[m] = pool.cost[p]
            flow[m] = pool.flow[p]
            following[m] = -1
            for q in range(size):
                arena[used + q] = pool.arena[pool.start[p] + q]
            if last < 0:
                pool.first[od] = m
            else:
                following[last] = m
            last = m
            m += 1
            used += size
            p = pool.following[p]
    return m, used


@njit(**FLAT)
def recost(pool, leg_cost):
    """Recompute the cost of every path after the legs' costs changed."""
    for p in range(pool.count[0]):
        if is_drop(pool, p):
            pool.cost[p] = pool.drop[0]
            continue
        c = 0.0
        for q in range(pool.start[p], pool.start[p] + pool.n_legs[p]):
            c += leg_cost[pool.arena[q]]
        pool.cost[p] = c


@njit(**FLAT)
def insert(lacking, lay, pool, rows, capacity, trees, volumes, unserved, closed, buffer):
    """Serve what is unserved of the pairs ``lacking`` (ascending) over what is left of the capacities.

    ``trees`` must be priced so that full rows cost ``closed`` or more. Returns the
    pieces served; loads, volumes and ``unserved`` follow.
    """
    total = 0.0
    o = 0
    for w in range(lacking.shape[0]):
        pair = lacking[w]
        if unserved[pair] <= TINY:
            continue
        while lay.pair_ptr[o + 1] <= pair:
            o += 1
        d = lay.pair_d[pair]
        jb, best = cheapest_entry(lay, trees, o, d)
        if best >= closed:
            continue
        e0 = lay.entry_ptr[o]
        c = lay.entry_c[e0 + jb]
        e = best_exit(lay, trees, c, d)
        od = lay.exit_t[e] * lay.core_site.shape[0] + c
        if pool.seen[od] != pool.count[ROUND]:
            p = add_tree_path(lay, pool, rows, trees, lay.exit_t[e], c, np.inf)
            if p < 0:
                continue
            pool.seen[od], pool.best[od] = pool.count[ROUND], p
        p = pool.best[od]
        m = collect(lay, pool, lay.entry_arc[e0 + jb], p, lay.exit_arc[e], lay.origin_row[o], buffer)
        x = np.float64(unserved[pair])
        for q in range(m):
            x = min(x, capacity[buffer[q]] - rows.table[buffer[q], 3])
        if x <= TINY:
            continue
        k = lay.entry_ptr[o + 1] - e0
        x0 = open_slot(volumes, pair, k)
        if x0 < 0:
            return total
        for q in range(m):
            rows.table[buffer[q], 3] += x
        pool.flow[p] += x
        volumes.mix[x0 + jb] += x
        close_slot(volumes, pair, k)
        if lay.split[d] >= 0:
            volumes.exit[c, lay.split[d] + e - lay.exit_ptr[d]] += x
        unserved[pair] = max(0.0, unserved[pair] - x)
        total += x
    return total
