"""The life of a hazard: what may be done with it, by whom, and what it then is. Pure: no files, no clock.

::

    open ──assign──► rectifying ──done──► recheck ──pass──► closed ──reopen──► reopened ──assign──► rectifying
                        ▲                    │fail
                        └────────────────────┘
    open, rectifying, reopened ──withdraw──► withdrawn     (it was none)

``extend``, ``regrade`` and ``seen`` (found again) change no state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

from changtong.errors import InputError, Problem
from changtong.safety.form import GRADES
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.rules_file import hazard_kinds, red_line_ids

STATES = ("open", "rectifying", "recheck", "closed", "reopened", "withdrawn")
ENDED = ("closed", "withdrawn")
NEXT: dict[str, dict[str, str]] = {
    "assign": {"open": "rectifying", "reopened": "rectifying", "rectifying": "rectifying"},
    "done": {"rectifying": "recheck"},
    "pass": {"recheck": "closed"},
    "fail": {"recheck": "rectifying"},
    "extend": {"rectifying": "rectifying"},
    "regrade": {state: state for state in ("open", "rectifying", "recheck", "reopened")},
    "seen": {state: state for state in ("open", "rectifying", "recheck", "reopened")},
    "reopen": {"closed": "reopened"},
    "withdraw": dict.fromkeys(("open", "rectifying", "reopened"), "withdrawn"),
}
"""Action -> state before -> state after."""

Refuse = Callable[..., Problem]

NEEDS_TEXT = ("open", "fail", "extend", "regrade", "reopen", "withdraw")


@dataclass(frozen=True, slots=True)
class HazardEvent:
    """Something done with a hazard.

    Attributes
    ----------
    hazard_id : str
    at : datetime
        With a time zone.
    action : str
        ``open`` or a key of `NEXT`.
    by : str
        Id of the person.
    text : str
        What, or why.
    evidence : str
        Photos or documents, as ids or digests.
    owner : str
        To whom it is assigned.
    deadline : date or None
    grade, kind, red_line, site_id, finding_id : str
        Of ``open``; ``grade`` of ``regrade`` too, ``finding_id`` of ``seen`` and ``reopen``.
    """

    hazard_id: str
    at: datetime
    action: str
    by: str
    text: str = ""
    evidence: str = ""
    owner: str = ""
    deadline: date | None = None
    grade: str = ""
    kind: str = ""
    red_line: str = ""
    site_id: str = ""
    finding_id: str = ""


@dataclass(frozen=True, slots=True)
class Hazard:
    """A hazard as it is after its events.

    Attributes
    ----------
    hazard_id, site_id, kind, grade, red_line, text, finding_id : str
    state : str
        One of `STATES`.
    found_at, changed_at : datetime
    found_by, owner, done_by : str
        Who opened it, who mends it, who said last that it is mended.
    assigned_at, done_at, closed_at : datetime or None
    deadline : date or None
        None before it has an owner.
    evidence : str
        Of what was done last.
    events, extensions, failed, reopened, seen : int
        How often.
    """

    hazard_id: str
    site_id: str
    kind: str
    grade: str
    red_line: str
    text: str
    finding_id: str
    state: str
    found_at: datetime
    found_by: str
    changed_at: datetime
    owner: str = ""
    done_by: str = ""
    assigned_at: datetime | None = None
    done_at: datetime | None = None
    closed_at: datetime | None = None
    deadline: date | None = None
    evidence: str = ""
    events: int = 1
    extensions: int = 0
    failed: int = 0
    reopened: int = 0
    seen: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is to be done any more."""
        return self.state in ENDED


def why_not(hazard: Hazard | None, event: HazardEvent, rules: HazardRules) -> Problem | None:
    """Return why an event may not happen, None where it may.

    Parameters
    ----------
    hazard : Hazard or None
        None: it is not there yet.
    event : HazardEvent
    rules : HazardRules
    """

    def no(code: str, message: str, expected: str = "") -> Problem:
        return Problem(code, f"{event.action}: {message}", event.hazard_id, None, "action", expected)

    if event.at.tzinfo is None:
        return no("bad-action", "the time has no zone.")
    if not event.by.strip():
        return no("bad-action", "nobody is named who does it.", "by")
    if event.action in NEEDS_TEXT and not event.text.strip():
        return no("bad-action", "there is no text.", "what was found, or why")
    if hazard is None:
        return _why_not_open(event, no)
    if event.action not in NEXT:
        return no("bad-action", "there is no such action.", "one of " + ", ".join(("open", *NEXT)))
    if hazard.state not in NEXT[event.action]:
        states = ", ".join(NEXT[event.action])
        return no("wrong-state", f"the hazard is {hazard.state}.", f"one that is {states}")
    if event.at < hazard.changed_at:
        return no(
            "bad-action", "it is before what was done last.", f"{hazard.changed_at.isoformat()} or later"
        )
    return _why_not_in_state(hazard, event, rules, no)


