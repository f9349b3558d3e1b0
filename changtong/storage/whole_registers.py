"""Some columns of a whole register, row by row, and how many rows there are: pages would make that slow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from changtong.errors import UsageError
from changtong.storage.blind_marks import blind_rules
from changtong.storage.definitions import register_columns
from changtong.storage.pages import Query, filter_rules
from changtong.storage.records import check_kind
from changtong.storage.schema import Instant, registers
from changtong.storage.seen_parts import seen_parts
from changtong.storage.work import Work

ROWS_READ = 10_000
"""Rows that are in memory at a time."""

OF_ALL = ("id", "path", "admin_code", "version", "updated_at")
"""Columns of every register that may be read."""


def read_columns(work: Work, kind: str, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Return some columns of all records that the person may see, row by row, in order of their ids.

    Instants come as milliseconds since 1970, UTC.

    Parameters
    ----------
    work : Work
    kind : str
    names : sequence of str
        Of the register, without personal data, or of `OF_ALL`.

    Raises
    ------
    UsageError
        A column that is not there, or holds personal data.
    """
    columns = register_columns(check_kind(kind))
    for name in names:
        if name not in OF_ALL and (name not in columns or columns[name].personal):
            raise UsageError(f"{kind} has no column {name!r} that can be read for all records.")
    parts = seen_parts(work, kind)
    table = registers[kind]
    statement = (
        sa.select(*[_plain(table.c[name]) for name in names])
        .where(sa.or_(*[sa.and_(sa.true(), *part) for part in parts]))
        .where(*blind_rules(kind, work.organisation))
        .order_by(table.c.id)
        .execution_options(yield_per=ROWS_READ)
    )
    for rows in work.connection.execute(statement).partitions():
        yield from map(tuple, rows)


def count_rows(work: Work, kind: str, query: Query) -> int:
    """Return how many records a query finds, on all its pages, of those that the person may see.

    Parameters
    ----------
    work : Work
    kind : str
    query : Query
        Its ``limit`` and ``after`` do not count.
    """
    table = registers[check_kind(kind)]
    filters = filter_rules(kind, replace(query, after=""))
    found = (
        sa.select(sa.func.count())
        .select_from(table)
        .where(sa.or_(*[sa.and_(sa.true(), *part) for part in seen_parts(work, kind)]))
        .where(*filters, *blind_rules(kind, work.organisation))
    )
    return int(work.connection.execute(found).scalar_one())


def _plain(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(column, sa.BigInteger) if isinstance(column.type, Instant) else column
