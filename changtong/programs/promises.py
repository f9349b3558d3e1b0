"""Hours on the way against the promise: the fastest open ways, and ways read out of flows.

A piece is late when the hours of its legs and of handling at every site it visits, first and
last included, exceed its class's promise. Pieces whose fastest open way is late already are
late in any plan that serves them: a proved bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from changtong.flows.problem import FlowProblem
from changtong.programs.arcflow import class_pieces

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

ROUND_H = 1e-6
"""Hours that count as the same moment."""

NO_TIME_H = 1e-9
"""Hours a leg without hours counts in searches: a graph library takes 0 for no leg."""

LEAST_PIECES = 1e-6
"""Pieces below which a rest of a flow is rounding."""


@dataclass(frozen=True)
class Hours:
    """Hours of legs (handling at their heads included) and of handling at first sites."""

    leg: Floats
    origin: Floats

    @staticmethod
    def of(problem: FlowProblem, leg_h: Floats, site_h: Floats) -> Hours:
        """Add handling at each leg's head to the leg."""
        return Hours(leg_h + site_h[problem.leg_head], np.asarray(site_h, np.float64))


def open_legs(problem: FlowProblem) -> NDArray[np.bool_]:
    """Return which legs can hold anything at all."""
    shut = problem.site_capacity <= 0.0
    usable = (problem.leg_capacity > 0.0) & ~shut[problem.leg_tail] & ~shut[problem.leg_head]
    for legs, most in problem.limits:
        if most <= 0.0:
            usable[legs] = False
    return np.asarray(usable)


def fastest_hours(problem: FlowProblem, hours: Hours) -> Floats:
    """Return the hours of each pair's fastest open way, infinite where there is none, (pairs,).

    Capacities above zero are ignored, so no plan is faster.
    """
    usable = open_legs(problem)
    passes = np.asarray(problem.transit, bool)
    out = np.full(len(problem.pair_from), np.inf)
    for dest, rows in _by_destination(problem):
        legs = np.flatnonzero(usable & (passes[problem.leg_head] | (problem.leg_head == dest)))
        to_go = hours_to(problem, hours.leg, legs, dest)
        start = problem.pair_from[rows]
        shut = problem.site_capacity[start] <= 0.0
        out[rows] = np.where(shut, np.inf, hours.origin[start] + to_go[start])
    return out


def _by_destination(problem: FlowProblem) -> list[tuple[int, Longs]]:
    """Return the pairs of each destination."""
    if not len(problem.pair_to):
        return []
    order = np.argsort(problem.pair_to, kind="stable")
    dests, first = np.unique(problem.pair_to[order], return_index=True)
    return list(zip(dests.tolist(), np.split(order, first[1:]), strict=True))


def hours_to(problem: FlowProblem, leg_h: Floats, legs: Longs, dest: int) -> Floats:
    """Return the hours from each site to one, over some legs."""
    n = problem.n_sites
    tail, head = problem.leg_tail[legs], problem.leg_head[legs]
    value = np.maximum(leg_h[legs], NO_TIME_H)
    order = np.lexsort((value, head, tail))
    key = tail[order].astype(np.int64) * n + head[order]
    keep = order[np.concatenate([[True], key[1:] != key[:-1]])] if len(key) else order
    graph = sparse.csr_matrix((value[keep], (head[keep], tail[keep])), shape=(n, n))
    return np.asarray(csgraph.dijkstra(graph, indices=dest), np.float64)


@dataclass(frozen=True)
class Way:
    """Pieces of one pair that take one way."""

    pair: int
    pieces: float
    hours: float
    legs: tuple[int, ...]


