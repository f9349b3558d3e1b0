"""The flow problem every solver here takes: arrays, no names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    pair_pieces : array of float, (pairs, classes)
        Pieces a day by service class, the highest class first.
    class_penalty : array of float64, (classes,)
        Cost of one piece unserved, not increasing with the class.
    limits : tuple of (array of int, float)
        Legs that share one capacity (pieces a day): entry into a controlled area.
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
