"""Organisations, users and their roles: kept by administrators, each within their own scope."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyotp
import sqlalchemy as sa

from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError, Problem, UsageError
from changtong.rights.decide import Role, Target, rights_table
from changtong.rights.organisations import MOST_LEVELS, PARENTS, may_hold, may_stand_below
from changtong.rights.scope import Scope
from changtong.storage.passwords import check_password, fits, hash_password
from changtong.storage.rows import check_admin_code, check_id, digest_of, new_id, new_salt
from changtong.storage.safety_settings import is_resting
from changtong.storage.schema import (
    grants,
    organisations,
    passes,
    recovery_codes,
    settings,
    to_ms,
    users,
)
from changtong.storage.sign_in import Session, login_name, make_pass, matching_step
from changtong.storage.work import IDLE_MINUTES, Work, token_hash

MOST_TOKEN = timedelta(days=366)
RECOVERY_CODES = 10
MOST_IDLE_MINUTES = 720
_HIERARCHY = 0x6869657261726368  # any number of our own


@dataclass(frozen=True)
class NewOrganisation:
    """An organisation to be added.

    Attributes
    ----------
    name_zh, kind, admin_code : str
        Kinds: nation, province, city, county; headquarters, branch, franchise, outlet.
    parent : str or None
        Id of the one above; None: the topmost of its tree.
    name_en, department : str
        ``department``: for example postal, police, transport.
    id : str
        Made where it is empty.
    """

    name_zh: str
    kind: str
    admin_code: str
    parent: str | None = None
    name_en: str = ""
    department: str = ""
    id: str = ""


@dataclass(frozen=True)
class User:
    """A user, without secrets.

    Attributes
    ----------
    id, name, organisation : str
    is_active, second_factor : bool
    version : int
    """

    id: str
    name: str
    organisation: str
    is_active: bool
    second_factor: bool
    version: int


@dataclass(frozen=True)
class SecondFactor:
    """What the user's authenticator needs, told once: secret, address for a QR code, recovery codes."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    recovery: tuple[str, ...] = field(repr=False)


def organisation_row(
    new: NewOrganisation, parent: Mapping[Any, Any] | None, at: datetime, by: str
) -> dict[str, Any]:
    """Return the row of a new organisation.

    Raises
    ------
    InputError
        ``bad-organisation``, ``bad-value``.
    """
    if new.kind not in PARENTS:
        raise _bad_organisation(f"There is no kind {new.kind!r}.", ", ".join(PARENTS))
    if not may_stand_below(new.kind, None if parent is None else parent["kind"]):
        above = "at the top" if parent is None else f"below a {parent['kind']}"
        raise _bad_organisation(
            f"A {new.kind} cannot stand {above}.", ", ".join(PARENTS[new.kind]) or "the top"
        )
    if not new.name_zh.strip():
        raise InputError([Problem("missing-value", "An organisation needs a name.", column="name_zh")])
    made = check_id(new.id or new_id(to_ms(at)), "organisation")
    path = f"{'/' if parent is None else parent['path']}{made}/"
    if path.count("/") - 1 > MOST_LEVELS:
        raise _bad_organisation("The hierarchy is too deep.", f"{MOST_LEVELS} levels at most")
    return {
        "id": made, "parent": new.parent, "kind": new.kind, "department": new.department or None,
        "name_zh": new.name_zh.strip(), "name_en": new.name_en.strip() or None,
        "admin_code": check_admin_code(new.admin_code), "path": path, "version": 1, "created_at": at,
        "created_by": by, "updated_at": at, "updated_by": by, "salt": new_salt(),
    }  # fmt: skip


def _bad_organisation(text: str, expected: str) -> InputError:
    return InputError([Problem("bad-organisation", text, column="kind", expected=expected)])


def add_organisation(work: Work, new: NewOrganisation) -> str:
    """Add an organisation below another; return its id."""
    lock_hierarchy(work.connection)
    parent = None if new.parent is None else organisation_of(work, new.parent)
    row = organisation_row(new, parent, work.at, work.person.user_id)
    target = Target("organisation", row["path"], row["admin_code"])
    work.allow("add", target, row["id"])
    there = sa.select(organisations.c.id).where(organisations.c.id == row["id"])
    if work.connection.execute(there).first() is not None:
        raise InputError(
            [Problem("duplicate-record", "There is an organisation with this id already.", column="id")]
        )
    work.connection.execute(organisations.insert(), row)
    detail = {"kind": new.kind, "parent": new.parent, "version": 1, "digest": digest_of(row)}
    work.note("add", target, row["id"], detail)
    return str(row["id"])


