"""What answers of registers have in common: records, versions as ETags, requests done once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any

import polars as pl
from fastapi import Header, Path, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from changtong.api.people import Caller
from changtong.api.problems import ChangedError, VersionMissingError
from changtong.api.service import Service
from changtong.errors import ChangtongError, ConflictError
from changtong.storage.records import Record

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_ID = r"^[A-Za-z0-9._-]{1,64}$"
RecordId = Annotated[str, Path(pattern=_ID, description="Id of the record.")]
KindName = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", description="Register: `GET /api/v1/records`.")]
Id = Annotated[str, StringConstraints(pattern=_ID)]
Word = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Words = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Key = Annotated[
    str,
    Header(
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="The same request with the same key: done once.",
    ),
]
IfMatch = Annotated[str, Header(max_length=100, description="The ETag of what was read.")]
IfNoneMatch = Annotated[str, Header(max_length=1000)]
At = Annotated[
    AwareDatetime | None, Field(default=None, description="When it happened, with its zone; now without it.")
]


def _writable(values: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON can say and no register can hold."""
    try:
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("It is nested too deeply") from None
    return values


Values = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Any],
    Field(max_length=200, description="Column -> value; instants with their zone."),
    AfterValidator(_writable),
]


class Asked(BaseModel):
    """What is asked for: nothing that is not known."""

    model_config = ConfigDict(extra="forbid")


class Reasoned(Asked):
    """A reason, which is kept in the audit."""

    reason: Words = Field(min_length=1, description="Why; no names of persons.")


def facts_of(record: Record) -> dict[str, Any]:
    """Return a record as the API tells it: personal data masked, `hidden` says which columns."""
    return {
        "kind": record.kind, "id": record.id, "organisation": record.organisation,
        "admin_code": record.admin_code, "version": record.version,
        "created_at": record.created_at.isoformat(), "created_by": record.created_by,
        "updated_at": record.updated_at.isoformat(), "updated_by": record.updated_by,
        "values": {name: plain(value) for name, value in record.values.items()},
        "hidden": list(record.hidden),
    }  # fmt: skip


def plain(value: Any) -> Any:
    """Return a value as JSON has it: instants and days in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime | date) else value


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: plain(value) for name, value in row.items()}


def plain_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON has them."""
    return [plain_row(row) for row in frame.to_dicts()]


def tag_of(version: int) -> str:
    """Return the ETag of a version."""
    return f'"{version}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Return whether who asks has it already."""
    return tag in [one.strip() for one in if_none_match.split(",")]


def version_of(if_match: str) -> int:
    """Return the version that was read, as If-Match tells it.

    Raises
    ------
    VersionMissingError
        ``precondition-missing``: there is none, or one that names no version.
    """
    found = re.fullmatch(r'"(\d{1,15})"', if_match.strip())
    if found is None:
        raise VersionMissingError
    return int(found[1])


def changed_with(change: Callable[[], Record]) -> Record:
    """Change a record; where it was changed since, tell what is there now.

    Raises
    ------
    ChangedError
        ``precondition-failed``.
    """
    try:
        return change()
    except ConflictError as error:
        now = facts_of(error.current) if isinstance(error.current, Record) else None
        raise ChangedError(str(error), now) from None


def with_tag(response: Response, record: Record) -> dict[str, Any]:
    """Return a record, its version as the answer's ETag."""
    response.headers["ETag"] = tag_of(record.version)
    return facts_of(record)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


class Once:
    """A request that is done once, however often it is sent with its key.

    Parameters
    ----------
    asks : Caller
    serves : Service
    key : str
        The Idempotency-Key; empty: each time it is sent it is done.
    asked : object
        All that it asks for, the path among it.

    Attributes
    ----------
    was_begun : bool
        Whether a server died over it: what it was to add may be there.
    """

    def __init__(self, asks: Caller, serves: Service, key: str, *asked: Any) -> None:
        self._book, self._user, self._key = serves.requests_done, asks.person.user_id, key
        shown = [one.model_dump(mode="json") if isinstance(one, BaseModel) else one for one in asked]
        text = json.dumps(shown, sort_keys=True, ensure_ascii=False)
        self._digest = hashlib.sha256(f"{self._user}\n{key}\n{text}".encode()).hexdigest()
        self.was_begun = False

    def id(self, number: int = 0) -> str | None:
        """Return an id for what is added, the same each time: it is there once. None without a key."""
        if not self._key:
            return None
        return "k" + hashlib.sha256(f"{self._user}\n{self._key}\n{number}".encode()).hexdigest()[:25]

    def answer(
        self, do: Callable[[], Any], status: int = 201, headers: Callable[[Any], dict[str, str]] | None = None
    ) -> JSONResponse:
        """Do it and keep what was answered, or answer as before.

        Raises
        ------
        UsageError
            ``key-reused``, ``key-in-use``.
        """
        if not self._key:
            made = do()
            return JSONResponse(made, status, {} if headers is None else headers(made))
        kept = self._book.begin(self._user, self._key, self._digest)
        if kept.status is not None:
            return JSONResponse(
                kept.answer, kept.status, {**(kept.headers or {}), "Idempotent-Replay": "true"}
            )
        self.was_begun = kept.was_begun
        try:
            made = do()
            more = {} if headers is None else headers(made)
        except ChangtongError:
            self._book.forget(self._user, self._key)
            raise
        except BaseException:
            self._book.leave(self._user, self._key)
            raise
        self._book.end(self._user, self._key, status, made, more)
        return JSONResponse(made, status, more)
