"""The independent check every sort plan passes: one way for each, nothing lost or above capacity.

Written with plain steps of its own: every pair enters the network once, then all pieces of all sites
take one step along their next legs, again and again, until they are home. Nothing of the search is used.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.errors import InternalError
from changtong.flows.layout import Layout
from changtong.flows.problem import FlowProblem
from changtong.flows.trees import FLAT
from changtong.planning.checker import RELATIVE

Floats = NDArray[np.float64]

NO_ENTRY = 255

THREADS = 2
"""Streams walked at a time."""


class Entries(NamedTuple):
    """A sort plan in the layout's numbers; streams are spans of service classes.

    Attributes
    ----------
    trees : array of int32, (streams, destinations, core sites)
        The next leg, -1 where there is none.
    choice : array of uint8, (streams, pairs)
        The entry of each pair, counted from its origin's first, 255 where there is none.
    share : array of float32, (1 or pairs, streams + 1)
        Cumulated share of the streams in each pair, the highest class first.
    """

    trees: NDArray[np.int32]
    choice: NDArray[np.uint8]
    share: NDArray[np.float32]


def check_sort_plan(
    problem: FlowProblem, lay: Layout, entries: Entries, leg_flow: Floats, held: NDArray[np.floating]
) -> None:
    """Check a sort plan against its problem.

    Raises
    ------
    InternalError
        With every figure that is off: a next leg that does not begin at its site or is
        closed, pieces that go in a circle or stop on the way, a way through a site that
        passes nothing on, held outside 0 … demand, a flow other than the next legs make,
        a load above capacity, a higher class held on a full row that a lower class uses.
    """
    wrong = _held(problem, held)
    flow = np.zeros((len(entries.trees), len(problem.leg_tail)))
    sent = np.zeros((len(entries.trees), problem.n_sites))

    def stream(s: int) -> tuple[float, list[str]]:
        at, lost = _enter(problem, lay, entries, held, s, flow[s], sent[s])
        return lost, _follow(problem, lay, entries.trees[s], at, flow[s])

    with ThreadPoolExecutor(THREADS) as pool:  # no stream reads or writes what another one writes
        streams = list(pool.map(stream, range(len(entries.trees))))
    lost = sum(one for one, _ in streams)
    wrong += [f"{lost:.6g} pieces sent without an entry leg"] if lost > 1e-3 else []
    wrong += [text for _, texts in streams for text in texts]
    off = np.abs(flow.sum(axis=0) - leg_flow)
    worst = int(np.argmax(off)) if len(off) else 0
    if len(off) and off[worst] > 1e-5 * max(1.0, leg_flow[worst]) + 1e-2:
        wrong.append(f"leg {worst} carries {flow[:, worst].sum():.6g}, not {leg_flow[worst]:.6g}")
    wrong += _capacities(problem, leg_flow, sent.sum(axis=0))
    wrong += _ranks(problem, lay, entries, held, flow, sent)
    if wrong:
        raise InternalError("The sort plan failed its own check: " + "; ".join(wrong))


PART = 1_000_000
"""Pairs looked at together: bounds the memory."""


def _held(problem: FlowProblem, held: NDArray[np.floating]) -> list[str]:
    total = problem.totals()
    for first in range(0, len(held), PART):
        some, most = held[first : first + PART], total[first : first + PART] * (1.0 + RELATIVE) + 1e-6
        if float(some.min()) < 0.0 or (some > most).any():
            return ["held pieces outside 0 … demand"]
    return []


def _enter(
    problem: FlowProblem, lay: Layout, entries: Entries, held: NDArray[np.floating], s: int, flow: Floats,
    sent: Floats,
) -> tuple[Floats, float]:  # fmt: skip
    """Put a stream on its entry legs: what is held is the lowest streams'.

    Return what enters the core, (core sites, destinations), and the pieces that have no entry leg.
    """
    at = np.zeros((len(lay.core_site), len(lay.dest_site)))
    lost = _put_on_legs(
        (lay.pair_ptr, lay.pair_d, problem.pair_from), (lay.entry_ptr, lay.entry_c, lay.entry_arc),
        problem.totals(), held, entries.share, s, entries.choice[s], at, sent, flow,
    )  # fmt: skip
    return at, float(lost)


@njit(**FLAT)
def _put_on_legs(pairs, legs, total, held, share, s, choice, at, sent, flow):  # type: ignore[no-untyped-def]
    """Add each pair's pieces to its origin, its entry leg and the site that leg ends at; return the lost."""
    pair_ptr, pair_d, pair_from = pairs
    entry_ptr, entry_c, entry_arc = legs
    lost = 0.0
    for o in range(pair_ptr.shape[0] - 1):
        for p in range(pair_ptr[o], pair_ptr[o + 1]):
            volume = np.float64(total[p])
            row = p if share.shape[0] > 1 else 0
            x = min(volume - held[p], volume * share[row, s + 1]) - volume * share[row, s]
            if x <= 0.0:
                continue
            sent[pair_from[p]] += x
            entry = entry_ptr[o] + choice[p]
            if choice[p] == NO_ENTRY or entry >= entry_ptr[o + 1]:
                lost += x
                continue
            at[entry_c[entry], pair_d[p]] += x
            if entry_arc[entry] >= 0:
                flow[entry_arc[entry]] += x
    return lost


