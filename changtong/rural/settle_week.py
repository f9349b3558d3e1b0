"""The last word on a week: the trunk, then local routes when its goods are ready, and what fails.

Stations' local vehicles wait for the latest trunk of the week. A customer that can then no longer be served
in time goes to another base; what no base can serve is named. Vehicles of which there are few are shared
out among bases before the last routes are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from types import MappingProxyType

import numpy as np

from changtong.rural.bus_service import bus_cost, bus_takes, bus_times, unload_s
from changtong.rural.county_question import DAY_S, DAYS, HUB, Question
from changtong.rural.day_routes import DayRoutes
from changtong.rural.impossible import Possible, Unserved, code_from, find_possible
from changtong.rural.share_fleet import TRUNK, Uses, overdrawn, shared_out
from changtong.rural.station_choice import Reckoned, nearest_bases, reckon
from changtong.rural.station_times import Visits, stop_ready
from changtong.rural.visit_loads import local_errand
from changtong.rural.week_routes import (
    Choice,
    Recent,
    WeekRoutes,
    days_by_customers,
    handled_too_much,
    station_cost,
    trunk_days,
    weight,
)

ROUNDS = 6
"""Rounds in which what fails goes to another base; afterwards it is given up."""


@dataclass(frozen=True)
class Settled:
    """A week that holds: routes of both levels with their days.

    Attributes
    ----------
    question : Question
        Without what is unserved.
    choice : Choice
    trunk : tuple of (days, routes)
    local : tuple of (base, days, routes)
    ready, left_at : mapping
        Station -> second its goods are ready, and left the hub.
    unserved : tuple of Unserved
    cost_cny : float
        Of a week.
    routes : WeekRoutes
        All days solved on the way, to go on from.
    """

    question: Question
    choice: Choice
    trunk: tuple[tuple[tuple[int, ...], DayRoutes], ...]
    local: tuple[tuple[int, tuple[int, ...], DayRoutes], ...]
    ready: dict[int, int]
    left_at: dict[int, int]
    unserved: tuple[Unserved, ...]
    cost_cny: float
    routes: WeekRoutes

    @property
    def left_pieces(self) -> float:
        """Pieces of a week that are not served."""
        return unserved_pieces(self.question, self.unserved)

    @property
    def rank(self) -> tuple[float, float]:
        """What plans are compared by: pieces not served, then cost."""
        return (round(self.left_pieces, 3), self.cost_cny)

    def begun(self) -> Recent:
        """Return its days as beginnings of similar ones."""
        found: Recent = {}
        trunk = [(-1, day) for _, day in self.trunk]
        for base, day in trunk + [(base, day) for base, _, day in self.local]:
            sites = {s.part.site for vehicle in day.days for trip in vehicle.trips for s in trip.stops}
            found.setdefault(base, []).append((frozenset(sites), day))
        return found


def unserved_pieces(question: Question, unserved: Iterable[Unserved]) -> float:
    """Return the pieces of a week of customers that are not served, or whose cold pieces are not."""
    unserved = list(unserved)
    cold_apart = {one.site for one in unserved if one.cold_only}
    return sum(
        cold if one.cold_only else total - (cold if one.site in cold_apart else 0.0)
        for one in unserved
        for _, total, cold in question.firm_pieces.get(one.site, [])
    )


def settle(
    possible: Possible, reckoned: Reckoned, routes: WeekRoutes, choice: Choice, iterations: float
) -> Settled:
    """Return routes of both levels that hold together, for a choice of bases and days.

    Parameters
    ----------
    possible : Possible
    reckoned : Reckoned
        For another base, where the chosen one fails.
    routes : WeekRoutes
    choice : Choice
    iterations : float
        How much longer the last routes are worked on than those of the search.
    """
    unserved = list(possible.unserved)
    banned: set[tuple[int, int]] = set()
    turn = 0
    while True:
        turn += 1
        routes.take(choice)
        trunk = _trunk(routes, choice, iterations)
        times = _times(routes, trunk, choice)
        local = _local(routes, choice, times, 1.0)
        if _share(routes, choice, times, trunk, local):
            trunk = _trunk(routes, choice, 1.0)
            times = _times(routes, trunk, choice)
            local = _local(routes, choice, times, 1.0)
        failing = {p.site for _, day in trunk for p in day.left}
        missed = _missed_by_trunk(routes.question, choice, trunk)
        missed |= {(base, p.site) for base, _, day in local for p in day.left}
        late = _kept_too_long(routes.question, choice, trunk, local)
        full = _too_many(routes.question, choice)
        missed |= late | full
        if not missed:
            longer = _local(routes, choice, times, _affordable(routes, choice, iterations))
            if not overdrawn(routes.question, _uses(trunk, longer)):
                local = longer
            break
        codes = {c: _why(routes.question, choice, times, c, (failing, late, full)) for _, c in missed}
        # where all vehicles are few another base lacks them as well: what is missed is given up at once
        few = not any(v.local and v.count is None for v in routes.question.vehicles)
        for base, customer in missed:
            hopeless = turn > ROUNDS or (few and codes[customer] == "no-vehicle")
            banned |= {(b, customer) for b in ((HUB, *reckoned.bases, base) if hopeless else (base,))}
        before = choice
        choice, gone = _elsewhere(routes.question, reckoned, choice, banned)
        if gone:
            mixed = {c: before.days[c] for c in gone if _has_both(routes.question, c)}
            unserved += [Unserved(c, codes[c], cold_only=c in mixed) for c in gone]
            question = routes.question.without([c for c in gone if c not in mixed])
            question = question.without_cold(list(mixed)) if mixed else question
            routes = routes.about(question)
            if mixed:  # their other pieces may do without what keeps pieces cold
                again = find_possible(question)
                reckoned = reckon(question, again.allowed)
                banned = {(b, c) for b, c in banned if c not in mixed}
                choice, gone = _elsewhere(question, reckoned, choice, banned, mixed)
                unserved += [Unserved(c, codes[c], cold_only=False) for c in gone]
                routes = routes.about(question.without(gone))
    question, choice = routes.question, replace(choice, fleet=dict(routes.fleet))
    by_base = choice.visits()
    cost = sum(day.cost_cny * len(days) for days, day in trunk) + bus_cost(question, choice)
    cost += sum(day.cost_cny * len(days) for _, days, day in local)
    cost += sum(station_cost(question, b, v) for b, v in by_base.items())
    cost += sum(
        7.0 * float(question.rent_cny[s])
        for s in question.stations
        if question.opened[s] and s not in by_base
    )
    return Settled(
        question,
        choice,
        tuple(trunk),
        tuple(local),
        {b: t[0] for b, t in times.items()},
        {b: t[1] for b, t in times.items()},
        _merged(unserved),
        cost,
        routes,
    )


def _trunk(routes: WeekRoutes, choice: Choice, iterations: float) -> list[tuple[tuple[int, ...], DayRoutes]]:
    found = []
    for loads, days in trunk_days(routes.question, choice.visits(), choice.station_bus):
        routes.trunk_day(loads)
        count = round(routes.iterations(len(loads)) * iterations)
        found.append((days, routes.trunk_day(loads, count)))
    return found


def _local(
    routes: WeekRoutes, choice: Choice, times: dict[int, tuple[int, int]], iterations: float
) -> list[tuple[int, tuple[int, ...], DayRoutes]]:
    """Return local routes; worked on longer where more iterations than the search's are asked for."""

    def of_base(base: int, visits: Visits) -> list[tuple[int, tuple[int, ...], DayRoutes]]:
        found = []
        for customers, days in days_by_customers(base, visits):
            day = routes.local_day(base, customers, times[base])
            if iterations > 1.0:
                count = round(routes.iterations(len(customers)) * iterations)
                day = routes.local_day(base, customers, times[base], count)
            found.append((base, days, day))
        return found

    tasks = [partial(of_base, base, visits) for base, visits in choice.visits().items()]
    return list(chain.from_iterable(routes.side_by_side(tasks)))


