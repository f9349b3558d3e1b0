"""Pieces that wait when a simulation begins."""

from __future__ import annotations

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
from changtong.simulation.state import ENTERED, UNDER_WAY
from changtong.simulation.timetable import Clockwork
from changtong.structure import class_table

COLUMNS = ("site", "destination", "pieces")
OPTIONAL = ("service_class", "arrives_h")


@dataclass(frozen=True)
class Waiting:
    """Pieces that wait to be sorted, or are on their way to a site's line; one element a row.

    Attributes
    ----------
    site : array of int32
    dest : array of int32
        Number among the destinations.
    last : array of bool
        Whether the site is their destination.
    rank : array of int64
        Class.
    pieces : array of float64
    arrives_h : array of float64
        Hours after the beginning at which they reach the site; 0: they wait there already.
    """

    site: NDArray[np.int32]
    dest: NDArray[np.int32]
    last: NDArray[np.bool_]
    rank: NDArray[np.int64]
    pieces: NDArray[np.float64]
    arrives_h: NDArray[np.float64]


def no_backlog() -> Waiting:
    """Return a backlog of nothing."""
    none = np.zeros(0, np.int32)
    return Waiting(none, none, none.astype(bool), none.astype(np.int64), np.zeros(0), np.zeros(0))


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
        frame = read_csv_file(path, (*COLUMNS, *OPTIONAL), {}, findings, {})
    except OSError as error:
        raise InputError([Problem("unreadable-file", f"{error}", file=path.name)]) from error
    if findings.errors or frame is None:
        raise InputError(findings.errors)
    return path.name, frame


def read_backlog(
    network: Network, backlog: pl.DataFrame | str | Path, dest_site: NDArray[np.int32]
) -> Waiting:
    """Read a starting backlog: site, destination, service_class and arrives_h (optional), pieces.

    Without a class pieces count as the lowest; without an hour of arrival they wait at the beginning.

    Raises
    ------
    InputError
        With every row that is wrong.
    """
    file, frame = load_backlog(backlog)
    ids = {site: row for row, site in enumerate(network.site_ids)}
    ranks = {name: k for k, name in enumerate(class_table(network)["service_class"].cast(pl.String))}
    number = {row: d for d, row in enumerate(dest_site.tolist())}
    sites, ends = (_placed(frame[name], ids, -1) for name in ("site", "destination"))
    dest = np.full(len(ids) + 1, -1, np.int64)  # the last stands for sites that are not known
    dest[list(number)] = list(number.values())
    of_class = np.full(frame.height, len(ranks) - 1, np.int64)
    if "service_class" in frame.columns:
        named = frame["service_class"]
        of_class = np.where(named.is_null().to_numpy(), of_class, _placed(named, ranks, -1))
    amounts = pl.Series(_numbers(frame["pieces"]), dtype=pl.Float64)
    hours = pl.Series(np.zeros(frame.height))
    empty = pl.Series([True] * frame.height, dtype=pl.Boolean)
    if "arrives_h" in frame.columns:
        hours = pl.Series(_numbers(frame["arrives_h"]), dtype=pl.Float64)
        empty = frame["arrives_h"].is_null()
    bad = (sites < 0) | (ends < 0) | (of_class < 0) | (dest[ends] < 0)
    for values in (amounts, hours.set(empty, 0.0)):
        bad |= ~(values.is_finite() & (values >= 0.0)).fill_null(False).to_numpy()
    problems = [
        problem
        for row in np.flatnonzero(bad).tolist()
        for problem in _problems_of(
            frame.row(row, named=True), amounts[row], hours[row], (file, row + 1), ids, ranks, number
        )
    ]
    if problems:
        raise InputError(problems)
    return Waiting(
        sites.astype(np.int32),
        dest[ends].astype(np.int32),
        sites == ends,
        of_class,
        amounts.to_numpy().astype(np.float64),
        hours.set(empty, 0.0).to_numpy().astype(np.float64),
    )


def _placed(column: pl.Series, places: dict[str, int], missing: int) -> NDArray[np.int64]:
    """Return the place of each cell's text; ``missing`` where it has none."""
    text = column.cast(pl.String)
    return text.replace_strict(places, default=missing, return_dtype=pl.Int64).fill_null(missing).to_numpy()


