"""Emergency plans read from TOML, with every problem told at once; those of the package."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.emergency.condition import Condition, Term, expected_of, measures, right_value
from changtong.emergency.plan import LEVELS, Clock, Contact, EmergencyPlan, PlanTask, Resource
from changtong.errors import InputError, NotFoundError, Problem
from changtong.network.findings import NearestNames
from changtong.safety.toml_values import Values

CODE = "bad-emergency-plan"
PROVENANCES = ("official", "example", "assumed")
MOST_BYTES = 2_000_000
HEAD: dict[str, type] = {
    "id": str, "version": str, "title_zh": str, "title_en": str, "provenance": str, "source": str,
    "source_zh": str, "notes_zh": str, "notes_en": str, "kinds": list, "sets": list,
    "departments": list, "triggers": list,
    "conditions": list, "tasks": list, "clocks": list, "contacts": list, "resources": list,
    "suspension": list, "adjustment": list, "end": list,
}  # fmt: skip
CONDITION: dict[str, type] = {
    "id": str, "level": str, "zh": str, "en": str, "all": list, "any": list, "provenance": str,
    "source": str,
}  # fmt: skip
TASK: dict[str, type] = {"id": str, "department": str, "zh": str, "en": str, "within_min": dict}
CLOCK: dict[str, type] = {
    "id": str, "zh": str, "en": str, "form": str, "minutes": float, "starts": str, "to_zh": str,
    "to_en": str, "all": list, "any": list, "provenance": str, "source": str, "source_zh": str,
}  # fmt: skip
CONTACT: dict[str, type] = {
    "role_zh": str, "role_en": str, "department": str, "levels": list, "order": int, "name": str,
    "phone": str,
}  # fmt: skip
RESOURCE: dict[str, type] = {
    "id": str, "zh": str, "en": str, "amount": float, "unit_zh": str, "unit_en": str, "place": str,
}  # fmt: skip
DEPARTMENT: dict[str, type] = {"id": str, "zh": str, "en": str}
TEXTS = ("id", "version", "title_zh", "title_en", "provenance", "source", "source_zh", "notes_zh", "notes_en")
LIMITS = ("at_least", "more_than", "at_most", "less_than")
MOST_MINUTES = 60 * 24 * 366
STATEMENTS = ("triggers", "suspension", "adjustment", "end")


def shipped_names() -> tuple[str, ...]:
    """Return the ids of the plans of the package.

    Examples
    --------
    >>> len(shipped_names())
    6
    """
    folder = files("changtong").joinpath("tables", "emergency")
    names = (one.name for one in folder.iterdir() if one.name.startswith("plan_"))
    return tuple(sorted(name.removeprefix("plan_").removesuffix(".toml").replace("_", "-") for name in names))


def _shipped(name: str) -> dict[str, Any]:
    text = files("changtong").joinpath("tables", "emergency", name).read_text("utf-8")
    return tomllib.loads(text)


@cache
def _sets() -> Mapping[str, dict[str, Any]]:
    found = [_shipped("set_accident_grades.toml"), _shipped("set_reporting.toml")]
    return {one["id"]: one for one in found}


def find_plan(name: str | os.PathLike[str]) -> EmergencyPlan:
    """Return a plan: a TOML file, or one of the package by its id.

    Parameters
    ----------
    name : str or path
        What ends in ``.toml``, or is a file, is read as one.

    Raises
    ------
    NotFoundError
        There is no such plan.
    InputError
        ``bad-emergency-plan``, with every problem.
    """
    text = os.fspath(name)
    if text.endswith(".toml") or Path(text).is_file():
        return read_plan(text)
    if text not in shipped_names():
        hint = NearestNames(shipped_names()).hint(text)
        raise NotFoundError(
            f"There is no plan {text!r}; there are {', '.join(shipped_names())}. {hint}".strip()
        )
    return plan_of(_shipped(f"plan_{text.replace('-', '_')}.toml"), f"{text}.toml")


def read_plan(path: str | os.PathLike[str]) -> EmergencyPlan:
    """Read a plan from a TOML file.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError
        ``bad-emergency-plan``, with every problem.
    """
    place = Path(path)
    try:
        if place.stat().st_size > MOST_BYTES:
            raise InputError([Problem(CODE, f"it is larger than {MOST_BYTES:,} bytes.", place.name)])
        content = tomllib.loads(place.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        expected = "a TOML file in UTF-8 (docs/emergency.md)"
        raise InputError(
            [Problem(CODE, f"the file cannot be read ({error}).", place.name, None, None, expected)]
        ) from error
    return plan_of(content, place.name)


def plan_of(content: Mapping[str, Any], file: str) -> EmergencyPlan:
    """Return the plan of a TOML content, or of what a case keeps of one.

    Parameters
    ----------
    content : mapping
    file : str
        For problems.

    Raises
    ------
    InputError
        ``bad-emergency-plan``, with every problem.
    """
    values = Values(file, CODE)
    head = values.table(
        dict(content), HEAD, ("id", "version", "title_zh", "title_en", "provenance", "source", "tasks")
    )
    values.one_of(head, "provenance", PROVENANCES)
    whole = _with_sets(head, values)
    departments = {
        row["id"]: (row["zh"], row["en"])
        for row in _listed(whole, "departments", DEPARTMENT, ("id", "zh", "en"), values)
        if {"id", "zh", "en"} <= row.keys()
    }
    conditions = _conditions(whole, "conditions", values, levels=True)
    triggers, suspension, adjustment, end = (
        _conditions(whole, key, values, levels=False) for key in STATEMENTS
    )
    made = EmergencyPlan(
        **{key: head.get(key, "") for key in TEXTS},
        kinds=_texts(head.get("kinds", []), "kinds", values), triggers=triggers, conditions=conditions,
        suspension=suspension, adjustment=adjustment, end=end, departments=departments,
        tasks=_tasks(whole, departments, conditions, values), clocks=_clocks(whole, values),
        contacts=_contacts(whole, departments, values), resources=_resources(whole, values),
        content=_kept(whole),
    )  # fmt: skip
    if not made.tasks and not values.problems:
        values.add("there is no task.", "tasks")
    values.finish()
    return made


def _with_sets(head: dict[str, Any], values: Values) -> dict[str, Any]:
    """Return the content with the conditions and clocks of its sets put in, behind its own."""
    whole = dict(head)
    names = _texts(head.get("sets", []), "sets", values)
    for name in dict.fromkeys(names):
        known = _sets().get(name)
        if known is None:
            values.add(f"there is no set {name!r}.", "sets", None, "one of " + ", ".join(_sets()))
            continue
        for key in ("conditions", "clocks"):
            own = whole.get(key, [])
            whole[key] = [*own, *known.get(key, [])] if isinstance(own, list) else own
    whole.pop("sets", None)
    return whole


def _kept(whole: dict[str, Any]) -> dict[str, Any]:
    kept = dict(whole)
    contacts = kept.get("contacts")
    if isinstance(contacts, list):
        kept["contacts"] = [
            {key: value for key, value in one.items() if key not in ("name", "phone")}
            for one in contacts
            if isinstance(one, dict)
        ]
    return kept


def _texts(listed: Any, key: str, values: Values) -> tuple[str, ...]:
    if isinstance(listed, list | tuple) and all(isinstance(one, str) and one.strip() for one in listed):
        return tuple(listed)
    values.add(f"{listed!r} is not allowed.", key, None, "a list of texts")
    return ()


def _listed(
    whole: Mapping[str, Any], key: str, kinds: Mapping[str, type], needed: tuple[str, ...], values: Values,
    name: str = "id",
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the tables of a list; the same id twice is told."""
    made, seen = [], set()
    for row, entry in values.rows(whole, key):
        table = values.table(entry, kinds, needed, row, key)
        found = table.get(name)
        if found is not None and found in seen:
            values.add(f"{found!r} is there twice.", f"{key}.{name}", row, "an id once")
        seen.add(found)
        made.append(table | {"row": row})
    return made


