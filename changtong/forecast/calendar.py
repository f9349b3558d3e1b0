"""Days that differ from others of their weekday: holidays, make-up days, promotions.

Holidays and make-up working days come from the ``holidays`` package (public holidays of China as the State
Council announces them each year), promotions from ``promotions.csv``. Each day has at most
one mark; effects are learned by mark, so that marks alike in different years, and the two great
promotions, learn from each other.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from changtong.errors import UsageError

SPRING_LEAD_DAYS = 21
SPRING_AFTER_DAYS = 13
LONG_REST_DAYS = 5

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Mark:
    """What is special about a day.

    Attributes
    ----------
    event : str
        ``spring``, ``rest-long``, ``rest-short``, ``make-up``, ``great`` or ``small`` (promotions).
    part : str
        ``opening``, ``between`` or ``main`` of a promotion, else empty.
    offset : int
        Days after the first day of the part.
    """

    event: str
    part: str = ""
    offset: int = 0


@dataclass(frozen=True)
class Promotion:
    """A promotion by month and day."""

    name: str
    kind: str
    opening: tuple[int, int] | None
    opening_days: int
    main: tuple[int, int]
    lead_days: int
    after_days: int
    strength: float


@cache
def read_promotions() -> tuple[Promotion, ...]:
    """Return the promotions of the shipped table."""

    def day(text: str) -> tuple[int, int]:
        month, number = text.split("-")
        return int(month), int(number)

    return tuple(
        Promotion(
            row["promotion"],
            row["kind"],
            day(row["opening"]) if row["opening"] else None,
            int(row["opening_days"]),
            day(row["main"]),
            int(row["lead_days"]),
            int(row["after_days"]),
            float(row["strength"]),
        )
        for row in _rows("promotions.csv")
    )


@cache
def read_assumed_factors() -> dict[tuple[str, int], float]:
    """Return (part, offset) -> factor of a great promotion that the history has not seen."""
    return {
        (row["part"], int(row["offset_days"])): float(row["factor"]) for row in _rows("promotion_factors.csv")
    }


def _rows(name: str) -> list[dict[str, str]]:
    text = files("changtong.forecast").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


class Calendar:
    """Marks of days from a first to a last one.

    Parameters
    ----------
    first, last : date

    Raises
    ------
    UsageError
        ``missing-library``: the extra `forecast` is not installed.
    """

    def __init__(self, first: date, last: date) -> None:
        try:
            import holidays
        except ImportError as error:
            text = "Holidays and working days need holidays: pip install 'changtong[forecast]'."
            raise UsageError(text, "missing-library") from error

        self._promotions = read_promotions()
        years = range(first.year - 1, last.year + 2)
        found = holidays.country_holidays("CN", years=years)
        self._holidays = set(found)
        self._named = {day: name for day, name in found.items() if "substituted" not in name}
        self._make_up = set(found.weekend_workdays)
        self._spring = [
            min(day for day, name in found.items() if day.year == year and _is_new_year(name))
            for year in years
            if any(day.year == year and _is_new_year(name) for day, name in found.items())
        ]
        # the days a year's holidays are moved to are announced in the autumn before; a year without
        # a single one is not announced yet as far as the package knows
        moved = {day.year for day in self._make_up}
        self.unannounced_years = tuple(y for y in range(first.year, last.year + 1) if y not in moved)

    def marks(self, days: Sequence[date]) -> list[Mark | None]:
        """Return the mark of each day, None for ordinary ones."""
        return [self._spring_mark(day) or self._promotion(day) or self._holiday(day) for day in days]

    def names(self, days: Sequence[date]) -> list[str]:
        """Return what each marked day is called, empty for ordinary ones and make-up days.

        Promotions by their name in the table, holidays as the package says them in English.
        """
        return [self._name(day, mark) for day, mark in zip(days, self.marks(days), strict=True)]

    def _name(self, day: date, mark: Mark | None) -> str:
        if mark is None or mark.event == "make-up":
            return ""
        if mark.event == "spring":
            return "Spring Festival"
        if mark.part:
            return next(one.name for one in self._promotions if _near(day, one) and one.kind == mark.event)
        begin, length = self._rest_around(day)
        named = [self._named[on] for k in range(length) if (on := begin + k * DAY) in self._named]
        return named[0].removesuffix(" (observed)")

    def _spring_mark(self, day: date) -> Mark | None:
        for new_year in self._spring:
            offset = (day - new_year).days
            if -SPRING_LEAD_DAYS <= offset <= SPRING_AFTER_DAYS:
                return Mark("spring", "", offset)
        return None

    def _promotion(self, day: date) -> Mark | None:
        for promotion in self._promotions:
            offset = (day - date(day.year, *promotion.main)).days
            if -promotion.lead_days <= offset <= promotion.after_days:
                return Mark(promotion.kind, "main", offset)
            if promotion.opening is None or offset > 0:
                continue
            since = (day - date(day.year, *promotion.opening)).days
            if 0 <= since < promotion.opening_days:
                return Mark(promotion.kind, "opening", since)
            if since >= promotion.opening_days:
                return Mark(promotion.kind, "between")
        return None

    def _holiday(self, day: date) -> Mark | None:
        if day in self._make_up:
            return Mark("make-up")
        if not self._rests(day):
            return None
        begin, length = self._rest_around(day)
        if not any(begin + k * DAY in self._named for k in range(length)):
            return None  # a weekend like any other
        return Mark("rest-long" if length >= LONG_REST_DAYS else "rest-short")

    def rest_kind(self, day: date) -> tuple[str, str]:
        """Return what a day is for those who work: ``work``, ``weekend`` or ``holiday``, and its name.

        All days of a rest with a public holiday in it are ``holiday``; a make-up workday is ``work``.
        """
        if not self._rests(day):
            return "work", "make-up workday" if day in self._make_up else ""
        begin, length = self._rest_around(day)
        named = [self._named[on] for k in range(length) if (on := begin + k * DAY) in self._named]
        return ("holiday", named[0].removesuffix(" (observed)")) if named else ("weekend", "")

    def _rest_around(self, day: date) -> tuple[date, int]:
        """Return the first day of the rest a day is part of, and how many days it has."""
        begin = end = day
        while self._rests(begin - DAY):
            begin -= DAY
        while self._rests(end + DAY):
            end += DAY
        return begin, (end - begin).days + 1

    def _rests(self, day: date) -> bool:
        return day in self._holidays or (day.weekday() >= 5 and day not in self._make_up)


def _near(day: date, promotion: Promotion) -> bool:
    """Say whether a day of a promotion belongs to this one: it is within weeks of its main day."""
    return abs((day - date(day.year, *promotion.main)).days) <= promotion.opening_days + 20


def _is_new_year(name: str) -> bool:
    return "Spring Festival" in name and "observed" not in name
