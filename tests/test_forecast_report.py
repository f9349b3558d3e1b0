"""The page of a forecast: true to the result, complete, safe, self-contained, and it lets one choose."""

from __future__ import annotations

import base64
import hashlib
import html as escaping
import re
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_cases import LEGS, network

from changtong.cli import main
from changtong.errors import UsageError
from changtong.forecast.result import Forecast
from changtong.forecast.volumes_ahead import forecast_volumes
from changtong.report import forecast_charts, write_forecast_report
from changtong.report.forecast_report import render_forecast_report
from changtong.report.forecast_view import collect, say_note
from changtong.report.texts import LANGUAGES
from tests.browser import CHROMIUM, FRAME, opened
from tests.fake_plans import CHINA_TIME
from tests.pages import Page

BEGIN, UNTIL = date(2023, 2, 27), date(2023, 5, 25)
MADE_AT = datetime(2023, 5, 24, 12, 0, tzinfo=CHINA_TIME)
NASTY = {"W": "</script><script>alert(1)</script>", "A": '"><img src=x onerror=alert(2)>', "V": "{{ 7*7 }}"}


def rule(day: date, leg: int) -> float:
    return 100.0 * (leg + 1) * (1.2 if day.weekday() == 0 else 1.0)


CLOSURES = pl.DataFrame(
    {
        "site": ["A", None],
        "from_site": [None, "W"],
        "to_site": [None, "B"],
        "first_day": ["2023-06-20", "2023-04-01"],
        "last_day": [None, "2023-04-03"],
        "label": ["rebuilt", "road shut"],
    }
)


@cache
def made() -> Forecast:
    volumes = network(BEGIN, (UNTIL - BEGIN).days, rule).filter(pl.col("date") != date(2023, 5, 3))
    return forecast_volumes(volumes, days=31, closures=CLOSURES)


@cache
def html(language: str = "zh") -> str:
    return render_forecast_report(made(), language=language, made_at=MADE_AT)  # type: ignore[arg-type]


@cache
def page() -> Page:
    return Page(html())


def test_the_series_embedded_are_those_of_the_result() -> None:
    data = page().embedded()
    names = [one["en"] for one in data["series"]]
    # B: 200 + 400 + 500 at the beginning; after it the sides of sites by size, then the legs by size
    assert names[0] == "all legs"
    assert set(names[1:6]) == {"into A", "into B", "out of A", "out of V", "out of W"}
    assert set(names[6:]) == {f"{a} → {b}" for a, b in LEGS}
    days = [date.fromisoformat(day) for day in data["days"]]
    assert days[data["n_past"]] == UNTIL
    assert len(days) == data["n_past"] + 31
    frame = made().legs.filter((pl.col("from_site") == "V") & (pl.col("to_site") == "B")).sort("date")
    one = next(one for one in data["series"] if one["en"] == "V → B")
    for key, column in (("ahead", "pieces"), ("low", "low_pieces"), ("high", "high_pieces")):
        assert one[key] == pytest.approx(frame[column].to_list(), abs=0.5)
    total = data["series"][0]
    assert total["ahead"] == pytest.approx(made().total["pieces"].to_list(), abs=0.5)
    lost = days.index(date(2023, 5, 3))
    assert (one["past"][lost], total["past"][lost]) == (None, None)  # a day without rows is unknown
    assert one["past"][days.index(date(2023, 5, 4))] == pytest.approx(400.0)
    assert one["past"][days.index(date(2023, 5, 8))] == pytest.approx(480.0)  # a Monday
    road = next(one for one in data["series"] if one["en"] == "W → B")
    assert [days[k] for k in road["shut"]] == [date(2023, 4, k) for k in (1, 2, 3)]
    assert [days[k] for k in next(s for s in data["series"] if s["en"] == "into A")["shut"]] == days[-5:]


def test_marked_days_are_spans_with_their_names_and_main_day() -> None:
    view = collect(made())
    spans = {
        span.name.en: (view.days[span.first], view.days[span.last], span.main and view.days[span.main])
        for span in view.spans
        if span.kind != "make-up"
    }
    assert spans["18 June"] == (date(2023, 6, 1), date(2023, 6, 22), date(2023, 6, 18))
    assert spans["Labour Day"] == (date(2023, 4, 29), date(2023, 5, 3), None)
    assert spans["Dragon Boat"] == (date(2023, 6, 23), date(2023, 6, 24), None)  # the 22nd is a promotion's
    assert [view.days[s.first] for s in view.spans if s.kind == "make-up"] == [
        date(2023, 4, 23), date(2023, 5, 6),
    ]  # fmt: skip
    rows = page().tables["mark-table"][1:]
    assert [row[1] for row in rows] == ["06-01 – 06-22", "06-23 – 06-24"]
    peak = made().total.filter(pl.col("date").is_between(date(2023, 6, 1), date(2023, 6, 22)))
    assert rows[0][2] == f"{peak['pieces'].mean():,.0f}"


