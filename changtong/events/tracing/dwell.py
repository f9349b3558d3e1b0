"""Dwell and backlog: how long items waited since their scan before, and how many wait where and when.

*Dwell* of a scan: the time since the same item's scan before it; the first has none. It counts at the
site of the scan, or, with ``at_one_site``, only where both were at the same site.

*Backlog* of a site at an instant: items whose last scan up to and at the instant was there, unless
that scan says that they left (``depart``, ``out_for_delivery``) or that their way ended (``deliver``,
``cancel``). It is given at the end of every bin: of the bin that begins at t, up to t + bin_ms - 1.

Rows may come in any order, those in order of time are fastest; rows of one item at the same time count in
the order given.
``note`` and ``void`` rows and rows without an item say nothing; a scan without a site counts for the item's
time but at no site, and takes the item out of no backlog. A row given twice is a scan of its own, with
dwell 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.events.columns import CODES, Ints, Longs, ScanColumns
from changtong.events.tracing.dwell_steps import count_rows, dwell_of_part, moves_of_part, scatter_rows
from changtong.events.tracing.visit_steps import LEFT_OUT

T = TypeVar("T")

H_MS = 3_600_000

GONE_BY = np.array([code in ("depart", "out_for_delivery", "deliver", "cancel") for code in CODES])
"""Codes by which an item is no longer in a site's backlog."""

STAYS_PUT = np.zeros(len(CODES), np.bool_)

ROWS_AT_ONCE = 25_000_000
"""Rows brought together by item at a time, by each core: 28 bytes each."""

ROWS_OF_A_TABLE = 100_000

WORTH_TWO_CORES = 500_000
"""Rows from which a work is shared between cores."""

MOST_CELLS = 400_000_000
"""Sites times bins of a backlog: more would not fit into memory beside the log."""


class _Rows(NamedTuple):
    """Rows of some tables, each item's in order of time."""

    keys: Longs
    times: Longs
    marks: Ints
    ptr: Longs


@dataclass(frozen=True)
class Backlog:
    """Items waiting at every site at the end of every bin.

    Attributes
    ----------
    waiting : array of int32, (sites, bins)
    site_ids : tuple of str
    begin_ms, bin_ms : int
        Bin b is from ``begin_ms + b * bin_ms`` up to a millisecond before the next.
    """

    waiting: Ints
    site_ids: tuple[str, ...]
    begin_ms: int
    bin_ms: int

    def frame(self) -> pl.DataFrame:
        """Return ``site_id``, ``begin_ms`` of the bin and ``items``, where there are any."""
        site, at = np.nonzero(self.waiting)
        return pl.DataFrame(
            {
                "site_id": pl.Series(self.site_ids, dtype=pl.String).gather(site),
                "begin_ms": self.begin_ms + at * self.bin_ms,
                "items": self.waiting[site, at],
            },
            schema_overrides={"begin_ms": pl.Int64},
        )


def dwell_by_site(
    columns: ScanColumns,
    *,
    at_one_site: bool = False,
    quantiles: Sequence[float] = (),
    threads: int = 2,
) -> pl.DataFrame:
    """Return the dwell of scans by site: ``scans``, ``total_ms``, ``mean_ms``, ``most_ms`` and quantiles.

    Parameters
    ----------
    columns : ScanColumns
    at_one_site : bool
        Count only the time between two scans at the same site.
    quantiles : sequence of float
        Each gives a column such as ``q90_ms``: the smallest dwell that at least this share of the scans
        do not exceed. They take 12 bytes more for each scan.
    threads : int

    Raises
    ------
    UsageError
        ``bad-quantile``: not above 0 and at most 1.

    Examples
    --------
    >>> import numpy as np
    >>> zero, site, code = np.zeros(2, np.int64), np.zeros(2, np.int32), np.zeros(2, np.int8)
    >>> log = ScanColumns(np.array([5, 9]), zero + 7, zero, zero, site, code, ("A",))
    >>> dwell_by_site(log, quantiles=[0.5]).rows()
    [('A', 1, 4, 4.0, 4, 4)]
    """
    if not all(0.0 < q <= 1.0 for q in quantiles):
        raise UsageError(f"Quantiles must be above 0 and at most 1, not {list(quantiles)}.", "bad-quantile")
    sites = len(columns.site_ids)

    def work(rows: _Rows) -> tuple[Longs, Longs, Longs, Longs, Ints]:
        dwell = np.empty(len(rows.keys), np.int64)

        def once(rows: _Rows) -> tuple[bool, tuple[Longs, Longs, Longs]]:
            sums = np.zeros(sites, np.int64), np.zeros(sites, np.int64), np.full(sites, -1)
            return dwell_of_part(*rows, at_one_site, dwell, *sums), sums

        rows, sums = _in_order(rows, once)
        known = np.flatnonzero(dwell >= 0) if quantiles else np.zeros(0, np.int64)
        return *sums, dwell[known], rows.marks[known]

    done = _by_item(columns, STAYS_PUT, work, threads)
    count: Longs = np.sum([part[0] for part in done], axis=0, dtype=np.int64)
    total = np.sum([part[1] for part in done], axis=0, dtype=np.int64)
    most = np.max([part[2] for part in done], axis=0)
    frame = pl.DataFrame(
        {
            "site_id": pl.Series(columns.site_ids, dtype=pl.String),
            "scans": count,
            "total_ms": total,
            "mean_ms": total / np.maximum(count, 1),
            "most_ms": most,
        }
    )
    if quantiles:
        values, at = np.concatenate([part[3] for part in done]), np.concatenate([part[4] for part in done])
        frame = frame.with_columns(_quantiles(values, at, count, quantiles))
    return frame.filter(pl.col("scans") > 0).sort("site_id")


