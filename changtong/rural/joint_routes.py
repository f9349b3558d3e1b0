"""Who serves whom, chosen by the routes themselves: one routing problem of a day with every base in use.

Moving villages one by one between bases stands still where a vehicle is full at each of them. A routing
problem with several depots (PyVRP) exchanges whole parts of rounds. What it proposes is judged by the week's
routes of both levels, all of it first, then base by base.
"""

from __future__ import annotations

from changtong.rural.county_question import DAYS, HUB
from changtong.rural.day_routes import DayRoutes, route_day
from changtong.rural.station_choice import Reckoned
from changtong.rural.week_routes import Choice, WeekRoutes, visit_parts

MOST_PLACES = 3_000
"""Visits and bases of a day beyond which one problem would take too much memory."""

JOINT_SHARE = 0.12
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
            wanted = _bases_of_day(routes, reckoned, choice, day)
            for some in _proposals(choice, wanted):
                tried = Choice({**choice.base, **some}, choice.days, choice.bus, choice.station_bus)
                new = routes.week(tried)
                if new < cost - 1e-6:
                    choice, cost, again = tried, new, True
                    break
    return choice


def _days_to_try(choice: Choice) -> list[int]:
    """Return days with different customers, the busiest first."""
    found: dict[frozenset[int], int] = {}
    for day in DAYS:
        customers = frozenset(c for c in choice.base if choice.days[c] >> day & 1)
        if customers:
            found.setdefault(customers, day)
    return [day for _, day in sorted(found.items(), key=lambda one: (-len(one[0]), one[1]))]


def _bases_of_day(routes: WeekRoutes, reckoned: Reckoned, choice: Choice, day: int) -> dict[int, int]:
    """Return customer -> base as one routing problem of the day has it, where that is another one."""
    question, visits = routes.question, choice.visits()
    bases = [HUB, *(b for b in visits if b != HUB)]
    customers = [c for c, b in choice.base.items() if choice.days[c] >> day & 1 and c != b]
    ready = [(b, routes.ready_at(b, visits.get(b, ()))[0]) for b in bases]
    parts = [part for c in customers for part in visit_parts(question, c, HUB, 0)]
    if not parts or len(bases) < 2 or len(parts) + len(bases) > MOST_PLACES:
        return {}
    known = [
        routes.local_day(b, today, routes.ready_at(b, visits[b]))
        for b in visits
        if (today := tuple(c for c, mask in visits[b] if mask >> day & 1 and c != b))
    ]
    start = DayRoutes(tuple(d for some in known for d in some.days), (), 0.0)
    count = max(50, round(JOINT_SHARE * routes.budget.work / len(parts)))
    routes.budget.spent += count * (len(parts) + 2)
    found = route_day(
        question,
        ready,
        parts,
        routes.fleet_of(HUB, trunk=False),
        iterations=count,
        seed=routes.seed,
        day_price=routes.price,
        start=start,
    )
    # a customer in several parts goes where most of them go
    votes: dict[int, dict[int, float]] = {}
    for vehicle in found.days:
        for trip in vehicle.trips:
            for stop in trip.stops:
                mine = votes.setdefault(stop.part.site, {})
                mine[vehicle.base] = mine.get(vehicle.base, 0.0) + stop.part.pieces + 1e-6
    chosen = {c: max(mine, key=lambda b: (mine[b], -b)) for c, mine in votes.items()}
    return {
        c: b for c, b in sorted(chosen.items()) if b != choice.base[c] and reckoned.serve[b, c] < float("inf")
    }


def _proposals(choice: Choice, wanted: dict[int, int]) -> list[dict[int, int]]:
    """Return what to try of other bases: everything, then from one base to another at a time."""
    if not wanted:
        return []
    pairs: dict[tuple[int, int], dict[int, int]] = {}
    for c, b in wanted.items():
        pair = (min(b, choice.base[c]), max(b, choice.base[c]))
        pairs.setdefault(pair, {})[c] = b
    some = sorted(pairs.values(), key=len, reverse=True)
    return [wanted, *some] if len(some) > 1 else [wanted]
