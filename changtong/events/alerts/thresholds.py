"""Thresholds of alerts: a table with a provenance, not constants in code."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from changtong.errors import InputError, Problem

COLUMNS = ("rule", "name", "value", "unit", "provenance", "why")


@dataclass(frozen=True)
class Thresholds:
    """Values by rule and name.

    Attributes
    ----------
    values : mapping of (rule, name) to float

    Examples
    --------
    >>> read_thresholds().of("site-silent", "warning_share")
    0.1
    """

    values: Mapping[tuple[str, str], float]

    def of(self, rule: str, name: str) -> float:
        """Return one value; the four drifts share theirs."""
        return self.values["drift" if rule.startswith("drift-") else rule, name]

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that tell these values from others."""
        told = "\n".join(f"{rule},{name},{value!r}" for (rule, name), value in sorted(self.values.items()))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def read_thresholds(path: str | Path | None = None) -> Thresholds:
    """Return the shipped thresholds, with those of a file in their place where it names them.

    Parameters
    ----------
    path : path, optional
        CSV with rule, name, value and as you like unit, provenance, why. Only rows that change something
        are needed.

    Returns
    -------
    Thresholds

    Raises
    ------
    InputError
        A row that names no threshold, stands twice, or has a value that is no number above 0.
    """
    own = dict(_shipped())
    if path is None:
        return Thresholds(MappingProxyType(own))
    path = Path(path)
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError([Problem("unreadable-file", str(error), path.name)]) from error
    problems, seen = [], set()
    for number, row in enumerate(rows, 1):
        key = ((row.get("rule") or "").strip(), (row.get("name") or "").strip())
        try:
            value = float(row.get("value") or "")
        except ValueError:
            value = math.nan
        if key not in own:
            near = ", ".join(name for rule, name in own if rule == key[0]) or ", ".join(sorted(rules_of(own)))
            message = f'no threshold "{key[0]}" "{key[1]}".'
            problems.append(Problem("unknown-threshold", message, path.name, number, "name", near))
        elif key in seen:
            message = f'"{key[0]}" "{key[1]}" stands twice.'
            problems.append(Problem("duplicate-threshold", message, path.name, number, "name"))
        elif not (math.isfinite(value) and value > 0.0):
            message = f"{row.get('value')!r} will not do."
            problems.append(Problem("wrong-type", message, path.name, number, "value", "a number above 0"))
        else:
            own[key] = value
        seen.add(key)
    if problems:
        raise InputError(problems)
    return Thresholds(MappingProxyType(own))


def rules_of(values: Mapping[tuple[str, str], float]) -> set[str]:
    """Return the names of the rules."""
    return {rule for rule, _ in values}


@cache
def _shipped() -> Mapping[tuple[str, str], float]:
    text = files("changtong.events.alerts").joinpath("thresholds.csv").read_text("utf-8")
    return MappingProxyType(
        {(row["rule"], row["name"]): float(row["value"]) for row in csv.DictReader(text.splitlines())}
    )
