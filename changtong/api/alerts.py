"""Alerts over the API: read, followed as server-sent events, seen, closed with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from changtong.api.alert_book import KeptAlert
from changtong.api.people import Asks, Caller, Serves
from changtong.api.server_events import event_text
from changtong.api.service import Service
from changtong.errors import ChangtongError, NotFoundError
from changtong.rights.decide import Target

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

LOOK_EVERY_S = 0.5
SIGN_OF_LIFE_S = 10.0

Word = Annotated[str, Query(max_length=64)]


class Closing(BaseModel):
    """Why an alert is closed."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=3, max_length=1_000)


@router.get("")
def list_alerts(
    asks: Asks,
    serves: Serves,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    log: Word = "",
    rule: Word = "",
    site_id: Word = "",
    tier: Literal["", "attention", "warning", "severe"] = "",
    state: Literal["", "potential", "confirmed", "restored", "settled"] = "",
    handling: Literal["", "new", "seen", "closed"] = "",
) -> dict[str, Any]:
    """List the alerts that the caller may see, those changed last first; `next` goes into `after`."""
    given = {"log": log, "rule": rule, "site_id": site_id, "tier": tier, "state": state, "handling": handling}
    wanted = {name: value for name, value in given.items() if value}
    found, following = serves.alerts.page(asks.sees(), limit, after, wanted)
    return {"alerts": [shown(one) for one in found], "next": following}


@router.get("/events")
async def follow_alerts(
    request: Request,
    asks: Asks,
    serves: Serves,
    last_event_id: Annotated[str, Header(max_length=20, pattern=r"^\d*$")] = "",
    since: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> StreamingResponse:
    """Follow alerts: an event `alert` for each that is new or changed (text/event-stream).

    It goes on after `Last-Event-ID`, else after `since`, else with what comes from now on.
    """
    told = int(last_event_id) if last_event_id else serves.alerts.latest if since is None else since
    stream = _events(request, asks, serves, told)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/{alert_id}")
def read_alert(asks: Asks, serves: Serves, alert_id: str) -> dict[str, Any]:
    """Read one."""
    return shown(_seen(asks, serves, alert_id))


@router.post("/{alert_id}/seen")
def see_alert(asks: Asks, serves: Serves, alert_id: str) -> dict[str, Any]:
    """Say that one has seen an alert."""
    one = _seen(asks, serves, alert_id)
    target = Target("run", one.path, one.admin_code)
    with asks.desk.work(writes=True) as work:
        work.allow("change", target, one.id)
        one = serves.alerts.see(one.id, work.person.user_id)
        work.note("change", target, one.id, {"alert": one.rule, "handling": "seen"})
    return shown(one)


@router.post("/{alert_id}/close")
def close_alert(asks: Asks, serves: Serves, alert_id: str, closing: Closing) -> dict[str, Any]:
    """Close an alert, with a reason that goes on record; it opens again when it becomes worse."""
    one = _seen(asks, serves, alert_id)
    target = Target("run", one.path, one.admin_code)
    with asks.desk.work(writes=True) as work:
        work.allow("change", target, one.id)
        one = serves.alerts.end(one.id, work.person.user_id, closing.reason)
        work.note("change", target, one.id, {"alert": one.rule, "handling": "closed"}, closing.reason)
    return shown(one)


def shown(one: KeptAlert) -> dict[str, Any]:
    """Return an alert as the API tells it."""
    return {
        "id": one.id,
        "log": one.log,
        "handling": one.handling,
        "seen": one.seen,
        "closed_by": one.closed_by,
        "closed_at": None if one.closed_at is None else one.closed_at.isoformat(),
        "reason": one.reason,
        "made_at": one.made_at.isoformat(),
        "changed": one.changed,
    } | {name: value for name, value in one.facts.items() if name != "alert_id"}


def _seen(asks: Caller, serves: Service, alert_id: str) -> KeptAlert:
    """Return an alert that the caller may see; any other is not there."""
    one = serves.alerts.get(alert_id)
    if not asks.may("view", one.path, one.admin_code):
        raise NotFoundError("There is no alert of this id.")
    return one


async def _events(request: Request, asks: Caller, serves: Service, told: int) -> AsyncIterator[str]:
    """Give an event for each change after a number, until the session or the server ends."""
    yield ": begins\n\n"
    quiet_s = 0.0
    while not serves.stopping.is_set() and not await request.is_disconnected():
        if serves.alerts.latest > told:
            latest = serves.alerts.latest
            found = await run_in_threadpool(serves.alerts.since, told, asks.sees())
            for one in found:
                yield event_text("alert", shown(one), one.changed)
            told = found[-1].changed if found else latest
            quiet_s = 0.0 if found else quiet_s
        if quiet_s >= SIGN_OF_LIFE_S:
            quiet_s = 0.0
            try:
                await run_in_threadpool(asks.desk.check)
            except ChangtongError as error:
                yield event_text("over", {"code": error.code})
                return
            yield ": nothing new\n\n"
        await asyncio.sleep(LOOK_EVERY_S)
        quiet_s += LOOK_EVERY_S
