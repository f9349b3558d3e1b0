"""Read, write and check county folders (Frictionless Data Packages or bare CSV and Parquet files)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from changtong._tables import COUNTY_SET
from changtong.errors import InputError, UsageError
from changtong.network.assembly import Assembly, assemble_tables
from changtong.network.checks import CheckReport, report_of
from changtong.network.findings import Findings
from changtong.network.folder import read_folder
from changtong.network.io import is_folder_of, write_tables
from changtong.rural.county import County
from changtong.rural.county_checks import COUNTY_CHECKS


def read_county(path: str | os.PathLike[str]) -> County:
    """Read a county folder.

    Parameters
    ----------
    path : path
        Folder with ``sites``, ``pieces``, ``vehicles`` and as known the other tables of
        ``docs/county-tables.md``, as CSV (UTF-8 or GB 18030; commas, semicolons or tabs) or Parquet; with
        or without ``datapackage.json``.

    Returns
    -------
    County
        Ids trimmed, defaults filled and noted in ``provenance``.

    Raises
    ------
    InputError
        With every error of every file; `check_county` tells warnings too.

    Examples
    --------
    >>> read_county("examples/county").firms  # doctest: +SKIP
    ('post', 'sunda')
    """
    findings = Findings()
    found = read_folder(Path(path), findings, COUNTY_SET)
    if not found.frames and findings.errors:
        raise InputError(findings.errors)
    made = _assembled(found.frames, findings, found.files)
    return _county(found.name, made)


def build_county(tables: Mapping[str, pl.DataFrame], name: str) -> County:
    """Build a county from tables of any readable types; defaults are filled and noted.

    Parameters
    ----------
    tables : mapping
        ``sites``, ``pieces``, ``vehicles`` and as known the other tables of a county folder.
    name : str
        Shown in reports.

    Raises
    ------
    InputError
        With every error of every table.
    UsageError
        A table that is not a polars frame.
    """
    for table, frame in tables.items():
        if not isinstance(frame, pl.DataFrame):
            raise UsageError(f"table {table!r} is a {type(frame).__name__}; expected a polars.DataFrame.")
    return _county(name, _assembled(tables, Findings(), {}))


def _assembled(tables: Mapping[str, pl.DataFrame], findings: Findings, files: Mapping[str, str]) -> Assembly:
    made = assemble_tables(tables, findings, files=files, table_set=COUNTY_SET)
    for check in COUNTY_CHECKS:
        check(made)
    return made


def _county(name: str, made: Assembly) -> County:
    """Return the county; its ids are text, as in the frames of a plan."""
    if made.findings.errors:
        raise InputError(made.findings.errors)
    text = {
        table: frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for table, frame in made.tables.items()
    }
    return County(name=name, **text)


def write_county(county: County, path: str | os.PathLike[str], *, format: str = "csv") -> Path:
    """Write a county folder whole or not at all.

    An existing folder is replaced only if it is empty or a county folder; files in it that are no tables
    are kept.

    Parameters
    ----------
    county : County
    path : path
        Folder to make or replace.
    format : {"csv", "parquet"}

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        An unknown format, or a path that is no county folder.
    """
    return write_tables(county.name, county.tables(), Path(path), format, COUNTY_SET, COUNTY_FOLDER)


def is_county_folder(path: Path) -> bool:
    """Tell whether a folder holds a county, by its package or the names of its files.

    Parameters
    ----------
    path : Path
    """
    return is_folder_of(path, COUNTY_SET, COUNTY_SET.needed)


COUNTY_FOLDER: dict[str, Any] = {
    "is_ours": is_county_folder,
    "what": "county folder (it lacks sites, pieces or vehicles)",
    "code": "not-a-county-folder",
}
"""What `check_replaceable` and `write_whole_folder` need to know of county folders."""


def check_county(path_or_county: str | os.PathLike[str] | County) -> CheckReport:
    """Check a county folder, or a county in memory; never raises for bad input.

    Parameters
    ----------
    path_or_county : path or County

    Returns
    -------
    CheckReport
        Every problem: what `read_county` refuses, and what is worth a look.
    """
    findings = Findings()
    files: dict[str, str] = {}
    read: dict[str, str] = {}
    if isinstance(path_or_county, County):
        name, frames = path_or_county.name, path_or_county.tables()
    else:
        found = read_folder(Path(path_or_county), findings, COUNTY_SET)
        name, frames, files, read = found.name, found.frames, found.files, found.encodings
        if not frames and findings.errors:
            return report_of(name, findings, {}, read)
    rows = {table: frame.height for table, frame in frames.items()}
    _assembled(frames, findings, files)
    return report_of(name, findings, rows, read)
