"""Which days each person works where some are absent: those one by one, all others as one crowd."""

from __future__ import annotations

import highspy
import numpy as np
from scipy.sparse import csc_matrix

from changtong.programs.staged import highs_model, quiet_highs
from changtong.workforce.day_patterns import take_apart
from changtong.workforce.staffing_model import Rows
from changtong.workforce.staffing_question import CentreQuestion, Ints, Span

SECONDS = 10.0
UNFILLED = 1_000.0


def who_works(question: CentreQuestion, needed: Ints, spans: tuple[Span, ...]) -> Ints:
    """Return who works when: people by work day, 1 or 0. Of some days fewer may work than needed.

    Without absences the numbers are met exactly; with them by an integer program, as far as it can be.

    Parameters
    ----------
    question : CentreQuestion
    needed : array of int
        People by work day.
    spans : tuple of Span
    """
    people = len(question.people)
    absent = [p for p in range(people) if question.away[p]]
    if not absent:
        made = take_apart(needed, people, spans)
        if made is not None:
            return made
    others = [p for p in range(people) if not question.away[p]]
    values = _solve(question, needed, spans, absent, len(others))
    days = question.work_days
    made = np.zeros((people, days), dtype=np.int64)
    made[absent] = values[: len(absent) * days].reshape(len(absent), days)
    crowd = values[len(absent) * days : (len(absent) + 1) * days]
    apart = take_apart(crowd, len(others), spans)
    if apart is not None:
        made[others] = apart
    return made


def _solve(
    question: CentreQuestion, needed: Ints, spans: tuple[Span, ...], absent: list[int], others: int
) -> Ints:
    """Return days of those absent, the crowd of the others, and what stays unfilled."""
    days, m = question.work_days, len(absent)
    crowd, unfilled, off = m * days, (m + 1) * days, (m + 2) * days
    columns = off + m
    high = np.ones(columns)
    high[crowd:unfilled], high[unfilled:off], high[off:] = others, needed, days
    rows = Rows()
    for w in range(days):
        parts = {i * days + w: 1.0 for i in range(m)} | {crowd + w: 1.0, unfilled + w: 1.0}
        rows.add(parts, float(needed[w]), float(needed[w]))
    fair = float(needed.sum()) / max(1, m + others)
    for a, b, most in spans:
        rows.add(dict.fromkeys(range(crowd + a, crowd + b), 1.0), -np.inf, float(others * most))
        for i in range(m):
            rows.add(dict.fromkeys(range(i * days + a, i * days + b), 1.0), -np.inf, float(most))
    for i, p in enumerate(absent):
        high[[i * days + w for w in question.away[p]]] = 0.0
        of_one = dict.fromkeys(range(i * days, (i + 1) * days), 1.0)
        rows.add(of_one | {off + i: 1.0}, fair, np.inf)
        rows.add(of_one | {off + i: -1.0}, -np.inf, fair)
    cost = np.zeros(columns)
    cost[unfilled:off], cost[off:] = UNFILLED, 1.0
    matrix = csc_matrix((rows.value, (rows.row, rows.column)), shape=(len(rows.low), columns))
    lp = highs_model(matrix, (np.array(rows.low), np.array(rows.high)), (np.zeros(columns), high), cost)
    kind = highspy.HighsVarType
    lp.integrality_ = [kind.kInteger] * off + [kind.kContinuous] * m
    highs = quiet_highs(output_flag=False, time_limit=SECONDS, mip_rel_gap=1e-3)
    highs.passModel(lp)
    highs.run()
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return np.concatenate([np.zeros(unfilled, dtype=np.int64), needed])  # all of it for temporary staff
    made: Ints = np.rint(np.array(highs.getSolution().col_value)).astype(np.int64)
    return made
