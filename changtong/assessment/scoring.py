"""From points to scores: caps, weights, pass-through up the hierarchy, whole marks, vetoes, rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.counted_facts import BONUS, DEDUCT, VETO, CountedFacts, summed
from changtong.assessment.data_checks import parents_of
from changtong.assessment.exact import MILLION, Units, rounded, times_over, to_units, unit, whole_weights
from changtong.assessment.indicator_points import IndicatorPoints, mean_of_marks
from changtong.assessment.scorecard import Scorecard

NO_LIMIT = np.iinfo(np.int64).max
HUNDRED = 100 * MILLION


@dataclass(frozen=True)
class CardNumbers:
    """The card in millionths and row numbers.

    Attributes
    ----------
    base, least, most, max_deduction, max_bonus : int
    weights : array or None
        Of sections, whole numbers.
    start, section_max : array
        ``section_max[effect]`` are the caps of sections.
    rule_section, rule_max, indicator_section : array
    """

    base: int
    least: int
    most: int
    max_deduction: int
    max_bonus: int
    weights: NDArray[np.int64] | None
    start: Units
    section_max: tuple[Units, Units]
    rule_section: NDArray[np.int64]
    rule_max: Units
    indicator_section: NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """What a score is made of; one row a subject, in millionths.

    Attributes
    ----------
    earned, deducted, bonus, full : array (subjects, sections)
        Points of indicators, deductions and bonus after the caps of rules and sections, full points.
    raw : tuple of array (subjects, sections)
        Deductions and bonus after the caps of rules only.
    taken : array (subjects, 2)
        Deductions and bonus taken over from below.
    passed : array (subjects, 2)
        What each passes to the one above.
    charged : array (subjects, 2)
        All deductions and all bonus, after the caps of the whole.
    plain : array
        Score before marks of the whole, vetoes and rounding.
    joined : array
        After marks of the whole.
    limit : array
        Highest score that vetoes leave.
    score : array
        After rounding and vetoes.
    """

    earned: Units
    deducted: Units
    bonus: Units
    full: Units
    raw: tuple[Units, Units]
    taken: Units
    passed: Units
    charged: Units
    plain: Units
    joined: Units
    limit: Units
    score: Units


def card_numbers(card: Scorecard) -> CardNumbers:
    """Return the numbers of a card.

    Parameters
    ----------
    card : Scorecard
    """
    head, sections = card.head, card.sections

    def limit(value: float | None, otherwise: int) -> int:
        return otherwise if value is None else unit(value)

    def caps(column: pl.Series) -> Units:
        return np.where(column.is_null().to_numpy(), NO_LIMIT, to_units(column))

    weights = np.array(whole_weights(sections["weight"].to_list()), np.int64) if card.weighted else None
    return CardNumbers(
        base=unit(head.base),
        least=limit(head.least_points, -NO_LIMIT),
        most=limit(head.most_points, NO_LIMIT),
        max_deduction=limit(head.max_deduction, NO_LIMIT),
        max_bonus=limit(head.max_bonus, NO_LIMIT),
        weights=weights,
        start=to_units(sections["start_points"]),
        section_max=(caps(sections["max_deduction"]), caps(sections["max_bonus"])),
        rule_section=card.rules["section_id"].to_physical().to_numpy().astype(np.int64),
        rule_max=caps(card.rules["max_points"]),
        indicator_section=card.indicators["section_id"].to_physical().to_numpy().astype(np.int64),
    )


def score_parts(card: Scorecard, numbers: CardNumbers, got: IndicatorPoints, hits: CountedFacts) -> Parts:
    """Put a score together for every subject.

    Parameters
    ----------
    card : Scorecard
    numbers : CardNumbers
    got : IndicatorPoints
    hits : CountedFacts
    """
    subjects, sections = card.subjects.height, card.sections.height
    earned = np.zeros((subjects, sections), np.int64)
    full = np.tile(numbers.start, (subjects, 1))
    for column, section in enumerate(numbers.indicator_section):
        earned[:, section] += got.points[:, column]
        full[:, section] += got.most[column] * (got.applies[:, column] & ~got.waiting[column])
    given = card.sections["full_points"]
    full = np.where(given.is_null().to_numpy(), full, to_units(given))
    raw = (
        _by_section(hits, DEDUCT, numbers, subjects, sections),
        _by_section(hits, BONUS, numbers, subjects, sections),
    )
    deducted, bonus = np.minimum(raw[0], numbers.section_max[0]), np.minimum(raw[1], numbers.section_max[1])
    taken, passed, charged = _passed_up(card, numbers, deducted.sum(axis=1), bonus.sum(axis=1))
    plain = plain_score(numbers, earned, deducted, bonus, full, taken)
    joined = _with_whole_marks(card, plain)
    limit = veto_limits(card, hits)
    score = np.minimum(rounded(joined, card.head.decimals), limit)
    return Parts(earned, deducted, bonus, full, raw, taken, passed, charged, plain, joined, limit, score)


def _by_section(hits: CountedFacts, effect: int, numbers: CardNumbers, subjects: int, sections: int) -> Units:
    """Sum the hits of one effect by subject and section, each rule up to its cap."""
    found = np.zeros((subjects, sections), np.int64)
    rows = hits.counting(effect)
    if not len(rows):
        return found
    rules = len(numbers.rule_section)
    keys, amounts = summed(hits.who[rows] * rules + hits.rule[rows], hits.points[rows])
    who, rule = np.divmod(keys, rules)
    np.add.at(found, (who, numbers.rule_section[rule]), np.minimum(amounts, numbers.rule_max[rule]))
    return found


def _passed_up(
    card: Scorecard, numbers: CardNumbers, deducted: Units, bonus: Units
) -> tuple[Units, Units, Units]:
    """Pass shares of deductions and bonus up, the lowest level first."""
    own = np.stack([deducted, bonus], axis=1)
    caps = np.array([numbers.max_deduction, numbers.max_bonus])
    taken, passed = np.zeros_like(own), np.zeros_like(own)
    parents = parents_of(card.subjects)
    shares = _shares(card)
    if shares.any():
        for rows in _by_depth(parents):
            all_of_it = own[rows] + (taken[rows] if card.head.pass_through_of == "charged" else 0)
            passed[rows] = times_over(np.minimum(all_of_it, caps), shares[rows], MILLION)
            np.add.at(taken, parents[rows], passed[rows])
    return taken, passed, np.minimum(own + taken, caps)


def _shares(card: Scorecard) -> NDArray[np.int64]:
    """Return what each subject passes up of deductions and of bonus, in millionths."""
    rows = card.pass_through.select("level", "deductions_permille", "bonus_permille").rows()
    by_level = {level: (round(one * 1000), round(other * 1000)) for level, one, other in rows}
    shares = np.zeros((card.subjects.height, 2), np.int64)
    for level, both in by_level.items():
        shares[(card.subjects["level"] == level).to_numpy()] = both
    return shares


def _by_depth(parents: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows that have a parent, level by level, the deepest first."""
    depth, at = np.zeros(len(parents), np.int64), parents.copy()
    while (at >= 0).any():
        depth += at >= 0
        at = np.where(at >= 0, parents[at], -1)
    return [np.flatnonzero(depth == level) for level in range(int(depth.max(initial=0)), 0, -1)]


