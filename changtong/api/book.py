"""A book of the server: tables that outlive it, in a SQLite file of their own or in PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from changtong.storage.engine import is_url, make_engine, writing

SCHEMA = "changtong_server"
"""Of the tables in PostgreSQL: the registers may lie in the same database."""


class Book:
    """A book.

    Parameters
    ----------
    place : Path or str
        A file, made where it is not there and open to its owner only; or ``postgresql://user@host/name``.
    tables : sqlalchemy.MetaData
        Made where they are not there; columns that came later are added, empty.

    Attributes
    ----------
    is_shared : bool
        Whether other processes write to it, too.
    """

    def __init__(self, place: Path | str, tables: sa.MetaData) -> None:
        self.is_shared = is_url(place)
        if not self.is_shared:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o600))
        self.engine = make_engine(place)
        schema = SCHEMA if self.is_shared else None
        if self.is_shared:
            self.engine = self.engine.execution_options(schema_translate_map={None: SCHEMA})
        with writing(self.engine) as connection:
            if self.is_shared:
                # two processes that begin at once would both make what is not there
                lock = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(SCHEMA)))
                connection.execute(lock)
                connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
            tables.create_all(connection)
            there = sa.inspect(connection)
            for table in tables.tables.values():
                known = {column["name"] for column in there.get_columns(table.name, schema)}
                for column in table.columns:
                    if column.name not in known:
                        _add(connection, table, column)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _add(connection: sa.Connection, table: sa.Table, column: sa.Column[object]) -> None:
    """Add a column, which may be empty, to a table that was made before it."""
    quote = connection.dialect.identifier_preparer
    name = quote.quote(table.name)
    where = f"{SCHEMA}.{name}" if connection.dialect.name == "postgresql" else name
    kind = column.type.compile(connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {where} ADD COLUMN {quote.quote(column.name)} {kind}")
