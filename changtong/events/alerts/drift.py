"""Slow drifts over weeks: Mann and Kendall's test with its exact chance, Theil and Sen's slope.

The chance is exact for independent weeks without ties; ties make it smaller than stated. Weeks that hang
together drift more often than the chance says, and are told as what they are: a drift.
Mann 1945, Econometrica 13; Kendall 1975; Theil 1950; Sen 1968, J. Am. Stat. Assoc. 63.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from changtong.events.alerts.levels import row_medians

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEKS = 8
LEAST_DAYS_A_WEEK = 4


@cache
def least_score(weeks: int, alpha: float) -> int:
    """Return the smallest S whose chance to be reached, one-sided and where nothing drifts, is at most alpha.

    ``weeks * (weeks - 1) / 2 + 1`` where even the largest S is likelier than that.

    Examples
    --------
    >>> least_score(4, 0.05)  # one order of 24 has S = 6
    6
    """
    pairs = weeks * (weeks - 1) // 2
    counts = [1]  # orders by number of inversions
    for k in range(2, weeks + 1):
        grown = [0] * (len(counts) + k - 1)
        for place, count in enumerate(counts):
            for more in range(k):
                grown[place + more] += count
        counts = grown
    whole, tail, least = sum(counts), 0, pairs + 1
    for inversions, count in enumerate(counts):  # S = pairs - 2 inversions
        tail += count
        if tail > alpha * whole:
            break
        least = pairs - 2 * inversions
    return least


def weekly_medians(days: Floats) -> Floats:
    """Return the medians of the last eight weeks, (rows, 8); NaN where fewer than four days are known."""
    weeks = days[:, -7 * WEEKS :].reshape(len(days), WEEKS, 7)
    middle, count = row_medians(weeks.reshape(-1, 7))
    return np.where(count >= LEAST_DAYS_A_WEEK, middle, np.nan).reshape(len(days), WEEKS)


def trends(weeks: Floats) -> tuple[Ints, Floats]:
    """Return Mann and Kendall's S and Theil and Sen's change over the weeks, (rows,); NaN rows give 0."""
    first, second = np.triu_indices(weeks.shape[1], 1)
    rises = weeks[:, second] - weeks[:, first]
    whole = ~np.isnan(weeks).any(axis=1)
    score = np.where(whole, np.nansum(np.sign(rises), axis=1), 0.0).astype(np.int64)
    slope, _ = row_medians(rises / (second - first))
    return score, np.where(whole, slope * (weeks.shape[1] - 1), 0.0)
