"""A process that works on one task after another: tasks come in on standard input, rows go out.

Run as ``python -m changtong.executors.worker WORK`` by :class:`LocalProcesses`. A process of its
own, not a fork: compiled kernels, thread pools and solvers do not survive a fork safely.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import BinaryIO

from changtong.executors.work import attempt


def serve(work_file: str, tasks: BinaryIO, rows: BinaryIO) -> None:
    """Answer tasks until there are no more."""
    work = pickle.loads(Path(work_file).read_bytes())
    while True:
        try:
            task = pickle.load(tasks)
        except EOFError:
            return
        pickle.dump(attempt(work, task), rows, protocol=5)
        rows.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the rows
    try:
        serve(sys.argv[1], sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(1)  # who asked has died: nobody is there to be told
