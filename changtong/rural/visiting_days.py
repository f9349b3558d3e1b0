"""On which days each village is visited: evenly apart, neighbours together, days and stations' days even."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from changtong.rural.county_question import DAYS, HUB, Question
from changtong.rural.week_routes import Choice, WeekRoutes

FIRST = {1: "1", 2: "14", 3: "135", 4: "1357", 5: "12345", 6: "123456", 7: "1234567"}
"""Days as even as a week allows, for each number of visits; the others are these, some days later."""


def patterns(visits: int) -> tuple[int, ...]:
    """Return the sets of days for a number of visits, as bits; those without Sunday first.

    Examples
    --------
    >>> [bin(days) for days in patterns(7)]
    ['0b1111111']
    """
    first = [int(day) - 1 for day in FIRST[visits]]
    found = {sum(1 << (day + later) % 7 for day in first) for later in DAYS}
    return tuple(
        sorted(
            found, key=lambda mask: (mask >> 6 & 1, sum(1 << 6 - d for d in DAYS if not mask >> d & 1), mask)
        )
    )


def spread_days(question: Question, base: Mapping[int, int], kept: Choice | None = None) -> dict[int, int]:
    """Return customer -> days of its visits as bits.

    Customers of a base with the same number of visits go round in blocks of neighbours, as many as a vehicle
    visits on a day. Blocks choose days in turn: first days on which their base is in use anyway, then those
    with the fewest stops of the base, then those with the fewest pieces of the county.

    Parameters
    ----------
    question : Question
    base : mapping
        Customer -> base.
    kept : Choice, optional
        Days to keep where a base's customers are the same.
    """
    groups: dict[int, list[int]] = {}
    for customer in sorted(base):
        groups.setdefault(base[customer], []).append(customer)
    days: dict[int, int] = {}
    pieces = np.zeros(7)
    if kept is not None:
        before: dict[int, list[int]] = {}
        for customer in sorted(kept.base):
            before.setdefault(kept.base[customer], []).append(customer)
        same = [b for b, customers in groups.items() if before.get(b) == customers]
        for b in same:
            days |= {c: kept.days[c] for c in groups[b]}
            _count(question, groups[b], days, pieces)
            del groups[b]
    for b, customers in groups.items():
        days |= _base_days(question, b, customers, pieces)
    return days


def _base_days(question: Question, base: int, customers: list[int], pieces: np.ndarray) -> dict[int, int]:
    """Return the days of a base's customers, and count their pieces on the county's days."""
    days: dict[int, int] = {}
    stops = np.zeros(7)
    for visits in sorted({int(question.visits[c]) for c in customers}, reverse=True):
        same = [c for c in customers if question.visits[c] == visits]
        for block in _blocks(question, base, same) if visits < 7 else [same]:
            used = stops > 0

            def rank(mask: int, used: np.ndarray = used) -> tuple[float, ...]:
                on = [day for day in DAYS if mask >> day & 1]
                new = 0 if base == HUB else sum(not used[day] for day in on)
                return (new, float(max(stops[on])), float(sum(pieces[on])), mask >> 6 & 1)

            chosen = min(patterns(visits), key=rank)
            days |= dict.fromkeys(block, chosen)
            for day in DAYS:
                stops[day] += len(block) * (chosen >> day & 1)
            _count(question, block, days, pieces)
    return days


def _count(question: Question, customers: list[int], days: Mapping[int, int], pieces: np.ndarray) -> None:
    for c in customers:
        each = float(question.inbound[c] + question.outbound[c]) / float(question.visits[c])
        for day in DAYS:
            pieces[day] += each * (days[c] >> day & 1)


def _blocks(question: Question, base: int, customers: list[int]) -> list[list[int]]:
    """Return neighbours in blocks a vehicle visits on a day: along the way from one to the nearest next."""
    size = stops_of_a_day(question, base, customers)
    count = -(-len(customers) // size)
    if count <= 1:
        return [customers]
    left, order = set(customers), []
    here = max(customers, key=lambda c: (float(question.km[base, c]), c))
    while left:
        left.discard(here)
        order.append(here)
        if left:
            here = min(left, key=lambda c: (float(question.km[here, c]), c))
    return [[order[int(k)] for k in part] for part in np.array_split(np.arange(len(order)), count)]


def stops_of_a_day(question: Question, base: int, customers: list[int]) -> int:
    """Return about how many customers a vehicle visits on a day from a base, at least 1."""
    rows = np.array(customers)
    load = float(np.mean(np.maximum(question.inbound, question.outbound)[rows] / question.visits[rows]))
    out = float(np.mean(question.km[base, rows]))
    between = question.km[np.ix_(rows, rows)]
    hop = float(np.mean(np.sort(between, axis=1)[:, 1])) if len(rows) > 1 else 0.0
    best = 1.0
    for v in question.vehicles:
        if v.local:
            service = float(np.mean(question.stop_s[rows])) / 3600.0
            time = (v.shift_s / 3600.0 - 2.0 * out / v.km_per_h) / max(service + hop / v.km_per_h, 1e-3)
            best = max(best, min(time, (v.warm + v.cold) * v.trips / max(load, 1e-9)))
    return max(1, int(best))


def improve_days(routes: WeekRoutes, choice: Choice, share: float) -> Choice:
    """Move customers to other days while it pays: all of a base with as many visits, then one by one.

    Judged by routes of both levels; each customer keeps its number of visits, evenly apart.
    """
    question = routes.question
    cost = routes.week(choice)
    groups: dict[tuple[int, int], list[int]] = {}
    for customer in sorted(choice.base):
        if question.visits[customer] < 7:
            groups.setdefault((choice.base[customer], int(question.visits[customer])), []).append(customer)
    moves = [some for some in groups.values() if len(some) > 1]
    moves += [[c] for some in groups.values() for c in some]
    for some in moves:
        taken = {choice.days[c] for c in choice.base if choice.base[c] == choice.base[some[0]]}
        for mask in patterns(int(question.visits[some[0]])):
            fits = len(some) > 1 or any(mask & other == mask for other in taken)
            if not fits or all(choice.days[c] == mask for c in some):
                continue
            if not routes.budget.left(share):
                return choice
            tried = replace(choice, days={**choice.days, **dict.fromkeys(some, mask)})
            new = routes.week(tried)
            if new < cost - 1e-6:
                choice, cost = tried, new
    return choice
