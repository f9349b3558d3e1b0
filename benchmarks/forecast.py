"""Forecasts from several days of a file of leg volumes, beside three peers.

``python benchmarks/forecast.py VOLUMES.csv [--json]`` goes back from the end in steps of the horizon, so
that every day is forecast once, as far as ``--least-history`` days are left. From each such day all legs are
forecast by Changtong and by seasonal naive, ETS and MSTL of statsforecast (season 7, each leg from its first
day on, as they come). Printed for each day and in all: WAPE (sum of absolute errors over all legs and days, over the
sum of pieces; legs that begin later count, as 0 for every method), coverage of the 80 % interval on legs that
moved in the 28 days before, their interval score (width, plus ten times what lies outside, over the sum of
pieces; Gneiting & Raftery 2007, J. Am. Stat. Assoc. 102: the lower the better) and processor seconds. Every third day, counted from the last, was held out when the
method was chosen; these are told apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from statsforecast import StatsForecast
from statsforecast.models import MSTL, AutoETS, SeasonalNaive

from changtong.errors import ChangtongError
from changtong.forecast.history import History, build_history
from changtong.forecast.volumes_ahead import forecast_volumes
from changtong.network.leg_volumes import read_volumes

PEERS = {
    "seasonal_naive": lambda: SeasonalNaive(7),
    "ets": lambda: AutoETS(season_length=7),
    "mstl": lambda: MSTL(season_length=7),
}
HELD_OUT_EVERY = 3
Answer = tuple[np.ndarray, np.ndarray, np.ndarray]


def ours(volumes: pl.DataFrame, history: History, until: date, days: int) -> tuple[Answer, dict[str, float]]:
    """Forecast by Changtong; also the error at sites."""
    made = forecast_volumes(volumes.filter(pl.col("date") < until), until=until, days=days)
    legs = made.legs.sort("from_site", "to_site", "date")
    shape = (-1, days)
    answer = tuple(legs[c].to_numpy().reshape(shape) for c in ("pieces", "low_pieces", "high_pieces"))
    row = {ends: k for k, ends in enumerate(zip(history.from_sites, history.to_sites, strict=True))}
    at = [row[ends] for ends in legs.select("from_site", "to_site").unique(maintain_order=True).iter_rows()]
    full = [np.zeros((len(row), days)) for _ in answer]
    for whole, part in zip(full, answer, strict=True):
        whole[at] = part
    seen = pl.concat(
        volumes.group_by("date", end).agg(pl.col("pieces").sum().alias("seen")).select(
            "date", pl.col(end).alias("site"), pl.lit(way).alias("direction"), "seen")
        for end, way in (("from_site", "out"), ("to_site", "in"))
    )  # fmt: skip
    sites = made.sites.join(seen, on=["date", "site", "direction"], how="left").with_columns(
        pl.col("seen").fill_null(0.0)
    )
    error = (sites["seen"] - sites["pieces"]).abs().sum() / max(sites["seen"].sum(), 1e-9)
    living = sites.filter(pl.col("state") != "dead")
    inside = living.select(pl.col("seen").is_between("low_pieces", "high_pieces").mean()).item()
    return (full[0], full[1], full[2]), {"site_wape": float(error), "site_coverage": float(inside or 0.0)}


def peer(history: History, before: int, days: int, model: Any) -> Answer:
    """Forecast each leg by a model of statsforecast; where it fails, by the mean of the last week."""
    past = history.before(before)
    first = past.first_days()
    frames = [
        pl.DataFrame({"unique_id": k, "ds": np.arange(first[k], before), "y": past.pieces[k, first[k] :]})
        for k in range(len(first))
    ]
    engine = StatsForecast(models=[model], freq=1, n_jobs=1, fallback_model=SeasonalNaive(7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = engine.forecast(df=pl.concat(frames), h=days, level=[80]).sort("unique_id", "ds")
    columns = [c for c in made.columns if c not in ("unique_id", "ds")]
    point = next(c for c in columns if "-lo-" not in c and "-hi-" not in c)
    names = [point, f"{point}-lo-80", f"{point}-hi-80"]
    row = {ends: k for k, ends in enumerate(zip(history.from_sites, history.to_sites, strict=True))}
    at = [row[ends] for ends in zip(past.from_sites, past.to_sites, strict=True)]
    week = past.pieces[:, -7:].mean(axis=1)[:, None]
    out = []
    for name in names:
        values = made[name].to_numpy().reshape(-1, days)
        whole = np.zeros((len(row), days))
        whole[at] = np.maximum(0.0, np.where(np.isfinite(values), values, week))
        out.append(whole)
    return out[0], out[1], out[2]


def scores(history: History, before: int, days: int, answer: Answer) -> dict[str, float]:
    """Return WAPE, bias and coverage over the known days."""
    known = history.known[before : before + days]
    seen = history.pieces[:, before : before + days][:, known]
    point, low, high = (part[:, known] for part in answer)
    moved = history.pieces[:, max(0, before - 28) : before].sum(axis=1) > 0
    inside = (seen >= low - 1e-9) & (seen <= high + 1e-9)
    total = max(float(seen.sum()), 1e-9)
    outside = np.maximum(low - seen, 0.0) + np.maximum(seen - high, 0.0)
    score = (high - low) + 2.0 / 0.2 * outside
    return {
        "wape": float(np.abs(seen - point).sum()) / total,
        "bias": float(point.sum()) / total - 1.0,
        "coverage": float(inside[moved].mean()) if moved.any() else float("nan"),
        "interval_score": float(score[moved].sum()) / total,
    }


def run(volumes: pl.DataFrame, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one row for each day and method."""
    end: date = volumes["date"].max() + timedelta(days=1)  # type: ignore[operator, assignment]
    history = build_history(volumes, end)
    rows = []
    peers = [] if options.no_peers else list(PEERS)
    for number in range(options.most_origins):
        before = history.days - options.days * (number + 1)
        if before < options.least_history:
            break
        held = number % HELD_OUT_EVERY == 0
        for method in ["changtong", *peers]:
            begin, more = time.process_time(), {}
            if method == "changtong":
                answer, more = ours(volumes, history, history.day(before), options.days)
            else:
                answer = peer(history, before, options.days, PEERS[method]())
            seconds = time.process_time() - begin
            facts = scores(history, before, options.days, answer) | more | {"seconds": seconds}
            rows.append(
                {"until": history.day(before).isoformat(), "held_out": held, "method": method} | facts
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def in_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return means over the days: all, held out, used for choosing."""
    out = []
    for part, keep in (("all", (True, False)), ("held out", (True,)), ("chosen on", (False,))):
        for method in dict.fromkeys(row["method"] for row in rows):
            of = [row for row in rows if row["method"] == method and row["held_out"] in keep]
            if of:
                means = {
                    key: float(np.mean([row[key] for row in of]))
                    for key in of[0]
                    if isinstance(of[0][key], float)
                }
                out.append({"part": part, "method": method, "origins": len(of)} | means)
    return out


def _score(value: float) -> str:
    """Say an interval score; a peer's interval may be beyond all measure."""
    return f"{value:.2f}" if value < 1000 else f"{value:.0e}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("volumes", type=Path)
    parser.add_argument("--days", type=int, default=31, help="horizon")
    parser.add_argument("--least-history", type=int, default=75, help="days before the first origin")
    parser.add_argument("--most-origins", type=int, default=100)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    try:
        rows = run(read_volumes(options.volumes, unique=True), options)
    except ChangtongError as error:
        print(error, file=sys.stderr)
        return 2
    if not rows:
        print(f"fewer than {options.least_history + options.days} days in {options.volumes}", file=sys.stderr)
        return 2
    means = in_all(rows)
    if options.json:
        print(json.dumps({"days": options.days, "origins": rows, "in_all": means}))
        return 0
    print(as_markdown(rows, means))
    return 0


def as_markdown(rows: list[dict[str, Any]], means: list[dict[str, Any]]) -> str:
    """Return the table of all days and methods, and of the means."""
    lines = [
        "| from | held out | method | WAPE | bias | coverage | interval score | site WAPE | site coverage | s |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in [*rows, *means]:
        where = row.get("until") or f"{row['part']} ({row['origins']})"
        at_sites = [f"{row[k]:.3f}" if k in row else "" for k in ("site_wape", "site_coverage")]
        lines.append(
            f"| {where} | {'yes' if row.get('held_out') else ''} | {row['method']} | {row['wape']:.3f} | "
            f"{row['bias']:+.2f} | {row['coverage']:.3f} | {_score(row['interval_score'])} | "
            f"{' | '.join(at_sites)} | {row['seconds']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
