"""Read and write network folders (Frictionless Data Packages), never half-written."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from changtong._tables import NETWORK_SET, TableSet, frictionless_schema
from changtong.errors import InputError, Problem, UsageError
from changtong.network.assembly import assemble_tables
from changtong.network.findings import Findings
from changtong.network.folder import FORMATS, PACKAGE_FILE, WRITTEN_FORMATS, read_folder
from changtong.network.model import Network
from changtong.written_files import sync

FOLDER_VERSION = 1
FURTHER_FIELDS = {"Float64": "number", "Int64": "integer", "Boolean": "boolean", "Date": "date"}
EXCHANGE = 2  # RENAME_EXCHANGE of Linux renameat2
AT_CWD = -100


def read_network(path: str | os.PathLike[str]) -> Network:
    """Read a network folder.

    Parameters
    ----------
    path : path
        Folder with ``sites`` and ``legs`` and as known the other tables of
        ``docs/tables.md``, as CSV (UTF-8 or GB 18030; commas, semicolons or tabs) or
        Parquet; with or without ``datapackage.json``.

    Returns
    -------
    Network
        Ids trimmed, defaults filled and noted in ``provenance``.

    Raises
    ------
    InputError
        With every problem of every file. ``check_network`` looks further: at paths,
        the sort plan and odd values.
    """
    findings = Findings()
    found = read_folder(Path(path), findings)
    if not found.frames and findings.errors:
        raise InputError(findings.errors)
    made = assemble_tables(found.frames, findings, files=found.files)
    if findings.errors:
        raise InputError(findings.errors)
    return Network(name=found.name, **made.tables)


def write_network(network: Network, path: str | os.PathLike[str], *, format: str = "csv") -> Path:
    """Write a network folder whole or not at all.

    The folder is written beside ``path`` and then takes its place in one step. An existing
    folder is replaced only if it is empty or a network folder; files in it that are no
    tables (a README, outages) are kept.

    Parameters
    ----------
    network : Network
    path : path
        Folder to make or replace.
    format : {"csv", "parquet"}
        Parquet suits large networks: 8 million demand rows are read in a second.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        An unknown format, or a path that is no network folder.
    """
    return write_tables(network.name, network.tables(), Path(path), format, NETWORK_SET, NETWORK_FOLDER)


def write_tables(
    name: str,
    tables: Mapping[str, pl.DataFrame],
    path: Path,
    format: str,
    table_set: TableSet,
    kind_of_folder: Mapping[str, Any],
) -> Path:
    """Write the tables of a set as a folder, whole or not at all.

    Parameters
    ----------
    name : str
        Title of the package.
    tables : mapping
        Table name -> typed frame.
    path : Path
        Folder to make or replace.
    format : {"csv", "parquet"}
    table_set : TableSet
    kind_of_folder : mapping
        What `write_whole_folder` needs to know of such folders.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        An unknown format, or a path that is no such folder.
    """
    if format not in WRITTEN_FORMATS:
        raise UsageError(f"format {format!r} is unknown; it is one of {', '.join(WRITTEN_FORMATS)}.")
    own = {f"{table}.{ending}" for table in table_set.names for ending in WRITTEN_FORMATS}
    return write_whole_folder(
        path,
        lambda folder: _write_tables(name, tables, folder, format, table_set),
        own_files=own,
        **kind_of_folder,
    )


def write_whole_folder(
    path: Path,
    write: Callable[[Path], None],
    *,
    is_ours: Callable[[Path], bool],
    own_files: Collection[str],
    what: str,
    code: str,
) -> Path:
    """Fill a folder beside ``path`` and let it take its place in one step.

    Parameters
    ----------
    path : Path
        Folder to make or replace.
    write : callable
        Writes the files into the folder it is given; what it raises leaves ``path`` as it was.
    is_ours : callable
        Tells whether an existing folder may be replaced.
    own_files : collection of str
        Names, in lower case, that are replaced and not carried over.
    what, code : str
        What the folder should be, and the error's code, where it is not ours.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        ``path`` is a file, or a folder with files that is not ours, or cannot be written.
    """
    target = path.resolve()
    check_replaceable(target, is_ours=is_ours, what=what, code=code)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".{target.name}.{uuid4().hex[:12]}.part"
    beside.mkdir()
    try:
        write(beside)
        if target.exists():
            _copy_others(target, beside, own_files)
            _exchange(beside, target)
        else:
            beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    sync(target.parent)
    return target


def is_folder_of(path: Path, table_set: TableSet, marks: Collection[str]) -> bool:
    """Tell whether a folder holds such tables: listed in its package, or by their names.

    Parameters
    ----------
    path : Path
    table_set : TableSet
    marks : collection of str
        Tables that tell it by their names alone.
    """
    content: dict[str, Any] = {}
    listed: set[Any] = set()
    try:
        content = json.loads((path / PACKAGE_FILE).read_text(encoding="utf-8-sig"))
        listed = {entry.get("name") for entry in content["resources"]}
        if content.get("changtong", {}).get("kind", table_set.kind) != table_set.kind:
            return False  # it says that it is of another kind
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    there = {name for name in marks if any((path / f"{name}.{ending}").is_file() for ending in FORMATS)}
    return set(marks) <= there or set(marks) <= listed


def is_network_folder(path: Path) -> bool:
    """Tell whether a folder holds a network: a sites table, listed or by its name.

    Parameters
    ----------
    path : Path
    """
    return is_folder_of(path, NETWORK_SET, ("sites",))


NETWORK_FOLDER: dict[str, Any] = {
    "is_ours": is_network_folder,
    "what": "network folder (it has no sites table)",
    "code": "not-a-network-folder",
}
"""What `check_replaceable` and `write_whole_folder` need to know of network folders."""


def check_replaceable(path: Path, *, is_ours: Callable[[Path], bool], what: str, code: str) -> None:
    """Refuse a folder that may not be made or replaced, before long work is done for it.

    Parameters
    ----------
    path : Path
    is_ours : callable
        Tells whether an existing folder may be replaced.
    what, code : str
        What the folder should be, and the error's code, where it is not ours.

    Raises
    ------
    UsageError
        ``path`` is a file, a folder with files that is not ours, or lies where nothing can
        be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; expected a folder.", code)
    if target.exists() and any(target.iterdir()) and not is_ours(target):
        raise UsageError(f"{target} is there and is no {what}; it was left as it is.", code)
    above = next(parent for parent in target.parents if parent.exists())
    try:
        # the only sure test: permissions do not tell of a read-only or a virtual file system
        os.rmdir(tempfile.mkdtemp(prefix=".changtong-", dir=above))
    except OSError as error:
        raise UsageError(f"{target} cannot be made in {above}: {error.strerror}.", "cannot-write") from error


