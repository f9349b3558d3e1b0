"""Plan a county's delivery: each firm alone, all together, and with parcels on buses.

The levels are coupled by load and by time: a search over stations and days is judged by routes of both
levels, then the trunk is settled first and local routes start when its goods are ready
(:mod:`changtong.rural.settle_week`).
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import numpy as np
import polars as pl

from changtong.errors import InternalError, UsageError
from changtong.rural.bus_parcels import use_buses
from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_cost import plan_frames
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.county_question import HUB, CountySettings, Question, ask
from changtong.rural.fair_split import coalitions_needed, consistent, sampled_shapley, shapley
from changtong.rural.impossible import Possible, find_possible
from changtong.rural.plan_schemas import SPLIT_SCHEMA
from changtong.rural.settle_week import Settled, settle
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
from changtong.rural.week_routes import Budget, Choice, WeekRoutes

WORK_PER_CUSTOMER = 1_500.0
"""Customers times iterations of PyVRP the shared plan's search may spend on each customer at effort 1."""

SINGLE_SHARE, CLOSE = 0.6, 1.1
"""Work for the plan without stations, as a share; it is worked on where its first cost is this close."""

LEAST_CUSTOMERS = 40
"""A smaller county is searched as if it had so many: to the end, about a second."""

ALONE_SHARE, COALITION_SHARE, BUS_SHARE = 0.35, 0.06, 0.5
"""Work of a firm's plan, of a coalition's and of buses, as shares of the shared plan's."""

HALF = 0.5
"""A coalition with more than this share of all pieces is planned with the stations of all alone."""

COALITION_DEPTH = 0.2
"""How much a coalition's days are worked on, as a share of those of the search."""

LATE_DEPTH = 0.05
"""The same of a coalition that is left when time is over."""

FINISH = 4.0
"""How much more the days of the week that is chosen are worked on than those of the search, in time."""

TIME_SHARED, TIME_BUSES, TIME_ALONE = 0.35, 0.50, 0.75
"""Shares of the seconds asked for after which each stage has ended; coalitions have the rest."""


def plan_county(
    county: County, *, seconds: float | None = None, seed: int = 0, settings: CountySettings | None = None
) -> CountyResult:
    """Plan a county's delivery: each firm alone, all together, and with parcels on buses.

    Parameters
    ----------
    county : County
    seconds : float, optional
        About the most to take; the same seed then gives the same plan on the same machine only where the
        work ends before. By default work is counted, not time.
    seed : int
        The same seed gives the same plan.
    settings : CountySettings, optional

    Returns
    -------
    CountyResult

    Raises
    ------
    UsageError
        Nobody has pieces, or the seconds are none.
    InternalError
        A plan failed the independent checker: a fault of ours.

    Examples
    --------
    >>> from changtong.rural.sources import small_county
    >>> result = plan_county(small_county())
    >>> result.shared.cost_cny <= sum(plan.cost_cny for plan in result.alone.values())
    True
    """
    settings = settings or CountySettings()
    if seconds is not None and not seconds > 0.0:
        raise UsageError(f"{seconds} seconds are no time to plan in; more than 0.")
    firms = county.firms
    if not firms:
        raise UsageError("Nobody has pieces in this county: there is nothing to plan.")
    began = time.perf_counter()

    def until(share: float) -> float | None:
        return None if seconds is None else began + share * seconds

    work = WORK_PER_CUSTOMER * settings.effort
    question = ask(county, firms, settings=settings, with_buses=True)
    alone_is_shared = len(firms) == 1
    best = plan_question(question, seed=seed, work=work, until=until(TIME_SHARED))
    shared = checked_plan(county, best, firms, "shared", settings)
    with_buses = None
    if question.buses:
        ridden = plan_buses(best, work * BUS_SHARE, until(TIME_BUSES))
        with_buses = checked_plan(county, ridden, firms, "shared_with_buses", settings)
    alone: dict[str, CountyPlan] = {}
    for place, firm in enumerate(firms):
        if alone_is_shared:
            alone[firm] = replace(shared, name=firm)
            continue
        end = until(TIME_BUSES + (TIME_ALONE - TIME_BUSES) * (place + 1) / len(firms))
        mine = ask(county, (firm,), name=firm, settings=settings)
        found = plan_question(mine, seed=seed, work=work * ALONE_SHARE, until=end, hint=best.choice)
        alone[firm] = checked_plan(county, found, (firm,), firm, settings)
    cheapest = min(one.cost_cny for one in (shared, with_buses) if one is not None)
    split = _split(county, best, alone, cheapest, work * COALITION_SHARE, seed, settings, until(1.0))
    return CountyResult(
        county, alone, shared, with_buses, split, seed, time.perf_counter() - began, asdict(settings)
    )


