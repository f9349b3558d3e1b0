"""What every answer carries for the browser, and how large a request may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


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
