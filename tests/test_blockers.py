"""What blocks a pair is read from the loads, whatever the prices say."""

from dataclasses import replace

import numpy as np
import pytest
from test_large import FINE, two_ways

from changtong.flows.flow import FlowResult, FlowSolver
from changtong.flows.problem import FlowProblem
from changtong.planning.blockers import ROOM_LEFT, TOO_DEAR, blocking_rows, row_loads


def solved(problem: FlowProblem) -> tuple[FlowSolver, FlowResult]:
    solver = FlowSolver(problem, FINE)
    return solver, solver.solve()


def test_full_legs_block_even_while_every_price_is_still_zero() -> None:
    solver, found = solved(two_ways(pieces=40.0))
    unpriced = replace(found, row_price=np.zeros(3))
    assert row_loads(solver, found) == pytest.approx([10.0, 20.0, 20.0], abs=1e-3)
    assert blocking_rows(solver, unpriced, np.inf).tolist() == [0]  # the cheapest way is the direct leg


def test_the_dearest_full_row_of_the_way_is_named_else_the_fullest() -> None:
    problem = replace(two_ways(pieces=40.0, direct=0.0), leg_capacity=np.array([0.0, 20.0, 20.1]))
    solver, found = solved(problem)
    for price, row in (([0.0, 1.0, 2.0], 2), ([0.0, 2.0, 1.0], 1), ([0.0, 0.0, 0.0], 1)):
        assert blocking_rows(solver, replace(found, row_price=np.array(price)), np.inf).tolist() == [row]


def test_a_full_first_site_blocks() -> None:
    problem = replace(two_ways(pieces=12.0), site_capacity=np.array([7.0, np.inf, np.inf]))
    solver, found = solved(problem)
    assert blocking_rows(solver, found, np.inf).tolist() == [solver.site_row[0]]


def test_no_way_cheap_enough_is_too_dear_and_an_unused_way_is_room_left() -> None:
    solver, found = solved(two_ways(pieces=40.0))
    assert blocking_rows(solver, found, 0.5).tolist() == [TOO_DEAR]  # the cheapest way costs 1
    empty = replace(found, leg_flow=np.zeros(3), unserved=np.array([40.0], np.float32))
    assert blocking_rows(solver, empty, np.inf).tolist() == [ROOM_LEFT]
    direct = replace(found, leg_flow=np.array([10.0, 0.0, 0.0]), unserved=np.array([30.0], np.float32))
    assert blocking_rows(solver, direct, np.inf).tolist() == [ROOM_LEFT]  # by 1, for 4
    assert blocking_rows(solver, direct, 3.0).tolist() == [0]  # the way by 1 is too dear, the leg full
