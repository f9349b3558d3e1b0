"""Pages of assessments in a browser: from a self-report to a notice and a gap closed, by three people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api_cases import PEOPLE, fill_folder
from assessment_cases import deduct, fact, head
from browser import CHROMIUM, LANGUAGES, THEMES, serving_here
from page_checks import as_wide_as_its_screen, readable
from registers_cases import cheap_hashes
from scorecard_cases import CARD, small_card
from test_web_browser import Looker, chromium, sync_api

from changtong.assessment.card_writer import write_scorecard
from changtong.rights.scope import Scope

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]

GUANGDONG, OUTLET = Scope(region="440000"), Scope("/sd/sd-gd/sd-sz/sd-ns/")
MORE = {
    "report-sd": ("sd-ns", ("duty_officer", OUTLET)),
    "review-gd": ("spb-gd", ("assessor", GUANGDONG)),
    "assess-gd": ("spb-gd", ("assessor", GUANGDONG)),
    "assess-bj": ("spb-bj", ("assessor", Scope(region="110000"))),
}
ONE = f"/assessment/{CARD}/a"
INDICATORS = [
    {"indicator_id": "real-name", "section_id": "s", "name_zh": "实名率", "name_en": "Real names",
     "unit": "share", "max_points": 20.0, "scoring": "linear", "zero_at": 0.9, "full_at": 1.0,
     "evidence_wanted": "月度统计"},
    {"indicator_id": "screened", "section_id": "s", "name_zh": "安检率", "unit": "share", "max_points": 10.0,
     "scoring": "steps", "steps": "0.9:4; 1:10", "evidence_wanted": "安检机日志"},
]  # fmt: skip


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A server with a card of two outlets that is kept; its address, and a token for each person."""
    place = tmp_path_factory.mktemp("assessment")
    with pytest.MonkeyPatch.context() as patch:
        for name, one in MORE.items():
            patch.setitem(PEOPLE, name, one)
        tokens = fill_folder(place / "data")
    about = head(decimals=2, report_by="2026-01-31", review_by="2099-03-01", appeal_by="2099-04-01")
    card = small_card(
        about,
        indicators=INDICATORS,
        departments=[],
        rules=[deduct("open", 3.0)],
        facts=[fact("F1", "a", "open")],
    )
    folder = write_scorecard(card, place / "card")
    files = {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}
    with serving_here(place / "data") as address:
        headers = {"Authorization": f"Bearer {tokens['review-gd']}"}
        kept = httpx.post(f"{address}/api/v1/scorecards", json={"files": files}, headers=headers, timeout=60)
        assert kept.status_code == 201, kept.text
        yield address, tokens


@pytest.fixture
def people(chromium: sync_api.Browser, asking: tuple[str, dict[str, str]]) -> Iterator[dict[str, Looker]]:
    """Somebody of the outlet, a reviewer, an assessor, and one of another region, each with a browser."""
    found = {name: Looker(chromium, asking[0]).sign_in(name) for name in MORE}
    yield found
    for one in found.values():
        one.context.close()
        assert one.wrong == []


def put_down(page: sync_api.Page, stage: str, real_name: str, screened: str, evidence: str = "") -> None:
    page.click(f"[data-stage={stage}]")
    page.fill("[name='value real-name']", real_name)
    page.fill("[name='value screened']", screened)
    if evidence:
        page.fill("[name='evidence screened']", evidence)
    page.click("#say button.main")
    page.wait_for_selector(f"body[data-state={stage}]")


