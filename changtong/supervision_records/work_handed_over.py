"""The open work of one person, who leaves or moves, handed to another: what can be; what stays, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from changtong.errors import DeniedError, InputError, Problem, UsageError
from changtong.safety.hazard import HazardEvent
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.storage.records import change_record
from changtong.storage.schema import registers
from changtong.storage.store import Desk
from changtong.storage.user_names import Named, users_by_name
from changtong.storage.work import Work, check_reason
from changtong.supervision_records.hazard_register import take_actions_within

MOVES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "hazard": ("owner", ("open", "rectifying", "reopened")),
        "task": ("owner", ("open", "under_way", "done")),
        "rectification": ("owner", ("open", "under_way", "done", "refused")),
        "inspection": ("inspector", ("planned", "under_way")),
    }
)
"""Register -> the column of who works on a record, and states in which there is still work."""

STAYS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "rights_ticket": (
            "handler",
            ("received", "accepted", "transferred", "mediated", "settled", "reopened"),
        )
    }
)
"""The same, of records that are handed over another way: the office names who answers a ticket."""

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class WorkHandedOver:
    """What was, or would be, handed over.

    Attributes
    ----------
    moved : tuple of (kind, id)
    stays : tuple of (kind, id, code)
        ``not-allowed``, ``kept-by-ledger``, ``own-way``, ``bad-state`` …: why it stays.
    """

    moved: tuple[tuple[str, str], ...]
    stays: tuple[tuple[str, str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "moved": [{"kind": kind, "record": name} for kind, name in self.moved],
            "stays": [{"kind": kind, "record": name, "code": code} for kind, name, code in self.stays],
        }

    def __str__(self) -> str:
        lines = [f"{len(self.moved):,} records handed over, {len(self.stays):,} stay"]
        return "\n".join([*lines, *(f"  {kind} {name}: {code}" for kind, name, code in self.stays)])


class _TriedError(Exception):
    def __init__(self, made: WorkHandedOver) -> None:
        super().__init__()
        self.made = made


def hand_over_work(
    desk: Desk, giver: str, taker: str, reason: str, *, dry_run: bool = False
) -> WorkHandedOver:
    """Hand the open work of one person to another: hazards, tasks, rectifications, planned inspections.

    All that can be moves in one transaction, each record by its own right and its ledger's rules; the rest is
    listed. What was done stays with who did it.

    Parameters
    ----------
    desk : Desk
        Of who hands over; it need not be either of the two.
    giver, taker : str
        Names of users.
    reason : str
        Kept in the audit; without names of persons.
    dry_run : bool
        Only tell.

    Raises
    ------
    InputError
        ``unknown-reference``: no such user that one may see; ``bad-value``: both are the same.
    UsageError
        ``reason-missing``.
    """
    if not dry_run:
        check_reason(reason, "the work is handed over")
    try:
        with desk.work(writes=True) as work:
            old, new = _both(work, giver, taker)
            made = _handed_over(work, old, new, reason)
            if dry_run:
                raise _TriedError(made)
            return made
    except _TriedError as tried:
        return tried.made


def _both(work: Work, giver: str, taker: str) -> tuple[Named, Named]:
    named = {name: one for name, one in users_by_name(work, [giver, taker]).items() if one.is_shown}
    problems = [
        Problem("unknown-reference", "There is no user of this name that you may see.", column=column)
        for column, name in (("giver", giver), ("taker", taker))
        if name not in named
    ]
    if giver == taker:
        problems.append(
            Problem("bad-value", "Both are the same person.", column="taker", expected="another user")
        )
    if problems:
        raise InputError(problems)
    return named[giver], named[taker]


def _handed_over(work: Work, old: Named, new: Named, reason: str) -> WorkHandedOver:
    moved, stays = [], []
    for kind, row in _open_work(work, MOVES, old.id):
        try:
            with work.part():
                _move(work, kind, row, new, reason)
            moved.append((kind, str(row["id"])))
        except DeniedError as error:
            stays.append((kind, str(row["id"]), error.code))
        except InputError as error:
            stays.append((kind, str(row["id"]), error.problems[0].code))
        except UsageError as error:
            stays.append((kind, str(row["id"]), error.code))
    stays += [(kind, str(row["id"]), "own-way") for kind, row in _open_work(work, STAYS, old.id)]
    return WorkHandedOver(tuple(moved), tuple(stays))


def _open_work(
    work: Work, kinds: Mapping[str, tuple[str, tuple[str, ...]]], user: str
) -> Iterator[tuple[str, Row]]:
    """Return the open records of a user that the person may see, in order of their ids."""
    for kind, (column, states) in kinds.items():
        table = registers[kind]
        chosen = sa.select(table).where(table.c[column] == user, table.c.state.in_(states))
        rows = work.connection.execute(chosen.order_by(table.c.id)).mappings().all()
        yield from ((kind, row) for row in rows if work.may_see(kind, row))


def _move(work: Work, kind: str, row: Row, new: Named, reason: str) -> None:
    if kind == "hazard" and row["events"] is not None:
        event = HazardEvent(row["id"], work.at, "assign", "", text=reason.strip(), owner=new.name)
        take_actions_within(work, [event], read_hazard_rules())
        return
    change_record(work, kind, row["id"], row["version"], {MOVES[kind][0]: new.id}, reason)
