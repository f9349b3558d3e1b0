"""Scorecards in the registers: kept, reported on, reviewed, marked blind, appealed, decided.

Rights, states, blindness and the audit are decided here; what a card's numbers mean is known above. The
stages of one that is assessed::

    open ──report──► self_report ──review──► review ──appeal──► appeal
      └───────────────review────────────────►  │                   │
                                               └──────decide──────► final

Reporting and appealing is for the people of who is assessed, all else for those of other organisations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError, Problem
from changtong.rights.decide import Target, scopes
from changtong.storage.definitions import state_changes
from changtong.storage.pages import scope_rules
from changtong.storage.records import Record, add_record, change_record, get_record, record_of
from changtong.storage.rows import ID
from changtong.storage.schema import organisations, registers
from changtong.storage.store import Desk
from changtong.storage.work import Work

WAYS: Mapping[str, str] = {"self_report": "report", "review": "assess", "appeal": "report", "final": "decide"}
"""Stage -> the right that reaching it needs."""

Check = Callable[["CardRecords", Mapping[str, Any]], None]
"""Refuses what somebody wants to put down, by what the card says; nothing is written where it raises."""


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


def _within(*parts: str) -> str:
    """Return the id of a record of which there is one only, made of what it belongs to."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


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
        ``duplicate-record``: this version of the card is there; ``unknown-reference``: an organisation.
    """
    with desk.work(writes=True) as work:
        name = card_record_id(
            work.organisation, values["card_id"], values["card_version"], int(values["year"])
        )
        shown = None if _waited(values["departments"]) else work.at
        whole = dict(values) | {"subjects": len(subjects), "marks_shown_at": shown}
        here = _where_organised(work, "the card", work.organisation)
        card = add_record(work, "scorecard", whole, record_id=name, reason=reason, right=("add", here))
        for place, one in enumerate(subjects):
            row = {
                "scorecard": card.id, "subject_id": one.subject_id, "place": place, "data": dict(one.data),
            }  # fmt: skip
            there = _where_organised(work, one.subject_id, one.organisation, one.admin_code)
            add_record(
                work, "assessment", row, organisation=one.organisation, admin_code=one.admin_code,
                record_id=_within(card.id, one.subject_id), right=("add", there),
            )  # fmt: skip
        return card


def _where_organised(work: Work, what: str, organisation: str, admin_code: str | None = None) -> Target:
    """Return what the right to put something of an organisation on a card is decided by."""
    chosen = sa.select(organisations.c.path, organisations.c.admin_code)
    row = work.connection.execute(chosen.where(organisations.c.id == organisation)).first()
    if row is None:
        text = f"{what}: there is no organisation {organisation}."
        raise InputError([Problem("unknown-reference", text, column="organisation")])
    return Target("scorecard", row.path, admin_code or row.admin_code)


def _waited(departments: Mapping[str, Any]) -> set[str]:
    return {name for name, one in departments.items() if one["waited"]}


def read_card(desk: Desk, card_id: str) -> CardRecords:
    """Return a card with everything about it, of one instant.

    Raises
    ------
    NotFoundError
        There is none that the person may see.
    DeniedError
        ``not-allowed``: only a part of those assessed may be seen, and a ranking of a part is none.
    """
    with desk.work(writes=False, snapshot=True) as work:
        return _read_card(work, card_id)


def _read_card(work: Work, card_id: str) -> CardRecords:
    card = get_record(work, "scorecard", card_id)
    assessments = _all(work, "assessment", registers["assessment"].c.scorecard == card_id)
    if len(assessments) != card["subjects"]:
        text = f"You may see {len(assessments)} of the {card['subjects']} assessed; a ranking needs all."
        raise DeniedError(text)
    table = registers["statement"]
    of_card = sa.select(registers["assessment"].c.id).where(registers["assessment"].c.scorecard == card_id)
    shown = card["marks_shown_at"] is not None
    gap = registers["rectification"].c.gap
    return CardRecords(
        scorecard=card,
        assessments=tuple(sorted(assessments, key=lambda one: one["place"])),
        statements=_all(work, "statement", table.c.assessment.in_(of_card)),
        marks=_of_card(work, "mark", card_id) if shown else (),
        hand_ins=_of_card(work, "hand_in", card_id),
        rectifications=_all(work, "rectification", gap.startswith(f"{card_id}/", autoescape=True)),
    )


def _all(work: Work, kind: str, rule: sa.ColumnElement[bool]) -> tuple[Record, ...]:
    """Return the records that fulfil a rule and that the person may see, the oldest first."""
    table = registers[kind]
    within = [
        sa.and_(True, *scope_rules(table, scope)) for scope in scopes(work.person, "view", kind, work.at)
    ]
    if not within:
        work.allow("view", Target(kind, work.person.path, ""))
    chosen = sa.select(table).where(rule, sa.or_(*within)).order_by(table.c.created_at, table.c.id)
    return tuple(record_of(kind, row) for row in work.connection.execute(chosen).mappings())


def _of_card(work: Work, kind: str, card_id: str) -> tuple[Record, ...]:
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
        return _read_one(work, card_id, subject_id)


def _read_one(work: Work, card_id: str, subject_id: str, *, lock: bool = False) -> CardRecords:
    table = registers["assessment"]
    chosen = sa.select(table).where(table.c.scorecard == card_id, table.c.subject_id == subject_id)
    row = work.connection.execute(chosen.with_for_update() if lock else chosen).mappings().first()
    if row is None or not work.may("view", Target("assessment", row["path"], row["admin_code"])):
        raise NotFoundError(f"There is no {subject_id} on a card {card_id} that you may see.")
    # by which card one is assessed is for oneself to see, whoever keeps the card
    cards = registers["scorecard"]
    card = work.connection.execute(sa.select(cards).where(cards.c.id == card_id)).mappings().one()
    one = record_of("assessment", row)
    said = _all(work, "statement", registers["statement"].c.assessment == one.id)
    return CardRecords(record_of("scorecard", card), (one,), said)


def say(
    desk: Desk,
    card_id: str,
    subject_id: str,
    stage: str,
    content: Mapping[str, Any],
    *,
    version: int | None = None,
    reason: str = "",
) -> Record:
    """Put down a self-report, a review, an appeal or the final word, and go on to this stage.

    What was said at the stage that was reached last may be said anew; the final word may not.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str
    stage : str
        self_report, review, appeal or final.
    content : mapping
        ``values``, ``facts``, ``note``; whose people said it is added.
    version : int, optional
        Of the assessment, as it was read; without it whatever it is now.
    reason : str

    Returns
    -------
    Record
        The assessment, as it is now.

    Raises
    ------
    InputError
        ``bad-state``: this stage cannot follow.
    ConflictError
        It was changed since it was read.
    DeniedError
        ``not-allowed``; ``own-review``: who reviewed it does not decide on the appeal.
    """
    with desk.work(writes=True) as work:
        found = _read_one(work, card_id, subject_id, lock=True)
        one = found.assessments[0]
        target = Target("scorecard", one.path, one.admin_code)
        work.allow(WAYS[stage], target, one.id)
        _check_way(one["state"], stage)
        if version is not None and version != one.version:
            text = f"{subject_id} is at version {one.version} now: it was changed since you read {version}."
            raise ConflictError(text, wanted=dict(content), current=one)
        said = {record["stage"]: record for record in found.statements}
        if stage == "final" and "appeal" in said and said["review"].updated_by == work.person.user_id:
            raise DeniedError("Who reviewed it does not decide on the appeal against it.", "own-review")
        right = (WAYS[stage], target)
        values = {"content": {**content, "by": work.organisation}, "said_at": work.at}
        if stage in said:
            old = said[stage]
            change_record(work, "statement", old.id, old.version, values, reason, right)
        else:
            values |= {"assessment": one.id, "stage": stage}
            add_record(
                work, "statement", values, organisation=one.organisation, admin_code=one.admin_code,
                record_id=_within(one.id, stage), reason=reason, right=right,
            )  # fmt: skip
        return _reach(work, one, stage, right, reason)


def _check_way(state: str, stage: str) -> None:
    """Refuse a stage that cannot follow."""
    ways = {(old, new) for (kind, old, new) in state_changes() if kind == "assessment"}
    if (state, stage) in ways or (state == stage and stage != "final"):
        return
    onward = ", ".join(new for old, new in sorted(ways) if old == state) or "nothing more"
    text = f"An assessment that has reached {state} cannot go to {stage}."
    raise InputError([Problem("bad-state", text, column="stage", expected=onward)])


def _reach(work: Work, one: Record, stage: str, right: tuple[str, Target], reason: str) -> Record:
    """Write the stage; what is said anew is a new version as well, so that nobody decides on an older one."""
    if one["state"] != stage:
        return change_record(work, "assessment", one.id, one.version, {"state": stage}, reason, right)
    data = dict(one["data"])
    data["said_again"] = int(data.get("said_again", 0)) + 1
    return change_record(work, "assessment", one.id, one.version, {"data": data}, reason, right)


def _department(work: Work, card: Record, department: str) -> None:
    """Refuse a department that the card has not, or that is not the person's own."""
    one = card["departments"].get(department)
    if one is None or one["organisation"] != work.organisation:
        own = [name for name, it in card["departments"].items() if it["organisation"] == work.organisation]
        text = f"{department} is no department of the card that is your organisation."
        raise DeniedError(f"{text} Yours: {', '.join(own) or 'none'}.", "not-own-department")


