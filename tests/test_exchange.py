"""GeoJSON and GMNS: what goes out comes back; what others make is read or refused clearly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from network_cases import FURTHER, TINY, networks, tables_equal, write_texts

from changtong.errors import InputError, UsageError
from changtong.network import exchange
from changtong.network.exchange import read_geojson, write_geojson
from changtong.network.gmns import read_gmns, write_gmns
from changtong.network.io import read_network
from changtong.network.model import Network


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks())
def test_geojson_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, network: Network) -> None:
    file = write_geojson(network, tmp_path_factory.mktemp("geo") / "network.geojson")
    tables_equal(network, read_geojson(file))


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks())
def test_gmns_round_trip_of_what_it_holds(tmp_path_factory: pytest.TempPathFactory, network: Network) -> None:
    placed = network.sites.with_columns(pl.col("lon", "lat").fill_null(1.0))
    network = network.with_tables(sites=placed.drop([name for name in FURTHER if name != "own_text"]))
    again = read_gmns(write_gmns(network, tmp_path_factory.mktemp("gmns") / "network"))
    tables_equal(network, again, ("sites", "legs"))
    assert again.demand.height == 0


def test_geojson_draws_points_and_lines(tmp_path: Path) -> None:
    file = write_geojson(read_network(TINY), tmp_path / "a" / "tiny.geojson")
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    assert [feature["geometry"]["type"] for feature in features] == ["Point"] * 6 + ["LineString"] * 12
    assert features[0]["geometry"]["coordinates"] == [113.4, 34.8]
    assert features[0]["properties"]["name"] == "甲县"
    assert features[6]["geometry"]["coordinates"] == [[113.4, 34.8], [113.65, 34.75]]
    assert os.listdir(tmp_path / "a") == ["tiny.geojson"]


def test_geojson_of_some_tables(tmp_path: Path) -> None:
    network = read_network(TINY)
    again = read_geojson(write_geojson(network, tmp_path / "x.geojson", tables=("sites", "legs")))
    tables_equal(network, again, ("sites", "legs"))
    assert again.demand.height == 0
    with pytest.raises(UsageError, match="roads"):
        write_geojson(network, tmp_path / "y.geojson", tables=("roads",))


def test_geojson_edited_in_a_gis_keeps_the_moved_point(tmp_path: Path) -> None:
    file = write_geojson(read_network(TINY), tmp_path / "x.geojson")
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["changtong"]  # most programs drop members they do not know
    content["features"][0]["geometry"]["coordinates"] = [113.5, 34.9, 120.0]
    file.write_text(json.dumps(content), encoding="utf-8")
    network = read_geojson(file)
    assert network.sites.select("lon", "lat").row(0) == (113.5, 34.9)
    assert network.legs.equals(read_network(TINY).legs, null_equal=True)


def test_geojson_of_others(tmp_path: Path) -> None:
    def feature(kind: str, coordinates: Any, **rest: Any) -> dict[str, Any]:
        return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, **rest}

    features = [
        feature("Point", [113.0, 34.0], id=7, properties={"kind": "outlet", "tags": ["a"]}),
        feature("Point", [114.0, 35.0], id="8", properties=None),
        feature("LineString", [[113.0, 34.0], [114.0, 35.0]], properties={"from_site": 7, "to_site": "8"}),
    ]
    file = tmp_path / "others.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    network = read_geojson(file)
    assert network.site_ids == ("7", "8")
    assert network.sites["tags"].to_list() == ['["a"]', None]
    assert network.legs.select("from_site", "to_site").row(0) == ("7", "8")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "unreadable-file"),
        ('{"type": "Feature"}', "bad-geojson"),
        (
            '{"features": [{"geometry": {"type": "Polygon", "coordinates": []}, "properties": {}}]}',
            "bad-geojson",
        ),
        ('{"features": [3]}', "bad-geojson"),
        (
            '{"features": [{"geometry": {"type": "Point", "coordinates": []}, "properties": {}}]}',
            "bad-geojson",
        ),
        ('{"features": [], "crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}}', "wrong-crs"),
    ],
)
def test_geojson_that_cannot_be_meant(tmp_path: Path, content: str, code: str) -> None:
    file = tmp_path / "x.geojson"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_geojson(file)
    assert caught.value.problems[0].code == code


def test_geojson_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = read_network(TINY)
    file = write_geojson(network, tmp_path / "x.geojson")
    old = file.read_bytes()
    endless = network.with_tables(legs=network.legs.with_columns(own=pl.lit(float("inf"))))
    with pytest.raises(InputError) as caught:
        write_geojson(endless, file)
    assert caught.value.problems[0].code == "not-finite"

    def broken(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange, "sync", broken)
    with pytest.raises(OSError, match="No space"):
        write_geojson(network.with_tables(demand=network.demand.head(1)), file)
    assert file.read_bytes() == old
    assert os.listdir(tmp_path) == ["x.geojson"]


def test_gmns_names_units_and_speed(tmp_path: Path) -> None:
    network = read_network(TINY)
    folder = write_gmns(network, tmp_path / "gmns")
    nodes, links = pl.read_csv(folder / "node.csv"), pl.read_csv(folder / "link.csv")
    config = pl.read_csv(folder / "config.csv").row(0, named=True)
    assert {"node_id", "x_coord", "y_coord", "node_type", "name"} <= set(nodes.columns)
    assert {"link_id", "from_node_id", "to_node_id", "directed", "length", "free_speed"} <= set(links.columns)
    assert "capacity" not in links.columns
    assert links["directed"].all()
    assert links["free_speed"][0] == 15.0  # 30 km in 2 h
    assert (config["long_length"], config["speed"], config["crs"]) == ("km", "km/h", "EPSG:4326")
    write_gmns(network, folder)  # replaces its own kind
    (tmp_path / "gmns" / "node.csv").unlink()
    with pytest.raises(UsageError, match="GMNS"):
        write_gmns(network, folder)


def test_gmns_needs_positions(tmp_path: Path) -> None:
    network = read_network(TINY)
    nowhere = network.with_tables(sites=network.sites.with_columns(lon=pl.lit(None, pl.Float64)))
    with pytest.raises(InputError) as caught:
        write_gmns(nowhere, tmp_path / "x")
    assert caught.value.problems[0].code == "missing-position"
    assert not (tmp_path / "x").exists()


ROADS = {
    "node.csv": (
        "node_id,name,x_coord,y_coord,node_type\n1,a,-71.1,42.3,\n2,b,-71.0,42.4,signal\n3,c,-71.2,42.4,\n"
    ),
    "link.csv": (
        "link_id,from_node_id,to_node_id,directed,length,free_speed,lanes,facility_type\n"
        "a1,1,2,true,10,40,2,arterial\na2,2,3,false,5,25,1,local\n"
    ),
    "config.csv": "dataset_name,long_length,speed,crs\nRoads,mile,mph,EPSG:4326\n",
}


def test_gmns_road_network_of_others(tmp_path: Path) -> None:
    network = read_gmns(write_texts(tmp_path / "roads", ROADS))
    assert network.name == "Roads"
    assert network.sites["node_type"].to_list() == [None, "signal", None]
    assert network.sites["kind"].to_list() == ["sorting"] * 3
    ways = network.legs.select("from_site", "to_site", "distance_km", "travel_h").rows()
    assert ways == [
        ("1", "2", pytest.approx(16.09344), pytest.approx(0.25)),
        ("2", "3", pytest.approx(8.04672), pytest.approx(0.2)),
        ("3", "2", pytest.approx(8.04672), pytest.approx(0.2)),
    ]
    assert network.legs["lanes"].to_list() == ["2", "1", "1"]


def test_gmns_units_are_never_guessed(tmp_path: Path) -> None:
    folder = write_texts(
        tmp_path / "roads", {name: text for name, text in ROADS.items() if name != "config.csv"}
    )
    with pytest.raises(InputError) as caught:
        read_gmns(folder)
    assert [problem.code for problem in caught.value.problems] == ["unknown-unit", "unknown-unit"]
    network = read_gmns(folder, length_unit="km", speed_unit="km/h")
    assert network.legs["distance_km"].to_list() == [10, 5, 5]
    write_texts(folder, {"config.csv": "long_length,speed,crs\nfurlong,km/h,EPSG:27700\n"})
    with pytest.raises(InputError) as caught:
        read_gmns(folder)
    assert sorted(problem.code for problem in caught.value.problems) == ["unknown-unit", "wrong-crs"]


def test_gmns_problems_have_its_names(tmp_path: Path) -> None:
    texts = ROADS | {"link.csv": ROADS["link.csv"].replace("a1,1,2", "a1,1,9")}
    with pytest.raises(InputError) as caught:
        read_gmns(write_texts(tmp_path / "roads", texts))
    problem = caught.value.problems[0]
    assert (problem.code, problem.file, problem.column) == ("unknown-site", "link.csv", "to_node_id")
    with pytest.raises(InputError) as caught:
        read_gmns(tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["missing-file", "missing-file"]
