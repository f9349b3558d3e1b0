"""The sort plan: at each site, one next leg for every destination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.planning import intrees
from changtong.planning.assemble import Question
from changtong.planning.flow import FlowResult, FlowSolver
from changtong.planning.pricing import CLOSED

Floats = NDArray[np.float64]

SWEEPS = 8
"""Sweeps over all destinations; prices settle in a few."""

GROWTH = 1.6
"""Factor on the penalty slopes from one sweep to the next."""

STEP = 0.2
"""Share of a full multiplier step after each sweep: whole trees move in lumps."""


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
        (null: all), next_site, pieces, previous_next_site, changed.
    """

    objective_cny: float
    gap_share: float
    leg_flow: Floats
    held: NDArray[np.float32]
    changes: pl.DataFrame


class _Trees:
    """Working arrays of one sort plan."""

    def __init__(self, question: Question, solver: FlowSolver) -> None:
        self.problem, self.lay = question.problem, solver.lay
        lay = self.lay
        n, n_dests = len(lay.core_site), len(lay.dest_site)
        few = lay.pair_d.astype(np.uint16) if n_dests < 65536 else lay.pair_d
        by = np.argsort(few, kind="stable").astype(np.int32)
        ptr = np.zeros(n_dests + 1, np.int64)
        np.cumsum(np.bincount(lay.pair_d, minlength=n_dests), out=ptr[1:])
        self.by_dest = (ptr, by)
        self.owner = np.repeat(np.arange(len(lay.origin_site), dtype=np.int32), np.diff(lay.pair_ptr))
        self.pair_origin = self.owner[by]
        self.volume = self.problem.totals().copy()
        self.next = np.full((n_dests, n), -1, np.int32)
        self.choice = np.full(len(lay.pair_d), intrees.HELD, np.uint8)
        self.hold = np.zeros(len(lay.pair_d), np.uint8)
        steps = self.problem.class_steps()
        self.floor = steps[:, -2].copy() if steps.shape[1] > 1 else np.zeros(1, np.float32)
        self.leg_flow = np.zeros(len(self.problem.leg_tail))
        self.scratch = (
            np.empty(n),
            np.empty(n),
            *(np.empty(n, np.int32) for _ in range(5)),
            np.empty(len(lay.origin_site), np.uint8),
            np.empty(len(lay.origin_site), np.uint8),
        )
        weight = np.bincount(lay.pair_d, self.volume, minlength=n_dests)
        self.order = np.argsort(-weight, kind="stable").astype(np.int32)

    def sweep(
        self, stay: NDArray[np.int32], stay_choice: NDArray[np.uint8], stay_cost: float, table: Floats,
        leg_cost: Floats, penalty: float, *, placed: bool,
    ) -> None:  # fmt: skip
        intrees.sweep_trees(
            self.order, self.lay, self.by_dest, self.pair_origin, self.volume, self.choice, self.hold,
            self.floor, self.next, stay, stay_choice, stay_cost, table, leg_cost, self.leg_flow,
            penalty, placed, self.scratch,
        )  # fmt: skip


