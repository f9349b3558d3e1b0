"""Levels ahead of series freed from weekday, holidays and promotions.

Two thirds are a median of the last days, which an outage or a burst does not move; one third are models of
the statsforecast library: simple exponential smoothing with fitted weight, IMAPA (Petropoulos & Kourentzes
2015, J. Oper. Res. Soc. 66, for series with gaps) and the dynamic optimised theta model (Fiorucci et al.
2016, Int. J. Forecast. 32), which brings the trend, damped by the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from changtong.forecast.history import Floats, History, Ints, site_outages

MEDIAN_DAYS = 14
MODEL_DAYS = 182
LEAST_DAYS_MODELS = 21
TREND_LEGS = 1000
"""Largest legs that get a model with trend, which takes as long as all else together."""

ROBUST_SHARE = 2 / 3
SPREAD_DAYS = 56
SPREAD_PRIOR_DAYS = 14.0


def adjusted_series(history: History, factors: Floats) -> Floats:
    """Return volumes over their factors; NaN where a day tells nothing of the level.

    Parameters
    ----------
    history : History
    factors : array, (legs, days)
        Of the history.
    """
    tells = np.broadcast_to(history.known, history.pieces.shape) & (factors > 0) & ~site_outages(history)
    tells = tells & (np.arange(history.days) >= history.first_days()[:, None]) & ~history.was_shut
    return np.where(tells, history.pieces / np.where(factors > 0, factors, 1.0), np.nan)


def recent(series: Floats, days: int) -> Floats:
    """Return the last ``days`` values that are there.

    Parameters
    ----------
    series : array, (days,)
    days : int
    """
    return np.asarray(series[np.isfinite(series)][-days:])


def levels_ahead(adjusted: Floats, days: int) -> tuple[Floats, list[str]]:
    """Return the level of each leg and day ahead, and the method of each leg.

    Parameters
    ----------
    adjusted : array, (legs, days)
        NaN where a day tells nothing.
    days : int
        Days ahead.
    """
    from statsforecast.models import IMAPA, DynamicOptimizedTheta, SimpleExponentialSmoothingOptimized

    smooth, gaps, theta = (
        SimpleExponentialSmoothingOptimized(),
        IMAPA(),
        DynamicOptimizedTheta(season_length=1),
    )
    volume = np.nansum(adjusted[:, -MODEL_DAYS:], axis=1)
    trended = set(np.argsort(-volume, kind="stable")[:TREND_LEGS].tolist())
    ahead, methods = np.zeros((len(adjusted), days)), []
    for leg, series in enumerate(adjusted):
        values = recent(series, MODEL_DAYS)
        if len(values) == 0:
            methods.append("zero")
            continue
        level = float(np.median(values[-MEDIAN_DAYS:]))
        if len(values) < LEAST_DAYS_MODELS:
            ahead[leg] = level
            methods.append("flat" if len(values) < 2 else "median")
            continue
        chosen: list[Any] = [smooth, gaps]
        if leg in trended and np.mean(values[-28:] > 0) >= 0.5:
            chosen.append(theta)
        found = [np.asarray(model.forecast(y=values, h=days)["mean"], np.float64) for model in chosen]
        most = float(values[-2 * MEDIAN_DAYS :].max())
        model_mean = np.clip(np.mean([np.nan_to_num(f, nan=level) for f in found], axis=0), 0.0, most)
        ahead[leg] = ROBUST_SHARE * level + (1.0 - ROBUST_SHARE) * model_mean
        methods.append("median+models")
    return ahead, methods


def spreads(adjusted: Floats, level: Floats) -> Floats:
    """Return the mean distance of the last days from the level, drawn towards that of like legs.

    Parameters
    ----------
    adjusted : array, (rows, days)
    level : array, (rows,)
        Mean level ahead.
    """
    count, own = np.zeros(len(adjusted)), np.zeros(len(adjusted))
    for row, series in enumerate(adjusted):
        values = recent(series, SPREAD_DAYS)
        count[row] = len(values)
        own[row] = np.abs(values - np.median(values)).mean() if len(values) else 0.0
    told = (count >= SPREAD_PRIOR_DAYS) & (level > 0)
    usual = float(np.median(own[told] / level[told])) if told.any() else 0.5
    drawn = (count * own + SPREAD_PRIOR_DAYS * usual * level) / (count + SPREAD_PRIOR_DAYS)
    return np.asarray(np.maximum(drawn, 0.02 * level + 0.5))


def zero_shares(adjusted: Floats) -> Floats:
    """Return the share of the last 28 days on which nothing moved."""
    shares = [float(np.mean(values == 0.0)) if len(values := recent(s, 28)) else 1.0 for s in adjusted]
    return np.array(shares)


def sums_by_site(values: Floats, legs_of: list[Ints]) -> Floats:
    """Return sums over the legs of each site; NaN only where every leg is."""
    out = np.zeros((len(legs_of), values.shape[1]))
    for row, legs in enumerate(legs_of):
        part = values[legs]
        out[row] = np.where(np.isfinite(part).any(axis=0), np.nansum(part, axis=0), np.nan)
    return out
