"""The doorway: a named analysis with its inputs, kept with what made it.

The command line and every later way in call ``run_study``, and so give the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from changtong import __version__
from changtong.assessment.scorecard import Scorecard
from changtong.assessment_studies import ASSESSMENT_ANALYSES, card_digest, card_facts
from changtong.carbon_studies import carbon, carbon_frontier
from changtong.county_studies import COUNTY_ANALYSES
from changtong.epidemic.epidemic_folder import Epidemic
from changtong.epidemic_studies import EPIDEMIC_ANALYSES, epidemic_case, risk_areas
from changtong.errors import NotFoundError, UsageError
from changtong.events.log import EventLog, log_digest, open_log
from changtong.log_studies import LOG_ANALYSES
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.outlet_studies import OUTLET_ANALYSES, months_digest
from changtong.outlets.outlet_months import OutletMonths
from changtong.planning.plan import plan
from changtong.planning.plan_folder import ROUNDS_FILE
from changtong.planning.result import PLAN_FOLDER, RUN_IN_PLAN, Plan
from changtong.privacy_studies import PRIVACY_ANALYSES, RecordFiles
from changtong.relief_studies import RELIEF_ANALYSES, TICKET_ANALYSES
from changtong.report import (
    write_plan_pages,
    write_remedies_report,
    write_simulation_report,
    write_stress_report,
)
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.combinations import worst_sets
from changtong.resilience.remedies import Against, what_would_help, worst_cases
from changtong.resilience.remedy_result import REMEDIES_FOLDER, Remedies
from changtong.resilience.result import STRESS_FOLDER, StressTest
from changtong.resilience.run import Watch
from changtong.resilience.stress import stress_test
from changtong.rural.county import County
from changtong.safety.supervision import Supervision
from changtong.safety_studies import SAFETY_ANALYSES
from changtong.simulation.replications import Replications, simulate_replications
from changtong.simulation.result import RUN_FOLDER, Simulation
from changtong.simulation.simulate import simulate
from changtong.study_files import network_digest, write_study_file
from changtong.verification import Verified, plan_verified
from changtong.warning_studies import warnings
from changtong.workforce.relief_match import ReliefFirms
from changtong.workforce.rights_ticket_statistics import CountedTickets
from changtong.workforce.workforce_folder import Workforce
from changtong.workforce_studies import WORKFORCE_ANALYSES

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Study:
    """One analysis that was run.

    Attributes
    ----------
    name : str
        Which analysis.
    result : object
        Its result object.
    made_at : datetime
        When, UTC.
    version : str
        Of this package.
    input_digest : str
        SHA-256 over the network's tables and the outages, over the county's or the scorecard's tables
        (filled: with what its values were computed from), or over the log (after an ingest: with what it
        brought).
    seed : int or None
        None: the analysis uses no random numbers.
    folder : Path or None
        Where the result was saved.
    """

    name: str
    result: Any
    made_at: datetime
    version: str
    input_digest: str
    seed: int | None
    folder: Path | None


def _plan(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    valid_from: datetime | None = None,
    **options: Any,
) -> tuple[Plan, Path | None]:
    if folder is not None:
        check_replaceable(folder, **PLAN_FOLDER)
    result = plan(network, outages, **options)
    if folder is None:
        return result, None
    return result, result.save(
        folder, extra=lambda into: write_plan_pages(result, into, language, valid_from)
    )


def _plan_verified(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    valid_from: datetime | None = None,
    **options: Any,
) -> tuple[Verified, Path | None]:
    if folder is not None:
        check_replaceable(folder, **PLAN_FOLDER)
    result = plan_verified(network, outages, **options)
    if folder is None:
        return result, None

    def more(into: Path) -> None:
        write_plan_pages(result.plan, into, language, valid_from)
        _save_run(result.run, into / RUN_IN_PLAN, language)
        result.rounds.write_csv(into / ROUNDS_FILE, include_bom=True)

    return result, result.plan.save(folder, extra=more)


def _simulate(
    network: Network, outages: tuple[Outage, ...], folder: Path | None, language: Language, **options: Any
) -> tuple[Simulation, Path | None]:
    if folder is not None:
        check_replaceable(folder, **RUN_FOLDER)
    result = simulate(network, outages, **options)
    return result, None if folder is None else _save_run(result, folder, language)


def _save_run(run: Simulation, folder: Path, language: Language) -> Path:
    """Write a run's frames and its page."""

    def page(into: Path) -> None:
        write_simulation_report(run, into / "report.html", language=language)

    return run.save(folder, extra=page)


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


ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "plan": _plan,
    "plan-verified": _plan_verified,
    "simulate": _simulate,
    "replications": _replications,
    "stress": _stress,
    "remedies": _remedies,
    "carbon": carbon,
    "carbon-frontier": partial(carbon_frontier, version=__version__),
    "warnings": warnings,
    "risk-areas": risk_areas,
}


