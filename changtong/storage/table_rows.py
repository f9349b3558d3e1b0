"""Rows of whole tables in and out of a database, in one form that every database can take."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.storage.schema import Instant, canonical, from_ms, metadata, to_ms

ROWS_AT_ONCE = 2000

SECRETS = ("password_hash", "totp_secret", "totp_step")
"""Columns that are neither exported nor searched."""


def all_tables() -> tuple[sa.Table, ...]:
    """Return the tables so that what is referred to comes first."""
    return tuple(metadata.sorted_tables)


def rows_of(
    connection: sa.Connection, table: sa.Table, *rules: sa.ColumnElement[bool]
) -> Iterator[dict[str, Any]]:
    """Read the rows of a table, or those that fulfil rules, in order of its key, a part at a time."""
    chosen = sa.select(table).where(*rules).order_by(*table.primary_key.columns)
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(chosen).mappings()
    for row in rows:
        yield dict(row)


def put_rows(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows into a table; return how many.

    What refers to another row of its own table gets there in any order: the reference is put in last.
    """
    count = 0
    own = next((c.name for c in table.columns for key in c.foreign_keys if key.column.table is table), None)
    later: list[dict[str, Any]] = []
    for some in _parts(rows):
        if own is not None:
            later += [{"of": row["id"], "to": row[own]} for row in some if row[own] is not None]
            some = [{**row, own: None} for row in some]
        connection.execute(table.insert(), some)
        count += len(some)
    if own is not None and later:
        refer = table.update().where(table.c.id == sa.bindparam("of")).values({own: sa.bindparam("to")})
        connection.execute(refer, later)
    return count


def _parts(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines, compressed; return how many."""
    count = 0
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=5, newline="\n") as file:
        for row in rows:
            file.write(canonical({name: _out(value) for name, value in row.items()}) + "\n")
            count += 1
    return count


def read_rows(path: Path, table: sa.Table) -> Iterator[dict[str, Any]]:
    """Read rows as `write_rows` wrote them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield {name: _in(table.c[name], value) for name, value in row.items()}


def _out(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_ms(value)
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _in(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, Instant):
        return from_ms(value)
    return bytes.fromhex(value) if isinstance(column.type, sa.LargeBinary) else value


def shown(column: sa.Column[Any], value: Any) -> Any:
    """Return a value as an export shows it: instants in ISO 8601, bytes in hexadecimal digits."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            total.update(part)
    return total.hexdigest()