def section_percent(start: Units, earned: Units, deducted: Units, bonus: Units, full: Units) -> Units:
    """Return sections in per cent of their full points, between 0 and 100.

    A section without full points, as for a subject it has nothing for, has 0 and is left out of the mean.

    Parameters
    ----------
    start, earned, deducted, bonus, full : array
        Of one shape.
    """
    got = start + earned - deducted + bonus
    there = full > 0
    return times_over(np.clip(got, 0, np.where(there, full, 0)), HUNDRED, np.where(there, full, 1))


def weighted_mean(weights: NDArray[np.int64], percent: Units, full: Units) -> Units:
    """Return the weighted mean of the sections that have full points; 0 where none has.

    Parameters
    ----------
    weights : array (sections,)
    percent, full : array (rows, sections)
    """
    used = weights * (full > 0)
    total = used.sum(axis=1)
    return times_over((percent * used).sum(axis=1), 1, np.where(total > 0, total, 1))


def plain_score(
    numbers: CardNumbers, earned: Units, deducted: Units, bonus: Units, full: Units, taken: Units
) -> Units:
    """Return scores before marks of the whole, vetoes and rounding.

    Parameters
    ----------
    numbers : CardNumbers
    earned, deducted, bonus, full : array (rows, sections)
    taken : array (rows, 2)
    """
    if numbers.weights is None:
        less = np.minimum(deducted.sum(axis=1) + taken[:, 0], numbers.max_deduction)
        more = np.minimum(bonus.sum(axis=1) + taken[:, 1], numbers.max_bonus)
        total = numbers.base + int(numbers.start.sum()) + earned.sum(axis=1) - less + more
    else:
        start = np.broadcast_to(numbers.start, earned.shape)
        percent = section_percent(start, earned, deducted, bonus, full)
        mean = weighted_mean(numbers.weights, percent, full)
        total = numbers.base + mean - taken[:, 0] + taken[:, 1]
    found: Units = np.clip(total, numbers.least, numbers.most)
    return found


def _with_whole_marks(card: Scorecard, plain: Units) -> Units:
    """Return scores with the departments' marks of the whole, once all have handed in."""
    whole = card.marks.filter(pl.col("indicator_id").is_null())
    if not whole.height or card.waiting_for:
        return plain
    names = tuple(card.departments["department_id"].cast(pl.String))
    found, given = mean_of_marks(card, whole, names, own=plain)
    marked = np.zeros(len(plain), bool)
    marked[whole["subject_id"].to_physical().to_numpy()] = True
    return np.where(given & marked, found, plain)


def veto_limits(card: Scorecard, hits: CountedFacts) -> Units:
    """Return the highest score that vetoes leave each subject.

    Parameters
    ----------
    card : Scorecard
    hits : CountedFacts
    """
    limit = np.full(card.subjects.height, NO_LIMIT)
    rows = hits.counting(VETO)
    if len(rows):
        left = card.rules["score_at_most"]
        of_rule = np.where(left.is_null().to_numpy(), NO_LIMIT, to_units(left))
        np.minimum.at(limit, hits.who[rows], of_rule[hits.rule[rows]])
    return limit
