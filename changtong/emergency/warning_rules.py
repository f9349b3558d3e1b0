"""How warnings are read, as data: kinds of events, colours, and what each would do to sites and legs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from changtong.emergency.cap import VALUES
from changtong.outages import MOST_EXTRA_H
from changtong.rules_files import read_rules_file
from changtong.safety.toml_values import Values

COLOURS = ("red", "orange", "yellow", "blue")
"""Levels 1 to 4 by article 63 of the Emergency Response Law (突发事件应对法, 2024)."""

COLOURS_ZH = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}
UNKNOWN = "unknown"
FORCES = (7, 8, 10, 12)
LEVELS = (*COLOURS, UNKNOWN, *(f"force-{force}" for force in FORCES))
ANY_KIND = "*"
OTHER = "other"
CODE = "bad-warning-rules"
PROVENANCES = ("official", "example", "assumed")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event; ``words`` in lower case, ``codes`` are beginnings."""

    id: str
    zh: str
    en: str
    words: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a warning of a kind and level would do.

    Attributes
    ----------
    kind, level : str
    site_capacity_share, leg_capacity_share : float
        What is left of the capacity; 1 leaves it.
    site_extra_h, leg_extra_h : float
    """

    kind: str
    level: str
    site_capacity_share: float = 1.0
    site_extra_h: float = 0.0
    leg_capacity_share: float = 1.0
    leg_extra_h: float = 0.0


@dataclass(frozen=True, slots=True)
class WindRadii:
    """Radii of wind circles from a wind at the centre on; km by force."""

    wind_m_s: float
    radii_km: dict[int, float]


@dataclass(frozen=True)
class WarningRules:
    """All of it.

    Attributes
    ----------
    version, provenance, source, file : str
    severity : dict
        Word of the standard -> colour: assumed.
    code_lists : frozenset of str
        Names of lists whose codes are administrative units, without spaces and case.
    kinds : tuple of Kind
    rules : dict of (kind, level) to Rule
    radii : tuple of WindRadii
        By the wind.
    """

    version: str
    provenance: str
    source: str
    file: str
    severity: dict[str, str]
    code_lists: frozenset[str]
    kinds: tuple[Kind, ...]
    rules: dict[tuple[str, str], Rule]
    radii: tuple[WindRadii, ...]

    def rule(self, kind: str, level: str) -> Rule | None:
        """Return the rule of a kind and level, that of every kind where it has none of its own.

        Examples
        --------
        >>> read_warning_rules().rule("rainstorm", "red").site_capacity_share
        0.0
        """
        return self.rules.get((kind, level)) or self.rules.get((ANY_KIND, level))

    def names(self) -> dict[str, Kind]:
        """Return the kinds by id."""
        return {kind.id: kind for kind in self.kinds}

    def is_admin_list(self, name: str) -> bool:
        """Tell whether a list's codes are administrative units."""
        return plain(name) in self.code_lists


def plain(name: str) -> str:
    """Return a name without spaces and case."""
    return "".join(name.split()).lower()


def read_warning_rules(path: str | os.PathLike[str] | None = None) -> WarningRules:
    """Read the rules of the package, or a file that stands in their place as a whole.

    Parameters
    ----------
    path : path, optional

    Raises
    ------
    InputError
        ``bad-warning-rules``, every problem at once.
    """
    file, content = read_rules_file(path, "changtong.emergency", "warning_rules.toml", CODE)
    values = Values(file, CODE)
    kinds_of: dict[str, type] = {
        "version": str, "provenance": str, "source": str, "severity": dict, "geocodes": dict, "kind": list,
        "rule": list, "radius": list,
    }  # fmt: skip
    head = values.table(content, kinds_of, ("version", "provenance", "source", "kind", "rule"))
    values.one_of(head, "provenance", PROVENANCES)
    severity = _severity(values, head.get("severity", {}))
    names = _texts(values, head.get("geocodes", {}).get("names", []), "geocodes.names")
    kinds = tuple(_kind(values, row, one) for row, one in values.rows(head, "kind"))
    for number, kind in enumerate(kinds, 1):
        if kind.id in [other.id for other in kinds[: number - 1]]:
            values.add(f'"{kind.id}" is there twice.', "id", number, "each kind once")
    known = (ANY_KIND, OTHER, *(kind.id for kind in kinds))
    rules: dict[tuple[str, str], Rule] = {}
    for row, one in values.rows(head, "rule"):
        rule = _rule(values, row, one, known)
        if (rule.kind, rule.level) in rules:
            values.add(f"{rule.kind}, {rule.level} is there twice.", "rule", row, "each pair once")
        rules[rule.kind, rule.level] = rule
    radii = sorted((_radii(values, row, one) for row, one in values.rows(head, "radius")), key=_by_wind)
    values.finish()
    lists = frozenset(plain(name) for name in names)
    return WarningRules(
        head["version"], head["provenance"], head["source"], file, severity, lists, kinds, rules, tuple(radii)
    )


def _by_wind(one: WindRadii) -> float:
    return one.wind_m_s


def _texts(values: Values, found: Any, key: str, row: int | None = None) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(one, str) and one.strip() for one in found):
        values.add(f"{found!r} will not do.", key, row, 'a list of texts, as ["a", "b"]')
        return ()
    return tuple(one.strip() for one in found)


def _severity(values: Values, found: dict[str, Any]) -> dict[str, str]:
    known = VALUES["severity"]
    table = values.table(found, dict.fromkeys((*known, "provenance"), str), (), of="severity")
    values.one_of(table, "provenance", PROVENANCES)
    for word in known:
        values.one_of(table, word, COLOURS)
    return {word: colour for word, colour in table.items() if word in known}


def _kind(values: Values, row: int, one: Any) -> Kind:
    types: dict[str, type] = {"id": str, "zh": str, "en": str, "words": list, "codes": list}
    table = values.table(one, types, ("id", "zh", "en", "words"), row, "kind")
    words = tuple(word.lower() for word in _texts(values, table.get("words", []), "words", row))
    codes = _texts(values, table.get("codes", []), "codes", row)
    return Kind(table.get("id", ""), table.get("zh", ""), table.get("en", ""), words, codes)


def _rule(values: Values, row: int, one: Any, known: tuple[str, ...]) -> Rule:
    numbers = ("site_capacity_share", "site_extra_h", "leg_capacity_share", "leg_extra_h")
    types: dict[str, type] = {"kind": str, "level": str, **dict.fromkeys(numbers, float)}
    table = values.table(one, types, ("kind", "level"), row, "rule")
    values.one_of(table, "kind", known, row)
    values.one_of(table, "level", LEVELS, row)
    for name in numbers:
        most = 1.0 if name.endswith("share") else MOST_EXTRA_H
        if table.get(name, 0.0) > most:
            values.add(f"{table[name]!r} is not allowed.", name, row, f"a number, 0 to {most:,.0f}")
    said = {name: float(table[name]) for name in numbers if name in table}
    return Rule(table.get("kind", ""), table.get("level", ""), **said)


def _radii(values: Values, row: int, one: Any) -> WindRadii:
    columns = {f"force_{force}_km": force for force in FORCES}
    types: dict[str, type] = {"wind_m_s": float, **dict.fromkeys(columns, float)}
    table = values.table(one, types, ("wind_m_s",), row, "radius")
    radii = {force: float(table[name]) for name, force in columns.items() if name in table}
    return WindRadii(float(table.get("wind_m_s", 0.0)), radii)