def _conditions(whole: Mapping[str, Any], key: str, values: Values, *, levels: bool) -> tuple[Condition, ...]:
    kinds = CONDITION if levels else {name: kind for name, kind in CONDITION.items() if name != "level"}
    needed = ("id", "zh", "en", "provenance", "source", *(("level",) if levels else ()))
    made = []
    for table in _listed(whole, key, kinds, needed, values):
        row = table.pop("row")
        values.one_of(table, "provenance", PROVENANCES, row)
        if levels:
            values.one_of(table, "level", LEVELS, row)
        every, some = (_terms(table.get(name, []), f"{key}.{name}", row, values) for name in ("all", "any"))
        if levels and not every and not some and "all" not in table and "any" not in table:
            values.add("nothing is compared.", key, row, "all or any, with a comparison")
        texts = {name: table.get(name, "") for name in ("id", "zh", "en", "provenance", "source", "level")}
        made.append(Condition(**texts, all=every, any=some))
    return tuple(made)


def _terms(listed: Any, key: str, row: int, values: Values) -> tuple[Term, ...]:
    made = []
    if not isinstance(listed, list) or not listed:
        if listed != []:
            values.add(f"{listed!r} is not allowed.", key, row, "a list of comparisons")
        return ()
    for entry in listed:
        if not isinstance(entry, dict):
            values.add(f"{entry!r} is no comparison.", key, row, 'as { measure = "deaths", at_least = 3 }')
            continue
        made += _term(entry, key, row, values)
    return tuple(made)


