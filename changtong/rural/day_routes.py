"""Routes of one day from one base or several, by PyVRP: the integers it works in, and its answer in ours.

PyVRP (Wouda, Lan and Kool 2024) works in whole numbers. Here a duration is a second, rounded up, so that
every time it gives can be driven as it stands; a piece is 1,000 units; money is a ten-thousandth of a CNY,
or finer where a range is kept and kilometres are cheap. What a kilometre costs stands in the "distance" of a
vehicle type's own matrix, rounded up: its limit is the range times that cost, kept to less than a metre, and
no unit cost has to be a whole number. All figures of a result are added up again from
kilometres and seconds (:mod:`changtong.rural.county_cost`).
"""

from __future__ import annotations

import itertools
import math
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from pyvrp import (
    Activity,
    ActivityType,
    Client,
    Depot,
    IteratedLocalSearchParams,
    Location,
    PenaltyParams,
    ProblemData,
    Route,
    Solution,
    SolveParams,
    VehicleType,
    solve,
)
from pyvrp.exceptions import PenaltyBoundWarning
from pyvrp.search import NeighbourhoodParams
from pyvrp.stop import MaxIterations

from changtong.rural.county_question import LEFT_CNY, Question, Vehicle

PIECE = 1_000
CNY = 10_000
KM_FREE = 1_000_000
"""Units of a kilometre where it costs nothing."""

KM_FINE = 2_000
"""Least units of a kilometre where a range is kept: two of them are a metre."""

MOST_UNITS = 1e15
"""Money of one figure: thousands of them can be added up."""

NEIGHBOURS = 20
"""Nearest visits a move looks at; on 90 visits as good as 40 in the same time, better than 10."""

NO_LIMIT_S = 10**9
"""Stands for no limit of the seconds cold pieces may be on board."""


