"""Words of a column that has few (codes, sites, classes): each is numbered when first seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.events.fields import is_clean
from changtong.events.wordtable import fill, number

LOST = "\ufffd".encode()
"""The mark of letters that were lost."""

MOST_WORDS = 2_000_000
"""Different words a column may have: with more it is no column of codes or sites."""


class Words:
    """The words of one column, in the order in which they came.

    Parameters
    ----------
    keep_damaged : bool
        Whether a word is kept in which letters were lost before the file came here.
    """

    def __init__(self, keep_damaged: bool = False) -> None:
        self._keep_damaged = keep_damaged
        self._table = np.full(1024, -1, np.int32)
        self._names = np.zeros(512, np.uint64)
        self._begins = np.zeros(513, np.int64)
        self._arena = np.zeros(16_384, np.uint8)
        self._count = np.zeros(1, np.int64)
        self._texts: list[str | None] = []

    def number(
        self, buf: NDArray[np.uint8], starts: NDArray[np.int32], lengths: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return the number of each field's word, -1 where it is empty."""
        out = np.empty(len(starts), np.int32)
        done = 0
        while done < len(starts):
            done = number(
                buf,
                starts,
                lengths,
                done,
                self._table,
                self._names,
                self._begins,
                self._arena,
                self._count,
                out,
            )
            if done < len(starts):
                self._grow(int(lengths[done]))
        return out

    def texts(self) -> list[str | None]:
        """Return every word; None for one that is no sound text (see ``is_clean``)."""
        for k in range(len(self._texts), int(self._count[0])):
            begin, end = int(self._begins[k]), int(self._begins[k + 1])
            raw = self._arena[begin:end]
            if self._keep_damaged:
                rest = np.frombuffer(raw.tobytes().replace(LOST, b"?"), np.uint8)
                sound = is_clean(rest, 0, len(rest))
            else:
                sound = is_clean(raw, 0, len(raw))
            self._texts.append(raw.tobytes().decode() if sound else None)
        return self._texts

    def shape(self, k: int) -> str:
        """Return what word ``k`` looks like, without its letters and digits: they may be personal."""
        begin, end = int(self._begins[k]), int(self._begins[k + 1])
        return shape_of(self._arena[begin:end].tobytes())

    def _grow(self, needed: int) -> None:
        n = int(self._count[0])
        if n >= MOST_WORDS:
            raise OverflowError
        if 2 * (n + 1) > len(self._table) or n + 1 >= len(self._begins):
            self._table = np.full(2 * len(self._table), -1, np.int32)
            self._names = np.concatenate([self._names, np.zeros(len(self._names), np.uint64)])
            self._begins = np.concatenate([self._begins, np.zeros(len(self._begins) - 1, np.int64)])
            fill(self._table, self._names, n)
        if int(self._begins[n]) + needed > len(self._arena):
            more = max(len(self._arena), needed)
            self._arena = np.concatenate([self._arena, np.zeros(more, np.uint8)])


def shape_of(raw: bytes) -> str:
    """Return what a value looks like: ``9`` for digits, ``a`` for letters, at most 24 characters.

    Examples
    --------
    >>> shape_of(b"2022-13-41 x")
    '9999-99-99 a'
    """
    text = raw[:96].decode("utf-8", errors="replace")[:24]
    return "".join(
        "9" if c.isdigit() else "a" if c.isalpha() else c if c.isprintable() else "?" for c in text
    )
