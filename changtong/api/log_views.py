"""What scan logs show, over the API: a day on the map, indicators, backlog, items that wait, one's way."""

from __future__ import annotations

import asyncio
import gzip
import time
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from changtong.api.log_desk import Made
from changtong.api.logs import seen_log
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import InTheMakingError
from changtong.api.service import Service
from changtong.errors import NotFoundError
from changtong.events.keys import from_pseudonym, is_pseudonym, key_of, pseudonym
from changtong.rights.decide import Target

router = APIRouter(prefix="/api/v1/logs/{log_id}", tags=["logs"])

WAIT_S = 25.0
LOOK_EVERY_S = 0.1
RETRY_S = 5
KEEP_S = 10
"""How long a browser may show an answer without asking again."""

Tag = Annotated[str, Header()]
Class = Annotated[str, Query(max_length=64, description="Only pieces of this class of service.")]


class ItemAsked(BaseModel):
    """An item, and why somebody wants to know where it is."""

    model_config = ConfigDict(extra="forbid")
    item: str = Field(min_length=1, max_length=200, description="Its id, or its pseudonym in the log.")
    reason: str = Field(min_length=3, max_length=1_000)


@router.get("/map")
async def read_map(
    asks: Asks,
    serves: Serves,
    log_id: str,
    day: date,
    hour: Annotated[
        int | None, Query(ge=0, le=24, description="From 0 on; without it the whole day.")
    ] = None,
    service_class: Class = "",
    if_none_match: Tag = "",
    accept_encoding: Tag = "",
) -> Response:
    """Read what the map shows of a day and hour: columns by site (events, backlog, lateness) and by leg."""
    which = ("map", day, service_class, "day" if hour is None else f"{hour:02d}")
    return await _told(asks, serves, log_id, which, if_none_match, accept_encoding)


@router.get("/hours")
async def read_hours(
    asks: Asks,
    serves: Serves,
    log_id: str,
    day: date,
    service_class: Class = "",
    if_none_match: Tag = "",
    accept_encoding: Tag = "",
) -> Response:
    """Read all hours of a day in one answer, a row of columns for each hour with scans; the day's classes."""
    which = ("map", day, service_class, "hours")
    return await _told(asks, serves, log_id, which, if_none_match, accept_encoding)


@router.get("/indicators")
async def read_indicators(
    asks: Asks, serves: Serves, log_id: str, day: date, if_none_match: Tag = "", accept_encoding: Tag = ""
) -> Response:
    """Read the indicators of a day, beside the day before and the year before."""
    return await _told(asks, serves, log_id, ("day", day, "", "indicators"), if_none_match, accept_encoding)


@router.get("/backlog")
async def read_backlog(
    asks: Asks, serves: Serves, log_id: str, day: date, if_none_match: Tag = "", accept_encoding: Tag = ""
) -> Response:
    """Read the backlog by site at the end of a day, or now, the largest first."""
    return await _told(asks, serves, log_id, ("day", day, "", "backlog"), if_none_match, accept_encoding)


@router.post("/items/last")
def read_last_state(asks: Asks, serves: Serves, log_id: str, asked: ItemAsked) -> dict[str, Any]:
    """Read where an item was last; the reason goes on record, the id nowhere."""
    return serves.views.last_state(log_id, _revealed(asks, serves, log_id, asked))


@router.post("/items/track")
def read_track(asks: Asks, serves: Serves, log_id: str, asked: ItemAsked) -> dict[str, Any]:
    """Read an item's scans and stays; the reason goes on record, the id nowhere."""
    return serves.views.track(log_id, _revealed(asks, serves, log_id, asked))


@router.get("/waiting")
def read_waiting(
    asks: Asks,
    serves: Serves,
    log_id: str,
    site_id: Annotated[str, Query(min_length=1, max_length=200)],
    day: date,
    hour: Annotated[int | None, Query(ge=0, le=24)] = None,
    service_class: Class = "",
) -> dict[str, Any]:
    """Read the items that wait longest at a site, by pseudonym, at the end of an hour or of a day.

    It asks for the right to change runs, as an item's last state does.
    """
    seen_log(asks, serves, log_id, "change")
    return serves.views.waiting(log_id, site_id, day, hour, service_class)


def _revealed(asks: Caller, serves: Service, log_id: str, asked: ItemAsked) -> int:
    """Return the key of an item, when who asks may know where it is and that is on record."""
    about = seen_log(asks, serves, log_id)
    log = serves.shelf.log(log_id)
    text = asked.item.strip()
    key = from_pseudonym(text) if is_pseudonym(text) else key_of(serves.shelf.key(log)[:16], text)
    target = Target("run", about.path, about.admin_code)
    with asks.desk.work(writes=True) as work:
        work.allow("change", target, log_id)
        work.note("reveal", target, log_id, {"item": pseudonym(key)}, asked.reason)
    return key


async def _told(
    asks: Caller, serves: Service, log_id: str, which: tuple[str, date, str, str], known: str, encodings: str
) -> Response:
    """Answer a part of what is at hand; wait where it is made for the first time."""
    ask, day, service_class, part = which
    made = await run_in_threadpool(_at_hand, asks, serves, log_id, ask, day, service_class)
    until = time.monotonic() + WAIT_S
    while made is None:
        if time.monotonic() > until or serves.stopping.is_set():
            raise InTheMakingError(RETRY_S)
        await asyncio.sleep(LOOK_EVERY_S)
        made = await run_in_threadpool(serves.views.at_hand, log_id, ask, day, service_class)
    return _answer(made, part, known, encodings)


def _at_hand(
    asks: Caller, serves: Service, log_id: str, ask: str, day: date, service_class: str
) -> Made | None:
    seen_log(asks, serves, log_id)
    return serves.views.at_hand(log_id, ask, day, service_class)


def _answer(made: Made, part: str, known: str, encodings: str) -> Response:
    if part not in made.parts:
        raise NotFoundError("The log has no scan in this hour.")
    headers = {
        "ETag": f'"{made.tags[part]}"',
        "Cache-Control": f"private, max-age={KEEP_S}",
        "Vary": "Accept-Encoding, Authorization, Cookie",
        "Changtong-Batches": str(made.batches),
        "Last-Modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(made.made_at)),
    }
    if headers["ETag"] in [one.strip() for one in known.split(",")]:
        return Response(status_code=304, headers=headers)
    packed = made.parts[part]
    if "gzip" not in encodings:
        return Response(gzip.decompress(packed), media_type="application/json", headers=headers)
    return Response(packed, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})
