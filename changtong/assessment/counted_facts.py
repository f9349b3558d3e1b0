"""Findings to deductions, bonus and vetoes: one finding counts once, the larger amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.exact import Units, to_units
from changtong.assessment.scorecard import Scorecard

DEDUCT, BONUS, VETO = 0, 1, 2
EFFECTS = {"deduct": DEDUCT, "bonus": BONUS, "veto": VETO}
COUNTS, SMALLER, WITHDRAWN = 0, 1, 2
WHY = ("counts", "smaller", "withdrawn")
"""Why a hit counts or not: ``smaller`` hits are of a finding that counts under another rule."""


@dataclass(frozen=True)
class CountedFacts:
    """The rows of ``facts`` with what each comes to.

    Attributes
    ----------
    who, rule : array
        Row of the subject and of the rule.
    effect : array
        0 deduct, 1 bonus, 2 veto.
    points : array
        Of the hit alone, in millionths, without sign.
    why : array
        Index into ``WHY``.
    """

    who: NDArray[np.int64]
    rule: NDArray[np.int64]
    effect: NDArray[np.int8]
    points: Units
    why: NDArray[np.int8]

    def counting(self, effect: int) -> NDArray[np.int64]:
        """Return the rows that count with one effect."""
        found: NDArray[np.int64] = np.flatnonzero((self.why == COUNTS) & (self.effect == effect))
        return found


def counted_facts(card: Scorecard) -> CountedFacts:
    """Decide for each hit what it comes to and whether it counts.

    Of the hits of one finding on one subject only the largest deduction and the largest bonus count; where
    two are equal, the rule that stands first on the card.

    Parameters
    ----------
    card : Scorecard
    """
    facts, rules = card.facts, card.rules
    who = facts["subject_id"].to_physical().to_numpy().astype(np.int64)
    rule = facts["rule_id"].to_physical().to_numpy().astype(np.int64)
    if not facts.height or not rules.height:
        empty = np.zeros(0, np.int64)
        return CountedFacts(empty, empty, empty.astype(np.int8), empty, empty.astype(np.int8))
    effect_of = rules["effect"].replace_strict(EFFECTS, return_dtype=pl.Int8).to_numpy()
    times = facts["count"].to_numpy()
    points = to_units(rules["points"])[rule] * np.where(rules["per_count"].to_numpy()[rule], times, 1)
    why = np.where((facts["state"] == "withdrawn").to_numpy(), WITHDRAWN, COUNTS).astype(np.int8)
    effect = effect_of[rule]
    _leave_smaller(facts["fact_id"], who, rule, effect, points, why)
    return CountedFacts(who, rule, effect, points, why)


def _leave_smaller(
    fact: pl.Series,
    who: NDArray[np.int64],
    rule: NDArray[np.int64],
    effect: NDArray[np.int8],
    points: Units,
    why: NDArray[np.int8],
) -> None:
    """Mark the hits whose finding counts under another rule already."""
    rows = np.flatnonzero(fact.is_duplicated().to_numpy() & (why == COUNTS) & (effect != VETO))
    if not len(rows):
        return
    frame = pl.DataFrame(
        {
            "row": rows,
            "fact": fact.gather(rows),
            "who": who[rows],
            "effect": effect[rows],
            "less": -points[rows],
            "rule": rule[rows],
        }
    ).sort("less", "rule")
    again = ~frame.select(pl.struct("fact", "who", "effect").is_first_distinct()).to_series()
    why[frame.filter(again)["row"].to_numpy()] = SMALLER


def summed(keys: NDArray[np.int64], amounts: Units) -> tuple[NDArray[np.int64], Units]:
    """Return the keys that occur, and the sum of the amounts of each.

    Parameters
    ----------
    keys, amounts : array
    """
    if not len(keys):
        return keys, amounts
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[starts], np.add.reduceat(amounts[order], starts)
