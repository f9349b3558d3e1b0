"""Solves a question: search and bound side by side, then the integer program from the best roster known."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum

import highspy
import numpy as np
from numpy.typing import NDArray

from changtong.duty.crews import CrewRules
from changtong.duty.fair_shares import FairShares, counted, counting_bound
from changtong.duty.question import Question
from changtong.duty.roster_polish import polish
from changtong.duty.roster_program import Program, build_program, in_period, wished_slots
from changtong.duty.roster_search import search_near, search_roster
from changtong.duty.staff import KINDS
from changtong.executors.cores import usable_cores
from changtong.programs.staged import dual_bound, highs_model, quiet_highs, run_highs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

POLISH_SHARE = 0.6
"""Part of what is left then for planning parts anew; the rest is for the whole program."""

SMALL = 1500
"""Assignments up to which the whole program goes ahead at once: parts would be the whole."""

TOO_LARGE = 6000
"""Assignments from which on the whole program was seen to find and prove nothing in minutes: left out."""

SEARCH_SHARE, WORTH = 0.4, 0.5
"""Part of the time for the search; part of the time of the last one from which on one more is begun."""

LAZY = ("rest", "one_a_day", "most_in_row", "most_nights_in_row", "most_in_week", "most_h_in_week",
        "most_in_month", "most_h_in_month", "never")  # fmt: skip
"""Rules that seldom bind in the relaxation: added where they are broken."""

FEW_BROKEN = 0.03
"""Part of the rows of a relaxation below which rows broken by it are not added: they were seen to cost
as much time again, for the same bound."""

SAME = 1e-6


class Status(Enum):
    """What the roster is."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"  # keeps every rule; a better one is not ruled out
    INFEASIBLE = "infeasible"  # proved: no roster keeps every rule
    UNKNOWN = "unknown"  # none was found, and none is ruled out


class Termination(Enum):
    """Why the work ended."""

    PROVED = "proved"
    GAP_REACHED = "gap_reached"
    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"
    NUMERICAL_TROUBLE = "numerical_trouble"


@dataclass(frozen=True)
class Solved:
    """The answer to a question.

    Attributes
    ----------
    status : Status
    termination : Termination
    taken : array, (people, slots)
        Empty of assignments where there is no roster.
    value, bound : float
        Cost, and what no roster's cost is below; changes are not part of it.
    changes : int
        Assignments of the roster in force that were given up.
    fewest_changes : bool
        Whether no roster has fewer changes: proved.
    """

    status: Status
    termination: Termination
    taken: Flags
    value: float
    bound: float
    changes: int
    fewest_changes: bool

    @property
    def gap(self) -> float:
        """(value - bound) / value; 0 where both are 0, infinite without a roster."""
        if not np.isfinite(self.value):
            return float("inf")
        return max(0.0, self.value - self.bound) / self.value if self.value > SAME else 0.0


def solve(
    question: Question,
    shares: FairShares,
    crews: CrewRules,
    *,
    seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
) -> Solved:
    """Solve a question within a time.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    seconds : float
    gap : float
        Proved gap at which to stop.
    seed : int
        Of the search.
    """
    # compiled before the clock runs: once on a machine, some seconds
    search_roster(question, shares, crews, steps=1)
    deadline = time.perf_counter() + seconds
    quick = time.perf_counter() + SEARCH_SHARE * seconds
    found = search_roster(question, shares, crews, seed=seed)
    if not found.whole:
        answer = _first_roster(question, shares, crews, deadline)
        if isinstance(answer, Solved):
            return answer
        taken = answer
    else:
        taken = found.taken
    if question.kept:
        return _fewest_changes(question, shares, crews, taken, deadline, gap)
    taken, bound = _search_and_bound(question, shares, crews, taken, deadline, quick, gap, seed)
    value = roster_cost(question, shares, crews, taken)
    program = build_program(question, shares, crews, near=counted(question, taken))
    interrupted = False
    if value - bound > max(gap * value, SAME * max(1.0, value)) and program.n_whole > SMALL:
        share = POLISH_SHARE if program.n_whole < TOO_LARGE else 1.0
        taken, interrupted = polish(
            question, program, taken,
            lambda some: roster_cost(question, shares, crews, some),
            lambda some: costly_people(question, shares, crews, some),
            lambda some, number: search_near(question, shares, crews, some, seed=seed + number).taken,
            enough=bound + max(gap * value, SAME * max(1.0, value)), seed=seed,
            workers=min(2, usable_cores()),
            deadline=time.perf_counter() + share * (deadline - time.perf_counter()),
        )  # fmt: skip
    solved = _improve(
        question, shares, crews, program, taken, bound, -np.inf if interrupted else deadline, gap
    )
    unproved = interrupted and solved.termination is Termination.TIME_LIMIT
    return replace(solved, termination=Termination.INTERRUPTED) if unproved else solved