def test_an_assessment_from_self_report_to_notice_and_a_gap_closed(
    people: dict[str, Looker], tmp_path: Path
) -> None:
    # the outlet reports, with a file as evidence
    page = people["report-sd"].open("/assessment")
    assert "非官方" in page.inner_text("#provenance")
    assert "已逾期" in page.inner_text("#assessments tbody")
    assert page.locator("#assessments tbody tr").count() == 1  # the other outlet is not there
    page.click("#assessments tbody a")
    page.wait_for_selector("body[data-state=open]")
    page.click("[data-stage=self_report]")
    proof = tmp_path / "statistics.txt"
    proof.write_text("registered 980 of 1000")
    page.set_input_files("[name='file real-name']", proof)
    page.wait_for_selector("[data-item=real-name] >> text=已保存")
    assert len(page.input_value("[name='evidence real-name']")) > 10
    page.fill("[name='value real-name']", "0.98")
    page.click("#say button.main")
    page.wait_for_selector("body[data-state=self_report]")
    row = page.locator(".items tbody tr >> nth=0")
    assert "0.98 → 16 分" in row.inner_text()
    assert row.locator("a >> text=附件").count() == 1
    assert "未报" in page.locator(".items tbody tr.missing").inner_text()
    assert page.locator("#put").count() == 0

    # the reviewer disagrees on one item and tells why; then the notice goes out
    page = people["review-gd"].open(ONE)
    put_down(page, "review", "0.95", "0.93", "抽查日志缺两天")
    assert "相差 -6 分" in page.locator(".items tr.differs").inner_text()
    assert "抽查日志缺两天" in page.inner_text(".items")
    # 10 to begin with, 10 and 4 measured, 3 taken off
    assert page.inner_text(".figures dd >> nth=0") == "21"
    page.click("#issue")
    page.fill("dialog [name=note]", "请限期整改")
    page.click("dialog button[type=submit]")
    page.wait_for_selector(".path >> text=通知")
    page.wait_for_selector("dialog:not([open])", state="attached")

    # who is assessed reads it, prints it, receives it
    page = people["report-sd"].open(f"{ONE}/notice")
    text = page.inner_text("#notice")
    assert "得分 21" in text
    assert "请限期整改" in text
    page = people["report-sd"].open(ONE)
    page.click("#receive")
    page.fill("dialog [name=words]", "收到")
    page.click("dialog button[type=submit]")
    page.wait_for_selector(".path >> text=已签收")

    # the assessor puts a gap down, the outlet puts it right, the assessor accepts
    page = people["assess-gd"].open(ONE)
    page.check("[name=cause][value='indicator:screened']")
    page.click("#put")
    page.fill("dialog [name=days]", "10")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#put-right tbody a")
    place = page.get_attribute("#put-right tbody a", "href") or ""
    page = people["report-sd"].open(place)
    for step in ("under_way", "done"):
        page.click(f"[data-step={step}]")
        page.click("dialog button[type=submit]")
        page.wait_for_selector("dialog:not([open])", state="attached")
    assert page.locator("[data-step=accepted]").count() == 0
    page = people["assess-gd"].open(place)
    page.click("[data-step=accepted]")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("#state >> text=已验收")
    page = people["report-sd"].open(ONE)
    assert "已验收" in page.inner_text("#put-right")

    # the last word
    page = people["assess-gd"].open(ONE)
    put_down(page, "final", "0.97", "1")
    assert page.inner_text(".figures dd >> nth=0") == "31"
    page = people["assess-gd"].open(f"/assessment/{CARD}")
    assert "31" in page.locator("#round tbody tr").first.inner_text()


def test_somebody_of_another_region_sees_nothing_of_it(people: dict[str, Looker]) -> None:
    other = people["assess-bj"]
    page = other.open("/assessment")
    assert "没有您可以看到的考核" in page.inner_text("#assessments")
    for path in (ONE, f"{ONE}/notice", f"/assessment/{CARD}"):
        answer = page.goto(other.base + path)
        assert answer is not None
        assert answer.status == 404
        assert "网点" not in page.inner_text("main")
    other.wrong.clear()


@pytest.mark.parametrize("theme", THEMES)
def test_readers_of_screens_can_read_the_pages(people: dict[str, Looker], theme: str) -> None:
    for name in ("review-gd", "report-sd"):
        for path in ("/assessment", ONE, f"{ONE}/notice"):
            readable(people[name], path, theme)
    readable(people["review-gd"], f"/assessment/{CARD}", theme)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_of_assessments_is_wider_than_a_telephone(
    chromium: sync_api.Browser, asking: tuple[str, dict[str, str]], language: str
) -> None:
    one = Looker(chromium, asking[0], "phone", language).sign_in("review-gd")
    for path in ("/assessment", f"/assessment/{CARD}", ONE, f"{ONE}/notice"):
        as_wide_as_its_screen(one, path)
    one.context.close()
    assert one.wrong == []
