"""Which entry legs each pair's pieces take: one number for most pairs, a few cells for the others.

Nearly every pair sends all its pieces over one entry leg. Only pairs that are split over
several, or served in part, hold cells in ``volumes.mix``: 8 million pairs cost 32 MB.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.flows.volumes import SHORT, USED

NOTHING = -(1 << 30)
"""Slot of a pair that sends nothing."""

WHOLE = 1e-7
"""A volume this close to all of a pair, as a share, is all of it: single precision."""


@njit(**FLAT)
def entry_volume(volumes, pair, j):
    """Return the pieces a day of a pair that take its entry option ``j``."""
    s = volumes.slot[pair]
    if s >= 0:
        return np.float64(volumes.mix[s + j])
    return np.float64(volumes.pair[pair]) if s == -1 - j else 0.0


@njit(**FLAT)
def served(volumes, pair, k):
    """Return the pieces a day of a pair that are on their way; it has ``k`` entry options."""
    s = volumes.slot[pair]
    if s >= 0:
        total = 0.0
        for j in range(k):
            total += volumes.mix[s + j]
        return total
    return 0.0 if s == NOTHING else np.float64(volumes.pair[pair])


@njit(**FLAT)
def lowest_share(volumes, pair, going):
    """Return the share of the lowest class in the ``going`` pieces a day of a pair: it is held first."""
    n = volumes.steps.shape[1]
    if n == 1 or going <= 0.0:
        return 1.0
    above = volumes.steps[pair if volumes.steps.shape[0] > 1 else 0, n - 2]
    return max(0.0, 1.0 - np.float64(volumes.pair[pair]) * above / going)


@njit(**FLAT)
def open_slot(volumes, pair, k):
    """Give a pair cells of its own and return their place, -1 when there is no room."""
    s = volumes.slot[pair]
    if s >= 0:
        return s
    at = volumes.room[USED]
    if at + k > volumes.mix.shape[0]:
        volumes.room[SHORT] = 1
        return -1
    volumes.room[USED] += k
    for j in range(k):
        volumes.mix[at + j] = 0.0
    if s != NOTHING:
        volumes.mix[at - 1 - s] = volumes.pair[pair]
    volumes.slot[pair] = at
    return at


@njit(**FLAT)
def close_slot(volumes, pair, k):
    """Give the cells up where the pair's pieces are all on one entry, or none is on its way."""
    s = volumes.slot[pair]
    if s < 0:
        return
    busy = -1
    for j in range(k):
        if volumes.mix[s + j] > 0.0:
            if busy >= 0:
                return
            busy = j
    if busy < 0:
        volumes.slot[pair] = NOTHING
    elif volumes.mix[s + busy] >= volumes.pair[pair] * (1.0 - WHOLE):
        volumes.slot[pair] = -1 - busy
    else:
        return
    if s + k == volumes.room[USED]:
        volumes.room[USED] = s


@njit(**FLAT)
def pack(lay, volumes, mix):
    """Copy the cells in use to ``mix``, close ranks; return how many are in use."""
    at = 0
    for o in range(lay.origin_site.shape[0]):
        k = lay.entry_ptr[o + 1] - lay.entry_ptr[o]
        for p in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            s = volumes.slot[p]
            if s >= 0:
                for j in range(k):
                    mix[at + j] = volumes.mix[s + j]
                volumes.slot[p] = at
                at += k
    return at
