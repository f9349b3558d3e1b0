"""Checks a plan of visits against its inputs alone: nothing of the planner is used."""

from __future__ import annotations

import math
from datetime import date

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
    tables: tuple[dict[str, dict[str, object]], dict[str, dict[int, set[int]]], dict[tuple[str, str], float]],
    rules: VisitRules,
) -> list[str]:
    """Drive a day once more."""
    sites, opened, known = tables
    faults: list[str] = []
    first = min(members, key=lambda one: str(one["inspector_id"]))
    starts = max(_or(one["starts_h"], 9.0) for one in members)
    hours = min(_or(one["hours_per_day"], 8.0) for one in members)
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
        clock += _way_s(where, row["site_id"], here, there, known, rules)
        if abs(_seconds(row["arrives"]) - clock) > 60:
            faults.append(f"{team} cannot be at {row['site_id']} at {row['arrives']}")
        length = rules.minutes.get(str(site["kind"]), rules.minutes["other"]) * 60
        begins = _begins(clock, length, opened.get(row["site_id"]), row["day"])
        if begins is None:
            faults.append(f"{row['site_id']} is not open for a whole visit after {row['arrives']}")
            begins = clock
        elif abs((row["waits_min"] or 0.0) * 60 - (begins - clock)) > 4:
            faults.append(f"{team} waits {row['waits_min']} min at {row['site_id']}")
        clock = begins + length
        if abs(_seconds(row["leaves"]) - clock) > 60:
            faults.append(f"{team} cannot leave {row['site_id']} at {row['leaves']}")
        where, here = row["site_id"], there
    base = (_or(first["lon"], 0.0), _or(first["lat"], 0.0))
    clock += _way_s(where, team, here, base, known, rules)
    if clock > (starts + hours) * 3600 + 1:
        faults.append(f"{team} works {clock / 3600 - starts:.2f} h of {hours:g}")
    return faults


def _opened(table: pl.DataFrame) -> dict[str, dict[int, set[int]]]:
    """Return site -> weekday, 1 to 7 -> the minutes of the day in which it is open."""
    made: dict[str, dict[int, set[int]]] = {}
    for site, weekdays, opens, closes in table.select("site_id", "weekdays", "opens", "closes").iter_rows():
        minutes = made.setdefault(site, {day: set() for day in range(1, 8)})
        if (opens or "").strip():
            for digit in weekdays.strip():
                minutes[int(digit)].update(range(_seconds(opens) // 60, _seconds(closes) // 60))
    return made


def _begins(clock: float, length: float, minutes: dict[int, set[int]] | None, day: date) -> float | None:
    """Return the first second from which a site is open for a whole visit; None where there is none."""
    if minutes is None:
        return clock
    for begin in (clock, *(60.0 * minute for minute in range(math.floor(clock / 60) + 1, 24 * 60))):
        first, last = math.floor((begin + 2) / 60), math.ceil((begin + length - 2) / 60)  # ways are rounded
        if minutes[day.isoweekday()].issuperset(range(first, last)):
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
