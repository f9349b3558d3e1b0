"""Figures for a situation report: of a plan folder and of indicators, as their own files say them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem

CODE = "bad-figures"
PLAN_KEYS = ("demand_pieces", "unserved_pieces", "late_pieces", "cost_cny", "changed_legs")
MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class Figures:
    """Figures for a report.

    Attributes
    ----------
    plan : mapping or None
        name, outages and the numbers of `PLAN_KEYS`.
    indicators : tuple of mapping
        indicator, value, day_before; of all, not of parts.
    day : str
        Of the indicators.
    """

    plan: Mapping[str, Any] | None = None
    indicators: tuple[Mapping[str, Any], ...] = ()
    day: str = ""


def read_figures(plan: Path | None, indicators: Path | None) -> Figures:
    """Read the figures of a plan folder and of a file of indicators.

    Parameters
    ----------
    plan : Path or None
        A plan folder.
    indicators : Path or None
        What ``changtong indicators --json`` printed.

    Raises
    ------
    InputError
        ``bad-figures``, with every problem.
    """
    problems: list[Problem] = []
    of_plan = None if plan is None else _plan(plan, problems)
    rows, day = ((), "") if indicators is None else _indicators(indicators, problems)
    if problems:
        raise InputError(problems)
    return Figures(of_plan, rows, day)


def _read(path: Path, expected: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig")) if path.stat().st_size <= MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        problems.append(Problem(CODE, f"it cannot be read ({said}).", str(path), expected=expected))
        return {}
    if isinstance(content, dict):
        return content
    problems.append(Problem(CODE, "this is no such file.", str(path), expected=expected))
    return {}


def _number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _plan(folder: Path, problems: list[Problem]) -> dict[str, Any] | None:
    expected = "a plan folder, as `changtong plan -o` writes it"
    content = _read(folder / "plan.json", expected, problems)
    content = (
        content.get("summary", content) if isinstance(content.get("summary", content), dict) else content
    )
    if not content:
        return None
    if not all(key in content and _number(content[key]) for key in PLAN_KEYS):
        problems.append(Problem(CODE, "it holds no figures of a plan.", str(folder), expected=expected))
        return None
    outages = content.get("outages")
    named = [str(one) for one in outages] if isinstance(outages, list) else []
    return {
        "name": str(content.get("name", "")),
        "outages": named,
        **{key: content[key] for key in PLAN_KEYS},
    }


def _indicators(file: Path, problems: list[Problem]) -> tuple[tuple[dict[str, Any], ...], str]:
    expected = "what `changtong indicators --json` printed"
    content = _read(file, expected, problems)
    totals = content.get("totals")
    if not content:
        return (), ""
    right = isinstance(totals, dict) and totals and all(
        isinstance(one, dict) and _number(one.get("value")) and _number(one.get("day_before"))
        for one in totals.values()
    )  # fmt: skip
    if not right:
        problems.append(Problem(CODE, "it holds no indicators.", str(file), expected=expected))
        return (), ""
    assert isinstance(totals, dict)
    kept = tuple(
        {"indicator": str(name), "value": one.get("value"), "day_before": one.get("day_before")}
        for name, one in totals.items()
    )
    return kept, str(content.get("day", ""))
