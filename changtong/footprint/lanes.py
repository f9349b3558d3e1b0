"""Pairs along their routes: loads of legs and hubs, and the emissions of every lane."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.footprint.chains import group_by_destination, lanes_of, load_elements
from changtong.footprint.elements import Elements
from changtong.routes import Pairs, Routes

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
KG_PER_T = 1000.0
THREADS, PARTS = 2, 16
"""The kernels let go of the interpreter; more threads than this wait for memory."""


@dataclass(frozen=True)
class Loads:
    """What moves, by class, and where it passes in a day.

    Attributes
    ----------
    dest : array of int32, (destinations,)
    first : array of int64
        Pairs of destination ``d``: ``first[d]`` … ``first[d + 1]``-1 of the next two.
    origin, pair : arrays
        Origin of each pair, and its row in ``Pairs``.
    volume : array, (classes, pairs)
        Pieces sent.
    leg, hub : array, (classes, legs) and (classes, sites)
        Pieces that pass; those that stay at their site in the hubs.
    local : array, (classes, sites)
        Pieces that begin and end at a site.
    lost : float
        Pieces without a way.
    """

    dest: NDArray[np.int32]
    first: Rows
    origin: NDArray[np.int32]
    pair: NDArray[np.int32]
    volume: Floats
    leg: Floats
    hub: Floats
    local: Floats
    lost: float


def load(routes: Routes, pairs: Pairs, elements: Elements, local: Floats, *, apart: bool) -> Loads:
    """Send every pair along its route.

    Parameters
    ----------
    routes : Routes
    pairs : Pairs
    elements : Elements
    local : array, (sites,)
        Pieces that begin and end at a site and are served.
    apart : bool
        Whether classes are kept apart: they weigh or go differently. Together they are one.
    """
    n = elements.hub.shape[0]
    number = np.full(n, -1, np.int64)
    number[routes.dest_site] = np.arange(len(routes.dest_site))
    row = number[pairs.to_site]
    assert (row >= 0).all(), "routes of another network"
    volume = _sent(routes, pairs, apart=apart)
    first, place = np.zeros(len(routes.dest_site) + 2, np.int64), np.empty(len(row), np.int32)
    group_by_destination(row, first, place)
    origin, volume = pairs.from_site[place], np.ascontiguousarray(volume[:, place])
    share = pairs.class_share if apart else np.ones(1)
    here = share[:, None] / share.sum() * local[None, :]
    classes = len(volume)
    leg, hub = np.zeros((classes, len(elements.head))), here.copy()
    state, order, waiting = np.zeros(n, np.int8), np.zeros(n, np.int32), np.zeros(n)
    lost = 0.0
    for c in range(classes):
        stream = c if len(routes.next_leg) > 1 else 0
        lost += load_elements(
            routes.next_leg[stream], routes.dest_site, elements.head, first, origin, volume[c], state, order,
            waiting, leg[c], hub[c],
        )  # fmt: skip
    return Loads(routes.dest_site, first, origin, place, volume, leg, hub, here, lost)


def _sent(routes: Routes, pairs: Pairs, *, apart: bool) -> Floats:
    """Return the pieces sent of every pair, (classes or 1, pairs)."""
    total, share = pairs.pieces, pairs.class_share
    split = total.shape[1] > 1
    moving = np.ones((len(routes.part), len(share)))
    moving[:] = routes.moving if routes.moving.shape[1] == len(share) else routes.moving[:, :1]
    if apart:
        volume = np.empty((len(share), len(total)))
        for c in range(len(share)):
            volume[c] = total[:, c] if split else total[:, 0] * np.float64(share[c] / share.sum())
            volume[c, routes.part] *= moving[:, c]
        return volume
    volume = total.sum(axis=1, dtype=np.float64)[None, :] if split else total.T.astype(np.float64)
    weight = total[routes.part] if split else np.broadcast_to(share, moving.shape)
    sums = weight.sum(axis=1)
    volume[0, routes.part] *= (weight * moving).sum(axis=1) / np.where(sums > 0.0, sums, 1.0)
    return volume


def weights_used(loads: Loads, weight_kg: Floats, *, by_piece: bool) -> tuple[Floats, Floats]:
    """Return tonnes that a piece of each class answers for on legs and in hubs, (classes, legs or sites).

    By tonne-kilometre its own weight; by piece the mean weight of all pieces there.
    """
    out = []
    for passing in (loads.leg, loads.hub):
        if by_piece and len(weight_kg) > 1:
            pieces = passing.sum(axis=0)
            mean = (weight_kg @ passing) / np.where(pieces > 0.0, pieces, 1.0)
            out.append(np.broadcast_to(mean, passing.shape) / KG_PER_T)
        else:
            out.append(np.broadcast_to(weight_kg[:, None], passing.shape) / KG_PER_T)
    return out[0], out[1]


def weigh_lanes(
    routes: Routes, loads: Loads, elements: Elements, tonnes: tuple[Floats, Floats], forms: Floats, more: int
) -> Floats:
    """Return what pairs emit, (7, pairs + more), in the rows of :func:`changtong.footprint.chains.lanes_of`.

    The last ``more`` columns are left for what the caller adds. Destinations are shared out over threads:
    the same figures whatever their number.
    """
    classes, n, groups = len(loads.volume), *elements.hub.shape
    out = np.empty((7, loads.volume.shape[1] + more))
    filled = np.argwhere(np.triu((forms > 0.0).any(axis=0)))
    entries = (
        forms[:, filled[:, 0], filled[:, 1]].T * np.where(filled[:, 0] == filled[:, 1], 1.0, 2.0)[:, None]
    )
    entries = np.ascontiguousarray(entries)
    leg_kg = tonnes[0] * elements.wtw
    hub_kg = np.ascontiguousarray(tonnes[1][:, :, None] * elements.hub[None])
    tank = tank_share(elements)

    def work(lo: int, hi: int) -> None:
        lanes_of(
            lo, hi, routes.next_leg, routes.dest_site, elements.head, loads.first, loads.origin, loads.volume,
            leg_kg, elements.travelled_km, elements.group, hub_kg, tank, filled, entries,
            np.zeros((classes, n), np.int8), np.zeros(n, np.int32), np.zeros((classes, n, groups)),
            np.zeros((classes, n)), np.zeros(groups), out,
        )  # fmt: skip

    ends = np.linspace(0, len(routes.dest_site), PARTS + 1).astype(int)
    with ThreadPoolExecutor(THREADS) as crew:
        list(crew.map(work, ends[:-1].tolist(), ends[1:].tolist()))
    return out


def tank_share(elements: Elements) -> Floats:
    """Return what part of each group's emissions is tank to wheel; hubs have none of it told apart."""
    groups = elements.hub.shape[1]
    ttw = np.bincount(elements.group, elements.ttw, groups)
    wtw = np.bincount(elements.group, elements.wtw, groups)
    return np.asarray(np.where(wtw > 0.0, ttw / np.where(wtw > 0.0, wtw, 1.0), 0.0))
