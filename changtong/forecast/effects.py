"""What weekday, holidays and promotions do to volumes, pooled over the legs.

One day of one leg is mostly noise; the same day of all legs tells the effect well. So effects
are ratios of sums: what the legs moved on such days to their level before and after. They are
drawn towards what is known without them in proportion of one over the number of occurrences
(empirical Bayes, e.g. Efron & Morris 1975, J. Am. Stat. Assoc. 70). Only the weekdays have a part of the
leg's own, as far as legs differ by more than noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from changtong.forecast.calendar import Mark, read_assumed_factors, read_promotions
from changtong.forecast.history import Bools, Floats, History

POOLED_LEGS = 300
"""Largest legs from which effects are learned: the rest adds time, not pieces."""

LEVEL_DAYS = 14
"""Ordinary days before, and after, whose medians make the level of a day."""

WEEKDAY_DAYS = 182
LEAST_DAYS_WEEKDAY = 14
PRIOR_WEEKS = 2.0
PRIOR_OCCURRENCES = 0.3
"""What is known without the history counts like so many occurrences."""

PRIOR_STRENGTH = 0.3
"""Weight of the assumed factors against seen ones; a whole promotion has about 2."""

STEADY = 10.0
"""A leg tells an effect on days within this factor of its level."""


@dataclass(frozen=True)
class Effects:
    """Factors on the level.

    Attributes
    ----------
    factors : array, (legs, days)
        Of history and forecast.
    unseen : frozenset of Mark
        Marks ahead that the history has not seen, nor any like them: factors of promotions are
        assumed then, other days count as ordinary or as a long holiday.
    """

    factors: Floats
    unseen: frozenset[Mark]


def learn_effects(history: History, marks: Sequence[Mark | None]) -> Effects:
    """Learn effects from the history and lay them out over history and forecast.

    Parameters
    ----------
    history : History
    marks : sequence
        Of every day of history and forecast.
    """
    days = len(marks)
    weekday = history.weekdays(days)
    ordinary = history.known & np.array([mark is None for mark in marks[: history.days]])
    total = history.pieces.sum(axis=1)
    chosen = np.sort(np.argsort(-total, kind="stable")[:POOLED_LEGS])
    factors = np.ones((len(total), days))
    occurrences: dict[Mark, list[float]] = {}
    if np.count_nonzero(ordinary) >= LEAST_DAYS_WEEKDAY:
        pieces = np.where(history.was_shut[chosen], np.nan, history.pieces[chosen])
        level = running_level(pieces, ordinary)
        pieces = np.nan_to_num(pieces)  # nothing moved: not steady, and so left out
        pooled, own = _weekday_factors(pieces, level, ordinary, weekday[: history.days])
        factors *= pooled[weekday]
        factors[chosen] = own[:, weekday]
        steady = _steady(pieces, level) & history.known
        adjusted = pieces / own[:, weekday[: history.days]]
        ratio = _ratio(adjusted, level, steady)
        for day, mark in enumerate(marks[: history.days]):
            if mark is not None and np.isfinite(ratio[day]):
                occurrences.setdefault(mark, []).append(float(ratio[day]))
    size = {mark: np.exp(_log_factor(mark, occurrences)) for mark in set(marks) - {None} if mark is not None}
    factors *= np.array([1.0 if mark is None else size[mark] for mark in marks])
    factors[:, np.isin(weekday, list(history.rest_weekdays))] = 0.0
    ahead = {mark for mark in marks[history.days :] if mark is not None}
    return Effects(
        factors,
        frozenset(mark for mark in ahead if not _alike(mark) & occurrences.keys()),
    )


def running_level(pieces: Floats, ordinary: Bools) -> Floats:
    """Return the level of each day: medians of the ordinary days before and after, by distance.

    Parameters
    ----------
    pieces : array, (legs, days)
        NaN where a leg was shut.
    ordinary : array, (days,)
        Days that may tell a level.
    """
    at = np.flatnonzero(ordinary)
    level = np.zeros_like(pieces)
    position = np.searchsorted(at, np.arange(pieces.shape[1]))
    for day, here in enumerate(position):
        sides = [at[max(0, here - LEVEL_DAYS) : here], at[here : here + LEVEL_DAYS]]
        away = [abs(day - float(side.mean())) if len(side) else 1.0 for side in sides]
        (before, seen_before), (after, seen_after) = (_medians(pieces[:, side]) for side in sides)
        between = (before * away[1] + after * away[0]) / max(sum(away), 1e-9)
        level[:, day] = np.where(seen_before & seen_after, between, np.where(seen_after, after, before))
    return level


def _medians(values: Floats) -> tuple[Floats, Bools]:
    """Return the median of each row's values, 0 without any, and whether there is one."""
    count = np.isfinite(values).sum(axis=1)
    if not values.shape[1]:
        return np.zeros(len(values)), count > 0
    ordered, row = np.sort(values, axis=1), np.arange(len(values))  # NaN come last
    last = np.maximum(count - 1, 0)
    middle = (ordered[row, last // 2] + ordered[row, (last + 1) // 2]) / 2.0
    return np.where(count > 0, middle, 0.0), count > 0


def _steady(pieces: Floats, level: Floats) -> Bools:
    return (level > 0) & (pieces > level / STEADY) & (pieces < level * STEADY)


def _ratio(pieces: Floats, level: Floats, steady: Bools) -> Floats:
    """Return, by day, the logarithm of what steady legs moved to their level; NaN without any."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log((pieces * steady).sum(axis=0) / (level * steady).sum(axis=0)))


def _weekday_factors(
    pieces: Floats, level: Floats, ordinary: Bools, weekday: np.ndarray
) -> tuple[Floats, Floats]:
    """Return factors by weekday: pooled (7), and of each leg (legs, 7)."""
    recent = ordinary & (np.arange(len(ordinary)) >= len(ordinary) - WEEKDAY_DAYS)
    steady = _steady(pieces, level) & recent
    network = _ratio(pieces, level, steady)
    single = np.where(steady, np.log(np.where(steady, pieces / np.where(level > 0, level, 1.0), 1.0)), np.nan)
    pooled, own = np.zeros(7), np.zeros((len(pieces), 7))
    noise = np.zeros((len(pieces), 7))
    for k in range(7):
        here = recent & (weekday == k) & np.isfinite(network)
        weeks = int(np.count_nonzero(here))
        if weeks:
            pooled[k] = np.median(network[here]) * weeks / (weeks + PRIOR_WEEKS)
        values = single[:, here]
        count = np.isfinite(values).sum(axis=1)
        mean = np.nansum(values, axis=1) / np.maximum(count, 1)
        spread = np.nansum((values - mean[:, None]) ** 2, axis=1) / np.maximum(count - 1, 1)
        told = count >= 4
        own[:, k] = np.where(told, mean, np.nan)
        noise[:, k] = np.where(told, spread / np.maximum(count, 1), np.nan)
    own -= np.nan_to_num(_row_means(own))[:, None]  # a leg's level is no matter of weekdays
    pooled -= pooled.mean()
    away = own - pooled
    told = np.isfinite(away) & np.isfinite(noise)
    # how much legs differ beyond what their noise explains
    between = max(0.0, float(np.mean(away[told] ** 2 - noise[told]))) if told.any() else 0.0
    weight = np.where(told, between / (between + np.where(told, noise, 1.0) + 1e-12), 0.0)
    own = pooled + weight * np.where(told, away, 0.0)
    return np.exp(pooled), np.exp(own)


def _row_means(values: Floats) -> Floats:
    count = np.isfinite(values).sum(axis=1)
    return np.asarray(np.where(count > 0, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan))


def _alike(mark: Mark) -> set[Mark]:
    """Return the marks from which the factor of a promotion's day is learned."""
    return {mark, Mark("great", mark.part, mark.offset)} if mark.part else {mark}


def _assumed(mark: Mark) -> float:
    return float(np.log(read_assumed_factors().get((mark.part, mark.offset), 1.0)))


def _strength(occurrences: dict[Mark, list[float]]) -> float:
    """Return the share of the assumed factors that holds here, by the days seen: ridge to 1, at most 1."""
    seen = [(_assumed(mark), float(np.mean(v))) for mark, v in occurrences.items() if mark.event == "great"]
    both = sum(assumed * found for assumed, found in seen)
    share = (both + PRIOR_STRENGTH) / (sum(assumed**2 for assumed, _ in seen) + PRIOR_STRENGTH)
    return min(1.0, max(0.0, share))


def _log_factor(mark: Mark, occurrences: dict[Mark, list[float]]) -> float:
    """Return the logarithm of a mark's factor, drawn towards what is known without it."""
    seen = occurrences.get(mark, [])
    prior = 0.0
    if mark.event == "small":
        strength = next(one.strength for one in read_promotions() if one.kind == "small")
        prior = strength * _log_factor(Mark("great", mark.part, mark.offset), occurrences)
    elif mark.part:
        prior = _strength(occurrences) * _assumed(mark)
    elif mark.event == "spring" and -1 <= mark.offset <= 6:
        # days of rest of the longest holiday: at least what another long one does
        prior = _log_factor(Mark("rest-long"), occurrences)
    return float((np.sum(seen) + PRIOR_OCCURRENCES * prior) / (len(seen) + PRIOR_OCCURRENCES))
