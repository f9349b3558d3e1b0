"""Pages opened in headless Chromium, for tests of what their scripts do."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from test_serve import WAIT_S, free_port

from changtong.api.request_log import logger
from changtong.api.service import Service, open_service
from changtong.cli import _commands
from changtong.web.app import make_web_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --virtual-time-budget=6000 --dump-dom"
)


def opened(address: str, folder: Path, *more: str) -> str:
    """Return a page's elements as they are after its scripts have run."""
    command = [str(CHROMIUM), *FLAGS.split(), *more, f"--user-data-dir={folder / 'profile'}", address]
    return subprocess.run(command, capture_output=True, check=True, timeout=60, text=True).stdout


FRAME = """<body><iframe src="{address}" width="{width}" height="900"></iframe><p id="said"></p><script>
addEventListener("load", () => setTimeout(() => {{
  const page = document.querySelector("iframe").contentDocument.documentElement;
  document.getElementById("said").textContent = `wide ${{page.scrollWidth}} of ${{page.clientWidth}}`;
}}, 1000));
</script></body>"""

_SLOW = pytest.mark.slow
THEMES, SCREENS, LANGUAGES = (
    tuple(pytest.param(one, marks=_SLOW) for one in all_of_them)
    for all_of_them in (("light", "dark"), ("phone", "desk", "wall"), ("zh", "en"))
)
"""Of pages that are looked at one by one, where slow tests are asked for: stories go through most of them."""


@contextmanager
def serving_here(data: Path) -> Iterator[str]:
    """Serve a filled data folder from a thread, at the address given.

    A process of its own would import for six seconds what is here already. There is one at a time: the queue
    library is one in a process.
    """
    servers: list[tuple[Service, uvicorn.Server]] = []
    port = free_port()

    def serve() -> None:
        # all of it here: where Playwright waits, an event loop runs, and the queue library refuses to begin
        service = open_service(data, program=_commands("serve"))
        config = uvicorn.Config(
            make_web_app(service), port=port, http="httptools", log_config=None, access_log=False,
            lifespan="off",
        )  # fmt: skip
        servers.append((service, uvicorn.Server(config)))
        logger.disabled = True  # a test before this one may have left it a stream that is closed
        try:
            servers[0][1].run()
        finally:
            service.close()
            logger.disabled = False

    thread = threading.Thread(target=serve, name="server")
    thread.start()
    try:
        until = time.monotonic() + WAIT_S
        while not (servers and servers[0][1].started):
            assert thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.02)
        yield f"http://localhost:{port}"
    finally:
        for service, server in servers:
            service.stopping.set()
            server.should_exit = server.force_exit = True
        thread.join(WAIT_S)
