"""What somebody tries who means harm, and no other test has tried: hosts, proxies, files as pages."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from api_cases import Client, app, browser, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import ADMIN, OWN, cheap_hashes

from changtong.api.app import make_app
from changtong.api.headers import names_of
from changtong.api.request_log import JsonLines
from changtong.api.server import check_proxy
from changtong.api.service import Service
from changtong.errors import UsageError
from changtong.storage.rows import now
from changtong.storage.schema import passes
from changtong.storage.work import token_hash
from changtong.web.app import make_web_app

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

HALF_AN_HOUR = timedelta(minutes=30)


def test_browsers_are_told_to_ask_by_tls_where_tls_is(app: FastAPI) -> None:
    there, here = Client(app, host="post.example"), Client(app)
    for path in ("/healthz", "/api/v1/runs", "/nothing"):
        assert (
            there("GET", path).headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        )
        assert "strict-transport-security" not in here("GET", path).headers


def test_a_server_answers_to_its_own_names_only(service: Service, tokens: dict[str, str]) -> None:
    app = make_web_app(service, names_of(["Post.Example"], "0.0.0.0", "10.0.0.2"))
    asked = Client(app, token=tokens["duty-gd"])
    for host in ("post.example", "POST.example:8443", "localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert asked("GET", "/api/v1/runs", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "post.example.evil.example", "post.example@evil.example", "[", ""):
        answer = asked("GET", "/api/v1/runs", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "bad-usage"), host
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_server_of_this_machine_is_reached_under_no_other_name() -> None:
    alone = names_of([], "127.0.0.1", None)
    assert alone is not None
    assert "localhost" in alone
    assert "rebound.example" not in alone
    assert names_of([], "127.0.0.1", "127.0.0.1") is None  # the proxy's names are not known


def test_a_host_that_is_none_is_no_fault(app: FastAPI) -> None:
    answer = Client(app)("GET", "/api/v1/runs", headers={"Host": "["})
    assert (answer.status_code, answer.json()["code"]) == (401, "session-over")


@pytest.mark.parametrize("proxy", ["*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.2,*", ""])
def test_a_proxy_is_an_address_and_never_everybody(proxy: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_proxy(proxy)
    assert caught.value.code == "bad-usage"


def test_proxies_by_address_and_network() -> None:
    for proxy in ("127.0.0.1", "10.0.0.2, 10.1.0.0/16", "::1"):
        check_proxy(proxy)


def test_methods_that_nobody_offers_are_refused(app: FastAPI, duty: Client) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "OPTIONS"):
        assert duty(method, "/api/v1/runs", headers={"X-Secret": "told-back"}).status_code == 405, method


def test_no_other_site_may_read_an_answer(duty: Client) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS"):
        answer = duty(method, "/api/v1/runs", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_file_that_is_a_page_is_downloaded_and_runs_nothing(
    duty: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from changtong.api import runs

    run = type("Run", (), {"id": "r", "outcome": {"files": {"report.html": 1}}})()
    monkeypatch.setattr(runs, "seen", lambda asks, serves, run_id: run)
    place = service.folder.run("r")
    place.mkdir(parents=True)
    (place / "report.html").write_text("<script>alert(1)</script>")
    answer = duty("GET", "/api/v1/runs/r/files/report.html")
    assert answer.headers["content-disposition"] == 'attachment; filename="report.html"'
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_is_taken_by_no_kind_of_data_set(duty: Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("page.html", "<script>alert(1)</script>")
        archive.writestr("picture.svg", "<svg onload='alert(1)'/>")
    for files in (
        [("files", ("page.html", b"<script>"))],
        [("files", ("x.zip", packed.getvalue()))],
    ):
        for kind in ("network", "county", "outages"):
            data = {"kind": kind, "id": "page"}
            answer = duty("POST", "/api/v1/datasets", data=data, files=files)
            assert answer.status_code == 422
            assert "unknown-file" in {one["code"] for one in answer.json()["problems"]}


def test_a_session_left_alone_is_over_and_one_in_use_ends_all_the_same(
    service: Service, browser: Client
) -> None:
    browser.sign_in("duty-gd")
    assert browser("GET", "/api/v1/session").status_code == 200
    for column in ("seen_at", "expires_at"):
        this = passes.c.hash == token_hash(browser.cookies["changtong"])
        with service.store.engine.begin() as connection:
            changed = connection.execute(passes.update().where(this).values(**{column: now() - HALF_AN_HOUR}))
        assert changed.rowcount == 1
        answer = browser("GET", "/api/v1/session")
        assert (answer.status_code, answer.json()["code"]) == (401, "session-over")
        assert browser.sign_in("duty-gd").status_code == 201


def test_guesses_from_many_addresses_are_slowed_by_the_name(service: Service, browser: Client) -> None:
    # every guess as if from an address of its own: the rate by address is out of the way in these tests
    told = [browser.sign_in("looker-gd", "not this one at all") for _ in range(7)]
    assert [answer.status_code for answer in told] == [401] * 5 + [429] * 2
    assert {answer.json()["code"] for answer in told[5:]} == {"sign-in-locked"}
    assert browser.sign_in("LOOKER-GD ").status_code == 429  # written otherwise it is the same name


def test_line_ends_make_no_line_of_the_log() -> None:
    record = logging.LogRecord("changtong.api", logging.INFO, "", 0, 'x\n{"event": "forged"}', None, None)
    record.facts = {"path": 'a\r\nb\u2028"}'}
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line)["path"] == 'a\r\nb\u2028"}'


def test_the_log_has_templates_whatever_is_asked_for(duty: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "changtong.api"):
        duty("GET", "/api/v1/runs/13800138000%0aforged?token=secret", headers={"User-Agent": "forged\tone"})
    told = json.dumps([getattr(record, "facts", {}) for record in caplog.records])
    assert "{run_id}" in told
    assert not [word for word in ("13800138000", "forged", "secret") if word in told]


def test_who_is_shut_out_is_out_at_the_next_request(service: Service) -> None:
    asked = Client(make_app(service))
    asked.sign_in("duty-bj")
    assert asked("GET", "/api/v1/runs").status_code == 200
    admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
    user = next(one for one in admin.users() if one.name == "duty-bj")
    user = admin.change_user("duty-bj", user.version, is_active=False)
    try:
        answer: Any = asked("GET", "/api/v1/runs")
        assert (answer.status_code, answer.json()["code"]) == (401, "session-over")
    finally:
        admin.change_user("duty-bj", user.version, is_active=True)


def test_a_session_left_open_makes_no_way_in(app: FastAPI, browser: Client, duty: Client) -> None:
    browser.sign_in("duty-sd")
    for path, asked in (("tokens", {"label": "mine", "days": 300}), ("second-factor", {})):
        for client in (browser, duty):
            place = f"/api/v1/session/{path}"
            assert client("POST", place, json=asked).status_code == 422
            answer = client("POST", place, json={**asked, "password": "not this one at all"})
            assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-failed")
        made = browser("POST", place, json={**asked, "password": OWN})
        assert made.status_code == 201
        assert set(made.json()) & {"token", "secret"}
