"""Two-echelon instances made up for tests, and a slow solver that tries everything."""

from __future__ import annotations

import itertools
import math
import random

from changtong.rural.two_echelon import Customer, Fleet, Place, Satellite, TwoEchelonInstance


def tour_length(start: Place, stops: list[Place]) -> float:
    """Return the length of the best tour, by trying every order."""
    if not stops:
        return 0.0
    return min(
        sum(math.dist((a.x, a.y), (b.x, b.y)) for a, b in itertools.pairwise([start, *order, start]))
        for order in itertools.permutations(stops)
    )


def partitions(items: list[int]) -> list[list[list[int]]]:
    """Return every way to part items into groups."""
    if not items:
        return [[]]
    head, *rest = items
    made = []
    for parted in partitions(rest):
        made.append([[head], *parted])
        for i in range(len(parted)):
            made.append([*parted[:i], [head, *parted[i]], *parted[i + 1 :]])
    return made


def first_level_by_trial(instance: TwoEchelonInstance, loads: list[float]) -> float:
    """Return the least cost of the first level, over all multisets of truck tours.

    Tours can bring the loads when no set of satellites asks for more than the tours that meet it hold.
    """
    used = [s for s, load in enumerate(loads) if load > 0]
    if not used:
        return 0.0
    fleet = instance.trucks
    sets = [c for k in range(1, len(used) + 1) for c in itertools.combinations(used, k)]
    price = {
        c: tour_length(instance.depot, [instance.satellites[s].place for s in c]) * fleet.cost_per_distance
        + fleet.fixed_cost
        for c in sets
    }
    best = math.inf
    for k in range(1, fleet.vehicles + 1):
        for tours in itertools.combinations_with_replacement(sets, k):
            cost = sum(price[t] for t in tours)
            if cost >= best:
                continue
            if all(
                sum(loads[s] for s in c) <= fleet.capacity * sum(bool(set(t) & set(c)) for t in tours) + 1e-9
                for c in sets
            ):
                best = cost
    return best


def best_cost(instance: TwoEchelonInstance) -> float:
    """Return the cost of the best plan, by trying every parting of customers and every satellite."""
    fleet, best = instance.freighters, math.inf
    m = len(instance.satellites)
    first: dict[tuple[float, ...], float] = {}
    length: dict[tuple[int, tuple[int, ...]], float] = {}
    for parted in partitions(list(range(len(instance.customers)))):
        if len(parted) > fleet.vehicles:
            continue
        loads = [sum(instance.customers[c].demand for c in group) for group in parted]
        if any(load > fleet.capacity for load in loads):
            continue
        for begins in itertools.product(range(m), repeat=len(parted)):
            if any(begins.count(s) > instance.freighters_per_satellite for s in range(m)):
                continue
            brought = [0.0] * m
            cost = 0.0
            for group, load, s in zip(parted, loads, begins, strict=True):
                brought[s] += load
                key = (s, tuple(sorted(group)))
                if key not in length:
                    stops = [instance.customers[c].place for c in group]
                    length[key] = tour_length(instance.satellites[s].place, stops)
                cost += length[key] * fleet.cost_per_distance + fleet.fixed_cost
                cost += load * instance.satellites[s].handling_cost
            if any(brought[s] > instance.satellites[s].capacity for s in range(m)):
                continue
            cost += sum(instance.satellites[s].opening_cost for s in set(begins))
            if cost >= best:
                continue
            key_loads = tuple(brought)
            if key_loads not in first:
                first[key_loads] = first_level_by_trial(instance, brought)
            best = min(best, cost + first[key_loads])
    return best


