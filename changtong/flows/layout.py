"""Lay a flow problem out for the decomposition: core sites, entries, exits, rows.

Leaf sites (sites that pass nothing on, and whose every leg ends at a core site) are
contracted: a path is an entry leg, a path between two core sites, and an exit leg.
Two core sites are joined by shortest in-trees, so 8 million pairs cost one pass over
pairs and legs instead of 8 million searches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from changtong.flows.problem import FlowProblem

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]


class Layout(NamedTuple):
    """Static arrays of one network, indexed densely.

    Core sites are numbered 0 … n_core-1; exit cores (where a destination may leave the
    core) 0 … n_exit-1; destinations and origins by their own dense numbers. Arcs are
    the problem's legs; ``arc_rows`` lists the capacity rows each one loads: its own, its
    head site's, and those of entry limits.
    """

    core_site: Ints  # site of each core number
    exit_core: Ints  # core number of each exit core
    out_ptr: Ints  # core arcs by tail
    out_arc: Ints
    out_head: Ints
    in_ptr: Ints  # core arcs by head
    in_arc: Ints
    in_tail: Ints
    arc_core_head: Ints  # core number of an arc's head, -1 for a leaf
    passes: NDArray[np.bool_]  # core site may be passed through
    row_ptr: Ints  # arc -> rows
    row_of: Ints
    dest_site: Ints
    exit_ptr: Ints  # destination -> exits
    exit_t: Ints  # exit core number
    exit_arc: Ints  # leg, or -1 when the destination is itself core
    split: Ints  # destination -> offset in the exit volumes, -1 with a single exit
    n_split: int
    origin_site: Ints
    entry_ptr: Ints  # origin -> entries
    entry_c: Ints
    entry_arc: Ints
    origin_row: Ints  # row of the origin site, -1 when unlimited
    pair_ptr: Longs  # origin -> pairs
    pair_d: Ints  # destination number of each pair


def _csr(keys: NDArray[np.int32], size: int) -> tuple[Ints, NDArray[np.int64]]:
    order = np.argsort(keys, kind="stable")
    ptr = np.zeros(size + 1, np.int32)
    np.cumsum(np.bincount(keys, minlength=size), out=ptr[1:])
    return ptr, order


def core_sites(problem: FlowProblem) -> NDArray[np.bool_]:
    """Return which sites are core; the others touch core sites only.

    A site is a leaf when nothing of others may pass it, or when it has one neighbour, and
    legs both leave and reach it.
    Of two leaves joined by a leg, the leg's tail becomes core.
    """
    n, tail, head = problem.n_sites, problem.leg_tail, problem.leg_head
    low = np.full(n, n, np.int64)
    high = np.full(n, -1, np.int64)
    for one, other in ((tail, head), (head, tail)):
        np.minimum.at(low, one, other)
        np.maximum.at(high, one, other)
    core: NDArray[np.bool_] = np.asarray(problem.transit, bool) & (low < high)
    for ends in (tail, head):  # a site no leg leaves, or none reaches, has no entry or exit leg
        core |= np.bincount(ends, minlength=n) == 0
    clash = ~core[tail] & ~core[head]
    core[tail[clash]] = True
    blind = np.asarray(~np.asarray(problem.transit, bool))
    while True:  # a leaf's core sites must be ones that pass its pieces on
        grow = np.zeros(n, bool)
        grow[head[core[tail] & blind[tail] & ~core[head]]] = True
        grow[tail[core[head] & blind[head] & ~core[tail]]] = True
        if not grow.any():
            return core
        core |= grow


def _options(
    sites: Ints, core: NDArray[np.bool_], number: Ints, own: Ints, other: Ints
) -> tuple[Ints, Ints, Ints]:
    """CSR of the core sites each site is joined to: itself when core, else by its legs."""
    ptr, order = _csr(own, len(core))
    counts = np.where(core[sites], 1, np.diff(ptr)[sites]).astype(np.int64)
    out_ptr = np.zeros(len(sites) + 1, np.int32)
    np.cumsum(counts, out=out_ptr[1:])
    cores = np.empty(out_ptr[-1], np.int32)
    arcs = np.full(out_ptr[-1], -1, np.int32)
    is_core = core[sites]
    cores[out_ptr[:-1][is_core]] = number[sites[is_core]]
    leaf = np.flatnonzero(~is_core)
    if len(leaf):
        reps = counts[leaf]
        offset = np.arange(reps.sum()) - np.repeat(np.cumsum(reps) - reps, reps)
        source = order[np.repeat(ptr[sites[leaf]], reps) + offset]
        target = np.repeat(out_ptr[leaf], reps) + offset
        cores[target] = number[other[source]]
        arcs[target] = source
    return out_ptr, cores, arcs


def _row_lists(problem: FlowProblem, site_row: Ints, leg_row: Ints, first_limit: int) -> tuple[Ints, Ints]:
    n_legs = len(problem.leg_tail)
    legs = np.arange(n_legs, dtype=np.int32)
    owner = [legs[leg_row >= 0], legs[site_row[problem.leg_head] >= 0]]
    rows = [leg_row[leg_row >= 0], site_row[problem.leg_head][site_row[problem.leg_head] >= 0]]
    for k, (limit_legs, _) in enumerate(problem.limits):
        owner.append(np.asarray(limit_legs, np.int32))
        rows.append(np.full(len(limit_legs), first_limit + k, np.int32))
    all_owner = np.concatenate(owner)
    ptr, order = _csr(all_owner, n_legs)
    return ptr, np.concatenate(rows)[order].astype(np.int32)


def lay_out(problem: FlowProblem) -> tuple[Layout, Floats, Ints, Ints]:
    """Lay the problem out.

    Returns
    -------
    layout : Layout
    capacity : array
        Capacity of each row (pieces a day).
    leg_row, site_row : array of int
        Row of each leg and site, -1 where unlimited. Entry limits follow, in order.
    """
    n, tail, head = problem.n_sites, problem.leg_tail, problem.leg_head
    core = core_sites(problem)
    core_site = np.flatnonzero(core).astype(np.int32)
    number = np.full(n, -1, np.int32)
    number[core_site] = np.arange(len(core_site))
    leg_limited = np.isfinite(problem.leg_capacity)
    site_limited = np.isfinite(problem.site_capacity)
    leg_row = np.full(len(tail), -1, np.int32)
    leg_row[leg_limited] = np.arange(leg_limited.sum())
    site_row = np.full(n, -1, np.int32)
    site_row[site_limited] = leg_limited.sum() + np.arange(site_limited.sum())
    n_rows = int(leg_limited.sum() + site_limited.sum())
    limit_caps = np.array([float(limit) for _, limit in problem.limits], np.float64)
    capacity = np.concatenate(
        [problem.leg_capacity[leg_limited], problem.site_capacity[site_limited], limit_caps]
    ).astype(np.float64)
    row_ptr, row_of = _row_lists(problem, site_row, leg_row, n_rows)

    inner = np.flatnonzero(core[tail] & core[head]).astype(np.int32)
    out_ptr, out_order = _csr(number[tail[inner]], len(core_site))
    in_ptr, in_order = _csr(number[head[inner]], len(core_site))
    out_arc, in_arc = inner[out_order], inner[in_order]

    sent = np.bincount(problem.pair_from, minlength=n)
    origins = np.flatnonzero(sent).astype(np.int32)
    dests = np.flatnonzero(np.bincount(problem.pair_to, minlength=n)).astype(np.int32)
    dest_number = np.full(n, -1, np.int32)
    dest_number[dests] = np.arange(len(dests))
    pair_ptr = np.zeros(len(origins) + 1, np.int64)
    np.cumsum(sent[origins], out=pair_ptr[1:])
    entry_ptr, entry_c, entry_arc = _options(origins, core, number, tail, head)
    exit_ptr, exit_c, exit_arc = _options(dests, core, number, head, tail)
    exit_core, exit_t = np.unique(exit_c, return_inverse=True)
    n_exits = np.diff(exit_ptr)
    split = np.full(len(dests), -1, np.int32)
    many = n_exits > 1
    split[many] = np.cumsum(n_exits[many]) - n_exits[many]
    layout = Layout(
        core_site=core_site,
        exit_core=exit_core.astype(np.int32),
        out_ptr=out_ptr,
        out_arc=out_arc,
        out_head=number[head[out_arc]],
        in_ptr=in_ptr,
        in_arc=in_arc,
        in_tail=number[tail[in_arc]],
        arc_core_head=number[head],
        passes=np.asarray(problem.transit, bool)[core_site],
        row_ptr=row_ptr,
        row_of=row_of,
        dest_site=dests,
        exit_ptr=exit_ptr,
        exit_t=exit_t.astype(np.int32),
        exit_arc=exit_arc,
        split=split,
        n_split=int(n_exits[many].sum()),
        origin_site=origins,
        entry_ptr=entry_ptr,
        entry_c=entry_c,
        entry_arc=entry_arc,
        origin_row=site_row[origins],
        pair_ptr=pair_ptr,
        pair_d=dest_number[problem.pair_to],
    )
    return layout, capacity, leg_row, site_row
