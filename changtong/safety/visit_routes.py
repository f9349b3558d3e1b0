"""Routes of inspectors, by PyVRP: which visits are worth their hours, and in which order.

PyVRP (Wouda, Lan and Kool 2024) collects prizes: a visit brings its prize, an hour costs. A due visit
outweighs many others, one that was drawn some, and risk outweighs hours. All times are whole seconds.

A site that opens more than once, or not at the same hours on all days, is several clients of which at
most one is visited, each with one window; on weekdays that do not have its window it is too far away.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from pyvrp import (
    Activity,
    ActivityType,
    Client,
    ClientGroup,
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

from changtong.safety.opening_hours import DAY_S, Window
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


@dataclass(frozen=True, slots=True)
class _Choice:
    """A visit to a site within one of its windows, on weekdays (0 is Monday) that have it; None: on all."""

    site: int
    window: Window
    weekdays: frozenset[int] | None


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
    able = [
        k
        for k in range(question.sites.height)
        if any(question.can_alone(t, k) for t in range(len(question.teams)))
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
    choices = _choices(question, sites)
    data, types = _problem(question, choices)
    kind = {one: k for k, one in enumerate(types)}
    known = [
        Route(
            data,
            [Activity(ActivityType.CLIENT, k) for k in _chosen(question, choices, one)],
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
        order = tuple(choices[step.idx].site for step in route.schedule() if step.is_client())
        if order:
            made.append(TeamDay(team, day, order))
    return tuple(sorted(made, key=lambda one: (one.day, one.team)))


def _choices(question: VisitQuestion, sites: list[int]) -> list[_Choice]:
    made = []
    for site in sites:
        if site not in question.windows:
            made.append(_Choice(site, (0, DAY_S), None))
        else:
            made += [_Choice(site, window, days) for window, days in question.windows[site].items()]
    return made


def _chosen(question: VisitQuestion, choices: list[_Choice], one: TeamDay) -> list[int]:
    """Return which choices a team makes that begins each visit as early as it can."""
    of_site: dict[int, list[int]] = {}
    for k, choice in enumerate(choices):
        of_site.setdefault(choice.site, []).append(k)
    chosen = []
    for site, begin, end in timed(question, one):
        for k in of_site[site]:
            (opens, closes), days = choices[k].window, choices[k].weekdays
            if days is None or (one.day.weekday() in days and opens <= begin and end <= closes):
                chosen.append(k)
                break
    return chosen


def timed(question: VisitQuestion, one: TeamDay) -> list[tuple[int, int, int]]:
    """Return site, beginning and end of each visit of a day (seconds), each begun as early as can be.

    Parameters
    ----------
    question : VisitQuestion
    one : TeamDay
    """
    made, at, clock = [], one.team, question.teams[one.team].starts_s
    for site in one.sites:
        place = len(question.teams) + site
        there = clock + int(question.seconds[at, place])
        begin = question.begins_s(site, one.day.weekday(), there)
        begin = there if begin is None else begin
        clock, at = begin + int(question.sites["visit_s"][site]), place
        made.append((site, begin, clock))
    return made


def _problem(question: VisitQuestion, choices: list[_Choice]) -> tuple[ProblemData, list[tuple[int, date]]]:
    count = len(question.teams)
    spots = list(dict.fromkeys((choice.site, choice.weekdays) for choice in choices))
    locations = [Location(0.0, 0.0) for _ in range(count + len(spots))]
    clients, groups = _clients(question, choices, {spot: count + k for k, spot in enumerate(spots)})
    durations, types, named = _vehicles(question, spots)
    distances = np.zeros_like(durations[0])
    depots = [Depot(t) for t in range(count)]
    data = ProblemData(locations, clients, depots, types, [distances] * len(durations), durations, groups)
    return data, named


def _clients(
    question: VisitQuestion,
    choices: list[_Choice],
    location: dict[tuple[int, frozenset[int] | None], int],
) -> tuple[list[Client], list[ClientGroup]]:
    prizes, lengths = worth(question), question.sites["visit_s"].to_list()
    of_site: dict[int, list[int]] = {}
    for k, choice in enumerate(choices):
        of_site.setdefault(choice.site, []).append(k)
    several = [site for site, ways in of_site.items() if len(ways) > 1]
    group = {site: k for k, site in enumerate(several)}
    clients = [
        Client(
            location[choice.site, choice.weekdays],
            service_duration=lengths[choice.site],
            tw_early=choice.window[0],
            tw_late=choice.window[1] - lengths[choice.site],
            required=False,
            prize=prizes[choice.site],
            group=group.get(choice.site),
        )
        for choice in choices
    ]
    return clients, [ClientGroup(of_site[site], required=False) for site in several]


def _vehicles(
    question: VisitQuestion, spots: list[tuple[int, frozenset[int] | None]]
) -> tuple[list[Any], list[VehicleType], list[tuple[int, date]]]:
    """Return ways, vehicles, and team and day of each; those that may go to the same places share ways."""
    count = len(question.teams)
    places = np.array([*range(count), *(count + site for site, _ in spots)])
    seconds = question.seconds[np.ix_(places, places)]
    profiles: dict[tuple[int, ...], int] = {}
    durations: list[Any] = []
    types: list[VehicleType] = []
    named: list[tuple[int, date]] = []
    for t, team in enumerate(question.teams):
        unable = {site for site, _ in spots if not question.can(t, site)}
        for day in team.days:
            barred = tuple(
                count + k
                for k, (site, weekdays) in enumerate(spots)
                if site in unable or (weekdays is not None and day.weekday() not in weekdays)
            )
            if barred not in profiles:
                own = seconds.copy()
                own[:, list(barred)] = FORBIDDEN_S  # too far for any day
                np.fill_diagonal(own, 0)
                profiles[barred] = len(durations)
                durations.append(own)
            named.append((t, day))
            types.append(
                VehicleType(
                    num_available=1,
                    start_depot=t,
                    end_depot=t,
                    tw_early=team.starts_s,
                    tw_late=team.starts_s + team.day_s,
                    start_late=team.starts_s,  # who waits, works
                    shift_duration=team.day_s,
                    unit_distance_cost=0,
                    unit_duration_cost=1,
                    profile=profiles[barred],
                )
            )
    return durations, types, named
