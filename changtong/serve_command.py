"""The command ``serve``: what the other commands do, for people who sign in, over HTTP."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer


def serve(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option("--data", metavar="FOLDER/", help="Registers, networks, runs; made if absent.")
    ],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0: all.")] = "127.0.0.1",
    registers: Annotated[
        str | None,
        typer.Option(
            "--registers",
            metavar="STORE",
            help="A file, or postgresql://user@host/name (password: PGPASSFILE).",
        ),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option(
            "--runs",
            metavar="STORE",
            help="postgresql://… for runs, data sets and queue: `changtong work` computes, too.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Runs at once, in each process that computes.")
    ] = 1,
    keep_days: Annotated[
        int | None,
        typer.Option("--keep-days", min=1, help="Delete runs that ended longer ago; kept for ever."),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            "--proxy", metavar="ADDRESS", help="Of a proxy before it that says who asks, and ends TLS."
        ),
    ] = None,
    scan_uploads: Annotated[
        str | None,
        typer.Option(
            "--scan-uploads", metavar="PLACE", help="clamd's socket or host:port: it looks at all uploads."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Name it goes by; others are refused; may be repeated."),
    ] = None,
) -> None:
    """Serve pages and API until Ctrl-C or SIGTERM; runs that have not ended go on when it serves again."""
    from changtong.api.headers import names_of
    from changtong.api.request_log import log, log_to_stderr
    from changtong.api.run_upkeep import keep_deleting
    from changtong.api.server import check_proxy, run_server
    from changtong.api.service import FIRST_SIGN_IN, open_service
    from changtong.api.virus_scan import VirusScan, warning_of
    from changtong.web.app import make_web_app

    if proxy is not None:
        check_proxy(proxy)
    scan = None if scan_uploads is None else VirusScan(scan_uploads)
    log_to_stderr()
    if scan is not None and (warning := warning_of(scan)):
        log(warning[0], logging.WARNING, says=warning[1])
    os.umask(0o077)  # what is kept is nobody else's on this machine
    service = open_service(
        data, registers, workers, program=context.find_root().command, runs=runs, scan=scan
    )
    try:
        first = service.folder.path / FIRST_SIGN_IN
        if first.exists():
            log("first-sign-in", file=str(first), says="It holds the first password: change it, remove it.")
        if keep_days is not None:
            keep_deleting(service.book, service.folder, keep_days, service.stopping)
        run_server(make_web_app(service, names_of(name or (), host, proxy)), host, port, proxy)
    finally:
        service.close()
