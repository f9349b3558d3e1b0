"""Entries of the audit that a person may see, filtered, the newest first, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.rights.decide import Target, scopes
from changtong.rights.scope import Scope
from changtong.storage.audit import COLUMNS
from changtong.storage.schema import audit, to_ms
from changtong.storage.work import Work


@dataclass(frozen=True)
class AuditQuery:
    """Which entries; an empty text lets all through.

    Attributes
    ----------
    actor, action, kind, record : str
        Id of the user, and what the entry names exactly.
    since, until : datetime, optional
        From, and before.
    before : int
        Only entries with a lower number; 0: from the newest.
    limit : int
        At most so many.
    """

    actor: str = ""
    action: str = ""
    kind: str = ""
    record: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0
    limit: int = 100


def audit_page(work: Work, query: AuditQuery) -> list[dict[str, Any]]:
    """Return entries, the newest first.

    Raises
    ------
    DeniedError
        ``not-allowed``: the person may see the audit of nothing.
    """
    where = scopes(work.person, "view", "audit", work.at)
    if not where:
        work.allow("view", Target("audit", work.person.path, ""))
    chosen = sa.select(*[audit.c[name] for name in COLUMNS]).where(sa.or_(*map(_inside, where)))
    for name in ("actor", "action", "kind", "record"):
        wanted = getattr(query, name)
        if wanted:
            chosen = chosen.where(audit.c[name] == wanted)
    if query.since is not None:
        chosen = chosen.where(audit.c.at >= to_ms(query.since))
    if query.until is not None:
        chosen = chosen.where(audit.c.at < to_ms(query.until))
    if query.before:
        chosen = chosen.where(audit.c.n < query.before)
    rows = work.connection.execute(chosen.order_by(audit.c.n.desc()).limit(query.limit)).mappings()
    return [dict(row) for row in rows]


def _inside(scope: Scope) -> sa.ColumnElement[bool]:
    """Return that an entry lies within a scope; LIKE would take capitals for small letters in SQLite."""
    return sa.and_(
        sa.func.substr(audit.c.path, 1, len(scope.path)) == scope.path,
        sa.func.substr(audit.c.admin_code, 1, len(scope.prefix)) == scope.prefix,
    )
