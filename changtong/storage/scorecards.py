"""Scorecards in the registers: cards with all who are assessed, kept and read, as far as a person sees them.

Rights, states, blindness and the audit are decided here and in `scorecard_stages` and `scorecard_marks`; what
a card's numbers mean is known above.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from changtong.errors import DeniedError, InputError, NotFoundError, Problem
from changtong.rights.decide import Target, scopes
from changtong.rights.organisations import FIRMS
from changtong.storage import audit
from changtong.storage.held_rows import MOST_OF_A_QUESTION
from changtong.storage.records import Record, add_record, get_record, record_of
from changtong.storage.rows import ID
from changtong.storage.schema import organisations, registers
from changtong.storage.seen_parts import seen_parts
from changtong.storage.store import Desk
from changtong.storage.work import Row, Work


@dataclass(frozen=True)
class NewSubject:
    """One to be assessed.

    Attributes
    ----------
    subject_id : str
    organisation : str
        Whose people report for it; its id in the registers.
    data : mapping
        What the card holds of it.
    admin_code : str or None
        The organisation's where none is given.
    """

    subject_id: str
    organisation: str
    data: Mapping[str, Any]
    admin_code: str | None = None


@dataclass(frozen=True)
class CardRecords:
    """Everything the registers hold of a card, of one instant, as far as a person sees it.

    Attributes
    ----------
    scorecard : Record
    assessments, statements, marks, hand_ins, rectifications : tuple of Record
        Marks are empty while they are blind, but for one's own where these alone were asked for.
    """

    scorecard: Record
    assessments: tuple[Record, ...]
    statements: tuple[Record, ...] = ()
    marks: tuple[Record, ...] = ()
    hand_ins: tuple[Record, ...] = ()
    rectifications: tuple[Record, ...] = ()

    @property
    def blind(self) -> bool:
        """Whether marks are not shown yet."""
        return self.scorecard["marks_shown_at"] is None


def card_record_id(organisation: str, card_id: str, card_version: str, year: int) -> str:
    """Return the id under which a card is kept: readable where it can be, and the same each time.

    Examples
    --------
    >>> card_record_id("spb", "firm-credit", "1", 2025)
    'spb.firm-credit.1.2025'
    """
    name = f"{organisation}.{card_id}.{card_version}.{year}"
    return name if ID.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:32]


def single_id(*parts: str) -> str:
    """Return the id of a record of which there is one only, made of what it belongs to."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def denied(work: Work, action: str, target: Target, record: str, text: str, code: str) -> DeniedError:
    """Return the error of what is not allowed for another reason than rights, which goes on record too."""
    work.refused = audit.Entry(
        work.at, work.person.user_id, f"refused:{action}", target.kind, record, target.path,
        target.admin_code, {"why": code},
    )  # fmt: skip
    return DeniedError(text, code)


def keep_card(
    desk: Desk, values: Mapping[str, Any], subjects: Sequence[NewSubject], reason: str = ""
) -> Record:
    """Put a card with all who are assessed by it into the registers, whole or not at all.

    Parameters
    ----------
    desk : Desk
        Of an assessor; the card belongs to the assessor's organisation.
    values : mapping
        Columns of the register ``scorecard``.
    subjects : sequence of NewSubject
    reason : str

    Raises
    ------
    InputError
        ``duplicate-record``: this version of the card is there; ``unknown-reference``: organisations that
        are not there; ``foreign-department``.
    """
    with desk.work(writes=True) as work:
        name = card_record_id(
            work.organisation, values["card_id"], values["card_version"], int(values["year"])
        )
        there = _organisations_of(work, values["departments"], subjects)
        shown = None if waited_for(values["departments"]) else work.at
        whole = dict(values) | {"subjects": len(subjects), "marks_shown_at": shown}
        here = _target_of(there[work.organisation])
        card = add_record(work, "scorecard", whole, record_id=name, reason=reason, right=("add", here))
        for place, one in enumerate(subjects):
            row = {
                "scorecard": card.id, "subject_id": one.subject_id, "place": place, "data": dict(one.data),
            }  # fmt: skip
            target = _target_of(there[one.organisation], one.admin_code)
            add_record(
                work, "assessment", row, organisation=one.organisation, admin_code=target.admin_code,
                record_id=single_id(card.id, one.subject_id), right=("add", target),
            )  # fmt: skip
        return card


