"""The page of an issued plan in a browser: a plan is withdrawn, and who has read that is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api_cases import fill_folder
from browser import CHROMIUM, serving_here
from issued_cases import issued, plan_folder
from registers_cases import cheap_hashes
from test_web_browser import Looker, chromium, sync_api

from changtong.storage.store import open_store
from changtong.web.words import say

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]


@pytest.fixture(scope="module")
def plan_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server, and the path of a plan that is out at sites B and H1."""
    data = tmp_path_factory.mktemp("issued") / "data"
    tokens = fill_folder(data)
    with open_store(data / "registers.db", files=data / "registers.db.files") as store:
        desks = {"li": store.desk(tokens["duty-gd"]), "wu": store.desk(tokens["other-gd"])}
        plan = issued(desks, plan_folder(data.parent / "plan"))
    with serving_here(data) as address:
        yield address, f"/issued/{plan}"


def test_a_withdrawn_plan_shows_who_has_read_that(
    chromium: sync_api.Browser, plan_at: tuple[str, str]
) -> None:
    base, path = plan_at
    one, other = Looker(chromium, base).sign_in(), Looker(chromium, base, "phone", "en").sign_in("other-gd")
    looks = Looker(chromium, base, "phone", "en").sign_in("looker-gd")
    page, second = one.open(path), other.open(path)
    second.click("#orders tbody tr:has-text('H1') button")  # read before it is withdrawn
    second.wait_for_selector("#ask[open]")
    page.click(f"#plan button >> text={say('zh', 'issued.withdraw')}")
    page.fill("#ask [name=reason]", "A 已恢复")
    page.click("#ask button[type=submit]")
    page.wait_for_selector("body[data-state=withdrawn]")
    assert "撤回待签收 2" in page.inner_text("#plan")
    second.wait_for_selector("body[data-state=withdrawn]", state="attached")
    second.fill("#ask [name=said_by]", "duty telephone")
    second.click("#ask button[type=submit]")
    second.wait_for_selector("#ask .notice.wrong")  # the orders that it read are no longer these
    assert page.inner_text("#orders").count("撤回待签收") == 2
    second.keyboard.press("Escape")
    second.wait_for_selector("#orders tr:has-text('H1'):has-text('withdrawal not acknowledged')")
    second.click("#orders tbody tr:has-text('H1') button")
    second.fill("#ask [name=said_by]", "duty telephone")
    second.click(f"#ask button >> text={say('en', 'issued.acknowledge_stop')}")
    page.wait_for_selector("#orders tr:has-text('H1'):has-text('撤回已签收'):has-text('other-gd')")
    page.wait_for_selector("#plan:has-text('撤回待签收 1')")
    page.select_option("#state", "stop_waits")
    page.wait_for_function("() => document.querySelectorAll('#orders tbody tr').length === 1")
    assert "B" in page.inner_text("#orders tbody tr")
    third = looks.open(path)  # who only looks is not offered to answer
    third.click("#orders tbody tr:has-text('B') button")
    third.wait_for_selector("#ask[open]")
    assert third.locator("#ask [name=said_by]").count() == 0
    page.click("#orders tbody tr button")
    page.fill("#ask [name=said_by]", "值班电话")
    page.click("#ask button[type=submit]")
    page.wait_for_selector("#plan:has-text('撤回已签收 2')")
    assert "2 / 2" in one.open("/issued").inner_text("#plans")
    for looker in (one, other, looks):
        looker.context.close()
    assert one.wrong == looks.wrong == []
    assert [said for said in other.wrong if "412" not in said] == []
