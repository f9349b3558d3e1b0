"""One stress test at work: bounds, plans, and how long the worst are felt."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.executors.work import Executor, Row, Work, closing_rows
from changtong.flows.flow import FlowSettings, FlowSolver
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.answer import is_small, penalties
from changtong.planning.assemble import Question
from changtong.planning.result import PlanSettings
from changtong.resilience.cases import Case, Task
from changtong.resilience.chooser import Chooser, bound_columns
from changtong.resilience.exactwork import ExactWork, ask, read_figures
from changtong.resilience.flowwork import FlowWork
from changtong.resilience.frozen import freeze
from changtong.resilience.journal import Journal
from changtong.resilience.recovery import recovery_work
from changtong.resilience.result import (
    NO_RECOVERY,
    NO_STAND_INS,
    NOT_RECOVERED,
    StressSettings,
    StressTest,
    cases_frame,
    not_proved,
    rank,
)
from changtong.resilience.today import Bounds, Today

Progress = Callable[[str, float], None]

LEG_PASSES = 500
"""Legs, of those that carry most, that get a pricing of their own; the others have a sum."""


@dataclass(frozen=True)
class Watch:
    """What accompanies the work: progress, and whether to begin anew.

    Attributes
    ----------
    progress : callable, optional
        Called with (stage, share of it done).
    anew : bool
        Forget what the folder's journal holds.
    """

    progress: Progress | None = None
    anew: bool = False

    def tell(self, stage: str, share: float) -> None:
        """Pass progress on."""
        if self.progress is not None:
            self.progress(stage, share)


@dataclass
class StressRun:
    """One stress test at work."""

    network: Network
    outages: tuple[Outage, ...]
    cases: tuple[Case, ...]
    settings: StressSettings
    executor: Executor
    watch: Watch
    journal: Journal
    begin: float = field(default_factory=time.perf_counter)
    today: dict[str, float] = field(default_factory=dict)
    tolerance: float = 1.0
    termination: str = "done"
    notes: list[str] = field(default_factory=list)
    method: str = ""

    def work(self) -> None:
        """Do all of it: plans of the worst cases, and how long they are felt."""
        options = self.settings
        question = ask(
            self.network, self.outages, hour_cny=options.hour_cny, penalty=options.unserved_cny
        )  # fmt: skip
        small = is_small(question.problem) if options.method == "choose" else options.method == "exact"
        self.method = "exact" if small else "large"
        self.exactly(question) if small else self.large(question)
        self.recoveries()

    def rows(self) -> dict[str, Row]:
        """Return what is known of each case: its plan, else its bounds; a failure keeps the bounds."""
        found = {}
        for case in self.cases:
            bound, made = self.journal.get("bound", case.name), self.journal.get("plan", case.name)
            row = {**(bound or {}), **(made or {})}
            if row:
                found[case.name] = row | self._felt(case)
        return found

    def _felt(self, case: Case) -> Row:
        """Return how long a case is felt, as far as that was asked for and is known."""
        recovery = self.settings.recovery
        row = None if recovery is None else self.journal.get(recovery.stage, case.name)
        names = ("recovery_hours", "recovered", "backlog_peak_pieces")
        return {key: row[key] for key in names if key in row} if row else {}

    def result(self, name: str) -> StressTest:
        """Return what is known by now."""
        frame = cases_frame(self.cases, self.rows())
        ranking = rank(frame, self.settings.measure)
        return StressTest(
            name=name,
            network=self.network,
            outages=self.outages,
            settings=self.settings,
            method=self.method,
            today=self.today,
            cases=frame,
            ranking=ranking,
            unproved=not_proved(ranking, self.settings.worst, self.tolerance),
            termination=self.termination,
            runtime_s=time.perf_counter() - self.begin,
            notes=(*self.notes, *self._recovery_notes(frame)),
            closures=self.cases,
        )

    # -- small networks --------------------------------------------------------

    def exactly(self, question: Question) -> None:
        """Plan every case as if alone."""
        problem, options = question.problem, self.settings
        penalty = problem.class_penalty
        if options.unserved_cny is None:
            reader = FlowSolver(problem, FlowSettings(threads=1))
            penalty = penalties(question, reader)
        work = ExactWork(
            self.network,
            self.outages,
            tuple(float(x) for x in penalty),
            None,
            options.seconds,
            options.hour_cny,
        )
        self.watch.tell("today", 0.0)
        today = read_figures(work.plan(self.outages), penalty)
        self.tolerance = problem.class_rounding()
        self._note_today(today.unserved, today.late, today.money, today.money_least, penalty)
        self._plans(replace(work, today=today), [Task(case) for case in self.cases])

    # -- large networks --------------------------------------------------------

    def large(self, question: Question) -> None:
        """Bound every case by today's prices, then plan those that might be among the worst."""
        options = self.settings
        if self.network.areas is not None and self.network.areas.height:
            self.notes.append(NO_STAND_INS)
        self.watch.tell("today", 0.0)
        today = Today(
            question, unserved_cny=options.unserved_cny, seconds=4 * options.seconds, threads=options.threads
        )
        self.tolerance = max(1.0, 1e-6 * today.total)
        promise = today.question.classes["promise_h"].fill_null(np.inf).to_numpy().astype(np.float64)
        assert today.result.cut is not None
        late = today.solver.lateness(
            today.result.cut, question.leg_h, question.site_h, promise
        )[:, 2].sum()  # fmt: skip
        self._note_today(
            today.unserved, float(late), today.objective, today.lower, today.problem.class_penalty
        )
        self._bounds(today)
        with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
            frozen = freeze(today.solver, Path(folder) / "today")
            work = FlowWork(
                frozen=frozen,
                objective=today.objective,
                lower=today.lower,
                leg_money=float((today.result.leg_flow * question.leg_cny).sum()),
                leg_cny=question.leg_cny,
                leg_h=question.leg_h,
                site_h=question.site_h,
                promise_h=promise,
                gap_share=options.gap_share,
                seconds=options.seconds,
                measure=options.measure,
            )
            del today
            self._plans(work, self._candidates())

    def _note_today(self, unserved: float, late: float, money: float, least: float, penalty: Any) -> None:
        self.today = {
            "unserved_pieces": unserved,
            "late_pieces": late,
            "costs_and_penalties_cny": money,
            "proved_least_cny": least,
            "penalty_cny": float(penalty[-1]),
        }

    def _bounds(self, today: Today) -> None:
        """Bound every case: by sums, and by a pricing of its own where that tells more."""
        first = {case.name: today.without_pass(case) for case in self.cases}
        most = "unserved_most" if self.settings.measure == "unserved" else "loss_most"
        wanting = [case for case in self.cases if today.needs_pass(case)]
        legs = [case for case in wanting if case.kind == "leg"]
        legs.sort(key=lambda case: -getattr(first[case.name], most))
        few = {case.name for case in legs[LEG_PASSES:]}
        wanting = [case for case in wanting if case.name not in few]
        known = {case.name for case in self.journal.open_cases("bound", self.cases)}
        passing = {case.name for case in wanting}
        for case in self.cases:
            if case.name in known and case.name not in passing:
                self.journal.add("bound", _bound_row(case, first[case.name], today, self.settings, "sums"))
        wanting = [case for case in wanting if case.name in known]
        for k, case in enumerate(wanting):
            self.watch.tell("bounds", k / len(wanting))
            self.journal.add("bound", _bound_row(case, today.with_pass(case), today, self.settings, "pass"))
        self.watch.tell("bounds", 1.0)

    def _candidates(self) -> list[Task]:
        """Return the cases that might be among the worst, those that may lose most first.

        The k-th largest proved least is below what the k-th worst case loses: no case whose most is
        below it need be looked at again.
        """
        least, most = bound_columns(self.settings.measure)
        known = {case.name: self.journal.get("bound", case.name) or {} for case in self.cases}
        floors = sorted((row[least] for row in known.values()), reverse=True)
        k = self.settings.worst
        enough = floors[k - 1] if len(floors) > k else -1.0
        cases = [case for case in self.cases if known[case.name]["status"] == "bound"]
        cases = [case for case in cases if known[case.name][most] > enough + self.tolerance or enough < 0.0]
        cases.sort(key=lambda case: (-known[case.name][most], case.name))
        return [Task(case, enough) for case in cases]

    # -- plans -----------------------------------------------------------------

    def _plans(self, work: Work[Task], tasks: list[Task]) -> None:
        wanted = {case.name for case in self.journal.open_cases("plan", [task.case for task in tasks])}
        tasks = [task for task in tasks if task.case.name in wanted]
        chooser = Chooser(self, tasks, best_first=isinstance(work, FlowWork))
        self.watch.tell("plans", 0.0)
        with closing_rows(self.executor.run(work, chooser)) as found:
            for task, row in found:
                self.journal.add("plan", {"case": task.case.name, "error": None, **row})
                chooser.note(task, row)
                self.watch.tell("plans", chooser.share())
        if chooser.stopped_by_limit:
            self.termination = "limit"
        self.watch.tell("plans", 1.0)

    # -- recovery --------------------------------------------------------------

    def recoveries(self) -> None:
        """Play the worst cases forward, those with a plan of their own."""
        recovery, options = self.settings.recovery, self.settings
        if recovery is None:
            return
        frame = cases_frame(self.cases, self.rows())
        planned = pl.col("status").is_in(["exact", "plan"]) & (pl.col("how") != "quick")
        known = set(frame.filter(planned)["case"])
        first = rank(frame, options.measure).head(options.worst)["case"].to_list()
        by_name = {case.name: case for case in self.cases}
        wanted = self.journal.open_cases(recovery.stage, [by_name[name] for name in first if name in known])
        if not wanted or self._out_of_time():
            return
        self.watch.tell("recovery", 0.0)
        how = PlanSettings(
            seconds=options.seconds,
            gap_share=options.gap_share,
            unserved_cny=options.unserved_cny,
            hour_cny=options.hour_cny,
            method=options.method,
            threads=1,
        )
        work = recovery_work(self.network, self.outages, recovery, how)
        tasks = (Task(case) for case in wanted if not self._out_of_time())
        with closing_rows(self.executor.run(work, tasks)) as found:
            for k, (task, row) in enumerate(found, 1):
                self.journal.add(recovery.stage, {"case": task.case.name, **row})
                self.watch.tell("recovery", k / len(wanted))

    def _out_of_time(self) -> bool:
        limit = self.settings.limit_s
        over = limit is not None and time.perf_counter() - self.begin > limit
        if over:
            self.termination = "limit"
        return over

    def _recovery_notes(self, frame: pl.DataFrame) -> list[str]:
        recovery = self.settings.recovery
        if recovery is None:
            return [NO_RECOVERY]
        notes = []
        for case in self.cases:
            row = self.journal.get(recovery.stage, case.name) or {}
            if row.get("status") == "failed":
                notes.append(f"Recovery of {case.name} is not known: {row['error']}")
        still = frame.filter(~pl.col("recovered"))["label"].to_list()
        if still:
            said = ", ".join(still[:5]) + (f" and {len(still) - 5} more" if len(still) > 5 else "")
            notes.append(f"{NOT_RECOVERED} {recovery.after_h:g} h after reopening: {said}.")
        return notes


def _bound_row(case: Case, found: Bounds, today: Today, settings: StressSettings, how: str) -> Row:
    row: Row = {
        "case": case.name,
        "status": "bound",
        "how": how,
        "cut_off_pieces": found.cut_off,
        "unserved_least": found.unserved_least,
        "unserved_most": found.unserved_most,
        "loss_least_cny": found.loss_least,
        "loss_most_cny": found.loss_most,
    }
    upper = found.loss_most + today.lower
    gap = max(0.0, found.loss_most + today.lower - found.loss_least - today.objective) / max(upper, 1e-9)
    if found.remainder and gap <= settings.gap_share:
        row |= {
            "status": "plan",
            "how": "remainder",
            "unserved_pieces": found.unserved_most,
            "loss_cny": max(0.0, upper - today.objective),
            "gap_share": gap,
        }
    return row