def _quantiles(values: Longs, site: Ints, count: Longs, quantiles: Sequence[float]) -> list[pl.Series]:
    """Return exact quantiles of values by site, by nearest rank; -1 at a site without any."""
    values = values[np.argsort(site, kind="stable")]
    ends = np.cumsum(count)
    out = np.full((len(quantiles), len(count)), -1)
    for s in np.flatnonzero(count):
        own = values[ends[s] - count[s] : ends[s]]
        ranks = [max(0, int(np.ceil(round(q * len(own), 9))) - 1) for q in quantiles]
        out[:, s] = np.partition(own, sorted(set(ranks)))[ranks]
    return [pl.Series(f"q{q * 100:g}_ms", row) for q, row in zip(quantiles, out, strict=True)]


def backlog_by_site(
    columns: ScanColumns,
    *,
    bin_ms: int = H_MS,
    begin_ms: int | None = None,
    end_ms: int | None = None,
    threads: int = 2,
) -> Backlog:
    """Return the items waiting at every site at the end of every bin.

    Parameters
    ----------
    columns : ScanColumns
    bin_ms : int
        Length of a bin: an hour, or 60,000 for a minute.
    begin_ms, end_ms : int, optional
        Begin of the first bin, and an instant in the last; the log's first and newest without them. They must
        hold all rows.
    threads : int

    Raises
    ------
    UsageError
        ``bad-bins``: there are none, too many, or rows lie outside of them.

    Examples
    --------
    >>> import numpy as np
    >>> zero, site, code = np.zeros(2, np.int64), np.array([0, 1], np.int32), np.zeros(2, np.int8)
    >>> log = ScanColumns(np.array([5, 9]), zero + 7, zero, zero, site, code, ("A", "B"))
    >>> backlog_by_site(log, bin_ms=3).waiting.tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    if bin_ms < 1:
        raise UsageError(f"A bin of {bin_ms} ms is none: 1 or more.", "bad-bins")
    least, newest = (int(columns.at_ms.min()), int(columns.at_ms.max())) if len(columns) else (0, -1)
    begin = least // bin_ms * bin_ms if begin_ms is None else begin_ms
    last = newest if end_ms is None else end_ms
    if len(columns) and (least < begin or newest > last):
        raise UsageError("Rows of the log lie outside the bins: a backlog needs all of them.", "bad-bins")
    bins = max(0, (last - begin) // bin_ms + 1)
    sites = len(columns.site_ids)
    if bins * sites > MOST_CELLS:
        raise UsageError(
            f"{bins:,} bins of {sites:,} sites are too many: take longer bins or fewer days.", "bad-bins"
        )

    waiting = np.zeros((sites, bins), np.int32)
    lock = Lock()

    def work(rows: _Rows) -> None:
        def once(rows: _Rows) -> tuple[bool, Ints]:
            moves = np.zeros((sites, bins), np.int32)
            return moves_of_part(*rows, begin, bin_ms, moves), moves

        moves = _in_order(rows, once)[1]
        with lock:
            np.add(waiting, moves, out=waiting)

    _by_item(columns, GONE_BY, work, threads)
    np.cumsum(waiting, axis=1, out=waiting)
    return Backlog(waiting, columns.site_ids, begin, bin_ms)


def _by_item(
    columns: ScanColumns, gone: NDArray[np.bool_], work: Callable[[_Rows], T], threads: int
) -> list[T]:
    """Do a work on the rows of all items, some items at a time; return what each gave."""
    n = len(columns)
    threads = threads if n >= WORTH_TWO_CORES else 1
    tables = 1
    while n > tables * ROWS_OF_A_TABLE:
        tables *= 2
    tables = max(tables, threads)
    with ThreadPoolExecutor(threads) as pool:
        cuts = np.linspace(0, n, threads + 1).astype(np.int64)
        item, code = columns.item, columns.code
        counts = list(
            pool.map(lambda cut: count_rows(item, code, LEFT_OUT, *cut, tables), list(pairwise(cuts)))
        )
        count = np.sum(counts, axis=0)
        passes = -(-max(threads, int(np.ceil(n / ROWS_AT_ONCE))) // threads) * threads
        ends = np.searchsorted(np.cumsum(count), n * np.arange(1, passes) / passes)
        ranges = list(pairwise([0, *ends.tolist(), tables]))

        def one(tables_from: int, tables_to: int) -> T:
            ptr = np.concatenate([[0], np.cumsum(count[tables_from:tables_to])])
            rows = _Rows(
                np.empty(ptr[-1], np.int64), np.empty(ptr[-1], np.int64), np.empty(ptr[-1], np.int32), ptr
            )
            scatter_rows(
                item, columns.at_ms, columns.site, code, LEFT_OUT, gone, tables,
                tables_from, tables_to, ptr[:-1].copy(), rows.keys, rows.times, rows.marks,
            )  # fmt: skip
            return work(rows)

        return list(pool.map(lambda span: one(*span), ranges))


def _in_order(rows: _Rows, once: Callable[[_Rows], tuple[bool, T]]) -> tuple[_Rows, T]:
    """Run a kernel on rows, and again in order of time where they were not; return the rows it ran on."""
    fine, made = once(rows)
    if not fine:
        table = np.repeat(np.arange(len(rows.ptr) - 1), np.diff(rows.ptr))
        order = np.lexsort((rows.times, table))
        rows = _Rows(rows.keys[order], rows.times[order], rows.marks[order], rows.ptr)
        _, made = once(rows)
    return rows, made
