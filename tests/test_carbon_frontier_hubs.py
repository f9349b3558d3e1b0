"""The frontier where cost and carbon pull through different hubs: beside all plans there are, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.carbon_frontier import AIMS, Frontier, carbon_frontier, with_carbon
from changtong.network.model import Network, build_network
from changtong.planning.plan import plan_flow
from changtong.planning.result import PlanSettings

ENDS = ("A", "B", "C")
HUBS = ("H", "K")


def two_hubs(
    costs: list[float], kms: list[float], pieces: list[float], *, room: tuple[float, float] = (50.0, 50.0)
) -> Network:
    """Three outlets, a cheap hub by lorry and a clean one by train; rows of costs and km by outlet and hub.

    Every outlet sends ``pieces`` to the next. ``room`` is what each hub sorts in a day, in lots of ten.
    """
    legs = []
    for (end, hub), cost, km in zip(itertools.product(ENDS, HUBS), costs, kms, strict=True):
        mode = "road" if hub == "H" else "rail"
        legs += [(end, hub, mode, km, cost), (hub, end, mode, km, cost)]
    sites = pl.DataFrame(
        {
            "site_id": [*ENDS, *HUBS],
            "kind": ["outlet"] * 3 + ["transfer"] * 2,
            "sort_pieces_per_h": [None] * 3 + [each / 10.0 for each in room],
            "sort_hours_per_day": [None] * 3 + [10.0] * 2,
        },
        schema_overrides={"sort_pieces_per_h": pl.Float64, "sort_hours_per_day": pl.Float64},
    )
    names = ("from_site", "to_site", "mode", "distance_km", "cost_cny_per_piece")
    demand = {"from_site": list(ENDS), "to_site": ["B", "C", "A"], "pieces_per_day": pieces}
    return build_network(
        {
            "sites": sites,
            "legs": pl.DataFrame(legs, schema=names, orient="row"),
            "demand": pl.DataFrame(demand),
        },
        name="two hubs",
    )


def all_plans(network: Network, room: tuple[float, float], step: float) -> np.ndarray:
    """Return cost and carbon of every plan there is in lots of ``step``, (plans, 2): each lot by H or by K.

    By another way than the planner: every split of every pair over the hubs is tried, legs are added up from
    the tables, those over the hubs' room are thrown away.
    """
    legs = with_carbon(network).legs
    each = {
        (row["from_site"], row["to_site"]): np.array([row["cost_cny_per_piece"], row["kgco2e_per_piece"]])
        for row in legs.with_columns(pl.col("from_site", "to_site").cast(pl.String)).to_dicts()
    }
    pairs = network.demand.with_columns(pl.col("from_site", "to_site").cast(pl.String)).to_dicts()
    splits = [np.arange(0.0, pair["pieces_per_day"] + step / 2, step) for pair in pairs]
    found = []
    for by_h in itertools.product(*splits):
        by_k = [pair["pieces_per_day"] - some for pair, some in zip(pairs, by_h, strict=True)]
        if sum(by_h) > room[0] + 1e-9 or sum(by_k) > room[1] + 1e-9:
            continue
        total = np.zeros(2)
        for pair, one, other in zip(pairs, by_h, by_k, strict=True):
            for hub, some in zip(HUBS, (one, other), strict=True):
                total += some * (each[pair["from_site"], hub] + each[hub, pair["to_site"]])
        found.append(total)
    return np.array(found)


def least(plans: np.ndarray, price: float) -> float:
    return float((plans[:, 0] + price * plans[:, 1]).min())


def check_against(found: Frontier, plans: np.ndarray) -> None:
    """Compare at every price of carbon at which a plan may become the best one, and between them."""
    points = found.points.select("cost_cny", "kgco2e").to_numpy()
    ways = [(b[0] - a[0]) / (a[1] - b[1]) for a, b in itertools.pairwise(points)]
    for price in [0.0, *ways, *(0.5 * each for each in ways), *(2.0 * each for each in ways)]:
        assert least(points, price) == pytest.approx(least(plans, price), rel=1e-5, abs=1e-3)
    for line in found.lines:
        weights = np.array([line.cost_weight, line.carbon_weight])
        assert (plans @ weights).min() >= line.least * (1.0 - 1e-6) - 1e-6


def test_the_cheap_hub_and_the_clean_one_by_all_plans_there_are() -> None:
    """H is cheap and dirty, K dear and clean, each with room for 50 of 60 pieces: both ends split a pair."""
    network = two_hubs([1.0, 3.0, 1.0, 2.0, 1.0, 1.5], [300.0] * 6, [20.0, 20.0, 20.0])
    plans = all_plans(network, (50.0, 50.0), step=10.0)
    assert len(plans) == 25, "27 splits, without all by H and all by K"
    found = carbon_frontier(network, points=20, gap_share=0.0)
    check_against(found, plans)
    # a piece by H costs 2 whatever the pair; by K 5 from A to B (3 + 2), 3.5 from B to C, 4.5 from C to A
    assert found.points["cost_cny"][0] == pytest.approx(50 * 2.0 + 10 * 3.5), "only what H has no room for"
    assert found.points["cost_cny"][-1] == pytest.approx(10 * 2.0 + 10 * 5.0 + 20 * 3.5 + 20 * 4.5)
    assert found.gap_share == pytest.approx(0.0, abs=1e-6)


COST = st.integers(1, 16).map(lambda n: n / 4)
KM = st.integers(2, 40).map(lambda n: 25.0 * n)


@given(
    costs=st.lists(COST, min_size=6, max_size=6),
    kms=st.lists(KM, min_size=6, max_size=6),
    pieces=st.lists(st.sampled_from([10.0, 20.0, 30.0]), min_size=3, max_size=3),
    room=st.sampled_from([(1000.0, 1000.0), (60.0, 60.0), (40.0, 90.0)]),
)
@settings(max_examples=examples(25), deadline=None)
def test_no_plan_of_a_frontier_is_beaten_and_carbon_falls_as_its_price_rises(
    costs: list[float], kms: list[float], pieces: list[float], room: tuple[float, float]
) -> None:
    if sum(pieces) > sum(room):
        pieces = [10.0] * 3
    network = two_hubs(costs, kms, pieces, room=room)
    plans = all_plans(network, room, step=10.0)
    found = carbon_frontier(network, points=40, gap_share=0.0)
    check_against(found, plans)
    points = found.points.select("cost_cny", "kgco2e").to_numpy()
    for one in points:
        beaten = (plans[:, 0] < one[0] - 1e-3) & (plans[:, 1] < one[1] - 1e-6)
        assert not beaten.any(), "a plan is cheaper and cleaner"
    assert (np.diff(points[:, 0]) > 0.0).all()
    assert (np.diff(points[:, 1]) < 0.0).all()
    each = found.points["cny_per_t_avoided"].drop_nulls().to_numpy()
    assert (np.diff(each) > -1e-6 * each[1:]).all(), "each further tonne costs more"
    kept = found.points.drop_nulls(
        "price_cny_per_t"
    )  # the price a plan was sought at stands between its sides
    assert kept["price_cny_per_t"].is_sorted()


@pytest.mark.parametrize("room", [(1000.0, 1000.0), (50.0, 50.0)])
def test_solves_that_begin_from_their_neighbours_prove_what_is_true(room: tuple[float, float]) -> None:
    """The way for large networks, where each solve begins where the last ended: no line above any plan."""
    network = two_hubs([1.0, 3.0, 1.0, 2.0, 1.0, 1.5], [300.0, 200.0] * 3, [20.0, 20.0, 20.0], room=room)
    plans = all_plans(network, room, step=10.0)
    work = PlanSettings(method="large", gap_share=1e-4, seconds=20.0)
    found = carbon_frontier(network, points=12, gap_share=0.0, settings=work)
    assert found.solves > 2, "some begin between two others"
    for line in found.lines:
        weights = np.array([line.cost_weight, line.carbon_weight])
        assert (plans @ weights).min() >= line.least * (1.0 - 1e-6) - 1e-6
    points = found.points.select("cost_cny", "kgco2e").to_numpy()
    ends = [found.points["cost_cny"][0], found.points["kgco2e"][-1]]
    assert ends == pytest.approx([plans[:, 0].min(), plans[:, 1].min()], rel=2e-3)
    for price in (1.0, 5.0, 20.0):
        assert least(points, price) >= least(plans, price) * (1.0 - 1e-6)


def test_a_solver_kept_takes_over_other_costs_and_penalties() -> None:
    """Costs a hundred times as high: with the penalties of before, all would rather be left behind."""
    network = two_hubs([1.0, 3.0, 1.0, 2.0, 1.0, 1.5], [300.0] * 6, [20.0, 20.0, 20.0])
    work = PlanSettings(method="large", gap_share=1e-4, seconds=20.0)
    first = plan_flow(network, objectives=AIMS, settings=work)
    dear = network.with_tables(legs=network.legs.with_columns(pl.col("cost_cny_per_piece") * 100.0))
    warm = plan_flow(dear, objectives=AIMS, settings=work, kept=first.solver)
    cost = dear.legs["cost_cny_per_piece"].to_numpy()
    assert warm.result.unserved.sum() == pytest.approx(0.0, abs=1e-3)
    value = float(warm.result.leg_flow[: len(cost)] @ cost)
    assert value == pytest.approx(100.0 * (50 * 2.0 + 10 * 3.5), rel=2e-3)
    assert warm.result.lower_bound <= value * (1.0 + 1e-6)


def test_carbon_falls_as_the_price_of_carbon_rises_in_plans_of_their_own() -> None:
    """Independent of the search: legs that cost cost + price x carbon are planned price by price."""
    network = with_carbon(two_hubs([1.0, 3.0, 1.0, 2.0, 1.0, 1.5], [300.0] * 6, [20.0, 20.0, 20.0]))
    cost, kg = (network.legs[name].to_numpy() for name in ("cost_cny_per_piece", "kgco2e_per_piece"))
    carbon = []
    for price in (0.0, 2.0, 5.0, 10.0, 50.0):
        legs = network.legs.with_columns(cost_cny_per_piece=pl.Series(cost + price * kg)).drop(
            "kgco2e_per_piece"
        )
        answer = plan_flow(
            network.with_tables(legs=legs),
            objectives=("unserved", "cost"),
            settings=PlanSettings(seconds=5.0),
        )
        carbon.append(float(answer.result.leg_flow[: len(kg)] @ kg))
    assert carbon == sorted(carbon, reverse=True)
    assert carbon[0] > carbon[-1] * 1.5
