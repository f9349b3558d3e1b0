"""The book of alerts: what the watches of scan logs found, and what people did about it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from changtong.api.book import Book
from changtong.errors import ConflictError, NotFoundError
from changtong.events.alerts.life import TIERS
from changtong.rights.scope import Scope
from changtong.storage.engine import reading, writing
from changtong.storage.rows import now
from changtong.storage.schema import Instant, JsonText

Handling = Literal["new", "seen", "closed"]

_tables = sa.MetaData()
alerts = sa.Table(
    "alerts",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("log", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("admin_code", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("tier", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("site_id", sa.Text),
    sa.Column("facts", JsonText, nullable=False),
    sa.Column("handling", sa.Text, nullable=False),
    sa.Column("seen", JsonText, nullable=False),
    sa.Column("closed_by", sa.Text),
    sa.Column("closed_at", Instant),
    sa.Column("reason", sa.Text),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("changed", sa.Integer, nullable=False),
    sa.Index("alerts_changed", "changed", unique=True),
)


@dataclass(frozen=True)
class KeptAlert:
    """One alert.

    Attributes
    ----------
    id, log : str
    path, admin_code : str
        Of the log's organisation.
    rule, tier, state : str
        As the watch tells them: attention, warning, severe; potential, confirmed, restored, settled.
    site_id : str or None
    facts : dict
        The watch's whole row, instants in ISO 8601.
    handling : str
        new, seen, closed; new again when the tier rises.
    seen : list of dict
        Who saw it, and when: ``user``, ``at``.
    closed_by, reason : str or None
    closed_at : datetime or None
    made_at : datetime
    changed : int
        Number of its last change, among those of all alerts.
    """

    id: str
    log: str
    path: str
    admin_code: str
    rule: str
    tier: str
    state: str
    site_id: str | None
    facts: dict[str, Any]
    handling: Handling
    seen: list[dict[str, str]]
    closed_by: str | None
    closed_at: datetime | None
    reason: str | None
    made_at: datetime
    changed: int


_OF_ALERT = [alerts.c[name] for name in KeptAlert.__dataclass_fields__]


def alert_id(log_id: str, name: str) -> str:
    """Return the id of an alert: the same each time the watch tells of it.

    Examples
    --------
    >>> alert_id("nation", "site-silent:A") == alert_id("nation", "site-silent:A")
    True
    """
    return hashlib.sha256(f"{log_id}\n{name}".encode()).hexdigest()[:24]


class AlertBook(Book):
    """The book, in a file of its own.

    Parameters
    ----------
    path : Path
        Made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _tables)
        with reading(self.engine) as connection:
            self.latest = _latest(connection)
        """Number of the last change: who follows looks into the book only when it has grown."""

    def put(self, log_id: str, path: str, admin_code: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Enter what a watch found; return how many are new or changed. Told again, nothing changes.

        Parameters
        ----------
        log_id, path, admin_code : str
        rows : iterable of mapping
            As ``Alerts.to_json()`` has them.
        """
        count = 0
        with writing(self.engine) as connection:
            changed = _latest(connection)
            for row in rows:
                facts = dict(row)
                key = alert_id(log_id, str(facts["alert_id"]))
                where = alerts.c.id == key
                known = connection.execute(sa.select(*_OF_ALERT).where(where)).mappings().first()
                if known is not None and known["facts"] == facts:
                    continue
                count, changed = count + 1, changed + 1
                values = {name: facts[name] for name in ("rule", "tier", "state", "site_id")}
                values |= {"facts": facts, "changed": changed}
                if known is None:
                    new = {"id": key, "log": log_id, "path": path, "admin_code": admin_code, "seen": [],
                           "handling": "new", "made_at": now()}  # fmt: skip
                    connection.execute(alerts.insert().values(**values, **new))
                else:
                    if TIERS.index(facts["tier"]) > TIERS.index(known["tier"]):
                        values |= {"handling": "new", "closed_by": None, "closed_at": None, "reason": None}
                    connection.execute(alerts.update().where(where).values(**values))
        self.latest = max(self.latest, changed)
        return count

    def get(self, key: str) -> KeptAlert:
        """Return one.

        Raises
        ------
        NotFoundError
        """
        with reading(self.engine) as connection:
            return _read(connection, key)

    def page(
        self, within: Sequence[Scope], limit: int, after: int | None, wanted: Mapping[str, str]
    ) -> tuple[list[KeptAlert], int | None]:
        """Return alerts within scopes, those changed last first, and what goes into ``after``.

        Parameters
        ----------
        within : sequence of Scope
        limit : int
        after : int or None
        wanted : mapping
            Of log, rule, tier, state, handling, site_id: what they must be.
        """
        rules = [_within(within), *(alerts.c[name] == value for name, value in wanted.items())]
        if after is not None:
            rules.append(alerts.c.changed < after)
        asked = sa.select(*_OF_ALERT).where(*rules).order_by(alerts.c.changed.desc()).limit(limit + 1)
        with reading(self.engine) as connection:
            found = [_alert(row) for row in connection.execute(asked).mappings()]
        return found[:limit], found[limit - 1].changed if len(found) > limit else None

    def since(self, changed: int, within: Sequence[Scope], limit: int = 500) -> list[KeptAlert]:
        """Return what has changed after a number, in order."""
        asked = sa.select(*_OF_ALERT).where(alerts.c.changed > changed, _within(within))
        with reading(self.engine) as connection:
            found = connection.execute(asked.order_by(alerts.c.changed).limit(limit)).mappings()
            return [_alert(row) for row in found]

    def see(self, key: str, user: str) -> KeptAlert:
        """Note who saw an alert; the same person once."""
        with writing(self.engine) as connection:
            one = _read(connection, key)
            if any(entry["user"] == user for entry in one.seen):
                return one
            seen = [*one.seen, {"user": user, "at": now().isoformat()}]
            handling = "seen" if one.handling == "new" else one.handling
            one = _change(connection, key, seen=seen, handling=handling)
        return self._told(one)

    def end(self, key: str, user: str, reason: str) -> KeptAlert:
        """Close an alert.

        Raises
        ------
        ConflictError
            It is closed already.
        """
        with writing(self.engine) as connection:
            if _read(connection, key).handling == "closed":
                raise ConflictError("This alert is closed already.")
            one = _change(connection, key, handling="closed", closed_by=user, closed_at=now(), reason=reason)
        return self._told(one)

    def counts(self) -> dict[str, int]:
        """Return how many there are by handling."""
        with reading(self.engine) as connection:
            asked = sa.select(alerts.c.handling, sa.func.count()).group_by(alerts.c.handling)
            return {str(name): int(count) for name, count in connection.execute(asked)}

    def _told(self, one: KeptAlert) -> KeptAlert:
        """Tell who follows of a change, once others can read it: told before, they would pass it over."""
        self.latest = max(self.latest, one.changed)
        return one


def _change(connection: sa.Connection, key: str, **values: Any) -> KeptAlert:
    changed = _latest(connection) + 1
    connection.execute(alerts.update().where(alerts.c.id == key).values(changed=changed, **values))
    return _read(connection, key)


def _latest(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(alerts.c.changed))).scalar() or 0)


def _read(connection: sa.Connection, key: str) -> KeptAlert:
    found = connection.execute(sa.select(*_OF_ALERT).where(alerts.c.id == key)).mappings().first()
    if found is None:
        raise NotFoundError("There is no alert of this id.")
    return _alert(found)


def _within(scopes: Sequence[Scope]) -> sa.ColumnElement[bool]:
    """Return what rows within scopes fulfil, by ranges: LIKE takes capitals for small letters."""
    parts = []
    for scope in scopes:
        rules = [alerts.c.path >= scope.path, alerts.c.path < f"{scope.path[:-1]}0"]  # 0 follows /
        if scope.prefix:
            code = alerts.c.admin_code
            rules += [code >= scope.prefix, code < f"{scope.prefix}:"]  # : follows 9
        parts.append(sa.and_(*rules))
    return sa.or_(*parts) if parts else sa.false()


def _alert(row: Mapping[Any, Any]) -> KeptAlert:
    return KeptAlert(**{name: row[name] for name in KeptAlert.__dataclass_fields__})
