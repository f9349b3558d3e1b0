"""Known closures: days on which a site or a leg was, or will be, shut.

Days of the past on which a leg was shut say nothing of what it carries and are left out; days
ahead on which it will be shut are forecast 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings, NearestNames

COLUMNS = ("site", "from_site", "to_site", "first_day", "last_day", "label")
PLACES = COLUMNS[:3]
A_PLACE = "site, or from_site and to_site, or one of these two"


@dataclass(frozen=True)
class Closure:
    """A site or a leg that is shut between two days.

    Attributes
    ----------
    first_day : date
    last_day : date or None
        Still shut on this day; None: no end is known.
    site : str or None
        Shut both ways.
    from_site, to_site : str or None
        Both: the leg. One alone: everything that leaves, or comes in.
    label : str
        What it is, for the page.
    """

    first_day: date
    last_day: date | None = None
    site: str | None = None
    from_site: str | None = None
    to_site: str | None = None
    label: str = ""

    def shuts(self, from_site: str, to_site: str) -> bool:
        """Say whether it shuts the leg between two sites."""
        if self.site is not None:
            return self.site in (from_site, to_site)
        return self.from_site in (None, from_site) and self.to_site in (None, to_site)


def read_closures(source: pl.DataFrame | str | Path, legs: Sequence[tuple[str, str]]) -> tuple[Closure, ...]:
    """Read known closures, one a row.

    Parameters
    ----------
    source : frame or path
        CSV or frame: ``first_day``; ``last_day`` (included; empty: no end is known); the place, as
        ``site`` (both ways), or ``from_site`` and ``to_site`` (a leg), or one of these (all that
        leaves, or comes in); ``label`` as you like.
    legs : sequence of (from_site, to_site)
        What the places must exist in.

    Raises
    ------
    InputError
        With every problem found, by row and column.
    """
    name, frame = _loaded(source)
    _check_columns(name, frame)
    sites = sorted({end for leg in legs for end in leg})
    reader = _Reader(name, NearestNames(sites), frozenset(sites), frozenset(legs), [])
    made = [reader.closure(k, row) for k, row in enumerate(frame.iter_rows(named=True), 1)]
    if reader.problems:
        raise InputError(reader.problems)
    return tuple(one for one in made if one is not None)


def shut_days(
    closures: Sequence[Closure], legs: Sequence[tuple[str, str]], begin: date, days: int
) -> NDArray[np.bool_]:
    """Return (legs, days): whether a leg is shut on a day.

    Parameters
    ----------
    closures : sequence of Closure
    legs : sequence of (from_site, to_site)
    begin : date
        Of the first column.
    days : int
    """
    shut = np.zeros((len(legs), days), bool)
    for one in closures:
        first = max(0, (one.first_day - begin).days)
        last = days if one.last_day is None else min(days, (one.last_day - begin).days + 1)
        if first < last:
            rows = [row for row, leg in enumerate(legs) if one.shuts(*leg)]
            shut[rows, first:last] = True
    return shut


def _loaded(source: pl.DataFrame | str | Path) -> tuple[str, pl.DataFrame]:
    if isinstance(source, pl.DataFrame):
        return "closures", source.rename({c: c.strip() for c in source.columns if c != c.strip()})
    path, findings = Path(source), Findings()
    try:
        frame = read_csv_file(path, COLUMNS, {}, findings, {})
    except OSError as error:
        raise InputError([Problem("unreadable-file", str(error), path.name)]) from error
    if findings.errors or frame is None:
        raise InputError(findings.errors)
    return path.name, frame.rename({c: c.strip() for c in frame.columns if c != c.strip()})


def _check_columns(name: str, frame: pl.DataFrame) -> None:
    problems = []
    near = NearestNames(COLUMNS)
    for column in frame.columns:
        if column not in COLUMNS:
            hint = near.hint(column) or f"Known are {', '.join(COLUMNS)}."
            problems.append(
                Problem("unknown-column", f"{column!r} is not known.", name, 0, column, hint=hint)
            )
    if "first_day" not in frame.columns:
        problems.append(
            Problem("missing-column", "No column 'first_day'.", name, 0, "first_day", ", ".join(COLUMNS))
        )
    if not set(PLACES) & set(frame.columns):
        problems.append(Problem("missing-column", "No column says a place.", name, 0, "site", A_PLACE))
    if problems:
        raise InputError(problems)


@dataclass
class _Reader:
    """Reads rows, and gathers what is wrong with them."""

    name: str
    near: NearestNames
    sites: frozenset[str]
    legs: frozenset[tuple[str, str]]
    problems: list[Problem]

    def closure(self, number: int, row: dict[str, object]) -> Closure | None:
        """Return the closure of a row; None for a row without a cell, or a wrong one."""
        cells = {key: text for key, cell in row.items() if cell is not None and (text := str(cell).strip())}
        if not cells:
            return None
        before = len(self.problems)
        first = self.day(number, cells, "first_day")
        last = self.day(number, cells, "last_day")
        if "first_day" not in cells:
            self.wrong("missing-value", "no first day.", number, "first_day", "YYYY-MM-DD")
        if first is not None and last is not None and last < first:
            self.wrong(
                "times-reversed", f"{last} is before {first}.", number, "last_day", f"{first} or later"
            )
        self.place(number, cells)
        if len(self.problems) > before or first is None:
            return None
        places = {column: cells.get(column) for column in PLACES}
        return Closure(first, last, **places, label=cells.get("label", ""))

    def day(self, number: int, cells: dict[str, str], column: str) -> date | None:
        if column not in cells:
            return None
        try:
            return date.fromisoformat(cells[column][:10])
        except ValueError:
            self.wrong("wrong-type", f"{cells[column]!r} is no date.", number, column, "YYYY-MM-DD")
            return None

    def place(self, number: int, cells: dict[str, str]) -> None:
        """Check where a row says it is."""
        said = [column for column in PLACES if column in cells]
        if not said or ("site" in said and len(said) > 1):
            message = "it says no place." if not said else f"it says {' and '.join(said)}."
            self.wrong("no-place", message, number, "site", A_PLACE)
            return
        unknown = [column for column in said if cells[column] not in self.sites]
        for column in unknown:
            message = f"{cells[column]!r} does not occur in the volumes."
            hint = self.near.hint(cells[column])
            self.wrong("unknown-site", message, number, column, "a site of the volumes", hint)
        leg = (cells.get("from_site", ""), cells.get("to_site", ""))
        if len(said) == 2 and not unknown and leg not in self.legs:
            ends = sorted(b for a, b in self.legs if a == leg[0])
            hint = f"From {leg[0]} legs lead to {', '.join(ends[:8])}." if ends else ""
            message = f"no leg {leg[0]}>{leg[1]} occurs in the volumes."
            self.wrong("unknown-leg", message, number, "to_site", "a leg of the volumes", hint)

    def wrong(self, code: str, message: str, row: int, column: str, expected: str, hint: str = "") -> None:
        self.problems.append(Problem(code, message, self.name, row, column, expected, hint))
