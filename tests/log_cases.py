"""Scan logs for the tests of alerts: written as an ingest leaves them, without one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from alert_cases import MONDAY, instant

from changtong.events.engine import EVENT_COLUMNS
from changtong.events.log import EventLog, create_log, open_log, write_json

SITES = tuple(f"S{k:02}" for k in range(12))
HOUR_MS = 3_600_000


def log_of(
    frame: pl.DataFrame, path: Path, sites: pl.DataFrame | None = None, zone: str = "Asia/Shanghai"
) -> EventLog:
    """Write events as a log: a file for each day, one batch."""
    create_log(path, zone)
    local = pl.from_epoch("at_ms", "ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.date()
    files: dict[str, list[str]] = {}
    for (day,), part in frame.with_columns(local.alias("day")).partition_by("day", as_dict=True).items():
        name = f"events/day={day}/b000001-0.parquet"
        (path / name).parent.mkdir(parents=True)
        part.drop("day").write_parquet(path / name)
        files[str(day)] = [name]
    if files:
        batch = {
            "number": 1, "source": "made.csv", "size_bytes": 0, "digest": "0" * 64, "rows_read": frame.height,
            "rows_added": frame.height, "duplicates": 0, "quarantined": 0, "files": files,
        }  # fmt: skip
        write_json(path / "batches" / "b000001.json", batch)
    if sites is not None:
        sites.write_parquet(path / "sites.parquet")
    return open_log(path)


def ring(days: int, shut: tuple[int, int, int] = (4, 18, 20), pieces: int = 300) -> pl.DataFrame:
    """Return scans of twelve sites: each piece is accepted, departs, arrives one or five on, is delivered.

    ``shut`` is a site, its first day without scans and the first one with scans again: what should
    happen there waits for that day, and what is on its way to it as well.
    """
    rng = np.random.default_rng(7)
    site, first, again = shut
    parts = []
    for day in range(days):
        n = pieces * len(SITES)
        origin = np.arange(n) % len(SITES)
        to = (origin + np.where(np.arange(n) // len(SITES) % 4 == 0, 1, 5)) % len(SITES)
        steps = np.cumsum(
            np.column_stack(
                [rng.uniform(8, 14, n), rng.uniform(3, 9, n), rng.uniform(5, 8, n), rng.uniform(4, 12, n)]
            ),
            axis=1,
        )
        steps = 24.0 * day + steps
        where = np.column_stack([origin, origin, to, to])
        for k in range(4):
            stuck = (where[:, k] == site) & (steps[:, k] >= 24.0 * first) & (steps[:, k] < 24.0 * again)
            wait = np.where(stuck, 24.0 * again + rng.uniform(1, 20, n) - steps[:, k], 0.0)
            steps[:, k:] += wait[:, None]
        parts.append(
            pl.DataFrame(
                {
                    "at_ms": (instant(0) + np.round(steps * HOUR_MS)).astype(np.int64).ravel(),
                    "code": ["accept", "depart", "arrive", "deliver"] * n,
                    "site_id": np.array(SITES)[where].ravel(),
                    "item": np.repeat(np.arange(n, dtype=np.int64) + 1_000_000 * (day + 1), 4),
                }
            )
        )
    rows = pl.concat(parts).filter(pl.col("at_ms") < instant(days)).with_row_index("row_key")
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )


def day_of(number: int) -> date:
    """Return a day counted from the Monday on which the ring begins."""
    return MONDAY + timedelta(days=number)
