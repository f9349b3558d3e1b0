"""A first whole staffing from a broken one: rounded down, then people are added where pieces would be late.

It obeys every row and is found in a moment, whatever the time limit; what follows only makes it cheaper.
"""

from __future__ import annotations

import numpy as np

from changtong.workforce.staffing_model import StaffingModel
from changtong.workforce.staffing_question import CentreQuestion, Floats, Ints

NEAR = 1e-6
MOST_STEPS = 200_000


class _Crowd:
    """Numbers of people, and the rows that limit them."""

    def __init__(self, question: CentreQuestion, model: StaffingModel, values: Floats) -> None:
        self.question, self.model = question, model
        self.people = np.floor(values[: model.people] + NEAR)
        limits = np.flatnonzero(np.isfinite(model.high))  # the rows that cover pieces have no upper end
        self.limits = model.matrix[limits][:, : model.people].tocsc()
        self.room = model.high[limits] - self.limits @ self.people

    def can_add(self, column: int) -> bool:
        """Tell whether there may be one more."""
        rows = self.limits.indices[self.limits.indptr[column] : self.limits.indptr[column + 1]]
        below = self.people[column] + 1 <= self.model.column_high[column] + NEAR
        return bool(below and (self.room[rows] >= 1 - NEAR).all())

    def add(self, column: int, count: int) -> None:
        """Add people, or take them away."""
        self.people[column] += count
        rows = self.limits.indices[self.limits.indptr[column] : self.limits.indptr[column + 1]]
        self.room[rows] -= count

    def split(self) -> tuple[Ints, Ints]:
        """Return regular and temporary staff."""
        return self.model.split(self.people)


def rounded_start(
    question: CentreQuestion, model: StaffingModel, broken: Floats, cost: Floats, lacking: Floats
) -> Floats | None:
    """Return a whole staffing that obeys every row; None where adding people one by one does not get there.

    Parameters
    ----------
    question : CentreQuestion
    model : StaffingModel
    broken : array
        A solution in broken numbers.
    cost : array
        Of the columns.
    lacking : array
        Pieces by hour that nobody has to sort.
    """
    crowd = _Crowd(question, model, broken)
    arriving = question.arriving - lacking
    capacity = question.capacity(*crowd.split())
    wanted = broken[: model.people] - crowd.people
    for _ in range(MOST_STEPS):
        waiting = _waiting(arriving, capacity)
        over = np.flatnonzero(waiting > question.most_waiting + 1e-6)
        if not len(over):
            break
        column = _best_added(question, crowd, wanted, cost, waiting, int(over[0]))
        if column is None:
            return None
        crowd.add(column, 1)
        wanted[column] -= 1
        capacity += _of_one(question, model, column)
    else:
        return None
    _thin_out(question, crowd, arriving, capacity, cost)
    values = np.zeros(model.matrix.shape[1])
    values[: model.people] = crowd.people
    values[model.people : model.people + question.hours] = _waiting(arriving, capacity)
    return values


def _waiting(arriving: Floats, capacity: Floats) -> Floats:
    """Return pieces waiting at the end of each hour; negative numbers of what comes in are slack."""
    net = np.cumsum(arriving - capacity)
    made: Floats = net - np.minimum(np.minimum.accumulate(net), 0.0)
    return made


def _of_one(question: CentreQuestion, model: StaffingModel, column: int) -> Floats:
    """Return what one person more sorts in each hour."""
    kind, cell = divmod(column, model.people // 2)
    one = np.zeros(model.shape, dtype=np.int64)
    one.flat[cell] = 1
    none = np.zeros(model.shape, dtype=np.int64)
    return question.capacity(none, one) if kind else question.capacity(one, none)


def _best_added(
    question: CentreQuestion, crowd: _Crowd, wanted: Floats, cost: Floats, waiting: Floats, hour: int
) -> int | None:
    """Return which person more helps most, for its cost, against what is overdue at an hour."""
    empty = np.flatnonzero(waiting[:hour] <= NEAR)
    since = int(empty[-1]) + 1 if len(empty) else 0
    duties, half = crowd.model.shape[1], crowd.model.people // 2
    rates = (question.rules.regular_pieces_per_h, question.rules.temporary_pieces_per_h)
    best, best_worth = None, 0.0
    last = min(crowd.model.shape[0] - 1, hour // 24 + question.before)
    for w in range(max(0, last - (hour - since) // 24 - 1 - question.before), last + 1):
        first = (w - question.before) * 24
        a, b = max(since, first), min(hour + 1, first + question.worked.shape[1])
        if a >= b:
            continue
        hours = question.worked[:, a - first : b - first].sum(axis=1)
        for k in np.flatnonzero(hours > 0):
            for kind, rate in enumerate(rates):
                column = kind * half + w * duties + int(k)
                help_ = min(hours[k] * rate, waiting[hour] - question.most_waiting[hour])
                worth = help_ / max(cost[column], 1e-3) * (1 + max(0.0, wanted[column]))
                if worth > best_worth and crowd.can_add(column):
                    best, best_worth = column, worth
    return best


def _thin_out(
    question: CentreQuestion, crowd: _Crowd, arriving: Floats, capacity: Floats, cost: Floats
) -> None:
    """Send home whom nobody needs, the dearest first."""
    there = np.flatnonzero(crowd.people > 0)
    for column in there[np.argsort(-cost[there], kind="stable")]:
        of_one = _of_one(question, crowd.model, int(column))
        while crowd.people[column] > 0:
            waiting = _waiting(arriving, capacity - of_one)
            if (waiting > question.most_waiting + 1e-6).any():
                break
            capacity -= of_one
            crowd.add(int(column), -1)
