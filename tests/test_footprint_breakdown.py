"""Breakdowns of a footprint: by hand, in every mode, and adding up to the total."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from footprint_cases import END, TINY, chain, folder
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.footprint.estimate import estimate_carbon
from changtong.footprint.factors import read_factors
from changtong.network.io import read_network
from changtong.network.model import build_network


def test_the_breakdowns_of_the_chain_by_hand(tmp_path: Path) -> None:
    made = estimate_carbon(chain(), factors=folder(tmp_path))
    rows = {(row["by"], row["part"], row["name"]): row for row in made.breakdown.to_dicts()}
    kg = {key: row["kgco2e"] for key, row in rows.items()}
    # as above: road 24.675 of which 0.2/0.8 x 0.7 = 0.175 of 1.175 are empty kilometres, rail 12, hubs 19.028
    assert kg == {
        ("mode", "leg", "road"): pytest.approx(24.675),
        ("mode", "leg", "rail"): pytest.approx(12.0),
        ("mode", "hub", "hubs"): pytest.approx(19.028),
        ("level", "leg", "transfer-county"): pytest.approx(36.675),
        ("level", "hub", "transfer"): pytest.approx(11.0),
        ("level", "hub", "county"): pytest.approx(8.028),
        ("empty_running", "leg", "laden"): pytest.approx(21.0),
        ("empty_running", "leg", "empty"): pytest.approx(3.675),
        ("empty_running", "leg", "included"): pytest.approx(12.0),
        ("empty_running", "hub", "hubs"): pytest.approx(19.028),
    }
    road = rows["mode", "leg", "road"]
    assert (road["activity_tkm"], road["ttw_kgco2e"]) == (pytest.approx(200.0), pytest.approx(24.675 * 0.8))
    assert rows["empty_running", "leg", "empty"]["ttw_kgco2e"] == pytest.approx(3.675 * 0.8)
    assert rows["mode", "hub", "hubs"]["elements"] == 3
    said = json.loads(made.to_json())
    assert said["breakdown"] == made.breakdown.to_dicts()
    assert said["inputs"] == made.inputs.to_dicts()


def test_the_range_is_the_root_of_the_squares_of_its_inputs(tmp_path: Path) -> None:
    made = estimate_carbon(chain(), factors=folder(tmp_path))
    facts = made.summary()
    for side, end in (("down", "low"), ("up", "high")):
        shift = np.sqrt(made.inputs[f"{side}_kgco2e"].pow(2).sum())
        assert abs(facts[f"{end}_kgco2e"] - facts["kgco2e"]) == pytest.approx(shift)
    truck = made.inputs.filter(pl.col("input") == "factor truck").row(0, named=True)
    # 0.1 kg/tkm between 0.09 and 0.12
    assert (truck["down_share"], truck["up_share"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert truck["up_kgco2e"] == pytest.approx(24.675 * 0.2)
    exact = made.inputs.filter(pl.col("input") == "weight").row(0, named=True)
    assert (exact["down_share"], exact["up_kgco2e"]) == (None, 0.0)


def test_hubs_without_a_figure_are_not_0(tmp_path: Path) -> None:
    """Transfer centres have no row: their sites are empty, the county's are counted."""
    hubs = f"site_kind,unit,value,low,high,kind,source,year,what\ncounty,kgco2e/t,2,1,3{END}"
    made = estimate_carbon(chain(), factors=folder(tmp_path, hubs=hubs))
    assert made.sites["kgco2e"].to_list() == [pytest.approx(4.028), None, pytest.approx(4.0)]
    levels = made.breakdown.filter((pl.col("by") == "level") & (pl.col("part") == "hub"))
    assert levels.select("name", "elements", "unknown", "kgco2e").rows() == [
        ("transfer", 1, 1, None), ("county", 2, 0, pytest.approx(8.028)),
    ]  # fmt: skip
    assert made.summary()["hubs_kgco2e"] == pytest.approx(8.028)
    none = estimate_carbon(chain())
    assert none.summary()["hubs_kgco2e"] is None
    assert none.total.filter(pl.col("part") == "hubs")["kgco2e"].to_list() == [None]
    assert "hubs not known (3 sites" in str(none)


