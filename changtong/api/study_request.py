"""What is asked of a study, checked whole before anything is queued; every problem at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from changtong.api.input_places import InputPlaces, Seen
from changtong.api.offered import Input, Offer, Parameter, outage_problems
from changtong.errors import InputError, Problem

MOST_VALUES = 500
MOST_LETTERS = 1_000

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
"""What no value holds: a line of a log, or of a table, would not end where it seems to."""


def checked_request(
    offer: Offer, inputs: Mapping[str, Any], parameters: Mapping[str, Any], places: InputPlaces, seen: Seen
) -> dict[str, Any]:
    """Return a request whose names, types and ranges are right, and whose inputs are there.

    Parameters
    ----------
    offer : Offer
    inputs, parameters : mapping
        As they were given.
    places : InputPlaces
    seen : Seen
        What the caller may see.

    Raises
    ------
    InputError
        All that is wrong with both.
    """
    problems = [
        *_checked_names("inputs", inputs, [one.name for one in offer.inputs]),
        *_checked_names("parameters", parameters, [one.name for one in offer.parameters]),
    ]
    for one in offer.inputs:
        value = inputs.get(one.name)
        if value is None or value == []:
            if one.required:
                problems.append(_missing(f"inputs.{one.name}"))
        elif isinstance(value, list) and "rows" in one.sources:
            problems += outage_problems(value)
        else:
            problems += _checked_input(one, value, places, seen)
    for parameter in offer.parameters:
        value = parameters.get(parameter.name)
        if value is not None:
            problems += _checked_values(parameter, value)
        elif parameter.required:
            problems.append(_missing(f"parameters.{parameter.name}"))
    if problems:
        raise InputError(sorted(problems, key=lambda problem: str(problem.column)))
    kept = {name: value for name, value in inputs.items() if value is not None}
    return kept | {"parameters": {name: value for name, value in parameters.items() if value is not None}}


def _checked_names(part: str, given: Mapping[str, Any], known: list[str]) -> Iterable[Problem]:
    for name in given.keys() - set(known):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known) or 'none'}."
        yield Problem(
            "unknown-column", f"{name[:40]!r} is not known.", column=f"{part}.{name[:40]}", hint=hint
        )


def _missing(column: str) -> Problem:
    return Problem("missing-value", "This is needed.", column=column)


def _checked_input(one: Input, value: Any, places: InputPlaces, seen: Seen) -> Iterable[Problem]:
    column = f"inputs.{one.name}"
    given = value if isinstance(value, list) else [value]
    if len(given) > (MOST_VALUES if one.many else 1):
        return [Problem("out-of-range", f"{len(given)} are too many.", column=column)]
    problems = []
    for single in given:
        run_id = single.get("run") if isinstance(single, dict) and single.keys() == {"run"} else None
        if isinstance(single, str):
            found = places.problem_of_id(one, single, seen)
        elif isinstance(run_id, str):
            found = places.problem_of_run(one, run_id, seen)
        else:
            found = Problem("wrong-type", "This is no input.", expected='an id, or {"run": id}')
        if found is not None:
            problems.append(
                Problem(found.code, found.message, column=column, expected=found.expected, hint=found.hint)
            )
    return problems


def _checked_values(one: Parameter, value: Any) -> list[Problem]:
    column = f"parameters.{one.name}"
    if not one.many:
        return _checked_value(one, value, column)
    if not isinstance(value, list):
        return [Problem("wrong-type", "This is no list.", column=column, expected="a list")]
    if len(value) > MOST_VALUES:
        return [Problem("out-of-range", f"{len(value)} are too many.", column=column)]
    return [problem for single in value for problem in _checked_value(one, single, column)]


def _checked_value(one: Parameter, value: Any, column: str) -> list[Problem]:
    """Return what is wrong with one value."""
    if one.type == "boolean":
        wrong = None if isinstance(value, bool) else ("wrong-type", "true or false")
    elif one.type in ("number", "integer"):
        wrong = _wrong_number(one, value)
    elif not isinstance(value, str):
        wrong = ("wrong-type", "text")
    elif one.choices and value not in one.choices:
        wrong = ("unknown-value", ", ".join(one.choices))
    elif not value or len(value) > MOST_LETTERS or CONTROL.search(value):
        wrong = ("out-of-range", f"1 to {MOST_LETTERS} letters, no control characters")
    elif one.is_name and not ID.fullmatch(value):
        wrong = ("out-of-range", "letters, digits and -")
    else:
        wrong = None
    if wrong is None:
        return []
    return [Problem(wrong[0], f"{str(value)[:40]!r} will not do.", column=column, expected=wrong[1])]


def _wrong_number(one: Parameter, value: Any) -> tuple[str, str] | None:
    wanted = int if one.type == "integer" else int | float
    least = -math.inf if one.least is None else one.least
    most = math.inf if one.most is None else one.most
    if isinstance(value, bool) or not isinstance(value, wanted) or not math.isfinite(value):
        return "wrong-type", "a whole number" if one.type == "integer" else "a number"
    if not least <= value <= most or abs(value) > 1e12:
        return "out-of-range", f"{least:g} to {most:g}"
    return None
