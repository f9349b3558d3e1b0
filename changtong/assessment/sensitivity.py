"""Does the ranking hold when weights of sections and departments move: sampled, exact for neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.exact import Units, rounded, times_over
from changtong.assessment.moved_marks import MovedMarks, moved_marks
from changtong.assessment.result import Assessment
from changtong.assessment.scoring import section_percent
from changtong.errors import UsageError

BLOCK = 50_000_000
"""Numbers held at once while weights are drawn."""

STEPS = 1000
"""Weights move in thousandths of themselves."""


@dataclass(frozen=True)
class Sensitivity:
    """How ranks move when the weights of sections and of departments do.

    Attributes
    ----------
    within : float
        Each weight is multiplied by a number from ``1 - within`` to ``1 + within``.
    draws, seed : int
    departments : int
        Departments whose weights were moved as well; 0 where marks are blind or none are given.
    ranks : polars.DataFrame
        ``subject_id``, ``level``, ``peer_group``, ``score``, ``rank``, ``holds_share`` (draws in which the
        rank is the same), ``best_rank``, ``worst_rank``; in the order of the ranking.
    swaps : polars.DataFrame
        For neighbours in the ranking and a section: ``subject_id``, ``below`` (who is behind),
        ``section_id``, ``factor`` (times this weight both are equal; beyond it they swap), ``within``
        (whether it is inside the range). Exact, before rounding; pairs where a limit or a veto binds are
        left out, and departments keep their weights there.
    """

    within: float
    draws: int
    seed: int
    ranks: pl.DataFrame
    swaps: pl.DataFrame
    departments: int = 0

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by."""
        inside = self.swaps.filter("within")
        holds = self.ranks["holds_share"]
        return {
            "within": self.within,
            "draws": self.draws,
            "seed": self.seed,
            "departments": self.departments,
            "mean_holds_share": float(holds.mean()) if len(holds) else None,  # type: ignore[arg-type]
            "always_hold": int((holds == 1).sum()),
            "subjects": self.ranks.height,
            "pairs_that_can_swap": inside.select("subject_id", "below").n_unique(),
            "swaps": inside.head(50).to_dicts(),
        }

    def __str__(self) -> str:
        s = self.summary()
        what = "weights of sections and departments" if self.departments else "weights of sections"
        lines = [
            f"{what} moved by up to ±{self.within:.0%}, {self.draws:,} draws, seed {self.seed}:"
            f" {s['always_hold']:,} of {s['subjects']:,} keep their rank always"
        ]
        for row in self.swaps.filter("within").head(8).iter_rows(named=True):
            lines.append(
                f"  {row['subject_id']} and {row['below']} swap where the weight of {row['section_id']}"
                f" is {row['factor']:.4g} times as large"
            )
        return "\n".join(lines)


