"""Legal holds, settings, and when a session was last used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column and two tables; what is there stays as it is, and so do the digests of records."""
    text = sa.Text()
    if op.get_bind().dialect.name == "postgresql":
        text = sa.Text(collation="C")
    op.add_column("passes", sa.Column("seen_at", sa.BigInteger))
    op.create_table(
        "settings",
        sa.Column("name", text, primary_key=True),
        sa.Column("value", text, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("id", text, primary_key=True),
        sa.Column("kind", text, nullable=False),
        sa.Column("record", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("set_at", sa.BigInteger, nullable=False),
        sa.Column("set_by", text, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", text),
    )
    op.create_index("holds_by_record", "holds", ["kind", "record"])