def lock_hierarchy(connection: sa.Connection) -> None:
    """Let changes of the hierarchy follow one another until their transactions end.

    SQLite has one writer at a time anyway. Two who each move one organisation below the other's would make a
    circle otherwise.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_HIERARCHY)))


def organisation_of(work: Work, organisation: str) -> Mapping[Any, Any]:
    """Return the row of an organisation that the person may see."""
    row = _organisation(work.connection, organisation)
    own = row is not None and work.person.path.startswith(row["path"])
    if row is None or not (own or work.may("view", Target("organisation", row["path"], row["admin_code"]))):
        raise NotFoundError("There is no organisation with this id that you may see.")
    return row


def topmost_of(work: Work) -> Mapping[Any, Any]:
    """Return the row of the topmost organisation of the person's own tree."""
    root = f"/{work.person.path.split('/')[1]}/"
    chosen = sa.select(organisations).where(organisations.c.path == root)
    return work.connection.execute(chosen).mappings().one()


def list_organisations(work: Work, parent: str | None) -> list[dict[str, Any]]:
    """Return the organisations directly below one, or (None) the topmost, that the person may see."""
    chosen = sa.select(organisations).where(organisations.c.parent == parent).order_by(organisations.c.id)
    shown = ("id", "parent", "kind", "department", "name_zh", "name_en", "admin_code", "path", "version")
    return [
        {name: row[name] for name in shown}
        for row in work.connection.execute(chosen).mappings()
        if work.person.path.startswith(row["path"])
        or work.may("view", Target("organisation", row["path"], row["admin_code"]))
    ]


def _organisation(connection: sa.Connection, organisation: str) -> Mapping[Any, Any] | None:
    chosen = sa.select(organisations).where(organisations.c.id == organisation)
    return connection.execute(chosen).mappings().first()


def user_row(
    name: str,
    password: str,
    organisation: str,
    at: datetime,
    by: str,
    *,
    must_change: bool,
    places: Iterable[str | None] = (),
) -> dict[str, Any]:
    """Return the row of a new user.

    Raises
    ------
    InputError
        ``weak-password``, ``bad-value``.
    """
    wanted = login_name(name)
    if not 1 <= len(wanted) <= 64 or not wanted.isprintable() or any(sign.isspace() for sign in wanted):
        raise InputError(
            [Problem("bad-value", "The name is none.", column="name", expected="1 to 64 signs, no spaces")]
        )
    check_password(password, wanted, places)
    return {
        "id": new_id(to_ms(at)), "name": wanted, "organisation": organisation, "is_active": True,
        "password_hash": hash_password(password), "password_at": at, "must_change": must_change,
        "totp_secret": None, "totp_is_on": False, "totp_step": 0, "version": 1, "created_at": at,
        "created_by": by, "updated_at": at, "updated_by": by, "salt": new_salt(),
    }  # fmt: skip


def add_user(work: Work, name: str, password: str, organisation: str) -> User:
    """Add a user; who it is changes the password at the first sign-in.

    Raises
    ------
    InputError
        ``weak-password``, ``duplicate-record``.
    """
    place = organisation_of(work, organisation)
    target = Target("user", place["path"], place["admin_code"])
    work.allow("add", target)
    row = user_row(
        name, password, organisation, work.at, work.person.user_id, must_change=True,
        places=_names_of(work, organisation),
    )  # fmt: skip
    if work.connection.execute(sa.select(users.c.id).where(users.c.name == row["name"])).first() is not None:
        raise InputError(
            [Problem("duplicate-record", "There is a user of this name already.", column="name")]
        )
    work.connection.execute(users.insert(), row)
    work.note("add", target, row["id"], {"organisation": organisation})
    return _user(row)


def _user(row: Mapping[Any, Any]) -> User:
    return User(
        row["id"], row["name"], row["organisation"], row["is_active"], row["totp_is_on"], row["version"]
    )


def _names_of(work: Work, organisation: str) -> tuple[str | None, ...]:
    """Return what an organisation is called: no password is made of that."""
    row = _organisation(work.connection, organisation)
    return () if row is None else (row["name_zh"], row["name_en"])


