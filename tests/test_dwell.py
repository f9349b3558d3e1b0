"""Dwell and backlog equal window queries of DuckDB, and a few counted by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from contact_oracle import Scan
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_cases import columns_of, scan_lists

from changtong.errors import UsageError
from changtong.events.columns import CODES, ScanColumns
from changtong.events.tracing import dwell
from changtong.events.tracing.dwell import backlog_by_site, dwell_by_site

duckdb = pytest.importorskip("duckdb")

DWELL_SQL = """
with rows as (
    select *, lag(at_ms) over w as before_ms, lag(coalesce(site, '')) over w as before_site
    from events where item <> 0 and code not in ('note', 'void')
    window w as (partition by item order by at_ms, n)
)
select site, count(*), sum(at_ms - before_ms)::bigint, max(at_ms - before_ms),
    quantile_disc(at_ms - before_ms, 0.5), quantile_disc(at_ms - before_ms, 0.9)
from rows where before_ms is not null and site is not null and (not ? or site = before_site)
group by site order by site
"""

BACKLOG_SQL = """
with rows as (
    select item, at_ms, site, code in ('depart', 'out_for_delivery', 'deliver', 'cancel') as gone,
        lead(at_ms) over (partition by item order by at_ms, n) as next_ms
    from events where item <> 0 and code not in ('note', 'void') and site is not null
), bins as (select unnest(range(?, ?, ?)) as begin_ms)
select site, begin_ms, count(*) from bins join rows
    on at_ms < begin_ms + ? and (next_ms is null or next_ms >= begin_ms + ?)
where not gone group by site, begin_ms order by site, begin_ms
"""


def events(columns: ScanColumns) -> pl.DataFrame:
    ids = np.array([*columns.site_ids, None], object)
    return pl.DataFrame(
        {
            "n": np.arange(len(columns)),
            "at_ms": columns.at_ms,
            "item": columns.item,
            "site": pl.Series(ids[columns.site].tolist(), dtype=pl.String),
            "code": pl.Series([CODES[c] for c in columns.code], dtype=pl.String),
        }
    )


def query(columns: ScanColumns, sql: str, *values: object) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.register("events", events(columns).to_arrow())
        return connection.execute(sql, list(values)).fetchall()


def compare(columns: ScanColumns, bin_ms: int, threads: int = 2) -> None:
    for at_one_site in (False, True):
        made = dwell_by_site(columns, at_one_site=at_one_site, quantiles=[0.5, 0.9], threads=threads)
        expected = query(columns, DWELL_SQL, at_one_site)
        assert made.select("site_id", "scans", "total_ms", "most_ms", "q50_ms", "q90_ms").rows() == expected
    backlog = backlog_by_site(columns, bin_ms=bin_ms, threads=threads)
    end = backlog.begin_ms + backlog.waiting.shape[1] * bin_ms
    expected = query(columns, BACKLOG_SQL, backlog.begin_ms, end, bin_ms, bin_ms, bin_ms)
    assert backlog.frame().sort("site_id", "begin_ms").rows() == expected


@settings(max_examples=60, deadline=None)
@given(scan_lists(most=25), st.integers(1, 4))
def test_both_equal_a_window_query(scans: list[Scan], bin_ms: int) -> None:
    compare(columns_of(scans), bin_ms)


def random_columns(rows: int, seed: int, *, in_order: bool) -> ScanColumns:
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 50_000, rows)
    none = np.zeros(rows, np.int64)
    return ScanColumns(
        at_ms=np.sort(at) if in_order else at,
        item=rng.integers(-200, 2000, rows),
        receptacle=none,
        vehicle=none,
        site=rng.integers(-1, 12, rows).astype(np.int32),
        code=rng.integers(0, len(CODES), rows).astype(np.int8),
        site_ids=tuple(f"S{k:02d}" for k in range(12)),
    )


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_many_rows_in_passes_and_tables(
    monkeypatch: pytest.MonkeyPatch, in_order: bool, threads: int
) -> None:
    monkeypatch.setattr(dwell, "ROWS_OF_A_TABLE", 500)
    monkeypatch.setattr(dwell, "ROWS_AT_ONCE", 4_000)
    monkeypatch.setattr(dwell, "WORTH_TWO_CORES", 1)
    compare(random_columns(20_000, 3, in_order=in_order), 1_000, threads)


def test_by_hand() -> None:
    log = columns_of(
        [
            Scan(0, "receive", 3, site="A"),
            Scan(4, "sort", 3, site="A"),
            Scan(5, "depart", 3, site="A"),
            Scan(9, "arrive", 3, site="B"),
            Scan(10, "note", 3, site="C"),
            Scan(2, "receive", 8, site="A"),
        ]
    )
    assert dwell_by_site(log).select("site_id", "scans", "total_ms").rows() == [("A", 2, 5), ("B", 1, 4)]
    assert dwell_by_site(log, at_one_site=True).select("site_id", "scans", "total_ms").rows() == [("A", 2, 5)]
    backlog = backlog_by_site(log, bin_ms=2)
    assert backlog.waiting[0].tolist() == [1, 2, 1, 1, 1, 1]
    assert backlog.waiting[1].tolist() == [0, 0, 0, 0, 1, 1]


def test_an_empty_log_and_what_cannot_be_meant() -> None:
    empty = columns_of([])
    assert dwell_by_site(empty, quantiles=[0.5]).height == 0
    assert backlog_by_site(empty).frame().height == 0
    log = columns_of([Scan(0, "receive", 3, site="A"), Scan(10**13, "receive", 3, site="A")])
    for options in ({"bin_ms": 0}, {"bin_ms": 1}, {"begin_ms": 5}, {"end_ms": 5}):
        with pytest.raises(UsageError, match="bin"):
            backlog_by_site(log, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Quantiles"):
        dwell_by_site(log, quantiles=[0.0])
