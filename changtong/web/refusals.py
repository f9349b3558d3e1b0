"""What a person sees instead of a page: the way to sign in, or what is wrong and what to do."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from changtong.api.problems import refuse, refuse_http, refuse_values, request_id_of, status_of
from changtong.error_words import error_words
from changtong.errors import ChangtongError
from changtong.web.pages import page, page_language

MACHINES = ("/api/", "/metrics", "/healthz", "/readyz", "/assets/")
"""Where programs ask: they are answered in problem+json."""


def _for_people(request: Request) -> bool:
    return not request.url.path.startswith(MACHINES)


async def refuse_for_people(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    assert isinstance(error, ChangtongError)
    if not _for_people(request) or status_of(error) == 500:
        return await refuse(request, error)
    if error.code == "session-over" and request.method == "GET":
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(asked)}", 303, {"Cache-Control": "no-store"})
    if error.code == "password-must-change" and request.method == "GET":
        return RedirectResponse("/password", 303, {"Cache-Control": "no-store"})
    return _told(request, status_of(error), error.code, str(error))


async def refuse_http_for_people(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses."""
    assert isinstance(error, HTTPException)
    if not _for_people(request):
        return await refuse_http(request, error)
    return _told(
        request,
        error.status_code,
        "not-found" if error.status_code == 404 else "bad-usage",
        str(error.detail),
    )


async def refuse_values_for_people(request: Request, error: Exception) -> Response:
    """Answer values of the wrong shape."""
    assert isinstance(error, RequestValidationError)
    if not _for_people(request):
        return await refuse_values(request, error)
    return _told(request, 422, "bad-input", "The address holds a value that cannot be.")


def _told(request: Request, status: int, code: str, detail: str) -> Response:
    return page(
        request, "refused.html.j2", area="", title="refused.title", status=status,
        code=code, words=error_words(code).said_in(page_language(request)), detail=detail,
        request_id=request_id_of(request.scope),
    )  # fmt: skip
