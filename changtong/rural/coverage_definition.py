"""When a village counts as served: data, read from a small TOML file with every problem told."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames


@dataclass(frozen=True)
class CoverageDefinition:
    """When a village counts as served; None: not asked.

    Attributes
    ----------
    name, label : str
        ``label`` says where the definition comes from.
    min_visits_per_week : int or None
        Days of a week on which parcels come.
    min_firms : int or None
        Firms whose parcels come.
    max_hours : float or None
        From leaving the hub to the village.
    max_pickup_km : float or None
        Way of the people to their pick-up point.
    outbound_too : bool
        Whether parcels must be taken as well.
    hours_bands, pickup_bands : tuple of float
        Upper ends of the bands that tables show.
    pickup_point_cny_per_week, firm_cny_per_week : float
        Cost of a pick-up point, and of one more firm, in a village.

    Examples
    --------
    >>> read_definition().min_visits_per_week
    3
    """

    name: str
    label: str
    min_visits_per_week: int | None = None
    min_firms: int | None = None
    max_hours: float | None = None
    max_pickup_km: float | None = None
    outbound_too: bool = False
    hours_bands: tuple[float, ...] = (2.0, 4.0, 8.0, 12.0, 24.0, 48.0)
    pickup_bands: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0)
    pickup_point_cny_per_week: float = 0.0
    firm_cny_per_week: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what a result shows of it."""
        return {
            "name": self.name,
            "label": self.label,
            "min_visits_per_week": self.min_visits_per_week,
            "min_firms": self.min_firms,
            "max_hours": self.max_hours,
            "max_pickup_km": self.max_pickup_km,
            "outbound_too": self.outbound_too,
        }


LIMITS: dict[str, dict[str, tuple[type, float, float]]] = {
    "served": {
        "min_visits_per_week": (int, 1, 7),
        "min_firms": (int, 1, 1000),
        "max_hours": (float, 0, 168),
        "max_pickup_km": (float, 0, 1000),
        "outbound_too": (bool, 0, 1),
    },
    "bands": {"hours": (list, 0, 168), "pickup_km": (list, 0, 1000)},
    "costs": {"pickup_point_cny_per_week": (float, 0, 1e6), "firm_cny_per_week": (float, 0, 1e6)},
}
"""Section -> key -> type and range."""

FIELDS = {"hours": "hours_bands", "pickup_km": "pickup_bands"}
NAMES = ("name", "label")


def read_definition(path: str | os.PathLike[str] | None = None) -> CoverageDefinition:
    """Read a definition of coverage.

    Parameters
    ----------
    path : path, optional
        TOML with ``name``, ``label`` and the sections of ``changtong/rural/coverage.toml``; without it the
        built-in one.

    Raises
    ------
    InputError
        With every problem of the file.
    """
    place = files("changtong.rural").joinpath("coverage.toml") if path is None else Path(path)
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"the definition cannot be read ({error})."
        raise InputError([_wrong(place.name, message, None, "a TOML file, see docs/coverage.md")]) from error
    problems: list[Problem] = []
    values = _values(content, place.name, problems)
    if problems:
        raise InputError(problems)
    return CoverageDefinition(**values)


def _wrong(file: str, message: str, key: str | None, expected: str, hint: str = "") -> Problem:
    return Problem("bad-definition", message, file, None, key, expected=expected, hint=hint)


def _values(content: dict[str, Any], file: str, problems: list[Problem]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in NAMES:
        text = content.get(name)
        if isinstance(text, str) and text.strip():
            values[name] = text
        else:
            problems.append(_wrong(file, f"no {name}.", name, "a text that says where it comes from"))
    section: str
    key: str
    for section, part in content.items():
        if section in NAMES:
            continue
        if section not in LIMITS or not isinstance(part, dict):
            hint = NearestNames([*NAMES, *LIMITS]).hint(section)
            expected = "one of " + ", ".join([*NAMES, *LIMITS])
            problems.append(_wrong(file, f'"{section}" is unknown.', section, expected, hint))
            continue
        for key, value in part.items():
            limits = LIMITS[section].get(key)
            if limits is None:
                hint = NearestNames(LIMITS[section]).hint(key)
                expected = "one of " + ", ".join(LIMITS[section])
                problems.append(_wrong(file, f'"{key}" of [{section}] is unknown.', key, expected, hint))
                continue
            made = _value(value, *limits)
            if made is None:
                problems.append(_wrong(file, f"{value!r} is not allowed.", key, _expected(*limits)))
            else:
                values[FIELDS.get(key, key)] = made
    return values


def _value(value: Any, kind: type, low: float, high: float) -> Any:
    """Return the value in its type, or None where it is none."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is list:
        parts = [_value(part, float, low, high) for part in value] if isinstance(value, list) else []
        rising = all(
            one < other for one, other in zip(parts, parts[1:], strict=False) if None not in (one, other)
        )
        return tuple(parts) if parts and None not in parts and rising else None
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and value != int(value)):
        return None
    return kind(value) if math.isfinite(value) and low <= value <= high else None


def _expected(kind: type, low: float, high: float) -> str:
    if kind is bool:
        return "true or false"
    words = {int: "a whole number", float: "a number", list: "rising numbers"}[kind]
    return f"{words}, {low:g} … {high:g}"
