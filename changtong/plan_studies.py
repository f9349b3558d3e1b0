"""Plans as studies: what is computed, and the pages that go into their folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.plan import plan
from changtong.planning.plan_folder import ROUNDS_FILE
from changtong.planning.result import PLAN_FOLDER, RUN_IN_PLAN, Plan
from changtong.report.plan_pages import write_plan_pages
from changtong.report.simulation_report import write_run
from changtong.verification import Verified, plan_verified
from changtong.wording import Language


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
        write_run(result.run, into / RUN_IN_PLAN, language)
        result.rounds.write_csv(into / ROUNDS_FILE, include_bom=True)

    return result, result.plan.save(folder, extra=more)


PLAN_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "plan": _plan,
    "plan-verified": _plan_verified,
}