def _tables_digest(subject: County | Supervision | Epidemic | Workforce) -> str:
    """Return a SHA-256 over a name and all tables: equal inputs, equal digest."""
    total = hashlib.sha256(subject.name.encode())
    for name, table in subject.tables().items():
        total.update(f"{name}\n{table.write_csv()}".encode())
    return total.hexdigest()


@dataclass(frozen=True)
class _Kind:
    """A kind of subject: its analyses, and what ``study.json`` says of one.

    ``digest`` and ``facts`` take the subject and the result, which knows what else was read.
    Networks and logs know more than a subject and a seed; they say it themselves.
    """

    of: str
    subject: type
    analyses: Mapping[str, Callable[..., tuple[Any, Path | None]]]
    digest: Callable[[Any, Any], str] | None = None
    facts: Callable[[Any, Any], dict[str, Any]] = lambda subject, result: {}


OF_LOGS = {**LOG_ANALYSES, "epidemic-case": epidemic_case}
KINDS = (
    _Kind("a network", Network, ANALYSES),
    _Kind("a scan log", EventLog, OF_LOGS),
    _Kind(
        "a county", County, COUNTY_ANALYSES, lambda county, _: _tables_digest(county),
        lambda county, _: {"county": county.name},
    ),
    _Kind(
        "a supervision", Supervision, SAFETY_ANALYSES, lambda supervision, _: _tables_digest(supervision),
        lambda supervision, _: {"supervision": supervision.name},
    ),
    _Kind(
        "months of outlets", OutletMonths, OUTLET_ANALYSES, lambda months, _: months_digest(months),
        lambda months, _: {"outlets": len(months.outlets), "months": [months.months[0], months.months[-1]]},
    ),
    _Kind(
        "epidemic control", Epidemic, EPIDEMIC_ANALYSES, lambda epidemic, _: _tables_digest(epidemic),
        lambda epidemic, _: {"epidemic": epidemic.name},
    ),
    _Kind(
        "a workforce", Workforce, WORKFORCE_ANALYSES, lambda workforce, _: _tables_digest(workforce),
        lambda workforce, _: {"workforce": workforce.name, "rules": workforce.rules.id},
    ),
    _Kind(
        "firms and relief policies", ReliefFirms, RELIEF_ANALYSES, lambda firms, _: firms.digest(),
        lambda firms, _: {"firms": len(firms.firms), "policies": len(firms.policies.policies)},
    ),
    _Kind(
        "rights tickets", CountedTickets, TICKET_ANALYSES, lambda tickets, _: tickets.digest(),
        lambda tickets, _: {"tickets": len(tickets.known)},
    ),
    _Kind("a scorecard", Scorecard, ASSESSMENT_ANALYSES, card_digest, card_facts),
    _Kind(
        "files of records", RecordFiles, PRIVACY_ANALYSES, lambda files, _: files.digest(),
        lambda files, _: files.facts(),
    ),
)  # fmt: skip


