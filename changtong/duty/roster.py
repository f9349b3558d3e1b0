"""Duty rosters: the doorway from a duty folder to a roster that an independent checker has passed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from changtong.duty.crews import crew_rules
from changtong.duty.day_kinds import Period
from changtong.duty.fair_shares import FairShares, counted, fair_shares
from changtong.duty.question import Question, make_question
from changtong.duty.roster_check import check_roster
from changtong.duty.roster_solve import Status, Termination, cost_parts, solve
from changtong.duty.staff import KINDS, Assignment, DutyFolder
from changtong.duty.why_not import why_not
from changtong.errors import InternalError


@dataclass(frozen=True)
class Served:
    """What one person has of each kind of duty.

    Attributes
    ----------
    person_id, name, group : str
    weight : float
        Part of full time, times the part of the days on which they can serve.
    pool : int
    counts : tuple of int
        Of :data:`~changtong.duty.staff.KINDS`, in this period.
    carried, fair : tuple of float
        From former periods; the fair count of this period.
    """

    person_id: str
    name: str
    group: str
    weight: float
    pool: int
    counts: tuple[int, ...]
    carried: tuple[float, ...]
    fair: tuple[float, ...]


@dataclass(frozen=True)
class Roster:
    """A duty roster, or why there is none.

    Attributes
    ----------
    folder : DutyFolder
    period : Period
    status : Status
    termination : Termination
    assignments : tuple of Assignment
        In order; empty where there is no roster.
    value, bound, gap : float
        Cost of unfairness and unmet wishes; what no roster's cost is below; (value - bound) / value.
    parts : dict
        Cost by part.
    served : tuple of Served
    changes : int or None
        Assignments of the roster in force that were given up; None: none was given.
    fewest_changes : bool
        Whether no roster gives up fewer.
    why : tuple of str
        Why there is none.
    assumed : tuple of str
        People whose carried counts were taken at the mean.
    seconds : float
    seed : int
    """

    folder: DutyFolder
    period: Period
    status: Status
    termination: Termination
    assignments: tuple[Assignment, ...]
    value: float
    bound: float
    gap: float
    parts: dict[str, float]
    served: tuple[Served, ...]
    changes: int | None
    fewest_changes: bool
    why: tuple[str, ...]
    assumed: tuple[str, ...]
    seconds: float
    seed: int

    @property
    def found(self) -> bool:
        """Whether there is a roster."""
        return self.status in (Status.OPTIMAL, Status.FEASIBLE)

    def spread(self) -> dict[str, tuple[float, float]]:
        """Return the least and the greatest deviation from a fair share, by kind."""
        if not self.served:
            return {}
        rows = np.array([np.array(one.counts) - np.array(one.fair) for one in self.served if one.weight > 0])
        return {kind: (float(rows[:, k].min()), float(rows[:, k].max())) for k, kind in enumerate(KINDS)}

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object; people by their ids."""

        def number(value: float) -> float | None:
            return round(value, 6) if np.isfinite(value) else None

        return {
            "name": self.folder.name,
            "from": str(self.period.days[0].day),
            "to": str(self.period.days[-1].day),
            "status": self.status.value,
            "termination": self.termination.value,
            "value": number(self.value),
            "bound": number(self.bound),
            "gap": number(self.gap),
            "parts": {key: round(value, 6) for key, value in self.parts.items()},
            "duties": len(self.assignments),
            "people": len(self.folder.people),
            "spread": {key: [round(a, 3), round(b, 3)] for key, (a, b) in self.spread().items()},
            "changes": self.changes,
            "fewest_changes": self.fewest_changes if self.changes is not None else None,
            "why": list(self.why),
            "carried_assumed": list(self.assumed),
            "unannounced_years": list(self.period.unannounced),
            "seconds": round(self.seconds, 2),
            "seed": self.seed,
        }

    def __str__(self) -> str:
        first, last = self.period.days[0].day, self.period.days[-1].day
        head = f"{self.folder.name}, {first} to {last}: {self.status.value} ({self.termination.value})"
        if not self.found:
            return "\n".join([head, *(f"  {line}" for line in self.why)])
        lines = [
            f"{head}, {len(self.assignments)} duties, {len(self.folder.people)} people, {self.seconds:.1f} s",
            f"  cost {self.value:.4g}, no roster below {self.bound:.4g}: proved gap {100 * self.gap:.2f} %",
        ]
        for kind, (low, high) in self.spread().items():
            lines.append(f"  {kind:<9} from {low:+.1f} to {high:+.1f} of the fair share")
        lines.append(f"  cost of unmet wishes {self.parts['wishes']:g}, of pairs "
                     f"{self.parts['avoid'] + self.parts['together']:g}")  # fmt: skip
        if self.changes is not None:
            proved = "proved fewest" if self.fewest_changes else "not proved fewest"
            lines.append(f"  {self.changes} assignments of the roster in force given up ({proved})")
        if self.assumed:
            lines.append(f"  carried counts taken at the mean for {len(self.assumed)} people")
        if self.period.unannounced:
            years = ", ".join(map(str, self.period.unannounced))
            lines.append(f"  the moved rest days of {years} are not announced: give days.csv, or plan again")
        return "\n".join(lines)


