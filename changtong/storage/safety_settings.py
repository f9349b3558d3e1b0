"""Settings of the registers for how people get in: of whom a second factor is asked."""

from __future__ import annotations

import sqlalchemy as sa

from changtong.errors import UsageError
from changtong.rights.decide import Role, Target
from changtong.storage.schema import grants, settings, users
from changtong.storage.work import ADMINISTRATORS, EVERYBODY, FACTOR_SETTING, Work

NOBODY = "nobody"
FACTOR_FOR = (NOBODY, ADMINISTRATORS, EVERYBODY)


def second_factor_for(work: Work, wanted: str | None = None) -> str:
    """Return of whom a second factor is asked: their roles rest while it is off; or set it.

    Parameters
    ----------
    work : Work
    wanted : {"nobody", "administrators", "everybody"}, optional
        ``everybody``: roles rest in sessions; a program's token goes on, as nobody types a code for it.

    Raises
    ------
    UsageError
        ``bad-setting``: no such word; or who asks it of administrators has none, and would lose the role.
    DeniedError
        ``not-allowed``.
    """
    named = settings.c.name == FACTOR_SETTING
    kept = work.connection.execute(sa.select(settings.c.value).where(named)).scalar()
    before = NOBODY if kept is None else str(kept)
    if wanted is None:
        return before
    if wanted not in FACTOR_FOR:
        raise UsageError(f"{wanted!r} is none of {', '.join(FACTOR_FOR)}.", "bad-setting")
    target = Target("registers", "/", "")
    work.allow("change", target)
    if wanted != NOBODY and not _has_factor(work):
        text = "Turn on your own second factor first: your role as an administrator would rest without."
        raise UsageError(text, "bad-setting")
    if kept is None:
        work.connection.execute(settings.insert(), {"name": FACTOR_SETTING, "value": wanted})
    else:
        work.connection.execute(settings.update().where(named).values(value=wanted))
    work.note("change", target, "", {FACTOR_SETTING: [before, wanted]})
    return wanted


def is_resting(work: Work) -> bool:
    """Return whether roles of one's own rest for want of a second factor."""
    asked = second_factor_for(work)
    if asked == NOBODY or _has_factor(work):
        return False
    mine = [grants.c.user == work.person.user_id, grants.c.removed_at.is_(None)]
    if asked != EVERYBODY:
        mine.append(grants.c.role == Role.administrator.value)
    return work.connection.execute(sa.select(grants.c.id).where(*mine)).first() is not None


def _has_factor(work: Work) -> bool:
    chosen = sa.select(users.c.totp_is_on).where(users.c.id == work.person.user_id)
    return bool(work.connection.execute(chosen).scalar())
