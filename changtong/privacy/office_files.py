"""Texts of XLSX and DOCX files: zip archives of XML, read as a stream."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from typing import IO
from xml.parsers import expat

import polars as pl

from changtong.errors import InputError, Problem
from changtong.privacy.read_bytes import unlike

CHUNK = 1 << 16
ROWS = 20_000
MOST_BYTES = 512 << 20
"""Of one part unpacked."""

_CELL = re.compile(r"([A-Z]{1,3})(\d+)")


def _parse(
    stream: IO[bytes],
    name: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> Iterator[None]:
    """Parse XML chunk by chunk; a document type, with which entities could be declared, stops it."""
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


def docx_text(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Return the text of a DOCX: a paragraph or a row of a table a line."""
    parts = [
        one
        for one in archive.namelist()
        if re.fullmatch(r"word/(?!styles|settings|theme|font|web)\w+\.xml", one)
    ]
    for part in parts:
        out: list[str] = []

        def start(tag: str, _: dict[str, str], out: list[str] = out) -> None:
            if tag in ("tab", "tc"):
                out.append("\t")
            elif tag in ("br", "cr"):
                out.append("\n")

        def end(tag: str, out: list[str] = out) -> None:
            if tag == "p":
                out.append("\n")

        with archive.open(part) as stream:
            for _ in _parse(stream, name, start, end, out.append):
                if len(out) > ROWS and out[-1] == "\n":
                    yield "".join(out).encode("utf-8", "replace")
                    out.clear()
        yield "".join(out).encode("utf-8", "replace")


def xlsx_sheets(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """Return each sheet's name and its rows as texts; the first row is usually the header."""
    shared = _shared_strings(archive, name)
    sheets = sorted(one for one in archive.namelist() if re.fullmatch(r"xl/worksheets/[\w.-]+\.xml", one))
    for sheet in sheets:
        yield sheet.rpartition("/")[2].removesuffix(".xml"), _sheet_rows(archive, sheet, shared, name)


def _shared_strings(archive: zipfile.ZipFile, name: str) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    made: list[str] = []
    now: list[str] = []
    inside = False

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal inside
        if tag == "si":
            now.clear()
        inside = tag == "t" or (inside and tag != "rPh")

    def end(tag: str) -> None:
        nonlocal inside
        if tag == "si":
            made.append("".join(now))
        if tag == "t":
            inside = False

    def text(part: str) -> None:
        if inside:
            now.append(part)

    with archive.open("xl/sharedStrings.xml") as stream:
        for _ in _parse(stream, name, start, end, text):
            pass
    return made


def _sheet_rows(archive: zipfile.ZipFile, sheet: str, shared: list[str], name: str) -> Iterator[list[str]]:
    rows: list[list[str]] = []
    cell: dict[str, str] = {}
    now: list[str] = []
    inside = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if tag == "row":
            rows.append([])
        elif tag == "c":
            now.clear()
            cell["type"], cell["at"] = attributes.get("t", "n"), attributes.get("r", "")
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
            rows[-1].append(_cell_text("".join(now), cell["type"], shared))

    def text(part: str) -> None:
        if inside:
            now.append(part)

    with archive.open(sheet) as stream:
        for _ in _parse(stream, name, start, end, text):
            if len(rows) > 1:
                yield from rows[:-1]
                del rows[:-1]
    yield from rows


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return min(number, 16_384) - 1


def _cell_text(text: str, kind: str, shared: list[str]) -> str:
    if kind == "s":
        return shared[int(text)] if text.isdigit() and int(text) < len(shared) else ""
    if kind == "n" and re.fullmatch(r"\d\.\d+[eE]\+?\d{1,2}", text):
        return f"{float(text):.0f}"  # a phone number kept as 1.38001380008E10
    return text.removesuffix(".0") if kind == "n" else text


def xlsx_frames(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Return sheets in batches of rows as text, the first row of each as its header."""
    for sheet, rows in xlsx_sheets(archive, name):
        header = next(rows, None)
        if header is None:
            continue
        batch: list[list[str]] = []
        names = unlike(tuple(header))
        for row in rows:
            if len(row) > len(names):
                names = unlike((*names, *[""] * (len(row) - len(names))))
            batch.append(row)
            if len(batch) == ROWS:
                yield sheet, _frame(batch, names)
                batch = []
        yield sheet, _frame(batch, names)


def _frame(rows: list[list[str]], names: tuple[str, ...]) -> pl.DataFrame:
    columns = {one: [row[k] if k < len(row) else "" for row in rows] for k, one in enumerate(names)}
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
