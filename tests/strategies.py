"""Random small flow problems: sparse and dense, cut off, tight, several classes, shared limits."""

import numpy as np
from hypothesis import strategies as st

from changtong.flows.problem import FlowProblem


@st.composite
def small_problems(draw: st.DrawFn) -> FlowProblem:
    """Networks of 3 to 6 sites in which anything may be tight, shut or unreachable."""
    n = draw(st.integers(3, 6))
    n_classes = draw(st.integers(1, 3))
    every = [(a, b) for a in range(n) for b in range(n) if a != b]
    legs = draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=12))
    capacity = st.sampled_from([0.0, 2.0, 5.0, 9.0, 20.0, np.inf])
    pairs = sorted(draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=6)))
    pieces = [[draw(st.sampled_from([0.0, 1.0, 3.0, 8.0])) for _ in range(n_classes)] for _ in pairs]
    for row in pieces:
        if sum(row) == 0.0:
            row[-1] = 1.0
    limits = ()
    if draw(st.booleans()):
        some = draw(st.lists(st.integers(0, len(legs) - 1), unique=True, min_size=1, max_size=len(legs)))
        limits = ((np.array(some, np.int32), float(draw(st.sampled_from([3.0, 10.0])))),)
    return FlowProblem(
        n_sites=n,
        leg_tail=np.array([a for a, _ in legs], np.int32),
        leg_head=np.array([b for _, b in legs], np.int32),
        leg_cost=np.array([draw(st.integers(0, 9)) for _ in legs], float),
        leg_capacity=np.array([draw(capacity) for _ in legs]),
        site_capacity=np.array([draw(st.sampled_from([0.0, 6.0, 15.0, np.inf, np.inf])) for _ in range(n)]),
        transit=np.array([draw(st.sampled_from([True, True, False])) for _ in range(n)]),
        pair_from=np.array([a for a, _ in pairs], np.int32),
        pair_to=np.array([b for _, b in pairs], np.int32),
        pair_pieces=np.array(pieces),
        class_penalty=1000.0 * 50.0 ** np.arange(n_classes - 1, -1, -1),
        limits=limits,
    )
