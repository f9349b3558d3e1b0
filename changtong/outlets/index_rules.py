"""Weights, scales, bands and limits of the stability index as data, with their provenance."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.rules_files import read_rules_file

COMPONENTS = ("lateness", "backlog", "complaints", "turnover", "volume", "arrears")
ABSENT = ("unknown", "stopped")
PROVENANCES = ("official", "example", "assumed")
CODE = "bad-rules"


@dataclass(frozen=True, slots=True)
class Component:
    """One component: its name, its points, how far small outlets are drawn to their peers.

    Attributes
    ----------
    id, zh, en, unit, provenance : str
    weight : float
        Points it can take; those of all components are scaled to 100.
    prior : float
        Units of the like outlets' experience added to an outlet's own: pieces due (lateness), pieces a day
        (backlog, volume), pieces (complaints, arrears), people (turnover).
    least_scale : float
        A spread is never taken smaller than this.
    """

    id: str
    zh: str
    en: str
    weight: float
    prior: float
    least_scale: float
    unit: str
    provenance: str


@dataclass(frozen=True, slots=True)
class Band:
    """A band of the index, from its lowest value up."""

    id: str
    least: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Scaling:
    """How values become spreads, and spreads points; see ``stability.toml``."""

    size_classes: int
    least_peers: int
    history_months: int
    least_history: int
    history_prior: float
    own_weight: float
    starts: float
    full: float
    missing_charge: float
    least_known: float
    recent_months: int
    base_months: int


@dataclass(frozen=True, slots=True)
class StopRule:
    """When an outlet counts as stopped."""

    share_of_usual: float
    usual_months: int
    absent: str


@dataclass(frozen=True, slots=True)
class WarningRule:
    """How far ahead is looked, and how many false warnings are borne."""

    horizon_months: int
    ridge: float
    least_events: int
    most_false_per_outlet_year: float


@dataclass(frozen=True, slots=True)
class IndexRules:
    """Everything the index and the warning are set by.

    Attributes
    ----------
    id, version, provenance, source : str
    scaling : Scaling
    components : tuple of Component
        All of `COMPONENTS`; a weight of 0 leaves one out.
    bands : tuple of Band
        From the best down; the last begins at 0.
    stop : StopRule
    warning : WarningRule

    Examples
    --------
    >>> rules = read_index_rules()
    >>> sum(one.weight for one in rules.components)
    100.0
    """

    id: str
    version: str
    provenance: str
    source: str
    scaling: Scaling
    components: tuple[Component, ...]
    bands: tuple[Band, ...]
    stop: StopRule
    warning: WarningRule

    def with_absent(self, absent: str) -> IndexRules:
        """Return the rules with another meaning of months without a row.

        Parameters
        ----------
        absent : {"unknown", "stopped"}
        """
        return replace(self, stop=replace(self.stop, absent=absent))

    def band(self, index: float) -> Band:
        """Return the band of an index.

        Parameters
        ----------
        index : float
        """
        return next((one for one in self.bands if index >= one.least), self.bands[-1])


Limits = tuple[type, float, float]
HEAD: dict[str, Limits] = dict.fromkeys(("id", "version", "provenance", "source"), (str, 1, 200))
SCALING: dict[str, Limits] = {
    "size_classes": (int, 1, 50), "least_peers": (int, 2, 10_000), "history_months": (int, 2, 60),
    "least_history": (int, 2, 24), "history_prior": (float, 0, 1000), "own_weight": (float, 0, 1),
    "starts": (float, 0, 10), "full": (float, 0.01, 100), "missing_charge": (float, 0, 1),
    "least_known": (float, 0, 1), "recent_months": (int, 1, 12), "base_months": (int, 2, 60),
}  # fmt: skip
COMPONENT: dict[str, Limits] = {
    "id": (str, 1, 40), "zh": (str, 1, 40), "en": (str, 1, 60), "weight": (float, 0, 1000),
    "prior": (float, 0, 1e9), "least_scale": (float, 1e-9, 1e6), "unit": (str, 1, 40),
    "provenance": (str, 1, 40),
}  # fmt: skip
BAND: dict[str, Limits] = {
    "id": (str, 1, 40),
    "from": (float, 0, 100),
    "zh": (str, 1, 40),
    "en": (str, 1, 60),
}
STOP: dict[str, Limits] = {
    "share_of_usual": (float, 0, 1), "usual_months": (int, 3, 36), "absent": (str, 1, 20)
}  # fmt: skip
WARNING: dict[str, Limits] = {
    "horizon_months": (int, 1, 12), "ridge": (float, 1e-6, 1e6), "least_events": (int, 5, 100_000),
    "most_false_per_outlet_year": (float, 0.01, 12),
}  # fmt: skip
UNITS = ("share", "days", "per_10000", "change", "cny_per_piece")


class _Reading:
    """Takes values out of the tables of a file and gathers what is wrong."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, message: str, key: str, expected: str = "", row: int | None = None, hint: str = "") -> None:
        """Add a problem."""
        self.problems.append(Problem(CODE, message, self.file, row, key, expected, hint))

    def table(self, content: Any, keys: dict[str, Limits], of: str, row: int | None = None) -> dict[str, Any]:
        """Return the values of a table that are as they should be."""
        if not isinstance(content, dict):
            self.add("this is no table.", of, f"[{of}]", row)
            return {}
        made: dict[str, Any] = {}
        for key in content:
            if key not in keys:
                expected = "one of " + ", ".join(keys)
                self.add(f'"{key}" is unknown.', of, expected, row, NearestNames(keys).hint(str(key)))
        for key, (kind, least, most) in keys.items():
            if key not in content:
                self.add(f"no {key} in {of}.", key, row=row)
                continue
            value = content[key]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if kind is str:
                fits = isinstance(value, str) and least <= len(value.strip()) <= most
                expected = "a text"
            else:
                fits = number and (kind is float or isinstance(value, int)) and least <= value <= most
                expected = f"a {'whole ' if kind is int else ''}number, {least:g} to {most:g}"
            if fits:
                made[key] = value if kind is not float else float(value)
            else:
                self.add(f"{value!r} is not allowed.", key, expected, row)
        return made

    def one_of(
        self, values: dict[str, Any], key: str, known: tuple[str, ...], row: int | None = None
    ) -> None:
        """Check that a value is one of those known."""
        if key in values and values[key] not in known:
            hint = NearestNames(known).hint(values[key])
            self.add(f"{values[key]!r} is unknown.", key, "one of " + ", ".join(known), row, hint)


