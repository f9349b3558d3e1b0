"""The analyses of epidemic control behind the doorway: of its folder, of a network, and of a scan log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.case import KIND as CASE
from changtong.epidemic.case import Case, CaseTask, default_case_id, open_case
from changtong.epidemic.epidemic_folder import Epidemic
from changtong.epidemic.measures import collected_visits, count_measures, read_site_forms
from changtong.epidemic.pass_use import read_leg_flows
from changtong.epidemic.picture import Picture
from changtong.epidemic.reports import (
    KIND,
    Report,
    crossings_report,
    due_report,
    firms_report,
    passes_report,
    report_of,
    staff_report,
    states_report,
)
from changtong.epidemic.risk_areas import propose_states, read_risk_list, read_risk_rules
from changtong.epidemic.settings import read_settings
from changtong.epidemic.settling import read_scans, settle
from changtong.epidemic.settling_rules import international_sites
from changtong.epidemic.state_kinds import read_state_kinds
from changtong.epidemic.state_outages import StateOutages, state_outages
from changtong.epidemic.tables import TableReader
from changtong.errors import UsageError
from changtong.events.log import EventLog
from changtong.events.trace_log import trace
from changtong.network.model import Network
from changtong.outage_files import write_outages
from changtong.outages import Outage
from changtong.report.epidemic_page import write_epidemic_page
from changtong.safety.collection import Collection, read_collection
from changtong.safety.table_folder import check_folder
from changtong.wording import Language

OUTAGES_FILE = "outages.toml"


def _outages(
    epidemic: Epidemic,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    network: Network,
    at: datetime,
    file: Path | None = None,
) -> tuple[StateOutages, Path | None]:
    """Make outages; with ``file`` they are written there."""
    _no_seed(seed)
    made = state_outages(epidemic, network, at)
    place = folder / OUTAGES_FILE if folder is not None else file
    if place is not None:
        if not made.outages:
            raise UsageError(
                "No site state, pass or settling rule changes anything: there is nothing to write."
            )
        head = (f"site states of {epidemic.name} at {at.isoformat()}", *map(str, made.notes))
        write_outages(made.outages, place, remark="\n".join(head))
    return made, folder


def _no_seed(seed: int | None) -> None:
    if seed is not None:
        raise UsageError("Epidemic control draws nothing: leave the seed out.")


def _settling(
    epidemic: Epidemic, *, scans: pl.DataFrame, at: datetime, network: Network | None = None
) -> Report:
    """Compute what settles; sites of the folder and the network are those of the country."""
    home = {*epidemic.sites["site_id"].to_list(), *(network.site_ids if network is not None else ())}
    space = dict(epidemic.sites.select("site_id", "settling_m2").drop_nulls().iter_rows())
    places = international_sites(epidemic.sites, network)
    zone = epidemic.settings.zone
    made = settle(scans, epidemic.settling_rules, places, at, home=home, space_m2=space, zone=zone)
    return report_of("settling", made, zone)


def _measures(epidemic: Epidemic, *, forms: Any, collection: Collection, day: date, more: Any = ()) -> Report:
    made = count_measures(
        epidemic.site_kinds(), forms, collection, day, zone=epidemic.settings.zone, more=more
    )
    return report_of("checklist", made, epidemic.settings.zone)


REPORTS: dict[str, Callable[..., Report]] = {
    "epidemic-states": states_report,
    "epidemic-passes": passes_report,
    "epidemic-firms": firms_report,
    "epidemic-staff": staff_report,
    "epidemic-crossings": crossings_report,
    "epidemic-inspections-due": due_report,
    "epidemic-settling": _settling,
    "epidemic-checklist": _measures,
}


def _reported(make: Callable[..., Report]) -> Callable[..., tuple[Any, Path | None]]:
    def run(
        epidemic: Epidemic, folder: Path | None, language: Language, *, seed: int | None, **options: Any
    ) -> tuple[Report, Path | None]:
        _no_seed(seed)
        if folder is not None:
            check_folder(folder, KIND)
        made = make(epidemic, **options)
        return made, None if folder is None else made.save(folder)

    return run


def _picture(
    epidemic: Epidemic,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    network: Network,
    at: datetime,
    file: Path | None = None,
    rules_folder: Path | None = None,
    collected: Path | None = None,
    scans: Path | None = None,
    plan: Path | None = None,
) -> tuple[Picture, None]:
    """Put everything that is known at an instant together; with ``file`` as a page."""
    _no_seed(seed)
    flows = None if plan is None else read_leg_flows(plan)
    reports = {"states": states_report(epidemic, at)}
    if epidemic.has_passes:
        reports["passes"] = passes_report(epidemic, at, network=network, leg_flows=flows)
    if epidemic.firms.height:
        reports["firms"] = firms_report(epidemic, at)
    if epidemic.has_staff:
        reports["staff"] = staff_report(epidemic, at)
    if epidemic.posts.height or epidemic.presence.height:
        reports["crossings"] = crossings_report(epidemic)
    if scans is not None:
        reader = TableReader()
        frame = read_scans(reader, scans)
        reader.finish()
        reports["settling"] = _settling(epidemic, scans=frame, at=at, network=network)
    if collected is not None:
        reports |= _inspected(epidemic, collected, rules_folder, at, network)
    made = Picture(epidemic, network, at, state_outages(epidemic, network, at), reports)
    if file is not None:
        write_epidemic_page(made, file, language=language)
    return made, None


def _inspected(
    epidemic: Epidemic, collected: Path, rules_folder: Path | None, at: datetime, network: Network
) -> dict[str, Report]:
    """Return what collected inspections tell: measures missing, and months due."""
    reader = TableReader(rules_folder)
    forms = read_site_forms(reader)
    reader.finish()
    collection = read_collection(collected)
    zone = epidemic.settings.zone
    day = at.astimezone(ZoneInfo(zone)).date()
    visits = collected_visits(collection, zone).filter(pl.col("form_id") == "international")
    return {
        "checklist": _measures(epidemic, forms=forms, collection=collection, day=day),
        "inspections-due": due_report(epidemic, visits, day, network=network),
    }


EPIDEMIC_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "epidemic-outages": _outages,
    "epidemic-picture": _picture,
    **{name: _reported(make) for name, make in REPORTS.items()},
}


def epidemic_case(
    log: EventLog,
    folder: Path | None,
    language: Language,
    *,
    opened_at: datetime,
    tasks: tuple[CaseTask, ...],
    owner: str,
    owners: dict[str, str] | None = None,
    case_id: str | None = None,
    before_saving: Callable[[Case], object] | None = None,
    **question: Any,
) -> tuple[Case, Path | None]:
    """Trace onward and make a case of what was found; where ``before_saving`` raises nothing is written."""
    if folder is not None:
        check_folder(folder, CASE)
    found = trace(log, **question)
    name = case_id or default_case_id(opened_at)
    made = open_case(found, name, opened_at, tasks, owner=owner, owners=owners, zone=log.zone)
    if before_saving is not None:
        before_saving(made)
    return made, None if folder is None else made.save(folder)


def risk_areas(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    risk_list: Path,
    rules_folder: Path | None = None,
    at: datetime | None = None,
) -> tuple[Report, Path | None]:
    """Propose states for the sites of a network from a list of risk areas."""
    if outages:
        raise UsageError("A list of risk areas is read into a network without outages: leave them out.")
    if folder is not None:
        check_folder(folder, KIND)
    reader = TableReader(rules_folder)
    settings = read_settings(reader)
    kinds = read_state_kinds(reader)
    rules = read_risk_rules(reader, kinds)
    reader.finish()
    found = read_risk_list(reader, risk_list, settings.zone, {rule.level for rule in rules})
    reader.finish()
    proposal = propose_states(network, found, rules, kinds, settings, at=at)
    made = report_of("risk-areas", proposal, settings.zone)
    return made, None if folder is None else made.save(folder)


CASE_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {"epidemic-case": epidemic_case}
AREA_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {"risk-areas": risk_areas}
