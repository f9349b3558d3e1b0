"""Which full row keeps each pair from being served: read from the loads of the plan as it is.

Prices alone do not say it: as long as the gap is loose many of them are still 0, while the legs
are full in the plan. So a row counts as blocking by its load, and prices only choose among rows
that are full.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSolver
from changtong.flows.pairs import best_exit, cheapest_entry
from changtong.flows.trees import FLAT

Floats = NDArray[np.float64]

FULL = 0.98
"""Load share from which a row counts as full."""

LEAST = 1e-6
"""Pieces a day unserved below which nothing is looked for."""

TOO_DEAR, ROOM_LEFT = -1, -2
"""Instead of a row: no way is cheap enough; or one with room on every row was not used."""

AROUND = 1e8
"""Price of a full row when ways around all full rows are looked for: above any penalty, below CLOSED."""


def row_loads(solver: FlowSolver, result: FlowResult) -> Floats:
    """Return the pieces a day on each capacity row in a plan, (rows,)."""
    lay, problem = solver.lay, solver.problem
    leg = np.repeat(np.arange(len(lay.row_ptr) - 1), np.diff(lay.row_ptr))
    load = np.bincount(lay.row_of, result.leg_flow[leg], minlength=len(solver.capacity))
    sent = problem.sent(result.unserved)
    some = lay.origin_row >= 0
    return np.asarray(load + np.bincount(lay.origin_row[some], sent[lay.origin_site[some]], len(load)))


def row_shares(solver: FlowSolver, result: FlowResult) -> Floats:
    """Return load over capacity of each row; a row of no capacity is full, (rows,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = row_loads(solver, result) / solver.capacity
    return np.where(solver.capacity > 0.0, share, 1.0)


def blocking_rows(solver: FlowSolver, result: FlowResult, most_cost: float) -> NDArray[np.int32]:
    """Return the row that keeps each pair from being served in full, or TOO_DEAR, ROOM_LEFT, (pairs,).

    A way counts when it costs less than ``most_cost``. Is there one without a full row, the pair
    could be served: room is left. Otherwise the full row with the highest price on the cheapest way
    is named, or the fullest where no price says more. Without any way that counts the pair is
    too dear.
    """
    share = row_shares(solver, result)
    out = np.full(len(solver.lay.pair_d), TOO_DEAR, np.int32)
    solver.pricing.price(np.where(share >= FULL, AROUND, 0.0))
    find_room(solver.lay, solver.trees, share, result.unserved, min(most_cost, AROUND), out)
    solver.pricing.price(np.zeros(len(share)))
    name_rows(solver.lay, solver.trees, result.row_price, share, result.unserved, most_cost, out)
    return out


@njit(**FLAT)
def find_room(lay, trees, share, unserved, most_cost, out):
    """Set ROOM_LEFT for pairs with something unserved and a way cheaper than ``most_cost``.

    ``trees`` must be priced so that a full row costs more than that.
    """
    for o in range(lay.origin_site.shape[0]):
        own = lay.origin_row[o]
        if own >= 0 and share[own] >= FULL:
            continue
        for pair in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            if unserved[pair] > LEAST and cheapest_entry(lay, trees, o, lay.pair_d[pair])[1] < most_cost:
                out[pair] = ROOM_LEFT


@njit(**FLAT)
def name_rows(lay, trees, price, share, unserved, most_cost, out):
    """Name a full row on the cheapest way of each pair with something unserved; ROOM_LEFT stays.

    ``trees`` must be priced without prices.
    """
    for o in range(lay.origin_site.shape[0]):
        for pair in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            if unserved[pair] <= LEAST or out[pair] == ROOM_LEFT:
                continue
            d = lay.pair_d[pair]
            j, cost = cheapest_entry(lay, trees, o, d)
            if cost >= most_cost:
                continue
            entry = lay.entry_ptr[o] + j
            c = lay.entry_c[entry]
            last = best_exit(lay, trees, c, d)
            row = _fuller(price, share, lay.origin_row[o], TOO_DEAR)
            row = _fullest_of(lay, price, share, lay.entry_arc[entry], row)
            t = lay.exit_t[last]
            i = c
            while i != lay.exit_core[t] and trees.nxt[t, i] >= 0:
                row = _fullest_of(lay, price, share, trees.nxt[t, i], row)
                i = lay.arc_core_head[trees.nxt[t, i]]
            out[pair] = _fullest_of(lay, price, share, lay.exit_arc[last], row)


@njit(**FLAT)
def _fullest_of(lay, price, share, arc, row):
    if arc >= 0:
        for q in range(lay.row_ptr[arc], lay.row_ptr[arc + 1]):
            row = _fuller(price, share, lay.row_of[q], row)
    return row


@njit(**FLAT)
def _fuller(price, share, r, row):
    """Return the better of two rows to name; rows with room are none."""
    if r < 0 or share[r] < FULL:
        return row
    if row < 0 or price[r] > price[row]:
        return r
    return r if price[r] == price[row] and share[r] > share[row] else row
