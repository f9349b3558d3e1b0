"""Play a network forward, hour by hour, under sort plans and outages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from changtong.errors import InputError, InternalError, Problem, UsageError
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.routes import check_routes, pairs_of, routes_in_force
from changtong.simulation import steps
from changtong.simulation.backlog import Waiting, due_steps, no_backlog, put_in, read_backlog
from changtong.simulation.lateness import time_pieces
from changtong.simulation.machine import Machine, build
from changtong.simulation.result import Simulation, read_result
from changtong.simulation.state import ENTERED
from changtong.simulation.timetable import Clockwork, Epoch, RouteChange, make_epochs
from changtong.structure import TIME_OF_DAY, class_table

Progress = Callable[[int, int], None]

EXACT = 1e-6
"""Share of all pieces by which entered may differ from delivered and present: rounding of 1,000 steps."""

RECOUNT_H = 24.0
"""Hours after which running sums are counted anew from the pieces."""

LONGEST = 20_000
"""Most steps of one simulation."""

MANY = 200_000
"""Above so many pieces told apart (inner sites, destinations, classes) threads are worth their meeting."""


@dataclass(frozen=True)
class SimulationSettings:
    """What is simulated, and how finely.

    Attributes
    ----------
    hours : float
        From the beginning on.
    step_h : float
        Hours of a step.
    warm_up_h : float
        Hours simulated before the beginning with today's routes and nothing shut, so that the
        network is full when it begins; 0 begins with an empty one, or with ``backlog``.
    time_of_day : tuple of 24 floats
        Shares of a day's pieces accepted in each hour of the day.
    start : datetime or None
        Instant at which it begins, with time zone. None: at midnight; outages then may not have
        times of their own.
    threads : int
        The result does not depend on it.
    """

    hours: float = 168.0
    step_h: float = 1.0
    warm_up_h: float = 120.0
    time_of_day: tuple[float, ...] = TIME_OF_DAY
    start: datetime | None = None
    threads: int = 2

    def __post_init__(self) -> None:
        if not 0.05 <= self.step_h <= 24.0:
            raise UsageError(f"step_h is {self.step_h!r}; expected 0.05 to 24 hours.")
        if not self.step_h <= self.hours or not self.warm_up_h >= 0.0:
            raise UsageError("hours must hold one step at least, and warm_up_h must not be negative.")
        if (self.hours + self.warm_up_h) / self.step_h > LONGEST:
            raise UsageError(f"That is more than {LONGEST:,} steps; take fewer hours or longer steps.")
        if len(self.time_of_day) != 24 or min(self.time_of_day) < 0.0 or sum(self.time_of_day) <= 0.0:
            raise UsageError("time_of_day needs 24 shares, none negative, not all 0.")
        if self.start is not None and self.start.tzinfo is None:
            raise UsageError("start needs a time zone, for example 2026-07-20T03:00+08:00.")

    def clock(self) -> Clockwork:
        """Return the time axis."""
        warm = round(self.warm_up_h / self.step_h)
        begins = 0.0
        if self.start is not None:
            begins = self.start.hour + self.start.minute / 60.0
        return Clockwork(
            step_h=self.step_h,
            n_steps=warm + max(1, round(self.hours / self.step_h)),
            warm_steps=warm,
            first_hour=(begins - warm * self.step_h) % 24.0,
        )


def simulate(
    network: Network,
    outages: Sequence[Outage] = (),
    *,
    routes: Sequence[RouteChange] = (),
    settings: SimulationSettings | None = None,
    backlog: pl.DataFrame | str | Path | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Simulation:
    """Play a network forward.

    Pieces are accepted by the time of day, sorted at each site's rate (higher classes first),
    leave by the next leg of the sort plan in force when something departs and has room, travel,
    and are delivered at their last site. A fluid model with volumes by site, destination and
    class (docs/simulation.md); every piece is in one place at every step, and that is checked.

    Parameters
    ----------
    network : Network
    outages : sequence of Outage
        In force within their times; without times, from the beginning on. They combine by the
        rule of docs/decisions/0002. Pieces for what is shut wait.
    routes : sequence of RouteChange
        Sort plans that take effect at an hour: ``RouteChange(2.0, plan.routes())``. Before the
        first, the plan in force counts (:func:`changtong.routes.routes_in_force`).
    settings : SimulationSettings, optional
    backlog : polars.DataFrame or path, optional
        Pieces that wait at the beginning, to be sorted: site, destination, service_class
        (optional), pieces. With ``arrives_h`` (optional) they are on their way to the site for so
        many hours first. They come on top of what the warm-up leaves.
    progress : callable, optional
        Called with (steps done, steps in all).
    name : str, optional

    Returns
    -------
    Simulation

    Raises
    ------
    InputError
        Routes of another network, times outside the horizon, a backlog that cannot be read, a
        network without demand.
    InternalError
        Pieces were lost or made; never seen, always checked.

    Examples
    --------
    >>> from changtong.network.reference import reference_network
    >>> from changtong.simulation.simulate import SimulationSettings, simulate
    >>> day = SimulationSettings(hours=24.0, warm_up_h=0.0)
    >>> run = simulate(reference_network(level="city"), settings=day)  # doctest: +SKIP
    """
    begin = time.perf_counter()
    game = prepare(network, outages, routes, settings or SimulationSettings(), backlog)
    return play(game, game.machine, progress, name or network.name, begin)


@dataclass(frozen=True)
class Game:
    """A simulation checked and set up."""

    network: Network
    outages: tuple[Outage, ...]
    settings: SimulationSettings
    clock: Clockwork
    epochs: list[Epoch]
    machine: Machine
    waiting: Waiting


def prepare(
    network: Network,
    outages: Sequence[Outage],
    routes: Sequence[RouteChange],
    settings: SimulationSettings,
    backlog: pl.DataFrame | str | Path | None,
) -> Game:
    """Check what :func:`simulate` is given, and set it up."""
    pairs = pairs_of(network)
    if not len(pairs.from_site) and not pairs.local.any():
        raise InputError([Problem("no-demand", "The network has no demand: nothing would move.", "demand")])
    for change in routes:
        check_routes(network, change.routes)
    clock = settings.clock()
    today = routes_in_force(network, pairs)
    epochs = make_epochs(network, outages, today, routes, clock, settings.start)
    waiting = read_backlog(network, backlog, today.dest_site) if backlog is not None else no_backlog()
    machine = build(network, pairs, epochs, clock, settings.time_of_day, np.unique(waiting.site).tolist())
    return Game(network, tuple(outages), settings, clock, epochs, machine, waiting)


def play(game: Game, machine: Machine, progress: Progress | None, name: str, begin: float) -> Simulation:
    """Play a game on a machine of its own making, and read the result.

    Raises
    ------
    InternalError
        Pieces were lost or made.
    """
    worst = _run(machine, game.epochs, game.clock, game.waiting, progress, game.settings.threads)
    entered = float(machine.state.total[ENTERED].sum())
    rounding = EXACT * max(1.0, (game.clock.n_steps / 1000.0) ** 0.5)  # errors of steps go either way
    if worst > rounding * max(entered, 1.0) + 1e-3:
        raise InternalError(f"The simulation lost or made {worst:,.3f} of {entered:,.0f} pieces.")
    promise = class_table(game.network)["promise_h"].fill_null(np.inf).to_numpy().astype(np.float64)
    times = time_pieces(machine, game.epochs, game.clock, promise, game.settings.threads)
    return read_result(
        game.network,
        game.outages,
        game.epochs,
        game.clock,
        machine,
        times,
        settings_=game.settings,
        name=name,
        worst=worst,
        seconds=time.perf_counter() - begin,
    )


def _run(
    machine: Machine,
    epochs: Sequence[Epoch],
    clock: Clockwork,
    waiting: Waiting,
    progress: Progress | None,
    threads: int,
) -> float:
    """Run all epochs; return the worst imbalance seen, pieces."""
    every, worst = max(1, round(RECOUNT_H / clock.step_h)), 0.0
    due = due_steps(waiting, machine, clock)
    joins = {clock.warm_steps, *due.tolist()} if len(due) else set()
    with ThreadPoolExecutor(max(1, threads)) as pool:
        go = steps.run
        if threads > 1 and machine.state.sorted.size > MANY:
            go = partial(steps.run_side_by_side, pool)
        for e, epoch in enumerate(epochs):
            last = epochs[e + 1].first_step if e + 1 < len(epochs) else clock.n_steps
            steps.change(epoch.first_step, machine.plant, machine.rules[e], machine.state)
            cuts = {step for step in joins if epoch.first_step <= step < last}
            for first, upto in pairwise([*sorted({*range(epoch.first_step, last, every), *cuts}), last]):
                if first in joins:
                    put_in(machine, waiting, due, first, clock.warm_steps)
                found = go(
                    first, upto, every, machine.plant, machine.times, machine.rules[e], machine.state,
                    machine.record,
                )  # fmt: skip
                worst = max(worst, float(found))
                if progress is not None:
                    progress(upto, clock.n_steps)
    return worst
