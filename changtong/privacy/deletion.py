"""Records that are due, deleted so that the file no longer holds them, with a certificate."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.key_file import FieldKey, FieldKeys
from changtong.privacy.read_bytes import Csv
from changtong.privacy.retention import RetentionRule, due_rows
from changtong.written_files import write_beside

FORMAT = 1
CHUNK = 1 << 20
LIMITS = (
    "The old bytes were overwritten once and cut off. That erases them on media that write in place; flash"
    " memory, journals, snapshots, backups and copies elsewhere keep what they have."
)


@dataclass(frozen=True)
class Certificate:
    """What was deleted, when, by whom and under which rule; sealed with a key.

    Attributes
    ----------
    file, table, column : str
    rule, basis : str
    due_before, deleted_at, deleted_by : str
        Instants in ISO 8601.
    records, left : int
    records_digest : str
        HMAC-SHA256 over the deleted rows, in order: who has the rows and the key can show that it was
        these; a plain digest of a phone number could be guessed.
    file_digest : str
        SHA-256 of the file afterwards.
    limits : str
        What deletion cannot reach.
    key, seal : str
        Name of the key, and HMAC-SHA256 over all the rest.
    """

    format: int
    file: str
    table: str
    column: str
    rule: str
    basis: str
    due_before: str
    deleted_at: str
    deleted_by: str
    records: int
    left: int
    records_digest: str
    file_digest: str
    limits: str
    key: str
    seal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as one object."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.records:,} deleted, {self.left:,} left in {' '.join((self.file, self.table)).strip()}\n"
            f"rule {self.rule}: {self.basis}; due before {self.due_before}\n"
            f"at {self.deleted_at} by {self.deleted_by}, sealed with {self.key}\n{self.limits}"
        )


def delete_due(
    path: str | os.PathLike[str],
    column: str,
    rule: RetentionRule,
    *,
    now: datetime,
    by: str,
    keys: FieldKeys,
    table: str = "",
) -> Certificate:
    """Delete the records of a file that are due.

    CSV (then in UTF-8) and Parquet files are written anew without them, and take the old file's place;
    the old one's bytes are then overwritten. In SQLite rows are deleted with ``secure_delete`` on, and the
    file is made anew (VACUUM).

    Parameters
    ----------
    path : path
        CSV, Parquet or SQLite.
    column : str
        When a record was made; see `due_rows`.
    rule : RetentionRule
    now : datetime
        With a zone.
    by : str
        Who deletes: goes into the certificate.
    keys : FieldKeys
        Its active key seals the certificate.
    table : str
        Of SQLite.

    Raises
    ------
    UsageError
        ``open-period``, ``not-deletable``, or nobody is named.
    InputError
        ``undated-record``: nothing was deleted.
    """
    path = Path(path)
    if not by.strip():
        raise UsageError("Say who deletes: it goes into the certificate.")
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.")
    before = rule.due_before(now)
    digest = hmac.new(keys.active.derived("deleted records", 32), digestmod=hashlib.sha256)
    with path.open("rb") as file:
        is_database = file.read(16) == b"SQLite format 3\0"
    if is_database:
        records, left = _from_database(path, table, column, rule, now, digest)
    elif path.suffix.lower() in (".csv", ".parquet"):
        records, left = _from_file(path, column, rule, now, digest)
    else:
        raise UsageError("Records are deleted from CSV, Parquet and SQLite files.", "not-deletable")
    made = Certificate(
        format=FORMAT, file=path.name, table=table, column=column, rule=rule.name, basis=rule.basis,
        due_before=before.isoformat(timespec="seconds"), deleted_at=now.isoformat(timespec="seconds"),
        deleted_by=by.strip(), records=records, left=left, records_digest=digest.hexdigest(),
        file_digest=_digest_of(path), limits=LIMITS, key=keys.active.name,
    )  # fmt: skip
    return replace(made, seal=seal_of(keys.active, asdict(made)))


def read_certificate(path: str | os.PathLike[str]) -> Certificate:
    """Read a certificate.

    Raises
    ------
    InputError
        ``bad-certificate``.
    """
    try:
        return Certificate(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _bad("This is no certificate of deletion.") from error


def check_certificate(
    certificate: Certificate, keys: FieldKeys, path: str | os.PathLike[str] | None = None
) -> bool:
    """Check a certificate's seal; with the file, return whether it is still as it was left.

    Raises
    ------
    InputError
        ``bad-certificate``: the seal is not of this certificate.
    """
    check_seal(asdict(certificate), keys)
    return path is None or _digest_of(Path(path)) == certificate.file_digest


def check_seal(facts: Mapping[str, Any], keys: FieldKeys) -> None:
    """Check that a certificate is as it was sealed.

    Raises
    ------
    InputError
        ``bad-certificate``.
    """
    if not hmac.compare_digest(seal_of(keys.named(str(facts["key"])), facts), str(facts["seal"])):
        raise _bad("The certificate was changed after it was sealed.")


def records_digest(rows: Iterable[tuple[object, ...]], keys: FieldKeys, key: str) -> str:
    """Return the digest a certificate has of rows: to show, with a copy, that it was these."""
    digest = hmac.new(keys.named(key).derived("deleted records", 32), digestmod=hashlib.sha256)
    _take(digest, rows)
    return digest.hexdigest()


def overwrite(path: Path) -> None:
    """Overwrite a file's bytes with zeros once, cut it to nothing, and remove it."""
    with path.open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        while file.tell() < size:
            file.write(bytes(min(CHUNK, size - file.tell())))
        os.fsync(file.fileno())
        file.truncate(0)
        os.fsync(file.fileno())
    path.unlink()


