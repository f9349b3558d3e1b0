"""The pass over all pairs: the lower bound, and the pairs worth a shift of their entry."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.descent import _path_cost, _shift, _slack, collect, is_drop, refresh, worst_path
from changtong.flows.entries import close_slot, entry_volume, lowest_share, open_slot, served
from changtong.flows.trees import FLAT, UNREACHED
from changtong.flows.volumes import TINY


@njit(**FLAT)
def to_go(lo, hi, lay, trees, column):
    """Fill ``trees.to_go[c, d]`` for core sites lo … hi-1: the cheapest way from c to destination d.

    ``column`` is scratch, one number an exit core.
    """
    for c in range(lo, hi):
        for k in range(column.shape[0]):
            column[k] = trees.dist[k, c]
        for d in range(lay.dest_site.shape[0]):
            best = UNREACHED
            for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
                best = min(best, column[lay.exit_t[e]] + trees.exit_cost[e])
            trees.to_go[c, d] = best


@njit(**FLAT)
def cheapest_entry(lay, trees, o, d):
    """Return the entry option of origin ``o`` that is cheapest for destination ``d``, and its cost."""
    e0 = lay.entry_ptr[o]
    best = trees.entry_cost[e0] + trees.to_go[lay.entry_c[e0], d]
    jb = 0
    for j in range(1, lay.entry_ptr[o + 1] - e0):
        x = trees.entry_cost[e0 + j] + trees.to_go[lay.entry_c[e0 + j], d]
        if x < best:
            best = x
            jb = j
    return jb, best


@njit(**FLAT)
def cheapest_entries(lay, trees, o, cost, option):
    """Fill the cheapest entry option of origin ``o`` and its cost for every destination."""
    e0 = lay.entry_ptr[o]
    row = trees.to_go[lay.entry_c[e0]]
    x = trees.entry_cost[e0]
    for d in range(cost.shape[0]):
        cost[d] = row[d] + x
        option[d] = 0
    for j in range(1, lay.entry_ptr[o + 1] - e0):
        row = trees.to_go[lay.entry_c[e0 + j]]
        x = trees.entry_cost[e0 + j]
        for d in range(cost.shape[0]):
            y = row[d] + x
            option[d] = j if y < cost[d] else option[d]
            cost[d] = min(y, cost[d])


@njit(**FLAT)
def scan_pairs(lo, hi, lay, trees, volumes, origin_price, tolerance, out, cost, option):
    """Price the pairs of origins ``lo`` … ``hi``-1.

    Returns the dual value (sum of pieces times the cheaper of way and penalty), and the
    number of pairs written to ``out``, as far as it holds them: those whose pieces are not
    on the cheapest way. ``cost`` and ``option`` are scratch, one number a destination.
    """
    value = 0.0
    found = 0
    top = volumes.penalty[volumes.penalty.shape[0] - 1]
    for o in range(lo, hi):
        first, last = lay.pair_ptr[o], lay.pair_ptr[o + 1]
        dense = 2 * (last - first) > cost.shape[0]
        if dense:
            cheapest_entries(lay, trees, o, cost, option)
        own = origin_price[o]
        for p in range(first, last):
            d = lay.pair_d[p]
            if dense:
                jb, best = option[d], cost[d] + own
            else:
                jb, best = cheapest_entry(lay, trees, o, d)
                best += own
            if best <= top:
                value += volumes.pair[p] * best
                if volumes.slot[p] == -1 - jb:
                    continue
            else:
                value += _capped(volumes, p, best)
            if found < out.shape[0] and _misplaced(lay, trees, volumes, p, o, d, jb, best, own, tolerance):
                out[found] = p
                found += 1
    return value, found


@njit(**FLAT)
def _capped(volumes, p, best):
    """Return the dual value of a pair whose way costs more than the lowest class's penalty."""
    s = p if volumes.steps.shape[0] > 1 else 0
    below = 0.0
    value = 0.0
    for q in range(volumes.penalty.shape[0]):
        part = volumes.steps[s, q] - below
        below = volumes.steps[s, q]
        value += volumes.pair[p] * part * min(best, volumes.penalty[q])
    return value


@njit(**FLAT)
def _misplaced(lay, trees, volumes, p, o, d, jb, best, own, tolerance):
    """Return whether a pair's pieces should move: to another entry, or in or out of service."""
    e0 = lay.entry_ptr[o]
    x0 = volumes.slot[p]
    v = np.float64(volumes.pair[p])
    going = 0.0
    for j in range(lay.entry_ptr[o + 1] - e0):
        x = entry_volume(volumes, p, j)
        if x > 0.0:
            going += x
            y = trees.entry_cost[e0 + j] + trees.to_go[lay.entry_c[e0 + j], d] + own
            if j != jb and y > best + tolerance:
                return True
            if x0 < 0:
                break
    s = p if volumes.steps.shape[0] > 1 else 0
    low = 0.0
    high = 0.0
    for q in range(volumes.penalty.shape[0]):
        if best < volumes.penalty[q] - tolerance:
            low = volumes.steps[s, q]
        if best < volumes.penalty[q] + tolerance:
            high = volumes.steps[s, q]
    return going > v * high * (1.0 + 1e-6) + TINY or going < v * low * (1.0 - 1e-6)


