"""The warning tested on months held out: beside two simple rules, how early, how often false."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.outlets.early_warning import SCORES, Warner, learn_warning, month_scores
from changtong.outlets.features import stop_within
from changtong.outlets.index_rules import IndexRules, read_index_rules
from changtong.outlets.outlet_months import OutletMonths, read_outlet_months
from changtong.outlets.ranking_quality import (
    area_under_curve,
    average_precision,
    calibration,
    resampled_difference,
)
from changtong.outlets.stability import Stability, outlet_stability

FEW_STOPS = 20
DRAWS = 100
LEARNED_SHARE = 2 / 3


@dataclass(frozen=True)
class Evaluation:
    """How the warning did on months it was not learned from.

    Attributes
    ----------
    warner : Warner
        Learned from months up to the split.
    split : str
        The last month learned from.
    held_out : tuple of str
        First and last month warned in.
    rows, stops, outlets : int
        Outlet-months with a known outcome, those followed by a stop, and outlets among them.
    scores : dict
        Name of a score -> what it reached; see docs/outlets.md.
    calibration : tuple of dict
        Of the model.
    brier, brier_of_the_mean : float
        Mean squared error of the probabilities, and of one probability for all (the share learned from).
    gains : dict
        Simple rule -> area of the model less that of the rule, with its 90 % interval.
    notes : tuple of str
    """

    warner: Warner
    split: str
    held_out: tuple[str, str]
    horizon_months: int
    rows: int
    stops: int
    outlets: int
    scores: dict[str, dict[str, float | int | None]]
    calibration: tuple[dict[str, float | int], ...]
    brier: float | None
    brier_of_the_mean: float | None
    gains: dict[str, dict[str, float | None]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "split": self.split,
            "held_out": list(self.held_out),
            "horizon_months": self.horizon_months,
            "outlet_months": self.rows,
            "stops_within": self.stops,
            "outlets": self.outlets,
            "learned": {"outlet_months": self.warner.rows, "stops_within": self.warner.stops},
            "scores": self.scores,
            "gains": self.gains,
            "brier": self.brier,
            "brier_of_the_mean": self.brier_of_the_mean,
            "calibration": list(self.calibration),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [
            f"Learned from months to {self.split}; warned from {self.held_out[0]} to {self.held_out[1]} "
            f"of stops within {self.horizon_months} months.",
            f"{self.outlets:,} outlets, {self.rows:,} outlet-months held out, "
            f"{self.stops:,} followed by a stop.",
            "",
            f"{'':14}{'AUC':>7}{'AP':>7}{'found':>8}{'precise':>9}{'lead, months':>14}{'false a year':>14}"
            f"{'false alarms':>14}",
        ]
        for name in SCORES:
            one = self.scores[name]
            lines.append(
                f"{name:14}{_say(one['auc'], 7)}{_say(one['average_precision'], 7)}"
                f"{_say(one['stops_warned_share'], 8)}{_say(one['precision'], 9)}"
                f"{_say(one['median_lead_months'], 14, 1)}{_say(one['false_months_per_outlet_year'], 14)}"
                f"{_say(one['false_alarms_per_outlet_year'], 14)}"
            )
        for name, gain in self.gains.items():
            interval = f"({_say(gain['low'], 0)} to {_say(gain['high'], 0)})"
            lines.append(f"model less {name}: {_say(gain['auc'], 0)} {interval}")
        lines += [
            "",
            f"Brier {_say(self.brier, 0, 4)}, "
            f"of one probability for all {_say(self.brier_of_the_mean, 0, 4)}",
        ]
        lines += [f"{'said':>8}{'happened':>10}{'rows':>9}{'stops':>7}"]
        for group in self.calibration:
            lines.append(
                f"{group['said']:8.3f}{group['happened']:10.3f}{group['rows']:9,}{group['stops']:7,}"
            )
        return "\n".join([*lines, *self.notes])


def _say(value: float | int | None, width: int, digits: int = 3) -> str:
    return f"{'–' if value is None else format(value, f'.{digits}f'):>{width}}"


def evaluate_warning(
    months: OutletMonths | str | os.PathLike[str] | pl.DataFrame,
    rules: IndexRules | None = None,
    *,
    split: str | None = None,
    seed: int = 0,
) -> Evaluation:
    """Learn from earlier months and test on later ones.

    Parameters
    ----------
    months : OutletMonths, path or polars.DataFrame
    rules : IndexRules, optional
    split : str, optional
        Last month learned from, YYYY-MM; by default two thirds of the months are learned from.
    seed : int
        Of the outlets drawn for the intervals.

    Raises
    ------
    InputError
    UsageError
        ``bad-month``: fewer months follow than the horizon; ``too-few-events``.
    """
    known = months if isinstance(months, OutletMonths) else read_outlet_months(months)
    stability = outlet_stability(known, rules or read_index_rules())
    count, horizon = known.present.shape[1], stability.rules.warning.horizon_months
    place = max(0, int(count * LEARNED_SHARE) - 1) if split is None else known.place(split)
    if place + horizon >= count:
        text = (
            f"{known.months[place]} is followed by {count - 1 - place} months; {horizon} at least are wanted "
            "to test a warning on."
        )
        raise UsageError(text, "bad-month")
    warner = learn_warning(stability, place)
    return _evaluated(stability, warner, place, seed)


def _evaluated(stability: Stability, warner: Warner, split: int, seed: int) -> Evaluation:
    months, horizon = stability.months, stability.rules.warning.horizon_months
    held = range(split, months.present.shape[1] - horizon)
    kept = _held_scores(stability, warner, split)
    columns: list[NDArray[np.int64]] = []
    happened_parts: list[NDArray[np.bool_]] = []
    of_parts: list[NDArray[np.int64]] = []
    for month in held:
        rows, stops = stop_within(stability.stoppages, month, horizon)
        of_parts.append(np.flatnonzero(rows))
        columns.append(np.full(int(rows.sum()), month - split))
        happened_parts.append(stops[rows])
    happened: NDArray[np.bool_] = np.concatenate(happened_parts)
    of, when = np.concatenate(of_parts), np.concatenate(columns)
    scores = {name: kept[name][of, when] for name in SCORES}
    with np.errstate(invalid="ignore"):
        warned = {name: kept[name] >= warner.thresholds[name] for name in SCORES}
    made = {
        name: _reached(scores[name], happened, warner.thresholds[name])
        | _alarms(stability, warned[name], split, horizon, len(happened))
        for name in SCORES
    }
    gains = {}
    for name in SCORES[1:]:
        low, high = resampled_difference(scores["model"], scores[name], happened, of, draws=DRAWS, seed=seed)
        gain = area_under_curve(scores["model"], happened) - area_under_curve(scores[name], happened)
        gains[name] = {"auc": _known(gain), "low": _known(low), "high": _known(high)}
    mean = warner.stops / max(warner.rows, 1)
    chance = scores["model"]
    return Evaluation(
        warner=warner,
        split=months.months[split],
        held_out=(months.months[held.start], months.months[held.stop - 1]),
        horizon_months=horizon,
        rows=len(happened),
        stops=int(happened.sum()),
        outlets=len(np.unique(of)),
        scores=made,
        calibration=tuple(calibration(chance, happened)),
        brier=_known(float(np.mean((chance - happened) ** 2))) if len(happened) else None,
        brier_of_the_mean=_known(float(np.mean((mean - happened) ** 2))) if len(happened) else None,
        gains=gains,
        notes=_notes(int(happened.sum()), made),
    )


def _notes(stops: int, made: dict[str, dict[str, float | int | None]]) -> tuple[str, ...]:
    notes = []
    if stops < FEW_STOPS:
        notes.append(f"Only {stops} outlet-months were followed by a stop: these figures say little.")
    for name in SCORES[1:]:
        pairs = [(made[name][key], made["model"][key]) for key in ("auc", "average_precision")]
        if all(rule is not None and model is not None and rule >= model for rule, model in pairs):
            notes.append(f"The simple rule {name} ranks as well as the model here: it is enough.")
    return tuple(notes)


def _known(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _reached(
    score: NDArray[np.float64], happened: NDArray[np.bool_], threshold: float
) -> dict[str, float | int | None]:
    warned = score >= threshold
    right = int((warned & happened).sum())
    return {
        "auc": _known(area_under_curve(score, happened)),
        "average_precision": _known(average_precision(score, happened)),
        "threshold": _known(threshold),
        "warned_months": int(warned.sum()),
        "precision": _known(right / warned.sum()) if warned.any() else None,
        "recall": _known(right / happened.sum()) if happened.any() else None,
    }


def _held_scores(stability: Stability, warner: Warner, split: int) -> dict[str, NDArray[np.float64]]:
    """Return the scores of the outlets that stand, from the split on; NaN for others."""
    stands = stability.stoppages.stands[:, split:]
    made = {name: np.full(stands.shape, np.nan) for name in SCORES}
    for month in range(stands.shape[1]):
        rows = stands[:, month]
        if rows.any():
            for name, score in month_scores(stability, split + month, rows, warner.model).items():
                made[name][rows, month] = score
    return made


def _alarms(
    stability: Stability, warned: NDArray[np.bool_], split: int, horizon: int, rows: int
) -> dict[str, float | int | None]:
    """Return how many stops were warned of, how early, and how many warnings were false.

    A stop counts where the whole horizon before it is held out. An alarm is a run of warned months; it is
    false where no stop follows its first month within the horizon.
    """
    stoppages, count = stability.stoppages, warned.shape[1]
    leads: list[int] = []
    all_stops = 0
    for month in range(horizon, count):
        window = warned[:, month - horizon : month]
        mine = stoppages.begins[:, split + month]
        all_stops += int(mine.sum())
        leads += (horizon - np.argmax(window[mine & window.any(axis=1)], axis=1)).tolist()
    false_months = false_alarms = 0
    for month in range(count - horizon):
        known, stops = stop_within(stoppages, split + month, horizon)
        false = warned[:, month] & known & ~stops
        false_months += int(false.sum())
        begins = false if month == 0 else false & ~warned[:, month - 1]
        false_alarms += int(begins.sum())
    years = rows / 12.0
    return {
        "stops": all_stops,
        "stops_warned": len(leads),
        "stops_warned_share": _known(len(leads) / all_stops) if all_stops else None,
        "median_lead_months": _known(float(np.median(leads))) if leads else None,
        "false_months_per_outlet_year": _known(false_months / years) if rows else None,
        "false_alarms_per_outlet_year": _known(false_alarms / years) if rows else None,
    }
