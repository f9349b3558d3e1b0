"""Files of a network folder to frames: where they are, how they are written, what is wrong.

CSV may be UTF-8 (with or without byte order mark) or GB 18030, separated by comma,
semicolon or tab; which of them is reported. Parquet is read by its own types. Columns are
read one by one where they do not fit their type at once, so that a large table with a
few wrong cells does not become text as a whole.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from changtong._tables import NETWORK_TABLES, network_tables
from changtong.errors import Problem
from changtong.network.findings import Findings, NearestNames

PACKAGE_FILE = "datapackage.json"
FORMATS = ("csv", "parquet")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
CHUNK_BYTES = 1 << 24
FURTHER_TYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
"""Frictionless type of a column the tables do not know -> polars type; others are text."""


@dataclass
class FolderTables:
    """What a network folder holds.

    Attributes
    ----------
    name : str
        Title of the package, or the folder's name.
    frames : dict
        Table name -> frame, not yet checked.
    files : dict
        Table name -> file name.
    encodings : dict
        File name -> how it was read, for example ``utf-8, commas`` or ``parquet``.
    """

    name: str
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    encodings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV file is written."""

    encoding: str
    separator: str
    header: tuple[str, ...]
    lines_before: int  # up to the first data row


def read_folder(path: Path, findings: Findings) -> FolderTables:
    """Read every table of a network folder.

    Parameters
    ----------
    path : Path
        Folder with or without ``datapackage.json``.
    findings : Findings
        Gets a problem for each file that is missing, outside, or cannot be read.
    """
    found = FolderTables(path.resolve().name)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        expected = "a folder with sites.csv, legs.csv, … (see docs/tables.md)"
        findings.add(Problem("missing-folder", f"{path} {what}.", str(path), expected=expected))
        return found
    resources, fields = _resources(path, found, findings)
    site_type: pl.Enum | None = None
    for table in NETWORK_TABLES:
        if table not in resources:
            continue
        file = path / resources[table]
        found.files[table] = resources[table]
        frame = _read_file(file, table, fields.get(table, {}), site_type, found, findings)
        if frame is None:
            frame = pl.DataFrame()
        found.frames[table] = frame
        if table == "sites" and "site_id" in frame.columns:
            ids = frame["site_id"].cast(pl.String, strict=False).str.strip_chars().drop_nulls()
            site_type = pl.Enum(ids.unique(maintain_order=True))
    return found


