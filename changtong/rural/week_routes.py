"""A week's routes of both levels from who serves whom on which days, solved once for equal days and kept.

A station's local vehicles leave when the day's goods are there. Its readiness follows from the trunk; until
that is planned it is reckoned as the latest the trunk may be there. One readiness counts for a station's
whole week, the latest.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from changtong.rural.county_question import DAY_S, DAYS, HUB, Question
from changtong.rural.day_routes import (
    LEFT_CNY,
    NO_ROUTES,
    DayRoutes,
    Part,
    Stop,
    can_serve,
    day_cost,
    route_day,
    service_s,
)

HURRY_S = 3_600
"""How long after a direct way the trunk may be at a station where cold pieces are in a hurry."""

LATE_DEPTH = 0.05
"""How much days are worked on once time is over, as a share of those of the search."""

RECENT = 24
"""Days of a base that are kept to begin a similar one with."""

HANDLED_TOO_MUCH_CNY = 100.0
"""What a piece beyond a station's capacity weighs in the search."""

SHORT_CNY = LEFT_CNY
"""What a vehicle's day beyond those there are weighs in the search."""

Ints = NDArray[np.int64]
Visits = tuple[tuple[int, int], ...]
"""Customers of a base and the days of each as bits, in order of site numbers."""


Load = tuple[int, float, float, float, float, int]
"""Station, warm and cold pieces to it, warm and cold from it, latest second the trunk may be there."""


@dataclass(frozen=True)
class Choice:
    """Who serves whom and when.

    Attributes
    ----------
    base : mapping
        Customer -> base; a station's own people are served by the trunk where it is its own base.
    days : mapping
        Customer -> days of its visits, as bits.
    bus : mapping
        Customer a bus serves instead -> runs that bring and take its pieces, -1 for none.
    station_bus : mapping
        Station the trunk need not go to -> runs that bring and take its pieces, -1 for none.
    fleet : mapping
        Base (-1: the trunk) -> vehicles of each type it may use; missing: all there are.
    """

    base: Mapping[int, int]
    days: Mapping[int, int]
    bus: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    station_bus: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    fleet: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def visits(self) -> dict[int, Visits]:
        """Return base -> its customers with their days."""
        found: dict[int, list[tuple[int, int]]] = {}
        for customer in sorted(self.base):
            found.setdefault(self.base[customer], []).append((customer, self.days[customer]))
        return {base: tuple(visits) for base, visits in sorted(found.items())}


@dataclass
class Budget:
    """Work left, in customers times iterations of PyVRP; a time limit where one was asked for."""

    work: float
    until: float | None = None
    spent: float = 0.0

    def left(self, share: float = 1.0) -> bool:
        """Whether there is work left of a share of it all, and time."""
        return self.spent < self.work * share and self.in_time()

    def in_time(self) -> bool:
        """Whether there is time left."""
        return self.until is None or time.monotonic() < self.until


