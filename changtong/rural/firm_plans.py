"""Each firm's own plan, and the cost of every coalition: independent questions, worked side by side.

A coalition that time was not left for has no cost of its own: it pays what its parts pay apart
(:func:`changtong.rural.fair_split.consistent`), and is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from changtong.errors import InternalError
from changtong.executors.local import InProcess, LocalProcesses
from changtong.executors.work import Executor, Row, closing_rows
from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_cost import plan_frames
from changtong.rural.county_plan import CountyPlan
from changtong.rural.county_question import CountySettings, ask
from changtong.rural.drop_faults import faulty_customers, settle_without
from changtong.rural.fair_split import Coalition
from changtong.rural.plan_question import coalition_cost, plan_question
from changtong.rural.settle_week import Settled
from changtong.rural.week_routes import Choice, Recent

ALONE_SHARE, COALITION_SHARE = 0.1, 0.06
"""Work of a firm's plan and of a coalition's, as shares of the shared plan's."""

ALONE_DEPTH = 0.1
"""How much days of a firm alone are worked on in its search: with less work, more is left for its end."""

ONE_PROCESS = 100
"""Up to so many customers other processes would take longer to begin than the work takes."""

FAULT_ROUNDS = 3
"""Times a plan that fails the checker is settled, each time without those it fails for."""


@dataclass(frozen=True)
class FirmTask:
    """Some firms to plan for; ``until``: the moment of the machine's monotonic clock to end at."""

    firms: tuple[str, ...]
    until: float | None = None


@dataclass(frozen=True)
class FirmWork:
    """Plans a single firm, and reckons what several cost together.

    Attributes
    ----------
    county : County
    settings : CountySettings
    hint : Choice
        The choice made for all firms.
    begun : Recent
        Routes of all firms, to begin coalitions' days with.
    pieces : float
        Of all firms, in a week.
    work : float
        Iterations of PyVRP the shared plan's search may spend on each customer.
    seed : int
    """

    county: County
    settings: CountySettings
    hint: Choice
    begun: Recent
    pieces: float
    work: float
    seed: int

    def __call__(self, task: FirmTask) -> Row:
        """Return ``cost``, unserved pieces weighed, with ``plan`` for one firm.

        A coalition time is not left for has no cost.
        """
        firms = task.firms
        if len(firms) > 1 and task.until is not None and time.monotonic() >= task.until:
            return {"status": "ok", "cost": None}
        name = "+".join(firms)
        question = ask(self.county, firms, name=name, settings=self.settings)
        if len(firms) > 1:
            work = self.work * COALITION_SHARE
            cost, left = coalition_cost(
                question,
                self.hint,
                self.begun,
                self.pieces,
                work=work,
                seed=self.seed,
                until=task.until,
            )
            return {"status": "ok", "cost": cost + left * self.settings.unserved_cny_per_piece}
        work = self.work * ALONE_SHARE
        found = plan_question(
            question,
            seed=self.seed,
            work=work,
            until=task.until,
            hint=self.hint,
            depth=ALONE_DEPTH,
        )
        plan = checked_plan(self.county, found, firms, name, self.settings)
        return {"status": "ok", "cost": weighed_cny(plan, self.settings), "plan": plan}

    def portable(self) -> FirmWork:
        """Return itself: it needs no file."""
        return self


def plan_firms(
    work: FirmWork,
    firms: Sequence[str],
    coalitions: Iterable[Coalition],
    *,
    ends: tuple[float, float] | None,
    executor: Executor | None = None,
    tell: Callable[[float], None] = lambda share: None,
) -> tuple[dict[str, CountyPlan], dict[Coalition, float], int]:
    """Plan each firm alone and reckon coalitions.

    Parameters
    ----------
    work : FirmWork
    firms : sequence of str
    coalitions : iterable of frozenset of str
        Of at least two firms.
    ends : tuple of float, optional
        Moments of the machine's monotonic clock at which firms alone end, and all; None: work is counted,
        not time.
    executor : Executor, optional
        By default processes of this machine, or this one where the county is small.
    tell : callable
        Called with the share that is done.

    Returns
    -------
    tuple
        Firm -> plan; firms -> CNY a week with unserved pieces weighed; how many coalitions had no time.

    Raises
    ------
    InternalError
        One of them failed: a fault of ours.
    """
    if executor is None:
        small = work.county.sites.height <= ONE_PROCESS
        executor = InProcess() if small else LocalProcesses()
    tasks = [FirmTask((firm,), end) for firm, end in zip(firms, _firm_ends(len(firms), ends), strict=True)]
    together = sorted((tuple(sorted(some)) for some in coalitions), key=lambda some: (-len(some), some))
    tasks += [FirmTask(some, None if ends is None else ends[1]) for some in together]
    whole = sum(_weight(task) for task in tasks)
    done, plans, cost, without = 0.0, {}, {}, 0
    with closing_rows(executor.run(work, tasks)) as rows:
        for task, row in rows:
            if row["status"] != "ok":
                raise InternalError(f"Planning {'+'.join(task.firms)} failed: {row['error']}")
            done += _weight(task)
            tell(done / whole)
            if row["cost"] is None:
                without += 1
                continue
            cost[frozenset(task.firms)] = float(row["cost"])
            if len(task.firms) == 1:
                plans[task.firms[0]] = row["plan"]
    return {firm: plans[firm] for firm in firms}, cost, without


def weighed_cny(plan: CountyPlan, settings: CountySettings) -> float:
    """Return what a plan costs in a week with what its unserved pieces weigh, to compare plans by."""
    return plan.cost_cny + settings.unserved_cny_per_piece * float(plan.unserved["pieces_per_week"].sum())


def _weight(task: FirmTask) -> float:
    """Return about how long a task takes: a firm's own search as long as three coalitions."""
    return 3.0 if len(task.firms) == 1 else 1.0


def _firm_ends(count: int, ends: tuple[float, float] | None) -> list[float | None]:
    """Return when each firm's search ends: turn by turn, as if one were searched after another."""
    if ends is None:
        return [None] * count
    now = time.monotonic()
    return [now + (ends[0] - now) * (place + 1) / count for place in range(count)]


def checked_plan(
    county: County, settled: Settled, firms: tuple[str, ...], name: str, settings: CountySettings
) -> CountyPlan:
    """Return a settled week as a plan that has passed the independent checker.

    Customers whose part of it breaks a rule are left out and named, and the others are settled again.

    Raises
    ------
    InternalError
        It has not, and nobody can be named or leaving them out does not help.
    """
    for _ in range(FAULT_ROUNDS):
        plan = plan_frames(settled, name)
        wrong = check_plan(county, plan, firms=firms, detour_factor=settings.detour_factor)
        if not wrong:
            return plan
        faulty = faulty_customers(settled, plan, wrong)
        if not faulty:
            break
        settled = settle_without(settled, faulty)
    raise InternalError(f"The plan {name} breaks {len(wrong)} rules; first: {'; '.join(wrong[:3])}")
