"""Items and stays of a day from scans brought together by item: the tables that the indicators read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from changtong.events.item_scans import Part
from changtong.events.item_steps import NULL, day_rows

ITEM_TIMES = ("first_ms", "last_ms", "accepted_ms", "out_ms", "delivered_ms", "ended_ms", "giving_back_ms")
ITEM_SITES = ("last_site_no", "accept_site_no", "deliver_site_no")
ITEM_FLAGS = (
    "last_code_no", "is_cancelled", "is_returned", "is_registered", "is_inspected", "is_screened", "of_day"
)  # fmt: skip
STAY_TIMES = ("from_ms", "last_ms", "gone_ms")
STAY_SITES = ("site_no", "site_before_no")
STAY_FLAGS = ("is_first", "is_last", "first_code_no", "begins_by_arriving", "ends_by_leaving")


class DayLimits(NamedTuple):
    """Instants of a day, as ``sql/items.sql`` and ``sql/day_items.sql`` take them.

    ``due_from_ms``: items accepted since then are kept though they ended before the day: they may
    fall due on it.
    """

    begin_ms: int
    end_ms: int
    cut_ms: int
    is_latest: bool
    look_back_ms: int
    due_from_ms: int


def day_tables(
    parts: Sequence[Part],
    classes: Sequence[str],
    base_ms: int,
    day: DayLimits,
    codes: pl.DataFrame,
    threads: int = 2,
) -> tuple[pa.Table, pa.Table]:
    """Return items and stays of a day.

    Parameters
    ----------
    parts : sequence of Part
        All items, or some.
    classes : sequence of str
        By their number.
    base_ms : int
        That of the window the scans were read for.
    day : DayLimits
    codes : polars.DataFrame
        The rows of ``sql/codes.sql``.
    threads : int

    Returns
    -------
    (pyarrow.Table, pyarrow.Table)
        Columns as ``sql/items.sql`` and ``sql/stays.sql``, as far as an indicator reads them; ``of_day`` is 1
        for the items of ``sql/day_items.sql``.
    """
    marks = [np.zeros(32, np.int8) for _ in range(3)]
    for row in codes.iter_rows(named=True):
        for values, name in zip(marks, ("away", "arriving", "leaving"), strict=True):
            values[row["code_no"]] = row[name]
    texts = pa.array(classes, pa.string())
    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(lambda part: _tables(part, base_ms, day, marks, texts), parts))
    return pa.concat_tables(items for items, _ in made), pa.concat_tables(stays for _, stays in made)


def _tables(
    part: Part, base_ms: int, day: DayLimits, marks: list[NDArray[np.int8]], classes: pa.Array
) -> tuple[pa.Table, pa.Table]:
    n, rows = len(part.item_key), len(part.place)
    items, item_times = np.empty(n, np.int32), np.empty((len(ITEM_TIMES), n), np.int64)
    item_sites, item_flags = np.empty((len(ITEM_SITES), n), np.int32), np.empty((len(ITEM_FLAGS), n), np.int8)
    stay_of, stay_times = np.empty(rows, np.int32), np.empty((len(STAY_TIMES), rows), np.int64)
    stay_sites = np.empty((len(STAY_SITES), rows), np.int32)
    stay_flags = np.empty((len(STAY_FLAGS), rows), np.int8)
    n_items, n_stays = day_rows(
        *part, *marks, base_ms, *day,
        items, item_times, item_sites, item_flags, stay_of, stay_times, stay_sites, stay_flags,
    )  # fmt: skip
    return (
        _table(part, items[:n_items], classes, {**_columns(ITEM_TIMES, item_times, n_items, NULL),
               **_columns(ITEM_SITES, item_sites, n_items, 0), **_columns(ITEM_FLAGS, item_flags, n_items)}),
        _table(part, stay_of[:n_stays], classes, {**_columns(STAY_TIMES, stay_times, n_stays, NULL),
               **_columns(STAY_SITES, stay_sites, n_stays, 0), **_columns(STAY_FLAGS, stay_flags, n_stays)}),
    )  # fmt: skip


def _table(part: Part, which: NDArray[np.int32], classes: pa.Array, columns: dict[str, pa.Array]) -> pa.Table:
    """Return columns with the items ``which`` and their classes beside them."""
    service_class = pa.DictionaryArray.from_arrays(part.item_class[which].astype(np.int32), classes)
    return pa.table({"item": part.item_key[which], "service_class": service_class, **columns})


def _columns(
    names: Sequence[str], values: NDArray[Any], n: int, none: int | None = None
) -> dict[str, pa.Array]:
    """Return the first ``n`` values of each row as arrays of their own; ``none`` is null."""
    made = {}
    for name, row in zip(names, values[:, :n], strict=True):
        missing = None if none is None else row == none
        made[name] = pa.array(row.copy(), mask=missing if missing is not None and missing.any() else None)
    return made
