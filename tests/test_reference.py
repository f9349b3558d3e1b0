"""The built-in network: complete, repeatable, and true to the published totals."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from changtong.errors import NotFoundError, UsageError
from changtong.network.model import Network
from changtong.network.reference import Parts, build_parts, busiest_hub, reference_network, reference_tables
from changtong.network.reference_calibration import compare_parts
from changtong.network.reference_places import lay_out_places, published, read_table
from changtong.network.reference_plan import sort_plan_in_force

YEAR_100M = 365 / 1e8  # pieces a day -> 100 million pieces a year


@pytest.fixture(scope="module")
def county() -> Network:
    """The whole country at county level, built once."""
    return reference_network()


@pytest.fixture(scope="module")
def city() -> Network:
    """The whole country at city level, built once."""
    return reference_network(level="city")


@pytest.fixture(scope="module")
def county_parts() -> Parts:
    """The parts of the county level, built a second time."""
    return build_parts(level="county", year=2022, scale=1.0)


@pytest.fixture(scope="module")
def city_parts() -> Parts:
    """The parts of the city level, built a second time."""
    return build_parts(level="city", year=2022, scale=1.0)


def sent_100m(network: Network) -> pl.DataFrame:
    """Volume each site sends in a year, beside its site row."""
    sent = network.demand.group_by("from_site").agg(pl.col("pieces_per_day").cast(pl.Float64).sum())
    frame = network.sites.join(
        sent, left_on="site_id", right_on="from_site", how="left", maintain_order="left"
    )
    return frame.with_columns(
        volume=pl.col("pieces_per_day").fill_null(0) * YEAR_100M,
        province=pl.col("admin_code").str.slice(0, 2),
    )


def digest(network: Network) -> str:
    """Hash of every table, byte by byte."""
    total = hashlib.sha256()
    for table in (network.sites, network.legs, network.demand, network.service_classes, network.provenance):
        for column in table:
            plain = column.to_physical() if column.dtype == pl.Enum else column
            whole = plain.dtype.is_numeric() and plain.null_count() == 0
            total.update(plain.to_numpy().tobytes() if whole else repr(plain.to_list()).encode())
    return total.hexdigest()


def test_sites_cover_the_country(county: Network) -> None:
    kinds = dict(county.sites["kind"].value_counts().iter_rows())
    assert kinds["county"] == 2832
    assert kinds["sorting"] == 337
    assert kinds["transfer"] == 59
    assert kinds["exchange"] == 6
    assert county.sites["lon"].is_between(73, 136).all()
    assert county.sites["lat"].is_between(3, 54).all()
    provinces = county.sites.filter(pl.col("kind") == "transfer")["admin_code"].str.slice(0, 2).n_unique()
    assert provinces == 31


def test_left_out_units_are_counted_in_the_provenance(county: Network) -> None:
    left = lay_out_places("county").left_out
    assert left.height == 158
    notes = county.provenance.filter(pl.col("table") == "sites", pl.col("column") == "lon")["note"]
    assert "158 census units" in notes[0]
    assert "30.9 million people" in notes[0]


def test_population_is_the_census(county: Network, city: Network) -> None:
    census = read_table("counties")["population"].sum()
    left = lay_out_places("county").left_out["population"].sum()
    assert county.sites["population"].sum() + left == census
    # Units governed by the province itself and without a position belong to no city.
    assert city.sites["population"].sum() == pytest.approx(census, rel=2e-4)


def test_every_ordered_pair_has_demand(county: Network) -> None:
    counties = county.sites.filter(pl.col("kind") == "county").height
    assert county.demand.height == counties * (counties + 1)
    assert county.demand["pieces_per_day"].min() > 0
    assert county.demand["pieces_per_day"].dtype == pl.Float32
    start = county.demand["from_site"].to_physical().to_numpy().astype(np.int64)
    end = county.demand["to_site"].to_physical().to_numpy()
    assert (np.diff(start * county.sites.height + end) > 0).all()  # sorted, no pair twice
    assert county.demand.filter(pl.col("from_site") == pl.col("to_site")).height == counties


@pytest.mark.parametrize("level", ["county", "city"])
def test_volumes_match_the_published_totals(level: str, request: pytest.FixtureRequest) -> None:
    sent = sent_100m(request.getfixturevalue(level))
    total = sent["volume"].sum()
    assert total == pytest.approx(published("volume"), rel=1e-6)
    for region in ("east", "centre", "west"):
        share = sent.filter(pl.col("region") == region)["volume"].sum() / total
        assert share == pytest.approx(published(f"{region}_share"), abs=5e-4)
    pair = sent.filter(pl.col("province").is_in(["44", "33"]))["volume"].sum()
    assert pair == pytest.approx(published("guangdong_zhejiang"), rel=1e-5)
    order = sent.group_by("province").agg(pl.col("volume").sum()).sort("volume", descending=True)
    assert order["province"][:5].to_list() == ["44", "33", "32", "37", "13"]


@pytest.mark.parametrize("level", ["county", "city"])
def test_same_city_and_international_match(level: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(level)
    cities = lay_out_places(level).frame["city_code"].to_numpy()
    kinds = network.sites["kind"].to_numpy()
    start = network.demand["from_site"].to_physical().to_numpy()
    end = network.demand["to_site"].to_physical().to_numpy()
    pieces = network.demand["pieces_per_day"].to_numpy().astype(float)
    abroad = kinds[end] == "exchange"
    same = ~abroad & (cities[start] == cities[end])
    parts = np.array([pieces[same].sum(), pieces[~same & ~abroad].sum(), pieces[abroad].sum()]) * YEAR_100M
    wanted = np.array([published(name) for name in ("same_city", "inter_city", "international")])
    # The published parts add up to 1105.9, the published whole is 1105.8.
    assert parts == pytest.approx(wanted * published("volume") / wanted.sum(), rel=1e-4)


def test_cities_keep_the_published_order(county: Network) -> None:
    frame = sent_100m(county).with_columns(city=lay_out_places("county").frame["city_code"])
    volume = frame.group_by("city").agg(pl.col("volume").sum()).sort("volume", descending=True)
    assert volume["city"][:20].to_list() == read_table("city_volumes").sort("rank")["city_code"].to_list()
    assert volume["volume"][0] >= published("jinhua_at_least") * (1 - 1e-6)
    yiwu = frame.filter(pl.col("admin_code") == "330782", pl.col("kind") == "county")["volume"].item()
    assert yiwu == pytest.approx(published("yiwu"), rel=1e-5)


@pytest.mark.parametrize("level", ["county", "city"])
def test_hours_match_the_published_mean(level: str, request: pytest.FixtureRequest) -> None:
    table = compare_parts(request.getfixturevalue(f"{level}_parts"))
    model = dict(table.select("measure", "model").iter_rows())
    assert model["end to end, inter-city"] == pytest.approx(published("end_to_end_h"), abs=0.1)
    wanted = published("end_to_end_h") * published("transport_share")
    assert model["transport stage"] == pytest.approx(wanted, abs=0.1)
    # Not fitted: a check on the spread.
    assert model["within 72 h"] == pytest.approx(published("within_72h_share"), abs=0.05)
    fitted = table.filter(pl.col("fitted") & pl.col("published").is_not_null())
    assert ((fitted["model"] - fitted["published"]).abs() <= 2e-3 * fitted["published"]).all()


def test_the_documented_numbers_are_true(county: Network, city: Network, county_parts: Parts) -> None:
    text = (Path(__file__).parents[1] / "docs" / "reference-network.md").read_text(encoding="utf-8")
    assert f"| legs | {county.legs.height:,} | {city.legs.height:,} |" in text
    assert f"| demand rows | {county.demand.height:,} | {city.demand.height:,} |" in text
    assert city.sort_plan is not None
    assert f"{city.sort_plan.height:,} rows |" in text
    for measure, unit, model in compare_parts(county_parts).select("measure", "unit", "model").iter_rows():
        row = next(line for line in text.splitlines() if line.startswith(f"| {measure} |"))
        shown = float(row.split("|")[3].replace(",", ""))
        assert shown == pytest.approx(model, abs=0.0051 if unit != "1" else 0.00051), measure


def test_county_units_are_leaves_with_alternatives(county: Network) -> None:
    kind = county.sites["kind"].to_numpy()
    start = county.legs["from_site"].to_physical().to_numpy()
    end = county.legs["to_site"].to_physical().to_numpy()
    assert not ((kind[start] == "county") & (kind[end] == "county")).any()
    assert not county.sites.filter(pl.col("kind") == "county")["transit"].any()
    ways_out = np.bincount(start, minlength=len(kind))[kind == "county"]
    ways_in = np.bincount(end, minlength=len(kind))[kind == "county"]
    assert (ways_out == ways_in).all()
    by_ship = county.legs.filter(pl.col("mode") == "ship")["from_site"].to_physical().to_numpy()
    roads = ~np.isin(np.arange(len(kind)), by_ship)[kind == "county"]
    assert ways_out[roads].min() >= 2
    assert (ways_out >= 3).mean() > 0.94


def test_legs_are_plausible(county: Network) -> None:
    legs = county.legs
    assert 36_000 <= legs.height <= 40_000
    assert legs.select(pl.struct("from_site", "to_site").n_unique()).item() == legs.height
    assert legs.filter(pl.col("from_site") == pl.col("to_site")).is_empty()
    for column in ("distance_km", "travel_h", "cost_cny_per_piece", "kgco2e_per_piece", "departures_per_day"):
        assert legs[column].min() > 0, column
    speed = legs["distance_km"] / legs["travel_h"]
    assert speed.max() <= 65
    assert (legs["capacity_pieces_per_day"] == legs["departures_per_day"] * legs["vehicle_pieces"]).all()
    islands = legs.filter(pl.col("mode") == "ship").select("from_site", "to_site")
    assert set(islands["from_site"].cast(pl.String).str.slice(0, 2)) <= {"46", "H4"}


def test_roads_lead_round_the_bohai_sea(county: Network) -> None:
    names = (pl.col("from_site") == "H2102") & (pl.col("to_site") == "H3702")
    dalian_qingdao = county.legs.filter(names)["distance_km"].item()
    assert dalian_qingdao > 800  # 350 km over the sea


@pytest.mark.parametrize("level", ["county", "city"])
def test_the_flow_in_force_fits(level: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(level)
    legs, n = network.legs, network.sites.height
    flow = legs["flow_pieces_per_day"].to_numpy()
    assert (flow <= legs["capacity_pieces_per_day"].to_numpy()).all()
    start = legs["from_site"].to_physical().to_numpy()
    end = legs["to_site"].to_physical().to_numpy()
    first = network.demand["from_site"].to_physical().to_numpy()
    last = network.demand["to_site"].to_physical().to_numpy()
    pieces = np.where(first == last, 0.0, network.demand["pieces_per_day"].to_numpy())
    balance = np.bincount(start, flow, n) - np.bincount(end, flow, n)
    wanted = np.bincount(first, pieces, n) - np.bincount(last, pieces, n)
    assert balance == pytest.approx(wanted, abs=5.0)
    load = np.bincount(end, flow, n) + np.bincount(first, network.demand["pieces_per_day"].to_numpy(), n)
    capacity = (network.sites["sort_pieces_per_h"] * network.sites["sort_hours_per_day"]).to_numpy()
    assert (load <= capacity).all()
    assert 1.15 < capacity.sum() / load.sum() < published("peak_pieces_per_day") / 303e6


def test_flow_follows_the_sort_plan(city: Network) -> None:
    plan = city.sort_plan
    assert plan is not None
    n = city.sites.height
    after = np.full((n, n), -1)
    columns = [plan[name].to_physical().to_numpy() for name in ("site", "destination", "next_site")]
    after[columns[0], columns[1]] = columns[2]
    leg = np.full((n, n), -1)
    start, end = (city.legs[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    leg[start, end] = np.arange(city.legs.height)
    here = city.demand["from_site"].to_physical().to_numpy().astype(int)
    goal = city.demand["to_site"].to_physical().to_numpy().astype(int)
    pieces = city.demand["pieces_per_day"].to_numpy().astype(float)
    flow = np.zeros(city.legs.height)
    for _ in range(20):
        moving = here != goal
        here, goal, pieces = here[moving], goal[moving], pieces[moving]
        step = after[here, goal]
        flow += np.bincount(leg[here, step], pieces, len(flow))
        here = step
    assert not len(here)
    cost = city.legs["cost_cny_per_piece"].to_numpy()
    in_force = city.legs["flow_pieces_per_day"].to_numpy()
    assert flow @ cost == pytest.approx(in_force @ cost, rel=1e-9)
    assert (np.abs(flow - in_force) > 1).mean() < 0.02  # ties only


def test_closing_the_busiest_hub_overloads_others(county: Network) -> None:
    hub = busiest_hub(county)
    assert county.sites.filter(pl.col("site_id") == hub)["kind"].item() == "transfer"
    into = county.legs.filter(pl.col("to_site") == hub)["flow_pieces_per_day"].sum()
    spare = county.legs.filter(pl.col("to_site") != hub).select(
        (pl.col("capacity_pieces_per_day") - pl.col("flow_pieces_per_day")).sum()
    )
    assert into > 10e6
    assert spare.item() > into


def test_two_builds_are_identical(city: Network, county: Network, county_parts: Parts) -> None:
    assert digest(reference_network(level="city")) == digest(city)
    again = reference_tables(county_parts)
    for name, frame in again.items():
        assert frame.equals(getattr(county, name).select(frame.columns)), name


def test_year_and_scale_change_pieces_not_structure(city: Network) -> None:
    small = reference_network(level="city", year=2021, scale=0.01)
    assert small.legs.select("from_site", "to_site").equals(city.legs.select("from_site", "to_site"))
    ratio = small.demand["pieces_per_day"].sum() / city.demand["pieces_per_day"].sum()
    assert ratio == pytest.approx(0.01 * published("volume", 2021) / published("volume", 2022), rel=1e-5)
    assert small.legs["departures_per_day"].min() == 1


def test_every_column_has_a_provenance(city: Network) -> None:
    known = {(row["table"], row["column"]): row for row in city.provenance.iter_rows(named=True)}
    assert set(city.provenance["kind"]) == {"official", "derived", "assumed"}
    empty = {("sites", "opens"), ("sites", "closes")}
    labels = {"service_class", "rank", "name", "name_zh"}
    for table in ("sites", "legs", "demand", "service_classes"):
        for column in getattr(city, table).columns:
            if (table, column) in empty or (table == "service_classes" and column in labels):
                continue
            assert (table, column) in known, (table, column)
    assert not city.provenance["note"].str.contains(r"\{").any()


def test_classes_share_out_all_pieces(city: Network) -> None:
    assert city.service_classes["share"].sum() == pytest.approx(1.0)
    assert city.service_classes["rank"].to_list() == [1, 2, 3, 4]


def test_sort_plan_reaches_every_destination_at_county_level(county: Network) -> None:
    few = county.with_tables(demand=county.demand.filter(pl.col("to_site").is_in(["330782", "X3101"])))
    plan = sort_plan_in_force(few)
    assert plan.height == 2 * (county.sites.height - 1)
    assert set(plan["destination"].cast(pl.String)) == {"330782", "X3101"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": "town"}, "county, city"),
        ({"year": 1999}, "2022"),
        ({"scale": 0.0}, "above 0"),
        ({"scale": float("nan")}, "above 0"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        reference_network(**options)  # type: ignore[arg-type]


def test_busiest_hub_needs_hubs(city: Network) -> None:
    only = city.with_tables(sites=city.sites.with_columns(kind=pl.lit("sorting")))
    with pytest.raises(NotFoundError):
        busiest_hub(only)
