"""The scan log: a folder of Parquet files by day, and the list of those that count.

A file counts when a batch that names it has been committed: one rename. What a killed run left
behind is named by no batch; the next run removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.events.keys import check_of
from changtong.events.times import zone_of
from changtong.file_locks import lock_file
from changtong.written_files import write_beside

FORMAT = 1

SCANS, LEG_DAYS = "scans", "leg-days"
"""What a batch may hold."""

SCHEMA = pa.schema(
    [
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("recorded_ms", pa.int64()),
        pa.field("code", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("site_id", pa.dictionary(pa.int32(), pa.string())),
        pa.field("next_site_id", pa.dictionary(pa.int32(), pa.string())),
        pa.field("item", pa.int64()),
        pa.field("receptacle", pa.int64()),
        pa.field("vehicle", pa.int64()),
        pa.field("service_class", pa.dictionary(pa.int32(), pa.string())),
        pa.field("event_id", pa.large_string()),
        pa.field("row_key", pa.int64(), nullable=False),
        pa.field("attributes", pa.large_string()),
    ]
)
"""Columns of the log; docs/scan-log.md says what they mean."""


@dataclass(frozen=True)
class Batch:
    """What one file brought.

    Attributes
    ----------
    number : int
    source : str
        Name of the file, without its folder.
    size_bytes : int
    digest : str
        SHA-256 of the file.
    rows_read, rows_added, duplicates, quarantined : int
        The first is the sum of the others.
    reasons, notes : dict
        Rows in quarantine by code; what was noticed of rows that were kept.
    files : dict
        Files by day, relative to the log.
    first_ms, last_ms : int or None
        Span of the scans added.
    kind : {"scans", "leg-days"}
        What the file held.
    volume_files : dict
        Files of leg-day volumes by day, relative to the log.
    """

    number: int
    source: str
    size_bytes: int
    digest: str
    rows_read: int
    rows_added: int
    duplicates: int
    quarantined: int
    reasons: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    first_ms: int | None = None
    last_ms: int | None = None
    kind: str = SCANS
    volume_files: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the batch as it is kept."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class EventLog:
    """A scan log that is there.

    Attributes
    ----------
    path : Path
    zone : str
        Time zone of its days.
    key_check : str or None
        Tells the log's key from others; None where ids are no pseudonyms.
    batches : tuple of Batch
        Committed, in order.
    """

    path: Path
    zone: str
    key_check: str | None
    batches: tuple[Batch, ...]

    @property
    def keyed(self) -> bool:
        """Whether ids are pseudonyms under a secret key."""
        return self.key_check is not None

    def check_key(self, key: bytes) -> None:
        """Refuse a key that is not this log's.

        Raises
        ------
        UsageError
            ``wrong-key``.
        """
        if (check_of(key) if self.keyed else None) != self.key_check:
            raise UsageError(
                "This is not the key of this log: its pseudonyms would match nothing.", "wrong-key"
            )

    @property
    def days(self) -> tuple[date, ...]:
        """Days that have scans, in order."""
        return tuple(sorted({date.fromisoformat(day) for batch in self.batches for day in batch.files}))

    @property
    def rows(self) -> int:
        """Scans in the log."""
        return sum(batch.rows_added for batch in self.batches if batch.kind == SCANS)

    @property
    def volume_days(self) -> tuple[date, ...]:
        """Days that have leg-day volumes, in order."""
        days = {date.fromisoformat(day) for batch in self.batches for day in batch.volume_files}
        return tuple(sorted(days))

    def files(self, first_day: date | None = None, last_day: date | None = None) -> list[Path]:
        """Return the Parquet files of a span of days, the days included."""
        found = []
        for batch in self.batches:
            for day, files in batch.files.items():
                at = date.fromisoformat(day)
                if (first_day is None or at >= first_day) and (last_day is None or at <= last_day):
                    found += [self.path / name for name in files]
        return sorted(found)

    @property
    def sites(self) -> pl.DataFrame | None:
        """The sites given to the log: site_id, name, kind, region, operator; None without."""
        path = self.path / "sites.parquet"
        return pl.read_parquet(path) if path.exists() else None

    def __str__(self) -> str:
        days = self.days
        span = f"{days[0]} … {days[-1]}" if days else "empty"
        totals = {name: sum(getattr(b, name) for b in self.batches) for name in ("duplicates", "quarantined")}
        legs = self.volume_days
        volumes = f"leg-day volumes {legs[0]} … {legs[-1]}\n" if legs else ""
        return (
            f"Scan log {self.path.name}: {self.rows:,} rows of {len(self.batches)} files, "
            f"{span} ({self.zone})\n{volumes}"
            f"{totals['duplicates']:,} duplicates left out, {totals['quarantined']:,} rows in quarantine"
        )


def create_log(path: Path, zone: str = "Asia/Shanghai", *, key: bytes | None = None) -> EventLog:
    """Make an empty log in a folder that is empty or not there.

    Parameters
    ----------
    path : Path
    zone : str
        Zone of its days.
    key : bytes, optional
        Secret of its pseudonyms; without one ids can be guessed.

    Raises
    ------
    UsageError
        The folder holds something else.
    """
    zone_of(zone)
    if path.exists() and any(path.iterdir()):
        raise UsageError(f"{path} is not empty and no scan log: give another folder.")
    (path / "batches").mkdir(parents=True, exist_ok=True)
    (path / "events").mkdir(exist_ok=True)
    write_json(
        path / "log.json",
        {"format": FORMAT, "zone": zone, "key_check": None if key is None else check_of(key)},
    )
    return open_log(path)


def open_log(path: str | Path) -> EventLog:
    """Open a scan log.

    Raises
    ------
    NotFoundError
        There is none.
    InputError
        ``bad-log``: it cannot be read, or is of a later format.

    Examples
    --------
    >>> import tempfile
    >>> log = create_log(Path(tempfile.mkdtemp()) / "LOG")
    >>> open_log(log.path).rows
    0
    """
    path = Path(path)
    if not (path / "log.json").exists():
        raise NotFoundError(f"{path} is no scan log: `changtong ingest FILE --log {path}` makes one.")
    about = _read_json(path / "log.json")
    if about.get("format") != FORMAT:
        raise InputError(
            [
                Problem(
                    "bad-log",
                    f"The log has format {about.get('format')}.",
                    file=str(path),
                    expected=f"{FORMAT}",
                )
            ]
        )
    batches = tuple(Batch(**_read_json(file)) for file in sorted((path / "batches").glob("b*.json")))
    return EventLog(path, about["zone"], about["key_check"], batches)


def log_digest(log: EventLog) -> str:
    """Return a SHA-256 over a log: its zone, its sites, and the digest of every file it took in."""
    total = hashlib.sha256(f"{log.zone}\n".encode())
    sites = log.sites
    if sites is not None:
        total.update(sites.write_csv().encode())
    for batch in log.batches:
        total.update(f"{batch.number} {batch.kind} {batch.digest} {batch.rows_added}\n".encode())
    return total.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return value
    except (OSError, ValueError):
        pass
    raise InputError([Problem("bad-log", "This part of the log cannot be read.", file=str(path))])


def write_json(path: Path, value: object) -> None:
    """Write JSON beside a file, onto the disk, and rename."""
    write_beside(path, json.dumps(value, ensure_ascii=False, indent=1), make_folder=False)


@contextmanager
def writing(log: EventLog) -> Iterator[int]:
    """Hold the log for writing; clear away what killed runs left; give the next batch's number.

    Raises
    ------
    UsageError
        Another process writes to it.
    """
    lock = lock_file(log.path / "lock", 0o644)
    if lock is None:
        raise UsageError("Another process writes to this log: wait until it is done.")
    try:
        log = open_log(log.path)
        number = 1 + max((batch.number for batch in log.batches), default=0)
        committed = {
            log.path / name
            for batch in log.batches
            for files in (*batch.files.values(), *batch.volume_files.values())
            for name in files
        }
        for folder in ("events", "volumes"):
            for file in (log.path / folder).glob("day=*/*"):
                if file not in committed:
                    file.unlink()
        known = {f"b{batch.number:06d}" for batch in log.batches}
        for folder in ("quarantine", "names", "batches"):
            for file in (log.path / folder).glob("b*"):
                if file.name[:7] not in known:
                    file.unlink()
            for file in (log.path / folder).glob(".*.part"):
                file.unlink()
        yield number
    finally:
        os.close(lock)
