"""Tasks of a decision, seen through: reported, accepted or returned, reminded of, escalated, counted.

::

    open ──report──► reported ──accept──► done
     ▲                  │return
     └──────────────────┘
    open, reported ──cancel──► cancelled          extend: a later deadline, with a reason
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.errors import InputError, Problem
from changtong.safety.decision import Decision, PlannedTask
from changtong.safety.hazard_rules import reached
from changtong.safety.supervision import read_instants, read_table

INSTANT = pl.Datetime("us", "UTC")
ACTIONS: dict[str, dict[str, str]] = {
    "report": {"open": "reported"},
    "accept": {"reported": "done"},
    "return": {"reported": "open"},
    "extend": {"open": "open"},
    "cancel": {"open": "cancelled", "reported": "cancelled"},
}
"""Action -> state before -> state after."""

EVENT_SCHEMA: dict[str, pl.DataType] = {
    "task_id": pl.String(),
    "at": INSTANT,
    "action": pl.String(),
    "by": pl.String(),
    "text": pl.String(),
    "evidence": pl.String(),
    "deadline": pl.Date(),
}
COUNT_SCHEMA: dict[str, pl.DataType] = {
    "task_id": pl.String(),
    "decision_id": pl.String(),
    "subject": pl.String(),
    "owner": pl.String(),
    "title": pl.String(),
    "first_deadline": pl.Date(),
    "deadline": pl.Date(),
    "state": pl.String(),
    "reported_on": pl.Date(),
    "accepted_on": pl.Date(),
    "outcome": pl.String(),
    "days_late": pl.Int64(),
    "returned": pl.Int64(),
    "extensions": pl.Int64(),
    "evidence": pl.String(),
}
"""One row a task, for an assessment. ``outcome``: on_time, late (done after the deadline), open (not done, in
time yet), overdue, cancelled. The day counts on which it was reported as done, once that is accepted."""

DUE_SCHEMA: dict[str, pl.DataType] = {
    "task_id": pl.String(),
    "who": pl.String(),
    "what": pl.String(),
    "title": pl.String(),
    "deadline": pl.Date(),
    "days_left": pl.Int64(),
    "escalate_to_zh": pl.String(),
    "escalate_to_en": pl.String(),
}
"""``what``: remind, today, overdue, or look (it was reported, and nobody has looked at it)."""


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """Something done with a task; ``deadline`` of ``extend``."""

    task_id: str
    at: datetime
    action: str
    by: str
    text: str = ""
    evidence: str = ""
    deadline: date | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is after its events."""

    planned: PlannedTask
    deadline: date
    state: str = "open"
    changed_at: datetime | None = None
    reported_by: str = ""
    reported_at: datetime | None = None
    accepted_at: datetime | None = None
    evidence: str = ""
    returned: int = 0
    extensions: int = 0


@dataclass(frozen=True)
class TaskBook:
    """The tasks of a decision and what was done with them.

    Attributes
    ----------
    decision : Decision
    tasks : dict
        Task id -> `Task`.
    events : tuple of TaskEvent
    """

    decision: Decision
    tasks: dict[str, Task]
    events: tuple[TaskEvent, ...]

    def counts(self, day: date) -> pl.DataFrame:
        """Return a row a task, as an assessment counts it (`COUNT_SCHEMA`).

        Parameters
        ----------
        day : date
            Open and overdue as of this day.
        """
        rows = [self._count(task, day) for task in self.tasks.values()]
        return pl.DataFrame(rows, COUNT_SCHEMA)

    def totals(self, day: date) -> pl.DataFrame:
        """Return the outcomes of each subject, and of all.

        Parameters
        ----------
        day : date
        """
        counts = self.counts(day)
        outcomes = ("on_time", "late", "open", "overdue", "cancelled")
        columns = [pl.len().alias("tasks")] + [
            (pl.col("outcome") == one).sum().alias(one) for one in outcomes
        ]
        by = counts.group_by("subject").agg(columns).sort("subject")
        return pl.concat([by, counts.select(pl.lit("all").alias("subject"), *columns)])

    def due(self, day: date) -> pl.DataFrame:
        """Return who must be reminded or told on a day.

        Parameters
        ----------
        day : date
        """
        made = [row for task in self.tasks.values() if (row := self._due(task, day)) is not None]
        return pl.DataFrame(made, DUE_SCHEMA).sort("days_left", "task_id")

    def _day(self, at: datetime | None) -> date | None:
        return None if at is None else at.astimezone(ZoneInfo(self.decision.zone)).date()

    def _count(self, task: Task, day: date) -> dict[str, Any]:
        reported = self._day(task.reported_at)
        ended_on = reported if task.state in ("reported", "done") and reported is not None else day
        late = max(0, (ended_on - task.deadline).days)
        if task.state == "cancelled":
            outcome, late = "cancelled", 0
        elif task.state == "done":
            outcome = "late" if late else "on_time"
        else:
            outcome = "overdue" if late else "open"
        return {
            "task_id": task.planned.id,
            "decision_id": self.decision.id,
            "subject": task.planned.subject,
            "owner": task.planned.owner,
            "title": task.planned.title,
            "first_deadline": task.planned.deadline,
            "deadline": task.deadline,
            "state": task.state,
            "reported_on": reported,
            "accepted_on": self._day(task.accepted_at),
            "outcome": outcome,
            "days_late": late,
            "returned": task.returned,
            "extensions": task.extensions,
            "evidence": task.evidence or None,
        }

    def _due(self, task: Task, day: date) -> dict[str, Any] | None:
        left = (task.deadline - day).days
        steps = reached(list(self.decision.escalation), -left) if task.state == "open" else ()
        if task.state == "reported":
            what = "look"
        elif task.state != "open":
            return None
        elif left < 0:
            what = "overdue"
        elif left == 0:
            what = "today"
        elif left in self.decision.remind_days:
            what = "remind"
        else:
            return None
        return {
            "task_id": task.planned.id,
            "who": None if what == "look" else task.planned.owner,
            "what": what,
            "title": task.planned.title,
            "deadline": task.deadline,
            "days_left": left,
            "escalate_to_zh": steps[-1].to_zh if steps else None,
            "escalate_to_en": steps[-1].to_en if steps else None,
        }


