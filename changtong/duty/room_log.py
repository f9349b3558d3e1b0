"""The duty room's entries in a folder: lines that are only added, by one process at a time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.duty.room import KINDS, Entry, RoomLog
from changtong.duty.roster_files import read_roster_folder
from changtong.duty.rosters_in_force import RostersInForce, one_roster
from changtong.errors import InputError, Problem, UsageError
from changtong.file_locks import lock_file

FILE = "duty-log.jsonl"
LOCK = "duty-log.lock"
WAIT_S = 20.0


@dataclass(frozen=True)
class OpenRoom:
    """A duty room as somebody works in it: its log, who works, and its rosters where they are needed.

    Attributes
    ----------
    log : RoomLog
    by : str
        Who acts; empty where nobody is named.
    called : tuple of str
        What a roster may call who acts, the likeliest first.
    """

    log: RoomLog
    by: str
    called: tuple[str, ...] = ()
    _rosters: RostersInForce | None = None

    @property
    def rosters(self) -> RostersInForce:
        """The rosters in force."""
        assert self._rosters is not None, "opened without its rosters"
        return self._rosters

    def person_at(self, at: datetime) -> str:
        """Return who is acting, as the roster in force at an instant calls them.

        Parameters
        ----------
        at : datetime
        """
        people = {one.person_id for one in self.rosters.folder_at(at).people}
        return next((one for one in self.called if one in people), self.by)


def open_folder_room(room: Path, by: str, roster: Path | None = None) -> OpenRoom:
    """Open a room that is a log in a folder.

    Parameters
    ----------
    room : Path
    by : str
        Who acts: what somebody says.
    roster : Path, optional
        A roster folder; where it is not given nothing that needs one can be done.

    Raises
    ------
    InputError
    """
    log = FolderLog(room)
    if roster is None:
        return OpenRoom(log, by)
    return OpenRoom(log, by, (by,), one_roster(*read_roster_folder(roster)))


class FolderLog:
    """Entries in a folder, one JSON object a line.

    A line that a killed process left without its end was never told to anybody as done: it is not read, and
    the next entry takes its place.

    Parameters
    ----------
    folder : Path
        It is made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / FILE

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries, oldest first.

        Raises
        ------
        InputError
            ``bad-duty-log``: a whole line is no entry.
        """
        return _parse(self._whole_lines())

    def _whole_lines(self) -> bytes:
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1]

    def put(self, entry: Entry) -> Entry:
        """Keep an entry unless there is one with its key; return the one that stands.

        Parameters
        ----------
        entry : Entry
        """
        with self._locked():
            whole = self._whole_lines()
            for one in _parse(whole):
                if one.key == entry.key:
                    return one
            handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(handle, len(whole))
                os.lseek(handle, 0, os.SEEK_END)
                line = json.dumps(_kept(entry), ensure_ascii=False, sort_keys=True) + "\n"
                os.write(handle, line.encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        return entry

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be made: {error.strerror}.", "cannot-write") from error
        until = time.monotonic() + WAIT_S
        while (handle := lock_file(self.folder / LOCK)) is None:
            if time.monotonic() > until:
                raise UsageError(f"{self.folder}: another process holds the duty log.", "cannot-write")
            time.sleep(0.01)
        try:
            yield
        finally:
            os.close(handle)


def _kept(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key, "kind": entry.kind, "at": entry.at.isoformat(), "by": entry.by,
        "values": entry.values,
    }  # fmt: skip


def _parse(content: bytes) -> tuple[Entry, ...]:
    made, problems = [], []
    for row, line in enumerate(content.splitlines(), 1):
        try:
            one = json.loads(line)
            at = datetime.fromisoformat(one["at"])
            if one["kind"] not in KINDS or at.tzinfo is None or not isinstance(one["values"], dict):
                raise ValueError
            made.append(Entry(str(one["key"]), one["kind"], at, str(one["by"]), one["values"]))
        except (ValueError, KeyError, TypeError):
            problems.append(Problem("bad-duty-log", "this line is no entry.", FILE, row))
    if problems:
        raise InputError(problems)
    return tuple(made)
