"""The analyses of a supervising body behind the doorway: visits and campaigns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.safety.campaign import KIND as CAMPAIGN
from changtong.safety.campaign import Campaign, Progress, campaign_progress
from changtong.safety.supervision import Supervision
from changtong.safety.table_folder import check_folder
from changtong.safety.visit_plan import KIND as VISITS
from changtong.safety.visit_plan import VisitPlan, plan_visits
from changtong.wording import Language


def _visits(
    supervision: Supervision, folder: Path | None, language: Language, *, seed: int | None, **options: Any
) -> tuple[VisitPlan, Path | None]:
    if folder is not None:
        check_folder(folder, VISITS)
    result = plan_visits(supervision, seed=seed or 0, **options)
    return result, None if folder is None else result.save(folder)


def _campaign(
    supervision: Supervision,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    campaign: Campaign,
    day: date,
) -> tuple[Progress, Path | None]:
    if seed is not None:
        raise UsageError("The progress of a campaign draws nothing: leave the seed out.")
    if folder is not None:
        check_folder(folder, CAMPAIGN)
    result = campaign_progress(supervision, campaign, day)
    return result, None if folder is None else result.save(folder)


SAFETY_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "visits": _visits,
    "campaign": _campaign,
}
