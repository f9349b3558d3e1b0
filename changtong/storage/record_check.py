"""Records against the audit: each must be as its last entry left it, or gone where that has erased it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa

from changtong.storage.audit import MOST_FINDINGS, AuditCheck, Finding
from changtong.storage.rows import digest_of
from changtong.storage.schema import audit, registers

WRITES = ("add", "change", "move", "hand-over", "erase")


def check_records(connection: sa.Connection, found: AuditCheck) -> AuditCheck:
    """Add to what was found in the chain what is wrong with the records of the registers."""
    wrong = [finding for kind in registers for finding in _of_register(connection, kind)]
    findings = (*found.findings, *wrong)[:MOST_FINDINGS]
    return replace(found, findings=findings, found=found.found + len(wrong))


def _of_register(connection: sa.Connection, kind: str) -> Iterator[Finding]:
    table = registers[kind]
    last = (
        sa.select(sa.func.max(audit.c.n))
        .where(audit.c.kind == kind, audit.c.record == table.c.id, audit.c.action.in_(WRITES))
        .correlate(table)
        .scalar_subquery()
    )
    entry = audit.alias("entry")
    columns = (
        table, entry.c.n.label("entry_n"), entry.c.action.label("entry_action"),
        entry.c.detail.label("entry_detail"),
    )  # fmt: skip
    chosen = sa.select(*columns).select_from(table.outerjoin(entry, entry.c.n == last))
    rows = connection.execution_options(yield_per=2000).execute(chosen).mappings()
    for row in rows:
        content = {name: row[name] for name in table.c.keys()}  # noqa: SIM118 (columns, by name)
        if row["entry_n"] is None or row["entry_action"] == "erase":
            yield Finding(0, "record-unknown", 0, f"{kind} {row['id']}")
        elif json.loads(row["entry_detail"]).get("digest") != digest_of(content):
            yield Finding(row["entry_n"], "record-altered", row["entry_n"], f"{kind} {row['id']}")
    erased = audit.alias("erased")
    gone = (
        sa.select(audit.c.n, audit.c.record)
        .where(audit.c.kind == kind, audit.c.action == "add")
        .where(~sa.exists().where(table.c.id == audit.c.record))
        .where(
            ~sa.exists().where(
                erased.c.kind == kind,
                erased.c.record == audit.c.record,
                erased.c.action == "erase",
                erased.c.n > audit.c.n,
            )
        )
    )
    for n, record in connection.execute(gone):
        yield Finding(n, "record-missing", n, f"{kind} {record}")
