"""What may happen to a case, and why not: every entry is looked at before it goes into the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from changtong.emergency.case import NOTHING, SITE_STATES, SITE_WAYS, Case
from changtong.emergency.case_log import CaseEntry, written
from changtong.emergency.condition import Truth, expected_of, look, measures, right_value
from changtong.emergency.plan import LEVELS, NO_LEVEL, EmergencyPlan, propose
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames

CODE = "bad-case-action"
MOST_TEXT = 4000
MOST_ID = 120
TASK_DOES = ("accept", "done", "impossible", "reopen", "add")
TASK_WAYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "accept": ("assigned",),
        "done": ("assigned", "accepted"),
        "impossible": ("assigned", "accepted"),
        "reopen": ("done", "impossible"),
    }
)
NEED_TEXT = ("impossible", "reopen")


def problem(message: str, about: str, column: str, expected: str = "", hint: str = "") -> Problem:
    """Return a problem of a case."""
    return Problem(CODE, message, about, None, column, expected, hint)


def check_text(
    text: object, column: str, about: str, *, most: int = MOST_TEXT, needed: bool = True
) -> list[Problem]:
    """Return what is wrong with a text: too long, signs that are none, empty where it is needed.

    Parameters
    ----------
    text : object
    column, about : str
        For the problem.
    most : int
    needed : bool
    """
    if not isinstance(text, str):
        return [problem(f"{text!r} is no text.", about, column)]
    try:
        text.encode()
    except UnicodeEncodeError:
        return [problem("it holds signs that are none.", about, column, "text in UTF-8")]
    if any(ord(sign) < 32 and sign not in "\n\t" for sign in text):
        return [problem("it holds control signs.", about, column, "plain text")]
    if len(text) > most:
        return [problem(f"it has {len(text):,} signs.", about, column, f"at most {most:,}")]
    if needed and not text.strip():
        return [problem("it is empty.", about, column, "a text")]
    return []


def check_measures(given: Mapping[str, object], about: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return measures as cases have them, and what is wrong with them.

    Parameters
    ----------
    given : mapping
        Measure -> value; None, or ``unknown``: not known (any more).
    about : str
    """
    right: dict[str, Any] = {}
    found: list[Problem] = []
    for name, value in given.items():
        measure = measures().get(name)
        if measure is None:
            hint = NearestNames(measures()).hint(name)
            found.append(
                problem(f"there is no measure {name!r}.", about, "measure", ", ".join(measures()), hint)
            )
        elif value is None or (isinstance(value, str) and value.strip().lower() in ("unknown", "未知")):
            right[name] = None
        elif (read := right_value(measure, value)) is None:
            expected = f"{expected_of(measure)}, or unknown"
            found.append(problem(f"{name}: {value!r} is not allowed.", about, "measure", expected))
        else:
            right[name] = read
    return right, found


def check_entry(case: Case, entry: CaseEntry, *, now: datetime | None) -> None:
    """Refuse an entry that may not happen.

    Parameters
    ----------
    case : Case
        As it is.
    entry : CaseEntry
    now : datetime or None
        Nothing happens later; None in a drill, whose clock is its own.

    Raises
    ------
    InputError
        ``bad-case-action``, with everything that is wrong.
    """
    found = check_text(entry.by, "by", case.case_id, most=MOST_ID)
    found += check_text(entry.id, "entry", case.case_id, most=MOST_ID)
    if now is not None and entry.at > now:
        expected = f"now ({written(now)}) or before"
        found.append(problem(f"{written(entry.at)} is still to come.", case.case_id, "at", expected))
    if case.state == "closed":
        found.append(problem("the case is closed.", case.case_id, entry.action, "a case that is open"))
    else:
        found += CHECKS[entry.action](case, entry)
    if found:
        raise InputError(found)


def _not_before(case: Case, entry: CaseEntry, times: Iterable[datetime | None], what: str) -> list[Problem]:
    newest = max((one for one in times if one is not None), default=case.known_at)
    if entry.at >= newest:
        return []
    text = f"{written(entry.at)} is before {what}."
    return [problem(text, case.case_id, "at", f"{written(newest)} or later")]


