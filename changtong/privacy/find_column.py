"""Personal data in a column: its values are a text, one a line, and its header counts for each of them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import chain

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.privacy.find_names import is_name
from changtong.privacy.find_text import find_in_text
from changtong.privacy.headers import is_number_header, is_weak_name, kind_of_header
from changtong.privacy.spans import HIGH, MEDIUM, Spans, lines_of, spans_of, together, without_overlaps


def joined(column: pl.Series) -> bytes | None:
    """Return a column's values as UTF-8, one a line; None for types that hold no personal text."""
    kind = column.dtype
    if kind in (pl.Boolean, pl.Date, pl.Time, pl.Null) or isinstance(kind, pl.Datetime | pl.Duration):
        return None
    if isinstance(kind, pl.List | pl.Struct | pl.Array | pl.Object):
        texts = pl.Series(column.name, [None if value is None else str(value) for value in column], pl.String)
    elif kind == pl.Binary:
        texts = pl.Series(column.name, [_text(value) for value in column], pl.String)
    elif kind.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() < 2**63)
        number = column.fill_nan(0).clip(-(2.0**62), 2.0**62).cast(pl.Int64, strict=False).cast(pl.String)
        texts = number.zip_with(whole.fill_null(False), column.cast(pl.String))
    else:
        texts = column.cast(pl.String)
    lines = texts.fill_null("")
    raw = _one_a_line(lines)
    if b"\r" in raw or raw.count(b"\n") > max(len(lines) - 1, 0):  # within values
        raw = _one_a_line(lines.str.replace_all(r"[\r\n]", " "))
    return raw


def _one_a_line(lines: pl.Series) -> bytes:
    return str(lines.str.join("\n").item()).encode("utf-8", "replace")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def find_in_column(column: pl.Series, raw: bytes) -> Spans:
    """Return what is personal in a column, given its values one a line; its header counts for each value."""
    spans = find_in_text(raw, column.name)
    if column.dtype.is_numeric() or is_number_header(column.name):
        return spans
    rule = ""
    weak = is_weak_name(column.name) and not looks_like_names(raw, 1, 0.0, 0.6)
    if kind_of_header(column.name) == "name" and not weak:
        rule = "name-column"
    elif looks_like_names(raw, 8, 0.3):
        rule = "name-values"
    if not rule:
        return spans
    values = raw.split(b"\n")
    read = values if spans.raw == raw else spans.raw.split(b"\n")  # with full-width signs as usual ones
    judged = {value: _name_within(value) or (0, 0) for value in {*read}}  # each different one once
    lead, size = np.fromiter(chain.from_iterable(map(judged.__getitem__, read)), np.int64).reshape(-1, 2).T
    free = size > 0
    free[lines_of(raw, spans)] = False
    rows = np.flatnonzero(free)
    if not len(rows):
        return spans
    lead, size = lead[rows], size[rows]
    start, end = _ends(raw)
    raw_start = (_ends(spans.raw)[0] if read is not values else start)[rows] + lead
    level = HIGH if rule == "name-column" else MEDIUM
    names = spans_of(spans.raw, "name", rule, level, start[rows], end[rows])
    return without_overlaps(together([spans, replace(names, raw_start=raw_start, raw_end=raw_start + size)]))


@lru_cache(1 << 16)
def _name_within(value: bytes) -> tuple[int, int] | None:
    """Return where a name begins and how long it is, when a value is one, with spaces around it or none."""
    text = value.decode("utf-8", "replace")
    if not is_name(text):
        return None
    return len(text[: len(text) - len(text.lstrip())].encode()), len(text.strip().encode())


def _ends(raw: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where lines begin and end."""
    breaks = np.flatnonzero(np.frombuffer(raw, np.uint8) == 10)
    return np.concatenate([[0], breaks + 1]), np.append(breaks, len(raw))


def looks_like_names(raw: bytes, least: int, unlike_share: float, share: float = 0.9) -> bool:
    """Return whether nearly all values of a column have the form of a name.

    Parameters
    ----------
    raw : bytes
        The values, one a line.
    least : int
        Values there must be.
    unlike_share : float
        Share of them that must differ: a column of one word again and again holds no names.
    share : float
        Share that must have the form.
    """
    values = [value.decode("utf-8", "replace").strip() for value in raw[:40_000].split(b"\n")[:500] if value]
    values = [value for value in values if value]
    if len(values) < least or len({*values}) < len(values) * unlike_share:
        return False
    return sum(is_name(value) for value in values) >= share * len(values)
