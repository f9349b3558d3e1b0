"""Checks a plan of visits against its inputs alone: nothing of the planner is used."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import polars as pl

from changtong.network.reference_places import great_circle_km
from changtong.safety.supervision import Supervision
from changtong.safety.visit_rules import VisitRules


def check_visits(
    supervision: Supervision,
    rules: VisitRules,
    begin: date,
    days: int,
    visits: pl.DataFrame,
    left: pl.DataFrame,
) -> tuple[str, ...]:
    """Return what is wrong with a plan of visits: an empty tuple where nothing is.

    Parameters
    ----------
    supervision : Supervision
    rules : VisitRules
    begin : date
    days : int
    visits, left : polars.DataFrame
        As ``VISIT_SCHEMA`` and ``LEFT_SCHEMA`` of :mod:`changtong.safety.visit_plan`.
    """
    faults: list[str] = []
    sites = {row["site_id"]: row for row in supervision.sites.iter_rows(named=True)}
    people: dict[str, list[dict[str, object]]] = {}
    for row in supervision.inspectors.iter_rows(named=True):
        people.setdefault(str(row["team"] or row["inspector_id"]), []).append(row)
    opened = _opened(supervision.opening_hours)
    known = {(one, other): minutes for one, other, minutes in supervision.travel.iter_rows()}
    visited = visits["site_id"].to_list()
    faults += [f"{site} is visited twice" for site in {s for s in visited if visited.count(s) > 1}]
    faults += [f"{site} is visited and left" for site in set(visited) & set(left["site_id"])]
    for site in visited:
        if site not in sites or (sites[site]["status"] or "") == "closed":
            faults.append(f"{site} is no site that can be visited")
    for rows in visits.partition_by("team", "day", maintain_order=True):
        team, day = str(rows["team"][0]), rows["day"][0]
        members = people.get(team, [])
        if len(members) < rules.least_people or not members:
            faults.append(f"{team} is no team")
            continue
        if not 0 <= (day - begin).days < days:
            faults.append(f"{team}: {day} is none of the days")
        faults += [
            f"{team}: {one['inspector_id']} does not work on {day}" for one in members if not _works(one, day)
        ]
        skills = {word.strip() for one in members for word in str(one["skills"] or "").split(";")}
        faults += _day_faults(team, members, skills, rows.sort("order"), (sites, opened, known), rules)
    return tuple(faults)


def _works(one: dict[str, object], day: date) -> bool:
    return str(day.isoweekday()) in str(one["weekdays"] or "12345") and str(day) not in str(one["away"] or "")


def _day_faults(
    team: str,
    members: list[dict[str, object]],
    skills: set[str],
    rows: pl.DataFrame,
    tables: tuple[dict[str, dict[str, object]], _Minutes, dict[tuple[str, str], float]],
    rules: VisitRules,
) -> list[str]:
    """Drive a day once more."""
    sites, opened, known = tables
    faults: list[str] = []
    first = min(members, key=lambda one: str(one["inspector_id"]))
    starts = max(_or(one["starts_h"], 9.0) for one in members)
    hours = min(_or(one["hours_per_day"], 8.0) for one in members)
    lunch, eaten = _lunch(members), False
    where, here, clock = team, (_or(first["lon"], 0.0), _or(first["lat"], 0.0)), starts * 3600
    if rows["order"].to_list() != list(range(1, rows.height + 1)):
        faults.append(f"{team}: the order is not 1, 2, 3 …")
    for row in rows.iter_rows(named=True):
        site = sites.get(row["site_id"])
        if site is None:
            continue
        lacking = {word.strip() for word in str(site["needs"] or "").split(";")} - skills - {""}
        if lacking:
            faults.append(f"{team} lacks {', '.join(sorted(lacking))} for {row['site_id']}")
        there = (_or(site["lon"], 0.0), _or(site["lat"], 0.0))
        left, clock = clock, clock + _way_s(where, row["site_id"], here, there, known, rules)
        ready = clock
        if row["lunch"] is not None:
            faults += _lunch_faults(team, lunch, eaten, left, row["lunch"])
            begins_s, eaten = _seconds(row["lunch"]), True
            ready = max(clock, begins_s) + (lunch[0] if lunch else 0)
            clock = clock if clock <= begins_s else ready
        if abs(_seconds(row["arrives"]) - clock) > 60:
            faults.append(f"{team} cannot be at {row['site_id']} at {row['arrives']}")
        length = rules.minutes.get(str(site["kind"]), rules.minutes["other"]) * 60
        begins = _begins(ready, length, opened.get(row["site_id"]), row["day"])
        if begins is None:
            faults.append(f"{row['site_id']} is not open for a whole visit after {row['arrives']}")
            begins = ready
        elif abs((row["waits_min"] or 0.0) * 60 - (begins - ready)) > 4:
            faults.append(f"{team} waits {row['waits_min']} min at {row['site_id']}")
        clock = begins + length
        if abs(_seconds(row["leaves"]) - clock) > 60:
            faults.append(f"{team} cannot leave {row['site_id']} at {row['leaves']}")
        where, here = row["site_id"], there
    base = (_or(first["lon"], 0.0), _or(first["lat"], 0.0))
    left, clock = clock, clock + _way_s(where, team, here, base, known, rules)
    if (
        lunch is not None
        and not eaten
        and lunch[1] + lunch[0] > starts * 3600
        and clock + lunch[0] > lunch[2]
    ):
        begins_s = math.ceil(max(lunch[1], left) / 60 - 1e-9) * 60
        clock += lunch[0]
        if begins_s + lunch[0] > lunch[2]:
            faults.append(f"{team} has no lunch on {rows['day'][0]}")
    if clock > (starts + hours) * 3600 + 1:
        faults.append(f"{team} works {clock / 3600 - starts:.2f} h of {hours:g}")
    return faults


def _lunch(members: list[dict[str, object]]) -> tuple[float, int, int] | None:
    """Return seconds of lunch, and the seconds of the day between which it lies; None where there is none."""
    having = [one for one in members if _or(one["lunch_min"], 0.0) > 0]
    if not having:
        return None
    return (
        max(_or(one["lunch_min"], 0.0) for one in having) * 60,
        max(_seconds(str(one["lunch_from"])) for one in having),
        min(_seconds(str(one["lunch_until"])) for one in having),
    )


def _lunch_faults(
    team: str, lunch: tuple[float, int, int] | None, eaten: bool, left: float, begins: str
) -> list[str]:
    """Return what is wrong with lunch that is taken on the way to a visit."""
    if lunch is None or eaten:
        return [f"{team} has lunch {'twice' if eaten else 'that nobody asked for'}"]
    faults = []
    if not (lunch[1] <= _seconds(begins) and _seconds(begins) + lunch[0] <= lunch[2]):
        faults.append(f"{team} has lunch at {begins}, out of its time")
    if _seconds(begins) < left - 1:
        faults.append(f"{team} has lunch at {begins}, during a visit")
    return faults


_Minutes = dict[str, tuple[dict[int, set[int]] | None, dict[date, set[int]]]]
"""Site -> the minutes of each weekday, 1 to 7, in which it is open (None: all), and of single dates."""


def _opened(table: pl.DataFrame) -> _Minutes:
    made: _Minutes = {}
    columns = ("site_id", "weekdays", "opens", "closes", "dates")
    for site, weekdays, opens, closes, dates in table.select(columns).iter_rows():
        week, single = made.setdefault(site, (None, {}))
        minutes = (
            set(range(_seconds(opens) // 60, _seconds(closes) // 60)) if (opens or "").strip() else set()
        )
        for word in (dates or "").split(";"):
            first, _, last = word.strip().partition("/")
            if first.strip():
                begin, end = (date.fromisoformat(part.strip()) for part in (first, last or first))
                for k in range((end - begin).days + 1):
                    single.setdefault(begin + timedelta(days=k), set()).update(minutes)
        if (weekdays or "").strip():
            week = week or {day: set() for day in range(1, 8)}
            for digit in weekdays.strip():
                week[int(digit)] |= minutes
        made[site] = week, single
    return made


def _begins(
    clock: float,
    length: float,
    opened: tuple[dict[int, set[int]] | None, dict[date, set[int]]] | None,
    day: date,
) -> float | None:
    """Return the first second from which a site is open for a whole visit; None where there is none."""
    week, single = opened or (None, {})
    if day not in single and week is None:
        return clock
    minutes = single[day] if day in single else (week or {})[day.isoweekday()]
    for begin in (clock, *(60.0 * minute for minute in range(math.floor(clock / 60) + 1, 24 * 60))):
        first, last = math.floor((begin + 2) / 60), math.ceil((begin + length - 2) / 60)  # ways are rounded
        if minutes.issuperset(range(first, last)):
            return begin
    return None


def _or(value: object, other: float) -> float:
    return other if value is None else float(str(value))


def _seconds(text: str) -> int:
    hours, minutes = text.strip().split(":")[:2]
    return int(hours) * 3600 + int(minutes) * 60


def _way_s(
    one: str,
    other: str,
    here: tuple[float, float],
    there: tuple[float, float],
    known: dict[tuple[str, str], float],
    rules: VisitRules,
) -> float:
    if (one, other) in known:
        return math.ceil(known[one, other] * 60 - 1e-6)
    lon_1, lat_1, lon_2, lat_2 = (np.array([value]) for value in (*here, *there))
    km = float(great_circle_km(lon_1, lat_1, lon_2, lat_2)[0]) * rules.detour_factor
    return math.ceil(km / rules.speed_km_per_h * 3600 - 1e-6)
