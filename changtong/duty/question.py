"""A period to be manned as arrays: slots, who may take which, and what one person takes at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from changtong.duty.day_kinds import Period, day_kinds
from changtong.duty.staff import DAY, Assignment, DutyFolder, Post, Shift, counts_of, hours_of
from changtong.errors import InputError, Problem, UsageError

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
LONGEST_DAYS = 400


@dataclass(frozen=True)
class Slots:
    """One entry for each post on each day it is manned.

    Attributes
    ----------
    day, post, crew, heads : array, (slots,)
        Days after the first; number of the post; all slots of one shift on one day are one crew.
    begin, end, free : array, (slots,)
        Minutes since 1970, UTC; who serves is free again at ``free``.
    minutes : array, (slots,)
    counts : array, (kinds, slots)
        What a duty counts for, of :data:`~changtong.duty.staff.KINDS`.
    """

    day: Ints
    post: Ints
    crew: Ints
    heads: Ints
    begin: Ints
    end: Ints
    free: Ints
    minutes: Ints
    counts: Ints


@dataclass(frozen=True)
class Caps:
    """What one person takes at most: ``sum(uses[r] * taken) <= most[person, r]``.

    Attributes
    ----------
    rule : tuple of str, (rows,)
        ``rest``, ``one_a_day``, ``most_in_row`` and the other limits.
    uses : array, (rows, slots)
    most : array, (people, rows)
        What former duties have used is taken off.
    """

    rule: tuple[str, ...]
    uses: Ints
    most: Ints


@dataclass(frozen=True)
class Question:
    """What a roster has to answer.

    Attributes
    ----------
    folder : DutyFolder
    period : Period
    slots : Slots
    may : array, (people, slots)
        Who has the role, serves then, is not on leave and not locked out.
    caps : Caps
    locks : tuple of (int, array)
        A person and the slots of which one must be theirs.
    kept : tuple of (int, int)
        Assignments (person, slot) of the roster in force, to be kept where possible.
    """

    folder: DutyFolder
    period: Period
    slots: Slots
    may: Flags
    caps: Caps
    locks: tuple[tuple[int, Ints], ...]
    kept: tuple[tuple[int, int], ...] = ()

    @property
    def first(self) -> date:
        """First day."""
        return self.period.days[0].day

    def assignment(self, person: int, slot: int) -> Assignment:
        """Return a person in a slot with their ids."""
        post = self.folder.posts[self.slots.post[slot]]
        day = self.first + int(self.slots.day[slot]) * DAY
        return Assignment(day, post.shift_id, post.post_id, self.folder.people[person].person_id)


def make_question(
    folder: DutyFolder, first: date, last: date, kept: Sequence[Assignment] | None = None
) -> Question:
    """Return the question for a period.

    Parameters
    ----------
    folder : DutyFolder
    first, last : date
        First and last day on which duties begin.
    kept : sequence of Assignment, optional
        A roster in force: rows before ``first`` count as former duties, the others are to stay.

    Raises
    ------
    UsageError
        The period is none, or longer than :data:`LONGEST_DAYS` days.
    InputError
        ``duty-alone``, ``duty-locked``: rules that no roster can keep.
    """
    if last < first:
        raise UsageError(f"The last day, {last}, is before the first, {first}.")
    if (last - first).days >= LONGEST_DAYS:
        raise UsageError(f"{(last - first).days + 1} days are too many; at most {LONGEST_DAYS}.")
    period = day_kinds(folder, first, last)
    slots = _slots(folder, period)
    if not len(slots.day):
        message = f"nothing is to be manned from {first} to {last}."
        raise InputError([Problem("bad-duty", message, "shifts.csv", None, "days", "a shift on these days")])
    former = _former(folder, first, kept or ())
    may = _may(folder, period, slots, former)
    problems = _alone(folder, period, slots)
    locks = []
    for row, lock in enumerate(folder.locks, 1):
        if lock.wants == "off" or not first <= lock.day <= last:
            continue
        person = _number(folder, lock.person_id)
        fits = _matching(folder, period, slots, lock.day, lock.shift_id, lock.post_id)
        able = np.flatnonzero(fits & may[person])
        if not len(able):
            message = f"{lock.person_id} cannot serve on {lock.day}: " + _why_not(
                folder, fits, lock.person_id
            )
            problems.append(Problem("duty-locked", message, "locks.csv", row, "person_id"))
        locks.append((person, able))
    if problems:
        raise InputError(problems)
    stay = _kept(folder, first, slots, kept or ())
    return Question(folder, period, slots, may, _caps(folder, period, slots, former), tuple(locks), stay)


def _number(folder: DutyFolder, person_id: str) -> int:
    return next(k for k, one in enumerate(folder.people) if one.person_id == person_id)


def _why_not(folder: DutyFolder, fits: Flags, person_id: str) -> str:
    if not fits.any():
        return "there is no such post on that day."
    return "the role is missing, or they are on leave, locked out, not in service, or not rested."


def _minutes(at: datetime) -> int:
    return int(at.timestamp() // 60)


def is_manned(shift: Shift, kind: str) -> bool:
    """Tell whether a shift is manned on a day of this kind.

    Parameters
    ----------
    shift : Shift
    kind : str
    """
    return shift.days == "all" or (shift.days == "work") == (kind == "work")


def _slots(folder: DutyFolder, period: Period) -> Slots:
    shifts = {one.shift_id: k for k, one in enumerate(folder.shifts)}
    rows: list[tuple[int, ...]] = []
    for number, day in enumerate(period.days):
        for which, post in enumerate(folder.posts):
            shift = folder.shifts[shifts[post.shift_id]]
            if not is_manned(shift, day.kind):
                continue
            begin, end = (_minutes(at) for at in hours_of(shift, day.day, folder.zone))
            free = end + round(shift.rest_h * 60)
            crew = number * len(shifts) + shifts[post.shift_id]
            span = (begin, end, free, end - begin)
            rows.append((number, which, crew, post.heads, *span, *counts_of(shift, day.kind)))
    table = np.array(sorted(rows, key=lambda row: (row[4], row[1])), np.int64).reshape(len(rows), 12)
    columns = [np.ascontiguousarray(column) for column in table.T]
    return Slots(*columns[:8], counts=np.array(columns[8:]))  # type: ignore[misc]


Former = dict[int, list[tuple[date, Shift | None]]]


def _former(folder: DutyFolder, first: date, kept: Sequence[Assignment]) -> Former:
    """Return the duties of each person before the period, once each."""
    shifts = {one.shift_id: one for one in folder.shifts}
    people = {one.person_id: k for k, one in enumerate(folder.people)}
    made: Former = {}
    for one in sorted({*folder.before, *kept}):
        if one.day < first and one.person_id in people:
            made.setdefault(people[one.person_id], []).append((one.day, shifts.get(one.shift_id)))
    return made


def _may(folder: DutyFolder, period: Period, slots: Slots, former: Former) -> Flags:
    roles = [post.role for post in folder.posts]
    first = period.days[0].day
    made = np.zeros((len(folder.people), len(slots.day)), bool)
    for k, person in enumerate(folder.people):
        able = np.array([role in person.roles for role in roles])
        made[k] = able[slots.post]
        if person.since is not None:
            made[k] &= slots.day >= (person.since - first).days
        if person.until is not None:
            made[k] &= slots.day <= (person.until - first).days
        ends = [
            _minutes(hours_of(shift, day, folder.zone)[1]) + round(shift.rest_h * 60)
            for day, shift in former.get(k, ())
            if shift is not None
        ]
        if ends:
            made[k] &= slots.begin >= max(ends)
    for leave in folder.leave:
        begin = _minutes(datetime.combine(leave.first, time(), folder.zone))
        end = _minutes(datetime.combine(leave.last + DAY, time(), folder.zone))
        made[_number(folder, leave.person_id)] &= (slots.end <= begin) | (slots.begin >= end)
    for lock in folder.locks:
        if lock.wants == "off":
            fits = _matching(folder, period, slots, lock.day, lock.shift_id, lock.post_id)
            made[_number(folder, lock.person_id)] &= ~fits
    _only_possible(folder, slots, made)
    return made


def _only_possible(folder: DutyFolder, slots: Slots, may: Flags) -> None:
    """Take out whom the rules of a crew keep out whoever else serves: fair shares leave them out, too."""
    for number, post in enumerate(folder.posts):
        for name, least in post.qualified:
            if least == post.heads:
                has = np.array([name in one.qualifications for one in folder.people])
                may[np.ix_(~has, slots.post == number)] = False
    if not folder.new_with_experienced:
        return
    new = np.array([one.level == "new" for one in folder.people])
    old = np.array([one.level == "experienced" for one in folder.people])
    for crew in np.unique(slots.crew):
        of = slots.crew == crew
        if slots.heads[of].sum() == 1 or not may[np.ix_(old, of)].any():
            may[np.ix_(new, of)] = False


def _matching(
    folder: DutyFolder, period: Period, slots: Slots, day: date, shift_id: str | None, post_id: str | None
) -> Flags:
    """Return the slots of a day, and of a shift and a post where these are named."""

    def fits(post: Post) -> bool:
        return shift_id in (None, post.shift_id) and post_id in (None, post.post_id)

    number = (day - period.days[0].day).days
    return np.asarray(np.array([fits(post) for post in folder.posts])[slots.post] & (slots.day == number))


def _alone(folder: DutyFolder, period: Period, slots: Slots) -> list[Problem]:
    """Tell shifts that must never be one person's, and are by their own heads."""
    problems = []
    for shift_id in sorted(folder.never_alone):
        posts = np.array([post.shift_id == shift_id for post in folder.posts])
        for slot in np.flatnonzero(posts[slots.post]):
            meets = (slots.begin < slots.end[slot]) & (slots.end > slots.begin[slot])
            instants = np.unique(np.clip(slots.begin[meets], slots.begin[slot], None))
            least = min(
                int(slots.heads[meets & (slots.begin <= at) & (slots.end > at)].sum()) for at in instants
            )
            # somebody else may leave before the end: look at ends as well
            ends = slots.end[meets & (slots.end < slots.end[slot])]
            for at in ends:
                least = min(least, int(slots.heads[meets & (slots.begin <= at) & (slots.end > at)].sum()))
            if least < 2:
                day = period.days[int(slots.day[slot])].day
                message = f'shift "{shift_id}" on {day}: at times only one head is on duty.'
                expected = "two heads at every instant; more heads, or another shift at the same time"
                problems.append(Problem("duty-alone", message, "posts.csv", None, "heads", expected))
                break
    return problems


