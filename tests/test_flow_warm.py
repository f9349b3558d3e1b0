"""Coarse prices, warm outages and split pairs: each is a way to begin, none may change the answer."""

from dataclasses import replace

import numpy as np
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changtong.flows.coarse import coarsen
from changtong.flows.entries import NOTHING, close_slot, entry_volume, open_slot, served
from changtong.flows.flow import FlowSettings, FlowSolver, solve_flow
from changtong.flows.problem import FlowProblem, same_network
from changtong.flows.volumes import USED, Volumes
from changtong.planning.checker import check_flow
from changtong.programs.arcflow import arc_flow
from changtong.programs.exact import solve_exact

GAP = FlowSettings(gap_share=1e-3, seconds=30.0)


def hubs_and_leaves(seed: int, *, hubs: int = 5, leaves: int = 24, tight: float = 1.0) -> FlowProblem:
    """Hubs joined each to each, leaves to the two nearest hubs: room for everything but at ``tight``."""
    rng = np.random.default_rng(seed)
    place = rng.random((hubs + leaves, 2))
    away = np.linalg.norm(place[:, None] - place[None], axis=2)
    legs = [(a, b) for a in range(hubs) for b in range(hubs) if a != b]
    for leaf in range(hubs, hubs + leaves):
        for hub in np.argsort(away[leaf, :hubs])[:2]:
            legs += [(leaf, int(hub)), (int(hub), leaf)]
    tail, head = np.array(legs, np.int32).T
    wanted = rng.integers(0, 9, (hubs + leaves, hubs + leaves)).astype(float)
    wanted[:hubs] = 0.0
    wanted[:, :hubs] = 0.0
    np.fill_diagonal(wanted, 0.0)
    start, end = np.nonzero(wanted)
    trunk = (tail < hubs) & (head < hubs)
    capacity = np.where(trunk, 40.0 * leaves * tight, rng.choice([60.0, 120.0, 240.0], len(tail)))
    site = np.where(np.arange(hubs + leaves) < hubs, 120.0 * leaves * tight, np.inf)
    return FlowProblem(
        n_sites=hubs + leaves,
        leg_tail=tail,
        leg_head=head,
        leg_cost=away[tail, head] * 10.0 + 1.0,
        leg_capacity=capacity,
        site_capacity=site,
        transit=np.arange(hubs + leaves) < hubs,
        pair_from=start.astype(np.int32),
        pair_to=end.astype(np.int32),
        pair_pieces=wanted[start, end][:, None],
        class_penalty=np.array([300.0, 30.0]),
        class_share=np.array([0.25, 0.75]),
    )


def test_a_coarse_problem_loses_no_piece_and_no_capacity() -> None:
    problem = hubs_and_leaves(1, leaves=40)
    coarse = coarsen(problem)
    assert coarse is not None
    small = coarse.problem
    assert small.n_sites < problem.n_sites
    within = coarse.group[problem.pair_from] == coarse.group[problem.pair_to]
    assert small.pair_pieces.sum() == pytest.approx(problem.pair_pieces[~within].sum())
    assert small.leg_capacity.sum() == pytest.approx(problem.leg_capacity[coarse.leg >= 0].sum())
    assert small.transit.sum() == problem.transit.sum()
    cost = np.bincount(coarse.leg, problem.leg_capacity * problem.leg_cost) / small.leg_capacity
    assert small.leg_cost == pytest.approx(cost)


def test_few_leaves_are_not_made_coarse() -> None:
    assert coarsen(hubs_and_leaves(1, leaves=6)) is None


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tight", [1.0, 0.25])
def test_an_interval_begun_from_coarse_prices_holds_the_optimum(seed: int, tight: float) -> None:
    problem = hubs_and_leaves(seed, tight=tight)
    assert coarsen(problem) is not None
    result = solve_flow(problem, GAP)
    check_flow(problem, result)
    exact = solve_exact(problem, strict=False).stages[-1]
    assert arc_flow(problem).n_flows > 0
    assert result.lower_bound <= exact.objective * (1 + 1e-7)
    assert exact.objective <= result.objective * (1 + 1e-6)
    assert result.gap_share <= 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_next_outage_begun_warm_ends_where_a_cold_one_does(seed: int) -> None:
    problem = hubs_and_leaves(seed, tight=0.5)
    solver = FlowSolver(problem, GAP)
    solver.solve()
    for shut in (0, 3, 7, 1):
        closed = problem.site_capacity.copy()
        closed[shut] = 0.0
        legs = problem.leg_capacity * np.where(np.arange(len(problem.leg_tail)) % 7 == shut, 0.5, 1.0)
        other = replace(problem, site_capacity=closed, leg_capacity=legs)
        if shut == 7:  # a leaf: its row appears only where it was limited before
            other = replace(problem, leg_capacity=np.where(problem.leg_tail == shut, 0.0, legs))
        assert same_network(problem, other)
        solver.change(other)
        warm, cold = solver.solve(), solve_flow(other, GAP)
        check_flow(other, warm)
        assert warm.cut_off.tolist() == cold.cut_off.tolist()
        assert warm.lower_bound <= cold.objective * (1 + 1e-9)
        assert cold.lower_bound <= warm.objective * (1 + 1e-9)
        assert warm.gap_share <= 1e-3
    solver.change(problem)
    again = solver.solve()
    assert again.unserved.sum() == pytest.approx(solve_flow(problem, GAP).unserved.sum(), abs=2.0)


def test_a_network_with_other_legs_or_limits_is_not_the_same() -> None:
    problem = hubs_and_leaves(1)
    assert same_network(problem, replace(problem, class_penalty=problem.class_penalty * 2.0))
    assert not same_network(problem, replace(problem, leg_tail=problem.leg_tail[::-1].copy()))
    assert not same_network(problem, replace(problem, limits=((np.array([0], np.int32), 5.0),)))
    unlimited = problem.leg_capacity.copy()
    unlimited[0] = np.inf
    assert not same_network(problem, replace(problem, leg_capacity=unlimited))


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0.0, 1.0)), min_size=1, max_size=8), st.data())
def test_a_split_pair_comes_back_to_one_number(moves: list[tuple[int, float]], data: st.DataObject) -> None:
    k = 3
    volumes = Volumes(
        pair=np.array([8.0, 5.0], np.float32),
        slot=np.array([-1, -2], np.int32),
        mix=np.zeros(2 * k, np.float32),
        room=np.zeros(2, np.int64),
        exit=np.zeros((1, 0), np.float32),
        steps=np.ones((1, 1), np.float32),
        penalty=np.ones(1),
    )
    at = 0
    for to, share in moves:  # move a share of what is at one entry to another
        place = open_slot(volumes, 0, k)
        x = np.float32(volumes.mix[place + at] * share)
        volumes.mix[place + at] -= x
        volumes.mix[place + to] += x
        at = to
        close_slot(volumes, 0, k)
        assert served(volumes, 0, k) == pytest.approx(8.0, rel=1e-5)
    place = open_slot(volumes, 0, k)
    end = data.draw(st.integers(0, k - 1))
    volumes.mix[place : place + k] = 0.0
    volumes.mix[place + end] = 8.0
    close_slot(volumes, 0, k)
    assert volumes.slot.tolist() == [-1 - end, -2]
    assert [entry_volume(volumes, 0, j) for j in range(k)] == [8.0 * (j == end) for j in range(k)]
    assert volumes.room[USED] == 0
    place = open_slot(volumes, 0, k)
    volumes.mix[place + end] = 0.0
    close_slot(volumes, 0, k)
    assert volumes.slot[0] == NOTHING
    assert served(volumes, 0, k) == 0.0
