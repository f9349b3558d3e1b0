"""Emergency cases and scorecards in a browser: a case from opening to review, a card kept and compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api_cases import PEOPLE, fill_folder
from assessment_cases import deduct, fact, head
from browser import CHROMIUM, LANGUAGES, THEMES, serving_here
from page_checks import as_wide_as_its_screen, readable
from registers_cases import ORGANISATIONS, cheap_hashes
from scorecard_cases import CARD, DEPARTMENTS, small_card
from test_serve import serving
from test_web_assessment_browser import INDICATORS
from test_web_browser import Looker, chromium, sync_api

from changtong.assessment.card_writer import write_scorecard
from changtong.rights.scope import Scope
from changtong.storage.people import NewOrganisation

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.usefixtures("cheap_hashes"),
]
__all__ = ["cheap_hashes", "chromium"]

MORE = {"review-gd": ("spb-gd", ("assessor", Scope(region="440000")))}
LATER = "spb-gd.test.2.2025"
Served = tuple[str, dict[str, str]]


def card_files(place: Path, version: str = "1", most: float = 20.0) -> list[Path]:
    """Return the files of a card of two outlets; a later version gives its first item other points."""
    card = small_card(
        head(decimals=2, version=version), departments=[], rules=[deduct("open", 3.0)],
        indicators=[INDICATORS[0] | {"max_points": most}, INDICATORS[1]], facts=[fact("F1", "a", "open")],
    )  # fmt: skip
    return sorted(one for one in write_scorecard(card, place).iterdir() if one.is_file())


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with an open case and a kept card; its address, and a token for each person."""
    place = tmp_path_factory.mktemp("cases")
    with pytest.MonkeyPatch.context() as patch:
        for name, one in MORE.items():
            patch.setitem(PEOPLE, name, one)
        tokens = fill_folder(place / "data")
    files = {one.name: one.read_text("utf-8") for one in card_files(place / "card")}
    with serving_here(place / "data") as address:

        def post(who: str, path: str, asked: object) -> None:
            headers = {"Authorization": f"Bearer {tokens[who]}"}
            answer = httpx.post(f"{address}/api/v1{path}", json=asked, headers=headers, timeout=60)
            assert answer.status_code == 201, answer.text

        post("review-gd", "/scorecards", {"files": files})
        case = {"plan": "flood", "event": "顺义进水", "id": "K1", "sites": {"A": "confirmed"}}
        post("duty-gd", "/cases", case | {"measures": {"warning_colour": "orange"}})
        post("duty-gd", "/cases/K1/entries", {"action": "level", "level": "III"})
        yield address, tokens


def looker(chromium: sync_api.Browser, asking: Served, name: str, *more: str) -> Looker:
    return Looker(chromium, asking[0], *more).sign_in(name)


def done(one: Looker) -> None:
    one.context.close()
    assert one.wrong == []


