"""A case: what its log says of level, tasks, sites, measures and reports; a fold over frozen data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from changtong.emergency.case_log import CaseEntry, written
from changtong.emergency.condition import Measures, Value
from changtong.emergency.plan import NO_LEVEL, EmergencyPlan
from changtong.errors import NotFoundError

STATES = ("open", "responding", "suspended", "ended", "closed")
SITE_STATES = ("potential", "confirmed", "restored", "cleared")
SITE_WAYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": ("potential", "confirmed"),
        "potential": ("confirmed", "cleared"),
        "confirmed": ("restored",),
        "restored": ("potential", "confirmed"),
        "cleared": ("potential", "confirmed"),
    }
)
"""State of a site -> states it may go to; a confirmed one may be confirmed again with another capacity."""

OPEN_TASK = ("assigned", "accepted")
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class LevelSet:
    """A level that was set, when, by whom and why; what the plan proposed then."""

    level: str
    at: datetime
    by: str
    reason: str
    proposed: str


@dataclass(frozen=True)
class CaseTask:
    """A task in a case.

    ``state``: assigned, accepted, done, impossible or withdrawn. ``due`` is moved by suspensions.
    """

    id: str
    department: str
    zh: str
    en: str
    state: str
    level: str
    assigned_at: datetime
    due: datetime
    changed_at: datetime
    by: str = ""
    text: str = ""
    ended_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in OPEN_TASK


@dataclass(frozen=True)
class SiteChange:
    """A site's state from an instant on; ``capacity_share`` is what it can still do (0 is shut)."""

    state: str
    at: datetime
    by: str
    text: str
    capacity_share: float


@dataclass(frozen=True)
class ReportGiven:
    """A report that was given; ``clock`` is empty where it answers no reporting time."""

    clock: str
    at: datetime
    recorded_at: datetime
    by: str
    form: str
    to: str
    text: str


@dataclass(frozen=True)
class MeasureSet:
    """A measure's value from an instant on; None: not known any more."""

    value: Value | None
    at: datetime
    by: str


@dataclass(frozen=True)
class Case:
    """A case as its entries say.

    Attributes
    ----------
    case_id, title, zone : str
    is_drill : bool
    plan : EmergencyPlan
    event : mapping
        text, kind, source and what else was given.
    opened_at, known_at : datetime
    state : str
        One of `STATES`.
    levels : tuple of LevelSet
        In the order they were set.
    measures : mapping
        Measure -> tuple of `MeasureSet`.
    tasks : mapping
        Task -> `CaseTask`.
    sites : mapping
        Site -> tuple of `SiteChange`.
    reports : tuple of ReportGiven
    documents : tuple of (number, at)
        Situation reports.
    suspended_at, ended_at, closed_at : datetime or None
    lessons : tuple of str
    entries : tuple of CaseEntry
    """

    case_id: str
    title: str
    zone: str
    is_drill: bool
    plan: EmergencyPlan
    event: Mapping[str, Any]
    opened_at: datetime
    known_at: datetime
    state: str = "open"
    levels: tuple[LevelSet, ...] = ()
    measures: Mapping[str, tuple[MeasureSet, ...]] = field(default_factory=dict)
    tasks: Mapping[str, CaseTask] = field(default_factory=dict)
    sites: Mapping[str, tuple[SiteChange, ...]] = field(default_factory=dict)
    reports: tuple[ReportGiven, ...] = ()
    documents: tuple[tuple[int, datetime], ...] = ()
    suspended_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    lessons: tuple[str, ...] = ()
    end_said: Mapping[str, Any] = field(default_factory=dict)
    entries: tuple[CaseEntry, ...] = ()

    @property
    def level(self) -> str:
        """The level in force, ``none`` where there is none."""
        return self.levels[-1].level if self.levels else NO_LEVEL

    def known(self) -> Measures:
        """Return the measures that are known."""
        newest = {name: rows[-1].value for name, rows in self.measures.items()}
        return {name: value for name, value in newest.items() if value is not None}

    def site_states(self) -> dict[str, SiteChange]:
        """Return the state of each site."""
        return {site: changes[-1] for site, changes in self.sites.items()}


def begin_case(entry: CaseEntry, plan: EmergencyPlan) -> Case:
    """Return the case that an opening entry begins.

    Parameters
    ----------
    entry : CaseEntry
        ``open``.
    plan : EmergencyPlan
        Made of what the entry keeps of it.
    """
    data = entry.data
    known_at = datetime.fromisoformat(data["known_at"])
    case = Case(
        data["case_id"], data["title"], data["zone"], bool(data["is_drill"]), plan, data["event"], entry.at,
        known_at, entries=(entry,),
    )  # fmt: skip
    return _facts(case, entry, data, known_at)


def _facts(case: Case, entry: CaseEntry, data: Mapping[str, Any], since: datetime) -> Case:
    """Return a case with the measures and sites that an entry brings."""
    measures = dict(case.measures)
    for name, value in data.get("measures", {}).items():
        measures[name] = (*measures.get(name, ()), MeasureSet(value, since, entry.by))
    sites = dict(case.sites)
    for site, said in data.get("sites", {}).items():
        change = SiteChange(
            said["state"], since, entry.by, said.get("text", ""), said.get("capacity_share", 0.0)
        )
        sites[site] = (*sites.get(site, ()), change)
    return replace(case, measures=measures, sites=sites)


