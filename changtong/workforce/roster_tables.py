"""A centre's roster as rows: shifts, people, hours, and what under-staffing would cost."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from changtong.workforce.centre_roster import NOTHING, CentreRoster
from changtong.workforce.shift_assignment import is_night
from changtong.workforce.staffing_question import late_pieces, sorted_by

SCHEMAS: dict[str, dict[str, Any]] = {
    "centres": {
        "site": pl.String, "status": pl.String, "termination": pl.String, "objective": pl.Float64,
        "bound": pl.Float64, "gap": pl.Float64, "people": pl.Int64, "person_days": pl.Int64,
        "regular_days": pl.Int64, "temporary_days": pl.Int64, "cost_cny": pl.Float64, "pieces": pl.Float64,
        "capacity_pieces": pl.Float64, "use_share": pl.Float64, "least_days": pl.Int64,
        "most_days": pl.Int64, "replaced": pl.Int64, "lacking_pieces": pl.Float64,
        "lacking_bound": pl.Float64, "seconds": pl.Float64,
    },
    "shifts": {
        "site": pl.String, "date": pl.Date, "shift": pl.String, "begin": pl.String, "end": pl.String,
        "regular": pl.Int64, "temporary": pl.Int64,
    },
    "roster": {
        "site": pl.String, "person_id": pl.String, "date": pl.Date, "duty": pl.String, "begin": pl.String,
        "end": pl.String, "hours": pl.Float64,
    },
    "people": {
        "site": pl.String, "person_id": pl.String, "days": pl.Int64, "hours": pl.Float64,
        "nights": pl.Int64, "weekend_days": pl.Int64, "most_in_a_row": pl.Int64, "absent_days": pl.Int64,
    },
    "hours": {
        "site": pl.String, "date": pl.Date, "hour": pl.Int64, "pieces": pl.Float64,
        "capacity_pieces": pl.Float64, "sorted_pieces": pl.Float64, "waiting_pieces": pl.Float64,
        "lacking_pieces": pl.Float64,
    },
    "understaffing": {
        "site": pl.String, "volume_factor": pl.Float64, "pieces": pl.Float64, "late_pieces": pl.Float64,
        "left_pieces": pl.Float64, "late_share": pl.Float64,
    },
    "absences": {"site": pl.String, "person_id": pl.String, "date": pl.Date},
}  # fmt: skip
FACTORS = (1.0, 1.05, 1.1, 1.2, 1.3)
"""Of the volumes staffed for: what comes late where more comes than that."""


def centre_tables(made: CentreRoster) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a centre, by table of `SCHEMAS`.

    Parameters
    ----------
    made : CentreRoster
    """
    question = made.question
    capacity = question.capacity(made.regular, made.temporary)
    return {
        "centres": [_centre(made, float(capacity.sum()))],
        "shifts": _shifts(made),
        "roster": _roster(made),
        "people": _people(made),
        "hours": _hours(made, capacity),
        "understaffing": _understaffing(made, capacity),
        "absences": [
            {"site": question.site, "person_id": person, "date": question.day(w)}
            for person, gone in zip(question.people, question.away, strict=True)
            for w in sorted(gone)
        ],
    }


def clock(day: date, hours: float, zone: ZoneInfo) -> str:
    """Return an instant by hours after midnight of a day, with its offset.

    Parameters
    ----------
    day : date
    hours : float
        By the clock on the wall.
    zone : ZoneInfo
    """
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=round(hours * 60))
    return wall.replace(tzinfo=zone).isoformat(timespec="minutes")


def _centre(made: CentreRoster, capacity: float) -> dict[str, Any]:
    question, rules = made.question, made.question.rules
    hours = np.array([duty.hours for duty in question.duties])
    days = (made.duty >= 0).sum(axis=1)
    cost = (made.regular @ hours).sum() * rules.regular_cny_per_h
    cost += (made.temporary @ hours).sum() * rules.temporary_cny_per_h
    pieces = float(question.arriving.sum())
    return {
        "site": question.site, "status": made.status.value, "termination": made.termination.value,
        "objective": made.objective, "bound": made.bound, "gap": made.gap, "people": len(question.people),
        "person_days": int(made.regular.sum() + made.temporary.sum()),
        "regular_days": int(made.regular.sum()), "temporary_days": int(made.temporary.sum()),
        "cost_cny": float(cost), "pieces": pieces, "capacity_pieces": capacity,
        "use_share": (pieces - float(made.lacking.sum())) / capacity if capacity > 0 else None,
        "least_days": int(days.min(initial=0)) if not len(days) else int(days.min()),
        "most_days": int(days.max(initial=0)), "replaced": made.replaced,
        "lacking_pieces": float(made.lacking.sum()), "lacking_bound": made.lacking_bound,
        "seconds": made.seconds,
    }  # fmt: skip


