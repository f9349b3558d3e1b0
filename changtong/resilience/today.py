"""Today as every case is measured against: one plan with nothing shut, and what follows from it.

For any prices the capacities may have, the pairs' cheapest ways less the prices times the
capacities is a lower bound on costs and penalties (Lagrangian relaxation, Geoffrion 1974). So the
prices of today's plan bound every closure by one pass: shut ways cost too much to take, shut
capacities are worth nothing. What today's plan does without the ways that are shut is the upper
bound. Neither needs a solve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver
from changtong.flows.pricing import CLOSED
from changtong.flows.problem import FlowProblem
from changtong.planning.assemble import Question
from changtong.planning.inorder import Clock, solve_in_order
from changtong.planning.large import price_unserved
from changtong.resilience import passes
from changtong.resilience.cases import Case
from changtong.resilience.detours import Detours

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TODAY_GAP = 1e-3
"""Proved gap of today's plan: what every loss is measured against."""


@dataclass(frozen=True)
class Bounds:
    """What is known of a case without a plan of its own.

    Attributes
    ----------
    cut_off : float
        Pieces a day no way joins any more.
    unserved_least, unserved_most : float
        Pieces a day left behind: in any plan, and in today's plan without what is shut.
    loss_least, loss_most : float
        Costs and penalties above today's, CNY a day, likewise.
    remainder : bool
        Whether today's plan without the pieces of the sites shut is itself a plan for the case.
    """

    cut_off: float
    unserved_least: float
    unserved_most: float
    loss_least: float
    loss_most: float
    remainder: bool = False


def shut(problem: FlowProblem, case: Case) -> FlowProblem:
    """Return the problem with a case's sites and legs closed."""
    sites, legs = problem.site_capacity.copy(), problem.leg_capacity.copy()
    sites[list(case.sites)] = 0.0
    legs[list(case.legs)] = 0.0
    return replace(problem, site_capacity=sites, leg_capacity=legs)


def penalties_of(problem: FlowProblem, unserved: NDArray[np.floating]) -> float:
    """Return the penalties of what the pairs lack, CNY a day."""
    return float(problem.lost_by_class(unserved) @ problem.class_penalty)


