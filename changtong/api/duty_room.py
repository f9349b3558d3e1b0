"""Duty rooms over the API: who is on, check-in, hand-over, calls that escalate and are answered once."""

from __future__ import annotations

import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field, StringConstraints

from changtong.api.answers import Asked, Id, Key, Once, RecordId, Word, Words
from changtong.api.people import Asks, Serves
from changtong.duty.room import (
    Entry,
    answer_call,
    check_in,
    duty_now,
    escalate,
    hand_over,
    hand_overs,
    open_call,
    receive,
)
from changtong.storage.rows import now
from changtong.workforce_records.room_register import (
    list_rooms,
    list_rosters,
    make_room,
    open_register_room,
    put_roster,
)

router = APIRouter(prefix="/api/v1/duty-rooms", tags=["duty"])

AsOf = Annotated[AwareDatetime | None, Query(description="As of this instant; now without it.")]
FileName = Annotated[str, StringConstraints(pattern=r"^(duty/)?[A-Za-z0-9_-]{1,60}\.(csv|toml|json)$")]
FileText = Annotated[str, StringConstraints(max_length=400_000)]


class NewRoom(Asked):
    """A duty room to be made."""

    title: Word = Field(min_length=1)
    id: Id | None = Field(default=None, max_length=50)
    organisation: Id | None = Field(default=None, description="Whose it is; one's own by default.")


class NewRoster(Asked):
    """A roster to be put in force, as `duty roster` wrote it."""

    files: dict[FileName, FileText] = Field(
        max_length=40, description="Name in the roster folder, as `roster.csv` or `duty/rules.toml` -> text."
    )
    since: date | None = Field(default=None, description="First day taken from it.")
    reason: Words = ""


class CheckIn(Asked):
    """Somebody has come."""

    person: Word = Field(default="", description="As the roster calls them; oneself without it.")
    at: AwareDatetime | None = None


class NewNote(Asked):
    """What the next shift must know."""

    note: Id
    open: list[Words] = Field(default_factory=list, max_length=100)
    watch: list[Words] = Field(default_factory=list, max_length=100)
    at: AwareDatetime | None = None


class NewCall(Asked):
    """A call that goes up its chain until somebody answers."""

    call: Id
    chain: Word = Field(min_length=1, description="A chain of the roster's calls.toml.")
    subject: Words = Field(min_length=1, description="What it is about; no names of persons.")
    at: AwareDatetime | None = None


class When(Asked):
    """When it was done; now without it."""

    at: AwareDatetime | None = None


def _at(given: datetime | None) -> datetime:
    """Return when it was done: asked before the work begins, since nothing is entered ahead of that."""
    return given or now()


def _facts(entry: Entry) -> dict[str, Any]:
    return {"key": entry.key, "kind": entry.kind, "at": entry.at.isoformat(), "by": entry.by, **entry.values}


@router.get("")
def read_rooms(asks: Asks) -> dict[str, Any]:
    """List the duty rooms that one may see, the oldest first."""
    return {"rooms": list_rooms(asks.desk)}


@router.post("", status_code=201)
def add_room(asks: Asks, serves: Serves, asked: NewRoom, idempotency_key: Key = "") -> Response:
    """Make a duty room."""
    once = Once(asks, serves, idempotency_key, "room", asked)
    room_id = asked.id or once.id()

    def make() -> dict[str, Any]:
        if once.was_begun and (there := [one for one in list_rooms(asks.desk) if one["room"] == room_id]):
            return there[0]
        return make_room(asks.desk, asked.title, room_id=room_id, organisation=asked.organisation)

    return once.answer(make)


@router.get("/{record_id}/rosters")
def read_rosters(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """List the versions of a room's roster, and the days each is in force on."""
    return {"rosters": list_rosters(asks.desk, record_id)}


@router.post("/{record_id}/rosters", status_code=201)
def add_roster(
    asks: Asks, serves: Serves, record_id: RecordId, asked: NewRoster, idempotency_key: Key = ""
) -> Response:
    """Put a roster in force: a new version, the former ones stay."""
    once = Once(asks, serves, idempotency_key, "roster", record_id, asked)

    def put() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="changtong-roster-") as place:
            for name, text in asked.files.items():
                path = Path(place) / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, "utf-8")
            return put_roster(asks.desk, record_id, place, since=asked.since, reason=asked.reason)

    return once.answer(put)


@router.get("/{record_id}/now")
def read_now(asks: Asks, record_id: RecordId, at: AsOf = None) -> dict[str, Any]:
    """Tell who is on duty at an instant, who has come, and what was handed over and not received."""
    instant = _at(at)
    with open_register_room(asks.desk, record_id, writes=False) as opened:
        entries = opened.log.entries()
        there = duty_now(opened.rosters, entries, instant)
    on_duty = [
        {
            "person_id": one.assignment.person_id, "post_id": one.assignment.post_id,
            "shift_id": one.assignment.shift_id, "begins_at": one.begin.isoformat(),
            "ends_at": one.end.isoformat(), "state": one.state, "late_min": one.late_min,
        }
        for one in there
    ]  # fmt: skip
    waiting = [one.note_id for one in hand_overs(entries) if one.received_by is None and one.at <= instant]
    return {"at": instant.isoformat(), "on_duty": on_duty, "not_received": waiting}


