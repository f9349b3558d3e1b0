"""The staffing of a centre as an integer program: people by work day and duty that cover the pieces in time.

Unknowns: regular staff x[w, k], temporary staff z[w, k], pieces waiting b[t], and in the soft form pieces
lacking l[t]. For each hour b[t] >= b[t-1] + arriving[t] - capacity[t] - l[t], and b[t] <= pieces not due yet.

What a crowd of n people may work in a span of days is n times what one may. For people without absences
these rows are exact: a person's days are the integer points of a polytope whose rows are intervals, such a
matrix is totally unimodular, and every integer point of n times it is the sum of n of its integer points
(Baum and Trotter 1978). `day_patterns` takes them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array, csr_array

from changtong.workforce.staffing_question import CentreQuestion, Floats, Ints


@dataclass
class Rows:
    """Rows of a program, gathered."""

    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, entries: dict[int, float], low: float, high: float) -> None:
        """Add a row."""
        number = len(self.low)
        for column, value in entries.items():
            self.row.append(number)
            self.column.append(column)
            self.value.append(value)
        self.low.append(low)
        self.high.append(high)


@dataclass(frozen=True)
class StaffingModel:
    """A program as arrays.

    Attributes
    ----------
    matrix : csr_array
    low, high : array
        Of the rows.
    column_low, column_high : array
    people : int
        Columns that are whole numbers: regular staff, then temporary staff, by work day and duty.
    shape : tuple of int
        Work days and duties.
    """

    matrix: csr_array
    low: Floats
    high: Floats
    column_low: Floats
    column_high: Floats
    people: int
    shape: tuple[int, int]

    def split(self, values: Floats) -> tuple[Ints, Ints]:
        """Return regular and temporary staff by work day and duty."""
        whole = np.rint(values[: self.people]).astype(np.int64).reshape(2, *self.shape)
        return whole[0], whole[1]


def staffing_model(
    question: CentreQuestion, *, hours_per_day: float, lacking: Floats | None = None, soft: bool = False
) -> StaffingModel:
    """Return the program of a centre.

    Parameters
    ----------
    question : CentreQuestion
    hours_per_day : float
        By which hours of a week become days: the longest duty's give what can surely be rostered, the
        shortest one's a bound.
    lacking : array, optional
        Pieces by hour that nobody has to sort.
    soft : bool
        Whether pieces lacking are unknown.
    """
    n, duties, hours = question.work_days, len(question.duties), question.hours
    cells = n * duties
    rows = Rows()
    _cover(question, rows, np.zeros(hours) if lacking is None else lacking, soft)
    for a, b, most in question.spans(hours_per_day):
        crowd = question.crowd_most((a, b, most))
        rows.add(dict.fromkeys(range(a * duties, b * duties), 1.0), -np.inf, float(crowd))
    for late, barred in question.late_sets():
        for w in range(n - 1):
            here = {w * duties + k: 1.0 for k in late}
            there = {(w + 1) * duties + k: 1.0 for k in barred}
            rows.add(here | there, -np.inf, float(len(question.people)))
    columns = 2 * cells + hours * (2 if soft else 1)
    low, high = np.zeros(columns), np.full(columns, np.inf)
    high[:cells] = len(question.people)
    high[cells : 2 * cells] = question.rules.temporary_most
    if any(len(duty.shifts) > 1 for duty in question.duties):
        _temporary_shifts(question, rows, cells)
    for w in range(question.before):
        for k in range(duties):
            if not question.may_begin(w, k):
                high[w * duties + k] = high[cells + w * duties + k] = 0.0
    high[2 * cells : 2 * cells + hours] = question.most_waiting
    made = coo_array((rows.value, (rows.row, rows.column)), shape=(len(rows.low), columns)).tocsr()
    return StaffingModel(made, np.array(rows.low), np.array(rows.high), low, high, 2 * cells, (n, duties))


def _cover(question: CentreQuestion, rows: Rows, lacking: Floats, soft: bool) -> None:
    n, duties, hours = question.work_days, len(question.duties), question.hours
    cells = n * duties
    entries: list[dict[int, float]] = [{2 * cells + t: 1.0} for t in range(hours)]
    for t in range(1, hours):
        entries[t][2 * cells + t - 1] = -1.0
    if soft:
        for t in range(hours):
            entries[t][2 * cells + hours + t] = 1.0
    rules, worked = question.rules, question.worked
    for w in range(n):
        for k, j in zip(*np.nonzero(worked), strict=True):
            t = (w - question.before) * 24 + int(j)
            if 0 <= t < hours:
                entries[t][w * duties + int(k)] = worked[k, j] * rules.regular_pieces_per_h
                entries[t][cells + w * duties + int(k)] = worked[k, j] * rules.temporary_pieces_per_h
    need = question.arriving - lacking
    for t in range(hours):
        rows.add(entries[t], float(need[t]), np.inf)


def _temporary_shifts(question: CentreQuestion, rows: Rows, cells: int) -> None:
    """Limit temporary staff of a shift over all duties that hold it."""
    duties = question.duties
    for shift in question.rules.shifts:
        holding = [k for k, duty in enumerate(duties) if shift in duty.shifts]
        for w in range(question.work_days):
            entries = {cells + w * len(duties) + k: 1.0 for k in holding}
            rows.add(entries, -np.inf, float(question.rules.temporary_most))
