"""Which k sites shut together hurt most: best first, exact where the search ends.

The measure is the pieces that must stay behind whatever is planned, classes not told apart. A plan
with some sites shut, less what it sends through further ones, is a plan with those shut too. So

    left(A + B)  <=  left(A) + what A's plan sends through B,

for each A already planned: an upper bound for every combination. Combinations are planned in the order
of that bound; once it is no more than the worst found, nothing worse is left. Where plans are cut short
the bound stays: what was not planned cannot lose more.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.executors.local import LocalProcesses
from changtong.executors.work import Executor, Row
from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver
from changtong.flows.problem import FlowProblem
from changtong.network.model import Network
from changtong.outages import Outage, closed_by_status
from changtong.planning.answer import is_small
from changtong.planning.assemble import Question
from changtong.planning.baseline import baseline_flow
from changtong.planning.bounds import least_unserved
from changtong.planning.large import price_unserved
from changtong.planning.result import PlanSettings
from changtong.planning.small import answer_small
from changtong.resilience.cases import Case, Task, say_site
from changtong.resilience.exactwork import ask
from changtong.resilience.frozen import Frozen, freeze
from changtong.resilience.sets import SCHEMA, WorstSets
from changtong.resilience.today import shut
from changtong.structure import pass_through

Floats = NDArray[np.float64]

MOST_SETS = 3_000_000
"""Combinations beyond which not each gets a bound of its own."""

SEEDS = 40
"""Sites from which sets are grown where there are too many combinations."""


def worst_sets(
    network: Network,
    k: int = 2,
    *,
    outages: Sequence[Outage] = (),
    keep: int = 10,
    most_plans: int = 5000,
    seconds: float = 30.0,
    executor: Executor | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> WorstSets:
    """Find the k sites that leave most behind when shut together.

    Parameters
    ----------
    network : Network
    k : int
        At least 1.
    outages : sequence of Outage
        What is shut already.
    keep : int
        Combinations returned, and proved to be the worst where ``exact``.
    most_plans : int
        Plans made at most: the search is exact where that is enough.
    seconds : float
        Time limit of one plan.
    executor : Executor, optional
        Where plans are made.
    progress : callable, optional
        Called with (stage, share).
    """
    begin = time.perf_counter()
    open_sites = [row for row in range(network.sites.height) if row not in set(closed_by_status(network))]
    if not 1 <= k <= len(open_sites):
        raise UsageError(f"k is {k}; expected 1 to {len(open_sites)}, the sites that are open.")
    question = blind(ask(network, tuple(outages), hour_cny=0.0, penalty=None))
    with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
        work = _work(network, tuple(outages), question, seconds, Path(folder))
        search = _Search(network, open_sites, k, keep, most_plans, work, executor or LocalProcesses())
        search.bounded = not _moves_demand(network)
        search.run(progress or (lambda stage, share: None))
    return search.result(time.perf_counter() - begin)


def blind(question: Question) -> Question:
    """Return the question with all pieces in one class: a piece left behind is a piece left behind."""
    problem = question.problem
    one = replace(
        problem,
        pair_pieces=problem.totals().astype(np.float64)[:, None],
        class_penalty=problem.class_penalty[-1:],
        class_share=None,
    )
    return replace(question, problem=one, classes=question.classes.tail(1))


def _moves_demand(network: Network) -> bool:
    """Return whether a closure may move demand to stand-ins before planning: then no plan bounds another."""
    if network.areas is None or not network.areas.height:
        return False
    return not bool(pass_through(network)[network.areas["stand_in"].to_physical().to_numpy()].all())


def _loads(problem: FlowProblem, result: FlowResult) -> Floats:
    """Return the pieces a day each site handles in a plan."""
    served = problem.totals().astype(np.float64) - result.unserved
    n = problem.n_sites
    load = np.bincount(problem.leg_head, result.leg_flow, minlength=n) + np.bincount(
        problem.pair_from, served, minlength=n
    )
    return np.asarray(load, np.float64)


@dataclass(frozen=True)
class _ExactLeft:
    """Plans a combination exactly."""

    network: Network
    outages: tuple[Outage, ...]
    seconds: float

    def portable(self) -> _ExactLeft:
        """Return itself: it holds no files."""
        return self

    def __call__(self, task: Task) -> Row:
        """Return pieces left behind, their proved least, and the loads of all sites."""
        outages = (*self.outages, *(task.case.outages(self.network) if task.case.sites else ()))
        question = blind(ask(self.network, outages, hour_cny=0.0, penalty=None))
        settings = PlanSettings(seconds=self.seconds, threads=1)
        answer = answer_small(question, ("unserved",), settings, baseline_flow(self.network))
        left = float(answer.result.unserved.sum(dtype=np.float64))
        return {
            "left": left,
            "least": min(left, float(answer.unserved_least.sum())),
            "loads": _loads(answer.question.problem, answer.result),
        }


@dataclass(frozen=True)
class _FlowLeft:
    """Plans a combination from today's state."""

    frozen: Frozen
    seconds: float

    def portable(self) -> _FlowLeft:
        """Return the same with the solver's arrays inside."""
        return replace(self, frozen=self.frozen.portable())

    def __call__(self, task: Task) -> Row:
        """Return pieces left behind, their proved least, and the loads of all sites."""
        solver = self.frozen.thaw()
        problem = shut(solver.problem, task.case)
        solver.change(problem)
        solver.settings = FlowSettings(gap_share=5e-3, seconds=self.seconds, threads=1)
        result = solver.solve()
        least = least_unserved(solver, result, result.row_price, lambda: 0.0, 1).total
        left = float(result.unserved.sum(dtype=np.float64))
        return {"left": left, "least": min(left, least), "loads": _loads(problem, result)}


