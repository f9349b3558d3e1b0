"""Small supervisions for plans of visits, and the best plan by trying all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from changtong.safety.opening_hours import OPENING_SCHEMA
from changtong.safety.supervision import (
    INSPECTOR_SCHEMA,
    OPEN_SCHEMA,
    SITE_SCHEMA,
    TRAVEL_SCHEMA,
    VISITED_SCHEMA,
    Supervision,
)
from changtong.safety.visit_plan import VisitPlan
from changtong.safety.visit_question import VisitQuestion
from changtong.safety.visit_routes import worth
from changtong.safety.visit_rules import read_visit_rules

RULES = read_visit_rules()
MONDAY = date(2026, 3, 9)


def table(schema: dict[str, pl.DataType], rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema)


def supervision(
    sites: list[dict[str, Any]],
    inspectors: list[dict[str, Any]] | None = None,
    visits: list[dict[str, Any]] | None = None,
    hazards: list[dict[str, Any]] | None = None,
    travel: list[dict[str, Any]] | None = None,
    hours: Sequence[tuple[str | None, ...]] | None = None,
) -> Supervision:
    plain = {"kind": "outlet", "lon": 110.0, "lat": 34.0}
    one = [{"inspector_id": "I", "lon": 110.0, "lat": 34.0}]
    return Supervision(
        "test",
        table(SITE_SCHEMA, [plain | site for site in sites]),
        table(INSPECTOR_SCHEMA, inspectors if inspectors is not None else one),
        table(VISITED_SCHEMA, visits or []),
        table(OPEN_SCHEMA, hazards or []),
        table(TRAVEL_SCHEMA, travel or []),
        hours_table(hours or []),
    )


def hours_table(rows: Sequence[tuple[str | None, ...]]) -> pl.DataFrame:
    """Rows of opening hours; without dates where a row has none."""
    full = [(*row, *[None] * (len(OPENING_SCHEMA) - len(row))) for row in rows]
    return pl.DataFrame(full, OPENING_SCHEMA, orient="row")


def recent(*sites: str) -> list[dict[str, Any]]:
    return [{"site_id": site, "on": date(2026, 2, 1), "findings": 0} for site in sites]


def best_by_enumeration(question: VisitQuestion) -> int:
    """The most that one team can collect after its seconds: every order of every set on each of its days."""
    (team,) = question.teams
    prizes, count = worth(question), question.sites.height
    every = [order for size in range(count + 1) for order in itertools.permutations(range(count), size)]
    best: dict[frozenset[int], int] = {frozenset(): 0}
    for day in team.days:
        today: dict[frozenset[int], int] = {}
        for order in every:
            end = _end_of_day(question, order, day)
            if end is not None:
                made = sum(prizes[site] for site in order) - (end - team.starts_s if order else 0)
                today[frozenset(order)] = max(made, today.get(frozenset(order), made))
        both = [(one | more, best[one] + today[more]) for one in best for more in today if not one & more]
        best = {}
        for sites, made in both:
            best[sites] = max(made, best.get(sites, made))
    return max(best.values())


def _end_of_day(question: VisitQuestion, order: tuple[int, ...], day: date) -> int | None:
    """When a team is back at the earliest: lunch at every minute at which it may be, and not at all."""
    (team,) = question.teams
    if not all(question.can(0, site) for site in order):
        return None
    if team.lunch is None:
        return _back(question, order, day, None)
    first, last = team.lunch.from_s, team.lunch.until_s - team.lunch.length_s
    backs = [_back(question, order, day, at) for at in range(first, last + 1, 60) if at >= team.starts_s]
    plain = _back(question, order, day, None)
    if plain is not None and plain <= last or first + team.lunch.length_s <= team.starts_s:
        backs.append(plain)
    return min((back for back in backs if back is not None), default=None)


def _back(question: VisitQuestion, order: tuple[int, ...], day: date, lunch_s: int | None) -> int | None:
    """When a team is back that has lunch at one time, and neither visits nor drives while it lasts."""
    (team,), at = question.teams, 0
    length_s = 0 if team.lunch is None else team.lunch.length_s
    clock = team.starts_s

    def driven(clock: int, way: int) -> int:
        untouched = lunch_s is None or clock + way <= lunch_s or clock >= lunch_s + length_s
        return clock + way if untouched else clock + way + length_s

    for site in order:
        clock = driven(clock, int(question.seconds[at, 1 + site]))
        length, at = int(question.sites["visit_s"][site]), 1 + site
        windows: tuple[tuple[int, int], ...] = ((0, 86_400),)
        if site in question.openings:
            windows = question.openings[site].on(day)
        if lunch_s is not None:
            parts = [((a, min(b, lunch_s)), (max(a, lunch_s + length_s), b)) for a, b in windows]
            windows = tuple(part for both in parts for part in both)
        begins = [max(clock, a) for a, b in windows if max(clock, a) + length <= b]
        if not begins:
            return None
        clock = min(begins) + length
    clock = driven(clock, int(question.seconds[at, 0]))
    return clock if clock <= team.starts_s + team.day_s else None


def collected(plan: VisitPlan, question: VisitQuestion) -> int:
    prizes = dict(zip(question.sites["site_id"], worth(question), strict=True))
    return sum(prizes[site] for site in plan.visits["site_id"]) - round(plan.team_days["hours"].sum() * 3600)