@njit(**FLAT)
def best_exit(lay, trees, c, d):
    best = lay.exit_ptr[d]
    best_cost = np.inf
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        x = trees.dist[lay.exit_t[e], c] + trees.exit_cost[e]
        if x < best_cost:
            best_cost = x
            best = e
    return best


@njit(**FLAT)
def _busy_exit(lay, trees, volumes, c, d):
    """The dearest exit with volume of (c, d)."""
    if lay.split[d] < 0:
        return lay.exit_ptr[d]
    worst = -1
    worst_cost = -1.0
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        if volumes.exit[c, lay.split[d] + e - lay.exit_ptr[d]] > TINY:
            x = trees.dist[lay.exit_t[e], c] + trees.exit_cost[e]
            if x > worst_cost:
                worst_cost = x
                worst = e
    return worst


@njit(**FLAT)
def _leg_cost(trees, arc):
    return trees.leg_cost[arc] if arc >= 0 else 0.0


@njit(**FLAT)
def _book(lay, pool, volumes, c, d, e, p, amount, low):
    """Add ``amount`` (may be negative), ``low`` of it lowest class, below the entry: exit and path."""
    if lay.split[d] >= 0:
        q = lay.split[d] + e - lay.exit_ptr[d]
        volumes.exit[c, q] = max(0.0, volumes.exit[c, q] + amount)
    pool.flow[p] = max(0.0, pool.flow[p] + amount)
    od = lay.exit_t[e] * lay.core_site.shape[0] + c
    pool.most[od] = max(0.0, pool.most[od] + low)


@njit(**FLAT)
def _held(lay, volumes, c, d, e):
    if lay.split[d] < 0:
        return np.inf
    return volumes.exit[c, lay.split[d] + e - lay.exit_ptr[d]]


@njit(**FLAT)
def _way_cost(rows, list_, m, base):
    for q in range(m):
        x = _slack(rows, list_[q])
        if x > 0.0:
            base += x
    return base


@njit(**FLAT)
def _arc_price(lay, rows, arc):
    x = 0.0
    if arc >= 0:
        for q in range(lay.row_ptr[arc], lay.row_ptr[arc + 1]):
            y = _slack(rows, lay.row_of[q])
            if y > 0.0:
                x += y
    return x


@njit(**FLAT)
def _live(lay, pool, rows, trees, e, d):
    """Cost at this moment of entry option e and on to destination d."""
    c = lay.entry_c[e]
    x = best_exit(lay, trees, c, d)
    p = refresh(lay, pool, rows, trees, lay.exit_t[x], c, False)
    if p < 0:
        return np.inf
    return (
        _path_cost(pool, rows, p)
        + _leg_cost(trees, lay.entry_arc[e])
        + _arc_price(lay, rows, lay.entry_arc[e])
        + _leg_cost(trees, lay.exit_arc[x])
        + _arc_price(lay, rows, lay.exit_arc[x])
    )


