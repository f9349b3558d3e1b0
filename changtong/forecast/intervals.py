"""Intervals of 80 %, from the errors the same method made on earlier days.

Conformal prediction (Vovk, Gammerman & Shafer 2005; split form, Lei et al. 2018, J. Am. Stat. Assoc. 113):
the forecast is made anew from several days in the past, each time with what was known by then, and
its errors, measured in a scale of each leg, give the quantiles for legs alike. Sites have errors of
their own, so that legs that rise together widen a site's interval; so has the total.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from changtong.forecast.calendar import Mark
from changtong.forecast.history import Bools, Floats, History, Ints
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

ASSUMED_SCORE = 2.0
"""Half width, in scales, where the history is too short for a single error."""

UNSEEN_EFFECT_SHARE = 0.3
"""What a factor that no earlier day tells may be off by, either way: assumed."""


@dataclass(frozen=True)
class Scores:
    """Errors of the past, in scales, with what they are alike in.

    Attributes
    ----------
    values : array, (errors,)
    keys : array, (errors, 3)
        Kind of row, horizon class, 1 for marked days.
    widening : float
        By which the quantiles of some past days must be taken to hold on the other ones.
    first : int
        First day of the forecast that erred, where there is one.
    """

    values: Floats
    keys: Ints
    widening: float = 1.0
    first: int = 0

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


@dataclass(frozen=True)
class Past:
    """Errors of forecasts made from earlier days.

    Attributes
    ----------
    legs, sites, total : Scores
    errors : polars.DataFrame
        By kind of row and horizon, beside seasonal naive (see :func:`error_table`).
    tried : int
        From how many earlier days.
    """

    legs: Scores
    sites: Scores
    total: Scores
    errors: pl.DataFrame
    tried: int


def gather_scores(
    history: History,
    marks: Sequence[Mark | None],
    ahead: int,
    *,
    progress: Callable[[str, float], None] | None = None,
) -> Past:
    """Return the errors of forecasts made from earlier days.

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
    gathered: dict[str, list[Trial]] = {"leg": [], "site": [], "total": []}
    for number, day in enumerate(tried):
        if progress is not None:
            progress("errors of the past", (1 + number) / (len(tried) + 1))
        past = history.before(day)
        if len(past.from_sites) == 0:
            continue
        reach = min(ahead, history.days - day)
        made = project(past, marks[: day + reach])
        row = {ends: k for k, ends in enumerate(history.legs)}
        same = [row[ends] for ends in past.legs]
        shut = past.will_be_shut(reach)
        seen = np.where(shut, 0.0, history.pieces[same, day : day + reach])
        naive = np.where(shut, 0.0, seasonal_naive(past, reach))
        marked = np.array([mark is not None for mark in marks[day : day + reach]])
        days = Days(day, history.known[day : day + reach], marked)
        of_sites, whole = [side.legs for side in sides(past)], [np.arange(len(same))]
        gathered["leg"].append(_trial(days, made.legs, seen, naive, ~shut))
        for kind, rows, legs_of in (("site", made.sites, of_sites), ("total", made.total, whole)):
            sums = sums_by_site(seen, legs_of), sums_by_site(naive, legs_of)
            open_ = np.array([~shut[legs].all(axis=0) for legs in legs_of])
            gathered[kind].append(_trial(days, rows, *sums, open_))
    joined = {kind: _joined([one.scores for one in trials], ahead) for kind, trials in gathered.items()}
    return Past(joined["leg"], joined["site"], joined["total"], error_table(gathered), len(gathered["leg"]))


def seasonal_naive(history: History, ahead: int) -> Floats:
    """Return the same weekday of the last week, the peer that each error stands beside.

    Parameters
    ----------
    history : History
    ahead : int
        Days.
    """
    return history.pieces[:, history.days - 7 + np.arange(ahead) % 7]


@dataclass(frozen=True)
class Days:
    """The days ahead of one trial: the first one, which of them are known, which are marked."""

    first: int
    known: Bools
    marked: Bools


@dataclass(frozen=True)
class Trial:
    """Errors of one earlier day's forecast: as scores, and as sums by horizon class."""

    scores: Scores
    sums: Floats


def _trial(days: Days, rows: Rows, seen: Floats, naive: Floats, open_: Bools) -> Trial:
    """Return the errors of one forecast.

    Parameters
    ----------
    days : Days
    rows : Rows
        Forecast.
    seen, naive : array, (rows, days)
        What came, and what seasonal naive said.
    open_ : array, (rows, days)
        Not shut: a known closure is no error.
    """
    told = days.known & ~rows.dead[:, None] & (rows.scale > 0) & open_
    values = (seen - rows.pieces)[told] / rows.scale[told]
    kind = np.broadcast_to(rows.kind[:, None], seen.shape)[told]
    near = np.digitize(np.arange(seen.shape[1]), NEAR_DAYS)
    horizon = np.broadcast_to(near, seen.shape)[told]
    marked = np.broadcast_to(days.marked, seen.shape)[told].astype(int)
    sums = np.zeros((len(NEAR_DAYS) + 1, 3))
    for k in range(len(sums)):
        here = days.known & (near == k)
        off = [np.abs(seen - guess)[:, here].sum() for guess in (rows.pieces, naive)]
        sums[k] = (*off, seen[:, here].sum())
    return Trial(Scores(values, np.column_stack([kind, horizon, marked]), first=days.first), sums)


def error_table(trials: dict[str, list[Trial]]) -> pl.DataFrame:
    """Return WAPE by kind of row and horizon, beside seasonal naive.

    Parameters
    ----------
    trials : dict
        Kind of row -> its trials.
    """
    ends = (1, *(day + 1 for day in NEAR_DAYS))
    rows = []
    for kind, of_kind in trials.items():
        sums = np.sum([one.sums for one in of_kind], axis=0) if of_kind else np.zeros((len(ends), 3))
        for k, (off, naive_off, seen) in enumerate(sums.tolist()):
            if seen > 0:
                last = NEAR_DAYS[k] if k < len(NEAR_DAYS) else None
                rows.append((kind, ends[k], last, off / seen, naive_off / seen))
    names = {"kind": pl.String, "from_day": pl.Int64, "to_day": pl.Int64}
    return pl.DataFrame(rows, schema=names | {"wape": pl.Float64, "naive_wape": pl.Float64}, orient="row")


def _joined(parts: list[Scores], apart: int = 0) -> Scores:
    """Put errors together, widened so that those of some days hold on the days left out.

    Errors of one day's forecast are wrong together, so that few days promise more than they hold
    (the jackknife+ of Barber et al. 2021, Ann. Stat. 49, by days instead of single errors).
    Forecasts made less than ``apart`` days from one left out saw the same days: they are left out with it.
    """
    if not parts:
        return Scores(np.zeros(0), np.zeros((0, 3), int))
    needed = []
    for left_out, part in enumerate(parts):
        rest = [one for number, one in enumerate(parts) if number != left_out]
        rest = [one for one in rest if abs(one.first - part.first) >= apart] or rest
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
