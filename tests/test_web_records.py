"""Pages of the registers without a browser: who may open what; other regions are not there; the wording."""

from __future__ import annotations

import re

import pytest
from api_cases import Client, service, service_and_tokens, tokens
from fastapi import FastAPI
from register_api_cases import added
from registers_cases import OWN, cheap_hashes, hazard, site

from changtong.api.service import Service
from changtong.storage.definitions import REGISTERS, chinese_descriptions, register_columns
from changtong.web.app import make_web_app
from changtong.web.record_pages import GROUPS
from changtong.web.words import read_words

__all__ = ["cheap_hashes", "service", "service_and_tokens", "tokens"]


@pytest.fixture(scope="module")
def app(service_and_tokens: tuple[Service, dict[str, str]]) -> FastAPI:
    return make_web_app(service_and_tokens[0])


def signed_in(app: FastAPI, name: str) -> Client:
    client = Client(app)
    assert client.sign_in(name, OWN).status_code == 201
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/registers",
        "/registers/hazard",
        "/registers/hazard/x",
        "/register-new/hazard",
        "/duty",
        "/assessment",
        "/assessment/x",
        "/assessment/x/y",
        "/assessment/x/y/notice",
        "/tasks",
        "/cases",
        "/case-new",
        "/cases/x",
        "/scorecards",
        "/scorecards/x",
    ],
)
def test_pages_of_registers_send_strangers_to_sign_in(app: FastAPI, path: str) -> None:
    answer = Client(app)("GET", path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")


@pytest.mark.parametrize(("language", "title"), [("zh", "隐患"), ("en", "Hazards")])
def test_pages_speak_both_languages(app: FastAPI, language: str, title: str) -> None:
    duty = signed_in(app, "duty-gd")
    answer = duty("GET", f"/registers/hazard?lang={language}")
    assert answer.status_code == 200
    assert f"<h1>{title}</h1>" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    for path in ("/registers", "/duty", "/register-new/hazard"):
        assert duty("GET", f"{path}?lang={language}").status_code == 200, path


def test_a_record_of_another_region_is_not_there(app: FastAPI, tokens: dict[str, str]) -> None:
    made = added(Client(app, token=tokens["duty-gd"]), "hazard", **hazard())
    path = f"/registers/hazard/{made['id']}"
    assert signed_in(app, "duty-gd")("GET", path).status_code == 200
    assert signed_in(app, "looker-gd")("GET", path).status_code == 200
    assert signed_in(app, "duty-bj")("GET", path).status_code == 404
    assert signed_in(app, "duty-gd")("GET", "/registers/hazard/none").status_code == 404


def test_no_page_holds_what_a_record_says(app: FastAPI, tokens: dict[str, str]) -> None:
    made = added(Client(app, token=tokens["duty-gd"]), "site", **site(71, contact_name="王小明"))
    answer = signed_in(app, "duty-gd")("GET", f"/registers/site/{made['id']}")
    assert answer.status_code == 200
    assert "王小明" not in answer.text
    assert "网点 71" not in answer.text


def test_a_form_is_for_those_who_may_add_and_a_register_for_those_who_may_see(app: FastAPI) -> None:
    looker = signed_in(app, "looker-gd")
    assert looker("GET", "/registers/hazard").status_code == 200
    assert looker("GET", "/register-new/hazard").status_code == 404
    assert looker("GET", "/registers/duty_entry").status_code == 404
    assert looker("GET", "/registers/nothing").status_code in (404, 422)


def test_the_history_is_offered_to_those_who_may_see_the_audit(app: FastAPI, tokens: dict[str, str]) -> None:
    made = added(Client(app, token=tokens["duty-gd"]), "hazard", **hazard())
    path = f"/registers/hazard/{made['id']}"
    for name in ("duty-gd", "looker-gd"):
        client = signed_in(app, name)
        may = client("GET", f"/api/v1/records/hazard/{made['id']}/history").status_code == 200
        assert ('data-audit="yes"' in client("GET", path).text) is may, name


def test_the_areas_lead_to_the_registers(app: FastAPI) -> None:
    duty = signed_in(app, "duty-gd")
    assert 'href="/registers"' in duty("GET", "/areas/safety").text
    assert 'href="/duty"' in duty("GET", "/areas/people").text


def test_every_register_column_and_choice_has_a_name() -> None:
    words = read_words()
    missing = [kind for kind in REGISTERS if f"register.{kind}" not in words]
    for kind in REGISTERS:
        for column in register_columns(kind).values():
            missing += [] if f"column.{column.name}" in words else [f"{kind}.{column.name}"]
            plain = [one for one in column.choices if "/" not in one]
            missing += [f"{kind}.{one}" for one in plain if f"value.{one}" not in words]
    assert missing == []


def test_every_register_stands_in_one_group_except_files_that_stand_with_their_records() -> None:
    shown = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(shown) == sorted(set(REGISTERS) - {"attachment"})


def test_every_column_is_described_in_chinese_and_nothing_else_is() -> None:
    told = {(kind, name) for kind, columns in chinese_descriptions().items() for name in columns}
    there = {(kind, name) for kind in REGISTERS for name in register_columns(kind)}
    assert (there - told, told - there) == (set(), set())
    for columns in chinese_descriptions().values():
        assert all(re.search(r"[\u4e00-\u9fff].*。$", text) for text in columns.values())


def test_the_api_tells_descriptions_in_both_languages(app: FastAPI) -> None:
    kinds = signed_in(app, "duty-gd")("GET", "/api/v1/records").json()["kinds"]
    (site_id,) = [
        column
        for one in kinds
        if one["kind"] == "site"
        for column in one["columns"]
        if column["name"] == "site_id"
    ]
    assert "Identifier of the site" in site_id["description"]
    assert "站点编号" in site_id["description_zh"]


def test_cases_are_offered_to_who_may_see_them_and_opening_one_to_who_may(app: FastAPI) -> None:
    duty, looker = signed_in(app, "duty-gd"), signed_in(app, "looker-gd")
    for language, title in (("zh", "应急事件"), ("en", "Emergency cases")):
        assert f"<h1>{title}</h1>" in duty("GET", f"/cases?lang={language}").text
    assert 'href="/case-new"' in duty("GET", "/cases").text
    assert 'href="/case-new"' not in looker("GET", "/cases").text
    assert duty("GET", "/case-new").status_code == 200
    assert looker("GET", "/case-new").status_code == 404
    for path in ("/areas/prepare", "/areas/people", "/prepare", "/prepare/drills"):
        assert 'href="/cases"' in duty("GET", path).text, path
    assert 'data-cases="yes"' in duty("GET", "/duty").text
    assert signed_in(app, "duty-bj")("GET", "/cases/none").status_code == 404


def test_a_case_of_another_region_is_not_there_and_a_viewer_gets_no_log(
    app: FastAPI, tokens: dict[str, str]
) -> None:
    asked = {"plan": "flood", "event": "私密的事", "id": "C-1"}
    made = Client(app, token=tokens["duty-gd"])("POST", "/api/v1/cases", json=asked)
    assert made.status_code == 201, made.text
    mine = signed_in(app, "duty-gd")("GET", "/cases/C-1")
    assert 'data-log="yes"' in mine.text
    assert "私密的事" not in mine.text
    theirs = signed_in(app, "looker-gd")("GET", "/cases/C-1")
    assert (theirs.status_code, 'data-log="yes"' in theirs.text) == (200, False)
    assert signed_in(app, "duty-bj")("GET", "/cases/C-1").status_code == 404


def test_scorecards_are_a_page_and_keeping_one_is_offered_to_assessors(app: FastAPI) -> None:
    duty = signed_in(app, "duty-gd")
    answer = duty("GET", "/scorecards?lang=en")
    assert "<h1>Scorecards</h1>" in answer.text
    assert 'data-add="yes"' not in answer.text
    assert 'href="/scorecards"' in duty("GET", "/areas/safety").text
    assert duty("GET", "/scorecards/none").status_code == 404
