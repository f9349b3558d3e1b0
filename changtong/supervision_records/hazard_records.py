"""Hazards read from the register and kept in it, within one piece of work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from changtong.safety.hazard import Hazard, HazardEvent, after
from changtong.safety.hazard_rules import HazardRules
from changtong.storage.pages import MOST_ROWS, Query, next_query
from changtong.storage.records import (
    Record,
    add_record,
    change_record,
    get_record,
    read_page,
    rows_to_decide,
)
from changtong.storage.user_names import Named, users_by_id
from changtong.storage.work import Work
from changtong.supervision_records.hazard_rows import RIGHTS, columns_of, event_kept, hazard_of

Row = Mapping[Any, Any]


def all_records(work: Work, kind: str) -> list[Record]:
    """Return every record of a register that the person may see, the oldest first.

    Parameters
    ----------
    work : Work
    kind : str
    """
    query = Query(limit=MOST_ROWS, newest_first=False)
    found: list[Record] = []
    while True:
        page = read_page(work, kind, query)
        found += page.records
        if not page.next:
            return found
        query = next_query(query, page.next)


def site_ids(work: Work, records: Iterable[str]) -> dict[str, str]:
    """Return ``site_id`` by the id of a site's record.

    Parameters
    ----------
    work : Work
    records : iterable of str
    """
    return {row["id"]: row["site_id"] for row in rows_to_decide(work, "site", "id", records)}


def shown_hazards(work: Work, rules: HazardRules) -> dict[str, Hazard]:
    """Return the hazards that the person may see, in the order they were found.

    Users have their names where the person may see them, else their ids.

    Parameters
    ----------
    work : Work
    rules : HazardRules
    """
    records = all_records(work, "hazard")
    rows: list[Row] = [{**one.values, "id": one.id, "created_by": one.created_by} for one in records]
    names = {one.id: one.name if one.is_shown else one.id for one in _people(work, rows).values()}
    return _hazards(work, rows, names, rules)


def hazards_to_decide(work: Work, rows: Sequence[Row], rules: HazardRules) -> dict[str, Hazard]:
    """Return rows of the register as hazards with everybody's name: to decide by, not to show.

    Parameters
    ----------
    work : Work
    rows : sequence of rows
    rules : HazardRules
    """
    names = {one.id: one.name for one in _people(work, rows).values()}
    return _hazards(work, rows, names, rules)


def _people(work: Work, rows: Sequence[Row]) -> dict[str, Named]:
    columns = ("found_by", "done_by", "owner", "created_by")
    return users_by_id(work, {row[column] for row in rows for column in columns if row[column]})


def _hazards(
    work: Work, rows: Sequence[Row], names: Mapping[str, str], rules: HazardRules
) -> dict[str, Hazard]:
    sites = site_ids(work, {row["site"] for row in rows if row["site"]})
    made = [hazard_of(row, sites, names, rules) for row in rows]
    return {one.hazard_id: one for one in sorted(made, key=lambda one: (one.found_at, one.hazard_id))}


def keep_events(
    work: Work,
    events: Iterable[HazardEvent],
    rows: Mapping[str, Row],
    before: Mapping[str, Hazard],
    rules: HazardRules,
    *,
    sites: Mapping[str, str],
    ids: Mapping[str, str],
) -> None:
    """Keep what the ledger has allowed: each hazard with its events, under the rights these need.

    Parameters
    ----------
    work : Work
    events : iterable of HazardEvent
        Each may happen, one after the other.
    rows : mapping
        Hazard id -> its row, locked.
    before : mapping
        Hazard id -> `Hazard` as it was.
    rules : HazardRules
    sites : mapping
        ``site_id`` -> id of the site's record.
    ids : mapping
        What the ledger calls a user -> id; of all that the hazards and events name.

    Raises
    ------
    DeniedError
    InputError
        ``duplicate-record``: a hazard of this id is there, where the person sees none.
    """
    by_hazard: dict[str, list[HazardEvent]] = {}
    for event in events:
        by_hazard.setdefault(event.hazard_id, []).append(event)
    for name in sorted(by_hazard):
        happened = by_hazard[name]
        hazard = before.get(name)
        kept = list(rows[name]["events"] or ()) if name in rows else []
        version = rows[name]["version"] if name in rows else 0
        if hazard is None:
            first, happened = happened[0], happened[1:]
            hazard, kept = after(None, first, rules), [event_kept(first)]
            record = _open(work, hazard, kept, rules, sites, ids)
            version = record.version
        if happened:
            for event in happened:
                hazard = after(hazard, event, rules)
            kept += [event_kept(event) for event in happened]
            _change(work, hazard, version, kept, happened, rules, ids)


def _open(
    work: Work,
    hazard: Hazard,
    kept: list[dict[str, Any]],
    rules: HazardRules,
    sites: Mapping[str, str],
    ids: Mapping[str, str],
) -> Record:
    inspection, _, item = hazard.finding_id.rpartition("/")
    values = columns_of(hazard, ids, rules) | {
        "site": sites[hazard.site_id],
        "inspection": inspection or None,
        "item": item or None,
        "events": kept,
    }
    return add_record(work, "hazard", values, record_id=hazard.hazard_id, by_ledger=True)


def _change(
    work: Work,
    hazard: Hazard,
    version: int,
    kept: list[dict[str, Any]],
    happened: list[HazardEvent],
    rules: HazardRules,
    ids: Mapping[str, str],
) -> None:
    values: dict[str, Any] = columns_of(hazard, ids, rules) | {"events": kept}
    looked = [event for event in happened if event.action in ("pass", "fail")]
    if looked:
        values |= {"recheck_at": looked[-1].at, "recheck_result": looked[-1].action}
    target = get_record(work, "hazard", hazard.hazard_id).target
    rights = sorted({RIGHTS[event.action] for event in happened})
    for right in rights[:-1]:  # the change itself asks for the last
        work.allow(right, target, hazard.hazard_id)
    change_record(work, "hazard", hazard.hazard_id, version, values, right=rights[-1])
