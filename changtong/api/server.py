"""The server: uvicorn around the application, until it is told to stop."""

from __future__ import annotations

import ipaddress
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from changtong.api.request_log import log
from changtong.api.service import Service
from changtong.errors import UsageError

STOP_WITHIN_S = 15
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Tells the service first when it is to stop, so that streams end and nothing waits for them."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal, and then go on to the end: uvicorn's own raises it once more, which ends all."""
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self.service.stopping.set()
        super().handle_exit(sig, frame)


def check_proxy(proxy: str) -> None:
    """Refuse what is no proxy's address: whose word is taken on who asks must be known.

    Parameters
    ----------
    proxy : str
        Addresses or networks, with commas between.

    Raises
    ------
    UsageError
        ``bad-usage``.
    """
    for one in proxy.split(","):
        try:
            known = ipaddress.ip_network(one.strip(), strict=False).prefixlen > 0
        except ValueError:
            known = False
        if not known:
            text = f"--proxy {one.strip()}: the address or network of the proxy is expected, as 10.0.0.2."
            raise UsageError(text)


def run_server(app: FastAPI, host: str, port: int, proxy: str | None = None) -> None:
    """Serve until a signal comes.

    Parameters
    ----------
    app : FastAPI
        With its service, which the caller closes.
    host : str
    port : int
    proxy : str, optional
        Address of a proxy whose word on who asks, and how, is taken.
    """
    config = uvicorn.Config(
        app, host=host, port=port, http="httptools", log_config=None, access_log=False, server_header=False,
        proxy_headers=proxy is not None, forwarded_allow_ips=proxy, lifespan="off",
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )  # fmt: skip
    log("serving", host=host, port=port)
    Server(config, app.state.service).run()
    log("stopped")
