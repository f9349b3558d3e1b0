"""Cells of one column, of whatever type they came in, to the type the table asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

from changtong._tables import TIME_PATTERN, Attribute
from changtong.errors import Problem
from changtong.network.findings import Findings, NearestNames, rows_where

EXPECTED = {
    "id": "text",
    "text": "text",
    "time": "a time HH:MM, for example 06:30",
    "number": "a number, for example 1234.5",
    "integer": "a whole number",
    "boolean": "true or false",
}

BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "1", "是", "t"), True),
    **dict.fromkeys(("false", "no", "n", "0", "否", "f"), False),
}

THOUSANDS = re.compile(r"^[+-]?\d{1,3}([,，' ]\d{3})+(\.\d+)?$")
DECIMAL_COMMA = re.compile(r"^[+-]?\d+[,，]\d+$")
TEN_THOUSANDS = re.compile(r"^([+-]?\d+(?:\.\d+)?)\s*万$")
WITH_UNIT = re.compile(r"^([+-]?\d+(?:\.\d+)?)\s*(%|\D+)$")


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a file, for problems."""

    file: str
    column: str

    def problem(self, code: str, message: str, row: int | None = None, **rest: str) -> Problem:
        """Return a problem of this column; ``row`` counts from 0."""
        return Problem(code, message, self.file, None if row is None else row + 1, self.column, **rest)


class KnownIds:
    """Ids that a foreign key may hold.

    Parameters
    ----------
    ids : sequence of str
        In the order of their table.
    what : str
        What one of them is, as ``site``; the code of an unknown one is ``unknown-<what>``.
    table : str
        Their table.
    """

    def __init__(self, ids: Sequence[str], what: str, table: str) -> None:
        self.enum = pl.Enum(list(ids))
        self.what = what
        self.table = table
        self._nearest = NearestNames(ids)

    def typed(self, column: pl.Series, place: Place, findings: Findings) -> pl.Series:
        """Return the column as the Enum; unknown ids become null and are reported.

        Parameters
        ----------
        column : polars.Series
        place : Place
        findings : Findings
        """
        if column.dtype == self.enum:
            return column
        if not len(self.enum.categories):  # no table of ids was read, which is said already
            return pl.Series(column.name, [None], self.enum).new_from_index(0, len(column))
        if isinstance(column.dtype, pl.Enum | pl.Categorical):
            same = column.cast(self.enum, strict=False)
            if same.null_count() == column.null_count():
                return same
        text = column if column.dtype == pl.String else as_text(column, place, findings)
        known = text.cast(self.enum, strict=False)
        rows = rows_where(text.is_not_null() & known.is_null())
        return self._second_look(text, known, rows, place, findings) if len(rows) else known

    def _second_look(
        self, text: pl.Series, known: pl.Series, rows: np.ndarray, place: Place, findings: Findings
    ) -> pl.Series:
        """Trim the few ids that are not known as they are; report those still unknown."""
        given = text.gather(rows)
        trimmed = given.str.strip_chars()
        spaced = np.flatnonzero((trimmed != given).to_numpy())
        findings.add_rows(spaced, lambda index: _trimmed(given[index], int(rows[index]), place))
        found = trimmed.cast(self.enum, strict=False)
        unknown = rows_where(found.is_null() & (trimmed != ""))
        findings.add_rows(unknown, lambda index: self._unknown(trimmed[index], int(rows[index]), place))
        numbers = known.to_physical().cast(pl.UInt32)
        numbers = numbers.scatter(rows, found.to_physical().cast(pl.UInt32))
        typed: pl.Series = numbers.cat.to(self.enum)
        return typed.alias(place.column)

    def _unknown(self, value: str, row: int, place: Place) -> Problem:
        code, hint = f"unknown-{self.what}", self._nearest.hint(value)
        return place.problem(
            code, f'no {self.what} "{value}".', row, expected=f"an id of the table {self.table}", hint=hint
        )


FEW = 64
"""Cells of a column that are looked at one by one sooner than all at once."""


def _is_tidy(column: pl.Series) -> bool:
    """Tell, of a column of few texts, whether none is empty and none has spaces around it."""
    return len(column) <= FEW and all(one is None or (one and one == one.strip()) for one in column.to_list())


