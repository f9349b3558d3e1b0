"""Which days each person works, so that a crowd works the numbers asked for on each day.

A person's days meet limits on spans of days (intervals). Written in running sums s[0..n] of days worked, each
limit is a difference s[b] - s[a], and a system of differences is solved by shortest paths, in whole numbers.
Person after person is taken out of the crowd such that what is left meets the limits of the crowd that is
left; there always is such a person (Baum and Trotter 1978), so a crowd whose limits hold is taken apart
exactly, and all work equally many days, but for one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from changtong.workforce.staffing_question import Ints, Span


def take_apart(needed: Ints, people: int, spans: Sequence[Span]) -> Ints | None:
    """Return who works when: people by day, 1 or 0; None where the crowd's limits do not hold.

    Parameters
    ----------
    needed : array of int
        People on each day.
    people : int
    spans : sequence of Span
        First day, end, and the most days of them that one person works. Each day alone must be among them.

    Examples
    --------
    >>> take_apart(np.array([1, 1, 1]), 2, [(0, 1, 1), (1, 2, 1), (2, 3, 1), (0, 3, 2)]).sum(axis=0).tolist()
    [1, 1, 1]
    """
    days = len(needed)
    made = np.zeros((people, days), dtype=np.int64)
    first = np.array([a for a, _, _ in spans], dtype=np.int64)
    end = np.array([b for _, b, _ in spans], dtype=np.int64)
    most = np.array([m for _, _, m in spans], dtype=np.int64)
    if people == 0:
        return made if not needed.any() else None
    total = int(needed.sum())
    least = np.zeros(len(most), dtype=np.int64)
    whole = (first == 0) & (end == days)
    least[whole] = total // people
    most = np.where(whole, np.minimum(most, -(-total // people)), most)
    left = needed.astype(np.int64).copy()
    for number in range(people):
        others = people - number - 1
        sums = np.concatenate([[0], np.cumsum(left)])
        of_span = sums[end] - sums[first]
        high = np.minimum(most, of_span - others * least)
        low = np.maximum(least, of_span - others * most)
        one = _differences(days, first, end, low, high, turn=number)
        if one is None:
            return None
        made[number] = one
        left -= one
    return made


def _differences(days: int, first: Ints, end: Ints, low: Ints, high: Ints, *, turn: int) -> Ints | None:
    """Return days worked that meet all limits, from running sums; every other person works late."""
    if (low > high).any():
        return None
    tail = np.concatenate([first, end])
    head = np.concatenate([end, first])
    weight = np.concatenate([high, -low])
    if turn % 2:  # the least running sums instead of the largest: the same on the days told backwards
        tail, head = days - head, days - tail
    sums = np.zeros(days + 1, dtype=np.int64)
    sums[1:] = days
    for _ in range(days + 2):
        reached = sums[tail] + weight
        nearer = sums.copy()
        np.minimum.at(nearer, head, reached)
        if np.array_equal(nearer, sums):
            one = np.diff(sums)
            return one[::-1] if turn % 2 else one
        sums = nearer
    return None
