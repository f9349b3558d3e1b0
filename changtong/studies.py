"""The doorway: a named analysis with its inputs, kept with what made it.

The command line and every later way in call ``run_study``, and so give the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from changtong import __version__
from changtong.errors import NotFoundError, UsageError
from changtong.study_files import network_digest, write_study_file
from changtong.wording import Language

if TYPE_CHECKING:
    from changtong.assessment.scorecard import Scorecard
    from changtong.epidemic.epidemic_folder import Epidemic
    from changtong.events.log import EventLog
    from changtong.network.model import Network
    from changtong.outages import Outage
    from changtong.outlets.outlet_months import OutletMonths
    from changtong.privacy_studies import RecordFiles
    from changtong.rural.county import County
    from changtong.safety.supervision import Supervision
    from changtong.workforce.relief_match import ReliefFirms
    from changtong.workforce.rights_ticket_statistics import CountedTickets
    from changtong.workforce.workforce_folder import Workforce

    Seeded = County | Supervision | Epidemic | Workforce | OutletMonths | Scorecard
    SeededSubject = Seeded | ReliefFirms | CountedTickets | RecordFiles


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


def _tables_digest(subject: County | Supervision | Epidemic | Workforce) -> str:
    """Return a SHA-256 over a name and all tables: equal inputs, equal digest."""
    total = hashlib.sha256(subject.name.encode())
    for name, table in subject.tables().items():
        total.update(f"{name}\n{table.write_csv()}".encode())
    return total.hexdigest()


def _at(place: str) -> Any:
    """Return what stands at ``module:name``: a study loads what it needs, and not all there is."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class _Kind:
    """Analyses of one kind of subject, and what ``study.json`` says of one.

    ``subject`` and ``analyses`` are places; ``digest`` and ``facts`` take the subject and the result, which
    knows what else was read. Networks and logs know more than a subject and a seed; they say it themselves.
    """

    of: str
    subject: str
    analyses: str
    names: tuple[str, ...]
    digest: Callable[[Any, Any], str] | None = None
    facts: Callable[[Any, Any], dict[str, Any]] = lambda subject, result: {}

    def fits(self, subject: object) -> bool:
        """Tell whether a subject is of this kind: its class need not be loaded for that."""
        classes = type(subject).__mro__
        return self.subject in (f"{one.__module__}:{one.__qualname__}" for one in classes)

    def analysis(self, name: str) -> Callable[..., tuple[Any, Path | None]]:
        """Return an analysis."""
        found: Callable[..., tuple[Any, Path | None]] = _at(self.analyses)[name]
        return found


