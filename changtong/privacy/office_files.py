"""Texts of XLSX and DOCX files: zip archives of XML, read as a stream."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

import polars as pl

from changtong.privacy.read_bytes import unlike
from changtong.workbook_sheets import parse_xml, shared_strings, sheet_rows

ROWS = 20_000


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
            for _ in parse_xml(stream, name, start, end, out.append):
                if len(out) > ROWS and out[-1] == "\n":
                    yield "".join(out).encode("utf-8", "replace")
                    out.clear()
        yield "".join(out).encode("utf-8", "replace")


def xlsx_sheets(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """Return each sheet's name and its rows as texts; the first row is usually the header."""
    shared = shared_strings(archive, name)
    sheets = sorted(one for one in archive.namelist() if re.fullmatch(r"xl/worksheets/[\w.-]+\.xml", one))
    for sheet in sheets:
        yield sheet.rpartition("/")[2].removesuffix(".xml"), sheet_rows(archive, sheet, shared, name)


def xlsx_frames(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Return sheets in batches of rows as text, the first row of each as its header."""
    for sheet, rows in xlsx_sheets(archive, name):
        header = next((row for row in rows if any(row)), None)
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
