"""Kernels of the sort plan: one in-tree for each destination, improved one by one.

For a destination, every core site has one next leg and every leaf origin one entry leg.
A sweep takes each destination's pieces off the network, finds its cheapest in-tree at the
prices of this moment, and puts the pieces back (block coordinate descent on the
augmented Lagrangian, as for the flow, but with whole trees).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.planning.trees import FLAT, UNREACHED

HELD = 255
CLOSED = 1e12
"""As in flow: the cost of a leg that may not be used."""


@njit(**FLAT)
def _leg_price(lay, table, leg_cost, a, extra):
    """Price of leg ``a`` at the load it would have with ``extra`` pieces more."""
    c = leg_cost[a]
    for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
        r = lay.row_of[q]
        x = table[r, 1] + table[r, 2] * (table[r, 3] + extra - table[r, 0])
        if x > 0.0:
            c += x
    return c


@njit(**FLAT)
def _tree(lay, d, table, leg_cost, stay, stay_cost, through, dist, nxt, heap, pos):
    """Dijkstra from the exits of destination ``d`` back over the core, priced as it goes.

    ``stay[c]`` is the leg in force at core site c: any other costs ``stay_cost`` more.
    ``through[c]`` is what passed c for this destination before: prices count it in.
    """
    n = dist.shape[0]
    for i in range(n):
        dist[i] = UNREACHED
        nxt[i] = -1
        pos[i] = -1
    m = 0
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        t = lay.exit_core[lay.exit_t[e]]
        a = lay.exit_arc[e]
        x = 0.0
        if a >= 0:
            x = _leg_price(lay, table, leg_cost, a, through[t])
            if stay[t] != a:
                x += stay_cost
        if x < dist[t]:
            dist[t] = x
            nxt[t] = a
            if pos[t] < 0:
                pos[t] = m
                heap[m] = t
                m += 1
    for j in range(m):
        _rise(heap, pos, dist, j)
    home = lay.dest_site[d]
    while m > 0:
        i = heap[0]
        m -= 1
        pos[i] = -2
        if m > 0:
            heap[0] = heap[m]
            pos[heap[0]] = 0
            _sink(heap, pos, dist, m)
        if lay.core_site[i] != home and not lay.passes[i]:
            continue
        di = dist[i]
        for q in range(lay.in_ptr[i], lay.in_ptr[i + 1]):
            u = lay.in_tail[q]
            if pos[u] == -2:
                continue
            a = lay.in_arc[q]
            if di + leg_cost[a] >= dist[u]:
                continue
            x = di + _leg_price(lay, table, leg_cost, a, through[u])
            if stay[u] != a:
                x += stay_cost
            if x < dist[u]:
                dist[u] = x
                nxt[u] = a
                if pos[u] < 0:
                    pos[u] = m
                    heap[m] = u
                    m += 1
                _rise(heap, pos, dist, pos[u])


@njit(**FLAT)
def _rise(heap, pos, dist, p):
    x = heap[p]
    d = dist[x]
    while p > 0:
        f = (p - 1) >> 2
        if dist[heap[f]] <= d:
            break
        heap[p] = heap[f]
        pos[heap[p]] = p
        p = f
    heap[p] = x
    pos[x] = p


@njit(**FLAT)
def _sink(heap, pos, dist, m):
    x = heap[0]
    d = dist[x]
    j = 0
    while True:
        c = 4 * j + 1
        if c >= m:
            break
        b = c
        for k in range(c + 1, min(c + 4, m)):
            if dist[heap[k]] < dist[heap[b]]:
                b = k
        if dist[heap[b]] >= d:
            break
        heap[j] = heap[b]
        pos[heap[j]] = j
        j = b
    heap[j] = x
    pos[x] = j


@njit(**FLAT)
def _load_row(table, r, x):
    """Add ``x`` to a row; return the change of its penalty term."""
    old = max(0.0, table[r, 1] + table[r, 2] * (table[r, 3] - table[r, 0]))
    table[r, 3] += x
    if table[r, 2] <= 0.0:
        return table[r, 1] * x
    new = max(0.0, table[r, 1] + table[r, 2] * (table[r, 3] - table[r, 0]))
    return (new * new - old * old) / (2.0 * table[r, 2])


@njit(**FLAT)
def _load_leg(lay, table, leg_cost, leg_flow, a, x):
    """Add ``x`` pieces to a leg; return the change of cost and penalty terms."""
    leg_flow[a] += x
    total = leg_cost[a] * x
    for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
        total += _load_row(table, lay.row_of[q], x)
    return total


@njit(**FLAT)
def push(lay, nxt, at, order, pending, table, leg_cost, leg_flow, sign):
    """Send ``at[c]`` pieces down the tree ``nxt``; ``at`` becomes what passes each site.

    ``order`` and ``pending`` are scratch. Pieces flow in order of the tree: a site is
    done when all that flow into it are. Returns the change of cost and penalty terms.
    """
    n = nxt.shape[0]
    total = 0.0
    for i in range(n):
        pending[i] = 0
    for i in range(n):
        if nxt[i] >= 0:
            h = lay.arc_core_head[nxt[i]]
            if h >= 0:
                pending[h] += 1
    m = 0
    for i in range(n):
        if pending[i] == 0:
            order[m] = i
            m += 1
    q = 0
    while q < m:
        i = order[q]
        q += 1
        a = nxt[i]
        if a < 0:
            continue
        h = lay.arc_core_head[a]
        if at[i] > 0.0:
            total += _load_leg(lay, table, leg_cost, leg_flow, a, sign * at[i])
            if h >= 0:
                at[h] += at[i]
        if h >= 0:
            pending[h] -= 1
            if pending[h] == 0:
                order[m] = h
                m += 1
    return total


@njit(**FLAT)
def _sent(volume, hold, floor, p):
    """Pieces of a pair that go: all, or only those of the classes that are never held."""
    if hold[p]:
        return volume[p] * floor[p if floor.shape[0] > 1 else 0]
    return np.float64(volume[p])


@njit(**FLAT)
def _gather(
    lay, d, by_dest, pair_origin, volume, choice, hold, floor, at, table, leg_cost, leg_flow, sign, penalty
):
    """Put the pieces for ``d`` on their entry legs and into ``at``; return the change of terms."""
    total = 0.0
    for i in range(at.shape[0]):
        at[i] = 0.0
    for w in range(by_dest[0][d], by_dest[0][d + 1]):
        p = by_dest[1][w]
        if choice[p] == HELD:
            continue
        x = _sent(volume, hold, floor, p)
        total += sign * (volume[p] - x) * penalty
        o = pair_origin[w]
        e = lay.entry_ptr[o] + choice[p]
        at[lay.entry_c[e]] += x
        if lay.entry_arc[e] >= 0:
            total += _load_leg(lay, table, leg_cost, leg_flow, lay.entry_arc[e], sign * x)
        if lay.origin_row[o] >= 0:
            total += _load_row(table, lay.origin_row[o], sign * x)
    return total


@njit(**FLAT)
def sweep_trees(
    dests,
    lay,
    by_dest,
    pair_origin,
    volume,
    choice,
    hold,
    floor,
    trees,
    stay,
    stay_choice,
    stay_cost,
    table,
    leg_cost,
    leg_flow,
    penalty,
    placed,
    scratch,
):
    """Re-plan each destination of ``dests`` in turn; keep the old tree where the new is worse.

    ``trees[d, c]`` and ``choice[pair]`` are read (when ``placed``) and written;
    A second try counts in what the first would have brought together. Returns how many kept
    their tree.
    """
    dist, at, heap, pos, order, pending, old_next, old_choice, old_hold = scratch
    kept = 0
    for w in range(dests.shape[0]):
        d = dests[w]
        nxt = trees[d]
        first = by_dest[0][d]
        common = (lay, d, by_dest, pair_origin, volume, choice, hold, floor, at, table, leg_cost, leg_flow)
        flow = (table, leg_cost, leg_flow)
        at[:] = 0.0
        before = np.inf
        if placed:
            before = -_gather(*common, -1.0, penalty)
            before -= push(lay, nxt, at, order, pending, *flow, -1.0)
            for i in range(nxt.shape[0]):
                old_next[i] = nxt[i]
            for v in range(first, by_dest[0][d + 1]):
                old_choice[v - first] = choice[by_dest[1][v]]
                old_hold[v - first] = hold[by_dest[1][v]]
        for attempt in range(2):
            _tree(lay, d, table, leg_cost, stay[d], stay_cost, at, dist, nxt, heap, pos)
            _choose(
                lay,
                d,
                by_dest,
                pair_origin,
                volume,
                choice,
                hold,
                stay_choice,
                stay_cost,
                table,
                leg_cost,
                dist,
                penalty,
            )
            after = _gather(*common, 1.0, penalty)
            after += push(lay, nxt, at, order, pending, *flow, 1.0)
            if not placed or after <= before + 1e-9 * abs(before):
                break
            _gather(*common, -1.0, penalty)
            push(lay, nxt, at, order, pending, *flow, -1.0)
            if attempt == 1:
                kept += 1
                for i in range(nxt.shape[0]):
                    nxt[i] = old_next[i]
                for v in range(first, by_dest[0][d + 1]):
                    choice[by_dest[1][v]] = old_choice[v - first]
                    hold[by_dest[1][v]] = old_hold[v - first]
                _gather(*common, 1.0, penalty)
                push(lay, nxt, at, order, pending, *flow, 1.0)
    return kept


@njit(**FLAT)
def _choose(
    lay, d, by_dest, pair_origin, volume, choice, hold, stay_choice, stay_cost, table, leg_cost, dist, penalty
):
    """Choose each pair's entry leg by the tree's distances; hold what costs more than the penalty."""
    for v in range(by_dest[0][d], by_dest[0][d + 1]):
        p = by_dest[1][v]
        o = pair_origin[v]
        e0 = lay.entry_ptr[o]
        best = UNREACHED
        chosen = HELD
        for e in range(e0, lay.entry_ptr[o + 1]):
            x = dist[lay.entry_c[e]]
            if lay.entry_arc[e] >= 0:
                x += _leg_price(lay, table, leg_cost, lay.entry_arc[e], volume[p])
                if stay_choice[p] != e - e0:
                    x += stay_cost
            if x < best:
                best = x
                chosen = e - e0
        choice[p] = chosen if best < CLOSED else HELD
        hold[p] = best > penalty


@njit(**FLAT)
def _room(lay, table, limit, a, room):
    if a >= 0:
        for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
            r = lay.row_of[q]
            room = min(room, limit[r] - table[r, 3])
    return room


@njit(**FLAT)
def _book(lay, table, leg_flow, a, x):
    if a >= 0:
        leg_flow[a] += x
        for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
            table[lay.row_of[q], 3] += x


@njit(**FLAT)
def fit(
    lay,
    pair_first,
    pair_last,
    pair_owner,
    volume,
    choice,
    held,
    trees,
    table,
    limit,
    leg_flow,
    release,
    floor,
):
    """Hold pieces until every row is within ``limit``, or with ``release`` send what fits again.

    Returns the pieces moved. ``held`` is what each pair holds at its origin; of each pair
    the share ``floor`` (one, or one a pair) is not held.
    """
    total = 0.0
    for p in range(pair_first, pair_last):
        if choice[p] == HELD:
            continue
        least = floor[p if floor.shape[0] > 1 else 0]
        x = held[p] if release else volume[p] * (1.0 - least) - held[p]
        if x <= 1e-9:
            continue
        o = pair_owner[p]
        d = lay.pair_d[p]
        e = lay.entry_ptr[o] + choice[p]
        own = lay.origin_row[o]
        room = np.inf if own < 0 else limit[own] - table[own, 3]
        room = _room(lay, table, limit, lay.entry_arc[e], room)
        i = lay.entry_c[e]
        while i >= 0 and trees[d, i] >= 0:
            a = trees[d, i]
            room = _room(lay, table, limit, a, room)
            i = lay.arc_core_head[a]
        if release:
            x = min(np.float64(x), room)
        else:
            x = -min(np.float64(x), -room)
        if (release and x <= 1e-9) or (not release and x >= -1e-9):
            continue
        held[p] = max(0.0, held[p] - x)
        total += abs(x)
        if own >= 0:
            table[own, 3] += x
        _book(lay, table, leg_flow, lay.entry_arc[e], x)
        i = lay.entry_c[e]
        while i >= 0 and trees[d, i] >= 0:
            a = trees[d, i]
            _book(lay, table, leg_flow, a, x)
            i = lay.arc_core_head[a]
    return total


@njit(**FLAT)
def changes(lay, by_dest, pair_origin, volume, choice, held, trees, before, before_choice, least, out, fill):
    """Count, or with ``fill`` write, the entries of the sort plan that differ from before.

    ``out`` is (site, destination number, leg, leg before, pieces), one array each.
    """
    n = trees.shape[1]
    found = 0
    for d in range(trees.shape[0]):
        at = out[5]
        order = out[6]
        pending = out[7]
        for i in range(n):
            at[i] = 0.0
            pending[i] = 0
        for w in range(by_dest[0][d], by_dest[0][d + 1]):
            p = by_dest[1][w]
            if choice[p] == HELD:
                continue
            o = pair_origin[w]
            e = lay.entry_ptr[o] + choice[p]
            x = volume[p] - held[p]
            at[lay.entry_c[e]] += x
            if lay.entry_arc[e] >= 0 and choice[p] != before_choice[p] and x > least:
                if fill:
                    out[0][found] = lay.origin_site[o]
                    out[1][found] = d
                    out[2][found] = lay.entry_arc[e]
                    out[3][found] = -1
                    if before_choice[p] != HELD:
                        out[3][found] = lay.entry_arc[lay.entry_ptr[o] + before_choice[p]]
                    out[4][found] = x
                found += 1
        nxt = trees[d]
        for i in range(n):
            if nxt[i] >= 0 and lay.arc_core_head[nxt[i]] >= 0:
                pending[lay.arc_core_head[nxt[i]]] += 1
        m = 0
        for i in range(n):
            if pending[i] == 0:
                order[m] = i
                m += 1
        q = 0
        while q < m:
            i = order[q]
            q += 1
            a = nxt[i]
            if a < 0:
                continue
            h = lay.arc_core_head[a]
            if at[i] > least and before[d, i] != a:
                if fill:
                    out[0][found] = lay.core_site[i]
                    out[1][found] = d
                    out[2][found] = a
                    out[3][found] = before[d, i]
                    out[4][found] = at[i]
                found += 1
            if h >= 0:
                at[h] += at[i]
                pending[h] -= 1
                if pending[h] == 0:
                    order[m] = h
                    m += 1
    return found
