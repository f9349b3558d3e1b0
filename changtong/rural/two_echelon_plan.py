"""Turns the routes a search found into a plan: tours of trucks in order, and what each brings where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from changtong.rural.first_level import first_level_cost, truck_sets
from changtong.rural.two_echelon import FreighterRoute, TruckRoute, TwoEchelonPlan
from changtong.rural.two_echelon_arrays import Arrays, Floats


def read_plan(arrays: Arrays) -> TwoEchelonPlan:
    """Return the best plan of a search, with numbers of the instance."""
    state, m = arrays.state, len(arrays.kept)
    demand = arrays.data.demand
    freighters = []
    loads = np.zeros(m)
    for r in np.flatnonzero(state.best_length > 0):
        customers = state.best_stops[r, : state.best_length[r]] - m
        load = float(sum(demand[c] for c in customers))
        s = int(state.best_satellite[r])
        loads[s] += load
        freighters.append(FreighterRoute(arrays.kept[s] + 1, tuple(int(c) + 1 for c in customers), load))
    freighters.sort(key=lambda route: (route.satellite, route.customers))
    trucks = []
    sets = best_truck_sets(arrays, loads)
    for members, brought in zip(sets, share_loads(sets, loads, arrays.data.truck_capacity), strict=True):
        visited = sum(1 << s for s in range(m) if members >> s & 1 and brought.get(s, 0.0) > 0)
        if visited:
            tour = _tour(arrays, visited)
            trucks.append(
                TruckRoute(tuple(arrays.kept[s] + 1 for s in tour), tuple(brought[s] for s in tour))
            )
    trucks.sort(key=lambda route: (route.satellites, route.loads))
    return TwoEchelonPlan(tuple(trucks), tuple(freighters))


def best_truck_sets(arrays: Arrays, loads: Floats) -> list[int]:
    """Return the sets of satellites the trucks of the cheapest first level visit."""
    data, work = arrays.data, arrays.work
    cost = first_level_cost(loads, data.tours, data.truck_capacity, data.trucks, work)
    if cost >= 1e17 or not work.used_count[0] or not (loads > 0).any():
        return []
    return [int(members) for members in work.sets[: truck_sets(data.trucks, work)]]


def best_loads(arrays: Arrays) -> Floats:
    """Return the loads of the satellites under the best plan."""
    state, m = arrays.state, len(arrays.kept)
    loads = np.zeros(m)
    for r in np.flatnonzero(state.best_length > 0):
        customers = state.best_stops[r, : state.best_length[r]] - m
        loads[state.best_satellite[r]] += arrays.data.demand[customers].sum()
    return loads


def share_loads(sets: Sequence[int], loads: Floats, capacity: float) -> list[dict[int, float]]:
    """Share the loads of satellites among trucks that visit these sets: a flow, by augmenting paths.

    Satellites with the fewest trucks go first, so that few deliveries are split.
    """
    tiny = 1e-9 * capacity
    room = [capacity] * len(sets)
    brought: list[dict[int, float]] = [{} for _ in sets]
    by = {
        s: [i for i, members in enumerate(sets) if members >> s & 1]
        for s in range(len(loads))
        if loads[s] > 0
    }
    for s in sorted(by, key=lambda s: (len(by[s]), s)):
        left = float(loads[s])
        while left > tiny:
            path = _path_to_room(s, by, brought, room, tiny)
            if path is None:
                break  # within rounding; the checker sees the rest
            amount = min(left, room[path[-1][1]], *(brought[a][b] for a, b in _given_up(path)))
            for satellite, truck in path:
                brought[truck][satellite] = brought[truck].get(satellite, 0.0) + amount
            for truck, satellite in _given_up(path):
                brought[truck][satellite] -= amount
                if brought[truck][satellite] <= tiny:
                    del brought[truck][satellite]
            room[path[-1][1]] -= amount
            left -= amount
    return brought


def _given_up(path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (truck, satellite) pairs whose delivery a later pair of the path takes over."""
    return [(path[i][1], path[i + 1][0]) for i in range(len(path) - 1)]


def _path_to_room(
    start: int, by: dict[int, list[int]], brought: list[dict[int, float]], room: list[float], tiny: float
) -> list[tuple[int, int]] | None:
    """Return satellites and trucks, in turn, that lead from a satellite to a truck with room."""
    came: dict[int, tuple[int, int | None]] = {}
    queue: list[tuple[int, int | None]] = [(start, None)]
    seen = {start}
    for satellite, through in queue:
        for truck in by[satellite]:
            if truck in came:
                continue
            came[truck] = (satellite, through)
            if room[truck] > tiny:
                path = [(satellite, truck)]
                while through is not None:
                    satellite, at = came[through]
                    path.append((satellite, through))
                    through = at
                return path[::-1]
            for other in brought[truck]:
                if other not in seen:
                    seen.add(other)
                    queue.append((other, truck))
    return None


def _tour(arrays: Arrays, members: int) -> list[int]:
    """Return the satellites of a set in the order of its best tour."""
    tour = []
    s = int(arrays.last[members])
    while members:
        tour.append(s)
        before = int(arrays.before[members, s])
        members ^= 1 << s
        s = before
    return tour[::-1]
