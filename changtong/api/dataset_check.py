"""One check of a data set, in a process of its own: ``python -m changtong.api.dataset_check KIND FOLDER``.

A file made to break a reader breaks this process. It answers one object: the problems, and the notes.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from changtong.api.dataset_kinds import KINDS
from changtong.api.program import command_of, environment
from changtong.errors import ChangtongError, InputError, InternalError, Problem

WITHIN_S = 300.0
MOST_TOLD = 500


def main() -> int:
    """Check the folder of this name below the working folder; files of one kind each by themselves."""
    kind, folder = KINDS[sys.argv[1]], Path(sys.argv[2])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    places = sorted(one for one in folder.iterdir() if one.is_file()) if kind.is_files else [folder]
    found = [problem for place in places for problem in problems_of(kind.reader, place)]
    print(json.dumps([one.to_dict() for one in found[:MOST_TOLD]], ensure_ascii=False), file=out, flush=True)
    return 0


def problems_of(reader: str, place: Path) -> list[Problem]:
    """Return what a reader finds: all it raises, or the problems of its report.

    Parameters
    ----------
    reader : str
        ``module:function``; empty: nothing is looked at.
    place : Path
    """
    if not reader:
        return []
    module, _, name = reader.partition(":")
    try:
        report = getattr(importlib.import_module(module), name)(place)
    except InternalError:
        raise
    except InputError as error:
        return list(error.problems)
    except ChangtongError as error:
        return [Problem(error.code, str(error), place.name)]
    problems = getattr(report, "problems", ())
    return [one for one in problems if isinstance(one, Problem)]


def checked_apart(kind: str, folder: Path) -> list[Problem]:
    """Check a folder in a process of its own; return errors and warnings.

    Parameters
    ----------
    kind : str
    folder : Path

    Raises
    ------
    InputError
        ``unreadable-file``: the reader has died of it, or is not done within `WITHIN_S` seconds.
    """
    command = command_of("changtong.api.dataset_check", kind, folder.name)
    try:
        made = subprocess.run(
            command, cwd=folder.parent, env=environment(), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=WITHIN_S, check=True,
        )  # fmt: skip
        found: list[dict[str, Any]] = json.loads(made.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        text = "It cannot be read" + (" in time." if isinstance(error, subprocess.TimeoutExpired) else ".")
        raise InputError([Problem("unreadable-file", text, expected=f"a {kind}")]) from error
    return [Problem(**one) for one in found]


if __name__ == "__main__":
    sys.exit(main())
