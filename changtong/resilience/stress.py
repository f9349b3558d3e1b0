"""Which closure would hurt most: every one bounded, the worst planned."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import InputError, Problem
from changtong.flows.flow import FlowSettings, FlowSolver
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.answer import is_small, penalties
from changtong.planning.assemble import Question
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.exactwork import ExactWork, ask, read_figures
from changtong.resilience.executors import LocalProcesses
from changtong.resilience.flowwork import FlowWork
from changtong.resilience.frozen import freeze
from changtong.resilience.journal import FILE, Journal, open_journal, question_digest
from changtong.resilience.result import (
    MEASURES,
    NO_RECOVERY,
    NO_STAND_INS,
    STRESS_FOLDER,
    StressSettings,
    StressTest,
    cases_frame,
    not_proved,
    rank,
)
from changtong.resilience.today import Bounds, Today
from changtong.resilience.work import Executor, Row, Task, Work

Progress = Callable[[str, float], None]
Recovery = Callable[[Network, tuple[Outage, ...]], float]

LEG_PASSES = 500
"""Legs, of those that carry most, that get a pricing of their own; the others have a sum."""


@dataclass(frozen=True)
class Watch:
    """What accompanies the work: progress, recovery hours, whether to begin anew.

    Attributes
    ----------
    progress : callable, optional
        Called with (stage, share of it done).
    recovery_hours : callable, optional
        Takes (network, outages) and returns the hours until the backlog of the closure is gone; asked
        for the worst cases. Without it the column is null.
    anew : bool
        Forget what the folder's journal holds.
    """

    progress: Progress | None = None
    recovery_hours: Recovery | None = None
    anew: bool = False

    def tell(self, stage: str, share: float) -> None:
        """Pass progress on."""
        if self.progress is not None:
            self.progress(stage, share)


def stress_test(
    network: Network,
    cases: Sequence[Case] | Sequence[str] = ("sites",),
    *,
    outages: Sequence[Outage] = (),
    settings: StressSettings | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    watch: Watch | None = None,
    name: str | None = None,
) -> StressTest:
    """Close one thing after another and say what it costs, with bounds.

    Parameters
    ----------
    network : Network
    cases : sequence of Case, or of kinds
        From :func:`changtong.resilience.cases.make_cases`, or its kinds: sites, legs, provinces,
        operators.
    outages : sequence of Outage
        What is shut already, in every case.
    settings : StressSettings, optional
    executor : Executor, optional
        Where plans are made; by default a process for each core.
    folder : path, optional
        Keeps every finished case, so that a run that was stopped goes on from there.
    watch : Watch, optional
        Progress, recovery hours.
    name : str, optional
        Shown in reports.

    Returns
    -------
    StressTest
        After Ctrl-C with what is known by then.

    Raises
    ------
    InputError
        The network has no demand; a case that closes nothing.
    UsageError
        ``folder`` holds something else, or the results of another question.

    Examples
    --------
    >>> from changtong.network.reference import reference_network
    >>> result = stress_test(reference_network(level="city"))  # doctest: +SKIP
    """
    begin = time.perf_counter()
    settings, watch = settings or StressSettings(), watch or Watch()
    made = _cases(network, cases)
    where = None if folder is None else Path(folder)
    if where is not None:
        check_replaceable(where, **STRESS_FOLDER)
        if watch.anew:
            (where / FILE).unlink(missing_ok=True)
    question = ask(network, tuple(outages), hour_cny=settings.hour_cny, penalty=settings.unserved_cny)
    small = is_small(question.problem) if settings.method == "choose" else settings.method == "exact"
    shown = {key: value for key, value in asdict(settings).items() if key not in ("limit_s", "threads")}
    digest = question_digest(network, tuple(outages), made, shown)
    journal = open_journal(where, digest, {"network": network.name, "cases": len(made)})
    run = _Run(network, tuple(outages), made, settings, executor or LocalProcesses(), watch, journal)
    try:
        run.exactly(question) if small else run.large(question)
    except KeyboardInterrupt:
        run.termination = "interrupted"
    finally:
        journal.close()
    frame = cases_frame(made, run.rows())
    ranking = rank(frame, settings.measure)
    notes = list(run.notes)
    if watch.recovery_hours is None:
        notes.append(NO_RECOVERY)
    return StressTest(
        name=name or network.name,
        network=network,
        outages=tuple(outages),
        settings=settings,
        method="exact" if small else "large",
        today=run.today,
        cases=frame,
        ranking=ranking,
        unproved=not_proved(ranking, settings.worst, run.tolerance),
        termination=run.termination,
        runtime_s=time.perf_counter() - begin,
        notes=tuple(notes),
    )


def _cases(network: Network, cases: Sequence[Case] | Sequence[str]) -> tuple[Case, ...]:
    if network.demand.height == 0 or float(network.demand["pieces_per_day"].cast(pl.Float64).sum()) <= 0.0:
        message = "the network has no demand: no closure can leave anything behind."
        raise InputError([Problem("no-demand", message, "demand", expected="pieces a day above 0")])
    if isinstance(cases, str):
        cases = (cases,)
    kinds = [case for case in cases if isinstance(case, str)]
    given = [case for case in cases if isinstance(case, Case)]
    if given and not kinds:
        empty = [case.label for case in given if not case.sites and not case.legs]
        if empty:
            raise InputError([Problem("empty-case", f'case "{empty[0]}" closes no site and no leg.')])
        return tuple(given)
    return (*given, *make_cases(network, kinds))


@dataclass
class _Run:
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

    def rows(self) -> dict[str, Row]:
        """Return what is known of each case: its plan, else its bounds; a failure keeps the bounds."""
        found = {}
        for case in self.cases:
            bound, made = self.journal.get("bound", case.name), self.journal.get("plan", case.name)
            row = {**(bound or {}), **(made or {})}
            if row:
                more = self.journal.get("recovery", case.name) or {}
                found[case.name] = row | {key: more[key] for key in ("recovery_hours",) if key in more}
        return found

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
        self._recoveries()

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
        self._recoveries()

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
        least, most = _columns(self.settings.measure)
        known = {case.name: self.journal.get("bound", case.name) or {} for case in self.cases}
        floors = sorted((row[least] for row in known.values()), reverse=True)
        k = self.settings.worst
        enough = floors[k - 1] if len(floors) > k else -1.0
        cases = [case for case in self.cases if known[case.name]["status"] == "bound"]
        cases = [case for case in cases if known[case.name][most] > enough + self.tolerance or enough < 0.0]
        cases.sort(key=lambda case: (-known[case.name][most], case.name))
        return [Task(case, enough) for case in cases]

    # -- plans -----------------------------------------------------------------

    def _plans(self, work: Work, tasks: list[Task]) -> None:
        wanted = {case.name for case in self.journal.open_cases("plan", [task.case for task in tasks])}
        tasks = [task for task in tasks if task.case.name in wanted]
        chooser = _Chooser(self, tasks, best_first=isinstance(work, FlowWork))
        self.watch.tell("plans", 0.0)
        found = self.executor.run(work, chooser)
        try:
            for task, row in found:
                self.journal.add("plan", {"case": task.case.name, "error": None, **row})
                chooser.note(task, row)
                self.watch.tell("plans", chooser.share())
        finally:
            close = getattr(found, "close", None)
            if close is not None:
                close()
        if chooser.stopped_by_limit:
            self.termination = "limit"
        self.watch.tell("plans", 1.0)

    def _recoveries(self) -> None:
        ask_hours = self.watch.recovery_hours
        if ask_hours is None:
            return
        ranking = rank(cases_frame(self.cases, self.rows()), self.settings.measure)
        names = ranking.head(self.settings.worst)["case"].to_list()
        by_name = {case.name: case for case in self.cases}
        worst = self.journal.open_cases("recovery", [by_name[name] for name in names])
        for k, case in enumerate(worst):
            self.watch.tell("recovery", k / len(worst))
            try:
                hours = float(ask_hours(self.network, (*self.outages, *case.outages(self.network))))
            except Exception as error:
                self.notes.append(f"Recovery of {case.name} is not known: {type(error).__name__}: {error}")
                continue
            if np.isfinite(hours):
                self.journal.add("recovery", {"case": case.name, "recovery_hours": hours})
            else:
                self.notes.append(f"{case.name} does not recover within the time simulated.")


class _Chooser:
    """Says which case is planned next, and when no other can be among the worst.

    Cases come by what they may lose at most. Once that is no more than the k-th largest figure found,
    the k worst are known. Executors may ask from several threads.
    """

    def __init__(self, run: _Run, tasks: list[Task], *, best_first: bool) -> None:
        self.run, self.tasks, self.best_first = run, tasks, best_first
        self.at, self.made = 0, 0
        self.stopped_by_limit = False
        self._lock = threading.Lock()
        _, self._most = _columns(run.settings.measure)
        self._value = MEASURES[run.settings.measure]
        self._figures: dict[str, float] = {}
        if best_first:
            for name, row in run.rows().items():
                if row.get(self._value) is not None:
                    self._figures[name] = row[self._value]
        self._last = self._kth()

    def __iter__(self) -> Iterator[Task]:
        return self

    def __next__(self) -> Task:
        with self._lock:
            limit = self.run.settings.limit_s
            late = limit is not None and time.perf_counter() - self.run.begin > limit
            if self.at >= len(self.tasks) or self._nothing_worse(self.tasks[self.at]):
                raise StopIteration
            if late or (self.best_first and self.at >= self.run.settings.most_plans):
                self.stopped_by_limit = True
                raise StopIteration
            self.at += 1
            return self.tasks[self.at - 1]

    def note(self, task: Task, row: Row) -> None:
        """Count a result."""
        with self._lock:
            self.made += 1
            if row.get(self._value) is not None:
                self._figures[task.case.name] = row[self._value]
                self._last = self._kth()

    def share(self) -> float:
        """Return about how much of the work is done."""
        with self._lock:
            left = sum(not self._nothing_worse(task) for task in self.tasks[self.at :])
            left += self.at - self.made
            return self.made / max(1, self.made + left)

    def _kth(self) -> float:
        k = self.run.settings.worst
        if not self.best_first or len(self._figures) < k:
            return -1.0
        return sorted(self._figures.values(), reverse=True)[k - 1]

    def _nothing_worse(self, task: Task) -> bool:
        if self._last < 0.0:
            return False
        bound = self.run.journal.get("bound", task.case.name)
        return bound is not None and bound[self._most] <= self._last + self.run.tolerance


def _columns(measure: str) -> tuple[str, str]:
    """Return the columns of the proved least and most."""
    return (
        ("unserved_least", "unserved_most") if measure == "unserved" else ("loss_least_cny", "loss_most_cny")
    )


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
