"""Registers behind the API on either database, without the queue of runs: what tests of them ask."""

from __future__ import annotations

from copy import copy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from api_cases import Client
from fastapi import FastAPI
from registers_cases import person
from starlette.datastructures import State

from changtong.api.answers import plain_row
from changtong.api.app import make_app
from changtong.api.data_folder import DataFolder
from changtong.api.rates import Rate
from changtong.api.request_book import RequestBook
from changtong.api.request_log import Counts
from changtong.rights.scope import Scope
from changtong.storage.known_passes import KnownPasses
from changtong.storage.store import Desk, Store

GUANGDONG, BEIJING = Scope(region="440000"), Scope(region="110000")


@cache
def _with_routes() -> FastAPI:
    """An application of no service: its hundreds of routes take half a second to make."""
    none: Any = SimpleNamespace(counts=Counts())
    return make_app(none)


def app_of(store: Store, path: Path) -> FastAPI:
    """Return the application over registers that are open."""
    (path / "data").mkdir(exist_ok=True)
    folder = DataFolder(path / "data")
    app = copy(_with_routes())
    app.state = State({"open_routes": app.state.open_routes})
    app.state.service = SimpleNamespace(
        folder=folder, store=store, requests_done=RequestBook(folder.request_book),
        passes=KnownPasses(store.engine), intakes=Rate(100_000, 100_000.0),
        sign_ins=Rate(1_000, 1_000.0), requests=Rate(100_000, 100_000.0),
        scan=None,
    )  # fmt: skip
    return app


def client(app: FastAPI, desk: Desk) -> Client:
    """Return a program that works as the holder of a desk."""
    return Client(app, token=desk._token)


def officer(store: Store, admin: Desk, name: str, where: Scope = GUANGDONG, *, of: str = "spb-gd") -> Desk:
    """Return a duty officer who is an inspector as well."""
    return person(store, admin, name, of, ("duty_officer", where), ("inspector", where))


def added(ask: Client, kind: str, **values: Any) -> dict[str, Any]:
    """Add a record; return it."""
    answer = ask("POST", f"/api/v1/records/{kind}", json={"records": [{"values": plain_row(values)}]})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["records"][0]
    return made


def refused(answer: Any) -> tuple[int, str]:
    """Return status and code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
