"""The flow solver against hand-checked networks and an independent linear program."""

from dataclasses import replace

import numpy as np
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from lp_oracle import ask
from strategies import small_problems

from changtong.errors import InternalError
from changtong.flows.flow import FlowSettings, FlowSolver, Termination, solve_flow
from changtong.flows.problem import FlowProblem
from changtong.planning.checker import check_flow


def two_ways(*, capacity: float = 6.0, pieces: float = 10.0) -> FlowProblem:
    """0 → 2 directly (cost 1, limited) or by 1 (cost 2 + 2, free)."""
    return FlowProblem(
        n_sites=3,
        leg_tail=np.array([0, 0, 1], np.int32),
        leg_head=np.array([2, 1, 2], np.int32),
        leg_cost=np.array([1.0, 2.0, 2.0]),
        leg_capacity=np.array([capacity, np.inf, np.inf]),
        site_capacity=np.full(3, np.inf),
        transit=np.ones(3, bool),
        pair_from=np.array([0], np.int32),
        pair_to=np.array([2], np.int32),
        pair_pieces=np.array([[pieces]]),
        class_penalty=np.array([100.0]),
    )


FINE = FlowSettings(gap_share=1e-4, seconds=20)


def test_overflow_takes_the_other_way() -> None:
    result = solve_flow(two_ways(), FINE)
    assert result.termination is Termination.GAP_REACHED
    assert result.leg_flow == pytest.approx([6, 4, 4], abs=0.01)
    assert result.objective == pytest.approx(6 * 1 + 4 * 4, rel=1e-3)
    assert result.lower_bound <= 22 * (1 + 1e-9)


def test_shadow_price_is_the_detour_saved() -> None:
    result = solve_flow(two_ways(), FINE)
    assert result.leg_price[0] == pytest.approx(3.0, abs=0.05)


def test_closed_middle_site_leaves_pieces_unserved() -> None:
    problem = replace(two_ways(), site_capacity=np.array([np.inf, 0.0, np.inf]))
    result = solve_flow(problem, FINE)
    assert result.unserved == pytest.approx([4.0], abs=0.01)
    assert not result.cut_off.any()


def test_no_way_at_all_is_cut_off_and_not_in_the_objective() -> None:
    problem = replace(two_ways(capacity=0.0), site_capacity=np.array([np.inf, 0.0, np.inf]))
    result = solve_flow(problem, FINE)
    assert result.cut_off.tolist() == [True]
    assert result.unserved == pytest.approx([10.0])
    assert result.objective == 0.0
    assert result.gap_share == 0.0


def test_a_site_that_passes_nothing_on_is_not_passed() -> None:
    problem = replace(two_ways(), transit=np.array([True, False, True]))
    assert solve_flow(problem, FINE).unserved == pytest.approx([4.0], abs=0.01)


def test_site_capacity_counts_first_last_and_visited_sites() -> None:
    problem = replace(two_ways(capacity=np.inf), site_capacity=np.array([7.0, np.inf, np.inf]))
    assert solve_flow(problem, FINE).unserved == pytest.approx([3.0], abs=0.01)
    problem = replace(two_ways(), site_capacity=np.array([np.inf, 1.0, np.inf]))
    assert solve_flow(problem, FINE).unserved == pytest.approx([3.0], abs=0.01)


def test_legs_that_share_an_entry_limit() -> None:
    problem = replace(two_ways(), limits=((np.array([0, 2], np.int32), 8.0),))
    assert solve_flow(problem, FINE).unserved == pytest.approx([2.0], abs=0.01)


def test_lower_class_gives_way() -> None:
    problem = replace(
        two_ways(),
        site_capacity=np.array([np.inf, 0.0, np.inf]),
        pair_pieces=np.array([[5.0, 5.0]]),
        class_penalty=np.array([1000.0, 100.0]),
    )
    result = solve_flow(problem, FINE)
    assert problem.unserved_by_class(result.unserved)[0] == pytest.approx([0.0, 4.0], abs=0.01)


def test_same_problem_same_answer_whatever_the_threads() -> None:
    one = solve_flow(two_ways(), replace(FINE, threads=1))
    two = solve_flow(two_ways(), replace(FINE, threads=2))
    assert one.leg_flow.tobytes() == two.leg_flow.tobytes()
    assert one.lower_bound == two.lower_bound


def test_ctrl_c_gives_the_best_plan_so_far() -> None:
    def stop(done: int, lower: float, upper: float, seconds: float) -> None:
        raise KeyboardInterrupt

    result = FlowSolver(two_ways(), FINE).solve(stop)
    assert result.termination is Termination.INTERRUPTED
    check_flow(two_ways(), result)
    assert result.lower_bound <= 22.0 <= result.objective + 1e-6


def test_checker_finds_a_load_above_capacity_and_a_leak() -> None:
    result = solve_flow(two_ways(), FINE)
    check_flow(two_ways(), result)
    with pytest.raises(InternalError, match="legs above capacity"):
        check_flow(two_ways(), replace(result, leg_flow=result.leg_flow + np.array([1.0, -1.0, -1.0])))
    with pytest.raises(InternalError, match="loses"):
        check_flow(two_ways(), replace(result, leg_flow=result.leg_flow - np.array([0.0, 0.0, 1.0])))
    with pytest.raises(InternalError, match="bound"):
        check_flow(two_ways(), replace(result, lower_bound=result.objective * 2))


@settings(
    max_examples=examples(200), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(small_problems())
def test_agrees_with_one_linear_program(problem: FlowProblem) -> None:
    """The interval holds the optimum, the plan passes the check, classes get the least loss."""
    result = solve_flow(problem, FlowSettings(gap_share=1e-3, seconds=2, rounds=150))
    check_flow(problem, result)
    oracle = ask(problem)
    dead = problem.unserved_by_class(np.where(result.cut_off, result.unserved, 0.0)).sum(axis=0)
    constant = float(dead @ problem.class_penalty)
    scale = 1e-6 * max(1.0, oracle.weighed_objective)
    assert result.lower_bound + constant <= oracle.weighed_objective + scale
    assert result.objective + constant >= oracle.weighed_objective - scale
    lost = problem.unserved_by_class(result.unserved).sum(axis=0)
    assert lost[0] >= oracle.strict_unserved[0] - 1e-4
    if result.termination is Termination.GAP_REACHED and problem.pair_pieces.shape[1] == 1:
        assert lost[0] == pytest.approx(
            oracle.strict_unserved[0], abs=1e-3 * oracle.weighed_objective / 500 + 1e-4
        )
