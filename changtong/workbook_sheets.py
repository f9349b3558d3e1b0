"""Sheets of XLSX workbooks read as texts (ECMA-376): zip archives of XML, parsed as a stream."""

from __future__ import annotations

import csv
import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO
from xml.parsers import expat

from changtong.errors import InputError, Problem

CHUNK = 1 << 16
MOST_BYTES = 512 << 20
"""Of one part unpacked."""
MOST_ROWS = 1_048_576
ENDING = ".xlsx"
EXPECTED = "an XLSX workbook without a password"

DATE, MONTH, TIME = "date", "month", "time"
_KNOWN_FORMATS = {
    **dict.fromkeys((14, 15, 16, 22, *range(27, 32), 36, *range(50, 55), 57, 58), DATE),
    **dict.fromkeys((17, 55, 56), MONTH),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 46, 47), TIME),
}
"""Number formats that every spreadsheet program has, by what they show; 27 to 36 and 50 to 58 in Chinese."""
_CELL = re.compile(r"([A-Z]{1,3})(\d+)")
_QUOTED = re.compile(r'"[^"]*"|\\.|\[(?!h|m|s)[^\]]*\]', re.IGNORECASE)


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name, and its rows as texts, blank ones in between too; the first is the header."""

    name: str
    rows: tuple[list[str], ...]

    def as_csv(self) -> str:
        """Return it as CSV."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(self.rows)
        return out.getvalue()


def parse_xml(
    stream: IO[bytes],
    name: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] = lambda tag: None,
    text: Callable[[str], None] = lambda part: None,
) -> Iterator[None]:
    """Parse XML chunk by chunk; a document type, with which entities could be declared, stops it.

    Parameters
    ----------
    stream : binary file
    name : str
        Of the file, for problems.
    start, end, text : callable
        Told of tags without their namespace, and of texts.

    Raises
    ------
    InputError
        ``unreadable-file``, ``too-large``.
    """
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: object) -> None:
        raise InputError(
            [Problem("unreadable-file", "The XML within declares a document type: refused.", name)]
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(" ")[2], attributes)
    parser.EndElementHandler = lambda tag: end(tag.rpartition(" ")[2])
    parser.CharacterDataHandler = text
    parser.buffer_text = True
    total = 0
    try:
        while chunk := stream.read(CHUNK):
            total += len(chunk)
            if total > MOST_BYTES:
                raise InputError([Problem("too-large", "A part of the file is too large unpacked.", name)])
            parser.Parse(chunk, False)
            yield
        parser.Parse(b"", True)
        yield
    except expat.ExpatError as error:
        raise InputError([Problem("unreadable-file", "The XML within is not whole.", name)]) from error


def read_sheet(path: Path, table: str) -> Sheet:
    """Read the sheet that is named as a table, or the first one of a workbook.

    Parameters
    ----------
    path : Path
    table : str

    Returns
    -------
    Sheet
        Dates and times as in ISO 8601, numbers without the spreadsheet's format; of formulas the values that
        the spreadsheet program has kept.

    Raises
    ------
    InputError
        ``unreadable-file``, ``too-large``.
    """
    with _opened(path) as archive:
        name, part = _chosen(archive, path.name, table)
        formats, is_1904 = _date_styles(archive, path.name), _is_1904(archive, path.name)

        def shown(text: str, style: str) -> str:
            kind = formats.get(style, "")
            return _instant(text, kind, is_1904=is_1904) if kind else plain_number(text)

        rows = list(sheet_rows(archive, part, shared_strings(archive, path.name), path.name, shown))
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    while rows and not any(cell.strip() for cell in rows[0]):
        rows.pop(0)
    return Sheet(name, tuple(rows))


