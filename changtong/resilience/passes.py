"""One pass over all pairs: what a closure costs at least, at prices that are known already."""

from __future__ import annotations

from numba import njit

from changtong.flows.pairs import _capped, cheapest_entries, cheapest_entry
from changtong.flows.trees import FLAT


@njit(**FLAT)
def pass_value(lo, hi, lay, trees, volumes, origin_price, closed, cost, option):
    """Return the dual value of the pairs of origins ``lo`` … ``hi``-1, and the pieces no way joins.

    Pairs without a way count with the penalties of their pieces. ``cost`` and ``option`` are scratch,
    one number a destination.
    """
    value = 0.0
    cut_off = 0.0
    top = volumes.penalty[volumes.penalty.shape[0] - 1]
    for o in range(lo, hi):
        first, last = lay.pair_ptr[o], lay.pair_ptr[o + 1]
        dense = 2 * (last - first) > cost.shape[0]
        if dense:
            cheapest_entries(lay, trees, o, cost, option)
        for p in range(first, last):
            d = lay.pair_d[p]
            best = cost[d] if dense else cheapest_entry(lay, trees, o, d)[1]
            if best >= closed:
                cut_off += volumes.pair[p]
            best += origin_price[o]
            value += volumes.pair[p] * best if best <= top else _capped(volumes, p, best)
    return value, cut_off


VALUE, PENALTY, PIECES, CUT_OFF = range(4)
"""Columns of ``sums_by_site``."""


@njit(**FLAT)
def sums_by_site(lay, trees, volumes, origin_price, closed, out):
    """Add up what the pairs that begin or end at each site are worth, (sites, 4).

    Dual value, penalties were none of their pieces served, pieces, pieces no way joins.
    """
    top = volumes.penalty[volumes.penalty.shape[0] - 1]
    for o in range(lay.origin_site.shape[0]):
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            d = lay.pair_d[p]
            best = cheapest_entry(lay, trees, o, d)[1]
            lost = volumes.pair[p] if best >= closed else 0.0
            best += origin_price[o]
            value = volumes.pair[p] * best if best <= top else _capped(volumes, p, best)
            penalty = _capped(volumes, p, 1e30)
            for site in (lay.origin_site[o], lay.dest_site[d]):
                out[site, 0] += value
                out[site, 1] += penalty
                out[site, 2] += volumes.pair[p]
                out[site, 3] += lost
