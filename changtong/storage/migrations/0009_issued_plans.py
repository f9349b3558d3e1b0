"""Registers of plans that are issued, of the orders to their sites, and of the log of each plan."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# key of pages; name, type (t text, j JSON, i integer or instant), !: needed, >: refers to; as they were
TABLES = {
    "issued_plans": (
        "proposed_at",
        "proposed_at i!,proposed_by t!>users,run_id t,plan_id t!,plan_digest t!,network t!,title t!,"
        "outages j!,numbers j!,counts j!,sites i!,state t!,valid_from i!,acknowledge_within_min i!,"
        "replaces t,replaced_by t,approved_by t>users,approved_at i,issued_by t>users,issued_at i,due_at i,"
        "completed_at i,withdrawn_by t>users,withdrawn_at i,withdrawn_reason t,entries i!,head t!",
    ),
    "issued_orders": (
        "sent_at",
        "sent_at i!,plan t!>issued_plans,site t!,site_name t,registered_site t>sites,sheet j!,differs j!,"
        "counts j!,told j!,digest t!,state t!,due_at i!,answered_at i,answered_by t>users,said_by t,words t,"
        "withdrawn_at i",
    ),
    "issued_entries": (
        "recorded_at",
        "recorded_at i!,plan t!>issued_plans,n i!,by_user t!>users,action t!,content j!,before t!,seal t!",
    ),
}
PLACE = "path t!,root t!,branch t!,admin_code t!,province t!,city t!"
STAMPS = "version i!,created_at i!,created_by t!,updated_at i!,updated_by t!"
SCOPES = ("province", "city", "admin_code", "root", "branch", "path")


def upgrade() -> None:
    """Add three tables; what is there stays as it is."""
    text: Any = sa.Text()
    if op.get_bind().dialect.name == "postgresql":
        text = sa.Text(collation="C")
    types = {"t": text, "j": sa.Text(), "i": sa.BigInteger()}

    def columns(said: str) -> list[sa.Column[Any]]:
        made: list[sa.Column[Any]] = []
        for part in said.split(","):
            name, kind = part.split()
            kind, _, refers = kind.partition(">")
            rules = [sa.ForeignKey(f"{refers}.id")] if refers else []
            made.append(sa.Column(name, types[kind[0]], *rules, nullable=not kind.endswith("!")))
        return made

    for name, (key, own) in TABLES.items():
        op.create_table(
            name,
            sa.Column("id", text, primary_key=True),
            sa.Column("organisation", text, sa.ForeignKey("organisations.id"), nullable=False),
            *columns(PLACE),
            *columns(own),
            *columns(STAMPS),
            sa.Column("salt", sa.LargeBinary(), nullable=False),
        )
        op.create_index(f"{name}_by_key", name, [key, "id"])
        for scope in SCOPES:
            op.create_index(f"{name}_by_{scope}", name, [scope, key, "id"])
        for part in own.split(","):
            if ">" in part:
                column = part.split()[0]
                op.create_index(f"ix_{name}_{column}", name, [column])
