"""How each kind of personal data is masked: data with a source, read from ``mask_rules.toml``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem

PROVENANCES = ("official", "example", "synthetic")
KINDS = ("name", "phone", "address", "id_number", "bank_card", "plate", "email", "passport", "all")
LONGEST = 40
"""No rule shows or hides more positions than this by number."""

_TEXTS = ("name_zh", "provenance", "source", "note")
_NUMBERS = ("keep_first", "keep_last", "hide_at_least")
_LEAST = {"name": 1, "phone": 6, "address": 1}
"""What GB/T 41833-2022 asks for: no file of rules may ask for less."""


@dataclass(frozen=True)
class MaskRule:
    """How one kind is masked.

    Attributes
    ----------
    kind, name_zh : str
    keep_first, keep_last : int
        Positions shown at either end, where enough are hidden then.
    hide_at_least : int
        Positions hidden whatever else is said.
    provenance : str
        official, example or synthetic.
    source, note : str
    """

    kind: str
    name_zh: str
    keep_first: int
    keep_last: int
    hide_at_least: int
    provenance: str
    source: str
    note: str = ""

    def shown(self, positions: int) -> tuple[int, int]:
        """Return how many of some positions are shown at the begin and at the end.

        Examples
        --------
        >>> mask_rules()["phone"].shown(11), mask_rules()["phone"].shown(7)
        ((3, 2), (0, 1))
        """
        most = max(0, positions - max(1, self.hide_at_least))
        last = min(self.keep_last, most)
        return min(self.keep_first, most - last), last


@cache
def mask_rules() -> Mapping[str, MaskRule]:
    """Return the built-in rules by kind."""
    return read_mask_rules()


def read_mask_rules(path: str | os.PathLike[str] | None = None) -> dict[str, MaskRule]:
    """Read rules of masks.

    Parameters
    ----------
    path : path, optional
        TOML of the form of ``changtong/privacy/mask_rules.toml``; without it the built-in rules.

    Raises
    ------
    InputError
        ``bad-mask-rules``, with every problem of the file.
    """
    place = files("changtong.privacy").joinpath("mask_rules.toml") if path is None else Path(path)
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError([_wrong(f"The rules cannot be read ({error}).", place.name)]) from error
    problems = [
        _wrong(f"There is no rule for {kind}.", place.name, kind) for kind in KINDS if kind not in content
    ]
    rules = {kind: _rule(kind, part, place.name, problems) for kind, part in content.items()}
    if problems:
        raise InputError(problems)
    return {kind: rules[kind] for kind in KINDS}


def _wrong(message: str, file: str, kind: str | None = None, expected: str = "") -> Problem:
    return Problem("bad-mask-rules", message, file, None, kind, expected=expected)


def _rule(kind: str, part: Any, file: str, problems: list[Problem]) -> MaskRule:
    before = len(problems)
    if kind not in KINDS or not isinstance(part, dict):
        problems.append(_wrong(f"{kind} is no kind.", file, kind, ", ".join(KINDS)))
        part = {}
    problems += [
        _wrong(f"{key} is unknown.", file, kind, ", ".join((*_TEXTS, *_NUMBERS)))
        for key in part
        if key not in (*_TEXTS, *_NUMBERS)
    ]
    numbers = {key: part.get(key, 0) for key in _NUMBERS}
    for key, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST:
            problems.append(_wrong(f"{key} is {value!r}.", file, kind, f"a whole number, 0 to {LONGEST}"))
            numbers[key] = 0
    if len(problems) == before and numbers["hide_at_least"] < (least := _LEAST.get(kind, 1)):
        problems.append(_wrong("hide_at_least is too small.", file, kind, f"at least {least}"))
    if kind == "name" and numbers["keep_first"] + numbers["keep_last"] > 1:
        problems.append(
            _wrong("A name shows one character at most.", file, kind, "keep_first = 1 or keep_last = 1")
        )
    texts = {key: part.get(key, "") for key in _TEXTS}
    if texts["provenance"] not in PROVENANCES:
        problems.append(_wrong("provenance is missing or unknown.", file, kind, ", ".join(PROVENANCES)))
    if not all(isinstance(text, str) for text in texts.values()) or not texts["source"]:
        problems.append(_wrong("source is missing.", file, kind, "words that say where the rule comes from"))
    return MaskRule(kind=kind, **numbers, **texts)
