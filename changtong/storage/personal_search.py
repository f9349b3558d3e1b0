"""Personal data in the registers where none is declared: titles, notes, reasons of the audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import sqlalchemy as sa

from changtong.privacy.find_personal_data import PersonalData, find_in_source
from changtong.rights.decide import Target
from changtong.storage.blind_marks import blind_rows
from changtong.storage.definitions import REGISTERS, personal_columns
from changtong.storage.engine import reading
from changtong.storage.schema import JsonText, canonical, table_name
from changtong.storage.store import Desk, Store
from changtong.storage.table_rows import ROWS_AT_ONCE, SECRETS, all_tables, rows_of

DECLARED = {
    **{table_name(kind): personal_columns(kind) for kind in REGISTERS},
    "users": ("name",),
}
"""Table -> columns that are known to hold personal data."""

PLACES = (
    "organisation", "path", "root", "branch", "admin_code", "province", "city", "created_by", "updated_by",
)  # fmt: skip
"""Columns that repeat ids and codes of other tables."""


@dataclass(frozen=True)
class RegistersPersonalData:
    """What was found where no personal data are declared, and how many values the declared columns hold.

    Attributes
    ----------
    found : PersonalData
        ``file`` is the table.
    finds : polars.DataFrame
        ``kind``, ``confidence``, ``table``, ``record`` (the key of the row), ``column``, ``excerpt``
        (masked), ``rule``.
    declared : polars.DataFrame
        ``table``, ``column``, ``values``.
    """

    found: PersonalData
    finds: pl.DataFrame
    declared: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return everything as one object."""
        told = self.found.to_json()
        return {
            "found": told["found"], "least": told["least"], "tables": told["files"],
            "counts": self.found.counts.rename({"file": "table"}).to_dicts(),
            "finds": self.finds.to_dicts(), "declared": self.declared.to_dicts(),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.found.found:,} finds in columns not declared personal, of {self.found.files} tables"]
        for row in self.finds.head(20).iter_rows(named=True):
            where = f"{row['table']} {row['record']} {row['column']}"
            lines.append(f"  {where}: {row['kind']} {row['excerpt']} ({row['confidence']}, {row['rule']})")
        if self.finds.height > 20:
            lines.append("  … all that is listed: --json")
        lines.append("declared columns hold:")
        lines += [f"  {count:>9,}  {table}.{column}" for table, column, count in self.declared.iter_rows()]
        return "\n".join(lines)


class _Source:
    """The tables of a database for the finder: what is neither declared, nor secret, nor a repeated code."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.tables_by_name = {table.name: table for table in all_tables()}
        self.records: dict[str, list[str]] = {}

    def tables(self) -> list[str]:
        """Return the names of the tables with a column to be searched."""
        return [name for name, table in self.tables_by_name.items() if _searched(table)]

    def frames(self, table: str) -> Iterator[pl.DataFrame]:
        """Return the rows of a table, batch by batch."""
        columns = _searched(self.tables_by_name[table])
        records = self.records.setdefault(table, [])
        batch: list[list[str | None]] = []
        schema = dict.fromkeys(columns, pl.String)
        key = next(iter(self.tables_by_name[table].primary_key.columns)).name
        for row in rows_of(
            self.connection, self.tables_by_name[table], *blind_rows(self.tables_by_name[table])
        ):
            records.append(_text(row[key]) or "")
            batch.append([_text(row[name]) for name in columns])
            if len(batch) == ROWS_AT_ONCE:
                yield pl.DataFrame(batch, schema=schema, orient="row")
                batch = []
        if batch:
            yield pl.DataFrame(batch, schema=schema, orient="row")


def _searched(table: sa.Table) -> list[str]:
    left_out = {*SECRETS, *DECLARED.get(table.name, ()), *PLACES}
    return [
        column.name
        for column in table.columns
        if isinstance(column.type, sa.Text | JsonText) and column.name not in left_out
    ]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else canonical(value)


def find_in_registers(store: Store, desk: Desk, *, least: str = "medium") -> RegistersPersonalData:
    """Find personal data in columns not declared personal, of one instant; the look is on the audit.

    Attachments are not looked into: that they may show persons is assumed.

    Parameters
    ----------
    store : Store
    desk : Desk
        Of who may search everything.
    least : {"medium", "low", "high"}
        Confidence from which finds are listed and counted as found.

    Raises
    ------
    DeniedError
        ``not-allowed``.
    """
    with desk.work(writes=True) as work:
        target = Target("registers", "/", "")
        work.allow("search", target)
        work.note("search", target, "", {"least": least})
    with reading(store.engine) as connection:
        source = _Source(connection)
        found = find_in_source(source, least=least)
        declared = [
            (table, column, _values(connection, source.tables_by_name[table].c[column]))
            for table, columns in DECLARED.items()
            for column in columns
        ]
    records = [source.records[table][row - 1] for table, row in found.finds.select("file", "row").iter_rows()]
    finds = (
        found.finds.with_columns(pl.Series("record", records, pl.String))
        .rename({"file": "table"})
        .select("kind", "confidence", "table", "record", "column", "excerpt", "rule")
    )
    schema = {"table": pl.String, "column": pl.String, "values": pl.Int64}
    return RegistersPersonalData(found, finds, pl.DataFrame(declared, schema=schema, orient="row"))


def _values(connection: sa.Connection, column: sa.Column[Any]) -> int:
    return int(connection.execute(sa.select(sa.func.count(column))).scalar_one())
