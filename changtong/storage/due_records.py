"""Which records are due by rule, and which of them something holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.storage.definitions import HOLDING_STATES, register_columns, state_column
from changtong.storage.erasure_rules import ErasureRule
from changtong.storage.schema import holds, registers

Key = tuple[str, str]
"""Register and id of a record."""

HOLD, OPEN, REFERRED = "hold", "open_record", "referred_to"
"""Why a record that is due stays: a legal hold, an open one (`HOLDING_STATES`), one that stays needs it."""

AT_ONCE = 500


@dataclass(frozen=True)
class Due:
    """What is due at an instant.

    Attributes
    ----------
    records : tuple of Key
        To be erased; attachments of erased records among them.
    held : mapping
        Register -> why -> how many that are due by time and state stay.
    undated : mapping
        Register -> how many have no instant to count from: they stay.
    """

    records: tuple[Key, ...]
    held: Mapping[str, Mapping[str, int]]
    undated: Mapping[str, int]

    def counts(self) -> dict[str, int]:
        """Return how many records of each register are to be erased."""
        return dict(Counter(kind for kind, _ in self.records))


def find_due(connection: sa.Connection, rules: Mapping[str, ErasureRule], at: datetime) -> Due:
    """Find what is due, within one transaction.

    A record stays that has a legal hold or is an open hazard; with it stays what it refers to, what refers to
    it, and the attachments of all these. A record stays that one refers to which stays. With a record go its
    attachments, and one of them that is held holds the record.

    Parameters
    ----------
    connection : Connection
    rules : mapping
    at : datetime

    Raises
    ------
    UsageError
        ``open-period``.
    """
    due: set[Key] = set()
    undated: dict[str, int] = {}
    for kind, rule in rules.items():
        ids, undated[kind] = _due_by_time(connection, rule, at)
        due |= {(kind, one) for one in ids}
    due |= {attachment for attachment, about in _attachments(connection) if about in due}
    links = [link for link in _links(connection) if link[0] in due or link[1] in due]
    files = [link for link in _attachments(connection) if link[0] in due or link[1] in due]
    why = _held(connection, due, links, files)
    _keep_referred_to(due, why, links, files)
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for (kind, _), reason in why.items():
        held[kind][reason] += 1
    gone = tuple(sorted(due - why.keys()))
    return Due(gone, {kind: dict(reasons) for kind, reasons in sorted(held.items())}, undated)


def _due_by_time(connection: sa.Connection, rule: ErasureRule, at: datetime) -> tuple[list[str], int]:
    table = registers[rule.register]
    since = table.c[rule.since]
    chosen = sa.select(table.c.id).where(since < rule.retention.due_before(at))
    undated = sa.select(sa.func.count()).select_from(table).where(since.is_(None))
    if rule.states:
        done = table.c[state_column(rule.register)].in_(rule.states)
        chosen, undated = chosen.where(done), undated.where(done)
    return list(connection.execute(chosen).scalars()), int(connection.execute(undated).scalar_one())


def _attachments(connection: sa.Connection) -> Iterator[tuple[Key, Key]]:
    """Return each attachment with the record it is about."""
    table = registers["attachment"]
    chosen = sa.select(table.c.id, table.c.about_kind, table.c.about)
    for one, kind, about in connection.execute(chosen):
        yield ("attachment", one), (kind, about)


def _links(connection: sa.Connection) -> Iterator[tuple[Key, Key]]:
    """Return each record with each record it refers to, by a column or as its evidence."""
    for kind, table in registers.items():
        for name, column in register_columns(kind).items():
            if column.references in registers:
                chosen = sa.select(table.c.id, table.c[name]).where(table.c[name].is_not(None))
                for one, other in connection.execute(chosen):
                    yield (kind, one), (column.references, other)
            elif name == "evidence":
                chosen = sa.select(table.c.id, table.c[name]).where(table.c[name].is_not(None))
                for one, evidence in connection.execute(chosen):
                    for other in _texts(evidence):
                        yield (kind, one), ("attachment", other)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _held(
    connection: sa.Connection,
    due: set[Key],
    links: Iterable[tuple[Key, Key]],
    files: Iterable[tuple[Key, Key]],
) -> dict[Key, str]:
    """Return what a hold or an open record holds, of what is due, and why."""
    in_force = sa.select(holds.c.kind, holds.c.record).where(holds.c.lifted_at.is_(None))
    holders: dict[Key, str] = {}
    for kind, states in HOLDING_STATES.items():
        table = registers[kind]
        chosen = sa.select(table.c.id).where(table.c[state_column(kind)].in_(states))
        holders |= {(kind, one): OPEN for one in connection.execute(chosen).scalars()}
    holders |= dict.fromkeys(((kind, one) for kind, one in connection.execute(in_force)), HOLD)
    why = {key: reason for key, reason in holders.items() if key in due}
    for one, other in (*links, *files):
        for holder, beside in ((one, other), (other, one)):
            if holder in holders and beside in due:
                why.setdefault(beside, holders[holder])
    return why


def _keep_referred_to(
    due: set[Key], why: dict[Key, str], links: Iterable[tuple[Key, Key]], files: Iterable[tuple[Key, Key]]
) -> None:
    """Let stay what something that stays needs, until nothing more is found."""
    # a record and its attachments go together; an attachment that is due on its own goes without its record
    needs: dict[Key, set[Key]] = defaultdict(set)
    for one, other in links:
        if other in due:
            needs[one].add(other)
    for attachment, about in files:
        if about in due:
            needs[about].add(attachment)
            needs[attachment].add(about)
    waiting = [key for key in needs if key not in due or key in why]
    while waiting:
        for other in needs[waiting.pop()]:
            if other not in why:
                why[other] = REFERRED
                waiting.append(other)
