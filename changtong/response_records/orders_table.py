"""All orders of an issued plan as one table for spreadsheets."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from changtong.spreadsheets import without_formulas

COLUMNS = (
    "site", "site_name", "state", "answered_at", "answer", "stop_seen_at", "told", "action", "destination",
    "destination_name", "service_class", "next_site", "next_site_name", "pieces", "trips", "leg_pieces",
    "leg_trips", "from_h", "note_code", "blocked_by", "words_zh", "words_en",
)  # fmt: skip
NUMBERS: Mapping[str, type[pl.DataType]] = {
    "pieces": pl.Float64, "leg_pieces": pl.Float64, "from_h": pl.Float64, "trips": pl.Int64,
    "leg_trips": pl.Int64,
}  # fmt: skip


def orders_csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return orders as CSV that Excel opens rightly, and runs no text of.

    Parameters
    ----------
    rows : iterable of mapping
        As `changtong.response_records.issued_orders.every_row` gives them.
    """
    said = [{**row, **{f"words_{one}": row["words"][one] for one in ("zh", "en")}} for row in rows]
    schema = {name: NUMBERS.get(name, pl.String) for name in COLUMNS}
    frame = pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in said], schema=schema)
    into = io.BytesIO()
    without_formulas(frame).write_csv(into, include_bom=True)
    return into.getvalue()
