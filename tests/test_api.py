"""The doors of the API: who is let in, what is refused and how, what answers carry; no analysis."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest
from api_cases import Client, app, browser, duty, plan_request, service, service_and_tokens, tokens
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from registers_cases import OWN, cheap_hashes

from changtong.api.people import OPEN_ROUTES
from changtong.api.problems import TooManyRequestsError
from changtong.api.rates import Rate
from changtong.api.routing import Headed
from changtong.api.service import Service

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]


def code_of(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, answer.json()["code"]


def routes(app: FastAPI) -> list[tuple[str, str]]:
    found = [
        (method, path)
        for path, methods in app.openapi()["paths"].items()
        for method in (name.upper() for name in methods)
    ]
    assert len(found) > 12
    return found


def test_every_route_asks_for_a_person_but_three(app: FastAPI, browser: Client) -> None:
    for method, path in routes(app):
        answer = browser(method, re.sub(r"\{[^}]*\}", "x", path), json={})
        if (method, path) in OPEN_ROUTES:
            assert answer.status_code in (200, 422), path
        else:
            assert code_of(answer) == (401, "session-over"), path
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_route_that_nobody_has_thought_of_asks_for_a_person_too(app: FastAPI, browser: Client) -> None:
    app.add_api_route("/api/v1/fresh", lambda: {"open": True})
    assert code_of(browser("GET", "/api/v1/fresh")) == (401, "session-over")


def test_routes_passed_by_for_their_beginning_fit_none_of_their_paths() -> None:
    router = APIRouter(prefix="/api/v1/things")
    router.add_api_route("/{thing_id}/parts", lambda thing_id: {"id": thing_id})
    router.add_api_route("", lambda: {"all": True}, methods=["PUT"])
    other = APIRouter()
    other.add_api_route("/{anything}", lambda anything: {"other": anything})
    app = FastAPI()
    for one in (router, other):
        app.include_router(Headed(one))
    assert Headed(router).heads == ("/api/v1/things", "/api/v1/things/")
    client = Client(app)
    assert client("GET", "/api/v1/things/7/parts").json() == {"id": "7"}
    assert client("PUT", "/api/v1/things").json() == {"all": True}
    assert client("GET", "/api/v1/things").status_code == 405
    assert client("GET", "/api/v1/thin").status_code == 404
    assert client("GET", "/thin").json() == {"other": "thin"}


def test_no_route_stands_before_the_gate(app: FastAPI) -> None:
    assert [route for route in app.routes if type(route).__name__ == "Route"] == []
    assert {("GET", "/api/v1/openapi.json"), ("POST", "/api/v1/runs")} <= set(routes(app))
    assert not any(isinstance(route, APIRoute) and not route.include_in_schema for route in app.routes)


def test_a_token_that_is_none_lets_nobody_in(app: FastAPI) -> None:
    for token in ("x", "x" * 5000, "é"):
        answer = Client(app)("GET", "/api/v1/runs", headers={"Authorization": f"Bearer {token}".encode()})
        assert code_of(answer) == (401, "session-over")


def test_a_cookie_is_out_of_reach_of_scripts_and_of_other_sites(app: FastAPI) -> None:
    here, there = Client(app), Client(app, host="post.example")
    flags = here.sign_in("duty-gd").headers["set-cookie"]
    assert flags.startswith("changtong=")
    assert "HttpOnly" in flags
    assert "SameSite=strict" in flags
    assert "Secure" not in flags
    flags = there.sign_in("duty-gd").headers["set-cookie"]
    assert flags.startswith("__Host-changtong=")
    assert "Secure" in flags
    assert "HttpOnly" in flags
    assert "Path=/" in flags
    assert there("GET", "/api/v1/session").json()["roles"][0]["role"] == "duty_officer"


def test_each_sign_in_has_a_session_of_its_own_and_ends_the_one_before(app: FastAPI, browser: Client) -> None:
    browser.cookies.set("changtong", "chosen-by-somebody-else", "localhost.local")
    browser.sign_in("duty-gd")
    first = browser.cookies["changtong"]
    assert first != "chosen-by-somebody-else"
    browser.sign_in("duty-gd")
    assert browser.cookies["changtong"] != first
    assert code_of(Client(app, token=first)("GET", "/api/v1/session")) == (401, "session-over")


def test_signing_out_ends_the_session_on_the_server(app: FastAPI, browser: Client) -> None:
    browser.sign_in("duty-gd")
    kept = browser.cookies["changtong"]
    assert browser("DELETE", "/api/v1/session").status_code == 204
    assert "changtong" not in browser.cookies
    assert code_of(Client(app, token=kept)("GET", "/api/v1/session")) == (401, "session-over")


def test_a_wrong_password_and_an_unknown_name_are_told_alike(browser: Client) -> None:
    told = [browser.sign_in(name, "not this one at all") for name in ("duty-bj", "nobody-of-this-name")]
    assert [code_of(answer) for answer in told] == [(401, "sign-in-failed")] * 2
    assert told[0].json()["detail"] == told[1].json()["detail"]
    assert "set-cookie" not in told[0].headers


def test_a_second_factor_is_asked_for(service: Service, browser: Client) -> None:
    session = service.store.sign_in("looker-gd", OWN)
    desk = service.store.desk(session.token)
    made = desk.begin_second_factor()
    clock = pyotp.TOTP(made.secret)
    desk.confirm_second_factor(clock.now())
    assert code_of(browser.sign_in("looker-gd")) == (401, "second-factor-needed")
    assert code_of(browser.sign_in("looker-gd", code="000000")) == (401, "sign-in-failed")
    assert browser.sign_in("looker-gd", code=made.recovery[0]).status_code == 201


def test_what_changes_something_needs_more_than_a_cookie(app: FastAPI, browser: Client, duty: Client) -> None:
    browser.sign_in("duty-gd")
    ours, browser.csrf = browser.csrf, ""
    for given in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": ours[:-1]}):
        answer = browser("POST", "/api/v1/runs", json={}, headers=given)
        assert code_of(answer) == (403, "csrf-missing")
        assert code_of(browser("DELETE", "/api/v1/session", headers=given)) == (403, "csrf-missing")
    assert browser("GET", "/api/v1/session").json()["csrf_token"] == ours
    assert code_of(browser("POST", "/api/v1/runs", json={}, headers={"X-CSRF-Token": ours}))[0] == 422
    assert code_of(duty("POST", "/api/v1/runs", json={}))[0] == 422  # a token is sent by nobody's page


def test_another_sites_page_signs_nobody_in(browser: Client) -> None:
    asked = {"user": "duty-gd", "password": OWN}
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = browser("POST", "/api/v1/session", json=asked, headers=headers)
        assert code_of(answer) == (403, "csrf-missing")
        assert "set-cookie" not in answer.headers
    same = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert browser("POST", "/api/v1/session", json=asked, headers=same).status_code == 201


def test_a_bucket_fills_again_with_time() -> None:
    at = [0.0]
    rate = Rate(2, 0.5, clock=lambda: at[0])
    rate.take("a")
    rate.take("a")
    with pytest.raises(TooManyRequestsError) as caught:
        rate.take("a")
    assert caught.value.wait_s == 2
    rate.take("b")  # another's is not touched
    at[0] = 2.0
    rate.take("a")
    with pytest.raises(TooManyRequestsError):
        rate.take("a")


def test_guessing_and_flooding_are_slowed_down(
    service: Service, browser: Client, duty: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "sign_ins", Rate(3, 0.01))
    monkeypatch.setattr(service, "requests", Rate(2, 0.01))
    for k in range(3):
        assert code_of(browser.sign_in(f"guess-{k}"))[0] == 401
    answer = browser.sign_in("duty-gd")
    assert code_of(answer) == (429, "too-many-requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 100
    statuses = [duty("GET", "/api/v1/studies").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_every_kind_of_answer_carries_the_headers(
    service: Service, duty: Client, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.folder.__class__, "networks", lambda self: 1 / 0)
    answers = {
        200: duty("GET", "/api/v1/studies"),
        401: browser("GET", "/api/v1/studies"),
        404: duty("GET", "/api/v1/runs/none"),
        405: duty("PUT", "/api/v1/runs"),
        413: duty("POST", "/api/v1/runs", content=b" " * 1_000_001),
        422: duty("POST", "/api/v1/runs", json={}),
        500: duty("GET", "/api/v1/networks"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(duty: Client, browser: Client) -> None:
    async def comes() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    assert code_of(duty("POST", "/api/v1/runs", content=b" " * 2_000_000)) == (413, "too-large")
    assert code_of(duty("POST", "/api/v1/runs", content=comes())) == (413, "too-large")
    assert code_of(browser("POST", "/api/v1/session", content=comes())) == (413, "too-large")


def test_a_fault_tells_an_id_and_the_log_nothing_that_was_entered(
    service: Service, duty: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(run_id: str) -> None:
        raise RuntimeError("Li Wei 13800138000")

    monkeypatch.setattr(service.book, "get", fails)
    with caplog.at_level(logging.INFO, "changtong.api"):
        answer = duty("GET", "/api/v1/runs/secret-name", headers={"X-Forwarded-For": "203.0.113.9"})
    assert code_of(answer) == (500, "internal")
    request_id = answer.json()["request_id"]
    assert "RuntimeError" not in answer.text
    assert answer.json()["title"].startswith("软件故障")
    facts = [record.facts for record in caplog.records if record.name == "changtong.api"]  # type: ignore[attr-defined]
    assert [one["request_id"] for one in facts] == [request_id] * 2
    assert facts[0]["error"] == "RuntimeError"
    assert facts[1]["path"] == "/api/v1/runs/{run_id}"
    assert facts[1]["status"] == 500
    told = json.dumps(facts)
    assert not [word for word in ("138001", "Li Wei", "secret-name", "203.0", "duty-gd") if word in told]


def test_all_that_is_wrong_with_a_body_is_told_at_once_without_the_values(duty: Client) -> None:
    asked = {"study": 5, "inputs": "x", "more": "Li Wei", "language": "fr"}
    answer = duty("POST", "/api/v1/runs", json=asked)
    assert code_of(answer) == (422, "bad-input")
    found = {(one["code"], one["column"]) for one in answer.json()["problems"]}
    assert found == {
        ("wrong-type", "study"),
        ("wrong-type", "inputs"),
        ("unknown-column", "more"),
        ("wrong-type", "language"),
    }
    assert "Li Wei" not in answer.text
    broken = duty("POST", "/api/v1/runs", content=b"{", headers={"Content-Type": "application/json"})
    assert code_of(broken) == (400, "bad-json")


def test_what_is_not_there_is_a_problem_too(duty: Client) -> None:
    assert code_of(duty("GET", "/nothing")) == (404, "not-found")
    assert code_of(duty("PUT", "/api/v1/runs")) == (405, "wrong-method")
    assert code_of(duty("GET", "/api/v1/runs?limit=0")) == (422, "bad-input")


def test_titles_are_in_the_language_of_the_request_and_details_stay(duty: Client) -> None:
    asked = {"study": 5, "inputs": {"network": "tiny"}}
    told = {}
    for language in ("zh-CN,zh;q=0.9,en;q=0.5", "en", "fr", ""):
        answer = duty("POST", "/api/v1/runs", json=asked, headers={"Accept-Language": language})
        assert code_of(answer) == (422, "bad-input")
        assert answer.headers["vary"] == "Accept-Language"
        told[language[:2]] = answer.json()
    assert told["zh"]["title"] == told["fr"]["title"] == told[""]["title"] == "输入有误。请逐条更正所列问题。"
    assert told["en"]["title"] == "The input has problems. Correct each one listed."
    assert [one["title"] for one in told["zh"]["problems"]] == ["值的类型不对。请按要求的类型填写。"]
    assert [one["title"] for one in told["en"]["problems"]] == [
        "A value is not of its type. Write it as expected."
    ]
    assert told["zh"]["detail"] == told["en"]["detail"]
    assert told["zh"]["problems"][0]["message"] == told["en"]["problems"][0]["message"]
    assert told["zh"]["type"] == told["en"]["type"] == "urn:changtong:error:bad-input"


def test_health_readiness_and_metrics(
    service: Service, browser: Client, duty: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert browser("GET", "/healthz").json() == {"state": "alive"}
    assert browser("GET", "/readyz").json() == {"state": "ready", "troubles": []}
    duty("GET", "/api/v1/runs/none")
    told = duty("GET", "/metrics").text
    line = 'changtong_requests_total{method="GET",path="/api/v1/runs/{run_id}",status="404"}'
    assert line in told
    service.stopping.set()
    try:
        answer = browser("GET", "/readyz")
    finally:
        service.stopping.clear()
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["stopping"])


def test_the_description_is_data_and_loads_nothing(duty: Client) -> None:
    answer = duty("GET", "/api/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["openapi"].startswith("3.")
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert (operation.get("security") == []) is ((method.upper(), path) in OPEN_ROUTES)
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in answer.text
    assert set(told["components"]["securitySchemes"]) == {"token", "session"}
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    for page in ("/docs", "/redoc", "/openapi.json"):
        assert duty("GET", page).status_code == 404


def test_a_first_password_has_to_be_changed_first(service: Service, app: FastAPI) -> None:
    from registers_cases import ADMIN, WORDS

    admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
    admin.add_user("new-one", WORDS, "spb-gd")
    fresh = Client(app)
    assert fresh.sign_in("new-one", WORDS).json()["must_change_password"] is True
    assert code_of(fresh("GET", "/api/v1/runs")) == (403, "password-must-change")
    wrong = fresh("POST", "/api/v1/session/password", json={"old": "x", "new": OWN})
    assert code_of(wrong) == (401, "sign-in-failed")
    assert fresh("POST", "/api/v1/session/password", json={"old": WORDS, "new": OWN}).status_code == 204
    assert fresh("GET", "/api/v1/runs").json() == {"runs": [], "next": None}


def test_a_right_is_needed_and_its_refusal_is_on_record(
    service: Service, app: FastAPI, tokens: dict[str, str]
) -> None:
    from registers_cases import ADMIN

    answer = Client(app, token=tokens["looker-gd"])("POST", "/api/v1/runs", json=plan_request())
    assert code_of(answer) == (403, "not-allowed")
    admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
    assert "refused:add" in [entry["action"] for entry in admin.audit_entries("run", "")]
