"""The frames of a county plan read from CSV: columns, types and names checked, all problems told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings, NearestNames, rows_where
from changtong.rural.county_plan import CountyPlan
from changtong.rural.plan_schemas import PLAN_TABLES
from changtong.rural.result_write import TOTALS

CLOCK = r"^([01]\d|2[0-9]|3[0-9]|4[0-7]):[0-5]\d:[0-5]\d$"
"""A time of the day, or of the night after it, as HH:MM:SS."""

WEEKDAYS = r"^1?2?3?4?5?6?7?$"
FORMS = {
    "weekdays": (WEEKDAYS, "digits 1 (Monday) to 7 (Sunday) in order, for example 135"),
    "departs": (CLOCK, "HH:MM:SS"),
    "returns": (CLOCK, "HH:MM:SS"),
    "arrives": (CLOCK, "HH:MM:SS"),
    "ready": (CLOCK, "HH:MM:SS"),
}
"""Column -> pattern of its texts, and how that is said."""

MAY_BE_EMPTY = {"kgco2e", "hours_to_delivery", "cold_hours", "ready", "firm", "reason"}
TIERS = ("trunk", "local", "bus")


def read_plan(folder: Path, sites: Iterable[str], findings: Findings) -> CountyPlan | None:
    """Read a plan's folder.

    Parameters
    ----------
    folder : Path
        With ``routes.csv`` and so on, and ``summary.json``.
    sites : iterable of str
        Ids of the county's sites.
    findings : Findings
        Gets every problem.

    Returns
    -------
    CountyPlan or None
        None where something is wrong.
    """
    before = len(findings.errors)
    frames = {
        name: read_table(folder / f"{name}.csv", schema, findings) for name, schema in PLAN_TABLES.items()
    }
    summary = read_object(folder / "summary.json", findings)
    if len(findings.errors) > before:
        return None
    known = {name: frame for name, frame in frames.items() if frame is not None}
    _check_frames(folder, known, set(sites), findings)
    totals = _totals(folder, summary, findings)
    if len(findings.errors) > before:
        return None
    return CountyPlan(
        name=str(summary.get("name", folder.name)),
        routes=known["routes"],
        stops=known["stops"],
        stations=known["stations"],
        villages=known["villages"],
        unserved=known["unserved"],
        **totals,
    )


def read_table(path: Path, schema: Mapping[str, pl.DataType], findings: Findings) -> pl.DataFrame | None:
    """Read a CSV file with these columns; others are left out, with a warning.

    Parameters
    ----------
    path : Path
    schema : mapping
        Column -> type.
    findings : Findings
        Gets every problem.
    """
    where = _where(path)
    if not path.is_file():
        findings.add(Problem("missing-file", "the file is missing.", where, expected="a CSV file"))
        return None
    try:
        frame = read_csv_file(path, schema, schema, findings, {})
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"the file cannot be read ({str(error).splitlines()[0]})."
        findings.add(Problem("unreadable-file", message, where, expected="a CSV file"))
        return None
    if frame is None:
        return None
    frame = frame.rename({name: name.strip() for name in frame.columns if name.strip() not in frame.columns})
    for name in frame.columns:
        if name not in schema:
            message = f'the column "{name}" is not known; it was not read.'
            hint = NearestNames(schema).hint(name)
            findings.add(Problem("unknown-column", message, where, 0, name, hint=hint, severity="warning"))
    bad = False
    for name, wanted in schema.items():
        if name not in frame.columns:
            message = f'the column "{name}" is missing.'
            findings.add(Problem("missing-column", message, where, 0, name, expected=str(wanted)))
            bad = True
        elif frame[name].dtype != wanted:
            bad = True
            cast = frame[name].cast(wanted, strict=False)
            _add_rows(
                findings,
                cast.is_null() & frame[name].is_not_null(),
                "wrong-type",
                where,
                frame[name],
                str(wanted),
            )
    return None if bad else frame.select(list(schema))


def read_object(path: Path, findings: Findings) -> dict[str, Any]:
    """Read a JSON object; an empty one where it is missing or none, which is told.

    Parameters
    ----------
    path : Path
    findings : Findings
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(content, dict):
            return content
        said = "the file holds no JSON object."
    except FileNotFoundError:
        findings.add(Problem("missing-file", "the file is missing.", _where(path), expected="a JSON object"))
        return {}
    except (OSError, ValueError, RecursionError) as error:
        said = f"the file cannot be read ({str(error).splitlines()[0]})."
    findings.add(Problem("unreadable-file", said, _where(path), expected="a JSON object"))
    return {}


def _where(path: Path) -> str:
    """Name a file by its folder and its name: each answer has files of the same names."""
    return f"{path.parent.name}/{path.name}"


def _totals(folder: Path, summary: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in TOTALS:
        value = summary.get(key)
        number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
        if not number and not (key == "kgco2e" and value is None):
            code = "missing-value" if value is None else "wrong-type"
            where = _where(folder / "summary.json")
            findings.add(Problem(code, f"{key} is {value!r}.", where, None, key, expected="a number"))
            continue
        found[key] = None if value is None else float(value)
    return found


def _check_frames(
    folder: Path, frames: Mapping[str, pl.DataFrame], sites: set[str], findings: Findings
) -> None:
    for table, frame in frames.items():
        where = _where(folder / f"{table}.csv")
        for column in frame.columns:
            values = frame[column]
            if column not in MAY_BE_EMPTY:
                _add_rows(findings, values.is_null(), "missing-value", where, values, "a value")
            if values.dtype.is_float():
                _add_rows(findings, ~values.is_finite(), "not-finite", where, values, "a finite number")
            if column in FORMS:
                form, said = FORMS[column]
                _add_rows(findings, ~values.str.contains(form), "bad-time", where, values, said)
            if column in ("site_id", "from_site"):
                _add_rows(
                    findings,
                    ~values.is_in(list(sites)),
                    "unknown-site",
                    where,
                    values,
                    "a site of the county",
                )
    routes, stops = frames["routes"], frames["stops"]
    where = _where(folder / "routes.csv")
    _add_rows(
        findings, ~routes["tier"].is_in(TIERS), "unknown-value", where, routes["tier"], " or ".join(TIERS)
    )
    _add_rows(
        findings,
        routes["route_id"].is_duplicated(),
        "duplicate-route",
        where,
        routes["route_id"],
        "each once",
    )
    where = _where(folder / "stops.csv")
    known = stops["route_id"].is_in(routes["route_id"].implode())
    _add_rows(findings, ~known, "unknown-route", where, stops["route_id"], "a route of routes.csv")


def _add_rows(
    findings: Findings, wrong: pl.Series, code: str, where: str, values: pl.Series, expected: str
) -> None:
    def make(row: int) -> Problem:
        return Problem(code, f"the value is {values[row]!r}.", where, row + 1, values.name, expected=expected)

    rows = rows_where(wrong)
    if len(rows):
        findings.add_rows(rows, make)
