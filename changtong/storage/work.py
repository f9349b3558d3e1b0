"""One piece of work by one person: right, change and audit in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from changtong.errors import DeniedError, InputError, UsageError
from changtong.rights.decide import Grant, Person, Role, Target, decide
from changtong.rights.organisations import AUTHORITIES
from changtong.rights.scope import Scope
from changtong.storage import audit
from changtong.storage.card_departments import named_for
from changtong.storage.definitions import HANDLERS, PARTIES
from changtong.storage.engine import explained, reading, writing
from changtong.storage.held_rows import HeldRows
from changtong.storage.rows import now
from changtong.storage.schema import grants, organisations, passes, settings, users

Row = sa.RowMapping

IDLE_MINUTES = 30
"""A session that nobody uses for so long is over, unless the registers' settings say otherwise."""

FACTOR_SETTING, ADMINISTRATORS, EVERYBODY = "second_factor_for", "administrators", "everybody"
"""Setting by which the role of an administrator rests until its holder has a second factor on: yes or no."""

SEEN_EVERY = timedelta(seconds=20)
"""A session's use is noted so often at most: not every look needs to be written."""


@dataclass(frozen=True)
class Pass:
    """What a session or token gives to who holds it.

    Attributes
    ----------
    id : str
    person : Person
    organisation : str
        Id of the person's organisation.
    is_session : bool
        A token, which a program holds, never is idle.
    expires_at, seen_at : datetime
    idle : timedelta
        A session left alone for so long is over.
    must_change : bool
        Whether somebody else has set the password.
    """

    id: str
    person: Person
    organisation: str
    is_session: bool
    expires_at: datetime
    seen_at: datetime
    idle: timedelta
    must_change: bool

    def lasts(self, at: datetime) -> bool:
        """Return whether it still holds at an instant."""
        return at < self.expires_at and not (self.is_session and at - self.seen_at >= self.idle)

    def is_unseen(self, at: datetime) -> bool:
        """Return whether its use was noted so long ago that it is to be noted again."""
        return self.is_session and at - self.seen_at >= SEEN_EVERY


@dataclass
class Work:
    """A transaction of one person.

    Attributes
    ----------
    connection : Connection
    at : datetime
        When it began: the same instant in all it writes.
    holds : Pass
        The session or token that is used.
    entries : list of audit.Entry
        What will be put on record at the end.
    refused : audit.Entry or None
        What was not allowed.
    held : HeldRows or None
        Where many records are worked on: their rows.
    """

    connection: sa.Connection
    at: datetime
    holds: Pass
    entries: list[audit.Entry] = field(default_factory=list)
    refused: audit.Entry | None = None
    held: HeldRows | None = None

    @property
    def person(self) -> Person:
        """Who works."""
        return self.holds.person

    @property
    def organisation(self) -> str:
        """Id of the person's organisation."""
        return self.holds.organisation

    @property
    def pass_id(self) -> str:
        """Id of the session or token that is used."""
        return self.holds.id

    def may(self, action: str, target: Target) -> bool:
        """Return whether the person may do it."""
        return decide(self.person, action, target, self.at).allowed

    def allow(self, action: str, target: Target, record: str = "", *, kind: str = "") -> None:
        """Go on only if the person may do it.

        Parameters
        ----------
        action : str
        target : Target
            What the right is decided by.
        record : str
            Which it is about.
        kind : str
            Of that record, where it is not the target's: a card's rights decide on those assessed by it.

        Raises
        ------
        DeniedError
            ``not-allowed``; it goes on record.
        """
        decision = decide(self.person, action, target, self.at)
        if decision.allowed:
            return
        self.refused = audit.Entry(
            self.at, self.person.user_id, f"refused:{action}", kind or target.kind, record, target.path,
            target.admin_code, {"why": decision.why_not},
        )  # fmt: skip
        text = f"You have no right to {action} this {kind or target.kind} ({decision.why_not})."
        raise DeniedError(text)

    def may_see(self, kind: str, row: Mapping[Any, Any]) -> bool:
        """Return whether the person may see a stored row: in scope, of a card that names them, or as a party.

        Files of what parties see are seen with it only, and never as such.
        """
        if kind == "attachment" and row["about_kind"] in PARTIES:
            return False
        target = target_of(kind, row)
        if self.may("view", target):
            return True
        named = named_for(self.connection, kind, row)
        return bool(named) and self.may("view", replace(target, named=named))

    @contextmanager
    def part(self) -> Iterator[None]:
        """Do a part of the work: where it fails, nothing of this part is written or on record."""
        begun = len(self.entries)
        try:
            if self.held is not None:  # what the database refuses is not of this part alone
                with self.held.part():
                    yield
            else:
                with explained(), self.connection.begin_nested():
                    yield
        except BaseException:
            del self.entries[begun:]
            raise

    @contextmanager
    def holding(self) -> Iterator[HeldRows]:
        """Hold the rows of many records: they are read together, and written together at the end.

        Rights, checks and entries of the audit are those of each record. Within it records are found, added
        and changed by `records` as ever, but pages and whole registers do not show yet what was changed. Do
        it within `part`: then all is written, or nothing.
        """
        self.held = HeldRows(self.connection)
        try:
            yield self.held
            self.held.write()
        finally:
            self.held = None

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


