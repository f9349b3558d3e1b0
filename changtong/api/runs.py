"""Studies over the API: what is offered, runs asked for, watched, cancelled and read."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from changtong.api.networks import seen_networks
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError, titled
from changtong.api.run_book import NewRun, Run, State
from changtong.api.run_process import SUMMARY_FILE
from changtong.api.server_events import event_text
from changtong.api.service import Service
from changtong.api.study_request import checked_request
from changtong.errors import ChangtongError, NotFoundError
from changtong.outage_files import outage_rows
from changtong.rights.decide import Target
from changtong.wording import language_of

router = APIRouter(prefix="/api/v1", tags=["studies"])

LOOK_EVERY_S = 0.3
SIGN_OF_LIFE_S = 10.0
"""Where nothing happens a stream says so this often; the session is looked at again, too."""

MOST_OF_A_NUMBER = 60
"""Signs of a value of a summary that a card tells."""

StudyName = Annotated[str, StringConstraints(min_length=1, max_length=64)]

PROPOSED = "outages.toml"
"""Outages proposed, among the files of a run."""

FILE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


class RunAsked(BaseModel):
    """A run that is asked for."""

    model_config = ConfigDict(extra="forbid")
    study: str = Field(min_length=1, max_length=64, description="A name of GET /api/v1/studies.")
    inputs: dict[str, Any] = Field(
        default_factory=dict,
        max_length=50,
        description='Each by name: an id, {"run": id} for the result of an earlier run, or a list of these;'
        " outages may be given as rows with the columns of their files.",
    )
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=100)
    language: Literal["zh", "en"] = "zh"


@router.get("/networks")
def list_networks(asks: Asks, serves: Serves) -> dict[str, Any]:
    """List the networks of the data folder, for those who see runs anywhere."""
    return {"networks": seen_networks(asks, serves)}


@router.get("/studies")
def list_studies(asks: Asks, serves: Serves) -> dict[str, Any]:
    """List the studies with their inputs and parameters, in Chinese and English."""
    return {"studies": [offer.described() for offer in serves.offers.studies.values()]}


@router.get("/studies/newest")
def read_newest(
    asks: Asks, serves: Serves, study: Annotated[list[StudyName], Query(min_length=1, max_length=100)]
) -> dict[str, Any]:
    """Tell the newest run of each study one may see, and the numbers of the newest that is done."""
    scopes = asks.sees()
    last, done = serves.book.newest(scopes, study), serves.book.newest(scopes, study, state="done")
    found = {
        name: {"last": shown(run, whole=False), "done": _headline(done[name]) if name in done else None}
        for name, run in last.items()
    }
    return {"newest": found}


def _headline(run: Run) -> dict[str, Any]:
    """Return what a card tells of a run that is done: plain numbers of its summary, its report."""
    outcome = run.outcome or {}
    summary = outcome.get("summary")
    plain = (str, int, float)
    numbers = {
        name: value
        for name, value in (summary if isinstance(summary, dict) else {}).items()
        if isinstance(value, plain) and len(str(value)) <= MOST_OF_A_NUMBER
    }
    report = "report.html" if "report.html" in (outcome.get("files") or {}) else None
    return {"id": run.id, "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            "good": outcome.get("good"), "numbers": numbers, "report": report}  # fmt: skip


@router.post("/runs", status_code=202)
def ask_for_run(
    asks: Asks,
    serves: Serves,
    response: Response,
    asked: RunAsked,
    idempotency_key: Annotated[str, Header(max_length=200, pattern=r"^[\x21-\x7e]*$")] = "",
) -> dict[str, Any]:
    """Queue a run. The same Idempotency-Key with the same request gives the same run (200)."""
    with asks.desk.work(writes=True) as work:
        work.allow("add", asks.own)
        offer = serves.offers.get(asked.study)
        request = checked_request(offer, asked.inputs, asked.parameters, serves.places, asks.sees_of)
        request["language"] = asked.language
        person = work.person
        new = NewRun(person.user_id, person.path, person.admin_code, offer.name, request, idempotency_key)
        run, is_new = serves.book.add(new)
        if is_new:
            work.note("add", asks.own, run.id, {"study": run.study, "network": network_of(run)})
    if not run.ended:
        serves.queue.enqueue(run.id)
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    response.headers["ETag"] = _tag(run)
    return shown(run)


@router.get("/runs")
def list_runs(
    asks: Asks,
    serves: Serves,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(max_length=64, pattern=r"^[a-z0-9]*$")] = "",
    study: Annotated[str, Query(max_length=64, description="Of this study only.")] = "",
    state: Annotated[State | None, Query(description="In this state only.")] = None,
    network: Annotated[str, Query(max_length=64, description="Of this network only.")] = "",
) -> dict[str, Any]:
    """List the runs that the caller may see, the newest first; `next` goes into `after`."""
    found, following = serves.book.page(
        asks.sees(), limit, after, study=study, state=state or "", network=network
    )
    return {"runs": [shown(run, whole=False) for run in found], "next": following or None}


@router.get("/runs/{run_id}", response_model=None)
def read_run(
    asks: Asks,
    serves: Serves,
    response: Response,
    run_id: str,
    if_none_match: Annotated[str, Header()] = "",
) -> dict[str, Any] | Response:
    """Read a run; with If-None-Match only where it has changed."""
    run = seen(asks, serves, run_id)
    if _tag(run) in [tag.strip() for tag in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": _tag(run)})
    response.headers["ETag"] = _tag(run)
    return shown(run)


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel_run(asks: Asks, serves: Serves, response: Response, run_id: str) -> dict[str, Any]:
    """Ask a run to stop: one's own, or of an organisation where one may change runs."""
    run = seen(asks, serves, run_id)
    with asks.desk.work(writes=True) as work:
        target = Target("run", run.path, run.admin_code)
        if run.user != work.person.user_id:
            work.allow("change", target, run.id)
        run = serves.book.cancel(run_id)
        work.note("change", target, run.id, {"state": "cancelled"})
    response.headers["ETag"] = _tag(run)
    return shown(run)


