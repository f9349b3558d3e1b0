"""Tiny scan logs for tests: rows are (item, local time, code, site), counted by hand where they are used."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from changtong.events.engine import EVENT_COLUMNS

ZONE = ZoneInfo("Asia/Shanghai")

SITES = pl.DataFrame(
    {
        "site_id": ["A1", "A2", "B1", "B2", "C2", "Z9"],
        "name": ["甲一", "甲二", "乙一", "乙二", "丙二", None],
        "kind": ["outlet", "transfer", "outlet", "transfer", "transfer", "outlet"],
        "region": ["east", "east", "west", "west", "west", "west"],
        "operator": ["X", "X", "Y", "Y", "Y", None],
    }
)

EMPTY = ("recorded_ms", "next_site_id", "vehicle", "attributes")
CLASSES = {3: "express", 7: "express"}

ROWS = """
1 05-04T10:00 accept A1
1 05-04T10:00 register A1
1 05-04T10:01 inspect A1
1 05-04T12:00 depart A1
1 05-04T13:00 arrive A2
1 05-04T13:30 screen A2
1 05-04T16:00 depart A2
1 05-05T10:00 arrive B2
1 05-05T12:00 depart B2
1 05-05T14:00 arrive B1
1 05-06T08:00 out_for_delivery B1
1 05-06T11:00 deliver B1
2 05-03T09:00 accept A1
2 05-03T12:00 arrive A2
3 05-06T09:00 accept A1
3 05-06T09:00 register A1
3 05-06T09:05 inspect A1
3 05-06T15:00 depart A1
4 05-06T20:30 accept A1
4 05-06T20:30 inspect A1
5 05-03T10:00 accept A1
5 05-05T08:00 out_for_delivery A1
5 05-05T10:00 deliver A1
6 05-06T08:00 accept A1 e6
6 05-07T08:00 void A1 e6
7 05-05T09:00 accept A1
7 05-06T07:00 arrive B1
7 05-06T09:00 out_for_delivery B1
8 05-04T09:00 accept A1
8 05-05T09:00 arrive B1
8 05-05T20:00 return B1
8 05-06T10:00 deliver A1
9 05-06T11:00 accept B1
9 05-06T12:00 cancel B1
0 05-02T12:00 load C2
0 05-03T12:00 load C2
0 05-04T12:00 load C2
0 05-06T23:00 load A2
3 05-07T09:00 arrive A2
4 05-07T00:00 depart A1
"""
"""One line for each scan of 2022: item (0: a bag alone), time, code, site and, where it matters, its id."""


def epoch_ms(text: str, year: int = 2022) -> int:
    """Return a local time like 05-06T08:00 in epoch milliseconds."""
    return round(datetime.fromisoformat(f"{year}-{text}").replace(tzinfo=ZONE).timestamp() * 1000)


def make_log(rows: list[tuple[int, int, str, str | None, str | None]]) -> pl.DataFrame:
    """Return events from (item or 0, at_ms, code, site, event id)."""
    return pl.DataFrame(
        [
            {
                "at_ms": at_ms, "code": code, "site_id": site, "item": item or None, "event_id": event,
                "service_class": CLASSES.get(item, "ordinary") if item else None, "row_key": number,
                "receptacle": None if item else 77,
            }
            for number, (item, at_ms, code, site, event) in enumerate(rows)
        ],
        schema_overrides=EVENT_COLUMNS,
    ).select(
        (pl.lit(None) if name in EMPTY else pl.col(name)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )  # fmt: skip


def tiny_log() -> pl.DataFrame:
    """Return the log of ``ROWS``."""
    rows: list[tuple[int, int, str, str | None, str | None]] = []
    for line in ROWS.split("\n")[1:-1]:
        item, at, code, site, *event = line.split()
        rows.append((int(item), epoch_ms(at), code, site, event[0] if event else None))
    return make_log(rows)


def write_log(frame: pl.DataFrame, folder: Path, parts: int = 2) -> list[Path]:
    """Write events as Parquet files of a log, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    size = -(-frame.height // parts) or 1
    for k in range(0, frame.height, size):
        files.append(folder / f"{k}.parquet")
        frame[k : k + size].write_parquet(files[-1])
    return files