def _search_and_bound(
    question: Question, shares: FairShares, crews: CrewRules, taken: Flags, deadline: float, quick: float,
    gap: float, seed: int,
) -> tuple[Flags, float]:  # fmt: skip
    """Search on one core while the other computes the bound, and searches, too, in the time left then."""

    def cost(some: Flags) -> float:
        return roster_cost(question, shares, crews, some)

    known = [-np.inf]

    def is_enough(some: float) -> bool:
        return some - known[0] <= max(gap * some, SAME * max(1.0, some))

    def search(number: int) -> Flags:
        best, spent = taken, 0.0
        while (left := quick - time.perf_counter()) > max(0.1, WORTH * spent) and not is_enough(cost(best)):
            found = search_roster(
                question, shares, crews, seed=seed + number, seconds=left, is_enough=is_enough
            )
            best = min(best, found.taken if found.whole else best, key=cost)
            number, spent = number + 2, left - (quick - time.perf_counter())
        return best

    def bound_and_search() -> tuple[float, Flags]:
        patterns = build_program(question, shares, crews, near=counted(question, taken), below=cost(taken))
        known[0] = relaxed_bound(patterns, deadline)
        return known[0], search(2)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(bound_and_search)
        first = search(1)
        bound, second = other.result()
    return min((taken, first, second), key=cost), max(bound, counting_bound(question, shares), 0.0)


def roster_cost(question: Question, shares: FairShares, crews: CrewRules, taken: Flags) -> float:
    """Return what a roster costs: unfairness, wishes that are not met, pairs; changes are not in it.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    taken : array, (people, slots)
    """
    return sum(cost_parts(question, shares, crews, taken).values())


def cost_parts(question: Question, shares: FairShares, crews: CrewRules, taken: Flags) -> dict[str, float]:
    """Return the cost of a roster by part.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    taken : array, (people, slots)
    """
    counts, weights = counted(question, taken), question.folder.weights
    made = {
        kind: float(sum(shares.cost[p][k][counts[p, k]] for p in range(len(counts))))
        for k, kind in enumerate(KINDS)
    }
    made |= {"wishes": 0.0, "avoid": 0.0, "together": 0.0}
    for which, wish in enumerate(question.folder.wishes):
        if in_period(question, which):
            person, slots = wished_slots(question, which)
            there = int(taken[person, slots].sum())
            missed = there if wish.wants == "off" else int(there == 0)
            made["wishes"] += weights.wish * wish.weight * missed
    for first, second, slots in crews.avoid:
        made["avoid"] += weights.avoid * bool(taken[first, slots].any() and taken[second, slots].any())
    for first, second, slots in crews.together:
        made["together"] += weights.together * bool(
            taken[first, slots].any() and not taken[second, slots].any()
        )
    return made


def costly_people(question: Question, shares: FairShares, crews: CrewRules, taken: Flags) -> list[int]:
    """Return people with an unmet wish or a pair's cost, or the dearest shares, all at most ten.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    taken : array, (people, slots)
    """
    made: list[int] = []
    for which, wish in enumerate(question.folder.wishes):
        if in_period(question, which):
            person, slots = wished_slots(question, which)
            if taken[person, slots].any() == (wish.wants == "off"):
                made.append(person)
    for first, second, slots in (*crews.avoid, *crews.together):
        if taken[first, slots].any() and not taken[second, slots].any():
            made.append(first)
    counts = counted(question, taken)
    least = [sum(float(one.min()) for one in shares.cost[p]) for p in range(len(counts))]
    over = [
        sum(float(one[counts[p, k]]) for k, one in enumerate(shares.cost[p])) - least[p]
        for p in range(len(counts))
    ]
    return list(dict.fromkeys([*made, *(int(p) for p in np.argsort(over)[::-1])]))[: max(10, len(made))]


def relaxed_bound(program: Program, deadline: float) -> float:
    """Return a bound from the relaxation; minus infinite where the time is over first.

    Rules that one person must keep are added where many of them are broken, at most a few times: the bound
    holds with any of them. It follows from the duals, whatever the solver's tolerance.

    Parameters
    ----------
    program : Program
    deadline : float
        Of ``perf_counter``.
    """
    matrix, best = program.matrix.tocsr(), -np.inf
    used = ~np.isin(np.array(program.rule), LAZY)
    for _ in range(4):
        left = deadline - time.perf_counter()
        if left < 1.0:
            break
        highs = quiet_highs(solver="ipm", run_crossover="off", presolve="off", time_limit=left)
        rows = (program.lower[used], program.upper[used])
        some = matrix[used].tocsc()
        highs.passModel(highs_model(some, rows, (np.zeros(len(program.cost)), program.most), program.cost))
        highs.run()
        solution = highs.getSolution()
        if len(solution.row_dual) == len(rows[0]):
            dual = np.array(solution.row_dual)
            if np.isfinite(dual).all():
                every = np.zeros(len(used))
                every[used] = dual
                dual = program.with_every_pattern(every)[used]
                bound = dual_bound(some, rows, program.most, program.cost, dual) + program.offset
                best = max(best, bound)
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            break
        activity = matrix @ np.array(solution.col_value)
        broken = ((activity > program.upper + SAME) | (activity < program.lower - SAME)) & ~used
        if broken.sum() < FEW_BROKEN * used.sum():
            break
        used |= broken
    return best