@settings(max_examples=examples(20), deadline=None)
@given(
    says=st.lists(st.sampled_from(["included", "excluded", "not_stated"]), min_size=2, max_size=2),
    share=st.floats(0.0, 0.9),
    hub=st.sampled_from([None, 0.7]),
    lost=st.booleans(),
)
def test_every_breakdown_adds_up_to_the_total(
    says: list[str], share: float, hub: float | None, lost: bool
) -> None:
    factors, network = read_factors(), read_network(TINY)
    sizes = pl.when(pl.int_range(pl.len()) % 2 == 0).then(1000.0).otherwise(9000.0)
    legs = network.legs.with_columns(vehicle_pieces=sizes)
    if lost:  # of one leg nothing is known
        legs = legs.with_columns(
            distance_km=pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise(pl.col("distance_km"))
        )
    names = ["hgv_rigid_3_7t", "hgv_artic_over_33t"]
    running = pl.col("factor").replace_strict(dict(zip(names, says, strict=True)), default="included")
    transport = factors.transport.with_columns(
        empty_running=running, empty_km_share=pl.lit(share), empty_ratio=pl.lit(0.6)
    )
    some = pl.when(pl.col("site_kind") == "transfer").then(pl.lit(hub, pl.Float64))
    own = dataclasses.replace(factors, transport=transport, hubs=factors.hubs.with_columns(value=some))
    made = estimate_carbon(network.with_tables(legs=legs), factors=own)
    total = made.summary()["kgco2e"]
    ttw = made.summary()["ttw_kgco2e"]
    for by in ("mode", "level", "empty_running"):
        rows = made.breakdown.filter(pl.col("by") == by)
        assert rows["kgco2e"].sum() == pytest.approx(total)
        assert rows["share"].sum() == pytest.approx(1.0)
        assert rows["ttw_kgco2e"].sum() == pytest.approx(ttw)
        assert (rows["low_kgco2e"] <= rows["kgco2e"] + 1e-9).all()
    parts = made.total.filter(pl.col("name") != "all")
    assert parts["kgco2e"].sum() == pytest.approx(total)
    tkm = made.breakdown.filter(pl.col("by") == "empty_running")["activity_tkm"].sum()
    assert tkm == pytest.approx(made.summary()["activity_tkm"])


def test_a_flight_by_hand() -> None:
    """By air 95 km are added to the great circle; a distance that is given is the one travelled."""
    network = chain()
    sites = network.sites.with_columns(lon=pl.Series([0.0, 10.0, 10.0]), lat=pl.Series([0.0, 0.0, 10.0]))
    legs = network.legs.with_columns(
        mode=pl.lit("air"), distance_km=pl.Series([None, 1300.0], dtype=pl.Float64)
    )
    made = estimate_carbon(network.with_tables(sites=sites, legs=legs))
    circle = 10 * np.pi / 180 * 6371.0088  # 1,111.95 km
    assert made.legs["distance_km"].to_list() == pytest.approx([circle, 1300.0])
    assert made.legs["travelled_km"].to_list() == pytest.approx([circle + 95.0, 1300.0])
    # 1,000 pieces of 1.5 kg at 0.75539 + 0.20515 kg/tkm
    assert made.legs["kgco2e"].to_list() == pytest.approx(
        [1.5 * (circle + 95) * 0.96054, 1.5 * 1300 * 0.96054]
    )
    assert made.legs["activity_tkm"].to_list() == pytest.approx([1.5 * circle, 1950.0])


def test_a_chain_of_all_modes_by_hand() -> None:
    """Lorry, train, flight, ship and a walk, by the factors shipped."""
    kinds = ["outlet", "county", "sorting", "transfer", "exchange", "outlet"]
    ids = [f"S{k}" for k in range(6)]
    sites = pl.DataFrame({"site_id": ids, "kind": kinds})
    modes = ["road", "rail", "air", "ship", "walk"]
    legs = pl.DataFrame(
        {"from_site": ids[:-1], "to_site": ids[1:], "mode": modes,
         "distance_km": [80.0, 600.0, 1200.0, 2000.0, 2.0], "vehicle_pieces": [1000.0, 1e5, 1e4, 1e6, 20.0]}
    )  # fmt: skip
    demand = pl.DataFrame({"from_site": ["S0"], "to_site": ["S5"], "pieces_per_day": [2000.0]})
    made = estimate_carbon(build_network({"sites": sites, "legs": legs, "demand": demand}, "all modes"))
    # 2,000 pieces of 1.5 kg are 3 t; factors of the table, well to wheel
    by_hand = {
        "road": 3 * 80 * 0.65057, "rail": 3 * 600 * 0.0347, "air": 3 * 1200 * 0.96054,
        "ship": 3 * 2000 * 0.01621, "walk": 0.0,
    }  # fmt: skip
    rows = made.breakdown.filter((pl.col("by") == "mode") & (pl.col("part") == "leg"))
    assert dict(rows.select("name", "kgco2e").iter_rows()) == pytest.approx(by_hand)
    assert made.summary()["kgco2e"] == pytest.approx(sum(by_hand.values()))
    assert made.summary()["hubs_unknown"] == 6
