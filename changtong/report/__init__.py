"""What a person reads: the page of a plan, its order sheets, the page of a simulation."""

from changtong.report.orders_page import write_orders
from changtong.report.plan_report import write_plan_report
from changtong.report.simulation_report import write_simulation_report

__all__ = ["write_orders", "write_plan_report", "write_simulation_report"]
