"""A roster to look at: the matrix of people and days, what each has of each kind of duty, and a workbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from changtong.duty.day_kinds import day_kinds
from changtong.duty.rosters_in_force import RostersInForce
from changtong.duty.staff import KINDS, Assignment, DutyFolder, counts_of
from changtong.workbooks import Cell, write_workbook

HEADS = {
    "zh": {"roster": "值班表", "fairness": "公平", "person": "人员", "name": "姓名", "share": "工时比例",
           "duties": "班数", "points": "分值", "nights": "夜班", "weekends": "周末", "holidays": "节假日"},
    "en": {"roster": "Roster", "fairness": "Fairness", "person": "Person", "name": "Name", "share": "Share",
           "duties": "Duties", "points": "Points", "nights": "Nights", "weekends": "Weekends",
           "holidays": "Holidays"},
}  # fmt: skip


@dataclass(frozen=True)
class PersonDuties:
    """What somebody has of a roster.

    Attributes
    ----------
    person_id, name : str
    share : float
        Part of full time.
    duties : int
    counts : tuple of float
        Points, nights, weekends, holidays, as `KINDS`.
    by_day : tuple of str
        Shift and post of each day, empty where there is none.
    """

    person_id: str
    name: str
    share: float
    duties: int
    counts: tuple[float, ...]
    by_day: tuple[str, ...]


def days_of(first: date, last: date) -> tuple[date, ...]:
    """Return the days from a first to a last one.

    Parameters
    ----------
    first, last : date
    """
    return tuple(first + timedelta(days=k) for k in range((last - first).days + 1))


def roster_matrix(
    folder: DutyFolder, rows: Sequence[Assignment], first: date, last: date
) -> tuple[PersonDuties, ...]:
    """Return what each person has, in the order of the people.

    Parameters
    ----------
    folder : DutyFolder
    rows : sequence of Assignment
    first, last : date
    """
    kinds = {one.day: one.kind for one in day_kinds(folder, first, last).days}
    days = days_of(first, last)
    made = []
    for person in folder.people:
        own = [row for row in rows if row.person_id == person.person_id and first <= row.day <= last]
        counted = [counts_of(folder.shift(row.shift_id), kinds[row.day]) for row in own]
        counts = tuple(float(sum(one[k] for one in counted)) for k in range(len(KINDS)))
        by_day = {row.day: f"{row.shift_id}/{row.post_id}" for row in own}
        made.append(
            PersonDuties(
                person.person_id, person.name, person.share, len(own),
                counts, tuple(by_day.get(day, "") for day in days),
            )
        )  # fmt: skip
    return tuple(made)


def matrix_in_force(rosters: RostersInForce, first: date, last: date) -> tuple[PersonDuties, ...]:
    """Return what each person has of the rosters in force on some days, each day from its own.

    Parameters
    ----------
    rosters : RostersInForce
    first, last : date

    Returns
    -------
    tuple of PersonDuties
        In the order of the people, the newest roster's first; names and shares as it has them.
    """
    made: dict[str, PersonDuties] = {}
    for part in reversed(list(rosters.parts(first, last))):
        for one in roster_matrix(part.folder, part.rows, first, last):
            known = made.get(one.person_id)
            made[one.person_id] = one if known is None else _with(known, one)
    return tuple(made.values())


def _with(one: PersonDuties, other: PersonDuties) -> PersonDuties:
    """Return what somebody has of two rosters, of which each day has one."""
    return replace(
        one,
        duties=one.duties + other.duties,
        counts=tuple(map(sum, zip(one.counts, other.counts, strict=True))),
        by_day=tuple(mine or theirs for mine, theirs in zip(one.by_day, other.by_day, strict=True)),
    )


def write_duty_workbook(
    people: Sequence[PersonDuties],
    first: date,
    last: date,
    path: Path,
    *,
    language: Literal["zh", "en"] = "zh",
) -> Path:
    """Write ``roster.xlsx``: a sheet of who has which duty on which day, and one of fairness.

    Parameters
    ----------
    people : sequence of PersonDuties
        Of these days.
    first, last : date
    path : Path
    language : {"zh", "en"}
        Of the headings.
    """
    said = HEADS[language]
    matrix: list[list[Cell]] = [
        [said["person"], said["name"], said["duties"], *(str(day) for day in days_of(first, last))]
    ]
    matrix += [
        [one.person_id, one.name, one.duties, *(text or None for text in one.by_day)] for one in people
    ]
    fairness: list[list[Cell]] = [[said[name] for name in ("person", "name", "share", "duties", *KINDS)]]
    fairness += [[one.person_id, one.name, one.share, one.duties, *one.counts] for one in people]
    return write_workbook(path, [(said["roster"], matrix), (said["fairness"], fairness)])
