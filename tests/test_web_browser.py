"""The pages in a real browser: the map, the story from an outage to a plan, keys and readers of screens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_cases import fill_folder
from browser import CHROMIUM, LANGUAGES, SCREENS, THEMES, serving_here
from registers_cases import OWN, cheap_hashes

from changtong.error_words import error_words
from changtong.web.words import say

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes"]

FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
MESSAGES = Path(__file__).parents[1] / "examples" / "warnings" / "messages"
SIZES = {"phone": (390, 844), "desk": (1280, 800), "wall": (1920, 1080)}
LONG_MS = 60_000
FURTHER = (
    "/issued", "/registers", "/registers/hazard", "/register-new/hazard", "/duty", "/tasks",
    "/inspect", "/areas/safety", "/areas/data", "/data", "/studies/plan", "/studies/warnings", "/account",
)  # fmt: skip
"""Pages whose own stories look elsewhere."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("web")
    fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as play:
        yield play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


class Looker:
    """Somebody at a page: what the console says against it fails the test."""

    def __init__(
        self, browser: sync_api.Browser, base: str, size: str = "desk", language: str = "zh"
    ) -> None:
        width, height = SIZES[size]
        locale = "zh-CN" if language == "zh" else "en-GB"
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
        self.page, self.base, self.wrong = self.context.new_page(), base, []
        self.page.set_default_timeout(LONG_MS)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)

    def sign_in(self, user: str = "duty-gd") -> Looker:
        """Sign in without the page and the map that follows it: that way has a story of its own."""
        told = {"user": user, "password": OWN}
        answer = self.context.request.post(f"{self.base}/api/v1/session", data=told)
        assert answer.status == 201, answer.text()
        return self

    def open(self, path: str) -> sync_api.Page:
        self.page.goto(self.base + path)
        self.page.wait_for_selector("body[data-ready]")
        return self.page


@pytest.fixture
def looker(chromium: sync_api.Browser, base: str) -> Iterator[Looker]:
    one = Looker(chromium, base).sign_in()
    yield one
    one.context.close()
    assert one.wrong == []


def test_a_password_that_is_entered_before_the_script_is_there_goes_nowhere(
    chromium: sync_api.Browser, base: str
) -> None:
    page = Looker(chromium, base).page
    held: list[sync_api.Route] = []
    page.route("**/words.*.js", lambda route: held.append(route))
    page.goto(f"{base}/sign-in")
    page.fill("[name=user]", "duty-gd")
    page.fill("[name=password]", OWN)
    page.press("[name=password]", "Enter")
    page.wait_for_timeout(300)  # a form that the browser sends by itself would have left the page by now
    assert page.url == f"{base}/sign-in"
    for route in held:
        route.continue_()
    page.wait_for_selector("body[data-ready]")
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)


def test_a_wrong_password_is_told_and_the_right_one_leads_on(chromium: sync_api.Browser, base: str) -> None:
    page = Looker(chromium, base).open("/runs")
    assert page.url == f"{base}/sign-in?next=/runs"
    page.fill("[name=user]", "duty-gd")
    page.fill("[name=password]", "not this one at all")
    page.press("[name=password]", "Enter")
    page.wait_for_selector("#wrong:visible")
    said = page.inner_text("#wrong").split("\n")
    assert said[0] == error_words("sign-in-failed").zh
    assert re.fullmatch("[A-Z][ -~]+", said[1]), said
    page.fill("[name=password]", OWN)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{base}/runs")


def test_the_map_shows_the_network_and_tells_of_a_site(looker: Looker) -> None:
    page = looker.open("/")
    figures = page.inner_text("#figures")
    assert re.search(r"站点\s+6\b", figures), figures
    page.keyboard.press("/")
    page.keyboard.type("a")
    page.wait_for_selector("#found [data-row]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#selection h2")
    assert "site=A" in page.url
    page.click("#selection button")
    assert not page.is_visible("#selection")


