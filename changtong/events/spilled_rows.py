"""Rows parted by item and put on disk, a file for each share of the items, and brought back by share."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Shorts = NDArray[np.uint16]

ROW_ON_DISK_BYTES = 18
SPARE = 1.2
"""Free space asked for, as a multiple of what the rows take."""


class Group(NamedTuple):
    """Rows read together, by part: key, place_time and class."""

    ptr: Longs
    key: Longs
    place: Longs
    classes: Shorts


class SpilledRows:
    """Groups of rows, cut at parts into shares, a file each; the files go with the object.

    Parameters
    ----------
    cuts : sequence of int
        Parts at which shares begin, and the end of the last.
    groups : int
        How many groups there will be.
    """

    def __init__(self, cuts: Sequence[int], groups: int) -> None:
        self._cuts = list(cuts)
        folder = tempfile.mkdtemp(prefix="changtong-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._files = [Path(folder) / f"share-{k}" for k in range(len(self._cuts) - 1)]
        self._ends = [0] * len(self._files)
        self._places: list[list[tuple[int, Longs] | None]] = [[None] * groups for _ in self._files]
        self._lock = Lock()

    def put(self, number: int, group: Group) -> None:
        """Put a group of all parts on disk."""
        for share, (low, high) in enumerate(zip(self._cuts[:-1], self._cuts[1:], strict=True)):
            ptr = group.ptr[low : high + 1]
            rows = slice(int(ptr[0]), int(ptr[-1]))
            data = b"".join(column[rows].tobytes() for column in (group.key, group.place, group.classes))
            with self._lock, self._files[share].open("ab") as file:
                self._places[share][number] = (self._ends[share], ptr - ptr[0])
                self._ends[share] += file.write(data)

    def take(self, share: int) -> list[Group]:
        """Return the groups of a share, in order of their numbers; its file is gone then."""
        found = []
        with self._files[share].open("rb") as file:
            for place in self._places[share]:
                assert place is not None
                at, ptr = place
                rows = int(ptr[-1])
                file.seek(at)
                key, where = (np.fromfile(file, np.int64, rows) for _ in range(2))
                found.append(Group(ptr, key, where, np.fromfile(file, np.uint16, rows)))
        self._files[share].unlink()
        return found


def has_room(rows: int) -> bool:
    """Tell whether the system's folder for temporary files has room for so many rows."""
    return shutil.disk_usage(tempfile.gettempdir()).free > SPARE * ROW_ON_DISK_BYTES * rows
