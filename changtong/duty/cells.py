"""Rows of the small tables of a duty folder: each cell read by its kind, each wrong one told with its
place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.findings import Findings, NearestNames
from changtong.network.row_files import read_row_file
from changtong.spreadsheets import with_formulas
from changtong.workbook_sheets import ENDING, label_of

ID = re.compile(r"[^\s;,:/\\\"'<>|]{1,64}")
YES = {"true": True, "yes": True, "1": True, "是": True, "false": False, "no": False, "0": False, "否": False}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    kind : str
        ``id``, ``text``, ``ids`` (with semicolons), ``day``, ``time``, ``number``, ``whole``, ``flag``.
    needed : bool
        Whether every row has it.
    choices : tuple of str
    least, most : float
    default : object
        Where the cell is empty or the column is not there.
    """

    kind: str
    needed: bool = False
    choices: tuple[str, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    default: Any = None


@dataclass
class Table:
    """The rows of a file, and what is wrong with them.

    Attributes
    ----------
    file : str
    rows : list of dict
        Those without a problem of their own, by column.
    numbers : list of int
        Row of each in the file, from 1.
    problems : list of Problem
    """

    file: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(
        self, code: str, message: str, row: int | None, column: str | None, expected: str = "", hint: str = ""
    ) -> None:
        """Add a problem."""
        self.problems.append(Problem(code, message, self.file, row, column, expected, hint))

    def known(self, column: str, ids: Iterable[str], what: str) -> None:
        """Tell ids that are not among those known; the rows stay."""
        there = set(ids)
        nearest = NearestNames(sorted(there))
        for number, row in zip(self.numbers, self.rows, strict=True):
            value = row[column]
            for one in value if isinstance(value, tuple) else (value,):
                if one is not None and one not in there:
                    message = f'{what} "{one}" is not there.'
                    self.add(
                        f"unknown-{what}", message, number, column, f"an id of {what}s", nearest.hint(one)
                    )

    def once(self, columns: Sequence[str]) -> None:
        """Tell rows whose key is there already."""
        seen: dict[tuple[Any, ...], int] = {}
        for number, row in zip(self.numbers, self.rows, strict=True):
            key = tuple(row[name] for name in columns)
            if key in seen:
                text = ", ".join(str(one) for one in key if one is not None)
                self.add("duplicate-row", f"{text} is in row {seen[key]} already.", number, columns[0])
            else:
                seen[key] = number

    def ordered(self, first: str, last: str) -> None:
        """Tell rows that end before they begin."""
        for number, row in zip(self.numbers, self.rows, strict=True):
            if row[first] is not None and row[last] is not None and row[last] < row[first]:
                self.add(
                    "bad-duty", f"{row[last]} is before {row[first]}.", number, last, f"{first} or later"
                )


def read_rows(
    folder: Path, name: str, columns: Mapping[str, Column], *, needed: bool = False, in_books: bool = True
) -> Table:
    """Read one table of a folder: a CSV file, or an XLSX workbook of the same name.

    Parameters
    ----------
    folder : Path
    name : str
        Of the CSV file.
    columns : mapping
        What is known; a column that is not is told, with the nearest name.
    needed : bool
        Whether the file must be there.
    in_books : bool
        Whether a workbook counts: one of the same name beside it may be for people to look at.
    """
    path, book = folder / name, (folder / name).with_suffix(ENDING)
    made = Table(name)
    if in_books and book.is_file():
        if path.is_file():
            made.add("ambiguous-table", f"{name} and {book.name} are both there.", None, None, "one of them")
            return made
        path, made = book, Table(label_of(book, book.stem))
    if not path.is_file():
        if needed:
            made.add("missing-file", "there is no such file.", None, None, f"a CSV file, or {book.name}")
        return made
    findings = Findings()
    try:
        types = dict.fromkeys(columns, pl.String())
        frame = read_row_file(path, path.stem, columns, types, findings, {})
    except OSError as error:
        made.add("unreadable-file", f"the file cannot be read ({error.strerror}).", None, None)
        return made
    made.problems += findings.errors
    if frame is None or findings.errors:
        return made
    _check_header(made, frame.columns, columns)
    if made.problems:
        return made
    frame = with_formulas(frame.with_columns(pl.all().cast(pl.String)))
    for number, cells in enumerate(frame.iter_rows(named=True), 1):
        if all(value is None or not value.strip() for value in cells.values()):
            continue
        before = len(made.problems)
        row = {key: _cell(made, number, key, column, cells.get(key)) for key, column in columns.items()}
        if len(made.problems) == before:
            made.rows.append(row)
            made.numbers.append(number)
    return made


def _check_header(made: Table, header: Sequence[str], columns: Mapping[str, Column]) -> None:
    nearest = NearestNames(columns)
    for name in header:
        if name not in columns:
            expected = "one of " + ", ".join(columns)
            made.add(
                "unknown-column", f'the column "{name}" is unknown.', 0, name, expected, nearest.hint(name)
            )
    for name, column in columns.items():
        if column.needed and name not in header:
            made.add("missing-column", f'no column "{name}".', 0, name, ", ".join(columns))


def _cell(made: Table, row: int, key: str, column: Column, text: str | None) -> Any:
    text = (text or "").strip()
    if not text:
        if column.needed:
            made.add("missing-value", "the cell is empty.", row, key, _WORDS[column.kind])
        return column.default
    try:
        value = _READ[column.kind](text)
    except ValueError:
        made.add("wrong-type", f"{text!r} is not allowed.", row, key, _WORDS[column.kind])
        return None
    if column.choices and value not in column.choices:
        expected = "one of " + ", ".join(column.choices)
        made.add(
            "wrong-type",
            f"{text!r} is not allowed.",
            row,
            key,
            expected,
            NearestNames(column.choices).hint(text),
        )
    if isinstance(value, int | float) and not column.least <= value <= column.most:
        expected = f"from {column.least:g} to {column.most:g}"
        made.add("out-of-range", f"{text} is out of range.", row, key, expected)
    return value


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError
    return text


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _flag(text: str) -> bool:
    if text.casefold() not in YES:
        raise ValueError
    return YES[text.casefold()]


def _time(text: str) -> time:
    if not re.fullmatch(r"\d{1,2}:\d{2}", text):
        raise ValueError
    return time.fromisoformat(text.rjust(5, "0"))


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError
    return date.fromisoformat(text)


_READ: dict[str, Callable[[str], Any]] = {
    "id": _id,
    "text": str,
    "ids": lambda text: tuple(_id(one.strip()) for one in text.replace("；", ";").split(";") if one.strip()),
    "day": _day,
    "time": _time,
    "number": _number,
    "whole": int,
    "flag": _flag,
}
_WORDS = {
    "id": "an id without spaces and punctuation, at most 64 signs",
    "text": "a text",
    "ids": "ids, separated by semicolons",
    "day": "a date YYYY-MM-DD",
    "time": "a time HH:MM",
    "number": "a number",
    "whole": "a whole number",
    "flag": "true or false",
}


def raise_all(tables: Iterable[Table], more: Iterable[Problem] = ()) -> None:
    """Raise every problem of all tables at once.

    Raises
    ------
    InputError
    """
    problems = [*(one for table in tables for one in table.problems), *more]
    if problems:
        raise InputError(problems)
