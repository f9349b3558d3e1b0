"""Marks under other weights of departments: what indicators bring then, and what marks of the whole make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.exact import MILLION, Units, times_over, to_units, whole_weights
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import split_list

LARGEST = 2**61
"""Sums of products stay below it."""


@dataclass(frozen=True)
class Marks:
    """Marks of one thing: a row for each department, a column for each subject.

    Attributes
    ----------
    points : array
        In millionths; 0 where none is given.
    given : array of bool
        Marks that count.
    """

    points: Units
    given: NDArray[np.bool_]

    def mean(self, weights: NDArray[np.int64], own: Units | None = None, by: int = -1) -> Units:
        """Return the mean by weights of the departments; 0 where there is none.

        Parameters
        ----------
        weights : array of int
        own : array, optional
            What the department with ``from_facts`` gives.
        by : int
            Its row.
        """
        points, given = self.points, self.given
        if own is not None and by >= 0:
            points, given = points.copy(), given.copy()
            points[by], given[by] = own, True
        total = (weights[:, None] * points).sum(axis=0)
        weight = (weights[:, None] * given).sum(axis=0)
        return times_over(total, 1, np.where(weight > 0, weight, 1))


@dataclass(frozen=True)
class MovedMarks:
    """Marks of some subjects, ready to be averaged under drawn weights.

    Attributes
    ----------
    departments : tuple of str
        Those whose weights move.
    weights : array of int
    by_indicator : tuple of (section, Marks, mean)
        Of each marked indicator: its section, the marks, what they bring under the card's own weights.
    whole : Marks or None
        Of the whole; None where there are none.
    marked : array of bool
        Subjects with marks of the whole.
    from_facts : int
        Row of the department that gives what the card gives; -1 for none.
    """

    departments: tuple[str, ...]
    weights: NDArray[np.int64]
    by_indicator: tuple[tuple[int, Marks, Units], ...]
    whole: Marks | None
    marked: NDArray[np.bool_]
    from_facts: int

    def change(self, factors: NDArray[np.int64], shape: tuple[int, int]) -> Units:
        """Return what sections bring more, or less, under weights times some factors.

        Parameters
        ----------
        factors : array (departments,)
            In thousandths.
        shape : (subjects, sections)
        """
        made = np.zeros(shape, np.int64)
        weights = self._drawn(factors, 1000 * MILLION)
        for section, marks, before in self.by_indicator:
            made[:, section] += marks.mean(weights) - before
        return made

    def joined(self, scores: Units, factors: NDArray[np.int64]) -> Units:
        """Return scores with the marks of the whole under weights times some factors.

        Parameters
        ----------
        scores : array (subjects,)
        factors : array (departments,)
        """
        if self.whole is None:
            return scores
        largest = max(1000 * MILLION, int(np.abs(scores).max(initial=0)))
        found = self.whole.mean(self._drawn(factors, largest), own=scores, by=self.from_facts)
        return np.where(self.marked, found, scores)

    def _drawn(self, factors: NDArray[np.int64], largest: int) -> NDArray[np.int64]:
        """Return weights times factors, made smaller alike where products would not fit."""
        drawn = self.weights * factors
        total = int(drawn.sum()) * largest
        return drawn if total < LARGEST else drawn // (total // LARGEST + 1)


def moved_marks(result: Assessment, rows: NDArray[np.int64]) -> MovedMarks | None:
    """Return the marks of some subjects; None where no weights of departments can move anything.

    Marks that are blind move nothing, and neither does a single department.

    Parameters
    ----------
    result : Assessment
    rows : array of int
        Rows of the subjects.
    """
    card = result.card
    names = [str(name) for name in card.departments["department_id"]]
    if card.waiting_for or not card.marks.height or len(names) < 2:
        return None
    weights = np.array(whole_weights(card.departments["weight"].to_list()), np.int64)
    facts = card.departments["from_facts"].to_list()
    found = []
    for column, one in enumerate(card.indicators.iter_rows(named=True)):
        if one["scoring"] == "marks":
            mine = card.marks.filter(pl.col("indicator_id").to_physical() == column)
            listed = split_list(one["departments"]) or tuple(names)
            marks = _marks(mine, names, listed, card.subjects.height, rows)
            marks = Marks(marks.points * result.points.applies[rows, column], marks.given)
            found.append((int(result.numbers.indicator_section[column]), marks, marks.mean(weights)))
    whole = card.marks.filter(pl.col("indicator_id").is_null())
    of_whole = _marks(whole, names, tuple(names), card.subjects.height, rows) if whole.height else None
    marked = np.zeros(card.subjects.height, bool)
    marked[whole["subject_id"].to_physical().to_numpy()] = True
    by_facts = facts.index(True) if True in facts else -1
    return MovedMarks(tuple(names), weights, tuple(found), of_whole, marked[rows], by_facts)


def _marks(
    frame: pl.DataFrame, names: list[str], listed: tuple[str, ...], subjects: int, rows: NDArray[np.int64]
) -> Marks:
    points, given = np.zeros((len(names), subjects), np.int64), np.zeros((len(names), subjects), bool)
    place = {name: number for number, name in enumerate(names)}
    kept = frame.filter(pl.col("department_id").cast(pl.String).is_in(list(listed)))
    by = np.array([place[str(name)] for name in kept["department_id"]], np.int64)
    who = kept["subject_id"].to_physical().to_numpy().astype(np.int64)
    points[by, who] = to_units(kept["points"])
    given[by, who] = True
    return Marks(points[:, rows], given[:, rows])
