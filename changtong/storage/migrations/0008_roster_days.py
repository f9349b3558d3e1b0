"""From which day on the duties of a duty room are taken from a version of its roster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a column; what is there stays as it is, and so do the digests of records."""
    text = sa.Text()
    if op.get_bind().dialect.name == "postgresql":
        text = sa.Text(collation="C")
    op.add_column("duty_rosters", sa.Column("since_day", text))