@router.delete("/runs/{run_id}", status_code=204)
def delete_run(asks: Asks, serves: Serves, run_id: str, if_match: Annotated[str, Header()] = "") -> Response:
    """Delete a run that has ended, with its files: one's own, or of where one may change runs."""
    run = seen(asks, serves, run_id)
    if if_match and if_match != _tag(run):
        raise ChangedError
    with asks.desk.work(writes=True) as work:
        target = Target("run", run.path, run.admin_code)
        if run.user != work.person.user_id:
            work.allow("change", target, run.id)
        serves.book.delete(run_id)
        work.note("delete", target, run.id, {"study": run.study})
    serves.folder.remove(serves.folder.work(run_id))
    return Response(status_code=204)


@router.get("/runs/{run_id}/events")
async def watch_run(request: Request, asks: Asks, serves: Serves, run_id: str) -> StreamingResponse:
    """Watch a run: an event at once and with each change (text/event-stream), the last when it has ended."""
    await run_in_threadpool(seen, asks, serves, run_id)
    stream = _events(request, asks, serves, run_id)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.get("/runs/{run_id}/files/{name:path}")
def read_file(asks: Asks, serves: Serves, run_id: str, name: str) -> FileResponse:
    """Read a file of a result: one of those that the run tells of, and no other."""
    path = result_file(asks, serves, run_id, name)
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Content-Security-Policy": FILE_POLICY}
    return FileResponse(path, media_type=media_type, filename=path.name, headers=headers)


