"""Notices of results: issued by who sees all that are assessed, and as a document with its reasons."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from changtong.assessment.assess import assess
from changtong.errors import DeniedError
from changtong.report.assessment_notice import notice
from changtong.scorecards.card_records import ZONE, card_of
from changtong.scorecards.one_assessment import read_assessment
from changtong.storage.records import Record
from changtong.storage.scorecard_notices import issue_notice
from changtong.storage.seen_assessments import see_assessment
from changtong.storage.store import Desk


def issue_result(
    desk: Desk, card_id: str, subject_id: str, *, note: str = "", version: int | None = None, reason: str = ""
) -> Record:
    """Issue a notice of the result as it is now; return the assessment with it.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str
    note : str
        No names of persons.
    version : int, optional
        Of the assessment, as it was read.
    reason : str

    Raises
    ------
    DeniedError
        Also where not all that are assessed are seen: a notice tells a rank.
    InputError
        ``bad-state``: it is neither reviewed nor decided.
    ConflictError, NotFoundError
    """
    found = read_assessment(desk, card_id, subject_id)
    if found.whole is None:
        raise DeniedError("A notice tells a rank: it needs all that are assessed to be seen.")
    return issue_notice(desk, card_id, subject_id, found.place(), note=note, version=version, reason=reason)


def notice_document(desk: Desk, card_id: str, subject_id: str, language: Literal["zh", "en"]) -> bytes:
    """Return the notice as a document (DOCX), with the reasons of the result as it is now.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str
    language : {"zh", "en"}

    Raises
    ------
    DeniedError
        Not all that are assessed are seen.
    NotFoundError
    """
    seen = see_assessment(desk, card_id, subject_id)
    if not seen.whole:
        raise DeniedError("The document tells a rank: it needs all that are assessed to be seen.")
    return notice(assess(card_of(seen.found), on=datetime.now(ZONE).date()), subject_id, language=language)