def as_text(column: pl.Series, place: Place, findings: Findings) -> pl.Series:
    """Return the column as trimmed text, empty cells as null.

    Whole numbers become their digits (an id column read as numbers); other types are reported.

    Parameters
    ----------
    column : polars.Series
    place : Place
    findings : Findings
    """
    dtype = column.dtype
    if dtype == pl.Null or dtype.is_integer() or isinstance(dtype, pl.Enum | pl.Categorical):
        column = column.cast(pl.String)
    elif dtype.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() < 2**53)
        findings.add_rows(
            rows_where(~whole), lambda row: _wrong_type(column[row], row, place, "text or a whole number")
        )
        digits = column.cast(pl.Int64, strict=False).cast(pl.String)
        column = pl.select(pl.when(whole).then(digits)).to_series()
    elif dtype != pl.String:
        if column.null_count() < len(column):
            findings.add(place.problem("wrong-type", f"cells are {dtype}.", expected="text"))
        return pl.Series(column.name, [None] * len(column), pl.String)
    if _is_tidy(column):
        return column.alias(place.column)
    trimmed = column.str.strip_chars()
    spaced = rows_where(trimmed != column)
    if len(spaced):
        findings.add_rows(spaced, lambda row: _trimmed(column[row], row, place))
    return pl.select(pl.when(trimmed != "").then(trimmed)).to_series().alias(place.column)


def _trimmed(value: str, row: int, place: Place) -> Problem:
    return place.problem("spaces-trimmed", f'spaces around "{value}" were left out.', row, severity="warning")


def _wrong_type(value: object, row: int, place: Place, expected: str) -> Problem:
    hint = number_hint(value) if isinstance(value, str) and "number" in expected else ""
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    return place.problem("wrong-type", f"{shown} cannot be read.", row, expected=expected, hint=hint)


def number_hint(value: str) -> str:
    """Return how to write a number people often write in other ways, or an empty text.

    Parameters
    ----------
    value : str
        The cell.
    """
    value = value.strip()
    if THOUSANDS.match(value):
        plain = re.sub("[,，' ]", "", value)
        return f"Write {plain}, without a thousands separator."
    if DECIMAL_COMMA.match(value):
        return f"Write {value.replace('，', '.').replace(',', '.')}, with a decimal point."
    found = TEN_THOUSANDS.match(value)
    if found:
        return f"Write {float(found[1]) * 1e4:.10g}."
    plain = value.translate({ord("０") + k: str(k) for k in range(10)} | {ord("．"): "."})
    if plain != value:
        return f"Write {plain}, in plain digits."
    found = WITH_UNIT.match(value)
    if found and found[2] == "%":
        return f"Write {float(found[1]) / 100:.10g}."
    if found:
        return f"Write {found[1]}, without a unit."
    if value.casefold() in ("n/a", "na", "-", "—", "null", "none", "无", "未知", "#n/a"):
        return "Leave the cell empty where the value is unknown."
    return ""


def as_number(column: pl.Series, place: Place, findings: Findings, *, expected: str) -> pl.Series:
    """Return the column as floats; Float32 stays Float32.

    Parameters
    ----------
    column : polars.Series
    place : Place
    findings : Findings
    expected : str
        What to say where a cell is no number.
    """
    dtype = column.dtype
    if dtype.is_float():
        number = column
    elif dtype == pl.Null or dtype.is_numeric():
        number = column.cast(pl.Float64)
    elif dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical):
        text = column.cast(pl.String).str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        bad = rows_where(number.is_null() & (text != ""))
        findings.add_rows(bad, lambda row: _wrong_type(text[row], row, place, expected))
    else:
        if column.null_count() < len(column):
            findings.add(place.problem("wrong-type", f"cells are {dtype}.", expected=expected))
        return pl.Series(place.column, [None] * len(column), pl.Float64)
    finite = number.is_finite()
    if not finite.all():
        bad = rows_where(~finite)
        findings.add_rows(
            bad,
            lambda row: place.problem("not-finite", f"{number[row]} is no amount.", row, expected=expected),
        )
        number = pl.select(pl.when(finite).then(number)).to_series()
    return number.alias(place.column)


def _as_integer(column: pl.Series, place: Place, findings: Findings) -> pl.Series:
    if column.dtype.is_integer() and column.dtype not in (pl.UInt64, pl.Int128, pl.UInt128):
        return column.cast(pl.Int64)
    number = as_number(column, place, findings, expected=EXPECTED["integer"])
    whole = (number == number.round()) & (number.abs() < 2**53)
    if whole.all():
        return number.cast(pl.Int64).alias(place.column)
    bad = rows_where(~whole)
    findings.add_rows(bad, lambda row: _wrong_type(number[row], row, place, EXPECTED["integer"]))
    return pl.select(pl.when(whole).then(number)).to_series().cast(pl.Int64).alias(place.column)


