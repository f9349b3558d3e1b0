"""A week's routes of both levels from who serves whom on which days, solved once for equal days and kept.

A station's local vehicles leave when the day's goods are there. Its readiness follows from the trunk; until
that is planned it is reckoned as the latest the trunk may be there. One readiness counts for a station's
whole week, the latest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from changtong.rural.cold_hours import timely_routes
from changtong.rural.county_question import DAYS, HUB, Question
from changtong.rural.day_routes import NO_LIMIT_S, NO_ROUTES, DayRoutes, Part
from changtong.rural.station_times import Visits, arrival_limit, reckoned_ready
from changtong.rural.visit_loads import FEW, SMALL, Load, cold_s, load_parts, visit_parts

LATE_DEPTH = 0.05
"""How much days are worked on once time is over, as a share of those of the search."""

RECENT = 24
"""Days of a base that are kept to begin a similar one with."""

BEGIN_WORK = 0.015
"""Work of beginning a day, for each pair of its parts: neighbours are sorted and first routes made good."""

MANY, FEWEST = 500, 4
"""Days of so many parts get as few iterations as this where the search has no more for them."""

RECUTS = 3
"""Times what is left because vehicles are few is cut again."""

HANDLED_TOO_MUCH_CNY = 100.0
"""What a piece beyond a station's capacity weighs in the search."""

T = TypeVar("T")

Ints = NDArray[np.int64]