def _shifts(made: CentreRoster) -> list[dict[str, Any]]:
    question = made.question
    zone = ZoneInfo(question.rules.zone)
    rows = []
    for w in range(question.work_days):
        for shift in question.rules.shifts:
            holding = [k for k, duty in enumerate(question.duties) if shift in duty.shifts]
            regular, temporary = (int(x[w, holding].sum()) for x in (made.regular, made.temporary))
            if regular + temporary == 0:
                continue
            day = question.day(w)
            rows.append(
                {
                    "site": question.site, "date": day, "shift": shift.id,
                    "begin": clock(day, shift.start_h, zone), "end": clock(day, shift.end_h, zone),
                    "regular": regular, "temporary": temporary,
                }
            )  # fmt: skip
    return rows


def _roster(made: CentreRoster) -> list[dict[str, Any]]:
    question = made.question
    zone = ZoneInfo(question.rules.zone)
    rows = []
    for p, w in zip(*np.nonzero(made.duty >= 0), strict=True):
        duty, day = question.duties[made.duty[p, w]], question.day(int(w))
        rows.append(
            {
                "site": question.site, "person_id": question.people[p], "date": day, "duty": duty.id,
                "begin": clock(day, duty.start_h, zone), "end": clock(day, duty.end_h, zone),
                "hours": duty.hours,
            }
        )  # fmt: skip
    return rows


def _people(made: CentreRoster) -> list[dict[str, Any]]:
    question = made.question
    night = [is_night(question, k) for k in range(len(question.duties))]
    rows = []
    for p, person in enumerate(question.people):
        worked = [(w, int(k)) for w, k in enumerate(made.duty[p]) if k >= 0]
        row, longest = 0, 0
        for w in range(question.work_days):
            row = row + 1 if made.duty[p, w] >= 0 else 0
            longest = max(longest, row)
        rows.append(
            {
                "site": question.site, "person_id": person, "days": len(worked),
                "hours": sum(question.duties[k].hours for _, k in worked),
                "nights": sum(night[k] for _, k in worked),
                "weekend_days": sum(question.day(w).weekday() >= 5 for w, _ in worked),
                "most_in_a_row": longest, "absent_days": len(question.away[p]),
            }
        )  # fmt: skip
    return rows


def _hours(made: CentreRoster, capacity: np.ndarray) -> list[dict[str, Any]]:
    question = made.question
    done, waiting = sorted_by(np.maximum(0.0, question.arriving - made.lacking), capacity)
    return [
        {
            "site": question.site, "date": question.begin + timedelta(days=t // 24), "hour": t % 24,
            "pieces": float(question.arriving[t]), "capacity_pieces": float(capacity[t]),
            "sorted_pieces": float(done[t]), "waiting_pieces": float(waiting[t]),
            "lacking_pieces": float(made.lacking[t]) if made.lacking[t] > NOTHING else 0.0,
        }
        for t in range(question.hours)
    ]  # fmt: skip


def _understaffing(made: CentreRoster, capacity: np.ndarray) -> list[dict[str, Any]]:
    question = made.question
    rows = []
    for factor in FACTORS:
        coming = question.arriving * factor
        _, waiting = sorted_by(coming, capacity)
        late, total = float(late_pieces(coming, waiting, question.rules.due_h).sum()), float(coming.sum())
        late = late if late > NOTHING else 0.0
        rows.append(
            {
                "site": question.site, "volume_factor": factor, "pieces": total, "late_pieces": late,
                "left_pieces": float(waiting[-1]) if waiting[-1] > NOTHING else 0.0,
                "late_share": late / total if total > 0 else 0.0,
            }
        )  # fmt: skip
    return rows
