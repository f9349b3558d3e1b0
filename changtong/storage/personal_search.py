"""Personal data in the registers where none is declared: titles, notes, reasons, files of attachments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import sqlalchemy as sa

from changtong.privacy.file_parts import Part
from changtong.privacy.find_personal_data import PersonalData, Search
from changtong.rights.decide import Target
from changtong.storage.attachment_search import FIND_SCHEMA, AttachmentsSearch, search_attachments
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
        ``kind``, ``confidence``, ``table``, ``record`` (the key of the row), ``column``, ``row`` (line or row
        in the content of an attachment; else empty), ``excerpt`` (masked), ``rule``.
    declared : polars.DataFrame
        ``table``, ``column``, ``values``.
    attachments : AttachmentsSearch
        How many files were looked into, and which were not.
    """

    found: PersonalData
    finds: pl.DataFrame
    declared: pl.DataFrame
    attachments: AttachmentsSearch

    def to_json(self) -> dict[str, Any]:
        """Return everything as one object."""
        told = self.found.to_json()
        return {
            "found": told["found"], "least": told["least"], "tables": told["files"],
            "counts": self.found.counts.rename({"file": "table"}).to_dicts(),
            "finds": self.finds.to_dicts(), "declared": self.declared.to_dicts(),
            "attachments": self.attachments.to_json(),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.found.found:,} finds in columns not declared personal, of {self.found.files} tables"]
        for row in self.finds.head(20).iter_rows(named=True):
            line = "" if row["row"] is None else f":{row['row']}"
            where = f"{row['table']} {row['record']} {row['column']}{line}"
            lines.append(f"  {where}: {row['kind']} {row['excerpt']} ({row['confidence']}, {row['rule']})")
        if self.finds.height > 20:
            lines.append("  … all that is listed: --json")
        lines.append("declared columns hold:")
        lines += [f"  {count:>9,}  {table}.{column}" for table, column, count in self.declared.iter_rows()]
        return "\n".join([*lines, str(self.attachments)])


def _frames(
    connection: sa.Connection, table: sa.Table, columns: list[str]
) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Return the rows of a table, batch by batch: their keys, and the columns to be searched."""
    key = next(iter(table.primary_key.columns)).name
    schema = dict.fromkeys(columns, pl.String)
    keys: list[str] = []
    batch: list[list[str | None]] = []
    for row in rows_of(connection, table, *blind_rows(table)):
        keys.append(_text(row[key]) or "")
        batch.append([_text(row[name]) for name in columns])
        if len(batch) == ROWS_AT_ONCE:
            yield keys, pl.DataFrame(batch, schema=schema, orient="row")
            keys, batch = [], []
    if batch:
        yield keys, pl.DataFrame(batch, schema=schema, orient="row")


def _search_tables(connection: sa.Connection, least: str) -> tuple[PersonalData, pl.DataFrame]:
    """Look into every table with columns that are neither declared, nor secret, nor repeated codes."""
    search = Search(least)
    records: list[str] = []
    tables = size = 0
    for table in all_tables():
        columns = _searched(table)
        if not columns:
            continue
        for keys, frame in _frames(connection, table, columns):
            search.look(Part("", 0, frame=frame), table.name)
            records += [keys[one.row] for one in search.finds[len(records) :]]
            size += int(frame.estimated_size())
        tables += 1
    found = search.result(tables, size)
    named = found.finds.rename({"file": "table"}).with_columns(
        pl.Series("record", records, pl.String), pl.lit(None, pl.Int64).alias("row")
    )
    return found, named.select(*FIND_SCHEMA)


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

    Files of attachments are looked into where they hold text; pictures and PDFs are not, and named.

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
        work.note("search", target, "", {"least": least, "attachments": True})
    tables = {table.name: table for table in all_tables()}
    with reading(store.engine) as connection:
        found, finds = _search_tables(connection, least)
        files = search_attachments(connection, store.folder, least=least)
        declared = [
            (table, column, _values(connection, tables[table].c[column]))
            for table, columns in DECLARED.items()
            for column in columns
        ]
    schema = {"table": pl.String, "column": pl.String, "values": pl.Int64}
    whole = replace(found, counts=pl.concat([found.counts, files.counts]), bytes=found.bytes + files.bytes)
    finds = pl.concat([finds, files.finds.select(*FIND_SCHEMA)])
    return RegistersPersonalData(whole, finds, pl.DataFrame(declared, schema=schema, orient="row"), files)


def _values(connection: sa.Connection, column: sa.Column[Any]) -> int:
    return int(connection.execute(sa.select(sa.func.count(column))).scalar_one())
