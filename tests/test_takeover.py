"""Stand-ins as decisions: W delivers to A; A is shut; B and C can take its area over."""

import polars as pl
import pytest

from changtong.network.model import Network, build_network
from changtong.outages import close_sites
from changtong.planning.plan import plan
from changtong.planning.result import Plan, PlanSettings

BOTH = pytest.mark.parametrize("method", ["exact", "large"])


def region(*, back: bool = False, **changes: object) -> Network:
    """W → A 60, W → B 20, W → C 20 pieces a day; ``back``: A and B also send to W.

    B sorts 60 a day, C 50; reaching B costs 1, reaching C costs 2.
    """
    legs = [("W", "A", 1.0), ("W", "B", 1.0), ("W", "C", 2.0)]
    demand = [("W", "A", 60.0), ("W", "B", 20.0), ("W", "C", 20.0)]
    if back:
        legs += [("A", "W", 1.0), ("B", "W", 1.0)]
        demand += [("A", "W", 10.0), ("B", "W", 5.0)]
    tables = {
        "sites": pl.DataFrame({"site_id": ["W", "A", "B", "C"], "sort_pieces_per_h": [50.0, 50.0, 3.0, 2.5]}),
        "legs": pl.DataFrame(legs, schema=["from_site", "to_site", "cost_cny_per_piece"], orient="row"),
        "demand": pl.DataFrame(demand, schema=["from_site", "to_site", "pieces_per_day"], orient="row"),
        "areas": pl.DataFrame(
            {"site": ["A", "A"], "stand_in": ["B", "C"], "basis": ["inferred", "inferred"]}
        ),
    }
    return build_network(tables | changes, name="region")  # type: ignore[operator]


def closed(network: Network, method: str) -> Plan:
    settings = PlanSettings(method=method, gap_share=1e-4)
    return plan(network, close_sites(network, ["A"]), objectives=("unserved", "cost"), settings=settings)


def took(made: Plan) -> dict[str, float]:
    return dict(made.stand_ins.select("stand_in", "pieces").iter_rows())


@BOTH
def test_the_cheaper_stand_in_is_filled_first(method: str) -> None:
    made = closed(region(), method)
    # B sorts 60, 20 of them its own: 40 spare; the other 20 go by C, which sorts 50
    assert took(made) == {"B": pytest.approx(40.0, abs=0.1), "C": pytest.approx(20.0, abs=0.1)}
    assert made.value("unserved") == pytest.approx(0.0, abs=0.01)
    assert made.value("cost") == pytest.approx(60 * 1 + 40 * 2, abs=0.2)
    assert set(made.stand_ins["basis"]) == {"inferred"}
    assert made.stand_ins["share"].to_list() == pytest.approx([2 / 3, 1 / 3], abs=2e-3)


@BOTH
def test_loads_count_what_is_taken_over_and_legs_stay_the_networks_own(method: str) -> None:
    network = region()
    made = closed(network, method)
    loads = {row["site_id"]: row for row in made.site_loads.iter_rows(named=True)}
    assert loads["B"]["planned_pieces"] == pytest.approx(60.0, abs=0.1)
    assert loads["B"]["taken_over_pieces"] == pytest.approx(40.0, abs=0.1)
    assert loads["A"]["planned_pieces"] == 0.0
    assert made.leg_flows.height == network.legs.height
    flow = dict(made.leg_flows.select("to_site", "planned_pieces").iter_rows())
    assert flow == {"A": 0.0, "B": pytest.approx(60.0, abs=0.1), "C": pytest.approx(40.0, abs=0.1)}
    assert "A" not in made.sort_plan["next_site"].cast(pl.String).to_list()


@BOTH
def test_what_no_stand_in_can_sort_stays_behind_and_is_called_area(method: str) -> None:
    network = region(
        sites=pl.DataFrame({"site_id": ["W", "A", "B", "C"], "sort_pieces_per_h": [50.0, 50.0, 2.0, 1.5]})
    )
    made = closed(network, method)
    assert made.value("unserved") == pytest.approx(60 - 20 - 10, abs=0.1)
    assert set(made.unserved["part"]) == {"area"}
    assert made.unserved.filter(pl.col("pieces") > 1)["reason"].unique().to_list() == ["full-site"]
    assert made.summary()["unserved_area_pieces"] == pytest.approx(30.0, abs=0.1)
    assert made.summary()["unserved_transit_pieces"] == pytest.approx(0.0, abs=0.01)


@BOTH
def test_pieces_that_begin_in_the_area_are_collected(method: str) -> None:
    sites = pl.DataFrame({"site_id": ["W", "A", "B", "C"], "sort_pieces_per_h": [50.0, 50.0, 3.0, 4.0]})
    made = closed(region(back=True, sites=sites), method)
    flow = {
        (a, b): x for a, b, x in made.leg_flows.select("from_site", "to_site", "planned_pieces").iter_rows()
    }
    # only B has a leg to W: it collects A's 10 pieces and sends them with its own 5
    assert flow["B", "W"] == pytest.approx(15.0, abs=0.1)
    assert made.value("unserved") == pytest.approx(0.0, abs=0.01)


@BOTH
def test_what_the_user_gave_wins_over_what_was_inferred(method: str) -> None:
    areas = pl.DataFrame({"site": ["A", "A"], "stand_in": ["B", "C"], "basis": ["inferred", "given"]})
    made = closed(region(areas=areas), method)
    assert set(took(made)) == {"C"}
    assert made.stand_ins["basis"].to_list() == ["given"]
    assert made.value("unserved") == pytest.approx(60 - 30, abs=0.1)


@BOTH
def test_a_share_is_the_most_a_stand_in_takes(method: str) -> None:
    areas = pl.DataFrame({"site": ["A", "A"], "stand_in": ["B", "C"], "share": [0.5, 1.0]})
    assert took(closed(region(areas=areas), method))["B"] == pytest.approx(30.0, abs=0.1)


def test_a_stand_in_that_passes_nothing_on_gets_its_fixed_share() -> None:
    sites = pl.DataFrame({"site_id": ["W", "A", "B", "C"], "transit": [True, True, False, False]})
    made = closed(region(sites=sites), "exact")
    assert took(made) == {"B": pytest.approx(30.0), "C": pytest.approx(30.0)}
    assert made.value("unserved") == pytest.approx(0.0, abs=0.01)


def test_closed_and_without_stand_in_is_proposed_but_not_counted_on() -> None:
    sites = pl.DataFrame(
        {
            "site_id": ["W", "A", "B", "C"],
            "lon": [113.0, 114.0, 114.1, 118.0],
            "lat": [30.0, 30.0, 30.0, 30.0],
        }
    )
    network = region(sites=sites).with_tables(areas=None)
    made = closed(network, "exact")
    assert made.stand_ins.row(0, named=True)["stand_in"] == "B"
    assert set(made.stand_ins["basis"]) == {"proposed"}
    assert made.value("unserved") == pytest.approx(60.0, abs=0.01)
