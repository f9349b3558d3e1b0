"""Emission factors: the tables shipped, or those of a folder of the user's own, checked whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import polars as pl

from changtong._tables import CARBON_SET
from changtong.errors import InputError, Problem
from changtong.network.assembly import Assembly, assemble_tables
from changtong.network.findings import Findings, rows_where
from changtong.network.folder import read_folder

SHIPPED = "2026-11"
"""Version of the tables shipped: raised with every change of a figure."""

RANGED = ("distance", "hubs", "energy", "weights")
"""Tables of one value with its low and high."""


@dataclass(frozen=True)
class Factors:
    """Tables of emission factors.

    Attributes
    ----------
    transport, vehicles, distance, hubs, energy, weights, targets : polars.DataFrame
        Columns in docs/footprint.md.
    version : str
        Of the tables shipped, or the name of the folder over it.
    own : tuple of str
        Tables that are the user's.
    digest : str
        SHA-256 over all tables: equal figures, equal digest.
    """

    transport: pl.DataFrame
    vehicles: pl.DataFrame
    distance: pl.DataFrame
    hubs: pl.DataFrame
    energy: pl.DataFrame
    weights: pl.DataFrame
    targets: pl.DataFrame
    version: str
    own: tuple[str, ...]
    digest: str

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the tables by name."""
        return {name: getattr(self, name) for name in CARBON_SET.names}


def read_factors(folder: str | os.PathLike[str] | None = None) -> Factors:
    """Read emission factors.

    Parameters
    ----------
    folder : path, optional
        Folder with CSV files of the tables to be replaced, whole; the others are those shipped.

    Returns
    -------
    Factors

    Raises
    ------
    InputError
        With every problem of every file: no such folder, a file that is no table of factors, a figure out
        of its range, low and high that do not hold the value, a factor nobody defines, empty running left
        out without its shares.

    Examples
    --------
    >>> read_factors().version
    '2026-11'
    """
    findings = Findings()
    with as_file(files("changtong").joinpath("footprint", "factors")) as place:
        shipped = read_folder(place, findings, CARBON_SET)
    frames, names, own = dict(shipped.frames), dict(shipped.files), tuple[str, ...]()
    if folder is not None:
        found = read_folder(Path(folder), findings, CARBON_SET)
        frames |= found.frames
        names |= found.files
        own = tuple(found.frames)
        _refuse_other_files(findings)
        if not own and not findings.errors:
            expected = ", ".join(f"{name}.csv" for name in CARBON_SET.names)
            problem = Problem("no-factors", f"{folder} holds no table of factors.", str(folder))
            findings.add(replace(problem, expected=f"one or more of {expected}"))
        if findings.errors and not own:
            raise InputError(findings.errors)
    made = assemble_tables(frames, findings, files=names, table_set=CARBON_SET)
    if not findings.errors:
        _check(made)
    if findings.errors:
        raise InputError(findings.errors)
    tables = {
        name: made.tables[name].with_columns(pl.col(pl.Enum).cast(pl.String)) for name in CARBON_SET.names
    }
    version = SHIPPED if folder is None else f"{SHIPPED} + {Path(folder).resolve().name}"
    return Factors(**tables, version=version, own=own, digest=_digest(tables))


def _refuse_other_files(findings: Findings) -> None:
    """Make an error of a file that is no table: misspelt, it would quietly leave the shipped one in place."""
    for k, problem in enumerate(findings.problems):
        if problem.code == "unknown-table":
            findings.problems[k] = replace(problem, severity="error")


def _digest(tables: Mapping[str, pl.DataFrame]) -> str:
    total = hashlib.sha256()
    for name, table in tables.items():
        total.update(f"{name}\n{table.write_csv()}".encode())
    return total.hexdigest()


def _check(made: Assembly) -> None:
    """Check what no single cell shows."""
    transport = made.tables["transport"].with_columns(value=pl.col("ttw") + pl.col("wtt"))
    _check_range(made, "transport", transport)
    for name in RANGED:
        _check_range(made, name, made.tables[name])
    lacking = (transport["empty_running"] == "excluded") & (
        transport["empty_km_share"].is_null() | transport["empty_ratio"].is_null()
    )
    _add(
        made, "transport", lacking, "empty_km_share", "empty-running",
        "empty running is excluded from the factor, and how much there is of it is not said.",
        "empty_km_share and empty_ratio, or included or not_stated in empty_running",
    )  # fmt: skip
    modes = dict(transport.select("factor", "mode").iter_rows())
    vehicles = made.tables["vehicles"]
    theirs = vehicles["factor"].cast(pl.String).replace_strict(modes, default=None, return_dtype=pl.String)
    _add(
        made, "vehicles", theirs != vehicles["mode"].cast(pl.String), "factor", "other-mode",
        "the factor is of another mode.", "a factor of the row's mode",
    )  # fmt: skip
    if "all" not in made.tables["weights"]["service_class"].cast(pl.String).to_list():
        message = "no weight for the classes without a row of their own."
        file = made.files.get("weights", "weights")
        problem = Problem("no-weight", message, file, None, "service_class", expected="a row all")
        made.findings.add(problem)


def _check_range(made: Assembly, name: str, frame: pl.DataFrame) -> None:
    """Check that low and high hold the value, and come together."""
    low, value, high = frame["low"], frame["value"], frame["high"]
    slack = 1e-9
    outside = (low > value + slack).fill_null(False) | (high < value - slack).fill_null(False)
    half = (low.is_null() != high.is_null()) | (value.is_null() & low.is_not_null())
    _add(
        made, name, outside, "low", "bad-interval", "the value is not between low and high.",
        "low <= value <= high (well to wheel in transport)",
    )  # fmt: skip
    _add(made, name, half, "low", "bad-interval", "an interval is half given.", "both, or neither")


def _add(
    made: Assembly, name: str, wrong: pl.Series, column: str, code: str, message: str, expected: str
) -> None:
    file = made.files.get(name, name)
    made.findings.add_rows(
        rows_where(wrong), lambda row: Problem(code, message, file, row + 1, column, expected=expected)
    )