def _follow(
    problem: FlowProblem, lay: Layout, trees: NDArray[np.int32], at: Floats, flow: Floats
) -> list[str]:
    """Send a stream from site to site along its next legs, all sites one step at a time."""
    n = len(lay.core_site)
    number = np.full(problem.n_sites, -1, np.int64)
    number[lay.core_site] = np.arange(n)
    blind = ~np.asarray(problem.transit, bool)
    foreign, blocked, stopped, circling = _walk(
        (problem.leg_tail, problem.leg_head), (lay.core_site, lay.dest_site), number, blind, trees,
        np.ascontiguousarray(at.T), np.empty(n), flow,
    )  # fmt: skip
    wrong = ["a next leg that begins at another site"] if foreign else []
    wrong += ["a way through a site that passes nothing on"] if blocked else []
    wrong += [f"{circling:.6g} pieces go in a circle"] if circling > 0.0 else []
    wrong += [f"{stopped:.6g} pieces stop on the way"] if stopped > 1e-3 else []
    return wrong


@njit(**FLAT)
def _walk(legs, sites, number, blind, trees, at, then, flow):  # type: ignore[no-untyped-def]
    """Walk what is at the core sites home, destination by destination; count what goes wrong.

    Returns next legs that do not begin at their site, steps through a site that passes nothing on, the
    pieces that stop on the way, and those still on their way after as many steps as there are sites.
    """
    tail, head = legs
    core_site, dest_site = sites
    foreign = 0
    blocked = 0
    stopped = 0.0
    circling = 0.0
    n = core_site.shape[0]
    for d in range(dest_site.shape[0]):
        home = dest_site[d]
        now = at[d]
        for c in range(n):
            if trees[d, c] >= tail.shape[0] or (trees[d, c] >= 0 and tail[trees[d, c]] != core_site[c]):
                foreign += 1
        moving = True
        steps = 0
        while moving and steps <= n:
            moving = False
            steps += 1
            for c in range(n):
                then[c] = 0.0
            for c in range(n):
                x = now[c]
                if x <= 0.0 or core_site[c] == home:
                    continue
                moving = True
                leg = trees[d, c]
                if leg < 0 or leg >= tail.shape[0]:
                    stopped += x
                    continue
                flow[leg] += x
                to = head[leg]
                if to == home:
                    continue
                if blind[to]:
                    blocked += 1
                if number[to] < 0:
                    stopped += x
                else:
                    then[number[to]] += x
            for c in range(n):
                now[c] = then[c]
        if moving:
            for c in range(n):
                circling += now[c]
    return foreign, blocked, stopped, circling


