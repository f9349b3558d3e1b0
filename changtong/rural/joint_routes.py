"""Who serves whom, chosen by the routes themselves: one routing problem of a day with every base in use.

Moving villages one by one between bases stands still where a vehicle is full at each of them. A routing
problem with several depots (PyVRP) exchanges whole parts of rounds. What it proposes is judged by the week's
routes of both levels, all of it first, then base by base.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from changtong.rural.county_question import DAYS, HUB
from changtong.rural.day_routes import DayRoutes, route_day
from changtong.rural.station_choice import Reckoned, by_promise, move
from changtong.rural.visit_loads import visit_parts
from changtong.rural.visiting_days import spread_days
from changtong.rural.week_routes import Choice, WeekRoutes, day_work

MOST_PLACES = 3_000
"""Visits and bases of a day beyond which one problem would take too much memory."""

CLOSE = 1.25
"""A change of stations that costs at most so many times as much is worked on."""

MOST_SHAKEN = 8
"""Neighbours that are moved at once, at most one less."""

EXCHANGES = 5
"""Stations tried in place of one that is shut, the most promising."""

MOST_FLEETS = 5
"""Other ways to share out few vehicles that are tried."""

JOINT_SHARE = 0.05
"""Work of one day's problem, as a share of all."""


def improve_jointly(routes: WeekRoutes, reckoned: Reckoned, choice: Choice, share: float) -> Choice:
    """Let days with all bases in use choose the bases of their customers, while it pays.

    Parameters
    ----------
    routes : WeekRoutes
    reckoned : Reckoned
        Tells who can be served from where.
    choice : Choice
    share : float
        Of the budget, after which nothing more is tried.
    """
    cost = routes.week(choice)
    again = True
    while again:
        again = False
        for day in _days_to_try(choice):
            if not routes.budget.left(share):
                return choice
            before = choice
            for tried in _proposals(routes, reckoned, before, day, share):
                new = routes.week(tried)
                if new < cost - 1e-6:
                    choice, cost, again = tried, new, True
    return choice


def exchange_stations(routes: WeekRoutes, reckoned: Reckoned, choice: Choice, share: float) -> Choice:
    """Shut, open and exchange stations where it pays after a routing problem of all bases.

    Who moves to a station that opens is first reckoned; routes then fit badly, and the step would be given up
    too early. Those that come close are judged after :func:`improve_jointly`.
    """
    cost = routes.week(choice)
    again = True
    while again:
        again = False
        for changed in _station_moves(reckoned, choice):
            if not routes.budget.left(share):
                return choice
            tried = Choice(changed, spread_days(routes.question, changed, choice))
            if routes.week_if_enough(tried) > CLOSE * cost:
                continue
            tried = improve_jointly(routes, reckoned, tried, share)
            new = routes.week(tried)
            if new < cost - 1e-6:
                choice, cost, again = tried, new, True
                break
    return choice


def shake(routes: WeekRoutes, reckoned: Reckoned, choice: Choice, share: float) -> Choice:
    """Move a customer and its neighbours to another base at random, then let routes choose again.

    While the budget's share lasts; what is not better is forgotten.
    """
    cost, rng = routes.week(choice), np.random.default_rng(routes.seed)
    customers = sorted(choice.base)
    km = routes.question.km
    while routes.budget.left(share) and len(set(choice.base.values())) > 1:
        middle = customers[int(rng.integers(len(customers)))]
        near = sorted(customers, key=lambda c: (float(km[middle, c]), c))[: int(rng.integers(2, MOST_SHAKEN))]
        others = [b for b in sorted(set(choice.base.values())) if b != choice.base[middle]]
        close = sorted(others, key=lambda b: (float(reckoned.serve[b, middle]), b))[:3]
        to = close[int(rng.integers(len(close)))]
        moved = {c: to for c in near if np.isfinite(reckoned.serve[to, c])}
        routes.budget.spend(len(customers))  # so that a shake that changes nothing ends as well
        tried = replace(choice, base={**choice.base, **moved})
        tried = improve_jointly(routes, reckoned, tried, share)
        new = routes.week(tried)
        if new < cost - 1e-6:
            choice, cost = tried, new
    return choice


def _station_moves(reckoned: Reckoned, choice: Choice) -> list[dict[int, int]]:
    """Return customers' bases after each change of stations, the most promising first."""
    used = set(choice.base.values())
    order = by_promise(reckoned, choice)
    single = [move(reckoned, choice, base) for base in order]
    found = [one for one in single if one is not None]
    for shut in [b for b in order if b in used]:
        moved = move(reckoned, choice, shut)
        if moved is None:
            continue
        without = Choice(moved, choice.days)
        for opened in [b for b in order if b not in used][:EXCHANGES]:
            both = move(reckoned, without, opened)
            if both is not None:
                found.append(both)
    return found


def _days_to_try(choice: Choice) -> list[int]:
    """Return days with different customers, the busiest first."""
    found: dict[frozenset[int], int] = {}
    for day in DAYS:
        customers = frozenset(c for c in choice.base if choice.days[c] >> day & 1)
        if customers:
            found.setdefault(customers, day)
    return [day for _, day in sorted(found.items(), key=lambda one: (-len(one[0]), one[1]))]


