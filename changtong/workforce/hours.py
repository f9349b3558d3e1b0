"""Attendance beside limits on hours and rest: who breaks which, when.

Work is counted between instants, so midnight, zones and clock changes do no harm. Hours belong to the local
day on which they begin: a night's work is one day's. Overtime of a day is what exceeds its normal hours;
overtime of a month adds what the weeks that end in it hold above the normal week, days counted to their
normal hours only, so that nothing counts twice.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.io import write_whole_folder
from changtong.safety.supervision import read_instants
from changtong.spreadsheets import without_formulas
from changtong.workforce.hour_limits import HourLimit, HourLimits, read_hour_limits
from changtong.workforce.workforce_folder import Workforce

MARK = "workforce-hours.json"
HOURS_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / MARK).is_file(),
    "what": f"folder of hours (it has no {MARK})",
    "code": "not-an-hours-folder",
}
LONGEST_H = 36.0
"""A longer stretch of work is taken for a clock-out that was forgotten, and refused."""

BREACHES: dict[str, Any] = {
    "person_id": pl.String, "kind": pl.String, "severity": pl.String, "period": pl.String,
    "hours": pl.Float64, "limit_h": pl.Float64, "law": pl.String, "article": pl.String,
    "provenance": pl.String,
}  # fmt: skip
WEEKS: dict[str, Any] = {
    "person_id": pl.String, "week": pl.Date, "hours": pl.Float64, "days": pl.Int64, "overtime_h": pl.Float64,
    "longest_rest_h": pl.Float64, "whole": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True)
class Stretch:
    """Work without an end between: two instants in UTC, hours worked, and the local day it belongs to."""

    begin: datetime
    end: datetime
    hours: float
    day: date


@dataclass(frozen=True)
class Hours:
    """Attendance beside limits.

    Attributes
    ----------
    name : str
    limits : HourLimits
    people, records : int
    breaches, weeks : polars.DataFrame
        As `BREACHES`, `WEEKS`. ``severity`` notice: the law asks for a reason, limits an average, or the
        limit is assumed.
    merged : int
        Records that overlap others of the same person: counted once.
    """

    name: str
    limits: HourLimits
    people: int
    records: int
    breaches: pl.DataFrame
    weeks: pl.DataFrame
    merged: int

    def summary(self) -> dict[str, Any]:
        """Return the figures a person decides by, as plain values."""
        broken = self.breaches.filter(pl.col("severity") == "breach")
        return {
            "name": self.name,
            "people": self.people,
            "records": self.records,
            "merged": self.merged,
            "breaches": broken.height,
            "notices": self.breaches.height - broken.height,
            "people_in_breach": broken["person_id"].n_unique(),
            "by_kind": dict(sorted(self.breaches["kind"].value_counts().iter_rows())),
            "limits": {k: getattr(self.limits, k) for k in ("id", "version", "provenance", "source", "zone")},
        }

    def to_json(self) -> dict[str, Any]:
        """Return the summary and every breach as one JSON object."""
        return self.summary() | {"rows": self.breaches.to_dicts()}

    def save(self, folder: str | os.PathLike[str], extra: Callable[[Path], object] | None = None) -> Path:
        """Write ``breaches.csv``, ``weeks.csv`` and the mark, whole or not at all.

        Parameters
        ----------
        folder : path
        extra : callable, optional
            Writes the page into the folder.
        """

        def write(into: Path) -> None:
            (into / MARK).write_text(json.dumps(self.summary(), ensure_ascii=False, indent=1), "utf-8")
            for name in ("breaches", "weeks"):
                without_formulas(getattr(self, name)).write_csv(into / f"{name}.csv", include_bom=True)
            if extra is not None:
                extra(into)

        own = {MARK, "study.json", "breaches.csv", "weeks.csv", "report.html"}
        return write_whole_folder(Path(folder), write, own_files=own, **HOURS_FOLDER)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{s['name']}: {s['people']} people, {s['records']:,} records; {s['breaches']} breaches by"
            f" {s['people_in_breach']} people, {s['notices']} notices"
        ]
        for row in self.breaches.head(15).iter_rows(named=True):
            where = f"{row['law']} art. {row['article']}" if row["law"] else row["provenance"]
            lines.append(
                f"  {row['severity']:<7} {row['person_id']:<16} {row['kind']:<15} {row['period']:<12}"
                f" {row['hours']:6.2f} h, limit {row['limit_h']:g} ({where})"
            )
        if self.breaches.height > 15:
            lines.append(f"  … and {self.breaches.height - 15} more in breaches.csv")
        lines.append(f"  limits {self.limits.id} {self.limits.version}, zone {self.limits.zone}")
        return "\n".join(lines)


def check_hours(workforce: Workforce, *, limits: HourLimits | None = None) -> Hours:
    """Check attendance against limits.

    A week counts for weekly rest only where records, of anybody, reach over all of it.

    Parameters
    ----------
    workforce : Workforce
        With ``attendance``.
    limits : HourLimits, optional
        By default those of the Labour Law.

    Raises
    ------
    InputError
        ``wrong-type``, ``bad-value``, ``empty-table``.
    """
    known = limits or read_hour_limits()
    zone = ZoneInfo(known.zone)
    work, merged = stretches(workforce.attendance, zone)
    if not work:
        raise InputError([Problem("empty-table", "there is no work.", "attendance.csv")])
    first = min(one.begin for of in work.values() for one in of).astimezone(zone).date()
    last = max(one.end for of in work.values() for one in of).astimezone(zone).date()
    broken: list[dict[str, Any]] = []
    weeks: list[dict[str, Any]] = []
    for person, of_person in sorted(work.items()):
        found = list(_weeks(of_person, known, zone, first, last))
        weeks += [{"person_id": person} | one for one in found]
        for limit in known.limits:
            broken += [
                {"person_id": person, "period": period, "hours": round(hours, 4)} | _facts(limit)
                for period, hours in _broken(limit, of_person, found, known)
            ]
    table = pl.DataFrame(broken, schema=BREACHES).sort("severity", "person_id", "kind", "period", "limit_h")
    rows = workforce.attendance.height
    return Hours(workforce.name, known, len(work), rows, table, pl.DataFrame(weeks, schema=WEEKS), merged)


def stretches(attendance: pl.DataFrame, zone: ZoneInfo) -> tuple[dict[str, list[Stretch]], int]:
    """Return the work of each person in order, overlaps joined, and how many records overlap others.

    Parameters
    ----------
    attendance : polars.DataFrame
    zone : ZoneInfo

    Raises
    ------
    InputError
    """
    frame = read_instants(read_instants(attendance, "begin", "attendance.csv"), "end", "attendance.csv")
    problems: list[Problem] = []
    made: dict[str, list[Stretch]] = defaultdict(list)
    for row, (person, begin, end, pause, kind) in enumerate(
        frame.select("person_id", "begin", "end", "break_h", "kind").iter_rows(), 1
    ):
        hours = (end - begin).total_seconds() / 3600 - (pause or 0.0)
        if end <= begin or hours < 0 or (hours > LONGEST_H and kind != "leave"):
            message = f"{hours:.2f} hours from {begin.isoformat()} to {end.isoformat()}, without the break."
            expected = f"an end after the beginning, a shorter break, at most {LONGEST_H:g} hours"
            problems.append(Problem("bad-value", message, "attendance.csv", row, "end", expected))
        elif kind != "leave":
            made[person].append(Stretch(begin, end, hours, begin.astimezone(zone).date()))
    if problems:
        raise InputError(problems[:50])
    merged = 0
    for person, of_person in made.items():
        joined: list[Stretch] = []
        for one in sorted(of_person, key=lambda s: (s.begin, s.end)):
            if joined and one.begin < joined[-1].end:
                merged += 1
                a, end = joined[-1], max(joined[-1].end, one.end)
                more = (end - a.end).total_seconds() / 3600
                joined[-1] = Stretch(a.begin, end, a.hours + min(more, one.hours), a.day)
            else:
                joined.append(one)
        made[person] = joined
    return dict(made), merged


def _facts(limit: HourLimit) -> dict[str, Any]:
    return {
        "kind": limit.kind, "severity": limit.severity, "limit_h": limit.value, "law": limit.law,
        "article": limit.article, "provenance": limit.provenance,
    }  # fmt: skip


def _by_day(work: list[Stretch]) -> dict[date, float]:
    made: dict[date, float] = defaultdict(float)
    for one in work:
        made[one.day] += one.hours
    return dict(made)


def _weeks(
    work: list[Stretch], limits: HourLimits, zone: ZoneInfo, first: date, last: date
) -> Iterator[dict[str, Any]]:
    """Give each week in which the person works: hours, days, overtime beyond days', the longest rest."""
    days = _by_day(work)
    for monday in sorted({day - timedelta(days=day.weekday()) for day in days}):
        of_week = {d: h for d, h in days.items() if 0 <= (d - monday).days < 7}
        begin, end = _midnight(monday, zone), _midnight(monday + timedelta(days=7), zone)
        rest, free = timedelta(0), begin
        for one in work:
            if one.end > begin and one.begin < end:
                rest = max(rest, one.begin - free)
                free = max(free, one.end)
        rest = max(rest, end - free)
        normal = sum(min(h, limits.normal_day_h) for h in of_week.values())
        yield {
            "week": monday,
            "hours": sum(of_week.values()),
            "days": len(of_week),
            "overtime_h": max(0.0, normal - limits.normal_week_h),
            "longest_rest_h": rest.total_seconds() / 3600,
            "whole": first <= monday and monday + timedelta(days=6) <= last,
        }


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _broken(
    limit: HourLimit, work: list[Stretch], weeks: list[dict[str, Any]], limits: HourLimits
) -> Iterator[tuple[str, float]]:
    """Give the periods in which a limit is broken, with the hours there."""
    days, slack = _by_day(work), 1e-6
    if limit.kind == "overtime_day":
        found = {str(d): h - limits.normal_day_h for d, h in sorted(days.items())}
        yield from ((d, h) for d, h in found.items() if h > limit.value + slack)
    elif limit.kind == "overtime_month":
        months: dict[str, float] = defaultdict(float)
        for day, hours in days.items():
            months[f"{day:%Y-%m}"] += max(0.0, hours - limits.normal_day_h)
        for week in weeks:
            months[f"{week['week'] + timedelta(days=6):%Y-%m}"] += week["overtime_h"]
        yield from ((m, h) for m, h in sorted(months.items()) if h > limit.value + slack)
    elif limit.kind == "week_hours":
        yield from ((f"{w['week']} …", w["hours"]) for w in weeks if w["hours"] > limit.value + slack)
    elif limit.kind == "weekly_rest":
        for week in weeks:
            if week["whole"] and week["longest_rest_h"] < limit.value - slack:
                yield f"{week['week']} …", week["longest_rest_h"]
    else:
        for one, other in zip(work, work[1:], strict=False):
            rest = (other.begin - one.end).total_seconds() / 3600
            if other.day != one.day and rest < limit.value - slack:
                yield str(other.day), rest
