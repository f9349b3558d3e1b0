"""Figures for a situation report: of a plan folder and of indicators, as their own files say them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem

CODE = "bad-figures"
PLAN_KEYS = ("demand_pieces", "unserved_pieces", "late_pieces", "cost_cny", "changed_legs")
MOST_BYTES = 50_000_000
PLAN_EXPECTED = "a plan folder, as `changtong plan -o` writes it"
DAYS_EXPECTED = "what `changtong indicators --json` printed"


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

    def to_data(self) -> dict[str, Any]:
        """Return them as the log of a case keeps them: nothing where there are none."""
        of_plan = {} if self.plan is None else {"plan": dict(self.plan)}
        if not self.indicators:
            return of_plan
        return of_plan | {"indicators": [dict(one) for one in self.indicators], "day": self.day}


NO_FIGURES = Figures()


def figures_on_record(data: Mapping[str, Any]) -> Figures:
    """Return the figures that an entry of a log keeps.

    Parameters
    ----------
    data : mapping
        Of an entry ``situation_report``.

    Examples
    --------
    >>> figures_on_record({"number": 1}).to_data()
    {}
    """
    kept = data.get("figures", {})
    return Figures(kept.get("plan"), tuple(kept.get("indicators", ())), kept.get("day", ""))


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
    of_plan = None if plan is None else _read(plan / "plan.json", PLAN_EXPECTED, problems)
    of_days = None if indicators is None else _read(indicators, DAYS_EXPECTED, problems)
    if problems:
        raise InputError(problems)
    return figures_in(of_plan, of_days, (str(plan), str(indicators)))


def figures_in(
    plan: Mapping[str, Any] | None, indicators: Mapping[str, Any] | None, places: tuple[str, str]
) -> Figures:
    """Return the figures of a plan's summary and of a summary of indicators.

    Parameters
    ----------
    plan, indicators : mapping or None
        As ``plan --json`` and ``indicators --json`` print them.
    places : tuple of str
        What an error names them.

    Raises
    ------
    InputError
        ``bad-figures``, with every problem.
    """
    problems: list[Problem] = []
    of_plan = None if plan is None else _plan(plan, places[0], problems)
    rows, day = ((), "") if indicators is None else _indicators(indicators, places[1], problems)
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
    return value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    )


def _plan(content: Mapping[str, Any], place: str, problems: list[Problem]) -> dict[str, Any] | None:
    summary = content.get("summary")
    content = summary if isinstance(summary, dict) else content
    if not all(key in content and _number(content[key]) for key in PLAN_KEYS):
        problems.append(Problem(CODE, "it holds no figures of a plan.", place, expected=PLAN_EXPECTED))
        return None
    outages = content.get("outages")
    named = [str(one) for one in outages] if isinstance(outages, list) else []
    return {
        "name": str(content.get("name", "")),
        "outages": named,
        **{key: content[key] for key in PLAN_KEYS},
    }


def _indicators(
    content: Mapping[str, Any], place: str, problems: list[Problem]
) -> tuple[tuple[dict[str, Any], ...], str]:
    totals = content.get("totals")
    right = isinstance(totals, dict) and totals and all(
        isinstance(one, dict) and _number(one.get("value")) and _number(one.get("day_before"))
        for one in totals.values()
    )  # fmt: skip
    if not right:
        problems.append(Problem(CODE, "it holds no indicators.", place, expected=DAYS_EXPECTED))
        return (), ""
    assert isinstance(totals, dict)
    kept = tuple(
        {"indicator": str(name), "value": one.get("value"), "day_before": one.get("day_before")}
        for name, one in totals.items()
    )
    return kept, str(content.get("day", ""))
