"""Files beside the registers: kept by the digest of their content in a folder that nothing leads out of."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import sqlalchemy as sa

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.deletion import overwrite
from changtong.storage.schema import registers
from changtong.written_files import sync, write_beside

MOST_BYTES = 50 << 20

_BEGINS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HALF = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f.]+\.(part|new)")
_LOCK = 0x6368616E67746F6E  # any number of our own


def media_type(content: bytes) -> str:
    """Return what a content is by its first bytes.

    Raises
    ------
    InputError
        ``bad-attachment``.
    """
    if told := picture_or_pdf(content):
        return told
    try:
        if "\0" not in content.decode("utf-8"):
            return "text/plain"
    except UnicodeDecodeError:
        pass
    expected = "a picture (JPEG, PNG, WebP), a PDF, or plain text in UTF-8"
    raise InputError(
        [Problem("bad-attachment", "The file is of a kind that is not kept.", expected=expected)]
    )


def picture_or_pdf(head: bytes) -> str | None:
    """Return which picture, or a PDF, a content is by its first 12 bytes; None: neither."""
    for begin, kind in _BEGINS:
        if head.startswith(begin):
            return kind
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def keep(folder: Path | None, content: bytes) -> str:
    """Keep a content; return its digest. It is written beside and renamed, and reaches the disk.

    Called within the transaction that adds the attachment: a crash leaves the file without one at most, and
    `sweep_files` removes that.

    Raises
    ------
    InputError
        ``bad-attachment``: it is empty or too large.
    """
    if folder is None:
        raise UsageError("These registers have no folder for files: open them with one.", "no-folder")
    if not 0 < len(content) <= MOST_BYTES:
        text = f"The file has {len(content):,} bytes."
        raise InputError([Problem("bad-attachment", text, expected=f"1 to {MOST_BYTES:,} bytes")])
    digest = hashlib.sha256(content).hexdigest()
    place = place_of_file(folder, digest)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_beside(place, content)
        sync(place.parent)
    return digest


def lock_erasing(connection: sa.Connection, *, alone: bool) -> None:
    """Make who adds files or holds, and who erases or sweeps, wait for each other.

    It lasts until the transaction ends. SQLite has one writer at a time anyway.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes; call it before anything is read.
    alone : bool
        To erase or sweep; those who add may do so at once.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        connection.execute(sa.select(lock(_LOCK)))


def sweep_files(connection: sa.Connection, folder: Path | None) -> int:
    """Overwrite and remove the files that no attachment has, and those half written; return how many.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes: nobody keeps a file meanwhile.
    folder : Path or None
    """
    if folder is None or not folder.is_dir():
        return 0
    lock_erasing(connection, alone=True)
    table = registers["attachment"]
    held = set(connection.execute(sa.select(table.c.sha256).distinct()).scalars())
    left = [
        path
        for path in folder.glob("??/*")
        if path.is_file()
        and not path.is_symlink()
        and path.name not in held
        and (_DIGEST.fullmatch(path.name) or _HALF.fullmatch(path.name))
    ]
    for path in left:
        overwrite(path)
    for parent in {path.parent for path in left}:
        sync(parent)
    return len(left)


def read_kept(folder: Path | None, digest: str) -> bytes:
    """Return a content that was kept, as it was kept.

    Raises
    ------
    NotFoundError
    InputError
        ``damaged-registers``: it is not as it was.
    """
    place = None if folder is None else place_of_file(folder, digest)
    if place is None or not place.is_file():
        raise NotFoundError("The file of this attachment is not in the folder.")
    content = place.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError([Problem("damaged-registers", "The file of an attachment is not as it was kept.")])
    return content


def place_of_file(folder: Path, digest: str) -> Path:
    """Return where a content lies; only a digest leads there."""
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError("No file has this digest.")
    return folder / digest[:2] / digest
