"""How entries, times and states of an emergency case are said in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from changtong.emergency.case import Case
from changtong.emergency.case_log import CaseEntry
from changtong.emergency.condition import measures, said_value
from changtong.emergency.plan import NO_LEVEL
from changtong.report.assessment_words import foreign_text
from changtong.report.texts import Both, joined, named, same, text

MOST_SIGNS = 4200
"""Of a text from a case: as long as one may be, and some."""


def foreign(value: object) -> str:
    """Say a text from a case: in one line, without controls."""
    return foreign_text(str(value).strip(), MOST_SIGNS)


class CaseWords:
    """Says what a case holds.

    Parameters
    ----------
    case : Case
    """

    def __init__(self, case: Case) -> None:
        self.case, self.zone = case, ZoneInfo(case.zone)

    def at(self, at: datetime | None) -> Both:
        """Say an instant in the case's zone; a dash where there is none."""
        if at is None:
            return same("–")
        local = at.astimezone(self.zone)
        return same(f"{local:%Y-%m-%d %H:%M}" + (f":{local:%S}" if local.second else ""))

    def level(self, level: str) -> Both:
        """Say a level."""
        return text("case.no_level") if level == NO_LEVEL else text("case.level_n", level=level)

    def department(self, name: str) -> Both:
        """Say a department by its name in the plan."""
        zh, en = self.case.plan.departments.get(name, (name, name))
        return Both(foreign(zh), foreign(en))

    def task(self, name: str) -> Both:
        """Say a task."""
        task = self.case.tasks.get(name)
        return same(foreign(name)) if task is None else Both(foreign(task.zh), foreign(task.en))

    def entry(self, entry: CaseEntry) -> Both:
        """Say an entry in a line."""
        what = _SAYERS.get(entry.action, CaseWords._reason)(self, entry.data)
        return text(f"case_action.{entry.action}", what=what)

    def _open(self, data: Mapping[str, Any]) -> Both:
        return same(foreign(data["title"]))

    def _level(self, data: Mapping[str, Any]) -> Both:
        return self.level(data["level"]) + _more(data["reason"])

    def _measures(self, data: Mapping[str, Any]) -> Both:
        return joined([said_measure(name, value) for name, value in data["measures"].items()]) + _more(
            data.get("text", "")
        )

    def _task(self, data: Mapping[str, Any]) -> Both:
        return self.task(data["task"]) + same(" ") + named("case_task", data["do"]) + _more(data["text"])

    def _sites(self, data: Mapping[str, Any]) -> Both:
        parts = [
            same(f"{foreign(site)} ") + named("case_state", one["state"]) + _more(one.get("text", ""))
            for site, one in data["sites"].items()
        ]
        return joined(parts)

    def _report(self, data: Mapping[str, Any]) -> Both:
        clock = self.case.plan.clock(data["clock"]) if data["clock"] else None
        said = Both(foreign(clock.zh), foreign(clock.en)) if clock else named("case_state", data["form"])
        return said + _more(data["to"]) + _more(data["text"])

    def _note(self, data: Mapping[str, Any]) -> Both:
        return same(foreign(data["text"]))

    def _number(self, data: Mapping[str, Any]) -> Both:
        return text("case.situation", number=str(data["number"]))

    def _lessons(self, data: Mapping[str, Any]) -> Both:
        return joined([same(foreign(one)) for one in data["lessons"]])

    def _inject(self, data: Mapping[str, Any]) -> Both:
        parts = [said_measure(name, value) for name, value in data["measures"].items()]
        parts += [
            same(f"{foreign(site)} ") + named("case_state", one["state"])
            for site, one in data["sites"].items()
        ]
        more = Both("（", " (") + joined(parts) + Both("）", ")") if parts else same("")
        return Both(foreign(data["zh"]), foreign(data["en"])) + more

    def _reason(self, data: Mapping[str, Any]) -> Both:
        return same(foreign(data.get("reason", ""))) + _more(data.get("although", ""))


def _more(words: str) -> Both:
    said = foreign(words)
    return Both(f"；{said}", f"; {said}") if said else same("")


_SAYERS: Mapping[str, Any] = {
    "open": CaseWords._open, "level": CaseWords._level, "measure": CaseWords._measures,
    "task": CaseWords._task, "site": CaseWords._sites, "report": CaseWords._report,
    "note": CaseWords._note, "situation_report": CaseWords._number, "close": CaseWords._lessons,
    "inject": CaseWords._inject,
}  # fmt: skip


def said_measure(name: str, value: Any) -> Both:
    """Say a measure with its value and unit."""
    measure = measures()[name]
    units = ("", "") if value is None else (measure.unit_zh, measure.unit_en)
    zh = f"{measure.zh} {said_value(measure, value, 'zh')} {units[0]}"
    en = f"{measure.en} {said_value(measure, value, 'en')} {units[1]}"
    return Both(zh.strip(), en.strip())


def said_span(seconds: float | None) -> Both:
    """Say how long something took: minutes, hours or days."""
    if seconds is None:
        return same("–")
    if seconds < 7200:
        return text("case.unit_min", value=f"{seconds / 60:,.3g}" if seconds % 60 else f"{seconds / 60:,.0f}")
    if seconds < 48 * 3600:
        return text("case.unit_h", value=f"{seconds / 3600:,.1f}")
    return text("case.unit_day", value=f"{seconds / 86400:,.1f}")
