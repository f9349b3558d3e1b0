"""Signing in: password, second factor where it is on, lock-out with a growing delay, passes that end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyotp
import sqlalchemy as sa

from changtong.errors import DeniedError
from changtong.storage import audit
from changtong.storage.engine import reading, writing
from changtong.storage.passwords import fits, hash_password, is_old
from changtong.storage.rows import new_id, now
from changtong.storage.schema import attempts, organisations, passes, recovery_codes, to_ms, users
from changtong.storage.work import token_hash

FREE_FAILURES = 4
"""Failures in a row that cost nothing but the time of the check."""

FIRST_DELAY_S = 2
MOST_DELAY_S = 900
FORGET_AFTER = timedelta(days=1)
SESSION_FOR = timedelta(hours=12)
STEP_S = 30


@dataclass(frozen=True)
class Session:
    """A pass that was just made; the token is told once and kept as a hash only.

    Attributes
    ----------
    token : str
    user_id : str
    expires_at : datetime
    must_change : bool
        Whether the password has to be changed before any work.
    """

    token: str = field(repr=False)
    user_id: str
    expires_at: datetime
    must_change: bool = False


def login_name(name: str) -> str:
    """Return a name as it is compared: without spaces around it and without case."""
    return name.strip().casefold()


def sign_in(engine: sa.Engine, name: str, password: str, code: str = "") -> Session:
    """Sign a user in.

    The attempt is counted before the password is looked at, so that guesses made at once do not escape the
    count; a success clears it. Unknown names are counted and take time as known ones.

    Parameters
    ----------
    engine : Engine
    name, password : str
    code : str
        Six digits of the second factor, or a recovery code, where the user has it on.

    Raises
    ------
    DeniedError
        ``sign-in-failed``, ``sign-in-locked``, ``second-factor-needed``.
    """
    wanted = login_name(name)
    mark = hashlib.sha256(wanted.encode()).digest()
    _count(engine, mark)
    with reading(engine) as connection:
        user = connection.execute(_USER, {"name": wanted}).mappings().first()
    known = user is not None and user["is_active"]
    right = fits(user["password_hash"] if user is not None and known else None, password)
    if user is None or not right:
        if user is not None:
            with writing(engine) as connection:
                audit.append(
                    connection, _entry("refused:sign-in", user, {"why": "password" if known else "inactive"})
                )
        raise DeniedError("Name, password or code is wrong.", "sign-in-failed")
    if user["totp_is_on"] and not code.strip():
        _forgive(engine, mark)
        raise DeniedError("This user signs in with a code as well.", "second-factor-needed")
    new_hash = hash_password(password) if is_old(user["password_hash"]) else None
    with writing(engine) as connection:
        if user["totp_is_on"] and not _use_code(connection, user["id"], code):
            audit.append(connection, _entry("refused:sign-in", user, {"why": "code"}))
            session = None
        else:
            session = _admit(connection, user, new_hash, mark)
    if session is None:
        raise DeniedError("Name, password or code is wrong.", "sign-in-failed")
    return session


_USER = (
    sa.select(users, organisations.c.path, organisations.c.admin_code)
    .join(organisations, organisations.c.id == users.c.organisation)
    .where(users.c.name == sa.bindparam("name"))
)


def _count(engine: sa.Engine, mark: bytes) -> None:
    """Count an attempt, unless it comes too soon after the last ones."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # attempts on one name follow one another, also those on a name without a row yet
            key = int.from_bytes(mark[:8], "big", signed=True)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        at = now()  # when its turn has come: one that waited is not before those it waited for
        connection.execute(attempts.delete().where(attempts.c.at < at - FORGET_AFTER))
        row = connection.execute(sa.select(attempts).where(attempts.c.name_digest == mark)).mappings().first()
        if row is not None and row["locked_until"] > at:
            left = (row["locked_until"] - at) // timedelta(seconds=1) + 1
            raise DeniedError(f"Too many failures: try again in {left} s.", "sign-in-locked")
        failures = 1 if row is None else row["failures"] + 1
        values = {"failures": failures, "locked_until": at + delay_after(failures), "at": at}
        if row is None:
            connection.execute(attempts.insert(), {"name_digest": mark, **values})
        else:
            connection.execute(attempts.update().where(attempts.c.name_digest == mark), values)


