"""What the players of a drill did, from a CSV file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from changtong.emergency import case_actions
from changtong.emergency.case_folder import Make
from changtong.emergency.drill import Played
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.safety.supervision import read_table

CODE = "bad-drill-action"
COLUMNS: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "after_min": pl.Float64(),
        "at": pl.String(),
        "action": pl.String(),
        "subject": pl.String(),
        "value": pl.String(),
        "text": pl.String(),
        "by": pl.String(),
    }
)
MOST_AFTER_MIN = 60 * 24 * 366

MAKERS: Mapping[str, Callable[[str, str, str], Make]] = MappingProxyType(
    {
        "level": lambda subject, value, text: case_actions.set_level(subject, text),
        "measure": lambda subject, value, text: case_actions.measure({subject: value}, text),
        "task": lambda subject, value, text: case_actions.do_task(subject, value or "done", text),
        "site": lambda subject, value, text: case_actions.change_site(subject, value, text),
        "report": lambda subject, value, text: case_actions.give_report(subject, text),
        "note": lambda subject, value, text: case_actions.note(text),
        "suspend": lambda subject, value, text: case_actions.suspend(text),
        "resume": lambda subject, value, text: case_actions.resume(text),
        "end": lambda subject, value, text: case_actions.end(
            text, [s for s in subject.split(";") if s], value
        ),
    }
)
"""Action -> maker of its entry, from subject, value and text."""


def read_played(path: str | os.PathLike[str], begins: datetime) -> tuple[Played, ...]:
    """Read what was done.

    Parameters
    ----------
    path : path
        CSV: ``action``, ``by``, when (``after_min`` after the begin, or ``at`` with its zone), and as the
        action needs ``subject``, ``value``, ``text``.
    begins : datetime

    Raises
    ------
    InputError
        ``bad-drill-action`` and those of tables, with every problem.
    """
    table = read_table(path, COLUMNS, ("action", "by"))
    made: list[Played] = []
    problems: list[Problem] = []
    file = Path(path).name
    for number, row in enumerate(table.iter_rows(named=True), 1):
        at = _when(row, begins, number, file, problems)
        maker = MAKERS.get(row["action"])
        if maker is None:
            hint = NearestNames(MAKERS).hint(row["action"])
            text = f"{row['action']!r} is no action."
            problems.append(Problem(CODE, text, file, number, "action", ", ".join(MAKERS), hint))
        elif at is not None:
            subject, value, words = (row[name] or "" for name in ("subject", "value", "text"))
            made.append(Played(at, row["by"], maker(subject, value, words), number))
    if problems:
        raise InputError(problems)
    return tuple(made)


def _when(
    row: Mapping[str, Any], begins: datetime, number: int, file: str, problems: list[Problem]
) -> datetime | None:
    after, at = row["after_min"], row["at"]
    if (after is None) == (at is None):
        text = "it says not when, or twice."
        problems.append(Problem(CODE, text, file, number, "after_min", "after_min, or at, one of the two"))
        return None
    if after is not None:
        if 0 <= after <= MOST_AFTER_MIN:
            return begins + timedelta(minutes=after)
        problems.append(
            Problem(
                CODE, f"{after!r} is not allowed.", file, number, "after_min", "0 or more, at most a year"
            )
        )
        return None
    try:
        made = datetime.fromisoformat(at.strip())
        if made.tzinfo is not None and begins <= made <= begins + timedelta(minutes=MOST_AFTER_MIN):
            return made
    except (ValueError, OverflowError):
        pass
    expected = "an instant with its zone, after the begin"
    problems.append(Problem(CODE, f"{at!r} is not allowed.", file, number, "at", expected))
    return None
