"""After a breach: what must be done, by when, what is overdue; steps are data with their source."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.mask_rules import PROVENANCES


@dataclass(frozen=True)
class BreachStep:
    """One thing to do; ``after_h`` None: the rule says "at once", without hours."""

    id: str
    name_zh: str
    name_en: str
    provenance: str
    source: str
    after_h: float | None = None


@dataclass(frozen=True)
class StepState:
    """Where a step stands: done, done-late, overdue, due (time is left), at-once (no hours given)."""

    step: BreachStep
    due_at: datetime | None
    done_at: datetime | None
    state: str


@dataclass(frozen=True)
class BreachClock:
    """A breach's checklist at an instant.

    Attributes
    ----------
    at, now : datetime
    steps : tuple of StepState
    contents : tuple of dict
        What the notice must say: ``id``, ``name_zh``, ``name_en``.
    reached : tuple of dict
        Thresholds reached by the records counted, with their source.
    """

    at: datetime
    now: datetime
    steps: tuple[StepState, ...]
    contents: tuple[dict[str, str], ...]
    reached: tuple[dict[str, Any], ...]

    @property
    def overdue(self) -> tuple[str, ...]:
        """Ids of the steps whose time is over."""
        return tuple(one.step.id for one in self.steps if one.state == "overdue")

    def to_json(self) -> dict[str, Any]:
        """Return it as one object."""
        return {
            "at": self.at.isoformat(),
            "now": self.now.isoformat(),
            "overdue": list(self.overdue),
            "steps": [
                {
                    "id": one.step.id, "name_zh": one.step.name_zh, "name_en": one.step.name_en,
                    "state": one.state,
                    "due_at": None if one.due_at is None else one.due_at.isoformat(),
                    "done_at": None if one.done_at is None else one.done_at.isoformat(),
                    "provenance": one.step.provenance, "source": one.step.source,
                }
                for one in self.steps
            ],
            "contents": list(self.contents),
            "reached": list(self.reached),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = []
        for one in self.steps:
            due = "at once" if one.due_at is None else one.due_at.isoformat(timespec="minutes")
            lines.append(
                f"{one.state:<10} {due:<22} {one.step.name_zh} {one.step.name_en} ({one.step.provenance})"
            )
        lines.append("The notice says: " + "; ".join(one["name_en"] for one in self.contents))
        lines += [f"{one['name_en']}: {one['records']:,} or more ({one['source']})" for one in self.reached]
        return "\n".join(lines)


def breach_clock(
    at: datetime,
    now: datetime,
    *,
    done: Mapping[str, datetime] | None = None,
    records: Mapping[str, int] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> BreachClock:
    """Return what must be done after a breach that became known at an instant, and what is overdue.

    Parameters
    ----------
    at, now : datetime
        With a zone.
    done : mapping, optional
        Id of a step -> when it was done.
    records : mapping, optional
        Id of a threshold (trails, transactions, other) -> records concerned.
    path : path, optional
        TOML of the form of ``changtong/privacy/breach.toml``; without it the built-in steps.

    Raises
    ------
    UsageError
        Times without a zone, or before the breach.
    NotFoundError
        A step or threshold there is not.
    InputError
        ``bad-breach-steps``.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 27, 8, tzinfo=UTC)
    >>> breach_clock(at, at + timedelta(hours=3)).overdue
    ('report-oral', 'report-written')
    """
    steps, contents, thresholds = _read(path)
    done, records = done or {}, records or {}
    if any(time.tzinfo is None for time in (at, now, *done.values())):
        raise UsageError("Give times with a time zone.")
    if now < at or any(not at <= time <= now for time in done.values()):
        raise UsageError("A time is before the breach, or after now.")
    for given, known in ((done, [one.id for one in steps]), (records, [one["id"] for one in thresholds])):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise NotFoundError(f"No {', '.join(unknown)}; there is {', '.join(known)}.")
    states = tuple(_state(step, at, now, done.get(step.id)) for step in steps)
    reached = tuple(one for one in thresholds if records.get(one["id"], 0) >= one["records"])
    return BreachClock(at, now, states, tuple(contents), reached)


def _state(step: BreachStep, at: datetime, now: datetime, done: datetime | None) -> StepState:
    due = None if step.after_h is None else at + timedelta(hours=step.after_h)
    if done is not None:
        state = "done-late" if due is not None and done > due else "done"
    elif due is None:
        state = "at-once"
    else:
        state = "overdue" if now > due else "due"
    return StepState(step, due, done, state)


def _read(
    path: str | os.PathLike[str] | None,
) -> tuple[list[BreachStep], list[dict[str, str]], list[dict[str, Any]]]:
    place = files("changtong.privacy").joinpath("breach.toml") if path is None else Path(path)
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8-sig"))
        steps = [BreachStep(**one) for one in content["steps"]]
        contents, thresholds = content["contents"], content["thresholds"]
        for one in [*contents, *thresholds]:
            if not all(isinstance(one[key], str) for key in ("id", "name_zh", "name_en")):
                raise ValueError("a name is no text")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            [Problem("bad-breach-steps", f"The steps cannot be read ({error}).", place.name)]
        ) from error
    problems = [
        Problem("bad-breach-steps", "after_h or provenance is not allowed.", place.name, None, step.id,
                expected=f"hours of 0 or more, and one of {', '.join(PROVENANCES)}")
        for step in steps
        if step.provenance not in PROVENANCES or not step.source or not _good_hours(step.after_h)
    ]  # fmt: skip
    problems += [
        Problem("bad-breach-steps", "records is no whole number.", place.name, None, one["id"])
        for one in thresholds
        if not isinstance(one.get("records"), int)
    ]
    if problems:
        raise InputError(problems)
    return steps, contents, thresholds


def _good_hours(hours: object) -> bool:
    return hours is None or (isinstance(hours, int | float) and math.isfinite(hours) and 0 <= hours <= 10_000)
