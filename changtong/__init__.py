"""Changtong (畅通): keeps postal and express networks moving.

The public names load when first used, so that importing the package is quick and pulls
in no solver.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from changtong.assessment.assess import assess, what_if
    from changtong.assessment.card_folder import build_scorecard, read_scorecard
    from changtong.assessment.result import Assessment
    from changtong.assessment.scorecard import CardHead, Scorecard
    from changtong.assessment.sensitivity import sensitivity
    from changtong.events.export import export_epcis
    from changtong.events.generator.generate import generate_scans
    from changtong.events.ingest import ingest
    from changtong.events.learn_scans import learn_from_scans
    from changtong.events.leg_days import leg_days
    from changtong.events.log import create_log, open_log
    from changtong.events.mapping import read_mapping
    from changtong.events.starting_backlog import starting_backlog
    from changtong.events.trace_log import trace
    from changtong.events.vault.resolve import resolve
    from changtong.events.vault.rights import read_right
    from changtong.events.vault.store import create_vault, open_vault
    from changtong.footprint.estimate import estimate_carbon
    from changtong.footprint.factors import read_factors
    from changtong.footprint.packaging import assess_packaging
    from changtong.footprint.result import Footprint
    from changtong.forecast.result import Forecast
    from changtong.forecast.volumes_ahead import forecast_volumes
    from changtong.network.checks import check_network
    from changtong.network.io import read_network, write_network
    from changtong.network.learn import learn_network
    from changtong.network.model import Network, build_network
    from changtong.network.reference import reference_network
    from changtong.outage_files import read_outages
    from changtong.outages import Outage, close_sites, in_force
    from changtong.planning.plan import plan
    from changtong.planning.result import Plan, PlanSettings
    from changtong.privacy.find_personal_data import find_personal_data
    from changtong.privacy.mask_file import mask_file
    from changtong.resilience.cases import make_cases
    from changtong.resilience.combinations import worst_sets
    from changtong.resilience.remedies import what_would_help
    from changtong.resilience.result import StressSettings, StressTest
    from changtong.resilience.stress import stress_test
    from changtong.rural.county_folder import check_county, read_county, write_county
    from changtong.rural.coverage import coverage
    from changtong.rural.plan_county import plan_county
    from changtong.rural.sources import india_district, reference_county
    from changtong.rural.two_echelon_file import read_two_echelon
    from changtong.rural.two_echelon_search import solve_two_echelon
    from changtong.simulation.replications import simulate_replications
    from changtong.simulation.result import Simulation
    from changtong.simulation.simulate import SimulationSettings, simulate
    from changtong.simulation.timetable import RouteChange
    from changtong.storage.store import create_store, open_store
    from changtong.studies import run_study
    from changtong.verification import plan_verified

__version__ = "0.1.0"

_HOMES = {
    "Assessment": "changtong.assessment.result",
    "CardHead": "changtong.assessment.scorecard",
    "Footprint": "changtong.footprint.result",
    "Forecast": "changtong.forecast.result",
    "Network": "changtong.network.model",
    "Outage": "changtong.outages",
    "Plan": "changtong.planning.result",
    "PlanSettings": "changtong.planning.result",
    "Planner": "changtong.planning.plan",
    "RouteChange": "changtong.simulation.timetable",
    "Scorecard": "changtong.assessment.scorecard",
    "Simulation": "changtong.simulation.result",
    "SimulationSettings": "changtong.simulation.simulate",
    "StressSettings": "changtong.resilience.result",
    "StressTest": "changtong.resilience.result",
    "assess": "changtong.assessment.assess",
    "assess_packaging": "changtong.footprint.packaging",
    "build_network": "changtong.network.model",
    "build_scorecard": "changtong.assessment.card_folder",
    "check_county": "changtong.rural.county_folder",
    "check_network": "changtong.network.checks",
    "close_sites": "changtong.outages",
    "coverage": "changtong.rural.coverage",
    "create_log": "changtong.events.log",
    "create_store": "changtong.storage.store",
    "create_vault": "changtong.events.vault.store",
    "estimate_carbon": "changtong.footprint.estimate",
    "export_epcis": "changtong.events.export",
    "find_personal_data": "changtong.privacy.find_personal_data",
    "forecast_volumes": "changtong.forecast.volumes_ahead",
    "generate_scans": "changtong.events.generator.generate",
    "in_force": "changtong.outages",
    "india_district": "changtong.rural.sources",
    "ingest": "changtong.events.ingest",
    "learn_from_scans": "changtong.events.learn_scans",
    "learn_network": "changtong.network.learn",
    "leg_days": "changtong.events.leg_days",
    "make_cases": "changtong.resilience.cases",
    "mask_file": "changtong.privacy.mask_file",
    "open_log": "changtong.events.log",
    "open_store": "changtong.storage.store",
    "open_vault": "changtong.events.vault.store",
    "plan": "changtong.planning.plan",
    "plan_county": "changtong.rural.plan_county",
    "plan_verified": "changtong.verification",
    "read_county": "changtong.rural.county_folder",
    "read_factors": "changtong.footprint.factors",
    "read_mapping": "changtong.events.mapping",
    "read_network": "changtong.network.io",
    "read_outages": "changtong.outage_files",
    "read_right": "changtong.events.vault.rights",
    "read_scorecard": "changtong.assessment.card_folder",
    "read_two_echelon": "changtong.rural.two_echelon_file",
    "reference_county": "changtong.rural.sources",
    "reference_network": "changtong.network.reference",
    "resolve": "changtong.events.vault.resolve",
    "run_study": "changtong.studies",
    "sensitivity": "changtong.assessment.sensitivity",
    "simulate": "changtong.simulation.simulate",
    "simulate_replications": "changtong.simulation.replications",
    "solve_two_echelon": "changtong.rural.two_echelon_search",
    "starting_backlog": "changtong.events.starting_backlog",
    "stress_test": "changtong.resilience.stress",
    "trace": "changtong.events.trace_log",
    "what_if": "changtong.assessment.assess",
    "what_would_help": "changtong.resilience.remedies",
    "worst_sets": "changtong.resilience.combinations",
    "write_county": "changtong.rural.county_folder",
    "write_network": "changtong.network.io",
}

__all__ = [
    "Assessment",
    "CardHead",
    "Footprint",
    "Forecast",
    "Network",
    "Outage",
    "Plan",
    "PlanSettings",
    "Planner",
    "RouteChange",
    "Scorecard",
    "Simulation",
    "SimulationSettings",
    "StressSettings",
    "StressTest",
    "assess",
    "assess_packaging",
    "build_network",
    "build_scorecard",
    "check_county",
    "check_network",
    "close_sites",
    "coverage",
    "create_log",
    "create_store",
    "create_vault",
    "estimate_carbon",
    "export_epcis",
    "find_personal_data",
    "forecast_volumes",
    "generate_scans",
    "in_force",
    "india_district",
    "ingest",
    "learn_from_scans",
    "learn_network",
    "leg_days",
    "make_cases",
    "mask_file",
    "open_log",
    "open_store",
    "open_vault",
    "plan",
    "plan_county",
    "plan_verified",
    "read_county",
    "read_factors",
    "read_mapping",
    "read_network",
    "read_outages",
    "read_right",
    "read_scorecard",
    "read_two_echelon",
    "reference_county",
    "reference_network",
    "resolve",
    "run_study",
    "sensitivity",
    "simulate",
    "simulate_replications",
    "solve_two_echelon",
    "starting_backlog",
    "stress_test",
    "trace",
    "what_if",
    "what_would_help",
    "worst_sets",
    "write_county",
    "write_network",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'changtong' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