def _capacities(problem: FlowProblem, leg_flow: Floats, sent: Floats) -> list[str]:
    n = problem.n_sites
    handled = np.bincount(problem.leg_head, leg_flow, minlength=n) + sent
    limits = np.array([leg_flow[legs].sum() for legs, _ in problem.limits])
    rows = (
        ("legs", leg_flow, problem.leg_capacity),
        ("sites", handled, problem.site_capacity),
        ("entry limits", limits, np.array([limit for _, limit in problem.limits], np.float64)),
    )
    wrong = []
    for what, load, capacity in rows:
        over = np.where(np.isfinite(capacity), load - capacity, -1.0)
        bad = over > 1e-5 * np.maximum(np.where(np.isfinite(capacity), capacity, 1.0), 1.0) + 1e-2
        if bad.any():
            k = int(np.argmax(over))
            wrong.append(f"{int(bad.sum())} {what} above capacity, row {k} by {over[k]:.6g}")
    return wrong


LOOKED_AT = 2000
"""Pairs that hold a higher class, looked at one by one."""


def _ranks(
    problem: FlowProblem,
    lay: Layout,
    entries: Entries,
    held: NDArray[np.floating],
    flow: Floats,
    sent: Floats,
) -> list[str]:
    """No class may be held where lower classes use room on all of its way that it lacks."""
    n, n_legs, n_streams = problem.n_sites, len(problem.leg_tail), len(flow)
    if n_streams < 2 or not len(held):
        return []
    into = np.array([np.bincount(problem.leg_head, part, minlength=n) for part in flow]) + sent
    passed = np.array([[part[legs].sum() for legs, _ in problem.limits] for part in flow])
    limits: list[list[int]] = [[] for _ in range(n_legs)]
    for k, (limited, _) in enumerate(problem.limits):
        for a in limited:
            limits[a].append(n_legs + n + k)
    load = np.concatenate([flow, into, passed], axis=1)  # rows: legs, sites, entry limits
    most = [limit for _, limit in problem.limits]
    free = np.concatenate([problem.leg_capacity, problem.site_capacity, most]) - load.sum(axis=0)
    lost, some = 0.0, np.flatnonzero(held > 0.5)
    for s in range(n_streams - 1):
        lower = load[s + 1 :].sum(axis=0)  # each of these pieces gives way once
        for p, pieces in _holders(problem, entries, s, held, some):
            legs = _way(problem, lay, entries, s, p)
            rows = [*legs, *(n_legs + int(problem.leg_head[a]) for a in legs)]
            rows += [n_legs + int(problem.pair_from[p]), *(k for a in legs for k in limits[a])]
            room = max(0.0, float(free[rows].min()))
            x = min(pieces, float((free[rows] + lower[rows]).min())) - room
            if legs and x > 1.0:
                lost += x
                lower[rows] -= np.clip(x - free[rows], 0.0, None)
    return [f"{lost:.6g} pieces held where a lower class goes"] if lost > problem.class_rounding() else []


def _holders(
    problem: FlowProblem, entries: Entries, s: int, held: NDArray[np.floating], some: NDArray[np.int64]
) -> list[tuple[int, float]]:
    """Return those of ``some`` pairs that hold pieces of stream ``s`` but none of a higher one; how many."""
    volume = problem.totals()[some].astype(np.float64)
    share = entries.share[some] if len(entries.share) > 1 else entries.share
    sent = volume - held[some]
    kept = volume * share[:, s + 1] - np.maximum(sent, volume * share[:, s])
    at = np.flatnonzero((kept > 0.5) & (sent > volume * share[:, s] - 0.5))[:LOOKED_AT]
    return list(zip(some[at].tolist(), kept[at].tolist(), strict=True))


def _way(problem: FlowProblem, lay: Layout, entries: Entries, s: int, p: int) -> list[int]:
    """Return the legs of a pair's way in stream ``s``."""
    choice = int(entries.choice[s, p])
    if choice == NO_ENTRY:
        return []
    entry = int(lay.entry_ptr[int(np.searchsorted(lay.pair_ptr, p, side="right")) - 1]) + choice
    legs = [int(lay.entry_arc[entry])] if lay.entry_arc[entry] >= 0 else []
    core, d = int(lay.entry_c[entry]), int(lay.pair_d[p])
    while core >= 0 and entries.trees[s, d, core] >= 0 and len(legs) <= problem.n_sites:
        legs.append(int(entries.trees[s, d, core]))
        core = int(lay.arc_core_head[legs[-1]])
    return legs
