"""Plans of large networks: one clock for all solves, proved losses, the lightest legs."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from flow_cases import flow_problems
from how_many import examples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lp_oracle import ask
from plan_cases import planned_networks

from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver, Termination
from changtong.flows.problem import FlowProblem
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning import inorder
from changtong.planning.bounds import bound_at, least_unserved
from changtong.planning.inorder import Clock, solve_in_order
from changtong.planning.lightest import highest_share, lighten
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings

SOME = settings(
    max_examples=examples(25), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
FINE = FlowSettings(gap_share=1e-4, seconds=20)


def two_ways(*, pieces: float, direct: float = 10.0, round_about: float = 20.0) -> FlowProblem:
    """0 → 2 directly (cost 1) or by 1 (cost 2 + 2)."""
    return FlowProblem(
        n_sites=3,
        leg_tail=np.array([0, 0, 1], np.int32),
        leg_head=np.array([2, 1, 2], np.int32),
        leg_cost=np.array([1.0, 2.0, 2.0]),
        leg_capacity=np.array([direct, round_about, round_about]),
        site_capacity=np.full(3, np.inf),
        transit=np.ones(3, bool),
        pair_from=np.array([0], np.int32),
        pair_to=np.array([2], np.int32),
        pair_pieces=np.array([[0.2 * pieces, 0.3 * pieces, 0.5 * pieces]]),
        class_penalty=np.array([10_000.0, 1_000.0, 100.0]),
    )


@dataclass
class SlowSolver:
    """A solver that takes all the time it gets, and loses what the script says, solve by solve."""

    problem: FlowProblem
    unserved: list[float]
    now: float = 0.0
    curtailed: int = 2
    settings: FlowSettings = field(default_factory=FlowSettings)
    asked: list[tuple[int, float]] = field(default_factory=list)

    def solve(self, progress: object = None, enough: object = None) -> FlowResult:
        self.asked.append((self.curtailed, self.settings.seconds))
        self.now += self.settings.seconds
        lost = self.unserved[min(len(self.asked), len(self.unserved)) - 1]
        nothing = np.zeros(3)
        return FlowResult(
            termination=Termination.TIME_LIMIT,
            objective=100.0 + lost,
            lower_bound=10.0 * len(self.asked),
            rounds=1,
            seconds=self.settings.seconds,
            leg_flow=nothing,
            unserved=np.array([lost], np.float32),
            cut_off=np.zeros(1, bool),
            leg_price=nothing,
            site_price=nothing,
            limit_price=np.empty(0),
            row_price=nothing,
            cut=None,
        )


def run(solver: SlowSolver, seconds: float, monkeypatch: pytest.MonkeyPatch) -> FlowResult:
    monkeypatch.setattr(inorder.time, "perf_counter", lambda: solver.now)
    return solve_in_order(solver.problem, solver, Clock(seconds, 0.0))  # type: ignore[arg-type]


def test_all_solves_for_the_order_of_classes_share_one_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = two_ways(pieces=100_000.0)  # classes of 20,000, 30,000 and 50,000
    solver = SlowSolver(problem, [90_000.0])  # every solve loses 10,000 of the first class
    found = run(solver, 20.0, monkeypatch)
    assert sum(seconds for _, seconds in solver.asked) <= 20.0 * 1.03
    assert found.termination is Termination.TIME_LIMIT
    assert [curtailed for curtailed, _ in solver.asked][:2] == [2, 0]  # at once the class that loses
    assert found.lower_bound == 10.0 * len(solver.asked)  # every solve bounds the same sum


def test_the_plan_kept_is_the_one_that_loses_least_of_the_highest_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    solver = SlowSolver(two_ways(pieces=100_000.0), [85_000.0, 95_000.0])
    found = run(solver, 20.0, monkeypatch)
    assert len(solver.asked) > 1
    assert found.unserved[0] == pytest.approx(85_000.0)


def test_time_left_goes_on_where_no_higher_class_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = SlowSolver(two_ways(pieces=100_000.0), [40_000.0, 30_000.0])
    found = run(solver, 20.0, monkeypatch)
    assert {curtailed for curtailed, _ in solver.asked} == {2}
    assert sum(seconds for _, seconds in solver.asked) == pytest.approx(20.0, rel=0.05)
    assert found.unserved[0] == pytest.approx(30_000.0)


def test_bound_on_losses_of_a_full_leg_by_hand() -> None:
    problem = two_ways(pieces=40.0)  # 30 fit; the classes are 8, 12, 20
    solver = FlowSolver(problem, FINE)
    found = solver.solve()
    assert bound_at(solver, problem, np.array([1.0, 1.0, 0.0]), 3) == pytest.approx(40 - 10 - 20, abs=1e-3)
    assert bound_at(solver, problem, np.array([1.0, 1.0, 0.0]), 2) == 0.0  # the first two classes fit
    for seconds, room in ((0.0, 1.0), (5.0, 0.1)):  # the prices at hand fall short by a way's cost
        least = least_unserved(solver, found, found.row_price, lambda seconds=seconds: seconds)
        assert least.total == pytest.approx(10.0, abs=room)
        assert least.total <= 10.0 + 1e-3
        assert least.by_class == pytest.approx([0.0, 0.0, 10.0], abs=room)


def test_what_is_proved_beside_a_solver_leaves_its_trees_alone() -> None:
    problem = two_ways(pieces=40.0)
    solver = FlowSolver(problem, FINE)
    found = solver.solve()
    trees = [values.copy() for values in solver.trees]
    beside = least_unserved(solver.beside(), found, found.row_price, lambda: 0.0)
    assert all(np.array_equal(values, kept) for values, kept in zip(solver.trees, trees, strict=True))
    own = least_unserved(solver, found, found.row_price, lambda: 0.0)
    assert beside.total == own.total > 0.0
    assert beside.by_class == pytest.approx(own.by_class)
    assert any(not np.array_equal(values, kept) for values, kept in zip(solver.trees, trees, strict=True))


@SOME
@given(flow_problems(), st.randoms(use_true_random=False), st.booleans())
def test_no_bound_on_losses_is_above_an_independent_program(
    problem: FlowProblem, random: object, prove: bool
) -> None:
    assume(len(problem.leg_tail))
    solver = FlowSolver(problem, replace(FINE, seconds=1.0))
    found = solver.solve()
    price = np.array([random.choice([0.0, 0.3, 1.0]) for _ in solver.capacity])  # type: ignore[attr-defined]
    for k in range(len(problem.class_penalty)):
        some = replace(problem, pair_pieces=problem.pair_pieces[:, : k + 1])
        best = ask(replace(some, class_penalty=np.ones(k + 1))).strict_unserved.sum()
        assert bound_at(solver, problem, price, k + 1) <= best + 1e-4
    least = least_unserved(solver, found, found.row_price, lambda: 1.0 if prove else 0.0)
    strict = ask(problem).strict_unserved
    assert least.total <= strict.sum() + 1e-3
    lost = problem.lost_by_class(found.unserved)
    for k in range(len(strict)):  # a bound of one class holds for plans that lose no more above it
        if (lost[:k] <= strict[:k] + 1e-6).all():
            assert least.by_class[k] <= strict[k] + 1e-3


def test_lightest_legs_by_hand() -> None:
    problem = two_ways(pieces=12.0)
    solver = FlowSolver(problem, FINE)
    cheapest = solver.solve()
    assert highest_share(problem, cheapest.leg_flow) == pytest.approx(1.0, abs=1e-3)
    found = lighten(problem, solver, cheapest, Clock(20.0))
    assert highest_share(problem, found.result.leg_flow) == pytest.approx(12 / 30, rel=0.03)
    assert found.least == pytest.approx(12 / 30, rel=0.02)
    assert found.result.unserved.sum() <= 0.01
    assert np.array_equal(solver.capacity, [10.0, 20.0, 20.0])  # the network's own again


def test_legs_stay_as_full_as_service_needs_them() -> None:
    problem = two_ways(pieces=30_000.0, direct=10_000.0, round_about=20_000.0)
    solver = FlowSolver(problem, FINE)
    found = lighten(problem, solver, solver.solve(), Clock(20.0))
    assert found.least > 0.99
    assert found.result.unserved.sum() <= 5.0


@pytest.mark.slow
@SOME
@given(planned_networks())
def test_highest_load_before_cost_agrees_with_the_exact_way(case: tuple[Network, tuple[Outage, ...]]) -> None:
    objectives = ("unserved", "max_load", "cost")
    exact = plan(*case, objectives=objectives, settings=PlanSettings(method="exact"))
    large = plan(
        *case, objectives=objectives, settings=PlanSettings(method="large", gap_share=1e-4, seconds=4)
    )
    rows = {row["objective"]: row for row in large.objectives.iter_rows(named=True)}
    if rows["max_load"]["method"] == "not_applicable" or large.status.value != "optimal":
        return
    assert rows["max_load"]["lower_bound"] is not None
    if large.value("unserved") >= exact.value("unserved") - 1e-2:
        assert rows["max_load"]["lower_bound"] <= exact.value("max_load") + 1e-3
