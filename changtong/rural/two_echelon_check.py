"""The checker of two-echelon plans: every limit looked at again, the cost added up again.

Plain arithmetic over the instance and the routes; nothing is shared with the search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from changtong.errors import Problem
from changtong.rural.two_echelon import Place, TwoEchelonCost, TwoEchelonInstance, TwoEchelonPlan

TOLERANCE = 1e-6
"""Share of a capacity, or of the whole demand, that sums may be off by rounding."""


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """What the checker found: the faults, and the cost where there is none."""

    faults: tuple[Problem, ...]
    cost: TwoEchelonCost | None


def check_two_echelon(instance: TwoEchelonInstance, plan: TwoEchelonPlan) -> CheckedPlan:
    """Check a plan against all limits of its instance, and recompute its cost.

    Parameters
    ----------
    instance : TwoEchelonInstance
    plan : TwoEchelonPlan

    Returns
    -------
    CheckedPlan
    """
    faults = _second_level_faults(instance, plan)
    if not faults:
        faults = _first_level_faults(instance, plan)
    return CheckedPlan(tuple(faults), None if faults else _cost(instance, plan))


def _fault(code: str, message: str) -> Problem:
    return Problem(code, message)


def _second_level_faults(instance: TwoEchelonInstance, plan: TwoEchelonPlan) -> list[Problem]:
    faults = []
    visits = [0] * (len(instance.customers) + 1)
    starts = [0] * (len(instance.satellites) + 1)
    fleet = instance.freighters
    for number, route in enumerate(plan.freighters, 1):
        name = f"city freighter {number}"
        if not 1 <= route.satellite <= len(instance.satellites):
            faults.append(_fault("no-such-place", f"{name} starts at satellite {route.satellite}."))
            continue
        starts[route.satellite] += 1
        strange = [c for c in route.customers if not 1 <= c <= len(instance.customers)]
        if strange:
            faults.append(_fault("no-such-place", f"{name} visits customer {strange[0]}."))
            continue
        if not route.customers:
            faults.append(_fault("empty-route", f"{name} visits nobody."))
        load = 0.0
        for c in route.customers:
            visits[c] += 1
            load += instance.customers[c - 1].demand
        if not math.isfinite(route.load) or abs(load - route.load) > TOLERANCE * max(1.0, fleet.capacity):
            faults.append(_fault("load-differs", f"{name} says a load of {route.load}, it is {load}."))
        if load > fleet.capacity * (1 + TOLERANCE):
            faults.append(_fault("over-capacity", f"{name} carries {load} of at most {fleet.capacity}."))
    for c, count in enumerate(visits[1:], 1):
        if count != 1:
            faults.append(_fault("not-once", f"Customer {c} is visited {count} times, not once."))
    if len(plan.freighters) > fleet.vehicles:
        faults.append(
            _fault("too-many-vehicles", f"{len(plan.freighters)} city freighters of {fleet.vehicles}.")
        )
    for s, count in enumerate(starts[1:], 1):
        if count > instance.freighters_per_satellite:
            most = instance.freighters_per_satellite
            faults.append(
                _fault(
                    "too-many-vehicles",
                    f"{count} city freighters start at satellite {s} of {most}.",
                )
            )
    return faults


def _first_level_faults(instance: TwoEchelonInstance, plan: TwoEchelonPlan) -> list[Problem]:
    faults = []
    brought = [0.0] * (len(instance.satellites) + 1)
    fleet = instance.trucks
    for number, route in enumerate(plan.trucks, 1):
        name = f"truck {number}"
        strange = [s for s in route.satellites if not 1 <= s <= len(instance.satellites)]
        if strange:
            faults.append(_fault("no-such-place", f"{name} visits satellite {strange[0]}."))
            continue
        if not route.satellites:
            faults.append(_fault("empty-route", f"{name} visits no satellite."))
        if len(route.loads) != len(route.satellites):
            faults.append(_fault("load-differs", f"{name} has {len(route.loads)} loads."))
            continue
        if len(set(route.satellites)) != len(route.satellites):
            faults.append(_fault("not-once", f"{name} visits a satellite twice."))
        for s, load in zip(route.satellites, route.loads, strict=True):
            if not (math.isfinite(load) and load >= 0):
                faults.append(_fault("load-differs", f"{name} leaves {load} at satellite {s}."))
                continue
            brought[s] += load
        if sum(route.loads) > fleet.capacity * (1 + TOLERANCE):
            faults.append(
                _fault("over-capacity", f"{name} carries {sum(route.loads)} of at most {fleet.capacity}.")
            )
    if len(plan.trucks) > fleet.vehicles:
        faults.append(_fault("too-many-vehicles", f"{len(plan.trucks)} trucks of {fleet.vehicles}."))
    taken = [0.0] * (len(instance.satellites) + 1)
    for freighter in plan.freighters:
        taken[freighter.satellite] += freighter.load
    slack = TOLERANCE * max(1.0, instance.demand)
    for s, satellite in enumerate(instance.satellites, 1):
        if abs(brought[s] - taken[s]) > slack:
            faults.append(_fault("load-differs", f"Satellite {s} gets {brought[s]} and gives {taken[s]}."))
        if taken[s] > satellite.capacity * (1 + TOLERANCE):
            faults.append(
                _fault("over-capacity", f"{taken[s]} passes satellite {s}, at most {satellite.capacity} may.")
            )
    return faults


def _distance(a: Place, b: Place) -> float:
    return math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2)


def _tour(start: Place, stops: list[Place]) -> float:
    way = [start, *stops, start]
    return sum(_distance(a, b) for a, b in zip(way, way[1:], strict=False))


def _cost(instance: TwoEchelonInstance, plan: TwoEchelonPlan) -> TwoEchelonCost:
    satellites, customers = instance.satellites, instance.customers
    one = sum(_tour(instance.depot, [satellites[s - 1].place for s in t.satellites]) for t in plan.trucks)
    two = sum(
        _tour(satellites[f.satellite - 1].place, [customers[c - 1].place for c in f.customers])
        for f in plan.freighters
    )
    handling = sum(
        satellites[f.satellite - 1].handling_cost * sum(customers[c - 1].demand for c in f.customers)
        for f in plan.freighters
    )
    opened = {f.satellite for f in plan.freighters} | {s for t in plan.trucks for s in t.satellites}
    fixed = (
        len(plan.trucks) * instance.trucks.fixed_cost
        + len(plan.freighters) * instance.freighters.fixed_cost
        + sum(satellites[s - 1].opening_cost for s in opened)
    )
    return TwoEchelonCost(
        one * instance.trucks.cost_per_distance,
        two * instance.freighters.cost_per_distance,
        handling,
        fixed,
    )