def delay_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row.

    Examples
    --------
    >>> [delay_after(n).seconds for n in (4, 5, 6, 7, 30)]
    [0, 2, 4, 8, 900]
    """
    if failures <= FREE_FAILURES:
        return timedelta()
    return timedelta(seconds=min(MOST_DELAY_S, FIRST_DELAY_S << min(20, failures - FREE_FAILURES - 1)))


def _forgive(engine: sa.Engine, mark: bytes) -> None:
    """Take back the attempt just counted: the password was right and only the code is missing."""
    with writing(engine) as connection:
        fewer = {"failures": attempts.c.failures - 1, "locked_until": now()}
        connection.execute(attempts.update().where(attempts.c.name_digest == mark).values(**fewer))


def _admit(
    connection: sa.Connection, user: Mapping[Any, Any], new_hash: str | None, mark: bytes
) -> Session | None:
    """Make the session; not if the password was changed or the user shut out in the meantime."""
    same = (users.c.id == user["id"], users.c.password_hash == user["password_hash"], users.c.is_active)
    values = {"password_hash": new_hash or user["password_hash"]}
    if connection.execute(users.update().where(*same).values(**values)).rowcount != 1:
        return None
    connection.execute(attempts.delete().where(attempts.c.name_digest == mark))
    session, row = make_pass(user["id"], "session", "sign-in", SESSION_FOR, must_change=user["must_change"])
    connection.execute(passes.insert(), row)
    audit.append(connection, _entry("sign-in", user, {"pass": row["id"]}))
    return session


def make_pass(
    user_id: str, kind: str, label: str, lasts: timedelta, *, must_change: bool = False
) -> tuple[Session, dict[str, Any]]:
    """Return a new pass, and its row."""
    at = now()
    token = secrets.token_urlsafe(32)
    row = {
        "id": new_id(), "user": user_id, "kind": kind, "label": label, "hash": token_hash(token),
        "made_at": at,
        "expires_at": at + lasts,
    }  # fmt: skip
    return Session(token, user_id, at + lasts, must_change), row


def _entry(action: str, user: Mapping[Any, Any], detail: dict[str, Any]) -> audit.Entry:
    return audit.Entry(
        now(), user["id"], action, "user", user["id"], user["path"], user["admin_code"], detail
    )


def _use_code(connection: sa.Connection, user_id: str, code: str) -> bool:
    """Use a code of the second factor, or a recovery code; neither serves twice."""
    code = code.strip()
    user = (
        connection.execute(sa.select(users).where(users.c.id == user_id).with_for_update()).mappings().one()
    )
    step = matching_step(user["totp_secret"], code, user["totp_step"])
    if step is not None:
        connection.execute(users.update().where(users.c.id == user_id).values(totp_step=step))
        return True
    used = connection.execute(
        recovery_codes.update()
        .where(
            recovery_codes.c.user == user_id,
            recovery_codes.c.hash == token_hash(code),
            recovery_codes.c.used_at.is_(None),
        )
        .values(used_at=now())
    )
    return bool(used.rowcount)


def matching_step(secret: str, code: str, last_step: int, at: datetime | None = None) -> int | None:
    """Return the step of time a code belongs to: now, or one before or after; never one that was used.

    Parameters
    ----------
    secret : str
        Base 32.
    code : str
        Six digits.
    last_step : int
        Of the code used last.
    at : datetime, optional
    """
    step = to_ms(at or now()) // 1000 // STEP_S
    made = pyotp.TOTP(secret)
    for candidate in (step - 1, step, step + 1):
        if candidate > last_step and pyotp.utils.strings_equal(made.generate_otp(candidate), code):
            return candidate
    return None
