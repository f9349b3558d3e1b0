"""Plans of a frontier as plan folders: each planned once more, with its sort plan, at its own weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from changtong.carbon_frontier import AIMS, Frontier, weigh_legs
from changtong.errors import UsageError
from changtong.network.io import write_whole_folder
from changtong.planning.plan import plan
from changtong.planning.result import Plan, PlanSettings
from changtong.structure import column

INDEX_FILE = "frontier-plans.csv"
MOST_POINTS = 200
"""Plans of a frontier at most."""

FRONTIER_PLANS_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / INDEX_FILE).is_file(),
    "what": f"folder of the plans of a frontier (it has no {INDEX_FILE})",
    "code": "not-a-frontier-plans-folder",
}
OWN_FILES = {INDEX_FILE, *(f"plan-{point}" for point in range(1, MOST_POINTS + 1))}


def plan_at(frontier: Frontier, point: int, *, settings: PlanSettings | None = None) -> Plan:
    """Plan one point of a frontier whole: with sort plan, orders and routes.

    Parameters
    ----------
    frontier : Frontier
    point : int
        Number of the plan in ``frontier.points``, from 1.
    settings : PlanSettings, optional
        Those of the frontier without.

    Returns
    -------
    Plan
        Cost and carbon in ``objectives`` are CNY and kg CO2e a day; ``objective_cny`` and its bound are the
        weighted sum that was planned for. The flow is found anew: where the time limit ends it, it may differ
        a little from the frontier's.

    Raises
    ------
    UsageError
        There is no such point.
    """
    if not 1 <= point <= frontier.points.height:
        raise UsageError(f"Plan {point} of the frontier: it has plans 1 to {frontier.points.height}.")
    net = frontier.network
    made = plan(
        weigh_legs(net, *frontier.weights[point - 1]), frontier.outages, objectives=AIMS,
        settings=settings or frontier.settings, name=f"{frontier.name}: frontier plan {point}",
    )  # fmt: skip
    return replace(made, network=net, objectives=_restated(made, net.legs))


def _restated(made: Plan, legs: pl.DataFrame) -> pl.DataFrame:
    """Return the objectives with cost and carbon by themselves, as the flow has them: counted, not proved."""
    now = made.leg_flows["planned_pieces"].to_numpy()
    before = made.leg_flows["baseline_pieces"].to_numpy() if "baseline_pieces" in made.leg_flows else None
    known = made.objectives.filter(pl.col("objective") == "changed_legs")["method"][0] != "not_applicable"
    rows = made.objectives.to_dicts()
    for row in rows:
        if row["objective"] in ("cost", "carbon"):
            each = column(
                legs, "cost_cny_per_piece" if row["objective"] == "cost" else "kgco2e_per_piece", 0.0
            )
            was = float(before @ each) if known and before is not None else None
            row |= {
                "value": float(now @ each), "lower_bound": None, "baseline_value": was, "method": "counted",
            }  # fmt: skip
    return pl.DataFrame(rows, schema=made.objectives.schema)


def save_plans(
    frontier: Frontier,
    folder: str | Path,
    *,
    settings: PlanSettings | None = None,
    extra: Callable[[Plan, Path], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Write every plan of a frontier as a plan folder: ``plan-1`` the cheapest, and so on.

    Parameters
    ----------
    frontier : Frontier
    folder : path
        An older one is replaced, whole or not at all.
    settings : PlanSettings, optional
    extra : callable, optional
        Called with each plan and its folder being filled: writes what else belongs there.
    progress : callable, optional
        Called with plans done, from 0, and plans.

    Returns
    -------
    polars.DataFrame
        What ``frontier-plans.csv`` holds: point, folder, price_cny_per_t, cost_cny, kgco2e and
        unserved_pieces of the plan, frontier_cost_cny and frontier_kgco2e of the point, status.

    Raises
    ------
    UsageError
        ``not-a-frontier-plans-folder``: the folder holds something else.
    """
    rows: list[dict[str, Any]] = []

    def write(into: Path) -> None:
        if progress is not None:
            progress(0, frontier.points.height)
        for row in frontier.points.to_dicts():
            made = plan_at(frontier, row["point"], settings=settings)
            name = f"plan-{row['point']}"
            made.save(into / name, extra=None if extra is None else partial(extra, made))
            rows.append(_index_row(row, name, made))
            if progress is not None:
                progress(len(rows), frontier.points.height)
        pl.DataFrame(rows, infer_schema_length=None).write_csv(into / INDEX_FILE, include_bom=True)

    write_whole_folder(Path(folder), write, own_files=OWN_FILES, **FRONTIER_PLANS_FOLDER)
    return pl.DataFrame(rows, infer_schema_length=None)


def _index_row(row: dict[str, Any], name: str, made: Plan) -> dict[str, Any]:
    summary = made.summary()
    return {
        "point": row["point"],
        "folder": name,
        "price_cny_per_t": row["price_cny_per_t"],
        "cost_cny": summary["cost_cny"],
        "kgco2e": summary["carbon_kgco2e"],
        "unserved_pieces": summary["unserved_pieces"],
        "frontier_cost_cny": row["cost_cny"],
        "frontier_kgco2e": row["kgco2e"],
        "status": summary["status"],
    }