def _term(entry: dict[str, Any], key: str, row: int, values: Values) -> list[Term]:
    """Return a comparison, or nothing where something is wrong with it."""
    begun = len(values.problems)
    measure = measures().get(entry["measure"]) if isinstance(entry.get("measure"), str) else None
    if measure is None:
        name = str(entry.get("measure", ""))
        values.add(
            f"there is no measure {name!r}.", key, row, "one of " + ", ".join(measures()),
            NearestNames(measures()).hint(name),
        )  # fmt: skip
        return []
    limits = {name: value for name, value in entry.items() if name != "measure"}
    for name, value in limits.items():
        if name not in (*LIMITS, "is"):
            values.add(f'"{name}" is unknown.', key, row, "one of " + ", ".join((*LIMITS, "is")))
        elif measure.kind == "flag" and (name != "is" or not isinstance(value, bool)):
            values.add(f"{measure.id} is true or false.", key, row, "is = true, or is = false")
        elif measure.kind != "flag" and (
            isinstance(value, str) != (measure.kind == "colour") or right_value(measure, value) is None
        ):
            values.add(f"{value!r} is not allowed for {measure.id}.", key, row, expected_of(measure))
    if not limits:
        values.add(
            f"{measure.id} is compared with nothing.", key, row, "one of " + ", ".join((*LIMITS, "is"))
        )
    if len(values.problems) > begun:
        return []
    read = {name: right_value(measure, value) for name, value in limits.items()}
    return [Term(measure.id, is_=read.pop("is", None), **read)]


def _minutes_of(content: Any, key: str, row: int, values: Values) -> dict[str, float]:
    made: dict[str, float] = {}
    if not isinstance(content, dict):
        return made
    for level, value in content.items():
        right = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MOST_MINUTES
        if level not in LEVELS:
            values.add(f"{level!r} is no level.", key, row, "one of " + ", ".join(LEVELS))
        elif not right:
            values.add(f"{value!r} is not allowed.", key, row, "minutes, more than 0 and at most a year")
        else:
            made[level] = float(value)
    return made


