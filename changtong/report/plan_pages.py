"""What people read of a plan, in its folder: orders and report."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from changtong.planning.result import Plan
from changtong.report.orders_page import write_orders
from changtong.report.plan_report import write_plan_report
from changtong.report.texts import Language


def write_plan_pages(plan: Plan, into: Path, language: Language, valid_from: datetime | None = None) -> None:
    """Write orders and report of a plan into its folder.

    Parameters
    ----------
    plan : Plan
    into : path
    language : {"zh", "en"}
        The language they open in.
    valid_from : datetime, optional
        From when the orders count.
    """
    write_orders(plan, into, language=language, valid_from=valid_from)
    write_plan_report(
        plan,
        into / "report.html",
        language=language,
        files=("orders.html", "orders.csv"),
        valid_from=valid_from,
    )
