"""Small supervisions for plans of visits, and the best plan by trying all."""

from __future__ import annotations

import itertools
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
    hours: list[tuple[str, str, str | None, str | None]] | None = None,
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
        pl.DataFrame(hours or [], OPENING_SCHEMA, orient="row"),
    )


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
    """When a team is back that begins each visit at the first second at which the site stays open for it."""
    (team,), at = question.teams, 0
    clock = team.starts_s
    for site in order:
        clock += int(question.seconds[at, 1 + site])
        length, at = int(question.sites["visit_s"][site]), 1 + site
        if site in question.weeks:
            windows = question.weeks[site][day.weekday()]
            begins = [max(clock, a) for a, b in windows if max(clock, a) + length <= b]
            if not begins:
                return None
            clock = min(begins)
        clock += length
        if not question.can(0, site):
            return None
    clock += int(question.seconds[at, 0])
    return clock if clock <= team.starts_s + team.day_s else None


def collected(plan: VisitPlan, question: VisitQuestion) -> int:
    prizes = dict(zip(question.sites["site_id"], worth(question), strict=True))
    return sum(prizes[site] for site in plan.visits["site_id"]) - round(plan.team_days["hours"].sum() * 3600)