def own_marks(desk: Desk, card_id: str, department: str) -> CardRecords:
    """Return a card with the marks of one's own department, also while they are blind."""
    with desk.work(writes=False, snapshot=True) as work:
        found = _read_card(work, card_id)
        _department(work, found.scorecard, department)
        return _with_own(work, found, department)


def _with_own(work: Work, found: CardRecords, department: str) -> CardRecords:
    table = registers["mark"]
    rule = sa.and_(table.c.scorecard == found.scorecard.id, table.c.department == department)
    own = _all(work, "mark", sa.and_(rule, table.c.organisation == work.organisation))
    return CardRecords(found.scorecard, found.assessments, found.statements, own)


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
        there = {record["assessment"]: record for record in found.marks}
        by_subject = {one["subject_id"]: one for one in found.assessments}
        unknown = [name for name in marks if name not in by_subject]
        if unknown:
            problems = [Problem("unknown-subject", f"{name} is not on this card.") for name in unknown]
            raise InputError(problems)
        if check is not None:
            check(found, {"department": department, "marks": marks})
        for subject, points in marks.items():
            one = by_subject[subject]
            values = {"marks": [dict(point) for point in points], "marked_at": work.at}
            right = ("assess", Target("scorecard", one.path, one.admin_code))
            old = there.get(one.id)
            if old is None:
                more = {"scorecard": card_id, "assessment": one.id, "department": department}
                name = _within(one.id, "mark", department)
                add_record(work, "mark", values | more, record_id=name, right=right)
                continue
            version = (versions or {}).get(subject)
            if version is None:
                text = f"{subject} is marked already, at version {old.version}: say which version you read."
                raise ConflictError(text, wanted=values["marks"], current=old)
            change_record(work, "mark", old.id, version, values, right=right)
        return len(marks)


