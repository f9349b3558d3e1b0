"""Flow problems of 3 to 9 sites at random: everything that can be tight, shut or out of reach."""

import numpy as np
from hypothesis import strategies as st

from changtong.flows.problem import FlowProblem


@st.composite
def flow_problems(draw: st.DrawFn) -> FlowProblem:
    """Sparse or dense, cut in two, zero capacities, sites that pass nothing on, overlapping limits."""
    n = draw(st.integers(3, 9))
    n_classes = draw(st.integers(1, 4))
    every = [(a, b) for a in range(n) for b in range(n) if a != b]
    if draw(st.booleans()):  # two parts with no leg between them
        cut = draw(st.integers(1, n - 1))
        within = [(a, b) for a, b in every if (a < cut) == (b < cut)]
    else:
        within = every
    most = len(within) if n <= 5 else min(len(within), 18)  # all simple ways are listed: keep them few
    legs = draw(st.lists(st.sampled_from(within), unique=True, max_size=most)) if within else []
    pairs = sorted(draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=12)))
    pieces = draw(
        st.lists(
            st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 8.0]), min_size=n_classes, max_size=n_classes),
            min_size=len(pairs),
            max_size=len(pairs),
        )
    )
    leg_capacity = st.sampled_from([0.0, 1.0, 2.5, 6.0, 15.0, np.inf])
    site_capacity = st.sampled_from([0.0, 4.0, 9.0, 25.0, np.inf, np.inf, np.inf])
    limits = []
    if legs:
        for _ in range(draw(st.integers(0, 3))):  # drawn alone, so they overlap
            some = draw(st.lists(st.integers(0, len(legs) - 1), unique=True, min_size=1))
            limits.append((np.array(some, np.int32), float(draw(st.sampled_from([0.0, 2.0, 7.0, 20.0])))))
    return FlowProblem(
        n_sites=n,
        leg_tail=np.array([a for a, _ in legs], np.int32),
        leg_head=np.array([b for _, b in legs], np.int32),
        leg_cost=np.array([draw(st.sampled_from([0, 1, 2, 3, 5, 9])) for _ in legs], float),
        leg_capacity=np.array([draw(leg_capacity) for _ in legs], float),
        site_capacity=np.array([draw(site_capacity) for _ in range(n)]),
        transit=np.array([draw(st.sampled_from([True, True, False])) for _ in range(n)]),
        pair_from=np.array([a for a, _ in pairs], np.int32),
        pair_to=np.array([b for _, b in pairs], np.int32),
        pair_pieces=np.array(pieces),
        class_penalty=50.0 * 8.0 ** np.arange(n_classes - 1, -1, -1),
        limits=tuple(limits),
    )