def after(case: Case, entry: CaseEntry) -> Case:
    """Return the case after an entry that may happen.

    Parameters
    ----------
    case : Case
    entry : CaseEntry
    """
    case = replace(case, entries=(*case.entries, entry))
    data = entry.data
    if entry.action == "level":
        return _level(case, entry)
    if entry.action in ("measure", "site", "inject"):
        return _facts(case, entry, data, entry.at)
    if entry.action == "task":
        return _task(case, entry)
    if entry.action == "report":
        given = ReportGiven(
            data["clock"], entry.at, entry.recorded_at, entry.by, data["form"], data["to"], data["text"]
        )
        return replace(case, reports=(*case.reports, given))
    if entry.action == "situation_report":
        return replace(case, documents=(*case.documents, (data["number"], entry.at)))
    if entry.action == "suspend":
        return replace(case, state="suspended", suspended_at=entry.at)
    if entry.action == "resume":
        return _resume(case, entry)
    if entry.action == "end":
        return replace(case, state="ended", ended_at=entry.at, suspended_at=None, end_said=data)
    if entry.action == "close":
        return replace(case, state="closed", closed_at=entry.at, lessons=tuple(data["lessons"]))
    return case


def _level(case: Case, entry: CaseEntry) -> Case:
    level = entry.data["level"]
    said = LevelSet(level, entry.at, entry.by, entry.data["reason"], entry.data["proposed"])
    tasks = dict(case.tasks)
    for planned in case.plan.tasks:
        within = planned.within_min.get(level)
        there = tasks.get(planned.id)
        if within is None:
            if there is not None and there.is_open:
                tasks[planned.id] = replace(there, state="withdrawn", changed_at=entry.at, by=entry.by)
            continue
        due = entry.at + timedelta(minutes=within)
        if there is None or there.state == "withdrawn":
            tasks[planned.id] = CaseTask(
                planned.id,
                planned.department,
                planned.zh,
                planned.en,
                "assigned",
                level,
                entry.at,
                due,
                entry.at,
            )
        elif there.is_open:  # it keeps its time, unless the new level asks for an earlier one
            tasks[planned.id] = replace(there, level=level, due=min(there.due, due))
    if level == NO_LEVEL:
        tasks = {
            name: replace(task, state="withdrawn", changed_at=entry.at) if task.is_open else task
            for name, task in tasks.items()
        }
    state = "open" if level == NO_LEVEL else "responding"
    return replace(case, state=state, levels=(*case.levels, said), tasks=tasks)


TASK_STATES: Mapping[str, str] = MappingProxyType(
    {"accept": "accepted", "done": "done", "impossible": "impossible", "reopen": "assigned"}
)


def _task(case: Case, entry: CaseEntry) -> Case:
    data, tasks = entry.data, dict(case.tasks)
    name = data["task"]
    if data["do"] == "add":
        due = entry.at + timedelta(minutes=data["within_min"])
        tasks[name] = CaseTask(
            name, data["department"], data["zh"], data["en"], "assigned", case.level, entry.at, due, entry.at
        )
        return replace(case, tasks=tasks)
    state = TASK_STATES[data["do"]]
    ended = entry.at if state in ("done", "impossible") else None
    tasks[name] = replace(
        tasks[name], state=state, changed_at=entry.at, by=entry.by, text=data["text"], ended_at=ended
    )
    return replace(case, tasks=tasks)


def _resume(case: Case, entry: CaseEntry) -> Case:
    """Return the case that goes on: what is open is due later by as long as it was suspended."""
    waited = entry.at - (case.suspended_at or entry.at)
    tasks = {
        name: replace(task, due=task.due + waited) if task.is_open else task
        for name, task in case.tasks.items()
    }
    return replace(case, state="responding", suspended_at=None, tasks=tasks)


def fold(entries: Sequence[CaseEntry], plan: EmergencyPlan) -> Case:
    """Return the case of its entries; the first opens it.

    Parameters
    ----------
    entries : sequence of CaseEntry
        Not empty.
    plan : EmergencyPlan
    """
    case = begin_case(entries[0], plan)
    for entry in entries[1:]:
        case = after(case, entry)
    return case


def as_of(case: Case, at: datetime) -> Case:
    """Return a case as it was at an instant: by what had happened then, whenever it was written.

    Parameters
    ----------
    case : Case
    at : datetime
        Not before it was opened.
    """
    first, *rest = case.entries
    return fold([first, *(one for one in rest if one.at <= at)], case.plan)


def as_of_report(case: Case, number: int) -> tuple[Case, CaseEntry]:
    """Return a case as it was when a situation report was put on record, and that entry.

    Parameters
    ----------
    case : Case
    number : int
        Of the report, from 1.

    Raises
    ------
    NotFoundError
    """
    for k, one in enumerate(case.entries):
        if one.action == "situation_report" and one.data["number"] == number:
            return fold(case.entries[: k + 1], case.plan), one
    there = f"{case.case_id} has {len(case.documents)} situation reports"
    raise NotFoundError(f"{there} and none of number {number}.")


def facts_of(case: Case) -> dict[str, Any]:
    """Return the head of a case as one JSON object."""
    return {
        "case_id": case.case_id,
        "title": case.title,
        "is_drill": case.is_drill,
        "plan": case.plan.id,
        "plan_version": case.plan.version,
        "state": case.state,
        "level": case.level,
        "opened_at": written(case.opened_at),
        "known_at": written(case.known_at),
        "ended_at": None if case.ended_at is None else written(case.ended_at),
        "closed_at": None if case.closed_at is None else written(case.closed_at),
        "entries": len(case.entries),
    }
