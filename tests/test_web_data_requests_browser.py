"""Pages of personal-data requests in a browser: written down, decided, answered; what a page never shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api_cases import fill_folder
from browser import CHROMIUM, serving_here
from registers_cases import cheap_hashes
from test_web_browser import Looker, chromium, sync_api

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("requests")
    fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address


def step(page: sync_api.Page, action: str, state: str, **words: str) -> None:
    page.click(f"[data-step={action}]")
    for name, value in words.items():
        control = page.locator(f"dialog [name={name}]")
        tag = control.evaluate("one => one.tagName")
        control.select_option(value) if tag == "SELECT" else control.fill(value)
    page.click("dialog button[type=submit]")
    page.wait_for_selector(f"#state >> text={state}")


def test_a_request_is_written_down_decided_and_answered(chromium: sync_api.Browser, base: str) -> None:
    one = Looker(chromium, base).sign_in()
    page = one.open("/data-requests")
    assert page.locator(".empty").count() == 1
    page = one.open("/data-request-new")
    page.select_option("[name=kind]", "deletion")
    page.select_option("[name=channel]", "app")
    page.fill("[name=name]", "赵小明")
    page.fill("[name=contact]", "13812345678")
    page.click("form button.main")
    page.wait_for_selector("#state >> text=已受理")
    assert "赵小明" not in page.content()
    assert page.locator("[data-clock]").count() == 3
    # who is not identified is refused on one ground only
    page.click("[data-step=decide]")
    assert page.locator("dialog [name=decision] option").evaluate_all("all => all.map(one => one.value)") == [
        "refuse"
    ]
    page.click("dialog button[type=button]")
    step(page, "identify", "身份已核验", method="account")
    page.click("[data-step=decide]")
    page.select_option("dialog [name=decision]", "partly")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("dialog .notice.wrong")  # a ground and a reason are wanted, both told
    assert page.locator("dialog .notice.wrong li").count() == 2
    page.select_option("dialog [name=ground]", "must_keep")
    page.fill("dialog [name=text]", "运单须保存一年")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#state >> text=已决定")
    step(page, "step", "已决定", text="其余信息已删除")
    with page.expect_download() as kept:
        page.click("#letter")
        page.fill("dialog [name=reason]", "答复本人")
        page.click("dialog button[type=submit]")
    assert kept.value.suggested_filename.endswith(".docx")
    page.click("#reveal")
    page.fill("dialog [name=reason]", "打电话")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("text=赵小明")
    assert "运单须保存一年" in page.inner_text("table")
    step(page, "answer", "已答复", way="letter")
    assert "赵小明" not in page.content()
    page = one.open("/data-requests")
    assert page.locator(".empty").count() == 1
    assert page.locator("#requests tbody tr").count() == 0
    page.click("#which")
    page.wait_for_selector("#requests tbody tr")
    assert page.locator("#requests tbody tr").count() == 1
    assert any("422" in line for line in one.wrong)  # the refusal of before
    one.context.close()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "language"), [("phone", "zh"), ("desk", "en")])
def test_pages_hold_on_a_phone_and_against_axe(
    chromium: sync_api.Browser, base: str, size: str, language: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = Looker(chromium, base, size, language).sign_in("inspector-gd")
    page = one.open("/data-request-new")
    page.fill("[name=name]", "钱小红")
    page.fill("[name=contact]", "someone@example.org")
    paths = ["/data-request-new", "/data-requests"]
    page.click("form button.main")
    page.wait_for_selector("#state")
    paths.append(page.url.removeprefix(base))
    for path in paths:
        page = one.open(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if size == "phone":
            continue  # what the bar at the foot covers while scrolling is no fault of the page
        found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        assert found.response["violations"] == [], path
    one.context.close()
    assert one.wrong == []
