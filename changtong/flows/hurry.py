"""Late pieces onto ways that keep their promise, within what the capacities leave.

The ways of a flow are shared by all pairs between two core sites; a piece that would be late on
them may be on time on another way that costs a little more. Ways are looked for in the shortest
in-trees of cost plus an hour's worth, for several worths: Lagrangian relaxation of the shortest
path with a limit on hours (Handler and Zang 1980).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.entries import NOTHING, entry_volume, served
from changtong.flows.pairs import best_exit, cheapest_entry
from changtong.flows.reading import exit_share
from changtong.flows.trees import FLAT

LEAST = 0.1
"""Pieces a day of a pair and class below which nobody looks for another way."""


class Promises(NamedTuple):
    """Hours of legs and paths, and what is promised."""

    leg_h: NDArray[np.float64]  # handling at the head included
    origin_h: NDArray[np.float64]  # handling at each origin
    path_h: NDArray[np.float64]  # of each path of the pool
    way_h: NDArray[np.float32]  # (core sites, destinations), -1 where pieces take several ways
    promise_h: NDArray[np.float64]  # by class, infinite where nothing is promised
    done: NDArray[np.uint8]  # of each pair: a bit for each class that is settled


class Found(NamedTuple):
    """Pieces of a pair and class that a way could bring on time."""

    pair: NDArray[np.int32]
    rank: NDArray[np.int8]  # class
    option: NDArray[np.int8]  # tree that has the way
    pieces: NDArray[np.float32]
    extra: NDArray[np.float32]  # what a piece costs more on that way


class Books(NamedTuple):
    """What a move changes."""

    capacity: NDArray[np.float64]  # (rows,)
    load: NDArray[np.float64]  # (rows,)
    leg_flow: NDArray[np.float64]
    late: NDArray[np.float64]  # (classes, 3): pieces, piece-hours, late pieces
    spent: NDArray[np.float64]  # pieces moved, what they cost more


@njit(**FLAT)
def _tree_way(lay, trees, leg_h, o, d, legs):
    """Write the legs of a tree's way from origin ``o`` to destination ``d``; return how many, hours, cost.

    -1 legs where the tree has no way.
    """
    j, best = cheapest_entry(lay, trees, o, d)
    if best >= 1e11:
        return -1, 0.0, 0.0
    m = 0
    e = lay.entry_ptr[o] + j
    if lay.entry_arc[e] >= 0:
        legs[m] = lay.entry_arc[e]
        m += 1
    i = lay.entry_c[e]
    x = best_exit(lay, trees, i, d)
    k = lay.exit_t[x]
    while i != lay.exit_core[k]:
        a = trees.nxt[k, i]
        if a < 0:
            return -1, 0.0, 0.0
        legs[m] = a
        m += 1
        i = lay.arc_core_head[a]
    if lay.exit_arc[x] >= 0:
        legs[m] = lay.exit_arc[x]
        m += 1
    h = 0.0
    cost = 0.0
    for q in range(m):
        h += leg_h[legs[q]]
        cost += trees.leg_cost[legs[q]]
    return m, h, cost


@njit(**FLAT)
def _of_class(volumes, pair, k, q):
    """Return the pieces served of class ``q`` of a pair with ``k`` entries: the lowest class lacks first."""
    s = pair if volumes.steps.shape[0] > 1 else 0
    total = np.float64(volumes.pair[pair])
    below = volumes.steps[s, q - 1] * total if q > 0 else 0.0
    return max(0.0, min(volumes.steps[s, q] * total, served(volumes, pair, k)) - below)


@njit(**FLAT)
def _ways(lay, pool, volumes, pair, o, way, share):
    """List the ways of a pair in ``way`` (entry leg, path, exit leg) and their shares; return how many."""
    n = lay.core_site.shape[0]
    e0 = lay.entry_ptr[o]
    k = lay.entry_ptr[o + 1] - e0
    d = lay.pair_d[pair]
    going = served(volumes, pair, k)
    m = 0
    for j in range(k):
        x = entry_volume(volumes, pair, j)
        if x <= 0.0:
            continue
        c = lay.entry_c[e0 + j]
        held = 0.0
        for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
            held += exit_share(lay, volumes, c, d, e)
        for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
            y = exit_share(lay, volumes, c, d, e)
            flow = 0.0
            w = pool.first[lay.exit_t[e] * n + c]
            while w >= 0 and y > 0.0:
                flow += pool.flow[w]
                w = pool.following[w]
            w = pool.first[lay.exit_t[e] * n + c]
            while w >= 0 and flow > 0.0:
                if pool.flow[w] > 0.0 and m < share.shape[0]:
                    way[m, 0] = lay.entry_arc[e0 + j]
                    way[m, 1] = w
                    way[m, 2] = lay.exit_arc[e]
                    share[m] = x / going * y / held * pool.flow[w] / flow
                    m += 1
                w = pool.following[w]
    return m


@njit(**FLAT)
def _along(values, of_path, way, i):
    """Return what a listed way adds up to: of its entry leg, path and exit leg."""
    total = of_path[way[i, 1]]
    if way[i, 0] >= 0:
        total += values[way[i, 0]]
    return total + values[way[i, 2]] if way[i, 2] >= 0 else total


@njit(**FLAT)
def _surely_on_time(lay, volumes, promises, strictest_h, pair, o):
    """Return whether all of a pair takes one way that keeps every promise: the usual case, fast."""
    s = volumes.slot[pair]
    if s >= 0 or s == NOTHING:
        return s == NOTHING
    e = lay.entry_ptr[o] - 1 - s
    h = promises.way_h[lay.entry_c[e], lay.pair_d[pair]]
    first = promises.leg_h[lay.entry_arc[e]] if lay.entry_arc[e] >= 0 else 0.0
    return h >= 0.0 and promises.origin_h[o] + first + h <= strictest_h


@njit(**FLAT)
def look(lo, hi, most, lay, pool, volumes, promises, options, found, late, reach, way, share, legs):
    """Look for ways on time for the late pieces of origins ``lo`` … ``hi``-1.

    A way may cost ``most`` more a piece. ``options`` are trees, priced. Scratch: ``late``
    (classes, 2), ``reach`` (options, 2), ``way`` (ways, 3), ``share`` (ways,), ``legs``. Returns
    how many were found, as far as ``found`` holds.
    """
    found_so_far = 0
    n_classes = promises.promise_h.shape[0]
    strictest_h = np.inf
    for q in range(n_classes):
        strictest_h = min(strictest_h, promises.promise_h[q])
    leg_cost = options[0].leg_cost
    whole = (1 << n_classes) - 1
    for o in range(lo, hi):
        k = lay.entry_ptr[o + 1] - lay.entry_ptr[o]
        for pair in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            if promises.done[pair] == whole or _surely_on_time(lay, volumes, promises, strictest_h, pair, o):
                continue
            late[:] = 0.0
            for i in range(_ways(lay, pool, volumes, pair, o, way, share)):
                h = promises.origin_h[o] + _along(promises.leg_h, promises.path_h, way, i)
                for q in range(n_classes):
                    if h > promises.promise_h[q] and not promises.done[pair] >> q & 1:
                        late[q, 0] += share[i]
                        late[q, 1] += share[i] * _along(leg_cost, pool.cost, way, i)
            reach[0, 0] = -1.0
            for q in range(n_classes):
                pieces = late[q, 0] * _of_class(volumes, pair, k, q)
                if pieces <= LEAST:
                    continue
                if reach[0, 0] < 0.0:
                    for b in range(len(options)):
                        tree = _tree_way(lay, options[b], promises.leg_h, o, lay.pair_d[pair], legs)
                        reach[b, 0] = tree[1] + promises.origin_h[o] if tree[0] > 0 else np.inf
                        reach[b, 1] = tree[2]
                best = -1
                for b in range(len(options)):
                    if reach[b, 0] <= promises.promise_h[q] and (best < 0 or reach[b, 1] < reach[best, 1]):
                        best = b
                if best < 0:
                    continue
                extra = reach[best, 1] - late[q, 1] / late[q, 0]
                if extra <= most and found_so_far < found.pair.shape[0]:
                    found.pair[found_so_far] = pair
                    found.rank[found_so_far] = q
                    found.option[found_so_far] = best
                    found.pieces[found_so_far] = pieces
                    found.extra[found_so_far] = extra
                    found_so_far += 1
    return found_so_far


@njit(**FLAT)
def _add(lay, books, arc, amount):
    if arc >= 0:
        books.leg_flow[arc] += amount
        for q in range(lay.row_ptr[arc], lay.row_ptr[arc + 1]):
            books.load[lay.row_of[q]] += amount


@njit(**FLAT)
def _add_way(lay, pool, books, way, i, amount):
    _add(lay, books, way[i, 0], amount)
    w = way[i, 1]
    for q in range(pool.start[w], pool.start[w] + pool.n_legs[w]):
        _add(lay, books, pool.arena[q], amount)
    _add(lay, books, way[i, 2], amount)


@njit(**FLAT)
def move(found, origin, lay, pool, volumes, promises, options, books, budget, way, share, legs):
    """Move the pieces found, in their order, as far as capacities and ``budget`` (CNY) go.

    ``origin`` is the origin of each found pair; ``way``, ``share`` and ``legs`` are scratch.
    """
    leg_cost = options[0].leg_cost
    for f in range(found.pair.shape[0]):
        o, pair, q = origin[f], found.pair[f], found.rank[f]
        m, h, cost = _tree_way(lay, options[found.option[f]], promises.leg_h, o, lay.pair_d[pair], legs)
        pieces = _of_class(volumes, pair, lay.entry_ptr[o + 1] - lay.entry_ptr[o], q)
        for i in range(_ways(lay, pool, volumes, pair, o, way, share)):
            slower = _along(promises.leg_h, promises.path_h, way, i) - h
            if slower + h + promises.origin_h[o] <= promises.promise_h[q]:
                continue
            part = pieces * share[i]
            extra = cost - _along(leg_cost, pool.cost, way, i)
            _add_way(lay, pool, books, way, i, -part)
            x = part
            for s in range(m):
                for r in range(lay.row_ptr[legs[s]], lay.row_ptr[legs[s] + 1]):
                    x = min(x, books.capacity[lay.row_of[r]] - books.load[lay.row_of[r]])
            if extra > 0.0:
                x = min(x, (budget - books.spent[1]) / extra)
            x = max(x, 0.0)
            for s in range(m):
                _add(lay, books, legs[s], x)
            _add_way(lay, pool, books, way, i, part - x)
            if x > 0.0:
                promises.done[pair] |= 1 << q
                books.late[q, 1] -= x * slower
                books.late[q, 2] -= x
                books.spent[0] += x
                books.spent[1] += x * extra
