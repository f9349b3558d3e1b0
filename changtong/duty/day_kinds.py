"""Work days, weekends and holidays of a period: the public calendar of China, and the user's own over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from changtong.duty.staff import DutyFolder
from changtong.forecast.calendar import Calendar


@dataclass(frozen=True)
class DayKind:
    """A day: ``work``, ``weekend`` or ``holiday``, and what it is called."""

    day: date
    kind: str
    name: str = ""


@dataclass(frozen=True)
class Period:
    """Days from a first to a last one.

    Attributes
    ----------
    days : tuple of DayKind
    unannounced : tuple of int
        Years whose moved rest days the public calendar does not know yet.
    """

    days: tuple[DayKind, ...]
    unannounced: tuple[int, ...]


def day_kinds(folder: DutyFolder, first: date, last: date) -> Period:
    """Return the kind of each day.

    A holiday is every day of the rest that a public holiday stands in, with its weekend days and the days
    that were moved to it; a make-up workday is ``work``.

    Parameters
    ----------
    folder : DutyFolder
        Its own days go before those of the public calendar.
    first, last : date
    """
    calendar = Calendar(first, last)
    own = {day: (kind, name) for day, kind, name in folder.days}
    span = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    made = []
    for day in span:
        if day in own:
            made.append(DayKind(day, *own[day]))
        else:
            made.append(DayKind(day, *calendar.rest_kind(day)))
    open_years = {day.year for day in span if day not in own}
    return Period(tuple(made), tuple(year for year in calendar.unannounced_years if year in open_years))
