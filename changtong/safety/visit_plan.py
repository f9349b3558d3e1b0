"""A plan of visits: who visits what on which day, what was left and why, checked before anyone sees it."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import InternalError, UsageError
from changtong.safety.supervision import Supervision
from changtong.safety.table_folder import save_tables
from changtong.safety.visit_check import check_visits
from changtong.safety.visit_day import can_alone, without_lunch
from changtong.safety.visit_question import VisitQuestion, visit_question
from changtong.safety.visit_routes import TeamDay, route_visits, timed
from changtong.safety.visit_rules import VisitRules, read_visit_rules

KIND = "visits"
DEFAULT_ITERATIONS = 1_000

VISIT_SCHEMA: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "team": pl.String(),
    "inspectors": pl.String(),
    "order": pl.Int64(),
    "site_id": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "lunch": pl.String(),
    "arrives": pl.String(),
    "waits_min": pl.Float64(),
    "leaves": pl.String(),
    "travel_min": pl.Float64(),
    "travel_km": pl.Float64(),
    "risk": pl.Float64(),
    "due": pl.Boolean(),
    "due_on": pl.Date(),
    "due_reason": pl.String(),
    "drawn": pl.Boolean(),
    "open_major": pl.Int64(),
    "open_general": pl.Int64(),
    "last_visit": pl.Date(),
}
"""``lunch``: when it begins that is taken after the place before and ahead of this visit."""
LEFT_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "risk": pl.Float64(),
    "due": pl.Boolean(),
    "due_on": pl.Date(),
    "due_reason": pl.String(),
    "drawn": pl.Boolean(),
    "reason": pl.String(),
}
"""``reason``: no_skill (no team has what it needs), shut (on all of these days), open_too_short (for less
than a visit lasts), too_far (no team gets there and back in a day), open_other_times (shut whenever a team
that could visit it can be there), no_lunch (a visit there leaves no time for lunch), no_time (hours went to
visits that are due or worth more)."""

SHUT = ("shut", "open_too_short", "open_other_times", "no_lunch")
"""Reasons of hours: these sites could not be visited, whatever else was left out."""

DAY_SCHEMA: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "team": pl.String(),
    "inspectors": pl.String(),
    "visits": pl.Int64(),
    "starts": pl.String(),
    "lunch": pl.String(),
    "back": pl.String(),
    "hours": pl.Float64(),
    "hours_of": pl.Float64(),
    "travel_km": pl.Float64(),
    "risk": pl.Float64(),
}


@dataclass(frozen=True)
class VisitPlan:
    """Who visits what.

    Attributes
    ----------
    name : str
    begin : date
    days : int
    visits, left, team_days : polars.DataFrame
        As `VISIT_SCHEMA`, `LEFT_SCHEMA`, `DAY_SCHEMA`.
    places : polars.DataFrame
        ``site_id`` or team, ``lon``, ``lat``: for maps.
    rules : VisitRules
    random_share : float
        Of the visits, drawn at random.
    seed : int
        What the draw and the routes began with.
    not_looked_at : int
        Sites beyond the most that a plan looks at.
    unknown_hours : tuple of str
        Sites that have opening hours and are not among the sites.
    """

    name: str
    begin: date
    days: int
    visits: pl.DataFrame
    left: pl.DataFrame
    team_days: pl.DataFrame
    places: pl.DataFrame
    rules: VisitRules
    random_share: float
    seed: int
    not_looked_at: int
    unknown_hours: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return the plan in a few figures."""
        due = int(self.visits["due"].sum()) + int(self.left["due"].sum())
        risk, left_risk = float(self.visits["risk"].sum()), float(self.left["risk"].sum())
        return {
            "name": self.name,
            "begin": str(self.begin),
            "days": self.days,
            "visits": self.visits.height,
            "due": due,
            "due_visited": int(self.visits["due"].sum()),
            "drawn": int(self.visits["drawn"].sum()) + int(self.left["drawn"].sum()),
            "drawn_visited": int(self.visits["drawn"].sum()),
            "left": self.left.height,
            "left_by_reason": dict(sorted(self.left["reason"].value_counts().iter_rows())),
            "risk_visited": round(risk, 2),
            "risk_visited_share": round(risk / (risk + left_risk), 4) if risk + left_risk > 0 else None,
            "hours": round(float(self.team_days["hours"].sum()), 2),
            "hours_of": round(float(self.team_days["hours_of"].sum()), 2),
            "travel_km": round(float(self.team_days["travel_km"].sum()), 1),
            "random_share": self.random_share,
            "seed": self.seed,
            "not_looked_at": self.not_looked_at,
            "hours_of_unknown_sites": list(self.unknown_hours),
            "rules": {key: getattr(self.rules, key) for key in ("id", "version", "provenance", "source")},
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object, with what could not be visited although it is due."""
        missed = self.left.filter("due").with_columns(pl.col(pl.Date).cast(pl.String))
        return self.summary() | {"due_left": missed.to_dicts()}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the tables, ``visits.geojson`` and ``visits.json`` to a folder, whole or not at all.

        Parameters
        ----------
        folder : path
        """
        tables = {"visits": self.visits, "left": self.left, "team_days": self.team_days}

        def more(into: Path) -> None:
            text = json.dumps(self.geojson(), ensure_ascii=False)
            (into / "visits.geojson").write_text(text, "utf-8")

        return save_tables(folder, KIND, tables, self.summary(), more)

    def geojson(self) -> dict[str, Any]:
        """Return a line for each team's day and a point for each visit."""
        at = {name: [lon, lat] for name, lon, lat in self.places.iter_rows()}
        made: list[dict[str, Any]] = []
        for rows in self.visits.partition_by("day", "team", maintain_order=True):
            base = at[rows["team"][0]]
            line = [base, *(at[site] for site in rows["site_id"]), base]
            facts = {"day": str(rows["day"][0]), "team": rows["team"][0], "inspectors": rows["inspectors"][0]}
            made.append(_feature("LineString", line, facts))
            for row in rows.iter_rows(named=True):
                keys = ("order", "site_id", "name", "arrives", "leaves", "risk", "due", "drawn")
                made.append(_feature("Point", at[row["site_id"]], facts | {key: row[key] for key in keys}))
        return {"type": "FeatureCollection", "features": made}

    def __str__(self) -> str:
        s = self.summary()
        share = "–" if s["risk_visited_share"] is None else f"{s['risk_visited_share']:.0%}"
        lines = [
            f"{self.name}, {s['days']} days from {s['begin']}: {s['visits']} visits, "
            f"{s['due_visited']} of {s['due']} that are due; {share} of the risk; "
            f"{s['hours']:g} of {s['hours_of']:g} hours, {s['travel_km']:g} km",
            f"rules: {self.rules.id} {self.rules.version} ({self.rules.provenance}); seed {self.seed}",
        ]
        if self.random_share:
            lines.append(f"drawn at random: {s['drawn_visited']} of {s['drawn']} visited")
        for row in self.team_days.filter(pl.col("visits") > 0).head(20).iter_rows(named=True):
            sites = self.visits.filter((pl.col("day") == row["day"]) & (pl.col("team") == row["team"]))
            names = ", ".join(
                f"{one['name'] or one['site_id']} {one['arrives']}" for one in sites.iter_rows(named=True)
            )
            lines.append(f"  {row['day']} {row['team']:<8} {row['hours']:4.1f} h  {names}")
        for row in self.left.filter("due").head(10).iter_rows(named=True):
            lines.append(
                f"  due and left: {row['name'] or row['site_id']} by {row['due_on']} ({row['reason']})"
            )
        for row in (
            self.left.filter(~pl.col("due") & pl.col("reason").is_in(SHUT)).head(10).iter_rows(named=True)
        ):
            lines.append(f"  cannot be visited: {row['name'] or row['site_id']} ({row['reason']})")
        if self.unknown_hours:
            lines.append(f"opening hours of unknown sites: {', '.join(self.unknown_hours[:10])}")
        return "\n".join(lines)


def _feature(kind: str, places: Any, facts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": places}, "properties": facts}


def plan_visits(
    supervision: Supervision,
    *,
    begin: date,
    days: int = 7,
    rules: VisitRules | None = None,
    running: tuple[str, ...] = (),
    random_share: float = 0.0,
    seed: int = 0,
    iterations: int = DEFAULT_ITERATIONS,
) -> VisitPlan:
    """Plan who visits what: what is due first, then the most risk in the hours there are.

    With ``random_share`` a part of the visits is drawn (双随机): sites at random among those not due,
    and for each a team at random among those that could go. A plan without the draw tells how many.

    Parameters
    ----------
    supervision : Supervision
    begin : date
        First day.
    days : int
    rules : VisitRules, optional
        By default the shipped example.
    running : tuple of str
        Ids of campaigns that run.
    random_share : float
        0 to 1.
    seed : int
        Of the draw and of the routes; it is on record.
    iterations : int
        Of each step of the search for routes.

    Raises
    ------
    UsageError
        ``no-team``; a share, days or iterations that cannot be.
    InputError
        ``bad-value``.
    InternalError
        The plan fails its check.
    """
    if not 0 <= random_share <= 1:
        raise UsageError(f"A share of {random_share} cannot be drawn: expected 0 to 1.")
    if iterations < 1:
        raise UsageError("At least one iteration is needed.")
    known = rules or read_visit_rules()
    question = visit_question(supervision, known, begin, days, running=running)
    routes = route_visits(question, iterations=iterations, seed=seed)
    if random_share > 0:
        drawn = draw(question, round(random_share * sum(len(one.sites) for one in routes)), seed)
        question = visit_question(supervision, known, begin, days, running=running, drawn=drawn)
        routes = route_visits(question, iterations=iterations, seed=seed)
    plan = _read(supervision, question, routes, random_share, seed)
    faults = check_visits(supervision, known, begin, days, plan.visits, plan.left)
    if faults:
        raise InternalError("The plan of visits fails its check: " + "; ".join(faults[:5]))
    return plan


def draw(question: VisitQuestion, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Draw sites that are not due, and for each a team that could go there.

    Parameters
    ----------
    question : VisitQuestion
    count, seed : int
    """
    dice = np.random.default_rng(seed)
    teams = range(len(question.teams))
    pool = []
    order = sorted(range(question.sites.height), key=lambda k: str(question.sites["site_id"][k]))
    for k in order:
        able = [t for t in teams if can_alone(question, t, k)]
        if able and not question.sites["due"][k]:
            pool.append((k, able))
    chosen = dice.permutation(len(pool))[:count]
    return tuple(
        (
            str(question.sites["site_id"][pool[c][0]]),
            question.teams[pool[c][1][int(dice.integers(len(pool[c][1])))]].id,
        )
        for c in chosen
    )


def _read(
    supervision: Supervision,
    question: VisitQuestion,
    routes: tuple[TeamDay, ...],
    random_share: float,
    seed: int,
) -> VisitPlan:
    rows, used = _visit_rows(question, routes)
    sites = question.sites
    taken = {site for one in routes for site in one.sites}
    left = [
        {**sites.row(k, named=True), "reason": _reason(question, k)}
        for k in range(sites.height)
        if k not in taken
    ]
    visits = pl.DataFrame([{k: row[k] for k in VISIT_SCHEMA} for row in rows], VISIT_SCHEMA)
    team_days = [
        used.get((t, day), _idle(question, t))
        | {"day": day, "team": team.id, "inspectors": "; ".join(team.members)}
        for t, team in enumerate(question.teams)
        for day in team.days
    ]
    bases = pl.DataFrame(
        [(team.id, team.lon, team.lat) for team in question.teams], ["site_id", "lon", "lat"], orient="row"
    )
    return VisitPlan(
        name=supervision.name,
        begin=question.begin,
        days=question.days,
        visits=visits,
        left=pl.DataFrame([{k: row[k] for k in LEFT_SCHEMA} for row in left], LEFT_SCHEMA),
        team_days=pl.DataFrame([{k: row[k] for k in DAY_SCHEMA} for row in team_days], DAY_SCHEMA).sort(
            "day", "team"
        ),
        places=pl.concat([sites.select("site_id", "lon", "lat"), bases]),
        rules=question.rules,
        random_share=random_share,
        seed=seed,
        not_looked_at=question.left_out,
        unknown_hours=tuple(
            sorted(set(supervision.opening_hours["site_id"]) - set(supervision.sites["site_id"]))
        ),
    )


def _visit_rows(
    question: VisitQuestion, routes: tuple[TeamDay, ...]
) -> tuple[list[dict[str, Any]], dict[tuple[int, date], dict[str, Any]]]:
    """Return a row a visit, and the figures of each team's day."""
    rows: list[dict[str, Any]] = []
    used: dict[tuple[int, date], dict[str, Any]] = {}
    count = len(question.teams)
    for one in routes:
        team = question.teams[one.team]
        found = timed(question, one)
        at, km, risk = one.team, 0.0, 0.0
        for order, stop in enumerate(found.stops, 1):
            place = count + stop.site
            way, driven = int(question.seconds[at, place]), float(question.km[at, place])
            facts = question.sites.row(stop.site, named=True)
            rows.append(
                facts
                | {"day": one.day, "team": team.id, "inspectors": "; ".join(team.members), "order": order}
                | {"arrives": clock_text(stop.arrives_s), "leaves": clock_text(stop.ends_s)}
                | {"lunch": None if stop.lunch_s is None else clock_text(stop.lunch_s)}
                | {"waits_min": round(stop.waits_s / 60, 1)}
                | {"travel_min": round(way / 60, 1), "travel_km": round(driven, 2)}
            )
            at, km, risk = place, km + driven, risk + facts["risk"]
        km += float(question.km[at, one.team])
        used[one.team, one.day] = _idle(question, one.team) | {
            "visits": len(one.sites),
            "lunch": None if found.lunch_s is None else clock_text(found.lunch_s),
            "back": clock_text(found.back_s),
            "hours": round((found.back_s - team.starts_s) / 3600, 3),
            "travel_km": round(km, 2),
            "risk": round(risk, 2),
        }
    return rows, used


def _idle(question: VisitQuestion, t: int) -> dict[str, Any]:
    team = question.teams[t]
    start = clock_text(team.starts_s)
    hours = {"hours": 0.0, "hours_of": team.day_s / 3600, "travel_km": 0.0, "risk": 0.0}
    return {"visits": 0, "starts": start, "lunch": None, "back": start, **hours}


def _reason(question: VisitQuestion, site: int) -> str:
    able = [t for t in range(len(question.teams)) if question.can(t, site)]
    if not able:
        return "no_skill"
    if site in question.openings:
        days = [question.begin + timedelta(days=k) for k in range(question.days)]
        lengths = [closes - opens for day in days for opens, closes in question.openings[site].on(day)]
        if not lengths:
            return "shut"
        if max(lengths) < question.visit_lengths[site]:
            return "open_too_short"
    if not any(question.round_fits(t, site) for t in able):
        return "too_far"
    if any(can_alone(question, t, site) for t in able):
        return "no_time"
    hungry = without_lunch(question)
    return "no_lunch" if any(can_alone(hungry, t, site) for t in able) else "open_other_times"


def clock_text(seconds: int) -> str:
    """Return a second of the day as HH:MM.

    Parameters
    ----------
    seconds : int
    """
    minutes = math.floor(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
