"""The capture interface of EPCIS 2.0 (GS1): documents taken in as jobs, whose end can be asked for.

Every row is checked before the answer, so that a job whose document has bad events under ``rollback`` has
failed at once, and any other succeeds when the log has its rows.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from changtong.api.data_folder import NAME
from changtong.api.headers import MOST_BODY_BYTES
from changtong.api.intake_rows import MOST_EVENTS, Checked
from changtong.api.intake_spool import SOURCE
from changtong.api.logs import TOLD_PROBLEMS, check_plain, seen_log, sees
from changtong.api.people import Asks, Caller, Serves
from changtong.api.service import Service
from changtong.errors import NotFoundError, UsageError
from changtong.storage.rows import new_id
from changtong.written_files import write_beside

router = APIRouter(prefix="/api/v1/epcis", tags=["epcis"])

CAPTURE = "/api/v1/epcis/capture"
KEPT_S = 30 * 86_400.0
"""How long jobs can be asked for."""

HEADERS = {
    "GS1-EPCIS-Version": "2.0.0",
    "GS1-EPCIS-Min": "2.0.0",
    "GS1-EPCIS-Max": "2.0.0",
    "GS1-CBV-Version": "2.0.0",
    "GS1-EPCIS-Capture-Limit": str(MOST_EVENTS),
    "GS1-EPCIS-Capture-File-Size-Limit": str(MOST_BODY_BYTES),
    "GS1-EPC-Format": "Never_Translates",
    "GS1-CBV-XML-Format": "Never_Translates",
}
"""What the standard lets a server tell of itself: limits, versions, that identifiers stay as they are."""

EPCIS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/ld+json": {"schema": {"type": "object"}},
        },
    }
}


@router.options("/capture")
def tell_of_capture(asks: Asks, response: Response) -> Response:
    """Tell versions and limits."""
    allow = {"Allow": "OPTIONS, POST", "GS1-Capture-Error-Behaviour": "rollback"}
    return Response(status_code=204, headers=HEADERS | allow)


@router.post("/capture", status_code=202, openapi_extra=EPCIS_BODY, response_model=None)
async def capture(
    request: Request,
    asks: Asks,
    serves: Serves,
    log: Annotated[
        str,
        Query(max_length=64, description="Id of the log; without it the only one of one's organisation."),
    ] = "",
    gs1_capture_error_behaviour: Annotated[Literal["rollback", "proceed"], Header()] = "rollback",
) -> Response:
    """Capture an EPCISDocument (JSON-LD): 202, and where the job can be asked for."""
    check_plain(request)
    log_id = await run_in_threadpool(_log_to_fill, asks, serves, log)
    body = await request.body()
    job = await run_in_threadpool(_begin, serves, log_id, body, gs1_capture_error_behaviour)
    place = {"Location": f"{CAPTURE}/{job}", "GS1-Capture-Error-Behaviour": gs1_capture_error_behaviour}
    return Response(status_code=202, headers=HEADERS | place)


@router.get("/capture/{job_id}")
def read_job(asks: Asks, serves: Serves, response: Response, job_id: str) -> dict[str, Any]:
    """Read a capture job: whether it runs, and what went wrong."""
    response.headers.update(HEADERS)
    for log_id in serves.shelf.ids() if NAME.fullmatch(job_id) else ():
        place = serves.shelf.beside(log_id) / "jobs" / f"{job_id}.json"
        about = serves.shelf.about(log_id)
        if place.is_file() and sees(asks, about):
            return _shown(serves, log_id, json.loads(place.read_text("utf-8")))
    raise NotFoundError("There is no capture job of this id.")


def _log_to_fill(asks: Caller, serves: Service, log_id: str) -> str:
    """Return the log that a document goes to."""
    if not log_id:
        abouts = [serves.shelf.about(one) for one in serves.shelf.ids()]
        own = [about.id for about in abouts if about.path == asks.person.path]
        if len(own) != 1:
            message = f"Your organisation has {len(own)} scan logs here: say which, by ?log=ID."
            raise UsageError(message, "log-needed")
        log_id = own[0]
    seen_log(asks, serves, log_id, "add")
    serves.intake.check_room(log_id)
    return log_id


def _begin(serves: Service, log_id: str, body: bytes, behaviour: str) -> str:
    """Check a document, bring its rows to the disk, and keep the job; return its id."""
    checked = serves.intake.check_epcis(log_id, body)
    created = datetime.now(UTC).isoformat(timespec="milliseconds")
    refused = bool(checked.bad) and behaviour == "rollback"
    number = 0 if refused else serves.intake.accept(log_id, checked)
    job = {
        "captureID": new_id(),
        "createdAt": created,
        "captureErrorBehaviour": behaviour,
        "errors": _errors(checked),
        "refused": refused,
        "number": number,
        "rows": 0 if refused else checked.rows,
    }
    folder = serves.shelf.beside(log_id) / "jobs"
    write_beside(folder / f"{job['captureID']}.json", json.dumps(job, ensure_ascii=False), mode=0o600)
    if not serves.intake.jobs_looked_at:  # once in a while would do: once in each run of the server does
        serves.intake.jobs_looked_at = True
        for old in folder.glob("*.json"):
            if time.time() - old.stat().st_mtime > KEPT_S:
                old.unlink(missing_ok=True)
    return str(job["captureID"])


def _errors(checked: Checked) -> list[dict[str, Any]]:
    return [
        {
            "type": "epcisException:ValidationException",
            "title": one.code,
            "status": 400,
            "detail": f"Event {one.row}: {one.message}",
            "code": one.code,
            "row": one.row,
            "column": one.column,
        }
        for one in checked.bad[:TOLD_PROBLEMS]
    ]


def _shown(serves: Service, log_id: str, job: dict[str, Any]) -> dict[str, Any]:
    number, errors, failed = int(job.pop("number")), job["errors"], bool(job.pop("refused"))
    running = not failed and serves.intake.spool(log_id).reached < number
    told = job | {"running": running, "success": not errors}
    if failed:
        told["finishedAt"] = job["createdAt"]
    elif not running:
        finished = _taken_at(serves, log_id, number)
        if finished is not None:
            told["finishedAt"] = finished
    return told


def _taken_at(serves: Service, log_id: str, number: int) -> str | None:
    """Return when the log got what has a number: when its batch was written."""
    log = serves.shelf.log(log_id)
    for batch in log.batches:
        name = SOURCE.fullmatch(batch.source)
        if name is not None and int(name.group(2)) >= number:
            place = log.path / "batches" / f"b{batch.number:06d}.json"
            at = datetime.fromtimestamp(place.stat().st_mtime, UTC)
            return at.isoformat(timespec="milliseconds")
    return None
