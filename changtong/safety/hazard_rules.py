"""Times and steps of hazards as data: deadlines by grade, re-check, extensions, escalation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from changtong.rules_files import read_rules_file
from changtong.safety.form import GRADES
from changtong.safety.toml_values import PROVENANCES, Values


@dataclass(frozen=True, slots=True)
class GradeTimes:
    """Days from finding to an owner and to mended, from mended to re-check; how often a deadline may move."""

    assign_days: int
    rectify_days: int
    recheck_days: int
    most_extensions: int
    evidence: bool


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Who is told when something is so many days overdue; ``grade`` is empty for tasks."""

    days_overdue: int
    to_zh: str
    to_en: str
    grade: str = ""


@dataclass(frozen=True, slots=True)
class HazardRules:
    """Times and steps of hazards.

    Attributes
    ----------
    id, version, provenance, source : str
    reopen_days : int
        The same thing found again so soon after it was closed is opened again.
    zone : str
        In which days are counted.
    times : dict
        Grade -> `GradeTimes`.
    escalation : tuple of EscalationStep

    Examples
    --------
    >>> read_hazard_rules().times["major"].most_extensions
    0
    """

    id: str
    version: str
    provenance: str
    source: str
    reopen_days: int
    zone: str
    times: dict[str, GradeTimes]
    escalation: tuple[EscalationStep, ...]

    def day_of(self, at: datetime) -> date:
        """Return the day of an instant.

        Parameters
        ----------
        at : datetime
        """
        return at.astimezone(ZoneInfo(self.zone)).date()

    def deadline(self, grade: str, found_on: date) -> date:
        """Return by when a hazard found on a day must be mended, unless another deadline is set.

        Parameters
        ----------
        grade : str
        found_on : date
        """
        return found_on + timedelta(days=self.times[grade].rectify_days)

    def steps_reached(self, grade: str, days_overdue: int) -> tuple[EscalationStep, ...]:
        """Return who must have been told by now, in order.

        Parameters
        ----------
        grade : str
        days_overdue : int
            1 on the day after the deadline; not above 0: on time.
        """
        return reached([step for step in self.escalation if step.grade == grade], days_overdue)


def reached(steps: list[EscalationStep], days_overdue: int) -> tuple[EscalationStep, ...]:
    """Return the steps that so many days reach; none before the deadline has passed.

    Parameters
    ----------
    steps : list of EscalationStep
    days_overdue : int
    """
    if days_overdue <= 0:
        return ()
    order = sorted(steps, key=lambda step: step.days_overdue)
    return tuple(step for step in order if step.days_overdue <= days_overdue)


def is_zone(name: str) -> bool:
    """Tell whether there is such a time zone.

    Parameters
    ----------
    name : str
    """
    try:
        return bool(ZoneInfo(name).key)
    except (ValueError, OSError, LookupError):
        return False


STEP_KEYS: dict[str, type] = {"grade": str, "days_overdue": int, "to_zh": str, "to_en": str}
TIME_KEYS: dict[str, type] = {
    "assign_days": int, "rectify_days": int, "recheck_days": int, "most_extensions": int, "evidence": bool,
}  # fmt: skip
KEYS: dict[str, type] = {
    "id": str, "version": str, "provenance": str, "source": str, "reopen_days": int, "zone": str,
    "general": dict, "major": dict, "escalation": list,
}  # fmt: skip


def read_hazard_rules(path: str | os.PathLike[str] | None = None) -> HazardRules:
    """Read the rules of hazards.

    Parameters
    ----------
    path : path, optional
        TOML as ``changtong/safety/hazard_rules.toml``; without it that one.

    Raises
    ------
    InputError
        ``bad-rules``, with every problem.
    """
    file, content = read_rules_file(path, "changtong.safety", "hazard_rules.toml", "bad-rules")
    values = Values(file, "bad-rules")
    head = values.table(content, KEYS, tuple(key for key in KEYS if key != "escalation"))
    values.one_of(head, "provenance", PROVENANCES)
    times: dict[str, Any] = {}
    for grade in GRADES:
        if grade in head:
            times[grade] = values.table(head[grade], TIME_KEYS, tuple(TIME_KEYS), of=grade)
    steps: list[dict[str, Any]] = []
    for row, entry in values.rows(head, "escalation"):
        step = values.table(entry, STEP_KEYS, tuple(STEP_KEYS), row, "escalation")
        values.one_of(step, "grade", GRADES, row)
        steps.append(step)
    if "zone" in head and not is_zone(head["zone"]):
        values.add(f"{head['zone']!r} is no time zone.", "zone", None, "as Asia/Shanghai")
    values.finish()
    plain = {key: head[key] for key in ("id", "version", "provenance", "source", "reopen_days", "zone")}
    return HazardRules(
        **plain,
        times={grade: GradeTimes(**found) for grade, found in times.items()},
        escalation=tuple(EscalationStep(**step) for step in steps),
    )
