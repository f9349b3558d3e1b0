"""Register of requests of persons about their own data."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

# key of pages; name, type (t text, j JSON, i integer or instant), !: needed, >: refers to; as they were
TABLES = {
    "data_requests": (
        "received_at",
        "received_at i!,kind t!,channel t!,on_behalf t!,state t!,decision t,ground t,identity_method t,"
        "answered_at i,by_user t!>users,name t,contact t,text t,events j!",
    ),
}
PLACE = "path t!,root t!,branch t!,admin_code t!,province t!,city t!"
STAMPS = "version i!,created_at i!,created_by t!,updated_at i!,updated_by t!"
SCOPES = ("province", "city", "admin_code", "root", "branch", "path")


def upgrade() -> None:
    """Add a table; what is there stays as it is."""
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
