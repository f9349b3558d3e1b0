"""The ids of files on their way into the log, kept in a vault as well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.events.fields import gather
from changtong.events.filtering import put
from changtong.events.sources import Text
from changtong.events.vault.blocks import Ids, add_ids, count_missing, join
from changtong.events.vault.store import Vault

MOST_IDS = 1_000_000
MOST_BYTES = 64 << 20
"""Ids that wait in memory, and their bytes, before they are written."""

PLACES = 1 << 22
"""Of the hash table of those that wait: at most half are taken."""


class KeptIds:
    """Collects the ids of one file, each once, and writes them to a vault.

    What is written twice, because a run was killed or a file is taken in again, is in the vault once.

    Parameters
    ----------
    vault : Vault
    """

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.added = 0
        self._table = np.zeros(PLACES, np.int64)
        self._parts: list[Ids] = []
        self._ids = self._bytes = 0

    def note(self, text: Text, keys: NDArray[np.int64], good: NDArray[np.bool_]) -> None:
        """Take the ids of one column of a chunk: their texts, their pseudonyms, and which rows count."""
        rows = np.flatnonzero(good & (keys != 0))
        for first in range(0, len(rows), MOST_IDS):
            some = rows[first : first + MOST_IDS]
            if self._ids + len(some) > PLACES // 2:
                self._write()
            is_first = np.empty(len(some), np.bool_)
            put(self._table, keys[some], is_first)
            self._take(text, keys, some[is_first])
            if self._ids >= MOST_IDS or self._bytes >= MOST_BYTES:
                self._write()

    def lacks(self, keys: NDArray[np.int64]) -> int:
        """Write what waits; return how many of some pseudonyms the vault has no id of."""
        self._write()
        with self.vault.db() as db:
            return count_missing(db, keys)

    def finish(self, digest: str) -> None:
        """Write what waits, and note that the file's ids are all in the vault."""
        self._write()
        self.vault.note_file(digest)

    def _take(self, text: Text, keys: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        lengths = text.lengths[rows].astype(np.int64)
        ends = np.cumsum(lengths)
        total = int(lengths.sum())
        out = np.empty(max(1, total), np.uint8)
        gather(text.buf, text.starts[rows], lengths, ends - lengths, out)
        self._parts.append(Ids(keys[rows], lengths, out[:total]))
        self._ids += len(rows)
        self._bytes += total

    def _write(self) -> None:
        if not self._ids:
            return
        with self.vault.db() as db:
            self.added += add_ids(db, self.vault.cipher, join(self._parts))
        self._table[:] = 0
        self._parts = []
        self._ids = self._bytes = 0