def make_sort_plan(
    network: Network,
    question: Question,
    solver: FlowSolver,
    result: FlowResult,
    baseline: Floats,
    *,
    stability_cny: float,
) -> SortPlan:
    """Compute a sort plan from the flow's prices, and what it changes.

    The plan in force is the network's own where it has one, else every piece on its
    cheapest way with nothing shut. ``stability_cny`` is what a piece weighs that takes
    another leg than the plan in force says.
    """
    work = _Trees(question, solver)
    before, before_choice = _in_force(network, question, solver, work)
    table = solver.rows.table.copy()
    table[:, 0] = np.maximum(solver.capacity, 0.0)
    table[:, 1] = result.row_price
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(table[:, 0] > 0.0, solver.mean_cost / table[:, 0], 0.0)
    work.volume[result.cut_off] = 0.0
    work.choice[:] = intrees.HELD
    work.hold[:] = 0
    work.leg_flow[:] = 0.0
    table[:, 3] = 0.0
    penalty = float(question.problem.class_penalty[-1])
    best: tuple[float, NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32], Floats] | None = None
    for k in range(SWEEPS):
        table[:, 2] = slope * GROWTH**k if k else 0.0
        work.sweep(before, before_choice, stability_cny, table, solver.trees.leg_cost, penalty, placed=k > 0)
        if k:
            over = table[:, 3] - table[:, 0]
            table[:, 1] = np.clip(table[:, 1] + STEP * table[:, 2] * over, 0.0, penalty)
        if k >= SWEEPS - 2:
            cost, held, flow = _fit(work, solver, table, question)
            if best is None or cost < best[0]:
                best = (cost, work.next.copy(), work.choice.copy(), held, flow)
    assert best is not None
    cost, work.next, work.choice, held, flow = best
    held = held.copy()
    held[result.cut_off] = question.problem.totals()[result.cut_off]
    gap = max(0.0, cost - result.lower_bound) / cost if cost > 0 else 0.0
    frame = _changes(network, work, before, before_choice, held)
    return SortPlan(cost, gap, flow, held, frame)


