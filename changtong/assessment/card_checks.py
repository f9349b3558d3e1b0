"""Checks of a card itself, beyond its single cells: weights, steps, levels, bands, vetoes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl

from changtong.assessment.exact import WEIGHT_DECIMALS, is_finer
from changtong.assessment.scorecard import STAGE_DAYS, CardHead, split_list
from changtong.assessment.value_sources import unit_of, value_sources
from changtong.errors import Problem
from changtong.network.assembly import Assembly
from changtong.network.findings import NearestNames, rows_where

Steps = dict[str, tuple[tuple[float, float], ...]]
CardCheck = Callable[[Assembly, CardHead | None, Steps], None]

WEIGHTS = {("sections", "weight"), ("departments", "weight")}
SHARES = {("pass_through", "deductions_permille"), ("pass_through", "bonus_permille")}
EXACT = {
    "sections": ("weight", "start_points", "full_points", "max_deduction", "max_bonus"),
    "indicators": ("max_points", "zero_at", "full_at"),
    "rules": ("points", "max_points", "score_at_most"),
    "bands": ("from_points",),
    "departments": ("weight",),
    "pass_through": ("deductions_permille", "bonus_permille"),
    "marks": ("points",),
}
"""Columns that are counted exactly."""


def tell(
    made: Assembly, table: str, column: str, index: int | None, message: str, expected: str, hint: str = ""
) -> None:
    """Add a problem of the card.

    Parameters
    ----------
    made : Assembly
    table, column : str
    index : int or None
        Row of the typed table.
    message, expected, hint : str
    """
    row = None if index is None else made.row(table, index)
    problem = Problem("bad-scorecard", message, made.file(table), row, column, expected=expected, hint=hint)
    made.findings.add(problem)


def check_exact(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """Numbers have no more decimals than are counted."""
    for table, columns in EXACT.items():
        for column in columns:
            short = (table, column) in WEIGHTS | SHARES
            decimals = WEIGHT_DECIMALS if short else 6
            frame = made.tables[table]
            made.findings.add_rows(
                rows_where(is_finer(frame[column], decimals)),
                lambda row, frame=frame, table=table, column=column, decimals=decimals: Problem(  # type: ignore[misc]
                    "too-fine",
                    f"{frame[column][row]!r} has too many decimals to be counted exactly.",
                    made.file(table),
                    made.row(table, row),
                    column,
                    expected=f"at most {decimals} decimals",
                ),
            )


def check_weights(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """Sections have weights all or none, and then full points and no caps of the whole."""
    sections = made.tables["sections"]
    given = sections["weight"].count()
    if not given:
        return
    if given < sections.height:
        for row in rows_where(sections["weight"].is_null()):
            tell(made, "sections", "weight", int(row), "no weight.", "weights of all sections or of none")
    elif not sections["weight"].sum():
        tell(made, "sections", "weight", None, "all weights are 0.", "at least one above 0")
    for key in ("max_deduction", "max_bonus"):
        if head is not None and getattr(head, key) is not None:
            message = f"{key} of the whole card has no meaning where sections have weights."
            tell(made, "sections", key, None, message, f"{key} of sections", "Leave it out of [scorecard].")
    indicators = made.tables["indicators"]
    for row, (section, start, full) in enumerate(
        sections.select("section_id", "start_points", "full_points").iter_rows()
    ):
        brought = float(
            indicators.filter(pl.col("section_id").cast(pl.String) == section)["max_points"].sum()
        )
        if (full if full is not None else (start or 0.0) + brought) <= 0:
            expected = "full_points, start_points or indicators with points"
            tell(made, "sections", "full_points", row, "the section has no full points.", expected)


def check_something(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """A card assesses something, and departments are of use."""
    whole = made.tables["departments"].filter(pl.col("from_facts"))
    if not made.tables["rules"].height and not made.tables["indicators"].height and not whole.height:
        tell(made, "rules", "rule_id", None, "the card has no rules and no indicators.", "at least one")
    if whole.height > 1:
        tell(made, "departments", "from_facts", None, "several departments are from_facts.", "at most one")


def check_indicators(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """Each indicator has what its scoring needs, and a better value never brings less."""
    departments = made.tables["departments"]
    names = departments["department_id"].cast(pl.String).to_list()
    marking = departments.filter((pl.col("weight") > 0) & ~pl.col("from_facts"))["department_id"].cast(
        pl.String
    )
    nearest = NearestNames(names)
    for row, one in enumerate(made.tables["indicators"].iter_rows(named=True)):
        if one["scoring"] == "linear":
            _check_linear(made, row, one["zero_at"], one["full_at"], one["direction"])
        elif one["scoring"] == "steps":
            found = _steps(made, row, one["steps"], one["max_points"], one["direction"])
            if found:
                steps[str(one["indicator_id"])] = found
        listed = split_list(one["departments"])
        for name in listed:
            if name not in names:
                expected = "ids of the table departments"
                problem = f'no department "{name}".'
                tell(made, "indicators", "departments", row, problem, expected, nearest.hint(name))
        if one["scoring"] == "marks" and not set(listed or names) & set(marking):
            message = "no department with weight marks it."
            tell(made, "indicators", "departments", row, message, "a department with a weight above 0")


def _check_linear(made: Assembly, row: int, zero: float | None, full: float | None, direction: str) -> None:
    if zero is None or full is None or zero == full:
        message = "linear scoring needs two values."
        tell(made, "indicators", "zero_at", row, message, "zero_at and full_at, which differ")
    elif (full > zero) != (direction == "more"):
        message = f"{direction} is said to be better, but zero_at is {zero:g} and full_at {full:g}."
        tell(made, "indicators", "direction", row, message, "more where full_at is above zero_at, else less")


def _steps(
    made: Assembly, row: int, text: str | None, most: float, direction: str
) -> tuple[tuple[float, float], ...]:
    """Return the steps of an indicator by rising points; nothing where they are wrong."""
    expected = "pairs of value and points, as 0.9:5; 0.98:10"
    try:
        parts = [part.split(":") for part in (text or "").replace("；", ";").split(";") if part.strip()]
        found = sorted(((float(value), float(points)) for value, points in parts), key=lambda step: step[1])
    except ValueError:
        found = []
    if not found:
        tell(made, "indicators", "steps", row, f'"{text or ""}" are no steps.', expected)
        return ()
    values = [value for value, _ in found]
    rising = all(one < other for one, other in zip(values, values[1:], strict=False))
    falling = all(one > other for one, other in zip(values, values[1:], strict=False))
    if len({points for _, points in found}) < len(found) or not (rising if direction == "more" else falling):
        message = f"a better value would bring no more points ({direction} is better)."
        tell(made, "indicators", "steps", row, message, "points that rise with better values")
        return ()
    series = pl.Series([part for step in found for part in step])
    if found[-1][1] > most or found[0][1] < 0 or is_finer(series, 6).any():
        expected = f"points 0 … {most:g} with at most 6 decimals"
        tell(made, "indicators", "steps", row, f'"{text}" is outside what it can bring.', expected)
        return ()
    return tuple(found)


def check_rules(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """Rules that deduct or add say how much; vetoes say what is left."""
    bands = made.tables["bands"]["band_id"].cast(pl.String).to_list()
    for row, one in enumerate(made.tables["rules"].iter_rows(named=True)):
        if one["effect"] != "veto":
            if one["points"] is None:
                tell(made, "rules", "points", row, "no points.", "the points of one hit")
            continue
        if one["score_at_most"] is None and one["band_at_most"] is None:
            message = "the veto says nothing of what is left."
            tell(made, "rules", "score_at_most", row, message, "score_at_most or band_at_most")
        if one["band_at_most"] is not None and one["band_at_most"] not in bands:
            hint = NearestNames(bands).hint(one["band_at_most"])
            message = f'no band "{one["band_at_most"]}".'
            tell(made, "rules", "band_at_most", row, message, "an id of the table bands", hint)
    again = made.tables["bands"]["from_points"].is_duplicated()
    for row in rows_where(again):
        tell(made, "bands", "from_points", int(row), "two bands begin here.", "a begin of its own for each")


def check_levels(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """Levels named by the card are levels of subjects."""
    levels = made.tables["subjects"]["level"].unique(maintain_order=True).to_list()
    if not levels:
        return
    nearest = NearestNames(levels)
    for table, column in (("indicators", "levels"), ("rules", "levels"), ("pass_through", "level")):
        for row, text in enumerate(made.tables[table][column].to_list()):
            for level in split_list(text):
                if level not in levels:
                    problem = Problem(
                        "unknown-subject-level",
                        f'no subject has the level "{level}".',
                        made.file(table),
                        made.row(table, row),
                        column,
                        expected="one of " + ", ".join(levels[:20]),
                        hint=nearest.hint(level),
                        severity="warning" if table != "pass_through" else "error",
                    )
                    made.findings.add(problem)


def check_sources(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """What values and findings come from is on the list, for indicators that are measured and for rules."""
    for table, gives in (("indicators", "value"), ("rules", "finding")):
        known = [name for name, one in value_sources().items() if one.gives == gives]
        for row, source in enumerate(made.tables[table]["source"].to_list()):
            if source is None:
                continue
            if source not in known:
                problem = Problem(
                    "unknown-source",
                    f'nothing of {table} comes from "{source}".',
                    made.file(table),
                    made.row(table, row),
                    "source",
                    expected="one of " + ", ".join(known),
                    hint=NearestNames(known).hint(source),
                )
                made.findings.add(problem)
            elif table == "indicators" and made.tables[table]["scoring"][row] == "marks":
                message = "what departments mark comes from nowhere else."
                tell(made, table, "source", row, message, "a source, or scoring by marks")
            elif table == "indicators" and made.tables[table]["unit"][row] not in (None, unit_of(source)):
                message = f"{source} is in another unit."
                tell(made, table, "unit", row, message, unit_of(source), "Or leave the unit out.")


def check_period(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """The days that values are computed for are days of the card's year, in order."""
    if head is None:
        return
    try:
        begin, end = head.period
    except ValueError:
        tell(made, "subjects", "begin", None, "begin or end is no day.", "YYYY-MM-DD")
        return
    if begin > end or {begin.year, end.year} != {head.year}:
        message = f"{begin} … {end} is no span of {head.year}."
        tell(made, "subjects", "begin", None, message, f"days of {head.year}, the first one first")


def check_stage_days(made: Assembly, head: CardHead | None, steps: Steps) -> None:
    """The last days of the stages are days, in the order of the stages."""
    if head is None:
        return
    last: tuple[date, str] | None = None
    for name in STAGE_DAYS:
        text = getattr(head, name)
        if not text:
            continue
        try:
            day = date.fromisoformat(text)
        except ValueError:
            tell(made, "subjects", name, None, f"{text} is no day.", "YYYY-MM-DD")
            continue
        if last is not None and day < last[0]:
            tell(made, "subjects", name, None, f"{text} is before {last[1]}.", f"{last[0]} or later")
        last = (day, name)


CARD_CHECKS: tuple[CardCheck, ...] = (
    check_exact,
    check_weights,
    check_something,
    check_indicators,
    check_rules,
    check_levels,
    check_sources,
    check_period,
    check_stage_days,
)
