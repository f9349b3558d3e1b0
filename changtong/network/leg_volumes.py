"""Reading leg-day volumes: date, from_site, to_site, pieces."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem

COLUMNS = ("date", "from_site", "to_site", "pieces")
LISTED_ROWS = 100
"""Rows listed of one kind of problem in one column."""


def read_volumes(volumes: pl.DataFrame | str | Path, *, unique: bool = False) -> pl.DataFrame:
    """Read leg-day volumes: date, from_site, to_site, pieces (CSV, also .gz, or Parquet).

    Parameters
    ----------
    volumes : frame or path
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
    sites = pl.col("from_site", "to_site").cast(pl.String).str.strip_chars()
    typed = frame.select(
        pl.col("date")
        .cast(pl.String)
        .str.strip_chars()
        .str.slice(0, 10)
        .str.to_date("%Y-%m-%d", strict=False),
        pl.when(sites != "").then(sites).name.keep(),
        pl.col("pieces").cast(pl.Float64, strict=False),
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


def _loaded(volumes: pl.DataFrame | str | Path) -> tuple[str, pl.DataFrame]:
    if isinstance(volumes, pl.DataFrame):
        return "volumes", volumes
    path = Path(volumes)
    try:
        if path.suffix == ".parquet":
            return path.name, pl.read_parquet(path)
        return path.name, pl.read_csv(path, infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise InputError([Problem("empty-file", "The file holds nothing.", path.name)]) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError([Problem("unreadable-file", str(error), path.name)]) from error


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
