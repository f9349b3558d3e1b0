"""Locks between processes: a file that one process holds; the system lets go when that process dies."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from changtong.errors import UsageError

_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)


def lock_file(path: Path, mode: int = 0o600) -> int | None:
    """Lock a file until its handle is closed; None where another process holds it.

    The lock is the system's and not the file: a file left behind by a killed process locks nothing, so no
    lock goes stale and none is to be removed by hand.

    Parameters
    ----------
    path : Path
        Made where it is not there; it stays, and is empty.
    mode : int
        Who may open it.

    Returns
    -------
    int or None
        A handle for `os.close`.

    Raises
    ------
    UsageError
        ``cannot-write``: it cannot be made, or the file system knows no locks.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, mode)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "cannot-write") from error
    try:
        if os.name == "nt":  # pragma: no cover - another system
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno in _HELD:
            return None
        raise UsageError(f"{path} cannot be locked: {error.strerror}.", "cannot-write") from error
    return handle
