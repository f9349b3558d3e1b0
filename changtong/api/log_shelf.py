"""The scan logs of a data folder: whose each is, its key, and what lies beside it."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.api.data_folder import NAME, DataFolder
from changtong.api.dataset_book import Dataset, DatasetBook
from changtong.errors import ConflictError, InputError, NotFoundError, Problem
from changtong.events.keys import PLAIN_KEY, fitting_key, new_key
from changtong.events.log import EventLog, create_log, open_log
from changtong.events.times import zone_of
from changtong.storage.rows import now
from changtong.written_files import write_beside

ABOUT = "about.json"
FILES_LOOKED_AT = 3
"""Of a day of a log, to see whose sites it has."""
ROOT = "/"
"""Owner of a log that was put into the folder by hand: all see it, and who may change all may change it."""


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
    datasets : DatasetBook
        Says whose a log is.
    """

    def __init__(self, folder: DataFolder, datasets: DatasetBook) -> None:
        self._folder, self._datasets = folder, datasets
        self._one_at_a_time = threading.Lock()
        self._logs: dict[str, tuple[int, EventLog]] = {}
        self._newest_sites: dict[str, tuple[list[str], frozenset[str]]] = {}
        self._alerts: dict[str, tuple[int, dict[str, Any]]] = {}

    def log_folder(self, log_id: str) -> Path:
        """Return where a log lies."""
        return self._folder.path / "logs" / log_id

    def beside(self, log_id: str) -> Path:
        """Return where a log's spool, capture jobs and the state of its watch lie: not in it."""
        return self._folder.path / "intake" / log_id

    def ids(self) -> tuple[str, ...]:
        """Return the ids of the logs that are there."""
        return self._folder.logs()

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
        if not NAME.fullmatch(log_id) or not (self.log_folder(log_id) / "log.json").is_file():
            raise NotFoundError("There is no scan log of this id.")
        alerts = self._alerts_of(log_id)
        owner = self._owner(log_id)
        if owner is None:
            return LogAbout(log_id, ROOT, "", alerts)
        return LogAbout(log_id, owner.path, owner.admin_code, alerts)

    def _alerts_of(self, log_id: str) -> dict[str, Any]:
        """Return the settings of a log's watch, read anew when they have changed."""
        place = self.beside(log_id) / ABOUT
        try:
            at = place.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        known = self._alerts.get(log_id)
        if known is None or known[0] != at:
            known = self._alerts[log_id] = (at, json.loads(place.read_text("utf-8"))["alerts"])
        return known[1]

    def _owner(self, log_id: str) -> Dataset | None:
        try:
            return self._datasets.get("log", log_id)
        except NotFoundError:
            return None

    def log(self, log_id: str) -> EventLog:
        """Return a log as it is now; read anew when a batch has come to it."""
        folder = self.log_folder(log_id)
        at = (folder / "batches").stat().st_mtime_ns
        known = self._logs.get(log_id)
        if known is None or known[0] != at:
            known = self._logs[log_id] = (at, open_log(folder))
        return known[1]

    def newest_sites(self, log_id: str, day: date) -> frozenset[str]:
        """Return sites of the newest scans of a day, looked up again only where newer scans have come."""
        files = [str(file) for file in self.log(log_id).files(day)[-FILES_LOOKED_AT:]]
        known = self._newest_sites.get(log_id)
        if known is None or known[0] != files:
            names = pl.scan_parquet(files).select(pl.col("site_id").cast(pl.String).unique()).collect()
            known = self._newest_sites[log_id] = files, frozenset(names["site_id"].drop_nulls())
        return known[1]

    def key(self, log: EventLog) -> bytes:
        """Return the key of a log's pseudonyms, see `key_of_log`."""
        return key_of_log(log, self._folder.keys)

    @property
    def keys(self) -> Path:
        """Where the keys are."""
        return self._folder.keys

    def put(self, about: LogAbout, zone: str, *, plain_ids: bool, user: str = "") -> tuple[LogAbout, bool]:
        """Make a log, or give one that is there other settings; return it and whether it is new.

        Parameters
        ----------
        about : LogAbout
        zone : str
            Of its days.
        plain_ids : bool
            A log without secret pseudonyms.
        user : str
            Who makes it.

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
                self._keep(about, user)
                create_log(folder, zone, key=None if plain_ids else self._new_key(about.id))
            else:
                there = open_log(folder)
                if there.zone != zone or there.keyed is plain_ids:
                    text = "This log has another zone, or other pseudonyms: they stay as they were made."
                    raise ConflictError(text)
                self._keep(about, user)
        return about, is_new

    def _keep(self, about: LogAbout, user: str) -> None:
        """Keep whose a log is, where nobody has it, and the settings of its watch."""
        owner = self._owner(about.id)
        if owner is None and about.path != ROOT:
            digest = hashlib.sha256(f"log {about.id}".encode()).hexdigest()  # it grows: of its name alone
            one = Dataset(
                "log", about.id, user, about.path, about.admin_code, digest, {}, [], False, now()
            )  # fmt: skip
            self._datasets.add(one)
        elif owner is not None and owner.path != about.path:
            raise ConflictError("This id is taken.")
        write_beside(self.beside(about.id) / ABOUT, json.dumps({"alerts": about.alerts}), mode=0o600)

    def _new_key(self, log_id: str) -> bytes:
        return new_key(self._folder.keys / f"{log_id}-{secrets.token_hex(4)}.key")


def key_of_log(log: EventLog, keys: Path) -> bytes:
    """Return the key of a log's pseudonyms, from the keys of a data folder.

    Raises
    ------
    UsageError
        ``no-key``: it is not among them.
    """
    return PLAIN_KEY if log.key_check is None else fitting_key(log.key_check, log.path.name, keys)


def last_event(log: EventLog) -> datetime | None:
    """Return when the latest event of a log happened."""
    latest = max((batch.last_ms for batch in log.batches if batch.last_ms is not None), default=None)
    return None if latest is None else datetime.fromtimestamp(latest / 1000, UTC)
