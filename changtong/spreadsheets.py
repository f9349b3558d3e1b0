"""Tables for spreadsheets: which files they stand in, and no text in them run as a formula."""

from __future__ import annotations

from pathlib import Path

import polars as pl

FORMULA = r"^('*[=+\-@\t\r])"
"""A text that a spreadsheet would run as a formula, and what stands for such a text."""

PLAIN_NUMBER = r"^[+-]?\d+(\.\d+)?$"


def write_rows(frame: pl.DataFrame, stem: Path, *, parquet_from_rows: int, formulas: bool = True) -> None:
    """Write a frame as CSV for spreadsheets, or as Parquet where it has more rows than that.

    Parameters
    ----------
    frame : polars.DataFrame
    stem : Path
        Of the file, without its ending.
    parquet_from_rows : int
    formulas : bool
        Whether texts stay that a spreadsheet would run as a formula; in CSV only.
    """
    if frame.height > parquet_from_rows:
        frame.write_parquet(stem.with_suffix(".parquet"))
    else:
        shown = frame if formulas else without_formulas(frame)
        shown.write_csv(stem.with_suffix(".csv"), include_bom=True)


def without_formulas(frame: pl.DataFrame, *, for_good: bool = False) -> pl.DataFrame:
    """Return a frame in which no text is run as a formula by a spreadsheet: an apostrophe stands before it.

    Parameters
    ----------
    frame : polars.DataFrame
    for_good : bool
        Not to be taken back by `with_formulas`: plain numbers, such as -5, and texts that have their
        apostrophe already are left as they are, so that doing it again changes nothing.

    Examples
    --------
    >>> without_formulas(pl.DataFrame({"note": ["=1+1", "ok", "-5", "'=2"]}))["note"].to_list()
    ["'=1+1", 'ok', "'-5", "''=2"]
    >>> without_formulas(pl.DataFrame({"note": ["=1+1", "-5", "'=2"]}), for_good=True)["note"].to_list()
    ["'=1+1", '-5', "'=2"]
    """
    texts = pl.col(pl.String)
    if for_good:
        stays = texts.str.contains(PLAIN_NUMBER) | texts.str.starts_with("'")
        return frame.with_columns(pl.when(stays).then(texts).otherwise(texts.str.replace(FORMULA, "'$1")))
    return frame.with_columns(texts.str.replace(FORMULA, "'$1"))


def with_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with its texts as they were before `without_formulas`.

    Parameters
    ----------
    frame : polars.DataFrame
    """
    return frame.with_columns(pl.col(pl.String).str.replace(r"^'('*[=+\-@\t\r])", "$1"))