def _proposals(
    routes: WeekRoutes, reckoned: Reckoned, choice: Choice, day: int, share: float
) -> Iterator[Choice]:
    """Yield choices with other bases for customers of a day: all that a problem changes, then in parts."""
    routes.take(choice)  # others were judged meanwhile
    question, visits = routes.question, choice.visits()
    bases = [HUB, *(b for b in visits if b != HUB)]
    customers = [c for c, b in choice.base.items() if choice.days[c] >> day & 1 and c != b]
    parts = [part for c in customers for part in visit_parts(question, c, HUB, 0)]
    if not parts or len(bases) < 2 or len(parts) + len(bases) > MOST_PLACES:
        return
    known = [
        routes.local_day(b, today, routes.ready_at(b, visits[b]))
        for b in visits
        if (today := tuple(c for c, mask in visits[b] if mask >> day & 1 and c != b))
    ]
    fleet = routes.whole_fleet(trunk=False)
    start = DayRoutes(tuple(d for some in known for d in some.days), (), 0.0)
    for fleet_at in _fleets(routes, choice, day, bases, start, fleet):
        if not routes.budget.left(share):
            return
        if fleet_at is not None and not any(any(row) for row in fleet_at):
            continue  # the trunk has them all
        count = max(50, round(JOINT_SHARE * routes.budget.work / len(parts)))
        routes.budget.spend(day_work(count, len(parts)))
        found = route_day(
            question,
            [(b, routes.ready_at(b, visits.get(b, ()))[0]) for b in bases],
            parts,
            fleet,
            iterations=count,
            seed=routes.seed,
            start=start,
            fleet_at=fleet_at,
        )
        moved = _moved(reckoned, choice, found)
        given = {} if fleet_at is None else {b: tuple(row) for b, row in zip(bases, fleet_at, strict=True)}
        if given and not moved:
            yield replace(choice, fleet=given)
        for some in _in_parts(choice, moved):
            yield replace(choice, base={**choice.base, **some}, fleet=given)


def _moved(reckoned: Reckoned, choice: Choice, found: DayRoutes) -> dict[int, int]:
    """Return customer -> base where routes serve it from another one; where most of its pieces come from."""
    votes: dict[int, dict[int, float]] = {}
    for vehicle in found.days:
        for trip in vehicle.trips:
            for stop in trip.stops:
                mine = votes.setdefault(stop.part.site, {})
                mine[vehicle.base] = mine.get(vehicle.base, 0.0) + stop.part.pieces + 1e-6
    chosen = {c: max(mine, key=lambda b: (mine[b], -b)) for c, mine in votes.items()}
    return {
        c: b for c, b in sorted(chosen.items()) if b != choice.base[c] and np.isfinite(reckoned.serve[b, c])
    }


def _in_parts(choice: Choice, wanted: dict[int, int]) -> list[dict[int, int]]:
    """Return what to try: everything, then what two bases exchange."""
    if not wanted:
        return []
    pairs: dict[tuple[int, int], dict[int, int]] = {}
    for c, b in wanted.items():
        pair = (min(b, choice.base[c]), max(b, choice.base[c]))
        pairs.setdefault(pair, {})[c] = b
    some = sorted(pairs.values(), key=len, reverse=True)
    return [wanted, *some] if len(some) > 1 else [wanted]


def _fleets(
    routes: WeekRoutes, choice: Choice, day: int, bases: list[int], start: DayRoutes, fleet: tuple[int, ...]
) -> list[list[list[int]] | None]:
    """Return vehicles of each type at each base, to try one after another.

    Where there are few of a type, each base has what it uses now. Where that is too many one base gives up
    what is too much, the one whose vehicles are emptiest first; where none is spare, one goes elsewhere.
    """
    vehicles = routes.question.vehicles
    few = [kind for kind, v in enumerate(vehicles) if v.count and fleet[kind] > 0]
    if not few:
        return [None]
    in_trunk = routes.trunk_uses(choice)[:, day]
    found = [list(fleet) for _ in bases]
    others: list[list[list[int]]] = []
    for kind in few:
        free = max(0, (vehicles[kind].count or 0) - int(in_trunk[kind]))
        used, load = [0] * len(bases), [0.0] * len(bases)
        for one in start.days:
            if one.vehicle == kind:
                place = bases.index(one.base)
                used[place] += 1
                load[place] += sum(stop.part.pieces for trip in one.trips for stop in trip.stops)
        tries = _allocations(used, load, free)
        for place, count in enumerate(tries[0]):
            found[place][kind] = count
        others += [
            [[*row[:kind], count, *row[kind + 1 :]] for row, count in zip(found, one, strict=True)]
            for one in tries[1:]
        ]
    return [found, *others[:MOST_FLEETS]]


def _allocations(used: list[int], load: list[float], free: int) -> list[list[int]]:
    """Return numbers of vehicles at each base, in all no more than there are.

    Examples
    --------
    >>> _allocations([4, 1], [40.0, 2.0], 4)
    [[4, 0], [3, 1]]
    >>> _allocations([2, 2], [30.0, 20.0], 4)
    [[2, 2], [3, 1], [1, 3]]
    """
    order = sorted((k for k, n in enumerate(used) if n), key=lambda k: (load[k] / used[k], k))
    over = sum(used) - free
    if over > 0:
        return [
            [n - (over if j == k else 0) for j, n in enumerate(used)] for k in order if used[k] >= over
        ] or [_cut(used, order, over)]
    if over < 0:
        return [[n + (j == order[-1]) * -over if order else n for j, n in enumerate(used)]]
    shifts = [
        [n + (j == into) - (j == out) for j, n in enumerate(used)]
        for out in order
        for into in reversed(order)
        if out != into
    ]
    return [list(used), *shifts]


def _cut(used: list[int], order: list[int], over: int) -> list[int]:
    """Take what is too much from one base after another."""
    left = list(used)
    for k in order:
        taken = min(left[k], over)
        left[k], over = left[k] - taken, over - taken
    return left
