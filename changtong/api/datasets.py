"""Data sets over the API: what studies are of, uploaded, checked, listed, read and removed."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from changtong.api.dataset_book import Dataset
from changtong.api.dataset_desk import Owner
from changtong.api.dataset_kinds import KINDS, MOST_FILES, Kind
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError
from changtong.api.runs import FILE_POLICY
from changtong.api.service import Service
from changtong.api.upload import Given, Kept, keep_files
from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.rights.decide import Target

router = APIRouter(prefix="/api/v1/datasets", tags=["data sets"])

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["kind", "id", "files"],
                    "properties": {
                        "kind": {"type": "string", "enum": list(KINDS)},
                        "id": {"type": "string", "maxLength": 64},
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            }
        },
    }
}
"""The form is read in the route, after the gate: nobody makes the server read a large body who may not."""


class Sample(BaseModel):
    """Which sample."""

    model_config = ConfigDict(extra="forbid")
    level: Literal["city", "county"] = "city"


class Result(BaseModel):
    """A result that is to be kept as a data set."""

    model_config = ConfigDict(extra="forbid")
    kind: str = Field(min_length=1, max_length=64)
    id: str = Field(min_length=1, max_length=64)
    run: str = Field(min_length=1, max_length=64)


@router.get("/kinds")
def list_kinds(asks: Asks) -> dict[str, Any]:
    """List the kinds of data sets, and the names of files that belong to each."""
    return {"kinds": [kind.described() for kind in KINDS.values()]}


@router.get("")
def list_datasets(
    asks: Asks,
    serves: Serves,
    kind: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str, Query(max_length=150, pattern=r"^[A-Za-z0-9._/-]*$")] = "",
) -> dict[str, Any]:
    """List the data sets that the caller may see, by kind and id; `next` goes into `after`.

    Of networks and scan logs also those that were put into the data folder by hand: they are everybody's.
    """
    before, _, last = after.partition("/")
    if kind in ("network", "log"):
        ids = [name for name in serves.places.ids(kind, asks.sees_of) if name > last] if asks.sees() else []
        owned = {one.id: one.described() for one in serves.datasets.all_of(kind)}
        told = [owned.get(name, {"kind": kind, "id": name}) for name in ids[:limit]]
        return {"datasets": told, "next": f"{kind}/{ids[limit - 1]}" if len(ids) > limit else None}
    found, more = serves.datasets.page(asks.sees(), kind, limit, (before, last))
    following = f"{found[-1].kind}/{found[-1].id}" if more else None
    return {"datasets": [one.described() for one in found], "next": following}


@router.post("", status_code=201, openapi_extra=BODY)
async def upload(request: Request, asks: Asks, serves: Serves, response: Response) -> dict[str, Any]:
    """Upload a data set: kind, id, and files or one ZIP archive; its reader tells all that is wrong."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UsageError("A data set is sent as multipart/form-data: kind, id, files.", "bad-upload")
    await run_in_threadpool(_must_add, asks)
    async with request.form(max_files=MOST_FILES, max_fields=10) as form:
        given = [
            Given(one.filename or "", one.file)
            for one in form.getlist("files")
            if isinstance(one, UploadFile)
        ]
        named = {name: str(form.get(name, "")) for name in ("kind", "id")}
        return await run_in_threadpool(_uploaded, asks, serves, response, named, given)


def _uploaded(
    asks: Caller, serves: Service, response: Response, named: dict[str, str], given: list[Given]
) -> dict[str, Any]:
    missing = [name for name, value in named.items() if not value]
    if missing:
        raise InputError([Problem("missing-value", "This is needed.", column=name) for name in missing])

    def write(kind: Kind, folder: Path) -> Kept:
        kept = keep_files(kind, given, folder)
        if serves.scan is not None:  # what was in an archive is looked at as it is kept
            serves.scan.check({name: folder / name for name in kept.files})
        return kept

    made = serves.dataset_desk.keep(named["kind"], named["id"], _owner(asks), write)
    return _added(asks, response, made)


@router.post("/from-run", status_code=201)
def keep_result(asks: Asks, serves: Serves, response: Response, asked: Result) -> dict[str, Any]:
    """Keep the result of a run as a data set: a network that was learned, a county that was made, …"""
    _must_add(asks)
    run = serves.book.get(asked.run)
    asks.must_see(run.path, run.admin_code)
    made = serves.dataset_desk.keep_result(asked.kind, asked.id, _owner(asks), asked.run)
    return _added(asks, response, made)


