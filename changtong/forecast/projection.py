"""What every leg and site is expected to move: level times factors, legs summed to sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from changtong.forecast.calendar import Mark
from changtong.forecast.effects import Effects, learn_effects
from changtong.forecast.history import Floats, History, Ints, states
from changtong.forecast.models import adjusted_series, levels_ahead, spreads, sums_by_site, zero_shares

ZERO_SHARES = (0.05, 0.5)
SIZES = (10.0, 1000.0)
USUAL_SHARE = 1 / 3
LEAST_PIECES = 0.5


@dataclass(frozen=True)
class Site:
    """One side of a site: what comes in, or what goes out."""

    name: str
    inbound: bool
    legs: Ints


@dataclass(frozen=True)
class Rows:
    """Legs, or sites, ahead.

    Attributes
    ----------
    pieces : array, (rows, days)
    scale : array, (rows, days)
        Pieces by which errors are measured: between how far the row's days usually lie from their
        level and the level itself (geometric mean, the level twice), since a day strays by the former
        and a level shifts by a share of the latter.
    kind : array, (rows,)
        Class of rows alike: by how often nothing moves, and by size.
    dead : array, (rows,)
    """

    pieces: Floats
    scale: Floats
    kind: Ints
    dead: Ints


@dataclass(frozen=True)
class Projection:
    """Point forecast.

    Attributes
    ----------
    legs, sites, total : Rows
        ``total`` is one row: all legs.
    states, methods : list of str
        Of each leg.
    effects : Effects
    """

    legs: Rows
    sites: Rows
    total: Rows
    states: list[str]
    methods: list[str]
    effects: Effects


def sides(history: History) -> list[Site]:
    """Return both sides of every site, with their legs."""
    found: dict[tuple[str, bool], list[int]] = {}
    for inbound, ends in ((True, history.to_sites), (False, history.from_sites)):
        for leg, name in enumerate(ends):
            found.setdefault((name, inbound), []).append(leg)
    return [Site(*key, np.array(found[key])) for key in sorted(found)]


def project(history: History, marks: Sequence[Mark | None]) -> Projection:
    """Return what every leg and site is expected to move on the days after the history.

    Parameters
    ----------
    history : History
    marks : sequence
        Of every day of history and forecast.
    """
    ahead = len(marks) - history.days
    effects = learn_effects(history, marks)
    adjusted = adjusted_series(history, effects.factors[:, : history.days])
    found = states(history)
    dead = np.array([state == "dead" for state in found])
    level = np.zeros((len(found), ahead))
    methods = ["zero"] * len(found)
    living = np.flatnonzero(~dead)
    if len(living):
        level[living], told = levels_ahead(adjusted[living], ahead)
        for leg, method in zip(living, told, strict=True):
            methods[leg] = method
    factors = np.where(history.will_be_shut(ahead), 0.0, effects.factors[:, history.days :])
    pieces = level * factors
    legs = _rows(pieces, level, adjusted, factors, dead)
    # where some of its legs were shut a site's days are not lower: they count with their level
    filled = np.where(history.was_shut & np.isnan(adjusted), level.mean(axis=1)[:, None], adjusted)
    of_sites = [side.legs for side in sides(history)]
    sites = _summed(pieces, level, filled, dead, of_sites)
    total = _summed(pieces, level, filled, dead, [np.arange(len(found))])
    return Projection(legs, sites, total, found, methods, effects)


def _summed(pieces: Floats, level: Floats, adjusted: Floats, dead: Ints, legs_of: list[Ints]) -> Rows:
    """Return rows that are sums of legs."""
    of_rows, levels = sums_by_site(pieces, legs_of), sums_by_site(level, legs_of)
    factors = np.where(levels > 0, of_rows / np.where(levels > 0, levels, 1.0), 1.0)
    all_dead = np.array([dead[legs].all() for legs in legs_of])
    return _rows(of_rows, levels, sums_by_site(adjusted, legs_of), factors, all_dead)


def _rows(pieces: Floats, level: Floats, adjusted: Floats, factors: Floats, dead: Ints) -> Rows:
    mean = level.mean(axis=1)
    kind = np.digitize(zero_shares(adjusted), ZERO_SHARES) * (len(SIZES) + 1) + np.digitize(mean, SIZES)
    usual = spreads(adjusted, mean)[:, None] * factors
    scale = usual**USUAL_SHARE * np.maximum(pieces, LEAST_PIECES) ** (1.0 - USUAL_SHARE)
    return Rows(pieces, scale, kind, dead)
