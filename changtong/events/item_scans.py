"""Scans of the log's files brought together by item, for the indicators: what a database sorts and joins for.

Rows are parted by a hash of their item, and each part put in order by item and time; 8 bytes a scan and 18 an
item stay. What does not fit into the memory given goes to a file of its own in a temporary folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.events.columns import TEXTS, Ints, Longs, numbers_of, open_scans
from changtong.events.item_order import buckets_for, by_item, copied
from changtong.events.item_steps import SITES, arrange, count_sites, part_rows, renumber_sites

ROWS_READ = 1_000_000
"""Rows read at a time, by each core."""

ROWS_OF_A_PART = 150_000
MOST_PARTS = 4096

NO_CLASS = 65_535
"""Number of rows that name no class; more classes than that a log does not have."""

DAY_MS = 86_400_000
_DAYS = {"site": pl.Int64, "days_back": pl.Int64, "scans": pl.Int64, "newest_ms": pl.Int64}

COLUMNS = ("at_ms", "code", "site_id", "item", "service_class")

Shorts = NDArray[np.uint16]


class Store:
    """Arrays kept in memory while they fit, then in one file that has no name.

    Parameters
    ----------
    memory_bytes : int
    folder : Path, optional
        Where the file goes; default: where temporary files go.
    """

    def __init__(self, memory_bytes: int, folder: Path | None = None) -> None:
        self._left = memory_bytes
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._lock = Lock()

    def keep(self, values: NDArray[Any]) -> Kept:
        """Keep an array."""
        with self._lock:
            if values.nbytes <= self._left:
                self._left -= values.nbytes
                return Kept(copied(values), values.dtype, 0, len(values))
            if self._file is None:
                self._file = TemporaryFile(prefix="changtong-", dir=self._folder)  # noqa: SIM115
            begin = self._file.seek(0, 2)
            values.tofile(self._file)
            return Kept(None, values.dtype, begin, len(values))

    def read(self, kept: Kept, first: int = 0, end: int | None = None) -> NDArray[Any]:
        """Return an array, or some of it."""
        end = kept.length if end is None else end
        if kept.values is not None:
            return kept.values[first:end]
        assert self._file is not None
        out = np.empty(end - first, kept.dtype)
        with self._lock:
            self._file.seek(kept.begin + first * kept.dtype.itemsize)
            self._file.readinto(out.view(np.uint8).data)  # type: ignore[attr-defined]
        return out

    def drop(self, kept: Kept) -> None:
        """Give the memory of an array back."""
        if kept.values is not None:
            with self._lock:
                self._left += kept.values.nbytes

    def close(self) -> None:
        """Give everything back."""
        if self._file is not None:
            self._file.close()


class Kept(NamedTuple):
    """An array in a store."""

    values: NDArray[Any] | None
    dtype: np.dtype[Any]
    begin: int
    length: int


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


@dataclass
class ItemScans:
    """All scans of a window by item.

    Attributes
    ----------
    site_ids : tuple of str
        Ascending, those listed and those seen; the number of a site is its place from 1. ``""`` where none is
        named.
    site_days : polars.DataFrame
        ``site_no``, ``days_back``, ``scans``, ``newest_ms``, as ``sql/site_days.sql``.
    classes : tuple of str
        By their number; ``""`` is that of items without one.
    """

    site_ids: tuple[str, ...]
    site_days: pl.DataFrame
    classes: tuple[str, ...]
    store: Store
    kept: list[tuple[Kept, Kept, Kept, Kept]] = field(default_factory=list)

    def part(self, k: int) -> Part:
        """Return some of the items."""
        return Part(*(self.store.read(array) for array in self.kept[k]))


class _Group(NamedTuple):
    """Rows of a row group by part."""

    ptr: Longs
    rows: tuple[Kept, ...]
    """Keys, place_times and classes."""


def read_item_scans(
    files: Sequence[Path],
    window: Window,
    codes: dict[str, int],
    listed_sites: Sequence[str],
    *,
    voided: Sequence[str] = (),
    memory_gib: float = 2.5,
    threads: int = 2,
    spill_folder: Path | None = None,
) -> ItemScans:
    """Read the scans of a window and bring them together by item.

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
        Above it, what is read goes to a file.
    threads : int
    spill_folder : Path, optional

    Returns
    -------
    ItemScans
        To be closed by ``store.close()``.

    Raises
    ------
    UsageError
        More sites than a scan's number has room for.
    InputError
        A file that cannot be read, lacks a column, or has a code of no log.
    """
    reader = _Reader(
        window, codes, pa.array(sorted(voided), pa.string()), Store(int(memory_gib * 2**30), spill_folder)
    )
    tasks = list(_tasks(files, window))
    rows = sum(task.rows for task in tasks)
    reader.parts = 1
    while rows > reader.parts * ROWS_OF_A_PART and reader.parts < MOST_PARTS:
        reader.parts *= 2
    with ThreadPoolExecutor(threads) as pool:
        groups = list(pool.map(reader.read, tasks))
        scans = reader.named(listed_sites)
        scans.kept = list(pool.map(lambda part: reader.arrange(groups, part), range(reader.parts)))
        for group in groups:
            for kept in group.rows:
                reader.store.drop(kept)
    return scans


class _Task(NamedTuple):
    """Row groups of a file that are read together."""

    path: Path
    file: pq.FileMetaData
    groups: list[int]
    rows: int


def _tasks(files: Sequence[Path], window: Window) -> Iterator[_Task]:
    """Return the row groups that may hold scans of the window, some at a time."""
    for path, file in zip(files, open_scans(files, COLUMNS), strict=True):
        at = file.schema_arrow.names.index("at_ms")
        groups: list[int] = []
        rows = 0
        for group in range(file.metadata.num_row_groups):
            about = file.metadata.row_group(group)
            told = about.column(at).statistics
            known = told is not None and told.has_min_max
            if known and (told.max < window.base_ms or told.min >= window.end_ms):
                continue
            if groups and rows + about.num_rows > ROWS_READ:
                yield _Task(path, file.metadata, groups, rows)
                groups, rows = [], 0
            groups.append(group)
            rows += about.num_rows
        if groups:
            yield _Task(path, file.metadata, groups, rows)


class _Reader:
    """Turns row groups into rows by part, and parts into items in order."""

    def __init__(self, window: Window, codes: dict[str, int], voided: pa.Array, store: Store) -> None:
        self.window, self.codes, self.voided, self.store = window, codes, voided, store
        self.parts = 1
        self.sites: dict[str, int] = {}
        self.class_numbers: dict[str, int] = {}
        self.days: list[pl.DataFrame] = []
        self.lock = Lock()

    def read(self, task: _Task) -> _Group:
        """Read some row groups and part their rows."""
        columns = [*COLUMNS, *(["event_id"] if len(self.voided) else [])]
        file = pq.ParquetFile(task.path, metadata=task.file, read_dictionary=list(TEXTS))
        table = file.read_row_groups(task.groups, columns=columns, use_threads=False)
        keep = pc.not_equal(pc.cast(table["code"], pa.string()), "void") if len(self.voided) else None
        if keep is not None:
            wrong = pc.fill_null(pc.is_in(table["event_id"], value_set=self.voided), False)
            table = table.filter(pc.and_(keep, pc.invert(wrong)))
        code_no, code = numbers_of(table["code"])
        site_no, site = numbers_of(table["site_id"])
        class_no, service_class = numbers_of(table["service_class"])
        with self.lock:
            sites = np.array([self.sites.setdefault(text or "", len(self.sites)) for text in site], np.int64)
            if len(self.sites) > SITES:
                raise UsageError(f"The log has more than {SITES:,} sites.")
            known = self.class_numbers
            numbers = [
                NO_CLASS if text is None else known.setdefault(text, len(known)) for text in service_class
            ]
            if len(known) >= NO_CLASS:
                raise UsageError(f"The log has {NO_CLASS:,} classes of service or more.")
            classes = np.array(numbers, np.uint16)
        at_ms = table["at_ms"].to_numpy()
        item = pc.fill_null(table["item"], 0).to_numpy()
        self._count(at_ms, site_no, sites)
        base_ms, end_ms = self.window
        codes = np.array([self.codes.get(text or "", 0) for text in code], np.int64)
        n = len(at_ms)
        ptr = np.empty(self.parts + 1, np.int64)
        key, place, of = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint16)
        n = part_rows(
            at_ms,
            item,
            code_no,
            sites[site_no],
            classes[class_no],
            codes,
            base_ms,
            end_ms,
            ptr,
            key,
            place,
            of,
        )
        return _Group(ptr, tuple(self.store.keep(array[:n]) for array in (key, place, of)))

    def _count(self, at_ms: Longs, site: Ints, sites: Longs) -> None:
        """Count scans by site, a number into ``sites``, and day back from the end."""
        base_ms, end_ms = self.window
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
        with self.lock:
            self.days.append(pl.DataFrame(rows))

    def named(self, listed_sites: Sequence[str]) -> ItemScans:
        """Give sites and classes their final numbers: by their names, whatever was read first."""
        days = pl.concat(self.days) if self.days else pl.DataFrame(schema=_DAYS)
        names = list(self.sites)
        seen = {names[k] for k in days["site"].unique().to_list()}
        site_ids = tuple(sorted({*seen, *listed_sites}))
        number = {name: k + 1 for k, name in enumerate(site_ids)}
        self.site_rank = np.array([number.get(name, 0) for name in names], np.int64)
        classes = sorted(self.class_numbers)
        rank = {name: k for k, name in enumerate(classes)}
        self.class_rank = np.full(NO_CLASS + 1, len(classes), np.uint16)
        for name, k in self.class_numbers.items():
            self.class_rank[k] = rank[name]
        site_days = (
            days.with_columns(pl.Series("site_no", self.site_rank[days["site"].to_numpy()]))
            .group_by("site_no", "days_back")
            .agg(pl.col("scans").sum(), pl.col("newest_ms").max())
        )
        return ItemScans(site_ids, site_days, (*classes, ""), self.store)

    def arrange(self, groups: list[_Group], part: int) -> tuple[Kept, Kept, Kept, Kept]:
        """Bring the rows of a part together by item."""
        spans = [(group, int(group.ptr[part]), int(group.ptr[part + 1])) for group in groups]
        key, place, of = (
            np.concatenate(
                [np.zeros(0, dtype), *(self.store.read(group.rows[k], a, b) for group, a, b in spans)]
            )
            for k, dtype in enumerate((np.int64, np.int64, np.uint16))
        )
        renumber_sites(place, self.site_rank)
        order, ptr = np.empty(len(key), np.int32), np.empty(len(key) + 1, np.int64)
        items = by_item(key, place, buckets_for(len(key)), order, ptr)
        item_key, item_class = np.empty(items, np.int64), np.empty(items, np.uint16)
        arranged = np.empty(len(key), np.int64)
        arrange(key, place, self.class_rank[of], order, ptr, items, item_key, item_class, arranged)
        a, b, c, d = (self.store.keep(array) for array in (item_key, item_class, ptr[: items + 1], arranged))
        return a, b, c, d
