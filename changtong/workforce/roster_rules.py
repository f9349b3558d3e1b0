"""Rules of rosters, read from a TOML file: shifts, what people can do, what may be asked of them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any
from zoneinfo import available_timezones

from changtong.rules_files import read_rules_file
from changtong.safety.toml_values import PROVENANCES, Values

SHIPPED = "roster_rules.toml"
CODE = "bad-roster-rules"
OBJECTIVES = ("person_days", "temporary", "cost")
LONGEST_SHIFT_H = 16.0
MOST_DUTIES = 60
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift of a centre.

    Attributes
    ----------
    id : str
    start_h, hours : float
        Hours after midnight of its day; it may end on the next day.
    """

    id: str
    start_h: float
    hours: float

    @property
    def end_h(self) -> float:
        """Hours after midnight of its day at which it ends."""
        return self.start_h + self.hours


@dataclass(frozen=True, slots=True)
class Duty:
    """What one person works on one day: one shift, or several that do not overlap."""

    shifts: tuple[Shift, ...]

    @property
    def id(self) -> str:
        """The ids of its shifts, ``+`` between them."""
        return "+".join(shift.id for shift in self.shifts)

    @property
    def start_h(self) -> float:
        """Beginning of the first shift."""
        return self.shifts[0].start_h

    @property
    def end_h(self) -> float:
        """End of the last shift, hours after midnight of its day."""
        return self.shifts[-1].end_h

    @property
    def hours(self) -> float:
        """Hours worked."""
        return sum(shift.hours for shift in self.shifts)


