"""Kernels over the log's files give the rows that the queries give, whatever the log holds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
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

from changtong.events import columns, day_sources, item_scans
from changtong.events.columns import read_run
from changtong.events.engine import DuckDBEngine, open_duckdb
from changtong.events.indicators import indicators
from changtong.events.item_scans import ItemScans, Window

CODES = (
    "accept", "register", "screen", "arrive", "sort", "pack", "depart", "out_for_delivery", "return",
    "deliver", "cancel", "note",
)  # fmt: skip
PROMISES = pl.DataFrame({"service_class": ["express", "ordinary"], "promise_h": [24.0, 100.0]})


@pytest.fixture(autouse=True, scope="module")
def _small_logs_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_sources, "WORTH_KERNELS", 0)
        yield


def both_ways(files: list[Path], **options: Any) -> None:
    """Compare all rows of the indicators from kernels and from queries."""
    engine = open_duckdb(files, SITES)
    assert day_sources.WORTH_KERNELS == 0
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


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**9), rows=st.integers(1, 900), voids=st.sampled_from([0, 0, 15]),
    look_back_days=st.integers(5, 9),
)  # fmt: skip
@settings(max_examples=6, deadline=None)
def test_kernels_and_queries_return_the_same_rows(
    seed: int, rows: int, voids: int, look_back_days: int
) -> None:
    with TemporaryDirectory() as folder:
        both_ways(write_log(senseless_log(seed, rows, voids), Path(folder)), look_back_days=look_back_days)


@pytest.mark.parametrize("room", [True, False])
def test_parts_row_groups_and_passes_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool
) -> None:
    monkeypatch.setattr(item_scans, "has_room", lambda _: room)
    file = tmp_path / "one.parquet"
    senseless_log(4, 4000, 30).write_parquet(file, row_group_size=500)
    monkeypatch.setattr(columns, "ROWS_READ", 600)
    monkeypatch.setattr(item_scans, "ROWS_OF_A_PART", 300)
    engine = open_duckdb([file], SITES)
    share = ItemScans.share_memory
    whole = indicators(engine, "2022-05-06", promises=PROMISES)
    rows = item_scans.ROW_BYTES / 2**30 * pl.scan_parquet(file).select(pl.len()).collect().item()
    monkeypatch.setattr(day_sources, "KERNEL_SHARE", rows / 2.0 / engine.memory_gib)
    monkeypatch.setattr(ItemScans, "share_memory", lambda self, _: share(self, rows / 4.5))
    in_passes = indicators(engine, "2022-05-06", promises=PROMISES)
    assert_frame_equal(whole.values, in_passes.values, check_exact=True)
    assert_frame_equal(whole.flows, in_passes.flows, check_exact=True)
    both_ways([file])


@pytest.mark.parametrize("room", [True, False])
def test_every_pass_has_other_items_and_all_have_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool
) -> None:
    monkeypatch.setattr(item_scans, "has_room", lambda _: room)
    file = tmp_path / "one.parquet"
    log = senseless_log(5, 3000, 0)
    log.write_parquet(file)
    codes = {code: number + 1 for number, code in enumerate(CODES[:-1])}
    window = Window(int(log["at_ms"].min()), int(log["at_ms"].max()) + 1)  # type: ignore[arg-type]
    scans = ItemScans([file], window, codes, [], memory_gib=3000 * item_scans.ROW_BYTES / 2.5 / 2**30)
    assert scans.passes == 3
    read: list[object] = []
    monkeypatch.setattr(item_scans, "read_run", lambda run, names: read.append(run) or read_run(run, names))
    parts = [part for number in range(3) for part in scans.read(number)]
    assert len(read) == len(set(map(id, read))) * (1 if room else 3)  # on disk: the log is read once
    keys = np.concatenate([part.item_key for part in parts])
    known = log.filter(pl.col("item").is_not_null(), pl.col("code") != "note")
    assert len(keys) == len(set(keys.tolist()))
    assert set(keys.tolist()) == set(known["item"].to_list())
    assert sum(len(part.place) for part in parts) == known.height
    for part in parts:
        for a, b in pairwise(part.ptr.tolist()):
            assert (np.diff(part.place[a:b]) >= 0).all()
