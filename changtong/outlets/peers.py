"""Outlets of like size in a month, and how an outlet stands to them and to its own past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.outlets.index_rules import Scaling
from changtong.outlets.outlet_months import Matrix

NORMAL_UPPER_TENTH = 1.2815515655446004
"""Spread of a normal distribution from its median to its upper tenth."""


ALONE = 1e-12
"""Weight of a comparison that has none, so that it counts where the other cannot be made."""


def trailing_sums(values: Matrix, length: int, *, before: int = 0) -> tuple[Matrix, Matrix]:
    """Return the sum and the number of known values of some months up to each month.

    Parameters
    ----------
    values : array
        Outlets x months; NaN is not known.
    length : int
        Months at most.
    before : int
        The window ends so many months before the month itself.

    Examples
    --------
    >>> sums, counts = trailing_sums(np.array([[1.0, np.nan, 3.0]]), 2)
    >>> sums.tolist(), counts.tolist()
    ([[1.0, 1.0, 3.0]], [[1.0, 1.0, 1.0]])
    """
    known = np.isfinite(values)
    made = []
    for array in (np.where(known, values, 0.0), known.astype(np.float64)):
        run = np.zeros((array.shape[0], array.shape[1] + 1))
        np.cumsum(array, axis=1, out=run[:, 1:])
        months = np.arange(array.shape[1])
        end = np.maximum(months + 1 - before, 0)
        made.append(run[:, end] - run[:, np.maximum(end - length, 0)])
    return made[0], made[1]


def trailing_mean(values: Matrix, length: int, *, before: int = 0, least: int = 1) -> Matrix:
    """Return the mean of the known values of some months up to each month, NaN where fewer than ``least``.

    Parameters
    ----------
    values : array
    length, before, least : int
    """
    sums, counts = trailing_sums(values, length, before=before)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts >= least, sums / counts, np.nan)


def size_classes(daily: Matrix, counted: NDArray[np.bool_], scaling: Scaling) -> NDArray[np.int8]:
    """Return the class of like size of each outlet and month; -1 where there is none to compare with.

    Parameters
    ----------
    daily : array
        Pieces a day.
    counted : array of bool
        Outlets that are open in the month.
    scaling : Scaling
    """
    size = trailing_mean(daily, scaling.history_months)
    made = np.full(daily.shape, -1, dtype=np.int8)
    for month in range(daily.shape[1]):
        there = counted[:, month] & np.isfinite(size[:, month])
        number = int(there.sum())
        if number < scaling.least_peers:
            continue
        classes = max(1, min(scaling.size_classes, number // scaling.least_peers))
        bounds = np.quantile(size[there, month], np.arange(1, classes) / classes)
        made[there, month] = np.searchsorted(bounds, size[there, month], side="left")
    return made


def peer_rates(over: Matrix, under: Matrix, classes: NDArray[np.int8]) -> Matrix:
    """Return the rate of all outlets of like size together, NaN where there is none to compare with.

    Parameters
    ----------
    over, under : array
        Counts, and what they are counted of.
    classes : array of int8
    """
    made = np.full(over.shape, np.nan)
    known = np.isfinite(over) & np.isfinite(under) & (classes >= 0)
    for month in range(over.shape[1]):
        rows = np.flatnonzero(known[:, month])
        if not rows.size:
            continue
        place = classes[rows, month]
        length = int(classes[:, month].max()) + 1
        total = np.bincount(place, under[rows, month], length)
        rate = np.full(length, np.nan)
        np.divide(np.bincount(place, over[rows, month], length), total, out=rate, where=total > 0)
        mine = classes[:, month] >= 0
        made[mine, month] = rate[classes[mine, month]]
    return made


def peer_middles(values: Matrix, classes: NDArray[np.int8], scaling: Scaling) -> tuple[Matrix, Matrix]:
    """Return median and upper spread of the outlets of like size.

    Parameters
    ----------
    values : array
    classes : array of int8
    scaling : Scaling
    """
    middle, spread = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    for month in range(values.shape[1]):
        column, place = values[:, month], classes[:, month]
        for one in range(int(place.max(initial=-1)) + 1):
            mine = place == one
            known = column[mine & np.isfinite(column)]
            if known.size < scaling.least_peers:
                continue
            half, tenth = np.quantile(known, (0.5, 0.9))
            middle[mine, month] = half
            spread[mine, month] = (tenth - half) / NORMAL_UPPER_TENTH
    return middle, spread


def spreads_worse(
    values: Matrix, middle: Matrix, spread: Matrix, scaling: Scaling, least_scale: float
) -> tuple[Matrix, Matrix]:
    """Return by how many spreads a value is worse, together, and the mean of the own months before.

    The own spread has the peers' mixed in, worth `history_prior` months. Where one of the two comparisons
    cannot be made the other counts alone; where neither can, nothing is known.

    Parameters
    ----------
    values, middle, spread : array
    scaling : Scaling
    least_scale : float
    """
    peer_scale = np.maximum(np.nan_to_num(spread, nan=least_scale), least_scale)
    to_peers = (values - middle) / peer_scale
    sums, counts = trailing_sums(values, scaling.history_months, before=1)
    squares, _ = trailing_sums(values**2, scaling.history_months, before=1)
    enough = counts >= scaling.least_history
    with np.errstate(invalid="ignore", divide="ignore"):
        usual = np.where(enough, sums / counts, np.nan)
        variance = np.maximum(squares / counts - usual**2, 0.0) * counts
        scale = np.sqrt((variance + scaling.history_prior * peer_scale**2) / (counts + scaling.history_prior))
        to_past = (values - usual) / np.maximum(scale, least_scale)
    own = np.where(np.isfinite(to_past), max(scaling.own_weight, ALONE), 0.0)
    others = np.where(np.isfinite(to_peers), max(1.0 - scaling.own_weight, ALONE), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        joined = np.nan_to_num(to_past) * own + np.nan_to_num(to_peers) * others
        return np.where(own + others > 0, joined / (own + others), np.nan), usual
