"""Tasks of a decision in the registers: registered once, done under one's own name, counted as from files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from changtong.errors import InputError, Problem, UsageError
from changtong.safety.decision import Decision, PlannedTask
from changtong.safety.task_report import TaskReport, report_tasks
from changtong.safety.tasks import TaskBook, TaskEvent, read_task_events, see_through
from changtong.storage.records import Record, add_record, change_record, get_record, rows_to_decide
from changtong.storage.store import Desk
from changtong.storage.user_names import Named, organisations_there, own_name, users_by_name
from changtong.storage.work import Work
from changtong.supervision_records.hazard_rows import end_of_day
from changtong.supervision_records.task_rows import (
    RIGHTS,
    columns_of,
    event_kept,
    event_of,
    plan_of,
    task_record_id,
)
from changtong.supervision_records.two_at_once import done_or_found
from changtong.supervision_records.who_and_when import own_events

NEEDED = ("task_id", "at", "action")
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class TasksKept:
    """Tasks of a decision in the registers.

    Attributes
    ----------
    report : TaskReport
        Of the tasks that the person may see.
    registered, taken : int
        Tasks added and events taken in this run.
    """

    report: TaskReport
    registered: int
    taken: int

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return self.report.to_json() | {"registered": self.registered, "events_taken": self.taken}

    def __str__(self) -> str:
        return f"{self.report}\n{self.registered} tasks registered, {self.taken} events taken"


def update_task_register(
    desk: Desk,
    decision: Decision,
    day: date,
    *,
    events: str | os.PathLike[str] | Sequence[TaskEvent] = (),
) -> TasksKept:
    """Register the tasks of a decision where they are not yet, take events in, all or none, and report.

    A task belongs to the organisation of its owner, a user or an organisation: who is of it reports, and
    never accepts.

    Parameters
    ----------
    desk : Desk
        Of who does it: everybody acts under their own name.
    decision : Decision
    day : date
    events : path or sequence of TaskEvent
        CSV of what was done; ``by`` may be left out.

    Raises
    ------
    InputError
        ``other-decision``: another one was registered under this id; ``unknown-reference``; ``other-person``;
        every event that may not happen.
    DeniedError
    """
    given = read_task_events(events, NEEDED) if isinstance(events, str | os.PathLike) else tuple(events)
    registered = 0
    with desk.work(writes=False, snapshot=True) as work:
        is_there = _is_registered(work, decision)
    if given or not is_there:
        with desk.work(writes=True) as work:
            registered = done_or_found(work, lambda: _register(work, decision))
            if given:
                _take(work, decision, given)
    with desk.work(writes=False, snapshot=True) as work:
        book = _shown(work, decision)
    return TasksKept(report_tasks(book, day), registered, len(given))


def move_kept_task(desk: Desk, record_id: str, event: TaskEvent) -> Record:
    """Take one event of a task of a decision in, by the id of its record; the decision is as it was kept.

    Parameters
    ----------
    desk : Desk
    record_id : str
    event : TaskEvent
        Its ``task_id`` is not looked at.

    Raises
    ------
    NotFoundError
        There is no such task that the person may see.
    UsageError
        ``not-kept``: it is of no decision, and moved by its state.
    InputError, DeniedError
        As `update_task_register`.
    """
    with desk.work(writes=True) as work:
        found = get_record(work, "task", record_id)
        if found["plan"] is None:
            raise UsageError("This task is of no decision: change its state.", "not-kept")
        decision = _kept_decision(work, str(found["decision"]))
        _take(work, decision, [replace(event, task_id=str(found["code"]))])
        return get_record(work, "task", record_id)


def _kept_decision(work: Work, name: str) -> Decision:
    """Return a decision as its tasks in the register tell it: what is reminded of and told is not in them."""
    tasks = [
        PlannedTask(
            id=row["code"], title=plan["title"], owner=plan["owner"], subject=plan["subject"],
            deadline=date.fromisoformat(plan["deadline"]), evidence=plan["evidence"],
            needs=tuple(plan["needs"]), most_extensions=plan["most_extensions"],
        )
        for row in rows_to_decide(work, "task", "decision", [name])
        if (plan := row["plan"]) is not None
    ]  # fmt: skip
    zones = {row["plan"]["zone"] for row in rows_to_decide(work, "task", "decision", [name]) if row["plan"]}
    first = min(task.deadline for task in tasks)
    return Decision(
        id=name, title=name, source="", provenance="", decided_on=first, zone=zones.pop(),
        remind_days=(), escalation=(), tasks=tuple(sorted(tasks, key=lambda one: one.id)),
    )  # fmt: skip


def _rows(work: Work, decision: Decision, *, lock: bool = False) -> dict[str, Row]:
    """Return the rows of a decision's tasks by the id that the decision gives them."""
    ids = [task_record_id(decision.id, task.id) for task in decision.tasks]
    return {row["code"]: row for row in rows_to_decide(work, "task", "id", ids, lock=lock)}


