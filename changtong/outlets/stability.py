"""The stability index: points lost in each component, what is not known charged and shown, and bands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.outlets.components import Standing, component_standings
from changtong.outlets.index_rules import IndexRules, read_index_rules
from changtong.outlets.outlet_months import Matrix, OutletMonths, month_name, read_outlet_months
from changtong.outlets.reasons import say_reasons
from changtong.outlets.stoppages import Stoppages, find_stoppages

NOT_RATED = {"zh": "资料不足", "en": "not rated"}
STOPPED = {"zh": "已停", "en": "stopped"}
NO_DATA = {"zh": "无资料", "en": "no data"}
OTHER_BANDS = {"not_rated": NOT_RATED, "stopped": STOPPED, "no_data": NO_DATA}
TRACE_MONTHS = 12


@dataclass(frozen=True)
class Stability:
    """The stability of outlets.

    Attributes
    ----------
    months : OutletMonths
    rules : IndexRules
    stoppages : Stoppages
    classes : array of int8
        Of like size; -1 where there is none to compare with.
    standings : tuple of Standing
        A component each.
    index : array
        Outlets x months, 0 to 100; NaN where the outlet does not stand or too little is known.
    score : array
        As ``index``, with what is not known charged, also where too little is known.
    lost : array
        Points lost: components x outlets x months; NaN where nothing is known of the component.
    """

    months: OutletMonths
    rules: IndexRules
    stoppages: Stoppages
    classes: NDArray[np.int8]
    standings: tuple[Standing, ...]
    index: Matrix
    score: Matrix
    lost: NDArray[np.float64]

    def table(self, month: str | None = None) -> pl.DataFrame:
        """Return a row an outlet, the least stable first.

        Parameters
        ----------
        month : str, optional
            YYYY-MM; by default the last.

        Returns
        -------
        polars.DataFrame
            outlet_id, name, firm, month, index, low, high (were all that is not known at its worst, or at
            its best), band, known_share, size_class, lost_COMPONENT, value_COMPONENT, reasons_zh, reasons_en,
            trace (index of the last 12 months).
        """
        k = self.months.present.shape[1] - 1 if month is None else self.months.place(month)
        weights = np.array([one.component.weight for one in self.standings])
        lost = self.lost[:, :, k]
        missing = np.where(np.isfinite(lost), 0.0, weights[:, None]).sum(axis=0)
        high = np.where(self.stoppages.stands[:, k], 100.0 - np.nansum(lost, axis=0), np.nan)
        zh, en = say_reasons(self.standings, lost, k, self.rules)
        bands = [self._band(row, k) for row in range(len(self.months.outlets))]
        start = max(0, k + 1 - TRACE_MONTHS)
        frame = pl.DataFrame(
            {
                "outlet_id": self.months.outlets,
                "name": self.months.names,
                "firm": self.months.firms,
                "month": month_name(self.months.first + k),
                "index": self.index[:, k].round(2),
                "low": (high - missing).round(2),
                "high": high.round(2),
                "band": bands,
                "known_share": (1.0 - missing / 100.0).round(4),
                "size_class": self.classes[:, k],
                **{f"lost_{s.component.id}": lost[i].round(2) for i, s in enumerate(self.standings)},
                **{f"value_{s.component.id}": s.value[:, k] for s in self.standings},
                "reasons_zh": zh,
                "reasons_en": en,
                "trace": pl.Series(self.index[:, start : k + 1].round(1).tolist(), dtype=pl.List(pl.Float64)),
            }
        )
        stands = pl.Series(self.stoppages.stands[:, k])
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None)).with_columns(
            known_share=pl.when(stands).then("known_share"),
            trace=pl.col("trace").list.eval(pl.element().fill_nan(None)),
            reasons_zh=pl.when(stands).then("reasons_zh").otherwise(pl.lit("")),
            reasons_en=pl.when(stands).then("reasons_en").otherwise(pl.lit("")),
        )
        order = frame["band"].replace_strict({"no_data": 2, "stopped": 1}, default=0, return_dtype=pl.Int8)
        return frame.with_columns(__o=order).sort("__o", "index", "outlet_id", nulls_last=True).drop("__o")

    def _band(self, row: int, k: int) -> str:
        if self.stoppages.stopped[row, k]:
            return "stopped"
        if not self.stoppages.known[row, k]:
            return "no_data"
        index = self.index[row, k]
        return self.rules.band(float(index)).id if index == index else "not_rated"

    def summary(self, month: str | None = None) -> dict[str, Any]:
        """Return counts of a month.

        Parameters
        ----------
        month : str, optional
        """
        table = self.table(month)
        counts = dict(table["band"].value_counts().iter_rows())
        order = [one.id for one in self.rules.bands] + list(OTHER_BANDS)
        known = {
            s.component.id: int(table[f"lost_{s.component.id}"].is_not_null().sum()) for s in self.standings
        }
        return {
            "month": table["month"][0],
            "outlets": table.height,
            "bands": {name: counts.get(name, 0) for name in order},
            "mean_index": _rounded(table["index"].mean()),
            "outlets_with_data": known,
            "rules": f"{self.rules.id} {self.rules.version} ({self.rules.provenance})",
        }


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 2)


def outlet_stability(
    months: OutletMonths | str | os.PathLike[str] | pl.DataFrame, rules: IndexRules | None = None
) -> Stability:
    """Score the stability of outlets in every month. A month's index rests on it and earlier months only.

    Parameters
    ----------
    months : OutletMonths, path or polars.DataFrame
        Columns in docs/outlets.md.
    rules : IndexRules, optional
        Those shipped.

    Raises
    ------
    InputError
        Every problem of the file.
    UsageError
        ``not-enough-months``: not one month has an outlet that can be compared with anything.
    """
    known = months if isinstance(months, OutletMonths) else read_outlet_months(months)
    rules = rules or read_index_rules()
    stoppages = find_stoppages(known, rules.stop)
    classes, standings = component_standings(known, stoppages, rules)
    scaling, stands = rules.scaling, stoppages.stands
    lost = np.empty((len(standings), *stands.shape))
    charged, known_points = np.zeros(stands.shape), np.zeros(stands.shape)
    for i, one in enumerate(standings):
        share = np.clip((one.worse - scaling.starts) / (scaling.full - scaling.starts), 0.0, 1.0)
        lost[i] = np.where(stands, share * one.component.weight, np.nan)
        there = np.isfinite(lost[i])
        charged += np.where(there, lost[i], scaling.missing_charge * one.component.weight)
        known_points += np.where(there, one.component.weight, 0.0)
    if not np.isfinite(lost).any():
        text = (
            "No outlet can be compared with anything: it takes "
            f"{scaling.least_peers} outlets in a month, or {scaling.least_history} months before."
        )
        raise UsageError(text, "not-enough-months")
    score = np.where(stands, 100.0 - charged, np.nan)
    index = np.where(known_points >= 100.0 * scaling.least_known - 1e-9, score, np.nan)
    return Stability(known, rules, stoppages, classes, standings, index, score, lost)
