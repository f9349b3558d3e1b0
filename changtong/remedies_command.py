"""``changtong remedies``: what would help most against the closures that hurt."""

from __future__ import annotations

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
from changtong.errors import InputError, Problem, UsageError

if TYPE_CHECKING:
    from changtong.network.model import Network
    from changtong.resilience.cases import Case
    from changtong.resilience.remedies import Against
    from changtong.resilience.remedy_result import Remedies

Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="REMEDIES/", help="Where to write; a run that was stopped goes on there."
    ),
]
Tested = Annotated[
    Path | None,
    typer.Option("--stress", metavar="STRESS/", help="The worst closures of this stress test."),
]
Worst = Annotated[int, typer.Option("--worst", min=1, help="Closures to be ready for: the worst so many.")]
Weights = Annotated[
    str | None,
    typer.Option("--weights", metavar="W,W,…", help="How likely each closure is, in their order."),
]
Add = Annotated[str, typer.Option("--add", metavar="KINDS", help="capacity, legs, sites; several by comma.")]
Sizes = Annotated[
    str, typer.Option("--sizes", metavar="S,S,…", help="Sizes of a site, as shares of the one beside it.")
]
Most = Annotated[int, typer.Option("--most", min=1, help="Candidates of each kind.")]
Factors = Annotated[
    str | None,
    typer.Option("--demand", metavar="F,F,…", help="Demands to be ready for, as multiples of today's."),
]
Predicted = Annotated[
    Path | None,
    typer.Option("--forecast", metavar="FORECAST", help="Or those of a forecast: its mean day and interval."),
]
Prices = Annotated[
    Path | None, typer.Option("--costs", metavar="FILE", help="CSV of your own prices (docs/remedies.md).")
]


def remedies(
    net: Folder,
    output: Output,
    stress: Tested = None,
    close: Close = None,
    areas: Areas = None,
    sets: Sets = None,
    operator_column: OperatorColumn = "operator",
    worst: Worst = 8,
    weights: Weights = None,
    add: Add = "capacity,legs,sites",
    sizes: Sizes = "0.25,0.5",
    most: Most = 12,
    demand: Factors = None,
    forecast: Predicted = None,
    costs: Prices = None,
    gap: PlanGap = 5e-3,
    seconds: PlanSeconds = 60.0,
    executor: ExecutorName = "local",
    anew: Anew = False,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Try what could be added (capacity, legs, sites) against the worst closures; rank by what it saves.

    Money is assumed unless --costs gives prices. Exit code 1 when a remedy could not be tried.
    """
    from changtong.executors.clusters import executor_named
    from changtong.network.io import check_replaceable, read_network
    from changtong.resilience.candidates import Search
    from changtong.resilience.remedy_result import REMEDIES_FOLDER
    from changtong.resilience.result import StressSettings

    check_replaceable(output, **REMEDIES_FOLDER)
    kinds = tuple(part.strip() for part in add.split(",") if part.strip())
    search = Search(kinds, _numbers("--sizes", sizes), most)
    network = read_network(net)
    options: dict[str, Any] = {
        "cases": _cases(network, stress, Closures(close, areas, sets, operator_column), worst),
        "worst": worst,
        "remedies": search,
        "against": _against(network, weights, demand, forecast, costs),
        "settings": StressSettings(worst=worst, gap_share=gap, seconds=seconds),
        "executor": executor_named(executor),
        "anew": anew,
    }
    compile_for_stress(recovery=False)
    stages = Stages()
    from changtong.studies import run_study

    try:
        study = run_study(
            "remedies", network, folder=output, language=language.value, progress=stages, **options
        )
    finally:
        stages.close()
    _finish(study.result, output, as_json=as_json)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: expected numbers by comma, such as 0.25,0.5.") from error


def _cases(network: Network, tested: Path | None, closures: Closures, worst: int) -> tuple[Case, ...]:
    """Return the closures that were asked for; of a stress test its worst, in their order."""
    from changtong.resilience.cases import make_cases
    from changtong.resilience.result import WORST_FILE

    if tested is None:
        return closures.cases(network)
    if closures.given:
        raise UsageError("--stress names the closures already: leave --close, --areas and --sets out.")
    path = tested / WORST_FILE
    if not path.is_file():
        message = f"there is no {WORST_FILE} in {tested}."
        expected = "a folder that changtong stress has written"
        raise InputError([Problem("missing-file", message, str(path), expected=expected)])
    return make_cases(network, (), sets=path)[:worst]


def _against(
    network: Network, weights: str | None, demand: str | None, forecast: Path | None, costs: Path | None
) -> Against:
    from changtong.resilience.costs import read_costs
    from changtong.resilience.demands import Demand, demands_of_forecast
    from changtong.resilience.remedies import Against

    if demand is not None and forecast is not None:
        raise UsageError("--demand and --forecast both say which demands to be ready for: give one.")
    demands: tuple[Demand | float, ...] = _numbers("--demand", demand or "1")
    if forecast is not None:
        demands = demands_of_forecast(network, forecast)
    likely = () if weights is None else _numbers("--weights", weights)
    return Against(likely, demands, read_costs(costs))


def _finish(result: Remedies, output: Path, *, as_json: bool) -> None:
    """Say what was found; 130 when it was stopped, 1 when a remedy could not be tried."""
    facts = result.summary() | {"folder": str(output)}
    print_result(facts, f"{result}\n  → {output / 'report.html'}", as_json=as_json)
    if result.termination == "interrupted":
        say("Stopped: what is known by now was written; the same command goes on from here.")
        raise typer.Exit(130)
    if result.failed.height:
        say(f"{result.failed.height} remedies could not be tried; the same command tries them again.")
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="What would help most against the worst closures.")(remedies)
