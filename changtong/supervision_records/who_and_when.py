"""Who did something, and when: everybody acts under their own name, and nothing is done ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from changtong.errors import Problem
from changtong.safety.hazard import HazardEvent
from changtong.safety.tasks import TaskEvent

Event = TypeVar("Event", HazardEvent, TaskEvent)


def own_events(events: Sequence[Event], me: str, now: datetime) -> tuple[list[Event], list[Problem]]:
    """Return events as those of the person who is signed in, and what is wrong with them.

    Parameters
    ----------
    events : sequence of HazardEvent or TaskEvent
        ``by`` is the person's own name, or empty.
    me : str
        The person's name.
    now : datetime
    """
    mine: list[Event] = []
    problems: list[Problem] = []
    for row, event in enumerate(events, 1):
        about = event.hazard_id if isinstance(event, HazardEvent) else event.task_id
        if event.by and event.by != me:
            text = f"{event.action}: somebody else is named who does it."
            problems.append(Problem("other-person", text, about, row, "by", f"{me}, or nothing"))
        # the registers keep whole milliseconds
        whole = event.at.replace(microsecond=event.at.microsecond // 1000 * 1000)
        if whole.tzinfo is not None and whole > now:
            text = f"{event.action}: the time is still to come."
            problems.append(Problem("bad-action", text, about, row, "at", "now or before"))
        mine.append(replace(event, by=me, at=whole))
    return mine, problems
