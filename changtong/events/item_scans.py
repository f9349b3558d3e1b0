"""Scans of the log's files brought together by item, for the indicators: what a database sorts and joins for.

Rows are parted by a hash of their item, and each part put in order by item and time; 8 bytes a scan and 18 an
item stay. Where not all items fit into the memory given, rows go to files on disk, one for each share of the
items; where there is no room for these, the log's files are read again for each share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from changtong.errors import UsageError
from changtong.events.columns import Ints, Longs, Run, numbers_of, open_scans, read_run, runs_of
from changtong.events.item_order import buckets_for, by_item, copied
from changtong.events.item_steps import SITES, arrange, count_sites, part_rows, renumber_sites
from changtong.events.spilled_rows import Group, Shorts, SpilledRows, has_room

ROWS_OF_A_PART = 150_000
MOST_PARTS = 4096

ROW_BYTES = 27
"""Memory of a row while it is brought to its item."""

NO_CLASS = 65_535
"""Number of rows that name no class; more classes than that a log does not have."""

DAY_MS = 86_400_000
_DAYS = {"site": pl.Int64, "days_back": pl.Int64, "scans": pl.Int64, "newest_ms": pl.Int64}

COLUMNS = ("at_ms", "code", "site_id", "item", "service_class")

_NO_KEYS, _NO_CLASSES = np.zeros(0, np.int64), np.zeros(0, np.uint16)


class Window(NamedTuple):
    """The instants of which scans are read: from ``base_ms`` up to before ``end_ms``."""

    base_ms: int
    end_ms: int


class Part(NamedTuple):
    """Scans of some items, item by item in order of time: item k has ``place[ptr[k] : ptr[k + 1]]``."""

    item_key: Longs
    item_class: Shorts
    ptr: Longs
    place: Longs


class ItemScans:
    """The scans of a window, brought together by item, some items at a time.

    Parameters
    ----------
    files : sequence of Path
        Parquet files of the log.
    window : Window
    codes : dict
        Number of each code that is a scan, as in ``sql/codes.sql``.
    listed_sites : sequence of str
        Sites that get a number whether they are seen or not.
    voided : sequence of str
        Events declared wrong, by id: left out.
    memory_gib : float
        What the rows may take; with more of them, items come in several passes.
    threads : int

    Attributes
    ----------
    passes : int
        In how many shares the items come.
    on_disk : bool
        Whether shares wait on disk: then many small ones cost no more than few.
    site_ids : tuple of str
        Ascending, those listed and those seen; the number of a site is its place from 1. ``""`` where none is
        named. Known after the first pass, as are the next two.
    site_days : polars.DataFrame
        ``site_no``, ``days_back``, ``scans``, ``newest_ms``, as ``sql/site_days.sql``.
    classes : tuple of str
        By their number; ``""`` is that of items without one.

    Raises
    ------
    UsageError
        More sites or classes than a scan's number has room for.
    InputError
        A file that cannot be read, or lacks a column.
    """

    site_ids: tuple[str, ...]
    site_days: pl.DataFrame
    classes: tuple[str, ...]

    def __init__(
        self, files: Sequence[Path], window: Window, codes: dict[str, int], listed_sites: Sequence[str], *,
        voided: Sequence[str] = (), memory_gib: float = 2.75, threads: int = 2,
    ) -> None:  # fmt: skip
        self._window, self._codes, self._listed = window, codes, listed_sites
        self._voided = pa.array(sorted(voided), pa.string())
        self._threads = threads
        self._runs = list(runs_of(files, open_scans(files, COLUMNS), window))
        self.share_memory(memory_gib)
        self._sites: dict[str, int] = {}
        self._class_numbers: dict[str, int] = {}
        self._days: list[pl.DataFrame] = []
        self._spilled: SpilledRows | None = None
        self._lock = Lock()

    def share_memory(self, memory_gib: float) -> None:
        """Take another limit of memory, before the first pass."""
        rows = sum(run.rows for run in self._runs)
        self.passes = max(1, math.ceil(rows * ROW_BYTES / (memory_gib * 2**30)))
        self.on_disk = self.passes > 1 and has_room(rows)
        self._parts = 1
        while rows > self._parts * ROWS_OF_A_PART and self._parts < MOST_PARTS or self._parts < self.passes:
            self._parts *= 2

    def read(self, number: int) -> list[Part]:
        """Return the items of a pass, 0 to ``passes`` - 1, part by part."""
        cuts = np.linspace(0, self._parts, self.passes + 1).astype(int)
        low, high = int(cuts[number]), int(cuts[number + 1])
        with ThreadPoolExecutor(self._threads) as pool:
            if self.on_disk and number == 0:
                self._spilled = SpilledRows(cuts.tolist(), len(self._runs))
                list(pool.map(self._spill, range(len(self._runs))))
            if self._spilled is not None:
                groups = self._spilled.take(number)
            else:
                groups = list(pool.map(lambda run: self._read(run, low, high, number == 0), self._runs))
            if number == 0:
                self._name()
            return list(pool.map(lambda part: self._arrange(groups, part), range(high - low)))

    def _spill(self, number: int) -> None:
        """Read one run and put its rows on disk."""
        assert self._spilled is not None
        self._spilled.put(number, self._read(self._runs[number], 0, self._parts, True))

    def _read(self, run: Run, low: int, high: int, is_first: bool) -> Group:
        """Read some row groups and part their rows: those of the parts from ``low`` to below ``high``."""
        columns = [*COLUMNS, *(["event_id"] if len(self._voided) else [])]
        table = read_run(run, columns)
        keep = pc.not_equal(pc.cast(table["code"], pa.string()), "void") if len(self._voided) else None
        if keep is not None:
            wrong = pc.fill_null(pc.is_in(table["event_id"], value_set=self._voided), False)
            table = table.filter(pc.and_(keep, pc.invert(wrong)))
        code_no, code = numbers_of(table["code"])
        site_no, site = numbers_of(table["site_id"])
        class_no, service_class = numbers_of(table["service_class"])
        with self._lock:
            sites = np.array(
                [self._sites.setdefault(text or "", len(self._sites)) for text in site], np.int64
            )
            if len(self._sites) > SITES:
                raise UsageError(f"The log has more than {SITES:,} sites.")
            known = self._class_numbers
            numbers = [
                NO_CLASS if text is None else known.setdefault(text, len(known)) for text in service_class
            ]
            if len(known) >= NO_CLASS:
                raise UsageError(f"The log has {NO_CLASS:,} classes of service or more.")
            classes = np.array(numbers, np.uint16)
        at_ms = table["at_ms"].to_numpy()
        item = pc.fill_null(table["item"], 0).to_numpy()
        if is_first:
            self._count(at_ms, site_no, sites)
        base_ms, end_ms = self._window
        codes = np.array([self._codes.get(text or "", 0) for text in code], np.int64)
        n = len(at_ms)
        ptr = np.empty(high - low + 1, np.int64)
        key, place, of = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint16)
        n = part_rows(
            at_ms, item, code_no, sites[site_no], classes[class_no], codes, base_ms, end_ms,
            self._parts, low, ptr, key, place, of,
        )  # fmt: skip
        return Group(ptr, copied(key[:n]), copied(place[:n]), copied(of[:n]))

    def _count(self, at_ms: Longs, site: Ints, sites: Longs) -> None:
        """Count scans by site, a number into ``sites``, and day back from the end."""
        base_ms, end_ms = self._window
        inside = at_ms[(at_ms >= base_ms) & (at_ms < end_ms)] if len(at_ms) else at_ms
        if not len(inside):
            return
        least = (end_ms - 1 - int(inside.max())) // DAY_MS
        spans = (end_ms - 1 - int(inside.min())) // DAY_MS - least + 1
        scans, newest = (np.zeros((len(sites), spans), np.int64) for _ in range(2))
        count_sites(at_ms, site, base_ms, end_ms, least, scans, newest)
        where, back = np.nonzero(scans)
        rows = {
            "site": sites[where],
            "days_back": back + least,
            "scans": scans[where, back],
            "newest_ms": newest[where, back],
        }
        with self._lock:
            self._days.append(pl.DataFrame(rows))

    def _name(self) -> None:
        """Give sites and classes their final numbers: by their names, whatever was read first."""
        days = pl.concat(self._days) if self._days else pl.DataFrame(schema=_DAYS)
        names = list(self._sites)
        seen = {names[k] for k in days["site"].unique().to_list()}
        self.site_ids = tuple(sorted({*seen, *self._listed}))
        number = {name: k + 1 for k, name in enumerate(self.site_ids)}
        self._site_rank = np.array([number.get(name, 0) for name in names], np.int64)
        classes = sorted(self._class_numbers)
        rank = {name: k for k, name in enumerate(classes)}
        self._class_rank = np.full(NO_CLASS + 1, len(classes), np.uint16)
        for name, k in self._class_numbers.items():
            self._class_rank[k] = rank[name]
        self.site_days = (
            days.with_columns(pl.Series("site_no", self._site_rank[days["site"].to_numpy()]))
            .group_by("site_no", "days_back")
            .agg(pl.col("scans").sum(), pl.col("newest_ms").max())
        )
        self.classes = (*classes, "")

    def _arrange(self, groups: list[Group], part: int) -> Part:
        """Bring the rows of a part together by item."""
        spans = [(group, int(group.ptr[part]), int(group.ptr[part + 1])) for group in groups]
        key = np.concatenate([_NO_KEYS, *(of.key[a:b] for of, a, b in spans)])
        place = np.concatenate([_NO_KEYS, *(of.place[a:b] for of, a, b in spans)])
        classes = np.concatenate([_NO_CLASSES, *(of.classes[a:b] for of, a, b in spans)])
        renumber_sites(place, self._site_rank)
        order, ptr = np.empty(len(key), np.int32), np.empty(len(key) + 1, np.int64)
        items = by_item(key, place, buckets_for(len(key)), order, ptr)
        item_key, item_class = np.empty(items, np.int64), np.empty(items, np.uint16)
        in_order = np.empty(len(key), np.int64)
        arrange(key, place, self._class_rank[classes], order, ptr, items, item_key, item_class, in_order)
        return Part(copied(item_key), copied(item_class), copied(ptr[: items + 1]), copied(in_order))
