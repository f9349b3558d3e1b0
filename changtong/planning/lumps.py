"""Kernels of the sort plan: lumps of pieces that move from one next leg to another.

A lump is what passes a core site for one destination: it has one next leg, so it moves
whole. A move is priced exactly: what the lump costs on its present way to the
destination against what it would cost on every other next leg, the loads of this moment
counted with the lump (local search over single entries of the plan, as in Lindsey, Erera
and Savelsbergh 2016 for whole trees). A row's cost is the augmented Lagrangian's term
plus ``steep`` for each piece above its capacity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.trees import FLAT, UNREACHED

HELD = 255
FRESH = 16
"""Destinations after which the entry legs are priced anew: a move itself is priced exactly."""

CLOSED = 1e12
"""As in flow: the cost of a leg that may not be used."""


class Demand(NamedTuple):
    """What is to be sent: pairs by destination, and how much of each goes in which stream.

    A stream is a span of service classes that share their next legs. What a pair holds is
    taken from its lowest class first. Pairs stand in order of destination: the kernels go
    through them destination by destination, and memory in order is several times faster.
    """

    ptr: NDArray[np.int64]  # destination -> pairs
    origin: NDArray[np.integer]  # origin number of each pair
    volume: NDArray[np.float32]  # pieces a day
    held: NDArray[np.float32]  # pieces a day kept at the origin
    share: NDArray[np.float32]  # (1 or pairs, streams + 1): cumulated share of the streams


@njit(**FLAT)
def part(demand, p, s):
    """Pieces a day of pair ``p`` that go in stream ``s``."""
    k = p if demand.share.shape[0] > 1 else 0
    v = np.float64(demand.volume[p])
    sent = v - demand.held[p]
    low = v * demand.share[k, s]
    return max(0.0, min(sent, v * demand.share[k, s + 1]) - low)


@njit(**FLAT)
def row_change(table, r, x, s, steep):
    """Return how the terms of row ``r`` change when ``x`` pieces of stream ``s`` join its load.

    Columns: capacity, multiplier, slope, load, then the load of the streams 0 … t together
    for every stream t but the last. What is above the capacity is the lowest class's first.
    """
    over = table[r, 3] - table[r, 0]
    slope = table[r, 2]
    total = 0.0
    if slope > 0.0:
        old = max(0.0, table[r, 1] + slope * over)
        new = max(0.0, table[r, 1] + slope * (over + x))
        total = (new * new - old * old) / (2.0 * slope)
    else:
        total = table[r, 1] * x
    n = steep.shape[0] - 1
    total += steep[n] * (max(0.0, over + x) - max(0.0, over))
    if over + max(x, 0.0) <= 0.0:
        return total
    for t in range(s, n):
        over = table[r, 4 + t] - table[r, 0]
        total += steep[t] * (max(0.0, over + x) - max(0.0, over))
    return total


@njit(**FLAT)
def leg_change(lay, table, leg_cost, a, x, s, steep):
    """Return how cost and terms change when ``x`` pieces of stream ``s`` join leg ``a``."""
    total = leg_cost[a] * x
    for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
        total += row_change(table, lay.row_of[q], x, s, steep)
    return total


@njit(**FLAT)
def book_row(table, r, x, s):
    """Add ``x`` pieces of stream ``s`` to a row."""
    table[r, 3] += x
    for t in range(4 + s, table.shape[1]):
        table[r, t] += x


@njit(**FLAT)
def book(lay, table, leg_flow, a, x, s):
    """Add ``x`` pieces of stream ``s`` to leg ``a`` and its rows."""
    leg_flow[a] += x
    for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
        book_row(table, lay.row_of[q], x, s)


@njit(**FLAT)
def way_change(lay, nxt, i, table, leg_cost, x, s, steep, most):
    """Return how cost and terms change when ``x`` pieces go from core site ``i`` on; stop above ``most``."""
    total = 0.0
    while nxt[i] >= 0:
        a = nxt[i]
        total += leg_change(lay, table, leg_cost, a, x, s, steep)
        if total >= most:
            return total
        i = lay.arc_core_head[a]
        if i < 0:
            break
    return total


@njit(**FLAT)
def book_way(lay, nxt, i, through, table, leg_flow, x, s):
    """Add ``x`` pieces to the way from core site ``i`` on."""
    while i >= 0:
        through[i] += x
        a = nxt[i]
        if a < 0:
            break
        book(lay, table, leg_flow, a, x, s)
        i = lay.arc_core_head[a]


@njit(**FLAT)
def _try(lay, nxt, c, a, home, table, leg_cost, v, s, steep, most):
    """Cost of sending ``v`` from ``c`` by leg ``a``; UNREACHED above ``most`` or where it comes back."""
    total = leg_change(lay, table, leg_cost, a, v, s, steep)
    i = lay.arc_core_head[a]
    while total < most:
        if i == c:
            return UNREACHED
        if lay.core_site[i] == home:
            return total
        if not lay.passes[i]:
            return UNREACHED
        a = nxt[i]
        if a < 0:
            return UNREACHED
        total += leg_change(lay, table, leg_cost, a, v, s, steep)
        i = lay.arc_core_head[a]
        if i < 0:
            return total if total < most else UNREACHED
    return UNREACHED


@njit(**FLAT)
def best_leg(lay, d, c, nxt, v, least, stay, stay_cost, table, leg_cost, s, steep, most):
    """Return the next leg at ``c`` that costs least for ``v`` pieces, and its cost.

    The leg is -1 when none costs less than ``most``. ``least[i]`` is a lower bound on the cost
    of a piece from core site i.
    """
    best = most
    chosen = np.int32(-1)
    home = lay.dest_site[d]
    for q in range(lay.out_ptr[c], lay.out_ptr[c + 1]):
        a = lay.out_arc[q]
        extra = stay_cost * v if stay != a else 0.0
        if v * (leg_cost[a] + least[lay.out_head[q]]) + extra >= best or leg_cost[a] >= CLOSED:
            continue
        x = _try(lay, nxt, c, a, home, table, leg_cost, v, s, steep, best - extra) + extra
        if x < best:
            best = x
            chosen = a
    for e in range(lay.exit_ptr[d], lay.exit_ptr[d + 1]):
        a = lay.exit_arc[e]
        if a < 0 or lay.exit_core[lay.exit_t[e]] != c or leg_cost[a] >= CLOSED:
            continue
        x = leg_change(lay, table, leg_cost, a, v, s, steep)
        if stay != a:
            x += stay_cost * v
        if x < best:
            best = x
            chosen = a
    return chosen, best


@njit(**FLAT)
def _row_price(table, r, s, steep):
    """Price of one piece more in row ``r``."""
    over = table[r, 3] - table[r, 0]
    price = max(0.0, table[r, 1] + table[r, 2] * over)
    if over >= 0.0:
        n = steep.shape[0] - 1
        price += steep[n]
        for t in range(s, n):
            if table[r, 4 + t] >= table[r, 0]:
                price += steep[t]
    return price


@njit(**FLAT)
def _price_way(lay, nxt, i, table, s, steep, row_price):
    """Price the rows of the way from core site ``i`` on anew."""
    while i >= 0 and nxt[i] >= 0:
        for q in range(lay.row_ptr[nxt[i]], lay.row_ptr[nxt[i] + 1]):
            row_price[lay.row_of[q]] = _row_price(table, lay.row_of[q], s, steep)
        i = lay.arc_core_head[nxt[i]]


@njit(**FLAT)
def _one_more(lay, nxt, c, leg_cost, row_price, dist, seen, now, order):
    """Return the price of one piece more from core site ``c`` on: in ``dist`` where ``seen`` is ``now``."""
    i = c
    m = 0
    while i >= 0 and seen[i] != now:
        order[m] = i
        m += 1
        i = lay.arc_core_head[nxt[i]] if nxt[i] >= 0 else -1
    price = dist[i] if i >= 0 else 0.0
    for k in range(m - 1, -1, -1):
        u = order[k]
        if nxt[u] >= 0:
            price += leg_cost[nxt[u]]
            for q in range(lay.row_ptr[nxt[u]], lay.row_ptr[nxt[u] + 1]):
                price += row_price[lay.row_of[q]]
        dist[u] = price
        seen[u] = now
    return price


@njit(**FLAT)
def _move_lump(
    lay, d, c, nxt, through, least, stay, stay_cost, table, leg_cost, leg_flow, s, steep, tolerance, row_price
):
    """Send the lump of ``d`` at core site ``c`` by the next leg that is best; return the saving."""
    v = through[c]
    left = stay_cost * v if stay != nxt[c] else 0.0
    now = left - way_change(lay, nxt, c, table, leg_cost, -v, s, steep, np.inf)
    if now <= v * (least[c] + tolerance):
        return 0.0
    book_way(lay, nxt, c, through, table, leg_flow, -v, s)
    chosen, best = best_leg(
        lay, d, c, nxt, v, least, stay, stay_cost, table, leg_cost, s, steep, now - v * tolerance - 1e-9 * now
    )
    if chosen >= 0:
        _price_way(lay, nxt, c, table, s, steep, row_price)
        nxt[c] = chosen
    book_way(lay, nxt, c, through, table, leg_flow, v, s)
    if chosen < 0:
        return 0.0
    _price_way(lay, nxt, c, table, s, steep, row_price)
    return now - best


@njit(**FLAT)
def move_lumps(
    dests, lay, trees, through, least, stay, stay_cost, table, leg_cost, leg_flow, s, steep, tolerance,
    row_price, dist, seen, order,
):  # fmt: skip
    """Move every lump of every destination of ``dests`` once; return the saving and the moves.

    A lump that could save less than ``tolerance`` a piece stays. Most are known to at once: row terms
    are convex, so what a lump costs is at most what one piece more would, times its pieces; that price
    is summed up once for all sites of a destination. ``row_price``, ``dist``, ``seen`` and ``order`` are
    scratch: one for each row, then for each core site.
    """
    total = 0.0
    moves = 0
    now = 0
    for r in range(table.shape[0]):
        row_price[r] = _row_price(table, r, s, steep)
    for c in range(seen.shape[0]):
        seen[c] = now
    for w in range(dests.shape[0]):
        d = dests[w]
        now += 1
        for c in range(trees.shape[1]):
            if trees[d, c] < 0 or through[d, c] <= 1e-6:
                continue
            price = _one_more(lay, trees[d], c, leg_cost, row_price, dist, seen, now, order)
            if stay[d, c] != trees[d, c]:
                price += stay_cost
            if price <= least[d, c] + tolerance:
                continue
            x = _move_lump(
                lay, d, c, trees[d], through[d], least[d], stay[d, c], stay_cost, table, leg_cost,
                leg_flow, s, steep, tolerance, row_price,
            )  # fmt: skip
            if x > 0.0:
                total += x
                moves += 1
                now += 1
    return total, moves


@njit(**FLAT)
def _slope_price(lay, table, leg_cost, a, s, steep):
    """Price of one piece more on leg ``a``."""
    c = leg_cost[a]
    for q in range(lay.row_ptr[a], lay.row_ptr[a + 1]):
        c += _row_price(table, lay.row_of[q], s, steep)
    return c


@njit(**FLAT)
def way_prices(lay, nxt, table, leg_cost, s, steep, dist, order):
    """Fill ``dist`` with the price of one piece more from each core site down the tree."""
    n = nxt.shape[0]
    for i in range(n):
        dist[i] = -1.0
    for i in range(n):
        m = 0
        c = i
        while dist[c] < 0.0:
            a = nxt[c]
            if a < 0:
                dist[c] = 0.0
                break
            if lay.arc_core_head[a] < 0:
                dist[c] = _slope_price(lay, table, leg_cost, a, s, steep)
                break
            order[m] = c
            m += 1
            c = lay.arc_core_head[a]
        for k in range(m - 1, -1, -1):
            u = order[k]
            a = nxt[u]
            dist[u] = dist[lay.arc_core_head[a]] + _slope_price(lay, table, leg_cost, a, s, steep)


@njit(**FLAT)
def _entry_open(lay, nxt, d, e, leg_cost):
    """Return whether pieces for ``d`` may enter by entry ``e`` and get there."""
    a = lay.entry_arc[e]
    c = lay.entry_c[e]
    if a >= 0 and (leg_cost[a] >= CLOSED or not (lay.passes[c] or lay.core_site[c] == lay.dest_site[d])):
        return False
    return nxt[c] >= 0 or lay.core_site[c] == lay.dest_site[d]


@njit(**FLAT)
def _entry_prices(lay, table, leg_cost, s, steep, price):
    """Fill ``price`` with the price of one piece more on each entry leg."""
    for e in range(price.shape[0]):
        a = lay.entry_arc[e]
        price[e] = 0.0
        if a >= 0:
            price[e] = _slope_price(lay, table, leg_cost, a, s, steep)


@njit(**FLAT)
def _cheapest_entry(lay, o, j0, dist, price, stay, stay_cost):
    """Return the entry that is cheapest for one piece more, and what it saves against ``j0``."""
    now = 0.0
    best = CLOSED
    chosen = j0
    e0 = lay.entry_ptr[o]
    for e in range(e0, lay.entry_ptr[o + 1]):
        y = dist[lay.entry_c[e]] + price[e]
        if stay != e - e0:
            y += stay_cost
        if e - e0 == j0:
            now = y
        elif y < best:
            best = y
            chosen = e - e0
    return chosen, now - best


@njit(**FLAT)
def _book_entry(lay, nxt, e, through, table, leg_flow, x, s):
    if lay.entry_arc[e] >= 0:
        book(lay, table, leg_flow, lay.entry_arc[e], x, s)
    book_way(lay, nxt, lay.entry_c[e], through, table, leg_flow, x, s)


@njit(**FLAT)
def entry_change(lay, nxt, e, table, leg_cost, x, s, steep, most):
    """Return how cost and terms change when ``x`` pieces enter by entry ``e`` and go on."""
    total = 0.0
    if lay.entry_arc[e] >= 0:
        total = leg_change(lay, table, leg_cost, lay.entry_arc[e], x, s, steep)
    return total + way_change(lay, nxt, lay.entry_c[e], table, leg_cost, x, s, steep, most - total)


@njit(**FLAT)
def move_pairs(
    dests, lay, demand, choice, trees, through, stay_choice, stay_cost, table, leg_cost, leg_flow, s, steep,
    tolerance, dist, order, price,
):  # fmt: skip
    """Move pairs to another entry leg where that is cheaper; return the saving and the moves."""
    total = 0.0
    moves = 0
    for w in range(dests.shape[0]):
        d = dests[w]
        nxt = trees[d]
        if w % FRESH == 0:
            _entry_prices(lay, table, leg_cost, s, steep, price)
        way_prices(lay, nxt, table, leg_cost, s, steep, dist, order)
        for p in range(demand.ptr[d], demand.ptr[d + 1]):
            j0 = choice[p]
            o = demand.origin[p]
            e0 = lay.entry_ptr[o]
            if j0 == HELD or lay.entry_ptr[o + 1] - e0 < 2:
                continue
            j1, gain = _cheapest_entry(lay, o, j0, dist, price, stay_choice[p], stay_cost)
            x = part(demand, p, s)
            if j1 == j0 or gain <= tolerance or x <= 0.0 or not _entry_open(lay, nxt, d, e0 + j1, leg_cost):
                continue
            _book_entry(lay, nxt, e0 + j0, through[d], table, leg_flow, -x, s)
            old = entry_change(lay, nxt, e0 + j0, table, leg_cost, x, s, steep, np.inf)
            old += stay_cost * x if stay_choice[p] != j0 else 0.0
            left = stay_cost * x if stay_choice[p] != j1 else 0.0
            new = left + entry_change(lay, nxt, e0 + j1, table, leg_cost, x, s, steep, old - left)
            if new < old:
                total += old - new
                moves += 1
                choice[p] = j1
            _book_entry(lay, nxt, e0 + choice[p], through[d], table, leg_flow, x, s)
    return total, moves