Recent = dict[int, list[tuple[frozenset[int], DayRoutes]]]


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
    spent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def spend(self, work: int) -> None:
        """Count work, whichever thread does it."""
        with self._lock:
            self.spent += work

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
    depth : float
        How much days are worked on, as a share of usual.
    threads : int
        Days of so many bases are solved side by side; it does not change them.
    fleet : mapping of int to tuple
        The fleet of the choice at hand.
    ready, left_at : dict
        Station -> second its goods are ready, and when they left the hub.
    recent : dict
        Base (-1: the trunk) -> customers of some days and their routes, the latest last, to begin similar
        days with.
    """

    question: Question
    budget: Budget
    seed: int = 0
    depth: float = 1.0
    threads: int = 1
    fleet: dict[int, tuple[int, ...]] = field(default_factory=dict)
    ready: dict[int, int] = field(default_factory=dict)
    left_at: dict[int, int] = field(default_factory=dict)
    recent: Recent = field(default_factory=dict)
    _days: dict[object, DayRoutes] = field(default_factory=dict)
    _weeks: dict[object, float] = field(default_factory=dict)
    _uses: dict[object, Ints] = field(default_factory=dict)
    _visits: dict[object, list[Part]] = field(default_factory=dict)

    def about(self, question: Question) -> WeekRoutes:
        """Return routes of another question: days solved before begin similar ones, none is kept."""
        return replace(self, question=question, _days={}, _weeks={}, _uses={}, _visits={})

    def ready_at(self, base: int, visits: Visits = ()) -> tuple[int, int]:
        """Return when a base's goods are ready and left the hub: as settled, else as reckoned."""
        if base == HUB:
            return 0, 0
        if base in self.ready:
            return self.ready[base], self.left_at[base]
        return reckoned_ready(self.question, base, visits)

    def local_day(
        self, base: int, customers: tuple[int, ...], times: tuple[int, int], iterations: int | None = None
    ) -> DayRoutes:
        """Return the routes from a base to customers on one day; the best found so far is kept.

        ``times``: when its goods are ready, and left the hub.
        """
        fleet = self.fleet_of(base, trunk=False)
        key = (base, customers, times, fleet)
        known = self._days.get(key)
        if known is not None and iterations is None:
            return known

        def parts(share: float, of: Mapping[int, tuple[int, ...]]) -> list[Part]:
            return [p for c in customers for p in self._visit(c, base, times, share, of.get(c, fleet))]

        start = known or self._similar(base, customers)
        found = self._routed((base, times[0]), parts, fleet, iterations, start)
        return self._keep(key, base, customers, found, known)

    def _visit(
        self, customer: int, base: int, times: tuple[int, int], share: float, fleet: tuple[int, ...]
    ) -> list[Part]:
        """Return one visit cut into parts, cut once for the same vehicles."""
        key = (customer, base, times, share, tuple(count > 0 for count in fleet))
        if key not in self._visits:
            self._visits[key] = visit_parts(
                self.question, customer, base, times[1], times[0], share=share, fleet=fleet
            )
        return self._visits[key]

    def _routed(
        self,
        base: tuple[int, int],
        parts: Callable[[float, Mapping[int, tuple[int, ...]]], list[Part]],
        fleet: tuple[int, ...],
        iterations: int | None,
        start: DayRoutes | None,
    ) -> DayRoutes:
        """Return routes for visits cut into parts; the better of some ways to cut.

        Cheaper loads are tried on small days. What is left because vehicles are few is cut for those of which
        there are as many as wanted.
        """

        def routed(cut: list[Part]) -> DayRoutes:
            count = self.iterations(len(cut), start) if iterations is None else iterations
            self.budget.spend(day_work(count, len(cut)))
            return timely_routes(
                self.question, *base, cut, fleet,
                iterations=count, seed=self.seed, start=start,
            )  # fmt: skip

        def better(one: DayRoutes, other: DayRoutes) -> DayRoutes:
            return min(one, other, key=weight)

        few = parts(FEW, {})
        found = routed(few)
        if len(few) <= SMALL and (cheap := parts(1.0, {})) != few:
            found = better(found, routed(cheap))
        plenty = tuple(
            count if v.count is None else 0 for count, v in zip(fleet, self.question.vehicles, strict=True)
        )
        scarce: dict[int, tuple[int, ...]] = {}
        for _ in range(RECUTS if plenty != fleet and any(plenty) else 0):
            more = {p.site for p in found.left} - set(scarce)
            scarce |= dict.fromkeys(more, plenty)
            if not more or (other := parts(FEW, scarce)) == few:
                break
            found = better(found, routed(other))
        return found

    def _similar(self, base: int, customers: tuple[int, ...]) -> DayRoutes | None:
        """Return the routes of the most similar day of a base, where at least half is the same."""
        wanted = frozenset(customers)
        best: DayRoutes | None = None
        most = 0.5
        for some, routes in reversed(self.recent.get(base, [])):
            same = len(some & wanted) / max(len(some | wanted), 1)
            if same > most:
                best, most = routes, same
        return best

    def _keep(
        self, key: object, base: int, customers: tuple[int, ...], found: DayRoutes, known: DayRoutes | None
    ) -> DayRoutes:
        if known is None or weight(found) < weight(known) - 1e-9:
            self._days[key] = found
            recent = self.recent.setdefault(base, [])
            recent.append((frozenset(customers), found))
            del recent[:-RECENT]
        return self._days[key]

    def trunk_day(self, loads: tuple[Load, ...], iterations: int | None = None) -> DayRoutes:
        """Return the trunk's routes of one day."""
        if not loads:
            return NO_ROUTES
        fleet = self.fleet_of(-1, trunk=True)
        key = (loads, fleet)
        known = self._days.get(key)
        if known is not None and iterations is None:
            return known

        def parts(share: float, of: Mapping[int, tuple[int, ...]]) -> list[Part]:
            return [
                p
                for load in loads
                for p in load_parts(self.question, load, share=share, fleet=of.get(load[0], fleet))
            ]

        stations = tuple(load[0] for load in loads)
        start = known or self._similar(-1, stations)
        found = self._routed((HUB, 0), parts, fleet, iterations, start)
        return self._keep(key, -1, stations, found, known)

    def iterations(self, parts: int, start: DayRoutes | None = None) -> int:
        """Return how many iterations the search spends on a day of so many parts; fewer with a beginning."""
        depth = self.depth if self.budget.in_time() else min(self.depth, LATE_DEPTH)
        wanted = depth * min(20 + 2.0 * parts, 25_000.0 / max(parts, 1))
        small = 80.0 if self.depth >= 1.0 else 40.0  # small days cost nothing and must be right
        least = max(FEWEST if parts >= MANY else 10.0, min(small, 10.0 * small / max(parts, 1)))
        return round(max(least, wanted * (1.0 if start is None else 0.3)))

    def fleet_of(self, base: int, *, trunk: bool) -> tuple[int, ...]:
        """Return how many vehicles of each type a base, or the trunk, may use."""
        return self.fleet.get(base) or self.whole_fleet(trunk=trunk)

    def whole_fleet(self, *, trunk: bool) -> tuple[int, ...]:
        """Return how many vehicles of each type there are for the trunk, or for all bases."""
        return tuple(
            (10_000 if v.count is None else v.count) if (v.trunk if trunk else v.local) else 0
            for v in self.question.vehicles
        )

    def take(self, choice: Choice) -> None:
        """Let bases have the vehicles a choice gives them."""
        self.fleet = dict(choice.fleet)

    def base_week(self, base: int, visits: Visits) -> float:
        """Return what a base costs in a week without the trunk: routes, rent, handling, what is left out."""
        key = self._week_key(base, visits)
        if key not in self._weeks:
            times = key[2]
            self._weeks[key] = (
                sum(
                    weight(self.local_day(base, customers, times)) * len(days)
                    for customers, days in days_by_customers(base, visits)
                )
                + station_cost(self.question, base, visits)
                + handled_too_much(self.question, base, visits)
            )
        return self._weeks[key]

    def _week_key(
        self, base: int, visits: Visits
    ) -> tuple[int, Visits, tuple[int, int], tuple[int, ...] | None]:
        """Return what a base's week depends on; third: when its goods are ready, and left the hub."""
        return base, visits, self.ready_at(base, visits), self.fleet.get(base)

    def trunk_week(self, choice: Choice) -> float:
        """Return what the trunk costs in a week."""
        return sum((weight(day) * len(days) for day, days in self.trunk_routes(choice)), start=0.0)

    def trunk_routes(self, choice: Choice) -> list[tuple[DayRoutes, tuple[int, ...]]]:
        """Return the trunk's routes with the days of each."""
        found = trunk_days(self.question, choice.visits(), choice.station_bus)
        return [(self.trunk_day(loads), days) for loads, days in found]

    def week(self, choice: Choice) -> float:
        """Return what a choice costs in a week; what is left out, or lacks a vehicle, weighs heavily."""
        return self.week_if_enough(choice) + self.question.left_cny * float(self._lacking(choice).sum())

    def week_if_enough(self, choice: Choice) -> float:
        """Return what a choice costs in a week were there vehicles enough for all bases at once."""
        self.take(choice)
        weeks = choice.visits().items()
        new = [
            partial(self.base_week, base, visits)
            for base, visits in weeks
            if self._week_key(base, visits) not in self._weeks  # a thread costs more than looking one up
        ]
        trunk_cny, *_ = self.side_by_side([partial(self.trunk_week, choice), *new])
        return sum(self.base_week(base, visits) for base, visits in weeks) + trunk_cny

    def side_by_side(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Return what tasks about different bases return, worked on by as many threads as there may be.

        Days of one base begin with each other's routes: they are one task. PyVRP searches outside
        Python's lock.
        """
        if self.threads < 2 or len(tasks) < 2:
            return [task() for task in tasks]
        with ThreadPoolExecutor(min(self.threads, len(tasks))) as crew:
            return list(crew.map(lambda task: task(), tasks))

    def week_by_full_days(self, choice: Choice) -> float:
        """Return about what a choice costs in a week from the fullest day of each base, and of the trunk.

        To compare choices of a large county by; vehicles that several bases want at once are not looked at.
        """
        self.take(choice)
        total = 0.0
        for base, visits in choice.visits().items():
            total += station_cost(self.question, base, visits) + handled_too_much(self.question, base, visits)
            days = days_by_customers(base, visits)
            if days:
                fullest = max((customers for customers, _ in days), key=len)
                often = sum(len(customers) * len(some) for customers, some in days) / len(fullest)
                total += often * weight(self.local_day(base, fullest, self.ready_at(base, visits)))
        trunk = trunk_days(self.question, choice.visits(), choice.station_bus)
        if trunk:
            fullest_loads = max((loads for loads, _ in trunk), key=len)
            often = sum(len(loads) * len(some) for loads, some in trunk) / len(fullest_loads)
            total += often * weight(self.trunk_day(fullest_loads))
        return total

    def left_out(self, choice: Choice) -> tuple[float, float]:
        """Return what all that routes leave out in a week weighs, and its pieces."""
        self.take(choice)
        weighs, pieces = 0.0, 0.0
        made = [
            (self.local_day(base, customers, self.ready_at(base, some)), days)
            for base, some in choice.visits().items()
            for customers, days in days_by_customers(base, some)
        ]
        for day, days in made + self.trunk_routes(choice):
            weighs += len(days) * (weight(day) - day.cost_cny)
            pieces += len(days) * sum(part.pieces for part in day.left)
        return weighs, pieces

    def short(self, choice: Choice) -> Ints:
        """Return how many vehicles of each type are lacking, summed over the days of the week."""
        self.week_if_enough(choice)  # solves the days of several bases side by side
        return self._lacking(choice)

    def _lacking(self, choice: Choice) -> Ints:
        """Return the vehicles lacking in a choice whose days are solved."""
        few = [kind for kind, v in enumerate(self.question.vehicles) if v.count]
        lacking = np.zeros(len(self.question.vehicles), np.int64)
        if not few:
            return lacking
        used = self.trunk_uses(choice) + sum(self.base_uses(b, v) for b, v in choice.visits().items())
        for kind in few:
            count = self.question.vehicles[kind].count or 0
            lacking[kind] = np.maximum(used[kind] - count, 0).sum()
        return lacking

    def trunk_uses(self, choice: Choice) -> Ints:
        """Return the vehicles the trunk uses: a row for each type, a column for each day."""
        return self._vehicles(self.trunk_routes(choice))

    def base_uses(self, base: int, visits: Visits) -> Ints:
        """Return the vehicles a base uses: a row for each type, a column for each day."""
        key = self._week_key(base, visits)
        if key not in self._uses:
            times = key[2]
            self._uses[key] = self._vehicles(
                (self.local_day(base, customers, times), days)
                for customers, days in days_by_customers(base, visits)
            )
        return self._uses[key]

    def _vehicles(self, made: Iterable[tuple[DayRoutes, tuple[int, ...]]]) -> Ints:
        used = np.zeros((len(self.question.vehicles), 7), np.int64)
        for routes, days in made:
            for vehicle in routes.days:
                used[vehicle.vehicle, list(days)] += 1
        return used


def day_work(iterations: int, parts: int) -> int:
    """Return the work of solving a day, in customers times iterations; whole: added up in any order."""
    return iterations * (parts + 2) + round(BEGIN_WORK * parts**2)


def weight(routes: DayRoutes) -> float:
    """Return cost with what is left out."""
    return routes.cost_cny + sum(routes.left_cny + 10.0 * part.pieces for part in routes.left)


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
        latest = arrival_limit(question, base, visits)[0]
        hours_s = cold_s(question, base) if any(c == base for c, _ in visits) else NO_LIMIT_S
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
                per_day[day].append((base, rounded[0], rounded[1], rounded[2], rounded[3], latest, hours_s))
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
