"""An emergency plan as data, and the response level it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from changtong.emergency.condition import Condition, Found, Measures, Term, Truth, look, measures, said_term

LEVELS = ("I", "II", "III", "IV")
"""Response levels, the gravest first."""

NO_LEVEL = "none"


@dataclass(frozen=True, slots=True)
class PlanTask:
    """What a department does at some levels; ``within_min`` is level -> minutes after its activation."""

    id: str
    department: str
    zh: str
    en: str
    within_min: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Clock:
    """A reporting time.

    Attributes
    ----------
    id, zh, en : str
    form : str
        oral or written.
    minutes : float
    starts : str
        ``known`` (when the event is known and the condition holds), ``level`` (when a level is first set),
        or ``report:ID`` (when another report was given).
    to_zh, to_en : str
        Whom it goes to.
    all, any : tuple of Term
        When it is asked for; without terms always.
    provenance, source, source_zh : str
        ``source_zh`` says the source in Chinese, where it is not Chinese already.
    """

    id: str
    zh: str
    en: str
    form: str
    minutes: float
    starts: str
    to_zh: str
    to_en: str
    all: tuple[Term, ...]
    any: tuple[Term, ...]
    provenance: str
    source: str
    source_zh: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is called, by role; name and phone are personal data and never get into a case."""

    role_zh: str
    role_en: str
    department: str
    levels: tuple[str, ...]
    order: int = 1
    name: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be used: vehicles, sites, people, stocks."""

    id: str
    zh: str
    en: str
    amount: float
    unit_zh: str
    unit_en: str
    place: str = ""


@dataclass(frozen=True)
class EmergencyPlan:
    """An emergency plan.

    Attributes
    ----------
    id, version, title_zh, title_en, provenance, source, source_zh, notes_zh, notes_en : str
    kinds : tuple of str
        Kinds of events it is for.
    triggers, conditions, suspension, adjustment, end : tuple of Condition
    departments : mapping
        Department -> names (zh, en).
    tasks : tuple of PlanTask
    clocks : tuple of Clock
    contacts : tuple of Contact
    resources : tuple of Resource
    content : mapping
        As it was read, sets put in, without names and phones: what a case keeps.
    """

    id: str
    version: str
    title_zh: str
    title_en: str
    provenance: str
    source: str
    source_zh: str
    notes_zh: str
    notes_en: str
    kinds: tuple[str, ...]
    triggers: tuple[Condition, ...]
    conditions: tuple[Condition, ...]
    suspension: tuple[Condition, ...]
    adjustment: tuple[Condition, ...]
    end: tuple[Condition, ...]
    departments: Mapping[str, tuple[str, str]]
    tasks: tuple[PlanTask, ...]
    clocks: tuple[Clock, ...]
    contacts: tuple[Contact, ...]
    resources: tuple[Resource, ...]
    content: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        levels = [level for level in LEVELS if any(c.level == level for c in self.conditions)]
        return (
            f"{self.title_zh} {self.title_en}: {self.id} {self.version} ({self.provenance})\n"
            f"  levels {', '.join(levels) or 'none'}; {len(self.conditions)} conditions,"
            f" {len(self.tasks)} tasks of {len(self.departments)} departments,"
            f" {len(self.clocks)} reporting times,"
            f" {len(self.contacts)} contacts, {len(self.resources)} resources"
        )

    def clock(self, name: str) -> Clock | None:
        """Return a reporting time by its id."""
        return next((one for one in self.clocks if one.id == name), None)

    def task(self, name: str) -> PlanTask | None:
        """Return a task by its id."""
        return next((one for one in self.tasks if one.id == name), None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A condition and whether it holds."""

    condition: Condition
    found: Found


@dataclass(frozen=True)
class Proposal:
    """The response level that a plan asks for.

    Attributes
    ----------
    level : str
        ``none`` where no condition is known to hold.
    holds : tuple of Judged
        Conditions of this level that hold.
    unknown : tuple of Judged
        Conditions of graver levels that may hold, because measures are missing.
    """

    level: str
    holds: tuple[Judged, ...]
    unknown: tuple[Judged, ...]

    @property
    def may_be(self) -> str:
        """The gravest level that is not ruled out."""
        levels = [one.condition.level for one in self.unknown]
        return min(
            [*levels, *([self.level] if self.level in LEVELS else [])], key=LEVELS.index, default=NO_LEVEL
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Measures that would tell."""
        return tuple(dict.fromkeys(name for one in self.unknown for name in one.found.missing))

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "level": self.level,
            "may_be": self.may_be,
            "holds": [one.condition.id for one in self.holds],
            "unknown": [
                {"condition": one.condition.id, "missing": list(one.found.missing)} for one in self.unknown
            ],
            "missing": list(self.missing),
            "reason_zh": self.reason("zh"),
            "reason_en": self.reason("en"),
        }

    def reason(self, language: str) -> str:
        """Return why, in words: what holds, and what is not known."""
        zh = language == "zh"
        if self.level == NO_LEVEL:
            parts = ["没有已知成立的条件。" if zh else "No condition is known to hold."]
        else:
            held = ("；" if zh else "; ").join(_said(one.condition, zh) for one in self.holds)
            parts = [f"{self.level} 级：{held}。" if zh else f"Level {self.level}: {held}."]
        if self.unknown:
            names = [measures()[name] for name in self.missing]
            listed = ("、" if zh else ", ").join(one.zh if zh else one.en for one in names)
            parts.append(
                f"未知：{listed}；可能达到 {self.may_be} 级。"
                if zh
                else f"Not known: {listed}; it may be level {self.may_be}."
            )
        return ("" if zh else " ").join(parts)


def _said(condition: Condition, zh: bool) -> str:
    kinds = {"official": ("官方", "official"), "example": ("示例", "example"), "assumed": ("假定", "assumed")}
    kind = kinds[condition.provenance][0 if zh else 1]
    return f"{condition.zh}（{kind}）" if zh else f"{condition.en} ({kind})"


def propose(plan: EmergencyPlan, known: Measures) -> Proposal:
    """Return the level that a plan asks for: the gravest of which a condition holds.

    Parameters
    ----------
    plan : EmergencyPlan
    known : mapping
        Measures that are known.
    """
    judged = [Judged(one, look(one.all, one.any, known)) for one in plan.conditions]
    for place, level in enumerate(LEVELS):
        holds = tuple(j for j in judged if j.condition.level == level and j.found.truth is Truth.yes)
        if holds:
            graver = LEVELS[:place]
            return Proposal(level, holds, _unknown(judged, graver))
    return Proposal(NO_LEVEL, (), _unknown(judged, LEVELS))


def _unknown(judged: list[Judged], levels: tuple[str, ...]) -> tuple[Judged, ...]:
    found = [j for j in judged if j.condition.level in levels and j.found.truth is Truth.unknown]
    return tuple(sorted(found, key=lambda j: LEVELS.index(j.condition.level)))


def said_condition(condition: Condition, language: str) -> str:
    """Return the terms of a condition in words, empty where a person says whether it holds."""
    join = {"zh": ("且", "或"), "en": (" and ", " or ")}[language]
    every = join[0].join(said_term(term, language) for term in condition.all)
    some = join[1].join(said_term(term, language) for term in condition.any)
    return join[0].join(part for part in (every, some) if part)
