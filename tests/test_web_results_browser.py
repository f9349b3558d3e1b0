"""Pages of results in a real browser: a loss handed on, sheets printed, a point of the frontier."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_cases import fill_folder
from browser import CHROMIUM, SCREENS, THEMES, serving_here
from registers_cases import OWN, cheap_hashes
from test_web_browser import Looker, chromium

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
    pytest.mark.slow,  # what the pages show is computed first
]
__all__ = ["cheap_hashes", "chromium"]

EXAMPLES = Path(__file__).parent.parent / "examples"
PAGES = ("/prepare", "/prepare/drills", "/rural", "/rural#plan", "/carbon")
WITHIN_S = 600.0  # kernels may have to be compiled first


@dataclass
class Program:
    """A planner's program at the API."""

    client: httpx.Client
    headers: dict[str, str]

    def put(self, kind: str, dataset_id: str, *places: Path) -> None:
        parts = [("files", (one.name, one.read_bytes())) for one in places]
        data = {"kind": kind, "id": dataset_id}
        made = self.client.post("/api/v1/datasets", data=data, files=parts, headers=self.headers)
        assert made.status_code == 201, made.text

    def run(self, study: str, inputs: dict[str, Any], **parameters: Any) -> str:
        request = {"study": study, "inputs": inputs, "parameters": parameters}
        made = self.client.post("/api/v1/runs", json=request, headers=self.headers)
        assert made.status_code == 202, made.text
        run_id, end = made.json()["id"], time.monotonic() + WITHIN_S
        while True:
            run = self.client.get(f"/api/v1/runs/{run_id}").json()
            if run["ended_at"]:
                assert run["state"] == "done", run
                return str(run_id)
            assert time.monotonic() < end, run
            time.sleep(0.2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("results")
    fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address


@pytest.fixture(scope="module")
def program(base: str) -> Iterator[Program]:
    with httpx.Client(base_url=base, timeout=60) as client:
        told = client.post("/api/v1/session", json={"user": "duty-gd", "password": OWN}).json()
        yield Program(client, {"X-CSRF-Token": told["csrf_token"]})


@pytest.fixture(scope="module")
def plan(program: Program) -> str:
    """A plan of the example's county, its coverage and a drill, and footprints of the tiny network."""
    county = [one for one in (EXAMPLES / "county").iterdir() if one.suffix in (".csv", ".json")]
    program.put("county", "qingshan", *county)
    program.put("drill", "flood", EXAMPLES / "emergency" / "drill.toml")
    program.put("table", "actions", EXAMPLES / "emergency" / "actions.csv")
    begins = "2026-07-20T08:00+08:00"
    program.run("emergency drill", {"script": "flood", "actions": "actions"}, begins=begins)
    program.run("carbon", {"network": "tiny"})
    program.run("carbon-frontier", {"network": "tiny"}, plans=True)
    made = program.run("rural plan", {"county": "qingshan"}, effort=0.03)
    program.run("rural coverage", {"county": "qingshan", "plan": {"run": made}})
    return made


@pytest.fixture
def looker(chromium: sync_api.Browser, base: str) -> Iterator[Looker]:
    one = Looker(chromium, base).sign_in()
    one.page.set_default_timeout(120_000)
    yield one
    one.context.close()
    assert one.wrong == []


def test_from_no_test_by_one_click_to_a_loss_that_is_responded_to(looker: Looker) -> None:
    page = looker.open("/prepare")
    assert "还没有可看的压力测试" in page.inner_text("#result")
    page.click("#ask button[type=submit]")
    page.wait_for_selector("#ranking tbody tr")
    rows = page.locator("#ranking tbody tr")
    assert rows.count() == 6
    assert re.sub(r"\s+", " ", rows.nth(0).inner_text()).startswith("甲县 (A) 240 80% 240")
    page.fill("#word", "南转运")
    assert rows.count() == 1
    page.fill("#word", "")
    page.click("#ranking .sorter >> nth=1")  # the largest first, then the smallest
    page.click("#ranking .sorter >> nth=1")
    assert page.locator("#ranking th[aria-sort=ascending]").count() == 1
    assert "丙县" in rows.nth(0).inner_text()
    rows.nth(0).locator(".picker").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#respond-to")
    page.click("#respond-to")
    page.wait_for_url(re.compile("/respond"))
    page.wait_for_selector("#stranded dl")
    assert page.locator("#drafts li").count() == 1
    assert "丙县" in page.inner_text("#drafts li b")


@pytest.mark.slow
def test_what_would_help_is_tried_by_one_click(looker: Looker) -> None:
    page = looker.open("/prepare")
    page.click("#remedies button")
    page.wait_for_selector("#remedies tbody tr")
    page.click("#remedies .picker >> nth=0")
    page.wait_for_selector(".chosen-card")
    assert page.locator("#respond-to").count() == 0  # nothing is lost by adding


def test_a_drill_tells_its_level_and_what_is_overdue(looker: Looker, plan: str) -> None:
    page = looker.open("/prepare/drills")
    assert "从未演练" in page.inner_text("#plans")
    page.click("#drills .picker")
    text = page.inner_text("#drill")
    assert "响应中" in text
    assert page.locator("#drill .due.overdue").count() == 3
    page.click("#drill button")
    page.wait_for_selector("#drill .figures >> nth=1")
    assert re.search(r"按时完成\s+4\s+晚完成\s+1\s+未做\s+0", page.inner_text("#drill"))


def test_coverage_names_the_villages_that_are_not_served(looker: Looker, plan: str) -> None:
    page = looker.open("/rural")
    assert re.search(r"83\.3%\s+10 / 12", page.inner_text("#cover-told"))
    page.check("#lacking")
    assert page.locator("#villages tbody th").all_inner_texts() == ["Caotang", "Songling"]
    page.click("#next .picker >> nth=0")
    assert page.locator("#villages tr.marked").inner_text().startswith("Caotang")


def test_sheets_are_made_by_one_click_and_print_a_page_each(looker: Looker, plan: str, base: str) -> None:
    page = looker.open(f"/rural?plan={plan}")
    page.wait_for_selector("#routes tbody tr")
    page.click("#routes .picker >> nth=0")
    stops = page.locator("#route tbody tr").count()
    assert stops > 0
    page.select_option("#other", index=2)
    assert page.locator("#compared tbody tr").count() == 9
    page.click("#make-sheets")
    address = page.wait_for_selector("#sheets-page").get_attribute("href")
    page.goto(base + str(address))
    sheets = page.locator("article.sheet").count()
    printed = page.pdf(prefer_css_page_size=True)
    assert sheets > 1
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == sheets
    looker.wrong[:] = [one for one in looker.wrong if "localStorage" not in one]


def test_a_point_of_the_frontier_leads_to_its_plan(looker: Looker, plan: str) -> None:
    page = looker.open("/carbon")
    assert "区间偏向一边" in page.inner_text("#foot")
    points = page.locator("#front .point")
    assert points.count() == page.locator("#front tbody tr").count() == 3
    points.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#point-plan")
    assert "方案 2" in page.inner_text("#front tr.marked")
    assert str(page.get_attribute("#point-plan", "href")).endswith("plans/plan-2/report.html")
    page.click("#propose-point")
    assert page.input_value("#propose [name=title]").endswith("方案 2")
    page.click("#propose button[type=submit]")
    page.wait_for_url("**/issued/*")
    page.wait_for_selector("#plan:has-text('方案 2')")


def test_another_province_is_shown_how_to_begin(chromium: sync_api.Browser, base: str, plan: str) -> None:
    one = Looker(chromium, base).sign_in("duty-bj")
    page = one.open("/carbon")
    assert "还没有可看的碳足迹" in page.inner_text("#foot")
    assert "还没有演练" in one.open("/prepare/drills").inner_text("#drills")
    one.context.close()
    assert one.wrong == []


@pytest.mark.parametrize("size", SCREENS)
def test_no_page_is_wider_than_its_screen(
    chromium: sync_api.Browser, base: str, plan: str, size: str
) -> None:
    one = Looker(chromium, base, size, "en").sign_in()
    for path in PAGES:
        page = one.open(path)
        wide, screen = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= screen, (path, size)
    one.context.close()
    assert one.wrong == []


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing(chromium: sync_api.Browser, base: str, plan: str, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = Looker(chromium, base)
    one.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
    one.sign_in()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    told = {}
    for path in PAGES:
        page = one.open(path)
        chosen = page.locator(".picker:visible")
        if chosen.count():
            chosen.nth(0).click()
        page.wait_for_timeout(600)
        result = axe.run(page, options=options)
        if result.violations_count:
            told[path] = result.generate_report()
    one.context.close()
    assert told == {}
