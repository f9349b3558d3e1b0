"""The fair split: known values, sums, and costs made consistent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changtong.rural.fair_split import (
    Coalition,
    coalitions_needed,
    consistent,
    sampled_shapley,
    shapley,
)


def test_the_airport_game_has_its_known_values() -> None:
    # Littlechild and Owen (1973): a runway as long as the largest needs, each part paid by who uses it
    needs = {"A": 12.0, "B": 20.0, "C": 33.0}
    paid = shapley(list(needs), lambda some: max(needs[f] for f in some))
    assert paid == pytest.approx({"A": 4.0, "B": 8.0, "C": 21.0})


costs = st.lists(st.floats(1.0, 100.0), min_size=15, max_size=15)
FIRMS = ("A", "B", "C", "D")
ALL = coalitions_needed(FIRMS, exact_firms=6, orders=0, seed=0)


@given(costs)
def test_consistent_costs_are_monotone_subadditive_and_never_higher(values: list[float]) -> None:
    given_costs = dict(zip(ALL, values, strict=True))
    found = consistent(given_costs)
    for some in ALL:
        assert found[some] <= given_costs[some]
        for other in ALL:
            if some < other:
                assert found[some] <= found[other] + 1e-9
            if not some & other:
                assert found[some | other] <= found[some] + found[other] + 1e-9


@given(costs)
def test_parts_sum_to_the_whole_and_nobody_pays_more_than_alone(values: list[float]) -> None:
    found = consistent(dict(zip(ALL, values, strict=True)))
    paid = shapley(FIRMS, found.__getitem__)
    assert sum(paid.values()) == pytest.approx(found[frozenset(FIRMS)])
    for firm in FIRMS:
        assert -1e-9 <= paid[firm] <= found[frozenset([firm])] + 1e-9


def test_sampled_orders_sum_to_the_whole_and_need_only_their_coalitions() -> None:
    firms = [f"F{k}" for k in range(8)]
    needed = set(coalitions_needed(firms, exact_firms=6, orders=10, seed=3))
    assert len(needed) < 2**8 - 1

    def cost(some: Coalition) -> float:
        assert some in needed
        return float(len(some)) ** 0.5

    paid = sampled_shapley(firms, cost, orders=10, seed=3)
    assert sum(paid.values()) == pytest.approx(8**0.5)
