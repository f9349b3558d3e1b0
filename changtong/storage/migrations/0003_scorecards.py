"""Registers of scorecards: cards, who is assessed, what was said at each stage, marks, handing in."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, as they were in this version, from the SQL beside this file."""
    bind = op.get_bind()
    text = Path(__file__).with_name(f"0003_{bind.dialect.name}.sql").read_text("utf-8")
    for statement in text.split(";\n\n"):
        bind.exec_driver_sql(statement.strip().removesuffix(";"))
