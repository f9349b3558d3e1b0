"""The backlog of a scan log: placed by hand, counted as the indicator counts it, kept by the simulation."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from log_cases import log_of
from scan_cases import ZONE, epoch_ms
from test_simulation import line, play

from changtong.cli import main
from changtong.errors import UsageError
from changtong.events.destination_mix import DestinationMix, whole_pieces
from changtong.events.engine import EVENT_COLUMNS, open_duckdb
from changtong.events.indicators import indicators
from changtong.events.log import EventLog
from changtong.events.present_items import PresentItems, present_items
from changtong.events.starting_backlog import LEFT_OUT, StartingBacklog, place_items, starting_backlog
from changtong.network.io import write_network
from changtong.network.model import Network, build_network
from changtong.simulation.simulate import SimulationSettings, simulate

NOON = datetime(2022, 5, 6, 12, tzinfo=ZONE)


def network() -> Network:
    """A to H to B, C; three of four pieces from A are for B, the rest for C; D sends to C by way of H."""
    return build_network(
        {
            "sites": pl.DataFrame({"site_id": ["A", "H", "B", "C", "D"]}),
            "legs": pl.DataFrame(
                {
                    "from_site": ["A", "D", "H", "H"],
                    "to_site": ["H", "H", "B", "C"],
                    "travel_h": [2.0, 1.0, 1.0, 1.0],
                }
            ),
            "demand": pl.DataFrame(
                {
                    "from_site": ["A", "A", "D"],
                    "to_site": ["B", "C", "C"],
                    "pieces_per_day": [30.0, 10.0, 20.0],
                }
            ),
            "service_classes": pl.DataFrame(
                {"service_class": ["express", "ordinary"], "rank": [1, 2], "share": [0.25, 0.75]}
            ),
        },
        "fork",
    )


def scans(rows: str, event_ids: dict[int, str] | None = None) -> pl.DataFrame:
    """Return events from lines: item, time, code, site, and next= class= to= where they matter."""
    found = []
    for number, text in enumerate(filter(None, rows.splitlines())):
        item, at, code, site, *more = text.split()
        said = dict(word.split("=") for word in more)
        found.append(
            {
                "at_ms": epoch_ms(at), "code": code, "site_id": site, "item": int(item), "row_key": number,
                "next_site_id": said.get("next"), "service_class": said.get("class", "ordinary"),
                "event_id": said.get("id"),
                "attributes": json.dumps({"目的": said["to"]}) if "to" in said else None,
            }
        )  # fmt: skip
    frame = pl.DataFrame(found, schema_overrides=EVENT_COLUMNS)
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )


BY_HAND = """
1 05-06T09:00 accept A
2 05-06T09:00 accept A
3 05-06T09:00 accept A
4 05-06T09:00 accept A class=express
5 05-05T08:00 accept A next=H
5 05-05T09:00 depart A next=H
5 05-05T11:00 arrive H
5 05-05T12:00 sort H next=C
5 05-05T12:30 hold H
6 05-06T07:00 arrive H class=nobody
7 05-06T08:00 arrive H next=C
7 05-06T11:20 depart H next=C
8 05-06T08:00 accept A
8 05-06T11:00 depart A
9 05-05T08:00 arrive B
9 05-05T09:00 out_for_delivery B
9 05-05T19:00 attempt B
10 05-06T08:00 arrive B
10 05-06T09:00 out_for_delivery B
11 05-06T08:00 arrive X9
12 05-06T08:00 arrive C
12 05-06T09:00 deliver C
13 05-06T12:00 arrive C
14 05-06T08:00 accept A id=e14
14 05-06T09:00 void A id=e14
15 05-04T08:00 accept D
15 05-05T08:00 arrive C
15 05-05T10:00 return C
16 05-06T06:00 arrive H next=A
17 05-06T06:00 depart B next=C
18 05-05T06:00 depart A next=H
19 05-06T06:00 arrive H next=B to=C
20 05-06T06:00 arrive H next=B to=moon
"""
"""At noon of 6 May: 1-4 at A, 5 6 16 19 20 at H, 9 at B, 15 at C, 11 nowhere; 7 8 17 18 on the road."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return log_of(scans(BY_HAND), tmp_path_factory.mktemp("hand") / "LOG")


