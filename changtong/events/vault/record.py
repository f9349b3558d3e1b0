"""The record of a vault: who was given which right, and every look; each entry sealed with the one before.

An entry that was changed, put in or taken out between others is found. That the newest ones were cut off
is found by who has noted the head somewhere else.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.events.keys import pseudonym
from changtong.events.vault.cipher import Cipher

TABLES = """
CREATE TABLE record (
    n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, event TEXT NOT NULL, name TEXT NOT NULL,
    reason TEXT NOT NULL, asked INTEGER NOT NULL, found INTEGER NOT NULL, pseudonyms BLOB NOT NULL,
    seal BLOB NOT NULL
);
"""

BEGIN = b"the record of this vault begins"
SHOWN = 1000
"""Pseudonyms of a look that are written out in a table; ``asked`` says how many there were."""


@dataclass(frozen=True)
class RecordCheck:
    """A record that is whole.

    Attributes
    ----------
    entries, looks : int
        All, and those that gave ids.
    head : str
        Seal of the newest entry: note it elsewhere, and the record up to it cannot be cut off unseen.
    """

    entries: int
    looks: int
    head: str


def append(
    db: sqlite3.Connection,
    cipher: Cipher,
    event: str,
    name: str,
    *,
    reason: str = "",
    asked: NDArray[np.int64] | None = None,
    found: int = 0,
) -> None:
    """Add an entry; call within a transaction that has begun to write.

    ``event`` is granted, revoked, resolved, or refused.
    """
    last = db.execute("SELECT n, seal FROM record ORDER BY n DESC LIMIT 1").fetchone()
    n, before = (1, BEGIN) if last is None else (last[0] + 1, last[1])
    raw = np.zeros(0, "<i8").tobytes() if asked is None else asked.astype("<i8").tobytes()
    row = (n, _now_ms(), event, name, reason, len(raw) // 8, found)
    seal = _seal(cipher, before, row, raw)
    db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, raw, seal))


def check_record(db: sqlite3.Connection, cipher: Cipher, head: str | None = None) -> RecordCheck:
    """Go through the record from its begin.

    Parameters
    ----------
    db, cipher
    head : str, optional
        A head noted earlier: it must be among the entries.

    Raises
    ------
    InputError
        ``broken-record``.
    """
    before, count, looks, met = BEGIN, 0, 0, head is None
    for *row, raw, seal in db.execute("SELECT * FROM record ORDER BY n"):
        count += 1
        if row[0] != count or _seal(cipher, before, tuple(row), raw) != seal:
            raise _broken(f"Entry {count} is not as it was written, or one before it is missing.")
        before = seal
        looks += row[2] == "resolved"
        met = met or seal.hex() == head
    if not met:
        raise _broken("The head noted earlier is not in the record: its newest entries were cut off.")
    return RecordCheck(count, looks, before.hex() if count else "")


def read_record(db: sqlite3.Connection) -> pl.DataFrame:
    """Return the record as a table: when, what, who, why, how many, which (the first 1,000)."""
    rows = []
    for n, at_ms, event, name, reason, asked, found, raw in db.execute(
        "SELECT n, at_ms, event, name, reason, asked, found, pseudonyms FROM record ORDER BY n"
    ):
        at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        shown = " ".join(pseudonym(int(key)) for key in np.frombuffer(raw, "<i8")[:SHOWN])
        rows.append((n, at, event, name, reason, asked, found, shown))
    schema = {
        "n": pl.Int64, "at": pl.String, "event": pl.String, "name": pl.String, "reason": pl.String,
        "asked": pl.Int64, "found": pl.Int64, "pseudonyms": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _seal(cipher: Cipher, before: bytes, row: tuple[object, ...], raw: bytes) -> bytes:
    return cipher.seal(b"record", before, json.dumps(row, ensure_ascii=False).encode(), raw)


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _broken(what: str) -> InputError:
    return InputError([Problem("broken-record", what, hint="Compare with a copy of the vault.")])