SeededSubject = (
    County
    | Supervision
    | Epidemic
    | Workforce
    | OutletMonths
    | Scorecard
    | ReliefFirms
    | CountedTickets
    | RecordFiles
)
"""What analyses with a seed are of."""


def run_study(
    name: str,
    subject: Network | EventLog | SeededSubject,
    outages: tuple[Outage, ...] = (),
    *,
    folder: str | Path | None = None,
    language: Language = "zh",
    seed: int | None = None,
    **options: Any,
) -> Study:
    """Run a named analysis and, with ``folder``, keep its result there.

    Parameters
    ----------
    name : str
        Which analysis. Of a network: "plan", "plan-verified", "simulate", "replications", "stress",
        "remedies", "carbon", "carbon-frontier", "warnings", "risk-areas".
        Of a scan log: "indicators", "daily-report",
        "trace", "alerts", "ingest", "starting-backlog", "epidemic-case". Of a county: "county-plan",
        "county-coverage". Of a supervision: "visits", "campaign". Of epidemic control:
        "epidemic-outages", "epidemic-states", "epidemic-passes", "epidemic-firms", "epidemic-staff",
        "epidemic-crossings", "epidemic-inspections-due", "epidemic-settling", "epidemic-checklist",
        "epidemic-picture". Of a workforce: "roster", "workload", "hours". Of months of outlets:
        "outlet-index", "outlet-warnings", "outlet-evaluation". Of a scorecard: "assessment",
        "scorecard-fill". Of files of records: "find-personal-data", "extract". Of firms
        and relief policies: "relief-match". Of rights tickets: "rights-statistics".
    subject : Network, EventLog, County, Supervision, Epidemic, Workforce, OutletMonths, Scorecard,
        ReliefFirms, CountedTickets, or RecordFiles
        What is analysed.
    outages : tuple of Outage
        Of a network only.
    folder : path, optional
        Where to save frames, report, orders and ``study.json``.
    language : {"zh", "en"}
        The language pages open in.
    seed : int, optional
        For analyses that draw random numbers; ``plan`` draws none.
    **options
        Passed to the analysis: to a plan ``objectives``, ``settings``, ``progress``, ``name``,
        and ``valid_from``, the instant from which the orders hold; to a verified one also
        ``simulation``, how it is played forward; to a simulation those of
        :func:`changtong.simulation.simulate.simulate`; to a stress test ``cases``, ``settings``,
        ``executor``, ``together``, ``anew``, ``progress`` and ``name``; to remedies ``cases``,
        ``worst`` (of more cases only the worst so many count), ``anew``, ``progress`` and those of
        :func:`changtong.resilience.remedies.what_would_help`; to carbon ``plan`` (a plan or its folder) and
        those of :func:`changtong.footprint.estimate.estimate_carbon`; to carbon-frontier those of
        :func:`changtong.carbon_frontier.carbon_frontier`; to warnings ``inputs``, ``at`` and
        those of :func:`changtong.emergency.threats.find_threats`.
        Of a log: to indicators ``day``, ``look_back_days``, ``engine`` ("duckdb" or "spark") and those of
        :func:`changtong.events.indicators.indicators`; to a daily report the same, ``file``, ``alerts``
        and ``made_at``; to a trace those of :func:`changtong.events.trace_log.trace`, ``vault``,
        ``right`` and ``reason``; to alerts those of :func:`changtong.events.alerts.log_watch.watch_log`;
        to an ingest ``files``, ``mapping`` and those of :func:`changtong.events.ingest.ingest`; to a
        starting backlog ``network``, ``at`` and those of
        :func:`changtong.events.starting_backlog.starting_backlog`.
        Of a county: to a plan ``definition`` (of coverage, for the report) and those of
        :func:`changtong.rural.plan_county.plan_county`; to coverage ``plan``, ``definition``, ``measure``.
        Of a supervision: to visits those of :func:`changtong.safety.visit_plan.plan_visits`; to a campaign
        ``campaign`` and ``day``.
        Of months of outlets: ``rules``; to an index ``month``, to warnings ``until``, to a test ``split``.
        Of a workforce: those of :func:`changtong.workforce.roster.make_roster`,
        :func:`changtong.workforce.workload.assess_workload`, :func:`changtong.workforce.hours.check_hours`.
        Of a scorecard: to an assessment ``closing``, ``on``, ``within``, ``draws`` and ``notices``; to
        filling it ``inputs`` (what the system knows), ``at`` and ``watch``.
        Of firms and relief policies: ``day``. Of rights tickets: ``least``.
        Of files of records: to a search those of
        :func:`changtong.privacy.find_personal_data.find_personal_data`; to an extract ``coarser`` (column ->
        hierarchy) and those of :func:`changtong.privacy.extracts.extract`.

    Raises
    ------
    NotFoundError
        No such analysis.
    UsageError
        The analysis is of a log and not of a network, or the other way round; ``folder`` holds something
        else than such a result, or cannot be written.
    """
    owner = next((kind for kind in KINDS if name in kind.analyses), None)
    if owner is None:
        listed = ", ".join(one for kind in KINDS for one in kind.analyses)
        raise NotFoundError(f"No analysis {name!r}; there is {listed}.")
    if not isinstance(subject, owner.subject):
        given = next((kind.of for kind in KINDS if isinstance(subject, kind.subject)), "a network")
        raise UsageError(f"{name!r} is an analysis of {owner.of}, not of {given}.")
    where = None if folder is None else Path(folder)
    if isinstance(subject, EventLog):
        return _log_study(name, subject, outages, where, language, seed, options)
    if not isinstance(subject, Network):
        return _seeded_study(owner, name, subject, outages, where, language, seed, options)
    if name == "replications" and seed is not None:
        options["seed"] = seed
    result, saved = ANALYSES[name](subject, outages, where, language, **options)
    facts = {"network": subject.name, "outages": [asdict(outage) for outage in outages]}
    return _kept(name, result, saved, network_digest(subject, outages), seed, facts)


