"""The way in: signing in, a password that must be changed, and what a person may set for themselves."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from changtong.api.people import Asks, token_of
from changtong.errors import ChangtongError
from changtong.web.pages import page

router = APIRouter(include_in_schema=False)

OURS = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*")
"""Ways onward that stay here; browsers take tabs and line ends out of an address before they read it."""


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "/") -> Response:
    """Show the form; who is signed in already goes on."""
    try:
        token_of(request)
        signed_in = request.app.state.service.store.desk(token_of(request)[0]).check()
    except ChangtongError:
        signed_in = ""
    onward = next if OURS.fullmatch(next) else "/"
    if signed_in:
        return RedirectResponse(onward, 303, {"Cache-Control": "no-store"})
    return page(request, "sign_in.html.j2", area="", title="sign_in.title", onward=onward)


@router.get("/password")
def password_page(request: Request, asks: Asks) -> Response:
    """Show the form that changes one's own password."""
    return page(request, "password.html.j2", area="", title="password.title", asks=asks)
