"""Kinds, clocks and escalation of rights tickets as data, and the days they are counted in."""

from __future__ import annotations

import calendar
import os
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from changtong.errors import InputError, Problem
from changtong.forecast.calendar import Calendar
from changtong.rules_files import read_rules_file

CODE = "bad-rules"
STATES = (
    "received", "accepted", "transferred", "mediated", "settled", "closed", "rejected", "reopened",
)  # fmt: skip
DATES = ("harmed_on", "ended_on")
UNITS = ("days", "working_days", "years")
PROVENANCES = ("official", "reported", "recalled", "example")
WHOSE = ("office", "firm", "courier")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TicketKind:
    """What a ticket is about."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Clock:
    """A limit: from when it runs, for how long, which states end it, and where it comes from."""

    id: str
    kinds: tuple[str, ...]
    begins: str
    ends: tuple[str, ...]
    amount: int
    unit: str
    remind_days: int
    whose: str
    zh: str
    en: str
    basis: str
    provenance: str
    basis_en: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told when a clock of the office is so many days overdue."""

    days_overdue: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class TicketRules:
    """Everything tickets are followed by.

    Attributes
    ----------
    id, version, zone : str
    kinds : tuple of TicketKind
    clocks : tuple of Clock
    escalation : tuple of Escalation
    """

    id: str
    version: str
    zone: str
    kinds: tuple[TicketKind, ...]
    clocks: tuple[Clock, ...]
    escalation: tuple[Escalation, ...]

    def day_of(self, at: datetime) -> date:
        """Return the day of an instant, in the zone of the rules.

        Parameters
        ----------
        at : datetime
        """
        return at.astimezone(ZoneInfo(self.zone)).date()

    def last_day(self, clock: Clock, begin: date) -> date:
        """Return the last day of a clock; the day it begins on does not count.

        Parameters
        ----------
        clock : Clock
        begin : date

        Examples
        --------
        >>> rules = read_ticket_rules()
        >>> year = next(one for one in rules.clocks if one.id == "arbitration")
        >>> rules.last_day(year, date(2024, 2, 29))
        datetime.date(2025, 2, 28)
        """
        if clock.unit == "days":
            return begin + clock.amount * DAY
        if clock.unit == "years":
            year = begin.year + clock.amount
            return begin.replace(year=year, day=min(begin.day, calendar.monthrange(year, begin.month)[1]))
        day, left = begin, clock.amount
        while left:
            day += DAY
            left -= is_working_day(day)
        return day

    def end_of(self, day: date) -> datetime:
        """Return the instant at which a day is over.

        Parameters
        ----------
        day : date
        """
        return datetime.combine(day + DAY, time(), ZoneInfo(self.zone))


@cache
def _year(year: int) -> Calendar:
    return Calendar(date(year, 1, 1), date(year, 12, 31))


def is_working_day(day: date) -> bool:
    """Tell whether a day is a working day in China, with its holidays and make-up days (调休).

    Parameters
    ----------
    day : date

    Examples
    --------
    >>> is_working_day(date(2024, 10, 1)), is_working_day(date(2024, 10, 12))  # a Saturday worked for it
    (False, True)
    """
    return _year(day.year).rest_kind(day)[0] == "work"


def is_announced(year: int) -> bool:
    """Tell whether the moved days of a year are known; before that its working days are provisional.

    Parameters
    ----------
    year : int
    """
    return year not in _year(year).unannounced_years


CLOCK_KEYS: dict[str, type] = {
    "id": str, "kinds": list, "begins": str, "ends": list, "amount": int, "unit": str, "remind_days": int,
    "whose": str, "zh": str, "en": str, "basis": str, "provenance": str, "basis_en": str,
}  # fmt: skip
MAY_LACK = ("basis_en",)
NAME_KEYS: dict[str, type] = {"id": str, "zh": str, "en": str}
STEP_KEYS: dict[str, type] = {"days_overdue": int, "zh": str, "en": str}