def _user_row(work: Work, name: str, action: str, kind: str = "user") -> tuple[Mapping[Any, Any], Target]:
    """Return a user's row, and what rights on it are decided by."""
    chosen = (
        sa.select(
            users, organisations.c.path, organisations.c.admin_code, organisations.c.kind.label("of_kind")
        )
        .join(organisations, organisations.c.id == users.c.organisation)
        .where(users.c.name == login_name(name))
    )
    row = work.connection.execute(chosen).mappings().first()
    if row is None or not work.may("view", Target("user", row["path"], row["admin_code"])):
        raise NotFoundError("There is no user of this name that you may see.")
    target = Target(kind, row["path"], row["admin_code"])
    work.allow(action, target, row["id"])
    return row, target


def list_users(work: Work) -> tuple[User, ...]:
    """Return the users that the person may see, by name."""
    chosen = (
        sa.select(users, organisations.c.path, organisations.c.admin_code)
        .join(organisations, organisations.c.id == users.c.organisation)
        .order_by(users.c.name)
    )
    work.allow("view", Target("user", work.person.path, _own_code(work)))
    rows = work.connection.execute(chosen).mappings()
    return tuple(
        _user(row) for row in rows if work.may("view", Target("user", row["path"], row["admin_code"]))
    )


def _own_code(work: Work) -> str:
    row = _organisation(work.connection, work.organisation)
    return "" if row is None else str(row["admin_code"])


def change_user(
    work: Work, name: str, version: int, *, is_active: bool | None = None, password: str | None = None,
    clear_second_factor: bool = False,
) -> User:  # fmt: skip
    """Shut a user out or in, set a new password, or take the second factor off; sessions and tokens end.

    Raises
    ------
    ConflictError
        The user was changed since.
    """
    row, target = _user_row(work, name, "change")
    if row["version"] != version:
        raise ConflictError("This user was changed since you read it.", {"version": version}, _user(row))
    values: dict[str, Any] = {
        "version": version + 1,
        "updated_at": work.at,
        "updated_by": work.person.user_id,
    }
    if is_active is not None:
        values["is_active"] = is_active
    if password is not None:
        check_password(password, row["name"], _names_of(work, row["organisation"]))
        values |= {"password_hash": hash_password(password), "password_at": work.at, "must_change": True}
    if clear_second_factor:
        values |= {"totp_secret": None, "totp_is_on": False, "totp_step": 0}
        work.connection.execute(recovery_codes.delete().where(recovery_codes.c.user == row["id"]))
    same = (users.c.id == row["id"], users.c.version == version)
    if work.connection.execute(users.update().where(*same).values(**values)).rowcount != 1:
        raise ConflictError(
            "This user was changed by someone else just now.", {"version": version}, _user(row)
        )
    _end_passes(work, row["id"])
    changes = {"is_active": is_active, "password": password is not None, "second_factor": clear_second_factor}
    work.note("change", target, row["id"], {"version": version + 1, **changes})
    return _user({**row, **values})


def _end_passes(work: Work, user_id: str, *, but: str = "") -> None:
    of_user = (passes.c.user == user_id, passes.c.revoked_at.is_(None), passes.c.id != but)
    work.connection.execute(passes.update().where(*of_user).values(revoked_at=work.at))


def give(
    work: Work, name: str, role: str, scope: Scope, until: datetime | None = None, reason: str = ""
) -> str:
    """Give a user a role with a scope; return the grant's id.

    A scope lies within that of the administrator who gives it, and within what the user's organisation
    can have at all: a firm's people see their firm, an authority's people its region.

    Raises
    ------
    UsageError
        ``unknown-role``.
    DeniedError
        ``bad-scope``, ``not-allowed``.
    """
    if role not in Role.__members__:
        raise UsageError(f"There is no role {role!r}; there are {', '.join(Role)}.", "unknown-role")
    if until is not None and (until.tzinfo is None or until <= work.at):
        raise UsageError("A role ends at an instant with a zone, and not in the past.")
    if scope.region:
        check_admin_code(scope.region)
    row, target = _user_row(work, name, "add", "grant")
    within = any(
        grant.scope.includes(scope)
        for grant in work.person.grants
        if grant.holds(work.at) and ("grant", "add", grant.role) in rights_table()
    )
    if not within or not may_hold(row["of_kind"], row["path"], row["admin_code"], scope):
        raise DeniedError(
            "Nobody gives a scope beyond their own, nor beyond the user's organisation.", "bad-scope"
        )
    made = new_id(to_ms(work.at))
    values = {
        "id": made, "user": row["id"], "role": role, "path": scope.path, "region": scope.region,
        "until": until,
        "given_at": work.at, "given_by": work.person.user_id,
    }  # fmt: skip
    work.connection.execute(grants.insert(), values)
    detail = {"user": row["id"], "role": role, "path": scope.path, "region": scope.region}
    detail["until"] = None if until is None else str(to_ms(until))
    work.note("add", target, made, detail, reason)
    return made


