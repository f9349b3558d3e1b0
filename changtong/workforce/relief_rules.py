"""Relief policies as data: conditions over named facts of a firm, met, not met or not known.

A condition is a small tree of TOML tables, and nothing of it is ever run as code: ``{fact, op, value}`` or
``{fact, op, values}``, ``{all = […]}``, ``{any = […]}``, ``{not = {…}}``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.rules_files import read_rules_file

CODE = "bad-policy"
Value = str | float | bool
KINDS = ("number", "text", "boolean")
PROVENANCES = ("official", "reported", "recalled", "example")
OPPOSITE = {
    "=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not_in", "not_in": "in",
    "starts_with": "not_starts_with", "not_starts_with": "starts_with",
}  # fmt: skip
ORDERED = ("<", "<=", ">", ">=")
LISTED = ("in", "not_in")
BEGINS = ("starts_with", "not_starts_with")
MOST_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of a firm, or not."""

    name: str
    kind: str
    zh: str
    en: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    choices_zh: tuple[str, ...] = ()
    choices_en: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One question about one fact; ``changeable``: the firm can still bring it about."""

    fact: str
    op: str
    values: tuple[Value, ...]
    changeable: bool = False

    def answer(self, facts: Mapping[str, Value | None]) -> bool | None:
        """Return whether it is met; None where the fact is not known.

        Parameters
        ----------
        facts : mapping

        Examples
        --------
        >>> Leaf("staff", ">=", (5.0,)).answer({"staff": 5.0}), Leaf("staff", ">=", (5.0,)).answer({})
        (True, None)
        """
        known = facts.get(self.fact)
        if known is None:
            return None
        first: Any = self.values[0]
        here: Any = known
        if self.op in LISTED:
            return (known in self.values) == (self.op == "in")
        if self.op in BEGINS:
            return str(known).startswith(str(first)) == (self.op == "starts_with")
        if self.op == "=":
            return bool(here == first)
        if self.op == "!=":
            return bool(here != first)
        if self.op == "<":
            return bool(here < first)
        if self.op == "<=":
            return bool(here <= first)
        return bool(here > first) if self.op == ">" else bool(here >= first)


@dataclass(frozen=True, slots=True)
class Group:
    """Several conditions: all of them, or any."""

    every: bool
    parts: tuple[Condition, ...]

    def answer(self, facts: Mapping[str, Value | None]) -> bool | None:
        """Return whether they are met, by Kleene's logic of three values.

        Parameters
        ----------
        facts : mapping
        """
        answers = [part.answer(facts) for part in self.parts]
        deciding = not self.every
        if deciding in answers:
            return deciding
        return None if None in answers else self.every


Condition = Leaf | Group


@dataclass(frozen=True, slots=True)
class Amount:
    """What a firm gets: ``fixed`` and ``rate`` times a fact, at most ``most``, where ``when`` is met."""

    when: Condition | None
    rate: float
    of: str
    fixed: float
    most: float | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A relief policy.

    Attributes
    ----------
    id, title_zh, title_en, provenance, source : str
    source_zh : str
        The source in Chinese; where not given, ``source``.
    begins, ends : date
        First and last day it is in force.
    apply_by : date or None
        Last day for applications; where not given, ``ends``.
    condition : Condition
    amounts : tuple of Amount
        The first whose condition is met counts.
    """

    id: str
    title_zh: str
    title_en: str
    provenance: str
    source: str
    begins: date
    ends: date
    apply_by: date | None
    condition: Condition
    amounts: tuple[Amount, ...]
    source_zh: str = ""

    @property
    def last_day(self) -> date:
        """The last day on which a firm can apply."""
        return min(self.ends, self.apply_by) if self.apply_by else self.ends


@dataclass(frozen=True, slots=True)
class Policies:
    """Policies, and the facts they ask for."""

    facts: Mapping[str, Fact]
    policies: tuple[Policy, ...]


