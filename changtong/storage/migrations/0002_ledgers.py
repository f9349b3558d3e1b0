"""The second version: ledgers of hazards, tasks and inspections kept in the registers."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns of the ledgers, from the SQL beside this file; no record changes."""
    bind = op.get_bind()
    text = Path(__file__).with_name(f"0002_{bind.dialect.name}.sql").read_text("utf-8")
    for statement in text.split(";\n\n"):
        bind.exec_driver_sql(statement.strip().removesuffix(";"))