@pytest.fixture(scope="module")
def found(log: EventLog) -> StartingBacklog:
    return starting_backlog(log, network(), NOON)


def test_counts_are_those_made_by_hand(found: StartingBacklog) -> None:
    assert (found.waiting_pieces, found.on_road_pieces, found.with_courier_pieces) == (12, 4, 1)
    assert found.placed.rows() == [
        ("waiting", "home", 1),  # 9
        ("waiting", "next", 3),  # 5 to C, 19 and 20 to B: nobody asked for what their attribute says
        (
            "waiting",
            "mix",
            7,
        ),  # 1-4 at A, 6, 16 at H, 15 at C: no piece of the network is bound for D, its sender
        ("on-road", "next", 2),  # 7, 18
        ("on-road", "mix", 1),  # 8
    ]
    assert found.left_out.rows() == [
        ("on-road", "no-leg", "B", "C", 1),  # 17
        ("waiting", "unknown-site", "X9", "", 1),  # 11
    ]
    assert (found.unknown_class_pieces, found.no_way_pieces) == (1, 0)  # 6
    assert found.overdue_pieces == 1  # 18 left 30 h ago on a leg of two hours
    assert found.pieces == 14
    text = str(found)
    assert "14 pieces (in the log 12 waiting, 4 on the road; 1 with couriers, left out)" in text
    assert "1 waiting, left out, the network has no such site: X9" in text
    assert "no leg between the two sites: B to C" in text


def test_pieces_are_where_they_were_put_by_hand(found: StartingBacklog) -> None:
    rows = {row[:3] + row[4:]: row[3] for row in found.frame.iter_rows()}
    at_a = {
        to: rows.get(("A", to, "ordinary", 0.0), 0) + rows.get(("A", to, "express", 0.0), 0) for to in "BC"
    }
    assert at_a["B"] in (2, 3, 4)  # three and one of four, in two groups that are rounded each
    assert at_a["B"] + at_a["C"] == 4
    assert rows["B", "B", "ordinary", 0.0] == 1
    assert rows["C", "C", "ordinary", 0.0] == 1
    assert rows["C", "C", "ordinary", 0.5] == 1  # 7 left 40 minutes ago, two whole quarters
    assert sum(n for key, n in rows.items() if key[0] == "H" and key[3] == 0.0) == 6  # 5 6 16 19 20, and 18
    assert sum(n for key, n in rows.items() if key[0] == "H" and key[3] == 1.0) == 1  # 8


def test_a_log_and_a_network_of_different_sizes_are_told_apart(found: StartingBacklog) -> None:
    # 1 2 3 4 and 8 were accepted in the 24 hours before; the network has 60 pieces a day
    assert [note for note in found.notes if "not of the same size" in note][0].startswith(
        "The log has 5 pieces"
    )


def test_an_attribute_tells_the_destination(log: EventLog) -> None:
    found = starting_backlog(log, network(), NOON, attribute="目的")
    placed = {(where, rule): n for where, rule, n in found.placed.iter_rows()}
    assert (placed["waiting", "told"], placed["waiting", "next"]) == (1, 2)  # 19; 5 and 20
    assert found.unknown_destination_pieces == 1  # 20: the moon
    assert starting_backlog(log, network(), NOON, attribute='no"thing').placed.height == 5


def groups(*rows: dict[str, Any]) -> PresentItems:
    """Return present items from what differs from one waiting piece at H."""
    plain = {
        "on_road": 0, "site_id": "H", "service_class": "ordinary", "begins_here": 0, "was_out": 0,
        "back_site_id": "", "next_site_id": "", "destination": "", "quarters": 0, "pieces": 1,
    }  # fmt: skip
    return PresentItems(pl.DataFrame([plain | row for row in rows]), 0, True)


def placed(net: Network, *rows: dict[str, Any]) -> StartingBacklog:
    return place_items(groups(*rows), net, NOON)


