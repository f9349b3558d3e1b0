"""Rosters planned anew in parts: better or as good, within every rule, by several workers at once."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from test_duty_roster import FIRST, brute_force, days, person, tiny

from changtong.duty import roster_polish, roster_search
from changtong.duty.crews import crew_rules
from changtong.duty.fair_shares import counted, fair_shares
from changtong.duty.question import Question, make_question
from changtong.duty.roster_check import check_roster
from changtong.duty.roster_polish import _Work, polish
from changtong.duty.roster_program import build_program
from changtong.duty.roster_search import search_near, search_roster
from changtong.duty.roster_solve import costly_people, roster_cost
from changtong.duty.search_steps import anneal
from changtong.duty.staff import DutyFolder, Limits, Pair

Flags = NDArray[np.bool_]


def uneven(people: int = 3) -> DutyFolder:
    """Rest of a day between duties; what is carried over makes some rosters fairer than others."""
    return tiny(
        people=people,
        carried=tuple((f"p{k}", (float(2 * k), float(k), 0.0, 1.0)) for k in range(people)),
        limits=Limits(most_in_week=4),
    )


def one_a_day(question: Question, people: list[int]) -> Flags:
    taken = np.zeros(question.may.shape, bool)
    taken[people, range(len(people))] = True
    return taken


def broken(question: Question, folder: DutyFolder, taken: Flags) -> list[object]:
    rows = [question.assignment(int(p), int(j)) for p, j in zip(*np.nonzero(taken), strict=True)]
    return list(check_roster(folder, question.period, rows))


@pytest.mark.parametrize("workers", [1, 2])
def test_small_parts_lead_to_the_fairest_roster(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_polish, "FREE", {"days": 9.0, "span": 9.0, "people": 15.0})
    monkeypatch.setattr(roster_polish, "LEAST_FREE", 6.0)
    monkeypatch.setattr(roster_polish, "MOST_FREE", 15.0)
    monkeypatch.setattr(roster_polish, "SEARCH_EVERY", 10**9)
    folder = uneven()
    question = make_question(folder, FIRST, days(7))
    shares, crews = fair_shares(question), crew_rules(question)
    start = one_a_day(question, [0, 1, 2, 0, 1, 2, 1])
    assert not broken(question, folder, start)
    least = brute_force(folder, days(7))
    assert roster_cost(question, shares, crews, start) > least + 0.5
    made, interrupted = polish(
        question,
        build_program(question, shares, crews, near=counted(question, start)),
        start,
        lambda taken: roster_cost(question, shares, crews, taken),
        lambda taken: costly_people(question, shares, crews, taken),
        lambda taken, _: taken,
        enough=least + 1e-6,
        deadline=time.perf_counter() + 20.0,
        seed=1,
        workers=workers,
    )
    assert not interrupted
    assert not broken(question, folder, made)
    assert roster_cost(question, shares, crews, made) == pytest.approx(least, abs=1e-6)


def test_what_two_find_at_once_is_put_together_only_where_every_rule_is_kept() -> None:
    folder = uneven(4)
    question = make_question(folder, FIRST, days(4))
    shares, crews = fair_shares(question), crew_rules(question)
    base = one_a_day(question, [3, 2, 3, 2])
    program = build_program(question, shares, crews, near=counted(question, base))

    def cost(taken: Flags) -> float:
        return roster_cost(question, shares, crews, taken)

    def offered(first: list[int], second: list[int]) -> list[int]:
        """Offer two rosters that were planned from the same one: the first day anew, then the second."""
        work = _Work(question, program, base, cost(base), -np.inf, np.inf)
        for people, day in ((first, 0), (second, 1)):
            free = np.zeros(question.may.shape, bool)
            free[:, day] = True
            work.offer(one_a_day(question, people), free, base, cost)
        assert work.cost == pytest.approx(cost(work.taken))
        return [int(p) for p in work.taken.argmax(axis=0)]

    assert offered([0, 2, 3, 2], [3, 1, 3, 2]) == [0, 1, 3, 2]
    # each alone keeps the rest of a day, both together would let p0 serve two days in a row
    assert offered([0, 2, 3, 2], [3, 0, 3, 2]) == [0, 2, 3, 2]


def test_ctrl_c_keeps_what_was_found() -> None:
    folder = uneven(4)
    question = make_question(folder, FIRST, days(6))
    shares, crews = fair_shares(question), crew_rules(question)
    start = one_a_day(question, [0, 1, 2, 3, 0, 1])
    calls = []

    def cost(taken: Flags) -> float:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return roster_cost(question, shares, crews, taken)

    begun = time.perf_counter()
    made, interrupted = polish(
        question, build_program(question, shares, crews, near=counted(question, start)), start, cost,
        lambda taken: [0], lambda taken, _: taken, enough=-np.inf, deadline=begun + 60.0, seed=0, workers=2,
    )  # fmt: skip
    assert interrupted
    assert (made == start).all()
    assert time.perf_counter() - begun < 30.0


def test_a_search_around_a_roster_never_leaves_a_worse_or_a_broken_one() -> None:
    people = tuple(
        person(f"p{k}", level=["new", "trained", "experienced"][k % 3], share=1.0 - 0.1 * k) for k in range(6)
    )
    folder = replace(tiny(heads=2), people=people, new_with_experienced=True, limits=Limits(most_in_week=4))
    question = make_question(folder, FIRST, days(20))
    shares, crews = fair_shares(question), crew_rules(question)
    found = search_roster(question, shares, crews, seed=3, steps=20_000)
    assert found.whole
    before = roster_cost(question, shares, crews, found.taken)
    for seed in range(3):
        near = search_near(question, shares, crews, found.taken, seed=seed, steps=20_000)
        assert near.whole
        assert not broken(question, folder, near.taken)
        assert roster_cost(question, shares, crews, near.taken) <= before + 1e-9
    long = search_roster(question, shares, crews, seed=3, steps=20_000, seconds=0.5)
    assert long.whole
    assert not broken(question, folder, long.taken)
    assert roster_cost(question, shares, crews, long.taken) <= before + 1e-9


def test_what_the_search_counts_on_its_way_is_what_the_roster_has() -> None:
    """Exchanges of days, swaps and helped groups, taken and taken back: every count stays right."""
    people = tuple(
        person(f"p{k}", level=["new", "trained", "experienced"][k % 3], share=1.0 - 0.1 * k) for k in range(6)
    )
    folder = replace(
        tiny(heads=2), people=people, new_with_experienced=True, limits=Limits(most_in_week=4),
        pairs=(Pair("p1", "p2", "together"), Pair("p3", "p4", "avoid"), Pair("p4", "p5", "never")),
    )  # fmt: skip
    question = make_question(folder, FIRST, days(20))
    shares, crews = fair_shares(question), crew_rules(question)
    data = roster_search._data(question, shares, crews)
    for soft in (0.002, 1.0):
        state, seats, cost = roster_search._empty(question, data, 5)
        cost = roster_search._fill(question, data, state, cost)
        cost += roster_search._make_soft(state, seats, soft)
        best = state.seat.copy()
        end, _, _ = anneal(data, state, seats, 20_000, 3.0, 0.5, cost, cost, best, float(state.broken[0]))
        taken = np.zeros(question.may.shape, bool)
        for slot, seat in enumerate(state.seat):
            taken[seat[seat >= 0], slot] = True
        assert (state.count == counted(question, taken)).all()
        assert (state.left == question.caps.most - taken.astype(int) @ question.caps.uses.T).all()
        assert (state.left >= 0).all()
        for p, slot in zip(*np.nonzero(taken), strict=True):
            place = state.place[p, question.slots.day[slot]]
            assert state.seat[place // 2, place % 2] == p
            assert place // 2 == slot
        assert (state.place >= 0).sum() == taken.sum()
        empty = len(seats) - taken.sum()
        rules = state.broken[0] - roster_search.PENALTY * empty
        fair = roster_cost(question, shares, crews, taken)
        assert end == pytest.approx(fair + soft * rules + roster_search.PENALTY * empty)
