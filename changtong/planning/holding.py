"""Kernels of the sort plan: hold at the origin what does not fit, send what fits again."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.planning.lumps import HELD, book, book_row, book_way, part

SMALL = 1e-4
"""Pieces a day not worth a step."""

UNKNOWN = -1

SINGLE = 1e-6
"""Rounding of what is held, kept in single precision, in shares of a pair's volume."""


@njit(**FLAT)
def _book_pair(lay, o, e, nxt, through, table, leg_flow, x, s):
    """Add ``x`` pieces to the way of a pair from origin ``o`` by entry ``e``."""
    if lay.origin_row[o] >= 0:
        book_row(table, lay.origin_row[o], x, s)
    if lay.entry_arc[e] >= 0:
        book(lay, table, leg_flow, lay.entry_arc[e], x, s)
    book_way(lay, nxt, lay.entry_c[e], through, table, leg_flow, x, s)


@njit(**FLAT)
def _leg_room(lay, table, load, a, room, full):
    """Return the least room on the rows of leg ``a``, and how many rows are above capacity."""
    for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
        r = lay.row_of[q]
        x = table[r, 0] - table[r, load]
        room = min(room, x)
        full += x < -SMALL
    return room, full


@njit(**FLAT)
def _way_room(lay, o, e, nxt, table, load, leg_cost):
    """Return the least room on a pair's way, its rows above capacity, and the way's cost.

    ``load`` is the column of the loads that count: all of them, or those of the higher classes.
    """
    room = np.inf
    full = 0
    cost = 0.0
    if lay.origin_row[o] >= 0:
        room = table[lay.origin_row[o], 0] - table[lay.origin_row[o], load]
        full += room < -SMALL
    if lay.entry_arc[e] >= 0:
        room, full = _leg_room(lay, table, load, lay.entry_arc[e], room, full)
        cost += leg_cost[lay.entry_arc[e]]
    i = lay.entry_c[e]
    while i >= 0 and nxt[i] >= 0:
        a = nxt[i]
        room, full = _leg_room(lay, table, load, a, room, full)
        cost += leg_cost[a]
        i = lay.arc_core_head[a]
    return room, full, cost


@njit(**FLAT)
def _keep_back(lay, demand, p, d, s, x, choice, trees, through, table, leg_flow):
    """Hold ``x`` pieces of stream ``s`` of pair ``p``, and before them all its lower streams."""
    o = demand.origin[p]
    for t in range(trees.shape[0] - 1, s - 1, -1):
        y = part(demand, p, t) if t > s else x
        if y <= 0.0:
            continue
        old = demand.held[p]
        demand.held[p] = min(demand.volume[p], np.float32(old + y))
        e = lay.entry_ptr[o] + choice[t, p]
        _book_pair(lay, o, e, trees[t, d], through[t, d], table, leg_flow, -y, t)


@njit(**FLAT)
def _row_above(table, r):
    return r >= 0 and table[r, 3] - table[r, 0] > SMALL


@njit(**FLAT)
def _above(lay, table, a):
    """Return whether a row of leg ``a`` is above capacity."""
    if a >= 0:
        for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
            if _row_above(table, lay.row_of[q]):
                return True
    return False


@njit(**FLAT)
def _mark(lay, nxt, table, bad):
    """Mark the core sites whose way meets a row above capacity; return whether there is one."""
    found = False
    for c in range(nxt.shape[0]):
        bad[c] = UNKNOWN
    for c in range(nxt.shape[0]):
        i = c
        state = 0
        while i >= 0 and bad[i] == UNKNOWN and nxt[i] >= 0 and state == 0:
            if _above(lay, table, nxt[i]):
                state = 1
            else:
                i = lay.arc_core_head[nxt[i]]
        if i >= 0 and bad[i] != UNKNOWN:
            state = bad[i]
        k = c  # all that lead to where the walk ended are as it is
        while k >= 0 and bad[k] == UNKNOWN:
            bad[k] = state
            if k == i or nxt[k] < 0:
                break
            k = lay.arc_core_head[nxt[k]]
        found = found or state == 1
    return found


