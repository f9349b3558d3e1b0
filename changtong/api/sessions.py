"""Signing in and out by cookie, for pages; programs send a token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from changtong.api.people import (
    Asks,
    Serves,
    cookie_name,
    csrf_of,
    is_loopback,
    token_of,
)
from changtong.errors import ChangtongError, DeniedError
from changtong.storage.sign_in import SESSION_FOR

router = APIRouter(prefix="/api/v1/session", tags=["session"])


class SignIn(BaseModel):
    """Who signs in."""

    model_config = ConfigDict(extra="forbid")
    user: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1000)
    code: str = Field(default="", max_length=64, description="Six digits of the second factor.")


class PasswordChange(BaseModel):
    """One's own password, changed."""

    model_config = ConfigDict(extra="forbid")
    old: str = Field(min_length=1, max_length=1000)
    new: str = Field(min_length=1, max_length=1000)


@router.post("", status_code=201)
def sign_in(request: Request, response: Response, serves: Serves, asked: SignIn) -> dict[str, Any]:
    """Sign in: a new session each time; one that the browser had before ends."""
    _check_origin(request)
    serves.sign_ins.take(request.client.host if request.client else "")
    session = serves.store.sign_in(asked.user, asked.password, asked.code)
    before = request.cookies.get(cookie_name(request), "")
    if before:
        _end(serves, before)
    response.set_cookie(
        cookie_name(request), session.token, max_age=int(SESSION_FOR.total_seconds()), path="/",
        secure=not is_loopback(request), httponly=True, samesite="strict",
    )  # fmt: skip
    return {
        "user_id": session.user_id,
        "expires_at": session.expires_at.isoformat(),
        "must_change_password": session.must_change,
        "csrf_token": csrf_of(session.token),
    }


@router.get("")
def tell_session(request: Request, asks: Asks) -> dict[str, Any]:
    """Tell who is signed in, what roles they have, and the token that pages send along."""
    roles = [
        {
            "role": grant.role.value,
            "path": grant.scope.path,
            "region": grant.scope.region,
            "until": None if grant.until is None else grant.until.isoformat(),
        }
        for grant in asks.person.grants
        if grant.holds(asks.at)
    ]
    told = {"user_id": asks.person.user_id, "organisation": asks.person.organisation, "roles": roles}
    return told | ({"csrf_token": csrf_of(token_of(request)[0])} if asks.by_cookie else {})


@router.delete("", status_code=204)
def sign_out(request: Request, response: Response, asks: Asks) -> None:
    """Sign out: the session, or the token that was sent, ends."""
    asks.desk.sign_out()
    response.delete_cookie(
        cookie_name(request), path="/", secure=not is_loopback(request), httponly=True, samesite="strict"
    )


@router.post("/password", status_code=204)
def change_password(asks: Asks, serves: Serves, asked: Annotated[PasswordChange, Body()]) -> None:
    """Change one's own password; all other sessions and tokens end."""
    serves.sign_ins.take(asks.person.user_id)  # the old password is a guess, too
    asks.desk.change_password(asked.old, asked.new)


def _check_origin(request: Request) -> None:
    """Refuse a sign-in that another site's page sends: it would sign somebody in as somebody else."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != request.headers.get("host", "")
    if foreign or site not in ("same-origin", "none"):
        raise DeniedError("This sign-in comes from another site's page.", "csrf-missing")


def _end(serves: Serves, token: str) -> None:
    """End a session that was there before; one that is over already is nobody's concern."""
    try:
        serves.store.desk(token).sign_out()
    except ChangtongError:
        return