def take_back(work: Work, grant_id: str, reason: str = "") -> None:
    """Take a role back: it ends at once."""
    chosen = (
        sa.select(grants, users.c.name)
        .join(users, users.c.id == grants.c.user)
        .where(grants.c.id == grant_id, grants.c.removed_at.is_(None))
    )
    row = work.connection.execute(chosen).mappings().first()
    if row is None:
        raise NotFoundError("There is no grant with this id.")
    _, target = _user_row(work, row["name"], "remove", "grant")
    values = {"removed_at": work.at, "removed_by": work.person.user_id}
    work.connection.execute(grants.update().where(grants.c.id == grant_id).values(**values))
    work.note("remove", target, grant_id, {"user": row["user"], "role": row["role"]}, reason)


def list_grants(work: Work, name: str) -> list[dict[str, Any]]:
    """Return a user's roles, with their ids, scopes and ends."""
    row, _ = _user_row(work, name, "view", "grant")
    chosen = (
        sa.select(grants)
        .where(grants.c.user == row["id"], grants.c.removed_at.is_(None))
        .order_by(grants.c.id)
    )
    return [
        {key: found[key] for key in ("id", "role", "path", "region", "until")}
        for found in work.connection.execute(chosen).mappings()
    ]


def _own(work: Work) -> tuple[Mapping[Any, Any], Target]:
    chosen = (
        sa.select(users, organisations.c.path, organisations.c.admin_code)
        .join(organisations, organisations.c.id == users.c.organisation)
        .where(users.c.id == work.person.user_id)
        .with_for_update()
    )
    row = work.connection.execute(chosen).mappings().one()
    return row, Target("user", row["path"], row["admin_code"])


def check_own_password(work: Work, password: str) -> tuple[Any, Any]:
    """Go on only if this is one's own password; return one's row and what rights to it are decided by.

    Raises
    ------
    DeniedError
        ``sign-in-failed``.
    """
    row, target = _own(work)
    if not fits(row["password_hash"], password):
        raise DeniedError("The password is wrong.", "sign-in-failed")
    return row, target


def change_own_password(work: Work, old: str, new: str) -> None:
    """Change one's own password; all sessions and tokens end, but for the one it is changed in.

    Raises
    ------
    DeniedError
        ``sign-in-failed``: the old one is wrong.
    InputError
        ``weak-password``.
    """
    row, target = check_own_password(work, old)
    check_password(new, row["name"], _names_of(work, row["organisation"]))
    if new == old:
        raise InputError([Problem("weak-password", "The new password is the old one.", column="password")])
    values = {"password_hash": hash_password(new), "password_at": work.at, "must_change": False}
    work.connection.execute(users.update().where(users.c.id == row["id"]).values(**values))
    _end_passes(work, row["id"], but=work.pass_id)
    work.note("change", target, row["id"], {"password": True})


def make_token(work: Work, label: str, lasts: timedelta) -> Session:
    """Make a token for a program that works as this user; told once.

    Raises
    ------
    DeniedError
        ``not-allowed``: roles of the user's rest for want of a second factor, and a token would go round it.
    UsageError
    """
    if is_resting(work):
        raise DeniedError("Your roles rest without a second factor: turn it on, then make a token.")
    if not timedelta(0) < lasts <= MOST_TOKEN:
        raise UsageError("A token lasts up to 366 days.")
    session, row = make_pass(work.person.user_id, "token", label, lasts)
    work.connection.execute(passes.insert(), row)
    _, target = _own(work)
    work.note("token", target, work.person.user_id, {"pass": row["id"]})
    return session


def end_pass(work: Work, token: str) -> None:
    """End one of one's own sessions or tokens."""
    of_user = (passes.c.user == work.person.user_id, passes.c.hash == token_hash(token))
    work.connection.execute(
        passes.update().where(*of_user, passes.c.revoked_at.is_(None)).values(revoked_at=work.at)
    )
    _, target = _own(work)
    work.note("sign-out", target, work.person.user_id)


