"""Indicators of a tiny log counted by hand, and of random logs counted by brute force."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scan_cases import SITES, ZONE, epoch_ms, make_log, tiny_log, write_log

from changtong.errors import InputError, UsageError
from changtong.events.day_sources import sql_text
from changtong.events.engine import DuckDBEngine, engine_of, open_duckdb
from changtong.events.indicator_result import Indicators
from changtong.events.indicators import VALUES, indicators

HERE = Path(__file__).parent.parent
PROMISES = pl.DataFrame({"service_class": ["express", "ordinary"], "promise_h": [24.0, None]})


def engine_on(frame: pl.DataFrame, sites: pl.DataFrame | None = SITES) -> DuckDBEngine:
    engine = open_duckdb([], sites, threads=1)
    engine.connection.execute("DROP TABLE events")
    engine.connection.from_arrow(frame.to_arrow()).create("events")
    return engine


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Indicators:
    files = write_log(tiny_log(), tmp_path_factory.mktemp("log"))
    return indicators(open_duckdb(files, SITES), "2022-05-06", promises=PROMISES)


BY_HAND = {
    # items 3, 4 and 9; that of item 6 is declared wrong
    ("accepted_pieces", "all", ""): 3, ("accepted_pieces", "site", "A1"): 2,
    ("accepted_pieces", "region", "west"): 1,
    ("accepted_pieces", "service_class", "express"): 1, ("accepted_pieces", "operator", "Y"): 1,
    # item 1; item 8 went back to its sender
    ("delivered_pieces", "all", ""): 1, ("delivered_pieces", "site", "B1"): 1,
    # items 2, 3, 4, 7
    ("in_transit_pieces", "all", ""): 4, ("on_road_pieces", "all", ""): 1,
    ("with_courier_pieces", "site", "B1"): 1,
    # 87, 15, 3.5 and 39 h since acceptance
    ("in_transit_age_p50_h", "all", ""): 15, ("in_transit_age_p90_h", "all", ""): 87,
    # item 2 for 84 h, item 4 for 3.5 h
    ("backlog_pieces", "all", ""): 2, ("backlog_pieces", "site", "A2"): 1,
    ("backlog_over_24h_pieces", "all", ""): 1,
    ("backlog_over_72h_pieces", "site", "A2"): 1, ("backlog_over_72h_pieces", "site", "A1"): 0,
    ("backlog_age_p50_h", "all", ""): 3.5, ("backlog_age_p90_h", "all", ""): 84,
    # item 9 for 1 h, 7 for 2, 3 for 6, 1 for 18, 8 for 25
    ("dwell_p50_h", "all", ""): 6, ("dwell_p90_h", "all", ""): 25, ("dwell_p50_h", "site", "B1"): 2,
    ("dwell_p50_h", "service_class", "express"): 2,
    # item 1
    ("origin_handling_mean_h", "all", ""): 6, ("transport_mean_h", "site", "A1"): 18,
    ("destination_handling_p50_h", "site", "B1"): 22, ("delivery_p95_h", "region", "west"): 3,
    ("acceptance_to_delivery_mean_h", "all", ""): 49,
    # due: item 5 in time, item 2 not; by promise: item 7, not delivered; delivered: item 1
    ("on_time_72h_share", "all", ""): 0.5, ("on_time_promise_share", "all", ""): 0,
    ("delivered_within_72h_share", "all", ""): 1,
    # usual: A1 and C2, of which C2 is silent; Z9 was never seen
    ("closed_sites", "all", ""): 1, ("usual_sites", "all", ""): 2, ("closed_share", "all", ""): 0.5,
    ("closed_share", "kind", "transfer"): 1, ("closed_share", "region", "east"): 0,
    # B1 and B2 scanned on too few days to be usual
    ("never_seen_sites", "all", ""): 1,
    # of items 3, 4, 9; of item 1
    ("registered_share", "all", ""): 1 / 3, ("inspected_share", "all", ""): 2 / 3,
    ("screened_share", "all", ""): 0,
    ("inspected_share", "site", "A1"): 1, ("screened_share_of_delivered", "all", ""): 1,
    # the bag at 23:00, item 4 at 20:30
    ("data_age_h", "all", ""): 1, ("data_age_h", "site", "A1"): 3.5,
    ("data_age_h", "service_class", "express"): 9,
    # item 1 has no gap; of A1 and C2 one scans as usual
    ("whole_chain_share", "all", ""): 1, ("scanning_share", "all", ""): 0.5, ("confidence", "all", ""): 0.5,
    ("confidence", "site", "A1"): 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"), BY_HAND.items(), ids=["-".join(filter(None, key)) for key in BY_HAND]
)
def test_values_are_those_counted_by_hand(found: Indicators, key: tuple[str, str, str], value: float) -> None:
    indicator, dimension, member = key
    assert found.value(indicator, dimension, member) == pytest.approx(value, abs=1e-12)


def test_hours_are_those_counted_by_hand(found: Indicators) -> None:
    assert dict(found.hours("accepted_pieces").select("hour", "value").rows()) == {9: 1, 11: 1, 20: 1}
    waiting = dict(found.hours("backlog_pieces").select("hour", "value").rows())
    # 1, 2, 8 wait when the day begins; 7 comes, 1 goes out, ...
    assert [waiting[h] for h in range(24)] == [3] * 7 + [4, 3, 3, 2, 3, 2, 2, 2, 1, 1, 1, 1, 1, 2, 2, 2, 2]


def test_flows_and_closed_sites_are_those_counted_by_hand(found: Indicators) -> None:
    flows = {row[:3]: row[3:] for row in found.flows.rows()}
    # delivered: item 1, the day before item 5 within the east; moved: item 7, the day before 1 and 8
    assert flows == {
        ("delivered_pieces", "east", "east"): (0.0, 1.0, None),
        ("delivered_pieces", "east", "west"): (1.0, 0.0, None),
        ("moved_pieces", "east", "west"): (1.0, 2.0, None),
        ("moved_pieces", "west", "west"): (0.0, 1.0, None),
    }
    (closed,) = found.closed_sites.to_dicts()
    assert (closed["site_id"], closed["name"], closed["silent_h"], closed["usual_scans"]) == (
        "C2",
        "丙二",
        60.0,
        1.0,
    )
    assert closed["last_scan_ms"] == epoch_ms("05-04T12:00")


def test_a_gap_in_the_chain_lowers_confidence() -> None:
    log = tiny_log().filter(
        ~((pl.col("item") == 1) & (pl.col("code") == "arrive") & (pl.col("site_id") == "B2"))
    )
    found = indicators(engine_on(log), "2022-05-06")
    assert found.value("whole_chain_share") == 0.0
    assert found.value("confidence") == 0.0
    assert found.values["confidence"].null_count() < found.values.height


def test_in_transit_is_the_sum_of_its_parts(found: Indicators) -> None:
    total = {
        name: found.value(f"{name}_pieces") for name in ("in_transit", "on_road", "with_courier", "backlog")
    }
    assert total["in_transit"] == total["on_road"] + total["with_courier"] + total["backlog"]


def test_the_day_before_is_what_that_day_gives_by_itself(found: Indicators) -> None:
    alone = indicators(engine_on(tiny_log()), "2022-05-05", promises=PROMISES)
    keys = ["indicator", "dimension", "member", "hour"]
    both = alone.values.select(*keys, "value").join(
        found.values.select(*keys, "day_before"), on=keys, how="left", nulls_equal=True
    )
    assert both.height > 100
    # a zero may stand there only because the day before that one has something
    both = both.filter((pl.col("value") != 0) | pl.col("day_before").is_not_null())
    assert both.filter(pl.col("value").ne_missing(pl.col("day_before"))).rows() == []


def test_a_year_before_is_found_and_compared() -> None:
    year_ms = epoch_ms("05-06T00:00") - epoch_ms("05-06T00:00", 2021)
    old = tiny_log().with_columns(pl.col("at_ms") - year_ms, pl.lit(None).cast(pl.String).alias("event_id"))
    found = indicators(engine_on(pl.concat([tiny_log(), old])), "2022-05-06")
    row = found.totals.filter(pl.col("indicator") == "accepted_pieces").row(0, named=True)
    # nothing is declared wrong in the old one: item 6 counts there
    assert (row["value"], row["day_before"], row["year_before"]) == (3.0, 1.0, 4.0)
    assert not any("year before" in note for note in found.notes)
    assert "-25.0%" in str(found)


def test_what_cannot_be_compared_is_said(found: Indicators) -> None:
    assert "The log has no scan a year before, on 2021-05-06: nothing to compare with." in found.notes
    assert "The log reaches back 4 of the 30 days" in " ".join(found.notes)
    assert found.values["year_before"].null_count() == found.values.height
    late = indicators(engine_on(tiny_log().filter(pl.col("at_ms") >= epoch_ms("05-06T00:00"))), "2022-05-06")
    assert "The log has no scan on the day before, 2022-05-05: nothing to compare with." in late.notes
    assert late.values["day_before"].null_count() == late.values.height


def test_an_empty_log_gives_no_values_and_says_so() -> None:
    found = indicators(open_duckdb([]), "2022-05-06")
    assert found.values.drop_nulls("value").filter(pl.col("value") != 0).height == 0
    assert found.flows.height == found.closed_sites.height == 0
    assert found.notes[0] == "The log has no scan on 2022-05-06."
    assert found.value("accepted_pieces") is None
    assert "not known" in str(found)
    json.loads(found.to_json())


def test_a_day_without_scans_in_a_log_with_others_is_not_a_day_of_zero() -> None:
    log = tiny_log().filter(pl.col("at_ms") < epoch_ms("05-06T00:00"))
    found = indicators(engine_on(log), "2022-05-06")
    assert found.notes[0] == "The log has no scan on 2022-05-06."
    assert found.value("accepted_pieces") is None
    assert found.value("in_transit_pieces") == 4.0  # items 1, 2, 7 and 8 are still on their way


def test_nulls_are_counted_under_an_empty_member() -> None:
    rows = [
        (1, epoch_ms("05-06T08:00"), "accept", None, None),
        (2, epoch_ms("05-06T08:00"), "accept", "Q7", None),
    ]
    log = make_log(rows).with_columns(pl.lit(None).cast(pl.String).alias("service_class"))
    found = indicators(engine_on(log), "2022-05-06")
    assert found.by("site", "accepted_pieces").select("member", "value").rows() == [("", 1.0), ("Q7", 1.0)]
    assert found.by("region", "accepted_pieces").select("member", "value").rows() == [("", 2.0)]
    assert found.by("service_class", "accepted_pieces").select("member", "value").rows() == [("", 2.0)]


def test_a_day_that_is_not_over_is_cut_and_so_is_the_day_before() -> None:
    noon = datetime(2022, 5, 6, 12, tzinfo=ZONE)
    found = indicators(engine_on(tiny_log()), "2022-05-06", as_of=noon)
    row = found.totals.filter(pl.col("indicator") == "delivered_pieces").row(0, named=True)
    assert (row["value"], row["day_before"]) == (1.0, 1.0)
    assert found.value("accepted_pieces") == 2.0
    assert found.value("backlog_pieces") == 3.0  # 2, 3, and 9, whose cancellation at 12:00 is not yet known
    assert found.hours("backlog_pieces")["hour"].to_list() == list(range(12))
    assert "The day is not over" in " ".join(found.notes)


def test_a_weekday_off_is_no_closure() -> None:
    def scans(days: list[int]) -> list[tuple[int, int, str, str, None]]:
        return [(0, epoch_ms("05-29T12:00") - d * 86_400_000, "load", "B1", None) for d in days]

    always = [(0, epoch_ms("05-29T13:00") - d * 86_400_000, "load", "A1", None) for d in range(21)]
    rests = [d for d in range(21) if d % 7]
    quiet = indicators(engine_on(make_log(always + scans(rests))), "2022-05-29")
    assert quiet.value("closed_sites") == 0.0
    assert quiet.value("usual_sites") == 1.0
    shut = indicators(engine_on(make_log(always + scans(list(range(1, 21))))), "2022-05-29")
    assert shut.closed_sites["site_id"].to_list() == ["B1"]
    long = indicators(engine_on(make_log(always + scans(list(range(10, 21))))), "2022-05-29")
    assert long.closed_sites["silent_h"].to_list() == [
        252.0
    ]  # it stays closed, however long, within the look-back


def test_the_rows_of_the_connection_stay_as_they_were() -> None:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE sites AS SELECT 'A1' AS site_id, '' AS name, '' AS kind, '' AS region, '' AS operator"
    )
    connection.from_arrow(tiny_log().to_arrow()).create_view("events")
    before = connection.execute("SELECT table_name FROM information_schema.tables ORDER BY 1").fetchall()
    indicators(connection, "2022-05-06")
    assert (
        connection.execute("SELECT table_name FROM information_schema.tables ORDER BY 1").fetchall() == before
    )
    connection.execute("CREATE TABLE stays AS SELECT 1 AS mine")
    with pytest.raises(UsageError, match="'stays'"):
        indicators(connection, "2022-05-06")
    assert connection.execute("SELECT mine FROM stays").fetchone() == (1,)


def test_wrong_calls_are_told() -> None:
    engine = engine_on(tiny_log())
    with pytest.raises(UsageError, match="look_back_days"):
        indicators(engine, "2022-05-06", look_back_days=0)
    with pytest.raises(UsageError, match="no date"):
        indicators(engine, "6 May")
    with pytest.raises(UsageError, match="no log has this day"):
        indicators(engine, "0001-01-01")
    with pytest.raises(UsageError, match="no time zone"):
        indicators(engine, "2022-05-06", zone="Asia/Nowhere")
    with pytest.raises(UsageError, match="needs a time zone"):
        indicators(engine, "2022-05-06", as_of=datetime(2022, 5, 6, 12))
    with pytest.raises(UsageError, match="before 2022-05-06 begins"):
        indicators(engine, "2022-05-06", as_of=datetime(2022, 5, 5, tzinfo=UTC))
    with pytest.raises(UsageError, match="promises twice"):
        indicators(engine, "2022-05-06", promises=pl.concat([PROMISES[:1]] * 2))
    with pytest.raises(UsageError, match="longer than look_back_days"):
        indicators(
            engine, "2022-05-06", look_back_days=2, promises=PROMISES.with_columns(promise_h=pl.lit(72.0))
        )
    with pytest.raises(UsageError, match="no DuckDB connection"):
        engine_of("events.parquet")


def test_files_that_are_no_log_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no parquet", "utf-8")
    with pytest.raises(InputError, match="unreadable-file"):
        open_duckdb([tmp_path / "a.parquet"])
    pl.DataFrame({"at_ms": [1]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError) as caught:
        open_duckdb([tmp_path / "b.parquet"])
    assert {problem.column for problem in caught.value.problems} >= {"code", "site_id", "item", "row_key"}


def test_a_result_is_saved_whole_and_replaced(found: Indicators, tmp_path: Path) -> None:
    folder = found.save(tmp_path / "day")
    found.save(folder)
    assert_frame_equal(pl.read_parquet(folder / "values.parquet"), found.values)
    assert (
        json.loads((folder / "indicators.json").read_text("utf-8"))["totals"]["accepted_pieces"]["value"]
        == 3.0
    )
    assert pl.read_csv(folder / "flows.csv").height == found.flows.height
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("", "utf-8")
    with pytest.raises(UsageError, match="indicators"):
        found.save(tmp_path / "mine")


def test_a_result_fits_one_screen(found: Indicators) -> None:
    lines = str(found).splitlines()
    assert len(lines) <= 34
    assert max(map(len, lines[:-2])) <= 100


@pytest.mark.skipif(not (HERE / "docs").exists(), reason="the documents are not here: needs a checkout")
def test_every_indicator_is_told_of(found: Indicators) -> None:
    page = (HERE / "docs" / "indicators.md").read_text("utf-8")
    names = set(found.values["indicator"]) | set(found.flows["indicator"])
    assert {name for name in names if f"`{name}`" not in page} == set()
    for name in (*VALUES, "flows", "closed_sites"):
        head = [line for line in sql_text(name).splitlines() if line.startswith("--")]
        assert any("Unit: " in line for line in head), name
        assert any("Source: " in line for line in head), name
        assert f"`{name}.sql`" in page


# Random logs against plain loops over scans.

BEGIN = epoch_ms("05-06T00:00")
MINUTE = 60_000
CODES = (
    "accept",
    "inspect",
    "arrive",
    "sort",
    "depart",
    "out_for_delivery",
    "attempt",
    "return",
    "deliver",
    "cancel",
    "note",
)
ORDER = {code: number for number, code in enumerate(CODES)}
scan = st.tuples(
    st.integers(1, 4),
    st.integers(-36 * 4, 24 * 4 + 8),
    st.sampled_from(CODES),
    st.sampled_from(["A1", "A2", "B1"]),
)


def brute_force(rows: list[tuple[int, int, str, str, None]]) -> dict[str, object]:
    """Count by loops: one item after another, one scan after another."""
    end = BEGIN + 24 * 60 * MINUTE
    accepted, delivered, transit, waiting, dwells = 0, 0, 0, defaultdict(int), []
    for item in {row[0] for row in rows}:
        mine = sorted(
            (at, ORDER[code], site)
            for who, at, code, site, _ in rows
            if who == item and at < end and code != "note"
        )
        if not mine:
            continue
        first = {code: next((at for at, c, _ in mine if CODES[c] == code), None) for code in CODES}
        accepted += first["accept"] is not None and first["accept"] >= BEGIN
        ends = [row for row in mine if CODES[row[1]] in ("deliver", "cancel")]
        ended = min(ends) if ends else None
        if ended and CODES[ended[1]] == "deliver" and ended[0] >= BEGIN:
            back = next((row for row in mine if CODES[row[1]] == "return"), None)
            delivered += not (back and back < ended)
        transit += ended is None
        alive = [row for row in mine if ended is None or row < ended]
        if ended and ended[0] < BEGIN and not (first["accept"] is not None and first["accept"] >= BEGIN):
            continue
        stays: list[list[tuple[int, int, str]]] = []
        for row in alive:
            if stays and stays[-1][-1][2] == row[2]:
                stays[-1].append(row)
            else:
                stays.append([row])
        for number, stay in enumerate(stays):
            gone: int | None = stay[-1][0]
            if number == len(stays) - 1 and CODES[stay[-1][1]] not in ("depart", "out_for_delivery"):
                gone = ended[0] if ended else None
            if gone is not None and gone >= BEGIN:
                dwells.append((gone - stay[0][0]) // MINUTE)
            for hour in range(24):
                at = BEGIN + (hour + 1) * 60 * MINUTE
                waiting[hour] += stay[0][0] < at and (gone is None or gone >= at)
    dwells.sort()
    return {
        "accepted": accepted, "delivered": delivered, "in_transit": transit,
        "waiting": [waiting[h] for h in range(24)],
        "dwell": [dwells[-(-len(dwells) * q // 100) - 1] / 60 for q in (50, 90, 95)] if dwells else None,
    }  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(st.lists(scan, min_size=1, max_size=25))
def test_random_logs_equal_plain_loops(scans: list[tuple[int, int, str, str]]) -> None:
    rows = [(item, BEGIN + quarter * 15 * MINUTE, code, site, None) for item, quarter, code, site in scans]
    # a scan of a bag each day, so that no day is without any
    bags = [(0, BEGIN + h * 60 * MINUTE, "load", "A1", None) for h in (-30, -6, 6)]
    found = indicators(engine_on(make_log(rows + bags)), "2022-05-06", year_before=False)
    expected = brute_force(rows)
    assert found.value("accepted_pieces") == expected["accepted"]
    assert found.value("delivered_pieces") == expected["delivered"]
    assert found.value("in_transit_pieces") == expected["in_transit"]
    waiting = dict(found.hours("backlog_pieces").select("hour", "value").rows())
    assert [waiting.get(h, 0.0) for h in range(24)] == expected["waiting"]
    dwell = [found.value(f"dwell_p{q}_h") for q in (50, 90, 95)]
    assert dwell == (expected["dwell"] or [None] * 3)
