"""Reads a file of filled forms as it comes from a phone: whole, of sane size, with every problem told.

Nothing in it is trusted: ids must be ids, photos must be photos, sizes are limited.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from changtong.errors import Problem
from changtong.safety.filled import MOST_INSPECTORS, MOST_TEXT, UUID
from changtong.safety.form_schema import FILE_KIND, FILE_VERSION

MOST_FILE_BYTES = 200_000_000
MOST_INSPECTIONS = 2_000
MOST_ANSWERS = 500
MOST_HISTORY = 2_000
MOST_PHOTOS = 60


@dataclass(frozen=True)
class Received:
    """One filled form of a file.

    Attributes
    ----------
    digest : str
        SHA-256 over all it says, its photos included: the same form from two files has the same one.
    filled : dict
        As it came, with the SHA-256 of each photo in place of its bytes.
    photos : dict
        Photo id -> bytes.
    """

    digest: str
    filled: dict[str, Any]
    photos: dict[str, bytes]


@dataclass(frozen=True)
class ReceivedFile:
    """What is in a file.

    Attributes
    ----------
    inspections : tuple of Received
    refused : tuple of (bytes, tuple of Problem)
        Parts that are no filled forms, as they came.
    """

    inspections: tuple[Received, ...]
    refused: tuple[tuple[bytes, tuple[Problem, ...]], ...]


class _Twice(ValueError):
    """A key is there twice."""


def read_received(content: bytes, name: str) -> ReceivedFile:
    """Read the content of a file.

    Parameters
    ----------
    content : bytes
    name : str
        Of the file, for problems.
    """
    try:
        text = content.decode("utf-8-sig")
        made = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        json.dumps(made, ensure_ascii=False).encode()  # lone halves of signs cannot be written
    except (ValueError, RecursionError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return ReceivedFile((), ((content, (_wrong(name, f"this is no file of filled forms ({kind})."),)),))
    listed = _listed(made)
    if listed is None:
        expected = f'"changtong": {{"kind": "{FILE_KIND}", "version": {FILE_VERSION}}} and "inspections"'
        problem = _wrong(name, "this is no file of filled forms.", expected=expected)
        return ReceivedFile((), ((content, (problem,)),))
    taken: list[Received] = []
    refused: list[tuple[bytes, tuple[Problem, ...]]] = []
    for row, entry in enumerate(listed, 1):
        problems = _problems_of(entry, name, row)
        if problems:
            refused.append((_canonical(entry), tuple(problems)))
        else:
            taken.append(_taken(entry))
    return ReceivedFile(tuple(taken), tuple(refused))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Twice("a key is there twice")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _listed(content: Any) -> list[Any] | None:
    if not isinstance(content, dict) or not isinstance(content.get("changtong"), dict):
        return None
    mark = content["changtong"]
    listed = content.get("inspections")
    fits = mark.get("kind") == FILE_KIND and mark.get("version") == FILE_VERSION
    return listed if fits and isinstance(listed, list) and len(listed) <= MOST_INSPECTIONS else None


def _wrong(
    file: str, message: str, row: int | None = None, key: str | None = None, expected: str = ""
) -> Problem:
    return Problem("bad-filled", message, file, row, key, expected)


def _problems_of(entry: Any, file: str, row: int) -> list[Problem]:
    """Return why an entry is no filled form."""
    if not isinstance(entry, dict):
        return [_wrong(file, "this is no filled form.", row)]
    made: list[Problem] = []

    def need(right: bool, key: str, expected: str) -> None:
        if not right:
            made.append(_wrong(file, f"{key} is missing or not allowed.", row, key, expected))

    for key in ("inspection_id", "revision_id"):
        need(_is_uuid(entry.get(key)), key, "a UUID")
    history = entry.get("history")
    need(_all(history, _is_uuid, MOST_HISTORY), "history", "a list of UUIDs")
    form = entry.get("form")
    need(
        isinstance(form, dict)
        and all(_is_text(form.get(key), 64) and form[key] for key in ("id", "version")),
        "form",
        "id and version",
    )
    inspectors = entry.get("inspectors", [])
    need(_all(inspectors, lambda one: _is_text(one, 64), MOST_INSPECTORS), "inspectors", "a list of names")
    for key, most in (
        ("site_id", 64),
        ("site_name", 200),
        ("begun_at", 40),
        ("saved_at", 40),
        ("device_id", 64),
    ):
        need(_is_text(entry.get(key, ""), most), key, "a text")
    need(isinstance(entry.get("finished", False), bool), "finished", "true or false")
    answers = entry.get("answers")
    need(
        isinstance(answers, dict)
        and len(answers) <= MOST_ANSWERS
        and all(_is_answer(one) for one in answers.values()),
        "answers",
        "an object of answers",
    )
    photos = entry.get("photos", {})
    need(
        isinstance(photos, dict)
        and len(photos) <= MOST_PHOTOS
        and all(_is_photo(one) for one in photos.values()),
        "photos",
        f"at most {MOST_PHOTOS} photos in base64",
    )
    return made


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most


def _all(value: Any, fits: Any, most: int) -> bool:
    return isinstance(value, list) and len(value) <= most and all(fits(one) for one in value)


def _is_answer(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > 10:
        return False
    plain = all(
        one is None or isinstance(one, str | bool | int | float)
        for key, one in value.items()
        if key != "photos"
    )
    texts = all(len(one) <= MOST_TEXT for one in value.values() if isinstance(one, str))
    return plain and texts and _all(value.get("photos", []), lambda one: _is_text(one, 64), MOST_PHOTOS)


def _is_photo(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("data"), str):
        return False
    try:
        base64.b64decode(value["data"], validate=True)
    except (binascii.Error, ValueError):
        return False
    return all(isinstance(one, str | int | float | bool) for one in value.values())


def _taken(entry: dict[str, Any]) -> Received:
    photos = {name: base64.b64decode(photo["data"]) for name, photo in entry.get("photos", {}).items()}
    listed: Mapping[str, Any] = entry.get("photos", {})
    filled = entry | {
        "photos": {
            name: {key: value for key, value in photo.items() if key != "data"}
            | {"received_sha256": hashlib.sha256(photos[name]).hexdigest()}
            for name, photo in listed.items()
        }
    }
    return Received(hashlib.sha256(_canonical(filled)).hexdigest(), filled, photos)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
