"""The independent check every plan passes: nothing lost, nothing above capacity.

Written with plain array sums from the volumes' own lists, without the solver's kernels,
so that an error there shows here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InternalError
from changtong.flows.flow import FlowResult
from changtong.flows.problem import FlowProblem

Floats = NDArray[np.float64]

RELATIVE = 1e-6
"""Rounding allowed: pair volumes are stored in single precision."""


def check_flow(problem: FlowProblem, result: FlowResult) -> None:
    """Check a flow against its problem.

    Raises
    ------
    InternalError
        With every figure that is off: a load above capacity, pieces that vanish or appear
        at a site, a way through a site that passes nothing on, unserved outside 0 … demand,
        a bound above the objective.
    """
    sent, received = _ends(problem, result)
    wrong = [
        *_capacities(problem, result, sent),
        *_conservation(problem, result, sent, received),
        *_unserved(problem, result),
        *_bound(result),
    ]
    if wrong:
        raise InternalError("The plan failed its own check: " + "; ".join(wrong))


def _above(load: Floats, capacity: Floats, what: str) -> list[str]:
    over = load - np.where(np.isfinite(capacity), capacity, np.inf)
    bad = np.flatnonzero(over > RELATIVE * np.maximum(capacity, 1.0) + 1e-3)
    if not len(bad):
        return []
    k = int(bad[np.argmax(over[bad])])
    return [f"{len(bad)} {what} above capacity, row {k} by {over[k]:.6g} of {capacity[k]:.6g}"]


def _ends(problem: FlowProblem, result: FlowResult) -> tuple[Floats, Floats]:
    """Return what is served of the pieces that begin, and end, at each site."""
    n, lacking = problem.n_sites, np.flatnonzero(result.unserved)

    def served(ends: NDArray[np.int32]) -> Floats:
        wanted = np.bincount(ends, problem.totals(), minlength=n)
        return np.asarray(
            wanted - np.bincount(ends[lacking], result.unserved[lacking], minlength=n), np.float64
        )

    return served(problem.pair_from), served(problem.pair_to)


def _capacities(problem: FlowProblem, result: FlowResult, sent: Floats) -> list[str]:
    flow = result.leg_flow
    n = problem.n_sites
    handled = (np.bincount(problem.leg_head, flow, minlength=n) + sent).astype(np.float64)
    wrong = _above(flow, problem.leg_capacity, "legs") + _above(handled, problem.site_capacity, "sites")
    for k, (legs, limit) in enumerate(problem.limits):
        wrong += _above(
            np.array([flow[legs].sum()], np.float64), np.array([limit], np.float64), f"entry limit {k}: legs"
        )
    if flow.min(initial=0.0) < 0.0:
        wrong.append(f"a leg with {flow.min():.6g} pieces")
    return wrong


def _conservation(problem: FlowProblem, result: FlowResult, sent: Floats, received: Floats) -> list[str]:
    n = problem.n_sites
    out = np.bincount(problem.leg_tail, result.leg_flow, minlength=n)
    into = np.bincount(problem.leg_head, result.leg_flow, minlength=n)
    lost = into + sent - out - received
    size = np.maximum(np.maximum(into + sent, out + received), 1.0)
    wrong = []
    worst = int(np.argmax(np.abs(lost) / size)) if n else 0
    if n and abs(lost[worst]) > 1e-4 * size[worst] + 1e-2:
        wrong.append(f"site {worst} loses {lost[worst]:.6g} of {size[worst]:.6g} pieces")
    blind = ~np.asarray(problem.transit, bool)
    passing = np.where(blind, into - received, 0.0)
    worst = int(np.argmax(np.abs(passing) / size)) if n else 0
    if n and abs(passing[worst]) > 1e-4 * size[worst] + 1e-2:
        wrong.append(f"site {worst} passes {passing[worst]:.6g} pieces on although it may not")
    return wrong


def _unserved(problem: FlowProblem, result: FlowResult) -> list[str]:
    lacking = np.flatnonzero(result.unserved)
    unserved, total = result.unserved[lacking], problem.totals()[lacking]
    wrong = []
    if (unserved < -1e-6).any():
        wrong.append(f"unserved below zero: {unserved.min():.6g}")
    over = unserved - total
    if len(over) and (over > RELATIVE * np.maximum(total, 1.0)).any():
        wrong.append(f"unserved above demand by {over.max():.6g}")
    return wrong


def _bound(result: FlowResult) -> list[str]:
    slack = result.objective - result.lower_bound
    if slack < -1e-6 * max(1.0, abs(result.objective)):
        return [f"bound {result.lower_bound:.9g} above objective {result.objective:.9g}"]
    return []
