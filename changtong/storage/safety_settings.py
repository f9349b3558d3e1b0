"""Settings of the registers for how people get in: whether administrators need a second factor."""

from __future__ import annotations

import sqlalchemy as sa

from changtong.errors import UsageError
from changtong.rights.decide import Role, Target
from changtong.storage.schema import grants, settings, users
from changtong.storage.work import FACTOR_SETTING, Work


def administrators_need_factor(work: Work, wanted: bool | None = None) -> bool:
    """Return whether the role of administrators rests while their second factor is off; or set it.

    Parameters
    ----------
    work : Work
    wanted : bool, optional

    Raises
    ------
    UsageError
        ``bad-setting``: who turns it on has no second factor, and would lose the role with it.
    DeniedError
        ``not-allowed``.
    """
    named = settings.c.name == FACTOR_SETTING
    before = work.connection.execute(sa.select(settings.c.value).where(named)).scalar()
    if wanted is None:
        return before == "yes"
    target = Target("registers", "/", "")
    work.allow("change", target)
    if wanted and not _has_factor(work):
        text = "Turn on your own second factor first: your role as an administrator would rest without."
        raise UsageError(text, "bad-setting")
    value = "yes" if wanted else "no"
    if before is None:
        work.connection.execute(settings.insert(), {"name": FACTOR_SETTING, "value": value})
    else:
        work.connection.execute(settings.update().where(named).values(value=value))
    work.note("change", target, "", {FACTOR_SETTING: [before or "no", value]})
    return wanted


def is_resting(work: Work) -> bool:
    """Return whether one's own role of administrator rests for want of a second factor."""
    if not administrators_need_factor(work) or _has_factor(work):
        return False
    mine = (
        grants.c.user == work.person.user_id,
        grants.c.role == Role.administrator.value,
        grants.c.removed_at.is_(None),
    )
    return work.connection.execute(sa.select(grants.c.id).where(*mine)).first() is not None


def _has_factor(work: Work) -> bool:
    chosen = sa.select(users.c.totp_is_on).where(users.c.id == work.person.user_id)
    return bool(work.connection.execute(chosen).scalar())