def _write_tables(
    name: str, tables: Mapping[str, pl.DataFrame], folder: Path, format: str, table_set: TableSet
) -> None:
    resources: list[dict[str, Any]] = []
    for table, frame in tables.items():
        file = folder / f"{table}.{format}"
        _check_types(table, frame, format)
        if format == "csv":
            frame.write_csv(file)
        else:
            frame.write_parquet(file, compression="zstd", statistics=False)
        sync(file)
        resources.append(_resource(table, frame, format, table_set))
    package = {
        "profile": "tabular-data-package" if format == "csv" else "data-package",
        "name": re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-") or table_set.kind,
        "title": name,
        "changtong": {"version": FOLDER_VERSION, "kind": table_set.kind},
        "resources": resources,
    }
    file = folder / PACKAGE_FILE
    file.write_text(json.dumps(package, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sync(file)


def _check_types(table: str, frame: pl.DataFrame, format: str) -> None:
    """Refuse columns that would not come back as they are."""
    allowed = ("String", "Float64", "Float32", "Int64", "Boolean", "Date", "Enum", "Categorical")
    for name, dtype in frame.schema.items():
        if dtype.base_type().__name__ not in allowed:
            expected = "text, numbers, true/false or dates"
            message = f"cells are {dtype}, which {format} does not hold."
            raise InputError([Problem("wrong-type", message, table, None, name, expected=expected)])


def _resource(table: str, frame: pl.DataFrame, format: str, table_set: TableSet) -> dict[str, Any]:
    schema = frictionless_schema(table, table_set)
    known = {field["name"]: field for field in schema["fields"]}
    fields: list[dict[str, Any]] = []
    for name, dtype in frame.schema.items():
        kind = FURTHER_FIELDS.get(str(dtype), "string")
        field = known.get(name, {"name": name, "type": kind})
        fields.append({**field, "storage": "float32"} if dtype == pl.Float32 else field)
    schema["fields"] = fields
    if not set(schema.get("primaryKey", ())) <= set(frame.columns):
        del schema["primaryKey"]
    keys = [key for key in schema.pop("foreignKeys", []) if key["fields"] in frame.columns]
    if keys:
        schema["foreignKeys"] = keys
    entry: dict[str, Any] = {"name": table, "path": f"{table}.{format}", "format": format}
    if format == "csv":
        entry |= {"profile": "tabular-data-resource", "mediatype": "text/csv", "encoding": "utf-8"}
    else:
        entry |= {"mediatype": "application/vnd.apache.parquet"}
    return {**entry, "schema": schema}


def _copy_others(old: Path, new: Path, own_files: Collection[str]) -> None:
    """Copy the files of others from the old folder into the new one."""
    for entry in old.iterdir():
        if entry.name.lower() in own_files or (new / entry.name).exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, new / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, new / entry.name, follow_symlinks=False)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders change places: in one step on Linux, else by two renamings."""
    swap = _system_exchange()
    if swap is not None and swap(new, old):
        return
    aside = old.parent / f".{old.name}.{uuid4().hex[:12]}.old"
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    aside.rename(new)


def _system_exchange() -> Callable[[Path, Path], bool] | None:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return None

    def swap(one: Path, other: Path) -> bool:
        done: int = call(AT_CWD, os.fsencode(one), AT_CWD, os.fsencode(other), EXCHANGE)
        return done == 0

    return swap
