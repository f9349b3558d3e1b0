"""The frontier between cost and carbon: found by hand, by linear programs, and through the doorways."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from frontier_cases import ways
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from changtong.carbon_frontier import Frontier, carbon_frontier, with_carbon
from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.footprint.estimate import estimate_carbon
from changtong.footprint.factors import read_factors
from changtong.network.io import write_network
from changtong.network.model import Network, build_network
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.studies import run_study

MODES = ("road", "rail", "air")


def totals(network: Network, flow: np.ndarray) -> tuple[float, ...]:
    legs = with_carbon(network).legs
    return tuple(float(flow @ legs[name].to_numpy()) for name in ("cost_cny_per_piece", "kgco2e_per_piece"))


def test_two_ways_by_hand() -> None:
    """Air is dear and dirty; rail is dear and clean, for 40 of 100 pieces: the rest goes by road."""
    network = ways(
        [("road", 1000.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 40.0), ("air", 1000.0, 9.0, 1e6)], 100.0
    )
    found = carbon_frontier(network)
    road, rail = np.array([100, 0, 0, 100, 0, 0.0]), np.array([60, 40, 0, 60, 40, 0.0])
    for row, flow in zip(found.points.select("cost_cny", "kgco2e").rows(), (road, rail), strict=True):
        assert row == pytest.approx(totals(network, flow))
    assert found.points["cost_cny"].to_list() == pytest.approx([110.0, 190.0])
    kg = with_carbon(network).legs["kgco2e_per_piece"]
    assert found.points["cny_per_t_avoided"][1] == pytest.approx(80.0 / (40 * (kg[0] - kg[1])) * 1000)
    assert found.gap_share == pytest.approx(0.0, abs=1e-6)
    assert found.points["unserved_pieces"].to_list() == pytest.approx([0.0, 0.0], abs=1e-3)


def test_the_carbon_of_a_leg_is_that_of_the_footprint() -> None:
    network = ways([("road", 700.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 40.0)], 100.0)
    made = plan(with_carbon(network), settings=PlanSettings(seconds=5))
    whole = estimate_carbon(network, routes=made.routes())
    origin = whole.sites.filter(pl.col("site_id").cast(pl.String) == "A")["kgco2e"].sum()
    assert made.value("carbon") + origin == pytest.approx(whole.summary()["kgco2e"])


def test_the_mean_weight_is_of_the_pieces_of_each_class() -> None:
    """Three of four pieces are documents, a class of its own in the demand: 0.25 kg beside 2 kg."""
    network = ways([("road", 700.0, 1.0, 1e6)], 100.0)
    classes = pl.DataFrame({"service_class": ["documents", "parcels"], "rank": [1, 2]})
    demand = pl.DataFrame(
        {
            "from_site": ["A", "A"],
            "to_site": ["B", "B"],
            "service_class": ["documents", "parcels"],
            "pieces_per_day": [75.0, 25.0],
        }
    )
    names = ("sites", "legs")
    split = build_network(
        {name: getattr(network, name) for name in names} | {"demand": demand, "service_classes": classes},
        name="split",
    )
    own = read_factors(None)
    weights = pl.concat(
        [
            own.weights.with_columns(service_class=pl.lit(name), value=pl.lit(kg))
            for name, kg in (("documents", 0.25), ("parcels", 2.0), ("all", 9.0))
        ]
    )
    used = replace(own, weights=weights)
    per_kg = with_carbon(network, used).legs["kgco2e_per_piece"] / 9.0
    mean = 0.75 * 0.25 + 0.25 * 2.0
    assert with_carbon(split, used).legs["kgco2e_per_piece"].to_list() == pytest.approx(
        (per_kg * mean).to_list()
    )


@given(st.data())
@settings(max_examples=examples(15), deadline=None)
def test_linear_programs_find_nothing_below_what_is_proved_and_nothing_above_the_plans(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(2, 4))
    number = st.integers(1, 30)
    rows = [
        (
            data.draw(st.sampled_from(MODES)),
            50.0 * data.draw(number),
            data.draw(number) / 4,
            10.0 * data.draw(number),
        )
        for _ in range(n)
    ]
    network = ways(rows, 100.0)
    found = carbon_frontier(network, points=30, gap_share=0.0)
    kg = with_carbon(network).legs["kgco2e_per_piece"].to_numpy()
    cost = network.legs["cost_cny_per_piece"].to_numpy()
    room = np.array([row[3] for row in rows])
    served = min(100.0, room.sum())
    for price in (0.0, 0.05, 0.3, 1.0, 5.0, 50.0):
        weight = cost + price * kg
        by_way = weight[:n] + weight[n:]
        least = linprog(
            by_way, A_eq=np.ones((1, n)), b_eq=[served], bounds=[(0.0, most) for most in room]
        ).fun
        plans = found.points["cost_cny"] + price * found.points["kgco2e"]
        assert plans.min() == pytest.approx(least, rel=1e-4, abs=1e-2)
        for line in found.lines:  # the cost of the least plan at each line's own weights
            own = line.cost_weight * (cost[:n] + cost[n:]) + line.carbon_weight * (kg[:n] + kg[n:])
            proved = linprog(
                own, A_eq=np.ones((1, n)), b_eq=[served], bounds=[(0.0, most) for most in room]
            ).fun
            assert line.least <= proved * (1.0 + 1e-6) + 1e-6


def test_plans_stand_in_order_and_none_beats_another() -> None:
    rows = [
        ("road", 900.0, 1.0, 60.0),
        ("rail", 900.0, 2.0, 30.0),
        ("rail", 1400.0, 1.6, 30.0),
        ("air", 300.0, 6.0, 99.0),
    ]
    points = carbon_frontier(ways(rows, 100.0), points=12, gap_share=0.0).points
    assert points["cost_cny"].is_sorted()
    assert points["kgco2e"].is_sorted(descending=True)
    price = points["cny_per_t_avoided"].drop_nulls()
    assert price.is_sorted(), "each further tonne costs more"


def test_what_cannot_be_asked() -> None:
    network = ways([("road", 700.0, 1.0, 50.0)], 10.0)
    with pytest.raises(UsageError, match="2 points"):
        carbon_frontier(network, points=1)
    free = network.with_tables(legs=network.legs.with_columns(cost_cny_per_piece=pl.lit(None, pl.Float64)))
    with pytest.raises(InputError, match="No leg has a cost"):
        carbon_frontier(free)


def test_a_leg_of_unknown_distance_does_not_pass_for_clean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ways([("road", 1000.0, 1.0, 1e6), ("air", 800.0, 3.0, 1e6)], 100.0)
    km = pl.when(pl.col("mode").cast(pl.String) == "air").then(None).otherwise(pl.col("distance_km"))
    lacking = network.with_tables(legs=network.legs.with_columns(distance_km=km))
    with pytest.raises(InputError, match="1 legs is not known.*A>M1"):
        carbon_frontier(lacking)
    write_network(lacking, tmp_path / "net")
    assert main(["carbon-frontier", str(tmp_path / "net"), "-o", str(tmp_path / "f")]) == 2
    assert "unknown-carbon" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


def test_the_command_and_the_study_give_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ways([("road", 1000.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 40.0)], 100.0)
    write_network(network, tmp_path / "net")
    out = tmp_path / "frontier"
    assert main(["carbon-frontier", str(tmp_path / "net"), "--points", "3", "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    study = run_study("carbon-frontier", network, points=3)
    assert isinstance(study.result, Frontier)
    assert said["plans"] == study.result.points.to_dicts()
    assert {file.name for file in out.iterdir()} == {
        "frontier.csv",
        "frontier.json",
        "report.html",
        "study.json",
    }
    page = (out / "report.html").read_text("utf-8")
    assert "前沿" in page
    assert 'class="frontier"' in page
    assert main(["carbon-frontier", str(tmp_path / "net"), "-o", str(tmp_path / "net")]) == 2
    assert "not-a-frontier-folder" in capsys.readouterr().err


def test_a_shut_site_changes_the_frontier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ways([("road", 1000.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 40.0)], 100.0)
    write_network(network, tmp_path / "net")
    shut = ["carbon-frontier", str(tmp_path / "net"), "--close", "M1", "-o", str(tmp_path / "f"), "--json"]
    assert main(shut) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["points"] == 1
    assert said["gap_share"] == 0.0
