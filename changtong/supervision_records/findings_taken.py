"""Findings of an inspection in the register of hazards: each opens one, or is noted with one there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from changtong.errors import Problem
from changtong.safety.collection import form_problems
from changtong.safety.filled import check_filled
from changtong.safety.form import Form
from changtong.safety.form_file import shipped_forms
from changtong.safety.hazard import Hazard
from changtong.safety.hazard_ledger import events_of_rows, hazard_id_of
from changtong.safety.hazard_rules import HazardRules
from changtong.storage.records import rows_to_decide
from changtong.storage.user_names import Named, users_by_name
from changtong.storage.work import Work
from changtong.supervision_records.hazard_records import hazards_to_decide, keep_events
from changtong.supervision_records.inspection_rows import Filled, Versions, instant

DONE = {"open": "hazards_opened", "seen": "hazards_seen", "reopen": "hazards_reopened"}
Left = list[dict[str, str]]


@dataclass(frozen=True)
class Taking:
    """What is known while inspections are taken in.

    Attributes
    ----------
    work : Work
    rules : HazardRules
    forms : tuple of Form
        Beside the shipped ones.
    me : str
        Name of who takes them in.
    people : dict
        Name that an inspection has -> user, where the person may see one of this name; ``me`` always.
    sites : dict
        ``site_id`` -> row, of sites that the person may see.
    said : dict
        Digest -> what a version was found to say.
    """

    work: Work
    rules: HazardRules
    forms: tuple[Form, ...]
    me: str
    people: Mapping[str, Named]
    sites: Mapping[str, Mapping[Any, Any]]
    said: dict[str, Said] = field(default_factory=dict)

    @cached_property
    def known_forms(self) -> dict[tuple[str, str], Form]:
        """Forms by id and version."""
        return {(form.id, form.version): form for form in (*shipped_forms(), *self.forms)}


@dataclass(frozen=True)
class Said:
    """What one version of an inspection says: findings as rows, answers to personal items left out."""

    findings: list[dict[str, Any]]
    warnings: list[Problem]


@dataclass(frozen=True)
class Found:
    """What the current versions of an inspection say.

    Attributes
    ----------
    findings : list of dict
        Rows of ``FINDING_SCHEMA``. Both versions of a conflict may have found the same: it is there once.
    head : dict
        ``saved_at``, ``begun_at`` and ``inspectors`` of the version saved last.
    warnings : list of Problem
    """

    findings: list[dict[str, Any]]
    head: dict[str, Any]
    warnings: list[Problem]

    @property
    def needed(self) -> list[dict[str, Any]]:
        """Findings that need rectification."""
        return [row for row in self.findings if row["needs_rectification"]]


def said_by(taking: Taking, digest: str, filled: Filled) -> Said:
    """Return what a version says.

    Parameters
    ----------
    taking : Taking
    digest : str
    filled : dict
    """
    if digest not in taking.said:
        form = taking.known_forms.get((filled["form"]["id"], filled["form"]["version"]))
        found = () if form is None else check_filled(form, filled).findings
        warnings = [replace(one, severity="warning", hint="") for one in form_problems(filled, form)]
        taking.said[digest] = Said([_without_personal(one.row(), form) for one in found], warnings)
    return taking.said[digest]


def _without_personal(row: dict[str, Any], form: Form | None) -> dict[str, Any]:
    item = None if form is None else form.item(row["item_id"])
    return row if item is None or not item.personal else row | {"note": item.zh, "answer": ""}


def read_versions(taking: Taking, versions: Versions) -> Found:
    """Return findings and times of an inspection as a ledger takes them.

    Answers to personal items are left out, and what a phone says of a time to come counts as now.

    Parameters
    ----------
    taking : Taking
    versions : Versions
    """
    said = [said_by(taking, digest, filled) for digest, filled in versions.heads.items()]
    findings: dict[str, dict[str, Any]] = {}
    for row in (row for one in said for row in one.findings):
        findings.setdefault(row["finding_id"], row)
    heads = [(_times(filled, taking.work.at), filled, digest) for digest, filled in versions.heads.items()]
    last, _, _ = max(heads, key=lambda one: (one[0]["saved_at"] or "", *_order(one[1]), one[2]))
    return Found(list(findings.values()), last, [problem for one in said for problem in one.warnings])


def _order(filled: Filled) -> tuple[str, str]:
    return filled.get("begun_at") or "", filled.get("saved_at") or ""


def _times(filled: Filled, now: datetime) -> dict[str, Any]:
    def past(text: str | None) -> str | None:
        at = instant(text)
        if at is None:
            return text
        at = min(at, now)
        return at.replace(microsecond=at.microsecond // 1000 * 1000).isoformat()

    times = {name: past(filled.get(name)) for name in ("saved_at", "begun_at")}
    return times | {"inspectors": "; ".join(filled.get("inspectors", []))}


def look_up_hazards(taking: Taking, said: Iterable[Said]) -> None:
    """Read the hazards at the places of findings in one go, where rows are held.

    Parameters
    ----------
    taking : Taking
    said : iterable of Said
    """
    needed = [row for one in said for row in one.findings if row["needs_rectification"]]
    there = [row for row in needed if row["site_id"] in taking.sites]
    sites = {taking.sites[row["site_id"]]["id"] for row in there}
    rows_to_decide(taking.work, "hazard", "site", sites, lock=True)
    rows_to_decide(taking.work, "hazard", "id", {hazard_id_of(row["finding_id"]) for row in there})


def take_findings(taking: Taking, found: Found) -> tuple[Counter[str], Left]:
    """Take findings into the register of hazards; return what was done, and what could not be taken.

    Parameters
    ----------
    taking : Taking
    found : Found
    """
    counts: Counter[str] = Counter(findings=len(found.needed))
    known = {"", *taking.sites}
    needed = [row for row in found.needed if row["site_id"] in known]
    left: Left = [
        {"finding_id": row["finding_id"], "reason": "unknown_site"}
        for row in found.needed
        if row["site_id"] not in known
    ]
    if not needed:
        return counts, left
    places = {row["site_id"]: taking.sites[row["site_id"]]["id"] for row in needed if row["site_id"]}
    rows = rows_to_decide(taking.work, "hazard", "site", places.values(), lock=True)
    before = hazards_to_decide(taking.work, rows, taking.rules)
    noted = {name for row in rows for name in _noted(row, before[row["id"]])}
    if {row["finding_id"] for row in needed} <= noted:
        return counts, left  # sent again: all of it is there
    heads = {needed[0]["inspection_id"]: found.head}
    events, refused = events_of_rows(before, noted, needed, heads, taking.rules)
    events = [replace(event, by=event.by if event.by in taking.people else taking.me) for event in events]
    names = {name for one in before.values() for name in (one.owner, one.found_by, one.done_by)}
    ids = {name: one.id for name, one in (users_by_name(taking.work, names) | dict(taking.people)).items()}
    keep_events(
        taking.work, events, {row["id"]: row for row in rows}, before, taking.rules, sites=places, ids=ids
    )
    counts.update(DONE[event.action] for event in events)
    return counts, left + refused


def _noted(row: Mapping[Any, Any], hazard: Hazard) -> set[str]:
    """Return ids of the findings that a hazard of the register has taken already."""
    return {one.get("finding_id", "") for one in row["events"] or ()} | {hazard.finding_id}