@dataclass(frozen=True)
class _Run:
    status: highspy.HighsModelStatus
    taken: Flags | None
    objective: float
    bound: float
    interrupted: bool


def _run_program(program: Program, deadline: float, gap: float, extra: float = 0.0) -> _Run:
    """Run HiGHS on an integer program; ``extra`` seconds are granted whatever the deadline.

    It is given no roster to start from: HiGHS 1.16 was seen to end as optimal at a start that was not.
    """
    left = max(extra, deadline - time.perf_counter())
    highs = quiet_highs(time_limit=left, mip_rel_gap=gap, mip_feasibility_tolerance=1e-7)
    columns = (np.zeros(len(program.cost)), program.most)
    model = highs_model(program.matrix, (program.lower, program.upper), columns, program.cost)
    model.offset_ = program.offset
    whole = program.n_whole
    kind = highspy.HighsVarType
    model.integrality_ = [kind.kInteger] * whole + [kind.kContinuous] * (len(program.cost) - whole)
    highs.passModel(model)
    interrupted = run_highs(highs)
    info, status = highs.getInfo(), highs.getModelStatus()
    taken = None
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        values = np.round(np.array(highs.getSolution().col_value))
        taken = np.zeros(program.column.shape, bool)
        who, where = np.nonzero(program.column >= 0)
        taken[who, where] = values[program.column[who, where]] > 0.5
    return _Run(status, taken, info.objective_function_value, info.mip_dual_bound, interrupted)


def _first_roster(
    question: Question, shares: FairShares, crews: CrewRules, deadline: float
) -> Flags | Solved:
    """Look for any roster by the program alone; what it says where there is none."""
    program = build_program(question, shares, crews, fair=False)
    run = _run_program(program, deadline, 1.0, extra=10.0)
    if run.taken is not None:
        return run.taken
    proved = run.status in (
        highspy.HighsModelStatus.kInfeasible,
        highspy.HighsModelStatus.kUnboundedOrInfeasible,
    )
    ended = Termination.INTERRUPTED if run.interrupted else Termination.TIME_LIMIT
    nothing = np.zeros(question.may.shape, bool)
    return Solved(
        Status.INFEASIBLE if proved else Status.UNKNOWN,
        Termination.PROVED if proved else ended,
        nothing, np.inf, -np.inf, 0, False,
    )  # fmt: skip


def _given_up(question: Question, taken: Flags) -> int:
    return sum(not taken[person, slot] for person, slot in question.kept)


def _fewest_changes(
    question: Question, shares: FairShares, crews: CrewRules, taken: Flags, deadline: float, gap: float
) -> Solved:
    """Give up as few assignments as possible, then be as fair as that allows."""
    program = build_program(question, shares, crews, fair=False)
    run = _run_program(program, deadline, 0.0)
    if run.taken is not None and _given_up(question, run.taken) < _given_up(question, taken):
        taken = run.taken
    changes = _given_up(question, taken)
    fewest = bool(np.isfinite(run.bound) and run.bound > changes - 1 + SAME)
    program = build_program(question, shares, crews, near=counted(question, taken), changes=changes)
    bound = max(0.0, counting_bound(question, shares))
    solved = _improve(question, shares, crews, program, taken, bound, deadline, gap)
    optimal = fewest and solved.status is Status.OPTIMAL
    return Solved(
        Status.OPTIMAL if optimal else Status.FEASIBLE,
        solved.termination if fewest else Termination.TIME_LIMIT,
        solved.taken, solved.value, solved.bound, _given_up(question, solved.taken), fewest,
    )  # fmt: skip


def _improve(
    question: Question, shares: FairShares, crews: CrewRules, program: Program, taken: Flags, bound: float,
    deadline: float, gap: float,
) -> Solved:  # fmt: skip
    """Run the integer program from a roster for the time left, unless the bound is good enough."""
    value = roster_cost(question, shares, crews, taken)
    ended = Termination.TIME_LIMIT
    if value - bound > max(gap * value, SAME * max(1.0, value)) and deadline - time.perf_counter() > 1.0:
        run = _run_program(program, deadline, gap)
        if run.taken is not None:
            cost = roster_cost(question, shares, crews, run.taken)
            if cost < value:
                value, taken = cost, run.taken
        if np.isfinite(run.bound):
            bound = max(bound, run.bound)
        if run.interrupted:
            ended = Termination.INTERRUPTED
    bound = min(bound, value)
    optimal = value - bound <= SAME * max(1.0, value)
    if optimal:
        ended = Termination.PROVED
    elif value - bound <= gap * value + SAME:
        ended = Termination.GAP_REACHED
    status = Status.OPTIMAL if optimal else Status.FEASIBLE
    return Solved(status, ended, taken, value, bound, 0, True)
