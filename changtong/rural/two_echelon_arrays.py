"""Arrays of a two-echelon instance for the kernels, and plans read back from them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from changtong.rural.first_level import FirstLevelWork, first_level_work, least_costs, tour_costs
from changtong.rural.route_steps import ABSENT, BEST, FIGURES, PENALTY, TOTAL, Data, Pool, State
from changtong.rural.two_echelon import TwoEchelonInstance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_SATELLITES = 15
"""Satellites whose sets are all kept at hand; of more, those nearest to the demand are used."""

MOST_WHERE_NEEDED = 20
"""Satellites used where fewer have no room for all freighters or for the whole demand."""

MOST_COVERED = 11
"""Satellites up to which the least cost of covering a set with several trucks is computed."""

MOST_NEAR = 300

MOST_TRUCKS = 400
"""Trucks the first level is computed for."""

POOL_SLOTS = 1 << 17
POOL_STOPS = 1 << 21


class Arrays:
    """What the kernels work on.

    Attributes
    ----------
    kept : tuple of int
        The satellites in use: their numbers, from 0, in the instance.
    data, state, work
        See :mod:`changtong.rural.route_steps` and :mod:`changtong.rural.first_level`.
    last, before
        Tours of sets of satellites, to be read backwards.
    limits : array of int
        Most city freighters of each kept satellite.
    edge : float
        A typical distance between neighbours, in cost.
    """

    def __init__(self, instance: TwoEchelonInstance, seed: int) -> None:
        self.instance = instance
        self.kept = kept_satellites(instance)
        satellites = [instance.satellites[s] for s in self.kept]
        m, n = len(satellites), len(instance.customers)
        places = [s.place for s in satellites] + [c.place for c in instance.customers]
        points = np.array([(place.x, place.y) for place in places], np.float64)
        depot = np.array([[instance.depot.x, instance.depot.y]], np.float64)
        demand = np.array([customer.demand for customer in instance.customers], np.float64)
        distance = _distances(points)
        around = np.arctan2(*(points[:m] - depot).T)
        trucks = truck_limit(instance, m)
        first = _distances(np.vstack([depot, points[:m]]))
        per_distance, fixed = instance.trucks.cost_per_distance, instance.trucks.fixed_cost
        tours, self.last, self.before = tour_costs(first, per_distance, fixed)
        capacity = instance.trucks.capacity
        fewest = _fewest_trucks(instance)
        least = least_costs(tours, fewest if m <= MOST_COVERED else 1)
        handling = np.outer(demand, [s.handling_cost for s in satellites])
        near = np.argsort(distance[m:, m:], axis=1, kind="stable")[:, 1 : MOST_NEAR + 1]
        self.limits: Ints = np.full(m, instance.freighters_per_satellite, np.int64)
        rng = np.random.default_rng(seed)
        self.data = Data(
            distance * instance.freighters.cost_per_distance,
            np.ascontiguousarray(handling),
            demand,
            np.ascontiguousarray(near.astype(np.int64)),
            np.ascontiguousarray(distance[m:, :m].min(axis=1)),
            tours,
            least,
            np.array([s.opening_cost for s in satellites], np.float64),
            self.limits.copy(),
            np.array([s.capacity * (1 + 1e-9) for s in satellites], np.float64),
            rng.integers(0, 2**63, m + n).astype(np.uint64),
            float(instance.freighters.capacity),
            float(instance.freighters.fixed_cost),
            float(capacity),
            int(trucks),
        )
        nearest = np.sort(self.data.cost[m:, m:], axis=1)[:, 1:4]
        self.edge = float(nearest.mean()) if nearest.size and nearest.mean() > 0 else 1.0
        self.work: FirstLevelWork = first_level_work(around, trucks)
        self.state = _state(min(instance.freighters.vehicles, n), m, n, _most_stops(demand, instance), seed)
        self.state.figure[PENALTY] = 10.0 * self.edge + instance.freighters.fixed_cost
        self.state.figure[ABSENT] = 1.5 * n
        self.state.figure[TOTAL] = 1e17
        self.state.figure[BEST] = 1e17

    def best_routes(self) -> tuple[NDArray[np.int64], Ints, Ints]:
        """Return copies of the best plan's stops, lengths and satellites."""
        state = self.state
        return state.best_stops.copy(), state.best_length.copy(), state.best_satellite.copy()

    def used_satellites(self) -> list[int]:
        """Return the satellites of the best plan, the least used first."""
        m = len(self.kept)
        count = np.bincount(self.state.best_satellite[self.state.best_length > 0], minlength=m)
        return [int(s) for s in np.argsort(count, kind="stable") if count[s]]


def _distances(points: Floats) -> Floats:
    return np.hypot(points[:, None, 0] - points[None, :, 0], points[:, None, 1] - points[None, :, 1])


def _most_stops(demand: Floats, instance: TwoEchelonInstance) -> int:
    """Return how many customers one city freighter can visit at most."""
    sums = np.cumsum(np.sort(demand))
    return max(1, int(np.searchsorted(sums, instance.freighters.capacity * (1 + 1e-6), side="right")))


