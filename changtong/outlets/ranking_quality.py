"""How well a score ranks what happened: area under the curve, average precision, calibration, thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def area_under_curve(score: Array, happened: Flags) -> float:
    """Return the probability that one that happened has the higher score; ties are half.

    Parameters
    ----------
    score : array
    happened : array of bool

    Returns
    -------
    float
        NaN where all or none happened.

    Examples
    --------
    >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True]))
    0.875
    """
    order = np.argsort(score, kind="stable")
    return _ordered_area(_group_starts(score[order]), happened[order].astype(np.float64), np.ones(len(score)))


def _ordered_area(starts: NDArray[np.int64], happened: Array, weight: Array) -> float:
    """Return the area where rows are in order of their score, and each counts so often."""
    if not len(starts):
        return float("nan")
    yes = np.add.reduceat(weight * happened, starts)
    no = np.add.reduceat(weight * (1.0 - happened), starts)
    pairs = yes.sum() * no.sum()
    if pairs == 0:
        return float("nan")
    return float((yes * (np.cumsum(no) - no / 2)).sum() / pairs)


def average_precision(score: Array, happened: Flags) -> float:
    """Return the mean precision over what happened, rows of the same score taken together.

    Parameters
    ----------
    score : array
    happened : array of bool

    Examples
    --------
    >>> average_precision(np.array([0.9, 0.5, 0.1]), np.array([True, False, True]))
    0.8333333333333333
    """
    if not happened.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    starts = _group_starts(-score[order])
    hits = np.add.reduceat(happened[order].astype(np.float64), starts)
    sizes = np.diff(np.append(starts, len(score)))
    precision = np.cumsum(hits) / np.cumsum(sizes)
    return float((precision * hits).sum() / happened.sum())


def _group_starts(ordered: Array) -> NDArray[np.int64]:
    if not len(ordered):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def threshold_for(score: Array, happened: Flags, most_false: float) -> float:
    """Return the lowest threshold with at most so many false rows at or above it.

    Parameters
    ----------
    score : array
    happened : array of bool
    most_false : float
        Rows.

    Returns
    -------
    float
        Infinite where even the highest score has too many.

    Examples
    --------
    >>> threshold_for(np.array([0.9, 0.8, 0.7, 0.7]), np.array([True, False, True, False]), 1)
    0.8
    """
    order = np.argsort(-score, kind="stable")
    starts = _group_starts(-score[order])
    if not len(starts):
        return float("inf")
    false = np.cumsum(np.add.reduceat((~happened[order]).astype(np.float64), starts))
    allowed = np.flatnonzero(false <= most_false)
    return float(score[order][starts[allowed[-1]]]) if allowed.size else float("inf")


def calibration(chance: Array, happened: Flags, groups: int = 10) -> list[dict[str, float | int]]:
    """Return groups of about as many rows each by probability: what was said, what happened.

    Rows of the same probability stay together.

    Parameters
    ----------
    chance : array
    happened : array of bool
    groups : int
    """
    if not len(chance):
        return []
    bounds = np.quantile(chance, np.arange(1, groups) / groups)
    place = np.searchsorted(np.unique(bounds), chance, side="left")
    made: list[dict[str, float | int]] = []
    for one in np.unique(place):
        mine = place == one
        made.append(
            {
                "rows": int(mine.sum()),
                "lowest": float(chance[mine].min()),
                "highest": float(chance[mine].max()),
                "said": float(chance[mine].mean()),
                "happened": float(happened[mine].mean()),
                "stops": int(happened[mine].sum()),
            }
        )
    return made


def resampled_difference(
    one: Array, other: Array, happened: Flags, of: NDArray[np.int64], *, draws: int, seed: int
) -> tuple[float, float]:
    """Return the 90 % interval of the difference of two areas under the curve, outlets drawn anew.

    Parameters
    ----------
    one, other : array
        Scores of the same rows.
    happened : array of bool
    of : array of int
        Outlet of each row: its months are drawn together.
    draws, seed : int
    """
    draw = np.random.default_rng(seed)
    outlets, of = np.unique(of, return_inverse=True)
    ordered = []
    for score in (one, other):
        order = np.argsort(score, kind="stable")
        ordered.append((_group_starts(score[order]), happened[order].astype(np.float64), of[order]))
    found = []
    for _ in range(draws):
        times = np.bincount(draw.integers(0, len(outlets), len(outlets)), minlength=len(outlets))
        first, second = (
            _ordered_area(starts, yes, times[who].astype(np.float64)) for starts, yes, who in ordered
        )
        found.append(first - second)
    known = np.array([value for value in found if value == value])
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.05, 0.95))
    return float(low), float(high)