@router.get("/{record_id}/duties")
def read_duties(
    asks: Asks,
    record_id: RecordId,
    at: AsOf = None,
    days: Annotated[int, Query(ge=1, le=31, description="So many before and after.")] = 3,
) -> dict[str, Any]:
    """List the duties of the days around an instant, the first one first."""
    instant, span = _at(at), timedelta(days=days)
    with open_register_room(asks.desk, record_id, writes=False) as opened:
        first, last = instant.timestamp() - span.total_seconds(), instant.timestamp() + span.total_seconds()
        found = [
            {
                "person_id": one.assignment.person_id, "post_id": one.assignment.post_id,
                "shift_id": one.assignment.shift_id, "day": one.assignment.day.isoformat(),
                "begins_at": one.begin.isoformat(), "ends_at": one.end.isoformat(),
            }
            for one in opened.rosters.around(instant - span, 2 * span)
            if one.end.timestamp() > first and one.begin.timestamp() < last
        ]  # fmt: skip
    return {"duties": sorted(found, key=lambda one: (one["begins_at"], one["post_id"], one["person_id"]))}


@router.post("/{record_id}/check-ins", status_code=201)
def add_check_in(
    asks: Asks, serves: Serves, record_id: RecordId, asked: CheckIn, idempotency_key: Key = ""
) -> Response:
    """Check somebody in for their duty; a second time changes nothing."""
    once = Once(asks, serves, idempotency_key, "check-in", record_id, asked)

    def come() -> dict[str, Any]:
        at = _at(asked.at)
        with open_register_room(asks.desk, record_id, writes=True) as opened:
            who = asked.person or opened.person_at(at)
            row, kept = check_in(opened.rosters, opened.log, who, at, opened.by)
        return _facts(kept) | {"post_id": row.post_id, "shift_id": row.shift_id, "day": row.day.isoformat()}

    return once.answer(come)


@router.get("/{record_id}/hand-overs")
def read_notes(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """List the hand-over notes, the oldest first."""
    with open_register_room(asks.desk, record_id, writes=False, needs_roster=False) as opened:
        found = hand_overs(opened.log.entries())
    return {
        "notes": [
            {
                "note": one.note_id, "at": one.at.isoformat(), "by": one.by, "open": list(one.open_items),
                "watch": list(one.watch), "received_by": one.received_by,
                "received_at": None if one.received_at is None else one.received_at.isoformat(),
            }
            for one in found
        ]
    }  # fmt: skip


@router.post("/{record_id}/hand-overs", status_code=201)
def add_note(
    asks: Asks, serves: Serves, record_id: RecordId, asked: NewNote, idempotency_key: Key = ""
) -> Response:
    """Write what the next shift must know."""
    once = Once(asks, serves, idempotency_key, "note", record_id, asked)

    def write() -> dict[str, Any]:
        at = _at(asked.at)
        with open_register_room(asks.desk, record_id, writes=True, needs_roster=False) as opened:
            return _facts(hand_over(opened.log, asked.note, opened.by, at, asked.open, asked.watch))

    return once.answer(write)


@router.post("/{record_id}/hand-overs/{note}/receive")
def receive_note(asks: Asks, record_id: RecordId, note: Id, asked: When) -> dict[str, Any]:
    """Receive a hand-over note; the first receipt stands, and `mine` says whether it is one's own."""
    at = _at(asked.at)
    with open_register_room(asks.desk, record_id, writes=True, needs_roster=False) as opened:
        kept = receive(opened.log, note, opened.by, at)
        return _facts(kept) | {"mine": kept.by == opened.by}


@router.get("/{record_id}/calls")
def read_calls(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """List the calls, the oldest first, and who has answered."""
    with open_register_room(asks.desk, record_id, writes=False, needs_roster=False) as opened:
        entries = opened.log.entries()
    answers = {one.key.partition("/")[2]: one for one in entries if one.kind == "answer"}
    found = []
    for one in entries:
        if one.kind == "call":
            name = one.key.partition("/")[2]
            got = answers.get(name)
            found.append(
                {"call": name, "at": one.at.isoformat(), "by": one.by, **one.values,
                 "answered_by": None if got is None else got.by,
                 "answered_at": None if got is None else got.at.isoformat()}
            )  # fmt: skip
    return {"calls": found}


@router.post("/{record_id}/calls", status_code=201)
def add_call(
    asks: Asks, serves: Serves, record_id: RecordId, asked: NewCall, idempotency_key: Key = ""
) -> Response:
    """Open a call; `due` tells whom it goes to and when."""
    once = Once(asks, serves, idempotency_key, "call", record_id, asked)

    def begin() -> dict[str, Any]:
        at = _at(asked.at)
        with open_register_room(asks.desk, record_id, writes=True) as opened:
            there = [one for one in opened.log.entries() if one.key == f"call/{asked.call}"]
            if once.was_begun and there:
                return _facts(there[0])
            return _facts(
                open_call(
                    opened.rosters,
                    opened.log,
                    asked.call,
                    asked.subject,
                    asked.chain,
                    opened.by,
                    at,
                )
            )

    return once.answer(begin)


@router.post("/{record_id}/calls/{call}/answer")
def answer(asks: Asks, record_id: RecordId, call: Id, asked: When) -> dict[str, Any]:
    """Answer a call: the first has it. Whoever comes second is told who: `mine` is false."""
    at = _at(asked.at)
    with open_register_room(asks.desk, record_id, writes=True, needs_roster=False) as opened:
        got = answer_call(opened.log, call, opened.by, at)
    return {"call": got.call_id, "by": got.by, "at": got.at.isoformat(), "mine": got.mine}


@router.get("/{record_id}/due")
def read_due(asks: Asks, record_id: RecordId, at: AsOf = None) -> dict[str, Any]:
    """List who must be told of unanswered calls by an instant; nothing is sent."""
    with open_register_room(asks.desk, record_id, writes=False) as opened:
        found = escalate(opened.rosters, opened.log.entries(), _at(at))
    due = [
        {
            "call": one.call_id, "step": one.step, "person_id": one.person_id,
            "due_at": one.due_at.isoformat(), "subject": one.subject,
        }
        for one in found
    ]  # fmt: skip
    return {"due": due}