A_NETWORK = ("a network", "changtong.network.model:Network")
A_LOG = ("a scan log", "changtong.events.log:EventLog")
KINDS = (
    _Kind(*A_NETWORK, "changtong.plan_studies:PLAN_ANALYSES", ("plan", "plan-verified")),
    _Kind(
        *A_NETWORK, "changtong.resilience_studies:RESILIENCE_ANALYSES",
        ("simulate", "replications", "stress", "remedies"),
    ),
    _Kind(*A_NETWORK, "changtong.carbon_studies:CARBON_ANALYSES", ("carbon", "carbon-frontier")),
    _Kind(*A_NETWORK, "changtong.warning_studies:WARNING_ANALYSES", ("warnings",)),
    _Kind(*A_NETWORK, "changtong.epidemic_studies:AREA_ANALYSES", ("risk-areas",)),
    _Kind(
        *A_LOG, "changtong.log_studies:LOG_ANALYSES",
        ("indicators", "daily-report", "trace", "alerts", "ingest", "starting-backlog"),
    ),
    _Kind(*A_LOG, "changtong.epidemic_studies:CASE_ANALYSES", ("epidemic-case",)),
    _Kind(
        "a county", "changtong.rural.county:County", "changtong.county_studies:COUNTY_ANALYSES",
        ("county-plan", "county-coverage"),
        lambda county, _: _tables_digest(county), lambda county, _: {"county": county.name},
    ),
    _Kind(
        "a supervision", "changtong.safety.supervision:Supervision",
        "changtong.safety_studies:SAFETY_ANALYSES",
        ("visits", "campaign"),
        lambda supervision, _: _tables_digest(supervision),
        lambda supervision, _: {"supervision": supervision.name},
    ),
    _Kind(
        "months of outlets", "changtong.outlets.outlet_months:OutletMonths",
        "changtong.outlet_studies:OUTLET_ANALYSES", ("outlet-index", "outlet-warnings", "outlet-evaluation"),
        lambda months, _: str(_at("changtong.outlet_studies:months_digest")(months)),
        lambda months, _: {"outlets": len(months.outlets), "months": [months.months[0], months.months[-1]]},
    ),
    _Kind(
        "epidemic control", "changtong.epidemic.epidemic_folder:Epidemic",
        "changtong.epidemic_studies:EPIDEMIC_ANALYSES",
        (
            "epidemic-outages", "epidemic-picture", "epidemic-states", "epidemic-passes", "epidemic-firms",
            "epidemic-staff", "epidemic-crossings", "epidemic-inspections-due", "epidemic-settling",
            "epidemic-checklist",
        ),
        lambda epidemic, _: _tables_digest(epidemic), lambda epidemic, _: {"epidemic": epidemic.name},
    ),
    _Kind(
        "a workforce", "changtong.workforce.workforce_folder:Workforce",
        "changtong.workforce_studies:WORKFORCE_ANALYSES", ("roster", "workload", "hours"),
        lambda workforce, _: _tables_digest(workforce),
        lambda workforce, _: {"workforce": workforce.name, "rules": workforce.rules.id},
    ),
    _Kind(
        "firms and relief policies", "changtong.workforce.relief_match:ReliefFirms",
        "changtong.relief_studies:RELIEF_ANALYSES", ("relief-match",),
        lambda firms, _: str(firms.digest()),
        lambda firms, _: {"firms": len(firms.firms), "policies": len(firms.policies.policies)},
    ),
    _Kind(
        "rights tickets", "changtong.workforce.rights_ticket_statistics:CountedTickets",
        "changtong.relief_studies:TICKET_ANALYSES", ("rights-statistics",),
        lambda tickets, _: str(tickets.digest()), lambda tickets, _: {"tickets": len(tickets.known)},
    ),
    _Kind(
        "a scorecard", "changtong.assessment.scorecard:Scorecard",
        "changtong.assessment_studies:ASSESSMENT_ANALYSES", ("assessment", "scorecard-fill"),
        lambda card, result: str(_at("changtong.assessment_studies:card_digest")(card, result)),
        lambda card, result: dict(_at("changtong.assessment_studies:card_facts")(card, result)),
    ),
    _Kind(
        "files of records", "changtong.privacy_studies:RecordFiles",
        "changtong.privacy_studies:PRIVACY_ANALYSES", ("find-personal-data", "extract"),
        lambda files, _: str(files.digest()), lambda files, _: dict(files.facts()),
    ),
)  # fmt: skip


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
    owner = next((kind for kind in KINDS if name in kind.names), None)
    if owner is None:
        listed = ", ".join(one for kind in KINDS for one in kind.names)
        raise NotFoundError(f"No analysis {name!r}; there is {listed}.")
    if not owner.fits(subject):
        given = next((kind.of for kind in KINDS if kind.fits(subject)), "a network")
        raise UsageError(f"{name!r} is an analysis of {owner.of}, not of {given}.")
    where = None if folder is None else Path(folder)
    if owner.of == A_LOG[0]:
        return _log_study(owner, name, cast("EventLog", subject), outages, where, language, seed, options)
    if owner.of != A_NETWORK[0]:
        return _seeded_study(
            owner, name, cast("SeededSubject", subject), outages, where, language, seed, options
        )
    if name == "replications" and seed is not None:
        options["seed"] = seed
    if name == "carbon-frontier":  # its plans are folders of their own, each with what made it
        options["version"] = __version__
    network = cast("Network", subject)
    result, saved = owner.analysis(name)(network, outages, where, language, **options)
    facts = {"network": network.name, "outages": [asdict(outage) for outage in outages]}
    return _kept(name, result, saved, network_digest(network, outages), seed, facts)


def _log_study(
    kind: _Kind,
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
    from changtong.events.log import log_digest, open_log

    result, saved = kind.analysis(name)(log, where, language, **options)
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
    result, saved = kind.analysis(name)(subject, where, language, seed=seed, **options)
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
