"""Duty rooms in the registers: rosters in force, and entries that are only added, under rights.

The functions of `changtong.duty.room` decide, as they do in folders. A room is locked while an entry is
added, and the entry's id is made of its key: of two who answer one call at once exactly one has it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from changtong.duty.room import KINDS, Entry
from changtong.duty.room_log import OpenRoom
from changtong.duty.roster_files import DUTY, MARK, read_roster_folder
from changtong.duty.rosters_in_force import DAY, RostersInForce, Span, Version, spans_of
from changtong.duty.staff import Assignment, DutyFolder
from changtong.errors import InputError, NotFoundError, Problem
from changtong.storage.pages import Query
from changtong.storage.records import add_record, change_record, rows_to_decide
from changtong.storage.rows import check_id, new_id
from changtong.storage.schema import registers, to_ms
from changtong.storage.store import Desk
from changtong.storage.user_names import own_name, users_by_id
from changtong.storage.work import Work, target_of

ZONE = ZoneInfo("Asia/Shanghai")
KEPT = ("roster.csv", "fairness.csv", "carried.csv", "days.csv")
"""Files of a roster folder that are kept with its mark and its duty folder; calendars are made anew."""

MOST_TEXT = 1000
Row = Mapping[Any, Any]


class RegisterLog:
    """The entries of a room, within one piece of work; see `changtong.duty.room.RoomLog`.

    Parameters
    ----------
    work : Work
        One that writes where entries are put.
    room : mapping
        The stored row of the room, locked where entries are put.
    """

    def __init__(self, work: Work, room: Row) -> None:
        self._work, self._room, self._last = work, room, 0
        self._names: dict[str, str] = {work.person.user_id: own_name(work)}

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries as they were written; people by their names where one may see them."""
        rows = rows_to_decide(self._work, "duty_entry", "room", [self._room["id"]])
        unknown = {row["by_user"] for row in rows} - set(self._names)
        found = users_by_id(self._work, unknown)
        self._names |= {one: user.name or one if user.is_shown else one for one, user in found.items()}
        self._last = max((row["n"] for row in rows), default=0)  # some may have been erased
        return tuple(self._entry(row) for row in sorted(rows, key=lambda row: row["n"]))

    def _entry(self, row: Row) -> Entry:
        user = str(row["by_user"])
        by = self._names.get(user, user)
        return Entry(row["key"], row["kind"], row["at"].astimezone(ZONE), by, row["content"])

    def put(self, entry: Entry) -> Entry:
        """Keep an entry, as this user's, unless there is one with its key; return the one that stands.

        Parameters
        ----------
        entry : Entry

        Raises
        ------
        InputError
            ``bad-instant``: it is still to come; ``bad-value``: too long a text.
        """
        for one in self.entries():
            if one.key == entry.key:
                return one
        self._check(entry)
        values = {
            "room": self._room["id"], "n": self._last + 1, "key": entry.key, "kind": entry.kind,
            "at": entry.at, "by_user": self._work.person.user_id, "recorded_at": self._work.at,
            "content": dict(entry.values),
        }  # fmt: skip
        add_record(
            self._work, "duty_entry", values, organisation=self._room["organisation"],
            admin_code=self._room["admin_code"], record_id=entry_id(self._room["id"], entry.key),
            by_ledger=True,
        )  # fmt: skip
        return entry

    def _check(self, entry: Entry) -> None:
        problems = []
        if entry.at > self._work.at:
            text = f"{entry.at.isoformat()} is still to come."
            problems.append(Problem("bad-instant", text, column="at", expected="an instant that has been"))
        if entry.kind not in KINDS:
            problems.append(Problem("bad-value", f"{entry.kind!r} is no kind of entry.", column="kind"))
        texts = [entry.key, *(text for value in entry.values.values() for text in _texts(value))]
        if any(len(text) > MOST_TEXT for text in texts):
            expected = f"at most {MOST_TEXT} signs"
            problems.append(Problem("bad-value", "a text is too long.", column="content", expected=expected))
        if problems:
            raise InputError(problems)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [text for text in value if isinstance(text, str)]


def entry_id(room_id: str, key: str) -> str:
    """Return the id of an entry: one for a room and a key, so that the database holds only one.

    Examples
    --------
    >>> entry_id("hall", "answer/17") == entry_id("hall", "answer/17") != entry_id("hall", "answer/18")
    True
    """
    return hashlib.sha256(f"{room_id}\n{key}".encode()).hexdigest()[:48]


