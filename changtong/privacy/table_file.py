"""Tables of records in files: read whole, with the columns that are asked for, and written whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem
from changtong.privacy.mask_file import harmless
from changtong.privacy.read_bytes import Csv
from changtong.written_files import write_beside


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
    mode = 0o600 if private else None
    if output.suffix.lower() == ".parquet":
        write_beside(output, frame.write_parquet, mode=mode)
        return
    made = harmless(frame)
    write_beside(output, lambda beside: made.write_csv(beside, include_bom=True), mode=mode)
