"""Pages opened in headless Chromium, for tests of what their scripts do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

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
THEMES = ("light", pytest.param("dark", marks=_SLOW))
SCREENS = ("phone", pytest.param("desk", marks=_SLOW), pytest.param("wall", marks=_SLOW))
LANGUAGES = ("zh", pytest.param("en", marks=_SLOW))
"""Of pages that are looked at one by one: all of them where slow tests are asked for."""