@dataclass
class WeekRoutes:
    """Solves days and keeps them.

    Attributes
    ----------
    question : Question
    budget : Budget
    seed : int
    fleet : mapping of int to tuple
        The fleet of the choice at hand.
    price : tuple of float
        What a vehicle's day weighs on top, by type.
    ready, left_at : dict
        Station -> second its goods are ready, and when they left the hub.
    """

    question: Question
    budget: Budget
    seed: int = 0
    depth: float = 1.0
    fleet: dict[int, tuple[int, ...]] = field(default_factory=dict)
    price: tuple[float, ...] | None = None
    ready: dict[int, int] = field(default_factory=dict)
    left_at: dict[int, int] = field(default_factory=dict)
    _days: dict[object, DayRoutes] = field(default_factory=dict)
    _weeks: dict[object, float] = field(default_factory=dict)
    _uses: dict[object, Ints] = field(default_factory=dict)
    _recent: dict[int, list[tuple[frozenset[int], DayRoutes]]] = field(default_factory=dict)

    def ready_at(self, base: int, visits: Visits = ()) -> tuple[int, int]:
        """Return when a base's goods are ready and left the hub: as settled, else as reckoned."""
        if base == HUB:
            return 0, 0
        if base in self.ready:
            return self.ready[base], self.left_at[base]
        return reckoned_ready(
            self.question,
            base,
            cold=hurried(self.question, visits),
            pieces=most_passed(self.question, visits),
        )

    def local_day(
        self, base: int, customers: tuple[int, ...], times: tuple[int, int], iterations: int | None = None
    ) -> DayRoutes:
        """Return the routes from a base to customers on one day; the best found so far is kept.

        ``times``: when its goods are ready, and left the hub.
        """
        ready, left_at = times
        fleet = self.fleet_of(base, trunk=False)
        key = (base, customers, times, fleet, self.price)
        known = self._days.get(key)
        if known is not None and iterations is None:
            return known
        parts = [p for c in customers for p in visit_parts(self.question, c, base, left_at)]
        start = known or self._similar(base, customers)
        count = self.iterations(len(parts), start) if iterations is None else iterations
        self.budget.spent += count * (len(parts) + 2)
        found = local_routes(
            self.question, base, ready, left_at, parts, fleet, count, self.seed, self.price, start
        )
        return self._keep(key, base, customers, found, known)

    def _similar(self, base: int, customers: tuple[int, ...]) -> DayRoutes | None:
        """Return the routes of the most similar day of a base, where at least half is the same."""
        wanted = frozenset(customers)
        best: DayRoutes | None = None
        most = 0.5
        for some, routes in reversed(self._recent.get(base, [])):
            same = len(some & wanted) / max(len(some | wanted), 1)
            if same > most:
                best, most = routes, same
        return best

    def _keep(
        self, key: object, base: int, customers: tuple[int, ...], found: DayRoutes, known: DayRoutes | None
    ) -> DayRoutes:
        if known is None or weight(found, self.price) < weight(known, self.price) - 1e-9:
            self._days[key] = found
            recent = self._recent.setdefault(base, [])
            recent.append((frozenset(customers), found))
            del recent[:-RECENT]
        return self._days[key]

    def trunk_day(self, loads: tuple[Load, ...], iterations: int | None = None) -> DayRoutes:
        """Return the trunk's routes of one day."""
        if not loads:
            return NO_ROUTES
        fleet = self.fleet_of(-1, trunk=True)
        key = (loads, fleet, self.price)
        known = self._days.get(key)
        if known is not None and iterations is None:
            return known
        parts = [p for load in loads for p in load_parts(self.question, load)]
        stations = tuple(load[0] for load in loads)
        start = known or self._similar(-1, stations)
        count = self.iterations(len(parts), start) if iterations is None else iterations
        self.budget.spent += count * (len(parts) + 2)
        found = route_day(
            self.question, [(HUB, 0)], parts, fleet,
            iterations=count, seed=self.seed, day_price=self.price, start=start,
        )  # fmt: skip
        return self._keep(key, -1, stations, found, known)

    def iterations(self, parts: int, start: DayRoutes | None = None) -> int:
        """Return how many iterations the search spends on a day of so many parts; fewer with a beginning."""
        depth = self.depth if self.budget.in_time() else min(self.depth, LATE_DEPTH)
        wanted = depth * min(20 + 2.0 * parts, 25_000.0 / max(parts, 1))
        least = max(10.0, min(80.0, 800.0 / max(parts, 1)))  # small days cost nothing and must be right
        return round(max(least, wanted * (1.0 if start is None else 0.3)))

    def fleet_of(self, base: int, *, trunk: bool) -> tuple[int, ...]:
        """Return how many vehicles of each type a base, or the trunk, may use."""
        if base in self.fleet:
            return self.fleet[base]
        return tuple(
            (10_000 if v.count is None else v.count) if (v.trunk if trunk else v.local) else 0
            for v in self.question.vehicles
        )

    def base_week(self, base: int, visits: Visits) -> float:
        """Return what a base costs in a week without the trunk: routes, rent, handling, what is left out."""
        times = self.ready_at(base, visits)
        key = (base, visits, times, self.fleet.get(base), self.price)
        if key not in self._weeks:
            self._weeks[key] = (
                sum(
                    weight(self.local_day(base, customers, times)) * len(days)
                    for customers, days in days_by_customers(base, visits)
                )
                + station_cost(self.question, base, visits)
                + handled_too_much(self.question, base, visits)
            )
        return self._weeks[key]

    def trunk_week(self, choice: Choice) -> float:
        """Return what the trunk costs in a week."""
        total = 0.0
        for loads, days in trunk_days(self.question, choice.visits(), choice.station_bus):
            total += weight(self.trunk_day(loads)) * len(days)
        return total

    def week(self, choice: Choice) -> float:
        """Return what a choice costs in a week; what is left out, or lacks a vehicle, weighs heavily."""
        return self.week_if_enough(choice) + SHORT_CNY * float(self.short(choice).sum())

    def week_if_enough(self, choice: Choice) -> float:
        """Return what a choice costs in a week were there vehicles enough for all bases at once."""
        self.fleet = dict(choice.fleet)
        return sum(self.base_week(b, v) for b, v in choice.visits().items()) + self.trunk_week(choice)

    def left_out(self, choice: Choice) -> tuple[float, float]:
        """Return the parts local vehicles, or the trunk, leave out in a week, and their pieces."""
        self.fleet = dict(choice.fleet)
        visits, parts, pieces = choice.visits(), 0, 0.0
        made = [
            (self.local_day(base, customers, self.ready_at(base, some)), len(days))
            for base, some in visits.items()
            for customers, days in days_by_customers(base, some)
        ]
        made += [
            (self.trunk_day(loads), len(days))
            for loads, days in trunk_days(self.question, visits, choice.station_bus)
        ]
        for day, times in made:
            parts += times * len(day.left)
            pieces += times * sum(part.pieces for part in day.left)
        return parts, pieces

    def short(self, choice: Choice) -> Ints:
        """Return how many vehicles of each type are lacking, summed over the days of the week."""
        few = [kind for kind, v in enumerate(self.question.vehicles) if v.count]
        lacking = np.zeros(len(self.question.vehicles), np.int64)
        if not few:
            return lacking
        used = self.uses(choice)
        for kind in few:
            count = self.question.vehicles[kind].count or 0
            lacking[kind] = np.maximum(used[kind] - count, 0).sum()
        return lacking

    def uses(self, choice: Choice) -> Ints:
        """Return the vehicles in use: a row for each type, a column for each day."""
        self.fleet = dict(choice.fleet)
        used = np.zeros((len(self.question.vehicles), 7), np.int64)
        for base, visits in choice.visits().items():
            used += self.base_uses(base, visits)
        for loads, days in trunk_days(self.question, choice.visits(), choice.station_bus):
            _count_vehicles(self.trunk_day(loads), days, used)
        return used

    def base_uses(self, base: int, visits: Visits) -> Ints:
        """Return the vehicles of each type a base uses on each day."""
        times = self.ready_at(base, visits)
        key = (base, visits, times, self.fleet.get(base), self.price)
        if key not in self._uses:
            used = np.zeros((len(self.question.vehicles), 7), np.int64)
            for customers, days in days_by_customers(base, visits):
                _count_vehicles(self.local_day(base, customers, times), days, used)
            self._uses[key] = used
        return self._uses[key]


