"""Findings of an inspection in the register of hazards: each opens one, or is noted with one there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from changtong.errors import Problem
from changtong.safety.collection import collection_of
from changtong.safety.form import Form
from changtong.safety.form_file import shipped_forms
from changtong.safety.hazard import Hazard, HazardEvent
from changtong.safety.hazard_ledger import Ledger, events_of_findings
from changtong.safety.hazard_rules import HazardRules
from changtong.storage.records import rows_to_decide
from changtong.storage.user_names import Named, users_by_name
from changtong.storage.work import Work
from changtong.supervision_records.hazard_records import hazards_to_decide, keep_events
from changtong.supervision_records.inspection_rows import Versions, instant

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
    """

    work: Work
    rules: HazardRules
    forms: tuple[Form, ...]
    me: str
    people: Mapping[str, Named]
    sites: Mapping[str, Mapping[Any, Any]]

    @cached_property
    def known_forms(self) -> dict[tuple[str, str], Form]:
        """Forms by id and version."""
        return {(form.id, form.version): form for form in (*shipped_forms(), *self.forms)}


@dataclass(frozen=True)
class Found:
    """What the current versions of an inspection say, as tables of a collection."""

    findings: pl.DataFrame
    inspections: pl.DataFrame
    warnings: list[Problem]


def read_versions(taking: Taking, versions: Versions) -> Found:
    """Return findings and times of an inspection as a ledger takes them.

    Answers to personal items are left out, and what a phone says of a time to come counts as now.

    Parameters
    ----------
    taking : Taking
    versions : Versions
    """
    collection = collection_of(list(versions.heads.items()), taking.forms)
    now = taking.work.at

    def past(text: str | None) -> str | None:
        at = instant(text)
        if at is None:
            return text
        at = min(at, now)
        return at.replace(microsecond=at.microsecond // 1000 * 1000).isoformat()

    times = [pl.col(name).map_elements(past, pl.String) for name in ("saved_at", "begun_at")]
    rows = [_without_personal(row, taking) for row in collection.findings.iter_rows(named=True)]
    findings = pl.DataFrame(rows, collection.findings.schema)
    told = collection.problems.filter(pl.col("code").is_in(["unknown-form", "form-differs"]))
    warnings = [
        Problem(row["code"], row["message"], row["inspection_id"], None, "form", severity="warning")
        for row in told.iter_rows(named=True)
    ]
    return Found(findings, collection.inspections.with_columns(times), warnings)


def _without_personal(row: dict[str, Any], taking: Taking) -> dict[str, Any]:
    form = taking.known_forms[row["form_id"], row["form_version"]]
    item = form.item(row["item_id"])
    return row if item is None or not item.personal else row | {"note": item.zh, "answer": ""}


def take_findings(taking: Taking, found: Found) -> tuple[Counter[str], Left]:
    """Take findings into the register of hazards; return what was done, and what could not be taken.

    Parameters
    ----------
    taking : Taking
    found : Found
    """
    needed = found.findings.filter("needs_rectification")
    counts: Counter[str] = Counter(findings=needed.height)
    if needed.is_empty():
        return counts, []
    there = (pl.col("site_id") == "") | pl.col("site_id").is_in(list(taking.sites))
    left: Left = [
        {"finding_id": name, "reason": "unknown_site"} for name in needed.filter(~there)["finding_id"]
    ]
    needed = needed.filter(there)
    places = {site: taking.sites[site]["id"] for site in needed["site_id"].unique() if site}
    rows = rows_to_decide(taking.work, "hazard", "site", places.values(), lock=True)
    before = hazards_to_decide(taking.work, rows, taking.rules)
    noted = _noted(rows, before)
    if set(needed["finding_id"]) <= {event.finding_id for event in noted}:
        return counts, left  # sent again: all of it is there
    ledger = Ledger(tuple(noted), before, taking.rules)
    events, refused = events_of_findings(ledger, needed, found.inspections)
    events = [replace(event, by=event.by if event.by in taking.people else taking.me) for event in events]
    names = {name for one in before.values() for name in (one.owner, one.found_by, one.done_by)}
    ids = {name: one.id for name, one in (users_by_name(taking.work, names) | dict(taking.people)).items()}
    keep_events(
        taking.work, events, {row["id"]: row for row in rows}, before, taking.rules, sites=places, ids=ids
    )
    counts.update(DONE[event.action] for event in events)
    return counts, left + refused.to_dicts()


def _noted(rows: list[Mapping[Any, Any]], hazards: Mapping[str, Hazard]) -> list[HazardEvent]:
    """Return which findings the register has taken already, as events that say no more than that."""
    made = []
    for row in rows:
        hazard = hazards[row["id"]]
        names = {one.get("finding_id", "") for one in row["events"] or ()} | {hazard.finding_id}
        made += [
            HazardEvent(hazard.hazard_id, hazard.found_at, "open", hazard.found_by, finding_id=name)
            for name in sorted(names - {""})
        ]
    return made
