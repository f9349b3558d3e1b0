"""Clocks of a case at an instant: reporting times and tasks, met, late, overdue or running.

Times are differences of instants, so that midnight, the end of February and changes of a zone's offset
count for what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from changtong.emergency.case import Case, CaseTask
from changtong.emergency.case_log import written
from changtong.emergency.condition import Truth, Value, look
from changtong.emergency.plan import Clock

CLOCK_STATES = ("overdue", "running", "waits", "not_known", "late", "met", "not_asked")
"""``waits``: for another report; ``not_known``: a measure is missing; ``not_asked``: another situation."""


@dataclass(frozen=True)
class ClockState:
    """A reporting time at an instant.

    Attributes
    ----------
    clock : Clock
    state : str
        One of `CLOCK_STATES`. Given exactly when it is due is met.
    started_at, due, given_at : datetime or None
    late_s : float
        How much later than due it was given, or is by now.
    missing : tuple of str
        Measures that would tell whether it is asked for.
    by : str
        Who recorded that it was given.
    """

    clock: Clock
    state: str
    started_at: datetime | None = None
    due: datetime | None = None
    given_at: datetime | None = None
    late_s: float = 0.0
    missing: tuple[str, ...] = ()
    by: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        times = {"started_at": self.started_at, "due": self.due, "given_at": self.given_at}
        return {
            "clock": self.clock.id, "state": self.state,
            **{key: None if at is None else written(at) for key, at in times.items()},
            "late_s": self.late_s, "missing": list(self.missing), "by": self.by,
            "provenance": self.clock.provenance, "source": self.clock.source,
        }  # fmt: skip


def reporting_clocks(case: Case, at: datetime) -> tuple[ClockState, ...]:
    """Return every reporting time of a case at an instant, in the order of the plan.

    A time that depends on measures begins when these are first known to ask for it, but not before the event
    was known; it is taken back where they no longer do, and goes on where one is not known any more.

    Parameters
    ----------
    case : Case
        As it was at this instant (`case.as_of`).
    at : datetime
    """
    made: dict[str, ClockState] = {}
    for clock in case.plan.clocks:
        made[clock.id] = _state(case, clock, at, made)
    return tuple(made.values())


def _state(case: Case, clock: Clock, at: datetime, before: Mapping[str, ClockState]) -> ClockState:
    since, truth, missing = _asked_since(case, clock)
    given = min((one for one in case.reports if one.clock == clock.id), key=lambda one: one.at, default=None)
    given_at, by = (None, "") if given is None else (given.at, given.by)
    if since is None:
        state = "met" if given_at is not None else "not_known" if truth is Truth.unknown else "not_asked"
        return ClockState(clock, state, given_at=given_at, missing=missing, by=by)
    begun = _begun(case, clock, before)
    if begun is None:
        return ClockState(clock, "met" if given_at is not None else "waits", given_at=given_at, by=by)
    started_at = max(since, begun)
    due = started_at + timedelta(minutes=clock.minutes)
    if given_at is not None:
        late = (given_at - due).total_seconds()
        return ClockState(
            clock, "late" if late > 0 else "met", started_at, due, given_at, max(late, 0.0), by=by
        )
    late = (at - due).total_seconds()
    return ClockState(clock, "overdue" if late > 0 else "running", started_at, due, late_s=max(late, 0.0))


def _begun(case: Case, clock: Clock, before: Mapping[str, ClockState]) -> datetime | None:
    if clock.starts == "known":
        return case.known_at
    if clock.starts == "level":
        return next((one.at for one in case.levels if one.level != "none"), None)
    return before[clock.starts.removeprefix("report:")].given_at


def _asked_since(case: Case, clock: Clock) -> tuple[datetime | None, Truth, tuple[str, ...]]:
    """Return since when a clock is asked for, None where it is not; whether it is; what is missing."""
    changes: dict[datetime, dict[str, Value | None]] = {case.known_at: {}}
    for term in (*clock.all, *clock.any):
        for one in case.measures.get(term.measure, ()):
            changes.setdefault(max(one.at, case.known_at), {})[term.measure] = one.value
    known: dict[str, Value] = {}
    since: datetime | None = None
    found = look(clock.all, clock.any, known)
    for moment in sorted(changes):
        for name, value in changes[moment].items():
            if value is None:
                known.pop(name, None)
            else:
                known[name] = value
        found = look(clock.all, clock.any, known)
        if found.truth is Truth.yes and since is None:
            since = moment
        elif found.truth is Truth.no:
            since = None
    return since, found.truth, found.missing


@dataclass(frozen=True)
class TaskState:
    """A task at an instant.

    ``state``: met, late, overdue, running, waits (the response is suspended), left (undone when the response
    ended; ``late_s`` is how late it was then), impossible or withdrawn.
    """

    task: CaseTask
    state: str
    late_s: float

    @property
    def was_late(self) -> bool:
        """Whether it was done late, is overdue, or was when the response ended."""
        return self.state in ("late", "overdue", "left") and self.late_s > 0

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        task = self.task
        return {
            "task": task.id, "department": task.department, "zh": task.zh, "en": task.en,
            "state": task.state, "clock": self.state, "level": task.level,
            "assigned_at": written(task.assigned_at), "due": written(task.due),
            "ended_at": None if task.ended_at is None else written(task.ended_at),
            "late_s": self.late_s, "by": task.by, "text": task.text,
        }  # fmt: skip


def task_clocks(case: Case, at: datetime) -> tuple[TaskState, ...]:
    """Return every task of a case at an instant, by department, then by when it is due.

    Parameters
    ----------
    case : Case
        As it was at this instant.
    at : datetime
    """
    order = list(case.plan.departments)
    tasks = sorted(case.tasks.values(), key=lambda one: (order.index(one.department), one.due, one.id))
    return tuple(_task_state(case, one, at) for one in tasks)


def _task_state(case: Case, task: CaseTask, at: datetime) -> TaskState:
    if task.state in ("withdrawn", "impossible"):
        return TaskState(task, task.state, 0.0)
    if task.ended_at is not None and task.state == "done":
        late = (task.ended_at - task.due).total_seconds()
        return TaskState(task, "late" if late > 0 else "met", max(late, 0.0))
    until = case.suspended_at or case.ended_at or at
    late = (min(until, at) - task.due).total_seconds()
    if case.ended_at is not None and case.ended_at <= at:
        return TaskState(task, "left", max(late, 0.0))
    if late > 0:
        return TaskState(task, "overdue", late)
    return TaskState(task, "waits" if case.suspended_at else "running", 0.0)