def test_the_mix_is_that_of_the_network() -> None:
    found = placed(
        network(),
        {"site_id": "A", "begins_here": 1, "pieces": 400},
        {"site_id": "H", "pieces": 600},
        {"site_id": "C", "pieces": 10},
        {"site_id": "H", "next_site_id": "C", "pieces": 7},
    )
    rows = {row[:2]: row[3] for row in found.frame.iter_rows()}
    # through H go 30 to B, 10 and 20 to C; what has come to C is at its end
    assert rows == {("A", "B"): 300, ("A", "C"): 100, ("H", "B"): 300, ("H", "C"): 307, ("C", "C"): 10}


def test_rules_where_the_network_and_the_log_disagree() -> None:
    net = network()
    ends = placed(
        net, {"site_id": "A", "next_site_id": "C", "pieces": 3}
    )  # the network goes to C by way of H
    assert ends.frame.rows() == [("A", "C", "ordinary", 3, 0.0)]
    assert ends.placed.rows() == [("waiting", "next-ends", 3)]
    back = placed(net, {"site_id": "H", "back_site_id": "B", "was_out": 1})
    assert back.placed.rows() == [("waiting", "sender", 1)]
    stuck = placed(net, {"site_id": "B", "destination": "C"})
    assert (stuck.no_way_pieces, stuck.frame.rows()) == (1, [("B", "C", "ordinary", 1, 0.0)])
    nothing = placed(
        net, {"site_id": "D", "next_site_id": "A"}, {"site_id": "A", "on_road": 1, "quarters": 1}
    )
    assert nothing.left_out.height == 0
    alone = build_network(
        {
            "sites": pl.DataFrame({"site_id": ["A", "B", "E"]}),
            "legs": pl.DataFrame({"from_site": ["A"], "to_site": ["B"]}),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [1.0]}),
        },
        "alone",
    )
    left = placed(
        alone, {"site_id": "E", "pieces": 5}, {"site_id": "B", "on_road": 1, "next_site_id": "moon"}
    )
    assert left.left_out.rows() == [
        ("on-road", "unknown-site", "B", "moon", 1),
        ("waiting", "nothing-passes", "E", "", 5),
    ]
    assert left.pieces == 0
    assert left.left_out.schema == pl.Schema(LEFT_OUT)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 5000), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.integers(0, 10_000))
def test_whole_pieces_add_up_and_are_rounded(pieces: int, weights: list[float], turn: int) -> None:
    shares = np.array(weights) + (0.0 if sum(weights) > 1e-6 else 1.0)
    shares = shares / shares.sum()
    parts = whole_pieces(pieces, shares, turn)
    assert parts.sum() == pieces
    assert (np.abs(parts - pieces * shares) < 1.0 + 1e-6).all()


def test_single_pieces_are_not_all_sent_to_the_same_place() -> None:
    total = sum(whole_pieces(1, np.array([0.5, 0.3, 0.2]), turn) for turn in range(1000))
    assert np.abs(total / 1000 - [0.5, 0.3, 0.2]).max() < 0.01


CODES = (
    "accept",
    "arrive",
    "sort",
    "hold",
    "depart",
    "out_for_delivery",
    "attempt",
    "return",
    "deliver",
    "note",
)
PLACES = st.sampled_from(["A", "H", "B", "X9"])
SCANS = st.tuples(
    st.integers(1, 6), st.integers(0, 480), st.sampled_from(CODES), PLACES, st.none() | PLACES, st.booleans()
)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.lists(SCANS, min_size=10, max_size=40), st.integers(1, 480))
def test_random_logs_count_as_the_indicator_and_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], quarter: int
) -> None:
    base = epoch_ms("05-01T00:00")
    frame = pl.DataFrame(
        [
            {
                "at_ms": base + at * 900_000, "code": "void" if void and code == "note" else code,
                "site_id": site, "next_site_id": follow, "item": item, "row_key": k,
                "event_id": f"e{at % 7}" if void else None, "service_class": "express" if item % 2 else None,
            }
            for k, (item, at, code, site, follow, void) in enumerate(rows)
        ],
        schema_overrides=EVENT_COLUMNS,
    )  # fmt: skip
    frame = frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )
    log = log_of(frame, tmp_path_factory.mktemp("random") / "LOG")
    at = datetime.fromtimestamp((base + quarter * 900_000) / 1000, ZONE)
    found = starting_backlog(log, network(), at, look_back_days=3)
    assert found.pieces + found.left_out["pieces"].sum() == found.waiting_pieces + found.on_road_pieces
    assert found.placed["pieces"].sum() == found.pieces
    day = (at - timedelta(milliseconds=1)).date()
    files = log.files(day - timedelta(days=4))
    told = indicators(
        open_duckdb(files), day, as_of=at, look_back_days=3, day_before=False, year_before=False
    )
    if found.waiting_pieces + found.on_road_pieces + found.with_courier_pieces:
        for name in ("waiting", "on_road", "with_courier"):
            indicator = "backlog" if name == "waiting" else name
            assert told.value(f"{indicator}_pieces") == getattr(found, f"{name}_pieces")
    by_query = open_duckdb([])
    by_query.connection.execute("DROP TABLE events")
    seen = pl.concat([pl.read_parquet(f, hive_partitioning=False) for f in files]) if files else frame.clear()
    by_query.connection.from_arrow(seen.to_arrow()).create("events")
    again = present_items(by_query, at, zone=log.zone, look_back_days=3)
    with_files = present_items(open_duckdb(files), at, zone=log.zone, look_back_days=3)
    assert again.groups.equals(with_files.groups)


