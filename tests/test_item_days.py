"""Kernels over the log's files give the rows that the queries give, whatever the log holds."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scan_cases import SITES, epoch_ms, make_log, write_log

from changtong.events import item_scans
from changtong.events.engine import DuckDBEngine, open_duckdb
from changtong.events.indicators import indicators
from changtong.events.item_scans import Store

CODES = (
    "accept", "register", "screen", "arrive", "sort", "pack", "depart", "out_for_delivery", "return",
    "deliver", "cancel", "note",
)  # fmt: skip
PROMISES = pl.DataFrame({"service_class": ["express", "ordinary"], "promise_h": [24.0, 100.0]})


def both_ways(files: list[Path], **options: Any) -> None:
    """Compare all rows of the indicators from kernels and from queries."""
    engine = open_duckdb(files, SITES)
    by_kernel = indicators(engine, "2022-05-06", promises=PROMISES, **options)
    by_query = indicators(DuckDBEngine(engine.connection), "2022-05-06", promises=PROMISES, **options)
    assert_frame_equal(by_kernel.values, by_query.values, check_exact=True)
    assert_frame_equal(by_kernel.flows, by_query.flows, check_exact=True)
    assert_frame_equal(by_kernel.closed_sites, by_query.closed_sites, check_exact=True)
    assert by_kernel.notes == by_query.notes


def senseless_log(seed: int, rows: int, voids: int) -> pl.DataFrame:
    """Return scans without sense or order, many at equal times, some without item, site or class."""
    draw = random.Random(seed)
    items = draw.choice([3, 40, 400])
    made: list[tuple[Any, ...]] = []
    for number in range(rows):
        at = epoch_ms("05-06T00:00") + draw.randrange(-9 * 24 * 4, 25 * 4) * 900_000
        site = draw.choice(["A1", "A2", "B1", "B2", "C2", "Q7", None])
        made.append((draw.randrange(items + 1) or None, at, draw.choice(CODES), site, f"e{number}"))
    made += [(7, epoch_ms("05-06T09:00"), "void", "A1", f"e{draw.randrange(rows)}") for _ in range(voids)]
    classes = [draw.choice(["express", "ordinary", "bulk", None]) for _ in made]
    return make_log(made).with_columns(service_class=pl.Series(classes, dtype=pl.String))


@given(
    seed=st.integers(0, 10**9), rows=st.integers(1, 900), voids=st.sampled_from([0, 0, 15]),
    look_back_days=st.integers(5, 9),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_kernels_and_queries_return_the_same_rows(
    seed: int, rows: int, voids: int, look_back_days: int
) -> None:
    with TemporaryDirectory() as folder:
        both_ways(write_log(senseless_log(seed, rows, voids), Path(folder)), look_back_days=look_back_days)


def test_parts_row_groups_and_spilled_arrays_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = senseless_log(4, 4000, 30)
    (tmp_path / "log").mkdir()
    file = tmp_path / "log" / "one.parquet"
    log.write_parquet(file, row_group_size=500)
    monkeypatch.setattr(item_scans, "ROWS_READ", 600)
    monkeypatch.setattr(item_scans, "ROWS_OF_A_PART", 300)
    engine = open_duckdb([file], SITES)
    whole = indicators(engine, "2022-05-06", promises=PROMISES)
    engine.memory_gib = 1e-5
    spilled = indicators(engine, "2022-05-06", promises=PROMISES)
    assert_frame_equal(whole.values, spilled.values, check_exact=True)
    both_ways([file])


def test_a_store_gives_back_what_it_was_given_in_memory_and_beyond(tmp_path: Path) -> None:
    store = Store(100, tmp_path)
    arrays = [np.arange(k, dtype=np.int64) for k in (0, 5, 12, 7)] + [np.arange(9, dtype=np.uint16)]
    kept = [store.keep(array) for array in arrays]
    assert [handle.values is None for handle in kept] == [False, False, True, False, True]
    for handle, array in zip(kept, arrays, strict=True):
        assert store.read(handle).tolist() == array.tolist()
        assert store.read(handle, 1, 4).tolist() == array[1:4].tolist()
    store.drop(kept[1])
    assert store.keep(arrays[1]).values is not None  # there is room again
    store.close()
