"""A hazard of the ledger as a record of the register, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from changtong.safety.hazard import Hazard, HazardEvent
from changtong.safety.hazard_ledger import event_row
from changtong.safety.hazard_rules import HazardRules

REGISTER_STATES: Mapping[str, str] = MappingProxyType({"recheck": "rectified"})
"""States of the ledger that the register has another word for."""

LEDGER_STATES: Mapping[str, str] = MappingProxyType({word: state for state, word in REGISTER_STATES.items()})

RIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "open": "add",
        "seen": "add",
        "reopen": "add",
        "assign": "change",
        "done": "change",
        "pass": "decide",
        "fail": "decide",
        "extend": "decide",
        "regrade": "decide",
        "withdraw": "decide",
    }
)
"""Action -> right in the register of hazards. ``decide`` never reaches one's own organisation."""

_PLAIN = ("extensions", "failed", "reopened", "seen")
_INSTANTS = ("assigned_at", "done_at", "closed_at")


def end_of_day(day: date, zone: str) -> datetime:
    """Return the last millisecond of a day.

    Parameters
    ----------
    day : date
    zone : str

    Examples
    --------
    >>> end_of_day(date(2026, 3, 2), "Asia/Shanghai").isoformat()
    '2026-03-02T23:59:59.999000+08:00'
    """
    return datetime.combine(day, time(23, 59, 59, 999_000), ZoneInfo(zone))


def said_evidence(found: Any) -> str:
    """Return evidence as the ledger has it: one text.

    Parameters
    ----------
    found : object
        As the register has it.
    """
    return "; ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def hazard_of(
    row: Mapping[Any, Any], sites: Mapping[str, str], names: Mapping[str, str], rules: HazardRules
) -> Hazard:
    """Return a record as the hazard it is; one that no ledger has kept so far as its columns tell.

    Parameters
    ----------
    row : mapping
        Of the register, with ``id``, ``created_by``.
    sites : mapping
        Id of a site's record -> ``site_id``.
    names : mapping
        Id of a user -> what the ledger calls them.
    rules : HazardRules
    """
    kept = row["event_count"] is not None
    ownerless = kept and row["owner"] is None
    more: dict[str, Any] = {name: row[name] for name in _INSTANTS} | {name: row[name] or 0 for name in _PLAIN}
    return Hazard(
        hazard_id=row["id"],
        site_id=sites.get(row["site"] or "", ""),
        kind=row["hazard_kind"] or "",
        grade=row["grade"],
        red_line=row["red_line"] or "",
        text=row["title"],
        finding_id=f"{row['inspection'] or ''}/{row['item']}" if row["item"] else "",
        state=LEDGER_STATES.get(row["state"], row["state"]),
        found_at=row["found_at"],
        found_by=names.get(row["found_by"] or row["created_by"], ""),
        changed_at=row["changed_at"] or row["found_at"],
        owner=names.get(row["owner"] or "", ""),
        done_by=names.get(row["done_by"] or "", ""),
        deadline=None if ownerless else rules.day_of(row["deadline"]),
        evidence=said_evidence(row["evidence"]),
        events=row["event_count"] or 1,
        **more,
    )


def columns_of(hazard: Hazard, ids: Mapping[str, str], rules: HazardRules) -> dict[str, Any]:
    """Return what the register keeps of a hazard, its site, its finding and its events apart.

    Parameters
    ----------
    hazard : Hazard
    ids : mapping
        What the ledger calls a user -> id.
    rules : HazardRules
    """
    # the register is in order of deadlines: a hazard without an owner stands where one would be due
    begun = hazard.found_at if hazard.state == "open" else hazard.changed_at
    deadline = hazard.deadline or rules.deadline(hazard.grade, rules.day_of(begun))
    return {
        "hazard_kind": hazard.kind or None,
        "red_line": hazard.red_line or None,
        "title": hazard.text,
        "grade": hazard.grade,
        "state": REGISTER_STATES.get(hazard.state, hazard.state),
        "owner": ids.get(hazard.owner),
        "deadline": end_of_day(deadline, rules.zone),
        "found_at": hazard.found_at,
        "found_by": ids.get(hazard.found_by),
        "done_by": ids.get(hazard.done_by),
        "changed_at": hazard.changed_at,
        "evidence": [hazard.evidence] if hazard.evidence else None,
        "event_count": hazard.events,
        **{name: getattr(hazard, name) for name in (*_INSTANTS, *_PLAIN)},
    }


def event_kept(event: HazardEvent) -> dict[str, Any]:
    """Return an event as the register keeps it.

    Parameters
    ----------
    event : HazardEvent
    """
    row = {name: value for name, value in event_row(event).items() if value is not None}
    texts = {name: value.isoformat() for name, value in row.items() if name in ("at", "deadline")}
    return row | texts