def _count_vehicles(routes: DayRoutes, days: Iterable[int], used: Ints) -> None:
    for vehicle in routes.days:
        for day in days:
            used[vehicle.vehicle, day] += 1


def weight(routes: DayRoutes, price: tuple[float, ...] | None = None) -> float:
    """Return cost with what is left out."""
    extra = 0.0 if price is None else sum(price[day.vehicle] for day in routes.days)
    return routes.cost_cny + extra + sum(LEFT_CNY + 10.0 * part.pieces for part in routes.left)


def days_by_customers(base: int, visits: Visits) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the sets of customers visited by local vehicles, with the days of each; empty days left out."""
    found: dict[tuple[int, ...], list[int]] = {}
    for day in DAYS:
        customers = tuple(c for c, mask in visits if mask >> day & 1 and c != base)
        if customers:
            found.setdefault(customers, []).append(day)
    return [(customers, tuple(days)) for customers, days in found.items()]


def used_days(visits: Iterable[tuple[int, int]]) -> int:
    """Return the days, as bits, on which any customer is visited."""
    mask = 0
    for _, days in visits:
        mask |= days
    return mask


def station_cost(question: Question, base: int, visits: Visits) -> float:
    """Return a station's rent and handling of a week; one that is open in any plan is paid all days."""
    if base == HUB:
        return 0.0
    days = 7 if question.opened[base] else used_days(visits).bit_count()
    passed = sum(float(question.inbound[c] + question.outbound[c]) for c, _ in visits if c != base)
    return float(question.rent_cny[base]) * days + float(question.handle_cny[base]) * passed


def handled_too_much(question: Question, base: int, visits: Visits) -> float:
    """Return what handling beyond a station's capacity weighs."""
    limit = float(question.handle_max[base])
    if base == HUB or limit == np.inf:
        return 0.0
    total = 0.0
    for day in DAYS:
        handled = sum(sum(question.per_visit(c)) for c, mask in visits if mask >> day & 1 and c != base)
        total += max(0.0, handled - limit - 1e-6)
    return total * HANDLED_TOO_MUCH_CNY