def test_the_simulation_keeps_every_piece(found: StartingBacklog) -> None:
    run = simulate(
        network(),
        backlog=found.frame,
        settings=SimulationSettings(hours=24.0, warm_up_h=0.0, start=found.at),
    )
    begun = run.hours["accepted_pieces"].sum()
    last = run.hours.row(-1, named=True)
    present = last["waiting_pieces"] + last["under_way_pieces"] + last["handled_pieces"]
    assert run.hours["delivered_pieces"].sum() + present == pytest.approx(begun + found.pieces, rel=1e-6)
    assert run.imbalance_pieces < 1e-3


def test_pieces_on_the_way_join_the_line_when_they_arrive() -> None:
    """10 an hour come to a hub that sorts 16; 20 that left elsewhere reach it after three hours: 14 wait."""
    coming = pl.DataFrame({"site": ["H"], "destination": ["B"], "pieces": [20.0], "arrives_h": [3.0]})
    run = play(line(hub_rate=16.0), backlog=coming, hours=12.0)
    hours = dict(run.hours.select("hour", "waiting_pieces").iter_rows())
    assert [round(hours[h], 3) for h in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)] == [0, 0, 0, 14, 8, 2, 0]
    way = dict(run.hours.select("hour", "under_way_pieces").iter_rows())
    assert way[1.0] == pytest.approx(20.0 + 20.0, rel=1e-5)  # ten on each leg, and these
    assert run.imbalance_pieces < 1e-3
    late = pl.DataFrame({"site": ["H"], "destination": ["B"], "pieces": [20.0], "arrives_h": [99.0]})
    assert play(line(), backlog=late, hours=12.0).hours["under_way_pieces"][-1] == pytest.approx(
        40.0, rel=1e-5
    )


def test_who_joins_behind_a_backlog_waits_for_it() -> None:
    """160 urgent ones wait at a hub that sorts 16 an hour, 2.5 an hour come: gone after 160 / 13.5 h."""
    before = pl.DataFrame(
        {"site": ["H"], "destination": ["B"], "pieces": [160.0], "service_class": ["urgent"]}
    )
    run = play(line(hub_rate=16.0), backlog=before, hours=96.0)
    waited = 2.5 * 0.5 * (160 / 13.5) * (160 / 16)  # piece-hours of those that join until then
    assert run.classes["mean_h"][0] == pytest.approx(3.0 + waited / (2.5 * 96), abs=0.05)
    assert play(line(hub_rate=16.0), hours=96.0).classes["mean_h"][0] == pytest.approx(3.0)


