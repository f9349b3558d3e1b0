"""The end of the demo: its network in the web app, on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from changtong.errors import UsageError
from changtong.network.io import write_network
from changtong.network.model import Network

NETWORK = "china"
FIRST_PORT, PORTS = 8000, 20
READY_WITHIN_S = 120.0
FIRST_SIGN_IN = "first-sign-in.txt"


def serve_demo(network: Network, folder: Path, say: Callable[[str], None], *, browser: bool = False) -> int:
    """Serve pages with a network until Ctrl-C; return the server's exit code.

    Parameters
    ----------
    network : Network
    folder : Path
        The server's data folder, made where it is not there; what is in it stays.
    say : callable
        Takes a line for the person at the terminal.
    browser : bool
        Whether a browser is opened.

    Raises
    ------
    UsageError
        ``cannot-write``, or no port is free, or the server does not become ready.
    """
    place = folder / "networks" / NETWORK
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        write_network(network, place)
    port = _free_port()
    command = [sys.executable, "-m", "changtong", "serve", "--data", str(folder), "--port", str(port)]
    address = f"http://localhost:{port}/"
    ends = (signal.SIGINT, signal.SIGTERM)  # who started us may have had them ignored
    before = [signal.signal(number, signal.default_int_handler) for number in ends]
    # a session of its own: Ctrl-C reaches it once, through us
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            _wait(server, f"http://127.0.0.1:{port}/readyz")
            say(f"The web app is at {address} until Ctrl-C.")
            first = folder / FIRST_SIGN_IN
            if first.exists():
                user, password = first.read_text("utf-8").splitlines()[:2]
                say(f"Sign in with {user}, {password}; it asks for another.")
            if browser:
                import webbrowser

                webbrowser.open(address)
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return server.wait()
        finally:
            for number, handler in zip(ends, before, strict=True):
                signal.signal(number, handler)
            if server.poll() is None:
                server.terminate()


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UsageError(f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free.")


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:  # urllib.error.URLError is one
            time.sleep(0.2)
    raise UsageError("The web app did not become ready: `changtong serve` tells why.")
