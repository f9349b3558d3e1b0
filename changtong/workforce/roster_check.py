"""Checks rosters against their volumes and rules alone: nothing of what made them is used.

Pieces are followed one hour's batch after another, oldest first; people by their instants.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

TOLERANCE = 0.05
"""Pieces: what solvers and rounding leave."""

Rows = list[dict[str, Any]]


def check_roster(tables: Mapping[str, pl.DataFrame], rules: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with rosters: an empty tuple where nothing is.

    Parameters
    ----------
    tables : mapping
        ``centres``, ``shifts``, ``roster``, ``people``, ``hours``, ``absences``, as a roster folder holds.
    rules : mapping
        As ``RosterRules.to_dict`` gives them.
    """
    faults: list[str] = []
    by_site: dict[str, dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
    for name, frame in tables.items():
        for row in frame.iter_rows(named=True):
            by_site[row["site"]][name].append(row)
    owner: dict[str, str] = {}
    for row in tables["people"].iter_rows(named=True):
        if owner.setdefault(row["person_id"], row["site"]) != row["site"]:
            faults.append(f"{row['person_id']} stands at {owner[row['person_id']]} and {row['site']}")
    for site, of_site in by_site.items():
        if len(of_site["centres"]) != 1:
            faults.append(f"{site} has {len(of_site['centres'])} rows in centres")
            continue
        faults += [f"{site}: {fault}" for fault in _people_faults(of_site, rules)]
        faults += [f"{site}: {fault}" for fault in _count_faults(of_site, rules)]
        faults += [f"{site}: {fault}" for fault in _piece_faults(of_site, rules)]
    return tuple(faults)


def _clocks(one: Mapping[str, Any], shifts: Mapping[str, Mapping[str, Any]], zone: ZoneInfo) -> Any:
    """Return begin, end and hours of a duty, from its shifts; None where there are no such shifts."""
    names = str(one["duty"]).split("+")
    if any(name not in shifts for name in names):
        return None
    midnight = datetime(one["date"].year, one["date"].month, one["date"].day)
    begins = [midnight + timedelta(hours=shifts[name]["start_h"]) for name in names]
    ends = [b + timedelta(hours=shifts[name]["hours"]) for b, name in zip(begins, names, strict=True)]
    if any(end > begin for end, begin in zip(ends, begins[1:], strict=False)):
        return None
    hours = sum(shifts[name]["hours"] for name in names)
    return begins[0].replace(tzinfo=zone), ends[-1].replace(tzinfo=zone), hours, len(names)


def _people_faults(of_site: Mapping[str, Rows], rules: Mapping[str, Any]) -> list[str]:
    faults: list[str] = []
    zone = ZoneInfo(rules["zone"])
    shifts = {one["id"]: one for one in rules["shifts"]}
    known = {row["person_id"] for row in of_site["people"]}
    gone = {(row["person_id"], row["date"]) for row in of_site["absences"]}
    days = {row["date"] for row in of_site["hours"] if row["pieces"] or row["hour"] == 23}
    most = math.floor(rules["attendance_share"] * len(days) + 1e-9)
    worked: dict[str, Rows] = defaultdict(list)
    for row in of_site["roster"]:
        worked[row["person_id"]].append(row)
    for person, rows in worked.items():
        if person not in known:
            faults.append(f"{person} is not among the people")
        made = []
        for row in sorted(rows, key=lambda one: one["date"]):
            found = _clocks(row, shifts, zone)
            if found is None:
                faults.append(f"{person} on {row['date']}: {row['duty']!r} is no duty")
                continue
            begin, end, hours, count = found
            if (person, row["date"]) in gone:
                faults.append(f"{person} is absent on {row['date']} and works")
            if count > rules["shifts_per_day"] or hours > rules["hours_per_day"] + 1e-6:
                faults.append(f"{person} on {row['date']}: {count} shifts, {hours:g} hours")
            for name, value in (("begin", begin), ("end", end)):
                if datetime.fromisoformat(row[name]) != value:
                    faults.append(f"{person} on {row['date']}: {name} is not that of {row['duty']}")
            made.append((row["date"], begin, end, hours))
        faults += _person_faults(person, made, most, rules)
    return faults


def _person_faults(person: str, made: list[Any], most: int, rules: Mapping[str, Any]) -> list[str]:
    faults: list[str] = []
    weeks: dict[date, float] = defaultdict(float)
    row = 0
    for number, (day, begin, _, hours) in enumerate(made):
        weeks[day - timedelta(days=day.weekday())] += hours
        last = made[number - 1] if number else None
        if last is not None and last[0] == day:
            faults.append(f"{person} works twice on {day}")
        if last is not None and (begin - last[2]).total_seconds() / 3600 < rules["rest_h"] - 1e-6:
            faults.append(f"{person} rests {(begin - last[2]).total_seconds() / 3600:g} h before {day}")
        row = row + 1 if last is not None and last[0] == day - timedelta(days=1) else 1
        if row == rules["days_in_a_row"] + 1:
            faults.append(f"{person} works more than {rules['days_in_a_row']} days in a row, on {day}")
    for monday, hours in weeks.items():
        if hours > rules["hours_per_week"] + 1e-6:
            faults.append(f"{person} works {hours:g} h in the week of {monday}")
    if len(made) > most:
        faults.append(f"{person} works {len(made)} days of at most {most}")
    return faults


def _count_faults(of_site: Mapping[str, Rows], rules: Mapping[str, Any]) -> list[str]:
    """Count people of shifts and centre once more."""
    faults: list[str] = []
    on: dict[tuple[date, str], int] = defaultdict(int)
    for row in of_site["roster"]:
        for name in str(row["duty"]).split("+"):
            on[row["date"], name] += 1
    listed = {(row["date"], row["shift"]): row for row in of_site["shifts"]}
    for key in on.keys() | listed.keys():
        there = listed[key]["regular"] if key in listed else 0
        if on.get(key, 0) != there:
            faults.append(
                f"{key[0]} {key[1]}: {there} regular staff asked for, {on.get(key, 0)} on the roster"
            )
    for key, row in listed.items():
        if not 0 <= row["temporary"] <= rules["temporary_most"]:
            faults.append(f"{key[0]} {key[1]}: {row['temporary']} temporary staff")
    centre = of_site["centres"][0]
    if rules["shifts_per_day"] == 1:
        temporary = sum(row["temporary"] for row in of_site["shifts"])
        if centre["temporary_days"] != temporary:
            faults.append(f"{centre['temporary_days']} days of temporary staff, {temporary} in shifts")
    if centre["regular_days"] != len(of_site["roster"]):
        faults.append(f"{centre['regular_days']} days of regular staff, {len(of_site['roster'])} rostered")
    if centre["bound"] > centre["objective"] + 1e-6:
        faults.append(f"the bound {centre['bound']:g} lies above the value {centre['objective']:g}")
    return faults


def _piece_faults(of_site: Mapping[str, Rows], rules: Mapping[str, Any]) -> list[str]:
    """Sort the pieces once more, minute by minute of the shifts, batch by batch."""
    faults: list[str] = []
    rows = sorted(of_site["hours"], key=lambda row: (row["date"], row["hour"]))
    first = datetime(rows[0]["date"].year, rows[0]["date"].month, rows[0]["date"].day)
    can = [0.0] * len(rows)
    shifts = {one["id"]: one for one in rules["shifts"]}
    for row in of_site["shifts"]:
        one = shifts[row["shift"]]
        rate = row["regular"] * rules["regular_pieces_per_h"]
        rate += row["temporary"] * rules["temporary_pieces_per_h"]
        begin = (
            datetime(row["date"].year, row["date"].month, row["date"].day) - first
        ).total_seconds() / 3600
        begin += one["start_h"]
        for t in range(max(0, math.floor(begin)), min(len(rows), math.ceil(begin + one["hours"]))):
            can[t] += rate * max(0.0, min(t + 1, begin + one["hours"]) - max(t, begin))
    batches: deque[list[float]] = deque()
    for t, row in enumerate(rows):
        if abs(row["capacity_pieces"] - can[t]) > 1e-3 + 1e-9 * can[t]:
            faults.append(f"{row['date']} {row['hour']} h: {row['capacity_pieces']:g} pieces can be sorted"
                          f" by the table, {can[t]:g} by the shifts")  # fmt: skip
        batches.append([t, row["pieces"]])
        left = can[t] + row["lacking_pieces"]
        while batches and (left > 0 or batches[0][1] <= 0):
            took = min(left, batches[0][1])
            batches[0][1] -= took
            left -= took
            if batches[0][1] > 1e-9:
                break
            batches.popleft()
        late = sum(pieces for come, pieces in batches if t - come >= rules["due_h"])
        if late > TOLERANCE:
            faults.append(f"{row['date']} {row['hour']} h: {late:.1f} pieces are overdue")
            batches = deque(one for one in batches if t - one[0] < rules["due_h"])
    if rules["clear_at_end"] and sum(pieces for _, pieces in batches) > TOLERANCE:
        faults.append(f"{sum(pieces for _, pieces in batches):.1f} pieces are left at the end")
    centre, lacking = of_site["centres"][0], sum(row["lacking_pieces"] for row in rows)
    if (centre["status"] == "lacking") != (lacking > TOLERANCE):
        faults.append(f"status {centre['status']}, and {lacking:.1f} pieces are lacking")
    return faults
