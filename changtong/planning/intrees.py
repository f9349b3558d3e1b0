"""Kernels of the sort plan: one in-tree for each destination, its loads, its changes.

A tree is a shortest in-tree (Dijkstra 1959) at given prices in which every leg but the one in
force costs something more: what is in force stays unless it is shut or clearly dear.
"""

from __future__ import annotations

from numba import njit

from changtong.flows.entries import entry_volume
from changtong.flows.trees import FLAT, UNREACHED
from changtong.planning.lumps import CLOSED, HELD, book, book_row, part


@njit(**FLAT)
def by_destination(pair_d, ptr, at, pair):
    """List the pairs by destination, in their own order within each; ``at`` is scratch."""
    for d in range(at.shape[0]):
        at[d] = ptr[d]
    for p in range(pair_d.shape[0]):
        pair[at[pair_d[p]]] = p
        at[pair_d[p]] += 1


@njit(**FLAT)
def in_pair_order(pair_d, at, source, out):
    """Copy rows of values listed by destination into the pairs' own order.

    ``at``, the first of each destination, moves on: all reading goes forward, which is several times
    faster than to jump.
    """
    for p in range(pair_d.shape[0]):
        k = at[pair_d[p]]
        at[pair_d[p]] += 1
        for s in range(source.shape[0]):
            out[s, p] = source[s, k]


@njit(**FLAT)
def in_destination_order(pair_d, at, source, out):
    """Copy values from the pairs' own order to that by destination; ``at`` as above."""
    for p in range(pair_d.shape[0]):
        out[at[pair_d[p]]] = source[p]
        at[pair_d[p]] += 1


@njit(**FLAT)
def main_entries(lo, hi, lay, volumes, to_go, entry_cost, choice):
    """Choose for each pair of some origins the entry by which most goes; the cheapest where none goes."""
    for o in range(lo, hi):
        e0 = lay.entry_ptr[o]
        k = lay.entry_ptr[o + 1] - e0
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            d = lay.pair_d[p]
            most = 0.0
            least = CLOSED
            chosen = HELD
            for j in range(k):
                x = entry_cost[e0 + j] + to_go[lay.entry_c[e0 + j], d]
                if x >= CLOSED:
                    continue
                going = entry_volume(volumes, p, j)
                if going > most or (most == 0.0 and x < least):
                    most = going
                    least = x
                    chosen = j
            choice[p] = chosen


@njit(**FLAT)
def price_tree(d, lay, leg_price, main, stray, dist, nxt, heap, pos):
    """Dijkstra from the exits of ``d`` back over the core; a leg other than ``main`` costs ``stray`` more."""
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
            x = leg_price[a] + (stray if main[t] != a else 0.0)
        if x < min(dist[t], CLOSED):
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
        for q in range(lay.in_ptr[i], lay.in_ptr[i + 1]):
            u = lay.in_tail[q]
            a = lay.in_arc[q]
            x = dist[i] + leg_price[a] + (stray if main[u] != a else 0.0)
            if pos[u] == -2 or x >= min(dist[u], CLOSED) or leg_price[a] >= CLOSED:
                continue
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
def in_force_trees(lo, hi, lay, leg_price, in_force, stray, trees, dist, heap, pos):
    """Fill ``trees`` of some destinations with in-trees at ``leg_price`` that keep to the legs in force."""
    for d in range(lo, hi):
        price_tree(d, lay, leg_price, in_force[d], stray, dist, trees[d], heap, pos)


@njit(**FLAT)
def keep_entries(lo, hi, lay, demand, trees, wanted, leg_cost, choice):
    """Choose the wanted entry of each pair where it is open and still leads to one of some destinations."""
    for d in range(lo, hi):
        for p in range(demand.ptr[d], demand.ptr[d + 1]):
            if wanted[p] == HELD or choice[p] == HELD:
                continue
            e = lay.entry_ptr[demand.origin[p]] + wanted[p]
            c = lay.entry_c[e]
            if lay.entry_arc[e] >= 0 and leg_cost[lay.entry_arc[e]] >= CLOSED:
                continue
            if trees[d, c] >= 0 or lay.core_site[c] == lay.dest_site[d]:
                choice[p] = wanted[p]


@njit(**FLAT)
def cheapest_entries(lo, hi, lay, demand, trees, leg_cost, dist, order, choice):
    """Choose the entry of each pair to some destinations by the trees' costs; HELD where none leads on."""
    n = trees.shape[1]
    for d in range(lo, hi):
        nxt = trees[d]
        for i in range(n):
            dist[i] = -1.0
        for i in range(n):
            m = 0
            c = i
            while dist[c] < 0.0:
                a = nxt[c]
                if a < 0:
                    dist[c] = 0.0 if lay.core_site[c] == lay.dest_site[d] else UNREACHED
                elif lay.arc_core_head[a] < 0:
                    dist[c] = leg_cost[a]
                else:
                    order[m] = c
                    m += 1
                    c = lay.arc_core_head[a]
            for k in range(m - 1, -1, -1):
                u = order[k]
                dist[u] = dist[lay.arc_core_head[nxt[u]]] + leg_cost[nxt[u]]
        for p in range(demand.ptr[d], demand.ptr[d + 1]):
            e0 = lay.entry_ptr[demand.origin[p]]
            best = CLOSED
            chosen = HELD
            for e in range(e0, lay.entry_ptr[demand.origin[p] + 1]):
                x = dist[lay.entry_c[e]] + (leg_cost[lay.entry_arc[e]] if lay.entry_arc[e] >= 0 else 0.0)
                if x < best:
                    best = x
                    chosen = e - e0
            choice[p] = chosen


