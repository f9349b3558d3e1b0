"""Generated scan logs: whole stories, shared bags and trips, outages, damage that is what is said."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.events.generator import generate
from changtong.events.generator.files import COLUMNS, SCAN_WORDS, Pending, mapping_text
from changtong.events.generator.generate import DAMAGE, ScanLog, generate_scans
from changtong.events.generator.kernels import CODES, ROW
from changtong.events.generator.rows import UNREADABLE, s10_check
from changtong.events.generator.scene import HEADROOM, _line
from changtong.events.generator.settings import Damage, ScanSettings
from changtong.events.mapping import parse_mapping
from changtong.network.model import Network, build_network
from changtong.outages import Outage
from changtong.routes import pairs_of, routes_in_force

FIRST = date(2026, 7, 20)
MIDNIGHT = datetime(2026, 7, 19, 16, tzinfo=UTC)
EVERY_SITE = {f"{name}_sites": 1.0 for name in ("receive", "sort", "pack", "unpack", "load", "unload")}
PLAIN = ScanSettings(events=20_000, days=2, header="en", first_day=FIRST, until_delivered=True, **EVERY_SITE)
ALWAYS = {"inspect_share": 1.0, "screen_share": 1.0, "register_share": 1.0}
NEVER = {"cancel_share": 0.0, "attempt_share": 0.0, "return_share": 0.0}
ENDS = {"deliver", "return", "cancel", "customs_out"}


def ends(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=["from_site", "to_site"], orient="row")


def star(**more: Any) -> Network:
    """Two hubs X and Y, two cities at each, an exchange office E behind Y; pieces at home, too."""
    own = {"A": "X", "B": "X", "C": "Y", "D": "Y", "E": "Y"}
    ways = [way for city, hub in own.items() for way in ((city, hub), (hub, city))] + [("X", "Y"), ("Y", "X")]
    pairs = [(a, b) for a in "ABCD" for b in "ABCD"] + [("A", "E"), ("E", "B")]
    tables = {
        "sites": pl.DataFrame(
            {
                "site_id": ["A", "B", "C", "D", "X", "Y", "E"],
                "kind": ["sorting"] * 4 + ["transfer"] * 2 + ["exchange"],
                "handling_h": [10.0] * 4 + [6.0] * 3,
            }
        ),
        "legs": pl.DataFrame(
            {"from_site": [a for a, _ in ways], "to_site": [b for _, b in ways]}
        ).with_columns(travel_h=pl.lit(5.0), departures_per_day=pl.lit(6.0), cost_cny_per_piece=pl.lit(1.0)),
        "demand": pl.DataFrame(
            {"from_site": [a for a, _ in pairs], "to_site": [b for _, b in pairs]}
        ).with_columns(pieces_per_day=pl.lit(1000.0)),
        "service_classes": pl.DataFrame(
            {
                "service_class": ["first", "last"],
                "rank": [1, 2],
                "share": [0.25, 0.75],
                "name": ["First", "Last"],
            }
        ),
    }
    return build_network(tables | more, "star")


def pair() -> Network:
    """Two sites and nothing between: every item has one leg."""
    return build_network(
        {
            "sites": pl.DataFrame({"site_id": ["A", "B"], "handling_h": [4.0, 4.0]}),
            "legs": pl.DataFrame(
                {"from_site": ["A", "B"], "to_site": ["B", "A"], "departures_per_day": [6.0, 6.0]}
            ),
            "demand": pl.DataFrame(
                {"from_site": ["A", "B"], "to_site": ["B", "A"], "pieces_per_day": [10.0, 20.0]}
            ),
        },
        "pair",
    )


def read(log: ScanLog) -> pl.DataFrame:
    """Read a log in the order of its rows, times as text and as seconds."""
    parts = [pl.read_csv(path, infer_schema=False).with_row_index("row", 1) for path in log.files]
    frame = pl.concat(
        [part.with_columns(file=pl.lit(path.name)) for part, path in zip(parts, log.files, strict=True)]
    )
    return frame.with_columns(at=instants("scan_time"), recorded=instants("upload_time"))


def instants(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)


def stories(frame: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    parts = frame.sort("at", maintain_order=True).partition_by(
        "waybill_no", as_dict=True, maintain_order=True
    )
    return {str(key[0]): part.to_dicts() for key, part in parts.items()}


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScanLog, pl.DataFrame]:
    """A sound log of the star in which every site makes every scan."""
    log = generate_scans(star(), tmp_path_factory.mktemp("plain"), settings=PLAIN)
    return log, read(log)


def test_every_story_is_whole_and_follows_the_routes(plain: tuple[ScanLog, pl.DataFrame]) -> None:
    log, frame = plain
    network = star()
    routes = routes_in_force(network, pairs_of(network))
    ids = network.site_ids
    head = network.legs["to_site"].to_physical().to_numpy()
    number = {site: k for k, site in enumerate(routes.dest_site)}
    found = stories(frame)
    assert len(found) == log.items
    lengths = set()
    for story in found.values():
        times = [row["at"] for row in story]
        codes = [row["scan_type"] for row in story]
        assert all(a < b for a, b in zip(times, times[1:], strict=False))
        assert codes[0] == ("receive" if story[0]["scan_site"] == "E" else "accept")
        assert codes[-1] in ENDS
        assert sum(code in ENDS for code in codes) == 1 + (story[0]["scan_site"] == "E")
        way = [story[0]["scan_site"]]
        for row in story:
            if row["scan_type"] == "depart":
                assert row["scan_site"] == way[-1]
                way.append(row["next_site"])
            assert row["scan_site"] == way[-1] or row["scan_type"] == "depart"
        at, expected = ids.index(way[0]), [way[0]]
        while at != ids.index(way[-1]):
            at = int(head[routes.next_leg[0, number[ids.index(way[-1])], at]])
            expected.append(ids[at])
        assert way == expected
        legs = len(way) - 1
        lengths.add(legs)
        for code in ("pack", "load", "depart", "arrive", "unload", "unpack"):
            assert codes.count(code) == legs
        if codes[-1] != "cancel":
            assert codes.count("sort") == legs + 1
            assert codes.count("out_for_delivery") == codes.count("attempt") + (
                codes[-1] in {"deliver", "return"}
            )
    assert lengths == {0, 2, 3}


def test_bags_and_trips_are_shared_and_agree(plain: tuple[ScanLog, pl.DataFrame]) -> None:
    _, frame = plain
    moving = frame.filter(pl.col("trip_no").is_not_null())
    assert set(moving["scan_type"]) == {"pack", "load", "depart", "arrive", "unload", "unpack"}
    assert moving["bag_no"].null_count() == 0
    trips = moving.filter(pl.col("scan_type").is_in(["depart", "arrive"])).group_by("trip_no", "scan_type")
    one = trips.agg(pl.col("at", "scan_site").n_unique(), items=pl.col("waybill_no").n_unique())
    assert one["at"].max() == one["scan_site"].max() == 1
    assert one["items"].max() > 50
    bags = moving.filter(pl.col("scan_type") != "pack").group_by("bag_no", "scan_type")
    one = bags.agg(pl.col("at", "trip_no").n_unique(), items=pl.col("waybill_no").n_unique())
    assert one["at"].max() == one["trip_no"].max() == 1
    assert 3 < one["items"].mean() < 60
    packed = moving.filter(pl.col("scan_type") == "pack").group_by("bag_no").agg(pl.col("at").max())
    loaded = moving.filter(pl.col("scan_type") == "load").group_by("bag_no").agg(loaded=pl.col("at").min())
    assert packed.join(loaded, on="bag_no").filter(pl.col("at") >= pl.col("loaded")).height == 0
    # a vehicle is in one place: it departs and arrives 5 h or a little more or less later
    ride = moving.filter(pl.col("scan_type") == "depart").select("trip_no", "at").unique()
    ride = ride.join(
        moving.filter(pl.col("scan_type") == "arrive").select("trip_no", there="at").unique(), on="trip_no"
    )
    hours = ((ride["there"] - ride["at"]).dt.total_seconds() / 3600).to_numpy()
    assert 4.74 < hours.min() < hours.max() < 5.51


def test_ids_classes_and_phones(plain: tuple[ScanLog, pl.DataFrame]) -> None:
    log, frame = plain
    items = frame.group_by("waybill_no").agg(pl.col("product", "receiver_phone").n_unique(), pl.len())
    assert items["product"].max() == items["receiver_phone"].max() == 1
    ids = items["waybill_no"].to_list()
    foreign = [one for one in ids if len(one) == 13]
    assert all(one.isdigit() and one.startswith("990") for one in ids if len(one) == 15)
    assert len(foreign) + sum(len(one) == 15 for one in ids) == log.items
    assert 0.05 < len(foreign) / len(ids) < 0.18  # 2 of 18 pairs
    assert all(check_digit(one[2:10]) == int(one[10]) for one in foreign)
    assert {one[11:] for one in foreign} > {"CN", "US"}
    share = frame.filter(pl.col("scan_type") == "accept")["product"].value_counts(normalize=True)
    assert dict(share.iter_rows())["First"] == pytest.approx(0.25, abs=0.03)
    assert frame["receiver_phone"].str.contains(r"^100\d{8}$").all()


def check_digit(serial: str) -> int:
    """The rule of UPU S10, written a second time."""
    rest = 11 - sum(int(a) * b for a, b in zip(serial, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
    return {10: 0, 11: 5}.get(rest, rest)


@pytest.mark.parametrize("known", ["EB000717618HK", "EE471108151FR", "RR473124829GB"])
def test_check_digits_of_published_numbers(known: str) -> None:
    assert (
        s10_check(np.frombuffer(known.encode(), np.uint8)[2:10].copy(), 0)
        == int(known[10])
        == check_digit(known[2:10])
    )


def test_habits_are_kept_and_delivery_is_by_day(plain: tuple[ScanLog, pl.DataFrame]) -> None:
    log, frame = plain
    domestic = log.codes["accept"]
    for code, share in (("inspect", 0.97), ("screen", 0.95), ("register", 0.98)):
        assert log.codes[code] / domestic == pytest.approx(share, abs=0.02)
    assert dict(frame["scan_type"].value_counts().iter_rows()) == {k: n for k, n in log.codes.items() if n}
    hours = frame.filter(pl.col("scan_type").is_in(["out_for_delivery", "deliver"]))["at"].dt.hour()
    assert hours.min() >= 7
    assert hours.max() <= 19
    accepted = frame.filter(pl.col("scan_type") == "accept")["at"].dt
    assert (accepted.hour().is_between(14, 19)).mean() == pytest.approx(0.515, abs=0.03)
    assert set(accepted.date()) == {FIRST, FIRST + timedelta(days=1)}


def test_rows_are_in_order_of_time_and_in_the_file_of_their_day(plain: tuple[ScanLog, pl.DataFrame]) -> None:
    log, frame = plain
    assert frame["at"].is_sorted()
    assert (frame["file"] == "scans-" + frame["scan_time"].str.slice(0, 10) + ".csv").all()
    delay = (frame["recorded"] - frame["at"]).dt.total_seconds()
    assert (delay.min(), delay.max()) == (1, 20)
    assert (
        frame.height
        == log.rows
        == json.loads((log.files[0].parent / "truth.json").read_text("utf-8"))["rows"]
    )


def test_items_a_day_are_told_beside_what_the_network_carries(plain: tuple[ScanLog, pl.DataFrame]) -> None:
    log = plain[0]
    demand = log.network_pieces_per_day
    assert log.network_share * demand == pytest.approx(log.items / PLAIN.days)
    assert json.loads(log.to_json())["network_pieces_per_day"] == demand
    few = replace(log, network_share=0.25, network_pieces_per_day=4000.0)
    assert "1,000  (25.00% of the network's 4,000 pieces a day)" in str(few)
    many = replace(log, network_share=2.12, network_pieces_per_day=1000.0)
    assert "2,120  (2.12 times the network's 1,000 pieces a day: more than it carries" in str(many)


@pytest.mark.parametrize("events", [100_000, 300_000])
def test_the_size_asked_for_is_met(tmp_path: Path, events: int) -> None:
    damage = Damage(duplicates=0.05, gaps=0.1, late=0.03)
    log = generate_scans(
        star(), tmp_path, settings=replace(PLAIN, events=events, until_delivered=False, damage=damage)
    )
    assert log.rows == pytest.approx(events, rel=0.01)
    assert log.codes["deliver"] < log.items  # some are under way when it ends
    last = read(log).select(pl.col("at").max()).item()
    assert last < datetime(2026, 7, 22)


def test_same_seed_same_bytes_whatever_the_work_is_cut_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = Damage(duplicates=0.02, late=0.02, disordered=0.02, gaps=0.02, bad_time=0.01, skewed_sites=0.3)
    wanted = replace(PLAIN, events=100_000, damage=damage, damage_table=True)
    one = generate_scans(star(), tmp_path / "one", settings=wanted)
    assert one.spilled_bytes == 0
    monkeypatch.setattr(generate, "BLOCK", 700)
    few = generate_scans(star(), tmp_path / "few", settings=replace(wanted, threads=1, pending_mib=1))
    assert few.spilled_bytes > 0
    assert digest(tmp_path / "one") == digest(tmp_path / "few")
    other = generate_scans(star(), tmp_path / "other", settings=replace(wanted, seed=1))
    assert not set(digest(tmp_path / "one").values()) & {
        value
        for name, value in digest(tmp_path / "other").items()
        if name not in ("sites.parquet", "mapping.toml")
    }
    assert other.items == pytest.approx(one.items, rel=0.02)


@pytest.mark.parametrize("header", ["zh", "en"])
def test_the_mapping_written_beside_a_log_names_its_columns(header: str) -> None:
    mapping = parse_mapping(tomllib.loads(mapping_text(header)))
    assert tuple(mapping.columns.values()) == COLUMNS[header][:-1]
    assert mapping.columns["recorded_at"] == COLUMNS[header][7]
    assert COLUMNS[header][-1] not in mapping.columns.values()  # a phone number stays outside


def test_pending_rows_come_back_in_order_and_memory_is_bounded(tmp_path: Path) -> None:
    pending, rng = Pending(tmp_path, 40 * ROW.itemsize), np.random.default_rng(1)
    sent: dict[int, list[int]] = {}
    for step in range(60):
        spans = np.sort(rng.integers(0, 9, 7))
        rows = np.zeros(7, ROW)
        rows["item"] = 7 * step + np.arange(7)
        pending.add(0, np.searchsorted(spans, np.arange(10)), rows)
        for span, item in zip(spans, rows["item"], strict=True):
            sent.setdefault(int(span), []).append(int(item))
        assert sum(part.nbytes for parts in pending._parts.values() for part in parts) <= 40 * ROW.itemsize
    assert pending.spilled_bytes > 0
    for span, items in sent.items():
        assert pending.take(span)["item"].tolist() == items
        assert len(pending.take(span)) == 0
    assert list(tmp_path.iterdir()) == []


def test_damage_is_what_the_counts_say(tmp_path: Path) -> None:
    damage = Damage(0.03, 0.02, 0.04, 0.0, 0.02, 0.02, 0.2)
    log = generate_scans(star(), tmp_path, settings=replace(PLAIN, damage=damage, damage_table=True))
    frame = read(log)
    cells = [name for name in frame.columns if name not in {"row", "file"}]
    unique = frame.unique(cells)
    assert log.damage["duplicates"] == frame.height - unique.height > 400
    late = (unique["recorded"] - unique["at"]).dt.total_seconds()
    assert log.damage["late"] == (late > 3600).sum() > 250
    assert (late > 3600).sum() == (late >= 86_400).sum()
    assert log.damage["bad_time"] == unique["at"].null_count() > 250
    assert set(unique.filter(pl.col("at").is_null())["scan_time"]) == set(UNREADABLE)
    wrong = ~unique["scan_site"].is_in(star().site_ids)
    assert log.damage["unknown_site"] == wrong.sum() > 250
    assert unique.filter(wrong)["scan_site"].str.contains(r"^ZZ\d{4}$").all()
    foreign = [one for one in unique["waybill_no"] if len(one) == 13]
    assert log.damage["bad_s10"] == sum(check_digit(one[2:10]) != int(one[10]) for one in foreign) > 200
    table = pl.read_parquet(tmp_path / "damage.parquet")
    counts = dict(table["damage"].value_counts().iter_rows())
    assert {kind: n for kind, n in log.damage.items() if n} == {
        k: n for k, n in counts.items() if k != "copied"
    }
    assert counts["copied"] == counts["duplicates"]
    both = table.join(frame, on=["file", "row"], how="left")
    assert (both["item_id"] == both["waybill_no"]).all()
    assert (both["code"] == both["scan_type"]).all()
    local = (both["at"].dt.replace_time_zone("Asia/Shanghai").dt.epoch("ms") == both["at_ms"]).drop_nulls()
    assert local.all()
    moved = both.filter(pl.col("damage") == "disordered").select("file", "row")
    calm = frame.join(
        both.filter(pl.col("damage").is_in(["disordered", "late", "duplicates"])),
        on=["file", "row"],
        how="anti",
    )
    assert calm["at"].drop_nulls().is_sorted()
    assert moved.height == log.damage["disordered"] > 500
    order = frame.with_columns(before=pl.col("at").cum_max().shift(1))
    moved = order.join(moved, on=["file", "row"])
    assert (moved["at"] < moved["before"]).mean() > 0.95


def test_gaps_are_the_rows_that_are_missing(tmp_path: Path) -> None:
    wanted = replace(PLAIN, damage=Damage(gaps=0.1), damage_table=True, **ALWAYS, **NEVER)
    log = generate_scans(pair(), tmp_path, settings=wanted)
    frame = read(log)
    assert log.rows + log.damage["gaps"] == 15 * log.items
    assert log.damage["gaps"] == pytest.approx(0.1 * 15 * log.items, rel=0.1)
    table = pl.read_parquet(tmp_path / "damage.parquet")
    assert table.height == log.damage["gaps"]
    assert table["row"].null_count() == table.height
    key = ["waybill_no", "scan_type"]
    missing = table.select(waybill_no="item_id", scan_type="code")
    once = {code for code in CODES if code != "sort"}  # each item is sorted twice, else scanned once
    missing = missing.filter(pl.col("scan_type").is_in(once))
    assert missing.join(frame, on=key, how="semi").height == 0


def test_clocks_of_some_sites_are_wrong(tmp_path: Path) -> None:
    sound = generate_scans(star(), tmp_path / "sound", settings=PLAIN)
    log = generate_scans(
        star(), tmp_path / "skewed", settings=replace(PLAIN, damage=Damage(skewed_sites=0.4))
    )
    assert 0 < len(log.skewed_sites) < 7
    assert all(300 <= abs(off) <= 2700 for off in log.skewed_sites.values())
    one, two = read(sound), read(log)
    off = (two["at"] - one["at"]).dt.total_seconds()
    expected = one["scan_site"].replace_strict(log.skewed_sites, default=0, return_dtype=pl.Int64)
    assert (off == expected).all()
    assert (one["recorded"] == two["recorded"]).all()
    assert log.damage["of_skewed_sites"] == (expected != 0).sum()


def test_parquet_holds_what_csv_holds(tmp_path: Path) -> None:
    damage = Damage(duplicates=0.02, late=0.02, unknown_site=0.02, bad_time=0.02, bad_s10=0.1, gaps=0.01)
    wanted = replace(PLAIN, header="zh", damage=damage, by_day=False)
    one = generate_scans(star(), tmp_path / "csv", settings=wanted)
    two = generate_scans(star(), tmp_path / "parquet", settings=replace(wanted, format="parquet"))
    assert [path.name for path in one.files + two.files] == ["scans.csv", "scans.parquet"]
    assert replace(one, files=two.files) == two
    text = pl.read_csv(one.files[0], infer_schema=False)
    assert tuple(text.columns) == COLUMNS["zh"]
    assert set(text["扫描类型"]) <= set(SCAN_WORDS.values())
    table = pl.read_parquet(two.files[0])
    assert table.schema["扫描时间"] == pl.Datetime("ms", "Asia/Shanghai")
    times = ["扫描时间", "上传时间"]
    again = table.with_columns(
        pl.col(times).dt.strftime("%Y-%m-%d %H:%M:%S"), pl.exclude(times).cast(pl.String)
    )
    readable = text.with_columns(
        pl.when(pl.col("扫描时间").is_in(list(UNREADABLE))).then(None).otherwise("扫描时间").alias("扫描时间")
    )
    assert again.equals(readable)


def closed(site: str, first_h: float, last_h: float, **more: Any) -> Outage:
    begin = MIDNIGHT + timedelta(hours=first_h)
    return Outage("shut", sites=(site,), start=begin, end=MIDNIGHT + timedelta(hours=last_h), **more)


def test_a_closed_site_is_silent_and_works_its_backlog_off(tmp_path: Path) -> None:
    wanted = replace(PLAIN, events=60_000, days=4)
    calm = read(generate_scans(star(), tmp_path / "calm", settings=wanted))
    log = generate_scans(star(), tmp_path / "shut", settings=wanted, outages=[closed("X", 30.0, 54.0)])
    frame = read(log)
    begin, end = datetime(2026, 7, 21, 6), datetime(2026, 7, 22, 6)
    inside = pl.col("at").is_between(begin, end, closed="left")
    assert calm.filter(inside & (pl.col("scan_site") == "X")).height > 1000
    assert frame.filter(inside & (pl.col("scan_site") == "X")).height == 0
    leaving = inside & (pl.col("scan_type") == "depart")
    assert frame.filter(leaving & (pl.col("next_site") == "X")).height == 0
    assert frame.filter(leaving & (pl.col("scan_site") == "C")).height > 0
    held = frame.filter(pl.col("scan_type") == "hold")
    assert held.height == log.codes["hold"] == log.codes["release"] > 100
    assert set(held["next_site"]) == {"X"}
    assert held.filter(inside)["scan_site"].is_in(["A", "B", "Y"]).all()
    for story in stories(frame).values():
        times = [row["at"] for row in story]
        assert all(a < b for a, b in zip(times, times[1:], strict=False))
        assert story[-1]["scan_type"] in ENDS

    def at_x(rows: pl.DataFrame) -> float:
        """Mean hours from arrival at X to departure of what arrives in the day after reopening."""
        there = rows.filter(
            (pl.col("scan_site") == "X")
            & (pl.col("scan_type") == "arrive")
            & pl.col("at").is_between(end, end + timedelta(hours=24))
        )
        gone = rows.filter((pl.col("scan_site") == "X") & (pl.col("scan_type") == "depart"))
        both = there.join(gone.select("waybill_no", gone="at"), on="waybill_no")
        return float((both["gone"] - both["at"]).dt.total_seconds().mean()) / 3600

    assert at_x(frame) > at_x(calm) + 6.0


def test_slowed_legs_and_settling_sites(tmp_path: Path) -> None:
    wanted = replace(PLAIN, events=40_000)
    slow = Outage("flood", legs=(("X", "Y"),), extra_h=9.0)
    settle = Outage("settling", sites=("Y",), extra_h=20.0)
    few = Outage("few", legs=(("Y", "X"),), capacity_share=0.34)
    calm = read(generate_scans(star(), tmp_path / "calm", settings=wanted))
    frame = read(generate_scans(star(), tmp_path / "slow", settings=wanted, outages=[slow, settle, few]))

    def hours(rows: pl.DataFrame, first: str, last: str) -> float:
        """Mean hours from a scan of a ride from X to Y to one at Y."""
        rides = rows.filter((pl.col("scan_type") == "depart") & (pl.col("next_site") == "Y"))
        rides = rides.filter(pl.col("scan_site") == "X").select("waybill_no")
        there = rows.filter((pl.col("scan_site") == "Y") | (pl.col("scan_type") == "depart"))
        found = rides.join(
            there.filter(pl.col("next_site").is_null() | (pl.col("scan_site") == "X")), on="waybill_no"
        )
        wide = found.filter(pl.col("scan_type").is_in([first, last])).pivot(
            "scan_type", index="waybill_no", values="at", aggregate_function="last"
        )
        return float((wide[last] - wide[first]).dt.total_seconds().mean()) / 3600

    ride = hours(frame, "depart", "arrive") - hours(calm, "depart", "arrive")
    assert ride == pytest.approx(9.0, abs=0.3)
    settled = hours(frame, "unpack", "sort") - hours(calm, "unpack", "sort")
    assert settled == pytest.approx(20.0, abs=0.5)

    def trips(rows: pl.DataFrame) -> int:
        return rows.filter((pl.col("scan_site") == "Y") & (pl.col("next_site") == "X"))["trip_no"].n_unique()

    assert trips(frame) < 0.7 * trips(calm)


SPAN = st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from([0.0, 0.2, 0.5, 0.77, 1.0]))


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(SPAN, max_size=3))
def test_lines_follow_the_fluid_queue(gaps: list[tuple[int, int, float]]) -> None:
    spans, at = [], 0
    for wait, length, share in gaps:
        spans.append((at + wait, at + wait + length, share, 0.0))
        at += wait + length
    corners = _line(spans, 2_000)
    n = 20  # steps of 1/20: serve arrivals of rate 1, first in, first out
    served, clock, done = [], 0.0, 0.0
    for step in range(450 * n):
        clock = step / n
        share = next((s for low, high, s, _ in spans if low <= clock < high), 1.0)
        done = min(clock + 1 / n, done + share * HEADROOM / n)
        served.append(done)
    for t in range(0, 400, 7):
        expected = max(float(t), (np.searchsorted(served, t + 1e-9) + 1) / n)
        found = float(t)
        if corners and t >= corners[0][0]:
            ins = np.array([x for x, _ in corners])
            outs = np.array([y for _, y in corners])
            i = int(np.searchsorted(ins, t, side="right")) - 1
            if i + 1 < len(ins):
                found = outs[i] + (t - ins[i]) * (outs[i + 1] - outs[i]) / (ins[i + 1] - ins[i])
            else:
                found = max(float(t), outs[-1])
        assert found == pytest.approx(expected, abs=0.3)


def test_what_a_plan_does_not_send_is_held_at_its_first_site(tmp_path: Path) -> None:
    network = star()
    today = routes_in_force(network)
    ids, n = network.site_ids, network.sites.height
    key = np.array([ids.index("A") * n + ids.index("C")])
    routes = replace(today, part=key, moving=np.array([[1.0, 0.0]], np.float32))
    log = generate_scans(network, tmp_path, settings=replace(PLAIN, **NEVER), routes=routes)
    frame = read(log)
    held = frame.filter(pl.col("scan_type") == "hold")
    assert set(held["scan_site"]) == {"A"}
    assert set(held["product"]) == {"Last"}
    assert held.height == log.codes["hold"] == pytest.approx(log.items / 18 * 0.75, rel=0.15)
    assert (
        frame.filter(
            pl.col("waybill_no").is_in(held["waybill_no"].implode()), pl.col("scan_type") == "depart"
        ).height
        == 0
    )


def test_a_log_of_the_national_network_by_city(tmp_path: Path) -> None:
    from changtong.network.reference import reference_network

    network = reference_network(level="city")
    wanted = ScanSettings(events=120_000, days=5, header="en", first_day=FIRST)
    log = generate_scans(network, tmp_path, settings=wanted)
    frame = read(log)
    assert log.rows == pytest.approx(120_000, rel=0.01)
    legs = set(network.legs.select(pl.col("from_site", "to_site").cast(pl.String)).iter_rows())
    rides = frame.filter(pl.col("scan_type") == "depart").select("scan_site", "next_site").unique()
    assert set(rides.iter_rows()) <= legs
    assert (
        0.005
        < frame.filter(pl.col("waybill_no").str.len_chars() == 13)["waybill_no"].n_unique() / log.items
        < 0.04
    )
    whole = frame.filter(pl.col("scan_type").is_in(["accept", "deliver"])).group_by("waybill_no")
    spent = whole.agg(first=pl.col("at").min(), last=pl.col("at").max(), n=pl.len()).filter(pl.col("n") == 2)
    hours = (spent["last"] - spent["first"]).dt.total_hours().to_numpy()
    assert 40.0 < hours.mean() < 75.0
    sites = pl.read_parquet(tmp_path / "sites.parquet")
    assert sites.columns == ["site_id", "name", "kind", "region", "operator"]
    assert sites["site_id"].to_list() == list(network.site_ids)


def test_wrong_questions_are_refused(tmp_path: Path) -> None:
    network = star()
    passes = Outage("area", sites=("X",), passes_per_day=3)
    with pytest.raises(InputError, match="not-played"):
        generate_scans(network, tmp_path / "a", settings=PLAIN, outages=[passes])
    with pytest.raises(InputError, match="no-demand"):
        generate_scans(star(demand=network.demand.clear()), tmp_path / "b", settings=PLAIN)
    with pytest.raises(InputError, match="other-network"):
        generate_scans(network, tmp_path / "c", settings=PLAIN, routes=routes_in_force(pair()))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "scans.csv").write_text("")
    with pytest.raises(UsageError, match="holds scans"):
        generate_scans(network, tmp_path / "d", settings=PLAIN)
    assert not any((tmp_path / one).exists() for one in "abc")
    wrong: list[dict[str, Any]] = [
        {"events": 0}, {"days": 0}, {"seed": -1}, {"format": "xml"}, {"header": "fr"}, {"sort_sites": 1.5},
        {"first_day": date(1980, 1, 1)}, {"weekdays": (0.0,) * 7}, {"time_of_day": (1.0,)}, {"threads": 0},
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(UsageError):
            ScanSettings(**options)
    with pytest.raises(UsageError):
        Damage(late=0.7, gaps=0.7)
    with pytest.raises(UsageError):
        Damage(bad_s10=-0.1)


def test_nothing_is_left_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(generate, "write_sites", fails)
    with pytest.raises(OSError, match="disk full"):
        generate_scans(star(), tmp_path, settings=PLAIN)
    assert list(tmp_path.iterdir()) == []


def test_every_code_and_kind_has_its_place() -> None:
    assert set(SCAN_WORDS) == set(CODES)
    assert len(set(SCAN_WORDS.values())) == len(CODES)
    assert set(DAMAGE) - {"of_skewed_sites"} == set(Damage.__dataclass_fields__) - {"skewed_sites"}
    assert len(COLUMNS["zh"]) == len(COLUMNS["en"]) == 10
