"""Fetching what a feed's address holds: https only, within bounds of size, time and redirects."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import urlsplit

from changtong.emergency.cap import LARGEST_BYTES
from changtong.emergency.message_sources import without_secrets
from changtong.errors import InputError, Problem

LOOPBACK = ("127.0.0.1", "localhost", "::1")
AGENT = "changtong"


@dataclass(frozen=True)
class FetchLimits:
    """Bounds.

    Attributes
    ----------
    bytes : int
        Of one message or feed.
    seconds : float
        For one address.
    total_s : float
        For all that a feed leads to.
    redirects : int
    """

    bytes: int = LARGEST_BYTES
    seconds: float = 20.0
    total_s: float = 120.0
    redirects: int = 3


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows few redirects, and none to another host."""

    def __init__(self, limit: int) -> None:
        self.limit, self.seen = limit, 0

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        self.seen += 1
        if self.seen > self.limit:
            raise _refused(req.full_url, "it leads on more often than is followed.")
        check_address(newurl)
        if urlsplit(newurl).hostname != urlsplit(req.full_url).hostname:
            raise _refused(req.full_url, f"it leads to another host ({urlsplit(newurl).hostname}).")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refused(address: str, text: str, expected: str = "") -> InputError:
    return InputError([Problem("not-fetched", text, without_secrets(address), expected=expected)])


def check_address(address: str) -> None:
    """Refuse an address that is not fetched.

    Parameters
    ----------
    address : str

    Raises
    ------
    InputError
        ``not-fetched``: another scheme than https (http only to this machine itself), no host.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError([Problem("not-fetched", f"this is no address ({error}).", address[:200])]) from error
    if parts.scheme == "http" and host in LOOPBACK:
        return
    if parts.scheme != "https" or not host:
        raise _refused(address, f"{parts.scheme} is not fetched.", "an address beginning with https://")


class Fetcher:
    """Fetches addresses one after the other, all within one time.

    Parameters
    ----------
    limits : FetchLimits
    """

    def __init__(self, limits: FetchLimits | None = None) -> None:
        self.limits = limits or FetchLimits()
        self.until = time.monotonic() + self.limits.total_s

    def __call__(self, address: str) -> bytes:
        """Return what an address holds.

        Raises
        ------
        InputError
            ``not-fetched`` with the reason, ``too-large``.
        """
        check_address(address)
        left = min(self.limits.seconds, self.until - time.monotonic())
        if left <= 0.0:
            raise _refused(address, f"{self.limits.total_s:g} s are over.")
        opener = urllib.request.build_opener(_Redirects(self.limits.redirects))
        request = urllib.request.Request(address, headers={"User-Agent": AGENT})
        try:
            with opener.open(request, timeout=left) as answer:
                return self._read(answer, address, time.monotonic() + left)
        except InputError:
            raise
        except urllib.error.HTTPError as error:
            raise _refused(address, f"the server answers {error.code}.") from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise _refused(address, f"it cannot be fetched ({reason}).") from error

    def _read(self, answer: IO[bytes], address: str, until: float) -> bytes:
        content = bytearray()
        while True:
            if time.monotonic() > until:
                raise _refused(address, f"it takes longer than {self.limits.seconds:g} s.")
            part = answer.read1(65_536)  # type: ignore[attr-defined]
            if not part:
                return bytes(content)
            content += part
            if len(content) > self.limits.bytes:
                expected = f"at most {self.limits.bytes:,} bytes"
                raise InputError(
                    [Problem("too-large", "it is too large.", without_secrets(address), expected=expected)]
                )
