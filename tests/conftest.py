"""For every test: no network, slow ones only where they are asked for; files that take longest go first."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from how_many import ALL

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

HOME = ("127.0.0.1", "::1", "localhost")

LONGEST = (
    "test_plan",
    "test_docs",
    "test_plan_county",
    "test_log_alerts",
    "test_scorecard_registers",
    "test_reference",
    "test_assessment",
    "test_duty_roster",
    "test_indicators",
    "test_county_odd",
    "test_objectives",
    "test_registers",
    "test_item_days",
    "test_large",
    "test_web_browser",
)
"""Begun first, so that no process is left alone with one of them at the end."""


def _keep_bytecode(folder: Path) -> None:
    """Keep what Python makes of sources, where the environment says not to: tests start many processes.

    It is kept apart from the sources, so that these folders stay as they are.
    """
    if sys.dont_write_bytecode and not sys.pycache_prefix:
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def pytest_configure(config: pytest.Config) -> None:
    """Keep bytecode; before several processes begin, compile the kernels: they would all do it."""
    _keep_bytecode(config.rootpath / ".pytest_cache" / "bytecode")
    several = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if several and any(Path(part).is_dir() for part in config.args):
        subprocess.run([sys.executable, "-m", "changtong.kernels"], check=False)  # else tests compile them


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadFileScheduling | None":
    """Give each process whole files, in the order of `pytest_collection_modifyitems`.

    A file's tests share what is dear to set up.
    """
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") not in ("load", "loadfile"):
        return None
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def _places(names: list[str]) -> dict[str, float]:
    """Return where each file goes: the longest first, those with browsers spread among the others."""
    first = [name for name in LONGEST if name in names]
    rest = [name for name in names if name not in first]
    browsers = [name for name in rest if name.endswith("_browser")]
    others = [name for name in rest if name not in browsers]
    places: dict[str, float] = {name: k - len(first) for k, name in enumerate(first)}
    for part in (others, browsers):
        places |= {name: (k + 0.5) / len(part) for k, name in enumerate(part)}
    return places


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files in order; leave slow tests out unless the environment asks for them, as CI does."""
    places = _places(list(dict.fromkeys(item.path.stem for item in items)))
    items.sort(key=lambda item: places[item.path.stem])
    if ALL:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: set CHANGTONG_LONG_TESTS=1"))
        elif _asks_postgresql_again(item):
            item.add_marker(pytest.mark.skip(reason="on PostgreSQL too: set CHANGTONG_LONG_TESTS=1"))


def _asks_postgresql_again(item: pytest.Item) -> bool:
    """Tell tests of what stands on the registers from those of the registers, which differ by database."""
    asks = getattr(item, "callspec", None)
    return asks is not None and asks.params.get("place") == "postgresql" and "registers" not in item.path.stem


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection but those of the machine to itself."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        outside = isinstance(address, tuple) and address[0] not in HOME
        if outside:
            raise RuntimeError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
