"""Checks a roster against the duty folder, row by row: plain Python, nothing in common with the solver."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from changtong.duty.day_kinds import Period
from changtong.duty.staff import Assignment, DutyFolder, Person, Shift

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Breach:
    """A rule that a roster breaks.

    Attributes
    ----------
    day : date
    rule : str
        As ``rest``, ``leave``, ``heads``, ``most_in_row``.
    text : str
        In words.
    """

    day: date
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.day} {self.rule}: {self.text}"


@dataclass(frozen=True)
class _Duty:
    row: Assignment
    person: Person
    shift: Shift
    begin: datetime
    end: datetime


def check_roster(
    folder: DutyFolder, period: Period, roster: Sequence[Assignment], former: Sequence[Assignment] = ()
) -> tuple[Breach, ...]:
    """Return every rule that a roster breaks, by day.

    Parameters
    ----------
    folder : DutyFolder
    period : Period
        The days that must be manned.
    roster : sequence of Assignment
    former : sequence of Assignment
        Duties before the period, beside those of the folder.
    """
    found: list[Breach] = []
    duties = list(_known(folder, period, roster, found))
    first = period.days[0].day
    silent: list[Breach] = []
    earlier = [row for row in {*folder.before, *former} if row.day < first]
    before = list(_known(folder, None, earlier, silent))
    found += _manned(folder, period, duties)
    for duty in duties:
        found += _allowed(folder, duty)
    by_person: dict[str, list[_Duty]] = defaultdict(list)
    for duty in before + duties:
        by_person[duty.row.person_id].append(duty)
    for own in by_person.values():
        own.sort(key=lambda duty: duty.begin)
        found += [one for one in _own(folder, own) if one.day >= first]
    found += _together(folder, duties)
    found += _locked(folder, period, roster)
    return tuple(sorted(set(found)))


def _known(
    folder: DutyFolder, period: Period | None, roster: Sequence[Assignment], found: list[Breach]
) -> Iterator[_Duty]:
    people = {one.person_id: one for one in folder.people}
    shifts = {one.shift_id: one for one in folder.shifts}
    posts = {(one.post_id, one.shift_id) for one in folder.posts}
    kinds = {} if period is None else {day.day: day.kind for day in period.days}
    for row, times in sorted(Counter(roster).items()):
        person, shift = people.get(row.person_id), shifts.get(row.shift_id)
        name = f"{row.person_id} as {row.post_id} in {row.shift_id}"
        if person is None or shift is None:
            found.append(Breach(row.day, "unknown", f"{name}: no such person or shift."))
            continue
        if period is not None:
            if (row.post_id, row.shift_id) not in posts:
                found.append(Breach(row.day, "unknown", f"{name}: no such post."))
                continue
            kind = kinds.get(row.day)
            if kind is None or (shift.days, kind == "work") in (("work", False), ("free", True)):
                found.append(Breach(row.day, "not_manned", f"{name}: not manned on this day."))
        if times > 1:
            found.append(Breach(row.day, "heads", f"{name}: {times} times."))
        start = datetime.combine(row.day, shift.start)
        begin = start.replace(tzinfo=folder.zone).astimezone(UTC)
        end = (start + timedelta(hours=shift.hours)).replace(tzinfo=folder.zone).astimezone(UTC)
        yield _Duty(row, person, shift, begin, end)


def _manned(folder: DutyFolder, period: Period, duties: Sequence[_Duty]) -> Iterator[Breach]:
    there: dict[tuple[date, str, str], list[Person]] = defaultdict(list)
    for duty in duties:
        there[duty.row.day, duty.row.shift_id, duty.row.post_id].append(duty.person)
    shifts = {one.shift_id: one for one in folder.shifts}
    for day in period.days:
        for post in folder.posts:
            when = shifts[post.shift_id].days
            if (when == "work" and day.kind != "work") or (when == "free" and day.kind == "work"):
                continue
            people = there[day.day, post.shift_id, post.post_id]
            name = f"{post.post_id} in {post.shift_id}"
            if len(people) != post.heads:
                yield Breach(day.day, "heads", f"{name}: {len(people)} of {post.heads} heads.")
            for wanted, least in post.qualified:
                have = sum(wanted in person.qualifications for person in people)
                if have < least:
                    yield Breach(day.day, "qualified", f"{name}: {have} of {least} with {wanted}.")


def _allowed(folder: DutyFolder, duty: _Duty) -> Iterator[Breach]:
    row, person = duty.row, duty.person
    roles = {one.role for one in folder.posts if (one.post_id, one.shift_id) == (row.post_id, row.shift_id)}
    if not roles & person.roles:
        yield Breach(row.day, "role", f"{row.person_id} is no {'/'.join(sorted(roles))}.")
    if (person.since and row.day < person.since) or (person.until and row.day > person.until):
        yield Breach(row.day, "service", f"{row.person_id} is not in service.")
    for leave in folder.leave:
        if leave.person_id != row.person_id:
            continue
        begin = datetime.combine(leave.first, time(), folder.zone)
        end = datetime.combine(leave.last + ONE_DAY, time(), folder.zone)
        if duty.begin < end and begin < duty.end:
            yield Breach(row.day, "leave", f"{row.person_id} is on leave {leave.first} to {leave.last}.")


def _own(folder: DutyFolder, own: Sequence[_Duty]) -> Iterator[Breach]:
    """Yield what one person's duties, in order, break."""
    name = own[0].row.person_id
    for one, after in zip(own, own[1:], strict=False):
        rest = (after.begin - one.end).total_seconds() / 3600
        if rest < one.shift.rest_h:
            text = (
                f"{name}: {rest:g} h after {one.row.shift_id} of {one.row.day}, needed {one.shift.rest_h:g}."
            )
            yield Breach(after.row.day, "rest", text)
        if one.row.day == after.row.day:
            yield Breach(after.row.day, "one_a_day", f"{name}: two duties begin on one day.")
    limits = folder.limits
    yield from _rows(name, "most_in_row", limits.most_in_row, {duty.row.day for duty in own})
    nights = {duty.row.day for duty in own if duty.shift.night}
    yield from _rows(name, "most_nights_in_row", limits.most_nights_in_row, nights)
    spans: dict[tuple[str, date], list[_Duty]] = defaultdict(list)
    for duty in own:
        spans["week", duty.row.day - duty.row.day.weekday() * ONE_DAY].append(duty)
        spans["month", duty.row.day.replace(day=1)].append(duty)
    for (span, _), some in spans.items():
        most = limits.most_in_week if span == "week" else limits.most_in_month
        most_h = limits.most_h_in_week if span == "week" else limits.most_h_in_month
        hours = sum((duty.end - duty.begin).total_seconds() for duty in some) / 3600
        last = some[-1].row.day
        if most is not None and len(some) > most:
            yield Breach(last, f"most_in_{span}", f"{name}: {len(some)} duties, {most} at most.")
        if most_h is not None and hours > most_h + 1e-9:
            yield Breach(last, f"most_h_in_{span}", f"{name}: {hours:g} h, {most_h:g} h at most.")