def target_of(kind: str, row: Mapping[Any, Any]) -> Target:
    """Return what rights to a stored row are decided by, with the users it is about.

    Parameters
    ----------
    kind : str
    row : mapping
    """
    parties = frozenset(row[name] for name in PARTIES.get(kind, ()) if row[name])
    if kind not in HANDLERS:
        return Target(kind, row["path"], row["admin_code"], parties=parties)
    handler, firm = (row[name] for name in HANDLERS[kind])
    handlers = frozenset([handler] if handler else [])
    return Target(kind, row["path"], row["admin_code"], parties=parties, handlers=handlers, firm=firm)


def second_of(work: Work, token: str) -> Work:
    """Return the work of a second person within the same transaction: what two must agree to.

    Raises
    ------
    DeniedError
        ``session-over``, ``password-must-change``, ``second-person-needed``: it is the same person.
    """
    second, _ = _begin(work.connection, token, any_password=False)
    if second.person.user_id == work.person.user_id:
        raise DeniedError("Two different persons must agree to this.", "second-person-needed")
    return second


def check_reason(reason: str, why: str) -> None:
    """Refuse a reason that says nothing.

    Parameters
    ----------
    reason : str
    why : str
        What it has to tell, as in "Say why …".

    Raises
    ------
    UsageError
        ``reason-missing``.
    """
    if not reason.strip():
        raise UsageError(f"Say why {why}: it goes on record.", "reason-missing")


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
            work, unseen = _begin(connection, token, any_password=any_password)
            if writes and unseen:
                _see(connection, work)
            yield work
            if work.entries:
                audit.append(connection, *work.entries)
        if unseen and not writes:
            # it only makes the session last: what was read is not taken back because others are writing
            with suppress(UsageError), writing(engine) as connection:
                _see(connection, work)
    except (DeniedError, InputError):  # a file has rows that are refused beside others that are wrong
        if work is not None and work.refused is not None:
            with writing(engine) as connection:
                audit.append(connection, work.refused)
        raise


def _begin(connection: sa.Connection, token: str, *, any_password: bool) -> tuple[Work, bool]:
    """Return the work, and whether its session has not been seen for so long that it is to be noted."""
    at = now()
    holds = _read_pass(connection, token)
    if holds is None or not holds.lasts(at):
        raise DeniedError("The session or token is over, or there is none: sign in.", "session-over")
    if holds.must_change and not any_password:
        raise DeniedError("Change your password first: somebody else has set it.", "password-must-change")
    return Work(connection, at, holds), holds.is_unseen(at)


def _read_pass(connection: sa.Connection, token: str) -> Pass | None:
    """Return what a token gives, as the registers have it now; nothing where it gives nothing any more."""
    rows = connection.execute(_PASS, {"hash": token_hash(token)}).mappings().all()
    if not rows or rows[0]["revoked_at"] is not None or not rows[0]["is_active"]:
        return None
    found = rows[0]
    person = Person(
        found["user"], found["path"], tuple(_grant(row) for row in rows if _counts(row)),
        admin_code=found["admin_code"], is_authority=found["of_kind"] in AUTHORITIES,
    )  # fmt: skip
    idle = timedelta(minutes=int(found["idle_minutes"] or IDLE_MINUTES))
    return Pass(
        found["pass_id"], person, found["organisation"], found["pass_kind"] == "session", found["expires_at"],
        found["seen_at"], idle, bool(found["must_change"]),
    )  # fmt: skip


def _counts(row: Row) -> bool:
    """Return whether a row holds a role that does not rest for want of a second factor."""
    if row["role"] is None or row["totp_is_on"]:
        return row["role"] is not None
    is_asked = row["needs_factor"] == EVERYBODY and row["pass_kind"] == "session"
    is_wanting = row["needs_factor"] in (ADMINISTRATORS, EVERYBODY) and row["role"] == Role.administrator
    return not (is_asked or is_wanting)


def _see(connection: sa.Connection, work: Work) -> None:
    connection.execute(passes.update().where(passes.c.id == work.pass_id).values(seen_at=work.at))


_PASS = (
    sa.select(
        passes.c.id.label("pass_id"), passes.c.kind.label("pass_kind"), passes.c.user, passes.c.expires_at,
        sa.func.coalesce(passes.c.seen_at, passes.c.made_at).label("seen_at"),
        sa.select(settings.c.value).where(settings.c.name == "idle_minutes").scalar_subquery()
        .label("idle_minutes"),
        sa.select(settings.c.value).where(settings.c.name == FACTOR_SETTING).scalar_subquery()
        .label("needs_factor"),
        passes.c.revoked_at, users.c.is_active, users.c.must_change, users.c.totp_is_on,
        users.c.organisation, organisations.c.path, organisations.c.admin_code,
        organisations.c.kind.label("of_kind"), grants.c.role, grants.c.path.label("within"),
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
