"""Routes of a day on which cold pieces are on board no longer than they may be.

PyVRP knows no limit of a ride. What comes out late goes on trips of its own, short enough to keep the hours
whichever stop is first or last; such trips are then put one after another on a vehicle where they fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from changtong.rural.county_question import Question
from changtong.rural.day_routes import (
    NO_LIMIT_S,
    DayRoutes,
    Part,
    Stop,
    Trip,
    VehicleDay,
    day_cost,
    route_day,
    service_s,
)


def timely_routes(
    question: Question,
    base: int,
    ready_s: int,
    parts: list[Part],
    fleet: Sequence[int],
    *,
    iterations: int,
    seed: int,
    start: DayRoutes | None = None,
) -> DayRoutes:
    """Return a base's routes of a day; cold pieces that would be too long on board go on trips of their own.

    Parameters
    ----------
    question : Question
    base : int
    ready_s : int
    parts : list of Part
    fleet : sequence of int
    iterations, seed : int
    start : DayRoutes, optional
        Routes of a similar day to begin with.
    """

    def routed(
        some: list[Part],
        free: Sequence[int],
        limits: Sequence[int] | None = None,
        *,
        single: bool = False,
        begin: DayRoutes | None = None,
    ) -> DayRoutes:
        return route_day(
            question, [(base, ready_s)], some, free, iterations=iterations, seed=seed,
            start=begin, shift_s=limits, several_trips=not single,
        )  # fmt: skip

    found = routed(parts, fleet, begin=start)
    days = _joined(question, list(found.days), fleet)
    if len(days) < len(found.days):
        cost = sum(day_cost(question, day) for day in days)
        found = DayRoutes(tuple(days), found.left, cost, question.left_cny)
    late = _late(found.days)
    apart: set[Part] = set()
    while late:
        apart |= late
        trips = tuple(
            count if count == 0 else count * v.trips
            for count, v in zip(fleet, question.vehicles, strict=True)
        )
        days, left = [], list[Part]()
        for limit in sorted({p.cold_s for p in apart}):
            some = [p for p in parts if p in apart and p.cold_s == limit]
            made = routed(some, trips, _day_limits(question, base, some), single=True)
            days += made.days
            for site in sorted({p.site for p in made.left}):
                lone = [p for p in made.left if p.site == site]
                made_alone = routed(lone, trips, _day_limits(question, base, lone), single=True)
                days += made_alone.days
                left += made_alone.left
        days, over = _within(question, _joined(question, days, fleet), fleet)
        rest = [p for p in parts if p not in apart]
        free = [f - sum(d.vehicle == k for d in days) for k, f in enumerate(fleet)]
        others = routed(rest, free, begin=found)
        if others.left:  # vehicles are few: the others' trips may follow on the same ones
            single = routed(rest, trips, single=True, begin=found)
            others = single if len(single.left) < len(others.left) else others
        days, more = _within(question, _joined(question, [*days, *others.days], fleet), fleet)
        left += [*over, *more, *others.left]
        late = _late(days) - apart
        cost = sum(day_cost(question, day) for day in days)
        found = DayRoutes(tuple(days), tuple(left), cost, question.left_cny)
    return found


def _late(days: Sequence[VehicleDay]) -> set[Part]:
    """Return parts whose cold pieces are too long on board."""
    return {s.part for d in days for t in d.trips for s in t.stops if _too_long(t, s)}


def _too_long(trip: Trip, stop: Stop) -> bool:
    part = stop.part
    to_it = part.cold_in > 0 and stop.arrives_s - trip.departs_s > part.cold_s
    return to_it or (part.cold_out > 0 and trip.returns_s - stop.arrives_s > part.cold_s)


def _day_limits(question: Question, base: int, some: list[Part]) -> tuple[int, ...]:
    """Return how long a trip with any of some parts may take, by vehicle type, so that none is late.

    The last stop is reached the way back before the trip ends, the first one the way there after it begins.
    """
    limits = []
    for kind, _ in enumerate(question.vehicles):
        ways = question.seconds[kind]
        spare = NO_LIMIT_S
        if any(p.cold_in > 0 for p in some):
            spare = min(service_s(question, p) + int(ways[p.site, base]) for p in some)
        if any(p.cold_out > 0 for p in some):
            spare = min(spare, *(int(ways[base, p.site]) for p in some))
        limits.append(min(NO_LIMIT_S, some[0].cold_s + spare))
    return tuple(limits)


def _joined(question: Question, days: list[VehicleDay], fleet: Sequence[int]) -> list[VehicleDay]:
    """Return days with trips put one after another on a vehicle: where it is cheaper, or vehicles are few."""
    found: list[VehicleDay] = []
    for kind in sorted({day.vehicle for day in days}):
        mine = sorted((d for d in days if d.vehicle == kind), key=lambda d: d.trips[0].departs_s)
        few = len(mine) > fleet[kind]
        done: list[VehicleDay] = []
        for day in mine:
            alone = day_cost(question, day)
            ways = []
            for place, other in enumerate(done):
                both = _after(question, other, day)
                if both is not None:
                    more = day_cost(question, both) - day_cost(question, other)
                    if few or more <= alone:
                        ways.append((more, place, both))
            if ways:
                _, place, both = min(ways, key=lambda way: way[:2])
                done[place] = both
            else:
                done.append(day)
        found += done
    return found


def _after(question: Question, first: VehicleDay, second: VehicleDay) -> VehicleDay | None:
    """Return a vehicle's day with the trips of another after its own, None where that cannot be."""
    v = question.vehicles[first.vehicle]
    if len(first.trips) + len(second.trips) > v.trips or first.seconds + second.seconds > v.shift_s:
        return None
    trips = list(first.trips)
    for trip in second.trips:
        later = _leaving(question, first.vehicle, first.base, trip, trips[-1].returns_s)
        if later is None:
            return None
        trips.append(later)
    both = VehicleDay(first.vehicle, first.base, tuple(trips))
    too_far = v.range_km is not None and both.km > v.range_km + 1e-9
    if too_far or both.seconds > v.shift_s or trips[-1].returns_s > v.ends_s:
        return None
    return both


def _leaving(question: Question, kind: int, base: int, trip: Trip, at_s: int) -> Trip | None:
    """Return a trip that leaves no earlier than a second, None where a stop would then be closed."""
    if trip.departs_s >= at_s:
        return trip
    stops, before, at = [], base, at_s
    for stop in trip.stops:
        there = 0 if before == stop.part.site else int(question.seconds[kind][before, stop.part.site])
        arrives = max(at + there, stop.part.opens_s)
        if arrives > stop.part.closes_s:
            return None
        at, before = arrives + service_s(question, stop.part), stop.part.site
        stops.append(Stop(stop.part, arrives, at, stop.km))
    back = 0 if before == base else int(question.seconds[kind][before, base])
    return Trip(at_s, at + back, trip.km, tuple(stops))


def _within(
    question: Question, days: list[VehicleDay], fleet: Sequence[int]
) -> tuple[list[VehicleDay], list[Part]]:
    """Return as many days as there are vehicles, those with most pieces, and the parts of the others."""
    kept: list[VehicleDay] = []
    left: list[Part] = []
    for kind in range(len(fleet)):
        mine = [d for d in days if d.vehicle == kind]
        mine.sort(key=lambda d: -sum(s.part.pieces for t in d.trips for s in t.stops))
        kept += mine[: fleet[kind]]
        left += [s.part for d in mine[fleet[kind] :] for t in d.trips for s in t.stops]
    return kept, left
