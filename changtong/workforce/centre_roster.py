"""The roster of one centre: staffing, days and duties of its people, and what stands in for lack of rest."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from changtong.workforce.absent_patterns import who_works
from changtong.workforce.shift_assignment import assign_duties
from changtong.workforce.staffing import Status, Termination, solve_staffing, value_of
from changtong.workforce.staffing_question import CentreQuestion, Floats, Ints

NOTHING = 0.01
"""Pieces below this are none: a solver's tolerance."""


@dataclass(frozen=True)
class CentreRoster:
    """A centre's roster.

    Attributes
    ----------
    question : CentreQuestion
    regular, temporary : array of int
        By work day and duty.
    duty : array of int
        By person and work day; -1: off.
    lacking : array
        Pieces by hour that nobody sorts in time.
    lacking_bound : float
        At least so many are lacking whatever is done.
    objective, bound : float
    replaced : int
        Duties of regular staff that temporary staff took, for want of rest or people present.
    status : Status
    termination : Termination
    seconds : float
    """

    question: CentreQuestion
    regular: Ints
    temporary: Ints
    duty: Ints
    lacking: Floats
    lacking_bound: float
    objective: float
    bound: float
    replaced: int
    status: Status
    termination: Termination
    seconds: float

    @property
    def gap(self) -> float:
        """How far the value may lie above the least, as a share."""
        return max(0.0, self.objective - self.bound) / max(abs(self.objective), 1e-9)


def roster_centre(question: CentreQuestion, seconds: float) -> CentreRoster:
    """Return the roster of a centre.

    Parameters
    ----------
    question : CentreQuestion
    seconds : float
        For the staffing, about.
    """
    begin = time.perf_counter()
    found = solve_staffing(question, seconds)
    longest = max(duty.hours for duty in question.duties)
    working = who_works(question, found.regular.sum(axis=1), question.spans(longest))
    assigned = assign_duties(question, working, found.regular)
    regular = found.regular - assigned.unfilled
    temporary = _stand_in(question, regular, found.temporary, assigned.unfilled, found.lacking)
    lacking = lacking_after(question, question.capacity(regular, temporary), found.lacking)
    objective = value_of(question, regular, temporary)
    if lacking.sum() > NOTHING:
        status = Status.lacking
    else:
        status = Status.optimal if objective <= found.bound + 1e-6 * max(1.0, objective) else Status.feasible
    return CentreRoster(
        question,
        regular,
        temporary,
        assigned.duty,
        lacking,
        found.lacking_bound,
        objective,
        min(found.bound, objective),
        int(assigned.unfilled.sum()),
        status,
        found.termination if status != Status.optimal else Termination.finished,
        time.perf_counter() - begin,
    )


def _stand_in(
    question: CentreQuestion, regular: Ints, temporary: Ints, unfilled: Ints, lacking: Floats
) -> Ints:
    """Return temporary staff, with those that take what regular staff could not: as few as will do."""
    made = temporary.copy()
    rules = question.rules
    ratio = rules.regular_pieces_per_h / rules.temporary_pieces_per_h
    for w, k in zip(*np.nonzero(unfilled), strict=True):
        most = int(np.ceil(unfilled[w, k] * ratio - 1e-9))
        held = sum(
            int(made[w, j])
            for j, duty in enumerate(question.duties)
            if set(duty.shifts) & set(question.duties[k].shifts)
        )
        made[w, k] += max(0, min(most, rules.temporary_most - held))
    base = lacking_after(question, question.capacity(regular, made), lacking).sum()
    for w, k in zip(*np.nonzero(unfilled), strict=True):
        while made[w, k] > 0:
            made[w, k] -= 1
            if lacking_after(question, question.capacity(regular, made), lacking).sum() > base + 1e-6:
                made[w, k] += 1
                break
    return made


def lacking_after(question: CentreQuestion, capacity: Floats, lacking: Floats) -> Floats:
    """Return pieces by hour that nobody sorts in time: those known, and what waits too long all the same.

    Parameters
    ----------
    question : CentreQuestion
    capacity : array
        Pieces in each hour.
    lacking : array
        Known before.
    """
    net = np.cumsum(question.arriving - lacking - capacity)
    waiting = net - np.minimum(np.minimum.accumulate(net), 0.0)
    if (waiting <= question.most_waiting + 1e-6).all():
        return lacking
    made, left = lacking.copy(), 0.0
    for t in range(question.hours):
        left = max(0.0, left + question.arriving[t] - made[t] - capacity[t])
        over = left - question.most_waiting[t]
        if over > 1e-6:
            made[t] += over
            left = float(question.most_waiting[t])
    return made
