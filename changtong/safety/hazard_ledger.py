"""The ledger of hazards: events in, hazards out; what is due on a day, and the ledger in a few figures."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.safety.form import GRADES
from changtong.safety.hazard import STATES, Hazard, HazardEvent, after, why_not
from changtong.safety.hazard_rules import HazardRules

INSTANT = pl.Datetime("us", "UTC")
EVENT_SCHEMA: dict[str, pl.DataType] = {
    "hazard_id": pl.String(),
    "at": INSTANT,
    "action": pl.String(),
    "by": pl.String(),
    "text": pl.String(),
    "evidence": pl.String(),
    "owner": pl.String(),
    "deadline": pl.Date(),
    "grade": pl.String(),
    "kind": pl.String(),
    "red_line": pl.String(),
    "site_id": pl.String(),
    "finding_id": pl.String(),
}
"""One row an event; the hazards are made from these, and from nothing else."""

HAZARD_SCHEMA: dict[str, pl.DataType] = {
    "hazard_id": pl.String(),
    "site_id": pl.String(),
    "kind": pl.String(),
    "grade": pl.String(),
    "red_line": pl.String(),
    "state": pl.String(),
    "text": pl.String(),
    "owner": pl.String(),
    "deadline": pl.Date(),
    "found_at": INSTANT,
    "found_on": pl.Date(),
    "found_by": pl.String(),
    "assigned_at": INSTANT,
    "done_at": INSTANT,
    "done_by": pl.String(),
    "closed_at": INSTANT,
    "changed_at": INSTANT,
    "evidence": pl.String(),
    "finding_id": pl.String(),
    "events": pl.Int64(),
    "extensions": pl.Int64(),
    "failed": pl.Int64(),
    "reopened": pl.Int64(),
    "seen": pl.Int64(),
}
DUE_SCHEMA: dict[str, pl.DataType] = {
    "hazard_id": pl.String(),
    "site_id": pl.String(),
    "grade": pl.String(),
    "kind": pl.String(),
    "what": pl.String(),
    "who": pl.String(),
    "due_on": pl.Date(),
    "days_overdue": pl.Int64(),
    "escalate_to_zh": pl.String(),
    "escalate_to_en": pl.String(),
}
"""``what``: assign, rectify or recheck; ``escalate_to``: the highest step reached, null where none is."""

SUMMARY_SCHEMA: dict[str, pl.DataType] = {
    "grade": pl.String(),
    "hazards": pl.Int64(),
    "open": pl.Int64(),
    "rectifying": pl.Int64(),
    "recheck": pl.Int64(),
    "closed": pl.Int64(),
    "reopened": pl.Int64(),
    "withdrawn": pl.Int64(),
    "overdue": pl.Int64(),
    "mean_days_to_close": pl.Float64(),
}


@dataclass(frozen=True)
class Ledger:
    """Hazards and the events they come from.

    Attributes
    ----------
    events : tuple of HazardEvent
        In the order they were written.
    hazards : dict
        Hazard id -> `Hazard`.
    rules : HazardRules
    """

    events: tuple[HazardEvent, ...]
    hazards: dict[str, Hazard]
    rules: HazardRules

    def event_table(self) -> pl.DataFrame:
        """Return the events as a frame of `EVENT_SCHEMA`."""
        return pl.DataFrame([event_row(event) for event in self.events], EVENT_SCHEMA)

    def table(self) -> pl.DataFrame:
        """Return the hazards as a frame of `HAZARD_SCHEMA`."""
        rows = [
            {name: getattr(hazard, name, None) for name in HAZARD_SCHEMA}
            | {"found_on": self.rules.day_of(hazard.found_at)}
            for hazard in self.hazards.values()
        ]
        return pl.DataFrame(rows, HAZARD_SCHEMA)

    def due(self, day: date, *, ahead_days: int = 0) -> pl.DataFrame:
        """Return what is due on a day or overdue, the gravest first.

        Parameters
        ----------
        day : date
        ahead_days : int
            Look so many days further.
        """
        rows = [
            row
            for hazard in self.hazards.values()
            if (row := _due_row(hazard, day, self.rules)) is not None
            and row["due_on"] <= day + timedelta(days=ahead_days)
        ]
        frame = pl.DataFrame(rows, DUE_SCHEMA)
        return frame.sort(
            pl.col("grade") != "major", -pl.col("days_overdue"), "due_on", "hazard_id", maintain_order=True
        )

    def summary(self, day: date) -> pl.DataFrame:
        """Return the ledger in a few figures, a row a grade and one for all.

        Parameters
        ----------
        day : date
            Overdue as of this day.
        """
        late = set(self.due(day).filter(pl.col("days_overdue") > 0)["hazard_id"])
        rows = [_summary_row(grade, self._of(grade), late) for grade in GRADES]
        return pl.DataFrame([*rows, _summary_row("all", list(self.hazards.values()), late)], SUMMARY_SCHEMA)

    def _of(self, grade: str) -> list[Hazard]:
        return [hazard for hazard in self.hazards.values() if hazard.grade == grade]


def event_row(event: HazardEvent) -> dict[str, Any]:
    """Return an event as a row; empty texts are null.

    Parameters
    ----------
    event : HazardEvent
    """
    row = {field.name: getattr(event, field.name) or None for field in fields(event)}
    return row | {"at": event.at.astimezone(UTC)}


def events_of(table: pl.DataFrame) -> tuple[HazardEvent, ...]:
    """Return the events of a frame; columns that are not there are empty.

    Parameters
    ----------
    table : polars.DataFrame
        With columns of `EVENT_SCHEMA`.
    """
    names = [name for name in EVENT_SCHEMA if name in table.columns]
    made = []
    for row in table.select(names).iter_rows(named=True):
        made.append(
            HazardEvent(**{"by": ""} | {key: value for key, value in row.items() if value is not None})
        )
    return tuple(made)


def make_ledger(events: Iterable[HazardEvent], rules: HazardRules) -> Ledger:
    """Make a ledger of its events.

    Parameters
    ----------
    events : iterable of HazardEvent
    rules : HazardRules

    Raises
    ------
    InputError
        An event that may not happen.
    """
    return add_events(Ledger((), {}, rules), events)


def add_events(ledger: Ledger, events: Iterable[HazardEvent]) -> Ledger:
    """Return the ledger with more events: all of them, or none where one may not happen.

    Parameters
    ----------
    ledger : Ledger
    events : iterable of HazardEvent

    Raises
    ------
    InputError
        Every event that may not happen, the first of each hazard; the row counts the events given.
    """
    hazards, taken = dict(ledger.hazards), list(ledger.events)
    problems: list[Problem] = []
    refused: set[str] = set()
    for row, event in enumerate(events, 1):
        if event.hazard_id in refused:
            continue  # what follows a refused one would be refused for that alone
        before = hazards.get(event.hazard_id)
        problem = why_not(before, event, ledger.rules)
        if problem is not None:
            refused.add(event.hazard_id)
            where = {key: getattr(problem, key) for key in ("code", "message", "file", "column", "expected")}
            problems.append(Problem(**where, row=row))
            continue
        hazards[event.hazard_id] = after(before, event, ledger.rules)
        taken.append(event)
    if problems:
        raise InputError(problems)
    return Ledger(tuple(taken), hazards, ledger.rules)


LEFT_SCHEMA: dict[str, pl.DataType] = {"finding_id": pl.String(), "reason": pl.String()}
"""``reason``: no_site, no_time, before_closing (it was found before its hazard was closed)."""


def events_of_findings(
    ledger: Ledger, findings: pl.DataFrame, inspections: pl.DataFrame
) -> tuple[list[HazardEvent], pl.DataFrame]:
    """Return what findings of inspections mean for a ledger, and which of them could not be taken.

    A finding opens a hazard. Where the same thing of the same site is in the ledger already, it was
    seen again; where it was closed not long ago, it is opened again. Findings that the ledger knows mean
    nothing more.

    Parameters
    ----------
    ledger : Ledger
    findings, inspections : polars.DataFrame
        Of a collection. Findings that need no rectification are left out.

    Returns
    -------
    events : list of HazardEvent
    left : polars.DataFrame
        As `LEFT_SCHEMA`.
    """
    kept = inspections.filter(pl.col("state") != "superseded")
    heads = {row["inspection_id"]: row for row in kept.sort("saved_at").iter_rows(named=True)}
    rows = list(findings.filter("needs_rectification").iter_rows(named=True))
    known = {event.finding_id for event in ledger.events}
    events, left = events_of_rows(ledger.hazards, known, rows, heads, ledger.rules)
    return events, pl.DataFrame(left, LEFT_SCHEMA)


def events_of_rows(
    before: Mapping[str, Hazard],
    known: Collection[str],
    findings: Iterable[Mapping[str, Any]],
    heads: Mapping[str, Mapping[str, Any]],
    rules: HazardRules,
) -> tuple[list[HazardEvent], list[dict[str, str]]]:
    """Return what `events_of_findings` does, from rows.

    Parameters
    ----------
    before : mapping
        Hazard id -> `Hazard`, the oldest first.
    known : collection of str
        Ids of findings that mean nothing more.
    findings : iterable of mapping
        That need rectification.
    heads : mapping
        Inspection id -> ``saved_at``, ``begun_at`` and ``inspectors`` of its version.
    rules : HazardRules
    """
    hazards = dict(before)
    newest = {_thing(hazard): hazard.hazard_id for hazard in hazards.values()}
    made: list[HazardEvent] = []
    left: list[dict[str, str]] = []
    for row in sorted(findings, key=lambda one: (one["found_on"] or date.min, one["finding_id"])):
        if row["finding_id"] in known:
            continue
        head = heads.get(row["inspection_id"], {})
        at = _instant(head.get("saved_at")) or _instant(head.get("begun_at"))
        if not row["site_id"] or at is None:
            left.append(
                {"finding_id": row["finding_id"], "reason": "no_time" if row["site_id"] else "no_site"}
            )
            continue
        thing = (row["site_id"], row["item_id"], row["hazard_kind"])
        by = (head.get("inspectors") or row["inspection_id"]).split(";")[0].strip()
        event = _event_of(row, at, by, hazards.get(newest.get(thing, "")), rules)
        if event is None:
            left.append({"finding_id": row["finding_id"], "reason": "before_closing"})
            continue
        hazards[event.hazard_id] = after(hazards.get(event.hazard_id), event, rules)
        newest[thing] = event.hazard_id
        made.append(event)
    return made, left


def hazard_id_of(finding_id: str) -> str:
    """Return the id of the hazard that a finding opens: the same wherever it is taken.

    Parameters
    ----------
    finding_id : str

    Examples
    --------
    >>> hazard_id_of("i1/r05")
    'H72A053D574C7'
    """
    return "H" + hashlib.sha256(finding_id.encode()).hexdigest()[:12].upper()


def _thing(hazard: Hazard) -> tuple[str, str, str]:
    """What makes two findings the same: the site, the item of a form, the kind."""
    return hazard.site_id, hazard.finding_id.rpartition("/")[2], hazard.kind


def _event_of(
    row: Mapping[str, Any], at: datetime, by: str, there: Hazard | None, rules: HazardRules
) -> HazardEvent | None:
    text = row["note"] or f"{row['item_id']}: {row['answer']}"
    if there is not None and not there.ended:
        return HazardEvent(
            there.hazard_id, max(at, there.changed_at), "seen", by, text, finding_id=row["finding_id"]
        )
    if there is not None and there.closed_at is not None:
        if at < there.closed_at:
            return None
        if at - there.closed_at <= timedelta(days=rules.reopen_days):
            return HazardEvent(there.hazard_id, at, "reopen", by, text, finding_id=row["finding_id"])
    return HazardEvent(
        hazard_id=hazard_id_of(row["finding_id"]),
        at=at,
        action="open",
        by=by,
        text=text,
        kind=row["hazard_kind"],
        grade=row["grade"],
        red_line=row["red_line"] or "",
        site_id=row["site_id"],
        finding_id=row["finding_id"],
    )


def _instant(text: str | None) -> datetime | None:
    try:
        made = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return made if made.tzinfo is not None else None


def _due_row(hazard: Hazard, day: date, rules: HazardRules) -> dict[str, Any] | None:
    """Return what is to be done next with a hazard, None where it has ended."""
    times = rules.times[hazard.grade]
    if hazard.ended:
        return None
    if hazard.state in ("open", "reopened"):
        begun = hazard.found_at if hazard.state == "open" else hazard.changed_at
        what, who, due_on = "assign", "", rules.day_of(begun) + timedelta(days=times.assign_days)
    elif hazard.state == "recheck" and hazard.done_at is not None:
        what, who = "recheck", ""
        due_on = rules.day_of(hazard.done_at) + timedelta(days=times.recheck_days)
    else:
        what, who = "rectify", hazard.owner
        due_on = hazard.deadline or rules.day_of(hazard.changed_at)
    overdue = (day - due_on).days
    steps = rules.steps_reached(hazard.grade, overdue)
    return {
        "hazard_id": hazard.hazard_id,
        "site_id": hazard.site_id,
        "grade": hazard.grade,
        "kind": hazard.kind,
        "what": what,
        "who": who or None,
        "due_on": due_on,
        "days_overdue": overdue,
        "escalate_to_zh": steps[-1].to_zh if steps else None,
        "escalate_to_en": steps[-1].to_en if steps else None,
    }


def _summary_row(grade: str, hazards: list[Hazard], late: set[str]) -> dict[str, Any]:
    days = [(h.closed_at - h.found_at).total_seconds() / 86400 for h in hazards if h.closed_at is not None]
    states = {state: sum(h.state == state for h in hazards) for state in STATES}
    return {
        "grade": grade,
        "hazards": len(hazards),
        **states,
        "overdue": sum(h.hazard_id in late for h in hazards),
        "mean_days_to_close": sum(days) / len(days) if days else None,
    }