class _Reading:
    """Gathers what is wrong with a file."""

    def __init__(self, file: str, facts: dict[str, Fact]) -> None:
        self.file, self.facts = file, facts
        self.problems: list[Problem] = []

    def add(self, message: str, where: str, expected: str = "", hint: str = "") -> None:
        """Add a problem."""
        self.problems.append(Problem(CODE, message, self.file, None, where, expected, hint))

    def keys(self, table: Any, known: tuple[str, ...], needed: tuple[str, ...], where: str) -> bool:
        """Check the keys of a table; tell whether it is one with all that is needed."""
        if not isinstance(table, dict):
            self.add("this is no table.", where, "a table")
            return False
        for key in table:
            if key not in known:
                self.add(
                    f'"{key}" is unknown.', where, "one of " + ", ".join(known), NearestNames(known).hint(key)
                )
        missing = [key for key in needed if key not in table]
        for key in missing:
            self.add(f"no {key}.", where)
        return not missing

    def number(self, table: Mapping[str, Any], key: str, where: str, default: float | None) -> float | None:
        """Return a number of a table, or the default where there is none."""
        value = table.get(key, default)
        if value is None or (
            isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        ):
            return None if value is None else float(value)
        self.add(f"{value!r} is no number.", f"{where}.{key}", "a number")
        return default

    def fact(self, name: Any, where: str) -> Fact | None:
        """Return a fact by its name; a problem where there is none."""
        found = self.facts.get(name) if isinstance(name, str) else None
        if found is None:
            hint = NearestNames(self.facts).hint(str(name))
            self.add(f"there is no fact {name!r}.", where, "one of " + ", ".join(self.facts), hint)
        return found


def read_policies(path: str | os.PathLike[str] | None = None) -> Policies:
    """Read policies.

    Parameters
    ----------
    path : path, optional
        TOML as ``changtong/workforce/relief_policies.toml``; without it that one.

    Raises
    ------
    InputError
        ``bad-policy``, with every problem.
    """
    file, content = read_rules_file(path, "changtong.workforce", "relief_policies.toml", CODE)
    reading = _Reading(file, {})
    reading.keys(content, ("facts", "policies"), ("facts", "policies"), "file")
    _read_facts(content.get("facts", {}), reading)
    listed = content.get("policies", [])
    made: list[Policy] = []
    if not isinstance(listed, list) or not listed:
        reading.add("there is no [[policies]].", "policies")
        listed = []
    for number, entry in enumerate(listed, 1):
        one = _read_policy(entry, f"policies {number}", reading)
        if one is not None and one.id in {other.id for other in made}:
            reading.add(f"{one.id!r} is there twice.", f"policies {number}.id", "each id once")
        if one is not None:
            made.append(one)
    if reading.problems:
        raise InputError(reading.problems)
    return Policies(reading.facts, tuple(made))


RESERVED = ("firm_id", "name")
FACT_KEYS = ("kind", "zh", "en", "unit", "choices", "choices_zh", "choices_en", "least", "most")


def _read_facts(content: Any, reading: _Reading) -> None:
    if not isinstance(content, dict):
        reading.add("this is no table.", "facts", "[facts]")
        return
    for name, entry in content.items():
        where = f"facts.{name}"
        if name in RESERVED:
            reading.add(f"a fact cannot be called {name}.", where, "another name")
        if not reading.keys(entry, FACT_KEYS, FACT_KEYS[:3], where):
            continue
        lists = [entry.get(key, []) for key in ("choices", "choices_zh", "choices_en")]
        texts = [entry["zh"], entry["en"], entry.get("unit", "")]
        for one in lists:
            texts += one if isinstance(one, list) else [0]
        if entry["kind"] not in KINDS:
            reading.add(f"{entry['kind']!r} is no kind.", f"{where}.kind", "one of " + ", ".join(KINDS))
        elif not all(isinstance(one, str) for one in texts):
            reading.add("zh, en, unit and choices are texts.", where, "texts")
        elif any(one and len(one) != len(lists[0]) for one in lists):
            text = (
                f"{len(lists[0])} choices have {len(lists[1])} names in Chinese, {len(lists[2])} in English."
            )
            reading.add(text, where, "choices_zh and choices_en name each choice, or are left out")
        else:
            choices, in_zh, in_en = map(tuple, lists)
            unit = entry.get("unit", "")
            least, most = _read_range(entry, where, reading)
            reading.facts[name] = Fact(
                name, entry["kind"], entry["zh"], entry["en"], unit, choices, in_zh, in_en, least, most
            )