@router.post("/sample", status_code=201)
def add_samples(asks: Asks, serves: Serves, asked: Sample) -> dict[str, Any]:
    """Make sample data for one's organisation: the built-in network and a county; those made stay."""
    _must_add(asks)
    made = serves.dataset_desk.add_samples(asked.level, _owner(asks))
    with asks.desk.work(writes=True) as work:
        for one in made:
            work.note("add", _target(one), f"{one.kind}/{one.id}", {"sample": True})
    return {"datasets": [one.described() for one in made]}


@router.delete("/sample")
def remove_samples(asks: Asks, serves: Serves) -> dict[str, Any]:
    """Remove all sample data of one's organisation; runs and their results stay."""
    _must_add(asks)
    gone: list[Dataset] = []
    try:
        for one in serves.dataset_desk.samples_of(_owner(asks)):
            serves.dataset_desk.remove(one)
            gone.append(one)
    finally:  # one that is in use stays, and those that went are on record
        with asks.desk.work(writes=True) as work:
            for one in gone:
                work.note("delete", _target(one), f"{one.kind}/{one.id}", {"sample": True})
    return {"removed": [f"{one.kind}/{one.id}" for one in gone]}


@router.get("/{kind}/{dataset_id}", response_model=None)
def read_dataset(
    asks: Asks,
    serves: Serves,
    response: Response,
    kind: str,
    dataset_id: str,
    if_none_match: Annotated[str, Header()] = "",
) -> dict[str, Any] | Response:
    """Read what a data set is: files, sizes, digest, who and when."""
    one = _seen(asks, serves, kind, dataset_id)
    if _tag(one) in [tag.strip() for tag in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": _tag(one)})
    response.headers["ETag"] = _tag(one)
    return one.described()


@router.get("/{kind}/{dataset_id}/files/{name:path}")
def read_file(asks: Asks, serves: Serves, kind: str, dataset_id: str, name: str) -> FileResponse:
    """Read a file of a data set: one of those that it tells of, and no other."""
    one = _seen(asks, serves, kind, dataset_id)
    path = serves.folder.dataset(kind, dataset_id) / name
    if name not in one.files or path.is_symlink() or not path.is_file():
        raise NotFoundError("This data set has no file of this name.")
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Content-Security-Policy": FILE_POLICY}
    return FileResponse(path, media_type=media_type, filename=path.name, headers=headers)


@router.delete("/{kind}/{dataset_id}", status_code=204)
def remove_dataset(
    asks: Asks, serves: Serves, kind: str, dataset_id: str, if_match: Annotated[str, Header()] = ""
) -> Response:
    """Remove a data set, as it was read: one's own, or of where one may change runs."""
    one = _seen(asks, serves, kind, dataset_id)
    if not if_match:
        raise UsageError("Say which you read: If-Match with its ETag.", "precondition-missing")
    if if_match != _tag(one):
        raise ChangedError
    with asks.desk.work(writes=True) as work:
        if one.user != work.person.user_id:
            work.allow("change", Target("run", one.path, one.admin_code), f"{kind}/{dataset_id}")
        serves.dataset_desk.remove(one)
        work.note("delete", _target(one), f"{kind}/{dataset_id}", {"digest": one.digest})
    return Response(status_code=204)


def _must_add(asks: Caller) -> None:
    """Go on only for those who may ask for runs: they may add what runs are of."""
    with asks.desk.work(writes=False) as work:
        work.allow("add", asks.own)


def _added(asks: Caller, response: Response, made: Dataset) -> dict[str, Any]:
    with asks.desk.work(writes=True) as work:
        work.note("add", _target(made), f"{made.kind}/{made.id}", {"digest": made.digest})
    response.headers["Location"] = f"/api/v1/datasets/{made.kind}/{made.id}"
    response.headers["ETag"] = _tag(made)
    return made.described()


def _seen(asks: Caller, serves: Service, kind: str, dataset_id: str) -> Dataset:
    """Return a data set that the caller may see; any other is not there."""
    one = serves.datasets.get(kind, dataset_id)
    if not asks.sees_of(one.path, one.admin_code):
        raise NotFoundError("There is no data set of this id.")
    return one


def _owner(asks: Caller) -> Owner:
    return Owner(asks.person.user_id, asks.person.path, asks.person.admin_code)


def _target(one: Dataset) -> Target:
    return Target("dataset", one.path, one.admin_code)


def _tag(one: Dataset) -> str:
    return f'"{one.digest[:32]}"'
