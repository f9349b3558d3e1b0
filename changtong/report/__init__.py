"""What a person reads: pages of plans, simulations, stress tests, counties, assessments; orders; the day."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from changtong.report.assessment_notice import write_assessment_notice
    from changtong.report.assessment_report import write_assessment_report
    from changtong.report.county_report import write_county_report
    from changtong.report.daily_report import write_daily_report
    from changtong.report.forecast_report import write_forecast_report
    from changtong.report.orders_page import write_orders
    from changtong.report.plan_pages import write_plan_pages
    from changtong.report.plan_report import write_plan_report
    from changtong.report.remedies_report import write_remedies_report
    from changtong.report.route_sheets import write_route_sheets
    from changtong.report.simulation_report import write_simulation_report
    from changtong.report.stress_report import write_stress_report
    from changtong.report.warnings_report import write_warnings_report

_PAGES = {
    "write_assessment_notice": "changtong.report.assessment_notice",
    "write_assessment_report": "changtong.report.assessment_report",
    "write_county_report": "changtong.report.county_report",
    "write_daily_report": "changtong.report.daily_report",
    "write_forecast_report": "changtong.report.forecast_report",
    "write_orders": "changtong.report.orders_page",
    "write_plan_pages": "changtong.report.plan_pages",
    "write_plan_report": "changtong.report.plan_report",
    "write_remedies_report": "changtong.report.remedies_report",
    "write_route_sheets": "changtong.report.route_sheets",
    "write_simulation_report": "changtong.report.simulation_report",
    "write_stress_report": "changtong.report.stress_report",
    "write_warnings_report": "changtong.report.warnings_report",
}
__all__ = [
    "write_assessment_notice",
    "write_assessment_report",
    "write_county_report",
    "write_daily_report",
    "write_forecast_report",
    "write_orders",
    "write_plan_pages",
    "write_plan_report",
    "write_remedies_report",
    "write_route_sheets",
    "write_simulation_report",
    "write_stress_report",
    "write_warnings_report",
]


def __getattr__(name: str) -> Any:
    """Load a page when it is asked for: all of them take most of a second."""
    if name not in _PAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PAGES[name]), name)
