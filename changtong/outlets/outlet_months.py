"""Months of outlets as arrays: one row an outlet, one column a month."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong._tables import OUTLETS_SET
from changtong.errors import InputError, Problem, UsageError
from changtong.network.findings import Findings, rows_where
from changtong.network.table_files import assemble_files

COUNTS = (
    "pieces", "due_pieces", "late_pieces", "backlog_pieces", "complaints", "staff", "left", "arrears_cny",
)  # fmt: skip
STATES = ("open", "suspended", "closed")
MOST_MONTHS = 600
FIRST_YEAR, LAST_YEAR = 1990, 2100
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class OutletMonths:
    """What is known of outlets, month by month.

    Attributes
    ----------
    outlets, names, firms : tuple of str
        In order of the ids; a name or firm that is not known is empty.
    first : int
        First month, as year x 12 + month - 1.
    values : dict
        Column -> array (outlets x months); NaN is not known.
    state : array of int8
        -1: not known; else the place in `STATES`.
    present : array of bool
        Whether there is a row.
    """

    outlets: tuple[str, ...]
    names: tuple[str, ...]
    firms: tuple[str, ...]
    first: int
    values: dict[str, Matrix]
    state: NDArray[np.int8]
    present: NDArray[np.bool_]

    @property
    def months(self) -> tuple[str, ...]:
        """The months, as YYYY-MM."""
        return tuple(month_name(self.first + k) for k in range(self.present.shape[1]))

    @property
    def days(self) -> Matrix:
        """Days of each month."""
        starts = np.datetime64("1970-01", "M") + (
            self.first - 1970 * 12 + np.arange(self.present.shape[1] + 1)
        )
        return np.diff(starts.astype("datetime64[D]")).astype(np.float64)

    @property
    def daily(self) -> Matrix:
        """Pieces a day."""
        return self.values["pieces"] / self.days

    def place(self, month: str) -> int:
        """Return the column of a month.

        Parameters
        ----------
        month : str
            YYYY-MM.

        Raises
        ------
        UsageError
            ``bad-month``: it is no month, or not one of the table.
        """
        number = month_number(month)
        if number is None:
            raise UsageError(f"{month!r} is no month; expected YYYY-MM.", "bad-month")
        place = number - self.first
        if not 0 <= place < self.present.shape[1]:
            text = f"there is nothing of {month}; the table has {self.months[0]} to {self.months[-1]}."
            raise UsageError(text, "bad-month")
        return place

    def until(self, month: str) -> OutletMonths:
        """Return what was known at the end of a month: later ones, and outlets without a row yet, are gone.

        Parameters
        ----------
        month : str
        """
        end = self.place(month) + 1
        there = np.asarray(self.present[:, :end].any(axis=1))
        kept = np.flatnonzero(there).tolist()
        return replace(
            self,
            outlets=tuple(self.outlets[k] for k in kept),
            names=tuple(self.names[k] for k in kept),
            firms=tuple(self.firms[k] for k in kept),
            values={name: array[there, :end] for name, array in self.values.items()},
            state=self.state[there, :end],
            present=self.present[there, :end],
        )


def month_number(text: str) -> int | None:
    """Return a month as year x 12 + month - 1, or None for a text that is none.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> month_number("2024-02") - month_number("2023-12")
    2
    >>> month_number("2024-13") is None
    True
    """
    year, _, month = text.partition("-")
    if len(year) != 4 or len(month) != 2 or not (year + month).isascii() or not (year + month).isdigit():
        return None
    fits = FIRST_YEAR <= int(year) <= LAST_YEAR and 1 <= int(month) <= 12
    return int(year) * 12 + int(month) - 1 if fits else None


def month_name(number: int) -> str:
    """Return a month's number as YYYY-MM.

    Parameters
    ----------
    number : int
    """
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def read_outlet_months(source: str | os.PathLike[str] | pl.DataFrame) -> OutletMonths:
    """Read months of outlets.

    Parameters
    ----------
    source : path or polars.DataFrame
        CSV or Parquet; columns in docs/outlets.md.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings()
    made = assemble_files({"months": source}, findings, OUTLETS_SET)
    frame, file = made.tables["months"], made.files.get("months", "months")
    if not findings.errors:
        _check(frame, file, findings)
    if findings.errors:
        raise InputError(findings.errors)
    return _arrays(frame)


