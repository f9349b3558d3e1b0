"""Care of the registers over the API: audit, backups, keys, erasing what is due, searching and exporting."""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, Field
from starlette.background import BackgroundTask

from changtong.api.answers import Asked, Id, Reasoned, Word
from changtong.api.people import Asks, Caller, Serves
from changtong.api.service import Service
from changtong.errors import NotFoundError, UsageError
from changtong.privacy import key_file
from changtong.storage import erasure
from changtong.storage.audit import COLUMNS
from changtong.storage.audit_search import AuditQuery, audit_page
from changtong.storage.backup import Backup, make_backup, note_backup_use, read_backup
from changtong.storage.erasure_rules import ErasureRule, read_erasure_rules
from changtong.storage.export import export_all
from changtong.storage.personal_search import find_in_registers
from changtong.storage.record_tables import csv_of
from changtong.storage.rows import new_id, now
from changtong.storage.schema import from_ms

router = APIRouter(prefix="/api/v1", tags=["administration"])

STAMPED = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-z]{4}")
"""Names of backups and certificates: when they were made; never a path."""


MOST_ENTRIES = 10_000
Filter = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


class Rules(Asked):
    """Rules of erasure, and the instant for which they are applied."""

    rules: str = Field(max_length=200_000, description="TOML, a section for each register.")
    at: AwareDatetime | None = Field(default=None, description="Not ahead of now; now without it.")


class Second(Asked):
    """The second person who agrees, signing in beside the first."""

    user: Word = Field(min_length=1)
    password: str = Field(min_length=1, max_length=1000)
    code: str = Field(default="", max_length=64)


class Erase(Rules):
    """An erasure that two persons agree to."""

    second: Second


class Export(Reasoned):
    """Everything as open files."""

    format: Literal["csv", "jsonl"] = "csv"
    personal: bool = Field(default=False, description="With the columns that may hold personal data.")


@router.get("/audit/check")
def check_audit(
    asks: Asks,
    head: Annotated[str | None, Query(max_length=200, description="Noted earlier: must be there.")] = None,
    records: Annotated[
        bool, Query(description="Also that each record is as its last entry left it.")
    ] = False,
) -> dict[str, Any]:
    """Go through the audit from its begin; whatever was altered, put in, taken out or moved is named."""
    return asks.desk.verify_audit(head, with_records=records).to_json()


