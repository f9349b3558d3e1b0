"""The command ``rural plan``: plan a county's delivery, the three answers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, ExecutorName, Language, Out, PageLanguage
from changtong.console import StageProgress, print_result, say

County = Annotated[Path, typer.Argument(metavar="COUNTY/", help="A county folder.")]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", min=0.1, help="When searches end; by default work is counted, not time."),
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same plan.")]
Effort = Annotated[
    float, typer.Option("--effort", min=0.01, max=100.0, help="Work of the search, as a factor.")
]
Detour = Annotated[
    float | None,
    typer.Option("--detour", min=1.0, max=10.0, help="Road km per straight km where no road is listed."),
]
Definition = Annotated[
    Path | None,
    typer.Option("--definition", metavar="FILE.toml", help="When a village counts as served, in the report."),
]
STAGES = {"shared": "all firms together", "buses": "parcels on buses", "firms": "each firm, and groups"}


def plan_county_command(
    county: County,
    output: Out,
    seconds: Seconds = None,
    seed: Seed = 0,
    effort: Effort = 1.0,
    detour: Detour = None,
    executor: ExecutorName | None = None,
    definition: Definition = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Plan a county's delivery: each firm alone, all together, and with parcels on buses.

    Which stations to open, who serves which village on which days, and the routes of both levels.
    What cannot be served is named, village by village.
    """
    from changtong.executors.clusters import executor_named
    from changtong.network.io import check_replaceable
    from changtong.rural.county_folder import read_county
    from changtong.rural.county_question import CountySettings
    from changtong.rural.coverage_definition import read_definition
    from changtong.rural.distances import DETOUR_FACTOR
    from changtong.rural.result_write import RESULT_FOLDER

    check_replaceable(output.resolve(), **RESULT_FOLDER)
    settings = CountySettings(detour_factor=DETOUR_FACTOR if detour is None else detour, effort=effort)
    given, served = read_county(county), read_definition(definition)
    runs_on = None if executor is None else executor_named(executor)
    from changtong.studies import run_study

    progress = StageProgress(f"Planning {given.name}")
    try:
        study = run_study(
            "county-plan",
            given,
            folder=output,
            language=language.value,
            seed=seed,
            seconds=seconds,
            settings=settings,
            executor=runs_on,
            definition=served,
            progress=lambda stage, share: progress(STAGES[stage], share),
        )
    finally:
        progress.close()
    result, folder = study.result, study.folder
    print_result(result.summary() | {"folder": str(folder)}, f"{result}\n  → {folder}", as_json=as_json)
    say(f"Report page: {output / 'report.html'}")


def register(app: typer.Typer) -> None:
    """Add the command to the application ``rural``."""
    app.command("plan", short_help="Plan a county's delivery.")(plan_county_command)
