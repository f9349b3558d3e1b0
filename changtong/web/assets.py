"""Style sheets, scripts, wording and what others make, under an address that changes with their content."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Response

from changtong.errors import NotFoundError
from changtong.web.base_map import land_geojson
from changtong.web.words import FILES, read_words
from changtong.wording import LANGUAGES

router = APIRouter(prefix="/assets", tags=["pages"])

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml", ".json": "application/json",
}  # fmt: skip
A_YEAR = "public, max-age=31536000, immutable"


@cache
def _contents() -> dict[str, bytes]:
    """Return every file a browser may ask for, by name."""
    found: dict[str, bytes] = {}
    vendor: Traversable = resources.files("changtong") / "web_vendor"
    for place, prefix in ((FILES, ""), (vendor, "vendor/")):
        if not place.is_dir():
            continue
        for file in place.iterdir():
            if "." + file.name.rpartition(".")[2] in MEDIA_TYPES:
                found[prefix + file.name] = file.read_bytes()
    for language in LANGUAGES:
        words = {key: both.said_in(language) for key, both in read_words().items()}
        found[f"words.{language}.js"] = f"export default {json.dumps(words, ensure_ascii=False)};".encode()
    found["land.json"] = json.dumps(land_geojson(), separators=(",", ":")).encode()
    return found


@cache
def version() -> str:
    """Return a digest over all of them: part of their addresses, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for name, content in sorted(_contents().items()):
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def content(name: str) -> bytes:
    """Return a file.

    Raises
    ------
    NotFoundError
    """
    found = _contents().get(name)
    if found is None:
        raise NotFoundError("There is no file of this name.")
    return found


@router.get("/{of_version}/{name:path}", include_in_schema=False)
def read_asset(of_version: str, name: str) -> Response:
    """Read a file; asked for nobody's sake, as the page for signing in needs them."""
    body = content(name)
    lasts = A_YEAR if of_version == version() else "no-store"
    kind = MEDIA_TYPES["." + name.rpartition(".")[2]]
    return Response(body, media_type=kind, headers={"Cache-Control": lasts})
