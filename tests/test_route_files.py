"""Routes for other programs: GPX by its schema, GeoJSON by RFC 7946, CSV that Excel opens; timetables."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.rural.county_plan import CountyPlan
from changtong.rural.route_files import (
    GPX_SPACE,
    trips,
    write_csv_tables,
    write_gpx,
    write_routes_geojson,
)
from changtong.rural.timetables import (
    bus_timetable,
    station_timetable,
    vehicle_days,
    vehicles_used,
)
from tests.county_results import small_county, small_result

RESULT = small_result()
COUNTY = RESULT.county
SHARED = RESULT.shared
ORDER = {
    "gpx": ("metadata", "wpt", "rte", "trk", "extensions"),
    "metadata": ("name", "desc", "author", "copyright", "link", "time", "keywords", "bounds", "extensions"),
    "rte": ("name", "cmt", "desc", "src", "link", "number", "type", "extensions", "rtept"),
    "rtept": (
        "ele", "time", "magvar", "geoidheight", "name", "cmt", "desc", "src", "link", "sym", "type", "fix",
        "sat", "hdop", "vdop", "pdop", "ageofdgpsdata", "dgpsid", "extensions",
    ),
}  # fmt: skip
"""Children in the sequence that the GPX 1.1 schema asks for."""


def with_buses() -> CountyPlan:
    assert RESULT.with_buses is not None
    return RESULT.with_buses


def tag(node: ElementTree.Element) -> str:
    space, _, name = node.tag[1:].partition("}")
    assert space == GPX_SPACE
    return name


def check_gpx(path: Path) -> ElementTree.Element:
    """Parse a file and hold it against the structure of the schema."""
    root = ElementTree.parse(path).getroot()
    assert (tag(root), root.get("version")) == ("gpx", "1.1")
    assert root.get("creator")
    for node in root.iter():
        names = [tag(child) for child in node]
        if names:
            ranks = [ORDER[tag(node)].index(name) for name in names]
            assert ranks == sorted(ranks)
        if tag(node) == "rtept":
            for key, most in (("lat", 90), ("lon", 180)):
                text = str(node.get(key))
                assert re.fullmatch(r"-?\d+(\.\d+)?", text)  # xsd:decimal has no exponent
                assert -most <= float(text) <= most
            assert node.get("lon") != "180"
        assert tag(node) != "time"  # a plan has no dates
    return root


def routes_of(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [node for node in root if tag(node) == "rte"]


def said(node: ElementTree.Element, name: str) -> str:
    return str(node.findtext(f"{{{GPX_SPACE}}}{name}"))


def test_one_gpx_file_holds_every_trip_from_start_to_end(tmp_path: Path) -> None:
    (file,) = write_gpx(SHARED, COUNTY, tmp_path / "all.gpx")
    found = routes_of(check_gpx(file))
    assert [said(node, "name") for node in found] == SHARED.routes["route_id"].to_list()
    points = [node for node in found[1] if tag(node) == "rtept"]
    assert [said(p, "name") for p in points] == ["车村镇", "天桥沟村", "龙王村", "车村镇"]
    assert [(p.get("lat"), p.get("lon")) for p in points[:2]] == [
        ("33.794", "112.105"),
        ("33.822", "112.151"),
    ]
    assert said(points[1], "desc").endswith("in 84, out 24, cold: in 6, out 1.8")
    assert said(points[0], "desc") == "leaves 08:36:00"
    assert [said(p, "type") for p in points] == ["start", "stop", "stop", "end"]


def test_a_folder_gets_a_file_for_each_trip_and_a_bus_does_not_come_back(tmp_path: Path) -> None:
    files = write_gpx(with_buses(), COUNTY, tmp_path / "gpx")
    assert len(files) == with_buses().routes.height == len(list((tmp_path / "gpx").iterdir()))
    (bus,) = routes_of(check_gpx(tmp_path / "gpx" / "B-B1.gpx"))
    points = [said(p, "name") for p in bus if tag(p) == "rtept"]
    assert points == ["嵩阳县级共配中心", "河北村", "旧县镇"]


@settings(max_examples=examples(15), deadline=None)
@given(name=st.text(max_size=12), route=st.text(min_size=1, max_size=12))
def test_any_name_makes_a_file_that_parses(
    tmp_path_factory: pytest.TempPathFactory, name: str, route: str
) -> None:
    folder = tmp_path_factory.mktemp("gpx")
    county = small_county({"V1": name})
    one = SHARED.routes.head(2).with_columns(
        pl.Series("route_id", [route, route + "?"]), pl.lit("<b>&").alias("vehicle_type")
    )
    stops = SHARED.stops.filter(pl.col("route_id") == "S-L1").with_columns(pl.lit(route).alias("route_id"))
    plan = dataclasses.replace(SHARED, routes=one, stops=stops)
    files = write_gpx(plan, county, folder / "each")
    assert len({file.name.lower() for file in files}) == 2
    assert all(file.parent == folder / "each" for file in files)
    for file in files:
        check_gpx(file)
    (whole,) = write_gpx(plan, county, folder / "all.gpx")
    point = next(p for p in routes_of(check_gpx(whole))[0] if tag(p) == "rtept" and said(p, "type") == "stop")
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", name) or "V1"
    assert said(point, "name").replace("\n", "") == kept.replace("\n", "")


def test_edges_of_the_globe_are_plain_decimals(tmp_path: Path) -> None:
    sites = COUNTY.sites.with_columns(
        pl.when(pl.col("site_id") == "V1").then(180.0).otherwise("lon").alias("lon"),
        pl.when(pl.col("site_id") == "V1").then(1e-6).otherwise("lat").alias("lat"),
    )
    (file,) = write_gpx(SHARED, dataclasses.replace(COUNTY, sites=sites), tmp_path / "all.gpx")
    assert 'lat="0.000001" lon="-180"' in file.read_text("utf-8")
    check_gpx(file)


def test_geojson_has_a_line_a_trip_and_a_point_a_stop(tmp_path: Path) -> None:
    path = write_routes_geojson(with_buses(), COUNTY, tmp_path / "routes.geojson")
    content = json.loads(path.read_text("utf-8"))
    assert content.keys() == {"type", "features"}
    lines = [one for one in content["features"] if one["geometry"]["type"] == "LineString"]
    points = [one for one in content["features"] if one["geometry"]["type"] == "Point"]
    assert len(lines) == with_buses().routes.height
    assert len(points) == with_buses().stops.height
    assert len({one["id"] for one in content["features"]}) == len(content["features"])
    for one in lines:
        assert len(one["geometry"]["coordinates"]) >= 2
        assert len(one["geometry"]["coordinates"]) == len(one["properties"]["sites"])
    trip = next(one for one in lines if one["properties"]["route_id"] == "B-L1")
    assert trip["geometry"]["coordinates"][1] == [112.151, 33.822]
    assert trip["geometry"]["coordinates"][0] == trip["geometry"]["coordinates"][-1]
    row = with_buses().routes.row(by_predicate=pl.col("route_id") == "B-L1", named=True)
    assert {key: trip["properties"][key] for key in row} == row
    stop = next(one for one in points if one["id"] == "stop/B-L1/1")
    assert stop["properties"]["name"] == "天桥沟村"
    assert stop["geometry"]["coordinates"] == [112.151, 33.822]


def test_geojson_of_a_figure_that_is_none_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    routes = SHARED.routes.with_columns(pl.lit(float("nan")).alias("hours"))
    with pytest.raises(InputError) as caught:
        write_routes_geojson(dataclasses.replace(SHARED, routes=routes), COUNTY, tmp_path / "r.geojson")
    assert caught.value.problems[0].code == "not-finite"
    assert list(tmp_path.iterdir()) == []


def test_a_place_the_county_has_not_is_told(tmp_path: Path) -> None:
    county = dataclasses.replace(COUNTY, sites=COUNTY.sites.filter(~pl.col("site_id").is_in(["V1", "T2"])))
    with pytest.raises(InputError) as caught:
        write_gpx(SHARED, county, tmp_path / "all.gpx")
    assert [problem.code for problem in caught.value.problems] == ["unknown-site"] * 2


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError) as caught:
        write_gpx(SHARED, COUNTY, tmp_path / "file" / "all.gpx")
    assert caught.value.code == "cannot-write"


def test_csv_tables_have_names_and_nothing_excel_would_run(tmp_path: Path) -> None:
    result = small_result({"V1": "=HYPERLINK(1)"})
    files = write_csv_tables(result.shared, result.county, tmp_path)
    assert {file.name for file in files} == {entry.name for entry in tmp_path.iterdir()}
    raw = (tmp_path / "stops.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert len(rows) == SHARED.stops.height
    named = {row["site_id"]: row["site_name"] for row in rows}
    assert named["V1"] == "'=HYPERLINK(1)"
    assert named["V2"] == "龙王村"
    served = list(csv.DictReader((tmp_path / "villages.csv").read_text("utf-8-sig").splitlines()))
    assert served[0]["served_from_name"] == "车村镇"


def test_a_station_knows_what_comes_and_goes_and_when() -> None:
    table = station_timetable(with_buses(), COUNTY)
    t1 = table.filter(pl.col("site_id") == "T1")
    said_there = t1.select("at", "event", "tier", "into_pieces", "out_pieces").rows()
    trunk = with_buses().stops.row(by_predicate=pl.col("route_id") == "B-T1", named=True)
    assert said_there[0] == (trunk["arrives"], "arrives", "trunk", 346.0, 0.0)
    assert said_there[1] == (trunk["departs"], "leaves", "trunk", 0.0, 106.0)
    assert said_there[2] == ("08:36:00", "leaves", "local", 0.0, 144.0)
    assert [row[1] for row in said_there].count("returns") == 2
    bus = table.filter((pl.col("site_id") == "T2") & (pl.col("tier") == "bus"))
    assert bus.select("at", "event", "into_pieces", "out_pieces").rows() == [
        ("08:10:00", "calls", 77.0, 23.333)
    ]
    assert table["site_id"].unique(maintain_order=True).to_list() == ["HUB", "T1", "T2"]
    for _, rows in table.group_by("site_id"):
        assert rows["at"].is_sorted()


def test_a_vehicle_is_back_before_it_leaves_in_the_same_minute() -> None:
    back = SHARED.routes.row(by_predicate=pl.col("route_id") == "S-L1", named=True)["returns"]
    routes = SHARED.routes.with_columns(
        pl.when(pl.col("route_id") == "S-L2").then(pl.lit(back)).otherwise("departs").alias("departs")
    )
    table = station_timetable(dataclasses.replace(SHARED, routes=routes), COUNTY)
    same = table.filter((pl.col("site_id") == "T1") & (pl.col("at") == back))
    assert same.select("route_id", "event").rows() == [("S-L1", "returns"), ("S-L2", "leaves")]


@pytest.mark.parametrize("plan", [SHARED, with_buses(), *RESULT.alone.values()], ids=lambda plan: plan.name)
def test_what_leaves_somewhere_comes_in_somewhere(plan: CountyPlan) -> None:
    """Over a week, timetables hold each trip's pieces once out of its start and once back into it."""
    days = pl.col("weekdays").str.len_chars()
    table = station_timetable(plan, COUNTY)
    local = table.filter(pl.col("tier") == "local").select((pl.col("into_pieces", "out_pieces") * days).sum())
    routes = plan.routes.filter(pl.col("tier") == "local")
    wanted = routes.select((pl.col("collected_pieces", "delivered_pieces") * days).sum()).row(0)
    assert local.row(0) == pytest.approx(wanted)
    trunk = table.filter(pl.col("tier") == "trunk")
    assert trunk["into_pieces"].sum() == pytest.approx(trunk["out_pieces"].sum())


