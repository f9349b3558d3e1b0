"""Holds and hand-over in a browser: a record held, let go and handed over after a look; a person's work."""

from __future__ import annotations

import pytest
from browser import CHROMIUM, LANGUAGES
from registers_cases import ADMIN, cheap_hashes, hazard, site
from test_web_browser import Looker, chromium, sync_api
from test_web_registers_browser import Asking, added, asking, told

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["asking", "cheap_hashes", "chromium"]


@pytest.mark.slow
def test_a_record_is_held_let_go_and_handed_over(chromium: sync_api.Browser, asking: Asking) -> None:
    made = added(asking, "site", **site(71))
    added(asking, "hazard", **hazard(site=made))
    duty = Looker(chromium, asking[0]).sign_in()
    page = duty.open(f"/registers/site/{made}")
    assert page.locator("#hand-over").count() == 0  # that is for administrators
    page.click("#hold")
    page.fill("dialog [name=reason]", "案件 12")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("[data-hold] >> text=案件 12")
    page = duty.open("/holds")
    assert page.locator("[data-lift]").count() == 0
    assert page.locator("#by-id").count() == 0
    admin = Looker(chromium, asking[0])
    admin.open("/sign-in")
    admin.page.fill("[name=user]", "admin")
    admin.page.fill("[name=password]", ADMIN)
    admin.page.click("#sign-in button")
    admin.page.wait_for_url(lambda url: "sign-in" not in url)
    page = admin.open("/holds")
    page.click("[data-lift]")
    page.fill("dialog [name=reason]", "结案")
    page.click("dialog button[type=submit]")
    page.wait_for_selector(".empty")
    page.click("#by-id")
    page.select_option("dialog [name=kind]", "site")
    page.fill("dialog [name=record]", made)
    page.fill("dialog [name=reason]", "案件 13")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("[data-lift]")
    page = admin.open(f"/registers/site/{made}")
    page.click("#hand-over")
    page.select_option("dialog [name=to]", "spb-sz")
    page.fill("dialog [name=reason]", "划转")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("dialog button.danger")
    assert "隐患 1" in page.inner_text("dialog")
    assert told(asking, "GET", f"records/site/{made}", None)["organisation"] == "spb-gd"
    page.click("dialog button.danger")
    page.wait_for_selector(".toast")
    assert told(asking, "GET", f"records/site/{made}", None)["organisation"] == "spb-sz"
    page = admin.open("/administration/organisations")  # all of an organisation's, after a look as well
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for _ in range(2):
        page.click("[data-hand-over=spb-sz]")
        page.select_option("dialog [name=to]", "spb-gd")
        page.fill("dialog [name=reason]", "划回")
        page.click("dialog button[type=submit]")
        if told(asking, "GET", f"records/site/{made}", None)["organisation"] == "spb-sz":
            page.wait_for_selector("dialog[open] >> text=站点 1")
            page.click("dialog button[type=submit]")
            page.wait_for_selector("dialog", state="hidden")
            page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_selector(".toast >> text=没有可移交的记录")
    assert told(asking, "GET", f"records/site/{made}", None)["organisation"] == "spb-gd"
    assert (duty.wrong, admin.wrong) == ([], [])
    duty.context.close()
    admin.context.close()


def test_the_work_of_one_goes_to_another_after_a_look(chromium: sync_api.Browser, asking: Asking) -> None:
    made = added(asking, "hazard", **hazard(title="滚筒"))
    told(asking, "POST", f"records/hazard/{made}/moves", {"action": "assign", "owner": "duty-gd"})
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = Looker(chromium, asking[0]).sign_in()
    page = one.open("/hand-over")
    page.select_option("[name=giver]", "duty-gd")
    page.select_option("[name=taker]", "second-gd")
    page.fill("[name=reason]", "调岗")
    page.click("form button.main")
    page.wait_for_selector("#go")
    found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.response["violations"] == []
    page.click("#go")
    page.wait_for_selector("#h-told >> text=已移交")
    page.click("form button.main")
    page.wait_for_selector("#moved >> text=没有")
    assert page.locator("#go").count() == 0
    one.context.close()
    assert one.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_no_wider_than_a_phone(chromium: sync_api.Browser, asking: Asking, language: str) -> None:
    made = added(asking, "site", **site(f"9{language}"))
    told(
        asking, "POST", f"records/site/{made}/holds", {"reason": "a reason that is somewhat long, of a case"}
    )
    one = Looker(chromium, asking[0], "phone", language).sign_in()
    for path in ("/holds", "/hand-over", f"/registers/site/{made}"):
        page = one.open(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    one.context.close()
    assert one.wrong == []
