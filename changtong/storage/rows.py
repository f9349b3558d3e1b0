"""From what a user gives to what is stored, and to the digest of a record."""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from changtong.errors import InputError, Problem
from changtong.rights.scope import region_prefix
from changtong.storage.definitions import FIRST_STATES, Column, later_columns, register_columns
from changtong.storage.schema import canonical, to_ms

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ADMIN_CODE = re.compile(r"\d{6}(\d{3}(\d{3})?)?")
MOST_TEXT = 20_000
MOST_JSON = 1_000_000
MOST_WHOLE = 2**63
"""Whole numbers below it fit into either database."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
LAST_MS = to_ms(datetime(9999, 1, 1, tzinfo=UTC))


def new_id(at_ms: int | None = None) -> str:
    """Return an id that nobody else makes, and that comes after older ones: time, then chance (as ULIDs).

    Examples
    --------
    >>> len(new_id()), new_id(1) < new_id(2)
    (26, True)
    """
    number = ((at_ms if at_ms is not None else time.time_ns() // 1_000_000) << 80) | secrets.randbits(80)
    return "".join(_DIGITS[number >> (5 * place) & 31] for place in range(25, -1, -1))


def new_salt() -> bytes:
    """Return what makes a record's digest say nothing of its content."""
    return os.urandom(16)


def check_values(kind: str, values: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
    """Return the values of a register's record as they are stored.

    Parameters
    ----------
    kind : str
    values : mapping
        Column -> value; instants are datetimes with a zone, or texts with an offset.
    new : bool
        Whether defaults are filled in and what is required must be there.

    Raises
    ------
    InputError
        ``unknown-attribute``, ``missing-value``, ``bad-value``: all at once.
    """
    columns = register_columns(kind)
    problems = [
        Problem("unknown-attribute", f"{kind} has no {name!r}.", column=name, expected=", ".join(columns))
        for name in values
        if name not in columns
    ]
    stored: dict[str, Any] = {}
    for name, column in columns.items():
        if name not in values and not new:
            continue
        value = values.get(name)
        if value is None or value == "":
            value = _default(column) if new else None
        if value is None:
            if column.required:
                problems.append(Problem("missing-value", f"{kind} needs {name}.", column=name))
            stored[name] = None
            continue
        wrong, stored[name] = _stored(column, value)
        if wrong:
            problems.append(
                Problem("bad-value", f"{kind}.{name} {wrong}", column=name, expected=_expected(column))
            )
    allowed = FIRST_STATES.get(kind)
    if new and allowed and not problems and stored["state"] not in allowed:
        text = f"A new {kind} cannot begin as {stored['state']}."
        problems.append(Problem("bad-state", text, column="state", expected=", ".join(allowed)))
    if problems:
        raise InputError(problems)
    return stored


def _default(column: Column) -> Any:
    if not column.default:
        return None
    if column.type == "boolean":
        return column.default == "true"
    return int(column.default) if column.type == "integer" else column.default


def _expected(column: Column) -> str:
    if column.choices:
        return ", ".join(column.choices)
    if column.minimum is not None and column.maximum is not None:
        return f"{column.type}, {column.minimum:g} to {column.maximum:g}"
    return column.type


def _stored(column: Column, value: Any) -> tuple[str, Any]:
    """Return what is wrong, or nothing, and the value as stored; the value itself is not quoted."""
    match column.type:
        case "id" | "text":
            return _text(column, value)
        case "number" | "integer":
            return _number(column, value)
        case "boolean":
            return ("" if isinstance(value, bool) else "is neither true nor false."), value
        case "instant":
            return _instant(value)
        case _:
            return _json(value)


def _text(column: Column, value: Any) -> tuple[str, Any]:
    if not isinstance(value, str):
        return "is no text.", None
    value = value.strip()
    if column.type == "id" and not ID.fullmatch(value):
        return "is no id: letters, digits, . _ - only, 64 at most.", None
    if len(value) > MOST_TEXT or "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        return "is too long, or has signs that no text has.", None
    return ("is none of its values." if column.choices and value not in column.choices else ""), value


def _number(column: Column, value: Any) -> tuple[str, Any]:
    whole = column.type == "integer"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return "is no number.", None
    if isinstance(value, int) and not -MOST_WHOLE <= value < MOST_WHOLE:
        return "is out of range.", None
    if not math.isfinite(value):
        return "is no number.", None
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return "is out of range.", None
    return "", value if whole else float(value)


def _instant(value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return "is no instant.", None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return "is no instant with a zone.", None
    if not 0 <= to_ms(value) < LAST_MS:
        return "is out of range.", None
    value = value.astimezone(UTC)
    return "", value.replace(microsecond=value.microsecond // 1000 * 1000)


def _json(value: Any) -> tuple[str, Any]:
    try:
        text = canonical(value)
    except (TypeError, ValueError, RecursionError):
        return "cannot be written as JSON.", None
    if len(text) > MOST_JSON or "\\u0000" in text:
        return "is too long, or has signs that no text has.", None
    return "", value


def check_id(text: str, what: str = "id") -> str:
    """Return an id that was given.

    Raises
    ------
    InputError
        ``bad-value``.
    """
    if not isinstance(text, str) or not ID.fullmatch(text):
        raise InputError(
            [Problem("bad-value", f"{what} is no id.", column=what, expected="letters, digits, . _ -")]
        )
    return text


def check_admin_code(text: str) -> str:
    """Return an administrative code that was given.

    Raises
    ------
    InputError
        ``bad-value``.
    """
    if not isinstance(text, str) or not ADMIN_CODE.fullmatch(text):
        expected = "6, 9 or 12 digits (GB/T 2260)"
        raise InputError(
            [Problem("bad-value", "admin_code is no code.", column="admin_code", expected=expected)]
        )
    return text


def place_of(path: str, admin_code: str) -> dict[str, str]:
    """Return the columns that lists are filtered by, from an organisation's path and a code.

    Examples
    --------
    >>> place_of("/sf/gd/sz/", "440304")["branch"], place_of("/sf/", "440304")["city"]
    ('/sf/gd/', '4403')
    """
    parts = path.strip("/").split("/")
    code = region_prefix(admin_code)
    return {
        "path": path,
        "root": f"/{parts[0]}/",
        "branch": f"/{'/'.join(parts[:2])}/",
        "admin_code": admin_code,
        "province": code[:2],
        "city": code[:4],
    }


def digest_of(row: Mapping[str, Any]) -> str:
    """Return the digest of a stored record: SHA-256 over its salt and all its values.

    The salt goes when the record goes: then the digest in the audit says nothing any more. Columns that came
    with a later version count where they have a value: so digests of older records stay what they were.
    """
    later = later_columns()
    content = {
        name: to_ms(value) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name != "salt" and not isinstance(value, bytes | memoryview)
        if value is not None or name not in later
    }
    return hashlib.sha256(bytes(row["salt"]) + canonical(content).encode()).hexdigest()


def now_ms() -> int:
    """Return the instant it is, in milliseconds."""
    return to_ms(now())


def now() -> datetime:
    """Return the instant it is, in whole milliseconds, UTC."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