def _problems_of(
    row: dict[str, object], pieces: float | None, hours: float | None, where: tuple[str, int],
    ids: dict[str, int], ranks: dict[str, int], number: dict[int, int],
) -> list[Problem]:  # fmt: skip
    """Return what is wrong with a row."""
    problems: list[Problem] = []

    def wrong(code: str, message: str, column: str, expected: str, hint: str = "") -> None:
        problems.append(Problem(code, message, *where, column, expected, hint))

    def check_number(value: float | None, column: str, unit: str) -> None:
        seen = row[column]
        if value is None and seen is None:
            wrong("missing-value", "the cell is empty.", column, "0 or more")
        elif value is None:
            wrong("wrong-type", f"{str(seen)!r} is no number.", column, "0 or more", number_hint(str(seen)))
        elif not np.isfinite(value) or value < 0.0:
            wrong("out-of-range", f"{seen} {unit}.", column, "0 or more")

    for column in ("site", "destination"):
        if str(row[column]) not in ids:
            wrong("unknown-site", f"{row[column]!r} is not a site.", column, "a site id")
    check_number(pieces, "pieces", "pieces")
    if row.get("arrives_h") is not None:
        check_number(hours, "arrives_h", "hours")
    name = row.get("service_class")
    if name is not None and str(name) not in ranks:
        wrong("unknown-class", f"{name!r} is not a service class.", "service_class", ", ".join(ranks))
    if not problems and ids[str(row["destination"])] not in number:
        wrong("no-demand", f"No piece is bound for {row['destination']}.", "destination", "a destination")
    return problems


def _numbers(column: pl.Series) -> list[float | None]:
    """Return a column of numbers or of text as numbers, None where a cell is none."""
    if not column.dtype.is_numeric():
        cells = [None if cell is None else str(cell).strip() for cell in column.to_list()]
        column = pl.Series(column.name, cells, dtype=pl.String)
    return column.cast(pl.Float64, strict=False).to_list()


def due_steps(waiting: Waiting, machine: Machine, clock: Clockwork) -> NDArray[np.int64]:
    """Return the step at which each row is in its line: those on their way are handled there first."""
    travel = np.maximum(1, np.rint(waiting.arrives_h / clock.step_h)).astype(np.int64)
    at = np.minimum(clock.warm_steps + travel, clock.n_steps - 1)
    before = machine.delays.before[machine.epoch_of_step[at], waiting.site]
    return np.where(waiting.arrives_h > 0.0, clock.warm_steps + travel + before, clock.warm_steps)


def put_in(machine: Machine, waiting: Waiting, due: NDArray[np.int64], step: int, first: int) -> None:
    """Put what is due at a step in its lines; at the step ``first`` all of it enters.

    Parameters
    ----------
    machine : Machine
    waiting : Waiting
    due : array
        From :func:`due_steps`.
    step : int
    first : int
        At which the backlog enters; what is due later is under way until then.
    """
    state, plant, record = machine.state, machine.plant, machine.record
    if step == first:
        np.add.at(state.total[ENTERED], waiting.rank, waiting.pieces)
        np.add.at(state.total[UNDER_WAY], waiting.rank, waiting.pieces)
    now = np.flatnonzero(due == step)
    if not len(now):
        return
    site, rank, pieces, last = waiting.site[now], waiting.rank[now], waiting.pieces[now], waiting.last[now]
    np.subtract.at(state.total[UNDER_WAY], rank, pieces)
    # who joins later stands behind them: without this their hours would be too few
    np.add.at(record.line_in[step], (site, rank), pieces.astype(np.float32))
    np.add.at(state.last_line, (site[last], rank[last]), pieces[last])
    some = ~last
    c, k, y = plant.inner[site[some]], rank[some], pieces[some].astype(np.float32)
    part = state.joins[c, k]
    np.add.at(state.line, (part, c, k, waiting.dest[now][some]), y)
    np.add.at(state.line_sum, (part, c, k), y.astype(np.float64))
