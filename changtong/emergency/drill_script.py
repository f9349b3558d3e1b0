"""The script of a drill: what happens when, and what is expected to be done by when; read from TOML."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.emergency.case_rules import check_measures, check_site
from changtong.emergency.plan import LEVELS, EmergencyPlan
from changtong.emergency.plan_file import MOST_MINUTES, PROVENANCES, find_plan
from changtong.errors import ChangtongError, InputError, Problem
from changtong.safety.toml_values import Values

CODE = "bad-drill-script"
HEAD: dict[str, type] = {
    "id": str, "title_zh": str, "title_en": str, "plan": str, "event": str, "kind": str, "provenance": str,
    "source": str, "measures": dict, "sites": dict, "injects": list, "expected": list,
}  # fmt: skip
INJECT: dict[str, type] = {
    "id": str, "after_min": float, "zh": str, "en": str, "measures": dict, "sites": dict,
}  # fmt: skip
EXPECTED: dict[str, type] = {
    "id": str, "zh": str, "en": str, "action": str, "subject": str, "value": str, "since": str,
    "within_min": float,
}  # fmt: skip
ACTIONS = ("level", "task", "report", "site", "measure", "note", "suspend", "resume", "end")
BEGIN = "begin"


@dataclass(frozen=True, slots=True)
class Inject:
    """What happens so many minutes after the begin: words, measures, states of sites."""

    id: str
    after_min: float
    zh: str
    en: str
    measures: Mapping[str, Any]
    sites: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Expected:
    """An action that is expected.

    Attributes
    ----------
    id, zh, en : str
    action : str
        One of `ACTIONS`.
    subject : str
        Level, task, reporting time, site or measure; empty: any.
    value : str
        What is done with a task (done), or the state of a site; empty: any.
    since : str
        ``begin`` or an inject, from which the time counts.
    within_min : float
    """

    id: str
    zh: str
    en: str
    action: str
    subject: str
    value: str
    since: str
    within_min: float


@dataclass(frozen=True)
class DrillScript:
    """A script.

    Attributes
    ----------
    id, title_zh, title_en, event, kind, provenance, source : str
    plan : EmergencyPlan
    measures, sites : mapping
        At the begin.
    injects : tuple of Inject
        By time.
    expected : tuple of Expected
    content : mapping
        As it was read; the plan by its name.
    """

    id: str
    title_zh: str
    title_en: str
    event: str
    kind: str
    provenance: str
    source: str
    plan: EmergencyPlan
    measures: Mapping[str, Any]
    sites: Mapping[str, Mapping[str, Any]]
    injects: tuple[Inject, ...]
    expected: tuple[Expected, ...]
    content: Mapping[str, Any]

    def begin_of(self, since: str) -> float:
        """Return the minutes after the begin from which an expected action's time counts."""
        return 0.0 if since == BEGIN else next(one.after_min for one in self.injects if one.id == since)


