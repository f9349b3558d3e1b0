"""Registers of emergency cases and of their entries."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables, as they were in this version, from the SQL beside this file."""
    bind = op.get_bind()
    text = Path(__file__).with_name(f"0005_{bind.dialect.name}.sql").read_text("utf-8")
    for statement in text.split(";\n\n"):
        bind.exec_driver_sql(statement.strip().removesuffix(";"))