def label_of(path: Path, table: str) -> str:
    """Return what problems call a file: its name, of a workbook with the sheet that is read as a table.

    Parameters
    ----------
    path : Path
    table : str
    """
    if path.suffix.lower() != ENDING:
        return path.name
    try:
        with _opened(path) as archive:
            return f"{path.name}[{_chosen(archive, path.name, table)[0]}]"
    except InputError:
        return path.name


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a workbook; what it lacks is told as a problem."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, RuntimeError) as error:
        raise _unreadable(path.name) from error  # of the last kind: with a password


def _unreadable(file: str) -> InputError:
    text = "it is no workbook that can be read."
    return InputError([Problem("unreadable-file", text, file, expected=EXPECTED)])


def _chosen(archive: zipfile.ZipFile, file: str, table: str) -> tuple[str, str]:
    """Return name and part of the sheet named as the table, or of the first."""
    sheets: list[tuple[str, str]] = []
    parts: dict[str, str] = {}

    def of_book(tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            link = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            sheets.append((attributes.get("name", ""), link))

    def of_links(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            parts[attributes.get("Id", "")] = posixpath.normpath(
                posixpath.join("/xl", attributes.get("Target", ""))
            ).lstrip("/")

    _run(archive, "xl/workbook.xml", file, of_book)
    _run(archive, "xl/_rels/workbook.xml.rels", file, of_links)
    there = [(name, parts[link]) for name, link in sheets if link in parts]
    if not there:
        raise InputError([Problem("unreadable-file", "the workbook has no sheet.", file, expected=EXPECTED)])
    named = (one for one in there if one[0].strip().casefold() == table.casefold())
    return next(named, there[0])


def _run(
    archive: zipfile.ZipFile, part: str, file: str, start: Callable[[str, dict[str, str]], None]
) -> None:
    with archive.open(part) as stream:
        for _ in parse_xml(stream, file, start):
            pass


def _is_1904(archive: zipfile.ZipFile, file: str) -> bool:
    found: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbookPr":
            found.append(attributes.get("date1904", "0"))

    _run(archive, "xl/workbook.xml", file, start)
    return any(one in ("1", "true") for one in found)


def _date_styles(archive: zipfile.ZipFile, file: str) -> Mapping[str, str]:
    """Return which styles of cells show a number as a date, a month or a time."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    own: dict[str, str] = {}
    made: dict[str, str] = {}
    within: list[bool] = [False]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "numFmt":
            own[attributes.get("numFmtId", "")] = _format_kind(attributes.get("formatCode", ""))
        elif tag in ("cellXfs", "cellStyleXfs"):
            within[0] = tag == "cellXfs"
        elif tag == "xf" and within[0]:
            wanted = attributes.get("numFmtId", "0")
            known = _KNOWN_FORMATS.get(int(wanted), "") if wanted.isdigit() else ""
            made[str(len(made))] = own.get(wanted, known)

    _run(archive, "xl/styles.xml", file, start)
    return made


def _format_kind(code: str) -> str:
    """Return what a number format shows.

    Examples
    --------
    >>> [_format_kind(one) for one in ('yyyy"年"m"月"d"日"', "yyyy-mm", "[h]:mm", '0.00" 元/day"', "[Red]0")]
    ['date', 'month', 'time', '', '']
    """
    signs = set(_QUOTED.sub("", code.partition(";")[0]).lower())
    if "d" in signs and signs & {"y", "m"}:
        return DATE
    if "y" in signs:
        return MONTH if "m" in signs else DATE
    return TIME if "h" in signs or {"m", "s"} <= signs else ""


def _instant(text: str, kind: str, *, is_1904: bool) -> str:
    """Return a date or a time that a number stands for, by ISO 8601; the number where it is none.

    Examples
    --------
    >>> _instant("45231", "date", is_1904=False), _instant("45231.75", "date", is_1904=False)
    ('2023-11-01', '2023-11-01T18:00:00')
    >>> _instant("0.3541666666666667", "time", is_1904=False), _instant("45231", "month", is_1904=False)
    ('08:30', '2023-11')
    """
    try:
        days = float(text)
        seconds = round(days * 86_400)
        if kind == TIME and 0.0 <= days < 100.0:
            return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}" + (
                f":{seconds % 60:02d}" if seconds % 60 else ""
            )
        begin = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30)
        at = begin + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return text
    if kind == MONTH and at.time() == at.min.time():
        return f"{at:%Y-%m}"
    return date.isoformat(at.date()) if at.time() == at.min.time() else at.isoformat(timespec="seconds")


def plain_number(text: str) -> str:
    """Return a number of a cell as people write it: a whole one without a point and without an exponent.

    Examples
    --------
    >>> [plain_number(one) for one in ("1.3800138E10", "5.0", "0.5", "110101199003070011", "1.5E-3")]
    ['13800138000', '5', '0.5', '110101199003070011', '0.0015']
    """
    if text.isdigit():
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    return repr(value) if "e" in text.lower() else text


def shared_strings(archive: zipfile.ZipFile, name: str) -> list[str]:
    """Return the texts that cells refer to.

    Parameters
    ----------
    archive : ZipFile
    name : str
        Of the file, for problems.
    """
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    made: list[str] = []
    now: list[str] = []
    inside = spoken = False  # phonetic texts say how another is read

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal inside, spoken
        if tag == "si":
            now.clear()
        inside = tag == "t" and not spoken
        spoken = spoken or tag == "rPh"

    def end(tag: str) -> None:
        nonlocal inside, spoken
        if tag == "si":
            made.append("".join(now))
        inside = inside and tag != "t"
        spoken = spoken and tag != "rPh"

    def text(part: str) -> None:
        if inside:
            now.append(part)

    with archive.open("xl/sharedStrings.xml") as stream:
        for _ in parse_xml(stream, name, start, end, text):
            pass
    return made


def sheet_rows(
    archive: zipfile.ZipFile, part: str, shared: list[str], name: str,
    number: Callable[[str, str], str] = lambda text, style: plain_number(text),
) -> Iterator[list[str]]:  # fmt: skip
    """Return the rows of a sheet as texts, those that are left out in the file as empty ones.

    Parameters
    ----------
    archive : ZipFile
    part : str
        Of the archive.
    shared : list of str
    name : str
        Of the file, for problems.
    number : callable
        Takes a number as it is kept and the style of its cell; returns its text.
    """
    rows: list[list[str]] = []
    cell: dict[str, str] = {}
    now: list[str] = []
    inside, given = False, 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside, given
        if tag == "row":
            wanted = attributes.get("r", "")
            place = min(int(wanted), MOST_ROWS) if wanted.isdigit() else 0
            rows.extend([] for _ in range(place - given - 1))
            given = max(given + 1, place)
            rows.append([])
        elif tag == "c":
            now.clear()
            cell.update(
                type=attributes.get("t", "n"), at=attributes.get("r", ""), style=attributes.get("s", "0")
            )
        elif tag in ("v", "t"):
            inside = True

    def end(tag: str) -> None:
        nonlocal inside
        if tag in ("v", "t"):
            inside = False
        elif tag == "c" and rows:
            place = _CELL.match(cell["at"])
            column = _column(place[1]) if place else len(rows[-1])
            rows[-1].extend([""] * (column - len(rows[-1])))
            rows[-1].append(_cell_text("".join(now), cell, shared, number))

    def text(part: str) -> None:
        if inside:
            now.append(part)

    with archive.open(part) as stream:
        for _ in parse_xml(stream, name, start, end, text):
            if len(rows) > 1:
                yield from rows[:-1]
                del rows[:-1]
    yield from rows


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return min(number, 16_384) - 1


def _cell_text(
    text: str, cell: Mapping[str, str], shared: list[str], number: Callable[[str, str], str]
) -> str:
    match cell["type"]:
        case "s":
            return shared[int(text)] if text.isdigit() and int(text) < len(shared) else ""
        case "b":
            return {"1": "true", "0": "false"}.get(text, text)
        case "n":
            return number(text, cell["style"]) if text else ""
        case _:
            return text
