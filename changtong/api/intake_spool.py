"""What was accepted and is not in the log yet: files on the disk before anybody is told that it was accepted.

Requests that come while the disk is busy are written together, as one file: so many small requests a second
wait for few writes. A file's name tells its number and its rows; numbers only grow, and the log's batches say
up to which it has them, so that a kill at any point is sorted out from the names alone.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from changtong.api.problems import IntakeBehindError
from changtong.events.log import EventLog
from changtong.written_files import sync, write_beside

NAME = re.compile(r"s(\d{12})-(\d+)\.csv")
SOURCE = re.compile(r"intake-(\d{12})-(\d{12})\.csv")
"""Names of spool files, and of a batch's source in the log: the first and the last number in it."""

MOST_BYTES = 256_000_000
MOST_BEHIND_S = 120.0
"""With more than this, or older than this, nothing is accepted until the log has caught up."""

RETRY_S = 5


def source_name(first: int, last: int) -> str:
    """Return the name under which spool files from one number to another enter a log."""
    return f"intake-{first:012d}-{last:012d}.csv"


def in_log(log: EventLog) -> int:
    """Return the number up to which a log has what was spooled; 0 before any."""
    found = (SOURCE.fullmatch(batch.source) for batch in log.batches)
    return max((int(one.group(2)) for one in found if one is not None), default=0)


@dataclass(frozen=True)
class SpoolFile:
    """A file that waits.

    Attributes
    ----------
    path : Path
    number, rows, size_bytes : int
    at : float
        When it was written, seconds since 1970.
    """

    path: Path
    number: int
    rows: int
    size_bytes: int
    at: float


def spooled(folder: Path) -> list[SpoolFile]:
    """Return the files that wait, in order."""
    found = []
    for path in sorted(folder.glob("s*.csv")):
        name = NAME.fullmatch(path.name)
        if name is not None:
            about = path.stat()
            found.append(
                SpoolFile(path, int(name.group(1)), int(name.group(2)), about.st_size, about.st_mtime)
            )
    return found


class Spool:
    """What waits for one log.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    reached : int
        Number up to which the log has all; files up to there are removed.
    most_bytes, most_behind_s : int, float
        Bounds.
    """

    def __init__(
        self, folder: Path, reached: int, most_bytes: int = MOST_BYTES, most_behind_s: float = MOST_BEHIND_S
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.part"):
            left.unlink()
        self.folder, self.reached = folder, reached
        self.most_bytes, self.most_behind_s = most_bytes, most_behind_s
        self._files: list[SpoolFile] = []
        for file in spooled(folder):
            if file.number <= reached:
                file.path.unlink()
            else:
                self._files.append(file)
        self._last = max([reached, *(file.number for file in self._files)])
        self._changed = threading.Condition()
        self._waiting: list[_Put] = []
        self._is_writing = False

    @property
    def size_bytes(self) -> int:
        """Bytes that wait."""
        with self._changed:
            return sum(file.size_bytes for file in self._files)

    @property
    def rows(self) -> int:
        """Rows that wait."""
        with self._changed:
            return sum(file.rows for file in self._files)

    @property
    def last(self) -> int:
        """Number of the file written last."""
        with self._changed:
            return self._last

    def behind_s(self) -> float:
        """Return how long the oldest file has waited, seconds; 0 where none waits."""
        with self._changed:
            return max(0.0, time.time() - self._files[0].at) if self._files else 0.0

    def check_room(self) -> None:
        """Go on only where the log keeps up.

        Raises
        ------
        IntakeBehindError
            ``intake-behind``.
        """
        if self.size_bytes > self.most_bytes or self.behind_s() > self.most_behind_s:
            raise IntakeBehindError(RETRY_S)

    def put(self, body: bytes, rows: int) -> int:
        """Bring rows to the disk; return the number of the file that holds them, when it does.

        Parameters
        ----------
        body : bytes
            Whole lines.
        rows : int

        Raises
        ------
        UsageError
            ``cannot-write``: the disk is full.
        """
        mine = _Put(body, rows)
        with self._changed:
            self._waiting.append(mine)
            while self._is_writing and not mine.done:
                self._changed.wait()
            if mine.done:
                return mine.result()
            self._is_writing = True  # this thread writes for all who wait
            taken, self._waiting = self._waiting, []
            number = self._last + 1
        error: BaseException | None = None
        file = None
        try:
            file = self._write(number, taken)
        except BaseException as wrong:
            error = wrong
        with self._changed:
            self._is_writing = False
            if file is not None:
                self._files.append(file)
                self._last = number
            for one in taken:
                one.done, one.number, one.error = True, number, error
            self._changed.notify_all()
        return mine.result()

    def _write(self, number: int, taken: list[_Put]) -> SpoolFile:
        body, rows = b"".join(one.body for one in taken), sum(one.rows for one in taken)
        path = self.folder / f"s{number:012d}-{rows}.csv"
        write_beside(path, body, make_folder=False, mode=0o600)
        sync(self.folder)  # the new name, too
        return SpoolFile(path, number, rows, len(body), time.time())

    def taken(self, last: int) -> None:
        """Note that the log has all up to a number; the files are gone already, or go now."""
        with self._changed:
            gone = [file for file in self._files if file.number <= last]
            self._files = [file for file in self._files if file.number > last]
            self.reached = max(self.reached, last)
        for file in gone:
            file.path.unlink(missing_ok=True)


@dataclass
class _Put:
    """Rows on their way to the disk."""

    body: bytes
    rows: int
    done: bool = False
    number: int = 0
    error: BaseException | None = None

    def result(self) -> int:
        if self.error is not None:
            raise self.error
        return self.number