def test_filters_count_what_they_let_through(looker: Looker) -> None:
    page = looker.open("/")
    kinds = page.eval_on_selector_all("#kind option", "all => all.map(one => one.value)")
    page.select_option("#kind", kinds[1])
    assert re.search(r"站点\s+\d+ / 6", page.inner_text("#figures"))
    page.click("#as-table summary")
    page.wait_for_selector("#table tbody tr")
    rows = page.locator("#table tbody tr").count()
    assert f"{rows} / 6" in page.inner_text("#figures")


def test_from_an_outage_to_plans_side_by_side(looker: Looker) -> None:
    page = looker.open("/respond?site=A")
    assert page.locator("#drafts li").count() == 1
    page.wait_for_selector("#stranded dl")
    page.click("#go")
    page.wait_for_selector(".plan-card[data-state=done]")
    assert "无法送达" in page.inner_text(".plan-card[data-state=done]")
    page.fill("#drafts input >> nth=0", "50")
    page.press("#drafts input >> nth=0", "Enter")
    page.wait_for_selector("#drafts li.slowed")
    page.select_option("[name=how]", "verify")
    page.click("#go")
    page.locator(".plan-card[data-state=done]").nth(1).wait_for()
    page.click(".plan-card button >> text=对比方案")
    assert page.locator("#compare thead th").count() == 3
    page.wait_for_selector("#backlogs svg path.line")  # of the plan that was played forward
    assert page.locator("#backlogs svg path.line").count() == 1
    page.wait_for_selector("#maps svg path.leg")
    assert page.locator("#maps svg").count() == 2
    page.keyboard.press("Escape")
    page.click(".plan-card >> nth=0 >> button >> nth=0")
    page.wait_for_selector(".plan-card.shown")


def test_what_is_removed_can_be_brought_back_and_outlives_the_page(looker: Looker) -> None:
    page = looker.open("/respond?site=B")
    page.click("#drafts button")
    assert page.locator("#drafts li").count() == 0
    page.click(".toast button")
    assert page.locator("#drafts li").count() == 1
    page.reload()
    page.wait_for_selector("#drafts li")


@pytest.mark.slow
def test_a_run_is_followed_and_its_report_shown_within(looker: Looker) -> None:
    page = looker.open("/respond?site=C")
    page.click("#go")
    page.wait_for_selector(".plan-card a")
    page.click(".plan-card a")
    page.wait_for_selector("#state.done")
    frame = page.frame_locator("iframe.report")
    frame.locator("h1").first.wait_for()
    looker.wrong[:] = [one for one in looker.wrong if "localStorage" not in one]
    assert page.locator("a[download]").count() > 5