def station_loads(question: Question, by_base: Mapping[int, Visits]) -> list[list[Load]]:
    """Return, for each day, what each station gets from the hub and gives back.

    It gets what is needed on the day and gives what was collected on its day of use before, and its own
    people's pieces of the day.
    """
    per_day: list[list[Load]] = [[] for _ in DAYS]
    for base, visits in by_base.items():
        if base == HUB:
            continue
        used = [day for day in DAYS if used_days(visits) >> day & 1]
        latest = arrival_limit(question, base, cold=hurried(question, visits))[0]
        for place, day in enumerate(used):
            before = used[place - 1]
            amounts = [0.0] * 4
            for customer, mask in visits:
                warm_in, cold_in, warm_out, cold_out = question.per_visit(customer)
                if mask >> day & 1:
                    amounts[0] += warm_in
                    amounts[1] += cold_in
                if mask >> (day if customer == base else before) & 1:
                    amounts[2] += warm_out
                    amounts[3] += cold_out
            if sum(amounts) > 0:
                rounded = [round(a, 6) for a in amounts]
                per_day[day].append((base, rounded[0], rounded[1], rounded[2], rounded[3], latest))
    return per_day


def trunk_days(
    question: Question, by_base: Mapping[int, Visits], by_bus: Mapping[int, tuple[int, int]]
) -> list[tuple[tuple[Load, ...], tuple[int, ...]]]:
    """Return what the trunk brings and takes, for each set of equal days; stations by bus are left out."""
    found: dict[tuple[Load, ...], list[int]] = {}
    for day, loads in enumerate(station_loads(question, by_base)):
        mine = tuple(load for load in loads if load[0] not in by_bus)
        if mine:
            found.setdefault(mine, []).append(day)
    return [(loads, tuple(days)) for loads, days in found.items()]


def visit_parts(question: Question, customer: int, base: int, left_at: int) -> list[Part]:
    """Return one visit as parts a vehicle holds; cold goods from a station have a latest time."""
    closes = int(question.closes_s[customer])
    amounts = question.per_visit(customer)
    cold = amounts[1] > 0 and base != HUB and np.isfinite(question.cold_h[customer])
    late = int(min(closes, left_at + question.cold_h[customer] * 3600.0)) if cold else closes
    local = [k for k, v in enumerate(question.vehicles) if v.local]
    return _parts(question, customer, amounts, local, late, closes)


def load_parts(question: Question, load: Load) -> list[Part]:
    """Return what the trunk hands over at a station as parts a vehicle holds."""
    station, *amounts, latest = load
    trunk = [k for k, v in enumerate(question.vehicles) if v.trunk]
    return _parts(question, station, tuple(amounts), trunk, latest, latest)


def _parts(
    question: Question, site: int, amounts: tuple[float, ...], kinds: list[int], cold_closes: int, closes: int
) -> list[Part]:
    opens = int(question.opens_s[site])
    warm_in, cold_in, warm_out, cold_out = amounts
    together = _fewest(question, kinds, amounts)
    if together is not None:
        share = [a / together for a in amounts]
        return [Part(site, share[0], share[1], share[2], share[3], opens, cold_closes)] * together
    found = []
    for some, last in (((warm_in, 0.0, warm_out, 0.0), closes), ((0.0, cold_in, 0.0, cold_out), cold_closes)):
        if sum(some) > 0:
            number = _fewest(question, kinds, some) or 1
            share = [a / number for a in some]
            found += [Part(site, share[0], share[1], share[2], share[3], opens, last)] * number
    return found


def _fewest(question: Question, kinds: list[int], amounts: tuple[float, ...]) -> int | None:
    """Return the fewest vehicle loads amounts need, None where no vehicle takes them together."""
    warm, cold = max(amounts[0], amounts[2]), max(amounts[1], amounts[3])
    needs = []
    for kind in kinds:
        v = question.vehicles[kind]
        if (warm > 0 and v.warm <= 0) or (cold > 0 and v.cold <= 0):
            continue
        loads = [int(np.ceil(a / b - 1e-9)) for a, b in ((warm, v.warm), (cold, v.cold)) if a > 0]
        needs.append(max(loads, default=1))
    return max(1, min(needs)) if needs else None


