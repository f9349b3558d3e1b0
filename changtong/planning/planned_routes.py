"""The routes of a sort plan: its next legs, and what it holds back, free of the solver's layout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.flows.layout import Layout
from changtong.network.model import Network
from changtong.planning.assemble import Question
from changtong.planning.checker_sortplan import NO_ENTRY, Entries
from changtong.routes import NO_LEG, Routes, destinations, pairs_of

Floats = NDArray[np.float64]


def planned_routes(
    network: Network, question: Question, lay: Layout, entries: Entries, held: NDArray[np.floating]
) -> Routes:
    """Return the routes of a sort plan.

    Pairs whose demand a plan moved to a stand-in beforehand have no routes of their own.
    """
    problem, pairs = question.problem, pairs_of(network)
    dest = destinations(pairs)
    n, n_streams = network.sites.height, len(entries.trees)
    legs = np.full((n_streams, len(dest), n), NO_LEG, np.int32)
    number = np.full(n, -1, np.int64)
    number[dest] = np.arange(len(dest))
    known = number[lay.dest_site] >= 0
    row = number[lay.dest_site[known]]
    origin = np.repeat(np.arange(len(lay.origin_site)), np.diff(lay.pair_ptr))
    leaf = lay.entry_arc[lay.entry_ptr[origin]] >= 0
    pair_row = number[problem.pair_to]
    for s in range(n_streams):
        legs[s][np.ix_(row, lay.core_site)] = entries.trees[s][known]
        goes = leaf & (entries.choice[s] != NO_ENTRY) & (pair_row >= 0)
        arc = lay.entry_arc[lay.entry_ptr[origin[goes]] + entries.choice[s][goes]]
        legs[s][pair_row[goes], problem.pair_from[goes]] = arc
    part, moving = _moving(problem.totals(), held, entries.share, len(question.classes), n_streams)
    key = problem.pair_from[part].astype(np.int64) * n + problem.pair_to[part]
    own = pairs.from_site.astype(np.int64) * n + pairs.to_site
    at = np.minimum(np.searchsorted(own, key), max(len(own) - 1, 0))
    hit = own[at] == key if len(own) else np.zeros(len(key), bool)
    extra = problem.leg_tail[question.n_legs :], problem.leg_head[question.n_legs :]
    return Routes(legs, dest, *extra, at[hit], moving[hit])


def _moving(
    total: NDArray[np.floating], held: NDArray[np.floating], share: NDArray[np.float32], n_classes: int,
    n_streams: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:  # fmt: skip
    """Return the pairs of which a part is held, and the share of each class that is sent."""
    part = np.flatnonzero(held > 1e-6)
    upto = (share[part] if len(share) > 1 else np.broadcast_to(share, (len(part), share.shape[1]))).astype(
        float
    )
    volume = total[part].astype(np.float64)[:, None]
    sent = volume - held[part].astype(np.float64)[:, None]
    low, high = volume * upto[:, :-1], volume * upto[:, 1:]
    width = np.maximum(high - low, 1e-30)
    moving = np.where(high - low > 0.0, np.clip((sent - low) / width, 0.0, 1.0), 1.0)
    if n_streams < n_classes:
        moving = np.repeat(moving[:, :1], n_classes, axis=1)
    return part, moving.astype(np.float32)
