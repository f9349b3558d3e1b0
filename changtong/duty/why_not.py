"""Why there is no roster: which heads stay empty at best, and which rule would have to give way."""

from __future__ import annotations

import time
from datetime import datetime
from datetime import time as clock

import highspy
import numpy as np
from numpy.typing import NDArray

from changtong.duty.crews import CrewRules
from changtong.duty.fair_shares import FairShares
from changtong.duty.question import Question
from changtong.duty.roster_program import SHORT_HEAD, build_program
from changtong.duty.staff import DAY
from changtong.programs.staged import highs_model, quiet_highs

SHOWN = 20
WORDS = {
    "rest": "the rest after a shift",
    "one_a_day": "one duty a day",
    "most_in_row": "limits.most_in_row",
    "most_nights_in_row": "limits.most_nights_in_row",
    "most_in_week": "limits.most_in_week",
    "most_h_in_week": "limits.most_h_in_week",
    "most_in_month": "limits.most_in_month",
    "most_h_in_month": "limits.most_h_in_month",
    "qualified": "the qualifications of posts",
    "new_with_experienced": "rules.new_with_experienced",
    "never": "pairs that never serve together",
    "locks": "locks.csv",
}
"""Rules that may be left out for a trial, and what they are called."""


def why_not(
    question: Question, shares: FairShares, crews: CrewRules, *, seconds: float = 20.0
) -> tuple[str, ...]:
    """Return why no roster keeps every rule, in words: the worst places first, then what would help.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    seconds : float
        For all trials together.
    """
    deadline = time.perf_counter() + seconds
    short = _shortest(question, shares, crews, "", deadline)
    lines: list[str] = []
    if short is None:
        lines.append(
            "The locks contradict each other or the limits: no roster keeps them, even with empty posts."
        )
    else:
        places = np.flatnonzero(short > 0)
        lines += [_place(question, int(slot), int(short[slot])) for slot in places[:SHOWN]]
        if len(places) > SHOWN:
            lines.append(f"… and {len(places) - SHOWN} more posts that stay empty.")
        if not len(places):
            lines.append("Every head can be found, but not with the qualifications that are asked for.")
    rules = [one for one in WORDS if one in question.caps.rule or one in _crew_rules(question, crews)]
    helps = []
    for rule in rules:
        if time.perf_counter() > deadline:
            break
        trial = _shortest(question, shares, crews, rule, deadline)
        if trial is not None and not trial.any():
            helps.append(WORDS[rule])
    if helps:
        lines.append("There would be a roster without one of these: " + "; ".join(helps) + ".")
    elif time.perf_counter() <= deadline:
        lines.append("No single rule is to blame: there are too few people, or too many on leave at a time.")
    return tuple(lines)


def _crew_rules(question: Question, crews: CrewRules) -> set[str]:
    made = {"qualified"} if crews.qualified else set()
    if len(crews.newcomers):
        made.add("new_with_experienced")
    if crews.never:
        made.add("never")
    return made | ({"locks"} if question.locks else set())


def _shortest(
    question: Question, shares: FairShares, crews: CrewRules, without: str, deadline: float
) -> NDArray[np.int64] | None:
    """Return the heads that are missing at best, by slot; None where even that is impossible or unknown."""
    program = build_program(question, shares, crews, elastic=True, without=without, fair=False)
    left = max(2.0, deadline - time.perf_counter())
    highs = quiet_highs(time_limit=left, mip_rel_gap=0.0)
    columns = (np.zeros(len(program.cost)), program.most)
    cost = np.where(np.arange(len(program.cost)) < program.n_whole, 0.0, program.cost / SHORT_HEAD)
    model = highs_model(program.matrix, (program.lower, program.upper), columns, cost)
    model.integrality_ = [highspy.HighsVarType.kInteger] * len(cost)
    highs.passModel(model)
    highs.run()
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    values = np.round(np.array(highs.getSolution().col_value)).astype(np.int64)
    missing = values[program.short]
    # a qualification that is missing is told at its slot, too
    others = values[program.n_whole :].sum() - missing.sum()
    if others and not missing.any():
        return np.zeros_like(missing) if not without else np.ones_like(missing)
    return missing


def _place(question: Question, slot: int, short: int) -> str:
    folder, slots = question.folder, question.slots
    post = folder.posts[slots.post[slot]]
    day = question.first + int(slots.day[slot]) * DAY
    able = [one for one in folder.people if post.role in one.roles]
    away = set()
    for leave in folder.leave:
        begin = datetime.combine(leave.first, clock(), folder.zone).timestamp() / 60
        end = datetime.combine(leave.last + DAY, clock(), folder.zone).timestamp() / 60
        if slots.begin[slot] < end and begin < slots.end[slot]:
            away.add(leave.person_id)
    away &= {one.person_id for one in able}
    may = int(question.may[:, slot].sum())
    return (
        f"{day} {post.post_id} in {post.shift_id}: {short} of {post.heads} heads missing. {len(able)} people"
        f" have the role {post.role}: {len(away)} on leave, {may} may serve then, as other duties let them."
    )