def plan_question(
    question: Question, *, seed: int, work: float, until: float | None = None, hint: Choice | None = None
) -> Settled:
    """Return the best settled week found for one question.

    Parameters
    ----------
    question : Question
    seed : int
    work : float
        Iterations of PyVRP to spend on each customer.
    until : float, optional
        Moment of the process's clock to end at.
    hint : Choice, optional
        A choice made for more firms, to be tried as well.
    """
    possible = find_possible(question)
    reckoned = reckon(possible.question, possible.allowed)
    budget = Budget(work * max(len(possible.question.customers), LEAST_CUSTOMERS), until)
    routes = WeekRoutes(possible.question, budget, seed)
    starts = first_choices(possible.question, reckoned, STATION_WEIGHTS)
    taken = None if hint is None else taken_over(possible, reckoned, hint)
    if taken is not None:
        starts.insert(1, taken)
    chosen = _cheapest(routes, starts, at_least=1 if taken is None else 2)
    found: list[Settled] = []
    if is_single_level(starts[0]):  # never worse than the plan without stations: that is made in the same way
        close = routes.week(starts[0]) <= CLOSE * routes.week(chosen)
        alone = WeekRoutes(possible.question, Budget(SINGLE_SHARE * budget.work, until), seed)
        single = improve_days(alone, starts[0], 0.5) if close else starts[0]
        finish = FINISH if close and budget.in_time() else 1.0
        found.append(settle(possible, reckoned, alone if close else routes, single, finish))
    if reckoned.bases != (HUB,):
        chosen = improve_stations(routes, reckoned, chosen, 0.55)
        chosen = improve_villages(routes, reckoned, chosen, 0.75)
        chosen = improve_days(routes, chosen, 0.85)
        chosen = improve_stations(routes, reckoned, chosen, 0.85)
    if not found or not is_single_level(chosen):
        found.append(settle(possible, reckoned, routes, chosen, FINISH if budget.in_time() else 1.0))
    return min(found, key=lambda one: one.rank)


def _cheapest(routes: WeekRoutes, starts: list[Choice], at_least: int) -> Choice:
    """Return the cheapest of some choices, of the first ones only where time is over."""
    costs: list[float] = []
    for start in starts:
        if len(costs) >= at_least and not routes.budget.in_time():
            break
        costs.append(routes.week(start))
    return starts[costs.index(min(costs))]


def plan_buses(best: Settled, work: float, until: float | None) -> Settled:
    """Return a settled week with parcels on buses, or the same where none is cheaper."""
    routes = best.routes
    routes.budget = Budget(work * max(len(routes.question.customers), LEAST_CUSTOMERS), until)
    choice = use_buses(routes, best.choice)
    routes.ready, routes.left_at = {}, {}
    if not choice.bus and not choice.station_bus:
        return best
    possible = find_possible(routes.question)
    reckoned = reckon(possible.question, possible.allowed)
    again = replace(possible, unserved=best.unserved, question=routes.question)
    ridden = settle(again, reckoned, routes, choice, FINISH if routes.budget.in_time() else 1.0)
    return min(ridden, best, key=lambda one: one.rank)


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


def checked_plan(
    county: County, settled: Settled, firms: tuple[str, ...], name: str, settings: CountySettings
) -> CountyPlan:
    """Return a settled week as a plan that has passed the independent checker.

    Raises
    ------
    InternalError
        It has not.
    """
    plan = plan_frames(settled, name)
    wrong = check_plan(county, plan, firms=firms, detour_factor=settings.detour_factor)
    if wrong:
        raise InternalError(f"The plan {name} breaks {len(wrong)} rules; first: {'; '.join(wrong[:3])}")
    return plan


def _split(
    county: County,
    best: Settled,
    alone: dict[str, CountyPlan],
    cheapest: float,
    work: float,
    seed: int,
    settings: CountySettings,
    until: float | None,
) -> pl.DataFrame:
    """Return what each firm pays alone and of the cheapest plan, its Shapley value."""
    firms = tuple(alone)
    needed = coalitions_needed(firms, exact_firms=settings.exact_firms, orders=settings.orders, seed=seed)
    cost: dict[frozenset[str], float] = {frozenset([f]): plan.cost_cny for f, plan in alone.items()}
    cost[frozenset(firms)] = min(cheapest, sum(plan.cost_cny for plan in alone.values()))
    for some in needed:
        if some not in cost:
            mine = ask(county, tuple(sorted(some)), name="+".join(sorted(some)), settings=settings)
            cost[some] = coalition_cost(mine, best, work, seed, until)
    cost = consistent(cost)
    if len(firms) <= settings.exact_firms:
        paid = shapley(firms, cost.__getitem__)
    else:
        paid = sampled_shapley(firms, cost.__getitem__, orders=settings.orders, seed=seed)
    rows = [(f, alone[f].cost_cny, paid[f], alone[f].cost_cny - paid[f]) for f in firms]
    return pl.DataFrame(rows, schema=SPLIT_SCHEMA, orient="row")


def coalition_cost(question: Question, best: Settled, work: float, seed: int, until: float | None) -> float:
    """Return the cost of some firms together, by a short search: the stations of all, and none."""
    possible = find_possible(question)
    reckoned = reckon(possible.question, possible.allowed)
    routes = WeekRoutes(
        possible.question, Budget(work * len(question.customers), until), seed, depth=COALITION_DEPTH
    )
    if not routes.budget.in_time():
        routes.depth = LATE_DEPTH
    found = taken_over(possible, reckoned, best.choice)
    pieces = float((question.inbound + question.outbound).sum())
    of_all = float((best.question.inbound + best.question.outbound).sum())
    if found is not None and not is_single_level(found) and pieces > HALF * of_all:
        return routes.week(found)  # most of the pieces: the stations of all fit
    starts = first_choices(possible.question, reckoned, ())[:1]
    starts += [] if found is None or is_single_level(found) else [found]
    return min(routes.week(choice) for choice in starts)
