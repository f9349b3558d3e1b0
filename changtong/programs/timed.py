"""Pieces on time: flows that know how many hours they have been on the way.

Whether a piece is late depends on its whole way, so a flow on legs cannot tell. For a class
and a destination the network is unrolled by hours used: a state is a site and the hours a
piece has been on the way there, and only states from which the destination can still be
reached within the promise exist (time-expanded network: Ford and Fulkerson 1958). Pieces that
travel in it are on time; all others of that class and destination count as late.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from changtong.flows.problem import FlowProblem
from changtong.programs.arcflow import ArcFlow
from changtong.programs.promises import ROUND_H, Hours, fastest_hours, hours_to, open_legs

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

MOST_STATES = 1500
"""States of one class and destination; beyond it hours are rounded up to a coarser clock."""

COARSE = 100
"""Ticks of the coarse clock within a promise: on time stays on time, a few may count late."""


@dataclass(frozen=True)
class Promises:
    """What is promised, and for which (class, destination) it is followed on the way.

    Attributes
    ----------
    hours : Hours
    promise_h : array, (classes,)
        Infinite where nothing is promised.
    fastest_h : array, (pairs,)
    followed : frozenset of (class, destination site)
    """

    hours: Hours
    promise_h: Floats
    fastest_h: Floats
    followed: frozenset[tuple[int, int]] = frozenset()

    @staticmethod
    def of(problem: FlowProblem, hours: Hours, promise_h: Floats) -> Promises:
        """Find the fastest ways."""
        return Promises(hours, promise_h, fastest_hours(problem, hours))

    @property
    def hopeless(self) -> NDArray[np.bool_]:
        """Whether no open way keeps the promise, (pairs, classes)."""
        reach = np.isfinite(self.fastest_h)[:, None]
        return np.asarray(reach & (self.fastest_h[:, None] > self.promise_h[None, :] + ROUND_H))


@dataclass
class _Unrolled:
    """States, moves and starts of all followed classes and destinations."""

    state: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    move_from: list[int] = field(default_factory=list)
    move_to: list[int] = field(default_factory=list)  # -1: the destination
    move_leg: list[int] = field(default_factory=list)
    move_dest: list[int] = field(default_factory=list)
    start: list[tuple[int, int, int]] = field(default_factory=list)  # pair, class, state
    coarse: bool = False

    def number(self, k: int, dest: int, site: int, tick: int) -> tuple[int, bool]:
        """Return a state's number and whether it is new."""
        key = (k, dest, site, tick)
        new = key not in self.state
        return self.state.setdefault(key, len(self.state)), new


@dataclass(frozen=True)
class Followed:
    """A program with flows on time.

    Attributes
    ----------
    program : ArcFlow
        New flows behind the plain ones; last, one column for each pair and class followed: its
        pieces on time.
    pair, service : array of int
        What each of these last columns is for.
    counts : array of bool, (pairs, classes)
        Whose pieces count as late unless they travel on time.
    coarse : bool
        A clock was rounded up: what is on time is so, but a late piece may be over-counted.
    """

    program: ArcFlow
    pair: Longs
    service: Longs
    counts: NDArray[np.bool_]
    coarse: bool

    def late_cost(self) -> tuple[Floats, float]:
        """Return the objective that counts late pieces, and its constant."""
        program = self.program
        cost = np.zeros(program.matrix.shape[1])
        cost[program.n_flows : program.n_flows + program.pieces.size] = -self.counts.ravel().astype(float)
        if len(self.pair):
            cost[-len(self.pair) :] = -1.0
        return cost, float(program.pieces[self.counts].sum())


def follow(program: ArcFlow, problem: FlowProblem, promises: Promises, size: float) -> Followed:
    """Add the flows on time of the followed classes and destinations to a program.

    Pieces of other classes and destinations count as late only where no open way is fast
    enough, so the least number of late pieces of the program is a lower bound. The program is
    in units of ``size`` pieces.
    """
    made = _Unrolled()
    counts = promises.hopeless.copy()
    for k, dest in sorted(promises.followed):
        _unroll(made, problem, promises, k, dest)
        counts[problem.pair_to == dest, k] = np.isfinite(promises.fastest_h[problem.pair_to == dest])
    pair = np.array([p for p, _, _ in made.start], np.int64)
    service = np.array([k for _, k, _ in made.start], np.int64)
    if len(pair):
        program = _extended(program, problem, made, size)
    return Followed(program, pair, service, counts, made.coarse)


def _unroll(made: _Unrolled, problem: FlowProblem, promises: Promises, k: int, dest: int) -> None:
    """Walk the states of one class and destination, from every first site."""
    before = len(made.state)
    tick_h = ROUND_H
    for _ in range(2):
        if _walk(made, problem, promises, (k, dest), tick_h, before):
            return
        made.coarse = True
        tick_h = float(promises.promise_h[k]) / COARSE