@pytest.fixture(scope="module")
def folders(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    net = tmp_path_factory.mktemp("net") / "NET"
    write_network(network(), net)
    return str(log.path), str(net)


def test_the_command_writes_what_the_simulation_reads(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], found: StartingBacklog
) -> None:
    log, net = folders
    file = tmp_path / "left.csv"
    assert main(["backlog", log, net, "--at", "2022-05-06T12:00", "-o", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {**found.summary(), "file": str(file)}
    assert json.loads(file.with_suffix(".json").read_text("utf-8"))["waiting_pieces"] == 12
    words = ["simulate", net, "--hours", "24", "--json"]
    main([*words, "-o", str(tmp_path / "one"), "--backlog-from", log, "--at", "2022-05-06T04:00+00:00"])
    answer = capsys.readouterr()
    one = json.loads(answer.out)
    assert one["starting_backlog"]["placed"] == found.summary()["placed"]
    assert "left out, the network has no such site: X9" in answer.err
    start = ["--warm-up", "0", "--start", "2022-05-06T12:00+08:00"]
    main([*words, "-o", str(tmp_path / "two"), "--backlog", str(file), *start])
    two = json.loads(capsys.readouterr().out)
    for key in ("accepted_pieces", "delivered_pieces", "waiting_pieces", "peak_waiting_pieces"):
        assert one[key] == pytest.approx(two[key], rel=1e-9)
    assert (tmp_path / "one" / "starting_backlog.csv").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ["--at", "2022-05-06T12:00"],
        ["--backlog-from", "LOG"],
        ["--backlog-from", "LOG", "--at", "2022-05-06T12:00", "--warm-up", "24"],
        ["--backlog-from", "LOG", "--at", "2022-05-06T12:00", "--start", "2022-05-06T12:00+08:00"],
        ["--backlog-from", "LOG", "--at", "2022-05-06T12:00", "--backlog", "left.csv"],
        ["--backlog-from", "LOG", "--at", "noon"],
    ],
)
def test_options_that_contradict_one_another_are_refused(
    words: list[str], folders: tuple[str, str], tmp_path: Path
) -> None:
    words = [folders[0] if word == "LOG" else word for word in words]
    assert main(["simulate", folders[1], "-o", str(tmp_path / "run"), *words, "--json"]) == 2
    assert not (tmp_path / "run").exists()


def test_wrong_use_in_python(log: EventLog) -> None:
    with pytest.raises(UsageError):
        starting_backlog(log, network(), datetime(2022, 5, 6))
    with pytest.raises(UsageError):
        starting_backlog(log, network(), NOON, look_back_days=0)
    empty = starting_backlog(log, network(), datetime(2021, 5, 6, tzinfo=ZONE))
    assert (empty.pieces, empty.notes) == (0, ("The log has no scan in the 30 days before.",))
    assert date(2022, 5, 5) in log.days


def test_classes_go_by_their_id_or_their_name() -> None:
    net = network()
    classes = pl.DataFrame(
        {
            "service_class": ["express", "ordinary"],
            "rank": [1, 2],
            "name": ["Fast", "express"],
            "name_zh": ["特快", "慢"],
        }
    )
    named = build_network({**net.tables(), "service_classes": classes}, "named")
    rows = [{"service_class": word} for word in ("express", "特快", "慢", "Fast", "faster")]
    found = placed(named, *rows)
    counted = found.frame.group_by("service_class").agg(pl.col("pieces").sum())
    assert dict(counted.iter_rows()) == {"express": 3, "ordinary": 2}  # an id goes before another's name
    assert found.unknown_class_pieces == 1


def test_classes_with_ways_of_their_own() -> None:
    """Express goes over D, the rest over H: each class has a mix of its own."""
    net = build_network(
        {
            "sites": pl.DataFrame({"site_id": ["A", "H", "D", "B"]}),
            "legs": pl.DataFrame({"from_site": ["A", "A", "H", "D"], "to_site": ["H", "D", "B", "B"]}),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [8.0]}),
            "service_classes": pl.DataFrame({"service_class": ["express", "ordinary"], "rank": [1, 2]}),
            "sort_plan": pl.DataFrame(
                {
                    "site": ["A", "A", "H", "D"], "destination": ["B"] * 4, "next_site": ["H", "D", "B", "B"],
                    "service_class": [None, "express", None, None],
                }
            ),
        },
        "two ways",
    )  # fmt: skip
    mix = DestinationMix(net)
    assert mix.shares(1, 0, begun=False) is None
    assert mix.shares(2, 0, begun=False) is not None
    assert mix.shares(1, 1, begun=False) is not None
    assert mix.shares(2, 1, begun=False) is None