def _work(
    network: Network, outages: tuple[Outage, ...], question: Question, seconds: float, folder: Path
) -> _ExactLeft | _FlowLeft:
    if is_small(question.problem):
        return _ExactLeft(network, outages, seconds)
    solver = FlowSolver(question.problem, FlowSettings(gap_share=1e-3, seconds=4 * seconds))
    price_unserved(question, solver)
    solver.solve()
    return _FlowLeft(freeze(solver, folder / "today"), seconds)


class _Search:
    """Best first over combinations, by the bound from plans of their parts."""

    def __init__(
        self,
        network: Network,
        sites: list[int],
        k: int,
        keep: int,
        most_plans: int,
        work: _ExactLeft | _FlowLeft,
        executor: Executor,
    ) -> None:
        self.network, self.sites, self.k, self.keep = network, sites, k, keep
        self.most_plans, self.work, self.executor = most_plans, work, executor
        self.bounded = True
        self.total = math.comb(len(sites), k)
        self.left: dict[tuple[int, ...], tuple[float, float]] = {}
        self.load: dict[tuple[int, ...], Floats] = {}
        self.failed: list[str] = []
        self.at_most = np.inf
        self.exact = False

    def run(self, tell: Callable[[str, float], None]) -> None:
        """Plan today and every single site, then combinations while one might be among the worst."""
        self._plan([(), *((site,) for site in self.sites)], lambda share: tell("single sites", share))
        if self.k == 1:
            self.at_most, self.exact = self._worst(), not self.failed
            return
        if self.total > MOST_SETS:
            self._grow(tell)
            return
        every = np.array(list(combinations(self.sites, self.k)), np.int32).reshape(-1, self.k)
        bound = self._bounds(every)
        order = np.argsort(-bound, kind="stable")
        at = 0
        while at < len(order) and at < self.most_plans:
            if self.bounded and bound[order[at]] <= self._kth() + 1e-6:
                break
            upto = min(len(order), self.most_plans, at + self._round())
            sets = [tuple(int(x) for x in every[row]) for row in order[at:upto]]
            sets = [one for one in sets if not self.bounded or bound[order[at]] > self._kth()]
            self._plan(sets, lambda share, at=at: tell("combinations", min(1.0, at / len(order))))  # type: ignore[misc]
            at = upto
        rest = float(bound[order[at]]) if at < len(order) else 0.0
        self.at_most = max(self._worst(), rest)
        self.exact = not self.failed and rest <= self._kth() + 1e-6

    def _round(self) -> int:
        return max(16, min(200, self.total // 50))

    def _plan(self, sets: list[tuple[int, ...]], tell: Callable[[float], None]) -> None:
        tasks = [Task(Case("+".join(map(str, one)), "combination", "", one)) for one in sets]
        for count, (task, row) in enumerate(self.executor.run(self.work, tasks), 1):
            if row.get("status") == "failed":
                self.failed.append(f"{self._label(task.case.sites)}: {row['error']}")
            else:
                self.left[task.case.sites] = row["left"], row["least"]
                if len(task.case.sites) < self.k:
                    self.load[task.case.sites] = row["loads"]
            tell(count / len(tasks))

    def _kth(self) -> float:
        """Return what the last of the worst found so far loses; below 0 where there are too few."""
        found = sorted((left for one, (left, _) in self.left.items() if len(one) == self.k), reverse=True)
        return found[self.keep - 1] if len(found) >= self.keep else -1.0

    def _worst(self) -> float:
        return max((left for one, (left, _) in self.left.items() if len(one) == self.k), default=0.0)

    def _bounds(self, every: NDArray[np.int32]) -> Floats:
        """Return what each combination can lose at most, from the plans of today and single sites."""
        most = np.full(len(every), np.inf)
        if not self.bounded:
            return most
        for done, load in self.load.items():
            left = self.left[done][0]
            if not done:
                most = np.minimum(most, left + load[every].sum(axis=1))
                continue
            held = (every == done[0]).any(axis=1)
            through = load[every[held]].sum(axis=1) - load[done[0]]
            most[held] = np.minimum(most[held], left + through)
        return most

    def _grow(self, tell: Callable[[str, float], None]) -> None:
        """Grow sets site by site from the worst single ones: a heuristic; its bound is proved."""
        singles = sorted(self.load, key=lambda one: -self.left[one][0])
        sets = [one for one in singles if one][:SEEDS]
        for size in range(2, self.k + 1):
            grown: dict[tuple[int, ...], float] = {}
            for one in sets:
                left, load = self.left[one][0], self.load[one]
                for site in sorted(set(self.sites) - set(one), key=lambda s, load=load: -load[s])[:SEEDS]:  # type: ignore[misc]
                    key = tuple(sorted((*one, site)))
                    grown[key] = min(grown.get(key, np.inf), left + float(load[site]))
            best = sorted(grown, key=lambda one: -grown[one])[: min(4 * SEEDS, self.most_plans)]
            self._plan(best, lambda share, size=size: tell(f"sets of {size}", share))  # type: ignore[misc]
            sets = sorted((one for one in best if one in self.left), key=lambda one: -self.left[one][0])[
                :SEEDS
            ]
        self.at_most = max(self._worst(), self._most_of_any())

    def _most_of_any(self) -> float:
        """Return what no combination can exceed: of each site's plan, the k - 1 largest loads."""
        if not self.bounded:
            return np.inf
        sites, most = np.array(self.sites), -np.inf
        for done, load in self.load.items():
            if len(done) == 1:
                others = np.sort(load[sites[sites != done[0]]])[::-1]
                most = max(most, self.left[done][0] + float(others[: self.k - 1].sum()))
        return most

    def _label(self, sites: tuple[int, ...]) -> str:
        return " + ".join(say_site(self.network, row) for row in sites) or "today"

    def result(self, seconds: float) -> WorstSets:
        """Return the worst, in order."""
        found = sorted(
            ((left, least, one) for one, (left, least) in self.left.items() if len(one) == self.k),
            key=lambda item: (-item[0], item[2]),
        )
        rows = []
        for number, (left, least, one) in enumerate(found[: self.keep], 1):
            alone = sum(self.left[site,][0] for site in one if (site,) in self.left)
            rows.append(
                {
                    "rank": number,
                    "sites": ";".join(self.network.site_ids[row] for row in one),
                    "label": self._label(one),
                    "unserved_pieces": left,
                    "unserved_least": least,
                    "alone_pieces": alone,
                    "more_than_alone": left - alone,
                }
            )
        planned = sum(len(one) == self.k for one in self.left)
        frame = pl.DataFrame(rows, schema=SCHEMA)
        return WorstSets(
            self.k, frame, self.exact, self.at_most, planned, self.total, tuple(self.failed), seconds
        )
