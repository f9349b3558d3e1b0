"""Fastest ways of a large network: one pricing pass with hours in the place of costs."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.planning.trees import FLAT


@njit(**FLAT)
def hopeless(lay, trees, volumes, origin_h, promise_h, closed, out):
    """Add up, by class, pieces whose fastest open way is later than promised.

    ``trees`` must be priced with hours. ``out`` is (classes,).
    """
    for o in range(lay.origin_site.shape[0]):
        for pair in range(lay.pair_ptr[o], lay.pair_ptr[o + 1]):
            best = closed
            for e in range(lay.entry_ptr[o], lay.entry_ptr[o + 1]):
                best = min(best, trees.entry_cost[e] + trees.to_go[lay.entry_c[e], lay.pair_d[pair]])
            if best >= closed:
                continue
            step = pair if volumes.steps.shape[0] > 1 else 0
            below = 0.0
            for k in range(promise_h.shape[0]):
                upto = np.float64(volumes.steps[step, k])
                if best + origin_h[o] > promise_h[k] + 1e-6:
                    out[k] += (upto - below) * volumes.pair[pair]
                below = upto
