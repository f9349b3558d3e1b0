"""Which areas to hand from one courier to another so that workloads are as even as a few moves can make them.

An integer program by HiGHS: every area has one courier; at most so many change hands; least is the sum of
distances of loads from their mean. A load is the pieces of an area on a day of the period; who is away does
not make an area lighter. Areas that several couriers share in the period stay with who serves most of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import polars as pl
from scipy.sparse import csc_matrix

from changtong.programs.staged import highs_model, quiet_highs
from changtong.workforce.fairness import gini
from changtong.workforce.staffing_model import Rows

SECONDS = 5.0
MOST_CELLS = 60_000
"""Areas times couriers above which an outlet is left as it is."""

MOVES: dict[str, Any] = {
    "outlet": pl.String, "area": pl.String, "pieces_per_day": pl.Float64, "from_courier": pl.String,
    "to_courier": pl.String, "gini_before": pl.Float64, "gini_after": pl.Float64, "status": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Evened:
    """What is proposed for an outlet: rows as `MOVES`, loads before and after, by courier."""

    rows: list[dict[str, Any]]
    before: np.ndarray
    after: np.ndarray


def even_out(deliveries: pl.DataFrame, moves: int) -> dict[str, Evened]:
    """Return proposals by outlet; outlets without areas, or with one courier, have none.

    Parameters
    ----------
    deliveries : polars.DataFrame
    moves : int
        Areas that may change hands in an outlet.
    """
    made: dict[str, Evened] = {}
    known = deliveries.filter(pl.col("area").is_not_null() & (pl.col("area") != ""))
    for rows in known.partition_by("outlet", maintain_order=True):
        outlet, days = rows["outlet"][0], rows["date"].n_unique()
        couriers = sorted(deliveries.filter(pl.col("outlet") == outlet)["courier"].unique())
        shares = (
            rows.group_by("area", "courier").agg(pl.col("pieces").sum()).sort("area", "pieces", "courier")
        )
        of_area = shares.group_by("area", maintain_order=True).agg(
            pl.col("pieces").sum() / days, pl.col("courier").last()
        )
        pieces = of_area["pieces"].to_numpy()
        owner = np.array([couriers.index(name) for name in of_area["courier"]])
        before = np.bincount(owner, pieces, len(couriers))
        if moves < 1 or len(couriers) < 2 or len(pieces) * len(couriers) > MOST_CELLS:
            continue
        chosen, status = _solve(pieces, owner, len(couriers), moves)
        after = np.bincount(chosen, pieces, len(couriers))
        facts = {"outlet": outlet, "gini_before": gini(before), "gini_after": gini(after), "status": status}
        made[outlet] = Evened(
            [
                facts | {"area": of_area["area"][int(a)], "pieces_per_day": float(pieces[a]),
                         "from_courier": couriers[owner[a]], "to_courier": couriers[chosen[a]]}
                for a in np.flatnonzero(chosen != owner)
            ],
            before,
            after,
        )  # fmt: skip
    return made


def _solve(pieces: np.ndarray, owner: np.ndarray, couriers: int, moves: int) -> tuple[np.ndarray, str]:
    """Return who has each area, and whether it is proved to be the best."""
    areas = len(pieces)
    cells = areas * couriers
    rows, mean = Rows(), float(pieces.sum()) / couriers
    for a in range(areas):
        rows.add({a * couriers + c: 1.0 for c in range(couriers)}, 1.0, 1.0)
    for c in range(couriers):
        load = {a * couriers + c: float(pieces[a]) for a in range(areas)}
        rows.add(load | {cells + c: 1.0}, mean, np.inf)
        rows.add(load | {cells + c: -1.0}, -np.inf, mean)
    kept = {a * couriers + int(owner[a]): 1.0 for a in range(areas)}
    rows.add(kept, float(areas - moves), np.inf)
    cost = np.concatenate([np.full(cells, 1e-6 * max(mean, 1e-9)), np.ones(couriers)])
    cost[list(kept)] = 0.0
    high = np.concatenate([np.ones(cells), np.full(couriers, np.inf)])
    matrix = csc_matrix((rows.value, (rows.row, rows.column)), shape=(len(rows.low), cells + couriers))
    lp = highs_model(matrix, (np.array(rows.low), np.array(rows.high)), (np.zeros(len(cost)), high), cost)
    kind = highspy.HighsVarType
    lp.integrality_ = [kind.kInteger] * cells + [kind.kContinuous] * couriers
    highs = quiet_highs(output_flag=False, time_limit=SECONDS, mip_rel_gap=1e-4)
    highs.passModel(lp)
    highs.run()
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return owner, "time_limit"
    values = np.array(highs.getSolution().col_value)[:cells].reshape(areas, couriers)
    best = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    chosen = values.argmax(axis=1)
    now, then = (np.abs(np.bincount(x, pieces, couriers) - mean).sum() for x in (owner, chosen))
    return (chosen if then < now - 1e-9 else owner), "optimal" if best else "time_limit"
