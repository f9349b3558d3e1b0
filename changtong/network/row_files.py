"""Rows of a table from a file as offices keep them: CSV in any encoding, or a sheet of an XLSX workbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings
from changtong.workbook_sheets import ENDING, Sheet, read_sheet


def read_row_file(
    file: Path,
    table: str,
    known: Iterable[str],
    wanted: Mapping[str, pl.DataType],
    findings: Findings,
    encodings: dict[str, str],
) -> pl.DataFrame | None:
    """Read a CSV file, or of an ``.xlsx`` file the sheet named as the table, else its first one.

    Parameters
    ----------
    file : Path
    table : str
        What is read.
    known, wanted, findings, encodings
        As `changtong.network.csv_files.read_csv_file` takes them. Problems of a workbook name the sheet, and
        count rows from 1 below the header.

    Returns
    -------
    polars.DataFrame or None
        None where the file cannot be read (the reason is in ``findings``).
    """
    if file.suffix.lower() != ENDING:
        return read_csv_file(file, known, wanted, findings, encodings)
    try:
        sheet = read_sheet(file, table)
    except InputError as error:
        for problem in error.problems:
            findings.add(problem)
        return None
    encodings[file.name] = f"xlsx, sheet {sheet.name}"
    return _frame(sheet, f"{file.name}[{sheet.name}]", wanted, findings)


def _frame(
    sheet: Sheet, label: str, wanted: Mapping[str, pl.DataType], findings: Findings
) -> pl.DataFrame | None:
    if not sheet.rows:
        findings.add(
            Problem("empty-file", "the sheet has no header.", label, expected="a row of column names")
        )
        return None
    header = [name.strip() for name in sheet.rows[0]]
    while header and not header[-1]:
        header.pop()
    rows = sheet.rows[1:]
    for name in sorted({one for one in header if one and header.count(one) > 1}):
        text = f'the column "{name}" is there {header.count(name)} times.'
        findings.add(Problem("duplicate-column", text, label, 0, name, expected="each column once"))
    nameless = [
        number
        for number, row in enumerate(rows, 1)
        if any(cell.strip() and not (k < len(header) and header[k]) for k, cell in enumerate(row))
    ]
    findings.add_rows(
        nameless,
        lambda row: Problem(
            "bad-row", "a cell stands in a column without a name.", label, row,
            expected="a name in the first row above it",
        ),
    )  # fmt: skip
    if nameless:
        return None
    made: dict[str, pl.Series] = {}
    for k, name in enumerate(header):
        if name and name not in made:
            cells = [(row[k] if k < len(row) else "") or None for row in rows]
            made[name] = _typed(pl.Series(name, cells, pl.String), wanted.get(name, pl.String()))
    return pl.DataFrame(made)


def _typed(cells: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return cells by their type where every one fits, else as text: then each wrong one is told."""
    if dtype == pl.String:
        return cells
    text = cells.str.strip_chars()
    if dtype == pl.Boolean:
        made = text.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    elif dtype == pl.Date:
        made = text.str.to_date("%Y-%m-%d", strict=False)
    else:
        made = text.cast(dtype, strict=False)
    return made if made.null_count() == cells.null_count() else cells