@dataclass(frozen=True)
class RosterRules:
    """What a roster must obey.

    Attributes
    ----------
    id, version, provenance, source : str
    first : str
        What is least: ``person_days``, ``temporary`` (person-days of temporary staff) or ``cost`` (CNY).
    shifts : tuple of Shift
        In order of their beginning.
    due_h : int
        Pieces are sorted at most so many hours after the hour in which they come in.
    clear_at_end : bool
        Whether all is sorted by the end of the last day.
    staff : int
        Regular staff of a centre that is not named otherwise.
    staff_by_site : mapping
    regular_pieces_per_h, temporary_pieces_per_h : float
        Pieces a person sorts in an hour.
    regular_cny_per_h, temporary_cny_per_h : float
    shifts_per_day : int
    hours_per_day, hours_per_week : float
        The week begins on Monday.
    days_in_a_row : int
    attendance_share : float
        Most days worked, as a share of the days of the roster.
    rest_h : float
        Between the end of a day's work and the next beginning.
    temporary_most : int
        Temporary staff in a shift.
    zone : str
        Of dates and clocks.
    """

    id: str
    version: str
    provenance: str
    source: str
    first: str
    shifts: tuple[Shift, ...]
    due_h: int
    clear_at_end: bool
    staff: int
    staff_by_site: Mapping[str, int]
    regular_pieces_per_h: float
    temporary_pieces_per_h: float
    regular_cny_per_h: float
    temporary_cny_per_h: float
    shifts_per_day: int
    hours_per_day: float
    hours_per_week: float
    days_in_a_row: int
    attendance_share: float
    rest_h: float
    temporary_most: int
    zone: str = "Asia/Shanghai"

    def duties(self) -> tuple[Duty, ...]:
        """Return what a person may work on one day, single shifts first."""
        made = [Duty((shift,)) for shift in self.shifts if shift.hours <= self.hours_per_day + 1e-9]
        for count in range(2, self.shifts_per_day + 1):
            for chosen in combinations(self.shifts, count):
                apart = all(a.end_h <= b.start_h + 1e-9 for a, b in zip(chosen, chosen[1:], strict=False))
                if apart and sum(shift.hours for shift in chosen) <= self.hours_per_day + 1e-9:
                    made.append(Duty(chosen))
        return tuple(made)

    def staff_of(self, site: str) -> int:
        """Return the regular staff of a centre by the rules alone."""
        return self.staff_by_site.get(site, self.staff)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RosterRules:
        """Return rules from what :meth:`to_dict` gave."""
        shifts = tuple(Shift(**one) for one in values["shifts"])
        return cls(**{**values, "shifts": shifts})

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as plain values."""
        return asdict(self) | {"staff_by_site": dict(self.staff_by_site)}


_TOP: dict[str, type] = {
    "id": str, "version": str, "provenance": str, "source": str, "first": str, "zone": str, "volumes": dict,
    "regular": dict, "temporary": dict, "staff_by_site": dict, "shift": list,
}  # fmt: skip
_VOLUMES: dict[str, type] = {"due_h": int, "clear_at_end": bool}
_REGULAR: dict[str, type] = {
    "staff": int, "pieces_per_person_h": float, "wage_cny_per_h": float, "shifts_per_day": int,
    "hours_per_day": float, "hours_per_week": float, "days_in_a_row": int, "attendance_share": float,
    "rest_h": float,
}  # fmt: skip
_TEMPORARY: dict[str, type] = {"most_per_shift": int, "pieces_per_person_h": float, "wage_cny_per_h": float}


def read_roster_rules(path: str | os.PathLike[str] | None = None) -> RosterRules:
    """Read rules of rosters, with every problem told.

    Parameters
    ----------
    path : path, optional
        By default the shipped example.

    Raises
    ------
    InputError
        ``bad-roster-rules``.

    Examples
    --------
    >>> [shift.id for shift in read_roster_rules().shifts]
    ['A', 'B', 'C', 'D', 'E', 'F']
    """
    file, content = read_rules_file(path, "changtong.workforce", SHIPPED, CODE)
    values = Values(file, CODE)
    top = values.table(content, _TOP, ("id", "version", "provenance", "source", "regular", "shift"))
    values.one_of(top, "provenance", PROVENANCES)
    values.one_of(top, "first", OBJECTIVES)
    if "zone" in top and top["zone"] not in available_timezones():
        values.add(f"{top['zone']!r} is no time zone.", "zone", None, "a name as Asia/Shanghai")
    volumes = values.table(top.get("volumes", {}), _VOLUMES, (), of="volumes")
    regular = values.table(top.get("regular", {}), _REGULAR, ("staff", "pieces_per_person_h"), of="regular")
    temporary = values.table(top.get("temporary", {}), _TEMPORARY, (), of="temporary")
    staff = top.get("staff_by_site", {})
    by_site = values.table(staff, dict.fromkeys(staff, int), (), of="staff_by_site")
    shifts = _shifts(values, top)
    _check_numbers(values, volumes, regular, temporary)
    values.finish()
    made = RosterRules(
        id=top["id"],
        version=top["version"],
        provenance=top["provenance"],
        source=top["source"],
        first=top.get("first", "person_days"),
        shifts=tuple(sorted(shifts, key=lambda shift: (shift.start_h, shift.hours, shift.id))),
        due_h=volumes.get("due_h", 0),
        clear_at_end=volumes.get("clear_at_end", True),
        staff=regular["staff"],
        staff_by_site=by_site,
        regular_pieces_per_h=float(regular["pieces_per_person_h"]),
        temporary_pieces_per_h=float(temporary.get("pieces_per_person_h", regular["pieces_per_person_h"])),
        regular_cny_per_h=float(regular.get("wage_cny_per_h", 0.0)),
        temporary_cny_per_h=float(temporary.get("wage_cny_per_h", 0.0)),
        shifts_per_day=regular.get("shifts_per_day", 1),
        hours_per_day=float(regular.get("hours_per_day", max(shift.hours for shift in shifts))),
        hours_per_week=float(regular.get("hours_per_week", 168.0)),
        days_in_a_row=regular.get("days_in_a_row", 7),
        attendance_share=float(regular.get("attendance_share", 1.0)),
        rest_h=float(regular.get("rest_h", 0.0)),
        temporary_most=temporary.get("most_per_shift", 0),
        zone=top.get("zone", "Asia/Shanghai"),
    )
    _check_together(values, made)
    values.finish()
    return made


def _shifts(values: Values, top: Mapping[str, Any]) -> list[Shift]:
    made: list[Shift] = []
    for row, content in values.rows(top, "shift"):
        one = values.table(content, {"id": str, "start": str, "hours": float}, ("id", "start", "hours"), row)
        clock = _CLOCK.fullmatch(one.get("start", "").strip())
        if "start" in one and clock is None:
            values.add(f"{one['start']!r} is no time of day.", "start", row, "HH:MM, as 05:00")
        if "hours" in one and not 0 < one["hours"] <= LONGEST_SHIFT_H:
            values.add(f"{one['hours']:g} hours.", "hours", row, f"more than 0, at most {LONGEST_SHIFT_H:g}")
        if one.get("id") in {shift.id for shift in made}:
            values.add(f"{one['id']!r} is there twice.", "id", row, "each shift once")
        if "+" in one.get("id", ""):
            values.add(f"{one['id']!r} holds a +.", "id", row, "an id without +, which joins two shifts")
        if clock is not None and {"id", "hours"} <= set(one):
            made.append(Shift(one["id"], int(clock[1]) + int(clock[2]) / 60, float(one["hours"])))
    if not made and "shift" in top:
        values.add("no shift.", "shift", None, "one [[shift]] or more")
    return made


def _check_numbers(
    values: Values, volumes: Mapping[str, Any], regular: Mapping[str, Any], temporary: Mapping[str, Any]
) -> None:
    limits: tuple[tuple[Mapping[str, Any], str, float, float], ...] = (
        (volumes, "due_h", 0, 240),
        (regular, "staff", 0, 5_000),
        (regular, "pieces_per_person_h", 1e-6, 1e6),
        (temporary, "pieces_per_person_h", 1e-6, 1e6),
        (regular, "shifts_per_day", 1, 3),
        (regular, "hours_per_day", 0.25, 24),
        (regular, "hours_per_week", 0.25, 168),
        (regular, "days_in_a_row", 1, 366),
        (regular, "attendance_share", 0, 1),
        (regular, "rest_h", 0, 24),
        (temporary, "most_per_shift", 0, 100_000),
    )
    for table, key, low, high in limits:
        if key in table and not low <= table[key] <= high:
            values.add(f"{table[key]!r} is not allowed.", key, None, f"{low:g} to {high:g}")


def _check_together(values: Values, rules: RosterRules) -> None:
    """Tell of rules that cannot be met together."""
    duties = rules.duties()
    if not duties:
        expected = f"a shift of at most {rules.hours_per_day:g} hours"
        values.add("every shift is longer than a day's work may be.", "hours_per_day", None, expected)
        return
    if len(duties) > MOST_DUTIES:
        values.add(f"{len(duties)} ways to work a day.", "shifts_per_day", None, f"at most {MOST_DUTIES}")
    longest = max(duty.hours for duty in duties)
    if rules.hours_per_week < longest:
        values.add(
            f"{rules.hours_per_week:g} hours a week are less than one day of {longest:g} hours.",
            "hours_per_week",
            None,
            f"{longest:g} or more",
        )
    slack = 48 + min(duty.start_h for duty in duties) - max(duty.end_h for duty in duties)
    if rules.rest_h > slack:
        values.add(
            f"{rules.rest_h:g} hours cannot be had across one day off.", "rest_h", None, f"at most {slack:g}"
        )


def days_per_week(rules: RosterRules, hours_per_day: float) -> int:
    """Return how many days of such length a week holds.

    Parameters
    ----------
    rules : RosterRules
    hours_per_day : float
    """
    return min(7, math.floor(rules.hours_per_week / hours_per_day + 1e-9))
