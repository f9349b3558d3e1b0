"""The footprint of a network's or a plan's day behind the doorway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from changtong.carbon_frontier import FRONTIER_FOLDER, Frontier
from changtong.carbon_frontier import carbon_frontier as find_frontier
from changtong.carbon_frontier_plans import FRONTIER_PLANS_FOLDER, save_plans
from changtong.errors import InputError, Problem, UsageError
from changtong.footprint.estimate import estimate_carbon
from changtong.footprint.result import CARBON_FOLDER, Footprint
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.plan_folder import is_plan_folder
from changtong.planning.result import ROUTES_FILE, Plan
from changtong.report.carbon_report import write_carbon_report
from changtong.report.frontier_report import write_frontier_report
from changtong.report.plan_pages import write_plan_pages
from changtong.routes import Routes, read_routes
from changtong.study_files import network_digest, write_study_file
from changtong.wording import Language


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
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    version: str,
    plans: str | Path | None = None,
    plans_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> tuple[Frontier, Path | None]:
    """Find plans between the cheapest and the cleanest, and keep each as a plan folder in ``plans``."""
    if folder is not None:
        check_replaceable(folder, **FRONTIER_FOLDER)
    if plans is not None:
        check_replaceable(Path(plans), **FRONTIER_PLANS_FOLDER)
        if folder is not None and folder.resolve() == Path(plans).resolve():
            raise UsageError("The frontier and its plans name the same folder: give two.")
    result = find_frontier(network, outages, **options)
    if plans is not None:
        extra = partial(_plan_files, network, outages, (language, version))
        save_plans(result, plans, extra=extra, progress=plans_progress)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_frontier_report(result, into / "report.html", language=language)

    return result, result.save(folder, extra=page)


def _plan_files(
    network: Network, outages: tuple[Outage, ...], said: tuple[Language, str], made: Plan, into: Path
) -> None:
    """Write what belongs to a plan folder beside its tables: pages, and what the plan was made from."""
    language, version = said
    write_plan_pages(made, into, language)
    facts = {"network": network.name, "outages": [asdict(outage) for outage in outages], "plan": made.name}
    digest = network_digest(network, outages)
    write_study_file(into, "carbon-frontier", version, datetime.now(UTC), digest, None, facts)


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


CARBON_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "carbon": carbon,
    "carbon-frontier": carbon_frontier,
}
