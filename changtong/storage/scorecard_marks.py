"""Marks of departments on a card in the registers: blind until every department that is waited for is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.errors import ConflictError, InputError, Problem
from changtong.rights.decide import Target
from changtong.storage.card_departments import named_on
from changtong.storage.records import Record, add_record, change_record
from changtong.storage.schema import registers
from changtong.storage.scorecards import (
    CardRecords,
    card_within,
    denied,
    records_of_card,
    records_within,
    single_id,
    waited_for,
)
from changtong.storage.store import Desk
from changtong.storage.work import Work

Check = Callable[["CardRecords", Mapping[str, Any]], None]
"""Refuses what somebody wants to put down, by what the card says; nothing is written where it raises."""


def _department(work: Work, card: Record, department: str) -> None:
    """Refuse a department that the card has not, or that is not the person's own."""
    one = card["departments"].get(department)
    if one is None or one["organisation"] != work.organisation:
        own = [name for name, it in card["departments"].items() if it["organisation"] == work.organisation]
        text = f"{department} is no department of the card that is your organisation."
        text += f" Yours: {', '.join(own) or 'none'}."
        target = Target("scorecard", card.path, card.admin_code)
        raise denied(work, "mark", target, card.id, text, "not-own-department")


def _to_be_marked(card: Record, one: Record) -> Target:
    """Return what the right to mark one that is assessed is decided by: where it is, and who marks there."""
    return Target("scorecard", one.path, one.admin_code, named_on(card["departments"]))


def own_marks(desk: Desk, card_id: str, department: str) -> CardRecords:
    """Return a card with the marks of one's own department, also while they are blind."""
    with desk.work(writes=False, snapshot=True) as work:
        found = card_within(work, card_id)
        _department(work, found.scorecard, department)
        return _with_own(work, found, department)


def _with_own(work: Work, found: CardRecords, department: str) -> CardRecords:
    table = registers["mark"]
    rule = sa.and_(table.c.scorecard == found.scorecard.id, table.c.department == department)
    own = records_within(work, "mark", sa.and_(rule, table.c.organisation == work.organisation))
    return replace(found, marks=own)


def mark(
    desk: Desk,
    card_id: str,
    department: str,
    marks: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    versions: Mapping[str, int] | None = None,
    check: Check | None = None,
) -> int:
    """Put down marks of one's own department, all or none; nobody else sees them until all have handed in.

    Parameters
    ----------
    desk : Desk
        Of an assessor of the department's organisation.
    card_id, department : str
    marks : mapping
        Subject -> its marks: ``indicator_id``, ``points``, ``evidence``.
    versions : mapping, optional
        Subject -> version of its marks as they were read; needed for those that are marked already.
    check : callable, optional
        Looks at the card with these marks and those already there before anything is written.

    Returns
    -------
    int
        Subjects marked.

    Raises
    ------
    DeniedError
        ``not-own-department``, ``not-allowed``.
    InputError
        ``handed-in``: the department is done, or marks are shown already; ``unknown-subject``.
    ConflictError
        Marked already, at another version.
    """
    with desk.work(writes=True) as work:
        found = _locked(work, card_id, department)
        by_subject = {one["subject_id"]: one for one in found.assessments}
        unknown = [name for name in marks if name not in by_subject]
        if unknown:
            problems = [Problem("unknown-subject", f"{name} is not on this card.") for name in unknown]
            raise InputError(problems)
        if check is not None:
            check(found, {"department": department, "marks": marks})
        for subject, points in marks.items():
            _put(work, found, by_subject[subject], department, points, (versions or {}).get(subject))
        return len(marks)


def _put(
    work: Work,
    found: CardRecords,
    one: Record,
    department: str,
    points: Sequence[Mapping[str, Any]],
    version: int | None,
) -> None:
    """Write the marks of one that is assessed; those already there only at the version that was read."""
    values = {"marks": [dict(point) for point in points], "marked_at": work.at}
    right = ("mark", _to_be_marked(found.scorecard, one))
    old = next((record for record in found.marks if record["assessment"] == one.id), None)
    if old is None:
        more = {"scorecard": found.scorecard.id, "assessment": one.id, "department": department}
        name = single_id(one.id, "mark", department)
        add_record(work, "mark", values | more, record_id=name, right=right)
        return
    if version is None:
        text = f"{one['subject_id']} is marked already, at version {old.version}: say which version you read."
        raise ConflictError(text, wanted=values["marks"], current=old)
    change_record(work, "mark", old.id, version, values, right=right)


def _locked(work: Work, card_id: str, department: str) -> CardRecords:
    """Return the card with a department's own marks, for the department to go on with them, one at a time."""
    table = registers["scorecard"]
    work.connection.execute(sa.select(table.c.id).where(table.c.id == card_id).with_for_update())
    found = card_within(work, card_id)
    _department(work, found.scorecard, department)
    done = {record["department"] for record in found.hand_ins}
    if department in done or not found.blind:
        text = f"{department} has handed in." if department in done else "The marks are shown already."
        raise InputError([Problem("handed-in", f"{text} Marks are no longer changed.")])
    return _with_own(work, found, department)


def hand_in(
    desk: Desk, card_id: str, department: str, *, sets_none: bool = False, check: Check | None = None
) -> bool:
    """Say that one's own department is done; with the last one that is waited for, marks are shown to all.

    Parameters
    ----------
    desk : Desk
    card_id, department : str
    sets_none : bool
        It gives no marks, and the others' count.
    check : callable, optional
        Looks whether anything is missing.

    Returns
    -------
    bool
        Whether the marks are shown now.

    Raises
    ------
    DeniedError
        ``not-own-department``, ``not-allowed``.
    InputError
        ``handed-in``; ``mark-not-allowed``: it sets none, but has marks.
    """
    with desk.work(writes=True) as work:
        found = _locked(work, card_id, department)
        targets = [_to_be_marked(found.scorecard, one) for one in found.assessments]
        able = next((target for target in targets if work.may("mark", target)), targets[0])
        work.allow("mark", able, card_id)
        if sets_none and found.marks:
            text = f"{department} sets none, but has marked {len(found.marks)}."
            raise InputError([Problem("mark-not-allowed", text, expected="marks, or none")])
        if check is not None:
            check(found, {"department": department, "sets_none": sets_none})
        values = {
            "scorecard": card_id, "department": department, "handed_in_at": work.at,
            "outcome": "sets_none" if sets_none else "handed_in",
        }  # fmt: skip
        name = single_id(card_id, "hand_in", department)
        add_record(work, "hand_in", values, record_id=name, right=("mark", able))
        done = {record["department"] for record in records_of_card(work, "hand_in", card_id)}
        if waited_for(found.scorecard["departments"]) - done:
            return False
        card = found.scorecard
        shown: dict[str, datetime] = {"marks_shown_at": work.at}
        change_record(work, "scorecard", card_id, card.version, shown, right=("mark", able))
        return True
