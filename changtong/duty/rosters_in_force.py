"""Which roster is in force on which day: a later one takes days over, what was before it stays as it was.

A duty is taken from the roster that is in force on the day it begins, with that roster's hours and rules: a
night that began under the former one goes on under it until its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from changtong.duty.staff import Assignment, DutyFolder, Shift, hours_of
from changtong.errors import NotFoundError

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Version:
    """A roster that was put in force.

    Attributes
    ----------
    number : int
        A later one, with a higher number, goes before an earlier one on every day it is for.
    first, last : date
        The roster's own first and last day.
    since, until : date
        First and last day whose duties are taken from it, where no later one is in force.
    """

    number: int
    first: date
    last: date
    since: date
    until: date


@dataclass(frozen=True)
class Span:
    """Days in a row on which one version is in force."""

    first: date
    last: date
    number: int


def spans_of(versions: Iterable[Version]) -> tuple[Span, ...]:
    """Return which version is in force when, in order; days of no version are in none.

    Parameters
    ----------
    versions : iterable of Version

    Examples
    --------
    >>> day = lambda k: date(2026, 3, k)
    >>> whole, later = Version(1, *[day(1), day(31)] * 2), Version(2, day(1), day(20), day(10), day(20))
    >>> [(one.first.day, one.last.day, one.number) for one in spans_of([whole, later])]
    [(1, 9, 1), (10, 20, 2), (21, 31, 1)]
    """
    made: list[Span] = []
    for one in sorted(versions, key=lambda version: version.number):
        if one.since > one.until:
            continue
        kept = []
        for span in made:
            if span.first < one.since:
                kept.append(replace(span, last=min(span.last, one.since - DAY)))
            if span.last > one.until:
                kept.append(replace(span, first=max(span.first, one.until + DAY)))
        made = [*kept, Span(one.since, one.until, one.number)]
    return tuple(sorted(made, key=lambda span: span.first))


@dataclass(frozen=True)
class Part:
    """Days in a row and the roster in force on them.

    Attributes
    ----------
    first, last : date
    folder : DutyFolder
    rows : tuple of Assignment
        Those that begin on these days.
    """

    first: date
    last: date
    folder: DutyFolder
    rows: tuple[Assignment, ...]


@dataclass(frozen=True)
class Duty:
    """A duty with its shift, its begin and end, and the duty folder it is of."""

    assignment: Assignment
    shift: Shift
    begin: datetime
    end: datetime
    folder: DutyFolder


class RostersInForce:
    """The rosters of a duty room over time; each is read when a day of it is asked for.

    Parameters
    ----------
    versions : iterable of Version
        At least one.
    read : callable
        Number -> duty folder and duties of a version.

    Raises
    ------
    NotFoundError
        There is none.
    """

    def __init__(
        self,
        versions: Iterable[Version],
        read: Callable[[int], tuple[DutyFolder, tuple[Assignment, ...]]],
    ) -> None:
        self.versions = {one.number: one for one in versions}
        self.spans = spans_of(self.versions.values())
        self._read = cache(read)
        if not self.spans:
            raise NotFoundError("No roster is in force on any day.")

    @cached_property
    def zone(self) -> ZoneInfo:
        """Of the newest roster: what a day is."""
        return self._read(max(self.versions))[0].zone

    def parts(self, first: date, last: date) -> Iterator[Part]:
        """Give what is in force from a first to a last day, in order.

        Parameters
        ----------
        first, last : date
        """
        for span in self.spans:
            begin, end = max(span.first, first), min(span.last, last)
            if begin <= end:
                folder, rows = self._read(span.number)
                yield Part(begin, end, folder, tuple(row for row in rows if begin <= row.day <= end))

    def folder_at(self, at: datetime) -> DutyFolder:
        """Return the duty folder in force at an instant: of the duty that is on and began last.

        Parameters
        ----------
        at : datetime
            Where nobody is on, the day counts; a day of no roster has the one before, or the first.
        """
        on = max(self.duties_at(at), key=lambda one: one.begin, default=None)
        return on.folder if on is not None else self._read(self._span_at(at).number)[0]

    def folders_of_day(self, at: datetime) -> Iterator[DutyFolder]:
        """Give the duty folders of an instant: the one in force, then those it has replaced, newest first.

        Parameters
        ----------
        at : datetime
        """
        yield self.folder_at(at)
        day = at.astimezone(self.zone).date()
        for number in sorted(self.versions, reverse=True):
            if self.versions[number].since <= day <= self.versions[number].until:
                yield self._read(number)[0]

    def duties_at(self, at: datetime) -> Iterator[Duty]:
        """Give the duties that are on at an instant; who is relieved at it is not on.

        Parameters
        ----------
        at : datetime
        """
        for one in self.around(at):
            # as instants, since clocks of one zone may be put back
            if one.begin.timestamp() <= at.timestamp() < one.end.timestamp():
                yield one

    def period_at(self, at: datetime) -> tuple[date, date]:
        """Return first and last day of the roster in force on the day of an instant.

        Parameters
        ----------
        at : datetime
            A day of no roster has the one before, or the first.
        """
        one = self.versions[self._span_at(at).number]
        return one.first, one.last

    def _span_at(self, at: datetime) -> Span:
        day = at.astimezone(self.zone).date()
        begun = [span for span in self.spans if span.first <= day]
        return begun[-1] if begun else self.spans[0]

    def around(self, at: datetime, ahead: timedelta = timedelta()) -> Iterator[Duty]:
        """Give all duties that one may be on at an instant, or that begin by so much later; and others.

        Parameters
        ----------
        at : datetime
        ahead : timedelta
        """
        utc = at.astimezone(UTC)
        # duties last 72 h at most, and days differ by one between zones
        for part in self.parts(utc.date() - 5 * DAY, (utc + ahead).date() + DAY):
            for row in part.rows:
                shift = part.folder.shift(row.shift_id)
                yield Duty(row, shift, *hours_of(shift, row.day, part.folder.zone), part.folder)


def one_roster(
    folder: DutyFolder,
    rows: Sequence[Assignment],
    first: date | None = None,
    last: date | None = None,
) -> RostersInForce:
    """Return a roster that alone is in force.

    Parameters
    ----------
    folder : DutyFolder
    rows : sequence of Assignment
    first, last : date, optional
        Its days; those of its duties where they are not given.
    """
    days = [row.day for row in rows]
    begin = first or min(days, default=date.min)
    end = last or max(days, default=date.max)
    # what was added by hand outside its days counts, too
    whole = Version(1, begin, end, min([begin, *days]), max([end, *days]))
    return RostersInForce([whole], lambda _: (folder, tuple(rows)))
