"""What is due as a page, hazards taken over with photos, a roster put in force, check-in on the phone."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_cases import fill_folder
from browser import CHROMIUM, LANGUAGES, serving_here
from duty_cases import roster_folder
from page_checks import as_wide_as_its_screen, readable
from registers_cases import cheap_hashes, hazard
from test_web_browser import Looker, chromium, sync_api

from changtong.api.answers import plain_row

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]

Asking = tuple[str, dict[str, str]]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    place = tmp_path_factory.mktemp("tasks")
    tokens = fill_folder(place / "data")
    with serving_here(place / "data") as address:
        yield address, tokens


@pytest.fixture
def looker(chromium: sync_api.Browser, asking: Asking) -> Iterator[Looker]:
    one = Looker(chromium, asking[0]).sign_in()
    yield one
    one.context.close()
    assert one.wrong == []


def told(asking: Asking, method: str, path: str, user: str = "duty-gd", **more: Any) -> dict[str, Any]:
    """Ask the API as somebody; return what it tells."""
    headers = {"Authorization": f"Bearer {asking[1][user]}"}
    answer = httpx.request(method, f"{asking[0]}/api/v1/{path}", headers=headers, timeout=60, **more)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made


def added(asking: Asking, user: str = "duty-gd", **values: Any) -> str:
    body = {"records": [{"values": plain_row(hazard(**values))}]}
    return str(told(asking, "POST", "records/hazard", user, json=body)["records"][0]["id"])


def picture() -> bytes:
    """Return a PNG of one red dot."""

    def part(kind: bytes, content: bytes) -> bytes:
        sums = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + sums

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    dot = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", dot) + part(b"IEND", b"")


def test_what_is_overdue_stands_first_and_leads_to_its_record(looker: Looker, asking: Asking) -> None:
    late = added(asking, title="护栏缺失", deadline=NOW - timedelta(days=2), grade="major")
    added(asking, title="灭火器过期", deadline=NOW + timedelta(days=3))
    added(asking, title="还早", deadline=NOW + timedelta(days=80))
    page = looker.open("/tasks?kind=hazard")
    assert "护栏缺失" in page.inner_text("#overdue")
    assert "重大" in page.inner_text("#overdue")
    assert "灭火器过期" in page.inner_text("#due")
    assert "还早" not in page.inner_text("#tasks")
    looker.open("/tasks?kind=hazard&ahead=90")
    assert "还早" in page.inner_text("#due")
    page.click("#overdue tbody a")
    page.wait_for_url(f"**/registers/hazard/{late}")


def test_a_hazard_is_taken_over_found_again_and_its_photo_shown(looker: Looker, asking: Asking) -> None:
    made = added(asking, title="线路裸露", deadline=NOW + timedelta(days=9))
    files = {"file": ("photo.png", picture())}
    told(asking, "POST", f"records/hazard/{made}/attachments", files=files)
    page = looker.open(f"/registers/hazard/{made}")
    page.click("[data-step=take]")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#state >> text=整改中")
    assert page.inner_text("[data-column=owner]") == "duty-gd"
    assert page.locator("[data-step=take]").count() == 0
    page.click("[data-step=seen]")
    page.fill("dialog [name=text]", "还在那里")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("[data-column=seen] >> text=1")
    page.click("#show-photos")
    page.fill("dialog [name=reason]", "核对整改")
    page.click("dialog button[type=submit]")
    page.wait_for_selector(".photos img")
    assert page.evaluate("document.querySelector('.photos img').naturalWidth") == 1
    looker.open("/tasks?mine=yes")
    assert "线路裸露" in page.inner_text("#due")
    assert "灭火器" not in page.inner_text("#tasks")


def test_somebody_of_another_region_has_nothing_to_do_here(
    chromium: sync_api.Browser, asking: Asking
) -> None:
    made = added(asking, title="别处看不到", deadline=NOW + timedelta(days=1))
    other = Looker(chromium, asking[0]).sign_in("duty-bj")
    page = other.open("/tasks")
    assert "别处看不到" not in page.inner_text("main")
    answer = page.goto(f"{other.base}/registers/hazard/{made}")
    assert answer is not None
    assert answer.status == 404
    other.context.close()


@pytest.mark.slow
def test_a_computed_roster_is_put_in_force_from_its_run_and_somebody_checks_in(
    chromium: sync_api.Browser, looker: Looker, asking: Asking, tmp_path: Path
) -> None:
    told(asking, "POST", "duty-rooms", json={"title": "值班大厅", "id": "hall"})
    folder = roster_folder(tmp_path / "roster", ("duty-gd", "wu", "he")) / "duty"
    files = [("files", (path.name, path.read_bytes())) for path in folder.iterdir()]
    told(asking, "POST", "datasets", data={"kind": "duty", "id": "crew"}, files=files)
    first = (NOW - timedelta(days=2)).date()
    asked = {"from": str(first), "to": str(first + timedelta(days=4))}
    run = told(
        asking,
        "POST",
        "runs",
        json={"study": "duty roster", "inputs": {"duty": "crew"}, "parameters": asked},
    )
    until = time.monotonic() + 200
    while not (ended := told(asking, "GET", f"runs/{run['id']}"))["ended_at"] and time.monotonic() < until:
        time.sleep(0.3)
    assert ended["state"] == "done", ended
    page = looker.open("/areas/people")
    card = page.locator("[data-study='duty roster']")
    assert "完成" in card.inner_text()
    assert "值班班次" in card.inner_text()
    card.locator(".newest a").first.click()
    page.wait_for_selector("#in-force")
    page.click("#in-force")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#told >> text=版本 1")
    phone = Looker(chromium, asking[0], "phone").sign_in()
    on_phone = phone.open("/duty?room=hall")
    on_phone.wait_for_selector("#check-in")
    on_phone.click("#now tbody button")
    on_phone.wait_for_selector("#told >> text=已签到")
    phone.context.close()


@pytest.mark.slow
def test_readers_of_screens_can_read_what_is_due_and_the_areas(looker: Looker) -> None:
    for theme in ("light", "dark"):
        for path in ("/tasks", "/areas/people", "/areas/safety", "/duty"):
            readable(looker, path, theme)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_due_fits_a_telephone(chromium: sync_api.Browser, asking: Asking, language: str) -> None:
    one = Looker(chromium, asking[0], "phone", language).sign_in()
    for path in ("/tasks", "/areas/people", "/areas/safety"):
        as_wide_as_its_screen(one, path)
    one.context.close()
    assert one.wrong == []
