"""Stress tests: every bound against the exact optimum, every plan within its bounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lp_oracle
import numpy as np
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import small_problems
from stress_cases import ring, site_case, today_of

from changtong.flows.flow import FlowSettings, solve_flow
from changtong.flows.problem import FlowProblem
from changtong.resilience.cases import Case, Task
from changtong.resilience.flowwork import FlowWork
from changtong.resilience.frozen import freeze
from changtong.resilience.today import inner_cost, shut


def least_left(problem: FlowProblem) -> float:
    """Return the fewest pieces any plan leaves behind, classes not told apart, by the oracle."""
    one = replace(
        problem,
        pair_pieces=problem.totals().astype(float)[:, None],
        class_penalty=np.array([1000.0]),
        leg_cost=np.zeros(len(problem.leg_cost)),
        class_share=None,
    )
    return float(lp_oracle.ask(one).strict_unserved.sum())


@st.composite
def closures(draw: st.DrawFn) -> tuple[FlowProblem, Case]:
    """A small problem, and a site, some legs, or several of both to shut."""
    problem = draw(small_problems())
    sites = draw(st.lists(st.integers(0, problem.n_sites - 1), unique=True, max_size=2))
    legs = draw(st.lists(st.integers(0, len(problem.leg_tail) - 1), unique=True, max_size=2))
    if not sites and not legs:
        sites = [0]
    return problem, Case("case", "set", "case", tuple(sites), tuple(legs))


@given(closures())
@settings(max_examples=examples(60), deadline=None, derandomize=True)
def test_bounds_enclose_the_optimum(drawn: tuple[FlowProblem, Case]) -> None:
    problem, case = drawn
    today = today_of(problem)
    before, after = lp_oracle.ask(problem), lp_oracle.ask(shut(problem, case))
    loss = after.weighed_objective - before.weighed_objective
    left = least_left(shut(problem, case))
    room = 1e-5 * max(1.0, after.weighed_objective)
    for found in (today.without_pass(case), today.with_pass(case)):
        assert found.loss_least <= loss + room
        assert loss <= found.loss_most + room
        assert found.unserved_least <= left + 1e-3
        assert left <= found.unserved_most + 1e-3
        assert found.cut_off <= left + 1e-3


def leg_case(*legs: int) -> Case:
    return Case("leg", "leg", "leg", (), legs)


@given(small_problems())
@settings(max_examples=examples(40), deadline=None, derandomize=True)
def test_ways_round_a_leg_are_a_plan_for_its_closure(problem: FlowProblem) -> None:
    today = today_of(problem)
    before = lp_oracle.ask(problem).weighed_objective
    for leg in np.argsort(-today.result.leg_flow)[:4].tolist():
        found, after = today.without_pass(leg_case(leg)), shut(problem, leg_case(leg))
        optimum = lp_oracle.ask(after).weighed_objective
        carried = today.unserved + float(today.result.leg_flow[leg])
        assert least_left(after) <= found.unserved_most + 1e-3
        assert found.unserved_most <= carried + 1e-3
        assert optimum - before <= found.loss_most + 1e-5 * max(1.0, optimum)


def two_hops(room: float, *, transit: bool = True, limits: object = ()) -> FlowProblem:
    """0 → 3 straight, or round by 1 (dearer, room for 4) or by 2; 10 pieces a day."""
    ends = [(0, 3), (0, 1), (1, 3), (0, 2), (2, 3)]
    return FlowProblem(
        n_sites=4,
        leg_tail=np.array([a for a, _ in ends], np.int32),
        leg_head=np.array([b for _, b in ends], np.int32),
        leg_cost=np.array([1.0, 4.0, 4.0, 1.5, 1.5]),
        leg_capacity=np.array([20.0, 4.0, 50.0, 50.0, room]),
        site_capacity=np.full(4, np.inf),
        transit=np.array([True, True, transit, True]),
        pair_from=np.array([0], np.int32),
        pair_to=np.array([3], np.int32),
        pair_pieces=np.array([[10.0]]),
        class_penalty=np.array([100.0]),
        limits=limits,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("problem", "left", "cost"),
    [
        (two_hops(20.0), 0.0, 30.0),  # all by 2, 3 CNY a piece
        (two_hops(5.0), 1.0, 5 * 3.0 + 4 * 8.0 + 100.0),  # 5 by 2, 4 by 1, 1 left behind
        (two_hops(5.0, transit=False), 6.0, 4 * 8.0 + 600.0),
        (two_hops(5.0, limits=((np.array([3], np.int32), 2.0),)), 6.0, 4 * 8.0 + 600.0),
    ],
)
def test_ways_round_a_leg_by_hand(problem: FlowProblem, left: float, cost: float) -> None:
    today = today_of(problem)
    found = today.without_pass(leg_case(0))
    assert found.unserved_most == pytest.approx(left, abs=1e-6)
    assert found.loss_most == pytest.approx(cost - today.lower, abs=1e-6)
    both = today.without_pass(leg_case(0, 3))  # two legs shut: nothing is said of ways round
    assert both.unserved_most == pytest.approx(10.0)


@given(small_problems())
@settings(max_examples=examples(40), deadline=None, derandomize=True)
def test_a_leaf_s_sums_say_what_a_pass_says(problem: FlowProblem) -> None:
    today = today_of(problem)
    for site in np.flatnonzero(~today.is_core):
        case = site_case(int(site))
        sums, by_pass = today.without_pass(case), today.with_pass(case)
        assert sums.loss_least == pytest.approx(by_pass.loss_least, rel=1e-4, abs=1e-2)
        assert sums.cut_off == pytest.approx(by_pass.cut_off, abs=1e-3)
        assert sums.unserved_most <= by_pass.unserved_most + 1e-3


@pytest.mark.slow
@given(closures())
@settings(max_examples=examples(30), deadline=None, derandomize=True)
def test_a_case_is_planned_as_if_alone(drawn: tuple[FlowProblem, Case]) -> None:
    import tempfile

    problem, case = drawn
    today = today_of(problem)
    alone = solve_flow(shut(problem, case), FlowSettings(gap_share=1e-4, threads=1))
    loss = lp_oracle.ask(shut(problem, case)).weighed_objective - today.objective
    nothing = np.zeros(len(problem.leg_tail))
    with tempfile.TemporaryDirectory() as folder:
        work = FlowWork(
            frozen=freeze(today.solver, Path(folder) / "today"),
            objective=today.objective,
            lower=today.lower,
            leg_money=inner_cost(problem, today.result),
            leg_cny=problem.leg_cost,
            leg_h=nothing,
            site_h=np.zeros(problem.n_sites),
            promise_h=np.full(len(problem.class_penalty), np.inf),
            gap_share=1e-4,
            seconds=10.0,
            measure="unserved",
        )
        first, again, sent = work(Task(case)), work(Task(case)), work.portable()(Task(case))
    assert {**first, "seconds": 0} == {**again, "seconds": 0} == {**sent, "seconds": 0}
    room = 2e-4 * max(1.0, loss + today.objective)
    assert first["loss_least_cny"] <= max(0.0, loss) + room
    assert max(0.0, loss) <= first["loss_cny"] + room
    assert first["cut_off_pieces"] == pytest.approx(float(alone.unserved[alone.cut_off].sum()), abs=1e-3)
    if first["termination"] == "gap_reached":
        assert first["gap_share"] <= 1e-4 + 1e-9
        assert first["loss_cny"] <= max(0.0, loss) + room
    assert first["unserved_least"] <= least_left(shut(problem, case)) + 1e-3
    assert first["unserved_pieces"] >= least_left(shut(problem, case)) - 1e-3


def test_a_quick_plan_is_enough_where_it_loses_little(tmp_path: Path) -> None:
    from changtong.resilience.exactwork import ask

    network = ring(capacity=200.0)
    question = ask(network, (), hour_cny=0.0, penalty=100.0)
    today = today_of(question.problem)
    work = FlowWork(
        freeze(today.solver, tmp_path / "today"), today.objective, today.lower, 0.0,
        question.leg_cny, question.leg_h, question.site_h, np.array([np.inf]), 1e-3, 10.0, "unserved",
    )  # fmt: skip
    hub = Case("hub", "site", "hub", (6,))
    assert work(Task(hub, enough=1e9))["how"] == "quick"
    assert work(Task(hub))["how"] == "flow"
    assert work(Task(hub))["unserved_pieces"] == pytest.approx(0.0, abs=1.0)
