"""Records as tables for spreadsheets: CSV or XLSX, and an empty one to be filled in and loaded."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.spreadsheets import without_formulas
from changtong.storage.definitions import register_columns
from changtong.storage.pages import MOST_ROWS as ROWS_OF_A_PAGE
from changtong.storage.pages import Query
from changtong.storage.records import Record, check_kind
from changtong.storage.store import Desk
from changtong.storage.whole_registers import count_rows
from changtong.workbooks import Cell, write_workbook

HEAD = ("id", "organisation", "admin_code", "version")
"""Columns that stand before those of the register."""

MOST_ROWS = 100_000
"""Of one table: a spreadsheet is no copy of the registers, `registers export` makes one."""

EXPLAINED = {
    "id": "Where it was made elsewhere; empty: one is made. / 在别处生成的编号；不填则自动生成。",
    "organisation": "Whose it is; empty: one's own, or the site's. / 所属单位；不填为本单位或站点的单位。",
    "admin_code": "Code of the region; empty: the organisation's. / 行政区划代码；不填随单位。",
}


def csv_of(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> str:
    """Return rows as CSV for spreadsheets: no text in it is run as a formula.

    Parameters
    ----------
    rows : iterable of mapping
    columns : iterable of str
    """
    names = list(columns)
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    shown = without_formulas(pl.DataFrame(cells, dict.fromkeys(names, pl.String()), orient="row"))
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(names)
    writer.writerows(shown.rows())
    return "\ufeff" + stream.getvalue()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> Cell:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if value is None or is_number else _text(value)


def table_of(kind: str, records: Iterable[Record], ending: str) -> bytes:
    """Return records as a table that `loading.load_file` takes back, personal data masked.

    Parameters
    ----------
    kind : str
    records : iterable of Record
    ending : {"csv", "xlsx"}
    """
    names = [*HEAD, *register_columns(check_kind(kind))]
    rows = [{name: getattr(one, name) for name in HEAD} | dict(one.values) for one in records]
    if ending == "csv":
        return csv_of(rows, names).encode()
    return _workbook([(kind, [[*names], *([_cell(row[name]) for name in names] for row in rows)])])


def whole_table(desk: Desk, kind: str, query: Query, ending: str) -> bytes:
    """Return all records that a query finds, on all its pages, as a table.

    Parameters
    ----------
    desk : Desk
    kind : str
    query : Query
        Its ``limit`` and ``after`` do not count.
    ending : {"csv", "xlsx"}

    Raises
    ------
    InputError
        ``too-large``: more than `MOST_ROWS`.
    """
    with desk.work(writes=False) as work:
        count = count_rows(work, check_kind(kind), query)
    if count > MOST_ROWS:
        text = f"{count:,} records fit, and a table holds {MOST_ROWS:,}."
        raise InputError([Problem("too-large", text, expected="a narrower filter, or `registers export`")])
    every = Query(query.where, query.since, query.until, ROWS_OF_A_PAGE, query.newest_first)
    return table_of(kind, desk.every(kind, every), ending)


def template_of(kind: str, ending: str) -> bytes:
    """Return an empty table with the columns that a file may fill in.

    Parameters
    ----------
    kind : str
    ending : {"csv", "xlsx"}
        A workbook has a second sheet, which says what each column holds.
    """
    columns = register_columns(check_kind(kind))
    own = {name: one for name, one in columns.items() if one.ledger not in ("only", "mark")}
    names = [*own, *EXPLAINED]
    if ending == "csv":
        return csv_of([], names).encode()
    told: list[list[Cell]] = [["column", "needed", "type", "choices", "description", "说明"]]
    for name, one in own.items():
        needed = "yes" if one.required and not one.default else ""
        told.append(
            [name, needed, one.type, ", ".join(one.choices), one.description, one.description_zh]
        )  # fmt: skip
    for name, text in EXPLAINED.items():
        english, chinese = text.split(" / ")
        told.append([name, "", "text", "", english, chinese])
    return _workbook([(kind, [[*names]]), ("columns", told)])


def _workbook(sheets: list[tuple[str, list[list[Cell]]]]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="changtong-table-") as place:
        return write_workbook(Path(place) / "table.xlsx", sheets).read_bytes()
