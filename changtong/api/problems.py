"""Refusals as the API tells them: application/problem+json with the stable codes; never a traceback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from changtong.errors import (
    ChangtongError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    Problem,
    UsageError,
)

OF_CLASS: tuple[tuple[type[ChangtongError], int], ...] = (
    (InputError, 422),
    (UsageError, 400),
    (NotFoundError, 404),
    (DeniedError, 403),
    (ConflictError, 409),
)

OF_CODE = {
    "key-in-use": 409,
    "unknown-register": 404,
    "session-over": 401,
    "sign-in-failed": 401,
    "second-factor-needed": 401,
    "sign-in-locked": 429,
    "too-many-requests": 429,
    "too-many-runs": 429,
    "too-large": 413,
    "precondition-failed": 412,
    "precondition-missing": 428,
    "in-use": 409,
    "key-reused": 422,
    "registers-busy": 503,
    "no-registers": 503,
    "registers-old": 503,
    "registers-newer": 503,
    "damaged-registers": 503,
}
"""Codes whose status is not that of their class."""

OF_STATUS = {404: "not-found", 405: "wrong-method", 413: "too-large", 400: "bad-json", 415: "bad-json"}
"""Codes of refusals that the framework makes."""

OF_VALIDATION = {
    "missing": "missing-value",
    "extra_forbidden": "unknown-column",
    "json_invalid": "bad-json",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
    "string_too_long": "out-of-range",
    "string_too_short": "out-of-range",
    "too_long": "out-of-range",
}
"""The framework's kinds of what is wrong with a value, and our codes; any other kind is a wrong type."""

MEDIA_TYPE = "application/problem+json"


class TooManyRequestsError(UsageError):
    """More requests than one address or person may send."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(f"Too many requests: try again in {wait_s} s.", "too-many-requests")


class ChangedError(ConflictError):
    """What If-Match names is not what is there any more: nothing was written; what is there now is told."""

    code = "precondition-failed"

    def __init__(
        self,
        text: str = "It has changed since it was read: read it again.",
        now: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(text, current=now)


class VersionMissingError(UsageError):
    """A change that does not say which version was read."""

    def __init__(self) -> None:
        text = 'Say which version you read: If-Match: "N", as the ETag of the answer told it.'
        super().__init__(text, "precondition-missing")


def status_of(error: ChangtongError) -> int:
    """Return the HTTP status of a refusal.

    Examples
    --------
    >>> status_of(UsageError("…", "too-many-runs")), status_of(NotFoundError("…"))
    (429, 404)
    """
    of_class = next((status for kind, status in OF_CLASS if isinstance(error, kind)), 500)
    return OF_CODE.get(error.code, of_class)


def problem_response(
    request_id: str,
    status: int,
    code: str,
    detail: str,
    problems: Sequence[Mapping[str, object]] = (),
    headers: Mapping[str, str] | None = None,
    current: object = None,
) -> JSONResponse:
    """Return a refusal.

    Parameters
    ----------
    request_id : str
        By which the log can be searched.
    status : int
    code : str
        A heading of docs/errors.md.
    detail : str
    problems : sequence of mappings
        Each thing wrong, as everywhere.
    headers : mapping, optional
    current : object
        What is there now, where it was changed since it was read.
    """
    content = {
        "type": f"urn:changtong:error:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "problems": list(problems),
        "request_id": request_id,
    }
    if current is not None:
        content["current"] = current
    return JSONResponse(content, status, dict(headers or {}), MEDIA_TYPE)


def request_id_of(request: Request) -> str:
    """Return the id under which the log keeps a request."""
    return str(request.scope.get("changtong.request_id", ""))


async def refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of ours; a fault (`InternalError`) tells its request id only."""
    assert isinstance(error, ChangtongError)
    status = status_of(error)
    if status == 500:
        raise error  # the log keeps it, and the answer says an id only
    problems = [one.to_dict() for one in error.problems] if isinstance(error, InputError) else []
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, TooManyRequestsError):
        headers["Retry-After"] = str(error.wait_s)
    now = error.current if isinstance(error, ChangedError) else None
    return problem_response(request_id_of(request), status, error.code, str(error), problems, headers, now)


async def refuse_values(request: Request, error: Exception) -> JSONResponse:
    """Answer values of the wrong shape: all of them at once, without the values themselves."""
    assert isinstance(error, RequestValidationError)
    problems = [_of_validation(one) for one in error.errors()]
    code = "bad-json" if any(one.code == "bad-json" for one in problems) else "bad-input"
    told = InputError(problems)
    status = 400 if code == "bad-json" else 422
    dicts = [one.to_dict() for one in problems]
    return problem_response(request_id_of(request), status, code, str(told), dicts)


def _of_validation(wrong: Mapping[str, Any]) -> Problem:
    place = [str(part) for part in wrong.get("loc", ())]
    code = OF_VALIDATION.get(str(wrong.get("type")), "wrong-type")
    return Problem(code, f"{wrong.get('msg')}.", file=place[0] if place else None, column=".".join(place[1:]))


async def refuse_http(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: no such page, no such method, a body that cannot be read."""
    assert isinstance(error, HTTPException)
    code = OF_STATUS.get(error.status_code, "bad-usage")
    return problem_response(
        request_id_of(request), error.status_code, code, str(error.detail), headers=error.headers
    )


def fault(request_id: str) -> JSONResponse:
    """Answer a fault of ours: its id, and nothing of what went wrong."""
    text = f"This is a fault of Changtong, not yours; the log keeps it under {request_id}."
    return problem_response(request_id, 500, "internal", text)