def _in_force(
    network: Network, question: Question, solver: FlowSolver, work: _Trees
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return next legs and entry choices in force: the network's, else the cheapest ways."""
    none = np.full_like(work.next, -1)
    no_choice = np.full_like(work.choice, intrees.HELD)
    table = np.zeros_like(solver.rows.table)
    work.sweep(none, no_choice, 0.0, table, question.problem.leg_cost, 1e14, placed=False)
    trees, choice = work.next.copy(), work.choice.copy()
    if network.sort_plan is not None:
        _take_over(network, work, trees, choice)
    return trees, choice


def _take_over(network: Network, work: _Trees, trees: NDArray[np.int32], choice: NDArray[np.uint8]) -> None:
    """Write the network's own sort plan over the cheapest ways."""
    lay, problem = work.lay, work.problem
    plan = network.sort_plan
    assert plan is not None
    n = problem.n_sites
    leg_of: dict[int, int] = {}
    for a, key in enumerate((problem.leg_tail.astype(np.int64) * n + problem.leg_head).tolist()):
        leg_of.setdefault(key, a)
    core_number = np.full(n, -1, np.int64)
    core_number[lay.core_site] = np.arange(len(lay.core_site))
    dest_number = np.full(n, -1, np.int64)
    dest_number[lay.dest_site] = np.arange(len(lay.dest_site))
    site = plan["site"].to_physical().to_numpy().astype(np.int64)
    dest = dest_number[plan["destination"].to_physical().to_numpy().astype(np.int64)]
    follow = plan["next_site"].to_physical().to_numpy().astype(np.int64)
    legs = np.array([leg_of.get(key, -1) for key in (site * n + follow).tolist()], np.int64)
    core = (core_number[site] >= 0) & (dest >= 0) & (legs >= 0)
    trees[dest[core], core_number[site[core]]] = legs[core]
    origin_number = np.full(n, -1, np.int64)
    origin_number[lay.origin_site] = np.arange(len(lay.origin_site))
    wanted = np.full((len(lay.origin_site), len(lay.dest_site)), -1, np.int64)
    leaf = (core_number[site] < 0) & (dest >= 0) & (legs >= 0) & (origin_number[site] >= 0)
    wanted[origin_number[site[leaf]], dest[leaf]] = legs[leaf]
    mine = wanted[work.owner, lay.pair_d]
    for j in range(int(np.diff(lay.entry_ptr).max(initial=0))):
        at = lay.entry_ptr[work.owner] + j
        ok = at < lay.entry_ptr[work.owner + 1]
        hit = ok & (mine >= 0) & (lay.entry_arc[np.minimum(at, len(lay.entry_arc) - 1)] == mine)
        choice[hit] = j


def _fit(
    work: _Trees, solver: FlowSolver, table: Floats, question: Question
) -> tuple[float, NDArray[np.float32], Floats]:
    """Hold what does not fit; return the cost, what is held, and the flow that is left."""
    lay, limit = work.lay, np.maximum(solver.capacity, 0.0)
    copy, flow = table.copy(), work.leg_flow.copy()
    held = np.where(work.hold, work.volume * (1.0 - work.floor), 0.0).astype(np.float32)
    held[work.choice == intrees.HELD] = work.volume[work.choice == intrees.HELD]
    span = (0, len(lay.pair_d))
    common = (lay, *span, work.owner, work.volume, work.choice, held, work.next, copy, limit, flow)
    steps = question.problem.class_steps()
    for kept in range(steps.shape[1] - 1, -1, -1):
        floor = steps[:, kept - 1].copy() if kept else np.zeros(1, np.float32)
        intrees.fit(*common, False, floor)
    intrees.fit(*common, True, np.zeros(1, np.float32))
    price = question.problem.unserved_by_class(held) if question.problem.pair_pieces.shape[1] > 1 else None
    if price is None:
        lost = float(_penalty(question, work.volume, held))
    else:
        lost = float((price * question.problem.class_penalty).sum())
    used = solver.trees.leg_cost < CLOSED
    return float(flow[used] @ solver.trees.leg_cost[used]) + lost, held, flow


def _penalty(question: Question, volume: NDArray[np.float32], held: NDArray[np.float32]) -> float:
    """Penalty of what is held, lowest class first, where all pairs have the same mix."""
    steps = question.problem.class_steps()[0].astype(np.float64)
    total, left = 0.0, held.astype(np.float64)
    for k in range(len(steps) - 1, -1, -1):
        room = volume * (steps[k] - (steps[k - 1] if k else 0.0))
        part = np.minimum(left, room) if k else left
        total += float(part.sum()) * float(question.problem.class_penalty[k])
        left = left - part
    return total


def _changes(
    network: Network, work: _Trees, before: NDArray[np.int32], before_choice: NDArray[np.uint8],
    held: NDArray[np.float32],
) -> pl.DataFrame:  # fmt: skip
    lay, n = work.lay, len(work.lay.core_site)
    scratch = (np.empty(n), np.empty(n, np.int32), np.empty(n, np.int32))

    def run(size: int, fill: bool) -> tuple[int, tuple[NDArray[np.generic], ...]]:
        out = (
            np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
            np.empty(size, np.int32), np.empty(size), *scratch,
        )  # fmt: skip
        found = intrees.changes(
            lay, work.by_dest, work.pair_origin, work.volume, work.choice, held, work.next, before,
            before_choice, 0.5, out, fill,
        )  # fmt: skip
        return found, out

    size, _ = run(1, False)
    _, out = run(max(size, 1), True)
    to_id = network.site_type
    head = work.problem.leg_head
    previous = out[3][:size]
    return pl.DataFrame(
        {
            "site": pl.Series(out[0][:size].astype(np.uint32)).cat.to(to_id),
            "destination": pl.Series(lay.dest_site[out[1][:size]].astype(np.uint32)).cat.to(to_id),
            "service_class": pl.Series([None], dtype=pl.String).new_from_index(0, size),
            "next_site": pl.Series(head[out[2][:size]].astype(np.uint32)).cat.to(to_id),
            "pieces": out[4][:size],
            "previous_next_site": pl.select(
                pl.when(pl.Series(previous) >= 0)
                .then(pl.Series(head[np.maximum(previous, 0)].astype(np.uint32)))
                .otherwise(None)
            )
            .to_series()
            .cat.to(to_id),
            "changed": pl.Series([True], dtype=pl.Boolean).new_from_index(0, size),
        }
    )