def _rows(name: str, rule: str, most: int | None, days: set[date]) -> Iterator[Breach]:
    if most is None:
        return
    for day in sorted(days):
        length = 1
        while day - length * ONE_DAY in days:
            length += 1
        if length > most:
            yield Breach(day, rule, f"{name}: day {length} in a row, {most} at most.")


def _together(folder: DutyFolder, duties: Sequence[_Duty]) -> Iterator[Breach]:
    by_day: dict[date, list[_Duty]] = defaultdict(list)
    crews: dict[tuple[date, str], list[_Duty]] = defaultdict(list)
    for duty in duties:
        by_day[duty.row.day].append(duty)
        crews[duty.row.day, duty.row.shift_id].append(duty)

    def near(day: date) -> list[_Duty]:  # a shift lasts 72 h at most
        return [duty for k in range(-4, 5) for duty in by_day.get(day + k * ONE_DAY, ())]

    never = {frozenset((pair.first, pair.second)) for pair in folder.pairs if pair.rule == "never"}
    for duty in duties if never else ():
        for other in near(duty.row.day):
            both = frozenset((duty.row.person_id, other.row.person_id))
            if both in never and duty.begin < other.end and other.begin < duty.end:
                names = " and ".join(sorted(both))
                yield Breach(max(duty.row.day, other.row.day), "never", f"{names} serve at the same time.")
    for (day, shift_id), crew in crews.items():
        levels = {duty.person.level for duty in crew}
        if folder.new_with_experienced and "new" in levels and "experienced" not in levels:
            new = sorted(duty.row.person_id for duty in crew if duty.person.level == "new")
            text = f"{', '.join(new)} in {shift_id}: nobody experienced is with them."
            yield Breach(day, "new_with_experienced", text)
        if shift_id in folder.never_alone:
            around = near(day)
            begin, end = crew[0].begin, crew[0].end
            instants = {begin, *(at for duty in around for at in (duty.begin, duty.end) if begin <= at < end)}
            for at in sorted(instants):
                there = {duty.row.person_id for duty in around if duty.begin <= at < duty.end}
                if len(there) < 2:
                    when = at.astimezone(folder.zone)
                    text = f"{', '.join(there) or 'nobody'} alone in {shift_id} at {when:%m-%d %H:%M}."
                    yield Breach(day, "never_alone", text)
                    break


def _locked(folder: DutyFolder, period: Period, roster: Sequence[Assignment]) -> Iterator[Breach]:
    days = {day.day for day in period.days}
    for lock in folder.locks:
        if lock.day not in days:
            continue
        there = any(
            row.day == lock.day
            and row.person_id == lock.person_id
            and lock.shift_id in (None, row.shift_id)
            and lock.post_id in (None, row.post_id)
            for row in roster
        )
        if there != (lock.wants == "on"):
            text = f"{lock.person_id} is {'not ' if lock.wants == 'on' else ''}on duty."
            yield Breach(lock.day, "locks", text)
