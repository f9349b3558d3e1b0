"""The analyses of a county behind the doorway: what ``run_study`` runs on a county instead of a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from changtong.network.io import check_replaceable
from changtong.report.county_report import write_county_report
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.coverage import Coverage, coverage
from changtong.rural.coverage_definition import CoverageDefinition
from changtong.rural.coverage_folder import COVERAGE_FOLDER, write_coverage
from changtong.rural.coverage_steps import NextSteps, next_steps
from changtong.rural.plan_county import plan_county
from changtong.rural.result_write import RESULT_FOLDER
from changtong.wording import Language


def _plan(
    county: County,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    definition: CoverageDefinition | None = None,
    **options: Any,
) -> tuple[CountyResult, Path | None]:
    """Plan the county; the folder gets the report page too."""
    if folder is not None:
        check_replaceable(folder.resolve(), **RESULT_FOLDER)
    result = plan_county(county, seed=seed or 0, **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_county_report(result, into / "report.html", language=language, definition=definition)

    return result, result.save(folder, extra=page)


def _coverage(
    county: County,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    plan: CountyPlan | None = None,
    definition: CoverageDefinition | None = None,
    measure: str = "villages",
) -> tuple[tuple[Coverage, NextSteps | None], Path | None]:
    """Tell who is served and, with a plan, the cheapest next steps."""
    if folder is not None:
        check_replaceable(folder.resolve(), **COVERAGE_FOLDER)
    found = coverage(county, plan, definition)
    steps = None if plan is None else next_steps(county, plan, definition, measure=measure)
    return (found, steps), None if folder is None else write_coverage(county, found, steps, folder)


COUNTY_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "county-plan": _plan,
    "county-coverage": _coverage,
}
