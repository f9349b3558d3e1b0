"""Ids in a vault: blocks of a few thousand in order of their pseudonyms, encrypted as a whole.

New ids are added as a run of blocks. Eight runs of one level become one of the next, so that
there are few however often something is added (a log-structured merge tree: O'Neil, Cheng, Gawlick and
O'Neil 1996). Pseudonyms stand in the clear, as in the log; the ids are in the encrypted part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from changtong.events.fields import gather
from changtong.events.hashing import hash_fields
from changtong.events.keys import key_words
from changtong.events.vault.cipher import Cipher, damaged

BLOCK_IDS = 4096
"""Ids of a block: about 100 kB, of which one look decrypts 60."""

RUNS = 8
"""Runs of a level that become one of the next."""

SLICE_IDS = 500_000
"""Ids held in memory, about, while runs are made one."""

TABLES = """
CREATE TABLE runs (run INTEGER PRIMARY KEY, level INTEGER NOT NULL, ids INTEGER NOT NULL);
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY, run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    pseudonyms BLOB NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL
);
CREATE INDEX blocks_by_run ON blocks (run, first, last);
"""

Longs = NDArray[np.int64]


class Ids(NamedTuple):
    """Ids by pseudonym.

    Attributes
    ----------
    keys : array of int64
        Pseudonyms.
    lengths : array of int64
        Bytes of each id.
    text : array of uint8
        The ids as UTF-8, one behind the other.
    """

    keys: Longs
    lengths: Longs
    text: NDArray[np.uint8]

    def take(self, rows: Longs) -> Ids:
        """Return some of them, in the order given."""
        starts = (np.cumsum(self.lengths) - self.lengths).astype(np.int32)
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        out = np.empty(max(1, int(lengths.sum())), np.uint8)
        gather(self.text, starts[rows], lengths, ends - lengths, out)
        return Ids(self.keys[rows], lengths, out[: int(lengths.sum())])

    def texts(self) -> list[str]:
        """Return the ids as texts."""
        ends = np.cumsum(self.lengths)
        raw = self.text.tobytes()
        bounds = zip((ends - self.lengths).tolist(), ends.tolist(), strict=True)
        return [raw[begin:end].decode() for begin, end in bounds]


def join(parts: list[Ids]) -> Ids:
    """Return several as one, in their order."""
    if not parts:
        return Ids(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8))
    return Ids(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def add_ids(db: sqlite3.Connection, cipher: Cipher, ids: Ids) -> int:
    """Add ids, in any order, each pseudonym once; those that are there stay as they are.

    Returns
    -------
    int
        How many were new.
    """
    ids = ids.take(np.argsort(ids.keys))
    with db:
        db.execute("BEGIN IMMEDIATE")  # who else adds ids waits: what is new is found and added in one
        new = np.flatnonzero(~_known(db, ids.keys))
        if len(new):
            run = _new_run(db, 0, len(new))
            _write(db, cipher, run, ids.take(new))
    while _merge(db, cipher):
        pass
    return len(new)


def find_ids(db: sqlite3.Connection, cipher: Cipher, wanted: Longs) -> dict[int, str]:
    """Return the ids of those pseudonyms that are there.

    Raises
    ------
    InputError
        ``damaged-vault``.
    """
    found: dict[int, str] = {}
    wanted = np.unique(wanted)
    for block, some in _blocks_of(db, wanted):
        ids = _read(db, cipher, block)
        rows = np.flatnonzero(np.isin(ids.keys, some, assume_unique=True))
        if len(rows):
            part = ids.take(rows)
            found.update(zip(part.keys.tolist(), part.texts(), strict=True))
    return found


def count_missing(db: sqlite3.Connection, keys: Longs) -> int:
    """Return how many of some pseudonyms are not there."""
    return int((~_known(db, np.unique(keys))).sum())


def check_ids(db: sqlite3.Connection, cipher: Cipher, key: bytes) -> int:
    """Decrypt every block and make every pseudonym anew; return how many ids there are.

    Raises
    ------
    InputError
        ``damaged-vault``.
    """
    total = 0
    for run, told in db.execute("SELECT run, ids FROM runs ORDER BY run").fetchall():
        here = 0
        for (block,) in db.execute("SELECT block FROM blocks WHERE run = ?", (run,)).fetchall():
            ids = _read(db, cipher, block)
            made, bad = np.empty(len(ids.keys), np.int64), np.empty(len(ids.keys), np.bool_)
            starts = (np.cumsum(ids.lengths) - ids.lengths).astype(np.int32)
            hash_fields(*key_words(key[:16]), ids.text, starts, ids.lengths, made, bad)
            if not np.array_equal(made, ids.keys):
                raise damaged("An id does not give the pseudonym it stands for.")
            here += len(made)
        if here != told:
            raise damaged(f"{told:,} ids were written together, and {here:,} are there.")
        total += here
    if db.execute("SELECT count(*) FROM blocks WHERE run NOT IN (SELECT run FROM runs)").fetchone()[0]:
        raise damaged("There are blocks that belong to nothing.")
    return total


def count_ids(db: sqlite3.Connection) -> int:
    """Return how many ids there are."""
    return int(db.execute("SELECT coalesce(sum(ids), 0) FROM runs").fetchone()[0])


def _new_run(db: sqlite3.Connection, level: int, ids: int) -> int:
    return int(db.execute("INSERT INTO runs (level, ids) VALUES (?, ?)", (level, ids)).lastrowid or 0)


def _known(db: sqlite3.Connection, keys: Longs) -> NDArray[np.bool_]:
    """Return which of some pseudonyms, in order, are there."""
    known = np.zeros(len(keys), np.bool_)
    for block, low, high in _overlaps(db, keys):
        there = _keys_of(*db.execute("SELECT pseudonyms FROM blocks WHERE block = ?", (block,)).fetchone())
        at = np.minimum(np.searchsorted(there, keys[low:high]), len(there) - 1)
        known[low:high] |= there[at] == keys[low:high]
    return known


def _overlaps(db: sqlite3.Connection, keys: Longs) -> Iterator[tuple[int, int, int]]:
    """Return the blocks in whose span some of the pseudonyms, in order, lie, and from where to where."""
    table = np.array(db.execute("SELECT block, first, last FROM blocks").fetchall(), np.int64).reshape(-1, 3)
    low = np.searchsorted(keys, table[:, 1])
    high = np.searchsorted(keys, table[:, 2], side="right")
    met = high > low
    yield from zip(table[met, 0].tolist(), low[met].tolist(), high[met].tolist(), strict=True)


def _blocks_of(db: sqlite3.Connection, keys: Longs) -> Iterator[tuple[int, Longs]]:
    for block, low, high in _overlaps(db, keys):
        yield block, keys[low:high]


def _keys_of(raw: bytes) -> Longs:
    if not raw or len(raw) % 8:
        raise damaged("A block has no pseudonyms.")
    return np.frombuffer(raw, "<i8").astype(np.int64, copy=False)


def _write(db: sqlite3.Connection, cipher: Cipher, run: int, ids: Ids) -> None:
    """Write ids, in order of their pseudonyms, as blocks of a run."""
    ends = np.concatenate([[0], np.cumsum(ids.lengths)])
    for at in range(0, len(ids.keys), BLOCK_IDS):
        to = min(len(ids.keys), at + BLOCK_IDS)
        keys = ids.keys[at:to].astype("<i8").tobytes()
        plain = ids.lengths[at:to].astype("<u4").tobytes() + ids.text[ends[at] : ends[to]].tobytes()
        nonce, sealed = cipher.encrypt(plain, keys)
        db.execute(
            "INSERT INTO blocks (run, first, last, pseudonyms, nonce, sealed) VALUES (?, ?, ?, ?, ?, ?)",
            (run, int(ids.keys[at]), int(ids.keys[to - 1]), keys, nonce, sealed),
        )


def _read(db: sqlite3.Connection, cipher: Cipher, block: int) -> Ids:
    """Decrypt a block."""
    row = db.execute("SELECT pseudonyms, nonce, sealed FROM blocks WHERE block = ?", (block,)).fetchone()
    keys = _keys_of(row[0])
    plain = np.frombuffer(cipher.decrypt(row[1], row[2], row[0]), np.uint8)
    lengths = plain[: 4 * len(keys)].view("<u4").astype(np.int64)
    return Ids(keys, lengths, plain[4 * len(keys) :])


def _merge(db: sqlite3.Connection, cipher: Cipher) -> bool:
    """Make one run of those of a level that has enough of them; return whether there was one."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        found = db.execute(
            "SELECT level, sum(ids) FROM runs GROUP BY level HAVING count(*) >= ? ORDER BY level", (RUNS,)
        ).fetchone()
        if found is None:
            return False
        level, total = found
        old = [run for (run,) in db.execute("SELECT run FROM runs WHERE level = ?", (level,))]
        new = _new_run(db, level + 1, total)
        # pseudonyms are spread evenly, and so are equal slices of all there could be
        slices = -(-total // SLICE_IDS)
        bounds = [-(2**63) + (k << 64) // slices for k in range(slices)] + [2**63]
        for low, after in zip(bounds, bounds[1:], strict=False):
            part = join([_slice(db, cipher, run, low, after - 1) for run in old])
            _write(db, cipher, new, part.take(np.argsort(part.keys)))
        for run in old:
            db.execute("DELETE FROM blocks WHERE run = ?", (run,))
            db.execute("DELETE FROM runs WHERE run = ?", (run,))
    return True


def _slice(db: sqlite3.Connection, cipher: Cipher, run: int, low: int, high: int) -> Ids:
    """Return the ids of a run between two pseudonyms, both included."""
    parts = []
    overlapping = "SELECT block FROM blocks WHERE run = ? AND first <= ? AND last >= ?"
    for (block,) in db.execute(overlapping, (run, high, low)).fetchall():
        ids = _read(db, cipher, block)
        inside = np.flatnonzero((ids.keys >= low) & (ids.keys <= high))
        parts.append(ids.take(inside))
    return join(parts)
