"""Columns of the scan log as arrays: only those a kernel asks for, file by file.

Nothing is kept of a file but the numbers: sites and codes become small integers, and rows that a
``void`` row declares wrong are left out, whatever file they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.events.codes import scan_codes

CODES = tuple(entry.code for entry in scan_codes())
"""Canonical codes of the log; a code's number is its place here."""

CODE_NUMBER = {code: number for number, code in enumerate(CODES)}

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class ScanColumns:
    """Events as arrays, one row each, in the order of the files.

    Attributes
    ----------
    at_ms : array of int64
        When, UTC epoch milliseconds.
    item, receptacle, vehicle : array of int64
        Keys; 0 where the event names none.
    site : array of int32
        Place in ``site_ids``, -1 where the event names none.
    code : array of int8
        Place in :data:`CODES`.
    site_ids : tuple of str
        Ascending.
    voided : int
        Rows left out because a ``void`` row names them.
    """

    at_ms: Longs
    item: Longs
    receptacle: Longs
    vehicle: Longs
    site: Ints
    code: NDArray[np.int8]
    site_ids: tuple[str, ...] = ()
    voided: int = field(default=0)

    def __len__(self) -> int:
        return len(self.at_ms)


KEYS = ("item", "receptacle", "vehicle")

ROWS_READ = 1_000_000
"""Rows read at a time, by each core."""

TEXTS = ("code", "site_id", "service_class")
"""Columns of few texts, read as numbers."""


def load_columns(files: Iterable[str | Path], *, keys: Sequence[str] = KEYS, threads: int = 2) -> ScanColumns:
    """Read the columns of the log's Parquet files that stays need.

    Parameters
    ----------
    files : iterable of path
        As ``EventLog.files()`` gives them.
    keys : sequence of {"item", "receptacle", "vehicle"}
        Keys wanted; the others come back as an array of one 0 spread over all rows, which
        takes no memory.
    threads : int
        Runs of row groups read at once; the columns are the same.

    Raises
    ------
    InputError
        ``unreadable-file``, ``missing-column``, ``unknown-code``.

    Examples
    --------
    >>> columns = load_columns([])
    >>> len(columns)
    0
    """
    paths = [Path(file) for file in files]
    wanted = ["at_ms", "code", "site_id", *keys]
    opened = open_scans(paths, wanted)
    rows = sum(file.metadata.num_rows for file in opened)
    out: dict[str, Any] = {"at_ms": np.empty(rows, np.int64), "code": np.empty(rows, np.int8)}
    out |= {"site_id": np.empty(rows, np.int32)} | {name: np.empty(rows, np.int64) for name in keys}
    site_number: dict[str | None, int] = {}
    void = voided_ids(paths, opened)
    lock = Lock()

    def read(run: Run) -> int:
        """Read some row groups to their place; return how many rows of them are left."""
        columns = [*wanted, *(["event_id"] if len(void) else [])]
        table = read_run(run, columns)
        if len(void):
            keep = pc.invert(pc.fill_null(pc.is_in(table["event_id"], value_set=void), False))
            table = table.filter(pc.or_(keep, pc.equal(table["code"], "void")))
        end = run.begin + table.num_rows
        out["at_ms"][run.begin : end] = table["at_ms"].to_numpy()
        for name in keys:
            out[name][run.begin : end] = pc.fill_null(table[name], 0).to_numpy()
        out["code"][run.begin : end] = _numbers(table["code"], CODE_NUMBER, run.path, lock)
        out["site_id"][run.begin : end] = _numbers(table["site_id"], site_number, None, lock)
        return int(table.num_rows)

    runs = list(runs_of(paths, opened))
    with ThreadPoolExecutor(threads) as pool:
        left = list(pool.map(read, runs))
    at = sum(left)
    if at < rows:
        for values in out.values():
            _close_gaps(values, runs, left)
        out = {name: values[:at] for name, values in out.items()}
    none = np.broadcast_to(np.zeros(1, np.int64), at)
    ids = sorted(site for site in site_number if site is not None)
    rank = {site: number for number, site in enumerate(ids)}
    in_order = np.array([rank.get(site, -1) for site in site_number], np.int32)  # type: ignore[arg-type]
    site = out["site_id"]
    for run in range(0, at, ROWS_READ):
        site[run : run + ROWS_READ] = in_order[site[run : run + ROWS_READ]]
    return ScanColumns(
        at_ms=out["at_ms"],
        item=out.get("item", none),
        receptacle=out.get("receptacle", none),
        vehicle=out.get("vehicle", none),
        site=site,
        code=out["code"],
        site_ids=tuple(ids),
        voided=rows - at,
    )


def open_scans(paths: Sequence[Path], wanted: Sequence[str]) -> list[pq.ParquetFile]:
    """Open files of the log.

    Raises
    ------
    InputError
        ``unreadable-file``, ``missing-column``: of all files at once.
    """
    opened = [_open(path) for path in paths]
    problems = [
        Problem("missing-column", f"The file has no column {name!r}.", file=str(path), column=name)
        for path, file in zip(paths, opened, strict=True)
        for name in wanted
        if name not in file.schema_arrow.names
    ]
    if problems:
        raise InputError(problems)
    return opened


