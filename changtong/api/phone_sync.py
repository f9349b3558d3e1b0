"""Inspections filled in on phones, sent when there is a network: as `safety collect`, over the API."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from changtong.api.people import Asks, Caller
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.supervision_records.inspection_register import collect_into_registers

router = APIRouter(prefix="/api/v1", tags=["records"])

SYNC = "/api/v1/sync"
MOST_SYNC_BYTES = 64_000_000
"""Of a request: a form has 60 photos of 0.7 MB at most, which grow by a third as text."""


@router.post(
    "/sync",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
async def take_inspections(request: Request, asks: Asks) -> dict[str, Any]:
    """Take the file that the page for phones exports: counts, and all that was set aside, with why.

    Sent twice, nothing is added twice. What the caller has no right to is set aside and told.
    """
    return await run_in_threadpool(_taken, asks, await request.body())


def _taken(asks: Caller, content: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
        file = Path(folder) / "sent.json"
        file.write_bytes(content)
        taken = collect_into_registers(asks.desk, [file], read_hazard_rules())
    return taken.to_json() | {"whole": taken.whole}