def _organisations_of(
    work: Work, departments: Mapping[str, Any], subjects: Sequence[NewSubject]
) -> dict[str, Row]:
    """Return the organisations of the keeper, the departments and those assessed; refuse all that cannot be.

    A department's people see the card, and a firm's people see nothing beyond their firm.
    """
    named = [("department", name, str(one["organisation"])) for name, one in departments.items()]
    named += [("subject", one.subject_id, one.organisation) for one in subjects]
    wanted = sorted({work.organisation, *(organisation for _, _, organisation in named)})
    there: dict[str, Row] = {}
    for begin in range(0, len(wanted), MOST_OF_A_QUESTION):
        some = organisations.c.id.in_(wanted[begin : begin + MOST_OF_A_QUESTION])
        rows = work.connection.execute(sa.select(organisations).where(some)).mappings()
        there |= {str(row["id"]): row for row in rows}
    root = work.person.path.split("/")[1]
    problems = []
    for what, name, organisation in named:
        row = there.get(organisation)
        if row is None:
            text = f"{what} {name}: there is no organisation {organisation}."
            problems.append(Problem("unknown-reference", text, column="organisation"))
        elif what == "department" and row["kind"] in FIRMS and row["path"].split("/")[1] != root:
            text = f"{what} {name}: {organisation} is of a firm, whose people see nothing beyond it."
            expected = "an authority, or on a firm's own card one of the firm"
            problems.append(Problem("foreign-department", text, column="organisation", expected=expected))
    if problems:
        raise InputError(problems)
    return there


def _target_of(row: Row, admin_code: str | None = None) -> Target:
    """Return what the right to put something of an organisation on a card is decided by."""
    return Target("scorecard", row["path"], admin_code or row["admin_code"])


def waited_for(departments: Mapping[str, Any]) -> set[str]:
    return {name for name, one in departments.items() if one["waited"]}


def read_card(desk: Desk, card_id: str) -> CardRecords:
    """Return a card with everything about it, of one instant: what scores are made of.

    Raises
    ------
    NotFoundError
        There is none that the person may see.
    DeniedError
        ``not-allowed``: only a part of those assessed may be seen, and a ranking of a part is none;
        ``marks-only``: a department that does not see what is said of those assessed.
    """
    with desk.work(writes=False, snapshot=True) as work:
        return whole_card_within(work, card_id)


def read_marking(desk: Desk, card_id: str) -> CardRecords:
    """Return a card, those assessed, who has handed in, and the marks once they are shown, of one instant.

    It is what who marks may see, and holds nothing of what is said at the stages.

    Raises
    ------
    NotFoundError, DeniedError
        As `read_card`, without ``marks-only``.
    """
    with desk.work(writes=False, snapshot=True) as work:
        return card_within(work, card_id)


def whole_card_within(work: Work, card_id: str) -> CardRecords:
    found = card_within(work, card_id)
    needed = [Target("statement", one.path, one.admin_code) for one in found.assessments]
    if not all(work.may("view", target) for target in (found.scorecard.target, *needed)):
        text = "Your organisation marks on this card: it sees who is assessed and the marks. Scores also need"
        text += " what is reported and reviewed: ask the card's organisation for the result."
        raise denied(work, "view", found.scorecard.target, card_id, text, "marks-only")
    table = registers["statement"]
    of_card = sa.select(registers["assessment"].c.id).where(registers["assessment"].c.scorecard == card_id)
    gap = registers["rectification"].c.gap
    return replace(
        found,
        statements=records_within(work, "statement", table.c.assessment.in_(of_card)),
        rectifications=records_within(work, "rectification", gap.startswith(f"{card_id}/", autoescape=True)),
    )


