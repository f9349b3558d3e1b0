"""One piece of work by one person: right, change and audit in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.errors import DeniedError
from changtong.rights.decide import Grant, Person, Role, Target, decide
from changtong.rights.scope import Scope
from changtong.storage import audit
from changtong.storage.engine import explained, reading, writing
from changtong.storage.rows import now
from changtong.storage.schema import grants, organisations, passes, users

Row = sa.RowMapping


@dataclass
class Work:
    """A transaction of one person.

    Attributes
    ----------
    connection : Connection
    at : datetime
        When it began: the same instant in all it writes.
    person : Person
    organisation : str
        Id of the person's organisation.
    entries : list of audit.Entry
        What will be put on record at the end.
    refused : audit.Entry or None
        What was not allowed.
    """

    connection: sa.Connection
    at: datetime
    person: Person
    organisation: str
    entries: list[audit.Entry] = field(default_factory=list)
    refused: audit.Entry | None = None

    def may(self, action: str, target: Target) -> bool:
        """Return whether the person may do it."""
        return decide(self.person, action, target, self.at).allowed

    def allow(self, action: str, target: Target, record: str = "") -> None:
        """Go on only if the person may do it.

        Raises
        ------
        DeniedError
            ``not-allowed``; it goes on record.
        """
        decision = decide(self.person, action, target, self.at)
        if decision.allowed:
            return
        self.refused = audit.Entry(
            self.at, self.person.user_id, f"refused:{action}", target.kind, record, target.path,
            target.admin_code, {"why": decision.why_not},
        )  # fmt: skip
        raise DeniedError(f"You have no right to {action} this {target.kind} ({decision.why_not}).")

    def may_see(self, kind: str, row: Mapping[Any, Any]) -> bool:
        """Return whether the person may see a stored row."""
        return self.may("view", Target(kind, row["path"], row["admin_code"]))

    @contextmanager
    def part(self) -> Iterator[None]:
        """Do a part of the work: where it fails, nothing of this part is written or on record."""
        begun = len(self.entries)
        try:
            with explained(), self.connection.begin_nested():
                yield
        except BaseException:
            del self.entries[begun:]
            raise

    def note(
        self,
        action: str,
        target: Target,
        record: str,
        detail: dict[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """Put something on record at the end of the transaction."""
        entry = audit.Entry(
            self.at, self.person.user_id, action, target.kind, record, target.path, target.admin_code,
            detail, reason,
        )  # fmt: skip
        self.entries.append(entry)


def token_hash(token: str) -> bytes:
    """Return what is kept of a token: it is long and random, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


@contextmanager
def work_of(
    engine: sa.Engine, token: str, *, writes: bool, any_password: bool = False, snapshot: bool = False
) -> Iterator[Work]:
    """Begin a person's work; end it with the audit's entries, or with nothing written at all.

    Parameters
    ----------
    engine : Engine
    token : str
        As sign-in, or the making of a token, gave it.
    writes : bool
    any_password : bool
        Whether a password that somebody else has set will do.
    snapshot : bool
        Whether several statements that read must see one state.

    Raises
    ------
    DeniedError
        ``session-over``, ``password-must-change``, ``not-allowed``.
    """
    work: Work | None = None
    try:
        with writing(engine) if writes else reading(engine, snapshot=snapshot) as connection:
            work = _begin(connection, token, any_password=any_password)
            yield work
            for entry in work.entries:
                audit.append(connection, entry)
    except DeniedError:
        if work is not None and work.refused is not None:
            with writing(engine) as connection:
                audit.append(connection, work.refused)
        raise


def _begin(connection: sa.Connection, token: str, *, any_password: bool) -> Work:
    at = now()
    rows = connection.execute(_PASS, {"hash": token_hash(token)}).mappings().all()
    found = rows[0] if rows else None
    over = found is None or found["revoked_at"] is not None or found["expires_at"] <= at
    if found is None or over or not found["is_active"]:
        raise DeniedError("The session or token is over, or there is none: sign in.", "session-over")
    if found["must_change"] and not any_password:
        raise DeniedError("Change your password first: somebody else has set it.", "password-must-change")
    person = Person(
        found["user"], found["path"], tuple(_grant(row) for row in rows if row["role"] is not None)
    )
    return Work(connection, at, person, found["organisation"])


_PASS = (
    sa.select(
        passes.c.user, passes.c.expires_at, passes.c.revoked_at, users.c.is_active, users.c.must_change,
        users.c.organisation, organisations.c.path, grants.c.role, grants.c.path.label("within"),
        grants.c.region, grants.c.until,
    )
    .join(users, users.c.id == passes.c.user)
    .join(organisations, organisations.c.id == users.c.organisation)
    .outerjoin(grants, sa.and_(grants.c.user == passes.c.user, grants.c.removed_at.is_(None)))
    .where(passes.c.hash == sa.bindparam("hash"))
    .order_by(grants.c.id)
)  # fmt: skip
"""Who holds a token and what was granted to them, in one question."""


def _grant(row: Row) -> Grant:
    return Grant(Role(row["role"]), Scope(row["within"], row["region"]), row["until"])
