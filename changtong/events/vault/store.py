"""A vault: one SQLite file outside the log, made and opened with the log's key."""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl

from changtong.errors import ChangtongError, InputError, NotFoundError, Problem, UsageError
from changtong.events.keys import check_of
from changtong.events.vault import blocks, record, rights
from changtong.events.vault.cipher import Cipher, damaged
from changtong.events.vault.record import RecordCheck
from changtong.events.vault.rights import Right
from changtong.written_files import write_beside

FORMAT = 1
WAIT_S = 60.0
"""Seconds to wait for another process that writes to the vault."""

_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE files (digest TEXT PRIMARY KEY);
"""


class Vault:
    """An open vault; close it, or use it in a ``with``.

    Attributes
    ----------
    path : Path
    cipher : Cipher
    """

    def __init__(self, path: Path, db: sqlite3.Connection, key: bytes) -> None:
        self.path, self._db, self._key = path, db, key
        about = dict(db.execute("SELECT name, value FROM about"))
        if about.get("format") != FORMAT:
            text = f"The vault has format {about.get('format')}."
            raise InputError([Problem("damaged-vault", text, file=str(path), expected=f"{FORMAT}")])
        self.cipher = Cipher(key, about["salt"])
        if not hmac.compare_digest(self.cipher.check, about["check"]):
            raise UsageError("This is not the key of this vault.", "wrong-key")

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Vault({str(self.path)!r})"

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def db(self) -> Iterator[sqlite3.Connection]:
        """Give the database; what goes wrong in it is told as an error of ours."""
        with explained():
            yield self._db

    def __len__(self) -> int:
        with self.db() as db:
            return blocks.count_ids(db)

    def check_key(self, key: bytes) -> None:
        """Refuse a key that is not the one the vault was opened with.

        Raises
        ------
        UsageError
            ``wrong-key``.
        """
        if not hmac.compare_digest(self._key, key):
            raise UsageError("This vault was opened with another key than the log's.", "wrong-key")

    def has_file(self, digest: str) -> bool:
        """Return whether the ids of a file, known by its SHA-256, are all here."""
        with self.db() as db:
            return db.execute("SELECT 1 FROM files WHERE digest = ?", (digest,)).fetchone() is not None

    def note_file(self, digest: str) -> None:
        """Note that the ids of a file are all here."""
        with self.db() as db, db:
            db.execute("INSERT OR IGNORE INTO files (digest) VALUES (?)", (digest,))

    def grant(self, name: str, until: datetime) -> Right:
        """Give a right to resolve until an instant; see `rights.grant`."""
        with self.db() as db:
            return rights.grant(db, self.cipher, name, until)

    def revoke(self, name: str) -> None:
        """Take a right back; see `rights.revoke`."""
        with self.db() as db:
            rights.revoke(db, self.cipher, name)

    def rights(self) -> pl.DataFrame:
        """Return the rights there are: ``name``, ``until_ms``, ``is_over``."""
        with self.db() as db:
            return rights.list_rights(db, self.cipher)

    def record(self) -> pl.DataFrame:
        """Return who was given a right, and every look: see `record.read_record`."""
        with self.db() as db:
            return record.read_record(db)

    def check_record(self, head: str | None = None) -> RecordCheck:
        """Go through the record from its begin; see `record.check_record`."""
        with self.db() as db:
            return record.check_record(db, self.cipher, head)

    def check(self) -> int:
        """Decrypt everything; return how many ids there are.

        Raises
        ------
        InputError
            ``damaged-vault``.
        """
        with self.db() as db:
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise damaged("The file is not whole.")
            return blocks.check_ids(db, self.cipher, self._key)


def create_vault(path: str | Path, key: bytes) -> Vault:
    """Make an empty vault that only its owner can read.

    Parameters
    ----------
    path : path
        Not there yet, and outside of every log.
    key : bytes
        The log's key.

    Raises
    ------
    UsageError
        ``vault-in-log``, ``vault-needs-key``, or a file is there.
    """
    path = Path(path)
    check_outside(path)
    if path.exists():
        raise UsageError(f"{path} is there already.")
    salt = os.urandom(16)
    cipher = Cipher(key, salt)

    def make(beside: Path) -> None:
        with explained():
            db = _connect(beside)
            try:
                db.executescript(_TABLES + blocks.TABLES + rights.TABLES + record.TABLES)
                about = {
                    "format": FORMAT, "salt": salt, "check": cipher.check, "log_key_check": check_of(key)
                }  # fmt: skip
                with db:
                    db.execute("BEGIN")
                    db.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            finally:
                db.close()

    write_beside(path, make, mode=0o600)
    return open_vault(path, key)


def open_vault(path: str | Path, key: bytes) -> Vault:
    """Open a vault.

    Raises
    ------
    NotFoundError
        There is none.
    UsageError
        ``wrong-key``.
    InputError
        ``damaged-vault``: the file is no vault, or not whole.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ids.vault"
    >>> create_vault(path, bytes(range(32))).close()
    >>> with open_vault(path, bytes(range(32))) as vault:
    ...     len(vault)
    0
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"There is no vault {path}: `ingest` makes one with --vault.")
    with explained():
        db = _connect(path)
        try:
            return Vault(path, db, key)
        except BaseException:
            db.close()
            raise


def check_outside(path: Path) -> None:
    """Refuse a path within a scan log: who copies the log would have both.

    Raises
    ------
    UsageError
        ``vault-in-log``.
    """
    for folder in path.resolve().parents:
        if (folder / "log.json").exists() and (folder / "batches").is_dir():
            raise UsageError(
                "The vault would lie within a scan log: keep it elsewhere, as the key.", "vault-in-log"
            )


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=WAIT_S, isolation_level=None)
    db.execute("PRAGMA page_size = 16384")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -32768")
    return db


@contextmanager
def explained() -> Iterator[None]:
    """Tell what goes wrong in the database as an error of ours.

    Raises
    ------
    UsageError
        ``vault-busy``.
    InputError
        ``damaged-vault``, ``cannot-write``.
    """
    try:
        yield
    except ChangtongError:
        raise
    except sqlite3.OperationalError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            text = "Another process has been writing to this vault for a minute: try again later."
            raise UsageError(text, "vault-busy") from error
        if name.startswith(("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")):
            problem = Problem("cannot-write", f"The vault cannot be read or written: {error}.")
            raise InputError([problem]) from error
        raise damaged("The file is no vault, or not whole.") from error
    except (sqlite3.DatabaseError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged("The file is no vault, or not whole.") from error
