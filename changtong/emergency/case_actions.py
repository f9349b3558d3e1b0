"""What people do with a case, each as a maker of its entry: folders, registers and drills take the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from changtong.emergency.case import Case
from changtong.emergency.case_folder import Make
from changtong.emergency.case_rules import check_measures, end_conditions
from changtong.emergency.plan import propose
from changtong.emergency.situation_figures import NO_FIGURES, Figures
from changtong.errors import InputError


def set_level(level: str, reason: str = "") -> Make:
    """Confirm the level that is proposed, or set another.

    Parameters
    ----------
    level : str
        I to IV, or none.
    reason : str
        Needed unless it is the first level, as it is proposed.
    """

    def make(case: Case) -> tuple[str, Mapping[str, Any]]:
        proposed = propose(case.plan, case.known()).level
        return "level", {"level": level, "reason": reason, "proposed": proposed}

    return make


def measure(values: Mapping[str, object], text: str = "") -> Make:
    """Give measures their values; None, or ``unknown``: not known any more.

    Parameters
    ----------
    values : mapping
    text : str
        Where they come from.
    """

    def make(case: Case) -> tuple[str, Mapping[str, Any]]:
        right, found = check_measures(values, case.case_id)
        if found:
            raise InputError(found)
        return "measure", {"measures": right, "text": text}

    return make


def change_site(site: str, state: str, text: str = "", capacity_share: float | None = None) -> Make:
    """Say that a site is potential, confirmed, restored or cleared.

    Parameters
    ----------
    site, state, text : str
    capacity_share : float, optional
        What it can still do, for `confirmed`: 0 (shut) where not given.
    """
    share = capacity_share if capacity_share is not None else 0.0 if state == "confirmed" else 1.0
    change = {"state": state, "text": text, "capacity_share": share}
    return lambda _: ("site", {"sites": {site: change}})


def do_task(task: str, do: str, text: str = "") -> Make:
    """Accept a task, say that it is done or impossible, or open it again.

    Parameters
    ----------
    task, do, text : str
    """
    return lambda _: ("task", {"task": task, "do": do, "text": text})


def add_task(task: str, department: str, title: str, within_min: float) -> Make:
    """Add a task that the plan has not.

    Parameters
    ----------
    task, department, title : str
    within_min : float
    """
    facts = {
        "task": task, "do": "add", "text": "", "department": department, "zh": title, "en": title,
        "within_min": within_min,
    }  # fmt: skip
    return lambda _: ("task", facts)


def give_report(clock: str, text: str = "", to: str = "", form: str | None = None) -> Make:
    """Record that a report was given.

    Parameters
    ----------
    clock : str
        The reporting time that it answers; empty for another report.
    text, to : str
        Whom it went to: the plan's words where not given.
    form : {"oral", "written"}, optional
        As the reporting time asks, or written.
    """

    def make(case: Case) -> tuple[str, Mapping[str, Any]]:
        asked = case.plan.clock(clock)
        meant = form or (asked.form if asked else "written")
        whom = to or (asked.to_zh if asked else "")
        return "report", {"clock": clock, "form": meant, "to": whom, "text": text}

    return make


def note(text: str) -> Make:
    """Write something into the log that changes nothing."""
    return lambda _: ("note", {"text": text})


def suspend(reason: str) -> Make:
    """Suspend the response: tasks wait, reporting times do not."""
    return lambda _: ("suspend", {"reason": reason})


def resume(reason: str) -> Make:
    """Go on: what is open is due later by as long as it was suspended."""
    return lambda _: ("resume", {"reason": reason})


def end(reason: str, met: Iterable[str] = (), although: str = "") -> Make:
    """End the response.

    Parameters
    ----------
    reason : str
    met : iterable of str
        Conditions of the end that a person says are met.
    although : str
        Why it ends although not all of them are.
    """
    said = sorted(set(met))

    def make(case: Case) -> tuple[str, Mapping[str, Any]]:
        facts = {"reason": reason, "met": said, "although": although}
        return "end", facts | {"conditions": end_conditions(case, said)}

    return make


def close(lessons: Iterable[str]) -> Make:
    """Close a case that has ended, with what was learnt."""
    said = list(lessons)
    return lambda _: ("close", {"lessons": said})


def number_report(figures: Figures = NO_FIGURES) -> Make:
    """Put the next situation report on record, with the figures that are in it."""
    kept = figures.to_data()
    with_figures = {"figures": kept} if kept else {}
    return lambda case: ("situation_report", {"number": len(case.documents) + 1, **with_figures})
