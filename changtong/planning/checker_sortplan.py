"""The independent check every sort plan passes: one way for each, nothing lost or above capacity.

Written with plain steps of its own: every pair enters the network once, then all pieces of all sites
take one step along their next legs, again and again, until they are home. Nothing of the search is used.
"""

from __future__ import annotations

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
    at, sent, lost = _enter(problem, lay, entries, held, flow)
    wrong += [f"{lost:.6g} pieces sent without an entry leg"] if lost > 1e-3 else []
    for s in range(len(entries.trees)):
        wrong += _follow(problem, lay, entries.trees[s], at[s], flow[s])
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
    problem: FlowProblem, lay: Layout, entries: Entries, held: NDArray[np.floating], flow: Floats
) -> tuple[Floats, Floats, float]:
    """Put all streams on their entry legs, the highest first: what is held is the lowest streams'.

    Return what enters the core, (streams, destinations, core sites), what each site sends, (streams,
    sites), and the pieces that have no entry leg.
    """
    n, n_dests, n_streams = len(lay.core_site), len(lay.dest_site), len(entries.trees)
    at, sent = np.zeros((n_streams, n, n_dests)), np.zeros((n_streams, problem.n_sites))
    lost = _put_on_legs(
        (lay.pair_ptr, lay.pair_d, problem.pair_from), (lay.entry_ptr, lay.entry_c, lay.entry_arc),
        problem.totals(), held, entries.share, entries.choice, at, sent, flow,
    )  # fmt: skip
    return np.ascontiguousarray(at.swapaxes(1, 2)), sent, float(lost)


@njit(**FLAT)
def _put_on_legs(pairs, legs, total, held, share, choice, at, sent, flow):  # type: ignore[no-untyped-def]
    """Add each pair's pieces to its origin, its entry leg and the site that leg ends at; return the lost."""
    pair_ptr, pair_d, pair_from = pairs
    entry_ptr, entry_c, entry_arc = legs
    lost = 0.0
    for o in range(pair_ptr.shape[0] - 1):
        for p in range(pair_ptr[o], pair_ptr[o + 1]):
            volume = np.float64(total[p])
            going = volume - held[p]
            row = p if share.shape[0] > 1 else 0
            for s in range(flow.shape[0]):
                x = min(going, volume * share[row, s + 1]) - volume * share[row, s]
                if x <= 0.0:
                    continue
                sent[s, pair_from[p]] += x
                entry = entry_ptr[o] + choice[s, p]
                if choice[s, p] == NO_ENTRY or entry >= entry_ptr[o + 1]:
                    lost += x
                    continue
                at[s, entry_c[entry], pair_d[p]] += x
                if entry_arc[entry] >= 0:
                    flow[s, entry_arc[entry]] += x
    return lost


def _follow(
    problem: FlowProblem, lay: Layout, trees: NDArray[np.int32], at: Floats, flow: Floats
) -> list[str]:
    """Send a stream from site to site along its next legs, all sites one step at a time."""
    wrong: list[str] = []
    nxt = trees.astype(np.int64)
    legal = (nxt < 0) | (problem.leg_tail[nxt] == lay.core_site[None, :])
    if not legal.all():
        wrong.append("a next leg that begins at another site")
    head = np.where(nxt >= 0, problem.leg_head[nxt], -1)
    number = np.full(problem.n_sites, -1, np.int64)
    number[lay.core_site] = np.arange(len(lay.core_site))
    home = lay.dest_site[:, None] == lay.core_site[None, :]
    blind = ~np.asarray(problem.transit, bool)
    stopped = 0.0
    for _ in range(len(lay.core_site) + 1):
        d, c = np.nonzero((at > 0.0) & ~home)
        if not len(d):
            break
        x, leg = at[d, c], nxt[d, c]
        stopped += float(x[leg < 0].sum())
        d, x, leg, to = d[leg >= 0], x[leg >= 0], leg[leg >= 0], head[d, c][leg >= 0]
        flow += np.bincount(leg, x, minlength=len(flow))
        passing = to != lay.dest_site[d]
        if (blind[to] & passing).any():
            wrong.append("a way through a site that passes nothing on")
        go = number[to] >= 0
        stopped += float(x[~go & passing].sum())
        flat = np.bincount(d[go] * home.shape[1] + number[to[go]], x[go], minlength=home.size)
        at = flat.reshape(home.shape)
    else:
        wrong.append(f"{float(at[~home].sum()):.6g} pieces go in a circle")
    if stopped > 1e-3:
        wrong.append(f"{stopped:.6g} pieces stop on the way")
    return wrong


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
    lost = 0.0
    for s in range(n_streams - 1):
        lower = load[s + 1 :].sum(axis=0)  # each of these pieces gives way once
        for p, pieces in _holders(problem, entries, s, held):
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
    problem: FlowProblem, entries: Entries, s: int, held: NDArray[np.floating]
) -> list[tuple[int, float]]:
    """Return the pairs that hold pieces of stream ``s`` but none of a higher one, and how many."""
    some = np.flatnonzero(held > 0.5)
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
