"""The tables of the registers, for SQLite and PostgreSQL alike.

Instants are whole milliseconds since 1970, UTC; JSON is text in one canonical form: both are the same,
byte for byte, in either database, and so are the digests made of them. Texts are collated by code
point, because their beginnings are compared.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from changtong.storage.definitions import LEDGER_KEYS, REGISTERS, Column, register_columns

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

metadata = sa.MetaData()


def to_ms(at: datetime) -> int:
    """Return an instant as milliseconds since 1970."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def from_ms(at_ms: int) -> datetime:
    """Return an instant from milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=at_ms)


def canonical(value: object) -> str:
    """Return a value as JSON in its one form: keys in order, no spaces, no escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Instant(TypeDecorator[datetime]):
    """An instant with a zone, stored as milliseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Return what is stored."""
        return None if value is None else to_ms(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Return what was stored."""
        return None if value is None else from_ms(value)


class JsonText(TypeDecorator[Any]):
    """JSON as canonical text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Return what is stored."""
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        """Return what was stored."""
        return None if value is None else json.loads(value)


CODE_POINTS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_TYPES: dict[str, Any] = {
    "id": CODE_POINTS,
    "text": CODE_POINTS,
    "number": sa.Double(),
    "integer": sa.BigInteger(),
    "boolean": sa.Boolean(),
    "instant": Instant(),
    "json": JsonText(),
}


def _stamps() -> list[sa.Column[Any]]:
    """Return the columns that every record has."""
    return [
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", CODE_POINTS, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("updated_by", CODE_POINTS, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
    ]


organisations = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("parent", CODE_POINTS, sa.ForeignKey("organisations.id")),
    sa.Column("kind", CODE_POINTS, nullable=False),
    sa.Column("department", CODE_POINTS),
    sa.Column("name_zh", CODE_POINTS, nullable=False),
    sa.Column("name_en", CODE_POINTS),
    sa.Column("admin_code", CODE_POINTS, nullable=False),
    sa.Column("path", CODE_POINTS, nullable=False, unique=True),
    *_stamps(),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("name", CODE_POINTS, nullable=False, unique=True),
    sa.Column("organisation", CODE_POINTS, sa.ForeignKey("organisations.id"), nullable=False, index=True),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("password_hash", CODE_POINTS, nullable=False),
    sa.Column("password_at", Instant, nullable=False),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("totp_secret", CODE_POINTS),
    sa.Column("totp_is_on", sa.Boolean, nullable=False),
    sa.Column("totp_step", sa.BigInteger, nullable=False),
    *_stamps(),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("user", CODE_POINTS, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("role", CODE_POINTS, nullable=False),
    sa.Column("path", CODE_POINTS, nullable=False),
    sa.Column("region", CODE_POINTS, nullable=False),
    sa.Column("until", Instant),
    sa.Column("given_at", Instant, nullable=False),
    sa.Column("given_by", CODE_POINTS, nullable=False),
    sa.Column("removed_at", Instant),
    sa.Column("removed_by", CODE_POINTS),
)

passes = sa.Table(
    "passes",
    metadata,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("user", CODE_POINTS, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("kind", CODE_POINTS, nullable=False),
    sa.Column("label", CODE_POINTS, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("seen_at", Instant),
)

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", CODE_POINTS, primary_key=True),
    sa.Column("value", CODE_POINTS, nullable=False),
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("kind", CODE_POINTS, nullable=False),
    sa.Column("record", CODE_POINTS, nullable=False),
    sa.Column("reason", CODE_POINTS, nullable=False),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("set_by", CODE_POINTS, nullable=False),
    sa.Column("lifted_at", Instant),
    sa.Column("lifted_by", CODE_POINTS),
    sa.Index("holds_by_record", "kind", "record"),
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("user", CODE_POINTS, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("used_at", Instant),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("name_digest", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("locked_until", Instant, nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column(
        "n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
    ),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor", CODE_POINTS, nullable=False),
    sa.Column("action", CODE_POINTS, nullable=False),
    sa.Column("kind", CODE_POINTS, nullable=False),
    sa.Column("record", CODE_POINTS, nullable=False),
    sa.Column("path", CODE_POINTS, nullable=False),
    sa.Column("admin_code", CODE_POINTS, nullable=False),
    sa.Column("detail", CODE_POINTS, nullable=False),
    sa.Column("reason", CODE_POINTS, nullable=False),
    sa.Column("before", sa.LargeBinary, nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
    sa.Index("audit_by_record", "kind", "record", "n"),
    sa.Index("audit_by_actor", "actor", "n"),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("id = 1", name="one_head"),
)


def _register_column(kind: str, column: Column) -> sa.Column[Any]:
    rules: list[Any] = []
    if column.references:
        rules.append(sa.ForeignKey(f"{table_name(column.references)}.id"))
    if (kind, column.name) == ("site", "site_id"):
        return sa.Column(column.name, _TYPES[column.type], nullable=False, unique=True)
    return sa.Column(
        column.name,
        _TYPES[column.type],
        *rules,
        nullable=not column.required,
        index=bool(column.references) or None,
    )


def table_name(kind: str) -> str:
    """Return the name of a kind's table."""
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _register_table(kind: str) -> sa.Table:
    """Return the table of a register.

    Pages are read by key order within a scope, so every common scope has an index that begins with
    an equality: province, city, administrative code; the whole firm, its branches, deeper paths.
    """
    name, key = table_name(kind), LEDGER_KEYS[kind]
    order = (key, "id")
    return sa.Table(
        name,
        metadata,
        sa.Column("id", CODE_POINTS, primary_key=True),
        sa.Column("organisation", CODE_POINTS, sa.ForeignKey("organisations.id"), nullable=False),
        sa.Column("path", CODE_POINTS, nullable=False),
        sa.Column("root", CODE_POINTS, nullable=False),
        sa.Column("branch", CODE_POINTS, nullable=False),
        sa.Column("admin_code", CODE_POINTS, nullable=False),
        sa.Column("province", CODE_POINTS, nullable=False),
        sa.Column("city", CODE_POINTS, nullable=False),
        *[_register_column(kind, column) for column in register_columns(kind).values()],
        *_stamps(),
        sa.Index(f"{name}_by_key", *order),
        *[sa.Index(f"{name}_by_{scope}", scope, *order) for scope in ("province", "city", "admin_code")],
        *[sa.Index(f"{name}_by_{scope}", scope, *order) for scope in ("root", "branch", "path")],
    )


registers: dict[str, sa.Table] = {kind: _register_table(kind) for kind in REGISTERS}
"""Register -> its table."""
