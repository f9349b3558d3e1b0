"""Keys for pseudonyms of fields: one active, older ones retired, each with a name, in a file of their own."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.written_files import write_beside

FORMAT = 1
ACTIVE, RETIRED = "active", "retired"
_NAME = re.compile("k[0-9]{1,6}")


@dataclass(frozen=True)
class FieldKey:
    """One key.

    Attributes
    ----------
    name : str
        Stands before every pseudonym made with it: ``k1``.
    state : str
        active or retired.
    made_at : str
        ISO 8601, UTC.
    secret : bytes
        Not shown.
    """

    name: str
    state: str
    made_at: str
    secret: bytes = field(repr=False)

    def derived(self, use: str, size: int) -> bytes:
        """Return a key for one use, which says nothing of those for others (HKDF, RFC 5869)."""
        return HKDF(SHA256(), size, None, f"changtong fields 1, {use}".encode()).derive(self.secret)


@dataclass(frozen=True)
class FieldKeys:
    """The keys of a file, the active one last."""

    keys: tuple[FieldKey, ...]

    @property
    def active(self) -> FieldKey:
        """The key that is used for what is new."""
        return self.keys[-1]

    def named(self, name: str) -> FieldKey:
        """Return the key of a name.

        Raises
        ------
        NotFoundError
        """
        found = [key for key in self.keys if key.name == name]
        if not found:
            raise NotFoundError(
                f"There is no key {name[:10]!r} in the file: it was dropped, or is of another file."
            )
        return found[0]


def new_keys(path: str | os.PathLike[str]) -> FieldKeys:
    """Make a file with one key that only its owner can read; the file must not exist."""
    path = Path(path)
    if path.exists():
        raise UsageError(f"{path} is there already: it was left as it is.")
    return _write(path, FieldKeys((_made(1),)))


def read_keys(path: str | os.PathLike[str]) -> FieldKeys:
    """Read a file of keys.

    Raises
    ------
    InputError
        ``bad-key``.
    """
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        keys = tuple(
            FieldKey(one["name"], one["state"], one["made_at"], bytes.fromhex(one["secret"]))
            for one in told["keys"]
        )
        states = [key.state for key in keys]
        whole = all(_NAME.fullmatch(key.name) and len(key.secret) == 32 for key in keys)
        unlike = len({key.name for key in keys}) == len(keys)
        if (
            told["format"] != FORMAT
            or not whole
            or not unlike
            or states != [RETIRED] * (len(keys) - 1) + [ACTIVE]
        ):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = Problem("bad-key", "This is no file of keys for fields.", file=str(path))
        raise InputError([problem]) from error
    return FieldKeys(keys)


def rotate_keys(path: str | os.PathLike[str]) -> FieldKeys:
    """Retire the active key and make a new one; what was made with older keys can still be read."""
    keys = read_keys(path).keys
    retired = tuple(FieldKey(key.name, RETIRED, key.made_at, key.secret) for key in keys)
    return _write(Path(path), FieldKeys((*retired, _made(max(int(key.name[1:]) for key in keys) + 1))))


def drop_key(path: str | os.PathLike[str], name: str) -> FieldKeys:
    """Forget a retired key: what was sealed with it can never be read again.

    Raises
    ------
    UsageError
        The key is the active one.
    NotFoundError
        There is none of this name.
    """
    keys = read_keys(path)
    if keys.named(name).state == ACTIVE:
        raise UsageError(f"{name} is the active key: rotate first.")
    return _write(Path(path), FieldKeys(tuple(key for key in keys.keys if key.name != name)))


def _made(number: int) -> FieldKey:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return FieldKey(f"k{number}", ACTIVE, at, secrets.token_bytes(32))


def _write(path: Path, keys: FieldKeys) -> FieldKeys:
    told = {
        "format": FORMAT,
        "keys": [
            {"name": key.name, "state": key.state, "made_at": key.made_at, "secret": key.secret.hex()}
            for key in keys.keys
        ],
    }
    write_beside(path, json.dumps(told, indent=1) + "\n", mode=0o600)
    return keys
