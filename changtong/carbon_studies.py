"""The footprint of a network's or a plan's day behind the doorway."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import polars as pl

from changtong.carbon_frontier import FRONTIER_FOLDER, Frontier
from changtong.carbon_frontier import carbon_frontier as find_frontier
from changtong.errors import InputError, Problem, UsageError
from changtong.footprint.estimate import estimate_carbon
from changtong.footprint.result import CARBON_FOLDER, Footprint
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.result import ROUTES_FILE, Plan, is_plan_folder
from changtong.report.carbon_report import write_carbon_report
from changtong.report.frontier_report import write_frontier_report
from changtong.routes import Routes, read_routes

Language = Literal["zh", "en"]


def carbon(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    plan: Plan | Path | None = None,
    **options: Any,
) -> tuple[Footprint, Path | None]:
    """Estimate the carbon of a network's day, or of a plan's (a plan, or its folder)."""
    if outages:
        raise UsageError("Carbon is of a plan, which knows its outages: give the plan and leave them out.")
    if folder is not None:
        check_replaceable(folder, **CARBON_FOLDER)
    if plan is not None:
        routes, unserved, name = _of_plan(plan)
        options = {"name": f"{network.name}: {name}"} | options | {"routes": routes, "held_local": unserved}
    result = estimate_carbon(network, **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_carbon_report(result, network, into / "report.html", language=language)

    return result, result.save(folder, extra=page)


def carbon_frontier(
    network: Network, outages: tuple[Outage, ...], folder: Path | None, language: Language, **options: Any
) -> tuple[Frontier, Path | None]:
    """Find plans between the cheapest and the cleanest."""
    if folder is not None:
        check_replaceable(folder, **FRONTIER_FOLDER)
    result = find_frontier(network, outages, **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_frontier_report(result, into / "report.html", language=language)

    return result, result.save(folder, extra=page)


def _of_plan(plan: Plan | Path) -> tuple[Routes, pl.DataFrame, str]:
    """Return a plan's routes, what it leaves behind, and its name."""
    if isinstance(plan, Plan):
        return plan.routes(), plan.unserved, plan.name
    if not is_plan_folder(plan):
        problem = Problem(
            "missing-file", f"{plan} is no plan folder.", "plan.json", expected="a folder of plan"
        )
        raise InputError([problem])
    routes = read_routes(plan / ROUTES_FILE)
    whole = plan / "unserved.parquet"
    try:
        if whole.is_file():
            return routes, pl.read_parquet(whole), plan.name
        ids = dict.fromkeys(("from_site", "to_site"), pl.String())
        frame = pl.read_csv(plan / "unserved.csv", schema_overrides=ids)
        return routes, frame.select("from_site", "to_site", "pieces"), plan.name
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"it cannot be read ({str(error).splitlines()[0]})."
        raise InputError(
            [Problem("unreadable-file", message, "unserved.csv", expected="as plan wrote it")]
        ) from error
