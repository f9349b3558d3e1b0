"""How long a closure is felt: its plan played forward, reopened, until no more waits than without it.

A closure that holds λ pieces an hour back for T hours leaves λT waiting; a site that sorts μ an hour
clears them in λT / (μ − λ) hours (deterministic queue, Newell 1982). In a network the queues move on
from site to site, so the whole is simulated, once with the closure and once without.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.executors.work import Row
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.resilience.cases import Task
from changtong.routes import Routes, routes_in_force
from changtong.simulation.result import Simulation, is_grown
from changtong.simulation.simulate import SimulationSettings, simulate
from changtong.simulation.timetable import RouteChange

Floats = NDArray[np.float64]

OBJECTIVES = ("unserved", "cost")
MIDNIGHT = "2026-01-01T00:00+08:00"
"""When a closure begins where no start is given: the day does not matter, the hour does."""


@dataclass(frozen=True)
class Recovery:
    """How a closure is played forward.

    Attributes
    ----------
    lasts_h : float
        Hours from the beginning until what was closed opens again.
    simulation : SimulationSettings
        How long and how finely it is played; the closure begins at its ``start``, by default at
        midnight.
    """

    lasts_h: float = 24.0
    simulation: SimulationSettings = field(default_factory=lambda: SimulationSettings(hours=192.0))

    def __post_init__(self) -> None:
        if not self.simulation.step_h <= self.lasts_h < self.simulation.hours:
            raise UsageError(
                f"The closure lasts {self.lasts_h:g} h; expected {self.simulation.step_h:g} h or more, and"
                f" less than the {self.simulation.hours:g} h played forward."
            )

    @property
    def after_h(self) -> float:
        """Hours played after the reopening."""
        return self.simulation.hours - self.lasts_h

    @property
    def start(self) -> datetime:
        """When the closure begins."""
        return self.simulation.start or datetime.fromisoformat(MIDNIGHT)

    @property
    def stage(self) -> str:
        """Return the name of its rows in a journal: another way to play has other rows."""
        return "recovery-" + hashlib.sha256(repr(self).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RecoveryWork:
    """Plans a case, plays the plan forward and measures how long it is felt.

    Attributes
    ----------
    network : Network
    outages : tuple of Outage
        What is shut in every case, without times.
    recovery : Recovery
    planned : PlanSettings
    routes : Routes
        Those of a day without the case.
    waiting : array, (steps, sites)
        What waits then.
    sorted_a_day : array, (sites,)
        What each site sorts in a day then.
    """

    network: Network
    outages: tuple[Outage, ...]
    recovery: Recovery
    planned: PlanSettings
    routes: Routes
    waiting: Floats
    sorted_a_day: Floats

    def portable(self) -> RecoveryWork:
        """Return itself: it holds no files."""
        return self

    def __call__(self, task: Task) -> Row:
        """Measure a case."""
        begin, recovery = time.perf_counter(), self.recovery
        closure = task.case.outages(self.network)
        made = plan(self.network, (*self.outages, *closure), objectives=OBJECTIVES, settings=self.planned)
        end = recovery.start + timedelta(hours=recovery.lasts_h)
        until = tuple(replace(outage, end=end) for outage in closure)
        changes = [RouteChange(0.0, made.routes()), RouteChange(recovery.lasts_h, self.routes)]
        run = _played(self.network, (*self.outages, *until), changes, recovery)
        found = self.measure(waiting_by_site(run), run.hours["hour"].to_numpy())
        return found | {"recovery_seconds": time.perf_counter() - begin}

    def measure(self, waiting: Floats, hours: Floats) -> Row:
        """Return the hours from the reopening until no site has more waiting than without the case.

        Parameters
        ----------
        waiting : array, (steps, sites)
            Pieces that wait at the end of each step, those held by order included.
        hours : array, (steps,)
            When the steps end, hours from the beginning of the closure.

        Returns
        -------
        dict
            ``recovery_hours`` (None where it does not end within what was played), ``recovered``,
            ``backlog_peak_pieces``: most pieces waiting at a time above what waits without the case.
        """
        felt = np.flatnonzero(is_grown(waiting, self.waiting, self.sorted_a_day).any(axis=1))
        peak = float(np.maximum(0.0, waiting - self.waiting).sum(axis=1).max(initial=0.0))
        row: Row = {"recovery_hours": 0.0, "recovered": True, "backlog_peak_pieces": peak}
        if not len(felt):
            return row
        last = int(felt[-1])
        if last == len(hours) - 1:
            return row | {"recovery_hours": None, "recovered": False}
        return row | {"recovery_hours": max(0.0, float(hours[last + 1]) - self.recovery.lasts_h)}


def recovery_work(
    network: Network, outages: Sequence[Outage], recovery: Recovery, planned: PlanSettings
) -> RecoveryWork:
    """Play the network forward without any case: what every case is measured against.

    The routes are those in force; where the network has no sort plan, or something is shut in every
    case, those of a plan.
    """
    standing = tuple(replace(outage, start=None, end=None) for outage in outages)
    if standing or network.sort_plan is None:
        routes = plan(network, standing, objectives=OBJECTIVES, settings=planned).routes()
    else:
        routes = routes_in_force(network)
    run = _played(network, standing, [RouteChange(0.0, routes)], recovery)
    a_day = run.sites["sorted_pieces"].to_numpy() * 24.0 / recovery.simulation.hours
    return RecoveryWork(
        network, standing, recovery, planned, routes, waiting_by_site(run), np.asarray(a_day, np.float64)
    )


def _played(
    network: Network, outages: Sequence[Outage], changes: Sequence[RouteChange], recovery: Recovery
) -> Simulation:
    settings = replace(recovery.simulation, start=recovery.start, threads=1)
    return simulate(network, outages, routes=changes, settings=settings)


def waiting_by_site(run: Simulation) -> Floats:
    """Return what waits at each site at the end of each step, (steps, sites)."""
    out = np.zeros((run.hours.height, run.network.sites.height))
    step = np.searchsorted(run.hours["hour"].to_numpy(), run.backlog["hour"].to_numpy() - 1e-9)
    site = run.backlog["site_id"].to_physical().to_numpy()
    np.add.at(out, (step, site), run.backlog["waiting_pieces"].cast(pl.Float64).to_numpy())
    return out
