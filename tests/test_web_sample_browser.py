"""A first visit in a real browser: sample data put in with one click, looked at, and removed with one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from api_cases import fill_folder
from browser import CHROMIUM
from registers_cases import cheap_hashes
from test_serve import serving
from test_web_browser import FLAGS, Looker

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes"]


@pytest.mark.slow
def test_sample_data_comes_and_goes_with_a_click_each(tmp_path: Path) -> None:
    fill_folder(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "networks" / "tiny")
    with serving(tmp_path / "data", tmp_path / "log") as (_, address), sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        base = address.replace("127.0.0.1", "localhost")
        reader = Looker(browser, base, language="en").sign_in("looker-gd")
        reader.page.goto(f"{base}/", wait_until="networkidle")
        assert not reader.page.is_visible("#sample")  # who may not put it in is not offered it
        one = Looker(browser, base, language="en").sign_in()
        page = one.page
        page.goto(f"{base}/", wait_until="networkidle")
        assert not page.query_selector("#map")  # nothing to see yet: the page says how to begin
        page.click("#put-in-sample")
        page.wait_for_selector("#remove-sample")
        assert page.eval_on_selector("#network", "one => one.value.startsWith('sample-')")
        page.wait_for_selector("#figures dd:has-text('402')")  # sites of the built-in cities
        page.goto(f"{base}/rural")
        page.wait_for_selector("#remove-sample")
        page.click("#remove-sample")
        page.wait_for_selector("#put-in-sample")
        page.goto(f"{base}/", wait_until="networkidle")
        assert not page.query_selector("#map")
        assert (one.wrong, reader.wrong) == ([], [])
        browser.close()