def _is_registered(work: Work, decision: Decision) -> bool:
    """Return whether the decision's tasks are in the register, as the decision has them.

    Raises
    ------
    InputError
        ``other-decision``: others are, under the same id.
    """
    rows = _rows(work, decision)
    plans = {task.id: plan_of(task, decision) for task in decision.tasks}
    differ = [name for name, row in rows.items() if row["plan"] != plans[name]]
    known = {task_record_id(decision.id, task.id) for task in decision.tasks}
    there = rows_to_decide(work, "task", "decision", [decision.id])
    differ += [row["code"] for row in there if row["code"] is not None and row["id"] not in known]
    if rows and len(rows) < len(decision.tasks):
        differ += [name for name in plans if name not in rows]
    if differ:
        expected = "the decision as it was registered; another one has another id"
        raise InputError(
            Problem("other-decision", f"{decision.id}: task {name} differs.", name, None, "tasks", expected)
            for name in differ
        )
    return bool(rows)


def _register(work: Work, decision: Decision) -> int:
    """Register the tasks of a decision, unless they are; return how many."""
    if _is_registered(work, decision):
        return 0
    plans = {task.id: plan_of(task, decision) for task in decision.tasks}
    named = users_by_name(work, (task.owner for task in decision.tasks))
    organisations = organisations_there(work, (task.owner for task in decision.tasks))
    owners = _owners(decision, named, organisations)
    for task in decision.tasks:
        user = named.get(task.owner)
        deadline = end_of_day(task.deadline, decision.zone)
        values = {
            "decision": decision.id, "title": task.title, "state": "open", "deadline": deadline,
            "owner": None if user is None else user.id, "code": task.id, "subject": task.subject,
            "first_deadline": deadline, "plan": plans[task.id], "returned": 0, "extensions": 0, "events": [],
        }  # fmt: skip
        record = task_record_id(decision.id, task.id)
        add_record(work, "task", values, organisation=owners[task.id], record_id=record, by_ledger=True)
    return len(decision.tasks)


def _owners(decision: Decision, named: Mapping[str, Named], organisations: set[str]) -> dict[str, str]:
    """Return the organisation that each task belongs to."""
    made: dict[str, str] = {}
    problems: list[Problem] = []
    for row, task in enumerate(decision.tasks, 1):
        user = named.get(task.owner)
        if user is not None and user.is_shown:
            made[task.id] = user.organisation
        elif task.owner in organisations:
            made[task.id] = task.owner
        else:
            text = f"{task.owner!r} is no user and no organisation that you may see."
            expected = "the name of a user, or the id of an organisation"
            problems.append(Problem("unknown-reference", text, task.id, row, "owner", expected))
    if problems:
        raise InputError(problems)
    return made


def _kept_events(rows: Mapping[str, Row]) -> list[TaskEvent]:
    return [event_of(name, kept) for name, row in rows.items() for kept in row["events"] or ()]


def _take(work: Work, decision: Decision, given: Sequence[TaskEvent]) -> None:
    rows = _rows(work, decision, lock=True)
    mine, problems = own_events(given, own_name(work), work.at)
    seen = {name for name, row in rows.items() if work.may_see("task", row)}
    for number, event in enumerate(mine, 1):
        row = rows.get(event.task_id)
        if row is None or event.task_id not in seen:
            text = f"{event.action}: the decision has no such task that you may see."
            problems.append(Problem("unknown-task", text, event.task_id, number, "task_id", ", ".join(seen)))
        elif row["changed_at"] is not None and event.at.tzinfo is not None and event.at < row["changed_at"]:
            expected = f"{row['changed_at'].isoformat()} or later"
            text = f"{event.action}: it is before what was done last."
            problems.append(Problem("bad-action", text, event.task_id, number, "at", expected))
    before = _kept_events(rows)
    if not problems:
        try:
            book = see_through(decision, [*before, *mine])
        except InputError as error:
            problems += [replace(one, row=(one.row or 0) - len(before)) for one in error.problems]
    if problems:
        raise InputError(sorted(problems, key=lambda one: one.row or 0))
    ids = {
        name: one.id
        for name, one in users_by_name(work, {task.reported_by for task in book.tasks.values()}).items()
    }
    for name in sorted({event.task_id for event in mine}):
        happened = sorted((one for one in mine if one.task_id == name), key=lambda one: one.at)
        _change(work, rows[name], book, happened, ids)


def _change(
    work: Work, row: Row, book: TaskBook, happened: Sequence[TaskEvent], ids: Mapping[str, str]
) -> None:
    values = columns_of(book.tasks[row["code"]], ids, book.decision.zone)
    values["events"] = [*row["events"], *map(event_kept, happened)]
    target = get_record(work, "task", row["id"]).target
    rights = sorted({RIGHTS[event.action] for event in happened})
    for right in rights[:-1]:  # the change itself asks for the last
        work.allow(right, target, row["id"])
    change_record(work, "task", row["id"], row["version"], values, right=rights[-1])


def _shown(work: Work, decision: Decision) -> TaskBook:
    """Return the tasks that the person may see, after what was done with all of them."""
    rows = _rows(work, decision)
    book = see_through(decision, _kept_events(rows))
    seen = {name for name, row in rows.items() if work.may_see("task", row)}
    tasks = tuple(task for task in decision.tasks if task.id in seen)
    events = tuple(event for event in book.events if event.task_id in seen)
    kept = {name: task for name, task in book.tasks.items() if name in seen}
    return TaskBook(replace(decision, tasks=tasks), kept, events)