def _times(
    routes: WeekRoutes, trunk: list[tuple[tuple[int, ...], DayRoutes]], choice: Choice
) -> dict[int, tuple[int, int]]:
    """Return when bases' goods are ready, the latest of the week, and the earliest they left the hub."""
    ready: dict[int, int] = {}
    left: dict[int, int] = {}
    for _, day in trunk:
        for vehicle in day.days:
            for trip in vehicle.trips:
                for stop in trip.stops:
                    site = stop.part.site
                    ready[site] = max(ready.get(site, 0), stop_ready(routes.question, stop))
                    left[site] = min(left.get(site, DAY_S), trip.departs_s)
    for site, (brings, _) in choice.station_bus.items():
        if brings >= 0:
            left[site], at = bus_times(routes.question, brings, site)
            ready[site] = at + unload_s(routes.question, choice, site)
    times = {base: routes.ready_at(base, visits) for base, visits in choice.visits().items()}
    return {
        base: (0, 0) if base == HUB else (ready.get(base, known[0]), left.get(base, known[1]))
        for base, known in times.items()
    }


def _affordable(routes: WeekRoutes, choice: Choice, iterations: float) -> float:
    """Return how many times longer than in the search every day can be worked on with what is left."""
    once = 1.0
    for base, visits in choice.visits().items():
        for customers, _ in days_by_customers(base, visits):
            once += routes.iterations(len(customers)) * (len(customers) + 2)
    left = routes.budget.work - routes.budget.spent
    return min(iterations, left / once) if routes.budget.left() else 0.0


