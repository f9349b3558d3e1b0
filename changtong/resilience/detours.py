"""What could go round a closed leg by one other site, in the room that today's plan leaves.

The pieces of a leg may take any two legs by another site that may be passed, as far as those legs
and that site have room. Ways round by different sites share no leg, so their room adds up: what
they hold is a plan for the closure, found without a solve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.flows.problem import FlowProblem

Floats = NDArray[np.float64]


class Detours:
    """Room of today's plan on legs and sites, found by the ends of a leg.

    Parameters
    ----------
    problem : FlowProblem
    leg_flow, site_load : array
        Today's, pieces a day.

    Examples
    --------
    >>> Detours(problem, flow, load).around(0, 2, 10.0)  # doctest: +SKIP
    (10.0, 25.0)
    """

    def __init__(self, problem: FlowProblem, leg_flow: Floats, site_load: Floats) -> None:
        n = problem.n_sites
        room = np.maximum(0.0, np.asarray(problem.leg_capacity, np.float64) - leg_flow)
        for legs, _ in problem.limits:  # what limits many legs together is left alone
            room[legs] = 0.0
        self.site_room = np.maximum(0.0, np.asarray(problem.site_capacity, np.float64) - site_load)
        self.site_room[~np.asarray(problem.transit, bool)] = 0.0
        tail, head = (ends.astype(np.int64) for ends in (problem.leg_tail, problem.leg_head))
        key, of = np.unique(tail * n + head, return_inverse=True)  # the modes between two sites together
        self.room = np.bincount(of, room, minlength=len(key))
        self.cost = np.full(len(key), -np.inf)
        np.maximum.at(self.cost, of, problem.leg_cost)
        self.tail, self.head = key // n, key % n
        self.out_ptr = np.searchsorted(self.tail, np.arange(n + 1))
        self.into = np.argsort(self.head, kind="stable")
        self.into_ptr = np.searchsorted(self.head[self.into], np.arange(n + 1))

    def around(self, tail: int, head: int, pieces: float) -> tuple[float, float]:
        """Return how many of the pieces of a leg could go round it, and what that costs, CNY a day."""
        away = np.arange(self.out_ptr[tail], self.out_ptr[tail + 1])
        back = self.into[self.into_ptr[head] : self.into_ptr[head + 1]]
        by, first, second = np.intersect1d(
            self.head[away], self.tail[back], assume_unique=True, return_indices=True
        )
        away, back = away[first], back[second]
        room = np.minimum(np.minimum(self.room[away], self.room[back]), self.site_room[by])
        room[(by == tail) | (by == head)] = 0.0
        cost = self.cost[away] + self.cost[back]
        order = np.argsort(cost, kind="stable")
        sent = np.diff(np.minimum(np.cumsum(room[order]), pieces), prepend=0.0)
        return float(sent.sum()), float((sent * cost[order])[sent > 0.0].sum())
