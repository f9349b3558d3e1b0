"""What would help: capacity, legs and backup sites tried one by one against the same closures.

Candidates come from the plans of the worst closures (:mod:`changtong.resilience.candidates`). Each is
built into the network and the closures are planned again, so a gain is a difference of plans, not a
shadow price carried too far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, InternalError, Problem, UsageError
from changtong.executors.local import InProcess
from changtong.executors.work import Executor, Row, closing_rows
from changtong.network.model import Network
from changtong.planning.answer import is_small
from changtong.resilience.additions import Remedy
from changtong.resilience.candidates import Search, candidates
from changtong.resilience.cases import Case
from changtong.resilience.costs import Costs, read_costs
from changtong.resilience.demands import Demand, as_demands
from changtong.resilience.exactwork import ask
from changtong.resilience.journal import Journal, journal_in, question_digest
from changtong.resilience.remedy_result import (
    DEMANDS,
    LOSSES,
    NO_TAKEOVER,
    NOT_TRIED,
    REMEDIES_FOLDER,
    WITH_GAP,
    Remedies,
    remedies_table,
)
from changtong.resilience.result import StressSettings
from changtong.resilience.run import Watch
from changtong.resilience.stress import stress_test
from changtong.resilience.trials import AS_IT_IS, Trial, TrialWork, make_trials

Floats = NDArray[np.float64]
STAGE = "trial"


@dataclass(frozen=True)
class Against:
    """What remedies are weighed against.

    Attributes
    ----------
    weights : tuple of float
        How likely each closure is, relative to the others; none: all alike.
    demands : tuple of Demand or float
        Demands to be ready for; a number is a multiple of today's. Losses are means over them by
        their weights, ``least_gain`` is the expected gain under the least favourable one.
    costs : Costs
        Prices of what can be added.
    """

    weights: tuple[float, ...] = ()
    demands: tuple[Demand | float, ...] = (1.0,)
    costs: Costs = field(default_factory=read_costs)


def what_would_help(
    network: Network,
    cases: Sequence[Case],
    *,
    remedies: Iterable[Remedy] | Search | None = None,
    against: Against | None = None,
    settings: StressSettings | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    watch: Watch | None = None,
) -> Remedies:
    """Rank remedies by the pieces they save for their money.

    Parameters
    ----------
    network : Network
    cases : sequence of Case
        The closures to be ready for, the worst first.
    remedies : iterable of Remedy, or Search, optional
        What is tried, or which candidates are looked for, under the demand with most pieces.
    against : Against, optional
        Weights of the closures, demands, prices.
    settings : StressSettings, optional
        How closures are planned.
    executor : Executor, optional
        Where it is worked; by default in this process. On small networks it gets remedies, on large
        ones the closures of one remedy after another.
    folder : path, optional
        Keeps every finished trial, so that a run that was stopped goes on from there.
    watch : Watch, optional
        Progress, whether to begin anew.

    Returns
    -------
    Remedies
        After Ctrl-C with what is known by then.

    Raises
    ------
    InputError
        Weights or demands that cannot be meant.
    UsageError
        No case; ``folder`` holds something else, or the trials of another question.

    Examples
    --------
    >>> from changtong.network.io import read_network
    >>> from changtong.resilience.cases import make_cases
    >>> network = read_network("examples/tiny")  # doctest: +SKIP
    >>> print(what_would_help(network, make_cases(network)))  # doctest: +SKIP
    """
    begin = time.perf_counter()
    against, watch = against or Against(), watch or Watch()
    likely = _weights(cases, against.weights)
    demands = as_demands(against.demands)
    options = settings or StressSettings(worst=max(1, len(cases)))
    journal = _journal(network, tuple(cases), options, folder, watch)
    try:
        if remedies is None or isinstance(remedies, Search):
            busiest = max(demands, key=lambda one: one.pieces(network)).applied(network)
            remedies = candidates(busiest, cases, remedies, costs=against.costs, progress=watch.progress)
        chosen = tuple(remedies)
        work = TrialWork(network, tuple(cases), chosen, demands, options)
        trials = make_trials(chosen, demands)
        done = _try(work, trials, journal, executor or InProcess(), watch)
    finally:
        journal.close()
    return _result(work, trials, journal, likely, against.costs, done=done, begin=begin)


def worst_cases(
    network: Network,
    cases: Sequence[Case],
    keep: int,
    *,
    demands: Sequence[Demand | float] = (1.0,),
    settings: StressSettings | None = None,
    executor: Executor | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Case, ...]:
    """Return the closures that leave most behind, the worst first, under the demand with most pieces.

    Those that leave no more behind than the network with nothing shut are passed over, unless all do.

    Parameters
    ----------
    network : Network
    cases : sequence of Case
    keep : int
        How many at most.
    demands : sequence of Demand or float
    settings, executor, progress
        As for :func:`changtong.resilience.stress.stress_test`.
    """
    busiest = max(as_demands(demands), key=lambda one: one.pieces(network)).applied(network)
    options = replace(settings or StressSettings(), worst=keep)
    watch = Watch(progress=progress)
    result = stress_test(busiest, list(cases), settings=options, executor=executor, watch=watch)
    if result.termination == "interrupted":
        raise KeyboardInterrupt
    first = result.ranking.head(keep)
    hurts = first.filter(pl.col("figure") > result.today["unserved_pieces"] + 0.5)
    known = {case.name: case for case in cases}
    return tuple(known[name] for name in (hurts if hurts.height else first.head(1))["case"])


def _weights(cases: Sequence[Case], given: tuple[float, ...]) -> Floats:
    if not len(cases):
        raise UsageError("There is no case to be ready for.")
    weight = np.asarray(given or (1.0,) * len(cases), np.float64)
    if len(weight) != len(cases) or not (weight >= 0.0).all() or not 0.0 < weight.sum() < np.inf:
        message = f"{list(given)!r} are no weights of {len(cases)} closures."
        raise InputError([Problem("out-of-range", message, expected="a number from 0 for each closure")])
    return np.asarray(weight / weight.sum(), np.float64)


def _journal(
    network: Network,
    cases: tuple[Case, ...],
    settings: StressSettings,
    folder: str | Path | None,
    watch: Watch,
) -> Journal:
    shown = {key: value for key, value in asdict(settings).items() if key != "threads"}
    digest = question_digest(network, "remedies", cases, shown)
    about = {"network": network.name, "closures": len(cases)}
    return journal_in(folder, REMEDIES_FOLDER, watch.anew, digest, about)


def _try(work: TrialWork, trials: list[Trial], journal: Journal, executor: Executor, watch: Watch) -> bool:
    """Do the trials that are not done yet; return whether all were.

    Raises
    ------
    KeyboardInterrupt
        Stopped before the network as it is was planned: nothing can be said then.
    """
    wanted = {case.name for case in journal.open_cases(STAGE, [trial.case for trial in trials])}
    todo = [trial for trial in trials if trial.case.name in wanted]
    question = ask(work.network, (), hour_cny=work.settings.hour_cny, penalty=work.settings.unserved_cny)
    method = work.settings.method
    small = is_small(question.problem) if method == "choose" else method == "exact"
    del question
    outer: Executor = executor if small else InProcess()
    if not small:  # one after another: each holds a solver as large as the network
        work = replace(work, executor=executor)
    watch.tell("remedies", 0.0)
    try:
        with closing_rows(outer.run(work, todo)) as found:
            for k, (task, row) in enumerate(found, 1):
                journal.add(STAGE, {"case": task.case.name, "error": None, **row})
                watch.tell("remedies", k / len(todo))
    except KeyboardInterrupt:
        base = [trial for trial in trials if trial.remedy == AS_IT_IS]
        if any(journal.get(STAGE, trial.case.name) is None for trial in base):
            raise
        return False
    return True


def _result(
    work: TrialWork,
    trials: list[Trial],
    journal: Journal,
    likely: Floats,
    costs: Costs,
    *,
    done: bool,
    begin: float,
) -> Remedies:
    rows: dict[tuple[int, int], Row] = {}
    for trial in trials:
        found = journal.get(STAGE, trial.case.name)
        rows[trial.remedy, trial.demand] = found or {"status": "failed", "error": NOT_TRIED}
    before = _left(rows, AS_IT_IS, len(work.demands))
    if isinstance(before, str):
        raise InternalError(f"The closures cannot be planned on the network as it is: {before}")
    after = [_left(rows, k, len(work.demands)) for k in range(len(work.remedies))]
    share = np.array([one.weight for one in work.demands])
    large = any(row.get("method") == "large" for row in rows.values())
    return Remedies(
        name=work.network.name,
        network=work.network,
        cases=work.cases,
        weights=tuple(float(x) for x in likely),
        demands=work.demands,
        costs=costs,
        table=remedies_table(work.remedies, before, after, likely, share / share.sum()),
        losses=_losses(work, before, after),
        by_demand=_by_demand(work, rows, before, likely, share / share.sum()),
        termination="done" if done else "interrupted",
        runtime_s=time.perf_counter() - begin,
        notes=_notes(work) if large else (),
    )


def _notes(work: TrialWork) -> tuple[str, ...]:
    """Return what a reader must know of the figures of a large network."""
    twins = any(remedy.kind == "site" for remedy in work.remedies)
    return (WITH_GAP, NO_TAKEOVER) if twins else (WITH_GAP,)


def _left(rows: dict[tuple[int, int], Row], remedy: int, demands: int) -> Floats | str:
    """Return pieces left behind, (demands, cases), or why they are not known."""
    found = [rows[remedy, d] for d in range(demands)]
    wrong = [row["error"] for row in found if row.get("status") == "failed"]
    return str(wrong[0]) if wrong else np.array([row["left"] for row in found])


def _losses(work: TrialWork, before: Floats, after: Sequence[Floats | str]) -> pl.DataFrame:
    rows = [
        {
            "remedy": remedy.name,
            "demand": demand.name,
            "case": case.name,
            "label": case.label,
            "left_before": float(before[d, c]),
            "left_after": float(left[d, c]),
        }
        for remedy, left in zip(work.remedies, after, strict=True)
        if not isinstance(left, str)
        for d, demand in enumerate(work.demands)
        for c, case in enumerate(work.cases)
    ]
    return pl.DataFrame(rows, schema=LOSSES)


def _by_demand(
    work: TrialWork, rows: dict[tuple[int, int], Row], before: Floats, likely: Floats, share: Floats
) -> pl.DataFrame:
    made = [
        {
            "demand": demand.name,
            "weight": float(share[d]),
            "pieces_per_day": demand.pieces(work.network),
            "left_open": rows[AS_IT_IS, d]["left_open"],
            "expected_before": float(before[d] @ likely),
            "worst_before": float(before[d].max()),
        }
        for d, demand in enumerate(work.demands)
    ]
    return pl.DataFrame(made, schema=DEMANDS)