def make_roster(
    folder: DutyFolder,
    first: date,
    last: date,
    *,
    seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 0,
    kept: Sequence[Assignment] | None = None,
) -> Roster:
    """Make the roster of a period.

    Parameters
    ----------
    folder : DutyFolder
    first, last : date
        First and last day on which duties begin.
    seconds : float
        Time limit.
    gap : float
        Proved gap at which to stop; 0: go on until it is optimal.
    seed : int
    kept : sequence of Assignment, optional
        A roster in force, of which as few assignments as possible are given up.

    Returns
    -------
    Roster
        Without assignments, and with the reasons, where there is none.

    Raises
    ------
    InputError
        ``duty-alone``, ``duty-locked``.
    InternalError
        The roster did not pass the independent checker: it is not shown.
    """
    begin = time.perf_counter()
    question = make_question(folder, first, last, kept)
    shares, crews = fair_shares(question), crew_rules(question)
    solved = solve(question, shares, crews, seconds=seconds, gap=gap, seed=seed)
    done = time.perf_counter() - begin
    found = solved.status in (Status.OPTIMAL, Status.FEASIBLE)
    rows: tuple[Assignment, ...] = ()
    why: tuple[str, ...] = ()
    if found:
        who, where = np.nonzero(solved.taken)
        rows = tuple(sorted(question.assignment(int(p), int(j)) for p, j in zip(who, where, strict=True)))
        breaches = check_roster(folder, question.period, rows, kept or ())
        if breaches:
            shown = "; ".join(map(str, breaches[:3]))
            raise InternalError(f"The roster breaks {len(breaches)} rules, and is not shown: {shown}")
    elif solved.status is Status.INFEASIBLE:
        why = why_not(question, shares, crews)
    else:
        why = ("No roster was found in the time; none is ruled out. Give it longer: --seconds.",)
    return Roster(
        folder, question.period, solved.status, solved.termination, rows,
        solved.value, solved.bound, solved.gap,
        cost_parts(question, shares, crews, solved.taken) if found else {},
        _served(question, shares, solved.taken) if found else (),
        None if kept is None else solved.changes, solved.fewest_changes, why, shares.assumed, done, seed,
    )  # fmt: skip


def _served(question: Question, shares: FairShares, taken: NDArray[np.bool_]) -> tuple[Served, ...]:
    counts = counted(question, taken)
    return tuple(
        Served(
            one.person_id, one.name, one.group, float(shares.weight[k]), int(shares.pool[k]),
            tuple(int(v) for v in counts[k]), tuple(map(float, shares.carried[k])),
            tuple(map(float, shares.target[k])),
        )
        for k, one in enumerate(question.folder.people)
    )  # fmt: skip
