"""Where compiled kernels are kept: one folder for each state of the sources.

Numba compiles a kernel anew when its own file changes, but not when a kernel it calls does.
So the folder's name is a digest of all files that hold kernels: what is found there was compiled
from these very sources.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
SOURCES = (
    "events/*.py",
    "events/*/*.py",
    "flows/*.py",
    "footprint/*.py",
    "planning/*.py",
    "simulation/*.py",
    "resilience/*.py",
    "rural/*.py",
    "routes.py",
)
"""Where kernels are."""


def kernels_base() -> Path:
    """Return the folder of all states: the user's choice, beside the sources, or the user's cache."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given)
    beside = PACKAGE / "flows" / "__pycache__"
    if os.access(beside if beside.exists() else PACKAGE / "flows", os.W_OK):
        return beside
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "changtong"


def kernel_folder() -> Path:
    """Return the folder of kernels compiled from the sources as they are now."""
    seen = hashlib.sha256(sys.version.encode())
    for pattern in SOURCES:
        for source in sorted(PACKAGE.glob(pattern)):
            seen.update(source.name.encode() + b"\n" + source.read_bytes())
    return kernels_base() / f"kernels-{seen.hexdigest()[:16]}"
