"""The command ``work``: a process more that computes what a server has queued in PostgreSQL."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer


def work(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FOLDER/", help="The server's data folder, as this machine sees it."),
    ],
    runs: Annotated[
        str, typer.Option("--runs", metavar="STORE", help="The PostgreSQL that `serve --runs` was given.")
    ],
) -> None:
    """Compute runs of a server until Ctrl-C or SIGTERM; what is not done then goes to another process."""
    from changtong.api.request_log import log, log_to_stderr
    from changtong.api.service import open_worker

    log_to_stderr()
    os.umask(0o077)
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    worker = open_worker(data, runs, context.find_root().command)
    log("working", worker=worker.name)
    try:
        stop.wait()
    finally:
        worker.close()
        log("stopped", worker=worker.name)
