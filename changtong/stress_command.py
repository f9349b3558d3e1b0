"""``changtong stress``: which closure would hurt most."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.closure_options import (
    Anew,
    Areas,
    Close,
    Closures,
    OperatorColumn,
    PlanGap,
    PlanSeconds,
    Sets,
    Stages,
    compile_for_stress,
)
from changtong.command_options import AsJson, ExecutorName, Folder, Language, PageLanguage
from changtong.console import print_result, say
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.resilience.recovery import Recovery
    from changtong.resilience.result import StressTest


class Measure(StrEnum):
    """What makes a closure worse."""

    unserved = "unserved"
    loss = "loss"


Stress = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="STRESS/", help="Where to write; a run that was stopped goes on there."
    ),
]
Worst = Annotated[int, typer.Option("--worst", min=1, help="How many of the worst get a plan.")]
By = Annotated[Measure, typer.Option("--by", help="Pieces left behind, or costs and penalties.")]
Together = Annotated[
    int, typer.Option("--together", min=1, max=6, help="Also the worst so many sites shut together.")
]
Limit = Annotated[
    float | None, typer.Option("--limit", min=0.0, help="Seconds after which no further plan begins.")
]
Forward = Annotated[
    bool, typer.Option("--recovery", help="Also play the worst forward: hours until all is back to normal.")
]
Lasts = Annotated[
    float | None,
    typer.Option("--lasts", min=0.1, help="Hours until a closed site opens again, for --recovery (24)."),
]


def stress(
    net: Folder,
    output: Stress,
    close: Close = None,
    areas: Areas = None,
    sets: Sets = None,
    operator_column: OperatorColumn = "operator",
    worst: Worst = 50,
    by: By = Measure.unserved,
    together: Together = 1,
    recovery: Forward = False,
    lasts: Lasts = None,
    gap: PlanGap = 5e-3,
    seconds: PlanSeconds = 60.0,
    limit: Limit = None,
    executor: ExecutorName = "local",
    anew: Anew = False,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Close each site in turn (or legs, provinces, operators, areas, sets) and rank what it costs.

    Every closure gets a proved least and most, the worst get plans. Exit code 1 when a case failed.
    """
    from changtong.executors.clusters import executor_named
    from changtong.network.io import check_replaceable, read_network
    from changtong.resilience.result import STRESS_FOLDER, StressSettings

    check_replaceable(output, **STRESS_FOLDER)
    forward = _recovery(recovery, lasts)
    settings = StressSettings(
        worst=worst, measure=by.value, gap_share=gap, seconds=seconds, limit_s=limit, recovery=forward
    )
    network = read_network(net)
    options: dict[str, Any] = {
        "cases": Closures(close, areas, sets, operator_column).cases(network),
        "settings": settings,
        "executor": executor_named(executor),
        "anew": anew,
        "together": together,
    }
    compile_for_stress(recovery=recovery)
    stages = Stages()
    from changtong.studies import run_study

    try:
        study = run_study(
            "stress", network, folder=output, language=language.value, progress=stages, **options
        )
    finally:
        stages.close()
    _finish(study.result, output, as_json=as_json)


def _recovery(wanted: bool, lasts: float | None) -> Recovery | None:
    from changtong.resilience.recovery import Recovery

    if not wanted:
        if lasts is not None:
            raise UsageError("--lasts says how long a closure lasts that is played forward: add --recovery.")
        return None
    return Recovery() if lasts is None else Recovery(lasts)


def _finish(result: StressTest, output: Path, *, as_json: bool) -> None:
    """Say what was found; 130 when it was stopped, 1 when a case failed."""
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
