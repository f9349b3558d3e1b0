"""Rosters of centres from hourly volumes: asked, solved on all cores, checked before anyone sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import InputError, InternalError, Problem, UsageError
from changtong.executors.cores import usable_cores
from changtong.executors.local import InProcess, LocalProcesses
from changtong.executors.work import Executor, Row
from changtong.network.findings import NearestNames
from changtong.workforce.centre_roster import roster_centre
from changtong.workforce.roster_check import check_roster
from changtong.workforce.roster_result import Roster
from changtong.workforce.roster_tables import SCHEMAS, centre_tables
from changtong.workforce.staffing_question import CentreQuestion
from changtong.workforce.volumes_ahead import hourly_ahead
from changtong.workforce.workforce_folder import Workforce

MOST_DAYS = 92
SHARE_FOR_SOLVING = 0.8
SOLVES_ALONE = 2
"""So few centres are solved in this process: others take longer to begin."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Work:
    """Rosters a centre and returns its rows."""

    def __call__(self, task: tuple[CentreQuestion, float]) -> Row:
        return centre_tables(roster_centre(*task))

    def portable(self) -> _Work:
        return self


def make_roster(
    workforce: Workforce,
    *,
    sites: tuple[str, ...] = (),
    begin: date | None = None,
    end: date | None = None,
    quantile: float = 0.5,
    seconds: float = 120.0,
    progress: Progress | None = None,
) -> Roster:
    """Return rosters of centres: people by shift, and duties of each person.

    Parameters
    ----------
    workforce : Workforce
        With ``hourly``.
    sites : tuple of str
        By default all.
    begin, end : date, optional
        First and last day; by default those of the volumes. Days after the volumes are forecast.
    quantile : float
        Of the forecast to staff for: 0.9 is exceeded on one day of ten.
    seconds : float
        About, for all centres.
    progress : callable, optional
        Told how many centres are done, and of how many.

    Raises
    ------
    InputError
        ``unknown-site``, ``empty-table``.
    UsageError
        Days or quantile that cannot be.
    InternalError
        The rosters fail their check.
    """
    clock = time.perf_counter()
    first, last = _days(workforce, begin, end)
    chosen = _sites(workforce, sites)
    volumes, notes = hourly_ahead(workforce, chosen, last, quantile)
    questions = [_question(workforce, volumes, site, first, last) for site in chosen]
    tables = _solve(questions, seconds - (time.perf_counter() - clock), progress)
    faults = check_roster(tables, workforce.rules.to_dict())
    if faults:
        raise InternalError("The rosters fail their check: " + "; ".join(faults[:5]))
    took = time.perf_counter() - clock
    return Roster(workforce.name, first, last, workforce.rules, tables, notes, quantile, took)


def _days(workforce: Workforce, begin: date | None, end: date | None) -> tuple[date, date]:
    if workforce.hourly.is_empty():
        raise InputError([Problem("empty-table", "there are no hourly volumes.", "hourly.csv")])
    first: date = begin or workforce.hourly["date"].min()  # type: ignore[assignment]
    last: date = end or max(first, workforce.hourly["date"].max())  # type: ignore[type-var, assignment]
    known: date = workforce.hourly["date"].min()  # type: ignore[assignment]
    if first < known:
        raise UsageError(f"The first day, {first}, lies before the first day of the volumes, {known}.")
    if last < first:
        raise UsageError(f"The last day, {last}, is before the first, {first}.")
    if (last - first).days >= MOST_DAYS:
        raise UsageError(f"{(last - first).days + 1} days are too many for one roster: at most {MOST_DAYS}.")
    return first, last


def _sites(workforce: Workforce, sites: tuple[str, ...]) -> tuple[str, ...]:
    known = sorted(workforce.hourly["site"].unique())
    nearest = NearestNames(known)
    problems = [
        Problem(
            "unknown-site", f"{site!r} has no volumes.", "hourly.csv", None, "site", hint=nearest.hint(site)
        )
        for site in sites
        if site not in known
    ]
    if problems:
        raise InputError(problems)
    return tuple(dict.fromkeys(sites)) or tuple(known)


def _question(
    workforce: Workforce, volumes: pl.DataFrame, site: str, first: date, last: date
) -> CentreQuestion:
    days, rules = (last - first).days + 1, workforce.rules
    pieces = np.zeros(days * 24)
    rows = volumes.filter((pl.col("site") == site) & pl.col("date").is_between(first, last))
    for day, hour, count in rows.select("date", "hour", "pieces").iter_rows():
        pieces[(day - first).days * 24 + hour] = count
    named = tuple(sorted(workforce.people.filter(pl.col("site") == site)["person_id"]))
    width = max(3, len(str(rules.staff_of(site))))
    if workforce.people.is_empty():
        named = tuple(f"{site}-{k:0{width}d}" for k in range(1, rules.staff_of(site) + 1))
    gone: dict[str, set[int]] = {person: set() for person in named}
    bare = CentreQuestion(site, first, tuple(pieces.tolist()), named, (), rules)
    for person, day in workforce.absences.select("person_id", "date").iter_rows():
        work_day = (day - first).days + bare.before
        if person in gone and 0 <= work_day < bare.work_days:
            gone[person].add(work_day)
    away = tuple(frozenset(gone[person]) for person in named)
    return CentreQuestion(site, first, bare.pieces, named, away, rules)


def _solve(
    questions: list[CentreQuestion], seconds: float, progress: Progress | None
) -> dict[str, pl.DataFrame]:
    """Solve all, the largest first; each gets its share of the time that is left."""
    alone = len(questions) <= SOLVES_ALONE or usable_cores() < 2
    executor: Executor = InProcess() if alone else LocalProcesses()
    cores = 1 if alone else min(usable_cores(), len(questions))
    until = time.perf_counter() + seconds * SHARE_FOR_SOLVING
    order = sorted(questions, key=lambda one: (-sum(one.pieces), one.site))

    def tasks() -> Iterator[tuple[CentreQuestion, float]]:
        for number, question in enumerate(order):
            left = max(0.0, until - time.perf_counter()) * cores / (len(order) - number)
            yield question, max(0.3, left)

    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    for done, ((question, _), made) in enumerate(executor.run(_Work(), tasks()), 1):
        if made.get("status") == "failed":
            raise InternalError(f"{question.site}: {made['error']}")
        for name in SCHEMAS:
            rows[name] += made[name]
        if progress is not None:
            progress(done, len(order))
    keys = {"centres": ["site"], "shifts": ["site", "date", "begin", "shift"],
            "roster": ["site", "person_id", "date"], "people": ["site", "person_id"],
            "hours": ["site", "date", "hour"], "understaffing": ["site", "volume_factor"],
            "absences": ["site", "person_id", "date"]}  # fmt: skip
    return {name: pl.DataFrame(rows[name], schema=SCHEMAS[name]).sort(keys[name]) for name in SCHEMAS}
