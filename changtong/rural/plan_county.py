"""Plan a county's delivery: each firm alone, all together, and with parcels on buses.

The levels are coupled by load and by time: a search over stations and days is judged by routes of both levels, then the
trunk is settled first and local routes start when its goods are ready (:mod:`changtong.rural.settle_week`).
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from changtong.errors import InternalError
from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_cost import plan_frames
from changtong.rural.county_plan import CountyPlan
from changtong.rural.county_question import CountySettings, Question, ask
from changtong.rural.impossible import find_possible
from changtong.rural.settle_week import Settled, settle
from changtong.rural.station_choice import STATION_WEIGHTS, first_choices, improve_stations, reckon
from changtong.rural.week_routes import Budget, Choice, WeekRoutes

WORK_PER_CUSTOMER = 2_000.0
"""Customers times iterations the search may spend on each customer at effort 1."""


def plan_question(question: Question, *, seed: int, work: float, until: float | None = None) -> Settled:
    """Return the best settled week found for one question.

    Parameters
    ----------
    question : Question
    seed : int
    work : float
        Customers times iterations of PyVRP to spend.
    until : float, optional
        Moment of the process's clock to end at.
    """
    possible = find_possible(question)
    reckoned = reckon(possible.question, possible.allowed)
    routes = WeekRoutes(possible.question, Budget(work, until), seed)
    starts = first_choices(possible.question, reckoned, STATION_WEIGHTS)
    ranked = sorted(range(len(starts)), key=lambda k: (routes.week(starts[k]), k))
    chosen = [improve_stations(routes, reckoned, starts[ranked[0]], 0.6)]
    if ranked[0] != 0 and _is_single_level(starts[0]):
        chosen.append(starts[0])  # never worse than the best plan without stations
    found = [settle(possible, reckoned, replace(routes, ready={}, left_at={}), choice, 4.0) for choice in chosen]
    return min(found, key=lambda one: one.rank)


def _is_single_level(choice: Choice) -> bool:
    return all(base == 0 for base in choice.base.values())


def checked_plan(county: County, settled: Settled, firms: tuple[str, ...], name: str, detour: float) -> CountyPlan:
    """Return a settled week as a plan that has passed the independent checker.

    Raises
    ------
    InternalError
        It has not.
    """
    plan = plan_frames(settled, name)
    wrong = check_plan(county, plan, firms=firms, detour_factor=detour)
    if wrong:
        raise InternalError(f"The plan {name} breaks {len(wrong)} rules; first: {'; '.join(wrong[:3])}")
    return plan