def shown(run: Run, *, whole: bool = True) -> dict[str, Any]:
    """Return a run as the API tells it.

    Parameters
    ----------
    run : Run
    whole : bool
        With the outages and the outcome: a list goes without.
    """
    told: dict[str, Any] = {
        "id": run.id,
        "study": run.study,
        "network": network_of(run),
        "state": "cancelling" if run.cancel_asked and not run.ended else run.state,
        "version": run.version,
        "attempts": run.attempts,
        "made_at": run.made_at.isoformat(),
        "begun_at": None if run.begun_at is None else run.begun_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "progress": run.progress,
    }
    if whole:
        told |= {"request": run.request, "outcome": run.outcome, "problem": _problem_of(run)}
    return told


def network_of(run: Run) -> str | None:
    """Return the id of the network a run is of; None: of none, or of one that a run has made."""
    found = run.request.get("network")
    return found if isinstance(found, str) else None


def _problem_of(run: Run) -> dict[str, Any] | None:
    """Return what was wrong, with titles in the language that the run was asked in, as its pages are.

    That of the reader would make one version of a run two answers under one ETag.
    """
    if run.problem is None:
        return None
    language = language_of(run.request.get("language"), None, "")
    return titled([run.problem | {"problems": titled(run.problem["problems"], language)}], language)[0]


def _tag(run: Run) -> str:
    return f'"{run.version}"'


def seen(asks: Caller, serves: Service, run_id: str) -> Run:
    """Return a run that the caller may see; any other is not there."""
    run = serves.book.get(run_id)
    asks.must_see(run.path, run.admin_code)
    return run


@router.get("/runs/{run_id}/outages")
def read_outages_of(asks: Asks, serves: Serves, run_id: str) -> dict[str, Any]:
    """Read the outages that a run proposes, as rows that a plan takes."""
    rows = outage_rows(result_file(asks, serves, run_id, PROPOSED))
    return {"outages": json.loads(json.dumps(rows, default=datetime.isoformat))}


def result_file(asks: Caller, serves: Service, run_id: str, name: str) -> Path:
    """Return a file of a result: one of those that the run tells of, and no other.

    Raises
    ------
    NotFoundError
    """
    run = seen(asks, serves, run_id)
    if name not in (run.outcome or {}).get("files", {}):
        raise NotFoundError("This run has no file of this name.")
    folder = serves.folder.run(run.id)
    path = folder / name
    if path.is_symlink() or not path.resolve().is_relative_to(folder) or not path.is_file():
        raise NotFoundError("This file is not there any more.")
    return path


def summary_of(asks: Caller, serves: Service, run_id: str) -> dict[str, Any]:
    """Return what a run found, as the command prints it with ``--json``.

    Raises
    ------
    NotFoundError
    """
    outcome = seen(asks, serves, run_id).outcome
    if outcome is None:
        raise NotFoundError("This run has no result.")
    found = outcome.get("summary")
    if found is None:
        found = json.loads(result_file(asks, serves, run_id, SUMMARY_FILE).read_text("utf-8"))
    return found if isinstance(found, dict) else {}


async def _events(request: Request, asks: Caller, serves: Service, run_id: str) -> AsyncIterator[str]:
    """Give an event with each change, until the run, the session or the server ends."""
    told, quiet_s = -1, 0.0
    while not serves.stopping.is_set() and not await request.is_disconnected():
        try:
            if quiet_s >= SIGN_OF_LIFE_S:
                await run_in_threadpool(asks.desk.check)
            run = await run_in_threadpool(serves.book.get, run_id)
        except ChangtongError as error:
            yield event_text("over", {"code": error.code}, told)
            return
        if run.version != told:
            told, quiet_s = run.version, 0.0
            yield event_text("run", shown(run, whole=run.ended), told)
        elif quiet_s >= SIGN_OF_LIFE_S:
            quiet_s = 0.0
            yield ": nothing new\n\n"
        if run.ended:
            return
        await asyncio.sleep(LOOK_EVERY_S)
        quiet_s += LOOK_EVERY_S
