"""The early warning: how likely each outlet stops within the next months, learned from months before only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.outlets.features import (
    FREE,
    Lesson,
    feature_names,
    lessons,
    month_features,
    stop_within,
)
from changtong.outlets.hazard_model import HazardModel, fit_hazards
from changtong.outlets.index_rules import IndexRules, read_index_rules
from changtong.outlets.outlet_months import OutletMonths, read_outlet_months
from changtong.outlets.peers import trailing_mean
from changtong.outlets.ranking_quality import threshold_for
from changtong.outlets.reasons import say_contributions
from changtong.outlets.stability import Stability, outlet_stability

Array = NDArray[np.float64]
FOLDS = 2
DROP_MONTHS = 3
SCORES = ("model", "index", "volume_drop")
"""The warning, and the two simple rules it must beat: the last index, and the fall of the pieces a day."""


@dataclass(frozen=True)
class Warner:
    """What a warning was learned from, and from where on it warns.

    Attributes
    ----------
    model : HazardModel
    thresholds : dict
        Score -> threshold, each with the same bound on false warnings in the months learned from.
    first, last : int
        Columns of the first month learned from, and of the last whose outcomes were known.
    rows, stops : int
        Outlet-months with a known outcome within the horizon, and how many stopped.
    """

    model: HazardModel
    thresholds: dict[str, float]
    first: int
    last: int
    rows: int
    stops: int


def month_scores(
    stability: Stability, month: int, rows: NDArray[np.bool_], model: HazardModel
) -> dict[str, Array]:
    """Return the three scores of some outlets in a month; the higher the nearer to a stop.

    Parameters
    ----------
    stability : Stability
    month : int
    rows : array of bool
    model : HazardModel
    """
    daily = stability.months.daily[rows][:, max(0, month - DROP_MONTHS) : month + 1]
    usual = trailing_mean(daily, DROP_MONTHS, before=1)[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        drop = np.nan_to_num(1.0 - daily[:, -1] / usual, nan=0.0, posinf=0.0, neginf=0.0)
    return {
        "model": model.within(month_features(stability, month, rows))[:, -1],
        "index": 100.0 - stability.score[rows, month],
        "volume_drop": drop,
    }


def learn_warning(stability: Stability, last: int) -> Warner:
    """Learn from months up to one; what came after it is not looked at.

    Parameters
    ----------
    stability : Stability
    last : int
        Column of the last month that is known.

    Raises
    ------
    UsageError
        ``too-few-events``.

    Notes
    -----
    The thresholds come from outlets that the model asked was not fitted to: it is fitted to each half of the
    outlets and asked about the other one. The model that is kept is fitted to all.
    """
    rule, names = stability.rules.warning, feature_names(stability)
    first = min(stability.rules.scaling.least_history, last)
    months = range(first, last)
    horizon = rule.horizon_months
    begun = int(stability.stoppages.begins[:, first + 1 : last + 1].sum())
    if begun < rule.least_events or last - first < horizon:
        seen = stability.months.months[last]
        text = (
            f"{begun} outlets stopped between {stability.months.months[0]} and {seen}; a warning is learned "
            f"from {rule.least_events} or more, over more than {first + horizon} months. Give more months, "
            "or, where an outlet without a row has closed, say so with --absent stopped."
        )
        raise UsageError(text, "too-few-events")
    model = _fitted(names, lessons(stability, months, horizon, last), rule.ridge)
    scores, happened = _scores_of_others(stability, months, last, names)
    false = rule.most_false_per_outlet_year * len(happened) / 12.0
    thresholds = {name: threshold_for(scores[name], happened, false) for name in SCORES}
    return Warner(model, thresholds, first, last, len(happened), int(happened.sum()))


def _fitted(names: tuple[str, ...], learned: list[Lesson], ridge: float) -> HazardModel:
    return fit_hazards(names, [(one.features, one.stops, one.weight) for one in learned], ridge, FREE)


def _scores_of_others(
    stability: Stability, months: range, last: int, names: tuple[str, ...]
) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """Return the scores of outlets by models that were not fitted to them, and what happened."""
    rule = stability.rules.warning
    folds = np.arange(len(stability.months.outlets)) % FOLDS
    found: dict[str, list[Array]] = {name: [] for name in SCORES}
    happened: list[NDArray[np.bool_]] = []
    for fold in range(FOLDS):
        mine = folds == fold
        learned = lessons(stability, months, rule.horizon_months, last, only=~mine)
        model = _fitted(names, learned, rule.ridge)
        for month in range(months.start, last - rule.horizon_months + 1):
            known, stops = stop_within(stability.stoppages, month, rule.horizon_months)
            rows = known & mine
            if rows.any():
                for name, score in month_scores(stability, month, rows, model).items():
                    found[name].append(score)
                happened.append(stops[rows])
    if not happened:
        return {name: np.zeros(0) for name in SCORES}, np.zeros(0, dtype=bool)
    return {name: np.concatenate(parts) for name, parts in found.items()}, np.concatenate(happened)


@dataclass(frozen=True)
class OutletWarnings:
    """Warnings of a month.

    Attributes
    ----------
    stability : Stability
        Of the months up to it.
    warner : Warner
    table : polars.DataFrame
        A row an outlet that stands, the likeliest to stop first: outlet_id, name, firm, month, chance_1 to
        chance_H (probability of a stop within so many months), is_warned, index, band, reasons_zh,
        reasons_en, index_reasons_zh, index_reasons_en, trace.
    """

    stability: Stability
    warner: Warner
    table: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Return what was learned from, and counts."""
        months, warner = self.stability.months.months, self.warner
        rule = self.stability.rules.warning
        expected = self.table[f"chance_{rule.horizon_months}"].sum()
        return {
            "month": months[-1],
            "horizon_months": rule.horizon_months,
            "outlets": self.table.height,
            "warned": int(self.table["is_warned"].sum()),
            "expected_stops": round(float(expected or 0.0), 1),
            "threshold": _finite(warner.thresholds["model"]),
            "learned_from": [months[warner.first], months[warner.last]],
            "learned_rows": warner.rows,
            "learned_stops": warner.stops,
        }


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def warn_outlets(
    months: OutletMonths | str | os.PathLike[str] | pl.DataFrame,
    rules: IndexRules | None = None,
    *,
    until: str | None = None,
) -> OutletWarnings:
    """Warn of outlets that may stop in the months after one.

    Parameters
    ----------
    months : OutletMonths, path or polars.DataFrame
    rules : IndexRules, optional
    until : str, optional
        The last month that is known, YYYY-MM: later rows are not looked at. By default the last there is.

    Raises
    ------
    InputError
    UsageError
        ``bad-month``, ``too-few-events``, ``not-enough-months``.
    """
    known = months if isinstance(months, OutletMonths) else read_outlet_months(months)
    known = known.until(until or known.months[-1])
    stability = outlet_stability(known, rules or read_index_rules())
    last = known.present.shape[1] - 1
    warner = learn_warning(stability, last)
    rows = stability.stoppages.stands[:, last]
    features = month_features(stability, last, rows)
    chances = warner.model.within(features)
    zh, en = say_contributions(
        warner.model,
        features,
        stability.standings,
        stability.lost[:, rows, last],
        stability.rules.scaling.missing_charge,
    )
    made = pl.DataFrame(
        {
            "outlet_id": [one for one, stands in zip(known.outlets, rows, strict=True) if stands],
            **{f"chance_{k + 1}": chances[:, k] for k in range(chances.shape[1])},
            "is_warned": chances[:, -1] >= warner.thresholds["model"],
            "reasons_zh": zh,
            "reasons_en": en,
        },
        schema_overrides={"outlet_id": pl.String, "reasons_zh": pl.String, "reasons_en": pl.String},
    )
    beside = stability.table().rename({"reasons_zh": "index_reasons_zh", "reasons_en": "index_reasons_en"})
    beside = beside.select(
        "outlet_id", "name", "firm", "month", "index", "band", "index_reasons_zh", "index_reasons_en", "trace"
    )
    chance_names = [f"chance_{k + 1}" for k in range(chances.shape[1])]
    table = (
        made.join(beside, on="outlet_id", how="left")
        .select(
            "outlet_id", "name", "firm", "month", *chance_names, "is_warned", "index", "band", "reasons_zh",
            "reasons_en", "index_reasons_zh", "index_reasons_en", "trace",
        )
        .sort([chance_names[-1], "outlet_id"], descending=[True, False])
    )  # fmt: skip
    return OutletWarnings(stability, warner, table)
