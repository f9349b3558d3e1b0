"""Reads the tables of epidemic control, with every problem of all of them told at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.safety.supervision import read_cells, read_instants, read_table

INSTANT = pl.Datetime("us", "UTC")

PERSONAL = re.compile(r"1[3-9]\d{9}|\d{17}[\dXx]|[\u4e00-\u9fff·]{2,}")
"""A mobile number, an identity number or a name: none of them stands where a staff number is meant."""


def shipped(name: str) -> Path:
    """Return a table of the package.

    Parameters
    ----------
    name : str
        File name in ``changtong/epidemic``.
    """
    return Path(str(files("changtong.epidemic").joinpath(name)))


class TableReader:
    """Reads tables and gathers what is wrong with all of them.

    Parameters
    ----------
    folder : Path or None
        Where a table of one's own may stand before the shipped one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.problems: list[Problem] = []

    def place(self, name: str) -> Path | None:
        """Return where the folder has a table, or None."""
        path = None if self.folder is None else self.folder / name
        return path if path is not None and path.is_file() else None

    def table(
        self,
        path: str | os.PathLike[str] | None,
        schema: Mapping[str, pl.DataType],
        needed: tuple[str, ...],
        *,
        key: tuple[str, ...] = (),
        spans: Sequence[tuple[str, str]] = (),
    ) -> pl.DataFrame:
        """Read a table; instants become UTC, and the column ``row`` counts its rows from 1.

        Parameters
        ----------
        path : path or None
            None: there is none; the frame is empty.
        schema : mapping
            Column -> type; `INSTANT` for instants with their offset.
        needed : tuple of str
        key : tuple of str
            Columns whose values may be there once only.
        spans : sequence of (str, str)
            Columns of begin and end: the end is later.
        """
        if path is None:
            return pl.DataFrame(schema={**schema, "row": pl.Int64})
        file = Path(path)
        texts = {name: pl.String() if dtype == INSTANT else dtype for name, dtype in schema.items()}
        try:
            frame = read_table(file, texts, needed)
        except InputError as error:
            self.problems += error.problems
            return pl.DataFrame(schema={**schema, "row": pl.Int64})
        self._unknown_columns(file, schema)
        frame = frame.with_columns(pl.col(pl.String).str.strip_chars().replace("", None))
        for name, dtype in schema.items():
            if dtype == INSTANT:
                frame = self._instants(frame, name, file.name)
        frame = frame.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row"))
        self._blank(frame, needed, file.name)
        self._twice(frame, key, file.name)
        for begin, end in spans:
            wrong = frame.filter(pl.col(end) <= pl.col(begin))
            for row, at, until in wrong.select("row", begin, end).head(50).iter_rows():
                message = f"it ends ({until.isoformat()}) before it begins ({at.isoformat()})."
                self.add("times-reversed", message, file.name, row, end, "an end after the begin")
        return frame

    def add(
        self,
        code: str,
        message: str,
        file: str,
        row: int | None = None,
        column: str | None = None,
        expected: str = "",
        hint: str = "",
    ) -> None:
        """Add a problem."""
        self.problems.append(Problem(code, message, file, row, column, expected=expected, hint=hint))

    def one_of(self, frame: pl.DataFrame, column: str, known: Sequence[str], file: str) -> None:
        """Tell cells that are none of the values known."""
        wrong = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(list(known)))
        near = NearestNames(known)
        for row, value in wrong.select("row", column).head(50).iter_rows():
            expected = "one of " + ", ".join(known) if len(known) <= 12 else ""
            self.add(
                "unknown-value", f"{value!r} is unknown.", file, row, column, expected, near.hint(str(value))
            )

    def within(self, frame: pl.DataFrame, column: str, least: float, most: float, file: str) -> None:
        """Tell numbers outside what can be meant."""
        wrong = frame.filter(
            ~pl.col(column).is_between(least, most) | pl.col(column).cast(pl.Float64).is_nan()
        )
        for row, value in wrong.select("row", column).head(50).iter_rows():
            expected = f"{least:,.0f} to {most:,.0f}"
            self.add("out-of-range", f"{value!r} will not do.", file, row, column, expected)

    def impersonal(self, frame: pl.DataFrame, column: str, file: str) -> None:
        """Tell cells that hold a name or a number of a person, without repeating them."""
        for row, value in frame.select("row", column).iter_rows():
            if value is not None and PERSONAL.search(value):
                message = "this looks like a name, a phone number or an identity number."
                self.add("personal-data", message, file, row, column, "a staff number or a pseudonym")

    def finish(self) -> None:
        """Raise what was found.

        Raises
        ------
        InputError
        """
        if self.problems:
            raise InputError(sorted(self.problems, key=lambda one: (one.file or "", one.row or 0)))

    def _unknown_columns(self, file: Path, schema: Mapping[str, pl.DataType]) -> None:
        """Tell columns that nobody knows and that are nearly one that is known: slips of the pen."""
        for name in read_cells(file, {}).columns:
            hint = NearestNames(schema).hint(name) if name not in schema else ""
            if hint:
                self.add("unknown-column", f'"{name}" is not known.', file.name, 0, name, hint=hint)

    def _instants(self, frame: pl.DataFrame, name: str, file: str) -> pl.DataFrame:
        try:
            return read_instants(frame, name, file)
        except InputError as error:
            self.problems += error.problems
            wrong = [one.row - 1 for one in error.problems if one.row is not None]
            left = ~pl.int_range(pl.len()).is_in(wrong)
            rest = frame.with_columns(pl.when(left).then(pl.col(name)).alias(name))
            return self._instants(rest, name, file)

    def _blank(self, frame: pl.DataFrame, needed: tuple[str, ...], file: str) -> None:
        for name in needed:
            told = {one.row for one in self.problems if one.file == file and one.column == name}
            for (row,) in frame.filter(pl.col(name).is_null()).select("row").head(50).iter_rows():
                if row not in told:
                    self.add("missing-value", "the cell is empty.", file, row, name)

    def _twice(self, frame: pl.DataFrame, key: tuple[str, ...], file: str) -> None:
        if not key:
            return
        again = frame.filter(
            ~pl.struct(key).is_first_distinct() & pl.all_horizontal(pl.col(key).is_not_null())
        )
        for row, *values in again.select("row", *key).head(50).iter_rows():
            said = ", ".join(map(str, values))
            self.add("duplicate-row", f"{said} is there twice.", file, row, key[0])