def see_through(decision: Decision, events: Iterable[TaskEvent] = ()) -> TaskBook:
    """Return the tasks of a decision after what was done.

    Parameters
    ----------
    decision : Decision
    events : iterable of TaskEvent
        In any order; they are taken by time.

    Raises
    ------
    InputError
        Every event that may not happen, the first of each task: ``unknown-task``, ``wrong-state``,
        ``same-person``, ``evidence-missing``, ``too-many-extensions``, ``bad-action``.
    """
    tasks = {one.id: Task(one, one.deadline) for one in decision.tasks}
    given = list(events)
    problems = [
        Problem("bad-action", "the time has no zone.", event.task_id, row, "at")
        for row, event in enumerate(given, 1)
        if event.at.tzinfo is None
    ]
    if problems:
        raise InputError(problems)
    refused: set[str] = set()
    for row, event in sorted(enumerate(given, 1), key=lambda one: (one[1].at, one[0])):
        if event.task_id in refused:
            continue
        problem = _why_not(tasks, event, row)
        if problem is not None:
            problems.append(problem)
            refused.add(event.task_id)
            continue
        tasks[event.task_id] = _after(tasks[event.task_id], event)
    if problems:
        raise InputError(problems)
    return TaskBook(decision, tasks, tuple(sorted(given, key=lambda event: event.at)))


def _why_not(tasks: dict[str, Task], event: TaskEvent, row: int) -> Problem | None:
    def no(code: str, message: str, expected: str = "") -> Problem:
        return Problem(code, f"{event.action}: {message}", event.task_id, row, "action", expected)

    task = tasks.get(event.task_id)
    made: Problem | None = None
    if task is None:
        made = no("unknown-task", "the decision has no such task.", "one of " + ", ".join(tasks))
    elif event.action not in ACTIONS:
        made = no("bad-action", "there is no such action.", "one of " + ", ".join(ACTIONS))
    elif not event.by.strip():
        made = no("bad-action", "nobody is named who does it.", "by")
    elif task.state not in ACTIONS[event.action]:
        made = no(
            "wrong-state", f"the task is {task.state}.", "one that is " + ", ".join(ACTIONS[event.action])
        )
    elif event.action == "report":
        waits = [name for name in task.planned.needs if tasks[name].state not in ("done", "cancelled")]
        if waits:
            made = no("wrong-state", f"it needs {', '.join(waits)} first.")
        elif task.planned.evidence and not event.evidence.strip():
            made = no("evidence-missing", "it must be shown.", task.planned.evidence)
    elif event.action in ("accept", "return") and event.by in (task.reported_by, task.planned.owner):
        made = no("same-person", "who did it does not accept it.", "another person")
    elif event.action == "extend" and event.by == task.planned.owner:
        made = no("same-person", "who does it does not move the deadline.", "another person")
    elif event.action == "extend" and task.extensions >= task.planned.most_extensions:
        made = no("too-many-extensions", f"the deadline was moved {task.extensions} times.")
    elif event.action == "extend" and (event.deadline is None or event.deadline <= task.deadline):
        made = no("bad-action", "the deadline is no later one.", f"after {task.deadline}")
    if made is None and event.action in ("return", "extend", "cancel") and not event.text.strip():
        made = no("bad-action", "there is no text.", "why")
    return made


def _after(task: Task, event: TaskEvent) -> Task:
    same = replace(task, state=ACTIONS[event.action][task.state], changed_at=event.at)
    if event.action == "report":
        return replace(same, reported_by=event.by, reported_at=event.at, evidence=event.evidence)
    if event.action == "accept":
        return replace(same, accepted_at=event.at)
    if event.action == "return":
        return replace(same, reported_at=None, returned=task.returned + 1)
    if event.action == "extend":
        return replace(same, deadline=event.deadline or task.deadline, extensions=task.extensions + 1)
    return same


def event_table(events: Iterable[TaskEvent]) -> pl.DataFrame:
    """Return events as a frame of `EVENT_SCHEMA`.

    Parameters
    ----------
    events : iterable of TaskEvent
    """
    names = [field.name for field in fields(TaskEvent)]
    rows = [
        {name: getattr(event, name) or None for name in names} | {"at": event.at.astimezone(UTC)}
        for event in events
    ]
    return pl.DataFrame(rows, EVENT_SCHEMA)


NEEDED = ("task_id", "at", "action", "by")


def read_task_events(path: str | os.PathLike[str], needed: tuple[str, ...] = NEEDED) -> tuple[TaskEvent, ...]:
    """Read what was done with tasks from a CSV file.

    Parameters
    ----------
    path : path
        Columns of `EVENT_SCHEMA`; ``at`` in ISO 8601 with its offset.
    needed : tuple of str
        Columns that must be there.

    Raises
    ------
    InputError
    """
    texts = EVENT_SCHEMA | {"at": pl.String()}
    frame = read_instants(read_table(path, texts, needed), "at", Path(path).name)
    return tuple(
        TaskEvent(**{"by": "", **{key: value for key, value in row.items() if value is not None}})
        for row in frame.iter_rows(named=True)
    )
