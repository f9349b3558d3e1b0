"""A case on a small network: planned exactly, as :func:`changtong.planning.plan.plan` plans it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.executors.work import Row
from changtong.flows.flow import Termination
from changtong.network.model import Network
from changtong.outages import Outage, apply_outages
from changtong.planning import relief
from changtong.planning.answer import Answer
from changtong.planning.assemble import Question, assemble
from changtong.planning.baseline import baseline_flow
from changtong.planning.result import PlanSettings
from changtong.planning.small import answer_small
from changtong.resilience.cases import Task

Floats = NDArray[np.float64]

OBJECTIVES = ("unserved", "cost")
"""What a case is planned for: legs changed or loaded say nothing of a loss. Late pieces are counted."""


def ask(network: Network, outages: tuple[Outage, ...], *, hour_cny: float, penalty: float | None) -> Question:
    """Return the question of a network while outages last, areas taken over where they are."""
    effect = apply_outages(network, outages)
    moved = relief.redirect(network, effect)
    return assemble(moved.network, effect, objectives=OBJECTIVES, hour_cny=hour_cny, unserved_cny=penalty)


@dataclass(frozen=True)
class Figures:
    """What an exact answer says.

    ``money`` and ``money_least`` are the legs' costs and the penalties, CNY a day.
    """

    unserved: float
    unserved_least: float
    cut_off: float
    late: float
    leg_money: float
    money: float
    money_least: float
    proved: bool
    termination: str


def read_figures(answer: Answer, penalty: Floats) -> Figures:
    """Read the figures of an answer; ``penalty`` is the price of a piece of each class."""
    problem, result = answer.question.problem, answer.result
    lost = problem.lost_by_class(result.unserved)
    least = np.minimum(answer.unserved_least, lost)
    stage = answer.stage("cost")
    leg_money = float((result.leg_flow * answer.question.leg_cny).sum())
    return Figures(
        unserved=float(lost.sum()),
        unserved_least=float(least.sum()),
        cut_off=float(result.unserved[result.cut_off].sum(dtype=np.float64)),
        late=float(answer.late[:, 2].sum()),
        leg_money=leg_money,
        money=leg_money + float(lost @ penalty),
        money_least=min(leg_money, stage.lower_bound if stage else 0.0) + float(least @ penalty),
        proved=result.termination is Termination.GAP_REACHED,
        termination=result.termination.value,
    )


@dataclass(frozen=True)
class ExactWork:
    """Plans cases one linear program after another, each as if alone.

    Attributes
    ----------
    network : Network
    outages : tuple of Outage
        What is shut in every case.
    penalty : array, (classes,)
        Of a piece left behind, CNY: today's, for all cases.
    today : Figures or None
        None while today itself is planned.
    seconds, hour_cny : float
    """

    network: Network
    outages: tuple[Outage, ...]
    penalty: tuple[float, ...]
    today: Figures | None
    seconds: float
    hour_cny: float

    def portable(self) -> ExactWork:
        """Return itself: it holds no files."""
        return self

    def plan(self, outages: tuple[Outage, ...]) -> Answer:
        """Return the exact answer while outages last."""
        question = ask(self.network, outages, hour_cny=self.hour_cny, penalty=self.penalty[-1])
        settings = PlanSettings(seconds=self.seconds, unserved_cny=self.penalty[-1], threads=1)
        return answer_small(question, OBJECTIVES, settings, baseline_flow(self.network))

    def __call__(self, task: Task) -> Row:
        """Plan a case."""
        begin = time.perf_counter()
        answer = self.plan((*self.outages, *task.case.outages(self.network)))
        now, today = read_figures(answer, np.asarray(self.penalty)), self.today
        assert today is not None
        loss = now.money - today.money
        least = now.money_least - today.money
        meets = now.unserved - now.unserved_least <= answer.question.problem.class_rounding()
        return {
            "status": "exact" if now.proved and meets else "plan",
            "how": "program",
            "cut_off_pieces": now.cut_off,
            "unserved_pieces": now.unserved,
            "unserved_least": now.unserved_least,
            "unserved_most": now.unserved,
            "late_pieces": now.late,
            "extra_cost_cny": now.leg_money - today.leg_money,
            "loss_cny": max(0.0, loss),
            "loss_least_cny": max(0.0, least),
            "loss_most_cny": max(0.0, loss),
            "gap_share": max(0.0, now.money - now.money_least) / max(now.money, 1e-9),
            "termination": now.termination,
            "seconds": time.perf_counter() - begin,
        }