@router.get("/audit", response_model=None)
def list_audit(
    asks: Asks,
    actor: Filter = "",
    action: Filter = "",
    kind: Filter = "",
    record: Filter = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    after: Annotated[int, Query(ge=0, description="Number of the last entry that was told.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
    format: Literal["json", "csv"] = "json",
) -> dict[str, Any] | Response:
    """List entries of the audit that one may see, the newest first; `next` goes into `after`."""
    query = AuditQuery(actor, action, kind, record, since, until, after, limit)
    with asks.desk.work(writes=False) as work:
        entries = [
            {**entry, "at": from_ms(entry["at"]).isoformat(), "detail": json.loads(entry["detail"])}
            for entry in audit_page(work, query)
        ]
    following = entries[-1]["n"] if len(entries) == limit else None
    if format == "csv":
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        if following:
            headers["X-Next"] = str(following)
        return Response(csv_of(entries, COLUMNS), media_type="text/csv; charset=utf-8", headers=headers)
    return {"entries": entries, "next": following}


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{new_id()[-4:]}"


def _named(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted((one.stem for one in folder.iterdir() if STAMPED.fullmatch(one.stem)), reverse=True)


@router.get("/backups")
def list_backups(asks: Asks, serves: Serves) -> dict[str, Any]:
    """List the backups in the data folder, the newest first."""
    note_backup_use(asks.desk, "list")
    return {"backups": _named(serves.folder.backups)}


@router.post("/backups", status_code=201)
def add_backup(asks: Asks, serves: Serves) -> dict[str, Any]:
    """Copy the registers and their files into the data folder, of one instant, while others go on working."""
    name = _stamp()
    return _facts(name, make_backup(serves.store, asks.desk, serves.folder.backups / name))


def _facts(name: str, found: Backup) -> dict[str, Any]:
    return {
        "id": name, "version": found.version, "head": found.head, "made_at": found.made_at,
        "rows": found.rows, "files": found.files,
    }  # fmt: skip


def _backup_folder(serves: Service, name: str) -> Path:
    if name not in _named(serves.folder.backups):
        raise NotFoundError("There is no backup of this id.")
    return serves.folder.backups / name


@router.get("/backups/{name}")
def check_backup(asks: Asks, serves: Serves, name: Id) -> dict[str, Any]:
    """Compare every file of a backup with its digest, and tell what it holds."""
    note_backup_use(asks.desk, "verify", name)
    return _facts(name, read_backup(_backup_folder(serves, name)))


@router.get("/backups/{name}/content")
def download_backup(asks: Asks, serves: Serves, name: Id) -> FileResponse:
    """Download a backup as a ZIP: keep it as the registers themselves. `registers restore` takes it."""
    note_backup_use(asks.desk, "download", name)
    return _zipped(_backup_folder(serves, name), serves, f"{name}.zip")


def _zipped(folder: Path, serves: Service, name: str) -> FileResponse:
    """Return a folder as one file, which is removed when it was sent."""
    serves.folder.backups.mkdir(mode=0o700, exist_ok=True)
    handle, place = tempfile.mkstemp(prefix=".", suffix=".part", dir=serves.folder.backups)
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    packed.write(path, f"{Path(name).stem}/{path.relative_to(folder)}")
    except BaseException:
        Path(place).unlink(missing_ok=True)
        raise
    gone = BackgroundTask(Path(place).unlink, missing_ok=True)
    return FileResponse(place, media_type="application/zip", filename=name, background=gone)


@router.post("/exports", status_code=201)
def export(asks: Asks, serves: Serves, asked: Export) -> FileResponse:
    """Write everything as CSV or JSON lines with a schema, in a ZIP; no hashes, secrets or tokens."""
    name = f"registers-{_stamp()}"
    with tempfile.TemporaryDirectory(prefix="changtong-export-") as place:
        folder = Path(place) / name
        export_all(
            serves.store, asks.desk, folder, asked.reason, format=asked.format, personal=asked.personal
        )
        return _zipped(folder, serves, f"{name}.zip")


@router.post("/personal-data/search")
def search_personal_data(
    asks: Asks, serves: Serves, least: Annotated[Literal["low", "medium", "high"], Query()] = "medium"
) -> dict[str, Any]:
    """Find personal data in columns not declared personal and in attachments, masked."""
    return find_in_registers(serves.store, asks.desk, least=least).to_json()


@router.post("/sweeps")
def sweep(asks: Asks) -> dict[str, Any]:
    """Overwrite and remove the files that a crash has left without an attachment."""
    return {"files": asks.desk.sweep()}


@router.get("/keys")
def list_keys(asks: Asks, serves: Serves) -> dict[str, Any]:
    """List the keys that seal certificates: names, states, days; never the keys themselves."""
    erasure.note_erasure_care(asks.desk)
    if not serves.folder.seal_keys.exists():
        return {"keys": []}
    return {"keys": _key_facts(key_file.read_keys(serves.folder.seal_keys))}


def _key_facts(keys: key_file.FieldKeys) -> list[dict[str, str]]:
    return [{"name": one.name, "state": one.state, "made_at": one.made_at} for one in keys.keys]


@router.post("/keys", status_code=201)
def add_key(asks: Asks, serves: Serves) -> dict[str, Any]:
    """Make a key; the one before is retired, and what it sealed can still be checked."""
    erasure.note_erasure_care(asks.desk, "new key")
    place = serves.folder.seal_keys
    made = key_file.rotate_keys(place) if place.exists() else key_file.new_keys(place)
    return {"keys": _key_facts(made)}


def _rules_of(asked: Rules) -> tuple[dict[str, ErasureRule], datetime]:
    with tempfile.TemporaryDirectory(prefix="changtong-rules-") as place:
        file = Path(place) / "rules.toml"
        file.write_text(asked.rules, "utf-8")
        # a clock a little ahead of ours is no reason to refuse now
        return read_erasure_rules(file), asked.at or now() - timedelta(milliseconds=1)


@router.post("/erasures/due")
def list_due(asks: Asks, serves: Serves, asked: Rules) -> dict[str, Any]:
    """Tell what would be erased and what holds the rest; nothing is changed, the look is on record."""
    known, at = _rules_of(asked)
    return erasure.try_erasure(serves.store, asks.desk, known, at).to_json()


@router.get("/erasures")
def list_erasures(asks: Asks, serves: Serves) -> dict[str, Any]:
    """List the certificates of erasures, the newest first."""
    erasure.note_erasure_care(asks.desk)
    return {"erasures": _named(serves.folder.path / "erasures")}


@router.get("/erasures/{name}")
def read_erasure(asks: Asks, serves: Serves, name: Id) -> dict[str, Any]:
    """Read the certificate of an erasure, after its seal was checked."""
    erasure.note_erasure_care(asks.desk)
    if name not in _named(serves.folder.path / "erasures"):
        raise NotFoundError("There is no erasure of this id.")
    found = erasure.read_erasure_certificate(serves.folder.path / "erasures" / f"{name}.json")
    erasure.check_erasure(found, key_file.read_keys(serves.folder.seal_keys))
    return found.to_json()


@router.post("/erasures", status_code=201)
def erase(asks: Asks, serves: Serves, asked: Erase) -> dict[str, Any]:
    """Erase what is due, two persons agreeing: the second signs in within the request, and out again.

    Sent again after a crash it ends what was begun.
    """
    known, at = _rules_of(asked)
    erasure.note_erasure_care(asks.desk)
    if not serves.folder.seal_keys.exists():
        raise UsageError(
            "There is no key to seal the certificate: POST /api/v1/keys makes one.", "no-seal-key"
        )
    keys = key_file.read_keys(serves.folder.seal_keys)
    folder, name = serves.folder.path / "erasures", _stamp()
    folder.mkdir(mode=0o700, exist_ok=True)
    made = _with_second(
        asks, serves, asked.second,
        lambda other: erasure.erase(serves.store, asks.desk, other, known, at, keys, folder / f"{name}.json"),
    )  # fmt: skip
    facts: dict[str, Any] = made.to_json()
    return {"id": name, **facts}


def _with_second(asks: Caller, serves: Service, second: Second, do: Any) -> Any:
    serves.sign_ins.take(asks.person.user_id)
    session = serves.store.sign_in(second.user, second.password, second.code)
    other = serves.store.desk(session.token)
    try:
        return do(other)
    finally:
        other.sign_out()
