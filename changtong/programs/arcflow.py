"""The arc-flow linear program of a flow problem, as plain arrays for any LP solver.

One flow variable for each (destination, leg), all classes and origins together: pieces
for one destination are alike once they are on the way (Ahuja, Magnanti, Orlin 1993,
ch. 17). One variable for each (pair, class) says what is left unserved. Sites that pass
nothing on need no rows: their incoming legs exist only for pieces that end there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from changtong.flows.problem import FlowProblem

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]


def class_pieces(problem: FlowProblem) -> Floats:
    """Return pieces a day of each pair and class, (pairs, classes), in double precision."""
    pieces = np.asarray(problem.pair_pieces, np.float64)
    n_classes = len(problem.class_penalty)
    if pieces.shape[1] == n_classes:
        return pieces
    share = np.ones(1) if problem.class_share is None else np.asarray(problem.class_share, np.float64)
    return np.asarray(pieces * share[None, :], np.float64)


@dataclass(frozen=True)
class ArcFlow:
    """The program: rows are balances, then legs, sites, limits, then one total per class.

    Attributes
    ----------
    matrix : scipy.sparse.csc_matrix, (rows, columns)
    row_lower, row_upper : array, (rows,)
        Pieces a day. The totals by class are free until a stage binds them.
    column_upper : array, (columns,)
        For flows: what a flow without circles cannot exceed. The program itself needs no
        upper limit on flows; a proof of a bound does.
    flow_dest, flow_leg : array of int, (flows,)
        Destination site and leg of each flow column; these columns come first.
    pieces : array, (pairs, classes)
        Demand; columns ``flows + pair * classes + class`` are what is unserved of it.
    leg_row, site_row, limit_row : array of int
        Capacity row of each leg, site and limit; -1 where unlimited.
    class_row : array of int, (classes,)
    start_row : array of int, (pairs,)
        Balance of each pair's first site for its destination.
    n_plain : int
        Flow columns that know no hours; those of promised classes follow
        (:mod:`changtong.programs.timed`).
    """

    matrix: sparse.csc_matrix
    row_lower: Floats
    row_upper: Floats
    column_upper: Floats
    flow_dest: Longs
    flow_leg: Longs
    pieces: Floats
    leg_row: Longs
    site_row: Longs
    limit_row: Longs
    class_row: Longs
    start_row: Longs
    n_plain: int

    @property
    def n_flows(self) -> int:
        """Number of flow columns."""
        return len(self.flow_leg)

    def weight_of_legs(self, weight: Floats) -> Floats:
        """Return the objective that adds up what each piece weighs on each leg, such as its cost."""
        total = np.zeros(self.matrix.shape[1])
        total[: self.n_flows] = np.asarray(weight, np.float64)[self.flow_leg]
        return total

    def leg_totals(self, n_legs: int) -> sparse.csr_matrix:
        """Return the rows that add up the pieces on each leg, (legs, columns)."""
        where = (self.flow_leg, np.arange(self.n_flows))
        return sparse.csr_matrix((np.ones(self.n_flows), where), shape=(n_legs, self.matrix.shape[1]))

    def site_totals(self, problem: FlowProblem) -> sparse.csr_matrix:
        """Return the rows of what each site handles, less all that wants to begin there."""
        n_classes = self.pieces.shape[1]
        head = problem.leg_head.astype(np.int64)[self.flow_leg]
        start = np.repeat(problem.pair_from.astype(np.int64), n_classes)
        rows = np.concatenate([head, start])
        values = np.concatenate([np.ones(self.n_flows), -np.ones(self.pieces.size)])
        where = (rows, np.arange(len(rows)))
        return sparse.csr_matrix((values, where), shape=(problem.n_sites, self.matrix.shape[1]))

    def count_of_class(self, k: int) -> Floats:
        """Return the objective that counts the unserved pieces of class ``k``."""
        cost = np.zeros(self.matrix.shape[1])
        cost[self.n_flows + k : self.n_flows + self.pieces.size : self.pieces.shape[1]] = 1.0
        return cost

    def weighed(self, problem: FlowProblem) -> Floats:
        """Return the objective of legs' costs and penalties together."""
        penalty = np.tile(np.asarray(problem.class_penalty, np.float64), len(self.pieces))
        total = self.weight_of_legs(problem.leg_cost)
        total[self.n_flows : self.n_flows + self.pieces.size] = penalty
        return total


class _Entries:
    """Matrix entries, gathered block by block."""

    def __init__(self) -> None:
        self.rows: list[Longs] = []
        self.columns: list[Longs] = []
        self.values: list[Floats] = []

    def add(self, rows: Longs, columns: Longs, value: float) -> None:
        self.rows.append(np.asarray(rows, np.int64))
        self.columns.append(np.asarray(columns, np.int64))
        self.values.append(np.full(len(columns), value))

    def matrix(self, n_rows: int, n_columns: int) -> sparse.csc_matrix:
        where = (np.concatenate(self.rows), np.concatenate(self.columns))
        values = np.concatenate(self.values)
        return sparse.csc_matrix((values, where), shape=(n_rows, n_columns))


