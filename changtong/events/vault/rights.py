"""Rights to have pseudonyms resolved: given by who holds the key, for a time, each with a token of its own.

The vault keeps a slow hash of each token (scrypt, RFC 7914), sealed with the key: who can write to
the file, but has no key, cannot give a right.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.events.vault import record
from changtong.events.vault.cipher import Cipher, damaged

TABLES = """
CREATE TABLE rights (
    name TEXT PRIMARY KEY, salt BLOB NOT NULL, token BLOB NOT NULL, until_ms INTEGER NOT NULL,
    seal BLOB NOT NULL
);
"""

LONGEST_NAME = 80


@dataclass(frozen=True)
class Right:
    """A name and its token.

    Attributes
    ----------
    name : str
    token : str
        Secret; not shown.
    """

    name: str
    token: str = field(repr=False)


def grant(db: sqlite3.Connection, cipher: Cipher, name: str, until: datetime) -> Right:
    """Give a right; its token is made here and kept nowhere.

    Parameters
    ----------
    db, cipher
    name : str
        Of a person or a desk.
    until : datetime
        With a zone; from then on the right is over.

    Raises
    ------
    UsageError
        ``right-exists``, or a name or time that cannot be meant.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"A right needs a name of 1 to {LONGEST_NAME} letters.")
    if until.tzinfo is None:
        raise UsageError("The end of a right needs a time zone.")
    until_ms = round(until.timestamp() * 1000)
    if until_ms <= _now_ms():
        raise UsageError("The right would be over before it begins.")
    token, salt = secrets.token_urlsafe(32), os.urandom(16)
    slow = _slow(token, salt)
    with db:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("SELECT 1 FROM rights WHERE name = ?", (name,)).fetchone() is not None:
            raise UsageError("There is a right of this name: revoke it first.", "right-exists")
        seal = _seal(cipher, name, salt, slow, until_ms)
        db.execute("INSERT INTO rights VALUES (?, ?, ?, ?, ?)", (name, salt, slow, until_ms, seal))
        record.append(db, cipher, "granted", name, reason=f"until {until.isoformat()}")
    return Right(name, token)


def revoke(db: sqlite3.Connection, cipher: Cipher, name: str) -> None:
    """Take a right back.

    Raises
    ------
    NotFoundError
        There is none of this name.
    """
    with db:
        db.execute("BEGIN IMMEDIATE")
        if not db.execute("DELETE FROM rights WHERE name = ?", (name,)).rowcount:
            raise NotFoundError("There is no right of this name.")
        record.append(db, cipher, "revoked", name)


def list_rights(db: sqlite3.Connection, cipher: Cipher) -> pl.DataFrame:
    """Return the rights there are: ``name``, ``until_ms``, ``is_over``.

    Raises
    ------
    InputError
        ``damaged-vault``: a right was not given by who holds the key.
    """
    rows = []
    for name, salt, slow, until_ms, seal in db.execute("SELECT * FROM rights ORDER BY name"):
        if not hmac.compare_digest(_seal(cipher, name, salt, slow, until_ms), seal):
            raise damaged("A right was changed, or was not given by who holds the key.")
        rows.append((name, until_ms, until_ms <= _now_ms()))
    schema = {"name": pl.String, "until_ms": pl.Int64, "is_over": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def fault_of(db: sqlite3.Connection, cipher: Cipher, right: Right) -> str:
    """Return why a right is none: ``wrong-right`` or ``right-expired``; empty where it is one."""
    row = db.execute("SELECT * FROM rights WHERE name = ?", (right.name,)).fetchone()
    name, salt, slow, until_ms, seal = row if row is not None else (right.name, bytes(16), bytes(32), 0, b"")
    same = hmac.compare_digest(_slow(right.token, salt), slow)  # as slow for a name that has no right
    if row is None or not same:
        return "wrong-right"
    if not hmac.compare_digest(_seal(cipher, name, salt, slow, until_ms), seal):
        raise damaged("A right was changed, or was not given by who holds the key.")
    return "right-expired" if until_ms <= _now_ms() else ""


def write_right(right: Right, path: Path) -> None:
    """Write a right to a file that only its owner can read; the file must not exist.

    Raises
    ------
    UsageError
        A file is there.
    """
    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already: it was left as it is.") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"name": right.name, "token": right.token}, file, ensure_ascii=False)
        file.write("\n")


def read_right(path: Path) -> Right:
    """Read a right from its file.

    Raises
    ------
    InputError
        ``bad-right``.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Right(_text(told["name"]), _text(told["token"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = Problem("bad-right", "This is no file of a right.", file=str(path))
        raise InputError([problem]) from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ValueError
    return value


def _slow(token: str, salt: bytes) -> bytes:
    return hashlib.scrypt(token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def _seal(cipher: Cipher, name: str, salt: bytes, slow: bytes, until_ms: int) -> bytes:
    return cipher.seal(b"right", name.encode(), salt, slow, str(until_ms).encode())


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)