def local_routes(
    question: Question,
    base: int,
    ready: int,
    left_at: int,
    parts: list[Part],
    fleet: tuple[int, ...],
    iterations: int,
    seed: int,
    price: tuple[float, ...] | None,
    start: DayRoutes | None = None,
) -> DayRoutes:
    """Return a base's routes of a day; cold goods that would be too long under way go on own trips."""
    found = route_day(
        question,
        [(base, ready)],
        parts,
        fleet,
        iterations=iterations,
        seed=seed,
        day_price=price,
        start=start,
    )
    if base != HUB or not question.has_cold:
        return found
    late = [
        s.part
        for d in found.days
        for t in d.trips
        for s in t.stops
        if _too_long(question, t.departs_s, t.returns_s, s)
    ]
    if not late:
        return found
    # a trip no longer than the hours allowed keeps them either way: those that are late go on such trips,
    # then the others again without them, until none is late
    apart: list[Part] = []
    while late:
        apart += [p for p in parts if p.site in {q.site for q in late}]
        rest = [p for p in parts if p.site not in {q.site for q in apart}]
        days, left, used = [], [], [0] * len(fleet)
        limits = sorted({float(question.cold_h[p.site]) for p in apart})
        for limit in [*limits, None]:
            some = rest if limit is None else [p for p in apart if float(question.cold_h[p.site]) == limit]
            free = tuple(max(0, f - u) for f, u in zip(fleet, used, strict=True))
            made = route_day(
                question, [(base, ready)], some, free, iterations=iterations, seed=seed, day_price=price,
                shift_s=DAY_S if limit is None else int(limit * 3600), several_trips=limit is None,
            )  # fmt: skip
            days += list(made.days)
            left += list(made.left)
            for day in made.days:
                used[day.vehicle] += 1
        late = [
            s.part
            for d in days
            for t in d.trips
            for s in t.stops
            if s.part.site not in {p.site for p in apart} and _too_long(question, t.departs_s, t.returns_s, s)
        ]
    return DayRoutes(tuple(days), tuple(left), sum(day_cost(question, d) for d in days))


def _too_long(question: Question, departs_s: int, returns_s: int, stop: Stop) -> bool:
    limit = float(question.cold_h[stop.part.site]) * 3600.0 + 1e-6
    to_it = stop.part.cold_in > 0 and stop.arrives_s - departs_s > limit
    return to_it or (stop.part.cold_out > 0 and returns_s - stop.arrives_s > limit)


def hurried(question: Question, visits: Visits) -> bool:
    """Tell whether a base's customers get cold pieces that may be under way for some hours only."""
    return any(question.cold_in[c] > 0 and question.cold_h[c] < 24.0 for c, _ in visits)


def most_passed(question: Question, visits: Visits) -> float:
    """Return about the most pieces a base is brought and gives back on a day."""
    if not visits:
        return 0.0
    return max(sum(sum(question.per_visit(c)) for c, mask in visits if mask >> day & 1) for day in DAYS)


def arrival_limit(question: Question, station: int, *, cold: bool) -> tuple[int, int]:
    """Return the latest second the trunk may be at a station, and the earliest it leaves the hub for it.

    Late enough that local vehicles still have a whole shift; where cold pieces are in a hurry, an hour after
    a vehicle that goes there first.
    """
    ways = [
        (
            max(v.starts_s + int(question.seconds[kind][HUB, station]), int(question.opens_s[station])),
            v.starts_s,
        )
        for kind, v in enumerate(question.vehicles)
        if v.trunk and (not cold or v.cold > 0)
    ]
    if not ways:
        return int(question.closes_s[station]), 0
    first, leaves = min(ways)
    whole_shift = max((v.ends_s - v.shift_s for v in question.vehicles if v.local), default=DAY_S)
    latest = first + HURRY_S if cold else whole_shift - 1800
    return max(first, min(latest, int(question.closes_s[station]))), leaves


def reckoned_ready(
    question: Question, station: int, *, cold: bool = False, pieces: float = 0.0
) -> tuple[int, int]:
    """Return by when a station's goods are ready, whatever the trunk does, and when they left the hub."""
    latest, leaves = arrival_limit(question, station, cold=cold)
    stand = float(question.stop_s[station] + question.piece_s[station] * pieces)
    return latest + 600 * max(1, int(np.ceil(stand / 600.0))), leaves


def trunk_reaches(question: Question, station: int) -> bool:
    """Tell whether any trunk vehicle can serve a station at all."""
    part = Part(station, 0.0, 0.0, 0.0, 0.0, int(question.opens_s[station]), int(question.closes_s[station]))
    return any(
        v.trunk and can_serve(question, HUB, 0, kind, part, 86_400)
        for kind, v in enumerate(question.vehicles)
    )


def stop_ready(question: Question, stop: Stop) -> int:
    """Return when what a trunk stop brought can go on."""
    return stop.arrives_s + service_s(question, stop.part)
