"""Single files as tables of a set: read, typed, keyed and filled as those of a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from changtong._tables import TableSet
from changtong.errors import Problem
from changtong.network.assembly import Assembly, assemble_tables
from changtong.network.findings import Findings
from changtong.network.folder import read_table_file
from changtong.workbook_sheets import label_of

TableSource = pl.DataFrame | str | os.PathLike[str]
"""A frame, or a CSV, XLSX or Parquet file."""


def assemble_files(sources: Mapping[str, TableSource], findings: Findings, table_set: TableSet) -> Assembly:
    """Read each table of a set from a file of its own, or take it as a frame.

    Parameters
    ----------
    sources : mapping
        Table name -> file or frame.
    findings : Findings
        Gets every problem.
    table_set : TableSet

    Returns
    -------
    Assembly
    """
    frames: dict[str, pl.DataFrame] = {}
    files: dict[str, str] = {}
    for name, source in sources.items():
        if isinstance(source, pl.DataFrame):
            frames[name] = source
            continue
        path = Path(source)
        files[name] = label_of(path, name)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            findings.add(
                Problem("missing-file", f"{path} {what}.", path.name, expected="a CSV, XLSX or Parquet file")
            )
            frames[name] = pl.DataFrame()
            continue
        frame = read_table_file(path, table_set.tables[name], findings, {})
        frames[name] = pl.DataFrame() if frame is None else frame
    return assemble_tables(frames, findings, files=files, table_set=table_set)
