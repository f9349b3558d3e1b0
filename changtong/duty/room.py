"""What the duty room knows at an instant: who is on, who has checked in, what is open, who must be called.

Everything follows from the roster and from entries that are only ever added. An entry has a key of what it is
about; the first with a key stands, whoever comes second is told whose it is. So a call is answered once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from changtong.duty.rosters_in_force import RostersInForce
from changtong.duty.staff import Assignment, CallChain, DutyFolder, Post, Shift
from changtong.errors import InputError, NotFoundError, Problem

KINDS = ("check_in", "hand_over", "receive", "call", "answer")
MOST_EARLY = timedelta(days=8)
"""Longer than ``early_min`` may be."""


@dataclass(frozen=True)
class Entry:
    """One thing that was done in the duty room.

    Attributes
    ----------
    key : str
        What it is about, as ``answer/CALL``; there is one entry with a key.
    kind : str
        One of :data:`KINDS`.
    at : datetime
        With its zone.
    by : str
        Who did it.
    values : dict
        What else belongs to it.
    """

    key: str
    kind: str
    at: datetime
    by: str
    values: dict[str, Any]


class RoomLog(Protocol):
    """Where entries are kept."""

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries, oldest first."""

    def put(self, entry: Entry) -> Entry:
        """Keep an entry unless there is one with its key; return the one that stands."""


@dataclass(frozen=True)
class OnDuty:
    """Somebody's duty at an instant.

    Attributes
    ----------
    assignment : Assignment
    shift : Shift
    post : Post or None
        None where the roster names one that is not in its duty folder.
    begin, end : datetime
    state : str
        ``on_time``, ``late``, ``expected`` (not yet checked in) or ``absent``.
    late_min : int
        Minutes after the begin at which they checked in, or by which they are overdue.
    """

    assignment: Assignment
    shift: Shift
    post: Post | None
    begin: datetime
    end: datetime
    state: str
    late_min: int


@dataclass(frozen=True)
class HandOver:
    """A hand-over note, and who has received it."""

    note_id: str
    at: datetime
    by: str
    open_items: tuple[str, ...]
    watch: tuple[str, ...]
    received_by: str | None
    received_at: datetime | None


@dataclass(frozen=True)
class Due:
    """Somebody who must be told of a call that nobody has answered.

    Attributes
    ----------
    call_id, subject, person_id : str
    step : int
        Of the chain, from 1.
    due_at : datetime
    """

    call_id: str
    subject: str
    step: int
    person_id: str
    due_at: datetime


@dataclass(frozen=True)
class Answered:
    """What came of answering a call.

    Attributes
    ----------
    call_id, by : str
        Who has it: the first to answer.
    at : datetime
    mine : bool
        Whether that is who asked.
    """

    call_id: str
    by: str
    at: datetime
    mine: bool

    def __str__(self) -> str:
        if self.mine:
            return f"{self.call_id}: answered by {self.by} at {self.at.isoformat(timespec='seconds')}"
        return f"{self.call_id}: {self.by} has answered already, at {self.at.isoformat(timespec='seconds')}"


def aware(at: datetime, what: str = "the instant") -> datetime:
    """Return an instant that has a zone.

    Raises
    ------
    InputError
        ``bad-instant``.
    """
    if at.tzinfo is None or at.utcoffset() is None:
        problem = Problem("bad-instant", f"{what} {at} has no zone.", expected="as 2026-03-02T09:00+08:00")
        raise InputError([problem])
    return at


def on_duty(rosters: RostersInForce, at: datetime) -> tuple[Assignment, ...]:
    """Return who is on duty at an instant; who is relieved at this instant is not.

    Parameters
    ----------
    rosters : RostersInForce
    at : datetime
    """
    return tuple(sorted(one.assignment for one in rosters.duties_at(aware(at))))


