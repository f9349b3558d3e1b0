"""A case at an instant: level and why, clocks, tasks by department, sites."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from changtong.emergency.case import Case, as_of, facts_of
from changtong.emergency.case_clocks import ClockState, TaskState, reporting_clocks, task_clocks
from changtong.emergency.case_log import head_of, whole_ms, written
from changtong.emergency.plan import NO_LEVEL, Proposal, propose
from changtong.errors import UsageError

SHOWN = 20


@dataclass(frozen=True)
class CaseStatus:
    """A case at an instant.

    Attributes
    ----------
    at : datetime
    case : Case
        As it was then.
    proposal : Proposal
        What the plan asks for with the measures known then.
    clocks : tuple of ClockState
    tasks : tuple of TaskState
    head : str
        Of the whole log; to be noted elsewhere.
    """

    at: datetime
    case: Case
    proposal: Proposal
    clocks: tuple[ClockState, ...]
    tasks: tuple[TaskState, ...]
    head: str

    @property
    def overdue(self) -> int:
        """How many reports and tasks are overdue."""
        states = [*(one.state for one in self.clocks), *(one.state for one in self.tasks)]
        return states.count("overdue")

    @property
    def to_confirm(self) -> bool:
        """Whether a person has to look at the level: none was set yet, or a graver one is proposed."""
        order = ("I", "II", "III", "IV", NO_LEVEL)
        case = self.case
        if case.state not in ("open", "responding"):
            return False
        return not case.levels or order.index(self.proposal.level) < order.index(case.level)

    def counts(self) -> dict[str, Any]:
        """Return what a list of cases says of it: open tasks, what is overdue, whether a level waits."""
        open_tasks = sum(one.task.is_open and one.state != "left" for one in self.tasks)
        return {"open_tasks": open_tasks, "overdue": self.overdue, "level_to_confirm": self.to_confirm}

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        case = self.case
        return facts_of(case) | {
            "at": written(self.at),
            "zone": case.zone,
            "event": dict(case.event),
            "level_to_confirm": self.to_confirm,
            "proposal": self.proposal.to_json(),
            "overdue": self.overdue,
            "levels": [
                {
                    "level": o.level,
                    "at": written(o.at),
                    "by": o.by,
                    "reason": o.reason,
                    "proposed": o.proposed,
                }
                for o in case.levels
            ],
            "measures": {name: rows[-1].value for name, rows in case.measures.items()},
            "clocks": [one.to_json() for one in self.clocks],
            "tasks": [one.to_json() for one in self.tasks],
            "sites": {
                site: {
                    "state": o.state,
                    "since": written(o.at),
                    "capacity_share": o.capacity_share,
                    "text": o.text,
                }
                for site, o in case.site_states().items()
            },
            "situation_reports": len(case.documents),
            "head": self.head,
        }

    def __str__(self) -> str:
        case, zone = self.case, ZoneInfo(self.case.zone)
        mark = "DRILL 演练  " if case.is_drill else ""
        lines = [
            f"{mark}{case.case_id}: {case.title}",
            f"  {case.plan.title_zh} {case.plan.title_en}; {case.state}, level {case.level};"
            f" as of {_said(self.at, zone)}",
        ]
        if self.to_confirm:
            lines.append(f"  proposed: level {self.proposal.level}; a person confirms it or sets another")
        lines += [f"  {self.proposal.reason('zh')}", f"  {self.proposal.reason('en')}"]
        shown = [one for one in self.clocks if one.state != "not_asked"]
        lines += [_clock_line(one, zone) for one in shown[:SHOWN]]
        open_tasks = [one for one in self.tasks if one.task.is_open]
        lines += [
            f"  {one.state:<9} task {one.task.id} ({one.task.department})"
            f" due {_said(one.task.due, zone)}  {one.task.zh}"
            for one in sorted(open_tasks, key=lambda one: one.task.due)[:SHOWN]
        ]
        done = sum(one.task.state == "done" for one in self.tasks)
        late = sum(one.state == "late" for one in self.tasks)
        lines.append(
            f"  {len(self.tasks)} tasks: {done} done ({late} late), {len(open_tasks)} open;"
            f" {self.overdue} overdue in all"
        )
        states = [one.state for one in case.site_states().values()]
        if states:
            counts = ", ".join(f"{states.count(name)} {name}" for name in dict.fromkeys(states))
            lines.append(f"  sites: {counts}")
        return "\n".join([*lines, f"  head: {self.head}"])


def _said(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _clock_line(one: ClockState, zone: ZoneInfo) -> str:
    if one.state == "not_known":
        return f"  not known report {one.clock.id}: needs {', '.join(one.missing)}"
    if one.due is None:
        return f"  {one.state:<9} report {one.clock.id} ({one.clock.form})  {one.clock.zh}"
    given = "" if one.given_at is None else f", given {_said(one.given_at, zone)}"
    due = _said(one.due, zone)
    return f"  {one.state:<9} report {one.clock.id} ({one.clock.form}) due {due}{given}  {one.clock.zh}"


def status(case: Case, at: datetime) -> CaseStatus:
    """Return a case at an instant.

    Parameters
    ----------
    case : Case
    at : datetime
        With a zone; before, between or after its entries.

    Raises
    ------
    UsageError
        It was not open then.
    """
    if at.tzinfo is None:
        raise UsageError("The instant needs a zone, for example 2026-07-20T03:00+08:00.", "bad-instant")
    at = whole_ms(at)
    if at < case.opened_at:
        raise UsageError(
            f"{case.case_id} was opened at {written(case.opened_at)}: it was not there at {written(at)}."
        )
    then = as_of(case, at)
    proposal = propose(then.plan, then.known())
    return CaseStatus(
        at, then, proposal, reporting_clocks(then, at), task_clocks(then, at), head_of(case.entries)
    )
