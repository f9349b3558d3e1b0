"""Everything in the registers as open files: a CSV or JSON lines for each table, and a schema of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.errors import UsageError
from changtong.rights.decide import Target
from changtong.storage.backup import new_folder
from changtong.storage.blind_marks import blind_rows
from changtong.storage.definitions import REGISTERS, register_columns
from changtong.storage.engine import reading
from changtong.storage.migrate import newest_version
from changtong.storage.rows import now
from changtong.storage.schema import Instant, JsonText, canonical, table_name
from changtong.storage.store import Desk, Store
from changtong.storage.table_rows import SECRETS, all_tables, rows_of, shown

LEFT_OUT = ("passes", "recovery_codes", "attempts", "audit_head")
"""Tables that hold nothing but hashes and counters of signing in, or what the audit says already."""

FORMATS = ("csv", "jsonl")


def export_all(
    store: Store, desk: Desk, folder: str | Path, reason: str, *, format: str = "csv", personal: bool = False
) -> dict[str, int]:
    """Write all registers, people and the audit as open files, of one instant; return the rows of each.

    Parameters
    ----------
    store : Store
    desk : Desk
        Of an administrator of everything.
    folder : path
        Not there yet.
    reason : str
        Goes on record.
    format : str
        csv or jsonl.
    personal : bool
        Whether columns with personal data are written as well.

    Raises
    ------
    UsageError
        ``reason-missing``, ``unknown-format``, ``registers-exist``.
    """
    if format not in FORMATS:
        raise UsageError(f"{format!r} is neither csv nor jsonl.", "unknown-format")
    if not reason.strip():
        raise UsageError("Say why everything is exported: it goes on record.", "reason-missing")
    with desk.work(writes=True) as work:
        target = Target("registers", "/", "")
        work.allow("export", target)
        work.note("export", target, "", {"personal": personal, "format": format}, reason)
    tables = [table for table in all_tables() if table.name not in LEFT_OUT]
    counts: dict[str, int] = {}
    with new_folder(Path(folder)) as beside, reading(store.engine) as connection:
        for table in tables:
            columns = _columns(table, personal=personal)
            path = beside / f"{table.name}.{format}"
            rows = _shown(rows_of(connection, table, *blind_rows(table)), columns)
            counts[table.name] = (_write_csv if format == "csv" else _write_lines)(path, columns, rows)
        package = {
            "profile": "data-package", "name": "changtong-registers", "created": now().isoformat(),
            "version": newest_version(),
            "resources": [_resource(table, format, personal=personal) for table in tables],
        }  # fmt: skip
        (beside / "datapackage.json").write_text(
            json.dumps(package, ensure_ascii=False, indent=1) + "\n", "utf-8"
        )
    return counts


def _columns(table: sa.Table, *, personal: bool) -> list[sa.Column[Any]]:
    hidden = set(SECRETS)
    if table.name != "audit":
        hidden.add("salt")
    if not personal:
        hidden |= {name for name, column in _defined(table).items() if column.personal}
    return [column for column in table.columns if column.name not in hidden]


def _defined(table: sa.Table) -> dict[str, Any]:
    kinds = {table_name(kind): kind for kind in REGISTERS}
    return dict(register_columns(kinds[table.name])) if table.name in kinds else {}


def _shown(rows: Iterator[dict[str, Any]], columns: list[sa.Column[Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {column.name: shown(column, row[column.name]) for column in columns}


def _write_csv(path: Path, columns: list[sa.Column[Any]], rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    as_json = {column.name for column in columns if isinstance(column.type, JsonText)}
    as_bool = {column.name for column in columns if isinstance(column.type, sa.Boolean)}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in columns])
        writer.writeheader()
        for row in rows:
            for name in as_json:
                row[name] = None if row[name] is None else canonical(row[name])
            for name in as_bool:
                row[name] = None if row[name] is None else str(row[name]).lower()
            writer.writerow(row)
            count += 1
    return count


def _write_lines(path: Path, _columns: list[sa.Column[Any]], rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(canonical(row) + "\n")
            count += 1
    return count


def _resource(table: sa.Table, format: str, *, personal: bool) -> dict[str, Any]:
    defined = _defined(table)
    fields = []
    for column in _columns(table, personal=personal):
        entry: dict[str, Any] = {"name": column.name, "type": _type(column)}
        if column.name in defined:
            entry["description"] = defined[column.name].description
            if defined[column.name].choices:
                entry["constraints"] = {"enum": list(defined[column.name].choices)}
        fields.append(entry)
    names = {field["name"] for field in fields}
    keys = [
        {"fields": column.name, "reference": {"resource": key.column.table.name, "fields": key.column.name}}
        for column in table.columns
        for key in column.foreign_keys
        if column.name in names and key.column.table.name not in LEFT_OUT
    ]
    schema = {
        "fields": fields,
        "primaryKey": [c.name for c in table.primary_key.columns],
        "foreignKeys": keys,
    }
    return {"name": table.name, "path": f"{table.name}.{format}", "encoding": "utf-8", "schema": schema}


def _type(column: sa.Column[Any]) -> str:
    match column.type:
        case Instant():
            return "datetime"
        case JsonText():
            return "object"
        case sa.Boolean():
            return "boolean"
        case sa.Integer():
            return "integer"
        case sa.Double():
            return "number"
        case _:
            return "string"
