"""The daily report: the same numbers as page, PDF and DOCX, in both languages, and foreign names as text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docx
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scan_cases import SITES, ZONE, tiny_log, write_log

from changtong.cli import main
from changtong.errors import InputError, NotFoundError, UsageError
from changtong.events.alerts.life import Alert, Words
from changtong.events.alerts.result import Alerts, alerts_frame, read_alerts
from changtong.events.alerts.state import WatchState
from changtong.events.engine import open_duckdb
from changtong.events.indicator_result import Indicators
from changtong.events.indicators import indicators
from changtong.events.log import Batch, create_log
from changtong.report.daily_pdf import choose_fonts, pdf_data
from changtong.report.daily_report import ENDINGS, daily_page, write_daily_report
from changtong.report.daily_view import DailyView, daily_view
from changtong.report.daily_words import amount, change, foreign, say_note, share
from changtong.report.texts import LANGUAGES, Language
from tests.browser import CHROMIUM, FRAME, opened
from tests.pages import Page

MADE_AT = datetime(2022, 5, 7, 8, 0, tzinfo=ZONE)
PDFTOTEXT = shutil.which("pdftotext")
PROMISES = pl.DataFrame({"service_class": ["express"], "promise_h": [24.0]})
NASTY = {
    "A1": "<script>alert(1)</script>",
    "A2": '=HYPERLINK("http://evil","x")',
    "B1": '#import "@preview/evil:1.0.0": *',
    "C2": '$x^2$ *bold* #panic("no") \\ "]]\u202e\u0000\x1b end',
}
DAYS = {"2022-05-05": ["y"], "2022-05-06": ["z"]}
BATCHES = (
    Batch(1, "a.csv", 10, "", 30, 25, 2, 3, {"bad-time": 2, "no-site": 1}, {}, {"2022-05-06": ["x"]}),
    Batch(
        2, "b.csv", 10, "", 1007, 1000, 0, 7, {"no-site": 7}, {}, {"2022-05-05": ["y"], "2022-05-06": ["z"]}
    ),
    Batch(3, "other day.csv", 10, "", 99, 88, 0, 11, {"bad-time": 11}, {}, {"2022-05-04": ["w"]}),
    Batch(4, "nothing.csv", 10, "", 13, 0, 0, 13, {"no-code": 13}, {}, {}),
)


def compute(folder: Path, names: dict[str, str] | None = None, day: str = "2022-05-06") -> Indicators:
    sites = SITES
    if names:
        new = pl.col("site_id").replace_strict(names, default=pl.col("name"))
        sites = SITES.with_columns(name=new)
    return indicators(open_duckdb(write_log(tiny_log(), folder), sites), day, promises=PROMISES)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Indicators:
    return compute(tmp_path_factory.mktemp("log"))


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def some_alerts(last: str = "2022-05-06T00:00", evidence: str = "is silent") -> Alerts:
    def one(number: int, tier: int, state: str, found_at: str) -> Alert:
        at = milliseconds(found_at)
        return Alert(
            f"a{number}", "site-silent", tier, state, ("C2",), at, at, None, at, None, 0.0, 100.0,
            Words(f"丙二 {evidence}", f"C2 {evidence}"),
        )  # fmt: skip

    rows = [
        one(1, 3, "confirmed", "2022-05-05T00:00"),
        one(2, 1, "potential", "2022-05-06T00:00"),
        one(3, 3, "restored", "2022-05-01T00:00"),
        one(4, 2, "potential", "2022-05-07T00:00"),
    ]
    state = WatchState("days", "Asia/Shanghai", "0" * 16, milliseconds(last))
    return Alerts(alerts_frame(rows, "Asia/Shanghai"), state, (), 40)


def written(found: Indicators, path: Path, language: Language, **more: Any) -> Path:
    more = {"sites": SITES, "batches": BATCHES, "made_at": MADE_AT} | more
    return write_daily_report(found, path, language=language, **more)


# --- each format read back ---------------------------------------------------------------


def rows_of_page(path: Path, language: Language) -> dict[str, list[list[str]]]:
    """Return the cells of a page in one language, by table."""
    other = "en" if language == "zh" else "zh-CN"
    html = re.sub(rf'<span lang="{other}">.*?</span>', "", path.read_text("utf-8"))
    return {key: [row for row in rows if row] for key, rows in Page(html).tables.items()}


def rows_of_docx(path: Path) -> list[list[list[str]]]:
    made = docx.Document(str(path))
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in made.tables]


def text_of_pdf(path: Path) -> str:
    assert PDFTOTEXT is not None
    made = subprocess.run([PDFTOTEXT, "-layout", path, "-"], capture_output=True, check=True)
    return made.stdout.decode("utf-8")


def view_rows(view: DailyView, language: Language) -> list[list[list[str]]]:
    return [
        [[c.name.said_in(language) for c in table.columns]]
        + [[cell.said_in(language) for cell in row] for row in table.rows]
        for section in view.sections
        for table in section.tables
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_and_docx_hold_the_same_cells(found: Indicators, tmp_path: Path, language: Language) -> None:
    page = rows_of_page(written(found, tmp_path / "r.html", language, alerts=some_alerts()), language)
    word = rows_of_docx(written(found, tmp_path / "r.docx", language, alerts=some_alerts()))
    view = daily_view(found, alerts=some_alerts(), sites=SITES, batches=BATCHES)
    assert list(page.values()) == word == view_rows(view, language)
    told = pdf_data(view, "", language=language, mark="")
    given = [
        [[c["name"] for c in table["columns"]], *table["rows"]]
        for section in told["sections"]
        for table in section["tables"]
    ]
    assert given == word


@pytest.mark.skipif(PDFTOTEXT is None, reason="reading a PDF back needs pdftotext (poppler)")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pdf_shows_every_row(found: Indicators, tmp_path: Path, language: Language) -> None:
    said = text_of_pdf(written(found, tmp_path / "r.pdf", language, alerts=some_alerts()))
    lines = [re.sub(r"\s", "", line) for line in said.splitlines()]
    view = daily_view(found, alerts=some_alerts(), sites=SITES, batches=BATCHES)
    for table in view_rows(view, language):
        for row in table[1:]:
            assert re.sub(r"\s", "", "".join(row)) in lines, row
    for section in view.sections:
        assert re.sub(r"\s", "", section.heading.said_in(language)) in lines
    assert re.sub(r"\s", "", view.lead.said_in(language)) in "".join(lines)


def test_the_numbers_are_those_counted_by_hand(found: Indicators, tmp_path: Path) -> None:
    page = rows_of_page(written(found, tmp_path / "r.html", "en", alerts=some_alerts()), "en")
    volumes = {row[0]: row[1:] for row in page["daily-volumes"]}
    # accepted: items 3, 4, 9 and the day before 7; at sites: item 2 for 84 h, item 4 for 3.5 h
    assert volumes["Accepted, pieces"] == ["3", "1", "+200.0 %", "–", "–"]
    assert volumes["of these at sites"][0] == "2"
    assert volumes["at a site for over 72 h"][0] == "1"
    times = {row[0]: row[1:3] for row in page["daily-times"]}
    assert times["On time within 72 h (2)"][0] == "50.0 %"
    assert times["On time by promise (1)"][0] == "0.0 %"
    assert times["Transport, mean (1)"][0] == "18.0 h"
    rules = {row[0]: row[1] for row in page["daily-rules"]}
    assert rules["Registered, of those accepted (3)"] == "33.3 %"
    assert rules["Screened, of those delivered (1)"] == "100.0 %"
    closed = {row[0]: row[1] for row in page["daily-closed"]}
    assert closed == {
        "Indicator": "The day",
        "Usual sites": "2",
        "Closed sites": "1",
        "Closed share": "50.0 %",
    }
    assert page["daily-closed-kind"][1][:4] == ["transfer centre", "1", "1", "100.0 %"]
    assert page["daily-closed-region"][1][:4] == ["west", "1", "1", "100.0 %"]
    assert page["daily-closed-sites"][1] == [
        "丙二 C2",
        "transfer centre",
        "west",
        "Y",
        "05-04 12:00",
        "60.0",
        "1",
    ]
    backlogs = {row[0]: row[1:] for row in page["daily-backlogs"]}
    assert backlogs["甲二 A2"][0] == "1"
    assert backlogs["甲二 A2"][-2:] == ["1", "1"]
    assert backlogs["甲一 A1"][-2:] == ["0", "0"]
    assert page["daily-flows"][1:] == [["east", "west", "1", "100.0 %", "0", "+1"]]
    classes = {row[0]: row[1:] for row in page["daily-classes"]}
    assert classes["express"][0] == "1"
    assert list(classes)[1:] == ["Ordinary pieces", "express"]
    assert classes["express"][-1] == "0.0 %"
    assert {row[0]: row[1] for row in page["daily-quality"]}["Confidence"] == "50.0 %"
    assert page["daily-files"][1:] == [
        ["All files (2)", "1,037", "1,025", "2", "10"],
        ["b.csv", "1,007", "1,000", "0", "7"],
        ["a.csv", "30", "25", "2", "3"],
    ]
    said = Page((tmp_path / "r.html").read_text("utf-8")).said
    assert "Of 1 more files no row was understood (13 in quarantine)" in said
    assert "Reasons: no-site 8, bad-time 2." in said
    assert "3 pieces accepted, 1 delivered" in said
    assert "The log has no scan a year before, on 2021-05-06: nothing to compare with." in said


def test_counts_of_the_hours_are_drawn(found: Indicators) -> None:
    view = daily_view(found)
    assert (len(view.accepted), sum(view.accepted), sum(view.delivered)) == (24, 3, 1)
    assert (view.accepted[9], view.accepted[20], view.delivered[11]) == (1, 1, 1)
    html = daily_page(found, made_at=MADE_AT)
    heights = [float(h) for h in re.findall(r'<rect class="bar-accepted"[^>]*height="([\d.]+)"', html)]
    assert [hour for hour, height in enumerate(heights) if height] == [9, 11, 20]
    assert "9 时：揽收 1，投递 0" in html


def test_a_day_that_is_not_over_shows_its_hours_only(tmp_path: Path) -> None:
    source = open_duckdb(write_log(tiny_log(), tmp_path), SITES)
    part = indicators(source, "2022-05-06", as_of=datetime(2022, 5, 6, 10, 30, tzinfo=ZONE))
    view = daily_view(part)
    assert len(view.accepted) == 11
    assert "当日尚未结束" in daily_page(part)


# --- alerts ------------------------------------------------------------------------------


def test_open_alerts_found_by_then_are_listed(found: Indicators) -> None:
    page = Page(daily_page(found, alerts=some_alerts(), language="en"))
    assert [row[0] for row in page.tables["daily-alerts"][1:]] == ["已确认confirmed", "待确认potential"]
    assert "Open: 2 (severe 1, warning 0, attention 1)." in page.said
    assert "2 alerts open, 1 of them severe." in page.said
    assert "No alerts were given" not in page.said
    later = Page(daily_page(found, alerts=some_alerts("2022-05-08T00:00"))).said
    assert "The alerts are as of 2022-05-08 00:00, after the end of this report" in later
    earlier = Page(daily_page(found, alerts=some_alerts("2022-05-05T00:00"))).said
    assert "The alerts are as of 2022-05-05 00:00 only" in earlier
    assert "No alerts were given" in Page(daily_page(found)).said
    none = some_alerts()
    none = replace(none, frame=none.frame.filter(pl.col("state") == "restored"))
    assert "No alert is open." in Page(daily_page(found, alerts=none)).said


def test_saved_alerts_come_back(tmp_path: Path) -> None:
    kept = some_alerts()
    back = read_alerts(kept.save(tmp_path / "alerts"))
    assert_frame_equal(back.frame, kept.frame)
    assert (back.state, back.notes, back.periods) == (kept.state, kept.notes, kept.periods)
    with pytest.raises(NotFoundError):
        read_alerts(tmp_path)
    (tmp_path / "alerts" / "alerts.json").write_text('{"rows": [{}]}', "utf-8")
    with pytest.raises(InputError, match="unreadable-file"):
        read_alerts(tmp_path / "alerts")


# --- safe and self-contained -------------------------------------------------------------


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Indicators:
    return compute(tmp_path_factory.mktemp("log"), NASTY)


NASTY_SITES = SITES.with_columns(name=pl.col("site_id").replace_strict(NASTY, default=pl.col("name")))


def test_hostile_names_are_text_on_the_page(nasty: Indicators) -> None:
    hostile = some_alerts(evidence="<img src=x onerror=alert(2)> </script>")
    page = Page(daily_page(nasty, sites=NASTY_SITES, alerts=hostile, batches=BATCHES))
    assert [tag for tag, _ in page.elements if tag in ("script", "img")] == ["script"] * 3
    for name in NASTY.values():
        if name in (NASTY["A1"], NASTY["A2"], NASTY["C2"]):  # those in a table
            assert foreign(name) in page.said
    assert "\u202e" not in page.said
    assert "\x1b" not in page.said


def test_hostile_names_are_text_in_docx(nasty: Indicators, tmp_path: Path) -> None:
    path = written(nasty, tmp_path / "r.docx", "zh", sites=NASTY_SITES)
    cells = [cell for table in rows_of_docx(path) for row in table for cell in row]
    for site in ("A1", "A2", "C2"):
        assert f"{foreign(NASTY[site])} {site}" in cells
    made = docx.Document(str(path))
    for table in made.tables:
        order = [one.tag.rpartition("}")[2] for one in table._tbl.tblPr]
        assert order.index("tblBorders") < order.index("tblLayout")  # as the schema asks
    xml = made.element.xml
    assert "instrText" not in xml
    assert "fldSimple" not in xml  # that of the page number is in the footer
    assert "w:hyperlink" not in xml


@pytest.mark.skipif(PDFTOTEXT is None, reason="reading a PDF back needs pdftotext (poppler)")
def test_hostile_names_are_text_in_pdf(tmp_path: Path) -> None:
    here = compute(tmp_path / "log")
    for number, shown in enumerate((("A1", "A2"), ("B1", "C2"))):
        # the two sites with a backlog bear the names in turn
        names = dict(zip(("A1", "A2"), (NASTY[site] for site in shown), strict=True))
        sites = SITES.with_columns(name=pl.col("site_id").replace_strict(names, default=pl.col("name")))
        said = text_of_pdf(written(here, tmp_path / f"{number}.pdf", "en", sites=sites))
        for name in names.values():
            plain = re.sub(r"[\s\u200b\ufffd\x00]", "", foreign(name))
            assert plain in re.sub(r"[\s\u200b\ufffd\x00]", "", said), name


def test_nothing_is_asked_from_outside(found: Indicators) -> None:
    html = daily_page(found, alerts=some_alerts(), batches=BATCHES)
    assert not re.search(r"https?://|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|import\(", html)
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "form", "base")
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src")]
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    kinds = [a.get("type") for t, a in page.elements if t == "script"]
    run = [part for part, kind in zip(page.inline["script"], kinds, strict=True) if kind is None]
    wanted = {
        base64.b64encode(hashlib.sha256(p.encode()).digest()).decode() for p in run + page.inline["style"]
    }
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == wanted
    assert "unsafe" not in policy


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_fits_a_phone_and_turns_its_language(found: Indicators, tmp_path: Path) -> None:
    path = written(found, tmp_path / "r.html", "zh", alerts=some_alerts())
    dom = opened(f"{path.as_uri()}#language=en", tmp_path)
    assert re.search(r'<html lang="en" data-language="en"', dom)
    assert "Daily report on operation and safety" in re.findall(r"<title>(.*?)</title>", dom)[0]
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(address=path.name, width=390), "utf-8")
    said = opened(frame.as_uri(), tmp_path, "--allow-file-access-from-files")
    wide, of = re.findall(r"wide (\d+) of (\d+)", said)[0]
    assert int(wide) <= int(of) == 390


# --- nothing to tell, wrong calls --------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_log_is_told_through_the_command(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_log(tmp_path / "LOG")
    out = tmp_path / f"r{ending}"
    call = ["report", str(tmp_path / "LOG"), "--date", "2022-05-06", "-o", str(out), "--json"]
    assert main(call) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["report"] == str(out)
    assert facts["notes"][0] == "The log has no scan on 2022-05-06."
    if ending == ".html":
        page = Page(out.read_text("utf-8"))
        assert "2022-05-06：日志中没有扫描" in page.said
        assert "没有关停的场地" not in page.said  # nothing is known
        values = [cell for row in page.tables["daily-volumes"][1:] for cell in row[1:]]
        assert set(values) == {"–"}
    if ending == ".docx":
        assert "日志中没有扫描" in docx.Document(str(out)).element.xml
    assert main(call) == 0  # its own report is replaced


def test_wrong_calls_are_told(found: Indicators, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_log(tmp_path / "LOG")
    log = str(tmp_path / "LOG")
    for name in ("r.doc", "r", "r.PDF"):
        assert main(["report", log, "--date", "2022-05-06", "-o", str(tmp_path / name)]) == 2
        assert "[unknown-ending]" in capsys.readouterr().err
    assert main(["report", log, "--date", "6 May", "-o", str(tmp_path / "r.html")]) == 2
    assert main(["report", str(tmp_path), "--date", "2022-05-06", "-o", str(tmp_path / "r.html")]) == 2
    call = ["report", log, "--date", "2022-05-06", "-o", str(tmp_path / "r.html"), "--alerts", log]
    assert main(call) == 2
    with pytest.raises(UsageError, match="language"):
        write_daily_report(found, tmp_path / "r.html", language="de")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="time zone"):
        write_daily_report(found, tmp_path / "r.html", made_at=datetime(2022, 5, 7))
    assert [path.name for path in tmp_path.iterdir()] == ["LOG"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_of_others_are_left(found: Indicators, tmp_path: Path, ending: str) -> None:
    theirs = tmp_path / f"thesis{ending}"
    theirs.write_text("mine", "utf-8")
    with pytest.raises(UsageError) as caught:
        write_daily_report(found, theirs)
    assert caught.value.code == "not-a-daily-report"
    assert theirs.read_text("utf-8") == "mine"
    (tmp_path / f"folder{ending}").mkdir()
    with pytest.raises(UsageError, match="folder"):
        write_daily_report(found, tmp_path / f"folder{ending}")
    mine = written(found, tmp_path / "new" / f"r{ending}", "zh")
    before = mine.stat().st_ino
    assert written(found, mine, "en").stat().st_ino != before
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]


def test_a_missing_library_or_font_is_told(
    found: Indicators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ending, module in ((".pdf", "typst"), (".docx", "docx")):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, module, None)
            with pytest.raises(UsageError, match="pip install") as caught:
                write_daily_report(found, tmp_path / f"r{ending}")
            assert caught.value.code == "missing-library"
    with pytest.raises(UsageError, match="Noto Sans CJK SC") as caught:
        choose_fonts(["Libertinus Serif"], "all 在途")
    assert caught.value.code == "missing-font"
    assert choose_fonts(["Libertinus Serif"], "in transit") == ["Libertinus Serif"]
    assert choose_fonts(["simhei"], "在途")[0] == "SimHei"


# --- words -------------------------------------------------------------------------------


def test_values_are_said_with_their_units() -> None:
    assert [share(value) for value in (None, 0.0, 0.0004, 0.9996, 1.0, 0.375)] == [
        "–", "0.0 %", "< 0.1 %", "> 99.9 %", "100.0 %", "37.5 %",
    ]  # fmt: skip
    assert amount(None, "accepted_pieces").en == "–"
    assert amount(1234567.0, "accepted_pieces").en == "1,234,567"
    assert amount(0.25, "screened_share_of_delivered").en == "25.0 %"
    assert amount(12.04, "transport_mean_h").zh == "12.0 小时"
    assert change(90.0, 120.0, "accepted_pieces").en == "−25.0 %"
    assert change(3.0, 0.0, "accepted_pieces").en == "+3"
    assert change(0.5, 0.625, "on_time_72h_share").en == "−12.5 points"
    assert change(1.0, 4.0, "closed_sites").en == "−3"
    assert change(None, 4.0, "closed_sites").en == "–"
    assert change(2.0, 2.0, "dwell_p50_h").en == "0.0 h"


def test_names_are_shown_in_one_line_without_controls() -> None:
    assert foreign("  A\n\tB ") == "A B"
    assert foreign("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert len(foreign("x" * 500)) == 60


def all_notes() -> Iterator[str]:
    engine = open_duckdb([], None)
    yield from indicators(engine, "2022-05-06").notes
    now = datetime.now(UTC)
    yield from indicators(engine, (now - timedelta(hours=1)).date(), zone="UTC", as_of=now).notes


def test_every_note_of_the_indicators_is_said_in_chinese(found: Indicators) -> None:
    notes = {*found.notes, *all_notes()}
    assert len(notes) >= 5
    for note in notes:
        said = say_note(note)
        assert said.en == note
        assert re.search("[\u4e00-\u9fff]", said.zh), note
    assert say_note("something new").zh == "something new"