def _fewest_trucks(instance: TwoEchelonInstance) -> int:
    return max(1, math.ceil(instance.demand / instance.trucks.capacity - 1e-9))


def truck_limit(instance: TwoEchelonInstance, satellites: int) -> int:
    """Return how many trucks a search considers.

    More than the least number and one for each satellite in use never drive: all but the last truck of a
    group that shares satellites are full.
    """
    return min(instance.trucks.vehicles, _fewest_trucks(instance) + satellites, MOST_TRUCKS)


def kept_satellites(instance: TwoEchelonInstance) -> tuple[int, ...]:
    """Return the satellites to use: all, or those that bring the demand nearest, chosen one by one.

    Of each choice the largest of the others can still take the whole demand, as long as any choice can.
    """
    count = len(instance.satellites)
    if count <= MOST_SATELLITES:
        return tuple(range(count))
    places = np.array([(s.place.x, s.place.y) for s in instance.satellites], np.float64)
    customers = np.array([(c.place.x, c.place.y) for c in instance.customers], np.float64)
    demand = np.array([c.demand for c in instance.customers], np.float64)
    room = np.minimum([s.capacity for s in instance.satellites], demand.sum())
    largest = np.sort(room)[::-1]
    # a whole customer fits nowhere in what is left over at a satellite
    asked = min(demand.sum() + demand.max(), largest[:MOST_WHERE_NEEDED].sum())
    number = MOST_SATELLITES
    routes = first_fit(demand, [instance.freighters.capacity] * len(demand)) or 0
    freighters = min(instance.freighters.vehicles, routes)
    while number < min(count, MOST_WHERE_NEEDED) and (
        number * instance.freighters_per_satellite < freighters
        or first_fit(demand, largest[:number].tolist()) is None
    ):
        number += 1
    away = np.hypot(places[:, None, 0] - customers[None, :, 0], places[:, None, 1] - customers[None, :, 1])
    nearest = np.full(len(customers), np.inf)
    kept: list[int] = []
    for left in range(number - 1, -1, -1):
        cost = (np.minimum(away, np.minimum(nearest, 1e15)) * demand).sum(axis=1)
        cost[kept] = np.inf
        others = [_largest_others(room, [*kept, s], left) for s in range(count)]
        able = room[kept].sum() + room + others >= asked * (1 - 1e-9)
        kept.append(int(np.argmin(np.where(able, cost, np.inf) if able.any() else cost)))
        nearest = np.minimum(nearest, away[kept[-1]])
    return tuple(sorted(kept))


def _largest_others(room: Floats, without: list[int], number: int) -> float:
    """Return the room of the largest satellites besides some."""
    others = np.delete(room, without)
    return float(np.sort(others)[::-1][:number].sum())


def first_fit(demand: Floats, room: list[float]) -> int | None:
    """Return how many places are used when each customer, large ones first, gets the first one with room.

    None where one finds no room. It is an upper bound of the least number.
    """
    left = [most * (1 + 1e-9) for most in room]
    used = 0
    for asked in np.sort(demand)[::-1]:
        at = next((k for k, most in enumerate(left) if asked <= most), None)
        if at is None:
            return None
        left[at] -= asked
        used = max(used, at + 1)
    return used


def searched_part(instance: TwoEchelonInstance) -> TwoEchelonInstance:
    """Return what a search looks at: the instance itself, or with fewer satellites and trucks.

    Trucks that never drive are not counted as cut.
    """
    kept = kept_satellites(instance)
    trucks = instance.trucks
    if truck_limit(instance, len(kept)) == MOST_TRUCKS:
        trucks = replace(trucks, vehicles=MOST_TRUCKS)
    if len(kept) == len(instance.satellites) and trucks == instance.trucks:
        return instance
    return replace(instance, trucks=trucks, satellites=tuple(instance.satellites[s] for s in kept))


def _state(routes: int, m: int, n: int, most_stops: int, seed: int) -> State:
    wide = most_stops + 1
    pool = Pool(
        np.zeros(POOL_SLOTS, np.uint64),
        np.zeros(POOL_SLOTS),
        np.zeros(POOL_SLOTS),
        np.zeros(POOL_SLOTS, np.int64),
        np.zeros(POOL_SLOTS, np.int32),
        np.zeros(POOL_SLOTS, np.int32),
        np.zeros(POOL_STOPS, np.int32),
        np.zeros(2, np.int64),
    )
    return State(
        np.zeros((routes, wide), np.int64),
        np.zeros(routes, np.int64),
        np.zeros(routes),
        np.zeros(routes),
        np.full(routes, -1, np.int64),
        np.full(n, -1, np.int64),
        np.zeros(m, np.int64),
        np.zeros(m),
        np.zeros(routes, np.int64),
        np.zeros((routes, wide), np.int64),
        np.zeros(routes, np.int64),
        np.zeros(routes),
        np.zeros(routes),
        np.zeros(routes, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n),
        np.zeros(wide, np.int64),
        np.zeros(m),
        np.array([(seed * 7919 + 1) % 2**64], np.uint64),
        np.zeros((routes, wide), np.int64),
        np.zeros(routes, np.int64),
        np.zeros(routes, np.int64),
        pool,
        np.zeros(FIGURES),
    )
