"""Stays of items at sites, in receptacles, on vehicles: by hand, and against a slow reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from contact_oracle import Scan, reference_stays
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_cases import columns_of, scan_lists, stays_as_set

from changtong.errors import InputError
from changtong.events import item_order
from changtong.events.columns import CODES, load_columns
from changtong.events.tracing.visits import STATES, stays_of


def stays(*scans: Scan) -> set[tuple[object, ...]]:
    return stays_as_set(stays_of(columns_of(list(scans))))


def test_an_item_stays_until_its_last_scan_before_one_elsewhere() -> None:
    assert stays(
        Scan(1, "accept", 3, site="A"), Scan(4, "sort", 3, site="A"), Scan(9, "receive", 3, site="B")
    ) == {(3, "site", "A", 1, 4), (3, "site", "B", 9, None)}


def test_what_departed_is_gone_and_a_scan_at_the_same_site_is_a_new_stay() -> None:
    assert stays(Scan(1, "accept", 3, site="A"), Scan(2, "depart", 3, site="A")) == {(3, "site", "A", 1, 2)}
    assert stays(
        Scan(1, "accept", 3, site="A"),
        Scan(2, "depart", 3, site="A"),
        Scan(3, "load", 3, site="A"),
        Scan(7, "receive", 3, site="A"),
    ) == {(3, "site", "A", 1, 3), (3, "site", "A", 7, None)}


def test_delivered_is_an_end_and_a_return_is_none() -> None:
    assert stays(Scan(1, "accept", 3, site="A"), Scan(2, "deliver", 3, site="A")) == {(3, "site", "A", 1, 2)}
    assert stays(Scan(1, "accept", 3, site="A"), Scan(2, "return", 3, site="A")) == {
        (3, "site", "A", 1, None)
    }


def test_a_bag_is_left_with_the_first_scan_that_names_none_but_not_by_its_transport() -> None:
    found = stays(
        Scan(1, "pack", 3, receptacle=6, site="A"),
        Scan(2, "load", 3, vehicle=4, site="A"),
        Scan(5, "unload", 3, vehicle=4, site="B"),
        Scan(8, "sort", 3, site="B"),
    )
    assert {(3, "receptacle", 6, 1, 8), (3, "vehicle", 4, 2, 5)} <= found


def test_scans_of_a_bag_alone_move_what_is_inside() -> None:
    found = stays(
        Scan(1, "pack", 3, receptacle=6, site="A"),
        Scan(2, "load", 0, receptacle=6, vehicle=4, site="A"),
        Scan(3, "depart", 0, vehicle=4, site="A"),
        Scan(6, "arrive", 0, vehicle=4, site="B"),
        Scan(7, "unload", 0, receptacle=6, vehicle=4, site="B"),
        Scan(8, "unpack", 0, receptacle=6, site="B"),
        Scan(9, "load", 0, receptacle=6, vehicle=4, site="B"),  # empty by now
    )
    assert found == {
        (3, "receptacle", 6, 1, 8),
        (3, "vehicle", 4, 2, 7),
        (3, "site", "A", 1, 3),
        (3, "site", "B", 6, None),
    }


def test_one_instant_is_a_set() -> None:
    rows = [Scan(5, "depart", 3, site="A"), Scan(5, "arrive", 3, site="B"), Scan(1, "accept", 3, site="A")]
    expected = {(3, "site", "A", 1, 5), (3, "site", "B", 5, None)}
    assert stays(*rows) == stays(*rows[::-1], *rows) == expected


@settings(max_examples=examples(300), deadline=None)
@given(scan_lists())
def test_stays_equal_the_reference(scans: list[Scan]) -> None:
    equal_reference(scans)


@pytest.mark.slow
@settings(max_examples=examples(1000), deadline=None)
@given(scan_lists(most=18))
def test_stays_equal_the_reference_in_many_cases(scans: list[Scan]) -> None:
    equal_reference(scans)


def equal_reference(scans: list[Scan]) -> None:
    made = stays_of(columns_of(scans))
    expected, last = reference_stays(scans)
    assert stays_as_set(made) == expected
    assert len(made.kind) == len(expected)
    sites = [made.site_ids[s] if s >= 0 else None for s in made.last_site]
    seen = zip(sites, made.last_ms.tolist(), [STATES[s] for s in made.state], strict=True)
    assert dict(zip(made.item_key.tolist(), seen, strict=True)) == last


@settings(max_examples=examples(100), deadline=None)
@given(scan_lists(most=30), st.randoms(use_true_random=False))
def test_order_and_duplicates_of_rows_change_nothing(scans: list[Scan], random: object) -> None:
    again = scans + scans[::2]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert stays_as_set(stays_of(columns_of(again))) == stays_as_set(stays_of(columns_of(scans)))


def many_scans(rows: int, seed: int) -> list[Scan]:
    rng = np.random.default_rng(seed)
    names = [c for c in CODES if c not in ("note", "void")]
    code, item = rng.integers(0, len(names), rows), rng.integers(0, 40, rows)
    item[rng.random(rows) < 0.3] = 17  # one item with very many scans
    at, bag, car = rng.integers(0, 3000, rows), rng.integers(0, 6, rows), rng.integers(0, 6, rows)
    site = rng.integers(0, 4, rows)
    return [
        Scan(int(at[k]), names[code[k]], int(item[k]), int(bag[k]), int(car[k]), ("", "A", "B", "C")[site[k]])
        for k in range(rows)
    ]


def test_parts_and_cores_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = many_scans(1500, 1)
    columns = columns_of(scans)
    whole = stays_as_set(stays_of(columns))
    assert whole == reference_stays(scans)[0]
    monkeypatch.setattr(item_order, "ROWS_OF_A_PART", 200)
    monkeypatch.setattr(item_order, "ROWS_OF_A_BUCKET", 32)
    for threads in (1, 2):
        assert stays_as_set(stays_of(columns, threads=threads)) == whole


def log_frame(scans: list[Scan], event_ids: list[str | None] | None = None) -> pl.DataFrame:
    """Return scans as rows of the log."""
    return pl.DataFrame(
        {
            "at_ms": [s.at for s in scans],
            "recorded_ms": [s.at for s in scans],
            "code": [s.code for s in scans],
            "site_id": [s.site or None for s in scans],
            "item": [s.item or None for s in scans],
            "receptacle": [s.receptacle or None for s in scans],
            "vehicle": [s.vehicle or None for s in scans],
            "event_id": event_ids or [None] * len(scans),
            "row_key": list(range(len(scans))),
        },
        schema_overrides={
            "site_id": pl.String,
            "item": pl.Int64,
            "receptacle": pl.Int64,
            "vehicle": pl.Int64,
            "event_id": pl.String,
        },
    )


def test_columns_are_read_from_many_files_without_what_is_void(tmp_path: Path) -> None:
    scans = [
        Scan(1, "accept", 3, site="B"),
        Scan(2, "sort", 3, 6, 4, site="A"),
        Scan(3, "sort", 8, site="C"),
        Scan(4, "void", 8),
    ]
    files = [tmp_path / "1.parquet", tmp_path / "2.parquet", tmp_path / "3.parquet"]
    log_frame(scans[:2], ["e1", "e2"]).write_parquet(files[0], row_group_size=1)
    log_frame(scans[2:], ["e3", "e1"]).write_parquet(files[1])
    log_frame([]).write_parquet(files[2])
    columns = load_columns(files)
    assert columns.site_ids == ("A", "C")
    assert columns.voided == 1
    assert columns.at_ms.tolist() == [2, 3, 4]
    assert columns.site.tolist() == [0, 1, -1]
    assert [CODES[c] for c in columns.code] == ["sort", "sort", "void"]
    assert (columns.item.tolist(), columns.receptacle.tolist(), columns.vehicle.tolist()) == (
        [3, 8, 8], [6, 0, 0], [4, 0, 0]
    )  # fmt: skip
    assert load_columns(files, keys=("item",)).receptacle.tolist() == [0, 0, 0]


@pytest.mark.parametrize("with_void", [False, True])
def test_runs_of_row_groups_and_cores_change_nothing_in_columns(
    with_void: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = many_scans(400, 2)
    ids: list[str | None] = [f"e{k}" for k in range(400)]
    if with_void:
        for k, other in ((7, 3), (150, 390), (399, 0), (200, 201)):
            scans[k] = Scan(scans[k].at, "void", scans[k].item)
            ids[k] = f"e{other}"
    files = [tmp_path / f"{k}.parquet" for k in range(4)]
    for k, file in enumerate(files):
        part = slice(100 * k, 100 * k + 100)
        log_frame(scans[part], ids[part]).write_parquet(file, row_group_size=(7, 100, 13, 1)[k])
    whole = load_columns(files, threads=1)
    gone = {3, 390, 0, 201} if with_void else set()
    left = [scan for k, scan in enumerate(scans) if k not in gone]
    assert whole.at_ms.tolist() == [scan.at for scan in left]
    assert [CODES[code] for code in whole.code] == [scan.code for scan in left]
    assert whole.voided == len(gone)
    monkeypatch.setattr("changtong.events.columns.ROWS_READ", 20)
    for threads in (1, 3):
        again = load_columns(files, threads=threads)
        for name in ("at_ms", "item", "receptacle", "vehicle", "site", "code"):
            assert np.array_equal(getattr(again, name), getattr(whole, name))
        assert (again.site_ids, again.voided) == (whole.site_ids, whole.voided)


def test_files_that_are_no_log_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match="unreadable-file"):
        load_columns([bad])
    log_frame([Scan(1, "sort", 3)]).drop("vehicle", "site_id").write_parquet(bad)
    with pytest.raises(InputError, match="2 problems"):
        load_columns([bad])
    log_frame([Scan(1, "sort", 3)]).with_columns(code=pl.lit("teleport")).write_parquet(bad)
    with pytest.raises(InputError, match="teleport"):
        load_columns([bad])
