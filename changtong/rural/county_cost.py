"""A settled week as the frames of a plan, every figure added up from kilometres, seconds and pieces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from changtong.rural.bus_service import BusLoad, bus_loads, bus_times, span
from changtong.rural.county_plan import CountyPlan
from changtong.rural.county_question import DAY_S, DAYS, HUB, Question, weekdays_of
from changtong.rural.day_clock import say_time
from changtong.rural.day_routes import DayRoutes, Part, Trip, VehicleDay
from changtong.rural.impossible import REASONS, Unserved
from changtong.rural.plan_schemas import (
    ROUTE_SCHEMA,
    STATION_SCHEMA,
    STOP_SCHEMA,
    UNSERVED_SCHEMA,
    VILLAGE_SCHEMA,
)
from changtong.rural.settle_week import Settled
from changtong.rural.week_routes import station_cost, used_days


def plan_frames(settled: Settled, name: str) -> CountyPlan:
    """Return a settled week as a plan.

    Parameters
    ----------
    settled : Settled
    name : str
    """
    rows = _Rows(settled)
    for days, routes in settled.trunk:
        rows.add_day("trunk", days, routes)
    for _, days, routes in settled.local:
        rows.add_day("local", days, routes)
    rows.add_buses(bus_loads(settled.question, settled.choice))
    stations = _stations(settled)
    trips = pl.DataFrame(rows.routes, schema=ROUTE_SCHEMA, orient="row")
    week = trips.with_columns(pl.col("weekdays").str.len_chars().alias("n")).filter(pl.col("n") > 0)
    kg = None if week["kgco2e"].null_count() else float((week["kgco2e"] * week["n"]).sum())
    question = settled.question
    return CountyPlan(
        name=name,
        routes=trips,
        stops=pl.DataFrame(rows.stops, schema=STOP_SCHEMA, orient="row"),
        stations=stations,
        villages=_villages(settled),
        unserved=_unserved(settled),
        cost_cny=float((week["cost_cny"] * week["n"]).sum()) + float(stations["cost_cny_per_week"].sum()),
        distance_km=float((week["distance_km"] * week["n"]).sum()),
        hours=float((week["hours"] * week["n"]).sum()),
        kgco2e=kg,
        pieces=float(sum(question.inbound[c] + question.outbound[c] for c in question.customers)),
    )


class _Rows:
    """Rows of routes and stops, and the numbers of vehicles on each day."""

    def __init__(self, settled: Settled) -> None:
        self.settled, self.question = settled, settled.question
        self.routes: list[tuple[Any, ...]] = []
        self.stops: list[tuple[Any, ...]] = []
        self.numbers: dict[tuple[int, int, int], int] = {}

    def add_day(self, tier: str, days: tuple[int, ...], routes: DayRoutes) -> None:
        """Add the trips of one set of equal days."""
        for vehicle_day in routes.days:
            keys = [(day, vehicle_day.base, vehicle_day.vehicle) for day in days]
            number = 1 + max(self.numbers.get(key, 0) for key in keys)
            self.numbers |= dict.fromkeys(keys, number)
            before: int | None = None
            for place, trip in enumerate(vehicle_day.trips, 1):
                self._add_trip(tier, days, vehicle_day, number, place, trip, before)
                before = trip.returns_s

    def _add_trip(
        self,
        tier: str,
        days: tuple[int, ...],
        vehicle_day: VehicleDay,
        number: int,
        place: int,
        trip: Trip,
        before: int | None,
    ) -> None:
        v = self.question.vehicles[vehicle_day.vehicle]
        hours = (trip.returns_s - (trip.departs_s if before is None else before)) / 3600.0
        cost = v.km_cny * trip.km + v.h_cny * hours + (v.day_cny if before is None else 0.0)
        route_id = self._next(tier)
        parts = [stop.part for stop in trip.stops]
        self.routes.append(
            (
                route_id,
                tier,
                weekdays_of(sum(1 << day for day in days)),
                v.name,
                number,
                place,
                self.question.site_ids[vehicle_day.base],
                say_time(trip.departs_s),
                say_time(trip.returns_s),
                trip.km,
                hours,
                sum(p.warm_in + p.cold_in for p in parts),
                sum(p.warm_out + p.cold_out for p in parts),
                cost,
                None if v.kgco2e_per_km is None else v.kgco2e_per_km * trip.km,
            )
        )
        for order, stop in enumerate(trip.stops, 1):
            p = stop.part
            self.stops.append(
                (
                    route_id,
                    order,
                    self.question.site_ids[p.site],
                    say_time(stop.arrives_s),
                    say_time(stop.departs_s),
                    stop.km,
                    p.warm_in + p.cold_in,
                    p.warm_out + p.cold_out,
                    p.cold_in,
                    p.cold_out,
                )
            )

    def _next(self, tier: str) -> str:
        return f"{tier[0].upper()}{len(self.routes) + 1}"

    def add_buses(self, loads: list[BusLoad]) -> None:
        """Add the runs that carry pieces, equal days together; it runs anyway: no kilometres, no carbon."""
        per_run: dict[tuple[int, int], list[tuple[int, float, float]]] = {}
        for one in loads:
            per_run.setdefault((one.bus, one.day), []).append((one.site, one.brought, one.taken))
        equal: dict[tuple[int, tuple[tuple[int, float, float], ...]], int] = {}
        for (bus, day), carried in sorted(per_run.items()):
            key = (bus, tuple(sorted(carried)))
            equal[key] = equal.get(key, 0) | 1 << day
        for (number, some), mask in equal.items():
            self._add_run(number, some, mask)

    def _add_run(self, number: int, some: tuple[tuple[int, float, float], ...], mask: int) -> None:
        bus, route_id = self.question.buses[number], self._next("bus")
        handed: list[tuple[int, int, float, float]] = []
        hubs: list[int] = []
        for site, brought, taken in some:
            if brought > 0:
                start, end = span(self.question, number, site, brings=True)
                handed.append((end, site, brought, 0.0))
                hubs.append(bus.stops[start][1])
            if taken > 0:
                start, end = span(self.question, number, site, brings=False)
                handed.append((start, site, 0.0, taken))
                hubs.append(bus.stops[end][1])
        times = [*hubs, *(bus.stops[place][1] for place, *_ in handed)]
        brought, taken = sum(b for _, b, _ in some), sum(t for _, _, t in some)
        cost = bus.piece_cny * (brought + taken) + bus.day_cny
        self.routes.append(
            (
                route_id, "bus", weekdays_of(mask), bus.name, 1, 1, self.question.site_ids[HUB],
                say_time(min(times)), say_time(max(times)), 0.0, 0.0, brought, taken, cost, 0.0,
            )
        )  # fmt: skip
        merged: dict[tuple[int, int], list[float]] = {}
        for place, site, inward, outward in sorted(handed):
            amounts = merged.setdefault((place, site), [0.0, 0.0])
            amounts[0] += inward
            amounts[1] += outward
        for order, ((place, site), amounts) in enumerate(merged.items(), 1):
            at = say_time(bus.stops[place][1])
            self.stops.append(
                (route_id, order, self.question.site_ids[site], at, at, 0.0, amounts[0], amounts[1], 0.0, 0.0)
            )


def _stations(settled: Settled) -> pl.DataFrame:
    question, rows = settled.question, []
    by_base = settled.choice.visits()
    for station in question.stations:
        visits = by_base.get(station, ())
        if not visits and not question.opened[station]:
            continue
        passed = [c for c, _ in visits if c != station]
        rows.append(
            (
                question.site_ids[station],
                weekdays_of(127 if question.opened[station] else used_days(visits)),
                len(passed),
                float(sum(question.inbound[c] for c in passed)),
                float(sum(question.outbound[c] for c in passed)),
                say_time(settled.ready[station]) if visits and station in settled.ready else None,
                station_cost(question, station, visits),
            )
        )
    return pl.DataFrame(rows, schema=STATION_SCHEMA, orient="row")


def _villages(settled: Settled) -> pl.DataFrame:
    """Return who serves each customer, its days, and the longest its pieces are under way."""
    question, choice = settled.question, settled.choice
    left, back = _trunk_times(settled)
    delivery: dict[int, float] = {}
    cold: dict[int, float] = {}

    def note(stop_part: Part, seconds_in: int, seconds_out: int) -> None:
        site = stop_part.site
        if stop_part.warm_in + stop_part.cold_in > 0:
            delivery[site] = max(delivery.get(site, 0.0), seconds_in / 3600.0)
        for pieces, seconds in ((stop_part.cold_in, seconds_in), (stop_part.cold_out, seconds_out)):
            if pieces > 0:
                cold[site] = max(cold.get(site, 0.0), seconds / 3600.0)

    for base, days, routes in settled.local:
        for trip in (trip for vehicle in routes.days for trip in vehicle.trips):
            for stop in trip.stops:
                for day in days:
                    if base == HUB:
                        note(stop.part, stop.arrives_s - trip.departs_s, trip.returns_s - stop.arrives_s)
                    else:
                        gap, at = _next_back(back, base, day)
                        out = gap * DAY_S + at - stop.arrives_s
                        note(stop.part, stop.arrives_s - left.get((base, day), 0), out)
    for _, routes in settled.trunk:
        for trip in (trip for vehicle in routes.days for trip in vehicle.trips):
            for stop in trip.stops:
                if choice.base.get(stop.part.site) == stop.part.site:
                    own = _own_part(question, stop.part.site)
                    note(own, stop.arrives_s - trip.departs_s, trip.returns_s - stop.arrives_s)
    for customer, (brings, _) in choice.bus.items():
        if brings >= 0:
            leaves, at = bus_times(question, brings, customer)
            delivery[customer] = (at - leaves) / 3600.0
    rows = []
    for customer in question.customers:
        if customer in choice.bus:
            runs = choice.bus[customer]
            server = question.buses[max(runs) if runs[0] < 0 else runs[0]].name
        else:
            server = question.site_ids[choice.base[customer]]
        rows.append(
            (
                question.site_ids[customer],
                server,
                weekdays_of(choice.days[customer]),
                delivery.get(customer),
                cold.get(customer),
            )
        )
    return pl.DataFrame(rows, schema=VILLAGE_SCHEMA, orient="row")


def _own_part(question: Question, station: int) -> Part:
    return Part(station, *question.per_visit(station), 0, DAY_S)


def _trunk_times(settled: Settled) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """Return (station, day) -> second its goods left the hub, and second what it gave is back there."""
    question, choice = settled.question, settled.choice
    left: dict[tuple[int, int], int] = {}
    back: dict[tuple[int, int], int] = {}
    for days, routes in settled.trunk:
        for trip in (trip for vehicle in routes.days for trip in vehicle.trips):
            for stop in trip.stops:
                for day in days:
                    key = (stop.part.site, day)
                    left[key] = min(left.get(key, DAY_S), trip.departs_s)
                    back[key] = max(back.get(key, 0), trip.returns_s)
    for station, (brings, _) in choice.station_bus.items():
        for day in DAYS:
            if brings >= 0:
                left[station, day] = bus_times(question, brings, station)[0]
    return left, back


def _next_back(back: dict[tuple[int, int], int], base: int, day: int) -> tuple[int, int]:
    """Return days until the trunk next takes what a station has, and when it is then back."""
    ways = [
        (ahead, back[base, (day + ahead) % 7]) for ahead in range(1, 8) if (base, (day + ahead) % 7) in back
    ]
    return min(ways, default=(0, 0))


def _unserved(settled: Settled) -> pl.DataFrame:
    question, rows = settled.question, []
    for one in _in_order(settled.unserved):
        for firm, total, cold in question.firm_pieces.get(one.site, []):
            pieces = cold if one.cold_only else total
            if not one.cold_only and any(o.cold_only and o.site == one.site for o in settled.unserved):
                pieces = total - cold  # its cold pieces have a row of their own
            if pieces > 0:
                rows.append((question.site_ids[one.site], firm, pieces, one.code, REASONS[one.code]))
    return pl.DataFrame(rows, schema=UNSERVED_SCHEMA, orient="row")


def _in_order(unserved: Iterable[Unserved]) -> list[Unserved]:
    return sorted(unserved, key=lambda one: (one.site, not one.cold_only))