def _bad(text: str) -> InputError:
    return InputError([Problem("bad-certificate", text)])


def seal_of(key: FieldKey, facts: Mapping[str, Any]) -> str:
    """Return the seal of a certificate: HMAC-SHA256 over all it says but the seal itself."""
    told = {name: value for name, value in facts.items() if name != "seal"}
    raw = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    return hmac.new(key.derived("certificates", 32), raw, hashlib.sha256).hexdigest()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take(digest: hmac.HMAC, rows: Iterable[tuple[object, ...]]) -> None:
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")


def _from_file(
    path: Path, column: str, rule: RetentionRule, now: datetime, digest: hmac.HMAC
) -> tuple[int, int]:
    is_csv = path.suffix.lower() == ".csv"
    if is_csv:
        with path.open("rb") as file:
            table = Csv(file, path.name)
            frames = list(table.frames)
        frame = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(table.names, pl.String))
    else:
        try:
            frame = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(
                [Problem("unreadable-file", "This is no whole Parquet file.", path.name)]
            ) from error
    due = due_rows(frame, column, rule, now)
    gone, kept = frame.filter(due), frame.filter(~due)
    if gone.height:
        _take(digest, gone.iter_rows())
        old = path.with_name(f".{path.name}.{os.getpid()}.old")

        def write(beside: Path) -> None:
            if is_csv:
                kept.write_csv(beside, include_bom=True, separator=table.delimiter)
            else:
                kept.write_parquet(beside)
            os.link(path, old)  # the old bytes keep a name until they are overwritten

        write_beside(path, write, make_folder=False)
        overwrite(old)
    return gone.height, kept.height


def _from_database(
    path: Path, table: str, column: str, rule: RetentionRule, now: datetime, digest: hmac.HMAC
) -> tuple[int, int]:
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
            tables = [one for (one,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            if table not in tables:
                raise NotFoundError(f"No table {table!r}; there is {', '.join(tables)}.")
            quoted = table.replace('"', '""')
            db.execute("PRAGMA secure_delete = ON")
            db.execute("BEGIN IMMEDIATE")
            try:
                cursor = db.execute(
                    f'SELECT rowid, * FROM "{quoted}" ORDER BY rowid'
                )  # a name of the file's own list
                names = [one[0] for one in cursor.description][1:]
                if column not in names:
                    raise NotFoundError(f"No column {column!r}; there is {', '.join(names)}.")
                rows = cursor.fetchall()
                times = [
                    None if row[1 + names.index(column)] is None else str(row[1 + names.index(column)])
                    for row in rows
                ]
                due = due_rows(pl.DataFrame({column: pl.Series(times, dtype=pl.String)}), column, rule, now)
                gone = [row for row, is_due in zip(rows, due, strict=True) if is_due]
                _take(digest, (row[1:] for row in gone))
                db.executemany(f'DELETE FROM "{quoted}" WHERE rowid = ?', [(row[0],) for row in gone])
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            if gone:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        text = "The database is in use, not whole, or has a table without row ids."
        raise InputError([Problem("unreadable-file", text, path.name)]) from error
    return len(gone), len(rows) - len(gone)
