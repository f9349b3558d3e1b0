"""Opening hours of sites by weekday, as windows of seconds of the day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import polars as pl

from changtong.errors import InputError, Problem

FILE = "opening_hours.csv"
DAY_S = 86_400

OPENING_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "weekdays": pl.String(),
    "opens": pl.String(),
    "closes": pl.String(),
}
"""A row is a window on some ``weekdays`` (digits, 1 is Monday), from ``opens`` to ``closes`` (HH:MM, 24:00 is
midnight). Several rows of a day are several windows; a site is shut on weekdays without a row, and on
those of a row without times. A site without any row may be visited at any time."""

Window = tuple[int, int]
"""Seconds of the day from which and until which a site is open."""

Week = tuple[tuple[Window, ...], ...]
"""The windows of each weekday, Monday first, in order; they neither meet nor overlap."""


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


def weeks_open(table: pl.DataFrame) -> dict[str, Week]:
    """Return when each site of a table is open.

    Windows that meet or overlap become one: 00:00 to 12:00 and 12:00 to 24:00 is open all day.

    Parameters
    ----------
    table : polars.DataFrame
        As `OPENING_SCHEMA`.

    Raises
    ------
    InputError
        ``bad-value``, with every problem: weekdays or times that are none, a window that does not end after
        it begins, a day that is both open and shut.

    Examples
    --------
    >>> row = {"site_id": ["A"], "weekdays": ["1"], "opens": ["09:00"], "closes": ["12:00"]}
    >>> weeks_open(pl.DataFrame(row))["A"][:2]
    (((32400, 43200),), ())
    """
    problems: list[Problem] = []
    windows: dict[str, dict[int, list[Window]]] = {}
    shut: dict[str, dict[int, int]] = {}
    for row, (site, weekdays, opens, closes) in enumerate(table.select(*OPENING_SCHEMA).iter_rows(), 1):
        days = str(weekdays or "").strip()
        if not days or not set(days) <= set("1234567"):
            problems.append(_bad(f"{days!r} are no weekdays.", row, "weekdays", "digits, as 12345"))
            continue
        open_days, shut_days = windows.setdefault(site, {}), shut.setdefault(site, {})
        if not (opens or "").strip() and not (closes or "").strip():
            shut_days.update({int(day) - 1: row for day in days})
            continue
        window = _window(opens, closes, row, problems)
        for day in {int(day) - 1 for day in days} if window is not None else ():
            open_days.setdefault(day, []).append(window)  # type: ignore[arg-type]
    for site, closed in shut.items():
        for day in sorted(set(closed) & set(windows[site])):
            message = f"{site} is open and shut on weekday {day + 1}."
            problems.append(_bad(message, closed[day], "weekdays", "rows with times, or one without"))
    if problems:
        raise InputError(problems)
    return {site: tuple(_joined(days.get(day, [])) for day in range(7)) for site, days in windows.items()}


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
    week: Week, weekdays: Iterable[int], length_s: int, within: Window
) -> Mapping[Window, frozenset[int]]:
    """Return the windows in which something fits, each with the weekdays that have it.

    What lies outside the hours in which anybody works is cut off: days that differ there only are alike.

    Parameters
    ----------
    week : Week
    weekdays : iterable of int
        Those that matter, 0 is Monday.
    length_s : int
    within : Window
        Hours in which anybody works.

    Examples
    --------
    >>> week = (((0, 100), (200, 300)), ((0, 90),)) + ((),) * 5
    >>> {window: sorted(days) for window, days in usable_windows(week, (0, 1), 60, (0, 250)).items()}
    {(0, 100): [0], (0, 90): [1]}
    """
    made: dict[Window, set[int]] = {}
    for day in sorted(weekdays):
        for opens, closes in week[day]:
            begin, end = max(opens, within[0]), min(closes, within[1])
            if end - begin >= length_s:
                made.setdefault((begin, end), set()).add(day)
    return {window: frozenset(days) for window, days in made.items()}
