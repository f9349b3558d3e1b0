"""A server to try things on: small registers, the tiny network, a few people, a client without a socket."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from network_cases import TINY
from registers_cases import CHEAP, OWN, person, small_store

from changtong.api.app import make_app
from changtong.api.rates import Rate
from changtong.api.service import Service, open_service
from changtong.cli import _commands
from changtong.rights.scope import Scope
from changtong.storage import passwords

CLOSE_A = {"label": "A shut", "sites": ["A"]}
PEOPLE = {
    "duty-gd": ("spb-gd", ("duty_officer", Scope(region="440000"))),
    "other-gd": ("spb-gd", ("duty_officer", Scope(region="440000"))),
    "duty-bj": ("spb-bj", ("duty_officer", Scope(region="110000"))),
    "inspector-gd": ("spb-gd", ("inspector", Scope(region="440000"))),
    "looker-gd": ("spb-gd", ("viewer", Scope(region="440000"))),
    "duty-sd": ("sd", ("duty_officer", Scope("/sd/"))),
}
"""Duty officers of two provinces and of a firm, an inspector, and one who only looks."""


@dataclass
class Client:
    """A browser or a program that talks to the application itself; it keeps cookies as a browser does."""

    app: FastAPI
    host: str = "localhost"
    token: str = ""
    csrf: str = ""
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if self.csrf:
            headers.setdefault("X-CSRF-Token", self.csrf)

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            scheme = "http" if self.host == "localhost" else "https"
            base = f"{scheme}://{self.host}"
            async with httpx.AsyncClient(transport=transport, base_url=base, cookies=self.cookies) as client:
                answer = await client.request(method, path, headers=headers, **more)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def sign_in(self, user: str, password: str = OWN, **more: Any) -> httpx.Response:
        """Sign in as a page does."""
        self.csrf = ""
        answer = self("POST", "/api/v1/session", json={"user": user, "password": password, **more})
        self.csrf = answer.json().get("csrf_token", "")
        return answer

    def ended(self, run_id: str, within_s: float = 120.0) -> dict[str, Any]:
        """Return a run when it has ended."""
        until = time.monotonic() + within_s
        while True:
            run: dict[str, Any] = self("GET", f"/api/v1/runs/{run_id}").json()
            if run["ended_at"] or time.monotonic() > until:
                return run
            time.sleep(0.1)


def plan_request(**more: Any) -> dict[str, Any]:
    """Return a request for the plan of the tiny network, its site A shut."""
    return {"study": "plan", "inputs": {"network": "tiny", "outages": [CLOSE_A]}, **more}


def fill_folder(path: Path) -> dict[str, str]:
    """Make a data folder with the small registers and the tiny network; return a token for each person."""
    (path / "networks").mkdir(parents=True)
    shutil.copytree(TINY, path / "networks" / "tiny")
    passwords.hasher, kept = CHEAP, passwords.hasher
    try:
        store, admin = small_store(path / "registers.db", path / "registers.db.files")
        with store:
            return {
                name: person(store, admin, name, organisation, role)._token
                for name, (organisation, role) in PEOPLE.items()
            }
    finally:
        passwords.hasher = kept


@contextmanager
def served(path: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """Open a filled data folder; give the service and the tokens."""
    tokens = fill_folder(path)
    service = open_service(path, program=_commands("serve"))
    service.sign_ins = Rate(1_000, 1_000.0)
    service.requests = Rate(100_000, 100_000.0)
    try:
        yield service, tokens
    finally:
        service.close()


@pytest.fixture(scope="module")
def service_and_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """One server for a file of tests: the queue library is one in a process."""
    with served(tmp_path_factory.mktemp("served") / "data") as made:
        yield made


@pytest.fixture
def service(service_and_tokens: tuple[Service, dict[str, str]]) -> Service:
    return service_and_tokens[0]


@pytest.fixture
def tokens(service_and_tokens: tuple[Service, dict[str, str]]) -> dict[str, str]:
    return service_and_tokens[1]


@pytest.fixture(scope="module")
def app(service_and_tokens: tuple[Service, dict[str, str]]) -> FastAPI:
    return make_app(service_and_tokens[0])


@pytest.fixture
def browser(app: FastAPI) -> Client:
    """Somebody with a browser who is not signed in."""
    return Client(app)


@pytest.fixture
def duty(app: FastAPI, tokens: dict[str, str]) -> Client:
    """A program of the duty officer in Guangdong."""
    return Client(app, token=tokens["duty-gd"])


def events_of(text: str) -> list[tuple[str, int, dict[str, Any]]]:
    """Return the events of a stream: name, number, facts."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], int(lines["id"]), json.loads(lines["data"])))
    return found
