"""Which pages each role is offered, may open, or is refused; and nothing of another region in any answer."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import pytest
from api_cases import Client, plan_request, served
from fastapi import FastAPI
from register_api_cases import added
from registers_cases import OWN, cheap_hashes, hazard

from changtong import web
from changtong.api.service import Service
from changtong.rights.decide import Role
from changtong.rights.scope import Scope
from changtong.web.app import make_web_app

__all__ = ["cheap_hashes"]

REGION = Scope(region="440000")
WHO = {role.value: ("spb-gd", (role.value, REGION)) for role in Role}
WHO["duty-bj"] = ("spb-bj", ("duty_officer", Scope(region="110000")))

RUNS = "viewer duty_officer planner"
ALL = "viewer duty_officer planner inspector assessor administrator"
NAV = {
    "/": ALL,
    "/respond": ALL,
    "/areas/prepare": RUNS,
    "/areas/rural": RUNS,
    "/areas/safety": ALL,
    "/areas/people": ALL,
    "/areas/data": RUNS,
    "/runs": RUNS,
    "/administration": "administrator",
}
"""What the navigation offers, and to whom."""

OPEN = {
    **NAV,
    "/administration/users": "administrator",
    "/administration/organisations": "administrator",
    "/administration/audit": "administrator",
    "/administration/retention": "administrator",
    "/administration/backups": "administrator",
    "/account": ALL,
    "/password": ALL,
    "/studies/plan": RUNS,
    "/issued": ALL,
    "/registers": ALL,
    "/duty": ALL,
    "/registers/hazard": ALL,
    "/registers/inspection": "duty_officer planner inspector assessor",
    "/registers/mark": "assessor",
    "/register-load/hazard": "duty_officer inspector",
    "/register-new/hazard": "duty_officer inspector",
    "/register-new/site": "duty_officer planner",
    "/inspect": ALL,
    "/prepare": RUNS,
    "/prepare/drills": RUNS,
    "/rural": RUNS,
    "/carbon": RUNS,
    "/data": RUNS,
    "/assessment": ALL,
    "/tasks": ALL,
    "/cases": ALL,
    "/case-new": "duty_officer planner",
    "/scorecards": ALL,
    "/holds": "duty_officer planner inspector assessor administrator",
    "/hand-over": "duty_officer planner inspector",
    "/data-requests": "duty_officer inspector",
    "/data-request-new": "duty_officer inspector",
}
"""Which pages open for whom; all others are refused."""
ROUTES_OF_ONE = {
    "/issued/{plan_id}", "/runs/{run_id}", "/runs/{run_id}/page/{name:path}", "/inspect/{form_id}",
    "/registers/{kind}/{record_id}", "/data-requests/{record_id}", "/service-worker.js",
    "/cases/{record_id}", "/scorecards/{record_id}", "/scorecards/{record_id}/marks",
    "/assessment/{card}", "/assessment/{card}/{subject}", "/assessment/{card}/{subject}/notice",
}  # fmt: skip
"""Pages of one thing: what is not one's own is not there, see below."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api_cases.PEOPLE", WHO)
        with served(tmp_path_factory.mktemp("rights") / "data") as (service, tokens):
            yield service, tokens


@pytest.fixture(scope="module")
def app(place: tuple[Service, dict[str, str]]) -> FastAPI:
    return make_web_app(place[0])


def signed_in(app: FastAPI, name: str) -> Client:
    one = Client(app)
    assert one.sign_in(name, OWN).status_code == 201
    return one


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_each_role_is_offered_and_may_open_exactly_its_pages(app: FastAPI, role: str) -> None:
    one = signed_in(app, role)
    nav = re.search(r'<nav class="areas".*?</nav>', one("GET", "/").text, re.S)
    assert nav is not None
    offered = re.findall(r'href="([^"]+)"', nav.group())
    assert offered == [path for path, roles in NAV.items() if role in roles.split()]
    told = {}
    for path, roles in OPEN.items():
        answer = one("GET", path)
        if answer.status_code == 303:
            answer = one("GET", answer.headers["location"])
        told[path] = (answer.status_code == 200) == (role in roles.split())
        if answer.status_code != 200:
            assert answer.status_code in (403, 404), path
            assert answer.headers["x-request-id"] in answer.text, path  # a page that tells how to ask
            assert "<nav" not in answer.text, path
    assert [path for path, right in told.items() if not right] == []


def test_every_page_route_stands_in_the_table() -> None:
    modules = [import_module(f"changtong.web.{one.name}") for one in pkgutil.iter_modules(web.__path__)]
    routers = [module.router for module in modules if hasattr(module, "router")]
    patterns = {getattr(route, "path", "") for router in routers for route in router.routes}
    patterns -= {"/sign-in", "/assets/{of_version}/{name:path}", *ROUTES_OF_ONE}
    assert len(patterns) > 12
    known = {one: re.compile(re.sub(r"\{[^}]+\}", "[^/]+", one)) for one in patterns}
    assert [one for one in patterns if not any(known[one].fullmatch(path) for path in OPEN)] == []


def test_nobody_of_another_region_sees_a_trace(app: FastAPI, place: tuple[Service, dict[str, str]]) -> None:
    program = Client(app, token=place[1]["duty_officer"])
    record = added(program, "hazard", **hazard(title="滚筒没有护栏"))
    run = program("POST", "/api/v1/runs", json=plan_request()).json()
    assert program.ended(run["id"])["state"] == "done"
    asked = {"run_id": run["id"], "title": "A shut", "valid_from": "2026-06-01T16:00:00+08:00"}
    plan = program("POST", "/api/v1/issued-plans", json=asked)
    claim = {"kind": "pay", "firm": "spb-gd", "name": "王小明", "text": "滚筒没有护栏"}
    ticket = program("POST", "/api/v1/rights-tickets", json=claim)
    assert (plan.status_code, ticket.status_code) == (201, 201), plan.text + ticket.text
    paths = (
        f"/registers/hazard/{record['id']}", f"/runs/{run['id']}", f"/issued/{plan.json()['id']}",
        f"/registers/rights_ticket/{ticket.json()['ticket_id']}",
    )  # fmt: skip
    other, own = signed_in(app, "duty-bj"), signed_in(app, "duty_officer")
    for path in paths:
        answer = other("GET", path)
        assert answer.status_code in (403, 404), path
        for trace in ("滚筒没有护栏", "spb-gd", "440000", "A shut"):
            assert trace not in answer.text, path
    for path in paths:
        assert own("GET", path).status_code == 200, path
