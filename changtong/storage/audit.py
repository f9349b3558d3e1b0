"""The audit: every change and every look at personal data, each entry chained to the one before.

An entry holds a number, when, who, what, on which record, a detail and a reason. Its seal is the SHA-256 of
the seal before and its content in one canonical form. Triggers refuse to change or delete entries; what is
changed all the same, put in, taken out or moved is found by `verify`. That the newest were cut off, or the
whole chain was made anew, is found by who has noted a head somewhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.errors import UsageError
from changtong.storage.schema import audit, audit_head, canonical, to_ms

BEGIN = hashlib.sha256(b"changtong audit 1").digest()
"""Seal before the first entry."""

MOST_FINDINGS = 1000
"""Findings that are listed; all are counted."""

COLUMNS = ("n", "at", "actor", "action", "kind", "record", "path", "admin_code", "detail", "reason")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Finding:
    """One thing wrong with the chain.

    Attributes
    ----------
    n : int
        Number of the entry.
    what : str
        ``altered`` (its content is not what was sealed), ``unlinked`` (it is whole, but does not follow on
        the one before), ``missing`` (there is none with this number, up to ``last``), ``cut-off`` (the newest
        are missing), ``head-differs`` (the head noted is not there), ``record-altered``, ``record-missing``,
        ``record-unknown`` (a record of a register is not as its last entry left it).
    last : int
        Last number of a run of missing entries; else ``n``.
    record : str
        Kind and id of the record, where it is known.
    """

    n: int
    what: str
    last: int
    record: str = ""

    def __str__(self) -> str:
        where = f"entry {self.n:,}" if self.last == self.n else f"entries {self.n:,} to {self.last:,}"
        return f"{where}: {self.what}{f' ({self.record})' if self.record else ''}"


@dataclass(frozen=True)
class AuditCheck:
    """What was found in the chain.

    Attributes
    ----------
    entries : int
    head : str
        ``number:seal`` of the newest entry: note it elsewhere.
    findings : tuple of Finding
        The first thousand.
    found : int
        How many there are in all.
    """

    entries: int
    head: str
    findings: tuple[Finding, ...]
    found: int

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.found == 0

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints."""
        findings = [{"n": f.n, "last": f.last, "what": f.what, "record": f.record} for f in self.findings]
        return {
            "entries": self.entries, "head": self.head, "whole": self.whole, "found": self.found,
            "findings": findings,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.whole:
            return f"{self.entries:,} entries are as they were written\nhead: {self.head or '(empty)'}"
        lines = [f"{self.found:,} things are wrong in {self.entries:,} entries"]
        lines += [f"  {finding}" for finding in self.findings]
        if self.found > len(self.findings):
            lines.append(f"  … and {self.found - len(self.findings):,} more")
        return "\n".join(lines)


@dataclass(frozen=True)
class Entry:
    """What is to be put on record."""

    at: datetime
    actor: str
    action: str
    kind: str
    record: str
    path: str = "/"
    admin_code: str = ""
    detail: Any = None
    reason: str = ""


def append(connection: sa.Connection, *entries: Entry) -> int:
    """Add entries within a transaction that writes, one after the other; return the last one's number.

    Call it last in the transaction: from here on others that write wait until it ends.
    """
    # SQLite's writers are one at a time anyway and know no row locks: FOR UPDATE is left out there
    last, seal = connection.execute(
        sa.select(audit_head.c.n, audit_head.c.seal).where(audit_head.c.id == 1).with_for_update()
    ).one()
    seal = bytes(seal) if last else BEGIN
    values: list[dict[str, Any]] = []
    for n, entry in enumerate(entries, last + 1):
        detail = canonical({} if entry.detail is None else entry.detail)
        row = (
            n, to_ms(entry.at), entry.actor, entry.action, entry.kind, entry.record, entry.path,
            entry.admin_code, detail, entry.reason,
        )  # fmt: skip
        before, seal = seal, seal_of(seal, row)
        values.append(dict(zip(COLUMNS, row, strict=True)) | {"before": before, "seal": seal})
    if values:
        last += len(values)
        connection.execute(audit.insert(), values)
        connection.execute(audit_head.update().where(audit_head.c.id == 1), {"n": last, "seal": seal})
    return int(last)


def seal_of(before: bytes, row: tuple[Any, ...]) -> bytes:
    """Return the seal of an entry: SHA-256 over the seal before and the content."""
    return hashlib.sha256(before + _encode(row).encode()).digest()


def head(connection: sa.Connection) -> str:
    """Return ``number:seal`` of the newest entry, or nothing where there is none."""
    n, seal = connection.execute(sa.select(audit_head.c.n, audit_head.c.seal)).one()
    return f"{n}:{bytes(seal).hex()}" if n else ""


def read_head(text: str) -> tuple[int, bytes]:
    """Read a head as `head` gives it.

    Raises
    ------
    UsageError
        ``bad-head``.
    """
    number, _, seal = text.strip().partition(":")
    try:
        found = int(number), bytes.fromhex(seal)
    except ValueError:
        found = (0, b"")
    if found[0] < 1 or len(found[1]) != 32:
        raise UsageError("A head is a number, a colon and 64 hexadecimal digits.", "bad-head")
    return found


def verify(connection: sa.Connection, noted: str | None = None) -> AuditCheck:
    """Go through the chain from its begin and name whatever is wrong with it.

    Parameters
    ----------
    connection : Connection
    noted : str, optional
        A head noted earlier and elsewhere: ``number:seal``.
    """
    at_head = read_head(noted) if noted else None
    findings: list[Finding] = []
    found = entries = 0
    last, before, met = 0, BEGIN, at_head is None
    for row in _stream(connection):
        n, claimed, seal = row[0], bytes(row[10]), bytes(row[11])
        entries += 1
        wrong = []
        if n != last + 1:
            wrong.append(Finding(last + 1, "missing", n - 1))
        if seal_of(claimed, row[:10]) != seal:
            wrong.append(Finding(n, "altered", n, f"{row[4]} {row[5]}"))
        elif claimed != before and n == last + 1:
            wrong.append(Finding(n, "unlinked", n, f"{row[4]} {row[5]}"))
        if at_head is not None and n == at_head[0]:
            met = True
            if seal != at_head[1]:
                wrong.append(Finding(n, "head-differs", n))
        if wrong:
            found += len(wrong)
            findings += wrong[: max(0, MOST_FINDINGS - len(findings))]
        last, before = n, seal
    told_n, told_seal = connection.execute(sa.select(audit_head.c.n, audit_head.c.seal)).one()
    if told_n > last or not met:
        findings.append(Finding(last + 1, "cut-off", max(told_n, at_head[0] if at_head else 0, last + 1)))
        found += 1
    elif told_n != last or (last and bytes(told_seal) != before):
        findings.append(Finding(last, "head-differs", last))
        found += 1
    return AuditCheck(entries, f"{last}:{before.hex()}" if entries else "", tuple(findings), found)


def entries_of(connection: sa.Connection, kind: str, record: str) -> list[dict[str, Any]]:
    """Return the entries of a record, oldest first."""
    chosen = sa.select(*[audit.c[name] for name in COLUMNS]).order_by(audit.c.n)
    rows = connection.execute(chosen.where(audit.c.kind == kind, audit.c.record == record)).mappings()
    return [dict(row) for row in rows]


def _stream(connection: sa.Connection) -> Iterator[Any]:
    """Read the entries in order, a part at a time and without building objects: there may be millions."""
    names = ", ".join(f'"{name}"' for name in (*COLUMNS, "before", "seal"))
    text = f"SELECT {names} FROM audit ORDER BY n"
    if connection.dialect.name == "postgresql":
        raw: Any = connection.connection.dbapi_connection
        with raw.cursor(name="changtong_audit", binary=True) as cursor:
            cursor.itersize = 5000
            cursor.execute(text)
            yield from cursor
    else:
        raw = connection.connection.dbapi_connection
        yield from raw.execute(text)
