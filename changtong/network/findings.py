"""Problems gathered while tables are read: all kinds counted, the first of each listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

import numpy as np
import polars as pl

from changtong.errors import Problem

LISTED_ROWS = 1000
"""Rows listed for one code in one column; further ones are only counted."""

HINTED_VALUES = 20
"""Unlike values for which a nearest name is looked up (each look-up scans all names)."""


class Findings:
    """Problems in the order found, with true counts.

    Attributes
    ----------
    problems : list of Problem
        At most ``LISTED_ROWS`` for one code in one column, then one that says how many more.
    counts : Counter
        (severity, code) -> how many, the unlisted ones included.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, problem: Problem, *, count: int = 1) -> None:
        """Add one problem, which may stand for several."""
        self.problems.append(problem)
        self.counts[problem.severity, problem.code] += count

    def add_rows(self, rows: Sequence[int] | np.ndarray, make: Callable[[int], Problem]) -> None:
        """Add a problem for each row.

        Parameters
        ----------
        rows : sequence of int
            Row numbers from 0.
        make : callable
            Row number from 0 -> its problem; called for the first ``LISTED_ROWS`` only.
        """
        for row in rows[:LISTED_ROWS]:
            self.add(make(int(row)))
        more = len(rows) - LISTED_ROWS
        if more > 0:
            last = self.problems[-1]
            text = f"… and {more:,} more rows like these"
            rest = Problem(last.code, text, last.file, None, last.column, severity=last.severity)
            self.add(rest, count=more)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop the work."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def rows_where(mask: pl.Series) -> np.ndarray:
    """Return the row numbers (from 0) where a Boolean column is true (null = false)."""
    if mask.dtype == pl.Boolean and not mask.any():
        return np.empty(0, np.int64)
    return np.flatnonzero(mask.fill_null(False).to_numpy())


class NearestNames:
    """Looks up the nearest known name, for the first few unlike values.

    Parameters
    ----------
    names : iterable of str
        The names that exist.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._folded = {_folded(name): name for name in self._names}
        self._known: dict[str, str] = {}

    def hint(self, value: str) -> str:
        """Return ``did you mean "…"?`` or an empty text."""
        if value not in self._known:
            self._known[value] = self._look_up(value) if len(self._known) < HINTED_VALUES else ""
        near = self._known[value]
        return f'Did you mean "{near}"?' if near else ""

    def _look_up(self, value: str) -> str:
        same = self._folded.get(_folded(value))
        if same is not None:
            return same
        near = get_close_matches(value, self._names, n=1, cutoff=0.6)
        return near[0] if near else ""


def _folded(name: str) -> str:
    """Letters and digits only, lower case, without leading zeros (Excel drops them)."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()).lstrip("0")
