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
        Pieces by which errors are measured: how far the row's days usually lie from their level.
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
    legs, sites : Rows
    states, methods : list of str
        Of each leg.
    effects : Effects
    """

    legs: Rows
    sites: Rows
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
    factors = effects.factors[:, history.days :]
    pieces = level * factors
    legs = _rows(pieces, level, adjusted, factors, dead)
    of_sites = [side.legs for side in sides(history)]
    site_pieces, site_level = sums_by_site(pieces, of_sites), sums_by_site(level, of_sites)
    site_factors = np.where(site_level > 0, site_pieces / np.where(site_level > 0, site_level, 1.0), 1.0)
    sites = _rows(
        site_pieces,
        site_level,
        sums_by_site(adjusted, of_sites),
        site_factors,
        np.array([dead[legs_of].all() for legs_of in of_sites]),
    )
    return Projection(legs, sites, found, methods, effects)


def _rows(pieces: Floats, level: Floats, adjusted: Floats, factors: Floats, dead: Ints) -> Rows:
    mean = level.mean(axis=1)
    kind = np.digitize(zero_shares(adjusted), ZERO_SHARES) * (len(SIZES) + 1) + np.digitize(mean, SIZES)
    return Rows(pieces, spreads(adjusted, mean)[:, None] * factors, kind, dead)