def duty_now(rosters: RostersInForce, entries: Iterable[Entry], at: datetime) -> tuple[OnDuty, ...]:
    """Return who is on duty at an instant, and who of them has come.

    Parameters
    ----------
    rosters : RostersInForce
    entries : iterable of Entry
    at : datetime
        What was entered after it does not count.
    """
    came = {one.key: one.at for one in entries if one.kind == "check_in" and one.at <= at}
    made = []
    for one in sorted(rosters.duties_at(aware(at)), key=lambda duty: duty.assignment):
        row, rules = one.assignment, one.folder.room
        post = next((post for post in one.folder.posts if post.post_id == row.post_id), None)
        seen = came.get(check_in_key(row))
        since = (seen or at).timestamp() - one.begin.timestamp()
        late = max(0, int(since // 60))
        if seen is not None:
            state = "late" if since > 60 * rules.grace_min else "on_time"
        else:
            state = "absent" if since >= 60 * rules.absent_min else "expected"
        late = late if state != "on_time" else 0
        made.append(OnDuty(row, one.shift, post, one.begin, one.end, state, late))
    return tuple(made)


def check_in_key(row: Assignment) -> str:
    """Return the key of a duty's check-in."""
    return f"check_in/{row.day}/{row.shift_id}/{row.post_id}/{row.person_id}"


def check_in(
    rosters: RostersInForce, log: RoomLog, person_id: str, at: datetime, by: str
) -> tuple[Assignment, Entry]:
    """Check somebody in for the duty that is on, or the next one that begins soon.

    Parameters
    ----------
    rosters : RostersInForce
    log : RoomLog
    person_id : str
    at : datetime
    by : str
        Who enters it.

    Returns
    -------
    tuple of Assignment and Entry
        The entry that stands: an earlier one where they had checked in before.

    Raises
    ------
    InputError
        ``not-on-duty``.
    """
    aware(at)
    fits = sorted(
        (
            one.assignment
            for one in rosters.around(at, MOST_EARLY)
            if one.assignment.person_id == person_id
            and one.begin.timestamp() - 60 * one.folder.room.early_min <= at.timestamp() < one.end.timestamp()
        ),
        key=lambda row: (row.day, row.shift_id),
    )
    if not fits:
        early = rosters.folder_at(at).room.early_min
        message = f"{person_id} has no duty at {at.isoformat(timespec='minutes')}."
        expected = f"a duty of the roster, at most {early:g} minutes before it begins"
        raise InputError([Problem("not-on-duty", message, expected=expected)])
    # who is on keeps on; the next one only when the former is entered
    known = {one.key for one in log.entries()}
    row = next((one for one in fits if check_in_key(one) not in known), fits[-1])
    return row, log.put(Entry(check_in_key(row), "check_in", at, by, {"person_id": person_id}))


def hand_over(
    log: RoomLog, note_id: str, by: str, at: datetime, open_items: Sequence[str], watch: Sequence[str]
) -> Entry:
    """Write a hand-over note; open items and what must be watched, at least one of them.

    Parameters
    ----------
    log : RoomLog
    note_id, by : str
    at : datetime
    open_items, watch : sequence of str

    Raises
    ------
    InputError
        ``empty-note``; ``duplicate-note``.
    """
    items = [text.strip() for text in open_items if text.strip()]
    watched = [text.strip() for text in watch if text.strip()]
    if not items and not watched:
        raise InputError(
            [
                Problem(
                    "empty-note",
                    "the note says nothing.",
                    expected="--open or --watch; 'nothing' is a text, too",
                )
            ]
        )
    entry = Entry(f"hand_over/{note_id}", "hand_over", aware(at), by, {"open": items, "watch": watched})
    kept = log.put(entry)
    if kept != entry:
        raise InputError([Problem("duplicate-note", f"note {note_id} is there already, by {kept.by}.")])
    return kept


def receive(log: RoomLog, note_id: str, by: str, at: datetime) -> Entry:
    """Receive a hand-over note; the first receipt stands.

    Parameters
    ----------
    log : RoomLog
    note_id, by : str
    at : datetime

    Raises
    ------
    NotFoundError
    InputError
        ``own-note``: who hands over does not receive.
    """
    note = _entry(log, f"hand_over/{note_id}", f"hand-over note {note_id}")
    if note.by == by:
        raise InputError([Problem("own-note", f"{by} wrote the note: somebody else receives it.")])
    _not_before(note, aware(at))
    return log.put(Entry(f"receive/{note_id}", "receive", at, by, {}))


def hand_overs(entries: Iterable[Entry]) -> tuple[HandOver, ...]:
    """Return the hand-over notes, oldest first.

    Parameters
    ----------
    entries : iterable of Entry
    """
    there = list(entries)
    received = {one.key.partition("/")[2]: one for one in there if one.kind == "receive"}
    made = []
    for one in there:
        if one.kind == "hand_over":
            name = one.key.partition("/")[2]
            got = received.get(name)
            made.append(
                HandOver(
                    name, one.at, one.by, tuple(one.values["open"]), tuple(one.values["watch"]),
                    None if got is None else got.by, None if got is None else got.at,
                )
            )  # fmt: skip
    return tuple(sorted(made, key=lambda note: (note.at, note.note_id)))


def open_call(
    rosters: RostersInForce, log: RoomLog, call_id: str, subject: str, chain_id: str, by: str, at: datetime
) -> Entry:
    """Open a call that goes up its chain until somebody answers.

    Parameters
    ----------
    rosters : RostersInForce
    log : RoomLog
    call_id, subject, chain_id, by : str
    at : datetime

    Raises
    ------
    NotFoundError
    InputError
        ``duplicate-call``.
    """
    _chain([rosters.folder_at(aware(at))], chain_id)
    entry = Entry(f"call/{call_id}", "call", at, by, {"subject": subject, "chain": chain_id})
    kept = log.put(entry)
    if kept != entry:
        raise InputError([Problem("duplicate-call", f"call {call_id} is there already, by {kept.by}.")])
    return kept


def answer_call(log: RoomLog, call_id: str, by: str, at: datetime) -> Answered:
    """Answer a call: the first has it, anybody after is told who.

    Parameters
    ----------
    log : RoomLog
    call_id, by : str
    at : datetime

    Raises
    ------
    NotFoundError
    InputError
        ``bad-instant``: before the call.
    """
    _not_before(_entry(log, f"call/{call_id}", f"call {call_id}"), aware(at))
    kept = log.put(Entry(f"answer/{call_id}", "answer", at, by, {}))
    return Answered(call_id, kept.by, kept.at, kept.by == by)


def escalate(rosters: RostersInForce, entries: Iterable[Entry], at: datetime) -> tuple[Due, ...]:
    """Return who must be told of calls by an instant: every step that is due and not answered before.

    A call goes by the chains in force when it was opened, or by those of a roster that was replaced. A step
    of posts means who is on duty there when it is due, also after the shift or the roster has changed.

    Parameters
    ----------
    rosters : RostersInForce
    entries : iterable of Entry
    at : datetime

    Raises
    ------
    NotFoundError
        A call without an answer goes by a chain that the roster of its day has not, any more.
    """
    aware(at)
    there = list(entries)
    answers = {one.key.partition("/")[2]: one.at for one in there if one.kind == "answer"}
    made: list[Due] = []
    for call in there:
        name = call.key.partition("/")[2]
        if call.kind != "call" or call.at > at:
            continue
        try:
            steps = _chain(rosters.folders_of_day(call.at), call.values["chain"]).steps
        except NotFoundError as error:
            if name in answers:  # its roster may have been erased: nobody is due any more
                continue
            raise NotFoundError(f"Call {name}: {error} Answer it, or put a roster that has it.") from None
        told: set[str] = set()
        for number, step in enumerate(steps, 1):
            due = call.at + timedelta(minutes=step.after_min)
            if due > at or (name in answers and answers[name] <= due):
                break
            people = [row.person_id for row in on_duty(rosters, due) if row.post_id in step.posts]
            for person in dict.fromkeys([*people, *step.people]):
                if person not in told:
                    made.append(Due(name, call.values["subject"], number, person, due))
                told.add(person)
    return tuple(sorted(made, key=lambda one: (one.due_at, one.call_id, one.step, one.person_id)))


def _chain(folders: Iterable[DutyFolder], chain_id: str) -> CallChain:
    """Return a chain of the first folder that has it."""
    there: list[str] = []
    for folder in folders:
        for chain in folder.chains:
            if chain.chain_id == chain_id:
                return chain
        there += [one.chain_id for one in folder.chains if one.chain_id not in there]
    known = ", ".join(there) or "none: write calls.toml"
    raise NotFoundError(f"There is no call chain {chain_id!r}; known: {known}.")


def _entry(log: RoomLog, key: str, what: str) -> Entry:
    for one in log.entries():
        if one.key == key:
            return one
    raise NotFoundError(f"There is no {what}.")


def _not_before(entry: Entry, at: datetime) -> None:
    if at < entry.at:
        message = f"{at.isoformat()} is before it was entered, at {entry.at.isoformat()}."
        raise InputError([Problem("bad-instant", message, expected="that instant or later")])
