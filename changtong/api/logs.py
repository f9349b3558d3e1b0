"""Scan logs over the API: which there are, how old their data is, and events sent to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from changtong.api.intake_rows import Checked
from changtong.api.log_shelf import ROOT, LogAbout, last_event
from changtong.api.people import Asks, Caller, Serves
from changtong.api.service import Service
from changtong.errors import InputError, NotFoundError
from changtong.rights.decide import Target

router = APIRouter(prefix="/api/v1/logs", tags=["logs"])

TOLD_PROBLEMS = 1_000
"""Bad rows told of one by one; the others are counted."""

EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


class WatchSettings(BaseModel):
    """How alerts of a log are made, as the command `alerts` takes it."""

    model_config = ConfigDict(extra="forbid")
    on: bool = True
    days: int = Field(default=56, ge=1, le=200)
    hourly: bool = False
    look_back_days: int = Field(default=14, ge=1, le=90)
    promise_h: float = Field(default=72.0, gt=0.0, le=4_000.0)
    leg_days: Literal["fill", "scans", "given"] = "fill"


class LogAsked(BaseModel):
    """A log that is asked for."""

    model_config = ConfigDict(extra="forbid")
    zone: str = Field(default="Asia/Shanghai", min_length=1, max_length=64, description="Of its days.")
    plain_ids: bool = Field(default=False, description="Without secret pseudonyms: ids can be guessed.")
    alerts: WatchSettings = Field(default_factory=WatchSettings)


def seen_log(asks: Caller, serves: Service, log_id: str, action: str = "view") -> LogAbout:
    """Return a log that the caller may see; any other is not there.

    Parameters
    ----------
    asks : Caller
    serves : Service
    log_id : str
    action : str
        What they want to do with it besides; refused where they only see it.

    Raises
    ------
    NotFoundError, DeniedError
    """
    about = serves.shelf.about(log_id)
    if not sees(asks, about):
        raise NotFoundError("There is no scan log of this id.")
    if action != "view" and not asks.may(action, about.path, about.admin_code):
        with asks.desk.work(writes=True) as work:  # the refusal goes on record
            work.allow(action, Target("run", about.path, about.admin_code), log_id)
    return about


def sees(asks: Caller, about: LogAbout) -> bool:
    """Return whether the caller sees a log: one put there by hand is seen by all who see anything."""
    return bool(asks.sees()) if about.path == ROOT else asks.sees_of(about.path, about.admin_code)


@router.get("")
def list_logs(asks: Asks, serves: Serves) -> dict[str, Any]:
    """List the scan logs that the caller may see, with days, rows, last event and age."""
    abouts = (serves.shelf.about(log_id) for log_id in serves.shelf.ids())
    seen = [about for about in abouts if sees(asks, about)]
    return {"logs": [shown(serves, about) for about in seen]}


@router.get("/{log_id}", response_model=None)
def read_log(
    asks: Asks, serves: Serves, response: Response, log_id: str,
    if_none_match: Annotated[str, Header()] = "",
) -> dict[str, Any] | Response:  # fmt: skip
    """Read one: what is in it, and what waits to be."""
    told = shown(serves, seen_log(asks, serves, log_id))
    told["alerts"] = serves.shelf.about(log_id).alerts
    tag = f'"{told["batches"]}.{told["accepted_to"]}.{told["in_log_to"]}"'
    if tag in [one.strip() for one in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return told


@router.put("/{log_id}", status_code=201)
def put_log(asks: Asks, serves: Serves, response: Response, log_id: str, asked: LogAsked) -> dict[str, Any]:
    """Make a log for the caller's organisation (201), or change how alerts of one are made (200)."""
    if log_id in serves.shelf.ids():
        before = seen_log(asks, serves, log_id, "change")
        target = Target("run", before.path, before.admin_code)
    else:
        serves.shelf.check_id(log_id)
        target = asks.own
    with asks.desk.work(writes=True) as work:
        work.allow("change" if log_id in serves.shelf.ids() else "add", target, log_id)
        about = LogAbout(log_id, target.path, target.admin_code, asked.alerts.model_dump())
        _, is_new = serves.shelf.put(about, asked.zone, plain_ids=asked.plain_ids, user=work.person.user_id)
        facts = {"log": log_id, "zone": asked.zone, "alerts": about.alerts}
        work.note("add" if is_new else "change", target, log_id, facts)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/api/v1/logs/{log_id}"
    return shown(serves, about)


@router.post("/{log_id}/events", status_code=202, openapi_extra=EVENTS_BODY)
async def post_events(
    request: Request,
    asks: Asks,
    serves: Serves,
    log_id: str,
    bad: Annotated[
        Literal["refuse", "aside"],
        Query(
            description="With a bad event: refuse all of the request, or put aside the bad ones and count."
        ),
    ] = "refuse",
    time_zone: Annotated[
        str | None, Query(max_length=64, description="Of times that are written without one.")
    ] = None,
) -> dict[str, Any]:
    """Take events in: a JSON array, or an object in each line, with the columns of the log.

    They are on the disk when the answer comes (202), and in the log a few seconds later: when its
    `in_log_to` has reached the `number` of the answer. The same event sent again counts once.
    """
    check_plain(request)
    await run_in_threadpool(_may_send, asks, serves, log_id)
    body = await request.body()
    return await run_in_threadpool(_taken_in, serves, log_id, body, bad, time_zone)


def check_plain(request: Request) -> None:
    """Refuse a packed body."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Send the events as they are: no Content-Encoding is read.")


def _may_send(asks: Caller, serves: Service, log_id: str) -> None:
    seen_log(asks, serves, log_id, "add")
    serves.intake.check_room(log_id)


def _taken_in(serves: Service, log_id: str, body: bytes, bad: str, time_zone: str | None) -> dict[str, Any]:
    checked = serves.intake.check_events(log_id, body, time_zone)
    if checked.bad and bad == "refuse":
        raise InputError(checked.bad[:TOLD_PROBLEMS])
    number = serves.intake.accept(log_id, checked)
    return {"number": number, **counts_of(checked)}


def counts_of(checked: Checked) -> dict[str, Any]:
    """Return what is told of events that were taken in."""
    return {
        "read": checked.read,
        "accepted": checked.rows,
        "aside": checked.bad_rows,
        "problems": [one.to_dict() for one in checked.bad[:TOLD_PROBLEMS]],
    }


def shown(serves: Service, about: LogAbout) -> dict[str, Any]:
    """Return a log as the API tells it."""
    log, spool = serves.shelf.log(about.id), serves.intake.spool(about.id)
    days, latest = log.days, last_event(log)
    age_s = None if latest is None else round((datetime.now(UTC) - latest).total_seconds())
    return {
        "id": about.id,
        "zone": log.zone,
        "keyed": log.keyed,
        "days": len(days),
        "first_day": days[0].isoformat() if days else None,
        "last_day": days[-1].isoformat() if days else None,
        "rows": log.rows,
        "batches": len(log.batches),
        "last_event": None if latest is None else latest.isoformat(),
        "age_s": age_s,
        "accepted_to": spool.last,
        "in_log_to": spool.reached,
        "waiting": spool.rows,
        "behind_s": round(spool.behind_s(), 1),
    }
