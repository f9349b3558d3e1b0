"""What a warning is made from: features that know their month and those before, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.outlets.outlet_months import Matrix
from changtong.outlets.peers import trailing_mean
from changtong.outlets.stability import Stability
from changtong.outlets.stoppages import Stoppages

MOST_SPREADS = 6.0
CHANGE_MONTHS = 3
FREE = "points_lost"
"""The feature that bears hardly any penalty: with few stops to learn from the model is near the index."""
YOUNG_MONTHS = 6
MOST_ROWS = 100_000
"""Outlet-months that a model is fitted to; of more, those without a stop are thinned out."""


def feature_names(stability: Stability) -> tuple[str, ...]:
    """Return the names of the features.

    Parameters
    ----------
    stability : Stability
    """
    used = [one.component.id for one in stability.standings if one.component.weight > 0]
    worse = [f"worse_{name}" for name in used]
    unknown = [f"unknown_{name}" for name in used]
    return (FREE, *worse, *unknown, "log_points", "index_fall", "log_size", "young")


def month_features(stability: Stability, month: int, rows: NDArray[np.bool_]) -> Matrix:
    """Return the features of some outlets in a month.

    Parameters
    ----------
    stability : Stability
    month : int
        Its column.
    rows : array of bool
        Outlets that stand in it.

    Notes
    -----
    Points lost; spreads worse of each component beyond where points begin to be lost (0 to 6; 0 and a mark
    of its own where nothing is known); the logarithm of the points; by how much the score has fallen over 3
    months; the logarithm of the usual pieces a day, since little is seen of a small outlet; and whether the
    outlet has been seen for fewer than 6 months.
    """
    lost, starts = 100.0 - stability.score[rows, month], stability.rules.scaling.starts
    columns: list[NDArray[np.float64]] = [lost]
    used = [one for one in stability.standings if one.component.weight > 0]
    for one in used:
        worse = one.worse[rows, month]
        columns.append(np.clip(np.nan_to_num(worse) - starts, 0.0, MOST_SPREADS))
    for one in used:
        columns.append((~np.isfinite(one.worse[rows, month])).astype(np.float64))
    columns.append(np.log1p(lost))
    start = max(0, month - CHANGE_MONTHS)
    score = stability.score[rows]
    before = trailing_mean(score[:, start : month + 1], CHANGE_MONTHS, before=1)[:, -1]
    columns.append(np.nan_to_num(before - score[:, month]))
    first = max(0, month - stability.rules.scaling.history_months + 1)
    daily = stability.months.daily[rows, first : month + 1]
    columns.append(np.log1p(np.nan_to_num(trailing_mean(daily, daily.shape[1])[:, -1])))
    seen = stability.months.present[rows, : month + 1].sum(axis=1)
    columns.append((seen < YOUNG_MONTHS).astype(np.float64))
    return np.column_stack(columns)


def stop_ahead(stoppages: Stoppages, month: int, ahead: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which outlets are known to have stood until just before a month ahead, and which stop in it.

    Parameters
    ----------
    stoppages : Stoppages
    month : int
        Now; only outlets that stand in it count.
    ahead : int
        1: the next month.
    """
    standing = stoppages.stands[:, month].copy()
    for between in range(month + 1, month + ahead):
        standing &= stoppages.stands[:, between]
    then = month + ahead
    return standing & stoppages.known[:, then], stoppages.stopped[:, then]


def stop_within(
    stoppages: Stoppages, month: int, horizon: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return of which outlets it is known whether they stop within a horizon, and which do.

    An outlet counts as standing on where it is known to stand at the end of the horizon, and in no month
    before is known to have stopped; where its end is not known and no stop is seen, nothing is known.

    Parameters
    ----------
    stoppages : Stoppages
    month, horizon : int
    """
    then = slice(month + 1, month + horizon + 1)
    standing = stoppages.stands[:, month]
    stops = standing & stoppages.stopped[:, then].any(axis=1)
    return stops | (standing & stoppages.stands[:, month + horizon]), stops


@dataclass(frozen=True)
class Lesson:
    """What a month ahead is learned from.

    Attributes
    ----------
    features : array
        Rows x features.
    stops : array
        1.0 where the outlet stops in that month, given that it has not before.
    weight : array
        How many outlet-months a row stands for.
    """

    features: Matrix
    stops: NDArray[np.float64]
    weight: NDArray[np.float64]


def lessons(
    stability: Stability,
    months: Sequence[int],
    horizon: int,
    last_known: int,
    *,
    only: NDArray[np.bool_] | None = None,
) -> list[Lesson]:
    """Return for each month ahead what it is learned from.

    Parameters
    ----------
    stability : Stability
    months : sequence of int
        Columns of the months learned from.
    horizon : int
    last_known : int
        Column of the last month whose outcome is known: nothing after it is looked at.
    only : array of bool, optional
        Learn from these outlets only.

    Notes
    -----
    Where there are very many outlet-months, all that are followed by a stop are kept and of the others a
    part, drawn by month with a fixed seed; each of these stands for as many as were left out.
    """
    stands, stopped = stability.stoppages.stands, stability.stoppages.stopped
    kept = _kept_share(int(stands[:, list(months)].sum()))
    parts: list[list[tuple[Matrix, NDArray[np.float64], NDArray[np.float64]]]] = [[] for _ in range(horizon)]
    for month in months:
        if month >= last_known:
            continue
        rows = stands[:, month] if only is None else stands[:, month] & only
        ahead_of_it = slice(month + 1, min(month + horizon, last_known) + 1)
        stops: NDArray[np.bool_] = np.asarray(stopped[:, ahead_of_it].any(axis=1))
        if kept < 1.0:
            rows = rows & (stops | (np.random.default_rng(month).random(len(rows)) < kept))
        if not rows.any():
            continue
        features, weight = month_features(stability, month, rows), np.where(stops[rows], 1.0, 1.0 / kept)
        for ahead in range(1, min(horizon, last_known - month) + 1):
            known, then = stop_ahead(stability.stoppages, month, ahead)
            chosen = known[rows]
            parts[ahead - 1].append((features[chosen], then[rows][chosen].astype(np.float64), weight[chosen]))
    width = len(feature_names(stability))
    none = (np.zeros((0, width)), np.zeros(0), np.zeros(0))
    return [Lesson(*(np.concatenate(column) for column in zip(none, *part, strict=True))) for part in parts]


def _kept_share(rows: int) -> float:
    return min(1.0, MOST_ROWS / max(rows, 1))
