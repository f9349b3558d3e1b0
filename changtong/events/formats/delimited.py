"""Exports of postal systems as text: lines of cells, in whatever encoding survived the way here.

Every line is one row: cells with line breaks in them are not known in these exports, and an
open quotation mark must not swallow the rest of a file. Headings are matched by their letters
and digits only, accents and lost letters aside.
"""

from __future__ import annotations

import codecs
import csv
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.events.formats.foreign_rows import ProblemList

SEPARATORS = (";", ",", "\t", "|")
LOST = "\ufffd"
NOTHING = ("", "NULL")
"""Cells that hold nothing."""

FIRST_LINES = 100


@dataclass(frozen=True)
class DelimitedTable:
    """Cells of an export, by field.

    Attributes
    ----------
    cells : polars.DataFrame
        ``row`` (data row, counted from 1) and one text column for each field; null where empty or
        where the file has no such column.
    read_count : int
        Data rows in the file, those that could not be split into cells included.
    dropped : tuple of str
        Headings of columns nobody asked for.
    """

    cells: pl.DataFrame
    read_count: int
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DelimitedForm:
    """What the headings of an export mean.

    Attributes
    ----------
    headings : mapping
        Field -> headings it may have.
    needed : tuple of str
        Fields that must be there.
    ignored : tuple of str
        Headings known to say nothing more.
    """

    headings: Mapping[str, Sequence[str]]
    needed: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def read_content(source: str | Path | bytes) -> tuple[bytes, str]:
    """Return what a file holds, and its name."""
    if isinstance(source, bytes):
        return source, "export"
    path = Path(source)
    try:
        return path.read_bytes(), path.name
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file"
        raise InputError([Problem("unreadable-file", f"{reason}.", path.name)]) from error


def read_delimited(
    content: bytes,
    name: str,
    form: DelimitedForm,
    problems: ProblemList,
    *,
    columns: Mapping[str, str] | None = None,
    other_encoding: str = "cp1252",
) -> DelimitedTable:
    """Split an export into cells.

    Parameters
    ----------
    content : bytes
    name : str
        For messages.
    form : DelimitedForm
    problems : ProblemList
        Gets rows that cannot be split and lines in the other encoding.
    columns : mapping, optional
        Heading -> field, before the headings known.
    other_encoding : str
        How lines that are not UTF-8 are read.

    Raises
    ------
    InputError
        No header, needed columns missing, a field that two columns could be.
    UsageError
        An encoding or field that does not exist.
    """
    lines = _lines(content, name, other_encoding)
    header_text, _ = next(lines, ("", False))
    if not header_text.strip():
        raise InputError([Problem("empty-file", "the file has no header.", name, expected="column names")])
    separator, header = _header(header_text, form)
    places = _places(header, form, columns or {}, name)
    numbers: list[int] = []
    rows: list[list[str]] = []
    count = 0
    for text, is_other in lines:
        if not text.strip():
            continue
        count += 1
        if "\0" in text:
            problems.add(count, None, "bad-text")
            continue
        cells = _cells(text, separator)
        if cells is None or len(cells) != len(header):
            problems.add(count, None, "bad-row")
            continue
        if is_other:
            problems.add(count, None, "other-encoding")
        numbers.append(count)
        rows.append(cells)
    data: dict[str, pl.Series] = {"row": pl.Series(numbers, dtype=pl.UInt32)}
    for field in form.headings:
        place = places.get(field)
        values = [cells[place].strip() for cells in rows] if place is not None else [None] * len(rows)
        data[field] = pl.Series(values, dtype=pl.String)
    fields = pl.col(list(form.headings))
    cells_frame = pl.DataFrame(data).with_columns(
        pl.when(~fields.is_in(list(NOTHING))).then(fields).name.keep()
    )
    known = set(places.values())
    ignored = {folded(heading) for heading in form.ignored}
    dropped = [h for k, h in enumerate(header) if k not in known and folded(h) not in ignored]
    return DelimitedTable(cells_frame, count, tuple(dropped))


def folded(heading: str) -> str:
    """Return the letters and digits of a heading that survive damage: ASCII, lower case.

    Examples
    --------
    >>> folded("next_établissement_postal") == folded("next_\ufffdtablissement_postal")
    True
    """
    whole = unicodedata.normalize("NFC", heading).casefold()
    return "".join(letter for letter in whole if letter.isascii() and letter.isalnum())


def _lines(content: bytes, name: str, other_encoding: str) -> Iterator[tuple[str, bool]]:
    """Return each line, and whether it was read in the other encoding."""
    try:
        codecs.lookup(other_encoding)
    except LookupError as error:
        raise UsageError(f"{other_encoding!r} is no encoding.", "unknown-encoding") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode("utf-8")
        except UnicodeError as error:
            raise InputError([Problem("bad-encoding", "the UTF-16 is broken.", name)]) from error
    content = content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in content.split(b"\n"):
        try:
            yield line.decode("utf-8"), False
        except UnicodeDecodeError:
            yield line.decode(other_encoding, errors="replace"), True


def _cells(line: str, separator: str) -> list[str] | None:
    """Return the cells of a line, or None where its quotation marks do not fit."""
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        return None


def _header(line: str, form: DelimitedForm) -> tuple[str, list[str]]:
    """Return the separator that gives the most known headings, and the headings."""
    known = {folded(one) for headings in form.headings.values() for one in headings}
    split = {mark: _cells(line, mark) or [line] for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: (sum(folded(h) in known for h in split[mark]), len(split[mark])))
    return best, [heading.strip() for heading in split[best]]


def _places(
    header: Sequence[str], form: DelimitedForm, columns: Mapping[str, str], name: str
) -> dict[str, int]:
    """Return field -> number of its column."""
    unknown = sorted(set(columns.values()) - set(form.headings))
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no field; one is {', '.join(form.headings)}.")
    fields = {folded(heading): field for field, headings in form.headings.items() for heading in headings}
    fields |= {folded(heading): field for heading, field in columns.items()}
    told = {folded(heading) for heading in columns}
    found: dict[str, list[int]] = {}
    for place, heading in enumerate(header):
        field = fields.get(folded(heading))
        if field is not None and (field not in columns.values() or folded(heading) in told):
            found.setdefault(field, []).append(place)
    problems = [
        Problem("duplicate-column", f"{len(places)} columns could be {field}.", name, 0, field,
                expected="one column for each field", hint="Say which heading it is.")
        for field, places in found.items() if len(places) > 1
    ]  # fmt: skip
    problems += [
        Problem("missing-column", f"No column for {field}.", name, 0, field, ", ".join(form.headings[field]))
        for field in form.needed
        if field not in found
    ]
    if problems:
        raise InputError(problems)
    return {field: places[0] for field, places in found.items()}