def card_within(work: Work, card_id: str) -> CardRecords:
    card = get_record(work, "scorecard", card_id)
    assessments = records_within(work, "assessment", registers["assessment"].c.scorecard == card_id)
    if len(assessments) != card["subjects"]:
        text = f"You may see {len(assessments)} of the {card['subjects']} assessed; a ranking needs all."
        raise DeniedError(text)
    shown = card["marks_shown_at"] is not None
    return CardRecords(
        scorecard=card,
        assessments=tuple(sorted(assessments, key=lambda one: one["place"])),
        marks=records_of_card(work, "mark", card_id) if shown else (),
        hand_ins=records_of_card(work, "hand_in", card_id),
    )


def records_within(work: Work, kind: str, rule: sa.ColumnElement[bool]) -> tuple[Record, ...]:
    """Return the records that fulfil a rule and that the person may see, the oldest first."""
    table = registers[kind]
    seen = sa.or_(*[sa.and_(True, *part) for part in seen_parts(work, kind)])
    chosen = sa.select(table).where(rule, seen).order_by(table.c.created_at, table.c.id)
    return tuple(record_of(kind, row) for row in work.connection.execute(chosen).mappings())


def records_of_card(work: Work, kind: str, card_id: str) -> tuple[Record, ...]:
    """Return all marks or all hand-ins of a card to who may see such at all, wherever the departments are.

    Scores from the marks of some departments only would be wrong ones.
    """
    table = registers[kind]
    if not scopes(work.person, "view", kind, work.at):
        work.allow("view", Target(kind, work.person.path, ""))
    chosen = sa.select(table).where(table.c.scorecard == card_id).order_by(table.c.created_at, table.c.id)
    return tuple(record_of(kind, row) for row in work.connection.execute(chosen).mappings())


def read_one(desk: Desk, card_id: str, subject_id: str) -> CardRecords:
    """Return a card with one that is assessed, for who may see this one: also for its own people.

    Raises
    ------
    NotFoundError
    """
    with desk.work(writes=False, snapshot=True) as work:
        return one_within(work, card_id, subject_id)


def one_within(work: Work, card_id: str, subject_id: str, *, lock: bool = False) -> CardRecords:
    table = registers["assessment"]
    chosen = sa.select(table).where(table.c.scorecard == card_id, table.c.subject_id == subject_id)
    row = work.connection.execute(chosen.with_for_update() if lock else chosen).mappings().first()
    if row is None or not work.may_see("assessment", row):
        raise NotFoundError(f"There is no {subject_id} on a card {card_id} that you may see.")
    # by which card one is assessed is for oneself to see, whoever keeps the card
    cards = registers["scorecard"]
    card = work.connection.execute(sa.select(cards).where(cards.c.id == card_id)).mappings().one()
    one = record_of("assessment", row)
    said = records_within(work, "statement", registers["statement"].c.assessment == one.id)
    return CardRecords(record_of("scorecard", card), (one,), said)


def rectify(
    desk: Desk, card_id: str, rows: Sequence[Mapping[str, Any]], reason: str = ""
) -> tuple[Record, ...]:
    """Put rectifications of gaps into their register, each once; return those that are new.

    Parameters
    ----------
    desk : Desk
    card_id : str
    rows : sequence of mapping
        ``subject_id``, ``cause``, ``title``, ``deadline`` (an instant).
    reason : str
    """
    with desk.work(writes=True) as work:
        found = whole_card_within(work, card_id)
        work.allow("conduct", found.scorecard.target, card_id)
        there = {record["gap"] for record in found.rectifications}
        by_subject = {one["subject_id"]: one for one in found.assessments}
        made = []
        for row in rows:
            gap = f"{card_id}/{row['subject_id']}/{row['cause']}"
            if gap in there:
                continue
            there.add(gap)
            one = by_subject[row["subject_id"]]
            values = {"gap": gap, "title": row["title"], "deadline": row["deadline"]}
            made.append(
                add_record(
                    work,
                    "rectification",
                    values,
                    organisation=one.organisation,
                    admin_code=one.admin_code,
                    record_id=single_id("rectification", gap),
                    reason=reason,
                )  # fmt: skip
            )
        return tuple(made)
