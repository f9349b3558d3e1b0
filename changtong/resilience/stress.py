"""Which closure would hurt most: every one bounded, the worst planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.executors.local import LocalProcesses
from changtong.executors.work import Executor
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.journal import Journal, journal_in, question_digest
from changtong.resilience.result import STRESS_FOLDER, StressSettings, StressTest
from changtong.resilience.run import StressRun, Watch


def stress_test(
    network: Network,
    cases: Sequence[Case] | Sequence[str] = ("sites",),
    *,
    outages: Sequence[Outage] = (),
    settings: StressSettings | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    watch: Watch | None = None,
    name: str | None = None,
) -> StressTest:
    """Close one thing after another and say what it costs, with bounds.

    Parameters
    ----------
    network : Network
    cases : sequence of Case, or of kinds
        From :func:`changtong.resilience.cases.make_cases`, or its kinds: sites, legs, provinces,
        operators.
    outages : sequence of Outage
        What is shut already, in every case.
    settings : StressSettings, optional
    executor : Executor, optional
        Where plans are made; by default a process for each core.
    folder : path, optional
        Keeps every finished case, so that a run that was stopped goes on from there.
    watch : Watch, optional
        Progress, whether to begin anew.
    name : str, optional
        Shown in reports.

    Returns
    -------
    StressTest
        After Ctrl-C with what is known by then.

    Raises
    ------
    InputError
        The network has no demand; a case that closes nothing.
    UsageError
        ``folder`` holds something else, or the results of another question.

    Examples
    --------
    >>> from changtong.network.reference import reference_network
    >>> result = stress_test(reference_network(level="city"))  # doctest: +SKIP
    """
    settings, watch = settings or StressSettings(), watch or Watch()
    made = _cases(network, cases)
    journal = _journal(network, tuple(outages), made, settings, folder, watch)
    run = StressRun(network, tuple(outages), made, settings, executor or LocalProcesses(), watch, journal)
    try:
        run.work()
    except KeyboardInterrupt:
        run.termination = "interrupted"
    finally:
        journal.close()
    return run.result(name or network.name)


def _journal(
    network: Network,
    outages: tuple[Outage, ...],
    cases: tuple[Case, ...],
    settings: StressSettings,
    folder: str | Path | None,
    watch: Watch,
) -> Journal:
    """Open the folder's journal; what changes no row of it is no part of the question."""
    free = ("limit_s", "threads", "recovery")
    shown = {key: value for key, value in asdict(settings).items() if key not in free}
    digest = question_digest(network, outages, cases, shown)
    about = {"network": network.name, "cases": len(cases)}
    return journal_in(folder, STRESS_FOLDER, watch.anew, digest, about)


def _cases(network: Network, cases: Sequence[Case] | Sequence[str]) -> tuple[Case, ...]:
    if network.demand.height == 0 or float(network.demand["pieces_per_day"].cast(pl.Float64).sum()) <= 0.0:
        message = "the network has no demand: no closure can leave anything behind."
        raise InputError([Problem("no-demand", message, "demand", expected="pieces a day above 0")])
    if isinstance(cases, str):
        cases = (cases,)
    kinds = [case for case in cases if isinstance(case, str)]
    given = [case for case in cases if isinstance(case, Case)]
    if given and not kinds:
        empty = [case.label for case in given if not case.sites and not case.legs]
        if empty:
            raise InputError([Problem("empty-case", f'case "{empty[0]}" closes no site and no leg.')])
        return tuple(given)
    return (*given, *make_cases(network, kinds))
