"""The arrays a solve works on: rows and their prices, paths, volumes, trees.

Plain arrays in named tuples, so that compiled kernels and Python see the same things.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from changtong.flows.layout import Layout
from changtong.flows.problem import FlowProblem

N_PATHS, ARENA_USED, N_ACTIVE, STAMP, FULL, ROUND = range(6)
USED, SHORT = 0, 1
"""Places in ``Volumes.room``: cells in use, and whether one was asked for in vain."""

TINY = 1e-9


class Rows(NamedTuple):
    """Capacity rows, one cache line each: capacity aimed at, multiplier, slope, load."""

    table: NDArray[np.float64]  # (rows, 4)
    stamp: NDArray[np.int64]  # scratch

    @property
    def capacity(self) -> NDArray[np.float64]:
        """Pieces a day aimed at."""
        return self.table[:, 0]

    @property
    def price(self) -> NDArray[np.float64]:
        """Multipliers."""
        return self.table[:, 1]

    @property
    def slope(self) -> NDArray[np.float64]:
        """Price added by one piece above the capacity."""
        return self.table[:, 2]

    @property
    def load(self) -> NDArray[np.float64]:
        """Pieces a day."""
        return self.table[:, 3]


class Pool(NamedTuple):
    """Paths between core site and exit core, in one arena: legs, then rows, of each."""

    first: NDArray[np.int32]  # (exit core, core site) -> newest path
    best: NDArray[np.int32]
    seen: NDArray[np.int32]  # round in which ``best`` was settled
    active: NDArray[np.int32]
    following: NDArray[np.int32]
    start: NDArray[np.int64]
    n_legs: NDArray[np.int32]
    n_rows: NDArray[np.int32]
    cost: NDArray[np.float64]
    flow: NDArray[np.float64]
    arena: NDArray[np.int32]
    count: NDArray[np.int64]  # type: ignore[assignment]
    drop: NDArray[np.float64]  # one number: cost of a piece dropped between cores, the lowest penalty
    most: NDArray[np.float64]  # (exit core, core site): pieces of lowest classes on the way, that may be
    value: NDArray[np.float64]  # one number: costs and penalties of the volumes, kept by every shift


class Volumes(NamedTuple):
    """Pieces a day: of each pair, where they enter, by (core site, exit)."""

    pair: NDArray[np.float32]
    slot: NDArray[np.int32]  # of each pair: -1 - entry option, or its place in ``mix`` (entries.py)
    mix: NDArray[np.float32]
    room: NDArray[np.int64]
    exit: NDArray[np.float32]
    steps: NDArray[np.float32]  # cumulated class shares of a pair, (1 or pairs, classes)
    penalty: NDArray[np.float64]  # cost of a piece unserved, by class


class Trees(NamedTuple):
    """Distances and next legs at the prices of the last pricing."""

    dist: NDArray[np.float64]
    nxt: NDArray[np.int32]
    entry_cost: NDArray[np.float64]
    exit_cost: NDArray[np.float64]
    to_go: NDArray[np.float64]  # (core site, destination)
    leg_cost: NDArray[np.float64]  # without prices


def new_volumes(problem: FlowProblem, lay: Layout) -> Volumes:
    """Return volumes in which nothing is on its way."""
    n_pairs = len(lay.pair_d)
    return Volumes(
        pair=problem.totals().copy(),
        slot=np.full(n_pairs, -1, np.int32),
        mix=np.zeros(max(1000, n_pairs // 8), np.float32),
        room=np.zeros(2, np.int64),
        exit=np.zeros((len(lay.core_site), lay.n_split), np.float32),
        steps=problem.class_steps(),
        penalty=np.asarray(problem.class_penalty, np.float64).copy(),
    )


def new_rows(capacity: NDArray[np.float64]) -> Rows:
    """Return rows without prices or loads."""
    n = len(capacity)
    table = np.zeros((n, 4))
    table[:, 0] = np.maximum(capacity, 0.0)
    return Rows(table=table, stamp=np.zeros(n, np.int64))


def new_pool(n_ods: int, size: int, cells: int = 0) -> Pool:
    """Return an empty pool for ``size`` paths."""
    return Pool(
        first=np.full(n_ods, -1, np.int32),
        best=np.full(n_ods, -1, np.int32),
        seen=np.zeros(n_ods, np.int32),
        active=np.empty(n_ods, np.int32),
        following=np.full(size, -1, np.int32),
        start=np.zeros(size, np.int64),
        n_legs=np.zeros(size, np.int32),
        n_rows=np.zeros(size, np.int32),
        cost=np.zeros(size),
        flow=np.zeros(size),
        arena=np.zeros(cells or 24 * size, np.int32),
        count=np.zeros(6, np.int64),
        drop=np.array([np.inf]),
        most=np.zeros(n_ods),
        value=np.zeros(1),
    )


def copy_pool(old: Pool) -> Pool:
    """Return a pool whose flows can change at will; paths in use keep their legs."""
    return old._replace(
        first=old.first.copy(),
        best=old.best.copy(),
        seen=old.seen.copy(),
        active=old.active.copy(),
        following=old.following.copy(),
        flow=old.flow.copy(),
        count=old.count.copy(),
        most=old.most.copy(),
        value=old.value.copy(),
    )


def copy_volumes(old: Volumes) -> Volumes:
    """Return volumes that can change at will."""
    return old._replace(slot=old.slot.copy(), mix=old.mix.copy(), room=old.room.copy(), exit=old.exit.copy())


def more_room(old: Volumes) -> Volumes:
    """Return the same volumes with twice the cells for split pairs."""
    mix = np.zeros(2 * len(old.mix), np.float32)
    mix[: len(old.mix)] = old.mix
    old.room[SHORT] = 0
    return old._replace(mix=mix)