def _tasks(
    whole: Mapping[str, Any],
    departments: Mapping[str, Any],
    conditions: tuple[Condition, ...],
    values: Values,
) -> tuple[PlanTask, ...]:
    made = []
    known = {one.level for one in conditions}
    for table in _listed(whole, "tasks", TASK, ("id", "department", "zh", "en", "within_min"), values):
        row = table.pop("row")
        _department(table, departments, row, values)
        within = _minutes_of(table.get("within_min"), "within_min", row, values)
        if isinstance(table.get("within_min"), dict) and not table["within_min"]:
            values.add("it belongs to no level.", "within_min", row, "as { I = 30, II = 60 }")
        for level in within:
            if level not in known and conditions:
                values.add(
                    f"no condition leads to level {level}.", "within_min", row, "a level with a condition"
                )
        texts = {name: table.get(name, "") for name in ("id", "department", "zh", "en")}
        made.append(PlanTask(**texts, within_min=within))
    return tuple(made)


def _department(table: Mapping[str, Any], departments: Mapping[str, Any], row: int, values: Values) -> None:
    name = table.get("department")
    if name is not None and name not in departments:
        hint = NearestNames(departments).hint(name) if departments else ""
        values.add(
            f"there is no department {name!r}.", "department", row,
            "one of " + ", ".join(departments) if departments else "a [[departments]] with this id", hint,
        )  # fmt: skip


def _clocks(whole: Mapping[str, Any], values: Values) -> tuple[Clock, ...]:
    made: list[Clock] = []
    needed = ("id", "zh", "en", "form", "minutes", "starts", "provenance", "source")
    tables = _listed(whole, "clocks", CLOCK, needed, values)
    for table in tables:
        row = table.pop("row")
        values.one_of(table, "provenance", PROVENANCES, row)
        values.one_of(table, "form", ("oral", "written"), row)
        minutes = table.get("minutes", 1)
        if not 0 < minutes <= MOST_MINUTES:
            values.add(
                f"{minutes!r} is not allowed.", "minutes", row, "minutes, more than 0 and at most a year"
            )
        starts = table.get("starts", "known")
        before = {f"report:{one.id}" for one in made}  # further up only, so that no circle can be
        if starts not in ("known", "level", *before):
            values.add(
                f"{starts!r} is not allowed.", "starts", row, "known, level, or report:ID of one further up"
            )
        every, some = (_terms(table.get(name, []), f"clocks.{name}", row, values) for name in ("all", "any"))
        texts = {
            name: table.get(name, "")
            for name in ("id", "zh", "en", "form", "to_zh", "to_en", "provenance", "source", "source_zh")
        }
        made.append(Clock(**texts, minutes=float(minutes), starts=starts, all=every, any=some))
    return tuple(made)


def _contacts(
    whole: Mapping[str, Any], departments: Mapping[str, Any], values: Values
) -> tuple[Contact, ...]:
    made = []
    for row, entry in values.rows(whole, "contacts"):
        table = values.table(entry, CONTACT, ("role_zh", "role_en", "department"), row, "contacts")
        _department(table, departments, row, values)
        levels = table.pop("levels", list(LEVELS))
        if not all(level in LEVELS for level in levels):
            values.add(f"{levels!r} is not allowed.", "levels", row, "a list of " + ", ".join(LEVELS))
        texts = {name: table.get(name, "") for name in ("role_zh", "role_en", "department", "name", "phone")}
        made.append(Contact(**texts, levels=tuple(map(str, levels)), order=table.get("order", 1)))
    return tuple(sorted(made, key=lambda one: one.order))


def _resources(whole: Mapping[str, Any], values: Values) -> tuple[Resource, ...]:
    made = []
    for table in _listed(whole, "resources", RESOURCE, ("id", "zh", "en", "amount"), values):
        table.pop("row")
        texts = {name: table.get(name, "") for name in ("id", "zh", "en", "unit_zh", "unit_en", "place")}
        made.append(Resource(**texts, amount=float(table.get("amount", 0))))
    return tuple(made)
