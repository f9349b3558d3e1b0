"""Routes of inspectors, by PyVRP: which visits are worth their hours, and in which order.

PyVRP (Wouda, Lan and Kool 2024) collects prizes: a visit brings its prize, an hour costs. A due visit
outweighs many others, one that was drawn some, and risk outweighs hours. All times are whole seconds.

A site that opens more than once, or not at the same hours on all days, is several clients of which at
most one is visited, each with one window; on days that do not have its window it is too far away.

Lunch at a known time is cut out of the clock: the day is shorter by it, and a window on both sides of it is
two, for no visit goes on while it lasts. When that is best is not known: searches with the first, the middle
and the last time there is are made, the best one is taken, and what still fits with lunch at any time is put
in.
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

from changtong.errors import InternalError
from changtong.safety.opening_hours import DAY_S, Window
from changtong.safety.visit_day import Drive, can_alone, drive
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
    """A visit to a site within one of its windows, by vehicles that have it; None: by all."""

    site: int
    window: Window
    vehicles: frozenset[_Vehicle] | None


_Vehicle = tuple[date, int | None, int]
"""A day on which somebody works, when lunch begins that is cut out of it (None: none is), and its seconds."""


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
        if any(can_alone(question, t, k) for t in range(len(question.teams)))
    ]
    due, drawn = question.sites["due"], question.sites["drawn"]
    steps = [[k for k in able if due[k]], [k for k in able if due[k] or drawn[k]], able]
    found = []
    for rank in range(max(len(_starts(question, t)) for t in range(len(question.teams)))):
        made: tuple[TeamDay, ...] = ()
        before: list[int] = []
        for sites in steps:
            if sites != before:
                made = _routes(question, sites, made, rank, iterations, seed)
            before = sites
        found.append(made)
    best = max(found, key=lambda routes: _gain(question, routes))
    return best if len(found) == 1 else _filled(question, best, able)


def _starts(question: VisitQuestion, team: int) -> tuple[int | None, ...]:
    """Return when a team's lunch may begin that takes some of its hours."""
    one = question.teams[team]
    if one.lunch is None or one.lunch.from_s + one.lunch.length_s <= one.starts_s:
        return (None,)
    ends = one.starts_s + one.day_s
    if one.lunch.last_s >= ends:
        return (None,)
    return tuple(sorted({max(at, -(-one.starts_s // 60) * 60) for at in one.lunch.starts()}))


def _start(question: VisitQuestion, team: int, rank: int) -> int | None:
    starts = _starts(question, team)
    return starts[min(rank, len(starts) - 1)]


def _gain(question: VisitQuestion, routes: tuple[TeamDay, ...]) -> int:
    prizes = worth(question)
    return sum(sum(prizes[site] for site in one.sites) - _span(question, one) for one in routes)


def _span(question: VisitQuestion, one: TeamDay) -> int:
    return timed(question, one).back_s - question.teams[one.team].starts_s


def _filled(question: VisitQuestion, routes: tuple[TeamDay, ...], able: list[int]) -> tuple[TeamDay, ...]:
    """Put visits that were left where they fit with lunch at any time, those worth most first."""
    prizes = worth(question)
    taken = {site for one in routes for site in one.sites}
    days: dict[tuple[int, date], tuple[int, ...]] = {
        (t, day): () for t, team in enumerate(question.teams) for day in team.days
    }
    days |= {(one.team, one.day): one.sites for one in routes}
    backs = {key: _back(question, *key, sites) for key, sites in days.items()}
    for site in sorted((k for k in able if k not in taken), key=lambda k: (-prizes[k], k)):
        best: tuple[int, tuple[int, date], tuple[int, ...]] | None = None
        for (t, day), sites in days.items():
            if not question.can(t, site):
                continue
            for k in range(len(sites) + 1):
                more = (*sites[:k], site, *sites[k:])
                found = drive(question, t, day, more)
                if found is not None and (best is None or found.back_s - backs[t, day] < best[0]):
                    best = (found.back_s - backs[t, day], (t, day), more)
        if best is not None and best[0] < prizes[site]:
            days[best[1]] = best[2]
            backs[best[1]] += best[0]
    made = [TeamDay(t, day, sites) for (t, day), sites in days.items() if sites]
    return tuple(sorted(made, key=lambda one: (one.day, one.team)))


def _back(question: VisitQuestion, team: int, day: date, sites: tuple[int, ...]) -> int:
    return timed(question, TeamDay(team, day, sites)).back_s if sites else question.teams[team].starts_s


def _routes(
    question: VisitQuestion,
    sites: list[int],
    start: tuple[TeamDay, ...],
    rank: int,
    iterations: int,
    seed: int,
) -> tuple[TeamDay, ...]:
    """Search routes for some of the sites, from routes known; without any, nobody goes anywhere."""
    vehicles = {
        (t, day): _vehicle(question, t, day, _start(question, t, rank))
        for t, team in enumerate(question.teams)
        for day in team.days
    }
    choices = _choices(question, sites, frozenset(vehicles.values()))
    data = _problem(question, choices, vehicles)
    types = list(vehicles)
    kind = {one: k for k, one in enumerate(types)}
    known = [
        Route(
            data,
            [Activity(ActivityType.CLIENT, k) for k in _chosen(question, choices, one, vehicles)],
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


def _vehicle(question: VisitQuestion, team: int, day: date, lunch_s: int | None) -> _Vehicle:
    lunch = question.teams[team].lunch
    return day, lunch_s, 0 if lunch is None or lunch_s is None else lunch.length_s


def _choices(question: VisitQuestion, sites: list[int], every: frozenset[_Vehicle]) -> list[_Choice]:
    made = []
    for site in sites:
        windows = question.windows.get(site, {(0, DAY_S): None})
        found: dict[Window, set[_Vehicle]] = {}
        for window, days in windows.items():
            for vehicle in every:
                if days is None or vehicle[0] in days:
                    for part in _cut(window, vehicle, question.visit_lengths[site]):
                        found.setdefault(part, set()).add(vehicle)
        for window in sorted(found):
            having = frozenset(found[window])
            made.append(_Choice(site, window, None if having == every else having))
    return made


def _cut(window: Window, vehicle: _Vehicle, length_s: int) -> list[Window]:
    """Return what is left of a window on the clock of a vehicle that has lunch cut out of it."""
    (opens, closes), (_, at, lunch_s) = window, vehicle
    if at is None:
        return [window]
    parts = (opens, min(closes, at)), (max(opens - lunch_s, at), closes - lunch_s)
    return [(begin, end) for begin, end in parts if end - begin >= length_s]


def _chosen(
    question: VisitQuestion,
    choices: list[_Choice],
    one: TeamDay,
    vehicles: dict[tuple[int, date], _Vehicle],
) -> list[int]:
    """Return which choices a team makes that begins each visit as early as it can."""
    of_site: dict[int, list[int]] = {}
    for k, choice in enumerate(choices):
        of_site.setdefault(choice.site, []).append(k)
    vehicle, at, clock = vehicles[one.team, one.day], one.team, question.teams[one.team].starts_s
    chosen = []
    for site in one.sites:
        place, length = len(question.teams) + site, question.visit_lengths[site]
        there = clock + int(question.seconds[at, place])
        begin, k = min(
            (max(choices[k].window[0], there), k)
            for k in of_site[site]
            if max(choices[k].window[0], there) + length <= choices[k].window[1]
            and _has(choices[k].vehicles, vehicle)
        )
        chosen.append(k)
        clock, at = begin + length, place
    return chosen


def _has(vehicles: frozenset[_Vehicle] | None, vehicle: _Vehicle) -> bool:
    return vehicles is None or vehicle in vehicles


def timed(question: VisitQuestion, one: TeamDay) -> Drive:
    """Return a day of a plan, each visit begun as early as can be.

    Parameters
    ----------
    question : VisitQuestion
    one : TeamDay

    Raises
    ------
    InternalError
        Nobody can do that in a day.
    """
    found = drive(question, one.team, one.day, one.sites)
    if found is None:
        name = question.teams[one.team].id
        raise InternalError(f"{name} cannot do on {one.day} what was planned for it.")
    return found


def _problem(
    question: VisitQuestion, choices: list[_Choice], vehicles: dict[tuple[int, date], _Vehicle]
) -> ProblemData:
    count = len(question.teams)
    spots = list(dict.fromkeys((choice.site, choice.vehicles) for choice in choices))
    locations = [Location(0.0, 0.0) for _ in range(count + len(spots))]
    clients, groups = _clients(question, choices, {spot: count + k for k, spot in enumerate(spots)})
    durations, types = _vehicle_types(question, spots, vehicles)
    distances = np.zeros_like(durations[0])
    depots = [Depot(t) for t in range(count)]
    return ProblemData(locations, clients, depots, types, [distances] * len(durations), durations, groups)


def _clients(
    question: VisitQuestion,
    choices: list[_Choice],
    location: dict[tuple[int, frozenset[_Vehicle] | None], int],
) -> tuple[list[Client], list[ClientGroup]]:
    prizes, lengths = worth(question), question.visit_lengths
    of_site: dict[int, list[int]] = {}
    for k, choice in enumerate(choices):
        of_site.setdefault(choice.site, []).append(k)
    several = [site for site, ways in of_site.items() if len(ways) > 1]
    group = {site: k for k, site in enumerate(several)}
    clients = [
        Client(
            location[choice.site, choice.vehicles],
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


def _vehicle_types(
    question: VisitQuestion,
    spots: list[tuple[int, frozenset[_Vehicle] | None]],
    vehicles: dict[tuple[int, date], _Vehicle],
) -> tuple[list[Any], list[VehicleType]]:
    """Return ways, and a vehicle for each team's day; those that may go to the same places share ways."""
    count = len(question.teams)
    places = np.array([*range(count), *(count + site for site, _ in spots)])
    seconds = question.seconds[np.ix_(places, places)]
    unable = [{site for site, _ in spots if not question.can(t, site)} for t in range(count)]
    profiles: dict[tuple[int, ...], int] = {}
    durations: list[Any] = []
    types: list[VehicleType] = []
    for (t, _), vehicle in vehicles.items():
        barred = tuple(
            count + k
            for k, (site, having) in enumerate(spots)
            if site in unable[t] or not _has(having, vehicle)
        )
        if barred not in profiles:
            own = seconds.copy()
            own[:, list(barred)] = FORBIDDEN_S  # too far for any day
            np.fill_diagonal(own, 0)
            profiles[barred] = len(durations)
            durations.append(own)
        team = question.teams[t]
        ends = team.starts_s + team.day_s
        if vehicle[1] is not None:  # who is back before lunch has it afterwards
            ends = max(min(vehicle[1], ends), ends - vehicle[2])
        types.append(
            VehicleType(
                num_available=1,
                start_depot=t,
                end_depot=t,
                tw_early=team.starts_s,
                tw_late=ends,
                start_late=team.starts_s,  # who waits, works
                shift_duration=ends - team.starts_s,
                unit_distance_cost=0,
                unit_duration_cost=1,
                profile=profiles[barred],
            )
        )
    return durations, types
