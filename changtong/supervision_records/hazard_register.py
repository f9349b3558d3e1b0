"""The ledger of hazards in the registers: actions in, all or none, and what is due and who is told out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.safety.hazard import Hazard, HazardEvent
from changtong.safety.hazard_ledger import LEFT_SCHEMA, Ledger, add_events
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.ledger_folder import LedgerUpdate, read_actions
from changtong.storage.records import rows_to_decide
from changtong.storage.store import Desk
from changtong.storage.user_names import Named, own_name, users_by_name
from changtong.storage.work import Work
from changtong.supervision_records.hazard_records import hazards_to_decide, keep_events, shown_hazards
from changtong.supervision_records.who_and_when import own_events

NEEDED = ("hazard_id", "at", "action")


def update_hazard_register(
    desk: Desk,
    rules: HazardRules,
    day: date,
    *,
    actions: str | os.PathLike[str] | Sequence[HazardEvent] | None = None,
    ahead_days: int = 0,
) -> LedgerUpdate:
    """Take actions into the register of hazards, all or none, and tell what is due.

    Parameters
    ----------
    desk : Desk
        Of who does it: everybody acts under their own name, and sees what they may see.
    rules : HazardRules
    day : date
    actions : path or sequence of HazardEvent, optional
        CSV of actions; ``by`` may be left out.
    ahead_days : int
        Show what is due so many days further.

    Raises
    ------
    InputError
        Every action that may not happen, and why; ``other-person``, ``unknown-reference``.
    DeniedError
        The person has no right to one of the actions.
    """
    taken = 0
    if actions is not None:
        events = read_actions(actions, NEEDED) if isinstance(actions, str | os.PathLike) else tuple(actions)
        take_hazard_actions(desk, rules, events)
        taken = len(events)
    ledger = read_hazard_register(desk, rules)
    due, summary = ledger.due(day, ahead_days=ahead_days), ledger.summary(day)
    return LedgerUpdate(ledger, day, due, summary, 0, taken, pl.DataFrame(schema=LEFT_SCHEMA))


def take_hazard_actions(desk: Desk, rules: HazardRules, events: Sequence[HazardEvent]) -> None:
    """Take actions into the register of hazards, all or none, without telling what is due.

    Parameters
    ----------
    desk : Desk
    rules : HazardRules
    events : sequence of HazardEvent

    Raises
    ------
    InputError, DeniedError
        As `update_hazard_register`.
    """
    with desk.work(writes=True) as work:
        take_actions_within(work, events, rules)


def read_hazard_register(desk: Desk, rules: HazardRules) -> Ledger:
    """Return the hazards that a person may see as a ledger, without the events, which may name persons.

    Parameters
    ----------
    desk : Desk
    rules : HazardRules
    """
    with desk.work(writes=False, snapshot=True) as work:
        return Ledger((), shown_hazards(work, rules), rules)


def take_actions_within(work: Work, events: Sequence[HazardEvent], rules: HazardRules) -> None:
    """Take actions into the register of hazards, within a piece of work; see `take_hazard_actions`.

    Parameters
    ----------
    work : Work
        One that writes.
    events : sequence of HazardEvent
    rules : HazardRules
    """
    rows = rows_to_decide(work, "hazard", "id", (event.hazard_id for event in events), lock=True)
    seen = {row["id"]: row for row in rows if work.may_see("hazard", row)}
    before = hazards_to_decide(work, list(seen.values()), rules)
    me = own_name(work)
    named = users_by_name(work, _names(before, events) | {me})
    mine, problems = own_events(events, me, work.at)
    sites = rows_to_decide(work, "site", "site_id", (event.site_id for event in events if event.site_id))
    places = {row["site_id"]: row["id"] for row in sites if work.may_see("site", row)}
    problems += _unknown(mine, named, places)
    mine = [_with_old_deadline(event, seen, before, rules) for event in mine]
    try:
        add_events(Ledger((), before, rules), mine)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(sorted(problems, key=lambda one: one.row or 0))
    ids = {name: one.id for name, one in named.items()}
    keep_events(work, mine, seen, before, rules, sites=places, ids=ids)


def _names(before: Mapping[str, Hazard], events: Sequence[HazardEvent]) -> set[str]:
    of_hazards = {name for one in before.values() for name in (one.owner, one.found_by, one.done_by)}
    return of_hazards | {event.owner for event in events}


def _unknown(
    events: Sequence[HazardEvent], named: Mapping[str, Named], places: Mapping[str, str]
) -> list[Problem]:
    """Return what names no user and no site that the person may see."""
    made: list[Problem] = []
    for row, event in enumerate(events, 1):
        owner = named.get(event.owner)
        if event.owner and (owner is None or not owner.is_shown):
            text, expected = f"{event.owner!r} is no user that you may see.", "the name of a user"
            made.append(Problem("unknown-reference", text, event.hazard_id, row, "owner", expected))
        if event.action == "open" and event.site_id and event.site_id not in places:
            text = f"{event.site_id!r} is no site of the registers that you may see."
            made.append(Problem("unknown-reference", text, event.hazard_id, row, "site_id"))
    return made


def _with_old_deadline(
    event: HazardEvent, rows: Mapping[str, Any], before: Mapping[str, Hazard], rules: HazardRules
) -> HazardEvent:
    """Let a hazard that was written down with a deadline keep it when it is given to its first owner."""
    hazard = before.get(event.hazard_id)
    by_hand = hazard is not None and rows[event.hazard_id]["events"] is None
    if hazard is None or not by_hand or event.action != "assign" or event.deadline or hazard.deadline is None:
        return event
    late = hazard.state != "open" or hazard.deadline < rules.day_of(event.at)
    return event if late else replace(event, deadline=hazard.deadline)