def list_passes(work: Work) -> list[dict[str, Any]]:
    """Return one's own sessions and tokens that are in force, the oldest first, without what opens them."""
    mine = (
        passes.c.user == work.person.user_id,
        passes.c.revoked_at.is_(None),
        passes.c.expires_at > work.at,
    )
    chosen = sa.select(passes).where(*mine).order_by(passes.c.made_at, passes.c.id)
    shown = ("id", "kind", "label", "made_at", "expires_at", "seen_at")
    return [
        {name: row[name] for name in shown} | {"is_this": row["id"] == work.pass_id}
        for row in work.connection.execute(chosen).mappings()
    ]


def end_pass_named(work: Work, pass_id: str) -> None:
    """End one of one's own sessions or tokens by its id.

    Raises
    ------
    NotFoundError
        One has none of this id that is in force.
    """
    mine = (passes.c.id == pass_id, passes.c.user == work.person.user_id, passes.c.revoked_at.is_(None))
    ended = passes.update().where(*mine).values(revoked_at=work.at)
    if work.connection.execute(ended).rowcount != 1:
        raise NotFoundError("You have no session or token of this id.")
    _, target = _own(work)
    work.note("sign-out", target, work.person.user_id, {"pass": pass_id})


def end_other_passes(work: Work) -> None:
    """End all of one's own sessions and tokens but the one that is used."""
    _, target = _own(work)
    _end_passes(work, work.person.user_id, but=work.pass_id)
    work.note("sign-out", target, work.person.user_id, {"but": work.pass_id})


def own_user(work: Work) -> User:
    """Return who works, as a user."""
    return _user(_own(work)[0])


def begin_second_factor(work: Work) -> SecondFactor:
    """Make a secret for an authenticator and recovery codes; it is on once a code was confirmed."""
    row, _ = _own(work)
    if row["totp_is_on"]:
        raise UsageError("The second factor is on already.")
    secret = pyotp.random_base32()
    codes = tuple(secrets.token_hex(14) for _ in range(RECOVERY_CODES))
    work.connection.execute(users.update().where(users.c.id == row["id"]).values(totp_secret=secret))
    work.connection.execute(recovery_codes.delete().where(recovery_codes.c.user == row["id"]))
    rows = [{"id": new_id(), "user": row["id"], "hash": token_hash(code)} for code in codes]
    work.connection.execute(recovery_codes.insert(), rows)
    uri = pyotp.TOTP(secret).provisioning_uri(name=row["name"], issuer_name="Changtong")
    return SecondFactor(secret, uri, codes)


def confirm_second_factor(work: Work, code: str) -> None:
    """Turn the second factor on, with a first code.

    Raises
    ------
    DeniedError
        ``sign-in-failed``: the code is wrong.
    """
    row, target = _own(work)
    step = matching_step(row["totp_secret"], code.strip(), row["totp_step"]) if row["totp_secret"] else None
    if step is None:
        raise DeniedError("The code is wrong.", "sign-in-failed")
    work.connection.execute(
        users.update().where(users.c.id == row["id"]).values(totp_is_on=True, totp_step=step)
    )
    work.note("change", target, row["id"], {"second_factor": True})


def idle_minutes(work: Work, minutes: int | None = None) -> int:
    """Return after how long a session that nobody uses is over; with ``minutes``, set it.

    Raises
    ------
    UsageError
        ``bad-setting``.
    """
    target = Target("registers", "/", "")
    named = settings.c.name == "idle_minutes"
    before = work.connection.execute(sa.select(settings.c.value).where(named)).scalar()
    if minutes is None:
        return int(before or IDLE_MINUTES)
    if not 1 <= minutes <= MOST_IDLE_MINUTES:
        raise UsageError(f"A session may be idle for 1 to {MOST_IDLE_MINUTES} minutes.", "bad-setting")
    work.allow("change", target)
    if before is None:
        work.connection.execute(settings.insert(), {"name": "idle_minutes", "value": str(minutes)})
    else:
        work.connection.execute(settings.update().where(named).values(value=str(minutes)))
    work.note("change", target, "", {"idle_minutes": [int(before or IDLE_MINUTES), minutes]})
    return minutes
