"""Hourly volumes of days that are not known yet: the day by the forecast, its hours by the latest weeks."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import NormalDist

import polars as pl

from changtong.errors import UsageError
from changtong.forecast.volumes_ahead import forecast_volumes
from changtong.workforce.workforce_folder import Workforce

PROFILE_DAYS = 28
WHERE_TO = "(sorted)"
EIGHTY = NormalDist().inv_cdf(0.9)
"""A forecast's interval of 80 % reaches so many standard deviations to either side."""


def hourly_ahead(
    workforce: Workforce, sites: tuple[str, ...], last: date, quantile: float = 0.5
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return hourly volumes up to a day, and notes on what was forecast.

    Parameters
    ----------
    workforce : Workforce
        With ``hourly``, and ``daily`` where there is a longer history.
    sites : tuple of str
    last : date
    quantile : float
        Of the forecast: between its middle and the ends of its interval of 80 % as a normal distribution
        would go on, on either side by its own end.

    Raises
    ------
    UsageError
        The quantile; ``missing-library``.
    """
    if not 0.01 <= quantile <= 0.99:
        raise UsageError(f"Quantile {quantile}: expected 0.01 to 0.99.")
    hourly = workforce.hourly.filter(pl.col("site").is_in(sites))
    known: date = workforce.hourly["date"].max()  # type: ignore[assignment]
    if last <= known:
        given = ("--quantile is of forecast days; all days are given",)
        return hourly, given if quantile != 0.5 else ()
    days = (last - known).days
    forecast = forecast_volumes(history(workforce, sites), until=known + timedelta(days=1), days=days)
    z = NormalDist().inv_cdf(quantile) / EIGHTY
    end = pl.col("high_pieces") if z >= 0 else pl.col("low_pieces")
    ahead = forecast.sites.filter(pl.col("direction") == "out").select(
        "site",
        "date",
        (pl.col("pieces") + abs(z) * (end - pl.col("pieces"))).clip(0).alias("day_pieces"),
    )
    made = (
        ahead.join(profile(hourly, known), on="site")
        .select("site", "date", "hour", (pl.col("day_pieces") * pl.col("share")).round(3).alias("pieces"))
        .cast(dict(hourly.schema))  # type: ignore[arg-type]
    )
    notes = (
        f"{days} days from {known + timedelta(days=1)} are forecast (quantile {quantile:g}), their hours"
        f" shared as in the {PROFILE_DAYS} days before",
        *forecast.notes,
    )
    return pl.concat([hourly, made.select(hourly.columns)]), notes


def history(workforce: Workforce, sites: tuple[str, ...]) -> pl.DataFrame:
    """Return the days known, as the forecast wants them: what each centre sorts, as one leg.

    Parameters
    ----------
    workforce : Workforce
    sites : tuple of str
    """
    summed = workforce.hourly.group_by("site", "date").agg(pl.col("pieces").sum())
    both = pl.concat(
        [summed.select("site", "date", "pieces"), workforce.daily.select("site", "date", "pieces")]
    )
    once = both.filter(pl.col("site").is_in(sites)).unique(
        ["site", "date"], keep="first", maintain_order=True
    )
    return once.select(
        "date", pl.col("site").alias("from_site"), pl.lit(WHERE_TO).alias("to_site"), "pieces"
    ).sort("from_site", "date")


def profile(hourly: pl.DataFrame, known: date) -> pl.DataFrame:
    """Return the share of each hour in a centre's day: site, hour, share.

    Parameters
    ----------
    hourly : polars.DataFrame
    known : date
        The last day known.
    """
    late = hourly.filter(pl.col("date") > known - timedelta(days=PROFILE_DAYS))
    by_hour = late.group_by("site", "hour").agg(pl.col("pieces").sum())
    total = pl.col("pieces").sum().over("site")
    share = pl.when(total > 0).then(pl.col("pieces") / total).otherwise(1 / pl.len().over("site"))
    return by_hour.select("site", "hour", share.alias("share"))
