"""Checks of uploaded files that no reader of one argument makes; each raises every problem it finds."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem

PLAIN = frozenset("/\\\0")
"""What no name of a file beside another holds."""


def check_outages(path: Path) -> None:
    """Check what can be said of outages without a network: that they are rows of known columns.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        ``unreadable-file``, ``bad-area``: an area is GeoJSON itself, never the name of a file.
    """
    from changtong.outage_files import KNOWN, outage_rows

    rows = outage_rows(path)
    problems = [
        Problem("unknown-column", f"{name!r} is not known.", path.name, number, str(name))
        for number, row in enumerate(rows, 1)
        for name in row.keys() - set(KNOWN)
    ]
    problems += [
        Problem("bad-area", "The area names a file.", path.name, number, "area", expected="GeoJSON itself")
        for number, row in enumerate(rows, 1)
        if isinstance(row.get("area"), str) and not row["area"].lstrip().startswith("{")
    ]
    if problems:
        raise InputError(problems)


def check_areas(path: Path) -> None:
    """Check GeoJSON polygons."""
    from changtong.emergency.polygon_files import read_polygons

    read_polygons(path, datetime.now(UTC))


def check_messages(folder: Path) -> None:
    """Check that a folder of CAP messages can be read."""
    from changtong.emergency.message_sources import read_messages

    read_messages([folder])


def check_scorecard(folder: Path) -> None:
    """Check a scorecard, whether or not its values are computed yet."""
    from changtong.assessment.card_folder import read_scorecard

    read_scorecard(folder, to_fill=True)


def check_filled(path: Path) -> None:
    """Check a file of filled forms, without the forms."""
    from changtong.safety.received import read_received

    read_received(path.read_bytes(), path.name)


def check_drill(path: Path) -> None:
    """Check a drill's script; its plan is one of the package."""
    from changtong.emergency.drill_script import read_script

    content = _toml(path)
    plan = content.get("plan")
    if isinstance(plan, str) and (set(plan) & PLAIN or plan.endswith(".toml")):
        text = "The plan is a file."
        raise InputError([Problem("bad-drill-script", text, path.name, column="plan", expected="an id")])
    read_script(path)


def check_json(path: Path) -> None:
    """Check that a file is a JSON object."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError([Problem("unreadable-file", f"{error}", path.name, expected="JSON")]) from error
    if not isinstance(content, dict):
        raise InputError([Problem("wrong-type", "This is no object.", path.name, expected="a JSON object")])


def check_toml(path: Path) -> None:
    """Check that a file is TOML."""
    _toml(path)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError([Problem("unreadable-file", f"{error}", path.name, expected="TOML")]) from error


def check_table(path: Path) -> None:
    """Check that a table can be read, with as many cells in each row as in the first."""
    import polars as pl

    from changtong.workbook_sheets import read_sheet

    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            pl.scan_parquet(path).select(pl.len()).collect()
        elif ending in (".csv", ".tsv"):
            separator = "\t" if ending == ".tsv" else ","
            pl.scan_csv(path, separator=separator, infer_schema=False).select(pl.len()).collect()
        elif ending == ".xlsx":
            read_sheet(path, path.stem)
        else:
            pl.scan_ndjson(path).select(pl.len()).collect()
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        text = str(error).split("\n")[0][:300]
        raise InputError([Problem("unreadable-file", text, path.name, expected="a table")]) from error
