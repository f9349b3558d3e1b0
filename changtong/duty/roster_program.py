"""The roster as an integer program: assignments by day, fairness by pieces of a convex cost.

A column for each person and slot they may take; for each person and kind of duty, one column for each
further duty of the kind, whose cost rises from one to the next. With its corners at whole numbers this
keeps the relaxation tight: the fair shares of a kind alone are whole in it (a separable convex cost over
a transportation polytope), so bounds are good from the root on. What other models were tried is in
``docs/duty.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from changtong.duty.compositions import Compositions, compositions
from changtong.duty.crews import CrewRules
from changtong.duty.fair_shares import FairShares
from changtong.duty.joint_counts import JointCounts, joint_counts
from changtong.duty.question import Question

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FINE = 5
"""Counts on both sides of a fair share for which the cost is exact."""

FAR = 1000.0
"""Counts that nobody reaches."""

SHORT_HEAD = 1000.0
"""Cost of a head that is missing, where a program may leave heads out."""


@dataclass(frozen=True)
class Program:
    """An integer program: minimise ``cost @ x + offset``.

    Attributes
    ----------
    matrix : scipy.sparse.csc_matrix, (rows, columns)
    lower, upper : array, (rows,)
    cost, most : array, (columns,)
        Columns are from 0 to ``most``.
    offset : float
    column : array, (people, slots)
        Number of the assignment's column, -1 where there is none; these are whole, all others may be not.
    rule : tuple of str, (rows,)
    short : array, (slots,)
        Columns of missing heads; empty where none may be missing.
    joint : tuple of (int, JointCounts)
        First row of each person's patterns: that their parts are one, then one row for each sort of duty.
    """

    matrix: sparse.csc_matrix
    lower: Floats
    upper: Floats
    cost: Floats
    most: Floats
    offset: float
    column: Ints
    rule: tuple[str, ...]
    short: Ints
    joint: tuple[tuple[int, JointCounts], ...] = ()

    @property
    def n_whole(self) -> int:
        """Columns that are whole, the first ones."""
        return int((self.column >= 0).sum())

    def with_every_pattern(self, dual: Floats) -> Floats:
        """Return duals that are right for patterns that are no columns, too.

        Parameters
        ----------
        dual : array, (rows,)
        """
        made = dual.copy()
        for row, one in self.joint:
            by_sort = made[row + 1 : row + 1 + len(one.sorts)]
            made[row] = float((one.cost + one.patterns @ by_sort).min())
        return made


@dataclass
class _Build:
    column: Ints
    cost: list[float]
    most: list[float]
    offset: float = 0.0
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    rule: list[str] = field(default_factory=list)
    made_up: dict[int, Compositions] = field(default_factory=dict)
    joint: list[tuple[int, JointCounts]] = field(default_factory=list)

    def row(
        self, rule: str, columns: Ints | list[int], values: float | Ints | Floats | list[float],
        lower: float, upper: float,
    ) -> None:  # fmt: skip
        count = len(columns)
        self.rows += [len(self.lower)] * count
        self.columns += [int(one) for one in columns]
        self.values += (
            [float(values)] * count if isinstance(values, int | float) else [float(v) for v in values]
        )
        self.lower.append(lower)
        self.upper.append(upper)
        self.rule.append(rule)

    def new(self, cost: float, most: float = np.inf) -> int:
        self.cost.append(cost)
        self.most.append(most)
        return len(self.cost) - 1

    def of(self, person: int, slots: Ints) -> Ints:
        """Return the columns of a person in some slots."""
        found = self.column[person, slots]
        return np.asarray(found[found >= 0])


def build_program(
    question: Question,
    shares: FairShares,
    crews: CrewRules,
    *,
    elastic: bool = False,
    without: str = "",
    changes: int | None = None,
    fair: bool = True,
    near: Ints | None = None,
    below: float | None = None,
) -> Program:
    """Return the program of a question.

    Parameters
    ----------
    question : Question
    shares : FairShares
    crews : CrewRules
    elastic : bool
        Heads may be missing, at :data:`SHORT_HEAD` each.
    without : str
        A rule that is left out.
    changes : int, optional
        The most assignments of the roster in force that may be given up; None: any.
    fair : bool
        Whether fairness, wishes and soft pairs cost; otherwise changes do, one each.
    near : array, (people, kinds), optional
        Counts of a known roster: costs are exact around them and around the fair shares, and never too
        high elsewhere, so that bounds hold.
    below : float, optional
        Given with ``near``, that roster's cost: points and nights of one person are a mix of whole patterns.
        The program is then one for bounds (``Program.with_every_pattern``) on rosters that cost less.
    """
    n_people, n_slots = question.may.shape
    column = np.full((n_people, n_slots), -1, np.int64)
    who, where = np.nonzero(question.may)
    column[who, where] = np.arange(len(who))
    build = _Build(column, [0.0] * len(who), [1.0] * len(who))
    short = _heads(build, question, elastic)
    _caps(build, question, without)
    _crews(build, question, crews, elastic, without)
    for person, slots in question.locks if without != "locks" else ():
        if len(slots):
            build.row("locks", build.of(person, slots), 1, 1, 1)
    _changes(build, question, changes, counts=not fair)
    if fair:
        _fairness(build, question, shares, near, below)
        _wishes(build, question)
        _soft_pairs(build, question, crews)
    shape = (len(build.lower), len(build.cost))
    return Program(
        sparse.csc_matrix((build.values, (build.rows, build.columns)), shape=shape),
        np.array(build.lower, float), np.array(build.upper, float),
        np.array(build.cost, float), np.array(build.most, float),
        build.offset, column, tuple(build.rule), np.array(short, np.int64), tuple(build.joint),
    )  # fmt: skip


def _heads(build: _Build, question: Question, elastic: bool) -> list[int]:
    short = []
    for slot, heads in enumerate(question.slots.heads):
        columns = build.column[:, slot]
        columns = columns[columns >= 0]
        if elastic:
            short.append(build.new(SHORT_HEAD, float(heads)))
            columns = np.append(columns, short[-1])
        build.row("heads", columns, 1, float(heads), float(heads))
    return short


def _caps(build: _Build, question: Question, without: str) -> None:
    caps = question.caps
    for person, may in enumerate(question.may):
        own = np.flatnonzero(may)
        uses = caps.uses[:, own]
        binds = uses.sum(axis=1) > caps.most[person]
        for k in np.flatnonzero(binds):
            if caps.rule[k] == without:
                continue
            some = np.flatnonzero(uses[k])
            unit = int(np.gcd.reduce(uses[k, some]))  # hours as minutes: small numbers are solved better
            most = float(caps.most[person, k] // unit)
            build.row(caps.rule[k], build.column[person, own[some]], uses[k, some] // unit, -np.inf, most)


def _crews(build: _Build, question: Question, crews: CrewRules, elastic: bool, without: str) -> None:
    if without != "qualified":
        for slot, people, least in crews.qualified:
            columns = build.column[people, slot]
            columns = columns[columns >= 0]
            if elastic:
                columns = np.append(columns, build.new(SHORT_HEAD, float(least)))
            build.row("qualified", columns, 1, float(least), np.inf)
    if without != "new_with_experienced" and len(crews.newcomers):
        for slots in crews.crews:
            old = [int(one) for person in crews.experienced for one in build.of(person, slots)]
            new = [int(one) for person in crews.newcomers for one in build.of(person, slots)]
            # one experienced lets all others be new: this is the hull of what may be, where a row for each
            # newcomer is not
            others = float(question.slots.heads[slots].sum() - 1)
            if new:
                build.row(
                    "new_with_experienced", [*old, *new], [others] * len(old) + [-1.0] * len(new), 0.0, np.inf
                )
    if not elastic and without not in ("qualified", "new_with_experienced"):
        _mixes(build, question, crews)
    if without != "never":
        for first, second, slots in crews.never:
            one, other = build.of(first, slots), build.of(second, slots)
            if len(one) and len(other):
                build.row("never", np.append(one, other), 1, -np.inf, 1)


def _mixes(build: _Build, question: Question, crews: CrewRules) -> None:
    """Add that the kinds of people of a crew are a mix of its compositions."""
    for crew in compositions(question, crews):
        build.made_up[min(slot for slot, _ in crew.members)] = crew
        first = len(build.cost)
        for _ in crew.counts:
            build.new(0.0, 1.0)
        mixed = np.arange(first, len(build.cost))
        build.row("mix", mixed, 1, 1, 1)
        for part, (slot, people) in enumerate(crew.members):
            columns = build.column[people, slot]
            some = np.flatnonzero(crew.counts[:, part])
            values = np.append(np.ones(len(columns)), -crew.counts[some, part].astype(float))
            build.row("mix", np.append(columns, mixed[some]), values, 0, 0)


def _changes(build: _Build, question: Question, most: int | None, *, counts: bool) -> None:
    stay = [build.column[person, slot] for person, slot in question.kept]
    able = [int(one) for one in stay if one >= 0]
    if counts:
        for one in able:
            build.cost[one] -= 1.0
        build.offset += len(stay)
    if most is not None:
        build.row("changes", able, 1, len(stay) - most, np.inf)


def _fairness(
    build: _Build, question: Question, shares: FairShares, near: Ints | None, below: float | None
) -> None:
    counts = question.slots.counts
    for person, may in enumerate(question.may):
        own = np.flatnonzero(may)
        joint = None
        if near is not None and below is not None:
            joint = joint_counts(question, shares, person, near[person], below)
        if joint is not None:
            _patterns(build, joint)
        for kind, cost in enumerate(shares.cost[person]):
            if joint is not None and kind < 2:
                continue
            some = own[counts[kind, own] > 0]
            if not len(some) or not np.diff(cost).any():
                build.offset += float(cost[0])
                continue
            unit = int(np.gcd.reduce(counts[kind, some]))
            about = [shares.target[person, kind], *([] if near is None else [near[person, kind]])]
            low = unit * max(0, int((min(about) - FINE) // unit))
            high = unit * min(
                (len(cost) - 1) // unit, max(1 + low // unit, int(-(-(max(about) + FINE) // unit)))
            )
            columns, sizes = _steps(build, cost[low : high + 1 : unit], float(unit), low // unit)
            build.row(
                "fairness", np.append(build.column[person, some], columns),
                np.append(counts[kind, some], -np.array(sizes)), 0, 0,
            )  # fmt: skip


def _patterns(build: _Build, joint: JointCounts) -> None:
    build.joint.append((len(build.lower), joint))
    parts = [build.new(float(cost), 1.0) for cost in joint.cost[joint.chosen]]
    build.row("fairness", parts, 1, 1, 1)
    for k, slots in enumerate(joint.sorts):
        columns = build.of(joint.person, slots)
        values = np.append(np.ones(len(columns)), -joint.patterns[joint.chosen, k].astype(float))
        build.row("fairness", np.append(columns, parts), values, 0, 0)


def _steps(build: _Build, cost: Floats, unit: float, before: int) -> tuple[list[int], list[float]]:
    """Add columns that follow a convex cost, exact at its corners and from below beyond them.

    ``before`` steps lie in front of the first corner; they, and what lies behind the last, go on in the slope
    next to them.
    """
    slopes = np.diff(cost)
    build.offset += float(cost[0] - before * slopes[0])
    columns = [build.new(float(slopes[0]), float(before))] if before else []
    columns += [build.new(float(step), 1.0) for step in slopes]
    columns.append(build.new(float(slopes[-1]), FAR))
    return columns, [unit] * len(columns)


def wished_slots(question: Question, which: int) -> tuple[int, Ints]:
    """Return a wish's person and the slots it is about that the person may take.

    Parameters
    ----------
    question : Question
    which : int
        Number of the wish.
    """
    folder, slots = question.folder, question.slots
    wish = folder.wishes[which]
    person = next(k for k, one in enumerate(folder.people) if one.person_id == wish.person_id)
    low, high = (wish.first - question.first).days, (wish.last - question.first).days
    fits = np.array([wish.shift_id in (None, post.shift_id) for post in folder.posts])[slots.post]
    return person, np.flatnonzero(question.may[person] & fits & (slots.day >= low) & (slots.day <= high))


def in_period(question: Question, which: int) -> bool:
    """Tell whether a wish is about days of the period.

    Parameters
    ----------
    question : Question
    which : int
    """
    wish = question.folder.wishes[which]
    return wish.last >= question.first and wish.first <= question.period.days[-1].day


def _wishes(build: _Build, question: Question) -> None:
    for which, wish in enumerate(question.folder.wishes):
        weight = question.folder.weights.wish * wish.weight
        if not in_period(question, which) or not weight:
            continue
        person, slots = wished_slots(question, which)
        columns = build.of(person, slots)
        if wish.wants == "off":
            for one in columns:
                build.cost[int(one)] += weight
        elif len(columns):
            unmet = build.new(weight, 1.0)
            build.row("wish", np.append(columns, unmet), 1, 1, np.inf)
        else:
            build.offset += weight


def _soft_pairs(build: _Build, question: Question, crews: CrewRules) -> None:
    weights = question.folder.weights
    for first, second, slots in crews.avoid if weights.avoid else ():
        one, other = build.of(first, slots), build.of(second, slots)
        if len(one) and len(other):
            meets = build.new(weights.avoid, 1.0)
            values = np.append(np.ones(len(one) + len(other)), -1.0)
            build.row("avoid", [*one, *other, meets], values, -np.inf, 1)
    for first, second, slots in crews.together if weights.together else ():
        crew = build.made_up.get(int(slots.min()))
        if len(build.of(first, slots)):
            apart = build.new(weights.together, 1.0)
            lets = crew is None or crew.lets(first, second)
            for some, others in beside(question, first, slots):
                one, other = build.of(first, some), build.of(second, others if lets else others[:0])
                if len(one):
                    values = np.concatenate([np.ones(len(one)), -np.ones(len(other) + 1)])
                    build.row("together", [*one, *other, apart], values, -np.inf, 0)


def beside(question: Question, first: int, slots: Ints) -> list[tuple[Ints, Ints]]:
    """Return slots of a crew that a person may take, with those in which a colleague can serve beside them.

    Who has the only head of a slot has nobody beside them in it: said so, the bound knows what pairs cost.

    Parameters
    ----------
    question : Question
    first : int
    slots : array
        Of the crew.
    """
    own = slots[question.may[first, slots]]
    single = own[question.slots.heads[own] == 1]
    shared = own[question.slots.heads[own] > 1]
    made = [(np.array([slot]), slots[slots != slot]) for slot in single]
    return [*made, (shared, slots)] if len(shared) else made