def say(page: sync_api.Page, **values: str) -> None:
    """Fill in the dialog that is open and send it."""
    for name, value in values.items():
        field = page.locator(f"dialog [name={name}]")
        if field.evaluate("node => node.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.click("dialog button[type=submit]")
    page.wait_for_selector("dialog:not([open])", state="attached")


def test_a_case_from_opening_to_its_review(chromium: sync_api.Browser, asking: Served) -> None:
    duty, other = (looker(chromium, asking, name) for name in ("duty-gd", "other-gd"))
    page = duty.open("/case-new?text=机房漏水&plan=flood")
    page.select_option("[name=m-warning_colour]", "orange")
    page.fill("[name=confirmed]", "A")
    page.fill("[name=potential]", "B，C")
    page.click("#new button.main")
    page.wait_for_selector("body[data-state=open]")
    path = page.url.removeprefix(asking[0])
    assert "预案建议级别：III" in page.inner_text("#to-confirm")
    assert page.locator("#sites tbody tr").count() == 3
    # somebody writes a note meanwhile: the level is not set upon the older log, and then upon the newer one
    theirs = other.open(path)
    page.click("[data-move=level]")
    theirs.click("[data-move=note]")
    say(theirs, text="水位在涨")
    theirs.wait_for_selector("#log >> text=水位在涨")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("dialog [role=alert]")
    assert "水位在涨" in page.inner_text("#log")
    assert duty.wrong.pop().count("412") == 1
    say(page)
    page.wait_for_selector("body[data-state=responding]")
    # a step begun, done, another that cannot be done
    steps = page.locator("#steps tbody tr")
    count = steps.count()
    page.click("#steps [data-do=accept] >> nth=0")
    page.wait_for_selector("#steps >> text=已接收")
    row = page.locator("#steps tbody tr", has_text="已接收")
    row.locator("[data-do=done]").click()
    say(page, text="已完成")
    page.wait_for_selector("#steps tbody tr:has-text('已完成')")
    page.click("#steps [data-do=impossible] >> nth=0")
    say(page, text="没有车")
    page.wait_for_selector("#steps >> text=没有车")
    page.click("[data-move=add_task]")
    say(page, title="借抽水泵", within="30")
    page.wait_for_selector("#steps >> text=借抽水泵")
    assert steps.count() == count + 1
    page.click("[data-move=situation_report]")
    say(page)
    page.wait_for_selector("#reports tbody tr")
    with page.expect_download() as coming:
        page.click("#reports a")
    assert Path(coming.value.path()).read_bytes()[:2] == b"PK"
    assert page.locator("#log tbody tr").count() == 8
    # ended against its conditions only with a reason, then closed
    page.click("[data-move=end]")
    page.fill("dialog [name=reason]", "水退了")
    page.check("dialog [value=water]")
    page.click("dialog button[type=submit]")
    page.wait_for_selector("dialog [role=alert]")
    assert "--although" not in page.inner_text("dialog [role=alert] p")
    duty.wrong.clear()
    say(page, although="其余已逐一核对")
    page.wait_for_selector("body[data-state=ended]")
    page.click("[data-move=close]")
    say(page, lessons="备泵\n早报")
    page.wait_for_selector("body[data-state=closed]")
    assert page.inner_text("#review ul").split("\n") == ["备泵", "早报"]
    assert page.locator("[data-move], [data-do]").count() == 0
    page.click("#check button")
    page.wait_for_selector("#check >> text=与写入时一致")
    for one in (duty, other):
        done(one)


def test_a_list_of_cases_and_what_a_viewer_sees(chromium: sync_api.Browser, asking: Served) -> None:
    one = looker(chromium, asking, "duty-gd")
    row = one.open("/cases").locator("tr", has_text="顺义进水")
    assert [text.strip() for text in row.locator("td").all_inner_texts()][:2] == ["III", "响应中"]
    assert int(row.locator("td").nth(2).inner_text()) > 3
    assert "顺义进水" in one.open("/duty").inner_text("#cases")
    done(one)
    viewer = looker(chromium, asking, "looker-gd")
    page = viewer.open("/cases/K1")
    assert "记录只给" in page.inner_text("#case")
    assert page.locator("#log").count() == 0
    done(viewer)
    away = looker(chromium, asking, "duty-bj")
    page = away.open("/cases")
    assert "还没有" in page.inner_text("#cases") or "没有未结" in page.inner_text("#cases")
    assert page.locator("#cases .ways li").count() == 4
    done(away)


def test_a_drill_is_marked_as_one_wherever_it_is_shown(chromium: sync_api.Browser, asking: Served) -> None:
    one = looker(chromium, asking, "duty-gd")

    def as_drill(route: sync_api.Route) -> None:
        answer = route.fetch()
        told = answer.json()
        for case in told.get("cases", [told]):
            case["is_drill"] = True
        route.fulfill(response=answer, json=told)

    one.page.route("**/api/v1/cases", as_drill)
    one.page.route("**/api/v1/cases/K1?at=now", as_drill)
    assert one.open("/cases").locator("tbody tr", has_text="顺义进水").locator(".drill").count() == 1
    assert one.open("/duty").locator("#cases li", has_text="顺义进水").locator(".drill").count() == 1
    page = one.open("/cases/K1")
    assert "不是真实事件" in page.inner_text(".banner")
    assert page.inner_text("h1 .drill") == "演练"
    page.emulate_media(media="print")
    assert page.is_visible(".banner")
    assert not page.is_visible("#act")
    done(one)


def test_a_card_is_kept_compared_and_every_slip_has_its_place(
    chromium: sync_api.Browser, asking: Served, tmp_path: Path
) -> None:
    one = looker(chromium, asking, "review-gd")
    page = one.open("/scorecards")
    files = card_files(tmp_path / "card", "2", 25.0)
    broken = tmp_path / "indicators.csv"
    text = next(path for path in files if path.name == "indicators.csv").read_text("utf-8")
    broken.write_text(text.replace("linear", "lineal"), "utf-8")
    page.click("#cards summary")
    page.set_input_files("#keep [name=files]", [*(p for p in files if p.name != broken.name), broken])
    page.click("#keep button.main")
    page.wait_for_selector("#keep-wrong li")
    assert page.inner_text("#keep-wrong li b").startswith("indicators.csv · ")
    assert one.wrong.pop().count("422") == 1
    page.set_input_files("#keep [name=files]", files)
    page.click("#keep button.main")
    page.wait_for_url(f"**/scorecards/{LATER}")
    page.wait_for_selector("body[data-ready]")
    assert "非官方" in page.inner_text("#provenance")
    page = one.open(f"/scorecards/{CARD}")
    item = page.locator(".items tbody tr", has_text="实名率").inner_text()
    assert "20" in item
    assert "月度统计" in item
    page.click("#later a")
    page.wait_for_selector("#changes tbody tr")
    (row,) = page.locator("#changes tbody tr").all()
    assert [cell.strip() for cell in row.locator("td").all_inner_texts()] == ["修改", "最高分", "20", "25"]
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == f"{LATER}.zip"
    page.click("text=按它进行的考核")
    page.wait_for_selector("#assessments tbody tr")
    assert page.locator(f"[data-card='{LATER}'] a[href='/scorecards/{LATER}']").count() == 1
    done(one)


@pytest.mark.parametrize("theme", THEMES)
def test_readers_of_screens_can_read_the_pages(
    chromium: sync_api.Browser, asking: Served, theme: str
) -> None:
    duty, review = (looker(chromium, asking, name) for name in ("duty-gd", "review-gd"))
    for path in ("/cases", "/cases/K1", "/case-new", "/duty"):
        readable(duty, path, theme)
    for path in ("/scorecards", f"/scorecards/{CARD}"):
        readable(review, path, theme)
    for one in (duty, review):
        done(one)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_is_wider_than_a_telephone(chromium: sync_api.Browser, asking: Served, language: str) -> None:
    duty, review = (looker(chromium, asking, name, "phone", language) for name in ("duty-gd", "review-gd"))
    for path in ("/cases", "/cases/K1", "/case-new"):
        as_wide_as_its_screen(duty, path)
    for path in ("/scorecards", f"/scorecards/{CARD}"):
        as_wide_as_its_screen(review, path)
    for one in (duty, review):
        done(one)


@pytest.mark.slow
def test_departments_mark_blind_and_then_see_each_other(
    chromium: sync_api.Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place, region = tmp_path_factory.mktemp("marks"), ("assessor", Scope(region="440000"))
    police = NewOrganisation("广东省公安厅", "province", "440000", None, "", "police", "ga-gd")
    with pytest.MonkeyPatch.context() as patch:
        for name, unit in DEPARTMENTS.items():
            patch.setitem(PEOPLE, name, (unit, region))
        patch.setattr("registers_cases.ORGANISATIONS", (*ORGANISATIONS, police))
        tokens = fill_folder(place / "data")
    folder = write_scorecard(small_card(), place / "card")
    files = {one.name: one.read_text("utf-8") for one in folder.iterdir() if one.is_file()}
    with serving(place / "data", place / "log") as (_, address):
        headers = {"Authorization": f"Bearer {tokens['postal']}"}
        kept = httpx.post(f"{address}/api/v1/scorecards", json={"files": files}, headers=headers, timeout=60)
        assert kept.status_code == 201, kept.text
        served = address.replace("127.0.0.1", "localhost"), tokens
        postal, other = (looker(chromium, served, name) for name in DEPARTMENTS)
        page = postal.open(f"/scorecards/{CARD}")
        page.click("#to-marks")
        page.wait_for_selector("#give")
        page.fill("[name='a joint']", "11")  # of 10
        page.click("#save")
        assert page.locator("#give :invalid").count() == 1
        page.fill("[name='a joint']", "8")
        page.fill("[name='b joint']", "4.5")
        page.click("#save")
        page.wait_for_selector(".toast:has-text('2')")
        page.reload()
        page.wait_for_selector("#give")
        assert page.input_value("[name='b joint']") == "4.5"
        page.fill("[name='b joint']", "5")  # another mark takes its place, at the version that was read
        page.click("#save")
        page.wait_for_selector(".toast:has-text('1')")
        page.click("#hand-in")
        say(page)
        page.wait_for_selector("#marks >> text=本部门已提交")
        theirs = other.open(f"/scorecards/{CARD}/marks")
        assert theirs.locator("#all-marks").count() == 0  # blind until all are in
        assert theirs.input_value("[name='a joint']") == ""
        theirs.fill("[name='a joint']", "6")
        theirs.fill("[name='b joint']", "5")
        theirs.click("#save")
        theirs.wait_for_selector(".toast:has-text('2')")
        theirs.click("#hand-in")
        say(theirs)
        theirs.wait_for_selector("#all-marks")
        rows = theirs.locator("#all-marks tbody tr")
        told = [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows.all()]
        assert sorted(told) == [
            ["网点 a a", "联动", "8", "6", "2"], ["网点 b b", "联动", "5", "5", "0"],
        ]  # fmt: skip
        readable(other, f"/scorecards/{CARD}/marks", "light")
        done(postal)
        done(other)
        away = looker(chromium, served, "duty-gd")
        assert "没有在此办理的权限" in away.open(f"/scorecards/{CARD}/marks").inner_text("#marks")
        assert away.open(f"/scorecards/{CARD}").locator("#to-marks").count() == 0
        away.context.close()
