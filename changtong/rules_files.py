"""Rules as TOML files: those of the package, or a file of one's own in their place."""

from __future__ import annotations

import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem

MOST_BYTES = 50_000_000


def read_rules_file(
    path: str | os.PathLike[str] | None, package: str, shipped: str, code: str
) -> tuple[str, dict[str, Any]]:
    """Read a file, or one of the package; return its name and content.

    Parameters
    ----------
    path : path or None
        None: the shipped one.
    package, shipped : str
        Where the shipped one is, as ``changtong.outlets``, and its name there.
    code : str
        Of the problem where it cannot be read.

    Raises
    ------
    InputError
        It is not there, too large, no UTF-8, or no TOML.

    Examples
    --------
    >>> read_rules_file(None, "changtong.outlets", "stability.toml", "bad-rules")[0]
    'stability.toml'
    """
    place = files(package).joinpath(shipped) if path is None else Path(path)
    try:
        if isinstance(place, Path) and place.stat().st_size > MOST_BYTES:
            raise InputError([Problem(code, "the file is too large for rules.", place.name)])
        return place.name, tomllib.loads(place.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError([Problem(code, f"the file cannot be read ({said}).", place.name)]) from error
