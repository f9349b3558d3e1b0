"""Refusals as the API tells them: application/problem+json with the stable codes; never a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from changtong.error_words import error_words
from changtong.errors import (
    ChangtongError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    Problem,
    UsageError,
)
from changtong.wording import Language, language_of

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
    "intake-behind": 503,
    "in-the-making": 503,
    "scanner-away": 503,
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


class IntakeBehindError(TooManyRequestsError):
    """More events wait for the log than are kept waiting."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.code = "intake-behind"
        self.args = (f"The log is behind with what was accepted: send again in {wait_s} s.",)


class InTheMakingError(TooManyRequestsError):
    """An answer that takes long is being made."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.code = "in-the-making"
        self.args = (f"This is being computed for the first time: ask again in {wait_s} s.",)


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
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    problems: Sequence[Mapping[str, object]] = (),
    headers: Mapping[str, str] | None = None,
    current: object = None,
) -> JSONResponse:
    """Return a refusal, its titles in the language of the request.

    Parameters
    ----------
    scope : Scope
        Of the request: its id, by which the log can be searched, and its Accept-Language.
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
    language = language_of(None, None, Headers(scope=scope).get("accept-language", ""))
    content = {
        "type": f"urn:changtong:error:{code}",
        "title": error_words(code).said_in(language),
        "status": status,
        "detail": detail,
        "code": code,
        "problems": titled(problems, language),
        "request_id": request_id_of(scope),
    }
    if current is not None:
        content["current"] = current
    return JSONResponse(content, status, {"Vary": "Accept-Language", **(headers or {})}, MEDIA_TYPE)


def titled(problems: Iterable[Mapping[str, Any]], language: Language) -> list[dict[str, Any]]:
    """Return problems with what their codes say to people.

    Parameters
    ----------
    problems : iterable of mappings
        As `Problem.to_dict` gives them.
    language : str

    Examples
    --------
    >>> titled([{"code": "empty-file"}], "en")
    [{'code': 'empty-file', 'title': 'The file is empty. Give one that holds something.'}]
    """
    return [{**one, "title": error_words(str(one["code"])).said_in(language)} for one in problems]


def request_id_of(scope: Scope) -> str:
    """Return the id under which the log keeps a request."""
    return str(scope.get("changtong.request_id", ""))


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
    return problem_response(request.scope, status, error.code, str(error), problems, headers, now)


async def refuse_values(request: Request, error: Exception) -> JSONResponse:
    """Answer values of the wrong shape: all of them at once, without the values themselves."""
    assert isinstance(error, RequestValidationError)
    problems = [_of_validation(one) for one in error.errors()]
    code = "bad-json" if any(one.code == "bad-json" for one in problems) else "bad-input"
    told = InputError(problems)
    status = 400 if code == "bad-json" else 422
    dicts = [one.to_dict() for one in problems]
    return problem_response(request.scope, status, code, str(told), dicts)


def _of_validation(wrong: Mapping[str, Any]) -> Problem:
    place = [str(part) for part in wrong.get("loc", ())]
    code = OF_VALIDATION.get(str(wrong.get("type")), "wrong-type")
    return Problem(code, f"{wrong.get('msg')}.", file=place[0] if place else None, column=".".join(place[1:]))


async def refuse_http(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: no such page, no such method, a body that cannot be read."""
    assert isinstance(error, HTTPException)
    code = OF_STATUS.get(error.status_code, "bad-usage")
    return problem_response(request.scope, error.status_code, code, str(error.detail), headers=error.headers)


def fault(scope: Scope) -> JSONResponse:
    """Answer a fault of ours: its id, and nothing of what went wrong."""
    text = f"This is a fault of Changtong, not yours; the log keeps it under {request_id_of(scope)}."
    return problem_response(scope, 500, "internal", text)