@njit(**FLAT)
def meeting(lo, hi, s, lay, demand, choice, trees, table, leg_cost, penalty, bad, entry_bad, pairs, scores):
    """List the pairs to some destinations whose way meets a row above capacity; return how many.

    Of each the score is told as well: the penalty less what its way in stream ``s`` costs, divided by the
    rows above capacity that it would free. ``bad`` and ``entry_bad`` are scratch.
    """
    found = 0
    anywhere = False
    for e in range(entry_bad.shape[0]):
        entry_bad[e] = _above(lay, table, lay.entry_arc[e])
        anywhere = anywhere or entry_bad[e] > 0.0
    for o in range(lay.origin_row.shape[0]):
        if _row_above(table, lay.origin_row[o]):
            anywhere = True
            for e in range(lay.entry_ptr[o], lay.entry_ptr[o + 1]):
                entry_bad[e] = 1.0
    for d in range(lo, hi):
        nxt = trees[s, d]
        if not _mark(lay, nxt, table, bad) and not anywhere:
            continue
        for p in range(demand.ptr[d], demand.ptr[d + 1]):
            if choice[s, p] == HELD:
                continue
            o = demand.origin[p]
            e = lay.entry_ptr[o] + choice[s, p]
            if not (bad[lay.entry_c[e]] or entry_bad[e] > 0.0) or part(demand, p, s) <= 0.0:
                continue
            _, full, cost = _way_room(lay, o, e, nxt, table, 3, leg_cost)
            if full > 0:
                pairs[found] = p
                scores[found] = (penalty - cost) / full
                found += 1
    return found


@njit(**FLAT)
def hold(
    pairs, scores, most, s, lay, demand, choice, trees, through, table, leg_cost, leg_flow, penalty
):  # fmt: skip
    """Hold pieces of stream ``s`` until no row of theirs is above capacity; return the pieces.

    Held is from ``pairs`` (:func:`meeting`) whose score is at most ``most``: the cheapest to hold come
    first. While pieces are held loads only fall: no other pair comes to be above a capacity, and scores
    only rise. They are brought up to date where they are looked at.
    """
    total = 0.0
    d = -1
    for k in range(pairs.shape[0]):
        if scores[k] > most:
            continue
        p = pairs[k]
        while p >= demand.ptr[d + 1]:
            d += 1
        o = demand.origin[p]
        e = lay.entry_ptr[o] + choice[s, p]
        room, full, cost = _way_room(lay, o, e, trees[s, d], table, 3, leg_cost)
        x = min(part(demand, p, s), -room)
        if full == 0 or x <= 0.0:
            scores[k] = np.inf
            continue
        scores[k] = (penalty - cost) / full
        if scores[k] <= most:
            _keep_back(lay, demand, p, d, s, x, choice, trees, through, table, leg_flow)
            total += x
    return total


@njit(**FLAT)
def release(pairs, s, lay, demand, choice, trees, through, table, leg_cost, leg_flow, most):
    """Send held pieces of stream ``s`` where their way has room and costs at most ``most``; return them.

    ``pairs`` are those that hold something, in order. What lower streams use counts as room: they are to
    be held in their turn.
    """
    total = 0.0
    load = 4 + s if s < trees.shape[0] - 1 else 3
    d = -1
    for i in range(pairs.shape[0]):
        p = pairs[i]
        while p >= demand.ptr[d + 1]:
            d += 1
        if demand.held[p] <= SMALL or choice[s, p] == HELD:
            continue
        k = p if demand.share.shape[0] > 1 else 0
        v = np.float64(demand.volume[p])
        sent = v - demand.held[p]
        if sent < v * demand.share[k, s] - SMALL - SINGLE * v:
            continue
        wanted = v * demand.share[k, s + 1] - sent
        if wanted <= SMALL:
            continue
        o = demand.origin[p]
        nxt = trees[s, d]
        e0 = lay.entry_ptr[o]
        best = SMALL
        chosen = -1
        alone = part(demand, p, s) <= 0.0
        for e in range(e0, lay.entry_ptr[o + 1]):
            if e - e0 != choice[s, p] and not alone:
                continue
            c = lay.entry_c[e]
            if nxt[c] < 0 and lay.core_site[c] != lay.dest_site[d]:
                continue
            room, _, cost = _way_room(lay, o, e, nxt, table, load, leg_cost)
            if cost < most and room > best:
                best = room
                chosen = e
        if chosen < 0:
            continue
        x = min(wanted, best)
        choice[s, p] = chosen - e0
        demand.held[p] = max(np.float32(0.0), np.float32(demand.held[p] - x))
        _book_pair(lay, o, chosen, nxt, through[s, d], table, leg_flow, x, s)
        total += x
    return total


@njit(**FLAT)
def held_by_class(volume, held, steps, skip, out):
    """Add up what is held by class, the lowest class of each pair first; ``skip`` pairs left out."""
    for p in range(volume.shape[0]):
        if held[p] <= 0.0 or skip[p]:
            continue
        k = p if steps.shape[0] > 1 else 0
        v = np.float64(volume[p])
        sent = v - held[p]
        for q in range(steps.shape[1]):
            low = v * steps[k, q - 1] if q else 0.0
            out[q] += max(0.0, v * steps[k, q] - max(low, sent))
