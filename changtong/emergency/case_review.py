"""The closing review of a case: times taken against deadlines, what was late, what was learnt."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from changtong.emergency.case import Case, facts_of
from changtong.emergency.case_clocks import ClockState, TaskState
from changtong.emergency.case_status import CaseStatus, status
from changtong.errors import UsageError


@dataclass(frozen=True)
class SiteTimes:
    """How long a site was potential and confirmed, seconds; None where it still is at the end."""

    site: str
    state: str
    potential_s: float
    confirmed_s: float


@dataclass(frozen=True)
class Review:
    """A review.

    Attributes
    ----------
    status : CaseStatus
        At the end.
    took_s : float
        From when the event was known to the end of the response.
    to_level_s : float or None
        From then to the first level.
    sites : tuple of SiteTimes
    """

    status: CaseStatus
    took_s: float
    to_level_s: float | None
    sites: tuple[SiteTimes, ...]

    @property
    def late_clocks(self) -> tuple[ClockState, ...]:
        """Reports that were late, or never given."""
        return tuple(one for one in self.status.clocks if one.state in ("late", "overdue"))

    @property
    def late_tasks(self) -> tuple[TaskState, ...]:
        """Tasks that were late, or never done."""
        return tuple(one for one in self.status.tasks if one.was_late)

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        tasks = self.status.tasks
        taken = [
            (t.task.ended_at - t.task.assigned_at).total_seconds()
            for t in tasks
            if t.task.ended_at is not None
        ]
        return facts_of(self.status.case) | {
            "took_s": self.took_s,
            "to_level_s": self.to_level_s,
            "reports_met": sum(one.state == "met" for one in self.status.clocks),
            "reports_late": [one.to_json() for one in self.late_clocks],
            "tasks": len(tasks),
            "tasks_done": sum(one.task.state == "done" for one in tasks),
            "tasks_late": [one.to_json() for one in self.late_tasks],
            "median_task_s": median(taken) if taken else None,
            "sites": [
                {"site": o.site, "state": o.state, "potential_s": o.potential_s, "confirmed_s": o.confirmed_s}
                for o in self.sites
            ],
            "lessons": list(self.status.case.lessons),
        }

    def __str__(self) -> str:
        facts = self.to_json()
        mark, late = "DRILL 演练  " if facts["is_drill"] else "", len(facts["tasks_late"])
        lines = [
            f"{mark}{facts['case_id']}: {self.took_s / 3600:.1f} h to the end",
            f"  reports: {facts['reports_met']} in time, {len(facts['reports_late'])} late or not given",
            f"  tasks: {facts['tasks_done']} of {facts['tasks']} done, {late} late or not done",
        ]
        return "\n".join([*lines, *(f"  lesson: {one}" for one in facts["lessons"])])


def review(case: Case) -> Review:
    """Return the review of a case that has ended.

    Parameters
    ----------
    case : Case

    Raises
    ------
    UsageError
        It has not ended.
    """
    if case.ended_at is None:
        raise UsageError(f"{case.case_id} has not ended: there is nothing to look back on.", "case-not-ended")
    newest = max(case.ended_at, *(one.at for one in case.entries))
    then = status(case, newest)
    first = next((one.at for one in case.levels if one.level != "none"), None)
    took = (case.ended_at - case.known_at).total_seconds()
    to_level = None if first is None else (first - case.known_at).total_seconds()
    return Review(then, took, to_level, tuple(_times(case, site) for site in case.sites))


def _times(case: Case, site: str) -> SiteTimes:
    """Return how long a site was in its states, up to the case's newest entry."""
    changes = case.sites[site]
    until = max(one.at for one in case.entries)
    spent = {"potential": 0.0, "confirmed": 0.0}
    for one, following in zip(changes, [*(c.at for c in changes[1:]), until], strict=True):
        if one.state in spent:
            spent[one.state] += (following - one.at).total_seconds()
    return SiteTimes(site, changes[-1].state, spent["potential"], spent["confirmed"])
