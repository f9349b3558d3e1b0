"""The report's picture: a map true to areas, land where land is, a diagram without coordinates."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from importlib import resources

import numpy as np
import polars as pl
import pytest

from changtong.report.plan_report import render_plan_report
from changtong.report.projection import draw_map, draw_schematic, fit_conic
from tests.fake_plans import CHINA_TIME, small_plan
from tests.pages import Page

MADE_AT = datetime(2026, 7, 20, 3, 1, tzinfo=CHINA_TIME)
REPORT = resources.files("changtong.report")


def great_circle_km(lon: np.ndarray, lat: np.ndarray, a: int, b: int) -> float:
    lon_r, lat_r = np.radians(lon), np.radians(lat)
    cosine = np.sin(lat_r[a]) * np.sin(lat_r[b]) + np.cos(lat_r[a]) * np.cos(lat_r[b]) * np.cos(
        lon_r[a] - lon_r[b]
    )
    return float(6371.0088 * np.arccos(cosine))


def test_the_map_keeps_areas_and_nearly_distances() -> None:
    lon = np.array([116.40, 121.47, 113.26, 87.62, 126.64, 110.35])  # Beijing … Haikou
    lat = np.array([39.90, 31.23, 23.13, 43.83, 45.75, 20.02])
    picture = draw_map(lon, lat)
    for a in range(len(lon)):
        for b in range(a):
            drawn = (
                np.hypot(picture.x[a] - picture.x[b], picture.y[a] - picture.y[b])
                * picture.metres_per_step
                / 1000
            )
            assert drawn == pytest.approx(great_circle_km(lon, lat, a, b), rel=0.03)
    conic = fit_conic(lon, lat)
    for south in (20.0, 35.0, 50.0):  # a cell's area on the sphere, against its drawn area
        edge_lon = np.array([100.0, 100.1, 100.1, 100.0])
        edge_lat = np.array([south, south, south + 0.1, south + 0.1])
        x, y = conic.project(edge_lon, edge_lat)
        drawn = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        band = np.sin(np.radians(south + 0.1)) - np.sin(np.radians(south))
        assert drawn == pytest.approx(6371.0088**2 * np.radians(0.1) * band, rel=1e-3)


def test_maps_elsewhere_and_on_the_equator_work() -> None:
    for lon, lat in (([-70.0, -60.0], [-5.0, 5.0]), ([36.8, 36.8], [-1.3, -1.3]), ([2.35], [48.85])):
        picture = draw_map(np.array(lon), np.array(lat))
        assert np.isfinite(picture.metres_per_step)
        assert np.abs(picture.x).max() <= 40_000


def in_land(lon: float, lat: float) -> bool:
    raw = json.loads(REPORT.joinpath("land.json").read_text(encoding="utf-8"))
    crossings = 0
    for steps in raw["rings"]:
        ring = np.cumsum(np.array(steps, dtype=float).reshape(-1, 2), axis=0) / raw["steps_per_degree"]
        after = np.roll(ring, -1, axis=0)
        spans = (ring[:, 1] > lat) != (after[:, 1] > lat)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = ring[:, 0] + (lat - ring[:, 1]) * (after[:, 0] - ring[:, 0]) / (after[:, 1] - ring[:, 1])
        crossings += int((spans & (at > lon)).sum())
    return crossings % 2 == 1


@pytest.mark.parametrize(
    ("lon", "lat", "dry"),
    [
        (116.4, 39.9, True), (113.6, 34.7, True), (87.6, 43.8, True), (109.8, 19.2, True),
        (121.0, 23.8, True), (126.6, 45.8, True), (124.0, 29.0, False), (120.5, 38.5, False),
        (115.0, 15.0, False), (150.0, 30.0, False),
    ],
)  # fmt: skip
def test_land_is_where_land_is(lon: float, lat: float, dry: bool) -> None:
    assert in_land(lon, lat) is dry


def test_land_is_small_and_carries_its_origin() -> None:
    raw = REPORT.joinpath("land.json").read_text(encoding="utf-8")
    assert len(raw) < 60_000
    assert "Natural Earth" in json.loads(raw)["attribution"]
    assert set(json.loads(raw)) == {"attribution", "steps_per_degree", "window", "rings"}  # no borders
    assert "Permission to use, copy, modify" in REPORT.joinpath("land.LICENSE.txt").read_text(
        encoding="utf-8"
    )


def test_without_coordinates_a_diagram_is_drawn() -> None:
    data = Page(render_plan_report(small_plan(with_places=False), made_at=MADE_AT)).embedded()
    assert data["kind"] == "schematic"
    assert data["land"] == []
    assert len(set(zip(data["sites"]["x"], data["sites"]["y"], strict=True))) == 5
    picture = draw_schematic(
        n_sites=500,
        from_row=np.arange(499),
        to_row=np.arange(1, 500),
        pieces=np.ones(499),
        passing=np.arange(500) < 20,
    )
    assert len({*zip(picture.x.tolist(), picture.y.tolist(), strict=True)}) == 500
    radius = np.hypot(picture.x / 1.4, picture.y)
    assert radius[:20].max() < radius[20:].min()


def test_a_few_missing_coordinates_are_said() -> None:
    plan = small_plan()
    sites = plan.network.sites.with_columns(
        lon=pl.when(pl.col("site_id") == "B").then(None).otherwise(pl.col("lon"))
    )
    page = Page(
        render_plan_report(replace(plan, network=plan.network.with_tables(sites=sites)), made_at=MADE_AT)
    )
    assert page.embedded()["kind"] == "map"
    assert "1 sites have no coordinates" in page.said
    assert len(page.embedded()["legs"]["from"]) == 5