def _locked(work: Work, card_id: str, department: str) -> CardRecords:
    """Return the card with a department's own marks, for the department to go on with them, one at a time."""
    table = registers["scorecard"]
    work.connection.execute(sa.select(table.c.id).where(table.c.id == card_id).with_for_update())
    found = _read_card(work, card_id)
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
        targets = [Target("scorecard", one.path, one.admin_code) for one in found.assessments]
        able = next((target for target in targets if work.may("assess", target)), targets[0])
        work.allow("assess", able, card_id)
        if sets_none and found.marks:
            text = f"{department} sets none, but has marked {len(found.marks)}."
            raise InputError([Problem("mark-not-allowed", text, expected="marks, or none")])
        if check is not None:
            check(found, {"department": department, "sets_none": sets_none})
        values = {
            "scorecard": card_id, "department": department, "handed_in_at": work.at,
            "outcome": "sets_none" if sets_none else "handed_in",
        }  # fmt: skip
        name = _within(card_id, "hand_in", department)
        add_record(work, "hand_in", values, record_id=name, right=("assess", able))
        done = {record["department"] for record in _of_card(work, "hand_in", card_id)}
        if _waited(found.scorecard["departments"]) - done:
            return False
        card = found.scorecard
        shown: dict[str, datetime] = {"marks_shown_at": work.at}
        change_record(work, "scorecard", card_id, card.version, shown, right=("assess", able))
        return True


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
        found = _read_card(work, card_id)
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
                    record_id=_within("rectification", gap),
                    reason=reason,
                )  # fmt: skip
            )
        return tuple(made)