@dataclass(frozen=True, slots=True)
class Part:
    """One visit, or a part of it: warm and cold pieces to the site and from it, and when it can be.

    ``cold_s``: seconds its cold pieces may be on board, from the base or to it.
    """

    site: int
    warm_in: float
    cold_in: float
    warm_out: float
    cold_out: float
    opens_s: int
    closes_s: int
    cold_s: int = NO_LIMIT_S

    @property
    def pieces(self) -> float:
        """All pieces handed over."""
        return self.warm_in + self.cold_in + self.warm_out + self.cold_out

    def fits(self, vehicle: Vehicle) -> bool:
        """Whether a vehicle holds it."""
        return (
            max(self.warm_in, self.warm_out) <= vehicle.warm + 5e-4
            and max(self.cold_in, self.cold_out) <= vehicle.cold + 5e-4
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """A part served: when service begins and ends, and kilometres from the place before."""

    part: Part
    arrives_s: int
    departs_s: int
    km: float


@dataclass(frozen=True, slots=True)
class Trip:
    """From the base and back."""

    departs_s: int
    returns_s: int
    km: float
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class VehicleDay:
    """A vehicle's day: all trips of one vehicle from its base."""

    vehicle: int
    base: int
    trips: tuple[Trip, ...]

    @property
    def km(self) -> float:
        """Kilometres of all trips."""
        return sum(trip.km for trip in self.trips)

    @property
    def seconds(self) -> int:
        """From the first departure to the last return."""
        return self.trips[-1].returns_s - self.trips[0].departs_s


@dataclass(frozen=True)
class DayRoutes:
    """Routes of a day and the parts nobody could serve; ``left_cny``: what each of these weighs."""

    days: tuple[VehicleDay, ...]
    left: tuple[Part, ...]
    cost_cny: float
    left_cny: float = LEFT_CNY


NO_ROUTES = DayRoutes((), (), 0.0)


def standing_s(stop_s: float, piece_s: float, pieces: float) -> int:
    """Return whole seconds a vehicle stands at a site to hand pieces over."""
    return math.ceil(float(stop_s + piece_s * pieces) - 1e-6)


class Solo(NamedTuple):
    """A vehicle type's trip from a base to one site and back: what decides whether it can serve a part.

    Attributes
    ----------
    vehicle : Vehicle
    reaches : bool
        Whether the way there and back is within its range.
    there_s, back_s : int
    begins_s : int
        When it may leave at the earliest.
    most_s : int
        Longest day it may have.
    stop_s, piece_s : float
        Seconds of a stop at the site, and beside them of a piece.
    """

    vehicle: Vehicle
    reaches: bool
    there_s: int
    back_s: int
    begins_s: int
    most_s: int
    stop_s: float
    piece_s: float

    def service_s(self, part: Part) -> int:
        """Return whole seconds the vehicle stands at the stop."""
        return standing_s(self.stop_s, self.piece_s, part.pieces)

    def serves(self, part: Part) -> bool:
        """Tell whether it can serve a part with a trip for it alone."""
        if not self.reaches or not part.fits(self.vehicle):
            return False
        service = self.service_s(part)
        if part.cold_in > 0 and self.there_s > part.cold_s:
            return False
        if part.cold_out > 0 and service + self.back_s > part.cold_s:
            return False
        at = max(self.begins_s + self.there_s, part.opens_s)
        return (
            at <= part.closes_s
            and at + service + self.back_s <= self.vehicle.ends_s
            and self.there_s + service + self.back_s <= self.most_s
        )


def solo(question: Question, base: int, ready_s: int, kind: int, site: int, shift_s: int) -> Solo:
    """Return a vehicle type's trip from a base, its goods ready at a second, to one site and back."""
    v, km, seconds = question.vehicles[kind], question.km, question.seconds[kind]
    return Solo(
        v,
        v.range_km is None or bool(km[base, site] + km[site, base] <= v.range_km + 1e-9),
        int(seconds[base, site]),
        int(seconds[site, base]),
        max(v.starts_s, ready_s),
        min(v.shift_s, shift_s),
        float(question.stop_s[site]),
        float(question.piece_s[site]),
    )


def service_s(question: Question, part: Part) -> int:
    """Return whole seconds a vehicle stands at a stop."""
    return standing_s(question.stop_s[part.site], question.piece_s[part.site], part.pieces)


def can_serve(question: Question, base: int, ready_s: int, kind: int, part: Part, shift_s: int) -> bool:
    """Tell whether a vehicle type from a base can serve a part with a trip for it alone."""
    # most that fail do for room, and need nothing else
    return part.fits(question.vehicles[kind]) and solo(
        question, base, ready_s, kind, part.site, shift_s
    ).serves(part)


def route_day(
    question: Question,
    bases: Sequence[tuple[int, int]],
    parts: Sequence[Part],
    fleet: Sequence[int],
    *,
    iterations: int,
    seed: int,
    shift_s: Sequence[int] | None = None,
    several_trips: bool = True,
    start: DayRoutes | None = None,
    fleet_at: Sequence[Sequence[int]] | None = None,
) -> DayRoutes:
    """Return cheap routes for parts from bases, each ready at a second of the day.

    Parameters
    ----------
    question : Question
    bases : sequence of (site, second ready)
    parts : sequence of Part
    fleet : sequence of int
        Vehicles of each type there are at each base; 0 where it may not be used.
    iterations, seed : int
        Of PyVRP.
    shift_s : sequence of int, optional
        Limits of a vehicle's day by type, beside its own.
    several_trips : bool
        Whether a vehicle may come back for more.
    start : DayRoutes, optional
        Routes of a similar day to begin with.
    fleet_at : sequence of sequences of int, optional
        Vehicles of each type at each base, where these have their own; none beyond ``fleet``.
    """
    limits = tuple(v.shift_s for v in question.vehicles) if shift_s is None else tuple(shift_s)
    able = [
        [
            kind
            for kind, count in enumerate(fleet)
            if count > 0 and _any_base(question, bases, kind, p, limits[kind])
        ]
        for p in parts
    ]
    left = tuple(p for p, kinds in zip(parts, able, strict=True) if not kinds)
    kept = [p for p, kinds in zip(parts, able, strict=True) if kinds]
    if not kept:
        return DayRoutes((), left, 0.0, question.left_cny)
    sure = [
        any(fleet[kind] >= len(parts) and question.vehicles[kind].count is None for kind in kinds)
        for kinds in able
        if kinds
    ]
    model = _Model(
        question,
        bases,
        kept,
        fleet,
        sure,
        limits,
        several_trips,
        fleet_at,
    )
    solution = model.solve(iterations, seed, None if start is None else model.begin(start))
    days, missed = model.read(solution)
    cost = sum(day_cost(question, day) for day in days)
    return DayRoutes(days, left + missed, cost, question.left_cny)


def day_cost(question: Question, day: VehicleDay) -> float:
    """Return what a vehicle's day costs, CNY."""
    v = question.vehicles[day.vehicle]
    return v.day_cny + v.km_cny * day.km + v.h_cny * day.seconds / 3600.0


def _any_base(
    question: Question, bases: Sequence[tuple[int, int]], kind: int, part: Part, shift_s: int
) -> bool:
    return any(can_serve(question, base, ready, kind, part, shift_s) for base, ready in bases)


class _Quiet:
    """Holds back PyVRP's warnings of high penalties while anybody solves, in whichever thread."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("ignore", PenaltyBoundWarning)
            self._inside += 1

    def __exit__(self, *failed: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._before.__exit__(None, None, None)


_QUIET = _Quiet()


class _Model:
    """One problem in PyVRP's words."""

    def __init__(
        self,
        question: Question,
        bases: Sequence[tuple[int, int]],
        parts: list[Part],
        fleet: Sequence[int],
        sure: list[bool],
        limits: Sequence[int],
        several_trips: bool,
        fleet_at: Sequence[Sequence[int]] | None,
    ) -> None:
        self.question, self.bases, self.parts = question, bases, parts
        self.sure = sure
        sites = np.array([b for b, _ in bases] + [p.site for p in parts])
        self.sites = sites
        cold = any(p.cold_in + p.cold_out > 0 for p in parts)
        money = _money(question, fleet)
        locations = [Location(0.0, 0.0) for _ in sites]
        depots = [Depot(k) for k in range(len(bases))]
        first = len(bases)
        clients = [
            Client(
                first + k,
                delivery=_units(p.warm_in, p.cold_in, cold),
                pickup=_units(p.warm_out, p.cold_out, cold),
                service_duration=service_s(question, p),
                tw_early=p.opens_s,
                tw_late=p.closes_s,
                required=sure[k],
                prize=0 if sure[k] else round((question.left_cny + p.pieces * 10) * money),
            )
            for k, p in enumerate(parts)
        ]
        totals = (
            max(sum(p.warm_in for p in parts), sum(p.warm_out for p in parts)),
            max(sum(p.cold_in for p in parts), sum(p.cold_out for p in parts)),
        )
        km = question.km[np.ix_(sites, sites)]
        np.fill_diagonal(km, 0.0)
        distances: list[Any] = []
        durations: list[Any] = []
        profiles: dict[int, int] = {}
        types: list[VehicleType] = []
        self.types: list[tuple[int, int]] = []
        for place, (_, ready) in enumerate(bases):
            for kind, count in enumerate(fleet if fleet_at is None else fleet_at[place]):
                v = question.vehicles[kind]
                if count <= 0 or max(v.starts_s, ready) >= v.ends_s:
                    continue
                per_km, paid = _per_km(v, money)
                if kind not in profiles:
                    profiles[kind] = len(distances)
                    cost = km * per_km
                    # up: a round is never longer than its whole numbers say
                    whole = np.ceil(cost - 1e-6).astype(np.int64)
                    np.fill_diagonal(whole, 0)
                    distances.append(whole)
                    duration = question.seconds[kind][np.ix_(sites, sites)].copy()
                    duration[sites[:, None] == sites] = 0
                    durations.append(duration)
                more = v.trips - 1 if several_trips else 0
                useful = more > 0 and (v.warm < totals[0] or 0 < v.cold < totals[1])
                farthest = 1 << 62
                if v.range_km is not None:  # the way there and back alone always fits
                    farthest = int(v.range_km * per_km + 1e-6) + 2
                types.append(
                    VehicleType(
                        num_available=min(count, len(parts)),
                        capacity=_units(v.warm, v.cold, cold, whole=math.floor),
                        start_depot=place,
                        end_depot=place,
                        fixed_cost=round(v.day_cny * money),
                        tw_early=max(v.starts_s, ready),
                        tw_late=v.ends_s,
                        shift_duration=min(v.shift_s, limits[kind]),
                        unit_distance_cost=1 if paid else 0,
                        unit_duration_cost=round(v.h_cny * money / 3600.0),
                        profile=profiles[kind],
                        reload_depots=[place] if useful else [],
                        max_reloads=more if useful else 0,
                        max_distance=farthest,
                    )
                )
                self.types.append((place, kind))
        self.money = money
        self.data = ProblemData(locations, clients, depots, types, distances, durations)

    def solve(self, iterations: int, seed: int, begin: Solution | None = None) -> Solution:
        """Return the best feasible solution found; one vehicle for each part where none is."""
        params = SolveParams(
            penalty=PenaltyParams(max_penalty=1e7 * self.money / CNY),
            neighbourhood=NeighbourhoodParams(num_neighbours=NEIGHBOURS),
            ils=IteratedLocalSearchParams(num_iters_no_improvement=max(50, iterations // 3)),
        )
        with _QUIET:
            for times in (1, 4):
                found = solve(
                    self.data,
                    MaxIterations(iterations * times),
                    seed=seed,
                    collect_stats=False,
                    params=params,
                    initial_solution=begin,
                )
                if found.best.is_feasible():
                    return found.best
        return self._one_each()

    def begin(self, known: DayRoutes) -> Solution:
        """Return the routes of a similar day; what is new goes where it adds the fewest kilometres."""
        by_site: dict[int, list[int]] = {}
        for k, part in enumerate(self.parts):
            by_site.setdefault(part.site, []).append(k)
        trips: list[tuple[int, int, list[int]]] = []
        used: dict[int, set[int]] = {}
        number = {pair: k for k, pair in enumerate(self.types)}
        place_of = {base: place for place, (base, _) in enumerate(self.bases)}
        for order, day in enumerate(known.days):
            kind = number.get((place_of.get(day.base, -1), day.vehicle))
            if kind is not None and len(used.get(kind, ())) < self.data.vehicle_type(kind).num_available:
                for trip in day.trips:
                    same = [by_site[s.part.site].pop() for s in trip.stops if by_site.get(s.part.site)]
                    if same:
                        used.setdefault(kind, set()).add(order)
                        trips.append((order, kind, same))
        self._insert([k for some in by_site.values() for k in some], trips)
        routes = []
        for order in sorted({order for order, _, _ in trips}):
            mine = [(kind, some) for o, kind, some in trips if o == order]
            kind = mine[0][0]
            again = self.data.vehicle_type(kind).max_reloads >= len(mine) - 1
            steps: list[Activity] = []
            for _, some in mine:
                if steps and again:
                    steps.append(Activity(ActivityType.DEPOT, self.types[kind][0]))
                steps += [Activity(ActivityType.CLIENT, k) for k in some]
            routes.append(Route(self.data, steps, kind))
        return Solution(self.data, routes)

    def _insert(self, parts: Sequence[int], trips: list[tuple[int, int, list[int]]]) -> None:
        """Put each part where it adds the fewest kilometres, on a trip of its own where there is none."""
        km, added = self.question.km, list(parts)
        if added and not trips:
            k = added.pop(0)
            kind = next(n for n, (b, v) in enumerate(self.types) if self._serves(n, k))
            trips.append((0, kind, [k]))
        ways: list[tuple[int, int, int]] = []  # trip, and the sites a part may come between
        for number, (_, kind, some) in enumerate(trips):
            base = self.bases[self.types[kind][0]][0]
            sites = [base, *(self.parts[j].site for j in some), base]
            ways += [(number, a, b) for a, b in itertools.pairwise(sites)]
        trip, before, after = np.array(ways, np.int64).reshape(-1, 3).T
        for k in added:
            site = self.parts[k].site
            way = int(np.argmin(km[before, site] + km[site, after] - km[before, after]))
            number = int(trip[way])
            trips[number][2].insert(way - int(np.searchsorted(trip, number)), k)
            trip = np.insert(trip, way, number)
            before = np.insert(before, way + 1, site)
            after = np.insert(after, way, site)

    def _serves(self, number: int, k: int) -> bool:
        place, kind = self.types[number]
        base, ready = self.bases[place]
        return can_serve(
            self.question, base, ready, kind, self.parts[k], self.data.vehicle_type(number).shift_duration
        )

    def _one_each(self) -> Solution:
        """Return a route for each part that has a vehicle of its own, while there are any."""
        routes, used = [], [0] * len(self.types)
        for k in range(len(self.parts)):
            for number in range(len(self.types)):
                if self._serves(number, k) and used[number] < self.data.vehicle_type(number).num_available:
                    used[number] += 1
                    routes.append(Route(self.data, [k], number))
                    break
        return Solution(self.data, routes)

    def read(self, solution: Solution) -> tuple[tuple[VehicleDay, ...], tuple[Part, ...]]:
        """Return vehicles' days and the parts not in them."""
        days, seen = [], set()
        for route in solution.routes():
            place, kind = self.types[route.vehicle_type()]
            base = self.bases[place][0]
            trips: list[Trip] = []
            stops: list[Stop] = []
            before, leaves, km = base, 0, 0.0
            for step in route.schedule():
                if step.is_depot():
                    if stops:
                        back = float(self.question.km[before, base]) if before != base else 0.0
                        trips.append(Trip(leaves, int(step.start_time), km + back, tuple(stops)))
                    stops, before, leaves, km = [], base, int(step.end_time), 0.0
                    continue
                seen.add(step.idx)
                part = self.parts[step.idx]
                way = float(self.question.km[before, part.site]) if before != part.site else 0.0
                if not stops:  # leave as late as the first stop allows: no waiting there
                    there = int(self.question.seconds[kind][base, part.site]) if before != part.site else 0
                    leaves = max(leaves, int(step.start_time) - there)
                stops.append(Stop(part, int(step.start_time), int(step.end_time), way))
                before, km = part.site, km + way
            if trips:
                days.append(VehicleDay(kind, base, tuple(trips)))
        return tuple(days), tuple(p for k, p in enumerate(self.parts) if k not in seen)


def _money(question: Question, fleet: Sequence[int]) -> int:
    """Return units of a CNY: finer where kilometres are cheap and their number is limited."""
    units = CNY
    for v, count in zip(question.vehicles, fleet, strict=True):
        if count > 0 and v.range_km is not None and v.km_cny > 0:
            while v.km_cny * units < KM_FINE and units * 10 * question.left_cny <= MOST_UNITS:
                units *= 10
    return units


def _per_km(v: Vehicle, money: int) -> tuple[float, bool]:
    """Return units of a kilometre, and whether they count as money: not where they are too coarse."""
    paid = v.km_cny > 0 and (v.range_km is None or v.km_cny * money >= KM_FINE)
    return (v.km_cny * money, True) if paid else (KM_FREE, False)


def _units(warm: float, cold: float, with_cold: bool, *, whole: object = round) -> list[int]:
    """Return pieces in PyVRP's units: warm alone, or warm and cold."""
    count = math.floor if whole is math.floor else round
    amounts = [count(min(warm, 1e9) * PIECE + (1e-6 if count is math.floor else 0.0))]
    return (
        [*amounts, count(min(cold, 1e9) * PIECE + (1e-6 if count is math.floor else 0.0))]
        if with_cold
        else amounts
    )