def test_the_bus_has_a_timetable_of_its_own() -> None:
    table = bus_timetable(with_buses(), COUNTY)
    assert table.select("bus_name", "site_id", "arrives", "delivered_pieces").rows() == [
        ("嵩阳–旧县 城乡公交", "V4", "08:02:00", 75.0), ("嵩阳–旧县 城乡公交", "T2", "08:10:00", 77.0),
    ]  # fmt: skip
    assert bus_timetable(SHARED, COUNTY).is_empty()


def test_days_of_a_vehicle_that_are_alike_are_one_sheet() -> None:
    local = [one for one in vehicle_days(SHARED) if one.tier == "local"]
    days = {(one.from_site, one.weekdays): one.route_ids for one in local}
    assert days == {
        ("HUB", "1234567"): ("S-L5",), ("T1", "135"): ("S-L1", "S-L2"), ("T1", "2467"): ("S-L1",),
        ("T2", "1357"): ("S-L3",), ("T2", "246"): ("S-L3", "S-L4"),
    }  # fmt: skip
    lorries = [one for one in vehicle_days(SHARED) if one.tier == "trunk"]
    assert [(one.weekdays, one.route_ids) for one in lorries] == [("1234567", ("S-T1",))]
    assert vehicles_used(SHARED) == 4  # a lorry, and a tricycle at the hub and at each station
    assert vehicles_used(with_buses()) == 4


