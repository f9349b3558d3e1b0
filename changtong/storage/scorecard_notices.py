"""Notices to those assessed: issued by assessors once it is reviewed or decided, received by their people.

A notice keeps the result as it was told, so that who is assessed reads that and nothing of the others; what
is changed later is told by another notice. It lies in the assessment's own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from changtong.errors import ConflictError, InputError, Problem
from changtong.rights.decide import Target
from changtong.storage.records import Record, change_record
from changtong.storage.scorecards import one_within
from changtong.storage.store import Desk

ISSUED_BY: Mapping[str, str] = {"review": "assess", "final": "decide"}
"""State in which a notice is issued -> the right that it needs."""

TOLD = ("score", "rank", "peers", "tied", "band", "vetoed", "complete")


def notices_of(one: Record) -> list[dict[str, Any]]:
    """Return the notices of an assessment, the oldest first.

    Parameters
    ----------
    one : Record
    """
    return [dict(notice) for notice in one["data"].get("notices", ())]


def issue_notice(
    desk: Desk,
    card_id: str,
    subject_id: str,
    told: Mapping[str, Any],
    *,
    note: str = "",
    version: int | None = None,
    reason: str = "",
) -> Record:
    """Issue a notice of the result to one that is assessed; return the assessment as it is now.

    Parameters
    ----------
    desk : Desk
        Of an assessor of another organisation whose role reaches the card.
    card_id, subject_id : str
    told : mapping
        The result: `TOLD`.
    note : str
        No names of persons.
    version : int, optional
        Of the assessment, as it was read.
    reason : str

    Raises
    ------
    InputError
        ``bad-state``: it is neither reviewed nor decided.
    ConflictError, DeniedError, NotFoundError
    """
    with desk.work(writes=True) as work:
        found = one_within(work, card_id, subject_id, lock=True)
        one = found.assessments[0]
        target = Target("scorecard", one.path, one.admin_code)
        right = ISSUED_BY.get(one["state"], "assess")
        work.allow(right, target, one.id, kind=one.kind)
        work.allow("conduct", found.scorecard.target, one.id, kind=one.kind)
        if one["state"] not in ISSUED_BY:
            text = f"A notice tells a result: an assessment that has reached {one['state']} has none."
            raise InputError([Problem("bad-state", text, column="state", expected=", ".join(ISSUED_BY))])
        _as_read(one, version)
        made = {
            "stage": one["state"], "issued_at": work.at.isoformat(), "issued_by": work.organisation,
            "note": note, **{name: told.get(name) for name in TOLD},
        }  # fmt: skip
        data = {**one["data"], "notices": [*notices_of(one), made]}
        return change_record(work, "assessment", one.id, one.version, {"data": data}, reason, (right, target))


def receive_notice(
    desk: Desk, card_id: str, subject_id: str, *, words: str = "", version: int | None = None
) -> Record:
    """Say that one's own organisation has received the newest notice, with what it answers.

    It is no appeal: an appeal is a stage of its own.

    Parameters
    ----------
    desk : Desk
        Of the people of who is assessed.
    card_id, subject_id : str
    words : str
        No names of persons.
    version : int, optional
        Of the assessment, as it was read.

    Raises
    ------
    InputError
        ``bad-state``: there is no notice, or it is received already.
    ConflictError, DeniedError, NotFoundError
    """
    with desk.work(writes=True) as work:
        one = one_within(work, card_id, subject_id, lock=True).assessments[0]
        right = ("report", Target("scorecard", one.path, one.admin_code))
        work.allow(*right, one.id, kind=one.kind)
        notices = notices_of(one)
        if not notices or notices[-1].get("received_at"):
            text = "There is no notice that waits to be received."
            raise InputError([Problem("bad-state", text, column="notice", expected="a notice not received")])
        _as_read(one, version)
        notices[-1] |= {
            "received_at": work.at.isoformat(), "received_by": work.organisation, "answer": words,
        }  # fmt: skip
        data = {**one["data"], "notices": notices}
        return change_record(work, "assessment", one.id, one.version, {"data": data}, "", right)


def _as_read(one: Record, version: int | None) -> None:
    if version is not None and version != one.version:
        text = (
            f"{one['subject_id']} is at version {one.version} now: it was changed since you read {version}."
        )
        raise ConflictError(text, current=one)
