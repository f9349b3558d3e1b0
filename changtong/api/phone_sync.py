"""Inspections filled in on phones, sent when there is a network: as `safety collect`, over the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from changtong.api.people import Asks, Caller, Serves
from changtong.api.virus_scan import VirusScan
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.received import read_received
from changtong.supervision_records.inspection_register import sync_inspections

_SCHEMA = {
    "type": "object",
    "required": ["changtong", "inspections"],
    "properties": {
        "changtong": {"type": "object", "description": "kind and version of the file."},
        "inspections": {
            "type": "array",
            "items": {"type": "object"},
            "description": "With the ids and times that the phone made.",
        },
    },
}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}}

router = APIRouter(prefix="/api/v1", tags=["records"])

SYNC = "/api/v1/sync"
MOST_SYNC_BYTES = 64_000_000
"""Of a request: a form has 60 photos of 0.7 MB at most, which grow by a third as text."""


@router.post("/sync", openapi_extra=_BODY)
async def take_inspections(request: Request, asks: Asks, serves: Serves) -> dict[str, Any]:
    """Take the file that the page for phones exports: counts, all that was set aside, and each by itself.

    `inspections` answers each: added, known, conflict (both versions are kept) or refused, with why. Sent
    again, whole or in part, nothing is there twice, whatever died in between; no key is needed. What the
    caller has no right to is refused and told.
    """
    return await run_in_threadpool(_taken, asks, await request.body(), serves.scan)


def _taken(asks: Caller, content: bytes, scan: VirusScan | None) -> dict[str, Any]:
    if scan is not None:
        scan.check(_files_of(content))
    taken, answers = sync_inspections(asks.desk, content, read_hazard_rules())
    each = [one.to_json() for one in answers]
    return taken.to_json() | {"whole": taken.whole, "inspections": each}


def _files_of(content: bytes) -> dict[str, bytes | Path]:
    """Return what a scanner is to look at: photos as they will be kept, and what will be set aside."""
    read = read_received(content, "inspections")
    photos: dict[str, bytes | Path] = {}
    for number, one in enumerate(read.inspections, 1):
        photos |= {f"{number} photo {name}": photo for name, photo in one.photos.items()}
    aside = {f"set aside {number}": part for number, (part, _) in enumerate(read.refused, 1)}
    return {**photos, **aside}
