"""A centre's question: pieces hour by hour, duties, people, and what each may work in each span of days.

Hours of the question count from midnight of the first day of the roster. Work days begin one day earlier
where a shift runs past midnight: such a shift of the evening before may be worked, and counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from changtong.workforce.roster_rules import Duty, RosterRules, days_per_week

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[int, int, int]
"""Work days from, to (not included), and the most of them a person works."""


@dataclass(frozen=True)
class CentreQuestion:
    """What is asked of one centre.

    Attributes
    ----------
    site : str
    begin : date
        First day of the roster.
    pieces : tuple of float
        In each hour of the roster's days, 24 a day.
    people : tuple of str
        Regular staff.
    away : tuple of frozenset of int
        For each of them the work days on which they are absent.
    rules : RosterRules
    """

    site: str
    begin: date
    pieces: tuple[float, ...]
    people: tuple[str, ...]
    away: tuple[frozenset[int], ...]
    rules: RosterRules

    @cached_property
    def duties(self) -> tuple[Duty, ...]:
        """What one may work on a day."""
        return self.rules.duties()

    @cached_property
    def before(self) -> int:
        """1 where the evening before the first day is a work day, too."""
        return int(any(duty.end_h > 24 for duty in self.duties))

    @property
    def days(self) -> int:
        """Days of the roster."""
        return len(self.pieces) // 24

    @property
    def work_days(self) -> int:
        """Days on which shifts begin."""
        return self.days + self.before

    def day(self, work_day: int) -> date:
        """Return the date of a work day."""
        return self.begin + timedelta(days=work_day - self.before)

    @cached_property
    def hours(self) -> int:
        """Hours of the question: those of the days, and as long as the last shifts run."""
        return 24 * self.days + max(0, math.ceil(max(duty.end_h for duty in self.duties) - 24 - 1e-9))

    @cached_property
    def arriving(self) -> Floats:
        """Pieces that come in, by hour."""
        made = np.zeros(self.hours)
        made[: len(self.pieces)] = self.pieces
        return made

    @cached_property
    def most_waiting(self) -> Floats:
        """Pieces that may wait at the end of each hour: those that are not due yet."""
        total = np.concatenate([[0.0], np.cumsum(self.arriving)])
        hour = np.arange(self.hours)
        made: Floats = total[hour + 1] - total[np.maximum(0, hour + 1 - self.rules.due_h)]
        if self.rules.clear_at_end:
            made[-1] = 0.0
        return made

    @cached_property
    def worked(self) -> Floats:
        """Share of an hour that one on a duty works: duty, hour from midnight of the work day."""
        made = np.zeros((len(self.duties), max(1, math.ceil(max(d.end_h for d in self.duties) - 1e-9))))
        hour = np.arange(made.shape[1])
        for k, duty in enumerate(self.duties):
            for shift in duty.shifts:
                made[k] += np.clip(np.minimum(shift.end_h, hour + 1) - np.maximum(shift.start_h, hour), 0, 1)
        return made

    def may_begin(self, work_day: int, duty: int) -> bool:
        """Tell whether a duty may be worked on a work day: in the evening before, only past midnight."""
        return work_day >= self.before or self.duties[duty].end_h > 24

    def spans(self, hours_per_day: float) -> tuple[Span, ...]:
        """Return what a person may work: a day, days in a row, weeks, the whole.

        Parameters
        ----------
        hours_per_day : float
            Length of a day's work by which hours of a week become days.
        """
        rules, n = self.rules, self.work_days
        made = {(w, w + 1): 1 for w in range(n)}
        row = rules.days_in_a_row
        for w in range(n - row):
            made[w, w + row + 1] = row
        weekly = days_per_week(rules, hours_per_day)
        w = 0
        while w < n:
            end = min(n, w + 7 - self.day(w).weekday())
            if weekly < end - w:
                made[w, end] = min(made.get((w, end), weekly), weekly)
            w = end
        whole = min(made.get((0, n), n), self.most_days())
        made[0, n] = whole
        return tuple((a, b, most) for (a, b), most in sorted(made.items()))

    def most_days(self) -> int:
        """Return the most days a person works in the whole roster."""
        return min(self.work_days, math.floor(self.rules.attendance_share * self.days + 1e-9))

    def crowd_most(self, span: Span) -> int:
        """Return the most person-days all regular staff can work in a span."""
        a, b, most = span
        return sum(min(most, b - a - sum(1 for w in gone if a <= w < b)) for gone in self.away)

    def rests(self, one: int, other: int) -> bool:
        """Tell whether a duty may follow another on the next day."""
        gap = 24 + self.duties[other].start_h - self.duties[one].end_h
        return gap >= self.rules.rest_h - 1e-9

    def late_sets(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """Return sets of duties with the duties of the next day that may follow none of them."""
        made = []
        for end in sorted({duty.end_h for duty in self.duties}):
            late = tuple(k for k, duty in enumerate(self.duties) if duty.end_h >= end)
            barred = tuple(j for j in range(len(self.duties)) if all(not self.rests(k, j) for k in late))
            if barred:
                made.append((late, barred))
        return tuple(made)

    def capacity(self, regular: Ints, temporary: Ints) -> Floats:
        """Return pieces that can be sorted in each hour.

        Parameters
        ----------
        regular, temporary : array of int
            People by work day and duty.
        """
        rules = self.rules
        rates = regular * rules.regular_pieces_per_h + temporary * rules.temporary_pieces_per_h
        made = np.zeros(self.hours)
        for w, of_day in enumerate(rates @ self.worked):
            first = (w - self.before) * 24
            a, b = max(0, first), min(self.hours, first + len(of_day))
            made[a:b] += of_day[a - first : b - first]
        return made


def sorted_by(arriving: Sequence[float] | Floats, capacity: Floats) -> tuple[Floats, Floats]:
    """Return pieces sorted in each hour, and waiting at its end, oldest first.

    Parameters
    ----------
    arriving, capacity : array
        Pieces in each hour.
    """
    waiting, done, left = 0.0, np.zeros(len(capacity)), np.zeros(len(capacity))
    for t, come in enumerate(arriving):
        there = waiting + float(come)
        done[t] = min(there, capacity[t])
        waiting = left[t] = there - done[t]
    return done, left


def late_pieces(arriving: Floats, waiting: Floats, due_h: int) -> Floats:
    """Return pieces that come to be overdue in each hour.

    Parameters
    ----------
    arriving, waiting : array
        Pieces that come in, and that wait at the end of each hour.
    due_h : int

    Examples
    --------
    >>> late_pieces(np.array([5.0, 0.0, 0.0]), np.array([3.0, 3.0, 1.0]), 1).tolist()
    [0.0, 3.0, 0.0]
    """
    total = np.concatenate([[0.0], np.cumsum(arriving)])
    hour = np.arange(len(arriving))
    young = total[hour + 1] - total[np.maximum(0, hour + 1 - due_h)]
    due = total[np.maximum(0, hour + 1 - due_h)] - total[np.maximum(0, hour - due_h)]
    over = np.maximum(0.0, waiting - young)  # waiting although due
    made: Floats = np.minimum(over, due)
    return made