def test_the_chart_of_all_legs_stands_where_the_frame_says() -> None:
    chart = re.search(r'<svg class="days large".*?</svg>', html(), re.DOTALL)
    assert chart is not None
    band = re.search(r'class="f-band" d="M([^"]+)Z"', chart[0])
    line = re.search(r'class="f-ahead" d="M([^"]+)"', chart[0])
    assert band is not None
    assert line is not None
    points = {
        name: np.array([[float(v) for v in point.split(" ")] for point in path[1].split("L")])
        for name, path in (("band", band), ("line", line))
    }
    view = collect(made())
    n_days = len(view.days)
    total, base = made().total, forecast_charts.HIGH - forecast_charts.BOTTOM
    wide = forecast_charts.WIDE - forecast_charts.RIGHT - forecast_charts.LEFT
    wanted_x = forecast_charts.LEFT + wide * (view.n_past + np.arange(31) + 0.5) / n_days
    assert points["line"][:, 0] == pytest.approx(wanted_x, abs=0.06)
    heights = base - points["line"][:, 1]
    unit = heights[0] / total["pieces"][0]
    assert heights == pytest.approx(unit * total["pieces"].to_numpy(), abs=0.2)
    upper, lower = points["band"][:31], points["band"][31:][::-1]
    assert base - upper[:, 1] == pytest.approx(unit * total["high_pieces"].to_numpy(), abs=0.2)
    assert base - lower[:, 1] == pytest.approx(unit * total["low_pieces"].to_numpy(), abs=0.2)
    # the unknown day parts the history in two
    assert len(re.findall('class="f-past"', chart[0])) == 2


def test_errors_stand_beside_seasonal_naive() -> None:
    rows = page().tables["error-table"][1:]
    frame = made().errors
    assert len(rows) == frame.height == 9
    for row, facts in zip(rows, frame.to_dicts(), strict=True):
        assert float(row[2].split(" ")[0]) == pytest.approx(100 * facts["wape"], rel=0.06)
        assert float(row[3].split(" ")[0]) == pytest.approx(100 * facts["naive_wape"], rel=0.06)


NOTED = [
    forecast_volumes(network(BEGIN, 1, rule), days=3),
    forecast_volumes(network(BEGIN, 14, rule), days=130),
    forecast_volumes(network(BEGIN, 60, lambda day, leg: rule(day, leg) * (day.weekday() < 6)), days=3),
    forecast_volumes(
        network(BEGIN, 60, lambda day, leg: rule(day, leg) * (leg > 1 or (day - BEGIN).days < 20)), days=3
    ),
    forecast_volumes(network(date(2090, 4, 1), 400, lambda day, leg: 1.0), until="2090-08-01", days=50),
]


def test_every_note_is_said_in_chinese() -> None:
    notes = {note for forecast in [*NOTED, made()] for note in forecast.notes}
    assert len(notes) >= 9
    for note in notes:
        said = say_note(note)
        assert said.en == note
        assert re.search(r"[\u4e00-\u9fff]", said.zh), note
        assert not re.search(r"\b(holidays|Sunday|working|shut)\b", said.zh), said.zh
    assert say_note("something else").zh == "something else"