def local(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Return a frame with its instants as texts of a zone, as 2022-05-12T08:00:00+08:00.

    Parameters
    ----------
    frame : polars.DataFrame
    zone : str
    """
    instants = [name for name, dtype in frame.schema.items() if dtype == INSTANT]
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone(zone).dt.to_string("%Y-%m-%dT%H:%M:%S%:z") for name in instants
    )


def words(cell: str | None) -> tuple[str, ...]:
    """Return the values of a cell, ``;`` between them.

    Examples
    --------
    >>> words("A; B;"), words(None)
    (('A', 'B'), ())
    """
    return tuple(part.strip() for part in re.split("[;；]", cell or "") if part.strip())


def instant(text: str | None, zone: str, now: datetime | None = None, option: str = "--at") -> datetime:
    """Return an instant as people write it: with its offset, or local to a zone; ``now`` or None: now.

    Parameters
    ----------
    text : str or None
    zone : str
    now : datetime, optional
        What ``now`` stands for.
    option : str
        For the error.

    Raises
    ------
    InputError
        ``wrong-type``.
    """
    if text is None or text == "now":
        return (now or datetime.now(UTC)).astimezone(ZoneInfo(zone))
    try:
        made = datetime.fromisoformat(text.strip())
        made = made.replace(tzinfo=ZoneInfo(zone)) if made.tzinfo is None else made
        for days in (-400, 400):  # near the ends of years nothing can be added
            made.astimezone(UTC) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        expected = "a time, as 2022-05-12T08:00+08:00, or now"
        problem = Problem("wrong-type", f"{text!r} is no time.", None, None, option, expected=expected)
        raise InputError([problem]) from error
    return made