def test_from_a_warning_to_a_plan_that_is_approved_by_another_issued_and_acknowledged(
    chromium: sync_api.Browser, base: str
) -> None:
    one, other = Looker(chromium, base).sign_in(), Looker(chromium, base).sign_in("other-gd")
    page = one.open("/studies/warnings")
    page.click(".field:has([name=sources]) button")
    page.fill("#upload [name=id]", "rain")
    page.set_input_files("#upload [name=files]", [MESSAGES / "rain-1.xml", MESSAGES / "rain-2.xml"])
    page.click("#upload button.main")
    page.wait_for_selector("#upload:not([open])", state="attached")
    page.select_option("[name=network]", label="tiny")
    page.click("details summary >> text=" + say("zh", "studies.further"))
    page.fill("[name=at]", "2026-07-20T09:00+08:00")
    page.click("form.form > .row button.main")
    page.wait_for_url(re.compile(r"/runs/"))
    page.wait_for_selector("body[data-run=done]")
    run = page.url.rpartition("/")[2]
    page.click("#open-case")  # the warning opens a case, with the sites that it threatens
    page.wait_for_selector("[name=warning] option", state="attached")
    page.select_option("[name=plan]", "flood")
    page.wait_for_selector("[name=m-warning_colour]")
    assert page.input_value("[name=event]")
    page.click("#new button.main")
    page.wait_for_selector("body[data-state=open]")
    assert "来自预警" in page.inner_text("#case")
    assert page.locator("#sites tbody tr").count() > 0
    page = one.open("/respond")
    page.select_option("#proposal", run)
    page.wait_for_selector("#drafts li")
    page.wait_for_selector("#stranded dl")
    page.click("#go")
    page.wait_for_selector(".plan-card[data-state=done]")
    page.click(".plan-card[data-state=done] button >> text=提交下达")
    page.click("#ask button[type=submit]")
    page.wait_for_url(re.compile(r"/issued/"))
    page.wait_for_selector("body[data-state=proposed]")
    page.wait_for_selector("#waits:has-text('等待另一人批准')")  # who proposed does not approve
    assert page.locator("#plan button >> text=批准").count() == 0
    second = other.page
    second.goto(page.url)
    second.wait_for_selector("body[data-state=proposed]")
    second.click("#plan button >> text=批准")
    second.click("#ask button[type=submit]")
    page.wait_for_selector("body[data-state=approved]")  # the first one's page follows
    page.click("#plan button >> text=下达")
    page.click("#ask button[type=submit]")
    page.wait_for_selector("body[data-state=issued]")
    page.wait_for_selector("#orders tbody tr")
    sites = page.locator("#orders tbody tr").count()
    assert sites > 0
    for k in range(sites):
        page.locator("#orders tbody tr button").nth(k).click()
        page.fill("#ask [name=said_by]", "值班电话")
        page.click("#ask button[type=submit]")
        page.wait_for_selector(f"#orders tbody tr:nth-child({k + 1}):has-text('已签收')")
    page.wait_for_selector("body[data-state=completed]")
    second.wait_for_selector("body[data-state=completed]")
    for looker in (one, other):
        looker.context.close()
    assert other.wrong == []


def test_an_inspection_is_filled_in_without_a_network_and_sent_when_there_is_one(
    chromium: sync_api.Browser, base: str
) -> None:
    one = Looker(chromium, base, "phone").sign_in("inspector-gd")
    page = one.page
    page.goto(f"{base}/inspect")
    page.click(".studies a >> nth=0")
    address = page.url
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    one.context.set_offline(True)
    page.goto(address)  # opened anew: the browser kept it
    page.click("#new")
    page.fill("#field-site_id", "440106-7")
    page.fill("#field-inspectors", "检查员甲")
    page.click("#finish")
    page.click("#missing button")
    page.wait_for_selector("#drafts li")
    page.wait_for_selector("#sync-told:has-text('待同步')")
    assert "已同步" not in page.inner_text("#drafts")
    one.context.set_offline(False)
    page.wait_for_selector("#drafts li:has-text('已同步')")
    page.reload()
    page.wait_for_selector("#drafts li:has-text('已同步')")
    token = one.context.cookies()[0]["value"]
    assert token
    one.context.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SCREENS)
def test_no_page_is_wider_than_its_screen(
    chromium: sync_api.Browser, base: str, size: str, language: str
) -> None:
    one = Looker(chromium, base, size, language).sign_in()
    page = one.page
    for path in ("/", "/respond", "/runs", *FURTHER):
        page.goto(base + path)
        page.wait_for_load_state("networkidle")
        wide, screen = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= screen, (path, size, language)
    one.context.close()
    assert one.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_against_any_page(chromium: sync_api.Browser, base: str, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = Looker(chromium, base)
    one.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    one.open("/sign-in")
    found = {"/sign-in": axe.run(one.page, options=options)}
    one.sign_in()
    for path in ("/", "/respond?site=A", "/runs", "/password", *FURTHER):
        one.page.goto(base + path)
        one.page.wait_for_load_state("networkidle")
        found[path] = axe.run(one.page, options=options)
    told = {path: result.generate_report() for path, result in found.items() if result.violations_count}
    assert told == {}