def _check(frame: pl.DataFrame, file: str, findings: Findings) -> None:
    if frame.height == 0:
        findings.add(
            Problem("empty-table", "the table has no rows.", file, expected="a row an outlet and month")
        )
        return
    months = frame["month"]
    known = {text: month_number(text) for text in months.unique().to_list()}
    wrong = [text for text, number in known.items() if number is None]
    findings.add_rows(
        rows_where(months.is_in(wrong)),
        lambda row: Problem(
            "bad-month", f"{months[row]!r} is no month.", file, row + 1, "month", "YYYY-MM, as 2024-05"
        ),
    )
    numbers = [number for number in known.values() if number is not None]
    if numbers and max(numbers) - min(numbers) >= MOST_MONTHS:
        text = f"{month_name(min(numbers))} to {month_name(max(numbers))} are more than {MOST_MONTHS} months."
        findings.add(Problem("bad-month", text, file, None, "month", "months that belong together"))
    late, due = frame["late_pieces"], frame["due_pieces"]
    findings.add_rows(
        rows_where((late > due).fill_null(False)),
        lambda row: Problem(
            "late-above-due", f"{late[row]:g} late of {due[row]:g} due.", file, row + 1, "late_pieces",
            "late_pieces at most due_pieces",
        ),
    )  # fmt: skip
    for part, whole in (("late_pieces", "due_pieces"), ("left", "staff")):
        alone = frame[part].is_not_null() & frame[whole].is_null()
        message = f"{part} without {whole} says nothing."
        _add_missing(rows_where(alone), message, whole, file, findings)


def _add_missing(rows: NDArray[np.int64], message: str, column: str, file: str, findings: Findings) -> None:
    findings.add_rows(rows, lambda row: Problem("missing-value", message, file, row + 1, column, "a number"))


def _arrays(frame: pl.DataFrame) -> OutletMonths:
    ids = frame["outlet_id"].unique().sort()
    rows = frame["outlet_id"].cast(pl.Enum(ids)).to_physical().to_numpy().astype(np.int64)
    unique = frame["month"].unique()
    numbers = unique.to_list()
    places = {text: month_number(text) or 0 for text in numbers}
    first = min(places.values())
    columns = frame["month"].replace_strict(places, return_dtype=pl.Int64).to_numpy() - first
    shape = (len(ids), max(places.values()) - first + 1)

    def matrix(name: str) -> Matrix:
        made = np.full(shape, np.nan)
        made[rows, columns] = frame[name].cast(pl.Float64).to_numpy()
        return made

    state = np.full(shape, -1, dtype=np.int8)
    codes = frame["state"].replace_strict({name: k for k, name in enumerate(STATES)}, default=-1)
    state[rows, columns] = codes.cast(pl.Int8).to_numpy()
    present = np.zeros(shape, dtype=bool)
    present[rows, columns] = True
    said = (
        frame.with_columns(pl.Series("__month", columns))
        .sort("__month", maintain_order=True)
        .group_by("outlet_id")
        .agg(pl.col("name").drop_nulls().last(), pl.col("firm").drop_nulls().last())
        .sort("outlet_id")
    )
    return OutletMonths(
        outlets=tuple(ids.to_list()),
        names=tuple(said["name"].fill_null("").to_list()),
        firms=tuple(said["firm"].fill_null("").to_list()),
        first=first,
        values={name: matrix(name) for name in COUNTS},
        state=state,
        present=present,
    )
