"""Keys of items, receptacles and vehicles: 64-bit pseudonyms under a secret key.

SipHash-2-4 (Aumasson and Bernstein 2012) is a pseudo-random function made for short inputs:
without the 128-bit key nobody can compute or undo a pseudonym, and the same id always has the
same one. The chance that two of n ids share one is n²/2⁶⁵: 0.03 % for 10⁸.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.events.hashing import hash_fields

_FORM = re.compile("p[a-z2-7]{13}")

PLAIN_KEY = bytes(16)
"""Key of a log whose ids are not pseudonyms: known to all, so that it hides nothing."""


def key_words(key: bytes) -> tuple[np.uint64, np.uint64]:
    """Return a 128-bit key as two numbers."""
    first, second = np.frombuffer(key, "<u8")
    return np.uint64(first), np.uint64(second)


def key_of(key: bytes, text: str) -> int:
    """Return the pseudonym of one id as a number.

    Examples
    --------
    >>> key_of(bytes(range(16)), "") == key_of(bytes(range(16)), "")
    True
    """
    data = np.frombuffer(text.strip(" \t").encode(), np.uint8)
    out, bad = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    starts, lengths = np.zeros(1, np.int64), np.full(1, len(data), np.int64)
    hash_fields(*key_words(key), data if len(data) else np.zeros(1, np.uint8), starts, lengths, out, bad)
    if bad[0] or not len(data):
        raise InputError([Problem("bad-id", "An id is empty, or has characters that no id has.")])
    return int(out[0])


def pseudonym(key: int) -> str:
    """Return a pseudonym as text: 13 characters, ``p`` before them.

    Examples
    --------
    >>> pseudonym(1)
    'paaaaaaaaaaaac'
    """
    return "p" + base64.b32encode(int(key).to_bytes(8, "big", signed=True)).decode().rstrip("=").lower()


def pseudonyms(keys: NDArray[np.int64]) -> list[str | None]:
    """Return many pseudonyms as text; None for 0."""
    return [pseudonym(int(k)) if k else None for k in keys]


def is_pseudonym(text: str) -> bool:
    """Return whether a text has the form of a pseudonym.

    Examples
    --------
    >>> is_pseudonym("paaaaaaaaaaaac"), is_pseudonym("SF100000003295")
    (True, False)
    """
    return _FORM.fullmatch(text) is not None


def from_pseudonym(text: str) -> int:
    """Return the number of a pseudonym written as text.

    Examples
    --------
    >>> from_pseudonym(pseudonym(-5))
    -5
    """
    try:
        raw = base64.b32decode(text[1:].upper() + "===")
        if text[:1] != "p" or len(raw) != 8:
            raise ValueError
    except ValueError as error:
        raise InputError([Problem("bad-pseudonym", f"{text[:20]!r} is no pseudonym of this log.")]) from error
    return int.from_bytes(raw, "big", signed=True)


def new_key(path: Path) -> bytes:
    """Make a key and write it to a file that only its owner can read; the file must not exist."""
    key = secrets.token_bytes(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
    return key


def key_folder() -> Path:
    """Return where keys are kept unless the user says otherwise: never beside the log."""
    given = os.environ.get("CHANGTONG_KEYS")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "changtong" / "keys"


def check_of(key: bytes) -> str:
    """Return what tells this key from others, and says nothing else of it."""
    return pseudonym(key_of(key[:16], "the key of this log"))


def read_key(path: Path) -> bytes:
    """Read a key file: 64 hexadecimal digits."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        if len(key) != 32:
            raise ValueError
    except (OSError, ValueError) as error:
        problem = Problem(
            "bad-key", "The key cannot be read: 64 hexadecimal digits were expected.", file=str(path)
        )
        raise InputError([problem]) from error
    return key


def fitting_key(check: str, name: str, folder: Path | None = None) -> bytes:
    """Return the key that fits a log, from those of a folder.

    Parameters
    ----------
    check : str
        What tells the log's key from others.
    name : str
        Of the log, for the message.
    folder : Path, optional
        By default in the user's settings.

    Raises
    ------
    UsageError
        ``no-key``: it is not among them.
    """
    place = folder or key_folder()
    for file in sorted(place.glob("*.key")):
        secret = read_key(file)
        if check_of(secret) == check:
            return secret
    raise UsageError(f"The key of {name} is not among those in {place}: give it with --key.", "no-key")
