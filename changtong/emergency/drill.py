"""A drill: a scripted case with its own clock, marked as a drill and in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changtong.emergency.case import Case, after
from changtong.emergency.case_event import Event
from changtong.emergency.case_folder import (
    MARK,
    Make,
    add_entry,
    case_of_entries,
    first_entry,
    is_case,
    make_case_folder,
    next_entry,
    read_case,
)
from changtong.emergency.case_log import CaseEntry, canonical, whole_ms
from changtong.emergency.drill_script import DrillScript, Inject, script_of
from changtong.emergency.opening import Opened, open_with
from changtong.errors import InputError, Problem, UsageError

SCRIPT = "script.json"
DIRECTOR = "drill script"
"""By whom injects are in the log."""


@dataclass(frozen=True)
class Played:
    """What a player does, and when by the drill's clock; ``row`` is where it was read."""

    at: datetime
    by: str
    make: Make
    row: int


def start_drill(
    script: DrillScript, folder: str | os.PathLike[str], *, begins: datetime | None, by: str,
    played: Sequence[Played] = (), file: str = "", case_id: str = "",
) -> Case:  # fmt: skip
    """Make the folder of a drill: its case is open, what the script has at the begin has happened.

    Parameters
    ----------
    script : DrillScript
    folder : path
        Not there yet.
    begins : datetime or None
        By the drill's own clock, which then goes by the instants that are given; None: now, and the clock is
        the real one.
    by : str
    played : sequence of Played
        What was done, in order of time: all of it is taken, or none.
    file : str
        Where it was read, for problems.
    case_id : str
        Made of plan and time where empty.

    Raises
    ------
    InputError
        Every action that may not happen.
    UsageError
        ``case-exists``.
    """
    now = whole_ms(datetime.now(UTC))
    kept = canonical({"script": script.content, "plan": script.plan.content}).encode()
    event = {
        "text": script.event, "kind": script.kind, "source": "drill", "script": script.id,
        "script_title_zh": script.title_zh, "script_title_en": script.title_en,
        "script_sha256": hashlib.sha256(kept).hexdigest(),
        "clock": "real" if begins is None else "own",
    }  # fmt: skip
    sites = {site: dict(change) for site, change in script.sites.items()}
    told = Opened(
        script.plan,
        Event(event, dict(script.measures), sites),
        at=begins or now,
        case_id=case_id,
        is_drill=True,
    )
    data, at = open_with(told, by=by, now=now)
    case = case_of_entries([first_entry(data, at=at, by=by, now=now)], data["case_id"])
    case = _play(case, script, played, now, file)
    return make_case_folder(folder, case.entries, {SCRIPT: kept})


def _play(case: Case, script: DrillScript, played: Sequence[Played], now: datetime, file: str) -> Case:
    """Return the case after what was done and the injects up to the last of it."""
    problems: list[Problem] = []
    for one in sorted(played, key=lambda each: each.at):
        for inject in due_injects(case, script, one.at):
            case = after(case, _inject_entry(case, inject, now))
        try:
            action, data = one.make(case)
            case = after(case, next_entry(case, action, data, by=one.by, at=one.at, now=now))
        except InputError as error:
            problems += [
                Problem(p.code, p.message, file or p.file, one.row, p.column, p.expected, p.hint)
                for p in error.problems
            ]
    if problems:
        raise InputError(sorted(problems, key=lambda one: one.row or 0))
    return case


def due_injects(case: Case, script: DrillScript, at: datetime) -> list[Inject]:
    """Return the injects that have happened by an instant and are not in the log yet.

    Parameters
    ----------
    case : Case
    script : DrillScript
    at : datetime
    """
    if case.state == "closed":
        return []
    there = {one.data["inject"] for one in case.entries if one.action == "inject"}
    return [
        one
        for one in script.injects
        if one.id not in there and case.opened_at + timedelta(minutes=one.after_min) <= at
    ]


def _inject_data(inject: Inject) -> dict[str, Any]:
    return {
        "inject": inject.id, "zh": inject.zh, "en": inject.en, "measures": dict(inject.measures),
        "sites": {site: dict(change) for site, change in inject.sites.items()},
    }  # fmt: skip


def _inject_entry(case: Case, inject: Inject, now: datetime) -> CaseEntry:
    at = case.opened_at + timedelta(minutes=inject.after_min)
    return next_entry(
        case, "inject", _inject_data(inject), by=DIRECTOR, at=at, now=now, entry_id=f"inject-{inject.id}"
    )


def read_drill(folder: str | os.PathLike[str]) -> tuple[Case, DrillScript]:
    """Read a drill: its case and its script.

    Parameters
    ----------
    folder : path

    Raises
    ------
    UsageError
        ``not-a-drill``, ``not-a-case``.
    InputError
        ``case-altered``: log or script are not as they were written.
    """
    place = Path(folder)
    case = read_case(place)
    if not case.is_drill:
        raise UsageError(f"{folder} is a real case and no drill.", "not-a-drill")
    try:
        kept = (place / SCRIPT).read_bytes()
    except OSError:
        kept = b""
    if hashlib.sha256(kept).hexdigest() != case.event.get("script_sha256"):
        text = "the script is not the one that the drill began with."
        raise InputError([Problem("case-altered", text, str(place / SCRIPT))])
    content = json.loads(kept)
    return case, script_of(content["script"], case.plan, SCRIPT)


def release(folder: str | os.PathLike[str], at: datetime | None) -> None:
    """Let happen in a drill what its script has up to an instant; a real case stays as it is.

    Parameters
    ----------
    folder : path
    at : datetime or None
        By the drill's clock; None: now, where that is the real one.

    Raises
    ------
    UsageError
        The drill has a clock of its own, and no instant is given.
    """
    place = Path(folder)
    if not is_case(place) or not json.loads((place / MARK).read_text("utf-8")).get("is_drill"):
        return
    case, script = read_drill(place)
    if at is None and case.event.get("clock") == "own":
        raise UsageError("This drill has a clock of its own: say at which instant.")
    until = at or datetime.now(UTC)
    for inject in due_injects(case, script, until):
        begun = case.opened_at + timedelta(minutes=inject.after_min)
        data = _inject_data(inject)
        add_entry(place, _making(data), by=DIRECTOR, at=begun, entry_id=f"inject-{inject.id}")


def _making(data: dict[str, Any]) -> Make:
    return lambda _: ("inject", data)
