"""The live picture in a real browser: a slider over hours, alerts as they change, an item that waits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from browser import CHROMIUM, SCREENS, THEMES, serving_here
from live_cases import DAYS, ENDS_AT, GAP, ZONE, fill_live
from registers_cases import cheap_hashes
from test_web_browser import FLAGS, Looker

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes"]

TODAY = date(2026, 6, 16)
"""Last day of the log: a day of the past, so that its data is stale whenever this runs."""

assert ZONE.key == "Asia/Shanghai"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("live")
    fill_live(place / "data", TODAY)
    with serving_here(place / "data") as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as play:
        yield play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


@pytest.fixture
def looker(chromium: sync_api.Browser, base: str) -> Iterator[Looker]:
    one = Looker(chromium, base, language="en").sign_in()
    yield one
    one.context.close()
    assert one.wrong == []


def figure(page: sync_api.Page, name: str) -> str:
    return str(page.inner_text(f"[data-figure={name}] dd"))


def at(page: sync_api.Page, words: str) -> None:
    page.wait_for_selector(f"#basis:has-text('{words}')")


@pytest.mark.slow
def test_the_slider_moves_over_hours_days_and_into_the_forecast(looker: Looker) -> None:
    page = looker.open("/")
    assert page.input_value("#log") == "live"
    newest = f"{TODAY} {ENDS_AT - 1:02d}:00–{ENDS_AT:02d}:00"
    at(page, newest)
    assert "stale" in page.inner_text("#age")
    assert str(TODAY - timedelta(days=DAYS - 1 - GAP)) in page.inner_text("#gaps")
    # 60 pieces came and 6 stay, twice those of the day before and the week before
    page.wait_for_function("() => document.querySelectorAll('[data-figure=scans] b').length === 2")
    page.wait_for_selector("[data-figure=scans] small:nth-child(2):has-text('100% more')")
    assert figure(page, "scans").startswith("54")
    page.focus("#time")
    page.keyboard.press("ArrowLeft")
    at(page, f"{TODAY} {ENDS_AT - 2:02d}:00")
    assert figure(page, "scans").startswith("60")
    assert f"at={TODAY}T{ENDS_AT - 2:02d}" in page.url
    page.keyboard.press("PageDown")
    at(page, f"{TODAY - timedelta(days=1)} {ENDS_AT - 2:02d}:00")
    assert figure(page, "scans").startswith("30")
    page.fill("#day", str(TODAY - timedelta(days=DAYS - 1 - GAP)))
    at(page, "No scan in this hour")
    assert "no comparison" in figure(page, "scans")
    page.focus("#time")
    page.keyboard.press("End")
    at(page, newest)
    page.keyboard.press("ArrowRight")
    at(page, f"Forecast: pieces coming in on {TODAY + timedelta(days=1)}")
    assert re.search(r"40\s+80 %: 31 – 52", figure(page, "forecast"))
    page.reload()  # the address says what is shown
    page.wait_for_selector("body[data-ready]")
    at(page, "Forecast")
    page.click("#as-table summary")
    page.wait_for_selector("#table td:has-text('32 – 49')")


@pytest.mark.slow
def test_it_plays_and_pauses(looker: Looker) -> None:
    page = looker.open(f"/?at={TODAY}T07")
    page.click("#play")
    at(page, f"{TODAY} 08:00")
    page.click("#play")
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_an_alert_opens_a_case_with_its_sites(chromium: sync_api.Browser, base: str) -> None:
    one = Looker(chromium, base, language="en").sign_in()
    page = one.open("/?log=live")
    page.click("#alert-list a >> text=Open a case")
    page.wait_for_selector("#new .notice >> text=By an alert")
    page.select_option("[name=plan]", "network-interruption")
    page.wait_for_selector("#plan-says >> text=I")
    assert page.input_value("[name=event]").endswith("A")
    page.click("#new button.main")
    page.wait_for_selector("body[data-state=open]")
    assert "From alert" in page.inner_text("#case")
    assert page.inner_text("#sites tbody th a") == "A"
    one.context.close()
    assert one.wrong == []


def test_an_alert_leads_to_its_site_and_is_followed_by_others(chromium: sync_api.Browser, base: str) -> None:
    one, other = (Looker(chromium, base, language="en").sign_in(user) for user in ("duty-gd", "other-gd"))
    looks = Looker(chromium, base, language="en").sign_in("looker-gd")
    page, second = one.open("/"), other.open("/")
    page.wait_for_selector("[data-alert]")
    second.wait_for_selector("[data-alert][data-handling=new]")
    page.click("[data-alert] button.link")
    page.wait_for_selector("#selection h2")
    assert "site=A" in page.url
    held: list[sync_api.Route] = []
    page.route("**/seen", lambda route: held.append(route))
    page.click("#alert-list button >> text=Seen")
    page.wait_for_timeout(100)
    late = held[0].fetch()  # what was answered comes after the news of what followed
    second.wait_for_selector("#alert-list [data-handling=seen]")  # without a reload
    second.click("#alert-list button >> text=Close")
    second.fill("#ask textarea", "a bridge is shut, known")
    second.click("#ask button[type=submit]")
    page.wait_for_selector("#alert-list:has-text('No open alert')")
    held[0].fulfill(response=late)
    page.wait_for_timeout(300)
    assert "No open alert" in page.inner_text("#alert-list")
    page.check("#closed-too")
    assert "a bridge is shut" in page.inner_text("#alert-list")
    third = looks.open("/#site=A")
    third.check("#closed-too")
    third.wait_for_selector("[data-alert]")
    assert third.locator("#alert-list button >> text=Close").count() == 0
    third.wait_for_selector("#site-now .bars")
    assert third.locator("#waits").count() == 0  # what would be refused is not offered
    for who in (one, other, looks):
        who.context.close()
        assert who.wrong == []


def test_from_a_site_to_the_item_that_waits_longest_and_its_way(looker: Looker) -> None:
    page = looker.open("/#site=A")
    page.click("#waits summary")
    page.wait_for_selector("[data-item]")
    # three of thirty stay each day, six on the last: 7 days with 3, and the six
    assert page.locator("[data-item]").count() == 27
    page.select_option("#waits select", "express")
    page.wait_for_function("() => document.querySelector('#waits').innerText.includes('18 at')")
    page.click("[data-item] >> nth=0")
    page.fill("#ask input", "a complaint")
    page.click("#ask button[type=submit]")
    page.wait_for_selector("#track:visible")
    said = page.inner_text("#track")
    assert "accepted from the sender" in said
    assert "still there" in said
    page.focus("#time")
    page.keyboard.press("ArrowLeft")
    at(page, "08:00–09:00")
    page.wait_for_selector("#site-now .bars")


@pytest.mark.slow
def test_a_class_is_looked_at_alone_and_stays_chosen(looker: Looker) -> None:
    page = looker.open(f"/?at={TODAY}T08")
    at(page, f"{TODAY} 08:00")
    assert figure(page, "scans").startswith("60")
    assert page.eval_on_selector_all("#class option", "all => all.map(one => one.value)") == [
        "", "express", "parcel",
    ]  # fmt: skip
    page.select_option("#class", "express")
    at(page, "Only class express")
    assert figure(page, "scans").startswith("40")
    page.wait_for_selector("[data-figure=scans] small:nth-child(2):has-text('100% more')")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    at(page, "Only class express")
    assert (page.input_value("#class"), figure(page, "scans")[:2]) == ("express", "40")
    page.select_option("#class", "parcel")
    page.wait_for_function(
        "() => document.querySelector('[data-figure=scans] dd').innerText.startsWith('20')"
    )
    page.click("#now")  # a later hour, the same class
    at(page, "Only class parcel")


@pytest.mark.slow
def test_what_is_chosen_is_in_the_address(looker: Looker) -> None:
    page = looker.open("/")
    page.select_option("#measure", "backlog")
    page.select_option("#kind", "county")
    page.wait_for_function(
        "() => location.search.includes('measure=backlog') && location.search.includes('kind=county')"
    )
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert (page.input_value("#measure"), page.input_value("#kind")) == ("backlog", "county")
    page.select_option("#log", "")
    page.wait_for_selector("#basis:has-text('A normal day')")
    assert not page.is_visible("#timebar")


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SCREENS)
def test_axe_finds_nothing_and_no_screen_is_too_narrow(
    chromium: sync_api.Browser, base: str, theme: str, size: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = Looker(chromium, base, size).sign_in()
    one.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
    page = one.open("/#site=A")
    page.click("#waits summary")
    page.wait_for_selector("[data-item]")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = axe.run(page, options=options)
    assert found.violations_count == 0, found.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    one.context.close()
