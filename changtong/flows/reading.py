"""Read a solution: hours on the way, pieces late, and what keeps a pair from being served."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.entries import entry_volume, served
from changtong.flows.pairs import cheapest_entry
from changtong.flows.trees import FLAT


@njit(**FLAT)
def cost_range(lay, trees, volumes, closed):
    """Return the mean and the greatest cheapest cost over the pairs that have a way."""
    total = 0.0
    pieces = 0.0
    most = 0.0
    for o in range(lay.origin_site.shape[0]):
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            best = cheapest_entry(lay, trees, o, lay.pair_d[p])[1]
            if best < closed:
                total += volumes.pair[p] * best
                pieces += volumes.pair[p]
                most = max(most, best)
    return total / max(pieces, 1e-30), most


@njit(**FLAT)
def _leg_hours(leg_h, arc):
    return leg_h[arc] if arc >= 0 else 0.0


@njit(**FLAT)
def path_hours(pool, leg_h, hours):
    """Fill ``hours`` of every path; ``leg_h`` includes handling at the leg's head."""
    for p in range(pool.count[0]):
        h = 0.0
        for q in range(pool.start[p], pool.start[p] + pool.n_legs[p]):
            h += leg_h[pool.arena[q]]
        hours[p] = h


@njit(**FLAT)
def way_hours(lay, pool, volumes, hours, leg_h, way_h):
    """Fill the hours from each core site to each destination, exit leg included.

    ``way_h`` is (core sites, destinations); -1 where pieces take several ways.
    """
    n = lay.core_site.shape[0]
    for d in range(lay.dest_site.shape[0]):
        for c in range(n):
            way_h[c, d] = -1.0
            chosen = -1
            for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
                if exit_share(lay, volumes, c, d, e) > 0.0:
                    chosen = e if chosen == -1 else -2
            if chosen < 0:
                continue
            busy = -1
            p = pool.first[lay.exit_t[chosen] * n + c]
            while p >= 0:
                if pool.flow[p] > 0.0:
                    busy = p if busy == -1 else -2
                p = pool.following[p]
            if busy >= 0:
                way_h[c, d] = hours[busy] + _leg_hours(leg_h, lay.exit_arc[chosen])


@njit(**FLAT)
def lateness(lo, hi, lay, pool, volumes, hours, way_h, leg_h, origin_h, promise_h, out):
    """Add up, by class, pieces served, piece-hours and pieces later than promised, of some origins.

    ``out`` is (classes, 3). The split of a pair over its ways is that of the volumes.
    """
    for o in range(lo, hi):
        e0 = lay.entry_ptr[o]
        k = lay.entry_ptr[o + 1] - e0
        for pair in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            going = served(volumes, pair, k)
            if going <= 0.0:
                continue
            d = lay.pair_d[pair]
            for j in range(k):
                x = entry_volume(volumes, pair, j)
                if x <= 0.0:
                    continue
                first = origin_h[o] + _leg_hours(leg_h, lay.entry_arc[e0 + j])
                h = way_h[lay.entry_c[e0 + j], d]
                if h >= 0.0:
                    _book_hours(volumes, pair, going, x, first + h, promise_h, out)
                else:
                    _book_ways(
                        lay,
                        pool,
                        volumes,
                        hours,
                        leg_h,
                        pair,
                        going,
                        x,
                        lay.entry_c[e0 + j],
                        d,
                        first,
                        promise_h,
                        out,
                    )


@njit(**FLAT)
def _book_ways(lay, pool, volumes, hours, leg_h, pair, going, x, c, d, first, promise_h, out):
    """Book ``x`` pieces of a pair that enter at core site ``c`` over several ways."""
    n = lay.core_site.shape[0]
    held = 0.0
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        held += exit_share(lay, volumes, c, d, e)
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        y = exit_share(lay, volumes, c, d, e)
        if y <= 0.0:
            continue
        od = lay.exit_t[e] * n + c
        flow = 0.0
        p = pool.first[od]
        while p >= 0:
            flow += pool.flow[p]
            p = pool.following[p]
        p = pool.first[od]
        while p >= 0:
            if pool.flow[p] > 0.0:
                part = x * y / held * pool.flow[p] / flow
                h = first + hours[p] + _leg_hours(leg_h, lay.exit_arc[e])
                _book_hours(volumes, pair, going, part, h, promise_h, out)
            p = pool.following[p]


@njit(**FLAT)
def exit_share(lay, volumes, c, d, e):
    if lay.split[d] < 0:
        return 1.0
    return np.float64(volumes.exit[c, lay.split[d] + e - lay.exit_ptr[d]])


@njit(**FLAT)
def _book_hours(volumes, pair, going, part, h, promise_h, out):
    step = pair if volumes.steps.shape[0] > 1 else 0
    below = 0.0
    for q in range(promise_h.shape[0]):
        upto = volumes.steps[step, q] * volumes.pair[pair]
        x = max(0.0, min(upto, going) - below) / going * part
        below = upto
        out[q, 0] += x
        out[q, 1] += x * h
        if h > promise_h[q]:
            out[q, 2] += x


@njit(**FLAT)
def hopeless(lay, trees, volumes, origin_h, promise_h, closed, out):
    """Add up, by class, pieces whose fastest open way is later than promised.

    ``trees`` must be priced with hours. ``out`` is (classes,).
    """
    for o in range(lay.origin_site.shape[0]):
        for pair in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            best = cheapest_entry(lay, trees, o, lay.pair_d[pair])[1]
            if best >= closed:
                continue
            step = pair if volumes.steps.shape[0] > 1 else 0
            below = 0.0
            for k in range(promise_h.shape[0]):
                upto = np.float64(volumes.steps[step, k])
                if best + origin_h[o] > promise_h[k] + 1e-6:
                    out[k] += (upto - below) * volumes.pair[pair]
                below = upto
