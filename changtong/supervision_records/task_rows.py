"""A task of a decision as a record of the register, and what was done with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from changtong.safety.decision import Decision, PlannedTask
from changtong.safety.tasks import Task, TaskEvent
from changtong.supervision_records.hazard_rows import end_of_day

REGISTER_STATES: Mapping[str, str] = MappingProxyType(
    {"open": "open", "reported": "done", "done": "accepted", "cancelled": "cancelled"}
)
"""States of a decision's tasks -> states of the register."""

RIGHTS: Mapping[str, str] = MappingProxyType(
    {"report": "change", "accept": "decide", "return": "decide", "extend": "decide", "cancel": "decide"}
)
"""Action -> right in the register of tasks. ``decide`` never reaches one's own organisation."""


def task_record_id(decision: str, task: str) -> str:
    """Return the id of a task's record: the same wherever the decision is read.

    Parameters
    ----------
    decision, task : str

    Examples
    --------
    >>> task_record_id("D1", "T1") == task_record_id("D1", "T1") != task_record_id("D1", "T2")
    True
    """
    return "T" + hashlib.sha256(f"{decision}\n{task}".encode()).hexdigest()[:24].upper()


def plan_of(task: PlannedTask, decision: Decision) -> dict[str, Any]:
    """Return a task as its decision has it, as the register keeps it.

    Parameters
    ----------
    task : PlannedTask
    decision : Decision
    """
    return {
        "title": task.title,
        "owner": task.owner,
        "subject": task.subject,
        "deadline": task.deadline.isoformat(),
        "evidence": task.evidence,
        "needs": list(task.needs),
        "most_extensions": task.most_extensions,
        "zone": decision.zone,
    }


def columns_of(task: Task, ids: Mapping[str, str], zone: str) -> dict[str, Any]:
    """Return what the register keeps of a task after what was done, its events apart.

    Parameters
    ----------
    task : Task
    ids : mapping
        Name of a user -> id.
    zone : str
        In which days are counted.
    """
    return {
        "state": REGISTER_STATES[task.state],
        "deadline": end_of_day(task.deadline, zone),
        "evidence": [task.evidence] if task.evidence else None,
        "reported_by": ids.get(task.reported_by),
        "reported_at": task.reported_at,
        "accepted_at": task.accepted_at,
        "changed_at": task.changed_at,
        "returned": task.returned,
        "extensions": task.extensions,
    }


def event_kept(event: TaskEvent) -> dict[str, Any]:
    """Return an event as the register keeps it.

    Parameters
    ----------
    event : TaskEvent
    """
    row = {"at": event.at.isoformat(), "action": event.action, "by": event.by}
    more = {"text": event.text, "evidence": event.evidence}
    deadline = {} if event.deadline is None else {"deadline": event.deadline.isoformat()}
    return row | {name: text for name, text in more.items() if text} | deadline


def event_of(task_id: str, kept: Mapping[str, Any]) -> TaskEvent:
    """Return an event that the register has kept.

    Parameters
    ----------
    task_id : str
    kept : mapping
    """
    at = datetime.fromisoformat(kept["at"])
    deadline = None if "deadline" not in kept else date.fromisoformat(kept["deadline"])
    texts = {name: kept[name] for name in ("action", "by", "text", "evidence") if name in kept}
    return TaskEvent(task_id=task_id, at=at, deadline=deadline, **texts)
