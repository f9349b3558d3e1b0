"""Small networks and series of known make for the tests of alerts."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = date(2023, 2, 27)  # after the Spring Festival; the next marked day is 5 April
LEGS = tuple((f"S{k:02}", f"S{(k + step) % 12:02}") for k in range(12) for step in (1, 5))
Rule = Callable[[int, tuple[str, str]], float]


def noise(number: int, seed: int) -> float:
    """Return a factor of 0.8 to 1.2 that looks random and is none."""
    mixed = 43758.5453 * math.sin(12.9898 * (number % 997) + 78.233 * seed)
    return 0.8 + 0.4 * (mixed - math.floor(mixed))


def volumes(days: int, rule: Rule, begin: date = MONDAY) -> pl.DataFrame:
    """Return a ring of twelve sites with two legs out of each; ``rule`` gives pieces of a day and leg."""
    rows = [
        (begin + timedelta(days=day), *leg, pieces)
        for day in range(days)
        for leg in LEGS
        if (pieces := rule(day, leg)) >= 0
    ]
    return pl.DataFrame(rows, schema=["date", "from_site", "to_site", "pieces"], orient="row")


def steady(day: int, leg: tuple[str, str]) -> float:
    """Return about 2,000 pieces."""
    return round(2000.0 * noise(day, LEGS.index(leg)))


def instant(day: int, hour: int = 0) -> int:
    """Return epoch milliseconds of a local hour of a day counted from the Monday."""
    begin = datetime(MONDAY.year, MONDAY.month, MONDAY.day, tzinfo=ZONE)
    return int((begin + timedelta(days=day, hours=hour)).timestamp() * 1000)


def on(day: int) -> date:
    """Return the date of a day counted from the Monday."""
    return MONDAY + timedelta(days=day)
