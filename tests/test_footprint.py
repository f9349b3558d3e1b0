"""Carbon by ISO 14083: worked examples by hand, sums, scaling, factors of one's own, bad files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from footprint_cases import TABLES, TINY, chain, folder
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.footprint.estimate import estimate_carbon
from changtong.footprint.factors import read_factors
from changtong.footprint.packaging import assess_packaging
from changtong.network.io import read_network
from changtong.network.model import build_network
from changtong.outages import close_sites
from changtong.planning.plan import plan
from changtong.routes import pairs_of, routes_in_force
from changtong.studies import run_study


def test_a_chain_by_hand(tmp_path: Path) -> None:
    made = estimate_carbon(chain(), factors=folder(tmp_path))
    # 1000 pieces of 2 kg are 2 t. Road: 2 t x 100 km x 1.05 x 0.1 kg/tkm x (1 + 0.2/0.8 x 0.7) = 24.675 kg.
    # Rail: 2 x 200 x 0.03 = 12 kg. Hubs: A 2.014 t x 2, H 2 t x (10 kWh x 0.5 + 0.5), B 2 t x 2.
    assert made.legs["kgco2e"].to_list() == pytest.approx([24.675, 12.0])
    assert made.legs["ttw_kgco2e"].to_list() == pytest.approx([24.675 * 0.8, 8.0])
    assert made.legs["activity_tkm"].to_list() == pytest.approx([200.0, 400.0])
    assert made.legs["travelled_km"].to_list() == pytest.approx([105.0, 200.0])
    assert made.sites["kgco2e"].to_list() == pytest.approx([4.028, 11.0, 4.0])
    lanes = made.lanes.select("from_site", "to_site", "kgco2e", "g_per_piece").rows()
    assert lanes[0] == ("A", "B", pytest.approx(24.675 + 12 + 4 + 11 + 4), pytest.approx(55.675))
    assert lanes[1] == ("A", "A", pytest.approx(0.028), pytest.approx(4.0))
    facts = made.summary()
    assert facts["kgco2e"] == pytest.approx(55.703)
    assert (facts["cost_cny"], facts["moved_pieces"]) == (3000.0, 1007.0)


def test_the_interval_by_hand(tmp_path: Path) -> None:
    made = estimate_carbon(chain(), factors=folder(tmp_path))
    road, rail, county, power = 24.675, 12.0, 8.028, 10.0
    # up: truck 20 %, train 20 %, detour 1.1/1.05, hub of a county 50 %, kWh and electricity 20 % each
    up = [road * 0.2, rail * 0.2, road * (1.1 / 1.05 - 1), county * 0.5, power * 0.2, power * 0.2]
    down = [road * 0.1, rail * 0.1, road * (1 - 1 / 1.05), county * 0.5, power * 0.2, power * 0.2]
    facts = made.summary()
    assert facts["high_kgco2e"] == pytest.approx(55.703 + np.sqrt(np.square(up).sum()))
    assert facts["low_kgco2e"] == pytest.approx(55.703 - np.sqrt(np.square(down).sum()))
    assert facts["inputs_without_interval"] == ["hub transfer kgco2e/t", "weight"]
    assert "weight" in made.statement["en"]


def test_the_load_rule_counts_where_classes_weigh_differently(tmp_path: Path) -> None:
    network = chain(classes=True, service_class=["heavy", "light"])  # type: ignore[arg-type]
    demand = pl.DataFrame(
        {"from_site": ["A", "H"], "to_site": ["B", "B"], "service_class": ["heavy", "light"],
         "pieces_per_day": [100.0, 300.0]}
    )  # fmt: skip
    network = build_network(network.tables() | {"demand": demand}, "two weights")
    by_weight = estimate_carbon(network, factors=folder(tmp_path))
    by_piece = estimate_carbon(network, factors=folder(tmp_path), allocation="piece")
    assert by_weight.total["kgco2e"].to_list() == pytest.approx(by_piece.total["kgco2e"].to_list())
    # rail: 100 x 5 kg + 300 x 2 kg = 1.1 t x 6 kg/t = 6.6 kg; by weight 3 and 3.6, by piece 1.65 and 4.95
    light = [one.lanes.filter(pl.col("from_site") == "H")["kgco2e"][0] for one in (by_weight, by_piece)]
    hubs = 5.5 + 2.0  # kg a tonne at H and B
    assert light[0] == pytest.approx(0.6 * (6.0 + hubs))
    assert light[1] == pytest.approx(1.1 * 0.75 * (6.0 + hubs))


def test_great_circle_and_unknown_distances(tmp_path: Path) -> None:
    network = chain()
    sites = network.sites.with_columns(lon=pl.Series([0.0, 1.0, None]), lat=pl.Series([0.0, 0.0, None]))
    legs = network.legs.with_columns(distance_km=pl.Series([None, None], dtype=pl.Float64))
    made = estimate_carbon(network.with_tables(sites=sites, legs=legs), factors=folder(tmp_path))
    degree = np.pi / 180 * 6371.0088
    assert made.legs["basis"].to_list() == ["great_circle", "unknown"]
    assert made.legs["travelled_km"].to_list() == [pytest.approx(1.3 * degree), None]
    assert made.legs["kgco2e"].to_list() == [pytest.approx(2 * 1.3 * degree * 0.1175), None]
    assert made.summary()["pieces_on_unknown_legs"] == 1000.0
    near = estimate_carbon(
        network.with_tables(sites=sites), factors=folder(tmp_path), distance="great_circle"
    )
    assert near.legs["basis"].to_list() == ["great_circle", "shortest_feasible"]


def test_a_network_without_any_distance_is_refused() -> None:
    network = chain()
    sites = network.sites.drop("lon", "lat", strict=False)
    legs = network.legs.with_columns(distance_km=pl.lit(None, pl.Float64))
    with pytest.raises(InputError) as caught:
        estimate_carbon(network.with_tables(sites=sites, legs=legs))
    assert [problem.code for problem in caught.value.problems] == ["nothing-to-count"]


def test_a_leg_may_name_its_factor() -> None:
    network = read_network(TINY)
    own = network.legs.with_columns(carbon_factor=pl.lit("van_electric"))
    made = estimate_carbon(network.with_tables(legs=own))
    first = made.legs.row(0, named=True)
    assert first["kgco2e"] == pytest.approx(160 * 1.5 / 1000 * 30 * 0.27625)
    with pytest.raises(InputError, match="unknown-factor"):
        estimate_carbon(network.with_tables(legs=own.with_columns(carbon_factor=pl.lit("rocket"))))


@settings(max_examples=examples(15), deadline=None)
@given(times=st.floats(0.1, 50.0), weight=st.floats(0.1, 20.0))
def test_lanes_add_up_and_all_scales(times: float, weight: float) -> None:
    network, factors = read_network(TINY), read_factors()
    one = estimate_carbon(network, factors=factors)
    scaled = network.demand.with_columns(pl.col("pieces_per_day") * times)
    heavier = dataclasses.replace(factors, weights=factors.weights.with_columns(value=pl.lit(weight)))
    other = estimate_carbon(network.with_tables(demand=scaled), factors=heavier)
    assert other.summary()["kgco2e"] == pytest.approx(one.summary()["kgco2e"] * times * weight / 1.5)
    for made in (one, other):
        total = made.summary()["kgco2e"]
        assert made.lanes["kgco2e"].sum() == pytest.approx(total)
        assert made.legs["kgco2e"].sum() + made.sites["kgco2e"].sum() == pytest.approx(total)
        assert (made.lanes["low_kgco2e"] <= made.lanes["kgco2e"]).all()
        assert (made.lanes["kgco2e"] <= made.lanes["high_kgco2e"]).all()


def test_lanes_agree_with_walking_the_routes(tmp_path: Path) -> None:
    network = read_network(TINY)
    made = estimate_carbon(network, factors=folder(tmp_path))
    routes, pairs = routes_in_force(network), pairs_of(network)
    legs, head = made.legs["kgco2e"] / made.legs["tonnes_per_day"], network.legs["to_site"].to_physical()
    hub = (made.sites["kgco2e"] / made.sites["tonnes_per_day"]).to_list()
    for start, end, pieces in zip(pairs.from_site, pairs.to_site, pairs.pieces.sum(axis=1), strict=True):
        at, kg = int(start), hub[start]
        while at != end:
            leg = routes.next_leg[0, list(routes.dest_site).index(end), at]
            at = int(head[int(leg)])
            kg += legs[int(leg)] + hub[at]
        ids = network.site_ids
        lane = made.lanes.filter((pl.col("from_site") == ids[start]) & (pl.col("to_site") == ids[end]))
        assert lane["kgco2e"][0] == pytest.approx(kg * pieces * 0.002)


def test_of_a_plan_from_memory_and_from_its_folder(tmp_path: Path) -> None:
    network = read_network(TINY)
    made = plan(network, close_sites(network, ["H1"]))
    made.save(tmp_path / "PLAN")
    one = run_study("carbon", network, plan=made, folder=tmp_path / "ONE").result
    other = run_study("carbon", network, plan=tmp_path / "PLAN").result
    assert one.total.equals(other.total)
    assert one.summary()["moved_pieces"] == pytest.approx(60.0)
    assert one.summary()["held_pieces"] == pytest.approx(240.0)
    assert one.summary()["cost_cny"] == pytest.approx(made.value("cost"), rel=1e-3)
    again = run_study("carbon", network, plan=made, factors=tmp_path / "ONE" / "factors").result
    assert again.total.equals(one.total)  # the factors kept with a result give it again
    with pytest.raises(UsageError):
        run_study("carbon", network, close_sites(network, ["H1"]))
    with pytest.raises(InputError, match="no plan folder"):
        run_study("carbon", network, plan=tmp_path)


def test_bad_factors_are_told_all_at_once(tmp_path: Path) -> None:
    where = folder(
        tmp_path,
        transport="factor,mode,unit,ttw,wtt,low,high,empty_running,empty_km_share,empty_ratio,kind,source\n"
        "truck,road,kgco2e/tkm,-1,0.02,,,included,,,own,x\ntruck,road,g/tkm,1,1,,,perhaps,,,own,x\n",
    )
    (where / "hub.csv").write_text("site_kind\n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_factors(where)
    found = {(problem.code, problem.file) for problem in caught.value.problems}
    assert {code for code, _ in found} == {"negative", "unknown-value", "unknown-table"}
    assert {file for _, file in found} == {"transport.csv", "hub.csv"}


@pytest.mark.parametrize(
    ("table", "old", "new", "code"),
    [
        ("transport", "0.09,0.12,excluded,0.2", "0.11,0.12,excluded,0.2", "bad-interval"),
        ("transport", "0.09,0.12,excluded,0.2", "0.09,,excluded,0.2", "bad-interval"),
        ("transport", "excluded,0.2,0.7", "excluded,,0.7", "empty-running"),
        ("vehicles", "rail,,train", "rail,,truck", "other-mode"),
        ("weights", "all,", "light,", "no-weight"),
        ("weights", "heavy,", "all,", "duplicate-factor"),
        ("vehicles", "rail,,train", "rail,,lorry", "unknown-factor"),
    ],
)
def test_what_no_single_cell_shows(tmp_path: Path, table: str, old: str, new: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_factors(folder(tmp_path, **{table: TABLES[table].replace(old, new)}))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_a_folder_without_factors(tmp_path: Path) -> None:
    for where, code in ((tmp_path, "no-factors"), (tmp_path / "none", "missing-folder")):
        with pytest.raises(InputError) as caught:
            read_factors(where)
        assert caught.value.problems[0].code == code


def test_shipped_factors_say_where_they_come_from() -> None:
    factors = read_factors()
    for table in factors.tables().values():
        assert table["source"].str.len_chars().min() > 5
    official = factors.transport.filter(pl.col("factor") == "hgv_artic_over_33t").row(0, named=True)
    assert (official["ttw"], official["wtt"], official["year"]) == (0.07703, 0.01799, 2025)


def test_packaging_beside_its_targets(tmp_path: Path) -> None:
    file = tmp_path / "packaging.csv"
    file.write_text(
        "indicator,year,value,numerator,denominator,source\nno_second_packaging,2021,,805,1000,report\n"
        "no_second_packaging,2023,0.95,,,report\nreused_cartons,2021,1,,,report\n", "utf-8"
    )  # fmt: skip
    made = assess_packaging(file)
    assert made.select("year", "target", "target_year", "met").rows() == [
        (2021, 0.7, 2020, True), (2023, 0.9, 2023, True), (2021, None, None, None),
    ]  # fmt: skip
    file.write_text(
        "indicator,year,value,source\ntape,2021,1,x\nslim_tape,2021,1.5,x\nslim_tape,2022,,x\n", "utf-8"
    )
    with pytest.raises(InputError) as caught:
        assess_packaging(file)
    assert {p.code for p in caught.value.problems} == {"unknown-indicator", "out-of-range", "no-value"}


def test_the_command_writes_a_folder_and_one_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "CARBON"
    own = str(folder(tmp_path))
    assert (
        main(["carbon", str(TINY), "-o", str(out), "--factors", own, "--load-rule", "piece", "--json"]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    kept = json.loads((out / "carbon.json").read_text("utf-8"))
    assert said == kept | {"folder": str(out)}
    names = {
        "legs.csv",
        "lanes.csv",
        "sites.csv",
        "total.csv",
        "statement.zh.txt",
        "statement.en.txt",
        "study.json",
        "report.html",
    }
    assert names <= {path.name for path in out.iterdir()}
    assert pl.read_csv(out / "lanes.csv")["kgco2e"].sum() == pytest.approx(said["kgco2e"])
    assert main(["carbon", str(TINY), "-o", str(TINY)]) == 2
    assert "not-a-carbon-folder" in capsys.readouterr().err
    assert main(["carbon", str(TINY), "-o", str(out), "--factors", str(TINY)]) == 2


def test_unknown_words_are_refused() -> None:
    for options in ({"distance": "straight"}, {"allocation": "by volume"}):
        with pytest.raises(UsageError, match="known"):
            estimate_carbon(read_network(TINY), **options)
