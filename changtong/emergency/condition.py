"""Conditions over named measures of an event; a measure that is missing is unknown and never taken as no."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

Value = int | float | bool | str
Measures = Mapping[str, Value]
"""Measure -> value; what is not known is not there."""

COLOURS = ("blue", "yellow", "orange", "red")
"""Of warnings, the gravest last: levels 4 to 1 of 突发事件应对法 (2024) art. 63."""

COLOUR_WORDS: Mapping[str, str] = MappingProxyType(
    {"蓝": "blue", "黄": "yellow", "橙": "orange", "红": "red", **{one: one for one in COLOURS}}
)
LARGEST = 10**15
"""No measure is larger."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A named measure; ``kind`` is count, amount, share, colour or flag."""

    id: str
    kind: str
    unit_zh: str
    unit_en: str
    zh: str
    en: str


@cache
def measures() -> Mapping[str, Measure]:
    """Return the measures by id.

    Examples
    --------
    >>> measures()["deaths"].zh
    '死亡人数'
    """
    text = files("changtong").joinpath("tables", "emergency", "measures.toml").read_text("utf-8")
    return MappingProxyType({row["id"]: Measure(**row) for row in tomllib.loads(text)["measures"]})


def right_value(measure: Measure, value: object) -> Value | None:
    """Return a value as a measure has it, None where it cannot be one.

    Parameters
    ----------
    measure : Measure
    value : object
        A number or true and false, or a text that says one.

    Examples
    --------
    >>> right_value(measures()["deaths"], "3"), right_value(measures()["deaths"], 2.5)
    (3, None)
    >>> right_value(measures()["warning_colour"], "橙色")
    'orange'
    """
    if measure.kind == "flag":
        words = {"true": True, "yes": True, "是": True, "false": False, "no": False, "否": False}
        return value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if measure.kind == "colour":
        return COLOUR_WORDS.get(str(value).strip().lower().removesuffix("色"))
    if isinstance(value, bool):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    most = 1.0 if measure.kind == "share" else float(LARGEST)
    if not math.isfinite(number) or not 0 <= number <= most:
        return None
    if measure.kind == "count":
        return int(number) if number == int(number) else None
    return int(number) if number == int(number) else number


def expected_of(measure: Measure) -> str:
    """Return in words what a value of a measure is."""
    return {
        "flag": "true or false",
        "colour": ", ".join(COLOURS),
        "share": "a number from 0 to 1",
        "count": "a whole number, 0 or more",
    }.get(measure.kind, "a number, 0 or more")


class Truth(IntEnum):
    """Whether something holds; in between: not known."""

    no = 0
    unknown = 1
    yes = 2


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison: every limit that is given must hold.

    Attributes
    ----------
    measure : str
    at_least, more_than, at_most, less_than : number, optional
        ``at_least`` and ``at_most`` take a colour for `warning_colour`.
    is_ : bool or str, optional
    """

    measure: str
    at_least: Value | None = None
    more_than: Value | None = None
    at_most: Value | None = None
    less_than: Value | None = None
    is_: Value | None = None

    def holds(self, known: Measures) -> Truth:
        """Return whether it holds, `Truth.unknown` where the measure is not known."""
        value = known.get(self.measure)
        if value is None:
            return Truth.unknown
        rank = _rank(value)
        wrong = (
            (self.at_least is not None and rank < _rank(self.at_least))
            or (self.more_than is not None and rank <= _rank(self.more_than))
            or (self.at_most is not None and rank > _rank(self.at_most))
            or (self.less_than is not None and rank >= _rank(self.less_than))
            or (self.is_ is not None and value != self.is_)
        )
        return Truth.no if wrong else Truth.yes


def _rank(value: Value) -> float:
    return float(COLOURS.index(value)) if isinstance(value, str) else float(value)


@dataclass(frozen=True, slots=True)
class Condition:
    """All of some terms and any of others; without terms a person says whether it holds.

    Attributes
    ----------
    id, zh, en : str
    all, any : tuple of Term
    provenance : str
        official, example or assumed.
    source : str
    level : str
        Of the response it asks for; empty where it is none of a level.
    """

    id: str
    zh: str
    en: str
    all: tuple[Term, ...]
    any: tuple[Term, ...]
    provenance: str
    source: str
    level: str = ""

    @property
    def terms(self) -> tuple[Term, ...]:
        """All its terms."""
        return (*self.all, *self.any)


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a condition holds, and the measures that are missing where it is not known."""

    truth: Truth
    missing: tuple[str, ...] = ()


def look(all_of: Iterable[Term], any_of: Iterable[Term], known: Measures) -> Found:
    """Return whether all terms of the first and any of the second hold; nothing asked for holds.

    Parameters
    ----------
    all_of, any_of : iterable of Term
    known : mapping

    Examples
    --------
    >>> three = Term("deaths", at_least=3)
    >>> look([], [three, Term("serious_injuries", at_least=10)], {"serious_injuries": 12}).truth.name
    'yes'
    >>> look([], [three, Term("serious_injuries", at_least=10)], {"serious_injuries": 2})
    Found(truth=<Truth.unknown: 1>, missing=('deaths',))
    """
    every = [(term, term.holds(known)) for term in all_of]
    some = [(term, term.holds(known)) for term in any_of]
    truth = min((found for _, found in every), default=Truth.yes)
    if some:
        truth = min(truth, max(found for _, found in some))
    if truth is not Truth.unknown:
        return Found(truth)
    missing = {term.measure: None for term, found in (*every, *some) if found is Truth.unknown}
    return Found(truth, tuple(missing))


def said_term(term: Term, language: str) -> str:
    """Return a term in words.

    Examples
    --------
    >>> said_term(Term("deaths", at_least=3), "en")
    'deaths at least 3 persons'
    """
    measure = measures()[term.measure]
    unit = measure.unit_zh if language == "zh" else measure.unit_en
    words = {
        "zh": {"at_least": "不少于", "more_than": "多于", "at_most": "不多于", "less_than": "少于"},
        "en": {"at_least": "at least", "more_than": "more than", "at_most": "at most", "less_than": "below"},
    }[language]
    unit = f" {unit}" if language == "en" and unit else unit
    parts = [
        f"{word} {said_value(measure, getattr(term, key), language)}{unit}"
        for key, word in words.items()
        if getattr(term, key) is not None
    ]
    if term.is_ is not None:
        parts.append(("为 " if language == "zh" else "is ") + said_value(measure, term.is_, language))
    name = measure.zh if language == "zh" else measure.en
    return f"{name} {(' 且 ' if language == 'zh' else ' and ').join(parts)}"


_SAID: Mapping[Any, tuple[str, str]] = MappingProxyType(
    {
        "blue": ("蓝色", "blue"), "yellow": ("黄色", "yellow"), "orange": ("橙色", "orange"),
        "red": ("红色", "red"),
    }
)  # fmt: skip


def said_value(measure: Measure, value: Value | None, language: str) -> str:
    """Return a value in words, without its unit."""
    if value is None:
        return "未知" if language == "zh" else "not known"
    if isinstance(value, bool):
        return {True: ("是", "yes"), False: ("否", "no")}[value][0 if language == "zh" else 1]
    if isinstance(value, str):
        return _SAID[value][0 if language == "zh" else 1]
    if measure.kind == "share":
        return f"{value * 100:g} %"
    return f"{value:,}"
