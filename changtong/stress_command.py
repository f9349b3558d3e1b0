"""``changtong stress``: which closure would hurt most."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.console import StageProgress, print_result, say
from changtong.kernels import prepare_kernels


class Measure(StrEnum):
    """What makes a closure worse."""

    unserved = "unserved"
    loss = "loss"


class PageLanguage(StrEnum):
    """Language the page opens in."""

    zh = "zh"
    en = "en"


STAGES = {
    "today": "Planning with nothing more shut",
    "bounds": "Bounding every closure",
    "plans": "Planning closures",
    "recovery": "Playing the worst forward",
    "single sites": "Planning single sites",
    "combinations": "Planning combinations",
}


class _Stages:
    """A line of progress with the time left, for each stage in turn."""

    def __init__(self) -> None:
        self.stage = ""
        self.line: StageProgress | None = None

    def __call__(self, stage: str, share: float) -> None:
        if stage != self.stage:
            self.close()
            self.stage, self.line = stage, StageProgress(STAGES.get(stage, stage))
        if self.line is not None:
            self.line("", share)

    def close(self) -> None:
        """End the line."""
        if self.line is not None:
            self.line.close()
        self.line = None


def stress(
    net: Annotated[Path, typer.Argument(metavar="NET/", help="A network folder.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="STRESS/", help="Where to write; a run that was stopped goes on there."
        ),
    ],
    close: Annotated[
        str | None,
        typer.Option("--close", metavar="KINDS", help="sites, legs, provinces, operators; several by comma."),
    ] = None,
    areas: Annotated[
        Path | None,
        typer.Option("--areas", metavar="FILE", help="GeoJSON of polygons: close the sites in each."),
    ] = None,
    sets: Annotated[
        Path | None,
        typer.Option("--sets", metavar="FILE", help="TOML or CSV of outages: close each in turn."),
    ] = None,
    operator_column: Annotated[
        str, typer.Option("--operator-column", help="Column of sites that names the operator.")
    ] = "operator",
    worst: Annotated[int, typer.Option("--worst", min=1, help="How many of the worst get a plan.")] = 50,
    by: Annotated[Measure, typer.Option("--by", help="Pieces left behind, or costs and penalties.")] = (
        Measure.unserved
    ),
    together: Annotated[
        int, typer.Option("--together", min=1, max=6, help="Also the worst so many sites shut together.")
    ] = 1,
    gap: Annotated[float, typer.Option("--gap", min=1e-5, max=0.5, help="Proved gap of a plan.")] = 5e-3,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Time limit of one plan.")] = 60.0,
    limit: Annotated[
        float | None, typer.Option("--limit", min=0.0, help="Seconds after which no further plan begins.")
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            "--executor", help="local:N processes, here, dask:ADDRESS, ray[:ADDRESS] or spark[:MASTER]."
        ),
    ] = "local",
    anew: Annotated[bool, typer.Option("--anew", help="Forget what the folder holds.")] = False,
    language: Annotated[PageLanguage, typer.Option("--language", help="Language pages open in.")] = (
        PageLanguage.zh
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, nothing else, on standard output.")
    ] = False,
) -> None:
    """Close each site in turn (or legs, provinces, operators, areas, sets) and rank what it costs.

    Every closure gets a proved least and most, the worst get plans. Exit code 1 when a case failed.
    """
    from changtong.network.io import check_replaceable, read_network
    from changtong.resilience.cases import make_cases
    from changtong.resilience.executors import executor_named
    from changtong.resilience.result import STRESS_FOLDER, StressSettings

    check_replaceable(output, **STRESS_FOLDER)
    settings = StressSettings(worst=worst, measure=by.value, gap_share=gap, seconds=seconds, limit_s=limit)
    network = read_network(net)
    kinds = [part.strip() for part in (close or "").split(",") if part.strip()]
    if not kinds and areas is None and sets is None:
        kinds = ["sites"]
    cases = make_cases(network, kinds, areas=areas, sets=sets, operator_column=operator_column)
    run_on = executor_named(executor)
    compiled = prepare_kernels(say)
    compiled()
    stages = _Stages()
    from changtong.studies import run_study

    try:
        study = run_study(
            "stress", network, folder=output, language="en" if language is PageLanguage.en else "zh",
            cases=cases, settings=settings, executor=run_on, progress=stages, anew=anew, together=together,
        )  # fmt: skip
    finally:
        stages.close()
    result: Any = study.result
    facts = result.summary() | {"folder": str(output)}
    print_result(facts, f"{result}\n  → {output / 'report.html'}", as_json=as_json)
    if result.termination == "interrupted":
        say("Stopped: what is known by now was written; the same command goes on from here.")
        raise typer.Exit(130)
    if result.failed.height:
        say(f"{result.failed.height} cases failed; the same command tries them again.")
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="Which closure would hurt most.")(stress)
