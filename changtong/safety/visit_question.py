"""Who could visit what in a week: teams with days and hours, sites with their risk, ways between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.network.reference_places import great_circle_km
from changtong.safety.lunch import Lunch, lunch_of, lunch_problems
from changtong.safety.opening_hours import Openings, Window, read_openings, usable_windows
from changtong.safety.site_risk import site_risk
from changtong.safety.supervision import Supervision
from changtong.safety.visit_rules import VisitRules

MOST_SITES = 1_500
"""Sites a plan looks at: all that are due, and the riskiest of the others."""

MOST_WINDOWS = 3_000
"""Windows of all sites together that a plan looks at; a site without opening hours counts as one."""

MOST_DAYS = 31
DEFAULT_START_H, DEFAULT_HOURS, DEFAULT_WEEKDAYS = 9.0, 8.0, "12345"


@dataclass(frozen=True, slots=True)
class Team:
    """Inspectors who go together.

    Attributes
    ----------
    id : str
    members : tuple of str
    lon, lat : float
        Where they begin and end each day.
    starts_s, day_s : int
        Second of the day at which they begin, and seconds they work.
    days : tuple of date
    skills : frozenset of str
    lunch : Lunch or None
    """

    id: str
    members: tuple[str, ...]
    lon: float
    lat: float
    starts_s: int
    day_s: int
    days: tuple[date, ...]
    skills: frozenset[str]
    lunch: Lunch | None = None


@dataclass(frozen=True)
class VisitQuestion:
    """A week (or so) of visits to plan.

    Attributes
    ----------
    begin : date
    days : int
    teams : tuple of Team
    sites : polars.DataFrame
        As ``RISK_SCHEMA``, with ``lon``, ``lat``, ``visit_s``, ``due`` (within these days) and ``drawn``.
    needs : tuple of frozenset of str
        Skills each site needs.
    drawn_for : dict
        Row of a site that was drawn at random -> the team that was drawn for it.
    visit_lengths : tuple of int
        Seconds of a visit to each site.
    openings : dict
        Row of a site -> its opening hours; sites that are not there may be visited at any time.
    windows : dict
        Row of a site -> the windows in which a visit fits, each with its days.
    km : array of float, (teams + sites, teams + sites)
    seconds : array of int, (teams + sites, teams + sites)
        Driving; teams' bases come first.
    rules : VisitRules
    left_out : int
        Sites that were not looked at, for there are too many.
    """

    begin: date
    days: int
    teams: tuple[Team, ...]
    sites: pl.DataFrame
    needs: tuple[frozenset[str], ...]
    drawn_for: dict[int, int]
    visit_lengths: tuple[int, ...]
    openings: dict[int, Openings]
    windows: dict[int, Mapping[Window, frozenset[date]]]
    km: NDArray[np.float64]
    seconds: NDArray[np.int64]
    rules: VisitRules
    left_out: int

    def can(self, team: int, site: int) -> bool:
        """Tell whether a team may visit a site: it has the skills, and it is the one that was drawn.

        Parameters
        ----------
        team, site : int
        """
        return self.needs[site] <= self.teams[team].skills and self.drawn_for.get(site, team) == team

    def ends_s(self, site: int, day: date, there_s: int) -> int | None:
        """Return when a visit can be over for somebody who is there; None where none can any more that day.

        Parameters
        ----------
        site : int
        day : date
        there_s : int
            Second of the day.
        """
        length = self.visit_lengths[site]
        if site not in self.windows:
            return there_s + length
        ends = [
            max(opens, there_s) + length
            for (opens, closes), days in self.windows[site].items()
            if day in days and max(opens, there_s) + length <= closes
        ]
        return min(ends, default=None)

    def round_fits(self, team: int, site: int) -> bool:
        """Tell whether a team gets there and back in a day, whatever the opening hours.

        Parameters
        ----------
        team, site : int
        """
        place = len(self.teams) + site
        way = int(self.seconds[team, place] + self.seconds[place, team])
        return way + self.visit_lengths[site] <= self.teams[team].day_s


def visit_question(
    supervision: Supervision,
    rules: VisitRules,
    begin: date,
    days: int,
    *,
    running: tuple[str, ...] = (),
    drawn: tuple[tuple[str, str], ...] = (),
) -> VisitQuestion:
    """Make the question.

    Parameters
    ----------
    supervision : Supervision
    rules : VisitRules
    begin : date
        First day.
    days : int
    running : tuple of str
        Campaigns that run.
    drawn : tuple of (site id, team id)
        Drawn at random.

    Raises
    ------
    UsageError
        No team can work; too many days.
    InputError
        ``bad-value``: an inspector's days or hours, a site's opening hours.
    """
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"{days} days: expected 1 to {MOST_DAYS}.")
    teams = make_teams(supervision.inspectors, rules, begin, days)
    last = begin + timedelta(days=days - 1)
    places = supervision.sites.select("site_id", "lon", "lat", "needs")
    risk = site_risk(supervision, rules, begin, running=running).join(places, "site_id", "left")
    chosen = [site for site, _ in drawn]
    risk = risk.with_columns(
        due=(pl.col("due_on") <= last).fill_null(False),
        drawn=pl.col("site_id").is_in(chosen),
        visit_s=pl.Series([rules.visit_s(kind) for kind in risk["kind"]], dtype=pl.Int64),
    ).sort(~pl.col("due"), ~pl.col("drawn"), -pl.col("risk"), "site_id")
    sites, openings, windows = _opened(risk.head(MOST_SITES), supervision.opening_hours, teams)
    row = {site: k for k, site in enumerate(sites["site_id"])}
    number = {team.id: k for k, team in enumerate(teams)}
    km, seconds = _ways(teams, sites, supervision.travel, rules)
    return VisitQuestion(
        begin=begin,
        days=days,
        teams=teams,
        sites=sites.drop("needs"),
        needs=tuple(words(text) for text in sites["needs"]),
        drawn_for={row[site]: number[team] for site, team in drawn if site in row},
        visit_lengths=tuple(sites["visit_s"].to_list()),
        openings=openings,
        windows=windows,
        km=km,
        seconds=seconds,
        rules=rules,
        left_out=risk.height - sites.height,
    )


def _opened(
    sites: pl.DataFrame, table: pl.DataFrame, teams: tuple[Team, ...]
) -> tuple[pl.DataFrame, dict[int, Openings], dict[int, Mapping[Window, frozenset[date]]]]:
    """Return the sites that are looked at, their opening hours, and the windows in which a visit fits."""
    known = read_openings(table)
    openings = {k: known[site] for k, site in enumerate(sites["site_id"]) if site in known}
    days = {day for team in teams for day in team.days}
    within = min(team.starts_s for team in teams), max(team.starts_s + team.day_s for team in teams)
    lengths = sites["visit_s"]
    windows = {k: usable_windows(one, days, int(lengths[k]), within) for k, one in openings.items()}
    counts = np.array([len(windows[k]) if k in windows else 1 for k in range(sites.height)], np.int64)
    kept = int(np.searchsorted(np.cumsum(counts), MOST_WINDOWS, "right"))
    return (
        sites.head(kept),
        {k: one for k, one in openings.items() if k < kept},
        {k: found for k, found in windows.items() if k < kept},
    )


def words(text: str | None) -> frozenset[str]:
    """Return the words of a text with ``;`` between them.

    Parameters
    ----------
    text : str or None
    """
    return frozenset(word for part in (text or "").split(";") if (word := part.strip()))


def make_teams(inspectors: pl.DataFrame, rules: VisitRules, begin: date, days: int) -> tuple[Team, ...]:
    """Put inspectors together into teams that work on some of the days.

    A team has the skills of all its members, begins where the first of them does, works when all do.

    Parameters
    ----------
    inspectors : polars.DataFrame
    rules : VisitRules
    begin : date
    days : int

    Raises
    ------
    UsageError
        There is no team.
    InputError
        ``bad-value``.
    """
    groups: dict[str, list[dict[str, object]]] = {}
    first: dict[str, int] = {}
    problems: list[Problem] = []
    for row, one in enumerate(inspectors.iter_rows(named=True), 1):
        problems += _problems_of(one, row)
        name = str(one["team"] or one["inspector_id"])
        groups.setdefault(name, []).append(one)
        first.setdefault(name, row)
    lunches: dict[str, Lunch | None] = {}
    for name, members in groups.items() if not problems else ():
        try:
            lunches[name] = lunch_of(members)
        except ValueError:
            message = f"those of {name} have no time for lunch in common."
            problems.append(Problem("bad-value", message, "inspectors.csv", first[name], "lunch_from"))
    if problems:
        raise InputError(problems)
    span = [begin + timedelta(days=k) for k in range(days)]
    made = []
    for name, members in sorted(groups.items()):
        members.sort(key=lambda one: str(one["inspector_id"]))
        free = [day for day in span if all(_works(one, day) for one in members)]
        if len(members) < rules.least_people or not free:
            continue
        starts = max(_number(one["starts_h"], DEFAULT_START_H) for one in members)
        hours = min(_number(one["hours_per_day"], DEFAULT_HOURS) for one in members)
        made.append(
            Team(
                id=name,
                members=tuple(str(one["inspector_id"]) for one in members),
                lon=_number(members[0]["lon"], 0.0),
                lat=_number(members[0]["lat"], 0.0),
                starts_s=round(starts * 3600),
                day_s=math.floor(hours * 3600),
                days=tuple(free),
                skills=frozenset().union(*(words(str(one["skills"] or "")) for one in members)),
                lunch=lunches[name],
            )
        )
    if not made:
        raise UsageError(f"No team of {rules.least_people} or more works on these days.", "no-team")
    return tuple(made)


def _problems_of(one: dict[str, object], row: int) -> list[Problem]:
    file, made = "inspectors.csv", []
    weekdays = str(one["weekdays"] or DEFAULT_WEEKDAYS)
    if not set(weekdays) <= set("1234567"):
        made.append(Problem("bad-value", f"{weekdays!r} are no weekdays.", file, row, "weekdays", "as 12345"))
    starts, hours = _number(one["starts_h"], DEFAULT_START_H), _number(one["hours_per_day"], DEFAULT_HOURS)
    if not (0 <= starts < 24 and 0 < hours <= 24 and starts + hours <= 24):
        message = f"{starts:g} o'clock and {hours:g} hours do not fit into a day."
        made.append(Problem("bad-value", message, file, row, "hours_per_day"))
    for word in words(str(one["away"] or "")):
        try:
            date.fromisoformat(word)
        except ValueError:
            made.append(Problem("bad-value", f"{word!r} is no date.", file, row, "away", "YYYY-MM-DD"))
    return made + lunch_problems(one, row)


def _number(value: object, other: float) -> float:
    return float(value) if isinstance(value, int | float) else other


def _works(one: dict[str, object], day: date) -> bool:
    weekdays = str(one["weekdays"] or DEFAULT_WEEKDAYS)
    return str(day.isoweekday()) in weekdays and day.isoformat() not in words(str(one["away"] or ""))


def _ways(
    teams: tuple[Team, ...], sites: pl.DataFrame, travel: pl.DataFrame, rules: VisitRules
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return kilometres and whole seconds between all places, known times where there are any."""
    lon = np.array([team.lon for team in teams] + sites["lon"].to_list())
    lat = np.array([team.lat for team in teams] + sites["lat"].to_list())
    km = great_circle_km(lon[:, None], lat[:, None], lon[None, :], lat[None, :]) * rules.detour_factor
    seconds = np.ceil(km / rules.speed_km_per_h * 3600.0 - 1e-6).astype(np.int64)
    place = {team.id: k for k, team in enumerate(teams)}
    place |= {site: len(teams) + k for k, site in enumerate(sites["site_id"])}
    for one, other, minutes in travel.iter_rows():
        if one in place and other in place:
            seconds[place[one], place[other]] = math.ceil(minutes * 60 - 1e-6)
    np.fill_diagonal(seconds, 0)
    return km, seconds