def _read_range(entry: Mapping[str, Any], where: str, reading: _Reading) -> tuple[float | None, float | None]:
    """Return what a number may be at least and at most; None where it is not said."""
    least, most = (reading.number(entry, key, where, None) for key in ("least", "most"))
    if entry["kind"] != "number" and ("least" in entry or "most" in entry):
        reading.add("least and most are of numbers.", where, "kind number")
    if least is not None and most is not None and least > most:
        reading.add(f"least {least:g} is above most {most:g}.", where, "least, at most most")
    return least, most


POLICY_KEYS = (
    "id", "title_zh", "title_en", "provenance", "source", "begins", "ends", "apply_by", "condition",
    "amounts", "source_zh",
)  # fmt: skip


def _read_policy(entry: Any, where: str, reading: _Reading) -> Policy | None:
    needed = tuple(key for key in POLICY_KEYS if key not in ("apply_by", "amounts", "source_zh"))
    if not reading.keys(entry, POLICY_KEYS, needed, where):
        return None
    before = len(reading.problems)
    for key in ("id", "title_zh", "title_en", "provenance", "source", "source_zh"):
        if key in entry and (not isinstance(entry[key], str) or not entry[key].strip()):
            reading.add(f"{entry[key]!r} is no text.", f"{where}.{key}", "a text")
    if entry["provenance"] not in PROVENANCES:
        reading.add(f"{entry['provenance']!r} is unknown.", f"{where}.provenance", ", ".join(PROVENANCES))
    for key in ("begins", "ends", "apply_by"):
        if key in entry and type(entry[key]) is not date:
            reading.add(f"{entry[key]!r} is no date.", f"{where}.{key}", "a date, as 2022-05-01")
    if len(reading.problems) == before and entry["begins"] > entry["ends"]:
        reading.add("it ends before it begins.", f"{where}.ends", "begins at or before ends")
    condition = _read_condition(entry["condition"], f"{where}.condition", reading)
    listed = entry.get("amounts", [])
    if not isinstance(listed, list):
        reading.add("this is no list.", f"{where}.amounts", "[[policies.amounts]]")
        listed = []
    amounts = tuple(_read_amount(one, f"{where}.amounts {k}", reading) for k, one in enumerate(listed, 1))
    if len(reading.problems) > before or condition is None:
        return None
    head = {
        key: entry[key] for key in ("id", "title_zh", "title_en", "provenance", "source", "begins", "ends")
    }
    rest = {"apply_by": entry.get("apply_by"), "source_zh": entry.get("source_zh", "")}
    return Policy(**head, **rest, condition=condition, amounts=amounts)


def _read_amount(entry: Any, where: str, reading: _Reading) -> Amount:
    reading.keys(entry, ("when", "rate", "of", "fixed", "most"), (), where)
    table = entry if isinstance(entry, dict) else {}
    of = table.get("of", "")
    if of and ((found := reading.fact(of, f"{where}.of")) is not None) and found.kind != "number":
        reading.add(f"{of} is no number.", f"{where}.of", "a fact that is a number")
    if bool(of) != ("rate" in table):
        reading.add("rate and of belong together.", where, "both, or neither")
    if not of and "fixed" not in table:
        reading.add("there is no amount.", where, "rate and of, or fixed")
    when = _read_condition(table["when"], f"{where}.when", reading) if "when" in table else None
    most = reading.number(table, "most", where, None)
    rate, fixed = (reading.number(table, key, where, 0.0) or 0.0 for key in ("rate", "fixed"))
    for key, value in (("rate", rate), ("fixed", fixed), ("most", most or 0.0)):
        if value < 0:
            reading.add(f"{value:g} is below 0.", f"{where}.{key}", "0 or more")
    return Amount(when, rate, of if isinstance(of, str) else "", fixed, most)