def _log_study(
    name: str,
    log: EventLog,
    outages: tuple[Outage, ...],
    where: Path | None,
    language: Language,
    seed: int | None,
    options: dict[str, Any],
) -> Study:
    """Run an analysis of a scan log."""
    if outages or seed is not None:
        raise UsageError("Analyses of a scan log know no outages and draw nothing.")
    result, saved = OF_LOGS[name](log, where, language, **options)
    after = open_log(log.path)  # an ingest has added to it
    days = [str(day) for day in after.days]
    facts = {"log": log.path.name, "zone": log.zone, "rows": after.rows, "days": days[:1] + days[-1:]}
    return _kept(name, result, saved, log_digest(after), seed, facts)


def _seeded_study(
    kind: _Kind,
    name: str,
    subject: SeededSubject,
    outages: tuple[Outage, ...],
    where: Path | None,
    language: Language,
    seed: int | None,
    options: dict[str, Any],
) -> Study:
    """Run an analysis that takes a subject and a seed."""
    if outages:
        raise UsageError(f"Analyses of {kind.of} know no outages.")
    assert kind.digest is not None
    result, saved = kind.analyses[name](subject, where, language, seed=seed, **options)
    input_digest = kind.digest(subject, result)
    return _kept(name, result, saved, input_digest, seed, kind.facts(subject, result))


def _kept(
    name: str, result: Any, saved: Path | None, input_digest: str, seed: int | None, subject: dict[str, Any]
) -> Study:
    """Return the study; where its result was saved, ``study.json`` says what made it."""
    study = Study(name, result, datetime.now(UTC), __version__, input_digest, seed, saved)
    if saved is None:
        return study
    write_study_file(saved, name, __version__, study.made_at, input_digest, seed, subject)
    return study
