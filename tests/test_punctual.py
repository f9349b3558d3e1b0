"""Late pieces on large networks: they move to ways on time, within capacities and what it may cost."""

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from plan_cases import planned_networks

from changtong.flows.flow import FlowSettings, FlowSolver
from changtong.flows.problem import FlowProblem
from changtong.network.model import Network, build_network
from changtong.outages import Outage
from changtong.planning.plan import plan
from changtong.planning.result import Plan, PlanSettings

SOME = settings(
    max_examples=examples(120), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
GAP = 1e-3


def slow_and_fast(*, fast_room: float, in_use: float = 1.0, promise_h: float = 10.0) -> Network:
    """A → Z by M in 20 h for 2 CNY, or by N in 8 h for 5 CNY; 12 pieces, a quarter of them urgent."""
    legs = [("A", "M"), ("M", "Z"), ("A", "N"), ("N", "Z")]
    return build_network(
        {
            "sites": pl.DataFrame({"site_id": list("AMNZ")}),
            "legs": pl.DataFrame(
                {
                    "from_site": [a for a, _ in legs],
                    "to_site": [b for _, b in legs],
                    "travel_h": [10.0, 10.0, 4.0, 4.0],
                    "cost_cny_per_piece": [1.0, 1.0, 2.5, 2.5],
                    "capacity_pieces_per_day": [100.0, 100.0, fast_room, fast_room],
                    "flow_pieces_per_day": [12.0, 12.0, in_use, in_use],
                }
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["Z"], "pieces_per_day": [12.0]}),
            "service_classes": pl.DataFrame(
                {
                    "service_class": ["urgent", "ordinary"],
                    "rank": [1, 2],
                    "promise_h": [promise_h, promise_h],
                    "share": [0.25, 0.75],
                }
            ),
        },
        name="slow and fast",
    )


def ask(network: Network, order: tuple[str, ...] = ("unserved", "late", "cost"), **more: object) -> Plan:
    options = PlanSettings(method="large", gap_share=GAP, hour_cny=0.0, **more)  # type: ignore[arg-type]
    return plan(network, (), objectives=order, settings=options)


def late(made: Plan) -> list[float]:
    return made.classes["late_pieces"].to_list()


@pytest.mark.parametrize(
    ("fast_room", "expected"),
    [(100.0, [0.0, 0.0]), (8.0, [0.0, 4.0]), (2.0, [1.0, 9.0]), (0.0, [3.0, 9.0])],
)
def test_urgent_pieces_get_the_fast_way_first_as_far_as_it_has_room(
    fast_room: float, expected: list[float]
) -> None:
    made = ask(slow_and_fast(fast_room=fast_room), late_cny=10.0)
    assert late(made) == pytest.approx(expected, abs=1e-3)
    flow = made.leg_flows["planned_pieces"].to_list()
    assert flow == pytest.approx([12 - min(12, fast_room)] * 2 + [min(12, fast_room)] * 2, abs=1e-3)
    cost = 2.0 * 12 + 3.0 * min(12.0, fast_room)
    assert made.objective_cny == pytest.approx(cost, rel=1e-3)
    assert made.gap_share == pytest.approx(1.0 - 24.0 / cost, abs=2 * GAP)


def test_a_piece_pays_no_more_for_being_on_time_than_it_may() -> None:
    network = slow_and_fast(fast_room=100.0)
    assert late(ask(network, late_cny=2.9)) == pytest.approx([3.0, 9.0], abs=1e-3)  # it would be 3 CNY
    assert late(ask(network, late_cny=3.1)) == pytest.approx([0.0, 0.0], abs=1e-3)
    assert late(ask(network, ("unserved", "cost", "late"), late_cny=3.1)) == pytest.approx([3, 9], abs=1e-3)


def test_without_a_price_the_plan_stays_within_the_gap_asked_for() -> None:
    made = ask(slow_and_fast(fast_room=100.0))
    assert made.gap_share <= GAP
    assert sum(late(made)) > 12.0 - 0.01  # 0.1 % of 24 CNY buys less than a hundredth of a piece


def test_what_no_way_brings_on_time_stays_where_it_is_cheapest() -> None:
    made = ask(slow_and_fast(fast_room=100.0, promise_h=7.0), late_cny=10.0)
    assert late(made) == pytest.approx([3.0, 9.0], abs=1e-3)
    assert made.objective_cny == pytest.approx(24.0, rel=1e-3)


def test_legs_out_of_use_stay_so_where_few_changes_come_first() -> None:
    order = ("unserved", "changed_legs", "late", "cost")
    assert late(ask(slow_and_fast(fast_room=100.0, in_use=0.0), order, late_cny=10.0)) == pytest.approx(
        [3.0, 9.0], abs=1e-3
    )


@pytest.mark.slow
@SOME
@given(planned_networks(hurried=True))
def test_plans_stay_sound_and_never_beat_what_is_proved(case: tuple[Network, tuple[Outage, ...]]) -> None:
    """``plan`` checks every plan independently; here: no fewer late than the exact way proves possible."""
    network, outages = case
    order = ("unserved", "late", "cost")
    plain, hurried = (
        plan(
            network,
            outages,
            objectives=order,
            settings=PlanSettings(method="large", gap_share=GAP, seconds=10, late_cny=price),
        )
        for price in (0.0, 100.0)
    )
    assert hurried.value("late") <= plain.value("late") + 1e-3
    assert hurried.value("unserved") == pytest.approx(plain.value("unserved"), abs=1e-3)
    exact = plan(network, outages, objectives=order, settings=PlanSettings(method="exact", seconds=10))
    if abs(exact.value("unserved") - hurried.value("unserved")) < 1e-3:
        row = exact.objectives.row(by_predicate=pl.col("objective") == "late", named=True)
        if row["lower_bound"] is not None:
            assert hurried.value("late") >= row["lower_bound"] - 1e-2


def test_a_plan_kept_keeps_its_ways_while_the_search_goes_on() -> None:
    rng = np.random.default_rng(3)
    n = 12
    tail, head = (part.ravel() for part in np.meshgrid(range(n), range(n), indexing="ij"))
    legs = (tail != head) & (rng.random(n * n) < 0.4)
    pairs = tail != head
    problem = FlowProblem(
        n_sites=n,
        leg_tail=tail[legs].astype(np.int32),
        leg_head=head[legs].astype(np.int32),
        leg_cost=rng.uniform(1.0, 3.0, legs.sum()),
        leg_capacity=rng.uniform(5.0, 40.0, legs.sum()),
        site_capacity=np.full(n, np.inf),
        transit=np.ones(n, bool),
        pair_from=tail[pairs].astype(np.int32),
        pair_to=head[pairs].astype(np.int32),
        pair_pieces=rng.uniform(1.0, 6.0, (pairs.sum(), 1)),
        class_penalty=np.array([50.0]),
    )
    solver = FlowSolver(problem, FlowSettings(rounds=3))
    solver.solve()
    _, kept = solver._cut(in_order=True)

    def legs_of(cut: object) -> list[list[int]]:
        pool = cut.pool  # type: ignore[attr-defined]
        used = np.flatnonzero(pool.flow > 0.0)
        return [pool.arena[pool.start[w] : pool.start[w] + pool.n_legs[w]].tolist() for w in used]

    before = legs_of(kept)
    assert len(before) > n
    solver.rows.price[:] = rng.uniform(0.0, 3.0, len(solver.capacity))  # other prices, other ways
    solver.solve()
    assert legs_of(kept) == before