def _read_condition(
    entry: Any, where: str, reading: _Reading, *, negated: bool = False, depth: int = 0
) -> Condition | None:
    """Read a tree; ``not`` is carried down to the questions, so that each leaf is a thing to be met."""
    if depth > MOST_DEPTH:
        reading.add("this is nested too deeply.", where, f"at most {MOST_DEPTH} levels")
        return None
    if not isinstance(entry, dict):
        reading.add("this is no condition.", where, "{fact, op, value}, {all}, {any} or {not}")
        return None
    groups = [key for key in ("all", "any", "not") if key in entry]
    if not groups:
        return _read_leaf(entry, where, reading, negated)
    if len(entry) > 1:
        reading.add("all, any and not stand alone.", where, "one of them in a table")
        return None
    if groups[0] == "not":
        return _read_condition(entry["not"], f"{where}.not", reading, negated=not negated, depth=depth + 1)
    listed = entry[groups[0]]
    if not isinstance(listed, list) or not listed:
        reading.add(f"{groups[0]} is no list.", where, "one condition at least")
        return None
    parts = [
        _read_condition(one, f"{where}.{groups[0]} {k}", reading, negated=negated, depth=depth + 1)
        for k, one in enumerate(listed, 1)
    ]
    known = tuple(one for one in parts if one is not None)
    return Group((groups[0] == "all") != negated, known) if len(known) == len(parts) else None


def _read_leaf(entry: Mapping[str, Any], where: str, reading: _Reading, negated: bool) -> Leaf | None:
    if not reading.keys(entry, ("fact", "op", "value", "values", "changeable"), ("fact", "op"), where):
        return None
    fact, op = reading.fact(entry["fact"], f"{where}.fact"), entry["op"]
    if op not in OPPOSITE:
        reading.add(f"{op!r} is no comparison.", f"{where}.op", "one of " + ", ".join(OPPOSITE))
        return None
    wanted, other = ("values", "value") if op in LISTED else ("value", "values")
    values = entry.get(wanted) if op in LISTED else [entry.get(wanted)]
    if wanted not in entry or other in entry or not isinstance(values, list) or not values:
        reading.add(f"{op} takes {wanted}.", where, wanted)
        return None
    if not isinstance(entry.get("changeable", False), bool):
        reading.add("changeable is true or false.", where, "true or false")
        return None
    if fact is None:
        return None
    if (op in ORDERED and fact.kind != "number") or (op in BEGINS and fact.kind != "text"):
        reading.add(f"{op} does not go with {fact.name}, a {fact.kind}.", where)
        return None
    made = [_value(one, fact) for one in values]
    for one, typed in zip(values, made, strict=True):
        if typed is None:
            reading.add(f"{one!r} is no {fact.kind} that {fact.name} can be.", where, ", ".join(fact.choices))
    known = tuple(one for one in made if one is not None)
    if len(known) < len(made):
        return None
    return Leaf(fact.name, OPPOSITE[op] if negated else op, known, entry.get("changeable", False))


def _value(value: Any, fact: Fact) -> Value | None:
    if fact.kind == "number":
        fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        return float(value) if fits else None
    if fact.kind == "boolean":
        return value if isinstance(value, bool) else None
    if not isinstance(value, str) or (fact.choices and value not in fact.choices):
        return None
    return value
