"""Opening hours of sites by weekday and on single dates, as windows of seconds of the day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from changtong.errors import InputError, Problem

FILE = "opening_hours.csv"
DAY_S = 86_400

OPENING_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "weekdays": pl.String(),
    "opens": pl.String(),
    "closes": pl.String(),
    "dates": pl.String(),
}
"""A row is a window from ``opens`` to ``closes`` (HH:MM, 24:00 is midnight), on some ``weekdays`` (digits, 1
is Monday) or on some ``dates`` (YYYY-MM-DD, ``;`` between them, ``/`` between the first and the last of
several). Several rows of a day are several windows; rows without times are shut. What stands for a date
counts there instead of its weekday. With rows of weekdays a site is shut on those without one; without any
it may be visited at any time on dates that are not named."""

MOST_DATES = 366
"""Dates from the first to the last of ``FIRST/LAST``."""

Window = tuple[int, int]
"""Seconds of the day from which and until which a site is open."""

Week = tuple[tuple[Window, ...], ...]
"""The windows of each weekday, Monday first, in order; they neither meet nor overlap."""


@dataclass(frozen=True, slots=True)
class Openings:
    """When a site is open.

    Attributes
    ----------
    week : Week or None
        None: at any time.
    dates : mapping
        Date -> its windows, which count instead of those of its weekday.
    """

    week: Week | None
    dates: Mapping[date, tuple[Window, ...]]

    def on(self, day: date) -> tuple[Window, ...]:
        """Return the windows of a day; ``((0, DAY_S),)`` is open day and night.

        Parameters
        ----------
        day : date

        Examples
        --------
        >>> shut = Openings(None, {date(2026, 5, 1): ()})
        >>> shut.on(date(2026, 5, 1)), shut.on(date(2026, 5, 2))
        ((), ((0, 86400),))
        """
        if day in self.dates:
            return self.dates[day]
        return ((0, DAY_S),) if self.week is None else self.week[day.weekday()]


def clock_second(text: str | None) -> int | None:
    """Return the second of the day of HH:MM (or HH:MM:00), up to 24:00; None where it is no time.

    Parameters
    ----------
    text : str or None

    Examples
    --------
    >>> clock_second("13:30"), clock_second("24:00"), clock_second("24:01")
    (48600, 86400, None)
    """
    found = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])(?::00)?", (text or "").strip())
    if found is None:
        return None
    second = int(found[1]) * 3600 + int(found[2]) * 60
    return second if second <= DAY_S else None


def read_openings(table: pl.DataFrame) -> dict[str, Openings]:
    """Return when each site of a table is open.

    Windows that meet or overlap become one: 00:00 to 12:00 and 12:00 to 24:00 is open all day.

    Parameters
    ----------
    table : polars.DataFrame
        As `OPENING_SCHEMA`.

    Raises
    ------
    InputError
        ``bad-value``, with every problem: weekdays, dates or times that are none, both weekdays and dates, a
        window that does not end after it begins, a day that is both open and shut.

    Examples
    --------
    >>> row = {"site_id": ["A"], "weekdays": ["1"], "opens": ["09:00"], "closes": ["12:00"], "dates": [None]}
    >>> read_openings(pl.DataFrame(row))["A"].week[:2]
    (((32400, 43200),), ())
    """
    problems: list[Problem] = []
    windows: dict[str, dict[int | date, list[Window]]] = {}
    shut: dict[str, dict[int | date, int]] = {}
    for row, (site, weekdays, opens, closes, dates) in enumerate(
        table.select(*OPENING_SCHEMA).iter_rows(), 1
    ):
        days = _days(str(weekdays or "").strip(), str(dates or "").strip(), row, problems)
        if not days:
            continue
        open_days, shut_days = windows.setdefault(site, {}), shut.setdefault(site, {})
        if not (opens or "").strip() and not (closes or "").strip():
            shut_days.update(dict.fromkeys(days, row))
            continue
        window = _window(opens, closes, row, problems)
        for day in days if window is not None else ():
            open_days.setdefault(day, []).append(window)  # type: ignore[arg-type]
    for site, closed in shut.items():
        for day, row in closed.items():
            if day in windows[site]:
                named = f"on {day}" if isinstance(day, date) else f"on weekday {day + 1}"
                column = "dates" if isinstance(day, date) else "weekdays"
                message = f"{site} is open and shut {named}."
                problems.append(_bad(message, row, column, "rows with times, or one without"))
    if problems:
        raise InputError(problems)
    return {site: _openings(days, shut[site]) for site, days in windows.items()}


def _openings(days: Mapping[int | date, list[Window]], shut: Mapping[int | date, int]) -> Openings:
    named = {*days, *shut}
    weekly = any(not isinstance(day, date) for day in named)
    week = tuple(_joined(days.get(day, [])) for day in range(7)) if weekly else None
    return Openings(week, {day: _joined(days.get(day, [])) for day in named if isinstance(day, date)})


def _days(weekdays: str, dates: str, row: int, problems: list[Problem]) -> frozenset[int | date]:
    """Return the weekdays (0 is Monday) or the dates of a row."""
    if bool(weekdays) == bool(dates):
        message = "weekdays and dates stand in one row." if dates else "neither weekdays nor dates are there."
        problems.append(_bad(message, row, "weekdays", "weekdays, as 12345, or dates, as 2026-05-01"))
        return frozenset()
    if not dates:
        if not set(weekdays) <= set("1234567"):
            problems.append(_bad(f"{weekdays!r} are no weekdays.", row, "weekdays", "digits, as 12345"))
            return frozenset()
        return frozenset(int(day) - 1 for day in weekdays)
    made: set[int | date] = set()
    for word in filter(None, (part.strip() for part in dates.split(";"))):
        found = _dates(word)
        if not found:
            expected = f"YYYY-MM-DD, or FIRST/LAST of at most {MOST_DATES} days; ';' between them"
            problems.append(_bad(f"{word!r} is no date.", row, "dates", expected))
        made.update(found)
    if not made and not dates.strip("; "):
        problems.append(_bad(f"{dates!r} is no date.", row, "dates", "YYYY-MM-DD"))
    return frozenset(made)


def _dates(word: str) -> list[date]:
    """Return the dates of ``FIRST`` or ``FIRST/LAST``; none where that cannot be read."""
    parts = [part.strip() for part in word.split("/")]
    if len(parts) > 2 or not all(re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", part) for part in parts):
        return []
    try:
        first, last = date.fromisoformat(parts[0]), date.fromisoformat(parts[-1])
    except ValueError:
        return []
    count = (last - first).days + 1
    return [first + timedelta(days=k) for k in range(count)] if 1 <= count <= MOST_DATES else []


def _bad(message: str, row: int, column: str, expected: str) -> Problem:
    return Problem("bad-value", message, FILE, row, column, expected)


def _window(opens: str | None, closes: str | None, row: int, problems: list[Problem]) -> Window | None:
    begin, end = clock_second(opens), clock_second(closes)
    for value, text, column in ((begin, opens, "opens"), (end, closes, "closes")):
        if value is None:
            expected = "HH:MM, for example 08:30; both empty where the site is shut"
            problems.append(_bad(f"{text or ''!r} is no time.", row, column, expected))
    if begin is None or end is None:
        return None
    if begin >= end:
        expected = "a later time; past midnight: until 24:00, and a row from 00:00 on the next weekday"
        problems.append(_bad(f"It closes at {closes} and opens at {opens}.", row, "closes", expected))
        return None
    return begin, end


def _joined(windows: list[Window]) -> tuple[Window, ...]:
    made: list[Window] = []
    for begin, end in sorted(windows):
        if made and begin <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((begin, end))
    return tuple(made)


def usable_windows(
    openings: Openings, days: Iterable[date], length_s: int, within: Window
) -> Mapping[Window, frozenset[date]]:
    """Return the windows in which something fits, each with the days that have it.

    What lies outside the hours in which anybody works is cut off: days that differ there only are alike.

    Parameters
    ----------
    openings : Openings
    days : iterable of date
        Those that matter.
    length_s : int
    within : Window
        Hours in which anybody works.

    Examples
    --------
    >>> monday, tuesday = date(2026, 3, 9), date(2026, 3, 10)
    >>> known = Openings((((0, 100), (200, 300)), ((0, 90),)) + ((),) * 5, {})
    >>> found = usable_windows(known, (monday, tuesday), 60, (0, 250))
    >>> {window: len(days) for window, days in found.items()}
    {(0, 100): 1, (0, 90): 1}
    """
    made: dict[Window, set[date]] = {}
    for day in sorted(days):
        for opens, closes in openings.on(day):
            begin, end = max(opens, within[0]), min(closes, within[1])
            if end - begin >= length_s:
                made.setdefault((begin, end), set()).add(day)
    return {window: frozenset(days) for window, days in made.items()}
