"""Reading a scorecard folder: one TOML file, tables beside it; every problem told at once."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from changtong._tables import ASSESSMENT_SET, CARD_TABLES
from changtong.assessment.card_checks import CARD_CHECKS, Steps
from changtong.assessment.data_checks import DATA_CHECKS, check_refused
from changtong.assessment.scorecard import STAGE_DAYS, CardHead, Scorecard
from changtong.errors import InputError, Problem, UsageError
from changtong.network.assembly import Assembly, assemble_tables
from changtong.network.findings import Findings, NearestNames
from changtong.network.folder import read_folder

CARD_FILE = "scorecard.toml"
LAST_YEAR = "last_year"
HEAD_LIMITS: dict[str, tuple[float, float]] = {
    "year": (1900, 2999),
    "base": (-100_000, 100_000),
    "least_points": (-100_000, 100_000),
    "most_points": (-100_000, 100_000),
    "max_deduction": (0, 100_000),
    "max_bonus": (0, 100_000),
    "decimals": (0, 6),
    "disagreement_above": (0, 1000),
}
CHOICES = {"pass_through_of": ("charged", "own"), "missing_marks": ("refuse", "others_count")}
PROVENANCE = {"kind": "provenance", "source": "source", "note": "note", "note_en": "note_en"}
DAYS = ("begin", "end", *STAGE_DAYS)
KINDS = ("official", "example", "synthetic")


def read_scorecard(path: str | os.PathLike[str], *, to_fill: bool = False) -> Scorecard:
    """Read a scorecard folder.

    Parameters
    ----------
    path : path
        Folder with ``scorecard.toml``, ``subjects.csv`` and as known the other tables of
        ``docs/assessment-tables.md``, as CSV or Parquet; ``last_year/`` may hold an earlier result.
    to_fill : bool
        Its values are still to be computed: those that may not be missing may be so.

    Raises
    ------
    InputError
        With every problem of every file.

    Examples
    --------
    >>> read_scorecard("examples/assessment/firm-credit").head.base  # doctest: +SKIP
    80.0
    """
    folder, findings = Path(path), Findings()
    found = read_folder(folder, findings, ASSESSMENT_SET)
    if not folder.is_dir():
        raise InputError(findings.errors)
    content = _content(folder / CARD_FILE, findings)
    head = _head(content, findings)
    frames = dict(found.frames)
    for name, frame in card_tables(content, findings).items():
        if name in frames:
            message = f"{CARD_FILE} and {found.files[name]} both hold {name}."
            findings.add(Problem("ambiguous-table", message, CARD_FILE, expected="one of the two"))
        frames[name] = frame
    files = {name: f"{CARD_FILE} [[{name}]]" for name in CARD_TABLES} | found.files
    last_year = _last_year(folder / LAST_YEAR, findings)
    return _scorecard(head, frames, findings, files, last_year, to_fill=to_fill)


def build_scorecard(
    head: CardHead,
    tables: Mapping[str, pl.DataFrame],
    last_year: pl.DataFrame | None = None,
    *,
    to_fill: bool = False,
) -> Scorecard:
    """Build a scorecard from frames, checked as those of a folder.

    Parameters
    ----------
    head : CardHead
    tables : mapping
        ``subjects`` and as known the other tables of ``docs/assessment-tables.md``.
    last_year : polars.DataFrame, optional
        ``subject_id``, ``score`` and ``rank``.
    to_fill : bool
        As of `read_scorecard`.

    Raises
    ------
    InputError
        With every problem.
    UsageError
        A table that is not a polars frame.
    """
    for name, frame in tables.items():
        if not isinstance(frame, pl.DataFrame):
            raise UsageError(f"table {name!r} is a {type(frame).__name__}; expected a polars.DataFrame.")
    return _scorecard(head, tables, Findings(), {}, last_year, to_fill=to_fill)


def _scorecard(
    head: CardHead | None,
    frames: Mapping[str, pl.DataFrame],
    findings: Findings,
    files: Mapping[str, str],
    last_year: pl.DataFrame | None,
    *,
    to_fill: bool,
) -> Scorecard:
    made = assemble_tables(frames, findings, files=files, table_set=ASSESSMENT_SET)
    steps: Steps = {}
    for check in CARD_CHECKS:
        check(made, head, steps)
    for look in DATA_CHECKS:
        if not (to_fill and look is check_refused):
            look(made, head)
    if findings.errors or head is None:
        raise InputError(findings.errors)
    return Scorecard(head, **_tables(made), steps=steps, last_year=last_year)


def _tables(made: Assembly) -> dict[str, pl.DataFrame]:
    return {name: made.tables[name] for name in ASSESSMENT_SET.names}


def _wrong(message: str, key: str | None, expected: str, hint: str = "") -> Problem:
    return Problem("bad-scorecard", message, CARD_FILE, None, key, expected=expected, hint=hint)


def _content(path: Path, findings: Findings) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"the card cannot be read ({error})."
        findings.add(_wrong(message, None, "a TOML file, see docs/assessment.md"))
        return {}


def _head(content: Mapping[str, Any], findings: Findings) -> CardHead | None:
    """Return what the card says of itself, or None where that cannot be read."""
    if not content:
        return None
    known = ("scorecard", "provenance", *CARD_TABLES)
    for key in content:
        if key not in known:
            hint = NearestNames(known).hint(key)
            findings.add(_wrong(f'"{key}" is unknown.', key, "one of " + ", ".join(known), hint))
    before = len(findings.errors)
    values: dict[str, Any] = {}
    named = {item.name: item for item in fields(CardHead)}
    mine = [name for name in named if name not in PROVENANCE.values()]
    _take(content.get("scorecard"), "scorecard", {name: name for name in mine}, values, findings)
    _take(content.get("provenance"), "provenance", PROVENANCE, values, findings)
    for name, item in named.items():
        if item.default is MISSING and name not in values and name != "name_en":
            where = "provenance" if name in PROVENANCE.values() else "scorecard"
            findings.add(_wrong(f"no {name} in [{where}].", name, "a value"))
    values.setdefault("name_en", values.get("name_zh", ""))
    return CardHead(**values) if len(findings.errors) == before else None


def _take(
    part: Any, section: str, keys: Mapping[str, str], values: dict[str, Any], findings: Findings
) -> None:
    """Take the values of a section of the head, each checked."""
    if not isinstance(part, dict):
        findings.add(_wrong(f"no section [{section}].", section, "a section, see docs/assessment.md"))
        return
    for key, value in part.items():
        if key not in keys:
            hint = NearestNames(keys).hint(key)
            said = f'"{key}" of [{section}] is unknown.'
            findings.add(_wrong(said, key, "one of " + ", ".join(keys), hint))
            continue
        name = keys[key]
        made: float | str | None
        if name in HEAD_LIMITS:
            made, expected = _number(value, name)
        else:
            choices = KINDS if name == "provenance" else CHOICES.get(name, ())
            if name in DAYS and isinstance(value, date) and not isinstance(value, datetime):
                value = value.isoformat()
            known = isinstance(value, str) and (value in choices or not choices)
            made = value if known and (value.strip() or name.startswith("note")) else None
            expected = "one of " + ", ".join(choices) if choices else "a text"
        if made is None:
            findings.add(_wrong(f"{value!s} is not allowed.", key, expected))
        else:
            values[name] = made


def _number(value: Any, name: str) -> tuple[float | int | None, str]:
    low, high = HEAD_LIMITS[name]
    whole = name in ("year", "decimals")
    expected = f"{'a whole number' if whole else 'a number of at most 6 decimals'}, {low:g} … {high:g}"
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or (whole and isinstance(value, Decimal))
    ):
        return None, expected
    if not math.isfinite(value) or not low <= value <= high or round(value, 6) != value:
        return None, expected
    return (int(value) if whole else float(value)), expected


def card_tables(content: Mapping[str, Any], findings: Findings) -> dict[str, pl.DataFrame]:
    """Return the arrays of tables of a card as frames of text, which are typed with the others.

    Parameters
    ----------
    content : mapping
        Of the TOML file.
    findings : Findings
    """
    frames = {}
    for name in CARD_TABLES:
        rows = content.get(name)
        if rows is None:
            continue
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            findings.add(_wrong(f"{name} is no array of tables.", name, f"[[{name}]]"))
            continue
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = {key: [_cell(row.get(key)) for row in rows] for key in columns}
        frames[name] = pl.DataFrame(cells, schema=dict.fromkeys(columns, pl.String))
    return frames


def _cell(value: Any) -> str | None:
    """Return a value of TOML as the text a CSV would hold."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        pairs = all(isinstance(part, list) for part in value)
        return "; ".join(":".join(map(str, part)) for part in value) if pairs else ", ".join(map(str, value))
    return str(value)


def _last_year(folder: Path, findings: Findings) -> pl.DataFrame | None:
    """Read the scores of an earlier result."""
    path = folder / "scores.csv"
    if not folder.exists():
        return None
    try:
        frame = pl.read_csv(path, schema_overrides={"subject_id": pl.String})
        scores = frame.select("subject_id", pl.col("score").cast(pl.Float64), pl.col("rank").cast(pl.Int64))
        if scores["subject_id"].is_duplicated().any():
            raise ValueError("a subject is there twice")
        return scores
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        message = f"last year's result cannot be read ({str(error).splitlines()[0]})."
        expected = "subject_id, score and rank, as in a saved result"
        findings.add(Problem("bad-last-year", message, f"{LAST_YEAR}/scores.csv", expected=expected))
        return None
