"""The sort plan: at each site, one next leg for every destination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSolver
from changtong.network.model import Network
from changtong.planning import intrees
from changtong.planning.assemble import Question
from changtong.planning.checker_sortplan import Entries, check_sort_plan
from changtong.planning.sortwork import IN_A_HURRY, PHASES, STAY, Found, Ground, SortWork
from changtong.routes import NO_LEG, ROWS, entries_of, rows_of_class
from changtong.structure import class_table

Floats = NDArray[np.float64]

A_PHASE_S = 1.0
"""Seconds for each million pairs that all phases take about, on two cores of 2020."""

KEPT = 1e-3
"""A plan in force that fits is kept when it costs at most this share more than the flow's bound."""


@dataclass(frozen=True)
class SortPlan:
    """A sort plan that keeps every capacity.

    Attributes
    ----------
    objective_cny : float
        Cost and penalties of the flow it makes, in the flow problem's terms.
    gap_share : float
        (objective - the flow's lower bound) / objective: what one next leg for each
        destination costs at most, against pieces split freely.
    leg_flow : array, (legs,)
        Pieces a day it puts on each leg.
    held : array, (pairs,)
        Pieces a day each pair holds at its origin.
    changes : polars.DataFrame
        Entries that differ from the plan in force: site, destination, service_class
        (null: all classes alike), next_site, pieces, previous_next_site, changed.
    entries : Entries
        The whole plan in numbers.
    """

    objective_cny: float
    gap_share: float
    leg_flow: Floats
    held: NDArray[np.float32]
    changes: pl.DataFrame
    entries: Entries


def make_sort_plan(
    network: Network,
    question: Question,
    solver: FlowSolver,
    result: FlowResult,
    baseline: Floats,
    *,
    stability_cny: float,
) -> SortPlan:
    """Compute a sort plan from the flow, and what it changes.

    The plan in force is the network's own where it has one, else every piece on its
    cheapest way with nothing shut. ``stability_cny`` is what a piece weighs that takes
    another leg than the plan in force says; at least ``STAY``, so that equals stay as they are.

    Raises
    ------
    InternalError
        When the plan fails its own check.
    """
    work = prepare(network, question, solver, result)
    return sort_plan_of(network, work, stability_cny)


def prepare(
    network: Network,
    question: Question,
    solver: FlowSolver,
    result: FlowResult,
    seconds_left: Callable[[], float] = lambda: np.inf,
    ground: Ground | None = None,
) -> SortWork:
    """Prepare the arrays that sort plans of one outage share; they are searched for while there is time.

    ``ground`` is laid here where it was not before.
    """
    short = seconds_left() < A_PHASE_S * len(question.problem.pair_from) * 1e-6
    phases = IN_A_HURRY if short else PHASES
    work = SortWork(question, solver, result, lambda: seconds_left() > 0.0, phases, ground)
    if network.sort_plan is not None:
        _take_over(network, work, work.before, work.before_choice)
    return work


def trade_off(
    network: Network,
    work: SortWork,
    stabilities_cny: tuple[float, ...] = (0.0, 0.1, 1.0, 10.0, 100.0),
) -> pl.DataFrame:
    """Compute sort plans from least cost to fewest changes.

    Parameters
    ----------
    network : Network
    work : SortWork
        From :func:`prepare`; the arrays are used again for every plan.
    stabilities_cny : tuple of float
        What a piece weighs that takes another leg than the plan in force says.

    Returns
    -------
    polars.DataFrame
        One row each: stability_cny, changed_entries (site and destination, one class or all),
        changed_pieces (a piece counts at each changed entry it passes), cost_cny (with
        penalties), held_pieces, gap_share.
    """
    rows = []
    for stability in stabilities_cny:
        made = sort_plan_of(network, work, stability)
        rows.append(
            {
                "stability_cny": float(stability),
                "changed_entries": made.changes.select("site", "destination").n_unique(),
                "changed_pieces": float(made.changes["pieces"].sum()),
                "cost_cny": made.objective_cny,
                "held_pieces": float(made.held.sum(dtype=np.float64)),
                "gap_share": made.gap_share,
            }
        )
    return pl.DataFrame(rows)


def sort_plan_of(network: Network, work: SortWork, stability_cny: float) -> SortPlan:
    """Compute one sort plan from prepared arrays, and check it; see :func:`make_sort_plan`."""
    found = search(work, stability_cny)
    return found_plan(network, work, found, checked_entries(work, found))


def found_plan(network: Network, work: SortWork, found: Found, entries: Entries) -> SortPlan:
    """Return what was found with its changes; ``entries`` are those of :func:`checked_entries`."""
    return SortPlan(
        found.cost, gap_share(work, found), found.leg_flow, found.held, changed_entries(network, work, found),
        entries,
    )  # fmt: skip


def gap_share(work: SortWork, found: Found) -> float:
    """Return what is found above the flow's lower bound, as a share of its cost."""
    bound = work.result.lower_bound
    return max(0.0, found.cost - bound) / found.cost if found.cost > 0 else 0.0


def checked_entries(work: SortWork, found: Found) -> Entries:
    """Return a plan's entries, checked; may run beside :func:`changed_entries`, nothing else.

    Raises
    ------
    InternalError
        When the plan fails its check (:func:`changtong.planning.checker_sortplan.check_sort_plan`).
    """
    entries = work.entries(found)
    check_sort_plan(work.problem, work.lay, entries, found.leg_flow, found.held)
    return entries


