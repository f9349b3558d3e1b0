"""An emergency plan as plain values: what programs read and pages show of it."""

from __future__ import annotations

from typing import Any

from changtong.emergency.condition import Condition, measures
from changtong.emergency.plan import EmergencyPlan, said_condition

OF_PLAN = (
    *("id", "version", "title_zh", "title_en", "provenance", "source", "source_zh", "notes_zh", "notes_en"),
)
COUNTED = ("triggers", "conditions", "tasks", "clocks", "contacts", "resources")


def plan_heading(plan: EmergencyPlan) -> dict[str, Any]:
    """Return what a plan says of itself, and how much it holds.

    Parameters
    ----------
    plan : EmergencyPlan
    """
    return {key: getattr(plan, key) for key in OF_PLAN} | {
        "kinds": list(plan.kinds),
        "departments": list(plan.departments),
        **{key: len(getattr(plan, key)) for key in COUNTED},
    }


def plan_facts(plan: EmergencyPlan, *, show_people: bool = False) -> dict[str, Any]:
    """Return a plan with its conditions, tasks, reporting times, contacts and the measures that it asks for.

    Parameters
    ----------
    plan : EmergencyPlan
    show_people : bool
        Names and numbers of contacts, too: personal data.
    """
    clocks = [
        {"id": o.id, "form": o.form, "minutes": o.minutes, "starts": o.starts, "zh": o.zh, "en": o.en,
         "to_zh": o.to_zh, "to_en": o.to_en, "provenance": o.provenance, "source": o.source}
        for o in plan.clocks
    ]  # fmt: skip
    contacts = [
        {"role_zh": o.role_zh, "role_en": o.role_en, "department": o.department, "levels": list(o.levels),
         "order": o.order} | ({"name": o.name, "phone": o.phone} if show_people else {})
        for o in plan.contacts
    ]  # fmt: skip
    tasks = [
        {"id": o.id, "department": o.department, "zh": o.zh, "en": o.en, "within_min": dict(o.within_min)}
        for o in plan.tasks
    ]
    names = {name: {"zh": zh, "en": en} for name, (zh, en) in plan.departments.items()}
    return plan_heading(plan) | {
        "conditions": [_condition(one) for one in plan.conditions],
        "end": [_condition(one) for one in plan.end], "clocks": clocks, "tasks": tasks, "contacts": contacts,
        "department_names": names, "measures": _measures(plan),
    }  # fmt: skip


def _condition(one: Condition) -> dict[str, Any]:
    return {
        "id": one.id, "level": one.level, "zh": one.zh, "en": one.en, "terms_zh": said_condition(one, "zh"),
        "terms_en": said_condition(one, "en"), "provenance": one.provenance, "source": one.source,
    }  # fmt: skip


def _measures(plan: EmergencyPlan) -> list[dict[str, str]]:
    """Return the measures that the plan's conditions and clocks look at, each once, in their order."""
    terms = [
        term
        for one in (*plan.triggers, *plan.conditions, *plan.suspension, *plan.adjustment, *plan.end)
        for term in (*one.all, *one.any)
    ]
    terms += [term for clock in plan.clocks for term in (*clock.all, *clock.any)]
    known = measures()
    wanted = [known[name] for name in dict.fromkeys(term.measure for term in terms)]
    keys = ("id", "kind", "unit_zh", "unit_en", "zh", "en")
    return [{key: str(getattr(one, key)) for key in keys} for one in wanted]
