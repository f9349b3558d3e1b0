"""Files loaded into a register in a browser: tried, mended, loaded; nobody is written over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM
from registers_cases import cheap_hashes, site
from test_web_browser import Looker, chromium, sync_api
from test_web_registers_browser import Asking, added, asking, told

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["asking", "cheap_hashes", "chromium"]


@pytest.fixture
def looker(chromium: sync_api.Browser, asking: Asking) -> Iterator[Looker]:
    one = Looker(chromium, asking[0]).sign_in()
    yield one
    one.context.close()


def counts(page: sync_api.Page) -> dict[str, str]:
    return {
        name: page.inner_text(f"[data-count={name}]") for name in ("added", "changed", "unchanged", "refused")
    }


def test_a_file_is_tried_mended_and_loaded(looker: Looker, asking: Asking, tmp_path: Path) -> None:
    made = added(asking, "site", **site(81))
    file = tmp_path / "site.csv"
    file.write_text("site_id,name,lon\nS81,改过的名字,\nS82,新的,here\n", "utf-8")
    page = looker.open("/registers/site")
    page.click("text=导入文件")
    page.wait_for_selector("body[data-ready] #drop")
    page.set_input_files("#file", str(file))
    page.check("#changes")
    page.click("form button.main")
    page.wait_for_selector("#h-tried")
    assert counts(page) == {"added": "0", "changed": "1", "unchanged": "0", "refused": "1"}
    assert page.locator("#go").count() == 0
    assert "lon" in page.inner_text("#result tbody")
    with page.expect_download() as kept:
        page.click("#save-problems")
    assert "bad-value" in Path(kept.value.path()).read_text("utf-8-sig")
    file = tmp_path / "mended.csv"
    file.write_text("site_id,name,lon\nS81,改过的名字,\nS82,新的,114.1\n", "utf-8")
    page.set_input_files("#file", str(file))
    assert page.locator("#h-tried").count() == 0
    page.click("form button.main")
    page.wait_for_selector("#go")
    # somebody changes the record between the trial and the load: nothing is written
    told(asking, "PATCH", f"records/site/{made}", {"values": {"filing_no": "9"}}, **{"If-Match": '"1"'})
    page.click("#go")
    page.wait_for_selector(".notice.wrong")
    assert told(asking, "GET", f"records/site/{made}", None)["values"]["name"] == "网点 81"
    page.click("form button.main")
    page.wait_for_selector("#go:not([disabled])")
    page.click("#go")
    page.wait_for_selector("#done")
    assert told(asking, "GET", f"records/site/{made}", None)["values"]["name"] == "改过的名字"
    page.click("#done a")
    page.wait_for_selector("body[data-ready] #count")
    with page.expect_download() as kept:
        page.click("text=下载 CSV")
    assert "改过的名字" in Path(kept.value.path()).read_text("utf-8-sig")
    assert any("412" in line for line in looker.wrong)
    assert all("412" in line for line in looker.wrong)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "language"), [("phone", "zh"), ("desk", "en")])
def test_the_page_holds_on_a_phone_and_against_axe(
    chromium: sync_api.Browser, asking: Asking, tmp_path: Path, size: str, language: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = Looker(chromium, asking[0], size, language).sign_in()
    page = one.open("/register-load/site")
    file = tmp_path / "site.csv"
    file.write_text("site_id,name,lon\nS91,a,here\n", "utf-8")
    page.set_input_files("#file", str(file))
    page.click("form button.main")
    page.wait_for_selector("#h-tried")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if size != "phone":  # there the bar at the foot covers what is scrolled below it
        found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        assert found.response["violations"] == []
    one.context.close()
    assert one.wrong == []
