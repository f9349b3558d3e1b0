"""Intervals of 80 %, from the errors the same method made on earlier days.

Conformal prediction (Vovk, Gammerman & Shafer 2005; split form, Lei et al. 2018, J. Am. Stat. Assoc. 113):
the forecast is made anew from several days in the past, each time with what was known by then, and
its errors, measured in the usual distance of each leg from its level, give the quantiles for legs
alike. Sites have errors of their own, so that legs that rise together widen a site's interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from changtong.forecast.calendar import Mark
from changtong.forecast.history import Floats, History, Ints
from changtong.forecast.models import sums_by_site
from changtong.forecast.projection import Projection, Rows, project, sides

COVERAGE_SHARE = 0.8
BACKTESTS = 8
BACKTEST_EVERY_DAYS = 14
LEAST_DAYS_BACKTEST = 28
LEAST_SCORES = 200
"""Errors needed for the quantile of a group; with fewer, a coarser group tells."""

NEAR_DAYS = (7, 14)
"""Horizons from which on errors are taken apart."""

MOST_WIDENING = 3.0

ASSUMED_SCORE = 3.0
"""Half width, in usual distances, where the history is too short for a single error."""

UNSEEN_EFFECT_SHARE = 0.3
"""What a factor that no earlier day tells may be off by, either way: assumed."""


@dataclass(frozen=True)
class Scores:
    """Errors of the past, in usual distances, with what they are alike in.

    Attributes
    ----------
    values : array, (errors,)
    keys : array, (errors, 3)
        Kind of row, horizon class, 1 for marked days.
    widening : float
        By which the quantiles of some past days must be taken to hold on the other ones.
    """

    values: Floats
    keys: Ints
    widening: float = 1.0

    def quantiles(self, kind: int, horizon: int, marked: int) -> tuple[float, float]:
        """Return the two quantiles of errors alike: all keys, then fewer of them, then none.

        Parameters
        ----------
        kind, horizon, marked : int
        """
        wanted = np.array([kind, horizon, marked])
        for used in ((0, 1, 2), (0, 1), (0,), ()):
            alike = (self.keys[:, used] == wanted[list(used)]).all(axis=1)
            count = int(np.count_nonzero(alike))
            if count >= LEAST_SCORES or (not used and count >= 20):
                tail = (1.0 - COVERAGE_SHARE) / 2.0
                low, high = np.quantile(self.values[alike], [tail, 1.0 - tail])
                return self.widening * float(min(low, 0.0)), self.widening * float(max(high, 0.0))
        return -ASSUMED_SCORE, ASSUMED_SCORE


def backtest_days(days: int, ahead: int) -> list[int]:
    """Return the days of the history from which the forecast is tried, latest first.

    Parameters
    ----------
    days : int
        Of the history.
    ahead : int
        Days of the forecast.
    """
    tried = [days - ahead - BACKTEST_EVERY_DAYS * k for k in range(BACKTESTS)]
    tried = [day for day in tried if day >= LEAST_DAYS_BACKTEST]
    if len(tried) >= 2:
        return tried
    short = [days - 7 * k for k in range(1, 5)]
    return sorted({*tried, *(day for day in short if day >= LEAST_DAYS_BACKTEST // 2)}, reverse=True)


def gather_scores(
    history: History,
    marks: Sequence[Mark | None],
    ahead: int,
    *,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Scores, Scores, int]:
    """Return the errors of legs and of sites, and from how many days they come.

    Parameters
    ----------
    history : History
    marks : sequence
        Of every day of history and forecast.
    ahead : int
        Days of the forecast.
    progress : callable, optional
        Told the stage and the share done.
    """
    tried = backtest_days(history.days, ahead)
    legs, sites = [], []
    for number, day in enumerate(tried):
        if progress is not None:
            progress("errors of the past", (1 + number) / (len(tried) + 1))
        past = history.before(day)
        if len(past.from_sites) == 0:
            continue
        reach = min(ahead, history.days - day)
        known = history.known[day : day + reach]
        made = project(past, marks[: day + reach])
        row = {ends: k for k, ends in enumerate(zip(history.from_sites, history.to_sites, strict=True))}
        same = [row[ends] for ends in zip(past.from_sites, past.to_sites, strict=True)]
        seen = history.pieces[same, day : day + reach]
        marked = np.array([mark is not None for mark in marks[day : day + reach]])
        legs.append(_scores(made.legs, seen, known, marked))
        of_sites = [side.legs for side in sides(past)]
        sites.append(_scores(made.sites, sums_by_site(seen, of_sites), known, marked))
    return _joined(legs), _joined(sites), len(legs)


def _scores(rows: Rows, seen: Floats, known: np.ndarray, marked: np.ndarray) -> Scores:
    told = np.broadcast_to(known, seen.shape) & ~rows.dead[:, None] & (rows.scale > 0)
    values = (seen - rows.pieces)[told] / rows.scale[told]
    kind = np.broadcast_to(rows.kind[:, None], seen.shape)[told]
    horizon = np.broadcast_to(np.digitize(np.arange(seen.shape[1]), NEAR_DAYS), seen.shape)[told]
    days = np.broadcast_to(marked, seen.shape)[told].astype(int)
    return Scores(values, np.column_stack([kind, horizon, days]))


def _joined(parts: list[Scores]) -> Scores:
    """Put errors together, widened so that those of some days hold on the days left out.

    Errors of one day's forecast are wrong together, so that few days promise more than they hold
    (the jackknife+ of Barber et al. 2021, Ann. Stat. 49, by days instead of single errors).
    """
    if not parts:
        return Scores(np.zeros(0), np.zeros((0, 3), int))
    needed = []
    for left_out, part in enumerate(parts):
        rest = [one for number, one in enumerate(parts) if number != left_out]
        if not rest or not len(part.values):
            continue
        others = _stacked(rest)
        keys, at = np.unique(part.keys, axis=0, return_inverse=True)
        ends = np.array([others.quantiles(*key) for key in keys.tolist()])[at.ravel()]
        side = np.where(part.values < 0, ends[:, 0], ends[:, 1])
        away = np.where(side != 0, part.values / np.where(side != 0, side, 1.0), 2.0 * MOST_WIDENING)
        needed.append(np.where(part.values == 0, 0.0, away))
    widening = float(np.quantile(np.concatenate(needed), COVERAGE_SHARE)) if needed else 1.0
    return replace(_stacked(parts), widening=min(max(1.0, widening), MOST_WIDENING))


def _stacked(parts: list[Scores]) -> Scores:
    return Scores(np.concatenate([p.values for p in parts]), np.vstack([p.keys for p in parts]))


def bands(rows: Rows, scores: Scores, marked: np.ndarray, unseen: np.ndarray) -> tuple[Floats, Floats]:
    """Return the lower and upper end by row and day.

    Parameters
    ----------
    rows : Rows
    scores : Scores
    marked, unseen : array, (days,)
        Marked days, and those among them whose factor no earlier day tells.
    """
    low, high = np.zeros_like(rows.pieces), np.zeros_like(rows.pieces)
    horizon = np.digitize(np.arange(rows.pieces.shape[1]), NEAR_DAYS)
    known: dict[tuple[int, int, int], tuple[float, float]] = {}
    for row, kind in enumerate(rows.kind.tolist()):
        if rows.dead[row]:
            continue
        ends = []
        for key in zip([kind] * len(horizon), horizon.tolist(), marked.astype(int).tolist(), strict=True):
            if key not in known:
                known[key] = scores.quantiles(*key)
            ends.append(known[key])
        below, above = np.array(ends).T * rows.scale[row]
        extra = np.where(unseen, UNSEEN_EFFECT_SHARE * rows.pieces[row], 0.0)
        low[row] = np.maximum(0.0, rows.pieces[row] - np.hypot(below, extra))
        high[row] = rows.pieces[row] + np.hypot(above, extra)
    return low, high


def interval_basis(tried: int, projection: Projection) -> str:
    """Say where the intervals come from."""
    if tried == 0 or not projection.legs.pieces.size:
        return "intervals: assumed, the history is too short to try the method on it"
    return f"intervals: errors of forecasts made from {tried} earlier days"
