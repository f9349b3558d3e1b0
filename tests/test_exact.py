"""Exact flows: hand-checked networks, and every way of random small ones listed and solved."""

from dataclasses import replace

import numpy as np
import pytest
from flow_cases import flow_problems
from how_many import examples
from hypothesis import HealthCheck, example, given, settings
from path_oracle import ask_by_ways

from changtong.flows.problem import FlowProblem
from changtong.programs.exact import LpStatus, LpTermination, solve_exact

ROUNDING = 1e-6
"""Pieces: the slack of a stage and the solver's tolerance together stay below this."""


def close(expected: object) -> object:
    return pytest.approx(expected, abs=ROUNDING)


def two_ways(**changes: object) -> FlowProblem:
    """0 → 2 directly at cost 1 for 6 pieces, or by site 1 at cost 2 + 2 without limit."""
    problem = FlowProblem(
        n_sites=3,
        leg_tail=np.array([0, 0, 1], np.int32),
        leg_head=np.array([2, 1, 2], np.int32),
        leg_cost=np.array([1.0, 2.0, 2.0]),
        leg_capacity=np.array([6.0, np.inf, np.inf]),
        site_capacity=np.full(3, np.inf),
        transit=np.ones(3, bool),
        pair_from=np.array([0], np.int32),
        pair_to=np.array([2], np.int32),
        pair_pieces=np.array([[10.0]]),
        class_penalty=np.array([100.0]),
    )
    return replace(problem, **changes)


def rivals() -> FlowProblem:
    """Classes 0 and 1 of two pairs over one leg of 5 pieces: 0 → 1 → 2 and 1 → 2."""
    return FlowProblem(
        n_sites=3,
        leg_tail=np.array([0, 1], np.int32),
        leg_head=np.array([1, 2], np.int32),
        leg_cost=np.array([4.0, 1.0]),
        leg_capacity=np.array([np.inf, 5.0]),
        site_capacity=np.full(3, np.inf),
        transit=np.ones(3, bool),
        pair_from=np.array([0, 1], np.int32),
        pair_to=np.array([2, 2], np.int32),
        pair_pieces=np.array([[3.0, 4.0], [0.0, 4.0]]),
        class_penalty=np.array([1.0, 1.0]),
    )


def test_overflow_takes_the_detour_and_the_price_is_what_the_detour_costs_more() -> None:
    result = solve_exact(two_ways())
    assert (result.status, result.termination) == (LpStatus.OPTIMAL, LpTermination.PROVED)
    assert result.leg_flow == pytest.approx([6, 4, 4])
    assert result.cost == pytest.approx(22)
    assert result.prices().leg == pytest.approx([3, 0, 0])
    assert [stage.name for stage in result.stages] == ["unserved:0", "cost"]


def test_price_of_the_unserved_stage_is_pieces_served_per_piece_of_capacity() -> None:
    result = solve_exact(two_ways(site_capacity=np.array([np.inf, 0.0, np.inf])))
    assert result.unserved == close(np.array([[4.0]]))
    unserved = result.prices("unserved:0")
    assert unserved.leg[0] + unserved.site[1] >= 1 - 1e-9


def test_higher_class_first_however_dear_its_way_is() -> None:
    result = solve_exact(rivals())
    assert result.unserved_by_class == close([0, 6])
    assert result.unserved[:, 1].tolist() == close([4, 2])  # among equals the cheaper pair
    assert result.cost == pytest.approx(3 * 5 + 2 * 1)


def test_weighed_problem_leaves_behind_what_costs_more_than_its_penalty() -> None:
    result = solve_exact(two_ways(class_penalty=np.array([3.0])), strict=False)
    assert result.unserved == close(np.array([[4.0]]))
    assert result.stages[0].objective == pytest.approx(6 * 1 + 4 * 3)


def test_site_load_counts_origin_destination_and_passage() -> None:
    for site, left in ((0, 3.0), (2, 3.0), (1, 0.0)):
        capacity = np.full(3, np.inf)
        capacity[site] = 7.0
        assert solve_exact(two_ways(site_capacity=capacity)).unserved == close(np.array([[left]]))
    assert solve_exact(two_ways(site_capacity=np.array([np.inf, 1.0, np.inf]))).unserved[0, 0] == close(3)


