"""The best week found for one question: some firms' pieces, with stations, days and routes of both levels."""

from __future__ import annotations

import math
import time

import numpy as np

from changtong.rural.county_question import HUB, Question
from changtong.rural.impossible import Possible, find_possible
from changtong.rural.joint_routes import exchange_stations, improve_jointly, shake
from changtong.rural.settle_week import Settled, settle, unserved_pieces
from changtong.rural.station_choice import (
    STATION_WEIGHTS,
    Reckoned,
    first_choices,
    improve_stations,
    improve_villages,
    nearest_bases,
    reckon,
)
from changtong.rural.visiting_days import improve_days, spread_days
from changtong.rural.week_routes import Budget, Choice, Recent, WeekRoutes

WORK_PER_CUSTOMER = 1_500.0
"""Customers times iterations of PyVRP the shared plan's search may spend on each customer at effort 1."""

RUNG = 3.0
"""More work than usual is done in searches each so many times longer, each going on from the last one."""

SINGLE_SHARE, CLOSE = 0.6, 1.1
"""Work for the plan without stations, as a share; it is worked on where its first cost is this close."""

LEAST_CUSTOMERS = 100
"""A smaller county is searched as if it had so many: to the end, about a second."""

LARGE = 1_000
"""With more customers first choices are compared by their fullest days alone."""

SHORT_SHARE = 0.3
"""Share of the work after which choices that lack vehicles are no longer worked on before one is taken."""

HALF = 0.5
"""A coalition with more than this share of all pieces is planned with the stations of all alone."""

COALITION_DEPTH = 0.2
"""How much a coalition's days are worked on, as a share of those of the search."""

FINISH = 4.0
"""How much more the days of the week that is chosen are worked on than those of the search, in time."""


def plan_question(
    question: Question,
    *,
    seed: int,
    work: float,
    until: float | None = None,
    hint: Choice | None = None,
    depth: float = 1.0,
    threads: int = 1,
) -> Settled:
    """Return the best settled week found for one question.

    More work than usual, three or nine times for example, first does what less would have done, and that week
    is kept where nothing better follows: three times the work never ends higher.

    Parameters
    ----------
    question : Question
    seed : int
    work : float
        Iterations of PyVRP to spend on each customer.
    until : float, optional
        Moment of the machine's monotonic clock to end at.
    hint : Choice, optional
        A choice made for more firms, to be tried as well.
    depth : float
        How much days are worked on in the search, as a share of those of the shared plan's; those of the week
        that is chosen are worked on as long in any case.
    threads : int
        Days of so many bases are solved side by side; it does not change the plan.
    """
    possible = find_possible(question)
    reckoned = reckon(possible.question, possible.allowed)
    found: list[Settled] = []
    for rung in _rungs(work):
        if found and until is not None and time.monotonic() >= until:
            break
        found.append(_search(possible, reckoned, seed, rung, until, hint, depth, threads))
        hint = min(found, key=lambda one: one.rank).choice
    return min(found, key=lambda one: one.rank)


def _rungs(work: float) -> list[float]:
    """Return the work of the searches that end at some work."""
    found = [WORK_PER_CUSTOMER]
    while found[-1] * RUNG < work:
        found.append(found[-1] * RUNG)
    return [*(rung for rung in found if rung < work), work]


def _search(
    possible: Possible,
    reckoned: Reckoned,
    seed: int,
    work: float,
    until: float | None,
    hint: Choice | None,
    depth: float,
    threads: int,
) -> Settled:
    """Return the best settled week of one search."""
    whole = work * max(len(possible.question.customers), LEAST_CUSTOMERS)
    budget = Budget(whole, until)
    routes = WeekRoutes(possible.question, budget, seed, depth=depth, threads=threads)
    longer = FINISH / depth
    starts = first_choices(possible.question, reckoned, STATION_WEIGHTS)
    taken = None if hint is None else taken_over(possible, reckoned, hint)
    chosen = _cheapest(routes, reckoned, starts, taken)
    if len(possible.question.customers) <= LARGE:  # looking at first choices takes nothing from the search
        budget.work += budget.spent
    found: list[Settled] = []
    beyond = math.inf
    if is_single_level(starts[0]):  # never worse than the plan without stations: that is made in the same way
        close, beyond = _compared(routes, starts[0], chosen)
        alone = WeekRoutes(possible.question, Budget(SINGLE_SHARE * whole, until), seed, depth=depth)
        if close:
            alone.week(starts[0])
            alone.budget.work += alone.budget.spent
            single = improve_days(alone, starts[0], 0.5)
            found.append(settle(possible, reckoned, alone, single, longer if budget.in_time() else 1.0))
        elif beyond == math.inf:
            found.append(settle(possible, reckoned, routes, starts[0], 1.0))
    if reckoned.bases != (HUB,):
        chosen = improve_stations(routes, reckoned, chosen, 0.5)
        chosen = improve_jointly(routes, reckoned, chosen, 0.6)
        chosen = exchange_stations(routes, reckoned, chosen, 0.72)
        chosen = improve_villages(routes, reckoned, chosen, 0.8)
        chosen = improve_days(routes, chosen, 0.87)
        chosen = improve_stations(routes, reckoned, chosen, 0.87)
        chosen = shake(routes, reckoned, chosen, 0.92)
    if not found or not is_single_level(chosen):
        found.append(settle(possible, reckoned, routes, chosen, longer if budget.in_time() else 1.0))
    if beyond < math.inf and (found[-1].unserved or found[-1].cost_cny > beyond):
        found.append(settle(possible, reckoned, routes, starts[0], 1.0))
    return min(found, key=lambda one: one.rank)