@njit(**FLAT)
def shift_pairs(chosen, lay, pool, rows, trees, volumes, a, b):
    """Shift the chosen pairs (ascending) to their cheapest entry, or in or out of service."""
    n = lay.core_site.shape[0]
    total = 0.0
    o = 0
    for w in range(chosen.shape[0]):
        pair = chosen[w]
        while lay.pair_ptr[o + 1] <= pair:
            o += 1
        d = lay.pair_d[pair]
        e0 = lay.entry_ptr[o]
        k = lay.entry_ptr[o + 1] - e0
        x0 = open_slot(volumes, pair, k)
        if x0 < 0:
            break
        jb = 0
        best = np.inf
        for j in range(k):
            x = trees.entry_cost[e0 + j] + trees.to_go[lay.entry_c[e0 + j], d]
            if x > 1e11:
                continue
            x = _live(lay, pool, rows, trees, e0 + j, d)
            if x < best:
                best = x
                jb = j
        c = lay.entry_c[e0 + jb]
        to_exit = best_exit(lay, trees, c, d)
        to = refresh(lay, pool, rows, trees, lay.exit_t[to_exit], c, False)
        if to >= 0 and is_drop(pool, to):
            to = -1
        m_b = 0
        cost_b = UNREACHED
        if to >= 0:
            m_b = collect(lay, pool, lay.entry_arc[e0 + jb], to, lay.exit_arc[to_exit], lay.origin_row[o], b)
            cost_b = (
                pool.cost[to]
                + _leg_cost(trees, lay.entry_arc[e0 + jb])
                + _leg_cost(trees, lay.exit_arc[to_exit])
            )
            low = lowest_share(volumes, pair, served(volumes, pair, k))
            for j in range(k):
                if j == jb:
                    continue
                other = lay.entry_c[e0 + j]
                for _ in range(3):
                    if volumes.mix[x0 + j] <= TINY:
                        break
                    e = _busy_exit(lay, trees, volumes, other, d)
                    if e < 0:
                        break
                    p = worst_path(pool, rows, lay.exit_t[e] * n + other)
                    if p < 0:
                        break
                    m_a = collect(lay, pool, lay.entry_arc[e0 + j], p, lay.exit_arc[e], lay.origin_row[o], a)
                    limit = min(volumes.mix[x0 + j], pool.flow[p], _held(lay, volumes, other, d, e))
                    base = (
                        pool.cost[p]
                        + _leg_cost(trees, lay.entry_arc[e0 + j])
                        + _leg_cost(trees, lay.exit_arc[e])
                        - cost_b
                    )
                    moved = _shift(rows, pool, base, a, m_a, b, m_b, limit)
                    if moved <= 0.0:
                        break
                    volumes.mix[x0 + j] -= moved
                    volumes.mix[x0 + jb] += moved
                    _book(lay, pool, volumes, other, d, e, p, -moved, -moved * low)
                    _book(lay, pool, volumes, c, d, to_exit, to, moved, moved * low)
                    total += moved
                    if moved < limit:
                        break
        total += _serve(
            lay, pool, rows, trees, volumes, pair, o, x0, k, jb, c, d, to_exit, to, m_b, cost_b, a, b
        )
        close_slot(volumes, pair, k)
    return total


@njit(**FLAT)
def _serve(lay, pool, rows, trees, volumes, pair, o, x0, k, jb, c, d, to_exit, to, m_b, cost_b, a, b):
    """Serve more of a pair, or less, as its way's cost compares with the penalty."""
    n = lay.core_site.shape[0]
    e0 = lay.entry_ptr[o]
    v = volumes.pair[pair]
    s = pair if volumes.steps.shape[0] > 1 else 0
    n_classes = volumes.penalty.shape[0]
    going = served(volumes, pair, k)
    if to >= 0:
        q = 0
        while q < n_classes and going >= v * volumes.steps[s, q] * (1.0 - 1e-6) - TINY:
            q += 1
        if q < n_classes and _way_cost(rows, b, m_b, cost_b) < volumes.penalty[q]:
            limit = v * volumes.steps[s, q] - going
            moved = _shift(rows, pool, volumes.penalty[q] - cost_b, a, 0, b, m_b, limit)
            volumes.mix[x0 + jb] += moved
            _book(lay, pool, volumes, c, d, to_exit, to, moved, moved if q == n_classes - 1 else 0.0)
            return moved
    q = n_classes - 1
    while q > 0 and going <= v * volumes.steps[s, q - 1] * (1.0 + 1e-6) + TINY:
        q -= 1
    floor = v * volumes.steps[s, q - 1] if q > 0 else 0.0
    for j in range(k):
        if volumes.mix[x0 + j] <= TINY:
            continue
        other = lay.entry_c[e0 + j]
        e = _busy_exit(lay, trees, volumes, other, d)
        if e < 0:
            continue
        p = worst_path(pool, rows, lay.exit_t[e] * n + other)
        if p < 0:
            continue
        m_a = collect(lay, pool, lay.entry_arc[e0 + j], p, lay.exit_arc[e], lay.origin_row[o], a)
        base = (
            pool.cost[p]
            + _leg_cost(trees, lay.entry_arc[e0 + j])
            + _leg_cost(trees, lay.exit_arc[e])
            - volumes.penalty[q]
        )
        limit = min(volumes.mix[x0 + j], pool.flow[p], _held(lay, volumes, other, d, e), going - floor)
        if limit <= 0.0:
            continue
        moved = _shift(rows, pool, base, a, m_a, b, 0, limit)
        if moved > 0.0:
            volumes.mix[x0 + j] -= moved
            _book(lay, pool, volumes, other, d, e, p, -moved, -moved if q == n_classes - 1 else 0.0)
            return moved
    return 0.0


@njit(**FLAT)
def find_cut_off(lay, trees, closed, out):
    """Mark the pairs no way joins: every way needs a closed leg, or there is none."""
    for o in range(lay.origin_site.shape[0]):
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            out[p] = cheapest_entry(lay, trees, o, lay.pair_d[p])[1] >= closed