def _turns(case: Case) -> list[datetime | None]:
    """Return the instants at which the response as a whole changed."""
    moves = [one.at for one in case.entries if one.action in ("open", "level", "suspend", "resume", "end")]
    return [*moves, *(task.changed_at for task in case.tasks.values())]


def _in_state(case: Case, entry: CaseEntry, *states: str) -> list[Problem]:
    if case.state in states:
        return []
    expected = f"a case that is {' or '.join(states)}"
    return [problem(f"the case is {case.state}.", case.case_id, entry.action, expected)]


def _level(case: Case, entry: CaseEntry) -> list[Problem]:
    level, about = entry.data["level"], case.case_id
    if level not in (*LEVELS, NO_LEVEL):
        return [problem(f"{level!r} is no level.", about, "level", ", ".join((*LEVELS, NO_LEVEL)))]
    found = _in_state(case, entry, "open", "responding")
    found += check_text(entry.data["reason"], "reason", about, needed=False)
    found += _not_before(case, entry, _turns(case), "what was done last")
    if case.levels and case.level == level:
        found.append(problem(f"level {level} is in force already.", about, "level", "another level"))
    proposed = propose(case.plan, case.known()).level
    if (level != proposed or case.levels) and not str(entry.data["reason"]).strip():
        expected = "a reason: only the first level, as it is proposed, needs none"
        found.append(problem(f"level {level} is set without saying why.", about, "reason", expected))
    return found


def _measure(case: Case, entry: CaseEntry) -> list[Problem]:
    given = entry.data["measures"]
    _, found = check_measures(given, case.case_id)
    if not given:
        found.append(problem("nothing is measured.", case.case_id, "measure", "NAME=VALUE"))
    last = [case.measures[name][-1].at for name in given if name in case.measures]
    found += check_text(entry.data.get("text", ""), "text", case.case_id, needed=False)
    return found + _not_before(case, entry, last, "the measure's last value")


def check_site(change: Mapping[str, Any], site: str, before: str, about: str) -> list[Problem]:
    """Return what is wrong with a site's change of state.

    Parameters
    ----------
    change : mapping
        state, text, capacity_share.
    site, before : str
        ``before`` is the state it is in, empty where it is new.
    about : str
    """
    found = check_text(site, "site", about, most=MOST_ID)
    state, share = change["state"], change.get("capacity_share", 0.0)
    found += check_text(change.get("text", ""), "text", about, needed=False)
    if state not in SITE_STATES:
        return [*found, problem(f"{state!r} is no state.", about, "site", ", ".join(SITE_STATES))]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        found.append(problem(f"{share!r} is not allowed.", about, "capacity_share", "a number from 0 to 1"))
    ways = (*SITE_WAYS[before], *(("confirmed",) if before == "confirmed" else ()))
    if state not in ways:
        text = f"{site} is {before or 'not in the case'} and cannot become {state}."
        found.append(problem(text, about, "site", ", ".join(ways)))
    return found


def _site(case: Case, entry: CaseEntry) -> list[Problem]:
    found: list[Problem] = []
    for site, change in entry.data["sites"].items():
        before = case.sites.get(site, ())
        found += check_site(change, site, before[-1].state if before else "", case.case_id)
        if before and before[-1].state == change["state"] == "confirmed":
            same = before[-1].capacity_share == change.get("capacity_share", 0.0)
            if same:
                found.append(
                    problem(f"{site} is confirmed already.", case.case_id, "site", "another capacity")
                )
        found += _not_before(case, entry, [one.at for one in before], f"the last change of {site}")
    return found


