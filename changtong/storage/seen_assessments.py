"""Assessments as their own people and their assessors see them: a list with its cards, and one of them.

By which card one is assessed is for oneself to see, whoever keeps the card; a ranking is for those who see
everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from changtong.errors import NotFoundError
from changtong.rights.decide import Target, scopes
from changtong.storage.pages import Query
from changtong.storage.records import Record, read_page, record_of
from changtong.storage.schema import registers
from changtong.storage.scorecards import CardRecords, one_within, records_within, whole_card_within
from changtong.storage.store import Desk
from changtong.storage.work import Work


@dataclass(frozen=True)
class SeenAssessments:
    """A page of assessments.

    Attributes
    ----------
    assessments : tuple of Record
    cards : mapping
        Id of a card -> its record, of those that assess them.
    rectifications : tuple of Record
        Of them, as far as one may see these.
    next : str
        Where the next page begins; empty where there is none.
    """

    assessments: tuple[Record, ...]
    cards: Mapping[str, Record]
    rectifications: tuple[Record, ...]
    next: str


def seen_assessments(desk: Desk, query: Query) -> SeenAssessments:
    """Return a page of the assessments that one may see, with their cards and rectifications.

    Parameters
    ----------
    desk : Desk
    query : Query
        ``scorecard``, ``subject_id``, ``state``.
    """
    with desk.work(writes=False, snapshot=True) as work:
        page = read_page(work, "assessment", query)
        names = sorted({one["scorecard"] for one in page.records})
        table = registers["scorecard"]
        rows = work.connection.execute(sa.select(table).where(table.c.id.in_(names))).mappings()
        cards = {str(row["id"]): record_of("scorecard", row) for row in rows}
        found = _rectified(work, [f"{one['scorecard']}/{one['subject_id']}/" for one in page.records])
        return SeenAssessments(tuple(page.records), cards, found, page.next or "")


def _rectified(work: Work, begins: Iterable[str]) -> tuple[Record, ...]:
    """Return rectifications of gaps that begin so: of these assessments alone."""
    gap = registers["rectification"].c.gap
    wanted = [gap.startswith(begin, autoescape=True) for begin in begins]
    if not wanted or not scopes(work.person, "view", "rectification", work.at):
        return ()
    return records_within(work, "rectification", sa.or_(*wanted))


@dataclass(frozen=True)
class SeenAssessment:
    """One assessment.

    Attributes
    ----------
    found : CardRecords
        The card with all assessed by it where ``whole``, else with this one alone.
    whole : bool
        Whether the person sees everything that the score is made of: all assessed, and all that is said.
    one : Record
    rights : frozenset of str
        Of report, review, appeal, final, rectify, notice: what one may do in its present state.
    """

    found: CardRecords
    whole: bool
    one: Record
    rights: frozenset[str]


def see_assessment(desk: Desk, card_id: str, subject_id: str) -> SeenAssessment:
    """Return one assessment, for who may see it.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str

    Raises
    ------
    NotFoundError
    """
    with desk.work(writes=False, snapshot=True) as work:
        alone = one_within(work, card_id, subject_id)
        one = alone.assessments[0]
        rights = _rights(work, alone, one)
        if _sees_whole(work, alone.scorecard):
            return SeenAssessment(whole_card_within(work, card_id), True, one, rights)
        begin = f"{card_id}/{subject_id}/"
        return SeenAssessment(
            replace(alone, rectifications=_rectified(work, [begin])), False, one, rights
        )  # fmt: skip


def see_card(desk: Desk, card_id: str) -> Record:
    """Return a card, for who may see it and for those who are assessed by it.

    Parameters
    ----------
    desk : Desk
    card_id : str

    Raises
    ------
    NotFoundError
    """
    with desk.work(writes=False, snapshot=True) as work:
        table = registers["scorecard"]
        row = work.connection.execute(sa.select(table).where(table.c.id == card_id)).mappings().first()
        mine = registers["assessment"].c.scorecard == card_id
        if row is None or not (work.may_see("scorecard", row) or records_within(work, "assessment", mine)):
            raise NotFoundError(f"There is no card {card_id} that you may see.")
        return record_of("scorecard", row)


def _sees_whole(work: Work, card: Record) -> bool:
    """Return whether the person sees all that scores are made of; asking puts nothing on record."""
    if not work.may("view", card.target) or not work.may("view", replace(card.target, kind="statement")):
        return False
    if not all(scopes(work.person, "view", kind, work.at) for kind in ("mark", "hand_in")):
        return False
    seen = records_within(work, "assessment", registers["assessment"].c.scorecard == card.id)
    may = all(work.may("view", Target("statement", one.path, one.admin_code)) for one in seen)
    return may and len(seen) == card["subjects"]


STEPS = {
    "open": {"self_report": "report", "review": "assess"},
    "self_report": {"self_report": "report", "review": "assess"},
    "review": {"review": "assess", "appeal": "report", "final": "decide", "notice": "assess"},
    "appeal": {"appeal": "report", "final": "decide"},
    "final": {"notice": "decide"},
}
"""State -> what may be done in it -> the right it needs, as `scorecard_stages` decides."""


def _rights(work: Work, found: CardRecords, one: Record) -> frozenset[str]:
    target = Target("scorecard", one.path, one.admin_code)
    conducts = work.may("conduct", found.scorecard.target)
    said = {record["stage"]: record for record in found.statements}
    may = {
        step
        for step, right in STEPS[one["state"]].items()
        if work.may(right, target) and (right == "report" or conducts)
    }
    if "appeal" in said and "review" in said and said["review"].updated_by == work.person.user_id:
        may.discard("final")  # who reviewed it does not decide on the appeal
    if conducts and work.may("add", replace(one.target, kind="rectification")):
        may.add("rectify")
    if work.may("report", target):
        may.add("answer")
    return frozenset(may)