@njit(**FLAT)
def arrivals(lay, trees, through):
    """Return the pieces a day that reach their destination."""
    total = 0.0
    for d in range(trees.shape[0]):
        for c in range(trees.shape[1]):
            a = trees[d, c]
            if lay.core_site[c] == lay.dest_site[d] or (a >= 0 and lay.arc_core_head[a] < 0):
                total += through[d, c]
    return total


@njit(**FLAT)
def load_streams(lo, hi, lay, demand, choice, trees, through, table, leg_flow, entered, pending, order):
    """Compute what passes every site for some destinations in all streams; add it to the loads.

    ``entered``, (entries, streams), is scratch: entry legs are booked once for all destinations.
    """
    n_streams = trees.shape[0]
    entered[:] = 0.0
    for d in range(lo, hi):
        through[:, d] = 0.0
        for p in range(demand.ptr[d], demand.ptr[d + 1]):
            e0 = lay.entry_ptr[demand.origin[p]]
            for s in range(n_streams):
                if choice[s, p] != HELD:
                    e = e0 + choice[s, p]
                    x = part(demand, p, s)
                    through[s, d, lay.entry_c[e]] += x
                    entered[e, s] += x
        for s in range(n_streams):
            _pass_on(lay, s, trees[s, d], through[s, d], table, leg_flow, pending, order)
    for o in range(lay.origin_site.shape[0]):
        for e in range(lay.entry_ptr[o], lay.entry_ptr[o + 1]):
            for s in range(n_streams):
                if lay.entry_arc[e] >= 0:
                    book(lay, table, leg_flow, lay.entry_arc[e], entered[e, s], s)
                if lay.origin_row[o] >= 0:
                    book_row(table, lay.origin_row[o], entered[e, s], s)


@njit(**FLAT)
def _pass_on(lay, s, nxt, at, table, leg_flow, pending, order):
    """Send what entered for one destination on along its tree, sites farthest from it first."""
    n = nxt.shape[0]
    pending[:] = 0
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
        if at[i] > 0.0:
            book(lay, table, leg_flow, a, at[i], s)
        h = lay.arc_core_head[a]
        if h >= 0:
            at[h] += at[i]
            pending[h] -= 1
            if pending[h] == 0:
                order[m] = h
                m += 1


@njit(**FLAT)
def changes(lo, hi, lay, demand, choice, trees, through, before, before_choice, least, out, fill, found):
    """Count, or with ``fill`` write, the entries of the sort plan that differ from before.

    Those of some destinations, from place ``found`` on; returns the place after the last. ``out`` is (site,
    destination number, leg, leg before, stream, pieces), one array each. The stream is -1 where all streams
    take the same leg.
    """
    n_streams = trees.shape[0]
    for d in range(lo, hi):
        for p in range(demand.ptr[d], demand.ptr[d + 1]):
            o = demand.origin[p]
            e0 = lay.entry_ptr[o]
            if lay.entry_arc[e0] < 0:
                continue
            same = True
            for s in range(n_streams):
                same = same and choice[s, p] == choice[0, p]
            for s in range(1 if same else n_streams):
                if choice[s, p] == HELD or choice[s, p] == before_choice[p]:
                    continue
                x = 0.0
                for t in range(s, n_streams if same else s + 1):
                    x += part(demand, p, t)
                if x <= least:
                    continue
                if fill:
                    out[0][found] = lay.origin_site[o]
                    out[1][found] = d
                    out[2][found] = lay.entry_arc[e0 + choice[s, p]]
                    out[3][found] = lay.entry_arc[e0 + before_choice[p]] if before_choice[p] != HELD else -1
                    out[4][found] = -1 if same else s
                    out[5][found] = x
                found += 1
        for i in range(trees.shape[2]):
            same = True
            for s in range(n_streams):
                same = same and trees[s, d, i] == trees[0, d, i]
            for s in range(1 if same else n_streams):
                a = trees[s, d, i]
                if a < 0 or a == before[d, i]:
                    continue
                x = 0.0
                for t in range(s, n_streams if same else s + 1):
                    x += through[t, d, i]
                if x <= least:
                    continue
                if fill:
                    out[0][found] = lay.core_site[i]
                    out[1][found] = d
                    out[2][found] = a
                    out[3][found] = before[d, i]
                    out[4][found] = -1 if same else s
                    out[5][found] = x
                found += 1
    return found