def _open(path: Path) -> pq.ParquetFile:
    try:
        texts = [name for name in TEXTS if name in pq.read_schema(path).names]
        return pq.ParquetFile(path, read_dictionary=texts)
    except (OSError, pa.ArrowException) as error:
        problem = Problem("unreadable-file", "The file cannot be read as Parquet.", file=str(path))
        raise InputError([problem]) from error


class Run(NamedTuple):
    """Row groups of a file that are read together, the row of all runs they begin at, and their rows."""

    path: Path
    file: pq.FileMetaData
    groups: list[int]
    begin: int
    rows: int


def runs_of(
    paths: Sequence[Path], opened: Sequence[pq.ParquetFile], span_ms: tuple[int, int] | None = None
) -> Iterator[Run]:
    """Cut files into runs of row groups: reading many small ones at once costs less than each alone.

    With ``span_ms`` only those that may hold events from its first instant to before its second.
    """
    begin = 0
    for path, file in zip(paths, opened, strict=True):
        groups: list[int] = []
        rows = 0
        for group in range(file.metadata.num_row_groups):
            about = file.metadata.row_group(group)
            if span_ms is not None and not _may_lie_in(file, about, span_ms):
                continue
            if groups and rows + about.num_rows > ROWS_READ:
                yield Run(path, file.metadata, groups, begin, rows)
                begin += rows
                groups, rows = [], 0
            groups.append(group)
            rows += about.num_rows
        if groups:
            yield Run(path, file.metadata, groups, begin, rows)
            begin += rows


def _may_lie_in(file: pq.ParquetFile, group: pq.RowGroupMetaData, span_ms: tuple[int, int]) -> bool:
    """Return whether a row group may hold events of a span, by the first and last it is known to hold."""
    told = group.column(file.schema_arrow.names.index("at_ms")).statistics
    known = told is not None and told.has_min_max
    return not (known and (told.max < span_ms[0] or told.min >= span_ms[1]))


def read_run(run: Run, columns: Sequence[str]) -> pa.Table:
    """Read some columns of a run."""
    texts = [name for name in TEXTS if name in columns]
    file = pq.ParquetFile(run.path, metadata=run.file, read_dictionary=texts)
    return file.read_row_groups(run.groups, columns=list(columns), use_threads=False)


def _close_gaps(values: NDArray[Any], runs: Sequence[Run], left: Sequence[int]) -> None:
    """Move the rows left of each run behind those of the run before."""
    at = 0
    for run, count in zip(runs, left, strict=True):
        if at < run.begin:
            values[at : at + count] = values[run.begin : run.begin + count].copy()
        at += count


def numbers_of(column: pa.ChunkedArray) -> tuple[Ints, list[str | None]]:
    """Return a column of few texts as numbers, and the text of each: None is the last."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], encoded.type)
    texts = encoded.dictionary.to_pylist()
    numbers = pc.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False)
    return numbers.astype(np.int32, copy=False), [*texts, None]


def voided_ids(paths: Sequence[Path], opened: Sequence[pq.ParquetFile]) -> pa.Array:
    """Return the ids of events declared wrong; most logs have none, and nothing more is read.

    Parameters
    ----------
    paths : sequence of Path
    opened : sequence of pyarrow.parquet.ParquetFile
        As `open_scans` opens them.
    """
    found = []
    for run in runs_of(paths, opened):
        names = run.file.schema.to_arrow_schema().names
        if "event_id" not in names:
            continue
        at = names.index("code")
        groups = [group for group in run.groups if _may_hold(run.file.row_group(group).column(at), "void")]
        if not groups:
            continue
        code = read_run(run._replace(groups=groups), ["code"])["code"].unify_dictionaries()
        if code.num_chunks and "void" in code.chunk(0).dictionary.to_pylist():
            table = read_run(run._replace(groups=groups), ["code", "event_id"])
            found.append(table.filter(pc.equal(table["code"], "void"))["event_id"].drop_null())
    chunks = [chunk for column in found for chunk in column.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def _may_hold(column: pq.ColumnChunkMetaData, text: str) -> bool:
    """Return whether a row group may hold a text, by the least and the greatest it is known to hold."""
    told = column.statistics
    known = told is not None and told.has_min_max and isinstance(told.max, str)
    return not (known and (told.max < text or told.min > text))


def _numbers(column: Any, number: dict[Any, int], path: Path | None, lock: Lock) -> Ints:
    """Return a dictionary column as numbers; texts not seen before get the next one.

    ``path`` is given where no text may be new.
    """
    numbers, texts = numbers_of(column)
    used = np.flatnonzero(np.bincount(numbers, minlength=1))
    seen = {texts[k] for k in used}
    if path is not None and seen - number.keys():
        raise InputError(
            [
                Problem("unknown-code", f"{text!r} is no code of the log.", file=str(path), column="code")
                for text in sorted(map(str, seen - number.keys()))
            ]
        )
    with lock:
        for text in seen:
            number.setdefault(text, len(number))
    table = np.array([number.get(text, -1) for text in texts], np.int32)
    return table[numbers]
