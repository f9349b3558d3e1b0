"""Rows seen before: a filter that is quick and may be wrong one way, and the proof that is exact.

A blocked Bloom filter (Putze, Sanders and Singler 2007: one cache line a key) says of each row
key whether it is new for certain. What it may have seen is set aside and compared with the
keys in the log at the end: 2 bytes of memory a row, and no row is lost or kept twice.
"""

from __future__ import annotations

import mmap as system
from collections.abc import Callable, Iterable
from contextlib import suppress
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from changtong.events.filtering import add, find, look, places, put

BITS_PER_KEY = 16

MOST_DAY_ROWS = 1_000_000_000
"""Rows of days whose filters are held at once: 2 GB."""

MOST_AGAIN = 5
"""How often filters of days are made again before all are held."""

MADV_HUGEPAGE: int | None = getattr(system, "MADV_HUGEPAGE", None)


class Filter:
    """A filter for about ``expected`` row keys.

    With more it grows by another filter beside it.
    """

    def __init__(self, expected: int) -> None:
        self._parts: list[NDArray[np.uint64]] = []
        self._room = 0
        self._size = max(1 << 16, expected)

    def add(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add keys; return which of them may have been added before: false is certain."""
        if not len(keys):
            return np.zeros(0, np.bool_)
        full = self._room < len(keys)
        maybe = _seen(self._parts if full else self._parts[:-1], keys)
        if full:
            self._size = max(self._size, len(keys))
            self._parts.append(_room(max(1, self._size * BITS_PER_KEY // 512)))
            self._room = self._size
        seen = np.empty(len(keys), np.bool_)
        add(self._parts[-1], keys, seen)
        self._room -= len(keys)
        return maybe | seen

    def seen(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which keys may have been added, and add none: false is certain."""
        return _seen(self._parts, keys)


def _seen(parts: Iterable[NDArray[np.uint64]], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    maybe = np.zeros(len(keys), np.bool_)
    here = np.empty(len(keys), np.bool_)
    for part in parts:
        look(part, keys, here)
        maybe |= here
    return maybe


class DayFilters:
    """A filter for each day of a log, made when rows of that day come, a few kept at a time.

    A log of many times the file's rows then takes memory for some days only. Where a file goes to and fro
    between its days, all are kept: making them again and again would take longer than the file.

    Parameters
    ----------
    keys_of : callable
        Day -> the row keys the log has of it, in parts.
    rows_of : callable
        Day -> how many these are.
    """

    def __init__(
        self,
        keys_of: Callable[[int], Iterable[NDArray[np.int64]]],
        rows_of: Callable[[int], int],
        *,
        most_rows: int = MOST_DAY_ROWS,
    ) -> None:
        self._keys_of, self._rows_of, self._most_rows = keys_of, rows_of, most_rows
        self._filters: dict[int, Filter | None] = {}
        self._rows: dict[int, int] = {}
        self._made: set[int] = set()
        self._again = 0

    def seen(self, day: int, keys: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which keys may be in the log on a day; None where it has no rows of it."""
        if day not in self._filters:
            self._make(day)
        found = self._filters[day]
        if found is None:
            return None
        self._filters[day] = self._filters.pop(day)  # the latest stands last
        return found.seen(keys)

    def _make(self, day: int) -> None:
        rows = self._rows_of(day)
        if not rows:
            self._filters[day] = None
            return
        self._again += day in self._made
        self._made.add(day)
        held = [other for other, one in self._filters.items() if one is not None]
        while (
            held
            and self._again <= MOST_AGAIN
            and rows + sum(self._rows[other] for other in held) > self._most_rows
        ):
            del self._filters[held.pop(0)]
        made = Filter(rows)
        for keys in self._keys_of(day):
            made.add(keys)
        self._filters[day], self._rows[day] = made, rows


def _room(blocks: int) -> NDArray[np.uint64]:
    """Return empty blocks, in large pages where the system has them: each key looks somewhere else."""
    memory = mmap(-1, blocks * 64)
    if hasattr(mmap, "madvise") and MADV_HUGEPAGE is not None:
        with suppress(OSError):
            memory.madvise(MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint64).reshape(blocks, 8)


class Suspects:
    """Keys that may have been seen before, and whether they were."""

    def __init__(self, keys: NDArray[np.int64]) -> None:
        self.keys = keys
        size = 1 << max(4, int(2 * len(keys)).bit_length())
        self._table = np.zeros(size, np.int64)
        self._found = np.zeros(size, np.bool_)
        self.first = np.zeros(len(keys), np.bool_)
        put(self._table, keys, self.first)

    def meet(self, keys: NDArray[np.int64]) -> None:
        """Compare with keys that are in the log."""
        find(self._table, self._found, keys)

    def new(self) -> NDArray[np.bool_]:
        """Return which suspects are new: not in the log, and the first of their key."""
        known = np.zeros(len(self.keys), np.bool_)
        places(self._table, self._found, self.keys, known)
        return self.first & ~known
