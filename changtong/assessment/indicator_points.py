"""Values and marks to points, indicator by indicator, for all subjects at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.exact import Units, times_over, to_units, unit, whole_weights
from changtong.assessment.scorecard import STAGES, Scorecard, split_list


@dataclass(frozen=True)
class IndicatorPoints:
    """Points of every subject (row) for every indicator (column).

    Attributes
    ----------
    points : array
        In millionths; 0 where the indicator is not for the subject, or is waiting for marks.
    applies : array of bool
        Whether the indicator is for the subject.
    missing : array of bool
        No value, or no mark with weight, where one is asked for.
    rows : array
        Row of the value that counts in ``values``; -1 for none.
    most : array
        Full points of each indicator.
    waiting : array of bool
        Indicators whose marks are blind still.
    """

    points: Units
    applies: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    rows: NDArray[np.int32]
    most: Units
    waiting: NDArray[np.bool_]


def indicator_points(card: Scorecard) -> IndicatorPoints:
    """Score every indicator for every subject it is for.

    Parameters
    ----------
    card : Scorecard
    """
    subjects, indicators = card.subjects.height, card.indicators
    shape = (subjects, indicators.height)
    points = np.zeros(shape, np.int64, order="F")
    applies = _applies(card)
    rows, values = latest_values(card)
    missing = np.zeros(shape, bool, order="F")
    waiting = np.zeros(indicators.height, bool)
    most = to_units(indicators["max_points"])
    blind = bool(card.waiting_for)
    for column, one in enumerate(indicators.iter_rows(named=True)):
        if one["scoring"] == "marks":
            waiting[column] = blind
            if not blind:
                mean, given = _marked(card, column, one["departments"])
                points[:, column] = mean * applies[:, column]
                missing[:, column] = applies[:, column] & ~given
            continue
        here = rows[:, column] >= 0
        made = _scored(values[:, column], one, card)
        absent = most[column] if one["if_missing"] == "full" else 0
        points[:, column] = np.where(here, made, absent) * applies[:, column]
        missing[:, column] = applies[:, column] & ~here
    return IndicatorPoints(points, applies, missing, rows, most, waiting)


def _applies(card: Scorecard) -> NDArray[np.bool_]:
    """Return which indicator is for which subject, by level."""
    level = card.subjects["level"]
    names = level.unique(maintain_order=True).to_list()
    codes = level.cast(pl.Enum(names)).to_physical().to_numpy()
    applies = np.ones((len(codes), card.indicators.height), bool, order="F")
    for column, text in enumerate(card.indicators["levels"].to_list()):
        if text is not None:
            wanted = np.array([name in split_list(text) for name in names])
            applies[:, column] = wanted[codes]
    return applies


def latest_values(card: Scorecard) -> tuple[NDArray[np.int32], Units]:
    """Return for each subject and indicator the row of the value of the latest stage, and the value.

    Parameters
    ----------
    card : Scorecard
    """
    shape = (card.subjects.height, card.indicators.height)
    rows = np.full(shape, -1, np.int32, order="F")
    values = np.zeros(shape, np.int64, order="F")
    if not card.values.height:
        return rows, values
    who = card.values["subject_id"].to_physical().to_numpy()
    what = card.values["indicator_id"].to_physical().to_numpy()
    number = to_units(card.values["value"])
    stage = card.values["stage"].cast(pl.Enum(STAGES)).to_physical().to_numpy()
    place = np.arange(len(who), dtype=np.int32)
    at = what.astype(np.int64) * shape[0] + who
    for level, count in enumerate(np.bincount(stage, minlength=len(STAGES)).tolist()):
        if count:
            here = slice(None) if count == len(stage) else np.flatnonzero(stage == level)
            rows.T.reshape(-1)[at[here]] = place[here]
            values.T.reshape(-1)[at[here]] = number[here]
    return rows, values


def _scored(values: Units, one: dict[str, object], card: Scorecard) -> Units:
    """Return the points of values by one indicator's scoring."""
    if one["scoring"] == "linear":
        zero, full = unit(float(str(one["zero_at"]))), unit(float(str(one["full_at"])))
        sign = 1 if full > zero else -1
        span = abs(full - zero)
        done = np.clip((values - zero) * sign, 0, span)
        return times_over(done, unit(float(str(one["max_points"]))), span)
    steps = card.steps[str(one["indicator_id"])]
    better = 1 if one["direction"] == "more" else -1
    levels = np.array([unit(value) * better for value, _ in steps], np.int64)
    brought = np.array([0, *(unit(points) for _, points in steps)], np.int64)
    found: Units = brought[np.searchsorted(levels, values * better, side="right")]
    return found


def _marked(card: Scorecard, column: int, listed: str | None) -> tuple[Units, NDArray[np.bool_]]:
    """Return the weighted mean of the departments' marks of one indicator, and who has any."""
    marks = card.marks.filter(pl.col("indicator_id").to_physical() == column)
    names = split_list(listed) or tuple(card.departments["department_id"].cast(pl.String))
    return mean_of_marks(card, marks, names)


def mean_of_marks(
    card: Scorecard, marks: pl.DataFrame, names: tuple[str, ...], own: Units | None = None
) -> tuple[Units, NDArray[np.bool_]]:
    """Return the weighted mean of the marks of each subject, and who has any.

    Parameters
    ----------
    card : Scorecard
    marks : polars.DataFrame
        Rows of ``marks``, one for each department and subject.
    names : tuple of str
        Departments that count.
    own : array, optional
        What the department with ``from_facts`` gives.
    """
    ids = card.departments["department_id"].cast(pl.String).to_list()
    weights = dict(zip(ids, whole_weights(card.departments["weight"].to_list()), strict=True))
    first = dict(zip(ids, card.departments["from_facts"].to_list(), strict=True))
    total = np.zeros(card.subjects.height, np.int64)
    weight = np.zeros(card.subjects.height, np.int64)
    by = marks["department_id"].cast(pl.String)
    for name in names:
        if first[name] and own is not None:
            total += weights[name] * own
            weight += weights[name]
            continue
        mine = marks.filter(by == name)
        who = mine["subject_id"].to_physical().to_numpy()
        total[who] += weights[name] * to_units(mine["points"])
        weight[who] += weights[name]
    given = weight > 0
    return times_over(total, 1, np.where(given, weight, 1)), given
