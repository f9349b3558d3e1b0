"""Issued plans over the API: proposed from a run, approved by another, issued, answered by sites, watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError
from changtong.api.run_book import Run
from changtong.api.server_events import event_text
from changtong.api.service import Service
from changtong.errors import ChangtongError, InputError, Problem
from changtong.response_records import issued_orders, issued_plans
from changtong.response_records.issued_orders import Answer
from changtong.response_records.issued_plans import Proposal
from changtong.response_records.plan_rows import Row

router = APIRouter(prefix="/api/v1/issued-plans", tags=["issued plans"])

PLANS = ("plan", "plan-verified")
"""Studies whose results may be issued."""

FRONTIER = "carbon-frontier"
"""A study with several: a point is chosen."""

LOOK_EVERY_S = 0.5
SIGN_OF_LIFE_S = 10.0
"""Where nothing happens a stream says so this often."""

SAID_BY = "Who at the site said so, where the site is not your own; kept hidden."

PlanId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
Site = Annotated[str, Path(min_length=1, max_length=200)]
IfMatch = Annotated[str, Header(max_length=200)]
LastEventId = Annotated[str, Header()]
IdempotencyKey = Annotated[str, Header(max_length=200, pattern=r"^[\x21-\x7e]*$")]

OrderState = Literal[
    "", "proposed", "sent", "acknowledged", "cannot", "withdrawn", "overdue", "stop_waits", "stop_seen",
    "stop_overdue",
]  # fmt: skip
assert OrderState.__args__ == ("", *issued_orders.CHOICES)  # type: ignore[attr-defined]


class PlanProposed(BaseModel):
    """A run whose plan is proposed."""

    model_config = ConfigDict(extra="forbid")
    run_id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    point: int | None = Field(
        default=None, ge=1, le=1000, description="Of a carbon frontier: which of its plans."
    )
    title: str = Field(min_length=1, max_length=issued_plans.MOST_TITLE, description="No names of persons.")
    valid_from: AwareDatetime = Field(description="From when its orders count.")
    acknowledge_within_min: int = Field(default=60, ge=1, le=issued_plans.MOST_WITHIN_MIN)
    replaces: str = Field(
        default="", max_length=64, pattern=r"^[A-Za-z0-9._-]*$",
        description="An issued plan that this one withdraws when it is issued.",
    )  # fmt: skip


class Reason(BaseModel):
    """Why something is withdrawn."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=1000, description="No names of persons.")


class Acknowledged(BaseModel):
    """What is said when orders, or their withdrawal, are acknowledged."""

    model_config = ConfigDict(extra="forbid")
    withdrawal: bool = Field(default=False, description="It was read that the orders were withdrawn.")
    words: str = Field(default="", max_length=issued_orders.MOST_WORDS, description="No names of persons.")
    said_by: str = Field(
        default="",
        max_length=200,
        description="Who at the site said so, where it is not your own; kept hidden.",
    )


class Refused(BaseModel):
    """Why a site cannot do what it was ordered."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=issued_orders.MOST_WORDS, description="No names of persons.")
    said_by: str = Field(
        default="",
        max_length=200,
        description="Who at the site said so, where it is not your own; kept hidden.",
    )


@router.post("", status_code=201)
def propose(
    asks: Asks, serves: Serves, response: Response, asked: PlanProposed, idempotency_key: IdempotencyKey = ""
) -> dict[str, Any]:
    """Propose the plan of a run. The same Idempotency-Key with the same request gives the same plan (200)."""
    from changtong.response_records.plan_files import read_plan_folder

    run = serves.book.get(asked.run_id)
    asks.must_see(run.path, run.admin_code)
    plan_of = _plan_of(run, asked.point, serves.folder.run(run.id))
    said = Proposal(
        asked.title, asked.valid_from, asked.acknowledge_within_min, asked.replaces, run.id, idempotency_key
    )
    plan, is_new = issued_plans.propose_plan(asks.desk, read_plan_folder(plan_of), said)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/api/v1/issued-plans/{plan['id']}"
    return _tagged(response, plan)


def _plan_of(run: Run, point: int | None, folder: FilePath) -> FilePath:
    """Return the folder of a run's plan, or of the plan of a point of a frontier."""
    if run.state != "done" or run.study not in (*PLANS, FRONTIER):
        text = f"This run is {run.state}; its study is {run.study}."
        expected = f"a run of {', '.join(PLANS)} or {FRONTIER} that is done"
        raise InputError([Problem("run-not-done", text, column="run_id", expected=expected)])
    if (run.study == FRONTIER) != (point is not None):
        text = "A carbon frontier has several plans; other runs have one."
        raise InputError([Problem("no-point", text, column="point", expected="a point of a carbon frontier")])
    if point is None:
        return folder
    plans = folder / "plans"
    of_point = plans / f"plan-{point}"
    if not of_point.is_dir():
        there = sorted(int(one.name.removeprefix("plan-")) for one in plans.glob("plan-*"))
        text = f"The frontier has no plan of point {point}."
        expected = f"one of {', '.join(map(str, there))}" if there else "a frontier computed with its plans"
        raise InputError([Problem("no-point", text, column="point", expected=expected)])
    return of_point


