"""Opening a case: what was told, put together for the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from changtong.emergency.case_event import Event
from changtong.emergency.case_log import whole_ms
from changtong.emergency.case_rules import CODE, opening
from changtong.emergency.plan import EmergencyPlan
from changtong.errors import InputError, Problem


@dataclass(frozen=True)
class Opened:
    """What is told of a case that is to be opened.

    Attributes
    ----------
    plan : EmergencyPlan
    event : Event
    measures, sites : mapping
        Beside the event's own: measure -> value, site -> state.
    at, known_at : datetime or None
        Now, and when it is opened, where not given; an event may say when it was known.
    case_id : str
        Made of plan and time where empty.
    zone : str
        In which times are shown.
    is_drill : bool
    """

    plan: EmergencyPlan
    event: Event
    measures: Mapping[str, object] = field(default_factory=dict)
    sites: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    known_at: datetime | None = None
    case_id: str = ""
    zone: str = "Asia/Shanghai"
    is_drill: bool = False


def open_with(told: Opened, *, by: str, now: datetime) -> tuple[dict[str, Any], datetime]:
    """Return what the opening entry says, and when it is.

    Parameters
    ----------
    told : Opened
    by : str
    now : datetime

    Raises
    ------
    InputError
        ``bad-case-action``, with everything that is wrong.
    """
    now = whole_ms(now)
    at = whole_ms(told.at or now)
    known_at = told.known_at or told.event.known_at
    known_at = at if known_at is None else whole_ms(known_at)
    if told.event.facts.get("is_exercise") and not told.is_drill:
        text = "the warning is an exercise, a test or a draft: it opens no case."
        raise InputError(
            [Problem(CODE, text, told.case_id, None, "event", "a warning that is actual, or a drill")]
        )
    local = at.astimezone(ZoneInfo(told.zone))
    mark = "DRILL-" if told.is_drill else ""
    case_id = told.case_id or f"{mark}{told.plan.id}-{local:%Y%m%d-%H%M%S}"
    sites = {
        **told.event.sites,
        **{site: {"state": state, "text": ""} for site, state in told.sites.items()},
    }
    sites = {
        site: {"capacity_share": 0.0 if said["state"] == "confirmed" else 1.0, **said}
        for site, said in sites.items()
    }
    data = opening(
        told.plan, told.event.facts, case_id=case_id, at=at, known_at=known_at, zone=told.zone, by=by,
        now=None if told.is_drill else now, given={**told.event.measures, **told.measures}, sites=sites,
        is_drill=told.is_drill,
    )  # fmt: skip
    return data, at.astimezone(UTC)
