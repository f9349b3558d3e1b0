"""Plan a county's delivery: each firm alone, all together, and with parcels on buses.

The levels are coupled by load and by time: a search over stations and days is judged by routes of both
levels, then the trunk is settled first and local routes start when its goods are ready
(:mod:`changtong.rural.settle_week`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import polars as pl

from changtong.errors import UsageError
from changtong.executors.cores import usable_cores
from changtong.executors.work import Executor
from changtong.rural.bus_only import with_bus_only
from changtong.rural.bus_parcels import use_buses
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.county_question import CountySettings, Question, ask
from changtong.rural.fair_split import Coalition, coalitions_needed, consistent, sampled_shapley, shapley
from changtong.rural.firm_plans import FirmWork, checked_plan, plan_firms, weighed_cny
from changtong.rural.impossible import find_possible
from changtong.rural.plan_question import FINISH, LEAST_CUSTOMERS, WORK_PER_CUSTOMER, plan_question
from changtong.rural.plan_schemas import SPLIT_SCHEMA
from changtong.rural.settle_week import Settled, settle
from changtong.rural.station_choice import reckon
from changtong.rural.week_routes import Budget

BUS_SHARE = 0.5
"""Work of putting parcels on buses, as a share of the shared plan's."""

TIME_SHARED, TIME_BUSES, TIME_ALONE = 0.35, 0.50, 0.75
"""Shares of the seconds asked for after which each stage has ended; coalitions have the rest."""

SHARED_DONE, BUSES_DONE = 0.15, 0.20
"""About which share of all work is done after the stages, where work is counted."""

Progress = Callable[[str, float], None]


def plan_county(
    county: County,
    *,
    seconds: float | None = None,
    seed: int = 0,
    settings: CountySettings | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> CountyResult:
    """Plan a county's delivery: each firm alone, all together, and with parcels on buses.

    Parameters
    ----------
    county : County
    seconds : float, optional
        When every search ends. What a plan cannot do without still runs: one set of routes for each answer.
        The same seed gives the same plan only where the work ends before. By default work is counted, not
        time.
    seed : int
        The same seed gives the same plan.
    settings : CountySettings, optional
    executor : Executor, optional
        Where firms and coalitions are planned, side by side; by default processes of this machine, or this
        one where the county is small. It does not change the plan.
    progress : callable, optional
        Called with (stage, share of all work done).

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
    began = time.monotonic()
    tell = progress or (lambda stage, share: None)

    def until(share: float) -> float | None:
        return None if seconds is None else began + share * seconds

    work = WORK_PER_CUSTOMER * settings.effort
    tell("shared", 0.0)
    question = ask(county, firms, settings=settings, with_buses=True)
    best = plan_question(question, seed=seed, work=work, until=until(TIME_SHARED), threads=usable_cores())
    shared = checked_plan(county, best, firms, "shared", settings)
    tell("buses", SHARED_DONE)
    with_buses = None
    if question.buses:
        ridden = plan_buses(question, best, work * BUS_SHARE, until(TIME_BUSES))
        with_buses = checked_plan(county, ridden, firms, "shared_with_buses", settings)
    tell("firms", BUSES_DONE)
    alone = {firms[0]: replace(shared, name=firms[0])}
    cost: dict[Coalition, float] = {}
    without = 0
    needed = coalitions_needed(firms, exact_firms=settings.exact_firms, orders=settings.orders, seed=seed)
    if len(firms) > 1:
        pieces = float((question.inbound + question.outbound).sum())
        alone, cost, without = plan_firms(
            FirmWork(county, settings, best.choice, best.begun(), pieces, work, seed),
            firms,
            [some for some in needed if 1 < len(some) < len(firms)],
            ends=None if seconds is None else (began + TIME_ALONE * seconds, began + seconds),
            executor=executor,
            tell=lambda share: tell("firms", BUSES_DONE + (1.0 - BUSES_DONE) * share),
        )
    best_plan = min(
        (one for one in (shared, with_buses) if one is not None), key=lambda one: weighed_cny(one, settings)
    )
    split = _split(alone, needed, cost, best_plan, seed, settings)
    return CountyResult(
        county, alone, shared, with_buses, split, seed, time.monotonic() - began, asdict(settings), without
    )


def plan_buses(asked: Question, best: Settled, work: float, until: float | None) -> Settled:
    """Return a settled week with parcels on buses: what only they can serve, and where they are cheaper."""
    begun = with_bus_only(asked, best)
    routes = begun.routes
    routes.budget = Budget(work * max(len(routes.question.customers), LEAST_CUSTOMERS), until)
    choice = use_buses(routes, begun.choice)
    routes.ready, routes.left_at = {}, {}
    if not choice.bus and not choice.station_bus:
        return best
    possible = find_possible(routes.question)
    reckoned = reckon(possible.question, possible.allowed)
    again = replace(possible, unserved=begun.unserved, question=routes.question)
    ridden = settle(again, reckoned, routes, choice, FINISH if routes.budget.in_time() else 1.0)
    return min(ridden, best, key=lambda one: one.rank)


def _split(
    alone: dict[str, CountyPlan],
    needed: list[Coalition],
    cost: dict[Coalition, float],
    together: CountyPlan,
    seed: int,
    settings: CountySettings,
) -> pl.DataFrame:
    """Return what each firm pays alone and of the plan of all, its Shapley value; parts add up to the plan.

    Costs are compared with what unserved pieces weigh; each firm then bears its own unserved pieces.
    """
    firms = tuple(alone)
    each = {firm: weighed_cny(plan, settings) for firm, plan in alone.items()}
    everybody = frozenset(firms)
    known = {some: min(cost.get(some, math.inf), sum(each[firm] for firm in some)) for some in needed}
    fair = consistent(known | {everybody: weighed_cny(together, settings)}, kept=everybody)
    if len(firms) <= settings.exact_firms:
        part = shapley(firms, fair.__getitem__)
    else:
        part = sampled_shapley(firms, fair.__getitem__, orders=settings.orders, seed=seed)
    left = dict(together.unserved.group_by("firm").agg(pl.col("pieces_per_week").sum()).iter_rows())
    rows = []
    for firm in firms:
        paid = part[firm] - settings.unserved_cny_per_piece * left.get(firm, 0.0)
        gone = float(alone[firm].unserved["pieces_per_week"].sum())
        rows.append(
            (firm, alone[firm].cost_cny, paid, each[firm] - part[firm], gone, float(left.get(firm, 0.0)))
        )
    return pl.DataFrame(rows, schema=SPLIT_SCHEMA, orient="row")