def test_nothing_is_asked_from_outside() -> None:
    assert set(re.findall(r"https?://[^\s\"'`)]+", html())) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|\bfetch\(|XMLHttpRequest|WebSocket|importScripts|import\(|@import", html())
    for tag, attributes in page().elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "form", "base")
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src")]
    policy = next(a["content"] for _, a in page().elements if a.get("http-equiv"))
    parts = page().inline["script"][1:] + page().inline["style"]
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    assert sorted(re.findall(r"'sha256-([^']+)'", policy or "")) == sorted(digests)


def test_every_text_is_in_both_languages_and_ids_are_unique() -> None:
    inside = re.findall(r'<span lang="zh-CN">([^<]*)</span><span lang="en">([^<]*)</span>', html())
    assert len(inside) > 60
    assert not [pair for pair in inside if not pair[0].strip() or not pair[1].strip()]
    assert not [en for _, en in inside if re.search(r"[\u4e00-\u9fff]", en)]
    ids = [named["id"] for _, named in page().elements if "id" in named]
    assert len(ids) == len(set(ids))
    links = {str(named["href"])[1:] for _, named in page().elements if named.get("href")}
    assert links <= set(ids)


def test_foreign_names_stay_text() -> None:
    legs = tuple((NASTY.get(a, a), NASTY.get(b, b)) for a, b in LEGS)
    nasty = render_forecast_report(forecast_volumes(network(BEGIN, 30, rule, legs), days=3), made_at=MADE_AT)
    taken = Page(nasty)
    assert len(taken.inline["script"]) == len(page().inline["script"])
    assert not [tag for tag, _ in taken.elements if tag == "img"]
    assert escaping.escape(NASTY["W"]) in nasty
    assert "49" not in {row[0] for row in taken.tables["site-table"]}


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="language"):
        write_forecast_report(made(), tmp_path / "p.html", language="fr")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="time zone"):
        write_forecast_report(made(), tmp_path / "p.html", made_at=datetime(2023, 1, 1))


def test_the_command_writes_a_folder_with_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes, out = tmp_path / "volumes.csv", tmp_path / "out"
    network(BEGIN, 40, rule).write_csv(volumes)
    words = ["forecast", volumes, "--days", 3, "--out", out, "--language", "en"]
    assert main([str(word) for word in words]) == 0
    assert str(out / "report.html") in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        "forecast.csv", "forecast.json", "errors.csv", "report.html",
    }  # fmt: skip
    assert '<html lang="en"' in (out / "report.html").read_text("utf-8")
    assert main([str(word) for word in words]) == 0  # an older one is replaced
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", "utf-8")
    assert main(["forecast", str(volumes), "--out", str(tmp_path / "mine")]) == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_short_history_makes_a_page_too() -> None:
    taken = Page(render_forecast_report(NOTED[0], language="en", made_at=MADE_AT))
    assert "error-table" not in taken.tables
    assert "too short to try the method" in taken.said
    assert "mark-table" not in taken.tables


# --- in a browser ----------------------------------------------------------------------------------

ASK = """<body><iframe src="{address}" width="1200" height="900"></iframe><p id="said"></p><script>
addEventListener("load", () => setTimeout(() => {{
  const page = document.querySelector("iframe").contentDocument;
  const at = (id) => page.getElementById(id);
  const out = [at("choices").options.length, at("chosen-name").textContent];
  at("search").value = "w > b";
  at("search").dispatchEvent(new Event("input"));
  out.push(at("choices").options.length, at("chosen-name").textContent);
  out.push(page.querySelectorAll("#chosen .mark-shut").length);
  const svg = page.querySelector("#chosen svg");
  svg.dispatchEvent(new KeyboardEvent("keydown", {{ key: "ArrowRight" }}));
  out.push(at("chosen-readout").textContent);
  at("search").value = "zzz";
  at("search").dispatchEvent(new Event("input"));
  out.push(at("no-match").hidden, at("total-readout").textContent);
  document.getElementById("said").textContent = JSON.stringify(out);
}}, 1000));
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_leg_can_be_searched_and_read(tmp_path: Path, language: str) -> None:
    (tmp_path / "report.html").write_text(html(language), "utf-8")
    (tmp_path / "ask.html").write_text(ASK.format(address="report.html#theme=light"), "utf-8")
    dom = opened(f"file://{tmp_path}/ask.html", tmp_path, "--allow-file-access-from-files")
    said = Page(dom).said
    row = made().legs.filter(
        (pl.col("from_site") == "W")
        & (pl.col("to_site") == "B")
        & (pl.col("date") == UNTIL + timedelta(days=1))
    )
    assert '[11,"' in said
    assert '1,"W → B",1,' in said  # shut in April
    assert f"{UNTIL + timedelta(days=1)}" in said
    assert f"{row['pieces'][0]:,.0f}" in said
    assert ",false," in said
    assert f"{round(made().total['pieces'][0]):,}" in said


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_a_telephone_and_a_desk(tmp_path: Path, width: int) -> None:
    (tmp_path / "report.html").write_text(html("en"), "utf-8")
    (tmp_path / "frame.html").write_text(FRAME.format(address="report.html", width=width), "utf-8")
    said = Page(opened(f"file://{tmp_path}/frame.html", tmp_path, "--allow-file-access-from-files")).said
    assert f"wide {width} of {width}" in said
