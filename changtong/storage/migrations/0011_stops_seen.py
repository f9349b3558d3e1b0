"""Of withdrawn orders: until when the withdrawal is to be acknowledged, and who has done so."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add columns; orders that were withdrawn before have none of these and ask for nothing."""
    bind = op.get_bind()
    text: Any = sa.Text()
    if bind.dialect.name == "postgresql":
        text = sa.Text(collation="C")
    for name in ("stop_due_at", "stop_seen_at"):
        op.add_column("issued_orders", sa.Column(name, sa.BigInteger()))
    collation = ' COLLATE "C"' if bind.dialect.name == "postgresql" else ""
    # SQLite takes a reference with its column only
    bind.exec_driver_sql(
        f"ALTER TABLE issued_orders ADD COLUMN stop_seen_by TEXT{collation} REFERENCES users (id)"
    )
    for name in ("stop_said_by", "stop_words"):
        op.add_column("issued_orders", sa.Column(name, text))
    op.create_index("ix_issued_orders_stop_seen_by", "issued_orders", ["stop_seen_by"])