def _kept(
    folder: DutyFolder, first: date, slots: Slots, kept: Sequence[Assignment]
) -> tuple[tuple[int, int], ...]:
    people = {one.person_id: k for k, one in enumerate(folder.people)}
    posts = {(one.post_id, one.shift_id): k for k, one in enumerate(folder.posts)}
    where = {(int(d), int(p)): k for k, (d, p) in enumerate(zip(slots.day, slots.post, strict=True))}
    made = []
    for one in sorted(set(kept)):
        slot = where.get(((one.day - first).days, posts.get((one.post_id, one.shift_id), -1)))
        if slot is not None and one.person_id in people:
            made.append((people[one.person_id], slot))
    return tuple(made)


def _caps(folder: DutyFolder, period: Period, slots: Slots, former: Former) -> Caps:
    made: list[tuple[str, Ints, Ints]] = []
    n_people = len(folder.people)
    for clique in cliques(slots.begin, slots.free):
        made.append(("rest", clique.astype(np.int64), np.ones(n_people, np.int64)))
    for day in np.unique(slots.day):
        same = np.flatnonzero(slots.day == day)
        if slots.begin[same].max() >= slots.free[same].min():  # else the rest says it
            made.append(("one_a_day", (slots.day == day).astype(np.int64), np.ones(n_people, np.int64)))
    first, last = period.days[0].day, period.days[-1].day
    limits = folder.limits
    ones, nights = np.ones(len(slots.day), np.int64), slots.counts[1]
    windows: list[tuple[str, float | None, Ints, list[tuple[date, date]]]] = [
        ("most_in_row", limits.most_in_row, ones, _runs(first, last, limits.most_in_row)),
        (
            "most_nights_in_row",
            limits.most_nights_in_row,
            nights,
            _runs(first, last, limits.most_nights_in_row),
        ),
        ("most_in_week", limits.most_in_week, ones, weeks(first, last)),
        ("most_h_in_week", limits.most_h_in_week, slots.minutes, weeks(first, last)),
        ("most_in_month", limits.most_in_month, ones, months(first, last)),
        ("most_h_in_month", limits.most_h_in_month, slots.minutes, months(first, last)),
    ]
    for rule, most, weight, spans in windows:
        if most is None:
            continue
        allowed = round(most * 60) if weight is slots.minutes else round(most)
        for begin, end in spans:
            low, high = (begin - first).days, (end - first).days
            uses = weight * ((slots.day >= low) & (slots.day <= high))
            used = np.array([_used(rule, former.get(k, ()), begin, end, folder) for k in range(n_people)])
            made.append((rule, uses, np.maximum(allowed - used, 0)))
    uses = np.array([row for _, row, _ in made]).reshape(len(made), len(slots.day))
    most_of = np.array([row for _, _, row in made]).reshape(len(made), n_people).T
    can_bind = uses.sum(axis=1) > most_of.min(axis=0, initial=10**9)
    return Caps(
        tuple(r for (r, _, _), b in zip(made, can_bind, strict=True) if b),
        uses[can_bind],
        most_of[:, can_bind],
    )


