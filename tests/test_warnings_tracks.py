"""Tracks and polygons from files: places and hours by hand, formats, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.emergency.cap import Area
from changtong.emergency.exposure import Ground
from changtong.emergency.polygon_files import read_polygons
from changtong.emergency.track_files import read_tracks
from changtong.emergency.tracks import STEP_S, Track, TrackPoint, track_exposure
from changtong.emergency.warned_areas import Places, crosses_itself
from changtong.emergency.warning_rules import read_warning_rules
from changtong.errors import InputError
from changtong.network.model import Network, build_network

START = datetime(2026, 7, 20, tzinfo=UTC)


def row_of_sites() -> Network:
    """Sites on the equator at 100, 101 … 104 degrees, 111.2 km apart; legs 100 > 101 and 100 > 104."""
    return build_network(
        {
            "sites": pl.DataFrame(
                {
                    "site_id": ["A", "B", "C", "D", "E"],
                    "lon": [100.0, 101.0, 102.0, 103.0, 104.0],
                    "lat": [0.0] * 5,
                }
            ),
            "legs": pl.DataFrame({"from_site": ["A", "A"], "to_site": ["B", "E"]}),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["E"], "pieces_per_day": [1.0]}),
        },
        name="row",
    )


def test_arrival_and_leaving_on_a_straight_way_by_hand() -> None:
    """From 101 to 103 in 20 h is 0.1 degrees an hour; half a degree is over C from 5 h to 15 h."""
    km = 0.5 * 111.195
    radii = {7: (km, km, km, km)}
    track = Track(
        "S", "s.csv",
        (TrackPoint(START, 101.0, 0.0, radii), TrackPoint(START + timedelta(hours=20), 103.0, 0.0, radii)),
    )  # fmt: skip
    found = track_exposure(Ground.of(row_of_sites()), track)
    times = {row["site_id"]: row for row in found.sites.iter_rows(named=True)}
    assert sorted(times) == ["B", "C", "D"]
    near = timedelta(seconds=2 * STEP_S)
    for site, begins, ends in (("C", 5, 15), ("B", 0, 5), ("D", 15, 20)):
        assert abs(times[site]["begins"] - (START + timedelta(hours=begins))) <= near
        assert abs(times[site]["ends"] - (START + timedelta(hours=ends))) <= near
    assert times["C"]["begins"] <= START + timedelta(hours=5)  # never later than it comes
    assert times["C"]["ends"] >= START + timedelta(hours=15)
    legs = {(row["to_site"]): row["exposed"] for row in found.legs.iter_rows(named=True)}
    assert legs == {"B": "end", "E": "passes"}
    assert track_exposure(Ground.of(row_of_sites()), track, after=START + timedelta(days=3)).sites.is_empty()


@settings(max_examples=examples(30), deadline=None, derandomize=True)
@given(
    st.floats(-180.0, 180.0), st.floats(-50.0, 50.0), st.floats(-9.0, 9.0), st.floats(-9.0, 9.0),
    st.tuples(*[st.floats(1.0, 500.0)] * 4),
)  # fmt: skip
def test_a_standing_storm_is_over_what_lies_in_the_quadrants_reach(
    lon: float, lat: float, across: float, up: float, four: tuple[float, float, float, float]
) -> None:
    """An independent look: distance by the dot product of unit vectors, quadrant by the signs."""

    def unit(lon: float, lat: float) -> np.ndarray:
        a, b = np.radians([lon, lat])
        return np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])

    place = ((lon + across + 180.0) % 360.0 - 180.0, lat + up)
    away = 6371.0088 * float(np.arccos(np.clip(unit(lon, lat) @ unit(*place), -1.0, 1.0)))
    radius = four[0 if across >= 0 and up >= 0 else 1 if across >= 0 else 2 if up < 0 else 3]
    if abs(away - radius) < 1.0 or abs(across) < 1e-6 or abs(up) < 1e-6:
        return  # on the rim: rounding decides
    points = tuple(TrackPoint(START + timedelta(hours=k), lon, lat, {10: four}) for k in (0, 1))
    network = build_network(
        {
            "sites": pl.DataFrame({"site_id": ["X", "Y"], "lon": [place[0], None], "lat": [place[1], None]}),
            "legs": pl.DataFrame({"from_site": ["X"], "to_site": ["Y"]}),
        },
        name="one",
    )
    found = track_exposure(Ground.of(network), Track("S", "", points))
    assert found.sites["site_id"].to_list() == (["X"] if away < radius else [])


def test_a_plain_table_in_gbk_with_quadrants(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        "name,time,lon,lat,r7_km,r10_ne_km\n台风,2026-07-20T00:00+08:00,122,25,300,100\n"
        "台风,2026-07-21T00:00+08:00,118,28,200,\n".encode("gbk")
    )
    (track,) = read_tracks(file)
    assert (track.name, track.forces, track.radii_assumed) == ("台风", (7, 10), False)
    assert track.points[0].radii_km[10] == (100.0, 0.0, 0.0, 0.0)
    assert 10 not in track.points[1].radii_km


def test_a_deck_of_atcf_and_only_its_best_track(tmp_path: Path) -> None:
    file = tmp_path / "bwp052026.dat"
    head = "WP, 05, 2026072000,   , BEST,   0, 250N, 1220E, 100, 950, TY"
    file.write_text(
        f"{head},  34, NEQ, 150, 120, 100, 130,\n{head},  50, SWQ,  60,  50,  40,  30,\n"
        "WP, 05, 2026072012,   , BEST,   0, 265N, 1790W,  80, 970, TY,  34, AAA, 120, 0, 0, 0,\n"
        "WP, 05, 2026072012,   , JTWC,  12, 275N, 1780W,  80, 970, TY,  34, AAA, 120, 0, 0, 0,\n"
    )
    (track,) = read_tracks(file)
    first, last = track.points
    assert (track.name, first.at, last.lon) == ("WP05", START, -179.0)
    assert first.radii_km[8] == pytest.approx((277.8, 222.24, 185.2, 240.76))
    # from SW clockwise: SW 60, NW 50, NE 40, SE 30
    assert first.radii_km[10] == pytest.approx(tuple(1.852 * nm for nm in (40, 30, 60, 50)))
    assert first.wind_m_s == pytest.approx(51.44, abs=0.01)


def test_a_best_track_of_cma_takes_its_radii_from_the_wind_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "CH2026BST.txt"
    file.write_text(
        "66666 2605   2 0007 2605 0 6 Test                 20270101\n"
        "2026072000 4 250 1220  960      38\n2026072006 2 258 1204  985      15\n"
    )
    (track,) = read_tracks(file, read_warning_rules().radii)
    assert (track.name, track.radii_assumed, track.forces) == ("2605 Test", True, (7, 10, 12))
    assert (track.points[0].at, track.points[0].lon, track.points[0].lat) == (START, 122.0, 25.0)
    assert track.points[1].radii_km == {}
    (bare,) = read_tracks(file)
    assert (bare.forces, bare.radii_assumed) == ((), False)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"time,lon\n1,2\n", b"time,lon,lat\n", b"time,lon,lat\n2026-07-20 08:00,120,25\n",
        b"time,lon,lat,r7_km\n2026-07-20T08:00Z,520,25,-3\n2026-07-21T08:00Z,120,95,x\n",
        b"time,lon,lat\n2026-07-20T08:00Z,120,25\n", b'{"type": "FeatureCollection"}', b"[1, 2",
        b"66666 1\nxx\n",
        b'{"features": [{"properties": null, "geometry": {"type": "Point", "coordinates": [1]}}]}',
        b"WP, 05, 20260720, , BEST, 0, 250N, 1220E\n", b"\xff\xfe\x00",
        b"66666\n2026072000 4 950 1220 960 38\n",
        b"time,lon,lat\n2026-07-20T08:00Z,120,25\n2026-07-20T08:00Z,121,25\n2026-07-21T08:00Z,121,25\n",
    ],
)  # fmt: skip
def test_what_is_no_track_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_tracks(file)
    assert all(problem.file for problem in caught.value.problems)


def test_polygons_with_an_island_and_times(tmp_path: Path) -> None:
    file = tmp_path / "flood.geojson"
    outer, hole = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]], [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]
    properties = {"name": "basin", "level": "red", "begins": "2026-07-20T10:00+08:00"}
    feature = {
        "type": "Feature", "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [outer, hole]},
    }  # fmt: skip
    file.write_text(json.dumps(feature), "utf-8")
    (message,) = read_polygons(file, START)
    (info,) = message.infos
    places = Places(np.array([1.0, 5.0, 20.0]), np.array([1.0, 5.0, 1.0]))
    assert places.inside(info.areas).tolist() == [True, False, False]
    assert (info.event, info.onset) == ("flood", datetime.fromisoformat("2026-07-20T10:00+08:00"))


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"type": "FeatureCollection", "features": []}',
        '{"type": "Point", "coordinates": [1, 2]}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, "x"], [1, 1], [0, 0]]]}',
        '{"type": "Polygon", "coordinates": [[[1e5, 0], [1, 0], [1, 1], [1e5, 0]]]}',
        '{"type": "Polygon", "crs": "EPSG:3857", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}',
        '{"type": "Feature", "properties": {"level": "purple", "begins": "today"}, "geometry": null}',
    ],
)  # fmt: skip
def test_what_is_no_polygon_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "f.geojson"
    file.write_text(content, "utf-8")
    with pytest.raises(InputError) as caught:
        read_polygons(file, START)
    assert {problem.code for problem in caught.value.problems} == {"bad-polygon"}


def test_a_ring_that_crosses_itself_holds_all_it_goes_round() -> None:
    star = [(90 + 144 * k) for k in range(6)]
    ring = tuple((float(np.cos(np.radians(a))), float(np.sin(np.radians(a)))) for a in star)
    ring = (*ring[:-1], ring[0])
    assert crosses_itself(ring) is True
    assert crosses_itself(((0, 0), (1, 0), (1, 1), (0, 0))) is False
    places = Places(np.array([0.0, 0.0, 0.9]), np.array([0.0, 0.8, 0.9]))
    assert places.inside([Area("star", polygons=(ring,))]).tolist() == [True, True, False]
    twice = Area(
        "twice", polygons=(((0, 0), (2, 0), (2, 2), (0, 2), (0, 0), (2, 0), (2, 2), (0, 2), (0, 0)),)
    )
    assert Places(np.array([1.0]), np.array([1.0])).inside([twice]).tolist() == [True]  # gone round twice


def test_a_circle_without_radius_is_one_place() -> None:
    places = Places(np.array([113.6, 113.601]), np.array([34.7, 34.7]))
    assert places.inside([Area("c", circles=((113.6, 34.7, 0.0),))]).tolist() == [True, False]


def test_a_polygon_too_intricate_counts_as_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("changtong.emergency.warned_areas.MOST_PAIRS", 3)
    places = Places(np.array([0.5, 0.9, 5.0]), np.array([0.5, 0.2, 0.5]))
    triangle = Area("t", polygons=(((0, 0), (1, 0), (0, 1), (0, 0)),))
    assert places.inside([triangle]).tolist() == [True, True, False]
    assert places.coarse == 1


@settings(max_examples=examples(40), deadline=None, derandomize=True)
@given(st.data())
def test_any_ring_holds_what_the_angles_say(data: st.DataObject) -> None:
    """An independent look: the turns of the direction to the ring's points add up to whole rounds."""
    corner = st.tuples(st.integers(-6, 6), st.integers(-6, 6))
    points = data.draw(st.lists(corner, min_size=3, max_size=9, unique=True))
    ring = tuple((float(x), float(y)) for x, y in [*points, points[0]])
    x, y = (
        np.array(part) + 0.37
        for part in zip(*data.draw(st.lists(corner, min_size=1, max_size=9)), strict=True)
    )
    y = y + 0.21
    found = Places(x, y).inside([Area("r", polygons=(ring,))])
    for px, py, inside in zip(x, y, found, strict=True):
        angles = np.array([np.arctan2(b - py, a - px) for a, b in ring])
        rounds = np.sum((np.diff(angles) + np.pi) % (2 * np.pi) - np.pi) / (2 * np.pi)
        assert bool(inside) == (round(float(rounds)) != 0)