def sensitivity(
    result: Assessment, *, within: float = 0.2, draws: int = 500, seed: int = 0, levels: tuple[str, ...] = ()
) -> Sensitivity:
    """Move the weights of sections and of departments and see which ranks hold.

    A card without weights is taken as one whose sections all have the weight 1: what a section brings or
    takes is multiplied. Marks are averaged anew under each draw of the departments' weights.

    Parameters
    ----------
    result : Assessment
    within : float
        How far weights move, 0 … 1.
    draws : int
    seed : int
        Same seed, same result.
    levels : tuple of str
        Only these levels; all without it.

    Raises
    ------
    UsageError
        ``within`` or ``draws`` cannot be meant.
    """
    if not 0 <= within <= 1 or draws < 1 or seed < 0:
        raise UsageError(
            f"within {within}, draws {draws}, seed {seed}: expected 0 … 1, 1 or more, 0 or more."
        )
    unknown = set(levels) - set(result.scores["level"])
    if unknown:
        raise UsageError(f"no subject has the level {', '.join(sorted(unknown))}.")
    scores = result.scores.filter(pl.col("level").is_in(levels)) if levels else result.scores
    rows = scores["entry"].to_numpy()
    random = np.random.default_rng(seed)
    half = round(within * STEPS)
    factors = random.integers(STEPS - half, STEPS + half + 1, (draws, result.card.sections.height))
    marked = moved_marks(result, rows)
    of_departments = result.card.departments.height if marked is not None else 0
    moved = random.integers(STEPS - half, STEPS + half + 1, (draws, of_departments))
    group = result.peer_codes[rows]
    before = _ranks(result.parts.score[rows][None, :], group)[0]
    same = np.zeros(len(rows), np.int64)
    best, worst = before.copy(), before.copy()
    block = max(1, BLOCK // max(1, len(rows) * (factors.shape[1] + 2)))
    for start in range(0, draws, block):
        part = slice(start, start + block)
        ranks = _ranks(_scores(result, rows, factors[part], marked, moved[part]), group)
        same += (ranks == before).sum(axis=0)
        best, worst = np.minimum(best, ranks.min(axis=0)), np.maximum(worst, ranks.max(axis=0))
    held = scores.select("subject_id", "level", "peer_group", "score", "rank").with_columns(
        holds_share=pl.Series(same / draws), best_rank=pl.Series(best), worst_rank=pl.Series(worst)
    )
    return Sensitivity(within, draws, seed, held, _swaps(result, scores, within), of_departments)


def _scores(
    result: Assessment,
    rows: NDArray[np.int64],
    factors: NDArray[np.int64],
    marked: MovedMarks | None,
    moved: NDArray[np.int64],
) -> Units:
    """Return the scores of some subjects under some sets of weights."""
    parts, numbers = result.parts, result.numbers
    rest = parts.plain[rows]
    made = np.empty((len(factors), len(rows)), np.int64)
    net = numbers.start + parts.earned[rows] - parts.deducted[rows] + parts.bonus[rows]
    # what caps of the whole leave out stays left out
    fixed = rest - net.sum(axis=1)
    percent = _percent(result, rows)
    for draw, factor in enumerate(factors):
        change = None if marked is None else marked.change(moved[draw], net.shape)
        if numbers.weights is None:
            drawn = net if change is None else net + change
            made[draw] = fixed + times_over(drawn @ factor, 1, STEPS)
            continue
        drawn = percent if change is None else _percent(result, rows, change)
        weight = numbers.weights * (parts.full[rows] > 0) * factor
        total = weight.sum(axis=1)
        mean = times_over((drawn * weight).sum(axis=1), 1, np.where(total > 0, total, 1))
        made[draw] = numbers.base + mean - parts.taken[rows, 0] + parts.taken[rows, 1]
    made = np.clip(made, numbers.least, numbers.most)
    if marked is not None:
        for draw in range(len(made)):
            made[draw] = marked.joined(made[draw], moved[draw])
    found: Units = np.minimum(rounded(made, result.card.head.decimals), parts.limit[rows])
    return found


def _percent(result: Assessment, rows: NDArray[np.int64], change: Units | int = 0) -> Units:
    parts = result.parts
    start = np.broadcast_to(result.numbers.start, (len(rows), parts.earned.shape[1]))
    earned = parts.earned[rows] + change
    return section_percent(start, earned, parts.deducted[rows], parts.bonus[rows], parts.full[rows])


def _ranks(scores: Units, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each score in its group, equal scores sharing the better one."""
    ranks = np.empty(scores.shape, np.int64)
    begin = np.searchsorted(np.sort(group), np.arange(int(group.max(initial=0)) + 1))
    place = np.arange(scores.shape[1])
    for draw, row in enumerate(scores):
        order = np.lexsort((-row, group))
        first = np.r_[True, (np.diff(row[order]) != 0) | (np.diff(group[order]) != 0)]
        ranks[draw, order] = np.maximum.accumulate(np.where(first, place, 0)) - begin[group[order]] + 1
    return ranks


SWAP_SCHEMA = {
    "subject_id": pl.String(),
    "below": pl.String(),
    "section_id": pl.String(),
    "factor": pl.Float64(),
    "within": pl.Boolean(),
}


def _swaps(result: Assessment, scores: pl.DataFrame, within: float) -> pl.DataFrame:
    """Return for each two neighbours and each section the factor at which they are equal."""
    parts = result.parts
    names = result.card.sections["section_id"].cast(pl.String).to_list()
    found: list[tuple[str, str, str, float, bool]] = []
    for _, frame in scores.group_by("level", "peer_group", maintain_order=True):
        rows, ids = frame["entry"].to_list(), frame["subject_id"].to_list()
        for place in range(len(rows) - 1):
            one, other = rows[place], rows[place + 1]
            if parts.score[one] == parts.score[other] or _is_bound(result, one) or _is_bound(result, other):
                continue
            for section, name in enumerate(names):
                factor = _equal_at(result, one, other, section)
                if factor is not None:
                    inside = abs(factor - 1) <= Fraction(str(within))
                    found.append((ids[place], ids[place + 1], name, float(factor), inside))
    frame = pl.DataFrame(found, schema=SWAP_SCHEMA, orient="row")
    return frame.sort((pl.col("factor") - 1).abs(), "subject_id", "section_id", maintain_order=True)


def _is_bound(result: Assessment, row: int) -> bool:
    """Tell whether a limit, a veto or a mark of the whole decides a score."""
    parts, numbers = result.parts, result.numbers
    plain = int(parts.plain[row])
    return bool(
        plain in (numbers.least, numbers.most) or parts.joined[row] != plain or parts.limit[row] < plain
    )


def _equal_at(result: Assessment, one: int, other: int, section: int) -> Fraction | None:
    """Return the factor of one section's weight at which two subjects are equal; None where there is none."""
    parts, numbers = result.parts, result.numbers
    if numbers.weights is None:
        pair = [one, other]
        net = parts.earned[pair, section] - parts.deducted[pair, section] + parts.bonus[pair, section]
        slope = int(net[0] - net[1])
        distance = int(parts.plain[one] - parts.plain[other])
        factor = None if slope == 0 else 1 - Fraction(distance, slope)
    else:
        percent = _percent(result, np.array([one, other]))
        used = numbers.weights * (parts.full[[one, other]] > 0)
        if (used[0] != used[1]).any():
            return None  # their means are over different sections
        differ = percent[0] - percent[1]
        rest = int(parts.taken[one, 1] - parts.taken[one, 0] - parts.taken[other, 1] + parts.taken[other, 0])
        total = int(used[0].sum())
        distance = int((used[0] * differ).sum()) + total * rest
        slope = int(used[0, section]) * (int(differ[section]) + rest)
        factor = None if slope == 0 else 1 - Fraction(distance, slope)
    return factor if factor is not None and factor >= 0 else None