def _used(
    rule: str, duties: Sequence[tuple[date, Shift | None]], begin: date, end: date, folder: DutyFolder
) -> int:
    """Return what former duties use of a limit in a span of days."""
    within = [(day, shift) for day, shift in duties if begin <= day <= end]
    if "_h_" in rule:
        spans = [hours_of(shift, day, folder.zone) for day, shift in within if shift is not None]
        return sum(_minutes(last) - _minutes(first) for first, last in spans)
    if "nights" in rule:
        return sum(shift is not None and shift.night for _, shift in within)
    return len(within)


def _runs(first: date, last: date, most: int | None) -> list[tuple[date, date]]:
    """Return spans of one day more than may be in a row, each with a day of the period."""
    if most is None:
        return []
    begin = first - most * DAY
    return [(begin + k * DAY, begin + (k + most) * DAY) for k in range((last - begin).days - most + 1)]


def weeks(first: date, last: date) -> list[tuple[date, date]]:
    """Return the weeks, Monday to Sunday, that have a day of a period."""
    begin = first - first.weekday() * DAY
    return [(begin + 7 * k * DAY, begin + (7 * k + 6) * DAY) for k in range((last - begin).days // 7 + 1)]


def months(first: date, last: date) -> list[tuple[date, date]]:
    """Return the calendar months that have a day of a period.

    Examples
    --------
    >>> months(date(2028, 2, 3), date(2028, 2, 4))
    [(datetime.date(2028, 2, 1), datetime.date(2028, 2, 29))]
    """
    made, begin = [], first.replace(day=1)
    while begin <= last:
        after = (begin + timedelta(days=32)).replace(day=1)
        made.append((begin, after - DAY))
        begin = after
    return made


def cliques(begin: Ints, end: Ints) -> list[Flags]:
    """Return the largest sets of intervals that all meet, those of one interval left out.

    Parameters
    ----------
    begin, end : array
        Of the intervals, the end not included.
    """
    made = []
    starts = np.unique(begin)
    for k, at in enumerate(starts):
        there = (begin <= at) & (end > at)
        following = starts[k + 1] if k + 1 < len(starts) else None
        if there.sum() > 1 and (following is None or (end[there] <= following).any()):
            made.append(there)
    return made
