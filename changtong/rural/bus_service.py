"""What buses carry: loads on each run and day, what they cost, and whether holds have room."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from changtong.rural.county_question import DAYS, HUB, Question
from changtong.rural.week_routes import Choice, station_loads


@dataclass(frozen=True, slots=True)
class BusLoad:
    """Pieces a run brings to a site from the hub, and takes from it to the hub, on a day."""

    bus: int
    day: int
    site: int
    brought: float
    taken: float


def bus_loads(question: Question, choice: Choice) -> list[BusLoad]:
    """Return what each run carries for customers and stations it serves."""
    found = []
    for customer, runs in sorted(choice.bus.items()):
        warm_in, _, warm_out, _ = question.per_visit(customer)
        for day in DAYS:
            if choice.days[customer] >> day & 1:
                found += _loads(runs, day, customer, warm_in, warm_out)
    if choice.station_bus:
        for day, loads in enumerate(station_loads(question, choice.visits())):
            for site, warm_in, cold_in, warm_out, cold_out, *_ in loads:
                if site in choice.station_bus:
                    found += _loads(
                        choice.station_bus[site], day, site, warm_in + cold_in, warm_out + cold_out
                    )
    return found


def _loads(runs: tuple[int, int], day: int, site: int, brought: float, taken: float) -> list[BusLoad]:
    brings, takes = runs
    if brings == takes:
        return [BusLoad(brings, day, site, brought, taken)]
    found = [BusLoad(brings, day, site, brought, 0.0)] if brought > 0 else []
    return found + ([BusLoad(takes, day, site, 0.0, taken)] if taken > 0 else [])


def bus_cost(question: Question, choice: Choice) -> float:
    """Return what buses ask for in a week: pieces, and days on which a run takes any."""
    loads = bus_loads(question, choice)
    total = sum(question.buses[one.bus].piece_cny * (one.brought + one.taken) for one in loads)
    return total + sum(question.buses[bus].day_cny for bus, _ in {(one.bus, one.day) for one in loads})


def room_left(question: Question, loads: Iterable[BusLoad]) -> bool:
    """Tell whether the holds have room at every stop, and every run goes on its days."""
    by_run: dict[tuple[int, int], list[BusLoad]] = {}
    for one in loads:
        by_run.setdefault((one.bus, one.day), []).append(one)
    for (number, day), some in by_run.items():
        bus = question.buses[number]
        if not bus.days >> day & 1:
            return False
        places = [site for site, _ in bus.stops]
        held = [0.0] * len(places)
        for one in some:
            start, end = span(question, number, one.site, brings=True) if one.brought > 0 else (0, 0)
            for place in range(start, end):
                held[place] += one.brought
            start, end = span(question, number, one.site, brings=False) if one.taken > 0 else (0, 0)
            for place in range(start, end):
                held[place] += one.taken
        if max(held, default=0.0) > bus.spare + 1e-6:
            return False
    return True


def bus_takes(question: Question, choice: Choice, base: int, customer: int) -> bool:
    """Tell whether a base can have one more customer: one fed by bus has room in the holds, on their days."""
    if base not in choice.station_bus:
        return True
    if question.cold_in[customer] + question.cold_out[customer] > 0:
        return False
    more = Choice({**choice.base, customer: base}, choice.days, choice.bus, choice.station_bus)
    loads = bus_loads(question, more)
    return all(one.bus >= 0 for one in loads) and room_left(question, loads)


def span(question: Question, number: int, site: int, *, brings: bool) -> tuple[int, int]:
    """Return places of the stops between which a run carries a site's pieces; (-1, -1) where it cannot.

    From the last stop at the hub before the site, or from the site to the next stop at the hub.
    """
    stops = [place for place, _ in question.buses[number].stops]
    hubs = [k for k, place in enumerate(stops) if place == HUB]
    ways = [
        (hub, k) if brings else (k, hub)
        for k, place in enumerate(stops)
        if place == site
        for hub in hubs
        if (hub < k) == brings
    ]
    return min(ways, key=lambda way: (way[1] - way[0], way), default=(-1, -1))


def bus_times(question: Question, number: int, site: int) -> tuple[int, int]:
    """Return when a run leaves the hub and is at a site it brings pieces to."""
    start, end = span(question, number, site, brings=True)
    stops = question.buses[number].stops
    return stops[start][1], stops[end][1]


def unload_s(question: Question, choice: Choice, station: int) -> int:
    """Return seconds to unload the most a bus brings to a station."""
    most = max(
        (one.brought + one.taken for one in bus_loads(question, choice) if one.site == station), default=0.0
    )
    return math.ceil(float(question.stop_s[station] + question.piece_s[station] * most) - 1e-6)
