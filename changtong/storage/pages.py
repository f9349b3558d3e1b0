"""Pages of a register: only what a person may see, filtered in the database, by key and not by number."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.errors import UsageError
from changtong.rights.scope import Scope
from changtong.storage.definitions import LEDGER_KEYS, register_columns
from changtong.storage.schema import Instant, from_ms, registers, to_ms

MOST_ROWS = 500

Rules = Sequence[sa.ColumnElement[bool]]
"""Conditions that a row must all fulfil."""


@dataclass(frozen=True)
class Query:
    """What a page holds.

    Attributes
    ----------
    where : mapping
        Column -> value, or several of which one is met; ``organisation`` and ``admin_code`` too.
    since, until : datetime, optional
        Of the column the ledger is ordered by; from, and before.
    limit : int
        1 to 500.
    newest_first : bool
    after : str
        Where the page before ended: its ``next``.
    """

    where: Mapping[str, Any] | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    newest_first: bool = True
    after: str = ""


def page_statement(kind: str, parts: Sequence[Rules], query: Query, rules: Rules = ()) -> sa.Select[Any]:
    """Return the statement of a page, one row longer than the page.

    Each part is read by its own index, already in order, and no more rows than a page has; then they are
    made one. So the time of a page does not grow with the register.

    Parameters
    ----------
    kind : str
    parts : sequence of sequences of conditions
        At least one: what the person may see, as `seen_parts` tells.
    query : Query
    rules : sequence of conditions
        What else the rows must fulfil to be seen.
    """
    if not 1 <= query.limit <= MOST_ROWS:
        raise UsageError(f"A page has 1 to {MOST_ROWS} rows.")
    table = registers[kind]
    read = [_of_part(table, kind, part, query).where(*rules) for part in parts]
    if len(read) == 1:
        return read[0]
    ids = sa.union(*[sa.select(one.subquery().c.id) for one in read]).subquery()
    chosen = sa.select(table).where(table.c.id.in_(sa.select(ids.c.id)))
    return chosen.order_by(*_order(table, kind, query)).limit(query.limit + 1)


def _order(table: sa.Table, kind: str, query: Query) -> list[Any]:
    columns = [table.c[LEDGER_KEYS[kind]], table.c.id]
    return [column.desc() if query.newest_first else column for column in columns]


def _of_part(table: sa.Table, kind: str, part: Rules, query: Query) -> sa.Select[Any]:
    rules = [*part, *filter_rules(kind, query)]
    return sa.select(table).where(*rules).order_by(*_order(table, kind, query)).limit(query.limit + 1)


def scope_rules(table: sa.Table, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return what rows within a scope fulfil: equalities wherever an index begins with one."""
    rules: list[sa.ColumnElement[bool]] = []
    prefix, depth = scope.prefix, scope.path.count("/") - 1
    if len(prefix) in (2, 4):
        rules.append(table.c["province" if len(prefix) == 2 else "city"] == prefix)
    elif prefix:
        # digits only: the sign after 9 ends the range of all codes that begin so
        rules += [table.c.admin_code >= prefix, table.c.admin_code < f"{prefix}:"]
    if depth in (1, 2):
        rules.append(table.c["root" if depth == 1 else "branch"] == scope.path)
    elif depth > 2:
        rules += [table.c.path >= scope.path, table.c.path < f"{scope.path[:-1]}0"]  # 0 follows /
    return rules


def filter_rules(kind: str, query: Query) -> list[sa.ColumnElement[bool]]:
    """Return what rows fulfil that a query asks for.

    Parameters
    ----------
    kind : str
    query : Query

    Raises
    ------
    UsageError
        A column that nothing is filtered by, bounds that are no instants, a place that no page has ended at.
    """
    table, columns = registers[kind], register_columns(kind)
    key = table.c[LEDGER_KEYS[kind]]
    rules: list[sa.ColumnElement[bool]] = []
    for name, value in (query.where or {}).items():
        known = name in ("organisation", "admin_code") or (
            name in columns and not columns[name].personal and columns[name].type != "json"
        )
        if not known:
            raise UsageError(f"{kind} cannot be filtered by {name!r}.")
        several = isinstance(value, list | tuple | set | frozenset)
        rules.append(table.c[name].in_(sorted(value)) if several else table.c[name] == value)
    for bound in (query.since, query.until):
        if bound is not None and (bound.tzinfo is None or not isinstance(key.type, Instant)):
            raise UsageError("since and until are instants with a zone, of a register in order of time.")
    if query.since is not None:
        rules.append(key >= query.since)
    if query.until is not None:
        rules.append(key < query.until)
    if query.after:
        last, last_id = _read_mark(query.after, is_text=not isinstance(key.type, Instant))
        here = sa.tuple_(key, table.c.id)
        there = sa.tuple_(sa.literal(last, key.type), sa.literal(last_id, table.c.id.type))
        rules.append(here < there if query.newest_first else here > there)
    return rules


def mark_of(kind: str, row: Mapping[Any, Any]) -> str:
    """Return where a page ended, for the next one."""
    key = row[LEDGER_KEYS[kind]]
    text = json.dumps([to_ms(key) if isinstance(key, datetime) else key, row["id"]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_mark(text: str, *, is_text: bool) -> tuple[Any, str]:
    try:
        key, last_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if isinstance(last_id, str) and is_text and isinstance(key, str):
            return key, last_id
        if isinstance(last_id, str) and not is_text and isinstance(key, int):
            return from_ms(key), last_id
        raise ValueError
    except (ValueError, OverflowError):
        raise UsageError("The place where the page begins is none that a page has ended at.") from None


def next_query(query: Query, mark: str) -> Query:
    """Return the query of the page after."""
    return replace(query, after=mark)