class Today:
    """Today's plan of a large network.

    Parameters
    ----------
    question : Question
        With nothing shut but what is shut anyway.
    unserved_cny : float or None
        Penalty of a piece of the lowest class; None: from the network.
    seconds : float
        Time limit for the plan.
    threads : int

    Attributes
    ----------
    solver : FlowSolver
        As it stood after the plan.
    objective, lower : float
        Costs and penalties of all pieces, those without a way included, and their proved least.
    """

    def __init__(
        self, question: Question, *, unserved_cny: float | None, seconds: float, threads: int
    ) -> None:
        options = FlowSettings(gap_share=TODAY_GAP, seconds=seconds, threads=threads)
        self.solver = FlowSolver(question.problem, options)
        if unserved_cny is None:
            question = price_unserved(question, self.solver)
        self.question, self.problem = question, question.problem
        self.result: FlowResult = solve_in_order(self.problem, self.solver, Clock(seconds))
        problem, result = self.problem, self.result
        self.dead = np.where(result.cut_off, problem.totals(), np.float32(0.0))
        dead = penalties_of(problem, self.dead)
        self.objective, self.lower = result.objective + dead, result.lower_bound + dead
        self.unserved = float(result.unserved.sum(dtype=np.float64))
        n = problem.n_sites
        served = problem.totals().astype(np.float64) - result.unserved
        self.site_load = np.bincount(problem.leg_head, result.leg_flow, minlength=n) + np.bincount(
            problem.pair_from, served, minlength=n
        )
        self.total = float(problem.totals().sum(dtype=np.float64))
        self.mean_penalty = self._dearest_mix()
        self.costs = inner_cost(problem, result)
        self.detours = Detours(problem, result.leg_flow, np.asarray(self.site_load, np.float64))
        self.is_core = np.zeros(n, bool)
        self.is_core[self.solver.lay.core_site] = True
        self._prepare()

    def _dearest_mix(self) -> float:
        """Return the greatest mean penalty of a pair's pieces: what dropping a whole piece may cost."""
        steps = self.problem.class_steps().astype(np.float64)
        share = np.diff(steps, axis=1, prepend=0.0)
        return float((share @ self.problem.class_penalty).max(initial=0.0))

    def _prepare(self) -> None:
        """Add up by site what its pairs are worth at today's prices, and at none."""
        solver, n = self.solver, self.problem.n_sites
        self.price = self.result.row_price
        capacity = np.maximum(solver.capacity, 0.0)
        self.row_worth = self.price * capacity
        self.volumes = solver.volumes._replace(pair=self.problem.totals().copy())
        self.leg_cost = solver.trees.leg_cost.copy()
        self.sums = np.zeros((n, 4))
        origin = solver.pricing.price(self.price)
        passes.sums_by_site(solver.lay, solver.trees, self.volumes, origin, CLOSED, self.sums)
        self.value, self.cut_off = self._pass(origin)
        free = np.zeros((n, 4))
        origin = solver.pricing.price(np.zeros(len(self.price)))
        passes.sums_by_site(solver.lay, solver.trees, self.volumes, origin, CLOSED, free)
        self.cheapest = free[:, passes.VALUE]
        ends = np.bincount(self.problem.pair_from, self.result.unserved, minlength=n) + np.bincount(
            self.problem.pair_to, self.result.unserved, minlength=n
        )
        self.unserved_at = ends.astype(np.float64)

    def _pass(self, origin_price: Floats) -> tuple[float, float]:
        """Return the dual value at the prices just priced, and the pieces without a way."""
        pricing = self.solver.pricing
        lay, trees = pricing.lay, pricing.trees

        def part(lo: int, hi: int, _: int) -> tuple[float, float]:
            n = len(lay.dest_site)
            cost, option = np.empty(n), np.empty(n, np.int64)
            value, lost = passes.pass_value(
                lo, hi, lay, trees, self.volumes, origin_price, CLOSED, cost, option
            )
            return float(value), float(lost)

        parts = pricing.each(part, pricing.parts())
        return sum(value for value, _ in parts), sum(lost for _, lost in parts)

    # -- bounds of a case ------------------------------------------------------

    def needs_pass(self, case: Case) -> bool:
        """Return whether a pass over the pairs tells more of a case than today's sums."""
        return not self._is_one_leaf(case)

    def _is_one_leaf(self, case: Case) -> bool:
        return len(case.sites) == 1 and not case.legs and not self.is_core[case.sites[0]]

    def without_pass(self, case: Case) -> Bounds:
        """Bound a case from today's sums alone: sharp for a leaf site, a beginning for others."""
        if self._is_one_leaf(case):
            return self._leaf(case.sites[0])
        value = self.value - self._worth_left(case)
        return self._bounds(case, value, self.cut_off)

    def with_pass(self, case: Case) -> Bounds:
        """Bound a case by one pricing with its ways shut."""
        solver, trees = self.solver, self.solver.trees
        trees.leg_cost[self._shut_legs(case)] = CLOSED
        try:
            value, cut_off = self._pass(solver.pricing.price(self.price))
        finally:
            trees.leg_cost[:] = self.leg_cost
        return self._bounds(case, value - self._worth_left(case), cut_off)

    def _shut_legs(self, case: Case) -> Bools:
        problem = self.problem
        at = np.zeros(problem.n_sites, bool)
        at[list(case.sites)] = True
        legs = at[problem.leg_tail] | at[problem.leg_head]
        legs[list(case.legs)] = True
        return np.asarray(legs, bool)

    def _worth_left(self, case: Case) -> float:
        """Return prices times the capacities that are left."""
        solver = self.solver
        rows = np.concatenate([solver.leg_row[self._shut_legs(case)], solver.site_row[list(case.sites)]])
        return float(self.row_worth.sum() - self.row_worth[rows[rows >= 0]].sum())

    def _leaf(self, site: int) -> Bounds:
        """Bound the closure of a site nothing passes: its own pieces, and nobody else's."""
        value, penalty, pieces, dead = (float(x) for x in self.sums[site])
        case = Case("", "site", "", (site,))
        lower = self.value - value + penalty - self._worth_left(case)
        cut_off = self.cut_off - dead + pieces
        unserved = self.unserved - float(self.unserved_at[site]) + pieces
        upper = self.objective - float(self.cheapest[site]) + penalty
        return Bounds(
            cut_off=cut_off,
            unserved_least=min(cut_off, unserved),
            unserved_most=unserved,
            loss_least=max(0.0, lower - self.objective),
            loss_most=max(0.0, upper - self.lower),
            remainder=True,
        )

    def _bounds(self, case: Case, lower: float, cut_off: float) -> Bounds:
        dropped = float(self.site_load[list(case.sites)].sum() + self.result.leg_flow[list(case.legs)].sum())
        around, dearer = self._around(case)
        most = max(cut_off, min(self.total, self.unserved + dropped - around))
        upper = self.costs + dearer + self.mean_penalty * most
        return Bounds(
            cut_off=cut_off,
            unserved_least=cut_off,
            unserved_most=most,
            loss_least=max(0.0, lower - self.objective),
            loss_most=max(0.0, upper - self.lower),
        )

    def _around(self, case: Case) -> tuple[float, float]:
        """Return what of one leg's pieces finds room on ways round it, and what more that costs."""
        problem, legs = self.problem, list(case.legs)
        ends = {(int(problem.leg_tail[leg]), int(problem.leg_head[leg])) for leg in legs}
        if case.sites or len(ends) != 1:
            return 0.0, 0.0
        ((tail, head),) = ends
        flow = self.result.leg_flow[legs]
        around, cost = self.detours.around(tail, head, float(flow.sum()))
        return around, cost - float(flow @ problem.leg_cost[legs])


def inner_cost(problem: FlowProblem, result: FlowResult) -> float:
    """Return the weighed cost of the ways of a plan, CNY a day."""
    return float((result.leg_flow * problem.leg_cost).sum())
