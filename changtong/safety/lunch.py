"""The lunch of a team: a break of some minutes between two times, in which nobody visits or drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from changtong.errors import Problem
from changtong.safety.opening_hours import clock_second

FILE = "inspectors.csv"
COLUMNS = ("lunch_min", "lunch_from", "lunch_until")


@dataclass(frozen=True, slots=True)
class Lunch:
    """A break.

    Attributes
    ----------
    length_s : int
        Whole minutes.
    from_s, until_s : int
        Seconds of the day between which all of it lies.
    """

    length_s: int
    from_s: int
    until_s: int

    @property
    def last_s(self) -> int:
        """Second of the day at which it begins at the latest."""
        return self.until_s - self.length_s

    def from_free(self, free_s: int) -> int | None:
        """Return the whole minute at which it begins for who is free from then on; None: too late for it.

        Parameters
        ----------
        free_s : int
            Second of the day.

        Examples
        --------
        >>> Lunch(1800, 41400, 48600).from_free(43201), Lunch(1800, 41400, 48600).from_free(46801)
        (43260, None)
        """
        begins = -(-max(self.from_s, free_s) // 60) * 60
        return begins if begins <= self.last_s else None

    def starts(self) -> tuple[int, ...]:
        """Return times at which a search lets it begin: the first, the middle and the last one."""
        middle = (self.from_s + self.last_s) // 120 * 60
        return tuple(sorted({self.from_s, middle, self.last_s}))


def lunch_problems(one: Mapping[str, object], row: int) -> list[Problem]:
    """Return what is wrong with the lunch of an inspector.

    Parameters
    ----------
    one : mapping
        A row of ``inspectors.csv``.
    row : int
    """
    given = [one.get(column) not in (None, "") for column in COLUMNS]
    if not any(given) or one.get("lunch_min") == 0:
        return []
    made = []
    for column, there in zip(COLUMNS, given, strict=True):
        if not there:
            message = f"lunch has no {column}."
            made.append(Problem("bad-value", message, FILE, row, column, "all three of lunch, or none"))
    minutes, times = one.get("lunch_min"), [clock_second(_text(one.get(column))) for column in COLUMNS[1:]]
    if given[0] and not (isinstance(minutes, int | float) and 0 < minutes <= 240 and minutes == int(minutes)):
        message = f"lunch of {_text(minutes)} minutes."
        made.append(Problem("bad-value", message, FILE, row, "lunch_min", "whole minutes, 0 to 240"))
    for column, there, found in zip(COLUMNS[1:], given[1:], times, strict=True):
        if there and found is None:
            message = f"{_text(one.get(column))!r} is no time."
            made.append(Problem("bad-value", message, FILE, row, column, "HH:MM, for example 11:30"))
    if not made and times[1] - times[0] < minutes * 60:  # type: ignore[operator]
        message = f"between {one['lunch_from']} and {one['lunch_until']} there are no {minutes:g} minutes."
        made.append(Problem("bad-value", message, FILE, row, "lunch_until", "a later time"))
    return made


def lunch_of(members: Sequence[Mapping[str, object]]) -> Lunch | None:
    """Return the lunch of those who go together: the longest, at times at which all have it.

    Parameters
    ----------
    members : sequence of mapping
        Rows of ``inspectors.csv`` without problems.

    Raises
    ------
    ValueError
        They have no time for it in common.
    """
    having = [one for one in members if one.get("lunch_min")]
    if not having:
        return None
    lengths = [round(float(str(one["lunch_min"])) * 60) for one in having]
    begins = [clock_second(_text(one["lunch_from"])) or 0 for one in having]
    ends = [clock_second(_text(one["lunch_until"])) or 0 for one in having]
    made = Lunch(max(lengths), max(begins), min(ends))
    if made.last_s < made.from_s:
        raise ValueError("no lunch in common")
    return made


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value or "")
