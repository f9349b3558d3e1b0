"""Counts of duties by their points and nights: what one person can have of both at once.

Where all duties weigh the same, points and nights are whole together: their rows are nested. Where a duty of
24 hours has two points they are not: two and a half such duties and no other night make whole points, and a
relaxation takes them. So what a person has of each sort of duty (points, night) is a mix of whole
patterns, each at its exact cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.duty.fair_shares import FairShares
from changtong.duty.question import Question

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST = 200_000
"""Patterns of a person from which on points and nights are left to themselves."""

NEAR = 12.0
"""A pattern is a column where the known roster's slopes make it at most so much dearer than that roster's."""


@dataclass(frozen=True)
class JointCounts:
    """Whole patterns of one person.

    Attributes
    ----------
    person : int
    sorts : tuple of array
        Slots of each sort of duty.
    patterns : array, (patterns, sorts)
    cost : array, (patterns,)
        Of points and nights together.
    chosen : array
        Numbers of those that are columns; the others are looked at when the bound is told.
    """

    person: int
    sorts: tuple[Ints, ...]
    patterns: Ints
    cost: Floats
    chosen: Ints


def joint_counts(
    question: Question, shares: FairShares, person: int, near: Ints, value: float
) -> JointCounts | None:
    """Return the patterns of a person; None where they say no more than points and nights alone.

    Parameters
    ----------
    question : Question
    shares : FairShares
    person : int
    near : array, (kinds,)
        Counts of the person in a known roster.
    value : float
        Its cost: patterns that cost more are in no better roster, and left out.
    """
    own = np.flatnonzero(question.may[person])
    sort, which = np.unique(question.slots.counts[:2, own], axis=1, return_inverse=True)
    if len(np.unique(sort[0][sort[0] > 0])) < 2:
        return None
    tables = shares.cost[person][:2]
    if any(not np.diff(table).any() for table in tables):
        return None
    within = [np.flatnonzero(table <= value) for table in tables]
    if not all(len(one) for one in within):
        return None
    most = np.array([one[-1] for one in within])
    which = which.ravel()
    days = question.slots.day[own]
    sorts = tuple(own[which == k] for k in range(sort.shape[1]))
    reach = [
        min(
            len(np.unique(days[which == k])),
            *(int(m // s) for m, s in zip(most, sort[:, k], strict=True) if s),
        )
        if sort[:, k].any()
        else 0
        for k in range(sort.shape[1])
    ]
    if np.prod([float(one + 1) for one in reach]) > MOST:
        return None
    grid = np.stack(np.meshgrid(*[np.arange(one + 1) for one in reach], indexing="ij"), axis=-1)
    patterns = grid.reshape(-1, len(reach))
    counts = patterns @ sort.T
    patterns, counts = patterns[(counts <= most).all(axis=1)], counts[(counts <= most).all(axis=1)]
    parts = [table[counts[:, k]] for k, table in enumerate(tables)]
    cost = parts[0] + parts[1]
    dearer = np.zeros(len(cost))
    for k, table in enumerate(tables):
        at = int(np.clip(near[k], 1, len(table) - 2)) if len(table) > 2 else 0
        slope = (table[at + 1] - table[at - 1]) / 2 if len(table) > 2 else table[1] - table[0]
        dearer += parts[k] - table[at] - slope * (counts[:, k] - at)
    keep = cost <= value
    patterns, cost, dearer = patterns[keep], cost[keep], dearer[keep]
    return JointCounts(person, sorts, patterns, cost, np.flatnonzero(dearer <= NEAR))
