"""How many people a centre needs on each day and duty: solved by HiGHS, with the least that was proved.

First a start (`rounded_start`), then the whole program, then a few days at a time while all others are held.
Last, with the first objective held, fewer temporary staff and days whose work follows their pieces evenly.

HiGHS 1.16 is given no start of its own: with one it was seen to end as optimal at the start, which was not.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import StrEnum

import highspy
import numpy as np
from scipy.sparse import block_array, coo_array, csc_matrix

from changtong.errors import InternalError
from changtong.programs.staged import highs_model, quiet_highs
from changtong.workforce.staffing_model import StaffingModel, staffing_model
from changtong.workforce.staffing_question import CentreQuestion, Floats, Ints
from changtong.workforce.staffing_start import rounded_start

WINDOWS = (2, 3, 5)
WINDOW_S = 2.0
WHOLE_SHARE = 0.5
EVEN_SHARE = 0.15
LACK_SHARE = 0.3
OPTIMAL_GAP = 1e-6
NOTHING = 1e-6


class Status(StrEnum):
    """What an answer is."""

    optimal = "optimal"
    feasible = "feasible"
    lacking = "lacking"
    """No staffing sorts everything in time: the least pieces are left that could be found."""


class Termination(StrEnum):
    """Why the search ended."""

    finished = "finished"
    time_limit = "time_limit"


@dataclass(frozen=True)
class Staffing:
    """People by work day and duty.

    Attributes
    ----------
    regular, temporary : array of int
    lacking : array
        Pieces by hour that nobody sorts in time.
    lacking_bound : float
        At least so many pieces are lacking, whatever is done.
    objective, bound : float
        Of the first objective: the value, and the least that is possible.
    termination : Termination
    """

    regular: Ints
    temporary: Ints
    lacking: Floats
    lacking_bound: float
    objective: float
    bound: float
    termination: Termination

    @property
    def gap(self) -> float:
        """How far the value may lie above the least, as a share."""
        return max(0.0, self.objective - self.bound) / max(abs(self.objective), 1e-9)


def first_costs(question: CentreQuestion) -> tuple[Floats, Floats]:
    """Return what a person on each duty costs by the first objective: regular, temporary.

    Parameters
    ----------
    question : CentreQuestion
    """
    rules, n = question.rules, len(question.duties)
    if rules.first == "cost":
        hours = np.array([duty.hours for duty in question.duties])
        return hours * rules.regular_cny_per_h, hours * rules.temporary_cny_per_h
    return np.full(n, 1.0 if rules.first == "person_days" else 0.0), np.ones(n)


def value_of(question: CentreQuestion, regular: Ints, temporary: Ints) -> float:
    """Return the first objective of a staffing."""
    of_regular, of_temporary = first_costs(question)
    return float((regular @ of_regular).sum() + (temporary @ of_temporary).sum())


def solve_staffing(question: CentreQuestion, seconds: float) -> Staffing:
    """Return people by work day and duty.

    Parameters
    ----------
    question : CentreQuestion
    seconds : float
        About; a model that is hardly begun is still brought to an answer.
    """
    until = time.perf_counter() + seconds
    longest = max(duty.hours for duty in question.duties)
    shortest = min(duty.hours for duty in question.duties)
    lacking, least = np.zeros(question.hours), 0.0
    model = staffing_model(question, hours_per_day=longest)
    cost = _costs(question, model)
    relaxed = _Solver(model, cost, integer=False)
    if relaxed.run(seconds) == "infeasible":
        lacking, least = _least_lacking(question, longest, shortest, until - (1 - LACK_SHARE) * seconds)
        model = staffing_model(question, hours_per_day=longest, lacking=lacking)
        relaxed = _Solver(model, cost, integer=False)
        if relaxed.run(seconds) == "infeasible":
            raise InternalError(f"{question.site}: what is lacking is not enough")
    bound = relaxed.bound
    assert relaxed.values is not None
    start = rounded_start(question, model, relaxed.values, cost, lacking)
    whole = _Solver(model, cost, integer=True)
    ended = whole.run(max(0.2, WHOLE_SHARE * (until - time.perf_counter())))
    known = [one for one in (start, whole.values) if one is not None]
    best = min(known, key=lambda one: float(cost @ one)) if known else None
    if best is None:
        whole.run(seconds)
        best = whole.values
    if best is None:
        raise InternalError(f"{question.site}: no staffing was found")
    if whole.bound <= float(cost @ best) + 1e-6:  # else the solver contradicts a staffing that is there
        bound = max(bound, whole.bound)
    if ended != "optimal":
        best = _improved(model, cost, best, until - EVEN_SHARE * seconds)
    if shortest < longest - 1e-9:  # a bound must hold for weeks of short days, too
        wide = _Solver(staffing_model(question, hours_per_day=shortest, lacking=lacking), cost, integer=False)
        wide.run(seconds)
        bound = wide.bound
    if question.rules.first != "cost":
        bound = math.ceil(bound - 1e-6)
    best = _more_even(question, model, cost, best, until)
    regular, temporary = model.split(best)
    value = value_of(question, regular, temporary)
    done = ended == "optimal" or value <= bound + OPTIMAL_GAP * max(1.0, value)
    return Staffing(
        regular,
        temporary,
        lacking,
        least,
        value,
        min(bound, value),
        Termination.finished if done else Termination.time_limit,
    )


def _costs(question: CentreQuestion, model: StaffingModel) -> Floats:
    made = np.zeros(model.matrix.shape[1])
    regular, temporary = first_costs(question)
    made[: model.people] = np.concatenate(
        [np.tile(regular, model.shape[0]), np.tile(temporary, model.shape[0])]
    )
    return made


class _Solver:
    """One HiGHS instance of a program."""

    def __init__(
        self, model: StaffingModel, cost: Floats, *, integer: bool, gap: float = OPTIMAL_GAP
    ) -> None:
        self.model = model
        self.highs = quiet_highs(output_flag=False, mip_rel_gap=gap, mip_feasibility_tolerance=1e-7)
        self.highs.passModel(_program(model, cost, integer))
        self.values: Floats | None = None
        self.bound = -math.inf
        self.integer = integer

    def bounds(self, columns: Ints, low: Floats, high: Floats) -> None:
        """Hold columns between values."""
        self.highs.changeColsBounds(len(columns), columns.astype(np.int32), low, high)

    def run(self, seconds: float) -> str:
        """Solve; return optimal, infeasible, or time_limit."""
        self.highs.setOptionValue("time_limit", max(0.05, seconds))
        self.highs.run()
        status, info = self.highs.getModelStatus(), self.highs.getInfo()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return "infeasible"
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            self.values = np.array(self.highs.getSolution().col_value)
        if status == highspy.HighsModelStatus.kOptimal:
            self.bound = info.mip_dual_bound if self.integer else info.objective_function_value
            return "optimal"
        if self.integer:
            self.bound = info.mip_dual_bound
        return "time_limit"


def _program(model: StaffingModel, cost: Floats, integer: bool) -> highspy.HighsLp:
    rows, columns = (model.low, model.high), (model.column_low, model.column_high)
    lp = highs_model(csc_matrix(model.matrix), rows, columns, cost)
    if integer:
        kinds = [highspy.HighsVarType.kInteger] * model.people
        lp.integrality_ = kinds + [highspy.HighsVarType.kContinuous] * (lp.num_col_ - model.people)
    return lp


def _columns(model: StaffingModel, first: int, end: int) -> Ints:
    """Return the columns of people of some work days."""
    days, duties = model.shape
    of_regular = np.arange(first * duties, min(end, days) * duties)
    return np.concatenate([of_regular, of_regular + model.people // 2])


def _improved(model: StaffingModel, cost: Floats, best: Floats, until: float) -> Floats:
    """Solve a few days anew at a time while all others are held, until nothing gets better."""
    days = model.shape[0]
    solver = _Solver(model, cost, integer=True)
    every = _columns(model, 0, days)
    low, high = model.column_low, model.column_high
    for width in WINDOWS:
        better = True
        while better:
            better = False
            for first in range(0, max(1, days - width + 1), max(1, width - 1)):
                if time.perf_counter() > until:
                    return best
                free = _columns(model, first, first + width)
                solver.bounds(every, np.rint(best[every]), np.rint(best[every]))
                solver.bounds(free, low[free], high[free])
                solver.values = None
                solver.run(min(WINDOW_S, max(0.1, until - time.perf_counter())))
                if solver.values is not None and cost @ solver.values < cost @ best - 1e-6:
                    best, better = solver.values, True
    return best


def _least_lacking(
    question: CentreQuestion, longest: float, shortest: float, until: float
) -> tuple[Floats, float]:
    """Return the fewest pieces by hour that cannot be sorted in time, and how many are lacking at least."""
    bounds: list[float] = []
    found: Floats | None = None
    for hours in sorted({longest, shortest}):
        model = staffing_model(question, hours_per_day=hours, soft=True)
        cost = np.zeros(model.matrix.shape[1])
        cost[-question.hours :] = 1.0
        solver = _Solver(model, cost, integer=hours == longest)
        solver.run(max(0.5, until - time.perf_counter()))
        bounds.append(solver.bound)
        if hours == longest:
            found = solver.values
    if found is None:
        raise InternalError(f"{question.site}: not even the pieces lacking were found")
    lacking = np.maximum(0.0, found[-question.hours :])
    return np.where(lacking > NOTHING, lacking + 1e-6, 0.0), max(0.0, min(bounds))


def _more_even(
    question: CentreQuestion, model: StaffingModel, cost: Floats, best: Floats, until: float
) -> Floats:
    """Hold the first objective; then fewer temporary staff, then person-days that follow the pieces."""
    n, duties = model.shape
    columns = model.matrix.shape[1]
    value = float(cost @ best)
    pieces = np.zeros(n)
    for w in range(n):
        first = (w - question.before) * 24
        pieces[w] = question.arriving[max(0, first) : max(0, first + 24)].sum()
    rules = question.rules
    power = np.concatenate(
        [
            np.tile([d.hours * rate for d in question.duties], n)
            for rate in (rules.regular_pieces_per_h, rules.temporary_pieces_per_h)
        ]
    )
    share = float(power @ best[: model.people]) / max(1e-9, float(pieces.sum()))
    day = np.tile(np.repeat(np.arange(n), duties), 2)
    of_day = coo_array((power, (day, np.arange(model.people))), shape=(n, columns))
    eye = coo_array((np.ones(n), (np.arange(n), np.arange(n))), shape=(n, n))
    held = coo_array(cost.reshape(1, -1))
    matrix = block_array([[model.matrix, None], [of_day, eye], [of_day, -eye], [held, None]]).tocsr()
    endless = np.full(n, np.inf)
    low = np.concatenate([model.low, share * pieces, -endless, [-np.inf]])
    high = np.concatenate([model.high, endless, share * pieces, [value + 1e-6 * max(1.0, value)]])
    wide = StaffingModel(
        matrix,
        low,
        high,
        np.concatenate([model.column_low, np.zeros(n)]),
        np.concatenate([model.column_high, endless]),
        model.people,
        model.shape,
    )
    aims = np.zeros(columns + n)
    aims[model.people // 2 : model.people] = 1.0
    aims[columns:] = 1.0 / max(1.0, float(pieces.sum()) * share)
    off = np.abs(np.bincount(day, power * best[: model.people], n) - share * pieces)
    return _improved(wide, aims, np.concatenate([best, off]), until)[:columns]
