"""Reading leg-day volumes: date, from_site, to_site, pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem, UsageError

COLUMNS = ("date", "from_site", "to_site", "pieces")
NOTHING = ("None", "nan", "NaN", "NaT", "<NA>")
"""How Python objects that stand for an empty cell print."""

LISTED_ROWS = 100
"""Rows listed of one kind of problem in one column."""


def read_volumes(volumes: Any, *, unique: bool = False) -> pl.DataFrame:
    """Read leg-day volumes: date, from_site, to_site, pieces (CSV, also .gz, or Parquet).

    Parameters
    ----------
    volumes : frame or path
        A polars frame, or any frame whose columns are read by name, like a pandas one. Dates are
        dates, instants (their day counts) or text, of any column type.
    unique : bool
        A leg may stand once a day only.

    Returns
    -------
    polars.DataFrame
        The four columns, typed; rows from a site to itself are left out.

    Raises
    ------
    InputError
        Missing columns, dates or numbers that cannot be read, negative pieces, and with
        ``unique`` a leg that stands twice on a day: all at once.
    UsageError
        ``volumes`` is neither a frame nor a path.

    Examples
    --------
    >>> from datetime import date
    >>> day = pl.Series([date(2021, 1, 1)], dtype=pl.Object)
    >>> rows = pl.DataFrame({"date": day, "from_site": ["A"], "to_site": ["B"], "pieces": [3]})
    >>> read_volumes(rows).row(0)
    (datetime.date(2021, 1, 1), 'A', 'B', 3.0)
    """
    name, frame = _loaded(volumes)
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise InputError(
            [
                Problem("missing-column", f"No column {c!r}.", name, column=c, expected=", ".join(COLUMNS))
                for c in missing
            ]
        )
    day, start, end = (_as_text(frame[column]) for column in COLUMNS[:3])
    pieces = frame["pieces"]
    number = pieces if pieces.dtype.is_numeric() else _as_text(pieces)
    typed = pl.DataFrame(
        [
            day.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
            start,
            end,
            number.cast(pl.Float64, strict=False),
        ]
    )
    problems = _problems(name, frame, typed)
    if unique:
        first = pl.struct(COLUMNS[:3]).is_first_distinct() | pl.col("date").is_null()
        again = typed.select(~first).to_series()
        problems += [
            Problem("duplicate-volume", "{1}>{2} stands twice on {0}.".format(*typed.row(int(r))[:3]),
                    name, int(r) + 1, "date", "each leg once a day", "Add the rows up.")
            for r in again.arg_true().head(LISTED_ROWS)
        ]  # fmt: skip
    if typed.height == 0:
        problems.append(Problem("empty-table", "No rows.", name))
    if problems:
        raise InputError(problems)
    return typed.filter(pl.col("from_site") != pl.col("to_site"))


def _loaded(volumes: Any) -> tuple[str, pl.DataFrame]:
    if isinstance(volumes, pl.DataFrame):
        return "volumes", volumes
    if isinstance(volumes, pl.LazyFrame):
        return "volumes", volumes.collect()
    if not isinstance(volumes, str | Path):
        return "volumes", _from_any_frame(volumes)
    path = Path(volumes)
    try:
        if path.suffix == ".parquet":
            return path.name, pl.read_parquet(path)
        return path.name, pl.read_csv(path, infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise InputError([Problem("empty-file", "The file holds nothing.", path.name)]) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError([Problem("unreadable-file", str(error), path.name)]) from error


def _from_any_frame(volumes: Any) -> pl.DataFrame:
    """Return the columns of a frame of another library, cell by cell as Python objects."""
    try:
        names = [column for column in COLUMNS if column in volumes.columns]
        return pl.DataFrame([pl.Series(name, list(volumes[name]), dtype=pl.Object) for name in names])
    except (AttributeError, TypeError, LookupError) as error:
        kind = type(volumes).__name__
        raise UsageError(f"volumes of type {kind} are neither a frame nor a path.", "wrong-type") from error


def _as_text(column: pl.Series) -> pl.Series:
    """Return a column of any type as trimmed text; empty cells, NaN and NaT are null."""
    try:
        text = column.cast(pl.String)
    except pl.exceptions.PolarsError:  # Python objects, or lists: polars has no text for them
        told = [_said(cell) for cell in column.to_list()]
        text = pl.Series(column.name, told, dtype=pl.String)
    text = text.str.strip_chars()
    return pl.select(pl.when(text != "").then(text).alias(column.name)).to_series()


def _said(cell: object) -> str | None:
    """Return a cell as text; None for what stands for nothing. The text "nan" is a name like any other."""
    said = str(cell)
    return None if said in NOTHING and not isinstance(cell, str) else said


def _problems(name: str, frame: pl.DataFrame, typed: pl.DataFrame) -> list[Problem]:
    """Return what cannot be read and what cannot be, by row and column."""
    problems = []
    for column, expected in zip(COLUMNS, ("YYYY-MM-DD", "a site", "a site", "a number"), strict=True):
        problems += [
            Problem(
                "wrong-type", f"{frame[column][int(r)]!r} will not do.", name, int(r) + 1, column, expected
            )
            for r in typed[column].is_null().arg_true().head(LISTED_ROWS)
        ]
    pieces = typed["pieces"]
    for code, rows in (("negative", pieces < 0), ("not-finite", ~pieces.is_finite())):
        problems += [
            Problem(code, f"{pieces[int(r)]}", name, int(r) + 1, "pieces", "0 or more")
            for r in rows.fill_null(False).arg_true().head(LISTED_ROWS)
        ]
    return problems