def tiny(seed: int, *, split: bool = False) -> TwoEchelonInstance:
    """Return an instance of up to six customers and three satellites; ``split`` makes trucks small."""
    rng = random.Random(seed)

    def place() -> Place:
        return Place(rng.randint(0, 20), rng.randint(0, 20))

    n, m = rng.randint(4, 6), rng.randint(2, 3)
    demands = [rng.randint(1, 6) for _ in range(n)]
    total = sum(demands)
    capacity = max(max(demands), math.ceil(total / rng.randint(2, 3)) + rng.randint(0, 3))
    per_satellite = rng.randint(1, 2)
    trucks = rng.randint(2, 3)
    large = math.ceil(total / trucks) if split else total
    return TwoEchelonInstance(
        f"tiny {seed}",
        Fleet(trucks, large, rng.choice([1.0, 2.0]), rng.choice([0, 3])),
        Fleet(rng.randint(3, 4), capacity, 1.0, rng.choice([0, 5])),
        per_satellite,
        place(),
        tuple(
            Satellite(place(), rng.choice([0, 0.5]), rng.choice([math.inf, total * 0.8]), rng.choice([0, 4]))
            for _ in range(m)
        ),
        tuple(Customer(place(), demand) for demand in demands),
    )


def published_like(kind: int, seed: int, customers: int, satellites: int) -> TwoEchelonInstance:
    """Return an instance after the published description of Set 4, 5 or 6; not one of its files.

    Set 4: three trucks, six freighters, limits per satellite. Set 5: demands 11 to 20, many small freighters,
    five trucks. Set 6: limits per satellite, handling costs.
    """
    rng = random.Random(seed)
    wide = 1000 if kind == 4 else 100
    demands = [rng.randint(11, 20) if kind == 5 else rng.randint(5, 40) for _ in range(customers)]
    total = sum(demands)
    small = {4: math.ceil(total / 5.2), 5: 70 if seed % 2 else 150, 6: math.ceil(total * 6.5 / customers)}[
        kind
    ]
    vehicles = {4: 6, 5: math.ceil(1.3 * total / small), 6: 50}[kind]
    handling = kind == 6 and seed % 2 == 0
    return TwoEchelonInstance(
        f"like set {kind}, {customers} customers, {satellites} satellites, {seed}",
        Fleet({4: 3, 5: 5, 6: 4}[kind], math.ceil(total / {4: 2.1, 5: 4.0, 6: 3.4}[kind])),
        Fleet(vehicles, small),
        {4: math.ceil(7 / satellites) + 1, 5: vehicles, 6: 6}[kind],
        Place(0, 0) if kind != 6 else Place(wide / 2, wide / 2),
        tuple(
            Satellite(
                Place(rng.randint(0, wide), rng.randint(0, wide)),
                round(rng.uniform(0.02, 0.2), 2) if handling else 0.0,
            )
            for _ in range(satellites)
        ),
        tuple(Customer(Place(rng.randint(0, wide), rng.randint(0, wide)), demand) for demand in demands),
    )


def as_text(instance: TwoEchelonInstance) -> str:
    """Return an instance in the form of its files."""

    def fleet(first: list[float], given: Fleet) -> str:
        return ",".join(
            f"{v:g}"
            for v in [*first, given.vehicles, given.capacity, given.cost_per_distance, given.fixed_cost]
        )

    def store(s: Satellite) -> str:
        values = [s.place.x, s.place.y, s.handling_cost]
        if math.isfinite(s.capacity):
            values += [s.capacity, s.opening_cost]
        return ",".join(f"{v:.12g}" for v in values)

    return "\n".join(
        [
            "!Trucks: (total #, capacity, cost per distance, fixcost)",
            fleet([], instance.trucks),
            "!CityFreighters: (max cf/sat, total #, cap, cost/dist, fixcost)",
            fleet([instance.freighters_per_satellite], instance.freighters),
            "!Stores: (first: depot x,y; then: satellites x,y,handlingCost,maxCap,fixCost)",
            "   ".join([f"{instance.depot.x:g},{instance.depot.y:g}", *map(store, instance.satellites)]),
            "!Customers: (x,y,demand)",
            "   ".join(f"{c.place.x:g},{c.place.y:g},{c.demand:g}" for c in instance.customers),
        ]
    )
