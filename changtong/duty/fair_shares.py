"""Who should serve how much: fair shares, what a deviation costs, and a bound from counting alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from changtong.duty.question import Question
from changtong.duty.staff import KINDS, Person

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class FairShares:
    """Fair shares of the kinds of duty.

    Attributes
    ----------
    pool : array, (people,)
        People who can stand in for each other, directly or through others, are of one pool.
    weight : array, (people,)
        Part of full time, times the part of the days on which somebody can serve.
    target : array, (people, kinds)
        Fair count in this period, after what is carried over; may be negative.
    carried : array, (people, kinds)
        As used: somebody without a count is taken at the mean of the pool.
    assumed : tuple of str
        Ids of those taken at the mean.
    cost : tuple of tuple of array
        By person and kind: cost of 0, 1, 2 … of the kind.
    """

    pool: Ints
    weight: Floats
    target: Floats
    carried: Floats
    assumed: tuple[str, ...]
    cost: tuple[tuple[Floats, ...], ...]


def fair_shares(question: Question) -> FairShares:
    """Return the fair shares of a period.

    All of a pool's duties and all that its people carry over are shared out in proportion to ``weight``.

    Parameters
    ----------
    question : Question
    """
    folder, slots, may = question.folder, question.slots, question.may
    people = folder.people
    linked = sparse.csr_matrix((may.astype(np.int32) @ may.T.astype(np.int32)) > 0)
    _, pool = connected_components(linked, directed=False)
    weight = np.array([one.share for one in people]) * _there(question)
    known = dict(folder.carried)
    carried = np.array([known.get(one.person_id, (np.nan,) * len(KINDS)) for one in people], float)
    target = np.zeros_like(carried)
    assumed: list[str] = []
    for number in np.unique(pool):
        who = np.flatnonzero(pool == number)
        assumed += _fill_mean(carried, who, np.array([one.share for one in people]), people)
        of = may[who].any(axis=0)
        total = (slots.counts * slots.heads)[:, of].sum(axis=1) + carried[who].sum(axis=0)
        part = weight[who] / weight[who].sum() if weight[who].sum() > 0 else np.full(len(who), 1 / len(who))
        target[who] = part[:, None] * total[None, :] - carried[who]
    weights = [folder.weights.of(kind) for kind in KINDS]
    most = _most(question)
    cost = tuple(
        tuple(weights[k] * (np.arange(most[p, k] + 1) - target[p, k]) ** 2 for k in range(len(KINDS)))
        for p in range(len(people))
    )
    return FairShares(pool.astype(np.int64), weight, target, carried, tuple(assumed), cost)


def _there(question: Question) -> Floats:
    """Return the part of the days of a person's own posts on which they can serve."""
    folder, slots = question.folder, question.slots
    made = np.zeros(len(folder.people))
    roles = [post.role for post in folder.posts]
    for k, person in enumerate(folder.people):
        own = np.array([role in person.roles for role in roles])[slots.post]
        days = np.unique(slots.day[own])
        made[k] = len(np.unique(slots.day[question.may[k]])) / len(days) if len(days) else 0.0
    return made


def _fill_mean(carried: Floats, who: Ints, share: Floats, people: tuple[Person, ...]) -> list[str]:
    """Put the mean of a pool where somebody has no count; return their ids."""
    missing = who[np.isnan(carried[who, 0])]
    there = who[~np.isnan(carried[who, 0])]
    if not len(there):
        carried[who] = 0.0
        return []
    mean = carried[there].sum(axis=0) / share[there].sum()
    carried[missing] = share[missing, None] * mean
    return [people[k].person_id for k in missing]


def _most(question: Question) -> Ints:
    """Return how many of each kind a person can have at most: the largest duty of each day."""
    slots = question.slots
    made = np.zeros((len(question.may), len(KINDS)), np.int64)
    for day in np.unique(slots.day):
        on = slots.day == day
        for k in range(len(KINDS)):
            made[:, k] += (question.may[:, on] * slots.counts[k, on]).max(axis=1)
    return made


def counted(question: Question, taken: NDArray[np.bool_]) -> Ints:
    """Return what each person has of each kind.

    Parameters
    ----------
    question : Question
    taken : array, (people, slots)
    """
    return np.asarray(taken.astype(np.int64) @ question.slots.counts.T)


def counting_bound(question: Question, shares: FairShares) -> float:
    """Return a bound on what fairness costs that needs no solver.

    The duties of a pool are handed out one by one, each kind for itself, to whom it costs least; costs are
    convex, so no hand-out costs less, whatever rules it keeps.

    Parameters
    ----------
    question : Question
    shares : FairShares
    """
    slots, total = question.slots, 0.0
    for number in np.unique(shares.pool):
        who = np.flatnonzero(shares.pool == number)
        of = question.may[who].any(axis=0)
        needed = (slots.counts * slots.heads)[:, of].sum(axis=1)
        for k in range(len(KINDS)):
            costs = [shares.cost[p][k] for p in who]
            steps = np.sort(np.concatenate([np.diff(one) for one in costs]))
            total += sum(float(one[0]) for one in costs) + float(steps[: needed[k]].sum())
    return total
