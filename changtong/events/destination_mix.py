"""Where pieces at a site go, by a network's demand and the sort plan in force: shares of its destinations.

A piece of which the log tells no destination is one of those that the network sends through the site.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.routes import NO_LEG, Pairs, Routes, pairs_of, routes_in_force
from changtong.structure import class_table, column

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Longs = NDArray[np.int64]

MOST_LEGS = 200
"""Legs after which a way is taken for a circle and followed no further."""

GOLDEN = 0.6180339887498949
"""Offsets of the drawing by turns (Weyl's sequence): small groups do not all get the same destinations."""


class DestinationMix:
    """Pieces a day through every site of a network, by destination, from its demand and its routes in force.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    ids, number : tuple of str, dict
        Sites, and the place of each.
    classes : tuple of str
        By rank.
    rank_of : dict
        Rank of each class by what a log may call it: its id, else its name in English or Chinese.
    dest_site : array
        Sites pieces are bound for.
    dest_number : array, (sites,)
        Place of each site among them, -1.
    """

    def __init__(self, network: Network) -> None:
        self.pairs: Pairs = pairs_of(network)
        self.routes: Routes = routes_in_force(network, self.pairs)
        self.ids = tuple(network.site_ids)
        self.number = {site: k for k, site in enumerate(self.ids)}
        table = class_table(network).select(pl.col("service_class", "name", "name_zh").cast(pl.String))
        self.classes = tuple(table["service_class"].to_list())
        self.rank_of: dict[str, int] = {}
        for words in table.iter_columns():
            for rank, word in enumerate(words.to_list()):
                if word is not None and words.to_list().count(word) == 1:
                    self.rank_of.setdefault(word, rank)
        self.dest_site = self.routes.dest_site.astype(np.int64)
        self.dest_number = np.full(len(self.ids), -1, np.int64)
        self.dest_number[self.dest_site] = np.arange(len(self.dest_site))
        legs = network.legs
        tail, self._head = (
            legs[name].to_physical().to_numpy().astype(np.int64) for name in ("from_site", "to_site")
        )
        self._travel_h: dict[tuple[int, int], float] = {}
        for start, end, hours in zip(
            tail.tolist(), self._head.tolist(), column(legs, "travel_h", 0.0).tolist(), strict=True
        ):
            self._travel_h[start, end] = min(hours, self._travel_h.get((start, end), hours))
        self._passing: dict[int, tuple[Singles, Singles]] = {}
        self._next: dict[int, Longs] = {}
        self._shares: dict[tuple[int, int, bool, int], Floats | None] = {}

    def travel_h(self, start: int, end: int) -> float | None:
        """Return the hours of the quickest leg between two sites; None where there is none."""
        return self._travel_h.get((start, end))

    def next_site(self, rank: int) -> Longs:
        """Return the next site on the way to each destination, (destinations, sites); -1: none."""
        stream = rank if len(self.routes.next_leg) > 1 else 0
        if stream not in self._next:
            legs = self.routes.next_leg[stream]
            self._next[stream] = np.where(legs == NO_LEG, -1, self._head[np.maximum(legs, 0)])
        return self._next[stream]

    def leads(self, site: int, dest: int, rank: int) -> bool:
        """Tell whether the routes in force lead from a site to a destination (a number among them)."""
        follow, at = self.next_site(rank)[dest], site
        for _ in range(MOST_LEGS):
            if at == self.dest_site[dest]:
                return True
            at = int(follow[at])
            if at < 0:
                return False
        return False

    def shares(self, site: int, rank: int, *, begun: bool, towards: int = -1) -> Floats | None:
        """Return the shares of the destinations of what is at a site; None where nothing passes it.

        Parameters
        ----------
        site : int
        rank : int
            Class.
        begun : bool
            Of the pieces accepted there; else of those that come there from elsewhere.
        towards : int
            Only of what goes on to this site next.
        """
        key = (site, rank, begun, towards)
        if key not in self._shares:
            begins, comes = self._through(rank)
            weight = (begins if begun else comes)[:, site].astype(np.float64)
            if towards >= 0:
                weight = np.where(self.next_site(rank)[:, site] == towards, weight, 0.0)
                weight = np.where(self.dest_site == site, 0.0, weight)
            total = float(weight.sum())
            self._shares[key] = weight / total if total > 0.0 else None
        return self._shares[key]

    def _through(self, rank: int) -> tuple[Singles, Singles]:
        """Return pieces a day that begin at each site, and that come to it, (destinations, sites)."""
        same = self.pairs.pieces.shape[1] == 1 and len(self.routes.next_leg) == 1
        key = 0 if same else rank
        if key not in self._passing:
            self._passing[key] = self._follow(key)
        return self._passing[key]

    def _follow(self, rank: int) -> tuple[Singles, Singles]:
        pairs, follow = self.pairs, self.next_site(rank)
        n_dest, n = follow.shape
        one_column = pairs.pieces.shape[1] == 1
        pieces = pairs.pieces[:, 0 if one_column else rank].astype(np.float64)
        begins = np.zeros((n_dest, n))
        np.add.at(begins, (self.dest_number[pairs.to_site], pairs.from_site), pieces)
        begins[follow < 0] = 0.0  # no way leads there today: nobody waits for it
        moving: Floats = begins.ravel().copy()
        stays = np.flatnonzero(pairs.local > 0.0)
        begins[self.dest_number[stays], stays] += pairs.local[stays] * (
            1.0 if one_column else pairs.class_share[rank]
        )
        target = np.where(follow < 0, -1, np.arange(n_dest)[:, None] * n + follow).ravel()
        comes = np.zeros(n_dest * n)
        for _ in range(MOST_LEGS):
            at = np.flatnonzero(moving > 0.0)
            at = at[target[at] >= 0]
            if not len(at):
                break
            moving = np.bincount(target[at], moving[at], n_dest * n).astype(np.float64)
            comes += moving
        return begins.astype(np.float32), comes.reshape(n_dest, n).astype(np.float32)


def whole_pieces(pieces: int, shares: Floats, turn: int) -> Longs:
    """Return whole pieces for each share, adding up to ``pieces``.

    Every place gets its part rounded up or down; an offset that differs from turn to turn decides which.

    Examples
    --------
    >>> whole_pieces(4, np.array([0.5, 0.25, 0.25]), 0).tolist()
    [2, 1, 1]
    """
    offset = (turn + 1) * GOLDEN % 1.0
    upto = np.append(0.0, np.cumsum(shares))
    upto *= pieces / upto[-1]
    marks = np.ceil(upto - offset).clip(0, pieces).astype(np.int64)
    marks[-1] = pieces
    return np.diff(marks)