@router.get("")
def list_issued(
    asks: Asks,
    state: Literal["", "proposed", "approved", "issued", "completed", "withdrawn"] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = "",
) -> dict[str, Any]:
    """List the plans that the caller may see, or whose orders are theirs, the newest first."""
    found, following = issued_plans.list_plans(asks.desk, state=state, limit=limit, after=after)
    return {"issued_plans": found, "next": following or None}


@router.get("/{plan_id}", response_model=None)
def read_issued(
    asks: Asks, response: Response, plan_id: PlanId, if_none_match: Annotated[str, Header()] = ""
) -> dict[str, Any] | Response:
    """Read a plan with the counts of its answers; with If-None-Match only where it has changed."""
    plan = issued_plans.read_plan(asks.desk, plan_id)
    tag = tag_of(plan)
    if tag in [one.strip() for one in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": tag})
    return _tagged(response, plan)


@router.post("/{plan_id}/approve")
def approve(asks: Asks, response: Response, plan_id: PlanId, if_match: IfMatch = "") -> dict[str, Any]:
    """Approve a plan that another person has proposed."""
    plan = issued_plans.approve_plan(asks.desk, plan_id, check=lambda row: _check_same(row, if_match))
    return _tagged(response, plan)


@router.post("/{plan_id}/issue")
def issue(asks: Asks, response: Response, plan_id: PlanId, if_match: IfMatch = "") -> dict[str, Any]:
    """Issue an approved plan: all its orders go out, and what it replaces is withdrawn."""
    plan = issued_plans.issue_plan(asks.desk, plan_id, check=lambda row: _check_same(row, if_match))
    return _tagged(response, plan)


@router.post("/{plan_id}/withdraw")
def withdraw(
    asks: Asks, response: Response, plan_id: PlanId, said: Reason, if_match: IfMatch = ""
) -> dict[str, Any]:
    """Withdraw a plan: its orders count no longer, and each site acknowledges that."""
    plan = issued_plans.withdraw_plan(
        asks.desk, plan_id, said.reason, check=lambda row: _check_same(row, if_match)
    )
    return _tagged(response, plan)


@router.get("/{plan_id}/orders")
def list_orders(
    asks: Asks,
    plan_id: PlanId,
    state: OrderState = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str, Query(max_length=200)] = "",
) -> dict[str, Any]:
    """List the orders of a plan by site, without their rows; `next` goes into `after`.

    Of withdrawn orders `stop_waits` has those whose withdrawal is to be acknowledged, `stop_overdue` those
    where that is due.
    """
    found, following = issued_orders.list_orders(asks.desk, plan_id, state=state, limit=limit, after=after)
    return {"orders": found, "next": following or None}


