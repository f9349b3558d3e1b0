"""Where compiled kernels are kept: one folder for each state of the sources.

Numba compiles a kernel anew when its own file changes, but not when a kernel it calls does.
So the folder's name is a digest of all files that hold kernels and of what these import, their
constants too: what is found there was compiled from these very sources. Other files may change.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL = re.compile(rb"^\s*(?:from numba import|import numba)", re.MULTILINE)
IMPORTED = re.compile(rb"^\s*(?:from|import) (changtong[.\w]*)", re.MULTILINE)


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
    return kernels_base() / f"kernels-{_digest()}"


@functools.cache
def _digest() -> str:
    seen = hashlib.sha256(sys.version.encode())
    for source in [*kernel_sources(), PACKAGE / "kernels.py"]:  # the last says what is compiled
        seen.update(source.relative_to(PACKAGE).as_posix().encode() + b"\n" + source.read_bytes())
    return seen.hexdigest()[:16]


def kernel_sources() -> list[Path]:
    """Return the files that hold kernels, and those they import, to the end."""
    texts = {source: source.read_bytes() for source in PACKAGE.rglob("*.py")}
    todo = [source for source, text in texts.items() if b"numba" in text and KERNEL.search(text)]
    found = set(todo)
    while todo:
        for name in IMPORTED.findall(texts[todo.pop()]):
            for source in _files_of(name.decode()):
                if source in texts and source not in found:
                    found.add(source)
                    todo.append(source)
    return sorted(found)


def _files_of(module: str) -> list[Path]:
    """Return the file of a module; of a package all its files, since any of them may be meant."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    if place == PACKAGE:
        return [PACKAGE / "__init__.py"]
    return sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
