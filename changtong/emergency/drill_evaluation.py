"""The evaluation of a drill: what was expected against what was done, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from changtong.emergency.case import Case
from changtong.emergency.case_log import CaseEntry, written
from changtong.emergency.case_status import CaseStatus, status
from changtong.emergency.drill_script import DrillScript, Expected

OUTCOMES = ("done", "late", "missed", "pending")


@dataclass(frozen=True)
class Outcome:
    """What became of an expected action.

    Attributes
    ----------
    expected : Expected
    state : str
        done, late, missed, or pending (its time is not over yet).
    since, due : datetime
    done_at : datetime or None
    took_s : float or None
        From ``since``.
    by : str
    """

    expected: Expected
    state: str
    since: datetime
    due: datetime
    done_at: datetime | None
    took_s: float | None
    by: str

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        one = self.expected
        return {
            "expected": one.id, "zh": one.zh, "en": one.en, "state": self.state, "since": written(self.since),
            "due": written(self.due), "done_at": None if self.done_at is None else written(self.done_at),
            "took_s": self.took_s, "within_s": one.within_min * 60, "by": self.by,
        }  # fmt: skip


@dataclass(frozen=True)
class DrillEvaluation:
    """A drill's evaluation at an instant.

    Attributes
    ----------
    script : DrillScript
    status : CaseStatus
    outcomes : tuple of Outcome
        In the order of the script.
    """

    script: DrillScript
    status: CaseStatus
    outcomes: tuple[Outcome, ...]

    def count(self, state: str) -> int:
        """Return how many expected actions are in a state."""
        return sum(one.state == state for one in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "script": self.script.id, "is_drill": True, **{state: self.count(state) for state in OUTCOMES},
            "outcomes": [one.to_json() for one in self.outcomes], "case": self.status.to_json(),
        }  # fmt: skip

    def __str__(self) -> str:
        counts = ", ".join(f"{self.count(state)} {state}" for state in OUTCOMES)
        lines = [
            f"DRILL 演练  {self.script.title_zh} {self.script.title_en}:"
            f" {counts} of {len(self.outcomes)} expected"
        ]
        for one in self.outcomes:
            took = "" if one.took_s is None else f" after {one.took_s / 60:.1f} min"
            lines.append(
                f"  {one.state:<8}{one.expected.id}: {one.expected.zh}{took},"
                f" within {one.expected.within_min:g} min"
            )
        return "\n".join([*lines, str(self.status)])


def evaluate(case: Case, script: DrillScript, at: datetime) -> DrillEvaluation:
    """Evaluate a drill: each expected action by the first entry that is it, from its begin on.

    Parameters
    ----------
    case : Case
    script : DrillScript
    at : datetime
        By the drill's clock.
    """
    then = status(case, at)
    return DrillEvaluation(
        script, then, tuple(_outcome(then.case, script, one, at) for one in script.expected)
    )


def _outcome(case: Case, script: DrillScript, expected: Expected, at: datetime) -> Outcome:
    since = case.opened_at + timedelta(minutes=script.begin_of(expected.since))
    due = since + timedelta(minutes=expected.within_min)
    fitting = [one for one in case.entries if one.at >= since and _is_it(one, expected)]
    first = min(fitting, key=lambda one: one.at, default=None)
    if first is None:
        return Outcome(expected, "missed" if at > due else "pending", since, due, None, None, "")
    state = "late" if first.at > due else "done"
    return Outcome(expected, state, since, due, first.at, (first.at - since).total_seconds(), first.by)


def _is_it(entry: CaseEntry, expected: Expected) -> bool:
    """Return whether an entry is what was expected; an inject never is."""
    if entry.action != expected.action:
        return False
    data, subject, value = entry.data, expected.subject, expected.value
    if entry.action == "level":
        return subject in ("", data["level"])
    if entry.action == "task":
        return subject in ("", data["task"]) and value in ("", data["do"])
    if entry.action == "report":
        return subject in ("", data["clock"])
    if entry.action == "measure":
        return not subject or subject in data["measures"]
    if entry.action == "site":
        changes = data["sites"]
        named = [subject] if subject else list(changes)
        return any(site in changes and value in ("", changes[site]["state"]) for site in named)
    return True