def _resources(
    path: Path, found: FolderTables, findings: Findings
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Return table -> file name, and table -> column -> field of the package's schema."""
    package = path / PACKAGE_FILE
    if package.is_file():
        listed, fields = _package_resources(package, found, findings)
    else:
        listed, fields = _guessed_resources(path, findings), {}
    inside: dict[str, str] = {}
    for table, file in listed.items():
        if not _is_inside(path, file):
            message = f'table {table} names the file "{file}" outside the folder; it was not read.'
            problem = Problem("path-outside", message, PACKAGE_FILE, expected="a file inside the folder")
            findings.add(problem)
        elif not (path / file).is_file():
            message = f"table {table}: the file does not exist."
            findings.add(Problem("missing-file", message, file, expected=f"a file in {path.name}"))
        else:
            inside[table] = file
    return inside, fields


def _is_inside(path: Path, file: str) -> bool:
    """Tell whether a file name of a package stays inside the folder, links followed."""
    if "://" in file or "\\" in file or "\0" in file or Path(file).is_absolute():
        return False
    return (path / file).resolve().is_relative_to(path.resolve())


def _package_resources(
    package: Path, found: FolderTables, findings: Findings
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    try:
        content = json.loads(package.read_text(encoding="utf-8-sig"))
        entries = [(str(entry["name"]), entry["path"], entry) for entry in content["resources"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"the data package cannot be read ({type(error).__name__}: {error})."
        expected = "a Frictionless Data Package with resources of name and path"
        findings.add(Problem("bad-package", message, PACKAGE_FILE, expected=expected))
        return {}, {}
    found.name = str(content.get("title") or content.get("name") or found.name)
    listed: dict[str, str] = {}
    fields: dict[str, dict[str, Any]] = {}
    nearest = NearestNames(NETWORK_TABLES)
    for name, file, entry in entries:
        if name not in NETWORK_TABLES:
            message = f'the resource "{name}" is no table of a network; it was not read.'
            findings.add(
                Problem("unknown-table", message, PACKAGE_FILE, hint=nearest.hint(name), severity="warning")
            )
        elif not isinstance(file, str):
            message = f"the resource {name} has the path {file!r}."
            findings.add(Problem("bad-package", message, PACKAGE_FILE, expected="one file name"))
        else:
            listed[name] = file
            fields[name] = _fields_of(entry)
    return listed, fields


def _fields_of(entry: dict[str, Any]) -> dict[str, Any]:
    schema = entry.get("schema")
    rows = schema.get("fields") if isinstance(schema, dict) else None
    return {str(row["name"]): row for row in rows or [] if isinstance(row, dict) and "name" in row}


def _guessed_resources(path: Path, findings: Findings) -> dict[str, str]:
    """Find ``<table>.csv`` and ``<table>.parquet`` where no package lists the files."""
    listed: dict[str, str] = {}
    names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
    others = {}
    for name in names:
        stem, _, ending = name.rpartition(".")
        if ending.lower() not in FORMATS:
            continue
        table = stem.lower()
        if table not in NETWORK_TABLES:
            others[stem] = name
        elif table in listed:
            message = f"{listed[table]} and {name} are both there."
            findings.add(
                Problem("ambiguous-table", message, name, expected=f"one file for the table {table}")
            )
        else:
            listed[table] = name
    nearest = NearestNames(table for table in NETWORK_TABLES if table not in listed)
    for stem, name in others.items():
        message = "the file is no table of a network; it was not read."
        findings.add(Problem("unknown-table", message, name, hint=nearest.hint(stem), severity="warning"))
    return listed


def _read_file(
    file: Path,
    table: str,
    fields: dict[str, Any],
    site_type: pl.Enum | None,
    found: FolderTables,
    findings: Findings,
) -> pl.DataFrame | None:
    wanted = _wanted_types(table, fields, site_type)
    try:
        if file.suffix.lower() == ".parquet":
            found.encodings[file.name] = "parquet"
            return _read_parquet(file, wanted)
        columns = network_tables()[table].columns
        return read_csv_file(file, columns, wanted, findings, found.encodings)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"the file cannot be read ({str(error).splitlines()[0]})."
        findings.add(Problem("unreadable-file", message, file.name, expected="a CSV or Parquet file"))
        return None


def _wanted_types(table: str, fields: dict[str, Any], site_type: pl.Enum | None) -> dict[str, pl.DataType]:
    """Return the types to try first; other columns are read as text."""
    wanted: dict[str, pl.DataType] = {}
    for attribute in network_tables()[table].attributes:
        if attribute.names_site and site_type is not None:
            wanted[attribute.name] = site_type
        elif attribute.type == "number":
            single = fields.get(attribute.name, {}).get("storage") == "float32"
            wanted[attribute.name] = pl.Float32() if single else pl.Float64()
    for name, row in fields.items():
        if name not in network_tables()[table] and row.get("type") in FURTHER_TYPES:
            wanted[name] = FURTHER_TYPES[row["type"]]
    return wanted


def _read_parquet(file: Path, wanted: dict[str, pl.DataType]) -> pl.DataFrame:
    schema = pl.read_parquet_schema(file)
    columns: list[pl.Series] = []
    for name, dtype in schema.items():
        column = pl.read_parquet(file, columns=[name]).to_series()
        aim = wanted.get(name)
        if isinstance(aim, pl.Enum) and (dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical)):
            typed = column.cast(aim, strict=False)
            column = typed if typed.null_count() == column.null_count() else column
        columns.append(column)
    return pl.DataFrame(columns)


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
        findings.add(
            Problem("bad-encoding", "the file is in another encoding.", file.name, expected=expected)
        )
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
        start = stream.read(4)
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
