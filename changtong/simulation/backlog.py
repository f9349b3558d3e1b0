"""Pieces that wait when a simulation begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.network.cells import number_hint
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings
from changtong.network.model import Network
from changtong.simulation.machine import Machine
from changtong.simulation.state import ENTERED
from changtong.structure import class_table

COLUMNS = ("site", "destination", "pieces")


@dataclass(frozen=True)
class Waiting:
    """Pieces that wait to be sorted.

    Attributes
    ----------
    site : int
    dest : int
        Number among the destinations.
    last : bool
        Whether the site is their destination.
    rank : int
        Class.
    pieces : float
    """

    site: int
    dest: int
    last: bool
    rank: int
    pieces: float


def load_backlog(backlog: pl.DataFrame | str | Path) -> tuple[str, pl.DataFrame]:
    """Return a backlog's name for messages, and its frame; a file is read as any table is.

    Raises
    ------
    InputError
        The file cannot be read, or lacks a column.
    """
    name, frame = ("backlog", backlog) if isinstance(backlog, pl.DataFrame) else _load_file(Path(backlog))
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        expected = ", ".join(COLUMNS)
        raise InputError(
            Problem("missing-column", f"No column {column!r}.", name, column=column, expected=expected)
            for column in missing
        )
    return name, frame


def _load_file(path: Path) -> tuple[str, pl.DataFrame]:
    """Read a CSV file in whatever encoding and with whatever separator it has; every cell as text."""
    findings = Findings()
    try:
        frame = read_csv_file(path, (*COLUMNS, "service_class"), {}, findings, {})
    except OSError as error:
        raise InputError([Problem("unreadable-file", f"{error}", file=path.name)]) from error
    if findings.errors or frame is None:
        raise InputError(findings.errors)
    return path.name, frame


def read_backlog(
    network: Network, backlog: pl.DataFrame | str | Path, dest_site: NDArray[np.int32]
) -> tuple[Waiting, ...]:
    """Read a starting backlog: site, destination, service_class (optional), pieces.

    Without a class pieces count as the lowest.

    Raises
    ------
    InputError
        With every row that is wrong.
    """
    file, frame = load_backlog(backlog)
    ids = {site: row for row, site in enumerate(network.site_ids)}
    ranks = {name: k for k, name in enumerate(class_table(network)["service_class"].cast(pl.String))}
    number = {int(site): d for d, site in enumerate(dest_site)}
    found: list[Waiting] = []
    problems: list[Problem] = []
    amounts = _numbers(frame["pieces"])
    for line, (row, pieces) in enumerate(zip(frame.iter_rows(named=True), amounts, strict=True), start=1):

        def wrong(
            code: str, message: str, column: str, expected: str, hint: str = "", *, line: int = line
        ) -> None:
            problems.append(Problem(code, message, file, line, column, expected, hint))

        before = len(problems)
        for column in ("site", "destination"):
            if str(row[column]) not in ids:
                wrong("unknown-site", f"{row[column]!r} is not a site.", column, "a site id")
        name, seen = row.get("service_class"), row["pieces"]
        if pieces is None and seen is None:
            wrong("missing-value", "the cell is empty.", "pieces", "0 or more")
        elif pieces is None:
            wrong("wrong-type", f"{str(seen)!r} is no number.", "pieces", "0 or more", number_hint(str(seen)))
        elif not np.isfinite(pieces) or pieces < 0.0:
            wrong("out-of-range", f"{seen} pieces.", "pieces", "0 or more")
        if name is not None and str(name) not in ranks:
            wrong("unknown-class", f"{name!r} is not a service class.", "service_class", ", ".join(ranks))
        if len(problems) > before or pieces is None:
            continue
        site, dest = ids[str(row["site"])], ids[str(row["destination"])]
        if dest not in number:
            wrong("no-demand", f"No piece is bound for {row['destination']}.", "destination", "a destination")
            continue
        rank = len(ranks) - 1 if name is None else ranks[str(name)]
        found.append(Waiting(site, number[dest], site == dest, rank, pieces))
    if problems:
        raise InputError(problems)
    return tuple(found)


def _numbers(column: pl.Series) -> list[float | None]:
    """Return a column of numbers or of text as numbers, None where a cell is none."""
    if not column.dtype.is_numeric():
        cells = [None if cell is None else str(cell).strip() for cell in column.to_list()]
        column = pl.Series(column.name, cells, dtype=pl.String)
    return column.cast(pl.Float64, strict=False).to_list()


def put_in(machine: Machine, waiting: Sequence[Waiting]) -> None:
    """Put a backlog in its lines."""
    state, plant = machine.state, machine.plant
    for one in waiting:
        state.total[ENTERED, one.rank] += one.pieces
        if one.last:
            state.last_line[one.site, one.rank] += one.pieces
        else:
            c = plant.inner[one.site]
            part = state.joins[c, one.rank]
            state.line[part, c, one.dest, one.rank] += np.float32(one.pieces)
            state.line_sum[part, c, one.rank] += float(np.float32(one.pieces))
