"""Registers of epidemic control: vehicle passes, whitelisted firms, staff who may work, states of sites."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# name, type (t text, i integer or instant, d number), whether it is needed: as they were in this version
PERMIT = "pass_id t!,holder t,vehicle t!,areas t,sites t,goods t,valid_from i!,valid_until i!,revoked_at i"
TABLES = {
    "permits": ("valid_until", f"{PERMIT},trips_per_day i,issuer t"),
    "firms": (
        "valid_until",
        "firm_id t!,name t,list t,sites t,goods t,valid_from i!,valid_until i!,revoked_at i,authority t",
    ),
    "staff_permits": (
        "valid_until",
        "person t!,site_id t!,post t,valid_from i!,valid_until i!,revoked_at i",
    ),
    "site_states": (
        "starts_at",
        "site_id t!,control_state t!,starts_at i!,ends_at i,reason t,authority t,capacity_share d,extra_h d",
    ),
}
PLACE = "path t!,root t!,branch t!,admin_code t!,province t!,city t!"
STAMPS = "version i!,created_at i!,created_by t!,updated_at i!,updated_by t!"
SCOPES = ("province", "city", "admin_code", "root", "branch", "path")


def upgrade() -> None:
    """Add four tables; what is there stays as it is."""
    text: Any = sa.Text()
    if op.get_bind().dialect.name == "postgresql":
        text = sa.Text(collation="C")
    types = {"t": text, "i": sa.BigInteger(), "d": sa.Double()}

    def columns(said: str) -> list[sa.Column[Any]]:
        made: list[sa.Column[Any]] = []
        for part in said.split(","):
            name, kind = part.split()
            made.append(sa.Column(name, types[kind[0]], nullable=not kind.endswith("!")))
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