def _task(case: Case, entry: CaseEntry) -> list[Problem]:
    data, about = entry.data, case.case_id
    do, name = data["do"], data["task"]
    if do not in TASK_DOES:
        hint = NearestNames(TASK_DOES).hint(str(do))
        return [problem(f"{do!r} is nothing to do with a task.", about, "task", ", ".join(TASK_DOES), hint)]
    found = check_text(data["text"], "text", about, needed=do in NEED_TEXT)
    if do == "add":
        return found + _added(case, entry)
    found += _in_state(case, entry, "open", "responding", "suspended")
    task = case.tasks.get(name)
    if task is None:
        hint = NearestNames(case.tasks).hint(str(name))
        expected = ", ".join(case.tasks) or "a task; tasks are there once a level is set"
        return [*found, problem(f"the case has no task {name!r}.", about, "task", expected, hint)]
    if task.state not in TASK_WAYS[do]:
        said = f", by {task.by} at {written(task.changed_at)}" if task.by else ""
        expected = f"a task that is {' or '.join(TASK_WAYS[do])}"
        found.append(problem(f"{name} is {task.state}{said}.", about, "task", expected))
    return found + _not_before(
        case, entry, [task.assigned_at, task.changed_at], f"what was done last with {name}"
    )


def _added(case: Case, entry: CaseEntry) -> list[Problem]:
    data, about = entry.data, case.case_id
    found = _in_state(case, entry, "responding")
    found += check_text(data["task"], "task", about, most=MOST_ID) + check_text(data["zh"], "title", about)
    if data["task"] in case.tasks or case.plan.task(data["task"]) is not None:
        found.append(problem(f"there is a task {data['task']!r} already.", about, "task", "another id"))
    if data["department"] not in case.plan.departments:
        hint = NearestNames(case.plan.departments).hint(str(data["department"]))
        known = ", ".join(case.plan.departments)
        found.append(
            problem(f"there is no department {data['department']!r}.", about, "department", known, hint)
        )
    minutes = data["within_min"]
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= 527040:
        found.append(
            problem(f"{minutes!r} is not allowed.", about, "within", "minutes, more than 0, at most a year")
        )
    return found + _not_before(case, entry, [one.at for one in case.levels], "the level that is in force")


def _report(case: Case, entry: CaseEntry) -> list[Problem]:
    data, about = entry.data, case.case_id
    found = [fault for key in ("text", "to") for fault in check_text(data[key], key, about, needed=False)]
    clock = case.plan.clock(data["clock"]) if data["clock"] else None
    if data["clock"] and clock is None:
        known = [one.id for one in case.plan.clocks]
        hint = NearestNames(known).hint(data["clock"])
        text = f"the plan has no reporting time {data['clock']!r}."
        found.append(problem(text, about, "clock", ", ".join(known) or "none", hint))
    if data["form"] not in ("oral", "written"):
        found.append(problem(f"{data['form']!r} is no form of report.", about, "form", "oral, written"))
    return found + _not_before(case, entry, [case.known_at], "the event was known")


def _note(case: Case, entry: CaseEntry) -> list[Problem]:
    return check_text(entry.data["text"], "text", case.case_id)


def _situation(case: Case, entry: CaseEntry) -> list[Problem]:
    number = len(case.documents) + 1
    if entry.data["number"] == number:
        return []
    return [problem(f"{entry.data['number']} is not the next number.", case.case_id, "number", str(number))]


def _turn(states: tuple[str, ...]) -> Callable[[Case, CaseEntry], list[Problem]]:
    def check(case: Case, entry: CaseEntry) -> list[Problem]:
        found = _in_state(case, entry, *states) + check_text(entry.data["reason"], "reason", case.case_id)
        return found + _not_before(case, entry, _turns(case), "what was done last")

    return check


def _end(case: Case, entry: CaseEntry) -> list[Problem]:
    data, about = entry.data, case.case_id
    found = _turn(("open", "responding", "suspended"))(case, entry)
    known = {one.id for one in case.plan.end}
    for name in data["met"]:
        if name not in known:
            hint = NearestNames(known).hint(name) if known else ""
            text = f"the plan has no condition {name!r} of its end."
            found.append(problem(text, about, "met", ", ".join(sorted(known)) or "none", hint))
    if not str(data["although"]).strip():
        for name, state in end_conditions(case, data["met"]).items():
            if state != "met":
                expected = f"{name} among what is met, where it is; or although, and why it ends all the same"
                found.append(problem(f"{name} of the end is {state}.", about, "met", expected))
    return found + check_text(data["although"], "although", about, needed=False)