def _as_boolean(column: pl.Series, place: Place, findings: Findings) -> pl.Series:
    if column.dtype == pl.Boolean:
        return column
    if column.dtype == pl.Null:
        return column.cast(pl.Boolean)
    if column.dtype.is_numeric():
        column = column.cast(pl.Float64).cast(pl.String).str.strip_suffix(".0")
    text = as_text(column, place, findings)
    typed = text.str.to_lowercase().replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
    bad = rows_where(text.is_not_null() & typed.is_null())
    findings.add_rows(bad, lambda row: _wrong_type(text[row], row, place, EXPECTED["boolean"]))
    return typed


def typed_column(
    column: pl.Series,
    attribute: Attribute,
    place: Place,
    findings: Findings,
    *,
    known: KnownIds | None = None,
    blank: pl.Series | None = None,
) -> pl.Series:
    """Return a column in the type its attribute asks for, every cell checked.

    Parameters
    ----------
    column : polars.Series
    attribute : Attribute
    place : Place
    findings : Findings
        Gets a problem for each cell that is not of the type, out of range, not among the
        choices, an unknown id, or missing where required. Such cells become null.
    known : KnownIds, optional
        For a foreign key.
    blank : polars.Series, optional
        Rows without any value, which are not reported again.
    """
    is_empty = column.null_count() == len(column) and not (attribute.required and len(column))
    if is_empty and column.dtype != pl.Float32:  # which stays what it is
        dtype = known.enum if known is not None else attribute.dtype
        return pl.Series(attribute.name, [None], dtype).new_from_index(0, len(column))
    if known is not None:
        typed = known.typed(column, place, findings)
    elif attribute.type == "boolean":
        typed = _as_boolean(column, place, findings)
    elif attribute.type == "integer":
        typed = _in_range(_as_integer(column, place, findings), attribute, place, findings)
    elif attribute.type == "number":
        typed = as_number(column, place, findings, expected=EXPECTED["number"])
        typed = _in_range(typed, attribute, place, findings)
    else:
        typed = _among_choices(as_text(column, place, findings), attribute, place, findings)
    if attribute.required and typed.null_count():
        _check_given(column, place, findings, blank)
    return typed.alias(attribute.name)


def _check_given(column: pl.Series, place: Place, findings: Findings, blank: pl.Series | None) -> None:
    """Report required cells that are empty (not those that were wrong and so became null)."""
    empty = column.is_null()
    if column.dtype == pl.String:
        empty = empty | (column.str.strip_chars() == "")
    if blank is not None:
        empty = empty & ~blank
    findings.add_rows(
        rows_where(empty),
        lambda row: place.problem("missing-value", "the cell is empty.", row, expected="a value in each row"),
    )


def _in_range(number: pl.Series, attribute: Attribute, place: Place, findings: Findings) -> pl.Series:
    low, high = attribute.minimum, attribute.maximum
    least, most = cast(float | None, number.min()), cast(float | None, number.max())
    if least is None or most is None or ((low is None or least >= low) and (high is None or most <= high)):
        return number
    outside = pl.Series(np.zeros(len(number), bool))
    if low is not None:
        outside = outside | (number < low)
    if high is not None:
        outside = outside | (number > high)
    unit = f" {attribute.unit}" if attribute.unit not in ("", "1") else ""
    if low is not None and high is not None:
        expected = f"{low:g} … {high:g}{unit}"
    else:
        expected = f"at least {low:g}{unit}" if low is not None else f"at most {high:g}{unit}"

    def make(row: int) -> Problem:
        value = float(number[row])
        code = "negative" if value < 0 and low is not None and low >= 0 else "out-of-range"
        return place.problem(code, f"{value:.10g} is not allowed.", row, expected=expected)

    findings.add_rows(rows_where(outside), make)
    return pl.select(pl.when(~outside).then(number)).to_series()


def _among_choices(text: pl.Series, attribute: Attribute, place: Place, findings: Findings) -> pl.Series:
    if attribute.type == "time":
        bad = rows_where(~text.str.contains(TIME_PATTERN))
        findings.add_rows(bad, lambda row: _wrong_type(text[row], row, place, EXPECTED["time"]))
        return pl.select(pl.when(text.str.contains(TIME_PATTERN)).then(text)).to_series()
    if not attribute.choices:
        return text
    fits = text.is_in(attribute.choices)
    if fits.all():
        return text
    nearest = NearestNames(attribute.choices)
    expected = "one of " + ", ".join(attribute.choices)
    findings.add_rows(
        rows_where(~fits),
        lambda row: place.problem(
            "unknown-value",
            f'"{text[row]}" is unknown.',
            row,
            expected=expected,
            hint=nearest.hint(text[row]),
        ),
    )
    return pl.select(pl.when(fits).then(text)).to_series()
