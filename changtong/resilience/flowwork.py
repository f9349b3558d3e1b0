"""A case on a large network: today's solver with the case's ways shut, warm, to a stated gap."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.executors.work import Row
from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver, Termination
from changtong.flows.search import Enough
from changtong.planning.bounds import least_unserved, quick_bound
from changtong.planning.checker import check_flow
from changtong.planning.inorder import Clock, solve_in_order
from changtong.resilience.cases import Task
from changtong.resilience.frozen import Frozen
from changtong.resilience.today import penalties_of, shut

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FlowWork:
    """Plans one case after another, each from today's state: their order does not matter.

    Attributes
    ----------
    frozen : Frozen
        Today's solver.
    objective, lower, leg_money : float
        Today's costs and penalties with their proved least, and the money on legs, CNY a day.
    leg_cny, leg_h, site_h, promise_h : array
        Money and hours of legs, hours of sites, promises by class.
    gap_share, seconds : float
        When to stop.
    measure : str
        ``unserved`` or ``loss``: what ``Task.enough`` counts.
    """

    frozen: Frozen
    objective: float
    lower: float
    leg_money: float
    leg_cny: Floats
    leg_h: Floats
    site_h: Floats
    promise_h: Floats
    gap_share: float
    seconds: float
    measure: str

    def portable(self) -> FlowWork:
        """Return the same with the solver's arrays inside."""
        return replace(self, frozen=self.frozen.portable())

    def __call__(self, task: Task) -> Row:
        """Plan a case: until a plan is enough, else to the gap."""
        begin = time.perf_counter()
        solver = self.frozen.thaw()
        problem = shut(solver.problem, task.case)
        solver.change(problem)
        solver.curtailed = len(problem.class_penalty) - 1
        solver.settings = FlowSettings(self.gap_share, self.seconds, threads=1)
        enough = None if task.enough < 0.0 else self._enough(solver, task.enough)
        result = solve_in_order(problem, solver, Clock(self.seconds), enough=enough)
        quick = result.termination is Termination.ENOUGH
        check_flow(problem, result)
        return self._row(solver, result, quick) | {"seconds": time.perf_counter() - begin}

    def _enough(self, solver: FlowSolver, most: float) -> Enough:
        """Return when a plan loses no more than ``most``, so that the case need not be looked at further."""
        problem = solver.problem
        if self.measure == "unserved":  # all classes count alike
            return Enough(
                figure=lambda _, lacking: float(lacking.sum(dtype=np.float64)),
                most=most,
                hopeless=lambda _, price: (
                    quick_bound(solver, problem, price, len(problem.class_penalty)) > most
                ),
            )

        def loss(cost: float, lacking: NDArray[np.float32]) -> float:
            return cost + self._dead(solver, lacking) - self.objective

        return Enough(
            figure=loss,
            most=most,
            hopeless=lambda least, _: loss(least, problem.totals()) > most,
            in_order=True,
        )

    def _whole(self, solver: FlowSolver, result: FlowResult) -> tuple[float, float]:
        """Return costs and penalties, and their least, with the pieces no way joins."""
        dead = self._dead(solver, result.unserved)
        return result.objective + dead, result.lower_bound + dead

    def _dead(self, solver: FlowSolver, lacking: NDArray[np.float32]) -> float:
        """Return the penalties of the pieces no way joins, CNY a day."""
        return penalties_of(solver.problem, np.where(solver.cut_off, lacking, np.float32(0.0)))

    def _row(self, solver: FlowSolver, result: FlowResult, quick: bool) -> Row:
        upper, lower = self._whole(solver, result)
        unserved = float(result.unserved.sum(dtype=np.float64))
        cut_off = float(result.unserved[result.cut_off].sum(dtype=np.float64))
        least, late = cut_off, None
        if not quick:
            least = max(cut_off, least_unserved(solver, result, result.row_price, lambda: 0.0, 1).total)
            assert result.cut is not None
            late = float(solver.lateness(result.cut, self.leg_h, self.site_h, self.promise_h)[:, 2].sum())
        return {
            "status": "plan",
            "how": "quick" if quick else "flow",
            "cut_off_pieces": cut_off,
            "unserved_pieces": unserved,
            "unserved_least": min(least, unserved),
            "unserved_most": unserved,
            "late_pieces": late,
            "extra_cost_cny": float((result.leg_flow * self.leg_cny).sum()) - self.leg_money,
            "loss_cny": max(0.0, upper - self.objective),
            "loss_least_cny": max(0.0, lower - self.objective),
            "loss_most_cny": max(0.0, upper - self.lower),
            "gap_share": max(0.0, (upper - lower) / upper) if upper > 0.0 else 0.0,
            "termination": result.termination.value,
        }
