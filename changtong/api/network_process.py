"""Networks kept at hand in a process of their own: ``python -m changtong.api.network_process``.

A question is a line of JSON on standard input (``folder``, ``ask``, …); its answer is one line of JSON on
standard output: ``answer``, ``problem`` or ``fault``. The network last asked of stays in memory, and is read
anew when its files have changed. When standard input ends, so does the process.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from changtong.api.program import GONE
from changtong.errors import ChangtongError, InputError, InternalError

KEPT = 2
"""Networks in memory at most: the national one takes 0.4 GB."""


def main() -> int:
    """Answer until nobody asks any more."""
    networks: dict[str, tuple[object, Any]] = {}
    return answer_lines(lambda question: _answered(question, networks))


def answer_lines(answered: Callable[[dict[str, Any]], dict[str, Any]], *, ends_at_once: bool = False) -> int:
    """Answer lines of standard input on standard output until there are no more.

    Parameters
    ----------
    answered : callable
        Question to answer.
    ends_at_once : bool
        Whether an answer under way is left unfinished when standard input ends: the server has gone.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(lines, ends_at_once), daemon=True).start()
    while line := lines.get():
        try:
            told: dict[str, Any] = {"answer": answered(json.loads(line))}
        except InternalError as error:
            told = {"fault": _described(error)}
        except ChangtongError as error:
            problems = [one.to_dict() for one in error.problems] if isinstance(error, InputError) else []
            told = {"problem": {"code": error.code, "detail": str(error), "problems": problems}}
        except Exception as error:
            told = {"fault": _described(error)}
        said = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            print(said, file=out, flush=True)
        except BrokenPipeError:
            os._exit(GONE)
    return 0


def _read_lines(lines: queue.SimpleQueue[str], ends_at_once: bool) -> None:
    for line in sys.stdin:
        if line.endswith("\n"):  # a part of one: the server was killed while it asked
            lines.put(line)
    if ends_at_once:
        os._exit(GONE)
    lines.put("")


def _answered(question: dict[str, Any], networks: dict[str, tuple[object, Any]]) -> dict[str, Any]:
    from changtong.api.network_answers import answer
    from changtong.network.io import read_network

    place = question["folder"]
    state = state_of(Path(place))
    known = networks.pop(place, None)
    if known is None or known[0] != state:
        while len(networks) >= KEPT:
            networks.pop(next(iter(networks)))
        known = (state, read_network(place))
    networks[place] = known  # the last asked of is the last to go
    return answer(known[1], question)


def state_of(folder: Path) -> list[list[Any]]:
    """Return what tells whether a folder's files have changed: their names, sizes and times."""
    files = sorted((entry for entry in os.scandir(folder) if entry.is_file()), key=lambda entry: entry.name)
    return [[entry.name, entry.stat().st_size, entry.stat().st_mtime_ns] for entry in files]


def _described(error: Exception) -> dict[str, Any]:
    from changtong.api.request_log import described

    return described(error)


if __name__ == "__main__":
    sys.exit(main())
