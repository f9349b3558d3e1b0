"""Administration in a browser: a user is shut out and let in, a role given and taken; one's own sessions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api_cases import fill_folder
from browser import CHROMIUM, THEMES, serving_here
from registers_cases import ADMIN, cheap_hashes
from test_web_browser import Looker, chromium, sync_api

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]

PATHS = (
    "/administration/users", "/administration/organisations", "/administration/audit",
    "/administration/retention", "/administration/backups", "/account",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("administration")
    fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address


@pytest.fixture
def boss(chromium: sync_api.Browser, base: str) -> Iterator[Looker]:
    one = Looker(chromium, base)
    one.open("/sign-in")
    one.page.fill("[name=user]", "admin")
    one.page.fill("[name=password]", ADMIN)
    one.page.click("#sign-in button")
    one.page.wait_for_url(f"{base}/")
    yield one
    one.context.close()
    assert one.wrong == []


def test_a_user_is_shut_out_let_in_again_and_given_a_role_that_is_taken_back(boss: Looker) -> None:
    page = boss.open("/administration/users")
    page.fill("#find", "looker")
    assert page.locator("[data-user]").count() == 1
    page.click("[data-user=looker-gd]")
    page.click("[data-do='administration.lock']")
    page.wait_for_selector("#user-state >> text=已停用")
    page.click("#told button")  # taken back with one click
    page.wait_for_selector("#user-state >> text=可登录")
    page.click("[data-do='administration.give']")
    page.select_option("dialog [name=role]", "planner")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("dialog .notice.wrong")  # nowhere said where it holds
    page.fill("dialog [name=region]", "440300")
    page.click("dialog button[type=submit]")
    page.click("[data-take=planner]")
    page.fill("dialog [name=reason]", "left")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("[data-take=planner]", state="detached")
    assert page.locator("[data-take=viewer]").count() == 1
    assert [line for line in boss.wrong if "400" not in line] == []
    boss.wrong.clear()
    boss.open("/administration/audit?action=remove&kind=grant")
    assert page.locator("#entries tbody tr").count() == 1
    assert "left" in page.inner_text("#entries tbody tr")
    page.click("#verify button")
    page.wait_for_selector("#head")


def test_what_is_due_is_told_before_anything_is_erased(boss: Looker) -> None:
    page = boss.open("/administration/retention")
    page.click("#example")
    page.click("#look-due")
    page.wait_for_selector("#due table")
    assert page.locator("#erase").count() == 0  # nothing is due: nothing to press
    page.click("#new-key")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#keys table")
    boss.open("/administration/backups")
    page.click("#back-up")
    page.click("[data-check]")
    page.wait_for_selector("#backups >> text=完好")


def test_ones_own_sessions_end_and_a_token_is_told_once(boss: Looker, base: str) -> None:
    page = boss.open("/account")
    page.click("#make-token")
    page.fill("dialog [name=label]", "script")
    page.fill("dialog [name=password]", ADMIN)
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#token")
    page.click("#end-others")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#end-others", state="detached")
    assert page.locator("#passes tbody tr").count() == 1
    boss.open("/account")
    assert page.locator("#token").count() == 0


def test_a_ticket_is_accepted_and_its_clock_runs(chromium: sync_api.Browser, base: str) -> None:
    duty = Looker(chromium, base).sign_in()
    csrf = duty.open("/account").get_attribute("meta[name=csrf]", "content") or ""
    made = duty.page.request.post(
        f"{base}/api/v1/rights-tickets", data={"kind": "pay", "firm": "sd-ns"}, headers={"X-CSRF-Token": csrf}
    )
    assert made.status == 201, made.text()
    page = duty.open(f"/registers/rights_ticket/{made.json()['ticket_id']}")
    assert page.locator("#ticket [data-step=settle]").count() == 0  # not before it is accepted
    page.click("#ticket [data-step=accept]")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#ticket [data-step=settle]")
    assert page.locator("#ticket [data-step=reply]").count() == 0  # that is the firm's
    assert page.locator("#clocks li").count() >= 1
    assert duty.wrong == []
    duty.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_against_pages_of_administration(boss: Looker, base: str, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    boss.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = {path: axe.run(boss.open(path), options=options) for path in PATHS}
    told = {path: result.generate_report() for path, result in found.items() if result.violations_count}
    assert told == {}
