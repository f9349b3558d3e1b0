"""The bound of duty rosters with whole patterns of points and nights, against every roster there is."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace
from datetime import time as clock

import numpy as np
import pytest
from test_duty_roster import FIRST, days, person, tiny

from changtong.duty.crews import crew_rules
from changtong.duty.fair_shares import counted, fair_shares
from changtong.duty.question import make_question
from changtong.duty.roster_check import check_roster
from changtong.duty.roster_program import build_program
from changtong.duty.roster_solve import relaxed_bound, roster_cost
from changtong.duty.staff import Post, Shift


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_roster_is_below_the_bound_from_patterns(seed: int) -> None:
    drawn = random.Random(seed)
    folder = replace(
        tiny(),
        people=tuple(person(f"p{k}", share=drawn.choice([0.5, 1.0])) for k in range(3)),
        shifts=(
            Shift("a", "a", "a", clock(8), 8.0, "all", 4.0, False, 1),
            Shift("b", "b", "b", clock(17), 14.0, "all", 10.0, True, 2),
        ),
        posts=(Post("x", "x", "x", "a", "r", 1), Post("y", "y", "y", "b", "r", 1)),
        carried=tuple((f"p{k}", tuple(float(drawn.randrange(4)) for _ in range(4))) for k in range(3)),
    )
    question = make_question(folder, FIRST, days(4))
    shares, crews = fair_shares(question), crew_rules(question)
    n_people, n_slots = question.may.shape
    found = []
    for choice in itertools.product(range(n_people), repeat=n_slots):
        rows = [question.assignment(p, j) for j, p in enumerate(choice)]
        if not check_roster(folder, question.period, rows):
            taken = np.zeros((n_people, n_slots), bool)
            taken[list(choice), range(n_slots)] = True
            found.append((roster_cost(question, shares, crews, taken), taken))
    least = min(cost for cost, _ in found)
    # from any roster known, good or bad: what is no column is looked at when the bound is told
    for cost, taken in drawn.sample(found, 3):
        program = build_program(question, shares, crews, near=counted(question, taken), below=cost)
        assert program.joint
        assert relaxed_bound(program, time.perf_counter() + 10) <= least + 1e-6