def read_script(path: str | os.PathLike[str]) -> DrillScript:
    """Read a script.

    Parameters
    ----------
    path : path
        TOML as in ``docs/emergency.md``; its plan is one of the package, or a file beside it.

    Raises
    ------
    InputError
        ``bad-drill-script``, with every problem.
    """
    place = Path(path)
    try:
        content = tomllib.loads(place.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError([Problem(CODE, f"the file cannot be read ({error}).", place.name)]) from error
    named = str(content.get("plan", ""))
    beside = place.parent / named
    try:
        plan = find_plan(beside if named.endswith(".toml") else named)
    except InputError:
        raise
    except ChangtongError as error:
        raise InputError([Problem(CODE, str(error), place.name, None, "plan")]) from error
    return script_of(content, plan, place.name)


def script_of(content: Mapping[str, Any], plan: EmergencyPlan, file: str) -> DrillScript:
    """Return the script of a TOML content.

    Parameters
    ----------
    content : mapping
    plan : EmergencyPlan
    file : str
        For problems.

    Raises
    ------
    InputError
        ``bad-drill-script``, with every problem.
    """
    values = Values(file, CODE)
    needed = ("id", "title_zh", "title_en", "plan", "event", "provenance", "source", "expected")
    head = values.table(dict(content), HEAD, needed)
    values.one_of(head, "provenance", PROVENANCES)
    measures, sites, states = _facts(head, None, {}, values)
    injects = _injects(head, states, values)
    expected = _expected(head, injects, plan, values)
    if not expected and not values.problems:
        values.add("nothing is expected.", "expected")
    values.finish()
    texts = {
        key: head.get(key, "")
        for key in ("id", "title_zh", "title_en", "event", "kind", "provenance", "source")
    }
    return DrillScript(
        **texts,
        plan=plan,
        measures=measures,
        sites=sites,
        injects=injects,
        expected=expected,
        content=dict(content),
    )


def _facts(
    table: Mapping[str, Any], row: int | None, before: Mapping[str, str], values: Values
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Return measures and sites of a table, and the states of all sites after it."""
    measures, found = check_measures(table.get("measures", {}), str(table.get("id", "")))
    states, sites = dict(before), {}
    for site, said in table.get("sites", {}).items():
        change = {"state": said} if isinstance(said, str) else said
        if (
            not isinstance(change, dict)
            or change.keys() - {"state", "capacity_share"}
            or "state" not in change
        ):
            values.add(
                f"{said!r} is not allowed.", f"sites.{site}", row, 'a state, or { state = "confirmed" }'
            )
            continue
        share = change.get("capacity_share", 0.0 if change["state"] == "confirmed" else 1.0)
        change = {"state": change["state"], "text": "", "capacity_share": share}
        found += check_site(change, site, states.get(site, ""), str(table.get("id", "")))
        states[site] = str(change["state"])
        sites[site] = change
    for one in found:
        values.add(one.message, str(one.column), row, one.expected, one.hint)
    return measures, sites, states


def _injects(head: Mapping[str, Any], states: Mapping[str, str], values: Values) -> tuple[Inject, ...]:
    made: list[Inject] = []
    tables: list[tuple[int, dict[str, Any]]] = []
    for row, entry in values.rows(head, "injects"):
        table = values.table(entry, INJECT, ("id", "after_min", "zh", "en"), row, "injects")
        if table.get("id") in {BEGIN, *(one.get("id") for _, one in tables)}:
            values.add(f"{table['id']!r} is there twice.", "injects.id", row, "an id once, not begin")
        if table.get("after_min", 0) > MOST_MINUTES:
            values.add(f"{table['after_min']!r} is not allowed.", "after_min", row, "at most a year")
        tables.append((row, table))
    for row, table in sorted(tables, key=lambda one: one[1].get("after_min", 0)):
        measures, sites, states = _facts(table, row, states, values)
        texts = {key: table.get(key, "") for key in ("id", "zh", "en")}
        made.append(
            Inject(**texts, after_min=float(table.get("after_min", 0)), measures=measures, sites=sites)
        )
    return tuple(made)


def _expected(
    head: Mapping[str, Any], injects: tuple[Inject, ...], plan: EmergencyPlan, values: Values
) -> tuple[Expected, ...]:
    known = {
        "level": [*LEVELS, "none"],
        "task": [one.id for one in plan.tasks],
        "report": [one.id for one in plan.clocks],
    }
    made: list[Expected] = []
    for row, entry in values.rows(head, "expected"):
        table = values.table(entry, EXPECTED, ("id", "zh", "en", "action", "within_min"), row, "expected")
        values.one_of(table, "action", ACTIONS, row)
        values.one_of(table, "since", (BEGIN, *(one.id for one in injects)), row)
        subject, action = table.get("subject", ""), table.get("action", "")
        if subject and subject not in known.get(action, [subject]):
            values.add(f"{subject!r} is unknown.", "subject", row, "one of " + ", ".join(known[action]))
        if table.get("id") in {one.id for one in made}:
            values.add(f"{table['id']!r} is there twice.", "expected.id", row, "an id once")
        if not 0 < table.get("within_min", 1) <= MOST_MINUTES:
            values.add(f"{table['within_min']!r} is not allowed.", "within_min", row, "minutes, more than 0")
        value = table.get("value", "done" if action == "task" else "")
        texts = {key: table.get(key, "") for key in ("id", "zh", "en")}
        made.append(
            Expected(**texts, action=action, subject=subject, value=value, since=table.get("since", BEGIN),
                     within_min=float(table.get("within_min", 1)))
        )  # fmt: skip
    return tuple(made)
