"""Who asks: a cookie or a token, decided for every request before anything else is looked at."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from changtong.api.headers import LOOPBACK, host_of
from changtong.api.service import Service
from changtong.errors import DeniedError, NotFoundError
from changtong.rights.decide import Person, Target, decide, scopes
from changtong.rights.scope import Scope
from changtong.storage.rows import now
from changtong.storage.store import Desk
from changtong.storage.work import Pass

OPEN_ROUTES = frozenset({("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/v1/session")})
"""Methods and paths that ask for nobody; all others do, those yet to be written as well."""

INTAKE_ROUTES = frozenset({("POST", "/api/v1/logs/{log_id}/events"), ("POST", "/api/v1/epcis/capture")})
"""Where machines send events: they have a rate of their own."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"
NO_ROUTE = "(none)"


@dataclass(frozen=True)
class Caller:
    """Who asks, as they are at this moment.

    Attributes
    ----------
    desk : Desk
        Where they work in the registers.
    person : Person
    at : datetime
    must_change : bool
        Whether they have to change their password before anything else.
    by_cookie : bool
    """

    desk: Desk
    person: Person
    at: datetime
    by_cookie: bool

    @property
    def own(self) -> Target:
        """What a run of theirs is, when rights are decided."""
        return Target("run", self.person.path, self.person.admin_code)

    def may(self, action: str, path: str, admin_code: str) -> bool:
        """Return whether they may do something to a run of an organisation."""
        return decide(self.person, action, Target("run", path, admin_code), self.at).allowed

    def sees(self) -> tuple[Scope, ...]:
        """Return where they see runs."""
        return scopes(self.person, "view", "run", self.at)

    def sees_of(self, path: str, admin_code: str) -> bool:
        """Return whether they see runs and data sets of an organisation."""
        return self.may("view", path, admin_code)

    def must_see(self, path: str, admin_code: str) -> None:
        """Go on only if they see a run; one they may not see is told as one that is not there.

        Raises
        ------
        NotFoundError
        """
        if not self.may("view", path, admin_code):
            raise NotFoundError("There is no run of this id.")


def service_of(request: Request) -> Service:
    """Return what this server has open."""
    service: Service = request.app.state.service
    return service


def is_loopback(request: Request) -> bool:
    """Return whether the browser talks to this very machine, where there is no TLS."""
    return host_of(request.headers.get("host", "")) in LOOPBACK


def cookie_name(request: Request) -> str:
    """Return the cookie's name: with the prefix that lets no other site set one, where TLS is."""
    return "changtong" if is_loopback(request) else "__Host-changtong"


def csrf_of(token: str) -> str:
    """Return what a page sends along to show that it is ours: made from the session, kept nowhere."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def token_of(request: Request) -> tuple[str, bool]:
    """Return the token that came along, and whether it came as a cookie.

    Raises
    ------
    DeniedError
        ``session-over``: there is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip(), False
    cookie = request.cookies.get(cookie_name(request), "")
    if not cookie:
        raise DeniedError("Nobody is signed in.", "session-over")
    return cookie, True


async def gate(request: Request) -> None:
    """Let a request in, or not: every route but the open ones asks for a person.

    Raises
    ------
    DeniedError
        ``session-over``, ``password-must-change``, ``csrf-missing``.
    TooManyRequestsError
        ``too-many-requests``.
    """
    route = getattr(request.scope.get("route"), "path", NO_ROUTE)
    if (request.method, route) in request.app.state.open_routes:
        return
    token, by_cookie = token_of(request)
    if by_cookie and request.method not in SAFE_METHODS:
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), csrf_of(token).encode()):
            text = f"A page sends {CSRF_HEADER} along; GET /api/v1/session tells it."
            raise DeniedError(text, "csrf-missing")
    service = service_of(request)
    at = now()
    known = service.passes.get(token, at)
    if known is not None:
        holds = known
    else:
        own = route.startswith("/api/v1/session") or route == "/password"
        holds, at = await run_in_threadpool(_read, service, token, own)
    desk = Desk(service.store.engine, token, service.store.folder)
    request.state.caller = Caller(desk, holds.person, at, by_cookie)
    rate = service.intakes if (request.method, route) in INTAKE_ROUTES else service.requests
    rate.take(holds.person.user_id)


def _read(service: Service, token: str, any_password: bool) -> tuple[Pass, datetime]:
    """Return what a token gives, from the registers, and when that was."""
    version = service.passes.version()
    desk = Desk(service.store.engine, token, service.store.folder)
    with desk.work(writes=False, any_password=any_password) as work:
        holds, at = work.holds, work.at
    service.passes.keep(token, holds, version)
    return holds, at


async def caller_of(request: Request) -> Caller:
    """Return who asks; the gate has found out."""
    caller: Caller = request.state.caller
    return caller


async def _service_for(request: Request) -> Service:
    """Return what this server has open; not a plain function, which would wait for a thread."""
    return service_of(request)


Asks = Annotated[Caller, Depends(caller_of)]
Serves = Annotated[Service, Depends(_service_for)]