def _share(
    routes: WeekRoutes,
    choice: Choice,
    times: dict[int, tuple[int, int]],
    trunk: list[tuple[tuple[int, ...], DayRoutes]],
    local: list[tuple[int, tuple[int, ...], DayRoutes]],
) -> bool:
    """Share out the vehicles of which a day would use more than there are; tell whether that was so."""
    uses = _uses(trunk, local)
    if not overdrawn(routes.question, uses):
        return False
    visits = choice.visits()

    def cost(base: int, fleet: tuple[int, ...]) -> float:
        routes.fleet[base] = fleet
        if base == TRUNK:
            return routes.trunk_week(choice)
        sets = days_by_customers(base, visits[base])
        return sum(weight(routes.local_day(base, c, times[base])) * len(days) for c, days in sets)

    routes.fleet = shared_out(
        routes.question, uses, lambda base: routes.fleet_of(base, trunk=base == TRUNK), cost
    )
    return True


def _missed_by_trunk(
    question: Question, choice: Choice, trunk: list[tuple[tuple[int, ...], DayRoutes]]
) -> set[tuple[int, int]]:
    """Return stations and customers the trunk brings too little: those with cold pieces where these fail."""
    left = {(p.site, p.warm_in + p.warm_out > 0) for _, day in trunk for p in day.left}
    return {
        (station, c)
        for station, warm in left
        for c, base in choice.base.items()
        if base == station and (warm or question.cold_in[c] + question.cold_out[c] > 0)
    }


def _uses(
    trunk: list[tuple[tuple[int, ...], DayRoutes]], local: list[tuple[int, tuple[int, ...], DayRoutes]]
) -> Uses:
    uses: Uses = {TRUNK: list(trunk)}
    for base, days, day in local:
        uses.setdefault(base, []).append((days, day))
    return uses


def _kept_too_long(
    question: Question,
    choice: Choice,
    trunk: list[tuple[tuple[int, ...], DayRoutes]],
    local: list[tuple[int, tuple[int, ...], DayRoutes]],
) -> set[tuple[int, int]]:
    """Return bases and customers whose cold pieces are too long under way by the trunk.

    Those collected through a station that reach the hub too late, and those of a station's own people.
    """
    if not question.has_cold:
        return set()
    back: dict[tuple[int, int], int] = {}
    found: set[tuple[int, int]] = set()
    for days, routes in trunk:
        for vehicle in routes.days:
            for trip in vehicle.trips:
                for stop in trip.stops:
                    site = stop.part.site
                    for day in days:
                        back[site, day] = max(back.get((site, day), 0), trip.returns_s)
                    if choice.base.get(site) == site:
                        limit = float(question.cold_h[site]) * 3600.0
                        brought = question.cold_in[site] > 0 and stop.arrives_s - trip.departs_s > limit
                        taken = question.cold_out[site] > 0 and trip.returns_s - stop.arrives_s > limit
                        found |= {(site, site)} if brought or taken else set()
    for base, days, routes in local:
        if base == HUB:
            continue
        for vehicle in routes.days:
            for trip in vehicle.trips:
                for stop in trip.stops:
                    if stop.part.cold_out > 0:
                        limit = float(question.cold_h[stop.part.site])
                        for day in days:
                            gaps = [((d - day - 1) % 7 + 1, t) for (s, d), t in back.items() if s == base]
                            gap, at = min(gaps, default=(8, 0))
                            if (gap * DAY_S + at - stop.arrives_s) / 3600.0 > limit + 1e-9:
                                found.add((base, stop.part.site))
    return found