def read_index_rules(path: str | os.PathLike[str] | None = None) -> IndexRules:
    """Read the rules of the index.

    Parameters
    ----------
    path : path, optional
        TOML as ``changtong/outlets/stability.toml``; without it that one.

    Raises
    ------
    InputError
        ``bad-rules``, with every problem.
    """
    file, content = read_rules_file(path, "changtong.outlets", "stability.toml", CODE)
    reading = _Reading(file)
    tables = ("scaling", "components", "bands", "stop", "warning")
    head = reading.table({k: v for k, v in content.items() if k not in tables}, HEAD, "file")
    reading.one_of(head, "provenance", PROVENANCES)
    scaling = reading.table(content.get("scaling"), SCALING, "scaling")
    if scaling.get("starts", 0.0) >= scaling.get("full", 1e9):
        reading.add("starts is not below full.", "starts", "starts < full")
    stop = reading.table(content.get("stop"), STOP, "stop")
    reading.one_of(stop, "absent", ABSENT)
    warning = reading.table(content.get("warning"), WARNING, "warning")
    components, bands = _components(content, reading), _bands(content, reading)
    if reading.problems:
        raise InputError(reading.problems)
    total = sum(one["weight"] for one in components)
    return IndexRules(
        **head,
        scaling=Scaling(**scaling),
        components=tuple(
            Component(**(one | {"weight": one["weight"] * 100.0 / total})) for one in components
        ),
        bands=tuple(bands),
        stop=StopRule(**stop),
        warning=WarningRule(**warning),
    )


def _listed(content: dict[str, Any], name: str, reading: _Reading) -> list[Any]:
    listed = content.get(name)
    if isinstance(listed, list) and listed:
        return listed
    reading.add(f"no [[{name}]].", name, f"a list [[{name}]]")
    return []


def _components(content: dict[str, Any], reading: _Reading) -> list[dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for row, entry in enumerate(_listed(content, "components", reading), 1):
        values = reading.table(entry, COMPONENT, "components", row)
        reading.one_of(values, "id", COMPONENTS, row)
        reading.one_of(values, "unit", UNITS, row)
        reading.one_of(values, "provenance", PROVENANCES, row)
        if values.get("id") in made:
            reading.add(f"{values['id']!r} is there twice.", "id", "each component once", row)
        made[values.get("id", f"row {row}")] = values
    for name in COMPONENTS:
        if name not in made:
            reading.add(f"no component {name}.", "components", "all six; a weight of 0 leaves one out")
    if made and not reading.problems and sum(one["weight"] for one in made.values()) <= 0:
        reading.add("all weights are 0.", "weight", "at least one above 0")
    return [made[name] for name in COMPONENTS if name in made]


def _bands(content: dict[str, Any], reading: _Reading) -> list[Band]:
    made: list[Band] = []
    for row, entry in enumerate(_listed(content, "bands", reading), 1):
        values = reading.table(entry, BAND, "bands", row)
        if len(values) == len(BAND):
            made.append(Band(values["id"], values["from"], values["zh"], values["en"]))
    made.sort(key=lambda one: -one.least)
    if made and made[-1].least != 0.0:
        reading.add("no band begins at 0.", "bands", "the lowest band from 0")
    if len({one.least for one in made}) < len(made) or len({one.id for one in made}) < len(made):
        reading.add("two bands are alike.", "bands", "each id and each begin once")
    return made