def _why_not_open(event: HazardEvent, no: Refuse) -> Problem | None:
    made: Problem | None = None
    if event.action != "open":
        made = no("wrong-state", "there is no such hazard.", "open first")
    elif not event.site_id.strip():
        made = no("bad-action", "no site is named.", "site_id")
    elif event.kind not in hazard_kinds():
        made = no("bad-action", f"{event.kind!r} is no kind.", "one of " + ", ".join(hazard_kinds()))
    elif event.grade not in GRADES:
        made = no("bad-action", f"{event.grade!r} is no grade.", "one of " + ", ".join(GRADES))
    elif event.red_line and event.red_line not in red_line_ids():
        made = no("bad-action", f"{event.red_line!r} is no red line.", "one of " + ", ".join(red_line_ids()))
    elif event.red_line and event.grade != "major":
        made = no("red-line", "a red line is a major hazard.", "grade major")
    return made


def _why_not_in_state(hazard: Hazard, event: HazardEvent, rules: HazardRules, no: Refuse) -> Problem | None:
    times = rules.times[hazard.grade]
    made: Problem | None = None
    if event.action == "assign":
        if not event.owner.strip():
            made = no("bad-action", "no owner is named.", "owner")
        elif event.deadline is not None and hazard.state == "rectifying":
            made = no("bad-action", "the deadline moves by extend, with a reason.", "no deadline")
        elif event.deadline is not None and event.deadline < rules.day_of(event.at):
            made = no("bad-action", "the deadline has passed.", "a day to come")
    elif event.action == "done" and times.evidence and not event.evidence.strip():
        made = no("evidence-missing", "mending must be shown.", "evidence")
    elif event.action in ("pass", "fail") and event.by in (hazard.done_by, hazard.owner):
        made = no("same-person", "who mended it does not look at it again.", "another person")
    elif event.action == "extend":
        if event.by == hazard.owner:
            made = no("same-person", "who mends it does not move the deadline.", "another person")
        elif hazard.extensions >= times.most_extensions:
            made = no(
                "too-many-extensions", f"it was moved {hazard.extensions} times.", f"{times.most_extensions}"
            )
        elif event.deadline is None or hazard.deadline is None or event.deadline <= hazard.deadline:
            made = no("bad-action", "the deadline is no later one.", f"after {hazard.deadline}")
    elif event.action == "regrade":
        if event.grade not in GRADES or event.grade == hazard.grade:
            made = no("bad-action", f"{event.grade!r} is no other grade.", "general or major")
        elif hazard.red_line:
            made = no("red-line", "a red line is a major hazard and stays one.")
    elif event.action == "withdraw" and event.by in (hazard.found_by, hazard.owner):
        made = no("same-person", "who found it, or mends it, does not withdraw it.", "another person")
    return made


def after(hazard: Hazard | None, event: HazardEvent, rules: HazardRules) -> Hazard:
    """Return the hazard after an event.

    Parameters
    ----------
    hazard : Hazard or None
    event : HazardEvent
    rules : HazardRules

    Raises
    ------
    InputError
        ``wrong-state``, ``same-person``, ``evidence-missing``, ``too-many-extensions``, ``red-line``,
        ``bad-action``.
    """
    problem = why_not(hazard, event, rules)
    if problem is not None:
        raise InputError([problem])
    if hazard is None:
        plain = ("hazard_id", "site_id", "kind", "grade", "red_line", "text", "finding_id", "evidence")
        return Hazard(
            **{name: getattr(event, name) for name in plain},
            state="open",
            found_at=event.at,
            found_by=event.by,
            changed_at=event.at,
        )
    same = replace(
        hazard, state=NEXT[event.action][hazard.state], changed_at=event.at, events=hazard.events + 1
    )
    return _changed(hazard, same, event, rules)


def _changed(hazard: Hazard, same: Hazard, event: HazardEvent, rules: HazardRules) -> Hazard:
    if event.action == "assign":
        if hazard.state == "rectifying":  # another owner, the same deadline
            return replace(same, owner=event.owner)
        begun = hazard.found_at if hazard.state == "open" else hazard.changed_at
        deadline = event.deadline or max(
            rules.deadline(hazard.grade, rules.day_of(begun)), rules.day_of(event.at)
        )
        return replace(same, owner=event.owner, assigned_at=event.at, deadline=deadline)
    if event.action == "done":
        return replace(same, done_by=event.by, done_at=event.at, evidence=event.evidence)
    if event.action == "pass":
        return replace(same, closed_at=event.at)
    if event.action == "fail":
        return replace(same, failed=hazard.failed + 1)
    if event.action == "extend":
        return replace(same, deadline=event.deadline, extensions=hazard.extensions + 1)
    if event.action == "regrade":
        return replace(same, grade=event.grade, deadline=_regraded(hazard, event, rules))
    if event.action == "seen":
        return replace(same, seen=hazard.seen + 1)
    if event.action == "reopen":
        return replace(
            same, reopened=hazard.reopened + 1, closed_at=None, owner="", deadline=None, extensions=0
        )
    return same  # withdraw


def _regraded(hazard: Hazard, event: HazardEvent, rules: HazardRules) -> date | None:
    """A graver hazard must be mended sooner; a lighter one keeps its deadline."""
    if hazard.deadline is None or event.grade != "major":
        return hazard.deadline
    return min(hazard.deadline, rules.deadline("major", rules.day_of(event.at)))