def read_ticket_rules(path: str | os.PathLike[str] | None = None) -> TicketRules:
    """Read the rules of tickets.

    Parameters
    ----------
    path : path, optional
        TOML as ``changtong/workforce/rights_tickets.toml``; without it that one.

    Raises
    ------
    InputError
        ``bad-rules``, with every problem.
    """
    file, content = read_rules_file(path, "changtong.workforce", "rights_tickets.toml", CODE)
    problems: list[Problem] = []

    def add(message: str, where: str, row: int | None, expected: str = "") -> None:
        problems.append(Problem(CODE, message, file, row, where, expected))

    for key in ("id", "version", "zone"):
        if not isinstance(content.get(key), str):
            add(f"no {key}.", key, None, "a text")
    for key in content:
        if key not in ("id", "version", "zone", "kinds", "clocks", "escalation"):
            add(f'"{key}" is unknown.', key, None)
    if isinstance(content.get("zone"), str) and not _is_zone(content["zone"]):
        add(f"{content['zone']!r} is no time zone.", "zone", None, "as Asia/Shanghai")
    tables = {
        name: _rows(content.get(name), keys, name, add)
        for name, keys in (("kinds", NAME_KEYS), ("clocks", CLOCK_KEYS), ("escalation", STEP_KEYS))
    }
    _check_clocks(tables["clocks"], {one["id"] for one in tables["kinds"]}, add)
    for name in ("kinds", "clocks"):
        ids = [one["id"] for one in tables[name]]
        for again in sorted({one for one in ids if ids.count(one) > 1}):
            add(f"{again!r} is there twice.", name, None, "each id once")
    if problems:
        raise InputError(problems)
    clocks = [one | {"kinds": tuple(one["kinds"]), "ends": tuple(one["ends"])} for one in tables["clocks"]]
    return TicketRules(
        content["id"],
        content["version"],
        content["zone"],
        tuple(TicketKind(**one) for one in tables["kinds"]),
        tuple(Clock(**one) for one in clocks),
        tuple(sorted((Escalation(**one) for one in tables["escalation"]), key=lambda one: one.days_overdue)),
    )


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ValueError, OSError, LookupError):
        return False


def _rows(listed: Any, keys: dict[str, type], name: str, add: Any) -> list[dict[str, Any]]:
    """Return the tables of a list that have every value, of the right type."""
    if not isinstance(listed, list) or not listed:
        add(f"there is no [[{name}]].", name, None)
        return []
    made = []
    for row, entry in enumerate(listed, 1):
        whole = isinstance(entry, dict)
        if not whole:
            add("this is no table.", name, row, "a table")
            continue
        for key in entry:
            if key not in keys:
                add(f'"{key}" is unknown.', name, row, "one of " + ", ".join(keys))
        for key, kind in keys.items():
            if key in MAY_LACK and key not in entry:
                continue
            value = entry.get(key)
            fits = isinstance(value, kind) and not isinstance(value, bool)
            if isinstance(value, int) and value < 0:
                fits = False
            if not fits:
                whole = False
                expected = {int: "a whole number, 0 or more", list: "a list"}.get(kind, "a text")
                add(f"{value!r} is not allowed." if key in entry else f"no {key}.", key, row, expected)
        if whole:
            made.append({key: entry[key] for key in keys if key in entry})
    return made


MOST_AMOUNT = {"days": 3660, "working_days": 2500, "years": 30}


def _check_clocks(clocks: list[dict[str, Any]], kinds: set[str], add: Any) -> None:
    for row, one in enumerate(clocks, 1):
        for key, known in (
            ("begins", (*STATES, *DATES)), ("unit", UNITS), ("whose", WHOSE), ("provenance", PROVENANCES),
        ):  # fmt: skip
            if one[key] not in known:
                add(f"{one[key]!r} is unknown.", key, row, "one of " + ", ".join(known))
        for key, allowed in (("ends", set(STATES)), ("kinds", kinds)):
            for value in one[key]:
                if value not in allowed:
                    add(f"{value!r} is unknown.", key, row, "one of " + ", ".join(sorted(allowed)))
        most = MOST_AMOUNT.get(one["unit"], 1)
        if not 1 <= one["amount"] <= most:
            add(f"{one['amount']} {one['unit']} are not allowed.", "amount", row, f"1 to {most}")
