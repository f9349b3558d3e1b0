"""Small networks of known make for the tests of forecasts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl

Rule = Callable[[date, int], float]
LEGS = (("W", "A"), ("W", "B"), ("V", "A"), ("V", "B"), ("A", "B"))


def network(
    begin: date, days: int, rule: Rule, legs: tuple[tuple[str, str], ...] = LEGS, *, zeros: bool = False
) -> pl.DataFrame:
    """Return volumes: ``rule`` gives the pieces of a day and the number of a leg; zeros have no row."""
    rows = [
        (day, *leg, pieces)
        for day in (begin + timedelta(days=k) for k in range(days))
        for number, leg in enumerate(legs)
        if (pieces := rule(day, number)) > 0 or zeros
    ]
    return pl.DataFrame(rows, schema=["date", "from_site", "to_site", "pieces"], orient="row")


def of_leg(frame: pl.DataFrame, from_site: str, to_site: str) -> pl.DataFrame:
    """Return the rows of one leg, by date."""
    rows = frame.filter((pl.col("from_site") == from_site) & (pl.col("to_site") == to_site))
    return rows.sort("date")