def _walk(
    made: _Unrolled,
    problem: FlowProblem,
    promises: Promises,
    what: tuple[int, int],
    tick_h: float,
    first: int,
) -> bool:
    """Return False where there are too many states for a fine clock; nothing is then kept."""
    k, dest = what
    hours, limit = promises.hours, float(promises.promise_h[k]) + ROUND_H
    usable = open_legs(problem)
    passes = np.asarray(problem.transit, bool)
    legs = np.flatnonzero(usable & (passes[problem.leg_head] | (problem.leg_head == dest)))
    legs = legs[problem.leg_tail[legs] != dest]
    to_go = hours_to(problem, hours.leg, legs, dest)
    out: dict[int, list[int]] = {}
    for leg in legs.tolist():
        out.setdefault(int(problem.leg_tail[leg]), []).append(leg)
    marks = len(made.move_from), len(made.start)
    queue: list[tuple[int, int, int]] = []
    for pair in np.flatnonzero(problem.pair_to == dest).tolist():
        site = int(problem.pair_from[pair])
        tick = int(np.ceil(hours.origin[site] / tick_h - 1e-3))
        if problem.site_capacity[site] <= 0.0 or tick * tick_h + to_go[site] > limit:
            continue
        number, new = made.number(k, dest, site, tick)
        made.start.append((pair, k, number))
        if new:
            queue.append((site, tick, number))
    while queue:
        site, tick, number = queue.pop()
        for leg in out.get(site, ()):
            head = int(problem.leg_head[leg])
            then = tick + int(np.ceil(hours.leg[leg] / tick_h - 1e-3))
            if then * tick_h + to_go[head] > limit:
                continue
            target = -1
            if head != dest:
                target, new = made.number(k, dest, head, then)
                if new:
                    queue.append((head, then, target))
            made.move_from.append(number)
            made.move_to.append(target)
            made.move_leg.append(leg)
            made.move_dest.append(dest)
        if tick_h == ROUND_H and len(made.state) - first > MOST_STATES:
            del made.move_from[marks[0] :], made.move_to[marks[0] :], made.move_leg[marks[0] :]
            del made.move_dest[marks[0] :], made.start[marks[1] :]
            for key in [key for key, value in made.state.items() if value >= first]:
                del made.state[key]
            return False
    return True


def _extended(program: ArcFlow, problem: FlowProblem, made: _Unrolled, size: float) -> ArcFlow:
    """Put the new flows behind the plain ones and the pieces on time behind all columns."""
    n_rows, n_plain = program.matrix.shape[0], program.n_flows
    leg, dest = np.array(made.move_leg, np.int64), np.array(made.move_dest, np.int64)
    size, states = len(leg), len(made.state)
    columns = np.arange(size)
    rows, where = [n_rows + np.array(made.move_from, np.int64)], [columns]
    values = [np.ones(size)]
    goes_on = np.array(made.move_to, np.int64) >= 0
    rows.append(n_rows + np.array(made.move_to, np.int64)[goes_on])
    where.append(columns[goes_on])
    values.append(-np.ones(int(goes_on.sum())))
    loads = [program.leg_row[leg], program.site_row[problem.leg_head.astype(np.int64)[leg]]]
    for in_row, (legs, _) in zip(program.limit_row, problem.limits, strict=True):
        loads.append(np.where(np.isin(leg, np.asarray(legs)), in_row, -1))
    for load in loads:
        some = load >= 0
        rows.append(load[some])
        where.append(columns[some])
        values.append(np.ones(int(some.sum())))
    height = n_rows + states
    entry = (np.concatenate(rows), np.concatenate(where))
    moves = sparse.csc_matrix((np.concatenate(values), entry), shape=(height, size))
    pair = np.array([p for p, _, _ in made.start], np.int64)
    service = np.array([k for _, k, _ in made.start], np.int64)
    begin = np.array([number for _, _, number in made.start], np.int64)
    each = np.arange(len(pair))
    entry = (np.concatenate([program.start_row[pair], n_rows + begin]), np.tile(each, 2))
    starts = np.concatenate([np.ones(len(pair)), -np.ones(len(pair))])
    on_time = sparse.csc_matrix((starts, entry), shape=(height, len(pair)))
    old = sparse.vstack([program.matrix, sparse.csc_matrix((states, program.matrix.shape[1]))], format="csc")
    to_dest = np.bincount(problem.pair_to, program.pieces.sum(axis=1), minlength=problem.n_sites)
    most = np.minimum(to_dest[dest], problem.leg_capacity[leg] / size)
    return replace(
        program,
        matrix=sparse.hstack([old[:, :n_plain], moves, old[:, n_plain:], on_time], format="csc"),
        row_lower=np.append(program.row_lower, np.zeros(states)),
        row_upper=np.append(program.row_upper, np.zeros(states)),
        column_upper=np.concatenate(
            [
                program.column_upper[:n_plain],
                most,
                program.column_upper[n_plain:],
                program.pieces[pair, service],
            ]
        ),
        flow_dest=np.append(program.flow_dest, dest),
        flow_leg=np.append(program.flow_leg, leg),
    )
