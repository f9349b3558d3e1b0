"""Tables of records in files: read whole, with the columns that are asked for, and written whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem
from changtong.privacy.mask_file import harmless
from changtong.privacy.read_bytes import Csv


def read_table(file: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read a CSV (all text) or Parquet file that has some columns.

    Parameters
    ----------
    file : Path
    columns : sequence of str
        That must be there.

    Raises
    ------
    NotFoundError
        No such file, or a column is not in it.
    InputError
        ``unreadable-file``.
    """
    if not file.is_file():
        raise NotFoundError(f"There is no file {file}.")
    if file.suffix.lower() == ".parquet":
        try:
            frame = pl.read_parquet(file)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(
                [Problem("unreadable-file", "This is no whole Parquet file.", file.name)]
            ) from error
    else:
        with file.open("rb") as stream:
            table = Csv(stream, file.name)
            frames = list(table.frames)
        frame = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(table.names, pl.String))
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise NotFoundError(f"No column {', '.join(missing)}; there is {', '.join(frame.columns[:50])}.")
    return frame


def write_table(frame: pl.DataFrame, output: Path, *, private: bool = False) -> None:
    """Write a frame as CSV (with what a spreadsheet would run made harmless) or, by its name, Parquet.

    Parameters
    ----------
    frame : polars.DataFrame
    output : Path
    private : bool
        Only its owner may read it.
    """
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".{output.name}.{os.getpid()}.new")
    try:
        if private:
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if output.suffix.lower() == ".parquet":
            frame.write_parquet(beside)
        else:
            harmless(frame).write_csv(beside, include_bom=True)
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)
