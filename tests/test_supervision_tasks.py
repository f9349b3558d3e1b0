"""A decision's tasks in the registers: registered once, seen through as from files, by those who may."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registers_cases import (  # noqa: F401
    CHEAP,
    cheap_hashes,
    place,
    postgres,
    small,
    small_database,
    small_file,
    small_store,
)
from supervision_cases import office, outlet

from changtong.errors import DeniedError, InputError
from changtong.safety.decision import Decision, PlannedTask
from changtong.safety.hazard_rules import EscalationStep
from changtong.safety.tasks import ACTIONS, TaskEvent, see_through
from changtong.storage import passwords
from changtong.storage.store import Desk, Store
from changtong.supervision_records.task_register import TasksKept, update_task_register

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
DAY = date(2026, 3, 19)
STEPS = (EscalationStep(1, "分管领导", "the official in charge"),)
TASKS = (
    PlannedTask("T1", "list them", "ning", "甲县", date(2026, 3, 10), "list"),
    PlannedTask("T2", "replace them", "sd-ns", "甲县", date(2026, 3, 20), "", ("T1",)),
    PlannedTask("T3", "drill", "fc-ft", "乙县", date(2026, 3, 15), "", (), 2),
)
DECISION = Decision(
    "D1", "fire", "made up", "synthetic", date(2026, 3, 1), "Asia/Shanghai", (7, 1), STEPS, TASKS
)
Office = tuple[Store, Desk, dict[str, Desk]]


def event(task: str, action: str, day: float, by: str = "", **more: Any) -> TaskEvent:
    return TaskEvent(task, START + timedelta(days=day), action, by, **({"text": "because"} | more))


def done(desk: Desk, *events: TaskEvent, decision: Decision = DECISION) -> TasksKept:
    return update_task_register(desk, decision, DAY, events=events)


@pytest.fixture
def there(small: tuple[Store, Desk]) -> Office:
    store, admin = small
    desks = office(store, admin)
    return store, admin, desks | {"ning": outlet(store, admin)}


def test_tasks_are_registered_once_and_seen_through(there: Office) -> None:
    store, admin, desks = there
    li, ning = desks["li"], desks["ning"]
    assert done(li).registered == 3
    assert done(li).registered == done(desks["wu"]).registered == 0
    assert {one["code"]: one.organisation for one in li.every("task")} == {
        "T1": "sd-ns", "T2": "sd-ns", "T3": "fc-ft",
    }  # fmt: skip
    made = done(ning, event("T1", "report", 7, evidence="the list"))
    assert [row["task_id"] for row in made.report.counts.iter_rows(named=True)] == ["T1", "T2"]  # their own
    with pytest.raises(InputError, match="same-person"):
        done(ning, event("T1", "accept", 8))
    second = outlet(store, admin, "nan")
    with pytest.raises(DeniedError, match="own-organisation"):
        done(second, event("T1", "accept", 8))
    done(li, event("T1", "accept", 8))
    done(ning, event("T2", "report", 9))
    done(li, event("T2", "return", 10), event("T3", "extend", 10, deadline=date(2026, 3, 18)))
    kept = done(desks["he"])
    files = see_through(
        DECISION,
        [
            event("T1", "report", 7, "ning", evidence="the list"), event("T1", "accept", 8, "li"),
            event("T2", "report", 9, "ning"), event("T2", "return", 10, "li"),
            event("T3", "extend", 10, "li", deadline=date(2026, 3, 18)),
        ],
    )  # fmt: skip
    assert kept.report.counts.equals(files.counts(DAY))
    assert kept.report.totals.equals(files.totals(DAY))
    assert kept.report.due.equals(files.due(DAY))
    assert kept.report.due.filter(task_id="T3")["escalate_to_en"].to_list() == ["the official in charge"]
    states = {one["code"]: (one["state"], one["returned"], one["extensions"]) for one in li.every("task")}
    assert states == {"T1": ("accepted", 0, 0), "T2": ("open", 1, 0), "T3": ("open", 0, 1)}
    assert admin.verify_audit(with_records=True).whole


def test_all_events_or_none_with_every_fault_told(there: Office, tmp_path: Path) -> None:
    _, _, desks = there
    li = desks["li"]
    file = tmp_path / "events.csv"
    file.write_text(
        "task_id,at,action,by,text,evidence,deadline\n"
        "T3,2026-03-05T09:00:00+08:00,report,,,,\n"
        "T9,2026-03-05T09:00:00+08:00,report,,,,\n"
        "T1,2026-03-05T09:00:00+08:00,report,ning,,list,\n"
        "T1,2036-03-05T09:00:00+08:00,report,,,list,\n",
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        update_task_register(li, DECISION, DAY, events=file)
    assert [(one.row, one.code) for one in caught.value.problems] == [
        (2, "unknown-task"), (3, "other-person"), (4, "bad-action"),
    ]  # fmt: skip
    assert list(li.every("task")) == []  # registering goes with it
    done(li, event("T3", "report", 3))
    with pytest.raises(InputError, match="before what was done last"):
        done(li, event("T3", "return", 2))
    with pytest.raises(InputError, match="wrong-state") as again:
        done(li, event("T3", "cancel", 4), event("T3", "return", 5))
    assert [one.row for one in again.value.problems] == [2]


def test_another_decision_under_the_same_id_and_unknown_owners_are_refused(there: Office) -> None:
    _, _, desks = there
    stranger = replace(TASKS[0], owner="nobody")
    with pytest.raises(InputError, match="unknown-reference"):
        done(desks["li"], decision=replace(DECISION, tasks=(stranger, *TASKS[1:])))
    done(desks["li"])
    for tasks in (
        (replace(TASKS[0], deadline=DAY), *TASKS[1:]),
        TASKS[:2],
        (*TASKS, replace(TASKS[2], id="T4")),
    ):
        with pytest.raises(InputError, match="other-decision"):
            done(desks["li"], decision=replace(DECISION, tasks=tasks))
    (record,) = [one for one in desks["li"].every("task") if one["code"] == "T1"]
    with pytest.raises(InputError, match="kept-by-ledger"):
        desks["li"].change("task", record.id, record.version, {"state": "done"})


def test_two_register_the_same_decision_at_once(there: Office) -> None:
    _, admin, desks = there
    gate, made = threading.Barrier(3), []

    def register(name: str) -> None:
        gate.wait()
        made.append(done(desks[name]).registered)

    threads = [threading.Thread(target=register, args=(name,)) for name in ("li", "wu", "he")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(made) == [0, 0, 3]
    assert len(list(desks["li"].every("task"))) == 3
    assert admin.verify_audit(with_records=True).whole


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("property")
    kept, passwords.hasher = passwords.hasher, CHEAP
    try:
        store, admin = small_store(folder / "r.sqlite", folder / "files")
        return store, admin, office(store, admin) | {"ning": outlet(store, admin)}
    finally:
        passwords.hasher = kept


steps = st.lists(
    st.tuples(
        st.sampled_from(["T1", "T2", "T3"]), st.sampled_from(sorted(ACTIONS)), st.sampled_from(["li", "wu"]),
        st.integers(0, 4), st.sampled_from(["", "shown"]), st.booleans(),
    ),
    min_size=3, max_size=14,
)  # fmt: skip


@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_counts_of_registers_are_those_of_files(worker: Office, steps: list[tuple[Any, ...]]) -> None:
    """Each step is tried on both; what one refuses the other refuses with the same code."""
    _, _, desks = worker
    mark = uuid.uuid4().hex[:8]
    tasks = (replace(TASKS[0], owner="li"), *TASKS[1:])
    decision = replace(DECISION, id=mark, tasks=tasks)
    taken: list[TaskEvent] = []
    at = START
    for task, action, by, days, evidence, later in steps:
        at += timedelta(days=days)
        moved = (at + timedelta(days=30)).date() if later and action == "extend" else None
        step = TaskEvent(task, at, action, by, "because", evidence, moved)
        codes: list[set[str]] = []
        try:
            see_through(decision, [*taken, step])
            codes.append(set())
        except InputError as error:
            codes.append({one.code for one in error.problems})
        try:
            done(desks[by], step, decision=decision)
            codes.append(set())
        except InputError as error:
            codes.append({one.code for one in error.problems})
        except DeniedError:  # rights stand above: nobody of the owner's organisation decides
            assert action != "report"
            assert task == "T1"
            continue
        assert codes[0] == codes[1], step
        taken += [] if codes[0] else [step]
    kept, files = done(desks["wu"], decision=decision).report, see_through(decision, taken)
    for day in (DAY, at.date()):
        assert kept.book.counts(day).equals(files.counts(day))
        assert kept.book.due(day).equals(files.due(day))
        assert kept.book.totals(day).equals(files.totals(day))