def _compared(routes: WeekRoutes, single: Choice, chosen: Choice) -> tuple[bool, float]:
    """Return whether the plan without stations comes close to the choice, and above what it may be better.

    In a small county it is made in any case. In a large one it is left out where it is dearer by far, unless
    all else ends above the second number.
    """
    rough = len(routes.question.customers) > LARGE
    cost = routes.week_by_full_days if rough else routes.week
    alone_cny = cost(single)
    close = alone_cny <= CLOSE * cost(chosen)
    return close, alone_cny / CLOSE if rough and not close else math.inf


def _cheapest(routes: WeekRoutes, reckoned: Reckoned, starts: list[Choice], taken: Choice | None) -> Choice:
    """Return the cheapest first choice of those looked at.

    The plan without stations and the choice taken over are always looked at. The others go from many stations
    to few; along them the cost mostly falls, then rises. They are walked until it rises, from the few where
    some firms only are planned. One that lacks vehicles is first given other bases, so that those there are
    suffice. Where time is over the walk ends. In a large county they are compared by their fullest days.
    """
    large = len(routes.question.customers) > LARGE

    def judged(start: Choice) -> tuple[float, Choice]:
        if large:
            return routes.week_by_full_days(start), start
        if routes.short(start).any():
            start = improve_jointly(routes, reckoned, start, SHORT_SHARE)
        return routes.week(start), start

    single = 1 if is_single_level(starts[0]) else 0
    found = [judged(start) for start in (*starts[:single], *(() if taken is None else (taken,)))]
    before = math.inf
    for start in starts[single:] if taken is None else reversed(starts[single:]):
        if found and not routes.budget.in_time():
            break
        found.append(judged(start))
        if found[-1][0] >= before:
            break
        before = found[-1][0]
    return min(found, key=lambda one: one[0])[1]


def taken_over(possible: Possible, reckoned: Reckoned, hint: Choice) -> Choice | None:
    """Return a choice made for more firms for the customers of fewer, None where it does not fit."""
    question = possible.question
    used = tuple(sorted({0, *(b for b in hint.base.values() if b in reckoned.bases)}))
    base = {c: hint.base.get(c, 0) for c in question.customers}
    astray = tuple(c for c, b in base.items() if not np.isfinite(reckoned.serve[b, c]))
    base |= nearest_bases(reckoned, astray, used) if astray else {}
    if not all(np.isfinite(reckoned.serve[b, c]) for c, b in base.items()):
        return None
    spread = spread_days(question, base)
    return Choice(base, {c: hint.days.get(c, spread[c]) for c in base})


def is_single_level(choice: Choice) -> bool:
    """Tell whether the hub serves everybody itself."""
    return all(base == 0 for base in choice.base.values())


def coalition_cost(
    question: Question,
    hint: Choice,
    begun: Recent,
    pieces: float,
    *,
    work: float,
    seed: int,
    until: float | None,
) -> tuple[float, float]:
    """Return what some firms together cost and leave unserved, by a short search: stations of all, and none.

    Parameters
    ----------
    question : Question
    hint : Choice
        The choice made for all firms.
    begun : Recent
        Its routes: similar days begin with them.
    pieces : float
        Of all firms, in a week.
    work : float
        Iterations of PyVRP to spend on each customer.
    seed : int
    until : float, optional
        Moment of the machine's monotonic clock to end at.

    Returns
    -------
    tuple of float
        CNY and pieces of a week.
    """
    possible = find_possible(question)
    reckoned = reckon(possible.question, possible.allowed)
    budget = Budget(work * len(question.customers), until)
    routes = WeekRoutes(possible.question, budget, seed, depth=COALITION_DEPTH)
    routes.recent = {base: list(days) for base, days in begun.items()}
    starts: list[Choice] = []
    found = taken_over(possible, reckoned, hint)
    mine = float((question.inbound + question.outbound).sum())
    if found is not None and not is_single_level(found):
        starts.append(found)
    if not starts or mine <= HALF * pieces:  # with most of the pieces the stations of all fit
        first = first_choices(possible.question, reckoned, ())[0]
        starts += [first] if not starts or is_single_level(first) else []
    best = min(starts, key=routes.week)
    weighs, left = routes.left_out(best)
    return routes.week(best) - weighs, left + unserved_pieces(question, possible.unserved)