def make_room(
    desk: Desk, title: str, *, room_id: str | None = None, organisation: str | None = None
) -> dict[str, Any]:
    """Make a duty room.

    Parameters
    ----------
    desk : Desk
    title : str
    room_id : str, optional
        At most 50 signs; made where not given.
    organisation : str, optional
        Whose room it is; the person's own where not given.

    Raises
    ------
    InputError
        ``bad-value``, ``missing-value``, ``duplicate-record``.
    DeniedError
        ``not-allowed``.
    """
    with desk.work(writes=True) as work:
        wanted = new_id(to_ms(work.at)) if room_id is None else check_id(room_id, "room")
        problems = []
        if len(wanted) > 50:
            problems.append(Problem("bad-value", "the id is too long.", column="room", expected="50 signs"))
        if not 1 <= len(title.strip()) <= 200:
            problems.append(
                Problem("missing-value", "the room has no title.", column="title", expected="1 to 200 signs")
            )
        if problems:
            raise InputError(problems)
        values = {"title": title.strip(), "opened_at": work.at}
        made = add_record(
            work, "duty_room", values, organisation=organisation, record_id=wanted, by_ledger=True
        )
        return {"room": made.id, "title": made["title"], "organisation": made.organisation, "roster": None}


def list_rooms(desk: Desk) -> list[dict[str, Any]]:
    """Return the duty rooms that one may see, the oldest first.

    Parameters
    ----------
    desk : Desk
    """
    return [
        {"room": one.id, "title": one["title"], "organisation": one.organisation, "roster": one["roster"]}
        for one in desk.every("duty_room", Query(limit=500, newest_first=False))
    ]


