"""Columns of a table as it came: their names, blank rows, and those the table does not know."""

from __future__ import annotations

import polars as pl

from changtong._tables import Table
from changtong.errors import Problem
from changtong.network.cells import Place
from changtong.network.findings import Findings, NearestNames, rows_where


def tidy_names(frame: pl.DataFrame, file: str, findings: Findings) -> pl.DataFrame:
    """Trim column names (spaces, byte order mark).

    Parameters
    ----------
    frame : polars.DataFrame
    file : str
    findings : Findings
    """
    trimmed = {name: name.strip("\ufeff \t\u3000") for name in frame.columns}
    changed = {old: new for old, new in trimmed.items() if old != new and new not in frame.columns}
    for old, new in changed.items():
        message = f'spaces around the column name "{old}" were left out.'
        findings.add(Problem("spaces-trimmed", message, file, 0, new, severity="warning"))
    return frame.rename(changed)


def blank_rows(frame: pl.DataFrame, place: Place, findings: Findings) -> pl.Series | None:
    """Report rows without any value, which spreadsheets like to add.

    Parameters
    ----------
    frame : polars.DataFrame
    place : Place
    findings : Findings
    """
    if frame.width == 0 or not frame.to_series(0).null_count():
        return None
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    rows = rows_where(blank)
    if len(rows):
        message = f"{len(rows)} row{'s' if len(rows) > 1 else ''} without any value left out."
        row = int(rows[0]) + 1
        findings.add(Problem("blank-row", message, place.file, row, severity="warning"), count=len(rows))
    return blank


def check_columns(frame: pl.DataFrame, table: Table, file: str, findings: Findings) -> dict[str, str]:
    """Report missing and unknown columns; return required ones with the columns probably meant.

    Parameters
    ----------
    frame : polars.DataFrame
    table : Table
    file : str
    findings : Findings
    """
    unknown = [name for name in frame.columns if name not in table]
    meant: dict[str, str] = {}
    absent = [name for name in table.required if name not in frame.columns]
    if absent and frame.width == 0 and frame.height == 0:
        absent = []  # no table at all is another problem
    for name in absent:
        hint = NearestNames(unknown).hint(name)
        if hint:
            meant[name] = hint.split('"')[1]
            unknown.remove(meant[name])
            hint = f'The column "{meant[name]}" seems to be meant: name it {name}.'
        seen = ", ".join(frame.columns) or "none"
        problem = Problem(
            "missing-column", f"no column {name}; there is {seen}.", file, 0, name, expected=name, hint=hint
        )
        findings.add(problem)
    nearest = NearestNames(name for name in table.columns if name not in frame.columns)
    for name in unknown:
        problem = Problem(
            "unknown-column",
            f'the column "{name}" is kept but not used.',
            file,
            0,
            name,
            hint=nearest.hint(name),
            severity="warning",
        )
        findings.add(problem)
    return meant


def further_column(column: pl.Series, place: Place, findings: Findings) -> pl.Series:
    """Keep a column the table does not know, in one of the types a folder can hold.

    Parameters
    ----------
    column : polars.Series
    place : Place
    findings : Findings
    """
    dtype = column.dtype
    if dtype in (pl.Boolean, pl.Date, pl.Int64, pl.Float64):
        return column
    if dtype == pl.String:
        trimmed = column.str.strip_chars()
        return pl.select(pl.when(trimmed != "").then(trimmed).alias(column.name)).to_series()
    if dtype == pl.Null or isinstance(dtype, pl.Enum | pl.Categorical):
        return further_column(column.cast(pl.String), place, findings)
    if dtype.is_integer():
        wide = column.cast(pl.Int64, strict=False)
        return wide if wide.null_count() == column.null_count() else column.cast(pl.Float64)
    if dtype.is_numeric():
        return column.cast(pl.Float64)
    expected = "text, numbers, true/false or dates"
    message = f"cells are {dtype}, which a folder cannot hold."
    findings.add(place.problem("wrong-type", message, expected=expected))
    return pl.Series(column.name, [None] * len(column), pl.String)
