"""What every answer carries for the browser, and how large a request may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from changtong.api.problems import problem_response

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""The API shows nothing: its answers may load nothing, and stand in no frame."""

HSTS = "max-age=31536000; includeSubDomains"
"""For a year browsers ask by TLS only; said where TLS is, as browsers heed it nowhere else."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MOST_BODY_BYTES = 1_000_000


class SecurityHeaders:
    """Adds the headers to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def host_of(host: str) -> str:
    """Return the name in a Host header, without the port; nothing where there is none.

    Examples
    --------
    >>> [host_of(text) for text in ("Post.Example:8443", "[::1]:80", "[", "")]
    ['post.example', '::1', '', '']
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def names_of(given: Iterable[str], host: str, proxy: str | None) -> frozenset[str] | None:
    """Return the names a server goes by; None: it cannot know them, and takes any.

    Parameters
    ----------
    given : iterable of str
        Names that were set; this machine's own always count beside them.
    host : str
        Address it listens on.
    proxy : str or None
        The proxy before it.

    Examples
    --------
    >>> sorted(names_of([], "127.0.0.1", None))
    ['127.0.0.1', '::1', 'localhost']
    >>> "post.example" in names_of(["Post.Example"], "0.0.0.0", "10.0.0.2"), names_of([], "0.0.0.0", None)
    (True, None)
    """
    names = frozenset(name.strip().lower() for name in given)
    if names or (proxy is None and host in LOOPBACK):
        return names | LOOPBACK
    return None


class HostCheck:
    """Refuses requests that name another host: pages elsewhere whose name was turned to this address.

    Parameters
    ----------
    app : ASGI application
    names : frozenset of str, optional
        Without them any name will do.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] | None = None) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on that means this server."""
        if scope["type"] == "http" and self.names is not None:
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if host_of(host) not in self.names:
                text = "This server does not go by the name in Host: `serve --name` sets its names."
                refusal = problem_response(scope, 421, "bad-usage", text)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses a body that is too large: by what it says, and by what comes.

    Parameters
    ----------
    app : ASGI application
    most_bytes : int
    larger : mapping, optional
        From path to bytes, where more is taken.
    larger_like : sequence of (pattern, int)
        The same for whole paths that are alike.
    """

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int = MOST_BODY_BYTES,
        larger: Mapping[str, int] | None = None,
        larger_like: Sequence[tuple[re.Pattern[str], int]] = (),
    ) -> None:
        self.app, self.most_bytes, self.larger = app, most_bytes, larger or {}
        self.larger_like = tuple(larger_like)

    def _most(self, path: str) -> int:
        if path in self.larger:
            return self.larger[path]
        found = (most for pattern, most in self.larger_like if pattern.fullmatch(path))
        return next(found, self.most_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as far as it is not too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        left = most = self._most(scope["path"])
        if said.isdigit() and int(said) > left:
            left = -1

        async def limited() -> Message:
            nonlocal left
            if left < 0:
                raise _refusal(most)
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _refusal(most)
            return message

        await self.app(scope, limited, send)


def _refusal(most: int) -> HTTPException:
    text = f"The request is too large: {most:,} bytes at most."
    return HTTPException(413, text, {"Connection": "close"})
