"""Route sheets: one for each vehicle and pattern of days, complete, safe, on one page of paper each."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path

import polars as pl
import pytest

from changtong.errors import UsageError
from changtong.report import route_sheets
from changtong.report.county_words import say_days
from changtong.report.route_sheets import route_sheets_page, write_route_sheets
from changtong.report.texts import LANGUAGES, whole
from changtong.rural.county_plan import CountyPlan
from changtong.rural.timetables import vehicle_days
from tests.browser import CHROMIUM, FRAME, opened
from tests.county_results import DAILY, TRICYCLE, Book, small_county, small_result
from tests.pages import Page

RESULT = small_result()
COUNTY = RESULT.county
NASTY = {"V1": "</title><script>alert(1)</script>", "T1": '"><img src=x onerror=alert(2)>', "V2": "{{ 7*7 }}"}


def with_buses() -> CountyPlan:
    assert RESULT.with_buses is not None
    return RESULT.with_buses


def long_days(*stops: int) -> CountyPlan:
    book = Book(COUNTY, "long")
    for number, count in enumerate(stops, 1):
        calls = [(f"V{1 + k % 7}", 20.0, 5.0, 1.0 if k == 2 else 0.0, 0.0) for k in range(count)]
        book.trip(f"R{number}", (TRICYCLE, number, 1), DAILY, "T1", 7.0, calls)
    return book.plan()


def sheets_of(html: str) -> list[str]:
    return re.findall(r'<article class="sheet.*?</article>', html, re.DOTALL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sheet_has_its_stops_times_pieces_and_boxes(language: str) -> None:
    plan = with_buses()
    html = route_sheets_page(plan, COUNTY, language=language)  # type: ignore[arg-type]
    sheets = sheets_of(html)
    days = vehicle_days(plan)
    assert len(sheets) == len(days) == 7
    names = dict(COUNTY.sites.select("site_id", "name").iter_rows())
    for sheet, day in zip(sheets, days, strict=True):
        page = Page(sheet)
        table = next(iter(page.tables.values()))
        stops = plan.stops.filter(pl.col("route_id").is_in(day.route_ids))
        calls = [row for row in table if len(row) == 7 and row[1].isdigit()]
        assert [row[1] for row in calls] == [str(k + 1) for k in range(stops.height)]
        in_order = [
            call for route in day.route_ids for call in stops.filter(pl.col("route_id") == route).to_dicts()
        ]
        for row, call in zip(calls, in_order, strict=True):
            assert row[3] == names[call["site_id"]]
            assert row[2].startswith(call["arrives"][:5])
            assert row[4].startswith(whole(call["delivered_pieces"]))
            assert row[6] == f"{call['distance_km']:.1f}"
        boxes = sheet.count('class="box"')
        assert boxes == stops.height + len(day.route_ids) * (1 if day.tier == "bus" else 2)
        words = say_days(day.weekdays)
        assert words.zh in sheet
        assert words.en in sheet
        km = sum(plan.routes.filter(pl.col("route_id").is_in(day.route_ids))["distance_km"])
        assert f"{km:.1f}" in page.said


def test_cold_is_marked_by_words_and_by_shape_where_it_is_and_nowhere_else() -> None:
    for sheet, day in zip(
        sheets_of(route_sheets_page(RESULT.shared, COUNTY)), vehicle_days(RESULT.shared), strict=True
    ):
        cold = RESULT.shared.stops.filter(pl.col("route_id").is_in(day.route_ids)).select(
            pl.col("delivered_cold_pieces", "collected_cold_pieces").sum()
        )
        wanted = sum(cold.row(0)) > 0
        assert ("冷链" in sheet) == ("COLD" in sheet) == ('class="cold"' in sheet) == wanted
        assert len(re.findall(r'<span class="cold"><svg', sheet)) == sheet.count('class="cold"')


@pytest.mark.parametrize(
    ("days", "zh", "en"),
    [
        ("1234567", "每天", "every day"),
        ("123456", "每天（周日除外）", "every day but Sun"),
        ("135", "周一、三、五", "Mon, Wed, Fri"),
        ("12345", "周一至周五", "Mon to Fri"),
        ("234", "周二至周四", "Tue to Thu"),
        ("12", "周一、二", "Mon, Tue"),
        ("7", "周日", "Sun"),
        ("124567", "每天（周三除外）", "every day but Wed"),
    ],
)
def test_days_are_said_as_people_do(days: str, zh: str, en: str) -> None:
    assert (say_days(days).zh, say_days(days).en) == (zh, en)


def test_names_are_text_and_nothing_else() -> None:
    result = small_result(NASTY)
    html = route_sheets_page(result.shared, result.county)
    page = Page(html)
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert NASTY["V1"] in page.said
    assert "{{ 7*7 }}" in page.said
    assert not [
        name for _, given in page.elements for name in given if name.startswith("on") or name == "style"
    ]


def test_nothing_may_run_or_load() -> None:
    page = Page(route_sheets_page(RESULT.shared, COUNTY))
    policy = next(given["content"] for _, given in page.elements if given.get("http-equiv"))
    (style,) = page.inline["style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    sources = f"default-src 'none'; script-src 'none'; style-src 'sha256-{digest}'"
    assert policy == f"{sources}; base-uri 'none'; form-action 'none'"


def test_a_plan_without_trips_says_so(tmp_path: Path) -> None:
    empty = Book(COUNTY, "empty").plan()
    text = write_route_sheets(empty, COUNTY, tmp_path).read_text("utf-8")
    assert sheets_of(text) == []
    assert "本方案没有车次" in text


def test_many_sheets_are_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_sheets, "SHEETS_ON_ONE_PAGE", 3)
    page = Page(write_route_sheets(RESULT.shared, COUNTY, tmp_path).read_text("utf-8"))
    links = [str(given["href"]) for tag, given in page.elements if tag == "a"]
    assert len(links) == 6
    for link in links:
        assert len(sheets_of((tmp_path / link).read_text("utf-8"))) == 1


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_route_sheets(RESULT.shared, COUNTY, tmp_path, language="fr")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def printed_pages(html: str, folder: Path) -> int:
    (folder / "sheets.html").write_text(html, "utf-8")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --no-pdf-header-footer"
    command = [str(CHROMIUM), *flags.split(), f"--user-data-dir={folder / 'profile'}"]
    target = folder / "sheets.pdf"
    command += [f"--print-to-pdf={target}", (folder / "sheets.html").as_uri()]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sheet_is_one_page_of_paper(tmp_path: Path, language: str) -> None:
    html = route_sheets_page(with_buses(), COUNTY, language=language)  # type: ignore[arg-type]
    assert printed_pages(html, tmp_path) == len(sheets_of(html))


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_long_day_stays_on_one_page_as_long_as_it_can(tmp_path: Path) -> None:
    one_page_each = long_days(6, 7, 14, 15, 20, 21, 30)
    assert printed_pages(route_sheets_page(one_page_each, COUNTY), tmp_path) == 7
    assert printed_pages(route_sheets_page(long_days(60), COUNTY), tmp_path) == 2


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_sheets_fit_a_telephone(tmp_path: Path) -> None:
    (tmp_path / "sheets.html").write_text(
        route_sheets_page(with_buses(), small_county(), language="en"), "utf-8"
    )
    (tmp_path / "frame.html").write_text(FRAME.format(address="sheets.html", width=390), "utf-8")
    said = Page(opened(f"file://{tmp_path}/frame.html", tmp_path, "--allow-file-access-from-files")).said
    assert "wide 390 of 390" in said