def search(work: SortWork, stability_cny: float) -> Found:
    """Keep the plan in force where it fits; else search from it. Owed it is :func:`checked_entries`."""
    if work.take_in_force() and work.overload() <= 1e-3:
        found = work.settle()
        if stability_cny > 0.0 or found.cost <= work.result.lower_bound * (1.0 + KEPT):
            return found
    stay = max(stability_cny, STAY * work.mean_cost)
    several = len(work.volume) <= FEW_PAIRS and stability_cny <= LITTLE * work.mean_cost
    best: Found | None = None
    for factor in BEGINNINGS if several else BEGINNINGS[:1]:
        work.price = factor * work.result.row_price
        work.start(stay)
        work.descend(stay)
        found = work.settle()
        if best is None or found.cost < best.cost:
            best = found
        if best.cost <= work.result.lower_bound * (1.0 + CLOSE_ENOUGH) or not work.goes_on():
            break
    assert best is not None
    return best


BEGINNINGS = (1.0, 1.15, 0.7)
"""Factors on the flow's prices the search begins at, one after another: lumps settle elsewhere."""

FEW_PAIRS = 1_000_000
"""Pairs up to which the search begins more than once."""

LITTLE = 0.1
"""Stability, in mean costs of a piece, up to which the cheapest of several searches is wanted."""

CLOSE_ENOUGH = 0.005
"""Share above the flow's bound at which the search does not begin again."""


def _take_over(network: Network, work: SortWork, trees: NDArray[np.int32], choice: NDArray[np.uint8]) -> None:
    """Write the network's own sort plan over the cheapest ways; classes apart count as the lowest does."""
    plan = network.sort_plan
    assert plan is not None
    if "service_class" in plan.columns:
        plan = rows_of_class(plan, str(class_table(network)["service_class"][-1]))
    lay, n = work.lay, work.problem.n_sites
    core, dest_of, origin = (_numbers(n, sites) for sites in (lay.core_site, lay.dest_site, lay.origin_site))
    wanted = np.full((len(lay.origin_site), len(lay.dest_site)), -1, np.int32)
    for site, to, leg in entries_of(network, plan):
        dest = dest_of[to]
        known = (dest >= 0) & (leg != NO_LEG)
        inner = known & (core[site] >= 0)
        trees[dest[inner], core[site[inner]]] = leg[inner]
        leaf = known & (core[site] < 0) & (origin[site] >= 0)
        wanted[origin[site[leaf]], dest[leaf]] = leg[leaf]
    for first in range(0, len(choice), ROWS):
        span = slice(first, first + ROWS)
        owner = work.demand.origin[span].astype(np.int64)
        mine = wanted[owner, lay.pair_d[work.pair[span]]]
        for j in range(int(np.diff(lay.entry_ptr).max(initial=0))):
            at = lay.entry_ptr[owner] + j
            ok = at < lay.entry_ptr[owner + 1]
            hit = ok & (mine >= 0) & (lay.entry_arc[np.minimum(at, len(lay.entry_arc) - 1)] == mine)
            choice[span][hit] = j


def _numbers(n_sites: int, sites: NDArray[np.int32]) -> NDArray[np.int64]:
    """Place of each site in ``sites``, -1 where it is not among them."""
    number = np.full(n_sites, -1, np.int64)
    number[sites] = np.arange(len(sites))
    return number


CHANGES = (np.int32, np.int32, np.int32, np.int32, np.int32, np.float64)
"""Kinds of the columns that :func:`changtong.planning.intrees.changes` writes."""


def changed_entries(network: Network, work: SortWork, found: Found) -> pl.DataFrame:
    """Return the entries that differ from the plan in force; columns as of :class:`SortPlan`."""
    level = (work.lay, work.demand, found.choice, found.trees, found.through, work.before, work.before_choice)

    def run(fill: bool, size: int, begins: tuple[int, int]) -> tuple[list[int], list[NDArray[Any]]]:
        out = tuple(np.empty(max(size, 1), kind) for kind in CHANGES)
        ends = work.by_halves(
            lambda lo, hi, k: int(intrees.changes(lo, hi, *level, 0.5, out, fill, begins[k]))
        )
        return ends, [column[:size] for column in out]

    (first, second), _ = run(False, 1, (0, 0))
    _, (site, dest, leg, previous, stream, pieces) = run(True, first + second, (0, first))
    size = first + second
    head = work.problem.leg_head

    def names(rows: NDArray[np.generic]) -> pl.Series:
        return pl.Series(rows.astype(np.uint32)).cat.to(network.site_type)

    was = pl.select(
        pl.when(pl.Series(previous) >= 0)
        .then(pl.Series(head[np.maximum(previous, 0)].astype(np.uint32)))
        .otherwise(None)
    )
    classes = np.array([*network.service_classes.sort("rank")["service_class"].cast(pl.String), None], object)
    return pl.DataFrame(
        {
            "site": names(site),
            "destination": names(work.lay.dest_site[dest]),
            "service_class": pl.Series(classes[stream].tolist(), dtype=pl.String),
            "next_site": names(head[leg]),
            "pieces": pieces,
            "previous_next_site": was.to_series().cat.to(network.site_type),
            "changed": pl.Series([True], dtype=pl.Boolean).new_from_index(0, size),
        }
    )
