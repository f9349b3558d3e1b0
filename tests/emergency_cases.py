"""A small plan and cases of it, worked out by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.emergency.case import Case
from changtong.emergency.case_event import Event
from changtong.emergency.case_folder import Make, add_entry, first_entry, make_case_folder
from changtong.emergency.opening import Opened, open_with
from changtong.emergency.plan import EmergencyPlan
from changtong.emergency.plan_file import plan_of

SAID = {"zh": "说明", "en": "words", "provenance": "example", "source": "made up"}


def condition(name: str, level: str, *terms: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "level": level, "any": list(terms), **SAID, **more}


def clock(name: str, minutes: float, starts: str, *terms: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "form": "oral", "minutes": minutes, "starts": starts,
            "any": list(terms), **SAID}  # fmt: skip


def deaths(at_least: int) -> dict[str, Any]:
    return {"measure": "deaths", "at_least": at_least}


def task(name: str, department: str, **within: float) -> dict[str, Any]:
    return {"id": name, "department": department, "zh": f"任务 {name}", "en": name, "within_min": within}


def content(**more: Any) -> dict[str, Any]:
    """A plan: levels by deaths, two departments, a chain of two reports, one by measure, one by level."""
    made: dict[str, Any] = {
        "id": "small", "version": "1", "title_zh": "小预案", "title_en": "Small", "provenance": "example",
        "source": "made up",
        "departments": [
            {"id": "duty", "zh": "值班室", "en": "duty"}, {"id": "ops", "zh": "运行", "en": "ops"},
        ],
        "conditions": [
            condition("a", "I", deaths(30)),
            condition("b", "II", deaths(10), {"measure": "warning_colour", "at_least": "red"}),
            condition("c", "III", deaths(3), {"measure": "backlog_days", "more_than": 2}),
            condition("d", "IV", deaths(1)),
        ],
        "tasks": [
            task("t1", "duty", I=10, II=10, III=20),
            task("t2", "ops", II=60),
            task("t3", "ops", III=30, IV=60),
        ],
        "clocks": [
            clock("first", 15, "known"),
            clock("next", 120, "report:first"),
            clock("damaged", 15, "known", {"measure": "damaged_pieces", "at_least": 500}),
            clock("set", 30, "level"),
        ],
        "end": [
            {"id": "over", **SAID},
            {"id": "little", "all": [{"measure": "backlog_days", "less_than": 1}], **SAID},
        ],
    }  # fmt: skip
    return made | more


def plan(**more: Any) -> EmergencyPlan:
    return plan_of(content(**more), "small.toml")


def at(text: str) -> datetime:
    """An instant of 2026-07-20 in China, or any with its date."""
    return datetime.fromisoformat(text if "T" in text else f"2026-07-20T{text}+08:00")


def opened(
    folder: Path, when: datetime, *, known: datetime | None = None, case_id: str = "K", **more: Any
) -> Case:
    told = Opened(plan(), Event({"text": "made up", "kind": "", "source": "words"}), at=when, known_at=known,
                  case_id=case_id, **more)  # fmt: skip
    data, begun = open_with(told, by="li", now=when)
    return make_case_folder(folder, [first_entry(data, at=begun, by="li", now=when)])


def write(folder: Path, make: Make, when: datetime, by: str = "li", **more: Any) -> Case:
    return add_entry(folder, make, by=by, at=when, **more).case
