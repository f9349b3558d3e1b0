"""Pseudonyms of fields: one-way (HMAC-SHA256), or sealed, and given back with a right and a reason (AES-SIV).

The same value of the same field has the same pseudonym under one key; of two fields never. Those of scans'
ids are another thing: those are numbers of the log, and the vault keeps their ids (`changtong.events.vault`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from changtong.errors import InputError, Problem, UsageError
from changtong.privacy.key_file import FieldKey, FieldKeys

ONE_WAY, SEALED = "-", "~"
"""What stands between the key's name and the rest."""

_BEGIN = b"="
"""Stands before every value that is sealed: nothing cannot be."""

_BYTES = 16
"""Of a one-way pseudonym: two of 10⁹ values share one with a chance of 10⁻²¹."""


@dataclass(frozen=True)
class Look:
    """Someone who wants values back: put on record before any is given.

    Attributes
    ----------
    who, reason, field : str
    pseudonyms : tuple of str
    """

    who: str
    reason: str
    field: str
    pseudonyms: tuple[str, ...]


Gate = Callable[[Look], bool]
"""Puts a look on record, and tells whether it is allowed."""


def refuse(look: Look) -> bool:
    """Allow nothing: what holds where no gate is given."""
    return False


def pseudonym(keys: FieldKeys, field: str, value: str) -> str:
    """Return the one-way pseudonym of a value under the active key.

    Examples
    --------
    >>> key = FieldKey("k1", "active", "", bytes(32))
    >>> pseudonym(FieldKeys((key,)), "phone", "13800138000")
    'k1-QIGY2RDPFIRGXSX22ZTPAPI444'
    """
    return _one_way(keys.active, field, value)


def pseudonyms_of_all_keys(keys: FieldKeys, field: str, value: str) -> tuple[str, ...]:
    """Return a value's one-way pseudonyms under every key: how older rows are found after a rotation."""
    return tuple(_one_way(key, field, value) for key in keys.keys)


def seal(keys: FieldKeys, field: str, value: str) -> str:
    """Return a value sealed under the active key."""
    return _sealed(keys.active, field, value)


def pseudonymise_column(
    values: pl.Series, keys: FieldKeys, *, field: str = "", reversible: bool = False
) -> pl.Series:
    """Return a column with pseudonyms for values; what is empty stays so.

    Parameters
    ----------
    values : polars.Series
    keys : FieldKeys
    field : str
        Name under which equal values get equal pseudonyms; the column's own without it.
    reversible : bool
        Sealed instead of one-way.
    """
    name = field or values.name
    texts = values.cast(pl.String)
    make = _sealed if reversible else _one_way
    made = {text: make(keys.active, name, text) for text in texts.unique().drop_nulls() if text}
    return pl.Series(values.name, [made.get(text, text) for text in texts], pl.String)


def reveal(
    keys: FieldKeys, field: str, sealed: Sequence[str], *, who: str, reason: str, gate: Gate = refuse
) -> list[str]:
    """Return the values behind sealed pseudonyms: with a right, for a reason, and on record.

    Parameters
    ----------
    keys : FieldKeys
    field : str
        That they were sealed for.
    sealed : sequence of str
    who, reason : str
    gate : callable
        Given the look before anything is opened: puts it on record, and returns whether it is allowed.
        Without one nothing is.

    Raises
    ------
    UsageError
        ``reason-missing``, ``no-right``.
    NotFoundError
        Sealed with a key that was dropped.
    InputError
        ``bad-pseudonym``: none of this field and these keys, or changed.
    """
    if not reason.strip() or not who.strip():
        raise UsageError("Say who wants the values, and why.", "reason-missing")
    if not gate(Look(who.strip(), reason.strip(), field, tuple(sealed))):
        raise UsageError("There is no right to have these values back.", "no-right")
    return [_opened(keys, field, one) for one in sealed]


def reseal_column(values: pl.Series, keys: FieldKeys, *, field: str = "") -> tuple[pl.Series, int]:
    """Return a column of sealed values all under the active key, and how many were under another."""
    name = field or values.name
    made: list[str | None] = []
    changed = 0
    for one in values:
        if one and not one.startswith(keys.active.name + SEALED):
            made.append(_sealed(keys.active, name, _opened(keys, name, one)))
            changed += 1
        else:
            made.append(one)
    return pl.Series(values.name, made, pl.String), changed


def _one_way(key: FieldKey, field: str, value: str) -> str:
    secret = key.derived("one-way", 32)
    made = hmac.new(
        secret, len(field).to_bytes(4, "big") + field.encode() + value.strip().encode(), hashlib.sha256
    )
    return key.name + ONE_WAY + base64.b32encode(made.digest()[:_BYTES]).decode().rstrip("=")


def _sealed(key: FieldKey, field: str, value: str) -> str:
    plain = _BEGIN + value.encode()
    raw = AESSIV(key.derived("sealed", 64)).encrypt(plain, [field.encode(), key.name.encode()])
    return key.name + SEALED + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _opened(keys: FieldKeys, field: str, sealed: str) -> str:
    name, sign, text = sealed.partition(SEALED)
    if not sign:
        raise _bad()
    key = keys.named(name)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        plain = AESSIV(key.derived("sealed", 64)).decrypt(raw, [field.encode(), name.encode()])
        return plain.removeprefix(_BEGIN).decode()
    except (InvalidTag, ValueError) as error:
        raise _bad() from error


def _bad() -> InputError:
    text = "This is no sealed value of this field and these keys, or it was changed."
    return InputError([Problem("bad-pseudonym", text)])
