"""CSV as people have it: encoding and separator found out, columns by their types.

UTF-8 (with or without byte order mark) or GB 18030, separated by comma, semicolon or tab;
which of them is reported. Columns are read one by one where they do not fit their types
at once, so that a large table with a few wrong cells does not become text as a whole.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import Problem
from changtong.network.findings import Findings

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV file is written."""

    encoding: str
    separator: str
    header: tuple[str, ...]
    lines_before: int  # up to the first data row


def read_csv_file(
    file: Path,
    known: Iterable[str],
    wanted: Mapping[str, pl.DataType],
    findings: Findings,
    encodings: dict[str, str],
) -> pl.DataFrame | None:
    """Read a CSV file in whatever encoding and with whatever separator it has.

    Parameters
    ----------
    file : Path
    known : iterable of str
        Column names that may be there; they tell the separator.
    wanted : mapping
        Column -> type to try; columns that do not fit, and others, come as text.
    findings : Findings
        Gets what is odd or wrong.
    encodings : dict
        Gets file name -> encoding and separator.

    Returns
    -------
    polars.DataFrame or None
        None where the file cannot be read (the reason is in ``findings``).
    """
    form = _csv_form(file, set(known), findings)
    if form is None:
        return None
    encodings[file.name] = f"{form.encoding}, {SEPARATORS[form.separator]}"
    return _read_csv(file, form, wanted, findings)


def _csv_form(file: Path, known: set[str], findings: Findings) -> CsvForm | None:
    """Find out encoding, separator and header of a CSV file; None where there is no header."""
    encoding = _encoding(file)
    if encoding is None:
        expected = "UTF-8 or GB 18030 (in Excel: CSV UTF-8)"
        with file.open("rb") as raw:
            workbook = raw.read(4) == b"PK\x03\x04"
        message = "the file is an Excel workbook." if workbook else "the file is no text in a known encoding."
        findings.add(Problem("bad-encoding", message, file.name, expected=expected))
        return None
    if encoding == "gb18030":
        message = "the file was read as GB 18030."
        hint = "Save it as UTF-8 to be sure."
        findings.add(Problem("other-encoding", message, file.name, hint=hint, severity="warning"))
    with file.open(encoding=encoding, newline="") as stream:
        first = stream.readline()
        before = 1 if first.lower().startswith("sep=") else 0
        if before:
            first = stream.readline()
        rest = stream.read(4096)
    if not first.strip():
        findings.add(
            Problem("empty-file", "the file has no header.", file.name, expected="a row of column names")
        )
        return None
    headers: dict[str, tuple[tuple[str, ...], int]] = {}
    for mark in SEPARATORS:
        rows = csv.reader((first + rest).splitlines(keepends=True), delimiter=mark)
        headers[mark] = (tuple(next(rows)), rows.line_num)

    def names_known(mark: str) -> tuple[int, int]:
        names = {name.strip() for name in headers[mark][0]}
        return len(names & known), len(names)

    separator = max(SEPARATORS, key=names_known)
    if separator != ",":
        message = f"the columns are separated by {SEPARATORS[separator]}."
        findings.add(Problem("other-separator", message, file.name, expected="commas", severity="warning"))
    header, lines = headers[separator]
    again = sorted({name for name in header if header.count(name) > 1})
    for name in again:
        message = f'the column "{name}" is there {header.count(name)} times.'
        findings.add(Problem("duplicate-column", message, file.name, 0, name, expected="each column once"))
    return CsvForm(encoding, separator, header, before + lines)


def _encoding(file: Path) -> str | None:
    """Return utf-8, utf-8-sig or gb18030, whichever the whole file decodes in; else None."""
    with file.open("rb") as stream:
        start = stream.read(4096)
    if b"\0" in start:  # no text but UTF-16 has it, and that is not read
        return None
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    if start[:3] == codecs.BOM_UTF8:
        return "utf-8-sig" if _decodes(file, "utf-8") else None
    return next((name for name in ("utf-8", "gb18030") if _decodes(file, name)), None)


def _decodes(file: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with file.open("rb") as stream:
        try:
            while chunk := stream.read(CHUNK_BYTES):
                if not chunk.isascii() or decoder.getstate() != (b"", 0):
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _read_csv(
    file: Path, form: CsvForm, wanted: Mapping[str, pl.DataType], findings: Findings
) -> pl.DataFrame | None:
    """Read by the wanted types; columns that do not fit come as text."""
    source: Path | bytes = file
    if form.encoding == "gb18030":
        source = file.read_bytes().decode("gb18030").encode("utf-8")
    names = [str(number) for number in range(len(form.header))]  # header names may repeat
    types = [wanted.get(name.strip(), pl.String()) for name in form.header]
    options: dict[str, Any] = {
        "separator": form.separator,
        "has_header": False,
        "skip_lines": form.lines_before,
    }
    text: dict[str, pl.DataType] = dict.fromkeys(names, pl.String())
    try:
        frame = pl.read_csv(source, schema=dict(zip(names, types, strict=True)), **options)
    except pl.exceptions.PolarsError:
        if _report_long_rows(file, form, findings):
            return None
        try:
            frame = pl.DataFrame(
                _read_column(source, name, text, dtype, options)
                for name, dtype in zip(names, types, strict=True)
            )
        except pl.exceptions.PolarsError:
            message = "a quotation mark is not closed."
            problem = Problem("bad-row", message, file.name, expected="quotation marks in pairs")
            findings.add(problem)
            return None
    first = {name: number for number, name in reversed(list(enumerate(form.header)))}
    return frame.select(
        pl.col(str(number)).alias(name) for name, number in sorted(first.items(), key=lambda item: item[1])
    )


def _read_column(
    source: Path | bytes, name: str, text: dict[str, pl.DataType], dtype: pl.DataType, options: dict[str, Any]
) -> pl.Series:
    """Read one column by its type where every cell fits, else as text."""
    if dtype != pl.String:
        try:
            return pl.read_csv(
                source, schema={**text, name: dtype}, columns=[int(name)], **options
            ).to_series()
        except pl.exceptions.PolarsError:
            pass
    return pl.read_csv(source, schema=text, columns=[int(name)], **options).to_series()


def _report_long_rows(file: Path, form: CsvForm, findings: Findings) -> bool:
    """Report rows with more cells than the header; tell whether there are any."""
    width = len(form.header)
    with file.open(encoding=form.encoding, newline="") as stream:
        for _ in range(form.lines_before):
            stream.readline()
        rows = csv.reader(stream, delimiter=form.separator)
        try:
            counts = {row: len(cells) for row, cells in enumerate(rows, start=1) if len(cells) > width}
        except csv.Error as error:
            findings.add(Problem("bad-row", f"{error}.", file.name, rows.line_num, expected="a CSV row"))
            return True
    findings.add_rows(
        list(counts),
        lambda row: Problem(
            "bad-row",
            f"the row has {counts[row]} cells.",
            file.name,
            row,
            expected=f"{width} cells, as in the header",
            hint="A cell that holds the separator must be in quotation marks.",
        ),
    )
    return bool(counts)
