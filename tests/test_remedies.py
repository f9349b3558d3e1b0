"""Remedies: gains by hand, costs as data, networks with a remedy built in still hold together."""

from __future__ import annotations

import polars as pl
import pytest

from changtong.errors import InputError, UsageError
from changtong.network.checks import check_network
from changtong.network.model import Network, build_network
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.remedies import (
    Remedy,
    candidates,
    more_leg_capacity,
    more_site_capacity,
    new_leg,
    remedy_costs,
    twin_site,
    what_would_help,
)


def two_ways(spare: float = 40.0) -> Network:
    """Return 100 pieces from A to B over X, beside them a way over Y with room for ``spare``."""
    return build_network(
        {
            "sites": pl.DataFrame(
                {"site_id": ["A", "B", "X", "Y"], "sort_pieces_per_h": [10.0, 10.0, 10.0, 10.0]}
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": ["A", "X", "A", "Y"],
                    "to_site": ["X", "B", "Y", "B"],
                    "cost_cny_per_piece": [1.0, 1.0, 1.0, 1.0],
                    "capacity_pieces_per_day": [150.0, 150.0, 150.0, spare],
                }
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [100.0]}),
        },
        name="two ways",
    )


X_SHUT = [Case("site:X", "site", "X", (2,))]


def test_gains_by_hand() -> None:
    """With X shut 60 pieces stay behind; each piece more from Y to B saves one, up to 60."""
    network, costs = two_ways(), remedy_costs()
    tried = [
        more_leg_capacity(network, 3, 20.0, costs),
        new_leg(network, "A", "B", 50.0, costs),
        more_site_capacity(network, 0, 20.0, costs),
        twin_site(network, 2, 0.5, costs),
    ]
    found = what_would_help(network, X_SHUT, remedies=tried)
    rows = {row["remedy"]: row for row in found.iter_rows(named=True)}
    assert all(row["expected_before"] == pytest.approx(60.0, abs=1e-3) for row in rows.values())
    after = {name: row["expected_after"] for name, row in rows.items()}
    assert after["Y>B +20"] == pytest.approx(40.0, abs=1e-3)
    assert after["new leg A>B"] == pytest.approx(10.0, abs=1e-3)
    assert after["A sorts +20"] == pytest.approx(60.0, abs=1e-3)
    assert after["X+ (50% of X)"] == pytest.approx(0.0, abs=1e-3)
    assert rows["Y>B +20"]["expected_gain_per_cny"] == pytest.approx(
        20.0 / (20.0 * costs["leg_piece"]), rel=1e-3
    )
    assert found["remedy"].to_list()[:2] == ["Y>B +20", "new leg A>B"]
    assert set(found["cost_provenance"]) == {"assumed"}


def test_expected_and_worst_losses_by_weight_and_demand() -> None:
    network = two_ways()
    cases = [*X_SHUT, Case("site:Y", "site", "Y", (3,))]
    remedy = more_leg_capacity(network, 3, 20.0, remedy_costs())
    found = what_would_help(
        network, cases, remedies=[remedy], weights=[3.0, 1.0], demand_factors=[0.5, 1.0, 1.5]
    ).row(0, named=True)
    assert found["expected_before"] == pytest.approx(0.75 * (10.0 + 60.0 + 110.0) / 3, abs=1e-2)
    assert found["expected_after"] == pytest.approx(0.75 * (0.0 + 40.0 + 90.0) / 3, abs=1e-2)
    assert found["worst_before"] == pytest.approx(110.0, abs=1e-2)
    assert found["worst_after"] == pytest.approx(90.0, abs=1e-2)
    assert found["least_gain"] == pytest.approx(7.5, abs=1e-2)


def test_candidates_point_at_what_holds_pieces_back() -> None:
    network = two_ways()
    kinds = {(one.kind, one.name.split(" ")[0]) for one in candidates(network, X_SHUT)}
    assert ("capacity", "Y>B") in kinds
    assert ("leg", "new") in kinds
    assert ("site", "X+") in kinds
    assert not any(name.startswith("A>X") for _, name in kinds)


def test_a_network_with_a_remedy_keeps_its_rows() -> None:
    network, costs = two_ways(), remedy_costs()
    for remedy in (twin_site(network, 2, 0.5, costs), new_leg(network, "B", "A", 5.0, costs)):
        made = remedy.build(network)
        assert made.site_ids[:4] == network.site_ids
        ends = ["from_site", "to_site"]
        before = network.legs.select(pl.col(ends).cast(pl.String))
        assert made.legs.select(pl.col(ends).cast(pl.String)).head(4).equals(before)
        assert not check_network(made).errors
    twin = twin_site(network, 2, 0.5, costs).build(network)
    assert twin.areas is not None
    assert twin.legs.filter(pl.col("to_site") == "X+")["capacity_pieces_per_day"].to_list() == [75.0]
    assert twin.sites.filter(pl.col("site_id") == "X+")["sort_pieces_per_h"].to_list() == [5.0]


def test_what_cannot_be_tried_has_its_error() -> None:
    def breaks(network: Network) -> Network:
        raise ValueError("no room")

    found = what_would_help(two_ways(), X_SHUT, remedies=[Remedy("hall", "site", 1.0, 1.0, breaks)])
    row = found.row(0, named=True)
    assert row["error"] == "ValueError: no room"
    assert row["expected_gain_per_cny"] is None


def test_bad_questions_are_told() -> None:
    network = two_ways()
    with pytest.raises(UsageError, match="no case"):
        what_would_help(network, [])
    for wrong in ({"weights": [1.0, 2.0]}, {"weights": [-1.0]}, {"demand_factors": [0.0]}):
        with pytest.raises(InputError):
            what_would_help(network, X_SHUT, remedies=[], **wrong)  # type: ignore[arg-type]


def test_no_remedy_makes_things_worse() -> None:
    network = two_ways(spare=0.5)
    cases = list(make_cases(network))
    found = what_would_help(network, cases, remedies=candidates(network, cases))
    assert found.height > 2
    assert (found["expected_after"] <= found["expected_before"] + 1e-3).all()
