"""Files of a folder to frames: which file holds which table, and in which types."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from changtong._tables import NETWORK_SET, Table, TableSet
from changtong.errors import Problem
from changtong.network.findings import Findings, NearestNames
from changtong.network.row_files import read_row_file
from changtong.workbook_sheets import label_of

PACKAGE_FILE = "datapackage.json"
WRITTEN_FORMATS = ("csv", "parquet")
FORMATS = (*WRITTEN_FORMATS, "xlsx")
"""Endings of files that are tables; workbooks are read only."""
FURTHER_TYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
"""Frictionless type of a column the tables do not know -> polars type; others are text."""


@dataclass
class FolderTables:
    """What a folder of tables holds.

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


def read_folder(path: Path, findings: Findings, table_set: TableSet = NETWORK_SET) -> FolderTables:
    """Read every table of a folder.

    Parameters
    ----------
    path : Path
        Folder with or without ``datapackage.json``.
    findings : Findings
        Gets a problem for each file that is missing, outside, or cannot be read.
    table_set : TableSet
        Tables that may be there.
    """
    found = FolderTables(path.resolve().name)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        some = ", ".join(f"{name}.csv" for name in table_set.names[:2])
        expected = f"a folder with {some}, … (see {table_set.page})"
        findings.add(Problem("missing-folder", f"{path} {what}.", str(path), expected=expected))
        return found
    resources, fields = _resources(path, found, findings, table_set)
    site_type: pl.Enum | None = None
    for table in table_set.names:
        if table not in resources:
            continue
        file = path / resources[table]
        found.files[table] = label_of(file, table) if file.suffix.lower() == ".xlsx" else resources[table]
        frame = read_table_file(
            file,
            table_set.tables[table],
            findings,
            found.encodings,
            fields=fields.get(table, {}),
            site_type=site_type,
        )
        if frame is None:
            frame = pl.DataFrame()
        found.frames[table] = frame
        if table == "sites" and "site_id" in frame.columns:
            ids = frame["site_id"].cast(pl.String, strict=False).str.strip_chars().drop_nulls()
            site_type = pl.Enum(ids.unique(maintain_order=True))
    return found


def _resources(
    path: Path, found: FolderTables, findings: Findings, table_set: TableSet
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Return table -> file name, and table -> column -> field of the package's schema."""
    package = path / PACKAGE_FILE
    if package.is_file():
        listed, fields = _package_resources(package, found, findings, table_set)
    else:
        listed, fields = _guessed_resources(path, findings, table_set), {}
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
    package: Path, found: FolderTables, findings: Findings, table_set: TableSet
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
    nearest = NearestNames(table_set.names)
    for name, file, entry in entries:
        if name not in table_set.names:
            message = f'the resource "{name}" is no table of a {table_set.kind}; it was not read.'
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


def _guessed_resources(path: Path, findings: Findings, table_set: TableSet) -> dict[str, str]:
    """Find ``<table>.csv``, ``.xlsx`` and ``.parquet`` where no package lists the files."""
    listed: dict[str, str] = {}
    names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
    others, unread = {}, {}
    for name in names:
        stem, _, ending = name.rpartition(".")
        if ending.lower() not in FORMATS:
            if stem.lower() in table_set.names:
                unread[stem.lower()] = name
            continue
        table = stem.lower()
        if table not in table_set.names:
            others[stem] = name
        elif table in listed:
            message = f"{listed[table]} and {name} are both there."
            findings.add(
                Problem("ambiguous-table", message, name, expected=f"one file for the table {table}")
            )
        else:
            listed[table] = name
    for table, name in unread.items():
        if table not in listed:
            message = f"files of this kind are not read; the table {table} may be in it."
            hint = "Save it as CSV UTF-8."
            findings.add(
                Problem("unreadable-file", message, name, expected="CSV, XLSX or Parquet", hint=hint)
            )
    nearest = NearestNames(table for table in table_set.names if table not in listed)
    for stem, name in others.items():
        message = f"the file is no table of a {table_set.kind}; it was not read."
        findings.add(Problem("unknown-table", message, name, hint=nearest.hint(stem), severity="warning"))
    return listed


def read_table_file(
    file: Path,
    table: Table,
    findings: Findings,
    encodings: dict[str, str],
    *,
    fields: dict[str, Any] | None = None,
    site_type: pl.Enum | None = None,
) -> pl.DataFrame | None:
    """Read a CSV, XLSX or Parquet file by the types of its table; None, and a problem, where that fails.

    Parameters
    ----------
    file : Path
    table : Table
    findings : Findings
    encodings : dict
        Gets file name -> how it was read.
    fields : dict, optional
        Column -> field of a package's schema.
    site_type : polars.Enum, optional
        Type to try for columns that name a site.
    """
    wanted = _wanted_types(table, fields or {}, site_type)
    try:
        if file.suffix.lower() == ".parquet":
            encodings[file.name] = "parquet"
            return _read_parquet(file, wanted)
        return read_row_file(file, table.name, table.columns, wanted, findings, encodings)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"the file cannot be read ({str(error).splitlines()[0]})."
        findings.add(Problem("unreadable-file", message, file.name, expected="a CSV, XLSX or Parquet file"))
        return None


def _wanted_types(table: Table, fields: dict[str, Any], site_type: pl.Enum | None) -> dict[str, pl.DataType]:
    """Return the types to try first; other columns are read as text."""
    wanted: dict[str, pl.DataType] = {}
    for attribute in table.attributes:
        if attribute.names_site and site_type is not None:
            wanted[attribute.name] = site_type
        elif attribute.type == "number":
            single = fields.get(attribute.name, {}).get("storage") == "float32"
            wanted[attribute.name] = pl.Float32() if single else pl.Float64()
    for name, row in fields.items():
        if name not in table and row.get("type") in FURTHER_TYPES:
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
