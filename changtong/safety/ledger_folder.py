"""The folder of a hazard ledger: ``events.csv`` is the ledger, the other tables are made from it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.network.io import check_replaceable
from changtong.safety.collection import is_begun, put_file, read_collection, writing
from changtong.safety.hazard import HazardEvent
from changtong.safety.hazard_ledger import (
    EVENT_SCHEMA,
    INSTANT,
    Ledger,
    add_events,
    events_of,
    events_of_findings,
    make_ledger,
)
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.supervision import read_instants, read_table
from changtong.spreadsheets import without_formulas

KIND, VERSION, MAIN_FILE = "hazard-ledger", 1, "ledger.json"
NEEDED = ("hazard_id", "at", "action", "by")


@dataclass(frozen=True)
class LedgerUpdate:
    """What a run brought to a ledger.

    Attributes
    ----------
    ledger : Ledger
    day : date
        As of which due and overdue are counted.
    due, summary : polars.DataFrame
    from_findings, from_actions : int
        Events added.
    left : polars.DataFrame
        Findings that could not be taken, with the reason.
    """

    ledger: Ledger
    day: date
    due: pl.DataFrame
    summary: pl.DataFrame
    from_findings: int
    from_actions: int
    left: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "day": str(self.day),
            "hazards": len(self.ledger.hazards),
            "from_findings": self.from_findings,
            "from_actions": self.from_actions,
            "findings_left": self.left.to_dicts(),
            "rules": {key: getattr(self.ledger.rules, key) for key in ("id", "version", "provenance")},
            "summary": self.summary.to_dicts(),
            "due": [row | {"due_on": str(row["due_on"])} for row in self.due.iter_rows(named=True)],
        }

    def __str__(self) -> str:
        total = self.summary.row(-1, named=True)
        days = total["mean_days_to_close"]
        lines = [
            f"{total['hazards']} hazards: {total['open']} open, {total['rectifying']} being mended, "
            f"{total['recheck']} to be looked at again, {total['closed']} closed, "
            f"{total['reopened']} reopened, {total['withdrawn']} withdrawn; "
            f"{total['overdue']} overdue on {self.day}",
            f"days to close, mean: {'–' if days is None else format(days, '.1f')}; "
            f"times by {self.ledger.rules.id} {self.ledger.rules.version} ({self.ledger.rules.provenance})",
        ]
        for row in self.due.head(15).iter_rows(named=True):
            late = f"{row['days_overdue']} days overdue" if row["days_overdue"] > 0 else f"by {row['due_on']}"
            to = f" → {row['escalate_to_zh']} ({row['escalate_to_en']})" if row["escalate_to_zh"] else ""
            lines.append(
                f"  {row['grade']:<7} {row['hazard_id']} {row['site_id']} {row['kind']}: "
                f"{row['what']} {row['who'] or ''} {late}{to}"
            )
        if self.due.height > 15:
            lines.append(f"  … and {self.due.height - 15} more")
        if not self.left.is_empty():
            lines.append(f"{self.left.height} findings could not be taken")
        return "\n".join(lines)


def is_ledger(path: Path) -> bool:
    """Tell whether a folder holds a hazard ledger.

    Parameters
    ----------
    path : Path
    """
    try:
        return bool(json.loads((path / MAIN_FILE).read_text("utf-8"))["changtong"]["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError):
        return False


LEDGER_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: is_ledger(path) or is_begun(path),
    "what": "hazard ledger",
    "code": "not-a-ledger",
}


def read_ledger(folder: str | os.PathLike[str], rules: HazardRules) -> Ledger:
    """Read a ledger: its events, each checked again.

    Parameters
    ----------
    folder : path
    rules : HazardRules

    Raises
    ------
    InputError
        ``not-a-ledger``; an event that may not happen.
    """
    place = Path(folder)
    if not is_ledger(place):
        raise InputError([Problem("not-a-ledger", "this holds no hazard ledger.", str(folder))])
    file = place / "events.csv"
    return make_ledger(read_actions(file) if file.is_file() else (), rules)


def read_actions(path: str | os.PathLike[str], needed: tuple[str, ...] = NEEDED) -> tuple[HazardEvent, ...]:
    """Read events from a CSV file.

    Parameters
    ----------
    path : path
        Columns of ``EVENT_SCHEMA``; ``at`` in ISO 8601 with its offset.
    needed : tuple of str
        Columns that must be there.

    Raises
    ------
    InputError
    """
    texts = {name: pl.String() if dtype == INSTANT else dtype for name, dtype in EVENT_SCHEMA.items()}
    frame = read_table(path, texts, needed)
    return events_of(read_instants(frame, "at", Path(path).name))


def update_ledger(
    folder: str | os.PathLike[str],
    rules: HazardRules,
    day: date,
    *,
    collection: str | os.PathLike[str] | None = None,
    actions: str | os.PathLike[str] | None = None,
    ahead_days: int = 0,
) -> LedgerUpdate:
    """Bring findings and actions into a ledger, and tell what is due; the ledger is made where there is none.

    Parameters
    ----------
    folder : path
    rules : HazardRules
    day : date
    collection : path, optional
        Inspections whose findings become hazards.
    actions : path, optional
        CSV of events: what was assigned, mended, looked at again. All or none.
    ahead_days : int
        Show what is due so many days further.

    Raises
    ------
    UsageError
        ``not-a-ledger``, ``cannot-write``; another process writes to it.
    InputError
    """
    place = Path(folder).resolve()
    check_replaceable(place, **LEDGER_FOLDER)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with writing(place):
            ledger = read_ledger(place, rules) if is_ledger(place) else make_ledger((), rules)
            before = len(ledger.events)
            left = pl.DataFrame(schema={"finding_id": pl.String(), "reason": pl.String()})
            if collection is not None:
                found = read_collection(collection)
                events, left = events_of_findings(ledger, found.findings, found.inspections)
                ledger = add_events(ledger, events)
            between = len(ledger.events)
            if actions is not None:
                ledger = add_events(ledger, read_actions(actions))
            made = LedgerUpdate(
                ledger,
                day,
                ledger.due(day, ahead_days=ahead_days),
                ledger.summary(day),
                between - before,
                len(ledger.events) - between,
                left,
            )
            _write(made, place)
            return made
    except OSError as error:
        raise UsageError(f"{error.filename or place}: {error.strerror}.", "cannot-write") from error


def _write(made: LedgerUpdate, place: Path) -> None:
    """Write the mark first and the events next: a ledger that is cut off is a ledger still."""
    mark = {"changtong": {"kind": KIND, "version": VERSION}}
    put_file(place / MAIN_FILE, (json.dumps(mark) + "\n").encode())
    tables = {
        "events": made.ledger.event_table(),
        "hazards": made.ledger.table(),
        "due": made.due,
        "summary": made.summary,
    }
    for name, frame in tables.items():
        put_file(
            place / f"{name}.csv",
            without_formulas(frame)
            .write_csv(include_bom=True, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
            .encode(),
        )
