"""Formats that are read event by event (EPCIS, IPS, EMSEVT) as chunks of fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from changtong.events.formats.foreign_rows import ForeignRows
from changtong.events.mapping import Mapping
from changtong.events.sources import Chunk, digest_of, text_of

ROWS = 200_000

COLUMNS = {
    "event_id": "event_id", "item_id": "item_id", "receptacle_id": "receptacle_id",
    "vehicle_id": "vehicle_id",
    "code": "code", "site_id": "site_id", "next_site_id": "next_site_id", "at": "at_ms",
    "recorded_at": "recorded_ms", "service_class": "service_class", "attributes": "attributes",
}  # fmt: skip

FOREIGN = Mapping(
    {field: name for field, name in COLUMNS.items() if field != "attributes"},
    time_format="epoch_ms",
    check_s10=False,
    site_needed=False,
    keep_damaged=True,
    id_needed=False,
)
"""How the rows of these readers are taken on: they were checked, and their times are UTC."""


class ForeignSource:
    """A file whose own reader tells rows and problems.

    Parameters
    ----------
    path : Path
    read : callable
        Reads the file.

    Attributes
    ----------
    notes : dict
        What the reader noticed of rows that it kept: code to how often; after the chunks.
    """

    def __init__(self, path: Path, read: Callable[[Path], ForeignRows]) -> None:
        self.path, self._read = path, read
        self.notes: dict[str, int] = {}

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return digest_of(self.path)

    def chunks(self) -> Iterator[Chunk]:
        """Return the rows of the file; events that gave none are bad, for their first problem."""
        found = self._read(self.path)
        kept = found.rows["row"].unique()
        lost = found.problems.filter(~pl.col("row").is_in(kept.implode())).unique("row", keep="first")
        bad = [(int(row), str(code)) for row, code in lost.sort("row").select("row", "code").iter_rows()]
        noticed = found.problems.filter(pl.col("row").is_in(kept.implode()))
        self.notes = dict(Counter(noticed["code"].to_list()))
        total = max(1, found.rows.height)
        for first in range(0, total, ROWS):
            rows = found.rows.slice(first, ROWS)
            columns = {
                field: text_of(rows[name].cast(pl.String).fill_null("").to_arrow().cast(pa.large_string()))
                for field, name in COLUMNS.items()
            }
            numbers = rows["row"].cast(pl.Int64).to_numpy().astype(np.int64)
            yield Chunk(columns, numbers, bad if first == 0 else [], min(1.0, (first + ROWS) / total))
