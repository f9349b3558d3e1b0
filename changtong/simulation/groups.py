"""Pairs that move alike: one origin, the same next legs in every epoch, all classes or one.

Pieces of one origin are accepted by the same time of day, queue in one line and leave by legs. So
all pairs of an origin that take the same legs move in step, and one number a class says where they
are; only when they reach an inner site are they told apart by destination again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.trees import JIT
from changtong.routes import NO_LEG, Pairs, Routes
from changtong.simulation.state import ENTERS

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

HELD = -1
"""In place of a cell: pieces that wait at their origin."""

ALL_CLASSES = -1

ROUNDING = 1e-6
"""A share this close to none or all is none or all: single precision."""


@dataclass(frozen=True)
class Groups:
    """Groups of pairs, and the cells they leave by.

    Attributes
    ----------
    origin : array of int32, (groups,)
        Site, ascending.
    rank : array of int8, (groups,)
        Class, or -1 for all.
    rate : array, (groups, classes)
        Pieces a day accepted.
    item_ptr : array of int64, (groups + 1,)
    item_dest : array of int32, (items,)
        Destination number of each pair.
    item_share : array of float32, (classes or 1, items)
        Share of the pair in its group.
    cell : array of int32, (epochs, groups, classes)
        Cell by which a group leaves in each epoch; -1 while it is held.
    cell_leg : array of int32, (cells,)
        Leg of each cell, or ``ENTERS``.
    cell_group : array of int32, (cells,)
    """

    origin: Ints
    rank: NDArray[np.int8]
    rate: Floats
    item_ptr: NDArray[np.int64]
    item_dest: Ints
    item_share: NDArray[np.float32]
    cell: Ints
    cell_leg: Ints
    cell_group: Ints


@dataclass(frozen=True)
class _Items:
    """Pairs, or parts of pairs of one class that wait in some epoch."""

    pair: NDArray[np.int64]
    rank: NDArray[np.int8]
    upto: NDArray[np.float32]  # the part moves where at least this share of its class does
    weight: NDArray[np.float32]  # pieces a day, (items, classes or 1)


def make_groups(pairs: Pairs, routes: Sequence[Routes], inner: NDArray[np.bool_], n_own_legs: int) -> Groups:
    """Group the pairs of a network.

    Parameters
    ----------
    pairs : Pairs
    routes : sequence of Routes, one an epoch
        All with the same destinations.
    inner : array of bool, (sites,)
        Sites that pass pieces on.
    n_own_legs : int
        Legs of the network; those behind are take-over ways.
    """
    n_classes = len(pairs.class_share)
    dest = np.searchsorted(routes[0].dest_site, pairs.to_site).astype(np.int32)
    items = _items(pairs, routes)
    origin = pairs.from_site[items.pair]
    ptr = np.append(np.flatnonzero(np.diff(origin, prepend=-1)), len(origin)).astype(np.int64)
    label = np.zeros(len(origin), np.int32)
    for column in _distinct(routes):
        legs = _legs(pairs, dest, items, inner, n_own_legs, *column)
        _relabel(ptr, legs, label)
    _relabel(ptr, items.rank.astype(np.int32), label)
    base = np.zeros(len(origin), np.int64)
    count = np.maximum.reduceat(label, ptr[:-1]) + 1 if len(origin) else np.zeros(0, np.int64)
    base = np.repeat(np.cumsum(count) - count, np.diff(ptr)) if len(origin) else base
    group_of = (base + label).astype(np.int32)
    order = np.argsort(group_of, kind="stable")
    first = np.flatnonzero(np.diff(group_of[order], prepend=-1))
    item_ptr = np.append(first, len(order)).astype(np.int64)
    some = order[first]
    rank = items.rank[some]
    weight = items.weight[order]
    total = np.add.reduceat(weight, first, axis=0, dtype=np.float64) if len(first) else np.zeros((0, 1))
    rate = np.zeros((len(first), n_classes))
    if weight.shape[1] > 1:
        rate[:] = total
    else:
        rate[:] = total * np.where(
            (rank == ALL_CLASSES)[:, None], pairs.class_share, rank[:, None] == np.arange(n_classes)
        )
    share = weight / np.maximum(np.repeat(total, np.diff(item_ptr), axis=0), 1e-30)
    legs_of = np.empty((len(routes), len(first), n_classes), np.int32)
    few = _Items(items.pair[some], rank, items.upto[some], items.weight[some])
    for e, one in enumerate(routes):
        for k in range(n_classes):
            legs_of[e, :, k] = _legs(
                pairs, dest, few, inner, n_own_legs, one, k if len(one.next_leg) > 1 else 0
            )
    cell, cell_leg, cell_group = _cells(legs_of)
    return Groups(
        origin=origin[some],
        rank=rank,
        rate=rate,
        item_ptr=item_ptr,
        item_dest=dest[items.pair[order]],
        item_share=np.ascontiguousarray(share.T, np.float32),
        cell=cell,
        cell_leg=cell_leg,
        cell_group=cell_group,
    )


def _items(pairs: Pairs, routes: Sequence[Routes]) -> _Items:
    """Take pairs whole; those of which a part waits in some epoch by class, in parts."""
    n, n_classes = len(pairs.from_site), len(pairs.class_share)
    once = list({id(one): one for one in routes if len(one.part)}.values())
    whole = np.ones(n, bool)
    for one in once:
        whole[one.part] = False
    plain, special = np.flatnonzero(whole), np.flatnonzero(~whole)
    every = np.broadcast_to(np.arange(n_classes), (len(special), n_classes))
    pair_of = np.broadcast_to(special[:, None], every.shape)
    shares = [one.share_sent(pair_of.ravel(), every.ravel()).reshape(every.shape) for one in once]
    cuts = np.sort(np.stack(shares), axis=0) if shares else np.zeros((0, 0, 1))
    parts = [(plain, np.full(len(plain), ALL_CLASSES), np.ones(len(plain)), pairs.pieces[plain])]
    below = np.zeros((len(special), n_classes))
    for upper in [*cuts, np.ones((len(special), n_classes))] if len(special) else []:
        row, k = np.nonzero(upper - below > ROUNDING)
        width = (upper - below)[row, k]
        pieces = pairs.pieces[special[row]]
        if pieces.shape[1] > 1:
            weight = np.zeros_like(pieces)
            weight[np.arange(len(row)), k] = pieces[np.arange(len(row)), k] * width
        else:
            weight = pieces * (pairs.class_share[k] * width)[:, None]
        parts.append((special[row], k, upper[row, k], weight))
        below = np.maximum(below, upper)
    pair = np.concatenate([part[0] for part in parts])
    order = np.argsort(pairs.from_site[pair], kind="stable") if len(special) else slice(None)
    return _Items(
        pair[order],
        np.concatenate([part[1] for part in parts]).astype(np.int8)[order],
        np.concatenate([part[2] for part in parts]).astype(np.float32)[order],
        np.concatenate([part[3] for part in parts]).astype(np.float32)[order],
    )


def _distinct(routes: Sequence[Routes]) -> list[tuple[Routes, int]]:
    """Return each (routes, stream) once."""
    once = list({id(one): one for one in routes}.values())
    return [(one, stream) for one in once for stream in range(len(one.next_leg))]


def _legs(
    pairs: Pairs,
    dest: Ints,
    items: _Items,
    inner: NDArray[np.bool_],
    n_own_legs: int,
    routes: Routes,
    stream: int,
) -> Ints:
    """Return the first leg of each item; ``ENTERS`` at inner sites, ``NO_LEG`` while it waits."""
    origin = pairs.from_site[items.pair]
    legs = routes.next_leg[stream][dest[items.pair], origin]
    legs = np.where(inner[origin] & (legs < n_own_legs), ENTERS, legs).astype(np.int32)
    if len(routes.part):
        part = np.flatnonzero(items.rank != ALL_CLASSES)
        share = routes.share_sent(items.pair[part], items.rank[part])
        legs[part[items.upto[part] > share + ROUNDING]] = NO_LEG
    return legs


def _cells(legs: Ints) -> tuple[Ints, Ints, Ints]:
    """Number the legs each group ever leaves by."""
    n_groups = legs.shape[1]
    group = np.broadcast_to(np.arange(n_groups, dtype=np.int64)[None, :, None], legs.shape)
    key = group * (int(legs.max(initial=0)) + 3) + legs + 2
    keys, number = np.unique(key[legs != NO_LEG], return_inverse=True)
    cell = np.full(legs.shape, HELD, np.int32)
    cell[legs != NO_LEG] = number
    width = int(legs.max(initial=0)) + 3
    return cell, (keys % width - 2).astype(np.int32), (keys // width).astype(np.int32)


@njit(**JIT)
def _relabel(ptr, value, label):  # type: ignore[no-untyped-def]
    """Split labels within each span by value: equal before and equal now stay equal."""
    size = 4096
    old = np.empty(size, np.int32)
    seen = np.empty(size, np.int32)
    new = np.full(size, -1, np.int32)
    used = np.empty(size, np.int32)
    for span in range(ptr.shape[0] - 1):
        n = 0
        for i in range(ptr[span], ptr[span + 1]):
            at = ((np.int64(label[i]) * 40503 + value[i] + 7) * 2654435761 >> 12) % size
            while new[at] >= 0 and not (old[at] == label[i] and seen[at] == value[i]):
                at = (at + 1) % size
            if new[at] < 0:
                if n >= size - 1:
                    raise ValueError("more kinds of pairs at one site than the table holds")
                new[at] = n
                old[at] = label[i]
                seen[at] = value[i]
                used[n] = at
                n += 1
            label[i] = new[at]
        for k in range(n):
            new[used[k]] = -1
