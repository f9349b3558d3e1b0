"""What hazards are called and which are major by their nature: data of the package, with its provenance."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class HazardKind:
    """A kind of hazard with its names."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class RedLine:
    """A situation that is a major hazard whenever it is met; ``article`` is where the rule says so."""

    id: str
    article: str
    zh: str
    en: str
    provenance: str
    source: str


@cache
def _content(name: str) -> dict[str, Any]:
    return tomllib.loads(files("changtong.safety").joinpath(name).read_text("utf-8"))


@cache
def hazard_kinds() -> dict[str, HazardKind]:
    """Return the kinds of hazards by id.

    Examples
    --------
    >>> hazard_kinds()["fire"].zh
    '消防'
    """
    return {entry["id"]: HazardKind(**entry) for entry in _content("hazard_kinds.toml")["kinds"]}


@cache
def red_lines() -> dict[str, RedLine]:
    """Return the situations that are major hazards, by id.

    Examples
    --------
    >>> red_lines()["art4-2"].article
    '第四条（二）'
    """
    content = _content("major_hazards.toml")
    rest = {"provenance": content["provenance"], "source": content["source"]}
    return {entry["id"]: RedLine(**entry, **rest) for entry in content["red_lines"]}


def red_line_ids() -> tuple[str, ...]:
    """Return the ids of the red lines."""
    return tuple(red_lines())