def end_conditions(case: Case, met: Iterable[str]) -> dict[str, str]:
    """Return the conditions of a response's end: met, not met, or not known.

    Parameters
    ----------
    case : Case
    met : iterable of str
        Those that a person says are met.
    """
    said = set(met)
    words = {Truth.yes: "met", Truth.no: "not met", Truth.unknown: "not known"}
    made = {}
    for one in case.plan.end:
        truth = look(one.all, one.any, case.known()).truth if one.terms else Truth.unknown
        made[one.id] = "met" if one.id in said and truth is not Truth.no else words[truth]
    return made


def _close(case: Case, entry: CaseEntry) -> list[Problem]:
    found = _in_state(case, entry, "ended")
    for lesson in entry.data["lessons"]:
        found += check_text(lesson, "lesson", case.case_id)
    return found + _not_before(case, entry, [case.ended_at], "its end")


def _inject(case: Case, entry: CaseEntry) -> list[Problem]:
    if not case.is_drill:
        return [problem("this is no drill.", case.case_id, "inject", "a drill")]
    return []


CHECKS: Mapping[str, Callable[[Case, CaseEntry], list[Problem]]] = MappingProxyType(
    {
        "level": _level,
        "measure": _measure,
        "site": _site,
        "task": _task,
        "report": _report,
        "note": _note,
        "situation_report": _situation,
        "suspend": _turn(("responding",)),
        "resume": _turn(("suspended",)),
        "end": _end,
        "close": _close,
        "inject": _inject,
    }
)


def opening(
    plan: EmergencyPlan,
    event: Mapping[str, Any],
    *,
    case_id: str,
    at: datetime,
    known_at: datetime,
    zone: str,
    by: str,
    now: datetime | None,
    given: Mapping[str, object] = NOTHING,
    sites: Mapping[str, Mapping[str, Any]] = NOTHING,
    is_drill: bool = False,
) -> dict[str, Any]:
    """Return what the opening entry of a case says, or tell everything that is wrong with it.

    Parameters
    ----------
    plan : EmergencyPlan
    event : mapping
        ``text``, and what else is known of it.
    case_id, zone, by : str
    at, known_at : datetime
        When the case is opened and when the event was known.
    now : datetime or None
        Nothing happens later; None in a drill.
    given : mapping
        Measures.
    sites : mapping
        Site -> state, text, capacity_share.
    is_drill : bool

    Raises
    ------
    InputError
        ``bad-case-action``.
    """
    right, found = check_measures(given, case_id)
    found += check_text(case_id, "id", case_id, most=MOST_ID) + check_text(
        event.get("text"), "event", case_id
    )
    found += check_text(by, "by", case_id, most=MOST_ID)
    for site, change in sites.items():
        found += check_site(change, site, "", case_id)
    if known_at > at:
        expected = f"{written(at)} or before"
        found.append(problem(f"the event is known at {written(known_at)}.", case_id, "known", expected))
    if now is not None and at > now:
        expected = f"now ({written(now)}) or before"
        found.append(problem(f"{written(at)} is still to come.", case_id, "at", expected))
    if found:
        raise InputError(found)
    known = {name: value for name, value in right.items() if value is not None}
    return {
        "case_id": case_id, "title": str(event["text"]).strip().splitlines()[0][:200], "zone": zone,
        "is_drill": is_drill, "plan": dict(plan.content), "event": dict(event),
        "known_at": written(known_at), "measures": known, "sites": {k: dict(v) for k, v in sites.items()},
        "proposal": propose(plan, known).to_json(),
    }  # fmt: skip
