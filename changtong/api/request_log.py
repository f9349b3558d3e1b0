"""One line of JSON for each request on standard error, without personal data; and the counts of metrics."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from changtong.api.problems import fault
from changtong.errors import ChangtongError
from changtong.storage.rows import new_id

UNKNOWN_PATH = "(unknown)"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

logger = logging.getLogger("changtong.api")


class Counts:
    """What metrics tell of requests.

    Attributes
    ----------
    registry : CollectorRegistry
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "changtong_requests", "Requests answered.", ("method", "path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "changtong_request_seconds", "Time to the answer's end.", ("path",), registry=self.registry
        )

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request, by its path's template."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)


class RequestLog:
    """Gives each request an id, writes a line when it has ended, and answers faults with that id only."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["changtong.request_id"] = request_id = new_id()
        begun, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {
                    **message,
                    "headers": [*message["headers"], (b"x-request-id", request_id.encode())],
                }
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            log("fault", request_id=request_id, **described(error))
            if status:
                raise  # too late to answer anything else: the connection ends
            await fault(scope)(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - begun
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.counts.count(method, path_of(scope), status, seconds)
            log(
                "request", request_id=request_id, method=method, path=path_of(scope), status=status,
                ms=round(seconds * 1000, 1),
            )  # fmt: skip


def path_of(scope: Scope) -> str:
    """Return the template of a request's path: ids and names are no business of a log."""
    route = scope.get("route")
    return str(getattr(route, "path", UNKNOWN_PATH))


def described(error: BaseException) -> dict[str, Any]:
    """Return what a log may say of a fault: kind and place; the words may hold what somebody entered.

    With CHANGTONG_TRACE in the environment the whole of it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    code = {"code": error.code} if isinstance(error, ChangtongError) else {}
    whole = {"trace": "".join(traceback.format_exception(error))} if os.environ.get("CHANGTONG_TRACE") else {}
    return {"error": type(error).__name__, "place": place} | code | whole


def log(event: str, level: int = logging.INFO, **facts: Any) -> None:
    """Write a line.

    Parameters
    ----------
    event : str
        What happened: request, fault, run …
    level : int
    **facts
        Without personal data.
    """
    logger.log(level, event, extra={"facts": facts})


class JsonLines(logging.Formatter):
    """Log records as lines of JSON; exceptions by kind and place."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
        if record.name != logger.name:
            facts["from"] = record.name
        facts |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            facts |= described(record.exc_info[1])
        return json.dumps(facts, ensure_ascii=False, default=str)


def log_to_stderr() -> None:
    """Let every logger of this process write lines of JSON on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)
