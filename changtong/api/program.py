"""How the program starts itself again: the same interpreter and package, in whatever folder it works."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]

GONE = 9
"""Exit code of a process whose server has gone."""

STANDS_BACK_BY = 10
"""Steps of the system's scale, whose last is 19: with both cores full such a process gets a tenth of one."""


def command_of(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module; -P: where it works is no place for modules.

    Parameters
    ----------
    module : str
    *arguments : str
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which it finds this package, with more.

    Parameters
    ----------
    **more : str
    """
    path = os.pathsep.join(filter(None, (str(PACKAGE), os.environ.get("PYTHONPATH", ""))))
    return os.environ | {"PYTHONPATH": path} | more


def stand_back() -> None:
    """Let this process, and those it starts, work with what the machine has left: people wait for others."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(STANDS_BACK_BY)