def test_a_vehicle_at_two_bases_on_different_days_is_one() -> None:
    row = SHARED.routes.filter(pl.col("route_id") == "S-L1").row(0, named=True)

    def used(*trips: tuple[str, int, str, str]) -> int:
        made = [
            row | {"from_site": base, "vehicle": number, "weekdays": days, "vehicle_type": kind}
            for base, number, days, kind in trips
        ]
        return vehicles_used(
            dataclasses.replace(SHARED, routes=pl.DataFrame(made, schema=SHARED.routes.schema))
        )

    assert used(("HUB", 1, "1", "trike"), ("T1", 1, "2", "trike"), ("HUB", 1, "12", "lorry")) == 2
    assert used(("HUB", 1, "12", "trike"), ("T1", 1, "23", "trike")) == 2
    assert used(("HUB", 1, "1", "trike"), ("HUB", 1, "1", "trike"), ("HUB", 2, "3", "trike")) == 1
    assert used() == 0


def test_every_trip_of_every_day_is_on_one_sheet() -> None:
    for plan in (SHARED, with_buses(), *RESULT.alone.values()):
        driven = [
            (route, day) for one in vehicle_days(plan) for route in one.route_ids for day in one.weekdays
        ]
        wanted = [
            (row[0], day) for row in plan.routes.select("route_id", "weekdays").rows() for day in row[1]
        ]
        assert sorted(driven) == sorted(wanted)


def test_trips_start_and_end_where_their_vehicle_stands() -> None:
    for trip in trips(with_buses(), COUNTY):
        assert trip.way[0][0] == trip.route["from_site"]
        assert len(trip.way) == len(trip.stops) + (1 if trip.route["tier"] == "bus" else 2)
