"""What a supervising body knows: its sites, inspectors, inspections and hazards, as tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings, NearestNames


def read_table(
    path: str | os.PathLike[str], columns: Mapping[str, pl.DataType], needed: tuple[str, ...]
) -> pl.DataFrame:
    """Read a CSV file, with every problem told; columns that are not there are null.

    Parameters
    ----------
    path : path
    columns : mapping
        Name -> type of what is known; other columns are left out.
    needed : tuple of str
        Columns that must be there, without gaps.

    Raises
    ------
    InputError
        ``missing-file``, ``missing-column``, ``wrong-type``, ``missing-value``.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError([Problem("missing-file", "there is no such file.", str(path))])
    findings = Findings()
    frame = read_csv_file(file, columns, columns, findings, {})
    problems = list(findings.errors)
    if frame is None or problems:
        raise InputError(problems)
    for name in needed:
        if name not in frame.columns:
            hint = NearestNames(frame.columns).hint(name)
            problems.append(
                Problem("missing-column", f'no column "{name}".', file.name, None, name, hint=hint)
            )
    made: dict[str, pl.Series] = {}
    for name, dtype in columns.items():
        if name not in frame.columns:
            made[name] = pl.Series(name, [None] * frame.height, dtype)
            continue
        cells = frame[name]
        typed = _typed(cells, dtype)
        for row in (typed.is_null() & cells.is_not_null()).arg_true().head(50):
            message, expected = f"{cells[row]!r} is not allowed.", _words(dtype)
            problems.append(Problem("wrong-type", message, file.name, row + 1, name, expected))
        if name in needed:
            for row in cells.is_null().arg_true().head(50):
                problems.append(Problem("missing-value", "the cell is empty.", file.name, row + 1, name))
        made[name] = typed
    if problems:
        raise InputError(problems)
    return pl.DataFrame(made)


def _typed(cells: pl.Series, dtype: pl.DataType) -> pl.Series:
    if cells.dtype == dtype:
        return cells
    text = cells.cast(pl.String).str.strip_chars()
    if dtype == pl.Boolean:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    if dtype == pl.Date:
        return text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return text.cast(dtype, strict=False)


def _words(dtype: pl.DataType) -> str:
    words = {
        "Float64": "a number",
        "Int64": "a whole number",
        "Date": "YYYY-MM-DD",
        "Boolean": "true or false",
    }
    return words.get(str(dtype), "a text")


def read_instants(frame: pl.DataFrame, column: str, file: str) -> pl.DataFrame:
    """Return a frame with a column of texts as instants in UTC.

    Parameters
    ----------
    frame : polars.DataFrame
    column, file : str

    Raises
    ------
    InputError
        ``wrong-type``: a text is no time, or has no offset.
    """
    at = frame[column].str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    wrong = (at.is_null() & frame[column].is_not_null()).arg_true()
    if not wrong.is_empty():
        expected = "a time with its offset, as 2026-03-02T09:00:00+08:00"
        raise InputError(
            [
                Problem("wrong-type", f"{frame[column][row]!r} is no time.", file, row + 1, column, expected)
                for row in wrong.head(50)
            ]
        )
    return frame.with_columns(at.alias(column))


SITE_NAME_SCHEMA: dict[str, pl.DataType] = {"site_id": pl.String(), "name": pl.String()}


def read_site_names(path: str | os.PathLike[str]) -> tuple[tuple[str, str], ...]:
    """Read ids and names of sites.

    Parameters
    ----------
    path : path
        CSV with ``site_id`` and, where there is one, ``name``.
    """
    frame = read_table(path, SITE_NAME_SCHEMA, ("site_id",))
    return tuple((site, name or "") for site, name in frame.iter_rows())
