"""Moves of records along their states over the API: one way for all, each register's own ledger behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field

from changtong.api.answers import (
    Asked,
    Id,
    IfMatch,
    Key,
    KindName,
    Once,
    RecordId,
    Values,
    Word,
    Words,
    changed_with,
    facts_of,
    tag_of,
    version_of,
)
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError
from changtong.errors import InputError, Problem, UsageError
from changtong.safety.hazard import NEXT, HazardEvent
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.tasks import TaskEvent
from changtong.storage.definitions import OWN_WAYS, state_changes
from changtong.storage.records import Record, check_kind
from changtong.storage.rows import now
from changtong.supervision_records.hazard_register import take_hazard_actions
from changtong.supervision_records.task_register import move_kept_task

router = APIRouter(prefix="/api/v1/records", tags=["records"])

TASK_ACTIONS = ("report", "accept", "return", "extend", "cancel")


class Move(Asked):
    """A step of a record. Which fields it needs is the register's matter; what is wrong is told at once."""

    to: Word = Field(
        default="", description="Its new state, of registers whose states are set: inspection, campaign …"
    )
    action: Word = Field(
        default="",
        description="What is done, of hazards (assign, done, pass, fail, extend, regrade, seen, reopen, "
        "withdraw) and of tasks of a decision (report, accept, return, extend, cancel).",
    )
    at: AwareDatetime | None = Field(default=None, description="When it was done; now without it.")
    text: Words = Field(default="", description="What, or why; no names of persons.")
    evidence: Words = Field(default="", description="Attachments or documents that show it.")
    owner: Word = Field(default="", description="Name of the user it is assigned to.")
    deadline: date | None = None
    grade: Word = Field(default="", description="Of regrade: general or major.")
    finding: Id | None = Field(default=None, description="Of seen and reopen.")
    values: Values = Field(default_factory=dict, description="Columns that change with the state.")
    reason: Words = ""


@dataclass(frozen=True)
class _Step:
    asks: Caller
    kind: str
    record_id: str
    asked: Move
    if_match: str


@router.post("/{kind}/{record_id}/moves", response_model=None)
def move_record(
    asks: Asks,
    serves: Serves,
    kind: KindName,
    record_id: RecordId,
    asked: Move,
    if_match: IfMatch = "",
    idempotency_key: Key = "",
) -> Response:
    """Move a record: `to` a state, or by an `action` of its ledger.

    With `to`, If-Match is needed as for a change. With `action` it may be there: 412 where the record is at
    another version; the ledger decides whatever comes at once. Rights tickets, cases, scorecards and duty
    rooms have routes of their own.
    """
    step = _Step(asks, check_kind(kind), record_id, asked, if_match)
    once = Once(asks, serves, idempotency_key, "move", kind, record_id, asked, if_match)
    return once.answer(lambda: facts_of(_moved(step)), 200, _tag)


def _tag(made: dict[str, Any]) -> dict[str, str]:
    return {"ETag": tag_of(made["version"])}


def _moved(step: _Step) -> Record:
    asked = step.asked
    if bool(asked.to) == bool(asked.action):
        raise UsageError("Say either `to`, a state, or `action`.")
    if asked.to:
        return _state_set(step)
    if step.if_match:
        _must_be_as_read(step)
    match step.kind:
        case "hazard":
            return _hazard_moved(step)
        case "task":
            return _task_moved(step)
        case _:
            raise UsageError(f"A {step.kind} has no actions: say `to`, a state.", "own-way")


def _state_set(step: _Step) -> Record:
    if step.kind in OWN_WAYS or not any(of == step.kind for of, _, _ in state_changes()):
        raise UsageError(f"The state of a {step.kind} is not set: see `own_way` of the register.", "own-way")
    version, asked = version_of(step.if_match), step.asked
    values = {**asked.values, "state": asked.to}
    change = step.asks.desk.change
    return changed_with(lambda: change(step.kind, step.record_id, version, values, asked.reason))


def _must_be_as_read(step: _Step) -> None:
    version, found = version_of(step.if_match), step.asks.desk.get(step.kind, step.record_id)
    if found.version != version:
        text = f"This {step.kind} is at version {found.version} now: it was changed since you read {version}."
        raise ChangedError(text, facts_of(found))


def _hazard_moved(step: _Step) -> Record:
    asked = step.asked
    if asked.action not in NEXT:
        raise _unknown_action(asked.action, tuple(NEXT))
    step.asks.desk.get("hazard", step.record_id)  # one that may not be seen is not there
    event = HazardEvent(
        step.record_id, asked.at or now(), asked.action, "", text=asked.text, evidence=asked.evidence,
        owner=asked.owner, deadline=asked.deadline, grade=asked.grade, finding_id=asked.finding or "",
    )  # fmt: skip
    take_hazard_actions(step.asks.desk, read_hazard_rules(), [event])
    return step.asks.desk.get("hazard", step.record_id)


def _task_moved(step: _Step) -> Record:
    asked = step.asked
    if asked.action not in TASK_ACTIONS:
        raise _unknown_action(asked.action, TASK_ACTIONS)
    event = TaskEvent(
        "", asked.at or now(), asked.action, "", text=asked.text, evidence=asked.evidence,
        deadline=asked.deadline,
    )  # fmt: skip
    return move_kept_task(step.asks.desk, step.record_id, event)


def _unknown_action(action: str, known: tuple[str, ...]) -> InputError:
    text = f"{action!r} is nothing that is done with it."
    return InputError([Problem("bad-action", text, column="action", expected=", ".join(known))])
