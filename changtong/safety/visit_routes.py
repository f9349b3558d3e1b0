"""Routes of inspectors, by PyVRP: which visits are worth their hours, and in which order.

PyVRP (Wouda, Lan and Kool 2024) collects prizes: a visit brings its prize, an hour costs. A due visit
outweighs many others, one that was drawn some, and risk outweighs hours. All times are whole seconds.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date

import numpy as np
from pyvrp import (
    Activity,
    ActivityType,
    Client,
    Depot,
    Location,
    PenaltyParams,
    ProblemData,
    Route,
    Solution,
    SolveParams,
    VehicleType,
    solve,
)
from pyvrp.stop import MaxIterations

from changtong.safety.visit_question import VisitQuestion

DUE, DRAWN = 50, 10
"""A visit that is due, or drawn, outweighs so many of the riskiest: no team makes more in the time of one."""

POINT_S = 60_000
"""Seconds a point of risk outweighs: more than a day, so that hours decide only between equals."""

MOST_PENALTY = 1e9
FORBIDDEN_S = 10**7


@dataclass(frozen=True, slots=True)
class TeamDay:
    """A team's day: rows of the sites it visits, in order."""

    team: int
    day: date
    sites: tuple[int, ...]


def worth(question: VisitQuestion) -> list[int]:
    """Return what each visit is worth, in seconds of driving.

    Parameters
    ----------
    question : VisitQuestion
    """
    risks = question.sites["risk"].to_list()
    most = max([*risks, 1.0])
    made = []
    for risk, due, drawn in zip(risks, question.sites["due"], question.sites["drawn"], strict=True):
        times = DUE if due else DRAWN if drawn else 0
        made.append(max(1, round((risk + times * most) * POINT_S)))
    return made


def route_visits(question: VisitQuestion, *, iterations: int, seed: int) -> tuple[TeamDay, ...]:
    """Return which team visits what on which day, and in which order.

    In three steps, each beginning with the routes of the one before: what is due, then what was drawn too,
    then everything. In one step the search drowns in the many that are not due (``docs/safety.md``).

    Parameters
    ----------
    question : VisitQuestion
    iterations, seed : int
        Of PyVRP in each step: the same ones give the same routes.
    """
    teams = question.teams
    able = [
        k
        for k in range(question.sites.height)
        if any(question.can(t, k) and question.round_s(t, k) <= team.day_s for t, team in enumerate(teams))
    ]
    due, drawn = question.sites["due"], question.sites["drawn"]
    steps = [[k for k in able if due[k]], [k for k in able if due[k] or drawn[k]], able]
    made: tuple[TeamDay, ...] = ()
    before: list[int] = []
    for sites in steps:
        if sites != before:
            made = _routes(question, sites, made, iterations, seed)
        before = sites
    return made


def _routes(
    question: VisitQuestion, sites: list[int], start: tuple[TeamDay, ...], iterations: int, seed: int
) -> tuple[TeamDay, ...]:
    """Search routes for some of the sites, from routes known; without any, nobody goes anywhere."""
    data, types = _problem(question, sites)
    number, kind = {site: k for k, site in enumerate(sites)}, {one: k for k, one in enumerate(types)}
    known = [
        Route(
            data,
            [Activity(ActivityType.CLIENT, number[site]) for site in one.sites],
            kind[one.team, one.day],
        )
        for one in start
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = solve(
            data,
            MaxIterations(iterations),
            seed=seed,
            collect_stats=False,
            params=SolveParams(penalty=PenaltyParams(max_penalty=MOST_PENALTY)),
            initial_solution=Solution(data, known),
        )
    made = []
    for route in found.best.routes():
        team, day = types[route.vehicle_type()]
        order = tuple(sites[step.idx] for step in route.schedule() if step.is_client())
        if order:
            made.append(TeamDay(team, day, order))
    return tuple(sorted(made, key=lambda one: (one.day, one.team)))


def _problem(question: VisitQuestion, able: list[int]) -> tuple[ProblemData, list[tuple[int, date]]]:
    teams, count = question.teams, len(question.teams)
    places = np.array([*range(count), *(count + k for k in able)])
    seconds = question.seconds[np.ix_(places, places)]
    prizes = worth(question)
    clients = [
        Client(
            count + k,
            service_duration=int(question.sites["visit_s"][site]),
            required=False,
            prize=prizes[site],
        )
        for k, site in enumerate(able)
    ]
    distances = np.zeros_like(seconds)
    durations = []
    types: list[VehicleType] = []
    named: list[tuple[int, date]] = []
    for t, team in enumerate(teams):
        own = seconds.copy()
        for k, site in enumerate(able):
            if not question.can(t, site):  # too far for any day
                own[:, count + k] = FORBIDDEN_S
        np.fill_diagonal(own, 0)
        durations.append(own)
        for day in team.days:
            named.append((t, day))
            types.append(
                VehicleType(
                    num_available=1,
                    start_depot=t,
                    end_depot=t,
                    tw_early=team.starts_s,
                    tw_late=team.starts_s + team.day_s,
                    shift_duration=team.day_s,
                    unit_distance_cost=0,
                    unit_duration_cost=1,
                    profile=t,
                )
            )
    locations = [Location(0.0, 0.0) for _ in places]
    depots = [Depot(t) for t in range(count)]
    return ProblemData(locations, clients, depots, types, [distances] * count, durations), named