def _elsewhere(
    question: Question,
    reckoned: Reckoned,
    choice: Choice,
    banned: set[tuple[int, int]],
    more: Mapping[int, int] = MappingProxyType({}),
) -> tuple[Choice, list[int]]:
    """Return a choice without pairs that fail, and the customers nobody is left for.

    ``more``: customers without a base that want one, with their days.
    """
    gone: list[int] = []
    used = sorted({HUB, *choice.base.values()})
    choice = replace(choice, days={**choice.days, **more})
    for customer in sorted({*more, *(c for b, c in banned if choice.base.get(c) == b)}):
        others = [
            b
            for b in dict.fromkeys((*used, *reckoned.bases))
            if (b, customer) not in banned
            and np.isfinite(reckoned.serve[b, customer])
            and bus_takes(question, choice, b, customer)
        ]
        among = [b for b in others if b in used] or others
        base = dict(choice.base)
        if among:
            base |= nearest_bases(reckoned, (customer,), tuple(among))
        else:
            gone.append(customer)
            base.pop(customer, None)
        choice = replace(choice, base=base)
    days = {c: choice.days[c] for c in (*choice.base, *choice.bus)}
    fed = {s: pair for s, pair in choice.station_bus.items() if s in set(choice.base.values())}
    return Choice(choice.base, days, choice.bus, fed), gone


def _has_both(question: Question, customer: int) -> bool:
    """Tell whether a customer has warm and cold pieces."""
    cold = float(question.cold_in[customer] + question.cold_out[customer])
    return cold > 0 and float(question.inbound[customer] + question.outbound[customer]) - cold > 1e-9


def _too_many(question: Question, choice: Choice) -> set[tuple[int, int]]:
    """Return stations with the customers they have no capacity for, the largest first."""
    found: set[tuple[int, int]] = set()
    for base, visits in choice.visits().items():
        limit = float(question.handle_max[base])
        kept = [(c, mask) for c, mask in visits if c != base]
        while base != HUB and kept and handled_too_much(question, base, tuple(kept)) > 0:
            over = [
                d
                for d in DAYS
                if sum(sum(question.per_visit(c)) for c, m in kept if m >> d & 1) > limit + 1e-6
            ]
            largest = max(
                kept, key=lambda v: (any(v[1] >> d & 1 for d in over), sum(question.per_visit(v[0])), v[0])
            )
            kept.remove(largest)
            found.add((base, largest[0]))
    return found


def _merged(unserved: list[Unserved]) -> tuple[Unserved, ...]:
    """Return what is unserved, once where cold and other pieces of a site are for the same reason."""
    rest = {(one.site, one.code) for one in unserved if not one.cold_only}
    return tuple(one for one in unserved if not one.cold_only or (one.site, one.code) not in rest)


def _why(
    question: Question,
    choice: Choice,
    times: dict[int, tuple[int, int]],
    customer: int,
    found: tuple[set[int], set[tuple[int, int]], set[tuple[int, int]]],
) -> str:
    """Return the code of a customer that is missed.

    ``found``: stations the trunk fails, pairs whose cold pieces are too long under way, and pairs a station
    has no capacity for.
    """
    failing, late, full = found
    base = choice.base[customer]
    if (base, customer) in full:
        return "station-full"
    if (base, customer) in late:
        return "cold-too-long"
    if base in failing:
        few = all(v.count is not None for v in question.vehicles if v.trunk)
        return "no-vehicle" if few else "shift-too-short"
    amounts = question.per_visit(customer)
    errand = local_errand(question, customer, base, *times[base])
    if errand.possible(amounts):
        return "no-vehicle"  # it could be served alone: vehicles are too few
    if errand.possible((amounts[0], 0.0, amounts[2], 0.0)):
        return "cold-too-long"
    return code_from(question, customer, {base: times[base]})
