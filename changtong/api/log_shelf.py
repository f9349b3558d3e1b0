"""The scan logs of a data folder: whose each is, its key, and what lies beside it."""

from __future__ import annotations

import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from changtong.api.data_folder import KEYS, NAME, DataFolder
from changtong.errors import ConflictError, InputError, NotFoundError, Problem
from changtong.events.keys import PLAIN_KEY, fitting_key, new_key
from changtong.events.log import EventLog, create_log, open_log
from changtong.events.times import zone_of
from changtong.written_files import write_beside

ABOUT = "about.json"
ROOT = "/"
"""Owner of a log that somebody put into the folder: who sees all organisations sees it."""


@dataclass(frozen=True)
class LogAbout:
    """What the server knows of a log beside what is in it.

    Attributes
    ----------
    id : str
    path, admin_code : str
        Of the organisation that it belongs to: what rights to it are decided by.
    alerts : dict
        Settings of its watch, see :mod:`changtong.api.alert_watch`.
    """

    id: str
    path: str
    admin_code: str
    alerts: dict[str, Any] = field(default_factory=dict)


class LogShelf:
    """The logs of a data folder.

    Parameters
    ----------
    folder : DataFolder
    """

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._one_at_a_time = threading.Lock()
        self._abouts: dict[str, LogAbout] = {}
        self._logs: dict[str, tuple[int, EventLog]] = {}

    def log_folder(self, log_id: str) -> Path:
        """Return where a log lies."""
        return self._folder.path / "logs" / log_id

    def beside(self, log_id: str) -> Path:
        """Return where a log's spool, capture jobs and the state of its watch lie: not in it."""
        return self._folder.path / "intake" / log_id

    def ids(self) -> tuple[str, ...]:
        """Return the ids of the logs that are there."""
        found = (entry.name for entry in os.scandir(self._folder.path / "logs") if NAME.fullmatch(entry.name))
        return tuple(sorted(name for name in found if (self.log_folder(name) / "log.json").is_file()))

    def check_id(self, log_id: str) -> None:
        """Refuse an id that no folder may have.

        Raises
        ------
        InputError
        """
        if not NAME.fullmatch(log_id):
            expected = "1 to 64 letters, digits and . _ -, no . _ - at the beginning"
            raise InputError(
                [Problem("bad-id", "This is no id of a log.", column="log_id", expected=expected)]
            )

    def about(self, log_id: str) -> LogAbout:
        """Return whose a log is.

        Raises
        ------
        NotFoundError
            There is none of this id; the same is told of those that the caller may not see.
        """
        known = self._abouts.get(log_id)
        if known is not None:
            return known
        if not NAME.fullmatch(log_id) or not (self.log_folder(log_id) / "log.json").is_file():
            raise NotFoundError("There is no scan log of this id.")
        place = self.beside(log_id) / ABOUT
        if place.is_file():
            about = LogAbout(**json.loads(place.read_text("utf-8")))
        else:
            about = LogAbout(log_id, ROOT, "")
        self._abouts[log_id] = about
        return about

    def log(self, log_id: str) -> EventLog:
        """Return a log as it is now; read anew when a batch has come to it."""
        folder = self.log_folder(log_id)
        at = (folder / "batches").stat().st_mtime_ns
        known = self._logs.get(log_id)
        if known is None or known[0] != at:
            known = self._logs[log_id] = (at, open_log(folder))
        return known[1]

    def put(self, about: LogAbout, zone: str, *, plain_ids: bool) -> tuple[LogAbout, bool]:
        """Make a log, or give one that is there other settings; return it and whether it is new.

        Parameters
        ----------
        about : LogAbout
        zone : str
            Of its days.
        plain_ids : bool
            A log without secret pseudonyms.

        Raises
        ------
        InputError
            There is no such zone.
        ConflictError
            It is there, and has another zone or other pseudonyms.
        """
        try:
            zone_of(zone)
        except InputError as error:
            told = [Problem(one.code, one.message, column="zone") for one in error.problems]
            raise InputError(told) from None
        with self._one_at_a_time:
            folder = self.log_folder(about.id)
            is_new = not (folder / "log.json").is_file()
            if is_new:
                # whose it is comes first: without it a log just made would be the root's after a kill
                self._keep(about)
                create_log(folder, zone, key=None if plain_ids else self._new_key(about.id))
            else:
                there = open_log(folder)
                if there.zone != zone or there.keyed is plain_ids:
                    text = "This log has another zone, or other pseudonyms: they stay as they were made."
                    raise ConflictError(text)
                self._keep(about)
        return about, is_new

    def _keep(self, about: LogAbout) -> None:
        place = self.beside(about.id) / ABOUT
        write_beside(place, json.dumps(asdict(about), ensure_ascii=False), mode=0o600)
        self._abouts[about.id] = about


    def _new_key(self, log_id: str) -> bytes:
        return new_key(self._folder.keys / f"{log_id}-{secrets.token_hex(4)}.key")


def key_of_log(log: EventLog) -> bytes:
    """Return the key of a log's pseudonyms, from the keys of its data folder, or else of the server's user.

    Raises
    ------
    UsageError
        ``no-key``: it is not among them.
    """
    if log.key_check is None:
        return PLAIN_KEY
    return fitting_key(log.key_check, log.path.name, log.path.resolve().parent.parent / KEYS)


def last_event(log: EventLog) -> datetime | None:
    """Return when the latest event of a log happened."""
    latest = max((batch.last_ms for batch in log.batches if batch.last_ms is not None), default=None)
    return None if latest is None else datetime.fromtimestamp(latest / 1000, UTC)
