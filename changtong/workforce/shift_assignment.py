"""Who works which duty: day after day, with rest between duties, nights shared and changes kept small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from changtong.workforce.staffing_question import CentreQuestion, Floats, Ints

BARRED = 1e6
NIGHT_FROM_H, NIGHT_TO_H = 22.0, 6.0
BLOCKING, CHANGING, NIGHTS = 20.0, 1.0, 0.5


@dataclass(frozen=True)
class Assigned:
    """Duties of people.

    Attributes
    ----------
    duty : array of int
        By person and work day; -1: none.
    unfilled : array of int
        By work day and duty: what nobody could take for want of rest.
    """

    duty: Ints
    unfilled: Ints


def is_night(question: CentreQuestion, duty: int) -> bool:
    """Tell whether two hours or more of a duty lie between 22 and 6 o'clock.

    Parameters
    ----------
    question : CentreQuestion
    duty : int
    """
    hours = 0.0
    for shift in question.duties[duty].shifts:
        for begin, end in ((0.0, NIGHT_TO_H), (NIGHT_FROM_H, 24 + NIGHT_TO_H)):
            hours += max(0.0, min(shift.end_h, end) - max(shift.start_h, begin))
    return hours >= 2.0


def assign_duties(question: CentreQuestion, working: Ints, regular: Ints) -> Assigned:
    """Give every person a duty on each day they work.

    Who works on the next day, too, rather gets a duty after which many of the next day's can be had; who is
    off gets the late ones.

    Parameters
    ----------
    question : CentreQuestion
    working : array of int
        People by work day, 1 or 0.
    regular : array of int
        People needed by work day and duty; on no day fewer than work.
    """
    people, days = working.shape
    duties = len(question.duties)
    rests = np.array([[question.rests(k, j) for j in range(duties)] for k in range(duties)], dtype=bool)
    starts = np.array([duty.start_h for duty in question.duties])
    night = np.array([is_night(question, k) for k in range(duties)], dtype=float)
    duty = np.full((people, days), -1, dtype=np.int64)
    unfilled = np.zeros((days, duties), dtype=np.int64)
    usual, nights = np.full(people, np.nan), np.zeros(people)
    for w in range(days):
        here = np.flatnonzero(working[:, w])
        slots = np.repeat(np.arange(duties), regular[w])
        if not len(here):
            unfilled[w] = regular[w]
            continue
        cost = _day_costs(regular, w, slots, rests)
        on_next = working[here, w + 1] == 1 if w + 1 < days else np.zeros(len(here), dtype=bool)
        costs = np.where(on_next[:, None], cost[None], 0.0)
        with np.errstate(invalid="ignore"):
            costs = costs + CHANGING * np.nan_to_num(np.abs(starts[slots][None] - usual[here][:, None]) / 24)
        costs += NIGHTS * night[slots][None] * (nights[here] - nights[here].min())[:, None]
        before = duty[here, w - 1] if w else np.full(len(here), -1)
        worked = before >= 0
        costs[worked] += np.where(rests[before[worked]][:, slots], 0.0, BARRED)
        rows, chosen = linear_sum_assignment(costs)
        good = costs[rows, chosen] < BARRED
        spare = np.setdiff1d(np.arange(len(slots)), chosen)
        np.add.at(unfilled[w], slots[spare], 1)
        duty[here[rows[good]], w] = slots[chosen[good]]
        np.add.at(unfilled[w], slots[chosen[~good]], 1)
        took = duty[here, w] >= 0
        usual[here[took]] = starts[duty[here[took], w]]
        nights[here[took]] += night[duty[here[took], w]]
    return Assigned(duty, unfilled)


def _day_costs(regular: Ints, w: int, slots: Ints, rests: np.ndarray) -> Floats:
    """Return for each slot how many of the next day's duties it bars, as a share."""
    if w + 1 >= len(regular):
        return np.zeros(len(slots))
    following = regular[w + 1]
    barred = (~rests) @ following / max(1, following.sum())
    made: Floats = BLOCKING * barred[slots] ** 2
    return made
