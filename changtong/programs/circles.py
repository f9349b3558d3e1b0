"""Circles in flows: pieces for one destination that would come by a site twice.

A flow on legs may keep a leg at today's volume by sending pieces round in a circle, which no
dispatcher would order. Circles are looked for destination by destination (strongly connected
parts of what carries anything: Tarjan 1972) and taken apart at their weakest leg.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from changtong.flows.problem import FlowProblem
from changtong.programs.arcflow import ArcFlow

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

LEAST = 1e-6
"""Scaled pieces below which a flow is rounding."""


def find_circles(problem: FlowProblem, program: ArcFlow, flow: Floats) -> list[Longs]:
    """Return some circles as flow columns: one for each connected part of each destination.

    Parameters
    ----------
    flow : array, (plain flow columns,)
    """
    found = []
    columns = np.flatnonzero(flow > LEAST)
    order = columns[np.argsort(program.flow_dest[columns], kind="stable")]
    _, first = np.unique(program.flow_dest[order], return_index=True)
    for mine in np.split(order, first[1:]) if len(order) else []:
        tail = problem.leg_tail[program.flow_leg[mine]].astype(np.int64)
        head = problem.leg_head[program.flow_leg[mine]].astype(np.int64)
        n = problem.n_sites
        graph = sparse.csr_matrix((np.ones(len(mine)), (tail, head)), shape=(n, n))
        _, part = csgraph.connected_components(graph, connection="strong")
        inside = np.flatnonzero(part[tail] == part[head])
        for label in np.unique(part[tail[inside]]):
            some = inside[part[tail[inside]] == label]
            found.append(mine[some[_circle(tail[some], head[some])]])
    return found


def _circle(tail: Longs, head: Longs) -> Longs:
    """Return one circle of a strongly connected part, as positions of its legs."""
    out: dict[int, int] = {}
    for k, site in enumerate(tail.tolist()):
        out.setdefault(site, k)
    here = int(tail[0])
    seen: dict[int, int] = {}
    way: list[int] = []
    while here not in seen:
        seen[here] = len(way)
        way.append(out[here])
        here = int(head[out[here]])
    return np.array(way[seen[here] :], np.int64)


def without_circles(problem: FlowProblem, program: ArcFlow, flow: Floats) -> Floats:
    """Return the flow with every circle taken out; nothing else changes."""
    flow = flow.copy()
    while True:
        circles = find_circles(problem, program, flow)
        if not circles:
            return flow
        for circle in circles:
            flow[circle] -= flow[circle].min()
            flow[circle] = np.where(flow[circle] <= LEAST, 0.0, flow[circle])