@router.get("/{plan_id}/orders.csv")
def download_orders(asks: Asks, plan_id: PlanId) -> Response:
    """Read all orders of a plan as CSV: UTF-8 with a byte order mark, no text that runs as a formula."""
    from changtong.response_records.orders_table import orders_csv

    content = orders_csv(issued_orders.every_row(asks.desk, plan_id))
    headers = {"Content-Disposition": f'attachment; filename="orders-{plan_id}.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/{plan_id}/orders/{site:path}")
def read_order(
    asks: Asks, response: Response, plan_id: PlanId, site: Site, whole: bool = False
) -> dict[str, Any]:
    """Read the orders of one site: what is new and what counts no longer; all with `whole`."""
    order = issued_orders.read_order(asks.desk, plan_id, site, whole=whole)
    return _tagged(response, order)


@router.post("/{plan_id}/orders/{site:path}/acknowledge")
def acknowledge(
    asks: Asks,
    response: Response,
    plan_id: PlanId,
    site: Site,
    said: Acknowledged | None = None,
    if_match: IfMatch = "",
) -> dict[str, Any]:
    """Acknowledge the orders of a site, or that they were withdrawn; for another's, on the word of somebody.

    Orders may be withdrawn meanwhile: this counts only with `withdrawal`, else 409.
    """
    words = said or Acknowledged()
    order = issued_orders.acknowledge_order(
        asks.desk, plan_id, site, Answer(words.words, words.said_by), withdrawal=words.withdrawal,
        check=lambda row: _check_same(row, if_match),
    )  # fmt: skip
    return _tagged(response, order)


@router.post("/{plan_id}/orders/{site:path}/cannot")
def cannot(
    asks: Asks, response: Response, plan_id: PlanId, site: Site, said: Refused, if_match: IfMatch = ""
) -> dict[str, Any]:
    """Say that a site cannot do what it was ordered, and why."""
    order = issued_orders.refuse_order(
        asks.desk, plan_id, site, Answer(said.reason, said.said_by),
        check=lambda row: _check_same(row, if_match),
    )  # fmt: skip
    return _tagged(response, order)


@router.get("/{plan_id}/events")
async def watch(
    request: Request,
    asks: Asks,
    serves: Serves,
    plan_id: PlanId,
    last_event_id: LastEventId = "",
) -> StreamingResponse:
    """Watch a plan (text/event-stream): the plan at once, then what is done with it, until the end.

    The end is when it is withdrawn and every site has acknowledged that.
    With Last-Event-ID also what was done since that event.
    """
    await run_in_threadpool(issued_plans.read_plan, asks.desk, plan_id)
    after = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else -1
    stream = _events(request, asks, serves, plan_id, after)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(
    request: Request, asks: Caller, serves: Service, plan_id: str, after: int
) -> AsyncIterator[str]:
    """Give the plan, then an event with each change, until the plan, the session or the server ends."""
    quiet_s, begins = 0.0, True
    while not serves.stopping.is_set() and not await request.is_disconnected():
        try:
            plan, changes = await run_in_threadpool(issued_plans.changes_of_plan, asks.desk, plan_id, after)
        except ChangtongError as error:
            yield event_text("over", {"code": error.code}, max(after, 0))
            return
        for change in changes:
            yield event_text("change", change, change["n"])
        if begins or changes:
            after, quiet_s, begins = plan["newest"], 0.0, False
            yield event_text("plan", plan, after)
        elif quiet_s >= SIGN_OF_LIFE_S:
            quiet_s = 0.0
            yield ": nothing new\n\n"
        after = max(after, plan["newest"])
        if plan["state"] == "withdrawn" and not plan["answers"]["stop_waits"]:
            return
        await asyncio.sleep(LOOK_EVERY_S)
        quiet_s += LOOK_EVERY_S


def tag_of(told: Mapping[str, Any]) -> str:
    """Return the ETag of a plan or of a site's orders: its version, and what the clock alone changes.

    Examples
    --------
    >>> tag_of({"version": 3, "answers": {"overdue": 2, "stop_overdue": 0}})
    '"3.2"'
    >>> tag_of({"version": 1, "overdue": False, "stop_overdue": True})
    '"1.1"'
    """
    counted = told.get("answers", told)  # never both: orders are withdrawn, or are not
    return f'"{told["version"] or 0}.{counted["overdue"] + counted["stop_overdue"]}"'


def _tagged(response: Response, told: dict[str, Any]) -> dict[str, Any]:
    response.headers["ETag"] = tag_of(told)
    return told


def _check_same(row: Row, if_match: str) -> None:
    """Refuse to go on where the record is not as If-Match says; what only the clock changes does not count.

    Raises
    ------
    ChangedError
    """
    versions = [one.strip().strip('"').partition(".")[0] for one in if_match.split(",")]
    if if_match and "*" not in versions and str(row["version"]) not in versions:
        raise ChangedError
