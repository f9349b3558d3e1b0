"""Files that are written whole or not at all: beside their place, brought to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from changtong.errors import UsageError


def write_beside(
    path: Path,
    content: str | bytes | Callable[[Path], object],
    *,
    make_folder: bool = True,
    mode: int | None = None,
) -> Path:
    """Write a file beside its place and rename it.

    Parameters
    ----------
    path : Path
    content : str, bytes or callable
        Text is written as UTF-8; a callable is given the path to write to.
    make_folder : bool
        Whether a folder that is not there is made. Not for a file that is read again the next time: its
        path misspelt would quietly begin anew.
    mode : int, optional
        Who may read the file, from its first byte on: 0o600 for secrets and personal data. As the system
        gives it where not given.

    Raises
    ------
    UsageError
        ``cannot-write``.
    """
    beside = path.parent / f".{path.name}.{uuid4().hex[:12]}.part"
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if mode is not None:
                os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            if callable(content):
                content(beside)
            else:
                beside.write_bytes(content.encode() if isinstance(content, str) else content)
            sync(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "cannot-write") from error
    return path


def check_writable(path: Path) -> None:
    """Refuse a place that a file cannot be written to, before something that cannot be taken back is done.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UsageError
        ``cannot-write``.
    """
    if path.is_dir():
        raise UsageError(f"{path} cannot be written: it is a folder.", "cannot-write")
    beside = path.parent / f".{path.name}.{uuid4().hex[:12]}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "cannot-write") from error


def sync(path: Path) -> None:
    """Bring a file or a folder's entries to the disk, where the system can.

    Parameters
    ----------
    path : Path
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)
