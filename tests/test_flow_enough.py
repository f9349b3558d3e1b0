"""A plan that is enough ends a solve early: never a wrong plan, never a bound too high."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_flow_warm import hubs_and_leaves

from changtong.flows import cutting, settle
from changtong.flows.cutting import Cut, Cutter
from changtong.flows.flow import FlowResult, FlowSettings, FlowSolver, Termination
from changtong.flows.problem import FlowProblem
from changtong.flows.search import Enough
from changtong.flows.volumes import N_PATHS, copy_pool, copy_volumes
from changtong.planning.bounds import quick_bound
from changtong.planning.checker import check_flow
from changtong.planning.inorder import Clock, solve_in_order

GAP = FlowSettings(gap_share=1e-3, seconds=30.0, threads=1)


def left(result: FlowResult) -> float:
    return float(result.unserved.sum(dtype=np.float64))


def leaves_at_most(solver: FlowSolver, most: float) -> Enough:
    return Enough(
        figure=lambda _, lacking: float(lacking.sum(dtype=np.float64)),
        most=most,
        hopeless=lambda _, price: quick_bound(solver, solver.problem, price, 2) > most,
    )


def hub_shut(problem: FlowProblem, hub: int) -> FlowProblem:
    sites = problem.site_capacity.copy()
    sites[hub] = 0.0
    return replace(problem, site_capacity=sites)


def closed(seed: int, tight: float) -> tuple[FlowSolver, FlowProblem, FlowResult]:
    """A warm solver whose first hub is shut, the problem, and the answer without a limit."""
    problem = hubs_and_leaves(seed, tight=tight)
    solver = FlowSolver(problem, GAP)
    solver.solve()
    after = hub_shut(problem, 0)
    return solver, after, FlowSolver(after, GAP).solve()


@pytest.mark.slow
@given(st.integers(0, 40), st.sampled_from([0.15, 0.3, 1.0]), st.floats(0.0, 1.5))
@settings(max_examples=examples(12), deadline=None, derandomize=True)
def test_enough_is_a_checked_plan_with_a_true_bound(seed: int, tight: float, share: float) -> None:
    solver, after, best = closed(seed, tight)
    most = share * left(best) + 1.0
    solver.change(after)
    found = solve_in_order(after, solver, Clock(30.0), enough=leaves_at_most(solver, most))
    check_flow(after, found)
    assert found.lower_bound <= best.objective * (1.0 + 1e-6)
    assert best.lower_bound <= found.objective * (1.0 + 1e-6)
    if found.termination is Termination.ENOUGH:
        assert left(found) <= most
    else:
        assert left(found) > most
        assert found.gap_share <= 1e-3 or found.termination is not Termination.GAP_REACHED


def test_a_generous_limit_needs_no_round_and_an_impossible_one_changes_nothing() -> None:
    solver, after, best = closed(3, 0.3)
    assert left(best) > 100.0
    solver.change(after)
    at_once = solver.solve(enough=leaves_at_most(solver, float(after.totals().sum())))
    assert (at_once.termination, at_once.rounds) == (Termination.ENOUGH, 0)
    assert solver.solve(enough=leaves_at_most(solver, -1.0)).termination is not Termination.ENOUGH
    fresh = FlowSolver(after, GAP)
    assert fresh.solve(enough=leaves_at_most(fresh, 1e9)).termination is Termination.ENOUGH


def test_no_plan_is_tried_where_prices_prove_that_none_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    solver, after, best = closed(3, 0.3)
    solver.change(after)
    cuts: list[bool] = []
    plain = Cutter.cut

    def cut(self: Cutter, in_order: bool) -> tuple[float, Cut]:
        cuts.append(self.hasty)
        return plain(self, in_order)

    monkeypatch.setattr(Cutter, "cut", cut)
    never = replace(leaves_at_most(solver, 1.0), hopeless=lambda *_: True)
    without = FlowSolver(after, GAP)
    without.solve()
    usual = len(cuts)
    cuts.clear()
    solver.solve(enough=never)
    assert cuts[0]
    assert sum(cuts) == 1
    assert len(cuts) <= usual + 2


def state_of(seed: int) -> tuple[FlowSolver, Cutter]:
    """A cut at work on volumes that are far above the capacities."""
    problem = hubs_and_leaves(seed, tight=0.15)
    solver = FlowSolver(problem, replace(GAP, rounds=1))
    solver.solve()
    solver.pricing.reconcile(solver.pool, solver.rows, solver.volumes, solver.leg_flow)
    rows = solver.rows._replace(table=solver.rows.table.copy(), stamp=solver.rows.stamp.copy())
    pool, volumes = copy_pool(solver.pool), copy_volumes(solver.volumes)
    return solver, Cutter(problem, solver.pricing, solver.capacity, pool, rows, volumes, solver._scratch)


@pytest.mark.parametrize("seed", [1, 2, 5])
@pytest.mark.parametrize("kept", [0, 1])
def test_flagged_pairs_looked_up_are_cut_as_those_walked_by(
    seed: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for few in (0, 10**9):  # look all up, walk by all
        solver, work = state_of(seed)
        monkeypatch.setattr(settle, "FEW_BAD", few)
        gone = settle.cut.py_func(
            solver.lay, work.pool, work.rows, solver.capacity, work.volumes, 0.0, kept
        )  # fmt: skip
        found.append((gone, work.rows.load.copy(), work.volumes.slot.copy(), work.volumes.mix.copy()))
    assert found[0][0] > 0.0
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


def test_pairs_between_the_same_core_sites_share_a_path_put_back() -> None:
    solver, work = state_of(1)
    before = int(work.pool.count[N_PATHS])
    unserved = np.ones(len(solver.lay.pair_d), np.float32)
    solver.pricing.price(np.zeros(len(solver.capacity)))
    put = work._insert(np.arange(len(unserved)), unserved, np.full(len(solver.capacity), np.inf))
    assert put == pytest.approx(len(unserved))
    cores = len(solver.lay.core_site) * len(solver.lay.exit_core)
    assert int(work.pool.count[N_PATHS]) - before <= cores < len(unserved)


@pytest.mark.parametrize("seed", range(4))
def test_a_hasty_cut_keeps_every_capacity(seed: int) -> None:
    solver, work = state_of(seed)
    hasty = replace(work, hasty=True)
    assert hasty.spared == cutting.SPARED
    _, plan = hasty.cut(in_order=False)
    load = solver.rows._replace(table=solver.rows.table.copy())
    flow = np.zeros(len(solver.leg_flow))
    solver.pricing.reconcile(plan.pool, load, plan.volumes, flow)
    assert np.all(load.load <= solver.capacity * (1.0 + 1e-7) + 1e-9)
    assert np.allclose(flow, plan.leg_flow, rtol=1e-6, atol=1e-6)


def legs_of_paths(plan: Cut) -> list[list[int]]:
    pool = plan.pool
    used = np.flatnonzero(pool.flow[: pool.count[N_PATHS]])
    return [pool.arena[pool.start[p] : pool.start[p] + pool.n_legs[p]].tolist() for p in used]


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_a_plan_kept_keeps_its_paths_when_the_solve_goes_on(seed: int) -> None:
    problem = hubs_and_leaves(seed, hubs=8, leaves=40, tight=0.05)
    solver = FlowSolver(problem, replace(GAP, gap_share=1e-6, rounds=2))
    plan = solver.solve().cut
    assert plan is not None
    before = legs_of_paths(plan)
    used = int(solver.pool.count[N_PATHS])
    solver.curtailed = 0
    solver.settings = replace(solver.settings, rounds=20)
    solver.solve()
    assert int(solver.pool.count[N_PATHS]) > used  # new paths that could have taken their place
    assert legs_of_paths(plan) == before