def _flows(problem: FlowProblem, dests: Longs, dest_of: Longs) -> tuple[Longs, Longs]:
    """Return the (destination number, leg) of every flow that can be part of a way."""
    tail, head = problem.leg_tail.astype(np.int64), problem.leg_head.astype(np.int64)
    passes = np.asarray(problem.transit, bool)
    starts = np.zeros((len(dests), problem.n_sites), bool)
    starts[dest_of, problem.pair_from] = True
    ends = head[None, :] == dests[:, None]
    may = (passes[head][None, :] | ends) & (tail[None, :] != dests[:, None])
    may &= passes[tail][None, :] | starts[:, tail]
    where, leg = np.nonzero(may)
    return where.astype(np.int64), leg.astype(np.int64)


def arc_flow(problem: FlowProblem) -> ArcFlow:
    """Write a flow problem as a linear program, aggregated by destination.

    Parameters
    ----------
    problem : FlowProblem

    Returns
    -------
    ArcFlow
        About (destinations × legs) columns: meant for networks up to a few hundred sites.
    """
    n = problem.n_sites
    pieces = class_pieces(problem)
    n_classes = pieces.shape[1]
    dests, dest_of = np.unique(problem.pair_to.astype(np.int64), return_inverse=True)
    where, leg = _flows(problem, dests, dest_of)
    tail, head = problem.leg_tail.astype(np.int64)[leg], problem.leg_head.astype(np.int64)[leg]
    flow = np.arange(len(leg))
    unserved = len(leg) + np.arange(pieces.size)
    start = np.repeat(problem.pair_from.astype(np.int64), n_classes)
    goes_on = head != dests[where]

    at_start = dest_of * n + problem.pair_from
    keys = np.concatenate([where * n + tail, (where * n + head)[goes_on], np.repeat(at_start, n_classes)])
    used, row = np.unique(keys, return_inverse=True)
    wanted = np.zeros(len(used))
    np.add.at(wanted, np.searchsorted(used, at_start), pieces.sum(axis=1))
    entries = _Entries()
    first, second = len(leg), len(leg) + int(goes_on.sum())
    entries.add(row[:first], flow, 1.0)
    entries.add(row[first:second], flow[goes_on], -1.0)
    entries.add(row[second:], unserved, 1.0)

    leg_row, at = _number(problem.leg_capacity, len(used))
    site_row, at = _number(problem.site_capacity, at)
    limit_row, at = _number(np.array([most for _, most in problem.limits], np.float64), at)
    class_row = at + np.arange(n_classes)
    some = leg_row[leg] >= 0
    entries.add(leg_row[leg][some], flow[some], 1.0)
    some = site_row[head] >= 0
    entries.add(site_row[head][some], flow[some], 1.0)
    some = site_row[start] >= 0
    entries.add(site_row[start][some], unserved[some], -1.0)
    for (legs, _), in_row in zip(problem.limits, limit_row, strict=True):
        if in_row >= 0:
            counted = flow[np.isin(leg, np.asarray(legs))]
            entries.add(np.full(len(counted), in_row), counted, 1.0)
    entries.add(np.tile(class_row, len(pieces)), unserved, 1.0)

    sent = np.bincount(problem.pair_from, pieces.sum(axis=1), minlength=n)
    limit = np.array([most for _, most in problem.limits], np.float64)
    upper = np.concatenate(
        [
            wanted,
            problem.leg_capacity[leg_row >= 0],
            (problem.site_capacity - sent)[site_row >= 0],
            limit[limit_row >= 0],
            np.full(n_classes, np.inf),
        ]
    )
    lower = np.full(len(upper), -np.inf)
    lower[: len(used)] = wanted
    to_dest = np.bincount(dest_of, pieces.sum(axis=1), minlength=len(dests))
    most = np.minimum(to_dest[where], problem.leg_capacity[leg])
    return ArcFlow(
        matrix=entries.matrix(len(upper), len(leg) + pieces.size),
        row_lower=lower,
        row_upper=upper,
        column_upper=np.concatenate([most, pieces.ravel()]),
        flow_dest=dests[where] if len(leg) else np.empty(0, np.int64),
        flow_leg=leg,
        pieces=pieces,
        leg_row=leg_row,
        site_row=site_row,
        limit_row=limit_row,
        class_row=class_row,
        start_row=np.searchsorted(used, at_start),
        n_plain=len(leg),
    )


def _number(capacity: Floats, start: int) -> tuple[Longs, int]:
    """Number the rows of what is limited from ``start``; return them and the next free number."""
    limited = np.isfinite(capacity)
    row = np.full(len(capacity), -1, np.int64)
    row[limited] = start + np.arange(limited.sum())
    return row, start + int(limited.sum())