def read_ways(
    problem: FlowProblem, flow: tuple[Longs, Longs, Floats], served: Floats, hours: Hours
) -> Iterator[Way]:
    """Take flows apart into ways, the fastest first; what runs in circles is left out.

    Parameters
    ----------
    flow : (destination, leg, pieces) of every flow above zero
    served : array, (pairs,)
        Pieces a day of each pair that are served.
    """
    flow_dest, flow_leg, flow_pieces = flow
    for dest, rows in _by_destination(problem):
        mine = flow_dest == dest
        legs = flow_leg[mine]
        left = dict(zip(legs.tolist(), flow_pieces[mine].tolist(), strict=True))
        to_go = hours_to(problem, hours.leg, legs, dest)
        out: dict[int, list[int]] = {}
        rank = hours.leg[legs] + to_go[problem.leg_head[legs]]
        for leg in legs[np.argsort(rank, kind="stable")].tolist():
            out.setdefault(int(problem.leg_tail[leg]), []).append(leg)
        start_h = hours.origin[problem.pair_from[rows]] + to_go[problem.pair_from[rows]]
        for pair in rows[np.argsort(start_h, kind="stable")].tolist():
            rest = float(served[pair])
            while rest > LEAST_PIECES:
                way = _walk(problem, out, left, int(problem.pair_from[pair]), dest)
                if way is None:
                    break
                pieces = min(rest, *(left[leg] for leg in way))
                for leg in way:
                    left[leg] -= pieces
                rest -= pieces
                h = float(hours.origin[problem.pair_from[pair]] + hours.leg[list(way)].sum())
                yield Way(pair, pieces, h, way)


def _walk(
    problem: FlowProblem, out: dict[int, list[int]], left: dict[int, float], start: int, dest: int
) -> tuple[int, ...] | None:
    """Follow what is left from start to dest; circles met on the way are taken out."""
    way: list[int] = []
    seen = {start: 0}
    here = start
    while here != dest:
        leg = next((a for a in out.get(here, ()) if left[a] > LEAST_PIECES * 1e-3), None)
        if leg is None and not way:
            return None
        if leg is None:  # what led here was rounding: forget it and begin again
            left[way[-1]] = 0.0
            way, seen, here = [], {start: 0}, start
            continue
        way.append(leg)
        here = int(problem.leg_head[leg])
        if here in seen:
            circle = way[seen[here] :]
            less = min(left[a] for a in circle)
            for a in circle:
                left[a] -= less
            way = way[: seen[here]]
            seen = {site: k for site, k in seen.items() if k <= len(way)}
        else:
            seen[here] = len(way)
    return tuple(way)


@dataclass(frozen=True)
class Lateness:
    """Hours and late pieces of a plan.

    Attributes
    ----------
    by_class : array, (classes, 3)
        Pieces served, piece-hours, late pieces.
    late : array, (pairs, classes)
        Late pieces.
    """

    by_class: Floats
    late: Floats


def lateness_of_ways(ways: Iterator[Way], served: Floats, promise_h: Floats) -> Lateness:
    """Read hours and late pieces from ways.

    Of the ways of one pair, the class with the shortest promise takes the fastest.

    Parameters
    ----------
    served : array, (pairs, classes)
        Pieces a day that take these ways.
    promise_h : array, (classes,)
        Infinite where nothing is promised.
    """
    by_pair: dict[int, list[Way]] = {}
    for way in ways:
        by_pair.setdefault(way.pair, []).append(way)
    out, late = np.zeros((len(promise_h), 3)), np.zeros(served.shape)
    urgent = np.argsort(promise_h, kind="stable").tolist()
    for pair, mine in by_pair.items():
        rest = [(way.hours, way.pieces) for way in sorted(mine, key=lambda way: way.hours)]
        for k in urgent:
            want = float(served[pair, k])
            while want > 0.0 and rest:
                h, pieces = rest.pop(0)
                taken = min(want, pieces)
                overdue = taken if h > promise_h[k] + ROUND_H else 0.0
                out[k] += (taken, taken * h, overdue)
                late[pair, k] += overdue
                want -= taken
                if pieces > taken:
                    rest.insert(0, (h, pieces - taken))
    return Lateness(out, late)


def least_late(problem: FlowProblem, fastest_h: Floats, promise_h: Floats, unserved: Floats) -> Floats:
    """Return a proved least number of late pieces by class, given how many stay behind, (classes,)."""
    hopeless = np.isfinite(fastest_h)[:, None] & (fastest_h[:, None] > promise_h[None, :] + ROUND_H)
    pieces = np.where(hopeless, class_pieces(problem), 0.0).sum(axis=0)
    return np.asarray(np.maximum(0.0, pieces - unserved))
