"""The pages without a browser: who is let in, what they may load, and that both languages say everything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from string import Formatter

import pytest
from api_cases import Client, plan_request, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import OWN, cheap_hashes

from changtong.api.service import Service
from changtong.web import assets
from changtong.web.administration_pages import PARTS
from changtong.web.app import OPEN_PAGES, make_web_app
from changtong.web.base_map import land_geojson
from changtong.web.pages import AREAS
from changtong.web.words import read_words, say
from changtong.wording import language_of

__all__ = ["cheap_hashes", "service", "service_and_tokens", "tokens"]

FILES = {
    file.name: file.read_text("utf-8")
    for file in resources.files("changtong.web_files").iterdir()
    if file.is_file()
}
PAGES = ("/", "/respond", "/runs", "/password", "/prepare", "/prepare/drills", "/rural", "/carbon", "/data")


@pytest.fixture(scope="module")
def app(service_and_tokens: tuple[Service, dict[str, str]]) -> FastAPI:
    return make_web_app(service_and_tokens[0])


@pytest.fixture
def nobody(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture
def duty(app: FastAPI) -> Client:
    client = Client(app)
    assert client.sign_in("duty-gd", OWN).status_code == 201
    return client


@pytest.mark.parametrize("path", PAGES)
def test_a_page_sends_those_who_are_not_signed_in_to_sign_in_and_back(nobody: Client, path: str) -> None:
    answer = nobody("GET", f"{path}?network=tiny")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next={path.replace('/', '/')}%3Fnetwork%3Dtiny"


def test_only_the_door_and_its_files_are_open(app: FastAPI, nobody: Client) -> None:
    assert {path for _, path in OPEN_PAGES} == {"/sign-in", "/assets/{of_version}/{name:path}"}
    assert nobody("GET", "/sign-in").status_code == 200
    assert nobody("GET", f"/assets/{assets.version()}/app.css").status_code == 200
    app.add_api_route("/fresh", lambda: "open")
    assert nobody("GET", "/fresh").status_code == 303


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:x",
        "/\t/evil.example", "/\n/evil.example", "\t//evil.example", "/\r\\evil.example",
    ],
)  # fmt: skip
def test_the_way_onward_never_leaves_this_site(nobody: Client, duty: Client, onward: str) -> None:
    assert 'data-onward="/"' in nobody("GET", "/sign-in", params={"next": onward}).text
    assert duty("GET", "/sign-in", params={"next": onward}).headers["location"] == "/"


def test_an_onward_way_that_is_ours_is_kept(nobody: Client) -> None:
    assert 'data-onward="/runs?x=1"' in nobody("GET", "/sign-in", params={"next": "/runs?x=1"}).text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_our_files_only_and_stands_in_no_frame(duty: Client, path: str) -> None:
    answer = duty("GET", path)
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|style=", answer.text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)


def test_the_token_of_a_page_lets_it_change_things_and_no_other_does(duty: Client) -> None:
    found = re.search(r'name="csrf" content="([0-9a-f]{64})"', duty("GET", "/").text)
    assert found is not None
    assert found.group(1) == duty.csrf
    duty.csrf = "0" * 64
    assert duty("POST", "/api/v1/runs", json=plan_request()).status_code == 403


def test_words_are_spoken_as_asked_as_kept_as_the_browser_prefers(nobody: Client) -> None:
    told = nobody("GET", "/sign-in", headers={"Accept-Language": "en-US,zh;q=0.5"})
    assert '<html lang="en"' in told.text
    assert told.headers["content-language"] == "en"
    assert '<html lang="zh-CN"' in nobody("GET", "/sign-in?lang=zh", headers={"Accept-Language": "en"}).text
    nobody.cookies.set("lang", "en", domain="localhost.local")
    assert '<html lang="en"' in nobody("GET", "/sign-in").text
    assert language_of("xx", "yy", "de;q=broken, fr") == "zh"


def test_a_theme_is_one_of_two_and_nothing_else_gets_into_the_page(nobody: Client) -> None:
    nobody.cookies.set("theme", "dark", domain="localhost.local")
    assert 'data-theme="dark"' in nobody("GET", "/sign-in").text
    nobody.cookies.set("theme", '"><script>', domain="localhost.local")
    assert "data-theme" not in nobody("GET", "/sign-in").text


def test_what_is_not_there_is_told_as_a_page_to_people_and_as_a_problem_to_programs(duty: Client) -> None:
    page = duty("GET", "/no-such-page", headers={"Accept-Language": "en"})
    assert page.status_code == 404
    assert "not yours to see" in page.text
    assert '<small class="detail" lang="en">Not Found</small>' in page.text
    assert "您无权查看" in duty("GET", "/no-such-page?lang=zh", headers={"Accept-Language": "en"}).text
    assert page.headers["x-request-id"] in page.text
    assert duty("GET", "/runs/none").status_code == 404
    assert duty("GET", "/api/v1/none").headers["content-type"] == "application/problem+json"


def test_files_of_pages_may_be_kept_for_ever_under_the_address_of_their_content(nobody: Client) -> None:
    answer = nobody("GET", f"/assets/{assets.version()}/map.js")
    assert "immutable" in answer.headers["cache-control"]
    assert nobody("GET", "/assets/older/map.js").headers["cache-control"] == "no-store"
    for name in ("../pages.py", "..%2f..%2fapp.py", "texts.toml", "base.html.j2", "%2e%2e/x"):
        assert nobody("GET", f"/assets/{assets.version()}/{name}").status_code == 404, name


def test_files_that_others_made_come_with_their_licences() -> None:
    for name in ("maplibre-gl.mjs", "maplibre-gl-worker.mjs", "maplibre-gl.css", "uPlot.esm.js"):
        assert len(assets.content(f"vendor/{name}")) > 1000
    assert b"MapLibre" in assets.content("vendor/maplibre-gl.LICENSE.txt")


def test_the_land_lies_where_it_should() -> None:
    land = land_geojson()
    polygons = land["features"][0]["geometry"]["coordinates"]
    assert len(polygons) > 300
    for (ring,) in polygons:
        assert ring[0] == ring[-1]
        assert all(-180 <= lon <= 191 and -90 <= lat <= 90 for lon, lat in ring)
    assert "Natural Earth" in land["attribution"]


# --- wording -----------------------------------------------------------------------------------
def _used() -> Iterator[tuple[str, str]]:
    for name, text in FILES.items():
        if name.endswith(".j2"):
            for key in re.findall(r"\bt\(\s*[\"']([\w.-]+)[\"'](?=\s*[,)])", text):
                yield name, key
        if name.endswith(".js"):
            for key in re.findall(r"\bsay\(\s*\"([\w.-]+)\"(?=\s*[,)])", text):
                yield name, key


def test_no_form_of_a_page_is_sent_by_the_browser_itself() -> None:
    # one that is sent before its script listens would put a password into an address, and so into logs
    forms = [
        form
        for name, text in FILES.items()
        if name.endswith(".j2")
        for form in re.findall("<form[^>]*>", text)
    ]
    assert forms
    assert [form for form in forms if 'method="dialog"' not in form] == []


def test_every_wording_that_is_asked_for_is_there() -> None:
    used = list(_used())
    assert len(used) > 100
    assert [(name, key) for name, key in used if key not in read_words()] == []
    for area in AREAS:
        assert f"area.{area.name}" in read_words()


def test_no_wording_is_there_for_nothing() -> None:
    whole = "\n".join(FILES.values())
    # asked for by code
    sections = {"kind", "mode", "province", "study", "stage", "runs", "change", "area", "group", "inspect"}
    sections |= {"issued_state", "order_state", "action", "register", "register_group"}
    sections |= {"column", "value", "step"}
    sections |= {"case_kind", "case_status", "remedy_kind", "provenance_kind", "case_state"}
    sections |= {"clock_state", "task_state"}
    sections |= {"site_danger", "expected_state", "criterion", "county_answer", "tier", "unserved_code"}
    sections |= {
        "carbon_by",
        "carbon_input",
        "loss_band",
        "loss_of_worst",
        "weekday",
        "weekday_short",
        "cover",
    }
    sections |= {
        "column",
        "value",
        "step",
        "role",
        "organisation_kind",
        "factor_for",
        "audit_action",
        "right_kind",
        "ticket_step",
        "right",
        "reach",
    }
    sections |= {"column", "value", "step", "assess_stage", "assess_unit", "assess_says"}
    sections |= {"assess_why", "assess_size", "tasks_part", "headline"}
    sections |= {"case_action", "case_do", "case_form", "case_source", "case_colour"}
    sections |= {"card_effect", "card_missing", "card_change", "card_table", "card_column"}
    sections |= {"data_request_step", "data_request_field", "data_request_says", "hand_over_why"}
    sections |= {"measure", "rule", "tier", "handling", "alert_state", "scan", "stay"}
    literal = {key for _, key in _used()} | set(re.findall(r'"(\w+\.\w+)"', whole))
    literal |= {key for key in read_words() if key.startswith("situation.level_")}
    python = "\n".join(
        file.read_text("utf-8")
        for file in resources.files("changtong.web").iterdir()
        if file.name.endswith(".py")
    )
    literal |= set(re.findall(r'"(\w+\.\w+)"', python))
    literal |= {f"administration.{part}" for part in PARTS}
    literal |= {
        f"{key}_says" for key in literal if key in ("administration.move", "administration.hand_over")
    }
    assert (
        sorted(key for key in read_words() if key not in literal and key.split(".")[0] not in sections) == []
    )


def test_both_languages_say_the_same_things() -> None:
    for key, both in read_words().items():
        assert both.zh.strip(), key
        assert both.en.strip(), key
        places = [
            {name for _, name, _, _ in Formatter().parse(text) if name is not None}
            for text in (both.zh, both.en)
        ]
        assert places[0] == places[1], key
        if key.split(".")[0] not in ("province",) and key not in ("shell.language", "shell.language_says"):
            assert not re.search(r"[\u4e00-\u9fff]", both.en), key


def test_the_words_of_scripts_are_those_of_pages() -> None:
    text = assets.content("words.en.js").decode().removeprefix("export default ").removesuffix(";")
    assert json.loads(text)["shell.sign_out"] == say("en", "shell.sign_out") == "Sign out"


# --- a report within a page ------------------------------------------------------------------------
def test_a_report_within_a_page_has_an_origin_of_its_own(duty: Client, app: FastAPI) -> None:
    run = duty("POST", "/api/v1/runs", json=plan_request()).json()
    assert duty.ended(run["id"])["state"] == "done"
    answer = duty("GET", f"/runs/{run['id']}/page/report.html")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "frame-ancestors 'self'" in policy
    for name in ("plan.json", "../x", "none.html"):
        assert duty("GET", f"/runs/{run['id']}/page/{name}").status_code == 404, name
    other = Client(app)
    other.sign_in("duty-bj", OWN)
    assert other("GET", f"/runs/{run['id']}/page/report.html").status_code == 404
    assert other("GET", f"/runs/{run['id']}").status_code == 404


# --- pages of results ------------------------------------------------------------------------------
def test_who_only_looks_is_offered_no_new_run(app: FastAPI, duty: Client) -> None:
    looker = Client(app)
    looker.sign_in("looker-gd", OWN)
    for path in ("/prepare", "/rural", "/carbon"):
        shown = {name: client("GET", path).text for name, client in (("duty", duty), ("looker", looker))}
        found = {name: re.search(r'id="new"( hidden)?>', html) for name, html in shown.items()}
        assert {name: match and match[1] for name, match in found.items()} == {
            "duty": None, "looker": " hidden",
        }, path  # fmt: skip
    assert "emergency%20drill" in duty("GET", "/prepare/drills").text
    assert "emergency%20drill" not in looker("GET", "/prepare/drills").text
