"""When things happen: steps, epochs, time of day, departures, what each site sorts and each leg takes.

An epoch is a span of time in which neither outages nor routes change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.network.model import Network
from changtong.outages import Effect, Outage, apply_outages
from changtong.routes import Routes, same_routes
from changtong.structure import column

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

GOLDEN = 0.6180339887498949
"""Fractions of a day by which first departures are spread over the legs (Weyl's sequence)."""

EPSILON = 1e-9


@dataclass(frozen=True)
class RouteChange:
    """Routes that take effect at an hour.

    Attributes
    ----------
    from_h : float
        Hours after the beginning.
    routes : Routes
    """

    from_h: float
    routes: Routes


@dataclass(frozen=True)
class Clockwork:
    """The time axis of a simulation.

    Attributes
    ----------
    step_h : float
    n_steps : int
        Those before the beginning included.
    warm_steps : int
        Steps before the beginning, with today's routes and no outage.
    first_hour : float
        Hour of the day at which the first step begins.
    """

    step_h: float
    n_steps: int
    warm_steps: int
    first_hour: float

    def step_of(self, hour: float) -> int:
        """Return the step in which an hour after the beginning lies; it begins there."""
        return round(hour / self.step_h) + self.warm_steps

    @property
    def hours(self) -> Floats:
        """End of each step, in hours after the beginning."""
        return np.asarray((np.arange(self.n_steps) + 1 - self.warm_steps) * self.step_h, np.float64)


@dataclass(frozen=True)
class Epoch:
    """What holds from a step on.

    Attributes
    ----------
    first_step : int
    effect : Effect
    routes : Routes
    as_today : bool
        Whether they are those in force before anything went wrong.
    """

    first_step: int
    effect: Effect
    routes: Routes
    as_today: bool = True


def make_epochs(
    network: Network,
    outages: Sequence[Outage],
    today: Routes,
    changes: Sequence[RouteChange],
    clock: Clockwork,
    start: datetime | None,
) -> list[Epoch]:
    """Cut the time into epochs.

    Raises
    ------
    InputError
        An outage that begins or ends at an instant while no ``start`` is given, or that lies
        outside the time simulated; a change of routes outside it.
    """
    problems: list[Problem] = []
    last_h = (clock.n_steps - clock.warm_steps) * clock.step_h
    spans = [_span(outage, start, last_h, problems) for outage in outages]
    for change in changes:
        if not 0.0 <= change.from_h < last_h:
            problems.append(
                Problem(
                    "outside-horizon", f"Routes change at hour {change.from_h:g}.", "routes",
                    expected=f"0 to less than {last_h:g}",
                )
            )  # fmt: skip
    if problems:
        raise InputError(problems)
    cuts = {0, clock.warm_steps}
    cuts |= {clock.step_of(hour) for span in spans for hour in span if 0.0 <= hour < last_h}
    cuts |= {clock.step_of(change.from_h) for change in changes}
    ordered = sorted(changes, key=lambda change: change.from_h)
    epochs = []
    for first in sorted(cuts):
        hour = (first - clock.warm_steps) * clock.step_h
        inside = [
            outage
            for outage, (begin, end) in zip(outages, spans, strict=True)
            if clock.step_of(begin) <= first < clock.step_of(min(end, 2 * last_h))
            and first >= clock.warm_steps
        ]
        routes = today
        for change in ordered:
            routes = (
                change.routes if change.from_h <= hour + EPSILON and first >= clock.warm_steps else routes
            )
        epochs.append(Epoch(first, apply_outages(network, inside), routes, same_routes(routes, today)))
    return epochs


def _span(
    outage: Outage, start: datetime | None, last_h: float, problems: list[Problem]
) -> tuple[float, float]:
    """Return the hours after the beginning in which an outage is in force."""
    if start is None and (outage.start is not None or outage.end is not None):
        message = f'"{outage.label}" begins or ends at an instant, but the simulation has no start.'
        expected = "the time of the start, with a zone (--start)"
        problems.append(Problem("no-start", message, "outages", expected=expected))
        return 0.0, last_h
    begin, end = hours_of(outage, start)
    if begin >= last_h or end <= 0.0:
        message = f'"{outage.label}" lies outside the {last_h:g} hours simulated.'
        problems.append(
            Problem("outside-horizon", message, "outages", expected="another start, or more hours")
        )
    return max(begin, 0.0), float(end)


def hours_of(outage: Outage, start: datetime | None) -> tuple[float, float]:
    """Return when an outage begins and ends, in hours after the beginning; 0 and inf where not said."""
    begin, end = 0.0, np.inf
    if start is not None and outage.start is not None:
        begin = (outage.start - start).total_seconds() / 3600.0
    if start is not None and outage.end is not None:
        end = (outage.end - start).total_seconds() / 3600.0
    return begin, float(end)


def time_of_day(profile: Sequence[float], clock: Clockwork) -> Floats:
    """Return the share of a day's pieces accepted in each step."""
    hourly = np.asarray(profile, np.float64) / max(float(np.sum(profile)), 1e-30)
    upto = np.append(0.0, np.cumsum(hourly))
    edges = clock.first_hour + np.arange(clock.n_steps + 1) * clock.step_h
    days, hour = np.divmod(edges, 24.0)
    total = days + np.interp(hour, np.arange(25.0), upto)
    return np.asarray(np.diff(total), np.float64)


def rooms(network: Network, n_extra: int, epochs: Sequence[Epoch], clock: Clockwork) -> NDArray[np.float32]:
    """Return the pieces each leg takes in each step, (steps, legs): 0 where nothing departs.

    A leg's trips are spread evenly over the day, from a first departure of its own; each takes
    its share of the daily capacity. Legs without a number of trips take pieces at any time.
    """
    legs = network.legs
    capacity = column(legs, "capacity_pieces_per_day", np.inf)
    trips = column(legs, "departures_per_day", np.inf)
    phase = (np.arange(legs.height) + 1) * GOLDEN % 1.0
    tail, head = (legs[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    days = (clock.first_hour + np.arange(clock.n_steps + 1) * clock.step_h) / 24.0
    out = np.empty((clock.n_steps, legs.height + n_extra), np.float32)
    out[:, legs.height :] = np.inf
    shares = [_leg_share(epoch.effect, tail, head) for epoch in epochs]
    firsts = np.array([epoch.first_step for epoch in epochs])
    timed = np.isfinite(trips) & (trips > 0.0)
    per_trip = np.where(timed, capacity / np.where(timed, trips, 1.0), 0.0)
    for t in range(clock.n_steps):
        share = shares[int(np.searchsorted(firsts, t, side="right")) - 1]
        leaving = np.floor(days[t + 1] * trips[timed] - phase[timed] + EPSILON) - np.floor(
            days[t] * trips[timed] - phase[timed] + EPSILON
        )
        room = capacity * (clock.step_h / 24.0)
        room[trips <= 0.0] = 0.0
        with np.errstate(invalid="ignore"):
            room[timed] = np.where(leaving > 0.0, leaving * per_trip[timed], 0.0)
            out[t, : legs.height] = np.where(share > 0.0, room * share, 0.0)
    return out


def _leg_share(effect: Effect, tail: Ints, head: Ints) -> Floats:
    shut = (effect.site_share[tail] <= 0.0) | (effect.site_share[head] <= 0.0)
    return np.where(shut, 0.0, effect.leg_share)


def sorted_pieces(network: Network, epochs: Sequence[Epoch], clock: Clockwork) -> Floats:
    """Return the pieces each site can sort in each step, (steps, sites).

    Within its opening hours a site sorts at its rate, at most ``sort_hours_per_day`` a day: where
    it is open longer, at a rate lower by as much.
    """
    sites = network.sites
    rate = column(sites, "sort_pieces_per_h", np.inf)
    work = column(sites, "sort_hours_per_day", 20.0)
    opens, closes = _clock_hours(network, "opens", 0.0), _clock_hours(network, "closes", 24.0)
    length = np.where(closes > opens, closes - opens, closes - opens + 24.0)
    with np.errstate(invalid="ignore"):
        rate = np.where(np.isfinite(rate), rate * np.minimum(1.0, work / length), np.inf)
    out = np.empty((clock.n_steps, sites.height))
    firsts = np.array([epoch.first_step for epoch in epochs])
    for t in range(clock.n_steps):
        share = epochs[int(np.searchsorted(firsts, t, side="right")) - 1].effect.site_share
        begin = (clock.first_hour + t * clock.step_h) % 24.0
        open_h = _overlap(begin, begin + clock.step_h, opens, length)
        with np.errstate(invalid="ignore"):
            out[t] = np.where((share > 0.0) & (open_h > 0.0), rate * open_h * share, 0.0)
    return out


def _overlap(begin: float, end: float, opens: Floats, length: Floats) -> Floats:
    """Return the hours of a step within the opening hours, which repeat every day."""
    total = np.zeros(len(opens))
    for day in range(-1, int(end // 24.0) + 1):
        low, high = opens + 24.0 * day, opens + 24.0 * day + length
        total += np.maximum(0.0, np.minimum(high, end) - np.maximum(low, begin))
    return np.minimum(total, end - begin)


def _clock_hours(network: Network, name: str, default: float) -> Floats:
    sites = network.sites
    if name not in sites.columns:
        return np.full(sites.height, default)
    values = [_hour(value, default) for value in sites[name].to_list()]
    return np.array(values, np.float64)


def _hour(value: object, default: float) -> float:
    if value is None:
        return default
    if hasattr(value, "hour"):
        return float(value.hour) + float(value.minute) / 60.0  # type: ignore[attr-defined]
    hours, _, minutes = str(value).partition(":")
    return float(hours) + float(minutes or 0) / 60.0


@dataclass(frozen=True)
class Delays:
    """Steps that pass without a queue, by epoch.

    Attributes
    ----------
    before : array of int32, (epochs, sites)
        Between arrival at a site and its sorting line.
    after : array of int32, (sites,)
        Between sorting at the last site and delivery.
    travel : array of int32, (epochs, legs)
        From departure to arrival, at least one step; 0 on take-over ways.
    """

    before: Ints
    after: Ints
    travel: Ints


def make_delays(network: Network, n_extra: int, epochs: Sequence[Epoch], clock: Clockwork) -> Delays:
    """Return the delays of sites and legs.

    ``handling_h`` counts the wait for the next departure; here that wait happens. So a piece is
    handled for ``handling_h`` less half the headway of the departures from its site (weighed by
    today's pieces), and at its last site until ``handling_h`` are full.
    """
    legs, sites = network.legs, network.sites
    tail = legs["from_site"].to_physical().to_numpy()
    trips = column(legs, "departures_per_day", np.inf)
    flow = np.maximum(column(legs, "flow_pieces_per_day", 0.0), 1e-9)
    headway = np.where(trips > 0.0, 24.0 / np.maximum(trips, 1e-9), 0.0)
    wait = 0.5 * np.bincount(tail, headway * flow, minlength=sites.height)
    wait = wait / np.maximum(np.bincount(tail, flow, minlength=sites.height), 1e-30)
    handling = column(sites, "handling_h", 0.0)
    before = np.maximum(0.0, handling - wait)
    travel = column(legs, "travel_h", 0.0)
    step = clock.step_h
    ways = [np.maximum(1, np.rint((travel + epoch.effect.leg_extra_h) / step)) for epoch in epochs]
    none = np.zeros(n_extra)
    return Delays(
        before=np.array([np.rint((before + e.effect.site_extra_h) / step) for e in epochs], np.int32),
        after=np.rint((handling - before) / step).astype(np.int32),
        travel=np.array([np.concatenate([way, none]) for way in ways], np.int32),
    )
