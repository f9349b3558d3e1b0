"""Networks played forward and stressed as studies: simulations, stress tests, remedies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.report.remedies_report import write_remedies_report
from changtong.report.simulation_report import write_run
from changtong.report.stress_report import write_stress_report
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.combinations import worst_sets
from changtong.resilience.remedies import Against, what_would_help, worst_cases
from changtong.resilience.remedy_result import REMEDIES_FOLDER, Remedies
from changtong.resilience.result import STRESS_FOLDER, StressTest
from changtong.resilience.run import Watch
from changtong.resilience.stress import stress_test
from changtong.simulation.replications import Replications, simulate_replications
from changtong.simulation.result import RUN_FOLDER, Simulation
from changtong.simulation.simulate import simulate
from changtong.wording import Language


def _simulate(
    network: Network, outages: tuple[Outage, ...], folder: Path | None, language: Language, **options: Any
) -> tuple[Simulation, Path | None]:
    if folder is not None:
        check_replaceable(folder, **RUN_FOLDER)
    result = simulate(network, outages, **options)
    return result, None if folder is None else write_run(result, folder, language)


def _replications(
    network: Network, outages: tuple[Outage, ...], folder: Path | None, language: Language, **options: Any
) -> tuple[Replications, None]:
    """Play it many times; nothing is written: the frames belong into the folder of a run."""
    return simulate_replications(network, outages, **options), None


def _stress(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    cases: tuple[Case, ...] | None = None,
    together: int = 1,
    anew: bool = False,
    **options: Any,
) -> tuple[StressTest, Path | None]:
    if folder is not None:
        check_replaceable(folder, **STRESS_FOLDER)
    progress, executor = options.pop("progress", None), options.get("executor")
    watch = Watch(progress, anew)
    made = cases if cases is not None else make_cases(network)
    result = stress_test(network, made, outages=outages, folder=folder, watch=watch, **options)
    if together > 1 and result.termination == "done":
        sets = worst_sets(network, together, outages=outages, executor=executor, progress=progress)
        result = replace(result, worst_sets=sets)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_stress_report(result, into / "report.html", made, language=language)

    return result, result.save(folder, extra=page)


def _remedies(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    cases: tuple[Case, ...] | None = None,
    worst: int | None = None,
    anew: bool = False,
    **options: Any,
) -> tuple[Remedies, Path | None]:
    if outages:
        raise UsageError("Remedies are tried on the network with nothing else shut: leave outages out.")
    if folder is not None:
        check_replaceable(folder, **REMEDIES_FOLDER)
    progress = options.pop("progress", None)
    made = cases if cases is not None else make_cases(network)
    if worst is not None and len(made) > worst:
        against = options.get("against") or Against()
        how = {key: options.get(key) for key in ("settings", "executor")}
        made = worst_cases(network, made, worst, demands=against.demands, progress=progress, **how)
    result = what_would_help(network, made, folder=folder, watch=Watch(progress, anew), **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_remedies_report(result, into / "report.html", language=language)

    return result, result.save(folder, extra=page)


RESILIENCE_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "simulate": _simulate,
    "replications": _replications,
    "stress": _stress,
    "remedies": _remedies,
}
