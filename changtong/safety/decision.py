"""A decision broken into tasks (落实), read from TOML with every problem told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import Any

from changtong.rules_files import read_rules_file
from changtong.safety.hazard_rules import EscalationStep, is_zone
from changtong.safety.toml_values import PROVENANCES, Values


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task of a decision.

    Attributes
    ----------
    id, title, owner : str
    subject : str
        Whom an assessment counts it for: an organisation or a region.
    deadline : date
    evidence : str
        What must be shown; empty: nothing.
    needs : tuple of str
        Tasks that must be done before it may be reported as done.
    most_extensions : int
    """

    id: str
    title: str
    owner: str
    subject: str
    deadline: date
    evidence: str = ""
    needs: tuple[str, ...] = ()
    most_extensions: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and its tasks.

    Attributes
    ----------
    id, title, source, provenance : str
    decided_on : date
    zone : str
        In which days are counted.
    remind_days : tuple of int
        Days before a deadline on which the owner is reminded.
    escalation : tuple of EscalationStep
    tasks : tuple of PlannedTask
    """

    id: str
    title: str
    source: str
    provenance: str
    decided_on: date
    zone: str
    remind_days: tuple[int, ...]
    escalation: tuple[EscalationStep, ...]
    tasks: tuple[PlannedTask, ...]


KEYS: dict[str, type] = {
    "id": str, "title": str, "source": str, "provenance": str, "decided_on": date, "zone": str,
    "remind_days": list, "escalation": list, "tasks": list,
}  # fmt: skip
TASK_KEYS: dict[str, type] = {
    "id": str, "title": str, "owner": str, "subject": str, "deadline": date, "evidence": str, "needs": list,
    "most_extensions": int,
}  # fmt: skip
STEP_KEYS: dict[str, type] = {"days_overdue": int, "to_zh": str, "to_en": str}


def read_decision(path: str | os.PathLike[str]) -> Decision:
    """Read a decision.

    Parameters
    ----------
    path : path
        TOML as in ``docs/safety.md``.

    Raises
    ------
    InputError
        ``bad-decision``, with every problem.
    """
    file, content = read_rules_file(path, "changtong.safety", "", "bad-decision")
    values = Values(file, "bad-decision")
    head = values.table(content, KEYS, ("id", "title", "source", "provenance", "decided_on", "tasks"))
    values.one_of(head, "provenance", PROVENANCES)
    zone = head.get("zone", "Asia/Shanghai")
    if not is_zone(zone):
        values.add(f"{zone!r} is no time zone.", "zone", None, "as Asia/Shanghai")
    remind = head.get("remind_days", [])
    if not all(isinstance(days, int) and not isinstance(days, bool) and days >= 0 for days in remind):
        values.add(f"{remind!r} is not allowed.", "remind_days", None, "days before the deadline, as [7, 1]")
    steps = [
        values.table(entry, STEP_KEYS, tuple(STEP_KEYS), row)
        for row, entry in values.rows(content, "escalation")
    ]
    tasks = _tasks(content, head, values)
    if "tasks" in head and not tasks and not values.problems:
        values.add("there is no task.", "tasks")
    values.finish()
    return Decision(
        **{key: head[key] for key in ("id", "title", "source", "provenance", "decided_on")},
        zone=zone,
        remind_days=tuple(sorted(set(remind), reverse=True)),
        escalation=tuple(EscalationStep(**step) for step in steps),
        tasks=tuple(PlannedTask(**task | {"needs": tuple(task.get("needs", ()))}) for task in tasks),
    )


def _tasks(content: dict[str, Any], head: dict[str, Any], values: Values) -> list[dict[str, Any]]:
    """Return the tasks; each may need only what stands before it, so that no circle can be."""
    made: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row, entry in values.rows(content, "tasks"):
        task = values.table(entry, TASK_KEYS, ("id", "title", "owner", "subject", "deadline"), row)
        if task.get("id") in seen:
            values.add(f"{task['id']!r} is there twice.", "id", row)
        for other in task.get("needs", []):
            if other not in seen:
                values.add(f"{other!r} does not stand before it.", "needs", row, "a task further up")
        if "deadline" in task and "decided_on" in head and task["deadline"] < head["decided_on"]:
            values.add("the deadline is before the decision.", "deadline", row)
        seen.add(str(task.get("id")))
        made.append(task)
    return made