def put_roster(
    desk: Desk,
    room_id: str,
    folder: str | os.PathLike[str],
    *,
    since: date | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """Put a roster in force in a room: a new version, the former ones stay.

    Parameters
    ----------
    desk : Desk
    room_id : str
    folder : path
        A roster folder, as ``duty roster`` wrote it. Its ``person_id`` are names of users, their ids, or
        others.
    since : date, optional
        First day whose duties are taken from it; its own first day where not given. What was in force before
        stays so, and after its last day, too.
    reason : str
        Kept in the audit.

    Raises
    ------
    NotFoundError, DeniedError
    InputError
        ``not-a-roster-folder``, ``bad-duty``: with every problem of the folder, or ``since`` is no day of it.
        ``past-days``: days that have passed would be taken from another roster, and nobody has said so.
    """
    duty, rows, first, last = read_roster_folder(folder)
    content = _content_of(Path(folder))
    if since is not None and not first <= since <= last:
        text, expected = f"{since} is no day of this roster.", f"{first} to {last}"
        raise InputError([Problem("bad-duty", text, column="from", expected=expected)])
    with desk.work(writes=True) as work:
        room = _room_row(work, room_id, lock=True)
        target = target_of("duty_room", room)
        work.allow("change", target, room_id)
        before = spans_of(_versions(work, room_id))
        begin = since or first
        if since is None:
            _check_past(before, begin, last, work.at.astimezone(duty.zone).date())
        number = (room["roster"] or 0) + 1
        values = {
            "room": room_id, "number": number, "first_day": str(first), "last_day": str(last),
            "since_day": str(since) if since else None, "content": content, "in_force_at": work.at,
        }  # fmt: skip
        add_record(
            work, "duty_roster", values, organisation=room["organisation"], admin_code=room["admin_code"],
            record_id=_roster_id(room_id, number), reason=reason, right=("change", target), by_ledger=True,
        )  # fmt: skip
        change_record(work, "duty_room", room_id, room["version"], {"roster": number}, reason, "change")
    return {
        "room": room_id, "roster": number, "from": str(begin), "to": str(last),
        "duties": sum(row.day >= begin for row in rows),
        "replaced": [_span_facts(one) for one in _within(before, begin, last)],
    }  # fmt: skip


def _check_past(before: Iterable[Span], begin: date, last: date, today: date) -> None:
    """Refuse to take days that have passed from another roster without being told to."""
    past = _within(before, begin, min(last, today - DAY))
    if past:
        text = f"Days that have passed ({past[0].first} to {past[-1].last}) have rosters in force."
        expected = "--from DATE: the first day that is taken from this one, today for example"
        raise InputError([Problem("past-days", text, column="from", expected=expected)])


def _within(spans: Iterable[Span], first: date, last: date) -> list[Span]:
    """Return what of spans is within two days."""
    cut = (replace(one, first=max(one.first, first), last=min(one.last, last)) for one in spans)
    return [one for one in cut if one.first <= one.last]


def _span_facts(span: Span) -> dict[str, Any]:
    return {"roster": span.number, "from": str(span.first), "to": str(span.last)}


def list_rosters(desk: Desk, room_id: str) -> list[dict[str, Any]]:
    """Return the versions of a room's roster, the first one first, and the days each is in force on.

    Parameters
    ----------
    desk : Desk
    room_id : str

    Raises
    ------
    NotFoundError, DeniedError
    """
    with desk.work(writes=False, snapshot=True) as work:
        room = _room_row(work, room_id, lock=False)
        work.allow("view", target_of("duty_roster", room), room_id)
        versions = _versions(work, room_id)
    spans = spans_of(versions)
    return [
        {
            "roster": one.number, "first": str(one.first), "last": str(one.last), "from": str(one.since),
            "in_force": [
                {"from": str(span.first), "to": str(span.last)} for span in spans if span.number == one.number
            ],
        }
        for one in versions
    ]  # fmt: skip


def _versions(work: Work, room_id: str) -> tuple[Version, ...]:
    """Return the versions of a room by their days, without what is in them."""
    table = registers["duty_roster"]
    columns = (table.c.number, table.c.first_day, table.c.last_day, table.c.since_day)
    chosen = sa.select(*columns).where(table.c.room == room_id).order_by(table.c.number)
    made = []
    for row in work.connection.execute(chosen):
        first, last = date.fromisoformat(row.first_day), date.fromisoformat(row.last_day)
        since = first if row.since_day is None else date.fromisoformat(row.since_day)
        made.append(Version(row.number, first, last, since, last))
    return tuple(made)


def _roster_id(room_id: str, number: int) -> str:
    return f"{room_id}.{number:06d}"


def _content_of(folder: Path) -> dict[str, str]:
    """Return the texts of a roster folder by name, those of its duty folder under ``duty/``."""
    files = [folder / name for name in (MARK, *KEPT) if (folder / name).is_file()]
    within = sorted(
        one for one in (folder / DUTY).iterdir() if one.suffix in (".csv", ".toml") and one.is_file()
    )
    return {one.name: _text(one) for one in files} | {f"{DUTY}/{one.name}": _text(one) for one in within}


def _text(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="strict")  # it was read as such a moment ago


@contextmanager
def open_register_room(
    desk: Desk, room_id: str, *, writes: bool, needs_roster: bool = True, number: int | None = None
) -> Iterator[OpenRoom]:
    """Open a room: who is signed in acts; right, entries and audit in one transaction.

    Parameters
    ----------
    desk : Desk
    room_id : str
    writes : bool
        Whether an entry may be put.
    needs_roster : bool
        Whether its rosters are needed; they are read while the room is open.
    number : int, optional
        One version of the roster, as it was put, as if it alone had been in force.

    Raises
    ------
    NotFoundError
        There is no such room, or it has no roster (yet).
    DeniedError
    """
    with desk.work(writes=writes, snapshot=not writes) as work:
        room = _room_row(work, room_id, lock=writes)
        work.allow("add" if writes else "view", target_of("duty_entry", room), room_id)
        log, by = RegisterLog(work, room), own_name(work)
        called = (work.person.user_id, by)
        yield OpenRoom(log, by, called, _rosters(work, room_id, number) if needs_roster else None)


def _rosters(work: Work, room_id: str, number: int | None) -> RostersInForce:
    versions = _versions(work, room_id)
    if not versions:
        raise NotFoundError(f"The duty room {room_id!r} has no roster yet: `duty put` puts one in force.")
    if number is not None:
        versions = tuple(replace(one, since=one.first) for one in versions if one.number == number)
        if not versions:
            raise NotFoundError(f"The duty room {room_id!r} has no roster {number}.")

    def read(number: int) -> tuple[DutyFolder, tuple[Assignment, ...]]:
        (row,) = rows_to_decide(work, "duty_roster", "id", [_roster_id(room_id, number)])
        with tempfile.TemporaryDirectory(prefix="changtong-duty-") as place:
            _write_content(row["content"], Path(place))
            return read_roster_folder(place)[:2]

    return RostersInForce(versions, read)


def _room_row(work: Work, room_id: str, *, lock: bool) -> Row:
    rows = rows_to_decide(work, "duty_room", "id", [room_id], lock=lock)
    if not rows or not work.may_see("duty_room", rows[0]):
        raise NotFoundError(f"There is no duty room {room_id!r} that you may see.")
    return rows[0]


def _write_content(content: Mapping[str, str], place: Path) -> None:
    (place / DUTY).mkdir()
    for name, text in content.items():
        into, _, file = name.rpartition("/")
        if into not in ("", DUTY) or Path(file).name != file or file in ("", ".", ".."):
            raise InputError([Problem("bad-duty", f"{name!r} is no file of a roster.", column="content")])
        (place / into / file).write_text(text, "utf-8")


def reveal_rosters(desk: Desk, room_id: str, at: datetime, reason: str, number: int | None = None) -> None:
    """Put on record that the people of rosters are looked at by their names.

    Parameters
    ----------
    desk : Desk
    room_id : str
    at : datetime
        Of all that are in force within the period of the one at this instant.
    reason : str
    number : int, optional
        Of this version instead.

    Raises
    ------
    UsageError
        ``reason-missing``.
    NotFoundError, DeniedError
    """
    with desk.work(writes=False, snapshot=True) as work:
        _room_row(work, room_id, lock=False)
        rosters = _rosters(work, room_id, number)
        shown = {one.number for one in _within(rosters.spans, *rosters.period_at(at))}
    for one in sorted(shown):
        desk.reveal("duty_roster", _roster_id(room_id, one), reason, ["content"])
