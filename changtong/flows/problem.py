"""The flow problem every solver here takes: arrays, no names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-7
"""Share of all pieces that rounding may put into a wrong class: volumes are in single precision."""


@dataclass(frozen=True)
class FlowProblem:
    """Pieces to move between sites, over legs, within capacities.

    The load of a site is what originates there plus what arrives there by legs: a piece
    is sorted once in every site it visits, its first and last included. Where ``transit``
    is false, a site may only be the first or the last of a way.

    Attributes
    ----------
    n_sites : int
    leg_tail, leg_head : array of int32, (legs,)
        Sites each leg joins; no leg joins a site with itself.
    leg_cost : array of float64, (legs,)
        Cost of one piece, not negative.
    leg_capacity, site_capacity : array of float64, (legs,), (sites,)
        Pieces a day; infinite where unlimited, 0 where closed.
    transit : array of bool, (sites,)
    pair_from, pair_to : array of int32, (pairs,)
        Sorted by from, then to; from and to differ; no pair twice.
    pair_pieces : array of float, (pairs, classes) or (pairs, 1)
        Pieces a day by service class, the highest class first; or the total, which
        ``class_share`` splits alike for every pair.
    class_penalty : array of float64, (classes,)
        Cost of one piece unserved, not increasing with the class.
    limits : tuple of (array of int, float)
        Legs that share one capacity (pieces a day): entry into a controlled area.
    class_share : array of float64, (classes,), optional
        Split of ``pair_pieces`` over the classes where it has one column; sums to 1.
    """

    n_sites: int
    leg_tail: NDArray[np.int32]
    leg_head: NDArray[np.int32]
    leg_cost: NDArray[np.float64]
    leg_capacity: NDArray[np.float64]
    site_capacity: NDArray[np.float64]
    transit: NDArray[np.bool_]
    pair_from: NDArray[np.int32]
    pair_to: NDArray[np.int32]
    pair_pieces: NDArray[np.floating]
    class_penalty: NDArray[np.float64]
    limits: tuple[tuple[NDArray[np.int32], float], ...] = ()
    class_share: NDArray[np.float64] | None = None

    def totals(self) -> NDArray[np.float32]:
        """Pieces a day of each pair, all classes together."""
        if self.pair_pieces.shape[1] == 1:
            return self.pair_pieces[:, 0].astype(np.float32, copy=False)
        return np.asarray(self.pair_pieces.sum(axis=1), np.float32)

    @cached_property
    def begins(self) -> NDArray[np.float64]:
        """Pieces a day that begin at each site, (sites,)."""
        return np.bincount(self.pair_from, self.totals(), minlength=self.n_sites).astype(np.float64)

    @cached_property
    def ends(self) -> NDArray[np.float64]:
        """Pieces a day that end at each site, (sites,)."""
        return np.bincount(self.pair_to, self.totals(), minlength=self.n_sites).astype(np.float64)

    def sent(self, unserved: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pieces a day each site sends of its own, (sites,), where pairs lack some."""
        lacking = np.flatnonzero(unserved)
        away = np.bincount(self.pair_from[lacking], unserved[lacking], minlength=self.n_sites)
        return np.maximum(0.0, self.begins - away)

    def class_steps(self) -> NDArray[np.float32]:
        """Cumulated share of the classes in each pair, (pairs, classes), or one row for all."""
        if self.pair_pieces.shape[1] == 1:
            share = np.ones(1) if self.class_share is None else self.class_share
            steps = np.cumsum(share)[None, :]
        else:
            total = np.maximum(self.pair_pieces.sum(axis=1), 1e-30)
            steps = np.cumsum(self.pair_pieces, axis=1) / total[:, None]
        out = np.asarray(steps, np.float32)
        out[:, -1] = 1.0
        return out

    def unserved_by_class(self, unserved: NDArray[np.floating]) -> NDArray[np.float64]:
        """Split what each pair lacks over the classes, the lowest first, (pairs, classes)."""
        steps = self.class_steps().astype(np.float64)
        total = self.totals().astype(np.float64)
        served = np.maximum(0.0, total - unserved)
        upto = steps * total[:, None]
        below = np.concatenate([np.zeros((len(upto), 1)), upto[:, :-1]], axis=1)
        return np.asarray(np.clip(upto - np.maximum(below, served[:, None]), 0.0, None), np.float64)

    def lost_by_class(self, unserved: NDArray[np.floating]) -> NDArray[np.float64]:
        """Add up what the pairs lack by class, (classes,): touches only pairs that lack something."""
        rows = np.flatnonzero(unserved > 0.0)
        some = replace(self, pair_pieces=self.pair_pieces[rows])
        return np.asarray(some.unserved_by_class(unserved[rows]).sum(axis=0), np.float64)

    def class_rounding(self) -> float:
        """Return the pieces a day of a class that may be rounding; at least one piece."""
        return max(1.0, ROUNDING * float(self.totals().sum(dtype=np.float64)))

    def compare_losses(self, one: NDArray[np.floating], other: NDArray[np.floating]) -> int:
        """Compare pieces lost by class, the highest class first: -1 where ``one`` loses less, 1 more."""
        room = self.class_rounding()
        for here, there in zip(one.tolist(), other.tolist(), strict=True):
            if abs(here - there) > room:
                return -1 if here < there else 1
        return 0


def same_network(one: FlowProblem, other: FlowProblem) -> bool:
    """Return whether two problems differ in closures, capacities and penalties only."""
    if one.n_sites != other.n_sites or one.limits or other.limits:
        return False
    if len(one.class_penalty) != len(other.class_penalty) or not _same_shares(one, other):
        return False
    for name in ("leg_capacity", "site_capacity"):
        if not np.array_equal(np.isfinite(getattr(one, name)), np.isfinite(getattr(other, name))):
            return False
    names = ("leg_tail", "leg_head", "transit", "pair_from", "pair_to", "pair_pieces")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def _same_shares(one: FlowProblem, other: FlowProblem) -> bool:
    if one.class_share is None or other.class_share is None:
        return one.class_share is other.class_share
    return bool(np.array_equal(one.class_share, other.class_share))
