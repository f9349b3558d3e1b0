"""Every operation of the API asked by Schemathesis: no fault, and refusals as they are described."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
import schemathesis
from api_cases import Client, app, plan_request, service, service_and_tokens, tokens
from fastapi import FastAPI
from how_many import examples
from registers_cases import ADMIN, OWN, WORDS, cheap_hashes

from changtong.api.service import Service
from changtong.rights.decide import Role
from changtong.rights.scope import Scope

__all__ = ["app", "cheap_hashes", "service", "service_and_tokens", "tokens"]

EXAMPLES = examples(40)
STREAMS = "/events"
LEFT_OUT = {("GET", "/api/v1/session"), ("DELETE", "/api/v1/session"), ("POST", "/api/v1/session/password")}
"""Where the asker would lose its own way in; the stories of sessions test them."""

WAITS = frozenset({"intake-behind", "in-the-making"})
"""Refusals of 503 that say when to ask again: not a fault."""


@pytest.fixture(scope="module")
def everything(service_and_tokens: tuple[Service, dict[str, str]]) -> dict[str, Any]:
    """Somebody with every role, and ids of things that are there: with others a handler goes no further."""
    service, tokens = service_and_tokens
    admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
    admin.add_user("all-roles", WORDS, "spb")
    for role in Role:
        admin.give("all-roles", role.value, Scope())
    service.store.desk(service.store.sign_in("all-roles", WORDS).token).change_password(WORDS, OWN)
    token = service.store.sign_in("all-roles", OWN).token
    from changtong.api.app import make_app

    duty = Client(make_app(service), token=token)
    run = duty("POST", "/api/v1/runs", json=plan_request()).json()["id"]
    assert duty.ended(run)["state"] == "done"
    assert duty("PUT", "/api/v1/logs/here", json={"alerts": {"on": False}}).status_code == 201
    hazard = {
        "title": "no guard",
        "found_at": "2026-06-01T08:00:00+08:00",
        "deadline": "2026-12-01T08:00:00Z",
    }
    record = duty("POST", "/api/v1/records/hazard", json={"records": [{"values": hazard}]})
    assert record.status_code == 201, record.text
    known = {
        "network_id": "tiny", "site_id": "A", "run_id": run, "log_id": "here", "name": "leg_flows.csv",
        "kind": "hazard", "record_id": record.json()["records"][0]["id"],
    }  # fmt: skip
    return {"token": token, "known": known}


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return sorted(
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if (method.upper(), path) not in LEFT_OUT and not path.endswith(STREAMS) or method == "post"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::hypothesis.errors.HypothesisDeprecationWarning"
)  # threads that use random
def test_no_request_is_answered_by_a_fault(app: FastAPI, everything: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    chosen, asked = set(operations(app)), set()
    wrong, statuses = list[str](), set[int]()
    assert len(chosen) > 120
    for found in schema.get_all_operations():
        operation = found.ok()
        which = (operation.method.upper(), operation.path)
        if which in chosen:
            asked.add(which)
            ask(operation, everything, wrong, statuses)
    assert asked == chosen
    assert wrong == []
    assert {200, 201, 404, 422} <= statuses


def ask(operation: Any, everything: dict[str, Any], wrong: list[str], statuses: set[int]) -> None:
    """Ask an operation some times, half of them about things that are there."""

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck), derandomize=True,
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(), real=hypothesis.strategies.booleans())
    def once(case: Any, real: bool) -> None:
        if real:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = everything["known"].get(name, case.path_parameters[name])
        answer = case.call(headers={"Authorization": f"Bearer {everything['token']}"}, timeout=60)
        statuses.add(answer.status_code)
        trouble = trouble_of(answer)
        if trouble:
            wrong.append(f"{operation.method.upper()} {operation.path}: {trouble}")

    once()


def trouble_of(answer: Any) -> str:
    """Return what is wrong with an answer, whatever was asked."""
    if answer.status_code < 400:
        return ""
    if answer.headers["content-type"][0] != "application/problem+json":
        return f"{answer.status_code} as {answer.headers['content-type']}"
    told = json.loads(answer.content)
    if answer.status_code >= 500 and told["code"] not in WAITS:
        return f"{answer.status_code} {told['code']}"
    if set(told) - {"current"} != {"type", "title", "status", "detail", "code", "problems", "request_id"}:
        return f"{answer.status_code} with {sorted(told)}"
    if answer.status_code == 422 and not told["problems"] and told["code"] != "key-reused":
        return f"422 {told['code']} without a problem"
    return ""
