"""The six components of an outlet's stability: rates that are the same for large and small outlets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.outlets.index_rules import Component, IndexRules
from changtong.outlets.outlet_months import Matrix, OutletMonths
from changtong.outlets.peers import (
    peer_middles,
    peer_rates,
    size_classes,
    spreads_worse,
    trailing_mean,
)
from changtong.outlets.stoppages import Stoppages

ARREARS_MONTHS = 3


@dataclass(frozen=True)
class Standing:
    """How outlets stand in one component (arrays: outlets x months, NaN is not known).

    Attributes
    ----------
    component : Component
    value : array
        As it was counted.
    drawn : array
        Drawn towards the outlets of like size, the more the less there was to count.
    usual : array
        Mean of ``drawn`` over the own months before.
    peers : array
        Median of ``drawn`` of the outlets of like size.
    worse : array
        By how many spreads it is worse than both, together.
    own_share : array
        How much of ``drawn`` is the outlet's own counting.
    """

    component: Component
    value: Matrix
    drawn: Matrix
    usual: Matrix
    peers: Matrix
    worse: Matrix
    own_share: Matrix


def component_standings(
    months: OutletMonths, stoppages: Stoppages, rules: IndexRules
) -> tuple[NDArray[np.int8], tuple[Standing, ...]]:
    """Return the classes of like size and how each outlet stands in each component.

    Parameters
    ----------
    months : OutletMonths
    stoppages : Stoppages
        Only outlets that stand are compared with.
    rules : IndexRules
    """
    classes = size_classes(months.daily, stoppages.stands, rules.scaling)
    made = []
    for one in rules.components:
        made.append(_volume(months, stoppages, classes, one, rules) if one.id == "volume"
                    else _rate(months, stoppages, classes, one, rules))  # fmt: skip
    return classes, tuple(made)


def _counts(months: OutletMonths, component: str) -> tuple[Matrix, Matrix]:
    """Return what is counted, and of how much."""
    values = months.values
    if component == "lateness":
        return values["late_pieces"], values["due_pieces"]
    if component == "backlog":
        return values["backlog_pieces"], months.daily
    if component == "complaints":
        return values["complaints"], values["pieces"]
    if component == "turnover":
        return values["left"], values["staff"]
    return values["arrears_cny"], trailing_mean(values["pieces"], ARREARS_MONTHS)


def _rate(
    months: OutletMonths, stoppages: Stoppages, classes: NDArray[np.int8], one: Component, rules: IndexRules
) -> Standing:
    over, under = _counts(months, one.id)
    with np.errstate(invalid="ignore", divide="ignore"):
        known = stoppages.stands & np.isfinite(over) & (under > 0)
        over, under = np.where(known, over, np.nan), np.where(known, under, np.nan)
        value = over / under
        peers = peer_rates(over, under, classes)
        own = np.where(np.isfinite(peers), under / (under + one.prior), 1.0)
        drawn = np.where(np.isfinite(peers), (over + one.prior * peers) / (under + one.prior), value)
    return _standing(one, value, drawn, np.where(known, own, np.nan), classes, rules)


def _volume(
    months: OutletMonths, stoppages: Stoppages, classes: NDArray[np.int8], one: Component, rules: IndexRules
) -> Standing:
    """Fall of the pieces a day against the months before, less that of outlets of like size (the season)."""
    scaling = rules.scaling
    daily = np.where(stoppages.stands, months.daily, np.nan)
    recent = trailing_mean(daily, scaling.recent_months)
    base = trailing_mean(
        daily, scaling.base_months, before=scaling.recent_months, least=scaling.least_history
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        known = np.isfinite(daily) & np.isfinite(recent) & (base > 0)
        value = np.where(known, recent / base - 1.0, np.nan)
        fall = np.where(known, -np.log((recent + one.prior) / (base + one.prior)), np.nan)
        own = np.where(known, base / (base + one.prior), np.nan)
    middle, _ = peer_middles(fall, classes, scaling)
    drawn = fall - np.where(np.isfinite(middle), middle, 0.0)
    made = _standing(one, value, drawn, own, classes, rules)
    peers, _ = peer_middles(value, classes, scaling)
    usual = trailing_mean(value, scaling.history_months, before=1, least=scaling.least_history)
    return Standing(one, value, drawn, usual, peers, made.worse, own)


def _standing(
    one: Component, value: Matrix, drawn: Matrix, own: Matrix, classes: NDArray[np.int8], rules: IndexRules
) -> Standing:
    middle, spread = peer_middles(drawn, classes, rules.scaling)
    worse, usual = spreads_worse(drawn, middle, spread, rules.scaling, one.least_scale)
    return Standing(one, value, drawn, usual, middle, worse, own)
