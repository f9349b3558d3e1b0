"""Parcels on buses where that is cheaper: villages off vehicles' rounds, stations off the trunk's.

Every move is judged by routes made again without the stop, against what the bus asks for. Buses carry no cold
pieces. A bus runs anyway: it adds cost alone, no kilometres and no carbon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from changtong.rural.bus_service import (
    bus_cost,
    bus_loads,
    bus_takes,
    bus_times,
    room_left,
    span,
    unload_s,
)
from changtong.rural.county_question import HUB, Question
from changtong.rural.visiting_days import patterns
from changtong.rural.week_routes import Choice, WeekRoutes, used_days

Pair = tuple[int, int]


def village_runs(question: Question, customer: int) -> list[Pair]:
    """Return pairs of runs that could bring and take a customer's pieces, -1 for none needed."""
    if question.cold_in[customer] + question.cold_out[customer] > 0:
        return []
    return _pairs(question, customer, float(question.inbound[customer]), float(question.outbound[customer]))


def run_pairs(question: Question, station: int, customers: list[int]) -> list[Pair]:
    """Return pairs of runs that could bring and take the pieces of a station's customers."""
    inbound, outbound = (float(sum(a[c] for c in customers)) for a in (question.inbound, question.outbound))
    return _pairs(question, station, inbound, outbound)


def _pairs(question: Question, site: int, inbound: float, outbound: float) -> list[Pair]:
    brings = _runs(question, site, brings=True) if inbound > 0 else [-1]
    takes = _runs(question, site, brings=False) if outbound > 0 else [-1]
    found = [(a, b) for a in brings for b in takes]
    return sorted(
        found, key=lambda pair: (pair[0] != pair[1], sum(_ask(question, run) for run in pair), pair)
    )


def _ask(question: Question, run: int) -> float:
    return 0.0 if run < 0 else question.buses[run].piece_cny + question.buses[run].day_cny / 100.0


def _runs(question: Question, site: int, *, brings: bool) -> list[int]:
    """Return runs that pass the hub and the site in that order, the site within its hours."""
    found = []
    for number, run in enumerate(question.buses):
        start, end = span(question, number, site, brings=brings)
        if start < 0:
            continue
        at = run.stops[end if brings else start][1]
        if question.opens_s[site] <= at <= question.closes_s[site]:
            found.append(number)
    return found


def use_buses(routes: WeekRoutes, choice: Choice, share: float = 1.0) -> Choice:
    """Return a choice with parcels on buses as far as that is cheaper; never a dearer one.

    Parameters
    ----------
    routes : WeekRoutes
    choice : Choice
    share : float
        Of the budget, to stop at.
    """
    question = routes.question
    cost = _week(routes, choice)
    for run in range(len(question.buses)):
        for group in _groups(question, choice, run):
            if not routes.budget.left(share):
                return choice
            tried = _with_villages(question, choice, run, group)
            if tried is not None and (new := _week(routes, tried)) < cost - 1e-6:
                choice, cost = tried, new
    for station in sorted(set(choice.base.values()) - {HUB}):
        if routes.budget.left(share):
            choice, cost = _station(routes, choice, cost, station)
    for customer in sorted(choice.bus):  # a village may be cheaper on the round after all
        if routes.budget.left(share):
            tried = _back_on_round(question, choice, customer)
            if tried is not None and (new := _week(routes, tried)) < cost - 1e-6:
                choice, cost = tried, new
    return choice


def _week(routes: WeekRoutes, choice: Choice) -> float:
    return routes.week(choice) + bus_cost(routes.question, choice)


def _groups(question: Question, choice: Choice, run: int) -> Iterable[list[int]]:
    """Return customers a run could serve, to be tried together, then one by one, the dearest first."""
    mine = [
        c
        for c, base in choice.base.items()
        if base != c
        and c not in set(choice.base.values())
        and any(run in pair for pair in village_runs(question, c))
    ]
    mine.sort(
        key=lambda c: (
            -float(question.km[choice.base[c], c]) / float(question.inbound[c] + question.outbound[c]),
            c,
        )
    )
    groups = [mine] if len(mine) > 1 else []
    for base in sorted({choice.base[c] for c in mine}):
        some = [c for c in mine if choice.base[c] == base]
        groups += [some] if 1 < len(some) < len(mine) else []
    return [*groups, *([c] for c in mine)]


def _with_villages(question: Question, choice: Choice, run: int, group: list[int]) -> Choice | None:
    """Return the choice with a group on a run, those that find room; None where none does."""
    base, days, bus = dict(choice.base), dict(choice.days), dict(choice.bus)
    moved = False
    for customer in group:
        if customer not in base:
            continue
        for pair in (pair for pair in village_runs(question, customer) if run in pair):
            mask = bus_days(question, pair, customer, days[customer])
            if mask is None:
                continue
            tried = replace(
                choice,
                base={c: b for c, b in base.items() if c != customer},
                days={**days, customer: mask},
                bus={**bus, customer: pair},
            )
            if room_left(question, bus_loads(question, tried)):
                base, days, bus = dict(tried.base), dict(tried.days), dict(tried.bus)
                moved = True
                break
    return replace(choice, base=base, days=days, bus=bus) if moved else None


def bus_days(question: Question, pair: Pair, customer: int, wanted: int) -> int | None:
    """Return days of a customer's visits on which both runs go: those it has, where they do."""
    runs = 127
    for number in pair:
        runs &= question.buses[number].days if number >= 0 else 127
    if wanted & runs == wanted:
        return wanted
    return next((mask for mask in patterns(int(question.visits[customer])) if mask & runs == mask), None)


def _back_on_round(question: Question, choice: Choice, customer: int) -> Choice | None:
    """Return the choice with a customer served by the base of its nearest neighbour on a round."""
    others = [
        c
        for c in choice.base
        if c != customer and choice.days[c] & choice.days[customer] == choice.days[customer]
    ]
    if not others:
        return None
    near = min(others, key=lambda c: (float(question.km[c, customer]), c))
    if not bus_takes(question, choice, choice.base[near], customer):
        return None
    bus = {c: pair for c, pair in choice.bus.items() if c != customer}
    return replace(choice, base={**choice.base, customer: choice.base[near]}, bus=bus)


def _station(routes: WeekRoutes, choice: Choice, cost: float, station: int) -> tuple[Choice, float]:
    """Try every pair of runs for a station in place of the trunk; local vehicles then wait for the bus."""
    question = routes.question
    mine = [c for c, base in choice.base.items() if base == station]
    if any(question.cold_in[c] + question.cold_out[c] > 0 for c in (station, *mine)):
        return choice, cost
    mask = used_days((c, choice.days[c]) for c in mine)
    before_ready, before_left = routes.ready.get(station), routes.left_at.get(station)
    for pair in run_pairs(question, station, mine)[:4]:
        if bus_days(question, pair, station, mask) != mask:
            continue
        tried = replace(choice, station_bus={**choice.station_bus, station: pair})
        if not room_left(question, bus_loads(question, tried)):
            continue
        if pair[0] >= 0:
            routes.left_at[station], at = bus_times(question, pair[0], station)
            routes.ready[station] = at + unload_s(question, tried, station)
        new = _week(routes, tried)
        if new < cost - 1e-6:
            return tried, new
        routes.ready.pop(station, None)
        routes.left_at.pop(station, None)
        if before_ready is not None and before_left is not None:
            routes.ready[station], routes.left_at[station] = before_ready, before_left
    return choice, cost
