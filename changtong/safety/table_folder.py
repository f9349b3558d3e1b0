"""Folders of tables that a run writes whole: a mark that says what they are, and a CSV a table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from changtong.network.io import check_replaceable, write_whole_folder
from changtong.spreadsheets import without_formulas

VERSION = 1


def folder_facts(kind: str) -> dict[str, Any]:
    """Return what `check_replaceable` needs to know of folders of a kind.

    Parameters
    ----------
    kind : str
    """

    def is_ours(path: Path) -> bool:
        try:
            return bool(json.loads((path / f"{kind}.json").read_text("utf-8"))["changtong"]["kind"] == kind)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    return {"is_ours": is_ours, "what": f"folder of {kind}", "code": "not-a-safety-folder"}


def check_folder(folder: str | os.PathLike[str], kind: str) -> None:
    """Refuse a folder that may not be made or replaced.

    Parameters
    ----------
    folder : path
    kind : str

    Raises
    ------
    UsageError
        ``not-a-safety-folder``, ``cannot-write``.
    """
    check_replaceable(Path(folder), **folder_facts(kind))


def save_tables(
    folder: str | os.PathLike[str],
    kind: str,
    tables: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Any],
    extra: Callable[[Path], None] | None = None,
    *,
    also: Collection[str] = (),
) -> Path:
    """Write tables into a folder, whole or not at all.

    Parameters
    ----------
    folder : path
    kind : str
    tables : mapping
        Name -> frame.
    facts : mapping
        For the mark, ``KIND.json``.
    extra : callable, optional
        Writes more into the folder.
    also : collection of str
        Names of what it writes: replaced with the rest, not carried over.

    Returns
    -------
    Path
    """

    def write(into: Path) -> None:
        mark = {"changtong": {"kind": kind, "version": VERSION}, **facts}
        (into / f"{kind}.json").write_text(
            json.dumps(mark, ensure_ascii=False, indent=1, default=str), "utf-8"
        )
        for name, frame in tables.items():
            without_formulas(frame).write_csv(into / f"{name}.csv", include_bom=True)
        if extra is not None:
            extra(into)

    own = {f"{kind}.json", *(f"{name}.csv" for name in tables), *also}
    return write_whole_folder(Path(folder), write, own_files=own, **folder_facts(kind))
