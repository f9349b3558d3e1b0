"""What is normal for a subject: its own median, its weekday, the network's day, robust distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOW_DAYS = 56
"""Eight weeks: enough of one weekday, short enough to follow a network that changes."""

LEVEL_DAYS = 28
LEAST_DAYS = 14
LEAST_SAME_WEEKDAY = 3
LEAST_WEEKS_REST = 2
PRIOR_WEEKS = 3.0
"""Weight of "weekdays do not matter" against the weeks seen."""

FACTOR_RANGE = (0.3, 3.0)
LEAST_OTHER_SITES = 8
"""With fewer other sites the network's day cannot be told from a site's own."""

MAD_SCALE = 1.4826
"""Median absolute deviation to standard deviation, for normal values."""


def row_medians(values: Floats) -> tuple[Floats, Floats]:
    """Return the median of each row without its NaN (NaN where there is none), and how many there are."""
    count = np.count_nonzero(~np.isnan(values), axis=1)
    if values.shape[1] == 0:
        return np.full(len(values), np.nan), count.astype(np.float64)
    order = np.sort(values, axis=1)  # NaN last
    rows = np.arange(len(values))
    low = order[rows, np.maximum(0, (count - 1) // 2)]
    high = order[rows, np.minimum(values.shape[1] - 1, count // 2)]
    return np.where(count > 0, (low + high) / 2.0, np.nan), count.astype(np.float64)


def levels(freed: Floats) -> Floats:
    """Return the level of each row today: NaN where too little is known, 0 where it rests on this weekday.

    Parameters
    ----------
    freed : array, (rows, days)
        Values over the network's factor, up to yesterday.
    """
    level, days = row_medians(freed[:, -LEVEL_DAYS:])
    # after an outage the last four weeks may hold too few days that tell: then all eight do
    wider, all_days = row_medians(freed)
    wider = np.where(all_days >= LEAST_DAYS, wider, np.nan)
    level = np.where(days >= LEAST_DAYS, level, wider)
    same, weeks = row_medians(freed[:, -7::-7])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.minimum(same / level, 2.0)
        factor = (weeks * ratio + PRIOR_WEEKS) / (weeks + PRIOR_WEEKS)
    factor = np.where((weeks >= LEAST_SAME_WEEKDAY) & np.isfinite(factor), factor, 1.0)
    rests = (weeks >= LEAST_WEEKS_REST) & (same == 0.0)
    return np.where(rests & ~np.isnan(level), 0.0, level * factor)


def network_factors(seen: Floats, level: Floats, use: Bools) -> tuple[Floats, float]:
    """Return today's factor for each site, from the other sites alone, and that of all.

    The weighted median of what sites move over their levels: a dip of the whole network is no
    outage of a site, and one site's outage, however large, is no dip of the network.

    Parameters
    ----------
    seen, level : array
    use : array of bool
        Sites that tell.
    """
    factors = np.ones(len(seen))
    at = np.flatnonzero(use)
    if len(at) <= LEAST_OTHER_SITES:
        return factors, 1.0
    ratio, weight = seen[at] / level[at], np.sqrt(level[at])
    order = np.argsort(ratio, kind="stable")
    run, ranked = np.cumsum(weight[order]), ratio[order]
    whole = run[-1]
    place = np.empty(len(at), np.int64)
    place[order] = np.arange(len(at))
    last = len(at) - 1
    before = np.minimum(np.searchsorted(run, (whole - weight) / 2.0), last)
    after = np.minimum(np.searchsorted(run, (whole + weight) / 2.0), last)
    middle = ranked[min(int(np.searchsorted(run, whole / 2.0)), last)]
    factors[:] = np.clip(middle, *FACTOR_RANGE)
    factors[at] = np.clip(ranked[np.where(place > before, before, after)], *FACTOR_RANGE)
    return factors, float(middle)


def robust_distance(
    value: Floats, same: Floats, wide: Floats, least_deviation: float
) -> tuple[Floats, Floats]:
    """Return how many robust deviations each value lies above its normal, and that normal.

    Few values of the same weekday or hour give a fair median and a poor spread, hence the larger of both.

    Parameters
    ----------
    value : array, (rows,)
    same, wide : array, (rows, values)
        Past values of the same weekday or hour, whose median is normal, and of all weekdays.
    least_deviation : float
        Deviations below it count as this much.
    """
    middle, _ = row_medians(same)
    near, _ = row_medians(np.abs(same - middle[:, None]))
    overall, _ = row_medians(wide)
    far, _ = row_medians(np.abs(wide - overall[:, None]))
    scale = np.maximum(MAD_SCALE * np.fmax(near, far), least_deviation)
    return (value - middle) / scale, middle
