"""Pages of the registers in a browser: a hazard put right, a change that meets another, a call answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from api_cases import PEOPLE, fill_folder
from browser import CHROMIUM, serving_here
from duty_cases import roster_folder
from registers_cases import cheap_hashes, hazard, site
from test_web_browser import LONG_MS, Looker, chromium, sync_api

from changtong.api.answers import plain_row
from changtong.rights.scope import Scope

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]

Asking = tuple[str, dict[str, str]]
"""Address of the server, and a token for each person."""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    place = tmp_path_factory.mktemp("registers")
    second = ("spb-gd", ("duty_officer", Scope(region="440000")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PEOPLE, "second-gd", second)
        tokens = fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address, tokens


@pytest.fixture
def looker(chromium: sync_api.Browser, asking: Asking) -> Iterator[Looker]:
    one = Looker(chromium, asking[0]).sign_in()
    yield one
    one.context.close()
    assert one.wrong == []


def told(asking: Asking, method: str, path: str, body: object, user: str = "duty-gd", **more: str) -> dict:
    """Ask the API as somebody; return what it tells."""
    headers = {"Authorization": f"Bearer {asking[1][user]}", **more}
    answer = httpx.request(method, f"{asking[0]}/api/v1/{path}", json=body, headers=headers, timeout=60)
    assert answer.is_success, answer.text
    made: dict = answer.json()
    return made


def added(asking: Asking, kind: str, **values: object) -> str:
    made = told(asking, "POST", f"records/{kind}", {"records": [{"values": plain_row(values)}]})
    return str(made["records"][0]["id"])


def test_a_hazard_is_added_and_moved_until_it_is_rectified(looker: Looker) -> None:
    page = looker.open("/register-new/hazard")
    page.fill("[name=title]", "滚筒没有护栏")
    page.fill("[name=deadline]", "2027-01-05T18:00")
    page.fill("[name=found_at]", "2026-06-01T08:00")
    page.click("form button.main")
    page.wait_for_selector("#state")
    assert page.inner_text("#state") == "待整改"
    page.click("[data-step=assign]")
    page.fill("dialog [name=owner]", "duty-gd")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#state >> text=整改中")
    page.click("[data-step=done]")
    page.fill("dialog [name=evidence]", "photo 1")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#state >> text=待复查")
    assert page.locator("[data-step=pass]").count() == 0  # who mends does not look again
    looker.open("/registers/hazard?state=rectified")
    assert "滚筒没有护栏" in page.inner_text("#register tbody")


def test_a_change_that_meets_another_keeps_what_was_typed(looker: Looker, asking: Asking) -> None:
    made = added(asking, "site", **site(5))
    page = looker.open(f"/registers/site/{made}")
    page.click("#edit")
    page.fill("[name=name]", "我的名字")
    body = {"values": {"status_reason": "停电"}}
    told(asking, "PATCH", f"records/site/{made}", body, **{"If-Match": '"1"'})
    page.click("form button.main")
    page.wait_for_selector("#conflict")
    assert "停电" in page.inner_text("#conflict")
    assert page.input_value("[name=name]") == "我的名字"
    assert page.input_value("[name=status_reason]") == "停电"
    page.click("form button.main")
    page.wait_for_selector("dd[data-column=name] >> text=我的名字")
    assert page.inner_text("dd[data-column=status_reason]") == "停电"
    assert any("412" in line for line in looker.wrong)
    looker.wrong.clear()


def test_what_is_refused_is_told_beside_its_field(looker: Looker, asking: Asking) -> None:
    added(asking, "site", **site(6))
    page = looker.open("/register-new/site")
    page.fill("[name=site_id]", "S6")
    page.fill("[name=name]", "又一个")
    page.click("form button.main")
    page.wait_for_selector(".notice.wrong")
    assert page.input_value("[name=name]") == "又一个"
    looker.wrong.clear()


def test_a_register_is_filtered_and_goes_on_page_by_page(looker: Looker, asking: Asking) -> None:
    for k in range(3):
        added(asking, "hazard", **hazard(title=f"H{k}", grade="major"))
    page = looker.open("/registers/hazard?grade=major&limit=2")
    assert page.locator("#register tbody tr").count() == 2
    page.click("[rel=next]")
    page.wait_for_selector("body[data-ready] >> text=回到首页")
    assert page.locator("#register tbody tr").count() == 1
    page.select_option("[name=grade]", "general")
    page.click(".filters button.main")
    page.wait_for_url("**grade=general**")


def test_a_call_is_answered_once_and_the_second_is_told_who(
    looker: Looker, asking: Asking, tmp_path: Path
) -> None:
    told(asking, "POST", "duty-rooms", {"title": "大厅", "id": "hall"})
    folder = roster_folder(tmp_path / "roster", ("duty-gd", "wu", "he"))
    today = datetime.now(UTC).date()
    days = {f"2026-03-0{2 + k}": str(today + timedelta(days=k - 1)) for k in range(3)}
    files = {}
    for path in (one for one in folder.rglob("*") if one.is_file()):
        text = path.read_text("utf-8")
        for old, new in days.items():
            text = text.replace(old, new)
        files[str(path.relative_to(folder))] = text
    told(asking, "POST", "duty-rooms/hall/rosters", {"files": files})
    told(asking, "POST", "duty-rooms/hall/calls", {"call": "c1", "chain": "flood", "subject": "水位上涨"})
    page = looker.open("/duty")
    assert page.locator("#days tbody tr").count() == 3
    page.wait_for_selector("[data-call=c1] .clock")
    told(asking, "POST", "duty-rooms/hall/calls/c1/answer", {}, user="second-gd")
    page.click("[data-call=c1] button")
    page.wait_for_selector("#told .toast.wrong >> text=second-gd 先应答了", timeout=LONG_MS)
    page.wait_for_selector("#calls >> text=没有待应答的呼叫")
    page.click("#notes button >> text=写交班记录")
    page.fill("dialog [name=open]", "二号坡道")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("[data-note] >> text=二号坡道")
