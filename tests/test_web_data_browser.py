"""Data sets in a browser: one uploaded, found wanting, looked into and removed; a result kept as one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_cases import fill_folder
from browser import CHROMIUM, LANGUAGES, serving_here
from network_cases import TINY
from registers_cases import cheap_hashes
from test_web_browser import LONG_MS, SIZES, Looker, chromium, sync_api

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("data")
    fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address


def given(page: sync_api.Page, kind: str, name: str, files: list[dict[str, object]] | list[Path]) -> None:
    page.wait_for_selector("#upload form")
    page.select_option("#upload [name=kind]", kind)
    page.fill("#upload [name=id]", name)
    page.set_input_files("#upload [name=files]", files)
    page.click("#upload [type=submit]")


def test_a_network_is_uploaded_looked_into_used_and_removed(chromium: sync_api.Browser, base: str) -> None:
    looker = Looker(chromium, base, language="en").sign_in()
    page = looker.open("/data")
    page.click("[id='network/tiny'] summary")
    assert "Put into the data folder by hand" in page.inner_text("[id='network/tiny']")
    files = sorted(TINY.glob("*.csv"))
    rows = list(csv.DictReader(io.StringIO((TINY / "sites.csv").read_text("utf-8-sig"))))
    rows[0]["lat"] = "north"
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    wrong = {"name": "sites.csv", "mimeType": "text/csv", "buffer": text.getvalue().encode()}
    page.click("#upload-one")
    given(page, "network", "mine", [wrong])
    page.wait_for_selector("#upload [role=alert] li")
    told = page.inner_text("#upload")
    assert "sites.csv" in told
    assert "lat" in told
    assert page.locator("[id='network/mine']").count() == 0
    looker.wrong.clear()  # the console tells of an answer 422
    page.set_input_files("#upload [name=files]", files)
    page.click("#upload [type=submit]")
    card = page.locator("[id='network/mine']")
    card.wait_for()
    assert card.get_attribute("open") is not None
    assert f"{len(files)} files" in card.locator("summary").first.inner_text()
    with page.expect_download() as got:
        card.get_by_role("link", name="legs.csv").click()
    assert Path(got.value.path()).read_bytes() == (TINY / "legs.csv").read_bytes()
    card.locator("details summary").click()
    card.get_by_role("link", name="Stress test", exact=True).click()
    page.wait_for_selector("[name=network]")
    assert page.input_value("[name=network]") == '"mine"'
    page = looker.open("/data#network/mine")
    page.click("[id='network/mine'] button.danger")
    page.click("#ask button[type=submit]")
    page.wait_for_selector("[id='network/mine']", state="detached")
    assert looker.wrong == []


@pytest.mark.slow
def test_a_result_is_kept_from_its_page(chromium: sync_api.Browser, base: str) -> None:
    looker = Looker(chromium, base).sign_in()
    page = looker.open("/studies/rural%20make")
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.fill("[name=county]", "610524")
    page.fill("[name=villages]", "20")
    page.fill("[name=stations]", "3")
    page.click("#study button[type=submit]")
    page.wait_for_url("**/runs/*")
    page.wait_for_selector("body[data-run=done]", timeout=2 * LONG_MS)
    page.click("#keep")
    page.fill("#ask [name=id]", "made")
    page.click("#ask button[type=submit]")
    page.click(".toast a")
    page.wait_for_selector("[id='county/made'][open]")
    assert page.inner_text("[data-kind=county] h2") == "县域数据"
    assert looker.wrong == []


def test_who_only_looks_may_not_add_or_remove(chromium: sync_api.Browser, base: str) -> None:
    page = Looker(chromium, base).sign_in("looker-gd").open("/data")
    page.wait_for_selector("[id='network/tiny']")
    assert page.locator("#upload-one, button.danger").count() == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_holds_on_a_phone_and_against_axe(chromium: sync_api.Browser, base: str, language: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    looker = Looker(chromium, base, "phone", language).sign_in()
    page = looker.open("/data#network/tiny")
    page.click("#upload-one")
    page.wait_for_selector("#upload form")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["phone"][0]
    found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert looker.wrong == []