def test_site_that_passes_nothing_on_still_sends_and_receives() -> None:
    blocked = two_ways(transit=np.array([True, False, True]))
    assert solve_exact(blocked).unserved == close(np.array([[4.0]]))
    ends = two_ways(transit=np.array([False, True, False]))
    assert solve_exact(ends).unserved == close(np.array([[0.0]]))


def test_overlapping_limits_all_hold() -> None:
    both = ((np.array([0, 2], np.int32), 8.0), (np.array([1], np.int32), 1.0))
    result = solve_exact(two_ways(limits=both))
    assert result.unserved[0, 0] == close(3)
    assert result.leg_flow == pytest.approx([6, 1, 1])


def test_common_class_shares_split_every_pair() -> None:
    shared = two_ways(class_penalty=np.array([9.0, 1.0]), class_share=np.array([0.7, 0.3]))
    result = solve_exact(replace(shared, site_capacity=np.array([np.inf, 0.0, np.inf])))
    assert result.unserved == close(np.array([[1.0, 3.0]]))


def test_no_way_no_leg_no_demand() -> None:
    none = np.empty(0, np.int32)
    no_leg = two_ways(leg_tail=none, leg_head=none, leg_cost=np.empty(0), leg_capacity=np.empty(0))
    assert solve_exact(no_leg).unserved == close(np.array([[10.0]]))
    result = solve_exact(two_ways(pair_pieces=np.array([[0.0]])))
    assert (result.status, result.cost) == (LpStatus.OPTIMAL, 0.0)
    no_pair = two_ways(pair_from=none, pair_to=none, pair_pieces=np.empty((0, 1)))
    assert solve_exact(no_pair).termination is LpTermination.NOTHING_TO_DO


def test_no_time_is_not_called_optimal_and_serves_nothing() -> None:
    result = solve_exact(two_ways(), seconds=0.0)
    assert (result.status, result.termination) == (LpStatus.FEASIBLE, LpTermination.TIME_LIMIT)
    assert result.unserved == close(np.array([[10.0]]))
    assert result.stages == ()


def test_large_and_small_volumes_keep_their_accuracy() -> None:
    for unit in (1e-3, 1e6):
        problem = two_ways(
            pair_pieces=np.array([[10.0 * unit]]), leg_capacity=np.array([6.0 * unit, np.inf, np.inf])
        )
        assert solve_exact(problem).cost == pytest.approx(22 * unit, rel=1e-7)


def tight_by_rounding() -> FlowProblem:
    """Three classes over one full site: totals kept too tightly look infeasible by 1e-7."""
    return FlowProblem(
        n_sites=5,
        leg_tail=np.array([3], np.int32),
        leg_head=np.array([2], np.int32),
        leg_cost=np.array([0.0]),
        leg_capacity=np.array([9.0]),
        site_capacity=np.array([0.0, 0.0, 6.0, 15.0, 0.0]),
        transit=np.ones(5, bool),
        pair_from=np.array([3], np.int32),
        pair_to=np.array([2], np.int32),
        pair_pieces=np.array([[1.0, 3.0, 3.0]]),
        class_penalty=np.array([2.5e6, 5e4, 1e3]),
    )


@settings(
    max_examples=examples(120), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(flow_problems())
@example(tight_by_rounding())
def test_agrees_with_every_way_listed(problem: FlowProblem) -> None:
    """Strictly by class and weighed: unserved, cost and bounds equal those of an independent program."""
    expected = ask_by_ways(problem)
    strict, weighed = solve_exact(problem), solve_exact(problem, strict=False)
    assert strict.status is weighed.status is LpStatus.OPTIMAL
    assert strict.unserved_by_class == pytest.approx(expected.unserved, abs=2e-5)
    assert strict.cost == pytest.approx(expected.cost, rel=1e-5, abs=1e-3)
    assert weighed.stages[0].objective == pytest.approx(expected.weighed, rel=1e-6, abs=1e-5)
    for stage in (*strict.stages, *weighed.stages):
        room = 1e-6 * max(1.0, stage.objective)
        assert stage.lower_bound <= stage.objective + room
        assert stage.objective - stage.lower_bound <= 10 * room
