"""Indicators by site added up over many days, the log read once.

Each day counts as `indicators` counts it, with its own look-back and as of its end; what a day tells of
where items are (transit, backlog) is not added up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.events.columns import open_scans, voided_ids
from changtong.events.day_sources import KERNEL_SHARE, SHARE_ON_DISK, sql_text
from changtong.events.engine import MEMORY_GIB, THREADS, open_duckdb
from changtong.events.indicators import DUE_MS, LOOK_BACK_DAYS, clock_of, day_limits
from changtong.events.item_scans import COLUMNS, DAY_MS, ItemScans, Part, Window
from changtong.events.log import EventLog
from changtong.events.period_steps import COUNTS, count_days

Watch = Callable[[str, float], None]

MOST_DAYS = 366
"""Days that are read at once: with the look-back before them, instants still fit beside code and site."""

SUMS: dict[str, tuple[str, str | None]] = {
    "accepted_pieces": ("accepted", None),
    "registered_share": ("registered", "accepted"),
    "inspected_share": ("inspected", "accepted"),
    "screened_share": ("screened", "accepted"),
    "delivered_pieces": ("delivered_there", None),
    "registered_share_of_delivered": ("delivered_registered", "delivered"),
    "inspected_share_of_delivered": ("delivered_inspected", "delivered"),
    "screened_share_of_delivered": ("delivered_screened", "delivered"),
    "on_time_72h_share": ("due_in_time", "due"),
    "delivered_within_72h_share": ("delivered_in_time", "delivered"),
}
"""Indicator -> what it counts, and of what it is a share."""

SCHEMA = {
    "indicator": pl.String(), "site_id": pl.String(), "numerator": pl.Int64(), "denominator": pl.Int64(),
}  # fmt: skip


def count_period(
    log: EventLog,
    days: Sequence[date],
    names: Sequence[str],
    *,
    memory_gib: float = MEMORY_GIB,
    threads: int = THREADS,
    watch: Watch | None = None,
) -> pl.DataFrame:
    """Return indicators by site, added up over days.

    Parameters
    ----------
    log : EventLog
    days : sequence of date
        In the log's zone, ascending. Of a day that is not over what was scanned until now.
    names : sequence of str
        Indicators of `SUMS`.
    memory_gib : float
        What scans may take while they are brought to their items; with more of them, shares of the items
        wait on disk.
    threads : int
    watch : callable, optional
        Told how far it is.

    Returns
    -------
    polars.DataFrame
        ``indicator``, ``site_id``, ``numerator``, ``denominator`` (none where it is no share); sites with
        items only. A share is all items of all days over all of them.

    Raises
    ------
    InputError
        ``unreadable-file``, ``missing-column``.

    Examples
    --------
    >>> count_period(log, log.days, ["registered_share"])  # doctest: +SKIP
    """
    found = [pl.DataFrame(schema=SCHEMA)]
    clock, now_ms = clock_of(log.zone), time.time_ns() // 1_000_000
    for some in _years(days):
        limits = [day_limits(day, clock) for day in some]
        spans = [(begin, min(end, now_ms)) for begin, end in limits if begin < now_ms]
        if spans:
            files = log.files(some[0] - timedelta(days=LOOK_BACK_DAYS + 1))
            found += _counted(files, np.array(spans, np.int64), names, memory_gib, threads, watch)
    total = pl.concat(found).group_by("indicator", "site_id").agg(
        pl.col("numerator").sum(),
        pl.when(pl.col("denominator").count() > 0).then(pl.col("denominator").sum()).alias("denominator"),
    )  # fmt: skip
    return total.sort("indicator", "site_id")


def _years(days: Sequence[date]) -> Iterator[list[date]]:
    """Cut days into spans that are read at once."""
    some: list[date] = []
    for day in days:
        if some and (day - some[0]).days >= MOST_DAYS:
            yield some
            some = []
        some.append(day)
    if some:
        yield some


def _counted(
    files: Sequence[Path],
    spans: NDArray[np.int64],
    names: Sequence[str],
    memory_gib: float,
    threads: int,
    watch: Watch | None,
) -> list[pl.DataFrame]:
    """Count the days ``spans``, begin and end of each, from files; later ones may declare scans wrong."""
    base_ms = int(spans[0, 0]) - LOOK_BACK_DAYS * DAY_MS
    window = Window(base_ms, int(spans[-1, 1]))
    voided = voided_ids(files, open_scans(files, COLUMNS)).to_pylist()
    codes = dict(open_duckdb([]).query(sql_text("codes")).select("code", "code_no").iter_rows())
    scans = ItemScans(
        files, window, codes, [], voided=voided, memory_gib=KERNEL_SHARE * memory_gib, threads=threads
    )
    if scans.passes > 1:
        scans.share_memory(SHARE_ON_DISK * memory_gib)
    total = None
    for number in range(scans.passes):
        if watch is not None:
            watch("scan log", number / scans.passes)
        parts = scans.read(number)
        made = _count_parts(parts, len(scans.site_ids) + 1, spans, base_ms, threads)
        total = made if total is None else total + made
        del parts
    assert total is not None
    return [_by_site(total[:, 1:], scans.site_ids, name) for name in names]


def _count_parts(
    parts: Sequence[Part], sites: int, spans: NDArray[np.int64], base_ms: int, threads: int
) -> NDArray[np.int64]:
    begins, ends = (np.ascontiguousarray(column) for column in spans.T)

    def count(some: Sequence[Part]) -> NDArray[np.int64]:
        counts, seen = np.zeros((len(COUNTS), sites), np.int64), np.full(len(begins), -1, np.int64)
        for part in some:
            count_days(
                part.ptr, part.place, begins, ends, base_ms, LOOK_BACK_DAYS * DAY_MS, DUE_MS, seen, counts
            )
        return counts

    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(count, [parts[k::threads] for k in range(threads)]))
    total: NDArray[np.int64] = np.sum(made, axis=0, dtype=np.int64)
    return total


def _by_site(counts: NDArray[np.int64], site_ids: Sequence[str], name: str) -> pl.DataFrame:
    """Return an indicator of each site that has items of it; rows without a site are of none."""
    part, whole = SUMS[name]
    number = {row: k for k, row in enumerate(COUNTS)}
    of = pl.Series(counts[number[whole or part]])
    frame = pl.DataFrame(
        {
            "indicator": pl.Series([name] * len(site_ids), dtype=pl.String),
            "site_id": pl.Series(site_ids, dtype=pl.String),
            "numerator": counts[number[part]],
            "denominator": of if whole is not None else pl.Series([None] * len(of), dtype=pl.Int64),
        },
        SCHEMA,
    )
    return frame.filter((of > 0) & (pl.col("site_id") != ""))
