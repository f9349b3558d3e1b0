"""Workload of couriers and its fairness by outlet: figures, outliers with reasons, trend, what would even it.

Fairness is of the pieces a courier delivers on a day at work. Gini is 0 where all have alike and grows to
1 - 1/n; Jain's index is 1 where all have alike and falls to 1/n.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.io import write_whole_folder
from changtong.spreadsheets import without_formulas
from changtong.wording import Both
from changtong.workforce.fairness import gini, jain
from changtong.workforce.workforce_folder import Workforce
from changtong.workforce.workload_moves import MOVES, even_out

MARK = "workforce-workload.json"
WORKLOAD_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / MARK).is_file(),
    "what": f"folder of workloads (it has no {MARK})",
    "code": "not-a-workload-folder",
}
FENCE = 1.5
"""Outliers lie so many interquartile ranges beyond the quartiles (Tukey), and 20 % off the median."""
LEAST_OFF = 0.2
LEAST_COURIERS = 4
REASON_OFF = 0.15
"""A rate, distance or number of days so far off the outlet's median is told as a reason."""

COURIERS: dict[str, Any] = {
    "outlet": pl.String, "courier": pl.String, "days": pl.Int64, "pieces": pl.Float64,
    "pieces_per_day": pl.Float64, "hours_per_day": pl.Float64, "km_per_day": pl.Float64,
    "pieces_per_h": pl.Float64, "ratio_to_median": pl.Float64, "outlier": pl.String,
    "reasons_zh": pl.String, "reasons_en": pl.String, "trend_share_per_week": pl.Float64,
}  # fmt: skip
OUTLETS: dict[str, Any] = {
    "outlet": pl.String, "couriers": pl.Int64, "pieces": pl.Float64, "pieces_per_day": pl.Float64,
    "median_pieces_per_day": pl.Float64, "gini": pl.Float64, "jain": pl.Float64, "most_to_median": pl.Float64,
    "hours_gini": pl.Float64, "km_gini": pl.Float64, "outliers": pl.Int64,
    "trend_share_per_week": pl.Float64, "gini_after": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """Workloads of couriers.

    Attributes
    ----------
    name : str
    begin, end : date
    outlets, couriers, moves : polars.DataFrame
        As `OUTLETS`, `COURIERS`, and `MOVES` of :mod:`changtong.workforce.workload_moves`.
    most_moves : int
        Areas an outlet.
    """

    name: str
    begin: date
    end: date
    outlets: pl.DataFrame
    couriers: pl.DataFrame
    moves: pl.DataFrame
    most_moves: int

    def summary(self) -> dict[str, Any]:
        """Return the figures a person decides by, as plain values."""
        return {
            "name": self.name, "begin": str(self.begin), "end": str(self.end),
            "outlets": self.outlets.height, "couriers": self.couriers["courier"].n_unique(),
            "pieces": float(self.outlets["pieces"].sum()),
            "worst_gini": _float(self.outlets["gini"].max()), "outliers": int(self.outlets["outliers"].sum()),
            "moves": self.moves.height, "most_moves": self.most_moves,
        }  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return summary, outlets and proposed moves as one JSON object."""
        return self.summary() | {
            "by_outlet": self.outlets.to_dicts(),
            "outlier_rows": self.couriers.filter(pl.col("outlier").is_not_null()).to_dicts(),
            "move_rows": self.moves.to_dicts(),
        }

    def save(self, folder: str | os.PathLike[str], extra: Callable[[Path], object] | None = None) -> Path:
        """Write ``outlets.csv``, ``couriers.csv``, ``moves.csv`` and the mark, whole or not at all."""
        names = ("outlets", "couriers", "moves")

        def write(into: Path) -> None:
            (into / MARK).write_text(json.dumps(self.summary(), ensure_ascii=False, indent=1), "utf-8")
            for name in names:
                without_formulas(getattr(self, name)).write_csv(into / f"{name}.csv", include_bom=True)
            if extra is not None:
                extra(into)

        own = {MARK, "study.json", "report.html", *(f"{name}.csv" for name in names)}
        return write_whole_folder(Path(folder), write, own_files=own, **WORKLOAD_FOLDER)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{s['name']}, {s['begin']} to {s['end']}: {s['outlets']} outlets, {s['couriers']} couriers,"
            f" {s['pieces']:,.0f} pieces; {s['outliers']} outliers",
            "  outlet            couriers  pieces/day   Gini    Jain  most/median  Gini after moves",
        ]
        for row in self.outlets.head(15).iter_rows(named=True):
            lines.append(
                f"  {row['outlet']:<18}{row['couriers']:>7}{row['median_pieces_per_day']:>12,.1f}"
                f"{row['gini']:>8.3f}{row['jain']:>8.3f}{row['most_to_median'] or 0:>11.2f}"
                f"{row['gini_after']:>12.3f}"
            )
        for row in self.couriers.filter(pl.col("outlier").is_not_null()).head(10).iter_rows(named=True):
            lines.append(f"  {row['outlet']} {row['courier']}: {row['outlier']}, {row['reasons_en']}")
        for row in self.moves.head(10).iter_rows(named=True):
            lines.append(
                f"  {row['outlet']}: area {row['area']} ({row['pieces_per_day']:,.1f} pieces a day)"
                f" from {row['from_courier']} to {row['to_courier']}"
            )
        return "\n".join(lines)


def _float(value: Any) -> float:
    return 0.0 if value is None else float(value)


def assess_workload(
    workforce: Workforce, *, begin: date | None = None, end: date | None = None, moves: int = 3
) -> Workload:
    """Measure workloads and propose moves.

    Parameters
    ----------
    workforce : Workforce
        With ``deliveries``.
    begin, end : date, optional
    moves : int
        Areas that may change hands in an outlet.

    Raises
    ------
    InputError
        ``empty-table``.
    """
    rows = workforce.deliveries
    if begin is not None:
        rows = rows.filter(pl.col("date") >= begin)
    if end is not None:
        rows = rows.filter(pl.col("date") <= end)
    if rows.is_empty():
        raise InputError([Problem("empty-table", "no deliveries on these days.", "deliveries.csv")])
    days = rows.group_by("outlet", "courier", "date").agg(pl.col("pieces").sum(), _sum("hours"), _sum("km"))
    people = days.group_by("outlet", "courier").agg(
        pl.len().cast(pl.Int64).alias("days"), pl.col("pieces").sum(),
        pl.col("pieces").mean().alias("pieces_per_day"), pl.col("hours").mean().alias("hours_per_day"),
        pl.col("km").mean().alias("km_per_day"),
        (pl.col("pieces").filter(pl.col("hours") > 0).sum()
         / pl.col("hours").filter(pl.col("hours") > 0).sum())
        .alias("pieces_per_h"),
        _trend().alias("trend_share_per_week"),
    ).sort("outlet", "courier")  # fmt: skip
    proposed = even_out(rows, moves)
    couriers, outlets = [], []
    for of_outlet in people.partition_by("outlet", maintain_order=True):
        told = _couriers(of_outlet)
        couriers += told
        outlets.append(_outlet(of_outlet, told, days, proposed))
    first, last = rows["date"].min(), rows["date"].max()
    return Workload(
        workforce.name, first, last,  # type: ignore[arg-type]
        pl.DataFrame(outlets, schema=OUTLETS).sort("gini", "outlet", descending=[True, False]),
        pl.DataFrame(couriers, schema=COURIERS),
        pl.DataFrame([row for one in proposed.values() for row in one.rows], schema=MOVES),
        moves,
    )  # fmt: skip


def _sum(column: str) -> pl.Expr:
    """Sum a column; null where nothing is known of it."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column)


def _trend() -> pl.Expr:
    """Return the slope of pieces over days, a week, as a share of the mean; null below 14 days at work."""
    day = pl.col("date").cast(pl.Int32).cast(pl.Float64)
    slope = pl.cov(day, pl.col("pieces")) / day.var()
    return pl.when((pl.len() >= 14) & (pl.col("pieces").mean() > 0)).then(7 * slope / pl.col("pieces").mean())


def _couriers(of_outlet: pl.DataFrame) -> list[dict[str, Any]]:
    load = of_outlet["pieces_per_day"].to_numpy()
    low, middle, high = np.quantile(load, [0.25, 0.5, 0.75])
    reach = FENCE * (high - low)
    medians = {
        name: of_outlet[name].median() for name in ("hours_per_day", "km_per_day", "pieces_per_h", "days")
    }
    made = []
    for row in of_outlet.iter_rows(named=True):
        ratio = row["pieces_per_day"] / middle if middle > 0 else None
        kind = None
        if len(load) >= LEAST_COURIERS and ratio is not None:
            if row["pieces_per_day"] > high + reach and ratio > 1 + LEAST_OFF:
                kind = "high"
            elif row["pieces_per_day"] < low - reach and ratio < 1 - LEAST_OFF:
                kind = "low"
        reasons = _reasons(row, ratio, medians) if kind else []
        said = {
            "reasons_zh": "；".join(one.zh for one in reasons) or None,
            "reasons_en": "; ".join(one.en for one in reasons) or None,
        }
        made.append(row | {"ratio_to_median": ratio, "outlier": kind} | said)
    return made


WORDS = {
    "hours_per_day": Both("日均工时", "hours a day"), "pieces_per_h": Both("每小时件数", "pieces an hour"),
    "km_per_day": Both("日均里程", "km a day"), "days": Both("出勤天数", "days at work"),
}  # fmt: skip


def _reasons(row: dict[str, Any], ratio: float | None, medians: dict[str, Any]) -> list[Both]:
    """Say what else is unlike the outlet's median: all that is known, nothing concluded."""
    made = [Both(f"日均件数为中位数的 {ratio:.2f} 倍", f"{ratio:.2f} times the median pieces a day")]
    for name, what in WORDS.items():
        own, usual = row[name], medians[name]
        if own is not None and usual and abs(own / usual - 1) > REASON_OFF:
            times = f"{own / usual:.2f}"
            made.append(Both(f"{what.zh}为中位数的 {times} 倍", f"{times} times the median {what.en}"))
    unknown = [WORDS[name] for name in ("hours_per_day", "km_per_day") if row[name] is None]
    if unknown:
        zh, en = "、".join(one.zh for one in unknown), ", ".join(one.en for one in unknown)
        made.append(Both(f"未知：{zh}", f"not known: {en}"))
    return made


def _outlet(
    of_outlet: pl.DataFrame, told: list[dict[str, Any]], days: pl.DataFrame, proposed: dict[str, Any]
) -> dict[str, Any]:
    load = of_outlet["pieces_per_day"].to_numpy()
    outlet, middle = of_outlet["outlet"][0], float(np.median(load))
    daily = days.filter(pl.col("outlet") == outlet).group_by("date").agg(pl.col("pieces").sum())
    hours, km = (of_outlet[name].drop_nulls().to_numpy() for name in ("hours_per_day", "km_per_day"))
    now = gini(load)
    return {
        "outlet": outlet, "couriers": len(load), "pieces": float(of_outlet["pieces"].sum()),
        "pieces_per_day": float(daily["pieces"].mean() or 0.0),  # type: ignore[arg-type]
        "median_pieces_per_day": middle,
        "gini": now, "jain": jain(load), "most_to_median": float(load.max()) / middle if middle > 0 else None,
        "hours_gini": gini(hours) if len(hours) == len(load) else None,
        "km_gini": gini(km) if len(km) == len(load) else None,
        "outliers": sum(row["outlier"] is not None for row in told),
        "trend_share_per_week": daily.select(_trend().alias("trend"))["trend"][0],
        "gini_after": gini(proposed[outlet].after) if outlet in proposed else now,
    }  # fmt: skip
