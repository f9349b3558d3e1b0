"""Counts of a period are the sums of what the indicators of its days say, whatever the log holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_cases import log_of
from polars.testing import assert_frame_equal
from scan_cases import SITES, epoch_ms, make_log
from test_item_days import senseless_log

from changtong.events import item_scans, period_counts
from changtong.events.engine import DuckDBEngine, open_duckdb
from changtong.events.indicators import indicators
from changtong.events.item_scans import ItemScans
from changtong.events.log import EventLog
from changtong.events.period_counts import SUMS, count_period

LOOK_BACK = 4
"""Days, short enough for items to be forgotten within the made-up log."""


@pytest.fixture(autouse=True, scope="module")
def _short_look_back() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(period_counts, "LOOK_BACK_DAYS", LOOK_BACK)
        yield


def by_day(log: EventLog, days: Sequence[date]) -> pl.DataFrame:
    """Add up what the queries of the indicators say of each day by itself."""
    whole = [pl.DataFrame(schema=period_counts.SCHEMA)]
    shares = [name for name, (_, of) in SUMS.items() if of is not None]
    for day in days:
        source = open_duckdb(log.files(day - timedelta(days=LOOK_BACK + 1)), log.sites)
        engine = DuckDBEngine(source.connection)  # without files: by queries, not by kernels
        values = indicators(
            engine, day, day_before=False, year_before=False, look_back_days=LOOK_BACK
        ).values.filter(
            (pl.col("dimension") == "site") & pl.col("hour").is_null() & pl.col("indicator").is_in([*SUMS])
        )
        share = pl.col("indicator").is_in(shares)
        whole.append(
            values.filter(pl.col("member") != "").select(
                indicator="indicator",
                site_id="member",
                numerator=pl.when(share).then(pl.col("value") * pl.col("pieces")).otherwise("value")
                .round().cast(pl.Int64),
                denominator=pl.when(share).then("pieces"),
            )
        )  # fmt: skip
    return (
        pl.concat(whole)
        .group_by("indicator", "site_id")
        .agg(
            pl.col("numerator").sum(),
            pl.when(pl.col("denominator").count() > 0).then(pl.col("denominator").sum()).alias("denominator"),
        )
        .sort("indicator", "site_id")
    )


def made(seed: int, rows: int, voids: int, folder: Path) -> EventLog:
    swapped = {"sort": "inspect"}
    frame = senseless_log(seed, rows, voids).with_columns(pl.col("code").replace(swapped))
    return log_of(frame, folder / "LOG", SITES)


@pytest.mark.slow
@given(seed=st.integers(0, 10**9), rows=st.integers(1, 900), voids=st.sampled_from([0, 0, 15]))
@settings(max_examples=2, deadline=None)
def test_a_period_is_the_sum_of_its_days(seed: int, rows: int, voids: int) -> None:
    with TemporaryDirectory() as folder:
        log = made(seed, rows, voids, Path(folder))
        assert_frame_equal(count_period(log, log.days, [*SUMS]), by_day(log, log.days))
        some = log.days[2:9:3]  # days between that are not asked for count in look-backs only
        assert_frame_equal(count_period(log, some, [*SUMS]), by_day(log, some))


@pytest.mark.parametrize("room", [True, False])
def test_shares_of_items_spans_of_days_and_threads_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool
) -> None:
    log = made(11, 5000, 20, tmp_path)
    whole = count_period(log, log.days, [*SUMS])
    assert whole["numerator"].sum() > 150
    monkeypatch.setattr(item_scans, "has_room", lambda _: room)
    monkeypatch.setattr(item_scans, "ROWS_OF_A_PART", 300)
    monkeypatch.setattr(period_counts, "MOST_DAYS", 3)
    share = ItemScans.share_memory
    passes = []

    def few(self: ItemScans, _: float) -> None:
        share(self, 1000 * item_scans.ROW_BYTES / 2**30)
        passes.append(self.passes)

    monkeypatch.setattr(ItemScans, "share_memory", few)
    assert_frame_equal(count_period(log, log.days, [*SUMS], threads=3), whole)
    assert max(passes) > 2


def test_the_log_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = made(3, 4000, 0, tmp_path)
    read: list[Path] = []
    plain = item_scans.read_run
    monkeypatch.setattr(item_scans, "read_run", lambda run, names: read.append(run.path) or plain(run, names))
    count_period(log, log.days, ["accepted_pieces"])
    assert sorted(read) == log.files()
    del read[:]
    count_period(log, log.days[-1:], ["accepted_pieces"])
    assert len(read) == LOOK_BACK + 1


def test_a_number_used_again_after_the_look_back_counts_again(tmp_path: Path) -> None:
    """Accepted on the first and, forgotten since, on the seventh; delivered on the eighth with that one."""
    rows = [
        (1, "05-01T10:00", "accept", "A1"), (1, "05-01T10:00", "register", "A1"),
        (1, "05-07T10:00", "accept", "A2"), (1, "05-08T10:00", "deliver", "B1"),
    ]  # fmt: skip
    frame = make_log(
        [(item, epoch_ms(when), code, site, f"e{k}") for k, (item, when, code, site) in enumerate(rows)]
    )
    log = log_of(frame, tmp_path / "LOG", SITES)
    names = ["accepted_pieces", "delivered_pieces", "registered_share", "registered_share_of_delivered"]
    counted = count_period(log, log.days, names).iter_rows()
    found = {(name, site): (part, of) for name, site, part, of in counted}
    assert found == {
        ("accepted_pieces", "A1"): (1, None), ("accepted_pieces", "A2"): (1, None),
        ("registered_share", "A1"): (1, 1), ("registered_share", "A2"): (0, 1),
        ("delivered_pieces", "B1"): (1, None), ("registered_share_of_delivered", "A2"): (0, 1),
    }  # fmt: skip


def test_no_days_no_counts(tmp_path: Path) -> None:
    log = made(1, 10, 0, tmp_path)
    assert count_period(log, [], [*SUMS]).is_empty()
    assert count_period(log, log.days, []).is_empty()
    assert count_period(log, [date(2199, 1, 1)], [*SUMS]).is_empty()
