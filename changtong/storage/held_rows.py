"""Rows held while many records are worked on: read together, changed here, written together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from changtong.errors import ConflictError
from changtong.storage.schema import metadata, registers, table_name

MOST_OF_A_QUESTION = 500
"""Values of one question."""

Row = Mapping[Any, Any]


def select_rows(
    connection: sa.Connection, kind: str, column: str, values: Iterable[str], *, lock: bool
) -> list[Row]:
    """Return the rows of a register whose column has one of these values.

    Parameters
    ----------
    connection : Connection
    kind, column : str
    values : iterable of str
    lock : bool
        Whether others that would lock them, too, wait until this transaction ends.
    """
    table, wanted = registers[kind], sorted(set(values))
    found: list[Row] = []
    for begin in range(0, len(wanted), MOST_OF_A_QUESTION):
        some = wanted[begin : begin + MOST_OF_A_QUESTION]
        statement = sa.select(table).where(table.c[column].in_(some)).order_by(table.c.id)
        if lock:  # others may still refer to the row
            statement = statement.with_for_update(key_share=True)
        found += connection.execute(statement).mappings().all()
    return found


class HeldRows:
    """Rows as a piece of work has read and changed them; nothing is in the database before `write`.

    What was asked for once is asked of the database no more: whoever holds rows holds them for a part of one
    transaction only.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes.

    Attributes
    ----------
    remembered : dict of dict
        What else was looked up, by what it is and by its key; it does not change in this part of the work.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.remembered: dict[str, dict[str, Any]] = defaultdict(dict)
        self._rows: dict[str, dict[str, Row | None]] = defaultdict(dict)  # None: there is none
        self._locked: dict[str, set[str]] = defaultdict(set)
        self._whole: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(dict)
        self._whole_locked: set[tuple[str, str, str]] = set()
        self._stored: dict[str, dict[str, int]] = defaultdict(dict)  # version in the database; 0: it is new
        self._names: dict[str, dict[str, set[str]]] = defaultdict(dict)  # columns that were changed
        self._part: dict[str, dict[str, tuple[Row, set[str]]]] | None = None

    def find(self, kind: str, column: str, values: Iterable[str], *, lock: bool = False) -> list[Row]:
        """Return rows as `select_rows` does, as they are now; what is not held yet is read first.

        Parameters
        ----------
        kind, column : str
        values : iterable of str
        lock : bool
        """
        wanted = set(values)
        if column == "id":
            self._read_ids(kind, wanted, lock)
            found = {name: self._now(kind, name) for name in wanted}
        else:
            self._read_whole(kind, column, wanted, lock)
            held = self._whole[kind, column]
            names = {name for value in wanted for name in held[value]} | set((self._part or {}).get(kind, ()))
            found = {name: self._now(kind, name) for name in names}
        return [
            row
            for _, row in sorted(found.items())
            if row is not None and (column == "id" or row[column] in wanted)
        ]

    def add(self, kind: str, row: Row) -> None:
        """Hold a row that is to be added.

        Parameters
        ----------
        kind : str
        row : mapping
            With a value for every column.
        """
        self._put(kind, row, set())

    def change(self, kind: str, row: Row, names: Iterable[str]) -> None:
        """Hold a row, found and locked before, as it is to be.

        Parameters
        ----------
        kind : str
        row : mapping
        names : iterable of str
            Columns that have changed.
        """
        self._put(kind, row, set(names))

    @contextmanager
    def part(self) -> Iterator[None]:
        """Do a part of the work: where it fails, what it added and changed is dropped."""
        self._part = defaultdict(dict)
        try:
            yield
            done, self._part = self._part, None
            for kind, rows in done.items():
                for row, names in rows.values():
                    self._put(kind, row, names)
        finally:
            self._part = None

    def write(self) -> None:
        """Write all that was added and changed, what is referred to first.

        Raises
        ------
        ConflictError
            A row was changed by somebody else, though it was locked.
        """
        kinds = {table_name(kind): kind for kind in registers}
        for table in metadata.sorted_tables:
            kind = kinds.get(table.name, "")
            stored, names = self._stored.pop(kind, {}), self._names.pop(kind, {})
            # in order of ids: two who add the same wait for each other and do not lock each other out
            rows = {name: row for name in sorted(stored) if (row := self._rows[kind][name]) is not None}
            new = [row for name, row in rows.items() if stored[name] == 0]
            if new:
                self._connection.execute(table.insert(), new)
            same: dict[frozenset[str], list[Row]] = defaultdict(list)
            for name, row in rows.items():
                if stored[name]:
                    same[frozenset(names[name])].append(row)
            for columns, changed in same.items():
                self._update(table, changed, stored, columns)

    def _update(
        self, table: sa.Table, rows: list[Row], stored: Mapping[str, int], columns: Iterable[str]
    ) -> None:
        as_read = (table.c.id == sa.bindparam("held_id"), table.c.version == sa.bindparam("held_version"))
        wanted = [
            {"held_id": row["id"], "held_version": stored[row["id"]]} | {name: row[name] for name in columns}
            for row in rows
        ]
        done = self._connection.execute(table.update().where(*as_read), wanted)
        if done.rowcount != len(wanted):
            raise ConflictError(f"Records in {table.name} were changed by someone else just now.")

    def _now(self, kind: str, name: str) -> Row | None:
        if self._part is not None and name in self._part[kind]:
            return self._part[kind][name][0]
        return self._rows[kind].get(name)

    def _put(self, kind: str, row: Row, names: set[str]) -> None:
        name = row["id"]
        if self._part is not None:
            before = self._part[kind].get(name)
            self._part[kind][name] = (row, names | (before[1] if before is not None else set()))
            return
        known = self._rows[kind].get(name)
        if name not in self._stored[kind]:
            self._stored[kind][name] = 0 if known is None else known["version"]
        self._names[kind].setdefault(name, set()).update(names)
        self._rows[kind][name] = row
        self._locked[kind].add(name)
        for (of, column), held in self._whole.items():
            if of == kind and known is not None and known[column] in held:
                held[known[column]].discard(name)
            if of == kind and row[column] in held:
                held[row[column]].add(name)

    def _read_ids(self, kind: str, wanted: set[str], lock: bool) -> None:
        held = self._locked[kind] if lock else self._rows[kind]
        missing = {
            name for name in wanted if name not in held and name not in (self._part or {}).get(kind, ())
        }
        if not missing:
            return
        found = {row["id"]: row for row in self._select(kind, "id", missing, lock)}
        for name in missing:
            self._hold(kind, name, found.get(name), lock)

    def _read_whole(self, kind: str, column: str, wanted: set[str], lock: bool) -> None:
        held = self._whole[kind, column]
        missing = {
            value
            for value in wanted
            if value not in held or (lock and (kind, column, value) not in self._whole_locked)
        }
        if not missing:
            return
        held.update({value: set() for value in missing})
        for name, row in self._rows[kind].items():  # what was added or changed before
            if row is not None and row[column] in missing:
                held[row[column]].add(name)
        for row in self._select(kind, column, missing, lock):
            self._hold(kind, row["id"], row, lock)
            now = self._rows[kind][row["id"]]
            if now is not None and now[column] in held:
                held[now[column]].add(row["id"])
        if lock:
            self._whole_locked.update((kind, column, value) for value in missing)

    def _select(self, kind: str, column: str, wanted: set[str], lock: bool) -> list[dict[Any, Any]]:
        return [dict(row) for row in select_rows(self._connection, kind, column, wanted, lock=lock)]

    def _hold(self, kind: str, name: str, row: Row | None, lock: bool) -> None:
        if name not in self._stored[kind]:  # what was changed here is newer than what was read
            self._rows[kind][name] = row
        if lock:
            self._locked[kind].add(name)
