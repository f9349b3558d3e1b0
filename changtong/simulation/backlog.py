"""Pieces that wait when a simulation begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.network.model import Network
from changtong.simulation.machine import Machine
from changtong.simulation.steps import ENTERED
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


def read_backlog(
    network: Network, backlog: pl.DataFrame, dest_site: NDArray[np.int32]
) -> tuple[Waiting, ...]:
    """Read a starting backlog: site, destination, service_class (optional), pieces.

    Without a class pieces count as the lowest.

    Raises
    ------
    InputError
        With every row that is wrong.
    """
    missing = [name for name in COLUMNS if name not in backlog.columns]
    if missing:
        expected = ", ".join(COLUMNS)
        raise InputError(
            Problem("missing-column", f"No column {name!r}.", "backlog", expected=expected)
            for name in missing
        )
    ids = {site: row for row, site in enumerate(network.site_ids)}
    ranks = {name: k for k, name in enumerate(class_table(network)["service_class"].cast(pl.String))}
    number = {int(site): d for d, site in enumerate(dest_site)}
    found: list[Waiting] = []
    problems: list[Problem] = []
    for line, row in enumerate(backlog.iter_rows(named=True), start=1):

        def wrong(code: str, message: str, column: str, expected: str, line: int = line) -> None:
            problems.append(Problem(code, message, "backlog", line, column, expected))

        before = len(problems)
        for column in ("site", "destination"):
            if str(row[column]) not in ids:
                wrong("unknown-site", f"{row[column]!r} is not a site.", column, "a site id")
        pieces, name = row["pieces"], row.get("service_class")
        if pieces is None or not np.isfinite(pieces) or pieces < 0.0:
            wrong("out-of-range", f"{pieces!r} pieces.", "pieces", "0 or more")
        if name is not None and str(name) not in ranks:
            wrong("unknown-class", f"{name!r} is not a service class.", "service_class", ", ".join(ranks))
        if len(problems) > before:
            continue
        site, dest = ids[str(row["site"])], ids[str(row["destination"])]
        if dest not in number:
            wrong("no-demand", f"No piece is bound for {row['destination']}.", "destination", "a destination")
            continue
        rank = len(ranks) - 1 if name is None else ranks[str(name)]
        found.append(Waiting(site, number[dest], site == dest, rank, float(pieces)))
    if problems:
        raise InputError(problems)
    return tuple(found)


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
